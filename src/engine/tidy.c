#include "engine/tidy.h"

#include "engine/gc.h"
#include "engine/sweep.h"
#include "engine/trash.h"

#define RETRY_NS ((int64_t)60000000000)
#define ROUNDS_AT_CLOSE 20 /* of expiry, a second: who opens and closes in a loop must not leave more and more */

int frz__tidy_prepare(struct db *db, frz_error *err)
{
    atomic_store(&db->tidy_trash, true);
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        if (table_is_broken(t)) continue;
        t->opened_number = t->version->number;
        TRY(frz__sweep_prepare(t, err));
    }
    return FRZ_OK;
}

/* Where the interval is 0, never. */
static int64_t next_look(int64_t interval_ms, int64_t now) { return interval_ms ? now + interval_ms * 1000000 : INT64_MAX; }

void frz__tidy_interval(struct table *t)
{
    int64_t interval_ms = (int64_t)t->settings.frazil_orphan_check_interval_ms;
    if (atomic_exchange(&t->orphan_check_ms, interval_ms) != interval_ms && atomic_load(&t->tidy_at_ns)) atomic_store(&t->tidy_at_ns, next_look(interval_ms, frz__clock_mono_ns()));
}

/* ── a table ── */

/* Other engines' failed commits of long ago. */
static int remove_orphans(struct table *t, frz_error *err)
{
    struct gc_list l = GC_LIST_INIT(t->a);
    const frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    int rc = frz__gc_table(t, &o, &l, err);
    for (size_t k = 0; k < l.count; k++) {
        if (!l.at[k].removed || l.at[k].why == FRZ_GC_EXPIRED) continue;
        stat_add(&t->db->orphans_removed, 1);
        frz__log(&t->db->log, FRZ_LOG_INFO, "%s, which no metadata has named for long, is removed", l.at[k].path);
    }
    frz__gc_list_clear(&l);
    return rc;
}

static int look_at(struct table *t, frz_error *err)
{
    bool first, old = false;
    FAILPOINT("tidy.table", err);
    frz__mutex_lock(&t->flush_mu);
    first = t->sweep != NULL;
    int rc = frz__sweep_run(t, &old, NULL, NULL, err);
    frz__mutex_unlock(&t->flush_mu);
    if (rc < 0 || (first && !old) || atomic_load(&t->is_frozen)) return rc;
    return remove_orphans(t, err);
}

static void tidy_table(struct table *t)
{
    frz_error why = {0};
    int rc = look_at(t, &why);
    bool later = rc < 0 && rc != FRZ_NOT_FOUND;
    if (later && rc != FRZ_BUSY) frz__log(&t->db->log, FRZ_LOG_WARN, "%s: leftovers stay for now: %s", t->name, why.message);
    int64_t now = frz__clock_mono_ns(), interval_ms;
    do { /* the setting may change just now */
        interval_ms = atomic_load(&t->orphan_check_ms);
        atomic_store(&t->tidy_at_ns, later ? now + RETRY_NS : next_look(interval_ms, now));
    } while (interval_ms != atomic_load(&t->orphan_check_ms));
}

/* ── the job ── */

static bool is_due(struct table *t, int64_t now) { return !table_is_broken(t) && !atomic_load(&t->dropped) && atomic_load(&t->tidy_at_ns) <= now; }

/* Counted; NULL = none. */
static struct table *first_due(struct db *db, int64_t now)
{
    struct table *t = NULL;
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count && !t; i++)
        if (is_due(db->tables[i], now)) t = frz__table_acquire(db->tables[i]);
    frz__mutex_unlock(&db->tables_mu);
    return t;
}

static void empty_trash(struct db *db)
{
    frz_error why;
    if (!atomic_exchange(&db->tidy_trash, false)) return;
    if (frz__trash_empty(db, &why) < 0)
        frz__log(&db->log, FRZ_LOG_WARN, "of dropped tables something stays in " TRASH_DIR ": %s", why.message);
}

/* A table a time: what waits for the thread comes between. */
static void job(void *arg)
{
    struct db *db = (struct db *)arg;
    struct table *t = atomic_load(&db->tidy_stop) ? NULL : first_due(db, frz__clock_mono_ns());
    if (t) tidy_table(t);
    else if (!atomic_load(&db->tidy_stop)) empty_trash(db);
    bool more = t && !atomic_load(&db->tidy_stop) && frz__pool_submit(db->pool, &db->tidy_job, false);
    frz__table_release(t);
    if (!more) atomic_store(&db->tidying, false);
}

void frz__tidy_tend(struct db *db, int64_t now)
{
    if (db->set.no_tidy || atomic_load(&db->tidying) || atomic_load(&db->tidy_stop)) return;
    struct table *t = first_due(db, now);
    bool due = t || atomic_load(&db->tidy_trash);
    frz__table_release(t);
    if (!due) return;
    atomic_store(&db->tidying, true);
    db->tidy_job = (struct pool_job){.fn = job, .arg = db};
    if (!frz__pool_submit(db->pool, &db->tidy_job, false)) atomic_store(&db->tidying, false);
}

int frz__tidy_now(struct db *db, frz_error *err)
{
    frz_error why;
    if (frz__trash_empty(db, &why) < 0) /* what went is room all the same */
        frz__log(&db->log, FRZ_LOG_WARN, "of dropped tables something stays in " TRASH_DIR ": %s", why.message);
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        bool old;
        if (table_is_broken(t)) continue;
        frz__mutex_lock(&t->flush_mu);
        int rc = frz__sweep_run(t, &old, NULL, NULL, err);
        while (frz__expire_run(t)) {}
        frz__mutex_unlock(&t->flush_mu);
        TRY(rc);
    }
    return FRZ_OK;
}

void frz__tidy_stop(struct db *db) { atomic_store(&db->tidy_stop, 1); }

void frz__tidy_rest(struct db *db)
{
    atomic_store(&db->tidy_stop, 2);
    for (size_t i = 0; i < db->table_count && !db->set.no_tidy; i++) {
        struct table *t = db->tables[i];
        bool old;
        frz_error why;
        if (table_is_broken(t) || atomic_load(&t->dropped)) continue;
        frz__mutex_lock(&t->flush_mu);
        if (t->version->number != t->opened_number) {
            if (frz__sweep_run(t, &old, NULL, NULL, &why) < 0) frz__log(&db->log, FRZ_LOG_WARN, "%s: leftovers stay for now: %s", t->name, why.message);
            for (int round = 0; round < ROUNDS_AT_CLOSE && t->pending_count && frz__expire_run(t); round++) {}
        }
        frz__mutex_unlock(&t->flush_mu);
    }
}
