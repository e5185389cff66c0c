/* row_vec.h — rows of vectors → encoded keys and row bytes (keyenc.h, row.h), column by column over a chunk of rows: what ingest writes, without a value struct between.
 * Threads: one. */
#ifndef FRZ_TYPES_ROW_VEC_H
#define FRZ_TYPES_ROW_VEC_H
#include "types/keyenc.h"
#include "types/row.h"
#include "types/vec.h"

#define ROW_VEC_CHUNK 256

/* One column of the schema: a vector of its type, with a value a row, or one value for all. */
struct row_col {
    const struct vec *v;
    bool constant; /* v's only value stands in every row */
};
/* Rows [FROM, FROM + COUNT) of COLS (one a schema column), COUNT ≤ ROW_VEC_CHUNK: bytes of each key and row. A null in a required or key column: FRZ_INVALID names it; a key or row too long:
 * FRZ_TOO_LARGE; *BAD is the row, from FROM on. */
FRZ_NODISCARD int frz__rows_measure(const frz_schema *s, const struct row_col *cols, size_t from, size_t count, uint32_t *key_bytes, uint32_t *row_bytes, size_t *bad, frz_error *err);
/* The same rows, measured before, to where their bytes go. KEYS are moved behind what is written. */
void frz__rows_put(const frz_schema *s, const struct row_col *cols, size_t from, size_t count, uint8_t **keys, uint8_t *const *rows);
#endif
