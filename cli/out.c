#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define TABLE_ROWS_MAX 1000 /* a table's widths are of this many rows; what follows is printed as it comes */

struct writer {
    FILE *f;
    enum format format;
    size_t *columns, count;
    char **names;
    char ***cells; /* FORMAT_TABLE: rows held back; NULL cell = null */
    size_t held;
    int *width;
    bool head_done, failed;
};

void print_json_string(FILE *f, const char *s, size_t len)
{
    putc('"', f);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\') fprintf(f, "\\%c", c);
        else if (c < 0x20) fprintf(f, "\\u%04x", c);
        else putc(c, f);
    }
    putc('"', f);
}

/* Of a character at S with N bytes left: how many it takes if it is a control character (C0, DEL, C1), else 0. */
static size_t control_bytes(const unsigned char *s, size_t n)
{
    if (s[0] < 0x20 || s[0] == 0x7F) return 1;
    return n > 1 && s[0] == 0xC2 && s[1] >= 0x80 && s[1] <= 0x9F ? 2 : 0;
}

void print_plain(FILE *f, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0, n; i < len; i += n ? n : 1) {
        n = control_bytes(s + i, len - i);
        if (!n) putc(s[i], f);
        else if (s[i] == '\n' || s[i] == '\r' || s[i] == '\t') fputs(s[i] == '\n' ? "\\n" : s[i] == '\r' ? "\\r" : "\\t", f);
        else fprintf(f, "\\u%04x", s[i + n - 1]);
    }
}

/* The same, as a string of its own; NULL = no memory. */
static char *plain(const char *text, size_t len)
{
    char *out = NULL;
    size_t n;
    FILE *f = open_memstream(&out, &n);
    if (!f) return NULL;
    print_plain(f, text, len);
    if (fclose(f) == 0) return out;
    free(out);
    return NULL;
}

/* Code points: what a terminal shows of most scripts. */
static int shown(const char *s)
{
    int n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static void csv_field(FILE *f, const char *s, size_t len)
{
    if (len && !memchr(s, '"', len) && !memchr(s, ',', len) && !memchr(s, '\n', len) && !memchr(s, '\r', len)) {
        fwrite(s, 1, len, f);
        return;
    }
    putc('"', f); /* an empty string too: without quotes it would be null */
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"') putc('"', f);
        putc(s[i], f);
    }
    putc('"', f);
}

static void writer_free(struct writer *w)
{
    for (size_t i = 0; w->names && i < w->count; i++) free(w->names[i]);
    free(w->columns);
    free(w->names);
    free(w->width);
    free(w->cells);
    free(w);
}

static bool take_columns(struct writer *w, const frz_schema *s, const size_t *columns)
{
    w->columns = (size_t *)calloc(w->count + 1, sizeof *w->columns);
    w->names = (char **)calloc(w->count + 1, sizeof *w->names);
    w->width = (int *)calloc(w->count + 1, sizeof *w->width);
    w->cells = (char ***)calloc(TABLE_ROWS_MAX, sizeof *w->cells);
    if (!w->columns || !w->names || !w->width || !w->cells) return false;
    for (size_t i = 0; i < w->count; i++) {
        frz_column c = {.struct_size = sizeof c};
        w->columns[i] = columns ? columns[i] : i;
        if (frz_schema_column(s, w->columns[i], &c) != FRZ_OK) continue;
        w->names[i] = w->format == FORMAT_TABLE ? plain(c.name, strlen(c.name)) : strdup(c.name);
        if (!w->names[i]) return false;
        w->width[i] = shown(c.name);
    }
    return true;
}

struct writer *writer_new(FILE *f, enum format format, const frz_schema *s, const size_t *columns, size_t count)
{
    struct writer *w = (struct writer *)calloc(1, sizeof *w);
    if (w) *w = (struct writer){.f = f, .format = format, .count = columns ? count : frz_schema_column_count(s)};
    if (!w || !take_columns(w, s, columns)) {
        say("out of memory for the output's columns");
        if (w) writer_free(w);
        return NULL;
    }
    if (format == FORMAT_CSV) {
        for (size_t i = 0; i < w->count; i++) {
            if (i) putc(',', f);
            csv_field(f, w->names[i], strlen(w->names[i]));
        }
        putc('\n', f);
    }
    return w;
}

static void print_cell(struct writer *w, size_t i, const char *text)
{
    const char *s = text ? text : "NULL";
    fprintf(w->f, "%s%s%*s", i ? " | " : "", s, i + 1 < w->count ? w->width[i] - shown(s) > 0 ? w->width[i] - shown(s) : 0 : 0, "");
}

static void print_held(struct writer *w)
{
    if (!w->head_done) {
        for (size_t i = 0; i < w->count; i++) print_cell(w, i, w->names[i]);
        putc('\n', w->f);
        for (size_t i = 0; i < w->count; i++) {
            if (i) fputs("-+-", w->f);
            for (int k = 0; k < w->width[i]; k++) putc('-', w->f);
        }
        putc('\n', w->f);
        w->head_done = true;
    }
    for (size_t r = 0; r < w->held; r++) {
        for (size_t i = 0; i < w->count; i++) {
            print_cell(w, i, w->cells[r][i]);
            free(w->cells[r][i]);
        }
        putc('\n', w->f);
        free(w->cells[r]);
    }
    w->held = 0;
}

static int table_row(struct writer *w, const frz_row *row, frz_error *err)
{
    char **cells = (char **)calloc(w->count + 1, sizeof *cells);
    int rc = cells ? FRZ_OK : FRZ_NO_MEMORY;
    for (size_t i = 0; rc == FRZ_OK && i < w->count; i++) {
        frz_blob *text = NULL;
        if (frz_row_is_null(row, w->columns[i])) {
            if (w->width[i] < 4 && !w->head_done) w->width[i] = 4; /* NULL */
            continue;
        }
        rc = frz_row_to_text(row, w->columns[i], &text, err);
        if (rc != FRZ_OK) break;
        cells[i] = plain(frz_blob_data(text), frz_blob_len(text));
        frz_blob_free(text);
        if (!cells[i]) rc = FRZ_NO_MEMORY;
        else if (shown(cells[i]) > w->width[i] && !w->head_done) w->width[i] = shown(cells[i]);
    }
    if (rc != FRZ_OK) {
        for (size_t i = 0; cells && i < w->count; i++) free(cells[i]);
        free(cells);
        return rc;
    }
    w->cells[w->held++] = cells;
    if (w->held == TABLE_ROWS_MAX || w->head_done) print_held(w);
    return FRZ_OK;
}

static int csv_row(struct writer *w, const frz_row *row, frz_error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        frz_blob *text = NULL;
        if (i) putc(',', w->f);
        if (frz_row_is_null(row, w->columns[i])) continue;
        int rc = frz_row_to_text(row, w->columns[i], &text, err);
        if (rc != FRZ_OK) return rc;
        csv_field(w->f, frz_blob_data(text), frz_blob_len(text));
        frz_blob_free(text);
    }
    putc('\n', w->f);
    return FRZ_OK;
}

int writer_row(struct writer *w, const frz_row *row, frz_error *err)
{
    frz_blob *json = NULL;
    int rc;
    switch (w->format) {
    case FORMAT_TABLE: rc = table_row(w, row, err); break;
    case FORMAT_CSV: rc = csv_row(w, row, err); break;
    default:
        rc = frz_row_to_json(row, &json, err);
        if (rc == FRZ_OK) fprintf(w->f, "%s\n", frz_blob_data(json));
        frz_blob_free(json);
    }
    if (ferror(w->f)) w->failed = true;
    return rc;
}

int writer_end(struct writer *w)
{
    if (w->format == FORMAT_TABLE) print_held(w);
    bool failed = fflush(w->f) != 0 || w->failed;
    if (failed) say("output: %s", strerror(errno));
    writer_free(w);
    return failed ? EXIT_ERROR : EXIT_DONE;
}
