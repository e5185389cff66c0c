/* compact_split.c — where to cut what a compaction reads, so that several threads may each merge a piece of it. */
#include "engine/compact_run.h"

#include <stdlib.h>

#define SAMPLES_PER_PIECE 16

struct sample { slice key; uint64_t weight; };

static int cmp_sample(const void *a, const void *b) { return slice_cmp(((const struct sample *)a)->key, ((const struct sample *)b)->key); }

static int sample_of(const struct vfile *v, uint64_t pos, uint64_t weight, struct codec_ctx *codec, struct buf *scratch, struct arena *ar, struct sample *out, frz_error *err)
{
    buf_reset(scratch);
    TRY(frz__sst_key_at(v->sst, pos, codec, scratch, err));
    uint8_t *key = (uint8_t *)arena_alloc(ar, scratch->len + 1, 1);
    if (!key) return frz__err_no_memory(err, scratch->len);
    memcpy(key, scratch->data, scratch->len);
    *out = (struct sample){slice_of(key, scratch->len), weight};
    return FRZ_OK;
}

/* Keys that lie evenly in each input, the more the larger it is. */
static int take_samples(const struct compaction *c, size_t wanted, struct codec_ctx *codec, struct arena *ar, struct sample *samples, size_t *count, frz_error *err)
{
    struct buf scratch = BUF_INIT(c->t->a, 0);
    int rc = FRZ_OK;
    uint64_t total = 1;
    for (size_t i = 0; i < c->plan.count; i++) total += (uint64_t)c->inputs[i]->file_size;
    for (size_t i = 0; i < c->plan.count; i++) {
        const struct vfile *v = c->inputs[i];
        uint64_t n = (uint64_t)((double)v->file_size / (double)total * (double)wanted);
        for (uint64_t k = 0; k < n && v->sst->rows >= n; k++)
            CHECK(sample_of(v, v->sst->rows * k / n, (uint64_t)v->file_size / n, codec, &scratch, ar, &samples[(*count)++], err));
    }
done:
    buf_clear(&scratch);
    return rc;
}

int frz__compact_split(const struct compaction *c, size_t count, struct arena *ar, slice **keys, size_t *key_count, frz_error *err)
{
    size_t wanted = count * SAMPLES_PER_PIECE, n = 0;
    struct codec_ctx *codec = NULL;
    struct sample *samples = (struct sample *)arena_alloc(ar, (wanted + 1) * sizeof *samples, 8);
    *key_count = 0;
    *keys = (slice *)arena_alloc(ar, count * sizeof **keys, 8);
    if (!samples || !*keys) return frz__err_no_memory(err, wanted * sizeof *samples);
    TRY(frz__codec_take(c->t->db, &codec, err));
    int rc = take_samples(c, wanted, codec, ar, samples, &n, err);
    frz__codec_give(c->t->db, codec);
    TRY(rc);
    if (n < count) return FRZ_OK; /* too little to be cut */
    qsort(samples, n, sizeof *samples, cmp_sample);
    uint64_t total = 0, passed = 0;
    for (size_t i = 0; i < n; i++) total += samples[i].weight;
    for (size_t i = 0; i < n && *key_count + 1 < count; i++) {
        uint64_t due = (uint64_t)((double)total * (double)(*key_count + 1) / (double)count);
        bool above = *key_count == 0 || slice_cmp(samples[i].key, (*keys)[*key_count - 1]) > 0;
        if (passed >= due && above && i) (*keys)[(*key_count)++] = samples[i].key;
        passed += samples[i].weight;
    }
    return FRZ_OK;
}
