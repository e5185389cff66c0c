/* Every codec there and back, hostile bytes, and bounds. */
#include "codec/codec.h"
#include "base/rand.h"
#include "frz_test.h"

#include <stdlib.h>

static const int all[] = {CODEC_NONE, CODEC_SNAPPY, CODEC_GZIP, CODEC_ZSTD, CODEC_LZ4_RAW};

static void fill(uint8_t *p, size_t n, struct rng *r, unsigned kind)
{
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(kind == 0 ? rng_next(r) : kind == 1 ? i / 7 : 0);
}

TEST(codec, gives_back_what_it_took_for_every_codec_and_size)
{
    static const size_t sizes[] = {0, 1, 2, 100, 4096, 70000};
    struct rng r = {test_seed(1)};
    struct codec_ctx *c;
    frz_error err;
    uint8_t *in = (uint8_t *)malloc(70000), *back = (uint8_t *)malloc(70000);
    OK(frz__codec_ctx_new(NULL, &c, &err), &err);
    for (size_t k = 0; k < FRZ_ARRAY_LEN(all); k++) {
        for (size_t s = 0; s < FRZ_ARRAY_LEN(sizes); s++) {
            for (unsigned kind = 0; kind < 3; kind++) {
                struct buf out = BUF_INIT(NULL, 0);
                fill(in, sizes[s], &r, kind);
                OK(frz__compress(c, all[k], 0, slice_of(in, sizes[s]), &out, &err), &err);
                OK(frz__decompress(c, all[k], buf_slice(&out), back, sizes[s], &err), &err);
                assert_memory_equal(in, back, sizes[s]);
                /* one byte more or less than there is */
                FAILS(frz__decompress(c, all[k], buf_slice(&out), back, sizes[s] + 1, &err), FRZ_CORRUPT, &err);
                if (sizes[s]) FAILS(frz__decompress(c, all[k], buf_slice(&out), back, sizes[s] - 1, &err), FRZ_CORRUPT, &err);
                buf_clear(&out);
            }
        }
    }
    frz__codec_ctx_free(c);
    free(in);
    free(back);
}

TEST(codec, appends_at_every_level_of_gzip_and_zstd)
{
    struct codec_ctx *c;
    frz_error err;
    uint8_t in[5000], back[5000];
    struct rng r = {2};
    fill(in, sizeof in, &r, 1);
    OK(frz__codec_ctx_new(NULL, &c, &err), &err);
    for (int level = 1; level <= 19; level++) {
        for (int k = 0; k < 2; k++) {
            int codec = k ? CODEC_ZSTD : CODEC_GZIP;
            struct buf out = BUF_INIT(NULL, 0);
            if (codec == CODEC_GZIP && level > 9) continue;
            OK(buf_append(&out, "head", 4, &err), &err);
            OK(frz__compress(c, codec, level, slice_of(in, sizeof in), &out, &err), &err);
            assert_memory_equal(out.data, "head", 4);
            OK(frz__decompress(c, codec, slice_of(out.data + 4, out.len - 4), back, sizeof back, &err), &err);
            assert_memory_equal(in, back, sizeof in);
            buf_clear(&out);
        }
    }
    struct buf out = BUF_INIT(NULL, 0);
    FAILS(frz__compress(c, CODEC_ZSTD, 20, slice_of(in, 10), &out, &err), FRZ_INVALID, &err);
    FAILS(frz__compress(c, CODEC_GZIP, -1, slice_of(in, 10), &out, &err), FRZ_INVALID, &err);
    buf_clear(&out);
    frz__codec_ctx_free(c);
}

TEST(codec, refuses_cut_and_flipped_bytes_without_writing_past_the_end)
{
    struct rng r = {test_seed(3)};
    struct codec_ctx *c;
    frz_error err;
    uint8_t in[600];
    fill(in, sizeof in, &r, 1);
    OK(frz__codec_ctx_new(NULL, &c, &err), &err);
    for (size_t k = 1; k < FRZ_ARRAY_LEN(all); k++) {
        struct buf out = BUF_INIT(NULL, 0);
        OK(frz__compress(c, all[k], 0, slice_of(in, sizeof in), &out, &err), &err);
        for (size_t cut = 0; cut < out.len; cut++) {
            uint8_t *bytes = (uint8_t *)malloc(cut + 1), *back = (uint8_t *)malloc(sizeof in); /* exact blocks: the sanitizer watches their ends */
            memcpy(bytes, out.data, cut);
            FAILS(frz__decompress(c, all[k], slice_of(bytes, cut), back, sizeof in, &err), FRZ_CORRUPT, &err);
            free(bytes);
            free(back);
        }
        for (int i = 0; i < 400; i++) {
            uint8_t *back = (uint8_t *)malloc(sizeof in);
            size_t bit = rng_below(&r, out.len * 8);
            out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            int rc = frz__decompress(c, all[k], buf_slice(&out), back, sizeof in, &err);
            assert_true(rc == FRZ_OK || rc == FRZ_CORRUPT);
            out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            free(back);
        }
        buf_clear(&out);
    }
    frz__codec_ctx_free(c);
}

TEST(codec, reads_gzip_of_several_members)
{
    struct codec_ctx *c;
    frz_error err;
    struct buf out = BUF_INIT(NULL, 0);
    uint8_t back[8];
    OK(frz__codec_ctx_new(NULL, &c, &err), &err);
    OK(frz__compress(c, CODEC_GZIP, 0, slice_str("abcd"), &out, &err), &err);
    OK(frz__compress(c, CODEC_GZIP, 0, slice_str("efgh"), &out, &err), &err);
    OK(frz__decompress(c, CODEC_GZIP, buf_slice(&out), back, 8, &err), &err);
    assert_memory_equal(back, "abcdefgh", 8);
    buf_clear(&out);
    frz__codec_ctx_free(c);
}

TEST(codec, reads_the_deprecated_lz4_framed_and_bare)
{
    struct codec_ctx *c;
    frz_error err;
    struct buf bare = BUF_INIT(NULL, 0), framed = BUF_INIT(NULL, 0);
    uint8_t back[12];
    OK(frz__codec_ctx_new(NULL, &c, &err), &err);
    OK(frz__compress(c, CODEC_LZ4_RAW, 0, slice_str("abcdef"), &bare, &err), &err);
    for (int i = 0; i < 2; i++) { /* two blocks of Hadoop's framing: lengths big-endian */
        const uint8_t head[8] = {0, 0, 0, 6, 0, 0, 0, (uint8_t)bare.len};
        OK(buf_append(&framed, head, 8, &err), &err);
        OK(buf_append_slice(&framed, buf_slice(&bare), &err), &err);
    }
    OK(frz__decompress(c, CODEC_LZ4, buf_slice(&framed), back, 12, &err), &err);
    assert_memory_equal(back, "abcdefabcdef", 12);
    OK(frz__decompress(c, CODEC_LZ4, buf_slice(&bare), back, 6, &err), &err);
    assert_memory_equal(back, "abcdef", 6);
    FAILS(frz__decompress(c, CODEC_LZ4, slice_of(framed.data, framed.len - 1), back, 12, &err), FRZ_CORRUPT, &err);
    FAILS(frz__decompress(c, CODEC_LZ4, buf_slice(&framed), back, 11, &err), FRZ_CORRUPT, &err);
    buf_clear(&bare);
    buf_clear(&framed);
    frz__codec_ctx_free(c);
}

TEST(codec, says_which_codec_is_not_built_in)
{
    struct codec_ctx *c;
    frz_error err;
    uint8_t back[4];
    struct buf out = BUF_INIT(NULL, 0);
    OK(frz__codec_ctx_new(NULL, &c, &err), &err);
    FAILS(frz__decompress(c, 4, slice_str("x"), back, 4, &err), FRZ_UNSUPPORTED, &err);
    MESSAGE_HAS(&err, "brotli");
    FAILS(frz__compress(c, CODEC_LZ4, 0, slice_str("x"), &out, &err), FRZ_UNSUPPORTED, &err);
    FAILS(frz__compress(c, 99, 0, slice_str("x"), &out, &err), FRZ_UNSUPPORTED, &err);
    assert_null(frz__codec_name(99));
    frz__codec_ctx_free(c);
}

TEST(codec, knows_names_in_any_case)
{
    int codec = -1;
    assert_true(frz__codec_parse(slice_str("ZSTD"), &codec));
    assert_int_equal(codec, CODEC_ZSTD);
    assert_true(frz__codec_parse(slice_str("None"), &codec));
    assert_int_equal(codec, CODEC_NONE);
    assert_true(frz__codec_parse(slice_str("lz4_raw"), &codec));
    assert_int_equal(codec, CODEC_LZ4_RAW);
    assert_false(frz__codec_parse(slice_str("zst"), &codec));
    assert_string_equal(frz__codec_name(CODEC_NONE), "uncompressed");
}

TEST(deflate, gives_back_what_it_took_and_holds_its_bound)
{
    frz_error err;
    uint8_t in[3000];
    struct rng r = {4};
    for (unsigned kind = 0; kind < 3; kind++) {
        struct buf z = BUF_INIT(NULL, 0), back = BUF_INIT(NULL, 0);
        fill(in, sizeof in, &r, kind);
        OK(frz__deflate_raw(slice_of(in, sizeof in), &z, &err), &err);
        OK(frz__inflate_raw(buf_slice(&z), sizeof in, &back, &err), &err);
        assert_int_equal(back.len, sizeof in);
        assert_memory_equal(back.data, in, sizeof in);
        buf_reset(&back);
        FAILS(frz__inflate_raw(buf_slice(&z), sizeof in - 1, &back, &err), FRZ_CORRUPT, &err);
        buf_reset(&back);
        OK(frz__inflate_raw(buf_slice(&z), SIZE_MAX, &back, &err), &err);
        for (size_t cut = 0; cut < z.len; cut++) {
            buf_reset(&back);
            FAILS(frz__inflate_raw(slice_of(z.data, cut), sizeof in, &back, &err), FRZ_CORRUPT, &err);
        }
        buf_reset(&back);
        OK(buf_append_byte(&z, 0, &err), &err);
        OK(frz__inflate_raw(buf_slice(&z), sizeof in, &back, &err), &err); /* leftovers behind the end are fastavro's habit */
        assert_int_equal(back.len, sizeof in);
        buf_clear(&z);
        buf_clear(&back);
    }
}

TEST(codec, fails_cleanly_at_every_allocation)
{
    for (long n = 1; n < 40; n++) {
        struct test_alloc t;
        struct codec_ctx *c = NULL;
        frz_error err;
        test_alloc_init(&t, n);
        struct buf out = BUF_INIT(&t.vt, 0);
        uint8_t back[100], in[100] = {0};
        int rc = frz__codec_ctx_new(&t.vt, &c, &err);
        for (size_t k = 0; rc >= 0 && k < FRZ_ARRAY_LEN(all); k++) {
            buf_reset(&out);
            rc = frz__compress(c, all[k], 0, slice_of(in, sizeof in), &out, &err);
            if (rc >= 0) rc = frz__decompress(c, all[k], buf_slice(&out), back, sizeof back, &err);
        }
        buf_clear(&out);
        frz__codec_ctx_free(c);
        assert_int_equal(t.live, 0);
        if (rc >= 0) {
            assert_true(t.calls < n); /* it came through: there are no more to fail */
            return;
        }
        assert_int_equal(rc, FRZ_NO_MEMORY);
    }
    fail_msg("more than 40 allocations");
}
