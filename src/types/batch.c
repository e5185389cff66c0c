#include "types/batch.h"

int frz__batch_append(struct buf *out, enum op_kind kind, uint64_t table_no, slice key, slice row, frz_error *err)
{
    FRZ_ASSERT(kind == OP_PUT || kind == OP_DELETE);
    FRZ_ASSERT(key.len <= KEY_BYTES_MAX && row.len <= ROW_BYTES_MAX);
    size_t most = 1 + 3 * VARINT_BYTES_MAX + key.len + row.len;
    if (out->len > BATCH_BYTES_MAX || most > BATCH_BYTES_MAX - out->len)
        return frz__err(err, FRZ_TOO_LARGE, "a batch of %zu bytes has no room for %zu more: the limit is %zu", out->len, most, BATCH_BYTES_MAX);
    TRY(buf_reserve(out, most, err));
    uint8_t *p = out->data + out->len;
    *p++ = (uint8_t)kind;
    p += varint_put(p, table_no);
    p += varint_put(p, key.len);
    if (key.len) memcpy(p, key.data, key.len);
    p += key.len;
    if (kind == OP_PUT) {
        p += varint_put(p, row.len);
        if (row.len) memcpy(p, row.data, row.len);
        p += row.len;
    }
    out->len = (size_t)(p - out->data);
    return FRZ_OK;
}

static bool take_bytes(const uint8_t **p, const uint8_t *end, size_t max, slice *out)
{
    uint64_t len;
    if (!varint_get(p, end, &len) || len > (uint64_t)(end - *p) || len > max) return false;
    *out = slice_of(*p, (size_t)len);
    *p += len;
    return true;
}

int frz__batch_next(const uint8_t **p, const uint8_t *end, struct op *out, frz_error *err)
{
    const uint8_t *q = *p;
    *out = (struct op){0};
    if (q == end) return FRZ_DONE;
    uint8_t kind = *q++;
    if (kind != OP_PUT && kind != OP_DELETE) return frz__err_corrupt(err, "a batch holds an operation of kind %u, expected put (1) or delete (2)", kind);
    if (!varint_get(&q, end, &out->table_no)) return frz__err_corrupt(err, "a batch is cut in a table number, %zu bytes before its end", (size_t)(end - q));
    if (!take_bytes(&q, end, KEY_BYTES_MAX, &out->key)) return frz__err_corrupt(err, "a batch is cut in a key, or the key too long, %zu bytes before its end", (size_t)(end - q));
    if (kind == OP_PUT && !take_bytes(&q, end, ROW_BYTES_MAX, &out->row)) return frz__err_corrupt(err, "a batch is cut in a row, or the row too long, %zu bytes before its end", (size_t)(end - q));
    out->kind = (enum op_kind)kind;
    *p = q;
    return FRZ_OK;
}
