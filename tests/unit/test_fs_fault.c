/* The file system that breaks: what it forgets, what it keeps, and that it does so as fs.h says. */
#include "frz_test.h"
#include "base/rand.h"
#include "io/fs_fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct fs *fresh(void)
{
    struct fs *fs;
    frz_error e;
    OK(frz__fs_fault_new(NULL, 3, &fs, &e), &e);
    return fs;
}
static struct fs *reboot(struct fs *fs, uint64_t seed)
{
    struct fs *after;
    frz_error e;
    OK(frz__fs_fault_reboot(fs, seed, &after, &e), &e);
    return after;
}
static void put(struct fs *fs, const char *path, const char *text, bool sync)
{
    frz_error e;
    struct file *f;
    OK(frz__fs_open(fs, path, FS_OPEN_APPEND_OR_CREATE, &f, &e), &e);
    OK(frz__file_write(f, 0, text, strlen(text), &e), &e);
    if (sync) OK(frz__file_sync(f, SYNC_TEST, &e), &e);
    OK(frz__file_close(f, &e), &e);
}
static const char *content(struct fs *fs, const char *path)
{
    static struct buf b;
    frz_error e;
    buf_clear(&b);
    int rc = frz__fs_read_file(fs, path, 1 << 20, &b, &e);
    if (rc == FRZ_NOT_FOUND) return NULL;
    OK(rc, &e);
    OK(buf_append_byte(&b, 0, &e), &e);
    static char copy[100];
    strncpy(copy, (char *)b.data, sizeof copy - 1);
    buf_clear(&b);
    return copy;
}
static void is(struct fs *fs, uint64_t seed, const char *path, const char *want)
{
    struct fs *after = reboot(fs, seed);
    const char *got = content(after, path);
    if (!want) assert_null(got);
    else {
        assert_non_null(got);
        assert_string_equal(got, want);
    }
    frz__fs_free(after);
}

TEST(fault, contract_1_and_2_data_and_names_survive_apart)
{
    frz_error e;
    struct fs *fs = fresh();
    put(fs, "f", "new", true);
    is(fs, 0, "f", NULL); /* the file is synced, its name not */
    is(fs, 1, "f", "new");
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    is(fs, 0, "f", "new");
    put(fs, "g", "data", false);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    is(fs, 0, "g", ""); /* the name, not the bytes */
    is(fs, 1, "g", "data");
    put(fs, "f", "NEW and longer", false);
    is(fs, 0, "f", "new");
    OK(frz__fs_unlink(fs, "f", &e), &e);
    is(fs, 0, "f", "new");
    is(fs, 1, "f", NULL);
    OK(frz__fs_mkdir(fs, "d", &e), &e);
    put(fs, "d/x", "x", true);
    OK(frz__fs_sync_dir(fs, "d", SYNC_TEST, &e), &e);
    is(fs, 0, "d/x", NULL); /* d's own name */
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    is(fs, 0, "d/x", "x");
    is(fs, 0, "f", NULL);
    frz__fs_free(fs);
}

TEST(fault, unsynced_bytes_survive_in_part_by_sectors)
{
    frz_error e;
    struct fs *fs = fresh();
    struct file *f;
    static uint8_t old[20000], new[20000], got[20000];
    memset(old, 'o', sizeof old);
    memset(new, 'n', sizeof new);
    OK(frz__fs_open(fs, "f", FS_OPEN_CREATE_NEW, &f, &e), &e);
    OK(frz__file_write(f, 0, old, sizeof old, &e), &e);
    OK(frz__file_sync(f, SYNC_TEST, &e), &e);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    OK(frz__file_write(f, 100, new, 15000, &e), &e);
    OK(frz__file_close(f, &e), &e);
    bool mixed = false, all_old = false, all_new = false, small = false;
    for (uint64_t seed = 2; seed < 80; seed++) {
        struct fs *after = reboot(fs, seed);
        struct file *g;
        size_t n, count = 0;
        OK(frz__fs_open(after, "f", FS_OPEN_READ, &g, &e), &e);
        OK(frz__file_read(g, 0, got, sizeof got, &n, &e), &e);
        OK(frz__file_close(g, &e), &e);
        frz__fs_free(after);
        assert_int_equal(n, sizeof got);
        for (size_t i = 0; i < n; i++) {
            count += got[i] == 'n';
            if (i == 0 || got[i] == got[i - 1] || i == 100 || i == 15100) continue;
            assert_int_equal(i % 512, 0); /* whole sectors */
            small |= i % 4096 != 0;
        }
        for (size_t i = 0; i < n; i++)
            if (i < 100 || i >= 15100) assert_int_equal(got[i], 'o');
        all_old |= count == 0;
        all_new |= count == 15000;
        mixed |= count > 0 && count < 15000;
    }
    assert_true(mixed && all_old && all_new && small);
    frz__fs_free(fs);
}

TEST(fault, contract_3_a_rename_is_whole_and_a_name_is_never_without_its_past)
{
    frz_error e;
    struct fs *fs = fresh();
    OK(frz__fs_mkdir(fs, "a", &e), &e);
    OK(frz__fs_mkdir(fs, "b", &e), &e);
    put(fs, "a/old", "old", true);
    put(fs, "b/x", "target", true);
    OK(frz__fs_sync_dir(fs, "a", SYNC_TEST, &e), &e);
    OK(frz__fs_sync_dir(fs, "b", SYNC_TEST, &e), &e);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    OK(frz__fs_rename(fs, "a/old", "b/x", &e), &e);
    bool before = false, after = false;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct fs *r = reboot(fs, seed);
        const char *x = content(r, "b/x");
        assert_non_null(x);
        bool moved = strcmp(x, "old") == 0;
        assert_true(moved || strcmp(x, "target") == 0);
        assert_true(moved == (content(r, "a/old") == NULL));
        before |= !moved;
        after |= moved;
        frz__fs_free(r);
    }
    assert_true(before && after);
    OK(frz__fs_sync_dir(fs, "b", SYNC_TEST, &e), &e); /* one side's sync takes both along */
    is(fs, 0, "b/x", "old");
    is(fs, 0, "a/old", NULL);
    put(fs, "a/t", "t", true);
    OK(frz__fs_rename(fs, "a/t", "b/t", &e), &e);
    OK(frz__fs_sync_dir(fs, "b", SYNC_TEST, &e), &e); /* … and what they build on: a/t may not come back */
    for (uint64_t seed = 0; seed < 20; seed++) {
        is(fs, seed, "b/t", "t");
        is(fs, seed, "a/t", NULL);
    }
    frz__fs_free(fs);
}

TEST(fault, contract_3_what_was_renamed_is_under_one_of_its_names)
{
    frz_error e;
    struct fs *fs = fresh();
    put(fs, "f", "old", true);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    OK(frz__fs_rename(fs, "f", "g", &e), &e);
    put(fs, "f", "new", true); /* may be there only if the rename is */
    bool both = false;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct fs *r = reboot(fs, seed);
        const char *f = content(r, "f");
        bool f_old = f && strcmp(f, "old") == 0, f_there = f != NULL, g_there = content(r, "g") != NULL;
        assert_true(f_old != g_there);
        both |= f_there && g_there;
        frz__fs_free(r);
    }
    assert_true(both);
    frz__fs_free(fs);
}

TEST(fault, hazard_11_contract_4_after_a_failed_sync_a_later_one_brings_nothing_back)
{
    frz_error e;
    bool lost = false;
    for (uint64_t seed = 1; seed < 12; seed++) {
        struct fs *fs;
        struct file *f, *g;
        OK(frz__fs_fault_new(NULL, seed, &fs, &e), &e);
        OK(frz__fs_open(fs, "f", FS_OPEN_CREATE_NEW, &f, &e), &e);
        OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
        OK(frz__file_write(f, 0, "acknowledged?", 13, &e), &e);
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = 1});
        FAILS(frz__file_sync(f, SYNC_TEST, &e), FRZ_IO, &e);
        FAILS(frz__file_sync(f, SYNC_TEST, &e), FRZ_IO, &e);
        MESSAGE_HAS(&e, "earlier sync failed");
        OK(frz__fs_open(fs, "f", FS_OPEN_WRITE, &g, &e), &e); /* round about, by a handle that knows nothing */
        OK(frz__file_sync(g, SYNC_TEST, &e), &e);
        assert_string_equal(content(fs, "f"), "acknowledged?"); /* the cache has it still */
        struct fs *after = reboot(fs, 1);
        lost |= strcmp(content(after, "f"), "acknowledged?") != 0;
        frz__fs_free(after);
        OK(frz__file_close(f, &e), &e);
        OK(frz__file_close(g, &e), &e);
        frz__fs_free(fs);
    }
    assert_true(lost);
}

TEST(fault, fails_the_nth_call_as_planned)
{
    frz_error e;
    struct fs *fs = fresh();
    struct file *f;
    struct fs_stat st;
    size_t got;
    char back[10];
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = 2, .fail_calls = 2, .error = FS_FAULT_ENOSPC});
    OK(frz__fs_open(fs, "f", FS_OPEN_CREATE_NEW, &f, &e), &e);
    FAILS(frz__file_write(f, 0, "abc", 3, &e), FRZ_NO_SPACE, &e);
    assert_int_equal(e.os_errno, ENOSPC);
    MESSAGE_HAS(&e, "f: call 2");
    FAILS(frz__file_read(f, 0, back, 1, &got, &e), FRZ_IO, &e); /* needs no space */
    OK(frz__file_read(f, 0, back, 1, &got, &e), &e);
    assert_int_equal(got, 0); /* without effect */
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = 1, .error = FS_FAULT_SHORT});
    FAILS(frz__file_write(f, 0, "abcdef", 6, &e), FRZ_NO_SPACE, &e);
    OK(frz__file_read(f, 0, back, 10, &got, &e), &e);
    assert_int_equal(got, 3);
    OK(frz__file_close(f, &e), &e);
    for (uint64_t n = 1; n <= 8; n++) {
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = n});
        int rc[8] = {frz__fs_mkdir(fs, "d", &e), frz__fs_rename(fs, "f", "d/f", &e), frz__fs_stat(fs, "d", &st, &e), frz__fs_link_new(fs, "d/f", "f", &e), frz__fs_sync_dir(fs, "", SYNC_TEST, &e),
                     frz__fs_unlink(fs, "d/g", &e), frz__fs_rmdir(fs, "d", &e), frz__fs_list(fs, "nowhere", NULL, NULL, &e)};
        for (uint64_t i = 0; i < 8; i++)
            if (i + 1 == n) assert_int_equal(rc[i], FRZ_IO);
        assert_int_equal(frz__fs_fault_counts(fs).calls, 8);
        frz__fs_free(fs);
        fs = fresh();
        put(fs, "f", "x", false);
    }
    frz__fs_free(fs);
}

TEST(fault, cuts_the_power_at_the_nth_change)
{
    frz_error e;
    struct fs *fs = fresh();
    struct file *f;
    struct fs_stat st;
    uint64_t bytes;
    bool got;
    char back[4];
    size_t n;
    put(fs, "f", "abc", true);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    OK(frz__fs_open(fs, "f", FS_OPEN_WRITE, &f, &e), &e);
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.cut_change = 2});
    OK(frz__file_read_full(f, 0, back, 3, &e), &e); /* no change */
    OK(frz__file_write(f, 0, "x", 1, &e), &e);
    assert_false(frz__fs_fault_is_cut(fs));
    FAILS(frz__file_sync(f, SYNC_TEST, &e), FRZ_IO, &e);
    assert_true(frz__fs_fault_is_cut(fs));
    FAILS(frz__file_read(f, 0, back, 3, &n, &e), FRZ_IO, &e);
    FAILS(frz__file_write(f, 0, "y", 1, &e), FRZ_IO, &e);
    FAILS(frz__file_truncate(f, 0, &e), FRZ_IO, &e);
    FAILS(frz__file_allocate(f, 10, &e), FRZ_IO, &e);
    FAILS(frz__file_size(f, &bytes, &e), FRZ_IO, &e);
    FAILS(frz__file_lock(f, &got, &e), FRZ_IO, &e);
    FAILS(frz__fs_stat(fs, "f", &st, &e), FRZ_IO, &e);
    FAILS(frz__fs_unlink(fs, "f", &e), FRZ_IO, &e);
    FAILS(frz__fs_list(fs, "", NULL, NULL, &e), FRZ_IO, &e);
    FAILS(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), FRZ_IO, &e);
    OK(frz__file_close(f, &e), &e);
    is(fs, 0, "f", "abc"); /* the sync that was cut did nothing */
    is(fs, 1, "f", "xbc");
    struct fs *after = reboot(fs, 1); /* and the new one works, its state on disk */
    put(after, "g", "g", true);
    is(after, 0, "f", "xbc");
    is(after, 0, "g", NULL);
    frz__fs_free(after);
    frz__fs_free(fs);
    fs = fresh();
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.cut_change = 1});
    FAILS(frz__fs_open(fs, "f", FS_OPEN_CREATE_NEW, &f, &e), FRZ_IO, &e);
    assert_null(f);
    is(fs, 1, "f", ""); /* the change that was cut may have happened */
    is(fs, 0, "f", NULL);
    frz__fs_free(fs);
}

TEST(fault, ignores_the_syncs_it_is_told_to)
{
    frz_error e;
    struct fs *fs = fresh();
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.ignore_file_syncs = true});
    put(fs, "f", "abc", true);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    is(fs, 0, "f", "");
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.ignore_dir_syncs = true});
    put(fs, "g", "abc", true);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    is(fs, 0, "g", NULL);
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.ignore_sync = 2});
    put(fs, "g", "abc", true);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    is(fs, 0, "g", NULL);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    is(fs, 0, "g", "abc");
    struct fs_fault_counts c = frz__fs_fault_counts(fs);
    assert_int_equal(c.file_syncs, 1);
    assert_int_equal(c.dir_syncs, 2);
    frz__fs_free(fs);
}

/* Random life, syncing everything now and then: what was synced last is there whatever the seed; and the same seed gives the same. */
TEST(fault, what_is_synced_is_there_whatever_follows)
{
    frz_error e;
    struct rng r = {test_seed(11)};
    for (int round = 0; round < 60; round++) {
        struct fs *fs = fresh();
        char synced[4][100];
        bool there[4] = {0}, touched[4] = {0};
        for (int step = 0; step < 60; step++) {
            int i = (int)rng_below(&r, 4);
            char name[2] = {(char)('a' + i), 0}, text[100];
            memset(text, 'A' + (int)rng_below(&r, 26), 99);
            text[1 + rng_below(&r, 98)] = 0;
            switch (rng_below(&r, 5)) {
            case 0:
                RC(frz__fs_unlink(fs, name, &e) < 0, 0, &e);
                touched[i] = true;
                break;
            case 1: {
                put(fs, "t", text, true);
                OK(frz__fs_rename(fs, "t", name, &e), &e);
                touched[i] = true;
                break;
            }
            case 2: /* all of them, by one rename and one sync each */
                put(fs, "t", text, true);
                OK(frz__fs_rename(fs, "t", name, &e), &e);
                OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
                for (int k = 0; k < 4; k++) {
                    char other[2] = {(char)('a' + k), 0};
                    struct file *f;
                    if (frz__fs_open(fs, other, FS_OPEN_WRITE, &f, &e) == FRZ_OK) {
                        OK(frz__file_sync(f, SYNC_TEST, &e), &e);
                        OK(frz__file_close(f, &e), &e);
                    }
                    const char *now = content(fs, other);
                    there[k] = now != NULL;
                    if (now) strcpy(synced[k], now);
                    touched[k] = false;
                }
                break;
            default: {
                const char *was = content(fs, name);
                if (!was) break;
                put(fs, name, text, false);
                touched[i] = true;
            }
            }
        }
        frz__fs_fault_cut(fs);
        for (uint64_t seed = 0; seed < 6; seed++) {
            struct fs *after = reboot(fs, seed), *again = reboot(fs, seed);
            for (int k = 0; k < 4; k++) {
                char name[2] = {(char)('a' + k), 0};
                const char *got = content(after, name);
                char copy[100] = "";
                if (got) strcpy(copy, got);
                if (!touched[k]) {
                    assert_true(there[k] == (got != NULL));
                    if (got) assert_string_equal(copy, synced[k]);
                }
                const char *twice = content(again, name);
                assert_true((twice != NULL) == (got != NULL));
                if (twice) assert_string_equal(twice, copy);
            }
            frz__fs_free(after);
            frz__fs_free(again);
        }
        frz__fs_free(fs);
    }
}

TEST(fs_fault, a_second_name_is_there_once_its_folder_was_synced)
{
    frz_error e;
    struct fs *fs, *after;
    bool there;
    OK(frz__fs_fault_new(NULL, 1, &fs, &e), &e);
    OK(frz__fs_mkdir(fs, "d", &e), &e);
    put(fs, "f", "abc", true);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    OK(frz__fs_link(fs, "f", fs, "d/g", &e), &e);
    OK(frz__fs_fault_reboot(fs, 0, &after, &e), &e);
    OK(frz__fs_exists(after, "f", &there, &e), &e);
    assert_true(there);
    OK(frz__fs_exists(after, "d/g", &there, &e), &e);
    assert_false(there);
    frz__fs_free(after);
    OK(frz__fs_sync_dir(fs, "d", SYNC_TEST, &e), &e);
    OK(frz__fs_fault_reboot(fs, 0, &after, &e), &e);
    OK(frz__fs_exists(after, "d/g", &there, &e), &e);
    assert_true(there); /* its bytes were synced under the other name */
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__fs_read_file(after, "d/g", 10, &b, &e), &e);
    assert_int_equal(b.len, 3);
    buf_clear(&b);
    frz__fs_free(after);
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.no_space = true});
    FAILS(frz__fs_link(fs, "f", fs, "h", &e), FRZ_NO_SPACE, &e);
    frz__fs_free(fs);
}
