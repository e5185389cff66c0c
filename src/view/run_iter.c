/* run_iter.c — a sorted run as one source: its files one after another, for their key ranges are disjoint. */
#include "view/view.h"

struct run_iter {
    struct iter base;
    const allocator *a;
    const struct view *v;
    const struct run *run;
    struct sst_scan_options o;
    uint32_t taken; /* files that were looked at */
    struct iter *at;
};

static const struct vfile *file_at(const struct view *v, const struct run *run, uint32_t i) { return v->files[v->by_key[run->first + i]]; }

static bool file_meets(const struct vfile *f, slice from, slice to)
{
    if (!f->sst->sorted) return true; /* its bounds are not known */
    return !(from.data && slice_cmp(f->sst->last_key, from) < 0) && !(to.data && slice_cmp(f->sst->first_key, to) >= 0);
}

bool frz__view_run_meets(const struct view *v, const struct run *run, slice from, slice to)
{
    for (uint32_t i = 0; i < run->count; i++)
        if (file_meets(file_at(v, run, i), from, to)) return true;
    return false;
}

/* File I of the run's; its rows are tagged by its index in the view. */
static int open_file(const struct view *v, const struct run *run, uint32_t i, struct sst_scan_options *o, struct iter **out, frz_error *err)
{
    const struct vfile *f = file_at(v, run, i);
    o->mask = f->mask;
    o->mask_fn = f->mask ? frz__mask_clear_dead : NULL;
    TRY(frz__sst_iter_new(f->sst, o, out, err));
    (*out)->tag = v->by_key[run->first + i];
    return FRZ_OK;
}

/* The next file that may have rows, or FRZ_DONE. */
static int open_next(struct run_iter *it, frz_error *err)
{
    iter_free(it->at);
    it->at = NULL;
    while (it->taken < it->run->count) {
        uint32_t i = it->o.reverse ? it->run->count - 1 - it->taken : it->taken;
        it->taken++;
        if (file_meets(file_at(it->v, it->run, i), it->o.from, it->o.to)) return open_file(it->v, it->run, i, &it->o, &it->at, err);
    }
    return FRZ_DONE;
}

static int run_next(struct iter *base, frz_error *err)
{
    struct run_iter *it = (struct run_iter *)base;
    for (;;) {
        int rc = it->at ? iter_next(it->at, err) : FRZ_DONE;
        if (rc == FRZ_OK) {
            base->key = it->at->key;
            base->vecs = it->at->vecs;
            base->index = it->at->index;
            base->pos = it->at->pos;
            base->tag = it->at->tag;
            return FRZ_OK;
        }
        if (rc != FRZ_DONE) return rc;
        rc = open_next(it, err);
        if (rc != FRZ_OK) return rc;
    }
}

static void run_free(struct iter *base)
{
    struct run_iter *it = (struct run_iter *)base;
    iter_free(it->at);
    frz__free(it->a, it);
}

int frz__view_iter_run(const struct view *v, const struct run *run, const struct sst_scan_options *o, struct iter **out, frz_error *err)
{
    static const struct iter_ops ops = {run_next, run_free};
    struct run_iter *it;
    const allocator *a = o->a ? o->a : v->a;
    if (run->count == 1) {
        struct sst_scan_options one = *o;
        return open_file(v, run, 0, &one, out, err);
    }
    TRY(ALLOC_NEW(&it, a, struct run_iter, err));
    *it = (struct run_iter){.base = {.ops = &ops, .op = OP_PUT}, .a = a, .v = v, .run = run, .o = *o};
    int rc = open_next(it, err); /* what can't be read is told at once */
    if (rc < 0) {
        run_free(&it->base);
        return rc;
    }
    *out = &it->base;
    return FRZ_OK;
}
