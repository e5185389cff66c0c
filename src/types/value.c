#include "types/value.h"

#include <math.h>

#include "base/utf8.h"
#include "types/int128.h"

/* ── order ── */

int frz__decimal_cmp(frz_decimal a, frz_decimal b)
{
    if (a.hi != b.hi) return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

static int cmp_double(double a, double b)
{
    if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
    return (a > b) - (a < b);
}

int frz__value_cmp(const frz_value *a, const frz_value *b)
{
    FRZ_ASSERT(a->type == b->type && a->type != FRZ_NULL);
    switch (a->type) {
    case FRZ_BOOLEAN: return (int)a->as.boolean - (int)b->as.boolean;
    case FRZ_INT:
    case FRZ_DATE: return (a->as.i32 > b->as.i32) - (a->as.i32 < b->as.i32);
    case FRZ_FLOAT: return cmp_double((double)a->as.f32, (double)b->as.f32);
    case FRZ_DOUBLE: return cmp_double(a->as.f64, b->as.f64);
    case FRZ_DECIMAL: return frz__decimal_cmp(a->as.dec, b->as.dec);
    case FRZ_STRING:
    case FRZ_UUID:
    case FRZ_FIXED:
    case FRZ_BINARY: return slice_cmp(value_slice(a), value_slice(b));
    default: return (a->as.i64 > b->as.i64) - (a->as.i64 < b->as.i64);
    }
}

bool frz__value_eq(const frz_value *a, const frz_value *b)
{
    if (a->type != b->type) return false;
    return a->type == FRZ_NULL || frz__value_cmp(a, b) == 0;
}

/* ── decimals ── */

bool frz__decimal_fits(frz_decimal d, int precision)
{
    FRZ_ASSERT(precision >= 1 && precision <= DECIMAL_PRECISION_MAX);
    return i128_abs(decimal_i128(d)) < u128_pow10(precision);
}

int frz__decimal_rescale(frz_decimal d, int from_scale, int to_scale, frz_decimal *out, frz_error *err)
{
    FRZ_ASSERT(from_scale >= 0 && from_scale <= 38);
    FRZ_ASSERT(to_scale >= 0 && to_scale <= 38);
    i128 v = decimal_i128(d);
    u128 abs = i128_abs(v), by = u128_pow10(to_scale > from_scale ? to_scale - from_scale : from_scale - to_scale);
    if (to_scale >= from_scale) {
        if (abs >= u128_pow10(38) || (abs && by > (u128_pow10(38) - 1) / abs)) return frz__err(err, FRZ_INVALID, "a decimal has no room for scale %d: it would take more than 38 digits", to_scale);
        abs *= by;
    } else {
        if (abs % by != 0) return frz__err(err, FRZ_INVALID, "a decimal of scale %d has more than %d digits behind its point", from_scale, to_scale);
        abs /= by;
    }
    *out = decimal_of(v < 0 ? -(i128)abs : (i128)abs);
    return FRZ_OK;
}

/* ── conversion ── */

#define TIME_US_MAX INT64_C(86399999999)

static int err_type(const frz_value *v, frz_type t, frz_error *err)
{
    char text[TYPE_TEXT_BYTES];
    return frz__err(err, FRZ_INVALID, "expected %s, found %s", frz__type_text(t, text), frz__type_id_name(v->type));
}

static int err_range(int64_t v, frz_type t, frz_error *err)
{
    char text[TYPE_TEXT_BYTES];
    return frz__err(err, FRZ_INVALID, "%" PRId64 " is out of the range of %s", v, frz__type_text(t, text));
}

static int convert_integer(int64_t v, frz_type t, frz_value *out, frz_error *err)
{
    *out = (frz_value){t.id, 0, {0}};
    switch (t.id) {
    case FRZ_INT:
        if (v < INT32_MIN || v > INT32_MAX) return err_range(v, t, err);
        out->as.i32 = (int32_t)v;
        return FRZ_OK;
    case FRZ_LONG: out->as.i64 = v; return FRZ_OK;
    default: { /* decimal */
        i128 limit = (i128)((u128_pow10(t.precision) - 1) / u128_pow10(t.scale));
        if (v > limit || v < -limit) return err_range(v, t, err);
        out->as.dec = decimal_of((i128)v * (i128)u128_pow10(t.scale));
        return FRZ_OK;
    }
    }
}

static int convert_bytes(const frz_value *v, frz_type t, frz_value *out, frz_error *err)
{
    slice s = value_slice(v);
    size_t want = t.id == FRZ_UUID ? 16 : t.id == FRZ_FIXED ? (size_t)t.length : s.len;
    char text[TYPE_TEXT_BYTES];
    if (s.len && !s.data) return frz__err(err, FRZ_INVALID, "expected %zu bytes of %s, found a null pointer", s.len, frz__type_text(t, text));
    if (s.len != want) return frz__err(err, FRZ_INVALID, "expected %zu bytes of %s, found %zu", want, frz__type_text(t, text), s.len);
    if (t.id == FRZ_STRING) {
        size_t bad = frz__utf8_check(s);
        if (bad != s.len) return frz__err(err, FRZ_INVALID, "expected a string of UTF-8, found byte 0x%02x at offset %zu", s.data[bad], bad);
    }
    *out = value_bytes(t.id, s);
    return FRZ_OK;
}

int frz__value_convert(const frz_value *v, frz_type t, frz_value *out, frz_error *err)
{
    if (v->type == FRZ_NULL) {
        *out = value_null();
        return FRZ_OK;
    }
    switch (t.id) {
    case FRZ_INT:
    case FRZ_LONG:
    case FRZ_DECIMAL:
        if (v->type == FRZ_INT) return convert_integer(v->as.i32, t, out, err);
        if (v->type == FRZ_LONG) return convert_integer(v->as.i64, t, out, err);
        if (t.id != FRZ_DECIMAL || v->type != FRZ_DECIMAL) return err_type(v, t, err);
        if (!frz__decimal_fits(v->as.dec, t.precision)) return frz__err(err, FRZ_INVALID, "a decimal is out of the range of decimal(%d, %d)", (int)t.precision, (int)t.scale);
        break;
    case FRZ_FLOAT:
        if (v->type == FRZ_FLOAT) break;
        if (v->type != FRZ_DOUBLE) return err_type(v, t, err);
        if (isfinite(v->as.f64) && !(fabs(v->as.f64) < 0x1.ffffffp127)) return frz__err(err, FRZ_INVALID, "%g is out of the range of float", v->as.f64);
        *out = (frz_value){FRZ_FLOAT, 0, {0}};
        out->as.f32 = (float)v->as.f64;
        return FRZ_OK;
    case FRZ_DOUBLE:
        if (v->type == FRZ_DOUBLE) break;
        if (v->type != FRZ_FLOAT) return err_type(v, t, err);
        *out = (frz_value){FRZ_DOUBLE, 0, {0}};
        out->as.f64 = (double)v->as.f32;
        return FRZ_OK;
    default:
        if (v->type != t.id) return err_type(v, t, err);
        if (t.id >= FRZ_STRING) return convert_bytes(v, t, out, err);
        if (t.id == FRZ_TIME && (v->as.i64 < 0 || v->as.i64 > TIME_US_MAX)) return err_range(v->as.i64, t, err);
    }
    *out = *v;
    out->reserved = 0;
    return FRZ_OK;
}
