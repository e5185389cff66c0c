/* wal_format.h — the log's bytes. All integers little-endian.
 *
 *     segment   `<number, 9 digits>.wal`; a spare one waits as `<number>.free`
 *               0  header   128 bytes
 *             128  header   the same again: one flipped bit loses no segment
 *             256  records, to the segment's end; blocks of 32 KiB are counted from offset 0
 *     header    0 "FRZWAL01" | 8 log uuid 16 | 24 u64 segment | 32 u64 writer epoch | 40 u64 first seq: the least that a record here may have | 48 u64 previous segment of the log, 0 = none |
 *              56 u64 its valid bytes: what lies beyond was refused, cut, or written again here | 64 u64 durable_upto | 72 u32 flags: 1 = the file had a former life | 76 zero | 124 u32 crc32c of 0 … 123
 *     fragment  0 u32 crc32c | 4 u32 length ≥ 1 | 8 u8 type: 1 full 2 first 3 middle 4 last | payload. First and middle ones end with their block, so middle and last ones begin one. No record begins
 *               in the last WAL_START_ROOM - 1 bytes of a block: they are zero, or anything. CRC: of log uuid, epoch, segment, offset in the segment as u64, length, type, payload
 *     record    u8 kind, then  1 group       u64 base seq | u32 ops | u64 durable_upto | ops (batch.h): its 21 bytes lie in one fragment, so that a first fragment alone bears witness of durable_upto
 *                              2 dictionary  u64 table_no | uuid 16 | i32 schema id | u64 low water | u32 length, name | u32 length, schema JSON
 *                              3 drop        u64 table_no
 *                              4 skip        u64 first seq | u64 last seq
 *                              5 moment      u64 base seq of the group that follows | i64 µs since 1970 | u32 n | u32 × n operations of each of its batches; n = 0: it is one, or what
 *                                            follows is a line or a drop. Only where the log is archived: an older version refuses it
 *     position  u64: segment << 34 | offset                                                                                             */
#ifndef FRZ_WAL_WAL_FORMAT_H
#define FRZ_WAL_WAL_FORMAT_H
#include <stdio.h>
#include "base/hash.h"
#include "wal/wal.h"

#define WAL_BLOCK ((uint64_t)32768)
#define WAL_HEADER_BYTES 128
#define WAL_RECORDS_AT 256
#define WAL_FRAGMENT_HEAD 9
#define WAL_GROUP_HEAD 21
#define WAL_MOMENT_HEAD 21
#define WAL_START_ROOM 40
#define WAL_NUMBER_MAX 999999999u
#define WAL_OFFSET_BITS 34
#define WAL_NAME_BYTES 16
#define WAL_PATH_BYTES 512

enum wal_fragment { WAL_FULL = 1, WAL_FIRST = 2, WAL_MIDDLE = 3, WAL_LAST = 4 };
enum wal_kind { WAL_GROUP = 1, WAL_DICTIONARY = 2, WAL_DROP = 3, WAL_SKIP = 4, WAL_MOMENT = 5 };
#define WAL_FLAG_RECYCLED 1u

struct wal_header {
    uint8_t log_uuid[16];
    uint64_t segment, epoch, first_seq, prev_segment, prev_valid, durable_upto;
    uint32_t flags;
};

static inline uint64_t wal_position(uint64_t segment, uint64_t offset) { return segment << WAL_OFFSET_BITS | offset; }

static inline void wal_header_encode(const struct wal_header *h, uint8_t out[WAL_RECORDS_AT])
{
    memset(out, 0, WAL_RECORDS_AT);
    memcpy(out, "FRZWAL01", 8);
    memcpy(out + 8, h->log_uuid, 16);
    store_u64(out + 24, h->segment);
    store_u64(out + 32, h->epoch);
    store_u64(out + 40, h->first_seq);
    store_u64(out + 48, h->prev_segment);
    store_u64(out + 56, h->prev_valid);
    store_u64(out + 64, h->durable_upto);
    store_u32(out + 72, h->flags);
    store_u32(out + 124, frz__crc32c(0, out, 124));
    memcpy(out + WAL_HEADER_BYTES, out, WAL_HEADER_BYTES);
}
/* False: not a header, or not of segment NUMBER. */
static inline bool wal_header_decode(const uint8_t in[WAL_HEADER_BYTES], uint64_t number, struct wal_header *h)
{
    if (memcmp(in, "FRZWAL01", 8) != 0 || load_u32(in + 124) != frz__crc32c(0, in, 124)) return false;
    memcpy(h->log_uuid, in + 8, 16);
    h->segment = load_u64(in + 24);
    h->epoch = load_u64(in + 32);
    h->first_seq = load_u64(in + 40);
    h->prev_segment = load_u64(in + 48);
    h->prev_valid = load_u64(in + 56);
    h->durable_upto = load_u64(in + 64);
    h->flags = load_u32(in + 72);
    return h->segment == number && h->prev_segment < number && h->first_seq >= 1;
}

/* The CRC's state behind what all fragments of a segment have in common. */
static inline uint32_t wal_seed(const struct wal_header *h)
{
    uint8_t id[32];
    memcpy(id, h->log_uuid, 16);
    store_u64(id + 16, h->epoch);
    store_u64(id + 24, h->segment);
    return frz__crc32c(0, id, sizeof id);
}
/* HEAD: a fragment's, with length and type in it. */
static inline uint32_t wal_fragment_crc(uint32_t seed, uint64_t offset, const uint8_t *head, const uint8_t *payload, size_t len)
{
    uint8_t at[13];
    store_u64(at, offset);
    memcpy(at + 8, head + 4, 5);
    return frz__crc32c(frz__crc32c(seed, at, sizeof at), payload, len);
}

static inline void wal_path(char out[WAL_PATH_BYTES], const char *dir, uint64_t number, const char *suffix)
{
    snprintf(out, WAL_PATH_BYTES, "%s/%09" PRIu64 ".%s", dir, number, suffix);
}
/* "000000017.wal" → 17; 0 = not such a name. */
static inline uint64_t wal_number(const char *name, const char *suffix)
{
    uint64_t n = 0;
    for (int i = 0; i < 9; i++) {
        if (name[i] < '0' || name[i] > '9') return 0;
        n = n * 10 + (uint64_t)(name[i] - '0');
    }
    return name[9] == '.' && strcmp(name + 10, suffix) == 0 ? n : 0;
}

/* ── reading the records of one segment: for replay, and for writing again what a failed sync left in doubt ── */
struct wal_scan {
    struct file *file; /* borrowed */
    const allocator *a;
    uint32_t seed;
    uint64_t start, at; /* the record given last; the next one */
    uint64_t limit;     /* records end at or before it */
    uint8_t *window;    /* a few blocks of the file */
    uint64_t window_at;
    size_t window_len;
    struct buf record;  /* of several fragments */
};
FRZ_NODISCARD int frz__wal_scan_init(struct wal_scan *s, const allocator *a, struct file *file, const struct wal_header *h, uint64_t at, uint64_t limit, frz_error *err);
void frz__wal_scan_clear(struct wal_scan *s);
/* FRZ_DONE: no whole record is at `at`. PAYLOAD is borrowed until the next call. */
FRZ_NODISCARD int frz__wal_scan_next(struct wal_scan *s, slice *payload, frz_error *err);
#endif
