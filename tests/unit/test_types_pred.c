/* Predicates: the parser's messages; evaluation over vectors and rows against a naive three-valued interpreter; pruning and key ranges that lose no row. */
#include "frz_test.h"

#include <stdlib.h>

#include "test_types_gen.h"
#include "types/pred.h"

static frz_schema *parse_schema(const char *text, const char *key)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    OK(frz__schema_parse_text(NULL, slice_str(text), slice_str(key), &s, &e), &e);
    OK(frz__schema_seal(s, key[0] != 0, &e), &e);
    return s;
}

/* ── literals ── */

/* How many of -3 … 3 (and a null) pass, as an int, a long and a decimal of scale 1. */
static void pass_count(const char *pred, int want)
{
    static const char *const types[] = {"int?", "long?", "decimal(4,1)?", "double?"};
    for (size_t t = 0; t < FRZ_ARRAY_LEN(types); t++) {
        frz_error e = {0};
        char text[64];
        snprintf(text, sizeof text, "i %s", types[t]);
        frz_schema *s = parse_schema(text, "");
        struct pred *p = NULL;
        struct vec v;
        const struct vec *cols[1] = {&v};
        uint8_t sel = 0xFF;
        int rows = 0;
        frz__vec_init(&v, NULL, s->columns[0].type);
        OK(frz__pred_parse(NULL, s, slice_str(pred), &p, &e), &e);
        for (int i = -3; i <= 4; i++) {
            frz_value x = value_i64(FRZ_LONG, i), y;
            if (i == 4) x = value_null();
            else if (t == 3) x = (frz_value){FRZ_DOUBLE, 0, {.f64 = i}};
            OK(frz__value_convert(&x, s->columns[0].type, &y, &e), &e);
            OK(frz__vec_append(&v, &y, &e), &e);
            rows += frz__pred_eval_row(p, &y);
        }
        OK(frz__pred_eval(p, cols, 8, &sel, &e), &e);
        if (rows != want || __builtin_popcount(sel) != want) fail_msg("%s of %s: %d and %d pass, expected %d", pred, types[t], rows, __builtin_popcount(sel), want);
        frz__vec_clear(&v);
        frz__pred_free(p);
        frz__schema_release(s);
    }
}

TEST(pred_literal, compares_numbers_exactly_whatever_their_form)
{
    static const struct { const char *pred; int want; } cases[] = {
        {"i < 2.55", 6}, {"i <= 2.55", 6}, {"i > 2.55", 1}, {"i >= 2.55", 1}, {"i = 2.55", 0}, {"i <> 2.55", 7}, {"i < -2.55", 1}, {"i <= -2.55", 1}, {"i > -2.55", 6}, {"i >= -2.55", 6},
        {"i < 2.0", 5}, {"i = 2.000", 1}, {"i = 0.2e1", 1}, {"i = 20e-1", 1}, {"i = 2E+0", 1}, {"i = -0.0", 1}, {"i = 0e99", 1}, {"i = 000002", 1}, {"i >= 0.02e2", 2}, {"i > 0.0001", 3}, {"i < 1e-30", 4}, {"i < -1e-30", 3},
        {"i < 1e30", 7}, {"i > 1e30", 0}, {"i >= -1e30", 7}, {"i <= -1e30", 0}, {"i <> 1e30", 7}, {"i = 1e30", 0}, {"NOT i < 1e30", 0}, {"NOT i = 1e30", 7}, {"i BETWEEN -1e30 AND 0.5", 4}, {"i NOT BETWEEN -0.5 AND 0.5", 6},
        {"i < 99999999999999999999999999999999999999999", 7}, {"i > -0.00000000000000000000000000000000000000000000001", 4}, {"i IN (1, 2.55, 1e30, 3)", 2}, {"i NOT IN (1, 2.55, 1e30)", 6}, {"i IN (2.55)", 0},
        {"i NOT IN (2.55)", 7}, {"i NOT IN (1, NULL)", 0}, {"i IN (1, NULL)", 1}, {"i IN (100,90,80,70,60,50,40,30,20,10,3,-3,0,1000,1,1,1)", 4}, {"i NOT IN (100,90,80,70,60,50,40,30,20,10,3,-3,0)", 4}, {"i IS NULL", 1}, {"NOT i IS NULL", 7},
        {"i = '2'", 1}, {"NULL = i", 0}, {"NOT NULL = i", 0}, {"TRUE", 8}, {"NOT FALSE", 8}, {"NOT NULL", 0}, {"i = 1 OR TRUE", 8}, {"i = 1 OR NULL", 1}, {"i = 1 AND NULL", 0}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(cases); i++) pass_count(cases[i].pred, cases[i].want);
}

/* ── the parser ── */

static const char *const flights = "id long, dep_delay int?, carrier string?, tailnum string?, late boolean?, price decimal(9,2)?, day date?, ts timestamp?, tz timestamptz?, x double?, \"a b\" int?, bin binary?, date date?, "
                                   "f4 fixed(4)?, u uuid?, t time?, r float?, ns timestamp_ns?";

TEST(pred_parse, takes_the_grammar)
{
    static const char *const good[] = {
        "dep_delay > 60 AND (carrier IN ('UA','AA') OR tailnum IS NULL)", "60 < dep_delay", "NOT late", "late", "NOT NOT late and late", "(((late)))", "carrier like 'a%_' escape '!'", "carrier NOT LIKE '\\%'",
        "\"a b\" = 1", "x = 1e3", "x = -.5", "x = +5", "dep_delay BETWEEN -1 AND 5 AND late", "dep_delay NOT BETWEEN 1 AND NULL", "day = DATE '2020-01-01'", "day = '2020-01-01'", "ts >= TIMESTAMP '2020-01-01 00:00:00'",
        "ts < '2020-01-01T00:00:00.5'", "tz = '2020-01-01T00:00:00+01:00'", "ts > DATE '2020-01-01'", "tz > '2020-01-01'", "bin = X'00ff'", "bin = x''", "date = '2020-01-01'", "date > date '2020-01-01'", "late = TRUE", "TRUE",
        "false OR late", "NULL", "x = 'NaN'", "carrier = ''''", "dep_delay = NULL", "dep_delay IN (1, NULL)", "price = 1.005", "f4 = X'01020304'", "u = 'f79c3e09-677c-4bbd-a479-3f349cb785e7'", "t < TIME '12:00:00'",
        "r > 0.1", "id <> 5", "id != 5", "  id\n=\t5  ", "ns = '2020-01-01T00:00:00.123456789'", "id = 99999999999999999999999999999999999999999999999999"};
    frz_error e = {0};
    frz_schema *s = parse_schema(flights, "id");
    for (size_t i = 0; i < FRZ_ARRAY_LEN(good); i++) {
        struct pred *p = NULL;
        if (frz__pred_parse(NULL, s, slice_str(good[i]), &p, &e) != FRZ_OK) fail_msg("%s: %s", good[i], e.message);
        frz__pred_free(p);
    }
    frz__schema_release(s);
}

TEST(pred_parse, says_where_what_was_found_and_what_was_expected)
{
    static const char *const bad[][2] = {
        {"", "at position 0: expected a column, a literal, NOT or \"(\", found the end"},
        {"dep_delay", "at position 9: expected a comparison, IN, IS, BETWEEN or LIKE, found the end"},
        {"dep_delay >", "at position 11: expected a literal, found the end"},
        {"dep_delay > carrier", "at position 12: expected a literal, found carrier"},
        {"dep_dely > 5", "at position 0: there is no column \"dep_dely\"; the nearest names: \"dep_delay\""},
        {"Dep_Delay > 5", "the nearest names: \"dep_delay\""},
        {"5 < dep_delai", "at position 4: there is no column"},
        {"(late", "at position 5: expected AND, OR or \")\", found the end"},
        {"late)", "at position 4: expected AND, OR or the end, found )"},
        {"late AND", "at position 8: expected a column"},
        {"late late", "at position 5: expected AND, OR or the end, found late"},
        {"carrier IN ()", "at position 12: expected a literal, found )"},
        {"carrier IN ('a'", "expected \",\" or \")\", found the end"},
        {"carrier = 'abc", "at position 10: expected a literal, found a quote that is not closed"},
        {"carrier = 5", "at position 10: column \"carrier\" is of type string: it cannot be compared with a number"},
        {"dep_delay = 'abc'", "at position 12: column \"dep_delay\": \"abc\" is no int"},
        {"late = 1", "it cannot be compared with a number"},
        {"day = '2020-02-30'", "at position 6: column \"day\": \"2020-02-30\" is no date"},
        {"day = TIME '10:00:00'", "it cannot be compared with a TIME"},
        {"tz = '2020-01-01T00:00:00'", "column \"tz\""},
        {"x = 1e999", "column \"x\""},
        {"f4 = X'00'", "expected 4 bytes"},
        {"bin = X'0'", "an even number"},
        {"dep_delay LIKE 'a'", "LIKE takes a string column"},
        {"carrier LIKE 'a\\'", "ends in its escape character"},
        {"carrier LIKE 5", "a pattern in quotes"},
        {"carrier LIKE 'a' ESCAPE 'xx'", "one ASCII character"},
        {"carrier NOT = 'a'", "expected IN, BETWEEN or LIKE, found ="},
        {"dep_delay IS 5", "expected NULL, found 5"},
        {"dep_delay BETWEEN 1 5", "expected AND, found 5"},
        {"dep_delay > 5x", "a number that goes on as a name"},
        {"dep_delay > - carrier", "expected a number, found carrier"},
        {"dep_delay ; 5", "found ; 5"},
        {"5 6", "expected a comparison, found 6"},
        {"and > 5", "expected a column, a literal, NOT or \"(\", found and"},
        {"late = \xff", "no UTF-8"},
    };
    frz_error e = {0};
    frz_schema *s = parse_schema(flights, "id");
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) {
        struct pred *p = NULL;
        FAILS(frz__pred_parse(NULL, s, slice_str(bad[i][0]), &p, &e), FRZ_INVALID, &e);
        if (!strstr(e.message, bad[i][1])) fail_msg("%s\n  says: %s", bad[i][0], e.message);
        assert_null(p);
    }
    char deep[1001];
    memset(deep, '(', 1000);
    deep[1000] = 0;
    struct pred *p = NULL;
    FAILS(frz__pred_parse(NULL, s, slice_str(deep), &p, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "more than 200");
    frz__schema_release(s);
}

TEST(pred_parse, names_the_columns_that_it_reads)
{
    frz_error e = {0};
    frz_schema *s = parse_schema("a int?, b int?, c int?, d string?", "");
    struct pred *p = NULL;
    uint8_t bits = 0;
    OK(frz__pred_parse(NULL, s, slice_str("a > 5 OR (c IS NULL AND NOT d LIKE 'x%')"), &p, &e), &e);
    frz__pred_columns(p, &bits);
    assert_int_equal(bits, 0x0D);
    frz__pred_free(p);
    frz__schema_release(s);
}

TEST(pred_parse, survives_cuts_and_noise)
{
    frz_error e = {0};
    struct rng r = {test_seed(11)};
    frz_schema *s = parse_schema(flights, "id");
    static const char *const seeds[] = {"dep_delay > 60.5e1 AND (carrier IN ('U''A','AA', NULL) OR NOT \"a b\" IS NOT NULL)", "carrier NOT LIKE 'a\\%%_' ESCAPE '\\' OR day BETWEEN DATE '2020-01-01' AND '2021-02-03'",
                                        "bin = X'00ff' AND -1 <= price AND late AND TRUE AND ts < TIMESTAMP '2020-01-01 00:00:00'"};
    size_t good = 0, bad = 0;
    for (int i = 0; i < 20000; i++) {
        const char *seed = seeds[rng_below(&r, 3)];
        size_t len = strlen(seed), n = i < 400 ? (size_t)i % (len + 1) : len;
        char *text = (char *)malloc(n ? n : 1); /* of exactly its size */
        memcpy(text, seed, n);
        if (i >= 400)
            for (size_t k = 1 + rng_below(&r, 3); k > 0; k--) {
                static const char noise[] = "()'\"%_\\ eE.-+=<>,xX0N\xc3\xff";
                text[rng_below(&r, n)] = rng_below(&r, 2) ? noise[rng_below(&r, sizeof noise)] : seed[rng_below(&r, len)];
            }
        struct pred *p = NULL;
        int rc = frz__pred_parse(NULL, s, slice_of(text, n), &p, &e);
        assert_true(rc == FRZ_OK || rc == FRZ_INVALID);
        rc == FRZ_OK ? good++ : bad++;
        frz__pred_free(p);
        free(text);
    }
    assert_true(good > 100 && bad > 100);
    frz__schema_release(s);
}

/* ── against a naive interpreter ── */

enum naive_kind { N_CMP, N_IN, N_NULL, N_BETWEEN, N_LIKE, N_BOOL, N_CONST, N_AND, N_OR, N_NOT };
struct naive {
    enum naive_kind kind;
    size_t column;
    int op;       /* = <> < <= > >= */
    bool flipped, negated;
    frz_value values[5]; /* null = NULL */
    int half[5];  /* the literal is half a unit above the value: 2.5 for 2 */
    size_t count;
    char pattern[32];
    struct naive *a, *b;
};
enum { NO, YES, UNKNOWN };

static int cmp_half(const frz_value *v, const frz_value *literal, int half)
{
    int c = frz__value_cmp(v, literal);
    return c ? c : half ? -1 : 0;
}

static int holds(int op, int c) { return op == 0 ? c == 0 : op == 1 ? c != 0 : op == 2 ? c < 0 : op == 3 ? c <= 0 : op == 4 ? c > 0 : c >= 0; }

static int naive_cmp(const frz_value *v, int op, const frz_value *literal, int half)
{
    if (value_is_null(v) || value_is_null(literal)) return UNKNOWN;
    return holds(op, cmp_half(v, literal, half)) ? YES : NO;
}

/* By recursion over characters, as the definition reads. */
static bool naive_like(const char *p, const uint8_t *s, const uint8_t *end)
{
    if (!*p) return s == end;
    if (*p == '%') {
        for (const uint8_t *q = s;; q++) {
            if ((q == end || (*q & 0xC0) != 0x80) && naive_like(p + 1, q, end)) return true;
            if (q == end) return false;
        }
    }
    if (s == end) return false;
    if (*p == '_') {
        s++;
        while (s < end && (*s & 0xC0) == 0x80) s++;
        return naive_like(p + 1, s, end);
    }
    if (*p == '\\') p++;
    return (uint8_t)*p == *s && naive_like(p + 1, s + 1, end);
}

static int not3(int x) { return x == UNKNOWN ? UNKNOWN : !x; }

static int naive_eval(const struct naive *n, const frz_value *row)
{
    const frz_value *v = &row[n->column];
    int x = NO, y;
    switch (n->kind) {
    case N_CMP: return naive_cmp(v, n->op, &n->values[0], n->half[0]);
    case N_BOOL: return value_is_null(v) ? UNKNOWN : v->as.boolean;
    case N_CONST: return n->op;
    case N_NULL: return value_is_null(v) != n->negated;
    case N_IN:
        for (size_t i = 0; i < n->count; i++) {
            y = naive_cmp(v, 0, &n->values[i], n->half[i]);
            if (y == YES) x = YES;
            else if (y == UNKNOWN && x == NO) x = UNKNOWN;
        }
        return n->negated ? not3(x) : x;
    case N_BETWEEN:
        x = naive_cmp(v, 5, &n->values[0], n->half[0]);
        y = naive_cmp(v, 3, &n->values[1], n->half[1]);
        x = x == NO || y == NO ? NO : x == UNKNOWN || y == UNKNOWN ? UNKNOWN : YES;
        return n->negated ? not3(x) : x;
    case N_LIKE:
        if (value_is_null(v)) return UNKNOWN;
        x = naive_like(n->pattern, (const uint8_t *)v->as.bytes.data, (const uint8_t *)v->as.bytes.data + v->as.bytes.len);
        return n->negated ? !x : x;
    case N_NOT: return not3(naive_eval(n->a, row));
    case N_AND:
        x = naive_eval(n->a, row), y = naive_eval(n->b, row);
        return x == NO || y == NO ? NO : x == UNKNOWN || y == UNKNOWN ? UNKNOWN : YES;
    default:
        x = naive_eval(n->a, row), y = naive_eval(n->b, row);
        return x == YES || y == YES ? YES : x == UNKNOWN || y == UNKNOWN ? UNKNOWN : NO;
    }
}

/* Values from a small pool a column, so that comparisons hit. */
#define POOL 6
struct world {
    frz_schema *s;
    struct arena ar;
    frz_value pool[20][POOL];
};

static bool can_be_half(frz_type t) { return t.id == FRZ_INT || t.id == FRZ_LONG || (t.id == FRZ_DECIMAL && t.scale < 30); }

static void gen_literal(struct rng *r, struct world *w, struct naive *n, size_t i)
{
    frz_type t = w->s->columns[n->column].type;
    n->values[i] = rng_below(r, 12) == 0 ? value_null() : rng_below(r, 5) ? w->pool[n->column][rng_below(r, POOL)] : gen_value(r, t, &w->ar);
    n->half[i] = !value_is_null(&n->values[i]) && can_be_half(t) && rng_below(r, 4) == 0;
}

static struct naive *gen_naive(struct rng *r, struct world *w, int depth)
{
    struct naive *n = (struct naive *)arena_alloc(&w->ar, sizeof *n, 16);
    memset(n, 0, sizeof *n);
    n->column = rng_below(r, w->s->count);
    frz_type t = w->s->columns[n->column].type;
    if (depth > 0 && rng_below(r, 3)) {
        n->kind = (enum naive_kind)(N_AND + rng_below(r, 3));
        n->a = gen_naive(r, w, depth - 1);
        n->b = n->kind == N_NOT ? NULL : gen_naive(r, w, depth - 1);
        return n;
    }
    n->negated = rng_below(r, 2);
    switch (rng_below(r, 8)) {
    case 0: n->kind = N_NULL; return n;
    case 1: {
        n->kind = N_IN;
        n->count = 1 + rng_below(r, 5);
        for (size_t i = 0; i < n->count; i++) gen_literal(r, w, n, i);
        return n;
    }
    case 2:
        n->kind = N_BETWEEN;
        gen_literal(r, w, n, 0);
        gen_literal(r, w, n, 1);
        return n;
    case 3:
        if (t.id == FRZ_STRING) {
            static const char *const pieces[] = {"%", "_", "a", "b", "é", "ab", "\\%", "%", "水"};
            n->kind = N_LIKE;
            for (size_t k = rng_below(r, 5); k > 0; k--) strcat(n->pattern, pieces[rng_below(r, 9)]);
            return n;
        }
        break;
    case 4:
        if (t.id == FRZ_BOOLEAN) {
            n->kind = N_BOOL;
            return n;
        }
        if (rng_below(r, 4) == 0) {
            n->kind = N_CONST;
            n->op = (int)rng_below(r, 3);
            return n;
        }
        break;
    default: break;
    }
    n->kind = N_CMP;
    n->op = (int)rng_below(r, 6);
    n->flipped = rng_below(r, 3) == 0;
    gen_literal(r, w, n, 0);
    return n;
}

static void put(struct buf *b, const char *text) { assert_int_equal(buf_append_slice(b, slice_str(text), NULL), 0); }

static void put_literal(struct rng *r, struct buf *b, const struct world *w, const struct naive *n, size_t i)
{
    frz_type t = w->s->columns[n->column].type;
    const frz_value *v = &n->values[i];
    frz_error e = {0};
    struct buf text = BUF_INIT(NULL, 0);
    if (value_is_null(v)) {
        put(b, "null");
        return;
    }
    if (n->half[i]) { /* v + half a unit of its last place */
        frz_type wide = {.id = FRZ_DECIMAL, .precision = 38, .scale = (t.id == FRZ_DECIMAL ? t.scale : 0) + 1};
        i128 x = t.id == FRZ_INT ? v->as.i32 : t.id == FRZ_LONG ? v->as.i64 : decimal_i128(v->as.dec);
        if (i128_abs(x) >= u128_pow10(36)) { /* no room to print: append by hand */
            OK(frz__value_print(v, t, &text, &e), &e);
            OK(buf_append_slice(b, buf_slice(&text), &e), &e);
            if (t.id != FRZ_DECIMAL || t.scale == 0) put(b, ".");
            put(b, "5");
            if (x < 0) fail();
        } else {
            frz_value y = {FRZ_DECIMAL, 0, {0}};
            y.as.dec = decimal_of(x * 10 + 5);
            OK(frz__value_print(&y, wide, b, &e), &e);
        }
        buf_clear(&text);
        return;
    }
    OK(frz__value_print(v, t, &text, &e), &e);
    bool is_number = t.id == FRZ_INT || t.id == FRZ_LONG || t.id == FRZ_DECIMAL || ((t.id == FRZ_FLOAT && isfinite(v->as.f32)) || (t.id == FRZ_DOUBLE && isfinite(v->as.f64)));
    if (t.id == FRZ_BOOLEAN || (is_number && rng_below(r, 2))) {
        OK(buf_append_slice(b, buf_slice(&text), &e), &e);
    } else {
        bool hex = t.id == FRZ_BINARY || t.id == FRZ_FIXED;
        put(b, hex ? "X'" : t.id == FRZ_DATE && rng_below(r, 2) ? "DATE '" : "'");
        for (size_t k = 0; k < text.len; k++) {
            if (text.data[k] == '\'') put(b, "'");
            OK(buf_append_byte(b, text.data[k], &e), &e);
        }
        put(b, "'");
    }
    buf_clear(&text);
}

static void put_naive(struct rng *r, struct buf *b, const struct world *w, const struct naive *n)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="}, *const flipped[] = {"=", "!=", ">", ">=", "<", "<="}, *const consts[] = {"FALSE", "TRUE", "NULL"};
    const char *name = w->s->columns[n->column].name;
    switch (n->kind) {
    case N_CMP:
        if (n->flipped) {
            put_literal(r, b, w, n, 0);
            put(b, flipped[n->op]);
            put(b, name);
        } else {
            put(b, name);
            put(b, ops[n->op]);
            put_literal(r, b, w, n, 0);
        }
        return;
    case N_BOOL: put(b, name); return;
    case N_CONST: put(b, consts[n->op]); return;
    case N_NULL:
        put(b, name);
        put(b, n->negated ? " is not null" : " IS NULL");
        return;
    case N_IN:
        put(b, name);
        put(b, n->negated ? " NOT IN (" : " in (");
        for (size_t i = 0; i < n->count; i++) {
            if (i) put(b, ", ");
            put_literal(r, b, w, n, i);
        }
        put(b, ")");
        return;
    case N_BETWEEN:
        put(b, name);
        put(b, n->negated ? " NOT BETWEEN " : " BETWEEN ");
        put_literal(r, b, w, n, 0);
        put(b, " AND ");
        put_literal(r, b, w, n, 1);
        return;
    case N_LIKE:
        put(b, name);
        put(b, n->negated ? " NOT LIKE '" : " LIKE '");
        put(b, n->pattern);
        put(b, "'");
        return;
    case N_NOT:
        put(b, "NOT (");
        put_naive(r, b, w, n->a);
        put(b, ")");
        return;
    default:
        put(b, "(");
        put_naive(r, b, w, n->a);
        put(b, n->kind == N_AND ? ") AND (" : ") OR (");
        put_naive(r, b, w, n->b);
        put(b, ")");
    }
}

static void world_init(struct rng *r, struct world *w, size_t columns, size_t keys)
{
    frz_error e = {0};
    w->s = gen_schema(r, columns, keys, &e);
    w->ar = ARENA_INIT(NULL);
    for (size_t i = 0; i < columns; i++)
        for (size_t k = 0; k < POOL; k++) {
            frz_value v;
            do v = gen_value(r, w->s->columns[i].type, &w->ar);
            while (v.type == FRZ_DECIMAL && i128_abs(decimal_i128(v.as.dec)) >= u128_pow10(36)); /* room for halves */
            w->pool[i][k] = v;
        }
}
static void world_clear(struct world *w)
{
    frz__arena_clear(&w->ar);
    frz__schema_release(w->s);
}

/* Halves are asked only of values that put_literal can print. */
static bool printable(const struct world *w, const struct naive *n)
{
    frz_type t = w->s->columns[n->column].type;
    for (size_t i = 0; i < 5; i++)
        if (n->half[i] && t.id == FRZ_DECIMAL && i128_abs(decimal_i128(n->values[i].as.dec)) >= u128_pow10(36)) return false;
    return (!n->a || printable(w, n->a)) && (!n->b || printable(w, n->b));
}

struct stats_ctx { struct pred_stats st[20]; bool known[20]; };
static bool stats_of(void *ctx, size_t column, struct pred_stats *out)
{
    struct stats_ctx *c = (struct stats_ctx *)ctx;
    *out = c->st[column];
    return c->known[column];
}

/* What a page's statistics may say of ROWS: true, if not all of it. */
static void gen_stats(struct rng *r, struct world *w, frz_value (*rows)[20], size_t count, struct stats_ctx *c)
{
    for (size_t i = 0; i < w->s->count; i++) {
        frz_type t = w->s->columns[i].type;
        struct pred_stats st = {.rows = count};
        bool nan = false;
        for (size_t k = 0; k < count; k++) {
            frz_value v = rows[k][i];
            if (value_is_null(&v)) {
                st.nulls++;
                continue;
            }
            if ((t.id == FRZ_FLOAT && isnan(v.as.f32)) || (t.id == FRZ_DOUBLE && isnan(v.as.f64))) {
                nan = true;
                continue;
            }
            if (!st.has_min || frz__value_cmp(&v, &st.min) < 0) st.min = v;
            if (!st.has_max || frz__value_cmp(&v, &st.max) > 0) st.max = v;
            st.has_min = st.has_max = true;
        }
        st.has_nulls = rng_below(r, 4) > 0;
        st.maybe_nan = nan || rng_below(r, 3) == 0;
        if (nan && rng_below(r, 2)) { /* a writer that saw NaN may say anything */
            st.has_min = st.has_max = true;
            st.min = st.max = gen_value(r, t, &w->ar);
        }
        if (rng_below(r, 6) == 0) st.has_min = false;
        if (rng_below(r, 6) == 0) st.has_max = false;
        if (t.id == FRZ_STRING && st.has_min && rng_below(r, 3) == 0) st.min = value_bytes(FRZ_STRING, slice_of("", 0)); /* bounds may be wider */
        if (!st.has_nulls) st.nulls = 12345;
        c->known[i] = rng_below(r, 6) > 0;
        c->st[i] = st;
    }
}

TEST(pred, agrees_with_a_naive_interpreter_and_prunes_no_row_that_passes)
{
    frz_error e = {0};
    struct rng r = {test_seed(8)};
    size_t passed = 0, failed = 0, pruned = 0, kept = 0;
    for (int round = 0; round < 250; round++) {
        struct world w;
        size_t columns = 1 + rng_below(&r, 6), count = rng_below(&r, 4) ? rng_below(&r, 150) : rng_below(&r, 3);
        frz_value rows[150][20];
        world_init(&r, &w, columns, 0);
        struct vec vecs[20];
        const struct vec *cols[20];
        for (size_t i = 0; i < columns; i++) {
            bool narrow = rng_below(&r, 3) == 0, none = rng_below(&r, 10) == 0;
            frz__vec_init(&vecs[i], NULL, w.s->columns[i].type);
            cols[i] = &vecs[i];
            for (size_t k = 0; k < count; k++) {
                rows[k][i] = none || rng_below(&r, 4) == 0 ? value_null() : w.pool[i][rng_below(&r, narrow ? 1 : POOL)];
                if (narrow && rng_below(&r, 2)) rows[k][i] = rng_below(&r, 2) ? rows[0][i] : rows[k][i];
                OK(frz__vec_append(&vecs[i], &rows[k][i], &e), &e);
            }
        }
        for (int q = 0; q < 12; q++) {
            struct naive *n = gen_naive(&r, &w, (int)rng_below(&r, 4));
            if (!printable(&w, n)) continue;
            struct buf text = BUF_INIT(NULL, 0);
            put_naive(&r, &text, &w, n);
            struct pred *p = NULL;
            if (frz__pred_parse(NULL, w.s, buf_slice(&text), &p, &e) != FRZ_OK) fail_msg("%.*s: %s", (int)text.len, (char *)text.data, e.message);
            uint8_t *sel = (uint8_t *)malloc(bits_bytes(count) + 1), before[19];
            for (size_t k = 0; k < bits_bytes(count); k++) sel[k] = before[k] = rng_below(&r, 3) ? 0xFF : (uint8_t)rng_next(&r);
            sel[bits_bytes(count)] = 0xA5;
            OK(frz__pred_eval(p, cols, count, sel, &e), &e);
            assert_int_equal(sel[bits_bytes(count)], 0xA5);
            bool any = false;
            for (size_t k = 0; k < count; k++) {
                bool want = naive_eval(n, rows[k]) == YES;
                any = any || want;
                want ? passed++ : failed++;
                if (frz__pred_eval_row(p, rows[k]) != want) fail_msg("row %zu, want %d: %.*s", k, want, (int)text.len, (char *)text.data);
                if (bit_get(sel, k) != (want && bit_get(before, k))) fail_msg("vector %zu, want %d: %.*s", k, want, (int)text.len, (char *)text.data);
            }
            for (int g = 0; g < 4; g++) {
                struct stats_ctx c;
                gen_stats(&r, &w, rows, count, &c);
                bool rules_out = frz__pred_prunes(p, stats_of, &c);
                if (rules_out && any) fail_msg("ruled out: %.*s", (int)text.len, (char *)text.data);
                if (!any) rules_out ? pruned++ : kept++;
            }
            free(sel);
            frz__pred_free(p);
            buf_clear(&text);
        }
        for (size_t i = 0; i < columns; i++) frz__vec_clear(&vecs[i]);
        world_clear(&w);
    }
    assert_true(passed > 10000 && failed > 10000);
    assert_true(pruned > kept / 4); /* and is worth its name */
}

TEST(pred, key_range_holds_every_key_that_passes)
{
    frz_error e = {0};
    struct rng r = {test_seed(9)};
    size_t inside = 0, outside = 0, bounded = 0;
    for (int round = 0; round < 300; round++) {
        struct world w;
        size_t keys = 1 + rng_below(&r, 3), columns = keys + rng_below(&r, 2);
        world_init(&r, &w, columns, keys);
        for (int q = 0; q < 10; q++) {
            struct naive *n = gen_naive(&r, &w, 2);
            if (!printable(&w, n)) continue;
            struct buf text = BUF_INIT(NULL, 0), from = BUF_INIT(NULL, 0), to = BUF_INIT(NULL, 0), key = BUF_INIT(NULL, 0);
            struct pred *p = NULL;
            bool has_from, has_to;
            put_naive(&r, &text, &w, n);
            OK(frz__pred_parse(NULL, w.s, buf_slice(&text), &p, &e), &e);
            OK(frz__pred_key_range(p, w.s, &from, &has_from, &to, &has_to, &e), &e);
            bounded += has_from || has_to;
            for (int k = 0; k < 20; k++) {
                frz_value row[20];
                for (size_t i = 0; i < columns; i++) row[i] = w.s->columns[i].key_index < 0 && rng_below(&r, 4) == 0 ? value_null() : w.pool[i][rng_below(&r, POOL)];
                buf_reset(&key);
                OK(frz__key_encode_row(w.s, row, &key, &e), &e);
                bool in = (!has_from || slice_cmp(buf_slice(&key), buf_slice(&from)) >= 0) && (!has_to || slice_cmp(buf_slice(&key), buf_slice(&to)) < 0);
                in ? inside++ : outside++;
                if (!in && naive_eval(n, row) == YES) fail_msg("outside and passes: %.*s", (int)text.len, (char *)text.data);
            }
            frz__pred_free(p);
            buf_clear(&text);
            buf_clear(&from);
            buf_clear(&to);
            buf_clear(&key);
        }
        world_clear(&w);
    }
    assert_true(bounded > 100 && inside > 100 && outside > 100);
}

static void range_is(const frz_schema *s, const char *text, slice from, slice to)
{
    frz_error e = {0};
    struct pred *p = NULL;
    struct buf f = BUF_INIT(NULL, 0), t = BUF_INIT(NULL, 0);
    bool has_from, has_to;
    OK(frz__pred_parse(NULL, s, slice_str(text), &p, &e), &e);
    OK(frz__pred_key_range(p, s, &f, &has_from, &t, &has_to, &e), &e);
    if (has_from != (from.data != NULL) || (has_from && !slice_eq(from, buf_slice(&f)))) fail_msg("from: %s", text);
    if (has_to != (to.data != NULL) || (has_to && !slice_eq(to, buf_slice(&t)))) fail_msg("to: %s", text);
    frz__pred_free(p);
    buf_clear(&f);
    buf_clear(&t);
}
#define B(s) slice_of(s, sizeof(s) - 1)
#define NONE slice_of(NULL, 0)

TEST(pred, key_range_is_as_narrow_as_the_key_allows)
{
    frz_schema *s = parse_schema("a int, b string, c string?", "a,b");
    range_is(s, "a = 5", B("\x80\0\0\x05"), B("\x80\0\0\x06"));
    range_is(s, "a > 5", B("\x80\0\0\x06"), NONE);
    range_is(s, "a >= 5 AND a < 7", B("\x80\0\0\x05"), B("\x80\0\0\x07"));
    range_is(s, "a = 5 AND b = 'x'", B("\x80\0\0\x05x"), B("\x80\0\0\x05x\0"));
    range_is(s, "b > 'x' AND a = 5", B("\x80\0\0\x05x\0"), B("\x80\0\0\x06"));
    range_is(s, "a = 5 AND b LIKE 'xy%'", B("\x80\0\0\x05xy"), B("\x80\0\0\x05xz"));
    range_is(s, "a = 5 AND b <= 'x'", B("\x80\0\0\x05"), B("\x80\0\0\x05x\0"));
    range_is(s, "a IN (9, 5, 7)", B("\x80\0\0\x05"), B("\x80\0\0\x0a"));
    range_is(s, "a <= 2147483647", NONE, NONE);
    range_is(s, "a = 5 OR b = 'x'", NONE, NONE);
    range_is(s, "NOT (a < 5 OR a > 5)", B("\x80\0\0\x05"), B("\x80\0\0\x06"));
    range_is(s, "b = 'x'", NONE, NONE);
    range_is(s, "c = 'x'", NONE, NONE);
    frz__schema_release(s);
}

TEST(pred, survives_every_failed_allocation)
{
    frz_error e = {0};
    frz_schema *s = parse_schema("a int, b string, c string?", "a,b");
    for (long n = 1;; n++) {
        struct test_alloc t;
        test_alloc_init(&t, n);
        struct pred *p = NULL;
        uint8_t sel[1] = {3};
        struct vec v[3];
        const struct vec *cols[3] = {&v[0], &v[1], &v[2]};
        struct buf from = BUF_INIT(&t.vt, 0), to = BUF_INIT(&t.vt, 0);
        bool has_from, has_to;
        int rc = frz__pred_parse(&t.vt, s, slice_str("a = 5 AND b LIKE 'x%' AND (c IN ('a', 'b', 'c') OR c IS NULL OR c > '''')"), &p, &e);
        for (size_t i = 0; i < 3; i++) {
            frz__vec_init(&v[i], &t.vt, s->columns[i].type);
            frz_value one = i ? value_bytes(FRZ_STRING, slice_str("x")) : value_i32(FRZ_INT, 5);
            if (rc >= 0) rc = frz__vec_append(&v[i], &one, &e);
            if (rc >= 0) rc = frz__vec_append(&v[i], &one, &e);
        }
        if (rc >= 0) rc = frz__pred_eval(p, cols, 2, sel, &e);
        if (rc >= 0) rc = frz__pred_key_range(p, s, &from, &has_from, &to, &has_to, &e);
        if (rc < 0) assert_int_equal(rc, FRZ_NO_MEMORY);
        else assert_int_equal(sel[0], 3);
        for (size_t i = 0; i < 3; i++) frz__vec_clear(&v[i]);
        buf_clear(&from);
        buf_clear(&to);
        frz__pred_free(p);
        assert_int_equal(t.live, 0);
        if (rc >= 0) break;
    }
    frz__schema_release(s);
}
