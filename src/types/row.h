/* row.h — row bytes: one format in log, batch, memtable and caches; and frz_row, the row that a host fills or reads.
 *
 *     u16 LE schema id (low 16 bits) | null bitmap, 1 = null, one bit a non-key column | fixed columns at constant offsets, widest first (null: zeroes) |
 *     u32 LE end offset of each variable column, from the start of the heap | heap
 *
 * Key columns live only in the encoded key (keyenc.h), which is reversible.
 * Invariants  (1) end offsets ascend and the last is the heap's length  (2) bytes behind null bits are zero: equal rows are equal bytes
 * Threads     row bytes are immutable; a frz_row belongs to one thread                                                                    */
#ifndef FRZ_TYPES_ROW_H
#define FRZ_TYPES_ROW_H
#include "types/keyenc.h"
#include "types/schema.h"

#define ROW_BYTES_MAX ((size_t)128 << 20)

/* The public frz_row. Values' bytes are in the column's `own`, which grows and is used again from row to row, or borrowed: in a fill or set without copy. */
struct frz_row {
    const allocator *a;
    frz_schema *schema; /* counted */
    frz_value *values;
    uint8_t *set; /* bit a column: set or projected */
    bool borrows; /* a cursor's: the host may not set or free it */
    struct row_own { uint8_t *data; size_t cap; } *own; /* by column */
    struct arena ar;    /* of one call: text and JSON on their way in */
    struct buf scratch; /* keys decoded by a fill without copy */
    struct buf wanted;  /* the encoded key that a get looks for */
};
/* Seals S if it is not. */
FRZ_NODISCARD int frz__row_new(const allocator *a, const frz_schema *s, frz_row **out, frz_error *err);
void frz__row_free(frz_row *r); /* also one that borrows; NULL is fine */
void frz__row_clear(frz_row *r); /* all unset; memory kept */
/* Checked and converted. Not COPY: bytes stay V's. Null for a required column: FRZ_INVALID. */
FRZ_NODISCARD int frz__row_set(frz_row *r, size_t column, const frz_value *v, bool copy, frz_error *err);

/* VALUES by column (key columns ignored) → appended row bytes. A required column that is null: FRZ_INVALID names it. FRZ_TOO_LARGE beyond ROW_BYTES_MAX. */
FRZ_NODISCARD int frz__row_encode(const frz_schema *s, const frz_value *values, struct buf *out, frz_error *err);
/* Structure check of bytes from outside the process (log replay): after it the readers below are safe. */
FRZ_NODISCARD int frz__row_check(const frz_schema *s, slice row, frz_error *err);
/* COLUMN is not of the key. Borrows from ROW. */
void frz__row_get(const frz_schema *s, slice row, size_t column, frz_value *out);
/* Key and row bytes → R, columns of MASK only (bitset; NULL = all). COPY: R owns; else R borrows from ROW, and decoded keys live in R's scratch. */
FRZ_NODISCARD int frz__row_fill(frz_row *r, slice key, slice row, const uint8_t *mask, bool copy, frz_error *err);
#endif
