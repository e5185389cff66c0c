#include "parquet/pq_dec.h"

#define BLOCK_VALUES_MAX (1u << 20)

struct delta {
    const uint8_t *p, *end;
    size_t mini_values, minis; /* of a block */
    int64_t value;             /* the first; then the last that was given */
};

static int cut(frz_error *err) { return frz__err_corrupt(err, "DELTA_BINARY_PACKED: cut"); }

static int delta_open(struct delta *d, slice in, size_t count, frz_error *err)
{
    uint64_t block, minis, total, first;
    *d = (struct delta){.p = in.data, .end = in.data + in.len};
    if (!varint_get(&d->p, d->end, &block) || !varint_get(&d->p, d->end, &minis) || !varint_get(&d->p, d->end, &total) || !varint_get(&d->p, d->end, &first)) return cut(err);
    if (block == 0 || block > BLOCK_VALUES_MAX || minis == 0 || minis > block / 32 || block % minis || block / minis % 32)
        return frz__err_corrupt(err, "DELTA_BINARY_PACKED: %" PRIu64 " values a block in %" PRIu64 " miniblocks", block, minis);
    if (total != count) return frz__err_corrupt(err, "DELTA_BINARY_PACKED: expected %zu values, found %" PRIu64, count, total);
    d->minis = (size_t)minis;
    d->mini_values = (size_t)(block / minis);
    d->value = zigzag_decode(first);
    return FRZ_OK;
}

/* 32 of a miniblock's values: the differences less MIN. */
static void unpack_some(const uint8_t *p, const uint8_t *end, unsigned width, size_t n, uint64_t *out)
{
    uint32_t narrow[32];
    if (width > 32) {
        frz__pq_dec_unpack64(p, end, width, n, out);
        return;
    }
    frz__pq_dec_unpack(p, end, width, n, narrow);
    for (size_t i = 0; i < n; i++) out[i] = narrow[i];
}

/* Sums wrap: as 64 bits, of which a 32-bit column takes the low half. DuckDB writes 33-bit differences into such a column. */
#define DELTA_DECODE(type)                                                                                                                                                                         \
    do {                                                                                                                                                                                           \
        struct delta d;                                                                                                                                                                            \
        uint64_t diff[32], v, min_z;                                                                                                                                                               \
        TRY(delta_open(&d, *in, count, err));                                                                                                                                                      \
        v = (uint64_t)d.value;                                                                                                                                                                     \
        size_t done = 0;                                                                                                                                                                           \
        if (count) out[done++] = (type)v;                                                                                                                                                          \
        while (done < count) {                                                                                                                                                                     \
            if (!varint_get(&d.p, d.end, &min_z)) return cut(err);                                                                                                                                 \
            uint64_t min = (uint64_t)zigzag_decode(min_z);                                                                                                                                         \
            const uint8_t *widths = d.p;                                                                                                                                                           \
            if ((size_t)(d.end - d.p) < d.minis) return cut(err);                                                                                                                                  \
            d.p += d.minis;                                                                                                                                                                        \
            for (size_t m = 0; m < d.minis && done < count; m++) {                                                                                                                                 \
                unsigned width = widths[m];                                                                                                                                                        \
                if (width > 64) return          frz__err_corrupt(err, "DELTA_BINARY_PACKED: differences of %u bits", width);                                                                       \
                size_t bytes = d.mini_values / 8 * width, n = count - done < d.mini_values ? count - done : d.mini_values;                                                                         \
                if ((size_t)(d.end - d.p) < bytes) return cut(err);                                                                                                                                \
                for (size_t i = 0; i < n; i += 32) {                                                                                                                                               \
                    size_t k = n - i < 32 ? n - i : 32;                                                                                                                                            \
                    unpack_some(d.p + i / 8 * width, d.end, width, k, diff);                                                                                                                       \
                    for (size_t j = 0; j < k; j++) out[done++] = (type)(v += min + diff[j]);                                                                                                       \
                }                                                                                                                                                                                  \
                d.p += bytes;                                                                                                                                                                      \
            }                                                                                                                                                                                      \
        }                                                                                                                                                                                          \
        *in = slice_of(d.p, (size_t)(d.end - d.p));                                                                                                                                                \
        return FRZ_OK;                                                                                                                                                                             \
    } while (0)

int frz__pq_dec_delta32(slice *in, size_t count, int32_t *out, frz_error *err) { DELTA_DECODE(int32_t); }
int frz__pq_dec_delta64(slice *in, size_t count, int64_t *out, frz_error *err) { DELTA_DECODE(int64_t); }

/* COUNT lengths into SCRATCH, behind what is there. *SUM of them; each ≥ 0. */
static int take_lengths(slice *in, size_t count, struct buf *scratch, size_t *sum, frz_error *err)
{
    TRY(buf_reserve(scratch, count * 4, err));
    int32_t *lens = (int32_t *)(void *)(scratch->data + scratch->len);
    TRY(frz__pq_dec_delta32(in, count, lens, err));
    *sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (lens[i] < 0) return frz__err_corrupt(err, "DELTA lengths: %" PRId32, lens[i]);
        *sum += (size_t)lens[i];
    }
    scratch->len += count * 4;
    return FRZ_OK;
}

int frz__pq_dec_delta_length(slice in, size_t count, struct buf *scratch, struct vec *out, frz_error *err)
{
    size_t bytes;
    buf_reset(scratch);
    TRY(take_lengths(&in, count, scratch, &bytes, err));
    if (bytes > in.len) return frz__err_corrupt(err, "DELTA_LENGTH_BYTE_ARRAY: %zu bytes of values, %zu left", bytes, in.len);
    TRY(frz__vec_reserve(out, count, bytes, err));
    const int32_t *lens = (const int32_t *)(const void *)scratch->data;
    uint32_t *offsets = out->offsets + out->len;
    if (bytes) memcpy(out->data + offsets[0], in.data, bytes);
    for (size_t i = 0; i < count; i++) offsets[i + 1] = offsets[i] + (uint32_t)lens[i];
    return FRZ_OK;
}

int frz__pq_dec_delta_bytes(slice in, size_t count, struct buf *scratch, struct vec *out, frz_error *err)
{
    size_t prefixes, suffixes, total = 0, last = 0;
    buf_reset(scratch);
    TRY(take_lengths(&in, count, scratch, &prefixes, err));
    TRY(take_lengths(&in, count, scratch, &suffixes, err));
    if (suffixes > in.len) return frz__err_corrupt(err, "DELTA_BYTE_ARRAY: %zu bytes of suffixes, %zu left", suffixes, in.len);
    const int32_t *prefix = (const int32_t *)(const void *)scratch->data, *suffix = prefix + count;
    for (size_t i = 0; i < count; i++) {
        if ((size_t)prefix[i] > last) return frz__err_corrupt(err, "DELTA_BYTE_ARRAY: value %zu: a prefix of %" PRId32 " of %zu bytes", i, prefix[i], last);
        last = (size_t)prefix[i] + (size_t)suffix[i];
        total += last;
    }
    TRY(frz__vec_reserve(out, count, total, err));
    uint32_t *offsets = out->offsets + out->len;
    const uint8_t *from = in.data;
    uint32_t before = offsets[0], at = offsets[0];
    for (size_t i = 0; i < count; i++) {
        uint32_t p = (uint32_t)prefix[i], s = (uint32_t)suffix[i];
        if (p) memcpy(out->data + at, out->data + before, p);
        if (s) memcpy(out->data + at + p, from, s);
        from += s;
        before = at;
        at += p + s;
        offsets[i + 1] = at;
    }
    return FRZ_OK;
}
