/* Rows of vectors into a batch: the operations' bytes are laid out for a chunk of rows, then filled column by column. */
#include "engine/write.h"

static int reserve_ops(struct write_batch *b, size_t extra, frz_error *err)
{
    while (b->cap - b->count < extra) TRY(frz__grow(b->db->a, (void **)&b->ops, b->cap, &b->cap, sizeof *b->ops, err));
    return FRZ_OK;
}

/* Bytes of an operation beside its key and row, at most. */
static size_t op_head(size_t table_no_bytes) { return 1 + table_no_bytes + (size_t)2 * VARINT_BYTES_MAX; }

/* The measured rows of one chunk. */
static int put_chunk(struct write_batch *b, struct table *t, const frz_schema *s, const struct row_col *cols, size_t from, size_t count, const uint32_t *key_bytes, const uint32_t *row_bytes,
                     size_t bytes, enum expect expect, frz_error *err)
{
    uint8_t *keys[ROW_VEC_CHUNK], *rows[ROW_VEC_CHUNK], table_no[VARINT_BYTES_MAX];
    size_t table_no_bytes = varint_put(table_no, t->table_no);
    TRY(reserve_ops(b, count, err));
    TRY(buf_reserve(&b->bytes, bytes, err));
    uint8_t *p = b->bytes.data + b->bytes.len;
    for (size_t i = 0; i < count; i++) {
        *p++ = OP_PUT;
        memcpy(p, table_no, table_no_bytes);
        p += table_no_bytes;
        p += varint_put(p, key_bytes[i]);
        keys[i] = p;
        p += key_bytes[i];
        p += varint_put(p, row_bytes[i]);
        rows[i] = p;
        p += row_bytes[i];
        b->ops[b->count + i] = (struct write_op){.t = t, .schema = s, .kind = OP_PUT, .expect = (uint8_t)expect, .key_at = (size_t)(keys[i] - b->bytes.data), .key_len = key_bytes[i],
            .row_at = (size_t)(rows[i] - b->bytes.data), .row_len = row_bytes[i]};
    }
    frz__rows_put(s, cols, from, count, keys, rows);
    atomic_fetch_add(&t->refs, (uint32_t)count); /* one an op */
    b->bytes.len = (size_t)(p - b->bytes.data);
    b->count += count;
    if (expect != EXPECT_ANY) b->conditional = true;
    return FRZ_OK;
}

int frz__write_batch_rows(struct write_batch *b, struct table *t, const frz_schema *s, const struct row_col *cols, size_t from, size_t count, size_t bytes_max, enum expect expect, size_t *taken,
                          size_t *bad, frz_error *err)
{
    uint32_t key_bytes[ROW_VEC_CHUNK], row_bytes[ROW_VEC_CHUNK];
    uint8_t table_no[VARINT_BYTES_MAX];
    size_t head = op_head(varint_put(table_no, t->table_no));
    *taken = 0;
    *bad = SIZE_MAX;
    while (*taken < count) {
        size_t n = count - *taken < ROW_VEC_CHUNK ? count - *taken : ROW_VEC_CHUNK, bytes = 0, fit = 0;
        int rc = frz__rows_measure(s, cols, from + *taken, n, key_bytes, row_bytes, bad, err);
        if (rc < 0) {
            *bad += *taken;
            return rc;
        }
        for (; fit < n; fit++) {
            size_t op = head + key_bytes[fit] + row_bytes[fit];
            if (b->count + fit > 0 && b->bytes.len + bytes + op > bytes_max) break;
            bytes += op;
        }
        if (fit == 0) break;
        TRY(put_chunk(b, t, s, cols, from + *taken, fit, key_bytes, row_bytes, bytes, expect, err));
        *taken += fit;
        if (fit < n) break;
    }
    return FRZ_OK;
}
