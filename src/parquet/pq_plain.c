#include "parquet/pq_dec.h"

int frz__pq_dec_plain_fixed(slice in, size_t width, size_t count, void *out, frz_error *err)
{
    if (in.len / width < count) return frz__err_corrupt(err, "PLAIN: %zu values of %zu bytes in %zu", count, width, in.len);
    if (count) memcpy(out, in.data, count * width);
    return FRZ_OK;
}

int frz__pq_dec_plain_bits(slice in, size_t count, uint8_t *bits, size_t at, frz_error *err)
{
    if (in.len < bits_bytes(count)) return frz__err_corrupt(err, "PLAIN: %zu booleans in %zu bytes", count, in.len);
    if (count) frz__pq_bits_copy(bits, at, in.data, 0, count);
    return FRZ_OK;
}

int frz__pq_dec_plain_var(slice in, size_t count, struct vec *out, frz_error *err)
{
    if (in.len / 4 < count) return frz__err_corrupt(err, "PLAIN: %zu lengths in %zu bytes", count, in.len);
    size_t left = in.len - 4 * count; /* bytes of values still to come: what is reserved, and what bounds each length */
    TRY(frz__vec_reserve(out, count, left + PQ_SLACK, err));
    const uint8_t *p = in.data, *end = p + in.len;
    uint32_t *offsets = out->offsets + out->len;
    uint32_t start = offsets[0];
    uint8_t *to = out->data + start;
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t len = load_u32(p);
        p += 4;
        if (len > left) return frz__err_corrupt(err, "PLAIN: value %zu of %zu: %" PRIu32 " bytes, %zu left for values", i, count, len, left);
        left -= len;
        if (len <= 16 && end - p >= 16)
            memcpy(to + at, p, 16); /* room behind is reserved */
        else
            memcpy(to + at, p, len);
        p += len;
        at += len;
        offsets[i + 1] = start + at;
    }
    return FRZ_OK;
}
