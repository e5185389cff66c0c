#include "engine/plan.h"

#include <stdlib.h>

#define GATHER_RATIO 2
#define MANY_FILES 8 /* a file is small beside a table of so many times its size */

struct level {
    size_t *files; /* of this level, run after run, by key within each; busy and foreign ones left out */
    struct run *runs;
    size_t file_count, run_count;
    uint64_t bytes;
    bool busy; /* some of its files are */
};
struct planner {
    const allocator *a;
    const struct plan_file *files;
    size_t count;
    const struct plan_options *o;
    struct level levels[PLAN_LEVELS_MAX + 1];
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

static uint64_t live_bytes(const struct plan_file *f) { return plan_live_bytes(f); }
static bool overlap(const struct plan_file *x, const struct plan_file *y) { return slice_cmp(x->first, y->last) <= 0 && slice_cmp(y->first, x->last) <= 0; }

/* ── levels ── */

static int build_level(struct planner *p, unsigned i)
{
    struct level *l = &p->levels[i];
    size_t n = 0;
    int rc = FRZ_OK;
    for (size_t k = 0; k < p->count; k++) n += p->files[k].level == i;
    size_t *files = (size_t *)frz__alloc_array(p->a, n + 1, sizeof *files);
    uint32_t *by_key = (uint32_t *)frz__alloc_array(p->a, n + 1, sizeof *by_key);
    struct key_range *ranges = (struct key_range *)frz__alloc_array(p->a, n + 1, sizeof *ranges);
    l->files = (size_t *)frz__alloc_array(p->a, n + 1, sizeof *l->files);
    l->runs = (struct run *)frz__alloc_array(p->a, n + 1, sizeof *l->runs);
    if (!files || !by_key || !ranges || !l->files || !l->runs) CHECK(frz__err_no_memory(p->err, (n + 1) * sizeof *ranges));
    for (size_t k = 0; k < p->count; k++) {
        const struct plan_file *f = &p->files[k];
        if (f->level != i || f->foreign) continue;
        l->bytes += live_bytes(f);
        if (f->busy) {
            l->busy = true;
            continue;
        }
        ranges[l->file_count] = (struct key_range){f->first, f->last, false};
        files[l->file_count++] = k;
    }
    CHECK(frz__runs_build(p->a, ranges, l->file_count, by_key, l->runs, &l->run_count, p->err));
    for (size_t k = 0; k < l->file_count; k++) l->files[k] = files[by_key[k]];
done:
    frz__free(p->a, files);
    frz__free(p->a, by_key);
    frz__free(p->a, ranges);
    return rc;
}

/* ── what goes in ── */

static bool has_input(const struct plan *plan, size_t file)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->inputs[i] == file) return true;
    return false;
}

static bool room_for(const struct planner *p, size_t file)
{
    return p->out->count < p->o->files_max && p->out->input_bytes + live_bytes(&p->files[file]) <= p->o->input_bytes_max;
}

static void add_input(struct planner *p, size_t file)
{
    struct plan *plan = p->out;
    if (plan->count == p->o->files_max || has_input(plan, file)) return;
    plan->inputs[plan->count++] = file;
    plan->input_bytes += live_bytes(&p->files[file]);
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
    p->out->count = 0;
    p->out->input_bytes = 0;
    p->out->reason = PLAN_NOTHING;
}

/* Bytes of level L that FILE overlaps; UINT64_MAX where one of them is busy. */
static uint64_t overlapped(const struct planner *p, size_t file, unsigned level)
{
    uint64_t bytes = 0;
    for (size_t k = 0; k < p->count; k++) {
        const struct plan_file *f = &p->files[k];
        if (f->level != level || f->foreign || !overlap(f, &p->files[file])) continue;
        if (f->busy) return UINT64_MAX;
        bytes += live_bytes(f);
    }
    return bytes;
}

static void add_overlapped(struct planner *p, size_t file, unsigned level)
{
    const struct level *l = &p->levels[level];
    for (size_t k = 0; k < l->file_count; k++)
        if (overlap(&p->files[l->files[k]], &p->files[file])) add_input(p, l->files[k]);
}

/* ── from one level to the next ── */

/* All of level I, oldest bounds first, as far as there is room. */
static void take_level(struct planner *p, unsigned i)
{
    const struct level *l = &p->levels[i];
    for (size_t k = 0; k < l->file_count; k++)
        if (p->out->count == 0 || room_for(p, l->files[k])) add_input(p, l->files[k]);
}

/* What is rewritten anyway is not rewritten again for each of the small files that go with it. */
static uint64_t most_bytes(const struct planner *p)
{
    uint64_t more = p->out->input_bytes + p->out->input_bytes / 4;
    return more > p->o->input_bytes_max ? more : p->o->input_bytes_max;
}

/* Into the last level: with what they overlap there. */
static void push(struct planner *p, unsigned i, enum plan_reason why)
{
    const struct level *l = &p->levels[i];
    size_t best = SIZE_MAX;
    double best_ratio = 0;
    for (size_t k = 0; k < l->file_count; k++) {
        uint64_t under = overlapped(p, l->files[k], i + 1), own = live_bytes(&p->files[l->files[k]]) + 1;
        if (under == UINT64_MAX) continue;
        double ratio = (double)under / (double)own;
        if (best != SIZE_MAX && ratio >= best_ratio) continue;
        best = l->files[k];
        best_ratio = ratio;
    }
    if (best == SIZE_MAX) return;
    uint64_t own = live_bytes(&p->files[best]), under = overlapped(p, best, i + 1);
    if (own + under > p->o->input_bytes_max && l->run_count > 1 && l->file_count <= p->o->files_max && l->bytes <= p->o->input_bytes_max) { /* files that span everything: first all of them become one run of pieces */
        take_level(p, i);
        decide(p, why, i);
        p->out->last = false;
        return;
    }
    add_input(p, best);
    add_overlapped(p, best, i + 1);
    uint64_t most = most_bytes(p);
    /* what else fits: first what overlaps these below anyway */
    for (size_t k = 0; k < l->file_count; k++) {
        size_t file = l->files[k];
        uint64_t more = 0;
        if (has_input(p->out, file) || overlapped(p, file, i + 1) == UINT64_MAX) continue;
        size_t files = 1;
        for (size_t j = 0; j < p->levels[i + 1].file_count; j++) {
            size_t below = p->levels[i + 1].files[j];
            if (!overlap(&p->files[below], &p->files[file]) || has_input(p->out, below)) continue;
            more += live_bytes(&p->files[below]);
            files++;
        }
        if (p->out->input_bytes + live_bytes(&p->files[file]) + more > most || p->out->count + files > p->o->files_max) continue;
        if (i == p->last && p->out->input_bytes >= p->o->target_bytes) break; /* only what is too much */
        add_input(p, file);
        add_overlapped(p, file, i + 1);
    }
    decide(p, why, i + 1);
}

/* Bytes of the level below that some file of level I overlaps. */
static uint64_t all_overlapped(const struct planner *p, unsigned i)
{
    uint64_t bytes = 0;
    for (size_t k = 0; k < p->count; k++) {
        const struct plan_file *below = &p->files[k];
        bool hit = false;
        for (size_t j = 0; below->level == i + 1 && !below->foreign && j < p->levels[i].file_count && !hit; j++) hit = overlap(below, &p->files[p->levels[i].files[j]]);
        if (hit) bytes += live_bytes(below);
    }
    return bytes;
}

static uint64_t run_bytes(const struct planner *p, const struct level *l, size_t r)
{
    uint64_t bytes = 0;
    for (size_t k = 0; k < l->runs[r].count; k++) bytes += live_bytes(&p->files[l->files[l->runs[r].first + k]]);
    return bytes;
}

/* Little that overlaps much: merged down, each row of it would rewrite many below. Instead its smallest runs become one, where it is, as long as they are of about the same size. False: it is not so. */
static bool gather(struct planner *p, unsigned i, enum plan_reason why)
{
    const struct level *l = &p->levels[i];
    uint64_t sum = 0, before = 0;
    size_t taken = 0, from = 0;
    if (l->run_count < 2 || l->bytes >= frz__plan_capacity(p->o, i) || all_overlapped(p, i) <= l->bytes * p->o->ratio) return false;
    for (;;) {
        size_t best = SIZE_MAX;
        uint64_t least = 0;
        for (size_t r = 0; r < l->run_count; r++) { /* the next by size, then place */
            uint64_t bytes = run_bytes(p, l, r);
            if (taken && (bytes < before || (bytes == before && r < from))) continue;
            if (best != SIZE_MAX && bytes >= least) continue;
            best = r;
            least = bytes;
        }
        if (best == SIZE_MAX || (taken >= 2 && least > sum * GATHER_RATIO) || p->out->count + l->runs[best].count > p->o->files_max || sum + least > p->o->input_bytes_max) break;
        for (size_t k = 0; k < l->runs[best].count; k++) add_input(p, l->files[l->runs[best].first + k]);
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
    const struct level *l = &p->levels[i];
    if (l->file_count == 0 || i >= PLAN_LEVELS_MAX) return 0;
    *why = PLAN_RUNS;
    if (i == 0) return (double)l->run_count / (p->o->level0_runs_max + 1);
    double size = (double)l->bytes / (double)frz__plan_capacity(p->o, i);
    unsigned runs_max = i >= p->last ? 1 : p->o->runs_max;
    if (i < p->last) size /= runs_max;
    double runs = (double)l->run_count / (runs_max + 1);
    if (size <= runs) return runs;
    *why = PLAN_SIZE;
    return size > 1 ? size : 0;
}

/* FILE is not alone on its level where it lies: runs are gathered greedily, so that one behind the first may hold files that overlap none. */
static bool is_overlapped(const struct planner *p, const struct level *l, size_t file)
{
    for (size_t k = 0; k < l->file_count; k++)
        if (l->files[k] != file && overlap(&p->files[l->files[k]], &p->files[file])) return true;
    return false;
}

/* The last level has more than one run: two pushes side by side, or one that was too wide, left files that overlap. The smallest such file and its neighbours become one run again. */
static void mend_last(struct planner *p)
{
    const struct level *l = &p->levels[p->last];
    size_t best = SIZE_MAX;
    for (size_t r = 1; r < l->run_count; r++)
        for (size_t k = 0; k < l->runs[r].count; k++) {
            size_t file = l->files[l->runs[r].first + k];
            if (best != SIZE_MAX && live_bytes(&p->files[file]) >= live_bytes(&p->files[best])) continue;
            if (is_overlapped(p, l, file)) best = file;
        }
    if (best == SIZE_MAX) return;
    add_input(p, best);
    add_overlapped(p, best, p->last);
    uint64_t most = most_bytes(p);
    for (size_t n = 1; n < p->out->count; n++) /* a wide file is not rewritten for each that it overlaps */
        for (size_t k = 0; k < l->file_count && p->out->count < p->o->files_max; k++)
            if (overlap(&p->files[l->files[k]], &p->files[p->out->inputs[n]]) && p->out->input_bytes + live_bytes(&p->files[l->files[k]]) <= most) add_input(p, l->files[k]);
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
    for (size_t k = 0; k < p->count; k++) all += p->files[k].bytes;
    for (size_t k = 0; k < p->count; k++) {
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
    for (unsigned i = 0; i <= p->last && p->o->small_files > 1; i++) {
        const struct level *l = &p->levels[i];
        for (size_t r = 0; r < l->run_count; r++) {
            const size_t *files = l->files + l->runs[r].first;
            for (size_t from = 0; from < l->runs[r].count; from++) {
                uint64_t bytes = 0, largest = 0, rows = 0;
                size_t n = 0;
                while (from + n < l->runs[r].count && n < p->o->files_max) {
                    uint64_t more = live_bytes(&p->files[files[from + n]]);
                    if (bytes + more > p->o->target_bytes || bytes + more > p->o->input_bytes_max) break;
                    rows += p->files[files[from + n]].rows - p->files[files[from + n]].dead;
                    if (p->o->target_rows && rows > p->o->target_rows) break;
                    bytes += more;
                    if (more > largest) largest = more;
                    n++;
                }
                if (n < p->o->small_files || largest > bytes / 2) continue; /* a large one is not rewritten for the sake of crumbs */
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
    struct planner p = {.a = a, .files = files, .count = count, .o = o, .out = out, .err = err, .last = 1};
    int rc = FRZ_OK;
    *out = (struct plan){0};
    for (size_t i = 0; i < count; i++)
        if (files[i].level > p.last) p.last = files[i].level;
    FRZ_VERIFY(o->ratio >= 2 && o->runs_max >= 1 && o->level0_runs_max >= 1 && p.last <= PLAN_LEVELS_MAX, err);
    out->inputs = (size_t *)frz__alloc_array(a, o->files_max + 1, sizeof *out->inputs);
    if (!out->inputs) return frz__err_no_memory(err, o->files_max * sizeof *out->inputs);
    for (unsigned i = 0; i <= p.last && !o->whole; i++) CHECK(build_level(&p, i));
    if (o->whole) {
        CHECK(frz__plan_whole(a, files, count, o, (uint8_t)p.last, out, err));
    } else {
        pick_level(&p);
        if (!out->count) pick_masked(&p);
        if (!out->count) pick_small(&p);
    }
done:
    for (unsigned i = 0; i <= PLAN_LEVELS_MAX; i++) {
        frz__free(a, p.levels[i].files);
        frz__free(a, p.levels[i].runs);
    }
    if (rc < 0 || out->count == 0) {
        frz__free(a, out->inputs);
        *out = (struct plan){.blocked = rc >= 0 && out->blocked};
    }
    return rc < 0 ? rc : FRZ_OK;
}
