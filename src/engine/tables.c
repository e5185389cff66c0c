/* tables.c — names, and tables coming and going: load, create, drop, reload. */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "engine/db.h"

#define NAME_BYTES_MAX 200

int frz__table_name_check(const char *name, char **full, char **dir, const allocator *a, frz_error *err)
{
    size_t n = name ? strlen(name) : 0, dots = 0;
    if (n == 0 || n > NAME_BYTES_MAX) return frz__err(err, FRZ_INVALID, "a table name of %zu bytes: expected 1 to %d", n, NAME_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name[i];
        bool edge = i == 0 || name[i - 1] == '.';
        if (c == '.' && !edge && i + 1 < n) dots++;
        else if (!isalnum(c) && c != '_' && (c != '-' || edge))
            return frz__err(err, FRZ_INVALID, "table name \"%s\": expected `table` or `namespace.table` of letters, digits, `_` and `-`, found \"%c\" at %zu", name, c, i);
    }
    if (dots > 1) return frz__err(err, FRZ_INVALID, "table name \"%s\": one namespace at most", name);
    size_t bytes = n + 8;
    *full = (char *)frz__alloc(a, bytes);
    *dir = (char *)frz__alloc(a, bytes);
    if (!*full || !*dir) {
        frz__free(a, *full);
        frz__free(a, *dir);
        *full = *dir = NULL;
        return frz__err_no_memory(err, bytes);
    }
    snprintf(*full, bytes, "%s%s", dots ? "" : "main.", name);
    snprintf(*dir, bytes, "%s", *full);
    *strchr(*dir, '.') = '/';
    return FRZ_OK;
}

/* ── life ── */

struct table *frz__table_acquire(struct table *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void frz__table_release(struct table *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    const allocator *a = t->a;
    frz__view_release(atomic_load(&t->view));
    frz__version_release(t->version);
    for (size_t i = 0; i < t->del_count; i++) frz__delfile_clear(a, &t->dels[i]);
    for (size_t i = 0; i < t->pending_count; i++) frz__free(a, t->pending[i].path);
    frz__free(a, t->dels);
    frz__free(a, t->pending);
    frz__mutex_clear(&t->flush_mu);
    frz__mutex_clear(&t->commit_mu);
    frz__mutex_clear(&t->view_mu);
    frz__cond_clear(&t->room);
    frz__free(a, t->name);
    frz__free(a, t->dir);
    frz__free(a, t->location);
    frz__free(a, t->broken);
    frz__free(a, t);
}

static int table_new(struct db *db, const char *name, struct table **out, frz_error *err)
{
    struct table *t = NULL;
    TRY(ALLOC_NEW(&t, db->a, struct table, err));
    t->db = db;
    t->a = db->a;
    atomic_store(&t->refs, 1);
    frz__mutex_init(&t->flush_mu, RANK_TABLE_FLUSH, "table.flush");
    frz__mutex_init(&t->commit_mu, RANK_TABLE_COMMIT, "table.commit");
    frz__mutex_init(&t->view_mu, RANK_VIEW, "table.view");
    frz__cond_init(&t->room);
    int rc = frz__table_name_check(name, &t->name, &t->dir, t->a, err);
    if (rc >= 0) {
        size_t n = strlen(db->root_uri) + strlen(t->dir) + 2;
        t->location = (char *)frz__alloc(t->a, n);
        if (!t->location) rc = frz__err_no_memory(err, n);
        else snprintf(t->location, n, "%s/%s", db->root_uri, t->dir);
    }
    if (rc < 0) {
        frz__table_release(t);
        return rc;
    }
    *out = t;
    return FRZ_OK;
}

frz_schema *frz__table_schema(struct table *t)
{
    uint64_t seq;
    struct view *v = frz__view_latest(t, &seq);
    frz_schema *s = frz__schema_acquire(v->schema);
    frz__view_release(v);
    return s;
}

int frz__table_usable(struct table *t, bool write, frz_error *err)
{
    if (atomic_load(&t->dropped)) return frz__err(err, FRZ_NOT_FOUND, "table %s was dropped", t->name);
    if (t->broken) return frz__err(err, t->broken_code, "table %s can't be used: %s", t->name, t->broken);
    if (write && t->db->set.read_only) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only", t->db->root);
    return FRZ_OK;
}

void frz__table_wal_line(struct table *t, const struct version *v, uint64_t low_water, struct wal_table *out)
{
    slice schema = slice_of("{}", 2);
    for (size_t i = 0; i < v->meta->schema_count; i++)
        if (v->meta->schema_ids[i] == v->meta->current_schema_id) schema = v->meta->schema_json[i];
    *out = (struct wal_table){.table_no = t->table_no, .name = slice_str(t->name), .schema_id = v->meta->current_schema_id, .schema_json = schema, .low_water = low_water};
    (void)frz__uuid_parse(t->uuid, 36, out->uuid);
}

/* ── load ── */

/* T takes V: what follows from its metadata. */
static int take_version(struct table *t, struct version *v, frz_error *err)
{
    t->version = v;
    t->format_version = v->meta->format_version;
    memcpy(t->uuid, v->meta->uuid, sizeof t->uuid);
    TRY(frz__table_settings(v->meta->properties, v->meta->property_count, false, &t->settings, err));
    frz_schema *s = frz__ice_schema(v->meta, v->meta->current_schema_id);
    if (!s) return frz__err(err, FRZ_UNSUPPORTED, "%s: its schema has nested or unknown types", t->name);
    if (s->key_count == 0) return frz__err(err, FRZ_UNSUPPORTED, "%s: its schema has no identifier fields: without a primary key there is nothing to put by", t->name);
    if (v->meta->partitioned) return frz__err(err, FRZ_UNSUPPORTED, "%s: partitioned tables are not taken up by this version", t->name);
    if (!t->db->set.read_only && !slice_eq(v->meta->location, slice_str(t->location)))
        return frz__err(err, FRZ_UNSUPPORTED, "%s: its metadata says that it is at %.*s, and it is at %s: a moved table can be read only (open with read_only)", t->name, (int)v->meta->location.len,
                        v->meta->location.data, t->location);
    return FRZ_OK;
}

static int build_view(struct table *t, struct mem *const *mems, size_t mem_count, uint64_t flushed, struct view **out, frz_error *err)
{
    struct vfile **files = NULL;
    struct delfile *dels = NULL;
    size_t count = 0, del_count = 0;
    struct version *v = t->version;
    frz_schema *s = frz__ice_schema(v->meta, v->meta->current_schema_id);
    TRY(frz__version_files(t, v, v->meta->current_snapshot_id, &files, &count, &dels, &del_count, err));
    int rc = frz__view_new(t->a, s, mems, mem_count, files, count, flushed, v->meta->current_snapshot_id, out, err);
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

/* The first view of a table: its files, and an empty memtable. */
static int first_view(struct table *t, frz_error *err)
{
    struct mem *m = NULL;
    struct view *v = NULL;
    uint64_t flushed = frz__version_flushed(t->version, t->db->log_uuid_text);
    TRY(frz__mem_new(t->a, frz__ice_schema(t->version->meta, t->version->meta->current_schema_id), &m, err));
    int rc = build_view(t, &m, 1, flushed, &v, err);
    if (rc >= 0) {
        t->active = m;
        t->rot_seq = flushed;
        v->gen = 1;
        atomic_store(&t->view_schema, v->schema);
        atomic_store(&t->view, v);
    }
    frz__mem_release(m);
    return rc;
}

static int add_to_db_locked(struct db *db, struct table *t, frz_error *err)
{
    TRY(frz__grow(db->a, (void **)&db->tables, db->table_count, &db->table_cap, sizeof *db->tables, err));
    size_t i = db->table_count++;
    for (; i > 0 && strcmp(db->tables[i - 1]->name, t->name) > 0; i--) db->tables[i] = db->tables[i - 1];
    db->tables[i] = t;
    t->table_no = db->next_table_no++;
    return FRZ_OK;
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
    char path[NAME_BYTES_MAX + 256];
    TRY(frz__fs_list(fs, t->dir, on_half_made, &top, err));
    if (top.other || top.count > 2) return FRZ_OK;
    for (size_t i = 0; i < top.count; i++) {
        snprintf(path, sizeof path, "%s/%s", t->dir, top.names[i]);
        if (top.names[i][0] == '.') return FRZ_OK;
        TRY(frz__fs_list(fs, path, on_half_made, &subs[i], err));
        for (size_t k = 0; k < subs[i].count; k++) subs[i].other |= subs[i].names[k][0] != '.';
        if (subs[i].other) return FRZ_OK;
    }
    for (size_t i = 0; i < top.count; i++) {
        for (size_t k = 0; k < subs[i].count; k++) {
            snprintf(path, sizeof path, "%s/%s/%s", t->dir, top.names[i], subs[i].names[k]);
            TRY(frz__fs_unlink(fs, path, err));
        }
        snprintf(path, sizeof path, "%s/%s", t->dir, top.names[i]);
        TRY(frz__fs_rmdir(fs, path, err));
    }
    frz__log(&t->db->log, FRZ_LOG_INFO, "%s: a creation that was cut short is cleared away", t->name);
    return frz__fs_rmdir(fs, t->dir, err);
}

/* A table that can't be loaded is kept, broken, with the reason: the others open. */
static int load_one(struct db *db, const char *name, frz_error *err)
{
    struct table *t = NULL;
    struct version *v = NULL;
    frz_error why = {0};
    TRY(table_new(db, name, &t, err));
    int rc = frz__version_load(t, &v, &why);
    if (rc == FRZ_NOT_FOUND) { /* a directory without a metadata version is no table: a create that crashed, or something else */
        rc = db->set.read_only ? FRZ_OK : remove_half_made(t, err);
        frz__table_release(t);
        return rc < 0 ? rc : FRZ_OK;
    }
    if (rc >= 0) rc = take_version(t, v, &why);
    if (rc == FRZ_NO_MEMORY || rc == FRZ_IO) {
        frz__table_release(t);
        if (err) *err = why;
        return rc;
    }
    if (rc < 0) {
        t->broken = frz__strdup(t->a, why.message);
        t->broken_code = rc;
        frz__log(&db->log, FRZ_LOG_ERROR, "%s", why.message);
    }
    rc = add_to_db_locked(db, t, err);
    if (rc < 0) frz__table_release(t);
    return rc;
}

struct listing { struct db *db; const char *ns; char **names; size_t count, cap; frz_error *err; int rc; };
static int on_name(void *ctx, const char *name, bool is_dir)
{
    struct listing *l = (struct listing *)ctx;
    if (!is_dir || name[0] == '.') return 0;
    l->rc = frz__grow(l->db->a, (void **)&l->names, l->count, &l->cap, sizeof *l->names, l->err);
    if (l->rc < 0) return l->rc;
    size_t n = strlen(name) + (l->ns ? strlen(l->ns) : 0) + 2;
    char *p = (char *)frz__alloc(l->db->a, n);
    if (!p) return l->rc = frz__err_no_memory(l->err, n);
    snprintf(p, n, "%s%s%s", l->ns ? l->ns : "", l->ns ? "." : "", name);
    l->names[l->count++] = p;
    return 0;
}
static void clear_listing(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++) frz__free(l->db->a, l->names[i]);
    frz__free(l->db->a, l->names);
}

int frz__tables_load(struct db *db, frz_error *err)
{
    struct listing spaces = {.db = db, .err = err};
    int rc = frz__fs_list(db->fs, "", on_name, &spaces, err);
    for (size_t i = 0; rc >= 0 && i < spaces.count; i++) {
        struct listing tables = {.db = db, .err = err, .ns = spaces.names[i]};
        rc = frz__fs_list(db->fs, spaces.names[i], on_name, &tables, err);
        for (size_t k = 0; rc >= 0 && k < tables.count; k++) {
            frz_error ignored;
            char *full = NULL, *dir = NULL;
            rc = frz__table_name_check(tables.names[k], &full, &dir, db->a, &ignored);
            if (rc == FRZ_INVALID) { /* not a name of ours */
                rc = FRZ_OK;
                continue;
            }
            if (rc < 0) {
                if (err) *err = ignored;
                break;
            }
            rc = load_one(db, tables.names[k], err);
            frz__free(db->a, full);
            frz__free(db->a, dir);
        }
        clear_listing(&tables);
    }
    clear_listing(&spaces);
    for (size_t i = 0; rc >= 0 && i < db->table_count; i++) {
        struct table *t = db->tables[i];
        frz_error why;
        if (t->broken) continue;
        rc = first_view(t, &why);
        if (rc == FRZ_CORRUPT || rc == FRZ_UNSUPPORTED || rc == FRZ_NEWER_FORMAT) {
            t->broken = frz__strdup(t->a, why.message);
            t->broken_code = rc;
            frz__log(&db->log, FRZ_LOG_ERROR, "%s", why.message);
            rc = FRZ_OK;
        } else if (rc < 0 && err) *err = why;
    }
    return rc < 0 ? rc : FRZ_OK;
}

int frz__table_find(struct db *db, const char *name, struct table **out, frz_error *err)
{
    char *full = NULL, *dir = NULL;
    TRY(frz__table_name_check(name, &full, &dir, db->a, err));
    int rc = FRZ_NOT_FOUND;
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count && rc != FRZ_OK; i++) {
        if (strcmp(db->tables[i]->name, full) != 0) continue;
        *out = frz__table_acquire(db->tables[i]);
        rc = FRZ_OK;
    }
    frz__mutex_unlock(&db->tables_mu);
    if (rc != FRZ_OK) (void)frz__err(err, FRZ_NOT_FOUND, "there is no table %s in %s", full, db->root);
    frz__free(db->a, full);
    frz__free(db->a, dir);
    return rc;
}

int frz__table_reload(struct table *t, frz_error *err)
{
    struct version *v = NULL, *old = t->version;
    struct view *fresh = NULL;
    char metadata[NAME_BYTES_MAX + 32];
    snprintf(metadata, sizeof metadata, "%s/metadata", t->dir);
    TRY(frz__fs_sync_dir(t->db->fs, metadata, err)); /* what is taken up is there to stay: the log may be recycled for it */
    int rc = frz__version_load(t, &v, err);
    if (rc == FRZ_NOT_FOUND) rc = frz__err_corrupt(err, "%s: its metadata is gone", t->name);
    TRY(rc);
    if (strcmp(v->meta->uuid, t->uuid) != 0) {
        frz__version_release(v);
        return frz__err(err, FRZ_CONFLICT, "%s: the table in its place has another uuid", t->name);
    }
    frz__mutex_lock(&t->commit_mu);
    rc = take_version(t, v, err);
    if (rc < 0) t->version = old;
    frz__mutex_unlock(&t->commit_mu);
    frz__version_release(rc < 0 ? v : old);
    if (rc < 0) return rc;
    uint64_t flushed = frz__version_flushed(t->version, t->db->log_uuid_text);
    rc = build_view(t, NULL, 0, flushed, &fresh, err);
    if (rc < 0) return rc;
    frz__mutex_lock(&t->view_mu);
    const struct view *now = atomic_load(&t->view);
    size_t keep = now->mem_count;
    while (keep > 1 && mem_versions(now->mems[keep - 1]) && now->mems[keep - 1]->seq_last <= flushed) keep--;
    struct view *next = NULL;
    uint64_t at = flushed > now->flushed_seq ? flushed : now->flushed_seq;
    rc = frz__view_new(t->a, fresh->schema, now->mems, keep, fresh->files, fresh->file_count, at, fresh->snapshot_id, &next, err);
    if (rc >= 0) frz__view_install_locked(t, next);
    frz__mutex_unlock(&t->view_mu);
    frz__view_release(fresh);
    if (rc >= 0) t->in_doubt = false;
    return rc;
}

/* ── out of the list, and out of the way ── */

static void take_from_list_locked(struct db *db, struct table *t)
{
    for (size_t i = 0; i < db->table_count; i++) {
        if (db->tables[i] != t) continue;
        memmove(&db->tables[i], &db->tables[i + 1], (db->table_count - i - 1) * sizeof *db->tables);
        db->table_count--;
        break;
    }
}
/* With the list's count. */
static void take_from_list(struct db *db, struct table *t)
{
    frz__mutex_lock(&db->tables_mu);
    take_from_list_locked(db, t);
    frz__mutex_unlock(&db->tables_mu);
}

int frz__table_to_trash(struct table *t, frz_error *err)
{
    struct db *db = t->db;
    char trash[128], ns[NAME_BYTES_MAX + 8], token[64];
    frz__db_token(db, 0, token);
    snprintf(trash, sizeof trash, ".frazil/trash/%s", token);
    snprintf(ns, sizeof ns, "%s", t->dir);
    *strchr(ns, '/') = 0;
    TRY(frz__fs_mkdir(db->fs, ".frazil/trash", err));
    TRY(frz__fs_rename(db->fs, t->dir, trash, err));
    return frz__fs_sync_dir(db->fs, ns, err);
}

/* ── create ── */

static int collect_properties(const frz_table_options *o, struct ice_kv *kv, frz_error *err)
{
    if (o->property_count && (!o->property_keys || !o->property_values)) return frz__err(err, FRZ_INVALID, "%zu properties, and no keys or no values", o->property_count);
    for (size_t i = 0; i < o->property_count; i++) {
        if (!o->property_keys[i] || !o->property_values[i]) return frz__err(err, FRZ_INVALID, "property %zu has no key or no value", i);
        kv[i] = (struct ice_kv){slice_str(o->property_keys[i]), slice_str(o->property_values[i])};
        static const char *const reserved[] = {"format-version", "uuid", "snapshot-count", "current-snapshot-id", "current-snapshot-summary", "current-snapshot-timestamp-ms", "current-schema",
                                               "default-partition-spec", "default-sort-order", "frazil.flushed"};
        for (size_t k = 0; k < FRZ_ARRAY_LEN(reserved); k++)
            if (strcmp(reserved[k], o->property_keys[i]) == 0) return frz__err(err, FRZ_INVALID, "property %s is reserved", reserved[k]);
        for (size_t k = 0; k < i; k++)
            if (slice_eq(kv[k].key, kv[i].key)) return frz__err(err, FRZ_INVALID, "property %s is given twice", o->property_keys[i]);
    }
    return FRZ_OK;
}

static int make_dirs(struct table *t, frz_error *err)
{
    struct fs *fs = t->db->fs;
    char path[NAME_BYTES_MAX + 32], ns[NAME_BYTES_MAX + 8];
    snprintf(ns, sizeof ns, "%s", t->dir);
    *strchr(ns, '/') = 0;
    TRY(frz__fs_mkdir(fs, ns, err));
    TRY(frz__fs_mkdir(fs, t->dir, err));
    static const char *const subs[] = {"metadata", "data"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", t->dir, subs[i]);
        TRY(frz__fs_mkdir(fs, path, err));
    }
    TRY(frz__fs_sync_dir(fs, t->dir, err));
    TRY(frz__fs_sync_dir(fs, ns, err));
    return frz__fs_sync_dir(fs, "", err);
}

/* *MADE: there may be something of it on disk that is ours. */
static int write_first(struct table *t, const frz_schema *schema, const frz_table_options *o, bool *made, struct version **out, frz_error *err)
{
    struct db *db = t->db;
    struct version *v = NULL;
    struct ice_result res = {0};
    struct ice_kv *kv = NULL;
    uint8_t uuid[16];
    char text[37], temp[NAME_BYTES_MAX + 128], name[NAME_BYTES_MAX + 64], token[64];
    struct table_settings checked;
    int rc = FRZ_OK;
    CHECK(frz__schema_check_format(schema, o->format_version, err));
    kv = (struct ice_kv *)frz__alloc_array(db->a, o->property_count + 1, sizeof *kv);
    CHECK(kv ? FRZ_OK : frz__err_no_memory(err, o->property_count * sizeof *kv));
    CHECK(collect_properties(o, kv, err));
    CHECK(frz__table_settings(kv, o->property_count, true, &checked, err));
    CHECK(frz__random_uuid(uuid, err));
    frz__uuid_format(uuid, text);
    CHECK(ALLOC_NEW(&v, db->a, struct version, err));
    v->a = db->a;
    v->ar = ARENA_INIT(db->a);
    atomic_store(&v->refs, 1);
    CHECK(frz__ice_create(db->a, &v->ar, schema, o->format_version, slice_str(t->location), kv, o->property_count, frz__clock_wall_us() / 1000, text, &res, err));
    v->meta = res.meta;
    v->number = 1;
    CHECK(make_dirs(t, err));
    frz__db_token(db, 1, token);
    snprintf(temp, sizeof temp, "%s/metadata/.tmp-%s", t->dir, token);
    snprintf(name, sizeof name, "%s/metadata/v1.metadata.json", t->dir);
    *made = true;
    rc = frz__durable_publish_new(db->fs, temp, name, res.metadata_json, NULL, err);
    if (rc == FRZ_EXISTS) {
        *made = false;
        (void)frz__err(err, rc, "there is a table %s already, made since the database was opened, by another program or by a call that failed: open the database again to use it", t->name);
    }
    if (rc != FRZ_OK) goto done;
    snprintf(temp, sizeof temp, "%s/metadata/.tmp-version-hint", t->dir);
    snprintf(name, sizeof name, "%s/metadata/version-hint.text", t->dir);
    CHECK(frz__durable_replace(db->fs, temp, name, slice_str("1"), true, err));
    *out = v;
    v = NULL;
done:
    frz__free(db->a, kv);
    frz__version_release(v);
    return rc;
}

/* FRZ_EXISTS if the name is taken; one whose table only remains to be removed is cleared. tables_mu held. */
static int clear_name_locked(struct db *db, const char *name, frz_error *err)
{
    struct table *t = NULL;
    bool there = false;
    for (size_t i = 0; i < db->table_count && !t; i++)
        if (strcmp(db->tables[i]->name, name) == 0) t = db->tables[i];
    if (!t) return FRZ_OK;
    if (!atomic_load(&t->dropped) || !t->drop_logged) return frz__err(err, FRZ_EXISTS, "there is a table %s already", name);
    TRY(frz__fs_exists(db->fs, t->dir, &there, err));
    if (there) TRY(frz__table_to_trash(t, err));
    t->gone = true;
    take_from_list_locked(db, t);
    frz__table_release(t);
    return FRZ_OK;
}

/* Names that differ in case only are one to engines that fold it. */
static int check_case_locked(const struct db *db, const char *name, frz_error *err)
{
    size_t ns = strcspn(name, ".");
    for (size_t i = 0; i < db->table_count; i++) {
        const char *other = db->tables[i]->name;
        if (strcasecmp(other, name) == 0) return frz__err(err, FRZ_INVALID, "table name %s: there is %s, which differs in case only", name, other);
        if (strcspn(other, ".") == ns && strncasecmp(other, name, ns) == 0 && strncmp(other, name, ns) != 0)
            return frz__err(err, FRZ_INVALID, "table name %s: there is a namespace %.*s, which differs in case only", name, (int)ns, other);
    }
    return FRZ_OK;
}

int frz__table_create(struct db *db, const char *name, frz_schema *schema, const frz_table_options *given, struct table **out, frz_error *err)
{
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    struct table *t = NULL;
    struct version *v = NULL;
    if (given) {
        if (given->struct_size < sizeof(uint32_t) || given->struct_size > 4096) return frz__err(err, FRZ_INVALID, "frz_table_options.struct_size = %u: use FRZ_TABLE_OPTIONS_INIT", given->struct_size);
        memcpy(&o, given, given->struct_size < sizeof o ? given->struct_size : sizeof o);
    }
    if (!o.format_version) o.format_version = 2;
    if (o.format_version != 2 && o.format_version != 3) return frz__err(err, FRZ_INVALID, "format version %d: expected 2 or 3", o.format_version);
    if (db->set.read_only) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only", db->root);
    TRY(frz__schema_seal(schema, true, err));
    TRY(table_new(db, name, &t, err));
    frz__mutex_lock(&db->tables_mu);
    int rc = FRZ_OK;
    bool made = false, listed = false;
    rc = clear_name_locked(db, t->name, err);
    if (rc == FRZ_OK) rc = check_case_locked(db, t->name, err);
    if (rc == FRZ_OK) rc = write_first(t, schema, &o, &made, &v, err);
    if (rc == FRZ_OK) rc = take_version(t, v, err);
    if (rc == FRZ_OK) rc = first_view(t, err);
    atomic_store(&t->dropped, true); /* in the list, and of no use to anybody until the log knows its number */
    if (rc == FRZ_OK) rc = add_to_db_locked(db, t, err);
    listed = rc == FRZ_OK;
    frz__mutex_unlock(&db->tables_mu);
    if (rc == FRZ_OK) rc = frz__log_table(db, t, err);
    if (rc == FRZ_OK) {
        atomic_store(&t->dropped, false);
        if (out) *out = frz__table_acquire(t);
        return rc;
    }
    frz_error later;
    if (made && frz__table_to_trash(t, &later) < 0) { /* the name stays taken until it can be */
        frz__log(&db->log, FRZ_LOG_ERROR, "%s: its creation failed, and what there is of it can't be removed: %s", t->name, later.message);
        t->drop_logged = true;
        frz__mutex_lock(&db->tables_mu);
        if (!listed) listed = add_to_db_locked(db, t, &later) == FRZ_OK;
        frz__mutex_unlock(&db->tables_mu);
        if (listed) return rc;
    } else if (listed) {
        take_from_list(db, t);
    }
    frz__table_release(t);
    return rc;
}

/* ── properties ── */

int frz__table_set_property(struct table *t, const char *key, const char *value, frz_error *err)
{
    struct ice_kv kv = {slice_str(key), value ? slice_str(value) : (slice){0}};
    struct commit_request r = {.edit = {.no_snapshot = true, .set = &kv, .set_count = 1}};
    const char *values[1] = {value ? value : ""};
    const frz_table_options as = {.struct_size = sizeof as, .property_keys = &key, .property_values = values, .property_count = 1};
    struct ice_kv checked;
    struct table_settings settings;
    TRY(collect_properties(&as, &checked, err));
    if (value) TRY(frz__table_settings(&kv, 1, true, &settings, err));
    frz__mutex_lock(&t->flush_mu);
    int rc = frz__table_usable(t, true, err); /* it may have been dropped meanwhile, and another be in its place */
    for (int tries = 0; rc == FRZ_OK && tries < 5; tries++) {
        rc = t->in_doubt ? frz__table_reload(t, err) : FRZ_OK;
        if (rc >= 0) rc = frz__commit(t, &r, err);
        if (rc != FRZ_CONFLICT) break;
        t->in_doubt = true; /* somebody else committed */
    }
    if (rc == FRZ_OK) rc = frz__table_settings(t->version->meta->properties, t->version->meta->property_count, false, &settings, err);
    if (rc == FRZ_OK) {
        frz__mutex_lock(&t->view_mu); /* read under this one, or under flush_mu */
        t->settings = settings;
        frz__mutex_unlock(&t->view_mu);
    }
    frz__mutex_unlock(&t->flush_mu);
    return rc;
}

/* ── drop ── */

static int remove_tree(struct db *db, const char *dir, frz_error *err)
{
    struct listing l = {.db = db, .err = err};
    static const char *const subs[] = {"metadata", "data", ""};
    (void)l;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(subs); i++) {
        char path[NAME_BYTES_MAX + 128];
        snprintf(path, sizeof path, "%s%s%s", dir, *subs[i] ? "/" : "", subs[i]);
        struct buf names = BUF_INIT(db->a, 0);
        int rc = frz__fs_list(db->fs, path, frz__collect_file_names, &names, err);
        for (size_t at = 0; rc >= 0 && at < names.len; at += strlen((char *)names.data + at) + 1) {
            char file[NAME_BYTES_MAX + 512];
            snprintf(file, sizeof file, "%s/%s", path, (char *)names.data + at);
            rc = frz__fs_unlink(db->fs, file, err);
        }
        buf_clear(&names);
        if (rc == FRZ_NOT_FOUND) continue;
        if (rc < 0) return rc;
        rc = frz__fs_rmdir(db->fs, path, err);
        if (rc < 0) return rc;
    }
    return FRZ_OK;
}

int frz__collect_file_names(void *ctx, const char *name, bool is_dir)
{
    return is_dir ? 0 : buf_append((struct buf *)ctx, name, strlen(name) + 1, NULL);
}

/* What an earlier process had renamed or linked and not synced before it died is made to stay, before anything is built on it: the log is recycled for what is published, files go for what is dropped. */
int frz__tables_settle(struct db *db, frz_error *err)
{
    char path[NAME_BYTES_MAX + 32];
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        if (!t->version) continue;
        snprintf(path, sizeof path, "%s/metadata", t->dir);
        TRY(frz__fs_sync_dir(db->fs, path, err));
    }
    struct listing spaces = {.db = db, .err = err};
    int rc = frz__fs_list(db->fs, "", on_name, &spaces, err);
    for (size_t i = 0; rc >= 0 && i < spaces.count; i++) rc = frz__fs_sync_dir(db->fs, spaces.names[i], err);
    clear_listing(&spaces);
    return rc < 0 ? rc : frz__fs_sync_dir(db->fs, "", err);
}

int frz__trash_empty(struct db *db, frz_error *err)
{
    struct listing l = {.db = db, .err = err};
    int rc = frz__fs_list(db->fs, ".frazil/trash", on_name, &l, err);
    if (rc == FRZ_NOT_FOUND) rc = FRZ_OK;
    for (size_t i = 0; rc >= 0 && i < l.count; i++) {
        char path[128];
        snprintf(path, sizeof path, ".frazil/trash/%s", l.names[i]);
        rc = remove_tree(db, path, err);
    }
    clear_listing(&l);
    return rc < 0 ? rc : FRZ_OK;
}

/* The log first, then the name, then the files: a crash between leaves the table whole, or trash (hazards 24). Once the log has it there is no way back: a later failure leaves the table unusable, to be
 * removed by the next call or the next open. */
int frz__table_drop(struct db *db, const char *name, frz_error *err)
{
    struct table *t = NULL;
    bool there = false;
    if (db->set.read_only) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only", db->root);
    int rc = frz__table_find(db, name, &t, err);
    if (rc != FRZ_OK) return rc;
    frz__mutex_lock(&t->flush_mu);
    if (t->gone || (atomic_exchange(&t->dropped, true) && !t->drop_logged)) { /* another call dropped it, and another table may be in its place; or it is just being created */
        rc = frz__err(err, FRZ_NOT_FOUND, "there is no table %s in %s", t->name, db->root);
        goto done;
    }
    frz__mutex_lock(&t->view_mu);
    frz__cond_broadcast(&t->room);
    frz__mutex_unlock(&t->view_mu);
    rc = frz__log_drop(db, t, err);
    if (!t->drop_logged) atomic_store(&t->dropped, false);
    if (rc < 0) goto done;
    CHECK(frz__fs_exists(db->fs, t->dir, &there, err));
    if (there) CHECK(frz__table_to_trash(t, err));
    t->gone = true;
    frz__mutex_unlock(&t->flush_mu);
    take_from_list(db, t);
    frz_error later;
    if (frz__trash_empty(db, &later) < 0) frz__log(&db->log, FRZ_LOG_WARN, "%s is dropped; its files stay in .frazil/trash: %s", t->name, later.message);
    frz__table_release(t); /* the list's */
    frz__table_release(t);
    return FRZ_OK;
done:
    frz__mutex_unlock(&t->flush_mu);
    if (t->drop_logged && rc < 0) frz__err_context(err, "%s is dropped, but not removed yet: drop it again, or open the database again", t->name);
    frz__table_release(t);
    return rc;
}
