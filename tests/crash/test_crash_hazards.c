/* What hazards.md says of the log and of what is published, on a whole database. */
#include "crash_rig.h"

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
    char path[160];
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
    char path[160], newest[128] = "";
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
