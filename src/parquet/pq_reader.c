/* Opening a file, and what its footer tells. Reading one page of one column. */
#include "parquet/pq_file.h"

#define TAIL_BYTES ((size_t)64 << 10)
#define END_BYTES 8 /* footer length, magic */

int frz__pq_where(const struct pq_file *f, size_t group, size_t column, int rc, frz_error *err)
{
    if (rc < 0) frz__err_context(err, "%s: row group %zu, column %s", f->src.name, group, f->leaves[column].col.name);
    return rc;
}

int frz__pq_read(const struct pq_file *f, uint64_t offset, uint64_t len, struct buf *b, frz_error *err)
{
    if (offset > f->footer_offset || len > f->footer_offset - offset)
        return frz__err_corrupt(err, "%" PRIu64 " bytes at %" PRIu64 " reach beyond %" PRIu64 ", where the footer begins", len, offset, f->footer_offset);
    TRY(buf_reserve(b, (size_t)len, err));
    TRY(f->src.read(f->src.ctx, offset, b->data + b->len, (size_t)len, err));
    b->len += (size_t)len;
    return FRZ_OK;
}

/* ── open ── */

/* The footer's bytes, in the arena. */
static int read_footer(struct pq_file *f, slice tail, slice *out, frz_error *err)
{
    uint64_t size = f->src.bytes;
    uint8_t end[END_BYTES];
    if (size < END_BYTES + 4) return frz__err_corrupt(err, "%s: %" PRIu64 " bytes are no Parquet file", f->src.name, size);
    if (tail.len < END_BYTES || tail.len > size) return frz__err(err, FRZ_BUG, "%s: a tail of %zu bytes of %" PRIu64, f->src.name, tail.len, size);
    memcpy(end, tail.data + tail.len - END_BYTES, END_BYTES);
    if (memcmp(end + 4, "PARE", 4) == 0) return frz__err(err, FRZ_UNSUPPORTED, "%s: its footer is encrypted", f->src.name);
    if (memcmp(end + 4, "PAR1", 4) != 0) return frz__err_corrupt(err, "%s: no Parquet file: it does not end in PAR1", f->src.name);
    uint64_t len = load_u32(end);
    if (len > size - END_BYTES - 4) return frz__err_corrupt(err, "%s: a footer of %" PRIu64 " bytes in a file of %" PRIu64, f->src.name, len, size);
    f->footer_offset = size - END_BYTES - len;
    uint8_t *bytes = (uint8_t *)arena_alloc(&f->ar, (size_t)len + 1, 1);
    if (!bytes) return frz__err_no_memory(err, (size_t)len);
    size_t have = tail.len - END_BYTES < len ? tail.len - END_BYTES : (size_t)len;
    if (have < len) TRY(f->src.read(f->src.ctx, f->footer_offset, bytes, (size_t)len - have, err));
    memcpy(bytes + len - have, tail.data + tail.len - END_BYTES - have, have);
    *out = slice_of(bytes, (size_t)len);
    return FRZ_OK;
}

static int check_groups(struct pq_file *f, frz_error *err)
{
    uint64_t rows = 0;
    f->first_rows = (uint64_t *)arena_alloc(&f->ar, (f->foot.group_count + 1) * sizeof *f->first_rows, 8);
    if (!f->first_rows) return frz__err_no_memory(err, f->foot.group_count * sizeof *f->first_rows);
    for (size_t g = 0; g < f->foot.group_count; g++) {
        const struct pq_group *group = &f->foot.groups[g];
        f->first_rows[g] = rows;
        rows += (uint64_t)group->rows; /* each < 2^63 */
        if (rows > INT64_MAX) return frz__err_corrupt(err, "%s: more than 2^63 rows", f->src.name);
        if (group->chunk_count != f->leaf_count) return frz__err_corrupt(err, "%s: row group %zu: expected %zu columns, found %zu", f->src.name, g, f->leaf_count, group->chunk_count);
        for (size_t c = 0; c < f->leaf_count; c++) {
            const struct pq_chunk *k = &group->chunks[c];
            if (!k->has_meta) continue;
            if (k->type != (int32_t)f->leaves[c].col.phys)
                return frz__pq_where(f, g, c, frz__err_corrupt(err, "expected physical type %d, found %" PRId32, f->leaves[c].col.phys, k->type), err);
            if (f->leaves[c].max_rep == 0 && k->values != group->rows)
                return frz__pq_where(f, g, c, frz__err_corrupt(err, "expected %" PRId64 " values, found %" PRId64, group->rows, k->values), err);
        }
    }
    f->first_rows[f->foot.group_count] = rows;
    return FRZ_OK; /* that the footer's own count may differ (old writers left it 0) is verify's to say */
}

static int open_with(struct pq_file *f, slice tail, frz_error *err)
{
    slice footer;
    TRY(read_footer(f, tail, &footer, err));
    int rc = frz__pq_footer_parse(&f->ar, footer, &f->foot, err);
    if (rc >= 0) rc = frz__pq_schema_read(&f->ar, &f->foot, &f->leaves, &f->leaf_count, err);
    if (rc < 0) {
        frz__err_context(err, "%s", f->src.name);
        return rc;
    }
    TRY(check_groups(f, err));
    size_t slots = f->foot.group_count * f->leaf_count; /* both are bounded by the footer's bytes */
    if (slots && !(f->slots = (struct pq_slot *)frz__alloc_array(f->a, slots, sizeof *f->slots))) return frz__err_no_memory(err, slots * sizeof *f->slots);
    return FRZ_OK;
}

int frz__pq_open_tail(const allocator *a, struct pq_source source, slice tail, struct pq_file **out, frz_error *err)
{
    struct pq_file *f;
    *out = NULL;
    TRY(ALLOC_NEW(&f, a, struct pq_file, err));
    f->a = a;
    f->src = source;
    f->ar = ARENA_INIT(a);
    int rc = open_with(f, tail, err);
    if (rc < 0) {
        frz__pq_free(f);
        return rc;
    }
    *out = f;
    return FRZ_OK;
}

int frz__pq_open(const allocator *a, struct pq_source source, struct pq_file **out, frz_error *err)
{
    struct buf tail = BUF_INIT(a, 0);
    int rc;
    *out = NULL;
    if (source.bytes < END_BYTES + 4) return frz__err_corrupt(err, "%s: %" PRIu64 " bytes are no Parquet file", source.name, source.bytes);
    size_t len = source.bytes < TAIL_BYTES ? (size_t)source.bytes : TAIL_BYTES;
    CHECK(buf_reserve(&tail, len, err));
    CHECK(source.read(source.ctx, source.bytes - len, tail.data, len, err));
    tail.len = len;
    rc = frz__pq_open_tail(a, source, buf_slice(&tail), out, err);
done:
    buf_clear(&tail);
    return rc;
}

void frz__pq_free(struct pq_file *f)
{
    if (!f) return;
    for (size_t i = 0; f->slots && i < f->foot.group_count * f->leaf_count; i++) {
        struct pq_chunk_index *x = atomic_load_explicit(&f->slots[i].index, memory_order_relaxed);
        struct pq_chunk_dict *d = atomic_load_explicit(&f->slots[i].dict, memory_order_relaxed);
        frz__free(f->a, atomic_load_explicit(&f->slots[i].pages, memory_order_relaxed));
        if (x) frz__arena_clear(&x->ar);
        if (d) frz__vec_clear(&d->v);
        frz__free(f->a, x);
        frz__free(f->a, d);
    }
    frz__free(f->a, f->slots);
    frz__arena_clear(&f->ar);
    frz__free(f->a, f);
}

/* ── what the footer tells ── */

uint64_t frz__pq_rows(const struct pq_file *f) { return f->first_rows[f->foot.group_count]; }
size_t frz__pq_col_count(const struct pq_file *f) { return f->leaf_count; }
const struct pq_rcol *frz__pq_col(const struct pq_file *f, size_t column) { return &f->leaves[column].col; }

int64_t frz__pq_find_id(const struct pq_file *f, int32_t field_id)
{
    for (size_t i = 0; i < f->leaf_count; i++)
        if (f->leaves[i].col.field_id == field_id && field_id >= 0) return (int64_t)i;
    return -1;
}

int64_t frz__pq_find_name(const struct pq_file *f, slice name)
{
    for (size_t i = 0; i < f->leaf_count; i++)
        if (slice_eq(slice_str(f->leaves[i].col.name), name)) return (int64_t)i;
    return -1;
}

slice frz__pq_kv(const struct pq_file *f, const char *key)
{
    for (size_t i = 0; i < f->foot.kv_count; i++)
        if (slice_eq(f->foot.kvs[i].key, slice_str(key))) return f->foot.kvs[i].value;
    return slice_of(NULL, 0);
}

size_t frz__pq_group_count(const struct pq_file *f) { return f->foot.group_count; }
uint64_t frz__pq_group_first_row(const struct pq_file *f, size_t group) { return f->first_rows[group]; }
uint64_t frz__pq_group_rows(const struct pq_file *f, size_t group) { return f->first_rows[group + 1] - f->first_rows[group]; }

uint64_t frz__pq_value_bytes(const struct pq_file *f, size_t group, size_t column, frz_type type)
{
    const struct pq_chunk *k = pq_chunk_of(f, group, column);
    uint64_t rows = frz__pq_group_rows(f, group), bytes;
    if (!type_is_var(type)) return frz__type_width(type);
    bytes = k->var_bytes >= 0 ? (uint64_t)k->var_bytes : k->uncompressed_bytes > 0 ? (uint64_t)k->uncompressed_bytes : 0;
    bytes = rows ? bytes / rows : 0;
    return sizeof(uint32_t) + (bytes < INT32_MAX ? bytes : INT32_MAX); /* what a file says may be anything */
}

size_t frz__pq_rows_within(uint64_t row_bytes, size_t bytes, size_t max_rows)
{
    uint64_t rows = bytes / (row_bytes ? row_bytes : 1);
    if (rows >= max_rows) return max_rows;
    while (rows & (rows - 1)) rows &= rows - 1;
    return rows ? (size_t)rows : 1;
}

size_t frz__pq_mem(const struct pq_file *f)
{
    return sizeof *f + atomic_load_explicit(&f->ar.bytes, memory_order_relaxed) + f->foot.group_count * f->leaf_count * sizeof *f->slots + atomic_load_explicit(&f->loaded, memory_order_relaxed);
}

/* ── one page ── */

int frz__pq_dict_load(const struct pq_file *f, size_t group, size_t column, const struct pq_chunk_pages *pages, const struct pq_plan *plan, struct codec_ctx *ctx, struct vec *out, frz_error *err)
{
    const struct pq_chunk *k = pq_chunk_of(f, group, column);
    struct buf *b = frz__codec_scratch(ctx, PQ_SCRATCH_FILE);
    struct pq_page page;
    TRY(frz__pq_read(f, pages->dict_offset, pages->dict_bytes, b, err));
    TRY(frz__pq_page_open(buf_slice(b), k->codec, &page, err));
    if (page.h.type != PQ_DICTIONARY_PAGE) return frz__err_corrupt(err, "expected a dictionary page at %" PRIu64 ", found type %" PRId32, pages->dict_offset, page.h.type);
    int rc = frz__pq_dict_decode(&page, &f->leaves[column], plan, k->codec, ctx, out, err);
    if (rc < 0) frz__err_context(err, "dictionary page at %" PRIu64, pages->dict_offset);
    return rc;
}

int frz__pq_page_at(const struct pq_file *f, size_t group, size_t column, const struct pq_pages *pages, size_t page, slice bytes, struct pq_page *out, frz_error *err)
{
    uint64_t rows = pages->first_row[page + 1] - pages->first_row[page];
    TRY(frz__pq_page_open(bytes, pq_chunk_of(f, group, column)->codec, out, err));
    if (!pq_is_data(&out->h)) return frz__err_corrupt(err, "expected a data page, found type %" PRId32, out->h.type);
    if ((uint64_t)out->h.values != rows) return frz__err_corrupt(err, "expected %" PRIu64 " values, found %" PRId32, rows, out->h.values);
    if (out->h.type == PQ_DATA_PAGE_V2 && out->h.rows != out->h.values) return frz__err_corrupt(err, "%" PRId32 " values in %" PRId32 " rows of a flat column", out->h.values, out->h.rows);
    return FRZ_OK;
}

/* The chunk's dictionary as WANT: what is kept in F, or made in OWN where another type is kept. */
static int find_dict(struct pq_file *f, size_t group, size_t column, const struct pq_chunk_pages *pages, const struct pq_plan *plan, struct codec_ctx *ctx, struct vec *own, const struct vec **out,
                     frz_error *err)
{
    struct pq_slot *s = pq_slot_of(f, group, column);
    struct pq_chunk_dict *d = atomic_load_explicit(&s->dict, memory_order_acquire), *none = NULL;
    if (d && frz__type_eq(d->v.type, plan->want)) {
        *out = &d->v;
        return FRZ_OK;
    }
    TRY(frz__pq_dict_load(f, group, column, pages, plan, ctx, own, err));
    *out = own;
    if (d) return FRZ_OK;
    TRY(ALLOC_NEW(&d, f->a, struct pq_chunk_dict, err));
    size_t mem = sizeof *d + frz__vec_mem(own);
    frz__vec_move(&d->v, own);
    if (atomic_compare_exchange_strong_explicit(&s->dict, &none, d, memory_order_acq_rel, memory_order_acquire)) {
        atomic_fetch_add_explicit(&f->loaded, mem, memory_order_relaxed);
        *out = &d->v;
    } else { /* another was first */
        frz__vec_move(own, &d->v);
        frz__free(f->a, d);
    }
    return FRZ_OK;
}

static int page_read(struct pq_file *f, size_t group, size_t column, size_t page, struct codec_ctx *ctx, struct vec *own, struct vec *out, frz_error *err)
{
    const struct pq_chunk *k = pq_chunk_of(f, group, column);
    const struct pq_chunk_pages *pages;
    const struct vec *dict = NULL;
    struct pq_plan plan;
    struct pq_page p;
    TRY(frz__pq_plan(&f->leaves[column], out->type, &plan, err));
    TRY(frz__pq_chunk_pages(f, group, column, &pages, err));
    if (page >= pages->pub.count) return frz__err(err, FRZ_INVALID, "page %zu of %zu", page, pages->pub.count);
    if (pages->dict_bytes) TRY(find_dict(f, group, column, pages, &plan, ctx, own, &dict, err));
    struct buf *b = frz__codec_scratch(ctx, PQ_SCRATCH_FILE);
    TRY(frz__pq_read(f, pages->pub.offset[page], pages->pub.bytes[page], b, err));
    TRY(frz__pq_page_at(f, group, column, &pages->pub, page, buf_slice(b), &p, err));
    return frz__pq_page_decode(&p, &f->leaves[column], &plan, k->codec, dict, ctx, out, err);
}

int frz__pq_page_read(struct pq_file *f, size_t group, size_t column, size_t page, struct codec_ctx *ctx, struct vec *out, frz_error *err)
{
    struct vec own;
    FRZ_ASSERT(group < f->foot.group_count && column < f->leaf_count);
    frz__vec_init(&own, f->a, out->type);
    int rc = page_read(f, group, column, page, ctx, &own, out, err);
    if (rc < 0) {
        frz__err_context(err, "page %zu", page);
        (void)frz__pq_where(f, group, column, rc, err);
    }
    frz__vec_clear(&own);
    return rc;
}
