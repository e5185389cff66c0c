/* A table whose directory got another name or place is re-pointed in one commit: whole before, whole after, whatever fails or is cut off between. */
#include "crash_rig.h"

static const char *const dirs[] = {"metadata", "data"};

/* Files in several shapes: absorbed, masked, and rows that only the log has. Then main/t is called main/moved. */
static void begin(struct rig *r, int format)
{
    char v[400];
    memset(v, 'x', sizeof v);
    v[sizeof v - 1] = 0;
    rig_init(r, FRZ_SYNC_FULL);
    if (format == 3) {
        OK(frz_table_drop(r->db, "t", &r->e), &r->e);
        rig_close(r);
        r->format = 3;
        rig_open(r);
    }
    for (int64_t i = 0; i < 60; i++) put(r, i, v);
    OK(frz_table_flush(r->t, &r->e), &r->e);
    frz_value key = {.type = FRZ_LONG, .as.i64 = 7};
    OK(frz_delete(r->t, &key, 1, NULL, &r->e), &r->e);
    OK(frz_table_flush(r->t, &r->e), &r->e);
    put(r, 3, "logged");
    rig_close(r);
    OK(frz__fs_rename(r->fs, "main/t", "main/moved", &r->e), &r->e);
    OK(frz__fs_sync_dir(r->fs, "main", SYNC_TEST, &r->e), &r->e);
}
static int open_moved(struct rig *r)
{
    r->said[0] = 0;
    r->o.log = rig_hear;
    r->o.log_ctx = r;
    int rc = frz__test_db_open(r->fs, &r->o, &r->db, &r->e);
    return rc == FRZ_OK ? frz_table_open(r->db, "moved", &r->t, &r->e) : rc;
}
static void is_whole(struct rig *r)
{
    uint64_t n = 0;
    OK(frz_count(r->t, NULL, &n, &r->e), &r->e);
    assert_int_equal(n, 59);
    has(r, 7, NULL);
    has(r, 3, "logged");
    rig_verify(r);
    struct version *v = frz__version_acquire(r->t->t);
    assert_true(slice_eq(v->meta->location, slice_str("file:///mem/main/moved")));
    for (size_t m = 0; m < v->tree.count; m++)
        for (size_t i = 0; i < v->tree.manifests[m].entry_count; i++)
            assert_true(slice_has_prefix(v->tree.manifests[m].entries[i].file.path, slice_str("file:///mem/main/moved/data/")));
    frz__version_release(v);
}

TEST(hazard_23, a_moved_table_is_re_pointed_once_and_goes_on)
{
    for (int format = 2; format <= 3; format++) {
        struct rig r;
        begin(&r, format);
        RC(open_moved(&r), FRZ_OK, &r.e);
        rig_said(&r, "it was at file:///mem/main/t, and is at file:///mem/main/moved");
        is_whole(&r);
        put(&r, 100, "new");
        frz_value key = {.type = FRZ_LONG, .as.i64 = 100};
        OK(frz_table_flush(r.t, &r.e), &r.e);
        OK(frz_delete(r.t, &key, 1, NULL, &r.e), &r.e);
        OK(frz_table_flush(r.t, &r.e), &r.e);
        is_whole(&r);
        rig_reboot(&r, 0);
        RC(open_moved(&r), FRZ_OK, &r.e);
        assert_string_equal(r.said, "");
        is_whole(&r);
        rig_clear(&r);
    }
}

static void at_every_point(int format, bool fails)
{
    bool all = false;
    for (uint64_t n = 1; !all; n++) {
        struct rig r;
        begin(&r, format);
        frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.cut_change = fails ? 0 : n, .fail_call = fails ? n : 0});
        int rc = open_moved(&r);
        all = fails ? frz__fs_fault_counts(r.fs).calls < n : !frz__fs_fault_is_cut(r.fs);
        if (fails) {
            if (rc != FRZ_OK) assert_true(r.e.message[0] != 0);
            frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
            if (r.db) rig_close(&r);
        } else {
            rig_reboot(&r, n % 4);
        }
        RC(open_moved(&r), FRZ_OK, &r.e);
        is_whole(&r);
        rig_clear(&r);
    }
}
TEST(hazard_23, a_power_cut_while_a_v2_table_is_re_pointed_loses_nothing) { at_every_point(2, false); }
TEST(hazard_23, a_power_cut_while_a_v3_table_is_re_pointed_loses_nothing) { at_every_point(3, false); }
TEST(hazard_23, a_call_that_fails_while_a_table_is_re_pointed_loses_nothing)
{
    at_every_point(2, true);
    at_every_point(3, true);
}

TEST(hazard_23, a_copy_beside_the_table_itself_is_not_taken_up)
{
    struct rig r;
    static struct names n;
    char from[300], to[300];
    frz_table *t;
    begin(&r, 2);
    OK(frz__fs_rename(r.fs, "main/moved", "main/t", &r.e), &r.e);
    OK(frz__fs_mkdir(r.fs, "main/moved", &r.e), &r.e);
    for (size_t d = 0; d < 2; d++) {
        snprintf(from, sizeof from, "main/t/%s", dirs[d]);
        snprintf(to, sizeof to, "main/moved/%s", dirs[d]);
        OK(frz__fs_mkdir(r.fs, to, &r.e), &r.e);
        n.count = 0;
        OK(frz__fs_list(r.fs, from, on_name, &n, &r.e), &r.e);
        for (size_t i = 0; i < n.count; i++) {
            struct buf b = BUF_INIT(NULL, 0);
            struct file *f;
            snprintf(from, sizeof from, "main/t/%s/%s", dirs[d], n.name[i]);
            snprintf(to, sizeof to, "main/moved/%s/%s", dirs[d], n.name[i]);
            OK(frz__fs_read_file(r.fs, from, 1 << 24, &b, &r.e), &r.e);
            OK(frz__fs_open(r.fs, to, FS_OPEN_CREATE_NEW, &f, &r.e), &r.e);
            OK(frz__file_write(f, 0, b.data, b.len, &r.e), &r.e);
            OK(frz__file_close(f, &r.e), &r.e);
            buf_clear(&b);
        }
    }
    FAILS(open_moved(&r), FRZ_UNSUPPORTED, &r.e);
    MESSAGE_HAS(&r.e, "copy of main/t");
    OK(frz_table_open(r.db, "t", &t, &r.e), &r.e); /* the log's rows are its own */
    r.t = t;
    has(&r, 3, "logged");
    rig_clear(&r);
}
