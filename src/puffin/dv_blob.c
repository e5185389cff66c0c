#include "puffin/puffin.h"

#include "base/coding.h"
#include "base/hash.h"

/*     u32 big-endian   length of magic and bitmap
 *     u32              magic
 *     bitmap           bitmap.h
 *     u32 big-endian   CRC-32 of magic and bitmap                                   */
static const uint8_t magic[4] = {0xD1, 0xD3, 0x39, 0x64};
#define FRAME_BYTES   12              /* all but the bitmap */
#define BLOB_BYTES_MAX ((size_t)INT32_MAX)
/* Java and pyiceberg keep the bitmaps' keys in a signed int, below its maximum. */
#define POSITION_END  ((uint64_t)INT32_MAX << 32)

int frz__dv_encode(const uint64_t *positions, size_t count, struct buf *out, frz_error *err)
{
    const size_t from = out->len;
    int rc = FRZ_OK;
    if (count == 0) return frz__err(err, FRZ_INVALID, "a deletion vector without positions is not written");
    if (positions[count - 1] >= POSITION_END) return frz__err(err, FRZ_INVALID, "position %" PRIu64 " is beyond what deletion vectors hold", positions[count - 1]);
    CHECK(buf_append_zero(out, 4, err));
    CHECK(buf_append(out, magic, sizeof magic, err));
    CHECK(frz__bitmap_encode(positions, count, out, err));
    size_t body = out->len - from - 4;
    if (body > BLOB_BYTES_MAX - 8) CHECK(frz__err(err, FRZ_TOO_LARGE, "a deletion vector of %zu bytes", body + 8));
    store_u32_be(out->data + from, (uint32_t)body);
    uint8_t crc[4];
    store_u32_be(crc, frz__crc32(0, out->data + from + 4, body));
    CHECK(buf_append(out, crc, sizeof crc, err));
done:
    if (rc < 0) out->len = from;
    return rc;
}

struct decode {
    int (*fn)(void *ctx, const uint64_t *positions, size_t count);
    void *ctx;
    frz_error *err;
};

static int check_positions(void *ctx, const uint64_t *positions, size_t count)
{
    const struct decode *d = (const struct decode *)ctx;
    if (positions[count - 1] >= POSITION_END) return frz__err_corrupt(d->err, "position %" PRIu64 " is beyond what deletion vectors hold", positions[count - 1]);
    return d->fn ? d->fn(d->ctx, positions, count) : FRZ_OK;
}

int frz__dv_decode(slice blob, int (*fn)(void *ctx, const uint64_t *positions, size_t count), void *ctx, uint64_t *count, frz_error *err)
{
    if (blob.len < FRAME_BYTES || blob.len > BLOB_BYTES_MAX) return frz__err_corrupt(err, "deletion vector: %zu bytes", blob.len);
    const slice body = slice_of(blob.data + 4, blob.len - 8);
    const uint32_t len = load_u32_be(blob.data), crc = load_u32_be(blob.data + blob.len - 4), found = frz__crc32(0, body.data, body.len);
    if (len != body.len) return frz__err_corrupt(err, "deletion vector: its length is %" PRIu32 ", expected %zu", len, body.len);
    if (memcmp(body.data, magic, sizeof magic) != 0) return frz__err_corrupt(err, "deletion vector: magic %08" PRIx32 ", expected d1d33964", load_u32_be(body.data));
    if (crc != found) return frz__err_corrupt(err, "deletion vector: checksum %08" PRIx32 ", expected %08" PRIx32, found, crc);
    struct decode d = {fn, ctx, err};
    int rc = frz__bitmap_decode(slice_of(body.data + 4, body.len - 4), check_positions, &d, count, err);
    if (rc < 0) frz__err_context(err, "deletion vector");
    return rc;
}
