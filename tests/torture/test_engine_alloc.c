/* Goal    out of memory is FRZ_NO_MEMORY, never a crash, a leak, or a wrong answer, and the same call works later.
 * Method  a life of a database (open, create, put, batch, update, get, flush, compact, scan, delete, property, drop, close, reopen) with the nth allocation failing, for every n that time allows. */
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/handle.h"
#include "io/fs_fault.h"

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct life {
    struct fs *fs;
    struct test_alloc alloc;
    frz_db_options o;
    frz_db *db;
    frz_table *t[2];
    frz_error e;
    unsigned failed; /* calls that gave FRZ_NO_MEMORY */
};

static void open_life(struct life *l);

/* Tries CALL until it works: the nth allocation fails once. */
#define TRIED(call)                                                                                                                        \
    do {                                                                                                                                   \
        int tried_ = FRZ_NO_MEMORY;                                                                                                        \
        for (int tries_ = 0; tries_ < 4 && tried_ == FRZ_NO_MEMORY; tries_++) {                                                            \
            tried_ = (call);                                                                                                               \
            l->failed += tried_ == FRZ_NO_MEMORY;                                                                                          \
        }                                                                                                                                  \
        frz_test_rc(tried_, FRZ_OK, &l->e, #call, __FILE__, __LINE__);                                                                     \
    } while (0)

static void open_life(struct life *l)
{
    TRIED(frz__test_db_open(l->fs, &l->o, &l->db, &l->e));
}
static void open_tables(struct life *l)
{
    TRIED(frz_table_open(l->db, "a", &l->t[0], &l->e));
    TRIED(frz_table_open(l->db, "b", &l->t[1], &l->e));
}

static int try_create(struct life *l, const char *name, int format, frz_table **out)
{
    frz_schema *s = NULL;
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    o.format_version = format;
    int rc = frz_schema_parse("id long, v string?, d decimal(9,2)?", "id", &s, &l->e);
    if (rc == FRZ_OK) rc = frz_table_create(l->db, name, s, &o, out, &l->e);
    frz_schema_free(s);
    return rc;
}

static int try_put(struct life *l, frz_table *t, int64_t from, int64_t to, const char *v)
{
    frz_batch *b = NULL;
    frz_row *row = NULL;
    int rc = frz_batch_new(l->db, &b, &l->e);
    if (rc == FRZ_OK) rc = frz_row_new(t, &row, &l->e);
    for (int64_t i = from; rc == FRZ_OK && i < to; i++) {
        rc = frz_row_set_long(row, 0, i, &l->e);
        if (rc == FRZ_OK) rc = frz_row_set_string(row, 1, v, strlen(v), &l->e);
        if (rc == FRZ_OK) rc = frz_batch_put(b, t, row, &l->e);
    }
    if (rc == FRZ_OK) rc = frz_write(l->db, b, NULL, NULL, &l->e);
    frz_row_free(row);
    frz_batch_free(b);
    return rc;
}

static int try_update(struct life *l, frz_table *t, int64_t id, const char *v)
{
    frz_row *row = NULL;
    int rc = frz_row_new(t, &row, &l->e);
    if (rc == FRZ_OK) rc = frz_row_set_long(row, 0, id, &l->e);
    if (rc == FRZ_OK) rc = frz_row_set_string(row, 1, v, strlen(v), &l->e);
    if (rc == FRZ_OK) rc = frz_update(t, row, NULL, &l->e);
    frz_row_free(row);
    return rc;
}

static int try_delete(struct life *l, frz_table *t, int64_t id)
{
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    return frz_delete(t, &key, 1, NULL, &l->e);
}

static int try_get(struct life *l, frz_table *t, int64_t id, const char *v)
{
    frz_row *row = NULL;
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    int rc = frz_row_new(t, &row, &l->e);
    if (rc == FRZ_OK) rc = frz_get(t, NULL, &key, 1, row, &l->e);
    if (rc != FRZ_NO_MEMORY) {
        size_t n;
        assert_int_equal(rc, v ? FRZ_OK : FRZ_NOT_FOUND);
        const char *got = v ? frz_row_bytes(row, 1, &n) : NULL;
        if (v) {
            assert_int_equal(n, strlen(v));
            assert_memory_equal(got, v, n);
        }
        rc = FRZ_OK;
    }
    frz_row_free(row);
    return rc;
}

static int try_scan(struct life *l, frz_table *t, int64_t rows)
{
    frz_cursor *c = NULL;
    const frz_row *row;
    int64_t n = 0;
    uint64_t counted = 0;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.where = "v is not null and id < 100000";
    int rc = frz_scan(t, &o, &c, &l->e);
    while (rc == FRZ_OK && (rc = frz_cursor_next(c, &row, &l->e)) == FRZ_OK) n++;
    frz_cursor_close(c);
    if (rc == FRZ_DONE) {
        assert_int_equal(n, rows);
        rc = frz_count(t, NULL, &counted, &l->e);
        if (rc == FRZ_OK) assert_int_equal(counted, rows);
    }
    return rc;
}

static int try_snapshot(struct life *l)
{
    frz_snapshot *s = NULL;
    int rc = frz_snapshot_open(l->db, &s, &l->e);
    frz_snapshot_close(s);
    return rc;
}

static int try_compact(struct life *l, frz_table *t, int round)
{
    frz_value from = {.type = FRZ_LONG, .as.i64 = 0};
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    o.no_flush = round == 0;
    o.from = &from;
    o.from_count = 1;
    return frz_table_compact(t, &o, NULL, &l->e);
}

static int try_verify(struct life *l)
{
    frz_verify_report r = {.struct_size = sizeof r};
    int rc = frz_verify(l->db, NULL, NULL, NULL, &r, &l->e);
    if (rc == FRZ_OK) assert_int_equal(r.findings, 0);
    return rc;
}

static void live(struct life *l)
{
    open_life(l);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "b" : "a";
        TRIED(try_create(l, name, 2 + i, &l->t[i]));
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2; i++) {
            TRIED(try_put(l, l->t[i], round * 20, round * 20 + 40, "some text"));
            TRIED(try_update(l, l->t[i], round * 20 + 3, "updated"));
            TRIED(try_delete(l, l->t[i], round * 20 + 5));
            TRIED(try_get(l, l->t[i], round * 20 + 3, "updated"));
            TRIED(frz_table_flush(l->t[i], &l->e));
            TRIED(try_get(l, l->t[i], round * 20 + 3, "updated"));
            TRIED(try_get(l, l->t[i], round * 20 + 5, NULL));
            TRIED(try_put(l, l->t[i], 1000 + round, 1001 + round, "beside"));
            TRIED(try_scan(l, l->t[i], round * 20 + 40 - 1 - round + round + 1));
        }
        TRIED(try_snapshot(l));
        if (round == 1) continue;
        for (int i = 0; i < 2; i++) { /* with masks, and without a flush with what the last one left */
            TRIED(try_compact(l, l->t[i], round));
            TRIED(try_get(l, l->t[i], round * 20 + 3, "updated"));
            TRIED(try_scan(l, l->t[i], round * 20 + 40 - 1 + 1));
        }
    }
    TRIED(frz_table_set_property(l->t[0], "owner", "x", &l->e));
    TRIED(try_verify(l));
    frz_table *c = NULL;
    TRIED(try_create(l, "c", 2, &c));
    TRIED(try_put(l, l->t[0], 1000, 1001, "again"));
    (void)c;
    int rc = FRZ_NO_MEMORY;
    for (int tries = 0; tries < 4 && rc == FRZ_NO_MEMORY; tries++) {
        rc = frz_table_drop(l->db, "c", &l->e);
        l->failed += rc == FRZ_NO_MEMORY;
    }
    RC(rc, FRZ_OK, &l->e);
    rc = frz_db_close(l->db, &l->e);
    if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &l->e);
    open_life(l);
    open_tables(l);
    for (int i = 0; i < 2; i++) TRIED(try_scan(l, l->t[i], 80));
    rc = frz_db_close(l->db, &l->e);
    if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &l->e);
}

/* ── snapshots: named, read by name and time, expired; properties; an upgrade ── */

static int on_ref(void *ctx, const frz_ref_info *i) { return (void)i, ++*(int *)ctx, 0; }
static int on_snapshot(void *ctx, const frz_snapshot_info *i) { return (void)i, ++*(int *)ctx, 0; }

static int try_opened(struct life *l, int how)
{
    frz_snapshot *s = NULL;
    frz_schema *schema = NULL;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    uint64_t n = 0;
    int rc = how ? frz_snapshot_open_ref(l->t[0], "first", &s, &l->e) : frz_snapshot_open_at(l->t[0], INT64_MAX, &s, &l->e);
    if (rc == FRZ_OK) rc = frz_snapshot_schema(s, l->t[0], &schema, &l->e);
    o.snapshot = s;
    if (rc == FRZ_OK) rc = frz_count(l->t[0], &o, &n, &l->e);
    if (rc == FRZ_OK) assert_int_equal(n, how ? 40 : 60);
    frz_schema_free(schema);
    frz_snapshot_close(s);
    return rc;
}

static void live_named(struct life *l)
{
    const char *keys[] = {"frazil.retention", "owner", "nothing"}, *values[] = {"all:4, 1h:4", "me", NULL};
    frz_expire_options expire = FRZ_EXPIRE_OPTIONS_INIT;
    frz_tag_options gone = FRZ_TAG_OPTIONS_INIT;
    int refs = 0;
    expire.by_time = true;
    expire.older_than_ms = INT64_MAX;
    expire.keep_last = 1;
    open_life(l);
    TRIED(try_create(l, "a", 2, &l->t[0]));
    TRIED(frz_table_set_properties(l->t[0], keys, values, 3, &l->e));
    TRIED(try_put(l, l->t[0], 0, 40, "some text"));
    TRIED(frz_table_flush(l->t[0], &l->e));
    TRIED(frz_table_tag(l->t[0], "first", NULL, &l->e));
    TRIED(try_put(l, l->t[0], 20, 60, "more text"));
    TRIED(frz_table_flush(l->t[0], &l->e));
    TRIED(frz_table_tag(l->t[0], "second", NULL, &l->e));
    TRIED(frz_table_refs(l->t[0], on_ref, &refs, &l->e));
    assert_true(refs >= 3); /* counted again where it was tried again */
    TRIED(try_opened(l, 0));
    TRIED(try_opened(l, 1));
    TRIED(frz_table_upgrade(l->t[0], 3, &l->e));
    TRIED(try_put(l, l->t[0], 10, 12, "of format 3"));
    TRIED(frz_table_flush(l->t[0], &l->e));
    expire.dry_run = true;
    TRIED(frz_table_expire(l->t[0], &expire, on_snapshot, &refs, &l->e));
    expire.dry_run = false;
    TRIED(frz_table_expire(l->t[0], &expire, on_snapshot, &refs, &l->e));
    gone.remove = true;
    TRIED(frz_table_tag(l->t[0], "second", &gone, &l->e));
    TRIED(try_opened(l, 0));
    TRIED(try_opened(l, 1));
    TRIED(try_verify(l));
    int rc = frz_db_close(l->db, &l->e);
    if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &l->e);
}

static void live_failing(struct life *l, void (*life)(struct life *), long n)
{
    frz_error e;
    *l = (struct life){.o = FRZ_DB_OPTIONS_INIT};
    OK(frz__fs_fault_new(NULL, 1, &l->fs, &e), &e);
    test_alloc_init(&l->alloc, n);
    l->o.create = true;
    l->o.no_compaction = true; /* allocations are counted: as few threads as may be */
    l->o.allocator = &l->alloc.vt;
    l->o.memory_bytes = 8 << 20;
    l->o.log_segment_bytes = 131072;
    life(l);
    if (l->alloc.live != 0) print_error("allocation %ld failed: %ld blocks are left\n", n, l->alloc.live);
    assert_int_equal(l->alloc.live, 0);
    frz__fs_free(l->fs);
}

static void each_fails(void (*life)(struct life *), double seconds)
{
    struct life l;
    const char *s = getenv("FRZ_CRASH_SECONDS");
    double until = now_s() + (s ? atof(s) : seconds);
    live_failing(&l, life, 0);
    assert_int_equal(l.failed, 0);
    long calls = l.alloc.calls, did = 0, told = 0, stride = calls / 3 | 1;
    while (stride > 1 && calls % stride == 0) stride -= 2;
    for (long i = 0, n = 0; i < calls && (i < 24 || now_s() < until); i++, did++) {
        live_failing(&l, life, n + 1);
        told += l.failed > 0;
        n = (n + stride) % calls;
    }
    print_message("%ld of %ld allocations; %ld were told\n", did, calls, told);
    assert_true(told > did / 4);
}
TEST(out_of_memory, at_any_allocation_of_a_life_is_an_error_and_no_more) { each_fails(live, 12); }
TEST(out_of_memory, at_any_allocation_of_tags_expiry_and_an_upgrade_is_an_error_and_no_more) { each_fails(live_named, 6); }

/* ── memory runs out behind the log ── */

static struct { _Atomic bool none; } memory;
static void *m_alloc(void *ctx, size_t bytes) { return memory.none ? NULL : malloc(bytes); }
static void *m_realloc(void *ctx, void *p, size_t bytes) { return memory.none ? NULL : realloc(p, bytes); }
static void m_free(void *ctx, void *p) { free(p); }

static void on_change(void *ctx, struct fs *fs)
{
    uint64_t *synced = (uint64_t *)ctx, now = frz__fs_fault_counts(fs).site[SYNC_LOG_SEGMENT];
    if (now != *synced) memory.none = true; /* the write is logged; what is left to do may not fail */
    *synced = now;
}

TEST(out_of_memory, behind_the_log_takes_from_the_reserve_and_writes_go_on)
{
    static const int64_t sizes[] = {1, 128, 3, 1, 5000, 1, 128, 20};
    struct life l = {.o = FRZ_DB_OPTIONS_INIT};
    uint64_t synced = 0, id = 0, rows = 0;
    frz_allocator a = {NULL, m_alloc, m_realloc, m_free};
    OK(frz__fs_fault_new(NULL, 1, &l.fs, &l.e), &l.e);
    l.o.create = l.o.no_compaction = true;
    l.o.allocator = &a;
    l.o.memory_bytes = 64 << 20;
    open_life(&l);
    OK(try_create(&l, "a", 2, &l.t[0]), &l.e);
    frz__fs_fault_plan(l.fs, &(struct fs_fault_plan){.on_change = on_change, .ctx = &synced});
    for (int round = 0; round < 60; round++) {
        int64_t n = sizes[round % FRZ_ARRAY_LEN(sizes)];
        frz_batch *b = NULL;
        frz_row *row = NULL;
        OK(frz_batch_new(l.db, &b, &l.e), &l.e);
        OK(frz_row_new(l.t[0], &row, &l.e), &l.e);
        for (int64_t i = 0; i < n; i++) {
            OK(frz_row_set_long(row, 0, (int64_t)(id++ * 0x9E3779B97F4A7C15u >> 1), &l.e), &l.e); /* all over the tree */
            OK(frz_row_set_string(row, 1, "some text", 9, &l.e), &l.e);
            OK(frz_batch_put(b, l.t[0], row, &l.e), &l.e);
        }
        int rc = frz_write(l.db, b, NULL, NULL, &l.e);
        assert_true(memory.none);
        memory.none = false;
        OK(rc, &l.e);
        rows += (uint64_t)n;
        frz_row_free(row);
        frz_batch_free(b);
    }
    frz__fs_fault_plan(l.fs, &(struct fs_fault_plan){0});
    uint64_t counted = 0;
    OK(frz_count(l.t[0], NULL, &counted, &l.e), &l.e);
    assert_int_equal(counted, rows);
    OK(frz_db_close(l.db, &l.e), &l.e);
    frz__fs_free(l.fs);
}
