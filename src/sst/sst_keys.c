#include "sst/sst_keys.h"

#include "base/coding.h"

#define SIGN32 UINT32_C(0x80000000)
#define SIGN64 UINT64_C(0x8000000000000000)

void frz__sst_keys_drop_offsets(struct sst_keys *k)
{
    frz__free(k->bytes.a, k->offsets);
    k->offsets = NULL;
    k->offset_cap = 0;
}

void frz__sst_keys_clear(struct sst_keys *k)
{
    frz__sst_keys_drop_offsets(k);
    buf_clear(&k->bytes);
    k->rows = 0;
}

size_t frz__sst_key_stride(const frz_schema *s)
{
    size_t stride = 0;
    for (size_t i = 0; i < s->key_count; i++) {
        size_t width = frz__type_width(s->columns[s->key[i]].type);
        if (width == 0) return 0;
        stride += width;
    }
    return stride;
}

/* A stripe is encoded column by column: AT[i] (or i × stride) is where row i's next bytes go. */

static void put_fixed(const struct vec *v, size_t from, size_t rows, uint8_t *to, size_t stride)
{
    size_t width = frz__type_width(v->type);
    const uint8_t *p = v->data + from * width;
    switch (v->type.id) {
    case FRZ_BOOLEAN:
        for (size_t i = 0; i < rows; i++, to += stride) *to = bit_get(v->data, from + i);
        break;
    case FRZ_INT:
    case FRZ_DATE:
        for (size_t i = 0; i < rows; i++, p += 4, to += stride) store_u32_be(to, load_u32(p) ^ SIGN32);
        break;
    case FRZ_DECIMAL:
        for (size_t i = 0; i < rows; i++, p += 16, to += stride) {
            store_u64_be(to, load_u64(p + 8) ^ SIGN64);
            store_u64_be(to + 8, load_u64(p));
        }
        break;
    case FRZ_UUID:
    case FRZ_FIXED:
        for (size_t i = 0; i < rows; i++, p += width, to += stride) memcpy(to, p, width);
        break;
    default:
        for (size_t i = 0; i < rows; i++, p += 8, to += stride) store_u64_be(to, load_u64(p) ^ SIGN64);
        break;
    }
}

static size_t escaped_bytes(slice s)
{
    size_t n = s.len + 2;
    const uint8_t *p = s.data, *end = s.data + s.len;
    while (p < end && (p = (const uint8_t *)memchr(p, 0, (size_t)(end - p)))) {
        n++;
        p++;
    }
    return n;
}

static uint8_t *put_escaped(slice s, uint8_t *to)
{
    for (size_t i = 0; i < s.len; i++) {
        *to++ = s.data[i];
        if (s.data[i] == 0) *to++ = 0xFF;
    }
    *to++ = 0;
    *to++ = 0;
    return to;
}

static uint8_t *put_raw(slice s, uint8_t *to)
{
    if (s.len) memcpy(to, s.data, s.len);
    return to + s.len;
}

/* offsets of keys of any length: what each column adds */
static int keys_measure(const frz_schema *s, const struct vec *const *cols, size_t from, size_t rows, struct sst_keys *k, frz_error *err)
{
    if (k->offset_cap < rows + 1) {
        uint32_t *p = (uint32_t *)frz__realloc(k->bytes.a, k->offsets, (rows + 1) * sizeof *p);
        if (!p) return frz__err_no_memory(err, (rows + 1) * sizeof *p);
        k->offsets = p;
        k->offset_cap = rows + 1;
    }
    uint64_t total = 0;
    k->offsets[0] = 0;
    for (size_t i = 0; i < rows; i++) {
        for (size_t c = 0; c < s->key_count; c++) {
            size_t width = frz__type_width(cols[c]->type);
            slice bytes = width ? slice_of(NULL, 0) : vec_bytes(cols[c], from + i);
            total += width ? width : c + 1 == s->key_count ? bytes.len : escaped_bytes(bytes);
        }
        if (total > UINT32_MAX) return frz__err(err, FRZ_TOO_LARGE, "the keys of %zu rows are beyond 4 GiB", rows);
        k->offsets[i + 1] = (uint32_t)total;
    }
    return FRZ_OK;
}

/* Keys ascend, so what the first and the last share, all do. In a damaged page they may not: a search there goes astray, and finds no wrong key. */
static void note_shared(struct sst_keys *k)
{
    k->shared = 0;
    k->whole_heads = false;
    if (k->rows == 0) return;
    slice first = sst_key(k, 0), last = sst_key(k, k->rows - 1);
    while (k->shared < first.len && k->shared < last.len && first.data[k->shared] == last.data[k->shared]) k->shared++;
    size_t shortest = first.len;
    for (size_t i = 0; i < k->rows && !k->stride; i++)
        if (sst_key(k, i).len < shortest) shortest = sst_key(k, i).len;
    k->whole_heads = shortest >= 8;
    if (k->whole_heads && k->shared > shortest - 8) k->shared = shortest - 8;
}

/* Keys of a type of any length are often of one all the same: a search then needs no look at their offsets. */
static void note_stride(struct sst_keys *k)
{
    size_t rows = k->rows, each = rows ? k->offsets[rows] / rows : 0;
    for (size_t i = 0; i < rows; i++)
        if (k->offsets[i] != i * each) return;
    if (each * rows == (rows ? k->offsets[rows] : 0)) k->stride = each;
}

int frz__sst_keys_encode(const frz_schema *s, const struct vec *const *cols, size_t from, size_t rows, struct sst_keys *k, frz_error *err)
{
    k->rows = rows;
    k->stride = frz__sst_key_stride(s);
    buf_reset(&k->bytes);
    if (k->stride) {
        TRY(buf_reserve(&k->bytes, rows * k->stride + 1, err));
        k->bytes.len = rows * k->stride;
        size_t at = 0;
        for (size_t c = 0; c < s->key_count; c++) {
            put_fixed(cols[c], from, rows, k->bytes.data + at, k->stride);
            at += frz__type_width(cols[c]->type);
        }
        note_shared(k);
        return FRZ_OK;
    }
    TRY(keys_measure(s, cols, from, rows, k, err));
    TRY(buf_reserve(&k->bytes, (size_t)k->offsets[rows] + 1, err));
    k->bytes.len = k->offsets[rows];
    for (size_t i = 0; i < rows; i++) {
        uint8_t *to = k->bytes.data + k->offsets[i];
        for (size_t c = 0; c < s->key_count; c++) {
            size_t width = frz__type_width(cols[c]->type);
            if (width) {
                put_fixed(cols[c], from + i, 1, to, 0);
                to += width;
            } else {
                slice bytes = vec_bytes(cols[c], from + i);
                to = c + 1 == s->key_count ? put_raw(bytes, to) : put_escaped(bytes, to);
            }
        }
        FRZ_ASSERT(to == k->bytes.data + k->offsets[i + 1]);
    }
    note_stride(k);
    note_shared(k);
    return FRZ_OK;
}

/* ── search ── */

/* The 8 bytes of a key behind what all have in common, as a number that orders as they do; zeroes behind a shorter one. */
static inline uint64_t head_of(slice key, size_t skip)
{
    uint64_t h = 0;
    if (key.len >= skip + 8) return load_u64_be(key.data + skip);
    for (size_t i = skip; i < key.len; i++) h |= (uint64_t)key.data[i] << (56 - 8 * (i - skip));
    return h;
}

static inline uint64_t head_at(const struct sst_keys *k, size_t i)
{
    if (!k->whole_heads) return head_of(sst_key(k, i), k->shared);
    return load_u64_be(k->bytes.data + k->shared + (k->stride ? i * k->stride : k->offsets[i]));
}

#define AHEAD_MIN 16 /* keys in a range that is worth it */

/* The keys that the next three steps over N keys from AT look at: from memory all at once, not one after another. */
static inline void look_ahead(const struct sst_keys *k, size_t at, size_t n)
{
    for (size_t i = 1; i < 8; i++) {
        size_t key = at + n * i / 8;
        __builtin_prefetch(k->bytes.data + k->shared + (k->stride ? key * k->stride : k->offsets[key]));
    }
}

/* The first key from AT whose head is not below HEAD. */
static size_t heads_lower(const struct sst_keys *k, size_t at, uint64_t head)
{
    unsigned step = 0;
    for (size_t n = k->rows - at; n; step++) {
        size_t half = n / 2;
        if (n >= AHEAD_MIN && step % 3 == 0) look_ahead(k, at, n);
        bool right = head_at(k, at + half) < head;
        at = right ? at + half + 1 : at;
        n = right ? n - half - 1 : half;
    }
    return at;
}

size_t frz__sst_keys_lower(const struct sst_keys *k, size_t at, slice key)
{
    if (at == k->rows) return at;
    slice first = sst_key(k, 0);
    size_t n = key.len < k->shared ? key.len : k->shared;
    int c = n ? memcmp(key.data, first.data, n) : 0;
    if (c) return c < 0 ? at : k->rows;
    if (key.len < k->shared) return at;
    uint64_t head = head_of(key, k->shared);
    at = heads_lower(k, at, head);
    size_t end = at;
    if (end < k->rows && head_at(k, end) == head) end++;
    if (end > at && end < k->rows && head_at(k, end) == head) end = head == UINT64_MAX ? k->rows : heads_lower(k, end, head + 1);
    while (at < end) { /* those of KEY's head: by the whole */
        size_t mid = at + (end - at) / 2;
        if (slice_cmp(sst_key(k, mid), key) < 0) at = mid + 1;
        else end = mid;
    }
    return at;
}
