#include "api/handle.h"

#include <stdlib.h>

#include "base/sized.h"
#include "engine/snapshot.h"

static pthread_mutex_t grave_mu = PTHREAD_MUTEX_INITIALIZER;
static void *graves[SHELLS_KEPT];
static size_t grave_next;

void frz__shell_bury(void *shell)
{
    pthread_mutex_lock(&grave_mu);
    void *old = graves[grave_next];
    graves[grave_next] = shell;
    grave_next = (grave_next + 1) % SHELLS_KEPT;
    pthread_mutex_unlock(&grave_mu);
    free(old);
}

int frz__shell_need(const void *p, const char *what, frz_error *err) { return p ? FRZ_OK : frz__err(err, FRZ_INVALID, "argument %s is NULL", what); }

static int check_kind(const void *shell, uint32_t want, const char *what, frz_error *err)
{
    if (!shell) return frz__err(err, FRZ_INVALID, "the %s handle is NULL", what);
    uint32_t kind = atomic_load((const _Atomic uint32_t *)shell);
    if (kind == want) return FRZ_OK;
    return frz__err(err, FRZ_MISUSE, kind == SHELL_DEAD ? "the %s handle is closed" : "this is no %s handle", what);
}

int frz__shell_db(frz_db *h, struct db **out, frz_error *err)
{
    TRY(check_kind(h, SHELL_DB, "database", err));
    *out = h->db;
    return frz__db_check(h->db, err);
}

int frz__shell_table(frz_table *h, struct table **out, frz_error *err)
{
    TRY(check_kind(h, SHELL_TABLE, "table", err));
    *out = h->t;
    return frz__db_check(h->t->db, err);
}

int frz__shell_snapshot(frz_snapshot *h, struct snapshot **out, frz_error *err)
{
    *out = NULL;
    if (!h) return FRZ_OK;
    TRY(check_kind(h, SHELL_SNAPSHOT, "snapshot", err));
    *out = h->s;
    return FRZ_OK;
}

int frz__shell_table_new(frz_db *owner, struct table *t, frz_table **out, frz_error *err)
{
    frz_table *h = (frz_table *)calloc(1, sizeof *h);
    if (!h) {
        frz__table_release(t);
        return frz__err_no_memory(err, sizeof *h);
    }
    h->owner = owner;
    h->t = t;
    atomic_store(&h->kind, SHELL_TABLE);
    frz__mutex_lock(&owner->mu);
    h->next = owner->tables;
    h->prev = &owner->tables;
    if (h->next) h->next->prev = &h->next;
    owner->tables = h;
    frz__mutex_unlock(&owner->mu);
    *out = h;
    return FRZ_OK;
}

int frz__shell_durability(const frz_write_options *o, int *out, frz_error *err)
{
    frz_write_options w = FRZ_WRITE_OPTIONS_INIT;
    TRY(frz__sized_take(o, "frz_write_options", &w, sizeof w, err));
    *out = w.durability;
    if (*out < 0 || *out > FRZ_SYNC_OFF) return frz__err(err, FRZ_INVALID, "durability %d: expected 0, FRZ_SYNC_FULL, FRZ_SYNC_INTERVAL or FRZ_SYNC_OFF", *out);
    return FRZ_OK;
}

static bool same_columns(const frz_schema *r, const frz_schema *s)
{
    bool same = r == s || (r->count == s->count && r->key_count == s->key_count);
    for (size_t i = 0; same && r != s && i < s->count; i++)
        same = r->columns[i].name_len == s->columns[i].name_len && memcmp(r->columns[i].name, s->columns[i].name, s->columns[i].name_len) == 0 &&
               frz__type_eq(r->columns[i].type, s->columns[i].type) && r->columns[i].required == s->columns[i].required && r->columns[i].key_index == s->columns[i].key_index;
    return same;
}

int frz__shell_row_fits(struct table *t, const frz_row *row, frz_error *err)
{
    if (row->schema == atomic_load_explicit(&t->view_schema, memory_order_acquire)) return FRZ_OK; /* while the row counts it, no other has its address */
    frz_schema *s = frz__table_schema(t);
    bool same = same_columns(row->schema, s);
    frz__schema_release(s);
    return same ? FRZ_OK : frz__err(err, FRZ_INVALID, "the row is not of table %s's schema: make it with frz_row_new of this table", t->name);
}

int frz__shell_row_fits_then(struct table *t, const struct snapshot *s, const frz_row *row, frz_error *err)
{
    const frz_schema *then = s ? frz__snapshot_schema(s, t) : NULL;
    if (!then) return frz__shell_row_fits(t, row, err);
    return same_columns(row->schema, then) ? FRZ_OK : frz__err(err, FRZ_INVALID, "the row is not of the snapshot's schema: frz_snapshot_schema has that, frz_row_new_schema makes rows of it");
}

int frz__shell_key(const frz_schema *s, const frz_value *key, size_t nkey, struct buf *out, frz_error *err)
{
    frz_value few[8], *converted = few;
    if (!key || nkey != s->key_count) return frz__err(err, FRZ_INVALID, "a key of %zu values: expected %zu", key ? nkey : 0, s->key_count);
    if (nkey > FRZ_ARRAY_LEN(few)) {
        converted = (frz_value *)frz__alloc_array(s->a, nkey, sizeof *converted);
        if (!converted) return frz__err_no_memory(err, nkey * sizeof *converted);
    }
    int rc = FRZ_OK;
    for (size_t i = 0; rc >= 0 && i < nkey; i++) {
        const struct column *c = &s->columns[s->key[i]];
        if (value_is_null(&key[i])) rc = frz__err(err, FRZ_INVALID, "column %s of the key can't be null", c->name);
        else if ((rc = frz__value_convert(&key[i], c->type, &converted[i], err)) < 0) frz__err_context(err, "column %s", c->name);
    }
    if (rc >= 0) rc = frz__key_encode(s, converted, out, err);
    if (converted != few) frz__free(s->a, converted);
    return rc;
}
