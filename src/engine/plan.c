#include "engine/plan.h"

#include "engine/planner.h"

static void merge_level(struct planner *p, unsigned i, enum plan_reason why)
{
    if (why == PLAN_RUNS && frz__planner_gather(p, i, why)) return;
    if (i + 1 >= p->last) {
        frz__planner_push(p, i, why);
        return;
    }
    frz__planner_add_level(p, i); /* tiered: a run more there */
    frz__planner_decide(p, why, i + 1);
}

static double score_of(const struct planner *p, unsigned i, enum plan_reason *why)
{
    const struct plan_level *l = &p->levels[i];
    if (l->free.file_count == 0 || i >= PLAN_LEVELS_MAX) return 0;
    *why = PLAN_RUNS;
    if (i == 0) return (double)l->free.run_count / (p->o->level0_runs_max + 1);
    double size = (double)l->bytes / (double)frz__plan_capacity(p->o, i);
    unsigned runs_max = i >= p->last ? 1 : p->o->runs_max;
    if (i < p->last) size /= runs_max;
    double runs = (double)l->free.run_count / (runs_max + 1);
    if (size <= runs) return runs;
    *why = PLAN_SIZE;
    return size > 1 ? size : 0;
}

/* FILE is not alone on its level where it lies: runs are gathered greedily, so that one behind the first may hold files that overlap none. */
static bool is_overlapped(const struct planner *p, const struct plan_set *s, size_t file)
{
    size_t n = 0;
    for (size_t r = 0; r < s->run_count && n < 2; r++) { /* itself is one */
        struct plan_span span = frz__plan_overlapped(&p->f, s, r, file);
        n += span.end - span.from;
    }
    return n > 1;
}

/* The last level has more than one run: two pushes side by side, or one that was too wide, left files that overlap. The smallest such file and its neighbours become one run again. */
static void mend_last(struct planner *p)
{
    const struct plan_set *s = &p->levels[p->last].free;
    size_t best = SIZE_MAX;
    for (size_t k = s->run_count ? s->runs[0].count : 0; k < s->file_count; k++) {
        size_t file = s->files[k];
        if (best != SIZE_MAX && p->live[file] >= p->live[best]) continue;
        if (is_overlapped(p, s, file)) best = file;
    }
    if (best == SIZE_MAX) return;
    frz__planner_add(p, best);
    frz__planner_add_within(p, p->last, p->files[best].first, p->files[best].last, UINT64_MAX);
    uint64_t most = frz__planner_most_bytes(p);
    for (size_t n = 1; n < p->out->count; n++) frz__planner_add_within(p, p->last, p->files[p->out->inputs[n]].first, p->files[p->out->inputs[n]].last, most); /* a wide file is not rewritten for each that it overlaps */
    if (p->out->count < 2) frz__planner_nothing(p); /* what it overlaps is busy */
    else frz__planner_decide(p, PLAN_RUNS, p->last);
}

static void pick_level(struct planner *p)
{
    double best = 0;
    unsigned level = 0;
    enum plan_reason reason = PLAN_NOTHING, why = PLAN_NOTHING;
    for (unsigned i = 0; i <= p->last && i < PLAN_LEVELS_MAX; i++) {
        double s = score_of(p, i, &why);
        if (s < 1 || s <= best) continue;
        best = s;
        level = i;
        reason = why;
    }
    if (reason == PLAN_NOTHING) return;
    if (level == p->last && reason == PLAN_RUNS) mend_last(p);
    else merge_level(p, level, reason);
}

/* ── single files ── */

static void pick_masked(struct planner *p)
{
    double worst = 0;
    size_t best = SIZE_MAX;
    uint64_t all = 0;
    for (size_t k = 0; k < p->f.count; k++) all += p->files[k].bytes;
    for (size_t k = 0; k < p->f.count; k++) {
        const struct plan_file *f = &p->files[k];
        if (f->busy || f->foreign || !frz__plan_worth_rewriting(f, p->o, p->last, all)) continue;
        double share = (double)f->dead / (double)f->rows;
        if (best != SIZE_MAX && share <= worst) continue;
        worst = share;
        best = k;
    }
    if (best == SIZE_MAX) return;
    frz__planner_add(p, best);
    frz__planner_decide(p, PLAN_MASKED, p->files[best].level);
}

/* Neighbours of one run that fit into one file: keys that only grow leave rows of them, which no other reason would ever touch. */
static void pick_small(struct planner *p)
{
    size_t wanted = p->o->small_files < p->o->files_max ? p->o->small_files : p->o->files_max; /* where so few may be merged at once, fewer are worth it */
    for (unsigned i = 0; i <= p->last && p->o->small_files > 1; i++) {
        const struct plan_set *s = &p->levels[i].free;
        for (size_t r = 0; r < s->run_count; r++) {
            const size_t *files = s->files + s->runs[r].first;
            for (size_t from = 0; from < s->runs[r].count; from++) {
                uint64_t bytes = 0, largest = 0, rows = 0;
                size_t n = 0;
                while (from + n < s->runs[r].count && n < p->o->files_max) {
                    uint64_t more = p->live[files[from + n]];
                    if (bytes + more > p->o->target_bytes || bytes + more > p->o->input_bytes_max) break;
                    if (i < p->last && frz__planner_bytes_within(p, i + 1, p->files[files[from]].first, p->files[files[from + n]].last) > frz__planner_most_below(p)) break; /* a piece is small on purpose */
                    rows += p->files[files[from + n]].rows - p->files[files[from + n]].dead;
                    if (p->o->target_rows && rows > p->o->target_rows) break;
                    bytes += more;
                    if (more > largest) largest = more;
                    n++;
                }
                if (n < wanted || largest > bytes / 2) continue; /* a large one is not rewritten for the sake of crumbs */
                for (size_t k = 0; k < n; k++) frz__planner_add(p, files[from + k]);
                frz__planner_decide(p, PLAN_SMALL, i);
                p->out->output_bytes = p->o->target_bytes;
                p->out->one_file = true;
                return;
            }
        }
    }
}

static void number_runs(struct planner *p, unsigned level)
{
    const struct plan_set *s = &p->levels[level].free;
    p->first_run[level] = p->run_total;
    for (size_t r = 0; r < s->run_count; r++, p->run_total++)
        for (size_t k = 0; k < s->runs[r].count; k++) p->run_of[s->files[s->runs[r].first + k]] = (uint32_t)p->run_total;
}

/* Where a whole table has room, so that none of it goes down a level right after. */
static unsigned level_for_all(const struct planner *p)
{
    uint64_t all = 0;
    unsigned level = p->last;
    if (p->o->from.data || p->o->to.data) return level;
    for (size_t i = 0; i < p->f.count; i++) all += p->live[i];
    while (level < PLAN_LEVELS_MAX && frz__plan_capacity(p->o, level) < all) level++;
    return level;
}

int frz__plan_pick(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, struct plan *out, frz_error *err)
{
    uint64_t compared = 0;
    struct planner p = {.a = a, .files = files, .f = {.at = files, .count = count, .compared = &compared}, .o = o, .out = out, .err = err, .last = 1};
    int rc = FRZ_OK;
    *out = (struct plan){0};
    for (size_t i = 0; i < count; i++)
        if (files[i].level > p.last) p.last = files[i].level;
    FRZ_VERIFY(o->ratio >= 2 && o->open_max >= 2 && o->runs_max >= 1 && o->level0_runs_max >= 1 && p.last <= PLAN_LEVELS_MAX, err);
    out->inputs = (size_t *)frz__alloc_array(a, o->files_max + 1, sizeof *out->inputs);
    p.f.live = p.live = (uint64_t *)frz__alloc_array(a, count + 1, sizeof *p.live);
    p.taken = (bool *)frz__alloc_array(a, count + 1, sizeof *p.taken);
    p.run_of = (uint32_t *)frz__alloc_array(a, count + 1, sizeof *p.run_of);
    p.open = (bool *)frz__alloc_array(a, count + 1, sizeof *p.open);
    if (!out->inputs || !p.live || !p.taken || !p.run_of || !p.open) CHECK(frz__err_no_memory(err, (count + o->files_max) * sizeof *out->inputs));
    for (size_t i = 0; i < count; i++) p.live[i] = plan_live_bytes(&files[i]);
    for (unsigned i = 0; i <= p.last && !o->whole; i++) {
        CHECK(frz__plan_level_build(a, &p.f, i, &p.levels[i], err));
        number_runs(&p, i);
    }
    if (o->whole) {
        CHECK(frz__plan_whole(a, files, count, o, (uint8_t)level_for_all(&p), out, err));
    } else {
        pick_level(&p);
        if (!out->count) pick_masked(&p);
        if (!out->count) pick_small(&p);
    }
done:
    for (unsigned i = 0; i <= PLAN_LEVELS_MAX; i++) frz__plan_level_clear(a, &p.levels[i]);
    frz__free(a, p.live);
    frz__free(a, p.taken);
    frz__free(a, p.run_of);
    frz__free(a, p.open);
    if (rc < 0 || out->count == 0) {
        frz__free(a, out->inputs);
        *out = (struct plan){.blocked = rc >= 0 && out->blocked};
    }
    out->compared = compared;
    return rc < 0 ? rc : FRZ_OK;
}
