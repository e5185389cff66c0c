#include "view/view.h"

#include "base/hash.h"

/* A run's file that may hold KEY; NULL = none. */
static const struct vfile *run_find(const struct view *v, const struct run *run, slice key, int64_t *file)
{
    uint32_t at = 0, n = run->count;
    const struct vfile *only = v->files[v->by_key[run->first]];
    *file = v->by_key[run->first];
    if (!only->sst->sorted) return only; /* bounds unknown: the probe says what it thinks of it */
    while (n) { /* the first file that begins above KEY */
        uint32_t half = n / 2;
        bool right = slice_cmp(v->files[v->by_key[run->first + at + half]]->sst->first_key, key) <= 0;
        at = right ? at + half + 1 : at;
        n = right ? n - half - 1 : half;
    }
    if (at == 0) return NULL;
    *file = v->by_key[run->first + at - 1];
    const struct vfile *f = v->files[*file];
    return slice_cmp(key, f->sst->last_key) <= 0 ? f : NULL;
}

int frz__view_locate_one(const struct view *v, slice key, uint64_t hash, struct codec_ctx *codec, struct place *place, frz_error *err)
{
    *place = (struct place){-1, 0};
    for (size_t r = 0; r < v->run_count; r++) {
        int64_t file;
        uint64_t pos;
        const struct vfile *f = run_find(v, &v->runs[r], key, &file);
        if (!f) continue;
        int rc = frz__sst_probe(f->sst, key, hash, codec, &pos, err);
        if (rc < 0) return rc;
        if (rc != FRZ_OK || frz__mask_get(f->mask, pos)) continue; /* an older version of it: masked */
        *place = (struct place){file, pos};
        return FRZ_OK;
    }
    return FRZ_OK;
}

/* ── many ── */

struct batch_keys { /* the keys that one file may hold and that were not found yet */
    slice *keys;
    uint64_t *hashes, *pos;
    size_t *index; /* of the caller's keys */
    size_t count;
};

static void batch_free(const allocator *a, struct batch_keys *b)
{
    frz__free(a, b->keys);
    frz__free(a, b->hashes);
    frz__free(a, b->pos);
    frz__free(a, b->index);
}

static int batch_new(const allocator *a, size_t count, struct batch_keys *b, frz_error *err)
{
    *b = (struct batch_keys){.keys = (slice *)frz__alloc_array(a, count, sizeof *b->keys),
                             .hashes = (uint64_t *)frz__alloc_array(a, count, sizeof *b->hashes),
                             .pos = (uint64_t *)frz__alloc_array(a, count, sizeof *b->pos),
                             .index = (size_t *)frz__alloc_array(a, count, sizeof *b->index)};
    if (b->keys && b->hashes && b->pos && b->index) return FRZ_OK;
    batch_free(a, b);
    return frz__err_no_memory(err, count * (sizeof *b->keys + 3 * sizeof *b->pos));
}

/* So many keys that each page of the file would be probed: the key column is streamed instead, past the cache. */
#define JOIN_KEYS_MIN     256
#define JOIN_ROWS_PER_KEY 64

static int join_file(struct sst *s, struct batch_keys *b, frz_error *err)
{
    int rc = FRZ_OK;
    size_t none = 0, at = 0;
    struct iter *it = NULL;
    struct sst_scan_options o = {.columns = &none, .column_count = 0, .keys = true, .from = b->keys[0]};
    for (size_t i = 0; i < b->count; i++) b->pos[i] = UINT64_MAX;
    CHECK(frz__sst_iter_new(s, &o, &it, err));
    while (at < b->count) {
        CHECK(iter_next(it, err));
        if (rc == FRZ_DONE) break;
        int c;
        while (at < b->count && (c = slice_cmp(b->keys[at], it->key)) <= 0) {
            if (c == 0) b->pos[at] = it->pos;
            at++;
        }
    }
    rc = FRZ_OK;
done:
    iter_free(it);
    return rc;
}

static int locate_in(const struct view *v, int64_t file, struct batch_keys *b, struct codec_ctx *codec, struct place *places, frz_error *err)
{
    const struct vfile *f = v->files[file];
    bool join = b->count >= JOIN_KEYS_MIN && b->count > f->sst->rows / JOIN_ROWS_PER_KEY;
    if (join && f->sst->sorted) TRY(join_file(f->sst, b, err));
    else TRY(frz__sst_probe_sorted(f->sst, b->keys, b->hashes, b->count, codec, b->pos, err));
    for (size_t i = 0; i < b->count; i++)
        if (b->pos[i] != UINT64_MAX && !frz__mask_get(f->mask, b->pos[i])) places[b->index[i]] = (struct place){file, b->pos[i]};
    return FRZ_OK;
}

/* the first of KEYS from AT that is ≥ KEY, or, where ABOVE, > KEY */
static size_t keys_from(const slice *keys, size_t at, size_t count, slice key, bool above)
{
    size_t n = count - at;
    while (n) {
        size_t half = n / 2;
        int c = slice_cmp(keys[at + half], key);
        bool right = above ? c <= 0 : c < 0;
        at = right ? at + half + 1 : at;
        n = right ? n - half - 1 : half;
    }
    return at;
}

int frz__view_locate(const struct view *v, const slice *keys, const uint64_t *hashes, size_t count, struct codec_ctx *codec, struct place *places, frz_error *err)
{
    int rc = FRZ_OK;
    struct batch_keys b;
    for (size_t i = 0; i < count; i++) places[i] = (struct place){-1, 0};
    if (count == 0 || v->run_count == 0) return FRZ_OK;
    TRY(batch_new(v->a, count, &b, err));
    for (size_t r = 0; r < v->run_count; r++) {
        size_t at = 0;
        for (uint32_t i = 0; i < v->runs[r].count && at < count; i++) {
            uint32_t file = v->by_key[v->runs[r].first + i];
            const struct sst *s = v->files[file]->sst;
            size_t end = count;
            if (s->sorted) {
                at = keys_from(keys, at, count, s->first_key, false);
                end = keys_from(keys, at, count, s->last_key, true);
            }
            for (b.count = 0; at < end; at++) {
                if (places[at].file >= 0) continue;
                b.keys[b.count] = keys[at];
                b.hashes[b.count] = hashes[at];
                b.index[b.count++] = at;
            }
            if (b.count) CHECK(locate_in(v, file, &b, codec, places, err));
        }
    }
done:
    batch_free(v->a, &b);
    return rc;
}
