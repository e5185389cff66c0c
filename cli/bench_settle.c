/* bench_settle.c — a table at rest: compacted whole, what a get reads of its files then, and its files decoded without the table. */
#include "bench.h"

#define COLD_READS_MAX 20000

/* ── settled ── */

struct tally { uint64_t data, deletes, masked, bytes; };

static int on_file(void *ctx, const frz_file_info *f)
{
    struct tally *t = (struct tally *)ctx;
    t->data += f->content == 0;
    t->deletes += f->content != 0;
    t->masked += f->rows_masked;
    t->bytes += f->bytes;
    return 0;
}

static int settle_one(frz_table *t, struct tally *total, uint64_t *rows, frz_error *e)
{
    frz_compact_result result = FRZ_INIT(frz_compact_result);
    uint64_t n = 0;
    struct tally one = {0};
    int rc = frz_table_compact(t, NULL, &result, e);
    if (rc == FRZ_OK) rc = frz_table_files(t, NULL, on_file, &one, e);
    if (rc == FRZ_OK) rc = frz_count(t, NULL, &n, e);
    if (rc == FRZ_OK && one.deletes + one.masked)
        return bench_say(e, FRZ_CORRUPT, "%s has %llu dead rows after it was compacted whole", frz_table_name(t), (unsigned long long)one.masked);
    total->data += one.data;
    total->bytes += one.bytes;
    *rows += n;
    return rc;
}

/* *T, open already or by NAME; an absent one stays NULL. */
static int open_if_there(struct bench *b, const char *name, frz_table **t, frz_error *e)
{
    int rc = *t ? FRZ_OK : frz_table_open(b->db, name, t, e);
    return rc == FRZ_NOT_FOUND ? FRZ_OK : rc;
}

int bench_settle(struct bench *b, frz_error *e)
{
    struct tally all = {0};
    int rc = open_if_there(b, "kv", &b->kv, e);
    if (rc == FRZ_OK) rc = open_if_there(b, "typed", &b->typed, e);
    if (rc == FRZ_OK && !b->kv && !b->typed)
        return bench_say(e, FRZ_INVALID, "there is no table yet: name fillseq, fillrandom or ingest before it");
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    if (rc == FRZ_OK && b->kv) rc = settle_one(b->kv, &all, &b->result.ops, e);
    if (rc == FRZ_OK && b->typed) rc = settle_one(b->typed, &all, &b->result.ops, e);
    b->result.seconds = (double)(bench_ns() - begin) / 1e9;
    b->result.cpu_seconds = bench_cpu_seconds() - cpu;
    b->result.bytes = all.bytes;
    b->settled = b->typed_settled = rc == FRZ_OK;
    snprintf(b->result.more, sizeof b->result.more, "\"data_files\":%llu,\"data_bytes\":%llu", (unsigned long long)all.data,
             (unsigned long long)all.bytes);
    return rc;
}

/* ── gets of a database that has nothing decoded ── */

struct reads { uint64_t gets, keys, keys_most, values, values_most, checks, false_positives; };

static int reopen(struct bench *b, frz_error *e)
{
    frz_table_close(b->kv);
    frz_table_close(b->typed);
    b->kv = b->typed = NULL;
    int rc = frz_db_close(b->db, e);
    b->db = NULL;
    if (rc == FRZ_OK) rc = bench_open(b, e);
    if (rc == FRZ_OK) rc = frz_table_open(b->db, "kv", &b->kv, e);
    return rc;
}

/* One get with its own figures around it; they are not timed. */
static int cold_get(struct bench *b, uint64_t index, bool missing, frz_row *row, struct reads *n, frz_error *e)
{
    frz_stats before = FRZ_INIT(frz_stats), after = FRZ_INIT(frz_stats);
    char bytes[BENCH_KEY_BYTES];
    frz_value key = {.type = FRZ_BINARY};
    gen_key(index, missing, bytes);
    key.as.bytes.data = bytes;
    key.as.bytes.len = sizeof bytes;
    int rc = frz_db_stats(b->db, NULL, &before, e);
    if (rc != FRZ_OK) return rc;
    uint64_t begin = bench_ns();
    rc = frz_get(b->kv, NULL, &key, 1, row, e);
    if (!missing) hist_add(&b->result.hist, bench_ns() - begin);
    if (rc == (missing ? FRZ_OK : FRZ_NOT_FOUND)) return bench_say(e, FRZ_CORRUPT, "key %.16s: there where it should not be, or missing", bytes);
    if (rc != (missing ? FRZ_NOT_FOUND : FRZ_OK)) return rc;
    rc = frz_db_stats(b->db, NULL, &after, e);
    uint64_t keys = after.key_pages_read - before.key_pages_read, values = after.value_pages_read - before.value_pages_read;
    n->gets++;
    n->keys += keys;
    n->values += values;
    n->checks += after.filter_checks - before.filter_checks;
    n->false_positives += after.filter_false_positives - before.filter_false_positives;
    if (keys > n->keys_most) n->keys_most = keys;
    if (values > n->values_most) n->values_most = values;
    return rc;
}

int bench_read_cold(struct bench *b, frz_error *e)
{
    uint64_t reads = b->num < COLD_READS_MAX ? b->num : COLD_READS_MAX;
    struct reads n[2] = {{0}, {0}}; /* present, absent */
    struct gen_rng rng = {b->seed * 1000003};
    frz_row *row = NULL;
    int rc = bench_need_rows(b, e);
    if (rc == FRZ_OK) rc = frz_table_flush(b->kv, e);
    for (int missing = 1; rc == FRZ_OK && missing >= 0; missing--) {
        rc = reopen(b, e);
        if (rc == FRZ_OK) rc = frz_row_new(b->kv, &row, e);
        for (uint64_t i = 0; rc == FRZ_OK && i < reads; i++) rc = cold_get(b, gen_below(&rng, b->present), missing, row, &n[missing], e);
        frz_row_free(row);
        row = NULL;
    }
    b->result.ops = reads;
    b->result.bytes = reads * (BENCH_KEY_BYTES + b->value_bytes);
    for (size_t i = 0; i < HIST_BUCKETS; i++) b->result.seconds += hist_value(i) * (double)b->result.hist.buckets[i] / 1e9;
    double each = (double)reads;
    snprintf(b->result.more, sizeof b->result.more,
             "\"key_pages\":%.3f,\"key_pages_most\":%llu,\"value_pages\":%.3f,\"value_pages_most\":%llu,\"absent_key_pages\":%.4f,"
             "\"absent_key_pages_most\":%llu,\"absent_value_pages_most\":%llu,\"absent_false_positives\":%.4f",
             (double)n[0].keys / each, (unsigned long long)n[0].keys_most, (double)n[0].values / each, (unsigned long long)n[0].values_most,
             (double)n[1].keys / each, (unsigned long long)n[1].keys_most, (unsigned long long)n[1].values_most, (double)n[1].false_positives / each);
    return rc;
}

/* ── files as plain Parquet ── */

struct decoding {
    struct bench *b;
    bench_sum_fn *fn;
    uint64_t *rows, *sum;
    frz_error *e;
};

static int decode_file(void *ctx, const frz_file_info *f)
{
    struct decoding *d = (struct decoding *)ctx;
    struct ArrowArrayStream stream = {0};
    char path[8192];
    if (f->content != 0) return FRZ_OK;
    if (snprintf(path, sizeof path, "%s/%s", d->b->dir, f->path) >= (int)sizeof path)
        return bench_say(d->e, FRZ_INVALID, "%s: the path is too long", f->path);
    int rc = frz_parquet_read(path, &stream, d->e);
    return rc == FRZ_OK ? d->fn(&stream, d->rows, d->sum, d->e) : rc;
}

int bench_decode_files(struct bench *b, frz_table *t, bench_sum_fn *fn, uint64_t *rows, uint64_t *sum, frz_error *e)
{
    struct decoding d = {b, fn, rows, sum, e};
    return frz_table_files(t, NULL, decode_file, &d, e);
}

/* ── the typed table ── */

struct typed_sum { uint64_t rows, sum; };
/* Ids, and how long the notes are. */
static void add_typed(void *ctx, const struct ArrowArray *a)
{
    struct typed_sum *s = (struct typed_sum *)ctx;
    const int64_t *id = (const int64_t *)a->children[0]->buffers[1] + a->children[0]->offset + a->offset;
    const int32_t *at = (const int32_t *)a->children[5]->buffers[1] + a->children[5]->offset + a->offset;
    for (int64_t i = 0; i < a->length; i++) s->sum += (uint64_t)id[i];
    s->sum += (uint64_t)(at[a->length] - at[0]);
    s->rows += (uint64_t)a->length;
}

static int typed_sum(struct ArrowArrayStream *stream, uint64_t *rows, uint64_t *sum, frz_error *e)
{
    struct typed_sum s = {0};
    int rc = bench_each_array(stream, add_typed, &s, e);
    *rows += s.rows;
    *sum += s.sum;
    return rc;
}

static int typed_once(struct bench *b, bool decode, uint64_t *rows, uint64_t *sum, frz_error *e)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    struct ArrowArrayStream stream = {0};
    *rows = *sum = 0;
    if (decode) return bench_decode_files(b, b->typed, typed_sum, rows, sum, e);
    int rc = frz_scan_arrow(b->typed, &o, &stream, e);
    return rc == FRZ_OK ? typed_sum(&stream, rows, sum, e) : rc;
}

int bench_scan_typed(struct bench *b, bool decode, frz_error *e)
{
    uint64_t rows = 0, sum = 0, expected = 0;
    int rc = open_if_there(b, "typed", &b->typed, e);
    if (rc == FRZ_OK && !b->typed) return bench_say(e, FRZ_INVALID, "there are no rows yet: name ingest before it");
    if (rc == FRZ_OK) rc = frz_table_flush(b->typed, e);
    for (uint64_t i = 0; i < b->num; i++) {
        struct gen_typed r;
        gen_typed(i, b->seed, &r);
        expected += (uint64_t)r.id + r.note_len;
        b->result.bytes += 28 + r.symbol_len + r.note_len;
    }
    if (rc == FRZ_OK) rc = typed_once(b, decode, &rows, &sum, e); /* warm */
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    if (rc == FRZ_OK) rc = typed_once(b, decode, &rows, &sum, e);
    b->result.seconds = (double)(bench_ns() - begin) / 1e9;
    b->result.cpu_seconds = bench_cpu_seconds() - cpu;
    b->result.ops = rows;
    if (rc == FRZ_OK && (rows != b->num || sum != expected)) return bench_say(e, FRZ_CORRUPT, "other rows than were written");
    return rc;
}
