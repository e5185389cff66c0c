/* Goal: a table file answers as the sorted array of its rows does: probe, bounds, keys, rows, statistics, and with no more pages than promised.
 * Method: every key type and composite, sizes around a key page, long and empty keys; counters and counted reads. */
#include "sst_fixture.h"
#include <math.h>

/* ── one file against its array ── */

static void check_point_reads(struct fx *x, struct sst *s, const struct fx_table *t, uint64_t seed)
{
    struct rng r = {seed};
    struct buf key = BUF_INIT(NULL, 0), scratch = BUF_INIT(NULL, 0);
    frz_row *row = NULL;
    OK(frz__row_new(NULL, t->schema, &row, &err), &err);
    frz_value *want = calloc(t->schema->count, sizeof *want);
    for (size_t i = 0; i < t->n; i++) {
        slice k = t->rows[i].key;
        uint64_t pos = 77;
        OK(frz__sst_probe(s, k, frz__hash64(k), x->codec, &pos, &err), &err);
        assert_int_equal(pos, i);
        if (t->n > 200 && rng_below(&r, 16) && i % 1024 > 1 && i % 1024 < 1022) continue; /* the rest for a sample, and at the ends of pages */
        OK(frz__sst_lower_bound(s, k, x->codec, &pos, &err), &err);
        assert_int_equal(pos, i);
        buf_reset(&key);
        OK(frz__sst_key_at(s, i, x->codec, &key, &err), &err);
        assert_true(slice_eq(buf_slice(&key), k));
        OK(frz__sst_row(s, i, NULL, x->codec, row, &err), &err);
        fx_expect(t, i, want, &scratch);
        for (size_t c = 0; c < t->schema->count; c++) {
            frz_value got;
            assert_true(bit_get(row->set, c));
            got = row->values[c];
            fx_same(&got, &want[c], "row", i, c);
        }
        int64_t row_id, updated;
        OK(frz__sst_lineage(s, i, x->codec, &row_id, &updated, &err), &err);
        assert_int_equal(row_id, t->rows[i].row_id);
        assert_int_equal(updated, t->rows[i].updated);
        /* keys that are not there: the next string that there is, and one cut short */
        buf_reset(&key);
        OK(buf_append_slice(&key, k, &err), &err);
        OK(buf_append_byte(&key, 0, &err), &err);
        if (i + 1 == t->n || slice_cmp(buf_slice(&key), t->rows[i + 1].key) < 0) {
            RC(frz__sst_probe(s, buf_slice(&key), frz__hash64(buf_slice(&key)), x->codec, &pos, &err), FRZ_NOT_FOUND, &err);
            OK(frz__sst_lower_bound(s, buf_slice(&key), x->codec, &pos, &err), &err);
            assert_int_equal(pos, i + 1);
        }
        if (k.len == 0) continue;
        slice cut = slice_of(k.data, k.len - 1);
        OK(frz__sst_lower_bound(s, cut, x->codec, &pos, &err), &err);
        assert_int_equal(pos, fx_lower(t, cut));
    }
    free(want);
    frz__row_free(row);
    buf_clear(&key);
    buf_clear(&scratch);
}

static int no_finding(void *ctx, const char *where, const char *what)
{
    (void)ctx;
    fail_msg("%s: %s", where, what);
    return 0;
}
static int count_keys(void *ctx, slice key, uint64_t pos)
{
    const struct fx_table *t = ctx;
    assert_true(pos < t->n && slice_eq(key, t->rows[pos].key));
    return 0;
}

static void check_file(const char *columns, const char *key, size_t n, uint64_t group_rows, uint64_t seed)
{
    struct fx x;
    struct fx_table t;
    uint64_t pages = 0, pos;
    fx_open(&x, 1 << 20);
    fx_table_random(&t, columns, key, n, seed);
    struct sst_writer_options o = fx_options(&t);
    o.row_group_rows = group_rows;
    struct sst *s = fx_file(&x, "t.parquet", 1, &t, &o);
    assert_true(s->sorted);
    assert_int_equal(s->rows, t.n);
    assert_int_equal(s->level_hint, 2);
    assert_int_equal(s->seq_first, 5);
    assert_int_equal(s->seq_last, 9000);
    if (t.n) assert_true(slice_eq(s->first_key, t.rows[0].key) && slice_eq(s->last_key, t.rows[t.n - 1].key));
    else assert_true(s->first_key.len == 0 && s->last_key.len == 0);
    check_point_reads(&x, s, &t, seed);
    RC(frz__sst_probe(s, slice_str("\xFF\xFF\xFFnone"), 12345, x.codec, &pos, &err), FRZ_NOT_FOUND, &err);
    OK(frz__sst_verify(s, no_finding, count_keys, &t, &pages, &err), &err);
    frz__sst_release(s);
    fx_table_clear(&t);
    fx_close(&x);
}

#define ALL_VALUES ", b1 boolean?, i1 int?, l1 long?, f1 float?, d1 double?, m1 decimal(9,2)?, m2 decimal(38,10)?, dt date?, tm time?, ts timestamp?, tz timestamptz?, tn timestamp_ns?, " \
                   "tzn timestamptz_ns?, s1 string?, u1 uuid?, x1 fixed[5]?, bin binary?, s2 string"

TEST(sst, answers_for_keys_of_every_type)
{
    const char *types[] = {"boolean", "int", "long", "decimal(9,2)", "decimal(38,3)", "date", "time", "timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns", "string", "uuid", "fixed[7]", "binary"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(types); i++) {
        char columns[512];
        snprintf(columns, sizeof columns, "k %s, v string?", types[i]);
        check_file(columns, "k", 1300, 0, i + 1);
    }
}

TEST(sst, answers_for_composite_keys)
{
    check_file("a int, b long, v int?", "b,a", 1500, 0, 1);
    check_file("a string, v double?, b binary, c int", "a,b,c", 1500, 0, 2);
    check_file("a boolean, b string, v int?", "a,b", 1200, 0, 3);
    check_file("a uuid, b fixed[3], c decimal(9,2), d date", "d,c,b,a", 1100, 0, 4);
    check_file("a binary, b string", "a,b", 1100, 0, 5);
}

TEST(sst, answers_with_rows_around_a_key_page)
{
    size_t sizes[] = {0, 1, 2, 1023, 1024, 1025, 2048, 2049};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(sizes); i++) check_file("k long, v string?", "k", sizes[i], 0, i + 20);
}

TEST(sst, answers_with_all_value_types_and_nulls) { check_file("k long" ALL_VALUES, "k", 1100, 0, 40); }
TEST(sst, answers_over_several_row_groups) { check_file("k string, v long?, w string?", "k", 9000, 2048, 41); }

TEST(sst, answers_for_keys_of_60_kib_and_for_the_empty_one)
{
    struct fx x;
    struct fx_table t;
    uint64_t pages;
    fx_open(&x, 1 << 20);
    fx_table_new(&t, "k string, v int", "k", 24);
    char *big = malloc(60 << 10);
    memset(big, 'x', 60 << 10);
    for (int i = 0; i < 22; i++) {
        big[(60 << 10) - 1] = (char)('a' + i);
        frz_value v[2] = {value_bytes(FRZ_STRING, slice_of(big, i == 0 ? 0 : i == 1 ? 1 : 60 << 10)), value_i32(FRZ_INT, i)};
        fx_push(&t, v);
    }
    fx_sort(&t);
    assert_int_equal(t.rows[0].key.len, 0);
    struct sst_writer_options o = fx_options(&t);
    struct sst *s = fx_file(&x, "big.parquet", 1, &t, &o);
    assert_int_equal(s->first_key.len, 0);
    assert_int_equal(s->last_key.len, 60 << 10);
    check_point_reads(&x, s, &t, 1);
    OK(frz__sst_verify(s, no_finding, count_keys, &t, &pages, &err), &err);
    frz__sst_release(s);
    free(big);
    fx_table_clear(&t);
    fx_close(&x);
}

TEST(sst, works_without_a_filter)
{
    struct fx x;
    struct fx_table t;
    fx_open(&x, 1 << 20);
    fx_table_random(&t, "k long, v int?", "k", 3000, 3);
    struct sst_writer_options o = fx_options(&t);
    o.filter_bits = 0;
    o.lineage = false;
    struct sst *s = fx_file(&x, "t.parquet", 1, &t, &o);
    for (size_t i = 0; i < t.n; i++) t.rows[i].row_id = t.rows[i].updated = -1; /* without columns: null */
    check_point_reads(&x, s, &t, 1);
    assert_int_equal(x.counters.filter_checks, 0);
    frz__sst_release(s);
    fx_table_clear(&t);
    fx_close(&x);
}

/* ── writing ── */

TEST(sst_writer, refuses_keys_that_do_not_ascend)
{
    struct fx x;
    struct fx_table t;
    struct file *f = NULL;
    struct sst_writer *w = NULL;
    struct arena ar = ARENA_INIT(NULL);
    struct ice_file out;
    fx_open(&x, 1 << 20);
    fx_table_random(&t, "k long, v int?", "k", 3, 3);
    struct sst_writer_options o = fx_options(&t);
    for (int same = 0; same < 2; same++) {
        OK(frz__fs_open(x.fs, same ? "a" : "b", FS_OPEN_CREATE_NEW, &f, &err), &err);
        OK(frz__sst_writer_new(NULL, f, &o, &w, &err), &err);
        OK(fx_add(w, &t.rows[1], 1), &err);
        FAILS(fx_add(w, &t.rows[same], 1), FRZ_BUG, &err);
        FAILS(fx_add(w, &t.rows[2], 1), FRZ_BUG, &err); /* it has failed for good */
        FAILS(frz__sst_finish(w, &ar, &out, &err), FRZ_BUG, &err);
        frz__sst_writer_free(w);
        OK(frz__file_close(f, &err), &err);
    }
    struct fx_row twice[] = {t.rows[0], t.rows[2], t.rows[1]}; /* within one call too */
    OK(frz__fs_open(x.fs, "c", FS_OPEN_CREATE_NEW, &f, &err), &err);
    OK(frz__sst_writer_new(NULL, f, &o, &w, &err), &err);
    FAILS(fx_add(w, twice, 3), FRZ_BUG, &err);
    frz__sst_writer_free(w);
    OK(frz__file_close(f, &err), &err);
    fx_table_clear(&t);
    fx_close(&x);
}

TEST(sst_writer, tells_iceberg_what_its_manifest_wants)
{
    struct fx x;
    struct fx_table t;
    struct arena ar = ARENA_INIT(NULL);
    struct ice_file out;
    fx_open(&x, 1 << 20);
    fx_table_new(&t, "k long, s string?, f double?", "k", 5000);
    for (int i = 0; i < 5000; i++) {
        frz_value v[3] = {value_i64(FRZ_LONG, i - 100), i % 5 ? value_bytes(FRZ_STRING, slice_str(i % 2 ? "m" : "zz")) : value_null(), {FRZ_DOUBLE, 0, {0}}};
        v[2].as.f64 = i % 100 ? i : (double)NAN;
        fx_push(&t, v);
    }
    struct sst_writer_options o = fx_options(&t);
    o.row_group_rows = 2048;
    OK(fx_try_write(&x, "t.parquet", &t, &o, &out, &ar), &err);
    struct sst *s = fx_reader(&x, "t.parquet", 1, t.schema);
    assert_int_equal(out.content, ICE_DATA);
    assert_int_equal(out.record_count, 5000);
    assert_int_equal(out.file_size, s->bytes);
    assert_int_equal(out.first_row_id, -1);
    assert_int_equal(out.split_count, 3);
    assert_int_equal(out.split_offsets[0], 4);
    assert_true(out.split_offsets[1] > 4 && out.split_offsets[2] > out.split_offsets[1]);
    assert_int_equal(out.stats_count, 3);
    assert_int_equal(out.stats[0].field_id, t.schema->columns[0].id);
    assert_int_equal(out.stats[0].value_count, 5000);
    assert_int_equal((int64_t)load_u64(out.stats[0].lower.data), -100);
    assert_int_equal((int64_t)load_u64(out.stats[0].upper.data), 4899);
    assert_int_equal(out.stats[1].null_count, 1000);
    assert_true(slice_eq(out.stats[1].lower, slice_str("m")) && slice_eq(out.stats[1].upper, slice_str("zz")));
    assert_int_equal(out.stats[1].nan_count, -1);
    assert_int_equal(out.stats[2].nan_count, 50);
    int64_t sizes = 0;
    for (int i = 0; i < 3; i++) sizes += out.stats[i].column_size;
    assert_true(sizes > 0 && sizes < out.file_size);
    frz__sst_release(s);
    frz__arena_clear(&ar);
    fx_table_clear(&t);
    fx_close(&x);
}

TEST(sst_writer, takes_rows_of_vectors_as_it_takes_row_bytes)
{
    struct fx x;
    struct fx_table t;
    struct file *f = NULL;
    struct sst_writer *w = NULL;
    struct arena ar = ARENA_INIT(NULL);
    struct ice_file out;
    struct iter *it = NULL;
    int rc;
    fx_open(&x, 1 << 20);
    fx_table_random(&t, "k string" ALL_VALUES, "k", 2500, 50);
    struct sst_writer_options o = fx_options(&t);
    struct sst *a = fx_file(&x, "a.parquet", 1, &t, &o);
    struct sst_scan_options so = {.keys = true, .lineage = true};
    OK(frz__fs_open(x.fs, "b.parquet", FS_OPEN_CREATE_NEW, &f, &err), &err);
    OK(frz__sst_writer_new(NULL, f, &o, &w, &err), &err);
    OK(frz__sst_iter_new(a, &so, &it, &err), &err);
    while ((rc = iter_next(it, &err)) == FRZ_OK) {
        frz_value id, up;
        frz__vec_get(&it->vecs->cols[t.schema->count], it->index, &id);
        frz__vec_get(&it->vecs->cols[t.schema->count + 1], it->index, &up);
        OK(frz__sst_add_vec(w, it->key, it->vecs, it->index, value_is_null(&id) ? -1 : id.as.i64, value_is_null(&up) ? -1 : up.as.i64, &err), &err);
    }
    RC(rc, FRZ_DONE, &err);
    iter_free(it);
    OK(frz__sst_finish(w, &ar, &out, &err), &err);
    assert_int_equal(frz__sst_writer_rows(w), t.n);
    frz__sst_writer_free(w);
    OK(frz__file_close(f, &err), &err);
    struct sst *b = fx_reader(&x, "b.parquet", 2, t.schema);
    check_point_reads(&x, b, &t, 1);
    frz__sst_release(a);
    frz__sst_release(b);
    frz__arena_clear(&ar);
    fx_table_clear(&t);
    fx_close(&x);
}

/* ── many at once ── */

TEST(sst_probe, of_sorted_keys_is_that_of_each_and_reads_each_key_page_once)
{
    struct fx x;
    struct fx_table t;
    struct rng r = {test_seed(8)};
    fx_open(&x, 64 << 10); /* too small to hold the pages */
    fx_table_random(&t, "k long, s string, v int?", "s,k", 12000, 8);
    struct fx_table half = t;
    half.rows = calloc(t.n, sizeof *half.rows);
    half.n = 0;
    for (size_t i = 0; i < t.n; i++)
        if (i % 2 == 0) half.rows[half.n++] = t.rows[i];
    struct sst_writer_options o = fx_options(&t);
    o.row_group_rows = 2048;
    struct sst *s = fx_file(&x, "t.parquet", 1, &half, &o);
    slice *keys = calloc(t.n, sizeof *keys);
    uint64_t *hashes = calloc(t.n, sizeof *hashes), *pos = calloc(t.n, sizeof *pos);
    for (int round = 0; round < 6; round++) {
        size_t n = 0, step = (size_t[]){1, 2, 7, 100, 3000, 20000}[round];
        for (size_t i = 0; i < t.n; i += 1 + rng_below(&r, step)) {
            keys[n] = t.rows[i].key;
            hashes[n] = frz__hash64(keys[n]);
            pos[n++] = i;
        }
        uint64_t *want = malloc(n * sizeof *want);
        memcpy(want, pos, n * sizeof *want);
        x.counters.key_pages_read = 0;
        OK(frz__sst_probe_sorted(s, keys, hashes, n, x.codec, pos, &err), &err);
        for (size_t i = 0; i < n; i++) assert_true(pos[i] == (want[i] % 2 ? UINT64_MAX : want[i] / 2));
        assert_true(x.counters.key_pages_read <= (half.n + 1023) / 1024);
        free(want);
    }
    OK(frz__sst_probe_sorted(s, NULL, NULL, 0, x.codec, NULL, &err), &err);
    frz__sst_release(s);
    free(keys), free(hashes), free(pos), free(half.rows);
    fx_table_clear(&t);
    fx_close(&x);
}

/* ── what a get reads ── */

static struct fs_ops counting;
static int (*real_read)(struct file *, uint64_t, void *, size_t, size_t *, frz_error *);
static uint64_t reads, bytes_read;
static int counted_read(struct file *f, uint64_t offset, void *out, size_t len, size_t *got, frz_error *e)
{
    reads++;
    bytes_read += len;
    return real_read(f, offset, out, len, got, e);
}
static void count_reads(struct fx *x)
{
    counting = *x->fs->ops;
    real_read = counting.read;
    counting.read = counted_read;
    x->fs->ops = &counting;
    reads = bytes_read = 0;
}

TEST(sst, a_hit_reads_at_most_one_key_page_and_99_in_100_misses_none)
{
    struct fx x;
    struct fx_table t;
    fx_open(&x, 4 << 10); /* next to no cache: every get is cold */
    fx_table_new(&t, "k long, v string?", "k", 40000);
    for (int i = 0; i < 40000; i++) {
        frz_value v[2] = {value_i64(FRZ_LONG, 2 * i), value_bytes(FRZ_STRING, slice_str("value"))};
        fx_push(&t, v);
    }
    struct sst_writer_options o = fx_options(&t);
    struct sst *s = fx_file(&x, "t.parquet", 1, &t, &o);
    frz_row *row = NULL;
    OK(frz__row_new(NULL, t.schema, &row, &err), &err);
    struct rng r = {1};
    uint8_t value_only = 2;
    for (int i = 0; i < 500; i++) {
        size_t at = rng_below(&r, t.n);
        uint64_t pos, keys = x.counters.key_pages_read, values = x.counters.value_pages_read;
        OK(frz__sst_probe(s, t.rows[at].key, frz__hash64(t.rows[at].key), x.codec, &pos, &err), &err);
        assert_true(x.counters.key_pages_read <= keys + 1);
        OK(frz__sst_row(s, pos, &value_only, x.codec, row, &err), &err);
        assert_true(x.counters.key_pages_read <= keys + 1);
        assert_true(x.counters.value_pages_read <= values + 1);
    }
    uint64_t misses_with_a_page = 0;
    x.counters.filter_checks = x.counters.filter_rejects = x.counters.filter_false_positives = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t key[8];
        uint64_t pos, keys = x.counters.key_pages_read;
        store_u64_be(key, (uint64_t)(2 * (int64_t)rng_below(&r, 39999) + 1) ^ UINT64_C(1) << 63);
        RC(frz__sst_probe(s, slice_of(key, 8), frz__hash64(slice_of(key, 8)), x.codec, &pos, &err), FRZ_NOT_FOUND, &err);
        misses_with_a_page += x.counters.key_pages_read > keys;
        assert_true(x.counters.key_pages_read <= keys + 1);
    }
    if (misses_with_a_page > 200) fail_msg("%d of 20000 misses read a key page", (int)misses_with_a_page);
    assert_int_equal(x.counters.filter_checks, 20000);
    assert_true(x.counters.filter_rejects + x.counters.filter_false_positives == 20000);
    frz__row_free(row);
    frz__sst_release(s);
    fx_table_clear(&t);
    fx_close(&x);
}

TEST(sst, hazard_34_open_reads_the_tail_alone_and_filters_come_by_unit)
{
    struct fx x;
    struct fx_table t;
    struct cache_stats cs;
    fx_open(&x, 1 << 20);
    fx_table_new(&t, "k long, v long", "k", 120000);
    struct rng r = {1};
    for (int i = 0; i < 120000; i++) {
        frz_value v[2] = {value_i64(FRZ_LONG, i), value_i64(FRZ_LONG, (int64_t)rng_next(&r))};
        fx_push(&t, v);
    }
    struct sst_writer_options o = fx_options(&t);
    o.codec = CODEC_NONE;
    o.lineage = false;
    fx_write(&x, "t.parquet", &t, &o);
    count_reads(&x);
    struct sst *s = fx_reader(&x, "t.parquet", 1, t.schema);
    assert_true(s->bytes > 1500000);
    if (reads > 2 || bytes_read > (64 << 10) + 4096) fail_msg("open: %d reads, %d bytes", (int)reads, (int)bytes_read);
    frz__cache_stats(x.cache, &cs);
    assert_int_equal(cs.entries, 0);
    reads = bytes_read = 0;
    uint8_t key[8];
    uint64_t pos;
    store_u64_be(key, (uint64_t)77777 ^ UINT64_C(1) << 63);
    OK(frz__sst_probe(s, slice_of(key, 8), frz__hash64(slice_of(key, 8)), x.codec, &pos, &err), &err);
    assert_int_equal(pos, 77777);
    if (bytes_read > 40000) fail_msg("first probe: %d reads, %d bytes", (int)reads, (int)bytes_read); /* index, one unit of 4 KiB, one key page of 8 KiB, page positions */
    frz__cache_stats(x.cache, &cs);
    assert_int_equal(cs.entries, 2); /* the unit, the stripe */
    frz__sst_release(s);
    frz__cache_stats(x.cache, &cs);
    assert_int_equal(cs.entries, 0); /* the last release forgets */
    fx_table_clear(&t);
    fx_close(&x);
}

static int read_file(void *ctx, uint64_t offset, void *out, size_t len, frz_error *e) { return frz__file_read_full(ctx, offset, out, len, e); }

TEST(sst, hazard_30_key_pages_and_lineage_have_1024_rows)
{
    struct fx x;
    struct fx_table t;
    struct file *f = NULL;
    struct pq_file *pq = NULL;
    fx_open(&x, 1 << 20);
    fx_table_random(&t, "k int, s string, v long?", "s,k", 5000, 30);
    struct sst_writer_options o = fx_options(&t);
    o.row_group_rows = 3000;
    struct ice_file written = fx_write(&x, "t.parquet", &t, &o);
    OK(frz__fs_open(x.fs, "t.parquet", FS_OPEN_READ, &f, &err), &err);
    OK(frz__pq_open(NULL, (struct pq_source){f, read_file, (uint64_t)written.file_size, "t.parquet"}, &pq, &err), &err);
    assert_int_equal(frz__pq_group_count(pq), 2);
    size_t columns[] = {0, 1, 3, 4}; /* both of the key, both of lineage */
    assert_int_equal(frz__pq_col(pq, 3)->field_id, ICE_ROW_ID_FIELD);
    assert_int_equal(frz__pq_col(pq, 4)->field_id, ICE_LAST_UPDATED_FIELD);
    for (size_t g = 0; g < 2; g++) {
        uint64_t rows = frz__pq_group_rows(pq, g);
        assert_true(g == 1 || rows % 1024 == 0);
        for (size_t c = 0; c < FRZ_ARRAY_LEN(columns); c++) {
            const struct pq_pages *pages;
            OK(frz__pq_pages(pq, g, columns[c], &pages, &err), &err);
            assert_int_equal(pages->count, (rows + 1023) / 1024);
            for (size_t p = 0; p < pages->count; p++) assert_int_equal(pages->first_row[p], p * 1024);
        }
    }
    frz__pq_free(pq);
    OK(frz__file_close(f, &err), &err);
    fx_table_clear(&t);
    fx_close(&x);
}

TEST(sst, hazard_47_bounds_are_exact_where_manifests_cut_them)
{
    struct fx x;
    struct fx_table t, low, high;
    struct arena ar = ARENA_INIT(NULL);
    struct ice_file f[2];
    fx_open(&x, 1 << 20);
    fx_table_new(&t, "a string, b long", "a,b", 4000);
    for (int i = 0; i < 4000; i++) { /* all the same in the first 16 characters and in the first column's bounds */
        char text[64];
        snprintf(text, sizeof text, "the-same-sixteen-characters-%d", i / 2500);
        frz_value v[2] = {value_bytes(FRZ_STRING, slice_str(text)), value_i64(FRZ_LONG, i)};
        fx_push(&t, v);
    }
    low = high = t;
    low.n = 2000;
    high.rows += 2000;
    high.n = 2000;
    struct sst_writer_options o = fx_options(&t);
    OK(fx_try_write(&x, "low", &low, &o, &f[0], &ar), &err);
    OK(fx_try_write(&x, "high", &high, &o, &f[1], &ar), &err);
    assert_true(slice_cmp(f[0].stats[0].upper, f[1].stats[0].lower) >= 0); /* the manifests' bounds overlap */
    struct sst *a = fx_reader(&x, "low", 1, t.schema), *b = fx_reader(&x, "high", 2, t.schema);
    assert_true(slice_eq(a->last_key, t.rows[1999].key) && slice_eq(b->first_key, t.rows[2000].key));
    assert_true(slice_cmp(a->last_key, b->first_key) < 0); /* the files' own do not */
    assert_false(sst_may_hold(b, t.rows[1999].key));
    assert_true(sst_may_hold(a, t.rows[1999].key));
    frz__sst_release(a);
    frz__sst_release(b);
    frz__arena_clear(&ar);
    fx_table_clear(&t);
    fx_close(&x);
}

/* ── schema evolution, others' files ── */

TEST(sst, reads_columns_that_came_later_or_were_promoted)
{
    struct fx x;
    struct fx_table t;
    fx_open(&x, 1 << 20);
    fx_table_random(&t, "k long, i int?, f float?, d decimal(9,2)?, gone string?", "k", 2000, 60);
    struct sst_writer_options o = fx_options(&t);
    fx_write(&x, "t.parquet", &t, &o);
    frz_schema *now = fx_schema("k long, i long?, f double?, d decimal(20,2)?, gone string?, n string?, z long?", "k");
    /* `n` has a default, `z` has none */
    now->columns[5].initial = value_bytes(FRZ_STRING, slice_str("default"));
    now->columns[4].id = 99; /* dropped, and another of the same name added */
    struct sst *s = fx_reader(&x, "t.parquet", 1, now);
    assert_true(s->sorted);
    frz_row *row = NULL;
    OK(frz__row_new(NULL, now, &row, &err), &err);
    struct buf scratch = BUF_INIT(NULL, 0);
    struct sst_scan *sc = NULL;
    struct sst_scan_options so = {0};
    struct vecs out;
    frz_type types[7];
    for (int i = 0; i < 7; i++) types[i] = now->columns[i].type;
    OK(frz__vecs_init(&out, NULL, types, 7, &err), &err);
    OK(frz__sst_scan_new(s, &so, &sc, &err), &err);
    size_t at = 0;
    while (frz__sst_scan_next(sc, 700, &out, &err) == FRZ_OK) {
        for (size_t i = 0; i < out.rows; i++, at++) {
            frz_value want[5], got, row_got;
            fx_expect(&t, at, want, &scratch);
            OK(frz__sst_row(s, at, NULL, x.codec, row, &err), &err);
            for (size_t c = 0; c < 7; c++) {
                frz_value w = c < 4 ? want[c] : value_null();
                if (c > 0 && c < 4) OK(frz__value_convert(&want[c], types[c], &w, &err), &err);
                if (c == 5) w = now->columns[5].initial;
                frz__vec_get(&out.cols[c], i, &got);
                fx_same(&got, &w, "scan", at, c);
                row_got = row->values[c];
                fx_same(&row_got, &w, "row", at, c);
            }
        }
    }
    assert_int_equal(at, t.n);
    frz__sst_scan_free(sc);
    frz__vecs_clear(&out);
    frz__sst_release(s);

    frz_schema *worse = fx_schema("k long, i string?", "k");
    struct sst *none = NULL;
    FAILS(frz__sst_open(&x.env, "t.parquet", 2, worse, UINT64_MAX, UINT64_MAX, &none, &err), FRZ_UNSUPPORTED, &err);
    frz_schema *lacks = fx_schema("k long, i int?, f float?, d decimal(9,2)?, gone string?, must long", "k");
    FAILS(frz__sst_open(&x.env, "t.parquet", 2, lacks, UINT64_MAX, UINT64_MAX, &none, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "must");
    frz_schema *other_key = fx_schema("k long, i int, f float?", "i");
    s = fx_reader(&x, "t.parquet", 3, other_key);
    assert_false(s->sorted);
    uint64_t pos;
    FAILS(frz__sst_probe(s, slice_str("1234"), 1, x.codec, &pos, &err), FRZ_UNSUPPORTED, &err);
    MESSAGE_HAS(&err, "key was another");
    frz__sst_release(s);

    now->columns[5].initial = value_null();
    frz__row_free(row);
    buf_clear(&scratch);
    frz__schema_release(now);
    frz__schema_release(worse);
    frz__schema_release(lacks);
    frz__schema_release(other_key);
    fx_table_clear(&t);
    fx_close(&x);
}

struct sink { struct file *f; uint64_t at; };
static int to_file(void *ctx, slice bytes, frz_error *e)
{
    struct sink *s = ctx;
    s->at += bytes.len;
    return frz__file_write(s->f, s->at - bytes.len, bytes.data, bytes.len, e);
}

TEST(sst, a_foreign_file_is_scanned_and_not_probed)
{
    struct fx x;
    fx_open(&x, 1 << 20);
    frz_schema *schema = fx_schema("k long, v string?", "k");
    struct sink sink = {0};
    struct pq_writer *w = NULL;
    struct pq_writer_options o = {.codec = CODEC_ZSTD, .row_group_rows = 1500};
    struct pq_wcol cols[2] = {{.name = "v", .field_id = schema->columns[1].id, .type = schema->columns[1].type}, {.name = "k", .field_id = schema->columns[0].id, .type = schema->columns[0].type, .required = true}};
    struct vec v[2];
    const struct vec *in[2] = {&v[0], &v[1]};
    uint64_t size;
    OK(frz__fs_open(x.fs, "f.parquet", FS_OPEN_CREATE_NEW, &sink.f, &err), &err);
    OK(frz__pq_writer_new(NULL, &o, cols, 2, (struct pq_sink){&sink, to_file}, x.codec, &w, &err), &err);
    for (int i = 0; i < 2; i++) frz__vec_init(&v[i], NULL, cols[i].type);
    for (int i = 0; i < 4000; i++) {
        frz_value k = value_i64(FRZ_LONG, (i * 37) % 1000), s = value_bytes(FRZ_STRING, slice_str("foreign")); /* unsorted, and with duplicates */
        OK(frz__vec_append(&v[0], &s, &err), &err);
        OK(frz__vec_append(&v[1], &k, &err), &err);
    }
    OK(frz__pq_write(w, in, 0, 4000, &err), &err);
    OK(frz__pq_writer_end_rows(w, &err), &err);
    OK(frz__pq_writer_finish(w, &size, &err), &err);
    frz__pq_writer_free(w);
    OK(frz__file_close(sink.f, &err), &err);

    struct sst *s = fx_reader(&x, "f.parquet", 1, schema);
    assert_false(s->sorted);
    assert_int_equal(s->rows, 4000);
    uint64_t pos, pages;
    slice key = slice_str("12345678");
    uint64_t hash = frz__hash64(key);
    struct buf b = BUF_INIT(NULL, 0);
    struct iter *it = NULL;
    FAILS(frz__sst_probe(s, key, hash, x.codec, &pos, &err), FRZ_UNSUPPORTED, &err);
    MESSAGE_HAS(&err, "f.parquet");
    FAILS(frz__sst_probe_sorted(s, &key, &hash, 1, x.codec, &pos, &err), FRZ_UNSUPPORTED, &err);
    FAILS(frz__sst_lower_bound(s, key, x.codec, &pos, &err), FRZ_UNSUPPORTED, &err);
    FAILS(frz__sst_key_at(s, 0, x.codec, &b, &err), FRZ_UNSUPPORTED, &err);
    struct sst_scan_options so = {.keys = true, .reverse = true};
    FAILS(frz__sst_iter_new(s, &so, &it, &err), FRZ_UNSUPPORTED, &err);
    so.reverse = false;
    OK(frz__sst_iter_new(s, &so, &it, &err), &err); /* in the file's order: what adoption indexes */
    for (int i = 0; i < 4000; i++) {
        uint8_t want[8];
        OK(iter_next(it, &err), &err);
        store_u64_be(want, (uint64_t)((i * 37) % 1000) ^ UINT64_C(1) << 63);
        assert_true(slice_eq(it->key, slice_of(want, 8)));
        assert_int_equal(it->pos, i);
    }
    RC(iter_next(it, &err), FRZ_DONE, &err);
    RC(iter_next(it, &err), FRZ_DONE, &err);
    iter_free(it);
    frz_row *row = NULL;
    OK(frz__row_new(NULL, schema, &row, &err), &err);
    OK(frz__sst_row(s, 5, NULL, x.codec, row, &err), &err);
    assert_int_equal(row->values[0].as.i64, 185);
    OK(frz__sst_verify(s, no_finding, NULL, NULL, &pages, &err), &err);
    frz__row_free(row);
    frz__sst_release(s);
    for (int i = 0; i < 2; i++) frz__vec_clear(&v[i]);
    buf_clear(&b);
    frz__schema_release(schema);
    fx_close(&x);
}
