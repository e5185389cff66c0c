/* sst_rows.c — encoded rows into the writer's column vectors: a column at a time, so that what differs by type is asked once for many rows. */
#include "sst/sst_keys.h"

#include "base/coding.h"

#define SIGN32 UINT32_C(0x80000000)
#define SIGN64 UINT64_C(0x8000000000000000)

/* ── keys ── */

static int key_bug(frz_error *err) { return frz__err(err, FRZ_BUG, "bytes that are no key of the table came to a table file's writer"); }

/* The usual key: one column, whose encoding is turned back without a look at what it means. FRZ_DONE: another. */
static int add_lone_key(const slice *keys, size_t count, struct vec *v, frz_error *err)
{
    if (v->validity || v->type.id == FRZ_TIME) return FRZ_DONE;
    if (type_is_i64(v->type)) {
        TRY(frz__vec_reserve(v, count, 0, err));
        for (size_t i = 0; i < count; i++) {
            if (keys[i].len != 8) return key_bug(err);
            store_u64(v->data + (v->len + i) * 8, load_u64_be(keys[i].data) ^ SIGN64);
        }
    } else if (type_is_i32(v->type)) {
        TRY(frz__vec_reserve(v, count, 0, err));
        for (size_t i = 0; i < count; i++) {
            if (keys[i].len != 4) return key_bug(err);
            store_u32(v->data + (v->len + i) * 4, load_u32_be(keys[i].data) ^ SIGN32);
        }
    } else if (type_is_var(v->type)) {
        size_t bytes = 0;
        for (size_t i = 0; i < count; i++) bytes += keys[i].len;
        TRY(frz__vec_reserve(v, count, bytes, err));
        uint32_t at = v->offsets[v->len];
        for (size_t i = 0; i < count; i++) {
            copy_short(v->data + at, keys[i].data, keys[i].len);
            at += (uint32_t)keys[i].len;
            v->offsets[v->len + i + 1] = at;
        }
    } else {
        return FRZ_DONE;
    }
    v->len += count;
    return FRZ_OK;
}

int frz__sst_keys_append(const frz_schema *s, const slice *keys, size_t count, struct vec *const *cols, struct buf *scratch, frz_error *err)
{
    int rc = s->key_count == 1 ? add_lone_key(keys, count, cols[0], err) : FRZ_DONE;
    if (rc != FRZ_DONE) return rc;
    frz_value few[16], *values = few;
    if (s->key_count > FRZ_ARRAY_LEN(few)) {
        values = (frz_value *)frz__alloc_array(s->a, s->key_count, sizeof *values);
        if (!values) return frz__err_no_memory(err, s->key_count * sizeof *values);
    }
    rc = FRZ_OK;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        buf_reset(scratch);
        rc = frz__key_decode(s, keys[i], values, scratch, err);
        if (rc == FRZ_CORRUPT) rc = key_bug(err);
        for (size_t c = 0; c < s->key_count && rc >= 0; c++) rc = frz__vec_append(cols[c], &values[c], err);
    }
    if (values != few) frz__free(s->a, values);
    return rc;
}

/* ── values ── */

/* Validity of COUNT rows behind V's last, whose memory is reserved. */
static int add_validity(struct vec *v, const struct row_slot *slot, const slice *rows, size_t count, frz_error *err)
{
    size_t nulls = 0;
    if (!slot->required)
        for (size_t i = 0; i < count; i++) nulls += bit_get(rows[i].data + 2, slot->null_bit);
    if (nulls) TRY(frz__vec_need_validity(v, err));
    if (!v->validity) return FRZ_OK;
    for (size_t i = 0; i < count; i++) bit_put(v->validity, v->len + i, !bit_get(rows[i].data + 2, slot->null_bit));
    v->nulls += nulls;
    return FRZ_OK;
}

/* Null or not: the bytes of a null are zero in the row as in the vector (row.h (2), vec.h (3)). */
static int add_fixed(struct vec *v, const struct row_slot *slot, const slice *rows, size_t count, frz_error *err)
{
    size_t width = slot->width, at = slot->at;
    TRY(frz__vec_reserve(v, count, 0, err));
    TRY(add_validity(v, slot, rows, count, err));
    if (v->type.id == FRZ_BOOLEAN) {
        for (size_t i = 0; i < count; i++) bit_put(v->data, v->len + i, rows[i].data[at] != 0);
    } else {
        uint8_t *to = v->data + v->len * width;
        if (width == 8) for (size_t i = 0; i < count; i++) memcpy(to + i * 8, rows[i].data + at, 8);
        else if (width == 4) for (size_t i = 0; i < count; i++) memcpy(to + i * 4, rows[i].data + at, 4);
        else for (size_t i = 0; i < count; i++) memcpy(to + i * width, rows[i].data + at, width);
    }
    v->len += count;
    return FRZ_OK;
}

static int add_var(struct vec *v, const struct row_layout *l, const struct row_slot *slot, const slice *rows, size_t count, frz_error *err)
{
    size_t head = layout_head(l), end = head - 4 * (size_t)l->var_count + 4 * (size_t)slot->at, bytes = 0;
    bool first = slot->at == 0;
    for (size_t i = 0; i < count; i++) bytes += load_u32(rows[i].data + end) - (first ? 0 : load_u32(rows[i].data + end - 4));
    TRY(frz__vec_reserve(v, count, bytes, err));
    TRY(add_validity(v, slot, rows, count, err));
    uint32_t at = v->offsets[v->len];
    for (size_t i = 0; i < count; i++) {
        uint32_t from = first ? 0 : load_u32(rows[i].data + end - 4), len = load_u32(rows[i].data + end) - from;
        copy_short(v->data + at, rows[i].data + head + from, len);
        at += len;
        v->offsets[v->len + i + 1] = at;
    }
    v->len += count;
    return FRZ_OK;
}

int frz__sst_values_append(const frz_schema *s, const slice *rows, size_t count, struct vec *cols, frz_error *err)
{
    for (size_t c = 0; c < s->count; c++) {
        const struct row_slot *slot = &s->layout.slots[c];
        if (slot->is_key) continue;
        if (slot->width) TRY(add_fixed(&cols[c], slot, rows, count, err));
        else TRY(add_var(&cols[c], &s->layout, slot, rows, count, err));
    }
    return FRZ_OK;
}

int frz__sst_lineage_append(struct vec *v, const int64_t *of, size_t count, frz_error *err)
{
    if (!of) return frz__vec_append_nulls(v, count, err);
    for (size_t i = 0; i < count; i++) {
        frz_value value = of[i] < 0 ? value_null() : value_i64(FRZ_LONG, of[i]);
        TRY(frz__vec_append(v, &value, err));
    }
    return FRZ_OK;
}
