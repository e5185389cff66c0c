#include "types/row_vec.h"

#include "base/coding.h"

#define SIGN32 UINT32_C(0x80000000)
#define SIGN64 UINT64_C(0x8000000000000000)

/* Where the value of row I of the chunk stands in C's vector. */
static inline size_t at(const struct row_col *c, size_t from, size_t i) { return c->constant ? 0 : from + i; }

static size_t zeros_of(slice s)
{
    size_t n = 0;
    for (const uint8_t *p = s.data, *end = s.data + s.len; p < end && (p = (const uint8_t *)memchr(p, 0, (size_t)(end - p))); p++) n++;
    return n;
}

/* ── measure ── */

static int check_null(const struct column *c, const struct row_col *rc, size_t from, size_t count, size_t *bad, frz_error *err)
{
    if (rc->v->nulls == 0) return FRZ_OK;
    for (size_t i = 0; i < count; i++) {
        if (!vec_is_null(rc->v, at(rc, from, i))) continue;
        *bad = i;
        return frz__err(err, FRZ_INVALID, COLUMN_FMT " is %s and has no value", COLUMN_ARG(c), c->key_index >= 0 ? "of the key" : "required");
    }
    return FRZ_OK;
}

static int measure_keys(const frz_schema *s, const struct row_col *cols, size_t from, size_t count, uint32_t *key_bytes, size_t *bad, frz_error *err)
{
    uint64_t fixed = 0, sums[ROW_VEC_CHUNK] = {0};
    for (size_t k = 0; k < s->key_count; k++) {
        const struct row_col *c = &cols[s->key[k]];
        TRY(check_null(&s->columns[s->key[k]], c, from, count, bad, err));
        if (!type_is_var(c->v->type)) {
            fixed += frz__type_width(c->v->type);
            continue;
        }
        bool last = k + 1 == s->key_count;
        for (size_t i = 0; i < count; i++) {
            slice b = vec_bytes(c->v, at(c, from, i));
            sums[i] += last ? b.len : b.len + zeros_of(b) + 2;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (fixed + sums[i] > KEY_BYTES_MAX) {
            *bad = i;
            return frz__err(err, FRZ_TOO_LARGE, "an encoded key of %" PRIu64 " bytes is beyond the limit of %zu", fixed + sums[i], KEY_BYTES_MAX);
        }
        key_bytes[i] = (uint32_t)(fixed + sums[i]);
    }
    return FRZ_OK;
}

int frz__rows_measure(const frz_schema *s, const struct row_col *cols, size_t from, size_t count, uint32_t *key_bytes, uint32_t *row_bytes, size_t *bad, frz_error *err)
{
    uint64_t sums[ROW_VEC_CHUNK];
    FRZ_ASSERT(s->sealed && count <= ROW_VEC_CHUNK);
    TRY(measure_keys(s, cols, from, count, key_bytes, bad, err));
    for (size_t i = 0; i < count; i++) sums[i] = layout_head(&s->layout);
    for (size_t k = 0; k < s->count; k++) {
        const struct row_slot *slot = &s->layout.slots[k];
        if (slot->is_key) continue;
        FRZ_ASSERT(frz__type_eq(cols[k].v->type, s->columns[k].type));
        if (slot->required) TRY(check_null(&s->columns[k], &cols[k], from, count, bad, err));
        if (slot->width) continue;
        const uint32_t *o = cols[k].v->offsets;
        if (cols[k].constant)
            for (size_t i = 0; i < count; i++) sums[i] += o[1] - o[0];
        else
            for (size_t i = 0; i < count; i++) sums[i] += o[from + i + 1] - o[from + i];
    }
    for (size_t i = 0; i < count; i++) {
        if (sums[i] > ROW_BYTES_MAX) {
            *bad = i;
            return frz__err(err, FRZ_TOO_LARGE, "a row of %" PRIu64 " bytes is beyond the limit of %zu", sums[i], ROW_BYTES_MAX);
        }
        row_bytes[i] = (uint32_t)sums[i];
    }
    return FRZ_OK;
}

/* ── keys ── */

static uint8_t *put_escaped(slice s, uint8_t *out)
{
    const uint8_t *p = s.data, *end = s.data + s.len;
    while (p < end) {
        const uint8_t *zero = (const uint8_t *)memchr(p, 0, (size_t)(end - p));
        size_t n = (size_t)((zero ? zero : end) - p);
        memcpy(out, p, n);
        out += n;
        p += n;
        if (!zero) break;
        *out++ = 0;
        *out++ = 0xFF;
        p++;
    }
    *out++ = 0;
    *out++ = 0;
    return out;
}

#define EACH for (size_t i = 0; i < count; i++)

static void put_key_column(const struct row_col *c, bool last, size_t from, size_t count, uint8_t **keys)
{
    const struct vec *v = c->v;
    size_t width = frz__type_width(v->type);
    switch (v->type.id) {
    case FRZ_BOOLEAN: EACH *keys[i]++ = bit_get(v->data, at(c, from, i)); break;
    case FRZ_INT:
    case FRZ_DATE:
        EACH
        {
            store_u32_be(keys[i], load_u32(v->data + at(c, from, i) * 4) ^ SIGN32);
            keys[i] += 4;
        }
        break;
    case FRZ_DECIMAL:
        EACH
        {
            const uint8_t *p = v->data + at(c, from, i) * 16;
            store_u64_be(keys[i], load_u64(p + 8) ^ SIGN64);
            store_u64_be(keys[i] + 8, load_u64(p));
            keys[i] += 16;
        }
        break;
    case FRZ_UUID:
    case FRZ_FIXED:
        EACH
        {
            memcpy(keys[i], v->data + at(c, from, i) * width, width);
            keys[i] += width;
        }
        break;
    case FRZ_STRING:
    case FRZ_BINARY:
        EACH
        {
            slice b = vec_bytes(v, at(c, from, i));
            if (!last) {
                keys[i] = put_escaped(b, keys[i]);
            } else if (b.len) {
                memcpy(keys[i], b.data, b.len);
                keys[i] += b.len;
            }
        }
        break;
    default:
        EACH
        {
            store_u64_be(keys[i], load_u64(v->data + at(c, from, i) * 8) ^ SIGN64);
            keys[i] += 8;
        }
        break;
    }
}

/* ── rows ── */

static void put_nulls(const struct row_col *c, uint32_t null_bit, size_t from, size_t count, uint8_t *const *rows)
{
    if (c->v->nulls == 0) return;
    EACH if (vec_is_null(c->v, at(c, from, i))) bit_set(rows[i] + 2, null_bit);
}

/* Null or not: the bytes behind a null are zero in the vector as in the row (vec.h (3), row.h (2)). */
static void put_fixed(const struct row_col *c, const struct row_slot *slot, size_t from, size_t count, uint8_t *const *rows)
{
    const uint8_t *data = c->v->data;
    size_t width = slot->width;
    if (c->v->type.id == FRZ_BOOLEAN) EACH rows[i][slot->at] = bit_get(data, at(c, from, i));
    else if (width == 8) EACH memcpy(rows[i] + slot->at, data + at(c, from, i) * 8, 8);
    else if (width == 4) EACH memcpy(rows[i] + slot->at, data + at(c, from, i) * 4, 4);
    else EACH memcpy(rows[i] + slot->at, data + at(c, from, i) * width, width);
}

static void put_var(const struct row_col *c, const struct row_slot *slot, size_t ends, size_t from, size_t count, uint8_t *const *rows, size_t head, uint32_t *heap)
{
    const uint32_t *o = c->v->offsets;
    const uint8_t *data = c->v->data;
    EACH
    {
        size_t r = at(c, from, i);
        uint32_t len = o[r + 1] - o[r];
        if (len) memcpy(rows[i] + head + heap[i], data + o[r], len);
        heap[i] += len;
        store_u32(rows[i] + ends + 4 * (size_t)slot->at, heap[i]);
    }
}

void frz__rows_put(const frz_schema *s, const struct row_col *cols, size_t from, size_t count, uint8_t **keys, uint8_t *const *rows)
{
    const struct row_layout *l = &s->layout;
    size_t head = layout_head(l), ends = head - 4 * (size_t)l->var_count;
    uint32_t heap[ROW_VEC_CHUNK] = {0};
    for (size_t k = 0; k < s->key_count; k++) put_key_column(&cols[s->key[k]], k + 1 == s->key_count, from, count, keys);
    EACH
    {
        store_u16(rows[i], (uint16_t)s->schema_id);
        memset(rows[i] + 2, 0, l->null_bytes);
    }
    for (size_t k = 0; k < s->count; k++) {
        const struct row_slot *slot = &l->slots[k];
        if (slot->is_key) continue;
        put_nulls(&cols[k], slot->null_bit, from, count, rows);
        if (slot->width) put_fixed(&cols[k], slot, from, count, rows);
        else put_var(&cols[k], slot, ends, from, count, rows, head, heap);
    }
}
