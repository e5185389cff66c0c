#include "types/vec.h"

void frz__vec_init(struct vec *v, const allocator *a, frz_type t) { *v = (struct vec){.type = t, .a = a}; }

void frz__vec_clear(struct vec *v)
{
    frz__free(v->a, v->validity);
    frz__free(v->a, v->data);
    frz__free(v->a, v->offsets);
    frz__vec_init(v, v->a, v->type);
}

void frz__vec_move(struct vec *to, struct vec *from)
{
    *to = *from;
    frz__vec_init(from, from->a, from->type);
}

static size_t data_bytes(const struct vec *v, size_t rows)
{
    return v->type.id == FRZ_BOOLEAN ? bits_bytes(rows) : rows * frz__type_width(v->type);
}

static int grow_data(struct vec *v, size_t need, frz_error *err)
{
    if (need <= v->data_cap && v->data) return FRZ_OK;
    size_t cap = v->data_cap + v->data_cap / 2;
    if (cap < need) cap = need;
    if (cap < 64) cap = 64;
    uint8_t *p = (uint8_t *)frz__realloc(v->a, v->data, cap);
    if (!p) return frz__err_no_memory(err, cap);
    v->data = p;
    v->data_cap = cap;
    return FRZ_OK;
}

int frz__vec_reserve(struct vec *v, size_t rows, size_t bytes, frz_error *err)
{
    size_t need = v->len + rows;
    if (type_is_var(v->type)) {
        size_t used = vec_var_bytes(v);
        if (bytes > VEC_VAR_BYTES_MAX - used) return frz__err(err, FRZ_TOO_LARGE, "a column vector of %zu bytes and %zu more is beyond %zu", used, bytes, VEC_VAR_BYTES_MAX);
        TRY(grow_data(v, used + bytes, err));
    }
    if (need <= v->cap && v->cap) return FRZ_OK;
    size_t cap = v->cap + v->cap / 2;
    if (cap < need) cap = need;
    if (cap < 64) cap = 64;
    cap = (cap + 7) & ~(size_t)7;
    if (type_is_var(v->type)) {
        uint32_t *o = (uint32_t *)frz__realloc(v->a, v->offsets, (cap + 1) * sizeof *o);
        if (!o) return frz__err_no_memory(err, (cap + 1) * sizeof *o);
        if (!v->offsets) o[0] = 0;
        v->offsets = o;
    } else {
        TRY(grow_data(v, data_bytes(v, cap), err));
    }
    if (v->validity) {
        uint8_t *p = (uint8_t *)frz__realloc(v->a, v->validity, bits_bytes(cap));
        if (!p) return frz__err_no_memory(err, bits_bytes(cap));
        v->validity = p;
    }
    v->cap = cap;
    return FRZ_OK;
}

int frz__vec_need_validity(struct vec *v, frz_error *err)
{
    if (v->validity) return FRZ_OK;
    TRY(frz__vec_reserve(v, 0, 0, err));
    v->validity = (uint8_t *)frz__alloc(v->a, bits_bytes(v->cap));
    if (!v->validity) return frz__err_no_memory(err, bits_bytes(v->cap));
    memset(v->validity, 0xFF, bits_bytes(v->cap));
    return FRZ_OK;
}

/* validity bits of COUNT new rows that are all valid */
static void mark_valid(struct vec *v, size_t count)
{
    if (!v->validity) return;
    for (size_t i = v->len; i < v->len + count; i++) bit_set(v->validity, i);
}

int frz__vec_append_nulls(struct vec *v, size_t count, frz_error *err)
{
    if (count == 0) return FRZ_OK;
    TRY(frz__vec_reserve(v, count, 0, err));
    TRY(frz__vec_need_validity(v, err));
    for (size_t i = v->len; i < v->len + count; i++) bit_clear(v->validity, i);
    if (type_is_var(v->type)) {
        for (size_t i = v->len; i < v->len + count; i++) v->offsets[i + 1] = v->offsets[v->len];
    } else if (v->type.id == FRZ_BOOLEAN) {
        for (size_t i = v->len; i < v->len + count; i++) bit_clear(v->data, i);
    } else {
        size_t w = frz__type_width(v->type);
        memset(v->data + v->len * w, 0, count * w);
    }
    v->len += count;
    v->nulls += count;
    return FRZ_OK;
}

int frz__vec_append(struct vec *v, const frz_value *value, frz_error *err)
{
    if (value_is_null(value)) return frz__vec_append_nulls(v, 1, err);
    FRZ_ASSERT(value->type == v->type.id);
    size_t w = frz__type_width(v->type);
    TRY(frz__vec_reserve(v, 1, type_is_var(v->type) ? value->as.bytes.len : 0, err));
    size_t i = v->len;
    if (type_is_var(v->type)) {
        if (value->as.bytes.len) memcpy(v->data + v->offsets[i], value->as.bytes.data, value->as.bytes.len);
        v->offsets[i + 1] = v->offsets[i] + (uint32_t)value->as.bytes.len;
    } else {
        switch (v->type.id) {
        case FRZ_BOOLEAN: bit_put(v->data, i, value->as.boolean); break;
        case FRZ_UUID:
        case FRZ_FIXED:
            FRZ_ASSERT(value->as.bytes.len == w);
            memcpy(v->data + i * w, value->as.bytes.data, w);
            break;
        default: memcpy(v->data + i * w, &value->as, w); break; /* a little-endian union: every number starts at its first byte */
        }
    }
    mark_valid(v, 1);
    v->len++;
    return FRZ_OK;
}

int frz__vec_append_range(struct vec *v, const struct vec *src, size_t from, size_t count, frz_error *err)
{
    FRZ_ASSERT(from + count <= src->len && v->type.id == src->type.id);
    if (count == 0) return FRZ_OK;
    size_t bytes = type_is_var(v->type) ? src->offsets[from + count] - src->offsets[from] : 0;
    TRY(frz__vec_reserve(v, count, bytes, err));
    size_t nulls = 0;
    if (src->validity) {
        for (size_t i = 0; i < count; i++) nulls += !bit_get(src->validity, from + i);
        if (nulls) TRY(frz__vec_need_validity(v, err));
    }
    if (v->validity) {
        for (size_t i = 0; i < count; i++) bit_put(v->validity, v->len + i, !vec_is_null(src, from + i));
    }
    if (type_is_var(v->type)) {
        uint32_t base = v->offsets[v->len], start = src->offsets[from];
        if (bytes) memcpy(v->data + base, src->data + start, bytes);
        for (size_t i = 0; i < count; i++) v->offsets[v->len + i + 1] = base + (src->offsets[from + i + 1] - start);
    } else if (v->type.id == FRZ_BOOLEAN) {
        for (size_t i = 0; i < count; i++) bit_put(v->data, v->len + i, bit_get(src->data, from + i));
    } else {
        size_t w = frz__type_width(v->type);
        memcpy(v->data + v->len * w, src->data + from * w, count * w);
    }
    v->len += count;
    v->nulls += nulls;
    return FRZ_OK;
}

int frz__vec_append_select(struct vec *v, const struct vec *src, const uint32_t *rows, size_t count, frz_error *err)
{
    if (count == 0) return FRZ_OK;
    size_t bytes = 0, nulls = 0, w = frz__type_width(v->type);
    if (type_is_var(v->type))
        for (size_t i = 0; i < count; i++) bytes += src->offsets[rows[i] + 1] - src->offsets[rows[i]];
    TRY(frz__vec_reserve(v, count, bytes, err));
    if (src->validity)
        for (size_t i = 0; i < count; i++) nulls += !bit_get(src->validity, rows[i]);
    if (nulls) TRY(frz__vec_need_validity(v, err));
    if (v->validity)
        for (size_t i = 0; i < count; i++) bit_put(v->validity, v->len + i, !vec_is_null(src, rows[i]));
    if (type_is_var(v->type)) {
        uint32_t at = v->offsets[v->len];
        for (size_t i = 0; i < count; i++) {
            uint32_t from = src->offsets[rows[i]], n = src->offsets[rows[i] + 1] - from;
            if (n) memcpy(v->data + at, src->data + from, n);
            at += n;
            v->offsets[v->len + i + 1] = at;
        }
    } else if (v->type.id == FRZ_BOOLEAN) {
        for (size_t i = 0; i < count; i++) bit_put(v->data, v->len + i, bit_get(src->data, rows[i]));
    } else if (w == 8) {
        for (size_t i = 0; i < count; i++) memcpy(v->data + (v->len + i) * 8, src->data + (size_t)rows[i] * 8, 8);
    } else if (w == 4) {
        for (size_t i = 0; i < count; i++) memcpy(v->data + (v->len + i) * 4, src->data + (size_t)rows[i] * 4, 4);
    } else {
        for (size_t i = 0; i < count; i++) memcpy(v->data + (v->len + i) * w, src->data + (size_t)rows[i] * w, w);
    }
    v->len += count;
    v->nulls += nulls;
    return FRZ_OK;
}

size_t frz__vec_rows_within(const struct vec *v, size_t from, size_t count, size_t bytes)
{
    size_t rows = 0, end = count;
    if (vec_range_bytes(v, from, count) <= bytes) return count;
    while (rows + 1 < end) { /* rows fit, end don't */
        size_t mid = rows + (end - rows) / 2;
        if (vec_range_bytes(v, from, mid) <= bytes) rows = mid;
        else end = mid;
    }
    return rows;
}

void frz__vec_truncate(struct vec *v, size_t rows)
{
    FRZ_ASSERT(rows <= v->len);
    v->len = rows;
    v->nulls = v->nulls && v->validity ? rows - bits_count(v->validity, rows) : 0;
}

void frz__vec_get(const struct vec *v, size_t i, frz_value *out)
{
    *out = value_null();
    if (vec_is_null(v, i)) return;
    out->type = v->type.id;
    switch (v->type.id) { /* a row at a time: the common widths are constants */
    case FRZ_BOOLEAN: out->as.boolean = bit_get(v->data, i); break;
    case FRZ_STRING:
    case FRZ_BINARY:
        out->as.bytes.data = v->data + v->offsets[i];
        out->as.bytes.len = v->offsets[i + 1] - v->offsets[i];
        break;
    case FRZ_UUID:
    case FRZ_FIXED:
        out->as.bytes.len = frz__type_width(v->type);
        out->as.bytes.data = v->data + i * out->as.bytes.len;
        break;
    case FRZ_LONG:
    case FRZ_DOUBLE:
    case FRZ_TIMESTAMP: memcpy(&out->as, v->data + i * 8, 8); break;
    case FRZ_INT:
    case FRZ_DATE:
    case FRZ_FLOAT: memcpy(&out->as, v->data + i * 4, 4); break;
    default: {
        size_t w = frz__type_width(v->type);
        memcpy(&out->as, v->data + i * w, w);
        break;
    }
    }
}

size_t frz__vec_mem(const struct vec *v)
{
    return v->data_cap + (v->validity ? bits_bytes(v->cap) : 0) + (v->offsets ? (v->cap + 1) * sizeof *v->offsets : 0);
}

int frz__vecs_init(struct vecs *vs, const allocator *a, const frz_type *types, size_t count, frz_error *err)
{
    *vs = (struct vecs){.a = a};
    vs->cols = (struct vec *)frz__alloc_array(a, count, sizeof *vs->cols);
    if (!vs->cols) return frz__err_no_memory(err, count * sizeof *vs->cols);
    vs->count = count;
    for (size_t i = 0; i < count; i++) frz__vec_init(&vs->cols[i], a, types[i]);
    return FRZ_OK;
}

void frz__vecs_clear(struct vecs *vs)
{
    for (size_t i = 0; i < vs->count; i++) frz__vec_clear(&vs->cols[i]);
    frz__free(vs->a, vs->cols);
    *vs = (struct vecs){.a = vs->a};
}

void frz__vecs_reset(struct vecs *vs)
{
    for (size_t i = 0; i < vs->count; i++) vec_reset(&vs->cols[i]);
    vs->rows = 0;
}
