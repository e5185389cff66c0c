/* Goal: compaction stays near its share of the memory, a quarter, and in a table of hundreds of columns, each of which has its buffers, near half. Method: an allocator that counts, and its peak while one runs. */
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/rand.h"
#include "engine/compact.h"

struct meter { _Atomic size_t now, peak; };

static void count_up(struct meter *m, size_t n)
{
    size_t now = atomic_fetch_add(&m->now, n) + n, peak = atomic_load(&m->peak);
    while (now > peak && !atomic_compare_exchange_weak(&m->peak, &peak, now)) {}
}
#define HEAD 16
static void *meter_alloc(void *ctx, size_t n)
{
    uint8_t *p = (uint8_t *)malloc(n + HEAD);
    if (!p) return NULL;
    memcpy(p, &n, sizeof n);
    count_up((struct meter *)ctx, n);
    return p + HEAD;
}
static void meter_free(void *ctx, void *at)
{
    size_t n;
    if (!at) return;
    uint8_t *p = (uint8_t *)at - HEAD;
    memcpy(&n, p, sizeof n);
    atomic_fetch_sub(&((struct meter *)ctx)->now, n);
    free(p);
}
static void *meter_realloc(void *ctx, void *at, size_t n)
{
    size_t old = 0;
    void *to = meter_alloc(ctx, n);
    if (!to || !at) return to;
    memcpy(&old, (uint8_t *)at - HEAD, sizeof old);
    memcpy(to, at, old < n ? old : n);
    meter_free(ctx, at);
    return to;
}

static size_t cached(frz_db *db) /* has a share of its own */
{
    frz_error e;
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(db, NULL, &s, &e), &e);
    return s.cache_bytes;
}

#define MEMORY ((size_t)64 << 20)

static char *wide_schema(int columns, const char *type)
{
    char *s = (char *)malloc((size_t)columns * 24 + 32);
    int n = sprintf(s, "id long");
    for (int i = 0; i < columns; i++) n += sprintf(s + n, ", c%d %s", i, type);
    return s;
}

/* A table of TEXT, nothing of which is flushed or compacted by itself, and whose memory METER counts. */
static void open_metered(struct meter *meter, const char *text, char dir[600], frz_db **db, frz_table **t)
{
    frz_allocator a = {meter, meter_alloc, meter_realloc, meter_free};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.compaction-enabled"}, *const values[] = {"0", "0"};
    frz_schema *s;
    frz_error e;
    snprintf(dir, 600, "%s", test_tmp_dir("compact-memory"));
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    o.memory_bytes = MEMORY;
    o.memtable_bytes = (uint64_t)1 << 30;
    o.compaction_threads = 1;
    o.allocator = &a;
    OK(frz_db_open(dir, &o, db, &e), &e);
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 2;
    OK(frz_schema_parse(text, "id", &s, &e), &e);
    OK(frz_table_create(*db, "t", s, &to, t, &e), &e);
    frz_schema_free(s);
}

/* What all of it as one run takes at most, the cache apart. */
static size_t compact_all(struct meter *meter, frz_db *db, frz_table *t)
{
    struct plan_options p;
    size_t before, most = 0;
    frz_error e;
    int rc, jobs = 0;
    do {
        frz__compact_options(t->t, &p);
        p.whole = true;
        before = atomic_load(&meter->now);
        atomic_store(&meter->peak, before);
        size_t cache = cached(db);
        rc = frz__compact(t->t, &p, NULL, &e);
        size_t used = atomic_load(&meter->peak) - before - (cached(db) - cache);
        if (used > most) most = used;
        jobs++;
    } while (rc == FRZ_OK);
    RC(rc, FRZ_DONE, &e);
    assert_true(jobs > 1);
    return most;
}

static void close_metered(struct meter *meter, frz_db *db, const char *dir)
{
    frz_error e;
    OK(frz_db_close(db, &e), &e);
    assert_int_equal(atomic_load(&meter->now), 0);
    test_tmp_remove(dir);
}

/* ROWS in FILES files that overlap, of COLUMNS strings of BYTES each; all become one run. */
static void peak_of(int columns, size_t bytes, int files, int64_t rows)
{
    static uint8_t value[65536];
    struct meter meter = {0};
    char dir[600], *text = wide_schema(columns, "binary");
    frz_db *db;
    frz_table *t;
    frz_row *row;
    struct rng rng = {3};
    frz_error e;
    open_metered(&meter, text, dir, &db, &t);
    free(text);
    OK(frz_row_new(t, &row, &e), &e);
    for (int f = 0; f < files; f++) {
        int64_t n = f ? rows : rows * 4; /* the first is too large to be absorbed; the others hold other keys */
        for (int64_t i = 0; i < n >> (f > 4 ? 4 : f); i++) {
            OK(frz_row_set_long(row, 0, i * 1000 + f, &e), &e);
            for (int c = 0; c < columns; c++) {
                for (size_t k = 0; k + 8 <= bytes; k += 8) {
                    uint64_t x = rng_next(&rng);
                    memcpy(value + k, &x, 8);
                }
                OK(frz_row_set_bytes(row, (size_t)c + 1, value, bytes, &e), &e);
            }
            OK(frz_put(t, row, NULL, &e), &e);
        }
        OK(frz_table_flush(t, &e), &e);
    }
    frz_row_free(row);
    size_t most = compact_all(&meter, db, t);
    print_message("%d columns of %zu bytes, %d files: at most %zu KiB\n", columns, bytes, files, most >> 10);
    assert_true(most < MEMORY / 8 * 5);
    close_metered(&meter, db, dir);
}

/* Files of a few KiB whose rows are megabytes: what flushes take in, and what they leave. */
TEST(compact_memory, is_bounded_for_rows_that_pack_well)
{
    const size_t len = (size_t)2 << 20, n = 40;
    struct meter meter = {0};
    char dir[600];
    frz_db *db;
    frz_table *t;
    frz_row *row;
    frz_error e;
    size_t flushing = 0, size = 0;
    open_metered(&meter, "id long, b binary?", dir, &db, &t);
    OK(frz_row_new(t, &row, &e), &e);
    void *zeros = calloc(1, len);
    OK(frz_row_set_bytes(row, 1, zeros, len, &e), &e);
    for (size_t i = 0; i < n; i++) {
        OK(frz_row_set_long(row, 0, (int64_t)(i * 7 % n), &e), &e);
        OK(frz_put(t, row, NULL, &e), &e);
        size_t before = atomic_load(&meter.now);
        atomic_store(&meter.peak, before);
        OK(frz_table_flush(t, &e), &e);
        if (atomic_load(&meter.peak) - before > flushing) flushing = atomic_load(&meter.peak) - before;
    }
    size_t most = compact_all(&meter, db, t);
    print_message("%zu rows of %zu bytes: a flush takes at most %zu KiB, a compaction %zu KiB\n", n, len, flushing >> 10, most >> 10);
    assert_true(flushing < MEMORY); /* a row is in many places on its way */
    assert_true(most < MEMORY);
    for (size_t i = 0; i < n; i++) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = (int64_t)i};
        OK(frz_get(t, NULL, &key, 1, row, &e), &e);
        const char *p = frz_row_bytes(row, 1, &size);
        assert_int_equal(size, len);
        assert_memory_equal(p, zeros, len);
    }
    free(zeros);
    frz_row_free(row);
    close_metered(&meter, db, dir);
}

TEST(compact_memory, is_bounded_for_narrow_rows) { peak_of(1, 8, 5, 30000); }
TEST(compact_memory, is_bounded_for_many_columns) { peak_of(300, 8, 5, 1200); }
TEST(compact_memory, is_bounded_for_large_values) { peak_of(2, 2000, 5, 2500); } /* 1,024 rows, a page of keys, are the least that is held: 4 MiB */
