#include "parquet/pq_meta.h"

/* Least bytes that one of each takes in Thrift: bounds what a count can make us allocate. */
#define ELEM_BYTES_MIN 3
#define CHUNK_BYTES_MIN 8
#define GROUP_BYTES_MIN 7

static void *r_array(struct thrift_r *r, struct arena *ar, size_t count, size_t bytes)
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

static int64_t *r_i64_list(struct thrift_r *r, struct arena *ar, struct thrift_field f, size_t *count)
{
    size_t n = *count = frz__tr_list(r, f, TT_I64, 1);
    int64_t *v = (int64_t *)r_array(r, ar, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++) v[i] = frz__tr_elem_int(r);
    return v;
}
static int32_t *r_i32_list(struct thrift_r *r, struct arena *ar, struct thrift_field f, size_t *count)
{
    size_t n = *count = frz__tr_list(r, f, TT_I32, 1);
    int32_t *v = (int32_t *)r_array(r, ar, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++) v[i] = (int32_t)frz__tr_elem_int(r);
    return v;
}
static slice *r_bin_list(struct thrift_r *r, struct arena *ar, struct thrift_field f, size_t *count)
{
    size_t n = *count = frz__tr_list(r, f, TT_BINARY, 1);
    slice *v = (slice *)r_array(r, ar, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++) v[i] = frz__tr_elem_bin(r);
    return v;
}
static int64_t r_size(struct thrift_r *r, struct thrift_field f, const char *name)
{
    int64_t v = frz__tr_int(r, f);
    if (v < 0) frz__tr_fail(r, "%s is %" PRId64, name, v);
    return v;
}
static int32_t r_size32(struct thrift_r *r, struct thrift_field f, const char *name)
{
    int32_t v = frz__tr_i32(r, f);
    if (v < 0) frz__tr_fail(r, "%s is %" PRId32, name, v);
    return v;
}
/* Fields that must have been seen: bits of SEEN. */
static void r_need(struct thrift_r *r, uint32_t seen, uint32_t need, const char *name)
{
    if (r->rc >= 0 && (seen & need) != need) frz__tr_fail(r, "%s without its field %d", name, __builtin_ctz(need & ~seen));
}
static uint32_t seen_bit(int id) { return id >= 0 && id < 32 ? 1u << id : 0; }

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
        case 2: e->type_length = r_size32(r, f, "type_length"); break;
        case 3: e->repetition = frz__tr_i32(r, f); break;
        case 4: e->name = frz__tr_bin(r, f); break;
        case 5: e->children = r_size32(r, f, "num_children"); break;
        case 6: e->converted = frz__tr_i32(r, f); break;
        case 7: e->scale = frz__tr_i32(r, f); break;
        case 8: e->precision = frz__tr_i32(r, f); break;
        case 9: e->has_field_id = true, e->field_id = frz__tr_i32(r, f); break;
        case 10: read_logical(r, f, &e->logical); break;
        default: frz__tr_skip(r, f);
        }
    }
    r_need(r, seen, 1u << 4, "schema element");
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

static void read_statistics(struct thrift_r *r, struct thrift_field sf, struct pq_statistics *s)
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
        case 7: s->max_exact = frz__tr_bool(r, f); break;
        case 8: s->min_exact = frz__tr_bool(r, f); break;
        case 9: s->nans = frz__tr_int(r, f); break;
        default: frz__tr_skip(r, f);
        }
    }
}

static void print_statistics(struct thrift_w *w, int id, const struct pq_statistics *s)
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
    struct pq_kv *kvs = (struct pq_kv *)r_array(r, ar, n, sizeof *kvs);
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
        r_need(r, seen, 1u << 1, "key-value metadata");
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
    struct pq_encoding_stats *s = c->encoding_stats = (struct pq_encoding_stats *)r_array(r, ar, n, sizeof *s);
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
        case 3: c->path = r_bin_list(r, ar, f, &c->path_count); break;
        case 4: c->codec = frz__tr_i32(r, f); break;
        case 5: c->values = r_size(r, f, "num_values"); break;
        case 6: c->uncompressed_bytes = r_size(r, f, "total_uncompressed_size"); break;
        case 7: c->compressed_bytes = r_size(r, f, "total_compressed_size"); break;
        case 8: c->kvs = read_kvs(r, ar, f, &c->kv_count); break;
        case 9: c->data_page_offset = r_size(r, f, "data_page_offset"); break;
        case 10: c->index_page_offset = frz__tr_int(r, f); break;
        case 11: c->dictionary_page_offset = frz__tr_int(r, f); break;
        case 12:
            read_statistics(r, f, &c->statistics);
            c->has_statistics = true;
            break;
        case 13: read_encoding_stats(r, ar, f, c); break;
        case 14: read_optional_int(r, f, &c->bloom_offset); break;
        case 15: read_optional_int(r, f, &bloom_bytes); break;
        case 16: read_size_statistics(r, f, c); break;
        default: frz__tr_skip(r, f);
        }
    }
    r_need(r, seen, 1u << 1 | 1u << 4 | 1u << 5 | 1u << 7 | 1u << 9, "column metadata");
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
    if (c->has_statistics) print_statistics(w, 12, &c->statistics);
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
    struct pq_sorting *s = g->sorting = (struct pq_sorting *)r_array(r, ar, n, sizeof *s);
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
            g->chunks = (struct pq_chunk *)r_array(r, ar, g->chunk_count, sizeof *g->chunks);
            for (size_t i = 0; g->chunks && i < g->chunk_count && r->rc >= 0; i++) read_chunk(r, ar, &g->chunks[i]);
            break;
        case 2: g->total_bytes = frz__tr_int(r, f); break;
        case 3: g->rows = r_size(r, f, "num_rows of a row group"); break;
        case 4: read_sorting(r, ar, f, g); break;
        case 5: g->file_offset = frz__tr_int(r, f); break;
        case 6: g->compressed_bytes = frz__tr_int(r, f); break;
        case 7: g->ordinal = frz__tr_i32(r, f); break;
        default: frz__tr_skip(r, f);
        }
    }
    r_need(r, seen, 1u << 1 | 1u << 3, "row group");
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
    out->orders = (uint8_t *)r_array(r, ar, n, 1);
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
            out->elems = (struct pq_elem *)r_array(r, ar, out->elem_count, sizeof *out->elems);
            for (size_t i = 0; out->elems && i < out->elem_count && r->rc >= 0; i++) read_elem(r, &out->elems[i]);
            break;
        case 3: out->rows = r_size(r, f, "num_rows"); break;
        case 4:
            out->group_count = frz__tr_list(r, f, TT_STRUCT, GROUP_BYTES_MIN);
            out->groups = (struct pq_group *)r_array(r, ar, out->group_count, sizeof *out->groups);
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
    r_need(r, seen, 1u << 2 | 1u << 3 | 1u << 4, "footer");
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

/* ── PageHeader ── */

static void read_data_header(struct thrift_r *r, struct pq_page_header *h)
{
    struct thrift_field f;
    uint32_t seen = 0;
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: h->values = r_size32(r, f, "num_values"); break;
        case 2: h->encoding = frz__tr_i32(r, f); break;
        case 3: h->def_encoding = frz__tr_i32(r, f); break;
        case 4: h->rep_encoding = frz__tr_i32(r, f); break;
        case 5:
            read_statistics(r, f, &h->statistics);
            h->has_statistics = true;
            break;
        default: frz__tr_skip(r, f);
        }
    }
    r_need(r, seen, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4, "data page header");
}

static void read_data_header_v2(struct thrift_r *r, struct pq_page_header *h)
{
    struct thrift_field f;
    uint32_t seen = 0;
    h->compressed = true;
    h->def_encoding = h->rep_encoding = PQ_RLE;
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: h->values = r_size32(r, f, "num_values"); break;
        case 2: h->nulls = r_size32(r, f, "num_nulls"); break;
        case 3: h->rows = r_size32(r, f, "num_rows"); break;
        case 4: h->encoding = frz__tr_i32(r, f); break;
        case 5: h->def_bytes = r_size32(r, f, "definition_levels_byte_length"); break;
        case 6: h->rep_bytes = r_size32(r, f, "repetition_levels_byte_length"); break;
        case 7: h->compressed = frz__tr_bool(r, f); break;
        case 8:
            read_statistics(r, f, &h->statistics);
            h->has_statistics = true;
            break;
        default: frz__tr_skip(r, f);
        }
    }
    r_need(r, seen, 0x7Eu, "v2 data page header");
}

static void read_dictionary_header(struct thrift_r *r, struct pq_page_header *h)
{
    struct thrift_field f;
    uint32_t seen = 0;
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: h->values = r_size32(r, f, "num_values"); break;
        case 2: h->encoding = frz__tr_i32(r, f); break;
        case 3: h->sorted = frz__tr_bool(r, f); break;
        default: frz__tr_skip(r, f);
        }
    }
    r_need(r, seen, 1u << 1 | 1u << 2, "dictionary page header");
}

/* A page has the header of its type and no other, whatever else a writer put beside it. */
static bool is_header_of(int32_t type, int field)
{
    return (type == PQ_DATA_PAGE && field == 5) || (type == PQ_DICTIONARY_PAGE && field == 7) || (type == PQ_DATA_PAGE_V2 && field == 8);
}

int frz__pq_page_header_parse(slice bytes, struct pq_page_header *out, size_t *used, bool *cut, frz_error *err)
{
    struct thrift_r r = THRIFT_R_INIT(bytes, "page header", err);
    struct thrift_field f;
    uint32_t seen = 0;
    bool own = false;
    *out = (struct pq_page_header){.type = -1, .statistics = PQ_STATISTICS_NONE};
    frz__tr_begin(&r);
    while (frz__tr_next(&r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: out->type = frz__tr_i32(&r, f); break;
        case 2: out->uncompressed_bytes = r_size32(&r, f, "uncompressed_page_size"); break;
        case 3: out->compressed_bytes = r_size32(&r, f, "compressed_page_size"); break;
        case 4:
            out->crc = (uint32_t)frz__tr_i32(&r, f);
            out->has_crc = true;
            break;
        case 5:
        case 7:
        case 8:
            if (f.type != TT_STRUCT || !is_header_of(out->type, f.id)) {
                frz__tr_skip(&r, f);
                break;
            }
            own = true;
            if (f.id == 5) read_data_header(&r, out);
            else if (f.id == 7) read_dictionary_header(&r, out);
            else read_data_header_v2(&r, out);
            break;
        default: frz__tr_skip(&r, f);
        }
    }
    r_need(&r, seen, 1u << 1 | 1u << 2 | 1u << 3, "page header");
    if (r.rc >= 0 && !own && (out->type == PQ_DATA_PAGE || out->type == PQ_DICTIONARY_PAGE || out->type == PQ_DATA_PAGE_V2))
        frz__tr_fail(&r, "page of type %d without the header of that type", out->type);
    *used = tr_used(&r);
    if (cut) *cut = r.cut;
    return frz__tr_done(&r);
}

int frz__pq_page_header_print(const struct pq_page_header *h, struct buf *out, frz_error *err)
{
    struct thrift_w w = THRIFT_W_INIT(out, err);
    frz__tw_begin(&w);
    frz__tw_i32(&w, 1, h->type);
    frz__tw_i32(&w, 2, h->uncompressed_bytes);
    frz__tw_i32(&w, 3, h->compressed_bytes);
    if (h->has_crc) frz__tw_i32(&w, 4, (int32_t)h->crc);
    switch (h->type) {
    case PQ_DATA_PAGE:
        frz__tw_struct(&w, 5);
        frz__tw_i32(&w, 1, h->values);
        frz__tw_i32(&w, 2, h->encoding);
        frz__tw_i32(&w, 3, h->def_encoding);
        frz__tw_i32(&w, 4, h->rep_encoding);
        if (h->has_statistics) print_statistics(&w, 5, &h->statistics);
        frz__tw_end(&w);
        break;
    case PQ_DICTIONARY_PAGE:
        frz__tw_struct(&w, 7);
        frz__tw_i32(&w, 1, h->values);
        frz__tw_i32(&w, 2, h->encoding);
        if (h->sorted) frz__tw_bool(&w, 3, true);
        frz__tw_end(&w);
        break;
    case PQ_DATA_PAGE_V2:
        frz__tw_struct(&w, 8);
        frz__tw_i32(&w, 1, h->values);
        frz__tw_i32(&w, 2, h->nulls);
        frz__tw_i32(&w, 3, h->rows);
        frz__tw_i32(&w, 4, h->encoding);
        frz__tw_i32(&w, 5, h->def_bytes);
        frz__tw_i32(&w, 6, h->rep_bytes);
        frz__tw_bool(&w, 7, h->compressed);
        if (h->has_statistics) print_statistics(&w, 8, &h->statistics);
        frz__tw_end(&w);
        break;
    default: break;
    }
    frz__tw_end(&w);
    return frz__tw_done(&w);
}

/* ── OffsetIndex ── */

int frz__pq_offset_index_parse(struct arena *ar, slice bytes, struct pq_offset_index *out, frz_error *err)
{
    struct thrift_r r = THRIFT_R_INIT(bytes, "offset index", err);
    struct thrift_field f, g;
    uint32_t seen = 0;
    size_t n, var_count = 0;
    *out = (struct pq_offset_index){0};
    frz__tr_begin(&r);
    while (frz__tr_next(&r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1:
            n = out->count = frz__tr_list(&r, f, TT_STRUCT, 7);
            out->pages = (struct pq_page_location *)r_array(&r, ar, n, sizeof *out->pages);
            for (size_t i = 0; out->pages && i < n && r.rc >= 0; i++) {
                struct pq_page_location *p = &out->pages[i];
                uint32_t has = 0;
                frz__tr_begin(&r);
                while (frz__tr_next(&r, &g)) {
                    has |= seen_bit(g.id);
                    switch (g.id) {
                    case 1: p->offset = r_size(&r, g, "offset"); break;
                    case 2: p->bytes = r_size32(&r, g, "compressed_page_size"); break;
                    case 3: p->first_row = r_size(&r, g, "first_row_index"); break;
                    default: frz__tr_skip(&r, g);
                    }
                }
                r_need(&r, has, 0xEu, "page location");
            }
            break;
        case 2: out->var_bytes = r_i64_list(&r, ar, f, &var_count); break;
        default: frz__tr_skip(&r, f);
        }
    }
    r_need(&r, seen, 1u << 1, "offset index");
    if (r.rc >= 0 && out->var_bytes && var_count != out->count) frz__tr_fail(&r, "%zu pages, %zu byte counts", out->count, var_count);
    return frz__tr_done(&r);
}

int frz__pq_offset_index_print(const struct pq_offset_index *x, struct buf *out, frz_error *err)
{
    struct thrift_w w = THRIFT_W_INIT(out, err);
    frz__tw_begin(&w);
    frz__tw_list(&w, 1, TT_STRUCT, x->count);
    for (size_t i = 0; i < x->count; i++) {
        frz__tw_begin(&w);
        frz__tw_i64(&w, 1, x->pages[i].offset);
        frz__tw_i32(&w, 2, x->pages[i].bytes);
        frz__tw_i64(&w, 3, x->pages[i].first_row);
        frz__tw_end(&w);
    }
    if (x->var_bytes) {
        frz__tw_list(&w, 2, TT_I64, x->count);
        for (size_t i = 0; i < x->count; i++) frz__tw_elem_int(&w, x->var_bytes[i]);
    }
    frz__tw_end(&w);
    return frz__tw_done(&w);
}

/* ── ColumnIndex ── */

int frz__pq_column_index_parse(struct arena *ar, slice bytes, struct pq_column_index *out, frz_error *err)
{
    struct thrift_r r = THRIFT_R_INIT(bytes, "column index", err);
    struct thrift_field f;
    uint32_t seen = 0;
    size_t min_count = 0, max_count = 0, null_count = 0, nan_count = 0;
    *out = (struct pq_column_index){0};
    frz__tr_begin(&r);
    while (frz__tr_next(&r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1:
            out->count = frz__tr_list(&r, f, TT_TRUE, 1);
            out->null_pages = (bool *)r_array(&r, ar, out->count, sizeof *out->null_pages);
            for (size_t i = 0; out->null_pages && i < out->count; i++) out->null_pages[i] = frz__tr_elem_bool(&r);
            break;
        case 2: out->mins = r_bin_list(&r, ar, f, &min_count); break;
        case 3: out->maxs = r_bin_list(&r, ar, f, &max_count); break;
        case 4: out->boundary_order = frz__tr_i32(&r, f); break;
        case 5: out->nulls = r_i64_list(&r, ar, f, &null_count); break;
        case 8: out->nans = r_i64_list(&r, ar, f, &nan_count); break;
        default: frz__tr_skip(&r, f);
        }
    }
    r_need(&r, seen, 0xEu, "column index"); /* boundary_order is an optimisation: its want is no damage */
    if (r.rc >= 0 && (min_count != out->count || max_count != out->count || (null_count && null_count != out->count) || (nan_count && nan_count != out->count)))
        frz__tr_fail(&r, "%zu pages, %zu minima, %zu maxima, %zu null counts, %zu NaN counts", out->count, min_count, max_count, null_count, nan_count);
    return frz__tr_done(&r);
}

int frz__pq_column_index_print(const struct pq_column_index *x, struct buf *out, frz_error *err)
{
    struct thrift_w w = THRIFT_W_INIT(out, err);
    frz__tw_begin(&w);
    frz__tw_list(&w, 1, TT_TRUE, x->count);
    for (size_t i = 0; i < x->count; i++) frz__tw_elem_bool(&w, x->null_pages[i]);
    frz__tw_list(&w, 2, TT_BINARY, x->count);
    for (size_t i = 0; i < x->count; i++) frz__tw_elem_bin(&w, x->mins[i]);
    frz__tw_list(&w, 3, TT_BINARY, x->count);
    for (size_t i = 0; i < x->count; i++) frz__tw_elem_bin(&w, x->maxs[i]);
    frz__tw_i32(&w, 4, x->boundary_order);
    if (x->nulls) {
        frz__tw_list(&w, 5, TT_I64, x->count);
        for (size_t i = 0; i < x->count; i++) frz__tw_elem_int(&w, x->nulls[i]);
    }
    if (x->nans) {
        frz__tw_list(&w, 8, TT_I64, x->count);
        for (size_t i = 0; i < x->count; i++) frz__tw_elem_int(&w, x->nans[i]);
    }
    frz__tw_end(&w);
    return frz__tw_done(&w);
}
