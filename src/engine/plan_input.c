/* plan_input.c — what a plan takes in, within its bounds, and how large the files are to be that come out.
 *
 * A file of an upper level is merged down with all that it overlaps there, which may be much more than it is itself: so there, files are narrow, by what lies below them, not large. */
#include "engine/planner.h"

#define PIECE_SHARE 4  /* of what a compaction may read: what lies below a piece of an upper level */
#define PIECE_LEAST 16 /* of such make a whole file */

uint64_t frz__planner_most_below(const struct planner *p) { return p->o->input_bytes_max / PIECE_SHARE; }

bool frz__planner_may_open(const struct planner *p, size_t file) { return p->out->count < p->o->files_max && (p->open[p->run_of[file]] || p->open_count < p->o->open_max); }

static bool room_for(const struct planner *p, size_t file) { return frz__planner_may_open(p, file) && p->out->input_bytes + p->live[file] <= p->o->input_bytes_max; }

void frz__planner_add(struct planner *p, size_t file)
{
    struct plan *plan = p->out;
    if (p->taken[file] || !frz__planner_may_open(p, file)) return;
    p->taken[file] = true;
    p->open_count += !p->open[p->run_of[file]];
    p->open[p->run_of[file]] = true;
    plan->inputs[plan->count++] = file;
    plan->input_bytes += p->live[file];
}

uint64_t frz__planner_bytes_within(const struct planner *p, unsigned level, slice first, slice last)
{
    const struct plan_set *sets[] = {&p->levels[level].free, &p->levels[level].busy};
    uint64_t bytes = 0;
    for (size_t k = 0; k < FRZ_ARRAY_LEN(sets); k++)
        for (size_t r = 0; r < sets[k]->run_count; r++) bytes += plan_span_bytes(sets[k], frz__plan_within(&p->f, sets[k], r, first, last));
    return bytes;
}

/* Upper levels in pieces, each of which can be merged down with what it overlaps, and with what else does there, within the bound. */
static uint64_t piece_bytes(const struct planner *p, unsigned level)
{
    slice first = p->files[p->out->inputs[0]].first, last = p->files[p->out->inputs[0]].last;
    for (size_t i = 1; i < p->out->count; i++) {
        first = slice_least(first, p->files[p->out->inputs[i]].first);
        last = slice_most(last, p->files[p->out->inputs[i]].last);
    }
    uint64_t below = frz__planner_bytes_within(p, level + 1, first, last), most = frz__planner_most_below(p), least = p->o->target_bytes / PIECE_LEAST, piece = p->o->input_bytes_max / (p->o->ratio + 2);
    if (below > most) {
        uint64_t narrow = (uint64_t)((double)p->out->input_bytes * (double)most / (double)below);
        if (narrow < piece) piece = narrow;
    }
    if (piece < least) piece = least;
    return piece < p->o->target_bytes ? piece : p->o->target_bytes;
}

void frz__planner_decide(struct planner *p, enum plan_reason why, unsigned level)
{
    p->out->reason = why;
    p->out->level = (uint8_t)level;
    p->out->last = level >= p->last;
    p->out->output_bytes = p->out->last ? p->o->target_bytes : piece_bytes(p, level);
}

void frz__planner_nothing(struct planner *p)
{
    for (size_t i = 0; i < p->out->count; i++) p->taken[p->out->inputs[i]] = p->open[p->run_of[p->out->inputs[i]]] = false;
    p->open_count = 0;
    p->out->count = 0;
    p->out->input_bytes = 0;
    p->out->reason = PLAN_NOTHING;
}

void frz__planner_add_within(struct planner *p, unsigned level, slice first, slice last, uint64_t most)
{
    const struct plan_set *s = &p->levels[level].free;
    for (size_t r = 0; r < s->run_count && p->out->count < p->o->files_max; r++) {
        struct plan_span span = frz__plan_within(&p->f, s, r, first, last);
        for (size_t k = span.from; k < span.end && p->out->count < p->o->files_max; k++)
            if (p->out->input_bytes + p->live[s->files[k]] <= most) frz__planner_add(p, s->files[k]);
    }
}

uint64_t frz__planner_most_bytes(const struct planner *p)
{
    uint64_t more = p->out->input_bytes + p->out->input_bytes / 4;
    return more > p->o->input_bytes_max ? more : p->o->input_bytes_max;
}

void frz__planner_add_level(struct planner *p, unsigned level)
{
    const struct plan_set *s = &p->levels[level].free;
    for (size_t k = 0; k < s->file_count; k++)
        if (p->out->count == 0 || room_for(p, s->files[k])) frz__planner_add(p, s->files[k]);
}
