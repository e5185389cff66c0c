/* pq_schema.h — Parquet's tree of schema elements ↔ flat columns of our types.
 *
 * Design      every leaf of the tree becomes a pq_leaf, in order (= column chunk). A leaf at the top that is not repeated and of a type that is ours can be read; all others get type
 *             FRZ_NULL. `source` says what the physical values mean, so that with the wanted type it gives the conversion (pq_col.h). Logical types win over converted types; what is unknown
 *             among logical types falls back to the converted one, then to the physical type.
 *             Old writers: converted types alone; TIMESTAMP_MILLIS/_MICROS mean UTC; INT96 is a timestamp; decimals in BYTE_ARRAY or in longer FLBA than need be.
 * Source      parquet-format LogicalTypes.md; formats.md §1.10                                                                           */
#ifndef FRZ_PARQUET_PQ_SCHEMA_H
#define FRZ_PARQUET_PQ_SCHEMA_H
#include "parquet/parquet.h"
#include "parquet/pq_meta.h"

enum pq_meaning {
    PQ_AS_IS,      /* physical value = ours */
    PQ_UINT32,     /* INT32, unsigned → long */
    PQ_UINT64,     /* INT64, unsigned → long where it fits */
    PQ_TIME_MS,    /* INT32 ms */
    PQ_TIME_NS,    /* INT64 ns → µs where whole */
    PQ_STAMP_MS,   /* INT64 ms → µs */
    PQ_STAMP_96,   /* INT96: u64 ns of the day, u32 Julian day → µs */
    PQ_HALF,       /* FLBA(2): IEEE half → float */
    PQ_DECIMAL_INT, /* INT32, INT64 */
    PQ_DECIMAL_BYTES /* FLBA, BYTE_ARRAY: big-endian */
};
struct pq_leaf {
    struct pq_rcol col;
    enum pq_meaning meaning;
    int max_def, max_rep;
    bool signed_stats; /* old min and max are in its order */
};
/* FRZ_CORRUPT where the elements are no tree. Names are copied into AR. */
FRZ_NODISCARD int frz__pq_schema_read(struct arena *ar, const struct pq_footer *f, struct pq_leaf **out, size_t *count, frz_error *err);

/* Physical type of T as we write it; *LENGTH: of an FLBA, else 0. */
enum pq_phys frz__pq_phys_of(frz_type t, int32_t *length);
/* Bytes of an FLBA decimal of this precision. */
int32_t frz__pq_decimal_bytes(int32_t precision);
/* The elements, root first, that COLS are written with; names borrow from COLS. */
FRZ_NODISCARD int frz__pq_schema_write(struct arena *ar, const struct pq_wcol *cols, size_t count, struct pq_elem **out, size_t *out_count, frz_error *err);
#endif
