/* bench.h — `frazil bench`: db_bench's words on the table kv (id binary, value binary), and a typed table.
 *
 * Fairness  every get compares its value, every scan adds its values up and compares the sum; making typed rows is not timed, making keys and values is, here as with the peers; what stands between
 *           workloads (publishing before reads, warming up) is not timed */
#ifndef FRZ_CLI_BENCH_H
#define FRZ_CLI_BENCH_H
#include "bench_gen.h"
#include "cli.h"

struct bench {
    frz_db *db;
    frz_table *kv, *typed;
    char dir[4096];
    uint64_t num, value_bytes, threads, batch, seed, bytes, tables, columns, seconds, memory, cache, reads;
    uint64_t present;    /* rows in kv */
    uint32_t generation; /* of all its values */
    bool settled;        /* kv, typed: compacted whole, and nothing written since */
    bool typed_settled;
    struct bench_result result;
};

/* rc; the message in E. `result` is filled. */
int bench_fill(struct bench *b, bool random, frz_error *e); /* a fresh kv */
int bench_fill_sync(struct bench *b, frz_error *e);         /* a tenth of the rows, durable one by one, in a table of its own */
int bench_overwrite(struct bench *b, frz_error *e);
int bench_read(struct bench *b, bool missing, frz_error *e);
int bench_scan_arrow(struct bench *b, frz_error *e);
int bench_scan_cursor(struct bench *b, frz_error *e);
int bench_decode(struct bench *b, frz_error *e);               /* kv's files of now one by one as plain Parquet: what a scan can't beat */
int bench_settle(struct bench *b, frz_error *e);               /* kv and the typed table, whichever are there: published, compacted whole */
int bench_read_cold(struct bench *b, frz_error *e);            /* nothing decoded: what each get reads of the files */
int bench_scan_typed(struct bench *b, bool decode, frz_error *e); /* by Arrow stream; or its files as plain Parquet */
int bench_ingest(struct bench *b, bool publish, frz_error *e); /* a fresh typed table, by Arrow */
int bench_load(struct bench *b, frz_error *e);                 /* into `tables` tables of `columns` columns, until `bytes` went in */
int bench_ingest_rows(struct bench *b, frz_error *e);          /* by batches of rows */
int bench_metadata(struct bench *b, frz_error *e);             /* num flushes of ten upserts and a delete: what stays of them */
int bench_open(struct bench *b, frz_error *e);                 /* the database in b->dir */

int bench_need_rows(struct bench *b, frz_error *e); /* kv is open and has `num` rows */
/* Every array of STREAM by FN; lets it go. */
int bench_each_array(struct ArrowArrayStream *stream, void (*fn)(void *ctx, const struct ArrowArray *a), void *ctx, frz_error *e);
/* Adds STREAM up, and lets it go. */
typedef int bench_sum_fn(struct ArrowArrayStream *stream, uint64_t *rows, uint64_t *sum, frz_error *e);
int bench_kv_sum(struct ArrowArrayStream *stream, uint64_t *rows, uint64_t *sum, frz_error *e);
int bench_decode_files(struct bench *b, frz_table *t, bench_sum_fn *fn, uint64_t *rows, uint64_t *sum, frz_error *e);
int bench_say(frz_error *e, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4))); /* RC */
int bench_fresh_table(struct bench *b, const char *name, const char *schema, const char *key, frz_table **t, frz_error *e);
#endif
