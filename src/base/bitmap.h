/* bitmap.h — Roaring bitmaps of 64-bit positions in the portable form that Iceberg's deletion vectors embed.
 * Serialised: u64 LE count of 32-bit bitmaps, then for each, ascending, u32 LE key (position >> 32) and the portable form of the low 32 bits (byte table in bitmap.c).
 * Each container takes the smallest of its three forms, so that the bytes are those of CRoaring after roaring_bitmap_run_optimize. */
#ifndef FRZ_BASE_BITMAP_H
#define FRZ_BASE_BITMAP_H
#include "base/buf.h"
/* POSITIONS strictly ascend (FRZ_INVALID). Appends to OUT; what it appended before a failure stays there. */
FRZ_NODISCARD int frz__bitmap_encode(const uint64_t *positions, size_t count, struct buf *out, frz_error *err);
/* Checks BYTES wholly, then calls FN (NULL = check and count alone) with runs of ascending positions; FN's result other than 0 stops and is given back. FRZ_CORRUPT, before any call, where
 * BYTES are not exactly one well-formed bitmap. COUNT (may be NULL): how many positions. Allocates nothing; the work is bounded by 16384 positions a byte. */
FRZ_NODISCARD int frz__bitmap_decode(slice bytes, int (*fn)(void *ctx, const uint64_t *positions, size_t count), void *ctx, uint64_t *count, frz_error *err);
#endif
