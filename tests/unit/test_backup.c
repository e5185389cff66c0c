/* Goal    a backup is the whole database at one sequence, a warehouse of its own; what is wrong with one is found and named; a restore brings it back, and nowhere else than asked.
 * Method  a list of all writes tells what the tables hold at any sequence (backup_kit.h); file systems in memory, and real ones for links. */
#include "backup_kit.h"

static void for_each_format(void (*fn)(int format))
{
    for (int format = 2; format <= 3; format++) fn(format);
}

static void whole(int format)
{
    struct bk k;
    struct restore_result result;
    bk_begin_mem(&k, format);
    bk_fill(&k, 1, 60);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    bk_fill(&k, 2, 40); /* masks and new files beside old ones */
    OK(frz_table_flush(k.t[0], &k.e), &k.e);
    bk_fill(&k, 3, 25); /* in the log alone, of one table more than of the other */
    uint64_t seq = bk_backup(&k, NULL);
    assert_int_equal(seq, k.ops[k.count - 1].batch_end);
    bk_fill(&k, 4, 30); /* after it */
    struct fs *fs = bk_backup_fs(&k, 1);
    bk_holds(&k, fs, true, seq);
    frz_db *db;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    FAILS(frz__test_db_open(fs, &o, &db, &k.e), FRZ_UNSUPPORTED, &k.e); /* it is not written to */
    MESSAGE_HAS(&k.e, "is a backup");
    frz__fs_free(fs);
    OK(bk_try_restore(&k, "back", NULL, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, seq);
    assert_int_equal(result.number, 1);
    fs = bk_folder(&k, "back");
    bk_holds(&k, fs, false, seq);
    bk_holds(&k, fs, true, seq); /* its own second opening */
    frz__fs_free(fs);
    uint64_t last = k.ops[k.count - 1].batch_end;
    bk_close(&k);
    bk_holds(&k, k.home, true, last); /* the source is as it was */
    bk_end(&k);
}
TEST(backup, is_the_whole_database_at_one_sequence_and_comes_back)
{
    for_each_format(whole);
}

/* ── any moment ── */

static void begin_archived(struct bk *k, int format)
{
    bk_begin_mem(k, format);
    bk_close(k);
    k->archive = bk_folder(k, "archive");
    k->o.log_archive = k->archive->root;
    bk_open(k);
}

TEST(point_in_time, ten_random_sequences_are_what_they_were)
{
    for (int format = 2; format <= 3; format++) {
        struct bk k;
        struct rng r = {test_seed(7)};
        struct restore_result result;
        begin_archived(&k, format);
        bk_fill(&k, 1, 50);
        uint64_t base = bk_backup(&k, NULL);
        for (uint64_t i = 0; i < 6; i++) {
            bk_fill(&k, 10 + i, 150);
            if (i % 2) OK(frz_table_flush(k.t[i % 2], &k.e), &k.e);
            if (i == 3) { /* the archive goes on with the next process, without being told again */
                bk_close(&k);
                k.o.log_archive = NULL;
                bk_open(&k);
            }
        }
        uint64_t last = k.ops[k.count - 1].batch_end;
        bk_close(&k);
        for (int i = 0; i <= 10; i++) {
            uint64_t seq = i ? base + rng_below(&r, last - base + 1) : last, end = base;
            char name[16];
            snprintf(name, sizeof name, "back%d", i);
            OK(bk_try_restore(&k, name, &(struct restore_request){.to_seq = seq, .archive = k.archive}, &result, &k.e), &k.e);
            for (size_t n = 0; n < k.count; n++)
                if (k.ops[n].batch_end <= seq && k.ops[n].batch_end > end) end = k.ops[n].batch_end;
            assert_int_equal(result.sequence, end); /* whole batches alone */
            struct fs *fs = bk_folder(&k, name);
            bk_holds(&k, fs, i % 2, seq);
            frz__fs_free(fs);
        }
        bk_end(&k);
    }
}

/* Removes the archive's segment with so many behind it. */
struct segments {
    size_t count;
    uint64_t at[200];
};
static int on_segment(void *ctx, const char *name, bool is_dir)
{
    struct segments *s = (struct segments *)ctx;
    uint64_t n = strtoull(name, NULL, 10);
    if (is_dir || !n) return 0;
    size_t i = s->count++;
    assert_true(s->count < FRZ_ARRAY_LEN(s->at));
    for (; i > 0 && s->at[i - 1] > n; i--) s->at[i] = s->at[i - 1];
    s->at[i] = n;
    return 0;
}
static struct segments segments_of(struct bk *k)
{
    struct segments s = {0};
    OK(frz__fs_list(k->archive, k->db->db->log_uuid_text, on_segment, &s, &k->e), &k->e);
    return s;
}

TEST(point_in_time, a_segment_that_the_archive_lacks_is_named_and_what_lies_before_it_can_be_had)
{
    struct bk k;
    struct restore_result result;
    char path[100], name[32];
    begin_archived(&k, 2);
    uint64_t base = bk_backup(&k, NULL);
    bk_fill(&k, 1, 800);
    uint64_t last = k.ops[k.count - 1].batch_end;
    bk_close(&k);
    bk_open(&k);
    struct segments s = segments_of(&k);
    assert_true(s.count > 4);
    struct restore_request all = {.to_end = true, .archive = k.archive};
    OK(bk_try_restore(&k, "whole", &all, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, last);
    uint64_t missing = s.at[2];
    snprintf(name, sizeof name, "%09llu.wal", (unsigned long long)missing);
    snprintf(path, sizeof path, "%s/%s", k.db->db->log_uuid_text, name);
    OK(frz__fs_unlink(k.archive, path, &k.e), &k.e);
    FAILS(bk_try_restore(&k, "none", &all, &result, &k.e), FRZ_CORRUPT, &k.e);
    MESSAGE_HAS(&k.e, name);
    uint64_t before = result.sequence;
    assert_true(before > base && before < last);
    FAILS(bk_try_restore(&k, "none", &(struct restore_request){.to_seq = last, .archive = k.archive}, &result, &k.e), FRZ_CORRUPT, &k.e);
    MESSAGE_HAS(&k.e, name);
    OK(bk_try_restore(&k, "part", &(struct restore_request){.to_seq = before, .archive = k.archive}, &result, &k.e), &k.e);
    struct fs *fs = bk_folder(&k, "part");
    bk_holds(&k, fs, false, before);
    frz__fs_free(fs);
    uint64_t later = bk_backup(&k, NULL); /* one behind the gap goes on with what is there */
    bk_fill(&k, 2, 10);
    bk_close(&k);
    bk_open(&k);
    OK(bk_try_restore(&k, "later", &all, &result, &k.e), &k.e);
    assert_true(result.number == 2 && result.sequence == k.ops[k.count - 1].batch_end && result.sequence > later);
    FAILS(bk_try_restore(&k, "none", &(struct restore_request){.to_seq = later + 1000000, .archive = k.archive}, &result, &k.e),
          FRZ_NOT_FOUND, &k.e);
    MESSAGE_HAS(&k.e, "ends with sequence");
    bk_end(&k);
}

TEST(point_in_time, a_time_is_reached_and_not_passed)
{
    struct bk k;
    struct restore_result result;
    begin_archived(&k, 2);
    (void)bk_backup(&k, NULL);
    bk_fill(&k, 1, 20);
    uint64_t seq = k.ops[k.count - 1].batch_end;
    frz__test_clock_advance_ns((int64_t)3600 * 1000000000);
    int64_t between = frz__clock_wall_us() - (int64_t)1800 * 1000000;
    bk_fill(&k, 2, 20);
    bk_close(&k);
    OK(bk_try_restore(&k, "then", &(struct restore_request){.to_time_us = between, .archive = k.archive}, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, seq);
    assert_true(result.time_us <= between);
    struct fs *fs = bk_folder(&k, "then");
    bk_holds(&k, fs, false, seq);
    frz__fs_free(fs);
    FAILS(bk_try_restore(&k, "before", &(struct restore_request){.to_time_us = 1000, .archive = k.archive}, &result, &k.e), FRZ_NOT_FOUND,
          &k.e);
    FAILS(bk_try_restore(&k, "after", &(struct restore_request){.to_time_us = frz__clock_wall_us() + 10000000, .archive = k.archive},
                         &result, &k.e),
          FRZ_NOT_FOUND, &k.e);
    bk_end(&k);
}

TEST(point_in_time, tables_that_came_and_went_since_the_backup_come_and_go)
{
    struct bk k;
    struct restore_result result;
    frz_table *c, *d;
    frz_schema *s;
    frz_db *db;
    frz_row *row;
    uint64_t n = 0;
    begin_archived(&k, 3);
    bk_fill(&k, 1, 10);
    (void)bk_backup(&k, NULL);
    OK(frz_schema_parse("name string, id long, v timestamp_ns?", "id,name", &s, &k.e), &k.e);
    const frz_table_options o = {.struct_size = sizeof o, .format_version = 3};
    OK(frz_table_create(k.db, "c", s, &o, &c, &k.e), &k.e);
    OK(frz_table_create(k.db, "empty", s, &o, NULL, &k.e), &k.e);
    OK(frz_table_create(k.db, "d", s, &o, &d, &k.e), &k.e);
    for (int64_t i = 0; i < 50; i++) {
        OK(frz_row_new(c, &row, &k.e), &k.e);
        OK(frz_row_set_string(row, 0, "x", 1, &k.e), &k.e);
        OK(frz_row_set_long(row, 1, i, &k.e), &k.e);
        if (i % 2) OK(frz_row_set_timestamp(row, 2, i * 1000, &k.e), &k.e);
        OK(frz_put(c, row, NULL, &k.e), &k.e);
        OK(frz_put(d, row, NULL, &k.e), &k.e);
        frz_row_free(row);
    }
    frz_table_close(d);
    OK(frz_table_drop(k.db, "d", &k.e), &k.e);
    frz_table_close(k.t[1]);
    OK(frz_table_drop(k.db, "b", &k.e), &k.e);                   /* the backup has it */
    OK(frz_table_create(k.db, "b", s, &o, &k.t[1], &k.e), &k.e); /* another one */
    frz_schema_free(s);
    OK(frz_row_new(k.t[1], &row, &k.e), &k.e);
    OK(frz_row_set_string(row, 0, "y", 1, &k.e), &k.e);
    OK(frz_row_set_long(row, 1, 7, &k.e), &k.e);
    OK(frz_put(k.t[1], row, NULL, &k.e), &k.e);
    frz_row_free(row);
    frz_table_close(c);
    bk_close(&k);
    OK(bk_try_restore(&k, "back", &(struct restore_request){.to_end = true, .archive = k.archive}, &result, &k.e), &k.e);
    assert_int_equal(result.tables, 4);
    struct fs *fs = bk_folder(&k, "back");
    frz_db_options read = FRZ_DB_OPTIONS_INIT;
    read.read_only = true;
    OK(frz__test_db_open(fs, &read, &db, &k.e), &k.e);
    RC(frz_table_open(db, "d", &d, &k.e), FRZ_NOT_FOUND, &k.e);
    static const struct {
        const char *name;
        uint64_t rows;
    } want[] = {{"c", 50}, {"empty", 0}, {"b", 1}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(want); i++) {
        OK(frz_table_open(db, want[i].name, &c, &k.e), &k.e);
        OK(frz_count(c, NULL, &n, &k.e), &k.e);
        assert_int_equal(n, want[i].rows);
        const frz_value key[2] = {{.type = FRZ_LONG, .as.i64 = 7}, {.type = FRZ_STRING, .as.bytes = {i == 2 ? "y" : "x", 1}}};
        OK(frz_row_new(c, &row, &k.e), &k.e);
        RC(frz_get(c, NULL, key, 2, row, &k.e), n ? FRZ_OK : FRZ_NOT_FOUND, &k.e);
        if (i == 0) assert_int_equal(frz_row_long(row, 2), 7000);
        frz_row_free(row);
        frz_table_close(c);
    }
    OK(frz_db_close(db, &k.e), &k.e);
    frz__fs_free(fs);
    bk_end(&k);
}

TEST(log_archive, keeps_every_segment_until_backups_no_longer_need_it)
{
    struct bk k;
    struct restore_result result;
    begin_archived(&k, 2);
    bk_fill(&k, 1, 500);
    (void)bk_backup(&k, NULL);
    bk_fill(&k, 2, 500);
    bk_close(&k);
    bk_open(&k);
    size_t before = segments_of(&k).count;
    assert_int_equal(segments_of(&k).at[0], 1); /* the very first */
    uint64_t second = bk_backup(&k, &(struct backup_request){.keep = 1, .archive = k.archive});
    assert_true(segments_of(&k).count < before);
    bk_fill(&k, 3, 300);
    uint64_t last = k.ops[k.count - 1].batch_end;
    bk_close(&k);
    OK(bk_try_restore(&k, "back", &(struct restore_request){.to_end = true, .archive = k.archive}, &result, &k.e), &k.e);
    assert_true(result.number == 2 && result.sequence == last && last > second);
    struct fs *fs = bk_folder(&k, "back");
    bk_holds(&k, fs, false, last);
    frz__fs_free(fs);
    bk_end(&k);
}
