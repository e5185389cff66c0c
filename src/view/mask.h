/* mask.h — which positions of a data file are dead, as persistent chunks of 2^16 positions shared between versions (hazards 33).
 *
 * Design      a directory by position >> 16 → nothing | sorted u16[] (≤ 4,096) | bitmap of 8 KiB: Roaring's containers. Adding copies the touched chunks alone.
 * Invariants  (1) immutable once made  (2) count = bits set  (3) masks of a file only grow within our own commits
 * Threads     any; counted                                                                                                               */
#ifndef FRZ_VIEW_MASK_H
#define FRZ_VIEW_MASK_H
#include "base/alloc.h"
#include "base/buf.h"
struct mask;
/* Positions in any order, some of them twice → strictly ascending: how many are left. */
size_t frz__positions_sort(uint64_t *positions, size_t count);
/* BASE (may be NULL) and POSITIONS (strictly ascending; those already dead are allowed) → a new mask; BASE keeps its count. */
FRZ_NODISCARD int frz__mask_add(const allocator *a, const struct mask *base, const uint64_t *positions, size_t count, struct mask **out, frz_error *err);
struct mask *frz__mask_acquire(struct mask *m);
void frz__mask_release(struct mask *m); /* NULL is fine */
uint64_t frz__mask_count(const struct mask *m); /* 0 for NULL */
bool frz__mask_get(const struct mask *m, uint64_t pos); /* false for NULL */
bool frz__mask_any(const struct mask *m, uint64_t from, uint64_t to); /* in [from, to) */
/* sst_mask_fn: clears the bits of dead rows. */
void frz__mask_clear_dead(const void *mask, uint64_t from, size_t count, uint8_t *selected);
/* All positions, ascending, in runs. */
FRZ_NODISCARD int frz__mask_walk(const struct mask *m, int (*fn)(void *ctx, const uint64_t *positions, size_t count), void *ctx);
uint64_t frz__mask_last(const struct mask *m); /* the highest; m not empty */
size_t frz__mask_mem(const struct mask *m);
#endif
