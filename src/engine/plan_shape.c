/* plan_shape.c — the shape that is asked for: what a level may hold, in how many runs, and which garbage is let be. */
#include "engine/plan.h"

#define MANY_FILES 8 /* a file is small beside a table of so many times its size */

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

/* A small file of an upper level is merged down before long: its garbage is worth a rewrite of its own only where it is the larger part. */
bool frz__plan_worth_rewriting(const struct plan_file *f, const struct plan_options *o, unsigned last, uint64_t all)
{
    if (!f->dead || f->dead * 100 < f->rows * o->masked_percent) return false;
    return f->level >= last || f->bytes > all / MANY_FILES || f->dead * 2 >= f->rows;
}
