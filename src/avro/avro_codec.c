#include "avro/avro_int.h"

#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>
#include "base/hash.h"

/* More than any of the codecs makes of honest blocks, and little enough for hostile ones. */
static size_t unpacked_max(slice in)
{
    const size_t base = (size_t)1 << 20, ratio = 2048;
    return in.len > (BUF_BYTES_MAX - base) / ratio ? BUF_BYTES_MAX : base + in.len * ratio;
}

/* How much room to make next; FRZ_CORRUPT once MAX is used. */
static int more_room(struct buf *out, size_t from, size_t first, size_t max, frz_error *err)
{
    size_t used = out->len - from, want = used ? used : first;
    if (used >= max) return frz__err_corrupt(err, "a block holds more than %zu bytes", max);
    return buf_reserve(out, want < max - used ? want : max - used, err);
}

static int inflate_block(slice in, struct buf *out, frz_error *err)
{
    const size_t from = out->len, max = unpacked_max(in);
    z_stream z = {0};
    if (in.len > UINT32_MAX) return frz__err(err, FRZ_TOO_LARGE, "a deflate block of %zu bytes", in.len);
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return frz__err_no_memory(err, 0);
    z.next_in = (Bytef *)(uintptr_t)in.data;
    z.avail_in = (uInt)in.len;
    int rc = FRZ_OK, zrc = Z_OK;
    while (zrc != Z_STREAM_END) {
        if (out->cap == out->len) CHECK(more_room(out, from, in.len * 4 + 64, max, err));
        size_t room = out->cap - out->len < UINT32_MAX ? out->cap - out->len : UINT32_MAX;
        z.next_out = out->data + out->len;
        z.avail_out = (uInt)room;
        zrc = inflate(&z, Z_NO_FLUSH);
        out->len += room - z.avail_out;
        if (out->len - from > max) CHECK(frz__err_corrupt(err, "a block holds more than %zu bytes", max));
        if (zrc == Z_MEM_ERROR) CHECK(frz__err_no_memory(err, 0));
        if (zrc != Z_STREAM_END && (zrc != Z_OK || (z.avail_in == 0 && z.avail_out > 0)))
            CHECK(frz__err_corrupt(err, "deflate: %s", z.msg ? z.msg : z.avail_in == 0 ? "cut" : zError(zrc)));
    }
    if (z.avail_in) rc = frz__err_corrupt(err, "deflate: %u bytes behind its end", z.avail_in);
done:
    inflateEnd(&z);
    return rc;
}

/* A raw block and the big-endian CRC-32 of what it holds. */
static int unsnappy_block(slice in, struct buf *out, frz_error *err)
{
    if (in.len < 4) return frz__err_corrupt(err, "a snappy block of %zu bytes", in.len);
    const char *raw = (const char *)in.data;
    size_t len = 0;
    if (snappy_uncompressed_length(raw, in.len - 4, &len) != SNAPPY_OK || len > unpacked_max(in)) return frz__err_corrupt(err, "a snappy block without a sound length");
    TRY(buf_reserve(out, len + 1, err));
    if (snappy_uncompress(raw, in.len - 4, (char *)out->data + out->len, &len) != SNAPPY_OK) return frz__err_corrupt(err, "a snappy block that does not unpack");
    uint32_t crc = frz__crc32(0, out->data + out->len, len), want = load_u32_be(in.data + in.len - 4);
    if (crc != want) return frz__err_corrupt(err, "a snappy block's checksum is %08" PRIx32 ", expected %08" PRIx32, crc, want);
    out->len += len;
    return FRZ_OK;
}

/* Frames may not tell their size: try with more room until it fits. */
static int unzstd_block(slice in, struct buf *out, frz_error *err)
{
    const size_t max = unpacked_max(in);
    unsigned long long told = ZSTD_getFrameContentSize(in.data, in.len);
    size_t room = told < max ? (size_t)told : in.len * 8 + 4096;
    ZSTD_DCtx *d = ZSTD_createDCtx();
    if (!d) return frz__err_no_memory(err, 0);
    int rc = FRZ_OK;
    for (;;) {
        CHECK(buf_reserve(out, room + 1, err));
        room = out->cap - out->len;
        size_t n = ZSTD_decompressDCtx(d, out->data + out->len, room, in.data, in.len);
        if (!ZSTD_isError(n)) {
            out->len += n;
            break;
        }
        if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation) CHECK(frz__err_no_memory(err, room));
        if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall || room > max) CHECK(frz__err_corrupt(err, "zstd: %s", ZSTD_getErrorName(n)));
        room *= 2;
    }
done:
    ZSTD_freeDCtx(d);
    return rc;
}

int frz__avro_unpack(enum avro_codec codec, slice in, struct buf *out, frz_error *err)
{
    switch (codec) {
    case AVRO_CODEC_NULL: return buf_append_slice(out, in, err);
    case AVRO_CODEC_DEFLATE: return inflate_block(in, out, err);
    case AVRO_CODEC_SNAPPY: return unsnappy_block(in, out, err);
    case AVRO_CODEC_ZSTD: return unzstd_block(in, out, err);
    }
    return frz__err(err, FRZ_BUG, "Avro codec %d", (int)codec);
}

int frz__avro_deflate(slice in, struct buf *out, frz_error *err)
{
    z_stream z = {0};
    if (in.len > UINT32_MAX / 2) return frz__err(err, FRZ_TOO_LARGE, "a deflate block of %zu bytes", in.len);
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) return frz__err_no_memory(err, 0);
    int rc = FRZ_OK;
    size_t bound = deflateBound(&z, (uLong)in.len);
    CHECK(buf_reserve(out, bound, err));
    z.next_in = (Bytef *)(uintptr_t)in.data;
    z.avail_in = (uInt)in.len;
    z.next_out = out->data + out->len;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) CHECK(frz__err(err, FRZ_BUG, "deflate did not fit its bound"));
    out->len += bound - z.avail_out;
done:
    deflateEnd(&z);
    return rc;
}
