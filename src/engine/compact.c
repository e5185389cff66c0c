/* compact.c — the journey that rewrites files, so that reads stay fast and garbage goes.
 *
 *   1  plan (compact_plan.c): a pure function of the view picks the inputs, under no lock; they are claimed, so that no flush absorbs them and no other compaction takes them
 *   2  merge their live rows into new files, under no lock; which output row came from which input is remembered (view/reloc.h)
 *   3  with the flush lane: what was masked in the inputs meanwhile is masked in the outputs; an input that went takes its rows with it (hazards 5, 6)
 *   4  one commit, operation `replace`, the outputs at the data sequence number of the beginning (hazards 17); then the view
 * A flush never waits for 2, and 3 never reads a key. The claim is a courtesy: what happens to an input all the same is translated like any mask. */
#include "engine/compact_run.h"
#include "engine/flow.h"

#define TRIES_MAX 5
#define ROW_GROUP_BYTES_MIN ((uint64_t)1 << 20)

static uint64_t at_most(uint64_t x, uint64_t max) { return x < max ? x : max; }
static uint64_t at_least(uint64_t x, uint64_t min) { return x > min ? x : min; }

uint64_t frz__compact_input_memory(const struct compaction *c) { return frz__compact_memory(c->t) / 2 / (c->sources->run_count ? c->sources->run_count : 1); }

void frz__compact_profile(const struct compaction *c, struct sst_writer_options *o)
{
    struct table *t = c->t;
    uint64_t share = frz__compact_memory(t);
    o->lineage = compaction_lineage(c);
    o->level_hint = c->plan.level;
    o->row_group_bytes = at_most(o->row_group_bytes, at_least(share / 8, ROW_GROUP_BYTES_MIN)); /* it is held until it ends */
    frz__mutex_lock(&t->view_mu);
    if (c->plan.last) {
        o->page_bytes = (uint32_t)t->settings.write_parquet_page_size_bytes;
        o->level = (int)t->settings.write_parquet_compression_level;
    }
    frz__mutex_unlock(&t->view_mu);
    frz__change_bound(o, share);
}

/* ── 3 ── */

static int mask_output(void *ctx, size_t file, const uint64_t *positions, size_t count)
{
    struct compaction *c = (struct compaction *)ctx;
    struct output *o = &c->change.outputs[file];
    o->fresh = (uint64_t *)frz__alloc_array(c->t->jobs_a, count, sizeof *o->fresh);
    if (!o->fresh) return FRZ_NO_MEMORY;
    memcpy(o->fresh, positions, count * sizeof *o->fresh);
    o->fresh_count = count;
    return FRZ_OK;
}

/* The flush lane held: the change is made one against NOW, whose count it takes, failed or not. */
static int translate(struct compaction *c, struct view *now, frz_error *err)
{
    struct reloc_now *then = (struct reloc_now *)frz__alloc_array(c->t->jobs_a, c->plan.count + 1, sizeof *then);
    if (!then) {
        frz__view_release(now);
        return frz__err_no_memory(err, c->plan.count * sizeof *then);
    }
    int rc = frz__change_rebase(&c->change, now, err);
    for (size_t k = 0; rc >= 0 && k < c->plan.count; k++) {
        then[k].gone = true;
        for (size_t i = 0; i < now->file_count; i++) {
            if (strcmp(now->files[i]->iceberg_path, c->inputs[k]->iceberg_path) != 0) continue;
            then[k] = (struct reloc_now){now->files[i]->mask, false};
            c->change.by_file[i].gone = true;
        }
    }
    if (rc >= 0) rc = frz__reloc_translate(&c->reloc, then, mask_output, c, err);
    if (rc == FRZ_NO_MEMORY) (void)frz__err_no_memory(err, (size_t)c->reloc.rows);
    frz__free(c->t->jobs_a, then);
    return rc;
}

/* The table was upgraded meanwhile, or its first snapshot since gave row ids to what the inputs hold: the outputs don't have them. */
static bool lineage_began(const struct compaction *c, const struct view *now)
{
    if (c->t->version->meta->format_version != c->version->meta->format_version) return true;
    for (size_t k = 0; k < c->plan.count; k++)
        for (size_t i = 0; i < now->file_count; i++)
            if (now->files[i]->first_row_id >= 0 && c->inputs[k]->first_row_id < 0 && strcmp(now->files[i]->iceberg_path, c->inputs[k]->iceberg_path) == 0) return true;
    return false;
}

static int publish_once(struct compaction *c, frz_error *err)
{
    struct table *t = c->t;
    MUST(frz__table_usable(t, true, err));
    if (t->in_doubt) TRY(frz__table_reload(t, err));
    frz__mutex_lock(&t->view_mu);
    struct view *now = frz__view_acquire(atomic_load(&t->view));
    frz__mutex_unlock(&t->view_mu);
    if (!frz__schema_same_reads(now->schema, c->change.base->schema)) { /* it changed meanwhile: the outputs are files of the older one, as the inputs were */
        int rc = frz__change_reopen(&c->change, now->schema, err);
        if (rc < 0) {
            frz__view_release(now);
            return rc;
        }
    }
    if (lineage_began(c, now)) {
        frz__view_release(now);
        return frz__err(err, FRZ_CONFLICT, "%s: its rows were given row ids while files were rewritten", t->name);
    }
    TRY(translate(c, now, err));
    frz__change_drop_dead(&c->change);
    TRY(frz__change_masks(&c->change, err));
    TRY(frz__change_commit(&c->change, (struct ice_edit){.replace = true, .data_sequence_number = c->base_sequence}, err));
    return frz__change_install(&c->change, 0, 0, err);
}

/* Before the commit: what fails for want of memory fails there. */
static int tell_made(struct compaction *c, frz_error *err)
{
    struct compact_watch *w = c->watch;
    if (!w) return FRZ_OK;
    MUST(w->look(w->ctx, &c->plan, c->rows_in, c->rows_in, err));
    for (size_t i = 0; i < c->change.output_count; i++) {
        TRY(frz__grow(c->t->jobs_a, (void **)&w->made, w->made_count, &w->made_cap, sizeof *w->made, err));
        w->made[w->made_count++] = c->change.outputs[i].sst->file_no;
    }
    return FRZ_OK;
}

/* What an earlier job of the same made, and this one rewrote, was there neither before nor after. */
static void tell_done(struct compaction *c)
{
    struct compact_watch *w = c->watch;
    for (size_t i = 0; i < c->plan.count; i++) {
        const struct vfile *f = c->inputs[i];
        w->masked_dropped += frz__mask_count(f->mask);
        if (frz__compact_made_by(w, f->sst->file_no)) {
            w->files_out--;
            w->rows_out -= f->sst->rows;
            w->bytes_out -= (uint64_t)f->file_size;
        } else {
            w->files_in++;
            w->rows_in += f->sst->rows;
            w->bytes_in += (uint64_t)f->file_size;
        }
    }
    for (size_t i = 0; i < c->change.output_count; i++) {
        const struct output *o = &c->change.outputs[i];
        if (o->dead) continue;
        w->files_out++;
        w->rows_out += o->sst->rows;
        w->bytes_out += (uint64_t)o->entry.file_size;
    }
}

static int publish(struct compaction *c, frz_error *err)
{
    struct table *t = c->t;
    int rc = tell_made(c, err);
    if (rc != FRZ_OK) return rc;
    frz__mutex_lock(&t->flush_mu);
    for (int tries = 0;; tries++) {
        rc = publish_once(c, err);
        if (rc != FRZ_CONFLICT || c->change.committed || tries == TRIES_MAX) break;
        rc = frz__table_reload(t, err);
        if (rc < 0) break;
    }
    frz__mutex_unlock(&t->flush_mu);
    if (rc == FRZ_OK && c->watch) tell_done(c);
    return rc;
}

/* ── the whole ── */

void frz__compact_end(struct compaction *c)
{
    if (!c) return;
    if (c->plan.count) frz__compact_unclaim(c);
    if (c->counted) frz__flow_compact_end(c->t);
    if (c->changing) frz__change_clear(&c->change);
    frz__compact_parts_clear(c);
    frz__reloc_clear(&c->reloc);
    frz__free(c->t->jobs_a, c->plan.inputs);
    frz__view_release(c->sources);
    frz__view_release(c->view);
    frz__version_release(c->version);
    frz__free(c->t->jobs_a, c);
}

static int take_inputs(struct compaction *c, frz_error *err)
{
    const struct view *v = c->view;
    struct vfile **inputs = (struct vfile **)frz__alloc_array(c->t->jobs_a, c->plan.count, sizeof *inputs);
    if (!inputs) return frz__err_no_memory(err, c->plan.count * sizeof *inputs);
    for (size_t i = 0; i < c->plan.count; i++) inputs[i] = v->files[c->plan.inputs[i]];
    int rc = frz__view_new(c->t->jobs_a, v->schema, NULL, 0, inputs, c->plan.count, v->flushed_seq, v->snapshot_id, &c->sources, err);
    frz__free(c->t->jobs_a, inputs);
    if (rc < 0) return rc;
    c->inputs = c->sources->files;
    c->rows_in = c->sources->rows;
    return rc;
}

int frz__compact_begin(struct table *t, const struct plan_options *o, struct compaction **out, frz_error *err)
{
    struct compaction *c = NULL;
    *out = NULL;
    MUST(frz__table_usable(t, true, err));
    TRY(ALLOC_NEW(&c, t->jobs_a, struct compaction, err));
    c->t = t;
    int rc = frz__compact_plan(c, o, err);
    if (rc == FRZ_OK) rc = take_inputs(c, err);
    if (rc == FRZ_OK) {
        frz__flow_compact_begin(t);
        c->counted = true;
        *out = c;
    } else frz__compact_end(c);
    return rc;
}

static int run(struct compaction *c, frz_error *err)
{
    struct table *t = c->t;
    c->changing = true;
    TRY(frz__change_init(&c->change, t, frz__view_acquire(c->view), c->version, err));
    TRY(frz__reloc_init(&c->reloc, t->jobs_a, c->plan.count, c->sources->by_key, c->sources->runs, c->sources->run_count, err));
    for (size_t i = 0; i < c->plan.count; i++) {
        c->reloc.inputs[i].rows = c->inputs[i]->sst->rows;
        c->reloc.inputs[i].mask = c->inputs[i]->mask;
    }
    FAILPOINT("compact.begin", err);
    frz__running_phase(t->db, &c->job, "write");
    MUST(frz__compact_merge(c, err));
    FAILPOINT("compact.after_data", err);
    TRY(frz__change_readers(&c->change, err));
    frz__running_phase(t->db, &c->job, "sync");
    TRY(frz__change_sync(&c->change, err)); /* no flush waits for it */
    frz__running_phase(t->db, &c->job, "commit");
    MUST(publish(c, err));
    return FRZ_OK;
}

static void tell_end(const struct compaction *c, int rc, int64_t since, const frz_error *err)
{
    struct event_info i = {.duration_us = (uint64_t)(frz__clock_mono_ns() - since) / 1000, .files_in = c->plan.count, .files_out = c->change.output_count, .bytes_in = c->plan.input_bytes, .bytes_out = c->change.bytes,
                           .rows_out = c->change.rows, .status = rc, .reason = frz__plan_reason_name(c->plan.reason), .message = rc == FRZ_OK ? NULL : err->message};
    frz__event(c->t->db, c->t, rc == FRZ_OK ? FRZ_EVENT_COMPACTION_END : FRZ_EVENT_COMPACTION_FAILED, &i);
}

static uint64_t level0_bytes(const struct compaction *c)
{
    uint64_t bytes = 0;
    for (size_t k = 0; k < c->plan.count && c->plan.level > 0; k++)
        if (c->inputs[k]->sst->level_hint == 0) bytes += (uint64_t)c->inputs[k]->file_size;
    return bytes;
}

/* The health is told of what failed, not that it was stopped. */
static void note(const struct compaction *c, int rc, const frz_error *err)
{
    struct table *t = c->t;
    if (rc == FRZ_OK) frz__health_ok(t->db, t, HEALTH_COMPACTION);
    else if (rc < 0 && rc != FRZ_CANCELLED && !atomic_load(&t->db->closing) && !atomic_load(&t->dropped)) (void)frz__health_fail(t->db, t, HEALTH_COMPACTION, err);
}

int frz__compact_run(struct compaction *c, struct compact_result *out, frz_error *err)
{
    struct table *t = c->t;
    int64_t since = frz__clock_mono_ns();
    frz_error own = {0};
    frz__event(t->db, t, FRZ_EVENT_COMPACTION_BEGIN, &(struct event_info){.files_in = c->plan.count, .bytes_in = c->plan.input_bytes, .reason = frz__plan_reason_name(c->plan.reason)});
    frz__running_begin(t->db, &c->job, t, "compaction", frz__plan_reason_name(c->plan.reason));
    atomic_store(&c->job.bytes_in, c->plan.input_bytes);
    atomic_store(&c->job.rows_total, c->rows_in);
    uint64_t needs = frz__compact_memory(t) / 2 * 3; /* and what a file's filter and the account of rows take beside it */
    frz__flow_job_begin(t->db, needs);
    frz__flow_digest_begin(t);
    int rc = run(c, &own);
    frz__flow_job_end(t->db, needs);
    frz__flow_digest_end(t, rc == FRZ_OK ? level0_bytes(c) : 0);
    frz__running_end(t->db, &c->job);
    tell_end(c, rc, since, &own);
    note(c, rc, &own);
    if (rc != FRZ_OK) {
        if (err) *err = own;
        return rc;
    }
    stat_add(&t->compactions, 1);
    stat_add(&t->compact_bytes_in, c->plan.input_bytes);
    stat_add(&t->compact_bytes_out, c->change.bytes);
    latency_add(&t->compaction_latency, (uint64_t)(frz__clock_mono_ns() - since) / 1000);
    if (out) *out = (struct compact_result){c->plan.reason, c->plan.count, c->change.output_count, c->plan.input_bytes, c->change.bytes, c->change.rows, c->plan.level};
    return FRZ_OK;
}

int frz__compact(struct table *t, const struct plan_options *o, struct compact_result *out, frz_error *err)
{
    struct compaction *c = NULL;
    int rc = frz__compact_begin(t, o, &c, err);
    if (rc == FRZ_OK) rc = frz__compact_run(c, out, err);
    frz__compact_end(c);
    return rc;
}
