#include "parquet/pq_dec.h"

/* Every index is one of the dictionary's: one pass that the compiler vectorises. */
static int check_indexes(const uint32_t *idx, size_t n, size_t entries, frz_error *err)
{
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) most = idx[i] > most ? idx[i] : most;
    if (most >= entries) return frz__err_corrupt(err, "dictionary: index %" PRIu32 " of %zu entries", most, entries);
    return FRZ_OK;
}

#define GATHER(type)                                                                                                                                                                              \
    do {                                                                                                                                                                                          \
        type *restrict t = (type *)(void *)to;                                                                                                                                                    \
        const type *restrict d = (const type *)(const void *)dict->data;                                                                                                                          \
        for (size_t i = 0; i < n; i++) t[i] = d[idx[i]];                                                                                                                                          \
    } while (0)

static void gather_fixed(const struct vec *dict, size_t width, const uint32_t *idx, size_t n, uint8_t *to)
{
    struct pair { uint64_t a, b; };
    switch (width) {
    case 4: GATHER(uint32_t); break;
    case 8: GATHER(uint64_t); break;
    case 16: GATHER(struct pair); break;
    default:
        for (size_t i = 0; i < n; i++) memcpy(to + i * width, dict->data + idx[i] * width, width);
    }
}

/* N strings behind the DONE that stand behind OUT->len already. */
static int gather_var(const struct vec *dict, const uint32_t *idx, size_t n, struct vec *out, size_t done, size_t rows_left, frz_error *err)
{
    const uint32_t *o = dict->offsets;
    uint32_t start = out->offsets[out->len + done];
    size_t bytes = 0, held = start - out->offsets[out->len]; /* what of this page is not yet in vec_var_bytes */
    for (size_t i = 0; i < n; i++) bytes += o[idx[i] + 1] - o[idx[i]];
    if (start + bytes > VEC_VAR_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "a column vector of %zu bytes is beyond %zu", start + bytes, VEC_VAR_BYTES_MAX);
    if (out->data_cap < (size_t)start + bytes + PQ_SLACK) {
        /* as if the rest were like this batch: few growths, little waste */
        size_t guess = (size_t)((double)bytes / (double)n * (double)rows_left) + bytes / 8;
        if (guess < bytes || guess > (size_t)64 << 20) guess = bytes;
        TRY(frz__vec_reserve(out, done + rows_left, held + guess + PQ_SLACK, err));
    }
    uint8_t *to = out->data;
    uint32_t *offsets = out->offsets + out->len + done + 1;
    uint32_t at = start;
    for (size_t i = 0; i < n; i++) {
        uint32_t from = o[idx[i]], len = o[idx[i] + 1] - from;
        pq_copy_short(to + at, dict->data + from, len);
        at += len;
        offsets[i] = at;
    }
    return FRZ_OK;
}

int frz__pq_dec_dict(slice in, const struct vec *dict, size_t count, struct vec *out, frz_error *err)
{
    uint32_t idx[PQ_RLE_BATCH];
    struct pq_rle r;
    bool var = type_is_var(out->type);
    size_t width = frz__type_width(out->type), n;
    if (count == 0) return FRZ_OK;
    if (in.len < 1) return frz__err_corrupt(err, "dictionary: no index width");
    TRY(frz__pq_dec_rle_init(&r, slice_of(in.data + 1, in.len - 1), in.data[0], err));
    if (var) TRY(frz__vec_reserve(out, count, 0, err));
    for (size_t done = 0; done < count; done += n) {
        size_t want = count - done < PQ_RLE_BATCH ? count - done : PQ_RLE_BATCH;
        TRY(frz__pq_dec_rle_next(&r, want, count - done, idx, &n, err));
        TRY(check_indexes(idx, n, dict->len, err));
        if (var)
            TRY(gather_var(dict, idx, n, out, done, count - done, err));
        else
            gather_fixed(dict, width, idx, n, out->data + (out->len + done) * width);
    }
    return FRZ_OK;
}
