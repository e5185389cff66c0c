/* sched.c — what happens by time: interval syncs, publishing by age, a failed flush or compaction tried again, files whose grace is over. One job of the pool sleeps until the next of these is due. */
#include "engine/flow.h"
#include "engine/tidy.h"
#include "engine/watch.h"

#define IDLE_NS ((int64_t)1000000000)

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

/* Looks after T; when it wants to be looked at again. */
static int64_t tend(struct table *t, int64_t now)
{
    int64_t next = now + IDLE_NS, dirty = atomic_load(&t->dirty_since_ns);
    if (table_is_broken(t) || atomic_load(&t->dropped) || atomic_load(&t->is_frozen)) return next;
    next = min64(next, frz__compact_tend(t, now));
    frz__mutex_lock(&t->view_mu);
    bool waiting = atomic_load(&t->view)->mem_count > 1 && !t->flush_queued, failed = t->flush_error.code != 0;
    int64_t retry = t->retry_at_ns, asked = (int64_t)t->settings.frazil_publish_interval_ms * 1000000;
    frz__mutex_unlock(&t->view_mu);
    int64_t interval = frz__flow_publish_now(t);
    if (failed && retry > now) return min64(next, retry);
    if (failed || waiting) frz__flush_schedule(t);
    if (dirty && interval) {
        if (now - dirty >= interval) {
            frz_error err;
            atomic_store(&t->dirty_since_ns, 0); /* before the rotation: what is written after it counts anew */
            if (frz__rotate(t, NULL, &err) >= 0) {
                frz__flush_schedule(t);
                if (interval > asked) stat_add(&t->publishes_stretched, 1);
            } else {
                atomic_store(&t->dirty_since_ns, dirty);
                frz__log(&t->db->log, FRZ_LOG_WARN, "%s: publishing by age waits: %s", t->name, err.message);
            }
        } else next = min64(next, dirty + interval);
    }
    return next;
}

/* Not while a flush goes on: it may take long, and the log's interval would wait with it. SECOND: it is one since the last time; else what a round left is gone on with. Whether this one left anything, too. */
static bool expire_due(struct table *t, bool second)
{
    if (!second && !atomic_load(&t->expiry_goes_on)) return false;
    if (!frz__mutex_trylock(&t->flush_mu)) {
        if (second) atomic_store(&t->expiry_missed, true);
        return false;
    }
    bool more = t->pending_count && t->version && frz__expire_run(t);
    frz__mutex_unlock(&t->flush_mu);
    return more;
}

static int64_t round_of(struct db *db, int64_t *synced_at, int64_t *expired_at)
{
    int64_t now = frz__clock_mono_ns(), next = now + IDLE_NS, interval = (int64_t)db->set.sync_interval_ms * 1000000;
    if (db->set.durability == FRZ_SYNC_INTERVAL || atomic_load(&db->sync_asked)) {
        if (now - *synced_at >= interval) {
            frz_error err;
            *synced_at = now;
            atomic_store(&db->sync_asked, false); /* before the sync: what is written after it asks anew */
            if (frz__write_sync(db, &err) < 0) {
                frz__log(&db->log, FRZ_LOG_ERROR, "the log can't be synced: %s", err.message);
                atomic_store(&db->sync_asked, true);
            }
        }
        next = min64(next, *synced_at + interval);
    }
    bool second = now - *expired_at >= IDLE_NS, more = false;
    int64_t probe = next;
    if (!frz__health_due(db, NULL, HEALTH_LOG, now, &probe)) next = min64(next, probe);
    else if (frz__health_bad(db, NULL, HEALTH_LOG) && !atomic_load(&db->closing)) (void)!frz__log_probe(db, NULL); /* the health keeps what it finds */
    for (size_t i = 0;; i++) { /* tables may come and go while one is tended */
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) break;
        if (!atomic_load(&db->closing)) next = min64(next, tend(t, now));
        if (!db->set.no_tidy) more |= expire_due(t, second);
        frz__table_release(t);
    }
    if (second) {
        frz__arena_spares_trim(&db->spares);
        frz__flow_balance(db);
        *expired_at = now;
    }
    frz__tidy_tend(db, now);
    frz__archive_tend(db);
    frz__epoch_collect(db->epochs);
    frz__watch_tick(db, now);
    return more ? min64(next, frz__clock_mono_ns() + LANE_GAP_NS) : next;
}

static void tick(void *arg)
{
    struct db *db = (struct db *)arg;
    int64_t synced_at = frz__clock_mono_ns(), expired_at = synced_at;
    frz__mutex_lock(&db->tick_mu);
    while (!atomic_load(&db->closing)) {
        frz__mutex_unlock(&db->tick_mu);
        int64_t next = frz__clock_rounds_are_off() ? frz__clock_mono_ns() + IDLE_NS : round_of(db, &synced_at, &expired_at);
        frz__mutex_lock(&db->tick_mu);
        if (!atomic_load(&db->closing) && !db->tick_woken) (void)frz__cond_wait_until(&db->tick, &db->tick_mu, next);
        db->tick_woken = false;
    }
    frz__mutex_unlock(&db->tick_mu);
}

void frz__sched_wake(struct db *db)
{
    frz__mutex_lock(&db->tick_mu);
    db->tick_woken = true;
    frz__cond_signal(&db->tick);
    frz__mutex_unlock(&db->tick_mu);
}

void frz__sched_sync_soon(struct db *db)
{
    if (!atomic_load(&db->sync_asked) && !atomic_exchange(&db->sync_asked, true)) frz__sched_wake(db);
}

int frz__sched_start(struct db *db, frz_error *err)
{
    TRY(frz__pool_start(db->a, 3, &db->pool, err)); /* the clock's, and two that flush */
    if (!db->set.no_compaction) TRY(frz__pool_start(db->a, (unsigned)db->set.compaction_threads, &db->compactors, err));
    for (size_t i = 0; i < db->table_count; i++) frz__flow_weigh(db->tables[i]);
    db->tick_job = (struct pool_job){.fn = tick, .arg = db};
    (void)frz__pool_submit(db->pool, &db->tick_job, false);
    for (size_t i = 0; i < db->table_count; i++)
        if (!table_is_broken(db->tables[i]) && frz__flush_waiting(db->tables[i])) frz__flush_schedule(db->tables[i]);
    for (size_t i = 0; i < db->table_count; i++) frz__compact_schedule(db->tables[i]);
    return FRZ_OK;
}

void frz__sched_stop(struct db *db)
{
    atomic_store(&db->closing, true);
    frz__rate_stop(&db->compact_rate);
    frz__sched_wake(db);
    frz__flow_wake(db); /* writers that wait for room learn of it */
    frz__pool_stop(db->pool); /* first: a flush that goes on may still ask for compactions */
    db->pool = NULL;
    frz__pool_stop(db->compactors);
    db->compactors = NULL;
}
