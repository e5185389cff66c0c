/* What hazards.md says of the log and of what is published, on a whole database. */
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/rand.h"
#include "io/fs_fault.h"

struct rig { struct fs *fs; frz_db *db; frz_table *t; frz_error e; frz_db_options o; };

static void rig_open(struct rig *r)
{
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    int rc = frz_table_open(r->db, "t", &r->t, &r->e);
    if (rc == FRZ_OK) return;
    frz_schema *s;
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    static const char *const keys[] = {"frazil.publish-interval-ms"}, *const values[] = {"0"};
    o.property_keys = keys;
    o.property_values = values;
    o.property_count = 1;
    OK(frz_schema_parse("id long, v string?", "id", &s, &r->e), &r->e);
    OK(frz_table_create(r->db, "t", s, &o, &r->t, &r->e), &r->e);
    frz_schema_free(s);
}
static void rig_init(struct rig *r, int durability)
{
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.no_close_flush = true;
    r->o.durability = durability;
    r->o.sync_interval_ms = 3600000;
    r->o.memory_bytes = 8 << 20;
    r->o.log_segment_bytes = 131072;
    OK(frz__fs_fault_new(NULL, 1, &r->fs, &r->e), &r->e);
    rig_open(r);
}
static void rig_close(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    r->db = NULL;
}
static void rig_clear(struct rig *r)
{
    if (r->db) rig_close(r);
    frz__fs_free(r->fs);
}
/* The power goes, and comes back. */
static void rig_reboot(struct rig *r, uint64_t seed)
{
    struct fs *old = r->fs;
    frz__fs_fault_cut(old);
    if (r->db) (void)frz_db_close(r->db, &r->e);
    r->db = NULL;
    OK(frz__fs_fault_reboot(old, seed, &r->fs, &r->e), &r->e);
    frz__fs_free(old);
}
static int try_put(struct rig *r, int64_t id, const char *v)
{
    frz_row *row;
    frz_error e;
    OK(frz_row_new(r->t, &row, &e), &e);
    OK(frz_row_set_long(row, 0, id, &e), &e);
    OK(frz_row_set_string(row, 1, v, strlen(v), &e), &e);
    int rc = frz_put(r->t, row, NULL, &r->e);
    frz_row_free(row);
    return rc;
}
static void put(struct rig *r, int64_t id, const char *v) { RC(try_put(r, id, v), FRZ_OK, &r->e); }
static void has(struct rig *r, int64_t id, const char *v)
{
    frz_row *row;
    frz_error e;
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_row_new(r->t, &row, &e), &e);
    RC(frz_get(r->t, NULL, &key, 1, row, &e), v ? FRZ_OK : FRZ_NOT_FOUND, &e);
    if (v) {
        size_t n;
        const char *got = frz_row_bytes(row, 1, &n);
        assert_int_equal(n, strlen(v));
        assert_memory_equal(got, v, n);
    }
    frz_row_free(row);
}
static frz_stats stats(struct rig *r)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(r->db, NULL, &s, &r->e), &r->e);
    return s;
}

struct names { char name[64][64]; size_t count; };
static int on_name(void *ctx, const char *name, bool is_dir)
{
    struct names *n = (struct names *)ctx;
    (void)is_dir;
    assert_true(n->count < 64);
    snprintf(n->name[n->count++], 64, "%s", name);
    return 0;
}

TEST(hazard_08, a_commit_without_a_snapshot_does_not_forget_what_was_flushed)
{
    struct rig r;
    rig_init(&r, FRZ_SYNC_FULL);
    for (int64_t i = 0; i < 20; i++) put(&r, i, "published");
    OK(frz_table_flush(r.t, &r.e), &r.e);
    for (int64_t i = 20; i < 25; i++) put(&r, i, "logged");
    for (int i = 0; i < 3; i++) OK(frz_table_set_property(r.t, "owner", i % 2 ? NULL : "somebody", &r.e), &r.e);
    rig_reboot(&r, 0);
    rig_open(&r);
    frz_stats s = stats(&r);
    assert_true(s.memtable_bytes > 0);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    assert_int_equal(stats(&r).flush_rows - stats(&r).files_absorbed * 20, 5); /* no row that was published before is written as new */
    assert_int_equal(stats(&r).rows_masked, 0);
    assert_int_equal(stats(&r).rows_live, 25);
    rig_clear(&r);
}

TEST(hazard_09, a_new_log_is_not_taken_for_the_old_one)
{
    struct rig r;
    static struct names n;
    char path[128];
    rig_init(&r, FRZ_SYNC_FULL);
    for (int64_t i = 0; i < 100; i++) put(&r, i, "old");
    OK(frz_table_flush(r.t, &r.e), &r.e);
    rig_close(&r);
    /* a copy of the warehouse without .frazil */
    n.count = 0;
    OK(frz__fs_list(r.fs, ".frazil/wal", on_name, &n, &r.e), &r.e);
    for (size_t i = 0; i < n.count; i++) {
        snprintf(path, sizeof path, ".frazil/wal/%s", n.name[i]);
        OK(frz__fs_unlink(r.fs, path, &r.e), &r.e);
    }
    OK(frz__fs_unlink(r.fs, ".frazil/LOCK", &r.e), &r.e);
    rig_open(&r);
    has(&r, 7, "old");
    put(&r, 7, "new"); /* sequence 1 of the new log */
    put(&r, 200, "new");
    rig_reboot(&r, 0);
    rig_open(&r);
    has(&r, 7, "new");
    has(&r, 200, "new");
    has(&r, 8, "old");
    OK(frz_table_flush(r.t, &r.e), &r.e);
    rig_reboot(&r, 0);
    rig_open(&r);
    has(&r, 7, "new");
    assert_int_equal(stats(&r).rows_live, 101);
    rig_clear(&r);
}

/* An early byte of the newest segment's records. */
static void damage_log(struct rig *r, uint64_t at)
{
    static struct names n;
    char path[128], newest[64] = "";
    uint8_t byte;
    size_t got;
    struct file *f;
    n.count = 0;
    OK(frz__fs_list(r->fs, ".frazil/wal", on_name, &n, &r->e), &r->e);
    for (size_t i = 0; i < n.count; i++)
        if (strstr(n.name[i], ".wal") && strcmp(n.name[i], newest) > 0) snprintf(newest, sizeof newest, "%s", n.name[i]);
    snprintf(path, sizeof path, ".frazil/wal/%s", newest);
    OK(frz__fs_open(r->fs, path, FS_OPEN_WRITE, &f, &r->e), &r->e);
    OK(frz__file_read(f, at, &byte, 1, &got, &r->e), &r->e);
    byte ^= 0x40;
    OK(frz__file_write(f, at, &byte, 1, &r->e), &r->e);
    OK(frz__file_sync(f, SYNC_TEST, &r->e), &r->e);
    OK(frz__file_close(f, &r->e), &r->e);
}

TEST(hazard_10, damage_before_what_was_synced_is_said_and_nothing_is_dropped)
{
    for (uint64_t at = 1000; at < 6000; at += 700) {
        struct rig r;
        frz_db *db;
        rig_init(&r, FRZ_SYNC_FULL);
        for (int64_t i = 0; i < 300; i++) put(&r, i, "text that makes a record long enough");
        rig_close(&r);
        damage_log(&r, at);
        FAILS(frz__test_db_open(r.fs, &r.o, &db, &r.e), FRZ_CORRUPT, &r.e);
        MESSAGE_HAS(&r.e, ".wal");
        MESSAGE_HAS(&r.e, "offset");
        damage_log(&r, at); /* mended: all is there */
        rig_open(&r);
        for (int64_t i = 0; i < 300; i += 11) has(&r, i, "text that makes a record long enough");
        rig_clear(&r);
    }
}

TEST(hazard_10, a_hole_in_what_was_never_synced_is_a_tail)
{
    for (uint64_t seed = 2; seed < 40; seed++) {
        struct rig r;
        char v[200];
        memset(v, 'v', 199);
        v[199] = 0;
        rig_init(&r, FRZ_SYNC_OFF);
        for (int64_t i = 0; i < 100; i++) put(&r, i, v);
        OK(frz_db_sync(r.db, &r.e), &r.e);
        for (int64_t i = 100; i < 700; i++) put(&r, i, v);
        rig_reboot(&r, seed);
        rig_open(&r);
        uint64_t n;
        OK(frz_count(r.t, NULL, &n, &r.e), &r.e);
        assert_true(n >= 100);
        has(&r, (int64_t)n - 1, v);
        has(&r, (int64_t)n, NULL); /* a prefix */
        put(&r, 5000, "goes on");
        OK(frz_db_sync(r.db, &r.e), &r.e);
        rig_reboot(&r, 0);
        rig_open(&r);
        has(&r, 5000, "goes on");
        has(&r, (int64_t)n - 1, v);
        has(&r, (int64_t)n, NULL);
        rig_clear(&r);
    }
}

TEST(hazard_11, a_write_that_failed_does_not_come_back_behind_one_that_did_not)
{
    unsigned failed = 0;
    for (uint64_t call = 1; call < 12; call++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct rig r;
            rig_init(&r, FRZ_SYNC_FULL);
            put(&r, 1, "before");
            frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.fail_call = call});
            int rc = try_put(&r, 2, "in doubt");
            frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
            if (rc != FRZ_OK) {
                RC(rc, FRZ_IO, &r.e);
                has(&r, 2, NULL);
                failed++;
            }
            put(&r, 3, "after");
            rig_reboot(&r, seed);
            rig_open(&r);
            has(&r, 1, "before");
            has(&r, 2, rc == FRZ_OK ? "in doubt" : NULL);
            has(&r, 3, "after");
            rig_clear(&r);
        }
    }
    assert_true(failed >= 8); /* the write and the sync at least */
}

TEST(hazard_07, a_publish_never_gets_ahead_of_the_log)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct rig r;
        frz_table *u;
        frz_schema *s;
        frz_batch *b;
        frz_row *row;
        rig_init(&r, FRZ_SYNC_OFF);
        OK(frz_schema_parse("id long, v string?", "id", &s, &r.e), &r.e);
        OK(frz_table_create(r.db, "u", s, NULL, &u, &r.e), &r.e);
        frz_schema_free(s);
        OK(frz_batch_new(r.db, &b, &r.e), &r.e);
        for (int i = 0; i < 2; i++) {
            OK(frz_row_new(i ? u : r.t, &row, &r.e), &r.e);
            OK(frz_row_set_long(row, 0, 1, &r.e), &r.e);
            OK(frz_row_set_string(row, 1, "half", 4, &r.e), &r.e);
            OK(frz_batch_put(b, i ? u : r.t, row, &r.e), &r.e);
            frz_row_free(row);
        }
        OK(frz_write(r.db, b, NULL, NULL, &r.e), &r.e);
        frz_batch_free(b);
        OK(frz_table_flush(r.t, &r.e), &r.e); /* its half is on disk for good; so is the other's, in the log */
        rig_reboot(&r, seed);
        rig_open(&r);
        has(&r, 1, "half");
        OK(frz_table_open(r.db, "u", &r.t, &r.e), &r.e);
        has(&r, 1, "half");
        rig_clear(&r);
    }
}
