/* Goal    writers are paced by what files owe: slowed before they are stopped, at the speed that compaction has, stopped with a reason, woken by a compaction's end, never stopped for what nobody is at.
 * Method  the pure functions by tables and a fluid model; compaction held at a fail point, made to fail by a full disk, slowed by its own rate limit. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/coding.h"
#include "base/failpoint.h"
#include "base/rand.h"
#include "engine/flow.h"
#include "options_kit.h"

/* ── pure ── */

TEST(flow_files, limits_make_a_level)
{
    static const struct { uint64_t now, slow, stop; double fraction; bool hard; } rows[] = {
        {100, 0, 0, 0, false},                                                             /* off */
        {10, 10, 30, 0, true},   {20, 10, 30, 0.5, true},  {30, 10, 30, 1, true},           /* both */
        {9, 10, 0, 0, false},    {15, 10, 0, 0.5, false},  {1000, 10, 0, 1, false},         /* slowed only */
        {29, 0, 30, 0, true},    {30, 0, 30, 1, true},                                      /* stopped only */
        {29, 40, 30, 0, true},   {30, 40, 30, 1, true},    {30, 30, 30, 1, true},           /* the wrong way round: the stop counts */
        {0, 0, 1, 0, true},      {1, 0, 1, 1, true},
        {UINT64_MAX / 4, (uint64_t)1 << 50, (uint64_t)1 << 50, 1, true},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        struct flow_level l = frz__flow_files_level(rows[i].now, rows[i].slow, rows[i].stop);
        if (frz__flow_fraction(&l) != rows[i].fraction || l.hard != rows[i].hard) fail_msg("row %zu: %f", i, frz__flow_fraction(&l));
    }
}

/* Writers that would take all they get, against a compaction of one speed: the debt comes to rest between slow and stop, where both are as fast. */
TEST(flow_files, writers_settle_at_the_speed_of_compaction_below_the_stop)
{
    const double step = 0.04, fastest = 400e6, slow = 1e9, stop = 4e9;
    for (double digest = 2e6; digest < 300e6; digest *= 2.2)
        for (int known = 0; known < 2; known++) { /* how fast it is may be seen wrongly, by as much as ten times */
            double debt = 0, low = 1e18, high = 0, written = 0, fraction = 0;
            uint64_t drain = (uint64_t)(known ? digest : digest * 10);
            for (int i = 0; i < 60000; i++) {
                struct flow_level l = frz__flow_files_level((uint64_t)debt, (uint64_t)slow, (uint64_t)stop);
                fraction = frz__flow_fraction(&l);
                uint64_t price = frz__flow_price_ns(fraction, 1 << 20, drain);
                double rate = price ? (1 << 20) * 1e9 / (double)price : fastest;
                if (rate > fastest) rate = fastest;
                debt += (rate - digest) * step;
                if (debt < 0) debt = 0;
                if (i < 50000) continue;
                written += rate * step;
                if (fraction < low) low = fraction;
                if (fraction > high) high = fraction;
            }
            double settled = written / (10000 * step);
            if (high >= 1 || high - low > 0.01 || settled < digest * 0.95 || settled > digest * 1.05) fail_msg("at %.0f: %.0f, between %f and %f", digest, settled, low, high);
        }
}

/* ── a database ── */

/* Runs of files that overlap and that no flush absorbs: the later ones are much smaller. Five, of 0.4 MB. */
static void make_runs(struct fix *f)
{
    static const int64_t sizes[] = {600, 240, 100, 40, 14};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(sizes); i++) {
        for (int64_t k = 0; k < sizes[i]; k++) fix_put(f, k * (1000000 / sizes[i]) * 64 + (int64_t)i, k * (1000000 / sizes[i]) * 64 + (int64_t)i + 1, 400, true);
        fix_flush(f);
    }
}
static void set(struct fix *f, const char *key, const char *value) { OK(frz_table_set_property(f->t, key, value, &f->e), &f->e); }
static int put_one(struct fix *f, int64_t id, uint32_t wait_max_ms)
{
    frz_write_options w = FRZ_WRITE_OPTIONS_INIT;
    static const uint8_t v[100];
    w.wait_max_ms = wait_max_ms;
    w.no_wait = !wait_max_ms;
    OK(frz_row_set_long(f->row, 0, id, &f->e), &f->e);
    OK(frz_row_set_bytes(f->row, 1, v, sizeof v, &f->e), &f->e);
    return frz_put(f->t, f->row, &w, &f->e);
}

struct stall_events { int begun, ended, runs; };
static int hear(void *ctx, const frz_event *e)
{
    struct stall_events *s = (struct stall_events *)ctx;
    s->begun += e->kind == FRZ_EVENT_STALL_BEGIN;
    s->ended += e->kind == FRZ_EVENT_STALL_END;
    s->runs += e->kind == FRZ_EVENT_STALL_BEGIN && strcmp(e->reason, "runs") == 0;
    return 0;
}

/* Stopped for runs, with no flush on its way, which may absorb a run and let writers on: it stays so. */
static bool at_rest(struct fix *f)
{
    for (int i = 0; i < 2; i++)
        if (stats(f).memtables_immutable > 0 || frz__flow_stopped_by(f->t->t) != FLOW_RUNS) return false;
    return true;
}

struct writer { struct fix *f; frz_row *row; _Atomic uint64_t done; _Atomic bool stop; int rc; frz_error e; };
static void *write_on(void *arg)
{
    struct writer *w = arg;
    struct rng rng = {11};
    static uint8_t v[500];
    while (!atomic_load(&w->stop)) {
        for (size_t i = 0; i < sizeof v; i += 8) store_u64(v + i % 496, rng_next(&rng));
        if (frz_row_set_long(w->row, 0, (int64_t)rng_below(&rng, 1000000), &w->e) != FRZ_OK || frz_row_set_bytes(w->row, 1, v, sizeof v, &w->e) != FRZ_OK) break;
        w->rc = frz_put(w->f->t, w->row, NULL, &w->e);
        if (w->rc != FRZ_OK) break;
        atomic_fetch_add(&w->done, 1);
    }
    return NULL;
}

TEST(flow_files, writers_are_slowed_then_stopped_and_a_compactions_end_wakes_them)
{
    struct fix f;
    struct stall_events heard = {0};
    pthread_t thread;
    frz_db_options o = quick();
    o.no_compaction = false;
    o.memtable_bytes = 65536;
    o.events_kept = 4096;
    fix_open(&f, &o, "frazil.level0-runs-max", "1");
    set(&f, "frazil.slowdown-runs", "2");
    set(&f, "frazil.stop-runs", "8");
    if (!frz__test_failpoint("compact.begin", "pause")) { /* not compiled in */
        fix_close(&f);
        return;
    }
    struct writer w = {.f = &f};
    OK(frz_row_new(f.t, &w.row, &f.e), &f.e);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
    SOON(stats(&f).stalls_runs > 0);
    frz_stats s = stats(&f);
    assert_int_equal(s.stalls, s.stalls_runs + s.stalls_memtables); /* a flush that absorbs a run may let a writer on for a while */
    assert_int_equal(s.stalls_debt, 0);
    OK(frz_db_events(f.db, 0, hear, &heard, &f.e), &f.e);
    assert_true(heard.runs > 0 && heard.begun >= heard.runs);
    SOON(at_rest(&f));
    s = stats(&f);
    assert_in_range(s.runs_beyond, 7, 8); /* with the active memtable's own, eight */
    FAILS(put_one(&f, -1, 0), FRZ_BUSY, &f.e);
    MESSAGE_HAS(&f.e, "sorted runs wait to be merged");
    FAILS(put_one(&f, -1, 20), FRZ_BUSY, &f.e);
    fix_flush(&f); /* what is in memory is published all the same */
    assert_true(stats(&f).runs_beyond <= 8);
    uint64_t before = atomic_load(&w.done);
    frz__test_failpoint_resume("compact.begin");
    SOON(atomic_load(&w.done) >= before + 200);
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    OK(w.rc, &w.e);
    s = stats(&f);
    assert_true(s.stall_runs_us_total >= 20000 && s.stall_runs_us_max <= s.stall_runs_us_total);
    assert_int_equal(s.stall_us_total, s.stall_memtables_us_total + s.stall_memory_us_total + s.stall_runs_us_total + s.stall_debt_us_total);
    heard = (struct stall_events){0};
    OK(frz_db_events(f.db, 0, hear, &heard, &f.e), &f.e);
    assert_int_equal(heard.begun, heard.ended);
    SOON(stats(&f).runs_beyond == 0); /* and compaction comes to its end */
    assert_true(stats(&f).digest_bytes_per_second > 0);
    frz_row_free(w.row);
    fix_close(&f);
}

/* A large one, whose price is beyond what a writer that was slow by itself has to its credit. */
TEST(flow_files, a_write_between_the_limits_is_slowed)
{
    enum { LARGE = 8 << 20 };
    struct fix f;
    frz_db_options o = quick();
    o.no_compaction = false;
    o.compaction_bytes_per_second = 1024;
    fix_open(&f, &o, "frazil.level0-runs-max", "1");
    set(&f, "frazil.slowdown-runs", "0");
    make_runs(&f);
    assert_int_equal(stats(&f).slowdowns, 0);
    set(&f, "frazil.stop-runs", "6");
    set(&f, "frazil.slowdown-runs", "2");
    uint8_t *v = test_calloc(1, LARGE);
    OK(frz_row_set_long(f.row, 0, -1, &f.e), &f.e);
    OK(frz_row_set_bytes(f.row, 1, v, LARGE, &f.e), &f.e);
    OK(frz_put(f.t, f.row, NULL, &f.e), &f.e);
    test_free(v);
    frz_stats s = stats(&f);
    assert_int_equal(s.slowdowns_runs, 1);
    assert_int_equal(s.slowdowns, 1);
    assert_true(s.slowdown_runs_us_max >= 1000 && s.slowdown_us_total >= s.slowdown_runs_us_max);
    fix_close(&f);
}

TEST(flow_files, a_stop_ends_with_the_limit_with_compaction_turned_off_and_with_the_table)
{
    struct fix f;
    frz_db_options o = quick();
    o.no_compaction = false;
    o.compaction_bytes_per_second = 1024; /* it stands still, so to say */
    fix_open(&f, &o, "frazil.level0-runs-max", "1");
    set(&f, "frazil.slowdown-runs", "0");
    make_runs(&f);
    OK(put_one(&f, -1, 0), &f.e);
    set(&f, "frazil.stop-runs", "4");
    FAILS(put_one(&f, -1, 1), FRZ_BUSY, &f.e);
    assert_true(stats(&f).runs_beyond >= 4);
    pthread_t thread;
    struct writer w = {.f = &f};
    OK(frz_row_new(f.t, &w.row, &f.e), &f.e);
    for (int i = 0; i < 3; i++) {
        SOON(frz__flow_stopped_by(f.t->t) == FLOW_RUNS); /* a compaction that was turned on again is at work */
        uint64_t stalls = stats(&f).stalls_runs;
        atomic_store(&w.stop, false);
        atomic_store(&w.done, 0);
        assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
        SOON(stats(&f).stalls_runs > stalls);
        assert_int_equal(atomic_load(&w.done), 0);
        if (i == 0) set(&f, "frazil.stop-runs", "0");
        if (i == 1) set(&f, "frazil.compaction-enabled", "0");
        if (i == 2) {
            fix_flush(&f); /* which is no end of it */
            OK(frz_table_drop(f.db, "t", &f.e), &f.e);
        } else SOON(atomic_load(&w.done) > 0);
        if (i < 2) atomic_store(&w.stop, true); /* else the drop ends it, wherever it is: the flush may have let it on */
        pthread_join(thread, NULL);
        assert_int_equal(w.rc, i < 2 ? FRZ_OK : FRZ_NOT_FOUND);
        if (i == 2) continue;
        set(&f, "frazil.compaction-enabled", "1");
        set(&f, "frazil.stop-runs", "4");
    }
    frz_row_free(w.row);
    fix_close(&f);
}

TEST(flow_files, nobody_waits_for_files_where_nothing_is_compacted_by_itself)
{
    struct fix f;
    frz_db_options o = quick();
    fix_open(&f, &o, "frazil.level0-runs-max", "1");
    set(&f, "frazil.slowdown-runs", "1");
    set(&f, "frazil.stop-runs", "1");
    make_runs(&f);
    assert_true(stats(&f).runs_beyond >= 4); /* it is told all the same */
    for (int64_t i = 0; i < 100; i++) OK(put_one(&f, -1 - i, 0), &f.e);
    assert_int_equal(stats(&f).stalls + stats(&f).slowdowns, 0);
    fix_close(&f);
}

TEST(flow_files, a_stop_whose_compaction_fails_gives_the_error_and_heals_with_it)
{
    struct fix f;
    frz_db_options o = quick();
    frz_health h = FRZ_INIT(frz_health);
    o.no_compaction = false;
    fix_open(&f, &o, "frazil.level0-runs-max", "1");
    set(&f, "frazil.slowdown-runs", "0");
    set(&f, "frazil.stop-runs", "4");
    if (!frz__test_failpoint("compact.begin", "nospace")) {
        fix_close(&f);
        return;
    }
    set(&f, "frazil.stop-runs", "0");
    make_runs(&f);
    SOON(stats(&f).compact_failures > 0);
    OK(frz_db_health(f.db, f.t, &h, &f.e), &f.e);
    assert_int_equal(h.severity, FRZ_HEALTH_DEGRADED);
    set(&f, "frazil.stop-runs", "4");
    FAILS(put_one(&f, -1, 100000), FRZ_NO_SPACE, &f.e); /* at once: no compaction may come for long */
    MESSAGE_HAS(&f.e, "sorted runs wait to be merged");
    OK(frz_db_health(f.db, f.t, &h, &f.e), &f.e);
    assert_int_equal(h.severity, FRZ_HEALTH_WRITES_STOPPED);
    assert_string_equal(h.part, "compaction");
    (void)frz__test_failpoint("compact.begin", "off");
    (void)!frz_db_resume(f.db, &f.e);
    SOON(stats(&f).runs_beyond == 0);
    OK(put_one(&f, -1, 100000), &f.e);
    OK(frz_db_health(f.db, f.t, &h, &f.e), &f.e);
    assert_int_equal(h.severity, FRZ_HEALTH_OK);
    fix_close(&f);
}

TEST(flow_files, a_slow_compaction_keeps_the_runs_below_the_stop)
{
    enum { ROWS = 12000, STOP = 6 };
    struct fix f;
    struct rng rng = {5};
    frz_db_options o = quick();
    uint64_t most = 0;
    o.no_compaction = false;
    o.memtable_bytes = 131072;
    o.compaction_bytes_per_second = 24 << 20;
    fix_open(&f, &o, "frazil.level0-runs-max", "1");
    set(&f, "frazil.level-base-bytes", "262144");
    set(&f, "frazil.slowdown-runs", "2");
    set(&f, "frazil.stop-runs", "6");
    for (int i = 0; i < ROWS; i++) {
        int64_t id = (int64_t)rng_below(&rng, 6000);
        fix_put(&f, id, id + 1, 300, true);
        if (i % 20) continue;
        uint64_t now = stats(&f).runs_beyond;
        if (now > most) most = now;
        assert_true(now <= STOP);
    }
    fix_flush(&f);
    assert_true(stats(&f).runs_beyond <= STOP);
    print_message("at most %llu runs too many; %llu writes slowed, %llu stopped\n", (unsigned long long)most, (unsigned long long)stats(&f).slowdowns_runs, (unsigned long long)stats(&f).stalls_runs);
    assert_true(stats(&f).slowdown_runs_us_max < 100000000);
    uint64_t n = 0;
    OK(frz_count(f.t, NULL, &n, &f.e), &f.e);
    assert_true(n > 5000 && n <= 6000);
    fix_close(&f);
}
