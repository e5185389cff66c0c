/* coding.h — little- and big-endian loads and stores at any alignment, varints, zigzag. Readers are bounded: they never look past END. */
#ifndef FRZ_BASE_CODING_H
#define FRZ_BASE_CODING_H
#include "base/buf.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frazil runs on little-endian machines");

static inline uint16_t load_u16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t load_u32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t load_u64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void store_u16(void *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void store_u32(void *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void store_u64(void *p, uint64_t v) { memcpy(p, &v, 8); }
static inline uint32_t load_u32_be(const void *p) { return __builtin_bswap32(load_u32(p)); }
static inline uint64_t load_u64_be(const void *p) { return __builtin_bswap64(load_u64(p)); }
static inline void store_u32_be(void *p, uint32_t v) { store_u32(p, __builtin_bswap32(v)); }
static inline void store_u64_be(void *p, uint64_t v) { store_u64(p, __builtin_bswap64(v)); }

/* memcpy for the few bytes that values have: no call, and nothing is read or written beyond LEN. */
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t len)
{
    if (len > 32) {
        memcpy(to, from, len);
    } else if (len >= 16) {
        memcpy(to, from, 16);
        memcpy(to + len - 16, from + len - 16, 16);
    } else if (len >= 8) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else if (len >= 4) {
        memcpy(to, from, 4);
        memcpy(to + len - 4, from + len - 4, 4);
    } else if (len) {
        to[0] = from[0];
        to[len >> 1] = from[len >> 1];
        to[len - 1] = from[len - 1];
    }
}

static inline uint64_t zigzag_encode(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }
static inline int64_t zigzag_decode(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

#define VARINT_BYTES_MAX 10
/* ULEB128 into OUT (room for VARINT_BYTES_MAX); gives its length. */
static inline size_t varint_put(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}
static inline FRZ_NODISCARD int buf_append_varint(struct buf *b, uint64_t v, frz_error *err)
{
    int rc = buf_reserve(b, VARINT_BYTES_MAX, err);
    if (rc < 0) return rc;
    b->len += varint_put(b->data + b->len, v);
    return FRZ_OK;
}
static inline FRZ_NODISCARD int buf_append_u32(struct buf *b, uint32_t v, frz_error *err) { return buf_append(b, &v, 4, err); }
static inline FRZ_NODISCARD int buf_append_u64(struct buf *b, uint64_t v, frz_error *err) { return buf_append(b, &v, 8, err); }

/* Reads a varint from *P, not past END; false where it is cut or longer than 64 bits, *P unchanged. */
static inline FRZ_NODISCARD bool varint_get(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    const uint8_t *q = *p;
    for (unsigned shift = 0; q < end && shift < 64; shift += 7) {
        uint8_t byte = *q++;
        if (shift == 63 && byte > 1) return false;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *p = q;
            *out = v;
            return true;
        }
    }
    return false;
}
#endif
