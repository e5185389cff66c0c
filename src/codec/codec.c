#include "codec/codec.h"

#include "base/budget.h"
#include "base/coding.h"

#include <ctype.h>
#include <lz4.h>
#include <snappy-c.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* Contexts of each library, made at first use and kept. */
struct codec_ctx {
    const allocator *a;
    ZSTD_CCtx *zstd_c;
    ZSTD_DCtx *zstd_d;
    size_t outside; /* what zstd has for the two, past the allocator */
    bool has_inflate, has_deflate;
    int deflate_level;
    z_stream inflate_z, deflate_z;
    struct buf scratch[CODEC_SCRATCH_SLOTS];
};

static const struct { int codec; const char *name; } codecs[] = {
    {CODEC_NONE, "uncompressed"}, {CODEC_SNAPPY, "snappy"}, {CODEC_GZIP, "gzip"}, {CODEC_ZSTD, "zstd"}, {CODEC_LZ4_RAW, "lz4_raw"}, {CODEC_LZ4, "lz4"}, {CODEC_NONE, "none"},
};

const char *frz__codec_name(int codec)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(codecs); i++)
        if (codecs[i].codec == codec) return codecs[i].name;
    return NULL;
}

bool frz__codec_parse(slice name, int *codec)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(codecs); i++) {
        if (codecs[i].codec != CODEC_LZ4 && strlen(codecs[i].name) == name.len && strncasecmp(codecs[i].name, (const char *)name.data, name.len) == 0) {
            *codec = codecs[i].codec;
            return true;
        }
    }
    return false;
}

/* Names for messages; also of those that are not built in. */
static const char *message_name(int codec)
{
    static const char *const others[] = {[3] = "lzo", [4] = "brotli"};
    const char *name = frz__codec_name(codec);
    if (name) return name;
    return codec >= 3 && codec <= 4 ? others[codec] : "unknown";
}

int frz__codec_ctx_new(const allocator *a, struct codec_ctx **out, frz_error *err)
{
    TRY(ALLOC_NEW(out, a, struct codec_ctx, err));
    (*out)->a = a;
    for (size_t i = 0; i < CODEC_SCRATCH_SLOTS; i++) (*out)->scratch[i] = BUF_INIT(a, 0);
    return FRZ_OK;
}

#define SCRATCH_BYTES_KEPT ((size_t)8 << 20)
struct buf *frz__codec_scratch(struct codec_ctx *c, unsigned slot)
{
    FRZ_ASSERT(slot < CODEC_SCRATCH_SLOTS);
    struct buf *b = &c->scratch[slot];
    if (b->cap > SCRATCH_BYTES_KEPT) buf_clear(b); /* one huge page does not stay */
#if defined(__SANITIZE_ADDRESS__)
    buf_clear(b); /* fresh memory shows the sanitizer what is read out of turn */
#endif
    buf_reset(b);
    return b;
}

static void count_outside(struct codec_ctx *c)
{
    size_t now = (c->zstd_c ? ZSTD_sizeof_CCtx(c->zstd_c) : 0) + (c->zstd_d ? ZSTD_sizeof_DCtx(c->zstd_d) : 0);
    frz__budget_outside_add(c->a, (int64_t)now - (int64_t)c->outside);
    c->outside = now;
}

void frz__codec_ctx_free(struct codec_ctx *c)
{
    if (!c) return;
    frz__budget_outside_add(c->a, -(int64_t)c->outside);
    ZSTD_freeCCtx(c->zstd_c);
    ZSTD_freeDCtx(c->zstd_d);
    if (c->has_inflate) inflateEnd(&c->inflate_z);
    if (c->has_deflate) deflateEnd(&c->deflate_z);
    for (size_t i = 0; i < CODEC_SCRATCH_SLOTS; i++) buf_clear(&c->scratch[i]);
    frz__free(c->a, c);
}

static voidpf z_alloc(voidpf a, uInt count, uInt bytes) { return frz__alloc((const allocator *)a, (size_t)count * bytes); }
static void z_free(voidpf a, voidpf p) { frz__free((const allocator *)a, p); }
static z_stream z_init(const allocator *a) { return (z_stream){.zalloc = z_alloc, .zfree = z_free, .opaque = (voidpf)(uintptr_t)a}; }

/* zlib counts in 32 bits: hands out at most this many bytes at once. */
#define Z_STEP ((size_t)1 << 30)
static uInt z_take(size_t n) { return (uInt)(n < Z_STEP ? n : Z_STEP); }

/* ── compression ── */

static int compress_zstd(struct codec_ctx *c, int level, slice in, struct buf *out, frz_error *err)
{
    if (!c->zstd_c && !(c->zstd_c = ZSTD_createCCtx())) return frz__err_no_memory(err, 1 << 20);
    size_t bound = ZSTD_compressBound(in.len);
    if (ZSTD_isError(bound)) return frz__err(err, FRZ_TOO_LARGE, "zstd: %zu bytes are too many", in.len);
    TRY(buf_reserve(out, bound, err));
    size_t n = ZSTD_compressCCtx(c->zstd_c, out->data + out->len, out->cap - out->len, in.data, in.len, level ? level : 3);
    count_outside(c);
    if (ZSTD_isError(n)) return frz__err(err, ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? FRZ_NO_MEMORY : FRZ_BUG, "zstd: %s", ZSTD_getErrorName(n));
    out->len += n;
    return FRZ_OK;
}

static int compress_snappy(slice in, struct buf *out, frz_error *err)
{
    size_t n = snappy_max_compressed_length(in.len);
    TRY(buf_reserve(out, n, err));
    if (snappy_compress((const char *)in.data, in.len, (char *)out->data + out->len, &n) != SNAPPY_OK) return frz__err(err, FRZ_BUG, "snappy: %zu bytes did not compress", in.len);
    out->len += n;
    return FRZ_OK;
}

static int compress_lz4(slice in, struct buf *out, frz_error *err)
{
    if (in.len > LZ4_MAX_INPUT_SIZE) return frz__err(err, FRZ_TOO_LARGE, "lz4_raw: %zu bytes are too many", in.len);
    int bound = LZ4_compressBound((int)in.len);
    TRY(buf_reserve(out, (size_t)bound, err));
    int n = LZ4_compress_default((const char *)in.data, (char *)out->data + out->len, (int)in.len, bound);
    if (n <= 0) return frz__err(err, FRZ_BUG, "lz4_raw: %zu bytes did not compress", in.len);
    out->len += (size_t)n;
    return FRZ_OK;
}

/* All of IN through Z, whose state is fresh, appended to OUT. */
static int deflate_all(z_stream *z, slice in, struct buf *out, frz_error *err)
{
    size_t left = in.len;
    z->next_in = (Bytef *)(uintptr_t)in.data;
    z->avail_in = 0;
    for (;;) {
        if (z->avail_in == 0 && left) {
            z->avail_in = z_take(left);
            left -= z->avail_in;
        }
        TRY(buf_reserve(out, z->avail_in / 2 + 128, err));
        uInt room = z_take(out->cap - out->len);
        z->next_out = out->data + out->len;
        z->avail_out = room;
        int rc = deflate(z, left ? Z_NO_FLUSH : Z_FINISH);
        out->len += room - z->avail_out;
        if (rc == Z_STREAM_END) return FRZ_OK;
        if (rc != Z_OK && rc != Z_BUF_ERROR) return frz__err(err, FRZ_BUG, "deflate: %s", z->msg ? z->msg : zError(rc));
    }
}

static int compress_gzip(struct codec_ctx *c, int level, slice in, struct buf *out, frz_error *err)
{
    if (level == 0) level = 6;
    if (c->has_deflate && c->deflate_level != level) {
        deflateEnd(&c->deflate_z);
        c->has_deflate = false;
    }
    if (!c->has_deflate) {
        c->deflate_z = z_init(c->a);
        int rc = deflateInit2(&c->deflate_z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
        if (rc == Z_MEM_ERROR) return frz__err_no_memory(err, 1 << 18);
        if (rc != Z_OK) return frz__err(err, FRZ_INVALID, "gzip: level %d: %s", level, zError(rc));
        c->has_deflate = true;
        c->deflate_level = level;
    } else {
        deflateReset(&c->deflate_z);
    }
    return deflate_all(&c->deflate_z, in, out, err);
}

int frz__compress(struct codec_ctx *c, int codec, int level, slice in, struct buf *out, frz_error *err)
{
    int level_max = codec == CODEC_ZSTD ? 19 : codec == CODEC_GZIP ? 9 : level;
    if (level < 0 || level > level_max) return frz__err(err, FRZ_INVALID, "%s: expected a level of 1 to %d (0 = default), found %d", message_name(codec), level_max, level);
    switch (codec) {
    case CODEC_NONE: return buf_append_slice(out, in, err);
    case CODEC_SNAPPY: return compress_snappy(in, out, err);
    case CODEC_GZIP: return compress_gzip(c, level, in, out, err);
    case CODEC_ZSTD: return compress_zstd(c, level, in, out, err);
    case CODEC_LZ4_RAW: return compress_lz4(in, out, err);
    default: return frz__err(err, FRZ_UNSUPPORTED, "codec %d (%s) is not written", codec, message_name(codec));
    }
}

/* ── decompression ── */

static int decompress_zstd(struct codec_ctx *c, slice in, void *out, size_t len, frz_error *err)
{
    if (!c->zstd_d) {
        if (!(c->zstd_d = ZSTD_createDCtx())) return frz__err_no_memory(err, 1 << 17);
        count_outside(c);
    }
    size_t n = ZSTD_decompressDCtx(c->zstd_d, out, len, in.data, in.len);
    if (ZSTD_isError(n)) {
        if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation) return frz__err_no_memory(err, len);
        return frz__err_corrupt(err, "zstd: %zu bytes in, %zu expected out: %s", in.len, len, ZSTD_getErrorName(n));
    }
    if (n != len) return frz__err_corrupt(err, "zstd: expected %zu bytes, found %zu", len, n);
    return FRZ_OK;
}

static int decompress_snappy(slice in, void *out, size_t len, frz_error *err)
{
    size_t n = 0;
    if (snappy_uncompressed_length((const char *)in.data, in.len, &n) != SNAPPY_OK) return frz__err_corrupt(err, "snappy: no length in %zu bytes", in.len);
    if (n != len) return frz__err_corrupt(err, "snappy: expected %zu bytes, found %zu", len, n);
    if (snappy_uncompress((const char *)in.data, in.len, (char *)out, &n) != SNAPPY_OK || n != len) return frz__err_corrupt(err, "snappy: %zu bytes are no block of %zu", in.len, len);
    return FRZ_OK;
}

static int decompress_lz4(slice in, void *out, size_t len, frz_error *err)
{
    if (in.len > INT32_MAX || len > INT32_MAX) return frz__err_corrupt(err, "lz4_raw: %zu bytes in, %zu out", in.len, len);
    int n = LZ4_decompress_safe((const char *)in.data, (char *)out, (int)in.len, (int)len);
    if (n < 0 || (size_t)n != len) return frz__err_corrupt(err, "lz4_raw: expected %zu bytes, found %d", len, n);
    return FRZ_OK;
}

/* Hadoop's framing: blocks of u32 BE length, u32 BE compressed length, LZ4 block. False where IN is not exactly that. */
static bool lz4_hadoop(slice in, uint8_t *out, size_t len)
{
    size_t made = 0;
    while (in.len >= 8) {
        uint32_t raw = load_u32_be(in.data), packed = load_u32_be(in.data + 4);
        if (packed > in.len - 8 || packed > INT32_MAX || raw > len - made || raw > INT32_MAX) return false;
        if (LZ4_decompress_safe((const char *)in.data + 8, (char *)out + made, (int)packed, (int)raw) != (int)raw) return false;
        made += raw;
        in = slice_of(in.data + 8 + packed, in.len - 8 - packed);
    }
    return in.len == 0 && made == len;
}

/* The deprecated LZ4 was written in Hadoop's framing by some, as a bare block by others. */
static int decompress_lz4_any(slice in, void *out, size_t len, frz_error *err)
{
    if (lz4_hadoop(in, (uint8_t *)out, len)) return FRZ_OK;
    return decompress_lz4(in, out, len, err);
}

/* Members may follow one another, as RFC 1952 has it. */
static int decompress_gzip(struct codec_ctx *c, slice in, void *out, size_t len, frz_error *err)
{
    z_stream *z = &c->inflate_z;
    if (!c->has_inflate) {
        *z = z_init(c->a);
        int rc = inflateInit2(z, 15 + 32);
        if (rc != Z_OK) return rc == Z_MEM_ERROR ? frz__err_no_memory(err, 1 << 16) : frz__err(err, FRZ_BUG, "gzip: %s", zError(rc));
        c->has_inflate = true;
    } else {
        inflateReset(z);
    }
    uint8_t past; /* zlib wants somewhere to put nothing, and one byte too many is to be seen */
    size_t in_left = in.len, made = 0;
    z->next_in = (Bytef *)(uintptr_t)in.data;
    z->avail_in = 0;
    for (;;) {
        if (z->avail_in == 0) {
            z->avail_in = z_take(in_left);
            in_left -= z->avail_in;
        }
        uInt room = made < len ? z_take(len - made) : 1;
        z->next_out = made < len ? (Bytef *)out + made : &past;
        z->avail_out = room;
        int rc = inflate(z, Z_NO_FLUSH);
        made += room - z->avail_out;
        if (made > len) return frz__err_corrupt(err, "gzip: more than the expected %zu bytes", len);
        if (rc == Z_STREAM_END) {
            if (z->avail_in == 0 && in_left == 0) break;
            inflateReset(z);
        } else if (rc == Z_MEM_ERROR) {
            return frz__err_no_memory(err, 1 << 16);
        } else if (rc != Z_OK) {
            return frz__err_corrupt(err, "gzip: after %zu of %zu bytes: %s", made, len, z->msg ? z->msg : zError(rc));
        }
    }
    if (made != len) return frz__err_corrupt(err, "gzip: expected %zu bytes, found %zu", len, made);
    return FRZ_OK;
}

int frz__decompress(struct codec_ctx *c, int codec, slice in, void *out, size_t len, frz_error *err)
{
    uint8_t none;
    if (!out) {
        FRZ_ASSERT(len == 0);
        out = &none;
    }
    switch (codec) {
    case CODEC_NONE:
        if (in.len != len) return frz__err_corrupt(err, "uncompressed: expected %zu bytes, found %zu", len, in.len);
        if (len) memcpy(out, in.data, len);
        return FRZ_OK;
    case CODEC_SNAPPY: return decompress_snappy(in, out, len, err);
    case CODEC_GZIP: return decompress_gzip(c, in, out, len, err);
    case CODEC_ZSTD: return decompress_zstd(c, in, out, len, err);
    case CODEC_LZ4_RAW: return decompress_lz4(in, out, len, err);
    case CODEC_LZ4: return decompress_lz4_any(in, out, len, err);
    default: return frz__err(err, FRZ_UNSUPPORTED, "codec %d (%s) is not built in", codec, message_name(codec));
    }
}

/* ── raw DEFLATE ── */

int frz__deflate_raw(slice in, struct buf *out, frz_error *err)
{
    z_stream z = z_init(out->a);
    int rc = deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    if (rc != Z_OK) return rc == Z_MEM_ERROR ? frz__err_no_memory(err, 1 << 18) : frz__err(err, FRZ_BUG, "deflate: %s", zError(rc));
    rc = deflate_all(&z, in, out, err);
    deflateEnd(&z);
    return rc;
}

int frz__inflate_raw(slice in, size_t max, struct buf *out, frz_error *err)
{
    z_stream z = z_init(out->a);
    int rc = FRZ_OK, zrc = inflateInit2(&z, -15);
    size_t in_left = in.len, made = 0;
    if (zrc != Z_OK) return zrc == Z_MEM_ERROR ? frz__err_no_memory(err, 1 << 16) : frz__err(err, FRZ_BUG, "inflate: %s", zError(zrc));
    if (max > BUF_BYTES_MAX) max = BUF_BYTES_MAX;
    z.next_in = (Bytef *)(uintptr_t)in.data;
    do {
        if (z.avail_in == 0) {
            z.avail_in = z_take(in_left);
            in_left -= z.avail_in;
        }
        /* one byte of room beyond MAX, so that too much is seen as such */
        size_t want = in.len < 512 ? 1024 : in.len * 2;
        CHECK(buf_reserve(out, want < max - made + 1 ? want : max - made + 1, err));
        uInt room = z_take(out->cap - out->len);
        if (room > max - made + 1) room = (uInt)(max - made + 1);
        z.next_out = out->data + out->len;
        z.avail_out = room;
        zrc = inflate(&z, Z_NO_FLUSH);
        made += room - z.avail_out;
        out->len += room - z.avail_out;
        if (made > max) CHECK(frz__err_corrupt(err, "deflate: more than the allowed %zu bytes", max));
        if (zrc == Z_MEM_ERROR) CHECK(frz__err_no_memory(err, 1 << 16));
        if (zrc != Z_OK && zrc != Z_STREAM_END && !(zrc == Z_BUF_ERROR && (z.avail_in || in_left)))
            CHECK(frz__err_corrupt(err, "deflate: after %zu bytes: %s", made, z.msg ? z.msg : zError(zrc)));
    } while (zrc != Z_STREAM_END);
done:
    inflateEnd(&z);
    return rc;
}
