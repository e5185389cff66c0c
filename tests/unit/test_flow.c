/* Goal    debt sets the pace of writers without a cliff; one budget says whose each byte is, and agrees with the allocator; stops have a reason, and end.
 * Method  the pure functions by tables and sweeps; an allocator of the test's that adds up what is live; a flush held at a fail point. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/flow.h"

#define S ((int64_t)1000000000)

/* ── pure ── */

TEST(flow, fraction_is_a_line_between_slow_and_stop)
{
    static const struct { struct flow_level l; double want; } rows[] = {
        {{0, 10, 20, true}, 0}, {{10, 10, 20, true}, 0}, {{15, 10, 20, true}, 0.5}, {{20, 10, 20, true}, 1}, {{99, 10, 20, false}, 1}, {{99, 10, 0, true}, 0}, {{3, 0, 4, true}, 0.75},
        {{UINT64_MAX, UINT64_MAX - 4, UINT64_MAX, true}, 1}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) assert_true(frz__flow_fraction(&rows[i].l) == rows[i].want);
}

TEST(flow, price_is_nothing_without_debt_continuous_and_never_falls)
{
    uint64_t before = 0, bytes = 1 << 20, drain = 50 << 20;
    assert_int_equal(frz__flow_price_ns(0, bytes, drain), 0);
    assert_int_equal(frz__flow_price_ns(-1, bytes, drain), 0);
    for (int i = 0; i <= 10000; i++) {
        uint64_t p = frz__flow_price_ns(i / 10000.0, bytes, drain);
        assert_true(p >= before);
        assert_true(p - before <= 3 * (bytes * 1000000000 / drain)); /* no step: a two-hundredth of the whole, where it is steepest */
        before = p;
    }
    uint64_t fair = bytes * 1000000000 / drain;
    assert_in_range(frz__flow_price_ns(0.5, bytes, drain), fair - fair / 50, fair + fair / 50); /* at a half: as fast as flushes take it away */
    assert_in_range(frz__flow_price_ns(1, bytes, drain), 200 * fair, 208 * fair);
    assert_int_equal(frz__flow_price_ns(2, bytes, drain), frz__flow_price_ns(1, bytes, drain));
    assert_int_equal(frz__flow_price_ns(0.5, bytes, 0), frz__flow_price_ns(0.5, bytes, FLOW_DRAIN_UNKNOWN));
    assert_true(frz__flow_price_ns(0.5, bytes * 2, drain) >= 2 * frz__flow_price_ns(0.5, bytes, drain) - 1);
}

TEST(flow, a_flush_that_takes_longer_is_believed_at_once)
{
    const uint64_t bytes = 10 << 20, drain = 20 << 20;
    assert_int_equal(frz__flow_drain_now(drain, bytes, 0), drain);
    assert_int_equal(frz__flow_drain_now(drain, bytes, -1), drain);
    assert_int_equal(frz__flow_drain_now(drain, bytes, S / 2), drain); /* just as long as it should */
    assert_int_equal(frz__flow_drain_now(drain, bytes, S), drain / 2);
    assert_int_equal(frz__flow_drain_now(drain, bytes, 100 * S), FLOW_DRAIN_MIN);
    assert_int_equal(frz__flow_drain_now(drain, 0, S), FLOW_DRAIN_MIN);
    assert_int_equal(frz__flow_drain_now(0, bytes, S / 100), 0); /* not known, and as fast as is taken for granted */
    assert_int_equal(frz__flow_drain_now(0, bytes, S), bytes);
}

/* Writers that take all they get, one memtable that waits and one that fills: they are not at the stop before a flush took MORE times as long as the last one. */
TEST(flow, no_stop_before_a_flush_takes_thirty_times_as_long)
{
    const double one = 8 << 20, step = 1e-3;
    for (double drain = 10 << 20; drain <= 160 << 20; drain *= 2) {
        double usual = one / drain, active = 0, t = 0;
        while (active < one && t < 1000 * usual) {
            struct flow_level l = {(uint64_t)(one + active), (uint64_t)one, (uint64_t)one * 2, true};
            uint64_t now = frz__flow_drain_now((uint64_t)drain, (uint64_t)one, (int64_t)(t * 1e9)), price = frz__flow_price_ns(frz__flow_fraction(&l), 1 << 20, now);
            double rate = price ? (1 << 20) * 1e9 / (double)price : 400e6;
            active += (rate < 400e6 ? rate : 400e6) * step * usual;
            t += step * usual;
        }
        if (t < 30 * usual) fail_msg("at %.0f bytes a second after %.1f times as long", drain, t / usual);
    }
}

TEST(flow, the_worst_reason_is_named_and_a_stop_goes_before_it)
{
    struct flow_level l[FLOW_REASONS] = {{0, 0, 0, false}};
    assert_int_equal(frz__flow_judge(l).reason, FLOW_NONE);
    l[FLOW_MEMTABLES] = (struct flow_level){12, 10, 20, true};
    l[FLOW_MEMORY] = (struct flow_level){18, 10, 20, true};
    struct flow_verdict v = frz__flow_judge(l);
    assert_int_equal(v.reason, FLOW_MEMORY);
    assert_false(v.stop);
    assert_true(v.fraction == 0.8);
    l[FLOW_RUNS] = (struct flow_level){99, 10, 20, false}; /* slow, never stop */
    v = frz__flow_judge(l);
    assert_int_equal(v.reason, FLOW_RUNS);
    assert_false(v.stop);
    l[FLOW_MEMTABLES].now = 20;
    v = frz__flow_judge(l);
    assert_true(v.stop && v.fraction == 1);
    assert_int_equal(v.reason, FLOW_MEMTABLES);
    for (int r = 0; r < FLOW_REASONS; r++) assert_true(strlen(frz__flow_reason_name((enum flow_reason)r)) > 3);
}

TEST(flow, publishes_are_stretched_by_what_they_cost)
{
    static const struct { int64_t interval, lasted; uint64_t rows, cost, percent; int64_t want; } t[] = {
        {10 * S, 10 * S, 1 << 20, 1 << 10, 100, 10 * S},                                /* cheap */
        {10 * S, 10 * S, 0, FLOW_PUBLISH_FREE_BYTES, 100, 10 * S},                      /* free */
        {10 * S, 10 * S, 1 << 20, (1 << 20) + FLOW_PUBLISH_FREE_BYTES, 100, 10 * S},    /* just paid for */
        {10 * S, 10 * S, 1 << 20, (4 << 20) + FLOW_PUBLISH_FREE_BYTES, 100, 40 * S},    /* four times the rows: four times as long */
        {10 * S, 40 * S, 4 << 20, (4 << 20) + FLOW_PUBLISH_FREE_BYTES, 100, 40 * S},    /* and there it stays */
        {10 * S, 10 * S, 1 << 20, (4 << 20) + FLOW_PUBLISH_FREE_BYTES, 400, 10 * S},    /* allowed */
        {10 * S, 10 * S, 1 << 20, (4 << 20) + FLOW_PUBLISH_FREE_BYTES, 0, 10 * S},      /* off */
        {10 * S, 10 * S, 0, 1 << 30, 100, FLOW_PUBLISH_MAX_NS},                         /* deletes alone */
        {10 * S, 10 * S, 1, 1 << 30, 1, FLOW_PUBLISH_MAX_NS},
        {900 * S, 900 * S, 1, 1 << 30, 100, 900 * S},                                   /* longer than any stretch */
        {0, 10 * S, 1 << 20, 1 << 10, 100, 0},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(t); i++) assert_int_equal(frz__flow_publish_ns(t[i].interval, t[i].lasted, t[i].rows, t[i].cost, t[i].percent), t[i].want);
}

TEST(flow, shares_are_the_budget)
{
    for (uint64_t m = 8 << 20; m < (uint64_t)1 << 40; m *= 3) {
        struct flow_shares s = frz__flow_shares(m);
        assert_true(s.memtables + s.cache + s.jobs + s.metadata <= m && s.memtables + s.cache + s.jobs + s.metadata > m - 100);
        assert_true(s.memtables > s.cache && s.cache > s.jobs && s.jobs > s.metadata);
    }
}

TEST(flow, the_cache_makes_room_for_what_others_take_beyond_their_shares)
{
    struct flow_shares share = frz__flow_shares(100 << 20), take = {0};
    assert_int_equal(frz__flow_cache_bytes(&share, &take), share.cache);
    take = share;
    assert_int_equal(frz__flow_cache_bytes(&share, &take), share.cache);
    take.metadata += 1000;
    take.jobs -= 5000; /* what one leaves is not another's */
    assert_int_equal(frz__flow_cache_bytes(&share, &take), share.cache - 1000);
    take.memtables += 2000;
    assert_int_equal(frz__flow_cache_bytes(&share, &take), share.cache - 3000);
    take.metadata += (uint64_t)1 << 40;
    assert_int_equal(frz__flow_cache_bytes(&share, &take), share.cache / 4);
}

/* ── a database ── */

struct live { _Atomic int64_t bytes; };
static void *live_alloc(void *ctx, size_t bytes)
{
    size_t *p = (size_t *)malloc(bytes + 16);
    if (!p) return NULL;
    *p = bytes;
    atomic_fetch_add(&((struct live *)ctx)->bytes, (int64_t)bytes);
    return (char *)p + 16;
}
static void live_free(void *ctx, void *p)
{
    if (!p) return;
    size_t *h = (size_t *)(void *)((char *)p - 16);
    atomic_fetch_sub(&((struct live *)ctx)->bytes, (int64_t)*h);
    free(h);
}
static void *live_realloc(void *ctx, void *p, size_t bytes)
{
    void *q = live_alloc(ctx, bytes);
    if (q && p) {
        size_t old = *(size_t *)(void *)((char *)p - 16);
        memcpy(q, p, old < bytes ? old : bytes);
        live_free(ctx, p);
    }
    return q;
}

struct rig {
    char dir[600];
    frz_db *db;
    frz_table *t;
    frz_row *row;
    frz_error e;
};

static void rig_init(struct rig *r, const frz_db_options *given)
{
    frz_schema *s = NULL;
    frz_db_options o = *given;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    const char *key = "frazil.publish-interval-ms", *value = "0";
    to.property_keys = &key;
    to.property_values = &value;
    to.property_count = 1;
    snprintf(r->dir, sizeof r->dir, "%s", test_tmp_dir("flow"));
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    OK(frz_db_open(r->dir, &o, &r->db, &r->e), &r->e);
    OK(frz_schema_parse("id long, v binary", "id", &s, &r->e), &r->e);
    OK(frz_table_create(r->db, "t", s, &to, &r->t, &r->e), &r->e);
    frz_schema_free(s);
    OK(frz_row_new(r->t, &r->row, &r->e), &r->e);
}

static void rig_clear(struct rig *r)
{
    frz_row_free(r->row);
    OK(frz_db_close(r->db, &r->e), &r->e);
    test_tmp_remove(r->dir);
}

static int put(struct rig *r, int64_t id, size_t bytes, const frz_write_options *o)
{
    static const char v[8192];
    OK(frz_row_set_long(r->row, 0, id, &r->e), &r->e);
    OK(frz_row_set_bytes(r->row, 1, v, bytes, &r->e), &r->e);
    return frz_put(r->t, r->row, o, &r->e);
}

static frz_stats stats(struct rig *r)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(r->db, NULL, &s, &r->e), &r->e);
    return s;
}

static void same_as_live(struct rig *r, struct live *live)
{
    frz_stats s = {0};
    int64_t diff = INT64_MAX;
    for (int tries = 0; tries < 2000; tries++) { /* what is let go of may take a moment to go */
        int64_t before = atomic_load(&live->bytes);
        s = stats(r);
        diff = before - (int64_t)(s.memory_memtables + s.memory_cache + s.memory_jobs + s.memory_metadata + s.memory_calls - s.memory_outside);
        if (before == atomic_load(&live->bytes) && diff >= 0 && diff <= 4096) return;
        usleep(5000);
    }
    fail_msg("the classes' sum is %lld bytes off what is live", (long long)diff);
}

TEST(budget, the_sum_of_the_classes_is_what_is_live)
{
    static struct live live;
    const frz_allocator a = {&live, live_alloc, live_realloc, live_free};
    struct rig r;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    atomic_store(&live.bytes, 0);
    o.allocator = &a;
    o.memory_bytes = 32 << 20;
    o.memtable_bytes = 1 << 20;
    rig_init(&r, &o);
    same_as_live(&r, &live);
    uint64_t empty = stats(&r).memory_memtables;
    for (int64_t id = 0; id < 3000; id++) OK(put(&r, id % 1700, 1000, NULL), &r.e);
    same_as_live(&r, &live);
    assert_true(stats(&r).memory_memtables_max >= empty + (1 << 20));
    OK(frz_table_flush(r.t, &r.e), &r.e);
    same_as_live(&r, &live);
    assert_true(stats(&r).memory_jobs_max > 100000 && stats(&r).memory_metadata > 1000);
    frz_value key = {.type = FRZ_LONG};
    for (key.as.i64 = 0; key.as.i64 < 1700; key.as.i64++) OK(frz_get(r.t, NULL, &key, 1, r.row, &r.e), &r.e);
    assert_true(stats(&r).memory_cache >= 500000);
    same_as_live(&r, &live);
    struct ArrowArrayStream stream = {0};
    struct ArrowArray array = {0};
    OK(frz_scan_arrow(r.t, NULL, &stream, &r.e), &r.e);
    assert_int_equal(stream.get_next(&stream, &array), 0);
    same_as_live(&r, &live);
    stream.release(&stream);
    rig_clear(&r);
    assert_true(atomic_load(&live.bytes) > 0); /* the array, and what counts it */
    array.release(&array);
    assert_int_equal(atomic_load(&live.bytes), 0);
}

static uint64_t cache_may_have(struct rig *r)
{
    struct db *db = r->db->db;
    frz__mutex_lock(&db->flow_mu);
    uint64_t n = db->cache_bytes_now;
    frz__mutex_unlock(&db->flow_mu);
    return n;
}
TEST(budget, in_a_small_one_the_cache_makes_room_before_a_job_does_what_it_does)
{
    for (int small = 0; small < 2; small++) {
        struct rig r;
        frz_db_options o = FRZ_DB_OPTIONS_INIT;
        frz__test_clock_rounds_off(true);
        o.memory_bytes = small ? 32 << 20 : 256 << 20;
        o.no_compaction = true;
        rig_init(&r, &o);
        for (int64_t id = 0; id < 3000; id++) OK(put(&r, id, 1000, NULL), &r.e);
        OK(frz_table_flush(r.t, &r.e), &r.e);
        frz__flow_balance(r.db->db);
        struct flow_shares share = frz__flow_shares(o.memory_bytes);
        uint64_t more = share.cache / 2, before = cache_may_have(&r);
        assert_int_equal(before, share.cache);
        frz__flow_job_begin(r.db->db, share.jobs + more);
        assert_int_equal(cache_may_have(&r), small ? share.cache - more : share.cache);
        frz__flow_job_begin(r.db->db, share.cache * 2);
        assert_int_equal(cache_may_have(&r), small ? share.cache / 4 : share.cache); /* that is left to it */
        frz__flow_job_end(r.db->db, share.cache * 2);
        frz__flow_job_end(r.db->db, share.jobs + more);
        frz__flow_balance(r.db->db);
        assert_int_equal(cache_may_have(&r), share.cache);
        rig_clear(&r);
        frz__test_clock_rounds_off(false);
    }
}

TEST(budget, many_tables_share_one_and_the_largest_is_flushed)
{
    enum { TABLES = 12 };
    struct rig r;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table *t[TABLES];
    frz_row *rows[TABLES];
    static const char v[1000];
    o.memory_bytes = 16 << 20;
    rig_init(&r, &o);
    for (int i = 0; i < TABLES; i++) {
        char name[16];
        frz_schema *s = NULL;
        snprintf(name, sizeof name, "t%d", i);
        OK(frz_schema_parse("id long, v binary", "id", &s, &r.e), &r.e);
        OK(frz_table_create(r.db, name, s, NULL, &t[i], &r.e), &r.e);
        frz_schema_free(s);
        OK(frz_row_new(t[i], &rows[i], &r.e), &r.e);
    }
    for (int64_t id = 0; id < 24000; id++) { /* 24 MB into tables that may have 2.8 MB each */
        int i = (int)(id % TABLES);
        OK(frz_row_set_long(rows[i], 0, id, &r.e), &r.e);
        OK(frz_row_set_bytes(rows[i], 1, v, sizeof v, &r.e), &r.e);
        OK(frz_put(t[i], rows[i], NULL, &r.e), &r.e);
    }
    uint64_t share = (16 << 20) / 100 * 40;
    assert_true(stats(&r).memory_memtables_max <= share + (1 << 20));
    assert_true(stats(&r).flushes > 0);
    for (int i = 0; i < TABLES; i++) {
        uint64_t n = 0;
        OK(frz_count(t[i], NULL, &n, &r.e), &r.e);
        assert_int_equal(n, 24000 / TABLES);
        frz_row_free(rows[i]);
        frz_table_close(t[i]);
    }
    rig_clear(&r);
}

struct writer { struct rig *r; frz_row *row; _Atomic uint64_t done; _Atomic bool stop; int rc; frz_error e; };
static void *write_on(void *arg)
{
    struct writer *w = arg;
    static const char v[500];
    for (int64_t id = 0; !atomic_load(&w->stop); id++) {
        if (frz_row_set_long(w->row, 0, id, &w->e) != FRZ_OK || frz_row_set_bytes(w->row, 1, v, sizeof v, &w->e) != FRZ_OK) break;
        w->rc = frz_put(w->r->t, w->row, NULL, &w->e);
        if (w->rc != FRZ_OK) break;
        atomic_fetch_add(&w->done, 1);
    }
    return NULL;
}

TEST(budget, a_reader_that_refreshes_for_ever_takes_no_more_memory)
{
    struct rig r, reader = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.log_segment_bytes = 131072;
    rig_init(&r, &o);
    for (int64_t id = 0; id < 20; id++) OK(put(&r, id, 100, NULL), &r.e);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    o.read_only = true;
    OK(frz_db_open(r.dir, &o, &reader.db, &r.e), &r.e);
    OK(frz_table_open(reader.db, "t", &reader.t, &r.e), &r.e);
    uint64_t early = 0, late = 0; /* the most of ten: what old views hold goes a little later */
    for (int i = 0; i < 410; i++) {
        OK(frz_db_refresh(reader.db, &r.e), &r.e);
        uint64_t *most = i < 10 ? &early : i >= 400 ? &late : NULL, now = stats(&reader).memory_metadata;
        if (most && now > *most) *most = now;
    }
    if (early == 0 || late > early + early / 4) fail_msg("%" PRIu64 " bytes at first, %" PRIu64 " after 400 refreshes", early, late);
    OK(frz_row_new(reader.t, &reader.row, &r.e), &r.e);
    frz_value key = {.type = FRZ_LONG, .as.i64 = 7};
    OK(frz_get(reader.t, NULL, &key, 1, reader.row, &r.e), &r.e);
    frz_row_free(reader.row);
    OK(frz_db_close(reader.db, &r.e), &r.e);
    rig_clear(&r);
}

TEST(flow, publishes_that_cost_stretched_go_back_to_their_interval_when_that_is_turned_off)
{
    struct rig r;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    rig_init(&r, &o);
    const char *const settings[][2] = {{"frazil.publish-cost-percent", "0"}, {"frazil.publish-interval-ms", "700"}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(settings); i++) {
        OK(frz_table_set_property(r.t, "frazil.publish-cost-percent", "10", &r.e), &r.e);
        OK(frz_table_set_property(r.t, "frazil.publish-interval-ms", "500", &r.e), &r.e);
        frz__flow_published(r.t->t, 1000, 0);
        assert_int_equal(stats(&r).publish_interval_us, 500000);
        frz__flow_published(r.t->t, 1000, (uint64_t)1 << 30);
        assert_true(stats(&r).publish_interval_us > 500000);
        OK(frz_table_set_property(r.t, settings[i][0], settings[i][1], &r.e), &r.e);
        assert_int_equal(stats(&r).publish_interval_us, i ? 700000 : 500000);
    }
    rig_clear(&r);
}

TEST(flow, a_stop_says_why_ends_with_the_flush_and_whoever_may_not_wait_is_told)
{
    struct rig r;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_write_options w = FRZ_WRITE_OPTIONS_INIT;
    pthread_t thread;
    o.memtable_bytes = 65536;
    rig_init(&r, &o);
    if (!frz__test_failpoint("flush.begin", "pause")) { /* not compiled in */
        rig_clear(&r);
        return;
    }
    struct writer wr = {.r = &r};
    OK(frz_row_new(r.t, &wr.row, &r.e), &r.e);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &wr), 0);
    for (int i = 0; i < 24000 && stats(&r).stalls_memtables == 0; i++) usleep(5000);
    assert_int_equal(stats(&r).stalls_memtables, 1);
    assert_true(stats(&r).slowdowns_memtables > 0 && stats(&r).slowdown_memtables_us_max >= 1000);
    assert_int_equal(stats(&r).stalls_memory, 0);
    w.no_wait = true;
    FAILS(put(&r, -1, 10, &w), FRZ_BUSY, &r.e);
    MESSAGE_HAS(&r.e, "memtables wait for their flush");
    w.no_wait = false;
    w.wait_max_ms = 20;
    FAILS(put(&r, -1, 10, &w), FRZ_BUSY, &r.e);
    uint64_t before = atomic_load(&wr.done);
    frz__test_failpoint_resume("flush.begin");
    for (int i = 0; i < 24000 && atomic_load(&wr.done) < before + 50; i++) usleep(5000);
    assert_true(atomic_load(&wr.done) >= before + 50);
    atomic_store(&wr.stop, true);
    pthread_join(thread, NULL);
    OK(wr.rc, &wr.e);
    assert_true(stats(&r).stall_memtables_us_total >= 20000 && stats(&r).stall_memtables_us_max <= stats(&r).stall_memtables_us_total);
    assert_int_equal(stats(&r).stall_us_total, stats(&r).stall_memtables_us_total + stats(&r).stall_memory_us_total);
    frz_value key = {.type = FRZ_LONG, .as.i64 = -1};
    RC(frz_get(r.t, NULL, &key, 1, r.row, &r.e), FRZ_NOT_FOUND, &r.e); /* what was refused was not written */
    frz_row_free(wr.row);
    rig_clear(&r);
}

TEST(flow, a_flush_that_takes_longer_than_usual_stops_nobody)
{
    struct rig r;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    pthread_t thread;
    o.memory_bytes = 64 << 20; /* one memtable may wait */
    o.memtable_bytes = 1 << 20;
    o.no_compaction = true;
    rig_init(&r, &o);
    if (!frz__test_failpoint("flush.begin", "off")) { /* not compiled in */
        rig_clear(&r);
        return;
    }
    struct writer wr = {.r = &r};
    OK(frz_row_new(r.t, &wr.row, &r.e), &r.e);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &wr), 0);
    for (int i = 0; i < 24000 && stats(&r).flushes < 3; i++) usleep(5000);
    assert_true(stats(&r).drain_bytes_per_second > 0);
    uint64_t stalls = stats(&r).stalls;
    assert_true(frz__test_failpoint("flush.begin", "pause"));
    assert_true(frz__test_failpoint_wait_paused("flush.begin", 60000));
    uint64_t now = stats(&r).stalls;
    for (int64_t begin = frz__clock_mono_ns(), end = begin; end - begin < S / 10 * 6 && now == stalls; end = frz__clock_mono_ns()) {
        usleep(5000);
        uint64_t seen = stats(&r).stalls;
        if (frz__clock_mono_ns() - begin < 2 * S) now = seen; /* else this thread had no turn for long */
    }
    assert_int_equal(now, stalls);
    uint64_t before = atomic_load(&wr.done);
    for (int i = 0; i < 24000 && atomic_load(&wr.done) < before + 3; i++) usleep(5000); /* and they get on */
    assert_true(atomic_load(&wr.done) >= before + 3);
    frz__test_failpoint_resume("flush.begin");
    atomic_store(&wr.stop, true);
    pthread_join(thread, NULL);
    OK(wr.rc, &wr.e);
    frz_row_free(wr.row);
    rig_clear(&r);
}

TEST(flow, memory_stops_writers_of_another_table_until_a_flush_ends)
{
    struct rig r;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    pthread_t thread;
    o.memory_bytes = 8 << 20;
    o.memtable_bytes = 1 << 20;
    rig_init(&r, &o);
    OK(frz_table_set_property(r.t, "frazil.immutable-memtables-max", "64", &r.e), &r.e); /* one, in so small a budget */
    if (!frz__test_failpoint("flush.begin", "pause")) {
        rig_clear(&r);
        return;
    }
    frz_schema *s = NULL;
    frz_table *other = NULL;
    OK(frz_schema_parse("id long, v binary", "id", &s, &r.e), &r.e);
    OK(frz_table_create(r.db, "other", s, NULL, &other, &r.e), &r.e);
    frz_schema_free(s);
    struct rig on_other = r;
    on_other.t = other;
    struct writer wr = {.r = &on_other}, own = {.r = &r};
    pthread_t own_thread;
    OK(frz_row_new(other, &wr.row, &r.e), &r.e);
    OK(frz_row_new(r.t, &own.row, &r.e), &r.e);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &wr), 0);
    assert_int_equal(pthread_create(&own_thread, NULL, write_on, &own), 0);
    for (int i = 0; i < 6000 && stats(&r).stalls < 2; i++) usleep(5000);
    if (stats(&r).stalls < 2) {
        frz_blob *text;
        OK(frz_db_stats_text(r.db, NULL, false, &text, &r.e), &r.e);
        fail_msg("both should be stopped:\n%s", frz_blob_data(text));
    }
    assert_true(stats(&r).memory_memtables <= (8 << 20) / 100 * 40 + (1 << 20));
    uint64_t before = atomic_load(&wr.done);
    frz__test_failpoint_resume("flush.begin");
    for (int i = 0; i < 24000 && atomic_load(&wr.done) < before + 50; i++) usleep(5000);
    assert_true(atomic_load(&wr.done) >= before + 50);
    atomic_store(&wr.stop, true);
    atomic_store(&own.stop, true);
    pthread_join(thread, NULL);
    pthread_join(own_thread, NULL);
    OK(wr.rc, &wr.e);
    OK(own.rc, &own.e);
    frz_row_free(wr.row);
    frz_row_free(own.row);
    frz_table_close(other);
    rig_clear(&r);
}
