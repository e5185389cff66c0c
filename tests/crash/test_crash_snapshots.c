/* Goal    a tag, an upgrade, an expiry, a change of properties and the first publish after an upgrade are all there or not at all, wherever the process dies and whatever call of the file system fails.
 * Method  images of what a process that dies after each of its calls leaves, each opened; each call failed once, then the same again. */
#include "crash_rig.h"

#define IMAGES_MAX 200
#define ROWS 20
static struct { struct fs *at[IMAGES_MAX]; size_t count; uint64_t seed; } images;

static void take(void *ctx, struct fs *fs)
{
    frz_error e;
    (void)ctx;
    assert_true(images.count < IMAGES_MAX);
    OK(frz__fs_fault_reboot(fs, images.seed, &images.at[images.count++], &e), &e);
}

static const char *const noise = "3GtzR0W8vY1uKq5xJ7sLdNfAcVbMhPeQ9oTi2aUy4lZkXmCnDwBgErHjFpSO6I";

/* Rows published twice, some masked, all put once more and only logged; three snapshots, of which the first two may go. */
static int64_t begin(struct rig *r)
{
    char v[64 * 8 + 1] = "";
    for (int i = 0; i < 8; i++) strcat(v, noise);
    rig_init(r, FRZ_SYNC_FULL);
    OK(frz_table_set_property(r->t, "history.expire.max-snapshot-age-ms", "86400000", &r->e), &r->e);
    for (int64_t i = 100; i < 200; i++) put(r, i, v);
    for (int64_t i = 0; i < ROWS; i++) put(r, i, "first");
    OK(frz_table_flush(r->t, &r->e), &r->e);
    for (int64_t i = 0; i < ROWS; i += 2) put(r, i, "second");
    put(r, 150, "second");
    OK(frz_table_flush(r->t, &r->e), &r->e);
    put(r, 151, "third");
    OK(frz_table_flush(r->t, &r->e), &r->e);
    OK(frz_table_tag(r->t, "old", NULL, &r->e), &r->e);
    for (int64_t i = 0; i < ROWS; i += 4) put(r, i, "logged");
    struct version *now = frz__version_acquire(r->t->t);
    int64_t n = now->number;
    frz__version_release(now);
    return n;
}

/* ── what is done ── */

static int do_tag(struct rig *r) { return frz_table_tag(r->t, "new", NULL, &r->e); }
static int do_untag(struct rig *r)
{
    frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
    o.remove = true;
    int rc = frz_table_tag(r->t, "old", &o, &r->e);
    return rc == FRZ_NOT_FOUND ? FRZ_OK : rc; /* done by a call that failed behind the commit */
}
static int do_upgrade(struct rig *r) { return frz_table_upgrade(r->t, 3, &r->e); }
static int do_expire(struct rig *r)
{
    frz_expire_options o = FRZ_EXPIRE_OPTIONS_INIT;
    o.by_time = true;
    o.older_than_ms = INT64_MAX;
    o.keep_last = 1;
    return frz_table_expire(r->t, &o, NULL, NULL, &r->e);
}
static int do_set(struct rig *r)
{
    const char *keys[] = {"owner", "frazil.retention"}, *values[] = {"me", "all:4,1h:4"};
    return frz_table_set_properties(r->t, keys, values, 2, &r->e);
}
static int upgrade_and_put(struct rig *r)
{
    put(r, 152, "fourth"); /* masks in the file of noise, which has position deletes */
    return do_upgrade(r);
}
static int do_publish(struct rig *r) { return frz_table_flush(r->t, &r->e); }

/* ── and whether it is done ── */

static bool has_tag(struct rig *r, const char *name)
{
    frz_snapshot *s;
    int rc = frz_snapshot_open_ref(r->t, name, &s, &r->e);
    if (rc == FRZ_NOT_FOUND) return false;
    OK(rc, &r->e);
    frz_snapshot_close(s);
    return true;
}
static bool is_tagged(struct rig *r) { return has_tag(r, "new"); }
static bool is_untagged(struct rig *r) { return !has_tag(r, "old"); }
static bool is_upgraded(struct rig *r) { return frz_table_format_version(r->t) == 3; }
static int count_one(void *ctx, const frz_snapshot_info *i) { return (void)i, ++*(int *)ctx, 0; }
static bool is_expired(struct rig *r)
{
    int n = 0;
    OK(frz_table_snapshots(r->t, count_one, &n, &r->e), &r->e);
    assert_true(n == 1 || n == 3); /* the tag is of the current one */
    return n == 1;
}
static bool is_set(struct rig *r)
{
    frz_blob *owner = NULL, *ladder = NULL;
    int rc = frz_table_property(r->t, "owner", &owner, &r->e), also = frz_table_property(r->t, "frazil.retention", &ladder, &r->e);
    frz_blob_free(owner);
    frz_blob_free(ladder);
    assert_int_equal(rc, also);
    return rc == FRZ_OK;
}
static bool is_published(struct rig *r)
{
    struct version *now = frz__version_acquire(r->t->t);
    bool is = now->meta->next_row_id > 0;
    frz__version_release(now);
    return is;
}

struct deed { const char *name; int (*before)(struct rig *), (*run)(struct rig *); bool (*done)(struct rig *); };
static const struct deed ops[] = {
    {"tag", NULL, do_tag, is_tagged},       {"untag", NULL, do_untag, is_untagged}, {"upgrade", NULL, do_upgrade, is_upgraded},
    {"expire", NULL, do_expire, is_expired}, {"set", NULL, do_set, is_set},          {"publish", upgrade_and_put, do_publish, is_published},
};

static void rows_are_there(struct rig *r)
{
    for (int64_t i = 0; i < ROWS; i++) has(r, i, i % 4 == 0 ? "logged" : i % 2 == 0 ? "second" : "first");
    has(r, 150, "second");
    has(r, 151, "third");
    rig_verify(r);
}

static void dies(const struct deed *op, uint64_t seed)
{
    struct rig r;
    int64_t base = begin(&r);
    size_t done = 0;
    if (op->before) OK(op->before(&r), &r.e);
    base += op->before != NULL;
    images.count = 0;
    images.seed = seed;
    frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.on_change = take});
    OK(op->run(&r), &r.e);
    frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
    for (size_t i = 0; i < images.count; i++) {
        struct rig x = {.fs = images.at[i], .o = r.o, .format = 2};
        rig_open(&x);
        bool is = op->done(&x);
        struct version *now = frz__version_acquire(x.t->t);
        if (now->number != base + is) fail_msg("%s: after %zu calls it is %sdone, at version %d", op->name, i + 1, is ? "" : "not ", (int)now->number);
        frz__version_release(now);
        rows_are_there(&x);
        OK(op->run(&x), &x.e); /* again, or for the first time */
        assert_true(op->done(&x));
        rows_are_there(&x);
        done += is;
        rig_close(&x);
        frz__fs_free(images.at[i]);
    }
    if (done < 1 || images.count - done < 2) fail_msg("%s: %zu images, %zu of them behind the commit", op->name, images.count, done);
    rig_clear(&r);
}

TEST(crash_snapshots, hazard_08_metadata_commits_are_whole_or_not_there_wherever_the_process_dies)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(ops); i++)
        for (uint64_t seed = 0; seed < 2; seed++) dies(&ops[i], seed);
}

TEST(crash_snapshots, a_call_that_fails_leaves_all_as_it_was_or_all_done_and_the_next_one_does_it)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(ops); i++) {
        size_t failures = 0;
        for (uint64_t n = 1;; n++) {
            struct rig r;
            begin(&r);
            if (ops[i].before) OK(ops[i].before(&r), &r.e);
            frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.fail_call = n});
            int rc = ops[i].run(&r);
            bool last = frz__fs_fault_counts(r.fs).calls < n;
            frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
            failures += rc != FRZ_OK;
            if (rc == FRZ_OK) assert_true(ops[i].done(&r));
            OK(ops[i].run(&r), &r.e);
            assert_true(ops[i].done(&r));
            rows_are_there(&r);
            rig_close(&r);
            rig_open(&r);
            assert_true(ops[i].done(&r));
            rows_are_there(&r);
            rig_clear(&r);
            if (last) break;
        }
        assert_true(failures >= 3);
    }
}
