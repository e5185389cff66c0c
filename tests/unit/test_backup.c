/* Goal    a backup is the whole database at one sequence, a warehouse of its own; what is wrong with one is found and named; a restore brings it back, and nowhere else than asked.
 * Method  a list of all writes tells what the tables hold at any sequence (backup_kit.h); file systems in memory, and real ones for links. */
#include <unistd.h>

#include "backup_kit.h"

static void for_each_format(void (*fn)(int format))
{
    for (int format = 2; format <= 3; format++) fn(format);
}

static void whole(int format)
{
    struct bk k;
    struct restore_result result;
    bk_begin_mem(&k, format);
    bk_fill(&k, 1, 60);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    bk_fill(&k, 2, 40); /* masks and new files beside old ones */
    OK(frz_table_flush(k.t[0], &k.e), &k.e);
    bk_fill(&k, 3, 25); /* in the log alone, of one table more than of the other */
    uint64_t seq = bk_backup(&k, NULL);
    assert_int_equal(seq, k.ops[k.count - 1].batch_end);
    bk_fill(&k, 4, 30); /* after it */
    struct fs *fs = bk_backup_fs(&k, 1);
    bk_holds(&k, fs, true, seq);
    frz_db *db;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    FAILS(frz__test_db_open(fs, &o, &db, &k.e), FRZ_UNSUPPORTED, &k.e); /* it is not written to */
    MESSAGE_HAS(&k.e, "is a backup");
    frz__fs_free(fs);
    OK(bk_try_restore(&k, "back", NULL, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, seq);
    assert_int_equal(result.number, 1);
    fs = bk_folder(&k, "back");
    bk_holds(&k, fs, false, seq);
    bk_holds(&k, fs, true, seq); /* its own second opening */
    frz__fs_free(fs);
    uint64_t last = k.ops[k.count - 1].batch_end;
    bk_close(&k);
    bk_holds(&k, k.home, true, last); /* the source is as it was */
    bk_end(&k);
}
TEST(backup, is_the_whole_database_at_one_sequence_and_comes_back)
{
    for_each_format(whole);
}

/* ── what it shares ── */

TEST(backup, of_files_that_an_earlier_one_has_it_takes_none_again)
{
    struct bk k;
    struct backup_manifest first, second;
    bk_begin_mem(&k, 3);
    bk_fill(&k, 1, 300);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    OK(bk_try_backup(&k, NULL, &first, &k.e), &k.e);
    assert_int_equal(first.files_new, first.count);
    bk_fill(&k, 2, 1);
    OK(bk_try_backup(&k, NULL, &second, &k.e), &k.e);
    uint64_t data = 0, shared = 0;
    for (size_t i = 0; i < second.count; i++) {
        const struct backup_file *old = frz__backup_manifest_find(&first, second.files[i].path);
        data += strstr(second.files[i].path, ".parquet") != NULL;
        shared += strstr(second.files[i].path, ".parquet") && old && old->crc == second.files[i].crc;
    }
    assert_true(shared > 0 && shared >= data - 2); /* but for what the new rows made of each table */
    assert_true(second.bytes_new < frz__backup_manifest_bytes(&second));
    struct fs *fs = bk_backup_fs(&k, 1);
    uint64_t removed = 0, findings = 0, seq = second.sequence;
    frz__fs_free(fs);
    OK(frz__backup_purge(k.dest, NULL, 1, NULL, &removed, &k.e), &k.e); /* what it shared stays */
    assert_int_equal(removed, 1);
    fs = bk_backup_fs(&k, 2);
    bk_holds(&k, fs, true, seq);
    frz__fs_free(fs);
    frz__backup_manifest_clear(&first);
    OK(frz__backup_verify(k.dest, NULL, 2, NULL, NULL, &first, &findings, &k.e), &k.e);
    assert_int_equal(findings, 0);
    frz__backup_manifest_clear(&first);
    frz__backup_manifest_clear(&second);
    bk_end(&k);
}

static uint64_t count_links(const char *root, uint64_t *files)
{
    char command[700], line[64];
    uint64_t linked = 0;
    snprintf(command, sizeof command, "find '%s' -name '*.parquet' -printf '%%n\n'", root);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    for (*files = 0; fgets(line, sizeof line, f); ++*files) linked += atoi(line) > 1;
    assert_int_equal(pclose(f), 0);
    return linked;
}
TEST(backup, links_files_on_one_file_system_and_copies_them_where_it_can_not_or_shall_not)
{
    char home[400], dest[500], back[500];
    frz_error e;
    for (int way = 0; way < 3; way++) { /* linked, asked to copy, on another device */
        frz_db *db;
        frz_table *t;
        frz_schema *s;
        frz_row *row;
        uint64_t files = 0, findings = 1, n = 0;
        frz_db_options o = FRZ_DB_OPTIONS_INIT;
        frz_backup_options bo = FRZ_BACKUP_OPTIONS_INIT;
        frz_restore_options ro = FRZ_RESTORE_OPTIONS_INIT;
        frz_backup_info info = FRZ_INIT(frz_backup_info);
        frz_restore_info restored = FRZ_INIT(frz_restore_info);
        snprintf(home, sizeof home, "%s", test_tmp_dir("bk"));
        snprintf(dest, sizeof dest, "%s/to", home);
        snprintf(back, sizeof back, "%s/back", home);
        o.create = true;
        char wh[500];
        snprintf(wh, sizeof wh, "%s/wh", home);
        OK(frz_db_open(wh, &o, &db, &e), &e);
        OK(frz_schema_parse("id long", "id", &s, &e), &e);
        OK(frz_table_create(db, "t", s, NULL, &t, &e), &e);
        frz_schema_free(s);
        for (int64_t i = 0; i < 100; i++) {
            OK(frz_row_new(t, &row, &e), &e);
            OK(frz_row_set_long(row, 0, i, &e), &e);
            const frz_write_options w = {.struct_size = sizeof w, .durability = FRZ_SYNC_OFF};
            OK(frz_put(t, row, &w, &e), &e);
            frz_row_free(row);
        }
        OK(frz_table_flush(t, &e), &e);
        bo.copy = ro.copy = way == 1;
        if (way == 2) frz__test_fs_posix(FS_TEST_OTHER_DEVICE);
        OK(frz_db_backup(db, dest, &bo, &info, &e), &e);
        OK(frz_db_backup(db, dest, &bo, &info, &e), &e);
        assert_int_equal(info.number, 2);
        OK(frz_restore(dest, back, &ro, &restored, &e), &e);
        frz__test_fs_posix(0);
        uint64_t linked = count_links(dest, &files);
        assert_int_equal(files, 2);
        assert_int_equal(linked, way == 0 ? 2 : 0);
        OK(frz_backup_verify(dest, 0, NULL, NULL, &findings, NULL, &e), &e);
        assert_int_equal(findings, 0);
        OK(frz_db_close(db, &e), &e);
        OK(frz_db_open(back, NULL, &db, &e), &e);
        OK(frz_table_open(db, "t", &t, &e), &e);
        OK(frz_count(t, NULL, &n, &e), &e);
        assert_int_equal(n, 100);
        OK(frz_db_close(db, &e), &e);
        test_tmp_remove(home);
    }
}

/* ── what is refused ── */

TEST(backup, goes_nowhere_into_its_warehouse_and_comes_back_to_no_place_that_is_taken)
{
    char home[400], path[500];
    frz_error e;
    frz_db *db;
    frz_backup_info info = FRZ_INIT(frz_backup_info);
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    snprintf(home, sizeof home, "%s", test_tmp_dir("bkno"));
    snprintf(path, sizeof path, "%s/wh", home);
    o.create = true;
    OK(frz_db_open(path, &o, &db, &e), &e);
    static const char *const inside[] = {"wh", "wh/x", "wh/.frazil/b", "wh/../wh/y", "wh/"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(inside); i++) {
        snprintf(path, sizeof path, "%s/%s", home, inside[i]);
        FAILS(frz_db_backup(db, path, NULL, NULL, &e), FRZ_INVALID, &e);
        MESSAGE_HAS(&e, "in the warehouse");
    }
    FAILS(frz_db_backup(db, "", NULL, NULL, &e), FRZ_INVALID, &e);
    snprintf(path, sizeof path, "%s/no/such", home);
    FAILS(frz_db_backup(db, path, NULL, NULL, &e), FRZ_IO, &e);
    char dest[500];
    snprintf(dest, sizeof dest, "%s/b", home);
    OK(frz_db_backup(db, dest, NULL, &info, &e), &e); /* of no table */
    assert_int_equal(info.tables, 0);
    snprintf(path, sizeof path, "%s/wh", home);
    FAILS(frz_restore(dest, path, NULL, NULL, &e), FRZ_INVALID, &e); /* a living one */
    MESSAGE_HAS(&e, "is a database");
    FAILS(frz_restore(dest, home, NULL, NULL, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "not empty");
    snprintf(path, sizeof path, "%s/000001", dest);
    FAILS(frz_restore(dest, path, NULL, NULL, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "among the backups");
    snprintf(path, sizeof path, "%s/new", home);
    const frz_restore_options ninth = {.struct_size = sizeof ninth, .number = 9};
    FAILS(frz_restore(dest, path, &ninth, NULL, &e), FRZ_NOT_FOUND, &e);
    const frz_restore_options both = {.struct_size = sizeof both, .to_sequence = 9, .to_end = true};
    FAILS(frz_restore(dest, path, &both, NULL, &e), FRZ_INVALID, &e);
    FAILS(frz_backup_verify(dest, 9, NULL, NULL, NULL, NULL, &e), FRZ_NOT_FOUND, &e);
    FAILS(frz_backup_purge(dest, 0, NULL, &e), FRZ_INVALID, &e);
    OK(frz_restore(dest, path, NULL, NULL, &e), &e);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(home);
}

struct second {
    struct bk *k;
    int rc;
    frz_error e;
    bool tried;
};
static int try_second(void *ctx, const frz_backup_progress *p)
{
    struct second *s = (struct second *)ctx;
    struct backup_manifest m;
    if (s->tried) return 0;
    s->tried = true;
    s->rc = bk_try_backup(s->k, NULL, &m, &s->e);
    frz__backup_manifest_clear(&m);
    return 0;
}
TEST(backup, of_two_at_once_to_one_place_the_second_is_told)
{
    struct bk k;
    bk_begin_mem(&k, 2);
    bk_fill(&k, 1, 20);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    struct second s = {.k = &k};
    bk_backup(&k, &(struct backup_request){.progress = try_second, .ctx = &s});
    assert_true(s.tried);
    RC(s.rc, FRZ_BUSY, &s.e);
    bk_backup(&k, NULL);
    bk_end(&k);
}

static int cancel(void *ctx, const frz_backup_progress *p)
{
    return --*(int *)ctx <= 0;
}
TEST(backup, that_is_cancelled_leaves_nothing)
{
    struct bk k;
    bk_begin_mem(&k, 2);
    bk_fill(&k, 1, 40);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    for (int after = 1;; after++) {
        struct backup_manifest m;
        struct backup_names names;
        int left = after;
        int rc = bk_try_backup(&k, &(struct backup_request){.progress = cancel, .ctx = &left}, &m, &k.e);
        frz__backup_manifest_clear(&m);
        OK(frz__backup_names(k.dest, NULL, &names, &k.e), &k.e);
        assert_int_equal(names.partial_count, 0);
        assert_int_equal(names.count, rc == FRZ_OK);
        frz__backup_names_clear(&names);
        if (rc == FRZ_OK) break;
        RC(rc, FRZ_CANCELLED, &k.e);
    }
    bk_end(&k);
}

/* ── what is wrong with one ── */

struct seen {
    size_t count;
    char where[200], what[300];
};
static int on_finding(void *ctx, const frz_finding *f)
{
    struct seen *s = (struct seen *)ctx;
    s->count++;
    snprintf(s->where, sizeof s->where, "%s", f->where);
    snprintf(s->what, sizeof s->what, "%s", f->what);
    return 0;
}
static void flip(struct bk *k, struct fs *fs, const char *path, uint64_t at, uint8_t mask)
{
    struct file *f;
    uint8_t byte;
    OK(frz__fs_open(fs, path, FS_OPEN_WRITE, &f, &k->e), &k->e);
    OK(frz__file_read_full(f, at, &byte, 1, &k->e), &k->e);
    byte ^= mask;
    OK(frz__file_write(f, at, &byte, 1, &k->e), &k->e);
    OK(frz__file_close(f, &k->e), &k->e);
}

TEST(backup, each_flipped_bit_is_found_and_named_and_not_restored)
{
    struct bk k;
    struct backup_manifest m, again;
    struct rng r = {test_seed(3)};
    struct restore_result result;
    bk_begin_mem(&k, 3);
    bk_fill(&k, 1, 60);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    bk_fill(&k, 2, 10);
    OK(bk_try_backup(&k, &(struct backup_request){.copy = true}, &m, &k.e), &k.e);
    struct fs *fs = bk_backup_fs(&k, 1);
    frz__backup_manifest_init(&again, NULL);
    for (size_t i = 0; i < m.count; i++) {
        uint64_t at = rng_below(&r, m.files[i].bytes), findings = 0;
        uint8_t mask = (uint8_t)(1 << rng_below(&r, 8));
        struct seen s = {0};
        flip(&k, fs, m.files[i].path, at, mask);
        OK(frz__backup_verify(k.dest, NULL, 1, on_finding, &s, &again, &findings, &k.e), &k.e);
        assert_int_equal(findings, 1);
        assert_string_equal(s.where, m.files[i].path);
        assert_non_null(strstr(s.what, "checksum"));
        frz__backup_manifest_clear(&again);
        FAILS(bk_try_restore(&k, "back", NULL, &result, &k.e), FRZ_CORRUPT, &k.e);
        MESSAGE_HAS(&k.e, m.files[i].path);
        flip(&k, fs, m.files[i].path, at, mask);
    }
    uint64_t bytes = 0, findings = 0;
    struct fs_stat st;
    OK(frz__fs_stat(fs, "BACKUP", &st, &k.e), &k.e);
    bytes = st.bytes;
    for (int i = 0; i < 200; i++) { /* and of the list itself */
        uint64_t at = rng_below(&r, bytes);
        uint8_t mask = (uint8_t)(1 << rng_below(&r, 8));
        flip(&k, fs, "BACKUP", at, mask);
        int rc = frz__backup_verify(k.dest, NULL, 1, NULL, NULL, &again, &findings, &k.e);
        assert_true(rc == FRZ_CORRUPT || rc == FRZ_NEWER_FORMAT);
        frz__backup_manifest_clear(&again);
        rc = bk_try_restore(&k, "back", NULL, &result, &k.e);
        assert_true(rc == FRZ_CORRUPT || rc == FRZ_NEWER_FORMAT);
        flip(&k, fs, "BACKUP", at, mask);
    }
    struct seen s = {0}; /* what is missing, too much, or too long */
    struct file *f;
    char path[300];
    snprintf(path, sizeof path, "%s", m.files[0].path);
    OK(frz__fs_rename(fs, path, "elsewhere", &k.e), &k.e);
    OK(frz__backup_verify(k.dest, NULL, 1, on_finding, &s, &again, &findings, &k.e), &k.e);
    assert_int_equal(s.count, 2);
    frz__backup_manifest_clear(&again);
    FAILS(bk_try_restore(&k, "back", NULL, &result, &k.e), FRZ_CORRUPT, &k.e);
    OK(frz__fs_rename(fs, "elsewhere", path, &k.e), &k.e);
    OK(frz__fs_open(fs, path, FS_OPEN_WRITE, &f, &k.e), &k.e);
    OK(frz__file_write(f, m.files[0].bytes, "x", 1, &k.e), &k.e);
    OK(frz__file_close(f, &k.e), &k.e);
    s.count = 0;
    findings = 0;
    OK(frz__backup_verify(k.dest, NULL, 1, on_finding, &s, &again, &findings, &k.e), &k.e);
    assert_int_equal(s.count, 1);
    assert_non_null(strstr(s.what, "bytes"));
    frz__backup_manifest_clear(&again);
    frz__backup_manifest_clear(&m);
    frz__fs_free(fs);
    bk_end(&k);
}

/* ── no memory ── */

TEST(backup, that_runs_out_of_memory_says_so_and_leaves_nothing)
{
    struct bk k;
    struct test_alloc t;
    struct restore_result result;
    bk_begin_mem(&k, 3);
    bk_fill(&k, 1, 15);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    bk_fill(&k, 2, 5);
    bk_close(&k);
    test_alloc_init(&t, 0);
    k.o.allocator = &t.vt;
    k.o.no_close_flush = true;
    k.o.no_compaction = true;
    bk_open(&k);
    bool done = false;
    for (long n = 1; !done; n++) {
        struct backup_manifest m;
        struct backup_names names;
        t.calls = 0;
        t.fail_at = n;
        int rc = bk_try_backup(&k, NULL, &m, &k.e);
        done = t.calls < n;
        t.fail_at = 0;
        frz__backup_manifest_clear(&m);
        if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &k.e);
        OK(frz__backup_names(k.dest, NULL, &names, &k.e), &k.e);
        assert_int_equal(names.partial_count, 0);
        frz__backup_names_clear(&names);
        uint64_t removed;
        if (rc == FRZ_OK && !done) OK(frz__backup_purge(k.dest, NULL, 1, NULL, &removed, &k.e), &k.e);
        if (done) OK(rc, &k.e);
    }
    bk_close(&k);
    assert_int_equal(t.live, 0);
    for (long n = 1, done_at = 0; !done_at; n++) {
        char name[32];
        snprintf(name, sizeof name, "back%ld", n);
        struct fs *fs = bk_folder(&k, name);
        const struct restore_request r = {.backups = k.dest, .dest = fs, .dest_root = fs->root};
        test_alloc_init(&t, n);
        int rc = frz__restore(&t.vt, &r, &result, &k.e);
        if (t.calls < n) done_at = n;
        if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &k.e);
        if (done_at) OK(rc, &k.e);
        assert_int_equal(t.live, 0);
        t.fail_at = 0;
        frz__fs_free(fs);
    }
    bk_end(&k);
}

/* ── beside a writer in another process ── */

/* The source is open to be read; a writer publishes, and what it no longer needs goes at once. */
struct moving {
    struct bk *k;
    struct rng r;
    int rounds;
};
static int move_on(void *ctx, const frz_backup_progress *p)
{
    struct moving *m = (struct moving *)ctx;
    if (m->rounds-- <= 0) return 0;
    for (int i = 0; i < 4; i++) OK(bk_write(m->k, &m->r, 6, &m->k->e), &m->k->e);
    OK(frz_db_flush(m->k->db, &m->k->e), &m->k->e);
    for (int i = 0; i < 2; i++) {
        struct table *t = m->k->t[i]->t;
        frz__mutex_lock(&t->flush_mu);
        while (frz__expire_run(t)) {} /* a round ends by its time */
        frz__mutex_unlock(&t->flush_mu);
    }
    return 0;
}
TEST(backup, of_a_source_that_is_only_read_follows_its_writer)
{
    struct bk k;
    struct backup_manifest m;
    frz_db *reader;
    bk_begin_mem(&k, 2);
    for (int i = 0; i < 2; i++) {
        OK(frz_table_set_property(k.t[i], "frazil.foreign-reader-grace-ms", "0", &k.e), &k.e);
        OK(frz_table_set_property(k.t[i], "frazil.snapshots-max", "1", &k.e), &k.e);
        OK(frz_table_set_property(k.t[i], "write.metadata.previous-versions-max", "1", &k.e), &k.e);
    }
    bk_fill(&k, 1, 40);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    bk_fill(&k, 2, 5);
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    OK(frz__test_db_open(k.home, &o, &reader, &k.e), &k.e);
    for (int rounds = 0; rounds < 12; rounds += 3) {
        struct moving mv = {&k, {5 + (uint64_t)rounds}, rounds};
        const struct backup_request r = {.dest = k.dest, .dest_root = k.dest->root, .progress = move_on, .ctx = &mv};
        frz__backup_manifest_init(&m, NULL);
        OK(frz__backup(reader->db, &r, &m, &k.e), &k.e);
        struct fs *fs = bk_backup_fs(&k, m.number);
        bk_holds(&k, fs, true, m.sequence);
        frz__fs_free(fs);
        frz__backup_manifest_clear(&m);
    }
    OK(frz_db_close(reader, &k.e), &k.e);
    bk_end(&k);
}

/* ── any moment ── */

static void begin_archived(struct bk *k, int format)
{
    bk_begin_mem(k, format);
    bk_close(k);
    k->archive = bk_folder(k, "archive");
    k->o.log_archive = k->archive->root;
    bk_open(k);
}

TEST(point_in_time, ten_random_sequences_are_what_they_were)
{
    for (int format = 2; format <= 3; format++) {
        struct bk k;
        struct rng r = {test_seed(7)};
        struct restore_result result;
        begin_archived(&k, format);
        bk_fill(&k, 1, 50);
        uint64_t base = bk_backup(&k, NULL);
        for (uint64_t i = 0; i < 6; i++) {
            bk_fill(&k, 10 + i, 150);
            if (i % 2) OK(frz_table_flush(k.t[i % 2], &k.e), &k.e);
            if (i == 3) { /* the archive goes on with the next process, without being told again */
                bk_close(&k);
                k.o.log_archive = NULL;
                bk_open(&k);
            }
        }
        uint64_t last = k.ops[k.count - 1].batch_end;
        bk_close(&k);
        for (int i = 0; i <= 10; i++) {
            uint64_t seq = i ? base + rng_below(&r, last - base + 1) : last, end = base;
            char name[16];
            snprintf(name, sizeof name, "back%d", i);
            OK(bk_try_restore(&k, name, &(struct restore_request){.to_seq = seq, .archive = k.archive}, &result, &k.e), &k.e);
            for (size_t n = 0; n < k.count; n++)
                if (k.ops[n].batch_end <= seq && k.ops[n].batch_end > end) end = k.ops[n].batch_end;
            assert_int_equal(result.sequence, end); /* whole batches alone */
            struct fs *fs = bk_folder(&k, name);
            bk_holds(&k, fs, i % 2, seq);
            frz__fs_free(fs);
        }
        bk_end(&k);
    }
}

/* Removes the archive's segment with so many behind it. */
struct segments {
    size_t count;
    uint64_t at[200];
};
static int on_segment(void *ctx, const char *name, bool is_dir)
{
    struct segments *s = (struct segments *)ctx;
    uint64_t n = strtoull(name, NULL, 10);
    if (is_dir || !n) return 0;
    size_t i = s->count++;
    assert_true(s->count < FRZ_ARRAY_LEN(s->at));
    for (; i > 0 && s->at[i - 1] > n; i--) s->at[i] = s->at[i - 1];
    s->at[i] = n;
    return 0;
}
static struct segments segments_of(struct bk *k)
{
    struct segments s = {0};
    OK(frz__fs_list(k->archive, k->db->db->log_uuid_text, on_segment, &s, &k->e), &k->e);
    return s;
}

TEST(point_in_time, a_segment_that_the_archive_lacks_is_named_and_what_lies_before_it_can_be_had)
{
    struct bk k;
    struct restore_result result;
    char path[100], name[32];
    begin_archived(&k, 2);
    uint64_t base = bk_backup(&k, NULL);
    bk_fill(&k, 1, 800);
    uint64_t last = k.ops[k.count - 1].batch_end;
    bk_close(&k);
    bk_open(&k);
    struct segments s = segments_of(&k);
    assert_true(s.count > 4);
    struct restore_request all = {.to_end = true, .archive = k.archive};
    OK(bk_try_restore(&k, "whole", &all, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, last);
    uint64_t missing = s.at[2];
    snprintf(name, sizeof name, "%09llu.wal", (unsigned long long)missing);
    snprintf(path, sizeof path, "%s/%s", k.db->db->log_uuid_text, name);
    OK(frz__fs_unlink(k.archive, path, &k.e), &k.e);
    FAILS(bk_try_restore(&k, "none", &all, &result, &k.e), FRZ_CORRUPT, &k.e);
    MESSAGE_HAS(&k.e, name);
    uint64_t before = result.sequence;
    assert_true(before > base && before < last);
    FAILS(bk_try_restore(&k, "none", &(struct restore_request){.to_seq = last, .archive = k.archive}, &result, &k.e), FRZ_CORRUPT, &k.e);
    MESSAGE_HAS(&k.e, name);
    OK(bk_try_restore(&k, "part", &(struct restore_request){.to_seq = before, .archive = k.archive}, &result, &k.e), &k.e);
    struct fs *fs = bk_folder(&k, "part");
    bk_holds(&k, fs, false, before);
    frz__fs_free(fs);
    uint64_t later = bk_backup(&k, NULL); /* one behind the gap goes on with what is there */
    bk_fill(&k, 2, 10);
    bk_close(&k);
    bk_open(&k);
    OK(bk_try_restore(&k, "later", &all, &result, &k.e), &k.e);
    assert_true(result.number == 2 && result.sequence == k.ops[k.count - 1].batch_end && result.sequence > later);
    FAILS(bk_try_restore(&k, "none", &(struct restore_request){.to_seq = later + 1000000, .archive = k.archive}, &result, &k.e),
          FRZ_NOT_FOUND, &k.e);
    MESSAGE_HAS(&k.e, "ends with sequence");
    bk_end(&k);
}

TEST(point_in_time, a_time_is_reached_and_not_passed)
{
    struct bk k;
    struct restore_result result;
    begin_archived(&k, 2);
    (void)bk_backup(&k, NULL);
    bk_fill(&k, 1, 20);
    uint64_t seq = k.ops[k.count - 1].batch_end;
    frz__test_clock_advance_ns((int64_t)3600 * 1000000000);
    int64_t between = frz__clock_wall_us() - (int64_t)1800 * 1000000;
    bk_fill(&k, 2, 20);
    bk_close(&k);
    OK(bk_try_restore(&k, "then", &(struct restore_request){.to_time_us = between, .archive = k.archive}, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, seq);
    assert_true(result.time_us <= between);
    struct fs *fs = bk_folder(&k, "then");
    bk_holds(&k, fs, false, seq);
    frz__fs_free(fs);
    FAILS(bk_try_restore(&k, "before", &(struct restore_request){.to_time_us = 1000, .archive = k.archive}, &result, &k.e), FRZ_NOT_FOUND,
          &k.e);
    FAILS(bk_try_restore(&k, "after", &(struct restore_request){.to_time_us = frz__clock_wall_us() + 10000000, .archive = k.archive},
                         &result, &k.e),
          FRZ_NOT_FOUND, &k.e);
    bk_end(&k);
}

TEST(point_in_time, tables_that_came_and_went_since_the_backup_come_and_go)
{
    struct bk k;
    struct restore_result result;
    frz_table *c, *d;
    frz_schema *s;
    frz_db *db;
    frz_row *row;
    uint64_t n = 0;
    begin_archived(&k, 3);
    bk_fill(&k, 1, 10);
    (void)bk_backup(&k, NULL);
    OK(frz_schema_parse("name string, id long, v timestamp_ns?", "id,name", &s, &k.e), &k.e);
    const frz_table_options o = {.struct_size = sizeof o, .format_version = 3};
    OK(frz_table_create(k.db, "c", s, &o, &c, &k.e), &k.e);
    OK(frz_table_create(k.db, "empty", s, &o, NULL, &k.e), &k.e);
    OK(frz_table_create(k.db, "d", s, &o, &d, &k.e), &k.e);
    for (int64_t i = 0; i < 50; i++) {
        OK(frz_row_new(c, &row, &k.e), &k.e);
        OK(frz_row_set_string(row, 0, "x", 1, &k.e), &k.e);
        OK(frz_row_set_long(row, 1, i, &k.e), &k.e);
        if (i % 2) OK(frz_row_set_timestamp(row, 2, i * 1000, &k.e), &k.e);
        OK(frz_put(c, row, NULL, &k.e), &k.e);
        OK(frz_put(d, row, NULL, &k.e), &k.e);
        frz_row_free(row);
    }
    frz_table_close(d);
    OK(frz_table_drop(k.db, "d", &k.e), &k.e);
    frz_table_close(k.t[1]);
    OK(frz_table_drop(k.db, "b", &k.e), &k.e);                   /* the backup has it */
    OK(frz_table_create(k.db, "b", s, &o, &k.t[1], &k.e), &k.e); /* another one */
    frz_schema_free(s);
    OK(frz_row_new(k.t[1], &row, &k.e), &k.e);
    OK(frz_row_set_string(row, 0, "y", 1, &k.e), &k.e);
    OK(frz_row_set_long(row, 1, 7, &k.e), &k.e);
    OK(frz_put(k.t[1], row, NULL, &k.e), &k.e);
    frz_row_free(row);
    frz_table_close(c);
    bk_close(&k);
    OK(bk_try_restore(&k, "back", &(struct restore_request){.to_end = true, .archive = k.archive}, &result, &k.e), &k.e);
    assert_int_equal(result.tables, 4);
    struct fs *fs = bk_folder(&k, "back");
    frz_db_options read = FRZ_DB_OPTIONS_INIT;
    read.read_only = true;
    OK(frz__test_db_open(fs, &read, &db, &k.e), &k.e);
    RC(frz_table_open(db, "d", &d, &k.e), FRZ_NOT_FOUND, &k.e);
    static const struct {
        const char *name;
        uint64_t rows;
    } want[] = {{"c", 50}, {"empty", 0}, {"b", 1}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(want); i++) {
        OK(frz_table_open(db, want[i].name, &c, &k.e), &k.e);
        OK(frz_count(c, NULL, &n, &k.e), &k.e);
        assert_int_equal(n, want[i].rows);
        const frz_value key[2] = {{.type = FRZ_LONG, .as.i64 = 7}, {.type = FRZ_STRING, .as.bytes = {i == 2 ? "y" : "x", 1}}};
        OK(frz_row_new(c, &row, &k.e), &k.e);
        RC(frz_get(c, NULL, key, 2, row, &k.e), n ? FRZ_OK : FRZ_NOT_FOUND, &k.e);
        if (i == 0) assert_int_equal(frz_row_long(row, 2), 7000);
        frz_row_free(row);
        frz_table_close(c);
    }
    OK(frz_db_close(db, &k.e), &k.e);
    frz__fs_free(fs);
    bk_end(&k);
}

#define SOON(cond)                                                                                                                         \
    do {                                                                                                                                   \
        for (int i_ = 0; i_ < 24000 && !(cond); i_++) usleep(5000);                                                                        \
        assert_true(cond);                                                                                                                 \
    } while (0)
/* The archive goes to another name, once it has what the process before left to it. What was archived up to now. */
static uint64_t take_away(struct bk *k, const char *there)
{
    frz_stats s = FRZ_INIT(frz_stats);
    SOON(!frz__wal_archive_due(k->db->db->wal) && !atomic_load(&k->db->db->archiving));
    OK(frz__fs_rename(k->archive, there, "elsewhere", &k->e), &k->e);
    OK(frz_db_stats(k->db, NULL, &s, &k->e), &k->e);
    return s.log_archived;
}
TEST(log_archive, that_can_not_be_written_stops_nobody_and_is_caught_up_with)
{
    struct bk k;
    char there[100];
    frz_stats before = FRZ_INIT(frz_stats), after = FRZ_INIT(frz_stats);
    begin_archived(&k, 2);
    snprintf(there, sizeof there, "%s", k.db->db->log_uuid_text);
    uint64_t archived = take_away(&k, there);
    for (uint64_t i = 0; i < 4; i++) {
        bk_fill(&k, i, 500);
        OK(frz_db_flush(k.db, &k.e), &k.e);
    }
    FAILS(frz__wal_archive(k.db->db->wal, false, &k.e), FRZ_IO, &k.e);
    OK(frz_db_stats(k.db, NULL, &before, &k.e), &k.e);
    assert_true(before.log_segments > 3 && before.log_archived == archived && before.log_archive_waiting >= 3); /* nothing is recycled */
    OK(frz__fs_rename(k.archive, "elsewhere", there, &k.e), &k.e);
    OK(frz__wal_archive(k.db->db->wal, false, &k.e), &k.e);
    frz__log_release(k.db->db);
    OK(frz_db_stats(k.db, NULL, &after, &k.e), &k.e);
    assert_true(after.log_segments < before.log_segments && after.log_archived - archived == before.log_archive_waiting);
    bk_end(&k);
}

struct told {
    size_t degraded, well, trouble;
};
static int on_event(void *ctx, const frz_event *e)
{
    struct told *t = (struct told *)ctx;
    t->degraded += e->kind == FRZ_EVENT_HEALTH && strcmp(e->reason, "io") == 0;
    t->well += e->kind == FRZ_EVENT_HEALTH && strcmp(e->reason, "ok") == 0;
    t->trouble += e->kind == FRZ_EVENT_LOG_TROUBLE && strcmp(e->reason, "log-archive") == 0;
    return 0;
}
TEST(log_archive, that_can_not_be_written_is_in_the_health_until_it_can)
{
    struct bk k;
    char there[100];
    frz_health h = FRZ_INIT(frz_health);
    frz_stats s = FRZ_INIT(frz_stats);
    struct told told = {0};
    begin_archived(&k, 2);
    snprintf(there, sizeof there, "%s", k.db->db->log_uuid_text);
    uint64_t archived = take_away(&k, there);
    bk_fill(&k, 1, 700);
    OK(frz_db_sync(k.db, &k.e), &k.e); /* what is not synced is not archived */
    SOON(frz_db_health(k.db, NULL, &h, &k.e) == FRZ_OK && h.severity == FRZ_HEALTH_DEGRADED);
    assert_string_equal(h.part, "log-archive");
    assert_int_equal(h.error_class, FRZ_CLASS_IO);
    assert_true(h.next_try_us > 0 && strstr(h.message, "can't be archived") && strstr(h.advice, "archive"));
    FAILS(frz_db_resume(k.db, &k.e), FRZ_IO, &k.e);
    bk_fill(&k, 2, 150); /* writes go on */
    OK(frz_db_flush(k.db, &k.e), &k.e);
    OK(frz_db_stats(k.db, NULL, &s, &k.e), &k.e);
    assert_true(s.log_archive_waiting > 1 && s.log_archived == archived && s.log_archive_failures > 1);
    OK(frz__fs_rename(k.archive, "elsewhere", there, &k.e), &k.e);
    frz__test_clock_advance_ns((int64_t)60 * 1000000000); /* by itself */
    frz__sched_wake(k.db->db);
    SOON(frz_db_health(k.db, NULL, &h, &k.e) == FRZ_OK && h.severity == FRZ_HEALTH_OK);
    OK(frz_db_stats(k.db, NULL, &s, &k.e), &k.e);
    assert_int_equal(s.log_archive_waiting, 0);
    OK(frz_db_events(k.db, 0, on_event, &told, &k.e), &k.e);
    assert_true(told.degraded == 1 && told.well == 1 && told.trouble == 1);
    bk_end(&k);
}

TEST(log_archive, of_two_copies_of_a_database_takes_one)
{
    struct bk k;
    begin_archived(&k, 2);
    bk_fill(&k, 1, 200);
    bk_close(&k);
    bk_open(&k);
    struct segments s = segments_of(&k);
    assert_true(s.count > 1);
    char path[100]; /* one of another epoch under the name of the next */
    struct file *f;
    uint8_t head[256] = "FRZWAL01";
    snprintf(path, sizeof path, "%s/%09llu.wal", k.db->db->log_uuid_text, (unsigned long long)s.at[s.count - 1] + 1);
    OK(frz__fs_open(k.archive, path, FS_OPEN_CREATE_NEW, &f, &k.e), &k.e);
    OK(frz__file_write(f, 0, head, sizeof head, &k.e), &k.e);
    OK(frz__file_close(f, &k.e), &k.e);
    bk_fill(&k, 2, 500);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    FAILS(frz__wal_archive(k.db->db->wal, false, &k.e), FRZ_CONFLICT, &k.e);
    MESSAGE_HAS(&k.e, "two copies");
    bk_fill(&k, 3, 20);
    bk_end(&k);
}

TEST(log_archive, keeps_every_segment_until_backups_no_longer_need_it)
{
    struct bk k;
    struct restore_result result;
    begin_archived(&k, 2);
    bk_fill(&k, 1, 500);
    (void)bk_backup(&k, NULL);
    bk_fill(&k, 2, 500);
    bk_close(&k);
    bk_open(&k);
    size_t before = segments_of(&k).count;
    assert_int_equal(segments_of(&k).at[0], 1); /* the very first */
    uint64_t second = bk_backup(&k, &(struct backup_request){.keep = 1, .archive = k.archive});
    assert_true(segments_of(&k).count < before);
    bk_fill(&k, 3, 300);
    uint64_t last = k.ops[k.count - 1].batch_end;
    bk_close(&k);
    OK(bk_try_restore(&k, "back", &(struct restore_request){.to_end = true, .archive = k.archive}, &result, &k.e), &k.e);
    assert_true(result.number == 2 && result.sequence == last && last > second);
    struct fs *fs = bk_folder(&k, "back");
    bk_holds(&k, fs, false, last);
    frz__fs_free(fs);
    bk_end(&k);
}
