#include "sst/sst_block.h"

#include "base/coding.h"

int frz__sst_fence_add(struct sst_fence_writer *w, slice key, frz_error *err)
{
    TRY(frz__grow(w->keys.a, (void **)&w->ends, w->count, &w->cap, sizeof *w->ends, err));
    TRY(buf_append_slice(&w->keys, key, err));
    w->ends[w->count++] = w->keys.len;
    return FRZ_OK;
}

void frz__sst_fence_writer_clear(struct sst_fence_writer *w)
{
    frz__free(w->keys.a, w->ends);
    buf_clear(&w->keys);
    w->ends = NULL;
    w->count = w->cap = 0;
}

static slice fence_key(const struct sst_fence_writer *w, size_t i)
{
    uint64_t from = i ? w->ends[i - 1] : 0;
    return slice_of(w->keys.data + from, (size_t)(w->ends[i] - from));
}

/* the first eight bytes as a number that orders as they do; missing ones are zero */
static uint64_t head_of(slice rest)
{
    if (rest.len >= 8) return load_u64_be(rest.data);
    uint64_t h = 0;
    for (size_t i = 0; i < rest.len; i++) h |= (uint64_t)rest.data[i] << (56 - 8 * i);
    return h;
}

int frz__sst_fence_encode(const struct sst_fence_writer *w, struct buf *out, frz_error *err)
{
    size_t prefix = 0;
    if (w->count) {
        slice first = fence_key(w, 0), last = fence_key(w, w->count - 1); /* sorted: what these share, all share */
        while (prefix < first.len && prefix < last.len && first.data[prefix] == last.data[prefix]) prefix++;
    }
    uint64_t heap = w->keys.len - (uint64_t)w->count * prefix;
    if (w->count > UINT32_MAX || heap > UINT32_MAX)
        return frz__err(err, FRZ_TOO_LARGE, "the first keys of %zu pages take %" PRIu64 " bytes; a table file holds at most 4 GiB of them", w->count, heap);
    TRY(buf_reserve(out, 8 + w->count * 12 + 4 + prefix + (size_t)heap, err));
    TRY(buf_append_u32(out, (uint32_t)w->count, err));
    TRY(buf_append_u32(out, (uint32_t)prefix, err));
    for (size_t i = 0; i < w->count; i++) {
        slice k = fence_key(w, i);
        TRY(buf_append_u64(out, head_of(slice_of(k.data + prefix, k.len - prefix)), err));
    }
    TRY(buf_append_u32(out, 0, err));
    for (size_t i = 0; i < w->count; i++) TRY(buf_append_u32(out, (uint32_t)(w->ends[i] - (uint64_t)(i + 1) * prefix), err));
    if (prefix) TRY(buf_append(out, w->keys.data, prefix, err));
    for (size_t i = 0; i < w->count; i++) {
        slice k = fence_key(w, i);
        if (k.len > prefix) TRY(buf_append(out, k.data + prefix, k.len - prefix, err));
    }
    return FRZ_OK;
}

static int bad(const char *name, const char *what, uint64_t expected, uint64_t found, frz_error *err)
{
    return frz__err_corrupt(err, "%s: fences: %s: expected %" PRIu64 ", found %" PRIu64, name, what, expected, found);
}

int frz__sst_fence_decode(slice bytes, uint64_t count, const char *name, struct sst_fence *out, frz_error *err)
{
    FRZ_ASSERT((uintptr_t)bytes.data % 8 == 0);
    if (bytes.len < 12) return bad(name, "bytes", 12, bytes.len, err);
    uint32_t n = load_u32(bytes.data), prefix = load_u32(bytes.data + 4);
    if (n != count) return bad(name, "count", count, n, err);
    uint64_t fixed = 8 + (uint64_t)n * 12 + 4;
    if (fixed + prefix > bytes.len) return bad(name, "bytes", fixed + prefix, bytes.len, err);
    uint64_t heap = bytes.len - fixed - prefix;
    *out = (struct sst_fence){.count = n,
                              .heads = (const uint64_t *)(const void *)(bytes.data + 8),
                              .offsets = (const uint32_t *)(const void *)(bytes.data + 8 + (size_t)n * 8),
                              .prefix = slice_of(bytes.data + fixed, prefix),
                              .heap = bytes.data + fixed + prefix};
    if (out->offsets[0] != 0) return bad(name, "first offset", 0, out->offsets[0], err);
    if (out->offsets[n] != heap) return bad(name, "heap bytes", out->offsets[n], heap, err);
    for (uint32_t i = 0; i < n; i++)
        if (out->offsets[i + 1] < out->offsets[i] || out->offsets[i + 1] > heap) return bad(name, "an offset at least", out->offsets[i], out->offsets[i + 1], err);
    for (uint32_t i = 0; i < n; i++) {
        slice rest = sst_fence_rest(out, i);
        if (out->heads[i] != head_of(rest)) return bad(name, "head", head_of(rest), out->heads[i], err);
        if (i && slice_cmp(sst_fence_rest(out, i - 1), rest) >= 0) return frz__err_corrupt(err, "%s: fences: %" PRIu32 " is not above the one before it", name, i);
    }
    return FRZ_OK;
}

/* heads below H, or at most H where OR_EQUAL */
static size_t heads_below(const struct sst_fence *f, uint64_t h, bool or_equal)
{
    size_t at = 0, n = f->count;
    while (n) {
        size_t half = n / 2;
        uint64_t v = f->heads[at + half];
        bool right = or_equal ? v <= h : v < h;
        at = right ? at + half + 1 : at;
        n = right ? n - half - 1 : half;
    }
    return at;
}

int64_t frz__sst_fence_find(const struct sst_fence *f, slice key)
{
    size_t shared = key.len < f->prefix.len ? key.len : f->prefix.len;
    int c = shared ? memcmp(key.data, f->prefix.data, shared) : 0;
    if (c < 0 || (c == 0 && key.len < f->prefix.len)) return -1;
    if (c > 0) return (int64_t)f->count - 1;
    slice rest = slice_of(key.data + shared, key.len - shared);
    uint64_t h = head_of(rest);
    size_t at = heads_below(f, h, false), end = at;
    if (end < f->count && f->heads[end] == h) end = heads_below(f, h, true);
    while (at < end) { /* those with KEY's head: by the whole */
        size_t mid = at + (end - at) / 2;
        if (slice_cmp(sst_fence_rest(f, mid), rest) <= 0) at = mid + 1;
        else end = mid;
    }
    return (int64_t)at - 1;
}

int frz__sst_fence_cmp(const struct sst_fence *f, size_t i, slice key)
{
    size_t shared = key.len < f->prefix.len ? key.len : f->prefix.len;
    int c = shared ? memcmp(f->prefix.data, key.data, shared) : 0;
    if (c) return c;
    if (key.len < f->prefix.len) return 1;
    return slice_cmp(sst_fence_rest(f, i), slice_of(key.data + shared, key.len - shared));
}
