/* CRC-32C three ways: tables (slicing by 8), the SSE4.2 instruction, and the instruction in three interleaved lanes for long input, since it has a latency of three and a throughput of one. The lanes are put
 * together by shifting a remainder over a lane's worth of zero bytes, which is linear and so a table per byte. */
#include "base/hash.h"

#include "base/coding.h"

#define POLY 0x82F63B78u /* reflected */
#define LANE_LONG  ((size_t)4096)
#define LANE_SHORT ((size_t)256)

static uint32_t slices[8][256];
static uint32_t (*update)(uint32_t state, const uint8_t *p, size_t len);

static uint32_t update_portable(uint32_t state, const uint8_t *p, size_t len)
{
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t v = load_u64(p) ^ state;
        state = slices[7][v & 255] ^ slices[6][v >> 8 & 255] ^ slices[5][v >> 16 & 255] ^ slices[4][v >> 24 & 255] ^ slices[3][v >> 32 & 255] ^
                slices[2][v >> 40 & 255] ^ slices[1][v >> 48 & 255] ^ slices[0][v >> 56];
    }
    for (; len; p++, len--) state = state >> 8 ^ slices[0][(state ^ *p) & 255];
    return state;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static uint32_t shift_long[4][256], shift_short[4][256];

static uint32_t shift(uint32_t table[4][256], uint32_t state)
{
    return table[0][state & 255] ^ table[1][state >> 8 & 255] ^ table[2][state >> 16 & 255] ^ table[3][state >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t lanes(uint32_t state, const uint8_t **at, size_t *len, size_t lane, uint32_t table[4][256])
{
    const uint8_t *p = *at;
    for (; *len >= 3 * lane; p += 2 * lane, *len -= 3 * lane) {
        uint64_t a = state, b = 0, c = 0;
        for (const uint8_t *end = p + lane; p < end; p += 8) {
            a = _mm_crc32_u64(a, load_u64(p));
            b = _mm_crc32_u64(b, load_u64(p + lane));
            c = _mm_crc32_u64(c, load_u64(p + 2 * lane));
        }
        state = shift(table, shift(table, (uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    *at = p;
    return state;
}

__attribute__((target("sse4.2"))) static uint32_t update_sse42(uint32_t state, const uint8_t *p, size_t len)
{
    state = lanes(state, &p, &len, LANE_LONG, shift_long);
    state = lanes(state, &p, &len, LANE_SHORT, shift_short);
    uint64_t wide = state;
    for (; len >= 8; p += 8, len -= 8) wide = _mm_crc32_u64(wide, load_u64(p));
    state = (uint32_t)wide;
    for (; len; p++, len--) state = _mm_crc32_u8(state, *p);
    return state;
}

/* Zero bytes are linear: the 32 single bits say it all. */
static void make_shift(uint32_t table[4][256], size_t zeros)
{
    static const uint8_t nothing[256];
    for (unsigned byte = 0; byte < 4; byte++) {
        table[byte][0] = 0;
        for (unsigned i = 1; i < 256; i++) {
            unsigned low = i & -i;
            if (i != low) {
                table[byte][i] = table[byte][low] ^ table[byte][i ^ low];
                continue;
            }
            uint32_t state = (uint32_t)i << 8 * byte;
            for (size_t n = 0; n < zeros; n += sizeof nothing) state = update_portable(state, nothing, sizeof nothing);
            table[byte][i] = state;
        }
    }
}
#endif

__attribute__((constructor)) static void prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int bit = 0; bit < 8; bit++) v = v >> 1 ^ (POLY & -(v & 1));
        slices[0][i] = v;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int s = 1; s < 8; s++) slices[s][i] = slices[s - 1][i] >> 8 ^ slices[0][slices[s - 1][i] & 255];
    update = update_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2")) {
        make_shift(shift_long, LANE_LONG);
        make_shift(shift_short, LANE_SHORT);
        update = update_sse42;
    }
#endif
}

uint32_t frz__crc32c(uint32_t crc, const void *bytes, size_t len) { return ~update(~crc, (const uint8_t *)bytes, len); }
uint32_t frz__test_crc32c_portable(uint32_t crc, const void *bytes, size_t len) { return ~update_portable(~crc, (const uint8_t *)bytes, len); }
