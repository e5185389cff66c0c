#include "sst/sst_int.h"

#include "types/pred.h"

/* Key bounds become positions; the predicate then cuts out what statistics rule out: row groups, then within each the stretches that one page of every column it reads covers. */

struct plan {
    struct sst *s;
    const struct pred *pred;
    struct pq_range *ranges;
    size_t count, cap;
    /* columns that the predicate reads and the file has */
    size_t *columns;
    const struct pq_pages **pages; /* of the group at hand */
    size_t *page;                  /* at hand */
    size_t column_count;
    size_t group;
    bool by_page;
    frz_error *err;
    int rc; /* what went wrong inside the callback */
};

static int plan_add(struct plan *p, uint64_t from, uint64_t to, frz_error *err)
{
    if (from >= to) return FRZ_OK;
    if (p->count && p->ranges[p->count - 1].to == from) {
        p->ranges[p->count - 1].to = to;
        return FRZ_OK;
    }
    TRY(frz__grow(p->s->env.a, (void **)&p->ranges, p->count, &p->cap, sizeof *p->ranges, err));
    p->ranges[p->count++] = (struct pq_range){from, to};
    return FRZ_OK;
}

/* A column that the file lacks: its initial default in each row, or null. */
static void stats_of_default(const struct column *c, uint64_t rows, struct pred_stats *out)
{
    bool null = value_is_null(&c->initial);
    *out = (struct pred_stats){.has_nulls = true, .rows = rows, .nulls = null ? rows : 0, .has_min = !null, .has_max = !null, .min = c->initial, .max = c->initial};
    out->maybe_nan = c->type.id == FRZ_FLOAT || c->type.id == FRZ_DOUBLE;
}

/* Bounds of the file's type → of the table's. */
static void stats_promote(const struct column *c, struct pred_stats *st)
{
    frz_value v;
    if (st->has_min) st->has_min = frz__value_convert(&st->min, c->type, &v, NULL) == FRZ_OK && ((st->min = v), true);
    if (st->has_max) st->has_max = frz__value_convert(&st->max, c->type, &v, NULL) == FRZ_OK && ((st->max = v), true);
}

static bool stats_of(void *ctx, size_t column, struct pred_stats *out)
{
    struct plan *p = (struct plan *)ctx;
    struct sst_impl *im = p->s->impl;
    const struct column *c = &im->schema->columns[column];
    if (im->leaf[column] < 0) {
        stats_of_default(c, im->group_first[p->group + 1] - im->group_first[p->group], out);
        return true;
    }
    bool known = false;
    if (!p->by_page) {
        known = frz__pq_group_stats(im->pq, p->group, (size_t)im->leaf[column], out);
    } else {
        for (size_t i = 0; i < p->column_count; i++) {
            if (p->columns[i] != column) continue;
            int rc = frz__pq_page_stats(im->pq, p->group, (size_t)im->leaf[column], p->page[i], out, &known, p->err);
            if (rc < 0) {
                p->rc = rc;
                return false;
            }
        }
    }
    if (known) stats_promote(c, out);
    return known;
}

static int plan_columns(struct plan *p, frz_error *err)
{
    struct sst_impl *im = p->s->impl;
    size_t n = im->schema->count;
    int rc = FRZ_OK;
    uint8_t *bits = (uint8_t *)frz__alloc_zero(p->s->env.a, bits_bytes(n));
    p->columns = (size_t *)frz__alloc_array(p->s->env.a, n, sizeof *p->columns);
    p->pages = (const struct pq_pages **)frz__alloc_array(p->s->env.a, n, sizeof *p->pages);
    p->page = (size_t *)frz__alloc_array(p->s->env.a, n, sizeof *p->page);
    if (!bits || !p->columns || !p->pages || !p->page) CHECK(frz__err_no_memory(err, n * sizeof *p->page));
    frz__pred_columns(p->pred, bits);
    for (size_t i = 0; i < n; i++)
        if (bit_get(bits, i) && im->leaf[i] >= 0) p->columns[p->column_count++] = i;
done:
    frz__free(p->s->env.a, bits);
    return rc;
}

/* [FROM, TO) of the group, both within it. */
static int plan_group(struct plan *p, uint64_t from, uint64_t to, frz_error *err)
{
    struct sst_impl *im = p->s->impl;
    uint64_t base = im->group_first[p->group];
    p->by_page = false;
    p->rc = FRZ_OK;
    p->err = err;
    if (frz__pred_prunes(p->pred, stats_of, p)) return FRZ_OK;
    if (p->column_count == 0) return plan_add(p, base + from, base + to, err);
    TRY(frz__sst_check_page_indexes(p->s, err));
    for (size_t i = 0; i < p->column_count; i++) TRY(frz__pq_pages(im->pq, p->group, (size_t)im->leaf[p->columns[i]], &p->pages[i], err));
    p->by_page = true;
    while (from < to) {
        uint64_t end = to;
        for (size_t i = 0; i < p->column_count; i++) {
            p->page[i] = frz__sst_page_of(p->pages[i], from);
            uint64_t stop = p->pages[i]->first_row[p->page[i] + 1];
            if (stop <= from) return frz__err_corrupt(err, "%s: row group %zu: pages of column %s end at row %" PRIu64, p->s->path, p->group, im->schema->columns[p->columns[i]].name, stop);
            if (stop < end) end = stop;
        }
        bool prunes = frz__pred_prunes(p->pred, stats_of, p);
        if (p->rc < 0) return p->rc;
        if (!prunes) TRY(plan_add(p, base + from, base + end, err));
        from = end;
    }
    return FRZ_OK;
}

int frz__sst_plan(struct sst *s, const struct sst_scan_options *o, struct codec_ctx *codec, struct pq_range **out, size_t *count, frz_error *err)
{
    int rc = FRZ_OK;
    struct plan p = {.s = s, .pred = o->pred};
    struct sst_impl *im = s->impl;
    uint64_t from = 0, to = s->rows;
    if (o->from.data) CHECK(frz__sst_lower_bound(s, o->from, codec, &from, err));
    if (o->to.data) CHECK(frz__sst_lower_bound(s, o->to, codec, &to, err));
    if (!o->pred) CHECK(plan_add(&p, from, to, err));
    if (o->pred) {
        CHECK(plan_columns(&p, err));
        for (p.group = 0; p.group < im->groups; p.group++) {
            uint64_t first = im->group_first[p.group], end = im->group_first[p.group + 1];
            uint64_t a = from > first ? from : first, b = to < end ? to : end;
            if (a < b) CHECK(plan_group(&p, a - first, b - first, err));
        }
    }
    *out = p.ranges;
    *count = p.count;
done:
    frz__free(s->env.a, p.columns);
    frz__free(s->env.a, p.pages);
    frz__free(s->env.a, p.page);
    if (rc < 0) frz__free(s->env.a, p.ranges);
    return rc;
}
