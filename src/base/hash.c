#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t frz__hash64(slice s) { return XXH3_64bits(s.data, s.len); }
uint64_t frz__xxh64(slice s) { return XXH64(s.len ? s.data : (const uint8_t *)"", s.len, 0); }
