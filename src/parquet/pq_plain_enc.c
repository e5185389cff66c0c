#include "parquet/pq_enc.h"

#include "parquet/pq_schema.h"

int frz__pq_form(frz_type t, struct pq_form *out, frz_error *err)
{
    if (t.id < FRZ_BOOLEAN || t.id > FRZ_BINARY) return frz__err(err, FRZ_INVALID, "a Parquet column cannot be of type %d", t.id);
    if (t.id == FRZ_DECIMAL && (t.precision < 1 || t.precision > 38)) return frz__err(err, FRZ_INVALID, "a decimal of precision %d", t.precision);
    if (t.id == FRZ_FIXED && t.length < 1) return frz__err(err, FRZ_INVALID, "a fixed type of %d bytes", t.length);
    int32_t length = 0;
    enum pq_phys phys = frz__pq_phys_of(t, &length);
    switch (phys) {
    case PQ_INT32: *out = (struct pq_form){phys, PQ_CMP_I32, 4}; break;
    case PQ_INT64: *out = (struct pq_form){phys, PQ_CMP_I64, 8}; break;
    case PQ_FLOAT: *out = (struct pq_form){phys, PQ_CMP_F32, 4}; break;
    case PQ_DOUBLE: *out = (struct pq_form){phys, PQ_CMP_F64, 8}; break;
    case PQ_FLBA: *out = (struct pq_form){phys, t.id == FRZ_DECIMAL ? PQ_CMP_SIGNED_BE : PQ_CMP_BYTES, (uint32_t)length}; break;
    default: *out = (struct pq_form){phys, PQ_CMP_BYTES, 0}; break;
    }
    return FRZ_OK;
}

void frz__pq_scratch_clear(struct pq_scratch *s)
{
    buf_clear(&s->dense);
    buf_clear(&s->bits);
    frz__free(s->a, s->spans);
    s->spans = NULL;
    s->span_cap = 0;
}

void frz__pq_bits_extract(uint8_t *to, const uint8_t *src, size_t from, size_t count)
{
    size_t bytes = bits_bytes(count), shift = from & 7, last = (from + count - 1) >> 3; /* last: byte of SRC that may be read */
    if (count == 0) return;
    src += from >> 3;
    last -= from >> 3;
    if (shift == 0) {
        memcpy(to, src, bytes);
    } else {
        for (size_t i = 0; i < bytes; i++) {
            unsigned hi = i + 1 <= last ? src[i + 1] : 0u;
            to[i] = (uint8_t)(src[i] >> shift | hi << (8 - shift));
        }
    }
    if (count & 7) to[bytes - 1] &= (uint8_t)((1u << (count & 7)) - 1);
}

/* 64 validity bits from FROM, of which LEFT count. */
static uint64_t valid_word(const uint8_t *bits, size_t from, size_t left)
{
    uint64_t w = 0;
    unsigned shift = from & 7;
    const uint8_t *p = bits + (from >> 3);
    if (left >= 64) {
        w = load_u64(p) >> shift;
        if (shift) w |= (uint64_t)p[8] << (64 - shift);
        return w;
    }
    for (size_t i = 0; i < left; i++) w |= (uint64_t)((p[(shift + i) >> 3] >> ((shift + i) & 7)) & 1) << i;
    return w;
}

static size_t count_nulls(const struct vec *v, size_t from, size_t count)
{
    if (!v->validity) return 0;
    size_t valid = 0;
    for (size_t i = 0; i < count; i += 64) valid += (size_t)__builtin_popcountll(valid_word(v->validity, from + i, count - i));
    return count - valid;
}

/* Values of WIDTH bytes that are not null, side by side. */
static uint8_t *compact(const struct vec *v, size_t from, size_t count, size_t width, uint8_t *out)
{
    for (size_t i = 0; i < count; i += 64) {
        size_t n = count - i < 64 ? count - i : 64;
        const uint8_t *p = v->data + (from + i) * width;
        uint64_t w = valid_word(v->validity, from + i, n);
        if (w == UINT64_MAX) {
            memcpy(out, p, 64 * width);
            out += 64 * width;
            continue;
        }
        for (; w; w &= w - 1) {
            size_t b = (size_t)__builtin_ctzll(w);
            if (width == 8) memcpy(out, p + b * 8, 8);
            else if (width == 4) memcpy(out, p + b * 4, 4);
            else memcpy(out, p + b * width, width);
            out += width;
        }
    }
    return out;
}

/* COUNT 16-byte decimals → their physical form, in place where it is no wider. */
static void decimals(const uint8_t *in, size_t count, struct pq_form form, uint8_t *out)
{
    if (form.phys == PQ_INT32) {
        for (size_t i = 0; i < count; i++) store_u32(out + i * 4, load_u32(in + i * 16));
    } else if (form.phys == PQ_INT64) {
        for (size_t i = 0; i < count; i++) store_u64(out + i * 8, load_u64(in + i * 16));
    } else {
        for (size_t i = 0; i < count; i++) {
            uint8_t be[16];
            store_u64_be(be, load_u64(in + i * 16 + 8));
            store_u64_be(be + 8, load_u64(in + i * 16));
            memcpy(out + i * form.width, be + 16 - form.width, form.width);
        }
    }
}

static int gather_spans(struct pq_scratch *s, const struct vec *v, size_t from, size_t count, struct pq_values *out, frz_error *err)
{
    if (s->span_cap < out->count) {
        struct pq_span *p = (struct pq_span *)frz__realloc(s->a, s->spans, out->count * sizeof *p);
        if (!p) return frz__err_no_memory(err, out->count * sizeof *p);
        s->spans = p;
        s->span_cap = out->count;
    }
    const uint32_t *o = v->offsets + from;
    struct pq_span *to = s->spans;
    if (out->count == count) {
        for (size_t i = 0; i < count; i++) to[i] = (struct pq_span){o[i], o[i + 1] - o[i]};
    } else {
        for (size_t i = 0; i < count; i += 64) {
            uint64_t w = valid_word(v->validity, from + i, count - i < 64 ? count - i : 64);
            for (; w; w &= w - 1) {
                size_t b = i + (size_t)__builtin_ctzll(w);
                *to++ = (struct pq_span){o[b], o[b + 1] - o[b]};
            }
        }
    }
    for (size_t i = 0; i < out->count; i++) out->var_bytes += s->spans[i].len;
    out->data = v->data;
    out->data_bytes = v->offsets[v->len];
    out->spans = s->spans;
    return FRZ_OK;
}

static int gather_bits(struct pq_scratch *s, const struct vec *v, size_t from, size_t count, struct pq_values *out, frz_error *err)
{
    buf_reset(&s->dense);
    TRY(buf_append_zero(&s->dense, bits_bytes(count), err));
    uint8_t *bits = s->dense.data;
    if (out->count == count) {
        frz__pq_bits_extract(bits, v->data, from, count);
    } else {
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
            if (!bit_get(v->validity, from + i)) continue;
            if (bit_get(v->data, from + i)) bit_set(bits, n);
            n++;
        }
    }
    out->data = bits;
    out->data_bytes = bits_bytes(out->count);
    return FRZ_OK;
}

int frz__pq_gather(struct pq_scratch *s, const struct vec *v, size_t from, size_t count, struct pq_values *out, frz_error *err)
{
    FRZ_ASSERT(from + count <= v->len);
    *out = (struct pq_values){0};
    TRY(frz__pq_form(v->type, &out->form, err));
    out->count = count - count_nulls(v, from, count);
    if (out->count == 0) return FRZ_OK;
    if (out->form.phys == PQ_BYTE_ARRAY) return gather_spans(s, v, from, count, out, err);
    if (out->form.phys == PQ_BOOLEAN) return gather_bits(s, v, from, count, out, err);
    size_t width = frz__type_width(v->type);
    out->data_bytes = out->count * out->form.width;
    out->data = v->data + from * width;
    if (out->count == count && v->type.id != FRZ_DECIMAL) return FRZ_OK;
    buf_reset(&s->dense);
    TRY(buf_reserve(&s->dense, out->count * width, err));
    const uint8_t *in = out->data;
    if (out->count < count) {
        compact(v, from, count, width, s->dense.data);
        in = s->dense.data;
    }
    if (v->type.id == FRZ_DECIMAL) decimals(in, out->count, out->form, s->dense.data);
    out->data = s->dense.data;
    return FRZ_OK;
}

#define COPY_BLINDLY 16
int frz__pq_plain_encode(const struct pq_values *v, struct buf *out, frz_error *err)
{
    size_t bytes = (size_t)pq_plain_bytes(v);
    if (v->count == 0) return FRZ_OK;
    if (v->form.phys != PQ_BYTE_ARRAY) return buf_append(out, v->data, bytes, err);
    TRY(buf_reserve(out, bytes + COPY_BLINDLY, err));
    uint8_t *to = out->data + out->len;
    for (size_t i = 0; i < v->count; i++) {
        struct pq_span s = v->spans[i];
        store_u32(to, s.len);
        to += 4;
        if (s.len <= COPY_BLINDLY && v->data_bytes - s.at >= COPY_BLINDLY) memcpy(to, v->data + s.at, COPY_BLINDLY); /* one move; what is too much is overwritten */
        else if (s.len <= 2 * COPY_BLINDLY && s.len > COPY_BLINDLY) {
            memcpy(to, v->data + s.at, COPY_BLINDLY);
            memcpy(to + s.len - COPY_BLINDLY, v->data + s.at + s.len - COPY_BLINDLY, COPY_BLINDLY);
        } else if (s.len) {
            memcpy(to, v->data + s.at, s.len);
        }
        to += s.len;
    }
    FRZ_ASSERT(to == out->data + out->len + bytes);
    out->len += bytes;
    return FRZ_OK;
}
