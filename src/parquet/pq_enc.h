/* pq_enc.h — the encoders of the writer: a page's values in Parquet's physical form, and what becomes of them: PLAIN bytes, levels, dictionary indices, bounds.
 *
 * Design      a stripe of a vector is gathered once into pq_values, without its nulls: fixed widths as one dense array (the vector's own where nothing is to change), variable ones as spans
 *             into the vector's bytes. Statistics, dictionary and PLAIN all run over that, in loops; nothing is called or allocated by value.
 * Invariants  (1) pq_values borrows from the vector and from the scratch that it was gathered with: both outlive it, and the next gathering ends it
 * Threads     one                                                                                                                         */
#ifndef FRZ_PARQUET_PQ_ENC_H
#define FRZ_PARQUET_PQ_ENC_H
#include "base/coding.h"
#include "parquet/parquet.h"

/* How the values of a column compare (formats.md §1.9). */
enum pq_cmp { PQ_CMP_BYTES, PQ_CMP_I32, PQ_CMP_I64, PQ_CMP_F32, PQ_CMP_F64, PQ_CMP_SIGNED_BE /* decimals in fixed bytes */ };

struct pq_form {
    enum pq_phys phys;
    enum pq_cmp cmp;
    uint32_t width; /* bytes of one value; 0 = boolean or byte array */
};
/* FRZ_INVALID for a type that Parquet files of ours do not hold (FRZ_NULL, a length or precision out of range). */
FRZ_NODISCARD int frz__pq_form(frz_type t, struct pq_form *out, frz_error *err);

/* ── a page's values ── */

struct pq_span { uint32_t at, len; };
struct pq_values {
    struct pq_form form;
    size_t count; /* not null */
    const uint8_t *data; /* fixed: count × width bytes; boolean: bits; byte arrays: what the spans are of */
    size_t data_bytes;   /* that may be read from `data` */
    const struct pq_span *spans;
    uint64_t var_bytes; /* byte arrays: sum of their lengths */
};
struct pq_scratch { /* of a writer, shared by its columns */
    const allocator *a;
    struct buf dense, bits;
    struct pq_span *spans;
    size_t span_cap;
};
void frz__pq_scratch_clear(struct pq_scratch *s);
FRZ_NODISCARD int frz__pq_gather(struct pq_scratch *s, const struct vec *v, size_t from, size_t count, struct pq_values *out, frz_error *err);
static inline uint64_t pq_plain_bytes(const struct pq_values *v)
{
    return v->form.phys == PQ_BOOLEAN ? bits_bytes(v->count) : v->form.width ? (uint64_t)v->count * v->form.width : v->var_bytes + 4 * (uint64_t)v->count;
}
FRZ_NODISCARD int frz__pq_plain_encode(const struct pq_values *v, struct buf *out, frz_error *err);
/* TO := bits [FROM, FROM + COUNT) of SRC, from bit 0; what is left of the last byte is zero. */
void frz__pq_bits_extract(uint8_t *to, const uint8_t *src, size_t from, size_t count);

/* ── RLE / bit-packed hybrid ── */

/* COUNT values of WIDTH bits (1 to 32). No length before them. */
FRZ_NODISCARD int frz__pq_rle_encode(const uint32_t *values, size_t count, unsigned width, struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__pq_rle_run(uint32_t value, uint64_t count, unsigned width, struct buf *out, frz_error *err);
/* Width 1, from bits that begin at bit 0 of BITS; bits beyond COUNT in its last byte are zero. */
FRZ_NODISCARD int frz__pq_rle_bits(const uint8_t *bits, size_t count, struct buf *out, frz_error *err);
/* Definition levels of COUNT rows of V as a v1 page has them: length, then runs. */
FRZ_NODISCARD int frz__pq_levels_encode(struct pq_scratch *s, const struct vec *v, size_t from, size_t count, size_t nulls, struct buf *out, frz_error *err);
static inline unsigned pq_bit_width(uint32_t max) { return max ? 32u - (unsigned)__builtin_clz(max) : 1u; } /* 1 for 0: some readers dislike width 0 */

/* ── dictionary ── */

struct pq_dict {
    const allocator *a;
    uint32_t width;    /* 0 = byte arrays */
    uint32_t count;    /* distinct values */
    struct buf values; /* PLAIN, in order of their first appearance: the dictionary page's body */
    uint32_t *at;      /* byte arrays: where each value's length is in `values` */
    size_t at_cap;
    uint64_t *slots; /* hash << 32 | index + 1 */
    uint32_t mask;
    uint64_t probes; /* beyond the first, of all look-ups: a data set that collides is not worth a dictionary */
};
void frz__pq_dict_init(struct pq_dict *d, const allocator *a, struct pq_form form);
void frz__pq_dict_reset(struct pq_dict *d); /* keeps its memory */
size_t frz__pq_dict_memory(const struct pq_dict *d);
void frz__pq_dict_clear(struct pq_dict *d);
/* Indices of all of V into OUT (v->count of them). FRZ_DONE: `values` would go beyond BYTES_MAX, or too many collide; what was added before stays. */
FRZ_NODISCARD int frz__pq_dict_add(struct pq_dict *d, const struct pq_values *v, size_t bytes_max, uint32_t *out, frz_error *err);
/* PLAIN form of the values at COUNT indices. */
FRZ_NODISCARD int frz__pq_dict_plain(const struct pq_dict *d, const uint32_t *index, size_t count, struct buf *out, frz_error *err);
uint64_t frz__pq_dict_plain_bytes(const struct pq_dict *d, const uint32_t *index, size_t count);

/* ── bounds ── */

/* Of one page; MIN and MAX borrow from the values, or from `own`: not to be copied by assignment. */
struct pq_minmax {
    bool has; /* false: no value, or NaNs alone */
    slice min, max;
    uint64_t nans;
    uint8_t own[2][8];
};
void frz__pq_minmax(const struct pq_values *v, struct pq_minmax *out);
int frz__pq_cmp(enum pq_cmp cmp, slice a, slice b);
/* Of a chunk or a file: exact, owned. */
struct pq_extent {
    bool has;
    struct buf min, max;
};
FRZ_NODISCARD int frz__pq_extent_widen(struct pq_extent *x, enum pq_cmp cmp, slice min, slice max, frz_error *err);
void frz__pq_extent_reset(struct pq_extent *x);
void frz__pq_extent_clear(struct pq_extent *x);
/* Cuts a bound of a string (TEXT: at a code point) or a binary to BYTES_MAX bytes and, for text, CHARS_MAX code points (0 = any). Appends to OUT; *EXACT = nothing was cut. */
FRZ_NODISCARD int frz__pq_cut_lower(slice v, bool text, size_t bytes_max, size_t chars_max, struct buf *out, bool *exact, frz_error *err);
/* The same, incremented at its last unit that can be. *HAS = false: none can be, OUT is as it was. */
FRZ_NODISCARD int frz__pq_cut_upper(slice v, bool text, size_t bytes_max, size_t chars_max, struct buf *out, bool *exact, bool *has, frz_error *err);
/* Iceberg's single-value bytes of a bound in physical form (fixed types; text and binary are their bytes). */
FRZ_NODISCARD int frz__pq_bound_to_single(frz_type t, slice physical, struct buf *out, frz_error *err);
#endif
