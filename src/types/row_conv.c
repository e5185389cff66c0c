#include "types/row_conv.h"

#include "base/bits.h"
#include "base/coding.h"

/* Where TO's column I is in FROM: mostly in the same place. */
static int64_t source_of(const frz_schema *from, const frz_schema *to, size_t i)
{
    int32_t id = to->columns[i].id;
    return i < from->count && from->columns[i].id == id ? (int64_t)i : frz__schema_find_id(from, id);
}

static int check_source(const struct column *old, const struct column *c, frz_error *err)
{
    char a[TYPE_TEXT_BYTES], b[TYPE_TEXT_BYTES];
    if ((old->key_index < 0) != (c->key_index < 0))
        return frz__err(err, FRZ_INVALID, COLUMN_FMT " %s the primary key: rows written before can't be read", COLUMN_ARG(c),
                        c->key_index < 0 ? "left" : "came into");
    if (frz__type_promotes(old->type, c->type)) return FRZ_OK;
    return frz__err(err, FRZ_INVALID, COLUMN_FMT ": %s cannot become %s", COLUMN_ARG(c), frz__type_text(old->type, a),
                    frz__type_text(c->type, b));
}

int frz__row_conv_init(struct row_conv *c, const allocator *a, const frz_schema *from, const frz_schema *to, enum row_default defaults,
                       frz_error *err)
{
    int rc = FRZ_OK;
    FRZ_ASSERT(from->sealed && to->sealed);
    *c = (struct row_conv){.a = a, .from = from, .to = to, .defaults = defaults, .same = frz__schema_same_rows(from, to)};
    c->source = (int32_t *)frz__alloc_array(a, to->count, sizeof *c->source);
    c->values = (frz_value *)frz__alloc_array(a, to->count, sizeof *c->values);
    if (!c->source || !c->values) CHECK(frz__err_no_memory(err, to->count * sizeof *c->values));
    for (size_t i = 0; i < to->count; i++) {
        int64_t at = source_of(from, to, i);
        c->source[i] = (int32_t)at;
        if (at >= 0) CHECK(check_source(&from->columns[at], &to->columns[i], err));
    }
done:
    if (rc < 0) frz__row_conv_clear(c);
    return rc;
}

void frz__row_conv_clear(struct row_conv *c)
{
    frz__free(c->a, c->source);
    frz__free(c->a, c->values);
    *c = (struct row_conv){0};
}

static frz_value default_of(const struct column *c, enum row_default defaults) { return defaults == ROW_WRITING ? c->write : c->initial; }

int frz__row_conv(struct row_conv *c, slice row, struct buf *out, frz_error *err)
{
    const frz_schema *to = c->to;
    if (c->same) {
        size_t at = out->len;
        TRY(buf_append_slice(out, row, err));
        store_u16(out->data + at, (uint16_t)to->schema_id);
        return FRZ_OK;
    }
    for (size_t i = 0; i < to->count; i++) {
        const struct column *column = &to->columns[i];
        frz_value v;
        c->values[i] = value_null();
        if (column->key_index >= 0) continue;
        if (c->source[i] < 0) {
            c->values[i] = default_of(column, c->defaults);
            continue;
        }
        frz__row_get(c->from, row, (size_t)c->source[i], &v);
        TRY(frz__column_context(column, frz__value_convert(&v, column->type, &c->values[i], err), err));
    }
    return frz__row_encode(to, c->values, out, err);
}

int frz__row_migrate(const frz_schema *from, slice row, const frz_schema *to, struct buf *out, frz_error *err)
{
    struct row_conv c;
    TRY(frz__row_conv_init(&c, to->a, from, to, ROW_WRITTEN, err));
    int rc = frz__row_conv(&c, row, out, err);
    frz__row_conv_clear(&c);
    return rc;
}

int frz__row_patch_conv(const allocator *a, const frz_row *from, const frz_schema *to, frz_row **out, frz_error *err)
{
    frz_row *r = NULL;
    int rc = FRZ_OK;
    *out = NULL;
    TRY(frz__row_new(a, to, &r, err));
    for (size_t i = 0; i < to->count; i++) {
        int64_t at = source_of(from->schema, to, i);
        if (at >= 0 && bit_get(from->set, (size_t)at)) CHECK(frz__row_set(r, i, &from->values[at], true, err));
    }
    *out = r;
    r = NULL;
done:
    frz__row_free(r);
    return rc;
}

int frz__row_read_conv(const frz_row *from, frz_row *out, const frz_schema *like, const uint8_t *mask, frz_error *err)
{
    FRZ_ASSERT(out->schema->count == like->count);
    frz__row_clear(out);
    for (size_t i = 0; i < like->count; i++) {
        int64_t at = source_of(from->schema, like, i);
        if ((mask && !bit_get(mask, i)) || at < 0) continue;
        int rc = frz__row_set(out, i, &from->values[at], true, err);
        if (rc == FRZ_INVALID) frz__err_context(err, "the row is of an older schema than the value: make it anew");
        TRY(rc);
    }
    return FRZ_OK;
}
