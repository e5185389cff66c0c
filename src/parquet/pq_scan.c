/* Streams row ranges of several columns. A page that lies wholly in the batch is decoded straight into it; one that does not is held decoded, and its rows are copied batch by batch. Where a
 * column stands follows from the row alone, so a batch may be cut short after some columns were filled. */
#include "parquet/pq_file.h"

#define READ_BYTES_ALL ((size_t)4 << 20) /* read ahead, all columns together */
#define READ_BYTES_MIN ((size_t)64 << 10)
#define READ_BYTES_MAX ((size_t)1 << 20)
#define NONE SIZE_MAX

struct scan_col {
    size_t column;
    struct pq_plan plan;
    size_t group;                        /* NONE, or what the next three are of */
    const struct pq_chunk_pages *pages;
    size_t page;                         /* the last that was looked up */
    bool has_dict;
    struct vec dict;                     /* of the group */
    size_t hold_page;                    /* of the group; NONE = nothing held */
    struct vec hold;
    struct buf bytes;                    /* of the file, from bytes_at on */
    uint64_t bytes_at;
};
struct pq_scan {
    const allocator *a;
    struct pq_file *f;
    struct codec_ctx *ctx;
    size_t count, range_count, range;
    struct scan_col *cols;
    struct pq_range *ranges;
    uint64_t row; /* next to be given */
    uint64_t pages;
    size_t read_bytes;
    size_t group; /* of `row`, or before it */
    size_t batch_bytes;
    size_t wide_group; /* NONE, or what the next is of */
    uint64_t row_bytes;
};

static int copy_ranges(struct pq_scan *s, const struct pq_range *ranges, size_t count, frz_error *err)
{
    uint64_t rows = frz__pq_rows(s->f), before = 0;
    struct pq_range all = {0, rows};
    if (!ranges) {
        ranges = &all;
        count = 1;
    }
    s->ranges = (struct pq_range *)frz__alloc_array(s->a, count ? count : 1, sizeof *s->ranges);
    if (!s->ranges) return frz__err_no_memory(err, count * sizeof *s->ranges);
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].from < before || ranges[i].to < ranges[i].from || ranges[i].to > rows)
            return frz__err(err, FRZ_INVALID, "%s: rows %" PRIu64 " to %" PRIu64 " are no range behind %" PRIu64 " of %" PRIu64 " rows", s->f->src.name, ranges[i].from, ranges[i].to, before, rows);
        before = ranges[i].to;
        s->ranges[i] = ranges[i];
    }
    s->range_count = count;
    if (count) s->row = s->ranges[0].from;
    return FRZ_OK;
}

static int open_col(struct pq_scan *s, size_t i, size_t column, frz_type type, frz_error *err)
{
    struct scan_col *c = &s->cols[i];
    if (column >= s->f->leaf_count) return frz__err(err, FRZ_INVALID, "%s: column %zu of %zu", s->f->src.name, column, s->f->leaf_count);
    int rc = frz__pq_plan(&s->f->leaves[column], type, &c->plan, err);
    if (rc < 0) {
        frz__err_context(err, "%s", s->f->src.name);
        return rc;
    }
    c->column = column;
    c->group = c->hold_page = NONE;
    frz__vec_init(&c->dict, s->a, type);
    frz__vec_init(&c->hold, s->a, type);
    c->bytes = BUF_INIT(s->a, 0);
    return FRZ_OK;
}

int frz__pq_scan_new(const allocator *a, struct pq_file *f, const size_t *columns, const frz_type *types, size_t count, const struct pq_range *ranges, size_t range_count, struct codec_ctx *codec,
                     struct pq_scan **out, frz_error *err)
{
    struct pq_scan *s;
    int rc;
    *out = NULL;
    TRY(ALLOC_NEW(&s, a, struct pq_scan, err));
    s->a = a;
    s->f = f;
    s->ctx = codec;
    s->batch_bytes = SIZE_MAX;
    s->wide_group = NONE;
    s->read_bytes = READ_BYTES_ALL / (count ? count : 1);
    if (s->read_bytes < READ_BYTES_MIN) s->read_bytes = READ_BYTES_MIN;
    if (s->read_bytes > READ_BYTES_MAX) s->read_bytes = READ_BYTES_MAX;
    CHECK(copy_ranges(s, ranges, range_count, err));
    s->cols = (struct scan_col *)frz__alloc_array(a, count ? count : 1, sizeof *s->cols);
    if (!s->cols) CHECK(frz__err_no_memory(err, count * sizeof *s->cols));
    for (; s->count < count; s->count++) CHECK(open_col(s, s->count, columns[s->count], types[s->count], err));
    *out = s;
    s = NULL;
done:
    frz__pq_scan_free(s);
    return rc;
}

void frz__pq_scan_free(struct pq_scan *s)
{
    if (!s) return;
    for (size_t i = 0; s->cols && i < s->count; i++) {
        frz__vec_clear(&s->cols[i].dict);
        frz__vec_clear(&s->cols[i].hold);
        buf_clear(&s->cols[i].bytes);
    }
    frz__free(s->a, s->cols);
    frz__free(s->a, s->ranges);
    frz__free(s->a, s);
}

void frz__pq_scan_read_ahead(struct pq_scan *s, size_t bytes)
{
    size_t each = bytes / (s->count ? s->count : 1);
    if (each < s->read_bytes) s->read_bytes = each;
}

void frz__pq_scan_batch_bytes(struct pq_scan *s, size_t bytes) { s->batch_bytes = bytes; }

uint64_t frz__pq_scan_pages(const struct pq_scan *s) { return s->pages; }

/* ── one column ── */

static int enter_group(struct pq_scan *s, struct scan_col *c, size_t group, frz_error *err)
{
    if (c->group == group) return FRZ_OK;
    c->group = NONE;
    c->hold_page = NONE;
    c->has_dict = false;
    c->page = 0;
    buf_reset(&c->bytes);
    TRY(frz__pq_chunk_pages(s->f, group, c->column, &c->pages, err));
    c->group = group;
    return FRZ_OK;
}

/* The page of ROW (of the group); pages of no rows are passed over. */
static size_t find_page(struct scan_col *c, uint64_t row)
{
    const struct pq_pages *p = &c->pages->pub;
    size_t lo = c->page, hi = p->count;
    if (p->first_row[lo] > row) lo = 0;
    if (p->first_row[lo + 1] <= row) { /* mostly the next one */
        lo++;
        while (lo + 1 < hi && p->first_row[lo + 1] <= row) {
            size_t mid = lo + (hi - lo) / 2;
            if (p->first_row[mid] <= row)
                lo = mid;
            else
                hi = mid;
        }
    }
    return c->page = lo;
}

/* The bytes of PAGE, read together with those behind it that rows before ROW_TO (of the group) will need. */
static int page_bytes(struct pq_scan *s, struct scan_col *c, size_t page, uint64_t row_to, slice *out, frz_error *err)
{
    const struct pq_pages *p = &c->pages->pub;
    uint64_t from = p->offset[page], to = from + p->bytes[page];
    if (from < c->bytes_at || to > c->bytes_at + c->bytes.len) {
        for (size_t i = page + 1; i < p->count && p->first_row[i] < row_to && p->offset[i] == to && to + p->bytes[i] - from <= s->read_bytes; i++) to += p->bytes[i];
        buf_reset(&c->bytes);
        TRY(frz__pq_read(s->f, from, to - from, &c->bytes, err));
        c->bytes_at = from;
    }
    *out = slice_of(c->bytes.data + (from - c->bytes_at), p->bytes[page]);
    return FRZ_OK;
}

static int decode_page(struct pq_scan *s, struct scan_col *c, size_t page, uint64_t row_to, struct vec *out, frz_error *err)
{
    const struct pq_chunk *k = pq_chunk_of(s->f, c->group, c->column);
    const struct pq_leaf *l = &s->f->leaves[c->column];
    struct pq_page p;
    slice bytes;
    TRY(page_bytes(s, c, page, row_to, &bytes, err));
    TRY(frz__pq_page_at(s->f, c->group, c->column, &c->pages->pub, page, bytes, &p, err));
    if (pq_is_dictionary_coded(p.h.encoding) && !c->has_dict && c->pages->dict_bytes) {
        vec_reset(&c->dict);
        TRY(frz__pq_dict_load(s->f, c->group, c->column, c->pages, &c->plan, s->ctx, &c->dict, err));
        c->has_dict = true;
    }
    TRY(frz__pq_page_decode(&p, l, &c->plan, k->codec, c->has_dict ? &c->dict : NULL, s->ctx, out, err));
    s->pages++;
    return FRZ_OK;
}

/* The first of COUNT rows of HOLD from FROM on that a batch has room for behind those of OUT: one at least where that is empty. */
static size_t with_room(const struct pq_scan *s, const struct vec *out, const struct vec *hold, size_t from, size_t count)
{
    size_t used = vec_used(out), rows = frz__vec_rows_within(hold, from, count, used < s->batch_bytes ? s->batch_bytes - used : 0);
    return rows || out->len ? rows : 1;
}

/* OUT, that had BEFORE rows and less bytes than a batch, has a whole page more. How many of that stay; the others are decoded again for the next batch. */
static uint64_t cut_to_room(const struct pq_scan *s, struct vec *out, size_t before)
{
    if (vec_used(out) > s->batch_bytes) {
        size_t rows = frz__vec_rows_within(out, 0, out->len, s->batch_bytes);
        frz__vec_truncate(out, rows > before ? rows : before ? before : 1);
    }
    return out->len - before;
}

/* Rows [ROW, ROW + *COUNT) of the file, all of one range that ends at RANGE_TO, appended to OUT: fewer, and *COUNT says how many, if a batch has no room for all. */
static int fill_col(struct pq_scan *s, struct scan_col *c, uint64_t row, uint64_t *count, uint64_t range_to, struct vec *out, frz_error *err)
{
    size_t group = s->group;
    uint64_t left = *count, wanted, take;
    do {
        while (s->f->first_rows[group + 1] <= row) group++;
        int rc = enter_group(s, c, group, err);
        if (rc < 0) return frz__pq_where(s->f, group, c->column, rc, err);
        uint64_t base = s->f->first_rows[group], local = row - base;
        size_t page = find_page(c, local);
        uint64_t first = c->pages->pub.first_row[page], end = c->pages->pub.first_row[page + 1];
        wanted = take = end - local < left ? end - local : left;
        if (c->hold_page != page && local == first && take == end - first) {
            size_t before = out->len;
            rc = decode_page(s, c, page, range_to - base, out, err);
            if (rc >= 0) take = cut_to_room(s, out, before);
        } else {
            if (c->hold_page != page) {
                c->hold_page = NONE;
                vec_reset(&c->hold);
                rc = decode_page(s, c, page, range_to - base, &c->hold, err);
                if (rc >= 0) c->hold_page = page;
            }
            if (rc >= 0) take = with_room(s, out, &c->hold, (size_t)(local - first), (size_t)take);
            if (rc >= 0) rc = frz__vec_append_range(out, &c->hold, (size_t)(local - first), (size_t)take, err);
        }
        if (rc < 0) {
            frz__err_context(err, "page %zu", page);
            return frz__pq_where(s->f, group, c->column, rc, err);
        }
        row += take;
        left -= take;
    } while (left && take == wanted && vec_used(out) < s->batch_bytes);
    *count -= left;
    return FRZ_OK;
}

/* Of the group that the next row is in. */
static uint64_t row_bytes(struct pq_scan *s)
{
    if (s->wide_group == s->group) return s->row_bytes;
    s->row_bytes = 0;
    for (size_t i = 0; i < s->count; i++) s->row_bytes += frz__pq_value_bytes(s->f, s->group, s->cols[i].column, s->cols[i].hold.type);
    s->wide_group = s->group;
    return s->row_bytes;
}

int frz__pq_scan_next(struct pq_scan *s, size_t max_rows, struct vecs *out, uint64_t *first_row, frz_error *err)
{
    FRZ_ASSERT(out->count == s->count && max_rows > 0);
    frz__vecs_reset(out);
    while (s->range < s->range_count && s->row >= s->ranges[s->range].to) {
        s->range++;
        if (s->range < s->range_count) s->row = s->ranges[s->range].from;
    }
    if (s->range == s->range_count) return FRZ_DONE;
    while (s->f->first_rows[s->group + 1] <= s->row) s->group++;
    if (s->batch_bytes < SIZE_MAX) max_rows = frz__pq_rows_within(row_bytes(s), s->batch_bytes, max_rows);
    uint64_t to = s->ranges[s->range].to, rows = to - s->row < max_rows ? to - s->row : max_rows;
    for (size_t i = 0; i < s->count; i++) {
        uint64_t got = rows;
        int rc = fill_col(s, &s->cols[i], s->row, &got, to, &out->cols[i], err);
        if (rc == FRZ_TOO_LARGE && out->cols[i].len) { /* so many bytes of strings: a shorter batch, then */
            got = out->cols[i].len;
            frz__err_clear(err);
        } else if (rc < 0) {
            frz__vecs_reset(out);
            return rc;
        }
        for (size_t j = 0; j < i && got < rows; j++) frz__vec_truncate(&out->cols[j], (size_t)got);
        rows = got;
    }
    *first_row = s->row;
    out->rows = (size_t)rows;
    s->row += rows;
    return FRZ_OK;
}
