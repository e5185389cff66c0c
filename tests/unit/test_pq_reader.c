/* Whole files: those of other writers (tests/golden/parquet), one by hand from the format's golden bytes, hostile ones made of them; scans, statistics, promotion, old writers' types. */
#include "parquet/pq_file.h"
#include "base/pool.h"
#include "base/rand.h"
#include "frz_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ── files in memory ── */

struct mem { uint8_t *p; size_t n; long reads; };
static int mem_read(void *ctx, uint64_t offset, void *out, size_t len, frz_error *err)
{
    struct mem *m = (struct mem *)ctx;
    __atomic_add_fetch(&m->reads, 1, __ATOMIC_RELAXED);
    if (offset > m->n || len > m->n - offset) return frz__err(err, FRZ_BUG, "read of %zu bytes at %" PRIu64 " of %zu", len, offset, m->n);
    if (len) memcpy(out, m->p + offset, len);
    return FRZ_OK;
}
static struct pq_source source_of(struct mem *m) { return (struct pq_source){m, mem_read, m->n, "test.parquet"}; }

static struct mem load(const char *name)
{
    char path[600];
    struct mem m = {0};
    snprintf(path, sizeof path, "%s/tests/golden/parquet/%s.parquet", FRZ_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    m.n = (size_t)ftell(f);
    rewind(f);
    m.p = (uint8_t *)malloc(m.n);
    assert_int_equal(fread(m.p, 1, m.n, f), m.n);
    fclose(f);
    return m;
}

static struct mem from_hex(const char *s)
{
    struct mem m = {.n = strlen(s) / 2};
    m.p = (uint8_t *)malloc(m.n);
    for (size_t i = 0; i < m.n; i++) {
        unsigned v;
        sscanf(s + 2 * i, "%2x", &v);
        m.p[i] = (uint8_t)v;
    }
    return m;
}

static const char *const golden[] = {"pyarrow_default", "pyarrow_v2_zstd", "pyarrow_plain_gzip", "pyarrow_fallback", "pyarrow_int96_lz4", "pyarrow_delta", "duckdb_default", "duckdb_v2_zstd"};

/* ── the rows of tests/golden/parquet/make.py ── */

#define ROWS 200
static const char *const names[] = {"b", "i32", "i64", "u32", "i16", "f32", "f64", "d9", "d38", "date", "time", "tms", "tus", "s", "t", "bin", "fix"};

static frz_decimal dec_of(__int128 v) { return (frz_decimal){(uint64_t)v, (int64_t)(v >> 64)}; }

/* Row I of column NAME; strings into TEXT. */
static frz_value expected(const char *name, int64_t i, char *text)
{
    frz_value v = value_null();
    int k = 0;
    if (strcmp(name, "id") == 0) return value_i64(FRZ_LONG, i);
    while (strcmp(names[k], name) != 0) k++;
    if ((i + k) % 5 == 0) return v;
    switch (k) {
    case 0: v.type = FRZ_BOOLEAN, v.as.boolean = i % 3 == 0; break;
    case 1: v = value_i32(FRZ_INT, (int32_t)i * 7 - 50); break;
    case 2: v = value_i64(FRZ_LONG, i * 1000003 - 5000000000); break;
    case 3: v = value_i64(FRZ_LONG, 4294967295 - i); break;
    case 4: v = value_i32(FRZ_INT, (int32_t)i * 300 - 30000); break;
    case 5: v.type = FRZ_FLOAT, v.as.f32 = (float)i * 0.5f; break;
    case 6: v.type = FRZ_DOUBLE, v.as.f64 = (double)i / 8 - 3; break;
    case 7: v.type = FRZ_DECIMAL, v.as.dec = dec_of(i * 125 - 1000); break;
    case 8: {
        __int128 x = i - 100;
        for (int n = 0; n < 30; n++) x *= 10;
        v.type = FRZ_DECIMAL, v.as.dec = dec_of(x);
        break;
    }
    case 9: v = value_i32(FRZ_DATE, (int32_t)i * 10 - 500); break;
    case 10: v = value_i64(FRZ_TIME, i * 1000000); break;
    case 11: v = value_i64(FRZ_TIMESTAMP, (i * 86400000 - 1000) * 1000); break;
    case 12: v = value_i64(FRZ_TIMESTAMPTZ, i * 86400000000 - 1); break;
    case 13: v = value_bytes(FRZ_STRING, slice_of(text, (size_t)sprintf(text, "word-%d", (int)(i % 11)))); break;
    case 14: {
        size_t n = (size_t)sprintf(text, "text ");
        for (int e = 0; e < i % 20; e++) n += (size_t)sprintf(text + n, "é");
        n += (size_t)sprintf(text + n, "%d", (int)i);
        v = value_bytes(FRZ_STRING, slice_of(text, n));
        break;
    }
    case 15:
        for (int e = 0; e < i % 4; e++) memcpy(text + 3 * e, (const uint8_t[]){(uint8_t)i, 0, 255}, 3);
        v = value_bytes(FRZ_BINARY, slice_of(text, (size_t)(i % 4 * 3)));
        break;
    case 16:
        store_u32(text, (uint32_t)i);
        text[4] = 7;
        v = value_bytes(FRZ_FIXED, slice_of(text, 5));
        break;
    default: break;
    }
    return v;
}

/* As above for a file that keeps some types otherwise: the column's type is the file's, the number the same. */
static void check_value(const char *name, int64_t row, const frz_value *found)
{
    char text[200];
    frz_value want = expected(name, row, text);
    if (!value_is_null(&want) && want.type != found->type && (want.type == FRZ_TIMESTAMPTZ || want.type == FRZ_TIMESTAMP)) want.type = found->type;
    if (want.type != found->type || !frz__value_eq(&want, found)) fail_msg("column %s, row %d: type %d, expected %d", name, (int)row, found->type, want.type);
}

static bool is_nested(const struct pq_rcol *c) { return strncmp(c->name, "nest", 4) == 0; }

TEST(pq_reader, reads_what_pyarrow_and_duckdb_write)
{
    static const size_t batches[] = {1, 7, 64, 1000};
    struct codec_ctx *ctx;
    frz_error err;
    OK(frz__codec_ctx_new(NULL, &ctx, &err), &err);
    for (size_t k = 0; k < FRZ_ARRAY_LEN(golden); k++) {
        struct mem m = load(golden[k]);
        struct pq_file *f;
        OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
        assert_int_equal(frz__pq_rows(f), ROWS);
        size_t columns[32], count = 0;
        frz_type types[32];
        for (size_t c = 0; c < frz__pq_col_count(f); c++) {
            const struct pq_rcol *col = frz__pq_col(f, c);
            assert_int_equal(col->type.id == FRZ_NULL, is_nested(col));
            if (is_nested(col)) continue;
            columns[count] = c;
            types[count++] = col->type;
        }
        assert_true(count >= 17);
        for (size_t b = 0; b < FRZ_ARRAY_LEN(batches); b++) {
            struct pq_scan *s;
            struct vecs out;
            uint64_t first, next = 0;
            int rc;
            OK(frz__vecs_init(&out, NULL, types, count, &err), &err);
            OK(frz__pq_scan_new(NULL, f, columns, types, count, NULL, 0, ctx, &s, &err), &err);
            while ((rc = frz__pq_scan_next(s, batches[b], &out, &first, &err)) == FRZ_OK) {
                assert_int_equal(first, next);
                for (size_t c = 0; c < count; c++) {
                    assert_int_equal(out.cols[c].len, out.rows);
                    for (size_t i = 0; i < out.rows; i++) {
                        frz_value v;
                        frz__vec_get(&out.cols[c], i, &v);
                        check_value(frz__pq_col(f, columns[c])->name, (int64_t)(first + i), &v);
                    }
                }
                next += out.rows;
            }
            RC(rc, FRZ_DONE, &err);
            assert_int_equal(next, ROWS);
            frz__pq_scan_free(s);
            frz__vecs_clear(&out);
        }
        frz__pq_free(f);
        free(m.p);
    }
    frz__codec_ctx_free(ctx);
}

TEST(pq_reader, page_by_page_gives_what_a_scan_gives)
{
    struct codec_ctx *ctx;
    frz_error err;
    OK(frz__codec_ctx_new(NULL, &ctx, &err), &err);
    for (size_t k = 0; k < FRZ_ARRAY_LEN(golden); k++) {
        struct mem m = load(golden[k]);
        struct pq_file *f;
        OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
        for (size_t c = 0; c < frz__pq_col_count(f); c++) {
            const struct pq_rcol *col = frz__pq_col(f, c);
            struct vec v;
            if (is_nested(col)) continue;
            frz__vec_init(&v, NULL, col->type);
            for (size_t g = 0; g < frz__pq_group_count(f); g++) {
                const struct pq_pages *pages;
                OK(frz__pq_pages(f, g, c, &pages, &err), &err);
                for (size_t p = pages->count; p-- > 0;) { /* any order */
                    vec_reset(&v);
                    OK(frz__pq_page_read(f, g, c, p, ctx, &v, &err), &err);
                    assert_int_equal(v.len, pages->first_row[p + 1] - pages->first_row[p]);
                    for (size_t i = 0; i < v.len; i++) {
                        frz_value x;
                        frz__vec_get(&v, i, &x);
                        check_value(col->name, (int64_t)(frz__pq_group_first_row(f, g) + pages->first_row[p] + i), &x);
                    }
                    struct pred_stats st; /* bounds hold, if there are any */
                    bool known;
                    OK(frz__pq_page_stats(f, g, c, p, &st, &known, &err), &err);
                    for (size_t i = 0; known && i < v.len; i++) {
                        frz_value x;
                        frz__vec_get(&v, i, &x);
                        if (value_is_null(&x)) continue;
                        assert_true(!st.has_min || frz__value_cmp(&st.min, &x) <= 0);
                        assert_true(!st.has_max || frz__value_cmp(&st.max, &x) >= 0);
                    }
                    if (known && st.has_nulls) assert_int_equal(st.nulls, v.nulls);
                }
                FAILS(frz__pq_page_read(f, g, c, pages->count, ctx, &v, &err), FRZ_INVALID, &err);
            }
            frz__vec_clear(&v);
        }
        assert_true(frz__pq_mem(f) > sizeof *f);
        frz__pq_free(f);
        free(m.p);
    }
    frz__codec_ctx_free(ctx);
}

static int no_finding(void *ctx, const char *where, const char *what)
{
    (void)ctx;
    fail_msg("%s: %s", where, what);
    return 0;
}
static int count_finding(void *ctx, const char *where, const char *what)
{
    (void)where, (void)what;
    ++*(int *)ctx;
    return 0;
}

TEST(pq_verify, finds_nothing_in_sound_files_and_any_flipped_page_byte_that_has_a_checksum)
{
    struct rng r = {test_seed(21)};
    struct codec_ctx *ctx;
    frz_error err;
    uint64_t pages;
    OK(frz__codec_ctx_new(NULL, &ctx, &err), &err);
    for (size_t k = 0; k < FRZ_ARRAY_LEN(golden); k++) {
        struct mem m = load(golden[k]);
        struct pq_file *f;
        OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
        OK(frz__pq_verify(f, ctx, no_finding, NULL, &pages, &err), &err);
        assert_true(pages >= frz__pq_col_count(f));
        if (strcmp(golden[k], "pyarrow_v2_zstd") == 0) {
            const struct pq_pages *p;
            OK(frz__pq_pages(f, 1, 2, &p, &err), &err);
            for (int i = 0; i < 50; i++) {
                size_t at = p->offset[1] + p->bytes[1] - 1 - rng_below(&r, 20);
                int found = 0;
                m.p[at] ^= 0x10;
                OK(frz__pq_verify(f, ctx, count_finding, &found, &pages, &err), &err);
                assert_true(found > 0);
                m.p[at] ^= 0x10;
            }
        }
        frz__pq_free(f);
        free(m.p);
    }
    frz__codec_ctx_free(ctx);
}

TEST(pq_reader, reads_a_file_of_no_rows)
{
    struct mem m = load("pyarrow_empty");
    struct codec_ctx *ctx;
    struct pq_file *f;
    struct pq_scan *s;
    struct vecs out;
    frz_error err;
    uint64_t first, pages;
    size_t column = 0;
    OK(frz__codec_ctx_new(NULL, &ctx, &err), &err);
    OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
    assert_int_equal(frz__pq_rows(f), 0);
    frz_type t = frz__pq_col(f, 0)->type;
    OK(frz__vecs_init(&out, NULL, &t, 1, &err), &err);
    OK(frz__pq_scan_new(NULL, f, &column, &t, 1, NULL, 0, ctx, &s, &err), &err);
    RC(frz__pq_scan_next(s, 10, &out, &first, &err), FRZ_DONE, &err);
    RC(frz__pq_scan_next(s, 10, &out, &first, &err), FRZ_DONE, &err);
    OK(frz__pq_verify(f, ctx, no_finding, NULL, &pages, &err), &err);
    frz__pq_scan_free(s);
    frz__vecs_clear(&out);
    frz__pq_free(f);
    frz__codec_ctx_free(ctx);
    free(m.p);
}

/* ── the minimal file of formats' golden bytes ── */

static const char *minimal = "50415231"
                             "150015301530158eb6dcbc051c15061500150615060000" "010000000000000002000000000000000300000000000000"
                             "15401c1c00001c1c00001c1c000000" "0000180804000402020400020000260040004004000002884000002020090000"
                             "19110219180801000000000000001918080300000000000000150219160000" "191c1608155e16000000"
                             "1502192c48057461626c6515020015042500180269645502001606191c191c26001c150419250006191802696415001606165e165e26083c360028080300000000000000180801000000000000001111002666155e"
                             "00168202151416c401153e00165e1606191c15001211001608165e140000281b6c736d2076657273696f6e20302e312e3020286275696c64203029191c1c000000" "96000000" "50415231";

TEST(pq_reader, reads_the_minimal_file_and_its_statistics)
{
    struct mem m = from_hex(minimal);
    struct codec_ctx *ctx;
    struct pq_file *f;
    struct pred_stats st;
    struct vec v;
    frz_error err;
    bool known;
    assert_int_equal(m.n, 297);
    OK(frz__codec_ctx_new(NULL, &ctx, &err), &err);
    OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
    assert_int_equal(frz__pq_find_id(f, 1), 0);
    assert_int_equal(frz__pq_find_id(f, 2), -1);
    assert_int_equal(frz__pq_find_name(f, slice_str("id")), 0);
    assert_int_equal(frz__pq_find_name(f, slice_str("i")), -1);
    assert_null(frz__pq_kv(f, "none").data);
    assert_true(frz__pq_col(f, 0)->required);
    assert_true(frz__pq_group_stats(f, 0, 0, &st));
    assert_true(st.has_min && st.has_max && st.has_nulls && st.min.as.i64 == 1 && st.max.as.i64 == 3 && st.rows == 3 && !st.maybe_nan);
    OK(frz__pq_page_stats(f, 0, 0, 0, &st, &known, &err), &err);
    assert_true(known && st.min.as.i64 == 1 && st.max.as.i64 == 3 && st.nulls == 0);
    frz__vec_init(&v, NULL, frz__pq_col(f, 0)->type);
    OK(frz__pq_page_read(f, 0, 0, 0, ctx, &v, &err), &err);
    OK(frz__pq_page_read(f, 0, 0, 0, ctx, &v, &err), &err); /* appends */
    assert_int_equal(v.len, 6);
    assert_int_equal(load_u64(v.data + 40), 3);
    /* its body changed: the checksum tells, and the rows that were there stay */
    m.p[30] ^= 1;
    FAILS(frz__pq_page_read(f, 0, 0, 0, ctx, &v, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "checksum");
    MESSAGE_HAS(&err, "test.parquet: row group 0, column id: page 0");
    assert_int_equal(v.len, 6);
    frz__vec_clear(&v);
    frz__pq_free(f);
    frz__codec_ctx_free(ctx);
    free(m.p);
}

TEST(pq_reader, opens_from_any_tail_that_was_read_already)
{
    struct mem m = from_hex(minimal);
    struct pq_file *f;
    frz_error err;
    for (size_t tail = 8; tail <= m.n; tail++) {
        OK(frz__pq_open_tail(NULL, source_of(&m), slice_of(m.p + m.n - tail, tail), &f, &err), &err);
        assert_int_equal(frz__pq_rows(f), 3);
        frz__pq_free(f);
    }
    m.reads = 0;
    OK(frz__pq_open_tail(NULL, source_of(&m), slice_of(m.p, m.n), &f, &err), &err);
    assert_int_equal(m.reads, 0);
    frz__pq_free(f);
    free(m.p);
}

TEST(pq_reader, says_what_a_file_is_that_it_can_not_open)
{
    struct mem m = from_hex(minimal);
    struct pq_file *f;
    frz_error err;
    memcpy(m.p + m.n - 4, "PARE", 4);
    FAILS(frz__pq_open(NULL, source_of(&m), &f, &err), FRZ_UNSUPPORTED, &err);
    MESSAGE_HAS(&err, "encrypted");
    memcpy(m.p + m.n - 4, "ORC!", 4);
    FAILS(frz__pq_open(NULL, source_of(&m), &f, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "PAR1");
    memcpy(m.p + m.n - 8, "\xff\xff\xff\xff" "PAR1", 8);
    FAILS(frz__pq_open(NULL, source_of(&m), &f, &err), FRZ_CORRUPT, &err);
    assert_null(f);
    free(m.p);
}

/* ── scans of ranges ── */

TEST(pq_scan, reads_the_ranges_and_no_page_outside_them)
{
    struct rng r = {test_seed(22)};
    struct codec_ctx *ctx;
    frz_error err;
    OK(frz__codec_ctx_new(NULL, &ctx, &err), &err);
    for (size_t k = 0; k < FRZ_ARRAY_LEN(golden); k++) {
        struct mem m = load(golden[k]);
        struct pq_file *f;
        OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
        size_t columns[] = {(size_t)frz__pq_find_name(f, slice_str("t")), (size_t)frz__pq_find_name(f, slice_str("i64"))};
        frz_type types[] = {frz__pq_col(f, columns[0])->type, frz__pq_col(f, columns[1])->type};
        for (int n = 0; n < 30; n++) {
            struct pq_range ranges[5];
            size_t range_count = rng_below(&r, 6), in = 0;
            uint64_t at = 0, first, wanted = 0, seen = 0;
            for (size_t i = 0; i < range_count; i++) {
                ranges[i].from = at + rng_below(&r, ROWS - at + 1);
                ranges[i].to = at = ranges[i].from + rng_below(&r, (ROWS - ranges[i].from) / 2 + 1);
                wanted += ranges[i].to - ranges[i].from;
            }
            struct pq_scan *s;
            struct vecs out;
            int rc;
            OK(frz__vecs_init(&out, NULL, types, 2, &err), &err);
            OK(frz__pq_scan_new(NULL, f, columns, types, 2, ranges, range_count, ctx, &s, &err), &err);
            at = 0;
            while ((rc = frz__pq_scan_next(s, 1 + rng_below(&r, 90), &out, &first, &err)) == FRZ_OK) {
                assert_true(out.rows > 0);
                while (in < range_count && first >= ranges[in].to) in++;
                assert_true(in < range_count && first >= ranges[in].from && first + out.rows <= ranges[in].to && first >= at);
                at = first + out.rows;
                seen += out.rows;
                for (size_t i = 0; i < out.rows; i++) {
                    frz_value v;
                    frz__vec_get(&out.cols[0], i, &v);
                    check_value("t", (int64_t)(first + i), &v);
                    frz__vec_get(&out.cols[1], i, &v);
                    check_value("i64", (int64_t)(first + i), &v);
                }
            }
            RC(rc, FRZ_DONE, &err);
            assert_int_equal(seen, wanted);
            frz__pq_scan_free(s);
            frz__vecs_clear(&out);
        }
        struct pq_range one = {150, 151};
        struct pq_scan *s;
        struct vecs out;
        uint64_t first;
        OK(frz__vecs_init(&out, NULL, types, 2, &err), &err);
        OK(frz__pq_scan_new(NULL, f, columns, types, 2, &one, 1, ctx, &s, &err), &err);
        OK(frz__pq_scan_next(s, 100, &out, &first, &err), &err);
        assert_int_equal(out.rows, 1);
        assert_int_equal(frz__pq_scan_pages(s), 2); /* one a column */
        frz__pq_scan_free(s);
        struct pq_range bad[] = {{0, ROWS + 1}, {5, 4}};
        FAILS(frz__pq_scan_new(NULL, f, columns, types, 2, &bad[0], 1, ctx, &s, &err), FRZ_INVALID, &err);
        FAILS(frz__pq_scan_new(NULL, f, columns, types, 2, &bad[1], 1, ctx, &s, &err), FRZ_INVALID, &err);
        frz__vecs_clear(&out);
        frz__pq_free(f);
        free(m.p);
    }
    frz__codec_ctx_free(ctx);
}

TEST(pq_scan, counts_rows_without_columns)
{
    struct mem m = load("pyarrow_v2_zstd");
    struct codec_ctx *ctx;
    struct pq_file *f;
    struct pq_scan *s;
    struct vecs out;
    frz_error err;
    uint64_t first, rows = 0;
    OK(frz__codec_ctx_new(NULL, &ctx, &err), &err);
    OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
    OK(frz__vecs_init(&out, NULL, NULL, 0, &err), &err);
    OK(frz__pq_scan_new(NULL, f, NULL, NULL, 0, NULL, 0, ctx, &s, &err), &err);
    while (frz__pq_scan_next(s, 33, &out, &first, &err) == FRZ_OK) rows += out.rows;
    assert_int_equal(rows, ROWS);
    frz__pq_scan_free(s);
    frz__vecs_clear(&out);
    frz__pq_free(f);
    frz__codec_ctx_free(ctx);
    free(m.p);
}

/* ── promotion ── */

TEST(pq_reader, reads_as_a_wider_type_and_refuses_others)
{
    struct codec_ctx *ctx;
    frz_error err;
    OK(frz__codec_ctx_new(NULL, &ctx, &err), &err);
    for (size_t k = 0; k < FRZ_ARRAY_LEN(golden); k++) {
        struct mem m = load(golden[k]);
        struct pq_file *f;
        OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
        static const struct { const char *name; frz_type type; } cases[] = {
            {"i32", {.id = FRZ_LONG}}, {"i16", {.id = FRZ_LONG}}, {"f32", {.id = FRZ_DOUBLE}}, {"d9", {.id = FRZ_DECIMAL, .precision = 20, .scale = 2}}, {"i32", {.id = FRZ_INT}},
        };
        for (size_t c = 0; c < FRZ_ARRAY_LEN(cases); c++) {
            size_t column = (size_t)frz__pq_find_name(f, slice_str(cases[c].name));
            struct vec v;
            frz__vec_init(&v, NULL, cases[c].type);
            for (size_t g = 0; g < frz__pq_group_count(f); g++) {
                const struct pq_pages *pages;
                OK(frz__pq_pages(f, g, column, &pages, &err), &err);
                for (size_t p = 0; p < pages->count; p++) OK(frz__pq_page_read(f, g, column, p, ctx, &v, &err), &err);
            }
            assert_int_equal(v.len, ROWS);
            for (size_t i = 0; i < v.len; i++) {
                char text[200];
                frz_value x, want = expected(cases[c].name, (int64_t)i, text);
                frz__vec_get(&v, i, &x);
                if (want.type == FRZ_INT && cases[c].type.id == FRZ_LONG) want = value_i64(FRZ_LONG, want.as.i32);
                if (want.type == FRZ_FLOAT) want.as.f64 = (double)want.as.f32, want.type = FRZ_DOUBLE;
                assert_int_equal(x.type, want.type);
                assert_true(frz__value_eq(&x, &want));
            }
            frz__vec_clear(&v);
        }
        struct vec v;
        frz__vec_init(&v, NULL, (frz_type){.id = FRZ_INT});
        FAILS(frz__pq_page_read(f, 0, (size_t)frz__pq_find_name(f, slice_str("i64")), 0, ctx, &v, &err), FRZ_INVALID, &err);
        int64_t nested = frz__pq_find_name(f, slice_str("nest.list.element"));
        if (nested >= 0) FAILS(frz__pq_page_read(f, 0, (size_t)nested, 0, ctx, &v, &err), FRZ_UNSUPPORTED, &err);
        frz__vec_clear(&v);
        frz__pq_free(f);
        free(m.p);
    }
    frz__codec_ctx_free(ctx);
}

/* ── types of old writers ── */

static frz_type type_of_elem(struct pq_elem e, struct pq_leaf *out)
{
    struct arena ar = ARENA_INIT(NULL);
    struct pq_leaf *leaves;
    size_t n;
    frz_error err;
    e.name = slice_str("c");
    e.repetition = PQ_OPTIONAL;
    e.children = -1;
    struct pq_elem elems[] = {{.type = -1, .name = slice_str("root"), .children = 1, .converted = -1}, e};
    struct pq_footer f = {.elems = elems, .elem_count = 2};
    OK(frz__pq_schema_read(&ar, &f, &leaves, &n, &err), &err);
    assert_int_equal(n, 1);
    *out = leaves[0];
    out->col.name = "c";
    frz__arena_clear(&ar);
    return out->col.type;
}
static struct pq_elem elem_of(int32_t type, int32_t converted, int32_t length, int32_t precision, int32_t scale, struct pq_logical logical)
{
    return (struct pq_elem){.type = type, .converted = converted, .type_length = length, .precision = precision, .scale = scale, .logical = logical};
}
#define ELEM(t, ct) elem_of((t), (ct), -1, -1, -1, (struct pq_logical){0})
#define ELEM_DECIMAL(t, length, precision, scale) elem_of((t), PQ_CT_DECIMAL, (length), (precision), (scale), (struct pq_logical){0})
#define ELEM_LOGICAL(t, length, ...) elem_of((t), -1, (length), -1, -1, (struct pq_logical){__VA_ARGS__})

TEST(pq_schema, knows_converted_types_and_those_that_are_not_ours)
{
    struct pq_leaf l;
    assert_int_equal(type_of_elem(ELEM(PQ_BYTE_ARRAY, PQ_CT_UTF8), &l).id, FRZ_STRING);
    assert_int_equal(type_of_elem(ELEM(PQ_BYTE_ARRAY, PQ_CT_JSON), &l).id, FRZ_STRING);
    assert_int_equal(type_of_elem(ELEM(PQ_BYTE_ARRAY, PQ_CT_ENUM), &l).id, FRZ_STRING);
    assert_int_equal(type_of_elem(ELEM(PQ_BYTE_ARRAY, -1), &l).id, FRZ_BINARY);
    assert_int_equal(type_of_elem(ELEM(PQ_INT64, PQ_CT_TIMESTAMP_MILLIS), &l).id, FRZ_TIMESTAMPTZ);
    assert_int_equal(type_of_elem(ELEM(PQ_INT64, PQ_CT_TIMESTAMP_MICROS), &l).id, FRZ_TIMESTAMPTZ);
    assert_int_equal(type_of_elem(ELEM(PQ_INT96, -1), &l).id, FRZ_TIMESTAMP);
    assert_int_equal(type_of_elem(ELEM(PQ_INT32, PQ_CT_UINT_8), &l).id, FRZ_INT);
    assert_int_equal(type_of_elem(ELEM(PQ_INT32, PQ_CT_UINT_32), &l).id, FRZ_LONG);
    assert_int_equal(type_of_elem(ELEM(PQ_INT64, PQ_CT_UINT_64), &l).id, FRZ_LONG);
    assert_false(l.signed_stats);
    assert_int_equal(type_of_elem(ELEM(PQ_INT32, PQ_CT_UINT_16), &l).id, FRZ_INT);
    assert_int_equal(type_of_elem(ELEM(PQ_INT32, PQ_CT_INT_8), &l).id, FRZ_INT);
    assert_int_equal(type_of_elem(ELEM(PQ_INT64, PQ_CT_INT_8), &l).id, FRZ_NULL);
    assert_int_equal(type_of_elem(ELEM(PQ_INT32, PQ_CT_TIME_MILLIS), &l).id, FRZ_TIME);
    assert_int_equal(type_of_elem(ELEM(PQ_INT64, PQ_CT_TIME_MICROS), &l).id, FRZ_TIME);
    assert_int_equal(type_of_elem(ELEM(PQ_INT64, PQ_CT_TIME_MILLIS), &l).id, FRZ_NULL);
    assert_int_equal(type_of_elem(ELEM(PQ_BYTE_ARRAY, PQ_CT_BSON), &l).id, FRZ_BINARY);
    assert_int_equal(type_of_elem(ELEM_DECIMAL(PQ_BYTE_ARRAY, -1, 9, 1), &l).id, FRZ_DECIMAL);
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_INT64, -1, .id = PQ_LT_TIME, .unit = PQ_NANOS), &l).id, FRZ_TIME);
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_INT64, -1, .id = PQ_LT_TIMESTAMP, .unit = 9), &l).id, FRZ_NULL);
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_BYTE_ARRAY, -1, .id = PQ_LT_BSON), &l).id, FRZ_BINARY);
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_BYTE_ARRAY, -1, .id = PQ_LT_GEOMETRY), &l).id, FRZ_BINARY);
    assert_int_equal(type_of_elem(ELEM_DECIMAL(PQ_INT32, -1, 9, -1), &l).scale, 0);
    assert_int_equal(type_of_elem(ELEM_DECIMAL(PQ_BYTE_ARRAY, -1, 39, 1), &l).id, FRZ_NULL);
    assert_int_equal(type_of_elem(ELEM_DECIMAL(PQ_FLBA, 0, 9, 1), &l).id, FRZ_NULL);
    assert_int_equal(type_of_elem(ELEM_DECIMAL(PQ_DOUBLE, -1, 9, 1), &l).id, FRZ_NULL);
    assert_int_equal(type_of_elem(ELEM(PQ_INT64, PQ_CT_DATE), &l).id, FRZ_NULL);
    assert_int_equal(type_of_elem(elem_of(PQ_FLBA, PQ_CT_INTERVAL, 12, -1, -1, (struct pq_logical){0}), &l).length, 12);
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_FLBA, 16, .id = PQ_LT_UUID), &l).id, FRZ_UUID);
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_FLBA, 2, .id = PQ_LT_FLOAT16), &l).id, FRZ_FLOAT);
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_INT32, -1, .id = PQ_LT_UNKNOWN), &l).id, FRZ_INT);
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_BYTE_ARRAY, -1, .id = 99), &l).id, FRZ_BINARY); /* of the future */
    assert_int_equal(type_of_elem(ELEM_LOGICAL(PQ_INT64, -1, .id = PQ_LT_TIMESTAMP, .unit = PQ_NANOS, .utc = true), &l).id, FRZ_TIMESTAMPTZ_NS);
}

TEST(pq_schema, what_it_writes_it_reads_as_the_same_types)
{
    static const frz_type types[] = {{.id = FRZ_BOOLEAN}, {.id = FRZ_INT}, {.id = FRZ_LONG}, {.id = FRZ_FLOAT}, {.id = FRZ_DOUBLE}, {.id = FRZ_DECIMAL, .precision = 9, .scale = 9},
        {.id = FRZ_DECIMAL, .precision = 18, .scale = 0}, {.id = FRZ_DECIMAL, .precision = 19, .scale = 3}, {.id = FRZ_DECIMAL, .precision = 38, .scale = 38}, {.id = FRZ_DATE}, {.id = FRZ_TIME},
        {.id = FRZ_TIMESTAMP}, {.id = FRZ_TIMESTAMPTZ}, {.id = FRZ_TIMESTAMP_NS}, {.id = FRZ_TIMESTAMPTZ_NS}, {.id = FRZ_STRING}, {.id = FRZ_UUID}, {.id = FRZ_FIXED, .length = 3}, {.id = FRZ_BINARY}};
    struct pq_wcol cols[FRZ_ARRAY_LEN(types)];
    struct arena ar = ARENA_INIT(NULL);
    struct pq_footer f = {0};
    struct pq_leaf *leaves;
    frz_error err;
    size_t n;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(types); i++) cols[i] = (struct pq_wcol){.name = "c", .field_id = (int32_t)i + 1, .type = types[i], .required = i % 2};
    OK(frz__pq_schema_write(&ar, cols, FRZ_ARRAY_LEN(types), &f.elems, &f.elem_count, &err), &err);
    OK(frz__pq_schema_read(&ar, &f, &leaves, &n, &err), &err);
    assert_int_equal(n, FRZ_ARRAY_LEN(types));
    for (size_t i = 0; i < n; i++) {
        assert_true(frz__type_eq(leaves[i].col.type, types[i]));
        assert_int_equal(leaves[i].col.field_id, i + 1);
        assert_int_equal(leaves[i].col.required, i % 2);
        assert_int_equal(leaves[i].max_def, 1 - i % 2);
    }
    assert_int_equal(frz__pq_decimal_bytes(19), 9);
    assert_int_equal(frz__pq_decimal_bytes(38), 16);
    frz__arena_clear(&ar);
}

TEST(pq_schema, refuses_what_is_no_tree)
{
    struct arena ar = ARENA_INIT(NULL);
    struct pq_leaf *leaves;
    frz_error err;
    size_t n;
    struct pq_elem e[] = {{.type = -1, .children = 1, .name = slice_str("r")}, {.type = 1, .children = -1, .name = slice_str("a")}, {.type = 1, .children = -1, .name = slice_str("b")}};
    struct pq_footer f = {.elems = e, .elem_count = 3};
    FAILS(frz__pq_schema_read(&ar, &f, &leaves, &n, &err), FRZ_CORRUPT, &err);
    e[0].children = 3;
    FAILS(frz__pq_schema_read(&ar, &f, &leaves, &n, &err), FRZ_CORRUPT, &err);
    e[0].children = 2;
    OK(frz__pq_schema_read(&ar, &f, &leaves, &n, &err), &err);
    e[1].repetition = 3;
    FAILS(frz__pq_schema_read(&ar, &f, &leaves, &n, &err), FRZ_CORRUPT, &err);
    f.elem_count = 0;
    FAILS(frz__pq_schema_read(&ar, &f, &leaves, &n, &err), FRZ_CORRUPT, &err);
    frz__arena_clear(&ar);
}

TEST(pq_convert, times_of_the_day_and_numbers_without_a_sign)
{
    struct pq_leaf l;
    struct pq_plan plan;
    frz_error err;
    uint8_t in[32] = {0}, out[32];
    double d;
    (void)type_of_elem(ELEM(PQ_INT32, PQ_CT_TIME_MILLIS), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_TIME}, &plan, &err), &err);
    store_u32(in, 86399999);
    store_u32(in + 4, 1);
    OK(frz__pq_convert(&plan, in, 2, out, &err), &err);
    assert_true(load_u64(out) == 86399999000 && load_u64(out + 8) == 1000);

    (void)type_of_elem(ELEM_LOGICAL(PQ_INT64, -1, .id = PQ_LT_TIME, .unit = PQ_NANOS), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_TIME}, &plan, &err), &err);
    store_u64(in, 86399999999000);
    store_u64(in + 8, 0);
    OK(frz__pq_convert(&plan, in, 2, out, &err), &err);
    assert_true(load_u64(out) == 86399999999 && load_u64(out + 8) == 0);
    store_u64(in + 8, 999);
    FAILS(frz__pq_convert(&plan, in, 2, out, &err), FRZ_UNSUPPORTED, &err); /* never cut */

    (void)type_of_elem(ELEM(PQ_INT32, PQ_CT_UINT_32), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_LONG}, &plan, &err), &err);
    store_u32(in, UINT32_MAX);
    OK(frz__pq_convert(&plan, in, 1, out, &err), &err);
    assert_true(load_u64(out) == UINT32_MAX);
    (void)type_of_elem(ELEM(PQ_INT64, PQ_CT_UINT_64), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_LONG}, &plan, &err), &err);
    store_u64(in, INT64_MAX);
    OK(frz__pq_convert(&plan, in, 1, out, &err), &err);
    assert_true(load_u64(out) == INT64_MAX);

    (void)type_of_elem(ELEM_LOGICAL(PQ_FLBA, 2, .id = PQ_LT_FLOAT16), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_DOUBLE}, &plan, &err), &err);
    store_u16(in, 0xc248); /* -3.140625 */
    OK(frz__pq_convert(&plan, in, 1, out, &err), &err);
    memcpy(&d, out, 8);
    assert_true(d == -3.140625);
}

TEST(pq_convert, old_timestamps_halves_and_long_decimals)
{
    struct pq_leaf l;
    struct pq_plan plan;
    frz_error err;
    frz_decimal d;
    uint8_t in[16] = {0}, out[16];
    (void)type_of_elem(ELEM(PQ_INT96, -1), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_TIMESTAMPTZ}, &plan, &err), &err); /* either of the two */
    store_u64(in, 1500);
    store_u32(in + 8, 2440587);
    OK(frz__pq_convert(&plan, in, 1, out, &err), &err);
    assert_true((int64_t)load_u64(out) == -86400000000 + 1);
    memcpy(in, "\x00\x60\xb9\xc7\x6e\xe2\xff\xff\xa8\xab\xb0\xf9", 12); /* as Spark writes the year 290000 */
    OK(frz__pq_convert(&plan, in, 1, out, &err), &err);
    assert_true((int64_t)load_u64(out) == 9089380393200000000);

    (void)type_of_elem(ELEM_LOGICAL(PQ_FLBA, 2, .id = PQ_LT_FLOAT16), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_FLOAT}, &plan, &err), &err);
    static const struct { uint16_t half; float want; } halves[] = {{0x3c00, 1}, {0xc000, -2}, {0x7bff, 65504}, {0x0001, 5.9604644775390625e-8f}, {0x7c00, INFINITY}, {0x8000, -0.0f}, {0x03ff, 6.097555160522461e-5f}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(halves); i++) {
        float f;
        store_u16(in, halves[i].half);
        OK(frz__pq_convert(&plan, in, 1, out, &err), &err);
        memcpy(&f, out, 4);
        assert_memory_equal(&f, &halves[i].want, 4);
    }

    (void)type_of_elem(ELEM(PQ_INT64, PQ_CT_UINT_64), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_LONG}, &plan, &err), &err);
    store_u64(in, UINT64_MAX);
    FAILS(frz__pq_convert(&plan, in, 1, out, &err), FRZ_UNSUPPORTED, &err);
    (void)type_of_elem(ELEM(PQ_INT64, PQ_CT_TIMESTAMP_MILLIS), &l);
    OK(frz__pq_plan(&l, (frz_type){.id = FRZ_TIMESTAMPTZ}, &plan, &err), &err);
    store_u64(in, (uint64_t)INT64_MAX / 999);
    FAILS(frz__pq_convert(&plan, in, 1, out, &err), FRZ_UNSUPPORTED, &err);

    uint8_t be[20];
    memset(be, 0xFF, sizeof be);
    assert_true(frz__pq_decimal_be(slice_of(be, 20), &d) && d.hi == -1 && d.lo == UINT64_MAX);
    be[19] = 0x85;
    assert_true(frz__pq_decimal_be(slice_of(be, 20), &d) && (int64_t)d.lo == -123);
    assert_true(frz__pq_decimal_be(slice_of(be + 19, 1), &d) && (int64_t)d.lo == -123 && d.hi == -1);
    be[0] = 0;
    assert_false(frz__pq_decimal_be(slice_of(be, 20), &d));
    memset(be, 0, 4);
    assert_false(frz__pq_decimal_be(slice_of(be, 20), &d)); /* 2^127 and more */
    assert_true(frz__pq_decimal_be(slice_of(be, 0), &d) && d.lo == 0 && d.hi == 0);
}

/* ── statistics that mislead ── */

TEST(pq_stats, nan_and_zero_bounds_never_rule_a_row_out)
{
    struct pq_leaf l;
    struct pred_stats st = {0};
    double nan_ = NAN, one = 1, zero = 0, minus_zero = -0.0;
    (void)type_of_elem(ELEM(PQ_DOUBLE, -1), &l);
    frz__pq_stat_bounds(&l, slice_of(&nan_, 8), slice_of(&one, 8), &st);
    assert_false(st.has_min || st.has_max);
    frz__pq_stat_bounds(&l, slice_of(&one, 8), slice_of(&nan_, 8), &st);
    assert_false(st.has_min || st.has_max);
    frz__pq_stat_bounds(&l, slice_of(&zero, 8), slice_of(&minus_zero, 8), &st);
    assert_true(st.has_min && signbit(st.min.as.f64) && st.has_max && !signbit(st.max.as.f64));
    st = (struct pred_stats){0};
    frz__pq_stat_bounds(&l, slice_of(&one, 8), slice_of(&zero, 8), &st); /* the wrong way round */
    assert_false(st.has_min || st.has_max);
    frz__pq_stat_bounds(&l, slice_of(&one, 4), slice_of(&one, 8), &st); /* one of no double */
    assert_false(st.has_min);
    assert_true(st.has_max);
}

static struct pq_file stats_file(struct pq_footer *foot, struct pq_group *g, struct pq_chunk *k, struct pq_leaf *l, uint64_t *first_rows)
{
    *g = (struct pq_group){.chunks = k, .chunk_count = 1, .rows = 10};
    first_rows[0] = 0;
    first_rows[1] = 10;
    foot->groups = g;
    foot->group_count = 1;
    return (struct pq_file){.foot = *foot, .leaf_count = 1, .leaves = l, .first_rows = first_rows};
}

TEST(pq_stats, trusts_bounds_only_with_their_order)
{
    struct pq_leaf l;
    struct pq_footer foot = {0};
    struct pq_group g;
    struct pq_chunk k = PQ_CHUNK_NONE;
    struct pred_stats st;
    uint64_t first_rows[2];
    uint8_t order = PQ_ORDER_TYPE;
    (void)type_of_elem(ELEM(PQ_BYTE_ARRAY, PQ_CT_UTF8), &l);
    k.has_meta = k.has_statistics = true;
    k.statistics.min = slice_str("a");
    k.statistics.max = slice_str("b");
    struct pq_file f = stats_file(&foot, &g, &k, &l, first_rows);
    assert_false(frz__pq_group_stats(&f, 0, 0, &st)); /* no column orders */
    f.foot.orders = &order;
    f.foot.order_count = 1;
    assert_true(frz__pq_group_stats(&f, 0, 0, &st) && st.has_min && st.has_max && !st.has_nulls);
    order = PQ_ORDER_IEEE_754;
    assert_false(frz__pq_group_stats(&f, 0, 0, &st));
    k.statistics = (struct pq_statistics){.nulls = 3, .distinct = -1, .nans = -1, .min_old = slice_str("a"), .max_old = slice_str("b")};
    assert_true(frz__pq_group_stats(&f, 0, 0, &st) && !st.has_min && !st.has_max && st.has_nulls && st.nulls == 3); /* strings were compared as signed bytes */
    k.statistics.nulls = 11; /* of 10 rows */
    assert_false(frz__pq_group_stats(&f, 0, 0, &st));
    (void)type_of_elem(ELEM(PQ_INT32, -1), &l);
    k.statistics.min_old = slice_of("\x01\0\0\0", 4);
    k.statistics.max_old = slice_of("\x02\0\0\0", 4);
    assert_true(frz__pq_group_stats(&f, 0, 0, &st) && st.min.as.i32 == 1 && st.max.as.i32 == 2); /* numbers may be believed */
    (void)type_of_elem(ELEM(PQ_INT32, PQ_CT_UINT_32), &l);
    assert_false(frz__pq_group_stats(&f, 0, 0, &st));
}

/* ── hostile files ── */

/* Counts what is asked for at once. */
struct watched { frz_allocator vt; size_t most; };
static void *w_alloc(void *ctx, size_t n)
{
    struct watched *w = (struct watched *)ctx;
    if (n > w->most) w->most = n;
    return malloc(n);
}
static void *w_realloc(void *ctx, void *p, size_t n)
{
    struct watched *w = (struct watched *)ctx;
    if (n > w->most) w->most = n;
    return realloc(p, n);
}
static void w_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static bool is_clean(int rc) { return rc == FRZ_OK || rc == FRZ_DONE || rc == FRZ_CORRUPT || rc == FRZ_UNSUPPORTED || rc == FRZ_TOO_LARGE || rc == FRZ_INVALID; }

/* Everything a reader can be asked of a file. */
static int exercise(struct mem *m, const allocator *a)
{
    struct codec_ctx *ctx;
    struct pq_file *f;
    frz_error err = {0};
    uint64_t pages;
    int found = 0, rc = frz__codec_ctx_new(a, &ctx, &err);
    if (rc < 0) return rc;
    rc = frz__pq_open(a, source_of(m), &f, &err);
    if (rc < 0) {
        frz__codec_ctx_free(ctx);
        return rc;
    }
    int worst = FRZ_OK;
    for (size_t c = 0; c < frz__pq_col_count(f); c++) {
        frz_type t = frz__pq_col(f, c)->type;
        struct pq_scan *s;
        struct vecs out;
        uint64_t first;
        if (t.id == FRZ_NULL) continue;
        rc = frz__vecs_init(&out, a, &t, 1, &err);
        if (rc >= 0) rc = frz__pq_scan_new(NULL, f, &c, &t, 1, NULL, 0, ctx, &s, &err);
        if (rc >= 0) {
            for (int n = 0; n < 50 && (rc = frz__pq_scan_next(s, 150, &out, &first, &err)) == FRZ_OK; n++) assert_int_equal(out.cols[0].len, out.rows);
            frz__pq_scan_free(s);
        }
        frz__vecs_clear(&out);
        if (rc < 0) worst = rc;
        for (size_t g = 0; g < frz__pq_group_count(f); g++) {
            struct pred_stats st;
            bool known;
            (void)frz__pq_group_stats(f, g, c, &st);
            rc = frz__pq_page_stats(f, g, c, 0, &st, &known, &err);
            struct vec v;
            frz__vec_init(&v, a, t);
            if (rc >= 0 && frz__pq_group_rows(f, g)) rc = frz__pq_page_read(f, g, c, 0, ctx, &v, &err);
            frz__vec_clear(&v);
            if (rc < 0) worst = rc;
        }
        if (worst == FRZ_NO_MEMORY) break;
    }
    rc = frz__pq_verify(f, ctx, count_finding, &found, &pages, &err);
    if (rc < 0) worst = rc;
    frz__pq_free(f);
    frz__codec_ctx_free(ctx);
    return worst;
}

static struct watched watched_new(struct watched *w)
{
    *w = (struct watched){{w, w_alloc, w_realloc, w_free}, 0};
    return *w;
}

TEST(pq_hostile, cut_files_are_errors_at_every_length)
{
    static const char *const files[] = {"duckdb_v2_zstd", "pyarrow_empty"};
    for (size_t k = 0; k < FRZ_ARRAY_LEN(files); k++) {
        struct mem m = load(files[k]);
        for (size_t cut = 0; cut < m.n; cut++) {
            struct mem part = {(uint8_t *)malloc(cut + 1), cut, 0};
            struct watched w;
            memcpy(part.p, m.p, cut);
            (void)watched_new(&w);
            assert_int_equal(exercise(&part, &w.vt), FRZ_CORRUPT);
            assert_true(w.most < 1 << 20);
            free(part.p);
        }
        free(m.p);
    }
}

TEST(pq_hostile, flipped_bits_are_errors_or_other_values_never_more)
{
    struct rng r = {test_seed(23)};
    for (size_t k = 0; k < FRZ_ARRAY_LEN(golden); k++) {
        struct mem m = load(golden[k]);
        uint8_t *sound = (uint8_t *)malloc(m.n);
        memcpy(sound, m.p, m.n);
        for (int i = 0; i < 60; i++) {
            struct watched w;
            /* half of the flips in the footer, where most structure is */
            for (uint64_t flips = 1 + rng_below(&r, 3); flips; flips--) {
                size_t footer = load_u32(sound + m.n - 8) + 8, at = rng_below(&r, 2) ? m.n - 1 - rng_below(&r, footer) : rng_below(&r, m.n);
                m.p[at] ^= (uint8_t)(1u << rng_below(&r, 8));
            }
            (void)watched_new(&w);
            int rc = exercise(&m, &w.vt);
            if (!is_clean(rc)) fail_msg("%s: %d", golden[k], rc);
            if (w.most >= 64 << 20) fail_msg("%s: %zu bytes asked for", golden[k], w.most);
            memcpy(m.p, sound, m.n);
        }
        free(sound);
        free(m.p);
    }
}

TEST(pq_hostile, the_minimal_file_survives_any_byte_set_to_anything)
{
    struct rng r = {test_seed(24)};
    struct mem m = from_hex(minimal);
    for (size_t at = 0; at < m.n; at++) {
        uint8_t was = m.p[at];
        for (int i = 0; i < 12; i++) {
            struct watched w;
            (void)watched_new(&w);
            m.p[at] = i == 0 ? 0xFF : i == 1 ? 0 : i == 2 ? 0x7F : (uint8_t)rng_next(&r);
            assert_true(is_clean(exercise(&m, &w.vt)));
            assert_true(w.most < 64 << 20);
        }
        m.p[at] = was;
    }
    free(m.p);
}

TEST(pq_torture, fails_cleanly_at_every_allocation)
{
    static const char *const files[] = {"duckdb_v2_zstd", "pyarrow_delta"};
    for (size_t k = 0; k < FRZ_ARRAY_LEN(files); k++) {
        struct mem m = load(files[k]);
        bool through = false;
        for (long n = 1; n < 3000 && !through; n += 1 + n / 40) {
            struct test_alloc t;
            test_alloc_init(&t, n);
            int rc = exercise(&m, &t.vt);
            assert_int_equal(t.live, 0);
            through = t.calls < n;
            assert_int_equal(rc, through ? FRZ_OK : FRZ_NO_MEMORY);
        }
        assert_true(through);
        free(m.p);
    }
}

/* ── threads ── */

struct reader_job { struct pool_job job; struct pq_file *f; _Atomic int *bad; _Atomic int *left; };
static void read_all(void *arg)
{
    struct reader_job *j = (struct reader_job *)arg;
    struct codec_ctx *ctx;
    frz_error err;
    if (frz__codec_ctx_new(NULL, &ctx, &err) < 0) return;
    for (size_t g = 0; g < frz__pq_group_count(j->f); g++) {
        for (size_t c = 0; c < frz__pq_col_count(j->f); c++) {
            const struct pq_pages *pages;
            struct vec v;
            struct pred_stats st;
            bool known;
            if (frz__pq_col(j->f, c)->type.id == FRZ_NULL) continue;
            frz__vec_init(&v, NULL, frz__pq_col(j->f, c)->type);
            int rc = frz__pq_pages(j->f, g, c, &pages, &err);
            for (size_t p = 0; rc >= 0 && p < pages->count; p++) {
                rc = frz__pq_page_read(j->f, g, c, p, ctx, &v, &err);
                if (rc >= 0) rc = frz__pq_page_stats(j->f, g, c, p, &st, &known, &err);
            }
            if (rc < 0 || v.len != frz__pq_group_rows(j->f, g)) atomic_fetch_add(j->bad, 1);
            frz__vec_clear(&v);
        }
    }
    frz__codec_ctx_free(ctx);
    atomic_fetch_sub(j->left, 1);
}

TEST(pq_reader, one_file_is_read_by_many_threads)
{
    struct mem m = load("pyarrow_v2_zstd");
    struct reader_job jobs[4];
    struct pq_file *f;
    struct pool *pool;
    frz_error err;
    _Atomic int bad = 0, left = 4;
    OK(frz__pq_open(NULL, source_of(&m), &f, &err), &err);
    OK(frz__pool_start(NULL, 4, &pool, &err), &err);
    for (size_t i = 0; i < 4; i++) {
        jobs[i] = (struct reader_job){.job = {.fn = read_all, .arg = &jobs[i]}, .f = f, .bad = &bad, .left = &left};
        assert_true(frz__pool_submit(pool, &jobs[i].job, false));
    }
    while (atomic_load(&left)) { /* stop drops what is still queued */
    }
    frz__pool_stop(pool);
    assert_int_equal(bad, 0);
    frz__pq_free(f);
    free(m.p);
}
