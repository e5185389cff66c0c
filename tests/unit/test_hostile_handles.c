/* Goal    handles used wrongly: after close, after fork, of another database, while others hold on to what goes. Each call answers, nothing crashes, nothing leaks, and what was there stays readable.
 * Method  every function that takes a handle is called with a closed one; a child process tries all of its parent's; tables are dropped and closed under open cursors; threads flush, drop and create at once. */
#include "hostile_kit.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(hostile_handles, a_closed_handle_is_recognised_by_every_function)
{
    struct host h;
    frz_error e;
    frz_snapshot *snap = NULL;
    frz_cursor *c = NULL;
    frz_batch *b = NULL, *kept = NULL;
    frz_blob *blob = NULL;
    const frz_row *row;
    frz_schema *s = NULL;
    uint64_t n;
    frz_value key = h_long(1);
    h_open(&h, "hh-closed", "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    frz_row *r = h.r;
    frz_table *t = h.t;
    OK(frz_snapshot_open(h.db, &snap, &e), &e);
    OK(frz_scan(t, NULL, &c, &e), &e);
    OK(frz_batch_new(h.db, &b, &e), &e);
    OK(frz_batch_new(h.db, &kept, &e), &e);
    OK(frz_batch_put(kept, t, r, &e), &e);
#define DEAD(expr) FAILS(expr, FRZ_MISUSE, &e)
    frz_cursor_close(c);
    DEAD(frz_cursor_next(c, &row, &e));
    frz_cursor_close(c);
    frz_snapshot_close(snap);
    frz_snapshot_close(snap);
    assert_int_equal(frz_snapshot_seq(snap), 0);
    DEAD(frz_get(t, snap, &key, 1, r, &e));
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.snapshot = snap;
    DEAD(frz_scan(t, &o, &c, &e));
    DEAD(frz_count(t, &o, &n, &e));
    frz_batch_free(b);
    frz_batch_free(b);
    frz_batch_clear(b);
    assert_int_equal(frz_batch_count(b), 0);
    DEAD(frz_batch_put(b, t, r, &e));
    DEAD(frz_batch_delete(b, t, &key, 1, &e));
    DEAD(frz_write(h.db, b, NULL, NULL, &e));
    frz_table *twice = NULL;
    OK(frz_table_open(h.db, "t", &twice, &e), &e);
    frz_table_close(twice);
    frz_table_close(twice);
    DEAD(frz_put(twice, r, NULL, &e));
    DEAD(frz_delete(twice, &key, 1, NULL, &e));
    DEAD(frz_get(twice, NULL, &key, 1, r, &e));
    DEAD(frz_table_flush(twice, &e));
    DEAD(frz_table_schema(twice, &s, &e));
    DEAD(frz_table_property(twice, "a", &blob, &e));
    DEAD(frz_row_new(twice, &h.r, &e));
    DEAD(frz_batch_put(kept, twice, r, &e));
    assert_string_equal(frz_table_name(twice), "");
    /* the wrong kind of handle */
    DEAD(frz_table_flush((frz_table *)(void *)h.db, &e));
    DEAD(frz_db_flush((frz_db *)(void *)t, &e));
    frz_schema *of_table = NULL;
    OK(frz_table_schema(t, &of_table, &e), &e);
    OK(frz_db_close(h.db, &e), &e);
    DEAD(frz_db_close(h.db, &e));
    DEAD(frz_db_flush(h.db, &e));
    DEAD(frz_db_sync(h.db, &e));
    DEAD(frz_table_open(h.db, "t", &h.t, &e));
    DEAD(frz_put(t, r, NULL, &e));
    DEAD(frz_scan(t, NULL, &c, &e));
    DEAD(frz_snapshot_open(h.db, &snap, &e));
    DEAD(frz_batch_put(kept, t, r, &e));
    DEAD(frz_write(h.db, kept, NULL, NULL, &e));
    frz_table_close(t);
    frz_batch_free(kept); /* after its database */
    /* rows and schemas outlive it */
    OK(frz_row_set_long(r, 0, 9, &e), &e);
    assert_int_equal(frz_row_long(r, 0), 9);
    assert_int_equal(frz_schema_column_count(of_table), 2);
    frz_row_free(r);
    frz_schema_free(of_table);
    h.r = NULL;
    h.db = NULL;
    test_tmp_remove(h.path);
}

TEST(hostile_handles, rows_and_schemas_outlive_a_database_with_its_own_allocator)
{
    struct host h = {.db = NULL};
    struct test_alloc a;
    frz_schema *of_table = NULL;
    frz_batch *b = NULL;
    frz_db_options o = h_options();
    test_alloc_init(&a, 0);
    frz_allocator *copied = (frz_allocator *)malloc(sizeof *copied);
    *copied = a.vt;
    o.allocator = copied;
    snprintf(h.path, sizeof h.path, "%s", test_tmp_dir("hh-alloc"));
    OK(frz_db_open(h.path, &o, &h.db, &h.e), &h.e);
    free(copied); /* it was copied, as the manual says */
    h_table(&h, "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    OK(frz_table_schema(h.t, &of_table, &h.e), &h.e);
    OK(frz_batch_new(h.db, &b, &h.e), &h.e);
    OK(frz_batch_update(b, h.t, h.r, &h.e), &h.e);
    OK(frz_db_close(h.db, &h.e), &h.e);
    OK(frz_row_set_string(h.r, 1, "a longer text than before, that needs room of its own", 50, &h.e), &h.e);
    frz_row_free(h.r);
    frz_schema_free(of_table);
    frz_batch_free(b);
    assert_int_equal(a.live, 0);
    test_tmp_remove(h.path);
}

TEST(hostile_handles, a_database_with_open_snapshots_or_cursors_is_busy_and_goes_on)
{
    struct host h;
    frz_snapshot *snap = NULL;
    frz_cursor *c = NULL;
    const frz_row *row;
    struct ArrowArrayStream stream = {0};
    h_open(&h, "hh-busy", "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    OK(frz_snapshot_open(h.db, &snap, &h.e), &h.e);
    FAILS(frz_db_close(h.db, &h.e), FRZ_BUSY, &h.e);
    OK(h_put(&h, 2), &h.e);
    OK(frz_scan(h.t, NULL, &c, &h.e), &h.e);
    frz_snapshot_close(snap);
    FAILS(frz_db_close(h.db, &h.e), FRZ_BUSY, &h.e);
    MESSAGE_HAS(&h.e, "1 ");
    OK(frz_table_flush(h.t, &h.e), &h.e);
    OK(frz_cursor_next(c, &row, &h.e), &h.e);
    frz_cursor_close(c);
    OK(frz_scan_arrow(h.t, NULL, &stream, &h.e), &h.e);
    FAILS(frz_db_close(h.db, &h.e), FRZ_BUSY, &h.e);
    h_has(&h, 2);
    stream.release(&stream);
    h_close(&h);
}

TEST(hostile_handles, a_scan_that_fails_to_begin_holds_nothing)
{
    struct host h;
    frz_cursor *c = NULL;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_snapshot *snap = NULL;
    h_open(&h, "hh-begin", "id long, v string?", "id");
    RC(frz_snapshot_open_published(h.t, 12345, &snap, &h.e), FRZ_NOT_FOUND, &h.e);
    assert_null(snap);
    o.where = "nope = 1";
    FAILS(frz_scan(h.t, &o, &c, &h.e), FRZ_INVALID, &h.e);
    o.where = NULL;
    o.from_count = 3;
    FAILS(frz_scan(h.t, &o, &c, &h.e), FRZ_INVALID, &h.e);
    h_close(&h); /* not busy */
}

TEST(hostile_handles, handles_of_another_database_are_misuse)
{
    struct host h, g;
    frz_snapshot *snap = NULL;
    frz_batch *b = NULL;
    frz_cursor *c = NULL;
    frz_value key = h_long(1);
    frz_stats st = FRZ_INIT(frz_stats);
    h_open(&h, "hh-one", "id long, v string?", "id");
    h_open(&g, "hh-two", "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    OK(frz_snapshot_open(h.db, &snap, &h.e), &h.e);
    FAILS(frz_get(g.t, snap, &key, 1, g.r, &g.e), FRZ_MISUSE, &g.e);
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.snapshot = snap;
    FAILS(frz_scan(g.t, &o, &c, &g.e), FRZ_MISUSE, &g.e);
    OK(frz_batch_new(h.db, &b, &h.e), &h.e);
    FAILS(frz_batch_put(b, g.t, h.r, &h.e), FRZ_MISUSE, &h.e);
    FAILS(frz_write(g.db, b, NULL, NULL, &g.e), FRZ_MISUSE, &g.e);
    FAILS(frz_db_stats(g.db, h.t, &st, &g.e), FRZ_MISUSE, &g.e);
    frz_batch_free(b);
    frz_snapshot_close(snap);
    /* a row of another shape */
    frz_schema *s = h_schema("id long, other int?", "id");
    frz_row *r = NULL;
    OK(frz_row_new_schema(s, &r, &h.e), &h.e);
    OK(frz_row_set_long(r, 0, 1, &h.e), &h.e);
    FAILS(frz_put(h.t, r, NULL, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "main.t");
    FAILS(frz_get(h.t, NULL, &key, 1, r, &h.e), FRZ_INVALID, &h.e);
    frz_row_free(r);
    frz_schema_free(s);
    h_has(&h, 1);
    h_close(&h);
    h_close(&g);
}

TEST(hostile_handles, a_cursor_row_is_not_the_hosts)
{
    struct host h;
    frz_cursor *c = NULL;
    const frz_row *row;
    h_open(&h, "hh-row", "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    OK(frz_scan(h.t, NULL, &c, &h.e), &h.e);
    OK(frz_cursor_next(c, &row, &h.e), &h.e);
    frz_row *mine = (frz_row *)(uintptr_t)row;
    frz_value key = h_long(1);
    FAILS(frz_row_set_long(mine, 0, 5, &h.e), FRZ_MISUSE, &h.e);
    FAILS(frz_row_set_json(mine, "{}", 2, &h.e), FRZ_MISUSE, &h.e);
    frz_row_clear(mine);
    frz_row_free(mine);
    assert_int_equal(frz_row_long(row, 0), 1);
    FAILS(frz_get(h.t, NULL, &key, 1, mine, &h.e), FRZ_MISUSE, &h.e);
    OK(frz_put(h.t, row, NULL, &h.e), &h.e); /* but it may be put */
    RC(frz_cursor_next(c, &row, &h.e), FRZ_DONE, &h.e);
    RC(frz_cursor_next(c, &row, &h.e), FRZ_DONE, &h.e);
    frz_cursor_close(c);
    h_close(&h);
}

/* ── fork ── */

#define CHILD(x)                                                                                                                           \
    do {                                                                                                                                   \
        if ((x) != FRZ_MISUSE) _exit(__LINE__ & 0x7F ? __LINE__ & 0x7F : 1);                                                               \
    } while (0)

TEST(hostile_handles, a_forked_child_is_refused_everything_and_harms_nothing)
{
    struct host h;
    frz_snapshot *snap = NULL;
    frz_cursor *c = NULL;
    frz_batch *b = NULL;
    frz_value key = h_long(1);
    const frz_row *row;
    uint64_t n;
    frz_stats st = FRZ_INIT(frz_stats);
    h_open(&h, "hh-fork", "id long, v string?", "id");
    for (int i = 0; i < 100; i++) OK(h_put(&h, i), &h.e);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    OK(h_put(&h, 100), &h.e);
    OK(frz_snapshot_open(h.db, &snap, &h.e), &h.e);
    OK(frz_scan(h.t, NULL, &c, &h.e), &h.e);
    OK(frz_batch_new(h.db, &b, &h.e), &h.e);
    OK(frz_batch_put(b, h.t, h.r, &h.e), &h.e);
    pid_t child = fork();
    if (child == 0) {
        frz_error e;
        frz_table *t = NULL;
        frz_snapshot *other = NULL;
        frz_batch *another = NULL;
        frz_schema *s = NULL;
        frz_row *r = NULL;
        CHILD(frz_put(h.t, h.r, NULL, &e));
        CHILD(frz_delete(h.t, &key, 1, NULL, &e));
        CHILD(frz_get(h.t, NULL, &key, 1, h.r, &e));
        CHILD(frz_scan(h.t, NULL, &c, &e) == FRZ_MISUSE ? FRZ_MISUSE : 0);
        CHILD(frz_count(h.t, NULL, &n, &e));
        CHILD(frz_table_flush(h.t, &e));
        CHILD(frz_table_schema(h.t, &s, &e));
        CHILD(frz_row_new(h.t, &r, &e));
        CHILD(frz_table_open(h.db, "t", &t, &e));
        CHILD(frz_table_drop(h.db, "t", &e));
        CHILD(frz_db_flush(h.db, &e));
        CHILD(frz_db_sync(h.db, &e));
        CHILD(frz_db_refresh(h.db, &e));
        CHILD(frz_db_stats(h.db, NULL, &st, &e));
        CHILD(frz_snapshot_open(h.db, &other, &e));
        CHILD(frz_batch_new(h.db, &another, &e));
        CHILD(frz_batch_put(b, h.t, h.r, &e));
        CHILD(frz_write(h.db, b, NULL, NULL, &e));
        frz_batch_clear(b);
        frz_batch_free(b);
        frz_snapshot_close(snap);
        frz_table_close(h.t);
        CHILD(frz_db_close(h.db, &e));
        frz_db *mine = NULL; /* and the lock is the parent's still */
        frz_db_options o = h_options();
        if (frz_db_open(h.path, &o, &mine, &e) != FRZ_BUSY) _exit(126);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status)) print_error("the child failed at line %d modulo 128\n", WEXITSTATUS(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    child = fork();
    if (child == 0) { /* a cursor of the parent's */
        frz_error e;
        CHILD(frz_cursor_next(c, &row, &e));
        frz_cursor_close(c);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    int seen = 0;
    while (frz_cursor_next(c, &row, &h.e) == FRZ_OK) seen++;
    assert_int_equal(seen, 101);
    frz_cursor_close(c);
    frz_snapshot_close(snap);
    OK(frz_write(h.db, b, NULL, NULL, &h.e), &h.e);
    frz_batch_free(b);
    OK(h_put(&h, 101), &h.e);
    assert_int_equal(h_count(&h), 102);
    h_verify(&h);
    h_close(&h);
}

/* ── what goes while it is in use ── */

TEST(hostile_handles, a_cursor_reads_on_when_its_table_is_dropped)
{
    struct host h;
    frz_cursor *c = NULL, *late = NULL;
    frz_snapshot *snap = NULL;
    const frz_row *row;
    frz_value key = h_long(1);
    const int64_t N = 20000;
    h_open(&h, "hh-drop", "id long, v string?", "id");
    for (int64_t i = 0; i < N; i++) {
        OK(h_put(&h, i), &h.e);
        if (i == N / 2) OK(frz_table_flush(h.t, &h.e), &h.e);
    }
    OK(frz_snapshot_open(h.db, &snap, &h.e), &h.e);
    OK(frz_scan(h.t, NULL, &c, &h.e), &h.e);
    OK(frz_cursor_next(c, &row, &h.e), &h.e);
    OK(frz_table_drop(h.db, "t", &h.e), &h.e);
    RC(frz_table_drop(h.db, "t", &h.e), FRZ_NOT_FOUND, &h.e);
    RC(h_put(&h, 1), FRZ_NOT_FOUND, &h.e);
    MESSAGE_HAS(&h.e, "dropped");
    RC(frz_delete(h.t, &key, 1, NULL, &h.e), FRZ_NOT_FOUND, &h.e);
    RC(frz_get(h.t, NULL, &key, 1, h.r, &h.e), FRZ_NOT_FOUND, &h.e);
    RC(frz_table_flush(h.t, &h.e), FRZ_NOT_FOUND, &h.e);
    RC(frz_table_set_property(h.t, "a", "b", &h.e), FRZ_NOT_FOUND, &h.e);
    RC(frz_table_alter(h.t, &(frz_alter){.struct_size = sizeof(frz_alter), .kind = FRZ_ALTER_DROP, .column = "v"}, 1, &h.e), FRZ_NOT_FOUND, &h.e);
    RC(frz_scan(h.t, NULL, &late, &h.e), FRZ_NOT_FOUND, &h.e);
    frz_table *gone = h.t; /* another of its name has nothing of it */
    frz_schema *s = h_schema("id long, v string?", "id");
    OK(frz_table_create(h.db, "t", s, NULL, &h.t, &h.e), &h.e);
    frz_schema_free(s);
    assert_int_equal(h_count(&h), 0);
    OK(h_put(&h, 5), &h.e);
    int64_t seen = 1;
    while (frz_cursor_next(c, &row, &h.e) == FRZ_OK) {
        assert_int_equal(frz_row_long(row, 0), seen);
        seen++;
    }
    assert_int_equal(seen, N);
    frz_cursor_close(c);
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.snapshot = snap; /* the snapshot has it still */
    int rc = frz_scan(gone, &o, &late, &h.e);
    if (rc == FRZ_OK) {
        for (seen = 0; frz_cursor_next(late, &row, &h.e) == FRZ_OK; seen++) {}
        assert_int_equal(seen, N);
    }
    frz_cursor_close(late);
    frz_snapshot_close(snap);
    frz_table_close(gone);
    h_reopen(&h);
    assert_int_equal(h_count(&h), 1);
    h_has(&h, 5);
    h_verify(&h);
    h_close(&h);
}

#define ROUNDS 30
struct crowd { struct host *h; pthread_barrier_t start; _Atomic int made, dropped, missed, other; };

static void *drop_and_make(void *arg)
{
    struct crowd *w = (struct crowd *)arg;
    frz_error e;
    frz_schema *s = h_schema("id long, v string?", "id");
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&w->start);
        int rc = frz_table_drop(w->h->db, "x", &e);
        if (rc == FRZ_OK) w->dropped++;
        else if (rc == FRZ_NOT_FOUND) w->missed++;
        else w->other++;
        pthread_barrier_wait(&w->start);
        frz_table *t = NULL;
        rc = frz_table_create(w->h->db, "x", s, NULL, &t, &e);
        if (rc == FRZ_OK) {
            frz_row *r = NULL;
            w->made++;
            if (frz_row_new(t, &r, &e) != FRZ_OK || frz_row_set_long(r, 0, i, &e) != FRZ_OK || frz_put(t, r, NULL, &e) != FRZ_OK) w->other++;
            frz_row_free(r);
            frz_table_close(t);
        } else if (rc != FRZ_EXISTS) {
            w->other++;
        }
    }
    frz_schema_free(s);
    return NULL;
}

TEST(hostile_handles, threads_that_drop_and_create_one_name_at_once_have_one_winner)
{
    struct host h;
    pthread_t threads[3];
    h_open(&h, "hh-threads", "id long, v string?", "id");
    frz_schema *s = h_schema("id long, v string?", "id");
    OK(frz_table_create(h.db, "x", s, NULL, NULL, &h.e), &h.e);
    frz_schema_free(s);
    struct crowd w = {.h = &h};
    pthread_barrier_init(&w.start, NULL, 3);
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, drop_and_make, &w);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&w.start);
    assert_int_equal(w.dropped, ROUNDS);
    assert_int_equal(w.missed, 2 * ROUNDS);
    assert_int_equal(w.made, ROUNDS);
    assert_int_equal(w.other, 0);
    h_reopen(&h);
    frz_table_close(h.t);
    OK(frz_table_open(h.db, "x", &h.t, &h.e), &h.e);
    assert_int_equal(h_count(&h), 1);
    h_close(&h);
}

static void *flush_all(void *arg)
{
    struct crowd *w = (struct crowd *)arg;
    frz_error e;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&w->start);
        if (frz_table_flush(w->h->t, &e) != FRZ_OK) w->other++;
        pthread_barrier_wait(&w->start);
    }
    return NULL;
}

TEST(hostile_handles, two_flushes_at_once_publish_a_memtable_once)
{
    struct host h;
    pthread_t threads[2];
    frz_stats before = FRZ_INIT(frz_stats), after = FRZ_INIT(frz_stats);
    h_open(&h, "hh-flush", "id long, v string?", "id");
    struct crowd w = {.h = &h};
    pthread_barrier_init(&w.start, NULL, 3);
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, flush_all, &w);
    for (int i = 0; i < ROUNDS; i++) {
        OK(frz_db_stats(h.db, h.t, &before, &h.e), &h.e);
        OK(h_put(&h, i), &h.e);
        pthread_barrier_wait(&w.start);
        pthread_barrier_wait(&w.start);
        OK(frz_db_stats(h.db, h.t, &after, &h.e), &h.e);
        assert_int_equal(after.commits, before.commits + 1);
    }
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&w.start);
    assert_int_equal(w.other, 0);
    assert_int_equal(h_count(&h), ROUNDS);
    h_verify(&h);
    h_close(&h);
}
