/* compact_manual.c — the host's own compaction.
 *
 *   1  publish what is visible, so that it is in; let those that run come to their end: what they make of it is in, too. No other one takes these files from then on
 *   2  plan and run one job (compact.c) of the files that were there by then, and of what this one made of them, until there is none
 *   3  where all that is left is in the hands of another job: wait until that one lets go, then 2
 * Writers may go on for ever, and it ends all the same: what they flush meanwhile is none of its business. Close waits until all of these are gone. */
#include "engine/compact_manual.h"

#define CONFLICTS_MAX 5 /* one after the other: somebody commits all the time */
#define TELL_NS ((int64_t)20 * 1000000)
#define WAIT_NS ((int64_t)100 * 1000000) /* between looks at the host's wish while another job is waited for */

struct manual {
    struct table *t;
    const frz_compact_options *o;
    struct plan_options plan;
    struct compact_watch watch;
    frz_compact_result *out;
    frz_compact_progress progress;
    uint64_t rows_done, bytes_done, files_done; /* by jobs that are published */
    int64_t since_ns, rewriting_since_ns;
    _Atomic int64_t told_ns;
    _Atomic bool telling, cancelled;
};

/* ── one of the database's ── */

static int begin(struct table *t, frz_error *err)
{
    struct db *db = t->db;
    frz__mutex_lock(&db->tables_mu);
    bool stop = atomic_load(&db->manual_stop);
    if (!stop) db->manual_count++;
    frz__mutex_unlock(&db->tables_mu);
    if (stop) return frz__err(err, FRZ_MISUSE, "the database is being closed");
    (void)frz__table_acquire(t);
    return FRZ_OK;
}

static void end(struct table *t)
{
    struct db *db = t->db;
    frz__table_release(t);
    frz__mutex_lock(&db->tables_mu);
    db->manual_count--;
    frz__cond_broadcast(&db->manual_gone);
    frz__mutex_unlock(&db->tables_mu);
}

void frz__compact_manual_stop(struct db *db)
{
    frz__mutex_lock(&db->tables_mu);
    atomic_store(&db->manual_stop, true);
    frz__rate_stop(&db->compact_rate); /* who waits for his turn looks up */
    for (size_t i = 0; i < db->table_count; i++) { /* who waits for another job hears of it */
        frz__mutex_lock(&db->tables[i]->view_mu);
        frz__cond_broadcast(&db->tables[i]->room);
        frz__mutex_unlock(&db->tables[i]->view_mu);
    }
    while (db->manual_count) frz__cond_wait(&db->manual_gone, &db->tables_mu);
    frz__mutex_unlock(&db->tables_mu);
}

/* ── what the host hears ── */

static int cancelled(frz_error *err) { return frz__err(err, FRZ_CANCELLED, "the compaction was cancelled"); }

/* ROWS, BYTES: of the job at work. ALWAYS: not only if it is time; so is what begins a phase, however short the one before it was. */
static int tell(struct manual *m, int phase, uint64_t rows, uint64_t bytes, bool always, frz_error *err)
{
    struct table *t = m->t;
    if (atomic_load(&t->db->manual_stop)) return frz__err(err, FRZ_CANCELLED, "the compaction was cancelled: the database is being closed");
    if (atomic_load(&t->dropped)) return frz__err(err, FRZ_NOT_FOUND, "%s was dropped", t->name);
    if (atomic_load(&m->cancelled)) return cancelled(err);
    int64_t now = frz__clock_mono_ns();
    if (phase != m->progress.phase) always = true;
    if (!m->o->progress || (!always && now - atomic_load(&m->told_ns) < TELL_NS) || atomic_exchange(&m->telling, true)) return FRZ_OK;
    frz_compact_progress *p = &m->progress;
    atomic_store(&m->told_ns, now);
    p->phase = phase;
    if (m->rows_done + rows > p->rows_done) p->rows_done = m->rows_done + rows; /* pieces of a job tell out of order */
    if (m->bytes_done + bytes > p->bytes_done) p->bytes_done = m->bytes_done + bytes;
    p->files_done = m->files_done;
    if (p->rows_done > p->rows_total) p->rows_total = p->rows_done;
    if (p->bytes_done > p->bytes_total) p->bytes_total = p->bytes_done;
    if (p->files_done > p->files_total) p->files_total = p->files_done;
    p->elapsed_ms = (now - m->since_ns) / 1000000;
    p->eta_ms = p->bytes_done ? (int64_t)((double)(now - m->rewriting_since_ns) / 1e6 * (double)(p->bytes_total - p->bytes_done) / (double)p->bytes_done) : -1;
    if (m->o->progress(m->o->ctx, p)) atomic_store(&m->cancelled, true);
    atomic_store(&m->telling, false);
    return atomic_load(&m->cancelled) ? cancelled(err) : FRZ_OK;
}

static int look(void *ctx, const struct plan *plan, uint64_t rows_done, uint64_t rows_total, frz_error *err)
{
    double share = rows_total ? (double)rows_done / (double)rows_total : 1;
    return tell((struct manual *)ctx, FRZ_COMPACT_REWRITE, rows_done, (uint64_t)((double)plan->input_bytes * share), rows_done == rows_total, err);
}

/* ── what there is to do ── */

static int file_of(struct manual *m, const struct vfile *v, enum plan_reason why, frz_error *err)
{
    frz_compact_file f = {.struct_size = sizeof f, .level = v->sst->level_hint, .path = v->sst->path, .reason = frz__plan_reason_name(why), .rows = v->sst->rows, .rows_masked = frz__mask_count(v->mask),
        .bytes = (uint64_t)v->file_size};
    m->out->files_in++;
    m->out->bytes_in += f.bytes;
    m->out->rows_in += f.rows;
    m->out->rows_masked += f.rows_masked;
    return m->o->file && m->o->file(m->o->ctx, &f) ? cancelled(err) : FRZ_OK;
}

/* Adds what is left to what is done; a dry run says it file by file. */
static int survey(struct manual *m, frz_error *err)
{
    struct table *t = m->t;
    frz__mutex_lock(&t->view_mu);
    struct view *v = frz__view_acquire(atomic_load(&t->view));
    frz__mutex_unlock(&t->view_mu);
    struct plan_file *files = (struct plan_file *)frz__alloc_array(t->jobs_a, v->file_count + 1, sizeof *files);
    enum plan_reason *why = (enum plan_reason *)frz__alloc_array(t->jobs_a, v->file_count + 1, sizeof *why);
    size_t *order = (size_t *)frz__alloc_array(t->jobs_a, v->file_count + 1, sizeof *order);
    int rc = files && why && order ? FRZ_OK : frz__err_no_memory(err, v->file_count * sizeof *files);
    uint64_t rows = 0, bytes = 0, count = 0;
    if (rc >= 0) {
        frz__compact_describe(t, v, &m->watch, files);
        rc = frz__plan_scope(t->jobs_a, files, v->file_count, &m->plan, why, order, &count, err);
    }
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        const struct plan_file *f = &files[order[i]];
        rows += f->rows - f->dead;
        bytes += plan_live_bytes(f);
        if (m->o->dry_run) rc = file_of(m, v->files[order[i]], why[order[i]], err);
    }
    frz__free(t->jobs_a, files);
    frz__free(t->jobs_a, why);
    frz__free(t->jobs_a, order);
    frz__view_release(v);
    m->progress.rows_total = m->rows_done + rows;
    m->progress.bytes_total = m->bytes_done + bytes;
    m->progress.files_total = m->files_done + count;
    return rc;
}

/* ── the jobs ── */

/* Until a claim of this table was given back since the last plan, or it is time to ask the host. */
static int wait_for_others(struct manual *m, frz_error *err)
{
    struct table *t = m->t;
    int64_t until = frz__clock_mono_ns() + WAIT_NS;
    bool in_time = true;
    frz__mutex_lock(&t->view_mu);
    while (in_time && t->claims_released == m->watch.releases && !atomic_load(&t->db->manual_stop) && !atomic_load(&t->dropped)) in_time = frz__cond_wait_until(&t->room, &t->view_mu, until);
    frz__mutex_unlock(&t->view_mu);
    return tell(m, FRZ_COMPACT_WAIT, 0, 0, true, err);
}

static int run_jobs(struct manual *m, frz_error *err)
{
    m->rewriting_since_ns = frz__clock_mono_ns();
    for (int conflicts = 0;;) {
        struct compact_result r;
        TRY(survey(m, err));
        int rc = frz__compact(m->t, &m->plan, &r, err);
        if (rc == FRZ_DONE && !m->watch.blocked) return FRZ_OK;
        if (rc == FRZ_DONE) {
            MUST(wait_for_others(m, err));
            continue;
        }
        if (rc == FRZ_CONFLICT && ++conflicts < CONFLICTS_MAX) continue; /* by what the table is now */
        if (rc != FRZ_OK) return rc;
        conflicts = 0;
        m->out->jobs = ++m->progress.jobs;
        m->files_done += r.files_in;
        m->out->files_in = m->watch.files_in;
        m->out->files_out = m->watch.files_out;
        m->out->bytes_in = m->watch.bytes_in;
        m->out->bytes_out = m->watch.bytes_out;
        m->out->rows_in = m->watch.rows_in;
        m->out->rows_out = m->watch.rows_out;
        m->out->rows_masked = m->watch.masked_dropped;
        m->rows_done += r.rows;
        m->bytes_done += r.bytes_in;
        MUST(tell(m, FRZ_COMPACT_REWRITE, 0, 0, true, err));
    }
}

/* Nobody begins another one while those that run are waited for. */
static int begin_alone(struct manual *m, frz_error *err)
{
    struct table *t = m->t;
    for (;;) {
        frz__mutex_lock(&t->view_mu);
        bool alone = t->claimers == 0;
        m->watch.file_no_end = atomic_load(&t->db->next_file_no);
        m->watch.releases = t->claims_released;
        atomic_store(&t->manual_end, alone ? m->watch.file_no_end : UINT64_MAX);
        frz__mutex_unlock(&t->view_mu);
        if (alone) return FRZ_OK;
        MUST(wait_for_others(m, err));
    }
}

static int rewrite(struct manual *m, frz_error *err)
{
    struct table *t = m->t;
    frz__mutex_lock(&t->view_mu);
    t->manuals++;
    frz__mutex_unlock(&t->view_mu);
    int rc = begin_alone(m, err);
    if (rc == FRZ_OK) rc = run_jobs(m, err);
    frz__mutex_lock(&t->view_mu);
    t->manuals--;
    atomic_store(&t->manual_end, t->manuals ? atomic_load(&t->db->next_file_no) : 0);
    frz__mutex_unlock(&t->view_mu);
    frz__compact_schedule(t); /* what was left to this one */
    return rc;
}

static int whole(struct manual *m, frz_error *err)
{
    struct table *t = m->t;
    if (!m->o->no_flush && !m->o->dry_run) {
        MUST(tell(m, FRZ_COMPACT_FLUSH, 0, 0, true, err));
        MUST(frz__flush(t, err));
    }
    if (!m->o->dry_run) {
        MUST(rewrite(m, err));
        if (m->plan.from.data == NULL && m->plan.to.data == NULL) frz__compact_nothing_left(t);
        return FRZ_OK;
    }
    m->watch.file_no_end = atomic_load(&t->db->next_file_no);
    return survey(m, err);
}

int frz__compact_manual(struct table *t, slice from, slice to, const frz_compact_options *o, frz_compact_result *out, frz_error *err)
{
    struct manual m = {.t = t, .o = o, .out = out, .since_ns = frz__clock_mono_ns()};
    m.progress.struct_size = sizeof m.progress;
    MUST(frz__table_usable(t, !o->dry_run, err));
    TRY(begin(t, err));
    frz__compact_options(t, &m.plan);
    m.plan.whole = true;
    m.plan.from = from;
    m.plan.to = to;
    m.plan.watch = &m.watch;
    m.watch.look = look;
    m.watch.ctx = &m;
    int rc = whole(&m, err);
    if (rc != FRZ_OK && rc != FRZ_CANCELLED && atomic_load(&t->dropped)) rc = frz__err(err, FRZ_NOT_FOUND, "%s was dropped", t->name); /* what failed did so for that */
    out->elapsed_us = (uint64_t)(frz__clock_mono_ns() - m.since_ns) / 1000;
    frz__free(t->jobs_a, m.watch.made);
    end(t);
    return rc;
}
