/* Goal    gc, and a reader's lease, cut short or failing at any call of the file system: nothing that a snapshot names is touched, what is another engine's and young stays, and the next gc ends the work.
 * Method  the same bed each time: old snapshots, files that expired, orphans of ours and of others, trash, a dead lease; the process dies, or a call fails, at the nth call, for every n. */
#include "crash_rig.h"

#include "base/clock.h"
#include "engine/lease.h"
#include "tidy_kit.h"

#define ROWS 60
#define DAY_NS ((int64_t)86400 * 1000000000)

static void lay(struct rig *r, const char *path)
{
    struct file *f;
    RC(frz__fs_open(r->fs, path, FS_OPEN_CREATE_NEW, &f, &r->e), FRZ_OK, &r->e);
    OK(frz__file_write(f, 0, "x", 1, &r->e), &r->e);
    OK(frz__file_sync(f, SYNC_TEST, &r->e), &r->e);
    OK(frz__file_close(f, &r->e), &r->e);
}
static bool there(struct rig *r, const char *path)
{
    bool is = false;
    OK(frz__fs_exists(r->fs, path, &is, &r->e), &r->e);
    return is;
}
static void rows(struct rig *r, const char *v)
{
    for (int64_t i = 0; i < ROWS; i++) OK(table_put(r->t, i, v, &r->e), &r->e);
    OK(frz_table_flush(r->t, &r->e), &r->e);
}

static const char *const gone[] = {"main/t/data/00000-1-old.parquet", "main/t/metadata/old-m0.avro", ".frazil/trash/1-0-0-00000000/data/a.parquet", ".frazil/readers/00000000-1-1"};
static const char *const kept[] = {"main/t/data/00000-1-young.parquet", "main/t/data/notes.txt", "main/t/metadata/.hidden"};

/* Three snapshots, and what has expired is due. */
static void bed(struct rig *r, int format)
{
    rig_init(r, FRZ_SYNC_FULL);
    if (format == 3) { /* rig_init made one of format 2 */
        frz_table_close(r->t);
        OK(frz_table_drop(r->db, "t", &r->e), &r->e);
        rig_close(r);
        r->format = 3;
        rig_open(r);
    }
    OK(frz_table_set_property(r->t, "frazil.snapshots-max", "3", &r->e), &r->e);
    OK(frz_table_set_property(r->t, "write.metadata.previous-versions-max", "2", &r->e), &r->e);
    OK(frz_table_set_property(r->t, "frazil.orphan-check-interval-ms", "0", &r->e), &r->e); /* the days that go by are gc's */
    rows(r, "one");
    (void)!frz__fs_mkdir(r->fs, ".frazil/trash", &r->e);
    OK(frz__fs_mkdir(r->fs, ".frazil/trash/1-0-0-00000000", &r->e), &r->e);
    OK(frz__fs_mkdir(r->fs, ".frazil/trash/1-0-0-00000000/data", &r->e), &r->e);
    OK(frz__fs_mkdir(r->fs, ".frazil/readers", &r->e), &r->e);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(gone); i++) lay(r, gone[i]);
    frz__test_clock_advance_ns(4 * DAY_NS);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(kept); i++) lay(r, kept[i]);
    for (int i = 0; i < 5; i++) rows(r, i % 2 ? "odd" : "even");
}

static int gc(struct rig *r)
{
    frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    frz__mutex_lock(&r->t->t->flush_mu);
    r->t->t->settings.frazil_foreign_reader_grace_ms = 0;
    frz__mutex_unlock(&r->t->t->flush_mu);
    return frz_db_gc(r->db, NULL, &o, NULL, NULL, NULL, &r->e);
}

/* Whole: every retained snapshot, what is ours to keep; nothing that verify finds. */
static void whole(struct rig *r, const char *what)
{
    struct table *t = r->t->t;
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(r->db, NULL, NULL, NULL, &rep, &r->e), &r->e);
    if (rep.findings) fail_msg("%s: verify finds %llu", what, (unsigned long long)rep.findings);
    struct version *v = frz__version_acquire(t);
    assert_int_equal(v->meta->snapshot_count, 3);
    for (size_t i = 0; i < v->meta->snapshot_count; i++) {
        struct vfile **files = NULL;
        size_t n = 0;
        OK(frz__version_files(t, v, v->meta->snapshots[i].id, &files, &n, NULL, NULL, &r->e), &r->e);
        for (size_t k = 0; k < n; k++) frz__vfile_release(files[k]);
        frz__free(t->a, files);
    }
    frz__version_release(v);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(kept); i++)
        if (!there(r, kept[i])) fail_msg("%s: %s is gone", what, kept[i]);
    for (int64_t i = 0; i < ROWS; i += 7) table_has(r->t, i, "even");
}

static void ends(struct rig *r, const char *what)
{
    OK(gc(r), &r->e);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(gone); i++)
        if (there(r, gone[i])) fail_msg("%s: %s is still there", what, gone[i]);
    frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    frz_gc_report rep = FRZ_INIT(frz_gc_report);
    o.dry_run = true;
    OK(frz_db_gc(r->db, NULL, &o, NULL, NULL, &rep, &r->e), &r->e);
    assert_int_equal(rep.files_due, 0);
    whole(r, what);
}

static uint64_t calls_of_gc(int format)
{
    struct rig r;
    bed(&r, format);
    frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
    OK(gc(&r), &r.e);
    uint64_t n = frz__fs_fault_counts(r.fs).calls;
    rig_clear(&r);
    return n;
}

static void each(int format, bool dies)
{
    uint64_t calls = calls_of_gc(format), stride = calls / 60 + 1, met = 0;
    assert_true(calls > 30);
    for (uint64_t n = 0; n < calls; n += stride) {
        struct rig r;
        char what[96];
        snprintf(what, sizeof what, "v%d, %s at call %llu of gc's %llu", format, dies ? "death" : "a failure", (unsigned long long)n, (unsigned long long)calls);
        bed(&r, format);
        frz__fs_fault_plan(r.fs, dies ? &(struct fs_fault_plan){.stop_call = n + 1} : &(struct fs_fault_plan){.fail_call = n + 1});
        int rc = gc(&r);
        met += frz__fs_fault_counts(r.fs).calls > n;
        if (rc < 0 && rc != FRZ_IO && rc != FRZ_NO_SPACE) fail_msg("%s: %s: %s", what, frz_status_name(rc), r.e.message);
        if (dies) {
            (void)frz_db_close(r.db, &r.e);
            r.db = NULL;
        }
        frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
        if (dies) rig_open(&r);
        wait_tidy(r.db);
        whole(&r, what);
        ends(&r, what);
        rig_clear(&r);
    }
    assert_true(met > 20);
}

TEST(crash_gc, that_dies_at_any_call_loses_nothing_and_the_next_ends_the_work_v2) { each(2, true); }
TEST(crash_gc, that_dies_at_any_call_loses_nothing_and_the_next_ends_the_work_v3) { each(3, true); }
TEST(crash_gc, of_which_any_call_fails_loses_nothing_and_the_next_ends_the_work) { each(2, false); }

/* ── a reader's lease ── */

TEST(crash_lease, of_which_any_call_fails_is_none_or_a_whole_one_and_the_reader_opens_or_says_why)
{
    unsigned with = 0, without = 0;
    for (uint64_t n = 1;; n++) {
        struct rig r;
        frz_db *reader = NULL;
        frz_db_options o = FRZ_DB_OPTIONS_INIT;
        rig_init(&r, FRZ_SYNC_FULL);
        rows(&r, "even");
        o.read_only = true;
        frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.fail_call = n});
        int rc = frz__test_db_open(r.fs, &o, &reader, &r.e);
        bool over = frz__fs_fault_counts(r.fs).calls < n;
        frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
        if (rc == FRZ_OK) {
            frz_table *t;
            OK(frz_table_open(reader, "t", &t, &r.e), &r.e);
            *(t->t->db->lease ? &with : &without) += 1;
            table_has(t, 1, "even");
            OK(frz_db_close(reader, &r.e), &r.e);
        } else if (rc != FRZ_IO && rc != FRZ_NO_SPACE && rc != FRZ_NOT_FOUND && rc != FRZ_CORRUPT) fail_msg("call %llu: %s: %s", (unsigned long long)n, frz_status_name(rc), r.e.message);
        struct leases l;
        OK(frz__leases_read(r.t->t->db, false, true, &l, &r.e), &r.e);
        assert_int_equal(l.count, 0); /* nobody has one now */
        frz__leases_clear(&l);
        rows(&r, "odd");
        rig_clear(&r);
        if (over) break;
    }
    assert_true(with > 5 && without > 2);
}
