/* Goal    what inserts and updates expect is decided as if one write came after another: inside a batch, between the batches
 *         of a group, and beside flushes.
 * Method  inside a batch: every sequence of operations on one key against what a list of them gives. Between writers: threads insert the
 *         same keys, hold a lock made of a row, and update different columns of one row; a slow sync makes groups, and it is published
 *         all the time. */
#include "frz_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

struct fix {
    char dir[600];
    frz_db *db;
    frz_table *t, *u;
    frz_row *row;
    frz_batch *batch;
    frz_error e;
};

static void fix_open(struct fix *f, int durability)
{
    static const char *const keys[] = {"frazil.publish-interval-ms"}, *const values[] = {"20"};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    *f = (struct fix){.db = NULL};
    snprintf(f->dir, sizeof f->dir, "%s", test_tmp_dir("expect"));
    o.create = true;
    o.durability = durability;
    o.memtable_bytes = durability == FRZ_SYNC_FULL ? 8192 : 0;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 1;
    OK(frz_db_open(f->dir, &o, &f->db, &f->e), &f->e);
    OK(frz_schema_parse("id long, a long?, b long?", "id", &s, &f->e), &f->e);
    OK(frz_table_create(f->db, "t", s, &to, &f->t, &f->e), &f->e);
    OK(frz_table_create(f->db, "u", s, &to, &f->u, &f->e), &f->e);
    frz_schema_free(s);
    OK(frz_row_new(f->t, &f->row, &f->e), &f->e);
    OK(frz_batch_new(f->db, &f->batch, &f->e), &f->e);
}

static void fix_close(struct fix *f)
{
    frz_verify_report r = FRZ_INIT(frz_verify_report);
    OK(frz_verify(f->db, NULL, NULL, NULL, &r, &f->e), &f->e);
    assert_int_equal(r.findings, 0);
    frz_row_free(f->row);
    frz_batch_free(f->batch);
    OK(frz_db_close(f->db, &f->e), &f->e);
    test_tmp_remove(f->dir);
}

static frz_value key_of(int64_t id) { return (frz_value){.type = FRZ_LONG, .as.i64 = id}; }

/* A, B: 0 = left out */
static frz_row *row_of(struct fix *f, int64_t id, int64_t a, int64_t b)
{
    frz_row_clear(f->row);
    OK(frz_row_set_long(f->row, 0, id, &f->e), &f->e);
    if (a) OK(frz_row_set_long(f->row, 1, a, &f->e), &f->e);
    if (b) OK(frz_row_set_long(f->row, 2, b, &f->e), &f->e);
    return f->row;
}

static bool get(struct fix *f, frz_table *t, int64_t id, int64_t *a, int64_t *b)
{
    frz_value key = key_of(id);
    int rc = frz_get(t, NULL, &key, 1, f->row, &f->e);
    *a = frz_row_long(f->row, 1);
    *b = frz_row_long(f->row, 2);
    if (rc != FRZ_NOT_FOUND) OK(rc, &f->e);
    return rc == FRZ_OK;
}

/* ── inside a batch ── */

enum { PUT, INSERT, UPDATE_A, DELETE, KINDS };

/* Adds operation number I of KIND on row ID; what is there then. false = it can't be. */
static bool step(struct fix *f, int kind, int64_t id, int64_t i, bool *there, int64_t *a, int64_t *b)
{
    frz_value key = key_of(id);
    switch (kind) {
    case PUT: OK(frz_batch_put(f->batch, f->t, row_of(f, id, i, i), &f->e), &f->e); break;
    case INSERT: OK(frz_batch_insert(f->batch, f->t, row_of(f, id, i, i), &f->e), &f->e); break;
    case UPDATE_A: OK(frz_batch_update(f->batch, f->t, row_of(f, id, i, 0), &f->e), &f->e); break;
    default: OK(frz_batch_delete(f->batch, f->t, &key, 1, &f->e), &f->e); break;
    }
    if ((kind == INSERT && *there) || (kind == UPDATE_A && !*there)) return false;
    *there = kind != DELETE;
    *a = i;
    if (kind != UPDATE_A) *b = i;
    return true;
}

/* Three operations of each kind on a key that is absent, in the memtable, or in a file; beside them a put in another table, all or none. */
TEST(expect, every_sequence_inside_a_batch_is_that_of_a_list)
{
    struct fix f;
    int64_t id = 0;
    fix_open(&f, FRZ_SYNC_OFF);
    for (int base = 0; base < 3; base++)
        for (int n = 0; n < KINDS * KINDS * KINDS; n++, id++)
            if (base) OK(frz_put(f.t, row_of(&f, id, 100, 200), NULL, &f.e), &f.e);
            else if (id == 0) OK(frz_put(f.u, row_of(&f, -1, 1, 1), NULL, &f.e), &f.e);
    OK(frz_db_flush(f.db, &f.e), &f.e);
    id = 0;
    for (int base = 0; base < 3; base++) {
        for (int n = 0; n < KINDS * KINDS * KINDS; n++, id++) {
            const int kinds[] = {n % KINDS, n / KINDS % KINDS, n / KINDS / KINDS};
            bool there = base > 0, good = true;
            int64_t a = 100, b = 200, got_a, got_b;
            if (base == 1) OK(frz_put(f.t, row_of(&f, id, 100, 200), NULL, &f.e), &f.e);
            frz_batch_clear(f.batch);
            OK(frz_batch_put(f.batch, f.u, row_of(&f, id, 1, 1), &f.e), &f.e);
            int expected = FRZ_OK;
            for (int i = 0; i < 3 && good; i++) {
                good = step(&f, kinds[i], id, i + 1, &there, &a, &b);
                if (!good) expected = kinds[i] == INSERT ? FRZ_EXISTS : FRZ_NOT_FOUND;
            }
            frz_seq_range range = {0, 0};
            RC(frz_write(f.db, f.batch, NULL, &range, &f.e), expected, &f.e);
            if (!good) {
                char text[32];
                snprintf(text, sizeof text, "(%lld)", (long long)id);
                MESSAGE_HAS(&f.e, "main.t");
                MESSAGE_HAS(&f.e, text);
                there = base > 0;
                a = 100;
                b = 200;
                assert_int_equal(range.last, 0);
            } else {
                assert_int_equal(range.last - range.first, 3);
            }
            assert_int_equal(get(&f, f.t, id, &got_a, &got_b), there);
            if (there) assert_true(got_a == a && got_b == b);
            assert_int_equal(get(&f, f.u, id, &got_a, &got_b), good); /* the other table's half */
        }
    }
    fix_close(&f);
}

/* ── between writers ── */

#define THREADS 4
#define KEYS    60
#define ROUNDS  20

struct shared {
    frz_db *db;
    frz_table *t, *u;
    pthread_barrier_t start;
    _Atomic int won, lost, inside, wrong;
};
struct worker { struct shared *s; int number; };

static void must(struct shared *s, bool good, const char *what, const frz_error *e)
{
    if (good) return;
    if (atomic_fetch_add(&s->wrong, 1) < 5) print_error("%s: %s\n", what, e->message);
}

/* A batch of two inserts of one key in two tables, by all threads at once. */
static void *insert_all(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct shared *s = me->s;
    frz_error e = {0};
    frz_row *row = NULL;
    frz_batch *b = NULL;
    must(s, frz_row_new(s->t, &row, &e) == FRZ_OK && frz_batch_new(s->db, &b, &e) == FRZ_OK, "begin", &e);
    for (int64_t k = 0; k < KEYS; k++) {
        frz_batch_clear(b);
        bool made = frz_row_set_long(row, 0, k, &e) == FRZ_OK && frz_row_set_long(row, 1, me->number, &e) == FRZ_OK;
        made = made && frz_batch_insert(b, s->t, row, &e) == FRZ_OK && frz_batch_insert(b, s->u, row, &e) == FRZ_OK;
        must(s, made, "insert", &e);
        pthread_barrier_wait(&s->start);
        int rc = frz_write(s->db, b, NULL, NULL, &e);
        must(s, rc == FRZ_OK || rc == FRZ_EXISTS, "write", &e);
        atomic_fetch_add(rc == FRZ_OK ? &s->won : &s->lost, 1);
    }
    frz_batch_free(b);
    frz_row_free(row);
    return NULL;
}

/* Who could insert the row holds the lock until he deletes it. */
static void *hold_lock(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct shared *s = me->s;
    frz_error e = {0};
    frz_row *row = NULL;
    frz_value key = key_of(-7);
    must(s, frz_row_new(s->t, &row, &e) == FRZ_OK && frz_row_set_long(row, 0, -7, &e) == FRZ_OK, "begin", &e);
    pthread_barrier_wait(&s->start);
    for (int held = 0; held < ROUNDS && !atomic_load(&s->wrong);) {
        int rc = frz_insert(s->t, row, NULL, &e);
        must(s, rc == FRZ_OK || rc == FRZ_EXISTS, "insert", &e);
        if (rc != FRZ_OK) continue;
        must(s, atomic_fetch_add(&s->inside, 1) == 0, "two hold the lock", &e);
        held++;
        atomic_fetch_sub(&s->inside, 1);
        must(s, frz_delete(s->t, &key, 1, NULL, &e) == FRZ_OK, "delete", &e);
    }
    frz_row_free(row);
    return NULL;
}

/* Thread 0 counts column a up, thread 1 column b; the others look that neither goes back. */
static void *count_up(void *arg)
{
    struct worker *me = (struct worker *)arg;
    struct shared *s = me->s;
    frz_error e = {0};
    frz_row *row = NULL;
    frz_value key = key_of(-8);
    int64_t seen[2] = {0, 0};
    must(s, frz_row_new(s->t, &row, &e) == FRZ_OK, "begin", &e);
    pthread_barrier_wait(&s->start);
    for (int64_t n = 1; n <= 3 * ROUNDS; n++) {
        if (me->number < 2) {
            bool made = frz_row_set_long(row, 0, -8, &e) == FRZ_OK && frz_row_set_long(row, 1 + (size_t)me->number, n, &e) == FRZ_OK;
            must(s, made && frz_update(s->t, row, NULL, &e) == FRZ_OK, "update", &e);
            continue;
        }
        must(s, frz_get(s->t, NULL, &key, 1, row, &e) == FRZ_OK, "get", &e);
        for (size_t i = 0; i < 2; i++) {
            must(s, frz_row_long(row, 1 + i) >= seen[i], "an update was lost", &e);
            seen[i] = frz_row_long(row, 1 + i);
        }
    }
    frz_row_free(row);
    return NULL;
}

static void run_threads(struct fix *f, struct shared *s, void *(*fn)(void *))
{
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    *s = (struct shared){.db = f->db, .t = f->t, .u = f->u};
    (void)frz__test_failpoint("wal.sync", "delay:1"); /* so that writers meet in groups */
    assert_int_equal(pthread_barrier_init(&s->start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){s, i};
        assert_int_equal(pthread_create(&threads[i], NULL, fn, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&s->start);
    (void)frz__test_failpoint("wal.sync", "off");
    assert_int_equal(s->wrong, 0);
}

TEST(expect, of_many_who_insert_a_key_in_two_tables_one_wins_both)
{
    struct fix f;
    struct shared s;
    fix_open(&f, FRZ_SYNC_FULL);
    run_threads(&f, &s, insert_all);
    assert_int_equal(s.won, KEYS);
    assert_int_equal(s.lost, KEYS * (THREADS - 1));
    for (int64_t k = 0; k < KEYS; k++) {
        int64_t a = 0, b = 0, none = 0;
        assert_true(get(&f, f.t, k, &a, &none) && get(&f, f.u, k, &b, &none));
        assert_int_equal(a, b); /* of the same batch */
    }
    fix_close(&f);
}

TEST(expect, a_row_that_is_inserted_and_deleted_is_a_lock)
{
    struct fix f;
    struct shared s;
    int64_t a, b;
    fix_open(&f, FRZ_SYNC_FULL);
    run_threads(&f, &s, hold_lock);
    assert_false(get(&f, f.t, -7, &a, &b));
    fix_close(&f);
}

TEST(expect, updates_of_different_columns_lose_nothing)
{
    struct fix f;
    struct shared s;
    int64_t a, b;
    fix_open(&f, FRZ_SYNC_FULL);
    OK(frz_put(f.t, row_of(&f, -8, 0, 0), NULL, &f.e), &f.e);
    run_threads(&f, &s, count_up);
    assert_true(get(&f, f.t, -8, &a, &b));
    assert_int_equal(a, 3 * ROUNDS);
    assert_int_equal(b, 3 * ROUNDS);
    fix_close(&f);
}
