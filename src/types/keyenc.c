#include "types/keyenc.h"

#include "base/coding.h"
#include "base/utf8.h"

#define SIGN32 UINT32_C(0x80000000)
#define SIGN64 UINT64_C(0x8000000000000000)

/* ── encode ── */

/* 0x00 → 0x00 0xFF, then 0x00 0x00 */
static int put_escaped(slice s, struct buf *out, frz_error *err)
{
    TRY(buf_reserve(out, s.len + 2, err));
    const uint8_t *p = s.data, *end = s.data + s.len;
    while (p < end) {
        const uint8_t *zero = (const uint8_t *)memchr(p, 0, (size_t)(end - p));
        size_t n = (size_t)((zero ? zero : end) - p);
        TRY(buf_append(out, p, n, err));
        if (!zero) break;
        TRY(buf_append(out, "\0\xFF", 2, err));
        p = zero + 1;
    }
    return buf_append(out, "\0\0", 2, err);
}

static int put_value(const frz_value *v, frz_type t, bool last, struct buf *out, frz_error *err)
{
    FRZ_ASSERT(v->type == t.id);
    uint8_t b[16];
    switch (t.id) {
    case FRZ_BOOLEAN: return buf_append_byte(out, v->as.boolean ? 1 : 0, err);
    case FRZ_INT:
    case FRZ_DATE:
        store_u32_be(b, (uint32_t)v->as.i32 ^ SIGN32);
        return buf_append(out, b, 4, err);
    case FRZ_DECIMAL:
        store_u64_be(b, (uint64_t)v->as.dec.hi ^ SIGN64);
        store_u64_be(b + 8, v->as.dec.lo);
        return buf_append(out, b, 16, err);
    case FRZ_UUID:
    case FRZ_FIXED:
        FRZ_ASSERT(v->as.bytes.len == frz__type_width(t));
        return buf_append_slice(out, value_slice(v), err);
    case FRZ_STRING:
    case FRZ_BINARY: return last ? buf_append_slice(out, value_slice(v), err) : put_escaped(value_slice(v), out, err);
    default:
        store_u64_be(b, (uint64_t)v->as.i64 ^ SIGN64);
        return buf_append(out, b, 8, err);
    }
}

int frz__key_put(const frz_schema *s, size_t key_index, const frz_value *v, struct buf *out, frz_error *err)
{
    return put_value(v, s->columns[s->key[key_index]].type, key_index + 1 == s->key_count, out, err);
}

/* On failure OUT is as it was. */
static int finish(struct buf *out, size_t from, int rc, frz_error *err)
{
    if (rc >= 0 && out->len - from > KEY_BYTES_MAX) rc = frz__err(err, FRZ_TOO_LARGE, "an encoded key of %zu bytes is beyond the limit of %zu", out->len - from, KEY_BYTES_MAX);
    if (rc < 0) out->len = from;
    return rc;
}

static int err_null(const struct column *c, frz_error *err) { return frz__err(err, FRZ_INVALID, "key " COLUMN_FMT " is null", COLUMN_ARG(c)); }

int frz__key_encode(const frz_schema *s, const frz_value *values, struct buf *out, frz_error *err)
{
    size_t from = out->len;
    int rc = FRZ_OK;
    for (size_t i = 0; i < s->key_count && rc >= 0; i++) {
        const struct column *c = &s->columns[s->key[i]];
        rc = value_is_null(&values[i]) ? err_null(c, err) : put_value(&values[i], c->type, i + 1 == s->key_count, out, err);
    }
    return finish(out, from, rc, err);
}

int frz__key_encode_row(const frz_schema *s, const frz_value *row_values, struct buf *out, frz_error *err)
{
    size_t from = out->len;
    int rc = FRZ_OK;
    for (size_t i = 0; i < s->key_count && rc >= 0; i++) {
        const struct column *c = &s->columns[s->key[i]];
        const frz_value *v = &row_values[s->key[i]];
        rc = value_is_null(v) ? err_null(c, err) : put_value(v, c->type, i + 1 == s->key_count, out, err);
    }
    return finish(out, from, rc, err);
}

int frz__key_encode_prefix(const frz_schema *s, const frz_value *values, size_t count, struct buf *out, frz_error *err)
{
    size_t from = out->len;
    int rc = FRZ_OK;
    if (count > s->key_count) return frz__err(err, FRZ_INVALID, "%zu key values for a key of %zu columns", count, s->key_count);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct column *c = &s->columns[s->key[i]];
        frz_value v;
        rc = frz__value_convert(&values[i], c->type, &v, err);
        if (rc < 0) frz__err_context(err, "key " COLUMN_FMT, COLUMN_ARG(c));
        else rc = value_is_null(&v) ? err_null(c, err) : put_value(&v, c->type, i + 1 == s->key_count, out, err);
    }
    return finish(out, from, rc, err);
}

/* ── decode ── */

static int err_key(const struct column *c, const char *what, frz_error *err) { return frz__err_corrupt(err, "a key does not decode: " COLUMN_FMT " %s", COLUMN_ARG(c), what); }

/* Up to the end mark; without escapes it borrows from the key. SCRATCH has room. */
static int get_escaped(const uint8_t **p, const uint8_t *end, const struct column *c, struct buf *scratch, slice *out, frz_error *err)
{
    const uint8_t *begin = *p, *q = begin;
    size_t from = scratch->len;
    for (;;) {
        const uint8_t *zero = (const uint8_t *)memchr(q, 0, (size_t)(end - q));
        if (!zero || zero + 1 == end) return err_key(c, "has no end mark", err);
        if (zero[1] == 0) {
            *p = zero + 2;
            if (q == begin) {
                *out = slice_of(begin, (size_t)(zero - begin));
                return FRZ_OK;
            }
            TRY(buf_append(scratch, q, (size_t)(zero - q), err));
            *out = slice_of(scratch->data + from, scratch->len - from);
            return FRZ_OK;
        }
        if (zero[1] != 0xFF) return err_key(c, "has an unknown escape", err);
        TRY(buf_append(scratch, q, (size_t)(zero + 1 - q), err)); /* with the zero itself */
        q = zero + 2;
    }
}

static int get_value(const uint8_t **p, const uint8_t *end, const struct column *c, bool last, struct buf *scratch, frz_value *out, frz_error *err)
{
    size_t width = frz__type_width(c->type);
    slice s;
    *out = (frz_value){c->type.id, 0, {0}};
    if (width > (size_t)(end - *p)) return err_key(c, "is cut", err);
    switch (c->type.id) {
    case FRZ_BOOLEAN:
        if (**p > 1) return err_key(c, "is no boolean", err);
        out->as.boolean = **p == 1;
        break;
    case FRZ_INT:
    case FRZ_DATE: out->as.i32 = (int32_t)(load_u32_be(*p) ^ SIGN32); break;
    case FRZ_DECIMAL:
        out->as.dec = (frz_decimal){load_u64_be(*p + 8), (int64_t)(load_u64_be(*p) ^ SIGN64)};
        if (!frz__decimal_fits(out->as.dec, c->type.precision)) return err_key(c, "is beyond its precision", err);
        break;
    case FRZ_UUID:
    case FRZ_FIXED: *out = value_bytes(c->type.id, slice_of(*p, width)); break;
    case FRZ_STRING:
    case FRZ_BINARY:
        if (last) {
            s = slice_of(*p, (size_t)(end - *p));
            *p = end;
        } else {
            TRY(get_escaped(p, end, c, scratch, &s, err));
        }
        if (c->type.id == FRZ_STRING && frz__utf8_check(s) != s.len) return err_key(c, "is no UTF-8", err);
        *out = value_bytes(c->type.id, s);
        break;
    default:
        out->as.i64 = (int64_t)(load_u64_be(*p) ^ SIGN64);
        if (c->type.id == FRZ_TIME && (out->as.i64 < 0 || out->as.i64 >= INT64_C(86400000000))) return err_key(c, "is no time of day", err);
        break;
    }
    *p += width;
    return FRZ_OK;
}

int frz__key_decode(const frz_schema *s, slice key, frz_value *out, struct buf *scratch, frz_error *err)
{
    static const uint8_t none;
    const uint8_t *p = key.len ? key.data : &none, *end = p + key.len;
    TRY(buf_reserve(scratch, key.len, err)); /* so that nothing moves on the way */
    for (size_t i = 0; i < s->key_count; i++) TRY(get_value(&p, end, &s->columns[s->key[i]], i + 1 == s->key_count, scratch, &out[i], err));
    if (p != end) return frz__err_corrupt(err, "a key does not decode: %zu bytes are left behind its last column", (size_t)(end - p));
    return FRZ_OK;
}

/* ── messages, ranges ── */

#define PRINT_STRING_BYTES_MAX 64

static int print_value(const frz_value *v, frz_type t, struct buf *out, frz_error *err)
{
    bool bytes = v->type >= FRZ_STRING && v->type != FRZ_UUID;
    if (!bytes) return frz__value_print(v, t, out, err);
    slice s = value_slice(v);
    bool cut = s.len > PRINT_STRING_BYTES_MAX;
    if (cut) s.len = t.id == FRZ_STRING ? frz__utf8_check(slice_of(s.data, PRINT_STRING_BYTES_MAX)) : PRINT_STRING_BYTES_MAX;
    frz_value shown = value_bytes(t.id, s);
    TRY(buf_append_slice(out, slice_str(t.id == FRZ_STRING ? "\"" : "0x"), err));
    TRY(frz__value_print(&shown, t, out, err));
    if (cut) TRY(buf_append_slice(out, slice_str("…"), err));
    return t.id == FRZ_STRING ? buf_append_byte(out, '"', err) : FRZ_OK;
}

int frz__key_print(const frz_schema *s, slice key, struct buf *out, frz_error *err)
{
    frz_value few[8], *values = few;
    struct buf scratch = BUF_INIT(s->a, 0);
    int rc;
    if (s->key_count > FRZ_ARRAY_LEN(few)) {
        values = (frz_value *)frz__alloc_array(s->a, s->key_count, sizeof *values);
        if (!values) return frz__err_no_memory(err, s->key_count * sizeof *values);
    }
    CHECK(frz__key_decode(s, key, values, &scratch, err));
    CHECK(buf_append_byte(out, '(', err));
    for (size_t i = 0; i < s->key_count; i++) {
        if (i) CHECK(buf_append(out, ", ", 2, err));
        CHECK(print_value(&values[i], s->columns[s->key[i]].type, out, err));
    }
    CHECK(buf_append_byte(out, ')', err));
done:
    if (values != few) frz__free(s->a, values);
    buf_clear(&scratch);
    return rc;
}

bool frz__key_successor(slice prefix, struct buf *out)
{
    buf_reset(out);
    size_t n = prefix.len;
    while (n > 0 && prefix.data[n - 1] == 0xFF) n--;
    if (n == 0 || buf_append(out, prefix.data, n, NULL) < 0) return false;
    out->data[n - 1]++;
    return true;
}
