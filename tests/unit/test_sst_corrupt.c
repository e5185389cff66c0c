/* Goal: damaged files give FRZ_CORRUPT that names file and place, never a wrong answer and never a crash; failed allocations and reads come out whole; verify finds what is wrong inside.
 * Method: cut at every length, flip bits, rewrite sections with right checksums, fail the nth allocation and the nth read. */
#include <pthread.h>
#include "sst_fixture.h"
#include "types/pred.h"

static struct buf file_bytes(struct fx *x, const char *path)
{
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__fs_read_file(x->fs, path, (size_t)1 << 30, &b, &err), &err);
    return b;
}

static void put_file(struct fx *x, const char *path, slice bytes)
{
    struct file *f = NULL;
    int rc = frz__fs_unlink(x->fs, path, &err);
    assert_true(rc == FRZ_OK || rc == FRZ_NOT_FOUND);
    OK(frz__fs_open(x->fs, path, FS_OPEN_CREATE_NEW, &f, &err), &err);
    OK(frz__file_write(f, 0, bytes.data, bytes.len, &err), &err);
    OK(frz__file_close(f, &err), &err);
}

static void poke(struct fx *x, const char *path, uint64_t at, uint8_t byte)
{
    struct file *f = NULL;
    OK(frz__fs_open(x->fs, path, FS_OPEN_WRITE, &f, &err), &err);
    OK(frz__file_write(f, at, &byte, 1, &err), &err);
    OK(frz__file_close(f, &err), &err);
}

static int ignore(void *ctx, const char *where, const char *what)
{
    (void)where, (void)what;
    ++*(int *)ctx;
    return 0;
}

/* All that can be asked of a file. FRZ_OK: every answer was right. */
static int use(struct fx *x, const char *path, uint64_t no, const struct fx_table *t, bool rows)
{
    struct sst *s = NULL;
    struct iter *it = NULL;
    frz_row *row = NULL;
    struct buf scratch = BUF_INIT(NULL, 0);
    frz_value want[8];
    uint64_t pos = 0;
    int rc;
    CHECK(frz__sst_open(&x->env, path, no, t->schema, UINT64_MAX, t->n, &s, &err));
    if (!s->sorted) {
        rc = FRZ_UNSUPPORTED; /* the footer's key was hit: it is taken for another's file */
        goto done;
    }
    CHECK(frz__row_new(x->a, t->schema, &row, &err));
    for (size_t i = 0; i < t->n; i++) {
        slice k = t->rows[i].key;
        CHECK(frz__sst_probe(s, k, frz__hash64(k), x->codec, &pos, &err));
        if (rc != FRZ_OK || pos != i) fail_msg("row %zu: a wrong answer", i);
        uint8_t miss[64];
        memcpy(miss, k.data, k.len);
        miss[k.len] = 0;
        slice m = slice_of(miss, k.len + 1);
        CHECK(frz__sst_probe(s, m, frz__hash64(m), x->codec, &pos, &err));
        if (rc != FRZ_NOT_FOUND) fail_msg("row %zu: found what is not there", i);
        CHECK(frz__sst_lower_bound(s, m, x->codec, &pos, &err));
        if (pos != i + 1) fail_msg("row %zu: a wrong bound", i);
        if (!rows) continue;
        CHECK(frz__sst_row(s, i, NULL, x->codec, row, &err));
        fx_expect(t, i, want, &scratch);
        for (size_t c = 0; c < t->schema->count; c++) fx_same(&row->values[c], &want[c], "row", i, c);
    }
    struct sst_scan_options o = {.keys = true};
    for (int reverse = 0; rows && reverse < 2; reverse++) {
        o.reverse = reverse;
        CHECK(frz__sst_iter_new(s, &o, &it, &err));
        for (size_t i = 0; i < t->n; i++) {
            CHECK(iter_next(it, &err));
            if (rc != FRZ_OK || !slice_eq(it->key, t->rows[reverse ? t->n - 1 - i : i].key)) fail_msg("row %zu: a wrong key", i);
        }
        iter_free(it);
        it = NULL;
    }
    rc = FRZ_OK;
done:
    iter_free(it);
    frz__row_free(row);
    frz__sst_release(s);
    buf_clear(&scratch);
    return rc;
}

static void small_table(struct fx_table *t) { fx_table_random(t, "k string, v int?, s string?", "k", 60, 5); }

TEST(sst_damage, a_cut_file_does_not_open)
{
    struct fx x;
    struct fx_table t;
    struct sst *s = NULL;
    fx_open(&x, 1 << 20);
    small_table(&t);
    struct sst_writer_options o = fx_options(&t);
    fx_write(&x, "whole", &t, &o);
    struct buf b = file_bytes(&x, "whole");
    for (size_t cut = 0; cut < b.len; cut += cut < b.len - 300 ? 13 : 1) {
        put_file(&x, "cut", slice_of(b.data, cut));
        FAILS(frz__sst_open(&x.env, "cut", 9, t.schema, UINT64_MAX, UINT64_MAX, &s, &err), FRZ_CORRUPT, &err);
        MESSAGE_HAS(&err, "cut");
        FAILS(frz__sst_open(&x.env, "cut", 9, t.schema, b.len, UINT64_MAX, &s, &err), FRZ_CORRUPT, &err); /* the manifest knows its size */
        MESSAGE_HAS(&err, "bytes");
    }
    FAILS(frz__sst_open(&x.env, "whole", 9, t.schema, b.len, t.n + 1, &s, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "rows");
    FAILS(frz__sst_open(&x.env, "absent", 9, t.schema, b.len, t.n, &s, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "absent");
    buf_clear(&b);
    fx_table_clear(&t);
    fx_close(&x);
}

/* Where the private block lies. */
static void block_place(struct fx *x, const char *path, const frz_schema *schema, uint64_t *from, uint64_t *to)
{
    struct buf b = file_bytes(x, path);
    struct pq_file *pq = NULL;
    (void)schema;
    OK(frz__pq_open_tail(NULL, (struct pq_source){NULL, NULL, b.len, path}, buf_slice(&b), &pq, &err), &err);
    slice place = frz__pq_kv(pq, "frazil.index");
    uint64_t len;
    assert_non_null(place.data);
    assert_int_equal(sscanf((const char *)place.data, "%" SCNu64 ":%" SCNu64, from, &len), 2);
    *to = *from + len;
    frz__pq_free(pq);
    buf_clear(&b);
}

TEST(sst_damage, flipped_bits_in_the_private_block_are_found_before_they_matter)
{
    struct fx x;
    struct fx_table t;
    uint64_t from, to, no = 100;
    fx_open(&x, 1 << 20);
    small_table(&t);
    struct sst_writer_options o = fx_options(&t);
    fx_write(&x, "t", &t, &o);
    block_place(&x, "t", t.schema, &from, &to);
    struct buf b = file_bytes(&x, "t");
    OK(use(&x, "t", no++, &t, true), &err);
    for (uint64_t at = from; at < to; at++) {
        poke(&x, "t", at, (uint8_t)(b.data[at] ^ (1u << (at % 8))));
        err.message[0] = 0;
        int rc = use(&x, "t", no++, &t, false);
        if (rc != FRZ_CORRUPT) fail_msg("byte %d of the block: rc %d", (int)(at - from), rc);
        assert_true(strncmp(err.message, "t: ", 3) == 0); /* which file */
        struct sst *s = NULL;
        int findings = 0;
        uint64_t pages;
        rc = frz__sst_open(&x.env, "t", no++, t.schema, UINT64_MAX, UINT64_MAX, &s, &err);
        if (rc == FRZ_OK) {
            rc = frz__sst_verify(s, ignore, NULL, &findings, &pages, &err);
            assert_true(rc == FRZ_CORRUPT || findings > 0);
        }
        frz__sst_release(s);
        poke(&x, "t", at, b.data[at]);
    }
    buf_clear(&b);
    fx_table_clear(&t);
    fx_close(&x);
}

TEST(sst_damage, flipped_bits_anywhere_never_give_a_wrong_answer)
{
    struct fx x;
    struct fx_table t;
    uint64_t no = 100;
    size_t fine = 0;
    struct rng r = {test_seed(9)};
    fx_open(&x, 1 << 20);
    small_table(&t);
    struct sst_writer_options o = fx_options(&t);
    fx_write(&x, "t", &t, &o);
    struct buf b = file_bytes(&x, "t");
    for (size_t at = 0; at < b.len; at += 1 + rng_below(&r, 2)) {
        poke(&x, "t", at, (uint8_t)(b.data[at] ^ (1u << rng_below(&r, 8))));
        err.message[0] = 0;
        int rc = use(&x, "t", no++, &t, true); /* fails in there on a wrong answer */
        if (rc != FRZ_OK && rc != FRZ_CORRUPT && rc != FRZ_UNSUPPORTED && rc != FRZ_NEWER_FORMAT) fail_msg("byte %zu: rc %d: %s", at, rc, err.message);
        if (rc < 0 && rc != FRZ_UNSUPPORTED) assert_true(strstr(err.message, "t") != NULL);
        fine += rc == FRZ_OK;
        poke(&x, "t", at, b.data[at]);
    }
    assert_true(fine < b.len / 2); /* names, statistics: what a read does not look at */
    buf_clear(&b);
    fx_table_clear(&t);
    fx_close(&x);
}

/* Rows that pass, of those a pruned scan gives; negative: an error. */
static int64_t pruned_count(struct fx *x, uint64_t no, const struct fx_table *t, const struct pred *p)
{
    struct sst *s = NULL;
    struct sst_scan *sc = NULL;
    struct vecs out = {0};
    struct sst_scan_options o = {.pred = p};
    frz_type types[2] = {t->schema->columns[0].type, t->schema->columns[1].type};
    int64_t passing = 0;
    int rc;
    CHECK(frz__vecs_init(&out, NULL, types, 2, &err));
    CHECK(frz__sst_open(&x->env, "t", no, t->schema, UINT64_MAX, UINT64_MAX, &s, &err));
    CHECK(frz__sst_scan_new(s, &o, &sc, &err));
    for (;;) {
        uint8_t sel[256];
        const struct vec *cols[2] = {&out.cols[0], &out.cols[1]};
        memset(sel, 0xFF, sizeof sel);
        CHECK(frz__sst_scan_next(sc, 2048, &out, &err));
        if (rc == FRZ_DONE) break;
        CHECK(frz__pred_eval(p, cols, out.rows, sel, &err));
        passing += (int64_t)bits_count(sel, out.rows);
    }
done:
    frz__sst_scan_free(sc);
    frz__sst_release(s);
    if (out.cols) frz__vecs_clear(&out);
    return rc < 0 ? rc : passing;
}

TEST(sst_damage, flipped_bits_in_page_indexes_neither_prune_nor_move_rows)
{
    struct fx x;
    struct fx_table t;
    struct pred *p = NULL;
    uint64_t from, to, no = 100;
    fx_open(&x, 1 << 20);
    fx_table_new(&t, "k long, v long", "k", 6000);
    for (int i = 0; i < 6000; i++) {
        frz_value v[2] = {value_i64(FRZ_LONG, i), value_i64(FRZ_LONG, i / 2)};
        fx_push(&t, v);
    }
    struct sst_writer_options o = fx_options(&t);
    o.lineage = false;
    o.row_group_rows = 4096;
    o.page_bytes = 4096;
    struct arena ar = ARENA_INIT(NULL);
    struct ice_file f;
    OK(fx_try_write(&x, "t", &t, &o, &f, &ar), &err);
    block_place(&x, "t", t.schema, &from, &to);
    struct buf b = file_bytes(&x, "t");
    OK(frz__pred_parse(NULL, t.schema, slice_str("v = 1100 OR v = 2500"), &p, &err), &err);
    assert_int_equal(pruned_count(&x, no++, &t, p), 4);
    uint64_t begin = 4 + (uint64_t)(f.stats[0].column_size + f.stats[1].column_size);
    assert_true(begin < from && from - begin < 2000);
    for (uint64_t at = begin; at < from; at++) {
        for (int bit = (int)(at % 3); bit < 8; bit += 3) {
            poke(&x, "t", at, (uint8_t)(b.data[at] ^ (1u << bit)));
            int64_t n = pruned_count(&x, no++, &t, p);
            if (n != FRZ_CORRUPT) fail_msg("byte %d of the page indexes, bit %d: %d", (int)(at - begin), bit, (int)n);
            if (bit >= 3) continue;
            struct sst *s = fx_reader(&x, "t", no++, t.schema);
            frz_row *row = NULL;
            OK(frz__row_new(NULL, t.schema, &row, &err), &err);
            for (size_t i = 511; i < 6000; i += 1024) { /* by position: right, or corrupt */
                uint64_t pos;
                slice k = t.rows[i].key;
                int rc = frz__sst_probe(s, k, frz__hash64(k), x.codec, &pos, &err);
                if (rc == FRZ_OK) assert_int_equal(pos, i);
                else assert_int_equal(rc, FRZ_CORRUPT);
                rc = frz__sst_row(s, i, NULL, x.codec, row, &err);
                if (rc == FRZ_OK) assert_true(row->values[0].as.i64 == (int64_t)i && row->values[1].as.i64 == (int64_t)i / 2);
                else assert_int_equal(rc, FRZ_CORRUPT);
            }
            frz__row_free(row);
            frz__sst_release(s);
        }
        poke(&x, "t", at, b.data[at]);
    }
    frz__pred_free(p);
    frz__arena_clear(&ar);
    buf_clear(&b);
    fx_table_clear(&t);
    fx_close(&x);
}

/* ── verify ── */

/* Rewrites one byte of a section and makes its checksums right again: what only verify can see. */
enum { PROPS = 1, FILTER = 2, FENCE = 3 };
static void forge(struct fx *x, uint32_t type, int64_t at, uint8_t flip, uint64_t from)
{
    struct buf b = file_bytes(x, "t");
    uint8_t *block = b.data + from;
    size_t sections = load_u16(block + 6);
    for (size_t i = 0; i < sections; i++) {
        uint8_t *h = block + 24 + 24 * i;
        if (load_u32(h) != type) continue;
        uint8_t *sec = block + load_u64(h + 8);
        size_t len = (size_t)load_u64(h + 16);
        sec[at < 0 ? (int64_t)len + at : at] ^= flip;
        if (type == FILTER) { /* one short unit */
            memset(sec, 0, 32);
            store_u32(sec + len - 4, frz__crc32c(0, sec, len - 4));
        }
        store_u32(h + 4, frz__crc32c(0, sec, len));
    }
    store_u32(block + 24 + 24 * sections, frz__crc32c(0, block, 24 + 24 * sections));
    put_file(x, "t", buf_slice(&b));
    buf_clear(&b);
}

static int hear(void *ctx, const char *where, const char *what)
{
    snprintf(ctx, 300, "%s: %.200s", where, what);
    return 1;
}

static void expect_finding(struct fx *x, const struct fx_table *t, uint64_t no, const char *text)
{
    char heard[300] = "";
    struct sst *s = NULL;
    uint64_t pages;
    OK(frz__sst_open(&x->env, "t", no, t->schema, UINT64_MAX, UINT64_MAX, &s, &err), &err);
    int rc = frz__sst_verify(s, hear, NULL, heard, &pages, &err);
    if (rc < 0 || !strstr(heard, text)) fail_msg("rc %d, heard \"%s\", not \"%s\"", rc, heard, text);
    frz__sst_release(s);
}

TEST(sst_verify, finds_false_filters_fences_and_bounds_behind_right_checksums)
{
    struct fx x;
    struct fx_table t;
    uint64_t from, to;
    fx_open(&x, 1 << 20);
    small_table(&t);
    struct sst_writer_options o = fx_options(&t);
    fx_write(&x, "t", &t, &o);
    block_place(&x, "t", t.schema, &from, &to);
    struct buf b = file_bytes(&x, "t");
    forge(&x, FILTER, 0, 0, from);
    expect_finding(&x, &t, 50, "filter: denies");
    put_file(&x, "t", buf_slice(&b));
    forge(&x, FENCE, -1, 1, from); /* the only fence's last byte: in the prefix */
    expect_finding(&x, &t, 51, "fences");
    uint64_t pos;
    struct sst *s = fx_reader(&x, "t", 52, t.schema);
    FAILS(frz__sst_probe(s, t.rows[30].key, frz__hash64(t.rows[30].key), x.codec, &pos, &err), FRZ_CORRUPT, &err); /* and no read believes it */
    MESSAGE_HAS(&err, "fence");
    frz__sst_release(s);
    put_file(&x, "t", buf_slice(&b));
    forge(&x, PROPS, 48 + (int64_t)(t.rows[0].key.len + t.rows[t.n - 1].key.len) - 1, 1, from); /* the last key, one up or down */
    expect_finding(&x, &t, 53, "last key");
    buf_clear(&b);
    fx_table_clear(&t);
    fx_close(&x);
}

/* ── failures from below ── */

TEST(sst_torture, every_failed_allocation_comes_out_as_no_memory)
{
    struct fx_table t;
    fx_table_random(&t, "k string, v long?, s string?", "k", 40, 7);
    struct sst_writer_options o = fx_options(&t);
    for (long n = 1;; n++) {
        struct test_alloc ta;
        struct fx x;
        struct arena ar = ARENA_INIT(NULL);
        struct ice_file out;
        test_alloc_init(&ta, n);
        int rc = fx_try_open(&x, &ta.vt, 1 << 20);
        if (rc == FRZ_OK) rc = fx_try_write(&x, "t", &t, &o, &out, &ar);
        if (rc == FRZ_OK) rc = use(&x, "t", 1, &t, true);
        if (rc == FRZ_OK) {
            struct sst *s = NULL;
            uint64_t pages;
            int findings = 0;
            rc = frz__sst_open(&x.env, "t", 2, t.schema, UINT64_MAX, UINT64_MAX, &s, &err);
            if (rc == FRZ_OK) rc = frz__sst_verify(s, ignore, NULL, &findings, &pages, &err);
            assert_int_equal(findings, 0);
            frz__sst_release(s);
        }
        if (rc != FRZ_OK && rc != FRZ_NO_MEMORY) fail_msg("allocation %ld: rc %d: %s", n, rc, err.message);
        fx_close(&x);
        frz__arena_clear(&ar);
        assert_int_equal(ta.live, 0);
        if (rc == FRZ_OK && ta.calls < n) break;
        if (rc == FRZ_OK) fail_msg("allocation %ld failed and nobody said so", n);
        assert_true(n < 20000);
    }
    fx_table_clear(&t);
}

static struct fs_ops failing;
static int (*real_read)(struct file *, uint64_t, void *, size_t, size_t *, frz_error *);
static long fail_read_at, read_no;
static int failing_read(struct file *f, uint64_t offset, void *out, size_t len, size_t *got, frz_error *e)
{
    if (++read_no == fail_read_at) return frz__err(e, FRZ_IO, "%s: read: made to fail", f->path);
    return real_read(f, offset, out, len, got, e);
}

TEST(sst_torture, every_failed_read_comes_out_and_the_next_try_works)
{
    struct fx x;
    struct fx_table t;
    fx_open(&x, 1 << 20);
    fx_table_random(&t, "k long, v string?", "k", 3000, 7);
    struct sst_writer_options o = fx_options(&t);
    fx_write(&x, "t", &t, &o);
    failing = *x.fs->ops;
    real_read = failing.read;
    failing.read = failing_read;
    x.fs->ops = &failing;
    for (fail_read_at = 1;; fail_read_at++) {
        struct sst *s = NULL;
        uint64_t pos;
        read_no = 0;
        int rc = frz__sst_open(&x.env, "t", (uint64_t)fail_read_at, t.schema, UINT64_MAX, UINT64_MAX, &s, &err);
        bool failed = rc == FRZ_IO;
        if (failed) OK(frz__sst_open(&x.env, "t", (uint64_t)fail_read_at, t.schema, UINT64_MAX, UINT64_MAX, &s, &err), &err);
        for (size_t i = 0; i < t.n; i += 700) {
            slice k = t.rows[i].key;
            rc = frz__sst_probe(s, k, frz__hash64(k), x.codec, &pos, &err);
            if (rc == FRZ_IO) {
                failed = true;
                rc = frz__sst_probe(s, k, frz__hash64(k), x.codec, &pos, &err);
            }
            OK(rc, &err);
            assert_int_equal(pos, i);
        }
        frz__sst_release(s);
        if (!failed) break;
    }
    assert_true(fail_read_at > 5);
    fx_table_clear(&t);
    fx_close(&x);
}

/* ── threads ── */

struct job { struct fx *x; struct sst *s; const struct fx_table *t; uint64_t seed; int wrong; };
static void *probe_many(void *arg)
{
    struct job *j = arg;
    struct rng r = {j->seed};
    struct codec_ctx *codec = NULL;
    frz_row *row = NULL;
    frz_error e;
    if (frz__codec_ctx_new(NULL, &codec, &e) || frz__row_new(NULL, j->t->schema, &row, &e)) j->wrong++;
    for (int i = 0; i < 1500 && !j->wrong; i++) {
        size_t at = rng_below(&r, j->t->n);
        uint64_t pos = 0;
        slice k = j->t->rows[at].key;
        if (frz__sst_probe(j->s, k, frz__hash64(k), codec, &pos, &e) != FRZ_OK || pos != at) j->wrong++;
        if (i % 8 == 0 && (frz__sst_row(j->s, at, NULL, codec, row, &e) != FRZ_OK || row->values[1].as.i64 != (int64_t)at)) j->wrong++;
    }
    frz__row_free(row);
    frz__codec_ctx_free(codec);
    return NULL;
}

TEST(sst, is_shared_by_threads)
{
    struct fx x;
    struct fx_table t;
    fx_open(&x, 64 << 10);
    fx_table_new(&t, "k string, v long", "k", 12000);
    for (int i = 0; i < 12000; i++) {
        char text[16];
        snprintf(text, sizeof text, "key-%06d", i);
        frz_value v[2] = {value_bytes(FRZ_STRING, slice_str(text)), value_i64(FRZ_LONG, i)};
        fx_push(&t, v);
    }
    struct sst_writer_options o = fx_options(&t);
    o.row_group_rows = 4096;
    struct sst *s = fx_file(&x, "t", 1, &t, &o);
    struct job jobs[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){&x, s, &t, (uint64_t)i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, probe_many, &jobs[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].wrong, 0);
    }
    frz__sst_release(s);
    fx_table_clear(&t);
    fx_close(&x);
}
