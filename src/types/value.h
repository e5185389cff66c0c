/* value.h — one typed value (frz_value): order, text and JSON forms, Iceberg's single-value bytes.
 *
 * Text        Iceberg's JSON single-value serialisation without quotes: decimals "14.20" with exactly SCALE digits, dates "2017-11-16", times "22:31:08.123456", timestamps
 *             "2017-11-16T22:31:08.123456" (nine digits for _ns) and "+00:00" behind timestamptz, uuid lower case, fixed and binary hex; float and double shortest that read back, "NaN",
 *             "Infinity", "-Infinity". Parsing is as strict, but takes fewer fraction digits (none too), a space for the T, `Z` or any ±hh:mm offset for timestamptz.
 * Ranges      everything that fits 64 bits (32 for dates); a year beyond 9999 is written, and read, with its sign: "+12017-11-16", "-0001-01-01" */
#ifndef FRZ_TYPES_VALUE_H
#define FRZ_TYPES_VALUE_H
#include "base/arena.h"
#include "base/json.h"
#include "types/type.h"

static inline bool value_is_null(const frz_value *v) { return v->type == FRZ_NULL; }
static inline frz_value value_null(void) { return (frz_value){FRZ_NULL, 0, {0}}; }
static inline frz_value value_i64(int32_t type, int64_t v) { frz_value x = {type, 0, {0}}; x.as.i64 = v; return x; }
static inline frz_value value_i32(int32_t type, int32_t v) { frz_value x = {type, 0, {0}}; x.as.i32 = v; return x; }
static inline frz_value value_bytes(int32_t type, slice s) { frz_value x = {type, 0, {0}}; x.as.bytes.data = s.data; x.as.bytes.len = s.len; return x; }
static inline slice value_slice(const frz_value *v) { return slice_of(v->as.bytes.data, v->as.bytes.len); }

/* Both not null, of one type. Floats: -0 = +0, NaN after all (as SQL's ORDER BY has it). */
int frz__value_cmp(const frz_value *a, const frz_value *b);
bool frz__value_eq(const frz_value *a, const frz_value *b); /* nulls equal; NaN equals NaN */
int frz__decimal_cmp(frz_decimal a, frz_decimal b);
bool frz__decimal_fits(frz_decimal d, int precision); /* |d| < 10^precision */
FRZ_NODISCARD int frz__decimal_rescale(frz_decimal d, int from_scale, int to_scale, frz_decimal *out, frz_error *err); /* exact or FRZ_INVALID */

/* V fits COLUMN type T (after the lossless conversions that frz_row_set states) → *OUT of exactly type T; bytes still borrowed. FRZ_INVALID says what was expected. */
FRZ_NODISCARD int frz__value_convert(const frz_value *v, frz_type t, frz_value *out, frz_error *err);
/* Bytes of *OUT, if any, are of TEXT or of AR. */
FRZ_NODISCARD int frz__value_parse(slice text, frz_type t, struct arena *ar, frz_value *out, frz_error *err);
FRZ_NODISCARD int frz__value_print(const frz_value *v, frz_type t, struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__value_from_json(const struct json *j, frz_type t, struct arena *ar, frz_value *out, frz_error *err);
/* NUMBER: the digits of a J that is a number, from frz__json_text_next; they count, to the last one. */
FRZ_NODISCARD int frz__value_from_json_text(const struct json *j, slice number, frz_type t, struct arena *ar, frz_value *out, frz_error *err);
void frz__value_to_json(const frz_value *v, frz_type t, struct jw *w);

/* Iceberg spec Appendix D, binary single-value serialisation (manifest bounds). Decoding takes the narrower widths of promoted types (4 bytes for a long …). */
FRZ_NODISCARD int frz__value_to_single(const frz_value *v, frz_type t, struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__value_from_single(slice bytes, frz_type t, frz_value *out, frz_error *err);
#endif
