/* planner.h — a plan as it comes to be; plan.c, plan_input.c and plan_push.c alone use it.
 *
 * Design      The levels are laid out once. What is to be done is looked for in turn, each time from no inputs at all; who finds something adds inputs and decides.
 * Invariants  (1) inputs are free files, none twice  (2) they are within `files_max` and `open_max` at any time: an input that is not is not added  (3) `open` is true of a run just if a file of it is an input
 * Threads     one                                                                                                                                                                                            */
#ifndef FRZ_ENGINE_PLANNER_H
#define FRZ_ENGINE_PLANNER_H
#include "engine/plan_level.h"

struct planner {
    const allocator *a;
    struct plan_files f;
    const struct plan_file *files; /* f.at */
    uint64_t *live;                /* f.live */
    bool *taken;                   /* by file: it is among the inputs */
    uint32_t *run_of;              /* by file: the run of its level that it is in, counted through all levels */
    bool *open;                    /* by run: some file of it is among the inputs */
    size_t open_count;
    const struct plan_options *o;
    struct plan_level levels[PLAN_LEVELS_MAX + 1];
    size_t run_total, first_run[PLAN_LEVELS_MAX + 1];
    unsigned last; /* the deepest level with files; at least 1 */
    struct plan *out;
    frz_error *err;
};
static inline slice slice_least(slice x, slice y) { return slice_cmp(x, y) < 0 ? x : y; }
static inline slice slice_most(slice x, slice y) { return slice_cmp(x, y) > 0 ? x : y; }

/* ── plan_input.c: what goes in ── */
/* Beside what is taken, FILE is one more to be read, and to be read at the same time. */
bool frz__planner_may_open(const struct planner *p, size_t file);
/* Unless it is there, or may not be opened. */
void frz__planner_add(struct planner *p, size_t file);
/* The free files of LEVEL that overlap [first, last]; those alone that fit, beside what is taken, into MOST bytes. */
void frz__planner_add_within(struct planner *p, unsigned level, slice first, slice last, uint64_t most);
/* All of LEVEL, oldest bounds first, as far as there is room. */
void frz__planner_add_level(struct planner *p, unsigned level);
void frz__planner_nothing(struct planner *p); /* no inputs after all */
/* The inputs, which are some, go to LEVEL. */
void frz__planner_decide(struct planner *p, enum plan_reason why, unsigned level);
/* Bytes of LEVEL between FIRST and LAST, busy ones with them. */
uint64_t frz__planner_bytes_within(const struct planner *p, unsigned level, slice first, slice last);
/* What may lie below a piece of an upper level. */
uint64_t frz__planner_most_below(const struct planner *p);
/* What the inputs may come to: what is rewritten anyway is not rewritten again for each of the small files that go with it. */
uint64_t frz__planner_most_bytes(const struct planner *p);

/* ── plan_push.c: from one level to the next ── */
/* A part of level I with what it overlaps on the next one; or, where that is more than may be read, runs of level I made one. */
void frz__planner_push(struct planner *p, unsigned i, enum plan_reason why);
/* Little that overlaps much: merged down, each row of it would rewrite many below. False: it does not, or there are no two runs to gather. */
bool frz__planner_gather(struct planner *p, unsigned i, enum plan_reason why);
#endif
