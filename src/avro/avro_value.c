#include "avro/avro_int.h"

/* ── encoders ── */

int frz__avro_put_long(struct buf *out, int64_t v, frz_error *err) { return buf_append_varint(out, zigzag_encode(v), err); }

int frz__avro_put_bytes(struct buf *out, slice v, frz_error *err)
{
    TRY(frz__avro_put_long(out, (int64_t)v.len, err));
    return buf_append_slice(out, v, err);
}

int frz__avro_put_bool(struct buf *out, bool v, frz_error *err) { return buf_append_byte(out, v, err); }

/* ── decoding ── */

static size_t left(const struct avro_cursor *c) { return (size_t)(c->end - c->at); }

int frz__avro_get_long(struct avro_cursor *c, int64_t *out, frz_error *err)
{
    uint64_t v;
    if (!varint_get(&c->at, c->end, &v)) return frz__err_corrupt(err, "a number is cut or longer than 64 bits, %zu bytes before the end", left(c));
    *out = zigzag_decode(v);
    return FRZ_OK;
}

static int get_raw(struct avro_cursor *c, size_t len, slice *out, frz_error *err)
{
    if (len > left(c)) return frz__err_corrupt(err, "a value of %zu bytes where %zu are left", len, left(c));
    *out = slice_of(c->at, len);
    c->at += len;
    return FRZ_OK;
}

int frz__avro_get_bytes(struct avro_cursor *c, slice *out, frz_error *err)
{
    int64_t len;
    TRY(frz__avro_get_long(c, &len, err));
    if (len < 0) return frz__err_corrupt(err, "a length of %" PRId64, len);
    return get_raw(c, (size_t)len, out, err);
}

static int charge(struct avro_cursor *c, uint64_t values, frz_error *err)
{
    if (values > c->credit) return frz__err_corrupt(err, "more values than the file's bytes can hold");
    c->credit -= values;
    return FRZ_OK;
}

static int read_value(struct avro_cursor *c, const struct avro_schema *s, unsigned depth, struct avro_value *out, frz_error *err);

/* The count of an array's or map's next block, 0 at its end; BLOCK_END: where it says it ends, NULL if it does not say. */
static int block_begin(struct avro_cursor *c, uint64_t *count, const uint8_t **block_end, frz_error *err)
{
    int64_t n, bytes;
    *block_end = NULL;
    TRY(frz__avro_get_long(c, &n, err));
    *count = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    if (n >= 0) return FRZ_OK;
    TRY(frz__avro_get_long(c, &bytes, err));
    if (bytes < 0 || (uint64_t)bytes > left(c)) return frz__err_corrupt(err, "an array's block of %" PRId64 " bytes where %zu are left", bytes, left(c));
    *block_end = c->at + bytes;
    return FRZ_OK;
}

static int read_pair(struct avro_cursor *c, const struct avro_schema *value, unsigned depth, struct avro_value *out, frz_error *err)
{
    struct avro_value *kv = (struct avro_value *)arena_alloc(c->ar, 2 * sizeof *kv, 8);
    if (!kv) return frz__err_no_memory(err, 2 * sizeof *kv);
    TRY(charge(c, 2, err));
    *out = (struct avro_value){.kind = AVRO_RECORD, .field_id = -1, .as.list = {kv, 2}};
    kv[0] = (struct avro_value){.kind = AVRO_BYTES, .field_id = -1};
    TRY(frz__avro_get_bytes(c, &kv[0].as.bytes, err));
    TRY(read_value(c, value, depth, &kv[1], err));
    kv[1].field_id = -1;
    return FRZ_OK;
}

static int read_list(struct avro_cursor *c, const struct avro_schema *s, unsigned depth, struct avro_value *out, frz_error *err)
{
    struct avro_value *items = NULL;
    size_t used = 0, cap = 0;
    const size_t item_min = s->of[0]->bytes_min + (s->type == AT_MAP);
    for (;;) {
        uint64_t count;
        const uint8_t *block_end;
        TRY(block_begin(c, &count, &block_end, err));
        if (count == 0) break;
        if (item_min && count > left(c) / item_min) return frz__err_corrupt(err, "an array of %" PRIu64 " items of at least %zu bytes where %zu are left", count, item_min, left(c));
        TRY(charge(c, count, err));
        if (count > cap - used) {
            size_t want = used + (size_t)count > cap * 2 ? used + (size_t)count : cap * 2;
            struct avro_value *more = (struct avro_value *)arena_alloc(c->ar, want * sizeof *more, 8);
            if (!more) return frz__err_no_memory(err, want * sizeof *more);
            if (used) memcpy(more, items, used * sizeof *more);
            items = more;
            cap = want;
        }
        for (; count > 0; count--, used++) {
            if (s->type == AT_MAP) TRY(read_pair(c, s->of[0], depth, &items[used], err));
            else TRY(read_value(c, s->of[0], depth, &items[used], err));
            items[used].field_id = -1;
        }
        if (block_end && block_end != c->at) return frz__err_corrupt(err, "an array's block does not end where it says");
    }
    out->kind = AVRO_ARRAY;
    out->as.list.items = items;
    out->as.list.count = used;
    return FRZ_OK;
}

static int read_record(struct avro_cursor *c, const struct avro_schema *s, unsigned depth, struct avro_value *out, frz_error *err)
{
    TRY(charge(c, s->count, err));
    struct avro_value *fields = (struct avro_value *)arena_alloc(c->ar, s->count * sizeof *fields, 8);
    if (!fields) return frz__err_no_memory(err, s->count * sizeof *fields);
    for (uint32_t i = 0; i < s->count; i++) {
        int rc = read_value(c, s->of[i], depth, &fields[i], err);
        if (rc < 0) {
            if (s->field_ids[i] >= 0) frz__err_context(err, "field %" PRId32, s->field_ids[i]);
            return rc;
        }
        fields[i].field_id = s->field_ids[i];
    }
    out->kind = AVRO_RECORD;
    out->as.list.items = fields;
    out->as.list.count = s->count;
    return FRZ_OK;
}

static int read_number(struct avro_cursor *c, const struct avro_schema *s, struct avro_value *out, frz_error *err)
{
    out->kind = AVRO_LONG;
    TRY(frz__avro_get_long(c, &out->as.i64, err));
    if (s->type == AT_INT && (out->as.i64 < INT32_MIN || out->as.i64 > INT32_MAX)) return frz__err_corrupt(err, "an int of %" PRId64, out->as.i64);
    if (s->type == AT_ENUM && (out->as.i64 < 0 || out->as.i64 >= s->size)) return frz__err_corrupt(err, "symbol %" PRId64 " of an enum of %" PRIu32, out->as.i64, s->size);
    return FRZ_OK;
}

static int read_real(struct avro_cursor *c, const struct avro_schema *s, struct avro_value *out, frz_error *err)
{
    slice raw;
    TRY(get_raw(c, s->type == AT_FLOAT ? 4 : 8, &raw, err));
    out->kind = AVRO_DOUBLE;
    if (s->type == AT_FLOAT) {
        float f;
        memcpy(&f, raw.data, 4);
        out->as.f64 = (double)f;
    } else {
        memcpy(&out->as.f64, raw.data, 8);
    }
    return FRZ_OK;
}

static int read_bool(struct avro_cursor *c, struct avro_value *out, frz_error *err)
{
    slice raw;
    TRY(get_raw(c, 1, &raw, err));
    if (raw.data[0] > 1) return frz__err_corrupt(err, "a boolean of %u", raw.data[0]);
    out->kind = AVRO_BOOL;
    out->as.boolean = raw.data[0];
    return FRZ_OK;
}

static int read_union(struct avro_cursor *c, const struct avro_schema *s, unsigned depth, struct avro_value *out, frz_error *err)
{
    int64_t branch;
    TRY(frz__avro_get_long(c, &branch, err));
    if (branch < 0 || branch >= s->count) return frz__err_corrupt(err, "branch %" PRId64 " of a union of %" PRIu32, branch, s->count);
    return read_value(c, s->of[branch], depth, out, err);
}

static int read_value(struct avro_cursor *c, const struct avro_schema *s, unsigned depth, struct avro_value *out, frz_error *err)
{
    if (depth == 0) return frz__err_corrupt(err, "values nested more than %d deep", AVRO_DEPTH_MAX);
    *out = (struct avro_value){.kind = AVRO_NULL, .field_id = -1};
    switch (s->type) {
    case AT_NULL: return FRZ_OK;
    case AT_BOOL: return read_bool(c, out, err);
    case AT_INT:
    case AT_LONG:
    case AT_ENUM: return read_number(c, s, out, err);
    case AT_FLOAT:
    case AT_DOUBLE: return read_real(c, s, out, err);
    case AT_BYTES:
    case AT_STRING: out->kind = AVRO_BYTES; return frz__avro_get_bytes(c, &out->as.bytes, err);
    case AT_FIXED: out->kind = AVRO_BYTES; return get_raw(c, s->size, &out->as.bytes, err);
    case AT_ARRAY:
    case AT_MAP: return read_list(c, s, depth - 1, out, err);
    case AT_UNION: return read_union(c, s, depth - 1, out, err);
    case AT_RECORD: return read_record(c, s, depth - 1, out, err);
    }
    return frz__err(err, FRZ_BUG, "Avro type %d", (int)s->type);
}

int frz__avro_value_read(struct avro_cursor *c, const struct avro_schema *s, struct avro_value *out, frz_error *err)
{
    TRY(charge(c, 1, err));
    return read_value(c, s, AVRO_DEPTH_MAX, out, err);
}

const struct avro_value *frz__avro_field(const struct avro_value *record, int32_t field_id)
{
    if (!record || record->kind != AVRO_RECORD || field_id < 0) return NULL;
    for (size_t i = 0; i < record->as.list.count; i++) {
        const struct avro_value *v = &record->as.list.items[i];
        if (v->field_id == field_id) return v->kind == AVRO_NULL ? NULL : v;
    }
    return NULL;
}
