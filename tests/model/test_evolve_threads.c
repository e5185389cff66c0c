/* Goal    schema changes race with writers, readers, flushes, compactions and each other: no write is lost, none fails, each reader sees whole rows of one schema.
 * Method  writers put the same number into two columns of a row (x, and another that is renamed, moved, widened by two threads); readers check that they agree, whatever the columns are called now. TSan and ASan
 *         watch. */
#include "alter_kit.h"
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/rand.h"
#include "engine/compact.h"
#include "io/fs.h"

#define KEYS    64
#define WRITERS 3
#define READERS 2
#define ALTERS  150 /* each of two threads */

struct world {
    frz_db *db;
    frz_table *t;
    _Atomic bool stop;
    _Atomic int running, changing;
    _Atomic uint64_t failures, writes, reads, alters;
    _Atomic int64_t acknowledged[KEYS];
};
struct worker { struct world *w; int number; struct pool_job job; void (*fn)(void *); };

static bool must(struct world *w, int rc, int want, const frz_error *e, const char *what)
{
    if (rc == want) return true;
    print_error("%s: %s: %s\n", what, frz_status_name(rc), e->message);
    atomic_fetch_add(&w->failures, 1);
    atomic_store(&w->stop, true);
    return false;
}

/* Each writer has keys of its own, so that it knows what was acknowledged last. Rows are used for a while: they are of older schemas then. */
static void writer(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct world *w = me->w;
    struct rng rng = {(uint64_t)me->number + 5};
    frz_error e = {0};
    frz_row *row = NULL;
    frz_batch *batch;
    must(w, frz_batch_new(w->db, &batch, &e), FRZ_OK, &e, "batch");
    for (int64_t n = 1; !atomic_load(&w->stop); n++) {
        size_t key = rng_below(&rng, KEYS / WRITERS) * WRITERS + (uint64_t)me->number, x;
        if (!row || n % 50 == 0) {
            frz_row_free(row);
            must(w, frz_row_new(w->t, &row, &e), FRZ_OK, &e, "row");
        }
        frz_row_clear(row);
        must(w, frz_row_set_named(row, "id", &LONG_VALUE((int64_t)key), &e), FRZ_OK, &e, "id");
        must(w, frz_row_set_named(row, "x", &LONG_VALUE(n), &e), FRZ_OK, &e, "x");
        for (size_t i = 0; i < frz_row_column_count(row); i++) { /* the other: `a…` */
            frz_value v = LONG_VALUE(n);
            char text[8];
            snprintf(text, sizeof text, "a%zu", i);
            for (int k = 0; k < 8; k++) {
                text[1] = (char)('0' + k);
                text[2] = 0;
                if (frz_row_find(row, text, &x) == FRZ_OK && x == i) must(w, frz_row_set(row, i, &v, &e), FRZ_OK, &e, "a");
            }
        }
        if (n % 3) {
            must(w, frz_put(w->t, row, NULL, &e), FRZ_OK, &e, "put");
        } else {
            frz_batch_clear(batch);
            must(w, frz_batch_put(batch, w->t, row, &e), FRZ_OK, &e, "batch put");
            must(w, frz_batch_update(batch, w->t, row, &e), FRZ_OK, &e, "batch update");
            must(w, frz_write(w->db, batch, NULL, NULL, &e), FRZ_OK, &e, "write");
        }
        atomic_store(&w->acknowledged[key], n);
        atomic_fetch_add(&w->writes, 1);
    }
    frz_row_free(row);
    frz_batch_free(batch);
}

static void check_row(struct world *w, const frz_row *row, bool a_may_be_older)
{
    frz_error e = {0};
    size_t x, n = 0;
    if (!must(w, frz_row_find(row, "x", &x), FRZ_OK, &e, "a row without x")) return;
    int64_t want = frz_row_long(row, x);
    for (int k = 0; k < 8; k++) {
        char name[3] = {'a', (char)('0' + k), 0};
        size_t at;
        if (frz_row_find(row, name, &at) != FRZ_OK) continue;
        n++;
        if (frz_row_long(row, at) != want && !a_may_be_older) must(w, 1, 0, &e, "the two columns of a row differ");
    }
    if (n != 1) must(w, 1, 0, &e, "not one column a…");
}

static void reader(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct world *w = me->w;
    struct rng rng = {(uint64_t)me->number + 500};
    frz_error e = {0};
    while (!atomic_load(&w->stop)) {
        frz_value key = LONG_VALUE((int64_t)rng_below(&rng, KEYS));
        int64_t before = atomic_load(&w->acknowledged[key.as.i64]);
        frz_row *row;
        must(w, frz_row_new(w->t, &row, &e), FRZ_OK, &e, "row");
        int rc = frz_get(w->t, NULL, &key, 1, row, &e);
        if (rc == FRZ_OK) {
            size_t x;
            check_row(w, row, false);
            if (frz_row_find(row, "x", &x) == FRZ_OK && frz_row_long(row, x) < before) must(w, 1, 0, &e, "an acknowledged write is gone");
        } else {
            must(w, rc, before ? FRZ_OK : FRZ_NOT_FOUND, &e, "get");
        }
        frz_row_free(row);
        if (rng_below(&rng, 8) == 0) {
            frz_cursor *c;
            const frz_row *r;
            if (!must(w, frz_scan(w->t, NULL, &c, &e), FRZ_OK, &e, "scan")) break;
            while ((rc = frz_cursor_next(c, &r, &e)) == FRZ_OK) check_row(w, r, false);
            must(w, rc, FRZ_DONE, &e, "cursor");
            frz_cursor_close(c);
            uint64_t n;
            must(w, frz_count(w->t, NULL, &n, &e), FRZ_OK, &e, "count");
        }
        atomic_fetch_add(&w->reads, 1);
    }
}

/* Two of them: what one names may be named otherwise by the time; that alone may be refused. */
static void alterer(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct world *w = me->w;
    struct rng rng = {(uint64_t)me->number + 900};
    frz_error e = {0};
    for (int i = 0; i < ALTERS && !atomic_load(&w->stop); i++) {
        char old[3] = "a0", new[3] = "a0", extra[16];
        frz_schema *s;
        must(w, frz_table_schema(w->t, &s, &e), FRZ_OK, &e, "schema");
        for (int k = 0; k < 8; k++) {
            size_t at;
            char name[3] = {'a', (char)('0' + k), 0};
            if (frz_schema_find(s, name, &at) == FRZ_OK) old[1] = name[1];
        }
        frz_schema_free(s);
        new[1] = (char)('0' + (old[1] - '0' + 1 + (int)rng_below(&rng, 7)) % 8);
        snprintf(extra, sizeof extra, "e%d_%d", me->number, i);
        const frz_alter rename[] = {CHANGE(RENAME, old, .name = new),
                                    CHANGE(MOVE, new, .place = rng_below(&rng, 2) ? FRZ_PLACE_FIRST : FRZ_PLACE_AFTER, .other = "x"),
                                    ADD(extra, .type = TYPE(FRZ_STRING))};
        int rc = frz_table_alter(w->t, rename, 3, &e);
        if (rc == FRZ_INVALID) continue;
        must(w, rc, FRZ_OK, &e, "alter");
        must(w, frz_table_alter(w->t, &CHANGE(DROP, extra), 1, &e), FRZ_OK, &e, "drop");
        if (i == ALTERS / 2) must(w, frz_table_alter(w->t, &CHANGE(TYPE, "x", .type = TYPE(FRZ_LONG)), 1, &e), FRZ_OK, &e, "widen");
        atomic_fetch_add(&w->alters, 2);
    }
}

static void keeper(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct world *w = me->w;
    frz_error e = {0};
    while (!atomic_load(&w->stop)) {
        must(w, frz_table_flush(w->t, &e), FRZ_OK, &e, "flush");
        struct plan_options o;
        frz__compact_options(w->t->t, &o);
        o.small_files = 2;
        o.runs_max = 2;
        o.masked_percent = 1;
        int rc = frz__compact(w->t->t, &o, NULL, &e);
        if (rc != FRZ_DONE) must(w, rc, FRZ_OK, &e, "compact");
    }
}

static void work(void *arg)
{
    struct worker *me = (struct worker *)arg;
    me->fn(me);
    if (me->fn == alterer) atomic_fetch_sub(&me->w->changing, 1);
    atomic_fetch_sub(&me->w->running, 1);
}

static void race(int format)
{
    struct world w = {0};
    frz_error e = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    struct fs *fs;
    struct pool *pool;
    struct worker workers[WRITERS + READERS + 3];
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    o.memtable_bytes = 65536;
    OK(frz__test_db_open(fs, &o, &w.db, &e), &e);
    to.format_version = format;
    OK(frz_schema_parse("id long, x int, a0 long?", "id", &s, &e), &e);
    OK(frz_table_create(w.db, "t", s, &to, &w.t, &e), &e);
    frz_schema_free(s);
    OK(frz__pool_start(NULL, FRZ_ARRAY_LEN(workers), &pool, &e), &e);
    atomic_store(&w.changing, 2);
    for (int i = 0; i < WRITERS + READERS + 3; i++) {
        workers[i] = (struct worker){.w = &w, .number = i};
        void (*fn)(void *) = i < WRITERS ? writer : i < WRITERS + READERS ? reader : i < WRITERS + READERS + 2 ? alterer : keeper;
        workers[i].fn = fn;
        workers[i].job = (struct pool_job){.fn = work, .arg = &workers[i]};
        atomic_fetch_add(&w.running, 1);
        assert_true(frz__pool_submit(pool, &workers[i].job, false));
    }
    while (atomic_load(&w.changing)) nanosleep(&(struct timespec){0, 5000000}, NULL);
    atomic_store(&w.stop, true);
    while (atomic_load(&w.running)) nanosleep(&(struct timespec){0, 5000000}, NULL);
    frz__pool_stop(pool);
    assert_int_equal(atomic_load(&w.failures), 0);
    assert_true(atomic_load(&w.alters) > 0 && atomic_load(&w.writes) > 0 && atomic_load(&w.reads) > 0);
    for (int again = 0; again < 2; again++) {
        for (int64_t k = 0; k < KEYS; k++) {
            frz_row *row;
            size_t x;
            int64_t n = atomic_load(&w.acknowledged[k]);
            OK(frz_row_new(w.t, &row, &e), &e);
            RC(frz_get(w.t, NULL, &LONG_VALUE(k), 1, row, &e), n ? FRZ_OK : FRZ_NOT_FOUND, &e);
            if (n) {
                OK(frz_row_find(row, "x", &x), &e);
                assert_int_equal(frz_row_long(row, x), n);
                check_row(&w, row, false);
            }
            frz_row_free(row);
        }
        frz_verify_report r = FRZ_INIT(frz_verify_report);
        OK(frz_verify(w.db, NULL, NULL, NULL, &r, &e), &e);
        assert_int_equal(r.findings, 0);
        OK(frz_db_close(w.db, &e), &e);
        if (again) break;
        OK(frz__test_db_open(fs, &o, &w.db, &e), &e);
        OK(frz_table_open(w.db, "t", &w.t, &e), &e);
    }
    assert_int_equal(atomic_load(&w.failures), 0);
    frz__fs_free(fs);
}

TEST(evolve_threads, changes_race_with_everything_in_format_2) { race(2); }
TEST(evolve_threads, changes_race_with_everything_in_format_3) { race(3); }
