/* Goal    what the ancestors' regression tests pin (merutable, seerdb): writes alone publish; sequences; one flush a memtable; failures are retried and lose nothing; nothing is left running.
 * Method  a database in a directory or in memory, fail points to stop and fail at named places. */
#include "frz_test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "io/fs_fault.h"
#include "table_kit.h"
#include "tidy_kit.h"

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_error e;
    frz_db_options o;
};

static void rig_reopen(struct rig *r)
{
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_table_open(r->db, "t", &r->t, &r->e), &r->e);
}
static void rig_close(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    r->db = NULL;
}
static void rig_init(struct rig *r, uint64_t memtable_bytes)
{
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.no_compaction = true; /* files and masks are looked at as flushes left them */
    r->o.memtable_bytes = memtable_bytes;
    r->o.memory_bytes = 8 << 20;
    r->o.log_segment_bytes = 131072;
    OK(frz__fs_fault_new(NULL, 1, &r->fs, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    table_create(r->db, "t", 2, &r->t, &r->e);
}
static void rig_clear(struct rig *r)
{
    if (r->db) rig_close(r);
    frz__fs_free(r->fs);
}

static void put(frz_table *t, int64_t id, const char *v)
{
    frz_error e;
    OK(table_put(t, id, v, &e), &e);
}
static void del(frz_table *t, int64_t id)
{
    frz_error e;
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_delete(t, &key, 1, NULL, &e), &e);
}
static uint64_t count(frz_table *t)
{
    uint64_t n = 0;
    frz_error e;
    OK(frz_count(t, NULL, &n, &e), &e);
    return n;
}
static frz_stats stats(struct rig *r)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(r->db, NULL, &s, &r->e), &r->e);
    return s;
}
static void verify(frz_db *db)
{
    frz_error e;
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(db, NULL, NULL, NULL, &rep, &e), &e);
    assert_int_equal(rep.findings, 0);
}
static void nap(unsigned ms) { nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL); }
/* Waits for COND, ADVANCE_MS of the engine's clock in each round; the deadline is for a build that hangs, by a clock that no test moves. */
#define SOON(cond, advance_ms)                                                                                                             \
    do {                                                                                                                                   \
        struct timespec now_, since_;                                                                                                      \
        clock_gettime(CLOCK_MONOTONIC, &since_);                                                                                           \
        while (!(cond)) {                                                                                                                  \
            clock_gettime(CLOCK_MONOTONIC, &now_);                                                                                         \
            if (now_.tv_sec - since_.tv_sec > 120) fail_msg("%s: not within two minutes", #cond);                                          \
            frz__test_clock_advance_ns((int64_t)(advance_ms) * 1000000);                                                                   \
            nap(2);                                                                                                                        \
        }                                                                                                                                  \
    } while (0)
#define PAUSE_MS 120000
static unsigned threads_alive(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (struct dirent *x; (x = readdir(d));) n += x->d_name[0] != '.';
    closedir(d);
    return n;
}

/* ── a writer in a thread of its own ── */

struct load { frz_db *db; frz_table *t; const char *v; _Atomic bool stop; _Atomic uint64_t done, refused; };
static void *load_thread(void *p)
{
    struct load *l = (struct load *)p;
    frz_error e;
    for (int64_t i = 0; !atomic_load(&l->stop); i++) {
        int rc = table_put(l->t, i % 500, l->v, &e);
        if (rc == FRZ_OK) atomic_fetch_add(&l->done, 1);
        else {
            RC(rc, FRZ_NOT_FOUND, &e);
            atomic_fetch_add(&l->refused, 1);
        }
    }
    return NULL;
}

/* ── writes alone ── */

TEST(options, memtable_bytes_makes_files_appear)
{
    struct rig r;
    rig_init(&r, 16384);
    char v[200];
    for (int64_t i = 0; i < 3000; i++) {
        snprintf(v, sizeof v, "row %lld %0150d", (long long)i, 7);
        put(r.t, i, v);
        if (i % 500 == 499) { /* readable during it */
            snprintf(v, sizeof v, "row %lld %0150d", (long long)i / 2, 7);
            table_has(r.t, i / 2, v);
            assert_int_equal(count(r.t), i + 1);
        }
    }
    SOON(stats(&r).memtables_immutable == 0, 0); /* what was rotated is flushed by the workers alone */
    frz_stats s = stats(&r);
    assert_true(s.flushes > 2);
    assert_true(s.data_files >= 1);
    assert_true(s.flush_rows > 0 && s.flush_bytes > 0 && s.flush_us_total > 0 && s.flush_us_max > 0 && s.flush_us_max <= s.flush_us_total);
    assert_true(s.commits >= s.flushes && s.commit_us_total > 0 && s.commit_us_max > 0);
    assert_int_equal(s.rows_put, 3000);
    assert_int_equal(count(r.t), 3000);
    for (int64_t i = 0; i < 3000; i += 7) {
        snprintf(v, sizeof v, "row %lld %0150d", (long long)i, 7);
        table_has(r.t, i, v);
    }
    verify(r.db);
    rig_clear(&r);
}

TEST(options, publish_interval_publishes)
{
    struct rig r;
    rig_init(&r, 1 << 20);
    OK(frz_table_set_property(r.t, "frazil.publish-interval-ms", "50", &r.e), &r.e);
    put(r.t, 1, "a");
    SOON(stats(&r).flushes > 0, 0);
    frz_stats s = stats(&r);
    assert_int_equal(s.flushes, 1);
    assert_int_equal(s.rows_live, 1);
    for (int i = 0; i < 20; i++) { /* nothing new: nothing is published */
        frz__test_clock_advance_ns(50000000);
        nap(6);
    }
    assert_int_equal(stats(&r).flushes, 1);
    assert_int_equal(stats(&r).commits, s.commits);
    rig_clear(&r);
}

TEST(options, immutable_max_stops_writers)
{
    struct rig r;
    rig_init(&r, 8192);
    OK(frz_table_set_property(r.t, "frazil.immutable-memtables-max", "1", &r.e), &r.e);
    if (!frz__test_failpoint("flush.begin", "pause")) { /* not compiled in */
        rig_clear(&r);
        return;
    }
    char v[300];
    memset(v, 'x', 299);
    v[299] = 0;
    struct load l = {.db = r.db, .t = r.t, .v = v};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, load_thread, &l), 0);
    assert_true(frz__test_failpoint_wait_paused("flush.begin", PAUSE_MS));
    SOON(stats(&r).stalls > 0, 0);
    assert_int_equal(stats(&r).stalls, 1);
    uint64_t before = atomic_load(&l.done);
    nap(50);
    assert_int_equal(atomic_load(&l.done), before); /* it waits */
    assert_true(stats(&r).memtables_immutable <= 2);
    frz__test_failpoint_resume("flush.begin");
    SOON(atomic_load(&l.done) >= before + 100, 0);
    atomic_store(&l.stop, true);
    pthread_join(thread, NULL);
    assert_true(stats(&r).stall_us_total > 0);
    rig_clear(&r);
}

/* In so small a budget, one place: what is written while it is taken is slowed more and more; then writers stop, and are woken. */
TEST(write, is_slowed_before_it_is_stopped_and_woken_when_the_queue_drains)
{
    struct rig r;
    rig_init(&r, 65536);
    if (!frz__test_failpoint("flush.begin", "pause")) { /* not compiled in */
        rig_clear(&r);
        return;
    }
    char v[300];
    memset(v, 'x', 299);
    v[299] = 0;
    int64_t id = 0;
    while (stats(&r).memtables_immutable == 0) put(r.t, id++, v);
    assert_true(frz__test_failpoint_wait_paused("flush.begin", PAUSE_MS));
    put(r.t, id++, v);
    assert_int_equal(stats(&r).slowdowns, 0); /* one is being flushed, the next has hardly begun */
    struct load l = {.db = r.db, .t = r.t, .v = v};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, load_thread, &l), 0);
    for (int tries = 0; tries < 4000 && stats(&r).stalls == 0; tries++) nap(5);
    frz_stats s = stats(&r);
    assert_int_equal(s.stalls, 1);
    assert_int_equal(s.memtables_immutable, 1); /* in so small a budget */
    assert_true((s.slowdowns > 0) == (s.slowdown_us_total > 0)); /* none for a writer that is slower by itself, as instrumented ones are: test_flow has the price */
    assert_true(s.slowdowns < atomic_load(&l.done)); /* the last of them alone */
    uint64_t before = atomic_load(&l.done);
    frz__test_failpoint_resume("flush.begin");
    for (int tries = 0; tries < 4000 && atomic_load(&l.done) < before + 100; tries++) nap(5);
    assert_true(atomic_load(&l.done) >= before + 100);
    atomic_store(&l.stop, true);
    pthread_join(thread, NULL);
    rig_clear(&r);
}

/* ── sequences ── */

TEST(write, sequences_of_batches_have_no_gap_and_no_overlap)
{
    struct rig r;
    rig_init(&r, 1 << 20);
    frz_batch *b;
    frz_row *row;
    frz_seq_range range, last = {0};
    OK(frz_batch_new(r.db, &b, &r.e), &r.e);
    OK(frz_row_new(r.t, &row, &r.e), &r.e);
    uint64_t visible = stats(&r).seq_visible;
    OK(frz_write(r.db, b, NULL, &range, &r.e), &r.e); /* an empty batch */
    assert_int_equal(range.first, visible);
    assert_int_equal(range.last, visible);
    assert_int_equal(stats(&r).seq_visible, visible);
    for (uint64_t n = 1; n < 40; n += 3) {
        frz_batch_clear(b);
        for (uint64_t i = 0; i < n; i++) {
            OK(frz_row_set_long(row, 0, (int64_t)(n * 100 + i), &r.e), &r.e);
            OK(frz_batch_put(b, r.t, row, &r.e), &r.e);
        }
        OK(frz_write(r.db, b, NULL, &range, &r.e), &r.e);
        assert_int_equal(range.first, visible + 1);
        assert_int_equal(range.last, visible + n);
        visible += n;
        assert_int_equal(stats(&r).seq_visible, visible);
        put(r.t, (int64_t)n, "single");
        visible++;
        assert_int_equal(stats(&r).seq_visible, visible);
        last = range;
    }
    uint64_t rows = count(r.t);
    frz_row_free(row);
    frz_batch_free(b);
    rig_close(&r);
    rig_reopen(&r);
    assert_true(stats(&r).seq_visible >= visible); /* never back */
    assert_int_equal(count(r.t), rows);
    assert_true(last.last < visible);
    rig_clear(&r);
}

TEST(write, deletes_of_absent_keys_are_harmless)
{
    struct rig r;
    rig_init(&r, 1 << 20);
    del(r.t, 1); /* in an empty table */
    OK(frz_table_flush(r.t, &r.e), &r.e);
    put(r.t, 2, "two");
    OK(frz_table_flush(r.t, &r.e), &r.e);
    del(r.t, 3);
    del(r.t, 3);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    table_has(r.t, 2, "two");
    table_has(r.t, 3, NULL);
    assert_int_equal(count(r.t), 1);
    del(r.t, 2);
    put(r.t, 2, "again");
    del(r.t, 2);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    assert_int_equal(count(r.t), 0);
    verify(r.db);
    rig_close(&r);
    rig_reopen(&r);
    assert_int_equal(count(r.t), 0);
    rig_clear(&r);
}

/* ── one flush a memtable ── */

static void *flush_thread(void *p)
{
    frz_error e;
    return (void *)(intptr_t)frz_table_flush((frz_table *)p, &e);
}

TEST(flush, two_at_once_flush_a_memtable_once)
{
    struct rig r;
    rig_init(&r, 1 << 20);
    put(r.t, 1, "a");
    bool paused = frz__test_failpoint("flush.begin", "pause") && frz__test_failpoint("flush.background", "pause"); /* none but these two come */
    uint64_t came = frz__test_failpoint_hits("flush.lane");
    pthread_t two[2];
    void *rc;
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&two[i], NULL, flush_thread, r.t), 0);
    if (paused) {
        assert_true(frz__test_failpoint_wait_paused("flush.begin", PAUSE_MS));
        SOON(frz__test_failpoint_hits("flush.lane") == came + 2, 0); /* the second one came for the same memtable, and is at the lane's door */
        frz__test_failpoint_resume("flush.begin");
        frz__test_failpoint_resume("flush.background");
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(two[i], &rc);
        assert_int_equal((intptr_t)rc, FRZ_OK);
    }
    frz_stats s = stats(&r);
    assert_int_equal(s.flushes, 1);
    assert_int_equal(s.flush_rows, 1);
    assert_int_equal(s.rows_live, 1);
    rig_clear(&r);
}

/* A flush that fails at POINT twice: at the host's call, then when it is tried again. FAILURES: how many there are in the end; the last point is beyond the commit: the second try finds the rows published. */
static const struct { const char *point; uint64_t failures, flushes; } points[] = {
    {"flush.begin", 2, 2}, {"flush.after_data", 2, 2}, {"commit.before_files", 2, 2}, {"commit.before_link", 2, 2}, {"commit.after_link", 1, 1}};

static void has_new(frz_table *t)
{
    table_has(t, 1, "new");
    table_has(t, 2, NULL);
    table_has(t, 3, "three");
}

TEST(flush, however_long_does_not_hold_up_the_interval_of_the_log)
{
    struct rig r;
    pthread_t thread;
    rig_init(&r, 1 << 20);
    rig_close(&r);
    r.o.durability = FRZ_SYNC_INTERVAL;
    r.o.sync_interval_ms = 5;
    rig_reopen(&r);
    put(r.t, 0, "x");
    if (frz__test_failpoint("flush.begin", "pause")) {
        assert_int_equal(pthread_create(&thread, NULL, flush_thread, r.t), 0);
        assert_true(frz__test_failpoint_wait_paused("flush.begin", 30000));
        for (int i = 1; i < 150; i++) { /* beyond a second: the clock has its other rounds too */
            uint64_t before = stats(&r).log_syncs;
            put(r.t, i, "y");
            int tries = 0;
            while (stats(&r).log_syncs == before && tries++ < 3000) nap(10);
            assert_true(stats(&r).log_syncs > before);
            nap(10);
        }
        frz__test_failpoint_resume("flush.begin");
        pthread_join(thread, NULL);
    }
    rig_clear(&r);
}

TEST(flush, one_that_fails_is_retried_and_its_rows_stay_readable_and_logged)
{
    for (size_t p = 0; p < FRZ_ARRAY_LEN(points); p++) {
        struct rig r;
        if (!frz__test_failpoint("flush.background", "pause")) return; /* the workers flush when it was looked at, not before */
        rig_init(&r, 1 << 20);
        put(r.t, 1, "old");
        put(r.t, 2, "gone");
        OK(frz_table_flush(r.t, &r.e), &r.e);
        put(r.t, 1, "new");
        del(r.t, 2);
        put(r.t, 3, "three");
        assert_true(frz__test_failpoint(points[p].point, "error:1:2"));
        RC(frz_table_flush(r.t, &r.e), FRZ_IO, &r.e);
        frz_stats s = stats(&r);
        assert_int_equal(s.flush_failures, 1);
        assert_int_equal(s.flushes, 1); /* the one before */
        assert_int_equal(s.memtables_immutable, 1);
        has_new(r.t);
        /* logged: a machine that goes down now finds them in the log */
        struct fs *after;
        OK(frz__fs_fault_reboot(r.fs, 0, &after, &r.e), &r.e);
        struct rig other = {.fs = after, .o = r.o};
        other.o.no_close_flush = true; /* the fail point is this process's */
        rig_reopen(&other);
        has_new(other.t);
        verify(other.db);
        rig_clear(&other);
        /* retried, by nobody's asking: once more in vain */
        frz__test_clock_advance_ns(1100000000);
        assert_true(frz__test_failpoint_wait_paused("flush.background", PAUSE_MS));
        has_new(r.t);
        frz__test_failpoint_resume("flush.background");
        SOON(stats(&r).memtables_immutable == 0, 200);
        SOON((s = stats(&r), s.flushes == points[p].flushes && s.flush_failures == points[p].failures), 0); /* counted when the lane is free */
        has_new(r.t);
        assert_int_equal(count(r.t), 2);
        frz__test_failpoint(points[p].point, "off");
        verify(r.db);
        rig_close(&r);
        rig_reopen(&r);
        table_has(r.t, 1, "new");
        table_has(r.t, 2, NULL);
        assert_int_equal(count(r.t), 2);
        verify(r.db);
        rig_clear(&r);
    }
}

/* A disk that has room for manifests and not for the metadata. */
static const struct fs_ops *real_ops;
static _Atomic bool is_full;
static int open_or_full(struct fs *fs, const char *path, enum fs_open_mode mode, struct file **out, frz_error *err)
{
    if (mode == FS_OPEN_CREATE_NEW && strstr(path, "/metadata/.tmp-") && atomic_load(&is_full)) return frz__err(err, FRZ_NO_SPACE, "create %s: no space is left", path);
    return real_ops->open(fs, path, mode, out, err);
}
static int count_file(void *ctx, const char *name, bool is_dir)
{
    (void)name;
    *(int *)ctx += !is_dir;
    return 0;
}
/* In the table's folders, while no flush goes on. */
static int files_of(struct rig *r)
{
    int n = 0;
    frz__mutex_lock(&r->t->t->flush_mu);
    OK(frz__fs_list(r->fs, "main/t/metadata", count_file, &n, &r->e), &r->e);
    OK(frz__fs_list(r->fs, "main/t/data", count_file, &n, &r->e), &r->e);
    frz__mutex_unlock(&r->t->t->flush_mu);
    return n;
}

TEST(flush, that_finds_no_room_for_its_commit_leaves_no_files_however_often_it_is_tried)
{
    struct rig r;
    struct fs_ops ops;
    frz__test_clock_rounds_off(true); /* no other thread looks at the file system */
    rig_init(&r, 1 << 20);
    put(r.t, 1, "old");
    OK(frz_table_flush(r.t, &r.e), &r.e);
    real_ops = r.fs->ops;
    ops = *real_ops;
    ops.open = open_or_full;
    r.fs->ops = &ops;
    put(r.t, 1, "new");
    put(r.t, 2, "two");
    int before = files_of(&r);
    atomic_store(&is_full, true);
    for (int i = 0; i < 10; i++) {
        FAILS(frz_table_flush(r.t, &r.e), FRZ_NO_SPACE, &r.e);
        assert_int_equal(files_of(&r), before);
    }
    atomic_store(&is_full, false);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    table_has(r.t, 1, "new");
    assert_int_equal(count(r.t), 2);
    verify(r.db);
    rig_close(&r);
    r.fs->ops = real_ops;
    rig_clear(&r);
    frz__test_clock_rounds_off(false);
}

/* A machine that goes down while a flush stands at each of its points: after the data file and before the commit an orphan is left, and goes; after the commit and before the log is recycled the
 * replay gives the same state. */
TEST(flush, a_crash_at_each_point_replays_to_the_same_state)
{
    static const char *const all[] = {"flush.begin", "flush.after_data", "commit.before_files", "commit.before_link", "commit.after_link", "flush.after_commit"};
    for (size_t p = 0; p < FRZ_ARRAY_LEN(all); p++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct rig r;
            rig_init(&r, 1 << 20);
            for (int64_t i = 0; i < 50; i++) put(r.t, i, "first");
            OK(frz_table_flush(r.t, &r.e), &r.e);
            for (int64_t i = 0; i < 50; i += 2) put(r.t, i, "second");
            for (int64_t i = 0; i < 50; i += 5) del(r.t, i);
            put(r.t, 100, "third");
            if (!frz__test_failpoint(all[p], "pause")) {
                rig_clear(&r);
                return;
            }
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, flush_thread, r.t), 0);
            assert_true(frz__test_failpoint_wait_paused(all[p], PAUSE_MS));
            frz__fs_fault_cut(r.fs);
            frz__test_failpoint_resume(all[p]);
            pthread_join(thread, NULL);
            (void)frz_db_close(r.db, &r.e);
            r.db = NULL;
            struct rig other = {.o = r.o};
            OK(frz__fs_fault_reboot(r.fs, seed, &other.fs, &other.e), &other.e);
            rig_reopen(&other);
            for (int64_t i = 0; i < 50; i++) table_has(other.t, i, i % 5 == 0 ? NULL : i % 2 == 0 ? "second" : "first");
            table_has(other.t, 100, "third");
            assert_int_equal(count(other.t), 41);
            verify(other.db);
            bool orphan = strcmp(all[p], "flush.after_data") == 0 && seed == 1; /* all that was written survived */
            wait_tidy(other.db);
            if (orphan) assert_true(stats(&other).orphans_removed > 0);
            bool replayed = strcmp(all[p], "flush.after_commit") == 0;
            if (replayed) assert_int_equal(stats(&other).memtables_immutable, 0);
            OK(frz_table_flush(other.t, &other.e), &other.e);
            assert_int_equal(count(other.t), 41);
            verify(other.db);
            rig_clear(&other);
            rig_clear(&r);
        }
    }
}

/* ── the end ── */

TEST(close, leaves_no_worker)
{
    struct rig first;
    rig_init(&first, 8192);
    rig_clear(&first); /* what the sanitizers start with the first thread is not ours */
    nap(100);
    unsigned before = threads_alive();
    for (int i = 0; i < 5; i++) {
        struct rig r;
        rig_init(&r, 8192);
        assert_true(threads_alive() >= before + 1);
        for (int64_t k = 0; k < 100; k++) put(r.t, k, "some text that fills a memtable of a few KiB soon enough");
        rig_clear(&r);
        SOON(threads_alive() <= before, 0); /* one that was joined may be listed for a moment */
    }
}

TEST(close, without_publishing_while_a_flush_is_queued_keeps_all_in_the_log)
{
    struct rig r;
    rig_init(&r, 8192);
    r.o.no_close_flush = true;
    rig_close(&r);
    for (int i = 0; i < 5; i++) {
        rig_reopen(&r);
        for (int64_t k = 0; k < 200; k++) put(r.t, k * 10 + i, "some text that fills a memtable of a few KiB soon enough");
        rig_close(&r);
    }
    rig_reopen(&r);
    assert_int_equal(count(r.t), 1000);
    verify(r.db);
    rig_clear(&r);
}

static void *close_thread(void *p) { return (void *)(intptr_t)frz_db_close((frz_db *)p, &(frz_error){0}); }

TEST(close, gives_back_a_table_that_was_dropped_while_its_flush_was_queued)
{
    struct rig r;
    frz_table *t[3];
    struct test_alloc alloc;
    if (!frz__test_failpoint("flush.background", "pause")) return;
    rig_init(&r, 1 << 20);
    rig_close(&r);
    test_alloc_init(&alloc, 0);
    r.o.allocator = &alloc.vt;
    r.o.no_close_flush = true;
    r.o.memtable_bytes = 4096;
    char v[5000]; /* each write rotates */
    memset(v, 'x', sizeof v - 1);
    v[sizeof v - 1] = 0;
    rig_reopen(&r);
    uint64_t before = frz__test_failpoint_hits("flush.background");
    for (int i = 0; i < 3; i++) {
        char name[] = {'a', (char)('0' + i), 0};
        table_create(r.db, name, 2, &t[i], &r.e);
        put(t[i], 1, v);
        if (i < 2) SOON(frz__test_failpoint_hits("flush.background") == before + 1 + (uint64_t)i, 0); /* both that flush stand still: the third one's job stays queued */
    }
    OK(frz_table_drop(r.db, "a2", &r.e), &r.e);
    pthread_t thread;
    void *rc;
    assert_int_equal(pthread_create(&thread, NULL, close_thread, r.db), 0);
    r.db = NULL;
    nap(100); /* it should have told them to stop by now; if not, the third one's turn comes, and all is well too */
    frz__test_failpoint_resume("flush.background");
    pthread_join(thread, &rc);
    assert_int_equal((intptr_t)rc, FRZ_OK);
    assert_int_equal(alloc.live, 0);
    frz__fs_free(r.fs);
}

TEST(close, is_refused_while_a_snapshot_is_open_and_the_handle_stays_good)
{
    struct rig r;
    rig_init(&r, 1 << 20);
    put(r.t, 1, "a");
    frz_snapshot *s;
    OK(frz_snapshot_open(r.db, &s, &r.e), &r.e);
    FAILS(frz_db_close(r.db, &r.e), FRZ_BUSY, &r.e);
    put(r.t, 2, "b");
    frz_snapshot_close(s);
    rig_clear(&r);
}

TEST(idle, databases_still_clean_up)
{
    struct rig r;
    rig_init(&r, 1 << 20);
    OK(frz_table_set_property(r.t, "frazil.snapshots-max", "1", &r.e), &r.e);
    for (int i = 0; i < 6; i++) {
        put(r.t, 1, "a");
        OK(frz_table_flush(r.t, &r.e), &r.e);
    }
    SOON(stats(&r).files_removed >= 5, 200);
    table_has(r.t, 1, "a");
    rig_clear(&r);
}

/* ── tables come and go beside writers ── */

TEST(drop, beside_writers_of_the_table_leaves_a_log_that_opens)
{
    struct rig r;
    rig_init(&r, 8192);
    r.o.durability = FRZ_SYNC_OFF;
    rig_close(&r);
    rig_reopen(&r);
    for (int round = 0; round < 8; round++) {
        frz_table *u;
        table_create(r.db, "u", round % 2 ? 3 : 2, &u, &r.e);
        struct load l = {.db = r.db, .t = u, .v = "some text that fills a memtable of a few KiB soon enough"};
        pthread_t thread[2];
        for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&thread[i], NULL, load_thread, &l), 0);
        while (atomic_load(&l.done) < 60) nap(1);
        put(r.t, round, "stays");
        OK(frz_table_drop(r.db, "u", &r.e), &r.e);
        while (atomic_load(&l.refused) < 2) nap(1);
        atomic_store(&l.stop, true);
        for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
        frz_table_close(u);
        if (round % 3 == 2) {
            r.o.no_close_flush = true;
            r.o.memtable_bytes = round % 2 ? 4096 : 32768; /* writers wait for flushes; or they seldom do */
            rig_close(&r);
            rig_reopen(&r);
        }
    }
    assert_int_equal(count(r.t), 8);
    RC(frz_table_open(r.db, "u", &(frz_table *){NULL}, &r.e), FRZ_NOT_FOUND, &r.e);
    verify(r.db);
    rig_clear(&r);
}

TEST(hazard_24, rows_of_a_dropped_table_do_not_come_back_in_a_new_one)
{
    struct rig r;
    frz_table *u;
    rig_init(&r, 1 << 20);
    r.o.no_close_flush = true;
    rig_close(&r);
    rig_reopen(&r);
    table_create(r.db, "u", 2, &u, &r.e);
    put(u, 1, "of the first");
    put(r.t, 1, "t");
    OK(frz_table_drop(r.db, "u", &r.e), &r.e);
    table_create(r.db, "u", 2, &u, &r.e);
    put(u, 2, "of the second");
    for (int i = 0; i < 2; i++) {
        rig_close(&r);
        rig_reopen(&r);
        OK(frz_table_open(r.db, "u", &u, &r.e), &r.e);
        table_has(u, 1, NULL);
        table_has(u, 2, "of the second");
        table_has(r.t, 1, "t");
    }
    rig_clear(&r);
}

TEST(hazard_24, a_drop_that_the_disk_refuses_is_a_drop_all_the_same)
{
    for (uint64_t n = 1; n < 30; n++) {
        struct rig r;
        frz_table *u;
        bool opens = false;
        rig_init(&r, 1 << 20);
        table_create(r.db, "u", 2, &u, &r.e);
        put(u, 1, "u");
        frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.fail_call = n, .fail_calls = 2});
        int rc = frz_table_drop(r.db, "u", &r.e);
        frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
        frz_error e;
        if (rc == FRZ_OK) {
            RC(frz_table_open(r.db, "u", &u, &e), FRZ_NOT_FOUND, &e);
        } else {
            assert_true(rc < 0);
            int put_result = table_put(u, 2, "after", &e);
            opens = put_result == FRZ_OK; /* nothing happened: it is there, whole */
            if (opens) table_has(u, 1, "u");
            else RC(put_result, FRZ_NOT_FOUND, &e);
        }
        rig_close(&r);
        rig_reopen(&r);
        rc = frz_table_open(r.db, "u", &u, &e);
        RC(rc, opens ? FRZ_OK : FRZ_NOT_FOUND, &e);
        if (opens) table_has(u, 2, "after");
        else table_create(r.db, "u", 2, &u, &r.e);
        verify(r.db);
        rig_clear(&r);
    }
}

/* ── a table that can't be opened ── */

TEST(recover, rows_of_a_broken_table_stay_in_the_log_until_it_can_be_opened)
{
    struct rig r;
    frz_table *u;
    rig_init(&r, 1 << 20);
    r.o.no_close_flush = true;
    rig_close(&r);
    rig_reopen(&r);
    table_create(r.db, "u", 2, &u, &r.e);
    put(u, 1, "published");
    OK(frz_table_flush(u, &r.e), &r.e);
    put(u, 2, "logged");
    rig_close(&r);
    /* its metadata is unreadable for a while */
    OK(frz__fs_rename(r.fs, "main/u/metadata/v2.metadata.json", "main/u/metadata/aside", &r.e), &r.e);
    struct file *f;
    OK(frz__fs_open(r.fs, "main/u/metadata/v2.metadata.json", FS_OPEN_CREATE_NEW, &f, &r.e), &r.e);
    OK(frz__file_write(f, 0, "{", 1, &r.e), &r.e);
    OK(frz__file_close(f, &r.e), &r.e);
    for (int i = 0; i < 3; i++) {
        rig_reopen(&r);
        RC(frz_table_open(r.db, "u", &u, &r.e), FRZ_CORRUPT, &r.e);
        char big[2000];
        memset(big, 'x', 1999);
        big[1999] = 0;
        for (int64_t k = 0; k < 200; k++) put(r.t, k, big); /* several segments */
        OK(frz_table_flush(r.t, &r.e), &r.e);
        rig_close(&r);
    }
    OK(frz__fs_rename(r.fs, "main/u/metadata/aside", "main/u/metadata/v2.metadata.json", &r.e), &r.e);
    rig_reopen(&r);
    OK(frz_table_open(r.db, "u", &u, &r.e), &r.e);
    table_has(u, 1, "published");
    table_has(u, 2, "logged");
    assert_int_equal(count(r.t), 200);
    verify(r.db);
    rig_clear(&r);
}
