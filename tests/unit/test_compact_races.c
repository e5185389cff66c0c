/* Goal    compactions that others get in the way of: flushes, other engines' commits, errors at each step; and many of them at once, with delays in each step.
 * Method  a table in memory and an array beside it; a job is held at a fail point while something happens; another engine's commit is one that is on disk and that the table has not heard of. Where fail
 *         points are not compiled in, the tests of single moments have nothing to hold a job by; the races run all the same. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/failpoint.h"
#include "base/rand.h"
#include "codec/codec.h"
#include "engine/compact.h"
#include "iceberg/ice_posdel.h"
#include "io/fs_fault.h"

#define KEYS 4000
#define LOCATION "file:///mem/main/t"

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_db_options o;
    frz_error e;
    struct rng rng;
    int64_t model[KEYS]; /* 0 = absent */
};

static void rig_open(struct rig *r)
{
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_table_open(r->db, "t", &r->t, &r->e), &r->e);
}
static void rig_init(struct rig *r, int format, bool by_itself)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "write.target-file-size-bytes", "frazil.level-base-bytes", "frazil.level0-runs-max",
                                       "frazil.compaction-masked-percent", "frazil.compaction-split-bytes"};
    const char *const values[] = {"0", "0", by_itself ? "65536" : "536870912", "65536", "2", "5", "65536"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT, .rng = {test_seed(5)}};
    r->o.create = true;
    r->o.durability = FRZ_SYNC_OFF;
    r->o.memory_bytes = 64 << 20;
    r->o.compaction_threads = 2;
    r->o.no_compaction = !by_itself;
    OK(frz__fs_fault_new(NULL, 1, &r->fs, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = FRZ_ARRAY_LEN(keys);
    OK(frz_schema_parse("id long, v long, pad binary?", "id", &s, &r->e), &r->e);
    OK(frz_table_create(r->db, "t", s, &to, &r->t, &r->e), &r->e);
    frz_schema_free(s);
}
static void rig_clear(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}
static void reopen(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    rig_open(r);
}

static void put_all(struct rig *r, int64_t from, int64_t to, int64_t v)
{
    frz_batch *b;
    frz_row *row;
    uint8_t pad[40];
    OK(frz_batch_new(r->db, &b, &r->e), &r->e);
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    for (int64_t i = from; i < to; i++) {
        for (size_t k = 0; k < sizeof pad; k++) pad[k] = (uint8_t)rng_next(&r->rng);
        OK(frz_row_set_long(row, 0, i, &r->e), &r->e);
        OK(frz_row_set_long(row, 1, v, &r->e), &r->e);
        OK(frz_row_set_bytes(row, 2, pad, sizeof pad, &r->e), &r->e);
        OK(frz_batch_put(b, r->t, row, &r->e), &r->e);
        r->model[i] = v;
    }
    OK(frz_write(r->db, b, NULL, NULL, &r->e), &r->e);
    frz_row_free(row);
    frz_batch_free(b);
}
static void del(struct rig *r, int64_t id)
{
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_delete(r->t, &key, 1, NULL, &r->e), &r->e);
    r->model[id] = 0;
}
static void flush(struct rig *r) { OK(frz_table_flush(r->t, &r->e), &r->e); }

static int on_finding(void *ctx, const frz_finding *f)
{
    (void)ctx;
    print_error("%s: %s: %s\n", f->table, f->where, f->what);
    return 0;
}
static void check(struct rig *r)
{
    frz_cursor *c;
    const frz_row *row;
    frz_row *mine;
    frz_verify_report rep = FRZ_INIT(frz_verify_report);
    int64_t next = 0;
    int rc;
    OK(frz_scan(r->t, NULL, &c, &r->e), &r->e);
    while ((rc = frz_cursor_next(c, &row, &r->e)) == FRZ_OK) {
        for (; next < frz_row_long(row, 0); next++) assert_int_equal(r->model[next], 0);
        assert_int_equal(frz_row_long(row, 1), r->model[next]);
        next++;
    }
    RC(rc, FRZ_DONE, &r->e);
    for (; next < KEYS; next++) assert_int_equal(r->model[next], 0);
    frz_cursor_close(c);
    OK(frz_row_new(r->t, &mine, &r->e), &r->e);
    for (int64_t i = 0; i < KEYS; i += 7) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = i};
        RC(frz_get(r->t, NULL, &key, 1, mine, &r->e), r->model[i] ? FRZ_OK : FRZ_NOT_FOUND, &r->e);
    }
    frz_row_free(mine);
    OK(frz_verify(r->db, NULL, on_finding, NULL, &rep, &r->e), &r->e);
    assert_int_equal(rep.findings, 0);
}

/* A file of many rows, and a smaller one on top that masks some of them. */
static void load(struct rig *r)
{
    put_all(r, 0, 3000, 1);
    flush(r);
    put_all(r, 100, 150, 2);
    flush(r);
}

struct job { struct rig *r; int rc; frz_error e; frz_compact_result res; };
static void *compact_thread(void *arg)
{
    struct job *j = (struct job *)arg;
    j->rc = frz_table_compact(j->r->t, NULL, &j->res, &j->e);
    return NULL;
}
static pthread_t start(struct job *j, struct rig *r)
{
    pthread_t thread;
    *j = (struct job){.r = r, .res = FRZ_INIT(frz_compact_result)};
    assert_int_equal(pthread_create(&thread, NULL, compact_thread, j), 0);
    return thread;
}

TEST(compact, its_files_are_synced_before_it_takes_the_lane_that_flushes_need)
{
    struct rig r;
    struct job j;
    rig_init(&r, 2, false);
    load(&r);
    if (frz__test_failpoint("compact.after_data", "pause")) {
        pthread_t thread = start(&j, &r);
        assert_true(frz__test_failpoint_wait_paused("compact.after_data", 60000));
        frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
        assert_true(frz__test_failpoint("commit.before_files", "pause"));
        frz__test_failpoint_resume("compact.after_data");
        assert_true(frz__test_failpoint_wait_paused("commit.before_files", 60000));
        assert_int_equal(frz__fs_fault_counts(r.fs).site[SYNC_DATA_FILE], 1);
        frz__test_failpoint_resume("commit.before_files");
        pthread_join(thread, NULL);
        RC(j.rc, FRZ_OK, &j.e);
        assert_int_equal(frz__fs_fault_counts(r.fs).site[SYNC_DATA_FILE], 1); /* once */
        check(&r);
    }
    rig_clear(&r);
}

/* ── another engine's commit ── */

/* On disk, and not known to the table. */
static int try_foreign(struct rig *r, const struct ice_edit *edit, frz_error *e)
{
    struct table *t = r->t->t;
    struct commit_request q = {.edit = *edit};
    frz__mutex_lock(&t->flush_mu);
    struct version *ours = frz__version_acquire(t);
    int rc = frz__commit(t, &q, e);
    frz__mutex_lock(&t->commit_mu);
    struct version *theirs = t->version;
    t->version = ours;
    frz__mutex_unlock(&t->commit_mu);
    frz__version_release(theirs);
    frz__mutex_unlock(&t->flush_mu);
    return rc;
}
static void foreign(struct rig *r, const struct ice_edit *edit) { OK(try_foreign(r, edit, &r->e), &r->e); }
static int append_file(void *ctx, slice bytes, frz_error *err)
{
    uint64_t at = 0;
    int rc = frz__file_size((struct file *)ctx, &at, err);
    return rc < 0 ? rc : frz__file_write((struct file *)ctx, at, bytes.data, bytes.len, err);
}
/* The row with the key ID, in the file that has most rows, whose keys count up from 0. */
static void foreign_delete(struct rig *r, int64_t id)
{
    struct table *t = r->t->t;
    struct view *v = atomic_load(&t->view);
    struct arena ar = ARENA_INIT(NULL);
    struct codec_ctx *codec;
    struct file *f;
    struct ice_file file;
    size_t largest = 0;
    uint64_t pos = (uint64_t)id;
    for (size_t i = 0; i < v->file_count; i++)
        if (v->files[i]->sst->rows > v->files[largest]->sst->rows) largest = i;
    assert_int_equal(v->files[largest]->sst->rows, 3000);
    struct posdel_target target = {slice_str(v->files[largest]->iceberg_path), &pos, 1};
    OK(frz__fs_open(r->fs, "main/t/data/theirs.parquet", FS_OPEN_CREATE_NEW, &f, &r->e), &r->e);
    OK(frz__codec_ctx_new(NULL, &codec, &r->e), &r->e);
    OK(frz__posdel_write(NULL, &target, 1, CODEC_ZSTD, codec, (struct pq_sink){f, append_file}, &ar, &file, &r->e), &r->e);
    file.path = slice_str(LOCATION "/data/theirs.parquet");
    foreign(r, &(struct ice_edit){.added = &file, .added_count = 1});
    frz__codec_ctx_free(codec);
    OK(frz__file_close(f, &r->e), &r->e);
    frz__arena_clear(&ar);
    r->model[id] = 0;
}

/* WHAT happens while a job is held at WHERE; it goes on and all is as the array says, also after a reopen. */
static void meanwhile(int format, const char *where, void (*what)(struct rig *r))
{
    struct rig r;
    struct job j;
    rig_init(&r, format, false);
    load(&r);
    if (frz__test_failpoint(where, "pause")) {
        pthread_t thread = start(&j, &r);
        assert_true(frz__test_failpoint_wait_paused(where, 60000));
        what(&r);
        frz__test_failpoint_resume(where);
        pthread_join(thread, NULL);
        RC(j.rc, FRZ_OK, &j.e);
        check(&r);
        reopen(&r);
        check(&r);
        OK(frz_table_compact(r.t, NULL, NULL, &r.e), &r.e);
        check(&r);
    }
    rig_clear(&r);
}

static void their_delete(struct rig *r) { foreign_delete(r, 777); }
TEST(compact, hazard_05_a_delete_of_another_engine_before_it_reads_stays_a_delete) { meanwhile(2, "compact.begin", their_delete); }
TEST(compact, hazard_05_a_delete_of_another_engine_before_it_commits_stays_a_delete) { meanwhile(2, "compact.after_data", their_delete); }
TEST(compact, hazard_05_a_delete_of_another_engine_in_the_midst_of_its_commit_stays_a_delete)
{
    struct rig r;
    struct job j;
    rig_init(&r, 2, false);
    load(&r);
    if (frz__test_failpoint("compact.after_data", "pause")) { /* the lane is held across the commit: theirs must be there before; one that comes after finds the files gone */
        pthread_t thread = start(&j, &r);
        assert_true(frz__test_failpoint_wait_paused("compact.after_data", 60000));
        put_all(&r, 3500, 3600, 3);
        flush(&r); /* which it must not undo */
        foreign_delete(&r, 778);
        frz__test_failpoint_resume("compact.after_data");
        pthread_join(thread, NULL);
        RC(j.rc, FRZ_OK, &j.e);
        check(&r);
        reopen(&r);
        check(&r);
    }
    rig_clear(&r);
}

/* Copy-on-write of another engine: the file goes with all its rows. */
static void their_removal(struct rig *r)
{
    struct view *v = atomic_load(&r->t->t->view);
    slice gone = {0};
    for (size_t i = 0; i < v->file_count; i++)
        if (v->files[i]->sst->rows == 3000) gone = slice_str(v->files[i]->iceberg_path);
    assert_non_null(gone.data);
    foreign(r, &(struct ice_edit){.removed = &gone, .removed_count = 1});
    for (int64_t i = 0; i < 3000; i++)
        if (r->model[i] == 1) r->model[i] = 0;
}
TEST(compact, hazard_05_rows_of_a_file_that_another_engine_removed_meanwhile_are_gone) { meanwhile(2, "compact.after_data", their_removal); }

/* Its snapshot before the last one is the current one again: what the last one masked is alive, and its file is not there. */
static void their_rollback(struct rig *r)
{
    static const char *const marks[] = {"\"current-snapshot-id\":", "\"main\":{\"snapshot-id\":"};
    const struct version *v = r->t->t->version;
    char path[80], from[80];
    struct buf text = BUF_INIT(NULL, 0);
    struct file *f;
    assert_int_equal(v->meta->snapshot_count, 2);
    int64_t last = v->meta->current_snapshot_id, first = v->meta->snapshots[v->meta->snapshots[0].id == last].id;
    snprintf(path, sizeof path, "main/t/metadata/v%lld.metadata.json", (long long)v->number);
    OK(frz__fs_read_file(r->fs, path, 1 << 20, &text, &r->e), &r->e);
    OK(buf_append_byte(&text, 0, &r->e), &r->e);
    for (size_t i = 0; i < 2; i++) {
        struct buf out = BUF_INIT(NULL, 0);
        snprintf(from, sizeof from, "%s%lld", marks[i], (long long)last);
        char *at = strstr((char *)text.data, from);
        assert_non_null(at);
        OK(frz__buf_printf(&out, &r->e, "%.*s%s%lld%s%c", (int)(at - (char *)text.data), (char *)text.data, marks[i], (long long)first, at + strlen(from), 0), &r->e);
        buf_clear(&text);
        text = out;
    }
    snprintf(path, sizeof path, "main/t/metadata/v%lld.metadata.json", (long long)v->number + 1);
    OK(frz__fs_open(r->fs, path, FS_OPEN_CREATE_NEW, &f, &r->e), &r->e);
    OK(frz__file_write(f, 0, text.data, text.len - 1, &r->e), &r->e);
    OK(frz__file_close(f, &r->e), &r->e);
    buf_clear(&text);
    for (int64_t i = 100; i < 150; i++) r->model[i] = 1;
}
TEST(compact, rows_that_a_rollback_of_another_engine_brings_back_are_not_lost_in_format_2) { meanwhile(2, "compact.after_data", their_rollback); }
TEST(compact, rows_that_a_rollback_of_another_engine_brings_back_are_not_lost_in_format_3) { meanwhile(3, "compact.after_data", their_rollback); }

/* ── our own flushes ── */

static void our_flushes(struct rig *r)
{
    put_all(r, 90, 130, 4);
    flush(r);
    del(r, 5);
    del(r, 120);
    flush(r);
    put_all(r, 5, 6, 5);
    flush(r);
}
TEST(compact, hazard_06_what_flushes_mask_between_its_steps_is_masked_in_what_it_wrote_in_format_2) { meanwhile(2, "compact.after_data", our_flushes); }
TEST(compact, hazard_06_what_flushes_mask_between_its_steps_is_masked_in_what_it_wrote_in_format_3) { meanwhile(3, "compact.after_data", our_flushes); }

/* A plan is made under no lock that writers wait for; the flushes absorb what it is of. */
TEST(compact, plans_beside_rotations_and_flushes_in_format_2) { meanwhile(2, "compact.plan", our_flushes); }
TEST(compact, plans_beside_rotations_and_flushes_in_format_3) { meanwhile(3, "compact.plan", our_flushes); }

/* As another job does that takes all files, or gives them back. */
static void claim_all(struct rig *r, bool claimed)
{
    struct table *t = r->t->t;
    frz__mutex_lock(&t->view_mu);
    struct view *v = atomic_load(&t->view);
    for (size_t i = 0; i < v->file_count; i++) atomic_store(&v->files[i]->sst->claimed, claimed);
    t->claims_released += !claimed;
    if (claimed) t->claimers++;
    else t->claimers--;
    frz__cond_broadcast(&t->room);
    frz__mutex_unlock(&t->view_mu);
}
static int on_progress(void *ctx, const frz_compact_progress *p)
{
    if (p->phase == FRZ_COMPACT_WAIT) atomic_store((_Atomic bool *)ctx, true);
    return 0;
}
struct told_job { struct job j; _Atomic bool waits; };
static void *compact_told(void *arg)
{
    struct told_job *j = (struct told_job *)arg;
    frz_compact_options o = FRZ_INIT(frz_compact_options);
    o.progress = on_progress;
    o.ctx = &j->waits;
    j->j.rc = frz_table_compact(j->j.r->t, &o, &j->j.res, &j->j.e);
    return NULL;
}
TEST(compact, whose_inputs_another_job_took_while_it_planned_waits_and_plans_anew)
{
    struct rig r;
    struct told_job j = {.j = {.r = &r, .res = FRZ_INIT(frz_compact_result)}};
    rig_init(&r, 2, false);
    load(&r);
    if (frz__test_failpoint("compact.plan", "pause")) {
        pthread_t thread;
        uint64_t plans = frz__test_failpoint_hits("compact.plan");
        assert_int_equal(pthread_create(&thread, NULL, compact_told, &j), 0);
        assert_true(frz__test_failpoint_wait_paused("compact.plan", 60000));
        claim_all(&r, true);
        frz__test_failpoint_resume("compact.plan");
        for (int i = 0; i < 24000 && !atomic_load(&j.waits); i++) usleep(5000);
        assert_true(atomic_load(&j.waits));
        assert_true(frz__test_failpoint_hits("compact.plan") >= plans + 2);
        claim_all(&r, false);
        pthread_join(thread, NULL);
        RC(j.j.rc, FRZ_OK, &j.j.e);
        assert_int_equal(atomic_load(&r.t->t->view)->file_count, 1);
        check(&r);
    }
    rig_clear(&r);
}

/* A flush that has located its keys in files that a compaction is about to replace. */
TEST(compact, hazard_05_waits_for_a_flush_that_knows_where_rows_are)
{
    struct rig r;
    struct job j;
    rig_init(&r, 2, false);
    load(&r);
    if (frz__test_failpoint("compact.after_data", "pause")) {
        pthread_t compacts = start(&j, &r);
        assert_true(frz__test_failpoint_wait_paused("compact.after_data", 60000));
        frz__test_failpoint("flush.after_data", "delay:30"); /* the flush is in its midst while the compaction comes to its end */
        put_all(&r, 200, 260, 6);
        frz__test_failpoint_resume("compact.after_data");
        flush(&r);
        pthread_join(compacts, NULL);
        frz__test_failpoint("flush.after_data", "off");
        RC(j.rc, FRZ_OK, &j.e);
        check(&r);
    }
    rig_clear(&r);
}

/* ── sequence numbers, levels ── */

static int on_file(void *ctx, const frz_file_info *f)
{
    int64_t *least = (int64_t *)ctx;
    if (f->content == 0 && (!*least || f->sequence_number < *least)) *least = f->sequence_number;
    return 0;
}
TEST(compact, hazard_17_its_outputs_carry_the_sequence_number_of_its_beginning)
{
    for (int format = 2; format <= 3; format++) {
        struct rig r;
        struct job j;
        rig_init(&r, format, false);
        load(&r); /* sequence numbers 1 and 2 */
        if (frz__test_failpoint("compact.after_data", "pause")) {
            int64_t least = 0;
            pthread_t thread = start(&j, &r);
            assert_true(frz__test_failpoint_wait_paused("compact.after_data", 60000));
            put_all(&r, 3100, 3900, 7);
            flush(&r); /* 3 */
            frz__test_failpoint_resume("compact.after_data");
            pthread_join(thread, NULL);
            RC(j.rc, FRZ_OK, &j.e);
            assert_int_equal(r.t->t->version->meta->last_sequence_number, 4);
            OK(frz_table_files(r.t, NULL, on_file, &least, &r.e), &r.e);
            assert_int_equal(least, 2); /* an equality delete of sequence 3 would still meet these rows */
            reopen(&r);
            least = 0;
            OK(frz_table_files(r.t, NULL, on_file, &least, &r.e), &r.e);
            assert_int_equal(least, 2);
            check(&r);
        }
        rig_clear(&r);
    }
}

TEST(compact, hazard_15_levels_are_hints_files_may_be_on_any_before_and_after_a_reopen)
{
    struct rig r;
    rig_init(&r, 2, false);
    for (int i = 0; i < 6; i++) {
        put_all(&r, i * 300, i * 300 + 2000 - i * 300, i + 1);
        flush(&r);
        if (i % 2) OK(frz_table_compact(r.t, NULL, NULL, &r.e), &r.e);
    }
    for (int round = 0; round < 4; round++) {
        struct plan_options o;
        int rc;
        struct view *v = atomic_load(&r.t->t->view);
        for (size_t i = 0; i < v->file_count; i++) v->files[i]->sst->level_hint = (uint8_t)rng_below(&r.rng, 6); /* moved, without being rewritten */
        check(&r);
        put_all(&r, 50 * round, 50 * round + 500, 100 + round);
        flush(&r);
        if (round % 2) reopen(&r); /* back to what is stamped in them */
        check(&r);
        for (unsigned n = 0;; n++) {
            frz__compact_options(r.t->t, &o);
            rc = frz__compact(r.t->t, &o, NULL, &r.e);
            if (rc == FRZ_DONE) break;
            RC(rc, FRZ_OK, &r.e);
            assert_true(n < 200);
        }
        check(&r);
    }
    rig_clear(&r);
}

/* ── errors at each step ── */

TEST(compact, that_fails_at_any_step_changes_nothing_and_the_next_one_works)
{
    static const char *const places[] = {"compact.begin", "compact.after_data", "commit.before_files", "commit.before_link", "commit.after_link"};
    for (size_t p = 0; p < FRZ_ARRAY_LEN(places); p++) {
        for (int format = 2; format <= 3; format++) {
            struct rig r;
            rig_init(&r, format, false);
            load(&r);
            if (frz__test_failpoint(places[p], "error:1")) {
                RC(frz_table_compact(r.t, NULL, NULL, &r.e), FRZ_IO, &r.e);
                check(&r);
                put_all(&r, 10, 20, 8);
                if (format == 3) flush(&r);
                OK(frz_table_compact(r.t, NULL, NULL, &r.e), &r.e);
                frz__test_failpoint(places[p], "off");
                check(&r);
                reopen(&r);
                check(&r);
            }
            rig_clear(&r);
        }
    }
}

/* ── all at once ── */

#define WRITERS 2
struct world { struct rig r; _Atomic unsigned writing; _Atomic unsigned failed; unsigned rounds; };
struct actor { struct world *w; int number; uint64_t seed; pthread_t thread; };

static bool good(struct world *w, int rc, int want, const frz_error *e)
{
    if (rc == want) return true;
    if (atomic_fetch_add(&w->failed, 1) == 0) print_error("%s instead of %s: %s\n", frz_status_name(rc), frz_status_name(want), e->message);
    return false;
}

/* Keys of its own: those that are its number modulo WRITERS. */
static void *writer(void *arg)
{
    struct actor *a = (struct actor *)arg;
    struct world *w = a->w;
    struct rng rng = {a->seed};
    frz_error e = {0};
    frz_row *row;
    if (!good(w, frz_row_new(w->r.t, &row, &e), FRZ_OK, &e)) return NULL;
    for (unsigned n = 0; n < w->rounds; n++) {
        int64_t id = (int64_t)rng_below(&rng, KEYS / WRITERS) * WRITERS + a->number, v = (int64_t)n + 1;
        frz_value key = {.type = FRZ_LONG, .as.i64 = id};
        uint64_t what = rng_below(&rng, 8);
        frz_row_clear(row);
        (void)!frz_row_set_long(row, 0, id, &e);
        (void)!frz_row_set_long(row, 1, v, &e);
        if (what < 5) {
            good(w, frz_put(w->r.t, row, NULL, &e), FRZ_OK, &e);
        } else if (what < 7) {
            good(w, frz_delete(w->r.t, &key, 1, NULL, &e), FRZ_OK, &e);
            v = 0;
        } else {
            good(w, frz_update(w->r.t, row, NULL, &e), w->r.model[id] ? FRZ_OK : FRZ_NOT_FOUND, &e);
            if (!w->r.model[id]) v = 0;
        }
        w->r.model[id] = v;
        if (n % 200 == 199) good(w, frz_table_flush(w->r.t, &e), FRZ_OK, &e);
    }
    frz_row_free(row);
    atomic_fetch_sub(&w->writing, 1);
    return NULL;
}

static void *compactor(void *arg)
{
    struct actor *a = (struct actor *)arg;
    struct world *w = a->w;
    struct rng rng = {a->seed};
    frz_error e = {0};
    while (atomic_load(&w->writing)) {
        frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
        frz_value from = {.type = FRZ_LONG, .as.i64 = (int64_t)rng_below(&rng, KEYS)}, to = from;
        to.as.i64 += 500;
        o.no_flush = rng_below(&rng, 2);
        if (a->number) {
            o.from = &from;
            o.to = &to;
            o.from_count = o.to_count = 1;
        }
        good(w, frz_table_compact(w->r.t, &o, NULL, &e), FRZ_OK, &e);
    }
    return NULL;
}

/* Keys ascend, each once, whatever is moved about. */
static void *reader(void *arg)
{
    struct actor *a = (struct actor *)arg;
    struct world *w = a->w;
    frz_error e = {0};
    while (atomic_load(&w->writing)) {
        frz_cursor *c;
        const frz_row *row;
        int64_t last = -1;
        uint64_t scanned = 0, counted = 0;
        frz_snapshot *s;
        frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
        int rc;
        if (!good(w, frz_snapshot_open(w->r.db, &s, &e), FRZ_OK, &e)) return NULL;
        o.snapshot = s;
        if (!good(w, frz_scan(w->r.t, &o, &c, &e), FRZ_OK, &e)) return NULL;
        while ((rc = frz_cursor_next(c, &row, &e)) == FRZ_OK) {
            if (frz_row_long(row, 0) <= last) good(w, 1, 0, &e);
            last = frz_row_long(row, 0);
            scanned++;
        }
        good(w, rc, FRZ_DONE, &e);
        frz_cursor_close(c);
        good(w, frz_count(w->r.t, &o, &counted, &e), FRZ_OK, &e);
        if (counted != scanned) good(w, 1, 0, &e);
        frz_snapshot_close(s);
    }
    return NULL;
}

/* Others' commits, which change nothing of the rows: everybody's next one finds its number taken. */
static void *neighbour(void *arg)
{
    struct actor *a = (struct actor *)arg;
    struct world *w = a->w;
    while (atomic_load(&w->writing)) {
        struct timespec t = {0, 5000000};
        frz_error e;
        int rc = try_foreign(&w->r, &(struct ice_edit){0}, &e);
        if (rc != FRZ_CONFLICT) good(w, rc, FRZ_OK, &e); /* its last one is not known yet either */
        nanosleep(&t, NULL);
    }
    return NULL;
}

static void all_at_once(int format, bool delays, bool neighbours)
{
    static const char *const places[] = {"compact.begin", "compact.piece", "compact.after_data", "flush.after_data", "commit.before_files", "commit.before_link"};
    static struct world w;
    struct actor actors[WRITERS + 4];
    size_t n = 0;
    memset(&w, 0, sizeof w);
    rig_init(&w.r, format, true);
    put_all(&w.r, 0, KEYS, 1);
    flush(&w.r);
    w.rounds = 3000;
    atomic_store(&w.writing, WRITERS);
    for (size_t i = 0; delays && i < FRZ_ARRAY_LEN(places); i++) (void)frz__test_failpoint(places[i], "delay:2");
    void *(*const roles[])(void *) = {writer, writer, compactor, compactor, reader, neighbour};
    for (; n < FRZ_ARRAY_LEN(roles) - !neighbours; n++) {
        actors[n] = (struct actor){.w = &w, .number = (int)(n % 2), .seed = test_seed(6) + n};
        assert_int_equal(pthread_create(&actors[n].thread, NULL, roles[n], &actors[n]), 0);
    }
    for (size_t i = 0; i < n; i++) pthread_join(actors[i].thread, NULL);
    for (size_t i = 0; delays && i < FRZ_ARRAY_LEN(places); i++) (void)frz__test_failpoint(places[i], "off");
    assert_int_equal(atomic_load(&w.failed), 0);
    if (neighbours) { /* so that their last commit is known */
        put_all(&w.r, 0, 1, 9999);
        flush(&w.r);
        assert_true(atomic_load(&w.r.t->t->commit_conflicts) > 0);
    }
    check(&w.r);
    reopen(&w.r);
    check(&w.r);
    OK(frz_table_compact(w.r.t, NULL, NULL, &w.r.e), &w.r.e);
    check(&w.r);
    rig_clear(&w.r);
}
TEST(compact_races, writers_flushes_compactions_and_readers_agree_in_format_2) { all_at_once(2, false, false); }
TEST(compact_races, writers_flushes_compactions_and_readers_agree_in_format_3) { all_at_once(3, false, false); }
TEST(compact_races, with_delays_in_every_step_they_agree_in_format_2) { all_at_once(2, true, false); }
TEST(compact_races, with_delays_in_every_step_they_agree_in_format_3) { all_at_once(3, true, false); }
TEST(compact_races, beside_another_engine_that_commits_they_agree) { all_at_once(2, true, true); }
