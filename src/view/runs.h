/* runs.h — sorted runs derived from exact key bounds (hazards 15): greedy interval partitioning. Pure; the least number of runs that there can be. */
#ifndef FRZ_VIEW_RUNS_H
#define FRZ_VIEW_RUNS_H
#include "view/view.h"

/* Bounds are inclusive. `apart`: to be in a run of its own, whatever its bounds (a foreign file's are not known). */
struct key_range { slice first, last; bool apart; };
/* BY_KEY: room for COUNT; RUNS: room for COUNT. By_key's runs stand one after another, each sorted and disjoint; those apart come last. */
FRZ_NODISCARD int frz__runs_build(const allocator *a, const struct key_range *ranges, size_t count, uint32_t *by_key, struct run *runs, size_t *run_count, frz_error *err);
#endif
