/* Goal    writers that wait for the same device flush share it.
 * Method  the first of eight writers is held in its sync until the seven others are in the queue: they go in one group, with one sync. And eight threads that write as fast as they can: their syncs are
 *         printed, not judged, since how many come while one syncs is the machine's business; all rows are found again after a reopen. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/pool.h"
#include "base/sync.h"

#define THREADS 8
#define WRITES  300

struct shared { frz_table *t; _Atomic int running, failures; };
struct worker { struct shared *s; int number, writes; struct pool_job job; };

static void work(void *arg)
{
    struct worker *me = (struct worker *)arg;
    frz_error e;
    frz_row *row;
    int rc = frz_row_new(me->s->t, &row, &e);
    for (int i = 0; rc == FRZ_OK && i < me->writes; i++) {
        rc = frz_row_set_long(row, 0, me->number * me->writes + i, &e);
        if (rc == FRZ_OK) rc = frz_put(me->s->t, row, NULL, &e);
    }
    if (rc != FRZ_OK) {
        print_error("%s\n", e.message);
        atomic_fetch_add(&me->s->failures, 1);
    }
    frz_row_free(row);
    atomic_fetch_sub(&me->s->running, 1);
}

static void wait_done(struct shared *s)
{
    struct mutex mu;
    struct cond tick;
    frz__mutex_init(&mu, RANK_LEAF, "test");
    frz__cond_init(&tick);
    frz__mutex_lock(&mu);
    while (atomic_load(&s->running)) (void)frz__cond_wait_until(&tick, &mu, frz__clock_mono_ns() + 1000000);
    frz__mutex_unlock(&mu);
    frz__cond_clear(&tick);
    frz__mutex_clear(&mu);
}

static void start(struct shared *s, struct pool *pool, struct worker workers[THREADS], int writes)
{
    atomic_store(&s->running, THREADS);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.s = s, .number = i, .writes = writes};
        workers[i].job = (struct pool_job){.fn = work, .arg = &workers[i]};
        assert_true(frz__pool_submit(pool, &workers[i].job, false));
    }
}

#ifdef FRZ_FAILPOINTS
TEST(group_commit, who_waits_while_one_syncs_goes_with_one_sync)
{
    frz_error e = {0};
    char dir[600];
    frz_db *db;
    frz_schema *schema;
    struct shared s = {0};
    struct worker workers[THREADS];
    struct pool *pool;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    static const char *const keys[] = {"frazil.publish-interval-ms"}, *const values[] = {"0"}; /* a publish syncs too */
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("share"));
    o.create = true;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 1;
    OK(frz_db_open(dir, &o, &db, &e), &e);
    OK(frz_schema_parse("id long", "id", &schema, &e), &e);
    OK(frz_table_create(db, "t", schema, &to, &s.t, &e), &e);
    frz_schema_free(schema);
    OK(frz__pool_start(NULL, THREADS, &pool, &e), &e);
    for (int round = 0; round < 5; round++) {
        frz_stats before = {.struct_size = sizeof before}, after = before;
        OK(frz_db_stats(db, NULL, &before, &e), &e);
        uint64_t queued = frz__test_failpoint_hits("write.queue");
        assert_true(frz__test_failpoint("wal.sync", "pause"));
        start(&s, pool, workers, 1);
        assert_true(frz__test_failpoint_wait_paused("wal.sync", 120000));
        while (frz__test_failpoint_hits("write.queue") < queued + THREADS - 1) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        frz__test_failpoint_resume("wal.sync");
        wait_done(&s);
        OK(frz_db_stats(db, NULL, &after, &e), &e);
        assert_int_equal(after.writes - before.writes, THREADS);
        assert_int_equal(after.write_groups - before.write_groups, 2);
        assert_int_equal(after.log_syncs - before.log_syncs, 2);
    }
    frz__pool_stop(pool);
    assert_int_equal(atomic_load(&s.failures), 0);
    frz_table_close(s.t);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(dir);
}

static void *sync_all(void *db)
{
    frz_error e = {0};
    if (frz_db_sync((frz_db *)db, &e) != FRZ_OK) abort();
    return NULL;
}

/* As a flush and the clock do: theirs is not the leader's place. */
TEST(group_commit, who_writes_without_a_sync_does_not_wait_for_anothers)
{
    frz_error e = {0};
    char dir[600];
    frz_db *db;
    frz_table *t;
    frz_schema *schema;
    frz_row *row;
    pthread_t thread;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_write_options unsynced = FRZ_WRITE_OPTIONS_INIT;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("beside"));
    o.create = true;
    unsynced.durability = FRZ_SYNC_OFF;
    OK(frz_db_open(dir, &o, &db, &e), &e);
    OK(frz_schema_parse("id long", "id", &schema, &e), &e);
    OK(frz_table_create(db, "t", schema, NULL, &t, &e), &e);
    frz_schema_free(schema);
    OK(frz_row_new(t, &row, &e), &e);
    OK(frz_row_set_long(row, 0, 1, &e), &e);
    OK(frz_put(t, row, &unsynced, &e), &e);
    assert_true(frz__test_failpoint("wal.sync", "pause"));
    assert_int_equal(pthread_create(&thread, NULL, sync_all, db), 0);
    assert_true(frz__test_failpoint_wait_paused("wal.sync", 120000));
    for (int64_t id = 2; id < 100; id++) {
        OK(frz_row_set_long(row, 0, id, &e), &e);
        OK(frz_put(t, row, &unsynced, &e), &e); /* else it would wait for ever */
    }
    frz__test_failpoint_resume("wal.sync");
    pthread_join(thread, NULL);
    frz_row_free(row);
    frz_table_close(t);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(dir);
}
#endif

TEST(group_commit, eight_threads_lose_nothing)
{
    frz_error e = {0};
    char dir[600];
    frz_db *db;
    frz_schema *schema;
    struct shared s = {0};
    struct worker workers[THREADS];
    struct pool *pool;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("group"));
    o.create = true;
    o.no_close_flush = true;
    OK(frz_db_open(dir, &o, &db, &e), &e);
    OK(frz_schema_parse("id long", "id", &schema, &e), &e);
    OK(frz_table_create(db, "t", schema, NULL, &s.t, &e), &e);
    frz_schema_free(schema);
    frz_stats before = {.struct_size = sizeof before}, after = before;
    OK(frz_db_stats(db, NULL, &before, &e), &e);
    OK(frz__pool_start(NULL, THREADS, &pool, &e), &e);
    start(&s, pool, workers, WRITES);
    wait_done(&s);
    frz__pool_stop(pool);
    assert_int_equal(atomic_load(&s.failures), 0);
    OK(frz_db_stats(db, NULL, &after, &e), &e);
    uint64_t syncs = after.log_syncs - before.log_syncs, writes = after.writes - before.writes;
    print_message("%llu writes, %llu groups, %llu syncs\n", (unsigned long long)writes, (unsigned long long)(after.write_groups - before.write_groups), (unsigned long long)syncs);
    assert_int_equal(writes, THREADS * WRITES);
    frz_table_close(s.t);
    OK(frz_db_close(db, &e), &e);
    OK(frz_db_open(dir, &o, &db, &e), &e);
    OK(frz_table_open(db, "t", &s.t, &e), &e);
    uint64_t count;
    OK(frz_count(s.t, NULL, &count, &e), &e);
    assert_int_equal(count, THREADS * WRITES);
    frz_table_close(s.t);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(dir);
}
