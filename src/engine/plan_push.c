/* plan_push.c — from one level to the next: a window of keys, as wide as a compaction may be, of all runs of the upper level with what they overlap below.
 *
 * Files that span so much that they can't be merged with all they overlap become runs of narrow ones first, those of about the same size with each other: so that each row is gathered a few times, not with each flush. */
#include "engine/planner.h"

#define GATHER_RATIO 2 /* of about the same size */

/* The free file of level I that is merged down for the fewest bytes below: of those that may be merged with all of them, if there are any: *FITS. *WIDE: there are others. SIZE_MAX where each meets a busy one. */
static size_t cheapest(const struct planner *p, unsigned i, bool *fits, bool *wide)
{
    const struct plan_set *s = &p->levels[i].free;
    size_t best = SIZE_MAX;
    double best_ratio = 0;
    *fits = *wide = false;
    for (size_t k = 0; k < s->file_count; k++) {
        uint64_t below = frz__plan_overlapped_bytes(&p->f, &p->levels[i + 1], s->files[k]), own = p->live[s->files[k]] + 1;
        if (below == UINT64_MAX) continue;
        double ratio = (double)below / (double)own;
        bool this_fits = own + below <= p->o->input_bytes_max;
        *wide |= !this_fits;
        if (best != SIZE_MAX && (this_fits == *fits ? ratio >= best_ratio : *fits)) continue;
        best = s->files[k];
        best_ratio = ratio;
        *fits = this_fits;
    }
    return best;
}

/* Free runs of level I become one, where it is: from the smallest that is not much smaller than the next, all that are of about the same size; LIKE false: the smallest, of whatever size. False: there are no two
 * that may be merged at once. */
static bool gather_runs(struct planner *p, unsigned i, enum plan_reason why, bool like)
{
    const struct plan_set *s = &p->levels[i].free;
    uint64_t sum = 0, before = 0;
    size_t taken = 0, from = 0;
    for (;;) {
        size_t best = SIZE_MAX;
        uint64_t least = 0;
        for (size_t r = 0; r < s->run_count; r++) { /* the next by size, then place */
            uint64_t bytes = plan_span_bytes(s, plan_run_span(s, r));
            if (from && (bytes < before || (bytes == before && r < from))) continue;
            if (best != SIZE_MAX && bytes >= least) continue;
            best = r;
            least = bytes;
        }
        if (best == SIZE_MAX) break;
        bool fits = taken < p->o->open_max && p->out->count + s->runs[best].count <= p->o->files_max && sum + least <= p->o->input_bytes_max, alike = !like || least <= sum * GATHER_RATIO;
        if (taken >= 2 && !(fits && alike)) break;
        if (taken == 1 && !(fits && alike)) {
            frz__planner_nothing(p);
            sum = taken = 0;
            if (s->runs[best].count > p->o->files_max || least > p->o->input_bytes_max) break;
        }
        for (size_t k = 0; k < s->runs[best].count; k++) frz__planner_add(p, s->files[s->runs[best].first + k]);
        sum += least;
        before = least;
        from = best + 1;
        taken++;
    }
    if (taken < 2) {
        frz__planner_nothing(p);
        return false;
    }
    frz__planner_decide(p, why, i);
    p->out->last = false;
    return true;
}

/* ── a window of keys ── */

/* Files of level I that lie beside each other, with all that they overlap below: what is merged leaves no gap, over which a file would lie that another is in. */
struct window {
    unsigned level;
    slice first, last; /* of the inputs of `level` */
    uint64_t most;     /* bytes of all inputs */
};

/* Bytes that FILE would bring along from below, were the window to reach over it; UINT64_MAX = it may not. */
static uint64_t brings(const struct planner *p, const struct window *w, size_t file)
{
    const struct plan_level *below = &p->levels[w->level + 1];
    slice first = slice_least(w->first, p->files[file].first), last = slice_most(w->last, p->files[file].last);
    uint64_t bytes = 0;
    size_t count = p->out->count + 1, open = p->open_count + !p->open[p->run_of[file]];
    for (size_t r = 0; r < below->busy.run_count; r++) {
        struct plan_span span = frz__plan_within(&p->f, &below->busy, r, first, last);
        if (span.from < span.end) return UINT64_MAX;
    }
    for (size_t r = 0; r < below->free.run_count; r++) {
        struct plan_span span = frz__plan_within(&p->f, &below->free, r, first, last);
        if (span.end - span.from > p->o->files_max) return UINT64_MAX;
        open += span.from < span.end && !p->open[p->first_run[w->level + 1] + r];
        for (size_t k = span.from; k < span.end; k++) {
            if (p->taken[below->free.files[k]]) continue;
            bytes += p->live[below->free.files[k]];
            count++;
        }
    }
    return count > p->o->files_max || open > p->o->open_max || p->out->input_bytes + p->live[file] + bytes > w->most ? UINT64_MAX : bytes;
}

static void reach_over(struct planner *p, struct window *w, size_t file)
{
    w->first = slice_least(w->first, p->files[file].first);
    w->last = slice_most(w->last, p->files[file].last);
    frz__planner_add(p, file);
    frz__planner_add_within(p, w->level + 1, w->first, w->last, UINT64_MAX);
}

static bool is_inside(const struct planner *p, const struct window *w, size_t file)
{
    *p->f.compared += 2;
    return slice_cmp(p->files[file].first, w->first) >= 0 && slice_cmp(p->files[file].last, w->last) <= 0;
}

/* Of run R: those inside of the window come for nothing; *NEXT: of those that reach beyond it, or are its neighbours, the one that brings the least for its size. */
static void look_around(struct planner *p, struct window *w, size_t r, size_t *next, double *least)
{
    const struct plan_set *s = &p->levels[w->level].free;
    struct plan_span span = frz__plan_within(&p->f, s, r, w->first, w->last), all = plan_run_span(s, r);
    for (size_t k = span.from - (span.from > all.from); k < span.end + (span.end < all.end); k++) {
        size_t file = s->files[k];
        if (p->taken[file] || !frz__planner_may_open(p, file) || p->out->input_bytes + p->live[file] > w->most) continue;
        if (is_inside(p, w, file)) {
            frz__planner_add(p, file);
            continue;
        }
        uint64_t more = brings(p, w, file);
        double ratio = (double)more / ((double)p->live[file] + 1);
        if (more == UINT64_MAX || (*next != SIZE_MAX && ratio >= *least)) continue;
        *next = file;
        *least = ratio;
    }
}

/* As far as there is room. */
static void widen(struct planner *p, struct window *w)
{
    for (;;) {
        size_t next = SIZE_MAX;
        double least = 0;
        if (w->level == p->last && p->out->input_bytes >= p->o->target_bytes) return; /* only what is too much */
        for (size_t r = 0; r < p->levels[w->level].free.run_count; r++) look_around(p, w, r, &next, &least);
        if (next == SIZE_MAX) return;
        reach_over(p, w, next);
    }
}

void frz__planner_push(struct planner *p, unsigned i, enum plan_reason why)
{
    bool fits, wide;
    size_t best = cheapest(p, i, &fits, &wide);
    if (best == SIZE_MAX) return;
    /* files that span too much become runs of pieces first: those that are alike, or else whatever there is */
    if (wide && gather_runs(p, i, why, true)) return;
    if (!fits && gather_runs(p, i, why, false)) return;
    struct window w = {i, p->files[best].first, p->files[best].last, 0};
    reach_over(p, &w, best);
    w.most = frz__planner_most_bytes(p);
    widen(p, &w);
    frz__planner_decide(p, why, i + 1);
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

bool frz__planner_gather(struct planner *p, unsigned i, enum plan_reason why)
{
    const struct plan_level *l = &p->levels[i];
    if (l->free.run_count < 2 || l->bytes >= frz__plan_capacity(p->o, i) || all_overlapped(p, i) <= l->bytes * p->o->ratio || !gather_runs(p, i, why, true)) return false;
    p->out->output_bytes = p->o->target_bytes;
    return true;
}
