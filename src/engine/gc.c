#include "engine/gc.h"

#include <stdio.h>

#include "engine/lease.h"
#include "engine/mark.h"
#include "engine/paths.h"
#include "engine/sweep.h"

void frz__gc_list_clear(struct gc_list *l)
{
    for (size_t i = 0; i < l->count; i++) frz__free(l->a, l->at[i].path);
    frz__free(l->a, l->at);
    *l = GC_LIST_INIT(l->a);
}

int frz__gc_add(struct gc_list *l, const char *path, int32_t why, int32_t kept, uint64_t bytes, int64_t due_ms, frz_error *err)
{
    TRY(frz__grow(l->a, (void **)&l->at, l->count, &l->cap, sizeof *l->at, err));
    char *copy = frz__strdup(l->a, path);
    if (!copy) return frz__err_no_memory(err, strlen(path));
    l->at[l->count++] = (struct gc_item){.path = copy, .why = why, .kept = kept, .bytes = bytes, .due_ms = due_ms};
    return FRZ_OK;
}

/* Whether it is gone now, by us or by the clock. */
static bool remove_item(struct db *db, struct gc_item *i)
{
    frz_error why;
    if (atomic_load(&db->backups)) return false; /* one links files by their names; the next time */
    FAILPOINT_VOID("gc.unlink");
    int rc = frz__fs_unlink(db->fs, i->path, &why);
    i->removed = rc == FRZ_OK;
    if (rc < 0) frz__log(&db->log, FRZ_LOG_WARN, "%s stays: %s", i->path, why.message);
    return rc >= 0;
}

/* ── what a name is ── */

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}

int32_t frz__gc_kind(const struct version *v, const char *name, bool metadata)
{
    static const char *const data_ends[] = {".parquet", ".orc", ".avro", ".puffin"}, *const metadata_ends[] = {".avro", ".puffin", ".stats", ".metadata.json"};
    struct own_name own;
    if (strncmp(name, ".tmp-", 5) == 0) return FRZ_GC_TEMPORARY;
    if (name[0] == '.') return 0;
    if (frz__own_name(name, &own)) return own.version > v->number ? FRZ_GC_ORPHAN : FRZ_GC_EXPIRED;
    if (metadata && frz__metadata_is_old(v, name)) return FRZ_GC_OLD_METADATA;
    if (metadata && frz__metadata_number(name) >= 0) return 0;
    for (size_t i = 0; i < 4; i++)
        if (ends_in(name, metadata ? metadata_ends[i] : data_ends[i])) {
            size_t digits = strspn(name, "0123456789");
            bool version = ends_in(name, ".metadata.json") && digits && digits < 8 && name[digits] == '-'; /* 00012-<uuid>: another catalog's */
            return version ? 0 : FRZ_GC_FOREIGN_ORPHAN;
        }
    return 0;
}

/* ── the mark, beside flushes ── */

struct found { char *path; const char *name; int32_t kind; struct fs_stat st; };
struct gc {
    struct table *t;
    struct version *v;
    struct hold **holds; /* of each of its snapshots */
    size_t hold_count;
    struct marks needed, others; /* of V; of every metadata file, if there is anything of others */
    struct found *found;
    size_t found_count, found_cap;
    bool any_foreign;
    struct leases leases;
};

static int hold_all(struct gc *g, frz_error *err)
{
    const struct ice_meta *m = g->v->meta;
    g->holds = (struct hold **)frz__alloc_array(g->t->a, m->snapshot_count + 1, sizeof *g->holds);
    if (!g->holds) return frz__err_no_memory(err, m->snapshot_count * sizeof *g->holds);
    for (size_t i = 0; i < m->snapshot_count; i++) {
        TRY(frz__version_hold(g->t, g->v, m->snapshots[i].id, &g->holds[g->hold_count], err));
        g->hold_count++;
    }
    return frz__lease_write(g->t->db, err);
}

static int look_at_folder(struct gc *g, const char *sub, frz_error *err)
{
    struct table *t = g->t;
    struct buf names = BUF_INIT(t->a, 0);
    char dir[PATH_BYTES], path[PATH_BYTES];
    const char *name;
    int rc = frz__path(dir, err, "%s/%s", t->dir, sub);
    if (rc >= 0) rc = frz__names_list(t->db->fs, dir, false, &names, err);
    for (size_t at = 0; rc >= 0 && (name = frz__names_next(&names, &at));) {
        int32_t kind = frz__gc_kind(g->v, name, strcmp(sub, "metadata") == 0);
        if (!kind || frz__marks_has(&g->needed, name)) continue;
        struct found f = {.kind = kind};
        rc = frz__path(path, err, "%s/%s", dir, name);
        if (rc >= 0) rc = frz__fs_stat(t->db->fs, path, &f.st, err);
        if (rc == FRZ_NOT_FOUND) continue;
        if (rc >= 0) rc = frz__grow(t->a, (void **)&g->found, g->found_count, &g->found_cap, sizeof *g->found, err);
        if (rc < 0) break;
        f.path = frz__strdup(t->a, path);
        if (!f.path) rc = frz__err_no_memory(err, strlen(path));
        else {
            f.name = f.path + strlen(dir) + 1;
            g->found[g->found_count++] = f;
            g->any_foreign |= kind == FRZ_GC_FOREIGN_ORPHAN;
        }
    }
    buf_clear(&names);
    return rc < 0 ? rc : FRZ_OK;
}

/* ── what expired ── */

/* As words of the public header. */
static int32_t kept_of(enum pending_state s)
{
    switch (s) {
    case PENDING_RETAINED: return FRZ_GC_BY_SNAPSHOT;
    case PENDING_VIEW: return FRZ_GC_BY_VIEW;
    case PENDING_LEASE: return FRZ_GC_BY_READER;
    case PENDING_GRACE: return FRZ_GC_BY_GRACE;
    case PENDING_UNSURE: return FRZ_GC_BY_SNAPSHOT;
    default: return FRZ_GC_DUE;
    }
}

/* The flush lane held. */
static int list_pending(struct gc *g, bool remove, struct gc_list *out, frz_error *err)
{
    struct table *t = g->t;
    int64_t now = frz__clock_mono_ns() / 1000, wall_ms = frz__clock_wall_us() / 1000;
    size_t k = 0;
    int rc = FRZ_OK;
    for (size_t i = 0; i < t->pending_count; i++) {
        struct pending_file *p = &t->pending[i];
        const char *who = "";
        struct fs_stat st = {0};
        int64_t due = 0;
        enum pending_state state = rc < 0 ? PENDING_GRACE : frz__expire_state(t, t->version, p, now, false, &g->leases, &who, &due);
        if (state == PENDING_UNSURE && g->v->number == t->version->number && !frz__marks_has(&g->needed, strrchr(p->path, '/') + 1)) { /* a full mark is at hand */
            p->unsure = false;
            state = PENDING_DUE;
        }
        if (rc >= 0) rc = frz__fs_stat(t->db->fs, p->path, &st, err);
        if (rc >= 0) rc = frz__gc_add(out, p->path, FRZ_GC_EXPIRED, kept_of(state), st.bytes, state == PENDING_GRACE ? wall_ms + (due - now) / 1000 : state == PENDING_DUE ? 0 : -1, err);
        if (rc >= 0) snprintf(out->at[out->count - 1].holder, sizeof out->at[0].holder, "%s", who);
        if (rc >= 0 && remove && state == PENDING_DUE && remove_item(t->db, &out->at[out->count - 1])) {
            if (out->at[out->count - 1].removed) stat_add(&t->files_removed, 1);
            frz__free(t->a, p->path);
            continue;
        }
        t->pending[k++] = *p;
    }
    t->pending_count = k;
    atomic_store(&t->files_pending, k);
    return rc < 0 ? rc : FRZ_OK;
}

static int mark_pending(struct table *t, struct marks *s, frz_error *err)
{
    for (size_t i = 0; i < t->pending_count; i++) TRY(frz__marks_add(s, slice_str(t->pending[i].path), err));
    for (size_t m = 0; m < t->version->tree.count; m++) {
        TRY(frz__marks_add(s, t->version->tree.manifests[m].path, err));
        for (size_t i = 0; i < t->version->tree.manifests[m].entry_count; i++) TRY(frz__marks_add(s, t->version->tree.manifests[m].entries[i].file.path, err));
    }
    for (size_t i = 0; i < t->version->meta->snapshot_count; i++) TRY(frz__marks_add(s, t->version->meta->snapshots[i].manifest_list, err));
    return FRZ_OK;
}

/* ── what nobody counted ── */

static int judge(struct gc *g, const struct found *f, int64_t age_ms, bool remove, struct gc_list *out, frz_error *err)
{
    struct db *db = g->t->db;
    struct own_name own = {0};
    int64_t old_at = f->st.mtime_us / 1000 + age_ms, now_ms = frz__clock_wall_us() / 1000;
    bool old = now_ms >= old_at, ours = frz__own_name(f->name, &own), running = ours && own.epoch >= db->epoch;
    int32_t why = f->kind, kept = FRZ_GC_DUE;
    if (f->kind == FRZ_GC_FOREIGN_ORPHAN && frz__marks_has(&g->others, f->name)) return FRZ_OK; /* an older version that is still there names it */
    if (db->set.read_only && (ours || f->kind == FRZ_GC_TEMPORARY)) kept = FRZ_GC_BY_WRITER;
    else if (f->kind == FRZ_GC_FOREIGN_ORPHAN || f->kind == FRZ_GC_TEMPORARY || running) {
        if (!old) kept = FRZ_GC_BY_AGE;
        if (running) why = FRZ_GC_ORPHAN;
    } else if (f->kind == FRZ_GC_EXPIRED) { /* of an earlier process, and another engine's commit did away with it */
        TRY(frz__expire_path(g->t, f->path, g->v->meta->last_sequence_number, g->v->meta->last_sequence_number, err));
        kept = FRZ_GC_BY_GRACE;
        old_at = now_ms + (int64_t)g->t->settings.frazil_foreign_reader_grace_ms;
    }
    TRY(frz__gc_add(out, f->path, why, kept, f->st.bytes, kept == FRZ_GC_DUE ? 0 : kept == FRZ_GC_BY_WRITER ? -1 : old_at, err));
    if (remove && kept == FRZ_GC_DUE) (void)remove_item(db, &out->at[out->count - 1]);
    return FRZ_OK;
}

static int judge_all(struct gc *g, const frz_gc_options *o, bool remove, struct gc_list *out, frz_error *err)
{
    struct table *t = g->t;
    struct marks now = MARKS_INIT(t->a);
    int64_t age_ms = (int64_t)(o->orphan_age_ms ? o->orphan_age_ms : t->settings.frazil_orphan_age_ms);
    bool lane = !t->db->set.read_only;
    int rc = FRZ_OK;
    if (lane) {
        CHECK(mark_pending(t, &now, err));
        CHECK(list_pending(g, remove, out, err));
    }
    for (size_t i = 0; i < g->found_count; i++)
        if (!frz__marks_has(&now, g->found[i].name)) CHECK(judge(g, &g->found[i], age_ms, remove, out, err));
done:
    frz__marks_clear(&now);
    return rc;
}

static void clear(struct gc *g)
{
    for (size_t i = 0; i < g->hold_count; i++) frz__hold_release(g->holds[i]);
    frz__free(g->t->a, g->holds);
    for (size_t i = 0; i < g->found_count; i++) frz__free(g->t->a, g->found[i].path);
    frz__free(g->t->a, g->found);
    frz__marks_clear(&g->needed);
    frz__marks_clear(&g->others);
    frz__leases_clear(&g->leases);
    frz__version_release(g->v);
    frz__lease_settle(g->t->db);
}

/* Another engine's commit since it was looked at: what it took up must not go. The lane held. */
static int still_ours(const struct gc *g, frz_error *err)
{
    char path[PATH_BYTES];
    bool there = false;
    if (g->t->in_doubt || strcmp(g->v->meta->uuid, g->t->uuid) != 0) there = true;
    else {
        TRY(frz__path(path, err, "%s/metadata/v%" PRId64 ".metadata.json", g->t->dir, g->t->version->number + 1));
        TRY(frz__fs_exists(g->t->db->fs, path, &there, err));
    }
    return there ? frz__err(err, FRZ_CONFLICT, "%s: another process commits to it just now: run gc again after the next flush", g->t->name) : FRZ_OK;
}

int frz__gc_table(struct table *t, const frz_gc_options *o, struct gc_list *out, frz_error *err)
{
    struct gc g = {.t = t, .needed = MARKS_INIT(t->a), .others = MARKS_INIT(t->a)};
    const bool lane = !t->db->set.read_only;
    MUST(frz__table_usable(t, !o->dry_run, err));
    bool old;
    int rc = FRZ_OK;
    if (lane) frz__mutex_lock(&t->flush_mu); /* so that no round of expiry is between its look at the holds and its unlinks */
    g.v = frz__version_acquire(t);
    if (lane) rc = frz__sweep_run(t, &old, err); /* first what open owes: by numbers of then */
    if (rc == FRZ_BUSY) rc = FRZ_OK;
    if (rc >= 0) rc = hold_all(&g, err);
    if (lane) frz__mutex_unlock(&t->flush_mu);
    if (rc < 0) goto done;
    CHECK(frz__mark_version(t, g.v, &g.needed, err));
    CHECK(look_at_folder(&g, "data", err));
    CHECK(look_at_folder(&g, "metadata", err));
    if (g.any_foreign) CHECK(frz__mark_all_versions(t, &g.others, err));
    for (size_t i = 0; i < g.hold_count; i++) frz__hold_release(g.holds[i]); /* what is listed now is not kept by us */
    g.hold_count = 0;
    frz__epoch_collect(t->db->epochs);
    if (lane) frz__mutex_lock(&t->flush_mu);
    rc = frz__leases_read(t->db, true, false, &g.leases, err);
    if (rc >= 0 && !o->dry_run) rc = still_ours(&g, err);
    if (rc >= 0) rc = frz__table_usable(t, false, err);
    if (rc == FRZ_OK) rc = judge_all(&g, o, !o->dry_run, out, err);
    if (lane) frz__mutex_unlock(&t->flush_mu);
done:
    clear(&g);
    return rc;
}
