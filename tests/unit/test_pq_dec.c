/* Parquet's encodings: golden bytes, small encoders of our own against the decoders over random values, hostile bytes. */
#include "parquet/pq_dec.h"
#include "base/rand.h"
#include "frz_test.h"
#include "parquet/pq_meta.h"

#include <stdlib.h>

#define BYTES(...) slice_of(((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__}))

static size_t rle_all(slice in, unsigned width, size_t count, uint32_t *out, int *rc, frz_error *err)
{
    struct pq_rle r;
    size_t done = 0, n;
    *rc = frz__pq_dec_rle_init(&r, in, width, err);
    while (*rc >= 0 && done < count) {
        size_t want = count - done < PQ_RLE_BATCH ? count - done : PQ_RLE_BATCH;
        *rc = frz__pq_dec_rle_next(&r, want, count - done, out + done, &n, err);
        if (*rc >= 0) done += n;
    }
    return done;
}

/* ── golden bytes ── */

TEST(pq_rle, reads_golden_runs)
{
    uint32_t out[16];
    uint8_t bits[2] = {0};
    frz_error err;
    size_t ones;
    int rc;
    rle_all(BYTES(0x03, 0x88, 0xc6, 0xfa), 3, 8, out, &rc, &err);
    OK(rc, &err);
    for (uint32_t i = 0; i < 8; i++) assert_int_equal(out[i], i);
    rle_all(BYTES(0x14, 0x01), 1, 10, out, &rc, &err);
    OK(rc, &err);
    for (int i = 0; i < 10; i++) assert_int_equal(out[i], 1);
    slice page = BYTES(0x02, 0, 0, 0, 0x03, 0x2b), levels; /* 1,1,0,1,0,1 */
    OK(frz__pq_dec_levels_take(&page, PQ_RLE, 1, 6, &levels, &err), &err);
    assert_int_equal(page.len, 0);
    OK(frz__pq_dec_validity(levels, PQ_RLE, 6, bits, 3, &ones, &err), &err);
    assert_int_equal(ones, 4);
    for (size_t i = 0; i < 6; i++) assert_int_equal(bit_get(bits, 3 + i), "110101"[i] - '0');
    OK(frz__pq_dec_rle_bits(BYTES(0x04, 0x01, 0x04, 0x00, 0x04, 0x01), 6, bits, 0, &ones, &err), &err);
    for (size_t i = 0; i < 6; i++) assert_int_equal(bit_get(bits, i), "110011"[i] - '0');
}

TEST(pq_delta, reads_golden_blocks)
{
    int64_t out[8];
    int32_t out32[8];
    frz_error err;
    static const int want[] = {7, 5, 3, 1, 2, 3, 4, 5};
    slice in = BYTES(0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 0x02, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0), again = in;
    OK(frz__pq_dec_delta64(&in, 8, out, &err), &err);
    assert_int_equal(in.len, 0);
    OK(frz__pq_dec_delta32(&again, 8, out32, &err), &err);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(out[i], want[i]);
        assert_int_equal(out32[i], want[i]);
    }
    in = BYTES(0x80, 0x01, 0x04, 0x01, 0x12);
    OK(frz__pq_dec_delta64(&in, 1, out, &err), &err);
    assert_int_equal(out[0], 9);
    in = BYTES(0x80, 0x01, 0x04, 0x00, 0x00);
    OK(frz__pq_dec_delta64(&in, 0, out, &err), &err);
}

TEST(pq_dict, gathers_golden_indexes)
{
    struct vec dict, out;
    frz_error err;
    frz__vec_init(&dict, NULL, (frz_type){.id = FRZ_STRING});
    frz__vec_init(&out, NULL, (frz_type){.id = FRZ_STRING});
    OK(frz__pq_dec_plain_var(BYTES(1, 0, 0, 0, 'a', 1, 0, 0, 0, 'b'), 2, &dict, &err), &err);
    dict.len = 2;
    OK(frz__pq_dec_dict(BYTES(0x01, 0x03, 0x0a), &dict, 4, &out, &err), &err); /* a b a b */
    out.len = 4;
    for (size_t i = 0; i < 4; i++) assert_true(slice_eq(vec_bytes(&out, i), slice_str(i % 2 ? "b" : "a")));
    FAILS(frz__pq_dec_dict(BYTES(0x02, 0x03, 0xff, 0xff), &dict, 4, &out, &err), FRZ_CORRUPT, &err); /* index 3 of 2 */
    MESSAGE_HAS(&err, "index 3");
    FAILS(frz__pq_dec_dict(BYTES(0x21, 0x03), &dict, 4, &out, &err), FRZ_CORRUPT, &err); /* 33 bits */
    /* width 0: all are entry 0 */
    OK(frz__pq_dec_dict(BYTES(0x00, 0x08), &dict, 4, &out, &err), &err);
    frz__vec_clear(&dict);
    frz__vec_clear(&out);
}

TEST(pq_levels, reads_the_old_bit_packed_form_from_the_top)
{
    uint8_t bits[2] = {0};
    size_t ones, top, zeroes;
    frz_error err;
    slice page = BYTES(0xa0, 'v'), levels;
    OK(frz__pq_dec_levels_take(&page, PQ_BIT_PACKED, 1, 3, &levels, &err), &err);
    assert_int_equal(page.len, 1);
    OK(frz__pq_dec_validity(levels, PQ_BIT_PACKED, 3, bits, 0, &ones, &err), &err);
    assert_int_equal(bits[0] & 7, 5);
    assert_int_equal(ones, 2);
    OK(frz__pq_dec_levels_check(BYTES(0x05, 0x39), PQ_BIT_PACKED, 7, 5, &top, &zeroes, &err), &err); /* 000 001 010 011 100 */
    assert_int_equal(zeroes, 1);
    FAILS(frz__pq_dec_levels_check(BYTES(0x03, 0xff, 0xff), PQ_RLE, 2, 8, &top, &zeroes, &err), FRZ_CORRUPT, &err); /* 3 of 2 bits, most is 2 */
    FAILS(frz__pq_dec_levels_take(&page, PQ_RLE, 1, 3, &levels, &err), FRZ_CORRUPT, &err);
    FAILS(frz__pq_dec_levels_take(&page, PQ_PLAIN, 1, 3, &levels, &err), FRZ_UNSUPPORTED, &err);
}

/* ── there and back ── */

static void put_packed(struct buf *b, const uint32_t *v, size_t groups, unsigned width)
{
    frz_error err;
    size_t at = b->len * 8;
    OK(buf_append_zero(b, groups * width, &err), &err);
    for (size_t i = 0; i < groups * 8; i++)
        for (unsigned k = 0; k < width; k++) bit_put(b->data, at + i * width + k, v[i] >> k & 1);
}

/* Random runs of both kinds. */
static void encode_rle(struct buf *b, struct rng *r, uint32_t *v, size_t count, unsigned width)
{
    frz_error err;
    uint32_t mask = (uint32_t)(((uint64_t)1 << width) - 1);
    for (size_t i = 0; i < count;) {
        size_t n = 1 + rng_below(r, rng_below(r, 4) ? 20 : 700);
        if (rng_below(r, 2)) {
            uint32_t x = (uint32_t)rng_next(r) & mask;
            OK(buf_append_varint(b, n << 1, &err), &err);
            OK(buf_append(b, &x, (width + 7) / 8, &err), &err);
            for (; n && i < count; n--) v[i++] = x;
        } else {
            uint32_t packed[704 + 8] = {0};
            size_t groups = (n + 7) / 8;
            for (size_t k = 0; k < groups * 8 && i < count; k++) v[i++] = packed[k] = (uint32_t)rng_next(r) & mask;
            OK(buf_append_varint(b, groups << 1 | 1, &err), &err);
            put_packed(b, packed, groups, width);
        }
    }
}

TEST(pq_rle, gives_back_random_runs_of_every_width)
{
    struct rng r = {test_seed(11)};
    frz_error err;
    uint32_t *want = (uint32_t *)malloc(5000 * 4), *got = (uint32_t *)malloc(5000 * 4);
    for (unsigned width = 0; width <= 32; width++) {
        for (int k = 0; k < 6; k++) {
            struct buf b = BUF_INIT(NULL, 0);
            size_t count = 1 + rng_below(&r, 5000);
            int rc;
            encode_rle(&b, &r, want, count, width);
            uint8_t *exact = (uint8_t *)malloc(b.len); /* the sanitizer watches its end */
            memcpy(exact, b.data, b.len);
            assert_int_equal(rle_all(slice_of(exact, b.len), width, count, got, &rc, &err), count);
            OK(rc, &err);
            assert_memory_equal(want, got, count * 4);
            if (width == 1) {
                uint8_t bits[700];
                size_t ones, n = 0;
                OK(frz__pq_dec_rle_bits(slice_of(exact, b.len), count, bits, 5, &ones, &err), &err);
                for (size_t i = 0; i < count; i++) {
                    assert_int_equal(bit_get(bits, 5 + i), want[i]);
                    n += want[i];
                }
                assert_int_equal(ones, n);
            }
            free(exact);
            buf_clear(&b);
        }
    }
    free(want);
    free(got);
}

TEST(pq_rle, survives_every_cut_and_flip)
{
    struct rng r = {test_seed(12)};
    frz_error err;
    uint32_t v[600], got[600];
    for (unsigned width = 0; width <= 32; width += 3) {
        struct buf b = BUF_INIT(NULL, 0);
        int rc;
        encode_rle(&b, &r, v, 300, width);
        for (size_t cut = 0; cut < b.len; cut++) {
            uint8_t *exact = (uint8_t *)malloc(cut + 1);
            memcpy(exact, b.data, cut);
            rle_all(slice_of(exact, cut), width, 300, got, &rc, &err);
            assert_true(rc == FRZ_OK || rc == FRZ_CORRUPT);
            free(exact);
        }
        for (int i = 0; i < 300; i++) {
            size_t bit = rng_below(&r, b.len * 8);
            b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            rle_all(buf_slice(&b), width, 300, got, &rc, &err);
            assert_true(rc == FRZ_OK || rc == FRZ_CORRUPT);
        }
        buf_clear(&b);
    }
}

TEST(pq_bits, copies_and_fills_any_range)
{
    struct rng r = {test_seed(13)};
    for (int k = 0; k < 3000; k++) {
        uint8_t from[64], to[64], want[64];
        size_t n = rng_below(&r, 300), at = rng_below(&r, 512 - n), src = rng_below(&r, 512 - n);
        for (size_t i = 0; i < 64; i++) {
            from[i] = (uint8_t)rng_next(&r);
            want[i] = to[i] = (uint8_t)rng_next(&r);
        }
        for (size_t i = 0; i < n; i++) bit_put(want, at + i, bit_get(from, src + i));
        frz__pq_bits_copy(to, at, from, src, n);
        assert_memory_equal(to, want, 64);
        for (size_t i = 0; i < n; i++) bit_put(want, at + i, k & 1);
        frz__pq_bits_fill(to, at, n, k & 1);
        assert_memory_equal(to, want, 64);
    }
}

static unsigned width_of(uint64_t v) { return v ? 64 - (unsigned)__builtin_clzll(v) : 0; }

static void encode_delta(struct buf *b, const int64_t *v, size_t count, size_t block, size_t minis)
{
    frz_error err;
    size_t mini = block / minis;
    OK(buf_append_varint(b, block, &err), &err);
    OK(buf_append_varint(b, minis, &err), &err);
    OK(buf_append_varint(b, count, &err), &err);
    OK(buf_append_varint(b, zigzag_encode(count ? v[0] : 0), &err), &err);
    for (size_t i = 1; i < count; i += block) {
        size_t n = count - i < block ? count - i : block;
        int64_t least = INT64_MAX;
        for (size_t k = 0; k < n; k++) {
            int64_t d = (int64_t)((uint64_t)v[i + k] - (uint64_t)v[i + k - 1]);
            if (d < least) least = d;
        }
        OK(buf_append_varint(b, zigzag_encode(least), &err), &err);
        size_t widths = b->len;
        OK(buf_append_zero(b, minis, &err), &err);
        for (size_t m = 0; m * mini < n; m++) {
            uint64_t all = 0;
            size_t k_end = n < (m + 1) * mini ? n : (m + 1) * mini;
            for (size_t k = m * mini; k < k_end; k++) all |= (uint64_t)v[i + k] - (uint64_t)v[i + k - 1] - (uint64_t)least;
            unsigned w = width_of(all);
            b->data[widths + m] = (uint8_t)w;
            size_t at = b->len * 8;
            OK(buf_append_zero(b, mini / 8 * w, &err), &err);
            for (size_t k = m * mini; k < k_end; k++)
                for (unsigned bit = 0; bit < w; bit++) bit_put(b->data, at + (k - m * mini) * w + bit, ((uint64_t)v[i + k] - (uint64_t)v[i + k - 1] - (uint64_t)least) >> bit & 1);
        }
    }
}

TEST(pq_delta, gives_back_random_values_of_every_width)
{
    struct rng r = {test_seed(14)};
    frz_error err;
    int64_t v[700], got[700];
    int32_t got32[700];
    for (unsigned width = 1; width <= 64; width++) {
        struct buf b = BUF_INIT(NULL, 0);
        size_t count = rng_below(&r, 700), block = 128 << rng_below(&r, 3);
        for (size_t i = 0; i < count; i++) v[i] = (int64_t)(rng_next(&r) >> (64 - width)) - (width < 60 && i % 2 ? 1000 : 0);
        encode_delta(&b, v, count, block, rng_below(&r, 2) ? 4 : 1);
        OK(buf_append(&b, "tail", 4, &err), &err);
        uint8_t *exact = (uint8_t *)malloc(b.len);
        memcpy(exact, b.data, b.len);
        slice in = slice_of(exact, b.len);
        OK(frz__pq_dec_delta64(&in, count, got, &err), &err);
        assert_int_equal(in.len, 4);
        assert_memory_equal(v, got, count * 8);
        in = slice_of(exact, b.len);
        OK(frz__pq_dec_delta32(&in, count, got32, &err), &err); /* the low halves, wrapped */
        for (size_t i = 0; i < count; i++) assert_int_equal((uint32_t)got32[i], (uint32_t)v[i]);
        in = slice_of(exact, b.len);
        FAILS(frz__pq_dec_delta64(&in, count + 1, got, &err), FRZ_CORRUPT, &err);
        for (size_t cut = 0; cut + 4 < b.len; cut += 1 + cut / 16) {
            uint8_t *part = (uint8_t *)malloc(cut + 1);
            memcpy(part, b.data, cut);
            in = slice_of(part, cut);
            FAILS(frz__pq_dec_delta64(&in, count, got, &err), FRZ_CORRUPT, &err);
            free(part);
        }
        free(exact);
        buf_clear(&b);
    }
}

TEST(pq_delta, refuses_blocks_of_impossible_shape)
{
    int64_t out[8];
    frz_error err;
    slice bad[] = {
        BYTES(0x00, 0x04, 0x02, 0x00),             /* no values a block */
        BYTES(0x80, 0x01, 0x00, 0x02, 0x00),       /* no miniblocks */
        BYTES(0x80, 0x01, 0x08, 0x02, 0x00),       /* miniblocks of 16 */
        BYTES(0x80, 0x01, 0x03, 0x02, 0x00),       /* not a whole number */
        BYTES(0x80, 0x80, 0x80, 0x40, 0x04, 0x02), /* 2^27 a block */
        BYTES(0x80, 0x01, 0x04, 0x02, 0x00, 0x00, 65, 0, 0, 0),
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) FAILS(frz__pq_dec_delta64(&bad[i], 2, out, &err), FRZ_CORRUPT, &err);
}

TEST(pq_delta, byte_arrays_come_back_and_hostile_lengths_do_not)
{
    frz_error err;
    struct buf b = BUF_INIT(NULL, 0), scratch = BUF_INIT(NULL, 0);
    struct vec out;
    int64_t prefix[] = {0, 2, 3, 0}, suffix[] = {3, 1, 2, 0};
    const char *want[] = {"abc", "abd", "abdef", ""};
    frz__vec_init(&out, NULL, (frz_type){.id = FRZ_BINARY});
    encode_delta(&b, prefix, 4, 128, 4);
    encode_delta(&b, suffix, 4, 128, 4);
    OK(buf_append(&b, "abcdef", 6, &err), &err);
    OK(frz__pq_dec_delta_bytes(buf_slice(&b), 4, &scratch, &out, &err), &err);
    out.len = 4;
    for (size_t i = 0; i < 4; i++) assert_true(slice_eq(vec_bytes(&out, i), slice_str(want[i])));
    FAILS(frz__pq_dec_delta_bytes(slice_of(b.data, b.len - 1), 4, &scratch, &out, &err), FRZ_CORRUPT, &err);
    assert_int_equal(out.len, 4);
    buf_reset(&b);
    prefix[0] = 1; /* of nothing */
    encode_delta(&b, prefix, 4, 128, 4);
    encode_delta(&b, suffix, 4, 128, 4);
    OK(buf_append(&b, "abcdef", 6, &err), &err);
    FAILS(frz__pq_dec_delta_bytes(buf_slice(&b), 4, &scratch, &out, &err), FRZ_CORRUPT, &err);
    buf_reset(&b);
    suffix[1] = -1;
    encode_delta(&b, suffix, 4, 128, 4);
    OK(buf_append(&b, "abcdef", 6, &err), &err);
    FAILS(frz__pq_dec_delta_length(buf_slice(&b), 4, &scratch, &out, &err), FRZ_CORRUPT, &err);
    buf_clear(&b);
    buf_clear(&scratch);
    frz__vec_clear(&out);
}

TEST(pq_plain, strings_of_any_length_and_no_length_beyond_the_bytes)
{
    struct rng r = {test_seed(15)};
    frz_error err;
    for (int k = 0; k < 200; k++) {
        struct buf b = BUF_INIT(NULL, 0);
        struct vec out;
        size_t count = rng_below(&r, 50), at = 0;
        frz__vec_init(&out, NULL, (frz_type){.id = FRZ_STRING});
        for (size_t i = 0; i < count; i++) {
            uint32_t len = (uint32_t)rng_below(&r, 40);
            OK(buf_append_u32(&b, len, &err), &err);
            for (; len; len--) OK(buf_append_byte(&b, (uint8_t)rng_next(&r), &err), &err);
        }
        uint8_t *exact = (uint8_t *)malloc(b.len + 1);
        if (b.len) memcpy(exact, b.data, b.len);
        OK(frz__pq_dec_plain_var(slice_of(exact, b.len), count, &out, &err), &err);
        out.len = count;
        for (size_t i = 0; i < count; i++) {
            slice s = slice_of(exact + at + 4, load_u32(exact + at));
            assert_true(slice_eq(vec_bytes(&out, i), s));
            at += 4 + s.len;
        }
        if (count) {
            uint8_t *part = (uint8_t *)malloc(b.len);
            memcpy(part, b.data, b.len - 1);
            FAILS(frz__pq_dec_plain_var(slice_of(part, b.len - 1), count, &out, &err), FRZ_CORRUPT, &err);
            free(part);
        }
        free(exact);
        buf_clear(&b);
        frz__vec_clear(&out);
    }
}

TEST(pq_plain, a_length_may_not_reach_into_the_lengths_behind_it)
{
    frz_error err;
    struct vec out;
    uint8_t in[4 + 200 + 8 * 4] = {200 + 8 * 4 - 2}; /* one long value over nine lengths' room; what is left would be cut */
    frz__vec_init(&out, NULL, (frz_type){.id = FRZ_STRING});
    FAILS(frz__pq_dec_plain_var(slice_of(in, sizeof in), 9, &out, &err), FRZ_CORRUPT, &err);
    in[0] = 200;
    OK(frz__pq_dec_plain_var(slice_of(in, sizeof in), 9, &out, &err), &err);
    frz__vec_clear(&out);
}

TEST(pq_bss, puts_bytes_back_together_at_every_width)
{
    struct rng r = {test_seed(16)};
    frz_error err;
    static const size_t widths[] = {1, 2, 4, 5, 8, 12, 16};
    for (size_t k = 0; k < FRZ_ARRAY_LEN(widths); k++) {
        size_t w = widths[k], n = 600;
        uint8_t *v = (uint8_t *)malloc(n * w), *in = (uint8_t *)malloc(n * w), *out = (uint8_t *)malloc(n * w);
        for (size_t i = 0; i < n * w; i++) v[i] = (uint8_t)rng_next(&r);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < w; j++) in[j * n + i] = v[i * w + j];
        OK(frz__pq_dec_bss(slice_of(in, n * w), w, n, out, &err), &err);
        assert_memory_equal(v, out, n * w);
        FAILS(frz__pq_dec_bss(slice_of(in, n * w), w, n + 1, out, &err), FRZ_CORRUPT, &err);
        FAILS(frz__pq_dec_bss(slice_of(in, n * w), w, n - 1, out, &err), FRZ_CORRUPT, &err);
        free(v);
        free(in);
        free(out);
    }
}
