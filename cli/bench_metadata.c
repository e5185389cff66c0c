/* bench_metadata.c — what stays of very many publishes: a table that takes ten upserts and a delete, and is published, `--num` times. */
#include "bench.h"

#define KEYS 10000 /* of which any flush touches a few: there are always masks */
#define UPSERTS 10

static int flush_one(struct bench *b, frz_table *t, frz_row *row, frz_batch *batch, uint64_t i, frz_error *e)
{
    struct gen_rng r = {b->seed + i};
    int rc = FRZ_OK;
    frz_batch_clear(batch);
    for (uint64_t k = 0; rc == FRZ_OK && k < UPSERTS; k++) {
        rc = frz_row_set_long(row, 0, (int64_t)gen_below(&r, KEYS), e);
        if (rc == FRZ_OK) rc = frz_row_set_long(row, 1, (int64_t)(i * UPSERTS + k), e);
        if (rc == FRZ_OK) rc = frz_batch_put(batch, t, row, e);
    }
    frz_value key = {.type = FRZ_LONG, .as.i64 = (int64_t)gen_below(&r, KEYS)};
    if (rc == FRZ_OK) rc = frz_batch_delete(batch, t, &key, 1, e);
    if (rc == FRZ_OK) rc = frz_write(b->db, batch, NULL, NULL, e);
    return rc == FRZ_OK ? frz_table_flush(t, e) : rc;
}

static int flush_all(struct bench *b, frz_table *t, frz_error *e)
{
    frz_row *row = NULL;
    frz_batch *batch = NULL;
    int rc = frz_row_new(t, &row, e);
    if (rc == FRZ_OK) rc = frz_batch_new(b->db, &batch, e);
    for (uint64_t i = 0; rc == FRZ_OK && i < b->num; i++) {
        uint64_t begin = bench_ns();
        rc = flush_one(b, t, row, batch, i, e);
        hist_add(&b->result.hist, bench_ns() - begin);
    }
    frz_batch_free(batch);
    frz_row_free(row);
    return rc;
}

static long resident_kib(void)
{
    long kib = 0;
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (f) fclose(f);
    return kib;
}

/* Closed and opened again: how long that takes. The handles of other workloads' tables go with it. */
static int reopen(struct bench *b, double *ms, frz_error *e)
{
    frz_table_close(b->kv);
    frz_table_close(b->typed);
    b->kv = b->typed = NULL;
    int rc = frz_db_close(b->db, e);
    b->db = NULL;
    uint64_t begin = bench_ns();
    if (rc == FRZ_OK) rc = bench_open(b, e);
    *ms = (double)(bench_ns() - begin) / 1e6;
    return rc;
}

int bench_metadata(struct bench *b, frz_error *e)
{
    frz_table *t = NULL;
    frz_stats s = FRZ_INIT(frz_stats);
    double cpu = bench_cpu_seconds(), open_ms = 0;
    uint64_t begin = bench_ns();
    long before = resident_kib();
    int rc = bench_fresh_table(b, "metadata", "id long, v long", "id", &t, e);
    if (rc == FRZ_OK) rc = flush_all(b, t, e);
    b->result.seconds = (double)(bench_ns() - begin) / 1e9;
    b->result.cpu_seconds = bench_cpu_seconds() - cpu;
    b->result.ops = b->num;
    b->result.batch = UPSERTS + 1;
    if (rc == FRZ_OK) rc = frz_db_stats(b->db, t, &s, e);
    long after = resident_kib();
    frz_table_close(t);
    if (rc == FRZ_OK) rc = reopen(b, &open_ms, e);
    snprintf(b->result.more, sizeof b->result.more,
             "\"metadata_json_bytes\":%llu,\"manifests\":%llu,\"snapshots\":%llu,\"data_files\":%llu,\"delete_files\":%llu,\"files_pending\":%llu,\"resident_kib_more\":%ld,\"open_ms\":%.1f",
             (unsigned long long)s.metadata_bytes, (unsigned long long)s.manifests, (unsigned long long)s.snapshots, (unsigned long long)s.data_files, (unsigned long long)s.delete_files,
             (unsigned long long)s.files_pending, after - before, open_ms);
    return rc;
}
