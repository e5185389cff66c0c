#include "base/hash.h"

#include <zlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t frz__hash64(slice s) { return XXH3_64bits(s.data, s.len); }
uint64_t frz__xxh64(slice s) { return s.data ? XXH64(s.data, s.len, 0) : XXH64("", 0, 0); }

uint32_t frz__crc32(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *p = (const uint8_t *)bytes;
    while (len > 0) {
        uInt n = len > (1u << 30) ? 1u << 30 : (uInt)len;
        crc = (uint32_t)crc32(crc, p, n);
        p += n;
        len -= n;
    }
    return crc;
}
