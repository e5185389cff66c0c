/* table_load.c — tables from disk: at open, and again when somebody else committed. */
#include <stdio.h>

#include "engine/flow.h"
#include "engine/lease.h"
#include "engine/tables.h"
#include "engine/tidy.h"
#include "types/row_conv.h"

/* That V can be T's, and T's settings under it. */
static int check_version(const struct table *t, const struct version *v, struct table_settings *settings, frz_error *err)
{
    TRY(frz__table_settings(v->meta->properties, v->meta->property_count, false, settings, err));
    frz_schema *s = frz__ice_schema(v->meta, v->meta->current_schema_id);
    if (!s) return frz__err(err, FRZ_UNSUPPORTED, "%s: its schema has nested or unknown types", t->name);
    if (s->key_count == 0) return frz__err(err, FRZ_UNSUPPORTED, "%s: its schema has no identifier fields: without a primary key there is nothing to put by", t->name);
    if (v->meta->partitioned) return frz__err(err, FRZ_UNSUPPORTED, "%s: partitioned tables are not taken up by this version", t->name);
    if (!t->db->set.read_only && !slice_eq(v->meta->location, slice_str(t->location)))
        return frz__err(err, FRZ_UNSUPPORTED, "%s: its metadata says that it is at %.*s now, and it is at %s", t->name, (int)v->meta->location.len, v->meta->location.data, t->location);
    return FRZ_OK;
}

int frz__table_take_version(struct table *t, struct version *v, frz_error *err)
{
    t->version = v;
    atomic_store(&t->format_version, v->meta->format_version);
    memcpy(t->uuid, v->meta->uuid, sizeof t->uuid);
    TRY(check_version(t, v, &t->settings, err));
    frz__flow_take_limits(t);
    frz__tidy_interval(t);
    return FRZ_OK;
}

static int build_view(struct table *t, frz_schema *s, struct mem *const *mems, size_t mem_count, uint64_t flushed, struct view **out, frz_error *err)
{
    struct vfile **files = NULL;
    struct delfile *dels = NULL;
    size_t count = 0, del_count = 0;
    struct version *v = t->version;
    TRY(frz__version_files(t, v, v->meta->current_snapshot_id, &files, &count, &dels, &del_count, err));
    int rc = frz__view_new(t->a, s, mems, mem_count, files, count, flushed, v->meta->current_snapshot_id, out, err);
    if (rc >= 0) {
        rc = frz__version_hold(t, v, v->meta->current_snapshot_id, &(*out)->hold, err);
        if (rc < 0) {
            frz__view_release(*out);
            *out = NULL;
        }
    }
    for (size_t i = 0; i < count; i++) frz__vfile_release(files[i]);
    frz__free(t->a, files);
    if (rc < 0) {
        for (size_t i = 0; i < del_count; i++) frz__delfile_clear(t->a, &dels[i]);
        frz__free(t->a, dels);
        return rc;
    }
    for (size_t i = 0; i < t->del_count; i++) frz__delfile_clear(t->a, &t->dels[i]);
    frz__free(t->a, t->dels);
    t->dels = dels;
    t->del_count = t->del_cap = del_count;
    return rc;
}

int frz__table_first_view(struct table *t, frz_error *err)
{
    struct mem *m = NULL;
    struct view *v = NULL;
    uint64_t flushed = frz__version_flushed(t->version, t->db->log_uuid_text);
    frz_schema *s = frz__ice_schema(t->version->meta, t->version->meta->current_schema_id);
    TRY(frz__table_keep_schema_locked(t, s, err));
    TRY(frz__mem_new(budget_of(t->db->budget, MEM_MEMTABLES), s, &m, err));
    mem_use(m, &t->db->spares, &t->db->reserve);
    int rc = build_view(t, s, &m, 1, flushed, &v, err);
    if (rc >= 0) {
        t->active = m;
        t->rot_seq = flushed;
        v->gen = 1;
        atomic_store(&t->view_schema, v->schema);
        atomic_store(&t->view, v);
        frz__flow_count(t);
    }
    frz__mem_release(m);
    return rc;
}

/* What a create leaves that was cut short before the first version: the directories, and hidden files in them. If there is anything else, it is somebody else's, and all stays. */
struct half_made { bool other; size_t count; char names[16][96]; };
static int on_half_made(void *ctx, const char *name, bool is_dir)
{
    struct half_made *h = (struct half_made *)ctx;
    bool known = is_dir ? strcmp(name, "metadata") == 0 || strcmp(name, "data") == 0 : strncmp(name, ".tmp-", 5) == 0;
    if (!known || h->count == FRZ_ARRAY_LEN(h->names) || strlen(name) >= sizeof h->names[0]) h->other = true;
    else snprintf(h->names[h->count++], sizeof h->names[0], "%s", name);
    return 0;
}
static int remove_half_made(struct table *t, frz_error *err)
{
    struct fs *fs = t->db->fs;
    struct half_made top = {0}, subs[2] = {{0}, {0}};
    char path[PATH_BYTES];
    TRY(frz__fs_list(fs, t->dir, on_half_made, &top, err));
    if (top.other || top.count > 2) return FRZ_OK;
    for (size_t i = 0; i < top.count; i++) {
        TRY(frz__path(path, err, "%s/%s", t->dir, top.names[i]));
        if (top.names[i][0] == '.') return FRZ_OK;
        TRY(frz__fs_list(fs, path, on_half_made, &subs[i], err));
        for (size_t k = 0; k < subs[i].count; k++) subs[i].other |= subs[i].names[k][0] != '.';
        if (subs[i].other) return FRZ_OK;
    }
    for (size_t i = 0; i < top.count; i++) {
        for (size_t k = 0; k < subs[i].count; k++) {
            TRY(frz__path(path, err, "%s/%s/%s", t->dir, top.names[i], subs[i].names[k]));
            TRY(frz__fs_unlink(fs, path, err));
        }
        TRY(frz__path(path, err, "%s/%s", t->dir, top.names[i]));
        TRY(frz__fs_rmdir(fs, path, err));
    }
    frz__log(&t->db->log, FRZ_LOG_INFO, "%s: a creation that was cut short is cleared away", t->name);
    return frz__fs_rmdir(fs, t->dir, err);
}

/* Who tells it names the table. */
static void set_broken(struct table *t, int code, const char *why)
{
    size_t n = strlen(t->name);
    if (strncmp(why, t->name, n) == 0 && strncmp(why + n, ": ", 2) == 0) why += n + 2;
    t->broken = frz__strdup(t->a, why); /* NULL where there is no memory for it: broken all the same */
    atomic_store(&t->broken_code, code);
}

/* A table that can't be loaded is kept, broken, with the reason: the others open. */
static int load_one(struct db *db, const char *name, frz_error *err)
{
    struct table *t = NULL;
    struct version *v = NULL;
    frz_error why = {0};
    int rc = frz__table_new(db, name, &t, &why);
    if (rc == FRZ_INVALID) return FRZ_OK; /* not a name of ours */
    if (rc < 0) {
        if (err) *err = why;
        return rc;
    }
    rc = frz__version_load(t, &v, &why);
    if (rc == FRZ_NOT_FOUND) { /* a directory without a metadata version is no table: a create that crashed, or something else */
        rc = db->set.read_only ? FRZ_OK : remove_half_made(t, err);
        frz__table_release(t);
        return rc < 0 ? rc : FRZ_OK;
    }
    if (rc >= 0 && !db->set.read_only && !slice_eq(v->meta->location, slice_str(t->location))) {
        rc = frz__relocate(t, &v, &why);
        if (rc < 0) frz__version_release(v);
    }
    if (rc >= 0) rc = frz__table_take_version(t, v, &why);
    if (rc == FRZ_NO_MEMORY || rc == FRZ_IO) {
        frz__table_release(t);
        if (err) *err = why;
        return rc;
    }
    if (rc < 0) set_broken(t, rc, why.message);
    rc = frz__table_list_locked(db, t, err);
    if (rc < 0) frz__table_release(t);
    return rc;
}

static int load_namespace(struct db *db, const char *ns, frz_error *err)
{
    struct buf names = BUF_INIT(db->a, 0);
    char full[PATH_BYTES];
    const char *name;
    int rc = FRZ_OK;
    CHECK(frz__names_list(db->fs, ns, true, &names, err));
    for (size_t at = 0; (name = frz__names_next(&names, &at));) {
        CHECK(frz__path(full, err, "%s.%s", ns, name));
        CHECK(load_one(db, full, err));
    }
done:
    buf_clear(&names);
    return rc;
}

/* A reader tells what it is about to read, and looks whether it was in time (lease.h (2)). FRZ_BUSY: it was not. */
static int hold_all(struct db *db, struct hold **holds, frz_error *err)
{
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        if (!table_is_broken(t)) TRY(frz__version_hold(t, t->version, t->version->meta->current_snapshot_id, &holds[i], err));
    }
    TRY(frz__lease_write(db, err));
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        bool retained = true;
        if (holds[i]) TRY(frz__version_retains(t, t->version, holds[i]->snapshot_id, &retained, err));
        if (!retained) return frz__err(err, FRZ_BUSY, "%s: snapshot %" PRId64 " expired while it was taken up", t->name, holds[i]->snapshot_id);
    }
    return FRZ_OK;
}

int frz__tables_load(struct db *db, frz_error *err)
{
    struct buf spaces = BUF_INIT(db->a, 0);
    struct hold **holds = NULL;
    size_t held = 0;
    const char *ns;
    int rc = frz__names_list(db->fs, "", true, &spaces, err);
    for (size_t at = 0; rc >= 0 && (ns = frz__names_next(&spaces, &at));) rc = load_namespace(db, ns, err);
    buf_clear(&spaces);
    if (rc >= 0 && db->lease) {
        held = db->table_count;
        holds = (struct hold **)frz__alloc_array(db->a, held + 1, sizeof *holds);
        if (holds) memset(holds, 0, held * sizeof(struct hold *));
        rc = holds ? hold_all(db, holds, err) : frz__err_no_memory(err, held * sizeof *holds);
    }
    for (size_t i = 0; rc >= 0 && i < db->table_count; i++) {
        struct table *t = db->tables[i];
        frz_error why;
        if (table_is_broken(t)) continue;
        rc = frz__table_first_view(t, &why);
        if (rc == FRZ_CORRUPT || rc == FRZ_UNSUPPORTED || rc == FRZ_NEWER_FORMAT) {
            set_broken(t, rc, why.message);
            rc = FRZ_OK;
        } else if (rc < 0 && err) *err = why;
    }
    for (size_t i = 0; holds && i < held; i++) frz__hold_release(holds[i]); /* the views have their own */
    frz__free(db->a, holds);
    return rc < 0 ? rc : FRZ_OK;
}

void frz__tables_tell_broken(struct db *db)
{
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        if (!table_is_broken(t)) continue;
        frz__log(&db->log, FRZ_LOG_ERROR, "%s: %s", t->name, t->broken ? t->broken : "can't be used");
        frz__event(db, t, FRZ_EVENT_TABLE_BROKEN, &(struct event_info){.status = atomic_load(&t->broken_code), .message = t->broken});
    }
}

/* Rows in memory and in the log are of the schemas and keys that they were written under: what somebody else changed must leave them readable. */
static int check_change(struct table *t, const struct view *now, const frz_schema *s, frz_error *err)
{
    frz_error why;
    char text[640];
    if (!frz__schema_same_key(now->schema, s))
        return frz__table_freeze(t, "another program changed the columns of its primary key, or their types: rows that are written here are found by the old one. Set the key back, or open the database again", err);
    for (size_t i = 0; i < now->mem_count; i++) {
        struct row_conv c;
        if (mem_versions(now->mems[i]) == 0) continue;
        int rc = frz__row_conv_init(&c, t->a, now->mems[i]->schema, s, ROW_WRITTEN, &why);
        frz__row_conv_clear(&c);
        if (rc == FRZ_OK) continue;
        if (rc != FRZ_INVALID) return frz__err(err, rc, "%s", why.message);
        snprintf(text, sizeof text, "another program changed its schema, and rows that are not published yet can't be read by it: %s", why.message);
        return frz__table_freeze(t, text, err);
    }
    return FRZ_OK;
}

/* FRESH's files and what it knows of them, under the memtables of today. */
static int take_files(struct table *t, const struct view *fresh, uint64_t flushed, frz_error *err)
{
    struct view *next = NULL;
    frz__mutex_lock(&t->view_mu);
    const struct view *now = atomic_load(&t->view);
    size_t keep = now->mem_count;
    while (keep > 1 && mem_versions(now->mems[keep - 1]) && now->mems[keep - 1]->seq_last <= flushed) keep--;
    uint64_t at = flushed > now->flushed_seq ? flushed : now->flushed_seq;
    int rc = frz__view_new(t->a, now->schema, now->mems, keep, fresh->files, fresh->file_count, at, fresh->snapshot_id, &next, err);
    if (rc >= 0) {
        next->hold = frz__hold_acquire(fresh->hold);
        frz__view_install_locked(t, next);
    }
    frz__mutex_unlock(&t->view_mu);
    return rc;
}

static int take_reloaded(struct table *t, struct version *v, const struct table_settings *settings, frz_schema *schema, bool changed, frz_error *err)
{
    struct version *old = t->version;
    struct view *fresh = NULL;
    t->in_doubt = true; /* until the view is there too */
    frz__expire_rebase(t, old, v);
    frz__mutex_lock(&t->commit_mu);
    t->version = v;
    frz__mutex_unlock(&t->commit_mu);
    frz__version_release(old);
    atomic_store(&t->format_version, v->meta->format_version);
    frz__table_take_settings(t, settings);
    uint64_t flushed = frz__version_flushed(t->version, t->db->log_uuid_text);
    TRY(build_view(t, schema, NULL, 0, flushed, &fresh, err));
    atomic_fetch_add(&t->reloads, 1);
    int rc = changed ? frz__rotate_schema(t, schema, fresh->files, fresh->file_count, flushed, fresh->snapshot_id, fresh->hold, err) : take_files(t, fresh, flushed, err);
    atomic_fetch_add(&t->reloads, 1);
    frz__view_release(fresh);
    if (rc >= 0) frz__flow_weigh(t);
    if (rc >= 0) t->in_doubt = false;
    return rc;
}

int frz__table_reload(struct table *t, frz_error *err)
{
    struct version *v = NULL;
    struct table_settings settings;
    char metadata[PATH_BYTES];
    TRY(frz__path(metadata, err, "%s/metadata", t->dir));
    TRY(frz__fs_sync_dir(t->db->fs, metadata, SYNC_DOUBT_DIR, err)); /* what is taken up is there to stay: the log may be recycled for it */
    int rc = frz__version_load(t, &v, err);
    if (rc == FRZ_NOT_FOUND) rc = frz__err_corrupt(err, "%s: its metadata is gone", t->name);
    TRY(rc);
    uint64_t seq;
    struct view *now = frz__view_latest(t, &seq);
    if (strcmp(v->meta->uuid, t->uuid) != 0) CHECK(frz__err(err, FRZ_CONFLICT, "%s: the table in its place has another uuid", t->name));
    rc = check_version(t, v, &settings, err);
    if (rc == FRZ_UNSUPPORTED && frz__ice_schema(v->meta, v->meta->current_schema_id) && frz__ice_schema(v->meta, v->meta->current_schema_id)->key_count == 0)
        rc = frz__table_freeze(t, "another program took its primary key away", err);
    CHECK(rc);
    frz_schema *s = frz__ice_schema(v->meta, v->meta->current_schema_id);
    bool changed = s->schema_id != now->schema->schema_id || !frz__schema_same(s, now->schema);
    if (changed) CHECK(check_change(t, now, s, err));
    else s = now->schema;
    bool moved = v->meta->current_snapshot_id != t->version->meta->current_snapshot_id, doubt = t->in_doubt;
    rc = take_reloaded(t, v, &settings, s, changed, err);
    v = NULL;
    if (rc >= 0 && changed) frz__event(t->db, t, FRZ_EVENT_TABLE_ALTERED, &(struct event_info){.reason = "schema", .message = "by another program"});
    if (rc >= 0 && moved) frz__event(t->db, t, FRZ_EVENT_FOREIGN_COMMIT, &(struct event_info){.reason = doubt ? "in-doubt" : "foreign"});
done:
    frz__view_release(now);
    frz__version_release(v);
    return rc;
}

/* What an earlier process had renamed or linked and not synced before it died is made to stay, before anything is built on it: the log is recycled for what is published, files go for what is dropped. */
int frz__tables_settle(struct db *db, frz_error *err)
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        if (!t->version) continue;
        TRY(frz__path(path, err, "%s/metadata", t->dir));
        TRY(frz__fs_sync_dir(db->fs, path, SYNC_SETTLE_METADATA, err));
    }
    struct buf spaces = BUF_INIT(db->a, 0);
    const char *ns;
    int rc = frz__names_list(db->fs, "", true, &spaces, err);
    for (size_t at = 0; rc >= 0 && (ns = frz__names_next(&spaces, &at));) rc = frz__fs_sync_dir(db->fs, ns, SYNC_SETTLE_NAMESPACE, err);
    buf_clear(&spaces);
    return rc < 0 ? rc : frz__fs_sync_dir(db->fs, "", SYNC_ROOT_DIR, err);
}
