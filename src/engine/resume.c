/* resume.c — what failed is tried again, now: the log by a probe, its archive, flushes by flushing, compactions and reads by being forgotten until they fail again. */
#include "engine/db.h"

static int resume_table(struct table *t, frz_error *err)
{
    if (!atomic_load(&t->health.bad) || table_is_broken(t) || atomic_load(&t->dropped)) return FRZ_OK;
    frz__health_ok(t->db, t, HEALTH_READ);
    frz__health_ok(t->db, t, HEALTH_COMPACTION);
    return frz__health_bad(t->db, t, HEALTH_FLUSH) ? frz__flush(t, err) : FRZ_OK; /* that it goes well clears it */
}

int frz__health_resume(struct db *db, frz_error *err)
{
    frz_error ignored;
    int rc = FRZ_OK;
    if (db->set.read_only) rc = frz__db_refresh(db, err);
    else if (atomic_load(&db->health.bad)) rc = frz__log_probe(db, err);
    if (frz__health_bad(db, NULL, HEALTH_ARCHIVE)) frz__archive_retry(db); /* what it finds is in the health */
    for (size_t i = 0;; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) break;
        rc = frz__first(rc, resume_table(t, rc < 0 ? &ignored : err));
        frz__table_release(t);
    }
    if (rc < 0) return rc;
    if (db->pool) frz__sched_wake(db);
    frz_health h = {.struct_size = sizeof h};
    frz__health_get(db, NULL, &h);
    if (h.severity == FRZ_HEALTH_OK) return FRZ_OK;
    return frz__err(err, h.status, "%s%s%.300s", h.table, h.table[0] ? ": " : "", h.message);
}
