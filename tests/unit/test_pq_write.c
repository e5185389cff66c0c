/* Files as the writer makes them, taken apart here without the reader: every page is found by its offset index, checked, decompressed and compared with the rows that went in. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "frz_test.h"
#include "base/hash.h"
#include "base/rand.h"
#include "parquet/pq_col_write.h"

static frz_error e;

/* ── a sink in memory ── */

struct file {
    struct buf bytes;
    uint64_t fail_at; /* appends that would go beyond fail; 0 = none */
};
static int append(void *ctx, slice bytes, frz_error *err)
{
    struct file *f = (struct file *)ctx;
    if (f->fail_at && f->bytes.len + bytes.len > f->fail_at) return frz__err(err, FRZ_NO_SPACE, "no room");
    return buf_append_slice(&f->bytes, bytes, err);
}
static struct pq_sink sink_of(struct file *f) { return (struct pq_sink){f, append}; }

/* ── taking a file apart ── */

static slice part(slice file, int64_t at, int64_t len)
{
    assert_true(at >= 0 && len >= 0 && (uint64_t)at <= file.len && (uint64_t)len <= file.len - (uint64_t)at);
    return slice_of(file.data + at, (size_t)len);
}

static struct pq_footer parse_footer(slice file, struct arena *ar)
{
    struct pq_footer f;
    assert_true(file.len >= 12);
    assert_memory_equal(file.data, "PAR1", 4);
    assert_memory_equal(file.data + file.len - 4, "PAR1", 4);
    uint32_t n = load_u32(file.data + file.len - 8);
    OK(frz__pq_footer_parse(ar, part(file, (int64_t)file.len - 8 - n, n), &f, &e), &e);
    return f;
}

static void rle_decode(const uint8_t *p, const uint8_t *end, unsigned width, uint32_t *out, size_t count)
{
    for (size_t n = 0; n < count;) {
        uint64_t head = 0;
        assert_true(varint_get(&p, end, &head));
        size_t groups = (size_t)(head >> 1), bytes = head & 1 ? groups * width : (width + 7) / 8;
        assert_true(groups > 0 && (size_t)(end - p) >= bytes);
        uint32_t v = 0;
        if (!(head & 1)) memcpy(&v, p, bytes);
        for (size_t i = 0; i < (head & 1 ? groups * 8 : groups) && n < count; i++) {
            if (head & 1) {
                v = 0;
                for (unsigned b = 0; b < width; b++) v |= (uint32_t)bit_get(p, i * width + b) << b;
            }
            out[n++] = v;
        }
        p += bytes;
        if (n == count) assert_ptr_equal(p, end);
    }
}

struct walker {
    slice file;
    struct codec_ctx *codec;
    struct arena ar;
    struct pq_scratch scratch;
    struct buf page, dict, want, got;
    size_t pages, dict_pages, split; /* pages that end before their stripe */
};

static slice page_body(struct walker *w, slice page, int32_t codec, struct pq_page_header *h, struct buf *out)
{
    size_t used;
    OK(frz__pq_page_header_parse(page, h, &used, NULL, &e), &e);
    slice body = part(page, (int64_t)used, h->compressed_bytes);
    assert_true(h->has_crc);
    assert_int_equal(h->crc, frz__crc32(0, body.data, body.len));
    buf_reset(out);
    OK(buf_append_zero(out, (size_t)h->uncompressed_bytes + 1, &e), &e);
    out->len--;
    OK(frz__decompress(w->codec, codec, body, out->data, out->len, &e), &e);
    return slice_of(page.data, used + body.len);
}

/* PLAIN form of the page's values into w->got; its levels against V's rows. */
static void page_values(struct walker *w, const struct pq_page_header *h, const struct vec *v, size_t from, size_t rows, size_t count, bool required, struct pq_form form)
{
    const uint8_t *p = w->page.data, *end = p + w->page.len;
    uint32_t *u = (uint32_t *)malloc((rows + 1) * sizeof *u);
    if (!required) {
        uint32_t n = load_u32(p);
        rle_decode(p + 4, p + 4 + n, 1, u, rows);
        for (size_t i = 0; i < rows; i++) assert_int_equal(u[i], !vec_is_null(v, from + i));
        p += 4 + n;
    }
    buf_reset(&w->got);
    if (h->encoding == PQ_PLAIN) {
        OK(buf_append(&w->got, p, (size_t)(end - p), &e), &e);
    } else {
        assert_int_equal(h->encoding, PQ_RLE_DICTIONARY);
        assert_true(p < end);
        unsigned width = *p++;
        assert_true(width >= 1 && width <= 32);
        rle_decode(p, end, width, u, count);
        for (size_t i = 0; i < count; i++) {
            size_t at = 0, len = form.width;
            if (form.width) at = (size_t)u[i] * form.width;
            else
                for (uint32_t k = 0; k <= u[i]; k++) at += k ? 4 + load_u32(w->dict.data + at) : 0;
            if (!form.width) len = 4 + load_u32(w->dict.data + at);
            assert_true(at + len <= w->dict.len);
            OK(buf_append(&w->got, w->dict.data + at, len, &e), &e);
        }
        w->dict_pages++;
    }
    free(u);
}

/* WHOLE: bounds were not cut, whatever their length. MAX may be absent (data NULL). */
static void check_bounds(struct pq_form form, bool whole, slice min, slice max, const struct pq_minmax *m)
{
    int lo = frz__pq_cmp(form.cmp, min, m->min), hi = max.data ? frz__pq_cmp(form.cmp, max, m->max) : 1;
    assert_true(whole || form.phys != PQ_BYTE_ARRAY || m->min.len <= PQ_STATS_BYTES_MAX ? lo == 0 : lo < 0);
    assert_true(whole || form.phys != PQ_BYTE_ARRAY || m->max.len <= PQ_STATS_BYTES_MAX ? hi == 0 : hi > 0);
}

static void walk_chunk(struct walker *w, const struct pq_chunk *c, const struct pq_wcol *col, const struct vec *v, size_t from, size_t rows, uint8_t k, int64_t *at)
{
    struct pq_offset_index oi;
    struct pq_column_index ci = {0};
    struct pq_page_header h;
    struct pq_values values;
    struct pq_minmax m;
    int64_t uncompressed = 0, nulls = 0, nans = 0, var_bytes = 0;
    int32_t plain = 0, dict = 0;
    bool all_bounded = true;
    assert_int_equal(c->values, rows);
    assert_int_equal(*at, c->dictionary_page_offset >= 0 ? c->dictionary_page_offset : c->data_page_offset);
    OK(frz__pq_offset_index_parse(&w->ar, part(w->file, c->offset_index_offset, c->offset_index_bytes), &oi, &e), &e);
    if (c->column_index_offset >= 0) {
        OK(frz__pq_column_index_parse(&w->ar, part(w->file, c->column_index_offset, c->column_index_bytes), &ci, &e), &e);
        assert_int_equal(ci.count, oi.count);
    }
    if (c->dictionary_page_offset >= 0) {
        slice page = page_body(w, part(w->file, *at, (int64_t)w->file.len - *at), c->codec, &h, &w->dict);
        assert_int_equal(h.type, PQ_DICTIONARY_PAGE);
        assert_int_equal(h.encoding, PQ_PLAIN);
        *at += (int64_t)page.len;
        uncompressed += (int64_t)page.len - h.compressed_bytes + h.uncompressed_bytes;
    }
    assert_int_equal(*at, c->data_page_offset);
    if (col->page_rows_log2) assert_int_equal(oi.count, (rows + ((size_t)1 << k) - 1) >> k);
    for (size_t i = 0; i < oi.count; i++) { /* pq_col_write.h (1) */
        size_t first = (size_t)oi.pages[i].first_row, end = i + 1 < oi.count ? (size_t)oi.pages[i + 1].first_row : rows, n = end - first;
        assert_true(i ? first > 0 : first == 0);
        assert_in_range(n, 1, ((size_t)1 << k) - first % ((size_t)1 << k));
        w->split += end < rows && end % ((size_t)1 << k) != 0;
        assert_int_equal(oi.pages[i].offset, *at);
        slice page = page_body(w, part(w->file, *at, oi.pages[i].bytes), c->codec, &h, &w->page);
        assert_int_equal(page.len, oi.pages[i].bytes);
        assert_int_equal(h.type, PQ_DATA_PAGE);
        assert_int_equal(h.values, n);
        OK(frz__pq_gather(&w->scratch, v, from + first, n, &values, &e), &e);
        buf_reset(&w->want);
        OK(frz__pq_plain_encode(&values, &w->want, &e), &e);
        page_values(w, &h, v, from + first, n, values.count, col->required, values.form);
        assert_true(slice_eq(buf_slice(&w->got), buf_slice(&w->want)));
        frz__pq_minmax(&values, &m);
        if (values.count && !m.has) all_bounded = false;
        if (ci.count) {
            assert_int_equal(ci.null_pages[i], values.count == 0);
            assert_int_equal(ci.nulls[i], n - values.count);
            if (ci.nans) assert_int_equal(ci.nans[i], m.nans);
            if (values.count) check_bounds(values.form, col->bounds_full, ci.mins[i], ci.maxs[i], &m);
            else assert_true(ci.mins[i].len == 0 && ci.maxs[i].len == 0);
            if (i && values.count && !ci.null_pages[i - 1]) {
                int lo = frz__pq_cmp(values.form.cmp, ci.mins[i - 1], ci.mins[i]), hi = frz__pq_cmp(values.form.cmp, ci.maxs[i - 1], ci.maxs[i]);
                if (ci.boundary_order == PQ_ASCENDING) assert_true(lo <= 0 && hi <= 0);
                if (ci.boundary_order == PQ_DESCENDING) assert_true(lo >= 0 && hi >= 0);
            }
        }
        nulls += (int64_t)(n - values.count);
        nans += (int64_t)m.nans;
        var_bytes += (int64_t)values.var_bytes;
        if (oi.var_bytes) assert_int_equal(oi.var_bytes[i], values.var_bytes);
        *(h.encoding == PQ_PLAIN ? &plain : &dict) += 1;
        uncompressed += (int64_t)page.len - h.compressed_bytes + h.uncompressed_bytes;
        *at += (int64_t)page.len;
        w->pages++;
    }
    assert_int_equal(uncompressed, c->uncompressed_bytes);
    assert_int_equal(*at - (c->dictionary_page_offset >= 0 ? c->dictionary_page_offset : c->data_page_offset), c->compressed_bytes);
    bool lists_dict = false;
    for (size_t i = 0; i < c->encoding_count; i++) lists_dict |= c->encodings[i] == PQ_RLE_DICTIONARY;
    assert_int_equal(lists_dict, dict > 0);
    assert_int_equal(c->dictionary_page_offset >= 0, dict > 0);
    for (size_t i = 0; i < c->encoding_stats_count; i++) {
        const struct pq_encoding_stats *s = &c->encoding_stats[i];
        assert_int_equal(s->count, s->page_type == PQ_DICTIONARY_PAGE ? 1 : s->encoding == PQ_PLAIN ? plain : dict);
    }
    /* the chunk's statistics */
    assert_true(c->has_statistics);
    assert_int_equal(c->statistics.nulls, nulls);
    OK(frz__pq_gather(&w->scratch, v, from, rows, &values, &e), &e);
    frz__pq_minmax(&values, &m);
    assert_true(c->statistics.max_old.data == NULL && c->statistics.min_old.data == NULL);
    assert_int_equal(c->statistics.min.data != NULL, m.has);
    if (m.has) {
        const struct pq_statistics *s = &c->statistics;
        check_bounds(values.form, col->bounds_full, s->min, s->max, &m);
        assert_int_equal(s->min_exact, frz__pq_cmp(values.form.cmp, s->min, m.min) == 0);
        if (s->max.data) assert_int_equal(s->max_exact, frz__pq_cmp(values.form.cmp, s->max, m.max) == 0);
        else all_bounded = false;
    }
    bool is_float = values.form.cmp == PQ_CMP_F32 || values.form.cmp == PQ_CMP_F64;
    assert_int_equal(c->statistics.nans, is_float ? nans : -1);
    assert_int_equal(c->var_bytes, values.form.phys == PQ_BYTE_ARRAY ? var_bytes : -1);
    if (c->column_index_offset < 0) assert_false(all_bounded);
}

/* Everything in FILE, against the rows. */
static void walk(struct walker *w, slice file, const struct pq_writer *pw, const struct pq_wcol *cols, const struct vec *const *vecs, size_t count)
{
    w->file = file;
    w->ar = ARENA_INIT(NULL);
    w->scratch = (struct pq_scratch){.a = NULL};
    w->page = w->dict = w->want = w->got = BUF_INIT(NULL, 0);
    w->pages = w->dict_pages = w->split = 0;
    OK(frz__codec_ctx_new(NULL, &w->codec, &e), &e);
    struct pq_footer f = parse_footer(file, &w->ar);
    assert_int_equal(f.version, 1);
    assert_int_equal(f.rows, frz__pq_writer_rows(pw));
    assert_int_equal(f.group_count, frz__pq_writer_group_count(pw));
    assert_int_equal(f.elem_count, count + 1);
    assert_int_equal(f.order_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(f.orders[i], PQ_ORDER_TYPE);
        assert_int_equal(f.elems[i + 1].field_id, cols[i].field_id);
        assert_true(slice_eq(f.elems[i + 1].name, slice_str(cols[i].name)));
        assert_int_equal(f.elems[i + 1].repetition, cols[i].required ? PQ_REQUIRED : PQ_OPTIONAL);
    }
    uint64_t rows = 0, stripe = 1;
    int64_t at = 4;
    for (size_t i = 0; i < count; i++)
        if (1u << frz__pq_writer_page_rows_log2(pw, i) > stripe) stripe = 1u << frz__pq_writer_page_rows_log2(pw, i);
    for (size_t g = 0; g < f.group_count; g++) {
        struct pq_group *group = &f.groups[g];
        assert_int_equal(group->chunk_count, count);
        assert_int_equal(group->rows, frz__pq_writer_group_rows(pw, g));
        assert_int_equal(group->file_offset, at);
        assert_int_equal(group->file_offset, frz__pq_writer_group_offset(pw, g));
        assert_int_equal(group->ordinal, g);
        if (g + 1 < f.group_count) assert_int_equal((uint64_t)group->rows % stripe, 0); /* parquet.h (2) */
        int64_t compressed = 0, uncompressed = 0;
        for (size_t i = 0; i < count; i++) {
            walk_chunk(w, &group->chunks[i], &cols[i], vecs[i], (size_t)rows, (size_t)group->rows, frz__pq_writer_page_rows_log2(pw, i), &at);
            compressed += group->chunks[i].compressed_bytes;
            uncompressed += group->chunks[i].uncompressed_bytes;
        }
        assert_int_equal(group->compressed_bytes, compressed);
        assert_int_equal(group->total_bytes, uncompressed);
        rows += (uint64_t)group->rows;
    }
    assert_int_equal(rows, f.rows);
    frz__codec_ctx_free(w->codec);
    frz__arena_clear(&w->ar);
    frz__pq_scratch_clear(&w->scratch);
    buf_clear(&w->page);
    buf_clear(&w->dict);
    buf_clear(&w->want);
    buf_clear(&w->got);
}

/* ── writing ── */

struct job {
    struct file file;
    struct codec_ctx *codec;
    struct pq_writer *w;
};

static int write_rows(struct job *j, const allocator *a, const struct pq_writer_options *o, const struct pq_wcol *cols, const struct vec *const *vecs, size_t count, size_t step, frz_error *err)
{
    uint64_t bytes = 0;
    TRY(frz__codec_ctx_new(a, &j->codec, err));
    TRY(frz__pq_writer_new(a, o, cols, count, sink_of(&j->file), j->codec, &j->w, err));
    for (size_t at = 0; at < vecs[0]->len; at += step) TRY(frz__pq_write(j->w, vecs, at, vecs[0]->len - at < step ? vecs[0]->len - at : step, err));
    TRY(frz__pq_writer_end_rows(j->w, err));
    TRY(frz__pq_writer_finish(j->w, &bytes, err));
    assert_int_equal(bytes, j->file.bytes.len);
    assert_int_equal(frz__pq_writer_bytes(j->w), bytes);
    return FRZ_OK;
}

static void job_clear(struct job *j)
{
    frz__pq_writer_free(j->w);
    frz__codec_ctx_free(j->codec);
    buf_clear(&j->file.bytes);
    *j = (struct job){0};
}

static void write_and_walk(struct job *j, struct walker *w, const struct pq_writer_options *o, const struct pq_wcol *cols, const struct vec *const *vecs, size_t count, size_t step)
{
    *j = (struct job){0};
    OK(write_rows(j, NULL, o, cols, vecs, count, step, &e), &e);
    walk(w, buf_slice(&j->file.bytes), j->w, cols, vecs, count);
}

/* ── rows ── */

static const frz_type all_types[] = {
    {FRZ_BOOLEAN}, {FRZ_INT}, {FRZ_LONG}, {FRZ_FLOAT}, {FRZ_DOUBLE}, {FRZ_DECIMAL, 9, 2}, {FRZ_DECIMAL, 18, 4}, {FRZ_DECIMAL, 38, 10}, {FRZ_DATE}, {FRZ_TIME}, {FRZ_TIMESTAMP},
    {FRZ_TIMESTAMPTZ}, {FRZ_TIMESTAMP_NS}, {FRZ_TIMESTAMPTZ_NS}, {FRZ_STRING}, {FRZ_UUID}, {FRZ_FIXED, 0, 0, 5}, {FRZ_BINARY}, {FRZ_DECIMAL, 20, 0},
};
#define TYPES FRZ_ARRAY_LEN(all_types)

static void fill(struct vec *v, frz_type t, size_t rows, int null_of_8, uint64_t distinct, uint64_t seed)
{
    struct rng r = {seed};
    uint8_t s[128];
    frz__vec_init(v, NULL, t);
    for (size_t i = 0; i < rows; i++) {
        struct rng pick = {rng_below(&r, distinct) + 77};
        uint64_t x = rng_next(&pick);
        frz_value val = {t.id, 0, {0}};
        size_t n = t.id == FRZ_UUID ? 16 : t.id == FRZ_FIXED ? (size_t)t.length : x % 8 ? x % 24 : x % 120;
        if (rng_below(&r, 8) < (uint64_t)null_of_8) {
            val = value_null();
        } else if (type_is_var(t) || t.id == FRZ_UUID || t.id == FRZ_FIXED) {
            FRZ_ASSERT(n <= sizeof s);
            for (size_t b = 0; b < n; b++) s[b] = (uint8_t)(t.id == FRZ_STRING ? 'a' + rng_next(&pick) % 26 : rng_next(&pick));
            val = value_bytes(t.id, slice_of(s, n));
        } else if (t.id == FRZ_BOOLEAN) {
            val.as.boolean = x & 1;
        } else if (t.id == FRZ_DECIMAL) {
            int64_t d = (int64_t)(x % 1999999999) - 999999999;
            val.as.dec = (frz_decimal){(uint64_t)d, d < 0 ? -1 : 0};
        } else if (t.id == FRZ_DOUBLE) {
            val.as.f64 = x % 9 == 0 ? (double)NAN : x % 9 == 1 ? -0.0 : (double)(int64_t)x;
        } else if (t.id == FRZ_FLOAT) {
            val.as.f32 = x % 9 == 0 ? NAN : x % 9 == 1 ? 0.0f : (float)(int32_t)x;
        } else {
            val.as.i64 = (int64_t)x;
        }
        OK(frz__vec_append(v, &val, &e), &e);
    }
}

struct table {
    struct pq_wcol cols[TYPES];
    struct vec v[TYPES];
    const struct vec *ptr[TYPES];
    char names[TYPES][8];
};
static void table_of_all_types(struct table *t, size_t rows, int null_of_8, uint64_t distinct, bool dictionary, uint8_t k)
{
    for (size_t i = 0; i < TYPES; i++) {
        snprintf(t->names[i], sizeof t->names[i], "c%zu", i);
        t->cols[i] = (struct pq_wcol){.name = t->names[i], .field_id = (int32_t)i + 1, .type = all_types[i], .required = null_of_8 == 0 && i % 2, .dictionary = dictionary, .page_rows_log2 = k};
        fill(&t->v[i], all_types[i], rows, null_of_8, distinct, i);
        t->ptr[i] = &t->v[i];
    }
}
static void table_clear(struct table *t)
{
    for (size_t i = 0; i < TYPES; i++) frz__vec_clear(&t->v[i]);
}

/* ── tests ── */

TEST(pq_writer, writes_the_golden_page_and_indexes)
{
    static const uint8_t page[] = {0x15, 0x00, 0x15, 0x30, 0x15, 0x30, 0x15, 0x8e, 0xb6, 0xdc, 0xbc, 0x05, 0x1c, 0x15, 0x06, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00,
                                   1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t column_index[] = {0x19, 0x11, 0x02, 0x19, 0x18, 0x08, 1, 0, 0, 0, 0, 0, 0, 0, 0x19, 0x18, 0x08, 3, 0, 0, 0, 0, 0, 0, 0, 0x15, 0x02, 0x19, 0x16, 0x00, 0x00};
    static const uint8_t offset_index[] = {0x19, 0x1c, 0x16, 0x08, 0x15, 0x5e, 0x16, 0x00, 0x00, 0x00};
    struct job j;
    struct walker wk;
    struct vec v;
    const struct vec *ptr = &v;
    int32_t sort = 0;
    struct pq_wcol col = {.name = "id", .field_id = 1, .type = {FRZ_LONG}, .required = true};
    frz__vec_init(&v, NULL, col.type);
    for (int64_t i = 1; i <= 3; i++) {
        frz_value x = value_i64(FRZ_LONG, i);
        OK(frz__vec_append(&v, &x, &e), &e);
    }
    write_and_walk(&j, &wk, &(struct pq_writer_options){.codec = CODEC_NONE, .sort_columns = &sort, .sort_count = 1}, &col, &ptr, 1, 10);
    slice f = buf_slice(&j.file.bytes);
    assert_true(f.len > 4 + sizeof page + sizeof column_index + sizeof offset_index);
    assert_memory_equal(f.data + 4, page, sizeof page);
    assert_memory_equal(f.data + 4 + sizeof page, column_index, sizeof column_index);
    assert_memory_equal(f.data + 4 + sizeof page + sizeof column_index, offset_index, sizeof offset_index);
    struct arena ar = ARENA_INIT(NULL);
    struct pq_footer m = parse_footer(f, &ar);
    assert_int_equal(m.groups[0].sorting_count, 1);
    assert_true(m.groups[0].sorting[0].column == 0 && !m.groups[0].sorting[0].descending && m.groups[0].sorting[0].nulls_first);
    assert_true(slice_eq(m.created_by, slice_str("frazil version 0.1.0")));
    frz__arena_clear(&ar);
    frz__vec_clear(&v);
    job_clear(&j);
}

TEST(pq_writer, holds_every_type_with_no_some_and_only_nulls)
{
    static const size_t rows[] = {1, 7, 64, 1000, 3001};
    static const int codecs[] = {CODEC_NONE, CODEC_SNAPPY, CODEC_ZSTD, CODEC_LZ4_RAW, CODEC_GZIP};
    struct table t;
    struct job j;
    struct walker w;
    for (size_t r = 0; r < FRZ_ARRAY_LEN(rows); r++) {
        for (int nulls = 0; nulls <= 8; nulls += 4) {
            table_of_all_types(&t, rows[r], nulls, r % 2 ? 20 : 100000, r != 2, r == 4 ? 0 : 6);
            write_and_walk(&j, &w, &(struct pq_writer_options){.codec = codecs[r], .row_group_rows = r == 3 ? 300 : 0}, t.cols, t.ptr, TYPES, 333);
            if (r == 3) assert_int_equal(frz__pq_writer_group_count(j.w), 4); /* 300 rows → 320 = 5 × 64 */
            if (r == 3 && nulls < 8) assert_true(w.dict_pages > 0);
            table_clear(&t);
            job_clear(&j);
        }
    }
}

TEST(pq_writer, writes_a_file_without_rows)
{
    struct table t;
    struct job j;
    struct walker w;
    table_of_all_types(&t, 0, 0, 1, true, 0);
    write_and_walk(&j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD}, t.cols, t.ptr, TYPES, 1);
    assert_int_equal(frz__pq_writer_group_count(j.w), 0);
    for (size_t i = 0; i < TYPES; i++) {
        const struct pq_colstats *s = frz__pq_writer_stats(j.w, i);
        assert_true(s->values == 0 && s->nulls == 0 && !s->has_bounds && s->compressed_bytes == 0);
    }
    table_clear(&t);
    job_clear(&j);
}

TEST(pq_writer, makes_the_same_file_whatever_the_batches)
{
    struct table t;
    struct job j, k;
    struct walker w;
    table_of_all_types(&t, 5000, 2, 300, true, 0);
    for (size_t i = 0; i < TYPES; i++) t.cols[i].page_rows_log2 = (uint8_t)(5 + i % 6);
    write_and_walk(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE, .row_group_rows = 1500}, t.cols, t.ptr, TYPES, 5000);
    for (size_t step = 1; step < 5000; step = step * 7 + 1) {
        write_and_walk(&k, &w, &(struct pq_writer_options){.codec = CODEC_NONE, .row_group_rows = 1500}, t.cols, t.ptr, TYPES, step);
        assert_true(slice_eq(buf_slice(&j.file.bytes), buf_slice(&k.file.bytes)));
        job_clear(&k);
    }
    assert_int_equal(frz__pq_writer_group_rows(j.w, 0), 2048);
    table_clear(&t);
    job_clear(&j);
}

TEST(pq_writer, takes_rows_from_the_middle_of_a_vector)
{
    struct table t, part_of;
    struct job j;
    struct walker w;
    table_of_all_types(&t, 900, 3, 50, true, 7);
    table_of_all_types(&part_of, 0, 3, 50, true, 7);
    for (size_t i = 0; i < TYPES; i++) OK(frz__vec_append_range(&part_of.v[i], &t.v[i], 13, 700, &e), &e);
    j = (struct job){0};
    uint64_t bytes;
    OK(frz__codec_ctx_new(NULL, &j.codec, &e), &e);
    OK(frz__pq_writer_new(NULL, &(struct pq_writer_options){.codec = CODEC_ZSTD}, t.cols, TYPES, sink_of(&j.file), j.codec, &j.w, &e), &e);
    OK(frz__pq_write(j.w, t.ptr, 13, 600, &e), &e);
    OK(frz__pq_write(j.w, t.ptr, 613, 0, &e), &e);
    OK(frz__pq_write(j.w, t.ptr, 613, 100, &e), &e);
    OK(frz__pq_writer_end_rows(j.w, &e), &e);
    OK(frz__pq_writer_finish(j.w, &bytes, &e), &e);
    walk(&w, buf_slice(&j.file.bytes), j.w, t.cols, part_of.ptr, TYPES);
    table_clear(&t);
    table_clear(&part_of);
    job_clear(&j);
}

static size_t groups_of(struct job *j, size_t *rows_of_first)
{
    *rows_of_first = frz__pq_writer_group_count(j->w) ? frz__pq_writer_group_rows(j->w, 0) : 0;
    return frz__pq_writer_group_count(j->w);
}

TEST(pq_writer, ends_a_row_group_by_bytes_at_the_largest_stripe)
{
    struct table t;
    struct job j;
    struct walker w;
    size_t first;
    table_of_all_types(&t, 6000, 0, 1u << 30, false, 5);
    t.cols[3].page_rows_log2 = 9;
    write_and_walk(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE, .row_group_bytes = 100000}, t.cols, t.ptr, TYPES, 6000);
    assert_true(groups_of(&j, &first) >= 5);
    assert_int_equal(first % 512, 0);
    assert_in_range(frz__pq_writer_group_offset(j.w, 1), 100000, 250000);
    table_clear(&t);
    job_clear(&j);
}

/* ── dictionaries ── */

static void one_column(struct job *j, struct walker *w, const struct pq_writer_options *o, frz_type t, bool dictionary, const struct vec *v, uint8_t k)
{
    struct pq_wcol col = {.name = "c", .field_id = 1, .type = t, .dictionary = dictionary, .page_rows_log2 = k};
    write_and_walk(j, w, o, &col, &v, 1, 4096);
}

TEST(pq_writer, keeps_a_dictionary_where_values_repeat_and_none_where_they_do_not)
{
    struct job j;
    struct walker w;
    struct vec v;
    for (size_t t = 1; t < TYPES; t++) { /* not booleans */
        fill(&v, all_types[t], 2000, 1, 30, t);
        one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD}, all_types[t], true, &v, 8);
        assert_int_equal(w.dict_pages, w.pages);
        job_clear(&j);
        one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD}, all_types[t], false, &v, 8);
        assert_int_equal(w.dict_pages, 0);
        job_clear(&j);
        frz__vec_clear(&v);
        if (all_types[t].id == FRZ_FLOAT) continue; /* of its values one in nine is NaN, one in nine zero */
        fill(&v, all_types[t], 2000, 1, 1u << 30, t);
        one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE}, all_types[t], true, &v, 8);
        if (all_types[t].id != FRZ_DOUBLE) assert_int_equal(w.dict_pages, 0);
        job_clear(&j);
        frz__vec_clear(&v);
    }
    fill(&v, (frz_type){FRZ_BOOLEAN}, 2000, 1, 30, 1);
    one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD}, (frz_type){FRZ_BOOLEAN}, true, &v, 8);
    assert_int_equal(w.dict_pages, 0);
    job_clear(&j);
    frz__vec_clear(&v);
}

static void append_long(struct vec *v, int64_t x)
{
    frz_value val = value_i64(FRZ_LONG, x);
    OK(frz__vec_append(v, &val, &e), &e);
}

TEST(pq_writer, falls_back_to_plain_pages_when_a_dictionary_in_use_outgrows_its_bytes)
{
    struct job j;
    struct walker w;
    struct vec v;
    frz__vec_init(&v, NULL, (frz_type){FRZ_LONG});
    for (int64_t i = 0; i < 70000; i++) append_long(&v, i % 100);  /* beyond TRIAL_VALUES_SURE: in use */
    for (int64_t i = 0; i < 10000; i++) append_long(&v, 1000 + i); /* outgrows */
    for (int64_t i = 0; i < 20000; i++) append_long(&v, i % 100);
    one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD, .dict_bytes = 8192, .row_group_rows = 90112}, v.type, true, &v, 10);
    assert_int_equal(w.pages, 88 + 10);
    assert_true(w.dict_pages >= 68 + 10); /* the second row group has a dictionary again */
    assert_true(w.dict_pages < w.pages);
    job_clear(&j);
    frz__vec_clear(&v);
}

TEST(pq_writer, makes_plain_pages_of_those_on_trial_when_a_dictionary_outgrows_its_bytes)
{
    struct job j;
    struct walker w;
    struct vec v;
    fill(&v, (frz_type){FRZ_STRING}, 9000, 2, 3000, 5);
    one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD, .dict_bytes = 10000}, v.type, true, &v, 6);
    assert_int_equal(w.dict_pages, 0);
    job_clear(&j);
    one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD, .dict_bytes = 100000}, v.type, true, &v, 6);
    assert_int_equal(w.dict_pages, w.pages);
    job_clear(&j);
    frz__vec_clear(&v);
}

/* ── pages ── */

static void strings(struct vec *v, size_t rows, size_t len)
{
    struct rng r = {len};
    uint8_t *s = (uint8_t *)malloc(len + 8);
    frz__vec_init(v, NULL, (frz_type){FRZ_BINARY});
    OK(frz__vec_reserve(v, rows, rows * len, &e), &e);
    for (size_t i = 0; i < rows; i++) {
        for (size_t b = 0; b < len; b += 8) store_u64(s + b, rng_next(&r));
        frz_value x = value_bytes(FRZ_BINARY, slice_of(s, len));
        OK(frz__vec_append(v, &x, &e), &e);
    }
    free(s);
}

TEST(pq_writer, chooses_rows_a_page_by_the_bytes_of_the_first_rows)
{
    static const struct { size_t len, rows; unsigned k; } cases[] = {{2, 20000, 13}, {60, 20000, 10}, {1000, 2000, 6}, {30000, 100, 5}, {400000, 40, 1}, {5000000, 3, 0}};
    struct job j;
    struct walker w;
    struct vec v;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(cases); i++) {
        strings(&v, cases[i].rows, cases[i].len);
        one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE}, v.type, false, &v, 0);
        assert_int_equal(frz__pq_writer_page_rows_log2(j.w, 0), cases[i].k);
        job_clear(&j);
        frz__vec_clear(&v);
    }
    fill(&v, (frz_type){FRZ_LONG}, 20000, 0, 50, 1);
    one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE}, v.type, false, &v, 0);
    assert_int_equal(frz__pq_writer_page_rows_log2(j.w, 0), 13);
    job_clear(&j);
    one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE}, v.type, true, &v, 0); /* a page of indices holds more */
    assert_int_equal(frz__pq_writer_page_rows_log2(j.w, 0), 14);
    job_clear(&j);
    one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE, .page_bytes = 1024}, v.type, false, &v, 0);
    assert_int_equal(frz__pq_writer_page_rows_log2(j.w, 0), 7);
    job_clear(&j);
    frz__vec_clear(&v);
}

TEST(pq_writer, makes_pages_of_narrow_columns_no_longer_than_a_row_group_of_wide_rows_can_be)
{
    struct job j;
    struct walker w;
    struct vec v[2];
    const struct vec *ptr[2] = {&v[0], &v[1]};
    struct pq_wcol cols[2] = {{.name = "id", .field_id = 1, .type = {FRZ_LONG}}, {.name = "blob", .field_id = 2, .type = {FRZ_BINARY}}};
    fill(&v[0], cols[0].type, 3000, 0, 1u << 30, 1);
    strings(&v[1], 3000, 3000);
    write_and_walk(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE, .row_group_bytes = 1 << 20}, cols, ptr, 2, 3000);
    assert_true(frz__pq_writer_page_rows_log2(j.w, 0) <= 7);
    assert_true(frz__pq_writer_group_count(j.w) >= 7);
    job_clear(&j);
    frz__vec_clear(&v[0]);
    frz__vec_clear(&v[1]);
}

TEST(pq_writer, sees_a_page_that_would_be_too_large_before_it_takes_a_row)
{
    struct pq_wcolumn c = {.form = {PQ_BYTE_ARRAY, PQ_CMP_BYTES, 0}, .decided = true, .fixed = true, .k = 1};
    uint32_t offsets[5] = {0, 500u << 20, 1000u << 20, 1500u << 20, 2000u << 20}; /* never looked behind */
    struct vec v = {.type = {FRZ_BINARY}, .len = 4, .offsets = offsets};
    assert_true(frz__pq_wcolumn_fits(&c, &v, 0, 4));
    c.k = 2;
    assert_true(frz__pq_wcolumn_fits(&c, &v, 0, 2));
    assert_false(frz__pq_wcolumn_fits(&c, &v, 0, 3));
    c.k = 1;
    uint32_t waits[2] = {0, 600u << 20};
    c.stripe = (struct vec){.type = {FRZ_BINARY}, .len = 1, .offsets = waits};
    assert_false(frz__pq_wcolumn_fits(&c, &v, 0, 1));
    assert_true(frz__pq_wcolumn_fits(&c, &v, 0, 0));
    c.fixed = false; /* then a page ends before the row that is too much for it */
    assert_true(frz__pq_wcolumn_fits(&c, &v, 0, 4));
    offsets[4] = 3000u << 20;
    assert_true(frz__pq_wcolumn_fits(&c, &v, 0, 3));
    assert_false(frz__pq_wcolumn_fits(&c, &v, 0, 4));
    c.form.phys = PQ_INT64;
    assert_true(frz__pq_wcolumn_fits(&c, &v, 0, 4));
}

TEST(pq_writer, takes_the_rows_before_one_that_is_too_large_and_can_be_ended_there)
{
    static const uint8_t bytes[20] = "0123456789abcdefghij";
    uint32_t offsets[4] = {0, 10, 20, 20 + (1025u << 20)}; /* the third row's bytes are never looked at */
    struct vec v = {.type = {FRZ_STRING}, .len = 3, .data = (uint8_t *)(uintptr_t)bytes, .offsets = offsets}, two = v;
    const struct vec *ptr = &v, *ptr2 = &two;
    two.len = 2;
    for (uint8_t k = 0; k < 8; k += 7) { /* chosen and given */
        struct job j = {0};
        struct walker w;
        uint64_t size;
        struct pq_wcol col = {.name = "s", .field_id = 1, .type = {FRZ_STRING}, .page_rows_log2 = k};
        OK(frz__codec_ctx_new(NULL, &j.codec, &e), &e);
        OK(frz__pq_writer_new(NULL, &(struct pq_writer_options){.codec = CODEC_ZSTD}, &col, 1, sink_of(&j.file), j.codec, &j.w, &e), &e);
        FAILS(frz__pq_write(j.w, &ptr, 0, 3, &e), FRZ_TOO_LARGE, &e);
        MESSAGE_HAS(&e, "row 2");
        assert_int_equal(frz__pq_writer_rows(j.w), 2);
        OK(frz__pq_writer_end_rows(j.w, &e), &e);
        OK(frz__pq_writer_finish(j.w, &size, &e), &e);
        walk(&w, buf_slice(&j.file.bytes), j.w, &col, &ptr2, 1);
        job_clear(&j);
    }
}

/* Rows of 8 bytes, then some of LEN, then of 8 again. */
static void few_wide(struct vec *v, frz_type t, size_t len)
{
    char *s = (char *)malloc(len);
    frz__vec_init(v, NULL, t);
    for (size_t i = 0; i < 9000; i++) {
        frz_value x = value_bytes(t.id, slice_of(s, i / 300 == 10 ? len - i % 7 : 8));
        memset(s, 'a' + (int)(i % 26), x.as.bytes.len);
        if (i % 50 == 7) x = value_null();
        OK(frz__vec_append(v, &x, &e), &e);
    }
    free(s);
}

TEST(pq_writer, ends_a_page_before_rows_that_are_much_wider_than_those_it_was_made_for)
{
    struct job j;
    struct walker w;
    struct vec v[2];
    const struct vec *ptr[2] = {&v[0], &v[1]};
    fill(&v[0], (frz_type){FRZ_LONG}, 9000, 0, 1u << 30, 1);
    few_wide(&v[1], (frz_type){FRZ_STRING}, 50000);
    for (int dictionary = 0; dictionary < 2; dictionary++)
        for (size_t step = 1; step <= 9000; step = step * 30 + 1) {
            struct pq_wcol cols[2] = {{.name = "id", .field_id = 1, .type = {FRZ_LONG}, .page_rows_log2 = 10}, {.name = "s", .field_id = 2, .type = {FRZ_STRING}, .dictionary = dictionary}};
            struct pq_writer_options o = {.codec = CODEC_ZSTD, .page_bytes = 16384};
            write_and_walk(&j, &w, &o, cols, ptr, 2, step);
            assert_int_equal(frz__pq_writer_page_rows_log2(j.w, 0), 10);
            assert_in_range(frz__pq_writer_page_rows_log2(j.w, 1), 9, 14); /* the sample ends with the first wide row */
            assert_in_range(w.split, 280, 300); /* of 15 MB, pages of 64 KiB or one row */
            job_clear(&j);
        }
    frz__vec_clear(&v[0]);
    frz__vec_clear(&v[1]);
}

TEST(pq_writer, gives_wide_fixed_types_fewer_rows_a_page)
{
    struct job j;
    struct walker w;
    struct vec v;
    frz_type t = {FRZ_FIXED, 0, 0, 1 << 20};
    uint8_t *s = (uint8_t *)calloc(1, 1 << 20);
    frz_value x = value_bytes(FRZ_FIXED, slice_of(s, 1 << 20));
    frz__vec_init(&v, NULL, t);
    OK(frz__vec_append(&v, &x, &e), &e);
    struct pq_wcol col = {.name = "c", .field_id = 1, .type = t, .page_rows_log2 = 20};
    const struct vec *ptr = &v;
    j = (struct job){0};
    OK(write_rows(&j, NULL, &(struct pq_writer_options){.codec = CODEC_ZSTD}, &col, &ptr, 1, 1, &e), &e);
    assert_int_equal(frz__pq_writer_page_rows_log2(j.w, 0), 6);
    assert_false(frz__pq_writer_stats(j.w, 0)->has_bounds);
    assert_true(j.file.bytes.len < 10000); /* and Parquet's statistics have none either */
    (void)w;
    job_clear(&j);
    frz__vec_clear(&v);
    free(s);
}

/* ── statistics ── */

TEST(pq_stats, are_what_a_manifest_wants)
{
    struct table t;
    struct job j;
    struct walker w;
    table_of_all_types(&t, 3000, 2, 500, true, 6);
    write_and_walk(&j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD, .row_group_rows = 1000}, t.cols, t.ptr, TYPES, 1000);
    uint64_t sum = 0;
    for (size_t i = 0; i < TYPES; i++) {
        const struct pq_colstats *s = frz__pq_writer_stats(j.w, i);
        uint64_t nans = 0;
        struct pq_scratch scratch = {.a = NULL};
        struct pq_values values;
        struct pq_minmax m;
        struct buf lo = BUF_INIT(NULL, 0), hi = BUF_INIT(NULL, 0);
        OK(frz__pq_gather(&scratch, &t.v[i], 0, 3000, &values, &e), &e);
        frz__pq_minmax(&values, &m);
        nans = m.nans;
        assert_int_equal(s->values, 3000);
        assert_int_equal(s->nulls, t.v[i].nulls);
        assert_int_equal(s->nans, nans);
        assert_true(s->has_bounds && s->has_upper);
        if (!type_is_var(all_types[i])) {
            OK(frz__pq_bound_to_single(all_types[i], m.min, &lo, &e), &e);
            OK(frz__pq_bound_to_single(all_types[i], m.max, &hi, &e), &e);
            assert_true(slice_eq(s->lower, buf_slice(&lo)) && slice_eq(s->upper, buf_slice(&hi)));
            frz_value back;
            OK(frz__value_from_single(s->lower, all_types[i], &back, &e), &e);
        } else {
            assert_true(s->lower.len <= 16 && s->upper.len <= 16);
            assert_true(slice_cmp(s->lower, m.min) <= 0 && slice_cmp(s->upper, m.max) >= 0);
        }
        sum += s->compressed_bytes;
        buf_clear(&lo);
        buf_clear(&hi);
        frz__pq_scratch_clear(&scratch);
    }
    assert_true(sum < j.file.bytes.len && sum > 1000);
    table_clear(&t);
    job_clear(&j);
}

static void text_stats(struct job *j, const char *const *texts, size_t count, bool full)
{
    struct walker w;
    struct vec v;
    const struct vec *ptr = &v;
    struct pq_wcol col = {.name = "s", .field_id = 1, .type = {FRZ_STRING}, .bounds_full = full};
    frz__vec_init(&v, NULL, col.type);
    for (size_t i = 0; i < count; i++) {
        frz_value x = texts[i] ? value_bytes(FRZ_STRING, slice_str(texts[i])) : value_null();
        OK(frz__vec_append(&v, &x, &e), &e);
    }
    write_and_walk(j, &w, &(struct pq_writer_options){.codec = CODEC_ZSTD}, &col, &ptr, 1, 100);
    frz__vec_clear(&v);
}

#define LONG100 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
TEST(pq_stats, cut_long_texts_but_not_where_they_are_wanted_whole)
{
    struct job j;
    const struct pq_colstats *s;
    text_stats(&j, (const char *const[]){LONG100 "b", "zz", NULL, LONG100 "a"}, 4, false);
    s = frz__pq_writer_stats(j.w, 0);
    assert_true(slice_eq(s->lower, slice_str("0123456789012345")) && slice_eq(s->upper, slice_str("zz")));
    job_clear(&j);
    text_stats(&j, (const char *const[]){"file:///" LONG100, "file:///" LONG100}, 2, true);
    s = frz__pq_writer_stats(j.w, 0);
    assert_true(slice_eq(s->lower, slice_str("file:///" LONG100)) && slice_eq(s->upper, slice_str("file:///" LONG100)));
    struct arena ar = ARENA_INIT(NULL);
    struct pq_footer f = parse_footer(buf_slice(&j.file.bytes), &ar);
    assert_true(slice_eq(f.groups[0].chunks[0].statistics.min, slice_str("file:///" LONG100)) && f.groups[0].chunks[0].statistics.min_exact == 1);
    frz__arena_clear(&ar);
    job_clear(&j);
    text_stats(&j, (const char *const[]){"", ""}, 2, false);
    s = frz__pq_writer_stats(j.w, 0);
    assert_true(s->has_bounds && s->has_upper && s->lower.len == 0 && s->upper.len == 0 && s->lower.data && s->upper.data);
    job_clear(&j);
}

#define M4 "\xF4\x8F\xBF\xBF\xF4\x8F\xBF\xBF\xF4\x8F\xBF\xBF\xF4\x8F\xBF\xBF"
TEST(pq_stats, leave_out_an_upper_bound_that_cannot_be_incremented)
{
    struct job j;
    text_stats(&j, (const char *const[]){"a", M4 M4 M4 M4 M4 "z"}, 2, false);
    const struct pq_colstats *s = frz__pq_writer_stats(j.w, 0);
    assert_true(s->has_bounds && !s->has_upper && slice_eq(s->lower, slice_str("a")));
    struct arena ar = ARENA_INIT(NULL);
    struct pq_footer f = parse_footer(buf_slice(&j.file.bytes), &ar);
    assert_true(f.groups[0].chunks[0].statistics.min.data != NULL && f.groups[0].chunks[0].statistics.max.data == NULL);
    assert_int_equal(f.groups[0].chunks[0].column_index_offset, -1);
    frz__arena_clear(&ar);
    job_clear(&j);
}

TEST(pq_stats, of_nans_alone_bound_nothing_and_leave_the_column_index_out)
{
    struct job j;
    struct walker w;
    struct vec v;
    frz__vec_init(&v, NULL, (frz_type){FRZ_DOUBLE});
    for (int i = 0; i < 100; i++) { /* the second page is NaNs alone */
        frz_value x = {FRZ_DOUBLE, 0, {0}};
        x.as.f64 = i < 32 || i >= 64 ? i : (double)NAN;
        OK(frz__vec_append(&v, &x, &e), &e);
    }
    one_column(&j, &w, &(struct pq_writer_options){.codec = CODEC_NONE}, v.type, false, &v, 5);
    const struct pq_colstats *s = frz__pq_writer_stats(j.w, 0);
    double lo, hi;
    memcpy(&lo, s->lower.data, 8);
    memcpy(&hi, s->upper.data, 8);
    assert_true(s->nans == 32 && signbit(lo) && lo == 0 && hi == 99);
    struct arena ar = ARENA_INIT(NULL);
    struct pq_footer f = parse_footer(buf_slice(&j.file.bytes), &ar);
    assert_int_equal(f.groups[0].chunks[0].column_index_offset, -1);
    assert_int_equal(f.groups[0].chunks[0].statistics.nans, 32);
    frz__arena_clear(&ar);
    frz__vec_clear(&v);
    job_clear(&j);
}

/* ── the rest of the file ── */

TEST(pq_writer, puts_private_bytes_and_metadata_between_rows_and_footer)
{
    struct job j = {0};
    struct vec v;
    const struct vec *ptr = &v;
    uint64_t at, at2, bytes;
    struct pq_wcol col = {.name = "c", .field_id = 7, .type = {FRZ_LONG}};
    fill(&v, col.type, 100, 1, 5, 1);
    OK(frz__codec_ctx_new(NULL, &j.codec, &e), &e);
    OK(frz__pq_writer_new(NULL, &(struct pq_writer_options){.codec = CODEC_ZSTD, .created_by = "me version 1"}, &col, 1, sink_of(&j.file), j.codec, &j.w, &e), &e);
    FAILS(frz__pq_writer_raw(j.w, slice_str("x"), &at, &e), FRZ_MISUSE, &e);
    FAILS(frz__pq_writer_kv(j.w, "k", "v", &e), FRZ_MISUSE, &e);
    FAILS(frz__pq_writer_finish(j.w, &bytes, &e), FRZ_MISUSE, &e);
    OK(frz__pq_write(j.w, &ptr, 0, 100, &e), &e);
    OK(frz__pq_writer_end_rows(j.w, &e), &e);
    FAILS(frz__pq_write(j.w, &ptr, 0, 100, &e), FRZ_MISUSE, &e);
    FAILS(frz__pq_writer_end_rows(j.w, &e), FRZ_MISUSE, &e);
    OK(frz__pq_writer_raw(j.w, slice_str("private"), &at, &e), &e);
    OK(frz__pq_writer_raw(j.w, slice_str(""), &at2, &e), &e);
    OK(frz__pq_writer_kv(j.w, "frazil.index", "1,2", &e), &e);
    OK(frz__pq_writer_kv(j.w, "empty", "", &e), &e);
    OK(frz__pq_writer_finish(j.w, &bytes, &e), &e);
    FAILS(frz__pq_writer_finish(j.w, &bytes, &e), FRZ_MISUSE, &e);
    FAILS(frz__pq_writer_kv(j.w, "k", "v", &e), FRZ_MISUSE, &e);
    assert_memory_equal(j.file.bytes.data + at, "private", 7);
    assert_int_equal(at2, at + 7);
    struct arena ar = ARENA_INIT(NULL);
    struct pq_footer f = parse_footer(buf_slice(&j.file.bytes), &ar);
    assert_int_equal(f.kv_count, 2);
    assert_true(slice_eq(f.kvs[0].key, slice_str("frazil.index")) && slice_eq(f.kvs[0].value, slice_str("1,2")));
    assert_true(slice_eq(f.kvs[1].key, slice_str("empty")) && f.kvs[1].value.data && f.kvs[1].value.len == 0);
    assert_true(slice_eq(f.created_by, slice_str("me version 1")));
    frz__arena_clear(&ar);
    frz__vec_clear(&v);
    job_clear(&j);
}

TEST(pq_writer, refuses_what_it_was_not_made_for_and_goes_on)
{
    struct job j = {0};
    struct vec v, other;
    const struct vec *ptr = &v;
    uint64_t bytes;
    struct pq_wcol col = {.name = "c", .field_id = 7, .type = {FRZ_LONG}, .required = true};
    OK(frz__codec_ctx_new(NULL, &j.codec, &e), &e);
    FAILS(frz__pq_writer_new(NULL, &(struct pq_writer_options){.codec = 3}, &col, 1, sink_of(&j.file), j.codec, &j.w, &e), FRZ_UNSUPPORTED, &e);
    FAILS(frz__pq_writer_new(NULL, &(struct pq_writer_options){0}, &col, 0, sink_of(&j.file), j.codec, &j.w, &e), FRZ_INVALID, &e);
    FAILS(frz__pq_writer_new(NULL, &(struct pq_writer_options){.sort_columns = (int32_t[]){1}, .sort_count = 1}, &col, 1, sink_of(&j.file), j.codec, &j.w, &e), FRZ_INVALID, &e);
    col.page_rows_log2 = 21;
    FAILS(frz__pq_writer_new(NULL, &(struct pq_writer_options){0}, &col, 1, sink_of(&j.file), j.codec, &j.w, &e), FRZ_INVALID, &e);
    col.page_rows_log2 = 5;
    col.type.id = FRZ_NULL;
    FAILS(frz__pq_writer_new(NULL, &(struct pq_writer_options){0}, &col, 1, sink_of(&j.file), j.codec, &j.w, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "\"c\"");
    assert_null(j.w);
    col.type.id = FRZ_LONG;
    OK(frz__pq_writer_new(NULL, &(struct pq_writer_options){0}, &col, 1, sink_of(&j.file), j.codec, &j.w, &e), &e);
    fill(&v, col.type, 10, 0, 5, 1);
    fill(&other, (frz_type){FRZ_INT}, 10, 0, 5, 1);
    OK(frz__vec_append_nulls(&v, 1, &e), &e);
    FAILS(frz__pq_write(j.w, &ptr, 5, 6, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "row 5");
    FAILS(frz__pq_write(j.w, &ptr, 0, 12, &e), FRZ_INVALID, &e);
    FAILS(frz__pq_write(j.w, (const struct vec *const[]){&other}, 0, 1, &e), FRZ_INVALID, &e);
    assert_int_equal(frz__pq_writer_rows(j.w), 0);
    OK(frz__pq_write(j.w, &ptr, 0, 10, &e), &e);
    assert_int_equal(frz__pq_writer_rows(j.w), 10);
    OK(frz__pq_writer_end_rows(j.w, &e), &e);
    OK(frz__pq_writer_finish(j.w, &bytes, &e), &e);
    frz__vec_clear(&v);
    frz__vec_clear(&other);
    job_clear(&j);
}

TEST(pq_writer, stays_failed_after_its_sink_failed)
{
    struct table t;
    struct job j = {0};
    table_of_all_types(&t, 500, 1, 50, true, 5);
    OK(write_rows(&j, NULL, &(struct pq_writer_options){.codec = CODEC_ZSTD, .row_group_rows = 64}, t.cols, t.ptr, TYPES, 100, &e), &e);
    size_t whole = j.file.bytes.len;
    job_clear(&j);
    for (size_t at = 1; at < whole; at += whole / 40) {
        j = (struct job){.file = {.fail_at = at}};
        e.message[0] = 0;
        RC(write_rows(&j, NULL, &(struct pq_writer_options){.codec = CODEC_ZSTD, .row_group_rows = 64}, t.cols, t.ptr, TYPES, 100, &e), FRZ_NO_SPACE, &e);
        uint64_t bytes;
        if (j.w) FAILS(frz__pq_writer_finish(j.w, &bytes, &e), FRZ_MISUSE, &e);
        if (j.w) FAILS(frz__pq_write(j.w, t.ptr, 0, 1, &e), FRZ_MISUSE, &e);
        job_clear(&j);
    }
    table_clear(&t);
}

TEST(pq_writer, gives_all_memory_back_whichever_allocation_fails)
{
    struct table t;
    table_of_all_types(&t, 300, 2, 60, true, 0);
    for (size_t i = 0; i < TYPES; i += 2) t.cols[i].page_rows_log2 = 5;
    struct pq_writer_options o = {.codec = CODEC_SNAPPY, .row_group_rows = 128, .dict_bytes = 512};
    bool done = false;
    long n = 0;
    for (n = 1; !done; n++) {
        struct test_alloc a;
        struct job j = {0};
        test_alloc_init(&a, n);
        int rc = write_rows(&j, &a.vt, &o, t.cols, t.ptr, TYPES, 100, &e);
        done = a.calls < n;
        if (done) OK(rc, &e);
        else RC(rc, FRZ_NO_MEMORY, &e);
        job_clear(&j);
        assert_int_equal(a.live, 0);
    }
    assert_true(n > 200);
    table_clear(&t);
}

TEST(pq_writer, writes_a_thousand_columns)
{
    enum { N = 1000 };
    struct pq_wcol *cols = (struct pq_wcol *)calloc(N, sizeof *cols);
    struct vec *v = (struct vec *)calloc(TYPES, sizeof *v);
    const struct vec **ptr = (const struct vec **)calloc(N, sizeof *ptr);
    char *names = (char *)calloc(N, 8);
    struct job j;
    struct walker w;
    for (size_t i = 0; i < TYPES; i++) fill(&v[i], all_types[i], 700, 1, 40, i);
    for (size_t i = 0; i < N; i++) {
        snprintf(names + 8 * i, 8, "c%zu", i);
        cols[i] = (struct pq_wcol){.name = names + 8 * i, .field_id = (int32_t)i + 1, .type = all_types[i % TYPES], .dictionary = i % 3 != 0};
        ptr[i] = &v[i % TYPES];
    }
    write_and_walk(&j, &w, &(struct pq_writer_options){.codec = CODEC_SNAPPY, .row_group_rows = 500}, cols, ptr, N, 350);
    assert_int_equal(frz__pq_writer_group_count(j.w), 2);
    for (size_t i = 0; i < TYPES; i++) frz__vec_clear(&v[i]);
    job_clear(&j);
    free(cols);
    free(v);
    free(ptr);
    free(names);
}

TEST(pq_writer, survives_random_schemas_rows_and_options)
{
    struct rng r = {test_seed(21)};
    for (int round = 0; round < 40; round++) {
        struct table t;
        struct job j;
        struct walker w;
        size_t rows = rng_below(&r, 3) ? rng_below(&r, 400) : rng_below(&r, 6000), count = 1 + rng_below(&r, TYPES);
        for (size_t i = 0; i < count; i++) {
            frz_type type = all_types[rng_below(&r, TYPES)];
            int nulls = (int)rng_below(&r, 10);
            if (nulls > 8) nulls = 0;
            snprintf(t.names[i], sizeof t.names[i], "c%zu", i);
            t.cols[i] = (struct pq_wcol){.name = t.names[i], .field_id = (int32_t)i, .type = type, .required = nulls == 0, .dictionary = rng_below(&r, 2), .bounds_full = rng_below(&r, 4) == 0,
                                         .page_rows_log2 = (uint8_t)(rng_below(&r, 2) ? 0 : 5 + rng_below(&r, 8))};
            fill(&t.v[i], type, rows, nulls, (uint64_t)1 << rng_below(&r, 31), rng_next(&r));
            t.ptr[i] = &t.v[i];
        }
        static const int codecs[] = {CODEC_NONE, CODEC_SNAPPY, CODEC_ZSTD, CODEC_LZ4_RAW};
        struct pq_writer_options o = {.codec = codecs[rng_below(&r, 4)], .row_group_rows = rng_below(&r, 2) ? 0 : 1 + rng_below(&r, 2000), .row_group_bytes = rng_below(&r, 3) ? 0 : 1 + rng_below(&r, 50000),
                                      .page_bytes = rng_below(&r, 2) ? 0 : 64 + (uint32_t)rng_below(&r, 5000), .dict_bytes = rng_below(&r, 2) ? 0 : 1 + (uint32_t)rng_below(&r, 5000)};
        write_and_walk(&j, &w, &o, t.cols, t.ptr, count, 1 + rng_below(&r, 2500));
        for (size_t i = 0; i < count; i++) frz__vec_clear(&t.v[i]);
        job_clear(&j);
    }
}
