/* Goal    a power cut, a death or a full disk at any moment of a backup or a restore leaves what is whole or what is seen to be not: never a bad backup, never a half-restored database that opens, and a source
 *         that is as it was. Each sync of both is needed.
 * Method  a backup and a restore are run with a cut at each change, a death at each call, and no space from each call on; then what is there is looked at as a next process would. */
#include "backup_kit.h"

#define IMAGES 4 /* seeds of what survives a cut */

static void begin(struct bk *k, uint64_t seed)
{
    struct fs *base;
    frz_error e;
    frz__test_clock_rounds_off(true); /* calls are counted */
    OK(frz__fs_fault_new(NULL, seed, &base, &e), &e);
    bk_begin(k, base, seed % 2 ? 3 : 2);
    bk_fill(k, 1, 12);
    OK(frz_db_flush(k->db, &k->e), &k->e);
    bk_fill(k, 2, 8);
    OK(frz_db_flush(k->db, &k->e), &k->e);
    bk_fill(k, 3, 4);
    OK(frz_db_sync(k->db, &k->e), &k->e);
}

/* All that BASE has: each backup by its name is whole, and has the model's state; whoever is cut short can be gone on from. ACKED: so many backups were acknowledged. */
static void look(struct bk *k, struct fs *base, size_t acked, uint64_t seq)
{
    struct backup_names names;
    struct fs *dest, *home;
    frz_error e;
    OK(frz__fs_sub_new(base, "backups", &dest, &e), &e);
    OK(frz__backup_names(dest, NULL, &names, &e), &e);
    assert_true(names.count >= acked);
    for (size_t i = 0; i < names.count; i++) {
        struct backup_manifest m;
        uint64_t findings = 0;
        char name[32];
        struct fs *fs;
        frz__backup_manifest_init(&m, NULL);
        OK(frz__backup_verify(dest, NULL, names.numbers[i], bk_finding, NULL, &m, &findings, &e), &e);
        assert_int_equal(findings, 0);
        assert_int_equal(m.sequence, seq);
        frz__backup_name(name, names.numbers[i], "");
        OK(frz__fs_sub_new(dest, name, &fs, &e), &e);
        bk_holds(k, fs, true, seq);
        frz__fs_free(fs);
        frz__backup_manifest_clear(&m);
    }
    OK(frz__fs_sub_new(base, "home", &home, &e), &e);
    bk_holds(k, home, true, seq);
    struct backup_manifest m; /* the next one clears away what was cut short */
    frz_db *db;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    OK(frz__test_db_open(home, &o, &db, &e), &e);
    const struct backup_request r = {.dest = dest, .dest_root = dest->root};
    frz__backup_manifest_init(&m, NULL);
    OK(frz__backup(db->db, &r, &m, &e), &e);
    assert_int_equal(m.sequence, seq);
    frz__backup_manifest_clear(&m);
    OK(frz_db_close(db, &e), &e);
    frz__backup_names_clear(&names);
    OK(frz__backup_names(dest, NULL, &names, &e), &e);
    assert_int_equal(names.partial_count, 0);
    frz__backup_names_clear(&names);
    frz__fs_free(home);
    frz__fs_free(dest);
}

static uint64_t changes_of_a_backup(uint64_t seed, uint64_t *calls)
{
    struct bk k;
    begin(&k, seed);
    frz__fs_fault_plan(k.base, &(struct fs_fault_plan){0});
    bk_backup(&k, NULL);
    struct fs_fault_counts c = frz__fs_fault_counts(k.base);
    *calls = c.calls;
    bk_end(&k);
    return c.changes;
}

static void cuts(uint64_t seed, uint64_t step)
{
    uint64_t calls, changes = changes_of_a_backup(seed, &calls);
    for (uint64_t at = 1 + seed % step; at <= changes + 3; at += step) {
        struct bk k;
        struct backup_manifest m;
        begin(&k, seed);
        uint64_t seq = k.ops[k.count - 1].batch_end;
        frz__fs_fault_plan(k.base, &(struct fs_fault_plan){.cut_change = at});
        int rc = bk_try_backup(&k, NULL, &m, &k.e);
        frz__backup_manifest_clear(&m);
        frz__fs_fault_cut(k.base);
        for (uint64_t image = 0; image < IMAGES; image++) {
            struct fs *after;
            OK(frz__fs_fault_reboot(k.base, image < 3 ? image : at * 10 + image, &after, &k.e), &k.e);
            look(&k, after, rc == FRZ_OK, seq);
            frz__fs_free(after);
        }
        (void)!frz_db_close(k.db, &k.e);
        k.db = NULL;
        bk_end(&k);
    }
}
TEST(crash_backup, a_power_cut_at_any_change_leaves_no_bad_backup)
{
    cuts(2, 5);
    cuts(3, 7);
}

/* The process dies, or the disk is full, at each call. */
static void stops(uint64_t seed, bool full, uint64_t step)
{
    uint64_t calls;
    (void)changes_of_a_backup(seed, &calls);
    for (uint64_t at = 1 + seed % step; at <= calls + 1; at += step) {
        struct bk k;
        struct backup_manifest m;
        begin(&k, seed);
        uint64_t seq = k.ops[k.count - 1].batch_end;
        if (full)
            frz__fs_fault_plan(k.base, &(struct fs_fault_plan){.fail_call = at, .fail_calls = 100000, .error = FS_FAULT_ENOSPC});
        else
            frz__fs_fault_plan(k.base, &(struct fs_fault_plan){.stop_call = at});
        int rc = bk_try_backup(&k, NULL, &m, &k.e);
        assert_true(rc < 0 || at >= calls);
        frz__backup_manifest_clear(&m);
        (void)!frz_db_close(k.db, &k.e); /* of a dead process it does nothing */
        k.db = NULL;
        frz__fs_fault_plan(k.base, &(struct fs_fault_plan){0});
        look(&k, k.base, rc == FRZ_OK, seq);
        bk_end(&k);
    }
}
TEST(crash_backup, a_death_at_any_call_leaves_no_bad_backup)
{
    stops(2, false, 17);
}
TEST(crash_backup, a_failing_disk_from_any_call_on_leaves_no_bad_backup)
{
    stops(3, true, 17);
}

TEST(crash_backup, a_full_disk_is_told_and_leaves_nothing)
{
    struct bk k;
    struct backup_manifest m;
    struct backup_names names;
    begin(&k, 2);
    uint64_t seq = k.ops[k.count - 1].batch_end;
    frz__fs_fault_plan(k.base, &(struct fs_fault_plan){.no_space = true});
    FAILS(bk_try_backup(&k, NULL, &m, &k.e), FRZ_NO_SPACE, &k.e);
    frz__backup_manifest_clear(&m);
    frz__fs_fault_plan(k.base, &(struct fs_fault_plan){0});
    OK(frz__backup_names(k.dest, NULL, &names, &k.e), &k.e);
    assert_int_equal(names.count + names.partial_count, 0);
    frz__backup_names_clear(&names);
    assert_int_equal(bk_backup(&k, NULL), seq);
    bk_end(&k);
}

/* ── restores ── */

/* What is at "back": whole and right; or refused; or nothing. */
static void look_back(struct bk *k, struct fs *base, bool acked, uint64_t seq)
{
    struct fs *back;
    frz_db *db;
    frz_error e;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    int rc = frz__fs_sub_new(base, "back", &back, &e);
    if (rc == FRZ_NOT_FOUND) {
        assert_false(acked);
        return;
    }
    OK(rc, &e);
    o.read_only = true;
    rc = frz__test_db_open(back, &o, &db, &e);
    if (rc == FRZ_OK) {
        OK(frz_db_close(db, &e), &e);
        bool there;
        OK(frz__fs_exists(back, "main", &there, &e), &e);
        if (acked || there)
            bk_holds(k, back, false, seq); /* an empty .frazil alone is a database of no table: nothing that could be mistaken */
    } else {
        assert_false(acked);
        assert_true(rc == FRZ_UNSUPPORTED || rc == FRZ_NOT_FOUND);
        o.read_only = false;
        rc = frz__test_db_open(back, &o, &db, &e);
        assert_true(rc == FRZ_UNSUPPORTED || rc == FRZ_NOT_FOUND);
    }
    frz__fs_free(back);
}

static uint64_t measure_restore(uint64_t seed, uint64_t *calls)
{
    struct bk k;
    struct restore_result result;
    begin(&k, seed);
    bk_backup(&k, NULL);
    frz__fs_free(bk_folder(&k, "back"));
    frz__fs_fault_plan(k.base, &(struct fs_fault_plan){0});
    OK(bk_try_restore(&k, "back", &(struct restore_request){.copy = seed % 2}, &result, &k.e), &k.e);
    struct fs_fault_counts c = frz__fs_fault_counts(k.base);
    *calls = c.calls;
    bk_end(&k);
    return c.changes;
}

/* As bk_try_restore, but "back" is there, and looking for it is no call. */
static int restore_back(struct bk *k, struct fs *back, bool copy)
{
    struct restore_result result;
    const struct restore_request r = {.backups = k->dest, .dest = back, .dest_root = back->root, .copy = copy};
    return frz__restore(NULL, &r, &result, &k->e);
}

static void restores(uint64_t seed, bool cut, uint64_t step)
{
    uint64_t calls, changes = measure_restore(seed, &calls), end = cut ? changes : calls;
    for (uint64_t at = 1 + seed % step; at <= end + 3; at += step) {
        struct bk k;
        begin(&k, seed);
        uint64_t seq = bk_backup(&k, NULL);
        struct fs *back = bk_folder(&k, "back");
        frz__fs_fault_plan(k.base, cut ? &(struct fs_fault_plan){.cut_change = at} : &(struct fs_fault_plan){.stop_call = at});
        int rc = restore_back(&k, back, seed % 2);
        if (cut) frz__fs_fault_cut(k.base);
        for (uint64_t image = 0; cut && image < IMAGES; image++) {
            struct fs *after;
            OK(frz__fs_fault_reboot(k.base, image < 3 ? image : at * 10 + image, &after, &k.e), &k.e);
            look_back(&k, after, rc == FRZ_OK, seq);
            frz__fs_free(after);
        }
        (void)!frz_db_close(k.db, &k.e);
        k.db = NULL;
        frz__fs_fault_plan(k.base, &(struct fs_fault_plan){0});
        if (!cut) look_back(&k, k.base, rc == FRZ_OK, seq);
        frz__fs_free(back);
        bk_end(&k);
    }
}
TEST(crash_restore, a_power_cut_at_any_change_leaves_no_half_database_that_opens)
{
    restores(2, true, 5);
    restores(3, true, 5);
}
TEST(crash_restore, a_death_at_any_call_leaves_no_half_database_that_opens)
{
    restores(3, false, 13);
}

/* ── the log's archive ── */

/* Everything is acknowledged as durable; the power is cut somewhere; what came back is in the archive, too, once the next process has closed. */
TEST(crash_archive, a_power_cut_at_any_change_leaves_no_gap)
{
    uint64_t changes = 0;
    for (uint64_t at = 0; at == 0 || at <= changes; at += at ? 41 : 7) {
        struct bk k;
        struct fs *base, *after, *home, *dest, *archive;
        struct restore_result result;
        frz_db *db;
        frz_error e;
        frz__test_clock_rounds_off(true);
        OK(frz__fs_fault_new(NULL, 5, &base, &e), &e);
        bk_begin(&k, base, 2);
        (void)bk_backup(&k, NULL);
        bk_close(&k);
        k.archive = bk_folder(&k, "archive");
        k.o.log_archive = k.archive->root;
        k.o.durability = FRZ_SYNC_FULL;
        bk_open(&k);
        OK(frz_db_sync(k.db, &e), &e);
        frz__fs_fault_plan(base, &(struct fs_fault_plan){.cut_change = at});
        struct rng r = {7};
        uint64_t acked = 0;
        int rc = FRZ_OK;
        for (int i = 0; i < 260 && rc == FRZ_OK; i++) {
            rc = bk_write(&k, &r, 12, &e);
            if (rc == FRZ_OK) acked = k.ops[k.count - 1].batch_end;
            if (i % 40 == 39 && rc == FRZ_OK) rc = frz_db_flush(k.db, &e);
            if (i % 40 == 39) frz__archive_tend(k.db->db);
        }
        if (at == 0) changes = frz__fs_fault_counts(base).changes;
        frz__fs_fault_cut(base);
        OK(frz__fs_fault_reboot(base, at % 5, &after, &e), &e);
        (void)!frz_db_close(k.db, &e);
        k.db = NULL;
        OK(frz__fs_sub_new(after, "home", &home, &e), &e);
        OK(frz__fs_sub_new(after, "backups", &dest, &e), &e);
        OK(frz__fs_sub_new(after, "archive", &archive, &e), &e);
        frz_db_options o = FRZ_DB_OPTIONS_INIT;
        OK(frz__test_db_open(home, &o, &db, &e), &e);
        uint64_t last =
            atomic_load(&db->db->seq_visible); /* what came back; the one batch that was cut may be among it, which is not on record */
        assert_true(last >= acked);
        OK(frz_db_close(db, &e), &e);
        int made = frz__fs_mkdir(after, "back", &e);
        assert_true(made >= 0);
        struct fs *back;
        OK(frz__fs_sub_new(after, "back", &back, &e), &e);
        const struct restore_request rr = {.backups = dest, .dest = back, .dest_root = back->root, .to_seq = acked, .archive = archive};
        OK(frz__restore(NULL, &rr, &result, &e), &e);
        bk_holds(&k, back, false, acked);
        frz__fs_free(back);
        frz__fs_free(archive);
        frz__fs_free(dest);
        frz__fs_free(home);
        frz__fs_free(after);
        bk_end(&k);
    }
}

/* ── without one of the syncs ── */

static bool backup_survives(enum sync_site site)
{
    struct bk k;
    struct fs *after, *dest;
    struct backup_manifest m;
    struct backup_names names;
    uint64_t findings = 0;
    begin(&k, 2);
    frz__fs_fault_plan(k.base, &(struct fs_fault_plan){.ignore_site = site});
    bk_backup(&k, &(struct backup_request){.copy = true});
    if (site) assert_true(frz__fs_fault_counts(k.base).site[site] > 0);
    OK(frz__fs_fault_reboot(k.base, 0, &after, &k.e), &k.e);
    OK(frz__fs_sub_new(after, "backups", &dest, &k.e), &k.e);
    OK(frz__backup_names(dest, NULL, &names, &k.e), &k.e);
    frz__backup_manifest_init(&m, NULL);
    bool good = names.count == 1 && frz__backup_verify(dest, NULL, 1, NULL, NULL, &m, &findings, &k.e) == FRZ_OK && findings == 0;
    frz__backup_manifest_clear(&m);
    frz__backup_names_clear(&names);
    frz__fs_free(dest);
    frz__fs_free(after);
    bk_end(&k);
    return good;
}

static bool restore_survives(enum sync_site site)
{
    bool good = true;
    uint64_t calls, changes = measure_restore(3, &calls);
    for (uint64_t at = 1; at <= changes && good; at++) {
        struct bk k;
        begin(&k, 3);
        uint64_t want[2];
        (void)bk_backup(&k, NULL);
        for (int i = 0; i < 2; i++) OK(frz_count(k.t[i], NULL, &want[i], &k.e), &k.e);
        struct fs *back = bk_folder(&k, "back"), *after, *there;
        frz_db *db;
        frz_db_options o = FRZ_DB_OPTIONS_INIT;
        o.read_only = true;
        frz__fs_fault_plan(k.base, &(struct fs_fault_plan){.cut_change = at, .ignore_site = site});
        int rc = restore_back(&k, back, true);
        frz__fs_fault_cut(k.base);
        for (uint64_t image = 0; image < 8 && good && rc != FRZ_OK; image++) { /* one that opens has all of its tables */
            OK(frz__fs_fault_reboot(k.base, image, &after, &k.e), &k.e);
            OK(frz__fs_sub_new(after, "back", &there, &k.e), &k.e);
            if (frz__test_db_open(there, &o, &db, &k.e) == FRZ_OK) {
                frz_table *t = NULL;
                uint64_t n = 0;
                for (int i = 0; i < 2 && good && db->db->table_count > 0; i++) {
                    good = frz_table_open(db, bk_names[i], &t, &k.e) == FRZ_OK && frz_count(t, NULL, &n, &k.e) == FRZ_OK && n == want[i];
                    frz_table_close(t);
                    t = NULL;
                }
                OK(frz_db_close(db, &k.e), &k.e);
            }
            frz__fs_free(there);
            frz__fs_free(after);
        }
        (void)!frz_db_close(k.db, &k.e);
        k.db = NULL;
        frz__fs_free(back);
        bk_end(&k);
    }
    return good;
}

static int count_ops(void *ctx, uint64_t segment, uint64_t base_seq, uint32_t ops, slice bytes, frz_error *err)
{
    *(uint64_t *)ctx += ops;
    return FRZ_OK;
}
/* A log in one file system and its archive in another: copied, not linked. */
static bool archive_survives(enum sync_site site)
{
    struct fs *fs, *archive, *after;
    frz_error e;
    struct wal *w;
    struct wal_report report = {0};
    uint64_t segment = 0, lacks = 0, ops = 0;
    static const char payload[4000] = "x";
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    OK(frz__fs_fault_new(NULL, 1, &archive, &e), &e);
    OK(frz__fs_mkdir(archive, "log", &e), &e);
    OK(frz__fs_sync_dir(archive, "", SYNC_TEST, &e), &e);
    struct fs *folder;
    OK(frz__fs_sub_new(archive, "log", &folder, &e), &e);
    frz__fs_fault_plan(archive, &(struct fs_fault_plan){.ignore_site = site});
    const struct wal_options o = {
        .dir = "wal", .log_uuid = {1, 2, 3}, .writer_epoch = 1, .segment_bytes = (uint64_t)64 << 10, .recycle_max = 2, .archive = folder};
    OK(frz__wal_open(fs, &o, &report, 1, NULL, 0, &w, &e), &e);
    const slice one = slice_of(payload, sizeof payload);
    for (uint64_t seq = 1; seq <= 100; seq++) OK(frz__wal_append(w, seq, 1, &one, 1, &segment, &e), &e);
    OK(frz__wal_sync(w, &e), &e);
    assert_true(frz__wal_archive_due(w));
    OK(frz__wal_archive(w, true, &e), &e);
    OK(frz__wal_release(w, segment, &e), &e);
    OK(frz__wal_recycle(w, &e), &e);
    OK(frz__wal_close(w, &e), &e);
    OK(frz__fs_fault_reboot(archive, 0, &after, &e), &e);
    const struct wal_visitor v = {.ctx = &ops, .group = count_ops};
    bool good = frz__wal_read_archive(NULL, NULL, after, "log", 1, &v, &report, &lacks, &e) == FRZ_OK && ops == 100 && lacks == 0;
    frz__fs_free(after);
    frz__fs_free(folder);
    frz__fs_free(archive);
    frz__fs_free(fs);
    return good;
}

static bool place_survives(enum sync_site site)
{
    struct fs *base, *after;
    frz_error e;
    struct bk k;
    bool there;
    OK(frz__fs_fault_new(NULL, 5, &base, &e), &e);
    bk_begin(&k, base, 2);
    bk_close(&k);
    k.archive = bk_folder(&k, "archive");
    k.o.log_archive = k.archive->root;
    frz__fs_fault_plan(base, &(struct fs_fault_plan){.ignore_site = site});
    bk_open(&k);
    OK(frz__fs_fault_reboot(base, 0, &after, &e), &e);
    OK(frz__fs_exists(after, "home/.frazil/ARCHIVE", &there, &e), &e);
    struct buf text = BUF_INIT(NULL, 0);
    if (there) OK(frz__fs_read_file(after, "home/.frazil/ARCHIVE", 4096, &text, &e), &e);
    there = there && text.len == strlen(k.archive->root);
    buf_clear(&text);
    frz__fs_free(after);
    bk_end(&k);
    return there;
}

TEST(sync_left_out, of_backups_restores_and_archives_each_is_missed)
{
    static bool (*const survives[])(enum sync_site) = {
        [SYNC_BACKUP_FILE] = backup_survives,  [SYNC_BACKUP_DIR] = backup_survives,    [SYNC_BACKUP_LIST] = backup_survives,
        [SYNC_BACKUP_NAME] = backup_survives,  [SYNC_RESTORE_MARK] = restore_survives, [SYNC_ARCHIVE_SEGMENT] = archive_survives,
        [SYNC_ARCHIVE_PLACE] = place_survives, [SYNC_ARCHIVE_DIR] = archive_survives,
    };
    for (size_t site = SYNC_TEST + 1; site < SYNC_SITE_COUNT; site++) {
        assert_true(survives[site](SYNC_NONE));
        if (survives[site]((enum sync_site)site)) fail_msg("sync site %zu is not needed", site);
    }
}
