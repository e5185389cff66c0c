/* The writer's encoders: bytes given by the format, and every other input by decoding what came out with a few lines of our own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "frz_test.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "parquet/pq_enc.h"
#include "types/int128.h"

static frz_error e;

static void assert_hex(slice got, const char *hex)
{
    char text[512];
    assert_true(got.len * 2 < sizeof text);
    for (size_t i = 0; i < got.len; i++) snprintf(text + 2 * i, 3, "%02x", got.data[i]);
    text[got.len * 2] = 0;
    assert_string_equal(text, hex);
}

/* ── RLE / bit-packed ── */

/* Decodes COUNT values; gives the bytes used. */
static size_t decode(slice in, unsigned width, uint32_t *out, size_t count)
{
    const uint8_t *p = in.data, *end = in.data + in.len;
    size_t n = 0;
    while (n < count) {
        uint64_t head = 0;
        assert_true(varint_get(&p, end, &head));
        assert_true(head >> 1 > 0);
        if (head & 1) {
            size_t bytes = (size_t)(head >> 1) * width;
            assert_true((size_t)(end - p) >= bytes);
            for (size_t i = 0; i < (head >> 1) * 8; i++) {
                uint32_t v = 0;
                for (unsigned b = 0; b < width; b++) v |= (uint32_t)bit_get(p, i * width + b) << b;
                if (n < count) out[n++] = v;
                else assert_int_equal(v, 0); /* padding */
            }
            p += bytes;
        } else {
            uint32_t v = 0;
            assert_true((size_t)(end - p) >= (width + 7) / 8);
            memcpy(&v, p, (width + 7) / 8);
            p += (width + 7) / 8;
            for (uint64_t i = 0; i < head >> 1; i++) {
                assert_true(n < count);
                out[n++] = v;
            }
        }
    }
    return (size_t)(p - in.data);
}

TEST(pq_rle, gives_the_bytes_of_the_format)
{
    struct buf b = BUF_INIT(NULL, 0);
    uint32_t up[8] = {0, 1, 2, 3, 4, 5, 6, 7}, index[4] = {0, 1, 0, 1};
    OK(frz__pq_rle_encode(up, 8, 3, &b, &e), &e);
    assert_hex(buf_slice(&b), "0388c6fa");
    buf_reset(&b);
    OK(frz__pq_rle_run(1, 10, 1, &b, &e), &e);
    assert_hex(buf_slice(&b), "1401");
    buf_reset(&b);
    OK(frz__pq_rle_encode(index, 4, 1, &b, &e), &e);
    assert_hex(buf_slice(&b), "030a");
    buf_reset(&b);
    OK(frz__pq_rle_encode(index, 0, 1, &b, &e), &e);
    assert_int_equal(b.len, 0);
    buf_clear(&b);
}

TEST(pq_rle, gives_the_levels_of_the_format)
{
    struct vec v;
    struct pq_scratch s = {.a = NULL};
    struct buf b = BUF_INIT(NULL, 0);
    frz__vec_init(&v, NULL, (frz_type){FRZ_INT});
    for (int i = 0; i < 6; i++) {
        frz_value x = i == 2 || i == 4 ? value_null() : value_i32(FRZ_INT, i);
        OK(frz__vec_append(&v, &x, &e), &e);
    }
    OK(frz__pq_levels_encode(&s, &v, 0, 6, 2, &b, &e), &e);
    assert_hex(buf_slice(&b), "02000000032b");
    buf_reset(&b);
    OK(frz__pq_levels_encode(&s, &v, 0, 2, 0, &b, &e), &e);
    assert_hex(buf_slice(&b), "020000000401");
    buf_reset(&b);
    OK(frz__pq_levels_encode(&s, &v, 2, 1, 1, &b, &e), &e);
    assert_hex(buf_slice(&b), "020000000200");
    buf_clear(&b);
    frz__pq_scratch_clear(&s);
    frz__vec_clear(&v);
}

TEST(pq_rle, decodes_to_what_went_in_for_every_width)
{
    struct rng r = {test_seed(11)};
    enum { N = 700 };
    uint32_t in[N], out[N];
    for (unsigned width = 1; width <= 32; width++) {
        for (int round = 0; round < 12; round++) {
            size_t n = rng_below(&r, N + 1);
            uint32_t mask = width == 32 ? UINT32_MAX : (1u << width) - 1, v = 0;
            for (size_t i = 0; i < n;) {
                size_t run = rng_below(&r, 3) ? 1 + rng_below(&r, 3) : 1 + rng_below(&r, 90);
                v = (uint32_t)rng_next(&r) & mask;
                for (; run && i < n; run--) in[i++] = v;
            }
            struct buf b = BUF_INIT(NULL, 0);
            OK(frz__pq_rle_encode(in, n, width, &b, &e), &e);
            assert_int_equal(decode(buf_slice(&b), width, out, n), b.len);
            for (size_t i = 0; i < n; i++) assert_int_equal(in[i], out[i]);
            assert_true(b.len <= (n + 7) / 8 * width + 8 + n / 8 * 5);
            buf_clear(&b);
        }
    }
}

TEST(pq_rle, decodes_to_the_bits_that_went_in_from_any_offset)
{
    struct rng r = {test_seed(12)};
    enum { N = 1000 };
    uint8_t bits[N / 8 + 2], copy[N / 8 + 2];
    uint32_t out[N];
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof bits; i++) bits[i] = (uint8_t)(round % 3 == 0 || rng_below(&r, 8) == 0 ? rng_next(&r) : round % 2 ? 0xFF : 0);
        size_t from = rng_below(&r, 40), n = rng_below(&r, N - 40);
        frz__pq_bits_extract(copy, bits, from, n);
        struct buf b = BUF_INIT(NULL, 0);
        OK(frz__pq_rle_bits(copy, n, &b, &e), &e);
        assert_int_equal(decode(buf_slice(&b), 1, out, n), b.len);
        for (size_t i = 0; i < n; i++) assert_int_equal(out[i], bit_get(bits, from + i));
        buf_clear(&b);
    }
}

/* ── gathering, PLAIN, dictionary ── */

static frz_value random_value(struct rng *r, frz_type t, uint8_t *scratch, uint64_t distinct)
{
    frz_value v = {t.id, 0, {0}};
    struct rng pick = {rng_below(r, distinct)};
    uint64_t x = rng_next(&pick), y = rng_next(&pick);
    switch (t.id) {
    case FRZ_BOOLEAN: v.as.boolean = x & 1; break;
    case FRZ_DECIMAL: {
        i128 d = (i128)((((u128)x << 64) | y) % u128_pow10(t.precision));
        if (rng_next(&pick) & 1) d = -d;
        v.as.dec = decimal_of(d);
        break;
    }
    case FRZ_STRING:
    case FRZ_BINARY:
    case FRZ_UUID:
    case FRZ_FIXED: {
        size_t n = t.id == FRZ_UUID ? 16 : t.id == FRZ_FIXED ? (size_t)t.length : x % 4 ? x % 20 : x % 60;
        for (size_t i = 0; i < n; i++) scratch[i] = (uint8_t)('a' + (rng_next(&pick) & 15));
        v = value_bytes(t.id, slice_of(scratch, n));
        break;
    }
    default: v.as.i64 = (int64_t)x; break;
    }
    return v;
}

static const frz_type all_types[] = {
    {FRZ_BOOLEAN}, {FRZ_INT}, {FRZ_LONG}, {FRZ_FLOAT}, {FRZ_DOUBLE}, {FRZ_DECIMAL, 9, 2}, {FRZ_DECIMAL, 18, 4}, {FRZ_DECIMAL, 19, 0}, {FRZ_DECIMAL, 38, 10}, {FRZ_DATE}, {FRZ_TIME},
    {FRZ_TIMESTAMP}, {FRZ_TIMESTAMPTZ}, {FRZ_TIMESTAMP_NS}, {FRZ_TIMESTAMPTZ_NS}, {FRZ_STRING}, {FRZ_UUID}, {FRZ_FIXED, 0, 0, 5}, {FRZ_FIXED, 0, 0, 33}, {FRZ_BINARY},
};

/* PLAIN, value by value: what the loops over whole pages must equal. */
static void plain_one(const frz_value *v, struct pq_form f, size_t at, struct buf *out)
{
    uint8_t be[16];
    switch (v->type) {
    case FRZ_BOOLEAN:
        if (at % 8 == 0) OK(buf_append_byte(out, 0, &e), &e);
        if (v->as.boolean) out->data[out->len - 1] |= (uint8_t)(1u << at % 8);
        break;
    case FRZ_STRING:
    case FRZ_BINARY: OK(buf_append_u32(out, (uint32_t)v->as.bytes.len, &e), &e); /* fall through */
    case FRZ_UUID:
    case FRZ_FIXED: OK(buf_append(out, v->as.bytes.data, v->as.bytes.len, &e), &e); break;
    case FRZ_DECIMAL:
        store_u64_be(be, (uint64_t)v->as.dec.hi);
        store_u64_be(be + 8, v->as.dec.lo);
        OK(buf_append(out, f.phys == PQ_FLBA ? be + 16 - f.width : (const uint8_t *)&v->as.dec.lo, f.width, &e), &e);
        break;
    default: OK(buf_append(out, &v->as, f.width, &e), &e);
    }
}

TEST(pq_plain, equals_value_by_value_for_every_type_with_and_without_nulls_and_through_a_dictionary)
{
    struct rng r = {test_seed(13)};
    uint8_t scratch[64];
    for (size_t t = 0; t < FRZ_ARRAY_LEN(all_types); t++) {
        for (int nulls = 0; nulls < 4; nulls++) { /* none, some, all, few */
            struct vec v;
            struct pq_scratch s = {.a = NULL};
            struct pq_values values;
            struct pq_dict d;
            struct buf got = BUF_INIT(NULL, 0), want = BUF_INIT(NULL, 0), via = BUF_INIT(NULL, 0);
            frz__vec_init(&v, NULL, all_types[t]);
            for (size_t i = 0; i < 500; i++) {
                bool null = nulls == 2 || (nulls == 1 && rng_below(&r, 2)) || (nulls == 3 && i % 150 == 149);
                frz_value x = null ? value_null() : random_value(&r, all_types[t], scratch, 40);
                OK(frz__vec_append(&v, &x, &e), &e);
            }
            size_t from = rng_below(&r, 70), count = 430 - rng_below(&r, 200), n = 0;
            OK(frz__pq_gather(&s, &v, from, count, &values, &e), &e);
            for (size_t i = from; i < from + count; i++) {
                frz_value x;
                frz__vec_get(&v, i, &x);
                if (!value_is_null(&x)) plain_one(&x, values.form, n++, &want);
            }
            assert_int_equal(values.count, n);
            assert_int_equal(pq_plain_bytes(&values), want.len);
            OK(frz__pq_plain_encode(&values, &got, &e), &e);
            assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
            frz__pq_dict_init(&d, NULL, values.form);
            if (values.form.phys != PQ_BOOLEAN && n) {
                uint32_t index[500];
                OK(frz__pq_dict_add(&d, &values, 1 << 20, index, &e), &e);
                assert_true(d.count <= 40);
                assert_int_equal(frz__pq_dict_plain_bytes(&d, index, n), want.len);
                OK(frz__pq_dict_plain(&d, index, n, &via, &e), &e);
                assert_true(slice_eq(buf_slice(&via), buf_slice(&want)));
            }
            frz__pq_dict_clear(&d);
            frz__pq_scratch_clear(&s);
            frz__vec_clear(&v);
            buf_clear(&got);
            buf_clear(&want);
            buf_clear(&via);
        }
    }
}

TEST(pq_form, refuses_what_is_no_column_type)
{
    struct pq_form f;
    FAILS(frz__pq_form((frz_type){FRZ_NULL}, &f, &e), FRZ_INVALID, &e);
    FAILS(frz__pq_form((frz_type){99}, &f, &e), FRZ_INVALID, &e);
    FAILS(frz__pq_form((frz_type){FRZ_DECIMAL, 39, 0}, &f, &e), FRZ_INVALID, &e);
    FAILS(frz__pq_form((frz_type){FRZ_DECIMAL, 0, 0}, &f, &e), FRZ_INVALID, &e);
    FAILS(frz__pq_form((frz_type){FRZ_FIXED, 0, 0, 0}, &f, &e), FRZ_INVALID, &e);
}

static struct pq_values longs(const int64_t *v, size_t n) { return (struct pq_values){.form = {PQ_INT64, PQ_CMP_I64, 8}, .count = n, .data = (const uint8_t *)v, .data_bytes = n * 8}; }

TEST(pq_dict, numbers_values_in_order_of_appearance_and_stops_at_its_bytes)
{
    enum { N = 5000 };
    int64_t v[N];
    uint32_t index[N];
    struct pq_dict d;
    for (size_t i = 0; i < N; i++) v[i] = (int64_t)(i % 3000) * 1000003;
    struct pq_values all = longs(v, N);
    frz__pq_dict_init(&d, NULL, all.form);
    OK(frz__pq_dict_add(&d, &all, 3000 * 8, index, &e), &e);
    assert_int_equal(d.count, 3000);
    for (size_t i = 0; i < N; i++) assert_int_equal(index[i], i % 3000);
    frz__pq_dict_reset(&d);
    RC(frz__pq_dict_add(&d, &all, 3000 * 8 - 1, index, &e), FRZ_DONE, &e);
    assert_int_equal(d.count, 2999);
    assert_int_equal(d.values.len, 2999 * 8);
    frz__pq_dict_clear(&d);
}

TEST(pq_dict, gives_up_values_that_were_made_to_collide)
{
    enum { N = 3000 };
    int64_t *v = (int64_t *)malloc(N * sizeof *v), x = 0;
    uint32_t *index = (uint32_t *)malloc(N * sizeof *index);
    struct pq_dict probe, d;
    struct pq_values one = longs(&x, 1);
    frz__pq_dict_init(&probe, NULL, one.form);
    for (size_t n = 0; n < N; x++) { /* the hash of X, as the dictionary keeps it */
        uint32_t i;
        frz__pq_dict_reset(&probe);
        OK(frz__pq_dict_add(&probe, &one, 64, &i, &e), &e);
        for (uint32_t s = 0; s < 8; s++) {
            if (!probe.slots[s]) continue;
            v[n++] = x; /* begins at one of 8 of 1024 slots */
            break;
        }
    }
    struct pq_values all = longs(v, N);
    frz__pq_dict_init(&d, NULL, all.form);
    RC(frz__pq_dict_add(&d, &all, 1 << 20, index, &e), FRZ_DONE, &e);
    assert_true(d.count < N);
    frz__pq_dict_clear(&d);
    frz__pq_dict_clear(&probe);
    free(v);
    free(index);
}

/* ── bounds ── */

static void minmax_of(const frz_value *v, size_t n, frz_type t, struct pq_minmax *m, struct vec *vec, struct pq_scratch *s)
{
    struct pq_values values;
    frz__vec_init(vec, NULL, t);
    for (size_t i = 0; i < n; i++) OK(frz__vec_append(vec, &v[i], &e), &e);
    OK(frz__pq_gather(s, vec, 0, n, &values, &e), &e);
    frz__pq_minmax(&values, m);
}

static frz_value f64(double d) { frz_value v = {FRZ_DOUBLE, 0, {0}}; v.as.f64 = d; return v; }
static frz_value f32(float d) { frz_value v = {FRZ_FLOAT, 0, {0}}; v.as.f32 = d; return v; }
static double as_f64(slice s) { double d; assert_int_equal(s.len, 8); memcpy(&d, s.data, 8); return d; }
static float as_f32(slice s) { float d; assert_int_equal(s.len, 4); memcpy(&d, s.data, 4); return d; }

TEST(pq_minmax, keeps_nan_out_and_widens_zeroes)
{
    struct pq_minmax m;
    struct vec v;
    struct pq_scratch s = {.a = NULL};
    minmax_of((frz_value[]){f64(NAN), f64(1), f64(-NAN), f64(-2)}, 4, (frz_type){FRZ_DOUBLE}, &m, &v, &s);
    assert_true(m.has && m.nans == 2 && as_f64(m.min) == -2 && as_f64(m.max) == 1);
    frz__vec_clear(&v);
    minmax_of((frz_value[]){f64(NAN), f64(NAN)}, 2, (frz_type){FRZ_DOUBLE}, &m, &v, &s);
    assert_true(!m.has && m.nans == 2);
    frz__vec_clear(&v);
    minmax_of((frz_value[]){f64(0.0), f64(5)}, 2, (frz_type){FRZ_DOUBLE}, &m, &v, &s);
    assert_true(signbit(as_f64(m.min)) && as_f64(m.min) == 0);
    frz__vec_clear(&v);
    minmax_of((frz_value[]){f64(-0.0), f64(-5)}, 2, (frz_type){FRZ_DOUBLE}, &m, &v, &s);
    assert_true(!signbit(as_f64(m.max)) && as_f64(m.max) == 0);
    frz__vec_clear(&v);
    minmax_of((frz_value[]){f64(INFINITY)}, 1, (frz_type){FRZ_DOUBLE}, &m, &v, &s);
    assert_true(m.has && as_f64(m.min) == (double)INFINITY && as_f64(m.max) == (double)INFINITY);
    frz__vec_clear(&v);
    minmax_of((frz_value[]){f32(NAN), f32(0.0f), f32(-INFINITY)}, 3, (frz_type){FRZ_FLOAT}, &m, &v, &s);
    assert_true(m.nans == 1 && as_f32(m.min) == -INFINITY && !signbit(as_f32(m.max)));
    frz__vec_clear(&v);
    minmax_of((frz_value[]){value_null(), value_null()}, 2, (frz_type){FRZ_FLOAT}, &m, &v, &s);
    assert_true(!m.has && m.nans == 0);
    frz__vec_clear(&v);
    frz__pq_scratch_clear(&s);
}

TEST(pq_minmax, agrees_with_the_order_of_values_for_every_type)
{
    struct rng r = {test_seed(14)};
    uint8_t scratch[64];
    struct pq_scratch s = {.a = NULL};
    for (size_t t = 0; t < FRZ_ARRAY_LEN(all_types); t++) {
        for (int round = 0; round < 30; round++) {
            struct vec v;
            struct pq_values values;
            struct pq_minmax m;
            size_t n = 1 + rng_below(&r, 40), lo = SIZE_MAX, hi = SIZE_MAX;
            frz__vec_init(&v, NULL, all_types[t]);
            for (size_t i = 0; i < n; i++) {
                frz_value x = rng_below(&r, 5) ? random_value(&r, all_types[t], scratch, 1000) : value_null();
                OK(frz__vec_append(&v, &x, &e), &e);
            }
            for (size_t i = 0; i < n; i++) {
                frz_value x, y;
                frz__vec_get(&v, i, &x);
                if (value_is_null(&x) || (x.type == FRZ_FLOAT && isnan(x.as.f32)) || (x.type == FRZ_DOUBLE && isnan(x.as.f64))) continue;
                if (lo == SIZE_MAX) lo = hi = i;
                frz__vec_get(&v, lo, &y);
                if (frz__value_cmp(&x, &y) < 0) lo = i;
                frz__vec_get(&v, hi, &y);
                if (frz__value_cmp(&x, &y) > 0) hi = i;
            }
            OK(frz__pq_gather(&s, &v, 0, n, &values, &e), &e);
            frz__pq_minmax(&values, &m);
            assert_int_equal(m.has, lo != SIZE_MAX);
            if (m.has) {
                struct buf got = BUF_INIT(NULL, 0), want = BUF_INIT(NULL, 0);
                frz_value x;
                for (int max = 0; max < 2; max++) { /* as Iceberg writes a bound: by our own encoder and by that of values */
                    buf_reset(&got);
                    buf_reset(&want);
                    frz__vec_get(&v, max ? hi : lo, &x);
                    OK(frz__value_to_single(&x, all_types[t], &want, &e), &e);
                    OK(frz__pq_bound_to_single(all_types[t], max ? m.max : m.min, &got, &e), &e);
                    assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
                }
                buf_clear(&got);
                buf_clear(&want);
            }
            frz__vec_clear(&v);
        }
    }
    frz__pq_scratch_clear(&s);
}

static void cut_is(const char *v, size_t len, bool text, size_t bytes_max, size_t chars_max, const char *lower, const char *upper, bool want_exact)
{
    struct buf b = BUF_INIT(NULL, 0);
    bool exact, has;
    OK(frz__pq_cut_lower(slice_of(v, len), text, bytes_max, chars_max, &b, &exact, &e), &e);
    assert_int_equal(exact, want_exact);
    assert_true(slice_eq(buf_slice(&b), slice_str(lower)));
    buf_reset(&b);
    OK(frz__pq_cut_upper(slice_of(v, len), text, bytes_max, chars_max, &b, &exact, &has, &e), &e);
    assert_int_equal(has, upper != NULL);
    assert_int_equal(exact, want_exact);
    if (upper) assert_true(slice_eq(buf_slice(&b), slice_str(upper)));
    else assert_int_equal(b.len, 0);
    buf_clear(&b);
}
#define CUT16(v, lower, upper, exact) cut_is((v), strlen(v), true, 64, 16, (lower), (upper), (exact))
#define MAX_CP "\xF4\x8F\xBF\xBF"
#define X15 "xxxxxxxxxxxxxxx"

TEST(pq_cut, text_at_16_code_points_and_increments_the_last_that_can_be)
{
    CUT16("", "", "", true);
    CUT16(X15 "x", X15 "x", X15 "x", true);
    CUT16(X15 "xa", X15 "x", X15 "y", false);
    CUT16(X15 "\xC3\xBC" "a", X15 "\xC3\xBC", X15 "\xC3\xBD", false);
    CUT16(X15 "\x7F" "a", X15 "\x7F", X15 "\xC2\x80", false);                 /* one byte becomes two */
    CUT16(X15 "\xED\x9F\xBF" "a", X15 "\xED\x9F\xBF", X15 "\xEE\x80\x80", false); /* U+D7FF → U+E000, no surrogate */
    CUT16(X15 "\xEF\xBF\xBF" "a", X15 "\xEF\xBF\xBF", X15 "\xF0\x90\x80\x80", false);
    CUT16(X15 MAX_CP "a", X15 MAX_CP, "xxxxxxxxxxxxxxy", false);            /* carried to the left, and dropped */
    CUT16("a" MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP "b",
          "a" MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP, "b", false);
    CUT16(MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP "b",
          MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP MAX_CP, NULL, false);
}

TEST(pq_cut, text_by_bytes_never_inside_a_code_point)
{
    cut_is("ab\xE2\x82\xAC", 5, true, 4, 0, "ab", "ac", false);
    cut_is("ab\xE2\x82\xAC", 5, true, 5, 0, "ab\xE2\x82\xAC", "ab\xE2\x82\xAC", true);
    cut_is("\xE2\x82\xAC", 3, true, 2, 0, "", NULL, false);
}

TEST(pq_cut, what_is_no_utf8_as_bytes)
{
    cut_is("ab\xFFzzzzzz", 9, true, 6, 0, "ab\xFFzzz", "ab\xFFzz{", false);
    cut_is("ab\xFFzzzzzz", 9, true, 4, 0, "ab", "ac", false);
    cut_is("\xFF\xFF\xFF\xFF\xFFz", 6, true, 4, 0, "\xFF\xFF\xFF\xFF", NULL, false);
}

TEST(pq_cut, binary_at_16_bytes_and_past_0xFF)
{
    cut_is(X15 "x", 16, false, 16, 0, X15 "x", X15 "x", true);
    cut_is(X15 "xz", 17, false, 16, 0, X15 "x", X15 "y", false);
    cut_is(X15 "\xFF" "z", 17, false, 16, 0, X15 "\xFF", "xxxxxxxxxxxxxxy", false);
    cut_is("\xFF\xFF\xFFz", 4, false, 3, 0, "\xFF\xFF\xFF", NULL, false);
}

TEST(pq_cut, bounds_every_value_it_was_cut_from)
{
    struct rng r = {test_seed(15)};
    struct buf b = BUF_INIT(NULL, 0);
    for (int round = 0; round < 2000; round++) {
        uint8_t v[120];
        size_t n = 0, chars = rng_below(&r, 25);
        bool text = round % 2, exact, has;
        for (size_t i = 0; i < chars; i++) {
            static const uint32_t edges[] = {0x7F, 0x7FF, 0xD7FF, 0xE000, 0xFFFF, 0x10FFFF, 0x10FFFE, 'a'};
            if (text) n += frz__utf8_encode(edges[rng_below(&r, 8)], v + n);
            else v[n++] = rng_below(&r, 3) ? 0xFF : (uint8_t)rng_next(&r);
        }
        size_t max = 1 + rng_below(&r, 70), max_chars = rng_below(&r, 17);
        buf_reset(&b);
        OK(frz__pq_cut_lower(slice_of(v, n), text, max, max_chars, &b, &exact, &e), &e);
        assert_true(slice_cmp(buf_slice(&b), slice_of(v, n)) <= 0);
        assert_true(b.len <= max);
        if (text) assert_int_equal(frz__utf8_check(buf_slice(&b)), b.len);
        buf_reset(&b);
        OK(frz__pq_cut_upper(slice_of(v, n), text, max, max_chars, &b, &exact, &has, &e), &e);
        if (!has) continue;
        assert_true(slice_cmp(buf_slice(&b), slice_of(v, n)) >= 0);
        assert_true(exact == slice_eq(buf_slice(&b), slice_of(v, n)));
        if (text) assert_int_equal(frz__utf8_check(buf_slice(&b)), b.len);
    }
    buf_clear(&b);
}
