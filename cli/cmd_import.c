#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "import.h"

#define BATCH_ROWS_MAX 1000000

volatile sig_atomic_t import_stop;

static void on_signal(int number)
{
    (void)number;
    import_stop = 1;
}

/* The first one ends the batch, the second the process. */
static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

/* ── options ── */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcasecmp(s + n - k, end) == 0;
}

static int format_of(struct import *im)
{
    const char *f = args_get(im->a, "format"), *p = im->path;
    if (f && strcmp(f, "csv") == 0) im->format = FILE_CSV;
    else if (f && strcmp(f, "jsonl") == 0) im->format = FILE_JSONL;
    else if (f && strcmp(f, "parquet") == 0) im->format = FILE_PARQUET;
    else if (f) return usage("--format %s: expected csv, jsonl or parquet", f);
    else if (strcmp(p, "-") == 0) return usage("standard input wants --format csv or jsonl");
    else if (ends_with(p, ".csv")) im->format = FILE_CSV;
    else if (ends_with(p, ".jsonl") || ends_with(p, ".ndjson") || ends_with(p, ".json")) im->format = FILE_JSONL;
    else if (ends_with(p, ".parquet")) im->format = FILE_PARQUET;
    else return usage("%s: its name does not tell the format: give --format csv, jsonl or parquet", p);
    if (im->format == FILE_PARQUET && strcmp(p, "-") == 0) return usage("Parquet can't be read from standard input: give a file");
    if (im->null_text && im->format != FILE_CSV) return usage("--null is for CSV");
    return EXIT_DONE;
}

static int options_of(struct import *im)
{
    struct args *a = im->a;
    const char *mode = args_get(a, "mode"), *on_error = args_get(a, "on-error");
    im->path = a->words[2];
    im->null_text = args_get(a, "null");
    im->json = args_has(a, "json");
    im->create = args_has(a, "create");
    im->insert = mode && strcmp(mode, "insert") == 0;
    im->skip = on_error && strcmp(on_error, "skip") == 0;
    if (mode && !im->insert && strcmp(mode, "upsert") != 0) return usage("--mode %s: expected upsert or insert", mode);
    if (on_error && !im->skip && strcmp(on_error, "stop") != 0) return usage("--on-error %s: expected stop or skip", on_error);
    if (!args_u64(a, "batch", 10000, &im->batch_rows)) return EXIT_USAGE;
    if (im->batch_rows < 1 || im->batch_rows > BATCH_ROWS_MAX) return usage("--batch %llu: expected 1 to %d", (unsigned long long)im->batch_rows, BATCH_ROWS_MAX);
    if (im->create && !args_has(a, "key")) return usage("import --create wants --key: the columns that make a row unique");
    if (!im->create && (args_has(a, "key") || args_has(a, "property") || args_has(a, "format-version"))) return usage("--key, --property and --format-version go with --create");
    int32_t durability;
    int code = durability_of(a, &durability);
    return code ? code : format_of(im);
}

/* ── the table ── */

/* The schema comes first: a file that tells none leaves nothing behind. */
static int create_table(struct import *im)
{
    frz_error e = {0};
    frz_schema *schema = NULL;
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    int code = properties_of(im->a, &o), rc;
    if (code == 0) code = im->format == FILE_PARQUET ? infer_parquet(&im->infer, im->path) : import_sample(im);
    if (code == 0) code = infer_schema(&im->infer, args_get(im->a, "key"), &schema);
    if (code == 0) code = session_open(&im->s, im->a, MODE_IMPORT, false);
    if (code == 0) {
        rc = frz_table_create(im->s.db, im->a->words[1], schema, &o, &im->s.table, &e);
        if (rc == FRZ_OK) rc = frz_table_schema(im->s.table, &im->s.schema, &e);
        if (rc != FRZ_OK) code = fail(&e, rc);
    }
    frz_schema_free(schema);
    return code;
}

static int open_table(struct import *im)
{
    frz_error e = {0};
    int code = im->create ? create_table(im) : session_open(&im->s, im->a, MODE_IMPORT, true), rc;
    if (code == 0 && im->format == FILE_PARQUET && !im->create) code = infer_parquet(&im->infer, im->path);
    if (code == 0 && im->format != FILE_JSONL) code = import_map(im);
    if (code) return code;
    rc = frz_batch_new(im->s.db, &im->batch, &e);
    if (rc == FRZ_OK) rc = frz_row_new(im->s.table, &im->row, &e);
    return rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
}

/* ── the end ── */

static const char *rows_text(uint64_t n) { return n == 1 ? "row" : "rows"; }
static const char *are_text(uint64_t n) { return n == 1 ? "row is" : "rows are"; }

static void conclude(const struct import *im, int code, double seconds)
{
    unsigned long long rows = im->rows, skipped = im->skip ? im->skipped : 0;
    if (im->json) printf("{\"rows\":%llu,\"skipped\":%llu,\"seconds\":%.3f}\n", rows, skipped, seconds);
    if (skipped > 10) say("… and %llu more", skipped - 10);
    if (skipped) say("%llu %s skipped", skipped, rows_text(skipped));
    if (import_stop) say("interrupted: %llu %s in", rows, are_text(rows));
    else if (code) say("stopped: %llu %s in", rows, are_text(rows));
    else if (!im->json) fprintf(stderr, "%llu %s in %.2f s (%.0f rows/s)\n", rows, rows_text(rows), seconds, seconds > 0 ? (double)rows / seconds : 0);
    if (code && !import_stop && im->create && im->skipped && im->format != FILE_PARQUET)
        say("the types come from the first %llu %s; `create --schema` says them itself", (unsigned long long)im->sampled, rows_text(im->sampled));
}

static void clear(struct import *im)
{
    infer_clear(&im->infer);
    csv_clear(&im->csv);
    free(im->map);
    if (im->format != FILE_PARQUET) input_close(&im->in);
}

/* What the bar measures: bytes of text, rows of Parquet. 0 = not known: a pipe. */
static uint64_t total_of(const struct import *im)
{
    frz_error e;
    uint64_t rows = 0;
    if (im->format != FILE_PARQUET) return im->in.bytes_total;
    return frz_parquet_count(im->path, &rows, &e) == FRZ_OK ? rows : 0; /* what is wrong with it, the import says */
}

int cmd_import(struct args *a)
{
    static struct import im;
    bool begun = false;
    double started = now_seconds();
    im.a = a;
    int code = options_of(&im);
    if (code) return code;
    catch_signals();
    im.in.name = im.path;
    im.in.fd = -1;
    if (im.format != FILE_PARQUET) code = input_open(&im.in, im.path);
    else if (access(im.path, R_OK) != 0) {
        say("%s: %s", im.path, strerror(errno));
        code = EXIT_ERROR;
    }
    im.csv.in = &im.in;
    if (code == 0) code = infer_init(&im.infer);
    if (code == 0 && im.format == FILE_CSV) code = import_header(&im);
    if (code == 0) code = open_table(&im);
    if (code == 0) {
        begun = true;
        progress_start(&im.bar, total_of(&im), !im.json);
        code = im.format == FILE_PARQUET ? import_parquet(&im) : import_rows(&im);
        progress_clear(&im.bar);
    }
    frz_row_free(im.row);
    frz_batch_free(im.batch);
    if (code == 0 && import_stop) code = EXIT_ERROR;
    if (im.s.db) code = session_close(&im.s, code);
    if (begun) conclude(&im, code, now_seconds() - started);
    clear(&im);
    return code;
}
