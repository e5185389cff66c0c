/* Iceberg spec, Appendix D, "Binary single-value serialization". */
#include "types/value.h"

#include "base/coding.h"
#include "types/int128.h"

static int decimal_to_single(frz_decimal d, struct buf *out, frz_error *err)
{
    uint8_t be[16];
    store_u64_be(be, (uint64_t)d.hi);
    store_u64_be(be + 8, d.lo);
    size_t from = 0; /* drop leading bytes that only repeat the sign */
    uint8_t sign = d.hi < 0 ? 0xFF : 0;
    while (from < 15 && be[from] == sign && (be[from + 1] & 0x80) == (sign & 0x80)) from++;
    return buf_append(out, be + from, 16 - from, err);
}

int frz__value_to_single(const frz_value *v, frz_type t, struct buf *out, frz_error *err)
{
    FRZ_ASSERT(v->type == t.id);
    switch (t.id) {
    case FRZ_BOOLEAN: return buf_append_byte(out, v->as.boolean ? 1 : 0, err);
    case FRZ_DECIMAL: return decimal_to_single(v->as.dec, out, err);
    case FRZ_STRING:
    case FRZ_UUID:
    case FRZ_FIXED:
    case FRZ_BINARY: return buf_append_slice(out, value_slice(v), err);
    default: return buf_append(out, &v->as, frz__type_width(t), err); /* little-endian numbers, each at the union's first byte */
    }
}

static int err_length(slice bytes, frz_type t, frz_error *err)
{
    char text[TYPE_TEXT_BYTES];
    return frz__err_corrupt(err, "a single value of %s cannot have %zu bytes", frz__type_text(t, text), bytes.len);
}

static int decimal_from_single(slice b, frz_type t, frz_value *out, frz_error *err)
{
    if (b.len == 0) return err_length(b, t, err);
    uint8_t sign = b.data[0] & 0x80 ? 0xFF : 0;
    while (b.len > 16 && b.data[0] == sign && (b.data[1] & 0x80) == (sign & 0x80)) b = slice_of(b.data + 1, b.len - 1); /* padded by its writer */
    if (b.len > 16) return err_length(b, t, err);
    u128 v = sign ? ~(u128)0 : 0;
    for (size_t i = 0; i < b.len; i++) v = v << 8 | b.data[i];
    out->as.dec = decimal_of((i128)v);
    if (!frz__decimal_fits(out->as.dec, t.precision)) return frz__err_corrupt(err, "a single value is out of the range of decimal(%d, %d)", (int)t.precision, (int)t.scale);
    return FRZ_OK;
}

/* A date's bound of a column that became a timestamp: midnight of that day. */
static int timestamp_from_date(int32_t days, frz_type t, frz_value *out, frz_error *err)
{
    int64_t day = t.id == FRZ_TIMESTAMP ? INT64_C(86400000000) : INT64_C(86400000000000);
    if (__builtin_mul_overflow((int64_t)days, day, &out->as.i64)) return frz__err_corrupt(err, "a single value of day %d is out of the range of %s", (int)days, frz__type_id_name(t.id));
    return FRZ_OK;
}

int frz__value_from_single(slice bytes, frz_type t, frz_value *out, frz_error *err)
{
    *out = (frz_value){t.id, 0, {0}};
    switch (t.id) {
    case FRZ_BOOLEAN:
        if (bytes.len != 1) return err_length(bytes, t, err);
        out->as.boolean = bytes.data[0] != 0;
        return FRZ_OK;
    case FRZ_INT:
    case FRZ_DATE:
    case FRZ_FLOAT:
        if (bytes.len != 4) return err_length(bytes, t, err);
        memcpy(&out->as, bytes.data, 4);
        return FRZ_OK;
    case FRZ_DECIMAL: return decimal_from_single(bytes, t, out, err);
    case FRZ_UUID:
    case FRZ_FIXED:
        if (bytes.len != frz__type_width(t)) return err_length(bytes, t, err);
        out->as.bytes.data = bytes.data;
        out->as.bytes.len = bytes.len;
        return FRZ_OK;
    case FRZ_STRING: /* no UTF-8 check: a bound that its writer cut inside a character still bounds */
    case FRZ_BINARY:
        out->as.bytes.data = bytes.data;
        out->as.bytes.len = bytes.len;
        return FRZ_OK;
    default:
        if (bytes.len == 8) {
            memcpy(&out->as, bytes.data, 8);
            return FRZ_OK;
        }
        if (bytes.len != 4) return err_length(bytes, t, err);
        int32_t narrow = (int32_t)load_u32(bytes.data); /* written before a promotion */
        if (t.id == FRZ_LONG) {
            out->as.i64 = narrow;
        } else if (t.id == FRZ_DOUBLE) {
            float f;
            memcpy(&f, bytes.data, 4);
            out->as.f64 = (double)f;
        } else if (t.id == FRZ_TIMESTAMP || t.id == FRZ_TIMESTAMP_NS) {
            return timestamp_from_date(narrow, t, out, err);
        } else {
            return err_length(bytes, t, err);
        }
        return FRZ_OK;
    }
}
