#include "sst/sst_int.h"

#include "base/coding.h"
#include "base/hash.h"
#include "cache/cache.h"

enum { CACHE_INDEX = 1, CACHE_FILTER = 2, CACHE_STRIPE = 3, CACHE_PAGE = 4 }; /* kinds of cache keys */

static inline void count(_Atomic uint64_t *c) { atomic_fetch_add_explicit(c, 1, memory_order_relaxed); }

size_t frz__sst_group_of(const struct sst_impl *im, uint64_t pos)
{
    size_t at = 0, n = im->groups;
    while (n > 1) { /* the last group that begins at or before POS */
        size_t half = n / 2;
        if (im->group_first[at + half] <= pos) {
            at += half;
            n -= half;
        } else {
            n = half;
        }
    }
    return at;
}

size_t frz__sst_page_of(const struct pq_pages *pages, uint64_t row)
{
    if (pages->count > 1) { /* uniform stripes: no search */
        uint64_t guess = row / pages->first_row[1];
        if (guess < pages->count && pages->first_row[guess] <= row && row < pages->first_row[guess + 1]) return (size_t)guess;
    }
    size_t at = 0, n = pages->count;
    while (n > 1) {
        size_t half = n / 2;
        if (pages->first_row[at + half] <= row) {
            at += half;
            n -= half;
        } else {
            n = half;
        }
    }
    return at;
}

int frz__sst_read_section(struct sst *s, enum sst_section_type type, uint64_t offset, void *out, size_t len, frz_error *err)
{
    const struct sst_section *sec = &s->impl->block.sections[type];
    FRZ_ASSERT(sec->there && offset <= sec->length && len <= sec->length - offset);
    return frz__file_read_full(s->impl->file, s->impl->block.offset + sec->offset + offset, out, len, err);
}

static int bad_page(const struct sst *s, size_t group, size_t leaf, size_t page, const char *what, frz_error *err)
{
    return frz__err_corrupt(err, "%s: page indexes: row group %zu, column %s: page %zu %s", s->path, group, frz__pq_col(s->impl->pq, leaf)->name, page, what);
}

int frz__sst_find_page(struct sst *s, size_t group, size_t leaf, uint64_t row, const struct pq_pages **out, size_t *page, frz_error *err)
{
    TRY(frz__pq_pages(s->impl->pq, group, leaf, out, err));
    const struct pq_pages *p = *out;
    if (p->count == 0) return bad_page(s, group, leaf, 0, "is not there", err);
    size_t i = *page = frz__sst_page_of(p, row);
    if (i >= p->count || row < p->first_row[i] || row >= p->first_row[i + 1]) return bad_page(s, group, leaf, i, "should hold a row that it does not", err);
    if (!s->impl->ours) return FRZ_OK;
    if (i && p->offset[i - 1] + p->bytes[i - 1] != p->offset[i]) return bad_page(s, group, leaf, i, "does not begin where the one before it ends", err);
    if (i + 1 < p->count && p->offset[i] + p->bytes[i] != p->offset[i + 1]) return bad_page(s, group, leaf, i, "does not end where the next begins", err);
    return FRZ_OK;
}

int frz__sst_check_page_indexes(struct sst *s, frz_error *err)
{
    struct sst_impl *im = s->impl;
    uint8_t bytes[4096];
    uint32_t crc = 0;
    if (!im->ours || atomic_load_explicit(&im->pages_checked, memory_order_relaxed)) return FRZ_OK;
    for (uint64_t at = 0; at < im->pages_length;) {
        size_t n = im->pages_length - at < sizeof bytes ? (size_t)(im->pages_length - at) : sizeof bytes;
        TRY(frz__file_read_full(im->file, im->pages_offset + at, bytes, n, err));
        crc = frz__crc32c(crc, bytes, n);
        at += n;
    }
    if (crc != im->pages_crc) return frz__err_corrupt(err, "%s: page indexes at %" PRIu64 ": checksum: expected %08x, found %08x", s->path, im->pages_offset, im->pages_crc, crc);
    atomic_store_explicit(&im->pages_checked, true, memory_order_relaxed);
    return FRZ_OK;
}

/* ── index: fences, the filter's checksums ── */

static void index_free(const allocator *a, void *value)
{
    struct sst_index *ix = (struct sst_index *)value;
    (void)a;
    if (ix) frz__free(ix->a, ix);
}

static int index_read(struct sst *s, struct sst_index **out, frz_error *err)
{
    int rc = FRZ_OK;
    struct sst_impl *im = s->impl;
    const struct sst_section *fence = &im->block.sections[SST_FENCE];
    size_t fence_bytes = ((size_t)fence->length + 7) & ~(size_t)7, crc_bytes = (size_t)sst_filter_units(im->filter_blocks) * 4;
    size_t mem = sizeof(struct sst_index) + fence_bytes + crc_bytes;
    const allocator *a = mem <= SST_INDEX_RESIDENT_MAX ? s->env.a : frz__cache_allocator(s->env.cache);
    struct sst_index *ix = (struct sst_index *)frz__alloc(a, mem);
    if (!ix) return frz__err_no_memory(err, mem);
    *ix = (struct sst_index){.a = a, .mem = mem};
    uint8_t *bytes = (uint8_t *)ix->bytes;
    CHECK(frz__sst_read_section(s, SST_FENCE, 0, bytes, (size_t)fence->length, err));
    uint32_t crc = frz__crc32c(0, bytes, (size_t)fence->length);
    if (crc != fence->crc) CHECK(frz__err_corrupt(err, "%s: fences at %" PRIu64 ": checksum: expected %08x, found %08x", s->path, im->block.offset + fence->offset, fence->crc, crc));
    CHECK(frz__sst_fence_decode(slice_of(bytes, (size_t)fence->length), (s->rows + SST_KEY_PAGE_ROWS - 1) >> SST_KEY_PAGE_ROWS_LOG2, s->path, &ix->fence, err));
    if (crc_bytes) CHECK(frz__sst_read_section(s, SST_FILTER, im->filter_blocks * SST_FILTER_BLOCK_BYTES, bytes + fence_bytes, crc_bytes, err));
    ix->unit_crcs = (const uint32_t *)(const void *)(bytes + fence_bytes);
    *out = ix;
done:
    if (rc < 0) frz__free(a, ix);
    return rc;
}

int frz__sst_load_index(struct sst *s, const struct sst_index **out, struct cache_entry **pin, frz_error *err)
{
    struct sst_index *ix = atomic_load_explicit(&s->impl->index, memory_order_acquire);
    *pin = NULL;
    *out = ix;
    if (ix) return FRZ_OK;
    struct cache_key key = {s->file_no, CACHE_INDEX, 0, 0};
    *pin = frz__cache_get(s->env.cache, &key);
    if (!*pin) {
        TRY(index_read(s, &ix, err));
        if (ix->mem <= SST_INDEX_RESIDENT_MAX) {
            struct sst_index *none = NULL;
            if (!atomic_compare_exchange_strong_explicit(&s->impl->index, &none, ix, memory_order_acq_rel, memory_order_acquire)) {
                frz__free(s->env.a, ix);
                ix = none;
            }
            *out = ix;
            return FRZ_OK;
        }
        TRY(frz__cache_insert(s->env.cache, &key, ix, ix->mem, index_free, pin, err));
    }
    *out = (const struct sst_index *)frz__cache_value(*pin);
    return FRZ_OK;
}

/* ── filter units ── */

static void unit_free(const allocator *a, void *value)
{
    struct filter_unit *u = (struct filter_unit *)value;
    (void)a;
    if (u) frz__free(u->a, u);
}

static int unit_read(struct sst *s, uint64_t unit, struct filter_unit **out, size_t *mem, frz_error *err)
{
    int rc = FRZ_OK;
    const struct sst_index *ix;
    struct cache_entry *pin = NULL;
    size_t bytes = sst_filter_unit_bytes(s->impl->filter_blocks, unit);
    const allocator *a = frz__cache_allocator(s->env.cache);
    struct filter_unit *u = (struct filter_unit *)frz__alloc(a, sizeof *u + bytes);
    if (!u) return frz__err_no_memory(err, sizeof *u + bytes);
    u->a = a;
    atomic_init(&u->held, NULL);
    CHECK(frz__sst_load_index(s, &ix, &pin, err));
    CHECK(frz__sst_read_section(s, SST_FILTER, unit * SST_FILTER_UNIT_BYTES, u->bytes, bytes, err));
    uint32_t crc = frz__crc32c(0, u->bytes, bytes);
    if (crc != ix->unit_crcs[unit])
        CHECK(frz__err_corrupt(err, "%s: filter unit %" PRIu64 " at %" PRIu64 ": checksum: expected %08x, found %08x", s->path, unit,
                               s->impl->block.offset + s->impl->block.sections[SST_FILTER].offset + unit * SST_FILTER_UNIT_BYTES, ix->unit_crcs[unit], crc));
    *out = u;
    *mem = sizeof *u + bytes;
done:
    frz__cache_unpin(s->env.cache, pin);
    if (rc < 0) frz__free(a, u);
    return rc;
}

/* *PIN, where it may be held, becomes the file's own. */
static void unit_hold(struct sst *s, uint64_t unit, struct filter_unit *u, struct cache_entry **pin)
{
    struct filter_unit *none = NULL;
    if (!frz__cache_hold(s->env.cache, *pin)) return;
    struct cache_entry *e = *pin;
    atomic_store_explicit(&u->held, e, memory_order_relaxed); /* the same for all who come here: one entry a key */
    *pin = NULL;
    if (atomic_compare_exchange_strong_explicit(&s->impl->units[unit], &none, u, memory_order_release, memory_order_relaxed)) return;
    frz__cache_unhold(s->env.cache, e); /* another thread's pin keeps it */
}

int frz__sst_load_filter_unit(struct sst *s, uint64_t unit, const uint8_t **out, struct cache_entry **pin, frz_error *err)
{
    struct filter_unit *u = atomic_load_explicit(&s->impl->units[unit], memory_order_acquire);
    *pin = NULL;
    if (u) {
        *out = u->bytes;
        return FRZ_OK;
    }
    struct cache_key key = {s->file_no, CACHE_FILTER, 0, unit};
    *pin = frz__cache_get(s->env.cache, &key);
    if (!*pin) {
        size_t mem = 0;
        TRY(unit_read(s, unit, &u, &mem, err));
        TRY(frz__cache_insert(s->env.cache, &key, u, mem, unit_free, pin, err));
    }
    u = (struct filter_unit *)frz__cache_value(*pin);
    *out = u->bytes;
    unit_hold(s, unit, u, pin);
    return FRZ_OK;
}

void frz__sst_unhold_filter(struct sst *s)
{
    if (!s->impl->units) return;
    for (uint64_t i = 0, n = sst_filter_units(s->impl->filter_blocks); i < n; i++) {
        struct filter_unit *u = atomic_load_explicit(&s->impl->units[i], memory_order_acquire);
        if (u) frz__cache_unhold(s->env.cache, atomic_load_explicit(&u->held, memory_order_relaxed));
    }
    frz__free(s->env.a, (void *)s->impl->units);
    s->impl->units = NULL;
}

/* ── key stripes ── */

struct stripe { const allocator *a; struct sst_keys keys; };

static void stripe_free(const allocator *a, void *value)
{
    struct stripe *st = (struct stripe *)value;
    (void)a;
    if (!st) return;
    frz__sst_keys_clear(&st->keys);
    frz__free(st->a, st);
}

/* One key column's values of ROWS rows from LOCAL in GROUP, which must be exactly one page. */
static int key_page_read(struct sst *s, size_t group, size_t leaf, uint64_t local, size_t rows, struct codec_ctx *codec, struct vec *out, frz_error *err)
{
    const struct pq_pages *pages;
    size_t page;
    TRY(frz__sst_find_page(s, group, leaf, local, &pages, &page, err));
    if (pages->first_row[page] != local || pages->first_row[page + 1] != local + rows)
        return frz__err_corrupt(err, "%s: row group %zu, key column %s: page %zu should begin at row %" PRIu64 " and have %zu rows", s->path, group, frz__pq_col(s->impl->pq, leaf)->name, page, local, rows);
    TRY(frz__pq_page_read(s->impl->pq, group, leaf, page, codec, out, err));
    if (out->len != rows || out->nulls)
        return frz__err_corrupt(err, "%s: row group %zu, key column %s: page %zu has %zu values and %zu nulls, not %zu values", s->path, group, frz__pq_col(s->impl->pq, leaf)->name, page, out->len, out->nulls, rows);
    return FRZ_OK;
}

int frz__sst_read_stripe(struct sst *s, uint64_t page, struct codec_ctx *codec, struct sst_keys *out, frz_error *err)
{
    int rc = FRZ_OK;
    struct sst_impl *im = s->impl;
    const frz_schema *schema = im->schema;
    uint64_t pos = page << SST_KEY_PAGE_ROWS_LOG2;
    size_t group = frz__sst_group_of(im, pos);
    uint64_t local = pos - im->group_first[group], left = im->group_first[group + 1] - pos;
    size_t rows = left < SST_KEY_PAGE_ROWS ? (size_t)left : SST_KEY_PAGE_ROWS;
    struct vecs cols = {0};
    const struct vec **in_order = (const struct vec **)frz__alloc_array(s->env.a, schema->key_count, sizeof *in_order);
    frz_type *types = (frz_type *)frz__alloc_array(s->env.a, schema->key_count, sizeof *types);
    if (!in_order || !types) CHECK(frz__err_no_memory(err, schema->key_count * sizeof *types));
    for (size_t i = 0; i < schema->key_count; i++) types[i] = schema->columns[schema->key[i]].type;
    CHECK(frz__vecs_init(&cols, s->env.a, types, schema->key_count, err));
    for (size_t i = 0; i < schema->key_count; i++) {
        in_order[i] = &cols.cols[i];
        CHECK(key_page_read(s, group, im->key_leaf[i], local, rows, codec, &cols.cols[i], err));
    }
    CHECK(frz__sst_keys_encode(schema, in_order, 0, rows, out, err));
done:
    frz__vecs_clear(&cols);
    frz__free(s->env.a, in_order);
    frz__free(s->env.a, types);
    return rc;
}

static int stripe_read(struct sst *s, uint64_t page, struct codec_ctx *codec, struct stripe **out, frz_error *err)
{
    int rc = FRZ_OK;
    struct stripe *st;
    const struct sst_index *ix;
    struct cache_entry *pin = NULL;
    const allocator *a = frz__cache_allocator(s->env.cache);
    TRY(ALLOC_NEW(&st, a, struct stripe, err));
    st->a = a;
    st->keys = SST_KEYS_INIT(a);
    CHECK(frz__sst_read_stripe(s, page, codec, &st->keys, err));
    if (st->keys.stride) frz__sst_keys_drop_offsets(&st->keys);
    count(&s->env.counters->key_pages_read);
    CHECK(frz__sst_load_index(s, &ix, &pin, err));
    if (frz__sst_fence_cmp(&ix->fence, (size_t)page, sst_key(&st->keys, 0)) != 0)
        CHECK(frz__err_corrupt(err, "%s: key page %" PRIu64 " does not begin with the key that its fence says", s->path, page));
    *out = st;
done:
    frz__cache_unpin(s->env.cache, pin);
    if (rc < 0) stripe_free(NULL, st);
    return rc;
}

int frz__sst_load_stripe(struct sst *s, uint64_t page, struct codec_ctx *codec, const struct sst_keys **out, struct cache_entry **pin, frz_error *err)
{
    struct cache_key key = {s->file_no, CACHE_STRIPE, 0, page};
    *pin = frz__cache_get(s->env.cache, &key);
    if (!*pin) {
        struct stripe *st = NULL;
        TRY(stripe_read(s, page, codec, &st, err));
        size_t mem = sizeof *st + st->keys.bytes.cap + st->keys.offset_cap * sizeof(uint32_t);
        TRY(frz__cache_insert(s->env.cache, &key, st, mem, stripe_free, pin, err));
    }
    *out = &((const struct stripe *)frz__cache_value(*pin))->keys;
    return FRZ_OK;
}

/* ── value pages ── */

struct page { const allocator *a; struct vec vec; };

static void page_free(const allocator *a, void *value)
{
    struct page *p = (struct page *)value;
    (void)a;
    if (!p) return;
    frz__vec_clear(&p->vec);
    frz__free(p->a, p);
}

static int page_read(struct sst *s, size_t group, size_t leaf, size_t page, size_t rows, frz_type type, struct codec_ctx *codec, struct page **out, frz_error *err)
{
    int rc = FRZ_OK;
    struct page *p;
    const allocator *a = frz__cache_allocator(s->env.cache);
    TRY(ALLOC_NEW(&p, a, struct page, err));
    p->a = a;
    frz__vec_init(&p->vec, a, type);
    CHECK(frz__pq_page_read(s->impl->pq, group, leaf, page, codec, &p->vec, err));
    count(&s->env.counters->value_pages_read);
    if (p->vec.len != rows)
        CHECK(frz__err_corrupt(err, "%s: row group %zu, column %s: page %zu has %zu rows, its index says %zu", s->path, group, frz__pq_col(s->impl->pq, leaf)->name, page, p->vec.len, rows));
    *out = p;
done:
    if (rc < 0) page_free(NULL, p);
    return rc;
}

int frz__sst_load_page(struct sst *s, size_t leaf, frz_type type, uint64_t pos, struct codec_ctx *codec, const struct vec **out, size_t *index, struct cache_entry **pin, frz_error *err)
{
    struct sst_impl *im = s->impl;
    const struct pq_pages *pages;
    size_t group = frz__sst_group_of(im, pos);
    uint64_t local = pos - im->group_first[group];
    *pin = NULL;
    size_t page;
    TRY(frz__sst_find_page(s, group, leaf, local, &pages, &page, err));
    struct cache_key key = {s->file_no, CACHE_PAGE, (uint32_t)leaf, (uint64_t)group << 32 | page};
    *pin = frz__cache_get(s->env.cache, &key);
    if (!*pin) {
        struct page *p = NULL;
        TRY(page_read(s, group, leaf, page, (size_t)(pages->first_row[page + 1] - pages->first_row[page]), type, codec, &p, err));
        TRY(frz__cache_insert(s->env.cache, &key, p, sizeof *p + frz__vec_mem(&p->vec), page_free, pin, err));
    }
    *out = &((const struct page *)frz__cache_value(*pin))->vec;
    *index = (size_t)(local - pages->first_row[page]);
    return FRZ_OK;
}
