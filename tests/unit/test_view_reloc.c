/* Goal: what is masked in a compaction's inputs while it runs is masked in its outputs, exactly. Method: random inputs, masks, merges and cuts beside arrays that say where each row went. */
#include <stdlib.h>
#include "frz_test.h"
#include "base/rand.h"
#include "view/reloc.h"

static frz_error err;
#define INPUTS_MAX 20
#define ROWS_MAX 3000

struct went { size_t file; uint64_t pos; bool written; };
struct seen { bool at[INPUTS_MAX * ROWS_MAX]; uint64_t ends[64]; size_t last_file; uint64_t count; };
static int hear(void *ctx, size_t file, const uint64_t *positions, size_t count)
{
    struct seen *s = (struct seen *)ctx;
    assert_true(count > 0);
    assert_true(s->count == 0 || file > s->last_file);
    s->last_file = file;
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || positions[i] > positions[i - 1]);
        uint64_t row = (file ? s->ends[file - 1] : 0) + positions[i];
        assert_false(s->at[row]);
        s->at[row] = true;
        s->count++;
    }
    return FRZ_OK;
}

static struct mask *mask_of(const struct mask *base, const bool *dead, uint64_t rows)
{
    static uint64_t positions[ROWS_MAX];
    size_t n = 0;
    struct mask *m = NULL;
    for (uint64_t i = 0; i < rows; i++)
        if (dead[i]) positions[n++] = i;
    if (n) OK(frz__mask_add(NULL, base, positions, n, &m, &err), &err);
    return m;
}

static void one_round(struct rng *r, size_t inputs, uint64_t rows_max)
{
    static bool dead[INPUTS_MAX][ROWS_MAX], later[INPUTS_MAX][ROWS_MAX], expected[INPUTS_MAX * ROWS_MAX];
    static struct went went[INPUTS_MAX][ROWS_MAX];
    static struct seen seen;
    struct reloc x, piece; /* of keys above all of x: as another thread merges it */
    size_t files = 0;
    uint64_t file_rows = 0;
    struct reloc_now now[INPUTS_MAX] = {0};
    struct mask *before[INPUTS_MAX] = {0};
    uint64_t at[INPUTS_MAX] = {0}, row = 0;
    uint32_t by_key[INPUTS_MAX];
    struct run runs[INPUTS_MAX];
    size_t run_count = 0;
    for (size_t i = 0; i < inputs; i++) by_key[i] = (uint32_t)i;
    for (size_t i = inputs; i > 1; i--) { /* runs of inputs in any order */
        size_t k = rng_below(r, i);
        uint32_t other = by_key[i - 1];
        by_key[i - 1] = by_key[k];
        by_key[k] = other;
    }
    for (size_t i = 0, n; i < inputs; i += n) {
        n = 1 + rng_below(r, inputs - i < 5 ? inputs - i : 5);
        runs[run_count++] = (struct run){(uint32_t)i, (uint32_t)n};
    }
    memset(&seen, 0, sizeof seen);
    memset(expected, 0, sizeof expected);
    memset(went, 0, sizeof went);
    OK(frz__reloc_init(&x, NULL, inputs, by_key, runs, run_count, &err), &err);
    OK(frz__reloc_init(&piece, NULL, inputs, by_key, runs, run_count, &err), &err);
    for (size_t i = 0; i < inputs; i++) {
        uint64_t rows = rng_below(r, rows_max + 1), share = rng_below(r, 4);
        for (uint64_t p = 0; p < rows; p++) {
            dead[i][p] = share && rng_below(r, 4) < share;
            later[i][p] = dead[i][p] || rng_below(r, 10) == 0;
        }
        before[i] = mask_of(NULL, dead[i], rows);
        x.inputs[i].rows = rows;
        x.inputs[i].mask = before[i];
        now[i].gone = rng_below(r, 8) == 0;
        now[i].mask = rng_below(r, 8) == 0 ? frz__mask_acquire(before[i]) : mask_of(before[i], later[i], rows);
        if (now[i].mask == before[i]) memcpy(later[i], dead[i], sizeof dead[i]);
    }
    size_t open = inputs;
    while (open) { /* any order of the runs; the inputs of each, and their rows, in their own */
        const struct run *run = &runs[rng_below(r, run_count)];
        size_t i = by_key[run->first];
        for (uint32_t k = 0; k < run->count; k++) {
            i = by_key[run->first + k];
            while (at[i] < x.inputs[i].rows && dead[i][at[i]]) at[i]++;
            if (at[i] < x.inputs[i].rows) break;
        }
        if (at[i] == x.inputs[i].rows) {
            open = 0;
            for (size_t k = 0; k < inputs; k++) open += at[k] < x.inputs[k].rows;
            continue;
        }
        uint64_t p = at[i]++;
        if (rng_below(r, 20) == 0) {
            OK(frz__reloc_leave(&piece, i, p, &err), &err);
            continue;
        }
        if (files < 50 && file_rows && rng_below(r, 200) == 0) {
            seen.ends[files++] = row;
            file_rows = 0;
            if (rng_below(r, 2)) {
                OK(frz__reloc_append(&x, &piece, &err), &err);
                OK(frz__reloc_init(&piece, NULL, inputs, by_key, runs, run_count, &err), &err);
            } else {
                OK(frz__reloc_next_file(&piece, &err), &err);
            }
        }
        OK(frz__reloc_add(&piece, i, &err), &err);
        went[i][p] = (struct went){files, row++, true};
        file_rows++;
    }
    OK(frz__reloc_append(&x, &piece, &err), &err);
    OK(frz__reloc_check(&x, &err), &err);
    OK(frz__reloc_translate(&x, now, hear, &seen, &err), &err);
    for (size_t i = 0; i < inputs; i++)
        for (uint64_t p = 0; p < x.inputs[i].rows; p++)
            if (went[i][p].written && !dead[i][p] && (now[i].gone || later[i][p])) expected[went[i][p].pos] = true;
    for (uint64_t k = 0; k < row; k++) assert_int_equal(seen.at[k], expected[k]);
    for (size_t i = 0; i < inputs; i++) {
        frz__mask_release(before[i]);
        frz__mask_release((struct mask *)(uintptr_t)now[i].mask);
    }
    frz__reloc_clear(&x);
}

TEST(view_reloc, hazard_06_what_is_masked_meanwhile_is_masked_in_the_outputs)
{
    struct rng r = {test_seed(6)};
    for (int round = 0; round < 300; round++) one_round(&r, 1 + rng_below(&r, round < 200 ? 4 : INPUTS_MAX), round % 3 ? 60 : ROWS_MAX);
}

static int any(void *ctx, size_t file, const uint64_t *positions, size_t count) { return FRZ_OK; }

TEST(view_reloc, a_row_that_came_back_to_life_is_a_conflict)
{
    static const struct { bool dead[4], later[4]; int rc; } t[] = {
        {{true, false, true, false}, {true, false, false, false}, FRZ_CONFLICT},  /* fewer */
        {{true, false, true, false}, {true, true, false, false}, FRZ_CONFLICT},   /* as many */
        {{true, false, true, false}, {false, true, true, true}, FRZ_CONFLICT},    /* more */
        {{false, true, false, false}, {false, false, false, false}, FRZ_CONFLICT}, /* none */
        {{true, false, true, false}, {true, true, true, true}, FRZ_OK},           {{true, false, true, false}, {true, false, true, false}, FRZ_OK},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(t); i++) {
        struct reloc x;
        struct mask *before = mask_of(NULL, t[i].dead, 4), *after = mask_of(NULL, t[i].later, 4);
        struct reloc_now now[1] = {{after, false}};
        OK(frz__reloc_init(&x, NULL, 1, NULL, NULL, 0, &err), &err);
        x.inputs[0].rows = 4;
        x.inputs[0].mask = before;
        for (size_t k = 0; k < 4; k++)
            if (!t[i].dead[k]) OK(frz__reloc_add(&x, 0, &err), &err);
        RC(frz__reloc_translate(&x, now, any, NULL, &err), t[i].rc, &err);
        if (t[i].rc) MESSAGE_HAS(&err, "came back to life");
        now[0].gone = true; /* all of it is dead */
        OK(frz__reloc_translate(&x, now, any, NULL, &err), &err);
        frz__reloc_clear(&x);
        frz__mask_release(before);
        frz__mask_release(after);
    }
}

static int never(void *ctx, size_t file, const uint64_t *positions, size_t count)
{
    fail();
    return FRZ_BUG;
}

TEST(view_reloc, without_inputs_or_news_tells_nothing)
{
    struct reloc x;
    struct reloc_now now[2] = {{0}};
    OK(frz__reloc_init(&x, NULL, 0, NULL, NULL, 0, &err), &err);
    OK(frz__reloc_check(&x, &err), &err);
    OK(frz__reloc_translate(&x, now, never, NULL, &err), &err);
    frz__reloc_clear(&x);
    OK(frz__reloc_init(&x, NULL, 2, NULL, NULL, 0, &err), &err);
    x.inputs[1].rows = 1;
    OK(frz__reloc_add(&x, 1, &err), &err);
    OK(frz__reloc_check(&x, &err), &err);
    OK(frz__reloc_translate(&x, now, never, NULL, &err), &err);
    frz__reloc_clear(&x);
    RC(frz__reloc_init(&x, NULL, RELOC_INPUTS_MAX + 1, NULL, NULL, 0, &err), FRZ_BUG, &err);
}

TEST(view_reloc, a_row_that_was_neither_written_nor_left_out_is_a_bug_said_aloud)
{
    struct reloc x;
    OK(frz__reloc_init(&x, NULL, 1, NULL, NULL, 0, &err), &err);
    x.inputs[0].rows = 3;
    OK(frz__reloc_add(&x, 0, &err), &err);
    OK(frz__reloc_leave(&x, 0, 1, &err), &err);
    RC(frz__reloc_check(&x, &err), FRZ_BUG, &err);
    assert_non_null(strstr(err.message, "input 0"));
    OK(frz__reloc_add(&x, 0, &err), &err);
    OK(frz__reloc_check(&x, &err), &err);
    frz__reloc_clear(&x);
}
