/* Goal: masks say what a plain set of positions says. Method: a model bit set beside random additions, over array chunks, bitmap chunks and their borders. */
#include <stdlib.h>
#include "frz_test.h"
#include "base/bits.h"
#include "base/rand.h"
#include "view/mask.h"

static frz_error err;

static struct mask *add(const struct mask *base, const uint64_t *p, size_t n)
{
    struct mask *m = NULL;
    OK(frz__mask_add(NULL, base, p, n, &m, &err), &err);
    return m;
}

struct walked { uint8_t *bits; uint64_t last, count; bool any; };
static int collect(void *ctx, const uint64_t *p, size_t n)
{
    struct walked *w = ctx;
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(!w->any || p[i] > w->last);
        w->last = p[i];
        w->any = true;
        if (w->bits) bit_set(w->bits, p[i]);
        w->count++;
    }
    return 0;
}

#define SPACE (5u << 16)
static void same(const struct mask *m, const uint8_t *model, struct rng *r)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < SPACE; i++) count += bit_get(model, i);
    assert_int_equal(frz__mask_count(m), count);
    struct walked w = {calloc(1, SPACE / 8), 0, 0, false};
    assert_int_equal(frz__mask_walk(m, collect, &w), 0);
    assert_int_equal(w.count, count);
    assert_memory_equal(w.bits, model, SPACE / 8);
    if (count) assert_int_equal(frz__mask_last(m), w.last);
    free(w.bits);
    for (int i = 0; i < 300; i++) {
        uint64_t p = rng_below(r, SPACE);
        assert_int_equal(frz__mask_get(m, p), bit_get(model, p));
        size_t n = rng_below(r, i % 3 ? 200 : 70000);
        uint64_t from = i % 2 ? p : p & ~(uint64_t)63;
        uint8_t *sel = malloc(n / 8 + 1);
        memset(sel, 0xFF, n / 8 + 1);
        frz__mask_clear_dead(m, from, n, sel);
        bool any = false;
        for (size_t k = 0; k < n; k++) {
            bool dead = from + k < SPACE && bit_get(model, from + k);
            any |= dead;
            if (bit_get(sel, k) == dead) fail_msg("bit %zu from %" PRIu64 " of %zu", k, from, n);
        }
        for (size_t k = n; k < (n / 8 + 1) * 8; k++) assert_true(bit_get(sel, k)); /* nothing beyond */
        assert_int_equal(frz__mask_any(m, from, from + n), any);
        free(sel);
    }
}

TEST(mask, agrees_with_a_plain_bit_set_and_leaves_its_base_as_it_was)
{
    struct rng r = {test_seed(7)};
    uint8_t *model = calloc(1, SPACE / 8), *old = malloc(SPACE / 8);
    struct mask *m = NULL;
    for (int round = 0; round < 24; round++) {
        uint64_t *p = malloc(sizeof *p * SPACE);
        size_t n = 0;
        uint64_t step = (uint64_t[]){1, 3, 40, 900, 9000, 60000}[rng_below(&r, 6)], span = rng_below(&r, SPACE);
        for (uint64_t at = rng_below(&r, SPACE - 1); at < SPACE && n < span; at += 1 + rng_below(&r, step)) p[n++] = at;
        memcpy(old, model, SPACE / 8);
        for (size_t i = 0; i < n; i++) bit_set(model, p[i]);
        struct mask *next = add(m, p, n);
        same(next, model, &r);
        if (m && round % 6 == 0) same(m, old, &r); /* (1) immutable */
        frz__mask_release(m);
        m = next;
        free(p);
        if (round % 8 == 7) { /* begin anew: small masks too */
            frz__mask_release(m);
            m = NULL;
            memset(model, 0, SPACE / 8);
        }
    }
    frz__mask_release(m);
    free(model);
    free(old);
}

TEST(mask, turns_from_array_to_bitmap_at_4097_and_back_never)
{
    uint64_t p[4097];
    for (size_t i = 0; i < 4097; i++) p[i] = i * 15;
    struct mask *a = add(NULL, p, 4096);
    assert_true(frz__mask_mem(a) > 8000 && frz__mask_mem(a) < 8400);
    struct mask *b = add(a, p, 4097);
    assert_int_equal(frz__mask_count(b), 4097);
    assert_int_equal(frz__mask_last(b), 4096 * 15);
    for (uint64_t i = 0; i < 65536; i++) {
        if (frz__mask_get(b, i) != (i % 15 == 0 && i / 15 < 4097)) fail_msg("%" PRIu64, i);
        if (frz__mask_get(a, i) != (i % 15 == 0 && i / 15 < 4096)) fail_msg("%" PRIu64, i);
    }
    frz__mask_release(a);
    frz__mask_release(b);
}

TEST(mask, holds_positions_up_to_2_to_the_40_and_refuses_beyond)
{
    uint64_t p[] = {0, 65535, 65536, UINT64_C(0xFFFFFFFF), UINT64_C(0x100000000), (UINT64_C(1) << 40) - 1};
    struct mask *m = add(NULL, p, FRZ_ARRAY_LEN(p));
    for (size_t i = 0; i < FRZ_ARRAY_LEN(p); i++) {
        assert_true(frz__mask_get(m, p[i]));
        assert_true(frz__mask_any(m, p[i], p[i] + 1));
        if (i != 1) assert_false(frz__mask_get(m, p[i] + 1) && p[i] != p[3]);
    }
    assert_false(frz__mask_any(m, 65537, 0xFFFFFFFF));
    assert_false(frz__mask_get(m, UINT64_C(1) << 50));
    assert_int_equal(frz__mask_count(m), 6);
    assert_int_equal(frz__mask_last(m), p[5]);
    struct walked w = {0};
    assert_int_equal(frz__mask_walk(m, collect, &w), 0);
    assert_int_equal(w.count, 6);
    uint64_t far = UINT64_C(1) << 40;
    struct mask *none = NULL;
    FAILS(frz__mask_add(NULL, m, &far, 1, &none, &err), FRZ_TOO_LARGE, &err);
    uint64_t twice[] = {5, 5};
    FAILS(frz__mask_add(NULL, m, twice, 2, &none, &err), FRZ_BUG, &err);
    frz__mask_release(m);
}

TEST(mask, of_nothing_is_empty)
{
    struct mask *m = add(NULL, NULL, 0);
    assert_int_equal(frz__mask_count(m), 0);
    assert_int_equal(frz__mask_count(NULL), 0);
    assert_false(frz__mask_get(m, 0));
    assert_false(frz__mask_get(NULL, 0));
    assert_false(frz__mask_any(NULL, 0, 10));
    uint8_t sel[2] = {0xFF, 0xFF};
    frz__mask_clear_dead(NULL, 0, 16, sel);
    frz__mask_clear_dead(m, 0, 16, sel);
    assert_int_equal(sel[0] & sel[1], 0xFF);
    frz__mask_release(m);
    frz__mask_release(NULL);
}

TEST(mask, hazard_33_adding_copies_the_touched_chunks_alone)
{
    /* 64 full-sized bitmap chunks; one more position must not take another half megabyte */
    size_t n = 64 * 5000;
    uint64_t *p = malloc(sizeof *p * n);
    for (size_t i = 0; i < n; i++) p[i] = (i / 5000) * 65536 + (i % 5000) * 13;
    struct test_alloc t;
    test_alloc_init(&t, 0);
    struct mask *m = NULL, *m2 = NULL, *m3 = NULL;
    OK(frz__mask_add(&t.vt, NULL, p, n, &m, &err), &err);
    long before = t.live;
    uint64_t one = 3 * 65536 + 1;
    OK(frz__mask_add(&t.vt, m, &one, 1, &m2, &err), &err);
    assert_int_equal(t.live - before, 4); /* the mask, its two directories, one chunk */
    OK(frz__mask_add(&t.vt, m2, &one, 1, &m3, &err), &err);
    assert_int_equal(t.live - before, 7); /* nothing new: no chunk at all */
    frz__mask_release(m);
    assert_true(frz__mask_get(m2, one));
    assert_true(frz__mask_get(m3, p[77]));
    frz__mask_release(m2);
    frz__mask_release(m3);
    assert_int_equal(t.live, 0);
    free(p);
}

TEST(mask, survives_every_failed_allocation)
{
    uint64_t p[300];
    for (size_t i = 0; i < 300; i++) p[i] = i * 1000;
    for (long n = 1;; n++) {
        struct test_alloc t;
        test_alloc_init(&t, n);
        struct mask *a = NULL, *b = NULL;
        int rc = frz__mask_add(&t.vt, NULL, p, 200, &a, &err);
        if (rc == FRZ_OK) rc = frz__mask_add(&t.vt, a, p + 100, 200, &b, &err);
        if (rc < 0) assert_int_equal(rc, FRZ_NO_MEMORY);
        frz__mask_release(a);
        frz__mask_release(b);
        assert_int_equal(t.live, 0);
        if (rc == FRZ_OK) break;
        assert_true(n < 100);
    }
}

static int stop(void *ctx, const uint64_t *p, size_t n)
{
    (void)p;
    (void)n;
    return ++*(int *)ctx == 2 ? 42 : 0;
}

TEST(mask, walk_stops_where_it_is_told)
{
    uint64_t p[2000];
    for (size_t i = 0; i < 2000; i++) p[i] = i;
    struct mask *m = add(NULL, p, 2000);
    int calls = 0;
    assert_int_equal(frz__mask_walk(m, stop, &calls), 42);
    assert_int_equal(calls, 2);
    frz__mask_release(m);
}
