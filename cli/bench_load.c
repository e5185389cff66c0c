/* bench_load.c — rows into several tables, or into wide ones, until so many bytes went in: what a load takes of memory. */
#include "bench.h"

#define COLUMNS_MAX 1000
#define TABLES_MAX 256

/* `id binary`, then columns of a long, a double and strings in turn. One column is a binary of all the bytes. */
static int make_table(struct bench *b, uint64_t number, frz_table **out, frz_error *e)
{
    size_t cap = 64 + (size_t)b->columns * 24, n = 0;
    char name[32], *text = (char *)malloc(cap);
    if (!text) return bench_say(e, FRZ_NO_MEMORY, "out of memory");
    snprintf(name, sizeof name, "load_%llu", (unsigned long long)number);
    n += (size_t)snprintf(text, cap, "id binary");
    for (uint64_t c = 0; c < b->columns; c++)
        n += (size_t)snprintf(text + n, cap - n, ", c%llu %s", (unsigned long long)c, b->columns == 1 ? "binary" : c % 4 == 0 ? "long?" : c % 4 == 1 ? "double?" : "string?");
    int rc = bench_fresh_table(b, name, text, "id", out, e);
    free(text);
    return rc;
}

static uint64_t row_bytes(const struct bench *b)
{
    uint64_t n = BENCH_KEY_BYTES;
    if (b->columns == 1) return n + b->value_bytes;
    for (uint64_t c = 0; c < b->columns; c++) n += c % 4 < 2 ? 8 : 16;
    return n;
}

/* Row I of ROWS, each key once. */
static int fill_row(const struct bench *b, uint64_t i, uint64_t rows, frz_row *row, char *value, frz_error *e)
{
    static const char digits[] = "0123456789abcdef";
    char key[BENCH_KEY_BYTES];
    gen_key(gen_permute(i, rows, b->seed), false, key);
    gen_value(i, 0, b->seed, value, b->value_bytes);
    int rc = frz_row_set_bytes(row, 0, key, sizeof key, e);
    if (b->columns == 1) return rc == FRZ_OK ? frz_row_set_bytes(row, 1, value, b->value_bytes, e) : rc;
    for (uint64_t c = 0; rc == FRZ_OK && c < b->columns; c++) {
        uint64_t x = gen_mix(i * b->columns + c);
        if (c % 4 == 0) rc = frz_row_set_long(row, c + 1, (int64_t)(x >> 20), e);
        else if (c % 4 == 1) rc = frz_row_set_double(row, c + 1, (double)(x >> 30) / 100, e);
        else {
            char text[16];
            for (size_t k = 0; k < sizeof text; k++) text[k] = digits[x >> (4 * (k & 7)) & 15];
            rc = frz_row_set_string(row, c + 1, text, sizeof text, e);
        }
    }
    return rc;
}

int bench_load(struct bench *b, frz_error *e)
{
    frz_table *tables[TABLES_MAX] = {0};
    frz_row *rows[TABLES_MAX] = {0};
    frz_batch *batch = NULL;
    frz_write_options o = FRZ_WRITE_OPTIONS_INIT;
    uint64_t batch_rows = b->batch > 1 ? b->batch : 100, n = b->bytes ? b->bytes / row_bytes(b) + 1 : b->num;
    int rc = FRZ_OK;
    if (b->tables > TABLES_MAX || b->columns > COLUMNS_MAX) return bench_say(e, FRZ_INVALID, "--tables: at most %d; --columns: at most %d", TABLES_MAX, COLUMNS_MAX);
    char *value = (char *)malloc(b->value_bytes + 8);
    if (!value) return bench_say(e, FRZ_NO_MEMORY, "out of memory");
    for (uint64_t t = 0; rc == FRZ_OK && t < b->tables; t++) {
        rc = make_table(b, t, &tables[t], e);
        if (rc == FRZ_OK) rc = frz_row_new(tables[t], &rows[t], e);
    }
    if (rc == FRZ_OK) rc = frz_batch_new(b->db, &batch, e);
    o.durability = FRZ_SYNC_OFF;
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    for (uint64_t i = 0; rc == FRZ_OK && i < n; i++) {
        uint64_t t = i % b->tables;
        rc = fill_row(b, i, n, rows[t], value, e);
        if (rc == FRZ_OK) rc = frz_batch_put(batch, tables[t], rows[t], e);
        if (rc != FRZ_OK || frz_batch_count(batch) < batch_rows) continue;
        uint64_t since = bench_ns();
        rc = frz_write(b->db, batch, &o, NULL, e);
        hist_add(&b->result.hist, bench_ns() - since);
        frz_batch_clear(batch);
    }
    if (rc == FRZ_OK && frz_batch_count(batch)) rc = frz_write(b->db, batch, &o, NULL, e);
    for (uint64_t t = 0; t < b->tables; t++) {
        if (rc == FRZ_OK) rc = frz_table_flush(tables[t], e);
        frz_row_free(rows[t]);
        frz_table_close(tables[t]);
    }
    frz_batch_free(batch);
    free(value);
    b->result.ops = n;
    b->result.bytes = n * row_bytes(b);
    b->result.seconds = (double)(bench_ns() - begin) / 1e9;
    b->result.cpu_seconds = bench_cpu_seconds() - cpu;
    return rc;
}
