/* Goal    writers, readers, flushes and snapshots at once see only whole batches, in every view of them.
 * Method  each batch writes the same number to the two halves of a pair, in two tables; readers look at both through one snapshot, by get and by scan; a flusher publishes all the time; memtables of a few KiB
 *         rotate by themselves. TSan and ASan watch. Sequences: each writer's own batches come in order. */
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pool.h"
#include "base/rand.h"
#include "base/sync.h"

#define PAIRS   200
#define WRITERS 3
#define READERS 2
#define SECONDS 2

struct world {
    frz_db *db;
    frz_table *a, *b;
    _Atomic bool stop;
    _Atomic uint64_t batches, reads, failures;
    _Atomic int running;
};
struct worker { struct world *w; int number; struct pool_job job; };

static void must(struct world *w, int rc, int want, const frz_error *e, const char *what)
{
    if (rc == want) return;
    print_error("%s: %s: %s\n", what, frz_status_name(rc), e->message);
    atomic_fetch_add(&w->failures, 1);
    atomic_store(&w->stop, true);
}

static frz_value key_of(int64_t k)
{
    frz_value v = {FRZ_LONG, 0, {0}};
    v.as.i64 = k;
    return v;
}

static void writer(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct world *w = me->w;
    struct rng rng = {(uint64_t)me->number + 77};
    frz_error e = {0};
    frz_batch *batch;
    frz_row *row;
    frz_seq_range last = {0};
    must(w, frz_batch_new(w->db, &batch, &e), FRZ_OK, &e, "batch");
    must(w, frz_row_new(w->a, &row, &e), FRZ_OK, &e, "row");
    for (int64_t n = 0; !atomic_load(&w->stop); n++) {
        int64_t pair = (int64_t)rng_below(&rng, PAIRS);
        frz_value key = key_of(pair);
        frz_seq_range range;
        char text[64];
        int len = snprintf(text, sizeof text, "writer %d batch %lld", me->number, (long long)n);
        if (n % 7 == 3) {
            must(w, frz_batch_delete(batch, w->a, &key, 1, &e), FRZ_OK, &e, "delete");
            must(w, frz_batch_delete(batch, w->b, &key, 1, &e), FRZ_OK, &e, "delete");
        } else {
            frz_row_clear(row);
            must(w, frz_row_set_long(row, 0, pair, &e), FRZ_OK, &e, "set");
            must(w, frz_row_set_string(row, 1, text, (size_t)len, &e), FRZ_OK, &e, "set");
            must(w, frz_batch_put(batch, w->a, row, &e), FRZ_OK, &e, "put");
            must(w, frz_batch_put(batch, w->b, row, &e), FRZ_OK, &e, "put");
        }
        must(w, frz_write(w->db, batch, NULL, &range, &e), FRZ_OK, &e, "write");
        if (range.last != range.first + 1 || range.first <= last.last) must(w, 1, 0, &e, "sequences");
        last = range;
        frz_batch_clear(batch);
        atomic_fetch_add(&w->batches, 1);
    }
    frz_row_free(row);
    frz_batch_free(batch);
    atomic_fetch_sub(&w->running, 1);
}

/* The same row, or none, in both tables of one snapshot. */
static void compare_pair(struct world *w, frz_snapshot *s, int64_t pair, frz_row *x, frz_row *y)
{
    frz_error e = {0};
    frz_value key = key_of(pair);
    int ra = frz_get(w->a, s, &key, 1, x, &e), rb = frz_get(w->b, s, &key, 1, y, &e);
    if (ra < 0) must(w, ra, 0, &e, "get");
    must(w, rb, ra, &e, "the second half");
    if (ra != FRZ_OK || rb != FRZ_OK) return;
    size_t nx = 0, ny = 0;
    const char *tx = frz_row_bytes(x, 1, &nx), *ty = frz_row_bytes(y, 1, &ny);
    if (nx != ny || memcmp(tx, ty, nx) != 0) must(w, 1, 0, &e, "the halves differ");
}

static void compare_scans(struct world *w, frz_snapshot *s)
{
    frz_error e = {0};
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *x, *y;
    const frz_row *rx, *ry;
    o.snapshot = s;
    must(w, frz_scan(w->a, &o, &x, &e), FRZ_OK, &e, "scan");
    must(w, frz_scan(w->b, &o, &y, &e), FRZ_OK, &e, "scan");
    for (;;) {
        int ra = frz_cursor_next(x, &rx, &e), rb = frz_cursor_next(y, &ry, &e);
        must(w, rb, ra, &e, "the scans' lengths");
        if (ra != FRZ_OK || rb != FRZ_OK) break;
        if (frz_row_long(rx, 0) != frz_row_long(ry, 0)) must(w, 1, 0, &e, "the scans' keys");
    }
    frz_cursor_close(x);
    frz_cursor_close(y);
    uint64_t ca = 0, cb = 0;
    must(w, frz_count(w->a, &o, &ca, &e), FRZ_OK, &e, "count");
    must(w, frz_count(w->b, &o, &cb, &e), FRZ_OK, &e, "count");
    if (ca != cb) must(w, 1, 0, &e, "the counts");
}

static void reader(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct world *w = me->w;
    struct rng rng = {(uint64_t)me->number + 5};
    frz_error e = {0};
    frz_row *x, *y;
    must(w, frz_row_new(w->a, &x, &e), FRZ_OK, &e, "row");
    must(w, frz_row_new(w->b, &y, &e), FRZ_OK, &e, "row");
    while (!atomic_load(&w->stop)) {
        frz_snapshot *s;
        must(w, frz_snapshot_open(w->db, &s, &e), FRZ_OK, &e, "snapshot");
        for (int i = 0; i < 20; i++) compare_pair(w, s, (int64_t)rng_below(&rng, PAIRS), x, y);
        if (rng_below(&rng, 4) == 0) compare_scans(w, s);
        frz_snapshot_close(s);
        atomic_fetch_add(&w->reads, 1);
    }
    frz_row_free(x);
    frz_row_free(y);
    atomic_fetch_sub(&w->running, 1);
}

static void flusher(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct world *w = me->w;
    frz_error e = {0};
    while (!atomic_load(&w->stop)) must(w, frz_table_flush(me->number ? w->a : w->b, &e), FRZ_OK, &e, "flush");
    atomic_fetch_sub(&w->running, 1);
}

static int print_finding(void *ctx, const frz_finding *f)
{
    (void)ctx;
    print_error("%s: %s: %s\n", f->table, f->where, f->what);
    return 0;
}

static void run_world(int format)
{
    struct world w = {0};
    struct worker workers[WRITERS + READERS + 2];
    struct pool *pool;
    struct mutex mu;
    struct cond never;
    char dir[600];
    frz_error e = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_schema *s;
    static const char *const keys[] = {"frazil.foreign-reader-grace-ms"}, *const values[] = {"0"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("threads"));
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    o.memtable_bytes = 32768;
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 1;
    OK(frz_db_open(dir, &o, &w.db, &e), &e);
    OK(frz_schema_parse("id long, text string?", "id", &s, &e), &e);
    OK(frz_table_create(w.db, "a", s, &to, &w.a, &e), &e);
    OK(frz_table_create(w.db, "b", s, &to, &w.b, &e), &e);
    frz_schema_free(s);
    OK(frz__pool_start(NULL, FRZ_ARRAY_LEN(workers), &pool, &e), &e);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(workers); i++) {
        workers[i] = (struct worker){.w = &w, .number = (int)i};
        pool_fn fn = i < WRITERS ? writer : i < WRITERS + READERS ? reader : flusher;
        if (fn == flusher) workers[i].number = (int)(i - WRITERS - READERS);
        workers[i].job = (struct pool_job){.fn = fn, .arg = &workers[i]};
        atomic_fetch_add(&w.running, 1);
        assert_true(frz__pool_submit(pool, &workers[i].job, false));
    }
    frz__mutex_init(&mu, RANK_LEAF, "test");
    frz__cond_init(&never);
    frz__mutex_lock(&mu);
    int64_t until = frz__clock_mono_ns() + (int64_t)SECONDS * 1000000000;
    while (frz__clock_mono_ns() < until) (void)frz__cond_wait_until(&never, &mu, until);
    atomic_store(&w.stop, true);
    while (atomic_load(&w.running)) (void)frz__cond_wait_until(&never, &mu, frz__clock_mono_ns() + 1000000);
    frz__mutex_unlock(&mu);
    frz__cond_clear(&never);
    frz__mutex_clear(&mu);
    frz__pool_stop(pool);
    print_message("%llu batches, %llu snapshots read\n", (unsigned long long)atomic_load(&w.batches), (unsigned long long)atomic_load(&w.reads));
    assert_int_equal(atomic_load(&w.failures), 0);
    assert_true(atomic_load(&w.batches) > 0 && atomic_load(&w.reads) > 0);
    frz_verify_report report = {.struct_size = sizeof report};
    OK(frz_verify(w.db, NULL, print_finding, NULL, &report, &e), &e);
    assert_int_equal(report.findings, 0);
    frz_table_close(w.a);
    frz_table_close(w.b);
    OK(frz_db_close(w.db, &e), &e);
    test_tmp_remove(dir);
}

TEST(threads, hazard_02_a_snapshot_over_two_tables_sees_whole_batches_in_format_2) { run_world(2); }
TEST(threads, hazard_02_a_snapshot_over_two_tables_sees_whole_batches_in_format_3) { run_world(3); }

/* ── tables that come and go ── */

static void tables_come_and_go(void *arg)
{
    struct world *w = ((struct worker *)arg)->w;
    frz_error e = {0};
    frz_schema *s = NULL;
    int rc = frz_schema_parse("id long", "id", &s, &e);
    while (rc == FRZ_OK && !atomic_load(&w->stop)) {
        frz_table *t = NULL;
        frz_row *row = NULL;
        rc = frz_table_create(w->db, "brief", s, NULL, &t, &e);
        if (rc == FRZ_OK) rc = frz_row_new(t, &row, &e);
        for (int64_t i = 0; rc == FRZ_OK && i < 5; i++) {
            rc = frz_row_set_long(row, 0, i, &e);
            if (rc == FRZ_OK) rc = frz_put(t, row, NULL, &e);
        }
        frz_row_free(row);
        frz_table_close(t);
        if (rc == FRZ_OK) rc = frz_table_drop(w->db, "brief", &e);
        atomic_fetch_add(&w->batches, 1);
    }
    must(w, rc, FRZ_OK, &e, "create, put, drop");
    frz_schema_free(s);
    atomic_fetch_sub(&w->running, 1);
}

static void count_message(void *ctx, int level, const char *message)
{
    (void)level;
    print_error("%s\n", message);
    ++*(int *)ctx;
}

TEST(threads, a_reader_of_its_own_is_told_nothing_of_tables_that_come_and_go)
{
    frz_error e = {0};
    struct world w = {0};
    struct worker worker = {.w = &w};
    struct pool *pool = NULL;
    const char *dir = test_tmp_dir("threads-brief");
    int told = 0;
    frz_db_options o = FRZ_DB_OPTIONS_INIT, ro = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    o.log_segment_bytes = 131072; /* a short log: it is read at each open */
    ro.read_only = true;
    ro.log = count_message;
    ro.log_ctx = &told;
    OK(frz_db_open(dir, &o, &w.db, &e), &e);
    OK(frz__pool_start(NULL, 1, &pool, &e), &e);
    worker.job = (struct pool_job){.fn = tables_come_and_go, .arg = &worker};
    atomic_store(&w.running, 1);
    assert_true(frz__pool_submit(pool, &worker.job, false));
    int64_t until = frz__clock_mono_ns() + (int64_t)SECONDS * 1000000000; /* each reads a log that is longer by what was written meanwhile: 200 may take a slow machine minutes */
    for (int i = 0; (i < 20 || (i < 200 && frz__clock_mono_ns() < until) || atomic_load(&w.batches) < 5) && !atomic_load(&w.stop); i++) {
        frz_db *reader = NULL;
        OK(frz_db_open(dir, &ro, &reader, &e), &e);
        OK(frz_db_close(reader, &e), &e);
    }
    atomic_store(&w.stop, true);
    frz__pool_stop(pool);
    assert_int_equal(atomic_load(&w.failures), 0);
    assert_int_equal(told, 0);
    OK(frz_db_close(w.db, &e), &e);
    test_tmp_remove(dir);
}
