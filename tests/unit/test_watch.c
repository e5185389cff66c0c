/* Goal    a running writer can be seen from outside, while somebody asks and only then; what the file holds is believed only whole; jobs are on the list while they run.
 * Method  a directory of this machine, two handles of one process; bytes turned over one by one; a flush held up at a fail point. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/hash.h"
#include "engine/watch.h"
#include "io/fs_fault.h"
#include "table_kit.h"

static void nap(unsigned ms) { nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL); }
#define SOON(cond)                                                                                                                         \
    do {                                                                                                                                   \
        struct timespec now_, since_;                                                                                                      \
        clock_gettime(CLOCK_MONOTONIC, &since_);                                                                                           \
        while (!(cond)) {                                                                                                                  \
            clock_gettime(CLOCK_MONOTONIC, &now_);                                                                                         \
            if (now_.tv_sec - since_.tv_sec > 120) fail_msg("%s: not within two minutes", #cond);                                          \
            nap(5);                                                                                                                        \
        }                                                                                                                                  \
    } while (0)

static bool there(const char *dir, const char *name)
{
    char path[1400];
    struct stat st;
    snprintf(path, sizeof path, "%s/.frazil/%s", dir, name);
    return stat(path, &st) == 0;
}

TEST(watch, a_writer_answers_who_asks_and_writes_nothing_before)
{
    char dir[1024];
    frz_db *db;
    frz_table *t;
    frz_schema *s;
    frz_error e = {0};
    frz_blob *text = NULL;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("watch"));
    RC(frz_watch("/nowhere/at/all", &text, &e), FRZ_NOT_FOUND, &e);
    OK(frz_db_open(dir, &o, &db, &e), &e);
    OK(frz_schema_parse("id long, v string?", "id", &s, &e), &e);
    OK(frz_table_create(db, "t", s, NULL, &t, &e), &e);
    frz_schema_free(s);
    OK(table_put(t, 1, "one", &e), &e);
    nap(50);
    assert_false(there(dir, "stats"));
    RC(frz_watch(dir, &text, &e), FRZ_BUSY, &e); /* asked for the first time */
    int rc = FRZ_BUSY;
    SOON((rc = frz_watch(dir, &text, &e)) != FRZ_BUSY);
    OK(rc, &e);
    const char *json = frz_blob_data(text);
    static const char *const want[] = {"{\"version\":1,", "\"name\":\"main.t\"", "\"rows_put\":1,", "\"jobs\":[", "\"events\":[{\"number\":1,", "\"kind\":\"table-created\"", "\"health\":{\"severity\":0,\"state\":\"ok\"}", "\"levels\":["};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(want); i++)
        if (!strstr(json, want[i])) fail_msg("%s is not in %s", want[i], json);
    frz_blob_free(text);
    OK(table_put(t, 2, "two", &e), &e);
    for (bool two = false; !two;) { /* and goes on doing so */
        OK(frz_watch(dir, &text, &e), &e);
        two = strstr(frz_blob_data(text), "\"rows_put\":2,") != NULL;
        frz_blob_free(text);
        nap(20);
    }
    OK(frz_db_close(db, &e), &e);
    o.create = false;
    o.read_only = true;
    OK(frz_db_open(dir, &o, &db, &e), &e); /* what a reader finds there is no matter to it */
    OK(frz_db_report(db, &text, &e), &e);
    assert_non_null(strstr(frz_blob_data(text), "\"read_only\":true"));
    assert_non_null(strstr(frz_blob_data(text), "\"rows_live\":2,"));
    frz_blob_free(text);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(dir);
}

TEST(watch, bytes_of_the_file_are_believed_only_whole)
{
    static const char json[] = "{\"version\":1,\"x\":[1,2,3]}";
    char good[256], bad[256];
    slice out;
    frz_error e = {0};
    size_t n = (size_t)snprintf(good, sizeof good, "FRZSTAT1 %08x %zu\n%s", frz__crc32c(0, json, sizeof json - 1), sizeof json - 1, json);
    OK(frz__watch_parse(slice_of(good, n), &out, &e), &e);
    assert_true(slice_eq(out, slice_str(json)));
    for (size_t cut = 0; cut < n; cut++) FAILS(frz__watch_parse(slice_of(good, cut), &out, &e), FRZ_CORRUPT, &e);
    for (size_t at = 0; at < n; at++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bad, good, n);
            bad[at] = (char)(bad[at] ^ 1 << bit);
            int rc = frz__watch_parse(slice_of(bad, n), &out, &e);
            if (rc == FRZ_OK) assert_true(slice_eq(out, slice_str(json))); /* a digit in the other case says the same */
            else assert_int_equal(rc, FRZ_CORRUPT);
        }
    memcpy(bad, good, n);
    bad[n] = 'x';
    FAILS(frz__watch_parse(slice_of(bad, n + 1), &out, &e), FRZ_CORRUPT, &e);
    static const char *const others[] = {"", "\n", "FRZSTAT1\n", "FRZSTAT1 \n", "FRZSTAT1 00000000\n", "FRZSTAT1 00000000 \n", "FRZSTAT1 00000000 -0\n", "FRZSTAT1 0000000z 0\n", "FRZSTAT1 00000000 1\n", "FRZSTAT2 00000000 0\n"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(others); i++) FAILS(frz__watch_parse(slice_str(others[i]), &out, &e), FRZ_CORRUPT, &e);
    OK(frz__watch_parse(slice_str("FRZSTAT1 00000000 0\n"), &out, &e), &e); /* empty, and whole */
}

static void put_file(struct fs *fs, const char *path, const char *text, size_t len)
{
    struct file *f;
    frz_error e;
    OK(frz__fs_open(fs, path, FS_OPEN_APPEND_OR_CREATE, &f, &e), &e);
    OK(frz__file_write(f, 0, text, len, &e), &e);
    OK(frz__file_truncate(f, len, &e), &e);
    OK(frz__file_close(f, &e), &e);
}

TEST(watch, only_what_the_holder_of_the_lock_said_just_now_is_given_out)
{
    struct fs *fs;
    struct file *lock;
    bool got;
    frz_error e = {0};
    struct buf out = BUF_INIT(NULL, 0);
    static const char body[] = "epoch=7\npid=123\nhost=elsewhere\n";
    static const struct { const char *head, *tail; int64_t age_us; int rc; } rows[] = {
        {"{\"version\":1,\"pid\":123,\"epoch\":7", "}", 0, FRZ_OK},
        {"{\"version\":1,\"pid\":123,\"epoch\":7", "}", WATCH_ASKED_US + 1, FRZ_BUSY},   /* of a writer that hangs */
        {"{\"version\":1,\"pid\":123,\"epoch\":7", "}", -2 * WATCH_ASKED_US, FRZ_BUSY},  /* a clock was set back */
        {"{\"version\":1,\"pid\":123,\"epoch\":6", "}", 0, FRZ_BUSY},                    /* of an open before */
        {"{\"version\":1,\"pid\":124,\"epoch\":7", "}", 0, FRZ_BUSY},                    /* of another process */
        {"{\"version\":2,\"pid\":123,\"epoch\":7", "}", 0, FRZ_NEWER_FORMAT},
        {"{\"x\":1", "}", 0, FRZ_NEWER_FORMAT},
        {"{\"version\":1,\"pid\":123,\"epoch\":7", "", 0, FRZ_CORRUPT}};
    OK(frz__fs_fault_new(NULL, 1, &fs, &e), &e);
    OK(frz__fs_mkdir(fs, ".frazil", &e), &e);
    RC(frz__watch_read(fs, &out, &e), FRZ_NOT_FOUND, &e);
    put_file(fs, ".frazil/LOCK", body, sizeof body - 1);
    RC(frz__watch_read(fs, &out, &e), FRZ_NOT_FOUND, &e);
    OK(frz__fs_open(fs, ".frazil/LOCK", FS_OPEN_WRITE, &lock, &e), &e);
    OK(frz__file_lock(lock, &got, &e), &e);
    assert_true(got);
    FAILS(frz__watch_read(fs, &out, &e), FRZ_BUSY, &e);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        char json[160], text[256];
        size_t n = (size_t)snprintf(json, sizeof json, "%s,\"time_us\":%lld%s", rows[i].head, (long long)(frz__clock_wall_us() - rows[i].age_us), rows[i].tail);
        size_t len = (size_t)snprintf(text, sizeof text, "FRZSTAT1 %08x %zu\n%s", frz__crc32c(0, json, n), n, json);
        put_file(fs, WATCH_STATS_PATH, text, len);
        buf_reset(&out);
        RC(frz__watch_read(fs, &out, &e), rows[i].rc, &e);
        if (rows[i].rc == FRZ_OK) assert_true(slice_eq(buf_slice(&out), slice_of(json, n)));
        else assert_int_equal(out.len, 0);
    }
    OK(frz__file_close(lock, &e), &e);
    RC(frz__watch_read(fs, &out, &e), FRZ_NOT_FOUND, &e);
    buf_clear(&out);
    frz__fs_free(fs);
}

/* The report of DIR's writer; it may be asked for the first time. */
static frz_blob *answer(const char *dir)
{
    frz_blob *text = NULL;
    frz_error e = {0};
    int rc = FRZ_BUSY;
    SOON((rc = frz_watch(dir, &text, &e)) != FRZ_BUSY);
    OK(rc, &e);
    return text;
}

TEST(watch, a_report_that_a_writer_left_or_that_came_with_a_copy_is_none)
{
    char dir[1024], copy[1040], command[2200], root[1100];
    frz_db *db, *second;
    frz_error e = {0};
    frz_blob *text = NULL;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("watch-copy"));
    snprintf(copy, sizeof copy, "%s/copy", dir);
    snprintf(dir + strlen(dir), sizeof dir - strlen(dir), "/db");
    OK(frz_db_open(dir, &o, &db, &e), &e);
    frz_blob_free(answer(dir));
    snprintf(command, sizeof command, "cp -r '%s' '%s'", dir, copy);
    assert_int_equal(system(command), 0);
    assert_true(there(copy, "stats"));
    RC(frz_watch(copy, &text, &e), FRZ_NOT_FOUND, &e);
    OK(frz_db_open(copy, &o, &second, &e), &e);
    text = answer(copy); /* not the copied one, which is of this process, too, and young */
    snprintf(root, sizeof root, "%s\",\"read_only\"", copy);
    assert_non_null(strstr(frz_blob_data(text), root));
    frz_blob_free(text);
    OK(frz_db_close(second, &e), &e);
    RC(frz_watch(copy, &text, &e), FRZ_NOT_FOUND, &e);
    OK(frz_db_close(db, &e), &e);
    RC(frz_watch(dir, &text, &e), FRZ_NOT_FOUND, &e);
    assert_true(there(dir, "stats"));
    *strrchr(dir, '/') = 0;
    test_tmp_remove(dir);
}

/* ── jobs ── */

struct jobs { size_t count; char kind[32], phase[32], table[64]; uint64_t total; };
static int see_job(void *ctx, const frz_job *j)
{
    struct jobs *s = (struct jobs *)ctx;
    s->count++;
    snprintf(s->kind, sizeof s->kind, "%s", j->kind);
    snprintf(s->phase, sizeof s->phase, "%s", j->phase);
    snprintf(s->table, sizeof s->table, "%s", j->table);
    s->total = j->rows_total;
    return 0;
}
static struct jobs jobs(frz_db *db)
{
    struct jobs s = {0};
    frz_error e;
    OK(frz_db_jobs(db, see_job, &s, &e), &e);
    return s;
}
static void *flush_thread(void *p)
{
    frz_error e;
    OK(frz_table_flush((frz_table *)p, &e), &e);
    return NULL;
}

TEST(watch, a_job_is_on_the_list_while_it_runs)
{
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_schema *s;
    frz_error e = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    pthread_t thread;
    o.create = true;
    OK(frz__fs_fault_new(NULL, 1, &fs, &e), &e);
    OK(frz__test_db_open(fs, &o, &db, &e), &e);
    OK(frz_schema_parse("id long, v string?", "id", &s, &e), &e);
    OK(frz_table_create(db, "t", s, NULL, &t, &e), &e);
    frz_schema_free(s);
    assert_int_equal(jobs(db).count, 0);
    for (int64_t i = 0; i < 5; i++) OK(table_put(t, i, "v", &e), &e);
    if (frz__test_failpoint("flush.after_data", "pause")) { /* in builds with fail points */
        assert_int_equal(pthread_create(&thread, NULL, flush_thread, t), 0);
        assert_true(frz__test_failpoint_wait_paused("flush.after_data", 120000));
        struct jobs j = jobs(db);
        assert_int_equal(j.count, 1);
        assert_string_equal(j.kind, "flush");
        assert_string_equal(j.phase, "commit");
        assert_string_equal(j.table, "main.t");
        assert_int_equal(j.total, 5);
        frz__test_failpoint_resume("flush.after_data");
        pthread_join(thread, NULL);
    }
    OK(frz_table_flush(t, &e), &e);
    assert_int_equal(jobs(db).count, 0);
    OK(frz_db_close(db, &e), &e);
    frz__fs_free(fs);
}
