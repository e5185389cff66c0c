/* Writes Parquet files whose values follow from row and column alone, so that pq_check.py can know them without reading ours; and measures the writer.
 *
 *     pq_dump types OUT ROWS NULLS(0 none, 1 some, 2 all) CODEC ROW_GROUP_ROWS DICTIONARY
 *     pq_dump wide OUT COLUMNS ROWS
 *     pq_dump bench OUT ROWS LEVEL REPEATS */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/rand.h"
#include "parquet/parquet.h"
#include "types/int128.h"

static frz_error e;
#define MUST(x)                                                                      \
    do {                                                                             \
        if ((x) < 0) {                                                               \
            fprintf(stderr, "%s: %s\n", #x, e.message);                              \
            exit(1);                                                                 \
        }                                                                            \
    } while (0)

static int append(void *ctx, slice bytes, frz_error *err)
{
    return !ctx || fwrite(bytes.data, 1, bytes.len, (FILE *)ctx) == bytes.len ? FRZ_OK : frz__err(err, FRZ_IO, "write");
}

static uint64_t h(uint64_t row, uint64_t col)
{
    struct rng r = {row * 64 + col};
    return rng_next(&r);
}

static const frz_type types[] = {
    {FRZ_BOOLEAN}, {FRZ_INT}, {FRZ_LONG}, {FRZ_FLOAT}, {FRZ_DOUBLE}, {FRZ_DECIMAL, 9, 2}, {FRZ_DECIMAL, 18, 4}, {FRZ_DECIMAL, 38, 10}, {FRZ_DATE}, {FRZ_TIME}, {FRZ_TIMESTAMP},
    {FRZ_TIMESTAMPTZ}, {FRZ_TIMESTAMP_NS}, {FRZ_TIMESTAMPTZ_NS}, {FRZ_STRING}, {FRZ_UUID}, {FRZ_FIXED, 0, 0, 5}, {FRZ_BINARY}, {FRZ_DECIMAL, 20, 0},
};
#define TYPES (sizeof types / sizeof *types)

static frz_value value_of(uint64_t row, uint64_t col, int nulls, char *scratch)
{
    uint64_t x = h(row, col), y = h(row, col + 32);
    frz_type t = types[col];
    frz_value v = {t.id, 0, {0}};
    if (nulls == 2 || (nulls == 1 && (x >> 40) % 3 == 0)) return value_null();
    switch (t.id) {
    case FRZ_BOOLEAN: v.as.boolean = x & 1; break;
    case FRZ_INT: v.as.i32 = (int32_t)x; break;
    case FRZ_LONG: v.as.i64 = (int64_t)x; break;
    case FRZ_FLOAT:
    case FRZ_DOUBLE: {
        double d = x % 16 == 0 ? (double)NAN : x % 16 == 1 ? -0.0 : x % 16 == 2 ? 0.0 : x % 16 == 3 ? (double)INFINITY : (double)((int32_t)(x >> 32) >> 10) / 64;
        if (t.id == FRZ_FLOAT) v.as.f32 = (float)d;
        else v.as.f64 = d;
        break;
    }
    case FRZ_DECIMAL: {
        i128 d = t.precision == 38 ? (i128)(int64_t)x * (int64_t)y
                 : t.precision == 20 ? (i128)(int64_t)x * 10
                 : t.precision == 9 ? (i128)(x % 1999999999u) - 999999999
                                    : (i128)(x % 1999999999999999999u) - 999999999999999999;
        v.as.dec = decimal_of(d);
        break;
    }
    case FRZ_DATE: v.as.i32 = (int32_t)(x % 100000) - 50000; break;
    case FRZ_TIME: v.as.i64 = (int64_t)(x % 86400000000u); break;
    case FRZ_TIMESTAMP:
    case FRZ_TIMESTAMPTZ: v.as.i64 = (int64_t)(x % 4000000000000000u) - 2000000000000000; break;
    case FRZ_TIMESTAMP_NS:
    case FRZ_TIMESTAMPTZ_NS: v.as.i64 = (int64_t)(x % 4000000000000000000u) - 2000000000000000000; break;
    case FRZ_STRING:
        sprintf(scratch, "%s%u", x % 7 == 0 ? "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80" : "s", (unsigned)(x % 1000));
        v = value_bytes(FRZ_STRING, slice_of(scratch, x % 11 == 0 ? 0 : strlen(scratch)));
        break;
    default: {
        size_t n = t.id == FRZ_UUID ? 16 : t.id == FRZ_FIXED ? 5 : x % 20;
        for (size_t i = 0; i < n; i++) scratch[i] = (char)((i < 8 ? x : y) >> (8 * (i % 8)));
        v = value_bytes(t.id, slice_of(scratch, n));
    }
    }
    return v;
}

static void write_file(FILE *f, const struct pq_writer_options *o, const struct pq_wcol *cols, const struct vec *vecs, size_t count, size_t step)
{
    struct codec_ctx *codec;
    struct pq_writer *w;
    uint64_t bytes;
    const struct vec **ptr = (const struct vec **)calloc(count, sizeof *ptr);
    for (size_t i = 0; i < count; i++) ptr[i] = &vecs[i];
    MUST(frz__codec_ctx_new(NULL, &codec, &e));
    MUST(frz__pq_writer_new(NULL, o, cols, count, (struct pq_sink){f, append}, codec, &w, &e));
    for (size_t at = 0; at < vecs[0].len; at += step) MUST(frz__pq_write(w, ptr, at, vecs[0].len - at < step ? vecs[0].len - at : step, &e));
    MUST(frz__pq_writer_end_rows(w, &e));
    MUST(frz__pq_writer_finish(w, &bytes, &e));
    frz__pq_writer_free(w);
    frz__codec_ctx_free(codec);
    free(ptr);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void clear(struct vec *v, size_t n)
{
    for (size_t i = 0; i < n; i++) frz__vec_clear(&v[i]);
}

static void run_types(char **a)
{
    struct pq_wcol cols[TYPES];
    struct vec v[TYPES];
    char names[TYPES][8], scratch[64];
    size_t rows = strtoul(a[1], NULL, 10);
    int nulls = atoi(a[2]);
    struct pq_writer_options o = {.codec = atoi(a[3]), .row_group_rows = strtoul(a[4], NULL, 10)};
    for (size_t c = 0; c < TYPES; c++) {
        sprintf(names[c], "c%zu", c);
        cols[c] = (struct pq_wcol){.name = names[c], .field_id = (int32_t)c + 1, .type = types[c], .required = nulls == 0 && c % 2, .dictionary = atoi(a[5])};
        frz__vec_init(&v[c], NULL, types[c]);
        for (size_t r = 0; r < rows; r++) {
            frz_value x = value_of(r, c, nulls, scratch);
            MUST(frz__vec_append(&v[c], &x, &e));
        }
    }
    FILE *f = fopen(a[0], "wb");
    write_file(f, &o, cols, v, TYPES, 1000);
    fclose(f);
    clear(v, TYPES);
}

static void run_wide(char **a)
{
    size_t count = strtoul(a[1], NULL, 10), rows = strtoul(a[2], NULL, 10);
    struct pq_wcol *cols = (struct pq_wcol *)calloc(count, sizeof *cols);
    struct vec *v = (struct vec *)calloc(count, sizeof *v);
    char *names = (char *)calloc(count, 16);
    for (size_t c = 0; c < count; c++) {
        sprintf(names + 16 * c, "c%zu", c);
        cols[c] = (struct pq_wcol){.name = names + 16 * c, .field_id = (int32_t)c + 1, .type = {FRZ_LONG}, .dictionary = true};
        frz__vec_init(&v[c], NULL, cols[c].type);
        for (size_t r = 0; r < rows; r++) {
            frz_value x = value_i64(FRZ_LONG, (int64_t)(h(r, c) % 100));
            MUST(frz__vec_append(&v[c], &x, &e));
        }
    }
    FILE *f = fopen(a[0], "wb");
    write_file(f, &(struct pq_writer_options){.codec = CODEC_ZSTD}, cols, v, count, 65536);
    fclose(f);
    clear(v, count);
    free(cols);
    free(v);
    free(names);
}

static void run_bench(char **a)
{
    struct pq_wcol cols[] = {{.name = "id", .field_id = 1, .type = {FRZ_LONG}, .required = true}, {.name = "ts", .field_id = 2, .type = {FRZ_TIMESTAMP}},
                             {.name = "symbol", .field_id = 3, .type = {FRZ_STRING}, .dictionary = true}, {.name = "price", .field_id = 4, .type = {FRZ_DOUBLE}, .dictionary = true},
                             {.name = "qty", .field_id = 5, .type = {FRZ_INT}, .dictionary = true}, {.name = "note", .field_id = 6, .type = {FRZ_STRING}, .dictionary = true}};
    struct vec v[6];
    size_t rows = strtoul(a[1], NULL, 10);
    int64_t ts = 1700000000000000;
    for (size_t c = 0; c < 6; c++) {
        frz__vec_init(&v[c], NULL, cols[c].type);
        for (size_t r = 0; r < rows; r++) {
            uint64_t x = h(r, c);
            char s[64];
            frz_value val = value_i64(cols[c].type.id, (int64_t)r);
            if (c == 1) val.as.i64 = ts += (int64_t)(x % 2000);
            if (c == 2) val = value_bytes(FRZ_STRING, slice_of(s, (size_t)sprintf(s, "SYM%03u", (unsigned)(x % 500))));
            if (c == 3) val.as.f64 = (double)(x % 1000000) / 100;
            if (c == 4) val.as.i32 = (int32_t)(x % 1000);
            if (c == 5) {
                size_t n = 16 + x % 9;
                for (size_t i = 0; i < n; i++) s[i] = (char)('a' + h(r, 6 + i) % 26);
                val = value_bytes(FRZ_STRING, slice_of(s, n));
            }
            MUST(frz__vec_append(&v[c], &val, &e));
        }
    }
    double best = 1e9;
    struct pq_writer_options o = {.codec = CODEC_ZSTD, .level = atoi(a[2])};
    for (int i = 0; i < atoi(a[3]); i++) {
        FILE *f = fopen(a[0], "wb");
        double t = now();
        write_file(f, &o, cols, v, 6, 65536);
        t = now() - t;
        fclose(f);
        if (t < best) best = t;
    }
    FILE *f = fopen(a[0], "rb");
    fseek(f, 0, SEEK_END);
    printf("%zu rows, level %s: %.3f s CPU, %.2f M rows/s, %ld bytes\n", rows, a[2], best, (double)rows / best / 1e6, ftell(f));
    for (size_t c = 0; c < 6; c++) {
        double t = now();
        write_file(NULL, &o, &cols[c], &v[c], 1, 65536);
        printf("  %-8s %.3f s\n", cols[c].name, now() - t);
    }
    fclose(f);
    clear(v, 6);
}

int main(int argc, char **argv)
{
    if (argc == 8 && strcmp(argv[1], "types") == 0) run_types(argv + 2);
    else if (argc == 5 && strcmp(argv[1], "wide") == 0) run_wide(argv + 2);
    else if (argc == 6 && strcmp(argv[1], "bench") == 0) run_bench(argv + 2);
    else {
        fprintf(stderr, "usage: pq_dump types OUT ROWS NULLS CODEC ROW_GROUP_ROWS DICTIONARY | wide OUT COLUMNS ROWS | bench OUT ROWS LEVEL REPEATS\n");
        return 2;
    }
    return 0;
}
