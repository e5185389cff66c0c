/* Goal    each option of compaction does what it says. Method: as in test_options.c; where the level of a file is asked for, compactions are run one by one, till there is nothing to do. */
#include "options_kit.h"

#include "api/handle.h"
#include "engine/compact.h"

static void set(struct fix *f, const char *key, const char *value) { OK(frz_table_set_property(f->t, key, value, &f->e), &f->e); }

/* N rows of BYTES each, all over the keys, of a residue class R of its own. */
static void put_spread(struct fix *f, int64_t n, size_t bytes, int64_t r)
{
    for (int64_t i = 0; i < n; i++) fix_put(f, i * (1000000 / n) * 64 + r, i * (1000000 / n) * 64 + r + 1, bytes, true);
}
static void delete_every(struct fix *f, int64_t to, int64_t step)
{
    for (int64_t id = 0; id < to; id += step) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = id};
        OK(frz_delete(f->t, &key, 1, NULL, &f->e), &f->e);
    }
}

/* What there is to compact is compacted; the most that one job read. */
static uint64_t settle(struct fix *f)
{
    uint64_t most = 0;
    int rc;
    struct plan_options o;
    struct compact_result r;
    for (int n = 0;; n++) {
        frz__compact_options(f->t->t, &o);
        rc = frz__compact(f->t->t, &o, &r, &f->e);
        if (rc != FRZ_OK) break;
        if (r.bytes_in > most) most = r.bytes_in;
        assert_true(n < 1000);
    }
    RC(rc, FRZ_DONE, &f->e);
    return most;
}

/* Of the files of LEVEL: how many overlap at one key, at most. */
static size_t runs_of(struct fix *f, unsigned level)
{
    struct view *v = atomic_load(&f->t->t->view);
    size_t most = 0;
    for (size_t i = 0; i < v->file_count; i++) {
        size_t n = 0;
        const struct sst *x = v->files[i]->sst;
        if (x->level_hint != level) continue;
        for (size_t k = 0; k < v->file_count; k++) {
            const struct sst *y = v->files[k]->sst;
            n += y->level_hint == level && slice_cmp(y->first_key, x->first_key) <= 0 && slice_cmp(x->first_key, y->last_key) <= 0;
        }
        if (n > most) most = n;
    }
    return most;
}
static unsigned depth(struct fix *f)
{
    struct view *v = atomic_load(&f->t->t->view);
    unsigned deepest = 0;
    for (size_t i = 0; i < v->file_count; i++)
        if (v->files[i]->sst->level_hint > deepest) deepest = v->files[i]->sst->level_hint;
    return deepest;
}
static uint64_t dead(struct fix *f)
{
    struct view *v = atomic_load(&f->t->t->view);
    uint64_t n = 0;
    for (size_t i = 0; i < v->file_count; i++) n += frz__mask_count(v->files[i]->mask);
    return n;
}

/* ── of the database ── */

static int own_threads(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

TEST(options, compaction_threads_start)
{
    int threads[3];
    for (int i = 0; i < 3; i++) {
        struct fix f;
        frz_db_options o = quick();
        o.no_compaction = i == 0;
        o.compaction_threads = i == 2 ? 5 : 1;
        fix_open(&f, &o, NULL, NULL);
        threads[i] = own_threads();
        fix_close(&f);
    }
    assert_int_equal(threads[1], threads[0] + 1);
    assert_int_equal(threads[2], threads[0] + 5);
}

TEST(options, compaction_bytes_per_second_slows_it)
{
    for (int slow = 0; slow < 2; slow++) {
        struct fix f;
        frz_db_options o = quick();
        o.no_compaction = false;
        o.compaction_bytes_per_second = slow ? 1024 : 1 << 30;
        fix_open(&f, &o, "frazil.compaction-enabled", "0");
        fix_put(&f, 0, 4000, 200, true);
        fix_flush(&f);
        delete_every(&f, 4000, 3);
        fix_flush(&f);
        set(&f, "frazil.compaction-enabled", "1");
        if (slow) {
            usleep(100000);
            assert_int_equal(stats(&f).compactions, 0); /* half an hour to go */
            fix_put(&f, 10000, 10100, 200, true);
            fix_flush(&f); /* waits for none of it */
        } else {
            SOON(stats(&f).compactions == 1);
        }
        fix_close(&f); /* nor does this */
    }
}

/* ── of a table ── */

TEST(options, compaction_enabled_compacts)
{
    struct fix f;
    frz_db_options o = quick();
    o.no_compaction = false;
    fix_open(&f, &o, "frazil.compaction-enabled", "0");
    fix_put(&f, 0, 1000, 100, true);
    fix_flush(&f);
    delete_every(&f, 1000, 3);
    fix_flush(&f);
    usleep(20000);
    assert_int_equal(stats(&f).compactions, 0);
    assert_int_equal(dead(&f), 334);
    set(&f, "frazil.compaction-enabled", "1");
    SOON(stats(&f).compactions == 1);
    assert_int_equal(stats(&f).rows_live, 666);
    assert_true(stats(&f).compact_bytes_in > 66600 && stats(&f).compact_bytes_out > 66600);
    assert_int_equal(stats(&f).delete_files, 0);
    fix_close(&f);
}

static unsigned depth_with(const char *key, const char *value)
{
    struct fix f;
    frz_db_options o = quick();
    fix_open(&f, &o, "frazil.level-base-bytes", "65536");
    set(&f, "frazil.level0-runs-max", "1");
    set(&f, key, value);
    for (int i = 0; i < 12; i++) {
        put_spread(&f, i ? 100 : 5000, 400, i);
        fix_flush(&f);
        settle(&f);
    }
    unsigned d = depth(&f);
    assert_int_equal(stats(&f).rows_live, 6100);
    fix_close(&f);
    return d;
}

TEST(options, level_ratio_sets_the_depth)
{
    unsigned narrow = depth_with("frazil.level-ratio", "2"), wide = depth_with("frazil.level-ratio", "64");
    assert_true(narrow >= 3);
    assert_true(wide <= 1);
}

TEST(options, level_base_bytes_sets_the_depth)
{
    unsigned small = depth_with("frazil.level-ratio", "3"), large = depth_with("frazil.level-base-bytes", "67108864");
    assert_true(small >= 2);
    assert_true(large <= 1);
}

TEST(options, level0_runs_max_bounds_runs)
{
    for (int many = 0; many < 2; many++) {
        static const int64_t sizes[] = {1000, 300, 80, 20}; /* each too small to absorb the one before */
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.level0-runs-max", many ? "64" : "1");
        for (int i = 0; i < 4; i++) {
            put_spread(&f, sizes[i], 400, i);
            fix_flush(&f);
        }
        assert_int_equal(runs_of(&f, 0), 4);
        settle(&f);
        if (many) assert_int_equal(runs_of(&f, 0), 4);
        else assert_true(runs_of(&f, 0) <= 1);
        fix_close(&f);
    }
}

TEST(options, level_runs_max_bounds_runs)
{
    size_t most[2] = {0, 0};
    for (int many = 0; many < 2; many++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.level-base-bytes", "65536");
        set(&f, "frazil.level-ratio", "4");
        set(&f, "frazil.level0-runs-max", "1");
        set(&f, "frazil.level-runs-max", many ? "3" : "1");
        for (int i = 0; i < 24; i++) {
            put_spread(&f, i ? 150 : 5000, 400, i);
            fix_flush(&f);
            settle(&f);
            if (depth(&f) >= 2 && runs_of(&f, 1) > most[many]) most[many] = runs_of(&f, 1);
        }
        assert_true(depth(&f) >= 2);
        fix_close(&f);
    }
    assert_true(most[0] <= 1);
    assert_true(most[1] >= 2 && most[1] <= 3);
}

TEST(options, compaction_masked_percent_rewrites_garbage)
{
    for (int late = 0; late < 2; late++) {
        struct fix f;
        frz_db_options o = quick();
        fix_open(&f, &o, "frazil.compaction-masked-percent", late ? "50" : "20");
        fix_put(&f, 0, 1000, 100, true);
        fix_flush(&f);
        delete_every(&f, 1000, 3);
        fix_flush(&f);
        settle(&f);
        assert_int_equal(dead(&f), late ? 334 : 0);
        assert_int_equal(stats(&f).rows_live, 666);
        fix_close(&f);
    }
}

/* A flush that was cut into files of 64 KiB, in a table that has large ones now. */
static void open_with_small_neighbours(struct fix *f)
{
    frz_db_options o = quick();
    fix_open(f, &o, "write.target-file-size-bytes", "65536");
    fix_put(f, 0, 6000, 150, true);
    fix_flush(f);
    assert_true(stats(f).data_files >= 8);
    set(f, "write.target-file-size-bytes", "536870912");
}

TEST(options, compaction_small_files_merges_neighbours)
{
    for (int never = 0; never < 2; never++) {
        struct fix f;
        open_with_small_neighbours(&f);
        uint64_t before = stats(&f).data_files;
        set(&f, "frazil.compaction-small-files", never ? "0" : "5");
        settle(&f);
        assert_int_equal(stats(&f).data_files, never ? before : 1);
        fix_close(&f);
    }
}

TEST(options, compaction_input_bytes_max_bounds_a_job)
{
    for (int large = 0; large < 2; large++) {
        struct fix f;
        open_with_small_neighbours(&f);
        set(&f, "frazil.compaction-input-bytes-max", large ? "1073741824" : "400000");
        set(&f, "frazil.compaction-small-files", "2");
        uint64_t most = settle(&f);
        if (large) assert_true(most > 800000);
        else assert_true(most > 0 && most <= 400000);
        fix_close(&f);
    }
}

/* A table whose rows are all on the last level, or, as flushed, on none; under KEY = VALUE. Pages that verify reads; bytes. */
static uint64_t pages_with(bool last, const char *key, const char *value, uint64_t *bytes)
{
    struct fix f;
    frz_db_options o = quick();
    frz_verify_report r = {.struct_size = sizeof r};
    fix_open(&f, &o, key, value);
    set(&f, "frazil.level0-runs-max", "1");
    fix_put(&f, 0, 4000, 200, false);
    fix_flush(&f);
    if (last) {
        fix_put(&f, 0, 300, 200, false);
        fix_flush(&f);
        settle(&f);
        assert_int_equal(runs_of(&f, 0), 0);
    }
    OK(frz_verify(f.db, f.t, NULL, NULL, &r, &f.e), &f.e);
    assert_int_equal(r.findings, 0);
    *bytes = stats(&f).data_bytes;
    fix_close(&f);
    return r.pages;
}

TEST(options, page_bytes_cuts_pages)
{
    uint64_t bytes, small = pages_with(true, "write.parquet.page-size-bytes", "4096", &bytes), large = pages_with(true, "write.parquet.page-size-bytes", "1048576", &bytes);
    assert_true(small > large + 50);
    assert_int_equal(pages_with(false, "write.parquet.page-size-bytes", "4096", &bytes), pages_with(false, "write.parquet.page-size-bytes", "1048576", &bytes));
}

TEST(options, flush_page_bytes_cuts_pages)
{
    uint64_t bytes, small = pages_with(false, "frazil.flush-page-size-bytes", "4096", &bytes), large = pages_with(false, "frazil.flush-page-size-bytes", "1048576", &bytes);
    assert_true(small > large + 50);
    assert_int_equal(pages_with(true, "frazil.flush-page-size-bytes", "4096", &bytes), pages_with(true, "frazil.flush-page-size-bytes", "1048576", &bytes));
}

TEST(options, compression_level_changes_size)
{
    uint64_t low, high, flushed_low, flushed_high;
    (void)pages_with(true, "write.parquet.compression-level", "1", &low);
    (void)pages_with(true, "write.parquet.compression-level", "19", &high);
    (void)pages_with(false, "write.parquet.compression-level", "1", &flushed_low);
    (void)pages_with(false, "write.parquet.compression-level", "19", &flushed_high);
    assert_true(low != high);
    assert_int_equal(flushed_low, flushed_high);
}

TEST(options, flush_compression_level_changes_size)
{
    uint64_t low, high;
    (void)pages_with(false, "frazil.flush-compression-level", "1", &low);
    (void)pages_with(false, "frazil.flush-compression-level", "19", &high);
    assert_true(low != high);
}

TEST(options, compaction_split_bytes_cuts_a_job)
{
    for (int cut = 0; cut < 2; cut++) {
        struct fix f;
        frz_db_options o = quick();
        o.no_compaction = false;
        o.compaction_threads = 3;
        fix_open(&f, &o, "frazil.compaction-enabled", "0");
        set(&f, "frazil.compaction-split-bytes", cut ? "65536" : "1099511627776");
        fix_put(&f, 0, 6000, 200, true);
        fix_flush(&f);
        delete_every(&f, 6000, 3);
        fix_flush(&f);
        settle(&f);
        assert_int_equal(stats(&f).data_files, cut ? 3 : 1); /* a file a piece */
        assert_int_equal(stats(&f).rows_live, 4000);
        assert_int_equal(dead(&f), 0);
        fix_close(&f);
    }
}

/* ── of writers that wait for it ── */

/* Five runs that overlap, of 0.4 MB, and a compaction that gets nowhere; then one write that may not wait: 0 = it was let through, 1 = it was held up, 2 = it would have to wait. */
static int write_behind(const char *key, const char *value)
{
    static const int64_t sizes[] = {600, 240, 100, 40, 14}; /* each too small to absorb the one before */
    struct fix f;
    frz_db_options o = quick();
    frz_write_options w = FRZ_WRITE_OPTIONS_INIT;
    o.no_compaction = false;
    o.compaction_bytes_per_second = 1024;
    fix_open(&f, &o, "frazil.level0-runs-max", "1");
    static const char *const all[] = {"frazil.slowdown-runs", "frazil.stop-runs", "frazil.slowdown-debt-bytes", "frazil.stop-debt-bytes"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(all); i++) set(&f, all[i], "0");
    set(&f, "frazil.level-base-bytes", "65536");
    set(&f, "frazil.level-ratio", "2");
    for (size_t i = 0; i < FRZ_ARRAY_LEN(sizes); i++) {
        put_spread(&f, sizes[i], 400, (int64_t)i);
        fix_flush(&f);
    }
    if (key) set(&f, key, value);
    w.wait_max_ms = 150; /* more than any slow-down */
    static const char v[4000];
    OK(frz_row_set_long(f.row, 0, -1, &f.e), &f.e);
    OK(frz_row_set_bytes(f.row, 1, v, sizeof v, &f.e), &f.e);
    int rc = frz_put(f.t, f.row, &w, &f.e);
    frz_stats s = stats(&f);
    bool runs = key && strstr(key, "runs");
    if (rc == FRZ_BUSY) MESSAGE_HAS(&f.e, runs ? "sorted runs wait" : "bytes wait to be compacted");
    else OK(rc, &f.e);
    assert_int_equal(s.slowdowns, runs ? s.slowdowns_runs : s.slowdowns_debt);
    assert_int_equal(s.stalls, rc == FRZ_BUSY);
    assert_int_equal(runs ? s.stalls_runs : s.stalls_debt, rc == FRZ_BUSY);
    int held = s.slowdowns > 0;
    fix_close(&f);
    return rc == FRZ_BUSY ? 2 : held;
}

TEST(options, slowdown_runs_slows_writers)
{
    assert_int_equal(write_behind(NULL, NULL), 0);
    assert_int_equal(write_behind("frazil.slowdown-runs", "1"), 1);
    assert_int_equal(write_behind("frazil.slowdown-runs", "100"), 0);
}

TEST(options, stop_runs_stops_writers)
{
    assert_int_equal(write_behind("frazil.stop-runs", "3"), 2);
    assert_int_equal(write_behind("frazil.stop-runs", "100"), 0);
}

TEST(options, slowdown_debt_bytes_slows_writers)
{
    assert_int_equal(write_behind("frazil.slowdown-debt-bytes", "10000"), 1);
    assert_int_equal(write_behind("frazil.slowdown-debt-bytes", "1000000000"), 0);
}

TEST(options, stop_debt_bytes_stops_writers)
{
    assert_int_equal(write_behind("frazil.stop-debt-bytes", "10000"), 2);
    assert_int_equal(write_behind("frazil.stop-debt-bytes", "1000000000"), 0);
}
