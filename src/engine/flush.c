/* flush.c — from memtables to published files: the journey that makes rows Iceberg's.
 *
 *   1  rotate; take all immutable memtables at once: the newest version of each key (hazards 4)      flush_collect.c
 *   2  locate: where each of those keys lives in the files
 *   3  choose small files to absorb, while they are no larger than a few times what is written
 *   4  write the live rows of both, by key, into new data files                                      flush_rows.c
 *   5  mask what was located in the files that stay; a file wholly masked goes                       change.c
 *   6  one commit; then the view changes, the memtables go, the log is recycled
 * Until the commit nothing that was is touched: a failure leaves rows readable and logged, and the next try begins anew. One flush at a time a table. */
#include "engine/flow.h"
#include "engine/flush.h"
#include "engine/pins.h"

#define TRIES_MAX 5

static void clear(struct flush *f)
{
    const allocator *a = f->t->jobs_a;
    if (f->changing) frz__change_clear(&f->change);
    frz__free(a, f->by_file);
    for (size_t i = 0; f->convs && i < f->mem_count; i++) frz__row_conv_clear(&f->convs[i]);
    frz__free(a, f->convs);
    buf_clear(&f->run.made);
    frz__free_large(a, f->entries, f->entry_bytes);
    frz__free(a, f->row_ids);
    frz__codec_give(f->t->db, f->codec);
    frz__view_release(f->view);
}

static void count(const struct flush *f)
{
    struct table *t = f->t;
    const struct change *c = &f->change;
    for (size_t i = 0; i < f->view->file_count; i++) stat_add(&t->rows_masked, c->by_file[i].fresh_count);
    stat_add(&t->files_absorbed, f->absorbed);
    stat_add(&t->flush_rows, c->rows);
    stat_add(&t->flush_bytes, c->bytes);
}

static uint64_t rows_bytes(const struct flush *f)
{
    uint64_t n = 0;
    for (size_t i = 0; i < f->mem_count; i++) n += atomic_load(&f->mems[i]->row_bytes);
    return n;
}

struct lane { bool began, did; struct event_info end; struct running job; }; /* did: something was published */

static struct event_info numbers(const struct flush *f)
{
    return (struct event_info){.files_in = f->absorbed, .files_out = f->change.output_count, .bytes_out = f->change.bytes, .rows_in = f->entry_count, .rows_out = f->change.rows};
}

/* One try; flush_mu held. */
static int flush_once(struct table *t, struct lane *lane, frz_error *err)
{
    struct flush f = {.t = t, .job = &lane->job};
    int64_t since = frz__clock_mono_ns();
    int rc = frz__table_usable(t, true, err); /* it may have been dropped while this one waited */
    if (rc != FRZ_OK) goto done;
    if (t->in_doubt) CHECK(frz__table_reload(t, err));
    CHECK(frz__flush_take(&f, err));
    if (f.mem_count == 0) goto done;
    if (!lane->began) {
        frz__running_begin(t->db, &lane->job, t, "flush", "");
        frz__event(t->db, t, FRZ_EVENT_FLUSH_BEGIN, NULL);
    }
    lane->began = true;
    f.changing = true;
    CHECK(frz__change_init(&f.change, t, frz__view_acquire(f.view), t->version, err));
    f.change.writer_options.seq_last = f.flushed_seq;
    CHECK(frz__codec_take(t->db, &f.codec, err));
    FAILPOINT_CHECK("flush.begin", err);
    CHECK(frz__flush_convert(&f, err));
    frz__running_phase(t->db, f.job, "collect");
    CHECK(frz__flush_collect(&f, err));
    atomic_store(&f.job->rows_total, f.put_count);
    CHECK(frz__write_sync(t->db, err)); /* no publish gets ahead of the log: half a batch over two tables must not survive (hazards 7) */
    frz__running_phase(t->db, f.job, "locate");
    CHECK(frz__flush_locate(&f, err));
    CHECK(frz__flush_choose_absorbed(&f, err));
    frz__running_phase(t->db, f.job, "write");
    CHECK(frz__flush_write_rows(&f, err));
    frz__running_phase(t->db, f.job, "commit");
    FAILPOINT_CHECK("flush.after_data", err);
    CHECK(frz__change_readers(&f.change, err));
    CHECK(frz__change_masks(&f.change, err));
    CHECK(frz__change_commit(&f.change, (struct ice_edit){.flushed_log = t->db->log_uuid_text, .flushed_seq = f.flushed_seq}, err));
    FAILPOINT_VOID("flush.after_commit");
    count(&f);
    frz__flow_published(t, rows_bytes(&f), f.change.beside_bytes);
    frz__flow_drained(t->db, rows_bytes(&f), frz__clock_mono_ns() - since);
    lane->end = numbers(&f);
    rc = frz__change_install(&f.change, f.mem_count, f.flushed_seq, err);
    lane->did = true;
done:
    clear(&f);
    return rc;
}

/* What writers that wait for room, the clock and the host learn of it. */
static void settle(struct table *t, int rc, const frz_error *why)
{
    bool frozen = atomic_load(&t->is_frozen); /* and its health says so */
    int64_t retry_at = rc >= 0 ? 0 : frozen ? INT64_MAX : frz__health_fail(t->db, t, HEALTH_FLUSH, why);
    if (rc >= 0) frz__health_ok(t->db, t, HEALTH_FLUSH);
    frz__mutex_lock(&t->view_mu);
    t->flush_error = rc < 0 ? *why : (frz_error){0};
    t->retry_at_ns = retry_at;
    frz__cond_broadcast(&t->room);
    frz__mutex_unlock(&t->view_mu);
    frz__flow_wake(t->db);
}

/* ASKED: by the host, who does not wait for the time at which a failed one is due again. */
static int flush_lane(struct table *t, bool asked, frz_error *err)
{
    int64_t since = frz__clock_mono_ns();
    int rc = FRZ_OK;
    struct lane lane = {0};
    frz_error own = {0};
    FAILPOINT_VOID("flush.lane");
    frz__mutex_lock(&t->flush_mu);
    if (!asked && !frz__health_due(t->db, t, HEALTH_FLUSH, frz__clock_mono_ns(), NULL)) { /* it failed while this one waited for the lane: sched.c comes again */
        frz__mutex_unlock(&t->flush_mu);
        return FRZ_OK;
    }
    uint64_t flushing;
    frz__flow_flush_begin(t, &flushing);
    for (int tries = 0;; tries++) {
        rc = flush_once(t, &lane, &own);
        if (rc != FRZ_CONFLICT || tries == TRIES_MAX) break;
        rc = frz__table_reload(t, &own);
        if (rc < 0) break;
    }
    frz__flow_flush_end(t, flushing);
    if (atomic_exchange(&t->expiry_missed, false) && t->version) frz__expire_run(t);
    uint64_t us = (uint64_t)(frz__clock_mono_ns() - since) / 1000;
    bool counts = rc >= 0 && lane.did; /* else another flush took what this one came for */
    if (counts) stat_add(&t->flushes, 1);
    if (counts) latency_add(&t->flush_latency, us);
    if (rc < 0) stat_add(&t->flush_failures, 1);
    settle(t, rc, &own); /* in the lane: who is next in it knows */
    frz__mutex_unlock(&t->flush_mu);
    if (lane.began) frz__running_end(t->db, &lane.job);
    lane.end.duration_us = us;
    if (counts) {
        frz__event(t->db, t, FRZ_EVENT_FLUSH_END, &lane.end);
    } else if (rc < 0) {
        frz__log(&t->db->log, FRZ_LOG_ERROR, "%s: flush failed, its rows stay readable and logged: %s", t->name, own.message);
        lane.end.status = rc;
        lane.end.message = own.message;
        frz__event(t->db, t, FRZ_EVENT_FLUSH_FAILED, &lane.end);
    }
    if (lane.did) frz__pins_trim(t->db);
    if (rc >= 0) {
        frz__log_release(t->db); /* files that nobody needs any more go by the clock, not on the way of a publish: sched.c */
        if (lane.did) frz__compact_schedule(t);
    } else {
        frz__sched_wake(t->db);
    }
    if (rc != FRZ_OK && err) *err = own;
    return rc;
}

bool frz__flush_waiting(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    bool has = atomic_load(&t->view)->mem_count > 1;
    frz__mutex_unlock(&t->view_mu);
    return has;
}

/* What failed once is published, or gone with a table that was read again. */
static void nothing_left(struct table *t)
{
    if (frz__health_bad(t->db, t, HEALTH_FLUSH)) settle(t, FRZ_OK, NULL);
}

int frz__flush(struct table *t, frz_error *err)
{
    MUST(frz__table_usable(t, true, err));
    int64_t since = atomic_exchange(&t->dirty_since_ns, 0), none = 0; /* before the rotation: what is written after it counts anew */
    int rotated = frz__rotate(t, NULL, err);
    if (rotated < 0) {
        (void)atomic_compare_exchange_strong(&t->dirty_since_ns, &none, since);
        return rotated;
    }
    if (frz__flush_waiting(t)) return flush_lane(t, true, err);
    nothing_left(t);
    return FRZ_OK;
}

/* ── in the background ── */

static void take_from_queue(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    t->flush_queued = false;
    frz__mutex_unlock(&t->view_mu);
}

static void flush_job(void *arg)
{
    struct table *t = (struct table *)arg;
    frz_error err;
    FAILPOINT_VOID("flush.background");
    take_from_queue(t);
    if (!atomic_load(&t->dropped) && frz__flush_waiting(t)) (void)!flush_lane(t, false, &err);
    else nothing_left(t);
    frz__table_release(t);
}

/* The database is closed before its turn came: it may hold the last count of a table that was dropped meanwhile. */
static void flush_cancelled(void *arg)
{
    struct table *t = (struct table *)arg;
    take_from_queue(t);
    frz__table_release(t);
}

void frz__flush_schedule(struct table *t)
{
    if (!t->db->pool) return;
    frz__mutex_lock(&t->view_mu);
    bool submit = !t->flush_queued;
    t->flush_queued = true;
    frz__mutex_unlock(&t->view_mu);
    if (!submit) return;
    t->flush_job = (struct pool_job){.fn = flush_job, .arg = frz__table_acquire(t), .cancel = flush_cancelled};
    if (!frz__pool_submit(t->db->pool, &t->flush_job, true)) flush_cancelled(t);
}
