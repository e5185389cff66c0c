/* Goal: cursors and scans give the live rows of a range, each once, in order, either way, whatever the mask, the batch and the columns. Method: the sorted array beside them, seeded. */
#include "sst_fixture.h"
#include "types/pred.h"

/* a mask as a plain bit set */
struct bits { const uint8_t *dead; };
static void clear_dead(const void *mask, uint64_t from, size_t count, uint8_t *selected)
{
    const struct bits *m = mask;
    for (size_t i = 0; i < count; i++)
        if (bit_get(m->dead, from + i)) bit_clear(selected, i);
}

struct bed {
    struct fx x;
    struct fx_table t;
    struct sst *s;
    uint8_t *dead;
    struct bits mask;
};

static void bed_open(struct bed *b, const char *columns, const char *key, size_t n, uint64_t group_rows, uint64_t seed)
{
    memset(b, 0, sizeof *b);
    fx_open(&b->x, 1 << 20);
    fx_table_random(&b->t, columns, key, n, seed);
    struct sst_writer_options o = fx_options(&b->t);
    o.row_group_rows = group_rows;
    b->s = fx_file(&b->x, "t.parquet", 1, &b->t, &o);
    b->dead = calloc(1, n / 8 + 8);
    b->mask.dead = b->dead;
}

static void bed_close(struct bed *b)
{
    frz__sst_release(b->s);
    free(b->dead);
    fx_table_clear(&b->t);
    fx_close(&b->x);
}

static void random_dead(struct bed *b, struct rng *r)
{
    memset(b->dead, 0, b->t.n / 8 + 1);
    switch (rng_below(r, 5)) {
    case 0: return;
    case 1: memset(b->dead, 0xFF, b->t.n / 8 + 1); return;
    case 2: for (size_t i = 0; i < b->t.n; i++) if (i / 1500 % 2) bit_set(b->dead, i); return; /* whole pages */
    default: for (size_t i = 0; i < b->t.n; i++) if (rng_below(r, 3) == 0) bit_set(b->dead, i); return;
    }
}

/* The live rows of [from, to), walked by an iterator. */
static void check_iter(struct bed *b, const struct sst_scan_options *o, size_t from, size_t to)
{
    const struct fx_table *t = &b->t;
    struct iter *it = NULL;
    struct buf scratch = BUF_INIT(NULL, 0);
    frz_value *want = calloc(t->schema->count, sizeof *want);
    size_t columns = o->columns ? o->column_count : t->schema->count, seen = 0;
    OK(frz__sst_iter_new(b->s, o, &it, &err), &err);
    for (size_t k = 0; k < to - from; k++) {
        size_t i = o->reverse ? to - 1 - k : from + k;
        if (o->mask && bit_get(b->dead, i)) continue;
        OK(iter_next(it, &err), &err);
        assert_int_equal(it->pos, i);
        assert_int_equal(it->tag, 1);
        assert_int_equal(it->op, OP_PUT);
        assert_null(it->row.data);
        if (o->keys) assert_true(slice_eq(it->key, t->rows[i].key));
        assert_int_equal(it->vecs->count, columns + (o->lineage ? 2 : 0));
        if (seen++ % 7) continue;
        fx_expect(t, i, want, &scratch);
        for (size_t c = 0; c < columns; c++) {
            frz_value got;
            frz__vec_get(&it->vecs->cols[c], it->index, &got);
            fx_same(&got, &want[o->columns ? o->columns[c] : c], "iter", i, c);
        }
        for (size_t c = 0; o->lineage && c < 2; c++) {
            frz_value got;
            frz__vec_get(&it->vecs->cols[columns + c], it->index, &got);
            assert_int_equal(value_is_null(&got) ? -1 : got.as.i64, c ? t->rows[i].updated : t->rows[i].row_id);
        }
    }
    RC(iter_next(it, &err), FRZ_DONE, &err);
    RC(iter_next(it, &err), FRZ_DONE, &err);
    iter_free(it);
    free(want);
    buf_clear(&scratch);
}

/* The same by whole vectors. */
static void check_scan(struct bed *b, const struct sst_scan_options *o, size_t from, size_t to, size_t max_rows)
{
    const struct fx_table *t = &b->t;
    struct sst_scan *sc = NULL;
    struct vecs out;
    struct buf scratch = BUF_INIT(NULL, 0);
    frz_value *want = calloc(t->schema->count, sizeof *want);
    size_t columns = o->columns ? o->column_count : t->schema->count, i = from;
    frz_type types[32];
    for (size_t c = 0; c < columns; c++) types[c] = t->schema->columns[o->columns ? o->columns[c] : c].type;
    types[columns] = types[columns + 1] = (frz_type){FRZ_LONG, 0, 0, 0};
    OK(frz__vecs_init(&out, NULL, types, columns + (o->lineage ? 2 : 0), &err), &err);
    OK(frz__sst_scan_new(b->s, o, &sc, &err), &err);
    for (;;) {
        int rc = frz__sst_scan_next(sc, max_rows, &out, &err);
        if (rc == FRZ_DONE) break;
        OK(rc, &err);
        assert_true(out.rows > 0 && out.rows <= max_rows);
        for (size_t k = 0; k < out.rows; k++, i++) {
            while (i < to && o->mask && bit_get(b->dead, i)) i++;
            assert_true(i < to);
            if (k % 7) continue;
            fx_expect(t, i, want, &scratch);
            for (size_t c = 0; c < columns; c++) {
                frz_value got;
                assert_int_equal(out.cols[c].len, out.rows);
                frz__vec_get(&out.cols[c], k, &got);
                fx_same(&got, &want[o->columns ? o->columns[c] : c], "scan", i, c);
            }
            for (size_t c = 0; o->lineage && c < 2; c++) {
                frz_value got;
                frz__vec_get(&out.cols[columns + c], k, &got);
                assert_int_equal(value_is_null(&got) ? -1 : got.as.i64, c ? t->rows[i].updated : t->rows[i].row_id);
            }
        }
    }
    while (i < to && o->mask && bit_get(b->dead, i)) i++;
    assert_int_equal(i, to);
    RC(frz__sst_scan_next(sc, max_rows, &out, &err), FRZ_DONE, &err);
    frz__sst_scan_free(sc);
    frz__vecs_clear(&out);
    free(want);
    buf_clear(&scratch);
}

/* A bound: a key of the table, one beside it, or none. */
static slice random_bound(struct bed *b, struct rng *r, uint8_t *room)
{
    if (rng_below(r, 4) == 0 || b->t.n == 0) return slice_of(NULL, 0);
    slice k = b->t.rows[rng_below(r, b->t.n)].key;
    memcpy(room, k.data, k.len);
    switch (rng_below(r, 4)) {
    case 0: room[k.len] = 0; return slice_of(room, k.len + 1);
    case 1: return slice_of(room, k.len ? k.len - 1 : 0);
    case 2: return slice_of(room, 0); /* the empty key: a bound all the same */
    default: return slice_of(room, k.len);
    }
}

static void property(struct bed *b, uint64_t seed, int rounds)
{
    struct rng r = {seed};
    for (int round = 0; round < rounds; round++) {
        uint8_t room[2][4096];
        size_t columns[32], n = rng_below(&r, b->t.schema->count + 1);
        for (size_t c = 0; c < n; c++) columns[c] = rng_below(&r, b->t.schema->count); /* any order, one twice */
        struct sst_scan_options o = {.lineage = rng_below(&r, 2), .keys = rng_below(&r, 4), .reverse = rng_below(&r, 2), .from = random_bound(b, &r, room[0]), .to = random_bound(b, &r, room[1])};
        if (o.from.data && rng_below(&r, 2)) { /* a few rows */
            size_t at = fx_lower(&b->t, o.from) + rng_below(&r, 3) * rng_below(&r, 700);
            if (at < b->t.n) o.to = b->t.rows[at].key;
        }
        if (rng_below(&r, 2)) o.columns = columns, o.column_count = n;
        random_dead(b, &r);
        if (rng_below(&r, 3)) o.mask = &b->mask, o.mask_fn = clear_dead;
        size_t from = o.from.data ? fx_lower(&b->t, o.from) : 0, to = o.to.data ? fx_lower(&b->t, o.to) : b->t.n;
        if (to < from) to = from;
        check_iter(b, &o, from, to);
        o.reverse = false;
        check_scan(b, &o, from, to, (size_t[]){1 + rng_below(&r, 3000), 1024, 16384, 100000}[rng_below(&r, 4)]);
    }
}

TEST(sst_scan, gives_the_live_rows_of_any_range_either_way)
{
    struct bed b;
    bed_open(&b, "a string, k long, i int?, s string?, f double?, x fixed[3]?, y boolean?", "a,k", 7000, 2048, 1);
    property(&b, test_seed(1), 40);
    bed_close(&b);
}

TEST(sst_scan, gives_the_live_rows_of_one_row_group_and_of_small_files)
{
    struct bed b;
    bed_open(&b, "k long, s string?, u uuid?", "k", 5000, 0, 2);
    property(&b, test_seed(2), 25);
    bed_close(&b);
    for (size_t n = 0; n < 4; n++) {
        bed_open(&b, "k string, s string?", "k", n, 0, n);
        property(&b, n, 20);
        bed_close(&b);
    }
    bed_open(&b, "k int, s decimal(20,3)", "k", 1024, 0, 4);
    property(&b, 4, 15);
    bed_close(&b);
}

TEST(sst_scan, of_no_columns_counts)
{
    struct bed b;
    size_t none = 0;
    bed_open(&b, "k long, s string?", "k", 5000, 2048, 2);
    for (size_t i = 0; i < 5000; i += 3) bit_set(b.dead, i);
    struct sst_scan_options o = {.columns = &none, .column_count = 0, .mask = &b.mask, .mask_fn = clear_dead};
    struct sst_scan *sc = NULL;
    struct vecs out;
    uint64_t rows = 0;
    OK(frz__vecs_init(&out, NULL, NULL, 0, &err), &err);
    OK(frz__sst_scan_new(b.s, &o, &sc, &err), &err);
    while (frz__sst_scan_next(sc, 700, &out, &err) == FRZ_OK) rows += out.rows;
    assert_int_equal(rows, 5000 - 1667);
    frz__sst_scan_free(sc);
    frz__vecs_clear(&out);
    bed_close(&b);
}

TEST(sst_scan, of_few_rows_reads_cached_pages)
{
    struct bed b;
    bed_open(&b, "k long, s string?", "k", 9000, 2048, 3);
    struct sst_scan_options o = {.keys = true, .from = b.t.rows[2000].key, .to = b.t.rows[2100].key}; /* across a row group's end */
    check_iter(&b, &o, 2000, 2100);
    uint64_t pages = b.x.counters.value_pages_read, stripes = b.x.counters.key_pages_read;
    assert_true(pages > 0);
    for (int reverse = 0; reverse < 2; reverse++) {
        o.reverse = reverse;
        check_iter(&b, &o, 2000, 2100);
    }
    assert_int_equal(b.x.counters.value_pages_read, pages);
    assert_int_equal(b.x.counters.key_pages_read, stripes);
    bed_close(&b);
}

/* ── rows that pack well ── */

/* N rows, those from WIDE on with LEN zero bytes each, but for some nulls; those before with none. */
static void wide_open(struct bed *b, size_t n, size_t wide, size_t len)
{
    memset(b, 0, sizeof *b);
    fx_open(&b->x, 1 << 20);
    fx_table_new(&b->t, "k long, b binary?", "k", n);
    uint8_t *zeros = calloc(1, len);
    for (size_t i = 0; i < n; i++) {
        frz_value values[2] = {{FRZ_LONG, 0, {.i64 = (int64_t)i}}, {FRZ_BINARY, 0, {0}}};
        values[1].as.bytes.data = zeros;
        values[1].as.bytes.len = i < wide ? 0 : len;
        if (i % 10 == 3) values[1] = value_null();
        fx_push(&b->t, values);
    }
    free(zeros);
    struct sst_writer_options o = fx_options(&b->t);
    b->s = fx_file(&b->x, "t.parquet", 1, &b->t, &o);
    b->dead = calloc(1, n / 8 + 8);
}

/* No vector has more than half of MEMORY (0: what is taken where nobody says), unless a single row does. */
static void check_bytes(struct bed *b, size_t memory)
{
    size_t most = memory ? memory / 2 : (size_t)16 << 20, key = 0;
    struct sst_scan_options o = {.keys = true, .memory_bytes = memory};
    for (int reverse = 0; reverse < 2; reverse++) {
        struct iter *it = NULL;
        size_t n = 0;
        o.reverse = reverse;
        OK(frz__sst_iter_new(b->s, &o, &it, &err), &err);
        for (; iter_next(it, &err) == FRZ_OK; n++) assert_true(it->vecs->rows == 1 || vec_used(&it->vecs->cols[1]) <= most);
        assert_int_equal(n, b->t.n);
        iter_free(it);
        check_iter(b, &o, 0, b->t.n);
        struct sst_scan_options few = o;
        few.columns = &key;
        few.column_count = 1;
        check_iter(b, &few, 0, b->t.n);
    }
    struct sst_scan *sc = NULL;
    struct vecs out;
    size_t n = 0;
    o.reverse = false;
    OK(frz__vecs_init(&out, NULL, (frz_type[]){{FRZ_LONG, 0, 0, 0}, {FRZ_BINARY, 0, 0, 0}}, 2, &err), &err);
    OK(frz__sst_scan_new(b->s, &o, &sc, &err), &err);
    for (; frz__sst_scan_next(sc, 16384, &out, &err) == FRZ_OK; n += out.rows) assert_true(out.rows == 1 || vec_used(&out.cols[1]) <= most);
    assert_int_equal(n, b->t.n);
    frz__sst_scan_free(sc);
    frz__vecs_clear(&out);
    check_scan(b, &o, 0, b->t.n, 16384);
}

TEST(sst_scan, rows_that_pack_well_come_in_batches_of_few_bytes)
{
    static const struct { size_t rows, wide, len; } files[] = {
        {200, 0, 100000},    /* alike */
        {320, 300, 200000},  /* wide at the end, as the average does not show: few bytes, */
        {340, 300, 200000},  /* and many, */
        {3000, 2950, 100000} /* and many rows */
    };
    static const size_t memory[] = {65536, 524288, 0};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(files); i++) {
        struct bed b;
        wide_open(&b, files[i].rows, files[i].wide, files[i].len);
        assert_true(b.s->bytes < (uint64_t)1 << 20); /* packed */
        assert_in_range(b.s->row_bytes, files[i].len * (files[i].rows - files[i].wide) / files[i].rows / 10 * 8, files[i].len + 64);
        for (size_t k = 0; k < FRZ_ARRAY_LEN(memory); k++) check_bytes(&b, memory[k]);
        bed_close(&b);
    }
}

/* ── predicates ── */

static uint64_t scanned(struct bed *b, const char *text, struct sst_scan_options o, uint64_t *passing)
{
    struct pred *p = NULL;
    struct sst_scan *sc = NULL;
    struct vecs out;
    frz_type types[8];
    const struct vec *cols[8];
    uint64_t rows = 0;
    *passing = 0;
    for (size_t c = 0; c < b->t.schema->count; c++) types[c] = b->t.schema->columns[c].type;
    OK(frz__pred_parse(NULL, b->t.schema, slice_str(text), &p, &err), &err);
    OK(frz__vecs_init(&out, NULL, types, b->t.schema->count, &err), &err);
    o.pred = p;
    OK(frz__sst_scan_new(b->s, &o, &sc, &err), &err);
    while (frz__sst_scan_next(sc, 4096, &out, &err) == FRZ_OK) {
        uint8_t sel[512];
        memset(sel, 0xFF, sizeof sel);
        for (size_t c = 0; c < out.count; c++) cols[c] = &out.cols[c];
        OK(frz__pred_eval(p, cols, out.rows, sel, &err), &err);
        rows += out.rows;
        *passing += bits_count(sel, out.rows);
    }
    frz__sst_scan_free(sc);
    frz__vecs_clear(&out);
    frz__pred_free(p);
    return rows;
}

TEST(sst_scan, leaves_out_what_statistics_rule_out_and_nothing_else)
{
    struct bed b;
    uint64_t passing;
    memset(&b, 0, sizeof b);
    fx_open(&b.x, 1 << 20);
    fx_table_new(&b.t, "k long, day int, s string?", "k", 20000);
    for (int i = 0; i < 20000; i++) {
        char text[16];
        snprintf(text, sizeof text, "s%05d", i);
        frz_value v[3] = {value_i64(FRZ_LONG, i), value_i32(FRZ_INT, i / 1000), i >= 10000 && i < 15000 ? value_null() : value_bytes(FRZ_STRING, slice_str(text))};
        fx_push(&b.t, v);
    }
    struct sst_writer_options o = fx_options(&b.t);
    o.row_group_rows = 8192;
    o.page_bytes = 4096;
    b.s = fx_file(&b.x, "t.parquet", 1, &b.t, &o);
    struct sst_scan_options all = {0};
    assert_int_equal(scanned(&b, "day >= 0", all, &passing), 20000);
    assert_int_equal(passing, 20000);
    uint64_t got = scanned(&b, "day = 7", all, &passing);
    if (got > 3072) fail_msg("%d rows", (int)got);
    assert_int_equal(passing, 1000);
    assert_int_equal(scanned(&b, "k = 12345", all, &passing), 1024);
    assert_int_equal(passing, 1);
    assert_int_equal(scanned(&b, "k > 100000", all, &passing), 0);
    assert_true(scanned(&b, "day = 3 OR s = 's19999'", all, &passing) < 8000);
    assert_int_equal(passing, 1001);
    assert_true(scanned(&b, "s IS NULL", all, &passing) < 20000);
    assert_int_equal(passing, 5000);
    /* with a range: both hold */
    uint8_t from[8];
    store_u64_be(from, (uint64_t)7500 ^ UINT64_C(1) << 63);
    all.from = slice_of(from, 8);
    assert_true(scanned(&b, "day = 7", all, &passing) <= 2048);
    assert_int_equal(passing, 500);
    all.from = slice_of(NULL, 0);
    /* a cursor skips them too */
    struct pred *p = NULL;
    struct iter *it = NULL;
    OK(frz__pred_parse(NULL, b.t.schema, slice_str("k BETWEEN 5000 AND 5001 OR k = 17000"), &p, &err), &err);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct sst_scan_options io = {.keys = true, .pred = p, .reverse = reverse};
        size_t n = 0;
        uint64_t last = 0;
        OK(frz__sst_iter_new(b.s, &io, &it, &err), &err);
        for (; iter_next(it, &err) == FRZ_OK; n++) {
            assert_true(n == 0 || (reverse ? it->pos < last : it->pos > last));
            assert_true(slice_eq(it->key, b.t.rows[it->pos].key));
            last = it->pos;
        }
        assert_int_equal(n, 2048);
        iter_free(it);
    }
    frz__pred_free(p);
    bed_close(&b);
}
