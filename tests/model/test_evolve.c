/* Goal    a table whose columns change all the time has in every row what was put there, by every way of reading, whatever is flushed, compacted, reopened or cut beside it.
 * Method  a seeded run of puts, updates, deletes, schema changes, flushes, compactions, reopens and power cuts over a few keys, beside an array. A value is a small number, in whatever type its column has; rows,
 *         batches and cursors of earlier schemas are kept and used later. Changes that break a rule are tried too: they must change nothing. */
#include "alter_kit.h"
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/handle.h"
#include "base/rand.h"
#include "engine/compact.h"
#include "io/fs_fault.h"

#define KEYS   40
#define IDS    300 /* columns that ever were */
#define LIVE   14
#define HELD   3
#define STEPS  260

struct mval { bool null; int64_t n; };
struct mcol { int id; char name[16]; frz_type type; bool required; struct mval write; };
struct mschema { struct mcol c[LIVE + 1]; size_t count; };
struct mstate { struct mschema s; bool there[KEYS]; struct mval v[KEYS][IDS]; };
struct held { frz_row *row; struct mschema s; };
struct mop { bool put, patch; int key; struct mschema s; bool set[LIVE + 1]; struct mval v[LIVE + 1]; };
struct model {
    struct fs *fs;
    frz_db_options o;
    frz_db *db;
    frz_table *t;
    frz_error e;
    struct rng r;
    int format, next_id;
    struct mstate now;
    struct held held[HELD];
    frz_batch *batch;
    struct mop ops[8];
    size_t op_count;
    frz_cursor *cursor;
    struct mstate then; /* of the cursor */
};
static struct model m;
static uint64_t below(uint64_t n) { return rng_below(&m.r, n); }

/* ── values ── */

static const frz_type kinds[] = {TYPE(FRZ_INT),    TYPE(FRZ_LONG),      TYPE(FRZ_FLOAT),  TYPE(FRZ_DOUBLE),
                                 DECIMAL(9, 2),    DECIMAL(18, 2),      DECIMAL(30, 2),   TYPE(FRZ_STRING),
                                 TYPE(FRZ_DATE),   TYPE(FRZ_TIMESTAMP), TYPE(FRZ_BINARY), {.id = FRZ_FIXED, .length = 12},
                                 TYPE(FRZ_BOOLEAN)};
static char texts[64][16];
static size_t text_next;
static frz_value value_of(struct mval v, frz_type t)
{
    frz_value x = {.type = v.null ? FRZ_NULL : t.id};
    if (v.null) return x;
    switch (t.id) {
    case FRZ_INT:
    case FRZ_DATE: x.as.i32 = (int32_t)v.n; break;
    case FRZ_FLOAT: x.as.f32 = (float)v.n; break;
    case FRZ_DOUBLE: x.as.f64 = (double)v.n; break;
    case FRZ_BOOLEAN: x.as.boolean = v.n & 1; break;
    case FRZ_DECIMAL: x.as.dec = (frz_decimal){(uint64_t)v.n, v.n < 0 ? -1 : 0}; break;
    case FRZ_STRING:
    case FRZ_BINARY:
    case FRZ_FIXED: {
        char *text = texts[text_next++ % 64];
        snprintf(text, 16, "%012d", (int)v.n);
        x.as.bytes.data = text;
        x.as.bytes.len = 12;
        break;
    }
    default: x.as.i64 = v.n;
    }
    return x;
}
static struct mval random_value(const struct mcol *c)
{
    struct mval v = {!c->required && below(5) == 0, (int64_t)below(2000000) - 1000000};
    if (c->type.id == FRZ_BOOLEAN) v.n &= 1;
    if (!v.null && (c->type.id == FRZ_LONG || (c->type.id == FRZ_DECIMAL && c->type.precision > 15)) && below(3) == 0) v.n *= 5000000;
    return v;
}

/* ── what should be there ── */

static int64_t find_id(const struct mschema *s, int id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->c[i].id == id) return (int64_t)i;
    return -1;
}
static void apply(struct mstate *st, const struct mop *op)
{
    bool was = st->there[op->key];
    st->there[op->key] = op->put;
    if (!op->put) return;
    for (size_t i = 0; i < st->s.count; i++) {
        const struct mcol *c = &st->s.c[i];
        int64_t at = find_id(&op->s, c->id);
        struct mval *v = &st->v[op->key][c->id];
        if (op->patch) {
            assert_true(was);
            if (at >= 0 && op->set[at]) *v = op->v[at];
        } else {
            *v = at < 0 ? c->write : op->set[at] ? op->v[at] : op->s.c[at].write;
        }
    }
}

/* ── what is there ── */

static void row_is(const struct mstate *st, int key, const frz_row *row)
{
    assert_int_equal(frz_row_column_count(row), st->s.count);
    for (size_t i = 0; i < st->s.count; i++) {
        const struct mcol *c = &st->s.c[i];
        size_t at;
        frz_value got, want = value_of(c->id == 0 ? (struct mval){false, key} : st->v[key][c->id], c->type);
        OK(frz_row_find(row, c->name, &at), &m.e);
        assert_int_equal(at, i);
        OK(frz_row_get(row, i, &got), &m.e);
        if (!frz__value_eq(&got, &want))
            fail_msg("key %d, column %s (%d): type %d, expected %d: %lld, expected %lld", key, c->name, c->id, got.type, want.type,
                     (long long)got.as.i64, (long long)want.as.i64);
    }
}
static void drain(frz_cursor *c, const struct mstate *st)
{
    const frz_row *row;
    for (int key = 0; key < KEYS; key++) {
        if (!st->there[key]) continue;
        OK(frz_cursor_next(c, &row, &m.e), &m.e);
        row_is(st, key, row);
    }
    RC(frz_cursor_next(c, &row, &m.e), FRZ_DONE, &m.e);
    frz_cursor_close(c);
}
static void look(void)
{
    frz_cursor *c;
    frz_row *row;
    uint64_t n = 0, want = 0, equal = 0;
    OK(frz_scan(m.t, NULL, &c, &m.e), &m.e);
    drain(c, &m.now);
    OK(frz_row_new(m.t, &row, &m.e), &m.e);
    for (int key = 0; key < KEYS; key++) {
        frz_value k = LONG_VALUE(key);
        want += m.now.there[key];
        RC(frz_get(m.t, NULL, &k, 1, row, &m.e), m.now.there[key] ? FRZ_OK : FRZ_NOT_FOUND, &m.e);
        if (m.now.there[key]) row_is(&m.now, key, row);
    }
    frz_row_free(row);
    OK(frz_count(m.t, NULL, &n, &m.e), &m.e);
    assert_int_equal(n, want);
    /* by batches, with pages pruned: rows whose column has the value that one of them has */
    const struct mcol *col = &m.now.s.c[below(m.now.s.count)];
    int key = (int)below(KEYS);
    if (col->id == 0 || !m.now.there[key] || m.now.v[key][col->id].null ||
        (col->type.id != FRZ_INT && col->type.id != FRZ_LONG && col->type.id != FRZ_DOUBLE))
        return;
    char where[64];
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    snprintf(where, sizeof where, "%s = %lld", col->name, (long long)m.now.v[key][col->id].n);
    o.where = where;
    OK(frz_count(m.t, &o, &n, &m.e), &m.e);
    for (int i = 0; i < KEYS; i++) equal += m.now.there[i] && !m.now.v[i][col->id].null && m.now.v[i][col->id].n == m.now.v[key][col->id].n;
    assert_int_equal(n, equal);
}

/* ── writes ── */

static void hold_row(size_t i)
{
    frz_row_free(m.held[i].row);
    OK(frz_row_new(m.t, &m.held[i].row, &m.e), &m.e);
    m.held[i].s = m.now.s;
}
/* A row of H's schema, in H's row, for an operation on KEY. */
static void fill(struct held *h, struct mop *op, int key, bool patch)
{
    *op = (struct mop){.put = true, .patch = patch, .key = key, .s = h->s};
    frz_row_clear(h->row);
    for (size_t i = 0; i < h->s.count; i++) {
        const struct mcol *c = &h->s.c[i];
        op->set[i] = c->id == 0 || (patch ? below(3) == 0 : (c->required && c->write.null) || below(5) > 0);
        if (!op->set[i]) continue;
        op->v[i] = c->id == 0 ? (struct mval){false, key} : random_value(c);
        frz_value v = value_of(op->v[i], c->type);
        OK(frz_row_set(h->row, i, &v, &m.e), &m.e);
    }
}
static void write_one(void)
{
    struct held *h = &m.held[below(HELD)];
    struct mop op = {.key = (int)below(KEYS)};
    frz_value k = LONG_VALUE(op.key);
    if (below(4) == 0) hold_row((size_t)(h - m.held));
    if (below(5) == 0) {
        OK(frz_delete(m.t, &k, 1, NULL, &m.e), &m.e);
    } else {
        bool patch = m.now.there[op.key] && below(3) == 0;
        fill(h, &op, op.key, patch);
        OK(patch ? frz_update(m.t, h->row, NULL, &m.e) : frz_put(m.t, h->row, NULL, &m.e), &m.e);
    }
    apply(&m.now, &op);
}
/* Filled now, written at some later step; keys are not looked at before. */
static void fill_batch(void)
{
    for (size_t i = below(4); i < 4 && m.op_count < FRZ_ARRAY_LEN(m.ops); i++) {
        struct mop *op = &m.ops[m.op_count++];
        int key = (int)below(KEYS);
        frz_value k = LONG_VALUE(key);
        struct held *h = &m.held[below(HELD)];
        if (below(4)) {
            fill(h, op, key, false);
            OK(frz_batch_put(m.batch, m.t, h->row, &m.e), &m.e);
            bool again = below(3) == 0 && m.op_count < FRZ_ARRAY_LEN(m.ops); /* an update of what the batch itself puts */
            if (!again) continue;
            op = &m.ops[m.op_count++];
            fill(&m.held[below(HELD)], op, key, true);
            for (size_t x = 0; x < HELD; x++)
                if (m.held[x].s.count == op->s.count && memcmp(&m.held[x].s, &op->s, sizeof op->s) == 0) h = &m.held[x];
            fill(h, op, key, true);
            OK(frz_batch_update(m.batch, m.t, h->row, &m.e), &m.e);
        } else {
            *op = (struct mop){.key = key};
            OK(frz_batch_delete(m.batch, m.t, &k, 1, &m.e), &m.e);
        }
    }
}
static void write_batch(void)
{
    OK(frz_write(m.db, m.batch, NULL, NULL, &m.e), &m.e);
    for (size_t i = 0; i < m.op_count; i++) apply(&m.now, &m.ops[i]);
    frz_batch_clear(m.batch);
    m.op_count = 0;
}

/* ── schema changes ── */

static char names[IDS][16];
/* One change that is allowed, done to S as well; false = none came to mind. COLUMN, X: what the table is told. Rows of the state get the initial default. */
static bool draw_change(struct mstate *st, bool alone, frz_alter *x, frz_column *column)
{
    struct mschema *s = &st->s;
    size_t i = below(s->count);
    struct mcol *c = &s->c[i];
    switch (below(8)) {
    case 0:
    case 1: {
        if (s->count >= LIVE || m.next_id >= IDS) return false;
        struct mcol n = {.id = m.next_id++, .type = kinds[below(FRZ_ARRAY_LEN(kinds))], .write = {.null = true}};
        snprintf(n.name, sizeof n.name, "c%d", (int)below(2) ? n.id : (int)below(6)); /* names come again */
        for (size_t k = 0; k < s->count; k++)
            if (strcmp(s->c[k].name, n.name) == 0) return false;
        struct mval initial = {.null = true};
        if (m.format == 3 && below(2)) {
            struct mcol must = n;
            must.required = true;
            initial = random_value(&must);
            n.required = below(2);
            n.write = n.required || below(2) ? initial : n.write;
        }
        snprintf(names[n.id], sizeof names[n.id], "%s", n.name);
        *column = COLUMN(names[n.id], .type = n.type, .required = n.required, .initial = value_of(initial, n.type), .write = value_of(n.write, n.type));
        *x = (frz_alter){.struct_size = sizeof *x, .kind = FRZ_ALTER_ADD, .add = column};
        for (int k = 0; k < KEYS; k++) st->v[k][n.id] = initial;
        s->c[s->count++] = n;
        return true;
    }
    case 2:
        if (c->id == 0) return false;
        *x = CHANGE(DROP, names[c->id]);
        memmove(c, c + 1, (s->count - i - 1) * sizeof *c);
        s->count--;
        return true;
    case 3: {
        static char to[64][16];
        static size_t next;
        if (!alone) return false;
        char *name = to[next++ % 64];
        snprintf(name, 16, "r%d", (int)below(1000000));
        for (size_t k = 0; k < s->count; k++)
            if (strcmp(s->c[k].name, name) == 0) return false;
        static char before[64][16];
        snprintf(before[next % 64], 16, "%s", c->name);
        *x = CHANGE(RENAME, before[next % 64], .name = name);
        snprintf(c->name, sizeof c->name, "%s", name);
        snprintf(names[c->id], sizeof names[c->id], "%s", name);
        return true;
    }
    case 4: {
        frz_type t = c->type;
        if (c->id == 0) return false;
        if (t.id == FRZ_INT) t.id = FRZ_LONG;
        else if (t.id == FRZ_FLOAT) t.id = FRZ_DOUBLE;
        else if (t.id == FRZ_DECIMAL && t.precision < 38) t.precision += 1 + (int32_t)below((uint64_t)(38 - t.precision));
        else return false;
        c->type = t;
        *x = CHANGE(TYPE, names[c->id], .type = t);
        return true;
    }
    case 5:
        if (c->id == 0) return false;
        c->required = false;
        *x = CHANGE(OPTIONAL, names[c->id]);
        return true;
    case 6: {
        size_t to = below(s->count);
        if (to == i) return false;
        struct mcol moved = *c;
        *x = CHANGE(MOVE, names[moved.id], .place = to == 0 ? FRZ_PLACE_FIRST : to > i ? FRZ_PLACE_AFTER : FRZ_PLACE_BEFORE, .other = names[s->c[to].id]);
        if (i < to) memmove(&s->c[i], &s->c[i + 1], (to - i) * sizeof moved);
        else memmove(&s->c[to + 1], &s->c[to], (i - to) * sizeof moved);
        s->c[to] = moved;
        return true;
    }
    default:
        if (m.format < 3 || c->id == 0 || c->required) return false;
        c->write = below(2) ? (struct mval){.null = true} : random_value(c);
        *x = CHANGE(DEFAULT, names[c->id], .value = value_of(c->write, c->type));
        return true;
    }
}
/* Up to three changes; a rename comes alone: `names` has one name a column. */
static void alter(void)
{
    static struct mstate next;
    frz_alter x[3];
    frz_column columns[3];
    size_t count = 0, want = 1 + below(3);
    next = m.now;
    for (size_t tries = 0; count < want && tries < 10; tries++) {
        if (!draw_change(&next, count == 0, &x[count], &columns[count])) continue;
        if (x[count++].kind == FRZ_ALTER_RENAME) break;
    }
    if (!count) return;
    if (below(6) == 0) { /* one more, that is refused: nothing of it all is done */
        frz_alter all[4];
        memcpy(all, x, count * sizeof *x);
        all[count] = below(2) ? CHANGE(DROP, "nothing of that name") : CHANGE(TYPE, names[0], .type = TYPE(FRZ_STRING));
        FAILS(frz_table_alter(m.t, all, count + 1, &m.e), FRZ_INVALID, &m.e);
    }
    OK(frz_table_alter(m.t, x, count, &m.e), &m.e);
    m.now = next;
}

/* ── life ── */

static void open_all(void)
{
    OK(frz__test_db_open(m.fs, &m.o, &m.db, &m.e), &m.e);
    OK(frz_table_open(m.db, "t", &m.t, &m.e), &m.e);
    OK(frz_batch_new(m.db, &m.batch, &m.e), &m.e);
    for (size_t i = 0; i < HELD; i++) hold_row(i);
}
static void let_go(void)
{
    if (m.cursor) drain(m.cursor, &m.then);
    m.cursor = NULL;
    m.op_count = 0;
    frz_batch_free(m.batch);
    for (size_t i = 0; i < HELD; i++) {
        frz_row_free(m.held[i].row);
        m.held[i].row = NULL;
    }
}
static void reopen(void)
{
    let_go();
    OK(frz_db_close(m.db, &m.e), &m.e);
    m.o.no_close_flush = below(2);
    open_all();
}
static void cut(void)
{
    let_go();
    struct fs *old = m.fs;
    frz__fs_fault_cut(old);
    (void)!frz_db_close(m.db, &m.e);
    OK(frz__fs_fault_reboot(old, below(5), &m.fs, &m.e), &m.e);
    frz__fs_free(old);
    open_all();
}
static void compact(void)
{
    struct plan_options o;
    frz__compact_options(m.t->t, &o);
    o.masked_percent = 1;
    o.small_files = 2;
    o.runs_max = 2;
    int rc = frz__compact(m.t->t, &o, NULL, &m.e);
    if (rc != FRZ_DONE) OK(rc, &m.e);
}
static void verify(void)
{
    frz_verify_report r = FRZ_INIT(frz_verify_report);
    OK(frz_verify(m.db, NULL, NULL, NULL, &r, &m.e), &m.e);
    assert_int_equal(r.findings, 0);
}
static void step(void)
{
    uint64_t dice = below(100);
    if (dice < 45) write_one();
    else if (dice < 55) fill_batch();
    else if (dice < 60) write_batch();
    else if (dice < 74) alter();
    else if (dice < 82) OK(frz_table_flush(m.t, &m.e), &m.e);
    else if (dice < 86) compact();
    else if (dice < 88) reopen();
    else if (dice < 90) cut();
    else if (dice < 94) {
        if (m.cursor) drain(m.cursor, &m.then);
        OK(frz_scan(m.t, NULL, &m.cursor, &m.e), &m.e);
        m.then = m.now;
    } else look();
}
static void run(uint64_t seed, int format)
{
    static const char *const keys[] = {"frazil.publish-interval-ms"}, *const values[] = {"0"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    m = (struct model){.o = FRZ_DB_OPTIONS_INIT, .r = {seed}, .format = format, .next_id = 2};
    m.o.create = true;
    m.o.memory_bytes = 8 << 20;
    m.o.log_segment_bytes = 131072;
    m.o.log_level = FRZ_LOG_ERROR;
    OK(frz__fs_fault_new(NULL, 1, &m.fs, &m.e), &m.e);
    OK(frz__test_db_open(m.fs, &m.o, &m.db, &m.e), &m.e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 1;
    OK(frz_schema_parse("id long, first int", "id", &s, &m.e), &m.e);
    OK(frz_table_create(m.db, "t", s, &to, NULL, &m.e), &m.e);
    frz_schema_free(s);
    OK(frz_db_close(m.db, &m.e), &m.e);
    m.now.s = (struct mschema){.c = {{.name = "id", .type = TYPE(FRZ_LONG), .required = true, .write = {.null = true}},
                                     {.id = 1, .name = "first", .type = TYPE(FRZ_INT), .required = true, .write = {.null = true}}},
                               .count = 2};
    snprintf(names[0], 16, "id");
    snprintf(names[1], 16, "first");
    open_all();
    for (int i = 0; i < STEPS; i++) step();
    look();
    OK(frz_table_flush(m.t, &m.e), &m.e);
    look();
    verify();
    let_go();
    OK(frz_db_close(m.db, &m.e), &m.e);
    frz__fs_free(m.fs);
}

TEST(model_evolve, has_what_was_put_through_every_change)
{
    uint64_t seed = test_seed(1);
    uint64_t runs = getenv("FRZ_EVOLVE_RUNS") ? (uint64_t)atoll(getenv("FRZ_EVOLVE_RUNS")) : 16;
    for (uint64_t i = 0; i < runs; i++) {
        print_message("run %d\n", (int)(seed + i));
        run(seed + i, 2 + (int)((seed + i) % 2));
    }
}
