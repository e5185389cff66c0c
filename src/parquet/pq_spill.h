/* pq_spill.h — a row group that can't be cut yet, and is more than memory is to hold: its encoded pages wait elsewhere.
 *
 * Design      row groups are cut where stripes of all columns end: a thousand rows of a megabyte are one. Chunks lie one behind the other in a file, so that all but the first have to wait for the group's end. What
 *             is beyond is written to the place that the caller has (pq_spill) in the order in which it comes, and copied from there when the group ends.
 * Invariants  (1) what is spilled of a column comes before what it holds  (2) a group's end leaves nothing there
 * Threads     the writer's                                                                                                                         */
#ifndef FRZ_PARQUET_PQ_SPILL_H
#define FRZ_PARQUET_PQ_SPILL_H
#include "parquet/pq_col_write.h"

struct pq_spiller {
    struct pq_spill to; /* {0}: none */
    uint64_t held_max;  /* bytes of encoded pages in memory */
    uint64_t end;
};
/* If COLS hold too much, half of it goes at least: that of those which hold most. */
FRZ_NODISCARD int frz__pq_spill(struct pq_spiller *s, struct pq_wcolumn *cols, size_t count, frz_error *err);
/* What C has there goes to PUT, through SCRATCH. */
FRZ_NODISCARD int frz__pq_spill_copy(const struct pq_spiller *s, const struct pq_wcolumn *c, struct buf *scratch, const struct pq_sink *put, frz_error *err);
#endif
