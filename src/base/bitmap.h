/* bitmap.h — Roaring bitmaps of 64-bit positions in the portable form that Iceberg's deletion vectors embed (CRoaring, met in bitmap.c alone).
 * Serialised: u64 LE count of 32-bit bitmaps, then for each, ascending, u32 LE key (position >> 32) and CRoaring's portable form. Input is walked and checked
 * before CRoaring sees it: 0.2.66 bounds-checks only. */
#ifndef FRZ_BASE_BITMAP_H
#define FRZ_BASE_BITMAP_H
#include "base/buf.h"
/* POSITIONS strictly ascend. Appends to OUT. */
FRZ_NODISCARD int frz__bitmap_encode(const uint64_t *positions, size_t count, struct buf *out, frz_error *err);
/* Calls FN with runs of ascending positions. FRZ_CORRUPT where BYTES are not exactly one well-formed bitmap. COUNT: how many positions. */
FRZ_NODISCARD int frz__bitmap_decode(slice bytes, int (*fn)(void *ctx, const uint64_t *positions, size_t count), void *ctx, uint64_t *count, frz_error *err);
#endif
