/* Goal    tables come and go while others make and drop tables of the same name, while a drop fails half-way and writers wait for room: each call has one answer, and a table is removed once.
 * Method  a file system of which the renames to the trash stand still or fail; the sanitizers judge who frees what. */
#include "gate_kit.h"
#include "table_kit.h"

#include <unistd.h>

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_error e;
    frz_db_options o;
};

static void rig_init(struct rig *r)
{
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.memory_bytes = 8 << 20;
    r->o.durability = FRZ_SYNC_OFF;
    OK(frz__fs_mem_new(NULL, &r->fs, &r->e), &r->e);
    gate_build(r->fs);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
}
static void rig_clear(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}
static int count_table(void *ctx, const char *name)
{
    (void)name;
    ++*(size_t *)ctx;
    return 0;
}
static size_t tables(struct rig *r)
{
    size_t n = 0;
    OK(frz_db_tables(r->db, count_table, &n, &r->e), &r->e);
    return n;
}

static int create_x(void *ctx, frz_error *e)
{
    frz_schema *s = NULL;
    int rc = frz_schema_parse("id long, v string?", "id", &s, e);
    if (rc == FRZ_OK) rc = frz_table_create(((struct rig *)ctx)->db, "x", s, NULL, NULL, e);
    frz_schema_free(s);
    return rc;
}
static int drop_x(void *ctx, frz_error *e) { return frz_table_drop(((struct rig *)ctx)->db, "x", e); }
static void expect_usable(struct rig *r)
{
    frz_table *t;
    OK(frz_table_open(r->db, "x", &t, &r->e), &r->e);
    table_has(t, 1, NULL); /* nothing of one before it */
    OK(table_put(t, 1, "v", &r->e), &r->e);
    OK(frz_table_flush(t, &r->e), &r->e);
    table_has(t, 1, "v");
    frz_table_close(t);
}

TEST(table_races, a_name_is_taken_until_the_drop_of_its_table_is_over)
{
    struct rig r;
    struct beside drop;
    rig_init(&r);
    OK(create_x(&r, &r.e), &r.e);
    expect_usable(&r);
    gate_shut(GATE_RENAME, "main/x");
    beside_begin(&drop, drop_x, &r);
    gate_wait();
    beside_passes(create_x, &r, FRZ_EXISTS, "a creation");
    gate_open();
    OK(beside_end(&drop), &drop.e);
    OK(create_x(&r, &r.e), &r.e);
    expect_usable(&r);
    assert_int_equal(tables(&r), 1);
    rig_clear(&r);
}

TEST(table_races, what_a_failed_drop_left_is_removed_by_one_creation_and_by_nobody_beside_it)
{
    struct rig r;
    struct beside create;
    rig_init(&r);
    OK(create_x(&r, &r.e), &r.e);
    expect_usable(&r);
    gate_fail(GATE_RENAME, "main/x");
    FAILS(drop_x(&r, &r.e), FRZ_IO, &r.e);
    MESSAGE_HAS(&r.e, "not removed yet");
    FAILS(create_x(&r, &r.e), FRZ_IO, &r.e);
    gate_shut(GATE_RENAME, "main/x");
    beside_begin(&create, create_x, &r);
    gate_wait();
    beside_passes(create_x, &r, FRZ_EXISTS, "another creation");
    beside_passes(drop_x, &r, FRZ_NOT_FOUND, "a drop");
    gate_open();
    OK(beside_end(&create), &create.e);
    expect_usable(&r);
    OK(frz_db_close(r.db, &r.e), &r.e);
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    assert_int_equal(tables(&r), 1);
    rig_clear(&r);
}

/* ── in a loop ── */

#define ROUNDS 60
struct race { struct rig *r; _Atomic bool stop; _Atomic int creators; _Atomic uint64_t made, dropped, wrong; };

static void *creating(void *arg)
{
    struct race *x = (struct race *)arg;
    frz_error e;
    for (int i = 0; i < ROUNDS || atomic_load(&x->made) < ROUNDS; i++) { /* on a busy machine renames may fail for long */
        int rc = create_x(x->r, &e);
        if (rc == FRZ_OK) atomic_fetch_add(&x->made, 1);
        else if (rc != FRZ_EXISTS && rc != FRZ_IO) atomic_fetch_add(&x->wrong, 1);
    }
    atomic_fetch_sub(&x->creators, 1);
    return NULL;
}
static void *dropping(void *arg)
{
    struct race *x = (struct race *)arg;
    frz_error e;
    while (atomic_load(&x->creators)) {
        int rc = drop_x(x->r, &e);
        if (rc == FRZ_OK) atomic_fetch_add(&x->dropped, 1);
        else if (rc != FRZ_NOT_FOUND && rc != FRZ_IO) atomic_fetch_add(&x->wrong, 1);
    }
    return NULL;
}
static void *writing(void *arg)
{
    struct race *x = (struct race *)arg;
    frz_error e;
    while (!atomic_load(&x->stop)) {
        frz_table *t = NULL;
        frz_row *row = NULL;
        frz_stats s = {.struct_size = sizeof s};
        if (frz_db_stats(x->r->db, NULL, &s, &e) != FRZ_OK) atomic_fetch_add(&x->wrong, 1);
        if (frz_table_open(x->r->db, "x", &t, &e) != FRZ_OK) continue;
        int rc = frz_row_new(t, &row, &e);
        if (rc == FRZ_OK && frz_row_set_long(row, 0, 1, &e) == FRZ_OK) rc = frz_put(t, row, NULL, &e);
        if (rc == FRZ_OK) rc = frz_table_flush(t, &e);
        if (rc != FRZ_OK && rc != FRZ_NOT_FOUND && rc != FRZ_IO) atomic_fetch_add(&x->wrong, 1);
        frz_row_free(row);
        frz_table_close(t);
    }
    return NULL;
}
static void *failing(void *arg)
{
    struct race *x = (struct race *)arg;
    while (!atomic_load(&x->stop)) {
        gate_fail(GATE_RENAME, "main/x");
        usleep(200);
        gate_open();
        usleep(400);
    }
    return NULL;
}

TEST(table_races, drops_and_creations_of_one_name_by_several_threads_remove_each_table_once)
{
    struct rig r;
    struct race x = {.r = &r, .creators = 2};
    pthread_t threads[6];
    void *(*const runs[6])(void *) = {creating, creating, dropping, dropping, writing, failing};
    rig_init(&r);
    for (int i = 0; i < 6; i++) assert_int_equal(pthread_create(&threads[i], NULL, runs[i], &x), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    atomic_store(&x.stop, true);
    for (int i = 4; i < 6; i++) pthread_join(threads[i], NULL);
    gate_open();
    assert_int_equal(atomic_load(&x.wrong), 0);
    assert_true(atomic_load(&x.made) >= ROUNDS);
    int rc = drop_x(&r, &r.e);
    if (rc != FRZ_NOT_FOUND) OK(rc, &r.e);
    assert_int_equal(tables(&r), 0);
    OK(create_x(&r, &r.e), &r.e);
    expect_usable(&r);
    OK(frz_db_close(r.db, &r.e), &r.e);
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    assert_int_equal(tables(&r), 1);
    rig_clear(&r);
}

/* ── writers that wait for a table which goes ── */

struct filler { frz_table *t; _Atomic uint64_t done; _Atomic bool stop; int rc; frz_error e; };
static void *fill(void *arg)
{
    struct filler *f = (struct filler *)arg;
    static const char v[8192];
    frz_row *row = NULL;
    f->rc = frz_row_new(f->t, &row, &f->e);
    for (int64_t id = 0; f->rc == FRZ_OK && !atomic_load(&f->stop); id++) {
        f->rc = frz_row_set_long(row, 0, id, &f->e);
        if (f->rc == FRZ_OK) f->rc = frz_row_set_bytes(row, 1, v, sizeof v, &f->e);
        if (f->rc == FRZ_OK) f->rc = frz_put(f->t, row, NULL, &f->e);
        atomic_fetch_add(&f->done, f->rc == FRZ_OK);
    }
    frz_row_free(row);
    return NULL;
}
static uint64_t stalls(struct rig *r)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(r->db, NULL, &s, &r->e), &r->e);
    return s.stalls;
}

TEST(table_races, writers_that_wait_for_the_memory_of_a_dropped_table_go_on_though_its_files_stay)
{
    struct rig r;
    struct filler x = {0}, other = {0};
    pthread_t threads[2];
    rig_init(&r);
    OK(frz_db_close(r.db, &r.e), &r.e);
    r.o.memtable_bytes = 1 << 20;
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    table_create_of(r.db, "x", "id long, v binary", 2, &x.t, &r.e);
    table_create_of(r.db, "other", "id long, v binary", 2, &other.t, &r.e);
    OK(frz_table_set_property(x.t, "frazil.immutable-memtables-max", "64", &r.e), &r.e);
    if (!frz__test_failpoint("flush.background", "pause")) { /* not compiled in */
        rig_clear(&r);
        return;
    }
    assert_int_equal(pthread_create(&threads[0], NULL, fill, &x), 0);
    assert_true(GATE_SOON(stalls(&r) > 0)); /* all of memory is its rows */
    assert_int_equal(pthread_create(&threads[1], NULL, fill, &other), 0);
    assert_true(GATE_SOON(stalls(&r) > 1));
    uint64_t before = atomic_load(&other.done);
    gate_fail(GATE_RENAME, "main/x");
    int rc = drop_x(&r, &r.e);
    bool on = GATE_SOON(atomic_load(&other.done) > before + 50);
    atomic_store(&other.stop, true);
    atomic_store(&x.stop, true);
    gate_open();
    frz__test_failpoint_resume("flush.background");
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    assert_int_equal(rc, FRZ_IO);
    assert_true(on);
    OK(other.rc, &other.e);
    RC(x.rc, FRZ_NOT_FOUND, &x.e);
    OK(drop_x(&r, &r.e), &r.e);
    rig_clear(&r);
}
