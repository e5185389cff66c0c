/* Goal: compaction leaves every row as it was, whatever is written, deleted, flushed and compacted beside it. Method: an array beside the table; threads; what is on disk, looked at by verify. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/rand.h"
#include "engine/compact.h"

#define KEYS 3000

struct rig {
    char dir[600];
    frz_db *db;
    frz_table *t;
    frz_batch *batch;
    frz_row *row;
    frz_error e;
    int64_t model[KEYS]; /* 0 = absent */
    struct rng rng;
};

static void rig_open(struct rig *r, int format)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "write.target-file-size-bytes", "frazil.compaction-enabled", "frazil.compaction-split-bytes"};
    static const char *const values[] = {"0", "0", "65536", "0", "65536"}; /* the tests say when; by three threads */
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    o.create = true;
    o.compaction_threads = 3;
    o.durability = FRZ_SYNC_OFF;
    OK(frz_db_open(r->dir, &o, &r->db, &r->e), &r->e);
    int rc = frz_table_open(r->db, "t", &r->t, &r->e);
    if (rc == FRZ_NOT_FOUND) {
        to.format_version = format;
        to.property_keys = keys;
        to.property_values = values;
        to.property_count = FRZ_ARRAY_LEN(keys);
        OK(frz_schema_parse("id long, v long, pad binary?", "id", &s, &r->e), &r->e);
        OK(frz_table_create(r->db, "t", s, &to, &r->t, &r->e), &r->e);
        frz_schema_free(s);
    } else {
        OK(rc, &r->e);
    }
    OK(frz_row_new(r->t, &r->row, &r->e), &r->e);
    OK(frz_batch_new(r->db, &r->batch, &r->e), &r->e);
}
static void rig_close(struct rig *r)
{
    frz_row_free(r->row);
    frz_batch_free(r->batch);
    OK(frz_db_close(r->db, &r->e), &r->e);
}
static void rig_init(struct rig *r, int format)
{
    *r = (struct rig){.rng = {test_seed(11)}};
    snprintf(r->dir, sizeof r->dir, "%s", test_tmp_dir("compact"));
    rig_open(r, format);
}

static void change(struct rig *r, size_t ops)
{
    uint8_t pad[64];
    for (size_t i = 0; i < ops; i++) {
        int64_t id = (int64_t)rng_below(&r->rng, KEYS), v = (int64_t)rng_below(&r->rng, 1000000) + 1;
        frz_value key = {.type = FRZ_LONG, .as.i64 = id};
        if (rng_below(&r->rng, 4) == 0) {
            OK(frz_batch_delete(r->batch, r->t, &key, 1, &r->e), &r->e);
            r->model[id] = 0;
            continue;
        }
        for (size_t k = 0; k < sizeof pad; k++) pad[k] = (uint8_t)rng_next(&r->rng);
        OK(frz_row_set_long(r->row, 0, id, &r->e), &r->e);
        OK(frz_row_set_long(r->row, 1, v, &r->e), &r->e);
        OK(frz_row_set_bytes(r->row, 2, pad, sizeof pad, &r->e), &r->e);
        OK(frz_batch_put(r->batch, r->t, r->row, &r->e), &r->e);
        r->model[id] = v;
    }
    OK(frz_write(r->db, r->batch, NULL, NULL, &r->e), &r->e);
    frz_batch_clear(r->batch);
}

static void check(struct rig *r)
{
    frz_cursor *c;
    const frz_row *row;
    int64_t next = 0;
    int rc;
    OK(frz_scan(r->t, NULL, &c, &r->e), &r->e);
    while ((rc = frz_cursor_next(c, &row, &r->e)) == FRZ_OK) {
        int64_t id = frz_row_long(row, 0);
        for (; next < id; next++) assert_int_equal(r->model[next], 0);
        assert_int_equal(frz_row_long(row, 1), r->model[id]);
        next = id + 1;
    }
    RC(rc, FRZ_DONE, &r->e);
    for (; next < KEYS; next++) assert_int_equal(r->model[next], 0);
    frz_cursor_close(c);
    for (int i = 0; i < 50; i++) {
        int64_t id = (int64_t)rng_below(&r->rng, KEYS);
        frz_value key = {.type = FRZ_LONG, .as.i64 = id};
        RC(frz_get(r->t, NULL, &key, 1, r->row, &r->e), r->model[id] ? FRZ_OK : FRZ_NOT_FOUND, &r->e);
        if (r->model[id]) assert_int_equal(frz_row_long(r->row, 1), r->model[id]);
    }
}
static void verify(struct rig *r)
{
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(r->db, NULL, NULL, NULL, &rep, &r->e), &r->e);
    assert_int_equal(rep.findings, 0);
}

static struct plan_options whole(struct rig *r)
{
    struct plan_options o;
    frz__compact_options(r->t->t, &o);
    o.whole = true;
    return o;
}
static unsigned settle(struct rig *r, const struct plan_options *o)
{
    unsigned n = 0;
    int rc;
    while ((rc = frz__compact(r->t->t, o, NULL, &r->e)) == FRZ_OK) n++;
    RC(rc, FRZ_DONE, &r->e);
    return n;
}
static size_t files(struct rig *r, uint64_t *dead)
{
    struct view *v = atomic_load(&r->t->t->view);
    *dead = 0;
    for (size_t i = 0; i < v->file_count; i++) *dead += frz__mask_count(v->files[i]->mask);
    return v->file_count;
}

static void random_rounds(int format)
{
    struct rig r;
    rig_init(&r, format);
    for (int round = 0; round < 25; round++) {
        uint64_t dead;
        for (uint64_t k = rng_below(&r.rng, 5); k > 0; k--) {
            change(&r, 1 + rng_below(&r.rng, 600));
            OK(frz_table_flush(r.t, &r.e), &r.e);
        }
        change(&r, rng_below(&r.rng, 100)); /* unpublished */
        struct plan_options o = whole(&r);
        if (round % 2) (void)settle(&r, &o);
        check(&r);
        verify(&r);
        if (round % 2) {
            (void)files(&r, &dead);
            assert_int_equal(dead, 0);
        }
        if (round % 7 == 6) {
            rig_close(&r);
            rig_open(&r, format);
            check(&r);
        }
    }
    rig_close(&r);
    test_tmp_remove(r.dir);
}
TEST(compact, leaves_every_row_as_it_was_in_format_2) { random_rounds(2); }
TEST(compact, leaves_every_row_as_it_was_in_format_3) { random_rounds(3); }

struct job { struct rig *r; struct plan_options o; int rc; frz_error e; };
static void *compact_thread(void *arg)
{
    struct job *j = (struct job *)arg;
    j->rc = frz__compact(j->r->t->t, &j->o, NULL, &j->e);
    return NULL;
}

static void masked_meanwhile(int format, const char *where)
{
    struct rig r;
    pthread_t thread;
    rig_init(&r, format);
    for (int i = 0; i < 5; i++) {
        change(&r, i ? 400 : 6000); /* the first file is too large to be absorbed, and gets masked rows */
        OK(frz_table_flush(r.t, &r.e), &r.e);
    }
    if (frz__test_failpoint(where, "pause")) {
        struct job j = {.r = &r, .o = whole(&r)};
        assert_int_equal(pthread_create(&thread, NULL, compact_thread, &j), 0);
        assert_true(frz__test_failpoint_wait_paused(where, 60000));
        for (int i = 0; i < 4; i++) { /* upserts and deletes of rows that are being rewritten; some flushes absorb */
            change(&r, 500);
            OK(frz_table_flush(r.t, &r.e), &r.e);
            check(&r);
        }
        frz__test_failpoint_resume(where);
        pthread_join(thread, NULL);
        RC(j.rc, FRZ_OK, &j.e);
        check(&r);
        verify(&r);
        struct plan_options o = whole(&r);
        (void)settle(&r, &o);
        check(&r);
        verify(&r);
    }
    rig_close(&r);
    rig_open(&r, format);
    check(&r);
    rig_close(&r);
    test_tmp_remove(r.dir);
}
TEST(compact, hazard_06_rows_masked_while_it_runs_stay_masked_in_format_2) { masked_meanwhile(2, "compact.after_data"); }
TEST(compact, hazard_06_rows_masked_while_it_runs_stay_masked_in_format_3) { masked_meanwhile(3, "compact.after_data"); }
TEST(compact, hazard_06_rows_masked_before_it_reads_are_not_masked_twice) { masked_meanwhile(2, "compact.begin"); }

/* ── by itself ── */

static void set(struct rig *r, const char *key, const char *value) { OK(frz_table_set_property(r->t, key, value, &r->e), &r->e); }
static frz_stats stats(struct rig *r)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(r->db, NULL, &s, &r->e), &r->e);
    return s;
}
#define SOON(cond)                                                  \
    do {                                                            \
        for (int i_ = 0; i_ < 24000 && !(cond); i_++) usleep(5000); \
        assert_true(cond);                                          \
    } while (0)

/* A file with dead rows: one compaction's work. */
static void make_work(struct rig *r)
{
    change(r, 6000);
    OK(frz_table_flush(r->t, &r->e), &r->e);
    for (int64_t id = 0; id < KEYS; id += 2) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = id};
        OK(frz_batch_delete(r->batch, r->t, &key, 1, &r->e), &r->e);
        r->model[id] = 0;
    }
    OK(frz_write(r->db, r->batch, NULL, NULL, &r->e), &r->e);
    frz_batch_clear(r->batch);
    OK(frz_table_flush(r->t, &r->e), &r->e);
}

static void beside_writes(int format)
{
    struct rig r;
    rig_init(&r, format);
    set(&r, "frazil.level-base-bytes", "65536");
    set(&r, "frazil.level-ratio", "2");
    set(&r, "frazil.level0-runs-max", "1");
    set(&r, "frazil.compaction-masked-percent", "5");
    set(&r, "frazil.compaction-enabled", "1");
    for (int round = 0; round < 60; round++) {
        change(&r, 1 + rng_below(&r.rng, round % 10 ? 100 : 3000));
        OK(frz_table_flush(r.t, &r.e), &r.e);
        if (round % 6 == 0) check(&r);
        if (round % 20 == 19) {
            rig_close(&r);
            rig_open(&r, format);
        }
    }
    make_work(&r);
    SOON(stats(&r).compactions > 0);
    check(&r);
    verify(&r);
    rig_close(&r);
    rig_open(&r, format);
    check(&r);
    verify(&r);
    rig_close(&r);
    test_tmp_remove(r.dir);
}
TEST(compact, by_itself_beside_writes_leaves_every_row_as_it_was_in_format_2) { beside_writes(2); }
TEST(compact, by_itself_beside_writes_leaves_every_row_as_it_was_in_format_3) { beside_writes(3); }

TEST(compact, that_fails_is_tried_again_later_and_not_at_once)
{
    struct rig r;
    uint64_t dead;
    rig_init(&r, 2);
    set(&r, "write.target-file-size-bytes", "536870912"); /* one file, one job */
    make_work(&r);
    if (frz__test_failpoint("compact.after_data", "nospace:1:2")) {
        set(&r, "frazil.compaction-enabled", "1");
        SOON(stats(&r).compact_failures == 1);
        for (int i = 0; i < 20; i++) frz__compact_schedule(r.t->t); /* as flushes would */
        usleep(50000);
        assert_int_equal(stats(&r).compact_failures, 1);
        assert_int_equal(stats(&r).compactions, 0);
        check(&r);
        SOON(stats(&r).compact_failures == 2 || (frz__test_clock_advance_ns(1000000000), false));
        SOON(stats(&r).compactions > 0 || (frz__test_clock_advance_ns(1000000000), false));
        SOON(((void)files(&r, &dead), dead == 0));
        (void)frz__test_failpoint("compact.after_data", "off");
        check(&r);
        verify(&r);
    }
    rig_close(&r);
    test_tmp_remove(r.dir);
}

/* With a job at work in it that would take hours. */
static void leave_at_work(bool drop)
{
    struct rig r;
    rig_init(&r, 3);
    make_work(&r);
    frz__mutex_lock(&r.db->db->compact_rate.mu);
    r.db->db->compact_rate.per_second = 1;
    frz__mutex_unlock(&r.db->db->compact_rate.mu);
    set(&r, "frazil.compaction-enabled", "1");
    SOON(atomic_load(&r.db->db->compacting) > 0);
    if (drop) OK(frz_table_drop(r.db, "t", &r.e), &r.e);
    rig_close(&r);
    if (!drop) {
        rig_open(&r, 3);
        check(&r);
        verify(&r);
        rig_close(&r);
    }
    test_tmp_remove(r.dir);
}
TEST(compact, at_work_is_given_up_by_close) { leave_at_work(false); }
TEST(compact, at_work_in_a_table_that_is_dropped_is_given_up) { leave_at_work(true); }

/* ── row lineage ── */

struct lineage { int64_t row_id, updated; };
/* Of each live row, as any reader of the format would tell it: stored, or else from its file. */
static void read_lineage(struct rig *r, struct lineage *out)
{
    struct view *v = atomic_load(&r->t->t->view);
    memset(out, 0xFF, KEYS * sizeof *out);
    for (size_t i = 0; i < v->file_count; i++) {
        const struct vfile *f = v->files[i];
        struct iter *it;
        int rc;
        struct sst_scan_options o = {.lineage = true, .keys = true, .mask = f->mask, .mask_fn = f->mask ? frz__mask_clear_dead : NULL};
        OK(frz__sst_iter_new(f->sst, &o, &it, &r->e), &r->e);
        while ((rc = iter_next(it, &r->e)) == FRZ_OK) {
            frz_value id;
            frz__vec_get(&it->vecs->cols[0], it->index, &id);
            assert_int_equal(out[id.as.i64].row_id, -1);
            frz__change_lineage(f, it->vecs, it->index, it->pos, &out[id.as.i64].row_id, &out[id.as.i64].updated);
            assert_true(out[id.as.i64].row_id >= 0 && out[id.as.i64].updated > 0);
        }
        RC(rc, FRZ_DONE, &r->e);
        iter_free(it);
    }
}

struct summary { uint64_t replaced; };
static int last_replace(void *ctx, const frz_snapshot_info *i)
{
    struct summary *s = (struct summary *)ctx;
    if (strcmp(i->operation, "replace") == 0) s->replaced++;
    return 0;
}

TEST(compact, twice_leaves_each_rows_id_and_the_sequence_of_its_last_update)
{
    static struct lineage before[KEYS], after[KEYS];
    struct rig r;
    rig_init(&r, 3);
    for (int i = 0; i < 4; i++) {
        change(&r, i ? 60 : 5000); /* too few to absorb what they mask */
        OK(frz_table_flush(r.t, &r.e), &r.e);
    }
    for (int again = 0; again < 2; again++) {
        struct summary s = {0};
        uint64_t dead;
        struct plan_options o = whole(&r);
        read_lineage(&r, before);
        (void)files(&r, &dead);
        assert_true(dead > 0);
        assert_true(settle(&r, &o) > 0);
        read_lineage(&r, after);
        (void)files(&r, &dead);
        assert_int_equal(dead, 0);
        for (int id = 0; id < KEYS; id++) {
            assert_int_equal(after[id].row_id, before[id].row_id);
            assert_int_equal(after[id].updated, before[id].updated);
        }
        OK(frz_table_snapshots(r.t, last_replace, &s, &r.e), &r.e);
        assert_true(s.replaced > 0);
        verify(&r); /* recounts each summary */
        if (again) break;
        /* some rows change, and are carried by a second file; their ids stay, their sequences do not */
        read_lineage(&r, before);
        change(&r, 60);
        OK(frz_table_flush(r.t, &r.e), &r.e);
        read_lineage(&r, after);
        int updated = 0;
        for (int id = 0; id < KEYS; id++) {
            if (before[id].row_id < 0 || after[id].row_id < 0) continue;
            if (after[id].updated == before[id].updated) assert_int_equal(after[id].row_id, before[id].row_id);
            else updated++;
        }
        assert_true(updated > 10);
    }
    rig_close(&r);
    test_tmp_remove(r.dir);
}
