#include "parquet/pq_enc.h"

/* A run shorter than this costs no less as an RLE run than inside a bit-packed one. */
static size_t run_min(unsigned width) { return width == 1 ? 32 : width <= 4 ? 16 : 8; }

/* COUNT values, padded with zeroes to a multiple of 8: WIDTH bytes for each 8. */
static void pack(const uint32_t *v, size_t count, unsigned width, uint8_t *out)
{
    uint64_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++) {
        acc |= (uint64_t)v[i] << bits;
        bits += width;
        if (bits >= 32) {
            store_u32(out, (uint32_t)acc);
            out += 4;
            acc >>= 32;
            bits -= 32;
        }
    }
    for (size_t pad = (8 - count % 8) % 8 * width; bits || pad;) { /* the rest, and zeroes: ends at a whole byte */
        while (bits < 8 && pad) {
            size_t take = pad < 8 - bits ? pad : 8 - bits;
            bits += (unsigned)take;
            pad -= take;
        }
        *out++ = (uint8_t)acc;
        acc >>= 8;
        bits = bits > 8 ? bits - 8 : 0;
    }
}

static int literal(const uint32_t *v, size_t count, unsigned width, struct buf *out, frz_error *err)
{
    if (count == 0) return FRZ_OK;
    size_t groups = (count + 7) / 8;
    TRY(buf_reserve(out, VARINT_BYTES_MAX + groups * width + 4, err));
    out->len += varint_put(out->data + out->len, (uint64_t)groups << 1 | 1);
    pack(v, count, width, out->data + out->len);
    out->len += groups * width;
    return FRZ_OK;
}

int frz__pq_rle_run(uint32_t value, uint64_t count, unsigned width, struct buf *out, frz_error *err)
{
    TRY(buf_reserve(out, VARINT_BYTES_MAX + 4, err));
    out->len += varint_put(out->data + out->len, count << 1);
    store_u32(out->data + out->len, value);
    out->len += (width + 7) / 8;
    return FRZ_OK;
}

int frz__pq_rle_encode(const uint32_t *v, size_t count, unsigned width, struct buf *out, frz_error *err)
{
    FRZ_ASSERT(width >= 1);
    FRZ_ASSERT(width <= 32);
    size_t start = 0, min = run_min(width), i = 0; /* start: of the values that are not written yet; a multiple of 8 lies between it and i */
    while (i < count) {
        if (count - i >= min && v[i] == v[i + 1] && v[i] == v[i + 2] && v[i] == v[i + 3]) {
            size_t end = i + 4;
            while (end < count && v[end] == v[i]) end++;
            if (end - i >= min) {
                TRY(literal(v + start, i - start, width, out, err));
                TRY(frz__pq_rle_run(v[i], end - i, width, out, err));
                start = i = end;
                continue;
            }
        }
        i += 8;
    }
    return literal(v + start, count - start, width, out, err);
}

#define BIT_RUN_BYTES_MIN 4
int frz__pq_rle_bits(const uint8_t *bits, size_t count, struct buf *out, frz_error *err)
{
    size_t whole = count / 8, bytes = bits_bytes(count), start = 0, i = 0;
    TRY(buf_reserve(out, bytes + VARINT_BYTES_MAX, err));
    while (i <= whole) {
        size_t end = i;
        if (i < whole && (bits[i] == 0 || bits[i] == 0xFF))
            while (end < whole && bits[end] == bits[i]) end++;
        bool run = end - i >= BIT_RUN_BYTES_MIN;
        if (run || i == whole) {
            size_t n = (i == whole ? bytes : i) - start;
            if (n) {
                TRY(buf_append_varint(out, (uint64_t)n << 1 | 1, err));
                TRY(buf_append(out, bits + start, n, err));
            }
            if (i == whole) break;
            TRY(frz__pq_rle_run(bits[i] & 1, (uint64_t)(end - i) * 8, 1, out, err));
            start = end;
        }
        i = end > i ? end : i + 1;
    }
    return FRZ_OK;
}

int frz__pq_levels_encode(struct pq_scratch *s, const struct vec *v, size_t from, size_t count, size_t nulls, struct buf *out, frz_error *err)
{
    size_t at = out->len;
    TRY(buf_append_u32(out, 0, err));
    if (nulls == 0 || nulls == count) {
        TRY(frz__pq_rle_run(nulls == 0, count, 1, out, err));
    } else {
        buf_reset(&s->bits);
        TRY(buf_reserve(&s->bits, bits_bytes(count), err));
        frz__pq_bits_extract(s->bits.data, v->validity, from, count);
        TRY(frz__pq_rle_bits(s->bits.data, count, out, err));
    }
    store_u32(out->data + at, (uint32_t)(out->len - at - 4));
    return FRZ_OK;
}
