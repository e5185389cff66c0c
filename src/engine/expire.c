/* expire.c — who still needs a file that the current snapshot does not: a retained snapshot whose number falls into [added, removed), a view of this process, or, for a grace, a reader that
 * others wrote. What nobody needs is unlinked. Views hold their files open: an unlinked one reads on. */
#include "engine/db.h"

int frz__expire_add(struct table *t, char *path, int64_t added, int64_t removed, frz_error *err)
{
    int rc = frz__grow(t->a, (void **)&t->pending, t->pending_count, &t->pending_cap, sizeof *t->pending, err);
    if (rc < 0) {
        frz__free(t->a, path);
        return rc;
    }
    t->pending[t->pending_count++] = (struct pending_file){.path = path, .added = added, .removed = removed};
    atomic_store(&t->files_pending, t->pending_count);
    return FRZ_OK;
}

#define UNLINKS_MIN 512 /* a round, a second: a flush waits for it; half of what is pending, where that is more, so that it never grows without end */

static bool needed(const struct ice_meta *m, const struct pending_file *p)
{
    for (size_t i = 0; i < m->snapshot_count; i++)
        if (m->snapshots[i].sequence_number >= p->added && m->snapshots[i].sequence_number < p->removed) return true;
    return false;
}

void frz__expire_run(struct table *t)
{
    if (atomic_load(&t->db->backups)) return; /* a backup links files by their names */
    struct version *v = frz__version_acquire(t);
    int64_t now = frz__clock_mono_ns() / 1000, grace = (int64_t)t->settings.frazil_foreign_reader_grace_ms * 1000;
    size_t k = 0, unlinked = 0, removed = 0, unlinks_max = t->pending_count / 2 > UNLINKS_MIN ? t->pending_count / 2 : UNLINKS_MIN;
    for (size_t i = 0; i < t->pending_count; i++) {
        struct pending_file *p = &t->pending[i];
        if (needed(v->meta, p)) p->since_us = 0;
        else if (p->since_us == 0) p->since_us = now ? now : 1;
        if (p->since_us && now - p->since_us >= grace && unlinked < unlinks_max) {
            unlinked++;
            frz_error err;
            int rc = frz__fs_unlink(t->db->fs, p->path, &err);
            if (rc < 0) frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s is left to the next sweep: %s", t->name, p->path, err.message);
            else {
                stat_add(&t->files_removed, 1);
                removed++;
            }
            frz__free(t->a, p->path);
            continue;
        }
        t->pending[k++] = *p;
    }
    t->pending_count = k;
    atomic_store(&t->files_pending, k);
    if (removed) frz__event(t->db, t, FRZ_EVENT_FILES_REMOVED, &(struct event_info){.files_in = removed});
    frz__version_release(v);
}
