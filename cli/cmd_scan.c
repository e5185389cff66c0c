#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

struct bounds { frz_value from[KEY_COLUMNS_MAX], to[KEY_COLUMNS_MAX], prefix[KEY_COLUMNS_MAX]; frz_blob *scratch[3]; frz_snapshot *snapshot; };

static int bound(struct session *s, const char *text, frz_value *key, size_t *count, frz_blob **scratch)
{
    if (!text) return EXIT_DONE;
    int code = session_key(s, text, key, count, scratch);
    return code;
}

static int scan_options_of(struct session *s, const struct args *a, frz_scan_options *o, struct bounds *b)
{
    int code = bound(s, args_get(a, "from"), b->from, &o->from_count, &b->scratch[0]);
    if (code == 0) code = bound(s, args_get(a, "to"), b->to, &o->to_count, &b->scratch[1]);
    if (code == 0) code = bound(s, args_get(a, "prefix"), b->prefix, &o->prefix_count, &b->scratch[2]);
    if (code) return code;
    if (!args_u64(a, "limit", 0, &o->limit)) return EXIT_USAGE;
    o->from = o->from_count ? b->from : NULL;
    o->to = o->to_count ? b->to : NULL;
    o->prefix = o->prefix_count ? b->prefix : NULL;
    o->where = args_get(a, "where");
    o->reverse = args_has(a, "reverse");
    o->snapshot = b->snapshot;
    return EXIT_DONE;
}

static void bounds_clear(struct bounds *b)
{
    for (int i = 0; i < 3; i++) frz_blob_free(b->scratch[i]);
    frz_snapshot_close(b->snapshot);
}

static int scan_rows(struct session *s, frz_scan_options *o, enum format format, FILE *out)
{
    frz_error e = {0};
    frz_cursor *cursor = NULL;
    const frz_row *row;
    int rc = frz_scan(s->table, o, &cursor, &e);
    if (rc != FRZ_OK) return fail(&e, rc);
    struct writer *w = writer_new(out, format, s->schema, o->columns, o->column_count);
    if (!w) {
        frz_cursor_close(cursor);
        return EXIT_ERROR;
    }
    while ((rc = frz_cursor_next(cursor, &row, &e)) == FRZ_OK && (rc = writer_row(w, row, &e)) == FRZ_OK) {}
    int ended = writer_end(w);
    frz_cursor_close(cursor);
    return rc == FRZ_DONE ? ended : fail(&e, rc);
}

static int scan_parquet(struct session *s, frz_scan_options *o, const char *path)
{
    frz_error e = {0};
    struct ArrowArrayStream stream = {0};
    uint64_t rows = 0;
    if (!path && isatty(STDOUT_FILENO)) return usage("--format parquet wants --output FILE, or a pipe: a terminal shows no Parquet");
    if (o->reverse) return usage("--reverse does not go with --format parquet");
    int rc = frz_scan_arrow(s->table, o, &stream, &e);
    if (rc == FRZ_OK) rc = frz_parquet_write(path ? path : "/dev/stdout", &stream, NULL, &rows, &e);
    return rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
}

int cmd_scan(struct args *a)
{
    struct session s;
    struct bounds b = {0};
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    size_t *columns = NULL, count = 0;
    const char *f, *path = args_get(a, "output");
    enum format format = FORMAT_TABLE;
    int code = args_format(a, &f);
    if (code) return code;
    bool parquet = f && strcmp(f, "parquet") == 0;
    if (f && strcmp(f, "csv") == 0) format = FORMAT_CSV;
    else if (f && strcmp(f, "jsonl") == 0) format = FORMAT_JSONL;
    else if (f && strcmp(f, "table") != 0 && !parquet) return usage("--format %s: expected table, csv, jsonl or parquet", f);
    code = session_open(&s, a, MODE_READ, true);
    if (code) return code;
    code = session_travel(&s, a, &b.snapshot);
    if (code == 0) code = session_columns(&s, args_get(a, "columns"), &columns, &count);
    if (code == 0) code = scan_options_of(&s, a, &o, &b);
    o.columns = columns;
    o.column_count = count;
    if (code == 0 && parquet) code = scan_parquet(&s, &o, path);
    else if (code == 0) {
        FILE *out = path ? fopen(path, "w") : stdout;
        if (!out) say("%s: %s", path, strerror(errno));
        code = out ? scan_rows(&s, &o, format, out) : EXIT_ERROR;
        if (out && out != stdout && fclose(out) != 0) {
            say("%s: %s", path, strerror(errno));
            code = EXIT_ERROR;
        }
    }
    bounds_clear(&b);
    free(columns);
    return session_close(&s, code);
}

int cmd_count(struct args *a)
{
    frz_error e = {0};
    struct session s;
    struct bounds b = {0};
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    uint64_t n = 0;
    int code = session_open(&s, a, MODE_READ, true);
    if (code) return code;
    code = session_travel(&s, a, &b.snapshot);
    if (code == 0) code = scan_options_of(&s, a, &o, &b);
    if (code == 0) {
        int rc = frz_count(s.table, &o, &n, &e);
        if (rc != FRZ_OK) code = fail(&e, rc);
        else printf(args_has(a, "json") ? "{\"rows\":%llu}\n" : "%llu\n", (unsigned long long)n);
    }
    bounds_clear(&b);
    return session_close(&s, code);
}
