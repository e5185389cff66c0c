/* arrow_in.h — what others hand us as Arrow: schemas and arrays are checked, then rows become vectors of our types, without loss or not at all.
 *
 * Design      arrow_in_new reads a schema once and keeps what it needs; each array is checked against it once; then any range of its rows is converted, column by column. Offsets of the struct and
 *             of its children, validity without a count, dictionaries and views are all resolved here. The sizes of buffers are not part of Arrow's C interface: they are believed, all else
 *             (lengths, offsets, indexes, counts, pointers) is checked before it is used.
 * Types       bool → boolean · int8 16 32, uint8 16 → int · int64, uint32 64 → long (where they fit) · float, double · utf8 (all three) → string · binary (all three) → binary ·
 *             fixed w:N → fixed, uuid if arrow.uuid · date32 64 → date · time32 64 → time · timestamp s ms us → timestamp, ns → timestamp_ns, with a zone → …tz · decimal 32 64 128 256 →
 *             decimal (of at most 38 digits) · null → any · dictionaries of all these. Not ours: half floats, durations, intervals, nested and run-end encoded types
 * Converts    to the column that is wanted: integers and decimals among each other, float ↔ double, times, dates and timestamps of one kind among their units, binary ↔ fixed and uuid of one length,
 *             string → binary. A value that would change is FRZ_INVALID, naming column and row                                                 */
#ifndef FRZ_ARROW_ARROW_IN_H
#define FRZ_ARROW_ARROW_IN_H
#include "types/vec.h"

/* A call gives no more bytes of strings than this, but for one row alone. */
#define ARROW_IN_BYTES_MAX ((size_t)64 << 20)

struct arrow_shape; /* how values lie in an array: arrow_in_int.h */
struct arrow_field {
    char *name;
    frz_type type; /* what it becomes if nothing else is wanted; id FRZ_NULL: it has nulls only */
    bool nullable;
    int32_t field_id; /* < 0 = none */
    struct arrow_shape *shape;
};
struct arrow_in {
    const allocator *a;
    size_t count;
    struct arrow_field *fields;
};

/* SCHEMA is a struct of flat fields; it is not released, and not needed afterwards. FRZ_UNSUPPORTED names a column of a type that is not ours. */
FRZ_NODISCARD int frz__arrow_in_new(const allocator *a, const struct ArrowSchema *schema, struct arrow_in **out, frz_error *err);
void frz__arrow_in_free(struct arrow_in *in); /* NULL is fine */
/* Column X can become T, for some values at least. FRZ_INVALID says the two types. */
FRZ_NODISCARD int frz__arrow_in_fits(const struct arrow_in *in, size_t column, frz_type t, frz_error *err);
/* ARRAY is a batch of IN's schema, structurally: call before arrow_in_rows. */
FRZ_NODISCARD int frz__arrow_in_check(const struct arrow_in *in, const struct ArrowArray *array, frz_error *err);
/* Rows [FROM, FROM + COUNT) of COLUMN of a checked ARRAY → OUT, which is reset and filled; OUT's type is one that fits. ROW_BASE: what the array's first row is called in messages.
 * FRZ_TOO_LARGE beyond ARROW_IN_BYTES_MAX: ask for fewer rows. */
FRZ_NODISCARD int frz__arrow_in_rows(const struct arrow_in *in, const struct ArrowArray *array, size_t column, size_t from, size_t count, uint64_t row_base, struct vec *out, frz_error *err);
#endif
