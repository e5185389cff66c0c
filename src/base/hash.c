#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t frz__hash64(slice s) { return XXH3_64bits(s.data, s.len); }
uint64_t frz__xxh64(slice s) { return s.data ? XXH64(s.data, s.len, 0) : XXH64("", 0, 0); }
