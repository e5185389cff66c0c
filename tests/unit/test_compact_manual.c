/* Goal: a compaction that the host asks for does what it was asked, says so truly, ends, and is cancelled, closed and dropped under without harm. Method: small tables of long keys in memory, an array beside
 * them; fail points hold a job in its midst where the library has them. */
#include "table_kit.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/failpoint.h"
#include "base/rand.h"
#include "engine/compact.h"
#include "io/fs.h"

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_error e;
    frz_db_options o;
};

static void rig_init(struct rig *r, const char *schema, const char *key, int format, const char *target)
{
    const char *const keys[] = {"frazil.publish-interval-ms", "write.target-file-size-bytes"}, *const values[] = {"0", target};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.durability = FRZ_SYNC_OFF;
    r->o.memory_bytes = 128 << 20; /* one job takes all */
    r->o.no_compaction = true; /* but those that are asked for */
    OK(frz__fs_mem_new(NULL, &r->fs, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 2;
    OK(frz_schema_parse(schema, key, &s, &r->e), &r->e);
    OK(frz_table_create(r->db, "t", s, &to, &r->t, &r->e), &r->e);
    frz_schema_free(s);
}
static void rig_clear(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}

/* COUNT rows FROM, FROM + STEP, …, published. */
static void load(struct rig *r, int64_t from, int64_t step, int count, const char *v)
{
    frz_batch *b;
    frz_row *row;
    OK(frz_batch_new(r->db, &b, &r->e), &r->e);
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    for (int i = 0; i < count; i++) {
        char text[100];
        struct rng rng = {(uint64_t)(from + i * step)}; /* text that hardly compresses */
        int n = snprintf(text, sizeof text, "%s of %lld: ", v, (long long)(from + i * step));
        while (n < 70) text[n++] = (char)(' ' + rng_below(&rng, 94));
        OK(frz_row_set_long(row, 0, from + i * step, &r->e), &r->e);
        OK(frz_row_set_string(row, 1, text, (size_t)n, &r->e), &r->e);
        OK(frz_batch_put(b, r->t, row, &r->e), &r->e);
    }
    OK(frz_write(r->db, b, NULL, NULL, &r->e), &r->e);
    frz_batch_free(b);
    frz_row_free(row);
    OK(frz_table_flush(r->t, &r->e), &r->e);
}
static void delete_one(struct rig *r, int64_t id)
{
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_delete(r->t, &key, 1, NULL, &r->e), &r->e);
}
static uint64_t count(struct rig *r)
{
    uint64_t n;
    OK(frz_count(r->t, NULL, &n, &r->e), &r->e);
    return n;
}
struct tally { uint64_t files, deletes, rows, masked; };
static int on_file(void *ctx, const frz_file_info *f)
{
    struct tally *t = (struct tally *)ctx;
    if (f->content) {
        t->deletes++;
    } else {
        t->files++;
        t->rows += f->rows;
        t->masked += f->rows_masked;
    }
    return 0;
}
static struct tally tally(struct rig *r)
{
    struct tally t = {0};
    OK(frz_table_files(r->t, NULL, on_file, &t, &r->e), &r->e);
    return t;
}
static void verify(struct rig *r)
{
    frz_verify_report rep = FRZ_INIT(frz_verify_report);
    OK(frz_verify(r->db, NULL, NULL, NULL, &rep, &r->e), &r->e);
    assert_int_equal(rep.findings, 0);
}

static void whole_table(int format)
{
    struct rig r;
    frz_compact_result res = FRZ_INIT(frz_compact_result);
    rig_init(&r, "id long, v string?", "id", format, "536870912");
    load(&r, 0, 1, 20000, "first");
    load(&r, 0, 10, 500, "second"); /* too few to absorb the first */
    OK(table_put(r.t, 7, "third", &r.e), &r.e); /* in the memtable */
    delete_one(&r, 8);
    OK(frz_table_compact(r.t, NULL, &res, &r.e), &r.e);
    struct tally t = tally(&r);
    assert_int_equal(t.files, 1);
    assert_int_equal(t.deletes, 0);
    assert_int_equal(t.rows, 19999);
    assert_int_equal(res.jobs, 1);
    assert_int_equal(res.files_out, 1);
    assert_true(res.files_in >= 2 && res.bytes_in > 0 && res.bytes_out > 0);
    assert_int_equal(res.rows_out, 19999);
    assert_int_equal(res.rows_in, res.rows_out + res.rows_masked);
    assert_int_equal(res.rows_masked, 502); /* the 500, 7 and 8 */
    assert_int_equal(count(&r), 19999);
    table_has(r.t, 7, "third");
    table_has(r.t, 8, NULL);
    OK(frz_table_compact(r.t, NULL, &res, &r.e), &r.e); /* nothing is left to do */
    assert_int_equal(res.jobs, 0);
    assert_int_equal(res.files_in, 0);
    verify(&r);
    rig_clear(&r);
}
TEST(compact_manual, leaves_one_clean_file_of_a_small_table_in_format_2) { whole_table(2); }
TEST(compact_manual, leaves_one_clean_file_of_a_small_table_in_format_3) { whole_table(3); }

TEST(compact_manual, of_several_passes_tells_the_table_before_and_after)
{
    struct rig r;
    frz_compact_result res = FRZ_INIT(frz_compact_result);
    rig_init(&r, "id long, v string?", "id", 2, "65536");
    for (int64_t n = 12000, k = 0; n >= 40; n /= 3, k++) load(&r, k, 12000 * 7 / n, (int)n, "overlaps"); /* too many for the memory at once; none absorbs another */
    OK(frz_db_close(r.db, &r.e), &r.e);
    r.o.memory_bytes = 8 << 20;
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
    struct tally before = tally(&r), after;
    OK(frz_table_compact(r.t, NULL, &res, &r.e), &r.e);
    after = tally(&r);
    assert_true(res.jobs > 1 && before.files > 6);
    assert_int_equal(res.files_in, before.files);
    assert_int_equal(res.rows_in, before.rows);
    assert_int_equal(res.rows_masked, before.masked);
    assert_int_equal(res.files_out, after.files);
    assert_int_equal(res.rows_out, after.rows);
    assert_int_equal(res.rows_out, res.rows_in - res.rows_masked);
    verify(&r);
    rig_clear(&r);
}

TEST(compact_manual, of_an_empty_table_does_nothing)
{
    struct rig r;
    frz_compact_result res = FRZ_INIT(frz_compact_result);
    rig_init(&r, "id long, v string?", "id", 2, "536870912");
    OK(frz_table_compact(r.t, NULL, &res, &r.e), &r.e);
    assert_int_equal(res.jobs, 0);
    OK(table_put(r.t, 1, "x", &r.e), &r.e);
    OK(frz_table_compact(r.t, NULL, &res, &r.e), &r.e);
    assert_int_equal(res.jobs, 1); /* what was flushed becomes what scans like */
    delete_one(&r, 1);
    OK(frz_table_compact(r.t, NULL, &res, &r.e), &r.e);
    assert_int_equal(tally(&r).files, 0);
    rig_clear(&r);
}

TEST(compact_manual, without_a_flush_leaves_memtables_alone)
{
    struct rig r;
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    frz_compact_result res = FRZ_INIT(frz_compact_result);
    o.no_flush = true;
    rig_init(&r, "id long, v string?", "id", 2, "536870912");
    load(&r, 0, 1, 100, "a");
    OK(table_put(r.t, 1000, "b", &r.e), &r.e);
    OK(frz_table_compact(r.t, &o, &res, &r.e), &r.e);
    assert_int_equal(res.rows_out, 100);
    assert_int_equal(tally(&r).rows, 100);
    table_has(r.t, 1000, "b");
    rig_clear(&r);
}

/* ── a range ── */

static int on_planned(void *ctx, const frz_compact_file *f)
{
    struct tally *t = (struct tally *)ctx;
    assert_true(f->path && f->reason && f->rows && f->bytes);
    t->files++;
    t->rows += f->rows;
    t->masked += f->rows_masked;
    return 0;
}
/* Published in pieces that no flush absorbs: each is half as large as the one before. */
static void load_pieces(struct rig *r)
{
    int n = 16000;
    for (int64_t at = 0; n >= 1000; n /= 4) {
        load(r, at, 1, n, "piece");
        at += n;
    }
}

TEST(compact_manual, of_a_range_rewrites_the_files_with_keys_in_it)
{
    struct rig r;
    frz_value from = {.type = FRZ_LONG, .as.i64 = 16500}, to = {.type = FRZ_LONG, .as.i64 = 16600};
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    frz_compact_result res = FRZ_INIT(frz_compact_result);
    rig_init(&r, "id long, v string?", "id", 2, "536870912");
    load_pieces(&r); /* 0 … 16,000 … 20,000 … 21,000 */
    assert_int_equal(tally(&r).files, 3);
    delete_one(&r, 5);
    delete_one(&r, 16501);
    delete_one(&r, 20500);
    o.from = &from;
    o.from_count = 1;
    o.to = &to;
    o.to_count = 1;
    OK(frz_table_compact(r.t, &o, &res, &r.e), &r.e);
    assert_int_equal(res.files_in, 1);
    assert_int_equal(res.rows_masked, 1);
    assert_int_equal(tally(&r).masked, 2); /* the others' */
    from.as.i64 = to.as.i64 = 20000; /* the first key of a file is in a range that ends with it */
    OK(frz_table_compact(r.t, &o, &res, &r.e), &r.e);
    assert_int_equal(res.files_in, 1);
    assert_int_equal(res.rows_masked, 1);
    from.as.i64 = 30000;
    to.as.i64 = 40000;
    OK(frz_table_compact(r.t, &o, &res, &r.e), &r.e);
    assert_int_equal(res.files_in, 0);
    to.as.i64 = 29999;
    RC(frz_table_compact(r.t, &o, &res, &r.e), FRZ_INVALID, &r.e);
    o.to_count = 0;
    RC(frz_table_compact(r.t, &o, &res, &r.e), FRZ_INVALID, &r.e);
    o.to_count = 2;
    RC(frz_table_compact(r.t, &o, &res, &r.e), FRZ_INVALID, &r.e);
    assert_int_equal(count(&r), 20997);
    verify(&r);
    rig_clear(&r);
}

TEST(compact_manual, takes_a_prefix_of_a_composite_key_as_all_that_begin_with_it)
{
    struct rig r;
    frz_row *row;
    frz_value day = {.type = FRZ_STRING, .as.bytes = {"b", 1}};
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    frz_compact_result res = FRZ_INIT(frz_compact_result);
    rig_init(&r, "day string, n long, v string?", "day,n", 2, "536870912");
    OK(frz_row_new(r.t, &row, &r.e), &r.e);
    static const int rows[] = {20000, 4000, 800}; /* none absorbs another */
    for (int f = 0; f < 3; f++) {
        char text[2] = {(char)('a' + f), 0};
        for (int i = 0; i < rows[f]; i++) {
            OK(frz_row_set_string(row, 0, text, 1, &r.e), &r.e);
            struct rng rng = {(uint64_t)i};
            char v[64];
            for (size_t k = 0; k < sizeof v; k++) v[k] = (char)(' ' + rng_below(&rng, 94));
            OK(frz_row_set_long(row, 1, i * 7919, &r.e), &r.e);
            OK(frz_row_set_string(row, 2, v, sizeof v, &r.e), &r.e);
            OK(frz_put(r.t, row, NULL, &r.e), &r.e);
        }
        OK(frz_table_flush(r.t, &r.e), &r.e);
    }
    assert_int_equal(tally(&r).files, 3);
    o.from = o.to = &day;
    o.from_count = o.to_count = 1;
    OK(frz_table_compact(r.t, &o, &res, &r.e), &r.e);
    assert_int_equal(res.files_in, 1);
    assert_int_equal(res.rows_out, 4000);
    frz_row_free(row);
    rig_clear(&r);
}

/* ── a dry run ── */

TEST(compact_manual, a_dry_run_names_what_would_be_rewritten_and_changes_nothing)
{
    struct rig r;
    struct tally planned = {0}, before;
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    frz_compact_result res = FRZ_INIT(frz_compact_result), real = FRZ_INIT(frz_compact_result);
    frz_stats s[2] = {FRZ_INIT(frz_stats), FRZ_INIT(frz_stats)};
    rig_init(&r, "id long, v string?", "id", 2, "536870912");
    load_pieces(&r);
    load(&r, 3, 100, 100, "again");
    OK(table_put(r.t, -1, "in the memtable", &r.e), &r.e);
    before = tally(&r);
    o.dry_run = true;
    o.file = on_planned;
    o.ctx = &planned;
    OK(frz_db_stats(r.db, r.t, &s[0], &r.e), &r.e);
    OK(frz_table_compact(r.t, &o, &res, &r.e), &r.e);
    OK(frz_db_stats(r.db, r.t, &s[1], &r.e), &r.e);
    assert_int_equal(s[0].commits, s[1].commits);
    assert_int_equal(planned.files, before.files);
    assert_int_equal(planned.masked, before.masked);
    assert_int_equal(res.files_in, planned.files);
    assert_int_equal(res.rows_in, planned.rows);
    assert_int_equal(res.rows_masked, planned.masked);
    assert_int_equal(res.jobs, 0);
    assert_int_equal(res.files_out, 0);
    o.dry_run = false;
    o.no_flush = true;
    OK(frz_table_compact(r.t, &o, &real, &r.e), &r.e); /* it does what was said */
    assert_int_equal(real.files_in, res.files_in);
    assert_int_equal(real.bytes_in, res.bytes_in);
    assert_int_equal(real.rows_in, res.rows_in);
    assert_int_equal(real.rows_masked, res.rows_masked);
    assert_int_equal(planned.files, before.files); /* FILE hears of dry runs alone */
    rig_clear(&r);
}

/* ── progress, cancelling ── */

struct heard { uint64_t calls, rows_done, rows_total, jobs; int cancel_at; bool flushed; int64_t eta_ms; };
static int on_progress(void *ctx, const frz_compact_progress *p)
{
    struct heard *h = (struct heard *)ctx;
    assert_true(p->rows_done >= h->rows_done && p->rows_done <= p->rows_total && p->bytes_done <= p->bytes_total && p->files_done <= p->files_total);
    assert_true(p->elapsed_ms >= 0 && p->eta_ms >= -1);
    h->calls++;
    h->rows_done = p->rows_done;
    h->rows_total = p->rows_total;
    h->jobs = p->jobs;
    h->flushed |= p->phase == FRZ_COMPACT_FLUSH;
    h->eta_ms = p->eta_ms;
    return h->cancel_at && h->calls == (uint64_t)h->cancel_at;
}

TEST(compact_manual, says_how_far_it_is)
{
    struct rig r;
    struct heard h = {0};
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    o.progress = on_progress;
    o.ctx = &h;
    rig_init(&r, "id long, v string?", "id", 2, "65536");
    load(&r, 0, 1, 10000, "a");
    load(&r, 0, 10, 100, "b");
    OK(frz_table_compact(r.t, &o, NULL, &r.e), &r.e);
    assert_true(h.flushed && h.calls >= 4 && h.jobs >= 1);
    assert_int_equal(h.rows_done, 10000);
    assert_int_equal(h.rows_total, 10000);
    assert_int_equal(h.eta_ms, 0);
    rig_clear(&r);
}

TEST(compact_manual, cancelled_at_any_moment_leaves_the_table_as_it_was)
{
    struct rig r;
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    int n = 0, rc = FRZ_CANCELLED;
    rig_init(&r, "id long, v string?", "id", 2, "65536");
    load(&r, 0, 1, 10000, "a");
    load(&r, 0, 10, 100, "b");
    struct tally before = tally(&r);
    for (n = 1; rc == FRZ_CANCELLED; n++) {
        struct heard h = {.cancel_at = n};
        frz_compact_result res = FRZ_INIT(frz_compact_result);
        o.progress = on_progress;
        o.ctx = &h;
        rc = frz_table_compact(r.t, &o, &res, &r.e);
        if (rc == FRZ_OK) break;
        RC(rc, FRZ_CANCELLED, &r.e);
        struct tally now = tally(&r);
        if (res.jobs == 0) {
            assert_int_equal(now.files, before.files);
            assert_int_equal(now.masked, before.masked);
        }
        assert_int_equal(count(&r), 10000);
        verify(&r); /* and nothing lies about that nobody names: see the next test */
    }
    assert_true(n > 3);
    verify(&r);
    rig_clear(&r);
}

static int count_name(void *ctx, const char *name, bool is_dir)
{
    (void)name;
    *(size_t *)ctx += !is_dir;
    return 0;
}
TEST(compact_manual, cancelled_leaves_no_file_behind)
{
    struct rig r;
    struct heard h = {.cancel_at = 3}; /* the flush, the first row, the last one */
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    size_t before = 0, after = 0;
    rig_init(&r, "id long, v string?", "id", 2, "65536");
    load(&r, 0, 1, 10000, "a");
    OK(frz__fs_list(r.fs, "main/t/data", count_name, &before, &r.e), &r.e);
    o.progress = on_progress;
    o.ctx = &h;
    RC(frz_table_compact(r.t, &o, NULL, &r.e), FRZ_CANCELLED, &r.e);
    assert_true(h.rows_done > 0);
    OK(frz__fs_list(r.fs, "main/t/data", count_name, &after, &r.e), &r.e);
    assert_int_equal(before, after);
    rig_clear(&r);
}

/* ── who may, and beside whom ── */

TEST(compact_manual, is_refused_by_who_only_reads)
{
    struct rig r;
    frz_db *db;
    frz_table *t;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_compact_options newer = FRZ_COMPACT_OPTIONS_INIT;
    rig_init(&r, "id long, v string?", "id", 2, "65536");
    load(&r, 0, 1, 100, "a");
    o.read_only = true;
    OK(frz__test_db_open(r.fs, &o, &db, &r.e), &r.e);
    OK(frz_table_open(db, "t", &t, &r.e), &r.e);
    RC(frz_table_compact(t, NULL, NULL, &r.e), FRZ_READ_ONLY, &r.e);
    newer.dry_run = true;
    frz_compact_result res = FRZ_INIT(frz_compact_result);
    OK(frz_table_compact(t, &newer, &res, &r.e), &r.e); /* to look is allowed */
    assert_int_equal(res.files_in, 1);
    OK(frz_db_close(db, &r.e), &r.e);
    newer.struct_size = 0;
    RC(frz_table_compact(r.t, &newer, NULL, &r.e), FRZ_INVALID, &r.e);
    RC(frz_table_compact(NULL, NULL, NULL, &r.e), FRZ_INVALID, &r.e);
    rig_clear(&r);
}

struct job { struct rig *r; frz_compact_options o; frz_compact_result res; int rc; frz_error e; };
static void *compact_thread(void *arg)
{
    struct job *j = (struct job *)arg;
    j->res.struct_size = sizeof j->res;
    j->rc = frz_table_compact(j->r->t, &j->o, &j->res, &j->e);
    return NULL;
}

TEST(compact_manual, ends_although_rows_are_written_and_published_all_the_while)
{
    struct rig r;
    pthread_t thread;
    rig_init(&r, "id long, v string?", "id", 2, "65536");
    load(&r, 0, 1, 20000, "a");
    load(&r, 0, 20, 200, "b");
    if (frz__test_failpoint("compact.after_data", "pause")) {
        struct job j = {.r = &r, .o = FRZ_COMPACT_OPTIONS_INIT};
        assert_int_equal(pthread_create(&thread, NULL, compact_thread, &j), 0);
        assert_true(frz__test_failpoint_wait_paused("compact.after_data", 60000));
        load(&r, 1, 2, 3000, "c");
        load(&r, 100, 1, 10, "d");
        frz__test_failpoint_resume("compact.after_data");
        pthread_join(thread, NULL);
        RC(j.rc, FRZ_OK, &j.e);
        assert_int_equal(j.res.rows_out, 20000); /* c and d are the next one's */
        assert_int_equal(count(&r), 20000);
        verify(&r);
    }
    rig_clear(&r);
}

static size_t at_work(struct rig *r)
{
    frz__mutex_lock(&r->db->db->tables_mu);
    size_t n = r->db->db->manual_count;
    frz__mutex_unlock(&r->db->db->tables_mu);
    return n;
}

TEST(compact_manual, waits_for_another_that_is_at_the_same_files)
{
    struct rig r;
    pthread_t threads[2];
    rig_init(&r, "id long, v string?", "id", 2, "65536");
    load(&r, 0, 1, 20000, "a");
    if (frz__test_failpoint("compact.after_data", "pause")) {
        struct heard h = {0};
        struct job j[2] = {{.r = &r, .o = FRZ_COMPACT_OPTIONS_INIT}, {.r = &r, .o = FRZ_COMPACT_OPTIONS_INIT}};
        j[1].o.progress = on_progress;
        j[1].o.ctx = &h;
        assert_int_equal(pthread_create(&threads[0], NULL, compact_thread, &j[0]), 0);
        assert_true(frz__test_failpoint_wait_paused("compact.after_data", 60000));
        assert_int_equal(pthread_create(&threads[1], NULL, compact_thread, &j[1]), 0);
        struct timespec tick = {0, 1000000};
        while (at_work(&r) != 2) nanosleep(&tick, NULL);
        frz__test_failpoint_resume("compact.after_data");
        for (int i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
            RC(j[i].rc, FRZ_OK, &j[i].e);
        }
        assert_int_equal(j[0].res.jobs, 1);
        assert_int_equal(j[1].res.jobs, 0); /* by then it was done */
        assert_int_equal(count(&r), 20000);
    }
    rig_clear(&r);
}

/* The largest file alone is being rewritten when it begins, for its dead rows: what comes of that was there, in another file. */
TEST(compact_manual, takes_in_what_another_makes_that_began_before_it)
{
    struct rig r;
    pthread_t thread;
    struct plan_options o;
    struct compaction *c;
    rig_init(&r, "id long, v string?", "id", 2, "536870912");
    load(&r, 0, 1, 20000, "a");
    OK(frz_table_compact(r.t, NULL, NULL, &r.e), &r.e);
    load(&r, 0, 10, 2000, "b");
    OK(frz_table_set_property(r.t, "frazil.compaction-masked-percent", "1", &r.e), &r.e);
    frz__compact_options(r.t->t, &o);
    OK(frz__compact_begin(r.t->t, &o, &c, &r.e), &r.e);
    struct job j = {.r = &r, .o = FRZ_COMPACT_OPTIONS_INIT};
    assert_int_equal(pthread_create(&thread, NULL, compact_thread, &j), 0);
    struct timespec tick = {0, 1000000};
    while (!atomic_load(&r.t->t->manual_end)) nanosleep(&tick, NULL);
    load(&r, 1, 40, 10, "c"); /* not its business */
    OK(frz__compact_run(c, NULL, &r.e), &r.e);
    frz__compact_end(c);
    pthread_join(thread, NULL);
    RC(j.rc, FRZ_OK, &j.e);
    struct tally t = tally(&r);
    assert_in_range(t.files, 1, 2);
    assert_in_range(t.masked, 0, 10);
    assert_int_equal(atomic_load(&r.t->t->manual_end), 0);
    assert_int_equal(count(&r), 20000);
    rig_clear(&r);
}

TEST(compact_manual, is_cancelled_by_close_which_waits_for_it)
{
    struct rig r;
    pthread_t thread;
    rig_init(&r, "id long, v string?", "id", 2, "65536");
    load(&r, 0, 1, 20000, "a");
    if (frz__test_failpoint("compact.begin", "pause")) {
        struct job j = {.r = &r, .o = FRZ_COMPACT_OPTIONS_INIT};
        assert_int_equal(pthread_create(&thread, NULL, compact_thread, &j), 0);
        assert_true(frz__test_failpoint_wait_paused("compact.begin", 60000));
        frz__test_failpoint("compact.begin", "delay:50"); /* lets it go, while this one closes */
        OK(frz_db_close(r.db, &r.e), &r.e);
        pthread_join(thread, NULL);
        assert_true(j.rc == FRZ_CANCELLED || j.rc == FRZ_OK);
        OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
        OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
        assert_int_equal(count(&r), 20000);
        verify(&r);
    }
    rig_clear(&r);
}

static int is_begin(void *ctx, const frz_event *e) { return e->kind == FRZ_EVENT_COMPACTION_BEGIN; }
/* What it owes the rate by its first look is half an hour. */
TEST(compact_manual, is_cancelled_by_close_in_the_midst_of_its_rate_limit)
{
    struct rig r;
    struct job j = {.r = &r, .o = FRZ_COMPACT_OPTIONS_INIT};
    pthread_t thread;
    rig_init(&r, "id long, v string?", "id", 2, "536870912");
    OK(frz_db_close(r.db, &r.e), &r.e);
    r.o.compaction_bytes_per_second = 1024;
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
    load(&r, 0, 1, 20000, "a");
    load(&r, 0, 2, 10000, "b");
    assert_int_equal(pthread_create(&thread, NULL, compact_thread, &j), 0);
    int begun = 0;
    for (int i = 0; i < 24000 && !begun; i++) {
        usleep(5000);
        begun = frz_db_events(r.db, 0, is_begin, NULL, &r.e);
    }
    assert_int_equal(begun, 1);
    usleep(50000); /* to the limit, most likely */
    OK(frz_db_close(r.db, &r.e), &r.e);
    pthread_join(thread, NULL);
    RC(j.rc, FRZ_CANCELLED, &j.e);
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
    assert_int_equal(count(&r), 20000);
    rig_clear(&r);
}

TEST(compact_manual, of_a_table_that_is_dropped_meanwhile_is_not_found)
{
    static const char *const places[] = {"compact.begin", "compact.after_data"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(places); i++) {
        struct rig r;
        pthread_t thread;
        rig_init(&r, "id long, v string?", "id", 2, "65536");
        load(&r, 0, 1, 20000, "a");
        if (frz__test_failpoint(places[i], "pause")) {
            struct job j = {.r = &r, .o = FRZ_COMPACT_OPTIONS_INIT};
            assert_int_equal(pthread_create(&thread, NULL, compact_thread, &j), 0);
            assert_true(frz__test_failpoint_wait_paused(places[i], 60000));
            OK(frz_table_drop(r.db, "t", &r.e), &r.e);
            frz__test_failpoint_resume(places[i]);
            pthread_join(thread, NULL);
            RC(j.rc, FRZ_NOT_FOUND, &j.e);
        }
        rig_clear(&r);
    }
}

/* ── what it is for ── */

/* By one get in a hundred: key pages read for each, from the files. */
static void gets(struct rig *r, int64_t from, int64_t step, int rows, bool there, uint64_t *most)
{
    frz_row *row;
    frz_stats s[2] = {FRZ_INIT(frz_stats), FRZ_INIT(frz_stats)};
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    *most = 0;
    for (int i = 0; i < rows; i += 97) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = from + i * step};
        OK(frz_db_stats(r->db, NULL, &s[0], &r->e), &r->e);
        RC(frz_get(r->t, NULL, &key, 1, row, &r->e), there ? FRZ_OK : FRZ_NOT_FOUND, &r->e);
        OK(frz_db_stats(r->db, NULL, &s[1], &r->e), &r->e);
        uint64_t n = s[1].key_pages_read - s[0].key_pages_read;
        if (n > *most) *most = n;
    }
    frz_row_free(row);
}

static void settled(int format)
{
    struct rig r;
    uint64_t before, after, absent;
    rig_init(&r, "id long, v string?", "id", format, "262144");
    OK(frz_table_set_property(r.t, "frazil.filter-bits-per-key", "0", &r.e), &r.e); /* no filters: each run that a key may be in costs a page */
    for (int i = 0, n = 16000; i < 4; i++, n /= 3) load(&r, i, 320000 / n, n, "settles"); /* each over all keys, and too large for the next one to absorb */
    assert_true(tally(&r).files >= 4);
    /* nothing is decoded from before: a page that is asked for is read */
    OK(frz_db_close(r.db, &r.e), &r.e);
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
    gets(&r, 9, 20, 1000, false, &before);
    OK(frz_table_compact(r.t, NULL, NULL, &r.e), &r.e);
    assert_true(tally(&r).files > 1); /* one run, of more than one file */
    OK(frz_db_close(r.db, &r.e), &r.e);
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
    gets(&r, 0, 20, 16000, true, &after);
    gets(&r, 9, 20, 16000, false, &absent);
    print_message("key pages a get: at most %u before, %u after, %u of keys that are not there\n", (unsigned)before, (unsigned)after, (unsigned)absent);
    assert_true(before > 1);
    assert_int_equal(after, 1);
    assert_true(absent <= 1);
    rig_clear(&r);
}
TEST(compact_manual, a_get_of_a_settled_table_reads_one_key_page_in_format_2) { settled(2); }
TEST(compact_manual, a_get_of_a_settled_table_reads_one_key_page_in_format_3) { settled(3); }
