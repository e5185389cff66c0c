/* compact_auto.c — when to compact: by itself, whenever the planner finds something to do.
 *
 * One job a table waits in the compactors' queue at most. When its turn comes it plans and claims, hands its place in the queue on to the next one, which plans around it, and then carries its plan out:
 * so as many run at once as there are threads and as the planner finds work that does not touch. Each, at its end, looks again. A look that finds nothing ends the chain; the next flush, open or change
 * of a property begins another.
 * A failure is tried again when the health says (health.h), by the clock (sched.c): never in a loop. Compactors are threads of their own: a flush never waits for one. */
#include "engine/compact.h"
#include "engine/flow.h"

static bool wanted(struct table *t) { return !atomic_load(&t->db->closing) && !atomic_load(&t->dropped) && !table_is_broken(t); }

/* False: the last one failed, and it is too early for the next. */
static bool leave_queue(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    t->compact_queued = false;
    bool due = t->compact_retry_at_ns <= frz__clock_mono_ns();
    frz__mutex_unlock(&t->view_mu);
    return due;
}

static void failed(struct table *t, const frz_error *err)
{
    int64_t now = frz__clock_mono_ns(), at = now;
    if (frz__health_due(t->db, t, HEALTH_COMPACTION, now, &at)) at = frz__health_fail(t->db, t, HEALTH_COMPACTION, err); /* it did not come so far as to run */
    frz__mutex_lock(&t->view_mu);
    t->compact_retry_at_ns = at;
    frz__mutex_unlock(&t->view_mu);
    stat_add(&t->compact_failures, 1);
    if (at == INT64_MAX) frz__log(&t->db->log, FRZ_LOG_ERROR, "%s: a compaction failed, its files stay as they are, and it is not tried again by itself: %s", t->name, err->message);
    else frz__log(&t->db->log, FRZ_LOG_ERROR, "%s: a compaction failed, its files stay as they are, the next try is in %" PRId64 " s: %s", t->name, (at - now) / 1000000000, err->message);
    frz__sched_wake(t->db);
}

static void succeeded(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    t->compact_retry_at_ns = 0;
    frz__mutex_unlock(&t->view_mu);
    frz__log_release(t->db);
}

void frz__compact_nothing_left(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    bool alone = t->claimers == 0;
    frz__mutex_unlock(&t->view_mu);
    if (!alone || !frz__health_bad(t->db, t, HEALTH_COMPACTION)) return;
    frz__health_ok(t->db, t, HEALTH_COMPACTION);
    succeeded(t);
}

static int compact_next(struct table *t, frz_error *err)
{
    struct plan_options o;
    struct compaction *c = NULL;
    struct compact_result r = {0};
    frz__compact_options(t, &o);
    int rc = frz__compact_begin(t, &o, &c, err);
    if (rc < 0 && wanted(t)) failed(t, err);
    if (rc == FRZ_DONE) frz__compact_nothing_left(t);
    if (rc != FRZ_OK) return rc;
    frz__compact_schedule(t); /* what there is beside this */
    rc = frz__compact_run(c, &r, err);
    if (rc < 0 && wanted(t)) failed(t, err); /* while the files are still claimed: who is next in the queue must not try them at once */
    frz__compact_end(c);
    if (rc == FRZ_OK)
        frz__log(&t->db->log, FRZ_LOG_INFO, "%s: compacted for its %s: %zu files of %" PRIu64 " bytes to %zu of %" PRIu64 " on level %d", t->name, frz__plan_reason_name(r.reason), r.files_in, r.bytes_in,
                 r.files_out, r.bytes_out, r.level);
    return rc;
}

static void compact_job(void *arg)
{
    struct table *t = (struct table *)arg;
    frz_error err;
    frz__pool_background();
    bool due = leave_queue(t);
    if (due && wanted(t) && compact_next(t, &err) == FRZ_OK) {
        succeeded(t);
        frz__compact_schedule(t);
    }
    frz__flow_compact_end(t);
    frz__table_release(t);
}

/* The database is closed before its turn came: it may hold the last count of a table that was dropped meanwhile. */
static void compact_cancelled(void *arg)
{
    struct table *t = (struct table *)arg;
    (void)leave_queue(t);
    frz__flow_compact_end(t);
    frz__table_release(t);
}

void frz__compact_schedule(struct table *t)
{
    struct db *db = t->db;
    if (!db->compactors || !wanted(t)) return;
    frz__mutex_lock(&t->view_mu);
    bool submit = !t->compact_queued && t->settings.frazil_compaction_enabled && t->compact_retry_at_ns <= frz__clock_mono_ns();
    if (submit) t->compact_queued = true;
    frz__mutex_unlock(&t->view_mu);
    if (!submit) return;
    frz__flow_compact_begin(t);
    t->compact_job = (struct pool_job){.fn = compact_job, .arg = frz__table_acquire(t), .cancel = compact_cancelled};
    if (!frz__pool_submit(db->compactors, &t->compact_job, false)) compact_cancelled(t);
}

int64_t frz__compact_tend(struct table *t, int64_t now)
{
    frz__mutex_lock(&t->view_mu);
    int64_t retry = t->compact_retry_at_ns;
    frz__mutex_unlock(&t->view_mu);
    if (retry && !frz__health_bad(t->db, t, HEALTH_COMPACTION)) { /* it was resumed, or another one went well */
        succeeded(t);
        retry = now;
    }
    if (!retry || retry > now) return retry ? retry : INT64_MAX;
    frz__mutex_lock(&t->view_mu);
    bool on = t->settings.frazil_compaction_enabled;
    frz__mutex_unlock(&t->view_mu);
    if (on) frz__compact_schedule(t);
    else frz__compact_nothing_left(t); /* it was turned off meanwhile */
    return INT64_MAX;
}
