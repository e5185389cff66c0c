/* type.h — Iceberg's primitive types: names, widths, promotion. Spec: Iceberg "Schemas and Data Types". */
#ifndef FRZ_TYPES_TYPE_H
#define FRZ_TYPES_TYPE_H
#include "base/buf.h"

/* Bytes of one value in a vector or a row: 4, 8, 16, or type.length; 0 = variable (string, binary). A boolean takes a bit in a vector, a byte in a row. */
size_t frz__type_width(frz_type t);
static inline bool type_is_var(frz_type t) { return t.id == FRZ_STRING || t.id == FRZ_BINARY; }
static inline bool type_is_i64(frz_type t) { return t.id == FRZ_LONG || (t.id >= FRZ_TIME && t.id <= FRZ_TIMESTAMPTZ_NS); }
static inline bool type_is_i32(frz_type t) { return t.id == FRZ_INT || t.id == FRZ_DATE; }
bool frz__type_eq(frz_type a, frz_type b);
bool frz__type_key_ok(frz_type t);        /* any but float and double */
int frz__type_format_min(frz_type t);     /* the least format version that has it: 2, or 3 for nanoseconds */
/* "decimal(9, 2)" as Iceberg JSON has it; also accepted without the space. FRZ_INVALID says which types there are. */
FRZ_NODISCARD int frz__type_parse(slice text, frz_type *out, frz_error *err);
FRZ_NODISCARD int frz__type_print(frz_type t, struct buf *out, frz_error *err);
/* Fields in their bounds, and nothing in those that the id does not use. */
FRZ_NODISCARD int frz__type_check(frz_type t, frz_error *err);
#define TYPE_TEXT_BYTES 32
const char *frz__type_text(frz_type t, char out[TYPE_TEXT_BYTES]); /* for messages; gives OUT */
const char *frz__type_id_name(int32_t id);                        /* "decimal"; "null" for FRZ_NULL, "an unknown type" else */
#define FIXED_BYTES_MAX (1 << 20)
#define DECIMAL_PRECISION_MAX 38
bool frz__type_promotes(frz_type from, frz_type to); /* same, int→long, float→double, decimal(P,S)→decimal(P'≥P,S) */
#endif
