/* Goal    out of memory is FRZ_NO_MEMORY, never a crash, a leak, or a wrong answer, and the same call works later.
 * Method  a life of a database (open, create, put, batch, update, get, flush, scan, delete, property, drop, close, reopen) with the nth allocation failing, for every n that time allows. */
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
    bool stopped;    /* writes stopped once: a logged write could not be held */
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

/* Out of memory between the log and the memtable stops writes until the next open: then the write is there. */
#define WRITTEN(call)                                                                                                                      \
    do {                                                                                                                                   \
        int written_ = FRZ_NO_MEMORY;                                                                                                      \
        for (int tries_ = 0; tries_ < 4 && written_ == FRZ_NO_MEMORY; tries_++) {                                                          \
            written_ = (call);                                                                                                             \
            l->failed += written_ == FRZ_NO_MEMORY;                                                                                        \
            if (written_ == FRZ_NO_MEMORY && strstr(l->e.message, "writes stop")) {                                                        \
                l->stopped = true;                                                                                                         \
                (void)frz_db_close(l->db, &l->e);                                                                                          \
                open_life(l);                                                                                                              \
                open_tables(l);                                                                                                            \
            }                                                                                                                              \
        }                                                                                                                                  \
        frz_test_rc(written_, FRZ_OK, &l->e, #call, __FILE__, __LINE__);                                                                   \
    } while (0)

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
            WRITTEN(try_put(l, l->t[i], round * 20, round * 20 + 40, "some text"));
            WRITTEN(try_update(l, l->t[i], round * 20 + 3, "updated"));
            WRITTEN(try_delete(l, l->t[i], round * 20 + 5));
            TRIED(try_get(l, l->t[i], round * 20 + 3, "updated"));
            TRIED(frz_table_flush(l->t[i], &l->e));
            TRIED(try_get(l, l->t[i], round * 20 + 3, "updated"));
            TRIED(try_get(l, l->t[i], round * 20 + 5, NULL));
            WRITTEN(try_put(l, l->t[i], 1000 + round, 1001 + round, "beside"));
            TRIED(try_scan(l, l->t[i], round * 20 + 40 - 1 - round + round + 1));
        }
        TRIED(try_snapshot(l));
    }
    TRIED(frz_table_set_property(l->t[0], "owner", "x", &l->e));
    TRIED(try_verify(l));
    frz_table *c = NULL;
    TRIED(try_create(l, "c", 2, &c));
    WRITTEN(try_put(l, l->t[0], 1000, 1001, "again"));
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

static void live_failing(struct life *l, long n)
{
    frz_error e;
    *l = (struct life){.o = FRZ_DB_OPTIONS_INIT};
    OK(frz__fs_fault_new(NULL, 1, &l->fs, &e), &e);
    test_alloc_init(&l->alloc, n);
    l->o.create = true;
    l->o.allocator = &l->alloc.vt;
    l->o.memory_bytes = 8 << 20;
    l->o.log_segment_bytes = 131072;
    live(l);
    if (l->alloc.live != 0) print_error("allocation %ld failed: %ld blocks are left\n", n, l->alloc.live);
    assert_int_equal(l->alloc.live, 0);
    frz__fs_free(l->fs);
}

TEST(out_of_memory, at_any_allocation_of_a_life_is_an_error_and_no_more)
{
    struct life l;
    const char *s = getenv("FRZ_CRASH_SECONDS");
    double until = now_s() + (s ? atof(s) : 12);
    live_failing(&l, 0);
    assert_int_equal(l.failed, 0);
    long calls = l.alloc.calls, did = 0, told = 0, stopped = 0, stride = calls / 3 | 1;
    while (stride > 1 && calls % stride == 0) stride -= 2;
    for (long i = 0, n = 0; i < calls && (i < 24 || now_s() < until); i++, did++) {
        live_failing(&l, n + 1);
        told += l.failed > 0;
        stopped += l.stopped;
        n = (n + stride) % calls;
    }
    print_message("%ld of %ld allocations; %ld were told, %ld stopped writes\n", did, calls, told, stopped);
    assert_true(told > did / 4);
}
