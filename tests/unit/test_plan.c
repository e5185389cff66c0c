/* Goal: a table that takes writes for ever keeps few runs, little garbage and few files, for a bounded amount of rewriting, whatever the writes are like; no plan undoes another's work.
 * Method: files made up here, flushed and compacted in a simulation that does what the plan says; random states for the invariants of a single plan. */
#include <stdio.h>
#include <stdlib.h>
#include "frz_test.h"
#include "base/coding.h"
#include "base/rand.h"
#include "engine/plan.h"
#include "view/reloc.h"

static frz_error err;
#define FILES_MAX 4000
#define KEYS 1000000u

struct sim_file { uint8_t keys[2][4]; uint32_t lo, hi; double rows, dead; uint8_t level; bool busy, foreign; };
struct sim {
    struct sim_file files[FILES_MAX];
    size_t count;
    double flushed, rewritten; /* rows */
    unsigned steps;
    double by_reason[PLAN_MANUAL + 1];
    struct plan_options o;
};
#define ROW 100u /* bytes */

static struct plan_options options(void)
{
    return (struct plan_options){.ratio = 6, .level0_runs_max = 4, .runs_max = 3, .masked_percent = 25, .small_files = 8, .base_bytes = 40000 * ROW, .target_bytes = 100000 * ROW, .input_bytes_max = 1000000ull * ROW,
                                 .files_max = RELOC_INPUTS_MAX, .open_max = RELOC_INPUTS_MAX};
}

static size_t describe(struct sim *s, struct plan_file *out)
{
    for (size_t i = 0; i < s->count; i++) {
        struct sim_file *f = &s->files[i];
        store_u32_be(f->keys[0], f->lo);
        store_u32_be(f->keys[1], f->hi);
        out[i] = (struct plan_file){.bytes = (uint64_t)f->rows * ROW, .rows = (uint64_t)f->rows, .dead = (uint64_t)f->dead, .first = slice_of(f->keys[0], 4), .last = slice_of(f->keys[1], 4), .level = f->level,
                                    .busy = f->busy, .foreign = f->foreign};
    }
    return s->count;
}

static void add(struct sim *s, uint32_t lo, uint32_t hi, double rows, uint8_t level)
{
    assert_true(s->count < FILES_MAX);
    s->files[s->count++] = (struct sim_file){.lo = lo, .hi = hi, .rows = rows, .level = level};
}

static size_t open_at_once(const struct plan *p, const struct plan_file *files)
{
    size_t most = 0;
    for (size_t i = 0; i < p->count; i++) { /* where one begins */
        const struct plan_file *f = &files[p->inputs[i]];
        size_t n = 0;
        for (size_t k = 0; k < p->count; k++) {
            const struct plan_file *g = &files[p->inputs[k]];
            n += slice_cmp(g->first, f->first) <= 0 && slice_cmp(g->last, f->first) >= 0;
        }
        if (n > most) most = n;
    }
    return most;
}

static void check(const struct plan *p, const struct plan_file *files, size_t count, const struct plan_options *o)
{
    uint64_t bytes = 0;
    assert_true(p->count <= o->files_max);
    assert_true(open_at_once(p, files) <= o->open_max);
    for (size_t i = 0; i < p->count; i++) {
        assert_true(p->inputs[i] < count);
        const struct plan_file *f = &files[p->inputs[i]];
        assert_false(f->busy || f->foreign);
        for (size_t k = 0; k < i; k++) assert_true(p->inputs[k] != p->inputs[i]);
        bytes += f->rows ? (uint64_t)((double)f->bytes * (double)(f->rows - f->dead) / (double)f->rows) : 0;
    }
    assert_int_equal(bytes, p->input_bytes);
    if (p->count) assert_true(p->output_bytes > 0 && p->reason != PLAN_NOTHING);
}

/* Inputs → their live rows in pieces, one after another over the range that the inputs span. */
static bool step(struct sim *s)
{
    static struct plan_file files[FILES_MAX];
    struct plan p;
    double rows = 0;
    uint32_t lo = UINT32_MAX, hi = 0;
    size_t n = describe(s, files), kept = 0;
    OK(frz__plan_pick(NULL, files, n, &s->o, &p, &err), &err);
    check(&p, files, n, &s->o);
    if (!p.count) return false;
    for (size_t i = 0; i < p.count; i++) {
        struct sim_file *f = &s->files[p.inputs[i]];
        rows += f->rows - f->dead;
        if (f->lo < lo) lo = f->lo;
        if (f->hi > hi) hi = f->hi;
        f->rows = -1;
    }
    for (size_t i = 0; i < s->count; i++)
        if (s->files[i].rows >= 0) s->files[kept++] = s->files[i];
    s->count = kept;
    size_t pieces = (size_t)(rows * ROW / (double)p.output_bytes) + 1;
    double width = ((double)hi - lo + 1) / (double)pieces;
    for (size_t i = 0; i < pieces && rows >= 1; i++) add(s, lo + (uint32_t)(width * (double)i), lo + (uint32_t)(width * (double)(i + 1)) - 1, rows / (double)pieces, p.level);
    s->rewritten += rows;
    s->by_reason[p.reason] += rows;
    s->steps++;
    frz__free(NULL, p.inputs);
    return true;
}

static void settle(struct sim *s)
{
    unsigned before = s->steps;
    while (step(s)) assert_true(s->steps - before < 5000); /* it ends */
}

/* A flush of ROWS keys of [lo, hi], each of which lives elsewhere with the share that the range is full. */
static void flush(struct sim *s, uint32_t lo, uint32_t hi, double rows)
{
    for (size_t i = 0; i < s->count; i++) {
        struct sim_file *f = &s->files[i];
        uint32_t from = f->lo > lo ? f->lo : lo, to = f->hi < hi ? f->hi : hi;
        if (from > to) continue;
        double live = (f->rows - f->dead) * ((double)to - from + 1) / ((double)f->hi - f->lo + 1);
        f->dead += live * rows / ((double)hi - lo + 1);
    }
    add(s, lo, hi, rows, 0);
    s->flushed += rows;
}

static struct plan_debt debt(struct sim *s)
{
    static struct plan_file files[FILES_MAX];
    struct plan_debt d;
    OK(frz__plan_debt(NULL, files, describe(s, files), &s->o, &d, &err), &err);
    return d;
}

static double live(const struct sim *s) { double n = 0; for (size_t i = 0; i < s->count; i++) n += s->files[i].rows - s->files[i].dead; return n; }
static double all(const struct sim *s) { double n = 0; for (size_t i = 0; i < s->count; i++) n += s->files[i].rows; return n; }
static size_t runs(struct sim *s)
{
    static struct plan_file files[FILES_MAX];
    static struct key_range ranges[FILES_MAX];
    static uint32_t by_key[FILES_MAX];
    static struct run r[FILES_MAX];
    size_t count = 0, n = describe(s, files);
    for (size_t i = 0; i < n; i++) ranges[i] = (struct key_range){files[i].first, files[i].last, false};
    OK(frz__runs_build(NULL, ranges, n, by_key, r, &count, &err), &err);
    return count;
}

TEST(plan, random_upserts_keep_runs_garbage_and_rewriting_bounded)
{
    static struct sim s;
    for (unsigned k = 1; k < 6; k += 2) {
        s = (struct sim){.o = options()};
        s.o.runs_max = k;
        size_t most_runs = 0;
        double most_space = 0;
        for (int i = 0; i < 1500; i++) {
            flush(&s, 0, KEYS - 1, 10000);
            settle(&s);
            size_t r = runs(&s);
            double space = all(&s) / live(&s);
            if (r > most_runs) most_runs = r;
            if (i > 300 && space > most_space) most_space = space;
        }
        print_message("up to %u runs a level: %zu files, at most %zu runs, space %.2f, rows written %.1f times\n", k, s.count, most_runs, most_space, 1 + s.rewritten / s.flushed);
        assert_true(most_runs <= 4 + 3 * k + 2);
        assert_true(most_space < 2);
        assert_true(s.rewritten / s.flushed < 16);
        assert_true(s.count < 200);
    }
}

/* New rows all over the keys, with the bounds of 64 MiB of memory: a compaction reads 14 runs at once and a few million rows, much less than a level has. It keeps up with as many rows as are written for each that is
 * put where there is memory (about nine); and where it has less time than that, files wait, but not more and more. */
TEST(plan, a_load_in_little_memory_is_not_rewritten_over_and_over)
{
    static const struct { double rows_max, speed, written_max; size_t runs_max; } t[] = {{8e6, 1e9, 12, 12}, {4e6, 1e9, 11, 12}, {2e6, 1e9, 14, 12}, {8e6, 7, 9, 200}, {4e6, 6, 8, 200}};
    static struct sim s;
    const double flushed = 36000;
    for (size_t k = 0; k < FRZ_ARRAY_LEN(t); k++) {
        double credit = 0;
        size_t most_runs = 0;
        s = (struct sim){.o = options()};
        s.o.ratio = 8;
        s.o.runs_max = frz__plan_runs_max(0, 1000, 8);
        s.o.base_bytes = 1290000ull * ROW;
        s.o.target_bytes = 262144ull * ROW;
        s.o.input_bytes_max = (uint64_t)t[k].rows_max * ROW;
        s.o.open_max = 14;
        for (int i = 0; i < 1600; i++) {
            flush(&s, 0, UINT32_MAX - 1, flushed);
            for (credit += t[k].speed * flushed; credit > 0;) {
                double before = s.rewritten;
                if (!step(&s)) credit = 0;
                credit -= s.rewritten - before;
            }
            size_t r = runs(&s);
            if (r > most_runs) most_runs = r;
        }
        print_message("%.0f million rows, %.0f at once: %zu files, at most %zu runs, rows written %.1f times\n", 1600 * flushed / 1e6, t[k].rows_max / 1e6, s.count, most_runs, 1 + s.rewritten / s.flushed);
        assert_true(1 + s.rewritten / s.flushed < t[k].written_max && most_runs <= t[k].runs_max);
        settle(&s);
        assert_true(runs(&s) <= 4 + s.o.runs_max + 2);
    }
}

/* A table of a million rows; nine updates in ten are of a hundredth of the keys, in small flushes. */
TEST(plan, hot_keys_in_small_flushes_are_not_rewritten_for_each)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    for (int i = 0; i < 100; i++) {
        flush(&s, 0, KEYS - 1, 10000);
        settle(&s);
    }
    s.flushed = s.rewritten = 0;
    s.steps = 0;
    memset(s.by_reason, 0, sizeof s.by_reason);
    double most_space = 0;
    for (int i = 0; i < 3000; i++) {
        if (i % 10) flush(&s, 500000, 509999, 1000);
        else flush(&s, 0, KEYS - 1, 1000);
        settle(&s);
        double space = all(&s) / live(&s);
        if (space > most_space) most_space = space;
    }
    print_message("%zu files, %u steps for 3000 flushes, space %.2f, rows written %.1f times: for runs %.1f, size %.1f, garbage %.1f, small files %.1f\n", s.count, s.steps, most_space, 1 + s.rewritten / s.flushed,
                  s.by_reason[PLAN_RUNS] / s.flushed, s.by_reason[PLAN_SIZE] / s.flushed, s.by_reason[PLAN_MASKED] / s.flushed, s.by_reason[PLAN_SMALL] / s.flushed);
    assert_true(most_space < 1.6);
    assert_true(s.steps < 1200);
    assert_true(s.rewritten / s.flushed < 14); /* 35 if the few rows of each merge went down at once */
}

TEST(plan, keys_that_only_grow_are_hardly_rewritten_and_leave_few_files)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    for (uint32_t i = 0; i < 2000; i++) {
        add(&s, i * 400, i * 400 + 399, 2000, 0);
        s.flushed += 2000;
        settle(&s);
    }
    print_message("%zu files, rows written %.1f times\n", s.count, 1 + s.rewritten / s.flushed);
    assert_true(s.count < 120);
    assert_true(s.rewritten / s.flushed < 4);
    assert_int_equal(runs(&s), 1);
}

TEST(plan, deleted_rows_go)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    for (int i = 0; i < 100; i++) flush(&s, 0, KEYS - 1, 10000);
    settle(&s);
    for (size_t i = 0; i < s.count; i++) s.files[i].dead += (s.files[i].rows - s.files[i].dead) * 0.6;
    settle(&s);
    assert_true(all(&s) / live(&s) < 1.34);
}

TEST(plan, a_manual_compaction_leaves_one_run_without_dead_rows_and_then_nothing_to_do)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    for (int i = 0; i < 600; i++) flush(&s, (uint32_t)i * 7 % 1000, KEYS - 1 - (uint32_t)i, 1000); /* more than one job may take */
    s.o.whole = true;
    settle(&s);
    assert_int_equal(runs(&s), 1);
    assert_true(all(&s) - live(&s) < 1);
    unsigned before = s.steps;
    settle(&s);
    assert_int_equal(s.steps, before);
}

TEST(plan, a_manual_compaction_of_much_leaves_nothing_to_do_by_itself)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    for (uint32_t i = 0; i < 40; i++) add(&s, i, KEYS - 1 - i, 20000, 0); /* more than level 1 has room for */
    assert_true((uint64_t)live(&s) * ROW > frz__plan_capacity(&s.o, 1));
    s.o.whole = true;
    settle(&s);
    assert_int_equal(runs(&s), 1);
    double before = s.rewritten;
    s.o.whole = false;
    settle(&s);
    assert_true(s.rewritten == before);
}

TEST(plan, a_manual_compaction_of_a_range_leaves_the_rest_alone)
{
    static struct sim s;
    uint8_t from[4], to[4];
    s = (struct sim){.o = options()};
    for (uint32_t i = 0; i < 10; i++) {
        add(&s, i * 1000, i * 1000 + 999, 500, 1);
        add(&s, i * 1000 + 500, i * 1000 + 900, 50, 0);
    }
    store_u32_be(from, 3200);
    store_u32_be(to, 4600);
    s.o.whole = true;
    s.o.from = slice_of(from, 4);
    s.o.to = slice_of(to, 4);
    settle(&s);
    assert_int_equal(s.count, 17); /* 3 and 4 became one file */
}

TEST(plan, a_manual_compaction_of_more_than_one_job_may_read_goes_by_windows)
{
    static struct sim s;
    for (int k = 0; k < 2; k++) {
        s = (struct sim){.o = options()};
        if (k) s.o.open_max = 16;
        else s.o.files_max = 16;
        for (uint32_t i = 0; i < 40; i++) add(&s, i, KEYS - 1 - i, 20000, 1); /* all of them everywhere: a group that no job can hold */
        s.o.whole = true;
        settle(&s);
        assert_int_equal(runs(&s), 1);
        assert_true(s.rewritten < 4 * live(&s));
        assert_true(s.count <= 2 * (size_t)(live(&s) * ROW / (double)s.o.target_bytes) + 1); /* its pieces were joined */
    }
}

TEST(plan, a_manual_compaction_says_what_it_would_rewrite_and_why)
{
    static struct sim s;
    static struct plan_file files[FILES_MAX];
    enum plan_reason why[8];
    size_t order[8], planned;
    struct plan p;
    s = (struct sim){.o = options()};
    s.o.whole = true;
    add(&s, 0, 999, 90000, 2); /* clean, and large enough */
    add(&s, 1000, 1999, 90000, 2);
    s.files[1].dead = 1;
    add(&s, 2000, 2999, 90000, 2);
    add(&s, 2500, 3500, 90000, 1);
    add(&s, 4000, 4999, 90000, 0); /* as it was flushed */
    add(&s, 5000, 5999, 10000, 3);
    add(&s, 6000, 6999, 10000, 3);
    s.files[2].busy = true;
    size_t n = describe(&s, files);
    OK(frz__plan_scope(NULL, files, n, &s.o, why, order, &planned, &err), &err);
    assert_int_equal(planned, 6);
    for (size_t i = 0; i < planned; i++) assert_int_equal(order[i], i + 1);
    static const enum plan_reason wanted[] = {PLAN_NOTHING, PLAN_MASKED, PLAN_RUNS, PLAN_RUNS, PLAN_MANUAL, PLAN_SMALL, PLAN_SMALL};
    for (size_t i = 0; i < n; i++) assert_int_equal(why[i], wanted[i]);
    OK(frz__plan_pick(NULL, files, n, &s.o, &p, &err), &err);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.inputs[0], 1);
    frz__free(NULL, p.inputs);
    settle(&s);
    n = describe(&s, files);
    OK(frz__plan_pick(NULL, files, n, &s.o, &p, &err), &err);
    assert_int_equal(p.count, 0);
    assert_true(p.blocked); /* the two that overlap, one of them busy */
}

TEST(plan, what_is_busy_or_foreign_is_left_alone_and_any_state_comes_to_rest)
{
    static struct sim s;
    struct rng r = {test_seed(44)};
    for (int round = 0; round < 300; round++) {
        s = (struct sim){.o = options()};
        s.o.whole = rng_below(&r, 5) == 0;
        s.o.masked_percent = (unsigned)rng_below(&r, 50) + (s.o.whole ? 0 : 1);
        s.o.runs_max = 1 + (unsigned)rng_below(&r, 5);
        s.o.input_bytes_max = (1000 + rng_below(&r, 1000000)) * ROW;
        s.o.files_max = 2 + rng_below(&r, 30);
        s.o.open_max = 2 + rng_below(&r, 30);
        size_t n = rng_below(&r, 120);
        for (size_t i = 0; i < n; i++) {
            uint32_t lo = (uint32_t)rng_below(&r, KEYS), width = (uint32_t)rng_below(&r, rng_below(&r, 2) ? 1000 : KEYS);
            double rows = (double)(1 + rng_below(&r, rng_below(&r, 2) ? 100 : 200000));
            if (rows > width + 1) rows = width + 1;
            add(&s, lo, lo + width, rows, (uint8_t)rng_below(&r, 5));
            s.files[i].dead = rng_below(&r, 3) ? 0 : (double)rng_below(&r, (uint64_t)rows);
            s.files[i].busy = rng_below(&r, 12) == 0;
            s.files[i].foreign = rng_below(&r, 12) == 0;
        }
        size_t stuck = 0, later = 0;
        for (size_t i = 0; i < s.count; i++) stuck += s.files[i].busy || s.files[i].foreign;
        settle(&s);
        for (size_t i = 0; i < s.count; i++) later += s.files[i].busy || s.files[i].foreign;
        assert_int_equal(stuck, later);
        if (s.o.whole) continue;
        for (size_t i = 0; i < s.count; i++) s.files[i].busy = false;
        settle(&s);
        struct plan_debt d = debt(&s); /* nothing to do is nothing owed: nobody waits for it */
        if (d.runs || d.bytes) fail_msg("round %d: at rest, and %llu runs and %llu bytes are owed", round, (unsigned long long)d.runs, (unsigned long long)d.bytes);
    }
}

TEST(plan, a_file_that_overlaps_none_does_not_keep_the_last_level_from_being_mended)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    add(&s, 0, 1000, 90000, 1);
    add(&s, 500, 700, 80000, 1);
    add(&s, 2000, 2100, 100, 1); /* the run of the one above ends first: it goes behind it */
    assert_int_equal(debt(&s).runs, 1);
    settle(&s);
    assert_int_equal(debt(&s).runs, 0);
    assert_true(s.steps > 0);
}

TEST(plan, small_neighbours_are_merged_where_fewer_may_be_merged_at_once_than_are_wanted)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    s.o.files_max = 2;
    for (uint32_t i = 0; i < 64; i++) add(&s, i * 1000, i * 1000 + 10, 1, 0);
    settle(&s);
    assert_true(s.count <= 8);
}

/* ── what a plan costs ── */

#define MANY 10000u
struct many { struct plan_file files[MANY]; uint8_t keys[MANY][2][4]; size_t count; };

static void put_file(struct many *m, uint8_t level, uint32_t lo, uint32_t hi, uint64_t bytes)
{
    size_t i = m->count++;
    store_u32_be(m->keys[i][0], lo);
    store_u32_be(m->keys[i][1], hi);
    m->files[i] = (struct plan_file){.bytes = bytes, .rows = bytes, .first = slice_of(m->keys[i][0], 4), .last = slice_of(m->keys[i][1], 4), .level = level};
}

static void is_cheap(struct many *m, enum plan_reason why)
{
    struct plan_options o = options();
    struct plan p;
    assert_int_equal(m->count, MANY);
    OK(frz__plan_pick(NULL, m->files, m->count, &o, &p, &err), &err);
    check(&p, m->files, m->count, &o);
    assert_int_equal(p.reason, why);
    assert_true(p.count >= 2);
    assert_in_range(p.compared, 1, MANY * 100); /* each with each would be a hundred times as much */
    frz__free(NULL, p.inputs);
}

TEST(plan, of_ten_thousand_files_compares_few_keys)
{
    static struct many m;
    m.count = 0; /* too much on a level, each file of which overlaps two below */
    for (uint32_t i = 0; i < MANY / 2; i++) put_file(&m, 1, i * 100 + 50, i * 100 + 149, 200 * ROW);
    for (uint32_t i = 0; i < MANY / 2; i++) put_file(&m, 2, i * 100, i * 100 + 99, 200 * ROW);
    is_cheap(&m, PLAN_SIZE);
    m.count = 0; /* flushes of everything over many files */
    for (uint32_t i = 0; i < 20; i++) put_file(&m, 0, 0, UINT32_MAX, 10000 * ROW);
    for (uint32_t i = 20; i < MANY; i++) put_file(&m, 1, i * 100, i * 100 + 99, 20 * ROW);
    is_cheap(&m, PLAN_RUNS);
    m.count = 0; /* a row of flushes of the same keys, and many files that these do not meet */
    for (uint32_t i = 0; i < MANY / 2; i++) put_file(&m, 0, 7, 9, 10 * ROW);
    for (uint32_t i = 0; i < MANY / 2; i++) put_file(&m, 1, i * 100 + 10, i * 100 + 99, 1 * ROW);
    is_cheap(&m, PLAN_RUNS);
    m.count = 0; /* the last level's files overlap their neighbours, the smallest come last */
    for (uint32_t i = 0; i < MANY; i++) put_file(&m, 1, i * 100, i * 100 + 150, ROW + (MANY - i) / 10);
    is_cheap(&m, PLAN_RUNS);
}

TEST(plan, debt_says_how_far_behind_compaction_is_without_steps)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    assert_true(debt(&s).runs == 0 && debt(&s).bytes == 0 && debt(&s).live == 0);
    for (int i = 0; i < 300; i++) {
        flush(&s, 0, KEYS - 1, 10000);
        settle(&s);
    }
    struct plan_debt before = debt(&s), d;
    assert_true(before.runs == 0 && before.bytes == 0 && before.live > (uint64_t)(live(&s) * ROW * 0.99) && before.live < (uint64_t)(live(&s) * ROW * 1.01));
    uint64_t wait = 0;
    for (size_t i = 0; i < s.count; i++) wait += s.files[i].level == 0;
    for (uint64_t i = 1; i <= 200; i++, before = d) { /* compaction stands still */
        flush(&s, 0, KEYS - 1, 10000);
        d = debt(&s);
        assert_int_equal(d.runs, wait + i > s.o.level0_runs_max ? wait + i - s.o.level0_runs_max : 0);
        assert_true(d.bytes >= before.bytes);
        assert_true(d.bytes - before.bytes <= 10000ull * ROW * (s.o.ratio + 2) * 3); /* a flush owes what it costs on its way down, not a level */
    }
    assert_true(d.bytes > 150 * 10000ull * ROW);
    for (size_t i = 0; i < s.count; i++) s.files[i].busy = true; /* being compacted is not compacted */
    assert_true(debt(&s).runs == d.runs && debt(&s).bytes == d.bytes);
    for (size_t i = 0; i < s.count; i++) s.files[i].busy = false, s.files[i].foreign = true; /* nobody's to compact */
    assert_true(debt(&s).runs == 0 && debt(&s).bytes == 0);
    for (size_t i = 0; i < s.count; i++) s.files[i].foreign = false;
    settle(&s);
    assert_true(debt(&s).runs == 0 && debt(&s).bytes == 0);
}

TEST(plan, garbage_owes_what_is_beyond_the_share_that_is_let_be)
{
    static struct sim s;
    s = (struct sim){.o = options()};
    add(&s, 0, 1000, 1000, 1);
    for (unsigned dead = 0; dead <= 1000; dead += 50) {
        s.files[0].dead = dead;
        uint64_t want = dead > 250 ? (dead - 250) * ROW : 0;
        assert_in_range(debt(&s).bytes, want ? want - 1 : 0, want);
    }
    s.files[0].dead = 300;
    settle(&s);
    assert_int_equal(debt(&s).bytes, 0);
}

TEST(plan, upper_levels_follow_the_mix_of_reads_and_writes)
{
    assert_int_equal(frz__plan_runs_max(1000, 0, 8), 1);
    assert_int_equal(frz__plan_runs_max(0, 1000, 8), 7);
    assert_in_range(frz__plan_runs_max(0, 0, 8), 2, 6);
    unsigned before = 1;
    for (uint64_t puts = 0; puts <= 1000; puts += 10) {
        unsigned k = frz__plan_runs_max(1000 - puts, puts, 8);
        assert_true(k >= before);
        before = k;
    }
    assert_int_equal(frz__plan_runs_max(1, 1, 2), 1);
}
