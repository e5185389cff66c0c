/* int128.h — decimals as the compiler's 128-bit integers. For the .c files of this folder and of the formats. */
#ifndef FRZ_TYPES_INT128_H
#define FRZ_TYPES_INT128_H
#include "base/status.h"

__extension__ typedef __int128 i128;
__extension__ typedef unsigned __int128 u128;

static inline i128 decimal_i128(frz_decimal d) { return (i128)(((u128)(uint64_t)d.hi << 64) | d.lo); }
static inline frz_decimal decimal_of(i128 v) { return (frz_decimal){(uint64_t)(u128)v, (int64_t)((u128)v >> 64)}; }
static inline u128 i128_abs(i128 v) { return v < 0 ? (u128)0 - (u128)v : (u128)v; }
/* 10^N, N ≤ 38 */
static inline u128 u128_pow10(int n)
{
    FRZ_ASSERT(n >= 0 && n <= 38);
    static const uint64_t p[20] = {1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u, 10000000000u, 100000000000u, 1000000000000u, 10000000000000u,
                                   100000000000000u, 1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u, 10000000000000000000u};
    return n < 20 ? p[n] : (u128)p[19] * p[n - 19];
}
#endif
