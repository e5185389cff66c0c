/* What stands beside the pages: their headers, the offset index, the column index. */
#include "parquet/pq_meta_int.h"

/* ── PageHeader ── */

static void read_data_header(struct thrift_r *r, struct pq_page_header *h)
{
    struct thrift_field f;
    uint32_t seen = 0;
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: h->values = frz__pq_meta_size32(r, f, "num_values"); break;
        case 2: h->encoding = frz__tr_i32(r, f); break;
        case 3: h->def_encoding = frz__tr_i32(r, f); break;
        case 4: h->rep_encoding = frz__tr_i32(r, f); break;
        case 5:
            frz__pq_meta_read_statistics(r, f, &h->statistics);
            h->has_statistics = true;
            break;
        default: frz__tr_skip(r, f);
        }
    }
    frz__pq_meta_need(r, seen, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4, "data page header");
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
        case 1: h->values = frz__pq_meta_size32(r, f, "num_values"); break;
        case 2: h->nulls = frz__pq_meta_size32(r, f, "num_nulls"); break;
        case 3: h->rows = frz__pq_meta_size32(r, f, "num_rows"); break;
        case 4: h->encoding = frz__tr_i32(r, f); break;
        case 5: h->def_bytes = frz__pq_meta_size32(r, f, "definition_levels_byte_length"); break;
        case 6: h->rep_bytes = frz__pq_meta_size32(r, f, "repetition_levels_byte_length"); break;
        case 7: h->compressed = frz__tr_bool(r, f); break;
        case 8:
            frz__pq_meta_read_statistics(r, f, &h->statistics);
            h->has_statistics = true;
            break;
        default: frz__tr_skip(r, f);
        }
    }
    frz__pq_meta_need(r, seen, 0x7Eu, "v2 data page header");
}

static void read_dictionary_header(struct thrift_r *r, struct pq_page_header *h)
{
    struct thrift_field f;
    uint32_t seen = 0;
    frz__tr_begin(r);
    while (frz__tr_next(r, &f)) {
        seen |= seen_bit(f.id);
        switch (f.id) {
        case 1: h->values = frz__pq_meta_size32(r, f, "num_values"); break;
        case 2: h->encoding = frz__tr_i32(r, f); break;
        case 3: h->sorted = frz__tr_bool(r, f); break;
        default: frz__tr_skip(r, f);
        }
    }
    frz__pq_meta_need(r, seen, 1u << 1 | 1u << 2, "dictionary page header");
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
        case 2: out->uncompressed_bytes = frz__pq_meta_size32(&r, f, "uncompressed_page_size"); break;
        case 3: out->compressed_bytes = frz__pq_meta_size32(&r, f, "compressed_page_size"); break;
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
    frz__pq_meta_need(&r, seen, 1u << 1 | 1u << 2 | 1u << 3, "page header");
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
        if (h->has_statistics) frz__pq_meta_print_statistics(&w, 5, &h->statistics);
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
        if (h->has_statistics) frz__pq_meta_print_statistics(&w, 8, &h->statistics);
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
            out->pages = (struct pq_page_location *)frz__pq_meta_array(&r, ar, n, sizeof *out->pages);
            for (size_t i = 0; out->pages && i < n && r.rc >= 0; i++) {
                struct pq_page_location *p = &out->pages[i];
                uint32_t has = 0;
                frz__tr_begin(&r);
                while (frz__tr_next(&r, &g)) {
                    has |= seen_bit(g.id);
                    switch (g.id) {
                    case 1: p->offset = frz__pq_meta_size(&r, g, "offset"); break;
                    case 2: p->bytes = frz__pq_meta_size32(&r, g, "compressed_page_size"); break;
                    case 3: p->first_row = frz__pq_meta_size(&r, g, "first_row_index"); break;
                    default: frz__tr_skip(&r, g);
                    }
                }
                frz__pq_meta_need(&r, has, 0xEu, "page location");
            }
            break;
        case 2: out->var_bytes = frz__pq_meta_i64s(&r, ar, f, &var_count); break;
        default: frz__tr_skip(&r, f);
        }
    }
    frz__pq_meta_need(&r, seen, 1u << 1, "offset index");
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
            out->null_pages = (bool *)frz__pq_meta_array(&r, ar, out->count, sizeof *out->null_pages);
            for (size_t i = 0; out->null_pages && i < out->count; i++) out->null_pages[i] = frz__tr_elem_bool(&r);
            break;
        case 2: out->mins = frz__pq_meta_bins(&r, ar, f, &min_count); break;
        case 3: out->maxs = frz__pq_meta_bins(&r, ar, f, &max_count); break;
        case 4: out->boundary_order = frz__tr_i32(&r, f); break;
        case 5: out->nulls = frz__pq_meta_i64s(&r, ar, f, &null_count); break;
        case 8: out->nans = frz__pq_meta_i64s(&r, ar, f, &nan_count); break;
        default: frz__tr_skip(&r, f);
        }
    }
    frz__pq_meta_need(&r, seen, 0xEu, "column index"); /* boundary_order is an optimisation: its want is no damage */
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
