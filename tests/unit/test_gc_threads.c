/* Goal    expiry, gc and compaction race with readers of every kind, and no reader ever misses a file (hazards 20, 22, 37); for the thread sanitizer.
 * Method  a writer that publishes all the time with no grace and few snapshots; threads that open snapshots by id and cursors, in this process and in a read-only database beside it; each state read must be whole. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/handle.h"
#include "base/rand.h"
#include "engine/compact.h"

#define ROWS 40

struct shared {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    _Atomic bool stop;
    _Atomic uint64_t by_id, gone, scans, gcs, refreshes, wrong;
};
static struct shared sh;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(const char *what, int rc, const frz_error *e)
{
    fprintf(stderr, "%s: %s: %s\n", what, frz_status_name(rc), e->message);
    atomic_fetch_add(&sh.wrong, 1);
}

/* All rows, one value. */
static void read_whole(frz_table *t, frz_snapshot *s, const char *what)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c;
    const frz_row *row;
    frz_error e = {0};
    int64_t n = 0, v = -1;
    o.snapshot = s;
    int rc = frz_scan(t, &o, &c, &e);
    if (rc != FRZ_OK) {
        say(what, rc, &e);
        return;
    }
    while ((rc = frz_cursor_next(c, &row, &e)) == FRZ_OK) {
        if (v < 0) v = frz_row_long(row, 1);
        if (frz_row_long(row, 1) != v) atomic_fetch_add(&sh.wrong, 1);
        n++;
    }
    if (rc != FRZ_DONE || n != ROWS) say(what, rc, &e);
    frz_cursor_close(c);
}

struct ids { size_t count; int64_t at[64]; };
static int on_snapshot(void *ctx, const frz_snapshot_info *i)
{
    struct ids *ids = (struct ids *)ctx;
    if (ids->count < 64) ids->at[ids->count++] = i->snapshot_id;
    return 0;
}
static void read_by_id(frz_table *t, struct rng *r, bool read_only)
{
    struct ids ids = {0};
    frz_snapshot *s = NULL;
    frz_error e = {0};
    int rc = frz_table_snapshots(t, on_snapshot, &ids, &e);
    if (rc != FRZ_OK || !ids.count) return;
    rc = frz_snapshot_open_published(t, ids.at[rng_below(r, ids.count)], &s, &e);
    if (rc == FRZ_NOT_FOUND || (read_only && rc == FRZ_SNAPSHOT_TOO_OLD)) {
        atomic_fetch_add(&sh.gone, 1);
        return;
    }
    if (rc != FRZ_OK) {
        say("open by id", rc, &e);
        return;
    }
    read_whole(t, s, "a snapshot by id");
    frz_snapshot_close(s);
    atomic_fetch_add(&sh.by_id, 1);
}

static void *reader(void *arg)
{
    struct rng r = {(uint64_t)(uintptr_t)arg};
    while (!atomic_load(&sh.stop)) {
        read_by_id(sh.t, &r, false);
        read_whole(sh.t, NULL, "the latest");
        atomic_fetch_add(&sh.scans, 1);
    }
    return NULL;
}
static void *beside(void *arg)
{
    struct rng r = {(uint64_t)(uintptr_t)arg};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    o.memory_bytes = 8 << 20;
    while (!atomic_load(&sh.stop)) {
        frz_db *db;
        frz_table *t;
        frz_error e = {0};
        int rc = frz__test_db_open(sh.fs, &o, &db, &e);
        if (rc == FRZ_BUSY) continue;
        if (rc == FRZ_OK) rc = frz_table_open(db, "t", &t, &e);
        if (rc != FRZ_OK) {
            say("a reading process", rc, &e);
            break;
        }
        for (int i = 0; i < 4 && !atomic_load(&sh.stop); i++) {
            read_by_id(t, &r, true);
            read_whole(t, NULL, "a reading process");
            rc = frz_db_refresh(db, &e);
            if (rc != FRZ_OK && rc != FRZ_BUSY) say("refresh", rc, &e);
            atomic_fetch_add(&sh.refreshes, 1);
        }
        rc = frz_db_close(db, &e);
        if (rc != FRZ_OK) say("close", rc, &e);
    }
    return NULL;
}
static void *collector(void *arg)
{
    while (!atomic_load(&sh.stop)) {
        frz_error e = {0};
        frz_gc_options o = FRZ_GC_OPTIONS_INIT;
        o.dry_run = atomic_fetch_add(&sh.gcs, 1) % 2;
        int rc = frz_db_gc(sh.db, NULL, &o, NULL, NULL, NULL, &e);
        if (rc != FRZ_OK) say("gc", rc, &e);
        struct table *t = sh.t->t;
        frz__mutex_lock(&t->flush_mu);
        while (frz__expire_run(t)) {} /* a round ends by its time */
        frz__mutex_unlock(&t->flush_mu);
    }
    return NULL;
}

static int publish(frz_batch *b, frz_row *row, int64_t v, frz_error *e)
{
    frz_batch_clear(b);
    for (int64_t i = 0; i < ROWS; i++) {
        TRY(frz_row_set_long(row, 0, i, e));
        TRY(frz_row_set_long(row, 1, v, e));
        TRY(frz_batch_put(b, sh.t, row, e));
    }
    TRY(frz_write(sh.db, b, NULL, NULL, e));
    return frz_table_flush(sh.t, e);
}

static void race(int format)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.snapshots-max", "write.metadata.previous-versions-max", "commit.manifest.min-count-to-merge"};
    static const char *const values[] = {"0", "0", "3", "2", "2"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_schema *s;
    frz_row *row;
    frz_batch *b;
    frz_error e;
    pthread_t threads[4];
    memset(&sh, 0, sizeof sh);
    OK(frz__fs_mem_new(NULL, &sh.fs, &e), &e);
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    o.memory_bytes = 16 << 20;
    OK(frz__test_db_open(sh.fs, &o, &sh.db, &e), &e);
    OK(frz_schema_parse("id long, v long", "id", &s, &e), &e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 5;
    OK(frz_table_create(sh.db, "t", s, &to, &sh.t, &e), &e);
    frz_schema_free(s);
    OK(frz_row_new(sh.t, &row, &e), &e);
    OK(frz_batch_new(sh.db, &b, &e), &e);
    OK(publish(b, row, 0, &e), &e);
    assert_int_equal(pthread_create(&threads[0], NULL, reader, (void *)1), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, reader, (void *)2), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, beside, (void *)3), 0);
    assert_int_equal(pthread_create(&threads[3], NULL, collector, NULL), 0);
    double until = now_s() + 0.6, late = now_s() + 60;
    for (int64_t v = 1; now_s() < late && (now_s() < until || atomic_load(&sh.by_id) < 5 || atomic_load(&sh.refreshes) < 5 || atomic_load(&sh.gcs) < 5); v++) OK(publish(b, row, v, &e), &e);
    atomic_store(&sh.stop, true);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&sh.wrong), 0);
    assert_true(atomic_load(&sh.by_id) >= 5 && atomic_load(&sh.refreshes) >= 5 && atomic_load(&sh.gcs) >= 5);
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(sh.db, NULL, NULL, NULL, &rep, &e), &e);
    assert_int_equal(rep.findings, 0);
    frz_row_free(row);
    frz_batch_free(b);
    OK(frz_db_close(sh.db, &e), &e);
    frz__fs_free(sh.fs);
}

TEST(hazard_20, readers_race_with_expiry_gc_and_compaction_v2) { race(2); }
TEST(hazard_20, readers_race_with_expiry_gc_and_compaction_v3) { race(3); }
