#include "parquet/pq_dec.h"

#define BLOCK 256 /* values: WIDTH streams of it stay in the first-level cache */

int frz__pq_dec_bss(slice in, size_t width, size_t count, uint8_t *out, frz_error *err)
{
    if (in.len / width < count) return frz__err_corrupt(err, "BYTE_STREAM_SPLIT: %zu values of %zu bytes in %zu", count, width, in.len);
    size_t stride = in.len / width; /* streams are as long as the page's values, which are COUNT */
    if (stride != count || in.len % width) return frz__err_corrupt(err, "BYTE_STREAM_SPLIT: %zu bytes are not %zu values of %zu", in.len, count, width);
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t to = count - from < BLOCK ? count : from + BLOCK;
        if (width == 8) {
            for (size_t i = from; i < to; i++) {
                uint64_t v = 0;
                for (size_t k = 0; k < 8; k++) v |= (uint64_t)in.data[k * stride + i] << (8 * k);
                store_u64(out + i * 8, v);
            }
        } else if (width == 4) {
            for (size_t i = from; i < to; i++) {
                uint32_t v = 0;
                for (size_t k = 0; k < 4; k++) v |= (uint32_t)in.data[k * stride + i] << (8 * k);
                store_u32(out + i * 4, v);
            }
        } else {
            for (size_t k = 0; k < width; k++)
                for (size_t i = from; i < to; i++) out[i * width + k] = in.data[k * stride + i];
        }
    }
    return FRZ_OK;
}
