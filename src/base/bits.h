/* bits.h — bit sets, least significant bit first, as Arrow's validity and Parquet's booleans have them. */
#ifndef FRZ_BASE_BITS_H
#define FRZ_BASE_BITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline size_t bits_bytes(size_t bits) { return (bits + 7) / 8; }
static inline bool bit_get(const uint8_t *b, size_t i) { return (b[i >> 3] >> (i & 7)) & 1; }
static inline void bit_set(uint8_t *b, size_t i) { b[i >> 3] = (uint8_t)(b[i >> 3] | (1u << (i & 7))); }
static inline void bit_clear(uint8_t *b, size_t i) { b[i >> 3] = (uint8_t)(b[i >> 3] & ~(1u << (i & 7))); }
static inline void bit_put(uint8_t *b, size_t i, bool v) { v ? bit_set(b, i) : bit_clear(b, i); }
static inline size_t bits_count(const uint8_t *b, size_t bits)
{
    size_t n = 0, i = 0;
    for (; i + 64 <= bits; i += 64) {
        uint64_t w;
        memcpy(&w, b + i / 8, 8);
        n += (size_t)__builtin_popcountll(w);
    }
    for (; i < bits; i++) n += bit_get(b, i);
    return n;
}
#endif
