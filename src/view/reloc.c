#include "view/reloc.h"

#include <inttypes.h>

static int lay_runs(struct reloc *r, const uint32_t *by_key, const struct run *runs, frz_error *err)
{
    r->first = (uint32_t *)frz__alloc_array(r->a, r->run_count + 1, sizeof *r->first);
    if (!r->first) return frz__err_no_memory(err, r->run_count * sizeof *r->first);
    for (size_t i = 0; i < r->input_count; i++) r->inputs[i].next = UINT32_MAX;
    for (size_t k = 0; k < r->run_count; k++) {
        r->first[k] = runs ? by_key[runs[k].first] : (uint32_t)k;
        r->inputs[r->first[k]].run = (uint32_t)k;
        for (uint32_t i = 1; runs && i < runs[k].count; i++) {
            uint32_t input = by_key[runs[k].first + i];
            r->inputs[input].run = (uint32_t)k;
            r->inputs[by_key[runs[k].first + i - 1]].next = input;
        }
    }
    return FRZ_OK;
}

int frz__reloc_init(struct reloc *r, const allocator *a, size_t input_count, const uint32_t *by_key, const struct run *runs, size_t run_count, frz_error *err)
{
    *r = (struct reloc){.a = a, .input_count = input_count, .run_count = runs ? run_count : input_count};
    if (input_count > RELOC_INPUTS_MAX) return frz__err(err, FRZ_BUG, "a compaction of %zu files: at most %d", input_count, RELOC_INPUTS_MAX);
    r->bits = reloc_bits(r->run_count);
    r->inputs = (struct reloc_input *)frz__alloc_array(a, input_count + 1, sizeof *r->inputs);
    return r->inputs ? lay_runs(r, by_key, runs, err) : frz__err_no_memory(err, input_count * sizeof *r->inputs);
}

void frz__reloc_clear(struct reloc *r)
{
    for (size_t i = 0; r->inputs && i < r->input_count; i++) frz__free(r->a, r->inputs[i].left_out);
    for (size_t i = 0; i < r->block_count; i++) frz__free_large(r->a, r->blocks[i], RELOC_BLOCK_BYTES);
    frz__free(r->a, r->inputs);
    frz__free(r->a, r->first);
    frz__free(r->a, r->ends);
    frz__free(r->a, r->blocks);
    *r = (struct reloc){0};
}

/* ── which run a row came from ── */

static size_t run_at(const struct reloc *r, uint64_t row)
{
    if (r->bits == 0) return 0;
    uint64_t bit = row * r->bits, byte = bit / 8;
    return (size_t)(r->blocks[byte / RELOC_BLOCK_BYTES][byte % RELOC_BLOCK_BYTES] >> (bit % 8)) & (((size_t)1 << r->bits) - 1);
}

static int put_run(struct reloc *r, size_t run, frz_error *err)
{
    uint64_t bit = r->rows * r->bits, byte = bit / 8;
    size_t block = (size_t)(byte / RELOC_BLOCK_BYTES);
    if (r->bits && block == r->block_count) {
        TRY(frz__grow(r->a, (void **)&r->blocks, r->block_count, &r->block_cap, sizeof *r->blocks, err));
        uint8_t *b = (uint8_t *)frz__alloc_large(r->a, RELOC_BLOCK_BYTES);
        if (!b) return frz__err_no_memory(err, RELOC_BLOCK_BYTES);
        r->blocks[r->block_count++] = b;
    }
    if (r->bits) {
        uint8_t *at = &r->blocks[block][byte % RELOC_BLOCK_BYTES];
        *at = (uint8_t)(bit % 8 ? *at | run << bit % 8 : run);
    }
    r->rows++;
    return FRZ_OK;
}

int frz__reloc_add(struct reloc *r, size_t input, frz_error *err)
{
    FRZ_ASSERT(input < r->input_count);
    TRY(put_run(r, r->inputs[input].run, err));
    r->inputs[input].added++;
    return FRZ_OK;
}

int frz__reloc_leave(struct reloc *r, size_t input, uint64_t pos, frz_error *err)
{
    struct reloc_input *in = &r->inputs[input];
    FRZ_ASSERT(input < r->input_count && (in->left_count == 0 || in->left_out[in->left_count - 1] < pos));
    TRY(frz__grow(r->a, (void **)&in->left_out, in->left_count, &in->left_cap, sizeof *in->left_out, err));
    in->left_out[in->left_count++] = pos;
    return FRZ_OK;
}

int frz__reloc_next_file(struct reloc *r, frz_error *err)
{
    TRY(frz__grow(r->a, (void **)&r->ends, r->end_count, &r->end_cap, sizeof *r->ends, err));
    r->ends[r->end_count++] = r->rows;
    return FRZ_OK;
}

int frz__reloc_append(struct reloc *r, struct reloc *from, frz_error *err)
{
    uint64_t before = r->rows;
    FRZ_ASSERT(r->input_count == from->input_count && r->run_count == from->run_count);
    if (from->rows) {
        if (before) TRY(frz__reloc_next_file(r, err));
        for (uint64_t row = 0; row < from->rows; row++) TRY(put_run(r, run_at(from, row), err));
        for (size_t i = 0; i < from->end_count; i++) {
            TRY(frz__grow(r->a, (void **)&r->ends, r->end_count, &r->end_cap, sizeof *r->ends, err));
            r->ends[r->end_count++] = before + from->ends[i];
        }
    }
    for (size_t i = 0; i < r->input_count; i++) {
        const struct reloc_input *in = &from->inputs[i];
        for (size_t k = 0; k < in->left_count; k++) TRY(frz__reloc_leave(r, i, in->left_out[k], err));
        r->inputs[i].added += in->added;
    }
    frz__reloc_clear(from);
    return FRZ_OK;
}

int frz__reloc_check(const struct reloc *r, frz_error *err)
{
    for (size_t i = 0; i < r->input_count; i++) {
        const struct reloc_input *in = &r->inputs[i];
        uint64_t live = in->rows - frz__mask_count(in->mask);
        if (in->added + in->left_count != live)
            return frz__err(err, FRZ_BUG, "a compaction read %llu rows of its input %zu, of %llu live ones", (unsigned long long)(in->added + in->left_count), i, (unsigned long long)live);
    }
    return FRZ_OK;
}

/* The ranks, among the rows of one input that were written, of those masked since the beginning: ascending. */
struct ranks {
    const struct reloc_input *in;
    struct buf out; /* u64 each */
    uint64_t dead_before; /* positions passed that were dead at the beginning */
    size_t left_before;   /* … that were left out */
    frz_error *err;
};
static int add_ranks(void *ctx, const uint64_t *positions, size_t count)
{
    struct ranks *k = (struct ranks *)ctx;
    for (size_t i = 0; i < count; i++) {
        uint64_t pos = positions[i];
        if (frz__mask_get(k->in->mask, pos)) {
            k->dead_before++;
            continue;
        }
        while (k->left_before < k->in->left_count && k->in->left_out[k->left_before] < pos) k->left_before++;
        if (k->left_before < k->in->left_count && k->in->left_out[k->left_before] == pos) continue;
        uint64_t rank = pos - k->dead_before - k->left_before;
        TRY(buf_append(&k->out, &rank, sizeof rank, k->err));
    }
    return FRZ_OK;
}

struct delta {
    const uint64_t *next, *end; /* ranks to come */
    bool all;
};
/* How far a run has been passed. */
struct run_place { uint32_t input; uint64_t passed; };

/* The input that the next row of run K is of. Each row of it was added: there is one. */
static struct run_place *next_of(const struct reloc *r, struct run_place *at, size_t k)
{
    while (at[k].passed == r->inputs[at[k].input].added) at[k] = (struct run_place){r->inputs[at[k].input].next, 0};
    return &at[k];
}

/* Output rows in order, file by file; those that the deltas name are told. */
static int walk(const struct reloc *r, struct delta *d, struct run_place *at, int (*fn)(void *ctx, size_t file, const uint64_t *positions, size_t count), void *ctx, frz_error *err)
{
    struct buf found = BUF_INIT(r->a, 0);
    uint64_t row = 0;
    int rc = FRZ_OK;
    for (size_t k = 0; k < r->run_count; k++) at[k].input = r->first[k];
    for (size_t f = 0; f <= r->end_count; f++) {
        uint64_t first = row, end = f < r->end_count ? r->ends[f] : r->rows;
        buf_reset(&found);
        for (; row < end; row++) {
            struct run_place *p = next_of(r, at, run_at(r, row));
            struct delta *s = &d[p->input];
            bool hit = s->all || (s->next < s->end && *s->next == p->passed);
            s->next += hit && !s->all;
            p->passed++;
            uint64_t pos = row - first;
            if (hit) CHECK(buf_append(&found, &pos, sizeof pos, err));
        }
        if (found.len) CHECK(fn(ctx, f, (const uint64_t *)(const void *)found.data, found.len / sizeof(uint64_t)));
    }
done:
    buf_clear(&found);
    return rc;
}

/* The ranks of what NOW masks of IN beyond what was masked at the beginning, which it must still mask. */
static int find_ranks(struct ranks *k, size_t input, const struct mask *now)
{
    uint64_t before = frz__mask_count(k->in->mask);
    if (now == k->in->mask) return FRZ_OK;
    int rc = now ? frz__mask_walk(now, add_ranks, k) : FRZ_OK;
    if (rc >= 0 && k->dead_before != before)
        return frz__err(k->err, FRZ_CONFLICT, "input %zu of a compaction: %" PRIu64 " of its %" PRIu64 " dead rows came back to life meanwhile", input, before - k->dead_before, before);
    return rc;
}

int frz__reloc_translate(const struct reloc *r, const struct reloc_now *now, int (*fn)(void *ctx, size_t file, const uint64_t *positions, size_t count), void *ctx, frz_error *err)
{
    struct ranks *ranks = (struct ranks *)frz__alloc_array(r->a, r->input_count + 1, sizeof *ranks);
    struct delta *deltas = (struct delta *)frz__alloc_array(r->a, r->input_count + 1, sizeof *deltas);
    struct run_place *at = (struct run_place *)frz__alloc_array(r->a, r->run_count + 1, sizeof *at);
    int rc = ranks && deltas && at ? FRZ_OK : frz__err_no_memory(err, r->input_count * sizeof *ranks);
    bool any = false;
    for (size_t i = 0; rc >= 0 && i < r->input_count; i++) {
        ranks[i] = (struct ranks){.in = &r->inputs[i], .out = BUF_INIT(r->a, 0), .err = err};
        if (now[i].gone) deltas[i].all = true;
        else rc = find_ranks(&ranks[i], i, now[i].mask);
        deltas[i].next = (const uint64_t *)(const void *)ranks[i].out.data;
        deltas[i].end = deltas[i].next ? deltas[i].next + ranks[i].out.len / sizeof(uint64_t) : NULL;
        any |= deltas[i].all || ranks[i].out.len;
    }
    if (rc >= 0 && any) rc = walk(r, deltas, at, fn, ctx, err);
    for (size_t i = 0; ranks && i < r->input_count; i++) buf_clear(&ranks[i].out);
    frz__free(r->a, ranks);
    frz__free(r->a, deltas);
    frz__free(r->a, at);
    return rc;
}
