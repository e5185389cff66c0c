/* The merge against a table of "newest source that has the key", for any number of sources, both directions, with and without deletes. */
#include "frz_test.h"

#include <stdlib.h>

#include "base/rand.h"
#include "merge/iter.h"

#define KEYS 60
/* A source over some of the keys 0 … KEYS - 1. Its key bytes live in itself and are overwritten by each next: what is borrowed for too long is noticed. */
struct fake {
    struct iter it;
    uint8_t has[KEYS]; /* 0 no, 1 put, 2 delete */
    int at, fail_at, given;
    bool reverse;
    int *live;
    uint8_t key[20];
};
/* Keys of many shapes that ascend with N: equal heads, prefixes, zero bytes, the empty key. */
static slice nth_key(int n, uint8_t *out)
{
    memset(out, 0, 20);
    if (n < 20) return slice_of(out, (size_t)n);
    memcpy(out, "prefixed", 8);
    store_u32_be(out + 8, (uint32_t)n / 4);
    return slice_of(out, 12 + (size_t)n % 4);
}
static int fake_next(struct iter *it, frz_error *err)
{
    struct fake *f = (struct fake *)it;
    memset(f->key, 0xEE, sizeof f->key);
    if (f->fail_at && f->given++ == f->fail_at) return frz__err(err, FRZ_IO, "fake: failed");
    do f->at += f->reverse ? -1 : 1;
    while (f->at >= 0 && f->at < KEYS && !f->has[f->at]);
    if (f->at < 0 || f->at >= KEYS) {
        f->at = f->reverse ? -1 : KEYS;
        return FRZ_DONE;
    }
    it->key = nth_key(f->at, f->key);
    it->op = f->has[f->at] == 1 ? OP_PUT : OP_DELETE;
    it->pos = (uint64_t)f->at;
    return FRZ_OK;
}
static void fake_free(struct iter *it)
{
    struct fake *f = (struct fake *)it;
    (*f->live)--;
    free(f);
}
static struct fake *fake_new(struct rng *r, uint64_t tag, bool reverse, uint64_t density, int *live)
{
    static const struct iter_ops ops = {fake_next, fake_free};
    struct fake *f = (struct fake *)calloc(1, sizeof *f);
    f->it.ops = &ops;
    f->it.tag = tag;
    f->reverse = reverse;
    f->at = reverse ? KEYS : -1;
    f->live = live;
    (*live)++;
    for (int i = 0; i < KEYS; i++) f->has[i] = (uint8_t)(rng_below(r, 100) < density ? 1 + !rng_below(r, 4) : 0);
    return f;
}

TEST(merge, gives_the_newest_of_each_key_in_order_from_any_number_of_sources)
{
    frz_error e;
    struct rng r = {test_seed(5)};
    for (int round = 0; round < 3000; round++) {
        size_t count = rng_below(&r, 10);
        bool reverse = rng_next(&r) & 1, keep = rng_next(&r) & 1;
        int live = 0;
        struct iter *sources[10], *m = NULL;
        int newest[KEYS];
        uint8_t op[KEYS] = {0};
        memset(newest, -1, sizeof newest);
        for (size_t i = 0; i < count; i++) {
            struct fake *f = fake_new(&r, i + 100, reverse, rng_below(&r, 101), &live);
            sources[i] = &f->it;
            for (int k = 0; k < KEYS; k++)
                if (newest[k] < 0 && f->has[k]) {
                    newest[k] = (int)i;
                    op[k] = f->has[k];
                }
        }
        OK(frz__merge_new(NULL, sources, count, reverse, keep, &m, &e), &e);
        for (int j = 0; j < KEYS; j++) {
            int k = reverse ? KEYS - 1 - j : j;
            uint8_t key[20];
            if (newest[k] < 0 || (op[k] == 2 && !keep)) continue;
            OK(iter_next(m, &e), &e);
            assert_true(slice_eq(m->key, nth_key(k, key)));
            assert_int_equal(m->op, op[k] == 1 ? OP_PUT : OP_DELETE);
            assert_int_equal(m->tag, newest[k] + 100);
            assert_int_equal(m->pos, k);
        }
        RC(iter_next(m, &e), FRZ_DONE, &e);
        RC(iter_next(m, &e), FRZ_DONE, &e);
        iter_free(m);
        assert_int_equal(live, 0);
    }
}

TEST(merge, passes_an_error_on_and_stays_failed)
{
    frz_error e;
    struct rng r = {9};
    for (size_t count = 1; count < 6; count++)
        for (int at = 1; at < 40; at++) {
            int live = 0, rc;
            struct iter *sources[6], *m = NULL;
            for (size_t i = 0; i < count; i++) sources[i] = &fake_new(&r, 0, false, 100, &live)->it;
            ((struct fake *)sources[count - 1])->fail_at = at;
            OK(frz__merge_new(NULL, sources, count, false, false, &m, &e), &e);
            while ((rc = iter_next(m, &e)) == FRZ_OK) {}
            assert_int_equal(rc, FRZ_IO);
            MESSAGE_HAS(&e, "fake: failed");
            FAILS(iter_next(m, &e), FRZ_IO, &e);
            iter_free(m);
            assert_int_equal(live, 0);
        }
}

TEST(merge, frees_its_sources_when_it_cannot_begin)
{
    frz_error e;
    struct rng r = {9};
    struct test_alloc ta;
    int live = 0;
    struct iter *sources[3], *m = NULL;
    test_alloc_init(&ta, 1);
    for (int i = 0; i < 3; i++) sources[i] = &fake_new(&r, 0, false, 50, &live)->it;
    FAILS(frz__merge_new(&ta.vt, sources, 3, false, false, &m, &e), FRZ_NO_MEMORY, &e);
    assert_null(m);
    assert_int_equal(live, 0);
    assert_int_equal(ta.live, 0);
}
