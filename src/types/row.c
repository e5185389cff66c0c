#include "types/row.h"

#include "base/bits.h"
#include "base/coding.h"
#include "base/utf8.h"

/* ── row bytes: write ── */

static int err_required(const struct column *c, frz_error *err) { return frz__err(err, FRZ_INVALID, COLUMN_FMT " is required and has no value", COLUMN_ARG(c)); }

int frz__row_encode(const frz_schema *s, const frz_value *values, struct buf *out, frz_error *err)
{
    FRZ_ASSERT(s->sealed);
    const struct row_layout *l = &s->layout;
    size_t head = layout_head(l), heap = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct row_slot *slot = &l->slots[i];
        if (slot->is_key) continue;
        if (values[i].type == FRZ_NULL) {
            if (slot->required) return err_required(&s->columns[i], err);
        } else if (slot->width == 0) {
            FRZ_ASSERT(values[i].type == slot->type);
            size_t len = values[i].as.bytes.len;
            if (len > ROW_BYTES_MAX || heap + len > ROW_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, COLUMN_FMT ": its %zu bytes bring the row beyond the limit of %zu", COLUMN_ARG(&s->columns[i]), len, ROW_BYTES_MAX);
            heap += len;
        }
    }
    if (head + heap > ROW_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "a row of %zu bytes is beyond the limit of %zu", head + heap, ROW_BYTES_MAX);
    TRY(buf_reserve(out, head + heap, err));

    uint8_t *row = out->data + out->len, *nulls = row + 2, *ends = row + head - 4 * (size_t)l->var_count, *data = row + head;
    memset(row, 0, (size_t)(ends - row));
    store_u16(row, (uint16_t)s->schema_id);
    uint32_t at = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct row_slot *slot = &l->slots[i];
        if (slot->is_key) continue;
        const frz_value *v = &values[i];
        if (v->type == FRZ_NULL) {
            bit_set(nulls, slot->null_bit);
            if (slot->width == 0) store_u32(ends + 4 * (size_t)slot->at, at);
            continue;
        }
        FRZ_ASSERT(v->type == slot->type);
        uint8_t *p = row + slot->at;
        switch (slot->type) {
        case FRZ_STRING:
        case FRZ_BINARY:
            if (v->as.bytes.len) memcpy(data + at, v->as.bytes.data, v->as.bytes.len);
            at += (uint32_t)v->as.bytes.len;
            store_u32(ends + 4 * (size_t)slot->at, at);
            break;
        case FRZ_UUID:
        case FRZ_FIXED:
            FRZ_ASSERT(v->as.bytes.len == slot->width);
            memcpy(p, v->as.bytes.data, slot->width);
            break;
        case FRZ_BOOLEAN: *p = v->as.boolean ? 1 : 0; break;
        case FRZ_DECIMAL: memcpy(p, &v->as, 16); break;
        default: /* a little-endian union: every number starts at its first byte */
            if (slot->width == 8) memcpy(p, &v->as, 8);
            else memcpy(p, &v->as, 4);
        }
    }
    FRZ_ASSERT(at == heap);
    out->len += head + heap;
    return FRZ_OK;
}

/* ── row bytes: read ── */

static slice var_slice(const struct row_layout *l, slice row, uint32_t index)
{
    size_t head = layout_head(l);
    const uint8_t *ends = row.data + head - 4 * (size_t)l->var_count;
    uint32_t from = index ? load_u32(ends + 4 * (size_t)(index - 1)) : 0, to = load_u32(ends + 4 * (size_t)index);
    return slice_of(row.data + head + from, to - from);
}

static inline void slot_get(const struct row_layout *l, const struct row_slot *slot, slice row, frz_value *out)
{
    *out = value_null();
    if (bit_get(row.data + 2, slot->null_bit)) return;
    out->type = slot->type;
    const uint8_t *p = row.data + slot->at;
    switch (slot->type) {
    case FRZ_BOOLEAN: out->as.boolean = *p != 0; break;
    case FRZ_STRING:
    case FRZ_BINARY: {
        slice v = var_slice(l, row, slot->at);
        out->as.bytes.data = v.data;
        out->as.bytes.len = v.len;
        break;
    }
    case FRZ_UUID:
    case FRZ_FIXED:
        out->as.bytes.data = p;
        out->as.bytes.len = slot->width;
        break;
    case FRZ_DECIMAL: memcpy(&out->as, p, 16); break;
    default:
        if (slot->width == 8) memcpy(&out->as, p, 8);
        else memcpy(&out->as, p, 4);
    }
}

void frz__row_get(const frz_schema *s, slice row, size_t column, frz_value *out)
{
    FRZ_ASSERT(!s->layout.slots[column].is_key);
    slot_get(&s->layout, &s->layout.slots[column], row, out);
}

static int err_row(const struct column *c, const char *what, frz_error *err) { return frz__err_corrupt(err, "row bytes: " COLUMN_FMT " %s", COLUMN_ARG(c), what); }

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static int check_column(const frz_schema *s, slice row, size_t i, frz_error *err)
{
    const struct row_slot *slot = &s->layout.slots[i];
    const struct column *c = &s->columns[i];
    if (bit_get(row.data + 2, slot->null_bit)) {
        if (slot->required) return err_row(c, "is null and required", err);
        bool zero = slot->width ? all_zero(row.data + slot->at, slot->width) : var_slice(&s->layout, row, slot->at).len == 0;
        return zero ? FRZ_OK : err_row(c, "is null and has bytes", err);
    }
    frz_value v;
    if (slot->type == FRZ_BOOLEAN && row.data[slot->at] > 1) return err_row(c, "is no boolean", err);
    frz__row_get(s, row, i, &v);
    switch (slot->type) {
    case FRZ_STRING: return frz__utf8_check(value_slice(&v)) == v.as.bytes.len ? FRZ_OK : err_row(c, "is no UTF-8", err);
    case FRZ_DECIMAL: return frz__decimal_fits(v.as.dec, c->type.precision) ? FRZ_OK : err_row(c, "is beyond its precision", err);
    case FRZ_TIME: return v.as.i64 >= 0 && v.as.i64 < INT64_C(86400000000) ? FRZ_OK : err_row(c, "is no time of day", err);
    default: return FRZ_OK;
    }
}

int frz__row_check(const frz_schema *s, slice row, frz_error *err)
{
    FRZ_ASSERT(s->sealed);
    const struct row_layout *l = &s->layout;
    size_t head = layout_head(l);
    if (row.len < head) return frz__err_corrupt(err, "row bytes: %zu bytes, the header alone has %zu", row.len, head);
    if (row.len > ROW_BYTES_MAX) return frz__err_corrupt(err, "row bytes: %zu bytes, the limit is %zu", row.len, ROW_BYTES_MAX);
    if (load_u16(row.data) != (uint16_t)s->schema_id) return frz__err_corrupt(err, "row bytes: of schema %u, expected %u", load_u16(row.data), (unsigned)(uint16_t)s->schema_id);
    const uint8_t *ends = row.data + head - 4 * (size_t)l->var_count;
    uint32_t last = 0;
    for (uint32_t i = 0; i < l->var_count; i++) {
        uint32_t end = load_u32(ends + 4 * (size_t)i);
        if (end < last || end > row.len - head) return frz__err_corrupt(err, "row bytes: end offset %u of variable column %u is not in %u to %zu", end, i, last, row.len - head);
        last = end;
    }
    if (last != row.len - head) return frz__err_corrupt(err, "row bytes: a heap of %zu bytes, its columns have %u", row.len - head, last);
    size_t bits = s->count - s->key_count;
    for (size_t i = bits; i < 8 * (size_t)l->null_bytes; i++)
        if (bit_get(row.data + 2, i)) return frz__err_corrupt(err, "row bytes: null bit %zu is of no column", i);
    for (size_t i = 0; i < s->count; i++)
        if (!l->slots[i].is_key) TRY(check_column(s, row, i, err));
    return FRZ_OK;
}

/* ── frz_row ── */

int frz__row_new(const allocator *a, const frz_schema *s, frz_row **out, frz_error *err)
{
    frz_row *r = NULL;
    int rc;
    *out = NULL;
    TRY(frz__schema_seal((frz_schema *)(uintptr_t)s, false, err)); /* the first use seals */
    TRY(ALLOC_NEW(&r, a, frz_row, err));
    r->a = a;
    r->schema = frz__schema_acquire(s);
    r->ar = ARENA_INIT(a);
    r->scratch = r->wanted = BUF_INIT(a, 0);
    r->values = (frz_value *)frz__alloc_array(a, s->count, sizeof *r->values);
    r->own = (struct row_own *)frz__alloc_array(a, s->count, sizeof *r->own);
    r->set = (uint8_t *)frz__alloc_zero(a, bits_bytes(s->count));
    if (!r->values || !r->own || !r->set) {
        rc = frz__err_no_memory(err, s->count * sizeof *r->values);
        frz__row_free(r);
        return rc;
    }
    *out = r;
    return FRZ_OK;
}

void frz__row_free(frz_row *r)
{
    if (!r) return;
    if (r->own)
        for (size_t i = 0; i < r->schema->count; i++) frz__free(r->a, r->own[i].data);
    frz__free(r->a, r->own);
    frz__free(r->a, r->values);
    frz__free(r->a, r->set);
    frz__arena_clear(&r->ar);
    buf_clear(&r->scratch);
    buf_clear(&r->wanted);
    frz_schema *s = r->schema; /* the allocator may be its */
    frz__free(r->a, r);
    frz__schema_release(s);
}

void frz__row_clear(frz_row *r)
{
    memset(r->set, 0, bits_bytes(r->schema->count));
    memset(r->values, 0, r->schema->count * sizeof *r->values);
    buf_reset(&r->scratch);
}

/* V's bytes into the column's own memory. They may lie there already. */
static int own_bytes(frz_row *r, size_t column, frz_value *v, frz_error *err)
{
    struct row_own *own = &r->own[column];
    size_t len = v->as.bytes.len;
    if (len > own->cap) {
        size_t cap = len < 16 ? 16 : len > SIZE_MAX / 2 ? len : len + len / 2;
        uint8_t *p = (uint8_t *)frz__alloc(r->a, cap);
        if (!p) return frz__err_no_memory(err, cap);
        memcpy(p, v->as.bytes.data, len);
        frz__free(r->a, own->data);
        *own = (struct row_own){p, cap};
    } else if (len) {
        memmove(own->data, v->as.bytes.data, len);
    }
    v->as.bytes.data = own->data ? (const void *)own->data : ""; /* empty is not null */
    return FRZ_OK;
}

int frz__row_set(frz_row *r, size_t column, const frz_value *v, bool copy, frz_error *err)
{
    if (column >= r->schema->count) return frz__err(err, FRZ_INVALID, "there is no column %zu: the row has %zu", column, r->schema->count);
    const struct column *c = &r->schema->columns[column];
    frz_value x;
    int rc = frz__value_convert(v, c->type, &x, err);
    if (rc < 0) return frz__column_context(c, rc, err);
    if (x.type == FRZ_NULL && c->required) return frz__err(err, FRZ_INVALID, COLUMN_FMT " is required: it cannot be null", COLUMN_ARG(c));
    if (copy && x.type >= FRZ_STRING) {
        if (x.as.bytes.len > ROW_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, COLUMN_FMT ": %zu bytes are beyond the limit of %zu for a row", COLUMN_ARG(c), x.as.bytes.len, ROW_BYTES_MAX);
        TRY(own_bytes(r, column, &x, err));
    }
    r->values[column] = x;
    bit_set(r->set, column);
    return FRZ_OK;
}

/* Key columns of MASK; without copy from scratch, which holds the key itself and, behind it, what had escapes. */
static int fill_key(frz_row *r, slice key, const uint8_t *mask, bool copy, frz_error *err)
{
    const frz_schema *s = r->schema;
    frz_value few[16], *values = few;
    int rc = FRZ_OK;
    if (s->key_count > FRZ_ARRAY_LEN(few)) {
        values = (frz_value *)frz__alloc(r->a, s->key_count * sizeof *values);
        if (!values) return frz__err_no_memory(err, s->key_count * sizeof *values);
    }
    buf_reset(&r->scratch);
    CHECK(buf_reserve(&r->scratch, 2 * key.len, err));
    if (!copy) {
        CHECK(buf_append_slice(&r->scratch, key, err));
        key = buf_slice(&r->scratch);
    }
    CHECK(frz__key_decode(s, key, values, &r->scratch, err));
    for (size_t i = 0; i < s->key_count; i++) {
        size_t column = s->key[i];
        if (mask && !bit_get(mask, column)) continue;
        if (copy && values[i].type >= FRZ_STRING) CHECK(own_bytes(r, column, &values[i], err));
        r->values[column] = values[i];
        bit_set(r->set, column);
    }
done:
    if (values != few) frz__free(r->a, values);
    return rc;
}

static bool mask_has_key(const frz_schema *s, const uint8_t *mask)
{
    if (!mask) return s->key_count > 0;
    for (size_t i = 0; i < s->key_count; i++)
        if (bit_get(mask, s->key[i])) return true;
    return false;
}

int frz__row_fill(frz_row *r, slice key, slice row, const uint8_t *mask, bool copy, frz_error *err)
{
    const frz_schema *s = r->schema;
    frz__row_clear(r);
    if (mask_has_key(s, mask)) TRY(fill_key(r, key, mask, copy, err));
    for (size_t i = 0; i < s->count; i++) {
        if (s->layout.slots[i].is_key || (mask && !bit_get(mask, i))) continue;
        frz_value *v = &r->values[i];
        slot_get(&s->layout, &s->layout.slots[i], row, v);
        if (copy && v->type >= FRZ_STRING) TRY(own_bytes(r, i, v, err));
        bit_set(r->set, i);
    }
    return FRZ_OK;
}
