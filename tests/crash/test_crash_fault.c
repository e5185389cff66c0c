/* Goal    a process that dies at any call loses nothing that it acknowledged, under any policy; a call of the file system that fails gives a clear error and loses nothing, and all goes on when it works again.
 * Method  the script of crash_kit.h, with the process stopped, or a call failing, at the nth call, for every n that time allows. */
#include "crash_kit.h"

#include "base/failpoint.h"

static struct kit k;

static void begin(uint64_t seed, size_t steps, int durability)
{
    memset(&k, 0, sizeof k);
    k.options = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    k.options.create = true;
    k.options.no_compaction = true; /* operations are counted: one thread does them */
    k.options.durability = durability;
    k.options.sync_interval_ms = 3600000;
    k.options.log_segment_bytes = 131072;
    k.options.memory_bytes = 8 << 20;
    kit_draw(&k, seed, steps, true);
}

static bool state_is(const struct kit_state *want)
{
    struct kit_state st;
    kit_look(&k, &st);
    return kit_same(&st, want);
}

static void must_be(const struct kit_state *want, const char *what)
{
    struct kit_state st;
    kit_look(&k, &st);
    if (kit_same(&st, want)) return;
    print_error("%s:\n", what);
    kit_print_difference(&st, want);
    fail();
}

static void reboot_to(uint64_t seed)
{
    frz_error e;
    struct fs *old = k.fs;
    OK(frz__fs_fault_reboot(old, seed, &k.fs, &e), &e);
    frz__fs_free(old);
}

static uint64_t calls_of_script(uint64_t seed)
{
    frz_error e;
    int rc;
    OK(frz__fs_fault_new(NULL, seed, &k.fs, &e), &e);
    (void)kit_run(&k, &rc);
    RC(rc, FRZ_OK, &k.err);
    uint64_t n = frz__fs_fault_counts(k.fs).calls;
    frz__fs_free(k.fs);
    return n;
}

/* ── the process dies ── */

static void stop_at(uint64_t n)
{
    frz_error e;
    char what[128];
    int rc;
    OK(frz__fs_fault_new(NULL, n, &k.fs, &e), &e);
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){.stop_call = n});
    size_t done = kit_run(&k, &rc);
    snprintf(what, sizeof what, "stopped at call %llu, in step %zu (%s)", (unsigned long long)n, done, done < k.count ? kit_kinds[k.steps[done].kind] : "close");
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){0});
    RC(kit_open(&k), FRZ_OK, &k.err);
    size_t at = done;
    if (!state_is(&k.after[at]) && done < k.count) at++;
    must_be(&k.after[at], what);
    kit_verify(k.db);
    /* what open took up stays, even if the power goes now */
    frz__fs_fault_cut(k.fs);
    (void)kit_close(&k);
    reboot_to(0);
    strcat(what, ", then a power cut");
    RC(kit_open(&k), FRZ_OK, &k.err);
    must_be(&k.after[at], what);
    kit_verify(k.db);
    kit_no_orphans(&k);
    RC(kit_close(&k), FRZ_OK, &k.err);
    frz__fs_free(k.fs);
}

static void sweep(uint64_t seed, size_t steps, int durability, double seconds, void (*at)(uint64_t n))
{
    double until = kit_now() + kit_seconds(seconds);
    begin(seed, steps, durability);
    uint64_t calls = calls_of_script(seed), did = 0, stride = calls / 3 | 1;
    while (stride > 1 && calls % stride == 0) stride -= 2;
    for (uint64_t i = 0, n = seed % calls; i < calls && (i < 8 || kit_now() < until); i++, did++) {
        at(n + 1);
        n = (n + stride) % calls;
    }
    print_message("%llu of %llu calls\n", (unsigned long long)did, (unsigned long long)calls);
}

TEST(process_crash, loses_nothing_acknowledged_under_full) { sweep(test_seed(1) + 1, 40, FRZ_SYNC_FULL, 4, stop_at); }
TEST(process_crash, loses_nothing_acknowledged_under_off) { sweep(test_seed(1) + 2, 40, FRZ_SYNC_OFF, 4, stop_at); }

/* ── a call fails ── */

static struct fs_fault_plan fault;

static bool is_clear(int rc) { return rc == FRZ_IO || rc == FRZ_NO_SPACE; }

static void open_again(const char *what)
{
    int rc = FRZ_OK;
    for (int tries = 0; tries < 8 && !k.db; tries++) {
        rc = kit_open(&k);
        if (rc == FRZ_OK) return;
        if (!is_clear(rc)) {
            print_error("%s: open gives %s: %s\n", what, frz_status_name(rc), k.err.message);
            fail();
        }
        if (k.db) (void)kit_close(&k); /* a table could not be opened */
    }
    RC(rc, FRZ_OK, &k.err);
}

static void fault_at(uint64_t n)
{
    frz_error e;
    char what[160];
    struct kit_state now = {0};
    bool open_tables[KIT_TABLES];
    OK(frz__fs_fault_new(NULL, n, &k.fs, &e), &e);
    fault.fail_call = n;
    frz__fs_fault_plan(k.fs, &fault);
    open_again("the first open");
    for (size_t i = 0; i < k.count; i++) {
        const struct kit_step *s = &k.steps[i];
        int rc = FRZ_OK;
        for (int tries = 0; tries < 8; tries++) {
            for (int t = 0; t < KIT_TABLES; t++) open_tables[t] = k.t[t] != NULL;
            rc = kit_do(&k, i);
            if (rc == FRZ_OK) break;
            snprintf(what, sizeof what, "call %llu fails: step %zu (%s) gives %s", (unsigned long long)n, i, kit_kinds[s->kind], frz_status_name(rc));
            if (!is_clear(rc)) {
                print_error("%s: %s\n", what, k.err.message);
                fail();
            }
            assert_true(k.err.message[0] != 0);
            if (!k.db) open_again(what);
            if (s->kind == KIT_REOPEN) {
                rc = FRZ_OK; /* it is closed, and open */
                break;
            }
            (void)open_tables;
            if (fault.fail_calls <= 1 && s->kind != KIT_CREATE && s->kind != KIT_DROP && s->kind != KIT_PROPERTY) must_be(&now, what);
        }
        if (rc != FRZ_OK) {
            print_error("%s, and again and again: %s\n", what, k.err.message);
            fail();
        }
        kit_apply(s, i, &now);
    }
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){0});
    snprintf(what, sizeof what, "call %llu failed; at the end", (unsigned long long)n);
    must_be(&now, what);
    kit_verify(k.db);
    if (n % 2) {
        frz__fs_fault_cut(k.fs);
        (void)kit_close(&k);
        reboot_to(0);
        snprintf(what, sizeof what, "call %llu failed; after a power cut at the end", (unsigned long long)n);
    } else {
        RC(kit_close(&k), FRZ_OK, &k.err);
        snprintf(what, sizeof what, "call %llu failed; after a reopen at the end", (unsigned long long)n);
    }
    if (kit_open(&k) != FRZ_OK) print_error("%s:\n", what);
    RC(k.db ? FRZ_OK : FRZ_IO, FRZ_OK, &k.err);
    must_be(&now, what);
    kit_verify(k.db);
    kit_no_orphans(&k);
    RC(kit_close(&k), FRZ_OK, &k.err);
    frz__fs_free(k.fs);
}

TEST(hazard_11, one_failing_call_loses_nothing)
{
    fault = (struct fs_fault_plan){.error = FS_FAULT_EIO};
    sweep(test_seed(1) + 3, 40, FRZ_SYNC_FULL, 6, fault_at);
}
TEST(hazard_11, three_failing_calls_lose_nothing)
{
    fault = (struct fs_fault_plan){.error = FS_FAULT_EIO, .fail_calls = 3};
    sweep(test_seed(1) + 4, 40, FRZ_SYNC_FULL, 3, fault_at);
}
TEST(hazard_11, a_short_write_on_a_full_disk_loses_nothing)
{
    fault = (struct fs_fault_plan){.error = FS_FAULT_SHORT};
    sweep(test_seed(1) + 5, 40, FRZ_SYNC_FULL, 6, fault_at);
}

/* ── the disk is full for a while ── */

TEST(disk_full, writes_say_so_reads_go_on_and_all_resumes)
{
    frz_error e;
    struct kit_state now;
    begin(test_seed(1) + 6, 60, FRZ_SYNC_FULL);
    OK(frz__fs_fault_new(NULL, 1, &k.fs, &e), &e);
    int rc;
    (void)kit_run(&k, &rc);
    RC(rc, FRZ_OK, &k.err);
    now = k.after[k.count];
    RC(kit_open(&k), FRZ_OK, &k.err);
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){.no_space = true});
    const struct kit_step put = {.kind = KIT_PUT, .count = 1, .at = {{0, 3, true}}};
    for (int i = 0; i < 5; i++) {
        RC(kit_write(&k, &put, 500), FRZ_NO_SPACE, &k.err);
        assert_true(k.err.message[0] != 0);
        must_be(&now, "while the disk is full");
    }
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){0});
    RC(kit_write(&k, &put, 500), FRZ_OK, &k.err);
    now.v[0][3] = 500;
    /* a write that only the flush finds no room for */
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){.no_space = true});
    RC(frz_table_flush(k.t[0], &k.err), FRZ_NO_SPACE, &k.err);
    must_be(&now, "after a flush that found no room");
    frz_stats st = {.struct_size = sizeof st};
    OK(frz_db_stats(k.db, k.t[0], &st, &e), &e);
    assert_true(st.flush_failures >= 1);
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){0});
    RC(frz_table_flush(k.t[0], &k.err), FRZ_OK, &k.err);
    must_be(&now, "after the disk has room again");
    kit_verify(k.db);
    kit_no_orphans(&k);
    RC(kit_close(&k), FRZ_OK, &k.err);
    frz__fs_free(k.fs);
}

/* ── the tests above can fail ── */

TEST(power_cut, without_file_syncs_rows_are_lost)
{
    frz_error e;
    int rc;
    begin(test_seed(1) + 8, 30, FRZ_SYNC_FULL);
    OK(frz__fs_fault_new(NULL, 1, &k.fs, &e), &e);
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){.ignore_file_syncs = true});
    (void)kit_run(&k, &rc);
    RC(rc, FRZ_OK, &k.err);
    reboot_to(0);
    bool same = kit_open(&k) == FRZ_OK && state_is(&k.after[k.count]);
    if (k.db) (void)kit_close(&k);
    frz__fs_free(k.fs);
    assert_false(same);
}
TEST(power_cut, without_directory_syncs_rows_are_lost)
{
    frz_error e;
    int rc;
    begin(test_seed(1) + 8, 30, FRZ_SYNC_FULL);
    OK(frz__fs_fault_new(NULL, 1, &k.fs, &e), &e);
    frz__fs_fault_plan(k.fs, &(struct fs_fault_plan){.ignore_dir_syncs = true});
    (void)kit_run(&k, &rc);
    RC(rc, FRZ_OK, &k.err);
    reboot_to(0);
    bool same = kit_open(&k) == FRZ_OK && state_is(&k.after[k.count]);
    if (k.db) (void)kit_close(&k);
    frz__fs_free(k.fs);
    assert_false(same);
}
