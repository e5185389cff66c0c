/* The write orders: cut the power at every change, reboot with many seeds, look. And each sync in durable.c is needed: without it, the same look finds something broken. */
#include "frz_test.h"
#include "io/durable.h"
#include "io/fs_fault.h"

#include <stdio.h>
#include <string.h>

#define SEEDS 40
static char text_old[9000], text_new[9000];
static slice bytes_of(const char *t) { return slice_of(t, sizeof text_new); }

/* A scenario: RUN does it, on what BEGIN left on disk; LOOK says whether what a reboot left keeps the promise, DONE telling whether RUN was acknowledged. */
struct scenario {
    void (*begin)(struct fs *fs);
    int (*run)(struct fs *fs, frz_error *err);
    bool (*look)(struct fs *fs, bool done);
    uint64_t syncs;
};

/* 1 = these bytes, 0 = absent, -1 = something else. */
static int holds(struct fs *fs, const char *path, const char *want)
{
    struct buf b = BUF_INIT(NULL, 0);
    frz_error e;
    int rc = frz__fs_read_file(fs, path, 1 << 20, &b, &e);
    int is = rc == FRZ_NOT_FOUND ? 0 : rc == FRZ_OK && b.len == sizeof text_new && memcmp(b.data, want, b.len) == 0 ? 1 : -1;
    buf_clear(&b);
    return is;
}

static bool keeps(const struct scenario *s, const struct fs_fault_plan *plan, bool *done)
{
    frz_error e;
    struct fs *fs, *after;
    bool good = true;
    OK(frz__fs_fault_new(NULL, 5, &fs, &e), &e);
    s->begin(fs);
    frz__fs_fault_plan(fs, plan);
    *done = s->run(fs, &e) == FRZ_OK;
    frz__fs_fault_cut(fs);
    for (uint64_t seed = 0; seed < SEEDS && good; seed++) {
        OK(frz__fs_fault_reboot(fs, seed, &after, &e), &e);
        good = s->look(after, *done);
        frz__fs_free(after);
    }
    frz__fs_free(fs);
    return good;
}

static void prove(const struct scenario *s)
{
    memset(text_old, 'o', sizeof text_old);
    memset(text_new, 'n', sizeof text_new);
    bool done = false;
    uint64_t cuts = 0;
    for (uint64_t n = 1; !done; n++, cuts++)
        if (!keeps(s, &(struct fs_fault_plan){.cut_change = n}, &done)) fail_msg("broken when cut at change %u", (unsigned)n);
    assert_true(cuts > 3);
    done = false;
    for (uint64_t n = 1; !done; n++) /* and where calls fail instead */
        if (!keeps(s, &(struct fs_fault_plan){.fail_call = n, .error = n % 3}, &done)) fail_msg("broken when call %u failed", (unsigned)n);
    for (uint64_t n = 1; n <= s->syncs; n++) {
        bool found = false;
        done = false;
        for (uint64_t cut = 1; !done; cut++) found |= !keeps(s, &(struct fs_fault_plan){.cut_change = cut, .ignore_sync = n}, &done);
        if (!found) fail_msg("sync %u could be left out", (unsigned)n);
    }
    bool unneeded = true;
    done = false;
    for (uint64_t cut = 1; !done; cut++) unneeded &= keeps(s, &(struct fs_fault_plan){.cut_change = cut, .ignore_sync = s->syncs + 1}, &done);
    assert_true(unneeded); /* there are no more than those */
}

/* publish_new */

static void nothing(struct fs *fs)
{
    frz_error e;
    OK(frz__fs_mkdir(fs, "m", &e), &e);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
}
static int publish(struct fs *fs, frz_error *err)
{
    bool unknown;
    int rc = frz__durable_publish_new(fs, &(struct durable_name){"m/.tmp-1", "m/v2", SYNC_TEST, SYNC_TEST}, bytes_of(text_new), &unknown, err);
    assert_true(!unknown || rc < 0);
    return rc;
}
static bool published(struct fs *fs, bool done)
{
    int now = holds(fs, "m/v2", text_new);
    return now == 1 || (now == 0 && !done);
}
TEST(durable, publish_new_a_name_that_is_there_is_whole_and_stays_once_acknowledged) { prove(&(struct scenario){nothing, publish, published, 2}); }

/* replace */

static void old_one(struct fs *fs)
{
    frz_error e;
    OK(frz__durable_replace(fs, &(struct durable_name){".tmp-0", "hint", SYNC_TEST, SYNC_TEST}, bytes_of(text_old), &e), &e);
}
static int replace(struct fs *fs, frz_error *err) { return frz__durable_replace(fs, &(struct durable_name){".tmp-1", "hint", SYNC_TEST, SYNC_TEST}, bytes_of(text_new), err); }
static bool old_or_new(struct fs *fs, bool done)
{
    return holds(fs, "hint", text_new) == 1 || (!done && holds(fs, "hint", text_old) == 1);
}
TEST(durable, replace_leaves_old_or_new_and_new_once_acknowledged) { prove(&(struct scenario){old_one, replace, old_or_new, 2}); }

static int replace_lazily(struct fs *fs, frz_error *err) { return frz__durable_replace(fs, &(struct durable_name){".tmp-1", "hint", SYNC_TEST, SYNC_NONE}, bytes_of(text_new), err); }
static bool either(struct fs *fs, bool done) { return holds(fs, "hint", text_new) == 1 || holds(fs, "hint", text_old) == 1; }
TEST(durable, hazard_38_replace_without_the_directory_sync_is_stale_at_worst_never_half) { prove(&(struct scenario){old_one, replace_lazily, either, 1}); }

/* batch */

static void two_dirs(struct fs *fs)
{
    frz_error e;
    OK(frz__fs_mkdir(fs, "data", &e), &e);
    OK(frz__fs_mkdir(fs, "metadata", &e), &e);
    OK(frz__fs_mkdir(fs, "other", &e), &e);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
}
static int batch(struct fs *fs, frz_error *err)
{
    struct file *open = NULL;
    int rc = frz__fs_open(fs, "other/big", FS_OPEN_CREATE_NEW, &open, err);
    if (rc != FRZ_OK) return rc;
    rc = frz__file_write(open, 0, text_new, sizeof text_new, err);
    const struct durable_file files[] = {{"data/1", bytes_of(text_new), SYNC_TEST}, {"metadata/a", bytes_of(text_new), SYNC_TEST}, {"data/2", bytes_of(text_new), SYNC_TEST}, {"metadata/b", bytes_of(text_new), SYNC_TEST}};
    if (rc == FRZ_OK) rc = frz__durable_batch(fs, &(struct durable_batch){files, 4, &(struct durable_open){open, SYNC_TEST}, 1, SYNC_TEST, SYNC_TEST}, err);
    return frz__first(rc, frz__file_close(open, NULL));
}
static bool all_if_done(struct fs *fs, bool done)
{
    static const char *const names[] = {"data/1", "metadata/a", "data/2", "metadata/b", "other/big"};
    for (size_t i = 0; i < 5 && done; i++)
        if (holds(fs, names[i], text_new) != 1) return false;
    return true;
}
TEST(durable, batch_is_all_there_once_acknowledged_by_one_sync_a_file_and_directory) { prove(&(struct scenario){two_dirs, batch, all_if_done, 5 + 3}); }

static struct fs *fault(void)
{
    frz_error e;
    struct fs *fs;
    OK(frz__fs_fault_new(NULL, 5, &fs, &e), &e);
    memset(text_old, 'o', sizeof text_old);
    memset(text_new, 'n', sizeof text_new);
    return fs;
}
static int count(void *ctx, const char *name, bool is_dir)
{
    ++*(int *)ctx;
    return 0;
}
static int names_in(struct fs *fs, const char *dir)
{
    frz_error e;
    int n = 0;
    OK(frz__fs_list(fs, dir, count, &n, &e), &e);
    return n;
}

TEST(durable, publish_new_never_replaces_and_leaves_nothing_behind)
{
    frz_error e;
    bool unknown = true;
    struct fs *fs = fault();
    OK(frz__durable_publish_new(fs, &(struct durable_name){".tmp-1", "v1", SYNC_TEST, SYNC_TEST}, bytes_of(text_old), NULL, &e), &e);
    FAILS(frz__durable_publish_new(fs, &(struct durable_name){".tmp-2", "v1", SYNC_TEST, SYNC_TEST}, bytes_of(text_new), &unknown, &e), FRZ_EXISTS, &e);
    assert_false(unknown);
    assert_int_equal(holds(fs, "v1", text_old), 1);
    assert_int_equal(names_in(fs, ""), 1);
    frz__fs_free(fs);
}

TEST(durable, a_leftover_of_the_temporary_name_is_in_nobodys_way)
{
    frz_error e;
    struct file *f;
    struct fs *fs = fault();
    OK(frz__fs_open(fs, ".tmp-1", FS_OPEN_CREATE_NEW, &f, &e), &e);
    OK(frz__file_write(f, 0, text_old, sizeof text_old, &e), &e);
    OK(frz__file_close(f, &e), &e);
    OK(frz__durable_publish_new(fs, &(struct durable_name){".tmp-1", "v1", SYNC_TEST, SYNC_TEST}, slice_of("short", 5), NULL, &e), &e);
    struct fs_stat st;
    OK(frz__fs_stat(fs, "v1", &st, &e), &e);
    assert_int_equal(st.bytes, 5);
    frz__fs_free(fs);
}

TEST(durable, hazard_11_publish_new_says_when_it_does_not_know)
{
    frz_error e;
    bool seen_unknown = false;
    for (uint64_t n = 1;; n++) {
        struct fs *fs = fault();
        bool unknown = false;
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = n});
        int rc = frz__durable_publish_new(fs, &(struct durable_name){".tmp-1", "v1", SYNC_TEST, SYNC_TEST}, bytes_of(text_new), &unknown, &e);
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){0});
        int there = holds(fs, "v1", text_new);
        assert_int_equal(there >= 0, 1);
        if (rc != FRZ_OK && there) assert_true(unknown);
        seen_unknown |= unknown && there;
        assert_true(rc == FRZ_OK || rc == FRZ_IO);
        if (rc == FRZ_OK) assert_false(unknown);
        assert_int_equal(names_in(fs, ""), there); /* no temporary name */
        frz__fs_free(fs);
        if (rc == FRZ_OK) break;
    }
    assert_true(seen_unknown);
}

TEST(durable, batch_is_all_or_nothing_while_the_process_lives)
{
    frz_error e;
    struct fs *fs = fault();
    struct durable_file files[150];
    static char paths[150][16];
    OK(frz__fs_mkdir(fs, "d", &e), &e);
    for (int i = 0; i < 150; i++) {
        snprintf(paths[i], sizeof paths[i], "d/%03d", i);
        files[i] = (struct durable_file){paths[i], slice_of("x", 1), SYNC_TEST};
    }
    OK(frz__durable_batch(fs, &(struct durable_batch){.files = files + 140, .count = 1}, &e), &e); /* d/140 is there */
    FAILS(frz__durable_batch(fs, &(struct durable_batch){.files = files, .count = 150}, &e), FRZ_EXISTS, &e);
    MESSAGE_HAS(&e, "d/140");
    assert_int_equal(names_in(fs, "d"), 1);
    OK(frz__fs_unlink(fs, "d/140", &e), &e);
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){0});
    OK(frz__durable_batch(fs, &(struct durable_batch){.files = files, .count = 150}, &e), &e);
    assert_int_equal(names_in(fs, "d"), 150);
    assert_int_equal(frz__fs_fault_counts(fs).file_syncs, 150);
    assert_int_equal(frz__fs_fault_counts(fs).dir_syncs, 1);
    OK(frz__durable_batch(fs, &(struct durable_batch){0}, &e), &e);
    frz__fs_free(fs);
    for (uint64_t n = 1;; n++) {
        fs = fault();
        two_dirs(fs);
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = n, .error = FS_FAULT_SHORT});
        int rc = frz__durable_batch(fs, &(struct durable_batch){.files = (struct durable_file[]){{"data/1", bytes_of(text_new), SYNC_TEST}, {"metadata/2", bytes_of(text_new), SYNC_TEST}}, .count = 2}, &e);
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){0});
        assert_int_equal(names_in(fs, "data") + names_in(fs, "metadata"), rc == FRZ_OK ? 2 : 0);
        frz__fs_free(fs);
        if (rc == FRZ_OK) break;
    }
}

TEST(durable, works_on_the_real_file_system)
{
    frz_error e;
    struct fs *fs;
    bool unknown;
    const char *dir = test_tmp_dir("durable");
    memset(text_new, 'n', sizeof text_new);
    memset(text_old, 'o', sizeof text_old);
    OK(frz__fs_posix_new(NULL, dir, 0, &fs, &e), &e);
    two_dirs(fs);
    OK(batch(fs, &e), &e);
    assert_true(all_if_done(fs, true));
    OK(frz__durable_publish_new(fs, &(struct durable_name){"metadata/.tmp", "metadata/v1", SYNC_TEST, SYNC_TEST}, bytes_of(text_new), &unknown, &e), &e);
    FAILS(frz__durable_publish_new(fs, &(struct durable_name){"metadata/.tmp", "metadata/v1", SYNC_TEST, SYNC_TEST}, bytes_of(text_old), &unknown, &e), FRZ_EXISTS, &e);
    old_one(fs);
    OK(replace(fs, &e), &e);
    assert_true(old_or_new(fs, true));
    assert_int_equal(names_in(fs, "metadata"), 3);
    frz__fs_free(fs);
    test_tmp_remove(dir);
}
