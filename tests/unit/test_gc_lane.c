/* Goal    gc, expiry and verify beside what goes on: no file of a running job goes, however old it is; a flush never waits long for them; what is verified stays as long as that takes.
 * Method  a file system in memory whose unlinks are counted, and take 20 ms of the test's clock each; the progress call of a compaction and the finding of a verify are the moments in which the others come. */
#include "table_kit.h"
#include "tidy_kit.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "engine/trash.h"
#include "io/fs.h"

#define LATE 120000 /* looks, a millisecond each */

struct bed {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_error e;
};
static struct bed b;

static void open_db(void)
{
    b.db = table_db_open(b.fs, false, &b.e);
    wait_tidy(b.db);
    if (frz_table_open(b.db, "t", &b.t, &b.e) != FRZ_OK) b.t = NULL;
}
static void bed_init(int format)
{
    b = (struct bed){0};
    OK(frz__fs_mem_new(NULL, &b.fs, &b.e), &b.e);
    open_db();
    table_create(b.db, "t", format, &b.t, &b.e);
}
static void bed_clear(void)
{
    if (b.db) OK(frz_db_close(b.db, &b.e), &b.e);
    frz__fs_free(b.fs);
}
static void rows_of(int64_t first, int64_t count, const char *v)
{
    for (int64_t i = 0; i < count; i++) OK(table_put(b.t, first + i, v, &b.e), &b.e);
    OK(frz_table_flush(b.t, &b.e), &b.e);
}
static void set(const char *key, const char *value) { OK(frz_table_set_property(b.t, key, value, &b.e), &b.e); }
static uint64_t findings(void)
{
    frz_verify_report r = FRZ_INIT(frz_verify_report);
    OK(frz_verify(b.db, NULL, NULL, NULL, &r, &b.e), &b.e);
    return r.findings;
}
static uint64_t pending(void)
{
    frz_stats s = FRZ_INIT(frz_stats);
    OK(frz_db_stats(b.db, b.t, &s, &b.e), &b.e);
    return s.files_pending;
}
static bool there(const char *path) { return file_there(b.fs, path); }
static void lay(const char *path) { file_lay(b.fs, path); }

/* ── a file system whose unlinks are slow, or fail ── */

static struct fs_ops slow;
static int (*real_unlink)(struct fs *, const char *, frz_error *);
static _Atomic uint64_t unlinks;
static void (*at_unlink)(void);
static int slow_unlink(struct fs *fs, const char *path, frz_error *err)
{
    frz__test_clock_advance_ns(20000000);
    atomic_fetch_add(&unlinks, 1);
    if (at_unlink) at_unlink();
    if (strstr(path, "stuck")) return frz__err(err, FRZ_IO, "%s: it is stuck", path);
    return real_unlink(fs, path, err);
}
static void be_slow(void)
{
    slow = *b.fs->ops;
    real_unlink = slow.unlink;
    slow.unlink = slow_unlink;
    b.fs->ops = &slow;
    atomic_store(&unlinks, 0);
}

/* ── what jobs make ── */

struct during { int calls, gcs, orphans; bool lay; char mine[160], old[160]; };
static int on_listed(void *ctx, const frz_gc_file *f)
{
    struct during *d = (struct during *)ctx;
    if (strcmp(f->path, d->old) == 0) assert_true(f->kept == FRZ_GC_DUE && f->removed);
    else if (strcmp(f->path, d->mine) == 0) assert_true(f->removed ? f->kept == FRZ_GC_DUE : f->kept == FRZ_GC_BY_AGE && f->due_ms == -1); /* it goes once the job is over */
    else if (f->why == FRZ_GC_ORPHAN) {
        assert_int_equal(f->kept, FRZ_GC_BY_AGE);
        assert_true(f->due_ms == -1 && !f->removed);
        d->orphans++;
    }
    return 0;
}
static int on_progress(void *ctx, const frz_compact_progress *p)
{
    struct during *d = (struct during *)ctx;
    frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    frz_error e;
    d->calls++;
    if (p->phase != FRZ_COMPACT_REWRITE) return 0;
    if (!d->lay) { /* of a job that failed, and of one that began after this one */
        d->lay = true;
        snprintf(d->old, sizeof d->old, "main/t/data/frz-%llx-1-0-0123abcd-0.parquet", (unsigned long long)b.db->db->epoch);
        snprintf(d->mine, sizeof d->mine, "main/t/data/frz-%llx-1-4000000000-0123abcd-0.parquet", (unsigned long long)b.db->db->epoch);
        lay(d->old);
        lay(d->mine);
    }
    frz__test_clock_advance_ns(60000000000); /* it is older than gc is told that orphans are */
    o.orphan_age_ms = 1;
    OK(frz_db_gc(b.db, b.t, &o, on_listed, d, NULL, &e), &e);
    d->gcs++;
    return 0;
}
TEST(hazard_20, what_a_compaction_has_made_and_not_committed_is_no_orphan_however_old)
{
    for (int format = 2; format <= 3; format++) {
        struct during d = {0};
        frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
        frz_compact_result r = FRZ_INIT(frz_compact_result);
        bed_init(format);
        for (int i = 0; i < 4; i++) rows_of(i * 100, 300, i % 2 ? "odd" : "even");
        o.progress = on_progress;
        o.ctx = &d;
        OK(frz_table_compact(b.t, &o, &r, &b.e), &b.e);
        assert_true(r.files_out > 0 && d.gcs > 0);
        assert_true(d.orphans > 0); /* the outputs were there, and old */
        assert_false(there(d.old));
        OK(frz_db_close(b.db, &b.e), &b.e);
        open_db();
        assert_int_equal(findings(), 0);
        table_has(b.t, 599, "odd");
        table_has(b.t, 0, "even");
        bed_clear();
    }
}

/* ── the lane ── */

/* COUNT files or more, due from now on. */
static uint64_t make_pending(uint64_t count)
{
    set("frazil.snapshots-max", "1");
    set("frazil.foreign-reader-grace-ms", "600000");
    for (int64_t i = 0; pending() < count; i++) rows_of(i, 2, "x");
    frz__mutex_lock(&b.t->t->flush_mu);
    (void)frz__expire_run(b.t->t); /* from now on nobody needs them: the grace begins */
    frz__mutex_unlock(&b.t->t->flush_mu);
    frz__test_clock_advance_ns((int64_t)601 * 1000000000);
    return pending();
}

TEST(expiry, a_round_ends_by_its_time_and_says_that_it_is_not_done)
{
    frz__test_clock_rounds_off(true);
    bed_init(2);
    uint64_t all = make_pending(40), rounds = 0;
    be_slow();
    frz__mutex_lock(&b.t->t->flush_mu);
    for (bool more = true; more; rounds++) {
        uint64_t before = atomic_load(&unlinks);
        more = frz__expire_run(b.t->t);
        assert_true(atomic_load(&unlinks) - before <= 3); /* of 20 ms each: the third takes it beyond 50 */
        assert_int_equal(more, atomic_load(&b.t->t->expiry_goes_on));
    }
    frz__mutex_unlock(&b.t->t->flush_mu);
    assert_int_equal(atomic_load(&unlinks), all);
    assert_true(rounds >= all / 3 && pending() == 0);
    assert_int_equal(findings(), 0);
    frz__test_clock_rounds_off(false);
    bed_clear();
}

TEST(expiry, what_a_round_left_is_gone_on_with_at_once)
{
    bed_init(3);
    frz__test_clock_rounds_off(true);
    uint64_t all = make_pending(300);
    be_slow();
    frz__test_clock_rounds_off(false);
    frz__sched_wake(b.db->db);
    for (int i = 0; i < 60000 && pending(); i++) usleep(1000); /* at three a second it would take longer */
    assert_int_equal(pending(), 0);
    assert_true(atomic_load(&unlinks) >= all);
    table_has(b.t, 0, "x");
    assert_int_equal(findings(), 0);
    bed_clear();
}

static pthread_t flusher;
static _Atomic int flushing; /* 1 = begun, 2 = it is through */
static uint64_t unlinked_by_then;
static void *flush_thread(void *arg)
{
    frz_error e;
    (void)arg;
    OK(table_put(b.t, 7, "beside", &e), &e);
    OK(frz_table_flush(b.t, &e), &e);
    unlinked_by_then = atomic_load(&unlinks);
    atomic_store(&flushing, 2);
    return NULL;
}
static void begin_flush(void)
{
    int none = 0;
    if (atomic_compare_exchange_strong(&flushing, &none, 1)) assert_int_equal(pthread_create(&flusher, NULL, flush_thread, NULL), 0);
    usleep(100);
}
TEST(gc, lets_a_flush_in_between_what_it_removes)
{
    static const char *const kinds[] = {"expired", "another engine's"};
    for (size_t kind = 0; kind < FRZ_ARRAY_LEN(kinds); kind++) {
        frz_gc_report r = FRZ_INIT(frz_gc_report);
        frz_gc_options o = FRZ_GC_OPTIONS_INIT;
        uint64_t all = 300;
        frz__test_clock_rounds_off(true);
        bed_init(2);
        if (kind == 0) all = make_pending(300);
        else {
            rows_of(0, 10, "x");
            for (int i = 0; i < 300; i++) {
                char path[80];
                snprintf(path, sizeof path, "main/t/data/%05d-1-550e8400.parquet", i);
                lay(path);
            }
            frz__test_clock_advance_ns((int64_t)601 * 1000000000);
        }
        o.orphan_age_ms = 1;
        atomic_store(&flushing, 0);
        be_slow();
        at_unlink = begin_flush;
        OK(frz_db_gc(b.db, b.t, &o, NULL, NULL, &r, &b.e), &b.e);
        at_unlink = NULL;
        pthread_join(flusher, NULL);
        if (unlinked_by_then >= all) fail_msg("%s: %d files went before the flush", kinds[kind], (int)unlinked_by_then);
        assert_true(r.files_removed >= all);
        table_has(b.t, 7, "beside");
        assert_int_equal(findings(), 0);
        frz__test_clock_rounds_off(false);
        bed_clear();
    }
}

/* ── the trash ── */

TEST(trash, goes_with_folders_in_folders_and_past_what_can_not_be_removed)
{
    static const char *const dirs[] = {".frazil/trash", ".frazil/trash/a", ".frazil/trash/a/data", ".frazil/trash/a/data/day=2026-11-21", ".frazil/trash/a/data/day=2026-11-21/.tmp",
        ".frazil/trash/a/.hidden", ".frazil/trash/a/metadata", ".frazil/trash/b", ".frazil/trash/b/data", ".frazil/trash/b/data/0101", ".frazil/trash/c", ".frazil/trash/c/data", ".frazil/trash/c/data/0110"};
    static const char *const files[] = {".frazil/trash/a/data/x.parquet", ".frazil/trash/a/data/day=2026-11-21/x.parquet", ".frazil/trash/a/data/day=2026-11-21/.tmp/x",
        ".frazil/trash/a/.hidden/.x.crc", ".frazil/trash/a/metadata/v1.metadata.json", ".frazil/trash/b/data/0101/stuck", ".frazil/trash/b/data/0101/y", ".frazil/trash/c/data/0110/x"};
    uint64_t bytes = 0;
    frz__test_clock_rounds_off(true);
    bed_init(2);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(dirs); i++) OK(frz__fs_mkdir(b.fs, dirs[i], &b.e), &b.e);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(files); i++) lay(files[i]);
    be_slow();
    OK(frz__trash_bytes(b.db->db, ".frazil/trash/a", &bytes, &b.e), &b.e);
    for (int i = 0; i < 2; i++) {
        FAILS(frz__trash_empty(b.db->db, &b.e), FRZ_IO, &b.e);
        MESSAGE_HAS(&b.e, "stuck");
        for (size_t k = 0; k < FRZ_ARRAY_LEN(dirs); k++) assert_int_equal(there(dirs[k]), k == 0 || (k >= 7 && k <= 9));
        for (size_t k = 0; k < FRZ_ARRAY_LEN(files); k++) assert_int_equal(there(files[k]), k == 5);
    }
    OK(frz__tidy_now(b.db->db, &b.e), &b.e); /* an open on a full disk is not stopped by it */
    frz_gc_report r = FRZ_INIT(frz_gc_report);
    OK(frz_db_gc(b.db, NULL, NULL, NULL, NULL, &r, &b.e), &b.e);
    assert_int_equal(r.files_due, 1);
    assert_int_equal(r.files_removed, 0);
    slow.unlink = real_unlink;
    OK(frz_db_gc(b.db, NULL, NULL, NULL, NULL, &r, &b.e), &b.e);
    assert_int_equal(r.files_removed, 1);
    assert_false(there(".frazil/trash/b"));
    frz__test_clock_rounds_off(false);
    bed_clear();
}

TEST(trash, of_more_folders_in_each_other_than_a_stack_holds_is_an_error)
{
    char path[4000] = ".frazil/trash";
    bed_init(2);
    OK(frz__fs_mkdir(b.fs, path, &b.e), &b.e);
    for (int i = 0; i < 200; i++) {
        snprintf(path + strlen(path), sizeof path - strlen(path), "/d");
        OK(frz__fs_mkdir(b.fs, path, &b.e), &b.e);
    }
    FAILS(frz__trash_empty(b.db->db, &b.e), FRZ_TOO_LARGE, &b.e);
    bed_clear();
}

/* A link in it leads out of it. */
TEST(trash, removes_a_link_and_not_what_it_leads_to)
{
    char path[700], to[700];
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    const char *dir = test_tmp_dir("trash");
    b = (struct bed){0};
    frz__test_clock_rounds_off(true); /* which would empty it before it is full */
    o.create = true;
    OK(frz_db_open(dir, &o, &b.db, &b.e), &b.e);
    static const char *const dirs[] = {".frazil/trash", ".frazil/trash/a", ".frazil/trash/a/data", "kept"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(dirs); i++) OK(frz__fs_mkdir(b.db->db->fs, dirs[i], &b.e), &b.e);
    b.fs = b.db->db->fs;
    lay("kept/file");
    snprintf(path, sizeof path, "%s/.frazil/trash/a/data/link", dir);
    snprintf(to, sizeof to, "%s/kept", dir);
    assert_int_equal(symlink(to, path), 0);
    OK(frz__trash_empty(b.db->db, &b.e), &b.e);
    assert_true(there("kept/file"));
    assert_false(there(".frazil/trash/a"));
    OK(frz_db_close(b.db, &b.e), &b.e);
    frz__test_clock_rounds_off(false);
    test_tmp_remove(dir);
}

/* ── verify ── */

static _Atomic bool flushed;
static int said;
static void *write_thread(void *arg)
{
    frz_error e;
    (void)arg;
    for (int64_t i = 0; i < 12; i++) { /* its delete files become others */
        frz_value key = {.type = FRZ_LONG, .as.i64 = 115100 + i};
        OK(frz_delete(b.t, &key, 1, NULL, &e), &e);
        OK(frz_table_flush(b.t, &e), &e);
        OK(frz_db_gc(b.db, b.t, NULL, NULL, NULL, NULL, &e), &e);
    }
    atomic_store(&flushed, true);
    return NULL;
}
static pthread_t writer;
static int on_finding(void *ctx, const frz_finding *f)
{
    (void)ctx;
    if (!strstr(f->where, ".parquet") || said++) return 0;
    assert_int_equal(pthread_create(&writer, NULL, write_thread, NULL), 0);
    for (int i = 0; i < LATE && !atomic_load(&flushed); i++) usleep(1000);
    return 0;
}
static int keep_path(void *ctx, const frz_file_info *i)
{
    if (strcmp(i->format, "PARQUET") == 0) snprintf((char *)ctx, 256, "%s", i->path);
    return strcmp(i->format, "PARQUET") == 0;
}
/* The file's bytes from the middle on, a few of them, are others. */
static void damage(const char *path)
{
    struct file *f;
    uint64_t bytes;
    uint8_t at[64];
    size_t got;
    RC(frz__fs_open(b.fs, path, FS_OPEN_WRITE, &f, &b.e), FRZ_OK, &b.e);
    OK(frz__file_size(f, &bytes, &b.e), &b.e);
    OK(frz__file_read(f, 16, at, sizeof at, &got, &b.e), &b.e);
    for (size_t i = 0; i < got; i++) at[i] ^= 0xff;
    OK(frz__file_write(f, 16, at, got, &b.e), &b.e);
    OK(frz__file_close(f, &b.e), &b.e);
}

TEST(verify, writers_go_on_and_what_is_verified_stays)
{
    for (int format = 2; format <= 3; format++) {
        char path[256] = "";
        frz_verify_report before = FRZ_INIT(frz_verify_report), beside = FRZ_INIT(frz_verify_report);
        frz_value key = {.type = FRZ_LONG, .as.i64 = 115000};
        bed_init(format);
        set("frazil.snapshots-max", "1");
        rows_of(100000, 20000, "x"); /* too large to be absorbed by what comes, which does not read its first page */
        RC(frz_table_files(b.t, NULL, keep_path, path, &b.e), 1, &b.e);
        OK(frz_delete(b.t, &key, 1, NULL, &b.e), &b.e);
        OK(frz_table_flush(b.t, &b.e), &b.e);
        damage(path);
        OK(frz_verify(b.db, NULL, NULL, NULL, &before, &b.e), &b.e);
        assert_true(before.findings > 0);
        said = 0;
        atomic_store(&flushed, false);
        OK(frz_verify(b.db, NULL, on_finding, NULL, &beside, &b.e), &b.e);
        assert_true(said > 0 && atomic_load(&flushed));
        pthread_join(writer, NULL);
        assert_int_equal(beside.findings, before.findings); /* the delete file, read last, was still there */
        assert_int_equal(beside.files, before.files);
        OK(frz_db_gc(b.db, b.t, NULL, NULL, NULL, NULL, &b.e), &b.e);
        assert_int_equal(pending(), 0); /* and goes once it is over */
        bed_clear();
    }
}

static int drop_it(void *ctx, const frz_finding *f)
{
    frz_error e;
    (void)ctx;
    (void)f;
    if (!said++) OK(frz_table_drop(b.db, "t", &e), &e);
    return 0;
}
TEST(verify, of_a_table_that_is_dropped_meanwhile_says_so_and_finds_nothing_missing)
{
    for (int whole = 0; whole < 2; whole++) {
        char path[256] = "";
        frz_verify_report r = FRZ_INIT(frz_verify_report);
        bed_init(2);
        rows_of(0, 3000, "x");
        rows_of(100000, 3000, "y");
        RC(frz_table_files(b.t, NULL, keep_path, path, &b.e), 1, &b.e);
        damage(path);
        said = 0;
        RC(frz_verify(b.db, whole ? NULL : b.t, drop_it, NULL, &r, &b.e), whole ? FRZ_OK : FRZ_NOT_FOUND, &b.e);
        assert_int_equal(said, 1);
        assert_int_equal(r.findings, 1);
        bed_clear();
    }
}
