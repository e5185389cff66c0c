/* sweep.c — the look through a table's folders.
 *
 * A name carries the version that it was made for: one beyond the version that open found was never committed, and goes at once; one at or before it expired, and waits out the grace of foreign readers. Names that are
 * not ours may be another engine's, in flight: they are left alone; that there are old ones is told, for gc.c to look at. */
#include "engine/sweep.h"

#include "engine/gc.h"
#include "engine/mark.h"
#include "engine/paths.h"

struct sweep {
    struct version *at; /* what open found */
    struct version_holds holds;
};

int frz__sweep_prepare(struct table *t, frz_error *err)
{
    struct sweep *s = NULL;
    TRY(ALLOC_NEW(&s, t->a, struct sweep, err));
    t->sweep = s;
    s->at = frz__version_acquire(t);
    TRY(frz__version_hold_all(t, s->at, &s->holds, err));
    atomic_store(&t->tidy_at_ns, 0);
    return FRZ_OK;
}

void frz__sweep_drop(struct table *t)
{
    struct sweep *s = t->sweep;
    if (!s) return;
    frz__version_holds_release(t, &s->holds);
    frz__version_release(s->at);
    frz__free(t->a, s);
    t->sweep = NULL;
}

/* ── the look ── */

struct look {
    struct table *t;
    const struct sweep *s;
    struct marks needed, listed; /* what the snapshots need; what is to go already */
    swept_fn told;
    void *ctx;
    int64_t since_us; /* since when what nothing names is unneeded, at the latest */
    bool old;
};

static bool is_old(const struct table *t, const char *path)
{
    struct fs_stat st;
    return frz__fs_stat(t->db->fs, path, &st, NULL) == FRZ_OK && frz__clock_wall_us() / 1000 - st.mtime_us / 1000 > (int64_t)t->settings.frazil_orphan_age_ms;
}

static int remove_one(struct look *l, const char *path, int32_t kind, frz_error *err)
{
    struct table *t = l->t;
    frz_error why;
    struct fs_stat st = {0};
    if (l->told) (void)!frz__fs_stat(t->db->fs, path, &st, NULL);
    int rc = frz__fs_unlink(t->db->fs, path, &why);
    if (rc == FRZ_OK) stat_add(&t->db->orphans_removed, 1);
    if (rc == FRZ_OK) frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s, which a crash left, is removed", t->name, path);
    if (rc < 0) frz__log(&t->db->log, FRZ_LOG_WARN, "%s: %s, which a crash left, stays until the next open: %s", t->name, path, why.message);
    return rc == FRZ_OK && l->told ? l->told(l->ctx, path, kind, st.bytes, err) : FRZ_OK;
}

static int list_one(struct look *l, const char *path, int64_t added, int64_t removed, int64_t since_us, frz_error *err)
{
    struct table *t = l->t;
    TRY(frz__expire_path(t, path, added, removed, err));
    t->pending[t->pending_count - 1].since_us = since_us;
    t->pending[t->pending_count - 1].unsure = t->foreign_commits > 0;
    return FRZ_OK;
}

static int look_at(struct look *l, const char *sub, const char *name, frz_error *err)
{
    struct table *t = l->t;
    const struct version *v = l->s->at;
    const int64_t sequence = v->meta->last_sequence_number;
    struct own_name own;
    char path[PATH_BYTES];
    bool ours = frz__own_name(name, &own), temp = strncmp(name, ".tmp-", 5) == 0 || frz__metadata_is_old(v, name);
    const struct mark *mark = frz__marks_find(&l->needed, name);
    if (!mark && !l->old && frz__gc_kind(v, name, strcmp(sub, "metadata") == 0) == FRZ_GC_FOREIGN_ORPHAN) {
        TRY(frz__path(path, err, "%s/%s/%s", t->dir, sub, name));
        l->old = is_old(t, path);
    }
    if (!temp && (mark ? mark->current : !ours || own.epoch == t->db->epoch)) return FRZ_OK;
    TRY(frz__path(path, err, "%s/%s/%s", t->dir, sub, name));
    if (temp || (!mark && own.version > v->number)) return remove_one(l, path, frz__gc_kind(v, name, strcmp(sub, "metadata") == 0), err);
    if (frz__marks_has(&l->listed, name)) return FRZ_OK; /* it expired since, by a commit of ours */
    if (mark) return list_one(l, path, mark->added, mark->last + 1, 0, err); /* older snapshots need it: it goes with them */
    return list_one(l, path, sequence, sequence, l->since_us, err); /* no snapshot needs it; a reading process of before may */
}

static int look_at_folder(struct look *l, const char *sub, frz_error *err)
{
    struct db *db = l->t->db;
    struct buf names = BUF_INIT(l->t->a, 0);
    char dir[PATH_BYTES];
    const char *name;
    int rc = frz__path(dir, err, "%s/%s", l->t->dir, sub);
    if (rc >= 0) rc = frz__names_list(db->fs, dir, false, &names, err);
    for (size_t at = 0; rc >= 0 && (name = frz__names_next(&names, &at));) {
        FAILPOINT_VOID("sweep.name");
        rc = atomic_load(&db->tidy_stop) == 1 ? frz__err(err, FRZ_BUSY, "%s closes", db->root) : look_at(l, sub, name, err);
    }
    buf_clear(&names);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__sweep_run(struct table *t, bool *old, swept_fn told, void *ctx, frz_error *err)
{
    FRZ_ASSERT_HELD(&t->flush_mu);
    const struct sweep *s = t->sweep;
    struct look l = {.t = t, .s = s, .told = told, .ctx = ctx, .needed = MARKS_INIT(t->a), .listed = MARKS_INIT(t->a)};
    int rc = FRZ_OK;
    *old = false;
    if (!s || atomic_load(&t->dropped)) return FRZ_OK;
    if (atomic_load(&t->db->backups)) return frz__err(err, FRZ_BUSY, "%s: a backup is under way", t->name); /* it links files by their names */
    FAILPOINT_CHECK("sweep.begin", err);
    int64_t idle_us = frz__clock_wall_us() - s->at->meta->last_updated_ms * 1000;
    l.since_us = frz__clock_mono_ns() / 1000 - (idle_us > 0 ? idle_us : 0) - 1; /* since the commit that open found, at the latest */
    for (size_t i = 0; i < t->pending_count; i++) CHECK(frz__marks_add(&l.listed, slice_str(t->pending[i].path), err));
    CHECK(frz__mark_version(t, s->at, &l.needed, err));
    CHECK(look_at_folder(&l, "data", err));
    CHECK(look_at_folder(&l, "metadata", err));
    *old = l.old;
    frz__sweep_drop(t);
done:
    frz__marks_clear(&l.needed);
    frz__marks_clear(&l.listed);
    return rc;
}
