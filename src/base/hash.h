/* hash.h — the one hash of encoded keys (XXH3-64: memtable, filters, caches), xxh64 for Parquet's bloom filters, CRC-32C for our own bytes, CRC-32 for
 * Parquet's pages and Puffin. */
#ifndef FRZ_BASE_HASH_H
#define FRZ_BASE_HASH_H
#include "base/slice.h"

uint64_t frz__hash64(slice s);
uint64_t frz__xxh64(slice s); /* seed 0 */
/* CRC-32C (Castagnoli), of BYTES behind what gave CRC; 0 to begin. */
uint32_t frz__crc32c(uint32_t crc, const void *bytes, size_t len);
uint32_t frz__test_crc32c_portable(uint32_t crc, const void *bytes, size_t len); /* what machines without the instruction run */
/* CRC-32 (zlib's). */
uint32_t frz__crc32(uint32_t crc, const void *bytes, size_t len);
uint32_t frz__test_crc32_portable(uint32_t crc, const void *bytes, size_t len);
#endif
