/* pq_dec.h — decoders of Parquet's encodings: bytes in, arrays out. Each takes exactly the values' bytes and the count that is expected, never reads past them, and gives FRZ_CORRUPT where
 * they do not hold COUNT values. They write COUNT values to OUT, dense: nulls are the caller's (pq_col_read.c).
 *
 * Threads     none: plain functions
 * Source      parquet-format Encodings.md                                                                                                    */
#ifndef FRZ_PARQUET_PQ_DEC_H
#define FRZ_PARQUET_PQ_DEC_H
#include "base/coding.h"
#include "types/vec.h"

/* ── bit ranges ── */
void frz__pq_bits_fill(uint8_t *bits, size_t at, size_t count, bool v);
void frz__pq_bits_copy(uint8_t *to, size_t at, const uint8_t *from, size_t from_at, size_t count);

/* ── RLE/bit-packed hybrid: pq_rle.c ── */
struct pq_rle {
    const uint8_t *p, *end;
    unsigned width; /* bits of a value, 0 to 32 */
    bool packed;
    uint32_t value; /* of the run, if it is not packed */
    uint64_t left;  /* values of the run still to be given */
};
FRZ_NODISCARD int frz__pq_dec_rle_init(struct pq_rle *r, slice in, unsigned width, frz_error *err);
#define PQ_RLE_BATCH 1024
/* Between 1 and COUNT values to OUT (room for COUNT), as many as it is easy to; TOTAL ≥ COUNT are still wanted of it. */
FRZ_NODISCARD int frz__pq_dec_rle_next(struct pq_rle *r, size_t count, size_t total, uint32_t *out, size_t *made, frz_error *err);
/* Width 1, COUNT bits to BITS from bit AT on; *ONES = how many of them are set. */
FRZ_NODISCARD int frz__pq_dec_rle_bits(slice in, size_t count, uint8_t *bits, size_t at, size_t *ones, frz_error *err);
/* One run of ones covers all COUNT values: true without a look at more than the run's header. */
bool frz__pq_dec_rle_all_ones(slice in, size_t count);
/* COUNT values of WIDTH (0 to 32) bits at P, least significant bit first; P to END must hold them. */
void frz__pq_dec_unpack(const uint8_t *p, const uint8_t *end, unsigned width, size_t count, uint32_t *out);
void frz__pq_dec_unpack64(const uint8_t *p, const uint8_t *end, unsigned width, size_t count, uint64_t *out); /* 0 to 64 */

/* ── levels: pq_levels.c ── */
/* Takes the level block of COUNT levels up to MAX off *IN (v1: length before it; ENCODING RLE or BIT_PACKED). */
FRZ_NODISCARD int frz__pq_dec_levels_take(slice *in, int encoding, int max, size_t count, slice *levels, frz_error *err);
/* Definition levels of a flat column (0 or 1) as validity bits; ENCODING as above. */
FRZ_NODISCARD int frz__pq_dec_validity(slice levels, int encoding, size_t count, uint8_t *bits, size_t at, size_t *valid, frz_error *err);
/* Levels of any column, checked: each ≤ MAX. *AT_MAX = how many are MAX, *ZEROES = how many are 0. */
FRZ_NODISCARD int frz__pq_dec_levels_check(slice levels, int encoding, int max, size_t count, size_t *at_max, size_t *zeroes, frz_error *err);
/* The first of checked levels is 0: a row begins there. */
bool frz__pq_dec_levels_begin_0(slice levels, int encoding, int max);

/* ── PLAIN: pq_plain.c ── */
FRZ_NODISCARD int frz__pq_dec_plain_fixed(slice in, size_t width, size_t count, void *out, frz_error *err);
FRZ_NODISCARD int frz__pq_dec_plain_bits(slice in, size_t count, uint8_t *bits, size_t at, frz_error *err);
/* Offsets and bytes behind OUT->len (string or binary), which stays: the caller counts them in. */
FRZ_NODISCARD int frz__pq_dec_plain_var(slice in, size_t count, struct vec *out, frz_error *err);

/* ── dictionary: pq_dict.c ── */
/* Indexes (a byte of width, then hybrid) of COUNT values, gathered from DICT, whose type is OUT's, behind OUT->len, which stays. Fixed widths: the room is there. DICT->data has PQ_SLACK
 * readable bytes behind its last. */
#define PQ_SLACK 32
FRZ_NODISCARD int frz__pq_dec_dict(slice in, const struct vec *dict, size_t count, struct vec *out, frz_error *err);

/* ── DELTA_*: pq_delta.c ── */
/* Takes a DELTA_BINARY_PACKED block off *IN that holds COUNT values. OUT: int32 or int64. */
FRZ_NODISCARD int frz__pq_dec_delta32(slice *in, size_t count, int32_t *out, frz_error *err);
FRZ_NODISCARD int frz__pq_dec_delta64(slice *in, size_t count, int64_t *out, frz_error *err);
FRZ_NODISCARD int frz__pq_dec_delta_length(slice in, size_t count, struct buf *scratch, struct vec *out, frz_error *err);
FRZ_NODISCARD int frz__pq_dec_delta_bytes(slice in, size_t count, struct buf *scratch, struct vec *out, frz_error *err);

/* ── BYTE_STREAM_SPLIT: pq_bss.c ── */
FRZ_NODISCARD int frz__pq_dec_bss(slice in, size_t width, size_t count, uint8_t *out, frz_error *err);

/* Copies LEN bytes; may write up to 15 bytes more at TO and read as many more at FROM, where both have that room. */
static inline void pq_copy_short(uint8_t *to, const uint8_t *from, size_t len)
{
    memcpy(to, from, 16);
    if (len > 16) memcpy(to + 16, from + 16, len - 16);
}
#endif
