/* Numbers of every width and meaning → ours: loaded as 128-bit integers, scaled, checked, stored; what lies as we have it is copied whole. */
#include "arrow/arrow_in_int.h"

#include <math.h>
#include <stdio.h>

#include "base/coding.h"
#include "types/int128.h"

#define CHUNK 256
#define DAY_US INT64_C(86400000000)
static const i128 i128_min = (i128)((u128)1 << 127); /* beyond every range below */

struct scale {
    i128 mul, div, lo, hi;
};

static void scale_digits(struct scale *x, int from, int to)
{
    if (to > from) x->mul = (i128)u128_pow10(to - from);
    else x->div = (i128)u128_pow10(from - to);
}

static void scale_units(struct scale *x, uint64_t from, uint64_t to)
{
    if (to > from) x->mul = (i128)(to / from);
    else x->div = (i128)(from / to);
}

static struct scale scale_of(const struct arrow_shape *s, frz_type t)
{
    struct scale x = {1, 1, INT64_MIN, INT64_MAX};
    if (type_is_i32(t)) {
        x.lo = INT32_MIN;
        x.hi = INT32_MAX;
    }
    switch (s->cls) {
    case AC_NUMBER:
        if (t.id == FRZ_DECIMAL) {
            x.hi = (i128)u128_pow10(t.precision) - 1;
            x.lo = -x.hi;
        }
        scale_digits(&x, s->scale, t.id == FRZ_DECIMAL ? t.scale : 0);
        break;
    case AC_DATE: x.div = s->day_units; break;
    case AC_TIME:
        x.lo = 0;
        x.hi = DAY_US - 1;
        scale_units(&x, s->per_second, 1000000);
        break;
    default: scale_units(&x, s->per_second, t.id == FRZ_TIMESTAMP_NS || t.id == FRZ_TIMESTAMPTZ_NS ? 1000000000 : 1000000); break;
    }
    return x;
}

#define LOAD_EACH(width, type, expr)                                                                                                       \
    for (size_t i = 0; i < n; i++) {                                                                                                       \
        type v;                                                                                                                            \
        memcpy(&v, p + arrow_at(r, from + i) * (width), sizeof v);                                                                         \
        out[i] = (expr);                                                                                                                   \
    }                                                                                                                                      \
    break

static void load(const struct arrow_rows *r, size_t from, size_t n, i128 *out)
{
    const uint8_t *p = (const uint8_t *)r->values->buffers[1];
    struct wide { i128 low, high; };
    switch (r->shape->kind) {
    case AK_I8: LOAD_EACH(1, int8_t, (i128)v);
    case AK_U8: LOAD_EACH(1, uint8_t, v);
    case AK_I16: LOAD_EACH(2, int16_t, v);
    case AK_U16: LOAD_EACH(2, uint16_t, v);
    case AK_I32: LOAD_EACH(4, int32_t, v);
    case AK_U32: LOAD_EACH(4, uint32_t, v);
    case AK_I64: LOAD_EACH(8, int64_t, v);
    case AK_U64: LOAD_EACH(8, uint64_t, v);
    case AK_DEC128: LOAD_EACH(16, i128, v);
    default: FRZ_ASSERT(r->shape->kind == AK_DEC256); LOAD_EACH(32, struct wide, v.high == (v.low < 0 ? -1 : 0) ? v.low : i128_min);
    }
}

/* Nulls: zero. */
static void clear_nulls(const struct arrow_rows *r, struct vec *out, size_t width)
{
    if (!out->validity) return;
    for (size_t i = 0; i < r->count; i++)
        if (!bit_get(out->validity, i)) memset(out->data + i * width, 0, width);
}

static int err_value(i128 v, bool whole, frz_type t, frz_error *err)
{
    char text[TYPE_TEXT_BYTES], number[32] = "the value";
    if (v >= INT64_MIN && v <= INT64_MAX) snprintf(number, sizeof number, "%" PRId64, (int64_t)v);
    return frz__err(err, FRZ_INVALID, whole ? "%s is out of the range of %s" : "%s, in its unit, can't become %s without loss", number, frz__type_text(t, text));
}

static bool copies(const struct arrow_shape *s, const struct scale *x, frz_type t)
{
    if (x->mul != 1 || x->div != 1 || t.id == FRZ_TIME) return false;
    return (s->kind == AK_I32 && type_is_i32(t)) || (s->kind == AK_I64 && type_is_i64(t));
}

int frz__arrow_numbers(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err)
{
    struct scale x = scale_of(r->shape, out->type);
    size_t width = frz__type_width(out->type);
    if (!r->index && copies(r->shape, &x, out->type)) {
        memcpy(out->data, (const uint8_t *)r->values->buffers[1] + r->first * width, r->count * width);
        clear_nulls(r, out, width);
        return FRZ_OK;
    }
    i128 lo = x.lo / x.mul, hi = x.hi / x.mul, in[CHUNK];
    for (size_t from = 0; from < r->count; from += CHUNK) {
        size_t n = r->count - from < CHUNK ? r->count - from : CHUNK;
        load(r, from, n, in);
        for (size_t i = 0; i < n; i++) {
            i128 v = in[i];
            if (vec_is_null(out, from + i)) v = 0;
            i128 scaled = x.div == 1 ? v : v / x.div;
            bool whole = x.div == 1 || scaled * x.div == v;
            if (!whole || scaled < lo || scaled > hi) {
                *bad = from + i;
                return err_value(v, whole, out->type, err);
            }
            scaled *= x.mul;
            memcpy(out->data + (from + i) * width, &scaled, width); /* little-endian: the low bytes come first */
        }
    }
    return FRZ_OK;
}

int frz__arrow_floats(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err)
{
    const uint8_t *p = (const uint8_t *)r->values->buffers[1];
    bool narrow = r->shape->kind == AK_F32, same = narrow == (out->type.id == FRZ_FLOAT);
    size_t in_width = narrow ? 4 : 8, width = frz__type_width(out->type);
    if (same && !r->index) {
        memcpy(out->data, p + r->first * width, r->count * width);
    } else if (same) {
        for (size_t i = 0; i < r->count; i++)
            if (!vec_is_null(out, i)) memcpy(out->data + i * width, p + arrow_at(r, i) * width, width);
    } else {
        for (size_t i = 0; i < r->count; i++) {
            float f;
            double d;
            if (vec_is_null(out, i)) continue;
            const uint8_t *v = p + arrow_at(r, i) * in_width;
            if (narrow) {
                memcpy(&f, v, 4);
                d = (double)f;
                memcpy(out->data + i * 8, &d, 8);
                continue;
            }
            memcpy(&d, v, 8);
            bool fits = !isfinite(d) || fabs(d) <= 0x1.fffffep127; /* else the conversion itself is undefined */
            f = fits ? (float)d : 0;
            if (!isnan(d) && (!fits || (double)f != d)) {
                *bad = i;
                return frz__err(err, FRZ_INVALID, "%g can't become float without loss", d);
            }
            memcpy(out->data + i * 4, &f, 4);
        }
    }
    clear_nulls(r, out, width);
    return FRZ_OK;
}
