/* Statistics as typed bounds, and what of them can be trusted. */
#include "parquet/pq_file.h"

#include <math.h>

enum pq_order frz__pq_order_of(const struct pq_file *f, size_t column) { return column < f->foot.order_count ? (enum pq_order)f->foot.orders[column] : PQ_ORDER_UNKNOWN; }

/* One physical value by the same conversions that the column's values go through. */
static bool fixed_value(const struct pq_leaf *l, slice raw, frz_value *out)
{
    struct pq_plan plan;
    uint8_t made[16];
    if (frz__pq_plan(l, l->col.type, &plan, NULL) < 0 || raw.len != plan.phys_width || plan.width > sizeof made) return false;
    if (frz__pq_convert(&plan, raw.data, 1, made, NULL) < 0) return false;
    memcpy(&out->as, made, plan.width); /* a little-endian union: every number starts at its first byte */
    return true;
}

bool frz__pq_stat_value(const struct pq_leaf *l, slice raw, frz_value *out)
{
    *out = (frz_value){.type = l->col.type.id};
    switch (l->col.type.id) {
    case FRZ_NULL: return false;
    case FRZ_BOOLEAN:
        if (raw.len != 1 || raw.data[0] > 1) return false;
        out->as.boolean = raw.data[0];
        return true;
    case FRZ_STRING:
    case FRZ_BINARY:
        out->as.bytes.data = raw.data;
        out->as.bytes.len = raw.len;
        return true;
    case FRZ_UUID:
    case FRZ_FIXED:
        if (raw.len != (size_t)l->col.phys_length) return false; /* a bound that is cut is none of this type */
        out->as.bytes.data = raw.data;
        out->as.bytes.len = raw.len;
        return true;
    case FRZ_DECIMAL:
        if (l->meaning == PQ_DECIMAL_BYTES) return raw.len && frz__pq_decimal_be(raw, &out->as.dec);
        return fixed_value(l, raw, out);
    default: return fixed_value(l, raw, out);
    }
}

static bool is_nan(const frz_value *v) { return v->type == FRZ_FLOAT ? isnan(v->as.f32) : v->type == FRZ_DOUBLE && isnan(v->as.f64); }
static void widen_zero(frz_value *v, bool down)
{
    if (v->type == FRZ_FLOAT && v->as.f32 == 0) v->as.f32 = down ? -0.0f : 0.0f;
    if (v->type == FRZ_DOUBLE && v->as.f64 == 0) v->as.f64 = down ? -0.0 : 0.0;
}

void frz__pq_stat_bounds(const struct pq_leaf *l, slice min, slice max, struct pred_stats *out)
{
    frz_value lo, hi;
    bool has_min = min.data && frz__pq_stat_value(l, min, &lo), has_max = max.data && frz__pq_stat_value(l, max, &hi);
    if ((has_min && is_nan(&lo)) || (has_max && is_nan(&hi))) return; /* then neither means anything */
    if (has_min && has_max && frz__value_cmp(&lo, &hi) > 0) return;
    if (has_min) {
        widen_zero(&lo, true);
        out->min = lo;
        out->has_min = true;
    }
    if (has_max) {
        widen_zero(&hi, false);
        out->max = hi;
        out->has_max = true;
    }
}

static bool is_float(const struct pq_leaf *l) { return l->col.type.id == FRZ_FLOAT || l->col.type.id == FRZ_DOUBLE; }

bool frz__pq_group_stats(const struct pq_file *f, size_t group, size_t column, struct pred_stats *out)
{
    const struct pq_leaf *l = &f->leaves[column];
    const struct pq_chunk *k = pq_chunk_of(f, group, column);
    const struct pq_statistics *s = &k->statistics;
    *out = (struct pred_stats){.rows = frz__pq_group_rows(f, group), .maybe_nan = is_float(l)};
    if (l->col.type.id == FRZ_NULL || !k->has_meta || !k->has_statistics) return false;
    if (s->nulls >= 0 && (uint64_t)s->nulls <= out->rows) {
        out->has_nulls = true;
        out->nulls = (uint64_t)s->nulls;
    }
    if (l->max_def == 0) { /* required */
        out->has_nulls = true;
        out->nulls = 0;
    }
    if (s->nans == 0) out->maybe_nan = false;
    if ((s->min.data || s->max.data) && frz__pq_order_of(f, column) == PQ_ORDER_TYPE && l->meaning != PQ_STAMP_96)
        frz__pq_stat_bounds(l, s->min, s->max, out);
    else if (l->signed_stats)
        frz__pq_stat_bounds(l, s->min_old, s->max_old, out);
    return out->has_min || out->has_max || out->has_nulls;
}

int frz__pq_page_stats(struct pq_file *f, size_t group, size_t column, size_t page, struct pred_stats *out, bool *known, frz_error *err)
{
    const struct pq_leaf *l = &f->leaves[column];
    const struct pq_column_index *x;
    const struct pq_pages *pages;
    FRZ_ASSERT(group < f->foot.group_count && column < f->leaf_count);
    *known = false;
    *out = (struct pred_stats){.maybe_nan = is_float(l)};
    if (l->col.type.id == FRZ_NULL) return FRZ_OK;
    TRY(frz__pq_where(f, group, column, frz__pq_chunk_index(f, group, column, &x, err), err));
    if (!x) return FRZ_OK;
    TRY(frz__pq_pages(f, group, column, &pages, err));
    if (x->count != pages->count)
        return frz__pq_where(f, group, column, frz__err_corrupt(err, "column index of %zu pages, offset index of %zu", x->count, pages->count), err);
    if (page >= pages->count) return frz__pq_where(f, group, column, frz__err(err, FRZ_INVALID, "page %zu of %zu", page, pages->count), err);
    out->rows = pages->first_row[page + 1] - pages->first_row[page];
    if (x->null_pages[page] || l->max_def == 0 || (x->nulls && x->nulls[page] >= 0 && (uint64_t)x->nulls[page] <= out->rows)) {
        out->has_nulls = true;
        out->nulls = x->null_pages[page] ? out->rows : l->max_def == 0 ? 0 : (uint64_t)x->nulls[page];
    }
    if (x->nans && x->nans[page] == 0) out->maybe_nan = false;
    if (x->null_pages[page]) out->maybe_nan = false;
    else if (frz__pq_order_of(f, column) == PQ_ORDER_TYPE && l->meaning != PQ_STAMP_96) frz__pq_stat_bounds(l, x->mins[page], x->maxs[page], out);
    *known = out->has_min || out->has_max || out->has_nulls;
    return FRZ_OK;
}
