/* Goal    what befalls a backup, its neighbours, the archive or the clock does not spoil a good one: damage stays where it is, nothing that is needed goes, a moment is never passed.
 * Method  the list of all writes of backup_kit.h; one thing is spoilt at a time, in memory, on a real file system where links matter. */
#include <sys/stat.h>
#include <unistd.h>

#include "backup_kit.h"

static void begin_on(struct bk *k, struct fs *base)
{
    bk_begin(k, base, 2);
    bk_close(k);
    k->archive = bk_folder(k, "archive");
    k->o.log_archive = k->archive->root;
    bk_open(k);
}
static void begin_archived(struct bk *k)
{
    struct fs *base;
    frz_error e;
    OK(frz__fs_mem_new(NULL, &base, &e), &e);
    begin_on(k, base);
}
static uint64_t last_of(const struct bk *k)
{
    return k->ops[k->count - 1].batch_end;
}

/* ── the archive ── */

struct total {
    struct fs *fs;
    uint32_t crc;
    size_t files;
};
static int add_up(void *ctx, const char *path, bool is_dir, frz_error *err)
{
    struct total *t = (struct total *)ctx;
    struct ship_copier c;
    uint64_t bytes;
    uint32_t crc;
    if (is_dir) return FRZ_OK;
    frz__ship_copier_init(&c, NULL, NULL, NULL);
    OK(frz__ship_sum(&c, t->fs, path, &bytes, &crc, err), err);
    frz__ship_copier_clear(&c);
    t->crc += crc * (uint32_t)strtoul(strrchr(path, '/') + 1, NULL, 10); /* whatever the order */
    t->files++;
    return FRZ_OK;
}
static struct total total_of(struct bk *k)
{
    struct total t = {.fs = k->archive};
    OK(frz__ship_walk(k->archive, NULL, "", add_up, &t, &k->e), &k->e);
    return t;
}

TEST(log_archive, that_is_left_or_moved_keeps_every_byte_and_is_restored_to_its_end)
{
    for (int moved = 0; moved < 2; moved++) {
        struct bk k;
        struct restore_result result;
        struct fs *base, *other;
        char home[400];
        snprintf(home, sizeof home, "%s", test_tmp_dir("left"));
        OK(frz__fs_posix_new(NULL, home, 0, &base, &k.e), &k.e);
        begin_on(&k, base);
        bk_backup(&k, NULL);
        bk_fill(&k, 1, 700);
        uint64_t last = last_of(&k);
        bk_close(&k);
        struct total before = total_of(&k);
        assert_true(before.files > 3);
        other = bk_folder(&k, "other");
        k.o.log_archive = moved ? other->root : "";
        frz__test_fs_posix(moved ? FS_TEST_OTHER_DEVICE : 0);
        bk_open(&k);
        for (uint64_t i = 0; i < 4; i++) {
            bk_fill(&k, 2 + i, 200);
            OK(frz_db_flush(k.db, &k.e), &k.e);
        }
        bk_close(&k);
        frz__test_fs_posix(0);
        struct total after = total_of(&k);
        assert_int_equal(after.files, before.files);
        assert_int_equal(after.crc, before.crc);
        OK(bk_try_restore(&k, "back", &(struct restore_request){.to_end = true, .archive = k.archive}, &result, &k.e), &k.e);
        assert_int_equal(result.sequence, last);
        struct fs *fs = bk_folder(&k, "back");
        bk_holds(&k, fs, true, last);
        frz__fs_free(fs);
        frz__fs_free(other);
        bk_end(&k);
        test_tmp_remove(home);
    }
}

/* ── what keeping the newest removes ── */

static size_t backups_of(struct bk *k)
{
    struct backup_names names;
    OK(frz__backup_names(k->dest, NULL, &names, &k->e), &k->e);
    size_t n = names.count;
    frz__backup_names_clear(&names);
    return n;
}
static void put_text(struct bk *k, const char *path, const char *text)
{
    struct file *f;
    OK(frz__fs_open(k->dest, path, FS_OPEN_CREATE_NEW, &f, &k->e), &k->e);
    OK(frz__file_write(f, 0, text, strlen(text), &k->e), &k->e);
    OK(frz__file_close(f, &k->e), &k->e);
}
TEST(backup_keep, removes_nothing_while_one_that_stays_can_not_be_read)
{
    struct bk k;
    struct restore_result result;
    uint64_t removed = 9;
    begin_archived(&k);
    for (uint64_t i = 0; i < 3; i++) {
        bk_fill(&k, i, 300);
        bk_backup(&k, NULL);
    }
    bk_fill(&k, 9, 100);
    uint64_t last = last_of(&k);
    bk_close(&k);
    struct total before = total_of(&k);
    OK(frz__fs_rename(k.dest, "000002/BACKUP", "000002/kept", &k.e), &k.e);
    OK(frz__fs_mkdir(k.dest, "000002/BACKUP", &k.e), &k.e); /* a read of it fails */
    FAILS(frz__backup_purge(k.dest, NULL, 2, k.archive, &removed, &k.e), FRZ_IO, &k.e);
    MESSAGE_HAS(&k.e, "backup 2");
    OK(frz__fs_rmdir(k.dest, "000002/BACKUP", &k.e), &k.e);
    put_text(&k, "000002/BACKUP", "frazil-backup 99\n"); /* of a later version */
    FAILS(frz__backup_purge(k.dest, NULL, 2, k.archive, &removed, &k.e), FRZ_NEWER_FORMAT, &k.e);
    assert_int_equal(removed, 0);
    assert_int_equal(backups_of(&k), 3);
    assert_int_equal(total_of(&k).files, before.files);
    OK(frz__fs_rename(k.dest, "000002/kept", "000002/BACKUP", &k.e), &k.e);
    OK(frz__backup_purge(k.dest, NULL, 2, k.archive, &removed, &k.e), &k.e);
    assert_int_equal(removed, 1);
    assert_true(total_of(&k).files < before.files);
    OK(bk_try_restore(&k, "back", &(struct restore_request){.number = 2, .to_end = true, .archive = k.archive}, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, last);
    OK(frz__fs_unlink(k.dest, "000002/BACKUP", &k.e), &k.e); /* one that is no backup any more needs nothing */
    put_text(&k, "000002/BACKUP", "torn");
    OK(frz__backup_purge(k.dest, NULL, 1, k.archive, &removed, &k.e), &k.e);
    assert_int_equal(removed, 1);
    OK(bk_try_restore(&k, "again", &(struct restore_request){.to_end = true, .archive = k.archive}, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, last);
    bk_end(&k);
}

/* ── the clock ── */

#define HOUR_NS ((int64_t)3600 * 1000000000)
TEST(point_in_time, a_backup_taken_after_the_clock_was_set_back_is_not_taken_for_an_older_one)
{
    for (int reading = 0; reading < 2; reading++) {
        struct bk k;
        struct restore_result result;
        struct backup_manifest m;
        begin_archived(&k);
        bk_fill(&k, 1, 20);
        uint64_t early = bk_backup(&k, NULL), seq = last_of(&k);
        assert_int_equal(early, seq);
        frz__test_clock_advance_ns(HOUR_NS);
        int64_t between = frz__clock_wall_us() - HOUR_NS / 2000;
        bk_fill(&k, 2, 20); /* from the future */
        int64_t future = frz__clock_wall_us();
        frz__test_clock_advance_ns(-HOUR_NS);
        frz_db *reader = NULL, *own = k.db;
        if (reading) {
            frz_db_options o = FRZ_DB_OPTIONS_INIT;
            o.read_only = true;
            OK(frz__test_db_open(k.home, &o, &reader, &k.e), &k.e);
            k.db = reader;
        }
        OK(bk_try_backup(&k, NULL, &m, &k.e), &k.e);
        k.db = own;
        if (reader) OK(frz_db_close(reader, &k.e), &k.e);
        assert_int_equal(m.sequence, last_of(&k));
        assert_true(m.time_us > between && m.time_us <= future);
        frz__backup_manifest_clear(&m);
        bk_close(&k);
        OK(bk_try_restore(&k, "then", &(struct restore_request){.to_time_us = between, .archive = k.archive}, &result, &k.e), &k.e);
        assert_true(result.number == 1 && result.sequence == seq && result.time_us <= between);
        struct fs *fs = bk_folder(&k, "then");
        bk_holds(&k, fs, true, seq);
        frz__fs_free(fs);
        bk_end(&k);
    }
}

/* ── damage of an earlier backup ── */

struct heard {
    unsigned warnings;
    char last[400];
};
static void on_log(void *ctx, int level, const char *message)
{
    struct heard *h = (struct heard *)ctx;
    if (level > FRZ_LOG_WARN || !strstr(message, "damaged")) return;
    h->warnings++;
    snprintf(h->last, sizeof h->last, "%s", message);
}

enum damage { NONE, FLIPPED, EMPTY, SHORT, MISSING, A_FOLDER, DAMAGES };
/* PATH of the earlier backup, as a file of its own: what the database has stays as it is. */
static void spoil(struct bk *k, const char *path, enum damage how)
{
    struct buf b = BUF_INIT(NULL, 0);
    struct file *f;
    OK(frz__fs_read_file(k->dest, path, 1 << 20, &b, &k->e), &k->e);
    OK(frz__fs_unlink(k->dest, path, &k->e), &k->e);
    if (how == A_FOLDER) OK(frz__fs_mkdir(k->dest, path, &k->e), &k->e);
    if (how == FLIPPED) b.data[b.len / 2] ^= 4;
    if (how != MISSING && how != A_FOLDER) {
        OK(frz__fs_open(k->dest, path, FS_OPEN_CREATE_NEW, &f, &k->e), &k->e);
        OK(frz__file_write(f, 0, b.data, how == EMPTY ? 0 : how == SHORT ? b.len - 1 : b.len, &k->e), &k->e);
        OK(frz__file_close(f, &k->e), &k->e);
    }
    buf_clear(&b);
}
static int note_shared(void *ctx, const frz_backup_progress *p)
{
    *(uint64_t *)ctx = p->files_shared;
    return 0;
}
/* COPIED: the earlier one has bytes of its own; else it has the database's files by links. */
static void beside_damage(enum damage how, bool copied)
{
    struct bk k;
    struct heard h = {0};
    struct backup_manifest first, second, m;
    struct restore_result result;
    uint64_t shared = 0, findings = 0, data = 0, removed = 0;
    char path[300] = "";
    bk_begin_mem(&k, 3);
    bk_close(&k);
    k.o.no_compaction = true;
    k.o.log = on_log;
    k.o.log_ctx = &h;
    bk_open(&k);
    bk_fill(&k, 1, 60);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    OK(bk_try_backup(&k, &(struct backup_request){.copy = copied}, &first, &k.e), &k.e);
    for (size_t i = 0; i < first.count; i++) {
        if (!strstr(first.files[i].path, ".parquet")) continue;
        if (data++ == 0) snprintf(path, sizeof path, "000001/%s", first.files[i].path);
    }
    assert_true(data >= 2);
    if (how != NONE) spoil(&k, path, how);
    OK(bk_try_backup(&k, &(struct backup_request){.progress = note_shared, .ctx = &shared}, &second, &k.e), &k.e);
    assert_int_equal(shared, how == NONE ? data : data - 1);
    assert_int_equal(h.warnings, how != NONE);
    if (how != NONE) assert_non_null(strstr(h.last, path));
    for (size_t i = 0; i < second.count && how != NONE; i++)
        if (strcmp(second.files[i].path, path + 7) == 0) assert_true(second.bytes_new >= second.files[i].bytes);
    frz__backup_manifest_init(&m, NULL);
    OK(frz__backup_verify(k.dest, NULL, 2, bk_finding, NULL, &m, &findings, &k.e), &k.e);
    frz__backup_manifest_clear(&m);
    OK(frz__backup_purge(k.dest, NULL, 1, NULL, &removed, &k.e), &k.e);
    OK(bk_try_restore(&k, "back", NULL, &result, &k.e), &k.e);
    struct fs *fs = bk_folder(&k, "back");
    bk_holds(&k, fs, true, last_of(&k));
    frz__fs_free(fs);
    frz__backup_manifest_clear(&first);
    frz__backup_manifest_clear(&second);
    bk_end(&k);
}
TEST(backup, is_whole_whatever_has_become_of_the_one_before_which_is_named)
{
    for (enum damage how = NONE; how < DAMAGES; how++) {
        beside_damage(how, true);
        beside_damage(how, false);
    }
}

TEST(backup, that_is_to_copy_shares_nothing_with_the_one_before_and_the_next_shares_with_it)
{
    struct bk k;
    struct backup_manifest m[3];
    bk_begin_mem(&k, 3);
    bk_fill(&k, 1, 60);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    for (int i = 0; i < 3; i++) OK(bk_try_backup(&k, &(struct backup_request){.copy = i < 2}, &m[i], &k.e), &k.e);
    assert_true(m[1].files_new == m[1].count && m[2].files_new < m[2].count);
    for (size_t i = 0; i < m[0].count; i++) {
        struct fs_stat st[3], home;
        char path[300];
        if (!strstr(m[0].files[i].path, ".parquet")) continue;
        for (int b = 0; b < 3; b++) {
            snprintf(path, sizeof path, "00000%d/%s", b + 1, m[0].files[i].path);
            OK(frz__fs_stat(k.dest, path, &st[b], &k.e), &k.e);
        }
        OK(frz__fs_stat(k.home, m[0].files[i].path, &home, &k.e), &k.e);
        assert_true(home.names == 1 && st[0].names == 1 && st[1].names == 2 && st[2].inode == st[1].inode);
    }
    for (int i = 0; i < 3; i++) frz__backup_manifest_clear(&m[i]);
    bk_end(&k);
}

/* ── places ── */

static int no_info(void *ctx, const frz_backup_info *info)
{
    (void)ctx, (void)info;
    return 0;
}
TEST(backup, neither_goes_nor_comes_back_into_another_warehouse)
{
    char home[400], dest[500], one[500], path[600];
    frz_error e;
    frz_db *db, *other;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    static const char *const inside[] = {"x", "main/t/data/x", ".frazil/x", "main"};
    snprintf(home, sizeof home, "%s", test_tmp_dir("inside"));
    snprintf(dest, sizeof dest, "%s/b", home);
    snprintf(one, sizeof one, "%s/one", home);
    snprintf(path, sizeof path, "%s/other", home);
    o.create = true;
    OK(frz_db_open(one, &o, &db, &e), &e);
    OK(frz_db_open(path, &o, &other, &e), &e);
    OK(frz_db_close(other, &e), &e);
    OK(frz_db_backup(db, dest, NULL, NULL, &e), &e);
    FAILS(frz_db_backup(db, path, NULL, NULL, &e), FRZ_INVALID, &e); /* the other itself */
    MESSAGE_HAS(&e, "other: a backup goes elsewhere");
    snprintf(path, sizeof path, "%s/other/main/t/data", home);
    for (char *slash = strchr(path + strlen(home) + 7, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0777);
        *slash = '/';
    }
    assert_int_equal(mkdir(path, 0777), 0);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(inside); i++) {
        snprintf(path, sizeof path, "%s/other/%s", home, inside[i]);
        bool there = access(path, F_OK) == 0;
        FAILS(frz_restore(dest, path, NULL, NULL, &e), FRZ_INVALID, &e);
        MESSAGE_HAS(&e, "other: a restore goes elsewhere");
        FAILS(frz_db_backup(db, path, NULL, NULL, &e), FRZ_INVALID, &e);
        assert_int_equal(access(path, F_OK) == 0, there);
    }
    uint64_t removed = 0;
    FAILS(frz_backup_list(home, no_info, NULL, &e), FRZ_NOT_FOUND, &e); /* no place of backups */
    MESSAGE_HAS(&e, "has no backup");
    FAILS(frz_backup_purge(home, 1, &removed, &e), FRZ_NOT_FOUND, &e);
    snprintf(path, sizeof path, "%s/LOCK", home);
    assert_int_equal(access(path, F_OK), -1);
    OK(frz_backup_list(dest, no_info, NULL, &e), &e);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(home);
}
