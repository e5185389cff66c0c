/* vec.h — column vectors in Arrow's layout: validity bits, values, offsets. What Parquet decodes into, predicates run over and Arrow exports without a copy.
 *
 *     boolean: bits · int, date, float: 4 bytes · long, time, timestamps, double: 8 · decimal: 16, little-endian two's complement · uuid: 16 · fixed: length ·
 *     string, binary: len + 1 offsets of 32 bits, and bytes
 *
 * Invariants  (1) validity NULL = no nulls  (2) offsets[0] = 0, ascend  (3) bytes of a null: zero, or empty  (4) bits beyond `len` in the last byte: anything
 * Threads     one while built, any once it is not changed                                                                                     */
#ifndef FRZ_TYPES_VEC_H
#define FRZ_TYPES_VEC_H
#include "base/bits.h"
#include "types/schema.h"

struct vec {
    frz_type type;
    const allocator *a;
    size_t len, cap; /* values */
    size_t nulls;
    uint8_t *validity; /* cap bits, or NULL */
    uint8_t *data;     /* values; bytes of var types */
    uint32_t *offsets; /* var types: cap + 1 */
    size_t data_cap;
};
#define VEC_VAR_BYTES_MAX ((size_t)INT32_MAX)

void frz__vec_init(struct vec *v, const allocator *a, frz_type t);
void frz__vec_clear(struct vec *v);
static inline void vec_reset(struct vec *v) { v->len = v->nulls = 0; }
void frz__vec_move(struct vec *to, struct vec *from);
/* Room for ROWS more values (and BYTES more bytes of a var type). FRZ_TOO_LARGE beyond VEC_VAR_BYTES_MAX bytes. */
FRZ_NODISCARD int frz__vec_reserve(struct vec *v, size_t rows, size_t bytes, frz_error *err);
FRZ_NODISCARD int frz__vec_append(struct vec *v, const frz_value *value, frz_error *err); /* of exactly v->type, or null */
FRZ_NODISCARD int frz__vec_append_nulls(struct vec *v, size_t count, frz_error *err);
/* Rows [FROM, FROM + COUNT) of SRC (same type). */
FRZ_NODISCARD int frz__vec_append_range(struct vec *v, const struct vec *src, size_t from, size_t count, frz_error *err);
/* Rows of SRC by index. */
FRZ_NODISCARD int frz__vec_append_select(struct vec *v, const struct vec *src, const uint32_t *rows, size_t count, frz_error *err);
FRZ_NODISCARD int frz__vec_need_validity(struct vec *v, frz_error *err); /* all valid so far */
static inline bool vec_is_null(const struct vec *v, size_t i) { return v->validity && !bit_get(v->validity, i); }
static inline size_t vec_var_bytes(const struct vec *v) { return v->offsets && v->len ? v->offsets[v->len] : 0; }
static inline slice vec_bytes(const struct vec *v, size_t i) { return slice_of(v->data + v->offsets[i], v->offsets[i + 1] - v->offsets[i]); }
/* What rows [FROM, FROM + COUNT) take: values, or offsets and the bytes behind them. */
static inline size_t vec_range_bytes(const struct vec *v, size_t from, size_t count)
{
    if (!type_is_var(v->type)) return count * frz__type_width(v->type);
    return count ? count * sizeof *v->offsets + (v->offsets[from + count] - v->offsets[from]) : 0;
}
static inline size_t vec_used(const struct vec *v) { return vec_range_bytes(v, 0, v->len); }
size_t frz__vec_rows_within(const struct vec *v, size_t from, size_t count, size_t bytes); /* how many of these rows, from the first on, take no more than BYTES */
void frz__vec_truncate(struct vec *v, size_t rows); /* to its first ROWS, which it has */
void frz__vec_get(const struct vec *v, size_t i, frz_value *out); /* borrows from V */
size_t frz__vec_mem(const struct vec *v); /* bytes taken */

/* Columns of equal length. */
struct vecs {
    const allocator *a;
    size_t rows, count;
    struct vec *cols;
};
FRZ_NODISCARD int frz__vecs_init(struct vecs *vs, const allocator *a, const frz_type *types, size_t count, frz_error *err);
void frz__vecs_clear(struct vecs *vs);
void frz__vecs_reset(struct vecs *vs);
#endif
