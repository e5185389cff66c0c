/* The memtable against a sorted array: all key shapes, all sequences, both directions; readers while a writer stands still at every step of an insert; readers beside a writer. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/rand.h"
#include "mem/mem.h"
#include "mem/mem_int.h"

/* ── the model: ops in order; `order` sorts them by key, then by sequence, newest first ── */

struct mop { uint64_t seq; enum op_kind op; uint8_t *key; size_t len; uint32_t row; };
struct model { struct mop *ops; size_t count, cap; uint32_t *order; };

static const struct model *sort_model;
static int mop_cmp(const void *a, const void *b)
{
    const struct mop *x = &sort_model->ops[*(const uint32_t *)a], *y = &sort_model->ops[*(const uint32_t *)b];
    int c = slice_cmp(slice_of(x->key, x->len), slice_of(y->key, y->len));
    return c ? c : (x->seq < y->seq) - (x->seq > y->seq);
}
static void model_sort(struct model *mo)
{
    mo->order = (uint32_t *)realloc(mo->order, (mo->count + 1) * sizeof *mo->order);
    for (size_t i = 0; i < mo->count; i++) mo->order[i] = (uint32_t)i;
    sort_model = mo;
    qsort(mo->order, mo->count, sizeof *mo->order, mop_cmp);
}
static void model_add(struct model *mo, uint64_t seq, enum op_kind op, slice key, uint32_t row)
{
    if (mo->count == mo->cap) mo->ops = (struct mop *)realloc(mo->ops, (mo->cap = mo->cap ? mo->cap * 2 : 64) * sizeof *mo->ops);
    uint8_t *k = (uint8_t *)malloc(key.len + 1);
    if (key.len) memcpy(k, key.data, key.len);
    mo->ops[mo->count++] = (struct mop){seq, op, k, key.len, row};
}
static void model_clear(struct model *mo)
{
    for (size_t i = 0; i < mo->count; i++) free(mo->ops[i].key);
    free(mo->ops);
    free(mo->order);
    *mo = (struct model){0};
}
static slice mop_key(const struct mop *o) { return slice_of(o->key, o->len); }

/* The next visible op from *AT on (forward), or before *AT (reverse), bounds honoured; NULL at the end. */
static const struct mop *model_next(const struct model *mo, size_t *at, uint64_t seq, slice from, slice to, bool reverse)
{
    while (reverse ? *at > 0 : *at < mo->count) {
        size_t i = reverse ? *at - 1 : *at;
        const struct mop *best = NULL;
        slice key = mop_key(&mo->ops[mo->order[i]]);
        if (!reverse) {
            for (; i < mo->count && slice_eq(mop_key(&mo->ops[mo->order[i]]), key); i++) {
                const struct mop *o = &mo->ops[mo->order[i]];
                if (!best && o->seq <= seq) best = o;
            }
            *at = i;
        } else {
            for (;; i--) {
                const struct mop *o = &mo->ops[mo->order[i]];
                if (!slice_eq(mop_key(o), key)) {
                    i++;
                    break;
                }
                if (o->seq <= seq) best = o; /* the last one met is the newest */
                if (i == 0) break;
            }
            *at = i;
        }
        if (!best || (from.data && slice_cmp(key, from) < 0) || (to.data && slice_cmp(key, to) >= 0)) continue;
        return best;
    }
    return NULL;
}

static int add(struct mem *m, const struct mop *o, frz_error *e) { return frz__mem_add(m, o->seq, o->op, mop_key(o), slice_of(&o->row, o->op == OP_PUT ? 4 : 0), e); }

static void expect_entry(const struct iter *it, const struct mop *want)
{
    assert_int_equal(it->key.len, want->len);
    assert_true(slice_eq(it->key, mop_key(want)));
    assert_int_equal(it->op, want->op);
    if (want->op == OP_PUT) assert_int_equal(load_u32(it->row.data), want->row);
}

static void check_scan(struct mem *m, const struct model *mo, uint64_t seq, slice from, slice to, bool reverse)
{
    frz_error e;
    struct iter *it = NULL;
    OK(frz__mem_iter_new(m, seq, from, to, reverse, &it, &e), &e);
    size_t at = reverse ? mo->count : 0;
    const struct mop *want;
    while ((want = model_next(mo, &at, seq, from, to, reverse))) {
        OK(iter_next(it, &e), &e);
        expect_entry(it, want);
    }
    RC(iter_next(it, &e), FRZ_DONE, &e);
    RC(iter_next(it, &e), FRZ_DONE, &e);
    iter_free(it);
}

static void check_gets(struct mem *m, const struct model *mo, uint64_t seq)
{
    for (size_t i = 0; i < mo->count;) {
        slice key = mop_key(&mo->ops[mo->order[i]]);
        const struct mop *best = NULL;
        for (; i < mo->count && slice_eq(mop_key(&mo->ops[mo->order[i]]), key); i++)
            if (!best && mo->ops[mo->order[i]].seq <= seq) best = &mo->ops[mo->order[i]];
        const struct mem_version *v = frz__mem_get(m, key, seq);
        assert_int_equal(v != NULL, best != NULL);
        if (!v) continue;
        assert_int_equal(mem_version_seq(v), best->seq);
        assert_int_equal(mem_version_op(v), best->op);
        assert_int_equal(mem_version_row(v).len, best->op == OP_PUT ? 4 : 0);
    }
}

/* ── key shapes ── */

enum shape { RANDOM_SHORT, DECIMALS, BIG_ENDIANS, ASCENDING, DESCENDING, ZERO_BYTES, PREFIXES, TWO_RUNS, LONG_PREFIX, PREFIX_RUN, SHAPES };

static slice shape_key(enum shape s, struct rng *r, uint64_t i, uint64_t space, uint8_t *out)
{
    uint64_t n = rng_below(r, space);
    switch (s) {
    case RANDOM_SHORT: {
        size_t len = rng_below(r, 12);
        for (size_t j = 0; j < len; j++) out[j] = (uint8_t)rng_next(r);
        return slice_of(out, len);
    }
    case DECIMALS: return slice_of(out, (size_t)sprintf((char *)out, "%016llu", (unsigned long long)n));
    case BIG_ENDIANS: store_u64_be(out, n); return slice_of(out, 8);
    case ASCENDING: store_u64_be(out, i); return slice_of(out, 8);
    case DESCENDING: store_u64_be(out, ~i); return slice_of(out, 8);
    case ZERO_BYTES: memset(out, 0, 20); return slice_of(out, n % 20);
    case PREFIXES: {
        size_t len = rng_below(r, 24);
        for (size_t j = 0; j < len; j++) out[j] = (uint8_t)(rng_below(r, 8) ? 0 : 255 * rng_below(r, 2));
        return slice_of(out, len);
    }
    case TWO_RUNS:
        store_u64_be(out, (i & 1) << 40 | i);
        return slice_of(out, 8);
    case PREFIX_RUN: return slice_of(out, (size_t)sprintf((char *)out, "a-prefix-longer-than-any-head/%08llu", (unsigned long long)i));
    default: return slice_of(out, (size_t)sprintf((char *)out, "a-prefix-longer-than-any-head/%llu/%llu", (unsigned long long)(n % 7), (unsigned long long)n));
    }
}

TEST(mem, is_the_sorted_array_for_every_shape_of_keys_at_every_sequence_both_ways)
{
    frz_error e;
    struct rng r = {test_seed(1)};
    for (int s = 0; s < SHAPES; s++) {
        struct model mo = {0};
        struct mem *m = NULL;
        OK(frz__mem_new(NULL, NULL, &m, &e), &e);
        uint64_t seq = 1 + rng_below(&r, 100);
        uint8_t key[128];
        for (uint64_t i = 0; i < 3000; i++) {
            slice k = shape_key((enum shape)s, &r, i, 1500, key);
            model_add(&mo, seq, rng_below(&r, 5) ? OP_PUT : OP_DELETE, k, (uint32_t)rng_next(&r));
            OK(add(m, &mo.ops[mo.count - 1], &e), &e);
            seq += 1 + rng_below(&r, 3);
        }
        model_sort(&mo);
        for (int round = 0; round < 30; round++) {
            uint64_t at = round == 0 ? UINT64_MAX : round == 1 ? 0 : rng_below(&r, seq + 10);
            uint8_t f[128], t[128];
            slice from = shape_key((enum shape)s, &r, rng_below(&r, 3000), 1500, f), to = shape_key((enum shape)s, &r, rng_below(&r, 3000), 1500, t), open = {NULL, 0};
            check_gets(m, &mo, at);
            for (int reverse = 0; reverse < 2; reverse++) {
                check_scan(m, &mo, at, open, open, reverse);
                check_scan(m, &mo, at, from, open, reverse);
                check_scan(m, &mo, at, open, to, reverse);
                check_scan(m, &mo, at, from, to, reverse);
            }
        }
        /* the walk for flush: every key once, in order; and what is counted */
        struct mem_cursor c;
        size_t at = 0, keys = 0;
        for (const struct mem_key *k = frz__mem_first(m, &c); k; k = frz__mem_next(m, &c), keys++) {
            const struct mop *want = model_next(&mo, &at, UINT64_MAX, slice_of(NULL, 0), slice_of(NULL, 0), false);
            assert_non_null(want);
            assert_true(slice_eq(mem_key_slice(k), mop_key(want)));
        }
        assert_int_equal(keys, m->keys);
        assert_int_equal(mem_versions(m), mo.count);
        assert_int_equal(m->seq_first, mo.ops[0].seq);
        assert_int_equal(m->seq_last, mo.ops[mo.count - 1].seq);
        frz__mem_release(m);
        model_clear(&mo);
    }
}

TEST(mem, takes_empty_and_largest_keys_and_rows_and_refuses_what_is_beyond)
{
    frz_error e;
    struct mem *m = NULL;
    OK(frz__mem_new(NULL, NULL, &m, &e), &e);
    uint8_t *big = (uint8_t *)calloc(1, ROW_BYTES_MAX + 1);
    memset(big, 7, KEY_BYTES_MAX + 1);
    slice empty = slice_of("", 0);
    assert_null(frz__mem_get(m, empty, UINT64_MAX));
    OK(frz__mem_add(m, 1, OP_PUT, empty, empty, &e), &e);
    OK(frz__mem_add(m, 2, OP_PUT, slice_of(NULL, 0), slice_of(big, ROW_BYTES_MAX), &e), &e);
    OK(frz__mem_add(m, 3, OP_PUT, slice_of(big, KEY_BYTES_MAX), slice_of("r", 1), &e), &e);
    OK(frz__mem_add(m, 4, OP_DELETE, slice_of(big, KEY_BYTES_MAX - 1), empty, &e), &e);
    assert_int_equal(mem_version_row(frz__mem_get(m, empty, 1)).len, 0);
    assert_int_equal(mem_version_row(frz__mem_get(m, empty, 9)).len, ROW_BYTES_MAX);
    assert_memory_equal(mem_version_row(frz__mem_get(m, empty, 9)).data, big, ROW_BYTES_MAX);
    assert_int_equal(mem_version_row(frz__mem_get(m, slice_of(big, KEY_BYTES_MAX), 9)).len, 1);
    assert_int_equal(mem_version_op(frz__mem_get(m, slice_of(big, KEY_BYTES_MAX - 1), 9)), OP_DELETE);
    assert_null(frz__mem_get(m, slice_of(big, KEY_BYTES_MAX - 2), 9));
    assert_true(mem_bytes(m) > ROW_BYTES_MAX + 2 * KEY_BYTES_MAX);
    FAILS(frz__mem_add(m, 5, OP_PUT, slice_of(big, KEY_BYTES_MAX + 1), empty, &e), FRZ_TOO_LARGE, &e);
    FAILS(frz__mem_add(m, 5, OP_PUT, empty, slice_of(big, ROW_BYTES_MAX + 1), &e), FRZ_TOO_LARGE, &e);
    FAILS(frz__mem_add(m, 5, OP_MERGE, empty, empty, &e), FRZ_UNSUPPORTED, &e);
    FAILS(frz__mem_add(m, 5, OP_RANGE_DELETE, empty, empty, &e), FRZ_UNSUPPORTED, &e);
    assert_int_equal(mem_versions(m), 4);
    assert_int_equal(m->deletes, 1);
    struct iter *it = NULL; /* an empty, but present, upper bound: nothing is below it */
    OK(frz__mem_iter_new(m, 9, slice_of(NULL, 0), empty, false, &it, &e), &e);
    RC(iter_next(it, &e), FRZ_DONE, &e);
    frz__mem_release(m); /* the iterator still counts */
    iter_free(it);
    free(big);
}

TEST(mem, tells_whether_a_delete_lies_between_two_lives_of_a_key)
{
    static const struct { const char *ops; bool between; } cases[] = {{"P", false}, {"D", false}, {"PP", false}, {"PD", false}, {"DP", true}, {"PDP", true}, {"DPP", true}, {"PDPD", false}, {"DDP", true}, {"PPDPP", true}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(cases); i++) {
        frz_error e;
        struct mem *m = NULL;
        struct mem_cursor c;
        OK(frz__mem_new(NULL, NULL, &m, &e), &e);
        for (size_t j = 0; cases[i].ops[j]; j++) OK(frz__mem_add(m, j + 1, cases[i].ops[j] == 'P' ? OP_PUT : OP_DELETE, slice_str("k"), slice_of("", 0), &e), &e);
        assert_int_equal(frz__mem_key_deleted_between(frz__mem_first(m, &c)), cases[i].between);
        assert_null(frz__mem_next(m, &c));
        frz__mem_release(m);
    }
}

TEST(mem, an_allocation_that_fails_leaves_everything_as_it_was)
{
    frz_error e;
    bool failed = true;
    for (long n = 1; failed; n++) {
        struct test_alloc ta;
        struct rng r = {7};
        struct model mo = {0};
        struct mem *m = NULL;
        failed = false;
        test_alloc_init(&ta, n);
        if (frz__mem_new(&ta.vt, NULL, &m, &e) < 0) {
            assert_int_equal(ta.live, 0);
            failed = true;
            continue;
        }
        uint8_t key[16];
        static uint8_t wide[700];
        for (uint64_t seq = 1; seq < 600; seq++) {
            store_u64_be(key, rng_below(&r, 400));
            store_u32(wide, (uint32_t)seq);
            slice k = slice_of(key, 8), row = slice_of(wide, sizeof wide);
            int rc = frz__mem_add(m, seq, OP_PUT, k, row, &e);
            if (rc < 0) {
                assert_int_equal(rc, FRZ_NO_MEMORY);
                failed = true;
                const struct mem_version *v = frz__mem_get(m, k, UINT64_MAX);
                assert_true(!v || mem_version_seq(v) < seq);
                model_sort(&mo);
                check_scan(m, &mo, UINT64_MAX, slice_of(NULL, 0), slice_of(NULL, 0), false);
                check_scan(m, &mo, UINT64_MAX, slice_of(NULL, 0), slice_of(NULL, 0), true);
                OK(frz__mem_add(m, seq, OP_PUT, k, row, &e), &e);
            }
            model_add(&mo, seq, OP_PUT, k, (uint32_t)seq);
        }
        model_sort(&mo);
        ta.fail_at = 0;
        check_scan(m, &mo, UINT64_MAX, slice_of(NULL, 0), slice_of(NULL, 0), false);
        ta.fail_at = ta.calls + 1;
        struct iter *it = NULL;
        FAILS(frz__mem_iter_new(m, 1, slice_of(NULL, 0), slice_of(NULL, 0), false, &it, &e), FRZ_NO_MEMORY, &e);
        frz__mem_release(m);
        assert_int_equal(ta.live, 0);
        model_clear(&mo);
    }
}

/* ── a writer that stands still ── */

#ifdef FRZ_FAILPOINTS
/* Iterators that began long ago, advanced by a few entries at each stop: what they give must be the state of their beginning, whatever was split under them. */
struct slow { struct iter *it; uint32_t *want; size_t count, at; };
static struct {
    struct mem *m;
    struct model mo; /* what is inserted so far, without the op in work; sequences are 1, 2, … */
    struct slow slow[12];
    uint64_t stops;
    struct rng r;
} still;

static void slow_step(struct slow *s)
{
    frz_error e;
    slice open = {NULL, 0};
    if (!s->it) {
        uint64_t seq = still.mo.count;
        bool reverse = rng_next(&still.r) & 1;
        size_t at = reverse ? still.mo.count : 0;
        const struct mop *o;
        s->want = (uint32_t *)malloc((still.mo.count + 1) * sizeof *s->want);
        s->count = s->at = 0;
        while ((o = model_next(&still.mo, &at, seq, open, open, reverse))) s->want[s->count++] = (uint32_t)(o - still.mo.ops);
        OK(frz__mem_iter_new(still.m, seq, open, open, reverse, &s->it, &e), &e);
    }
    for (uint64_t moves = rng_below(&still.r, 4); moves > 0; moves--) {
        if (s->at == s->count) {
            RC(iter_next(s->it, &e), FRZ_DONE, &e);
            iter_free(s->it);
            free(s->want);
            *s = (struct slow){0};
            return;
        }
        OK(iter_next(s->it, &e), &e);
        expect_entry(s->it, &still.mo.ops[s->want[s->at++]]);
    }
}

static void look(void)
{
    slice open = {NULL, 0};
    uint64_t seq = still.mo.count;
    still.stops++;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(still.slow); i++) slow_step(&still.slow[i]);
    if (rng_below(&still.r, 4) && seq > 200) return; /* the whole check at each stop while it is small, then at one of four */
    check_gets(still.m, &still.mo, seq);
    check_scan(still.m, &still.mo, seq, open, open, false);
    check_scan(still.m, &still.mo, seq, open, open, true);
    if (!seq) return;
    slice bound = mop_key(&still.mo.ops[rng_below(&still.r, seq)]);
    check_scan(still.m, &still.mo, rng_below(&still.r, seq + 1), bound, open, seq & 1);
    check_scan(still.m, &still.mo, seq, open, bound, seq & 2);
}

TEST(mem, readers_see_their_whole_state_wherever_a_writer_stopped)
{
    frz_error e;
    still.r = (struct rng){test_seed(3)};
    for (int s = 0; s < SHAPES; s++) {
        still.mo = (struct model){0};
        OK(frz__mem_new(NULL, NULL, &still.m, &e), &e);
        model_sort(&still.mo);
        frz__test_mem_step = look;
        uint8_t key[128];
        for (uint64_t seq = 1; seq <= 700; seq++) {
            slice k = shape_key((enum shape)s, &still.r, seq, 600, key);
            struct mop o = {seq, rng_below(&still.r, 6) ? OP_PUT : OP_DELETE, key, k.len, (uint32_t)rng_next(&still.r)};
            OK(add(still.m, &o, &e), &e);
            model_add(&still.mo, o.seq, o.op, k, o.row);
            model_sort(&still.mo);
        }
        frz__test_mem_step = NULL;
        assert_true(still.stops >= 700);
        for (size_t i = 0; i < FRZ_ARRAY_LEN(still.slow); i++) {
            iter_free(still.slow[i].it);
            free(still.slow[i].want);
            still.slow[i] = (struct slow){0};
        }
        frz__mem_release(still.m);
        model_clear(&still.mo);
    }
}

static void *paused_writer(void *arg)
{
    frz_error e;
    uint8_t key[8];
    store_u64_be(key, 5000);
    return (void *)(intptr_t)frz__mem_add((struct mem *)arg, 1001, OP_PUT, slice_of(key, 8), slice_of("x", 1), &e);
}

TEST(mem, a_writer_thread_paused_inside_an_insert_stops_no_reader)
{
    frz_error e;
    struct mem *m = NULL;
    uint8_t key[8];
    OK(frz__mem_new(NULL, NULL, &m, &e), &e);
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        store_u64_be(key, seq * 10);
        OK(frz__mem_add(m, seq, OP_PUT, slice_of(key, 8), slice_of(key, 8), &e), &e);
    }
    assert_true(frz__test_failpoint("mem.insert", "pause"));
    pthread_t t;
    void *rc = NULL;
    assert_int_equal(pthread_create(&t, NULL, paused_writer, m), 0);
    assert_true(frz__test_failpoint_wait_paused("mem.insert", 120000));
    for (uint64_t i = 1; i <= 1000; i++) {
        store_u64_be(key, i * 10);
        assert_non_null(frz__mem_get(m, slice_of(key, 8), 1000));
    }
    struct iter *it = NULL;
    OK(frz__mem_iter_new(m, 1000, slice_of(NULL, 0), slice_of(NULL, 0), true, &it, &e), &e);
    for (uint64_t i = 1000; i > 0; i--) {
        OK(iter_next(it, &e), &e);
        assert_int_equal(load_u64_be(it->key.data), i * 10);
    }
    RC(iter_next(it, &e), FRZ_DONE, &e);
    iter_free(it);
    frz__test_failpoint("mem.insert", "off");
    frz__test_failpoint_resume("mem.insert");
    pthread_join(t, &rc);
    assert_int_equal((intptr_t)rc, FRZ_OK);
    store_u64_be(key, 5000);
    assert_int_equal(mem_version_seq(frz__mem_get(m, slice_of(key, 8), 1001)), 1001);
    frz__mem_release(m);
}
#endif

/* ── readers beside a writer ── */

#define RACE_OPS 40000
#define RACE_KEYS 9000
struct race {
    struct mem *m;
    _Atomic uint64_t visible;
    uint32_t key[RACE_OPS + 1];      /* of each sequence */
    uint32_t distinct[RACE_OPS + 1]; /* keys among the first n */
    uint32_t previous[RACE_OPS + 1]; /* sequence of the key's op before; 0 = none */
};
static slice race_key(uint32_t n, uint8_t *out)
{
    int len = sprintf((char *)out, "table/%05u", n);
    return slice_of(out, (size_t)len);
}
static void *race_write(void *arg)
{
    struct race *ra = (struct race *)arg;
    frz_error e;
    uint8_t key[32];
    for (uint64_t seq = 1; seq <= RACE_OPS; seq++) {
        if (frz__mem_add(ra->m, seq, OP_PUT, race_key(ra->key[seq], key), slice_of(&seq, 8), &e) < 0) abort();
        atomic_store_explicit(&ra->visible, seq, memory_order_release);
    }
    return NULL;
}
static void *race_read(void *arg)
{
    struct race *ra = (struct race *)arg;
    struct rng r = {(uint64_t)(uintptr_t)&r};
    frz_error e;
    uint8_t key[32], last[32];
    for (uint64_t round = 0;; round++) {
        uint64_t seq = atomic_load_explicit(&ra->visible, memory_order_acquire);
        for (int i = 0; i < 200 && seq; i++) {
            uint64_t s = 1 + rng_below(&r, seq);
            const struct mem_version *v = frz__mem_get(ra->m, race_key(ra->key[s], key), s);
            if (!v || mem_version_seq(v) != s || load_u64(v->row) != s) abort();
            v = ra->previous[s] ? frz__mem_get(ra->m, race_key(ra->key[s], key), s - 1) : v;
            if (!v || (ra->previous[s] && mem_version_seq(v) != ra->previous[s])) abort();
        }
        if (round % 8 == 0) {
            bool reverse = rng_next(&r) & 1;
            struct iter *it = NULL;
            uint32_t count = 0;
            if (frz__mem_iter_new(ra->m, seq, slice_of(NULL, 0), slice_of(NULL, 0), reverse, &it, &e) < 0) abort();
            for (; iter_next(it, &e) == FRZ_OK; count++) {
                if (count && (reverse ? slice_cmp(it->key, slice_of(last, 11)) >= 0 : slice_cmp(it->key, slice_of(last, 11)) <= 0)) abort();
                memcpy(last, it->key.data, 11);
            }
            if (count != ra->distinct[seq]) abort();
            iter_free(it);
        }
        if (seq == RACE_OPS) return NULL;
    }
}

TEST(mem, one_writer_and_three_readers_agree)
{
    frz_error e;
    struct race *ra = (struct race *)calloc(1, sizeof *ra);
    uint32_t *seen = (uint32_t *)calloc(RACE_KEYS, sizeof *seen);
    struct rng r = {test_seed(11)};
    for (uint32_t s = 1; s <= RACE_OPS; s++) {
        uint32_t k = (uint32_t)(s % 5 ? rng_below(&r, RACE_KEYS) : s / 5 % RACE_KEYS);
        ra->key[s] = k;
        ra->previous[s] = seen[k];
        ra->distinct[s] = ra->distinct[s - 1] + !seen[k];
        seen[k] = s;
    }
    OK(frz__mem_new(NULL, NULL, &ra->m, &e), &e);
    pthread_t t[4];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&t[i], NULL, race_read, ra), 0);
    assert_int_equal(pthread_create(&t[3], NULL, race_write, ra), 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    frz__mem_release(ra->m);
    free(seen);
    free(ra);
}
