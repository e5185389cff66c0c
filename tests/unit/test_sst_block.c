/* Goal: the private block's parts come back as they went in, lie never, and bear hostile bytes. Method: models for fence and filter, every cut, every flipped bit. */
#include <stdlib.h>
#include "frz_test.h"
#include "base/coding.h"
#include "base/hash.h"
#include "base/rand.h"
#include "sst/sst_block.h"

static frz_error err;

/* ── filter ── */

static struct buf filter_of(const uint64_t *h, size_t n, uint32_t bits)
{
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__sst_filter_build(h, n, bits, &b, &err), &err);
    return b;
}

TEST(sst_filter, has_no_false_negative_and_one_false_positive_in_a_hundred_at_10_bits)
{
    struct rng r = {test_seed(3)};
    for (size_t n = 1; n <= 200000; n = n * 7 + 1) {
        uint64_t *h = malloc(n * 8);
        for (size_t i = 0; i < n; i++) h[i] = rng_next(&r);
        struct buf b = filter_of(h, n, 10);
        uint64_t blocks = frz__sst_filter_blocks(n, 10);
        assert_int_equal(frz__sst_filter_blocks_of(b.len), blocks);
        assert_int_equal(b.len, blocks * 32 + sst_filter_units(blocks) * 4);
        for (size_t i = 0; i < n; i++) assert_true(frz__sst_filter_test(b.data + 32 * sst_filter_block(h[i], blocks), h[i]));
        if (n > 50000) {
            size_t hits = 0;
            for (int i = 0; i < 200000; i++) {
                uint64_t x = rng_next(&r);
                hits += frz__sst_filter_test(b.data + 32 * sst_filter_block(x, blocks), x);
            }
            if (hits > 2000) fail_msg("%zu of 200000", hits);
            assert_true(b.len * 8 < n * 11);
        }
        buf_clear(&b);
        free(h);
    }
}

TEST(sst_filter, units_carry_their_checksums_behind_the_blocks)
{
    uint64_t h[2000];
    struct rng r = {1};
    for (size_t i = 0; i < 2000; i++) h[i] = rng_next(&r);
    struct buf b = filter_of(h, 2000, 16);
    uint64_t blocks = frz__sst_filter_blocks(2000, 16), units = sst_filter_units(blocks);
    assert_int_equal(blocks, 133);
    assert_int_equal(units, 2);
    assert_int_equal(load_u32(b.data + blocks * 32), frz__crc32c(0, b.data, 4096));
    assert_int_equal(load_u32(b.data + blocks * 32 + 4), frz__crc32c(0, b.data + 4096, 5 * 32));
    buf_clear(&b);
}

TEST(sst_filter, sets_the_bits_that_parquet_sets)
{
    /* formats.md 1.7: int64 1, 2, 3 by xxh64, one block (DuckDB's parquet_bloom_probe agrees) */
    static const uint8_t golden[32] = {0x00, 0x00, 0x18, 0x08, 0x04, 0x00, 0x04, 0x02, 0x02, 0x04, 0x00, 0x02, 0x00, 0x00, 0x26, 0x00,
                                       0x40, 0x00, 0x40, 0x04, 0x00, 0x00, 0x02, 0x88, 0x40, 0x00, 0x00, 0x20, 0x20, 0x09, 0x00, 0x00};
    uint64_t h[3];
    for (int64_t i = 1; i <= 3; i++) h[i - 1] = frz__xxh64(slice_of(&i, 8));
    struct buf b = filter_of(h, 3, 10);
    assert_int_equal(b.len, 36);
    assert_memory_equal(b.data, golden, 32);
    buf_clear(&b);
}

TEST(sst_filter, knows_the_lengths_that_a_filter_can_have)
{
    for (uint64_t blocks = 1; blocks < 1000; blocks++) assert_int_equal(frz__sst_filter_blocks_of(blocks * 32 + sst_filter_units(blocks) * 4), blocks);
    assert_int_equal(frz__sst_filter_blocks_of(0), 0);
    assert_int_equal(frz__sst_filter_blocks_of(4), 0);
    assert_int_equal(frz__sst_filter_blocks_of(37), 0);
    assert_int_equal(frz__sst_filter_blocks_of(4100 + 4), 0);
    assert_int_equal(frz__sst_filter_blocks_of(UINT64_MAX / 4100 * 4100), 0);
    assert_int_equal(frz__sst_filter_blocks(0, 10), 0);
    assert_int_equal(frz__sst_filter_blocks(10, 0), 0);
    assert_true(frz__sst_filter_blocks(UINT64_MAX, 64) == SST_FILTER_BLOCKS_MAX);
}

/* ── fence ── */

struct keys { slice *k; size_t n; uint8_t *bytes; };

static int by_bytes(const void *a, const void *b) { return slice_cmp(*(const slice *)a, *(const slice *)b); }

/* N distinct sorted keys of a SHAPE */
static struct keys make_keys(struct rng *r, size_t n, int shape)
{
    struct keys ks = {malloc(sizeof(slice) * (n + 1)), 0, calloc(n + 1, 64)};
    for (size_t i = 0; i < n; i++) {
        uint8_t *p = ks.bytes + i * 64;
        size_t len = 0;
        switch (shape) {
        case 0: store_u64_be(p, rng_next(r)); len = 8; break;
        case 1: memcpy(p, "a common prefix/", 16); store_u64_be(p + 16, rng_below(r, n * 3)); len = 24; break;
        case 2: len = rng_below(r, 6); for (size_t j = 0; j < len; j++) p[j] = (uint8_t)rng_below(r, 3); break; /* zeros, prefixes of each other */
        case 3: memset(p, 0xFF, 20); len = 12 + rng_below(r, 20); p[len - 1] = (uint8_t)rng_next(r); break;
        default: memcpy(p, "samehead", 8); len = 8 + rng_below(r, 5); for (size_t j = 8; j < len; j++) p[j] = (uint8_t)rng_below(r, 4); break;
        }
        ks.k[i] = slice_of(p, len);
    }
    qsort(ks.k, n, sizeof(slice), by_bytes);
    for (size_t i = 0; i < n; i++)
        if (ks.n == 0 || slice_cmp(ks.k[ks.n - 1], ks.k[i]) < 0) ks.k[ks.n++] = ks.k[i];
    return ks;
}

static struct buf fence_of(const struct keys *ks)
{
    struct sst_fence_writer w = {.keys = BUF_INIT(NULL, 0)};
    for (size_t i = 0; i < ks->n; i++) OK(frz__sst_fence_add(&w, ks->k[i], &err), &err);
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__sst_fence_encode(&w, &b, &err), &err);
    frz__sst_fence_writer_clear(&w);
    return b;
}

static void expect_find(const struct keys *ks, const struct sst_fence *f, slice key)
{
    int64_t want = -1;
    for (size_t i = 0; i < ks->n && slice_cmp(ks->k[i], key) <= 0; i++) want = (int64_t)i;
    assert_int_equal(frz__sst_fence_find(f, key), want);
    for (size_t i = 0; i < ks->n; i += 1 + ks->n / 16) {
        int c = slice_cmp(ks->k[i], key), d = frz__sst_fence_cmp(f, i, key);
        assert_true((c < 0) == (d < 0) && (c > 0) == (d > 0));
    }
}

TEST(sst_fence, finds_the_last_key_at_most_as_a_walk_does)
{
    struct rng r = {test_seed(11)};
    for (int shape = 0; shape < 5; shape++) {
        for (size_t n = 0; n < 400; n = n * 3 + 1) {
            struct keys ks = make_keys(&r, n, shape), other = make_keys(&r, 200, shape), wild = make_keys(&r, 50, (shape + 1) % 5);
            struct buf b = fence_of(&ks);
            struct sst_fence f;
            OK(frz__sst_fence_decode(buf_slice(&b), ks.n, "t", &f, &err), &err);
            expect_find(&ks, &f, slice_of("", 0));
            for (size_t i = 0; i < ks.n; i++) {
                uint8_t more[80];
                expect_find(&ks, &f, ks.k[i]);
                memcpy(more, ks.k[i].data, ks.k[i].len);
                more[ks.k[i].len] = 0;
                expect_find(&ks, &f, slice_of(more, ks.k[i].len + 1)); /* the next string there is */
                if (ks.k[i].len) expect_find(&ks, &f, slice_of(ks.k[i].data, ks.k[i].len - 1));
            }
            for (size_t i = 0; i < other.n; i++) expect_find(&ks, &f, other.k[i]);
            for (size_t i = 0; i < wild.n; i++) expect_find(&ks, &f, wild.k[i]);
            buf_clear(&b);
            free(ks.k), free(ks.bytes), free(other.k), free(other.bytes), free(wild.k), free(wild.bytes);
        }
    }
}

TEST(sst_fence, of_16_byte_keys_takes_less_than_4_bytes_a_hundred_rows)
{
    struct keys ks = {malloc(sizeof(slice) * 1000), 1000, calloc(1000, 16)};
    for (size_t i = 0; i < 1000; i++) {
        store_u64_be(ks.bytes + i * 16, i * UINT64_C(0x0100000000000001));
        ks.k[i] = slice_of(ks.bytes + i * 16, 16);
    }
    qsort(ks.k, 1000, sizeof(slice), by_bytes);
    struct buf b = fence_of(&ks);
    assert_true((double)b.len / (1000 * 1024.0) < 0.04);
    buf_clear(&b);
    free(ks.k), free(ks.bytes);
}

TEST(sst_fence, bears_every_cut_and_every_flipped_bit)
{
    struct rng r = {5};
    struct keys ks = make_keys(&r, 40, 4);
    struct buf b = fence_of(&ks);
    struct sst_fence f;
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, b.data, cut);
        FAILS(frz__sst_fence_decode(slice_of(copy, cut), ks.n, "file", &f, &err), FRZ_CORRUPT, &err);
        MESSAGE_HAS(&err, "file");
        free(copy);
    }
    for (size_t bit = 0; bit < b.len * 8; bit++) { /* the checksum is elsewhere: what passes must at least be safe to search */
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (frz__sst_fence_decode(buf_slice(&b), ks.n, "file", &f, &err) == FRZ_OK)
            for (size_t i = 0; i < ks.n; i++) (void)frz__sst_fence_find(&f, ks.k[i]);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    FAILS(frz__sst_fence_decode(buf_slice(&b), ks.n + 1, "file", &f, &err), FRZ_CORRUPT, &err);
    buf_clear(&b);
    free(ks.k), free(ks.bytes);
}

/* ── head and properties ── */

static struct sst_block sample(struct buf *out)
{
    struct sst_block b = {.offset = 1000, .rows = 77, .uuid_hash = UINT64_C(0xABCDEF0123456789)};
    b.sections[SST_PROPS] = (struct sst_section){true, 11, 0, 60};
    b.sections[SST_FENCE] = (struct sst_section){true, 12, 0, 100};
    b.sections[SST_FILTER] = (struct sst_section){true, 13, 0, 68};
    OK(frz__sst_block_encode(&b, out, &err), &err);
    return b;
}

TEST(sst_block, head_comes_back)
{
    struct buf bytes = BUF_INIT(NULL, 0);
    struct sst_block b = sample(&bytes), d = {.offset = b.offset, .length = b.length};
    size_t need;
    assert_int_equal(bytes.len, SST_BLOCK_HEAD_BYTES(3));
    assert_int_equal(b.length, bytes.len + 60 + 100 + 68);
    RC(frz__sst_block_decode(slice_of(bytes.data, 0), "f", &d, &need, &err), FRZ_DONE, &err);
    RC(frz__sst_block_decode(slice_of(bytes.data, 40), "f", &d, &need, &err), FRZ_DONE, &err);
    assert_int_equal(need, bytes.len);
    OK(frz__sst_block_decode(buf_slice(&bytes), "f", &d, &need, &err), &err);
    assert_int_equal(d.rows, 77);
    assert_true(d.uuid_hash == b.uuid_hash);
    for (int t = 1; t < SST_SECTION_TYPES; t++) {
        assert_int_equal(d.sections[t].offset, b.sections[t].offset);
        assert_int_equal(d.sections[t].length, b.sections[t].length);
        assert_int_equal(d.sections[t].crc, b.sections[t].crc);
    }
    assert_int_equal(d.sections[SST_PROPS].offset, bytes.len);
    assert_int_equal(d.sections[SST_FILTER].offset + 68, d.length);
    buf_clear(&bytes);
}

TEST(sst_block, head_refuses_every_flipped_bit_and_a_newer_version)
{
    struct buf bytes = BUF_INIT(NULL, 0);
    struct sst_block b = sample(&bytes), d;
    size_t need;
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        d = (struct sst_block){.offset = b.offset, .length = b.length};
        int rc = frz__sst_block_decode(buf_slice(&bytes), "f", &d, &need, &err);
        assert_true(rc == FRZ_CORRUPT || (rc == FRZ_DONE && need > bytes.len));
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    store_u16(bytes.data + 4, 2);
    store_u32(bytes.data + bytes.len - 4, frz__crc32c(0, bytes.data, bytes.len - 4));
    d = (struct sst_block){.offset = b.offset, .length = b.length};
    FAILS(frz__sst_block_decode(buf_slice(&bytes), "f", &d, &need, &err), FRZ_NEWER_FORMAT, &err);
    store_u16(bytes.data + 4, 1);
    store_u32(bytes.data + bytes.len - 4, frz__crc32c(0, bytes.data, bytes.len - 4));
    d = (struct sst_block){.offset = b.offset, .length = b.length - 1}; /* the filter reaches out */
    FAILS(frz__sst_block_decode(buf_slice(&bytes), "f", &d, &need, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "outside");
    d = (struct sst_block){.offset = b.offset, .length = 10};
    FAILS(frz__sst_block_decode(buf_slice(&bytes), "f", &d, &need, &err), FRZ_CORRUPT, &err);
    buf_clear(&bytes);
}

TEST(sst_block, place_is_two_numbers)
{
    uint64_t o, l;
    assert_true(frz__sst_block_place_parse(slice_str("12345:678"), &o, &l));
    assert_int_equal(o, 12345);
    assert_int_equal(l, 678);
    const char *no[] = {"", ":", "1:", ":1", "1:2x", "x1:2", "1 :2", "99999999999999999999:1", "1:18446744073709551616", "-1:2"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(no); i++) assert_false(frz__sst_block_place_parse(slice_str(no[i]), &o, &l));
}

TEST(sst_block, properties_come_back_and_bear_every_cut)
{
    struct buf b = BUF_INIT(NULL, 0);
    struct sst_props p = {3, 17, UINT64_C(1) << 50, 1234, 56, 0xDEADBEEF, slice_str("first"), slice_of("", 0), slice_str("idididid")}, d;
    OK(frz__sst_props_encode(&p, &b, &err), &err);
    OK(frz__sst_props_decode(buf_slice(&b), "f", &d, &err), &err);
    assert_int_equal(d.level_hint, 3);
    assert_int_equal(d.seq_first, 17);
    assert_true(d.seq_last == UINT64_C(1) << 50);
    assert_true(d.pages_offset == 1234 && d.pages_length == 56 && d.pages_crc == 0xDEADBEEF);
    assert_true(slice_eq(d.first_key, p.first_key) && d.last_key.len == 0 && slice_eq(d.key_columns, p.key_columns));
    for (size_t cut = 0; cut < b.len; cut++) FAILS(frz__sst_props_decode(slice_of(b.data, cut), "f", &d, &err), FRZ_CORRUPT, &err);
    OK(buf_append_byte(&b, 0, &err), &err);
    FAILS(frz__sst_props_decode(buf_slice(&b), "f", &d, &err), FRZ_CORRUPT, &err);
    b.data[0] = 2;
    FAILS(frz__sst_props_decode(buf_slice(&b), "f", &d, &err), FRZ_NEWER_FORMAT, &err);
    buf_clear(&b);
}

TEST(sst_block, footer_checksum_is_found_at_the_last_place_and_covers_all_but_itself)
{
    char bytes[] = "column frazil.footer\x18\x0F" "crc32c:ffffffff, then frazil.footer\x18\x0F" "crc32c:12345678 and PAR1";
    slice s = slice_of(bytes, sizeof bytes - 1);
    size_t at = 0;
    assert_true(frz__sst_footer_find(s, &at));
    assert_memory_equal(bytes + at, "12345678", 8);
    uint32_t crc = frz__sst_footer_crc(s, at);
    memcpy(bytes + at, "00000000", 8);
    assert_int_equal(crc, frz__crc32c(0, bytes, s.len));
    bytes[s.len - 1] ^= 1;
    assert_true(frz__sst_footer_crc(s, at) != crc);
    assert_false(frz__sst_footer_find(slice_of(bytes, 30), &at));
    assert_false(frz__sst_footer_find(slice_of(bytes, 0), &at));
}

TEST(sst_block, bytes_are_as_documented)
{
    static const uint8_t head[] = {'F', 'R', 'Z', 'X', 1, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01, 1, 0, 0, 0, 0x11, 0, 0, 0, 76, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
                                   3, 0, 0, 0, 0x22, 0, 0, 0, 81, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t fence[] = {2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'd', 'c', 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 'a', 'b', 'c', 'd'};
    struct buf b = BUF_INIT(NULL, 0);
    struct sst_block block = {.rows = 3, .uuid_hash = UINT64_C(0x0123456789ABCDEF)};
    block.sections[SST_PROPS] = (struct sst_section){true, 0x11, 0, 5};
    block.sections[SST_FENCE] = (struct sst_section){true, 0x22, 0, 6};
    OK(frz__sst_block_encode(&block, &b, &err), &err);
    assert_int_equal(b.len, sizeof head + 4);
    assert_memory_equal(b.data, head, sizeof head);
    assert_int_equal(load_u32(b.data + sizeof head), frz__crc32c(0, head, sizeof head));
    buf_reset(&b);
    struct sst_fence_writer w = {.keys = BUF_INIT(NULL, 0)};
    OK(frz__sst_fence_add(&w, slice_str("ab"), &err), &err);
    OK(frz__sst_fence_add(&w, slice_str("abcd"), &err), &err);
    OK(frz__sst_fence_encode(&w, &b, &err), &err);
    assert_int_equal(b.len, sizeof fence);
    assert_memory_equal(b.data, fence, sizeof fence);
    frz__sst_fence_writer_clear(&w);
    buf_clear(&b);
}
