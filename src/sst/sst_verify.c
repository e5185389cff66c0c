#include "sst/sst_int.h"

#include <stdio.h>
#include "base/hash.h"

struct verify {
    struct sst *s;
    int (*fn)(void *ctx, const char *where, const char *what);
    int (*key_fn)(void *ctx, slice key, uint64_t pos);
    void *ctx;
    struct codec_ctx *codec;
    const struct sst_index *index;
    struct buf filter; /* its blocks */
    struct sst_keys keys;
    struct buf last; /* key before the stripe at hand */
    int stop; /* the callback's wish */
    uint64_t pages_bad; /* findings of Parquet's pages: what can't be read for them is not said again */
};

/* A finding: said, and gone on from, unless the callback has had enough. */
static void FRZ_PRINTF(3, 4) found(struct verify *v, const char *where, const char *fmt, ...)
{
    char what[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (v->fn && !v->stop) v->stop = v->fn(v->ctx, where, what);
}

static int on_page_finding(void *ctx, const char *where, const char *what)
{
    struct verify *v = (struct verify *)ctx;
    v->pages_bad++;
    return v->fn ? v->fn(v->ctx, where, what) : 0;
}

/* An error that is about the bytes becomes a finding; others end the check. */
static int finding_of(struct verify *v, const char *where, int rc, frz_error *err)
{
    if (rc != FRZ_CORRUPT) return rc;
    found(v, where, "%s", err->message);
    return FRZ_DONE;
}

static int verify_section(struct verify *v, enum sst_section_type type, const char *name, frz_error *err)
{
    const struct sst_section *sec = &v->s->impl->block.sections[type];
    if (!sec->there) return FRZ_OK;
    int rc = FRZ_OK;
    struct buf b = BUF_INIT(v->s->env.a, 0);
    CHECK(buf_reserve(&b, (size_t)sec->length + 1, err));
    CHECK(frz__sst_read_section(v->s, type, 0, b.data, (size_t)sec->length, err));
    b.len = (size_t)sec->length;
    uint32_t crc = frz__crc32c(0, b.data, b.len);
    if (crc != sec->crc) found(v, name, "section at %" PRIu64 ": checksum: expected %08x, found %08x", v->s->impl->block.offset + sec->offset, sec->crc, crc);
    if (type != SST_FILTER) goto done;
    uint64_t blocks = v->s->impl->filter_blocks;
    for (uint64_t u = 0; v->index && u < sst_filter_units(blocks); u++) {
        crc = frz__crc32c(0, b.data + u * SST_FILTER_UNIT_BYTES, sst_filter_unit_bytes(blocks, u));
        if (crc != v->index->unit_crcs[u]) found(v, name, "unit %" PRIu64 ": checksum: expected %08x, found %08x", u, v->index->unit_crcs[u], crc);
    }
    buf_move(&v->filter, &b);
done:
    buf_clear(&b);
    return rc;
}

static int verify_key(struct verify *v, size_t i, uint64_t pos)
{
    struct sst *s = v->s;
    slice key = sst_key(&v->keys, i), before = i ? sst_key(&v->keys, i - 1) : buf_slice(&v->last);
    if (pos && slice_cmp(before, key) >= 0) found(v, "keys", "row %" PRIu64 " is not above the one before it", pos);
    if (pos == 0 && !slice_eq(key, s->first_key)) found(v, "properties", "the first key is not that of row 0");
    if (pos + 1 == s->rows && !slice_eq(key, s->last_key)) found(v, "properties", "the last key is not that of row %" PRIu64, pos);
    if (v->filter.len) {
        uint64_t hash = frz__hash64(key), block = sst_filter_block(hash, s->impl->filter_blocks);
        if (!frz__sst_filter_test(v->filter.data + block * SST_FILTER_BLOCK_BYTES, hash)) found(v, "filter", "denies the key of row %" PRIu64, pos);
    }
    return v->key_fn ? v->key_fn(v->ctx, key, pos) : 0;
}

static int verify_stripe(struct verify *v, uint64_t page, frz_error *err)
{
    int rc = frz__sst_read_stripe(v->s, page, v->codec, &v->keys, err);
    if (rc == FRZ_CORRUPT && v->pages_bad) return FRZ_OK;
    rc = finding_of(v, "key pages", rc, err);
    if (rc != FRZ_OK) return rc < 0 ? rc : FRZ_OK;
    uint64_t first = page << SST_KEY_PAGE_ROWS_LOG2;
    if (v->index && frz__sst_fence_cmp(&v->index->fence, (size_t)page, sst_key(&v->keys, 0)) != 0) found(v, "fences", "fence %" PRIu64 " is not the key of row %" PRIu64, page, first);
    for (size_t i = 0; i < v->keys.rows && !v->stop; i++) v->stop = verify_key(v, i, first + i);
    buf_reset(&v->last);
    return buf_append_slice(&v->last, sst_key(&v->keys, v->keys.rows - 1), err);
}

int frz__sst_verify(struct sst *s, int (*fn)(void *ctx, const char *where, const char *what), int (*key_fn)(void *ctx, slice key, uint64_t pos), void *ctx, uint64_t *pages, frz_error *err)
{
    frz_error own;
    if (!err) err = &own;
    struct verify v = {.s = s, .fn = fn, .key_fn = key_fn, .ctx = ctx, .filter = BUF_INIT(s->env.a, 0), .last = BUF_INIT(s->env.a, 0), .keys = SST_KEYS_INIT(s->env.a)};
    struct cache_entry *pin = NULL;
    uint64_t checked = 0;
    int rc = FRZ_OK;
    CHECK(frz__codec_ctx_new(s->env.a, &v.codec, err));
    CHECK(frz__pq_verify(s->impl->pq, v.codec, on_page_finding, &v, &checked, err));
    CHECK(finding_of(&v, "page indexes", frz__sst_check_page_indexes(s, err), err));
    if (s->sorted) {
        CHECK(finding_of(&v, "fences", frz__sst_load_index(s, &v.index, &pin, err), err));
        if (rc != FRZ_OK) v.index = NULL;
        CHECK(verify_section(&v, SST_PROPS, "properties", err));
        CHECK(verify_section(&v, SST_FENCE, "fences", err));
        CHECK(verify_section(&v, SST_FILTER, "filter", err));
        for (uint64_t page = 0; page << SST_KEY_PAGE_ROWS_LOG2 < s->rows && !v.stop; page++) CHECK(verify_stripe(&v, page, err));
    }
done:
    *pages = checked;
    frz__cache_unpin(s->env.cache, pin);
    frz__codec_ctx_free(v.codec);
    frz__sst_keys_clear(&v.keys);
    buf_clear(&v.filter);
    buf_clear(&v.last);
    return rc < 0 ? rc : FRZ_OK;
}
