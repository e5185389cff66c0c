/* Goal    a setting without a visible effect does not exist: each row of options.def names a test, the test is here or in test_options_*.c, and it shows the effect by setting the option two ways.
 * Method  a small table written the same way under both; files, snapshots, statistics and the clock tell the difference. */
#include "options_kit.h"
#include "tidy_kit.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/options.h"
#include "parquet/parquet.h"

/* ── of the database ── */

TEST(options, memory_bytes_bounds_cache_and_memtables)
{
    uint64_t cached[2], flushes[2];
    for (int large = 0; large < 2; large++) {
        struct fix f;
        frz_db_options o = quick();
        o.memory_bytes = large ? 128u << 20 : 8u << 20;
        fix_open(&f, &o, "write.parquet.page-size-bytes", "65536");
        fix_put(&f, 0, 1600, 4096, true);
        if (!large) SOON(stats(&f).flushes >= 2); /* a memtable is a sixth: 1.4 MiB */
        flushes[large] = stats(&f).flushes;
        fix_flush(&f);
        read_all(&f, 1600);
        cached[large] = stats(&f).cache_bytes;
        fix_close(&f);
    }
    assert_true(flushes[0] >= 2 && flushes[1] == 0);
    assert_true(cached[0] <= (8u << 20) * 3 / 10);
    assert_true(cached[1] > (8u << 20) * 3 / 10);
}

TEST(options, memtable_bytes_makes_files_appear)
{
    for (int large = 0; large < 2; large++) {
        struct fix f;
        frz_db_options o = quick();
        o.memtable_bytes = large ? 64u << 20 : 8192;
        fix_open(&f, &o, NULL, NULL);
        fix_put(&f, 0, 400, 500, true); /* and no flush is called */
        if (large) {
            assert_int_equal(stats(&f).data_files, 0);
            assert_int_equal(stats(&f).flushes, 0);
        } else {
            SOON(stats(&f).flushes > 1);
            SOON(stats(&f).data_files > 0);
        }
        read_all(&f, 400);
        fix_close(&f);
    }
}

TEST(options, log_segment_bytes_sets_file_size)
{
    static const uint64_t sizes[] = {131072, 1 << 20, 0};
    for (int i = 0; i < 3; i++) {
        struct fix f;
        uint64_t bytes = 0;
        frz_db_options o = quick();
        o.log_segment_bytes = sizes[i];
        fix_open(&f, &o, NULL, NULL);
        fix_put(&f, 0, 1, 10, true);
        assert_true(files_in(&f, ".frazil/wal", ".wal", &bytes, NULL, 0) > 0);
        assert_int_equal(bytes, sizes[i] ? sizes[i] : 16 << 20);
        fix_close(&f);
    }
}

TEST(options, sync_interval_syncs_in_time)
{
    for (int slow = 0; slow < 2; slow++) {
        struct fix f;
        frz_db_options o = quick();
        o.durability = FRZ_SYNC_INTERVAL;
        o.sync_interval_ms = slow ? 3600000 : 10;
        fix_open(&f, &o, NULL, NULL);
        uint64_t before = stats(&f).log_syncs;
        fix_put(&f, 0, 1, 10, true);
        if (slow) {
            usleep(100000);
            assert_int_equal(stats(&f).log_syncs, before);
        } else {
            SOON(stats(&f).log_syncs > before);
        }
        fix_close(&f);
    }
}

static int count_event(void *ctx, const frz_event *e)
{
    ++*(size_t *)ctx;
    return e->number ? 0 : FRZ_BUG;
}
TEST(options, events_kept_bounds_the_ring)
{
    for (uint32_t kept = 16; kept <= 64; kept *= 2) {
        struct fix f;
        frz_db_options o = quick();
        size_t events = 0;
        o.events_kept = kept;
        fix_open(&f, &o, NULL, NULL);
        for (int i = 0; i < 40; i++) { /* three events each */
            fix_put(&f, i, i + 1, 10, true);
            fix_flush(&f);
        }
        OK(frz_db_events(f.db, 0, count_event, &events, &f.e), &f.e);
        assert_int_equal(events, kept);
        fix_close(&f);
    }
}

/* A write's own policy, in a database of each: who asked for the interval gets it, who did not stays with what it asked for. */
TEST(options, durability_of_a_write_holds_whatever_the_databases)
{
    static const int policies[] = {FRZ_SYNC_FULL, FRZ_SYNC_INTERVAL, FRZ_SYNC_OFF};
    for (int i = 0; i < 3; i++) {
        struct fix f;
        frz_db_options o = quick();
        frz_write_options w = FRZ_WRITE_OPTIONS_INIT;
        o.durability = policies[i];
        o.sync_interval_ms = policies[i] == FRZ_SYNC_INTERVAL ? 3600000 : 10;
        fix_open(&f, &o, NULL, NULL);
        OK(frz_row_set_bytes(f.row, 1, "v", 1, &f.e), &f.e);
        OK(frz_row_set_long(f.row, 0, 1, &f.e), &f.e);
        w.durability = FRZ_SYNC_FULL;
        uint64_t before = stats(&f).log_syncs;
        OK(frz_put(f.t, f.row, &w, &f.e), &f.e);
        assert_int_equal(stats(&f).log_syncs, before + 1); /* with the write itself */
        w.durability = FRZ_SYNC_OFF;
        OK(frz_put(f.t, f.row, &w, &f.e), &f.e);
        usleep(50000);
        assert_int_equal(stats(&f).log_syncs, before + 1);
        if (policies[i] != FRZ_SYNC_INTERVAL) {
            for (int again = 0; again < 3; again++) { /* one after another, not the first alone */
                before = stats(&f).log_syncs;
                w.durability = FRZ_SYNC_INTERVAL;
                OK(frz_put(f.t, f.row, &w, &f.e), &f.e);
                SOON(stats(&f).log_syncs > before);
            }
        }
        fix_close(&f);
    }
}

TEST(options, log_bytes_max_publishes_what_holds_the_log)
{
    uint64_t segments[2];
    for (int bounded = 0; bounded < 2; bounded++) {
        struct fix f;
        frz_db_options o = quick();
        o.log_segment_bytes = 131072;
        o.memtable_bytes = 262144;
        o.log_bytes_max = bounded ? 1 << 20 : 1 << 30;
        fix_open(&f, &o, NULL, NULL);
        frz_schema *s = NULL;
        frz_table *trickle = NULL;
        frz_row *row = NULL;
        const char *key = "frazil.publish-interval-ms", *value = "0";
        frz_table_options t = FRZ_TABLE_OPTIONS_INIT;
        t.property_keys = &key;
        t.property_values = &value;
        t.property_count = 1;
        OK(frz_schema_parse("id long", "id", &s, &f.e), &f.e);
        OK(frz_table_create(f.db, "trickle", s, &t, &trickle, &f.e), &f.e);
        frz_schema_free(s);
        OK(frz_row_new(trickle, &row, &f.e), &f.e);
        OK(frz_row_set_long(row, 0, 1, &f.e), &f.e);
        OK(frz_put(trickle, row, NULL, &f.e), &f.e); /* in the log's first segment, and no more */
        fix_put(&f, 0, 2000, 2000, true); /* 4 MB */
        fix_flush(&f);
        if (bounded) {
            SOON(stats(&f).log_segments <= 12);
            assert_true(stats(&f).log_flushes_forced > 0);
        } else {
            assert_int_equal(stats(&f).log_flushes_forced, 0);
        }
        segments[bounded] = stats(&f).log_segments;
        frz_stats one = {.struct_size = sizeof one};
        OK(frz_db_stats(f.db, trickle, &one, &f.e), &f.e);
        assert_int_equal(one.flushes > 0, bounded);
        frz_row_free(row);
        frz_table_close(trickle);
        fix_close(&f);
    }
    assert_true(segments[0] >= 30);
}

TEST(options, snapshot_memory_max_gives_up_the_oldest)
{
    enum { ROUNDS = 12 };
    for (int wide = 0; wide < 2; wide++) {
        struct fix f;
        frz_db_options o = quick();
        frz_snapshot *snaps[ROUNDS];
        frz_cursor *first = NULL, *last = NULL;
        const frz_row *row;
        frz_value key = {.type = FRZ_LONG, .as.i64 = 0};
        o.memtable_bytes = 4 << 20;
        o.snapshot_memory_max = wide ? 64 << 20 : 1 << 20;
        fix_open(&f, &o, NULL, NULL);
        for (int r = 0; r < ROUNDS; r++) { /* each snapshot holds a memtable of some 250 KB that is published then */
            fix_put(&f, 0, 100, 2000, true);
            OK(frz_snapshot_open(f.db, &snaps[r], &f.e), &f.e);
            frz_scan_options so = FRZ_SCAN_OPTIONS_INIT;
            so.snapshot = snaps[r];
            if (r == 0) OK(frz_scan(f.t, &so, &first, &f.e), &f.e);
            if (r == 0) OK(frz_cursor_next(first, &row, &f.e), &f.e);
            if (r == ROUNDS - 1) OK(frz_scan(f.t, &so, &last, &f.e), &f.e);
            fix_flush(&f);
        }
        assert_int_equal(stats(&f).stalls, 0);
        int good = 0;
        for (int r = 0; r < ROUNDS; r++) {
            int rc = frz_get(f.t, snaps[r], &key, 1, f.row, &f.e);
            if (rc != FRZ_OK) {
                assert_int_equal(rc, FRZ_SNAPSHOT_TOO_OLD);
                MESSAGE_HAS(&f.e, "snapshot_memory_max");
                assert_int_equal(good, 0); /* the oldest go first */
            } else good++;
        }
        if (wide) {
            assert_int_equal(good, ROUNDS);
            assert_int_equal(stats(&f).snapshots_given_up, 0);
            OK(frz_cursor_next(first, &row, &f.e), &f.e);
        } else {
            assert_true(good >= 1 && good < ROUNDS - 2);
            assert_true(stats(&f).snapshots_given_up >= (uint64_t)(ROUNDS - good));
            for (int i = 0; i < 2; i++) FAILS(frz_cursor_next(first, &row, &f.e), FRZ_SNAPSHOT_TOO_OLD, &f.e); /* again, too */
            assert_true(stats(&f).memory_pinned <= (1 << 20) + (256 << 10));
            frz_scan_options so = FRZ_SCAN_OPTIONS_INIT;
            frz_cursor *none = NULL;
            so.snapshot = snaps[0];
            FAILS(frz_scan(f.t, &so, &none, &f.e), FRZ_SNAPSHOT_TOO_OLD, &f.e);
        }
        int n = 0;
        while (frz_cursor_next(last, &row, &f.e) == FRZ_OK) n++;
        assert_int_equal(n, 100);
        frz_cursor_close(first);
        frz_cursor_close(last);
        for (int r = 0; r < ROUNDS; r++) frz_snapshot_close(snaps[r]);
        fix_close(&f);
    }
}

/* ── of a table ── */

TEST(options, publish_cost_percent_stretches_the_interval)
{
    static char note[200001];
    memset(note, 'n', sizeof note - 1);
    for (int never = 0; never < 2; never++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.publish-interval-ms", "20");
        OK(frz_table_set_property(f.t, "frazil.publish-cost-percent", never ? "0" : "100", &f.e), &f.e);
        OK(frz_table_set_property(f.t, "note", note, &f.e), &f.e); /* metadata that outweighs a row by far */
        fix_put(&f, 0, 1, 10, true);
        SOON(snapshot_count(&f) == 1);
        SOON(stats(&f).publish_interval_us >= (never ? 1u : 1000000u));
        fix_put(&f, 1, 2, 10, true);
        if (never) {
            SOON(snapshot_count(&f) == 2);
            assert_int_equal(stats(&f).publish_interval_us, 20000);
        } else {
            usleep(150000);
            assert_int_equal(snapshot_count(&f), 1); /* its rows are visible and logged */
            assert_true(stats(&f).publish_lag_us >= 100000);
            read_all(&f, 2);
            frz__test_clock_advance_ns((int64_t)601 * 1000000000);
            SOON(snapshot_count(&f) == 2); /* in the end */
            assert_true(stats(&f).publishes_stretched > 0);
            fix_put(&f, 2, 3, 10, true);
            fix_flush(&f); /* on demand: at once */
            assert_int_equal(snapshot_count(&f), 3);
        }
        fix_close(&f);
    }
}

TEST(options, publish_interval_publishes)
{
    for (int never = 0; never < 2; never++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.publish-interval-ms", never ? "0" : "20");
        fix_put(&f, 0, 1, 10, true);
        if (never) {
            usleep(150000);
            assert_int_equal(snapshot_count(&f), 0);
        } else {
            SOON(snapshot_count(&f) == 1);
        }
        fix_close(&f);
    }
}

TEST(options, snapshots_max_expires)
{
    static const char *const max[] = {"1", "3", "6"};
    for (int i = 0; i < 3; i++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.snapshots-max", max[i]);
        for (int k = 0; k < 8; k++) {
            fix_put(&f, k, k + 1, 10, true);
            fix_flush(&f);
        }
        assert_int_equal(snapshot_count(&f), atoi(max[i]));
        fix_close(&f);
    }
}

TEST(options, grace_keeps_files)
{
    int left[2];
    for (int grace = 0; grace < 2; grace++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.foreign-reader-grace-ms", grace ? "600000" : "0");
        OK(frz_table_set_property(f.t, "frazil.snapshots-max", "1", &f.e), &f.e);
        for (int k = 0; k < 6; k++) { /* the same rows again and again: each flush does away with the file of the one before */
            fix_put(&f, 0, 20, 10, true);
            fix_flush(&f);
        }
        if (!grace) SOON(files_in(&f, "main/t/data", ".parquet", NULL, NULL, 0) == 1);
        left[grace] = files_in(&f, "main/t/data", ".parquet", NULL, NULL, 0);
        assert_int_equal(stats(&f).files_removed > 0, !grace);
        fix_close(&f);
    }
    assert_int_equal(left[0], 1);
    assert_true(left[1] >= 6);
}

TEST(options, foreign_reader_files_max_bounds_what_is_kept)
{
    for (int few = 0; few < 2; few++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.foreign-reader-files-max", few ? "5" : "1000");
        OK(frz_table_set_property(f.t, "frazil.snapshots-max", "1", &f.e), &f.e);
        for (int k = 0; k < 12; k++) { /* files of a grace of a quarter of an hour */
            fix_put(&f, 0, 20, 10, true);
            fix_flush(&f);
        }
        if (few) SOON(stats(&f).files_pending <= 5);
        else assert_true(stats(&f).files_pending > 20);
        assert_int_equal(stats(&f).files_removed > 0, few);
        fix_close(&f);
    }
}

static void lay_foreign(const struct fix *f)
{
    char path[700];
    snprintf(path, sizeof path, "%s/main/t/data/00000-1-550e8400.parquet", f->dir);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fclose(file);
}
TEST(options, orphan_age_keeps_foreign_files)
{
    for (int old = 0; old < 2; old++) {
        struct fix f;
        frz_db_options o = quick();
        frz_gc_report r = FRZ_INIT(frz_gc_report);
        fix_open(&f, &o, "frazil.orphan-age-ms", old ? "3600000" : "86400000");
        fix_put(&f, 0, 20, 10, true);
        fix_flush(&f);
        lay_foreign(&f);
        frz__test_clock_advance_ns((int64_t)2 * 3600 * 1000000000);
        OK(frz_db_gc(f.db, f.t, NULL, NULL, NULL, &r, &f.e), &f.e);
        assert_int_equal(r.files_removed, old);
        fix_close(&f);
    }
}

TEST(options, orphan_check_interval_removes_them_in_an_open_process)
{
    for (int often = 0; often < 2; often++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.orphan-check-interval-ms", often ? "3600000" : "0");
        OK(frz_table_set_property(f.t, "frazil.orphan-age-ms", "3600000", &f.e), &f.e);
        wait_tidy(f.db);
        lay_foreign(&f);
        frz__test_clock_advance_ns((int64_t)2 * 3600 * 1000000000);
        for (int i = 0; i < 120000 && often && stats(&f).orphans_removed == 0; i++) tick_now(f.db);
        if (!often) assert_true(atomic_load(&f.t->t->tidy_at_ns) == INT64_MAX);
        assert_int_equal(stats(&f).orphans_removed, often);
        OK(frz_table_set_property(f.t, "frazil.orphan-check-interval-ms", "60000", &f.e), &f.e); /* taken up at once */
        for (int i = 0; i < 120000 && stats(&f).orphans_removed == 0; i++) tick_now(f.db);
        assert_int_equal(stats(&f).orphans_removed, 1);
        fix_close(&f);
    }
}

TEST(options, filter_bits_change_file_size)
{
    static const char *const bits[] = {"0", "10", "32"};
    uint64_t bytes[3];
    for (int i = 0; i < 3; i++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.filter-bits-per-key", bits[i]);
        fix_put(&f, 0, 8000, 1, true);
        fix_flush(&f);
        bytes[i] = stats(&f).data_bytes;
        frz_value absent = {.type = FRZ_LONG, .as.i64 = 4000};
        OK(frz_delete(f.t, &absent, 1, NULL, &f.e), &f.e);
        assert_int_equal(stats(&f).filter_checks, 0);
        read_all(&f, 10);
        assert_int_equal(stats(&f).filter_checks > 0, i > 0);
        fix_close(&f);
    }
    assert_true(bytes[1] >= bytes[0] + 8000 && bytes[1] <= bytes[0] + 16000); /* 10 bits and a sixteenth, in whole blocks */
    assert_true(bytes[2] >= bytes[1] + 8000 * 22 / 8);
}

TEST(options, immutable_max_stops_writers)
{
    uint64_t stalls[2];
    for (int many = 0; many < 2; many++) {
        struct fix f;
        frz_db_options o = quick();
        o.memtable_bytes = 65536;
        fix_open(&f, &o, "frazil.immutable-memtables-max", many ? "64" : "1");
        (void)frz__test_failpoint("flush.begin", "delay:20"); /* where fail points are compiled in; else a flush is slow enough */
        for (int64_t at = 0; at < 800; at += 20) { /* 25 to 50 memtables, faster than files are written */
            fix_put(&f, at, at + 20, 2000, true);
            if (!many) assert_true(stats(&f).memtables_immutable <= 2); /* one writer was let in before the last one rotated */
        }
        stalls[many] = stats(&f).stalls + (many ? 0 : stats(&f).slowdowns); /* slowed, if not stopped */
        (void)frz__test_failpoint("flush.begin", "off");
        read_all(&f, 800);
        fix_close(&f);
    }
    assert_true(stalls[0] > 0);
    assert_int_equal(stalls[1], 0);
}

struct sizes { unsigned small, near, large; };
static int on_size(void *ctx, const frz_file_info *f)
{
    struct sizes *s = (struct sizes *)ctx;
    *(f->bytes < 40000 ? &s->small : f->bytes < 90000 ? &s->near : &s->large) += 1;
    return 0;
}

TEST(options, target_file_size_splits_flushes)
{
    struct fix packs;
    struct sizes sizes = {0};
    frz_db_options quickly = quick();
    fix_open(&packs, &quickly, "write.target-file-size-bytes", "65536");
    fix_put(&packs, 0, 20000, 100, false); /* a third of it on disk */
    fix_flush(&packs);
    OK(frz_table_files(packs.t, NULL, on_size, &sizes, &packs.e), &packs.e);
    assert_true(sizes.near >= 6 && sizes.small <= 2 && sizes.large == 0); /* small: the first, of which nothing was known, and the last */
    fix_close(&packs);
    for (int whole = 0; whole < 2; whole++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "write.target-file-size-bytes", whole ? "2147483647" : "65536");
        fix_put(&f, 0, 4000, 200, true);
        fix_flush(&f);
        uint64_t n = stats(&f).data_files;
        if (whole) assert_int_equal(n, 1);
        else assert_true(n > 4);
        read_all(&f, 4000);
        fix_close(&f);
    }
}

static int read_bytes(void *ctx, uint64_t offset, void *out, size_t len, frz_error *err)
{
    (void)err;
    memcpy(out, (const uint8_t *)ctx + offset, len);
    return FRZ_OK;
}

static size_t group_count(struct fix *f)
{
    char path[1400];
    uint64_t bytes = 0;
    struct pq_file *pq = NULL;
    assert_int_equal(files_in(f, "main/t/data", ".parquet", &bytes, path, sizeof path), 1);
    uint8_t *all = malloc(bytes);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(all, 1, bytes, file), bytes);
    fclose(file);
    OK(frz__pq_open(NULL, (struct pq_source){all, read_bytes, bytes, path}, &pq, &f->e), &f->e);
    size_t n = frz__pq_group_count(pq);
    frz__pq_free(pq);
    free(all);
    return n;
}

TEST(options, row_group_bytes_cuts_groups)
{
    for (int one = 0; one < 2; one++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "write.parquet.row-group-size-bytes", one ? "1073741824" : "65536");
        fix_put(&f, 0, 6000, 300, true);
        fix_flush(&f);
        size_t n = group_count(&f);
        if (one) assert_int_equal(n, 1);
        else assert_true(n >= 4); /* whole stripes of 1,024 rows: some 300 KiB each */
        read_all(&f, 6000);
        fix_close(&f);
    }
}

/* ── the table of options itself ── */

static const struct { const char *kind, *name, *test; uint64_t def, min, max; } rows[] = {
#define X(kind, name, def, min, max, doc, test) {#kind, #name, #test, def, min, max},
#include "engine/options.def"
#undef X
};

static size_t append_file(char *text, size_t at, size_t room, const char *name)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/tests/unit/%s", FRZ_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(text + at, 1, room - at, f);
    assert_true(at + n < room);
    fclose(f);
    return at + n;
}

TEST(options, each_names_a_test_that_is_here)
{
    static char text[1 << 20];
    size_t n = 0;
    DIR *d = opendir(FRZ_SOURCE_DIR "/tests/unit");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strncmp(e->d_name, "test_options", 12) == 0 && strstr(e->d_name, ".c")) n = append_file(text, n, sizeof text - 1, e->d_name);
    closedir(d);
    text[n] = 0;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        char want[128];
        assert_memory_equal(rows[i].test, "options_", 8);
        snprintf(want, sizeof want, "\nTEST(options, %s)\n", rows[i].test + 8);
        if (!strstr(text, want)) fail_msg("option %s names the test %s, which is not in test_options*.c", rows[i].name, rows[i].test);
    }
}

/* A property is refused outside of its bounds and as anything but a whole number, and the message has name, value and bounds. */
TEST(options, properties_have_bounds)
{
    const char *name;
    uint64_t def, min, max;
    for (size_t i = 0; (name = frz__table_option_name(i, NULL, &def, &min, &max, NULL)) != NULL; i++) {
        char key[96], text[32];
        struct table_settings s;
        frz_error e = {0};
        snprintf(key, sizeof key, "%s", name);
        assert_true(def >= min && def <= max);
        const uint64_t good[] = {min, max, def};
        for (int k = 0; k < 3; k++) {
            snprintf(text, sizeof text, "%llu", (unsigned long long)good[k]);
            struct ice_kv kv = {slice_str(key), slice_str(text)};
            OK(frz__table_settings(&kv, 1, true, &s, &e), &e);
        }
        char above[32];
        snprintf(above, sizeof above, "%llu", (unsigned long long)max + 1);
        const char *bad[] = {above, "", "-1", "1.5", "12x", " 1", "99999999999999999999999"};
        for (size_t k = 0; k < FRZ_ARRAY_LEN(bad); k++) {
            struct ice_kv kv = {slice_str(key), slice_str(bad[k])};
            FAILS(frz__table_settings(&kv, 1, true, &s, &e), FRZ_INVALID, &e);
            MESSAGE_HAS(&e, key);
        }
        if (min == 0) continue;
        snprintf(text, sizeof text, "%llu", (unsigned long long)min - 1);
        struct ice_kv kv = {slice_str(key), slice_str(text)};
        FAILS(frz__table_settings(&kv, 1, true, &s, &e), FRZ_INVALID, &e);
    }
}

TEST(options, unknown_properties_of_ours_are_refused_and_others_kept)
{
    struct table_settings s;
    frz_error e = {0};
    struct ice_kv typo = {slice_str("frazil.snapshot-max"), slice_str("3")}, other = {slice_str("owner.team"), slice_str("ice")};
    FAILS(frz__table_settings(&typo, 1, true, &s, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "frazil.snapshot-max");
    OK(frz__table_settings(&typo, 1, false, &s, &e), &e); /* a table that another version made opens all the same */
    OK(frz__table_settings(&other, 1, true, &s, &e), &e);
}

TEST(options, database_options_have_bounds)
{
    struct db_settings s;
    frz_error e = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    OK(frz__db_settings(NULL, &s, &e), &e);
    assert_int_equal(s.durability, FRZ_SYNC_FULL);
    assert_int_equal(s.memory_bytes, 256 << 20);
    assert_true(s.memtable_bytes > (29 << 20) && s.memtable_bytes < (30 << 20)); /* three of them: seven eighths of 40 % */
    o.memory_bytes = 1 << 20;
    FAILS(frz__db_settings(&o, &s, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "memory_bytes");
    o = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    o.memtable_bytes = 100;
    FAILS(frz__db_settings(&o, &s, &e), FRZ_INVALID, &e);
    o = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    o.durability = 4;
    FAILS(frz__db_settings(&o, &s, &e), FRZ_INVALID, &e);
    o = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    o.create = o.read_only = true;
    FAILS(frz__db_settings(&o, &s, &e), FRZ_INVALID, &e);
    o = (frz_db_options){.struct_size = 0};
    FAILS(frz__db_settings(&o, &s, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "FRZ_INIT(frz_db_options)");
    o = (frz_db_options){.struct_size = offsetof(frz_db_options, memory_bytes)}; /* an older program's */
    OK(frz__db_settings(&o, &s, &e), &e);
    assert_int_equal(s.memory_bytes, 256 << 20);
}
