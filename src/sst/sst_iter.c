#include "sst/sst_int.h"

/* Rows one by one, a key page at a time. */
struct sst_iter {
    struct iter base;
    const allocator *a;
    const frz_schema *schema;
    struct sst_fetch *fetch;
    bool reverse, keys_wanted, done;
    const void *mask;
    sst_mask_fn mask_fn;
    struct vecs all;   /* slots of the fetch */
    struct vecs shown; /* the first of them: what base.vecs points to */
    const struct vec **key_cols;
    struct sst_keys keys;
    size_t batch_rows, batch_bytes; /* rows of the next batch; what one may take, 0 = anything */
    uint8_t selected[SST_KEY_PAGE_ROWS / 8];
    uint64_t first;
    size_t rows, at; /* forward: next to look at; backward: one above it */
};

#define FIRST_ROWS 32 /* before it is known how wide rows are */

/* The next batch is as large as memory allows rows like those of the last one. */
static void learn_width(struct sst_iter *it)
{
    size_t bytes = 0;
    if (!it->batch_bytes) return;
    for (size_t i = 0; i < it->all.count; i++) bytes += vec_used(&it->all.cols[i]);
    size_t row = bytes / it->rows + 1, rows = it->batch_bytes / row;
    if (rows > it->rows * 4) rows = it->rows * 4; /* the next ones may be wider */
    it->batch_rows = rows < 1 ? 1 : rows > SST_KEY_PAGE_ROWS ? SST_KEY_PAGE_ROWS : rows;
}

/* The next batch with a live row in it. */
static int iter_load(struct sst_iter *it, frz_error *err)
{
    do {
        it->rows = 0;
        int rc = frz__sst_fetch_next(it->fetch, it->batch_rows, it->all.cols, &it->first, &it->rows, err);
        if (rc != FRZ_OK) {
            it->rows = 0;
            it->at = 0;
            it->done = rc == FRZ_DONE;
            return rc;
        }
        learn_width(it);
        memset(it->selected, 0xFF, sizeof it->selected);
        if (it->mask_fn) it->mask_fn(it->mask, it->first, it->rows, it->selected);
    } while (it->mask_fn && bits_count(it->selected, it->rows) == 0);
    it->at = it->reverse ? it->rows : 0;
    it->all.rows = it->shown.rows = it->rows;
    if (!it->keys_wanted) return FRZ_OK;
    for (size_t i = 0; i < it->schema->key_count; i++)
        if (it->key_cols[i]->nulls) return frz__err_corrupt(err, "a key column has nulls at row %" PRIu64 " and behind", it->first);
    return frz__sst_keys_encode(it->schema, it->key_cols, 0, it->rows, &it->keys, err);
}

static int iter_do_next(struct iter *base, frz_error *err)
{
    struct sst_iter *it = (struct sst_iter *)base;
    for (;;) {
        size_t i;
        if (it->reverse ? it->at == 0 : it->at == it->rows) {
            if (it->done) return FRZ_DONE;
            int rc = iter_load(it, err);
            if (rc != FRZ_OK) return rc;
        }
        i = it->reverse ? --it->at : it->at++;
        if (!bit_get(it->selected, i)) continue;
        base->index = i;
        base->pos = it->first + i;
        if (it->keys_wanted) base->key = sst_key(&it->keys, i);
        return FRZ_OK;
    }
}

static void iter_do_free(struct iter *base)
{
    struct sst_iter *it = (struct sst_iter *)base;
    if (it->all.cols) frz__vecs_clear(&it->all);
    frz__sst_keys_clear(&it->keys);
    frz__free(it->a, it->key_cols);
    frz__sst_fetch_free(it->fetch);
    frz__free(it->a, it);
}

int frz__sst_iter_new(struct sst *s, const struct sst_scan_options *o, struct iter **out, frz_error *err)
{
    static const struct iter_ops ops = {iter_do_next, iter_do_free};
    int rc = FRZ_OK;
    struct sst_iter *it;
    const allocator *a = frz__sst_scan_allocator(s, o);
    const frz_type *types;
    TRY(ALLOC_NEW(&it, a, struct sst_iter, err));
    it->a = a;
    it->schema = s->impl->schema; /* the fetch holds S */
    it->keys = SST_KEYS_INIT(a);
    it->reverse = o->reverse;
    it->keys_wanted = o->keys;
    it->batch_bytes = o->memory_bytes / 2;
    it->batch_rows = it->batch_bytes ? FIRST_ROWS : SST_KEY_PAGE_ROWS;
    it->mask = o->mask;
    it->mask_fn = o->mask ? o->mask_fn : NULL;
    CHECK(frz__sst_fetch_new(s, o, o->keys, &it->fetch, err));
    size_t count = frz__sst_fetch_slots(it->fetch, &types);
    CHECK(frz__vecs_init(&it->all, a, types, count, err));
    it->shown = (struct vecs){a, 0, frz__sst_fetch_shown(it->fetch), it->all.cols};
    it->key_cols = (const struct vec **)frz__alloc_array(a, it->schema->key_count, sizeof *it->key_cols);
    if (!it->key_cols) CHECK(frz__err_no_memory(err, it->schema->key_count * sizeof *it->key_cols));
    for (size_t i = 0; o->keys && i < it->schema->key_count; i++) it->key_cols[i] = &it->all.cols[frz__sst_fetch_key_slots(it->fetch)[i]];
    it->base = (struct iter){.ops = &ops, .op = OP_PUT, .vecs = &it->shown, .tag = s->file_no};
    *out = &it->base;
done:
    if (rc < 0) iter_do_free(&it->base);
    return rc;
}
