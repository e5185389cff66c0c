#include "sst/sst_block.h"

#include "base/coding.h"
#include "base/hash.h"

/* Split-block Bloom filter (Putze, Sanders, Singler 2007; Parquet's BloomFilter.md has the same blocks): a key sets one bit in each of the eight words of one block. */
static const uint32_t salts[8] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

static inline uint32_t lane_bit(uint64_t hash, size_t lane) { return (uint32_t)1 << (((uint32_t)hash * salts[lane]) >> 27); }

uint64_t frz__sst_filter_blocks(uint64_t keys, uint32_t bits)
{
    if (keys == 0 || bits == 0) return 0;
    if (bits > 64) bits = 64;
    unsigned __int128 wanted = ((unsigned __int128)keys * bits * 17 / 16 + 255) / 256;
    return wanted >= SST_FILTER_BLOCKS_MAX ? SST_FILTER_BLOCKS_MAX : (uint64_t)wanted;
}

uint64_t frz__sst_filter_blocks_of(uint64_t length)
{
    uint64_t whole = length / (SST_FILTER_UNIT_BYTES + 4), rest = length % (SST_FILTER_UNIT_BYTES + 4);
    uint64_t blocks = whole * SST_FILTER_UNIT_BLOCKS;
    if (rest) {
        if (rest < 4 + SST_FILTER_BLOCK_BYTES || (rest - 4) % SST_FILTER_BLOCK_BYTES) return 0;
        blocks += (rest - 4) / SST_FILTER_BLOCK_BYTES;
    }
    return blocks > SST_FILTER_BLOCKS_MAX ? 0 : blocks;
}

int frz__sst_filter_build(const uint64_t *hashes, uint64_t count, uint32_t bits, struct buf *out, frz_error *err)
{
    uint64_t blocks = frz__sst_filter_blocks(count, bits), units = sst_filter_units(blocks);
    size_t start = out->len;
    TRY(buf_append_zero(out, (size_t)(blocks * SST_FILTER_BLOCK_BYTES), err));
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *block = out->data + start + sst_filter_block(hashes[i], blocks) * SST_FILTER_BLOCK_BYTES;
        for (size_t lane = 0; lane < 8; lane++) store_u32(block + 4 * lane, load_u32(block + 4 * lane) | lane_bit(hashes[i], lane));
    }
    for (uint64_t u = 0; u < units; u++) TRY(buf_append_u32(out, frz__crc32c(0, out->data + start + u * SST_FILTER_UNIT_BYTES, sst_filter_unit_bytes(blocks, u)), err));
    return FRZ_OK;
}

bool frz__sst_filter_test(const uint8_t block[SST_FILTER_BLOCK_BYTES], uint64_t hash)
{
    uint32_t missing = 0;
    for (size_t lane = 0; lane < 4; lane++) missing |= lane_bit(hash, lane) & ~load_u32(block + 4 * lane);
    if (missing) return false; /* nearly all that are missing */
    for (size_t lane = 4; lane < 8; lane++) missing |= lane_bit(hash, lane) & ~load_u32(block + 4 * lane);
    return missing == 0;
}
