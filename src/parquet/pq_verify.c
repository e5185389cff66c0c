/* Reads all there is and reports what does not agree. Pages are found by walking the headers, so that the offset index is checked too. */
#include <math.h>
#include <stdio.h>

#include "base/utf8.h"
#include "parquet/pq_file.h"

struct verify {
    struct pq_file *f;
    struct codec_ctx *ctx;
    int (*fn)(void *ctx, const char *where, const char *what);
    void *fn_ctx;
    uint64_t *pages;
    size_t group, column;
    int64_t page; /* -1 = of the column */
    bool unread;  /* some of the column */
    frz_error *err;
};

static FRZ_PRINTF(2, 3) int report(struct verify *v, const char *fmt, ...)
{
    char where[512], what[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    int n = snprintf(where, sizeof where, "%s: row group %zu, column %s", v->f->src.name, v->group, v->f->leaves[v->column].col.name);
    if (v->page >= 0 && n > 0 && (size_t)n < sizeof where) snprintf(where + n, sizeof where - (size_t)n, ", page %" PRId64, v->page);
    return v->fn(v->fn_ctx, where, what);
}

/* What the bytes say is a finding; what keeps us from reading them is an error. */
static int finding(struct verify *v, int rc, const frz_error *e)
{
    v->unread = true;
    if (rc == FRZ_CORRUPT || rc == FRZ_UNSUPPORTED || rc == FRZ_TOO_LARGE) return report(v, "%s", e->message);
    return frz__err(v->err, rc, "%s", e->message);
}

/* ── values against statistics ── */

struct totals { uint64_t nulls, nans; };

static bool is_nan(const frz_value *x) { return x->type == FRZ_FLOAT ? isnan(x->as.f32) : x->type == FRZ_DOUBLE && isnan(x->as.f64); }

static int check_values(struct verify *v, const struct vec *vec, const struct pred_stats *group, bool group_known, const struct pred_stats *page, bool page_known, struct totals *t)
{
    uint64_t nans = 0;
    bool text_bad = false, group_bad = false, page_bad = false;
    for (size_t i = 0; i < vec->len; i++) {
        frz_value x;
        frz__vec_get(vec, i, &x);
        if (value_is_null(&x)) continue;
        if (is_nan(&x)) {
            nans++;
            continue;
        }
        if (x.type == FRZ_STRING && frz__utf8_check(value_slice(&x)) != x.as.bytes.len) text_bad = true;
        if (group_known) group_bad |= (group->has_min && frz__value_cmp(&x, &group->min) < 0) || (group->has_max && frz__value_cmp(&x, &group->max) > 0);
        if (page_known) page_bad |= (page->has_min && frz__value_cmp(&x, &page->min) < 0) || (page->has_max && frz__value_cmp(&x, &page->max) > 0);
    }
    t->nulls += vec->nulls;
    t->nans += nans;
    if (text_bad) TRY(report(v, "a string is not UTF-8"));
    if (group_bad) TRY(report(v, "a value is outside the minimum and maximum of the row group"));
    if (page_bad) TRY(report(v, "a value is outside the minimum and maximum of the column index"));
    if (page_known && page->has_nulls && page->nulls != vec->nulls) TRY(report(v, "column index: %" PRIu64 " nulls, found %zu", page->nulls, vec->nulls));
    if (page_known && !page->maybe_nan && nans) TRY(report(v, "column index: no NaN, found %" PRIu64, nans));
    return FRZ_OK;
}

/* ── pages ── */

/* Levels of a page whose values are not decoded. */
static int check_levels(struct verify *v, const struct pq_page *p, const struct pq_leaf *l, frz_error *e)
{
    struct pq_body b;
    size_t top, zeroes;
    TRY(frz__pq_page_body(p, l, pq_chunk_of(v->f, v->group, v->column)->codec, v->ctx, &b, e));
    TRY(frz__pq_dec_levels_check(b.rep, p->h.rep_encoding, l->max_rep, (size_t)p->h.values, &top, &zeroes, e));
    if (v->page == 0 && l->max_rep && p->h.values && !frz__pq_dec_levels_begin_0(b.rep, p->h.rep_encoding, l->max_rep)) return frz__err_corrupt(e, "the first repetition level is not 0");
    return frz__pq_dec_levels_check(b.def, p->h.def_encoding, l->max_def, (size_t)p->h.values, &top, &zeroes, e);
}

static int verify_page(struct verify *v, const struct pq_chunk_pages *pages, const struct pq_plan *plan, const struct vec *dict, struct vec *values, struct totals *t)
{
    const struct pq_leaf *l = &v->f->leaves[v->column];
    const struct pq_chunk *k = pq_chunk_of(v->f, v->group, v->column);
    struct buf *b = frz__codec_scratch(v->ctx, PQ_SCRATCH_FILE);
    size_t page = (size_t)v->page;
    struct pred_stats group, of_page;
    struct pq_page p;
    bool page_known = false;
    frz_error e = {0};
    int rc = frz__pq_read(v->f, pages->pub.offset[page], pages->pub.bytes[page], b, &e);
    if (rc >= 0) rc = frz__pq_page_open(buf_slice(b), k->codec, &p, &e);
    if (rc < 0) return finding(v, rc, &e);
    if (!plan) {
        rc = check_levels(v, &p, l, &e);
        return rc < 0 ? finding(v, rc, &e) : FRZ_OK;
    }
    vec_reset(values);
    rc = frz__pq_page_decode(&p, l, plan, k->codec, dict, v->ctx, values, &e);
    if (rc < 0) return finding(v, rc, &e);
    bool group_known = frz__pq_group_stats(v->f, v->group, v->column, &group);
    if (frz__pq_page_stats(v->f, v->group, v->column, page, &of_page, &page_known, NULL) < 0) page_known = false; /* reported once, of the column */
    return check_values(v, values, &group, group_known, &of_page, page_known, t);
}

/* The indexes against what walking found. */
static int verify_indexes(struct verify *v, const struct pq_chunk_pages *walked)
{
    const struct pq_chunk_pages *said;
    const struct pq_column_index *x;
    frz_error e = {0};
    int rc = frz__pq_chunk_pages(v->f, v->group, v->column, &said, &e);
    if (rc < 0) return finding(v, rc, &e);
    if (said->pub.count != walked->pub.count) {
        TRY(report(v, "offset index: %zu pages, found %zu", said->pub.count, walked->pub.count));
    } else {
        for (size_t i = 0; i < said->pub.count; i++) {
            if (said->pub.offset[i] == walked->pub.offset[i] && said->pub.bytes[i] == walked->pub.bytes[i] && said->pub.first_row[i] == walked->pub.first_row[i]) continue;
            TRY(report(v, "offset index: page %zu: row %" PRIu64 ", %" PRIu32 " bytes at %" PRIu64 "; found row %" PRIu64 ", %" PRIu32 " bytes at %" PRIu64, i, said->pub.first_row[i], said->pub.bytes[i],
                       said->pub.offset[i], walked->pub.first_row[i], walked->pub.bytes[i], walked->pub.offset[i]));
        }
    }
    rc = frz__pq_chunk_index(v->f, v->group, v->column, &x, &e);
    if (rc < 0) return finding(v, rc, &e);
    if (x && x->count != walked->pub.count) TRY(report(v, "column index: %zu pages, found %zu", x->count, walked->pub.count));
    return FRZ_OK;
}

static int verify_totals(struct verify *v, const struct totals *t)
{
    const struct pq_statistics *s = &pq_chunk_of(v->f, v->group, v->column)->statistics;
    v->page = -1;
    if (!pq_chunk_of(v->f, v->group, v->column)->has_statistics) return FRZ_OK;
    if (s->nulls >= 0 && (uint64_t)s->nulls != t->nulls) TRY(report(v, "statistics: %" PRId64 " nulls, found %" PRIu64, s->nulls, t->nulls));
    if (s->nans >= 0 && (uint64_t)s->nans != t->nans) TRY(report(v, "statistics: %" PRId64 " NaNs, found %" PRIu64, s->nans, t->nans));
    return FRZ_OK;
}

static int verify_column(struct verify *v)
{
    const struct pq_leaf *l = &v->f->leaves[v->column];
    bool readable = l->col.type.id != FRZ_NULL, has_dict = false;
    struct pq_chunk_pages *pages = NULL;
    struct totals t = {0};
    struct vec dict, values;
    struct pq_plan plan;
    frz_error e = {0};
    int rc;
    v->page = -1;
    v->unread = false;
    frz__vec_init(&dict, v->f->a, l->col.type);
    frz__vec_init(&values, v->f->a, l->col.type);
    rc = frz__pq_walk(v->f, v->group, v->column, &pages, &e);
    if (rc >= 0 && readable) rc = frz__pq_plan(l, l->col.type, &plan, &e);
    if (rc >= 0 && readable && pages->dict_bytes) {
        rc = frz__pq_dict_load(v->f, v->group, v->column, pages, &plan, v->ctx, &dict, &e);
        has_dict = rc >= 0;
    }
    if (rc < 0) {
        rc = finding(v, rc, &e);
        goto done;
    }
    if (l->max_rep == 0) CHECK(verify_indexes(v, pages));
    for (size_t i = 0; i < pages->pub.count; i++) {
        v->page = (int64_t)i;
        CHECK(verify_page(v, pages, readable ? &plan : NULL, has_dict ? &dict : NULL, &values, &t));
        ++*v->pages;
    }
    if (readable && !v->unread) CHECK(verify_totals(v, &t));
done:
    frz__free(v->f->a, pages);
    frz__vec_clear(&dict);
    frz__vec_clear(&values);
    return rc;
}

int frz__pq_verify(struct pq_file *f, struct codec_ctx *codec, int (*fn)(void *ctx, const char *where, const char *what), void *ctx, uint64_t *pages, frz_error *err)
{
    struct verify v = {.f = f, .ctx = codec, .fn = fn, .fn_ctx = ctx, .pages = pages, .err = err};
    uint8_t magic[4];
    *pages = 0;
    TRY(f->src.read(f->src.ctx, 0, magic, sizeof magic, err));
    if (memcmp(magic, "PAR1", 4) != 0) TRY(fn(ctx, f->src.name, "it does not begin with PAR1"));
    if ((uint64_t)f->foot.rows != frz__pq_rows(f)) {
        char what[100];
        snprintf(what, sizeof what, "%" PRId64 " rows said, %" PRIu64 " in the row groups", f->foot.rows, frz__pq_rows(f));
        TRY(fn(ctx, f->src.name, what));
    }
    for (v.group = 0; v.group < f->foot.group_count; v.group++)
        for (v.column = 0; v.column < f->leaf_count; v.column++) TRY(verify_column(&v));
    return FRZ_OK;
}
