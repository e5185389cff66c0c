/* What open finds that no crash of ours leaves: an older copy of a table, a table that is gone. Nothing of it is silent, and nothing that was acknowledged is thrown away. */
#include "crash_rig.h"

#include "engine/recover.h"

static void fill(struct rig *r, int64_t from, int64_t count, size_t bytes)
{
    char v[1500];
    memset(v, 'f', bytes);
    v[bytes] = 0;
    for (int64_t i = from; i < from + count; i++) put(r, i, v);
}
static uint64_t rows(struct rig *r)
{
    uint64_t n = 0;
    OK(frz_count(r->t, NULL, &n, &r->e), &r->e);
    return n;
}
static void remove_files(struct fs *fs, const char *dir)
{
    static struct names n;
    char path[300];
    frz_error e;
    n.count = 0;
    OK(frz__fs_list(fs, dir, on_name, &n, &e), &e);
    for (size_t i = 0; i < n.count; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, n.name[i]);
        OK(frz__fs_unlink(fs, path, &e), &e);
    }
    OK(frz__fs_sync_dir(fs, dir, SYNC_TEST, &e), &e);
}

/* ── an older copy ── */

static void copy_files(struct fs *from, struct fs *to, const char *dir)
{
    static struct names n;
    char path[300];
    frz_error e;
    n.count = 0;
    OK(frz__fs_list(from, dir, on_name, &n, &e), &e);
    for (size_t i = 0; i < n.count; i++) {
        struct buf b = BUF_INIT(NULL, 0);
        struct file *f;
        snprintf(path, sizeof path, "%s/%s", dir, n.name[i]);
        OK(frz__fs_read_file(from, path, 1 << 24, &b, &e), &e);
        OK(frz__fs_open(to, path, FS_OPEN_CREATE_NEW, &f, &e), &e);
        OK(frz__file_write(f, 0, b.data, b.len, &e), &e);
        OK(frz__file_sync(f, SYNC_TEST, &e), &e);
        OK(frz__file_close(f, &e), &e);
        buf_clear(&b);
    }
    OK(frz__fs_sync_dir(to, dir, SYNC_TEST, &e), &e);
}
static void restore(struct rig *r, struct fs *older)
{
    remove_files(r->fs, "main/t/metadata");
    remove_files(r->fs, "main/t/data");
    copy_files(older, r->fs, "main/t/metadata");
    copy_files(older, r->fs, "main/t/data");
}
static int on_finding(void *ctx, const frz_finding *f)
{
    snprintf((char *)ctx, 600, "%s: %s", f->where, f->what);
    return 0;
}
static void must_be_found(struct rig *r)
{
    char found[600] = "";
    frz_verify_report report = {.struct_size = sizeof report};
    rig_said(r, "rows are missing");
    OK(frz_verify(r->db, NULL, on_finding, found, &report, &r->e), &r->e);
    assert_int_equal(report.findings, 1);
    assert_non_null(strstr(found, "rows are missing"));
}

TEST(hazard_09, an_older_copy_of_a_table_whose_rows_the_log_forgot_is_reported)
{
    struct rig r;
    struct fs *older;
    rig_init(&r, FRZ_SYNC_FULL);
    fill(&r, 0, 20, 100);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    OK(frz__fs_fault_reboot(r.fs, 1, &older, &r.e), &r.e);
    fill(&r, 20, 200, 1000); /* more than a segment */
    OK(frz_table_flush(r.t, &r.e), &r.e);
    assert_int_equal(stats(&r).log_segments, 1);
    rig_close(&r);
    restore(&r, older);
    rig_open(&r);
    must_be_found(&r);
    assert_true(rows(&r) < 220);
    rig_close(&r);
    rig_open(&r); /* and again, until it is written */
    must_be_found(&r);
    rig_close(&r);
    r.o.read_only = true;
    r.o.create = false;
    rig_open(&r);
    must_be_found(&r);
    rig_close(&r);
    r.o.read_only = false;
    rig_open(&r);
    fill(&r, 500, 1, 10);
    has(&r, 3, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
    rig_clear(&r);
    frz__fs_free(older);
}

TEST(hazard_09, an_older_copy_of_a_table_whose_rows_the_log_has_is_whole_again)
{
    struct rig r;
    struct fs *older;
    rig_init(&r, FRZ_SYNC_FULL);
    fill(&r, 0, 20, 100);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    OK(frz__fs_fault_reboot(r.fs, 1, &older, &r.e), &r.e);
    fill(&r, 20, 30, 100);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    rig_close(&r);
    restore(&r, older);
    rig_open(&r);
    assert_int_equal(rows(&r), 50);
    rig_verify(&r);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    rig_reboot(&r, 0);
    rig_open(&r);
    assert_string_equal(r.said, "");
    assert_int_equal(rows(&r), 50);
    rig_clear(&r);
    frz__fs_free(older);
}

/* ── a table that is gone ── */

static void other_table(struct rig *r)
{
    frz_schema *s;
    frz_table *u;
    OK(frz_schema_parse("id long, v string?", "id", &s, &r->e), &r->e);
    OK(frz_table_create(r->db, "u", s, NULL, &u, &r->e), &r->e);
    frz_schema_free(s);
}
/* 40 acknowledged rows of t and 40 of u, turn by turn; then t's directory is removed by hand. Gives its uuid. */
static void begin_gone(struct rig *r, char uuid[37])
{
    frz_table *u;
    rig_init(r, FRZ_SYNC_FULL);
    other_table(r);
    OK(frz_table_open(r->db, "u", &u, &r->e), &r->e);
    frz_table *t = r->t;
    for (int64_t i = 0; i < 40; i++) {
        r->t = t;
        put(r, i, "of t");
        r->t = u;
        put(r, i, "of u");
    }
    memcpy(uuid, t->t->uuid, 37);
    rig_close(r);
    remove_files(r->fs, "main/t/metadata");
    remove_files(r->fs, "main/t/data");
    OK(frz__fs_rmdir(r->fs, "main/t/metadata", &r->e), &r->e);
    OK(frz__fs_rmdir(r->fs, "main/t/data", &r->e), &r->e);
    OK(frz__fs_rmdir(r->fs, "main/t", &r->e), &r->e);
    OK(frz__fs_sync_dir(r->fs, "main", SYNC_TEST, &r->e), &r->e);
}
static int open_gone(struct rig *r)
{
    r->said[0] = 0;
    r->o.log = rig_hear;
    r->o.log_ctx = r;
    return frz__test_db_open(r->fs, &r->o, &r->db, &r->e);
}

struct kept { const char *uuid; uint64_t operations, last; char dir[200]; };
static int on_frazil_name(void *ctx, const char *name, bool is_dir)
{
    struct kept *k = (struct kept *)ctx;
    if (is_dir && strncmp(name, "lost-", 5) == 0 && strncmp(name + 5, k->uuid, 36) == 0) snprintf(k->dir, sizeof k->dir, ".frazil/%s", name);
    return 0;
}
static int on_kept_group(void *ctx, uint64_t segment, uint64_t base, uint32_t ops, slice bytes, frz_error *err)
{
    struct kept *k = (struct kept *)ctx;
    (void)segment, (void)err;
    assert_true(base > k->last); /* each once */
    assert_non_null(memmem(bytes.data, bytes.len, "of t", 4));
    k->operations += ops;
    k->last = base;
    return FRZ_OK;
}
static uint64_t kept(struct fs *fs, const char *uuid)
{
    struct kept k = {.uuid = uuid};
    struct wal_report report;
    frz_error e;
    const struct wal_visitor v = {.ctx = &k, .group = on_kept_group};
    OK(frz__fs_list(fs, ".frazil", on_frazil_name, &k, &e), &e);
    if (k.dir[0]) OK(frz__wal_read(NULL, NULL, fs, k.dir, &v, &report, &e), &e);
    return k.operations;
}
static void u_is_whole(struct rig *r)
{
    OK(frz_table_open(r->db, "u", &r->t, &r->e), &r->e);
    assert_int_equal(rows(r), 40);
}

TEST(hazard_24, rows_of_a_table_that_was_removed_by_hand_are_put_aside_before_the_log_forgets_them)
{
    struct rig r;
    char uuid[37];
    begin_gone(&r, uuid);
    RC(open_gone(&r), FRZ_OK, &r.e);
    rig_said(&r, "40 operations on table main.t, which is gone without having been dropped");
    rig_said(&r, ".frazil/lost-");
    assert_int_equal(kept(r.fs, uuid), 40);
    u_is_whole(&r);
    rig_reboot(&r, 0);
    RC(open_gone(&r), FRZ_OK, &r.e); /* the log still has them: they are not put there again */
    assert_int_equal(kept(r.fs, uuid), 40);
    u_is_whole(&r);
    fill(&r, 100, 200, 1000);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    rig_close(&r);
    RC(open_gone(&r), FRZ_OK, &r.e); /* it has not */
    assert_null(strstr(r.said, "gone"));
    assert_int_equal(kept(r.fs, uuid), 40);
    rig_clear(&r);
}

TEST(hazard_24, a_power_cut_or_a_failing_disk_while_they_are_put_aside_loses_none)
{
    for (int fails = 0; fails < 2; fails++) {
        bool all = false;
        for (uint64_t n = 1; !all; n++) {
            struct rig r;
            char uuid[37];
            begin_gone(&r, uuid);
            struct fs_fault_plan plan = {.cut_change = fails ? 0 : n, .fail_call = fails ? n : 0};
            frz__fs_fault_plan(r.fs, &plan);
            int rc = open_gone(&r);
            if (rc == FRZ_OK) u_is_whole(&r); /* or nothing is said to be well */
            struct fs_fault_counts c = frz__fs_fault_counts(r.fs);
            all = fails ? c.calls < n : !frz__fs_fault_is_cut(r.fs);
            if (fails) {
                frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
                if (r.db) rig_close(&r);
            } else {
                rig_reboot(&r, 2 * (n % 2));
            }
            RC(open_gone(&r), FRZ_OK, &r.e);
            assert_int_equal(kept(r.fs, uuid), 40);
            u_is_whole(&r);
            rig_clear(&r);
        }
    }
}

TEST(hazard_24, a_table_that_was_dropped_is_not_taken_for_lost)
{
    struct rig r;
    rig_init(&r, FRZ_SYNC_FULL);
    for (int i = 0; i < 2; i++) { /* under two numbers */
        fill(&r, 0, 10, 10);
        rig_close(&r);
        rig_open(&r);
    }
    char uuid[37];
    memcpy(uuid, r.t->t->uuid, 37);
    OK(frz_table_drop(r.db, "t", &r.e), &r.e);
    rig_reboot(&r, 0);
    RC(open_gone(&r), FRZ_OK, &r.e);
    assert_string_equal(r.said, "");
    assert_int_equal(kept(r.fs, uuid), 0);
    rig_clear(&r);
}
