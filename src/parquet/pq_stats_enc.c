#include "parquet/pq_enc.h"

#include <math.h>
#include "base/utf8.h"

static inline int cmp_i64(int64_t a, int64_t b) { return (a > b) - (a < b); }

int frz__pq_cmp(enum pq_cmp cmp, slice a, slice b)
{
    switch (cmp) {
    case PQ_CMP_I32: return cmp_i64((int32_t)load_u32(a.data), (int32_t)load_u32(b.data));
    case PQ_CMP_I64: return cmp_i64((int64_t)load_u64(a.data), (int64_t)load_u64(b.data));
    case PQ_CMP_F32: {
        float x, y;
        memcpy(&x, a.data, 4);
        memcpy(&y, b.data, 4);
        return (x > y) - (x < y);
    }
    case PQ_CMP_F64: {
        double x, y;
        memcpy(&x, a.data, 8);
        memcpy(&y, b.data, 8);
        return (x > y) - (x < y);
    }
    case PQ_CMP_SIGNED_BE: { /* one length; the sign bit turned, bytes compare */
        int x = a.data[0] ^ 0x80, y = b.data[0] ^ 0x80;
        return x != y ? (x > y) - (x < y) : memcmp(a.data, b.data, a.len);
    }
    default: return slice_cmp(a, b);
    }
}

#define OWN(out, width, lo, hi)                        \
    do {                                               \
        memcpy((out)->own[0], &(lo), (width));         \
        memcpy((out)->own[1], &(hi), (width));         \
        (out)->min = slice_of((out)->own[0], (width)); \
        (out)->max = slice_of((out)->own[1], (width)); \
        (out)->has = true;                             \
    } while (0)

static void minmax_i32(const struct pq_values *v, struct pq_minmax *out)
{
    int32_t lo = INT32_MAX, hi = INT32_MIN;
    for (size_t i = 0; i < v->count; i++) {
        int32_t x = (int32_t)load_u32(v->data + i * 4);
        lo = x < lo ? x : lo;
        hi = x > hi ? x : hi;
    }
    OWN(out, 4, lo, hi);
}

static void minmax_i64(const struct pq_values *v, struct pq_minmax *out)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (size_t i = 0; i < v->count; i++) {
        int64_t x = (int64_t)load_u64(v->data + i * 8);
        lo = x < lo ? x : lo;
        hi = x > hi ? x : hi;
    }
    OWN(out, 8, lo, hi);
}

/* NaN fails both comparisons. A zero bounds both zeroes: -0.0 below, +0.0 above. */
static void minmax_f32(const struct pq_values *v, struct pq_minmax *out)
{
    float lo = INFINITY, hi = -INFINITY;
    size_t nans = 0;
    for (size_t i = 0; i < v->count; i++) {
        float x;
        memcpy(&x, v->data + i * 4, 4);
        nans += x != x;
        lo = x < lo ? x : lo;
        hi = x > hi ? x : hi;
    }
    out->nans = nans;
    if (nans == v->count) return;
    if (lo == 0) lo = -0.0f;
    if (hi == 0) hi = 0.0f;
    OWN(out, 4, lo, hi);
}

static void minmax_f64(const struct pq_values *v, struct pq_minmax *out)
{
    double lo = INFINITY, hi = -INFINITY;
    size_t nans = 0;
    for (size_t i = 0; i < v->count; i++) {
        double x;
        memcpy(&x, v->data + i * 8, 8);
        nans += x != x;
        lo = x < lo ? x : lo;
        hi = x > hi ? x : hi;
    }
    out->nans = nans;
    if (nans == v->count) return;
    if (lo == 0) lo = -0.0;
    if (hi == 0) hi = 0.0;
    OWN(out, 8, lo, hi);
}

static void minmax_bool(const struct pq_values *v, struct pq_minmax *out)
{
    size_t trues = bits_count(v->data, v->count);
    uint8_t lo = trues == v->count, hi = trues > 0;
    OWN(out, 1, lo, hi);
}

static void minmax_fixed(const struct pq_values *v, struct pq_minmax *out)
{
    size_t w = v->form.width;
    slice lo = slice_of(v->data, w), hi = lo;
    for (size_t i = 1; i < v->count; i++) {
        slice x = slice_of(v->data + i * w, w);
        if (frz__pq_cmp(v->form.cmp, x, lo) < 0) lo = x;
        else if (frz__pq_cmp(v->form.cmp, x, hi) > 0) hi = x;
    }
    out->min = lo;
    out->max = hi;
    out->has = true;
}

/* The first 8 bytes as a number that orders as they do, zeroes behind a shorter value. */
static inline uint64_t head8(const struct pq_values *v, struct pq_span s)
{
    if (s.len == 0) return 0;
    const uint8_t *p = v->data + s.at;
    if (s.len >= 8) return load_u64_be(p);
    if (v->data_bytes - s.at >= 8) return load_u64_be(p) & ~(uint64_t)0 << (64 - 8 * s.len);
    uint64_t h = 0;
    for (uint32_t i = 0; i < s.len; i++) h |= (uint64_t)p[i] << (56 - 8 * i);
    return h;
}

static inline slice span_slice(const struct pq_values *v, struct pq_span s) { return s.len ? slice_of(v->data + s.at, s.len) : slice_of("", 0); }

static void minmax_var(const struct pq_values *v, struct pq_minmax *out)
{
    struct pq_span lo = v->spans[0], hi = lo;
    uint64_t lo_head = head8(v, lo), hi_head = lo_head;
    for (size_t i = 1; i < v->count; i++) {
        struct pq_span s = v->spans[i];
        uint64_t h = head8(v, s);
        if (h <= lo_head && (h < lo_head || slice_cmp(span_slice(v, s), span_slice(v, lo)) < 0)) {
            lo = s;
            lo_head = h;
        }
        if (h >= hi_head && (h > hi_head || slice_cmp(span_slice(v, s), span_slice(v, hi)) > 0)) {
            hi = s;
            hi_head = h;
        }
    }
    out->min = span_slice(v, lo);
    out->max = span_slice(v, hi);
    out->has = true;
}

void frz__pq_minmax(const struct pq_values *v, struct pq_minmax *out)
{
    *out = (struct pq_minmax){0};
    if (v->count == 0) return;
    switch (v->form.cmp) {
    case PQ_CMP_I32: minmax_i32(v, out); break;
    case PQ_CMP_I64: minmax_i64(v, out); break;
    case PQ_CMP_F32: minmax_f32(v, out); break;
    case PQ_CMP_F64: minmax_f64(v, out); break;
    default:
        if (v->form.phys == PQ_BOOLEAN) minmax_bool(v, out);
        else if (v->form.width) minmax_fixed(v, out);
        else minmax_var(v, out);
    }
}

static int keep(struct buf *b, slice v, frz_error *err)
{
    buf_reset(b);
    TRY(buf_reserve(b, v.len ? v.len : 1, err)); /* never NULL: an empty bound is one */
    return buf_append_slice(b, v, err);
}

int frz__pq_extent_widen(struct pq_extent *x, enum pq_cmp cmp, slice min, slice max, frz_error *err)
{
    if (!x->has || frz__pq_cmp(cmp, min, buf_slice(&x->min)) < 0) TRY(keep(&x->min, min, err));
    if (!x->has || frz__pq_cmp(cmp, max, buf_slice(&x->max)) > 0) TRY(keep(&x->max, max, err));
    x->has = true;
    return FRZ_OK;
}

void frz__pq_extent_reset(struct pq_extent *x) { x->has = false; }

void frz__pq_extent_clear(struct pq_extent *x)
{
    buf_clear(&x->min);
    buf_clear(&x->max);
    x->has = false;
}

/* ── cut bounds ── */

/* Bytes of V within BYTES_MAX and CHARS_MAX; of text, whole code points. What is not UTF-8 is cut as bytes. */
static slice cut(slice v, bool *text, size_t bytes_max, size_t chars_max)
{
    slice p = v;
    if (p.len > bytes_max) p.len = bytes_max;
    if (!*text) {
        if (chars_max && p.len > chars_max) p.len = chars_max;
        return p;
    }
    size_t good = frz__utf8_check(p);
    if (good < p.len && (p.len == v.len || p.len - good > 3)) { /* not just a code point cut at the end */
        *text = false;
        if (chars_max && p.len > chars_max) p.len = chars_max;
        return p;
    }
    p.len = good;
    if (chars_max) p.len = frz__utf8_prefix(p, chars_max);
    return p;
}

int frz__pq_cut_lower(slice v, bool text, size_t bytes_max, size_t chars_max, struct buf *out, bool *exact, frz_error *err)
{
    slice p = cut(v, &text, bytes_max, chars_max);
    *exact = p.len == v.len;
    return buf_append_slice(out, p, err);
}

int frz__pq_cut_upper(slice v, bool text, size_t bytes_max, size_t chars_max, struct buf *out, bool *exact, bool *has, frz_error *err)
{
    slice p = cut(v, &text, bytes_max, chars_max);
    *exact = *has = p.len == v.len;
    if (*exact) return buf_append_slice(out, p, err);
    while (p.len) {
        size_t start = p.len - 1; /* of the last unit */
        uint8_t unit[4];
        size_t n = 1;
        bool can;
        if (text) {
            uint32_t cp = 0;
            while (start && (p.data[start] & 0xC0) == 0x80) start--;
            (void)frz__utf8_decode(p.data + start, p.data + p.len, &cp);
            can = cp < 0x10FFFF;
            cp = cp == 0xD7FF ? 0xE000 : cp + 1; /* no surrogates */
            if (can) n = frz__utf8_encode(cp, unit);
        } else {
            can = p.data[start] < 0xFF;
            unit[0] = (uint8_t)(p.data[start] + 1);
        }
        if (can) {
            *has = true;
            TRY(buf_append(out, p.data, start, err));
            return buf_append(out, unit, n, err);
        }
        p.len = start;
    }
    return FRZ_OK;
}

/* ── Iceberg's single values ── */

/* Big-endian two's complement without the bytes that only repeat the sign. */
static int append_minimal(const uint8_t *be, size_t len, struct buf *out, frz_error *err)
{
    while (len > 1 && ((be[0] == 0 && !(be[1] & 0x80)) || (be[0] == 0xFF && (be[1] & 0x80)))) be++, len--;
    return buf_append(out, be, len, err);
}

int frz__pq_bound_to_single(frz_type t, slice physical, struct buf *out, frz_error *err)
{
    if (t.id != FRZ_DECIMAL) return buf_append_slice(out, physical, err);
    uint8_t be[8];
    if (t.precision > 18) return append_minimal(physical.data, physical.len, out, err);
    store_u64_be(be, t.precision > 9 ? load_u64(physical.data) : (uint64_t)(int64_t)(int32_t)load_u32(physical.data));
    return append_minimal(be, 8, out, err);
}
