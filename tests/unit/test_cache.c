#include "frz_test.h"
#include "base/rand.h"
#include "cache/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic long alive;
struct value { struct cache_key key; };
static void *value_of(const struct cache_key *k)
{
    struct value *v = malloc(sizeof *v);
    v->key = *k;
    atomic_fetch_add(&alive, 1);
    return v;
}
static void drop(const allocator *a, void *p)
{
    struct value *v = p;
    memset(v, 0xDD, sizeof *v);
    free(v);
    atomic_fetch_sub(&alive, 1);
}
static struct cache_entry *put(struct cache *c, uint64_t file, uint64_t index, size_t bytes)
{
    frz_error e;
    struct cache_entry *out;
    struct cache_key k = {file, 1, 2, index};
    OK(frz__cache_insert(c, &k, value_of(&k), bytes, drop, &out, &e), &e);
    assert_non_null(out);
    assert_memory_equal(frz__cache_value(out), &k, sizeof k);
    return out;
}
static bool has_key(struct cache *c, const struct cache_key *k)
{
    struct cache_entry *e = frz__cache_get(c, k);
    frz__cache_unpin(c, e);
    return e != NULL;
}
static bool has(struct cache *c, uint64_t file, uint64_t index) { return has_key(c, &(struct cache_key){file, 1, 2, index}); }
static struct cache *cache_of(size_t bytes)
{
    frz_error e;
    struct cache *c;
    OK(frz__cache_new(NULL, bytes, &c, &e), &e);
    return c;
}
static struct cache_stats stats(struct cache *c)
{
    struct cache_stats s;
    frz__cache_stats(c, &s);
    return s;
}

TEST(cache, gives_back_what_it_took_and_tells_keys_apart)
{
    struct cache *c = cache_of(1 << 20);
    struct cache_key k = {1, 2, 3, 4}, others[] = {{2, 2, 3, 4}, {1, 3, 3, 4}, {1, 2, 4, 4}, {1, 2, 3, 5}};
    struct cache_entry *e;
    frz_error err;
    assert_null(frz__cache_get(c, &k));
    OK(frz__cache_insert(c, &k, value_of(&k), 10, drop, &e, &err), &err);
    frz__cache_unpin(c, e);
    for (int i = 0; i < 4; i++) assert_null(frz__cache_get(c, &others[i]));
    e = frz__cache_get(c, &k);
    assert_non_null(e);
    assert_memory_equal(frz__cache_value(e), &k, sizeof k);
    frz__cache_unpin(c, e);
    frz__cache_unpin(c, NULL);
    assert_int_equal(stats(c).hits, 1);
    assert_int_equal(stats(c).misses, 5);
    frz__cache_free(c);
    frz__cache_free(NULL);
    assert_int_equal(alive, 0);
}

TEST(cache, invariant_1_charged_bytes_stay_within_the_budget)
{
    struct rng r = {test_seed(3)};
    for (size_t budget = 1 << 14; budget <= 64 << 20; budget *= 16) {
        struct cache *c = cache_of(budget);
        for (uint64_t i = 0; i < 3000; i++) {
            frz__cache_unpin(c, put(c, i % 3, i, rng_below(&r, budget / 100)));
            assert_true(stats(c).bytes <= budget);
        }
        assert_true(stats(c).bytes > budget / 4);
        assert_true(stats(c).evictions > 1000);
        assert_int_equal(stats(c).entries, alive);
        frz__cache_free(c);
        assert_int_equal(alive, 0);
    }
}

TEST(cache, what_is_pinned_stays_beyond_the_budget_and_goes_once_it_is_not)
{
    struct cache *c = cache_of(10000);
    struct cache_entry *held[40];
    for (uint64_t i = 0; i < 40; i++) held[i] = put(c, 1, i, 1000);
    assert_int_equal(alive, 40);
    for (uint64_t i = 0; i < 40; i++) assert_int_equal(((struct value *)frz__cache_value(held[i]))->key.index, i);
    assert_true(stats(c).bytes > 40000);
    for (uint64_t i = 0; i < 40; i++) frz__cache_unpin(c, held[i]);
    assert_true(stats(c).bytes <= 10000);
    assert_true(alive < 10);
    frz__cache_free(c);
}

TEST(cache, invariant_2_of_two_inserts_the_first_wins_and_both_get_it)
{
    struct cache *c = cache_of(1 << 20);
    struct cache_entry *a = put(c, 1, 1, 10), *b = put(c, 1, 1, 10);
    assert_ptr_equal(a, b);
    assert_int_equal(alive, 1);
    frz__cache_unpin(c, a);
    assert_memory_equal(frz__cache_value(b), &((struct cache_key){1, 1, 2, 1}), sizeof(struct cache_key)); /* pinned still */
    frz__cache_unpin(c, b);
    assert_int_equal(stats(c).entries, 1);
    frz__cache_free(c);
}

TEST(cache, hot_entries_outlive_a_scan)
{
    struct cache *c = cache_of(100000);
    for (uint64_t i = 0; i < 10; i++) frz__cache_unpin(c, put(c, 1, i, 1000));
    for (uint64_t i = 0; i < 2000; i++) {
        for (uint64_t hot = 0; hot < 10 && i % 20 == 0; hot++) assert_true(has(c, 1, hot));
        frz__cache_unpin(c, put(c, 2, i, 1000));
    }
    frz__cache_free(c);
    assert_int_equal(alive, 0);
}

TEST(cache, an_oversized_entry_evicts_nobody_and_goes_when_unpinned)
{
    struct cache *c = cache_of(10000);
    for (uint64_t i = 0; i < 5; i++) frz__cache_unpin(c, put(c, 1, i, 1000));
    struct cache_entry *big = put(c, 2, 0, 50000);
    struct cache_entry *again = put(c, 2, 0, 50000);
    assert_ptr_equal(big, again);
    frz__cache_unpin(c, big);
    assert_true(has(c, 2, 0)); /* while pinned it is found */
    assert_int_equal(alive, 6);
    frz__cache_unpin(c, again);
    assert_false(has(c, 2, 0));
    for (uint64_t i = 0; i < 5; i++) assert_true(has(c, 1, i));
    struct cache_entry *huge = put(c, 2, 0, SIZE_MAX);
    frz__cache_unpin(c, huge);
    assert_int_equal(alive, 5);
    frz__cache_free(c);
    c = cache_of(0); /* a cache of nothing still hands out */
    big = put(c, 1, 1, 1);
    frz__cache_unpin(c, big);
    assert_int_equal(stats(c).entries, 0);
    frz__cache_free(c);
    assert_int_equal(alive, 0);
}

TEST(cache, a_quarter_of_the_budget_may_be_held_and_comes_free_again)
{
    struct cache *c = cache_of(1 << 20);
    struct cache_entry *held[64];
    size_t n = 0;
    for (uint64_t i = 0; i < 64; i++) {
        struct cache_entry *e = put(c, 1, i, 16000);
        if (frz__cache_hold(c, e)) held[n++] = e;
        else frz__cache_unpin(c, e); /* the pin was left as it was */
    }
    assert_in_range(n, 15, 16);
    for (uint64_t i = 0; i < 500; i++) frz__cache_unpin(c, put(c, 2, i, 16000)); /* evicts all that it may */
    for (uint64_t i = 0; i < n; i++) assert_true(has(c, 1, i));
    struct cache_entry *huge = put(c, 3, 0, 2 << 20);
    assert_false(frz__cache_hold(c, huge));
    frz__cache_unpin(c, huge);
    for (size_t i = 0; i < n; i++) frz__cache_unhold(c, held[i]);
    frz__cache_unhold(c, NULL);
    for (uint64_t i = 500; i < 1000; i++) frz__cache_unpin(c, put(c, 2, i, 16000));
    assert_false(has(c, 1, 0));
    struct cache_entry *again = put(c, 4, 0, 16000);
    assert_true(frz__cache_hold(c, again));
    frz__cache_unhold(c, again);
    frz__cache_free(c);
    assert_int_equal(alive, 0);
}

TEST(cache, drop_file_forgets_that_file_but_for_what_is_pinned)
{
    struct cache *c = cache_of(64 << 20);
    struct cache_entry *held = put(c, 7, 0, 100);
    for (uint64_t i = 1; i < 300; i++) {
        frz__cache_unpin(c, put(c, 7, i, 100));
        frz__cache_unpin(c, put(c, 8, i, 100));
    }
    frz__cache_drop_file(c, 7);
    assert_int_equal(stats(c).entries, 300);
    for (uint64_t i = 1; i < 300; i++) {
        assert_false(has(c, 7, i));
        assert_true(has(c, 8, i));
    }
    assert_true(has(c, 7, 0));
    frz__cache_unpin(c, held);
    frz__cache_drop_file(c, 7);
    assert_false(has(c, 7, 0));
    frz__cache_drop_file(c, 8);
    assert_int_equal(stats(c).bytes, 0);
    frz__cache_drop_file(c, 9);
    frz__cache_free(c);
    assert_int_equal(alive, 0);
}

struct user { struct cache *c; uint64_t seed; };
static void *use(void *arg)
{
    struct user *u = arg;
    struct rng r = {u->seed};
    for (int i = 0; i < 4000; i++) {
        struct cache_key k = {rng_below(&r, 4), 1, 2, rng_below(&r, 60)};
        struct cache_entry *e = frz__cache_get(u->c, &k);
        if (!e && frz__cache_insert(u->c, &k, value_of(&k), rng_below(&r, 50) ? 300 : 1 << 20, drop, &e, NULL) < 0) abort();
        struct value *v = frz__cache_value(e);
        if (memcmp(&v->key, &k, sizeof k) != 0) abort();
        if (rng_below(&r, 300) == 0) frz__cache_drop_file(u->c, rng_below(&r, 4));
        if (memcmp(&v->key, &k, sizeof k) != 0) abort(); /* still there: pinned */
        frz__cache_unpin(u->c, e);
    }
    return NULL;
}
TEST(cache, many_threads_find_what_they_pinned)
{
    struct cache *c = cache_of(16000);
    pthread_t t[4];
    struct user u[4];
    for (uint64_t i = 0; i < 4; i++) {
        u[i] = (struct user){c, i};
        pthread_create(&t[i], NULL, use, &u[i]);
    }
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    struct cache_stats s = stats(c);
    assert_true(s.bytes <= 16000); /* nothing is pinned any more */
    assert_int_equal(s.entries, alive);
    assert_int_equal(s.hits + s.misses, 16000);
    frz__cache_free(c);
    assert_int_equal(alive, 0);
}

TEST(cache, survives_each_failing_allocation)
{
    frz_error e;
    bool wide_failed = false; /* an insert does without a wider table */
    bool none_failed = false;
    for (long n = 1; !none_failed; n++) {
        struct test_alloc a;
        struct cache *c;
        struct cache_entry *out;
        test_alloc_init(&a, n);
        int rc = frz__cache_new(&a.vt, 1 << 20, &c, &e);
        for (uint64_t i = 0; i < 200 && rc == FRZ_OK; i++) {
            struct cache_key k = {1, 1, 1, i};
            rc = frz__cache_insert(c, &k, value_of(&k), 10, drop, &out, &e);
            frz__cache_unpin(c, out);
            assert_true(rc < 0 || has_key(c, &k));
        }
        none_failed = a.calls < n;
        wide_failed |= rc == FRZ_OK && !none_failed;
        if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &e);
        frz__cache_free(c); /* NULL where it was never made */
        assert_int_equal(a.live, 0);
        assert_int_equal(alive, 0);
    }
    assert_true(wide_failed);
}

TEST(cache, resized_gives_back_what_is_beyond_and_takes_as_much_again)
{
    struct cache *c = cache_of(1 << 20);
    for (uint64_t i = 0; i < 900; i++) frz__cache_unpin(c, put(c, 1, i, 1000));
    struct cache_entry *pinned = put(c, 2, 0, 1000);
    assert_true(stats(c).bytes > 900000);
    frz__cache_resize(c, 1 << 17);
    assert_true(stats(c).bytes <= 1 << 17);
    assert_true(has(c, 2, 0));
    for (uint64_t i = 0; i < 900; i++) frz__cache_unpin(c, put(c, 1, i, 1000));
    assert_true(stats(c).bytes <= 1 << 17);
    frz__cache_resize(c, 1 << 20);
    for (uint64_t i = 0; i < 900; i++) frz__cache_unpin(c, put(c, 1, i, 1000));
    assert_true(stats(c).bytes > 900000 && stats(c).bytes <= 1 << 20);
    frz__cache_unpin(c, pinned);
    frz__cache_free(c);
    assert_int_equal(alive, 0);
}
