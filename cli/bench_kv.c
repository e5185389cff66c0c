#include <pthread.h>

#include "bench.h"

#define WARM_READS_MAX 200000

/* ── one body for all threads ── */

struct worker {
    pthread_t thread;
    struct bench *b;
    frz_table *table;
    uint64_t from, to; /* of the indexes, or of the reads */
    bool random, missing;
    int32_t durability;
    uint64_t batch, rows; /* ROWS: over how many the order is */
    uint32_t generation;
    uint64_t until_ns; /* over and over; 0 = once */
    struct hist hist;
    frz_error e;
    int rc;
};

static int check(struct worker *w, uint64_t index, const frz_row *row, char *expected)
{
    size_t len;
    const char *value = frz_row_bytes(row, 1, &len);
    gen_value(index, w->b->generation, w->b->seed, expected, w->b->value_bytes);
    if (value && len == w->b->value_bytes && memcmp(value, expected, len) == 0) return FRZ_OK;
    return bench_say(&w->e, FRZ_CORRUPT, "row %llu has another value than was put", (unsigned long long)index);
}

static int set_row(struct worker *w, frz_row *row, uint64_t i, char *value)
{
    char key[BENCH_KEY_BYTES];
    uint64_t index = w->random ? gen_permute(i, w->rows, w->b->seed + w->generation) : i;
    gen_key(index, false, key);
    gen_value(index, w->generation, w->b->seed, value, w->b->value_bytes);
    int rc = frz_row_set_bytes(row, 0, key, sizeof key, &w->e);
    return rc == FRZ_OK ? frz_row_set_bytes(row, 1, value, w->b->value_bytes, &w->e) : rc;
}

static int put_singly(struct worker *w, frz_row *row, char *value)
{
    frz_write_options o = FRZ_WRITE_OPTIONS_INIT;
    int rc = FRZ_OK;
    o.durability = w->durability;
    for (uint64_t i = w->from; rc == FRZ_OK && i < w->to; i++) {
        uint64_t begin = bench_ns();
        if (w->until_ns && begin >= w->until_ns) break;
        rc = set_row(w, row, i, value);
        if (rc == FRZ_OK) rc = frz_put(w->table, row, &o, &w->e);
        hist_add(&w->hist, bench_ns() - begin);
        if (w->until_ns && i + 1 == w->to) i = w->from - 1;
    }
    return rc;
}

static int put_batches(struct worker *w, frz_row *row, char *value)
{
    frz_write_options o = FRZ_WRITE_OPTIONS_INIT;
    frz_batch *batch = NULL;
    o.durability = w->durability;
    int rc = frz_batch_new(w->b->db, &batch, &w->e);
    for (uint64_t i = w->from; rc == FRZ_OK && i < w->to; i++) {
        rc = set_row(w, row, i, value);
        if (rc == FRZ_OK) rc = frz_batch_put(batch, w->table, row, &w->e);
        if (rc != FRZ_OK || (frz_batch_count(batch) < w->batch && i + 1 < w->to)) continue;
        uint64_t begin = bench_ns();
        rc = frz_write(w->b->db, batch, &o, NULL, &w->e);
        hist_add(&w->hist, bench_ns() - begin);
        frz_batch_clear(batch);
    }
    frz_batch_free(batch);
    return rc;
}

static int get_all(struct worker *w, frz_row *row, char *expected)
{
    struct gen_rng rng = {w->b->seed * 1000003 + w->from};
    int rc = FRZ_OK;
    for (uint64_t i = w->from; rc == FRZ_OK && i < w->to; i++) {
        char bytes[BENCH_KEY_BYTES];
        frz_value key = {.type = FRZ_BINARY};
        uint64_t begin = bench_ns(), index = gen_below(&rng, w->rows);
        gen_key(index, w->missing, bytes);
        key.as.bytes.data = bytes;
        key.as.bytes.len = sizeof bytes;
        rc = frz_get(w->table, NULL, &key, 1, row, &w->e);
        if (w->missing && rc != FRZ_NOT_FOUND) rc = rc == FRZ_OK ? bench_say(&w->e, FRZ_CORRUPT, "key %.16s was never put and is found", bytes) : rc;
        else if (w->missing) rc = FRZ_OK;
        else if (rc == FRZ_NOT_FOUND) rc = bench_say(&w->e, FRZ_CORRUPT, "key %.16s was put and is not found", bytes);
        else if (rc == FRZ_OK) rc = check(w, index, row, expected);
        hist_add(&w->hist, bench_ns() - begin);
    }
    return rc;
}

static void *run_put(void *ctx)
{
    struct worker *w = (struct worker *)ctx;
    frz_row *row = NULL;
    char *value = (char *)malloc(w->b->value_bytes + 8);
    w->rc = value ? frz_row_new(w->table, &row, &w->e) : FRZ_NO_MEMORY;
    if (w->rc == FRZ_OK) w->rc = w->batch > 1 ? put_batches(w, row, value) : put_singly(w, row, value);
    frz_row_free(row);
    free(value);
    return NULL;
}

static void *run_get(void *ctx)
{
    struct worker *w = (struct worker *)ctx;
    frz_row *row = NULL;
    char *expected = (char *)malloc(w->b->value_bytes + 8);
    w->rc = expected ? frz_row_new(w->table, &row, &w->e) : FRZ_NO_MEMORY;
    if (w->rc == FRZ_OK) w->rc = get_all(w, row, expected);
    frz_row_free(row);
    free(expected);
    return NULL;
}

/* TEMPLATE to every thread, N operations shared out. */
static int run(struct bench *b, const struct worker *template, uint64_t n, void *(*body)(void *), frz_error *e)
{
    struct worker *workers = (struct worker *)calloc(b->threads, sizeof *workers);
    int rc = FRZ_OK;
    uint64_t started = 0;
    if (!workers) return bench_say(e, FRZ_NO_MEMORY, "out of memory");
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    for (uint64_t t = 0; t < b->threads; t++) {
        workers[t] = *template;
        workers[t].b = b;
        workers[t].from = n * t / b->threads;
        workers[t].to = n * (t + 1) / b->threads;
        if (b->threads == 1) body(&workers[t]);
        else if (pthread_create(&workers[t].thread, NULL, body, &workers[t]) != 0) {
            rc = bench_say(e, FRZ_NO_MEMORY, "a thread can't be started");
            break;
        }
        started++;
    }
    for (uint64_t t = 0; t < started; t++)
        if (b->threads > 1) pthread_join(workers[t].thread, NULL);
    b->result.seconds = (double)(bench_ns() - begin) / 1e9;
    b->result.cpu_seconds = bench_cpu_seconds() - cpu;
    for (uint64_t t = 0; t < started; t++) {
        hist_merge(&b->result.hist, &workers[t].hist);
        if (rc == FRZ_OK && workers[t].rc != FRZ_OK) {
            rc = workers[t].rc;
            *e = workers[t].e;
        }
    }
    free(workers);
    b->result.ops = template->until_ns ? b->result.hist.count : n;
    b->result.bytes = b->result.ops * (BENCH_KEY_BYTES + b->value_bytes);
    return rc;
}

/* ── the workloads ── */

#define KV_SCHEMA "id binary, value binary"

int bench_fill(struct bench *b, bool random, frz_error *e)
{
    int rc = bench_fresh_table(b, "kv", KV_SCHEMA, "id", &b->kv, e);
    struct worker w = {.table = b->kv, .random = random, .durability = FRZ_SYNC_OFF, .batch = b->batch, .rows = b->num};
    b->generation = 0;
    b->settled = false;
    b->present = b->num;
    return rc == FRZ_OK ? run(b, &w, b->num, run_put, e) : rc;
}

int bench_fill_sync(struct bench *b, frz_error *e)
{
    frz_table *t = NULL;
    uint64_t n = b->num / 10 ? b->num / 10 : 1;
    int rc = bench_fresh_table(b, "kv_sync", KV_SCHEMA, "id", &t, e);
    struct worker w = {.table = t, .random = true, .durability = FRZ_SYNC_FULL, .batch = b->batch, .rows = n};
    if (rc == FRZ_OK) rc = run(b, &w, n, run_put, e);
    frz_table_close(t);
    return rc;
}

int bench_need_rows(struct bench *b, frz_error *e)
{
    int rc = FRZ_OK;
    uint64_t rows = 0;
    if (b->present) return FRZ_OK;
    if (!b->kv) rc = frz_table_open(b->db, "kv", &b->kv, e);
    if (rc == FRZ_NOT_FOUND) return bench_say(e, FRZ_INVALID, "there are no rows yet: name fillseq or fillrandom before it");
    if (rc == FRZ_OK) rc = frz_count(b->kv, NULL, &rows, e);
    if (rc == FRZ_OK && rows != b->num) return bench_say(e, FRZ_INVALID, "kv has %llu rows, --num says %llu", (unsigned long long)rows, (unsigned long long)b->num);
    b->present = rows;
    return rc;
}

int bench_overwrite(struct bench *b, frz_error *e)
{
    int rc = bench_need_rows(b, e);
    struct worker w = {.table = b->kv, .random = true, .durability = FRZ_SYNC_OFF, .batch = b->batch, .rows = b->present, .generation = b->generation + 1};
    if (b->seconds) { /* one by one: every put is in the histogram */
        w.batch = 1;
        w.until_ns = bench_ns() + b->seconds * UINT64_C(1000000000);
    }
    if (rc == FRZ_OK) rc = run(b, &w, b->present, run_put, e);
    b->generation++;
    b->settled = false;
    return rc;
}

int bench_read(struct bench *b, bool missing, frz_error *e)
{
    int rc = bench_need_rows(b, e);
    struct worker w = {.table = b->kv, .missing = missing, .rows = b->present};
    if (rc == FRZ_OK) rc = frz_table_flush(b->kv, e);
    if (rc == FRZ_OK) rc = run(b, &w, b->reads < WARM_READS_MAX ? b->reads : WARM_READS_MAX, run_get, e); /* warm */
    memset(&b->result.hist, 0, sizeof b->result.hist);
    if (rc == FRZ_OK) rc = run(b, &w, b->reads, run_get, e);
    if (missing) b->result.bytes = 0;
    return rc;
}

/* ── scans ── */

static uint64_t expected_sum(const struct bench *b, char *value)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < b->present; i++) {
        gen_value(i, b->generation, b->seed, value, b->value_bytes);
        sum += gen_head(value, b->value_bytes);
    }
    return sum;
}

static int scan_end(struct bench *b, int rc, uint64_t rows, uint64_t sum, uint64_t expected, frz_error *e)
{
    b->result.ops = rows;
    b->result.bytes = rows * (BENCH_KEY_BYTES + b->value_bytes);
    if (rc == FRZ_OK && rows != b->present) return bench_say(e, FRZ_CORRUPT, "%llu rows were put, the scan gives %llu", (unsigned long long)b->present, (unsigned long long)rows);
    if (rc == FRZ_OK && sum != expected) return bench_say(e, FRZ_CORRUPT, "the scan's values are not those that were put");
    return rc;
}

static int prepare_scan(struct bench *b, uint64_t *expected, frz_error *e)
{
    int rc = bench_need_rows(b, e);
    if (rc == FRZ_OK) rc = frz_table_flush(b->kv, e);
    char *value = (char *)malloc(b->value_bytes + 8);
    if (!value) return bench_say(e, FRZ_NO_MEMORY, "out of memory");
    *expected = expected_sum(b, value);
    free(value);
    return rc;
}

static int scan_cursor_once(struct bench *b, uint64_t *rows, uint64_t *sum, frz_error *e)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c = NULL;
    const frz_row *row;
    *rows = *sum = 0;
    int rc = frz_scan(b->kv, &o, &c, e);
    while (rc == FRZ_OK && (rc = frz_cursor_next(c, &row, e)) == FRZ_OK) {
        size_t len;
        const char *value = frz_row_bytes(row, 1, &len);
        *sum += gen_head(value, len);
        ++*rows;
    }
    frz_cursor_close(c);
    return rc == FRZ_DONE ? FRZ_OK : rc;
}

static uint64_t sum_binary(const struct ArrowArray *a, int64_t first, int64_t count, bool large)
{
    const char *data = (const char *)a->buffers[2];
    uint64_t sum = 0;
    if (large) {
        const int64_t *at = (const int64_t *)a->buffers[1] + a->offset + first;
        for (int64_t i = 0; i < count; i++) sum += gen_head(data + at[i], (size_t)(at[i + 1] - at[i]));
    } else {
        const int32_t *at = (const int32_t *)a->buffers[1] + a->offset + first;
        for (int64_t i = 0; i < count; i++) sum += gen_head(data + at[i], (size_t)(at[i + 1] - at[i]));
    }
    return sum;
}

int bench_each_array(struct ArrowArrayStream *stream, void (*fn)(void *ctx, const struct ArrowArray *a), void *ctx, frz_error *e)
{
    struct ArrowArray a = {0};
    int os;
    while ((os = stream->get_next(stream, &a)) == 0 && a.release) {
        fn(ctx, &a);
        a.release(&a);
        a = (struct ArrowArray){0};
    }
    if (os) {
        const char *why = stream->get_last_error(stream);
        bench_say(e, FRZ_IO, "%s", why ? why : "the stream failed");
    }
    stream->release(stream);
    return os ? FRZ_IO : FRZ_OK;
}

struct kv_sum { uint64_t rows, sum; bool large; };
static void add_kv(void *ctx, const struct ArrowArray *a)
{
    struct kv_sum *s = (struct kv_sum *)ctx;
    s->rows += (uint64_t)a->length;
    s->sum += sum_binary(a->children[1], a->offset, a->length, s->large);
}

int bench_kv_sum(struct ArrowArrayStream *stream, uint64_t *rows, uint64_t *sum, frz_error *e)
{
    struct ArrowSchema schema = {0};
    struct kv_sum s = {0};
    bool known = false;
    if (stream->get_schema(stream, &schema) == 0) {
        const char *f = schema.n_children >= 2 ? schema.children[1]->format : "";
        s.large = strcmp(f, "Z") == 0;
        known = s.large || strcmp(f, "z") == 0;
        schema.release(&schema);
    }
    if (!known) {
        stream->release(stream);
        return bench_say(e, FRZ_UNSUPPORTED, "the stream's second column is no binary");
    }
    int rc = bench_each_array(stream, add_kv, &s, e);
    *rows += s.rows;
    *sum += s.sum;
    return rc;
}

static int scan_arrow_once(struct bench *b, uint64_t *rows, uint64_t *sum, frz_error *e)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    struct ArrowArrayStream stream = {0};
    *rows = *sum = 0;
    int rc = frz_scan_arrow(b->kv, &o, &stream, e);
    return rc == FRZ_OK ? bench_kv_sum(&stream, rows, sum, e) : rc;
}

static int decode_once(struct bench *b, uint64_t *rows, uint64_t *sum, frz_error *e)
{
    *rows = *sum = 0;
    return bench_decode_files(b, b->kv, bench_kv_sum, rows, sum, e);
}

/* Once to warm up, once with the clock. */
static int scan_with(struct bench *b, int (*once)(struct bench *, uint64_t *, uint64_t *, frz_error *), frz_error *e)
{
    uint64_t rows = 0, sum = 0, expected = 0;
    int rc = prepare_scan(b, &expected, e);
    if (rc == FRZ_OK) rc = once(b, &rows, &sum, e);
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    if (rc == FRZ_OK) rc = once(b, &rows, &sum, e);
    b->result.seconds = (double)(bench_ns() - begin) / 1e9;
    b->result.cpu_seconds = bench_cpu_seconds() - cpu;
    return scan_end(b, rc, rows, sum, expected, e);
}

int bench_scan_cursor(struct bench *b, frz_error *e) { return scan_with(b, scan_cursor_once, e); }
int bench_scan_arrow(struct bench *b, frz_error *e) { return scan_with(b, scan_arrow_once, e); }
int bench_decode(struct bench *b, frz_error *e) { return scan_with(b, decode_once, e); }
