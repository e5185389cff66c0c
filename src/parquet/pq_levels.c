#include "parquet/pq_dec.h"
#include "parquet/pq_meta.h"

static unsigned level_width(int max)
{
    unsigned w = 0;
    for (; max; max >>= 1) w++;
    return w;
}

int frz__pq_dec_levels_take(slice *in, int encoding, int max, size_t count, slice *levels, frz_error *err)
{
    size_t bytes, head = 0;
    *levels = slice_of(NULL, 0);
    if (max == 0) return FRZ_OK;
    if (encoding == PQ_RLE) {
        if (in->len < 4) return frz__err_corrupt(err, "levels: no length in %zu bytes", in->len);
        bytes = load_u32(in->data);
        head = 4;
    } else if (encoding == PQ_BIT_PACKED) {
        bytes = bits_bytes(count * level_width(max));
    } else {
        return frz__err(err, FRZ_UNSUPPORTED, "levels in encoding %d", encoding);
    }
    if (bytes > in->len - head) return frz__err_corrupt(err, "levels: %zu bytes of %zu left in the page", bytes, in->len - head);
    *levels = slice_of(in->data + head, bytes);
    *in = slice_of(in->data + head + bytes, in->len - head - bytes);
    return FRZ_OK;
}

/* The deprecated BIT_PACKED has the most significant bit first. */
static int packed_level(slice levels, unsigned width, size_t i)
{
    int v = 0;
    for (size_t bit = i * width; bit < (i + 1) * width; bit++) v = v << 1 | (levels.data[bit / 8] >> (7 - bit % 8) & 1);
    return v;
}

int frz__pq_dec_validity(slice levels, int encoding, size_t count, uint8_t *bits, size_t at, size_t *valid, frz_error *err)
{
    if (encoding == PQ_RLE) return frz__pq_dec_rle_bits(levels, count, bits, at, valid, err);
    size_t n = 0;
    if (levels.len < bits_bytes(count)) return frz__err_corrupt(err, "levels: %zu bytes for %zu values", levels.len, count);
    for (size_t i = 0; i < count; i++) {
        int v = packed_level(levels, 1, i);
        bit_put(bits, at + i, v);
        n += (size_t)v;
    }
    *valid = n;
    return FRZ_OK;
}

int frz__pq_dec_levels_check(slice levels, int encoding, int max, size_t count, size_t *at_max, size_t *zeroes, frz_error *err)
{
    unsigned width = level_width(max);
    uint32_t batch[PQ_RLE_BATCH];
    struct pq_rle r;
    size_t top = 0, zero = 0, n;
    if (max == 0) {
        *at_max = *zeroes = count;
        return FRZ_OK;
    }
    TRY(frz__pq_dec_rle_init(&r, levels, width, err));
    if (encoding == PQ_BIT_PACKED && levels.len < bits_bytes(count * width)) return frz__err_corrupt(err, "levels: %zu bytes for %zu values", levels.len, count);
    for (size_t done = 0; done < count; done += n) {
        size_t want = count - done < PQ_RLE_BATCH ? count - done : PQ_RLE_BATCH;
        if (encoding == PQ_BIT_PACKED) {
            n = want;
            for (size_t i = 0; i < n; i++) batch[i] = (uint32_t)packed_level(levels, width, done + i);
        } else {
            TRY(frz__pq_dec_rle_next(&r, want, count - done, batch, &n, err));
        }
        for (size_t i = 0; i < n; i++) {
            if (batch[i] > (uint32_t)max) return frz__err_corrupt(err, "levels: %" PRIu32 " is above %d", batch[i], max);
            top += batch[i] == (uint32_t)max;
            zero += batch[i] == 0;
        }
    }
    *at_max = top;
    *zeroes = zero;
    return FRZ_OK;
}

bool frz__pq_dec_levels_begin_0(slice levels, int encoding, int max)
{
    size_t top, zeroes;
    return frz__pq_dec_levels_check(levels, encoding, max, 1, &top, &zeroes, NULL) == FRZ_OK && zeroes == 1;
}
