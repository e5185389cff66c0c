/* api_read.c — the public face of reads. */
#include <stdlib.h>

#include "api/handle.h"
#include "engine/get.h"

/* ── snapshots ── */

static int snapshot_shell(struct snapshot *s, frz_snapshot **out, frz_error *err)
{
    frz_snapshot *h = (frz_snapshot *)calloc(1, sizeof *h);
    if (!h) {
        frz__snapshot_release(s);
        return frz__err_no_memory(err, sizeof *h);
    }
    h->s = s;
    atomic_store(&h->kind, SHELL_SNAPSHOT);
    *out = h;
    return FRZ_OK;
}

int frz_snapshot_open(frz_db *owner, frz_snapshot **out, frz_error *err)
{
    struct db *db;
    struct snapshot *s;
    TRY(frz__shell_need(out, "out", err));
    *out = NULL;
    TRY(frz__shell_db(owner, &db, err));
    TRY(frz__snapshot_take(db, &s, err));
    return snapshot_shell(s, out, err);
}

static int open_published(frz_table *table, const struct published *which, frz_snapshot **out, frz_error *err)
{
    struct table *t;
    struct snapshot *s;
    if (!out) return frz__shell_need(out, "out", err);
    *out = NULL;
    TRY(frz__shell_table(table, &t, err));
    MUST(frz__table_usable(t, false, err));
    int rc = frz__snapshot_published(t, which, &s, err);
    return rc == FRZ_OK ? snapshot_shell(s, out, err) : rc;
}

int frz_snapshot_open_published(frz_table *table, int64_t snapshot_id, frz_snapshot **out, frz_error *err)
{
    return open_published(table, &(struct published){.id = snapshot_id}, out, err);
}

int frz_snapshot_open_ref(frz_table *table, const char *name, frz_snapshot **out, frz_error *err)
{
    if (out) *out = NULL;
    TRY(frz__shell_need(name, "name", err));
    return open_published(table, &(struct published){.ref = name}, out, err);
}

int frz_snapshot_open_at(frz_table *table, int64_t time_ms, frz_snapshot **out, frz_error *err)
{
    return open_published(table, &(struct published){.by_time = true, .time_ms = time_ms}, out, err);
}

int frz_snapshot_schema(frz_snapshot *snapshot, frz_table *table, frz_schema **out, frz_error *err)
{
    struct table *t;
    struct snapshot *s;
    TRY(frz__shell_need(out, "out", err));
    *out = NULL;
    TRY(frz__shell_need(snapshot, "snapshot", err));
    TRY(frz__shell_snapshot(snapshot, &s, err));
    TRY(frz__shell_table(table, &t, err));
    const frz_schema *schema = frz__snapshot_schema(s, t);
    if (!schema) return frz__err(err, FRZ_NOT_FOUND, "table %s is not in the snapshot", t->name);
    *out = frz__schema_acquire(schema);
    return FRZ_OK;
}

int64_t frz_snapshot_id(const frz_snapshot *h) { return h && atomic_load(&h->kind) == SHELL_SNAPSHOT ? h->s->id : 0; }
uint64_t frz_snapshot_seq(const frz_snapshot *h) { return h && atomic_load(&h->kind) == SHELL_SNAPSHOT ? h->s->seq : 0; }

void frz_snapshot_close(frz_snapshot *h)
{
    if (!h || atomic_load(&h->kind) != SHELL_SNAPSHOT || frz__db_check(h->s->db, NULL) < 0) return;
    atomic_store(&h->kind, SHELL_DEAD);
    frz__snapshot_release(h->s);
    h->s = NULL;
    frz__shell_bury(h);
}

/* ── gets ── */

static int get_row(frz_table *table, frz_snapshot *snapshot, const frz_value *key, size_t nkey, const uint8_t *mask, frz_row *out, frz_error *err)
{
    struct table *t;
    struct snapshot *s;
    TRY(frz__shell_need(out, "out", err));
    TRY(frz__shell_table(table, &t, err));
    TRY(frz__shell_snapshot(snapshot, &s, err));
    if (out->borrows) return frz__err(err, FRZ_MISUSE, "a cursor's row can't be filled by a get");
    TRY(frz__shell_row_fits_then(t, s, out, err));
    buf_reset(&out->scratch);
    buf_reset(&out->wanted);
    int rc = frz__shell_key(out->schema, key, nkey, &out->wanted, err);
    if (rc >= 0) rc = frz__get(t, s, buf_slice(&out->wanted), mask, out, err);
    if (rc != FRZ_OK) frz_row_clear(out);
    return rc;
}

int frz_get(frz_table *table, frz_snapshot *snapshot, const frz_value *key, size_t nkey, frz_row *out, frz_error *err) { return get_row(table, snapshot, key, nkey, NULL, out, err); }

int frz_get_columns(frz_table *table, frz_snapshot *snapshot, const frz_value *key, size_t nkey, const size_t *columns, size_t column_count, frz_row *out, frz_error *err)
{
    TRY(frz__shell_need(out, "out", err));
    if (!columns) return get_row(table, snapshot, key, nkey, NULL, out, err);
    size_t count = out->schema->count;
    uint8_t *mask = (uint8_t *)frz__alloc_zero(out->a, bits_bytes(count));
    int rc = mask ? FRZ_OK : frz__err_no_memory(err, bits_bytes(count));
    for (size_t i = 0; rc >= 0 && i < column_count; i++) {
        if (columns[i] >= count) rc = frz__err(err, FRZ_INVALID, "column %zu: the table has %zu", columns[i], count);
        else bit_set(mask, columns[i]);
    }
    if (rc >= 0) rc = get_row(table, snapshot, key, nkey, mask, out, err);
    frz__free(out->a, mask);
    return rc;
}

int frz_multi_get(frz_table *table, frz_snapshot *snapshot, const frz_value *keys, size_t nkey, size_t count, frz_row *const *rows, bool *found, frz_error *err)
{
    struct table *t;
    struct snapshot *s;
    TRY(frz__shell_table(table, &t, err));
    TRY(frz__shell_snapshot(snapshot, &s, err));
    if (!s) MUST(frz__table_usable(t, false, err));
    if (count == 0) return FRZ_OK;
    TRY(frz__shell_need(keys, "keys", err));
    TRY(frz__shell_need((const void *)rows, "rows", err));
    TRY(frz__shell_need(found, "found", err));
    struct buf encoded = BUF_INIT(t->db->a, 0);
    slice *slices = (slice *)frz__alloc_array(t->db->a, count, sizeof *slices);
    int rc = slices ? FRZ_OK : frz__err_no_memory(err, count * sizeof *slices);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        size_t at = encoded.len;
        rc = frz__shell_need(rows[i], "rows[i]", err);
        if (rc >= 0 && rows[i]->borrows) rc = frz__err(err, FRZ_MISUSE, "a cursor's row can't be filled by a get");
        if (rc >= 0) rc = frz__shell_row_fits_then(t, s, rows[i], err);
        if (rc >= 0) rc = frz__shell_key(rows[i]->schema, keys + i * nkey, nkey, &encoded, err);
        slices[i].len = encoded.len - at;
    }
    size_t at = 0;
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        slices[i].data = encoded.data ? encoded.data + at : (const uint8_t *)"";
        at += slices[i].len;
    }
    if (rc >= 0) rc = frz__multi_get(t, s, slices, count, rows, found, err);
    for (size_t i = 0; rc == FRZ_OK && i < count; i++) /* a table that the snapshot does not have has no answers */
        if (!found[i]) frz_row_clear(rows[i]);
    frz__free(t->db->a, slices);
    buf_clear(&encoded);
    return rc;
}

int frz_row_new(frz_table *table, frz_row **out, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_need(out, "out", err));
    *out = NULL;
    TRY(frz__shell_table(table, &t, err));
    TRY(frz__table_usable(t, false, err)); /* of a dropped one too: snapshots read it */
    frz_schema *s = frz__table_schema(t);
    int rc = frz__row_new(s->a, s, out, err); /* not the database's: a row may outlive it */
    frz__schema_release(s);
    return rc;
}

/* ── scans ── */

/* Of options that may be of an older, shorter struct; their size is checked further down. */
static int snapshot_of(const frz_scan_options *o, struct snapshot **out, frz_error *err)
{
    *out = NULL;
    if (!o || o->struct_size < offsetof(frz_scan_options, snapshot) + sizeof o->snapshot) return FRZ_OK;
    return frz__shell_snapshot(o->snapshot, out, err);
}

int frz_scan(frz_table *table, const frz_scan_options *o, frz_cursor **out, frz_error *err)
{
    struct table *t;
    struct snapshot *s = NULL;
    TRY(frz__shell_need(out, "out", err));
    *out = NULL;
    TRY(frz__shell_table(table, &t, err));
    TRY(snapshot_of(o, &s, err));
    frz_cursor *h = (frz_cursor *)calloc(1, sizeof *h);
    if (!h) return frz__err_no_memory(err, sizeof *h);
    int rc = frz__cursor_new(t, s, o, &h->c, err);
    if (rc != FRZ_OK) {
        free(h);
        return rc;
    }
    atomic_store(&h->kind, SHELL_CURSOR);
    *out = h;
    return FRZ_OK;
}

int frz_cursor_next(frz_cursor *h, const frz_row **row, frz_error *err)
{
    if (!h) return frz__err(err, FRZ_INVALID, "the cursor handle is NULL");
    if (atomic_load(&h->kind) != SHELL_CURSOR) return frz__err(err, FRZ_MISUSE, "the cursor handle is closed");
    TRY(frz__shell_need((const void *)row, "row", err));
    int rc = frz__cursor_next(h->c, row, err);
    return rc == FRZ_DONE ? frz__err(err, FRZ_DONE, "the cursor has no further row") : rc;
}

void frz_cursor_close(frz_cursor *h)
{
    if (!h || atomic_load(&h->kind) != SHELL_CURSOR || frz__cursor_forked(h->c)) return;
    atomic_store(&h->kind, SHELL_DEAD);
    frz__cursor_free(h->c);
    h->c = NULL;
    frz__shell_bury(h);
}

int frz_count(frz_table *table, const frz_scan_options *o, uint64_t *count, frz_error *err)
{
    struct table *t;
    struct snapshot *s = NULL;
    TRY(frz__shell_need(count, "count", err));
    TRY(frz__shell_table(table, &t, err));
    TRY(frz__table_usable(t, false, err));
    TRY(snapshot_of(o, &s, err));
    return frz__scan_count(t, s, o, count, err);
}
