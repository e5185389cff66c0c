/* What physical values become: the plan of a column, and the loops. */
#include "parquet/pq_col.h"

#include <math.h>

static size_t phys_width(const struct pq_leaf *l)
{
    switch (l->col.phys) {
    case PQ_INT32:
    case PQ_FLOAT: return 4;
    case PQ_INT64:
    case PQ_DOUBLE: return 8;
    case PQ_INT96: return 12;
    case PQ_FLBA: return (size_t)l->col.phys_length;
    default: return 0;
    }
}

/* Columns of the types of one kind that differ in annotation only. */
static bool same_values(const struct pq_leaf *l, frz_type want)
{
    frz_type t = l->col.type;
    if (frz__type_eq(t, want)) return true;
    if (l->meaning == PQ_STAMP_96 && want.id == FRZ_TIMESTAMPTZ) return true; /* INT96 never said which */
    if (type_is_var(t) && type_is_var(want)) return true;                      /* strings that old writers did not annotate */
    return (t.id == FRZ_FIXED && t.length == 16 && want.id == FRZ_UUID) || (t.id == FRZ_UUID && want.id == FRZ_FIXED && want.length == 16);
}

int frz__pq_plan(const struct pq_leaf *l, frz_type want, struct pq_plan *out, frz_error *err)
{
    frz_type t = l->col.type;
    if (t.id == FRZ_NULL) return frz__err(err, FRZ_UNSUPPORTED, "column %s: %s", l->col.name, l->max_rep || l->max_def > 1 ? "it is nested" : "it is nested, or of a type that is not ours");
    *out = (struct pq_plan){.want = want, .phys = l->col.phys, .phys_width = phys_width(l), .width = type_is_var(want) ? 0 : frz__type_width(want), .optional = l->max_def > 0};
    bool wider = false;
    if (!same_values(l, want)) {
        wider = frz__type_promotes(t, want);
        if (!wider) return frz__err(err, FRZ_INVALID, "column %s is of type %d and can't be read as type %d", l->col.name, t.id, want.id);
    }
    switch (l->meaning) {
    case PQ_UINT32: out->conv = PQ_CONV_U32_I64; break;
    case PQ_UINT64: out->conv = PQ_CONV_U64_I64; break;
    case PQ_TIME_MS: out->conv = PQ_CONV_MS32_US; break;
    case PQ_TIME_NS: out->conv = PQ_CONV_NS_US; break;
    case PQ_STAMP_MS: out->conv = PQ_CONV_MS64_US; break;
    case PQ_STAMP_96: out->conv = PQ_CONV_I96_US; break;
    case PQ_HALF: out->conv = want.id == FRZ_DOUBLE ? PQ_CONV_F16_F64 : PQ_CONV_F16_F32; break;
    case PQ_DECIMAL_INT: out->conv = l->col.phys == PQ_INT32 ? PQ_CONV_I32_DEC : PQ_CONV_I64_DEC; break;
    case PQ_DECIMAL_BYTES: out->conv = PQ_CONV_BYTES_DEC; break;
    case PQ_AS_IS:
        if (t.id == FRZ_INT && want.id == FRZ_LONG) out->conv = PQ_CONV_I32_I64;
        if (t.id == FRZ_FLOAT && want.id == FRZ_DOUBLE) out->conv = PQ_CONV_F32_F64;
        FRZ_ASSERT(!wider || out->conv != PQ_CONV_NONE);
        break;
    }
    return FRZ_OK;
}

bool frz__pq_decimal_be(slice bytes, frz_decimal *out)
{
    uint8_t le[16], fill = bytes.len && bytes.data[0] & 0x80 ? 0xFF : 0;
    size_t n = bytes.len < 16 ? bytes.len : 16;
    memset(le, fill, sizeof le);
    for (size_t i = 0; i < n; i++) le[i] = bytes.data[bytes.len - 1 - i];
    for (size_t i = 0; i + 16 < bytes.len; i++)
        if (bytes.data[i] != fill) return false;
    if (bytes.len > 16 && (le[15] ^ fill) & 0x80) return false;
    memcpy(&out->lo, le, 8);
    memcpy(&out->hi, le + 8, 8);
    return true;
}

static void store_dec(uint8_t *out, int64_t v)
{
    store_u64(out, (uint64_t)v);
    store_u64(out + 8, (uint64_t)(v >> 63));
}

static float half_to_float(uint16_t h)
{
    int exp = h >> 10 & 31;
    float m = (float)(h & 1023), v = exp == 0 ? ldexpf(m, -24) : exp == 31 ? (h & 1023 ? NAN : INFINITY) : ldexpf(m + 1024, exp - 25);
    return h & 0x8000 ? -v : v;
}

/* INT96: nanoseconds of the day, Julian day. Sums wrap, as Spark's do, which so writes and reads years that Julian days and nanoseconds alone do not reach. */
#define JULIAN_EPOCH 2440588
#define DAY_US INT64_C(86400000000)
static uint64_t int96_us(const uint8_t *p)
{
    int64_t ns = (int64_t)load_u64(p), day = (int64_t)(int32_t)load_u32(p + 8) - JULIAN_EPOCH;
    return (uint64_t)day * (uint64_t)DAY_US + (uint64_t)(ns / 1000 - (ns % 1000 < 0));
}

/* A loop over values of loads, with one check at its end where a value may not fit. */
#define EACH for (size_t i = 0; i < count; i++)

int frz__pq_convert(const struct pq_plan *plan, const uint8_t *in, size_t count, uint8_t *out, frz_error *err)
{
    bool bad = false;
    int64_t v;
    switch (plan->conv) {
    case PQ_CONV_NONE:
        if (count) memcpy(out, in, count * plan->width);
        break;
    case PQ_CONV_I32_I64: EACH store_u64(out + i * 8, (uint64_t)(int64_t)(int32_t)load_u32(in + i * 4)); break;
    case PQ_CONV_U32_I64: EACH store_u64(out + i * 8, load_u32(in + i * 4)); break;
    case PQ_CONV_U64_I64:
        EACH bad |= load_u64(in + i * 8) > INT64_MAX;
        if (bad) return frz__err(err, FRZ_UNSUPPORTED, "an unsigned 64-bit value does not fit a long");
        if (count) memcpy(out, in, count * 8);
        break;
    case PQ_CONV_F32_F64:
        EACH
        {
            float f;
            memcpy(&f, in + i * 4, 4);
            double d = (double)f;
            memcpy(out + i * 8, &d, 8);
        }
        break;
    case PQ_CONV_F16_F32:
        EACH
        {
            float f = half_to_float(load_u16(in + i * 2));
            memcpy(out + i * 4, &f, 4);
        }
        break;
    case PQ_CONV_F16_F64:
        EACH
        {
            double d = (double)half_to_float(load_u16(in + i * 2));
            memcpy(out + i * 8, &d, 8);
        }
        break;
    case PQ_CONV_MS32_US: EACH store_u64(out + i * 8, (uint64_t)((int64_t)(int32_t)load_u32(in + i * 4) * 1000)); break;
    case PQ_CONV_MS64_US:
        EACH
        {
            bad |= __builtin_mul_overflow((int64_t)load_u64(in + i * 8), INT64_C(1000), &v);
            store_u64(out + i * 8, (uint64_t)v);
        }
        if (bad) return frz__err(err, FRZ_UNSUPPORTED, "a timestamp in milliseconds does not fit 64 bits of microseconds");
        break;
    case PQ_CONV_NS_US:
        EACH
        {
            v = (int64_t)load_u64(in + i * 8);
            bad |= v % 1000 != 0;
            store_u64(out + i * 8, (uint64_t)(v / 1000));
        }
        if (bad) return frz__err(err, FRZ_UNSUPPORTED, "a time of day in nanoseconds is no whole microsecond");
        break;
    case PQ_CONV_I96_US: EACH store_u64(out + i * 8, int96_us(in + i * 12)); break;
    case PQ_CONV_I32_DEC: EACH store_dec(out + i * 16, (int32_t)load_u32(in + i * 4)); break;
    case PQ_CONV_I64_DEC: EACH store_dec(out + i * 16, (int64_t)load_u64(in + i * 8)); break;
    case PQ_CONV_BYTES_DEC:
        EACH
        {
            frz_decimal d = {0, 0};
            bad |= !frz__pq_decimal_be(slice_of(in + i * plan->phys_width, plan->phys_width), &d);
            memcpy(out + i * 16, &d, 16);
        }
        if (bad) return frz__err(err, FRZ_UNSUPPORTED, "a decimal does not fit 128 bits");
        break;
    }
    return FRZ_OK;
}
