#include "engine/write.h"

void frz__write_batch_init(struct write_batch *b, struct db *db)
{
    *b = (struct write_batch){.db = db};
    b->bytes = BUF_INIT(db->a, BATCH_BYTES_MAX);
    b->resolved = BUF_INIT(db->a, BATCH_BYTES_MAX);
    b->key = BUF_INIT(db->a, 0);
    b->row = BUF_INIT(db->a, 0);
}

void frz__write_batch_reset(struct write_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        frz_row_free(b->ops[i].patch);
        frz__table_release(b->ops[i].t);
    }
    b->count = 0;
    b->conditional = false;
    buf_reset(&b->bytes);
    buf_reset(&b->resolved);
}

void frz__write_batch_clear(struct write_batch *b)
{
    frz__write_batch_reset(b);
    buf_clear(&b->bytes);
    buf_clear(&b->resolved);
    buf_clear(&b->key);
    buf_clear(&b->row);
    frz__free(b->db->a, b->ops);
    b->ops = NULL;
    b->cap = 0;
}

/* One more op, of what is in b->key and ROW; nothing is changed where it fails. */
static int add(struct write_batch *b, struct table *t, const frz_schema *s, enum op_kind kind, enum expect expect, slice key, slice row, frz_error *err)
{
    TRY(frz__grow(b->db->a, (void **)&b->ops, b->count, &b->cap, sizeof *b->ops, err));
    TRY(frz__batch_append(&b->bytes, kind, t->table_no, key, row, err));
    size_t end = b->bytes.len, row_len = kind == OP_PUT ? row.len : 0;
    uint8_t len_bytes[VARINT_BYTES_MAX];
    size_t row_head = kind == OP_PUT ? varint_put(len_bytes, row.len) : 0;
    b->ops[b->count++] = (struct write_op){.t = frz__table_acquire(t), .schema = s, .kind = (uint8_t)kind, .expect = (uint8_t)expect,
        .key_at = end - row_len - row_head - key.len, .key_len = key.len, .row_at = end - row_len, .row_len = row_len};
    if (expect != EXPECT_ANY) b->conditional = true;
    return FRZ_OK;
}

int frz__write_batch_op(struct write_batch *b, struct table *t, const frz_schema *s, enum op_kind kind, slice key, slice row, frz_error *err)
{
    return add(b, t, s, kind, EXPECT_ANY, key, row, err);
}

int frz__write_batch_put(struct write_batch *b, struct table *t, const frz_schema *s, const frz_value *values, enum expect expect, frz_error *err)
{
    buf_reset(&b->key);
    buf_reset(&b->row);
    TRY(frz__key_encode_row(s, values, &b->key, err));
    TRY(frz__row_encode(s, values, &b->row, err));
    return add(b, t, s, OP_PUT, expect, buf_slice(&b->key), buf_slice(&b->row), err);
}

int frz__write_batch_update(struct write_batch *b, struct table *t, const frz_schema *s, const frz_row *patch, frz_error *err)
{
    frz_row *copy = NULL;
    int rc = FRZ_OK;
    buf_reset(&b->key);
    CHECK(frz__key_encode_row(s, patch->values, &b->key, err));
    CHECK(frz__row_new(b->db->a, s, &copy, err));
    for (size_t i = 0; i < s->count; i++)
        if (bit_get(patch->set, i)) CHECK(frz__row_set(copy, i, &patch->values[i], true, err));
    CHECK(add(b, t, s, OP_PUT, EXPECT_PRESENT, buf_slice(&b->key), slice_of("", 0), err));
    b->ops[b->count - 1].patch = copy;
    copy = NULL;
done:
    frz_row_free(copy);
    return rc;
}

int frz__write_batch_delete(struct write_batch *b, struct table *t, slice key, frz_error *err)
{
    return add(b, t, NULL, OP_DELETE, EXPECT_ANY, key, slice_of("", 0), err);
}

#define SPARE_BYTES_MAX ((size_t)1 << 20) /* a batch that grew beyond it gives its memory back */

int frz__write_batch_take(struct db *db, struct write_batch **out, frz_error *err)
{
    frz__mutex_lock(&db->codec_mu);
    *out = db->batch_count ? db->batches[--db->batch_count] : NULL;
    frz__mutex_unlock(&db->codec_mu);
    if (*out) return FRZ_OK;
    TRY(ALLOC_NEW(out, db->a, struct write_batch, err));
    frz__write_batch_init(*out, db);
    return FRZ_OK;
}

void frz__write_batch_give(struct db *db, struct write_batch *b)
{
    frz__write_batch_reset(b);
    if (b->bytes.cap + b->row.cap + b->resolved.cap > SPARE_BYTES_MAX) frz__write_batch_clear(b);
    frz__mutex_lock(&db->codec_mu);
    bool kept = db->batch_count < FRZ_ARRAY_LEN(db->batches);
    if (kept) db->batches[db->batch_count++] = b;
    frz__mutex_unlock(&db->codec_mu);
    if (kept) return;
    frz__write_batch_clear(b);
    frz__free(db->a, b);
}
