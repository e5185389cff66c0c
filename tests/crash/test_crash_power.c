/* Goal    after a power cut at any moment what was acknowledged under sync=full is there, what was not is there whole or not at all, and nothing else is (design.md §7).
 * Method  a script runs on a file system that drops what was not synced; the power is cut at its nth change, for every n that time allows; what survives is drawn by several seeds. FRZ_CRASH_SECONDS
 *         and FRZ_SEED make it longer and other. */
#include "crash_kit.h"

static struct kit k; /* large */

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
    kit_draw(&k, seed, steps, durability == FRZ_SYNC_FULL);
}

/* The state after the power came back is one of those before steps [LO, HI]; which one. */
static size_t check_state(size_t lo, size_t hi, const char *what)
{
    struct kit_state st;
    RC(kit_open(&k), FRZ_OK, &k.err);
    kit_look(&k, &st);
    for (size_t i = hi + 1; i-- > lo;)
        if (kit_same(&st, &k.after[i])) return i;
    print_error("%s: the state is none of those before steps %zu … %zu; against that before step %zu (%s), to which %s leads:\n", what, lo, hi, hi, hi < k.count ? kit_kinds[k.steps[hi].kind] : "end",
                hi ? kit_kinds[k.steps[hi - 1].kind] : "nothing");
    kit_print_difference(&st, &k.after[hi]);
    fail();
    return 0;
}

static uint64_t changes_of_script(uint64_t fs_seed)
{
    frz_error e;
    int rc;
    OK(frz__fs_fault_new(NULL, fs_seed, &k.fs, &e), &e);
    size_t done = kit_run(&k, &rc);
    RC(rc, FRZ_OK, &k.err);
    assert_int_equal(done, k.count);
    uint64_t n = frz__fs_fault_counts(k.fs).changes;
    (void)check_state(k.count, k.count, "without a cut");
    kit_verify(k.db);
    kit_no_orphans(&k);
    RC(kit_close(&k), FRZ_OK, &k.err);
    frz__fs_free(k.fs);
    return n;
}

/* Cut at change N; what is there afterwards, by SEED. */
static void cut_at(uint64_t n, const uint64_t *seeds, size_t seed_count, uint64_t again, bool full)
{
    frz_error e;
    char what[160];
    int rc;
    struct fs *fs;
    OK(frz__fs_fault_new(NULL, n, &fs, &e), &e);
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.cut_change = n});
    k.fs = fs;
    size_t done = kit_run(&k, &rc);
    size_t hi = done < k.count ? done + 1 : done, lo = full ? done : k.durable;
    for (size_t s = 0; s < seed_count; s++) {
        snprintf(what, sizeof what, "cut at change %llu (in step %zu, %s), seed %llu", (unsigned long long)n, done, done < k.count ? kit_kinds[k.steps[done].kind] : "close", (unsigned long long)seeds[s]);
        OK(frz__fs_fault_reboot(fs, seeds[s], &k.fs, &e), &e);
        if (again) { /* and once more, while it recovers */
            struct fs *twice = k.fs;
            frz__fs_fault_plan(twice, &(struct fs_fault_plan){.cut_change = 1 + again % 40});
            if (kit_open(&k) == FRZ_OK) (void)kit_close(&k);
            if (k.db) (void)kit_close(&k);
            OK(frz__fs_fault_reboot(twice, seeds[s], &k.fs, &e), &e);
            frz__fs_free(twice);
        }
        size_t at = check_state(lo, hi, what);
        kit_verify(k.db);
        if (s == 0) kit_no_orphans(&k);
        RC(kit_close(&k), FRZ_OK, &k.err);
        frz__fs_free(k.fs);
        (void)at;
    }
    frz__fs_free(fs);
}

static void sweep(uint64_t seed, size_t steps, int durability, double seconds)
{
    double until = kit_now() + kit_seconds(seconds);
    begin(seed, steps, durability);
    uint64_t changes = changes_of_script(seed), did = 0;
    /* every n, in an order that spreads, until time is up */
    uint64_t stride = changes / 2 | 1;
    while (stride > 1 && changes % stride == 0) stride -= 2;
    struct rng r = {seed};
    for (uint64_t i = 0, n = seed % changes; i < changes && (i < 8 || kit_now() < until); i++, did++) {
        const uint64_t seeds[] = {0, 2 + rng_next(&r) % 1000000};
        cut_at(n + 1, seeds, 2, i % 4 == 3 ? 1 + rng_next(&r) % 1000 : 0, durability == FRZ_SYNC_FULL);
        n = (n + stride * 7 + 1) % changes;
    }
    print_message("%llu of %llu changes\n", (unsigned long long)did, (unsigned long long)changes);
}

TEST(power_cut, keeps_what_sync_full_acknowledged) { sweep(test_seed(1), 40, FRZ_SYNC_FULL, 6); }
TEST(power_cut, keeps_what_sync_full_acknowledged_in_another_script) { sweep(test_seed(1) + 7, 60, FRZ_SYNC_FULL, 6); }
TEST(hazard_07, power_cut_under_interval_leaves_a_prefix_and_no_half_batch) { sweep(test_seed(1) + 20, 60, FRZ_SYNC_INTERVAL, 4); }
TEST(hazard_07, power_cut_under_off_leaves_a_prefix_and_no_half_batch) { sweep(test_seed(1) + 30, 60, FRZ_SYNC_OFF, 4); }
