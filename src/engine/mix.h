/* mix.h — what a table is used for lately: reads against writes, the old ones counting less and less. Pure: time is a number.
 *
 * Design      a count of each that halves every MIX_HALF_LIFE_NS; fed with totals, whenever somebody wants to know.
 * Invariants  (1) what happened between two looks counts in full at the later one  (2) a total that shrinks (of a table read anew) begins again
 * Threads     the caller's lock                                                                                                          */
#ifndef FRZ_ENGINE_MIX_H
#define FRZ_ENGINE_MIX_H
#include <stdint.h>

#define MIX_HALF_LIFE_NS ((int64_t)300000000000)

struct mix {
    uint64_t gets_total, puts_total; /* at the last look */
    double gets, puts;               /* decayed */
    int64_t at_ns;
};
void frz__mix_look(struct mix *m, uint64_t gets_total, uint64_t puts_total, int64_t now_ns);
#endif
