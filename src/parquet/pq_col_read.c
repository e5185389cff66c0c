/* One page into a vector: validity, dense values, spread. */
#include "parquet/pq_col.h"

/* ── dense values, behind out->len ── */

static int values_boolean(const struct pq_body *b, int encoding, size_t count, struct vec *out, frz_error *err)
{
    size_t ones;
    if (encoding == PQ_PLAIN) return frz__pq_dec_plain_bits(b->values, count, out->data, out->len, err);
    if (encoding != PQ_RLE) return frz__err(err, FRZ_UNSUPPORTED, "booleans in encoding %d", encoding);
    if (b->values.len < 4 || load_u32(b->values.data) > b->values.len - 4) return frz__err_corrupt(err, "RLE booleans: length beyond the page's %zu bytes", b->values.len);
    return frz__pq_dec_rle_bits(slice_of(b->values.data + 4, load_u32(b->values.data)), count, out->data, out->len, &ones, err);
}

static int values_var(slice in, int encoding, size_t count, struct codec_ctx *ctx, struct vec *out, frz_error *err)
{
    switch (encoding) {
    case PQ_PLAIN: return frz__pq_dec_plain_var(in, count, out, err);
    case PQ_DELTA_LENGTH_BYTE_ARRAY: return frz__pq_dec_delta_length(in, count, frz__codec_scratch(ctx, PQ_SCRATCH_LENGTHS), out, err);
    case PQ_DELTA_BYTE_ARRAY: return frz__pq_dec_delta_bytes(in, count, frz__codec_scratch(ctx, PQ_SCRATCH_LENGTHS), out, err);
    default: return frz__err(err, FRZ_UNSUPPORTED, "byte arrays in encoding %d", encoding);
    }
}

/* Values of a length each, of which fixed ones are made: decimals in BYTE_ARRAY, and FLBA in DELTA_BYTE_ARRAY. */
static int values_by_var(const struct pq_plan *plan, slice in, int encoding, size_t count, struct codec_ctx *ctx, uint8_t *to, const allocator *a, frz_error *err)
{
    struct vec v;
    int rc;
    frz__vec_init(&v, a, (frz_type){.id = FRZ_BINARY});
    CHECK(values_var(in, encoding, count, ctx, &v, err));
    v.len = count;
    for (size_t i = 0; i < count; i++) {
        slice s = vec_bytes(&v, i);
        if (plan->phys == PQ_FLBA && s.len != plan->phys_width) CHECK(frz__err_corrupt(err, "a fixed value of %zu bytes, expected %zu", s.len, plan->phys_width));
        if (plan->conv == PQ_CONV_BYTES_DEC) {
            frz_decimal d;
            if (!frz__pq_decimal_be(s, &d)) CHECK(frz__err(err, FRZ_UNSUPPORTED, "a decimal of %zu bytes does not fit 128 bits", s.len));
            memcpy(to + i * 16, &d, 16);
        } else {
            struct pq_plan one = *plan;
            CHECK(frz__pq_convert(&one, s.data, 1, to + i * plan->width, err));
        }
    }
    rc = FRZ_OK;
done:
    frz__vec_clear(&v);
    return rc;
}

static int values_fixed(const struct pq_plan *plan, slice in, int encoding, size_t count, struct codec_ctx *ctx, struct vec *out, frz_error *err)
{
    uint8_t *to = out->data + out->len * plan->width, *raw = to;
    if (plan->phys == PQ_BYTE_ARRAY || encoding == PQ_DELTA_BYTE_ARRAY) {
        if (plan->phys != PQ_BYTE_ARRAY && plan->phys != PQ_FLBA) return frz__err_corrupt(err, "numbers in DELTA_BYTE_ARRAY");
        return values_by_var(plan, in, encoding, count, ctx, to, out->a, err);
    }
    if (encoding == PQ_PLAIN) {
        if (plan->phys_width && in.len / plan->phys_width < count) return frz__err_corrupt(err, "PLAIN: %zu values of %zu bytes in %zu", count, plan->phys_width, in.len);
        return frz__pq_convert(plan, in.data, count, to, err);
    }
    if (plan->conv != PQ_CONV_NONE) {
        struct buf *b = frz__codec_scratch(ctx, PQ_SCRATCH_VALUES);
        TRY(buf_reserve(b, count * plan->phys_width, err));
        raw = b->data;
    }
    switch (encoding) {
    case PQ_DELTA_BINARY_PACKED:
        if (plan->phys == PQ_INT32) TRY(frz__pq_dec_delta32(&in, count, (int32_t *)(void *)raw, err));
        else if (plan->phys == PQ_INT64) TRY(frz__pq_dec_delta64(&in, count, (int64_t *)(void *)raw, err));
        else return frz__err_corrupt(err, "DELTA_BINARY_PACKED in a column of physical type %d", plan->phys);
        break;
    case PQ_BYTE_STREAM_SPLIT: TRY(frz__pq_dec_bss(in, plan->phys_width, count, raw, err)); break;
    default: return frz__err(err, FRZ_UNSUPPORTED, "values in encoding %d", encoding);
    }
    return raw == to ? FRZ_OK : frz__pq_convert(plan, raw, count, to, err);
}

static int values_dense(const struct pq_plan *plan, const struct pq_body *b, int encoding, size_t count, const struct vec *dict, struct codec_ctx *ctx, struct vec *out, frz_error *err)
{
    if (plan->width == 0) TRY(frz__vec_reserve(out, count, 0, err)); /* offsets, even for no value */
    if (count == 0) return FRZ_OK;
    if (plan->phys == PQ_BOOLEAN) return values_boolean(b, encoding, count, out, err);
    if (pq_is_dictionary_coded(encoding)) {
        if (!dict) return frz__err_corrupt(err, "a page of dictionary indexes without a dictionary");
        return frz__pq_dec_dict(b->values, dict, count, out, err);
    }
    if (plan->width == 0) return values_var(b->values, encoding, count, ctx, out, err);
    return values_fixed(plan, b->values, encoding, count, ctx, out, err);
}

/* ── nulls ── */

/* 64 bits from bit AT on, all of which are there. */
static uint64_t bits64(const uint8_t *bits, size_t at)
{
    unsigned shift = at & 7;
    uint64_t w = load_u64(bits + at / 8) >> shift;
    return shift ? w | (uint64_t)bits[at / 8 + 8] << (64 - shift) : w;
}

/* From the back, in place: STEP(i, set) for every row, 64 validity bits at a time and without a branch on them; done where only valid ones are left in front. */
#define FROM_THE_BACK(STEP)                                                                                                                                                                       \
    do {                                                                                                                                                                                          \
        size_t i = count;                                                                                                                                                                         \
        for (; i >= 64 && i > k;) {                                                                                                                                                               \
            uint64_t w = bits64(out->validity, at + i - 64);                                                                                                                                      \
            for (int bit = 0; bit < 64; bit++, w <<= 1) {                                                                                                                                         \
                i--;                                                                                                                                                                              \
                STEP(i, (size_t)(w >> 63));                                                                                                                                                       \
            }                                                                                                                                                                                     \
        }                                                                                                                                                                                         \
        for (; i > k;) {                                                                                                                                                                          \
            i--;                                                                                                                                                                                  \
            STEP(i, (size_t)bit_get(out->validity, at + i));                                                                                                                                      \
        }                                                                                                                                                                                         \
    } while (0)
#define STEP_32(i, set) (k -= (set), v32[i] = v32[k] & (uint32_t)(0 - (set)))
#define STEP_64(i, set) (k -= (set), v64[i] = v64[k] & (uint64_t)(0 - (set)))
#define STEP_OFFSET(i, set) (o[(i) + 1] = o[k], k -= (set))

/* VALID dense values at out->len become COUNT, with zero at each null. */
static void spread(struct vec *out, size_t width, size_t count, size_t valid)
{
    size_t at = out->len, k = valid;
    if (valid == count) return;
    if (type_is_var(out->type)) {
        uint32_t *o = out->offsets + at;
        FROM_THE_BACK(STEP_OFFSET);
    } else if (out->type.id == FRZ_BOOLEAN) {
        for (size_t i = count; i-- > k;) {
            bool set = bit_get(out->validity, at + i);
            bit_put(out->data, at + i, set && bit_get(out->data, at + --k));
        }
    } else if (width == 4) {
        uint32_t *v32 = (uint32_t *)(void *)out->data + at;
        FROM_THE_BACK(STEP_32);
    } else if (width == 8) {
        uint64_t *v64 = (uint64_t *)(void *)out->data + at;
        FROM_THE_BACK(STEP_64);
    } else {
        uint8_t *v = out->data + at * width;
        for (size_t i = count; i-- > k;) {
            if (bit_get(out->validity, at + i))
                memmove(v + i * width, v + --k * width, width);
            else
                memset(v + i * width, 0, width);
        }
    }
}

/* Validity bits of COUNT rows behind out->len, *VALID of them set. None are made while there is no null. */
static int read_validity(const struct pq_page_header *h, const struct pq_body *b, size_t count, struct vec *out, size_t *valid, frz_error *err)
{
    if (h->def_encoding == PQ_RLE && frz__pq_dec_rle_all_ones(b->def, count)) {
        *valid = count;
        if (out->validity) frz__pq_bits_fill(out->validity, out->len, count, true);
        return FRZ_OK;
    }
    TRY(frz__vec_need_validity(out, err));
    return frz__pq_dec_validity(b->def, h->def_encoding, count, out->validity, out->len, valid, err);
}

/* PLAIN numbers of a required column are the page's body: straight to where they belong. */
static bool is_direct(const struct pq_page *p, const struct pq_plan *plan, int codec)
{
    return p->h.type == PQ_DATA_PAGE && !plan->optional && p->h.encoding == PQ_PLAIN && plan->conv == PQ_CONV_NONE && plan->width && plan->phys != PQ_BOOLEAN && plan->phys != PQ_BYTE_ARRAY &&
           codec != CODEC_NONE && (size_t)p->h.uncompressed_bytes == (size_t)p->h.values * plan->width;
}

int frz__pq_page_decode(const struct pq_page *p, const struct pq_leaf *l, const struct pq_plan *plan, int codec, const struct vec *dict, struct codec_ctx *ctx, struct vec *out, frz_error *err)
{
    const struct pq_page_header *h = &p->h;
    struct pq_body body;
    size_t count = (size_t)h->values, valid = count;
    FRZ_ASSERT(out->type.id == plan->want.id);
    FRZ_ASSERT(pq_is_data(h) && l->max_rep == 0 && l->max_def <= 1);
    if (count > PQ_PAGE_ROWS_MAX) return frz__err(err, FRZ_UNSUPPORTED, "a page of %zu rows is beyond %zu", count, PQ_PAGE_ROWS_MAX);
    if (count == 0) return FRZ_OK;
    if (is_direct(p, plan, codec)) {
        TRY(frz__vec_reserve(out, count, 0, err));
        TRY(frz__decompress(ctx, codec, p->body, out->data + out->len * plan->width, count * plan->width, err));
        if (out->validity) frz__pq_bits_fill(out->validity, out->len, count, true);
        out->len += count;
        return FRZ_OK;
    }
    TRY(frz__pq_page_body(p, l, codec, ctx, &body, err));
    TRY(frz__vec_reserve(out, count, 0, err));
    if (plan->optional) {
        TRY(read_validity(h, &body, count, out, &valid, err));
        if (h->type == PQ_DATA_PAGE_V2 && (size_t)h->nulls != count - valid) return frz__err_corrupt(err, "v2 page: %" PRId32 " nulls said, %zu found", h->nulls, count - valid);
    } else if (out->validity) {
        frz__pq_bits_fill(out->validity, out->len, count, true);
    }
    TRY(values_dense(plan, &body, h->encoding, valid, dict, ctx, out, err));
    spread(out, plan->width, count, valid);
    out->len += count;
    out->nulls += count - valid;
    return FRZ_OK;
}

int frz__pq_dict_decode(const struct pq_page *p, const struct pq_leaf *l, const struct pq_plan *plan, int codec, struct codec_ctx *ctx, struct vec *out, frz_error *err)
{
    struct pq_body body;
    size_t count = (size_t)p->h.values;
    FRZ_ASSERT(out->len == 0 && p->h.type == PQ_DICTIONARY_PAGE);
    if (p->h.encoding != PQ_PLAIN && p->h.encoding != PQ_PLAIN_DICTIONARY) return frz__err(err, FRZ_UNSUPPORTED, "a dictionary in encoding %d", p->h.encoding);
    if (plan->phys == PQ_BOOLEAN) return frz__err_corrupt(err, "a dictionary of booleans");
    TRY(frz__pq_page_body(p, l, codec, ctx, &body, err));
    if (count > body.values.len / (plan->phys_width ? plan->phys_width : 4)) return frz__err_corrupt(err, "a dictionary of %zu entries in %zu bytes", count, body.values.len);
    TRY(frz__vec_reserve(out, count, 0, err));
    TRY(values_dense(plan, &body, PQ_PLAIN, count, NULL, ctx, out, err));
    out->len = count;
    return FRZ_OK;
}
