/* What the writer wrote, the reader gives back: random columns, values and options, by scan, by page and by statistics; and its verifier finds nothing. */
#include <math.h>
#include <stdio.h>
#include "frz_test.h"
#include "base/rand.h"
#include "parquet/parquet.h"

static frz_error e;

static int append(void *ctx, slice bytes, frz_error *err) { return buf_append_slice((struct buf *)ctx, bytes, err); }
static int read_at(void *ctx, uint64_t offset, void *out, size_t len, frz_error *err)
{
    struct buf *b = (struct buf *)ctx;
    if (offset > b->len || len > b->len - offset) return frz__err(err, FRZ_IO, "beyond the end");
    if (len) memcpy(out, b->data + offset, len);
    return FRZ_OK;
}
static int finding(void *ctx, const char *where, const char *what)
{
    print_error("%s: %s\n", where, what);
    ++*(size_t *)ctx;
    return FRZ_OK;
}

static const frz_type all_types[] = {
    {FRZ_BOOLEAN}, {FRZ_INT}, {FRZ_LONG}, {FRZ_FLOAT}, {FRZ_DOUBLE}, {FRZ_DECIMAL, 9, 2}, {FRZ_DECIMAL, 18, 4}, {FRZ_DECIMAL, 38, 10}, {FRZ_DECIMAL, 21, 0}, {FRZ_DATE}, {FRZ_TIME},
    {FRZ_TIMESTAMP}, {FRZ_TIMESTAMPTZ}, {FRZ_TIMESTAMP_NS}, {FRZ_TIMESTAMPTZ_NS}, {FRZ_STRING}, {FRZ_UUID}, {FRZ_FIXED, 0, 0, 7}, {FRZ_BINARY},
};
#define TYPES FRZ_ARRAY_LEN(all_types)

static void fill(struct vec *v, frz_type t, size_t rows, uint64_t null_of_8, uint64_t distinct, struct rng *r)
{
    uint8_t s[128];
    frz__vec_init(v, NULL, t);
    for (size_t i = 0; i < rows; i++) {
        struct rng pick = {rng_below(r, distinct) + 5};
        uint64_t x = rng_next(&pick);
        size_t n = t.id == FRZ_UUID ? 16 : t.id == FRZ_FIXED ? (size_t)t.length : x % 8 ? x % 24 : x % 120;
        frz_value val = {t.id, 0, {0}};
        switch (t.id) {
        case FRZ_BOOLEAN: val.as.boolean = x & 1; break;
        case FRZ_DECIMAL: {
            int64_t d = (int64_t)(x % 1999999999) - 999999999;
            val.as.dec = (frz_decimal){(uint64_t)d, d < 0 ? -1 : 0};
            break;
        }
        case FRZ_FLOAT: val.as.f32 = x % 9 == 0 ? NAN : x % 9 == 1 ? -0.0f : (float)(int32_t)x; break;
        case FRZ_DOUBLE: val.as.f64 = x % 9 == 0 ? (double)NAN : x % 9 == 1 ? 0.0 : (double)(int64_t)x; break;
        case FRZ_TIME: val.as.i64 = (int64_t)(x % 86400000000u); break;
        case FRZ_STRING:
        case FRZ_BINARY:
        case FRZ_UUID:
        case FRZ_FIXED:
            for (size_t b = 0; b < n; b++) s[b] = (uint8_t)(t.id == FRZ_STRING ? 'a' + rng_next(&pick) % 26 : rng_next(&pick));
            val = value_bytes(t.id, slice_of(s, n));
            break;
        default: val.as.i64 = (int64_t)x; break;
        }
        if (rng_below(r, 8) < null_of_8) val = value_null();
        OK(frz__vec_append(v, &val, &e), &e);
    }
}

static void same(const struct vec *got, size_t at, const struct vec *want, size_t from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        frz_value g, w;
        frz__vec_get(got, at + i, &g);
        frz__vec_get(want, from + i, &w);
        assert_int_equal(g.type, w.type);
        assert_true(frz__value_eq(&g, &w));
        if (g.type == FRZ_DOUBLE) assert_int_equal(signbit(g.as.f64), signbit(w.as.f64));
    }
}

static void bounds_hold(const struct pred_stats *s, const struct vec *v, size_t from, size_t count)
{
    uint64_t nulls = 0;
    for (size_t i = from; i < from + count; i++) {
        frz_value x;
        frz__vec_get(v, i, &x);
        nulls += value_is_null(&x);
        if (value_is_null(&x) || (x.type == FRZ_FLOAT && isnan(x.as.f32)) || (x.type == FRZ_DOUBLE && isnan(x.as.f64))) continue;
        if (s->has_min) assert_true(frz__value_cmp(&s->min, &x) <= 0);
        if (s->has_max) assert_true(frz__value_cmp(&s->max, &x) >= 0);
    }
    assert_int_equal(s->rows, count);
    if (s->has_nulls) assert_int_equal(s->nulls, nulls);
}

static void read_back(struct buf *file, const struct pq_wcol *cols, const struct vec *vecs, size_t count, struct pq_writer *w, struct codec_ctx *codec, struct rng *r)
{
    struct pq_file *f;
    struct pq_scan *scan;
    struct vecs out;
    size_t findings = 0, columns[TYPES], rows = vecs[0].len;
    frz_type types[TYPES];
    uint64_t pages, first, at = 0;
    OK(frz__pq_open(NULL, (struct pq_source){file, read_at, file->len, "memory"}, &f, &e), &e);
    assert_int_equal(frz__pq_rows(f), rows);
    assert_int_equal(frz__pq_col_count(f), count);
    assert_int_equal(frz__pq_group_count(f), frz__pq_writer_group_count(w));
    OK(frz__pq_verify(f, codec, finding, &findings, &pages, &e), &e);
    assert_int_equal(findings, 0);
    for (size_t i = 0; i < count; i++) {
        const struct pq_rcol *c = frz__pq_col(f, i);
        assert_string_equal(c->name, cols[i].name);
        assert_int_equal(c->field_id, cols[i].field_id);
        assert_int_equal(c->required, cols[i].required);
        assert_true(frz__type_eq(c->type, cols[i].type));
        columns[i] = i;
        types[i] = cols[i].type;
    }
    OK(frz__vecs_init(&out, NULL, types, count, &e), &e);
    OK(frz__pq_scan_new(NULL, f, columns, types, count, NULL, 0, codec, &scan, &e), &e);
    for (int rc; (rc = frz__pq_scan_next(scan, 1 + rng_below(r, 3000), &out, &first, &e)) != FRZ_DONE; at += out.rows) {
        OK(rc, &e);
        assert_int_equal(first, at);
        assert_true(out.rows > 0);
        for (size_t i = 0; i < count; i++) same(&out.cols[i], 0, &vecs[i], (size_t)at, out.rows);
    }
    assert_int_equal(at, rows);
    frz__pq_scan_free(scan);
    for (size_t g = 0; g < frz__pq_group_count(f); g++) { /* every page of every column alone; its position is arithmetic: parquet.h (1) */
        for (size_t i = 0; i < count; i++) {
            const struct pq_pages *p;
            struct pred_stats s;
            size_t start = (size_t)frz__pq_group_first_row(f, g), n = (size_t)frz__pq_group_rows(f, g);
            if (frz__pq_group_stats(f, g, i, &s)) bounds_hold(&s, &vecs[i], start, n);
            OK(frz__pq_pages(f, g, i, &p, &e), &e);
            for (size_t k = 0; k < p->count; k++) {
                bool known;
                size_t from = (size_t)p->first_row[k], len = (size_t)p->first_row[k + 1] - from;
                assert_int_equal(from >> frz__pq_writer_page_rows_log2(w, i), k);
                vec_reset(&out.cols[i]);
                OK(frz__pq_page_read(f, g, i, k, codec, &out.cols[i], &e), &e);
                assert_int_equal(out.cols[i].len, len);
                same(&out.cols[i], 0, &vecs[i], start + from, len);
                OK(frz__pq_page_stats(f, g, i, k, &s, &known, &e), &e);
                if (known) bounds_hold(&s, &vecs[i], start + from, len);
            }
        }
    }
    frz__vecs_clear(&out);
    frz__pq_free(f);
}

static void round_trip(const struct pq_writer_options *o, const struct pq_wcol *cols, const struct vec *vecs, size_t count, size_t step, struct rng *r)
{
    struct buf file = BUF_INIT(NULL, 0);
    struct codec_ctx *codec;
    struct pq_writer *w;
    const struct vec *ptr[TYPES];
    uint64_t bytes;
    for (size_t i = 0; i < count; i++) ptr[i] = &vecs[i];
    OK(frz__codec_ctx_new(NULL, &codec, &e), &e);
    OK(frz__pq_writer_new(NULL, o, cols, count, (struct pq_sink){&file, append}, codec, &w, &e), &e);
    for (size_t at = 0; at < vecs[0].len; at += step) OK(frz__pq_write(w, ptr, at, vecs[0].len - at < step ? vecs[0].len - at : step, &e), &e);
    OK(frz__pq_writer_end_rows(w, &e), &e);
    OK(frz__pq_writer_finish(w, &bytes, &e), &e);
    assert_int_equal(bytes, file.len);
    read_back(&file, cols, vecs, count, w, codec, r);
    frz__pq_writer_free(w);
    frz__codec_ctx_free(codec);
    buf_clear(&file);
}

TEST(pq_round, every_type_with_no_some_and_only_nulls_in_few_and_many_rows)
{
    static const size_t rows[] = {0, 1, 33, 2500};
    struct rng r = {test_seed(31)};
    struct vec v[TYPES];
    struct pq_wcol cols[TYPES];
    char names[TYPES][8];
    for (size_t n = 0; n < FRZ_ARRAY_LEN(rows); n++) {
        for (uint64_t nulls = 0; nulls <= 8; nulls += 4) {
            for (size_t i = 0; i < TYPES; i++) {
                snprintf(names[i], sizeof names[i], "c%zu", i);
                cols[i] = (struct pq_wcol){.name = names[i], .field_id = (int32_t)i + 1, .type = all_types[i], .required = nulls == 0 && i % 2, .dictionary = i % 3 > 0, .page_rows_log2 = n == 3 ? 8 : 0};
                fill(&v[i], all_types[i], rows[n], nulls, 200, &r);
            }
            round_trip(&(struct pq_writer_options){.codec = CODEC_ZSTD, .row_group_rows = n == 3 ? 1000 : 0}, cols, v, TYPES, 700, &r);
            for (size_t i = 0; i < TYPES; i++) frz__vec_clear(&v[i]);
        }
    }
}

TEST(pq_round, random_schemas_rows_and_options)
{
    struct rng r = {test_seed(32)};
    static const int codecs[] = {CODEC_NONE, CODEC_SNAPPY, CODEC_ZSTD, CODEC_LZ4_RAW, CODEC_GZIP};
    for (int round = 0; round < 30; round++) {
        struct vec v[TYPES];
        struct pq_wcol cols[TYPES];
        char names[TYPES][8];
        size_t rows = rng_below(&r, 3) ? rng_below(&r, 400) : rng_below(&r, 5000), count = 1 + rng_below(&r, TYPES);
        for (size_t i = 0; i < count; i++) {
            uint64_t nulls = rng_below(&r, 9);
            snprintf(names[i], sizeof names[i], "c%zu", i);
            cols[i] = (struct pq_wcol){.name = names[i], .field_id = (int32_t)(i * 7), .type = all_types[rng_below(&r, TYPES)], .required = nulls == 0, .dictionary = rng_below(&r, 2),
                                       .bounds_full = rng_below(&r, 4) == 0, .page_rows_log2 = (uint8_t)(rng_below(&r, 2) ? 0 : 5 + rng_below(&r, 8))};
            fill(&v[i], cols[i].type, rows, nulls, (uint64_t)1 << rng_below(&r, 31), &r);
        }
        struct pq_writer_options o = {.codec = codecs[rng_below(&r, 5)], .row_group_rows = rng_below(&r, 2) ? 0 : 1 + rng_below(&r, 2000), .row_group_bytes = rng_below(&r, 3) ? 0 : 1 + rng_below(&r, 50000),
                                      .page_bytes = rng_below(&r, 2) ? 0 : 64 + (uint32_t)rng_below(&r, 5000), .dict_bytes = rng_below(&r, 2) ? 0 : 1 + (uint32_t)rng_below(&r, 5000)};
        round_trip(&o, cols, v, count, 1 + rng_below(&r, 2500), &r);
        for (size_t i = 0; i < count; i++) frz__vec_clear(&v[i]);
    }
}

TEST(pq_round, a_hundred_thousand_rows_of_a_dictionary_that_falls_back)
{
    struct rng r = {test_seed(33)};
    struct vec v[2];
    struct pq_wcol cols[2] = {{.name = "a", .field_id = 1, .type = {FRZ_LONG}, .dictionary = true}, {.name = "b", .field_id = 2, .type = {FRZ_STRING}, .dictionary = true}};
    for (size_t i = 0; i < 2; i++) {
        struct vec more;
        fill(&v[i], cols[i].type, 80000, 1, 60, &r); /* in use … */
        fill(&more, cols[i].type, 20000, 1, 20000, &r); /* … and outgrown */
        OK(frz__vec_append_range(&v[i], &more, 0, 20000, &e), &e);
        frz__vec_clear(&more);
    }
    round_trip(&(struct pq_writer_options){.codec = CODEC_ZSTD, .dict_bytes = 20000}, cols, v, 2, 8192, &r);
    frz__vec_clear(&v[0]);
    frz__vec_clear(&v[1]);
}
