/* compact.c — the journey that rewrites files, so that reads stay fast and garbage goes.
 *
 *   1  plan: a pure function of the view picks the inputs; they are claimed, so that no flush absorbs them and no other compaction takes them
 *   2  merge their live rows into new files, under no lock; which output row came from which input is remembered (view/reloc.h)
 *   3  with the flush lane: what was masked in the inputs meanwhile is masked in the outputs; an input that went takes its rows with it (hazards 5, 6)
 *   4  one commit, operation `replace`, the outputs at the data sequence number of the beginning (hazards 17); then the view
 * A flush never waits for 2, and 3 never reads a key. The claim is a courtesy: what happens to an input all the same is translated like any mask. */
#include "engine/compact.h"
#include "view/reloc.h"

#define TRIES_MAX 5
#define LOOK_ROWS 4096 /* between looks at whether it is still wanted */

struct compaction {
    struct table *t;
    struct version *version;
    struct view *view;     /* of the plan */
    struct plan plan;
    struct vfile **inputs; /* counted by the view */
    struct reloc reloc;
    struct change change;
    bool changing;
    int64_t base_sequence;
};

void frz__compact_options(struct table *t, struct plan_options *out)
{
    frz__mutex_lock(&t->view_mu);
    const struct table_settings *s = &t->settings;
    uint64_t puts = stat_get(&t->rows_put) + stat_get(&t->rows_deleted), gets = stat_get(&t->db->gets);
    *out = (struct plan_options){.ratio = (unsigned)s->frazil_level_ratio, .level0_runs_max = (unsigned)s->frazil_level0_runs_max, .masked_percent = (unsigned)s->frazil_compaction_masked_percent,
        .small_files = (unsigned)s->frazil_compaction_small_files, .base_bytes = s->frazil_level_base_bytes, .target_bytes = s->write_target_file_size_bytes,
        .input_bytes_max = s->frazil_compaction_input_bytes_max, .files_max = RELOC_INPUTS_MAX};
    out->runs_max = s->frazil_level_runs_max ? (unsigned)s->frazil_level_runs_max : frz__plan_runs_max(gets, puts, out->ratio);
    frz__mutex_unlock(&t->view_mu);
}

/* ── 1 ── */

static int describe(const struct view *v, struct plan_file *files)
{
    for (size_t i = 0; i < v->file_count; i++) {
        const struct vfile *f = v->files[i];
        files[i] = (struct plan_file){.bytes = (uint64_t)f->file_size, .rows = f->sst->rows, .dead = frz__mask_count(f->mask), .first = f->sst->first_key, .last = f->sst->last_key, .level = f->sst->level_hint,
                                      .busy = atomic_load(&f->sst->claimed), .foreign = !f->sst->sorted};
    }
    return FRZ_OK;
}

static int plan(struct compaction *c, const struct plan_options *o, frz_error *err)
{
    struct table *t = c->t;
    struct plan_file *files = NULL;
    int rc = FRZ_OK;
    c->version = frz__version_acquire(t); /* before the view: what the view knows beyond it is masked in the view */
    c->base_sequence = c->version->meta->last_sequence_number;
    frz__mutex_lock(&t->view_mu);
    c->view = frz__view_acquire(atomic_load(&t->view));
    files = (struct plan_file *)frz__alloc_array(t->jobs_a, c->view->file_count + 1, sizeof *files);
    rc = files ? describe(c->view, files) : frz__err_no_memory(err, c->view->file_count * sizeof *files);
    if (rc >= 0) rc = frz__plan_pick(t->jobs_a, files, c->view->file_count, o, &c->plan, err);
    for (size_t i = 0; rc >= 0 && i < c->plan.count; i++) atomic_store(&c->view->files[c->plan.inputs[i]]->sst->claimed, true);
    frz__mutex_unlock(&t->view_mu);
    frz__free(t->jobs_a, files);
    return rc < 0 ? rc : c->plan.count ? FRZ_OK : FRZ_DONE;
}

static void unclaim(struct compaction *c)
{
    frz__mutex_lock(&c->t->view_mu);
    for (size_t i = 0; i < c->plan.count; i++) atomic_store(&c->view->files[c->plan.inputs[i]]->sst->claimed, false);
    frz__mutex_unlock(&c->t->view_mu);
}

/* ── 2 ── */

static int merge_of(struct compaction *c, struct iter **out, frz_error *err)
{
    const allocator *a = c->t->jobs_a;
    struct iter **sources = (struct iter **)frz__alloc_array(a, c->plan.count + 1, sizeof *sources);
    size_t n = 0;
    int rc = sources ? FRZ_OK : frz__err_no_memory(err, c->plan.count * sizeof *sources);
    for (; rc >= 0 && n < c->plan.count; n++) {
        const struct vfile *v = c->inputs[n];
        struct sst_scan_options o = {.lineage = c->t->format_version >= 3, .keys = true, .mask = v->mask, .mask_fn = v->mask ? frz__mask_clear_dead : NULL};
        c->reloc.inputs[n].rows = v->sst->rows;
        c->reloc.inputs[n].mask = v->mask;
        rc = frz__sst_iter_new(v->sst, &o, &sources[n], err);
        if (rc < 0) break;
        sources[n]->tag = n;
    }
    if (rc >= 0) rc = frz__merge_new(a, sources, n, false, false, out, err); /* takes them */
    else
        for (size_t i = 0; i < n; i++) iter_free(sources[i]);
    frz__free(a, sources);
    return rc;
}

static int still_wanted(const struct compaction *c, frz_error *err)
{
    if (atomic_load(&c->t->db->closing)) return frz__err(err, FRZ_MISUSE, "the database is being closed");
    return atomic_load(&c->t->dropped) ? frz__err(err, FRZ_NOT_FOUND, "%s was dropped", c->t->name) : FRZ_OK;
}

static int rewrite(struct compaction *c, frz_error *err)
{
    struct iter *it = NULL;
    uint64_t rows = 0;
    int rc = FRZ_OK;
    bool v3 = c->t->format_version >= 3;
    c->change.writer_options.lineage = v3;
    c->change.writer_options.level_hint = c->plan.level;
    c->change.file_bytes_max = c->plan.output_bytes;
    CHECK(merge_of(c, &it, err));
    while ((rc = iter_next(it, err)) == FRZ_OK) {
        int64_t row_id = -1, updated = -1;
        size_t files = c->change.output_count;
        if (rows++ % LOOK_ROWS == 0) {
            rc = still_wanted(c, err);
            if (rc != FRZ_OK) goto done;
        }
        CHECK(frz__change_room(&c->change, err));
        if (files && files != c->change.output_count) CHECK(frz__reloc_next_file(&c->reloc, err));
        if (v3) frz__change_lineage(c->inputs[it->tag], it->vecs, it->index, it->pos, &row_id, &updated);
        CHECK(frz__sst_add_vec(c->change.writer, it->key, it->vecs, it->index, row_id, updated, err));
        CHECK(frz__reloc_add(&c->reloc, (size_t)it->tag, err));
    }
    if (rc == FRZ_DONE) rc = frz__change_end(&c->change, err);
    if (rc >= 0) rc = frz__reloc_check(&c->reloc, err);
done:
    iter_free(it);
    return rc;
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

/* The flush lane held: the change is made one against NOW. */
static int translate(struct compaction *c, struct view *now, frz_error *err)
{
    struct reloc_now *then = (struct reloc_now *)frz__alloc_array(c->t->jobs_a, c->plan.count + 1, sizeof *then);
    int rc = then ? frz__change_rebase(&c->change, now, err) : frz__err_no_memory(err, c->plan.count * sizeof *then);
    for (size_t k = 0; rc >= 0 && k < c->plan.count; k++) {
        then[k].gone = true;
        for (size_t i = 0; i < now->file_count; i++) {
            if (strcmp(now->files[i]->iceberg_path, c->inputs[k]->iceberg_path) != 0) continue;
            then[k] = (struct reloc_now){now->files[i]->mask, false};
            c->change.by_file[i].gone = true;
        }
    }
    if (rc >= 0) rc = frz__reloc_translate(&c->reloc, then, mask_output, c, err);
    if (rc == FRZ_NO_MEMORY) (void)frz__err_no_memory(err, c->reloc.source.len);
    frz__free(c->t->jobs_a, then);
    return rc;
}

static int publish_once(struct compaction *c, frz_error *err)
{
    struct table *t = c->t;
    MUST(frz__table_usable(t, true, err));
    if (t->in_doubt) TRY(frz__table_reload(t, err));
    frz__mutex_lock(&t->view_mu);
    struct view *now = frz__view_acquire(atomic_load(&t->view));
    frz__mutex_unlock(&t->view_mu);
    if (now->schema->schema_id != c->view->schema->schema_id) {
        frz__view_release(now);
        return frz__err(err, FRZ_CONFLICT, "%s: its schema changed while files were rewritten", t->name);
    }
    TRY(translate(c, now, err)); /* takes NOW's count */
    frz__change_drop_dead(&c->change);
    TRY(frz__change_masks(&c->change, err));
    TRY(frz__change_commit(&c->change, (struct ice_edit){.replace = true, .data_sequence_number = c->base_sequence}, err));
    return frz__change_install(&c->change, 0, 0, err);
}

static int publish(struct compaction *c, frz_error *err)
{
    struct table *t = c->t;
    int rc = FRZ_OK;
    frz__mutex_lock(&t->flush_mu);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        rc = publish_once(c, err);
        if (rc != FRZ_CONFLICT || c->change.committed) break;
        rc = frz__table_reload(t, err);
        if (rc < 0) break;
    }
    frz__mutex_unlock(&t->flush_mu);
    return rc;
}

/* ── the whole ── */

static void clear(struct compaction *c)
{
    if (c->plan.count) unclaim(c);
    if (c->changing) frz__change_clear(&c->change);
    frz__reloc_clear(&c->reloc);
    frz__free(c->t->jobs_a, c->inputs);
    frz__free(c->t->jobs_a, c->plan.inputs);
    frz__view_release(c->view);
    frz__version_release(c->version);
}

int frz__compact(struct table *t, const struct plan_options *o, struct compact_result *out, frz_error *err)
{
    struct compaction c = {.t = t};
    int64_t since = frz__clock_mono_ns();
    int rc = frz__table_usable(t, true, err);
    if (rc != FRZ_OK) return rc;
    rc = plan(&c, o, err);
    if (rc != FRZ_OK) goto done;
    c.inputs = (struct vfile **)frz__alloc_array(t->jobs_a, c.plan.count, sizeof *c.inputs);
    CHECK(c.inputs ? FRZ_OK : frz__err_no_memory(err, c.plan.count * sizeof *c.inputs));
    for (size_t i = 0; i < c.plan.count; i++) c.inputs[i] = c.view->files[c.plan.inputs[i]];
    c.changing = true;
    CHECK(frz__change_init(&c.change, t, frz__view_acquire(c.view), c.version, err));
    CHECK(frz__reloc_init(&c.reloc, t->jobs_a, c.plan.count, err));
    FAILPOINT_CHECK("compact.begin", err);
    CHECK(rewrite(&c, err));
    FAILPOINT_CHECK("compact.after_data", err);
    CHECK(frz__change_readers(&c.change, err));
    CHECK(publish(&c, err));
    stat_add(&t->compactions, 1);
    stat_add(&t->compact_bytes_in, c.plan.input_bytes);
    stat_add(&t->compact_bytes_out, c.change.bytes);
    stat_add(&t->compact_us_total, (uint64_t)(frz__clock_mono_ns() - since) / 1000);
    if (out) *out = (struct compact_result){c.plan.reason, c.plan.count, c.change.output_count, c.plan.input_bytes, c.change.bytes, c.change.rows, c.plan.level};
    rc = FRZ_OK;
done:
    clear(&c);
    return rc;
}
