/* Goal    each sync of the engine is needed, and there are enough of them: with all of them no cut of the power at any change loses what was acknowledged; without any single one some cut does.
 * Method  each name of sync_site.h has a scenario, which is a short script of crash_kit.h's steps. While it runs, at every call that changes or syncs, what a cut at that moment would leave is taken as an image, by several seeds;
 *         between steps each image is opened and looked at. A scenario may have a first process die, or a call fail, at each call of one of its steps, and is then about what the next process, or try, relies on. */
#include "crash_kit.h"

#define OPENING SIZE_MAX /* a step: the first open */
enum how { RUNS, DIES, FAILS_ONCE, COPIED };
struct scenario {
    const char *name;
    void (*script)(void);
    enum how how;
    size_t step; /* in which the first process dies, or a call fails; or before which .frazil is taken away, as from a copy of the warehouse */
    int durability; /* of the first process */
};

static struct kit k, probe; /* large */
static unsigned every; /* each change of so many is looked at: not all of a step that only fills the log; 0 = none, before a call fails */

/* ── scripts ── */

static struct kit_step *add(enum kit_kind kind, uint8_t table)
{
    struct kit_step *s = &k.steps[k.count];
    *s = (struct kit_step){.kind = kind, .table = table};
    k.count++;
    return s;
}
/* Keys FROM … FROM + COUNT - 1. */
static struct kit_step *put(uint8_t table, uint8_t from, unsigned count)
{
    struct kit_step *s = add(KIT_BATCH, table);
    s->count = count;
    for (unsigned i = 0; i < count; i++) s->at[i] = (struct kit_change){table, (uint8_t)(from + i), true};
    return s;
}
static void del(uint8_t table, uint8_t key)
{
    struct kit_step *s = add(KIT_DELETE, table);
    s->count = 1;
    s->at[0] = (struct kit_change){table, key, false};
}
/* More than a segment of the log. */
static void roll(uint8_t table) { put(table, 20, 12)->repeat = 40; }

static void script_life(void)
{
    for (uint8_t t = 0; t < 2; t++) {
        add(KIT_CREATE, t);
        for (uint8_t i = 0; i < 3; i++) put(t, (uint8_t)(12 * i), 12);
        add(KIT_FLUSH, t);
        del(t, 5); /* a flush that only deletes absorbs no file: it masks a row */
        add(KIT_FLUSH, t);
        put(t, 6, 1);
    }
    add(KIT_REOPEN, 0)->publish = true;
    put(0, 7, 1);
}
static void compact_one(uint8_t t)
{
    add(KIT_CREATE, t);
    put(t, 0, 12);
    put(t, 12, 12);
    add(KIT_FLUSH, t);
    del(t, 5);
    add(KIT_FLUSH, t);
    put(t, 6, 1); /* published by the compaction itself */
    add(KIT_COMPACT, t);
    put(t, 30, 2);
}
static void script_compact(void) { compact_one(0); }
static void script_compact_both(void)
{
    compact_one(0);
    compact_one(1);
}
static void script_log(void)
{
    add(KIT_CREATE, 0);
    add(KIT_CREATE, 1);
    put(0, 0, 12);
    roll(0);
    add(KIT_FLUSH, 0); /* the log's older segments become spares */
    roll(1);
    roll(1);
    put(0, 3, 1);
}
static void script_drop(void)
{
    add(KIT_CREATE, 0);
    add(KIT_CREATE, 2);
    put(2, 0, 12);
    add(KIT_FLUSH, 2);
    add(KIT_DROP, 2);
    roll(0);
    add(KIT_FLUSH, 0); /* the log forgets the drop */
    roll(0);
    put(0, 1, 1);
}
static void script_publish(void)
{
    add(KIT_CREATE, 0);
    add(KIT_CREATE, 1);
    put(0, 0, 12);
    roll(0);
    add(KIT_FLUSH, 0);
    roll(1);
    roll(1);
}
static void script_writes(void)
{
    add(KIT_CREATE, 0);
    for (uint8_t i = 0; i < 4; i++) put(0, i, 12);
    put(0, 30, 1);
    put(0, 31, 1);
}

static const struct scenario life = {"tables are made, filled and published", script_life, RUNS, 0, FRZ_SYNC_FULL},
    log_rolls = {"the log grows, is recycled and grows", script_log, RUNS, 0, FRZ_SYNC_FULL},
    drops = {"a table is dropped, and the log forgets it", script_drop, RUNS, 0, FRZ_SYNC_FULL},
    dies_opening = {"the process that makes the warehouse dies", script_writes, DIES, OPENING, FRZ_SYNC_FULL},
    dies_writing = {"a process that never synced dies", script_writes, DIES, 4, FRZ_SYNC_OFF},
    dies_publishing = {"a process dies while it publishes", script_publish, DIES, 4, FRZ_SYNC_FULL},
    dies_dropping = {"a process dies while it drops a table", script_drop, DIES, 4, FRZ_SYNC_FULL},
    copied = {"a warehouse is copied without .frazil, and written", script_writes, COPIED, 3, FRZ_SYNC_FULL},
    compacts = {"files are rewritten", script_compact_both, RUNS, 0, FRZ_SYNC_FULL},
    dies_compacting = {"a process dies while it rewrites files", script_compact, DIES, 7, FRZ_SYNC_FULL},
    compacts_in_doubt = {"a call of a compaction fails", script_compact, FAILS_ONCE, 7, FRZ_SYNC_FULL},
    doubt = {"a call of a commit fails", script_publish, FAILS_ONCE, 4, FRZ_SYNC_FULL};

static const struct scenario *const scenario_of[SYNC_TEST] = {
    [SYNC_ROOT_DIR] = &copied, [SYNC_LOG_PARENT] = &dies_opening, [SYNC_LOG_DIR] = &log_rolls, [SYNC_LOG_SEGMENT] = &life, [SYNC_LOG_OLD_SEGMENT] = &dies_writing,
    [SYNC_NAMESPACE_PARENT] = &life, [SYNC_NAMESPACE_DIR] = &life, [SYNC_TABLE_DIR] = &life, [SYNC_FIRST_METADATA] = &life, [SYNC_FIRST_METADATA_DIR] = &life, [SYNC_FIRST_HINT] = &life,
    [SYNC_FIRST_HINT_DIR] = &life, [SYNC_DATA_FILE] = &life, [SYNC_DELETE_FILE] = &life, [SYNC_DELETION_VECTOR] = &life, [SYNC_MANIFEST] = &life, [SYNC_MANIFEST_LIST] = &life,
    [SYNC_MANIFEST_DIR] = &life, [SYNC_DATA_DIR] = &life, [SYNC_METADATA] = &life, [SYNC_METADATA_DIR] = &log_rolls, [SYNC_HINT] = &life, [SYNC_DROPPED_DIR] = &drops,
    [SYNC_SETTLE_METADATA] = &dies_publishing, [SYNC_SETTLE_NAMESPACE] = &dies_dropping, [SYNC_DOUBT_DIR] = &doubt,
};
#define X(name, what, without) [SYNC_##name] = {#name, what, without},
static const struct { const char *name, *what, *without; } sites[SYNC_SITE_COUNT] = {FRZ_SYNC_SITES(X)};
#undef X

/* ── images ── */

#define SEEDS 3 /* nothing that was not synced; the last change of a name alone; a part */
static struct {
    enum sync_site without;
    struct fs *at[4096];
    size_t count;
    uint64_t taken;
    char why[600]; /* the first loss that was found; empty = none */
} images;

/* What a cut now leaves. Before the first sync that is left out there is nothing to find that the run with all of them does not. */
static void take_images(void *ctx, struct fs *fs)
{
    frz_error e;
    (void)ctx;
    if (!every || frz__fs_fault_counts(fs).changes % every) return;
    if (images.why[0] || (images.without && !frz__fs_fault_counts(fs).site[images.without])) return;
    for (uint64_t i = 0; i < SEEDS; i++) {
        assert_true(images.count < FRZ_ARRAY_LEN(images.at));
        OK(frz__fs_fault_reboot(fs, i < 2 ? 2 * i : 3 + images.taken++, &images.at[images.count++], &e), &e);
    }
}

static void loss(const char *fmt, ...) FRZ_PRINTF(1, 2);
static void loss(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(images.why, sizeof images.why, fmt, ap);
    va_end(ap);
}

static int on_finding(void *ctx, const frz_finding *f)
{
    (void)ctx;
    loss("%s: %s: %s", f->table, f->where, f->what);
    return 1;
}

/* FS as it is must hold one of the states before steps LO … HI, whole. */
static void look_at(struct fs *fs, size_t lo, size_t hi)
{
    struct kit_state st;
    bool must[KIT_TABLES];
    for (int i = 0; i < KIT_TABLES; i++) must[i] = k.after[lo].exists[i] && k.after[hi].exists[i];
    bool hints = kit_hints_hold(fs, must);
    probe = (struct kit){.fs = fs, .options = k.options};
    probe.options.no_close_flush = true;
    frz_verify_report r = {.struct_size = sizeof r};
    int rc = kit_open(&probe);
    if (rc == FRZ_OK) rc = kit_try_look(&probe, &st, &probe.err);
    bool same = false;
    for (size_t i = lo; rc == FRZ_OK && i <= hi; i++) same = same || kit_same(&st, &k.after[i]);
    if (rc != FRZ_OK) loss("%s", probe.err.message);
    else if (!same) loss("the state is not that before step %zu, nor any up to that before step %zu", lo, hi);
    else if (frz_verify(probe.db, NULL, on_finding, NULL, &r, &probe.err) != FRZ_OK && !images.why[0]) loss("verify: %s", probe.err.message);
    else if (!hints) loss("a version-hint.text is absent, or names no version");
    if (probe.db) (void)kit_close(&probe);
}
static void look_at_images(size_t lo, size_t hi, const char *when)
{
    for (size_t i = 0; i < images.count; i++) {
        if (!images.why[0]) {
            look_at(images.at[i], lo, hi);
            size_t n = strlen(images.why);
            if (n) snprintf(images.why + n, sizeof images.why - n, " (cut in step %zu, %s, image %zu of %zu)", hi ? hi - 1 : 0, when, i, images.count);
        }
        frz__fs_free(images.at[i]);
    }
    images.count = 0;
}

/* ── a run ── */

static void begin(const struct scenario *s)
{
    memset(&k, 0, sizeof k);
    k.options = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    k.options.create = true;
    k.options.no_compaction = true; /* operations are counted: one thread does them */
    k.options.durability = s->durability;
    k.options.sync_interval_ms = 3600000;
    k.options.log_segment_bytes = 131072;
    k.options.memory_bytes = 8 << 20;
    s->script();
    for (size_t i = 0; i < k.count; i++) {
        k.after[i + 1] = k.after[i];
        kit_apply(&k.steps[i], i, &k.after[i + 1]);
    }
}

/* From step FROM on, all acknowledged means durable; a step that fails is tried again. */
static void go_on(const struct scenario *s, size_t from)
{
    for (size_t i = from; i < k.count && !images.why[0]; i++) {
        int rc = FRZ_IO;
        every = s->how == FAILS_ONCE && i < s->step ? 0 : k.steps[i].repeat ? (s->step ? 32 : 8) : s->step && !images.without ? 3 : 1; /* with a step, it is done for each of its calls */
        for (int tries = 0; rc != FRZ_OK && tries < 4; tries++) rc = kit_do(&k, i);
        RC(rc, FRZ_OK, &k.err);
        look_at_images(i, i + 1, "during it");
        every = every ? 1 : 0;
        take_images(NULL, k.fs);
        look_at_images(i + 1, i + 1, "after it");
    }
}

/* Calls up to the beginning and the end of step I. */
static void calls_of(const struct scenario *s, uint64_t *from, uint64_t *to)
{
    frz_error e;
    begin(s);
    OK(frz__fs_fault_new(NULL, 1, &k.fs, &e), &e);
    *from = 0;
    RC(kit_open(&k), FRZ_OK, &k.err);
    for (size_t i = 0; s->step != OPENING && i <= s->step; i++) {
        *from = frz__fs_fault_counts(k.fs).calls;
        RC(kit_do(&k, i), FRZ_OK, &k.err);
    }
    *to = frz__fs_fault_counts(k.fs).calls;
    (void)kit_close(&k);
    frz__fs_free(k.fs);
}

/* Up to the call that stops it; then the state that the next process finds is the script's before the step or behind it: where that one goes on. */
static size_t die(const struct scenario *s, uint64_t call, const struct fs_fault_plan *plan)
{
    int rc;
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){.stop_call = call});
    size_t done = kit_run(&k, &rc);
    frz__fs_fault_plan(k.fs, plan);
    k.options.durability = FRZ_SYNC_FULL;
    struct kit_state st;
    RC(kit_open(&k), FRZ_OK, &k.err);
    kit_look(&k, &st);
    bool further = done < k.count && kit_same(&st, &k.after[done + 1]);
    if (!further && !kit_same(&st, &k.after[done])) fail_msg("%s: call %u: the state is neither that before step %u nor that behind it", s->name, (unsigned)call, (unsigned)done);
    look_at_images(s->durability == FRZ_SYNC_FULL ? done : 0, done + further, "at the next open");
    take_images(NULL, k.fs);
    look_at_images(done + further, done + further, "after the next open");
    return done + further;
}

/* .frazil goes between steps, with all published. */
static int on_wal_name(void *ctx, const char *name, bool is_dir)
{
    char path[300];
    frz_error e;
    (void)is_dir;
    snprintf(path, sizeof path, ".frazil/wal/%s", name);
    OK(frz__fs_unlink((struct fs *)ctx, path, &e), &e);
    return 0;
}
static size_t copy(const struct scenario *s, const struct fs_fault_plan *plan)
{
    frz_error e;
    RC(kit_open(&k), FRZ_OK, &k.err);
    for (size_t i = 0; i < s->step; i++) RC(kit_do(&k, i), FRZ_OK, &k.err);
    RC(kit_close(&k), FRZ_OK, &k.err);
    OK(frz__fs_list(k.fs, ".frazil/wal", on_wal_name, k.fs, &e), &e);
    OK(frz__fs_unlink(k.fs, ".frazil/LOCK", &e), &e);
    OK(frz__fs_rmdir(k.fs, ".frazil/wal", &e), &e);
    OK(frz__fs_rmdir(k.fs, ".frazil", &e), &e);
    OK(frz__fs_sync_dir(k.fs, "", SYNC_TEST, &e), &e);
    frz__fs_fault_plan(k.fs, plan);
    RC(kit_open(&k), FRZ_OK, &k.err);
    look_at_images(s->step, s->step, "at the open of the copy");
    return s->step;
}

/* S without the syncs of SITE. True: something was lost. *MET: the site was passed. */
static bool run(const struct scenario *s, enum sync_site site, uint64_t met[SYNC_SITE_COUNT])
{
    const struct fs_fault_plan plan = {.ignore_site = site, .on_change = take_images};
    frz_error e;
    uint64_t from = 0, to = 1;
    images.without = site;
    images.why[0] = 0;
    images.taken = 0;
    if (s->how == DIES || s->how == FAILS_ONCE) calls_of(s, &from, &to);
    for (uint64_t call = to; call > from && !images.why[0]; call--) {
        every = s->how == FAILS_ONCE ? 0 : 1;
        struct fs_fault_plan now = plan;
        begin(s);
        OK(frz__fs_fault_new(NULL, call, &k.fs, &e), &e);
        if (s->how == FAILS_ONCE) now.fail_call = call;
        size_t at = 0;
        if (s->how == DIES) at = die(s, call, &now);
        else if (s->how == COPIED) at = copy(s, &now);
        else {
            frz__fs_fault_plan(k.fs, &now);
            RC(kit_open(&k), FRZ_OK, &k.err);
            look_at_images(0, 0, "at the first open");
        }
        go_on(s, at);
        for (size_t i = 0; i < SYNC_SITE_COUNT; i++) met[i] += frz__fs_fault_counts(k.fs).site[i];
        frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){0});
        if (k.db) (void)kit_close(&k);
        frz__fs_free(k.fs);
    }
    return images.why[0] != 0;
}

/* ── the claims ── */

static void all_syncs(const struct scenario *s)
{
    uint64_t met[SYNC_SITE_COUNT] = {0};
    if (run(s, SYNC_NONE, met)) fail_msg("%s: with every sync: %s", s->name, images.why);
    for (size_t i = 0; i < SYNC_TEST; i++)
        if (scenario_of[i] == s && !met[i]) fail_msg("%s: meets no sync of %s", s->name, sites[i].what);
    assert_int_equal(met[SYNC_NONE], 0); /* none is without a name */
}
TEST(sync, enough_while_tables_are_made_filled_and_published) { all_syncs(&life); }
TEST(sync, enough_while_the_log_is_recycled) { all_syncs(&log_rolls); }
TEST(sync, enough_for_a_drop_that_the_log_forgot) { all_syncs(&drops); }
TEST(sync, enough_after_a_process_that_made_the_warehouse_died) { all_syncs(&dies_opening); }
TEST(sync, enough_after_a_process_that_never_synced_died) { all_syncs(&dies_writing); }
TEST(sync, enough_after_a_process_that_was_publishing_died) { all_syncs(&dies_publishing); }
TEST(sync, enough_after_a_process_that_was_dropping_died) { all_syncs(&dies_dropping); }
TEST(sync, enough_for_a_copy_without_its_log) { all_syncs(&copied); }
TEST(sync, enough_while_files_are_rewritten) { all_syncs(&compacts); }
TEST(sync, enough_after_a_process_that_was_rewriting_files_died) { all_syncs(&dies_compacting); }
TEST(sync, enough_after_a_call_of_a_compaction_failed) { all_syncs(&compacts_in_doubt); }
TEST(sync, enough_after_a_commit_in_doubt) { all_syncs(&doubt); }

static void without(enum sync_site site)
{
    uint64_t met[SYNC_SITE_COUNT] = {0};
    if (!scenario_of[site]) fail_msg("%s has no scenario", sites[site].name);
    bool lost = run(scenario_of[site], site, met);
    if (!met[site]) fail_msg("%s: meets no sync of %s", scenario_of[site]->name, sites[site].what);
    if (!lost) fail_msg("the sync of %s can be left out and nothing is lost: %s", sites[site].what, scenario_of[site]->name);
    print_message("without: %s\n", images.why);
}
#define X(name, what, why) TEST(sync_left_out, name) { without(SYNC_##name); }
FRZ_SYNC_SITES(X)
#undef X
