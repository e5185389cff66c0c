/* arrow_in_int.h — how the values of an Arrow column lie in memory: for the files of arrow_in alone. */
#ifndef FRZ_ARROW_ARROW_IN_INT_H
#define FRZ_ARROW_ARROW_IN_INT_H
#include "arrow/arrow_in.h"

enum arrow_kind {
    AK_NULL, AK_BOOL,
    AK_I8, AK_U8, AK_I16, AK_U16, AK_I32, AK_U32, AK_I64, AK_U64, /* integers, and what is one underneath: dates, times, timestamps, small decimals */
    AK_DEC128, AK_DEC256,
    AK_F32, AK_F64,
    AK_FIXED,
    AK_VAR32, AK_VAR64, AK_VIEW
};
enum arrow_class { AC_NULL, AC_BOOL, AC_NUMBER, AC_DATE, AC_TIME, AC_STAMP, AC_STAMPTZ, AC_FLOAT, AC_STRING, AC_BINARY };
struct arrow_shape {
    enum arrow_kind kind;
    enum arrow_class cls;
    uint64_t per_second; /* AC_TIME, AC_STAMP…: units */
    uint32_t day_units;  /* AC_DATE: units a day */
    int32_t precision, scale; /* decimals; integers: 0 digits behind the point */
    size_t width;        /* AK_FIXED: bytes */
    bool dictionary;     /* `index` tells how the indexes lie; the rest is of the dictionary */
    enum arrow_kind index;
};
/* Bytes of one value; 0 where it is not fixed. */
size_t frz__arrow_kind_width(const struct arrow_shape *s, enum arrow_kind kind);

/* The rows to convert: COUNT physical positions, one behind the other from FIRST, or by index. */
struct arrow_rows {
    const struct ArrowArray *values; /* the column, or its dictionary */
    const struct arrow_shape *shape;
    size_t first;       /* physical: offsets added */
    const size_t *index; /* COUNT physical positions of values; NULL = from FIRST on */
    size_t count;
};
static inline size_t arrow_at(const struct arrow_rows *r, size_t i) { return r->index ? r->index[i] : r->first + i; }

/* Where a value can't be held: *BAD is the row, in 0 to count. OUT has `validity` and `nulls` set for the rows, room for them, and len 0: set by the caller. */
FRZ_NODISCARD int frz__arrow_numbers(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err);
FRZ_NODISCARD int frz__arrow_floats(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err);
FRZ_NODISCARD int frz__arrow_bytes(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err);
#define ARROW_NO_ROW SIZE_MAX
#endif
