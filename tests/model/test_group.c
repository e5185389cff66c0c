/* Goal    writers that wait for the same device flush share it: eight threads under `full` cost at most a sync for three writes.
 * Method  each thread puts its own keys one by one; the log's syncs are read from stats. A sync must cost something for anybody to wait: a fail point makes it a millisecond; where none is compiled in, the claim
 *         is held against the disk if it takes its time. All rows are found again after a reopen. */
#include "frz_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/pool.h"
#include "base/sync.h"

#define THREADS 8
#define WRITES  300

struct shared { frz_table *t; _Atomic int running, failures; };
struct worker { struct shared *s; int number; struct pool_job job; };

static void work(void *arg)
{
    struct worker *me = (struct worker *)arg;
    frz_error e;
    frz_row *row;
    int rc = frz_row_new(me->s->t, &row, &e);
    for (int i = 0; rc == FRZ_OK && i < WRITES; i++) {
        rc = frz_row_set_long(row, 0, me->number * WRITES + i, &e);
        if (rc == FRZ_OK) rc = frz_put(me->s->t, row, NULL, &e);
    }
    if (rc != FRZ_OK) {
        print_error("%s\n", e.message);
        atomic_fetch_add(&me->s->failures, 1);
    }
    frz_row_free(row);
    atomic_fetch_sub(&me->s->running, 1);
}

TEST(group_commit, eight_threads_share_the_syncs)
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
    bool slow = frz__test_failpoint("wal.sync", "delay:1");
    int64_t since = frz__clock_mono_ns();
    OK(frz__pool_start(NULL, THREADS, &pool, &e), &e);
    atomic_store(&s.running, THREADS);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.s = &s, .number = i};
        workers[i].job = (struct pool_job){.fn = work, .arg = &workers[i]};
        assert_true(frz__pool_submit(pool, &workers[i].job, false));
    }
    struct mutex mu;
    struct cond tick;
    frz__mutex_init(&mu, RANK_LEAF, "test");
    frz__cond_init(&tick);
    frz__mutex_lock(&mu);
    while (atomic_load(&s.running)) (void)frz__cond_wait_until(&tick, &mu, frz__clock_mono_ns() + 1000000);
    frz__mutex_unlock(&mu);
    frz__cond_clear(&tick);
    frz__mutex_clear(&mu);
    frz__pool_stop(pool);
    assert_int_equal(atomic_load(&s.failures), 0);
    OK(frz_db_stats(db, NULL, &after, &e), &e);
    uint64_t syncs = after.log_syncs - before.log_syncs, writes = after.writes - before.writes;
    print_message("%llu writes, %llu groups, %llu syncs\n", (unsigned long long)writes, (unsigned long long)(after.write_groups - before.write_groups), (unsigned long long)syncs);
    assert_int_equal(writes, THREADS * WRITES);
    int64_t each_us = (frz__clock_mono_ns() - since) / 1000 / (int64_t)(syncs ? syncs : 1);
    if (slow || each_us >= 150) assert_true(syncs * 3 <= writes);
    else print_message("a sync and its writes take %lld µs here: nobody waits, nothing to share\n", (long long)each_us);
    (void)frz__test_failpoint("wal.sync", "off");
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
