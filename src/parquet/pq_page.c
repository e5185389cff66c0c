#include "base/hash.h"
#include "parquet/pq_col.h"

/* Can BYTES of CODEC be LEN bytes decompressed? The most that each format can make of a byte, generously: what is beyond is a damaged header, and no memory is taken for it. */
static bool plausible(int codec, size_t bytes, size_t len)
{
    size_t ratio = codec == CODEC_NONE ? 1 : codec == CODEC_SNAPPY ? 64 : codec == CODEC_LZ4_RAW || codec == CODEC_LZ4 ? 256 : codec == CODEC_GZIP ? 1100 : (size_t)1 << 16;
    return len / ratio <= bytes;
}

int frz__pq_page_open(slice bytes, int codec, struct pq_page *out, frz_error *err)
{
    TRY(frz__pq_page_header_parse(bytes, &out->h, &out->header_bytes, NULL, err));
    size_t left = bytes.len - out->header_bytes;
    if ((size_t)out->h.compressed_bytes > left) return frz__err_corrupt(err, "page of %" PRId32 " bytes, %zu there", out->h.compressed_bytes, left);
    out->body = slice_of(bytes.data + out->header_bytes, (size_t)out->h.compressed_bytes);
    if (!plausible(codec, out->body.len, (size_t)out->h.uncompressed_bytes))
        return frz__err_corrupt(err, "page: %zu bytes of codec %d can't hold %" PRId32, out->body.len, codec, out->h.uncompressed_bytes);
    if (out->h.has_crc) {
        uint32_t crc = frz__crc32(0, out->body.data, out->body.len);
        if (crc != out->h.crc) return frz__err_corrupt(err, "page checksum: expected %08" PRIx32 ", found %08" PRIx32, out->h.crc, crc);
    }
    return FRZ_OK;
}

/* IN of CODEC as LEN bytes: itself where nothing is to be done, else in scratch BODY. */
static int decompress(slice in, int codec, size_t len, struct codec_ctx *ctx, slice *out, frz_error *err)
{
    if (codec == CODEC_NONE) {
        if (in.len != len) return frz__err_corrupt(err, "uncompressed page: expected %zu bytes, found %zu", len, in.len);
        *out = in;
        return FRZ_OK;
    }
    struct buf *b = frz__codec_scratch(ctx, PQ_SCRATCH_BODY);
    TRY(buf_reserve(b, len, err));
    TRY(frz__decompress(ctx, codec, in, b->data, len, err));
    b->len = len;
    *out = buf_slice(b);
    return FRZ_OK;
}

static int body_v1(const struct pq_page *p, const struct pq_leaf *l, int codec, struct codec_ctx *ctx, struct pq_body *out, frz_error *err)
{
    const struct pq_page_header *h = &p->h;
    TRY(decompress(p->body, codec, (size_t)h->uncompressed_bytes, ctx, &out->values, err));
    TRY(frz__pq_dec_levels_take(&out->values, h->rep_encoding, l->max_rep, (size_t)h->values, &out->rep, err));
    return frz__pq_dec_levels_take(&out->values, h->def_encoding, l->max_def, (size_t)h->values, &out->def, err);
}

static int body_v2(const struct pq_page *p, int codec, struct codec_ctx *ctx, struct pq_body *out, frz_error *err)
{
    const struct pq_page_header *h = &p->h;
    size_t rep = (size_t)h->rep_bytes, def = (size_t)h->def_bytes, levels = rep + def;
    if (levels > p->body.len || levels > (size_t)h->uncompressed_bytes) return frz__err_corrupt(err, "v2 page: %zu bytes of levels in %zu", levels, p->body.len);
    out->rep = slice_of(p->body.data, rep);
    out->def = slice_of(p->body.data + rep, def);
    slice values = slice_of(p->body.data + levels, p->body.len - levels);
    size_t len = (size_t)h->uncompressed_bytes - levels;
    if (h->compressed && values.len == 0 && len == 0) { /* nothing, compressed to nothing */
        out->values = values;
        return FRZ_OK;
    }
    return decompress(values, h->compressed ? codec : CODEC_NONE, len, ctx, &out->values, err);
}

int frz__pq_page_body(const struct pq_page *p, const struct pq_leaf *l, int codec, struct codec_ctx *ctx, struct pq_body *out, frz_error *err)
{
    *out = (struct pq_body){0};
    switch (p->h.type) {
    case PQ_DATA_PAGE: return body_v1(p, l, codec, ctx, out, err);
    case PQ_DATA_PAGE_V2: return body_v2(p, codec, ctx, out, err);
    case PQ_DICTIONARY_PAGE: return decompress(p->body, codec, (size_t)p->h.uncompressed_bytes, ctx, &out->values, err);
    default: return frz__err_corrupt(err, "page of type %" PRId32, p->h.type);
    }
}
