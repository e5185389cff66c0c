/* import.h — rows from files: input.c bytes, csv.c records, infer.c types, progress.c the bar, cmd_import.c the verb.
 *
 * Memory   one window of the input (input.c) and one batch: neither grows with the file.
 * Rewind   `keep` pins the window from there on: the sample that a schema is inferred from, and a batch of which one key exists already, are read twice. */
#ifndef FRZ_CLI_IMPORT_H
#define FRZ_CLI_IMPORT_H
#include <signal.h>
#include "cli.h"

extern volatile sig_atomic_t import_stop; /* SIGINT or SIGTERM came */

/* ── input.c ── */
#define RECORD_BYTES_MAX ((size_t)64 << 20)
#define NOT_KEPT SIZE_MAX
struct input {
    const char *name;
    int fd;
    char *data;
    size_t cap, begin, end; /* what is not consumed yet: data[begin, end) */
    size_t keep;            /* bytes from here on stay; NOT_KEPT */
    uint64_t line, keep_line; /* of `begin`, of `keep`; the first is 1 */
    uint64_t consumed, keep_consumed;
    uint64_t bytes_total; /* 0 = unknown */
    bool eof;
};
enum more { MORE_OK, MORE_END, MORE_FAILED }; /* FAILED: told; or stopped by a signal */
int input_open(struct input *in, const char *path); /* exit code; a byte order mark is taken off */
enum more input_more(struct input *in);             /* at least one further byte; `begin` may move */
void input_take(struct input *in, size_t bytes, uint64_t lines);
void input_keep(struct input *in);
void input_rewind(struct input *in); /* to where input_keep was; kept no longer */
void input_close(struct input *in);

/* ── csv.c: RFC 4180 ── */
struct csv_field { size_t at, len; bool quoted, escaped; };
struct csv {
    struct input *in;
    struct csv_field *fields;
    size_t count, cap;
    uint64_t line;       /* of the record's first byte */
    const char *problem; /* the record's, NULL = none; it concerns fields[problem_field] */
    size_t problem_field;
    char *scratch; /* fields without their doubled quotes */
    size_t scratch_len, scratch_cap;
    const char *base;
};
enum record { RECORD_OK, RECORD_BAD, RECORD_END, RECORD_FAILED };
enum record csv_next(struct csv *c); /* fields are good until the next call; FAILED: told */
const char *csv_text(const struct csv *c, size_t i, size_t *len);
void csv_clear(struct csv *c);
/* The next line with something in it, without its end. OK, END or FAILED. */
enum record line_next(struct input *in, const char **text, size_t *len, uint64_t *line);

/* ── infer.c ── */
#define INFER_ROWS 10000
#define INFER_BYTES ((uint64_t)16 << 20)
struct infer_column { char *name; unsigned types; bool required, fixed; frz_type type; };
struct infer {
    struct infer_column *columns;
    size_t count, cap;
    frz_schema *schema; /* a column a candidate */
    frz_row *probe;
};
int infer_init(struct infer *f);
int infer_add(struct infer *f, const char *name, size_t len); /* 0, or EXIT_ERROR with a message */
void infer_text(struct infer *f, size_t column, const char *text, size_t len); /* a CSV field that is no null */
int infer_json(struct infer *f, const char *text, size_t len, char *problem, size_t cap); /* a line; EXIT_ERROR with PROBLEM */
int infer_schema(struct infer *f, const char *key, frz_schema **out);                     /* exit code */
int infer_parquet(struct infer *f, const char *path);
void infer_clear(struct infer *f);

/* ── progress.c ── */
struct progress { bool shown; double started, drawn; uint64_t total; };
double now_seconds(void);
void progress_start(struct progress *p, uint64_t total, bool wanted); /* TOTAL: bytes or rows; 0 = unknown */
void progress_draw(struct progress *p, uint64_t rows, uint64_t done);  /* DONE of the total */
void progress_clear(struct progress *p);

/* ── import_rows.c, import_arrow.c: what cmd_import.c calls ── */
enum file_format { FILE_CSV, FILE_JSONL, FILE_PARQUET };
struct import {
    struct session s;
    struct args *a;
    const char *path;
    enum file_format format;
    bool insert, skip, json, create;
    bool quiet; /* rows are read a second time: what is wrong with them was told */
    const char *null_text;
    uint64_t batch_rows, sampled;
    struct input in;
    struct csv csv;
    struct infer infer;
    size_t *map; /* CSV: field → column */
    frz_batch *batch;
    frz_row *row;
    uint64_t rows, skipped;
    struct progress bar;
};
int import_sample(struct import *im);  /* --create: reads the first rows, fills `infer`, rewinds. Exit code */
int import_header(struct import *im);  /* CSV: the header into `csv` and, with --create, into `infer` */
int import_map(struct import *im);     /* CSV, Parquet: the file's columns against the table's */
int import_rows(struct import *im);    /* exit code */
int import_parquet(struct import *im);
void import_bad(struct import *im, const char *unit, uint64_t first, uint64_t last, const char *column, const char *message);
#endif
