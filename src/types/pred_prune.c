/* Whether statistics rule out that any row passes. Every answer of "true" here is a proof; where something is not known it is "false". */
#include "types/pred_int.h"

#include <math.h>

struct prune {
    bool (*stats_of)(void *ctx, size_t column, struct pred_stats *out);
    void *ctx;
};

static bool is_nan(const frz_value *v) { return (v->type == FRZ_FLOAT && isnan(v->as.f32)) || (v->type == FRZ_DOUBLE && isnan(v->as.f64)); }

/* Bounds that cannot be trusted count as missing. */
static void distrust(const struct pred_node *n, struct pred_stats *st)
{
    bool is_float = n->type.id == FRZ_FLOAT || n->type.id == FRZ_DOUBLE;
    if (is_float && st->maybe_nan) st->has_min = st->has_max = false; /* NaN is above the maximum, and writers that saw one wrote anything */
    if (st->has_min && (st->min.type != n->type.id || is_nan(&st->min))) st->has_min = false;
    if (st->has_max && (st->max.type != n->type.id || is_nan(&st->max))) st->has_max = false;
}

static bool below_min(const struct pred_stats *st, const frz_value *v) { return st->has_min && frz__value_cmp(v, &st->min) < 0; }
static bool above_max(const struct pred_stats *st, const frz_value *v) { return st->has_max && frz__value_cmp(v, &st->max) > 0; }
static bool all_are(const struct pred_stats *st, const frz_value *v)
{
    return st->has_min && st->has_max && frz__value_cmp(v, &st->min) == 0 && frz__value_cmp(v, &st->max) == 0;
}

static bool prunes_cmp(const struct pred_node *n, const struct pred_stats *st)
{
    const frz_value *v = &n->value;
    switch (n->op) {
    case PRED_EQ: return below_min(st, v) || above_max(st, v);
    case PRED_NE: return all_are(st, v);
    case PRED_LT: return st->has_min && frz__value_cmp(&st->min, v) >= 0;
    case PRED_LE: return below_min(st, v);
    case PRED_GT: return st->has_max && frz__value_cmp(&st->max, v) <= 0;
    default: return above_max(st, v);
    }
}

static bool prunes_in(const struct pred_node *n, const struct pred_stats *st)
{
    for (size_t i = 0; i < n->count; i++)
        if (!below_min(st, &n->values[i]) && !above_max(st, &n->values[i])) return false;
    return true;
}

static bool prunes_like(const struct like *l, const struct pred_stats *st)
{
    frz_value p = value_bytes(FRZ_STRING, l->prefix);
    if (above_max(st, &p)) return true; /* what begins with the prefix is not below it */
    if (!st->has_min) return false;
    if (l->exact) return below_min(st, &p);
    return frz__value_cmp(&st->min, &p) > 0 && !slice_has_prefix(value_slice(&st->min), l->prefix);
}

static bool prunes(const struct pred_node *n, const struct prune *pr)
{
    struct pred_stats st = {0};
    switch (n->kind) {
    case PRED_FALSE: return true;
    case PRED_TRUE: return false;
    case PRED_AND:
        for (size_t i = 0; i < n->count; i++)
            if (prunes(n->children[i], pr)) return true;
        return false;
    case PRED_OR:
        for (size_t i = 0; i < n->count; i++)
            if (!prunes(n->children[i], pr)) return false;
        return true;
    default: break;
    }
    if (!pr->stats_of(pr->ctx, n->column, &st)) return false;
    if (n->kind == PRED_NULL) return st.has_nulls && st.nulls == 0;
    if (st.has_nulls && st.rows && st.nulls >= st.rows) return true; /* all null: nothing but IS NULL is true */
    distrust(n, &st);
    switch (n->kind) {
    case PRED_CMP: return prunes_cmp(n, &st);
    case PRED_IN: return prunes_in(n, &st);
    case PRED_NOT_IN: return st.has_min && st.has_max && frz__value_cmp(&st.min, &st.max) == 0 && frz__pred_in(n, &st.min);
    case PRED_LIKE: return prunes_like(&n->like, &st);
    default: return false;
    }
}

bool frz__pred_prunes(const struct pred *p, bool (*stats_of)(void *ctx, size_t column, struct pred_stats *out), void *ctx)
{
    struct prune pr = {stats_of, ctx};
    return prunes(p->root, &pr);
}
