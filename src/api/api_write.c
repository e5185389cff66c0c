/* api_write.c — the public face of writes. */
#include <stdlib.h>

#include "api/handle.h"

static int batch_of(frz_batch *h, frz_table *table, struct write_batch **b, struct table **t, frz_error *err)
{
    if (!h) return frz__err(err, FRZ_INVALID, "the batch handle is NULL");
    if (atomic_load(&h->kind) != SHELL_BATCH) return frz__err(err, FRZ_MISUSE, "the batch handle is closed");
    struct db *db;
    if (!h->owner) return frz__err(err, FRZ_MISUSE, "the batch's database is closed");
    TRY(frz__shell_db(h->owner, &db, err));
    *b = &h->b;
    if (!table) return FRZ_OK;
    TRY(frz__shell_table(table, t, err));
    if ((*t)->db != db) return frz__err(err, FRZ_MISUSE, "table %s is of another database than the batch", (*t)->name);
    return frz__table_usable(*t, true, err);
}

int frz_batch_new(frz_db *owner, frz_batch **out, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_need(out, "out", err));
    *out = NULL;
    TRY(frz__shell_db(owner, &db, err));
    frz_batch *h = (frz_batch *)calloc(1, sizeof *h);
    if (!h) return frz__err_no_memory(err, sizeof *h);
    h->owner = owner;
    frz__write_batch_init(&h->b, db);
    atomic_store(&h->kind, SHELL_BATCH);
    frz__mutex_lock(&owner->mu);
    h->next = owner->batches;
    h->prev = &owner->batches;
    if (h->next) h->next->prev = &h->next;
    owner->batches = h;
    frz__mutex_unlock(&owner->mu);
    *out = h;
    return FRZ_OK;
}

void frz_batch_free(frz_batch *h)
{
    if (!h || atomic_load(&h->kind) != SHELL_BATCH) return;
    frz_db *owner = h->owner;
    if (owner) {
        if (frz__db_check(owner->db, NULL) < 0) return;
        frz__mutex_lock(&owner->mu);
        frz__shell_batch_unlink(h);
        frz__mutex_unlock(&owner->mu);
        frz__write_batch_clear(&h->b);
    }
    atomic_store(&h->kind, SHELL_DEAD);
    frz__shell_bury(h);
}

void frz__shell_batch_unlink(frz_batch *h)
{
    *h->prev = h->next;
    if (h->next) h->next->prev = h->prev;
    h->owner = NULL;
}

void frz_batch_clear(frz_batch *h)
{
    if (h && atomic_load(&h->kind) == SHELL_BATCH && h->owner && frz__db_check(h->owner->db, NULL) >= 0) frz__write_batch_reset(&h->b);
}

size_t frz_batch_count(const frz_batch *h) { return h && atomic_load(&h->kind) == SHELL_BATCH ? h->b.count : 0; }

/* Columns that the row leaves out take their write default. */
static int put_row(struct write_batch *b, struct table *t, const frz_row *row, enum expect expect, frz_error *err)
{
    const frz_schema *s = row->schema;
    TRY(frz__shell_row_fits(t, row, err));
    bool defaults = false;
    for (size_t i = 0; i < s->count && !defaults; i++) defaults = !bit_get(row->set, i) && !value_is_null(&s->columns[i].write);
    if (!defaults) return frz__write_batch_put(b, t, s, row->values, expect, err);
    frz_value *values = (frz_value *)frz__alloc_array(t->a, s->count, sizeof *values);
    if (!values) return frz__err_no_memory(err, s->count * sizeof *values);
    for (size_t i = 0; i < s->count; i++) values[i] = bit_get(row->set, i) ? row->values[i] : s->columns[i].write;
    int rc = frz__write_batch_put(b, t, s, values, expect, err);
    frz__free(t->a, values);
    return rc;
}

static int update_row(struct write_batch *b, struct table *t, const frz_row *row, frz_error *err)
{
    const frz_schema *s = row->schema;
    TRY(frz__shell_row_fits(t, row, err));
    for (size_t i = 0; i < s->count; i++) {
        if (s->columns[i].key_index >= 0 && !bit_get(row->set, i)) return frz__err(err, FRZ_INVALID, "column %s of the key is not set", s->columns[i].name);
        if (s->columns[i].required && bit_get(row->set, i) && value_is_null(&row->values[i])) return frz__err(err, FRZ_INVALID, "column %s is required: it can't become null", s->columns[i].name);
    }
    return frz__write_batch_update(b, t, row, err);
}

static int delete_key(struct write_batch *b, struct table *t, const frz_value *key, size_t nkey, frz_error *err)
{
    frz_schema *s = frz__table_schema(t);
    buf_reset(&b->key);
    int rc = frz__shell_key(s, key, nkey, &b->key, err);
    if (rc >= 0) rc = frz__write_batch_delete(b, t, buf_slice(&b->key), err);
    frz__schema_release(s);
    return rc;
}

#define BATCH_OP(name, call)                                                                                                               \
    int name(frz_batch *h, frz_table *table, const frz_row *row, frz_error *err)                                                           \
    {                                                                                                                                      \
        struct write_batch *b = NULL;                                                                                                      \
        struct table *t = NULL;                                                                                                            \
        TRY(frz__shell_need(row, "row", err));                                                                                             \
        TRY(frz__shell_need(table, "table", err));                                                                                         \
        MUST(batch_of(h, table, &b, &t, err));                                                                                              \
        return call;                                                                                                                       \
    }
BATCH_OP(frz_batch_put, put_row(b, t, row, EXPECT_ANY, err))
BATCH_OP(frz_batch_insert, put_row(b, t, row, EXPECT_ABSENT, err))
BATCH_OP(frz_batch_update, update_row(b, t, row, err))

int frz_batch_delete(frz_batch *h, frz_table *table, const frz_value *key, size_t nkey, frz_error *err)
{
    struct write_batch *b = NULL;
    struct table *t = NULL;
    TRY(frz__shell_need(table, "table", err));
    MUST(batch_of(h, table, &b, &t, err));
    return delete_key(b, t, key, nkey, err);
}

int frz_write(frz_db *owner, frz_batch *h, const frz_write_options *o, frz_seq_range *range, frz_error *err)
{
    struct write_batch *b;
    struct db *db;
    int durability;
    TRY(frz__shell_db(owner, &db, err));
    MUST(batch_of(h, NULL, &b, NULL, err));
    if (b->db != db) return frz__err(err, FRZ_MISUSE, "the batch is of another database");
    if (db->set.read_only) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only", db->root);
    TRY(frz__shell_durability(o, &durability, err));
    return frz__write(db, b, durability, range, err);
}

/* ── one operation: a batch of the database's spare ones ── */

enum single { SINGLE_PUT, SINGLE_INSERT, SINGLE_UPDATE, SINGLE_DELETE };

static int single(frz_table *table, enum single what, const frz_row *row, const frz_value *key, size_t nkey, const frz_write_options *o, frz_error *err)
{
    struct table *t;
    struct write_batch *b = NULL;
    int durability, rc;
    TRY(frz__shell_table(table, &t, err));
    MUST(frz__table_usable(t, true, err));
    TRY(frz__shell_durability(o, &durability, err));
    if (what != SINGLE_DELETE) TRY(frz__shell_need(row, "row", err));
    TRY(frz__write_batch_take(t->db, &b, err));
    switch (what) {
    case SINGLE_PUT: rc = put_row(b, t, row, EXPECT_ANY, err); break;
    case SINGLE_INSERT: rc = put_row(b, t, row, EXPECT_ABSENT, err); break;
    case SINGLE_UPDATE: rc = update_row(b, t, row, err); break;
    default: rc = delete_key(b, t, key, nkey, err); break;
    }
    if (rc >= 0) rc = frz__write(t->db, b, durability, NULL, err);
    frz__write_batch_give(t->db, b);
    return rc;
}

int frz_put(frz_table *t, const frz_row *row, const frz_write_options *o, frz_error *err) { return single(t, SINGLE_PUT, row, NULL, 0, o, err); }
int frz_insert(frz_table *t, const frz_row *row, const frz_write_options *o, frz_error *err) { return single(t, SINGLE_INSERT, row, NULL, 0, o, err); }
int frz_update(frz_table *t, const frz_row *row, const frz_write_options *o, frz_error *err) { return single(t, SINGLE_UPDATE, row, NULL, 0, o, err); }
int frz_delete(frz_table *t, const frz_value *key, size_t nkey, const frz_write_options *o, frz_error *err) { return single(t, SINGLE_DELETE, NULL, key, nkey, o, err); }
