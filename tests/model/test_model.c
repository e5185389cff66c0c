/* Goal    whatever is done to a table, reading it gives what a sorted array gives.
 * Method  seeded random operations (put, insert, update, delete, batches, flushes, compactions of all and of ranges, reopens, snapshots) on random schemas of every type, both format versions; after each few steps gets, scans both ways,
 *         ranges, prefixes and counts are compared; `verify` finds nothing at the end. FRZ_SEED and FRZ_MODEL_STEPS make it longer. */
#include "frz_test.h"

#include <stdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "types/keyenc.h"

struct entry { slice key; char *json; };
struct model { struct entry *rows; size_t count, cap; };

static size_t lower(const struct model *m, slice key)
{
    size_t lo = 0, hi = m->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (slice_cmp(m->rows[mid].key, key) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}
static struct entry *model_find(const struct model *m, slice key)
{
    size_t i = lower(m, key);
    return i < m->count && slice_eq(m->rows[i].key, key) ? &m->rows[i] : NULL;
}
static void model_put(struct model *m, slice key, const char *json)
{
    struct entry *e = model_find(m, key);
    if (e) {
        free(e->json);
        e->json = strdup(json);
        return;
    }
    size_t i = lower(m, key);
    if (m->count == m->cap) m->rows = realloc(m->rows, (m->cap = m->cap * 2 + 64) * sizeof *m->rows);
    memmove(&m->rows[i + 1], &m->rows[i], (m->count - i) * sizeof *m->rows);
    uint8_t *copy = malloc(key.len + 1);
    memcpy(copy, key.data ? key.data : (const uint8_t *)"", key.len);
    m->rows[i] = (struct entry){slice_of(copy, key.len), strdup(json)};
    m->count++;
}
static void model_delete(struct model *m, slice key)
{
    struct entry *e = model_find(m, key);
    if (!e) return;
    free((void *)(uintptr_t)e->key.data);
    free(e->json);
    memmove(e, e + 1, (size_t)(&m->rows[m->count] - e - 1) * sizeof *e);
    m->count--;
}
static void model_copy(struct model *to, const struct model *from)
{
    *to = (struct model){0};
    for (size_t i = 0; i < from->count; i++) model_put(to, from->rows[i].key, from->rows[i].json);
}
static void model_clear(struct model *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free((void *)(uintptr_t)m->rows[i].key.data);
        free(m->rows[i].json);
    }
    free(m->rows);
    *m = (struct model){0};
}

/* ── random values ── */

struct run {
    struct rng rng;
    char dir[600];
    frz_db *db;
    frz_table *t;
    frz_schema *schema;
    struct model model;
    frz_snapshot *snapshot;
    struct model then;
    frz_db_options o;
    uint64_t key_space;
    char scratch[4096];
    frz_error e;
};

static uint64_t pick(struct run *r, uint64_t n) { return rng_below(&r->rng, n); }

/* Of column type T; small domains for keys, so that they meet again. */
static frz_value random_value(struct run *r, frz_type t, bool key)
{
    uint64_t n = key ? pick(r, r->key_space) : rng_next(&r->rng);
    int64_t s = (int64_t)n - (key ? (int64_t)r->key_space / 2 : 0);
    frz_value v = {t.id, 0, {0}};
    switch (t.id) {
    case FRZ_BOOLEAN: v.as.boolean = n & 1; break;
    case FRZ_INT: v.as.i32 = (int32_t)s; break;
    case FRZ_DATE: v.as.i32 = (int32_t)(s % 3000000); break;
    case FRZ_TIME: v.as.i64 = (int64_t)(n % 86400000000u); break;
    case FRZ_FLOAT: v.as.f32 = n % 9 == 0 ? (float)NAN : n % 9 == 1 ? -0.0f : (float)(int32_t)n / 3; break;
    case FRZ_DOUBLE: v.as.f64 = n % 9 == 0 ? (double)NAN : n % 9 == 1 ? (double)INFINITY : (double)(int64_t)n / 7; break;
    case FRZ_DECIMAL: {
        static const int64_t pow10[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
        int64_t bound = t.precision < 9 ? pow10[t.precision] : pow10[9];
        int64_t d = s % bound;
        v.as.dec = (frz_decimal){(uint64_t)d, d < 0 ? -1 : 0};
        break;
    }
    case FRZ_TIMESTAMP: case FRZ_TIMESTAMPTZ: v.as.i64 = s % ((int64_t)200000000 * 1000000); break;
    case FRZ_TIMESTAMP_NS: case FRZ_TIMESTAMPTZ_NS: v.as.i64 = s; break;
    case FRZ_LONG: v.as.i64 = s; break;
    default: {
        size_t len = t.id == FRZ_UUID ? 16 : t.id == FRZ_FIXED ? (size_t)t.length : key ? n % 7 : n % 40;
        if (!key && t.id == FRZ_STRING && n % 97 == 0) len = 3000;
        for (size_t i = 0; i < len; i++) {
            uint64_t x = key ? n / (i + 1) : rng_next(&r->rng);
            r->scratch[i] = t.id == FRZ_STRING ? (char)(x % 5 ? 'a' + x % 4 : 0) : (char)(x % 3 ? x : 0);
        }
        v.as.bytes.data = r->scratch;
        v.as.bytes.len = len;
    }
    }
    return v;
}

static frz_row *random_row(struct run *r, bool only_some)
{
    frz_row *row;
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    for (size_t i = 0; i < frz_schema_column_count(r->schema); i++) {
        frz_column c = {.struct_size = sizeof c};
        OK(frz_schema_column(r->schema, i, &c), NULL);
        if (c.key_index < 0 && only_some && pick(r, 2)) continue;
        if (!c.required && pick(r, 4) == 0) {
            OK(frz_row_set_null(row, i, &r->e), &r->e);
            continue;
        }
        frz_value v = random_value(r, c.type, c.key_index >= 0);
        OK(frz_row_set(row, i, &v, &r->e), &r->e);
    }
    return row;
}

static void key_of(struct run *r, const frz_row *row, struct buf *key, frz_value *values, size_t *n)
{
    *n = frz_schema_key_count(r->schema);
    for (size_t i = 0; i < *n; i++) {
        size_t c;
        OK(frz_schema_key(r->schema, i, &c), NULL);
        OK(frz_row_get(row, c, &values[i]), NULL);
    }
    buf_reset(key);
    OK(frz__key_encode(r->schema, values, key, &r->e), &r->e);
}

/* All columns, nulls written out. */
static char *json_of(const frz_row *row)
{
    frz_error e;
    frz_blob *b;
    OK(frz_row_to_json(row, &b, &e), &e);
    char *s = strdup(frz_blob_data(b));
    frz_blob_free(b);
    return s;
}

static void fill_unset(frz_row *row)
{
    frz_error e;
    frz_value v;
    for (size_t i = 0; i < frz_row_column_count(row); i++)
        if (frz_row_get(row, i, &v) == FRZ_NOT_FOUND) OK(frz_row_set_null(row, i, &e), &e);
}

/* ── comparing ── */

static void compare_get(struct run *r, frz_snapshot *s, const struct model *m)
{
    frz_row *row = random_row(r, false), *out;
    struct buf key = BUF_INIT(NULL, 0);
    frz_value values[16];
    size_t n;
    key_of(r, row, &key, values, &n);
    OK(frz_row_new(r->t, &out, &r->e), &r->e);
    const struct entry *e = model_find(m, buf_slice(&key));
    RC(frz_get(r->t, s, values, n, out, &r->e), e ? FRZ_OK : FRZ_NOT_FOUND, &r->e);
    if (e) {
        char *json = json_of(out);
        assert_string_equal(json, e->json);
        free(json);
    }
    buf_clear(&key);
    frz_row_free(row);
    frz_row_free(out);
}

static void compare_scan(struct run *r, frz_snapshot *s, const struct model *m, bool reverse, bool ranged)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c;
    const frz_row *row;
    frz_row *a = random_row(r, false), *b = random_row(r, false);
    struct buf from = BUF_INIT(NULL, 0), to = BUF_INIT(NULL, 0);
    frz_value from_values[16], to_values[16];
    size_t n, lo = 0, hi = m->count;
    o.snapshot = s;
    o.reverse = reverse;
    if (ranged) {
        key_of(r, a, &from, from_values, &n);
        key_of(r, b, &to, to_values, &n);
        /* key_of's strings live in the rows */
        o.from = from_values;
        o.to = to_values;
        o.from_count = o.to_count = n;
        o.from_exclusive = pick(r, 2);
        o.to_inclusive = pick(r, 2);
        lo = lower(m, buf_slice(&from));
        if (o.from_exclusive && lo < m->count && slice_eq(m->rows[lo].key, buf_slice(&from))) lo++;
        hi = lower(m, buf_slice(&to));
        if (o.to_inclusive && hi < m->count && slice_eq(m->rows[hi].key, buf_slice(&to))) hi++;
        if (hi < lo) hi = lo;
    }
    o.limit = pick(r, 3) == 0 ? 1 + pick(r, 20) : 0;
    OK(frz_scan(r->t, &o, &c, &r->e), &r->e);
    size_t want = hi - lo, given = 0;
    if (o.limit && want > o.limit) want = (size_t)o.limit;
    int rc;
    while ((rc = frz_cursor_next(c, &row, &r->e)) == FRZ_OK) {
        assert_true(given < want);
        char *json = json_of(row);
        assert_string_equal(json, m->rows[reverse ? hi - 1 - given : lo + given].json);
        free(json);
        given++;
    }
    RC(rc, FRZ_DONE, &r->e);
    assert_int_equal(given, want);
    frz_cursor_close(c);
    o.limit = 0;
    o.reverse = false;
    uint64_t count;
    OK(frz_count(r->t, &o, &count, &r->e), &r->e);
    assert_int_equal(count, hi - lo);
    buf_clear(&from);
    buf_clear(&to);
    frz_row_free(a);
    frz_row_free(b);
}

static void compare_all(struct run *r)
{
    for (int i = 0; i < 5; i++) compare_get(r, NULL, &r->model);
    compare_scan(r, NULL, &r->model, pick(r, 2), false);
    compare_scan(r, NULL, &r->model, pick(r, 2), true);
    if (!r->snapshot) return;
    compare_get(r, r->snapshot, &r->then);
    compare_scan(r, r->snapshot, &r->then, pick(r, 2), pick(r, 2));
}

/* ── steps ── */

static void step_write(struct run *r)
{
    frz_batch *batch;
    struct buf key = BUF_INIT(NULL, 0);
    size_t n = 1 + (pick(r, 4) ? 0 : pick(r, 30)), nkey;
    bool fails = false;
    frz_value values[16];
    struct model before;
    model_copy(&before, &r->model);
    OK(frz_batch_new(r->db, &batch, &r->e), &r->e);
    for (size_t i = 0; i < n && !fails; i++) {
        uint64_t what = pick(r, 10);
        frz_row *row = random_row(r, what == 8);
        key_of(r, row, &key, values, &nkey);
        struct entry *there = model_find(&r->model, buf_slice(&key));
        if (what < 5) OK(frz_batch_put(batch, r->t, row, &r->e), &r->e);
        else if (what < 8) OK(frz_batch_delete(batch, r->t, values, nkey, &r->e), &r->e);
        else if (what == 8) OK(frz_batch_update(batch, r->t, row, &r->e), &r->e);
        else OK(frz_batch_insert(batch, r->t, row, &r->e), &r->e);
        if (what == 8 && there) {
            frz_row *whole;
            OK(frz_row_new(r->t, &whole, &r->e), &r->e);
            OK(frz_row_set_json(whole, there->json, strlen(there->json), &r->e), &r->e);
            for (size_t c = 0; c < frz_row_column_count(row); c++) {
                frz_value v;
                if (frz_row_get(row, c, &v) == FRZ_OK) OK(frz_row_set(whole, c, &v, &r->e), &r->e);
            }
            char *json = json_of(whole);
            model_put(&r->model, buf_slice(&key), json);
            free(json);
            frz_row_free(whole);
        } else if (what == 8) {
            fails = true;
        } else if (what < 5 || (what == 9 && !there)) {
            fill_unset(row);
            char *json = json_of(row);
            model_put(&r->model, buf_slice(&key), json);
            free(json);
        } else if (what == 9) {
            fails = true;
        } else {
            model_delete(&r->model, buf_slice(&key));
        }
        frz_row_free(row);
    }
    int rc = frz_write(r->db, batch, NULL, NULL, &r->e);
    if (fails) {
        if (rc != FRZ_NOT_FOUND) RC(rc, FRZ_EXISTS, &r->e);
        model_clear(&r->model);
        r->model = before;
    } else {
        OK(rc, &r->e);
        model_clear(&before);
    }
    frz_batch_free(batch);
    buf_clear(&key);
}

static void step_compact(struct run *r)
{
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    frz_row *a = random_row(r, false), *b = random_row(r, false);
    struct buf key = BUF_INIT(NULL, 0);
    frz_value from[16], to[16];
    size_t n;
    o.no_flush = pick(r, 2);
    if (pick(r, 2)) { /* a range, by whole keys or the first columns of them */
        key_of(r, a, &key, from, &n);
        o.from = from;
        o.from_count = 1 + pick(r, n);
    }
    if (pick(r, 2)) {
        key_of(r, b, &key, to, &n);
        o.to = to;
        o.to_count = 1 + pick(r, n);
    }
    int rc = frz_table_compact(r->t, &o, NULL, &r->e);
    if (rc != FRZ_INVALID || !o.from || !o.to) OK(rc, &r->e); /* from behind to */
    buf_clear(&key);
    frz_row_free(a);
    frz_row_free(b);
}

static void drop_snapshot(struct run *r)
{
    frz_snapshot_close(r->snapshot);
    r->snapshot = NULL;
    model_clear(&r->then);
}

static void reopen(struct run *r)
{
    drop_snapshot(r);
    r->o.no_close_flush = pick(r, 2);
    frz_schema_free(r->schema);
    frz_table_close(r->t);
    OK(frz_db_close(r->db, &r->e), &r->e);
    OK(frz_db_open(r->dir, &r->o, &r->db, &r->e), &r->e);
    OK(frz_table_open(r->db, "m", &r->t, &r->e), &r->e);
    OK(frz_table_schema(r->t, &r->schema, &r->e), &r->e);
}

static int print_finding(void *ctx, const frz_finding *f)
{
    (void)ctx;
    print_error("%s: %s: %s\n", f->table, f->where, f->what);
    return 0;
}

static void verify_clean(struct run *r)
{
    frz_verify_report report = {.struct_size = sizeof report};
    OK(frz_verify(r->db, NULL, print_finding, NULL, &report, &r->e), &r->e);
    assert_int_equal(report.findings, 0);
}

static void random_schema(struct run *r, int format, char *text, char *key)
{
    static const char *const key_types[] = {"long", "int", "string", "binary", "uuid", "boolean", "date", "timestamp", "timestamptz", "time", "decimal(9,2)", "decimal(30,5)", "fixed(5)",
                                            "timestamp_ns", "timestamptz_ns"};
    static const char *const types[] = {"long", "int", "string", "binary", "uuid", "boolean", "date", "timestamp", "timestamptz", "time", "decimal(4,1)", "decimal(18,3)", "decimal(38,9)", "fixed(3)", "float", "double",
                                        "timestamp_ns", "timestamptz_ns"};
    size_t keys = 1 + pick(r, 3), others = pick(r, 8), usable = FRZ_ARRAY_LEN(types) - (format < 3 ? 2 : 0), key_usable = FRZ_ARRAY_LEN(key_types) - (format < 3 ? 2 : 0);
    text[0] = key[0] = 0;
    for (size_t i = 0; i < keys; i++) {
        sprintf(text + strlen(text), "%sk%zu %s", i ? ", " : "", i, key_types[pick(r, key_usable)]);
        sprintf(key + strlen(key), "%sk%zu", i ? "," : "", keys - 1 - i);
    }
    for (size_t i = 0; i < others; i++) sprintf(text + strlen(text), ", c%zu %s%s", i, types[pick(r, usable)], pick(r, 3) ? "?" : "");
}

static void run_model(uint64_t seed, int format, const char *schema_text, const char *key_text, size_t steps)
{
    struct run r = {.rng = {seed}};
    char text[2000], key[200];
    static const char *const keys[] = {"frazil.foreign-reader-grace-ms", "write.parquet.row-group-size-bytes", "write.parquet.page-size-bytes", "write.target-file-size-bytes", "frazil.level-base-bytes",
                                       "frazil.level0-runs-max", "frazil.compaction-masked-percent", "frazil.compaction-small-files"};
    static const char *const values[] = {"0", "65536", "1024", "65536", "65536", "2", "5", "3"}; /* small, so that there is always something to compact */
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    snprintf(r.dir, sizeof r.dir, "%s", test_tmp_dir("model"));
    r.key_space = 2 + pick(&r, 400);
    random_schema(&r, format, text, key);
    if (schema_text) {
        strcpy(text, schema_text);
        strcpy(key, key_text);
    }
    r.o = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    r.o.create = true;
    r.o.durability = FRZ_SYNC_OFF;
    r.o.memtable_bytes = 16384 + pick(&r, 200000);
    print_message("seed %llu format %d: %s; key %s\n", (unsigned long long)seed, format, text, key);
    OK(frz_db_open(r.dir, &r.o, &r.db, &r.e), &r.e);
    OK(frz_schema_parse(text, key, &r.schema, &r.e), &r.e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = FRZ_ARRAY_LEN(keys);
    OK(frz_table_create(r.db, "m", r.schema, &to, &r.t, &r.e), &r.e);
    frz_schema_free(r.schema);
    OK(frz_table_schema(r.t, &r.schema, &r.e), &r.e);
    for (size_t i = 0; i < steps; i++) {
        uint64_t what = pick(&r, 100);
        if (what < 77) step_write(&r);
        else if (what < 80) step_compact(&r);
        else if (what < 88) OK(frz_table_flush(r.t, &r.e), &r.e);
        else if (what < 90) reopen(&r);
        else if (what < 92) {
            drop_snapshot(&r);
            OK(frz_snapshot_open(r.db, &r.snapshot, &r.e), &r.e);
            model_copy(&r.then, &r.model);
        } else if (what < 93) drop_snapshot(&r);
        else compare_all(&r);
    }
    OK(frz_table_flush(r.t, &r.e), &r.e);
    compare_all(&r);
    verify_clean(&r);
    reopen(&r);
    compare_all(&r);
    verify_clean(&r);
    drop_snapshot(&r);
    frz_schema_free(r.schema);
    frz_table_close(r.t);
    OK(frz_db_close(r.db, &r.e), &r.e);
    model_clear(&r.model);
    test_tmp_remove(r.dir);
}

static size_t steps_of(size_t def)
{
    const char *s = getenv("FRZ_MODEL_STEPS");
    return s ? strtoull(s, NULL, 10) : def;
}

TEST(model, simple_tables_agree_with_a_sorted_array)
{
    uint64_t seed = test_seed(1);
    run_model(seed, 2, "id long, name string?, price double?", "id", steps_of(400));
    run_model(seed + 1, 3, "id long, name string?, price double?", "id", steps_of(400));
}

TEST(model, random_schemas_of_every_type_agree_in_format_2)
{
    uint64_t seed = test_seed(100);
    for (uint64_t i = 0; i < 6; i++) run_model(seed + i, 2, NULL, NULL, steps_of(200));
}

TEST(model, random_schemas_of_every_type_agree_in_format_3)
{
    uint64_t seed = test_seed(200);
    for (uint64_t i = 0; i < 6; i++) run_model(seed + i, 3, NULL, NULL, steps_of(200));
}

TEST(model, a_key_of_every_row_alone_agrees)
{
    uint64_t seed = test_seed(300);
    run_model(seed, 2, "k0 string", "k0", steps_of(200));
    run_model(seed + 1, 3, "k0 boolean, k1 binary", "k1,k0", steps_of(200));
}
