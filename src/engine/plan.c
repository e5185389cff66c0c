#include "engine/plan.h"

#include "engine/plan_level.h"

#define GATHER_RATIO 2
#define MANY_FILES 8 /* a file is small beside a table of so many times its size */

struct planner {
    const allocator *a;
    struct plan_files f;
    const struct plan_file *files; /* f.at */
    uint64_t *live;                /* f.live */
    bool *taken;                   /* by file: it is among the inputs */
    const struct plan_options *o;
    struct plan_level levels[PLAN_LEVELS_MAX + 1];
    unsigned last; /* the deepest level with files; at least 1 */
    struct plan *out;
    frz_error *err;
};

const char *frz__plan_reason_name(enum plan_reason r)
{
    static const char *const names[] = {"nothing", "runs", "size", "masked", "small", "manual"};
    return names[r];
}

unsigned frz__plan_runs_max(uint64_t gets, uint64_t puts, unsigned ratio)
{
    unsigned most = ratio > 2 ? ratio - 1 : 1;
    if (gets + puts == 0) return (most + 1) / 2;
    double share = (double)puts / ((double)gets + (double)puts);
    unsigned n = 1 + (unsigned)(share * (most - 1) + 0.5);
    return n > most ? most : n;
}

uint64_t frz__plan_capacity(const struct plan_options *o, unsigned level)
{
    uint64_t c = o->base_bytes;
    for (unsigned i = 0; i < level; i++) c = c > UINT64_MAX / o->ratio ? UINT64_MAX : c * o->ratio;
    return c;
}

/* ── what goes in ── */

static bool room_for(const struct planner *p, size_t file)
{
    return p->out->count < p->o->files_max && p->out->input_bytes + p->live[file] <= p->o->input_bytes_max;
}

static void add_input(struct planner *p, size_t file)
{
    struct plan *plan = p->out;
    if (plan->count == p->o->files_max || p->taken[file]) return;
    p->taken[file] = true;
    plan->inputs[plan->count++] = file;
    plan->input_bytes += p->live[file];
}

static void decide(struct planner *p, enum plan_reason why, unsigned level)
{
    p->out->reason = why;
    p->out->level = (uint8_t)level;
    p->out->last = level >= p->last;
    /* upper levels in pieces, each of which can be merged down with what it overlaps, within the bound */
    uint64_t piece = p->o->input_bytes_max / (p->o->ratio + 2);
    p->out->output_bytes = p->out->last || piece > p->o->target_bytes ? p->o->target_bytes : piece;
}

static void nothing(struct planner *p)
{
    for (size_t i = 0; i < p->out->count; i++) p->taken[p->out->inputs[i]] = false;
    p->out->count = 0;
    p->out->input_bytes = 0;
    p->out->reason = PLAN_NOTHING;
}

/* The free files of LEVEL that overlap FILE; those alone that fit, beside what is taken, into MOST bytes. */
static void add_overlapped(struct planner *p, size_t file, unsigned level, uint64_t most)
{
    const struct plan_set *s = &p->levels[level].free;
    for (size_t r = 0; r < s->run_count && p->out->count < p->o->files_max; r++) {
        struct plan_span span = frz__plan_overlapped(&p->f, s, r, file);
        for (size_t k = span.from; k < span.end && p->out->count < p->o->files_max; k++)
            if (p->out->input_bytes + p->live[s->files[k]] <= most) add_input(p, s->files[k]);
    }
}

/* ── from one level to the next ── */

/* All of level I, oldest bounds first, as far as there is room. */
static void take_level(struct planner *p, unsigned i)
{
    const struct plan_set *s = &p->levels[i].free;
    for (size_t k = 0; k < s->file_count; k++)
        if (p->out->count == 0 || room_for(p, s->files[k])) add_input(p, s->files[k]);
}

/* What is rewritten anyway is not rewritten again for each of the small files that go with it. */
static uint64_t most_bytes(const struct planner *p)
{
    uint64_t more = p->out->input_bytes + p->out->input_bytes / 4;
    return more > p->o->input_bytes_max ? more : p->o->input_bytes_max;
}

/* With FILE and what it overlaps on LEVEL, the inputs are still no more than MOST bytes, and no more files than may be. */
static bool fits_with_overlapped(const struct planner *p, size_t file, unsigned level, uint64_t most)
{
    const struct plan_set *s = &p->levels[level].free;
    uint64_t bytes = p->out->input_bytes + p->live[file];
    size_t files = p->out->count + 1;
    for (size_t r = 0; r < s->run_count && bytes <= most && files <= p->o->files_max; r++) {
        struct plan_span span = frz__plan_overlapped(&p->f, s, r, file);
        for (size_t k = span.from; k < span.end && bytes <= most && files <= p->o->files_max; k++) {
            if (p->taken[s->files[k]]) continue;
            bytes += p->live[s->files[k]];
            files++;
        }
    }
    return bytes <= most && files <= p->o->files_max;
}

/* The free file of level I that is merged down for the fewest bytes below; SIZE_MAX where each meets a busy one. */
static size_t cheapest(const struct planner *p, unsigned i, uint64_t *under)
{
    const struct plan_set *s = &p->levels[i].free;
    size_t best = SIZE_MAX;
    double best_ratio = 0;
    for (size_t k = 0; k < s->file_count; k++) {
        uint64_t below = frz__plan_overlapped_bytes(&p->f, &p->levels[i + 1], s->files[k]), own = p->live[s->files[k]] + 1;
        if (below == UINT64_MAX) continue;
        double ratio = (double)below / (double)own;
        if (best != SIZE_MAX && ratio >= best_ratio) continue;
        best = s->files[k];
        best_ratio = ratio;
        *under = below;
    }
    return best;
}

/* The smallest runs of level I are to become one, where it is, as long as they are of about the same size. False: there are no two that may be merged at once. */
static bool gather_runs(struct planner *p, unsigned i, enum plan_reason why)
{
    const struct plan_set *s = &p->levels[i].free;
    uint64_t sum = 0, before = 0;
    size_t taken = 0, from = 0;
    for (;;) {
        size_t best = SIZE_MAX;
        uint64_t least = 0;
        for (size_t r = 0; r < s->run_count; r++) { /* the next by size, then place */
            uint64_t bytes = plan_span_bytes(s, plan_run_span(s, r));
            if (taken && (bytes < before || (bytes == before && r < from))) continue;
            if (best != SIZE_MAX && bytes >= least) continue;
            best = r;
            least = bytes;
        }
        if (best == SIZE_MAX || (taken >= 2 && least > sum * GATHER_RATIO) || p->out->count + s->runs[best].count > p->o->files_max || sum + least > p->o->input_bytes_max) break;
        for (size_t k = 0; k < s->runs[best].count; k++) add_input(p, s->files[s->runs[best].first + k]);
        sum += least;
        before = least;
        from = best + 1;
        taken++;
    }
    if (taken < 2) {
        nothing(p);
        return false;
    }
    decide(p, why, i);
    p->out->last = false;
    return true;
}

/* Into the last level: with what they overlap there. */
static void push(struct planner *p, unsigned i, enum plan_reason why)
{
    const struct plan_level *l = &p->levels[i];
    uint64_t under = 0;
    size_t best = cheapest(p, i, &under);
    if (best == SIZE_MAX) return;
    if (p->live[best] + under > p->o->input_bytes_max && l->free.run_count > 1) { /* files that span everything: first they become runs of pieces, */
        if (l->free.file_count > p->o->files_max || l->bytes > p->o->input_bytes_max) { /* as many at once as may be */
            if (gather_runs(p, i, why)) return;
        } else {
            take_level(p, i);
            decide(p, why, i);
            p->out->last = false;
            return;
        }
    }
    add_input(p, best);
    add_overlapped(p, best, i + 1, UINT64_MAX);
    uint64_t most = most_bytes(p);
    /* what else fits: first what overlaps these below anyway */
    for (size_t k = 0; k < l->free.file_count && p->out->count < p->o->files_max; k++) {
        size_t file = l->free.files[k];
        if (p->taken[file] || !fits_with_overlapped(p, file, i + 1, most) || frz__plan_overlapped_bytes(&p->f, &p->levels[i + 1], file) == UINT64_MAX) continue;
        if (i == p->last && p->out->input_bytes >= p->o->target_bytes) break; /* only what is too much */
        add_input(p, file);
        add_overlapped(p, file, i + 1, UINT64_MAX);
    }
    decide(p, why, i + 1);
}

static uint64_t covered_bytes(const struct planner *p, const struct plan_set *below, const struct plan_level *l)
{
    uint64_t bytes = 0;
    for (size_t k = 0; k < below->file_count; k++)
        if (frz__plan_covers(&p->f, l, below->files[k])) bytes += p->live[below->files[k]];
    return bytes;
}

/* Bytes of the level below that some file of level I overlaps. */
static uint64_t all_overlapped(const struct planner *p, unsigned i)
{
    return covered_bytes(p, &p->levels[i + 1].free, &p->levels[i]) + covered_bytes(p, &p->levels[i + 1].busy, &p->levels[i]);
}

/* Little that overlaps much: merged down, each row of it would rewrite many below. */
static bool gather(struct planner *p, unsigned i, enum plan_reason why)
{
    const struct plan_level *l = &p->levels[i];
    if (l->free.run_count < 2 || l->bytes >= frz__plan_capacity(p->o, i) || all_overlapped(p, i) <= l->bytes * p->o->ratio || !gather_runs(p, i, why)) return false;
    p->out->output_bytes = p->o->target_bytes;
    return true;
}

static void merge_level(struct planner *p, unsigned i, enum plan_reason why)
{
    if (why == PLAN_RUNS && gather(p, i, why)) return;
    if (i + 1 >= p->last) {
        push(p, i, why);
        return;
    }
    take_level(p, i); /* tiered: a run more there */
    decide(p, why, i + 1);
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
    add_input(p, best);
    add_overlapped(p, best, p->last, UINT64_MAX);
    uint64_t most = most_bytes(p);
    for (size_t n = 1; n < p->out->count; n++) add_overlapped(p, p->out->inputs[n], p->last, most); /* a wide file is not rewritten for each that it overlaps */
    if (p->out->count < 2) nothing(p); /* what it overlaps is busy */
    else decide(p, PLAN_RUNS, p->last);
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

/* A small file of an upper level is merged down before long: its garbage is worth a rewrite of its own only where it is the larger part. */
bool frz__plan_worth_rewriting(const struct plan_file *f, const struct plan_options *o, unsigned last, uint64_t all)
{
    if (!f->dead || f->dead * 100 < f->rows * o->masked_percent) return false;
    return f->level >= last || f->bytes > all / MANY_FILES || f->dead * 2 >= f->rows;
}

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
    add_input(p, best);
    decide(p, PLAN_MASKED, p->files[best].level);
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
                    rows += p->files[files[from + n]].rows - p->files[files[from + n]].dead;
                    if (p->o->target_rows && rows > p->o->target_rows) break;
                    bytes += more;
                    if (more > largest) largest = more;
                    n++;
                }
                if (n < wanted || largest > bytes / 2) continue; /* a large one is not rewritten for the sake of crumbs */
                for (size_t k = 0; k < n; k++) add_input(p, files[from + k]);
                decide(p, PLAN_SMALL, i);
                p->out->output_bytes = p->o->target_bytes;
                p->out->one_file = true;
                return;
            }
        }
    }
}

int frz__plan_pick(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, struct plan *out, frz_error *err)
{
    uint64_t compared = 0;
    struct planner p = {.a = a, .files = files, .f = {.at = files, .count = count, .compared = &compared}, .o = o, .out = out, .err = err, .last = 1};
    int rc = FRZ_OK;
    *out = (struct plan){0};
    for (size_t i = 0; i < count; i++)
        if (files[i].level > p.last) p.last = files[i].level;
    FRZ_VERIFY(o->ratio >= 2 && o->runs_max >= 1 && o->level0_runs_max >= 1 && p.last <= PLAN_LEVELS_MAX, err);
    out->inputs = (size_t *)frz__alloc_array(a, o->files_max + 1, sizeof *out->inputs);
    p.f.live = p.live = (uint64_t *)frz__alloc_array(a, count + 1, sizeof *p.live);
    p.taken = (bool *)frz__alloc_array(a, count + 1, sizeof *p.taken);
    if (!out->inputs || !p.live || !p.taken) CHECK(frz__err_no_memory(err, (count + o->files_max) * sizeof *out->inputs));
    for (size_t i = 0; i < count; i++) p.live[i] = plan_live_bytes(&files[i]);
    for (unsigned i = 0; i <= p.last && !o->whole; i++) CHECK(frz__plan_level_build(a, &p.f, i, &p.levels[i], err));
    if (o->whole) {
        CHECK(frz__plan_whole(a, files, count, o, (uint8_t)p.last, out, err));
    } else {
        pick_level(&p);
        if (!out->count) pick_masked(&p);
        if (!out->count) pick_small(&p);
    }
done:
    for (unsigned i = 0; i <= PLAN_LEVELS_MAX; i++) frz__plan_level_clear(a, &p.levels[i]);
    frz__free(a, p.live);
    frz__free(a, p.taken);
    if (rc < 0 || out->count == 0) {
        frz__free(a, out->inputs);
        *out = (struct plan){.blocked = rc >= 0 && out->blocked};
    }
    out->compared = compared;
    return rc < 0 ? rc : FRZ_OK;
}
