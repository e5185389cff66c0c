#include "parquet/pq_meta_int.h"

/* Least bytes that one of each takes in Thrift: bounds what a count can make us allocate. */
#define ELEM_BYTES_MIN 3
#define CHUNK_BYTES_MIN 8
#define GROUP_BYTES_MIN 7

void *frz__pq_meta_array(struct thrift_r *r, struct arena *ar, size_t count, size_t bytes)
{
    if (r->rc < 0 || count == 0) return NULL;
    void *p = count > SIZE_MAX / bytes ? NULL : arena_alloc(ar, count * bytes, 8);
    if (!p) {
        r->rc = frz__err_no_memory(r->err, count * bytes);
        r->end = r->p;
        return NULL;
    }
    memset(p, 0, count * bytes);
    return p;
}

int64_t *frz__pq_meta_i64s(struct thrift_r *r, struct arena *ar, struct thrift_field f, size_t *count)
{
    size_t n = *count = frz__tr_list(r, f, TT_I64, 1);
    int64_t *v = (int64_t *)frz__pq_meta_array(r, ar, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++) v[i] = frz__tr_elem_int(r);
    return v;
}
static int32_t *r_i32_list(struct thrift_r *r, struct arena *ar, struct thrift_field f, size_t *count)
{
    size_t n = *count = frz__tr_list(r, f, TT_I32, 1);
    int32_t *v = (int32_t *)frz__pq_meta_array(r, ar, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++) v[i] = (int32_t)frz__tr_elem_int(r);
    return v;
}
slice *frz__pq_meta_bins(struct thrift_r *r, struct arena *ar, struct thrift_field f, size_t *count)
{
    size_t n = *count = frz__tr_list(r, f, TT_BINARY, 1);
    slice *v = (slice *)frz__pq_meta_array(r, ar, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++) v[i] = frz__tr_elem_bin(r);
    return v;
}
int64_t frz__pq_meta_size(struct thrift_r *r, struct thrift_field f, const char *name)
{
    int64_t v = frz__tr_int(r, f);
    if (v < 0) frz__tr_fail(r, "%s is %" PRId64, name, v);
    return v;
}
int32_t frz__pq_meta_size32(struct thrift_r *r, struct thrift_field f, const char *name)
{
    int32_t v = frz__tr_i32(r, f);
    if (v < 0) frz__tr_fail(r, "%s is %" PRId32, name, v);
    return v;
}
void frz__pq_meta_need(struct thrift_r *r, uint32_t seen, uint32_t need, const char *name)
{
    if (r->rc >= 0 && (seen & need) != need) frz__tr_fail(r, "%s without its field %d", name, __builtin_ctz(need & ~seen));
}

/* ── LogicalType, SchemaElement ── */

static int read_unit(struct thrift_r *r, struct thrift_field f)
{
    int unit = 0;
    struct thrift_field g;
    if (f.type != TT_STRUCT) {
        frz__tr_skip(r, f);
        return 0;
    }
    frz__tr_begin(r);
    while (frz__tr_next(r, &g)) {
        if (g.id >= PQ_MILLIS && g.id <= PQ_NANOS) unit = g.id;
        frz__tr_skip(r, g);
    }
    return unit;
}

static void read_logical_body(struct thrift_r *r, struct pq_logical *l)
{
    struct thrift_field f;
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        if (l->id == PQ_LT_DECIMAL && f.id == 1) l->scale = frz__tr_i32(r, f);
        else if (l->id == PQ_LT_DECIMAL && f.id == 2) l->precision = frz__tr_i32(r, f);
        else if ((l->id == PQ_LT_TIME || l->id == PQ_LT_TIMESTAMP) && f.id == 1) l->utc = frz__tr_bool(r, f);
        else if ((l->id == PQ_LT_TIME || l->id == PQ_LT_TIMESTAMP) && f.id == 2) l->unit = read_unit(r, f);
        else if (l->id == PQ_LT_INTEGER && f.id == 1) l->bits = frz__tr_i32(r, f);
        else if (l->id == PQ_LT_INTEGER && f.id == 2) l->is_signed = frz__tr_bool(r, f);
        else frz__tr_skip(r, f);
    }
}

static void read_logical(struct thrift_r *r, struct thrift_field f, struct pq_logical *l)
{
    struct thrift_field g;
    if (f.type != TT_STRUCT) {
        frz__tr_fail(r, "a logical type that is no union");
        return;
    }
    frz__tr_begin(r);
    while (frz__tr_next(r, &g)) {
        if (g.type == TT_STRUCT) {
            l->id = g.id;
            read_logical_body(r, l);
        } else {
            frz__tr_skip(r, g);
        }
    }
}

static void read_elem(struct thrift_r *r, struct pq_elem *e)
{
    struct thrift_field f;
    uint32_t seen = 0;
    *e = (struct pq_elem){.type = -1, .type_length = -1, .repetition = -1, .children = -1, .converted = -1, .scale = -1, .precision = -1};
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: e->type = frz__tr_i32(r, f); break;
        case 2: e->type_length = frz__pq_meta_size32(r, f, "type_length"); break;
        case 3: e->repetition = frz__tr_i32(r, f); break;
        case 4: e->name = frz__tr_bin(r, f); break;
        case 5: e->children = frz__pq_meta_size32(r, f, "num_children"); break;
        case 6: e->converted = frz__tr_i32(r, f); break;
        case 7: e->scale = frz__tr_i32(r, f); break;
        case 8: e->precision = frz__tr_i32(r, f); break;
        case 9: e->has_field_id = true, e->field_id = frz__tr_i32(r, f); break;
        case 10: read_logical(r, f, &e->logical); break;
        default: frz__tr_skip(r, f);
        }
    }
    frz__pq_meta_need(r, seen, 1u << 4, "schema element");
}

static void print_logical(struct thrift_w *w, const struct pq_logical *l)
{
    frz__tw_struct(w, 10);
    frz__tw_struct(w, l->id);
    switch (l->id) {
    case PQ_LT_DECIMAL:
        frz__tw_i32(w, 1, l->scale);
        frz__tw_i32(w, 2, l->precision);
        break;
    case PQ_LT_TIME:
    case PQ_LT_TIMESTAMP:
        frz__tw_bool(w, 1, l->utc);
        frz__tw_struct(w, 2);
        frz__tw_empty(w, l->unit);
        frz__tw_end(w);
        break;
    case PQ_LT_INTEGER:
        frz__tw_i8(w, 1, (int8_t)l->bits);
        frz__tw_bool(w, 2, l->is_signed);
        break;
    default: break;
    }
    frz__tw_end(w);
    frz__tw_end(w);
}

static void print_elem(struct thrift_w *w, const struct pq_elem *e)
{
    frz__tw_begin(w);
    if (e->type >= 0) frz__tw_i32(w, 1, e->type);
    if (e->type_length >= 0) frz__tw_i32(w, 2, e->type_length);
    if (e->repetition >= 0) frz__tw_i32(w, 3, e->repetition);
    frz__tw_bin(w, 4, e->name);
    if (e->children >= 0) frz__tw_i32(w, 5, e->children);
    if (e->converted >= 0) frz__tw_i32(w, 6, e->converted);
    if (e->scale >= 0) frz__tw_i32(w, 7, e->scale);
    if (e->precision >= 0) frz__tw_i32(w, 8, e->precision);
    if (e->has_field_id) frz__tw_i32(w, 9, e->field_id);
    if (e->logical.id) print_logical(w, &e->logical);
    frz__tw_end(w);
}

/* ── Statistics ── */

void frz__pq_meta_read_statistics(struct thrift_r *r, struct thrift_field sf, struct pq_statistics *s)
{
    struct thrift_field f;
    *s = PQ_STATISTICS_NONE;
    if (sf.type != TT_STRUCT) {
        frz__tr_fail(r, "statistics that are no struct");
        return;
    }
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        switch (f.id) {
        case 1: s->max_old = frz__tr_bin(r, f); break;
        case 2: s->min_old = frz__tr_bin(r, f); break;
        case 3: s->nulls = frz__tr_int(r, f); break;
        case 4: s->distinct = frz__tr_int(r, f); break;
        case 5: s->max = frz__tr_bin(r, f); break;
        case 6: s->min = frz__tr_bin(r, f); break;
        case 7: s->max_exact = frz__tr_bool(r, f) ? 1 : 0; break;
        case 8: s->min_exact = frz__tr_bool(r, f) ? 1 : 0; break;
        case 9: s->nans = frz__tr_int(r, f); break;
        default: frz__tr_skip(r, f);
        }
    }
}

void frz__pq_meta_print_statistics(struct thrift_w *w, int id, const struct pq_statistics *s)
{
    frz__tw_struct(w, id);
    if (s->max_old.data) frz__tw_bin(w, 1, s->max_old);
    if (s->min_old.data) frz__tw_bin(w, 2, s->min_old);
    if (s->nulls >= 0) frz__tw_i64(w, 3, s->nulls);
    if (s->distinct >= 0) frz__tw_i64(w, 4, s->distinct);
    if (s->max.data) frz__tw_bin(w, 5, s->max);
    if (s->min.data) frz__tw_bin(w, 6, s->min);
    if (s->max_exact >= 0) frz__tw_bool(w, 7, s->max_exact);
    if (s->min_exact >= 0) frz__tw_bool(w, 8, s->min_exact);
    if (s->nans >= 0) frz__tw_i64(w, 9, s->nans);
    frz__tw_end(w);
}

/* ── KeyValue ── */

static struct pq_kv *read_kvs(struct thrift_r *r, struct arena *ar, struct thrift_field lf, size_t *count)
{
    size_t n = *count = frz__tr_list(r, lf, TT_STRUCT, 3);
    struct pq_kv *kvs = (struct pq_kv *)frz__pq_meta_array(r, ar, n, sizeof *kvs);
    for (size_t i = 0; kvs && i < n; i++) {
        struct thrift_field f;
        uint32_t seen = 0;
        frz__tr_begin(r);
        while (frz__tr_next(r, &f)) {
            seen |= seen_bit(f.id);
            if (f.id == 1) kvs[i].key = frz__tr_bin(r, f);
            else if (f.id == 2) kvs[i].value = frz__tr_bin(r, f);
            else frz__tr_skip(r, f);
        }
        frz__pq_meta_need(r, seen, 1u << 1, "key-value metadata");
    }
    return kvs;
}

static void print_kvs(struct thrift_w *w, int id, const struct pq_kv *kvs, size_t count)
{
    if (count == 0) return;
    frz__tw_list(w, id, TT_STRUCT, count);
    for (size_t i = 0; i < count; i++) {
        frz__tw_begin(w);
        frz__tw_bin(w, 1, kvs[i].key);
        if (kvs[i].value.data) frz__tw_bin(w, 2, kvs[i].value);
        frz__tw_end(w);
    }
}

/* ── ColumnChunk ── */

static void read_encoding_stats(struct thrift_r *r, struct arena *ar, struct thrift_field lf, struct pq_chunk *c)
{
    size_t n = c->encoding_stats_count = frz__tr_list(r, lf, TT_STRUCT, 1);
    struct pq_encoding_stats *s = c->encoding_stats = (struct pq_encoding_stats *)frz__pq_meta_array(r, ar, n, sizeof *s);
    for (size_t i = 0; s && i < n; i++) {
        struct thrift_field f;
        frz__tr_begin(r);
        while (frz__tr_next(r, &f)) {
            switch (f.id) {
            case 1: s[i].page_type = frz__tr_i32(r, f); break;
            case 2: s[i].encoding = frz__tr_i32(r, f); break;
            case 3: s[i].count = frz__tr_i32(r, f); break;
            default: frz__tr_skip(r, f);
            }
        }
    }
}

static void read_size_statistics(struct thrift_r *r, struct thrift_field sf, struct pq_chunk *c)
{
    struct thrift_field f;
    if (sf.type != TT_STRUCT) {
        frz__tr_skip(r, sf);
        return;
    }
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        if (f.id == 1) c->var_bytes = frz__tr_int(r, f);
        else frz__tr_skip(r, f);
    }
}

/* Numbers that were something else in writers of drafts. */
static void read_optional_int(struct thrift_r *r, struct thrift_field f, int64_t *out)
{
    if (f.type >= TT_I8 && f.type <= TT_I64) *out = frz__tr_int(r, f);
    else frz__tr_skip(r, f);
}

static void read_chunk_meta(struct thrift_r *r, struct arena *ar, struct pq_chunk *c)
{
    struct thrift_field f;
    uint32_t seen = 0;
    int64_t bloom_bytes = -1;
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: c->type = frz__tr_i32(r, f); break;
        case 2: c->encodings = r_i32_list(r, ar, f, &c->encoding_count); break;
        case 3: c->path = frz__pq_meta_bins(r, ar, f, &c->path_count); break;
        case 4: c->codec = frz__tr_i32(r, f); break;
        case 5: c->values = frz__pq_meta_size(r, f, "num_values"); break;
        case 6: c->uncompressed_bytes = frz__pq_meta_size(r, f, "total_uncompressed_size"); break;
        case 7: c->compressed_bytes = frz__pq_meta_size(r, f, "total_compressed_size"); break;
        case 8: c->kvs = read_kvs(r, ar, f, &c->kv_count); break;
        case 9: c->data_page_offset = frz__pq_meta_size(r, f, "data_page_offset"); break;
        case 10: c->index_page_offset = frz__tr_int(r, f); break;
        case 11: c->dictionary_page_offset = frz__tr_int(r, f); break;
        case 12:
            frz__pq_meta_read_statistics(r, f, &c->statistics);
            c->has_statistics = true;
            break;
        case 13: read_encoding_stats(r, ar, f, c); break;
        case 14: read_optional_int(r, f, &c->bloom_offset); break;
        case 15: read_optional_int(r, f, &bloom_bytes); break;
        case 16: read_size_statistics(r, f, c); break;
        default: frz__tr_skip(r, f);
        }
    }
    frz__pq_meta_need(r, seen, 1u << 1 | 1u << 4 | 1u << 5 | 1u << 7 | 1u << 9, "column metadata");
    if (bloom_bytes >= 0 && bloom_bytes <= INT32_MAX) c->bloom_bytes = (int32_t)bloom_bytes;
    c->has_meta = true;
}

static void read_chunk(struct thrift_r *r, struct arena *ar, struct pq_chunk *c)
{
    struct thrift_field f;
    *c = PQ_CHUNK_NONE;
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        switch (f.id) {
        case 1: c->file_path = frz__tr_bin(r, f); break;
        case 2: c->file_offset = frz__tr_int(r, f); break;
        case 3:
            if (f.type == TT_STRUCT) read_chunk_meta(r, ar, c);
            else frz__tr_fail(r, "column metadata that is no struct");
            break;
        case 4: c->offset_index_offset = frz__tr_int(r, f); break;
        case 5: c->offset_index_bytes = frz__tr_i32(r, f); break;
        case 6: c->column_index_offset = frz__tr_int(r, f); break;
        case 7: c->column_index_bytes = frz__tr_i32(r, f); break;
        case 8:
            c->encrypted = true;
            frz__tr_skip(r, f);
            break;
        default: frz__tr_skip(r, f);
        }
    }
}

static void print_chunk_meta(struct thrift_w *w, const struct pq_chunk *c)
{
    frz__tw_struct(w, 3);
    frz__tw_i32(w, 1, c->type);
    frz__tw_list(w, 2, TT_I32, c->encoding_count);
    for (size_t i = 0; i < c->encoding_count; i++) frz__tw_elem_int(w, c->encodings[i]);
    frz__tw_list(w, 3, TT_BINARY, c->path_count);
    for (size_t i = 0; i < c->path_count; i++) frz__tw_elem_bin(w, c->path[i]);
    frz__tw_i32(w, 4, c->codec);
    frz__tw_i64(w, 5, c->values);
    frz__tw_i64(w, 6, c->uncompressed_bytes);
    frz__tw_i64(w, 7, c->compressed_bytes);
    print_kvs(w, 8, c->kvs, c->kv_count);
    frz__tw_i64(w, 9, c->data_page_offset);
    if (c->index_page_offset >= 0) frz__tw_i64(w, 10, c->index_page_offset);
    if (c->dictionary_page_offset >= 0) frz__tw_i64(w, 11, c->dictionary_page_offset);
    if (c->has_statistics) frz__pq_meta_print_statistics(w, 12, &c->statistics);
    if (c->encoding_stats_count) {
        frz__tw_list(w, 13, TT_STRUCT, c->encoding_stats_count);
        for (size_t i = 0; i < c->encoding_stats_count; i++) {
            frz__tw_begin(w);
            frz__tw_i32(w, 1, c->encoding_stats[i].page_type);
            frz__tw_i32(w, 2, c->encoding_stats[i].encoding);
            frz__tw_i32(w, 3, c->encoding_stats[i].count);
            frz__tw_end(w);
        }
    }
    if (c->bloom_offset >= 0) frz__tw_i64(w, 14, c->bloom_offset);
    if (c->bloom_bytes >= 0) frz__tw_i32(w, 15, c->bloom_bytes);
    if (c->var_bytes >= 0) {
        frz__tw_struct(w, 16);
        frz__tw_i64(w, 1, c->var_bytes);
        frz__tw_end(w);
    }
    frz__tw_end(w);
}

static void print_chunk(struct thrift_w *w, const struct pq_chunk *c)
{
    frz__tw_begin(w);
    if (c->file_path.data) frz__tw_bin(w, 1, c->file_path);
    frz__tw_i64(w, 2, c->file_offset);
    if (c->has_meta) print_chunk_meta(w, c);
    if (c->offset_index_offset >= 0) frz__tw_i64(w, 4, c->offset_index_offset);
    if (c->offset_index_bytes >= 0) frz__tw_i32(w, 5, c->offset_index_bytes);
    if (c->column_index_offset >= 0) frz__tw_i64(w, 6, c->column_index_offset);
    if (c->column_index_bytes >= 0) frz__tw_i32(w, 7, c->column_index_bytes);
    frz__tw_end(w);
}

/* ── RowGroup ── */

static void read_sorting(struct thrift_r *r, struct arena *ar, struct thrift_field lf, struct pq_group *g)
{
    size_t n = g->sorting_count = frz__tr_list(r, lf, TT_STRUCT, 1);
    struct pq_sorting *s = g->sorting = (struct pq_sorting *)frz__pq_meta_array(r, ar, n, sizeof *s);
    for (size_t i = 0; s && i < n; i++) {
        struct thrift_field f;
        frz__tr_begin(r);
        while (frz__tr_next(r, &f)) {
            switch (f.id) {
            case 1: s[i].column = frz__tr_i32(r, f); break;
            case 2: s[i].descending = frz__tr_bool(r, f); break;
            case 3: s[i].nulls_first = frz__tr_bool(r, f); break;
            default: frz__tr_skip(r, f);
            }
        }
    }
}

static void read_group(struct thrift_r *r, struct arena *ar, struct pq_group *g)
{
    struct thrift_field f;
    uint32_t seen = 0;
    *g = (struct pq_group){.file_offset = -1, .compressed_bytes = -1, .ordinal = -1};
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1:
            g->chunk_count = frz__tr_list(r, f, TT_STRUCT, CHUNK_BYTES_MIN);
            g->chunks = (struct pq_chunk *)frz__pq_meta_array(r, ar, g->chunk_count, sizeof *g->chunks);
            for (size_t i = 0; g->chunks && i < g->chunk_count && r->rc >= 0; i++) read_chunk(r, ar, &g->chunks[i]);
            break;
        case 2: g->total_bytes = frz__tr_int(r, f); break;
        case 3: g->rows = frz__pq_meta_size(r, f, "num_rows of a row group"); break;
        case 4: read_sorting(r, ar, f, g); break;
        case 5: g->file_offset = frz__tr_int(r, f); break;
        case 6: g->compressed_bytes = frz__tr_int(r, f); break;
        case 7: g->ordinal = frz__tr_i32(r, f); break;
        default: frz__tr_skip(r, f);
        }
    }
    frz__pq_meta_need(r, seen, 1u << 1 | 1u << 3, "row group");
}

static void print_group(struct thrift_w *w, const struct pq_group *g)
{
    frz__tw_begin(w);
    frz__tw_list(w, 1, TT_STRUCT, g->chunk_count);
    for (size_t i = 0; i < g->chunk_count; i++) print_chunk(w, &g->chunks[i]);
    frz__tw_i64(w, 2, g->total_bytes);
    frz__tw_i64(w, 3, g->rows);
    if (g->sorting_count) {
        frz__tw_list(w, 4, TT_STRUCT, g->sorting_count);
        for (size_t i = 0; i < g->sorting_count; i++) {
            frz__tw_begin(w);
            frz__tw_i32(w, 1, g->sorting[i].column);
            frz__tw_bool(w, 2, g->sorting[i].descending);
            frz__tw_bool(w, 3, g->sorting[i].nulls_first);
            frz__tw_end(w);
        }
    }
    if (g->file_offset >= 0) frz__tw_i64(w, 5, g->file_offset);
    if (g->compressed_bytes >= 0) frz__tw_i64(w, 6, g->compressed_bytes);
    if (g->ordinal >= 0) frz__tw_i16(w, 7, (int16_t)g->ordinal);
    frz__tw_end(w);
}

/* ── FileMetaData ── */

static void read_orders(struct thrift_r *r, struct arena *ar, struct thrift_field lf, struct pq_footer *out)
{
    size_t n = out->order_count = frz__tr_list(r, lf, TT_STRUCT, 1);
    out->orders = (uint8_t *)frz__pq_meta_array(r, ar, n, 1);
    for (size_t i = 0; out->orders && i < n; i++) {
        struct thrift_field f;
        frz__tr_begin(r);
        while (frz__tr_next(r, &f)) {
            if (f.id >= PQ_ORDER_TYPE && f.id <= PQ_ORDER_INT96) out->orders[i] = (uint8_t)f.id;
            frz__tr_skip(r, f);
        }
    }
}

static void read_footer(struct thrift_r *r, struct arena *ar, struct pq_footer *out)
{
    struct thrift_field f;
    uint32_t seen = 0;
    *out = (struct pq_footer){0};
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: out->version = frz__tr_i32(r, f); break;
        case 2:
            out->elem_count = frz__tr_list(r, f, TT_STRUCT, ELEM_BYTES_MIN);
            out->elems = (struct pq_elem *)frz__pq_meta_array(r, ar, out->elem_count, sizeof *out->elems);
            for (size_t i = 0; out->elems && i < out->elem_count && r->rc >= 0; i++) read_elem(r, &out->elems[i]);
            break;
        case 3: out->rows = frz__pq_meta_size(r, f, "num_rows"); break;
        case 4:
            out->group_count = frz__tr_list(r, f, TT_STRUCT, GROUP_BYTES_MIN);
            out->groups = (struct pq_group *)frz__pq_meta_array(r, ar, out->group_count, sizeof *out->groups);
            for (size_t i = 0; out->groups && i < out->group_count && r->rc >= 0; i++) read_group(r, ar, &out->groups[i]);
            break;
        case 5: out->kvs = read_kvs(r, ar, f, &out->kv_count); break;
        case 6: out->created_by = frz__tr_bin(r, f); break;
        case 7: read_orders(r, ar, f, out); break;
        case 8:
            out->encrypted = true;
            frz__tr_skip(r, f);
            break;
        default: frz__tr_skip(r, f);
        }
    }
    frz__pq_meta_need(r, seen, 1u << 2 | 1u << 3 | 1u << 4, "footer");
}

int frz__pq_footer_parse(struct arena *ar, slice bytes, struct pq_footer *out, frz_error *err)
{
    struct thrift_r r = THRIFT_R_INIT(bytes, "footer", err);
    read_footer(&r, ar, out);
    return frz__tr_done(&r);
}

int frz__pq_footer_print(const struct pq_footer *f, struct buf *out, frz_error *err)
{
    struct thrift_w w = THRIFT_W_INIT(out, err);
    frz__tw_begin(&w);
    frz__tw_i32(&w, 1, f->version);
    frz__tw_list(&w, 2, TT_STRUCT, f->elem_count);
    for (size_t i = 0; i < f->elem_count; i++) print_elem(&w, &f->elems[i]);
    frz__tw_i64(&w, 3, f->rows);
    frz__tw_list(&w, 4, TT_STRUCT, f->group_count);
    for (size_t i = 0; i < f->group_count; i++) print_group(&w, &f->groups[i]);
    print_kvs(&w, 5, f->kvs, f->kv_count);
    if (f->created_by.data) frz__tw_bin(&w, 6, f->created_by);
    if (f->order_count) {
        frz__tw_list(&w, 7, TT_STRUCT, f->order_count);
        for (size_t i = 0; i < f->order_count; i++) {
            frz__tw_begin(&w);
            if (f->orders[i]) frz__tw_empty(&w, f->orders[i]);
            frz__tw_end(&w);
        }
    }
    frz__tw_end(&w);
    return frz__tw_done(&w);
}
