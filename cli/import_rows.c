/* import_rows.c — CSV and JSON lines: records → rows → batches. */
#include <stdlib.h>
#include <string.h>

#include "import.h"

#define BATCH_BYTES ((uint64_t)16 << 20) /* of input: a batch ends there too */

/* ── the header, and the sample ── */

int import_header(struct import *im)
{
    enum record r = csv_next(&im->csv);
    int code = EXIT_DONE;
    if (r == RECORD_FAILED) return EXIT_ERROR;
    if (r == RECORD_END) {
        say("%s is empty: expected a header line", im->in.name);
        return EXIT_ERROR;
    }
    if (r == RECORD_BAD) {
        say("%s, line %llu: the header: %s", im->in.name, (unsigned long long)im->csv.line, im->csv.problem);
        return EXIT_ERROR;
    }
    for (size_t i = 0; code == 0 && i < im->csv.count; i++) {
        size_t len;
        const char *name = csv_text(&im->csv, i, &len);
        if (len == 0) {
            say("%s, line %llu: column %zu of the header has no name", im->in.name, (unsigned long long)im->csv.line, i + 1);
            return EXIT_ERROR;
        }
        if (memchr(name, 0, len)) {
            say("%s, line %llu: column %zu of the header: a zero byte in its name", im->in.name, (unsigned long long)im->csv.line, i + 1);
            return EXIT_ERROR;
        }
        code = infer_add(&im->infer, name, len);
        for (size_t k = 0; code == 0 && k < i; k++) {
            if (strcmp(im->infer.columns[k].name, im->infer.columns[i].name) != 0) continue;
            say("%s, line %llu: the header has %s twice", im->in.name, (unsigned long long)im->csv.line, im->infer.columns[i].name);
            code = EXIT_ERROR;
        }
    }
    return code;
}

static bool is_null(const struct import *im, size_t i, const char *text, size_t len)
{
    if (im->csv.fields[i].quoted) return false;
    return im->null_text ? strlen(im->null_text) == len && memcmp(im->null_text, text, len) == 0 : len == 0;
}

static int sample_csv(struct import *im)
{
    enum record r;
    while (im->sampled < INFER_ROWS && im->in.consumed - im->in.keep_consumed < INFER_BYTES && (r = csv_next(&im->csv)) != RECORD_END) {
        if (r == RECORD_FAILED) return EXIT_ERROR;
        if (r == RECORD_BAD || im->csv.count != im->infer.count) continue; /* import_rows says so */
        for (size_t i = 0; i < im->csv.count; i++) {
            size_t len;
            const char *text = csv_text(&im->csv, i, &len);
            if (!is_null(im, i, text, len)) infer_text(&im->infer, i, text, len);
        }
        im->sampled++;
    }
    return EXIT_DONE;
}

static int sample_jsonl(struct import *im)
{
    enum record r;
    const char *text;
    size_t len;
    uint64_t line;
    char problem[512];
    while (im->sampled < INFER_ROWS && im->in.consumed - im->in.keep_consumed < INFER_BYTES && (r = line_next(&im->in, &text, &len, &line)) != RECORD_END) {
        if (r == RECORD_FAILED) return EXIT_ERROR;
        if (infer_json(&im->infer, text, len, problem, sizeof problem)) {
            if (im->skip) continue;
            import_bad(im, "line", line, line, NULL, problem);
            return EXIT_ERROR;
        }
        im->sampled++;
    }
    if (im->infer.count) return EXIT_DONE;
    say("%s has no row to take a schema from", im->in.name);
    return EXIT_ERROR;
}

int import_sample(struct import *im)
{
    input_keep(&im->in);
    int code = im->format == FILE_CSV ? sample_csv(im) : sample_jsonl(im);
    input_rewind(&im->in);
    return code;
}

static void name_columns(const frz_schema *s)
{
    fprintf(stderr, "frazil: the table's columns:");
    for (size_t i = 0; i < frz_schema_column_count(s); i++) {
        frz_column c = {.struct_size = sizeof c};
        if (frz_schema_column(s, i, &c) == FRZ_OK) fprintf(stderr, "%s %s", i ? "," : "", c.name);
    }
    putc('\n', stderr);
}

/* Field → column, for CSV; for it and Parquet: what the table lacks and what the file must have and lacks are named. */
int import_map(struct import *im)
{
    size_t columns = frz_schema_column_count(im->s.schema), lacking = 0;
    bool *seen = (bool *)calloc(columns + 1, sizeof *seen);
    im->map = (size_t *)calloc(im->infer.count + 1, sizeof *im->map);
    if (!seen || !im->map) {
        free(seen);
        say("out of memory");
        return EXIT_ERROR;
    }
    for (size_t i = 0; i < im->infer.count; i++) {
        if (frz_schema_find(im->s.schema, im->infer.columns[i].name, &im->map[i]) == FRZ_OK) seen[im->map[i]] = true;
        else {
            say("%s: the table has no column %s", im->in.name, im->infer.columns[i].name);
            lacking++;
        }
    }
    for (size_t i = 0; i < columns; i++) {
        frz_column c = {.struct_size = sizeof c};
        if (seen[i] || frz_schema_column(im->s.schema, i, &c) != FRZ_OK || !c.required || c.write.type != FRZ_NULL) continue;
        say("%s lacks the required column %s", im->in.name, c.name);
        lacking++;
    }
    free(seen);
    if (!lacking) return EXIT_DONE;
    name_columns(im->s.schema);
    return EXIT_ERROR;
}

/* ── what is wrong with a row ── */

#define NAMED_MAX 10

/* Of `column "x": …` and `column "x" is …`: where the name ends, its quote; COLUMN is the name where it is known. NULL = the message begins otherwise. */
static const char *name_end(const char *message, const char *column)
{
    if (strncmp(message, "column \"", 8) != 0) return NULL;
    const char *name = message + 8, *end = name;
    if (column) return strncmp(name, column, strlen(column)) == 0 && name[strlen(column)] == '"' ? name + strlen(column) : NULL;
    while (*end && !(end[0] == '"' && (end[1] == ':' || end[1] == ' '))) end++;
    return *end ? end : NULL;
}

/* Of `JSON, line 1 column 7: …`, a line's position in itself: 7, and *MESSAGE behind it. 0 = the message begins otherwise. */
static int json_position(const char **message)
{
    int at = 0, used = 0;
    if (sscanf(*message, "JSON, line 1 column %d: %n", &at, &used) != 1 || !used) return 0;
    *message += used;
    return at > 0 ? at : 1;
}

/* `column "x": …` becomes `file, line n, column x: …`, and JSON's own position a character's */
void import_bad(struct import *im, const char *unit, uint64_t first, uint64_t last, const char *column, const char *message)
{
    char lines[64], where[288] = "";
    const char *between = ": ", *end = name_end(message, column);
    int position;
    if (im->quiet) return;
    im->skipped += last - first + 1;
    if (im->skip && im->skipped > NAMED_MAX) return;
    if (column) snprintf(where, sizeof where, ", column %s", column);
    else if (end) snprintf(where, sizeof where, ", column %.*s", (int)(end - message - 8), message + 8);
    else if ((position = json_position(&message))) snprintf(where, sizeof where, ", character %d", position);
    if (end) {
        message = end + 1;
        if (*message != ':') between = "";
        else message += message[1] == ' ' ? 2 : 1;
    }
    if (first == last) snprintf(lines, sizeof lines, "%s %llu", unit, (unsigned long long)first);
    else snprintf(lines, sizeof lines, "%ss %llu to %llu", unit, (unsigned long long)first, (unsigned long long)last);
    progress_clear(&im->bar);
    say("%s, %s%s%s%s", im->in.name, lines, where, between, message);
}

/* ── rows ── */

static enum record next_csv(struct import *im, uint64_t *line)
{
    char message[96];
    frz_error e = {0};
    enum record r = csv_next(&im->csv);
    *line = im->csv.line;
    if (r == RECORD_END || r == RECORD_FAILED) return r;
    size_t at = im->csv.problem_field;
    if (r == RECORD_BAD) {
        import_bad(im, "line", *line, *line, at < im->infer.count ? im->infer.columns[at].name : NULL, im->csv.problem);
        return RECORD_BAD;
    }
    if (im->csv.count != im->infer.count) {
        snprintf(message, sizeof message, "expected the header's %zu fields, found %zu", im->infer.count, im->csv.count);
        import_bad(im, "line", *line, *line, NULL, message);
        return RECORD_BAD;
    }
    frz_row_clear(im->row);
    for (size_t i = 0; i < im->csv.count; i++) {
        size_t len;
        const char *text = csv_text(&im->csv, i, &len);
        int rc = is_null(im, i, text, len) ? frz_row_set_null(im->row, im->map[i], &e) : frz_row_set_text(im->row, im->map[i], text, len, &e);
        if (rc == FRZ_OK) continue;
        import_bad(im, "line", *line, *line, im->infer.columns[i].name, e.message);
        return RECORD_BAD;
    }
    return RECORD_OK;
}

static enum record next_jsonl(struct import *im, uint64_t *line)
{
    const char *text;
    size_t len;
    frz_error e = {0};
    enum record r = line_next(&im->in, &text, &len, line);
    if (r != RECORD_OK) return r;
    frz_row_clear(im->row);
    if (frz_row_set_json(im->row, text, len, &e) == FRZ_OK) return RECORD_OK;
    import_bad(im, "line", *line, *line, NULL, text[0] == '[' ? "an array: expected one object a line (jq -c '.[]' makes that)" : e.message);
    return RECORD_BAD;
}

static enum record next_row(struct import *im, uint64_t *line)
{
    return im->format == FILE_CSV ? next_csv(im, line) : next_jsonl(im, line);
}

/* ── batches ── */

struct chunk { uint64_t records, first_line, last_line, consumed; };

/* The chunk's rows again, one by one: a key of theirs exists. Synced once, behind them. */
static int write_singly(struct import *im, const struct chunk *chunk)
{
    frz_error e = {0};
    frz_write_options o = FRZ_WRITE_OPTIONS_INIT;
    int32_t durability = 0;
    int rc = FRZ_OK;
    o.durability = FRZ_SYNC_OFF;
    input_rewind(&im->in);
    for (uint64_t i = 0; i < chunk->records; i++) {
        uint64_t line;
        sig_atomic_t stop = import_stop;
        import_stop = 0; /* the batch is finished first: all of it is in the window */
        im->quiet = true;
        enum record r = next_row(im, &line);
        im->quiet = false;
        import_stop |= stop;
        if (r == RECORD_BAD) continue;
        if (r != RECORD_OK) return EXIT_ERROR;
        rc = frz_insert(im->s.table, im->row, &o, &e);
        if (rc == FRZ_OK) im->rows++;
        else if (rc == FRZ_EXISTS || rc == FRZ_INVALID || rc == FRZ_TOO_LARGE) import_bad(im, "line", line, line, NULL, e.message);
        else break;
        rc = FRZ_OK;
    }
    if (rc == FRZ_OK && durability_of(im->a, &durability) == 0 && durability == FRZ_SYNC_FULL) rc = frz_db_sync(im->s.db, &e);
    return rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
}

static void begin_chunk(struct import *im, struct chunk *chunk)
{
    *chunk = (struct chunk){.consumed = im->in.consumed};
    if (im->insert && im->skip) input_keep(&im->in);
}

static int write_chunk(struct import *im, struct chunk *chunk)
{
    frz_error e = {0};
    size_t n = frz_batch_count(im->batch);
    int code = EXIT_DONE, rc = n ? frz_write(im->s.db, im->batch, NULL, NULL, &e) : FRZ_OK;
    frz_batch_clear(im->batch);
    if (rc == FRZ_OK) im->rows += n;
    else if (rc == FRZ_EXISTS && im->skip) code = write_singly(im, chunk);
    else {
        progress_clear(&im->bar);
        say("%s, lines %llu to %llu:", im->in.name, (unsigned long long)chunk->first_line, (unsigned long long)chunk->last_line);
        code = fail(&e, rc);
    }
    begin_chunk(im, chunk);
    progress_draw(&im->bar, im->rows, im->in.consumed);
    return code;
}

int import_rows(struct import *im)
{
    frz_error e = {0};
    struct chunk chunk;
    int code = EXIT_DONE, written;
    begin_chunk(im, &chunk);
    while (code == 0) {
        uint64_t line = 0;
        enum record r = next_row(im, &line);
        if (r == RECORD_END) break;
        if (r == RECORD_OK && (im->insert ? frz_batch_insert(im->batch, im->s.table, im->row, &e) : frz_batch_put(im->batch, im->s.table, im->row, &e)) != FRZ_OK) {
            import_bad(im, "line", line, line, NULL, e.message);
            r = RECORD_BAD;
        }
        if (r == RECORD_FAILED || (r == RECORD_BAD && !im->skip)) code = EXIT_ERROR;
        if (r == RECORD_FAILED) break;
        if (!chunk.records++) chunk.first_line = line;
        chunk.last_line = line;
        if (frz_batch_count(im->batch) < im->batch_rows && im->in.consumed - chunk.consumed < BATCH_BYTES) continue;
        written = write_chunk(im, &chunk);
        code = code ? code : written;
    }
    written = write_chunk(im, &chunk); /* what stands before the end, the bad row or the signal */
    return code ? code : written;
}
