/* scan.c — the ordered cursor: memtables and runs of files merged by key, newest first. */
#include "engine/scan.h"

#include "engine/flow.h"

struct cursor {
    const allocator *a;
    struct scan_base b;
    struct iter *it;
    struct codec_ctx *codec; /* all files' */
    frz_row *row;
    uint8_t *read_mask, *wanted_mask; /* columns to fill; to show */
    bool done;
};

/* What has rows to give: memtables, newest first, of which there are *MEMS, then sorted runs, each one source however many files it has. A run alone has its order already: its keys are not asked for. */
static int add_sources(struct cursor *c, bool reverse, struct iter **sources, size_t *count, size_t *mems, frz_error *err)
{
    const struct scan_base *b = &c->b;
    const struct view *v = b->view;
    slice from = scan_from(b), to = scan_to(b);
    for (size_t i = 0; i < v->mem_count; i++) {
        if (mem_versions(v->mems[i]) == 0) continue;
        TRY(frz__mem_iter_new(v->mems[i], b->seq, from, to, reverse, &sources[*count], err));
        sources[(*count)++]->tag = i;
    }
    size_t runs = 0;
    bool sorted = true;
    for (size_t i = 0; i < v->run_count; i++) runs += frz__view_run_meets(v, &v->runs[i], from, to);
    for (size_t i = 0; i < v->file_count; i++) sorted &= v->files[i]->sst->sorted;
    *mems = *count;
    struct sst_scan_options o = {.a = b->t->db->a, .columns = b->columns, .column_count = b->column_count, .keys = !sorted || *count + runs > 1, .from = from, .to = to, .reverse = reverse, .codec = c->codec,
        .pred = b->pred, .memory_bytes = frz__flow_walk_bytes(b->t->db, runs, false)};
    for (size_t i = 0; i < v->run_count; i++) {
        if (!frz__view_run_meets(v, &v->runs[i], from, to)) continue;
        TRY(frz__view_iter_run(v, &v->runs[i], &o, &sources[*count], err));
        (*count)++;
    }
    return FRZ_OK;
}

int frz__cursor_new(struct table *t, struct snapshot *snapshot, const frz_scan_options *o, struct cursor **out, frz_error *err)
{
    struct cursor *c = NULL;
    struct iter **sources = NULL;
    size_t n = 0, mems = 0;
    bool reverse = o && o->struct_size > offsetof(frz_scan_options, reverse) && o->reverse;
    int rc = FRZ_OK;
    TRY(ALLOC_NEW(&c, t->db->a, struct cursor, err));
    c->a = t->db->a;
    rc = frz__scan_base_init(&c->b, t, snapshot, o, err);
    if (rc != FRZ_OK) goto done;
    const struct view *v = c->b.view;
    CHECK(frz__codec_take(t->db, &c->codec, err));
    CHECK(frz__row_new(t->db->a, v->schema, &c->row, err));
    c->row->borrows = true;
    c->read_mask = (uint8_t *)frz__alloc_zero(t->db->a, bits_bytes(v->schema->count));
    c->wanted_mask = (uint8_t *)frz__alloc_zero(t->db->a, bits_bytes(v->schema->count));
    sources = (struct iter **)frz__alloc_array(t->db->a, v->mem_count + v->run_count + 1, sizeof *sources);
    if (!c->read_mask || !c->wanted_mask || !sources) {
        rc = frz__err_no_memory(err, v->run_count * sizeof *sources);
        goto done;
    }
    for (size_t i = 0; i < c->b.column_count; i++) bit_set(c->read_mask, c->b.columns[i]);
    for (size_t i = 0; i < c->b.wanted_count; i++) bit_set(c->wanted_mask, c->b.columns[i]);
    if (!c->b.empty) CHECK(add_sources(c, reverse, sources, &n, &mems, err));
    rc = frz__merge_new(t->db->a, sources, n, reverse, mems == 0, &c->it, err); /* files have no deletes to drop */
    n = 0;
    CHECK(rc);
    frz__scan_base_pin(&c->b);
    *out = c;
    c = NULL;
done:
    for (size_t i = 0; i < n; i++) iter_free(sources[i]);
    frz__free(t->db->a, sources);
    frz__cursor_free(c);
    return rc;
}

static int fill(struct cursor *c, frz_error *err)
{
    struct iter *it = c->it;
    if (it->row.data) {
        slice row = it->row;
        TRY(frz__scan_mem_row(&c->b, (size_t)it->tag, &row, err));
        return frz__row_fill(c->row, it->key, row, c->read_mask, false, err);
    }
    for (size_t i = 0; i < c->b.column_count; i++) frz__vec_get(&it->vecs->cols[i], it->index, &c->row->values[c->b.columns[i]]);
    return FRZ_OK;
}

/* What it holds goes now, its handle at close. */
static int given_up(struct cursor *c, frz_error *err)
{
    iter_free(c->it);
    c->it = NULL;
    frz__view_release(c->b.view);
    c->b.view = NULL;
    return frz__keep_check(&c->b.keep, err);
}

int frz__cursor_next(struct cursor *c, const frz_row **row, frz_error *err)
{
    TRY(frz__db_check(c->b.t->db, err));
    if (atomic_load_explicit(&c->b.keep.given_up, memory_order_acquire)) return given_up(c, err);
    if (c->done || c->b.given >= c->b.limit) return FRZ_DONE;
    for (;;) {
        int rc = iter_next(c->it, err);
        if (rc == FRZ_DONE) c->done = true;
        frz__health_read(c->b.t, rc, err);
        if (rc != FRZ_OK) return rc;
        TRY(fill(c, err));
        if (c->b.pred && !frz__pred_eval_row(c->b.pred, c->row->values)) continue;
        memcpy(c->row->set, c->wanted_mask, bits_bytes(c->b.view->schema->count));
        c->b.given++;
        *row = c->row;
        return FRZ_OK;
    }
}

bool frz__cursor_forked(const struct cursor *c) { return frz__db_check(c->b.t->db, NULL) < 0; }

void frz__cursor_free(struct cursor *c)
{
    if (!c) return;
    const allocator *a = c->a;
    iter_free(c->it);
    if (c->row) {
        c->row->borrows = false;
        frz_row_free(c->row);
    }
    frz__free(a, c->read_mask);
    frz__free(a, c->wanted_mask);
    if (c->codec) frz__codec_give(c->b.t->db, c->codec);
    frz__scan_base_clear(&c->b);
    frz__free(a, c);
}
