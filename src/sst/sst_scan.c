#include "sst/sst_int.h"

/* Whole vectors of live rows. Without dead rows in a batch they go out as Parquet's reader made them. */
struct sst_scan {
    const allocator *a;
    struct sst_fetch *fetch;
    const void *mask;
    sst_mask_fn mask_fn;
    uint8_t *selected;
    uint32_t *rows; /* of the live ones */
    size_t cap;
    struct vecs spare; /* what was compacted away from */
};

int frz__sst_scan_new(struct sst *s, const struct sst_scan_options *o, struct sst_scan **out, frz_error *err)
{
    int rc = FRZ_OK;
    struct sst_scan *sc;
    const frz_type *types;
    FRZ_VERIFY(!o->reverse, err);
    const allocator *a = frz__sst_scan_allocator(s, o);
    TRY(ALLOC_NEW(&sc, a, struct sst_scan, err));
    sc->a = a;
    sc->mask = o->mask;
    sc->mask_fn = o->mask ? o->mask_fn : NULL;
    CHECK(frz__sst_fetch_new(s, o, false, &sc->fetch, err));
    size_t count = frz__sst_fetch_slots(sc->fetch, &types);
    CHECK(frz__vecs_init(&sc->spare, a, types, count, err));
    *out = sc;
done:
    if (rc < 0) frz__sst_scan_free(sc);
    return rc;
}

void frz__sst_scan_free(struct sst_scan *sc)
{
    if (!sc) return;
    if (sc->spare.cols) frz__vecs_clear(&sc->spare);
    frz__free(sc->a, sc->selected);
    frz__free(sc->a, sc->rows);
    frz__sst_fetch_free(sc->fetch);
    frz__free(sc->a, sc);
}

static int scan_room(struct sst_scan *sc, size_t rows, frz_error *err)
{
    if (rows <= sc->cap) return FRZ_OK;
    uint8_t *selected = (uint8_t *)frz__realloc(sc->a, sc->selected, bits_bytes(rows));
    if (!selected) return frz__err_no_memory(err, bits_bytes(rows));
    sc->selected = selected;
    uint32_t *live = (uint32_t *)frz__realloc(sc->a, sc->rows, rows * sizeof *live);
    if (!live) return frz__err_no_memory(err, rows * sizeof *live);
    sc->rows = live;
    sc->cap = rows;
    return FRZ_OK;
}

/* Takes the dead rows out of OUT. */
static int scan_compact(struct sst_scan *sc, struct vecs *out, size_t rows, size_t live, frz_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < rows; i++)
        if (bit_get(sc->selected, i)) sc->rows[n++] = (uint32_t)i;
    FRZ_ASSERT(n == live);
    for (size_t c = 0; c < out->count; c++) {
        struct vec *spare = &sc->spare.cols[c];
        vec_reset(spare);
        TRY(frz__vec_append_select(spare, &out->cols[c], sc->rows, n, err));
        struct vec t = out->cols[c];
        out->cols[c] = *spare;
        *spare = t;
    }
    return FRZ_OK;
}

int frz__sst_scan_next(struct sst_scan *sc, size_t max_rows, struct vecs *out, frz_error *err)
{
    const frz_type *types;
    FRZ_VERIFY(out->count == frz__sst_fetch_slots(sc->fetch, &types), err);
    for (;;) {
        uint64_t first;
        size_t rows;
        out->rows = 0;
        int rc = frz__sst_fetch_next(sc->fetch, max_rows, out->cols, &first, &rows, err);
        if (rc != FRZ_OK) return rc;
        out->rows = rows;
        if (!sc->mask_fn) return FRZ_OK;
        TRY(scan_room(sc, rows, err));
        memset(sc->selected, 0xFF, bits_bytes(rows));
        sc->mask_fn(sc->mask, first, rows, sc->selected);
        out->rows = bits_count(sc->selected, rows);
        if (out->rows == 0) continue;
        return out->rows == rows ? FRZ_OK : scan_compact(sc, out, rows, out->rows, err);
    }
}
