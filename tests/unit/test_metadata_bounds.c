/* Goal    what a table keeps does not grow with the number of its publishes: metadata.json, manifests, snapshots, files on disk, files that wait, open files.
 * Method  many flushes of upserts and a delete on a file system in memory, with the default properties but for the grace; bounds on counts and bytes at every step, not on time.
 *         FRZ_FLUSHES asks for more. */
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/rand.h"
#include "io/fs.h"
#include "tidy_kit.h"

static unsigned flushes(unsigned def)
{
    const char *s = getenv("FRZ_FLUSHES");
    return s ? (unsigned)atoi(s) : def;
}

static int count_name(void *ctx, const char *name, bool is_dir)
{
    (void)name;
    *(size_t *)ctx += !is_dir;
    return 0;
}

struct bed {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_row *row;
    frz_batch *batch;
    frz_error e;
};

static void open_db(struct bed *b)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    o.no_compaction = true;
    o.durability = FRZ_SYNC_OFF;
    o.memory_bytes = 16 << 20;
    OK(frz__test_db_open(b->fs, &o, &b->db, &b->e), &b->e);
}

static void one(struct bed *b, struct rng *r, int64_t v)
{
    frz_batch_clear(b->batch);
    for (int k = 0; k < 10; k++) {
        OK(frz_row_set_long(b->row, 0, (int64_t)rng_below(r, 5000), &b->e), &b->e);
        OK(frz_row_set_long(b->row, 1, v, &b->e), &b->e);
        OK(frz_batch_put(b->batch, b->t, b->row, &b->e), &b->e);
    }
    frz_value key = {.type = FRZ_LONG, .as.i64 = (int64_t)rng_below(r, 5000)};
    OK(frz_batch_delete(b->batch, b->t, &key, 1, &b->e), &b->e);
    OK(frz_write(b->db, b->batch, NULL, NULL, &b->e), &b->e);
    OK(frz_table_flush(b->t, &b->e), &b->e);
}

static void look(struct bed *b, size_t pending_max)
{
    frz_stats s = FRZ_INIT(frz_stats);
    size_t data = 0, metadata = 0;
    OK(frz_db_stats(b->db, b->t, &s, &b->e), &b->e);
    assert_true(s.metadata_bytes < 65536);
    assert_true(s.manifests < 100);
    assert_true(s.snapshots <= 32);
    assert_true(s.files_pending <= pending_max);
    OK(frz__fs_list(b->fs, "main/t/data", count_name, &data, &b->e), &b->e);
    OK(frz__fs_list(b->fs, "main/t/metadata", count_name, &metadata, &b->e), &b->e);
    /* on disk: the current snapshot's, what waits, the current list, 21 versions and the hint */
    assert_true(data <= s.data_files + s.delete_files + s.files_pending);
    assert_true(metadata <= s.manifests + s.files_pending + 33 + 22);
}

static void run(unsigned count, int format, const char *grace, const char *files_max, size_t pending_max)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.foreign-reader-files-max"};
    const char *values[] = {"0", grace, files_max};
    struct bed b = {0};
    struct rng r = {test_seed(5)};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    OK(frz__fs_mem_new(NULL, &b.fs, &b.e), &b.e);
    open_db(&b);
    OK(frz_schema_parse("id long, v long", "id", &s, &b.e), &b.e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 3;
    OK(frz_table_create(b.db, "t", s, &to, &b.t, &b.e), &b.e);
    frz_schema_free(s);
    OK(frz_row_new(b.t, &b.row, &b.e), &b.e);
    OK(frz_batch_new(b.db, &b.batch, &b.e), &b.e);
    for (unsigned i = 0; i < flushes(count); i++) {
        one(&b, &r, (int64_t)i);
        if (i % 50 != 49) continue;
        frz__mutex_lock(&b.t->t->flush_mu); /* as the clock does each second */
        for (int round = 0; round < 3; round++)
            while (frz__expire_run(b.t->t)) {}
        frz__mutex_unlock(&b.t->t->flush_mu);
        look(&b, pending_max);
    }
    uint64_t before = 0, after = 0;
    OK(frz_count(b.t, NULL, &before, &b.e), &b.e);
    frz_row_free(b.row);
    frz_batch_free(b.batch);
    OK(frz_db_close(b.db, &b.e), &b.e);
    open_db(&b);
    wait_tidy(b.db);
    OK(frz_table_open(b.db, "t", &b.t, &b.e), &b.e);
    OK(frz_count(b.t, NULL, &after, &b.e), &b.e);
    assert_int_equal(after, before);
    look(&b, pending_max + 600); /* 50 flushes since the last round */
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(b.db, NULL, NULL, NULL, &rep, &b.e), &b.e);
    assert_int_equal(rep.findings, 0);
    OK(frz_db_close(b.db, &b.e), &b.e);
    frz__fs_free(b.fs);
}

/* 32 snapshots need what they need: about six files each. */
TEST(hazard_36, metadata_and_files_do_not_grow_with_publishes_v2) { run(2000, 2, "0", "20000", 32 * 10); }
TEST(hazard_36, metadata_and_files_do_not_grow_with_publishes_v3) { run(400, 3, "0", "20000", 32 * 20); }
TEST(hazard_37, what_is_kept_for_foreign_readers_is_bounded_by_count_too) { run(400, 2, "900000", "500", 500 + 32 * 10); }
