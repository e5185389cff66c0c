/* sst_fixture.h — table files in memory, and the sorted array that they must agree with. */
#ifndef SST_FIXTURE_H
#define SST_FIXTURE_H
#include <stdio.h>
#include <stdlib.h>
#include "frz_test.h"
#include "base/coding.h"
#include "base/hash.h"
#include "base/rand.h"
#include "sst/sst.h"

static frz_error err;

/* ── values ── */

static inline frz_schema *fx_schema(const char *columns, const char *key)
{
    frz_schema *s = NULL;
    OK(frz__schema_parse_text(NULL, slice_str(columns), slice_str(key), &s, &err), &err);
    OK(frz__schema_seal(s, true, &err), &err);
    return s;
}

static inline frz_value fx_value(struct rng *r, frz_type t, size_t len_max, struct arena *ar)
{
    frz_value v = {t.id, 0, {0}};
    size_t len = rng_below(r, len_max + 1);
    uint8_t *p;
    switch (t.id) {
    case FRZ_BOOLEAN: v.as.boolean = rng_below(r, 2); break;
    case FRZ_INT:
    case FRZ_DATE: v.as.i32 = (int32_t)rng_next(r); break;
    case FRZ_FLOAT: v.as.f32 = (float)(int32_t)rng_next(r) / 8; break;
    case FRZ_DOUBLE: v.as.f64 = (double)(int64_t)rng_next(r) / 1024; break;
    case FRZ_DECIMAL:
        v.as.dec = (frz_decimal){rng_below(r, t.precision < 9 ? 100000 : 1000000000), 0};
        if (rng_below(r, 2)) v.as.dec = (frz_decimal){~v.as.dec.lo, -1};
        break;
    case FRZ_TIME: v.as.i64 = (int64_t)rng_below(r, UINT64_C(86400000000)); break;
    case FRZ_UUID:
    case FRZ_FIXED: len = frz__type_width(t); /* fall through */
    case FRZ_STRING:
    case FRZ_BINARY:
        p = arena_alloc(ar, len + 1, 1);
        for (size_t i = 0; i < len; i++) p[i] = t.id == FRZ_STRING ? (uint8_t)"\0ab\x01z/"[rng_below(r, 6)] : (uint8_t)(rng_below(r, 3) ? rng_next(r) : 0);
        v.as.bytes.data = p;
        v.as.bytes.len = len;
        break;
    default: v.as.i64 = (int64_t)(rng_next(r) >> rng_below(r, 40)); break;
    }
    return v;
}

/* ── a table: rows in key order ── */

struct fx_row { slice key, row; int64_t row_id, updated; };
struct fx_table {
    frz_schema *schema;
    struct fx_row *rows;
    size_t n;
    struct arena ar;
};

static inline int fx_by_key(const void *a, const void *b) { return slice_cmp(((const struct fx_row *)a)->key, ((const struct fx_row *)b)->key); }

static inline slice fx_keep(struct arena *ar, const struct buf *b)
{
    uint8_t *p = arena_alloc(ar, b->len + 1, 1);
    if (b->len) memcpy(p, b->data, b->len);
    return slice_of(p, b->len);
}

static inline void fx_push(struct fx_table *t, const frz_value *values)
{
    struct buf b = BUF_INIT(NULL, 0);
    struct fx_row *row = &t->rows[t->n];
    OK(frz__key_encode_row(t->schema, values, &b, &err), &err);
    row->key = fx_keep(&t->ar, &b);
    buf_reset(&b);
    OK(frz__row_encode(t->schema, values, &b, &err), &err);
    row->row = fx_keep(&t->ar, &b);
    row->row_id = t->n % 3 ? (int64_t)t->n * 5 : -1;
    row->updated = t->n % 4 ? (int64_t)t->n : -1;
    t->n++;
    buf_clear(&b);
}

static inline void fx_sort(struct fx_table *t)
{
    size_t n = 0;
    qsort(t->rows, t->n, sizeof *t->rows, fx_by_key);
    for (size_t i = 0; i < t->n; i++)
        if (n == 0 || slice_cmp(t->rows[n - 1].key, t->rows[i].key) < 0) t->rows[n++] = t->rows[i];
    t->n = n;
}

static inline void fx_table_new(struct fx_table *t, const char *columns, const char *key, size_t cap)
{
    *t = (struct fx_table){.schema = fx_schema(columns, key), .rows = calloc(cap + 1, sizeof *t->rows), .ar = ARENA_INIT(NULL)};
}

/* N distinct random keys, or as many as there are */
static inline void fx_table_random(struct fx_table *t, const char *columns, const char *key, size_t n, uint64_t seed)
{
    struct rng r = {seed};
    fx_table_new(t, columns, key, 2 * n + 4);
    frz_value *values = calloc(t->schema->count, sizeof *values);
    for (int round = 0; round < 4 && t->n < n; round++) {
        for (size_t left = n - t->n + (n - t->n) / 8; left > 0 && t->n < 2 * n + 4; left--) {
            for (size_t c = 0; c < t->schema->count; c++) {
                const struct column *col = &t->schema->columns[c];
                values[c] = !col->required && rng_below(&r, 5) == 0 ? value_null() : fx_value(&r, col->type, 14, &t->ar);
            }
            fx_push(t, values);
        }
        fx_sort(t);
    }
    if (t->n > n) { /* any of them */
        for (size_t i = 0; t->n > n; i++) {
            size_t at = rng_below(&r, t->n);
            memmove(&t->rows[at], &t->rows[at + 1], (t->n - at - 1) * sizeof *t->rows);
            t->n--;
        }
    }
    free(values);
}

static inline void fx_table_clear(struct fx_table *t)
{
    free(t->rows);
    frz__arena_clear(&t->ar);
    frz__schema_release(t->schema);
}

/* ── files ── */

struct fx {
    const allocator *a;
    struct fs *fs;
    struct cache *cache;
    struct codec_ctx *codec;
    struct sst_counters counters;
    struct sst_env env;
};

static inline int fx_try_open(struct fx *x, const allocator *a, size_t cache_bytes)
{
    memset(x, 0, sizeof *x);
    x->a = a;
    TRY(frz__fs_mem_new(a, &x->fs, &err));
    TRY(frz__cache_new(a, cache_bytes, &x->cache, &err));
    TRY(frz__codec_ctx_new(a, &x->codec, &err));
    x->env = (struct sst_env){a, x->fs, x->cache, &x->counters};
    return FRZ_OK;
}

static inline void fx_open(struct fx *x, size_t cache_bytes) { OK(fx_try_open(x, NULL, cache_bytes), &err); }

static inline void fx_close(struct fx *x)
{
    if (x->cache) frz__cache_free(x->cache);
    frz__codec_ctx_free(x->codec);
    if (x->fs) frz__fs_free(x->fs);
}

static inline struct sst_writer_options fx_options(const struct fx_table *t)
{
    return (struct sst_writer_options){.schema = t->schema, .codec = CODEC_ZSTD, .filter_bits = 10, .dictionary = true, .lineage = true, .level_hint = 2, .uuid_hash = 99, .seq_first = 5, .seq_last = 9000};
}

#define FX_ADD_MAX 20000
static inline int fx_add(struct sst_writer *w, const struct fx_row *rows, size_t n)
{
    static slice keys[FX_ADD_MAX], bytes[FX_ADD_MAX];
    static uint64_t hashes[FX_ADD_MAX];
    static int64_t ids[FX_ADD_MAX], updated[FX_ADD_MAX];
    for (size_t i = 0; i < n; i++) {
        keys[i] = rows[i].key;
        bytes[i] = rows[i].row;
        hashes[i] = frz__hash64(rows[i].key);
        ids[i] = rows[i].row_id;
        updated[i] = rows[i].updated;
    }
    return frz__sst_add(w, &(struct sst_rows){keys, bytes, hashes, ids, updated, n}, &err);
}

static inline int fx_try_write(struct fx *x, const char *path, const struct fx_table *t, const struct sst_writer_options *o, struct ice_file *out, struct arena *ar)
{
    struct file *f = NULL;
    struct sst_writer *w = NULL;
    int rc;
    CHECK(frz__fs_open(x->fs, path, FS_OPEN_CREATE_NEW, &f, &err));
    CHECK(frz__sst_writer_new(x->a, f, o, &w, &err));
    static const size_t sizes[] = {1, 700, 3, FX_ADD_MAX, 64};
    for (size_t i = 0, k = 0, n; i < t->n; i += n, k++) {
        n = sizes[k % FRZ_ARRAY_LEN(sizes)];
        if (n > t->n - i) n = t->n - i;
        CHECK(fx_add(w, &t->rows[i], n));
    }
    CHECK(frz__sst_finish(w, ar, out, &err));
done:
    frz__sst_writer_free(w);
    (void)frz__file_close(f, NULL);
    return rc;
}

static inline struct ice_file fx_write(struct fx *x, const char *path, const struct fx_table *t, const struct sst_writer_options *o)
{
    struct arena ar = ARENA_INIT(NULL);
    struct ice_file out;
    OK(fx_try_write(x, path, t, o, &out, &ar), &err);
    frz__arena_clear(&ar);
    out.stats = NULL;
    out.split_offsets = NULL;
    return out;
}

static inline struct sst *fx_reader(struct fx *x, const char *path, uint64_t file_no, const frz_schema *schema)
{
    struct sst *s = NULL;
    OK(frz__sst_open(&x->env, path, file_no, schema, UINT64_MAX, UINT64_MAX, &s, &err), &err);
    return s;
}

/* writes T as PATH and opens it */
static inline struct sst *fx_file(struct fx *x, const char *path, uint64_t file_no, const struct fx_table *t, const struct sst_writer_options *o)
{
    struct ice_file f = fx_write(x, path, t, o);
    struct sst *s = NULL;
    OK(frz__sst_open(&x->env, path, file_no, t->schema, (uint64_t)f.file_size, t->n, &s, &err), &err);
    return s;
}

/* ── expectations ── */

static inline void fx_expect(const struct fx_table *t, size_t i, frz_value *values, struct buf *scratch)
{
    frz_value key[8];
    buf_reset(scratch);
    OK(frz__key_decode(t->schema, t->rows[i].key, key, scratch, &err), &err);
    for (size_t c = 0; c < t->schema->count; c++) {
        if (t->schema->columns[c].key_index >= 0) values[c] = key[t->schema->columns[c].key_index];
        else frz__row_get(t->schema, t->rows[i].row, c, &values[c]);
    }
}

static inline void fx_same(const frz_value *a, const frz_value *b, const char *what, size_t row, size_t column)
{
    if (!frz__value_eq(a, b)) fail_msg("%s: row %zu, column %zu differs", what, row, column);
}

/* the first row at or above KEY */
static inline size_t fx_lower(const struct fx_table *t, slice key)
{
    size_t i = 0;
    while (i < t->n && slice_cmp(t->rows[i].key, key) < 0) i++;
    return i;
}
#endif
