/* Goal    what the archive has of a log by a link is never written again, whichever process goes on with the log and wherever that archives; damage of its newest segment is named.
 * Method  a log in memory, whose archive is in the same file system, so that segments are linked; the archive's bytes before and after. */
#include "frz_test.h"

#include <stdio.h>
#include <string.h>

#include "wal/wal_format.h"

#define SEGMENT ((uint64_t)64 << 10)
#define FILES   40

struct fix {
    struct fs *fs, *archive, *other;
    struct wal *w;
    uint64_t seq, epoch;
    frz_error e;
};
static void begin(struct fix *f)
{
    *f = (struct fix){.seq = 1};
    OK(frz__fs_mem_new(NULL, &f->fs, &f->e), &f->e);
    OK(frz__fs_mem_new(NULL, &f->other, &f->e), &f->e); /* to which nothing can be linked */
    OK(frz__fs_mkdir(f->fs, "archive", &f->e), &f->e);
    OK(frz__fs_sub_new(f->fs, "archive", &f->archive, &f->e), &f->e);
}
static void end(struct fix *f)
{
    frz__fs_free(f->archive);
    frz__fs_free(f->fs);
    frz__fs_free(f->other);
}
static void open_log(struct fix *f, struct fs *archive, uint64_t wait_max)
{
    const struct wal_visitor v = {0};
    struct wal_report report;
    struct wal_options o = {.dir = "wal", .writer_epoch = ++f->epoch, .segment_bytes = SEGMENT, .recycle_max = 4, .archive = archive,
                            .archive_wait_max = wait_max};
    memset(o.log_uuid, 0x5A, sizeof o.log_uuid);
    OK(frz__wal_read(NULL, NULL, f->fs, "wal", &v, &report, &f->e), &f->e);
    OK(frz__wal_open(f->fs, &o, &report, f->seq, NULL, 0, &f->w, &f->e), &f->e);
}
/* So many groups of 3000 bytes; now and then all is synced, archived if it can be, and released. */
static void fill(struct fix *f, int groups)
{
    static uint8_t bytes[3000];
    for (int i = 0; i < groups; i++) {
        uint64_t segment;
        const slice ops = slice_of(bytes, sizeof bytes);
        memset(bytes, (int)f->seq, sizeof bytes);
        OK(frz__wal_append(f->w, f->seq++, 1, &ops, 1, &segment, &f->e), &f->e);
        if (i % 20 != 19) continue;
        OK(frz__wal_sync(f->w, &f->e), &f->e);
        (void)!frz__wal_archive(f->w, false, &f->e); /* fails where its folder is gone */
        OK(frz__wal_release(f->w, frz__wal_segment(f->w), &f->e), &f->e);
        OK(frz__wal_recycle(f->w, &f->e), &f->e);
    }
    OK(frz__wal_sync(f->w, &f->e), &f->e);
}

struct sums {
    uint32_t at[FILES];
    uint64_t newest;
};
static struct sums sums_of(struct fix *f)
{
    struct sums s = {.newest = 0};
    for (uint64_t n = 1; n < FILES; n++) {
        char name[WAL_NAME_BYTES];
        struct buf b = BUF_INIT(NULL, 0);
        snprintf(name, sizeof name, "%09u.wal", (unsigned)n);
        int rc = frz__fs_read_file(f->archive, name, 1 << 20, &b, &f->e);
        if (rc != FRZ_NOT_FOUND) {
            OK(rc, &f->e);
            s.at[n] = frz__crc32c(0, b.data, b.len);
            s.newest = n;
        }
        buf_clear(&b);
    }
    return s;
}
static uint64_t read_archive(struct fix *f, uint64_t *lacks)
{
    const struct wal_visitor v = {0};
    struct wal_report report;
    OK(frz__wal_read_archive(NULL, NULL, f->fs, "archive", 1, &v, &report, lacks, &f->e), &f->e);
    return report.seq_last;
}

/* What an earlier process archived; its log is closed, and not all of it is released. */
static struct sums archived(struct fix *f)
{
    begin(f);
    open_log(f, f->archive, 0);
    fill(f, 100);
    fill(f, 15);
    fill(f, 15);
    fill(f, 15);
    OK(frz__wal_archive(f->w, true, &f->e), &f->e);
    OK(frz__wal_close(f->w, &f->e), &f->e);
    struct sums s = sums_of(f);
    assert_true(s.newest > 4 && s.at[1] && s.at[s.newest]);
    return s;
}

enum way { NOWHERE, ELSEWHERE, GIVEN_UP, SPARE_OF_OLD, WAYS };
TEST(wal_archive, what_it_has_by_a_link_no_later_process_writes_to)
{
    for (enum way way = NOWHERE; way < WAYS; way++) {
        struct fix f;
        struct wal_stats stats;
        char path[WAL_PATH_BYTES], spare[WAL_PATH_BYTES];
        uint64_t lacks = 1, last;
        bool there = false;
        struct sums before = archived(&f), after;
        last = f.seq - 1;
        if (way == SPARE_OF_OLD) { /* as a version before this one left it */
            uint64_t oldest = 0;
            for (uint64_t n = 1; n < FILES && !there; n++) {
                wal_path(path, "wal", oldest = n, "wal");
                OK(frz__fs_exists(f.fs, path, &there, &f.e), &f.e);
            }
            assert_true(there && oldest < before.newest);
            wal_path(spare, "wal", oldest, "free");
            OK(frz__fs_rename(f.fs, path, spare, &f.e), &f.e);
        }
        if (way == GIVEN_UP) OK(frz__fs_rename(f.fs, "archive", "away", &f.e), &f.e);
        open_log(&f, way == ELSEWHERE ? f.other : way == GIVEN_UP ? f.archive : NULL, way == GIVEN_UP ? 1 : 0);
        fill(&f, 300);
        frz__wal_stats(f.w, &stats);
        if (stats.recycled <= 5) fail_msg("way %d: %llu segments used again", (int)way, (unsigned long long)stats.recycled); /* its own are, as ever */
        assert_int_equal(stats.archive_given_up > 0, way == GIVEN_UP);
        OK(frz__wal_close(f.w, &f.e), &f.e);
        if (way == GIVEN_UP) OK(frz__fs_rename(f.fs, "away", "archive", &f.e), &f.e);
        after = sums_of(&f);
        for (int i = 0; i < FILES; i++)
            if (before.at[i] != after.at[i]) fail_msg("way %d: segment %d of the archive was written to", (int)way, i);
        assert_int_equal(read_archive(&f, &lacks), last);
        assert_int_equal(lacks, 0);
        end(&f);
    }
}

TEST(wal_archive, whose_newest_segment_is_damaged_does_not_end_before_it)
{
    struct fix f;
    struct file *file;
    char name[WAL_NAME_BYTES];
    uint64_t lacks = 0;
    const uint8_t zeros[WAL_RECORDS_AT] = {0};
    struct sums s = archived(&f);
    assert_int_equal(read_archive(&f, &lacks), f.seq - 1);
    assert_int_equal(lacks, 0);
    snprintf(name, sizeof name, "%09u.wal", (unsigned)s.newest);
    OK(frz__fs_open(f.archive, name, FS_OPEN_WRITE, &file, &f.e), &f.e);
    OK(frz__file_write(file, 0, zeros, sizeof zeros, &f.e), &f.e);
    OK(frz__file_close(file, &f.e), &f.e);
    assert_true(read_archive(&f, &lacks) < f.seq - 1);
    assert_int_equal(lacks, s.newest);
    end(&f);
}
