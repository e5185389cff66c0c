/* sweep.c — orphans, at open: files of our own names, of earlier processes, that no retained snapshot names; and files that go with older snapshots, put on the list of those.
 *
 * A name carries the version that it was made for: one beyond the current version was never committed, and goes at once; one at or before it expired, and waits out the grace of foreign readers. Names that are
 * not ours may be another engine's, in flight: they are left alone; that there are old ones is told, for gc.c to look at. */
#include "engine/gc.h"
#include "engine/mark.h"
#include "engine/paths.h"
#include "engine/recover.h"

static bool is_old(const struct table *t, const char *path)
{
    struct fs_stat st;
    return frz__fs_stat(t->db->fs, path, &st, NULL) == FRZ_OK && frz__clock_wall_us() / 1000 - st.mtime_us / 1000 > (int64_t)t->settings.frazil_orphan_age_ms;
}

static int sweep_dir(struct table *t, const char *sub, const struct marks *needed, frz_error *err)
{
    struct buf names = BUF_INIT(t->a, 0);
    char dir[PATH_BYTES], path[PATH_BYTES];
    const char *name;
    const struct ice_meta *m = t->version->meta;
    int64_t idle_us = frz__clock_wall_us() - m->last_updated_ms * 1000, now = frz__clock_mono_ns() / 1000;
    int rc = frz__path(dir, err, "%s/%s", t->dir, sub);
    if (rc >= 0) rc = frz__names_list(t->db->fs, dir, false, &names, err);
    for (size_t at = 0; rc >= 0 && (name = frz__names_next(&names, &at));) {
        struct own_name own;
        bool ours = frz__own_name(name, &own), temp = strncmp(name, ".tmp-", 5) == 0 || frz__metadata_is_old(t->version, name);
        const struct mark *mark = frz__marks_find(needed, name);
        if (!mark && !t->old_orphans && frz__gc_kind(t->version, name, strcmp(sub, "metadata") == 0) == FRZ_GC_FOREIGN_ORPHAN) {
            rc = frz__path(path, err, "%s/%s", dir, name);
            t->old_orphans = rc >= 0 && is_old(t, path);
        }
        if (!temp && (mark ? mark->current : !ours)) continue;
        rc = frz__path(path, err, "%s/%s", dir, name);
        if (rc < 0) break;
        if (mark && !temp) { /* older snapshots need it: it goes with them */
            rc = frz__expire_path(t, path, mark->added, mark->last + 1, err);
            continue;
        }
        if (temp || own.version > t->version->number) {
            rc = frz__fs_unlink(t->db->fs, path, err);
            if (rc >= 0) stat_add(&t->db->orphans_removed, 1);
            frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s, which a crash left, is removed", t->name, path);
            continue;
        }
        rc = frz__expire_path(t, path, m->last_sequence_number, m->last_sequence_number, err); /* no snapshot of now needs it; a reading process of before may */
        if (rc >= 0) t->pending[t->pending_count - 1].since_us = now - (idle_us > 0 ? idle_us : 0) - 1; /* it has been unneeded since the last commit at the latest */
    }
    buf_clear(&names);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__recover_sweep(struct table *t, frz_error *err)
{
    struct marks needed = MARKS_INIT(t->a);
    int rc = frz__mark_version(t, t->version, &needed, err);
    if (rc >= 0) rc = sweep_dir(t, "data", &needed, err);
    if (rc >= 0) rc = sweep_dir(t, "metadata", &needed, err);
    frz__marks_clear(&needed);
    return rc;
}
