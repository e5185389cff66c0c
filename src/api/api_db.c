/* api_db.c — the public face of databases and tables: arguments checked and passed on. */
#include <stdio.h>
#include <stdlib.h>

#include "api/handle.h"
#include "base/blob.h"
#include "base/sized.h"
#include "engine/doctor.h"
#include "engine/watch.h"

static void snprintf_slice(char *out, size_t bytes, slice s) { snprintf(out, bytes, "%.*s", (int)s.len, (const char *)s.data); }

/* FS NULL: the directory PATH. */
static int open_on(const char *path, struct fs *fs, const frz_db_options *options, frz_db **out, frz_error *err)
{
    frz_db *h = (frz_db *)calloc(1, sizeof *h);
    if (!h) return frz__err_no_memory(err, sizeof *h);
    int rc = fs ? frz__db_open_fs(fs, options, &h->db, err) : frz__db_open(path, options, &h->db, err);
    if (rc != FRZ_OK) {
        free(h);
        return rc;
    }
    frz__mutex_init(&h->mu, RANK_LEAF, "handle.tables");
    atomic_store(&h->kind, SHELL_DB);
    *out = h;
    return FRZ_OK;
}

int frz_db_open(const char *path, const frz_db_options *options, frz_db **out, frz_error *err)
{
    TRY(frz__shell_need(out, "out", err));
    *out = NULL;
    TRY(frz__shell_need(path, "path", err));
    return open_on(path, NULL, options, out, err);
}

int frz__test_db_open(struct fs *fs, const frz_db_options *options, frz_db **out, frz_error *err)
{
    *out = NULL;
    return open_on(NULL, fs, options, out, err);
}

static void unlist_table(frz_table *h)
{
    *h->prev = h->next;
    if (h->next) h->next->prev = h->prev;
    atomic_store(&h->kind, SHELL_DEAD);
}

/* The last count of a dropped table takes its view and files with it: no lock is held. */
static void bury_table(frz_table *h)
{
    frz__table_release(h->t);
    h->t = NULL;
    frz__shell_bury(h);
}

int frz_db_close(frz_db *h, frz_error *err)
{
    struct db *db = NULL;
    if (!h) return FRZ_OK;
    int rc = frz__shell_db(h, &db, err);
    if (rc < 0) return rc;
    if (frz__events_inside(db->events)) return frz__err(err, FRZ_MISUSE, "%s can't be closed from its own event callback", db->root);
    frz__events_pause(db->events); /* what is in a callback has handles of ours; those that come later find them dead */
    frz__mutex_lock(&db->tables_mu);
    size_t pins = db->pins;
    frz__mutex_unlock(&db->tables_mu);
    if (pins) frz__events_go_on(db->events);
    if (pins) return frz__err(err, FRZ_BUSY, "%s: %zu of its snapshots, cursors and Arrow streams are still open", db->root, pins);
    while (h->tables) {
        frz_table *t = h->tables;
        unlist_table(t);
        bury_table(t);
    }
    while (h->batches) {
        frz_batch *b = h->batches;
        frz__shell_batch_unlink(b);
        frz__write_batch_clear(&b->b);
    }
    atomic_store(&h->kind, SHELL_DEAD);
    frz__events_go_on(db->events);
    rc = frz__db_close(db, err);
    h->db = NULL;
    frz__mutex_clear(&h->mu);
    frz__shell_bury(h);
    return rc;
}

int frz_db_refresh(frz_db *h, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_db(h, &db, err));
    return frz__db_refresh(db, err);
}

int frz_db_sync(frz_db *h, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_db(h, &db, err));
    return frz__write_sync(db, err);
}

int frz_db_flush(frz_db *h, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_db(h, &db, err));
    if (db->set.read_only) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only", db->root);
    int rc = FRZ_OK;
    for (size_t i = 0;; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) return rc;
        frz_error one;
        int flushed = table_is_broken(t) ? FRZ_OK : frz__flush(t, rc < 0 ? &one : err);
        rc = frz__first(rc, flushed);
        frz__table_release(t);
    }
}

int frz_db_tables(frz_db *h, int (*fn)(void *ctx, const char *name), void *ctx, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_db(h, &db, err));
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    for (size_t i = 0;; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) return FRZ_OK;
        int rc = fn(ctx, t->name);
        frz__table_release(t);
        if (rc) return rc;
    }
}

int frz_db_events(frz_db *h, uint64_t since, int (*fn)(void *ctx, const frz_event *event), void *ctx, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_db(h, &db, err));
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    return frz__events_read(db->events, since, fn, ctx);
}

int frz_db_health(frz_db *h, frz_table *table, frz_health *out, frz_error *err)
{
    struct db *db;
    struct table *t = NULL;
    TRY(frz__shell_need(out, "out", err));
    TRY(frz__sized_check(out, "frz_health", err));
    TRY(frz__shell_db(h, &db, err));
    if (table) TRY(frz__shell_table(table, &t, err));
    if (t && t->db != db) return frz__err(err, FRZ_MISUSE, "table %s is of another database", t->name);
    frz__health_get(db, t, out);
    return FRZ_OK;
}

int frz_db_resume(frz_db *h, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_db(h, &db, err));
    return frz__health_resume(db, err);
}

static int stats_of(frz_db *h, frz_table *table, frz_stats *out, frz_error *err)
{
    struct db *db;
    struct table *t = NULL;
    TRY(frz__shell_db(h, &db, err));
    if (table) TRY(frz__shell_table(table, &t, err));
    if (t && t->db != db) return frz__err(err, FRZ_MISUSE, "table %s is of another database", t->name);
    frz__stats(db, t, out);
    return FRZ_OK;
}

int frz_db_stats(frz_db *h, frz_table *table, frz_stats *out, frz_error *err)
{
    TRY(frz__shell_need(out, "out", err));
    TRY(frz__sized_check(out, "frz_stats", err));
    return stats_of(h, table, out, err);
}

int frz_db_stats_text(frz_db *h, frz_table *table, bool json, frz_blob **out, frz_error *err)
{
    frz_stats s = {.struct_size = sizeof s};
    struct buf text = BUF_INIT(NULL, 0);
    TRY(frz__shell_need(out, "out", err));
    TRY(stats_of(h, table, &s, err));
    int rc = frz__stats_text(&s, json, &text, err);
    if (rc >= 0) rc = frz__blob_take(&text, out, err);
    buf_clear(&text);
    return rc;
}

int frz_db_metrics(frz_db *h, frz_table *table, frz_blob **out, frz_error *err)
{
    struct db *db;
    struct table *t = NULL;
    struct buf text = BUF_INIT(NULL, 0);
    TRY(frz__shell_need(out, "out", err));
    TRY(frz__shell_db(h, &db, err));
    if (table) TRY(frz__shell_table(table, &t, err));
    if (t && t->db != db) return frz__err(err, FRZ_MISUSE, "table %s is of another database", t->name);
    int rc = frz__metrics(db, t, &text, err);
    if (rc >= 0) rc = frz__blob_take(&text, out, err);
    buf_clear(&text);
    return rc;
}

int frz_db_jobs(frz_db *h, int (*fn)(void *ctx, const frz_job *job), void *ctx, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    TRY(frz__shell_db(h, &db, err));
    return frz__running_jobs(db, fn, ctx, err);
}

int frz_db_report(frz_db *h, frz_blob **out, frz_error *err)
{
    struct db *db;
    struct buf text = BUF_INIT(NULL, 0);
    TRY(frz__shell_need(out, "out", err));
    TRY(frz__shell_db(h, &db, err));
    int rc = frz__report(db, &text, err);
    if (rc >= 0) rc = frz__blob_take(&text, out, err);
    buf_clear(&text);
    return rc;
}

int frz_db_doctor(frz_db *h, const char *live, size_t live_len, int (*fn)(void *ctx, const frz_diagnosis *), void *ctx, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    TRY(frz__shell_db(h, &db, err));
    return frz__doctor_run(db, slice_of(live, live ? live_len : 0), fn, ctx, err);
}

int frz_watch(const char *path, frz_blob **out, frz_error *err)
{
    struct fs *fs = NULL;
    struct buf text = BUF_INIT(NULL, 0);
    TRY(frz__shell_need(out, "out", err));
    TRY(frz__shell_need(path, "path", err));
    int rc = frz__fs_posix_new(NULL, path, FS_POSIX_ALLOW_REMOTE, &fs, err);
    if (rc != FRZ_OK) return rc;
    rc = frz__watch_read(fs, &text, err);
    if (rc == FRZ_OK) rc = frz__blob_take(&text, out, err);
    buf_clear(&text);
    frz__fs_free(fs);
    return rc;
}

int frz_db_levels(frz_db *h, frz_table *table, int (*fn)(void *ctx, const frz_level *level), void *ctx, frz_error *err)
{
    struct db *db;
    struct table *t;
    frz_level levels[LEVELS_MAX];
    size_t count = 0;
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    TRY(frz__shell_need(table, "table", err));
    TRY(frz__shell_db(h, &db, err));
    TRY(frz__shell_table(table, &t, err));
    if (t->db != db) return frz__err(err, FRZ_MISUSE, "table %s is of another database", t->name);
    MUST(frz__table_usable(t, false, err));
    TRY(frz__levels(t, levels, &count, err));
    for (size_t i = 0; i < count; i++) {
        int rc = fn(ctx, &levels[i]);
        if (rc) return rc;
    }
    return FRZ_OK;
}

/* ── tables ── */

int frz_table_create(frz_db *h, const char *name, frz_schema *schema, const frz_table_options *o, frz_table **out, frz_error *err)
{
    struct db *db;
    struct table *t = NULL;
    if (out) *out = NULL;
    TRY(frz__shell_db(h, &db, err));
    TRY(frz__shell_need(name, "name", err));
    TRY(frz__shell_need(schema, "schema", err));
    frz_error own = {0}; /* on the way to success some steps find what they make there already: the host hears of it only where it failed */
    int rc = frz__table_create(db, name, schema, o, out ? &t : NULL, &own);
    if (rc != FRZ_OK && err) *err = own;
    return rc == FRZ_OK && out ? frz__shell_table_new(h, t, out, err) : rc;
}

int frz_table_open(frz_db *h, const char *name, frz_table **out, frz_error *err)
{
    struct db *db;
    struct table *t = NULL;
    TRY(frz__shell_need(out, "out", err));
    *out = NULL;
    TRY(frz__shell_db(h, &db, err));
    TRY(frz__shell_need(name, "name", err));
    int rc = frz__table_find(db, name, &t, err);
    if (rc != FRZ_OK) return rc;
    rc = frz__table_usable(t, false, err);
    if (rc != FRZ_OK) { /* of one that is just being made, or only remains to be removed, nobody has a handle: it may have no view */
        frz__table_release(t);
        return rc;
    }
    return frz__shell_table_new(h, t, out, err);
}

void frz_table_close(frz_table *h)
{
    if (!h || atomic_load(&h->kind) != SHELL_TABLE || frz__db_check(h->t->db, NULL) < 0) return;
    frz_db *owner = h->owner;
    frz__mutex_lock(&owner->mu);
    unlist_table(h);
    frz__mutex_unlock(&owner->mu);
    bury_table(h);
}

int frz_table_drop(frz_db *h, const char *name, frz_error *err)
{
    struct db *db;
    TRY(frz__shell_db(h, &db, err));
    TRY(frz__shell_need(name, "name", err));
    return frz__table_drop(db, name, err);
}

const char *frz_table_name(const frz_table *h) { return h && atomic_load(&h->kind) == SHELL_TABLE ? h->t->name : ""; }
int32_t frz_table_format_version(const frz_table *h) { return h && atomic_load(&h->kind) == SHELL_TABLE ? h->t->format_version : 0; }

int frz_table_schema(frz_table *h, frz_schema **out, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_need(out, "out", err));
    TRY(frz__shell_table(h, &t, err));
    TRY(frz__table_usable(t, false, err)); /* of a dropped one too: snapshots read it */
    *out = frz__table_schema(t);
    return FRZ_OK;
}

int frz_table_alter(frz_table *h, const frz_alter *changes, size_t count, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_table(h, &t, err));
    MUST(frz__table_usable(t, true, err));
    return frz__alter(t, changes, count, err);
}

int frz_table_flush(frz_table *h, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_table(h, &t, err));
    return frz__flush(t, err);
}

/* ── properties ── */

int frz_table_property(frz_table *h, const char *key, frz_blob **out, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_need(key, "key", err));
    TRY(frz__shell_need(out, "out", err));
    TRY(frz__shell_table(h, &t, err));
    MUST(frz__table_usable(t, false, err));
    struct version *v = frz__version_acquire(t);
    slice value = frz__ice_property(v->meta, key);
    struct buf text = BUF_INIT(NULL, 0);
    int rc = FRZ_OK;
    uint64_t def = 0;
    if (value.data) rc = buf_append_slice(&text, value, err);
    else {
        rc = FRZ_NOT_FOUND;
        const char *name;
        for (size_t i = 0; (name = frz__table_option_name(i, NULL, &def, NULL, NULL, NULL)) && rc == FRZ_NOT_FOUND; i++)
            if (strcmp(name, key) == 0) rc = frz__buf_printf(&text, err, "%" PRIu64, def);
        if (rc == FRZ_NOT_FOUND) (void)frz__err(err, FRZ_NOT_FOUND, "table %s has no property %s", t->name, key);
    }
    if (rc == FRZ_OK) rc = frz__blob_take(&text, out, err);
    buf_clear(&text);
    frz__version_release(v);
    return rc;
}

int frz_table_set_property(frz_table *h, const char *key, const char *value, frz_error *err)
{
    TRY(frz__shell_need(key, "key", err));
    return frz_table_set_properties(h, &key, &value, 1, err);
}

int frz_table_set_properties(frz_table *h, const char *const *keys, const char *const *values, size_t count, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_table(h, &t, err));
    MUST(frz__table_usable(t, true, err));
    if (count == 0) return FRZ_OK;
    TRY(frz__shell_need((const void *)keys, "keys", err));
    TRY(frz__shell_need((const void *)values, "values", err));
    for (size_t i = 0; i < count; i++) TRY(frz__shell_need(keys[i], "keys[i]", err));
    return frz__table_set_properties(t, keys, values, count, err);
}

int frz_table_upgrade(frz_table *h, int32_t format_version, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_table(h, &t, err));
    MUST(frz__table_usable(t, true, err));
    if (format_version < 1) return frz__err(err, FRZ_INVALID, "format version %d: expected 2 or 3", format_version);
    return frz__table_upgrade(t, format_version, err);
}

int frz_table_properties(frz_table *h, int (*fn)(void *ctx, const char *key, const char *value), void *ctx, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    TRY(frz__shell_table(h, &t, err));
    MUST(frz__table_usable(t, false, err));
    struct version *v = frz__version_acquire(t);
    struct buf text = BUF_INIT(NULL, 0);
    int rc = FRZ_OK;
    for (size_t i = 0; rc == FRZ_OK && i < v->meta->property_count; i++) {
        slice key = v->meta->properties[i].key, value = v->meta->properties[i].value;
        buf_reset(&text);
        rc = frz__buf_printf(&text, err, "%.*s%c%.*s%c", (int)key.len, key.data, 0, (int)value.len, value.data, 0);
        if (rc >= 0) rc = fn(ctx, (const char *)text.data, (const char *)text.data + key.len + 1);
    }
    buf_clear(&text);
    frz__version_release(v);
    return rc;
}

/* ── what is published ── */

int frz_table_files(frz_table *h, frz_snapshot *snapshot, int (*fn)(void *ctx, const frz_file_info *info), void *ctx, frz_error *err)
{
    struct table *t;
    struct snapshot *s;
    struct view *view;
    uint64_t seq;
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    TRY(frz__shell_table(h, &t, err));
    TRY(frz__shell_snapshot(snapshot, &s, err));
    MUST(frz__snapshot_view(s, t, &view, &seq, err));
    int rc = FRZ_OK;
    for (size_t i = 0; rc == FRZ_OK && i < view->file_count; i++) {
        const struct vfile *f = view->files[i];
        frz_file_info info = {.struct_size = sizeof info, .content = 0, .path = f->sst->path, .format = "PARQUET", .rows = f->sst->rows, .rows_masked = frz__mask_count(f->mask), .bytes = f->sst->bytes,
            .sequence_number = f->data_sequence};
        rc = fn(ctx, &info);
    }
    frz__view_release(view);
    struct version *v = s ? NULL : frz__version_acquire(t); /* delete files are of the current snapshot */
    for (size_t m = 0; v && rc == FRZ_OK && m < v->tree.count; m++) {
        for (size_t i = 0; rc == FRZ_OK && i < v->tree.manifests[m].entry_count; i++) {
            const struct ice_entry *e = &v->tree.manifests[m].entries[i];
            char format[16], *path = NULL;
            if (e->status == ICE_DELETED || e->file.content == ICE_DATA) continue;
            snprintf_slice(format, sizeof format, e->file.format);
            rc = frz__path_relative(t, v->meta->location, e->file.path, &path, err);
            if (rc < 0) break;
            frz_file_info info = {.struct_size = sizeof info, .content = 1, .path = path, .format = format, .rows = (uint64_t)e->file.record_count, .bytes = (uint64_t)e->file.file_size,
                .sequence_number = e->sequence_number};
            rc = fn(ctx, &info);
            frz__free(t->a, path);
        }
    }
    frz__version_release(v);
    return rc;
}
