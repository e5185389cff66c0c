/* Goal    opening costs what the table is, not what lies beside it; what lies beside it goes all the same: behind open, whenever that comes, and now and then in a process that stays open.
 * Method  a file system in memory, on which garbage of each kind is laid; the calls of the opening thread are counted, not timed; the worker is held at a fail point while the table goes on. */
#include "table_kit.h"
#include "tidy_kit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "io/fs_fault.h"

#define PAUSE_MS 120000

struct bed {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_error e;
};
static struct bed b;

static void open_db(bool read_only)
{
    b.db = table_db_open(b.fs, read_only, &b.e);
    if (frz_table_open(b.db, "t", &b.t, &b.e) != FRZ_OK) b.t = NULL;
}
static void close_db(void)
{
    OK(frz_db_close(b.db, &b.e), &b.e);
    b.db = NULL;
}
static void bed_init(int format)
{
    b = (struct bed){0};
    OK(frz__fs_fault_new(NULL, 1, &b.fs, &b.e), &b.e);
    open_db(false);
    table_create(b.db, "t", format, &b.t, &b.e);
}
static void bed_clear(void)
{
    if (b.db) close_db();
    frz__fs_free(b.fs);
}
static void rows_of(int64_t first, int64_t count, const char *v)
{
    for (int64_t i = 0; i < count; i++) OK(table_put(b.t, first + i, v, &b.e), &b.e);
    OK(frz_table_flush(b.t, &b.e), &b.e);
}
static void verify(void)
{
    frz_verify_report r = {.struct_size = sizeof r};
    OK(frz_verify(b.db, NULL, NULL, NULL, &r, &b.e), &b.e);
    assert_int_equal(r.findings, 0);
}
static frz_stats stats(void)
{
    frz_stats s = FRZ_INIT(frz_stats);
    OK(frz_db_stats(b.db, NULL, &s, &b.e), &b.e);
    return s;
}

static bool there(const char *path) { return file_there(b.fs, path); }
static void lay(const char *path) { file_lay(b.fs, path); }
/* Of each kind, COUNT times: expired; never committed; half written; another engine's; a dropped table's. */
static const char *const kinds[] = {"main/t/data/frz-1-1-%u-0123abcd-0.parquet", "main/t/metadata/frz-1-1-%u-0123abcd-m0.avro", "main/t/metadata/snap-%u-1-1-7-0123abcd.avro",
    "main/t/data/frz-1-9999-%u-0123abcd-0.parquet", "main/t/metadata/.tmp-1-9999-%u-0123abcd", ".frazil/trash/1-0-0-0123abcd/data/frz-1-2-%u-0123abcd-0.parquet", "main/t/data/0000%u-1-550e8400.parquet"};
#define OURS 6
static void lay_garbage(unsigned count)
{
    OK(frz__fs_mkdir(b.fs, ".frazil/trash", &b.e), &b.e);
    OK(frz__fs_mkdir(b.fs, ".frazil/trash/1-0-0-0123abcd", &b.e), &b.e);
    OK(frz__fs_mkdir(b.fs, ".frazil/trash/1-0-0-0123abcd/data", &b.e), &b.e);
    for (size_t k = 0; k < FRZ_ARRAY_LEN(kinds); k++)
        for (unsigned i = 0; i < count; i++) {
            char path[160];
            (void)snprintf(path, sizeof path, kinds[k], i);
            lay(path);
        }
}
static size_t garbage_left(unsigned count, size_t kinds_end)
{
    size_t n = 0;
    for (size_t k = 0; k < kinds_end; k++)
        for (unsigned i = 0; i < count; i++) {
            char path[160];
            (void)snprintf(path, sizeof path, kinds[k], i);
            n += there(path);
        }
    return n;
}
/* By the clock's second, and what is due by then. */
static void soon_gone(unsigned count)
{
    for (int i = 0; i < 120000 && garbage_left(count, OURS); i++) tick_now(b.db);
    assert_int_equal(garbage_left(count, OURS), 0);
}

static uint64_t work_of_open(bool read_only)
{
    uint64_t before = frz__fs_fault_work();
    open_db(read_only);
    return frz__fs_fault_work() - before;
}

TEST(tidy, opening_does_the_same_work_whatever_lies_beside_the_table)
{
    for (int format = 2; format <= 3; format++) {
        uint64_t reader[2], writer[2];
        for (int much = 0; much < 2; much++) {
            bed_init(format);
            rows_of(0, 50, "x");
            rows_of(10, 50, "y");
            close_db();
            lay_garbage(much ? 500 : 1);
            reader[much] = work_of_open(true);
            table_has(b.t, 10, "y");
            close_db();
            writer[much] = work_of_open(false);
            table_has(b.t, 10, "y");
            verify();
            wait_tidy(b.db);
            soon_gone(much ? 500 : 1);
            assert_int_equal(garbage_left(much ? 500 : 1, FRZ_ARRAY_LEN(kinds)), much ? 500 : 1); /* another engine's are young */
            table_has(b.t, 0, "x");
            table_has(b.t, 10, "y");
            verify();
            bed_clear();
        }
        assert_int_equal(reader[0], reader[1]);
        assert_int_equal(writer[0], writer[1]);
    }
}

TEST(tidy, a_database_that_is_closed_at_once_leaves_it_to_the_next_and_one_that_commits_does_it_itself)
{
    bed_init(2);
    rows_of(0, 50, "x");
    close_db();
    lay_garbage(30);
    for (int i = 0; i < 20; i++) { /* whatever of it the worker came to */
        open_db(false);
        table_has(b.t, 0, "x");
        close_db();
    }
    frz__test_clock_advance_ns(1000000000);
    open_db(false);
    OK(table_put(b.t, 99, "y", &b.e), &b.e);
    close_db();
    assert_int_equal(garbage_left(30, OURS - 1), 0); /* the trash is the next one's */
    open_db(false);
    table_has(b.t, 99, "y");
    verify();
    wait_tidy(b.db);
    soon_gone(30);
    bed_clear();
}

static void *close_thread(void *arg)
{
    (void)arg;
    frz_error e;
    OK(frz_db_close(b.db, &e), &e);
    return NULL;
}
TEST(tidy, close_does_not_wait_for_the_end_of_a_look_and_the_next_open_begins_it_anew)
{
    pthread_t thread;
    bed_init(2);
    rows_of(0, 50, "x");
    close_db();
    lay_garbage(30);
    if (!frz__test_failpoint("sweep.name", "pause")) {
        bed_clear();
        return;
    }
    open_db(false);
    assert_true(frz__test_failpoint_wait_paused("sweep.name", PAUSE_MS));
    struct db *db = b.db->db;
    assert_int_equal(pthread_create(&thread, NULL, close_thread, NULL), 0);
    for (int i = 0; i < 120000 && !atomic_load(&db->tidy_stop); i++) usleep(1000); /* the look is under way: the database stays until it has ended */
    frz__test_failpoint_resume("sweep.name");
    pthread_join(thread, NULL);
    b.db = NULL;
    assert_true(garbage_left(30, OURS) > 0);
    open_db(false);
    soon_gone(30);
    table_has(b.t, 0, "x");
    verify();
    bed_clear();
}

/* The power goes while it is looked: nothing that is needed was touched. */
TEST(tidy, a_crash_in_the_middle_of_a_look_loses_nothing)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct fs *later;
        bed_init(2);
        rows_of(0, 50, "x");
        rows_of(10, 10, "y");
        close_db();
        lay_garbage(30);
        open_db(false);
        for (int i = 0; i < 60000 && garbage_left(30, OURS) == 30 * OURS; i++) usleep(100);
        frz__fs_fault_cut(b.fs);
        (void)!frz_db_close(b.db, &b.e);
        OK(frz__fs_fault_reboot(b.fs, seed, &later, &b.e), &b.e);
        frz__fs_free(b.fs);
        b.fs = later;
        open_db(false);
        table_has(b.t, 0, "x");
        table_has(b.t, 10, "y");
        soon_gone(30);
        verify();
        bed_clear();
    }
}

/* Snapshots expire, are read by their ids, and go, before the look comes: by what open found, nothing that is read goes, and what nobody reads does. */
TEST(tidy, commits_and_readers_come_before_the_look)
{
    for (int format = 2; format <= 3; format++) {
        frz_snapshot *old;
        frz_row *row;
        int64_t id;
        frz_value key = {.type = FRZ_LONG, .as.i64 = 3};
        size_t n;
        bed_init(format);
        for (int i = 0; i < 6; i++) rows_of(0, 50, i % 2 ? "odd" : "even");
        id = b.t->t->version->meta->snapshots[0].id; /* "even" */
        close_db();
        lay_garbage(10);
        if (!frz__test_failpoint("tidy.table", "pause")) {
            bed_clear();
            return;
        }
        open_db(false);
        assert_true(frz__test_failpoint_wait_paused("tidy.table", PAUSE_MS));
        OK(frz_snapshot_open_published(b.t, id, &old, &b.e), &b.e);
        OK(frz_table_set_property(b.t, "frazil.snapshots-max", "1", &b.e), &b.e);
        for (int i = 0; i < 3; i++) rows_of(0, 50, "new");
        assert_int_equal(stats().snapshots, 1);
        assert_true(garbage_left(10, OURS) > 0);
        frz__test_failpoint_resume("tidy.table");
        wait_tidy(b.db);
        soon_gone(10);
        OK(frz_row_new(b.t, &row, &b.e), &b.e);
        OK(frz_get(b.t, old, &key, 1, row, &b.e), &b.e);
        assert_memory_equal(frz_row_bytes(row, 1, &n), "even", 4);
        frz_row_free(row);
        frz_snapshot_close(old);
        for (int i = 0; i < 120000 && stats().files_pending; i++) tick_now(b.db);
        assert_int_equal(stats().files_pending, 0);
        frz_gc_report r = FRZ_INIT(frz_gc_report);
        OK(frz_db_gc(b.db, b.t, NULL, NULL, NULL, &r, &b.e), &b.e);
        assert_int_equal(r.files, 10); /* another engine's, which are young: nothing was forgotten */
        table_has(b.t, 3, "new");
        verify();
        bed_clear();
    }
}

/* Each call of an open meets a full disk once: where the log's new segment finds no room, what a crash left goes first, and the open goes on. */
TEST(tidy, a_disk_that_leftovers_fill_is_no_hindrance)
{
    size_t made_room = 0;
    bool opened = false;
    bed_init(2);
    rows_of(0, 50, "x");
    close_db();
    lay_garbage(3);
    if (!frz__test_failpoint("tidy.table", "pause")) { /* whatever goes, the open itself removed it */
        bed_clear();
        return;
    }
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.no_compaction = true;
    for (uint64_t call = 1; !made_room && call < 1000; call++) {
        frz__fs_fault_plan(b.fs, &(struct fs_fault_plan){.fail_call = call, .error = FS_FAULT_ENOSPC});
        int rc = frz__test_db_open(b.fs, &o, &b.db, &b.e);
        frz__fs_fault_plan(b.fs, &(struct fs_fault_plan){0});
        if (rc < 0) continue;
        opened = true;
        made_room += garbage_left(3, OURS) == 0;
        frz__test_failpoint_resume("tidy.table");
        OK(frz_table_open(b.db, "t", &b.t, &b.e), &b.e);
        table_has(b.t, 0, "x");
        close_db();
        assert_true(frz__test_failpoint("tidy.table", "pause"));
    }
    frz__test_failpoint_resume("tidy.table");
    assert_true(opened && made_room);
    bed_clear();
}

/* ── in a process that stays open ── */

TEST(hazard_20, old_orphans_of_other_engines_go_in_a_process_that_stays_open)
{
    static const char orphan[] = "main/t/data/00000-1-550e8400.parquet", young[] = "main/t/data/00000-2-550e8400.parquet";
    bed_init(2);
    rows_of(0, 50, "x");
    wait_tidy(b.db);
    lay(orphan);
    for (int day = 0; day < 2; day++) { /* looked at, and young */
        frz__test_clock_advance_ns((int64_t)25 * 3600 * 1000000000);
        int64_t looked = atomic_load(&b.t->t->tidy_at_ns);
        for (int i = 0; i < 3600 && atomic_load(&b.t->t->tidy_at_ns) == looked; i++) tick_now(b.db);
        assert_true(atomic_load(&b.t->t->tidy_at_ns) != looked);
        assert_true(there(orphan));
    }
    lay(young);
    frz__test_clock_advance_ns((int64_t)48 * 3600 * 1000000000);
    for (int i = 0; i < 3600 && there(orphan); i++) tick_now(b.db);
    assert_false(there(orphan));
    assert_true(there(young));
    table_has(b.t, 0, "x");
    verify();
    bed_clear();
}
