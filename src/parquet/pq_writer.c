#include "parquet/parquet.h"

#include <stdio.h>
#include "parquet/pq_col_write.h"
#include "parquet/pq_schema.h"
#include "parquet/pq_spill.h"

#define ROW_GROUP_ROWS ((uint64_t)1 << 20)
#define ROW_GROUP_BYTES ((uint64_t)128 << 20)
#define ROW_GROUP_HELD_MIN ((uint64_t)2 << 30) /* a row group that cannot be cut yet may have four times its bytes, or this */
#define SPILL_GROUPS 2 /* so many times its bytes are held in memory, where there is another place */
#define PAGE_BYTES (64u << 10)
#define DICT_BYTES (1u << 20)
#define SAMPLE_ROWS ((size_t)1 << 14)
#define SAMPLE_PAGES 4u /* bytes to sample, in pages */
#define ROWS_LOG2_MAX 20u

static const uint8_t magic[4] = {'P', 'A', 'R', '1'};

enum writer_state { WRITER_ROWS, WRITER_ENDED, WRITER_FINISHED, WRITER_FAILED };

struct group {
    struct pq_group meta;
    size_t *column_index_bytes, *offset_index_bytes; /* a column */
};

struct pq_writer {
    const allocator *a;
    enum writer_state state;
    struct pq_sink sink;
    uint64_t offset; /* given to the sink */
    struct pq_wenv env;
    uint64_t group_rows_max; /* as asked; group_rows_end once the stripes are known */
    uint64_t group_rows_end;
    size_t undecided;
    uint64_t stripe_rows; /* the largest stripe */
    size_t count;
    struct pq_wcolumn *cols;
    struct pq_spiller spiller;
    uint64_t rows, group_rows; /* of the file; of the group at hand */
    struct group *groups;
    size_t group_count, group_cap;
    struct buf dict_page, column_index, offset_index; /* the indexes of all groups, one behind the other */
    struct arena ar; /* metadata */
    struct pq_kv *kvs;
    size_t kv_count, kv_cap;
    const char *created_by;
    struct pq_sorting *sorting;
    size_t sort_count;
};

static int put(struct pq_writer *w, slice bytes, frz_error *err)
{
    if (bytes.len == 0) return FRZ_OK;
    TRY(w->sink.append(w->sink.ctx, bytes, err));
    w->offset += bytes.len;
    return FRZ_OK;
}

static int put_spilled(void *ctx, slice bytes, frz_error *err) { return put((struct pq_writer *)ctx, bytes, err); }

static int fail(struct pq_writer *w, int rc)
{
    if (rc < 0) w->state = WRITER_FAILED;
    return rc;
}

static int need_state(const struct pq_writer *w, enum writer_state state, const char *what, frz_error *err)
{
    if (w->state == state) return FRZ_OK;
    if (w->state == WRITER_FAILED) return frz__err(err, FRZ_MISUSE, "%s: this Parquet writer failed before", what);
    return frz__err(err, FRZ_MISUSE, "%s: not %s", what, state == WRITER_ROWS ? "after the rows were ended" : w->state == WRITER_FINISHED ? "after the file was finished" : "before the rows are ended");
}

static char *keep_str(struct pq_writer *w, const char *s) { return frz__arena_strndup(&w->ar, s, strlen(s)); }

/* ── new ── */

static unsigned log2_ceil(uint64_t v)
{
    unsigned k = 0;
    while (k < 63 && (uint64_t)1 << k < v) k++;
    return k;
}

/* The stripes of all columns are known: a row group is a whole number of the largest. */
static void stripes_known(struct pq_writer *w)
{
    w->stripe_rows = 1;
    for (size_t i = 0; i < w->count; i++)
        if ((uint64_t)1 << w->cols[i].k > w->stripe_rows) w->stripe_rows = (uint64_t)1 << w->cols[i].k;
    w->group_rows_end = (w->group_rows_max + w->stripe_rows - 1) / w->stripe_rows * w->stripe_rows;
}

static int take_options(struct pq_writer *w, const struct pq_writer_options *o, frz_error *err)
{
    char created[64];
    snprintf(created, sizeof created, "frazil version %d.%d.%d", FRZ_VERSION_MAJOR, FRZ_VERSION_MINOR, FRZ_VERSION_PATCH);
    w->env.codec_id = o->codec;
    w->env.level = o->level;
    w->env.page_bytes = o->page_bytes ? o->page_bytes : PAGE_BYTES;
    w->env.dict_bytes = o->dict_bytes ? o->dict_bytes : DICT_BYTES;
    w->env.row_group_bytes = o->row_group_bytes ? o->row_group_bytes : ROW_GROUP_BYTES;
    w->spiller = (struct pq_spiller){.to = o->spill, .held_max = SPILL_GROUPS * w->env.row_group_bytes};
    w->group_rows_max = o->row_group_rows ? o->row_group_rows : ROW_GROUP_ROWS;
    if (w->group_rows_max > INT64_MAX / 2) w->group_rows_max = INT64_MAX / 2;
    w->created_by = keep_str(w, o->created_by ? o->created_by : created);
    if (!w->created_by) return frz__err_no_memory(err, sizeof created);
    if (!frz__codec_name(o->codec)) return frz__err(err, FRZ_UNSUPPORTED, "Parquet codec %d is not known", o->codec);
    if (w->env.dict_bytes > INT32_MAX / 2) w->env.dict_bytes = INT32_MAX / 2;
    if (o->sort_count == 0) return FRZ_OK;
    w->sorting = (struct pq_sorting *)arena_alloc(&w->ar, o->sort_count * sizeof *w->sorting, 8);
    if (!w->sorting) return frz__err_no_memory(err, o->sort_count * sizeof *w->sorting);
    for (size_t i = 0; i < o->sort_count; i++) {
        if (o->sort_columns[i] < 0 || (size_t)o->sort_columns[i] >= w->count) return frz__err(err, FRZ_INVALID, "sort column %d: there are %zu columns", o->sort_columns[i], w->count);
        w->sorting[i] = (struct pq_sorting){o->sort_columns[i], false, true};
    }
    w->sort_count = o->sort_count;
    return FRZ_OK;
}

int frz__pq_writer_new(const allocator *a, const struct pq_writer_options *o, const struct pq_wcol *cols, size_t count, struct pq_sink sink, struct codec_ctx *codec,
                       struct pq_writer **out, frz_error *err)
{
    struct pq_writer *w;
    int rc = FRZ_OK;
    *out = NULL;
    if (count == 0) return frz__err(err, FRZ_INVALID, "a Parquet file needs a column");
    TRY(ALLOC_NEW(&w, a, struct pq_writer, err));
    w->a = w->env.a = w->env.scratch.a = a;
    w->sink = sink;
    w->env.codec = codec;
    w->ar = ARENA_INIT(a);
    w->dict_page = w->column_index = w->offset_index = w->env.body = w->env.packed = w->env.scratch.dense = w->env.scratch.bits = BUF_INIT(a, 0);
    w->cols = (struct pq_wcolumn *)frz__alloc_array(a, count, sizeof *w->cols);
    CHECK(w->cols ? FRZ_OK : frz__err_no_memory(err, count * sizeof *w->cols));
    for (; w->count < count;) {
        const struct pq_wcol *spec = &cols[w->count++]; /* counted first: init leaves what clear takes, even where it fails */
        struct pq_wcolumn *c = &w->cols[w->count - 1];
        if (spec->page_rows_log2 > ROWS_LOG2_MAX) CHECK(frz__err(err, FRZ_INVALID, "column \"%s\": 2^%u rows a page, no more than 2^%u are possible", spec->name, spec->page_rows_log2, ROWS_LOG2_MAX));
        CHECK_CTX(frz__pq_wcolumn_init(c, a, spec, err), err, "column \"%s\"", spec->name);
        w->undecided += !c->decided;
    }
    CHECK(take_options(w, o, err));
    if (w->undecided == 0) stripes_known(w);
    CHECK(put(w, slice_of(magic, 4), err));
    *out = w;
    return FRZ_OK;
done:
    frz__pq_writer_free(w);
    return rc;
}

void frz__pq_writer_free(struct pq_writer *w)
{
    if (!w) return;
    for (size_t i = 0; i < w->count; i++) frz__pq_wcolumn_clear(&w->cols[i]);
    frz__free(w->a, w->cols);
    frz__free(w->a, w->groups);
    frz__free(w->a, w->kvs);
    frz__pq_scratch_clear(&w->env.scratch);
    buf_clear(&w->env.body);
    buf_clear(&w->env.packed);
    buf_clear(&w->dict_page);
    buf_clear(&w->column_index);
    buf_clear(&w->offset_index);
    frz__arena_clear(&w->ar);
    frz__free(w->a, w);
}

/* ── rows ── */

static int check_rows(const struct pq_writer *w, const struct vec *const *cols, size_t from, size_t count, frz_error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct pq_wcolumn *c = &w->cols[i];
        const struct vec *v = cols[i];
        if (!frz__type_eq(v->type, c->type)) return frz__err(err, FRZ_INVALID, "column \"%s\": a vector of type %d for a column of type %d", c->name, v->type.id, c->type.id);
        if (from > v->len || count > v->len - from) return frz__err(err, FRZ_INVALID, "column \"%s\": rows [%zu, %zu) of a vector of %zu", c->name, from, from + count, v->len);
        if (!c->required || !v->validity) continue;
        for (size_t r = from; r < from + count; r++)
            if (!bit_get(v->validity, r)) return frz__err(err, FRZ_INVALID, "column \"%s\" is required, but is null in row %" PRIu64, c->name, w->rows + (r - from));
    }
    return FRZ_OK;
}

static uint64_t held(const struct pq_writer *w)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < w->count; i++) bytes += frz__pq_wcolumn_held(&w->cols[i]);
    return bytes;
}

static uint64_t sample_bytes(const struct pq_wcolumn *c)
{
    const struct vec *v = &c->stripe;
    return c->form.phys == PQ_BYTE_ARRAY ? vec_var_bytes(v) : (uint64_t)v->len * frz__type_width(c->type);
}

/* How many of COUNT rows the sample of C takes: up to its bytes, and one row beyond. */
static size_t sample_room(const struct pq_writer *w, const struct pq_wcolumn *c, const struct vec *v, size_t from, size_t count)
{
    uint64_t max = (uint64_t)w->env.page_bytes * SAMPLE_PAGES, used = sample_bytes(c);
    if (c->form.phys != PQ_BYTE_ARRAY) {
        uint64_t n = used < max ? (max - used) / frz__type_width(c->type) + 1 : 1;
        return n < count ? (size_t)n : count;
    }
    size_t lo = 1, hi = count; /* the most rows whose bytes but the last's fit */
    while (lo < hi) {
        size_t mid = lo + (hi - lo + 1) / 2;
        if (used + (v->offsets[from + mid - 1] - v->offsets[from]) < max) lo = mid;
        else hi = mid - 1;
    }
    return lo;
}

/* Rows that may go to all columns before something must be looked at: a stripe's end, a sample's. 0 = they fit nowhere. */
static size_t next_slice(const struct pq_writer *w, const struct vec *const *cols, size_t from, size_t count)
{
    size_t n = count;
    if (w->undecided == 0) {
        uint64_t room = w->stripe_rows - w->group_rows % w->stripe_rows;
        if (room < n) n = (size_t)room;
    } else {
        size_t rows_max = w->group_rows_max < SAMPLE_ROWS ? (size_t)w->group_rows_max : SAMPLE_ROWS;
        if (rows_max - w->group_rows < n) n = rows_max - (size_t)w->group_rows;
        for (size_t i = 0; i < w->count; i++)
            if (!w->cols[i].decided) n = sample_room(w, &w->cols[i], cols[i], from, n);
    }
    for (size_t i = 0; i < w->count && n; i++)
        while (n && !frz__pq_wcolumn_fits(&w->cols[i], cols[i], from, n)) n /= 2;
    return n;
}

static uint64_t hard_bytes(const struct pq_writer *w)
{
    uint64_t max = w->env.row_group_bytes > UINT64_MAX / 4 ? UINT64_MAX : w->env.row_group_bytes * 4;
    return max < ROW_GROUP_HELD_MIN ? ROW_GROUP_HELD_MIN : max;
}

/* The largest stripe that a row group of row_group_bytes can be cut at. */
static unsigned stripe_log2_max(const struct pq_writer *w)
{
    double row = 0, most = (double)hard_bytes(w) / 4;
    unsigned k = log2_ceil(w->group_rows_max), rows = ROWS_LOG2_MAX;
    for (size_t i = 0; i < w->count; i++) {
        const struct pq_wcolumn *c = &w->cols[i];
        row += !c->decided && c->stripe.len ? (double)sample_bytes(c) / (double)c->stripe.len : c->row_bytes;
    }
    if (k < 5) k = 5;
    while (rows > 5 && row * (double)(1u << rows) > (double)w->env.row_group_bytes / 2) rows--;
    while (rows > 0 && row * (double)(1u << rows) > most) rows--;
    return k < rows ? k : rows;
}

static int decide(struct pq_writer *w, bool all, frz_error *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < w->count; i++) total += sample_bytes(&w->cols[i]);
    uint64_t rows_max = w->group_rows_max < SAMPLE_ROWS ? w->group_rows_max : SAMPLE_ROWS;
    if (total > w->env.row_group_bytes / 4 || w->group_rows >= rows_max) all = true;
    for (size_t i = 0; i < w->count; i++) {
        struct pq_wcolumn *c = &w->cols[i];
        if (c->decided || (!all && sample_bytes(c) < (uint64_t)w->env.page_bytes * SAMPLE_PAGES)) continue;
        TRY(frz__pq_wcolumn_decide(c, &w->env, stripe_log2_max(w), err));
        w->undecided--;
    }
    if (w->undecided == 0) stripes_known(w);
    return FRZ_OK;
}

static int end_group(struct pq_writer *w, frz_error *err);

static int take_slice(struct pq_writer *w, const struct vec *const *cols, size_t from, size_t count, frz_error *err)
{
    uint64_t waiting = 0;
    for (size_t i = 0; i < w->count; i++) {
        TRY(frz__pq_wcolumn_append(&w->cols[i], &w->env, cols[i], from, count, err));
        waiting += frz__pq_wcolumn_waiting(&w->cols[i]);
    }
    w->rows += count;
    w->group_rows += count;
    if (w->undecided) TRY(decide(w, false, err));
    TRY(frz__pq_spill(&w->spiller, w->cols, w->count, err));
    if (w->undecided) return FRZ_OK;
    if (waiting > w->env.row_group_bytes / 4)
        for (size_t i = 0; i < w->count; i++) TRY(frz__pq_wcolumn_settle(&w->cols[i], &w->env, err));
    if (w->group_rows % w->stripe_rows) return FRZ_OK;
    return w->group_rows >= w->group_rows_end || held(w) >= w->env.row_group_bytes ? end_group(w, err) : FRZ_OK;
}

int frz__pq_write(struct pq_writer *w, const struct vec *const *cols, size_t from, size_t count, frz_error *err)
{
    TRY(need_state(w, WRITER_ROWS, "write", err));
    TRY(check_rows(w, cols, from, count, err));
    while (count) {
        size_t n = next_slice(w, cols, from, count);
        if (n == 0 || (w->group_rows && held(w) > hard_bytes(w)))
            return frz__err(err, FRZ_TOO_LARGE, "row %" PRIu64 ": its page or row group would hold too many bytes for the rows a page that this file began with", w->rows);
        TRY(fail(w, take_slice(w, cols, from, n, err)));
        from += n;
        count -= n;
    }
    return FRZ_OK;
}

/* ── row groups ── */

static int chunk_meta(struct pq_writer *w, struct pq_wcolumn *c, struct pq_chunk *m, frz_error *err)
{
    bool dict = c->dict_pages > 0;
    *m = PQ_CHUNK_NONE;
    m->has_meta = true;
    m->type = c->form.phys;
    m->codec = w->env.codec_id;
    m->values = (int64_t)c->rows;
    m->encodings = (int32_t *)arena_alloc(&w->ar, 3 * sizeof *m->encodings, 4);
    m->encoding_stats = (struct pq_encoding_stats *)arena_alloc(&w->ar, 3 * sizeof *m->encoding_stats, 4);
    m->path = (slice *)arena_alloc(&w->ar, sizeof *m->path, 8);
    if (!m->encodings || !m->encoding_stats || !m->path) return frz__err_no_memory(err, sizeof *m);
    m->encodings[m->encoding_count++] = PQ_PLAIN; /* of the dictionary too */
    m->encodings[m->encoding_count++] = PQ_RLE;
    if (dict) {
        m->encodings[m->encoding_count++] = PQ_RLE_DICTIONARY;
        m->encoding_stats[m->encoding_stats_count++] = (struct pq_encoding_stats){PQ_DICTIONARY_PAGE, PQ_PLAIN, 1};
        m->encoding_stats[m->encoding_stats_count++] = (struct pq_encoding_stats){PQ_DATA_PAGE, PQ_RLE_DICTIONARY, c->dict_pages};
    }
    if (c->plain_pages) m->encoding_stats[m->encoding_stats_count++] = (struct pq_encoding_stats){PQ_DATA_PAGE, PQ_PLAIN, c->plain_pages};
    m->path[0] = slice_str(c->name);
    m->path_count = 1;
    m->has_statistics = true;
    if (c->form.phys == PQ_BYTE_ARRAY) m->var_bytes = (int64_t)c->var_bytes;
    return frz__pq_wcolumn_statistics(c, &w->ar, &m->statistics, err);
}

/* Ends C's chunk: its bytes to the sink, what the footer and the indexes say of it to M. */
static int end_chunk(struct pq_writer *w, struct pq_wcolumn *c, struct group *g, size_t i, frz_error *err)
{
    struct pq_chunk *m = &g->meta.chunks[i];
    TRY(frz__pq_wcolumn_end_chunk(c, &w->env, &w->dict_page, err));
    TRY(chunk_meta(w, c, m, err));
    uint64_t start = w->offset;
    if (w->dict_page.len) m->dictionary_page_offset = (int64_t)start;
    TRY(put(w, buf_slice(&w->dict_page), err));
    m->data_page_offset = (int64_t)w->offset;
    size_t columns = w->column_index.len, offsets = w->offset_index.len;
    TRY(frz__pq_column_index_encode(c, &w->column_index, err));
    TRY(frz__pq_offset_index_encode(c, w->offset, &w->offset_index, err));
    g->column_index_bytes[i] = w->column_index.len - columns;
    g->offset_index_bytes[i] = w->offset_index.len - offsets;
    TRY(frz__pq_spill_copy(&w->spiller, c, &w->env.packed, &(struct pq_sink){w, put_spilled}, err));
    TRY(put(w, buf_slice(&c->data), err));
    m->uncompressed_bytes = (int64_t)c->uncompressed_bytes;
    m->compressed_bytes = (int64_t)(w->offset - start);
    g->meta.total_bytes += m->uncompressed_bytes;
    g->meta.compressed_bytes += m->compressed_bytes;
    return frz__pq_wcolumn_next_chunk(c, w->offset - start, err);
}

static int end_group(struct pq_writer *w, frz_error *err)
{
    if (w->group_rows == 0) return FRZ_OK;
    TRY(frz__grow(w->a, (void **)&w->groups, w->group_count, &w->group_cap, sizeof *w->groups, err));
    struct group *g = &w->groups[w->group_count];
    *g = (struct group){.meta = {.chunk_count = w->count, .sorting_count = w->sort_count, .sorting = w->sorting, .rows = (int64_t)w->group_rows, .file_offset = (int64_t)w->offset,
                                 .ordinal = w->group_count <= INT16_MAX ? (int32_t)w->group_count : -1}};
    g->meta.chunks = (struct pq_chunk *)arena_alloc(&w->ar, w->count * sizeof *g->meta.chunks, 8);
    g->column_index_bytes = (size_t *)arena_alloc(&w->ar, w->count * sizeof(size_t), 8);
    g->offset_index_bytes = (size_t *)arena_alloc(&w->ar, w->count * sizeof(size_t), 8);
    if (!g->meta.chunks || !g->column_index_bytes || !g->offset_index_bytes) return frz__err_no_memory(err, w->count * sizeof *g->meta.chunks);
    for (size_t i = 0; i < w->count; i++) TRY(end_chunk(w, &w->cols[i], g, i, err));
    w->spiller.end = 0;
    w->group_count++;
    w->group_rows = 0;
    return FRZ_OK;
}

static int index_place(uint64_t *at, size_t bytes, int64_t *offset, int32_t *length, frz_error *err)
{
    if (bytes == 0) return FRZ_OK;
    if (bytes > INT32_MAX) return frz__err(err, FRZ_TOO_LARGE, "a page index of %zu bytes: no more than %d are possible", bytes, INT32_MAX);
    *offset = (int64_t)*at;
    *length = (int32_t)bytes;
    *at += bytes;
    return FRZ_OK;
}

static int end_rows(struct pq_writer *w, frz_error *err)
{
    if (w->undecided) TRY(decide(w, true, err));
    TRY(end_group(w, err));
    uint64_t columns = w->offset, offsets = w->offset + w->column_index.len;
    for (size_t g = 0; g < w->group_count; g++) {
        for (size_t i = 0; i < w->count; i++) {
            struct pq_chunk *m = &w->groups[g].meta.chunks[i];
            TRY(index_place(&columns, w->groups[g].column_index_bytes[i], &m->column_index_offset, &m->column_index_bytes, err));
            TRY(index_place(&offsets, w->groups[g].offset_index_bytes[i], &m->offset_index_offset, &m->offset_index_bytes, err));
        }
    }
    TRY(put(w, buf_slice(&w->column_index), err));
    TRY(put(w, buf_slice(&w->offset_index), err));
    for (size_t i = 0; i < w->count; i++) TRY(frz__pq_wcolumn_finish_stats(&w->cols[i], err));
    w->state = WRITER_ENDED;
    return FRZ_OK;
}

int frz__pq_writer_end_rows(struct pq_writer *w, frz_error *err)
{
    TRY(need_state(w, WRITER_ROWS, "end of rows", err));
    return fail(w, end_rows(w, err));
}

/* ── footer ── */

int frz__pq_writer_raw(struct pq_writer *w, slice bytes, uint64_t *offset, frz_error *err)
{
    TRY(need_state(w, WRITER_ENDED, "private bytes", err));
    *offset = w->offset;
    return fail(w, put(w, bytes, err));
}

int frz__pq_writer_kv(struct pq_writer *w, const char *key, const char *value, frz_error *err)
{
    TRY(need_state(w, WRITER_ENDED, "footer metadata", err));
    TRY(frz__grow(w->a, (void **)&w->kvs, w->kv_count, &w->kv_cap, sizeof *w->kvs, err));
    const char *k = keep_str(w, key), *v = keep_str(w, value);
    if (!k || !v) return frz__err_no_memory(err, strlen(key) + strlen(value));
    w->kvs[w->kv_count++] = (struct pq_kv){slice_str(k), slice_str(v)};
    return FRZ_OK;
}

static int footer(struct pq_writer *w, struct buf *out, frz_error *err)
{
    struct pq_footer f = {.version = 1, .group_count = w->group_count, .kv_count = w->kv_count, .order_count = w->count, .rows = (int64_t)w->rows,
                          .kvs = w->kvs, .created_by = slice_str(w->created_by)};
    size_t groups = w->group_count ? w->group_count : 1;
    struct pq_wcol *specs = (struct pq_wcol *)arena_alloc(&w->ar, w->count * sizeof *specs, 8);
    f.orders = (uint8_t *)arena_alloc(&w->ar, w->count, 1);
    f.groups = (struct pq_group *)arena_alloc(&w->ar, groups * sizeof *f.groups, 8);
    if (!specs || !f.orders || !f.groups) return frz__err_no_memory(err, w->count * sizeof *specs);
    for (size_t i = 0; i < w->count; i++)
        specs[i] = (struct pq_wcol){.name = w->cols[i].name, .field_id = w->cols[i].field_id, .type = w->cols[i].type, .required = w->cols[i].required};
    TRY(frz__pq_schema_write(&w->ar, specs, w->count, &f.elems, &f.elem_count, err));
    for (size_t i = 0; i < w->group_count; i++) f.groups[i] = w->groups[i].meta;
    memset(f.orders, PQ_ORDER_TYPE, w->count);
    TRY(frz__pq_footer_print(&f, out, err));
    if (out->len > INT32_MAX) return frz__err(err, FRZ_TOO_LARGE, "a footer of %zu bytes: no more than %d are possible", out->len, INT32_MAX);
    TRY(buf_append_u32(out, (uint32_t)out->len, err));
    return buf_append(out, magic, sizeof magic, err);
}

int frz__pq_writer_finish(struct pq_writer *w, uint64_t *file_bytes, frz_error *err)
{
    TRY(need_state(w, WRITER_ENDED, "finish", err));
    struct buf b = BUF_INIT(w->a, 0);
    int rc = FRZ_OK;
    CHECK(footer(w, &b, err));
    CHECK(put(w, buf_slice(&b), err));
    w->state = WRITER_FINISHED;
    *file_bytes = w->offset;
done:
    buf_clear(&b);
    return fail(w, rc);
}

/* ── what it knows ── */

uint64_t frz__pq_writer_bytes(const struct pq_writer *w) { return w->offset + held(w); }
uint64_t frz__pq_writer_bytes_packed(const struct pq_writer *w)
{
    uint64_t bytes = w->offset;
    for (size_t i = 0; i < w->count; i++) bytes += w->cols[i].spilled_bytes + w->cols[i].data.len;
    return bytes;
}
uint64_t frz__pq_writer_rows(const struct pq_writer *w) { return w->rows; }
size_t frz__pq_writer_group_count(const struct pq_writer *w) { return w->group_count; }
uint64_t frz__pq_writer_group_offset(const struct pq_writer *w, size_t group) { return (uint64_t)w->groups[group].meta.file_offset; }
uint64_t frz__pq_writer_group_rows(const struct pq_writer *w, size_t group) { return (uint64_t)w->groups[group].meta.rows; }
uint8_t frz__pq_writer_page_rows_log2(const struct pq_writer *w, size_t column) { return w->cols[column].k; }
const struct pq_colstats *frz__pq_writer_stats(struct pq_writer *w, size_t column) { return &w->cols[column].out; }
