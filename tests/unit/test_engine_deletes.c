/* Goal    the delete files that flushes leave: few, whatever is deleted in whatever order, and what they say is what was deleted.
 * Method  a table of many small data files in memory, deletes that touch few or all of them, after each flush every key against an array, the files counted, and now and then all loaded again. */
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/coding.h"
#include "base/rand.h"
#include "io/fs.h"

#define PAD        1000
#define ROWS_MAX   8000
#define FILES_MAX  128

struct bed {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_row *row;
    frz_error e;
    frz_db_options o;
    size_t rows, files;
    size_t first[FILES_MAX + 1]; /* of each data file, as they were made */
    bool live[ROWS_MAX];
};
static struct bed b;

static void bed_open(void)
{
    OK(frz__test_db_open(b.fs, &b.o, &b.db, &b.e), &b.e);
    OK(frz_table_open(b.db, "t", &b.t, &b.e), &b.e);
    OK(frz_row_new(b.t, &b.row, &b.e), &b.e);
}
static void bed_close(void)
{
    frz_row_free(b.row);
    OK(frz_db_close(b.db, &b.e), &b.e);
}

static int on_data_file(void *ctx, const frz_file_info *f)
{
    if (f->content == 0) {
        b.first[b.files + 1] = b.first[b.files] + (size_t)f->rows;
        b.files++;
    }
    return 0;
}
/* FORMAT, and at least FILES data files whose rows are neighbours. */
static void bed_init(int format, size_t files)
{
    static const char *const keys[] = {"write.target-file-size-bytes", "write.parquet.row-group-size-bytes", "write.parquet.compression-codec", "frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms",
                                       "history.expire.max-snapshot-age-ms", "history.expire.min-snapshots-to-keep"};
    static const char *const values[] = {"65536", "65536", "uncompressed", "0", "0", "1", "1"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    struct rng rng = {7};
    static uint8_t pad[PAD];
    b = (struct bed){.o = FRZ_DB_OPTIONS_INIT};
    b.o.create = true;
    b.o.no_compaction = true;
    b.o.memory_bytes = 1 << 30; /* a compaction is one job */
    b.o.durability = FRZ_SYNC_OFF;
    OK(frz__fs_mem_new(NULL, &b.fs, &b.e), &b.e);
    OK(frz__test_db_open(b.fs, &b.o, &b.db, &b.e), &b.e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = FRZ_ARRAY_LEN(keys);
    OK(frz_schema_parse("id long, pad binary", "id", &s, &b.e), &b.e);
    OK(frz_table_create(b.db, "t", s, &to, &b.t, &b.e), &b.e);
    frz_schema_free(s);
    OK(frz_row_new(b.t, &b.row, &b.e), &b.e);
    b.rows = files * 80;
    assert_true(b.rows <= ROWS_MAX);
    for (size_t i = 0; i < b.rows; i++) {
        for (size_t k = 0; k < PAD; k += 8) store_u64(pad + k, rng_next(&rng));
        OK(frz_row_set_long(b.row, 0, (int64_t)i, &b.e), &b.e);
        OK(frz_row_set_bytes(b.row, 1, pad, PAD, &b.e), &b.e);
        OK(frz_put(b.t, b.row, NULL, &b.e), &b.e);
        b.live[i] = true;
    }
    OK(frz_table_flush(b.t, &b.e), &b.e);
    OK(frz_table_files(b.t, NULL, on_data_file, NULL, &b.e), &b.e);
    assert_true(b.files >= files);
    assert_int_equal(b.first[b.files], b.rows);
}
static void bed_clear(void)
{
    bed_close();
    frz__fs_free(b.fs);
}

static void del(size_t file, size_t nth)
{
    size_t i = b.first[file] + nth;
    frz_value key = {.type = FRZ_LONG, .as.i64 = (int64_t)i};
    assert_true(i < b.first[file + 1]);
    b.live[i] = false;
    OK(frz_delete(b.t, &key, 1, NULL, &b.e), &b.e);
}

struct tally { size_t data, deletes; uint64_t rows, masked, positions; };
static int on_file(void *ctx, const frz_file_info *f)
{
    struct tally *t = (struct tally *)ctx;
    if (f->content == 0) {
        t->data++;
        t->rows += f->rows;
        t->masked += f->rows_masked;
    } else {
        t->deletes++;
        t->positions += f->rows;
    }
    return 0;
}
/* Flushes; every key is there or not as it should be, in gets and in a count, and so it is found by who looks with fresh eyes; → the files. */
static struct tally flush_and_look(void)
{
    struct tally t = {0};
    uint64_t n = 0, live = 0;
    frz_verify_report report = FRZ_INIT(frz_verify_report);
    OK(frz_table_flush(b.t, &b.e), &b.e);
    for (size_t i = 0; i < b.rows; i++) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = (int64_t)i};
        live += b.live[i];
        RC(frz_get(b.t, NULL, &key, 1, b.row, &b.e), b.live[i] ? FRZ_OK : FRZ_NOT_FOUND, &b.e);
    }
    OK(frz_count(b.t, NULL, &n, &b.e), &b.e);
    assert_int_equal(n, live);
    OK(frz_table_files(b.t, NULL, on_file, &t, &b.e), &b.e);
    assert_int_equal(t.rows - t.masked, live);
    OK(frz_verify(b.db, b.t, NULL, NULL, &report, &b.e), &b.e);
    assert_int_equal(report.findings, 0);
    return t;
}
static void reopen(void)
{
    bed_close();
    bed_open();
}

static int count_name(void *ctx, const char *name, bool is_dir)
{
    *(size_t *)ctx += !is_dir && (strstr(name, "-dv") || strstr(name, "-d"));
    return 0;
}
static size_t delete_files_on_disk(void)
{
    size_t n = 0;
    OK(frz__fs_list(b.fs, "main/t/data", count_name, &n, &b.e), &b.e);
    return n;
}

TEST(deletes_v2, a_data_file_has_four_delete_files_of_its_own_at_most)
{
    bool merged = false;
    size_t before = 0;
    bed_init(2, 4);
    for (size_t n = 0; n < 14; n++) {
        del(1, n * 3);
        if (n % 2) del(1, n * 3 - 2);
        if (n == 6) reopen(); /* what there is of them is known from the metadata then */
        struct tally t = flush_and_look();
        assert_true(t.deletes <= 4);
        assert_int_equal(t.positions, t.masked); /* none twice, none lost */
        merged |= t.deletes < before;
        before = t.deletes;
    }
    assert_true(merged);
    bed_clear();
}

TEST(deletes_v2, many_touched_files_share_one_and_shared_ones_are_merged)
{
    bool merged = false;
    size_t before = 0;
    bed_init(2, 70);
    for (size_t n = 0; n < 14; n++) {
        for (size_t f = 0; f < b.files; f++)
            if (b.first[f + 1] - b.first[f] > 40) del(f, (f * 5 + n) % 40 == 0 ? 0 : (f * 5 + n) % 40); /* other positions in each */
        if (n == 5) reopen();
        struct tally t = flush_and_look();
        if (n == 0) assert_int_equal(t.deletes, 1);
        assert_true(t.deletes <= 3);
        merged |= t.deletes < before;
        before = t.deletes;
    }
    assert_true(merged);
    bed_clear();
}

TEST(deletes_v2, what_is_merged_forgets_data_files_that_are_gone)
{
    bed_init(2, 70);
    for (size_t n = 0; n < 8; n++) {
        for (size_t f = 0; f < b.files; f++)
            if (b.first[f + 1] - b.first[f] > 20) del(f, n + f % 10);
        (void)flush_and_look();
    }
    for (size_t i = b.first[3]; i < b.first[4]; i++) /* all of one file, one of each other: it goes in the commit that merges */
        if (b.live[i]) del(3, i - b.first[3]);
    for (size_t f = 4; f < b.files; f++) /* more than all so far: all of it is merged */
        for (size_t k = 0; k < 14 && b.first[f + 1] - b.first[f] > 40; k++) del(f, 20 + k);
    size_t files = flush_and_look().data;
    assert_int_equal(files, b.files - 1);
    reopen();
    struct tally t = flush_and_look();
    assert_int_equal(t.positions, t.masked);
    bed_clear();
}

TEST(deletes_v2, own_and_shared_ones_live_side_by_side)
{
    bed_init(2, 70);
    for (size_t n = 0; n < 6; n++) {
        for (size_t f = 0; f < (n % 2 ? 5 : b.files); f++)
            if (b.first[f + 1] - b.first[f] > 20) del(f, n * 2 + f % 7);
        struct tally t = flush_and_look();
        assert_int_equal(t.positions, t.masked);
        if (n % 3 == 2) reopen();
    }
    bed_clear();
}

/* What holds of the delete files of any state. */
static size_t check_bounds(size_t per_file)
{
    struct table *t = b.t->t;
    const struct view *v = atomic_load(&t->view);
    for (size_t i = 0; i < v->file_count; i++) {
        size_t n = 0;
        for (size_t d = 0; d < t->del_count; d++)
            for (size_t k = 0; k < t->dels[d].target_count; k++) n += strcmp(t->dels[d].targets[k], v->files[i]->iceberg_path) == 0;
        assert_true(n <= per_file);
        assert_true(!v->files[i]->mask == !n);
    }
    for (size_t d = 0; d < t->del_count; d++) {
        assert_true(t->dels[d].target_count > 0);
        assert_true(t->dels[d].named < 2 || t->dels[d].target_count * 2 > t->dels[d].named);
    }
    return t->del_count;
}

/* Small publishes of rows anywhere, now and then a compaction: for each that deletes, one that puts back what is large enough to be a file of its own. */
static void publishes(int format, size_t per_file)
{
    struct rng rng = {test_seed(18)};
    static uint8_t pad[PAD];
    frz_value from = {.type = FRZ_LONG}, to = {.type = FRZ_LONG};
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    size_t most = 0;
    bed_init(format, 20);
    for (size_t n = 0; n < 1000; n++) {
        for (size_t k = 1 + rng_below(&rng, 4); k > 0; k--) {
            size_t i = (size_t)rng_below(&rng, b.rows);
            frz_value key = {.type = FRZ_LONG, .as.i64 = (int64_t)i};
            if (rng_below(&rng, 3)) {
                OK(frz_delete(b.t, &key, 1, NULL, &b.e), &b.e);
                b.live[i] = false;
                continue;
            }
            for (size_t p = 0; p < PAD; p += 8) store_u64(pad + p, rng_next(&rng));
            OK(frz_row_set_long(b.row, 0, (int64_t)i, &b.e), &b.e);
            OK(frz_row_set_bytes(b.row, 1, pad, PAD, &b.e), &b.e);
            OK(frz_put(b.t, b.row, NULL, &b.e), &b.e);
            b.live[i] = true;
        }
        OK(frz_table_flush(b.t, &b.e), &b.e);
        if (n % 100 == 70) {
            from.as.i64 = (int64_t)rng_below(&rng, b.rows);
            to.as.i64 = from.as.i64 + 300;
            o.from = &from;
            o.to = &to;
            o.from_count = o.to_count = 1;
            OK(frz_table_compact(b.t, &o, NULL, &b.e), &b.e);
        }
        if (n % 150 == 149) reopen(); /* what there is of them is known from the metadata then */
        size_t count = check_bounds(per_file);
        if (count > most) most = count;
        if (n % 250 == 249) {
            struct tally t = flush_and_look();
            if (per_file == 1) assert_int_equal(t.positions, t.masked);
        }
    }
    assert_true(most <= per_file * b.files);
    bed_clear();
}
TEST(deletes_v2, stay_four_a_data_file_under_a_thousand_small_publishes) { publishes(2, 4); }
TEST(deletes_v3, stay_one_a_data_file_under_a_thousand_small_publishes) { publishes(3, 1); }

TEST(deletes_v2, a_shared_one_is_written_anew_when_half_of_its_data_files_are_gone)
{
    bed_init(2, 70);
    size_t touched = 0;
    for (size_t f = 0; f < b.files; f++)
        if (b.first[f + 1] - b.first[f] > 20) {
            del(f, f % 20);
            touched++;
        }
    assert_int_equal(flush_and_look().deletes, 1);
    assert_int_equal(b.t->t->dels[0].named, touched);
    frz_value to = {.type = FRZ_LONG, .as.i64 = (int64_t)b.first[b.files / 4]};
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    o.to = &to;
    o.to_count = 1;
    char before[512];
    snprintf(before, sizeof before, "%s", b.t->t->dels[0].path);
    OK(frz_table_compact(b.t, &o, NULL, &b.e), &b.e);
    struct tally t = flush_and_look();
    assert_int_equal(t.deletes, 1);
    assert_string_equal(b.t->t->dels[0].path, before); /* a quarter: not yet */
    assert_true(t.positions > t.masked);
    reopen(); /* how many it named is known from the file */
    assert_int_equal(b.t->t->dels[0].named, touched);
    to.as.i64 = (int64_t)b.first[b.files * 5 / 8];
    OK(frz_table_compact(b.t, &o, NULL, &b.e), &b.e);
    t = flush_and_look();
    assert_int_equal(t.deletes, 1);
    assert_string_not_equal(b.t->t->dels[0].path, before);
    assert_true(b.t->t->dels[0].named < touched);
    (void)check_bounds(4); /* more than half of what it names now is there */
    OK(frz_table_compact(b.t, NULL, NULL, &b.e), &b.e);
    assert_int_equal(flush_and_look().deletes, 0);
    reopen();
    assert_int_equal(flush_and_look().deletes, 0);
    bed_clear();
}

TEST(deletes_v2, a_delete_file_that_is_missing_when_it_should_be_merged_is_corruption_and_nothing_is_lost)
{
    struct tally t;
    char path[512];
    bed_init(2, 4);
    for (size_t n = 0; n < 4; n++) {
        del(1, n);
        t = flush_and_look();
    }
    assert_int_equal(t.deletes, 4);
    const char *uri = b.t->t->dels[2].path, *slash = strrchr(uri, '/');
    snprintf(path, sizeof path, "main/t/data%s", slash);
    OK(frz__fs_rename(b.fs, path, "main/t/data/away", &b.e), &b.e);
    del(1, 30);
    FAILS(frz_table_flush(b.t, &b.e), FRZ_CORRUPT, &b.e);
    MESSAGE_HAS(&b.e, slash + 1);
    for (size_t i = 0; i < b.rows; i++) { /* reads go on */
        frz_value key = {.type = FRZ_LONG, .as.i64 = (int64_t)i};
        RC(frz_get(b.t, NULL, &key, 1, b.row, &b.e), b.live[i] ? FRZ_OK : FRZ_NOT_FOUND, &b.e);
    }
    OK(frz__fs_rename(b.fs, "main/t/data/away", path, &b.e), &b.e);
    t = flush_and_look();
    assert_int_equal(t.deletes, 1);
    bed_clear();
}

TEST(deletes, and_rows_that_find_their_folder_gone_are_kept_for_when_it_is_back)
{
    for (int format = 2; format < 4; format++) {
        bed_init(format, 2);
        OK(frz__fs_rename(b.fs, "main/t/data", "main/t/away", &b.e), &b.e);
        del(0, 5);
        FAILS(frz_table_flush(b.t, &b.e), FRZ_IO, &b.e); /* a delete file alone */
        MESSAGE_HAS(&b.e, "main/t/data");
        OK(frz_row_set_long(b.row, 0, 6, &b.e), &b.e);
        OK(frz_row_set_bytes(b.row, 1, "new", 3, &b.e), &b.e);
        OK(frz_put(b.t, b.row, NULL, &b.e), &b.e);
        FAILS(frz_table_flush(b.t, &b.e), FRZ_IO, &b.e); /* rows too */
        MESSAGE_HAS(&b.e, "main/t/data");
        OK(frz__fs_rename(b.fs, "main/t/away", "main/t/data", &b.e), &b.e);
        struct tally t = flush_and_look();
        assert_int_equal(t.masked, 2);
        bed_clear();
    }
}

TEST(deletes_v3, a_touched_file_has_one_deletion_vector_and_the_one_before_goes)
{
    bed_init(3, 6);
    for (size_t n = 0; n < 8; n++) {
        for (size_t f = 0; f < 3; f++) del(f, n * 3 + f); /* other positions in each */
        if (n == 4) reopen();
        struct tally t = flush_and_look();
        assert_int_equal(t.deletes, 3);
        assert_int_equal(t.positions, t.masked);
        assert_int_equal(t.masked, 3 * (n + 1));
    }
    for (size_t i = b.first[1]; i < b.first[2]; i++)
        if (b.live[i]) del(1, i - b.first[1]);
    struct tally t = flush_and_look();
    assert_int_equal(t.data, b.files - 1);
    assert_int_equal(t.deletes, 2); /* its vector goes with the file */
    reopen();
    assert_int_equal(flush_and_look().deletes, 2);
    bed_clear();
}

TEST(deletes_v3, many_touched_files_have_one_each_all_the_same)
{
    bed_init(3, 70);
    size_t touched = 0;
    for (size_t n = 0; n < 3; n++) {
        touched = 0;
        for (size_t f = 0; f < b.files; f++)
            if (b.first[f + 1] - b.first[f] > 40) {
                del(f, (f * 3 + n) % 40);
                touched++;
            }
        struct tally t = flush_and_look();
        assert_int_equal(t.deletes, touched);
        assert_int_equal(t.positions, t.masked);
    }
    assert_true(delete_files_on_disk() >= touched);
    bed_clear();
}
