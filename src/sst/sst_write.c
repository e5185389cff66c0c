#include "sst/sst_int.h"

#include <stdio.h>
#include "base/coding.h"
#include "base/hash.h"

#define BATCH_ROWS  8192
#define BATCH_BYTES ((size_t)4 << 20)
#define SINK_BYTES  ((size_t)256 << 10)
#define VALUE_PAGE_BYTES (16u << 10)
#define SHRINK_MIN (1.0 / 32) /* rows that are not encoded yet may be unlike those before them */

struct sst_writer {
    const allocator *a;
    struct sst_writer_options o;
    frz_schema *schema; /* counted */
    struct file *file;
    uint64_t file_at;   /* written */
    struct buf sink;    /* not yet */
    struct buf footer;  /* held back until its checksum is in it */
    bool in_footer;
    struct codec_ctx *codec;
    struct pq_writer *pq;
    struct vecs batch;  /* columns of the schema, then of lineage */
    const struct vec **batch_cols;
    struct vec **key_cols;
    size_t batch_bytes;
    uint64_t pq_bytes, pq_packed; /* that `pq` wrote and holds, at the batch before; of them those that are encoded */
    uint64_t raw_bytes; /* of the rows, as they came */
    uint64_t rows;     /* with those of the batch */
    uint64_t *hashes; /* of keys, if there is a filter */
    size_t hash_cap;
    struct sst_fence_writer fences;
    struct buf first_key, last_key, scratch;
    struct file *spill;  /* NULL until it is needed */
    bool broken; /* something failed half way */
};

/* ── to the file ── */

static int sink_flush(struct sst_writer *w, frz_error *err)
{
    if (w->sink.len) TRY(frz__file_write(w->file, w->file_at, w->sink.data, w->sink.len, err));
    w->file_at += w->sink.len;
    buf_reset(&w->sink);
    return FRZ_OK;
}

static int sink_append(void *ctx, slice bytes, frz_error *err)
{
    struct sst_writer *w = (struct sst_writer *)ctx;
    if (w->in_footer) return buf_append_slice(&w->footer, bytes, err);
    if (w->sink.len + bytes.len > SINK_BYTES) TRY(sink_flush(w, err));
    if (bytes.len < SINK_BYTES) return buf_append_slice(&w->sink, bytes, err);
    TRY(frz__file_write(w->file, w->file_at, bytes.data, bytes.len, err));
    w->file_at += bytes.len;
    return FRZ_OK;
}

/* ── beside the file ── */

static int spill_write(void *ctx, uint64_t at, slice bytes, frz_error *err)
{
    struct sst_writer *w = (struct sst_writer *)ctx;
    if (!w->spill) {
        int rc = frz__fs_open(w->o.spill_fs, w->o.spill_path, FS_OPEN_CREATE_NEW, &w->spill, err);
        if (rc != FRZ_OK) return rc > 0 ? frz__err(err, FRZ_BUG, "a fresh file name is taken: %s", w->o.spill_path) : rc;
        TRY(frz__fs_unlink(w->o.spill_fs, w->o.spill_path, err)); /* it goes with whoever has it open */
    }
    return frz__file_write(w->spill, at, bytes.data, bytes.len, err);
}

static int spill_read(void *ctx, uint64_t at, void *out, size_t bytes, frz_error *err)
{
    return frz__file_read_full(((struct sst_writer *)ctx)->spill, at, out, bytes, err);
}

/* ── new ── */

static int writer_columns(struct sst_writer *w, frz_error *err)
{
    const frz_schema *s = w->schema;
    const frz_type lineage = {FRZ_LONG, 0, 0, 0};
    size_t count = s->count + (w->o.lineage ? 2 : 0);
    int rc = FRZ_OK;
    struct pq_wcol *cols = (struct pq_wcol *)frz__alloc_array(w->a, count, sizeof *cols);
    frz_type *types = (frz_type *)frz__alloc_array(w->a, count, sizeof *types);
    int32_t *sort = (int32_t *)frz__alloc_array(w->a, s->key_count, sizeof *sort);
    w->batch_cols = (const struct vec **)frz__alloc_array(w->a, count, sizeof *w->batch_cols);
    w->key_cols = (struct vec **)frz__alloc_array(w->a, s->key_count, sizeof *w->key_cols);
    if (!cols || !types || !sort || !w->batch_cols || !w->key_cols) CHECK(frz__err_no_memory(err, count * sizeof *cols));
    for (size_t i = 0; i < s->count; i++) {
        const struct column *c = &s->columns[i];
        types[i] = c->type;
        cols[i] = (struct pq_wcol){.name = c->name, .field_id = c->id, .type = c->type, .required = c->required, .dictionary = w->o.dictionary};
        if (c->key_index < 0) continue;
        cols[i].page_rows_log2 = SST_KEY_PAGE_ROWS_LOG2;
        sort[c->key_index] = (int32_t)i;
    }
    if (w->o.lineage) {
        types[s->count] = types[s->count + 1] = lineage;
        cols[s->count] = (struct pq_wcol){.name = "_row_id", .field_id = ICE_ROW_ID_FIELD, .type = lineage, .page_rows_log2 = SST_KEY_PAGE_ROWS_LOG2};
        cols[s->count + 1] = (struct pq_wcol){.name = "_last_updated_sequence_number", .field_id = ICE_LAST_UPDATED_FIELD, .type = lineage, .page_rows_log2 = SST_KEY_PAGE_ROWS_LOG2};
    }
    struct pq_writer_options o = {.codec = w->o.codec, .level = w->o.level, .row_group_rows = w->o.row_group_rows, .row_group_bytes = w->o.row_group_bytes,
                                  .dict_bytes = w->o.dict_bytes, .page_bytes = w->o.page_bytes ? w->o.page_bytes : VALUE_PAGE_BYTES, .sort_columns = sort, .sort_count = s->key_count};
    if (w->o.spill_fs) o.spill = (struct pq_spill){w, spill_write, spill_read};
    struct pq_sink sink = {w, sink_append};
    CHECK(frz__pq_writer_new(w->a, &o, cols, count, sink, w->codec, &w->pq, err));
    CHECK(frz__vecs_init(&w->batch, w->a, types, count, err));
    for (size_t i = 0; i < count; i++) w->batch_cols[i] = &w->batch.cols[i];
    for (size_t i = 0; i < s->key_count; i++) w->key_cols[i] = &w->batch.cols[s->key[i]];
done:
    frz__free(w->a, cols);
    frz__free(w->a, types);
    frz__free(w->a, sort);
    return rc;
}

int frz__sst_writer_new(const allocator *a, struct file *file, const struct sst_writer_options *o, struct sst_writer **out, frz_error *err)
{
    int rc = FRZ_OK;
    struct sst_writer *w;
    if (!o->schema->sealed || o->schema->key_count == 0) return frz__err(err, FRZ_BUG, "a table file is written by a sealed schema with a key");
    TRY(ALLOC_NEW(&w, a, struct sst_writer, err));
    w->a = a;
    w->o = *o;
    w->schema = frz__schema_acquire(o->schema);
    w->o.schema = w->schema;
    if (!w->o.batch_bytes || w->o.batch_bytes > BATCH_BYTES) w->o.batch_bytes = BATCH_BYTES;
    w->file = file;
    w->sink = w->scratch = w->footer = BUF_INIT(a, 0);
    w->first_key = w->last_key = w->fences.keys = BUF_INIT(a, 0);
    CHECK(frz__codec_ctx_new(a, &w->codec, err));
    CHECK(writer_columns(w, err));
    *out = w;
done:
    if (rc < 0) frz__sst_writer_free(w);
    return rc;
}

void frz__sst_writer_free(struct sst_writer *w)
{
    if (!w) return;
    (void)frz__file_close(w->spill, NULL);
    frz__pq_writer_free(w->pq);
    frz__codec_ctx_free(w->codec);
    if (w->batch.cols) frz__vecs_clear(&w->batch);
    frz__free(w->a, w->batch_cols);
    frz__free(w->a, w->key_cols);
    frz__free(w->a, w->hashes);
    frz__sst_fence_writer_clear(&w->fences);
    buf_clear(&w->sink);
    buf_clear(&w->footer);
    buf_clear(&w->scratch);
    buf_clear(&w->first_key);
    buf_clear(&w->last_key);
    frz__schema_release(w->schema);
    frz__free(w->a, w);
}

uint64_t frz__sst_writer_rows(const struct sst_writer *w) { return w->rows; }
static uint64_t beside_bytes(const struct sst_writer *w) { return w->rows * w->o.filter_bits / 8 + w->fences.keys.len; }
uint64_t frz__sst_writer_bytes_most(const struct sst_writer *w) { return w->pq_bytes + w->batch_bytes + beside_bytes(w); }

uint64_t frz__sst_writer_bytes(const struct sst_writer *w)
{
    double encoded = w->o.row_bytes * (double)w->rows - (double)beside_bytes(w), shrink = w->o.row_bytes > 0 && w->raw_bytes ? encoded / (double)w->raw_bytes : 1;
    uint64_t loose = w->pq_bytes - w->pq_packed + w->batch_bytes;
    if (shrink < 1) loose = (uint64_t)((double)loose * (shrink > SHRINK_MIN ? shrink : SHRINK_MIN));
    return w->pq_packed + loose + beside_bytes(w);
}

/* ── rows ── */

static int batch_flush(struct sst_writer *w, frz_error *err)
{
    if (w->batch.rows == 0) return FRZ_OK;
    TRY(frz__pq_write(w->pq, w->batch_cols, 0, w->batch.rows, err));
    frz__vecs_reset(&w->batch);
    w->batch_bytes = 0;
    w->pq_bytes = frz__pq_writer_bytes(w->pq);
    w->pq_packed = frz__pq_writer_bytes_packed(w->pq);
    return FRZ_OK;
}

/* What is kept of each key: its order, its hash, and at a page's begin its fence. */
static int err_order(struct sst_writer *w, slice key, uint64_t row, frz_error *err)
{
    char text[160] = "?";
    buf_reset(&w->scratch);
    if (frz__key_print(w->schema, key, &w->scratch, NULL) == FRZ_OK) snprintf(text, sizeof text, "%.*s", (int)w->scratch.len, (const char *)w->scratch.data);
    return frz__err(err, FRZ_BUG, "%s: keys must ascend: row %" PRIu64 ", %s, is not above the one before it", w->file->path, row, text);
}

static int add_keys(struct sst_writer *w, const slice *keys, const uint64_t *hashes, size_t count, frz_error *err)
{
    slice before = buf_slice(&w->last_key);
    for (size_t i = 0; i < count; before = keys[i++])
        if ((w->rows || i) && slice_cmp(keys[i], before) <= 0) return err_order(w, keys[i], w->rows + i, err);
    if (w->o.filter_bits) {
        while (w->hash_cap - w->rows < count) TRY(frz__grow(w->a, (void **)&w->hashes, w->hash_cap, &w->hash_cap, sizeof *w->hashes, err));
        memcpy(w->hashes + w->rows, hashes, count * sizeof *hashes);
    }
    for (uint64_t i = (SST_KEY_PAGE_ROWS - w->rows % SST_KEY_PAGE_ROWS) % SST_KEY_PAGE_ROWS; i < count; i += SST_KEY_PAGE_ROWS) TRY(frz__sst_fence_add(&w->fences, keys[i], err));
    if (w->rows == 0) TRY(buf_append_slice(&w->first_key, keys[0], err));
    buf_reset(&w->last_key);
    return buf_append_slice(&w->last_key, keys[count - 1], err);
}

static int add_lineage(struct sst_writer *w, const int64_t *row_ids, const int64_t *last_updated, size_t count, frz_error *err)
{
    if (!w->o.lineage) return FRZ_OK;
    TRY(frz__sst_lineage_append(&w->batch.cols[w->schema->count], row_ids, count, err));
    return frz__sst_lineage_append(&w->batch.cols[w->schema->count + 1], last_updated, count, err);
}

/* After the columns of COUNT rows: RC is how they went. */
static int add_done(struct sst_writer *w, size_t count, size_t bytes, int rc, frz_error *err)
{
    if (rc >= 0) {
        w->rows += count;
        w->batch.rows += count;
        w->batch_bytes += bytes;
        w->raw_bytes += bytes;
        if (w->batch.rows >= BATCH_ROWS || w->batch_bytes >= w->o.batch_bytes) rc = batch_flush(w, err);
    }
    if (rc < 0) w->broken = true;
    return rc;
}

static int check_usable(const struct sst_writer *w, frz_error *err)
{
    return w->broken ? frz__err(err, FRZ_BUG, "%s: a writer that failed was used again", w->file->path) : FRZ_OK;
}

/* How many of the rows from FROM go into the batch at hand: one at least. */
static size_t batch_room(const struct sst_writer *w, const struct sst_rows *r, size_t from, size_t *bytes)
{
    size_t rows = BATCH_ROWS - w->batch.rows, n = 0;
    *bytes = 0;
    while (n < rows && from + n < r->count && w->batch_bytes + *bytes < w->o.batch_bytes) {
        FRZ_ASSERT(r->rows[from + n].len >= 2 && load_u16(r->rows[from + n].data) == (uint16_t)w->schema->schema_id);
        *bytes += r->keys[from + n].len + r->rows[from + n].len;
        n++;
    }
    return n;
}

int frz__sst_add(struct sst_writer *w, const struct sst_rows *r, frz_error *err)
{
    TRY(check_usable(w, err));
    for (size_t from = 0; from < r->count;) {
        size_t bytes, n = batch_room(w, r, from, &bytes);
        int rc = add_keys(w, r->keys + from, r->hashes + from, n, err);
        if (rc >= 0) rc = frz__sst_keys_append(w->schema, r->keys + from, n, w->key_cols, &w->scratch, err);
        if (rc >= 0) rc = frz__sst_values_append(w->schema, r->rows + from, n, w->batch.cols, err);
        if (rc >= 0) rc = add_lineage(w, r->row_ids ? r->row_ids + from : NULL, r->last_updated ? r->last_updated + from : NULL, n, err);
        TRY(add_done(w, n, bytes, rc, err));
        from += n;
    }
    return FRZ_OK;
}

/* One value's bytes, not null, into a vector of fixed width. */
static int append_fixed(struct vec *v, const uint8_t *value, size_t width, frz_error *err)
{
    if (v->len == v->cap) TRY(frz__vec_reserve(v, 1, 0, err));
    memcpy(v->data + v->len * width, value, width);
    if (v->validity) bit_set(v->validity, v->len);
    v->len++;
    return FRZ_OK;
}

static int add_vec_columns(struct sst_writer *w, const struct vecs *rows, size_t index, size_t *bytes, frz_error *err)
{
    for (size_t c = 0; c < w->schema->count; c++) {
        const struct vec *from = &rows->cols[c];
        size_t width = frz__type_width(from->type);
        *bytes += width ? width : vec_bytes(from, index).len;
        if (width && from->type.id != FRZ_BOOLEAN && !vec_is_null(from, index)) TRY(append_fixed(&w->batch.cols[c], from->data + index * width, width, err));
        else TRY(frz__vec_append_range(&w->batch.cols[c], from, index, 1, err));
    }
    return FRZ_OK;
}

int frz__sst_add_vec(struct sst_writer *w, slice key, const struct vecs *rows, size_t index, int64_t row_id, int64_t last_updated, frz_error *err)
{
    size_t bytes = 0;
    TRY(check_usable(w, err));
    FRZ_VERIFY(rows->count >= w->schema->count && index < rows->rows, err);
    uint64_t hash = w->o.filter_bits ? frz__hash64(key) : 0;
    int rc = add_keys(w, &key, &hash, 1, err);
    if (rc >= 0) rc = add_vec_columns(w, rows, index, &bytes, err);
    if (rc >= 0) rc = add_lineage(w, &row_id, &last_updated, 1, err);
    return add_done(w, 1, bytes, rc, err);
}

/* ── the end ── */

/* Parquet's page indexes are what lies between its last chunk and here. Read back: the writer below does not tell them from pages. */
static int finish_pages(struct sst_writer *w, struct sst_props *p, frz_error *err)
{
    uint8_t bytes[4096];
    p->pages_offset = 4; /* behind PAR1 */
    for (size_t i = 0; i < w->batch.count; i++) p->pages_offset += frz__pq_writer_stats(w->pq, i)->compressed_bytes;
    TRY(sink_flush(w, err));
    if (p->pages_offset > w->file_at) return frz__err(err, FRZ_BUG, "%s: its chunks end at %" PRIu64 ", beyond the %" PRIu64 " bytes written", w->file->path, p->pages_offset, w->file_at);
    p->pages_length = w->file_at - p->pages_offset;
    for (uint64_t at = p->pages_offset; at < w->file_at;) {
        size_t n = w->file_at - at < sizeof bytes ? (size_t)(w->file_at - at) : sizeof bytes;
        TRY(frz__file_read_full(w->file, at, bytes, n, err));
        p->pages_crc = frz__crc32c(p->pages_crc, bytes, n);
        at += n;
    }
    return FRZ_OK;
}

static int finish_props(struct sst_writer *w, struct buf *out, frz_error *err)
{
    const frz_schema *s = w->schema;
    int rc = FRZ_OK;
    struct buf columns = BUF_INIT(w->a, 0);
    for (size_t i = 0; i < s->key_count; i++) {
        const struct column *c = &s->columns[s->key[i]];
        CHECK(buf_append_u32(&columns, (uint32_t)c->id, err));
        CHECK(buf_append_u32(&columns, (uint32_t)c->type.id, err));
    }
    struct sst_props p = {.level_hint = w->o.level_hint, .seq_first = w->o.seq_first, .seq_last = w->o.seq_last, .first_key = buf_slice(&w->first_key), .last_key = buf_slice(&w->last_key),
                          .key_columns = buf_slice(&columns)};
    CHECK(finish_pages(w, &p, err));
    CHECK(frz__sst_props_encode(&p, out, err));
done:
    buf_clear(&columns);
    return rc;
}

static int finish_section(struct sst_block *b, enum sst_section_type type, const struct buf *bytes)
{
    b->sections[type] = (struct sst_section){true, frz__crc32c(0, bytes->data, bytes->len), 0, bytes->len};
    return FRZ_OK;
}

/* The private block, and its place into the footer. */
static int finish_block(struct sst_writer *w, frz_error *err)
{
    struct buf props = BUF_INIT(w->a, 0), fence = BUF_INIT(w->a, 0), filter = BUF_INIT(w->a, 0), head = BUF_INIT(w->a, 0);
    struct sst_block b = {.rows = w->rows, .uuid_hash = w->o.uuid_hash};
    char place[48];
    uint64_t at = 0;
    int rc = FRZ_OK;
    CHECK(finish_props(w, &props, err));
    CHECK(finish_section(&b, SST_PROPS, &props));
    CHECK(frz__sst_fence_encode(&w->fences, &fence, err));
    CHECK(finish_section(&b, SST_FENCE, &fence));
    if (w->o.filter_bits && w->rows) {
        CHECK(frz__sst_filter_build(w->hashes, w->rows, w->o.filter_bits, &filter, err));
        CHECK(finish_section(&b, SST_FILTER, &filter));
    }
    frz__free(w->a, w->hashes);
    w->hashes = NULL;
    CHECK(frz__sst_block_encode(&b, &head, err));
    const struct buf *parts[] = {&head, &props, &fence, &filter};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(parts); i++) {
        if (parts[i]->len == 0) continue;
        CHECK(frz__pq_writer_raw(w->pq, buf_slice(parts[i]), &at, err));
        if (i == 0) b.offset = at;
    }
    snprintf(place, sizeof place, "%" PRIu64 ":%" PRIu64, b.offset, b.length);
    CHECK(frz__pq_writer_kv(w->pq, "frazil.index", place, err));
    CHECK(frz__pq_writer_kv(w->pq, SST_FOOTER_KEY, "crc32c:" SST_FOOTER_ZEROS, err));
done:
    buf_clear(&props);
    buf_clear(&fence);
    buf_clear(&filter);
    buf_clear(&head);
    return rc;
}

/* Parquet's footer, with its checksum in it. */
static int finish_footer(struct sst_writer *w, uint64_t *file_bytes, frz_error *err)
{
    size_t at;
    char digits[16];
    w->in_footer = true;
    TRY(frz__pq_writer_finish(w->pq, file_bytes, err));
    w->in_footer = false;
    if (!frz__sst_footer_find(buf_slice(&w->footer), &at)) return frz__err(err, FRZ_BUG, "%s: no place for a checksum in its footer", w->file->path);
    snprintf(digits, sizeof digits, "%08" PRIx32, frz__sst_footer_crc(buf_slice(&w->footer), at));
    memcpy(w->footer.data + at, digits, 8);
    TRY(sink_append(w, buf_slice(&w->footer), err));
    return sink_flush(w, err);
}

/* sst.h (2): position arithmetic rests on it */
static int check_groups(struct sst_writer *w, frz_error *err)
{
    size_t groups = frz__pq_writer_group_count(w->pq);
    uint64_t rows = 0;
    for (size_t g = 0; g < groups; g++) {
        uint64_t n = frz__pq_writer_group_rows(w->pq, g);
        if (g + 1 < groups && n % SST_KEY_PAGE_ROWS) return frz__err(err, FRZ_BUG, "%s: row group %zu of %" PRIu64 " rows is no whole number of key pages", w->file->path, g, n);
        rows += n;
    }
    if (rows != w->rows) return frz__err(err, FRZ_BUG, "%s: %" PRIu64 " rows were given, its row groups have %" PRIu64, w->file->path, w->rows, rows);
    return FRZ_OK;
}

/* Bytes in AR; empty is not absent. */
static int keep(struct arena *ar, slice bytes, slice *out, frz_error *err)
{
    uint8_t *p = (uint8_t *)arena_alloc(ar, bytes.len + 1, 1);
    if (!p) return frz__err_no_memory(err, bytes.len + 1);
    if (bytes.len) memcpy(p, bytes.data, bytes.len);
    *out = slice_of(p, bytes.len);
    return FRZ_OK;
}

static int finish_stats(struct sst_writer *w, struct arena *ar, struct ice_file *out, frz_error *err)
{
    size_t columns = w->schema->count, groups = frz__pq_writer_group_count(w->pq);
    out->stats = (struct ice_col_stats *)arena_alloc(ar, columns * sizeof *out->stats, 8);
    out->split_offsets = (int64_t *)arena_alloc(ar, (groups + 1) * sizeof *out->split_offsets, 8);
    if (!out->stats || !out->split_offsets) return frz__err_no_memory(err, columns * sizeof *out->stats);
    out->stats_count = columns;
    out->split_count = groups;
    for (size_t g = 0; g < groups; g++) out->split_offsets[g] = (int64_t)frz__pq_writer_group_offset(w->pq, g);
    for (size_t i = 0; i < columns; i++) {
        const struct column *c = &w->schema->columns[i];
        const struct pq_colstats *st = frz__pq_writer_stats(w->pq, i);
        bool floating = c->type.id == FRZ_FLOAT || c->type.id == FRZ_DOUBLE;
        out->stats[i] = (struct ice_col_stats){c->id, (int64_t)st->compressed_bytes, (int64_t)st->values, (int64_t)st->nulls, floating ? (int64_t)st->nans : -1, {NULL, 0}, {NULL, 0}};
        if (st->has_bounds) TRY(keep(ar, st->lower, &out->stats[i].lower, err));
        if (st->has_bounds && st->has_upper) TRY(keep(ar, st->upper, &out->stats[i].upper, err));
    }
    return FRZ_OK;
}

int frz__sst_finish(struct sst_writer *w, struct arena *ar, struct ice_file *out, frz_error *err)
{
    int rc = FRZ_OK;
    uint64_t bytes = 0;
    TRY(check_usable(w, err));
    w->broken = true; /* nothing comes after it */
    CHECK(batch_flush(w, err));
    CHECK(frz__pq_writer_end_rows(w->pq, err));
    CHECK(check_groups(w, err));
    CHECK(finish_block(w, err));
    CHECK(finish_footer(w, &bytes, err));
    if (bytes != w->file_at) CHECK(frz__err(err, FRZ_BUG, "%s: %" PRIu64 " bytes were written, its footer counts %" PRIu64, w->file->path, w->file_at, bytes));
    *out = (struct ice_file){.content = ICE_DATA, .record_count = (int64_t)w->rows, .file_size = (int64_t)bytes, .sort_order_id = -1, .first_row_id = -1, .content_offset = -1, .content_size = -1};
    CHECK(finish_stats(w, ar, out, err));
done:
    return rc;
}
