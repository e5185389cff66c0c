/* Goal    snapshots, tags and expiry beside writers, flushes, compactions, readers and an upgrade: who has a snapshot reads one state of the table to the end, whatever is expired and removed meanwhile; a tag gives
 *         what was tagged.
 * Method  every batch gives all rows one number, so that a state is whole if its rows agree. Threads write and publish, tag, expire, compact, upgrade, and read by id, by tag and by time, until the writer has
 *         done its rounds; what is read twice through one snapshot must be the same. Files go at once: no grace. */
#include "frz_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/rand.h"
#include "engine/compact.h"

#define ROWS 60
#define ROUNDS 150
#define TAGS 4

struct stage {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    _Atomic bool stop;
    _Atomic int64_t tagged[TAGS]; /* the least number that the tag may show: set before the tag is */
    _Atomic uint64_t reads, expired, wrong, seeds;
    frz_error e;
};

static void wrong(struct stage *s, const char *what, const frz_error *e, int64_t a, int64_t b)
{
    print_error("%s: %lld, %lld: %s\n", what, (long long)a, (long long)b, e ? e->message : "");
    atomic_fetch_add(&s->wrong, 1);
}

/* The number that all rows of SNAPSHOT say; -1 = they don't agree. */
static int64_t number_in(struct stage *s, frz_snapshot *snapshot, frz_error *e)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c;
    const frz_row *row;
    int64_t number = -1, rows = 0;
    int rc;
    o.snapshot = snapshot;
    if (frz_scan(s->t, &o, &c, e) != FRZ_OK) return -1;
    while ((rc = frz_cursor_next(c, &row, e)) == FRZ_OK) {
        int64_t v = frz_row_long(row, 1);
        if (rows++ == 0) number = v;
        if (v != number) break;
    }
    frz_cursor_close(c);
    return rc == FRZ_DONE && rows == ROWS ? number : -1;
}

static int64_t number_of_key(struct stage *s, frz_snapshot *snapshot, int64_t id, frz_error *e)
{
    frz_row *row;
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    int64_t number = -1;
    if (frz_row_new(s->t, &row, e) != FRZ_OK) return -1;
    if (frz_get(s->t, snapshot, &key, 1, row, e) == FRZ_OK) number = frz_row_long(row, 1);
    frz_row_free(row);
    return number;
}

struct ids { int64_t id[64]; size_t count; };
static int add_id(void *ctx, const frz_snapshot_info *i)
{
    struct ids *ids = (struct ids *)ctx;
    if (ids->count < FRZ_ARRAY_LEN(ids->id)) ids->id[ids->count++] = i->snapshot_id;
    return 0;
}

static void *read_on(void *arg)
{
    struct stage *s = (struct stage *)arg;
    struct rng rng = {atomic_fetch_add(&s->seeds, 1)};
    frz_error e = {0};
    while (!atomic_load(&s->stop)) {
        frz_snapshot *snapshot = NULL;
        struct ids ids = {.count = 0};
        char name[16];
        uint64_t how = rng_below(&rng, 3), tag = rng_below(&rng, TAGS);
        int64_t least = atomic_load(&s->tagged[tag]);
        int rc = frz_table_snapshots(s->t, add_id, &ids, &e);
        if (rc != FRZ_OK) wrong(s, "listing", &e, rc, 0);
        snprintf(name, sizeof name, "t%d", (int)tag);
        if (how == 0 && ids.count == 0) continue;
        rc = how == 0 ? frz_snapshot_open_published(s->t, ids.id[rng_below(&rng, ids.count)], &snapshot, &e)
             : how == 1 ? frz_snapshot_open_ref(s->t, name, &snapshot, &e)
                        : frz_snapshot_open_at(s->t, frz__clock_wall_us() / 1000 - (int64_t)rng_below(&rng, 50), &snapshot, &e);
        if (rc == FRZ_NOT_FOUND) continue; /* expired, not tagged yet, or not known */
        if (rc != FRZ_OK) {
            wrong(s, "opening", &e, (int64_t)how, rc);
            continue;
        }
        int64_t first = number_in(s, snapshot, &e);
        if (first < 0) wrong(s, "a state is not whole", &e, (int64_t)how, first);
        if (how == 1 && first < least) wrong(s, "a tag shows less than was tagged", NULL, first, least);
        for (int i = 0; i < 3; i++) {
            int64_t again = number_of_key(s, snapshot, (int64_t)rng_below(&rng, ROWS), &e);
            if (again != first) wrong(s, "a get of the same snapshot", &e, again, first);
        }
        int64_t last = number_in(s, snapshot, &e);
        if (last != first) wrong(s, "a second scan of the same snapshot", &e, last, first);
        frz_snapshot_close(snapshot);
        atomic_fetch_add(&s->reads, 1);
    }
    return NULL;
}

static void *tag_on(void *arg)
{
    struct stage *s = (struct stage *)arg;
    struct rng rng = {3};
    frz_error e = {0};
    while (!atomic_load(&s->stop)) {
        frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
        uint64_t tag = rng_below(&rng, TAGS);
        char name[16];
        snprintf(name, sizeof name, "t%d", (int)tag);
        o.remove = rng_below(&rng, 4) == 0;
        int rc = frz_table_tag(s->t, name, &o, &e);
        if (rc != FRZ_OK && !(rc == FRZ_NOT_FOUND && o.remove)) wrong(s, "tagging", &e, rc, o.remove);
        if (o.remove || rc != FRZ_OK) continue;
        frz_snapshot *snapshot; /* this thread alone moves tags: what it shows now it shows until the next time round, which can only be later */
        rc = frz_snapshot_open_ref(s->t, name, &snapshot, &e);
        if (rc != FRZ_OK) {
            wrong(s, "a tag just set", &e, rc, 0);
            continue;
        }
        atomic_store(&s->tagged[tag], number_in(s, snapshot, &e));
        frz_snapshot_close(snapshot);
    }
    return NULL;
}

static int count_expired(void *ctx, const frz_snapshot_info *i) { return (void)i, atomic_fetch_add(&((struct stage *)ctx)->expired, 1), 0; }
static void *expire_on(void *arg)
{
    struct stage *s = (struct stage *)arg;
    struct rng rng = {5};
    frz_error e = {0};
    while (!atomic_load(&s->stop)) {
        frz_expire_options o = FRZ_EXPIRE_OPTIONS_INIT;
        struct ids ids = {.count = 0};
        o.dry_run = rng_below(&rng, 4) == 0;
        if (rng_below(&rng, 2)) {
            o.by_time = true;
            o.older_than_ms = INT64_MAX;
            o.keep_last = 1 + (int64_t)rng_below(&rng, 3);
        } else {
            if (frz_table_snapshots(s->t, add_id, &ids, &e) != FRZ_OK) wrong(s, "listing", &e, 0, 0);
            if (ids.count < 2) continue;
            o.snapshot_ids = &ids.id[rng_below(&rng, ids.count - 1)];
            o.snapshot_id_count = 1;
        }
        int rc = frz_table_expire(s->t, &o, o.dry_run ? NULL : count_expired, s, &e);
        bool tagged = o.snapshot_id_count && (rc == FRZ_INVALID || rc == FRZ_NOT_FOUND); /* or gone already */
        if (rc != FRZ_OK && !tagged) wrong(s, "expiring", &e, rc, o.keep_last);
        struct table *t = s->t->t;
        frz__mutex_lock(&t->flush_mu);
        while (frz__expire_run(t)) {} /* a round ends by its time */
        frz__mutex_unlock(&t->flush_mu);
    }
    return NULL;
}

static void *compact_on(void *arg)
{
    struct stage *s = (struct stage *)arg;
    frz_error e = {0};
    while (!atomic_load(&s->stop)) {
        struct plan_options o;
        frz__compact_options(s->t->t, &o);
        o.small_files = 2;
        o.level0_runs_max = 1;
        int rc = frz__compact(s->t->t, &o, NULL, &e);
        if (rc < 0 && rc != FRZ_CONFLICT) wrong(s, "compacting", &e, rc, 0); /* a conflict: the upgrade came between */
        if (rc == FRZ_DONE) (void)sched_yield();
    }
    return NULL;
}

/* A batch, published: all rows say N. */
static void round_of(struct stage *s, frz_batch *batch, frz_row *row, int64_t n)
{
    frz_batch_clear(batch);
    for (int64_t i = 0; i < ROWS; i++) {
        OK(frz_row_set_long(row, 0, i, &s->e), &s->e);
        OK(frz_row_set_long(row, 1, n, &s->e), &s->e);
        OK(frz_batch_put(batch, s->t, row, &s->e), &s->e);
    }
    OK(frz_write(s->db, batch, NULL, NULL, &s->e), &s->e);
    OK(frz_table_flush(s->t, &s->e), &s->e);
}

TEST(model_snapshots, hazard_20_states_stay_whole_while_they_are_tagged_expired_compacted_and_upgraded)
{
    struct stage s = {.stop = false};
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.snapshots-max"}, *const values[] = {"0", "0", "6"};
    void *(*const runs[])(void *) = {read_on, read_on, tag_on, expire_on, compact_on};
    pthread_t threads[FRZ_ARRAY_LEN(runs)];
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *schema;
    frz_batch *batch;
    frz_row *row;
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 3;
    OK(frz__fs_mem_new(NULL, &s.fs, &s.e), &s.e);
    OK(frz__test_db_open(s.fs, &o, &s.db, &s.e), &s.e);
    OK(frz_schema_parse("id long, v long", "id", &schema, &s.e), &s.e);
    OK(frz_table_create(s.db, "t", schema, &to, &s.t, &s.e), &s.e);
    frz_schema_free(schema);
    OK(frz_batch_new(s.db, &batch, &s.e), &s.e);
    OK(frz_row_new(s.t, &row, &s.e), &s.e);
    round_of(&s, batch, row, 1);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(runs); i++) assert_int_equal(pthread_create(&threads[i], NULL, runs[i], &s), 0);
    for (int64_t n = 2; n <= ROUNDS || atomic_load(&s.reads) < 40 || atomic_load(&s.expired) < 5; n++) {
        round_of(&s, batch, row, n);
        if (n == ROUNDS / 2) OK(frz_table_upgrade(s.t, 3, &s.e), &s.e);
        if (atomic_load(&s.wrong)) break;
    }
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(runs); i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&s.wrong), 0);
    frz_verify_report report = FRZ_INIT(frz_verify_report);
    OK(frz_verify(s.db, NULL, NULL, NULL, &report, &s.e), &s.e);
    assert_int_equal(report.findings, 0);
    frz_row_free(row);
    frz_batch_free(batch);
    OK(frz_db_close(s.db, &s.e), &s.e);
    frz__fs_free(s.fs);
}
