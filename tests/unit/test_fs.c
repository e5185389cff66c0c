/* What fs.h promises, on each of its makers; then what only the real one can get wrong. */
#include "frz_test.h"
#include "io/fs.h"
#include "io/fs_fault.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[512];
static void begin_posix(struct fs **fs, unsigned pretend)
{
    frz_error e;
    strcpy(dir, test_tmp_dir("fs"));
    frz__test_fs_posix(pretend);
    OK(frz__fs_posix_new(NULL, dir, 0, fs, &e), &e);
}
static void end_posix(struct fs *fs)
{
    frz__fs_free(fs);
    frz__test_fs_posix(0);
    test_tmp_remove(dir);
}

/* A folder of a file system is one, too. */
static void on_folder(void (*fn)(struct fs *fs))
{
    frz_error e;
    struct fs *base, *fs;
    OK(frz__fs_mem_new(NULL, &base, &e), &e);
    OK(frz__fs_mkdir(base, "up", &e), &e);
    OK(frz__fs_mkdir(base, "up/here", &e), &e);
    OK(frz__fs_sub_new(base, "up/here", &fs, &e), &e);
    fn(fs);
    frz__fs_free(fs);
    frz__fs_free(base);
}

static void on_each(void (*fn)(struct fs *fs))
{
    frz_error e;
    struct fs *fs;
    static const unsigned pretend[] = {0, FS_TEST_NO_OPENAT2 | FS_TEST_NO_RENAME_NOREPLACE | FS_TEST_NO_FALLOCATE, FS_TEST_SHORT | FS_TEST_NO_FALLOCATE};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(pretend); i++) {
        begin_posix(&fs, pretend[i]);
        fn(fs);
        end_posix(fs);
    }
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    fn(fs);
    frz__fs_free(fs);
    OK(frz__fs_fault_new(NULL, 1, &fs, &e), &e);
    fn(fs);
    frz__fs_free(fs);
    on_folder(fn);
}

static void put_file(struct fs *fs, const char *path, const char *text)
{
    frz_error e;
    struct file *f;
    OK(frz__fs_open(fs, path, FS_OPEN_CREATE_NEW, &f, &e), &e);
    OK(frz__file_write(f, 0, text, strlen(text), &e), &e);
    OK(frz__file_close(f, &e), &e);
}
static void has_file(struct fs *fs, const char *path, const char *text)
{
    frz_error e;
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__fs_read_file(fs, path, 1000, &b, &e), &e);
    assert_int_equal(b.len, strlen(text));
    if (b.len) assert_memory_equal(b.data, text, b.len);
    buf_clear(&b);
}
static bool exists(struct fs *fs, const char *path)
{
    frz_error e;
    bool there;
    OK(frz__fs_exists(fs, path, &there, &e), &e);
    return there;
}

static void bad_paths(struct fs *fs)
{
    static const char *const bad[] = {"/", "/etc/passwd", "..", "../x", "a/..", "a/../b", "a/../../b", ".", "./a", "a/./b", "a//b", "a/", "a/.."};
    frz_error e;
    struct file *f;
    struct fs_stat st;
    bool there;
    OK(frz__fs_mkdir(fs, "a", &e), &e);
    put_file(fs, "ok", "");
    char name[300] = "", path[5000] = "";
    memset(name, 'n', 256);
    while (strlen(path) < 4100) strcat(path, "dir/");
    strcat(path, "x");
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad) + 3; i++) {
        const char *p = i < FRZ_ARRAY_LEN(bad) ? bad[i] : i == FRZ_ARRAY_LEN(bad) ? name : i == FRZ_ARRAY_LEN(bad) + 1 ? path : "";
        FAILS(frz__fs_open(fs, p, FS_OPEN_READ, &f, &e), FRZ_INVALID, &e);
        assert_null(f);
        FAILS(frz__fs_open(fs, p, FS_OPEN_APPEND_OR_CREATE, &f, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_unlink(fs, p, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_mkdir(fs, p, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_rmdir(fs, p, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_rename(fs, "ok", p, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_rename(fs, p, "ok", &e), FRZ_INVALID, &e);
        FAILS(frz__fs_link_new(fs, "ok", p, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_link_new(fs, p, "new", &e), FRZ_INVALID, &e);
        if (*p == 0) continue; /* the root, for these */
        FAILS(frz__fs_stat(fs, p, &st, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_exists(fs, p, &there, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_sync_dir(fs, p, SYNC_TEST, &e), FRZ_INVALID, &e);
        FAILS(frz__fs_list(fs, p, NULL, NULL, &e), FRZ_INVALID, &e);
    }
    put_file(fs, "..a", "1"); /* dots are fine within a name */
    put_file(fs, "a/...", "2");
    has_file(fs, "a/...", "2");
}
TEST(fs, refuses_paths_that_could_leave_the_root) { on_each(bad_paths); }

static void open_modes(struct fs *fs)
{
    frz_error e;
    struct file *f, *g;
    FAILS(frz__fs_open(fs, "f", FS_OPEN_READ, &f, &e), FRZ_NOT_FOUND, &e);
    MESSAGE_HAS(&e, "f");
    assert_null(f);
    FAILS(frz__fs_open(fs, "f", FS_OPEN_WRITE, &f, &e), FRZ_NOT_FOUND, &e);
    FAILS(frz__must_exist(frz__fs_open(fs, "f", FS_OPEN_READ, &f, &e), &e), FRZ_CORRUPT, &e);
    FAILS(frz__fs_open(fs, "no/f", FS_OPEN_CREATE_NEW, &f, &e), FRZ_IO, &e); /* no outcome that a check lets pass */
    FAILS(frz__fs_open(fs, "no/f", FS_OPEN_APPEND_OR_CREATE, &f, &e), FRZ_IO, &e);
    OK(frz__fs_open(fs, "f", FS_OPEN_APPEND_OR_CREATE, &f, &e), &e);
    assert_string_equal(f->path, "f");
    OK(frz__file_write(f, 0, "abc", 3, &e), &e);
    FAILS(frz__fs_open(fs, "f", FS_OPEN_CREATE_NEW, &g, &e), FRZ_EXISTS, &e);
    OK(frz__file_close(f, &e), &e);
    OK(frz__fs_open(fs, "f", FS_OPEN_APPEND_OR_CREATE, &f, &e), &e);
    OK(frz__file_write(f, 1, "X", 1, &e), &e); /* where it was told to, though opened to append */
    OK(frz__file_close(f, &e), &e);
    has_file(fs, "f", "aXc");
    OK(frz__fs_open(fs, "f", FS_OPEN_READ, &f, &e), &e);
    FAILS(frz__file_write(f, 0, "x", 1, &e), FRZ_MISUSE, &e);
    FAILS(frz__file_sync(f, SYNC_TEST, &e), FRZ_MISUSE, &e);
    FAILS(frz__file_truncate(f, 0, &e), FRZ_MISUSE, &e);
    FAILS(frz__file_allocate(f, 9, &e), FRZ_MISUSE, &e);
    OK(frz__file_close(f, &e), &e);
    OK(frz__fs_mkdir(fs, "d", &e), &e);
    FAILS(frz__fs_open(fs, "d", FS_OPEN_READ, &f, &e), FRZ_IO, &e);
    FAILS(frz__fs_open(fs, "d", FS_OPEN_WRITE, &f, &e), FRZ_IO, &e);
    FAILS(frz__fs_open(fs, "f/x", FS_OPEN_READ, &f, &e), FRZ_IO, &e);
    OK(frz__file_close(NULL, &e), &e);
}
TEST(fs, opens_as_asked) { on_each(open_modes); }

static void reads_and_writes(struct fs *fs)
{
    frz_error e;
    struct file *f;
    static uint8_t big[100000], back[100100];
    size_t got;
    uint64_t bytes;
    for (size_t i = 0; i < sizeof big; i++) big[i] = (uint8_t)(i * 7 + i / 256);
    OK(frz__fs_open(fs, "f", FS_OPEN_CREATE_NEW, &f, &e), &e);
    OK(frz__file_write(f, 0, big, sizeof big, &e), &e);
    OK(frz__file_sync(f, SYNC_TEST, &e), &e);
    OK(frz__file_read(f, 0, back, sizeof back, &got, &e), &e);
    assert_int_equal(got, sizeof big);
    assert_memory_equal(back, big, sizeof big);
    OK(frz__file_read(f, 99999, back, 10, &got, &e), &e);
    assert_int_equal(got, 1);
    OK(frz__file_read(f, 100000, back, 10, &got, &e), &e);
    assert_int_equal(got, 0);
    OK(frz__file_read(f, 1ull << 40, back, 10, &got, &e), &e);
    assert_int_equal(got, 0);
    OK(frz__file_read_full(f, 5, back, 10, &e), &e);
    assert_memory_equal(back, big + 5, 10);
    FAILS(frz__file_read_full(f, 99995, back, 10, &e), FRZ_CORRUPT, &e);
    MESSAGE_HAS(&e, "f: ends at byte 100000, expected 10 bytes at 99995");
    OK(frz__file_write(f, 0, NULL, 0, &e), &e);
    OK(frz__file_read(f, 0, NULL, 0, &got, &e), &e);
    OK(frz__file_write(f, 100010, "z", 1, &e), &e); /* a hole is zeros */
    OK(frz__file_read_full(f, 99999, back, 12, &e), &e);
    assert_int_equal(back[0], big[99999]);
    for (int i = 1; i < 11; i++) assert_int_equal(back[i], 0);
    assert_int_equal(back[11], 'z');
    OK(frz__file_truncate(f, 3, &e), &e);
    OK(frz__file_truncate(f, 6, &e), &e);
    OK(frz__file_read(f, 0, back, 10, &got, &e), &e);
    assert_int_equal(got, 6);
    assert_memory_equal(back + 3, "\0\0\0", 3);
    OK(frz__file_allocate(f, 70000, &e), &e);
    OK(frz__file_size(f, &bytes, &e), &e);
    assert_int_equal(bytes, 70000);
    OK(frz__file_read_full(f, 0, back, 70000, &e), &e);
    assert_memory_equal(back, big, 3);
    for (size_t i = 3; i < 70000; i++) assert_int_equal(back[i], 0);
    OK(frz__file_allocate(f, 10, &e), &e); /* never shrinks */
    OK(frz__file_size(f, &bytes, &e), &e);
    assert_int_equal(bytes, 70000);
    FAILS(frz__file_write(f, INT64_MAX, "ab", 2, &e), FRZ_TOO_LARGE, &e);
    FAILS(frz__file_write(f, UINT64_MAX, "ab", 2, &e), FRZ_TOO_LARGE, &e);
    FAILS(frz__file_read(f, UINT64_MAX, back, 1, &got, &e), FRZ_TOO_LARGE, &e);
    FAILS(frz__file_truncate(f, 1ull << 63, &e), FRZ_TOO_LARGE, &e);
    OK(frz__file_close(f, &e), &e);
}
TEST(fs, reads_what_was_written) { on_each(reads_and_writes); }

static int count_names(void *ctx, const char *name, bool is_dir)
{
    char *all = ctx;
    strcat(all, name);
    strcat(all, is_dir ? "/ " : " ");
    return 0;
}
static int stop_at_once(void *ctx, const char *name, bool is_dir)
{
    ++*(int *)ctx;
    return 42;
}
static void names(struct fs *fs)
{
    frz_error e;
    struct fs_stat st;
    OK(frz__fs_mkdir(fs, "d", &e), &e);
    FAILS(frz__fs_mkdir(fs, "d", &e), FRZ_EXISTS, &e);
    FAILS(frz__fs_mkdir(fs, "no/d", &e), FRZ_IO, &e);
    put_file(fs, "d/one", "1");
    put_file(fs, "two", "22");
    OK(frz__fs_stat(fs, "two", &st, &e), &e);
    assert_int_equal(st.bytes, 2);
    assert_false(st.is_dir);
    assert_true(st.mtime_us > 1600000000000000);
    OK(frz__fs_stat(fs, "d", &st, &e), &e);
    assert_true(st.is_dir);
    OK(frz__fs_stat(fs, "", &st, &e), &e);
    assert_true(st.is_dir);
    FAILS(frz__fs_stat(fs, "d/none", &st, &e), FRZ_NOT_FOUND, &e);
    FAILS(frz__fs_stat(fs, "none/none", &st, &e), FRZ_NOT_FOUND, &e);
    assert_true(exists(fs, "d/one"));
    assert_false(exists(fs, "d/none"));
    char all[100] = "";
    OK(frz__fs_list(fs, "", count_names, all, &e), &e);
    assert_true(strcmp(all, "d/ two ") == 0 || strcmp(all, "two d/ ") == 0);
    int calls = 0;
    RC(frz__fs_list(fs, "", stop_at_once, &calls, &e), 42, &e);
    assert_int_equal(calls, 1);
    FAILS(frz__fs_list(fs, "none", count_names, all, &e), FRZ_NOT_FOUND, &e);
    FAILS(frz__fs_list(fs, "two", count_names, all, &e), FRZ_IO, &e);
    OK(frz__fs_sync_dir(fs, "", SYNC_TEST, &e), &e);
    OK(frz__fs_sync_dir(fs, "d", SYNC_TEST, &e), &e);
    FAILS(frz__fs_sync_dir(fs, "none", SYNC_TEST, &e), FRZ_IO, &e);
    FAILS(frz__fs_sync_dir(fs, "two", SYNC_TEST, &e), FRZ_IO, &e);
    FAILS(frz__fs_rmdir(fs, "d", &e), FRZ_IO, &e); /* not empty */
    FAILS(frz__fs_rmdir(fs, "two", &e), FRZ_IO, &e);
    FAILS(frz__fs_rmdir(fs, "none", &e), FRZ_NOT_FOUND, &e);
    FAILS(frz__fs_unlink(fs, "d", &e), FRZ_IO, &e);
    FAILS(frz__fs_unlink(fs, "none", &e), FRZ_NOT_FOUND, &e);
    OK(frz__fs_unlink(fs, "d/one", &e), &e);
    assert_false(exists(fs, "d/one"));
    OK(frz__fs_rmdir(fs, "d", &e), &e);
    assert_false(exists(fs, "d"));
}
TEST(fs, keeps_names) { on_each(names); }

static void moves(struct fs *fs)
{
    frz_error e;
    OK(frz__fs_mkdir(fs, "d", &e), &e);
    OK(frz__fs_mkdir(fs, "d/in", &e), &e);
    put_file(fs, "a", "aaa");
    put_file(fs, "b", "bbb");
    OK(frz__fs_rename(fs, "a", "b", &e), &e);
    has_file(fs, "b", "aaa");
    assert_false(exists(fs, "a"));
    FAILS(frz__fs_rename(fs, "a", "b", &e), FRZ_IO, &e);
    FAILS(frz__fs_rename(fs, "b", "none/b", &e), FRZ_IO, &e);
    FAILS(frz__fs_rename(fs, "b", "d", &e), FRZ_IO, &e);
    FAILS(frz__fs_rename(fs, "d", "b", &e), FRZ_IO, &e);
    FAILS(frz__fs_rename(fs, "d", "d/in/x", &e), FRZ_IO, &e);
    OK(frz__fs_rename(fs, "b", "b", &e), &e);
    has_file(fs, "b", "aaa");
    OK(frz__fs_rename(fs, "b", "d/in/b", &e), &e);
    OK(frz__fs_rename(fs, "d", "trash", &e), &e); /* with all in it */
    has_file(fs, "trash/in/b", "aaa");
    put_file(fs, "t", "ttt");
    put_file(fs, "u", "uuu");
    FAILS(frz__fs_link_new(fs, "t", "u", &e), FRZ_EXISTS, &e);
    has_file(fs, "u", "uuu");
    has_file(fs, "t", "ttt");
    OK(frz__fs_link_new(fs, "t", "trash/t", &e), &e);
    has_file(fs, "trash/t", "ttt");
    assert_false(exists(fs, "t"));
    FAILS(frz__fs_link_new(fs, "t", "x", &e), FRZ_IO, &e);
    FAILS(frz__fs_link_new(fs, "u", "none/x", &e), FRZ_IO, &e);
    FAILS(frz__fs_link_new(fs, "u", "trash", &e), FRZ_EXISTS, &e);
}
TEST(fs, moves_replacing_or_never) { on_each(moves); }

static void links(struct fs *fs)
{
    frz_error e;
    struct file *f, *g;
    char got[4];
    size_t n;
    put_file(fs, "one", "abc");
    put_file(fs, "taken", "");
    OK(frz__fs_mkdir(fs, "d", &e), &e);
    OK(frz__fs_link(fs, "one", fs, "d/two", &e), &e);
    has_file(fs, "one", "abc");
    has_file(fs, "d/two", "abc");
    FAILS(frz__fs_link(fs, "one", fs, "taken", &e), FRZ_EXISTS, &e);
    FAILS(frz__fs_link(fs, "none", fs, "x", &e), FRZ_NOT_FOUND, &e);
    FAILS(frz__fs_link(fs, "one", fs, "nowhere/x", &e), FRZ_IO, &e); /* what is missing is not FROM */
    assert_false(frz__fs_link(fs, "d", fs, "x", &e) >= 0);
    FAILS(frz__fs_link(fs, "one", fs, "../x", &e), FRZ_INVALID, &e);
    OK(frz__fs_unlink(fs, "one", &e), &e);
    has_file(fs, "d/two", "abc"); /* as long as one name is there */
    OK(frz__fs_open(fs, "d/two", FS_OPEN_READ, &f, &e), &e);
    OK(frz__fs_open(fs, "clone", FS_OPEN_CREATE_NEW, &g, &e), &e);
    int rc = frz__file_clone(f, g, &e);
    if (rc != FRZ_OK) RC(rc, FRZ_UNSUPPORTED, &e);
    OK(frz__file_read(g, 0, got, sizeof got, &n, &e), &e);
    assert_int_equal(n, rc == FRZ_OK ? 3 : 0);
    FAILS(frz__file_clone(g, f, &e), FRZ_MISUSE, &e);
    OK(frz__file_close(f, &e), &e);
    OK(frz__file_close(g, &e), &e);
}
TEST(fs, gives_a_file_a_second_name) { on_each(links); }

static struct fs_stat stat_of(struct fs *fs, const char *path)
{
    frz_error e;
    struct fs_stat st;
    OK(frz__fs_stat(fs, path, &st, &e), &e);
    return st;
}
static void second_names(struct fs *fs)
{
    frz_error e;
    put_file(fs, "f", "one");
    put_file(fs, "other", "two");
    assert_int_equal(stat_of(fs, "f").names, 1);
    OK(frz__fs_link(fs, "f", fs, "g", &e), &e);
    RC(frz__fs_link(fs, "f", fs, "g", &e), FRZ_EXISTS, &e);
    struct fs_stat f = stat_of(fs, "f"), g = stat_of(fs, "g"), other = stat_of(fs, "other");
    assert_true(f.names == 2 && g.names == 2 && other.names == 1);
    assert_true(f.device == g.device && f.inode == g.inode && f.device == other.device && f.inode != other.inode);
    OK(frz__fs_rename(fs, "f", "h", &e), &e); /* the same file */
    assert_true(stat_of(fs, "h").names == 2 && stat_of(fs, "h").inode == g.inode);
    OK(frz__fs_rename(fs, "other", "g", &e), &e); /* one name less */
    assert_true(stat_of(fs, "h").names == 1 && stat_of(fs, "g").inode == other.inode);
    OK(frz__fs_link(fs, "h", fs, "i", &e), &e);
    OK(frz__fs_unlink(fs, "h", &e), &e);
    assert_int_equal(stat_of(fs, "i").names, 1);
}
TEST(fs, counts_a_files_names_and_tells_one_file_from_another)
{
    on_each(second_names);
}

TEST(fs_sub, shows_a_folder_and_nothing_beside_it)
{
    frz_error e;
    struct fs *base, *other, *a, *b;
    OK(frz__fs_mem_new(NULL, &base, &e), &e);
    OK(frz__fs_mem_new(NULL, &other, &e), &e);
    OK(frz__fs_mkdir(base, "a", &e), &e);
    OK(frz__fs_mkdir(base, "a/b", &e), &e);
    put_file(base, "a/b/f", "1");
    FAILS(frz__fs_sub_new(base, "none", &a, &e), FRZ_NOT_FOUND, &e);
    FAILS(frz__fs_sub_new(base, "a/b/f", &a, &e), FRZ_INVALID, &e);
    OK(frz__fs_sub_new(base, "a", &a, &e), &e);
    OK(frz__fs_sub_new(a, "b", &b, &e), &e); /* a folder's folder */
    has_file(a, "b/f", "1");
    has_file(b, "f", "1");
    assert_string_equal(b->root, "/memory/a/b");
    OK(frz__fs_link(b, "f", base, "g", &e), &e); /* in and out of it, and across two */
    OK(frz__fs_link(base, "g", a, "h", &e), &e);
    has_file(a, "h", "1");
    FAILS(frz__fs_link(b, "f", other, "f", &e), FRZ_UNSUPPORTED, &e);
    frz__fs_free(b);
    frz__fs_free(a);
    frz__fs_free(other);
    frz__fs_free(base);
}

TEST(fs_posix, links_from_one_root_to_another_and_says_where_it_can_not)
{
    frz_error e;
    struct fs *from, *to;
    char first[512];
    struct stat a, b;
    begin_posix(&from, 0);
    strcpy(first, dir);
    strcpy(dir, test_tmp_dir("fs2"));
    OK(frz__fs_posix_new(NULL, dir, 0, &to, &e), &e);
    put_file(from, "f", "abc");
    OK(frz__fs_link(from, "f", to, "f", &e), &e);
    has_file(to, "f", "abc");
    char path[600];
    snprintf(path, sizeof path, "%s/f", first);
    assert_int_equal(stat(path, &a), 0);
    assert_int_equal(a.st_nlink, 2);
    snprintf(path, sizeof path, "%s/f", dir);
    assert_int_equal(stat(path, &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    frz__test_fs_posix(FS_TEST_OTHER_DEVICE);
    FAILS(frz__fs_link(from, "f", to, "g", &e), FRZ_UNSUPPORTED, &e);
    end_posix(to);
    frz__fs_free(from);
    test_tmp_remove(first);
}

static void open_while_unlinked(struct fs *fs)
{
    frz_error e;
    struct file *f;
    char back[3];
    put_file(fs, "f", "one");
    OK(frz__fs_open(fs, "f", FS_OPEN_READ, &f, &e), &e);
    OK(frz__fs_unlink(fs, "f", &e), &e);
    put_file(fs, "f", "two");
    OK(frz__file_read_full(f, 0, back, 3, &e), &e);
    assert_memory_equal(back, "one", 3);
    OK(frz__file_close(f, &e), &e);
    has_file(fs, "f", "two");
}
TEST(fs, an_open_file_outlives_its_name) { on_each(open_while_unlinked); }

static void locks(struct fs *fs)
{
    frz_error e;
    struct file *f, *g, *r;
    bool got;
    OK(frz__fs_open(fs, "LOCK", FS_OPEN_APPEND_OR_CREATE, &f, &e), &e);
    OK(frz__fs_open(fs, "LOCK", FS_OPEN_APPEND_OR_CREATE, &g, &e), &e);
    OK(frz__fs_open(fs, "LOCK", FS_OPEN_READ, &r, &e), &e);
    OK(frz__file_lock(f, &got, &e), &e);
    assert_true(got);
    OK(frz__file_lock(f, &got, &e), &e);
    assert_true(got);
    OK(frz__file_lock(g, &got, &e), &e);
    assert_false(got);
    OK(frz__file_is_locked(r, &got, &e), &e);
    assert_true(got);
    OK(frz__file_is_locked(f, &got, &e), &e); /* by another handle */
    assert_false(got);
    OK(frz__file_close(r, &e), &e); /* closing another handle of the file gives nothing up, as POSIX locks would */
    OK(frz__file_lock(g, &got, &e), &e);
    assert_false(got);
    OK(frz__file_close(f, &e), &e);
    OK(frz__fs_open(fs, "LOCK", FS_OPEN_READ, &r, &e), &e);
    OK(frz__file_is_locked(r, &got, &e), &e);
    assert_false(got);
    OK(frz__file_lock(g, &got, &e), &e); /* a look takes nothing */
    assert_true(got);
    OK(frz__file_close(r, &e), &e);
    OK(frz__file_close(g, &e), &e);
}
TEST(fs, hazard_21_a_lock_holds_against_other_handles_of_this_process_and_survives_their_close) { on_each(locks); }

static void whole_files(struct fs *fs)
{
    frz_error e;
    struct buf b = BUF_INIT(NULL, 0);
    put_file(fs, "f", "12345");
    OK(buf_append(&b, "x", 1, &e), &e);
    OK(frz__fs_read_file(fs, "f", 5, &b, &e), &e);
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.data, "x12345", 6);
    FAILS(frz__fs_read_file(fs, "f", 4, &b, &e), FRZ_TOO_LARGE, &e);
    FAILS(frz__fs_read_file(fs, "none", 4, &b, &e), FRZ_NOT_FOUND, &e);
    put_file(fs, "empty", "");
    OK(frz__fs_read_file(fs, "empty", 0, &b, &e), &e);
    assert_int_equal(b.len, 6);
    buf_clear(&b);
}
TEST(fs, reads_whole_files_up_to_a_maximum) { on_each(whole_files); }

struct shared { struct fs *fs; int me; };
static void *work(void *arg)
{
    struct shared *s = arg;
    frz_error e;
    char name[32], to[32];
    struct file *f;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "t%d-%d", s->me, i);
        snprintf(to, sizeof to, "winner-%d", i);
        put_file(s->fs, name, "content");
        int rc = frz__fs_link_new(s->fs, name, to, &e);
        if (rc == FRZ_EXISTS) OK(frz__fs_unlink(s->fs, name, &e), &e);
        else OK(rc, &e);
        OK(frz__fs_open(s->fs, to, FS_OPEN_READ, &f, &e), &e);
        char back[7];
        OK(frz__file_read_full(f, 0, back, 7, &e), &e);
        OK(frz__file_close(f, &e), &e);
        if (rc == FRZ_OK) s->me += 1 << 8;
    }
    return NULL;
}
static void threads(struct fs *fs)
{
    struct shared s[3];
    pthread_t t[3];
    int wins = 0;
    for (int i = 0; i < 3; i++) {
        s[i] = (struct shared){fs, i};
        pthread_create(&t[i], NULL, work, &s[i]);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
        wins += s[i].me >> 8;
    }
    assert_int_equal(wins, 60);
}
TEST(fs, hazard_51_of_many_who_link_one_name_one_wins) { on_each(threads); }

/* ── the real one ── */

TEST(fs_posix, follows_no_symbolic_link)
{
    frz_error e;
    struct fs *fs;
    for (unsigned pretend = 0; pretend <= FS_TEST_NO_OPENAT2; pretend += FS_TEST_NO_OPENAT2) {
        begin_posix(&fs, pretend);
        char out[600], at[700];
        snprintf(out, sizeof out, "%s-outside", dir);
        assert_int_equal(mkdir(out, 0777), 0);
        snprintf(at, sizeof at, "%s/victim", out);
        close(open(at, O_CREAT | O_WRONLY, 0666));
        snprintf(at, sizeof at, "%s/link", dir);
        assert_int_equal(symlink(out, at), 0);
        snprintf(at, sizeof at, "%s/file", dir);
        assert_int_equal(symlink("real", at), 0);
        put_file(fs, "real", "x");
        struct file *f;
        struct fs_stat st;
        FAILS(frz__fs_open(fs, "link/victim", FS_OPEN_READ, &f, &e), FRZ_UNSUPPORTED, &e);
        MESSAGE_HAS(&e, "link/victim");
        MESSAGE_HAS(&e, "symbolic link");
        FAILS(frz__fs_open(fs, "file", FS_OPEN_WRITE, &f, &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_unlink(fs, "link/victim", &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_rename(fs, "real", "link/victim", &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_rename(fs, "link/victim", "x", &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_link_new(fs, "link/victim", "x", &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_link_new(fs, "real", "link/x", &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_mkdir(fs, "link/d", &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_stat(fs, "link/victim", &st, &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_list(fs, "link", NULL, NULL, &e), FRZ_UNSUPPORTED, &e);
        FAILS(frz__fs_sync_dir(fs, "link", SYNC_TEST, &e), FRZ_UNSUPPORTED, &e);
        OK(frz__fs_stat(fs, "link", &st, &e), &e);
        assert_false(st.is_dir); /* itself */
        OK(frz__fs_unlink(fs, "link", &e), &e);
        snprintf(at, sizeof at, "%s/victim", out);
        assert_int_equal(access(at, F_OK), 0);
        test_tmp_remove(out);
        end_posix(fs);
    }
}

TEST(fs_posix, hazard_23_stays_at_its_directory_though_that_is_moved)
{
    frz_error e;
    struct fs *fs;
    begin_posix(&fs, 0);
    put_file(fs, "f", "mine");
    char moved[600];
    snprintf(moved, sizeof moved, "%s-moved", dir);
    assert_int_equal(rename(dir, moved), 0);
    assert_int_equal(mkdir(dir, 0777), 0);
    has_file(fs, "f", "mine");
    OK(frz__fs_unlink(fs, "f", &e), &e);
    test_tmp_remove(moved);
    end_posix(fs);
}

TEST(fs_posix, refuses_what_is_no_regular_file_and_does_not_wait_for_a_pipe)
{
    frz_error e;
    struct fs *fs;
    struct file *f;
    char at[600];
    begin_posix(&fs, 0);
    snprintf(at, sizeof at, "%s/pipe", dir);
    assert_int_equal(mkfifo(at, 0666), 0);
    FAILS(frz__fs_open(fs, "pipe", FS_OPEN_READ, &f, &e), FRZ_UNSUPPORTED, &e);
    FAILS(frz__fs_open(fs, "pipe", FS_OPEN_WRITE, &f, &e), FRZ_UNSUPPORTED, &e);
    end_posix(fs);
}

TEST(fs_posix, makes_its_root_where_asked)
{
    frz_error e;
    struct fs *fs;
    char at[600], file[600];
    strcpy(dir, test_tmp_dir("root"));
    snprintf(at, sizeof at, "%s/new", dir);
    FAILS(frz__fs_posix_new(NULL, at, 0, &fs, &e), FRZ_NOT_FOUND, &e);
    assert_null(fs);
    OK(frz__fs_posix_new(NULL, at, FS_POSIX_CREATE, &fs, &e), &e);
    assert_int_equal(fs->root[0], '/');
    assert_non_null(strstr(fs->root, "/new"));
    put_file(fs, "f", "x");
    frz__fs_free(fs);
    OK(frz__fs_posix_new(NULL, at, FS_POSIX_CREATE, &fs, &e), &e); /* there already */
    has_file(fs, "f", "x");
    frz__fs_free(fs);
    snprintf(file, sizeof file, "%s/f", at);
    FAILS(frz__fs_posix_new(NULL, file, 0, &fs, &e), FRZ_INVALID, &e);
    FAILS(frz__fs_posix_new(NULL, file, FS_POSIX_CREATE, &fs, &e), FRZ_INVALID, &e);
    snprintf(file, sizeof file, "%s/none/new", dir);
    FAILS(frz__fs_posix_new(NULL, file, FS_POSIX_CREATE, &fs, &e), FRZ_IO, &e);
    test_tmp_remove(dir);
}

TEST(fs_posix, hazard_21_writes_on_a_network_file_system_only_when_asked)
{
    frz_error e;
    struct fs *fs;
    struct file *f;
    char at[600];
    begin_posix(&fs, 0);
    put_file(fs, "f", "x");
    frz__fs_free(fs);
    frz__test_fs_posix(FS_TEST_NFS);
    OK(frz__fs_posix_new(NULL, dir, 0, &fs, &e), &e);
    has_file(fs, "f", "x");
    FAILS(frz__fs_open(fs, "f", FS_OPEN_WRITE, &f, &e), FRZ_UNSUPPORTED, &e);
    MESSAGE_HAS(&e, "NFS");
    FAILS(frz__fs_open(fs, "g", FS_OPEN_APPEND_OR_CREATE, &f, &e), FRZ_UNSUPPORTED, &e);
    FAILS(frz__fs_unlink(fs, "f", &e), FRZ_UNSUPPORTED, &e);
    FAILS(frz__fs_mkdir(fs, "d", &e), FRZ_UNSUPPORTED, &e);
    FAILS(frz__fs_rename(fs, "f", "g", &e), FRZ_UNSUPPORTED, &e);
    frz__fs_free(fs);
    OK(frz__fs_posix_new(NULL, dir, FS_POSIX_ALLOW_REMOTE, &fs, &e), &e);
    OK(frz__fs_unlink(fs, "f", &e), &e);
    frz__fs_free(fs);
    snprintf(at, sizeof at, "%s/new", dir);
    FAILS(frz__fs_posix_new(NULL, at, FS_POSIX_CREATE, &fs, &e), FRZ_UNSUPPORTED, &e);
    assert_int_equal(access(at, F_OK), -1); /* nothing is left there */
    OK(frz__fs_posix_new(NULL, at, FS_POSIX_CREATE | FS_POSIX_ALLOW_REMOTE, &fs, &e), &e);
    end_posix(fs);
}

TEST(fs_posix, hazard_51_refuses_to_publish_where_it_could_overwrite)
{
    frz_error e;
    struct fs *fs;
    begin_posix(&fs, FS_TEST_NO_RENAME_NOREPLACE | FS_TEST_NO_LINK);
    put_file(fs, "t", "x");
    FAILS(frz__fs_link_new(fs, "t", "u", &e), FRZ_UNSUPPORTED, &e);
    has_file(fs, "t", "x");
    assert_false(exists(fs, "u"));
    frz__test_fs_posix(FS_TEST_NO_RENAME_NOREPLACE); /* a link whose answer was lost, and that is sent again: ours */
    char from[600], to[600];
    snprintf(from, sizeof from, "%s/t", dir);
    snprintf(to, sizeof to, "%s/u", dir);
    assert_int_equal(link(from, to), 0);
    OK(frz__fs_link_new(fs, "t", "u", &e), &e);
    assert_false(exists(fs, "t"));
    end_posix(fs);
}

TEST(fs_posix, hazard_21_a_lock_holds_against_another_process_and_goes_with_it)
{
    frz_error e;
    struct fs *fs;
    struct file *f;
    bool got;
    int up[2], down[2];
    char c;
    begin_posix(&fs, 0);
    assert_int_equal(pipe(up) | pipe(down), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) { /* a process of its own: it opens anew */
        struct fs *own;
        if (frz__fs_posix_new(NULL, dir, 0, &own, NULL) || frz__fs_open(own, "LOCK", FS_OPEN_APPEND_OR_CREATE, &f, NULL) || frz__file_lock(f, &got, NULL) || !got) _exit(1);
        if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1) _exit(2);
        _exit(0);
    }
    assert_int_equal(read(up[0], &c, 1), 1);
    OK(frz__fs_open(fs, "LOCK", FS_OPEN_APPEND_OR_CREATE, &f, &e), &e);
    OK(frz__file_lock(f, &got, &e), &e);
    assert_false(got);
    assert_int_equal(write(down[1], "x", 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    OK(frz__file_lock(f, &got, &e), &e);
    assert_true(got);
    OK(frz__file_close(f, &e), &e);
    for (int i = 0; i < 2; i++) {
        close(up[i]);
        close(down[i]);
    }
    end_posix(fs);
}

TEST(fs_posix, leaves_no_descriptor_open)
{
    struct fs *fs;
    frz_error e;
    struct file *f;
    struct fs_stat st;
    int before = dup(0);
    close(before);
    begin_posix(&fs, 0);
    moves(fs);
    for (int i = 0; i < 5; i++) {
        RC(frz__fs_open(fs, "d/none", FS_OPEN_READ, &f, &e), FRZ_NOT_FOUND, &e);
        RC(frz__fs_stat(fs, "trash/none", &st, &e), FRZ_NOT_FOUND, &e);
    }
    end_posix(fs);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

TEST(fs, survives_each_failing_allocation)
{
    frz_error e;
    for (int kind = 0; kind < 3; kind++) {
        int rc = FRZ_NO_MEMORY;
        for (long n = 1; rc != FRZ_OK; n++) {
            struct test_alloc a;
            struct fs *fs = NULL;
            struct file *f = NULL;
            test_alloc_init(&a, n);
            strcpy(dir, test_tmp_dir("oom"));
            rc = kind == 0 ? frz__fs_posix_new(&a.vt, dir, 0, &fs, &e) : kind == 1 ? frz__fs_mem_new(&a.vt, &fs, &e) : frz__fs_fault_new(&a.vt, 1, &fs, &e);
            if (rc == FRZ_OK) rc = frz__fs_mkdir(fs, "d", &e);
            if (rc == FRZ_OK) rc = frz__fs_open(fs, "d/f", FS_OPEN_CREATE_NEW, &f, &e);
            if (rc == FRZ_OK) rc = frz__file_write(f, 0, "abc", 3, &e);
            if (rc == FRZ_OK) rc = frz__file_sync(f, SYNC_TEST, &e);
            rc = frz__first(rc, frz__file_close(f, NULL));
            if (rc == FRZ_OK) rc = frz__fs_rename(fs, "d/f", "g", &e);
            if (rc == FRZ_OK) rc = frz__fs_sync_dir(fs, "", SYNC_TEST, &e);
            if (rc == FRZ_OK) rc = frz__fs_list(fs, "", count_names, (char[100]){""}, &e);
            if (rc == FRZ_OK) rc = frz__fs_unlink(fs, "g", &e);
            if (rc == FRZ_OK && kind == 2) {
                struct fs *fresh;
                rc = frz__fs_fault_reboot(fs, 7, &fresh, &e);
                if (rc == FRZ_OK) frz__fs_free(fresh);
            }
            frz__fs_free(fs);
            test_tmp_remove(dir);
            if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &e);
            assert_int_equal(a.live, 0);
        }
    }
}
