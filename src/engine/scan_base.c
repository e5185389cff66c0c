#include "engine/scan.h"

#include "base/sized.h"

static int convert_key(const frz_schema *s, const frz_value *values, size_t count, frz_value *out, const char *what, frz_error *err)
{
    if (!values) return frz__err(err, FRZ_INVALID, "%s has %zu values, and is NULL", what, count);
    if (count == 0 || count > s->key_count) return frz__err(err, FRZ_INVALID, "%s has %zu values; the key has %zu columns", what, count, s->key_count);
    for (size_t i = 0; i < count; i++) {
        const struct column *c = &s->columns[s->key[i]];
        if (value_is_null(&values[i])) return frz__err(err, FRZ_INVALID, "%s: column %s of the key can't be null", what, c->name);
        int rc = frz__value_convert(&values[i], c->type, &out[i], err);
        if (rc < 0) {
            frz__err_context(err, "%s: column %s", what, c->name);
            return rc;
        }
    }
    return FRZ_OK;
}

int frz__scan_bound(const frz_schema *s, const frz_value *values, size_t count, bool above, const char *what, struct buf *out, bool *open, frz_error *err)
{
    frz_value *converted = (frz_value *)frz__alloc_array(s->a, count + 1, sizeof *converted);
    struct buf prefix = BUF_INIT(out->a, 0);
    int rc = converted ? FRZ_OK : frz__err_no_memory(err, count * sizeof *converted);
    *open = false;
    if (rc >= 0) rc = convert_key(s, values, count, converted, what, err);
    if (rc >= 0) rc = frz__key_encode_prefix(s, converted, count, &prefix, err);
    buf_reset(out);
    if (rc >= 0 && (!above || count == s->key_count)) {
        rc = buf_append_slice(out, buf_slice(&prefix), err);
        if (rc >= 0 && above) rc = buf_append_byte(out, 0, err); /* the least key beyond a whole one */
    } else if (rc >= 0) {
        *open = !frz__key_successor(buf_slice(&prefix), out);
    }
    frz__free(s->a, converted);
    buf_clear(&prefix);
    return rc;
}

/* A bound whose count was forgotten would be no bound at all. */
static int check_bound(const frz_value *values, size_t count, const char *what, frz_error *err)
{
    return values && !count ? frz__err(err, FRZ_INVALID, "a scan has %s, and %s_count is 0", what, what) : FRZ_OK;
}

static int bounds(struct scan_base *b, const frz_scan_options *o, frz_error *err)
{
    const frz_schema *s = b->view->schema;
    bool open = false;
    TRY(check_bound(o->from, o->from_count, "from", err));
    TRY(check_bound(o->to, o->to_count, "to", err));
    TRY(check_bound(o->prefix, o->prefix_count, "prefix", err));
    if (o->prefix_count && (o->from_count || o->to_count)) return frz__err(err, FRZ_INVALID, "a scan has a prefix, or from and to, not both");
    if (o->prefix_count) {
        TRY(frz__scan_bound(s, o->prefix, o->prefix_count, false, "prefix", &b->from, &open, err));
        TRY(frz__scan_bound(s, o->prefix, o->prefix_count, true, "prefix", &b->to, &open, err));
        b->has_from = true;
        b->has_to = !open;
        return FRZ_OK;
    }
    if (o->from_count) {
        TRY(frz__scan_bound(s, o->from, o->from_count, o->from_exclusive, "from", &b->from, &open, err));
        b->has_from = true;
        b->empty = open; /* beyond the last of all */
    }
    if (o->to_count) {
        TRY(frz__scan_bound(s, o->to, o->to_count, o->to_inclusive, "to", &b->to, &open, err));
        b->has_to = !open;
    }
    return FRZ_OK;
}

/* What the predicate says of the key narrows the bounds. */
static int narrow(struct scan_base *b, frz_error *err)
{
    struct buf from = BUF_INIT(b->t->a, 0), to = BUF_INIT(b->t->a, 0);
    bool has_from = false, has_to = false;
    int rc = frz__pred_key_range(b->pred, b->view->schema, &from, &has_from, &to, &has_to, err);
    if (rc >= 0 && has_from && (!b->has_from || slice_cmp(buf_slice(&from), buf_slice(&b->from)) > 0)) {
        buf_clear(&b->from);
        buf_move(&b->from, &from);
        b->has_from = true;
    }
    if (rc >= 0 && has_to && (!b->has_to || slice_cmp(buf_slice(&to), buf_slice(&b->to)) < 0)) {
        buf_clear(&b->to);
        buf_move(&b->to, &to);
        b->has_to = true;
    }
    buf_clear(&from);
    buf_clear(&to);
    return rc;
}

static int choose_columns(struct scan_base *b, const frz_scan_options *o, frz_error *err)
{
    const frz_schema *s = b->view->schema;
    size_t wanted = o->columns ? o->column_count : s->count;
    if (wanted > s->count) return frz__err(err, FRZ_INVALID, "%zu columns are asked for; the table has %zu", wanted, s->count);
    b->columns = (size_t *)frz__alloc_array(b->t->a, wanted + s->count + 1, sizeof *b->columns);
    uint8_t *have = (uint8_t *)frz__alloc_zero(b->t->a, bits_bytes(s->count)), *need = (uint8_t *)frz__alloc_zero(b->t->a, bits_bytes(s->count));
    int rc = b->columns && have && need ? FRZ_OK : frz__err_no_memory(err, wanted * sizeof *b->columns);
    for (size_t i = 0; rc >= 0 && i < wanted; i++) {
        size_t c = o->columns ? o->columns[i] : i;
        if (c >= s->count) rc = frz__err(err, FRZ_INVALID, "column %zu: the table has %zu", c, s->count);
        else if (bit_get(have, c)) rc = frz__err(err, FRZ_INVALID, "column %s is asked for twice", s->columns[c].name);
        else {
            bit_set(have, c);
            b->columns[b->column_count++] = c;
        }
    }
    b->wanted_count = b->column_count;
    if (rc >= 0 && b->pred) {
        frz__pred_columns(b->pred, need);
        for (size_t c = 0; c < s->count; c++)
            if (bit_get(need, c) && !bit_get(have, c)) b->columns[b->column_count++] = c;
    }
    frz__free(b->t->a, have);
    frz__free(b->t->a, need);
    return rc;
}

int frz__scan_base_init(struct scan_base *b, struct table *t, struct snapshot *snapshot, const frz_scan_options *given, frz_error *err)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    TRY(frz__sized_take(given, "frz_scan_options", &o, sizeof o, err));
    *b = (struct scan_base){.from = BUF_INIT(t->a, 0), .to = BUF_INIT(t->a, 0), .limit = o.limit ? o.limit : UINT64_MAX};
    MUST(frz__snapshot_view(snapshot, t, &b->view, &b->seq, err));
    if (snapshot) atomic_fetch_add(&snapshot->refs, 1);
    b->snapshot = snapshot;
    b->t = frz__table_acquire(t);
    frz__db_pin(t->db, &b->pin, b->seq < atomic_load(&t->db->seq_visible) ? b->seq : atomic_load(&t->db->seq_visible));
    b->pinned = true;
    int rc = bounds(b, &o, err);
    if (rc >= 0 && o.where) {
        rc = frz__pred_parse(t->a, b->view->schema, slice_str(o.where), &b->pred, err);
        if (rc >= 0) rc = narrow(b, err);
    }
    if (rc >= 0) rc = choose_columns(b, &o, err);
    if (rc >= 0 && b->has_from && b->has_to && slice_cmp(buf_slice(&b->from), buf_slice(&b->to)) >= 0) b->empty = true;
    if (rc < 0) frz__scan_base_clear(b);
    return rc;
}

void frz__scan_base_clear(struct scan_base *b)
{
    struct db *db = b->t ? b->t->db : NULL;
    if (!db) return;
    frz__view_release(b->view);
    frz__snapshot_release(b->snapshot);
    frz__pred_free(b->pred);
    buf_clear(&b->from);
    buf_clear(&b->to);
    frz__free(b->t->a, b->columns);
    frz__table_release(b->t);
    if (b->pinned) frz__db_unpin(db, &b->pin);
    *b = (struct scan_base){0};
}
