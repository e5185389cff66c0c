#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int cmd_put(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_batch *batch = NULL;
    frz_row *row = NULL;
    int code = session_open(&s, a, MODE_WRITE, true);
    if (code) return code;
    int rc = frz_batch_new(s.db, &batch, &e);
    if (rc == FRZ_OK) rc = frz_row_new(s.table, &row, &e);
    for (int i = 2; rc == FRZ_OK && i < a->word_count; i++) {
        frz_row_clear(row);
        rc = frz_row_set_json(row, a->words[i], strlen(a->words[i]), &e);
        if (rc == FRZ_OK) rc = frz_batch_put(batch, s.table, row, &e);
        if (rc != FRZ_OK) say("row %d of the command line:", i - 1);
    }
    if (rc == FRZ_OK) rc = frz_write(s.db, batch, NULL, NULL, &e);
    if (rc == FRZ_OK && args_has(a, "json")) printf("{\"rows\":%zu}\n", frz_batch_count(batch));
    frz_row_free(row);
    frz_batch_free(batch);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

int cmd_get(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_row *row = NULL;
    frz_snapshot *snapshot = NULL;
    size_t *columns = NULL, count = 0;
    const char *f;
    int code = args_format(a, &f), missing = 0, rc = FRZ_OK;
    if (code) return code;
    enum format format = !f || strcmp(f, "jsonl") == 0 ? FORMAT_JSONL : strcmp(f, "csv") == 0 ? FORMAT_CSV : FORMAT_TABLE;
    if (f && format == FORMAT_TABLE && strcmp(f, "table") != 0) return usage("--format %s: expected jsonl, csv or table", f);
    code = session_open(&s, a, MODE_READ, true);
    if (code) return code;
    code = session_travel(&s, a, &snapshot);
    if (code == 0) code = session_columns(&s, args_get(a, "columns"), &columns, &count);
    if (code) {
        frz_snapshot_close(snapshot);
        return session_close(&s, code);
    }
    struct writer *w = writer_new(stdout, format, s.schema, columns, count);
    if (!w) {
        free(columns);
        frz_snapshot_close(snapshot);
        return session_close(&s, EXIT_ERROR);
    }
    rc = frz_row_new_schema(s.schema, &row, &e);
    for (int i = 2; rc == FRZ_OK && code == 0 && i < a->word_count; i++) {
        frz_value key[KEY_COLUMNS_MAX];
        size_t nkey = 0;
        frz_blob *scratch = NULL;
        code = session_key(&s, a->words[i], key, &nkey, &scratch);
        if (code == 0) {
            rc = frz_get_columns(s.table, snapshot, key, nkey, columns, count, row, &e);
            if (rc == FRZ_OK) rc = writer_row(w, row, &e);
            else if (rc == FRZ_NOT_FOUND) {
                say("there is no row with the key %s", a->words[i]);
                missing++;
                rc = FRZ_OK;
            }
        }
        frz_blob_free(scratch);
    }
    int ended = writer_end(w);
    frz_row_free(row);
    frz_snapshot_close(snapshot);
    free(columns);
    if (rc != FRZ_OK) code = fail(&e, rc);
    return session_close(&s, code ? code : ended ? ended : missing ? EXIT_NOT_FOUND : EXIT_DONE);
}

/* ── delete ── */

#define DELETE_BATCH 1000

static int flush_deletes(struct session *s, frz_batch *batch, uint64_t *rows, frz_error *e)
{
    int rc = frz_write(s->db, batch, NULL, NULL, e);
    if (rc == FRZ_OK) *rows += frz_batch_count(batch);
    frz_batch_clear(batch);
    return rc;
}

/* A bad line ends it: keys of the batches before it are deleted, and said to be. */
static int delete_keys_from(struct session *s, frz_batch *batch, const char *path, uint64_t *rows, frz_error *e)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    unsigned long long number = 0;
    ssize_t n = 0;
    int rc = f ? FRZ_OK : FRZ_IO;
    while (rc == FRZ_OK && (n = getline(&line, &cap, f)) >= 0) {
        frz_value key[KEY_COLUMNS_MAX];
        size_t nkey = 0;
        frz_blob *scratch = NULL;
        number++;
        if (n && line[n - 1] == '\n') n--;
        if (n && line[n - 1] == '\r') n--;
        rc = frz_key_parse(s->schema, line, (size_t)n, key, &nkey, &scratch, e);
        if (rc == FRZ_OK) rc = frz_batch_delete(batch, s->table, key, nkey, e);
        if (rc != FRZ_OK) say("%s, line %llu:", path, number);
        frz_blob_free(scratch);
        if (rc == FRZ_OK && frz_batch_count(batch) >= DELETE_BATCH) rc = flush_deletes(s, batch, rows, e);
    }
    if (!f || ferror(f)) {
        snprintf(e->message, sizeof e->message, "%s: %s", path, strerror(errno));
        rc = FRZ_IO;
    }
    if (rc != FRZ_OK && *rows) say("the keys of the first %llu lines are deleted", (unsigned long long)*rows);
    free(line);
    if (f && f != stdin) fclose(f);
    return rc;
}

/* The rows as they are when it begins: writes of its own don't move the scan. */
static int delete_where(struct session *s, frz_batch *batch, const char *where, uint64_t *rows, frz_error *e)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *cursor = NULL;
    frz_snapshot *snapshot = NULL;
    size_t nkey = frz_schema_key_count(s->schema), *columns = (size_t *)calloc(nkey, sizeof *columns);
    frz_value *key = (frz_value *)calloc(nkey, sizeof *key);
    const frz_row *row;
    int rc = columns && key ? frz_snapshot_open(s->db, &snapshot, e) : FRZ_NO_MEMORY;
    for (size_t i = 0; rc == FRZ_OK && i < nkey; i++) rc = frz_schema_key(s->schema, i, &columns[i]);
    o.snapshot = snapshot;
    o.where = where;
    o.columns = columns;
    o.column_count = nkey;
    if (rc == FRZ_OK) rc = frz_scan(s->table, &o, &cursor, e);
    while (rc == FRZ_OK && (rc = frz_cursor_next(cursor, &row, e)) == FRZ_OK) {
        for (size_t i = 0; rc == FRZ_OK && i < nkey; i++) rc = frz_row_get(row, columns[i], &key[i]);
        if (rc == FRZ_OK) rc = frz_batch_delete(batch, s->table, key, nkey, e);
        if (rc == FRZ_OK && frz_batch_count(batch) >= DELETE_BATCH) rc = flush_deletes(s, batch, rows, e);
    }
    frz_cursor_close(cursor);
    frz_snapshot_close(snapshot);
    free(columns);
    free(key);
    return rc == FRZ_DONE ? FRZ_OK : rc;
}

int cmd_delete(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_batch *batch = NULL;
    uint64_t rows = 0;
    const char *from = args_get(a, "keys-from"), *where = args_get(a, "where");
    if ((a->word_count > 2) + !!from + !!where != 1) return usage("delete wants keys, or --keys-from, or --where");
    int code = session_open(&s, a, MODE_WRITE, true);
    if (code) return code;
    int rc = frz_batch_new(s.db, &batch, &e);
    for (int i = 2; rc == FRZ_OK && code == 0 && i < a->word_count; i++) {
        frz_value key[KEY_COLUMNS_MAX];
        size_t nkey = 0;
        frz_blob *scratch = NULL;
        code = session_key(&s, a->words[i], key, &nkey, &scratch);
        if (code == 0) rc = frz_batch_delete(batch, s.table, key, nkey, &e);
        frz_blob_free(scratch);
    }
    if (rc == FRZ_OK && from) rc = delete_keys_from(&s, batch, from, &rows, &e);
    if (rc == FRZ_OK && where) rc = delete_where(&s, batch, where, &rows, &e);
    if (rc == FRZ_OK && code == 0) rc = flush_deletes(&s, batch, &rows, &e);
    if (rc == FRZ_OK && code == 0 && args_has(a, "json")) printf("{\"%s\":%llu}\n", where ? "deleted" : "keys", (unsigned long long)rows);
    frz_batch_free(batch);
    return session_close(&s, rc == FRZ_OK ? code : fail(&e, rc));
}
