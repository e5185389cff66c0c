/* write_renew.c — a batch that was filled before the schema changed: its rows, and what updates change, as the schema of today has them. */
#include "engine/write.h"
#include "types/row_conv.h"

static bool is_old(const struct write_op *o)
{
    return o->schema && o->schema != atomic_load_explicit(&o->t->view_schema, memory_order_acquire);
}

struct renewal {
    struct write_batch *b;
    struct buf bytes;
    struct write_op *ops;
    size_t count;
    struct row_conv conv; /* of the last row */
};

/* TO: kept by the table, as o->schema is. */
static int renew_op(struct renewal *r, const struct write_op *o, const frz_schema *to, frz_error *err)
{
    struct write_batch *b = r->b;
    slice key = slice_of(b->bytes.data + o->key_at, o->key_len), row = slice_of(b->bytes.data + o->row_at, o->row_len);
    struct write_op *n = &r->ops[r->count];
    *n = *o;
    n->patch = NULL;
    if (o->schema && o->schema != to) {
        if (o->patch) {
            TRY(frz__row_patch_conv(b->db->a, o->patch, to, &n->patch, err));
        } else {
            if (r->conv.from != o->schema || r->conv.to != to) {
                frz__row_conv_clear(&r->conv);
                TRY(frz__row_conv_init(&r->conv, b->db->a, o->schema, to, ROW_WRITING, err));
            }
            buf_reset(&b->row);
            TRY(frz__row_conv(&r->conv, row, &b->row, err));
            row = buf_slice(&b->row);
        }
        n->schema = to;
    } else if (o->patch) {
        TRY(frz__row_patch_conv(b->db->a, o->patch, o->patch->schema, &n->patch, err));
    }
    r->count++; /* from here on its patch is ours to free */
    TRY(frz__batch_append(&r->bytes, (enum op_kind)o->kind, o->t->table_no, key, row, err));
    uint8_t scratch[VARINT_BYTES_MAX];
    size_t end = r->bytes.len, row_head = o->kind == OP_PUT ? varint_put(scratch, row.len) : 0;
    n->row_len = o->kind == OP_PUT ? row.len : 0;
    n->row_at = end - n->row_len;
    n->key_at = end - n->row_len - row_head - key.len;
    return FRZ_OK;
}

int frz__write_batch_renew(struct write_batch *b, frz_error *err)
{
    struct renewal r = {.b = b};
    bool old = false;
    int rc = FRZ_OK;
    for (size_t i = 0; i < b->count && !old; i++) {
        if (i && b->ops[i].schema == b->ops[i - 1].schema && b->ops[i].t == b->ops[i - 1].t) continue;
        old = is_old(&b->ops[i]);
    }
    if (!old) return FRZ_OK;
    r.bytes = BUF_INIT(b->db->a, BATCH_BYTES_MAX);
    r.ops = (struct write_op *)frz__alloc_array(b->db->a, b->cap, sizeof *r.ops);
    if (!r.ops) return frz__err_no_memory(err, b->cap * sizeof *r.ops);
    for (size_t i = 0; i < b->count; i++)
        CHECK(renew_op(&r, &b->ops[i], atomic_load_explicit(&b->ops[i].t->view_schema, memory_order_acquire), err));
    for (size_t i = 0; i < b->count; i++) {
        struct write_op was = b->ops[i];
        b->ops[i] = r.ops[i];
        r.ops[i].patch = was.patch;
    }
    buf_clear(&b->bytes);
    buf_move(&b->bytes, &r.bytes);
done:
    for (size_t i = 0; i < r.count; i++) frz__row_free(r.ops[i].patch);
    frz__free(b->db->a, r.ops);
    buf_clear(&r.bytes);
    frz__row_conv_clear(&r.conv);
    return rc;
}
