/* sst_block.h — the private block of a table file: the bytes between the page indexes and Parquet's footer, both ways. No I/O.
 *
 *     "FRZX" | u16 version | u16 sections | u64 rows | u64 table's uuid, hashed | sections × {u32 type, u32 crc32c, u64 offset, u64 length} | u32 crc32c of all that precedes | the sections
 *     PROPS   u8 version of the key encoding | u8 level hint | u8 log2 of the rows of a key page | u8 0 | u64 first sequence | u64 last | u64 offset, u64 length, u32 crc32c of Parquet's page
 *             indexes | u32 length, first key | u32 length, last key | u32 count, {i32 field id, i32 type} of each key column, in key order
 *     FENCE   u32 count | u32 prefix length | u64 heads × count | u32 offsets × (count + 1) | prefix | heap: each key behind the prefix
 *     FILTER  32-byte blocks | u32 crc32c of each unit of 128 blocks
 *
 * Parquet's pages have checksums, its page indexes and footer have none. PROPS has one of the indexes; the footer's key-value `frazil.footer` = "crc32c:xxxxxxxx" is that of all bytes behind the
 * private block, taken with eight zeros in its place.
 *
 * Invariants  (1) everything read is checked against its length and checksum before it is believed  (2) fences strictly ascend
 * Threads     decoded structures are immutable                                                                                        */
#ifndef FRZ_SST_SST_BLOCK_H
#define FRZ_SST_SST_BLOCK_H
#include "base/buf.h"

#define SST_BLOCK_MAGIC "FRZX"
#define SST_BLOCK_VERSION 1
#define SST_KEY_CODEC_VERSION 1
enum sst_section_type { SST_PROPS = 1, SST_FILTER = 2, SST_FENCE = 3, SST_SECTION_TYPES = 4 };
#define SST_SECTIONS_MAX 64
#define SST_BLOCK_HEAD_BYTES(sections) (24 + (size_t)(sections) * 24 + 4)

struct sst_section {
    bool there;
    uint32_t crc;
    uint64_t offset; /* from the block's first byte */
    uint64_t length;
};
struct sst_block {
    uint64_t offset, length; /* in the file */
    uint64_t rows, uuid_hash;
    struct sst_section sections[SST_SECTION_TYPES]; /* by type */
};
/* SECTIONS with length and crc set, in the order PROPS, FENCE, FILTER; their offsets are filled in. Appends the head. */
FRZ_NODISCARD int frz__sst_block_encode(struct sst_block *b, struct buf *out, frz_error *err);
/* HEAD: the first bytes of the block, at least SST_BLOCK_HEAD_BYTES of what it says (else *NEED is how many there must be, and the rc FRZ_DONE). B's offset and length are given. NAME for messages. */
FRZ_NODISCARD int frz__sst_block_decode(slice head, const char *name, struct sst_block *b, size_t *need, frz_error *err);
/* "12345:678" as the footer's frazil.index has it; false where TEXT is no such thing. */
bool frz__sst_block_place_parse(slice text, uint64_t *offset, uint64_t *length);

/* The checksum's eight hexadecimal digits in FOOTER, the bytes behind the private block: their offset; false = there is none. */
#define SST_FOOTER_KEY   "frazil.footer"
#define SST_FOOTER_ZEROS "00000000"
bool frz__sst_footer_find(slice footer, size_t *digits);
uint32_t frz__sst_footer_crc(slice footer, size_t digits);

struct sst_props {
    uint8_t level_hint;
    uint64_t seq_first, seq_last;
    uint64_t pages_offset, pages_length; /* Parquet's page indexes, all of them, in the file */
    uint32_t pages_crc;
    slice first_key, last_key; /* borrowed */
    slice key_columns;         /* 8 bytes a column: little-endian field id, type id */
};
FRZ_NODISCARD int frz__sst_props_encode(const struct sst_props *p, struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__sst_props_decode(slice bytes, const char *name, struct sst_props *out, frz_error *err);

/* ── fence (sst_index.c) ── */

struct sst_fence_writer {
    struct buf keys; /* one after another */
    uint64_t *ends;
    size_t count, cap;
};
FRZ_NODISCARD int frz__sst_fence_add(struct sst_fence_writer *w, slice key, frz_error *err);
FRZ_NODISCARD int frz__sst_fence_encode(const struct sst_fence_writer *w, struct buf *out, frz_error *err);
void frz__sst_fence_writer_clear(struct sst_fence_writer *w);

struct sst_fence {
    size_t count;
    slice prefix;
    const uint64_t *heads;
    const uint32_t *offsets;
    const uint8_t *heap;
};
/* BYTES are 8-byte aligned and live as long as OUT. COUNT: how many there must be. */
FRZ_NODISCARD int frz__sst_fence_decode(slice bytes, uint64_t count, const char *name, struct sst_fence *out, frz_error *err);
/* The last fence ≤ KEY: the page that holds KEY if any does. -1 = KEY is below the first. */
int64_t frz__sst_fence_find(const struct sst_fence *f, slice key);
/* Behind the prefix. */
static inline slice sst_fence_rest(const struct sst_fence *f, size_t i) { return slice_of(f->heap + f->offsets[i], f->offsets[i + 1] - f->offsets[i]); }
int frz__sst_fence_cmp(const struct sst_fence *f, size_t i, slice key); /* fence i to KEY */

/* ── filter (sst_filter.c) ── */

#define SST_FILTER_BLOCK_BYTES 32
#define SST_FILTER_UNIT_BLOCKS 128
#define SST_FILTER_UNIT_BYTES 4096
#define SST_FILTER_BLOCKS_MAX (UINT64_C(1) << 32)
/* BITS a key, and a sixteenth more: what split blocks need so that 10 bits hold one false positive in a hundred. */
uint64_t frz__sst_filter_blocks(uint64_t keys, uint32_t bits);
FRZ_NODISCARD int frz__sst_filter_build(const uint64_t *hashes, uint64_t count, uint32_t bits, struct buf *out, frz_error *err); /* blocks, then checksums */
static inline uint64_t sst_filter_units(uint64_t blocks) { return (blocks + SST_FILTER_UNIT_BLOCKS - 1) / SST_FILTER_UNIT_BLOCKS; }
static inline size_t sst_filter_unit_bytes(uint64_t blocks, uint64_t unit)
{
    uint64_t left = blocks - unit * SST_FILTER_UNIT_BLOCKS;
    return (size_t)(left < SST_FILTER_UNIT_BLOCKS ? left : SST_FILTER_UNIT_BLOCKS) * SST_FILTER_BLOCK_BYTES;
}
/* Blocks of a section of LENGTH bytes; 0 = no filter has that length. */
uint64_t frz__sst_filter_blocks_of(uint64_t length);
static inline uint64_t sst_filter_block(uint64_t hash, uint64_t blocks) { return (uint64_t)(((unsigned __int128)(hash >> 32) * blocks) >> 32); }
bool frz__sst_filter_test(const uint8_t block[SST_FILTER_BLOCK_BYTES], uint64_t hash);
#endif
