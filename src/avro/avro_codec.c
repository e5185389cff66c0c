#include "avro/avro_int.h"

#include <zstd.h>
#include <zstd_errors.h>
#include "base/hash.h"
#include "codec/codec.h"

/* More than any of the codecs makes of honest blocks, and little enough for hostile ones. */
static size_t unpacked_max(slice in)
{
    const size_t base = (size_t)1 << 20, ratio = 2048;
    return in.len > (BUF_BYTES_MAX - base) / ratio ? BUF_BYTES_MAX : base + in.len * ratio;
}

/* A raw block, which begins with its length as a varint, and the big-endian CRC-32 of what it holds. */
static int unsnappy(struct codec_ctx *c, slice in, struct buf *out, frz_error *err)
{
    const uint8_t *p = in.data;
    uint64_t len;
    if (in.len < 4) return frz__err_corrupt(err, "a snappy block of %zu bytes", in.len);
    if (!varint_get(&p, in.data + in.len - 4, &len) || len > unpacked_max(in)) return frz__err_corrupt(err, "a snappy block without a sound length");
    TRY(buf_reserve(out, (size_t)len + 1, err));
    TRY(frz__decompress(c, CODEC_SNAPPY, slice_of(in.data, in.len - 4), out->data + out->len, (size_t)len, err));
    uint32_t crc = frz__crc32(0, out->data + out->len, (size_t)len), want = load_u32_be(in.data + in.len - 4);
    if (crc != want) return frz__err_corrupt(err, "a snappy block's checksum is %08" PRIx32 ", expected %08" PRIx32, crc, want);
    out->len += (size_t)len;
    return FRZ_OK;
}

/* Here and not by codec.h, which wants to know the length: frames of streams do not tell it. Tries with more room until they fit. */
static int unzstd(slice in, struct buf *out, frz_error *err)
{
    const size_t max = unpacked_max(in);
    unsigned long long told = ZSTD_getFrameContentSize(in.data, in.len);
    size_t want = told < max ? (size_t)told : in.len * 8 + 4096;
    ZSTD_DCtx *d = ZSTD_createDCtx();
    if (!d) return frz__err_no_memory(err, (size_t)1 << 17);
    int rc = FRZ_OK;
    for (;;) {
        CHECK(buf_reserve(out, want + 1, err));
        size_t room = out->cap - out->len < max ? out->cap - out->len : max;
        size_t n = ZSTD_decompressDCtx(d, out->data + out->len, room, in.data, in.len);
        if (!ZSTD_isError(n)) {
            out->len += n;
            break;
        }
        if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation) CHECK(frz__err_no_memory(err, room));
        if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall || room == max) CHECK(frz__err_corrupt(err, "zstd: %s", ZSTD_getErrorName(n)));
        want = room * 2;
    }
done:
    ZSTD_freeDCtx(d);
    return rc;
}

int frz__avro_unpack(const allocator *a, struct codec_ctx **ctx, enum avro_codec codec, slice in, struct buf *out, frz_error *err)
{
    if (codec == AVRO_CODEC_SNAPPY && !*ctx) TRY(frz__codec_ctx_new(a, ctx, err));
    switch (codec) {
    case AVRO_CODEC_NULL: return buf_append_slice(out, in, err);
    case AVRO_CODEC_DEFLATE: return frz__inflate_raw(in, unpacked_max(in), out, err);
    case AVRO_CODEC_SNAPPY: return unsnappy(*ctx, in, out, err);
    case AVRO_CODEC_ZSTD: return unzstd(in, out, err);
    }
    return frz__err(err, FRZ_BUG, "Avro codec %d", (int)codec);
}
