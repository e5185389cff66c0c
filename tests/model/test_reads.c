/* Goal    every way to read gives what a walk over an array gives: ranges, prefixes of a composite key, both directions, projections
 * (without the key too), limits, predicates, multi-get, gets of some columns; by cursor, by Arrow stream, by count; from memtables, files
 * and both; of the latest state, of a snapshot, and of a published one. Method  a table of a composite key with small domains is changed
 * and flushed in rounds; after each, random questions are asked of frazil and of the array. FRZ_SEED and FRZ_MODEL_STEPS make it longer. */
#include "frz_test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"

enum { G, N, V, S, D, X, COLUMNS };
#define GROUPS 7
#define NUMBERS 41 /* -20 … 20 */
#define CELLS (GROUPS * NUMBERS)

static const struct {
    const char *s;
    size_t len;
} groups[GROUPS] = {{"", 0}, {"\0", 1}, {"\0a", 2}, {"a", 1}, {"a\0", 2}, {"ab", 2}, {"\xc3\xa9t\xc3\xa9", 5}}; /* ascending */

struct cell { bool live, has[COLUMNS]; int64_t v, x; double d; char s[12]; };
struct state { struct cell cells[CELLS]; }; /* in key order: group, then number */

static int group_of(size_t cell) { return (int)(cell / NUMBERS); }
static int number_of(size_t cell) { return (int)(cell % NUMBERS) - 20; }

struct run {
    struct rng rng;
    char dir[600];
    frz_db *db;
    frz_table *t;
    frz_row *row;
    struct state now, then, published[4];
    int64_t published_id[4];
    size_t published_count;
    frz_snapshot *snapshot;
    frz_error e;
};

static uint64_t pick(struct run *r, uint64_t n) { return rng_below(&r->rng, n); }
static frz_value long_of(int64_t v) { return (frz_value){.type = FRZ_LONG, .as.i64 = v}; }
static frz_value group_value(int g) { return (frz_value){.type = FRZ_STRING, .as.bytes = {groups[g].s, groups[g].len}}; }
static void key_of(size_t cell, frz_value key[2])
{
    key[0] = group_value(group_of(cell));
    key[1] = long_of(number_of(cell));
}

/* ── values as text, so that all ways compare alike ── */

static void put_bytes(char *out, const char *s, size_t len)
{
    out += strlen(out);
    for (size_t i = 0; i < len; i++) out += sprintf(out, "%02x", (unsigned char)s[i]);
    strcpy(out, "/");
}
static void put_null(char *out) { strcat(out, "null/"); }
static void put_int(char *out, int64_t v) { sprintf(out + strlen(out), "%" PRId64 "/", v); }
static void put_real(char *out, double d) { sprintf(out + strlen(out), "%.17g/", d); }

static void text_of_cell(const struct state *st, size_t cell, const size_t *columns, size_t count, char *out)
{
    const struct cell *c = &st->cells[cell];
    out[0] = 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = columns[i];
        if (k == G) put_bytes(out, groups[group_of(cell)].s, groups[group_of(cell)].len);
        else if (k == N) put_int(out, number_of(cell));
        else if (!c->has[k]) put_null(out);
        else if (k == V) put_int(out, c->v);
        else if (k == S) put_bytes(out, c->s, strlen(c->s));
        else if (k == D) put_real(out, c->d);
        else put_int(out, c->x);
    }
}

/* And that what was not asked for is not there. */
static void text_of_row(const frz_row *row, const size_t *columns, size_t count, char *out)
{
    bool wanted[COLUMNS] = {false};
    out[0] = 0;
    for (size_t i = 0; i < count; i++) {
        frz_value v;
        wanted[columns[i]] = true;
        OK(frz_row_get(row, columns[i], &v), NULL);
        if (v.type == FRZ_NULL) put_null(out);
        else if (v.type == FRZ_STRING) put_bytes(out, (const char *)v.as.bytes.data, v.as.bytes.len);
        else if (v.type == FRZ_INT) put_int(out, v.as.i32);
        else if (v.type == FRZ_LONG) put_int(out, v.as.i64);
        else if (v.type == FRZ_DOUBLE) put_real(out, v.as.f64);
        else {
            assert_int_equal(v.type, FRZ_DECIMAL);
            assert_int_equal(v.as.dec.hi, (int64_t)v.as.dec.lo < 0 ? -1 : 0);
            put_int(out, (int64_t)v.as.dec.lo);
        }
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        frz_value v;
        if (!wanted[i]) assert_int_equal(frz_row_get(row, i, &v), FRZ_NOT_FOUND);
    }
}

static void text_of_arrow(const struct ArrowArray *a, int64_t i, const size_t *columns, size_t count, char *out)
{
    out[0] = 0;
    assert_int_equal(a->n_children, count);
    for (size_t k = 0; k < count; k++) {
        const struct ArrowArray *c = a->children[k];
        const uint8_t *valid = (const uint8_t *)c->buffers[0];
        int64_t at = i + c->offset;
        if (valid && !(valid[at / 8] >> (at % 8) & 1)) {
            put_null(out);
            continue;
        }
        switch (columns[k]) {
        case G: case S: {
            const int32_t *o = (const int32_t *)c->buffers[1];
            put_bytes(out, (const char *)c->buffers[2] + o[at], (size_t)(o[at + 1] - o[at]));
            break;
        }
        case N: put_int(out, ((const int32_t *)c->buffers[1])[at]); break;
        case V: put_int(out, ((const int64_t *)c->buffers[1])[at]); break;
        case D: put_real(out, ((const double *)c->buffers[1])[at]); break;
        default: put_int(out, ((const int64_t *)c->buffers[1])[2 * at]); break;
        }
    }
}

/* ── questions ── */

static bool p_v_low(const struct cell *c, size_t at) { (void)at; return c->has[V] && c->v < 300; }
static bool p_s(const struct cell *c, size_t at) { (void)at; return c->has[S] && c->s[0] == 's' && c->s[1] == '1'; }
static bool p_null(const struct cell *c, size_t at) { (void)at; return !c->has[D]; }
static bool p_key(const struct cell *c, size_t at) { (void)c; return number_of(at) >= -3 && number_of(at) <= 8; }
static bool p_group(const struct cell *c, size_t at) { (void)c; return group_of(at) == 3 || group_of(at) == 5; }
static bool p_mixed(const struct cell *c, size_t at)
{
    return !(number_of(at) < 0) && ((c->has[D] && c->d > 0.25) || (c->has[X] && c->x < 0));
}
static bool p_none(const struct cell *c, size_t at) { (void)c; (void)at; return false; }
static const struct { const char *text; bool (*fn)(const struct cell *, size_t);
} wheres[] = {{"v < 300", p_v_low},          {"s LIKE 's1%'", p_s},        {"d IS NULL", p_null},
              {"n BETWEEN -3 AND 8", p_key}, {"g IN ('a','ab')", p_group}, {"NOT n < 0 AND (d > 0.25 OR x < 0)", p_mixed},
              {"n = 1 AND n = 2", p_none}};

/* < 0, 0, > 0: the cell's first COUNT key columns against those of BOUND */
static int against(size_t cell, size_t bound, size_t count)
{
    int d = group_of(cell) - group_of(bound);
    return d || count == 1 ? d : number_of(cell) - number_of(bound);
}

struct question {
    frz_scan_options o;
    size_t columns[COLUMNS], count, from, to, prefix;
    frz_value from_key[2], to_key[2], prefix_key[2];
    int where;
};

static void random_question(struct run *r, struct question *q)
{
    *q = (struct question){.o = FRZ_SCAN_OPTIONS_INIT, .where = -1};
    size_t order[COLUMNS] = {G, N, V, S, D, X};
    for (size_t i = COLUMNS - 1; i; i--) {
        size_t k = pick(r, i + 1), x = order[i];
        order[i] = order[k];
        order[k] = x;
    }
    q->count = pick(r, 3) ? 1 + pick(r, COLUMNS) : COLUMNS;
    for (size_t i = 0; i < q->count; i++) q->columns[i] = q->count == COLUMNS ? i : order[i];
    if (q->count < COLUMNS || pick(r, 2)) {
        q->o.columns = q->columns;
        q->o.column_count = q->count;
    }
    if (pick(r, 3) == 0) {
        q->prefix = pick(r, CELLS);
        key_of(q->prefix, q->prefix_key);
        q->o.prefix = q->prefix_key;
        q->o.prefix_count = 1 + pick(r, 2);
    } else {
        if (pick(r, 2)) {
            q->from = pick(r, CELLS);
            key_of(q->from, q->from_key);
            q->o.from = q->from_key;
            q->o.from_count = 1 + pick(r, 2);
            q->o.from_exclusive = pick(r, 2);
        }
        if (pick(r, 2)) {
            q->to = pick(r, CELLS);
            key_of(q->to, q->to_key);
            q->o.to = q->to_key;
            q->o.to_count = 1 + pick(r, 2);
            q->o.to_inclusive = pick(r, 2);
        }
    }
    if (pick(r, 2)) {
        q->where = (int)pick(r, sizeof wheres / sizeof *wheres);
        q->o.where = wheres[q->where].text;
    }
    if (pick(r, 4) == 0) q->o.limit = 1 + pick(r, 30);
    q->o.batch_rows = pick(r, 3) ? 0 : 1 + (uint32_t)pick(r, 20);
}

static size_t answer(const struct state *st, const struct question *q, size_t out[CELLS])
{
    size_t n = 0;
    for (size_t c = 0; c < CELLS; c++) {
        if (!st->cells[c].live) continue;
        if (q->o.prefix_count && against(c, q->prefix, q->o.prefix_count) != 0) continue;
        if (q->o.from_count && against(c, q->from, q->o.from_count) < (int)q->o.from_exclusive) continue;
        if (q->o.to_count && against(c, q->to, q->o.to_count) >= (int)q->o.to_inclusive) continue;
        if (q->where >= 0 && !wheres[q->where].fn(&st->cells[c], c)) continue;
        out[n++] = c;
    }
    return n;
}

static void ask_cursor(struct run *r, struct question *q, const struct state *st, const size_t *want, size_t n)
{
    frz_cursor *c;
    const frz_row *row;
    size_t given = 0;
    int rc;
    if (q->o.limit && n > q->o.limit) n = (size_t)q->o.limit; /* of an ordered scan the first ones */
    OK(frz_scan(r->t, &q->o, &c, &r->e), &r->e);
    while ((rc = frz_cursor_next(c, &row, &r->e)) == FRZ_OK) {
        char got[400], expected[400];
        assert_true(given < n);
        text_of_row(row, q->columns, q->count, got);
        text_of_cell(st, want[given], q->columns, q->count, expected);
        assert_string_equal(got, expected);
        given++;
    }
    RC(rc, FRZ_DONE, &r->e);
    assert_int_equal(given, n);
    frz_cursor_close(c);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* In any order; with a limit, any of those that pass. */
static void ask_arrow(struct run *r, struct question *q, const struct state *st, const size_t *want, size_t n)
{
    struct ArrowArrayStream s;
    static char texts[2][CELLS][400];
    char *got[CELLS], *expected[CELLS];
    size_t given = 0, at = 0;
    OK(frz_scan_arrow(r->t, &q->o, &s, &r->e), &r->e);
    for (;;) {
        struct ArrowArray a;
        assert_int_equal(s.get_next(&s, &a), 0);
        if (!a.release) break;
        assert_true(a.length > 0 && (!q->o.batch_rows || a.length <= q->o.batch_rows));
        for (int64_t i = 0; i < a.length; i++) {
            assert_true(given < CELLS);
            got[given] = texts[0][given];
            text_of_arrow(&a, i, q->columns, q->count, got[given++]);
        }
        a.release(&a);
    }
    s.release(&s);
    for (size_t i = 0; i < n; i++) {
        expected[i] = texts[1][i];
        text_of_cell(st, want[i], q->columns, q->count, expected[i]);
    }
    assert_int_equal(given, q->o.limit && n > q->o.limit ? q->o.limit : n);
    qsort(got, given, sizeof *got, by_text);
    qsort(expected, n, sizeof *expected, by_text);
    for (size_t i = 0; i < given; i++) {
        while (at < n && strcmp(expected[at], got[i]) < 0) at++; /* what the limit left out */
        assert_true(at < n);
        assert_string_equal(got[i], expected[at]);
        at++;
    }
}

static void ask_scan(struct run *r, frz_snapshot *snapshot, const struct state *st)
{
    struct question q;
    size_t want[CELLS];
    uint64_t count = 0;
    random_question(r, &q);
    q.o.snapshot = snapshot;
    size_t n = answer(st, &q, want);
    ask_cursor(r, &q, st, want, n);
    ask_arrow(r, &q, st, want, n);
    OK(frz_count(r->t, &q.o, &count, &r->e), &r->e);
    assert_int_equal(count, q.o.limit && n > q.o.limit ? q.o.limit : n);
    for (size_t i = 0; i < n / 2; i++) {
        size_t x = want[i];
        want[i] = want[n - 1 - i];
        want[n - 1 - i] = x;
    }
    q.o.reverse = true;
    ask_cursor(r, &q, st, want, n);
}

static const size_t all_columns[COLUMNS] = {G, N, V, S, D, X};

/* Keys in any order, some twice, some that are not there: each answer at its place. */
static void ask_keys(struct run *r, frz_snapshot *snapshot, const struct state *st)
{
    enum { MOST = 40 };
    size_t cells[MOST], n = 1 + pick(r, MOST), some[3], some_count = 1 + pick(r, 3);
    frz_value keys[2 * MOST];
    frz_row *rows[MOST];
    bool found[MOST];
    char got[400], expected[400];
    for (size_t i = 0; i < n; i++) {
        cells[i] = i && pick(r, 4) == 0 ? cells[pick(r, i)] : pick(r, CELLS);
        key_of(cells[i], keys + 2 * i);
        OK(frz_row_new(r->t, &rows[i], &r->e), &r->e);
        if (pick(r, 2)) OK(frz_row_set_long(rows[i], V, -1, &r->e), &r->e); /* what was in the row goes */
    }
    OK(frz_multi_get(r->t, snapshot, keys, 2, n, rows, found, &r->e), &r->e);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(found[i], st->cells[cells[i]].live);
        text_of_row(rows[i], all_columns, found[i] ? COLUMNS : 0, got);
        text_of_cell(st, cells[i], all_columns, found[i] ? COLUMNS : 0, expected);
        assert_string_equal(got, expected);
    }
    for (size_t i = 0; i < some_count; i++) some[i] = (pick(r, COLUMNS / 3) * 3 + i) % COLUMNS;
    if (some_count > 1 && some[1] == some[0]) some_count = 1;
    if (some_count > 2 && (some[2] == some[0] || some[2] == some[1])) some_count = 2;
    int rc = frz_get_columns(r->t, snapshot, keys, 2, some, some_count, rows[0], &r->e);
    assert_int_equal(rc, st->cells[cells[0]].live ? FRZ_OK : FRZ_NOT_FOUND);
    text_of_row(rows[0], some, rc == FRZ_OK ? some_count : 0, got);
    text_of_cell(st, cells[0], some, rc == FRZ_OK ? some_count : 0, expected);
    assert_string_equal(got, expected);
    for (size_t i = 0; i < n; i++) frz_row_free(rows[i]);
}

static void ask(struct run *r, size_t questions)
{
    for (size_t i = 0; i < questions; i++) {
        ask_scan(r, NULL, &r->now);
        ask_keys(r, NULL, &r->now);
        if (r->snapshot) {
            ask_scan(r, r->snapshot, &r->then);
            ask_keys(r, r->snapshot, &r->then);
        }
        if (!r->published_count || pick(r, 3)) continue;
        size_t p = pick(r, r->published_count);
        frz_snapshot *s;
        OK(frz_snapshot_open_published(r->t, r->published_id[p], &s, &r->e), &r->e);
        ask_scan(r, s, &r->published[p]);
        ask_keys(r, s, &r->published[p]);
        frz_snapshot_close(s);
    }
}

/* ── changes ── */

static void change(struct run *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = pick(r, 3) ? pick(r, CELLS) : pick(r, CELLS / 4);
        struct cell *c = &r->now.cells[at];
        frz_value key[2];
        key_of(at, key);
        if (pick(r, 4) == 0) {
            OK(frz_delete(r->t, key, 2, NULL, &r->e), &r->e);
            c->live = false;
            continue;
        }
        *c = (struct cell){
            .live = true, .v = (int64_t)pick(r, 1000), .x = (int64_t)pick(r, 2000) - 1000, .d = (double)pick(r, 100) / 64 - 0.5};
        sprintf(c->s, "s%d", (int)pick(r, 200));
        frz_row_clear(r->row);
        OK(frz_row_set(r->row, G, &key[0], &r->e), &r->e);
        OK(frz_row_set(r->row, N, &key[1], &r->e), &r->e);
        for (size_t k = V; k < COLUMNS; k++) c->has[k] = pick(r, 4) > 0;
        if (c->has[V]) OK(frz_row_set_long(r->row, V, c->v, &r->e), &r->e);
        if (c->has[S]) OK(frz_row_set_string(r->row, S, c->s, strlen(c->s), &r->e), &r->e);
        if (c->has[D]) OK(frz_row_set_double(r->row, D, c->d, &r->e), &r->e);
        if (c->has[X]) OK(frz_row_set_decimal(r->row, X, (frz_decimal){(uint64_t)c->x, c->x < 0 ? -1 : 0}, &r->e), &r->e);
        OK(frz_put(r->t, r->row, NULL, &r->e), &r->e);
    }
}

static int keep_current(void *ctx, const frz_snapshot_info *i)
{
    if (i->current) *(int64_t *)ctx = i->snapshot_id;
    return 0;
}

static void publish(struct run *r)
{
    int64_t id = 0;
    OK(frz_table_flush(r->t, &r->e), &r->e);
    OK(frz_table_snapshots(r->t, keep_current, &id, &r->e), &r->e);
    if (!id) return; /* nothing was ever written */
    size_t at = r->published_count < 4 ? r->published_count++ : pick(r, 4);
    r->published[at] = r->now;
    r->published_id[at] = id;
}

static void run_reads(uint64_t seed, int format, size_t rounds)
{
    static const char *const names[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.snapshots-max",
                                        "write.parquet.row-group-size-bytes", "write.parquet.page-size-bytes"};
    static const char *const values[] = {"0", "0", "1000", "65536", "1024"};
    struct run *r = (struct run *)calloc(1, sizeof *r);
    frz_schema *schema;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    r->rng = (struct rng){seed};
    snprintf(r->dir, sizeof r->dir, "%s", test_tmp_dir("reads"));
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    to.format_version = format;
    to.property_keys = names;
    to.property_values = values;
    to.property_count = 5;
    OK(frz_db_open(r->dir, &o, &r->db, &r->e), &r->e);
    OK(frz_schema_parse("g string, n int, v long?, s string?, d double?, x decimal(38,10)?", "g,n", &schema, &r->e), &r->e);
    OK(frz_table_create(r->db, "t", schema, &to, &r->t, &r->e), &r->e);
    frz_schema_free(schema);
    OK(frz_row_new(r->t, &r->row, &r->e), &r->e);
    ask(r, 3); /* of nothing */
    for (size_t i = 0; i < rounds; i++) {
        change(r, 1 + pick(r, 200)); /* memtable, or memtable over files */
        ask(r, 6);
        if (pick(r, 3) == 0) {
            frz_snapshot_close(r->snapshot);
            OK(frz_snapshot_open(r->db, &r->snapshot, &r->e), &r->e);
            r->then = r->now;
        }
        if (pick(r, 3) == 0) continue;
        publish(r); /* files alone */
        ask(r, 6);
    }
    frz_snapshot_close(r->snapshot);
    frz_row_free(r->row);
    OK(frz_db_close(r->db, &r->e), &r->e);
    test_tmp_remove(r->dir);
    free(r);
}

static size_t rounds_of(size_t def)
{
    const char *s = getenv("FRZ_MODEL_STEPS");
    return s ? strtoull(s, NULL, 10) / 20 + 1 : def;
}

TEST(reads, of_every_kind_agree_with_an_array_in_format_2) { run_reads(test_seed(11), 2, rounds_of(12)); }
TEST(reads, of_every_kind_agree_with_an_array_in_format_3) { run_reads(test_seed(12), 3, rounds_of(12)); }
