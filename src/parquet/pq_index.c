/* Where the pages of a chunk are: by its offset index, or by walking from header to header. And the column index. */
#include "parquet/pq_file.h"

#define WALK_WINDOW ((size_t)64 << 10)
#define HEADER_BYTES_MAX ((size_t)16 << 20)
#define CHUNK_SLACK 100 /* old writers left the dictionary page's header out of a chunk's size */

int frz__pq_chunk_range(const struct pq_file *f, size_t group, size_t column, uint64_t *from, uint64_t *to, frz_error *err)
{
    const struct pq_chunk *k = pq_chunk_of(f, group, column);
    if (!k->has_meta || k->encrypted) return frz__err(err, FRZ_UNSUPPORTED, "the column is encrypted");
    if (k->file_path.len) return frz__err(err, FRZ_UNSUPPORTED, "the column is in another file, %.*s", (int)k->file_path.len, k->file_path.data);
    uint64_t start = (uint64_t)k->data_page_offset;
    if (k->dictionary_page_offset > 0 && (uint64_t)k->dictionary_page_offset < start) start = (uint64_t)k->dictionary_page_offset;
    if (start > f->footer_offset || (uint64_t)k->compressed_bytes > f->footer_offset - start)
        return frz__err_corrupt(err, "%" PRId64 " bytes at %" PRIu64 " reach beyond %" PRIu64 ", where the footer begins", k->compressed_bytes, start, f->footer_offset);
    *from = start;
    *to = start + (uint64_t)k->compressed_bytes;
    *to += f->footer_offset - *to < CHUNK_SLACK ? f->footer_offset - *to : CHUNK_SLACK;
    return FRZ_OK;
}

static struct pq_chunk_pages *pages_new(const allocator *a, size_t count)
{
    size_t each = 2 * sizeof(uint64_t) + sizeof(uint32_t);
    if (count > SIZE_MAX / each - sizeof(struct pq_chunk_pages) - 64) return NULL;
    size_t mem = sizeof(struct pq_chunk_pages) + (count + 1) * each;
    struct pq_chunk_pages *p = (struct pq_chunk_pages *)frz__alloc_zero(a, mem);
    if (!p) return NULL;
    uint64_t *first = (uint64_t *)(void *)(p + 1), *offset = first + count + 1;
    p->pub = (struct pq_pages){.count = count, .first_row = first, .offset = offset, .bytes = (const uint32_t *)(const void *)(offset + count + 1)};
    p->mem = mem;
    return p;
}
static uint64_t *first_rows(struct pq_chunk_pages *p) { return (uint64_t *)(void *)(p + 1); }
static uint64_t *offsets(struct pq_chunk_pages *p) { return first_rows(p) + p->pub.count + 1; }
static uint32_t *sizes(struct pq_chunk_pages *p) { return (uint32_t *)(void *)(offsets(p) + p->pub.count + 1); }

/* ── by the offset index ── */

static int from_index(const struct pq_file *f, size_t group, size_t column, struct pq_chunk_pages **out, frz_error *err)
{
    const struct pq_chunk *k = pq_chunk_of(f, group, column);
    struct arena ar = ARENA_INIT(f->a);
    struct buf b = BUF_INIT(f->a, 0);
    struct pq_offset_index x;
    uint64_t from, to, rows = frz__pq_group_rows(f, group), at;
    int rc;
    CHECK(frz__pq_chunk_range(f, group, column, &from, &to, err));
    CHECK(frz__pq_read(f, (uint64_t)k->offset_index_offset, (uint64_t)k->offset_index_bytes, &b, err));
    CHECK(frz__pq_offset_index_parse(&ar, buf_slice(&b), &x, err));
    if ((x.count == 0) != (rows == 0)) CHECK(frz__err_corrupt(err, "offset index: %zu pages of %" PRIu64 " rows", x.count, rows));
    struct pq_chunk_pages *p = *out = pages_new(f->a, x.count);
    if (!p) CHECK(frz__err_no_memory(err, x.count * sizeof x.pages[0]));
    at = from;
    for (size_t i = 0; i < x.count; i++) {
        const struct pq_page_location *l = &x.pages[i];
        uint64_t row = (uint64_t)l->first_row, before = i ? (uint64_t)x.pages[i - 1].first_row : 0;
        if ((uint64_t)l->offset < at || (uint64_t)l->offset > to || (uint64_t)l->bytes > to - (uint64_t)l->offset)
            CHECK(frz__err_corrupt(err, "offset index: page %zu: %" PRId32 " bytes at %" PRId64 " are not within %" PRIu64 " to %" PRIu64, i, l->bytes, l->offset, at, to));
        if (row < before || row > rows || (i == 0 && row != 0)) CHECK(frz__err_corrupt(err, "offset index: page %zu begins at row %" PRIu64 " of %" PRIu64, i, row, rows));
        at = (uint64_t)l->offset + (uint64_t)l->bytes;
        first_rows(p)[i] = row;
        offsets(p)[i] = (uint64_t)l->offset;
        sizes(p)[i] = (uint32_t)l->bytes;
    }
    first_rows(p)[x.count] = rows;
    if (x.count && offsets(p)[0] > from) { /* what stands before the first data page */
        p->dict_offset = from;
        p->dict_bytes = offsets(p)[0] - from;
    }
done:
    buf_clear(&b);
    frz__arena_clear(&ar);
    return rc;
}

/* ── by walking ── */

struct walk {
    const struct pq_file *f;
    struct buf window; /* bytes of the file from window_at on */
    uint64_t window_at, at, to;
};

/* The header at w->at, reading no more of the file than need be. */
static int walk_header(struct walk *w, struct pq_page_header *h, size_t *used, frz_error *err)
{
    for (size_t want = WALK_WINDOW;; want *= 4) {
        uint64_t left = w->to - w->at;
        size_t in = w->at >= w->window_at && w->at < w->window_at + w->window.len ? (size_t)(w->at - w->window_at) : w->window.len;
        bool cut = true;
        if (in < w->window.len) {
            int rc = frz__pq_page_header_parse(slice_of(w->window.data + in, w->window.len - in), h, used, &cut, err);
            if (rc >= 0 || !cut || w->window.len - in >= left || w->window.len - in >= HEADER_BYTES_MAX) return rc;
        }
        if (left == 0) return frz__err_corrupt(err, "a page header expected at %" PRIu64 ", where the column ends", w->at);
        buf_reset(&w->window);
        w->window_at = w->at;
        TRY(frz__pq_read(w->f, w->at, left < want ? left : want, &w->window, err));
    }
}

struct place { uint64_t row, offset; uint32_t bytes; };

static int walk(struct walk *w, int64_t values, struct place **places, size_t *count, size_t *cap, uint64_t *dict_offset, uint64_t *dict_bytes, frz_error *err)
{
    uint64_t seen = 0, want = (uint64_t)values;
    bool first = true;
    while (seen < want) {
        struct pq_page_header h;
        size_t used = 0;
        TRY(walk_header(w, &h, &used, err));
        uint64_t bytes = used + (uint64_t)h.compressed_bytes;
        if (bytes > w->to - w->at || bytes > UINT32_MAX) return frz__err_corrupt(err, "page at %" PRIu64 ": %" PRIu64 " bytes, %" PRIu64 " left in the column", w->at, bytes, w->to - w->at);
        if (pq_is_data(&h)) {
            if ((uint64_t)h.values > want - seen) return frz__err_corrupt(err, "page at %" PRIu64 ": %" PRId32 " values, %" PRIu64 " expected", w->at, h.values, want - seen);
            TRY(frz__grow(w->f->a, (void **)places, *count, cap, sizeof **places, err));
            (*places)[(*count)++] = (struct place){seen, w->at, (uint32_t)bytes};
            seen += (uint64_t)h.values;
        } else if (h.type == PQ_DICTIONARY_PAGE) {
            if (!first) return frz__err_corrupt(err, "page at %" PRIu64 ": a dictionary behind other pages", w->at);
            *dict_offset = w->at;
            *dict_bytes = bytes;
        }
        first = false;
        w->at += bytes;
    }
    return FRZ_OK;
}

int frz__pq_walk(const struct pq_file *f, size_t group, size_t column, struct pq_chunk_pages **out, frz_error *err)
{
    struct walk w = {.f = f, .window = BUF_INIT(f->a, 0)};
    struct place *places = NULL;
    size_t count = 0, cap = 0;
    uint64_t dict_offset = 0, dict_bytes = 0;
    int rc;
    *out = NULL;
    CHECK(frz__pq_chunk_range(f, group, column, &w.at, &w.to, err));
    CHECK(walk(&w, pq_chunk_of(f, group, column)->values, &places, &count, &cap, &dict_offset, &dict_bytes, err));
    struct pq_chunk_pages *p = *out = pages_new(f->a, count);
    if (!p) CHECK(frz__err_no_memory(err, count * sizeof *places));
    for (size_t i = 0; i < count; i++) {
        first_rows(p)[i] = places[i].row;
        offsets(p)[i] = places[i].offset;
        sizes(p)[i] = places[i].bytes;
    }
    first_rows(p)[count] = (uint64_t)pq_chunk_of(f, group, column)->values;
    p->dict_offset = dict_offset;
    p->dict_bytes = dict_bytes;
    p->walked = true;
done:
    frz__free(f->a, places);
    buf_clear(&w.window);
    return rc;
}

int frz__pq_chunk_pages(struct pq_file *f, size_t group, size_t column, const struct pq_chunk_pages **out, frz_error *err)
{
    struct pq_slot *s = pq_slot_of(f, group, column);
    const struct pq_chunk *k = pq_chunk_of(f, group, column);
    struct pq_chunk_pages *p = atomic_load_explicit(&s->pages, memory_order_acquire), *none = NULL;
    if (!p) {
        if (f->leaves[column].max_rep) return frz__err(err, FRZ_UNSUPPORTED, "pages of a repeated column");
        bool indexed = k->has_meta && k->offset_index_offset > 0 && k->offset_index_bytes > 0;
        int rc = indexed ? from_index(f, group, column, &p, err) : frz__pq_walk(f, group, column, &p, err);
        if (rc < 0) {
            frz__free(f->a, p);
            return rc;
        }
        if (atomic_compare_exchange_strong_explicit(&s->pages, &none, p, memory_order_acq_rel, memory_order_acquire)) {
            atomic_fetch_add_explicit(&f->loaded, p->mem, memory_order_relaxed);
        } else {
            frz__free(f->a, p);
            p = none;
        }
    }
    *out = p;
    return FRZ_OK;
}

int frz__pq_pages(struct pq_file *f, size_t group, size_t column, const struct pq_pages **out, frz_error *err)
{
    const struct pq_chunk_pages *p = NULL;
    FRZ_ASSERT(group < f->foot.group_count && column < f->leaf_count);
    TRY(frz__pq_where(f, group, column, frz__pq_chunk_pages(f, group, column, &p, err), err));
    *out = &p->pub;
    return FRZ_OK;
}

/* ── column index ── */

static int load_column_index(const struct pq_file *f, const struct pq_chunk *k, struct pq_chunk_index **out, frz_error *err)
{
    struct pq_chunk_index *x = NULL;
    struct buf b = BUF_INIT(f->a, 0);
    int rc;
    CHECK(ALLOC_NEW(&x, f->a, struct pq_chunk_index, err));
    x->ar = ARENA_INIT(f->a);
    CHECK(frz__pq_read(f, (uint64_t)k->column_index_offset, (uint64_t)k->column_index_bytes, &b, err));
    uint8_t *bytes = (uint8_t *)arena_alloc(&x->ar, b.len + 1, 1); /* minima and maxima borrow from them */
    if (!bytes) CHECK(frz__err_no_memory(err, b.len));
    memcpy(bytes, b.data, b.len);
    CHECK(frz__pq_column_index_parse(&x->ar, slice_of(bytes, b.len), &x->x, err));
    *out = x;
    x = NULL;
done:
    if (x) frz__arena_clear(&x->ar);
    frz__free(f->a, x);
    buf_clear(&b);
    return rc;
}

int frz__pq_chunk_index(struct pq_file *f, size_t group, size_t column, const struct pq_column_index **out, frz_error *err)
{
    struct pq_slot *s = pq_slot_of(f, group, column);
    const struct pq_chunk *k = pq_chunk_of(f, group, column);
    struct pq_chunk_index *x = atomic_load_explicit(&s->index, memory_order_acquire), *none = NULL;
    *out = NULL;
    if (!k->has_meta || k->column_index_offset <= 0 || k->column_index_bytes <= 0) return FRZ_OK;
    if (!x) {
        TRY(load_column_index(f, k, &x, err));
        if (atomic_compare_exchange_strong_explicit(&s->index, &none, x, memory_order_acq_rel, memory_order_acquire)) {
            atomic_fetch_add_explicit(&f->loaded, sizeof *x + arena_bytes(&x->ar), memory_order_relaxed);
        } else {
            frz__arena_clear(&x->ar);
            frz__free(f->a, x);
            x = none;
        }
    }
    *out = &x->x;
    return FRZ_OK;
}
