/* Roaring bitmaps: against golden bytes, against CRoaring, and against hostile bytes. */
#include "frz_test.h"
#include "base/bitmap.h"
#include "base/coding.h"
#include "base/rand.h"

#include <roaring/roaring.h>
#include <stdlib.h>
#include <string.h>

struct got { uint64_t *p; size_t count, cap; int stop_after; };
static int take(void *ctx, const uint64_t *positions, size_t count)
{
    struct got *g = ctx;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        if (g->count == g->cap) g->p = realloc(g->p, (g->cap = g->cap ? g->cap * 2 : 1024) * sizeof *g->p);
        g->p[g->count++] = positions[i];
    }
    return g->stop_after && g->count >= (size_t)g->stop_after ? 77 : 0;
}

static void round_trip(const uint64_t *p, size_t n)
{
    frz_error e;
    struct buf b = BUF_INIT(NULL, 0);
    struct got g = {0};
    uint64_t count = 0;
    OK(frz__bitmap_encode(p, n, &b, &e), &e);
    OK(frz__bitmap_decode(buf_slice(&b), take, &g, &count, &e), &e);
    assert_int_equal(count, n);
    assert_int_equal(g.count, n);
    if (n) assert_memory_equal(g.p, p, n * sizeof *p);
    free(g.p);
    buf_clear(&b);
}

static void hex(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text == ' ') continue;
        char two[3] = {text[0], text[1], 0};
        assert_true(buf_append_byte(out, (uint8_t)strtoul(two, NULL, 16), NULL) == FRZ_OK);
        text++;
    }
}

TEST(bitmap, golden_1_3_5_and_run_of_1000)
{
    frz_error e;
    struct buf want = BUF_INIT(NULL, 0), b = BUF_INIT(NULL, 0);
    uint64_t p[1000] = {1, 3, 5};
    hex("0100000000000000 00000000 3a300000 01000000 00000200 10000000 010003000500", &want);
    OK(frz__bitmap_encode(p, 3, &b, &e), &e);
    assert_int_equal(b.len, want.len);
    assert_memory_equal(b.data, want.data, b.len);
    for (uint64_t i = 0; i < 1000; i++) p[i] = i;
    buf_reset(&want);
    buf_reset(&b);
    hex("0100000000000000 00000000 3b300000 01 0000e703 0100 0000e703", &want);
    OK(frz__bitmap_encode(p, 1000, &b, &e), &e);
    assert_int_equal(b.len, want.len);
    assert_memory_equal(b.data, want.data, b.len);
    buf_clear(&want);
    buf_clear(&b);
}

TEST(bitmap, empty_and_extremes_come_back)
{
    round_trip(NULL, 0);
    uint64_t p[] = {0, 0xFFFF, 0x10000, 0xFFFFFFFF, 0x100000000, 0x7FFFFFFE00000000, UINT64_MAX};
    for (size_t n = 1; n <= FRZ_ARRAY_LEN(p); n++) round_trip(p, n);
}

/* Clusters of every kind: sparse, dense, runs, whole containers. */
static size_t fill(struct rng *r, uint64_t *p, size_t cap, uint64_t at)
{
    size_t n = 0;
    while (n < cap) {
        unsigned kind = (unsigned)rng_below(r, 6);
        size_t count = 1 + rng_below(r, kind == 3 ? 70000 : 5000);
        for (size_t i = 0; i < count && n < cap; i++, n++) {
            p[n] = at;
            at += kind == 0 ? 1 + rng_below(r, 1000) : kind == 1 ? 1 + rng_below(r, 2) : kind == 2 ? 1 + rng_below(r, 10) : 1;
        }
        at += kind == 4 ? 65536 * rng_below(r, 5) : kind == 5 ? ((uint64_t)rng_below(r, 3) << 32) + 1 : rng_below(r, 100);
        if (rng_below(r, 5) == 0) break;
    }
    return n;
}

TEST(bitmap, any_positions_come_back)
{
    struct rng r = {test_seed(5)};
    uint64_t *p = malloc(200000 * sizeof *p);
    for (int i = 0; i < 60; i++) round_trip(p, fill(&r, p, 1 + rng_below(&r, 200000), rng_below(&r, 1u << 20)));
    for (uint64_t i = 0; i < 65536 + 4096; i++) p[i] = i < 65536 ? i : 65536 + 2 * (i - 65536);
    round_trip(p, 65536);        /* one full container */
    round_trip(p, 65536 + 4096); /* the largest array */
    round_trip(p + 1, 65535 + 4095);
    for (uint64_t i = 0; i < 4097; i++) p[i] = 3 * i; /* the smallest bitset */
    round_trip(p, 4096);
    round_trip(p, 4097);
    free(p);
}

TEST(bitmap, writes_what_croaring_writes_and_reads_what_it_wrote)
{
    frz_error e;
    struct rng r = {test_seed(6)};
    uint64_t *p = malloc(100000 * sizeof *p);
    for (int i = 0; i < 80; i++) {
        size_t n = fill(&r, p, 1 + rng_below(&r, 100000), 0);
        while (n > 0 && p[n - 1] >> 32) n--;
        roaring_bitmap_t *c = roaring_bitmap_create();
        for (size_t k = 0; k < n; k++) roaring_bitmap_add(c, (uint32_t)p[k]);
        struct buf theirs = BUF_INIT(NULL, 0), ours = BUF_INIT(NULL, 0);
        for (int optimised = 0; optimised < 2; optimised++) {
            if (optimised) roaring_bitmap_run_optimize(c);
            buf_reset(&theirs);
            OK(buf_append_u64(&theirs, 1, &e), &e);
            OK(buf_append_u32(&theirs, 0, &e), &e);
            size_t bytes = roaring_bitmap_portable_size_in_bytes(c);
            OK(buf_reserve(&theirs, bytes, &e), &e);
            theirs.len += roaring_bitmap_portable_serialize(c, (char *)theirs.data + theirs.len);
            struct got g = {0};
            uint64_t count;
            OK(frz__bitmap_decode(buf_slice(&theirs), take, &g, &count, &e), &e);
            assert_int_equal(g.count, n);
            assert_memory_equal(g.p, p, n * sizeof *p);
            free(g.p);
        }
        OK(frz__bitmap_encode(p, n, &ours, &e), &e);
        assert_int_equal(ours.len, theirs.len);
        assert_memory_equal(ours.data, theirs.data, ours.len);
        roaring_bitmap_free(c);
        buf_clear(&theirs);
        buf_clear(&ours);
    }
    free(p);
}

TEST(bitmap, refuses_positions_that_do_not_ascend)
{
    frz_error e;
    struct buf b = BUF_INIT(NULL, 0);
    uint64_t p[] = {5, 5}, q[] = {5, 4};
    FAILS(frz__bitmap_encode(p, 2, &b, &e), FRZ_INVALID, &e);
    FAILS(frz__bitmap_encode(q, 2, &b, &e), FRZ_INVALID, &e);
    assert_int_equal(b.len, 0);
    buf_clear(&b);
}

static int never(void *ctx, const uint64_t *positions, size_t count)
{
    fail_msg("called for bytes that are corrupt");
    return 0;
}
static void refuses(const char *text, const char *says)
{
    frz_error e;
    struct buf b = BUF_INIT(NULL, 0);
    uint64_t count;
    hex(text, &b);
    FAILS(frz__bitmap_decode(buf_slice(&b), never, NULL, &count, &e), FRZ_CORRUPT, &e);
    if (!strstr(e.message, says)) fail_msg("\"%s\" does not say \"%s\"", e.message, says);
    buf_clear(&b);
}

TEST(bitmap, names_each_kind_of_damage)
{
    refuses("0100000000000000 00000000 39300000 01000000 00000200 10000000 010003000500", "cookie");
    refuses("0100000000000000 00000000 3a300000 01000100 00000200 10000000 010003000500", "containers");
    refuses("0100000000000000 00000000 3a300000 01000000 00000200 11000000 010003000500", "offset");
    refuses("0100000000000000 00000000 3a300000 01000000 00000200 10000000 010003000300", "follows 3");
    refuses("0100000000000000 00000000 3a300000 01000000 00000200 10000000 01000300050000", "after its end");
    refuses("0100000000000000 00000000 3a300000 02000000 0000000000000000 18000000 1a000000 0100 0200", "container key 0 follows 0");
    refuses("0200000000000000 00000000 3a300000 00000000 00000000 3a300000 00000000", "key 0 follows 0");
    refuses("ffffffffffffffff", "key");
    refuses("0100000000000000 00000000 3b300000 01 0000e803 0100 0000e703", "says 1001");
    refuses("0100000000000000 00000000 3b300000 01 0000e703 0100 f0ffe703", "out of range");
    refuses("0100000000000000 00000000 3b300000 01 00000300 0200 05000100 06000100", "out of order");
    refuses("0100000000000000 00000000 3b300000 01 00000000 0000", "says 1");
    refuses("0100000000000000 00000000 3b30ffff 01", "flags");
}

TEST(bitmap, a_bitset_with_a_wrong_count_is_damage)
{
    frz_error e;
    uint64_t *p = malloc(30000 * sizeof *p), count;
    for (uint64_t i = 0; i < 30000; i++) p[i] = 2 * i;
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__bitmap_encode(p, 30000, &b, &e), &e);
    b.data[b.len - 100] ^= 1;
    FAILS(frz__bitmap_decode(buf_slice(&b), never, NULL, &count, &e), FRZ_CORRUPT, &e);
    MESSAGE_HAS(&e, "bitset");
    buf_clear(&b);
    free(p);
}

TEST(bitmap, adjacent_runs_and_empty_bitmaps_are_well_formed)
{
    frz_error e;
    struct buf b = BUF_INIT(NULL, 0);
    struct got g = {0};
    uint64_t count;
    hex("0300000000000000 00000000 3a300000 00000000 01000000 3b300000 01 00000300 0200 05000100 07000100 05000000 3a300000 00000000", &b);
    OK(frz__bitmap_decode(buf_slice(&b), take, &g, &count, &e), &e);
    assert_int_equal(count, 4);
    uint64_t want[] = {0x100000005, 0x100000006, 0x100000007, 0x100000008};
    assert_memory_equal(g.p, want, sizeof want);
    free(g.p);
    buf_clear(&b);
}

static int count_only(void *ctx, const uint64_t *positions, size_t count)
{
    uint64_t *last = ctx;
    for (size_t i = 0; i < count; i++) {
        if (positions[i] <= *last && *last != UINT64_MAX) fail_msg("positions do not ascend");
        *last = positions[i];
    }
    return 0;
}
TEST(bitmap, is_refused_or_ascends_when_cut_anywhere_or_a_bit_is_turned)
{
    frz_error e;
    struct rng r = {test_seed(7)};
    uint64_t p[3000], count;
    size_t n = 0;
    for (uint64_t i = 0; i < 500; i++) p[n++] = i * 7;
    for (uint64_t i = 0; i < 700; i++) p[n++] = 70000 + i;
    for (uint64_t i = 0; i < 5; i++) p[n++] = (1 + i) << 20;
    for (uint64_t i = 0; i < 300; i++) p[n++] = (2ull << 32) + i * 300;
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__bitmap_encode(p, n, &b, &e), &e);
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, b.data, cut);
        FAILS(frz__bitmap_decode(slice_of(exact, cut), never, NULL, &count, &e), FRZ_CORRUPT, &e);
        free(exact);
    }
    for (int i = 0; i < 3000; i++) {
        size_t bit = rng_below(&r, 8 * b.len);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        uint64_t last = UINT64_MAX;
        int rc = frz__bitmap_decode(buf_slice(&b), count_only, &last, &count, &e);
        if (rc != FRZ_OK) RC(rc, FRZ_CORRUPT, &e);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_clear(&b);
}

TEST(bitmap, stops_when_told)
{
    frz_error e;
    struct buf b = BUF_INIT(NULL, 0);
    uint64_t p[5000], count;
    for (uint64_t i = 0; i < 5000; i++) p[i] = i * i;
    OK(frz__bitmap_encode(p, 5000, &b, &e), &e);
    struct got g = {.stop_after = 600};
    RC(frz__bitmap_decode(buf_slice(&b), take, &g, &count, &e), 77, &e);
    assert_true(g.count < 5000);
    assert_int_equal(count, 5000);
    free(g.p);
    buf_clear(&b);
}

TEST(bitmap, survives_each_failing_allocation_and_a_full_buffer)
{
    frz_error e;
    static uint64_t p[20000];
    for (uint64_t i = 0; i < 20000; i++) p[i] = i * 5;
    struct test_alloc a;
    int rc = FRZ_NO_MEMORY;
    for (long n = 1; rc != FRZ_OK; n++) {
        test_alloc_init(&a, n);
        struct buf b = BUF_INIT(&a.vt, 0);
        rc = frz__bitmap_encode(p, 20000, &b, &e);
        if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &e);
        buf_clear(&b);
        assert_int_equal(a.live, 0);
    }
    struct buf small = BUF_INIT(NULL, 100);
    FAILS(frz__bitmap_encode(p, 20000, &small, &e), FRZ_TOO_LARGE, &e);
    buf_clear(&small);
}
