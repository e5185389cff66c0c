#include "sst/sst_int.h"

#include "base/hash.h"

static inline void count(_Atomic uint64_t *c) { atomic_fetch_add_explicit(c, 1, memory_order_relaxed); }

int frz__sst_need_sorted(const struct sst *s, const char *what, frz_error *err)
{
    if (s->sorted) return FRZ_OK;
    return frz__err(err, FRZ_UNSUPPORTED, "%s: %s by key: the file has no order to search in: %s", s->path, what, s->impl->unsorted);
}

/* FRZ_OK = maybe there · FRZ_NOT_FOUND = surely not */
static int probe_filter(struct sst *s, uint64_t hash, frz_error *err)
{
    uint64_t blocks = s->impl->filter_blocks;
    if (blocks == 0) return FRZ_OK;
    uint64_t block = sst_filter_block(hash, blocks);
    const uint8_t *unit;
    struct cache_entry *pin;
    TRY(frz__sst_load_filter_unit(s, block / SST_FILTER_UNIT_BLOCKS, &unit, &pin, err));
    bool maybe = frz__sst_filter_test(unit + block % SST_FILTER_UNIT_BLOCKS * SST_FILTER_BLOCK_BYTES, hash);
    frz__cache_unpin(s->env.cache, pin);
    count(&s->env.counters->filter_checks);
    if (!maybe) count(&s->env.counters->filter_rejects);
    return maybe ? FRZ_OK : FRZ_NOT_FOUND;
}

/* Many keys, ascending: the stripe of the last one is kept pinned. */
struct prober {
    struct sst *s;
    struct codec_ctx *codec;
    const struct sst_index *index;
    struct cache_entry *index_pin, *stripe_pin;
    const struct sst_keys *keys;
    uint64_t page; /* of KEYS */
    size_t at;     /* keys below it are below all that is still to come */
};

static int prober_open(struct prober *p, struct sst *s, struct codec_ctx *codec, frz_error *err)
{
    *p = (struct prober){.s = s, .codec = codec};
    return frz__sst_load_index(s, &p->index, &p->index_pin, err);
}

static void prober_close(struct prober *p)
{
    frz__cache_unpin(p->s->env.cache, p->index_pin);
    frz__cache_unpin(p->s->env.cache, p->stripe_pin);
}

/* Stripe PAGE becomes the current one. */
static int prober_seek(struct prober *p, uint64_t page, frz_error *err)
{
    if (p->stripe_pin && p->page == page) return FRZ_OK;
    frz__cache_unpin(p->s->env.cache, p->stripe_pin);
    p->stripe_pin = NULL;
    p->page = page;
    p->at = 0;
    return frz__sst_load_stripe(p->s, page, p->codec, &p->keys, &p->stripe_pin, err);
}

static int prober_find(struct prober *p, slice key, uint64_t *pos, frz_error *err)
{
    int64_t page = frz__sst_fence_find(&p->index->fence, key);
    if (page < 0) return FRZ_NOT_FOUND;
    TRY(prober_seek(p, (uint64_t)page, err));
    p->at = frz__sst_keys_lower(p->keys, p->at, key);
    if (p->at == p->keys->rows || !slice_eq(sst_key(p->keys, p->at), key)) return FRZ_NOT_FOUND;
    *pos = ((uint64_t)page << SST_KEY_PAGE_ROWS_LOG2) + p->at;
    return FRZ_OK;
}

int frz__sst_probe(struct sst *s, slice key, uint64_t hash, struct codec_ctx *codec, uint64_t *pos, frz_error *err)
{
    struct prober p;
    int rc;
    if (s->rows == 0) return FRZ_NOT_FOUND;
    TRY(frz__sst_need_sorted(s, "a search", err));
    count(&s->env.counters->files_probed);
    rc = probe_filter(s, hash, err); /* before the bounds: who asks has mostly compared them */
    if (rc != FRZ_OK) return rc;
    if (!sst_may_hold(s, key)) return FRZ_NOT_FOUND;
    CHECK(prober_open(&p, s, codec, err));
    rc = prober_find(&p, key, pos, err);
    if (rc == FRZ_NOT_FOUND && s->impl->filter_blocks) count(&s->env.counters->filter_false_positives);
done:
    prober_close(&p);
    return rc;
}

int frz__sst_probe_sorted(struct sst *s, const slice *keys, const uint64_t *hashes, size_t key_count, struct codec_ctx *codec, uint64_t *pos, frz_error *err)
{
    struct prober p;
    int rc;
    for (size_t i = 0; i < key_count; i++) pos[i] = UINT64_MAX;
    if (s->rows == 0 || key_count == 0) return FRZ_OK;
    TRY(frz__sst_need_sorted(s, "a search", err));
    CHECK(prober_open(&p, s, codec, err));
    for (size_t i = 0; i < key_count; i++) {
        if (!sst_may_hold(s, keys[i])) continue;
        CHECK(probe_filter(s, hashes[i], err));
        if (rc == FRZ_NOT_FOUND) continue;
        CHECK(prober_find(&p, keys[i], &pos[i], err));
        if (rc == FRZ_NOT_FOUND && s->impl->filter_blocks) count(&s->env.counters->filter_false_positives);
    }
    rc = FRZ_OK;
done:
    prober_close(&p);
    return rc;
}

int frz__sst_lower_bound(struct sst *s, slice key, struct codec_ctx *codec, uint64_t *pos, frz_error *err)
{
    struct prober p;
    int rc;
    *pos = 0;
    if (s->rows == 0) return FRZ_OK;
    TRY(frz__sst_need_sorted(s, "a range", err));
    if (slice_cmp(key, s->first_key) <= 0) return FRZ_OK;
    *pos = s->rows;
    if (slice_cmp(key, s->last_key) > 0) return FRZ_OK;
    CHECK(prober_open(&p, s, codec, err));
    int64_t page = frz__sst_fence_find(&p.index->fence, key);
    if (page < 0) CHECK(frz__err_corrupt(err, "%s: a key above the file's first is below its first fence", s->path));
    *pos = (uint64_t)page << SST_KEY_PAGE_ROWS_LOG2;
    if (frz__sst_fence_cmp(&p.index->fence, (size_t)page, key) == 0) goto done; /* without a look into the page */
    CHECK(prober_seek(&p, (uint64_t)page, err));
    *pos += frz__sst_keys_lower(p.keys, 0, key);
done:
    prober_close(&p);
    return rc;
}

int frz__sst_key_at(struct sst *s, uint64_t pos, struct codec_ctx *codec, struct buf *key, frz_error *err)
{
    const struct sst_keys *keys;
    struct cache_entry *pin;
    TRY(frz__sst_need_sorted(s, "a look at a row's key", err));
    FRZ_VERIFY(pos < s->rows, err);
    TRY(frz__sst_load_stripe(s, pos >> SST_KEY_PAGE_ROWS_LOG2, codec, &keys, &pin, err));
    int rc = buf_append_slice(key, sst_key(keys, (size_t)(pos & (SST_KEY_PAGE_ROWS - 1))), err);
    frz__cache_unpin(s->env.cache, pin);
    return rc;
}
