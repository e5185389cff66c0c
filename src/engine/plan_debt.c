/* plan_debt.c — how far behind compaction is, as a number that writers can be paced by.
 *
 * What the planner would do next is all or nothing: at one run too many a whole level is merged, at a fifth of dead rows a whole file. Paced by that, writers would go from full speed to none and back. So what is
 * counted is what lies beyond the shape: of a level with a run too many, one run's share. Bytes that go down a level are merged with as many times their own below as the levels' sizes say, at most `ratio` times:
 * where more lies below, the planner gathers first. What goes down weighs on the next level in turn. */
#include "engine/plan.h"

struct shape { uint64_t live, runs; };

static int measure(const allocator *a, const struct plan_file *files, size_t count, unsigned level, struct key_range *ranges, uint32_t *by_key, struct run *runs, struct shape *out, frz_error *err)
{
    size_t n = 0, run_count = 0;
    *out = (struct shape){0};
    for (size_t i = 0; i < count; i++) {
        if (files[i].level != level || files[i].foreign) continue;
        out->live += plan_live_bytes(&files[i]);
        ranges[n++] = (struct key_range){files[i].first, files[i].last, false};
    }
    if (n) TRY(frz__runs_build(a, ranges, n, by_key, runs, &run_count, err));
    out->runs = run_count;
    return FRZ_OK;
}

static uint64_t garbage_beyond(const struct plan_file *files, size_t count, const struct plan_options *o, unsigned last)
{
    uint64_t all = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++) all += files[i].bytes;
    for (size_t i = 0; i < count; i++) {
        const struct plan_file *f = &files[i];
        if (f->foreign || !frz__plan_worth_rewriting(f, o, last, all)) continue;
        sum += (double)f->bytes * ((double)f->dead / (double)f->rows - (double)o->masked_percent / 100);
    }
    return sum > 0 ? (uint64_t)sum : 0;
}

static double share_of_runs(const struct shape *s, uint64_t wanted) { return s->runs > wanted ? (double)s->live * (double)(s->runs - wanted) / (double)s->runs : 0; }

int frz__plan_debt(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, struct plan_debt *out, frz_error *err)
{
    int rc = FRZ_OK;
    unsigned last = 1;
    double bytes = 0, carried = 0;
    *out = (struct plan_debt){0};
    for (size_t i = 0; i < count; i++)
        if (files[i].level > last) last = files[i].level;
    FRZ_VERIFY(o->ratio >= 2 && o->runs_max >= 1 && o->level0_runs_max >= 1 && last <= PLAN_LEVELS_MAX, err);
    struct key_range *ranges = (struct key_range *)frz__alloc_array(a, count + 1, sizeof *ranges);
    uint32_t *by_key = (uint32_t *)frz__alloc_array(a, count + 1, sizeof *by_key);
    struct run *runs = (struct run *)frz__alloc_array(a, count + 1, sizeof *runs);
    struct shape here, below;
    if (!ranges || !by_key || !runs) CHECK(frz__err_no_memory(err, (count + 1) * sizeof *ranges));
    CHECK(measure(a, files, count, 0, ranges, by_key, runs, &here, err));
    for (unsigned i = 0; i <= last; i++, here = below) {
        uint64_t wanted = i == 0 ? o->level0_runs_max : i < last ? o->runs_max : 1;
        double size = (double)here.live + carried, room = (double)frz__plan_capacity(o, i) * (double)(i < last ? o->runs_max : 1), beyond = share_of_runs(&here, wanted), under = 0;
        if (i > 0 && i < PLAN_LEVELS_MAX && size - room > beyond) beyond = size - room; /* level 0 is bounded by its runs */
        below = (struct shape){0};
        if (i < last) CHECK(measure(a, files, count, i + 1, ranges, by_key, runs, &below, err));
        if (i + 1 >= last && size > 0) { /* above, runs are laid beside each other */
            under = beyond * (double)below.live / size;
            if (under > (double)below.live) under = (double)below.live;
            if (under > beyond * o->ratio) under = beyond * o->ratio;
        }
        bytes += beyond + under;
        carried = beyond;
        out->live += here.live;
        out->runs += here.runs > wanted ? here.runs - wanted : 0;
    }
    bytes += (double)garbage_beyond(files, count, o, last);
    out->bytes = bytes < (double)INT64_MAX ? (uint64_t)bytes : INT64_MAX;
done:
    frz__free(a, ranges);
    frz__free(a, by_key);
    frz__free(a, runs);
    return rc;
}
