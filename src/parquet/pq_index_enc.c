#include "parquet/pq_col_write.h"

int frz__pq_offset_index_encode(const struct pq_wcolumn *c, uint64_t base, struct buf *out, frz_error *err)
{
    struct arena ar = ARENA_INIT(c->stripe.a);
    struct pq_offset_index x = {.count = c->page_count};
    bool var = c->form.phys == PQ_BYTE_ARRAY;
    int rc = FRZ_OK;
    x.pages = (struct pq_page_location *)arena_alloc(&ar, c->page_count * sizeof *x.pages, 8);
    if (var) x.var_bytes = (int64_t *)arena_alloc(&ar, c->page_count * sizeof *x.var_bytes, 8);
    CHECK(x.pages && (!var || x.var_bytes) ? FRZ_OK : frz__err_no_memory(err, c->page_count * sizeof *x.pages));
    int64_t row = 0;
    for (size_t i = 0; i < c->page_count; i++) {
        const struct pq_wpage *p = &c->pages[i];
        x.pages[i] = (struct pq_page_location){(int64_t)(base + p->at), (int32_t)p->bytes, row};
        if (var) x.var_bytes[i] = (int64_t)p->var_bytes;
        row += p->rows;
    }
    CHECK(frz__pq_offset_index_print(&x, out, err));
done:
    frz__arena_clear(&ar);
    return rc;
}

/* Both bounds never fall (never rise) from page to page; pages of nulls alone do not count. */
static int32_t boundary_order(const struct pq_wcolumn *c, const struct pq_column_index *x)
{
    bool up = true, down = true;
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < x->count; i++) {
        if (x->null_pages[i]) continue;
        if (last != SIZE_MAX) {
            int lo = frz__pq_cmp(c->form.cmp, x->mins[i], x->mins[last]), hi = frz__pq_cmp(c->form.cmp, x->maxs[i], x->maxs[last]);
            if (lo < 0 || hi < 0) up = false;
            if (lo > 0 || hi > 0) down = false;
        }
        last = i;
    }
    return up ? PQ_ASCENDING : down ? PQ_DESCENDING : PQ_UNORDERED;
}

int frz__pq_column_index_encode(const struct pq_wcolumn *c, struct buf *out, frz_error *err)
{
    if (c->unbounded) return FRZ_OK;
    struct arena ar = ARENA_INIT(c->stripe.a);
    size_t n = c->page_count;
    bool floats = c->form.cmp == PQ_CMP_F32 || c->form.cmp == PQ_CMP_F64;
    struct pq_column_index x = {.count = n};
    int rc = FRZ_OK;
    x.null_pages = (bool *)arena_alloc(&ar, n * sizeof *x.null_pages, 8);
    x.mins = (slice *)arena_alloc(&ar, n * sizeof *x.mins, 8);
    x.maxs = (slice *)arena_alloc(&ar, n * sizeof *x.maxs, 8);
    x.nulls = (int64_t *)arena_alloc(&ar, n * sizeof *x.nulls, 8);
    if (floats) x.nans = (int64_t *)arena_alloc(&ar, n * sizeof *x.nans, 8);
    CHECK(x.null_pages && x.mins && x.maxs && x.nulls && (!floats || x.nans) ? FRZ_OK : frz__err_no_memory(err, n * sizeof *x.mins));
    for (size_t i = 0; i < n; i++) {
        const struct pq_wpage *p = &c->pages[i];
        slice none = slice_of("", 0);
        x.null_pages[i] = p->nulls == p->rows;
        x.mins[i] = p->min_len ? slice_of(c->bounds.data + p->min_at, p->min_len) : none;
        x.maxs[i] = p->max_len ? slice_of(c->bounds.data + p->max_at, p->max_len) : none;
        x.nulls[i] = p->nulls;
        if (floats) x.nans[i] = (int64_t)p->nans;
    }
    x.boundary_order = boundary_order(c, &x);
    CHECK(frz__pq_column_index_print(&x, out, err));
done:
    frz__arena_clear(&ar);
    return rc;
}
