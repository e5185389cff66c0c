/* The table of design.md §7, row by row: the crash falls exactly there, and open finds and does exactly that. The moments are taken from one flush, as images of what a process that dies after each of its calls leaves. */
#include "crash_rig.h"

#include "base/clock.h"
#include "tidy_kit.h"

#define IMAGES_MAX 200
#define ROWS 30
static struct { struct fs *at[IMAGES_MAX]; size_t count; uint64_t seed; } images;

static void take(void *ctx, struct fs *fs)
{
    frz_error e;
    (void)ctx;
    assert_true(images.count < IMAGES_MAX);
    OK(frz__fs_fault_reboot(fs, images.seed, &images.at[images.count++], &e), &e);
}
static void begin_images(struct rig *r, uint64_t seed)
{
    images.seed = seed;
    images.count = 0;
    frz__fs_fault_plan(r->fs, &(struct fs_fault_plan){.on_change = take});
}
static void end_images(struct rig *r) { frz__fs_fault_plan(r->fs, &(struct fs_fault_plan){0}); }
static void free_images(void)
{
    for (size_t i = 0; i < images.count; i++) frz__fs_free(images.at[i]);
    images.count = 0;
}

/* A rig of what is on FS. */
static void look_into(struct rig *r, const struct rig *as, struct fs *fs)
{
    *r = (struct rig){.fs = fs, .o = as->o, .format = as->format};
    rig_open(r);
    wait_tidy(r->db);
}
static void leave(struct rig *r) { rig_close(r); } /* its fs is an image's */

static void all_there(struct rig *r, const char *v)
{
    for (int64_t i = 0; i < ROWS; i++) has(r, i, v);
    assert_int_equal(stats(r).rows_put, 0);
    rig_verify(r);
}

static int64_t number_in_hint(struct fs *fs)
{
    struct buf b = BUF_INIT(NULL, 0);
    frz_error e;
    OK(frz__fs_read_file(fs, "main/t/metadata/version-hint.text", 20, &b, &e), &e);
    OK(buf_append_byte(&b, 0, &e), &e);
    int64_t n = atoll((char *)b.data);
    buf_clear(&b);
    return n;
}
static bool version_is_there(struct fs *fs, int64_t n)
{
    char path[64];
    bool there = false;
    frz_error e;
    snprintf(path, sizeof path, "main/t/metadata/v%d.metadata.json", (int)n);
    OK(frz__fs_exists(fs, path, &there, &e), &e);
    return there;
}
static int64_t version_of(struct rig *r)
{
    struct version *v = frz__version_acquire(r->t->t);
    int64_t n = v->number;
    frz__version_release(v);
    return n;
}

/* Files that frazil named, and hidden ones, in the table's folders. */
static size_t files_of_ours(struct fs *fs)
{
    static struct names n;
    frz_error e;
    size_t count = 0;
    n.count = 0;
    OK(frz__fs_list(fs, "main/t/data", on_name, &n, &e), &e);
    OK(frz__fs_list(fs, "main/t/metadata", on_name, &n, &e), &e);
    for (size_t i = 0; i < n.count; i++) count += strncmp(n.name[i], "frz-", 4) == 0 || strncmp(n.name[i], "snap-", 5) == 0 || n.name[i][0] == '.';
    return count;
}

static void foreign_file(struct rig *r, const char *path)
{
    struct file *f;
    OK(frz__fs_open(r->fs, path, FS_OPEN_CREATE_NEW, &f, &r->e), &r->e);
    OK(frz__file_write(f, 0, "PAR1", 4, &r->e), &r->e);
    OK(frz__file_sync(f, SYNC_TEST, &r->e), &r->e);
    OK(frz__file_close(f, &r->e), &r->e);
    OK(frz__fs_sync_dir(r->fs, "main/t/data", SYNC_TEST, &r->e), &r->e);
}

/* A table with a published version of each row, and a newer one in the log. */
static void begin(struct rig *r, int format)
{
    char v[400];
    memset(v, 'x', sizeof v);
    v[sizeof v - 1] = 0;
    rig_init(r, FRZ_SYNC_FULL);
    if (format == 3) { /* another table in its place */
        OK(frz_table_drop(r->db, "t", &r->e), &r->e);
        rig_close(r);
        r->format = 3;
        rig_open(r);
    }
    for (int64_t i = 0; i < ROWS; i++) put(r, i, "published");
    for (int64_t i = 1000; i < 1040; i++) put(r, i, v);
    OK(frz_table_flush(r->t, &r->e), &r->e);
    foreign_file(r, "main/t/data/part-00000-of-another-engine.parquet");
    for (int64_t i = 0; i < ROWS; i++) put(r, i, "logged");
}

TEST(crash_table, in_a_log_append_the_torn_tail_is_cut_and_said_and_all_before_it_is_there)
{
    unsigned cuts = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct rig r;
        rig_init(&r, FRZ_SYNC_FULL);
        for (int64_t i = 0; i < ROWS; i++) put(&r, i, "logged");
        char v[5000];
        memset(v, 't', sizeof v);
        v[sizeof v - 1] = 0;
        frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.cut_change = 1}); /* the append's write happens; its sync does not */
        FAILS(try_put(&r, 500, v), FRZ_IO, &r.e);
        rig_reboot(&r, 3 + seed);
        rig_open(&r);
        all_there(&r, "logged");
        frz_row *row;
        frz_value key = {.type = FRZ_LONG, .as.i64 = 500};
        OK(frz_row_new(r.t, &row, &r.e), &r.e);
        int rc = frz_get(r.t, NULL, &key, 1, row, &r.e);
        frz_row_free(row);
        if (rc == FRZ_OK) has(&r, 500, v);
        else RC(rc, FRZ_NOT_FOUND, &r.e);
        assert_int_equal(stats(&r).recovered_batches, ROWS + (rc == FRZ_OK));
        cuts += strstr(r.said, "are cut") != NULL; /* silent only if not a byte of it reached the disk */
        rig_clear(&r);
    }
    assert_true(cuts >= 2);
}

TEST(crash_table, after_the_log_before_the_memtable_the_row_is_replayed)
{
    struct rig r, x;
    rig_init(&r, FRZ_SYNC_FULL);
    begin_images(&r, 0);
    for (int64_t i = 0; i < ROWS; i++) put(&r, i, "logged");
    end_images(&r);
    assert_int_equal(images.count, 2 * ROWS); /* a write and a sync each */
    for (size_t i = 1; i < images.count; i += 2) { /* synced, and nobody told yet */
        look_into(&x, &r, images.at[i]);
        assert_int_equal(stats(&x).recovered_batches, i / 2 + 1);
        for (int64_t id = 0; id < ROWS; id++) has(&x, id, (size_t)id <= i / 2 ? "logged" : NULL);
        leave(&x);
    }
    free_images();
    rig_clear(&r);
}

static void has_some(struct rig *r, int64_t id)
{
    frz_row *row;
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    OK(frz_get(r->t, NULL, &key, 1, row, &r->e), &r->e);
    frz_row_free(row);
}

static void while_publishing(int format, uint64_t seed)
{
    struct rig r, x;
    size_t before = 0, between = 0, after = 0, orphans = 0;
    begin(&r, format);
    int64_t base = version_of(&r);
    begin_images(&r, seed);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    end_images(&r);
    for (size_t i = 0; i < images.count; i++) {
        struct fs *fs = images.at[i];
        bool committed = version_is_there(fs, base + 1), foreign = false;
        int64_t hint = number_in_hint(fs);
        size_t files = files_of_ours(fs);
        assert_true(hint == base || (committed && hint == base + 1));
        look_into(&x, &r, fs);
        all_there(&x, "logged");
        assert_int_equal(version_of(&x), base + committed);
        assert_int_equal(stats(&x).memtable_bytes > 0, !committed); /* replayed, or skipped as flushed */
        assert_true(stats(&x).recovered_batches >= ROWS);
        assert_int_equal(files - files_of_ours(fs), stats(&x).orphans_removed);
        orphans += stats(&x).orphans_removed;
        OK(frz__fs_exists(fs, "main/t/data/part-00000-of-another-engine.parquet", &foreign, &x.e), &x.e);
        assert_true(foreign);
        *(committed ? hint == base ? &between : &after : &before) += 1;
        leave(&x);
    }
    if (before < 6 || orphans < 6 || between < 1 || after < 1)
        fail_msg("not each moment was met: %u before the commit, %u orphans, %u before the hint moved, %u after it", (unsigned)before, (unsigned)orphans, (unsigned)between, (unsigned)after);
    free_images();
    rig_clear(&r);
}
TEST(crash_table, while_publishing_v2_what_no_metadata_names_is_removed_the_newest_version_is_found_and_the_log_is_skipped_up_to_it) { while_publishing(2, 1); }
TEST(crash_table, while_publishing_v3_what_no_metadata_names_is_removed_the_newest_version_is_found_and_the_log_is_skipped_up_to_it) { while_publishing(3, 1); }

static void inside_compaction(int format, uint64_t seed)
{
    struct rig r, x;
    size_t before = 0, between = 0, after = 0, orphans = 0;
    begin(&r, format);
    OK(frz_table_flush(r.t, &r.e), &r.e); /* the older rows are masked, or absorbed; */
    frz_value key = {.type = FRZ_LONG, .as.i64 = 1000};
    OK(frz_delete(r.t, &key, 1, NULL, &r.e), &r.e); /* and this one is masked */
    OK(frz_table_flush(r.t, &r.e), &r.e);
    int64_t base = version_of(&r);
    begin_images(&r, seed);
    OK(frz_table_compact(r.t, NULL, NULL, &r.e), &r.e);
    end_images(&r);
    assert_int_equal(version_of(&r), base + 1); /* one commit */
    for (size_t i = 0; i < images.count; i++) {
        struct fs *fs = images.at[i];
        bool committed = version_is_there(fs, base + 1), foreign = false;
        int64_t hint = number_in_hint(fs);
        size_t files = files_of_ours(fs);
        assert_true(hint == base || (committed && hint == base + 1));
        look_into(&x, &r, fs);
        all_there(&x, "logged");
        has(&x, 1000, NULL);
        for (int64_t id = 1001; id < 1040; id++) has_some(&x, id);
        assert_int_equal(version_of(&x), base + committed);
        assert_int_equal(stats(&x).memtable_bytes, 0); /* all of it was published before */
        assert_int_equal(files - files_of_ours(fs), stats(&x).orphans_removed);
        orphans += stats(&x).orphans_removed;
        OK(frz__fs_exists(fs, "main/t/data/part-00000-of-another-engine.parquet", &foreign, &x.e), &x.e);
        assert_true(foreign);
        OK(frz_table_compact(x.t, NULL, NULL, &x.e), &x.e); /* what was cut short is done, what was done stays */
        assert_int_equal(version_of(&x), base + 1);
        all_there(&x, "logged");
        *(committed ? hint == base ? &between : &after : &before) += 1;
        leave(&x);
    }
    if (before < 6 || orphans < 6 || between < 1 || after < 1)
        fail_msg("not each moment was met: %u before the commit, %u orphans, %u before the hint moved, %u after it", (unsigned)before, (unsigned)orphans, (unsigned)between, (unsigned)after);
    free_images();
    rig_clear(&r);
}
TEST(crash_table, inside_compaction_v2_nothing_referenced_is_touched_and_leftovers_are_removed) { inside_compaction(2, 1); }
TEST(crash_table, inside_compaction_v3_nothing_referenced_is_touched_and_leftovers_are_removed) { inside_compaction(3, 1); }

/* As the clock does when the grace of foreign readers is over. */
static void expire_now(struct table *t)
{
    frz__mutex_lock(&t->flush_mu);
    t->settings.frazil_foreign_reader_grace_ms = 0;
    while (frz__expire_run(t)) {} /* a round ends by its time */
    frz__mutex_unlock(&t->flush_mu);
}

/* Every retained snapshot can be read. */
static void snapshots_are_whole(struct rig *r, size_t count)
{
    struct table *t = r->t->t;
    struct version *v = frz__version_acquire(t);
    assert_int_equal(v->meta->snapshot_count, count);
    for (size_t i = 0; i < count; i++) {
        struct vfile **files = NULL;
        size_t n = 0;
        OK(frz__version_files(t, v, v->meta->snapshots[i].id, &files, &n, NULL, NULL, &r->e), &r->e);
        for (size_t k = 0; k < n; k++) frz__vfile_release(files[k]);
        frz__free(t->a, files);
    }
    frz__version_release(v);
}

TEST(crash_table, inside_expiry_nothing_referenced_is_touched_and_the_rest_goes_at_the_next_open)
{
    for (int format = 2; format <= 3; format++) {
        struct rig r, x;
        begin(&r, format);
        OK(frz_table_set_property(r.t, "frazil.snapshots-max", "3", &r.e), &r.e);
        for (int i = 0; i < 6; i++) {
            for (int64_t id = 0; id < ROWS; id++) put(&r, id, "again");
            OK(frz_table_flush(r.t, &r.e), &r.e);
        }
        struct table *t = r.t->t;
        begin_images(&r, 1);
        expire_now(t);
        end_images(&r);
        size_t left = files_of_ours(r.fs);
        assert_true(images.count > 6);
        for (size_t i = 0; i < images.count; i++) {
            look_into(&x, &r, images.at[i]);
            all_there(&x, "again");
            snapshots_are_whole(&x, 3);
            expire_now(x.t->t);
            assert_int_equal(files_of_ours(images.at[i]), left);
            snapshots_are_whole(&x, 3);
            leave(&x);
        }
        free_images();
        rig_clear(&r);
    }
}
