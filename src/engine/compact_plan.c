/* compact_plan.c — what the planner is told, and what becomes of its plan: the options as the settings, the use and the memory ask, the files as they are, and the claim.
 *
 * A plan is made under no lock. It holds if, by then, its inputs are still there and nobody else's; else it is made anew, by what the table is then. */
#include "engine/compact_run.h"
#include "engine/flow.h"

#define JOBS_MEMORY 4            /* compactions have a quarter of memory_bytes, in equal shares; */
#define JOBS_MEMORY_SMALL 8      /* where there is little, an eighth: */
#define ROWS_READ_AHEAD 1024     /* of each input, decoded */
#define UNPACKED ((uint64_t)3)   /* bytes in memory of a byte on disk, about */
#define INPUTS_MIN 2             /* at once; fewer make no progress */

uint64_t frz__compact_memory(const struct table *t)
{
    uint64_t memory = t->db->set.memory_bytes;
    return memory / (flow_is_small(memory) ? JOBS_MEMORY_SMALL : JOBS_MEMORY) / t->db->set.compaction_threads;
}

static uint64_t at_most(uint64_t x, uint64_t max) { return x < max ? x : max; }
static uint64_t at_least(uint64_t x, uint64_t min) { return x > min ? x : min; }

/* What the memory allows of a table whose rows have so many bytes each, on disk. */
static void bound_by_memory(struct table *t, struct plan_options *o)
{
    uint64_t share = frz__compact_memory(t), seq;
    struct view *v = frz__view_latest(t, &seq);
    struct view_sums sums = frz__view_sums(v);
    frz__mutex_lock(&t->view_mu);
    uint64_t page = t->settings.write_parquet_page_size_bytes;
    frz__mutex_unlock(&t->view_mu);
    uint64_t rows = sums.rows + 1, row = sums.bytes / rows + 1, one = row * UNPACKED * ROWS_READ_AHEAD + v->schema->count * page;
    one = at_least(one, (uint64_t)(sums.decoded / (double)rows)); /* of rows that pack well, one is held all the same */
    frz__view_release(v);
    o->files_max = RELOC_INPUTS_MAX;
    o->open_max = (size_t)at_most(at_least(share / 2 / one, INPUTS_MIN), RELOC_INPUTS_MAX);
    o->input_bytes_max = at_most(o->input_bytes_max, share / 2 * 8 / reloc_bits(o->open_max) * row); /* where each row went */
    o->target_rows = frz__change_file_rows(t);
    o->target_bytes = at_most(o->target_bytes, o->target_rows * row);
}

void frz__compact_options(struct table *t, struct plan_options *out)
{
    frz__mutex_lock(&t->view_mu);
    const struct table_settings *s = &t->settings;
    frz__mix_look(&t->mix, stat_get(&t->gets), stat_get(&t->rows_put) + stat_get(&t->rows_deleted), frz__clock_mono_ns());
    *out = (struct plan_options){.ratio = (unsigned)s->frazil_level_ratio, .level0_runs_max = (unsigned)s->frazil_level0_runs_max, .masked_percent = (unsigned)s->frazil_compaction_masked_percent,
        .small_files = (unsigned)s->frazil_compaction_small_files, .base_bytes = s->frazil_level_base_bytes, .target_bytes = s->write_target_file_size_bytes,
        .input_bytes_max = s->frazil_compaction_input_bytes_max};
    out->runs_max = s->frazil_level_runs_max ? (unsigned)s->frazil_level_runs_max : frz__plan_runs_max((uint64_t)t->mix.gets, (uint64_t)t->mix.puts, out->ratio);
    frz__mutex_unlock(&t->view_mu);
    bound_by_memory(t, out);
}

/* ── the plan, and the claim ── */

bool frz__compact_made_by(const struct compact_watch *w, uint64_t file_no)
{
    for (size_t i = 0; i < w->made_count; i++)
        if (w->made[i] == file_no) return true;
    return false;
}

void frz__compact_describe(const struct table *t, const struct view *v, const struct compact_watch *watch, struct plan_file *files)
{
    uint64_t left = watch ? 0 : atomic_load(&t->manual_end);
    for (size_t i = 0; i < v->file_count; i++) {
        const struct vfile *f = v->files[i];
        bool later = watch && f->sst->file_no >= watch->file_no_end, made = later && frz__compact_made_by(watch, f->sst->file_no);
        files[i] = (struct plan_file){.bytes = (uint64_t)f->file_size, .rows = f->sst->rows, .dead = frz__mask_count(f->mask), .first = f->sst->first_key, .last = f->sst->last_key, .level = f->sst->level_hint,
                                      .busy = atomic_load(&f->sst->claimed) || f->sst->file_no < left, .foreign = !f->sst->sorted || (later && !made)};
        if (made) files[i].dead = 0;
    }
}

/* The files as they are now, and what else the plan will stand on. */
struct basis { struct view *view; uint64_t manual_end, releases; };

static struct basis look_at(struct table *t)
{
    struct basis b;
    frz__mutex_lock(&t->view_mu);
    b = (struct basis){frz__view_acquire(atomic_load(&t->view)), atomic_load(&t->manual_end), t->claims_released};
    frz__mutex_unlock(&t->view_mu);
    return b;
}

/* Under no lock: writers wait for view_mu, and files may be thousands. */
static int plan_by(struct compaction *c, const struct basis *b, const struct plan_options *o, frz_error *err)
{
    struct table *t = c->t;
    const struct view *v = b->view;
    int rc = frz__view_new(t->a, v->schema, NULL, 0, v->files, v->file_count, v->flushed_seq, v->snapshot_id, &c->view, err); /* its files alone: memtables would stay as long as this runs */
    if (rc < 0) return rc;
    struct plan_file *files = (struct plan_file *)frz__alloc_array(t->jobs_a, v->file_count + 1, sizeof *files);
    if (!files) return frz__err_no_memory(err, v->file_count * sizeof *files);
    frz__compact_describe(t, v, c->watch, files);
    FAILPOINT_VOID("compact.plan");
    rc = frz__plan_pick(t->jobs_a, files, v->file_count, o, &c->plan, err);
    frz__free(t->jobs_a, files);
    return rc;
}

/* S was file INDEX of a view before V: what went since has moved it to the front, if at all. */
static bool still_there(const struct view *v, size_t index, const struct sst *s)
{
    for (size_t i = index < v->file_count ? index + 1 : v->file_count; i-- > 0;)
        if (v->files[i]->sst == s) return true;
    return false;
}

/* view_mu held. Whether nothing came between the plan and its basis: no input went or is claimed, no manual compaction began or ended; and where there is nothing to do, no claim was given back. */
static bool still_holds_locked(const struct compaction *c, const struct basis *b)
{
    const struct table *t = c->t;
    const struct view *now = atomic_load(&t->view);
    if (atomic_load(&t->manual_end) != b->manual_end || (c->plan.count == 0 && t->claims_released != b->releases)) return false;
    for (size_t i = 0; i < c->plan.count; i++) {
        struct sst *s = c->view->files[c->plan.inputs[i]]->sst;
        if (atomic_load(&s->claimed) || !still_there(now, c->plan.inputs[i], s)) return false;
    }
    return true;
}

/* The inputs become ours. False: the plan does not hold any more. */
static bool claim(struct compaction *c, const struct basis *b)
{
    struct table *t = c->t;
    frz__mutex_lock(&t->view_mu);
    bool holds = still_holds_locked(c, b);
    for (size_t i = 0; holds && i < c->plan.count; i++) atomic_store(&c->view->files[c->plan.inputs[i]]->sst->claimed, true);
    t->claimers += holds && c->plan.count > 0;
    frz__mutex_unlock(&t->view_mu);
    return holds;
}

/* *HOLDS = false, and nothing is left of it: others were quicker. */
static int plan_once(struct compaction *c, const struct plan_options *o, bool *holds, frz_error *err)
{
    c->version = frz__version_acquire(c->t); /* before the view: what the view knows beyond it is masked in the view */
    c->base_sequence = c->version->meta->last_sequence_number;
    struct basis b = look_at(c->t);
    int rc = plan_by(c, &b, o, err);
    if (rc >= 0) *holds = claim(c, &b);
    frz__view_release(b.view);
    if (c->watch) {
        c->watch->blocked = rc >= 0 && c->plan.count == 0 && c->plan.blocked;
        c->watch->releases = b.releases;
    }
    if (rc >= 0 && *holds) return rc;
    frz__free(c->t->jobs_a, c->plan.inputs);
    c->plan = (struct plan){.count = 0}; /* nothing is claimed */
    frz__view_release(c->view);
    c->view = NULL;
    frz__version_release(c->version);
    c->version = NULL;
    return rc;
}

int frz__compact_plan(struct compaction *c, const struct plan_options *o, frz_error *err)
{
    bool holds = false;
    c->watch = o->watch;
    while (!holds) TRY(plan_once(c, o, &holds, err)); /* again only if others got on meanwhile */
    return c->plan.count ? FRZ_OK : FRZ_DONE;
}

void frz__compact_unclaim(struct compaction *c)
{
    frz__mutex_lock(&c->t->view_mu);
    for (size_t i = 0; i < c->plan.count; i++) atomic_store(&c->view->files[c->plan.inputs[i]]->sst->claimed, false);
    c->t->claims_released++;
    c->t->claimers--;
    frz__cond_broadcast(&c->t->room); /* who waits for these files */
    frz__mutex_unlock(&c->t->view_mu);
}
