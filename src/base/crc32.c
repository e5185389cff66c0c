/* CRC-32, which Parquet's pages carry: zlib's, and by carry-less multiplication where the processor has it. Four lanes of 16 bytes are folded onto the next 64 (a remainder times x^512 mod P), then onto one, and
 * what is left is reduced by Barrett's way: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009; the constants are those of P = 0x04C11DB7, reflected. */
#include "base/hash.h"

#include <zlib.h>

static uint32_t by_zlib(uint32_t crc, const uint8_t *p, size_t len)
{
    while (len > 0) {
        uInt n = len > (1u << 30) ? 1u << 30 : (uInt)len;
        crc = (uint32_t)crc32(crc, p, n);
        p += n;
        len -= n;
    }
    return crc;
}

#if defined(__x86_64__)
#include <smmintrin.h>
#include <wmmintrin.h>

static bool folds;

__attribute__((constructor)) static void prepare(void)
{
    __builtin_cpu_init();
    folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

#define LOAD(at) _mm_loadu_si128((const __m128i *)(const void *)(at))

/* X moved by as far as K's powers say, onto NEXT. */
__attribute__((target("sse4.1,pclmul"))) static inline __m128i fold(__m128i x, __m128i k, __m128i next)
{
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), next);
}

/* The remainder of the 128 bits of X. */
__attribute__((target("sse4.1,pclmul"))) static uint32_t reduce(__m128i x, __m128i k16)
{
    const __m128i low = _mm_setr_epi32(~0, 0, ~0, 0), k4 = _mm_set_epi64x(0, 0x0163cd6124), barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    x = _mm_xor_si128(_mm_srli_si128(x, 8), _mm_clmulepi64_si128(x, k16, 0x10)); /* 128 → 96 bits */
    x = _mm_xor_si128(_mm_srli_si128(x, 4), _mm_clmulepi64_si128(_mm_and_si128(x, low), k4, 0x00)); /* → 64 */
    __m128i q = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(x, low), barrett, 0x10), low);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(x, _mm_clmulepi64_si128(q, barrett, 0x00)), 1);
}

/* LEN: a multiple of 16, 64 at least. STATE: the CRC, inverted; so is what comes back. */
__attribute__((target("sse4.1,pclmul"))) static uint32_t by_folding(uint32_t state, const uint8_t *p, size_t len)
{
    const __m128i k64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4), k16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    __m128i a = _mm_xor_si128(LOAD(p), _mm_cvtsi32_si128((int)state)), b = LOAD(p + 16), c = LOAD(p + 32), d = LOAD(p + 48);
    for (p += 64, len -= 64; len >= 64; p += 64, len -= 64) {
        a = fold(a, k64, LOAD(p));
        b = fold(b, k64, LOAD(p + 16));
        c = fold(c, k64, LOAD(p + 32));
        d = fold(d, k64, LOAD(p + 48));
    }
    a = fold(fold(fold(a, k16, b), k16, c), k16, d);
    for (; len; p += 16, len -= 16) a = fold(a, k16, LOAD(p));
    return reduce(a, k16);
}
#endif

uint32_t frz__crc32(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *p = (const uint8_t *)bytes;
#if defined(__x86_64__)
    size_t whole = len & ~(size_t)15;
    if (folds && whole >= 64) {
        crc = ~by_folding(~crc, p, whole);
        p += whole;
        len -= whole;
    }
#endif
    return by_zlib(crc, p, len);
}
uint32_t frz__test_crc32_portable(uint32_t crc, const void *bytes, size_t len) { return by_zlib(crc, (const uint8_t *)bytes, len); }
