/* Goal    Iceberg's rules of schema evolution, each allowed and each refused; what is refused says why; converters of rows for every pair of types.
 * Method  tables of changes against the text of the schema that comes out; all pairs of types, from the specification's list. */
#include "frz_test.h"

#include <stdio.h>
#include <string.h>

#include "alter_kit.h"
#include "test_types_gen.h"
#include "types/evolve.h"
#include "types/row_conv.h"

static frz_error e;

static frz_schema *parse(const char *text, const char *key, int32_t id)
{
    frz_schema *s = NULL;
    OK(frz__schema_parse_text(NULL, slice_str(text), slice_str(key), &s, &e), &e);
    s->schema_id = id;
    OK(frz__schema_seal(s, true, &e), &e);
    return s;
}
static int evolve(const frz_schema *s, int format, const frz_alter *changes, size_t count, frz_schema **out)
{
    frz_schema *const all[] = {(frz_schema *)(uintptr_t)s};
    const int32_t sources[] = {7};
    const struct evolve_base b = {.schema = s, .last_column_id = s->last_column_id, .format_version = format, .schemas = all, .ids = &s->schema_id, .schema_count = 1, .sources = sources, .source_count = 1};
    return frz__evolve(NULL, &b, changes, count, out, &e);
}
/* "name:id type" of each column; " !" behind one of the key */
static void shape(const frz_schema *s, char *out)
{
    *out = 0;
    for (size_t i = 0; i < s->count; i++) {
        char t[TYPE_TEXT_BYTES];
        const struct column *c = &s->columns[i];
        sprintf(out + strlen(out), "%s%s:%d %s%s%s", i ? ", " : "", c->name, c->id, frz__type_text(c->type, t), c->required ? "" : "?", c->key_index >= 0 ? " !" : "");
    }
}
#define BASE "id long, n int, s string?, f float?, d decimal(9,2)?, dt date?, part string?"
#define GIVES(format, want, ...)                                                                                                           \
    do {                                                                                                                                   \
        frz_schema *base = parse(BASE, "id", 4), *next = NULL;                                                                             \
        const frz_alter all[] = {__VA_ARGS__};                                                                                             \
        char text[1024];                                                                                                                   \
        OK(evolve(base, (format), all, FRZ_ARRAY_LEN(all), &next), &e);                                                                    \
        assert_non_null(next);                                                                                                             \
        shape(next, text);                                                                                                                 \
        assert_string_equal(text, (want));                                                                                                 \
        assert_int_equal(next->schema_id, 5);                                                                                              \
        frz__schema_release(next);                                                                                                         \
        frz__schema_release(base);                                                                                                         \
    } while (0)
#define NOTHING(...)                                                                                                                       \
    do {                                                                                                                                   \
        frz_schema *base = parse(BASE, "id", 4), *next = NULL;                                                                             \
        const frz_alter all[] = {__VA_ARGS__};                                                                                             \
        OK(evolve(base, 3, all, FRZ_ARRAY_LEN(all), &next), &e);                                                                           \
        assert_null(next);                                                                                                                 \
        frz__schema_release(base);                                                                                                         \
    } while (0)
#define REFUSED(format, code, say, ...)                                                                                                    \
    do {                                                                                                                                   \
        frz_schema *base = parse(BASE, "id", 4), *next = NULL;                                                                             \
        const frz_alter all[] = {__VA_ARGS__};                                                                                             \
        FAILS(evolve(base, (format), all, FRZ_ARRAY_LEN(all), &next), (code), &e);                                                         \
        MESSAGE_HAS(&e, (say));                                                                                                            \
        assert_null(next);                                                                                                                 \
        frz__schema_release(base);                                                                                                         \
    } while (0)

#define REST "f:4 float?, d:5 decimal(9, 2)?, dt:6 date?, part:7 string?"

TEST(evolve, adds_columns_where_they_are_wanted_under_new_ids)
{
    GIVES(2, "id:1 long !, n:2 int, s:3 string?, " REST ", x:8 uuid?", ADD("x", .type = TYPE(FRZ_UUID)));
    GIVES(2, "x:8 int?, id:1 long !, n:2 int, s:3 string?, " REST, ADD_AT(FRZ_PLACE_FIRST, NULL, "x", .type = TYPE(FRZ_INT)));
    GIVES(2, "id:1 long !, x:8 int?, n:2 int, s:3 string?, " REST, ADD_AT(FRZ_PLACE_AFTER, "id", "x", .type = TYPE(FRZ_INT)));
    GIVES(2, "id:1 long !, x:8 int?, y:9 int?, n:2 int, s:3 string?, " REST, ADD_AT(FRZ_PLACE_BEFORE, "n", "x", .type = TYPE(FRZ_INT)), ADD_AT(FRZ_PLACE_AFTER, "x", "y", .type = TYPE(FRZ_INT)));
    GIVES(3, "id:1 long !, n:2 int, s:3 string?, " REST ", x:8 long, t:9 timestamp_ns?", ADD("x", .type = TYPE(FRZ_LONG), .required = true, .initial = INT_VALUE(3)), ADD("t", .type = TYPE(FRZ_TIMESTAMP_NS)));
    GIVES(2, "id:1 long !, s:3 string?, " REST ", n:8 string?", CHANGE(DROP, "n"), ADD("n", .type = TYPE(FRZ_STRING))); /* another column */
}

TEST(evolve, refuses_columns_that_readers_or_rows_could_not_have)
{
    REFUSED(2, FRZ_INVALID, "already", ADD("n", .type = TYPE(FRZ_INT)));
    REFUSED(2, FRZ_INVALID, "case alone", ADD("N", .type = TYPE(FRZ_INT)));
    REFUSED(2, FRZ_INVALID, "no name", ADD("", .type = TYPE(FRZ_INT)));
    REFUSED(2, FRZ_INVALID, "no UTF-8", ADD("\xff", .type = TYPE(FRZ_INT)));
    REFUSED(2, FRZ_INVALID, "field id 9", ADD("x", .type = TYPE(FRZ_INT), .field_id = 9));
    REFUSED(2, FRZ_INVALID, "format version 3", ADD("x", .type = TYPE(FRZ_INT), .required = true));
    REFUSED(3, FRZ_INVALID, "initial default", ADD("x", .type = TYPE(FRZ_INT), .required = true));
    REFUSED(3, FRZ_INVALID, "initial default", ADD("x", .type = TYPE(FRZ_INT), .required = true, .write = INT_VALUE(1)));
    REFUSED(2, FRZ_INVALID, "format version 3", ADD("x", .type = TYPE(FRZ_INT), .initial = INT_VALUE(1)));
    REFUSED(2, FRZ_INVALID, "format version 3", ADD("x", .type = TYPE(FRZ_INT), .write = INT_VALUE(1)));
    REFUSED(2, FRZ_INVALID, "format version 3", ADD("x", .type = TYPE(FRZ_TIMESTAMP_NS)));
    REFUSED(3, FRZ_INVALID, "initial default", ADD("x", .type = TYPE(FRZ_INT), .initial = STRING_VALUE("1")));
    REFUSED(3, FRZ_INVALID, "write default", ADD("x", .type = TYPE(FRZ_INT), .write = LONG_VALUE(INT64_C(1) << 40)));
    REFUSED(3, FRZ_INVALID, "precision", ADD("x", .type = DECIMAL(39, 2)));
    REFUSED(3, FRZ_INVALID, "none of", ADD("x", .type = TYPE(77)));
    REFUSED(2, FRZ_INVALID, "no column is named \"y\"", ADD_AT(FRZ_PLACE_AFTER, "y", "x", .type = TYPE(FRZ_INT)));
    REFUSED(2, FRZ_INVALID, "itself", ADD_AT(FRZ_PLACE_AFTER, "x", "x", .type = TYPE(FRZ_INT)));
    REFUSED(2, FRZ_INVALID, "place 9", ADD_AT(9, "n", "x", .type = TYPE(FRZ_INT)));
    REFUSED(2, FRZ_INVALID, "add is NULL", CHANGE(ADD, NULL));
    REFUSED(2, FRZ_INVALID, "kind 9", (frz_alter){.struct_size = sizeof(frz_alter), .kind = 9});
    REFUSED(2, FRZ_INVALID, "kind 0", (frz_alter){.struct_size = sizeof(frz_alter)});
    REFUSED(2, FRZ_INVALID, "struct_size", ADD("x", .type = TYPE(FRZ_INT)), (frz_alter){0});
    static const char *const reserved[] = {"_file", "_pos", "_deleted", "_spec_id", "_partition", "_row_id", "_last_updated_sequence_number", "_change_type", "_change_ordinal", "_commit_snapshot_id", "_ROW_ID"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(reserved); i++) {
        REFUSED(3, FRZ_INVALID, "reserved", ADD(reserved[i], .type = TYPE(FRZ_INT)));
        REFUSED(3, FRZ_INVALID, "reserved", CHANGE(RENAME, "n", .name = reserved[i]));
    }
}

TEST(evolve, drops_what_is_not_needed)
{
    GIVES(2, "id:1 long !, n:2 int, " REST, CHANGE(DROP, "s"));
    GIVES(2, "id:1 long !, part:7 string?", CHANGE(DROP, "s"), CHANGE(DROP, "n"), CHANGE(DROP, "f"), CHANGE(DROP, "d"), CHANGE(DROP, "dt"));
    REFUSED(2, FRZ_INVALID, "primary key", CHANGE(DROP, "id"));
    REFUSED(2, FRZ_INVALID, "partition spec", CHANGE(DROP, "part"));
    REFUSED(2, FRZ_INVALID, "no column", CHANGE(DROP, "S"));
    REFUSED(2, FRZ_INVALID, "no column", CHANGE(DROP, "s"), CHANGE(DROP, "s"));
    REFUSED(2, FRZ_INVALID, "NULL", CHANGE(DROP, NULL));
    frz_schema *base = parse("id long", "id", 0), *next = NULL;
    FAILS(evolve(base, 2, NULL, 0, &next), FRZ_INVALID, &e);
    FAILS(evolve(base, 2, &CHANGE(DROP, "id"), 1, &next), FRZ_INVALID, &e);
    frz__schema_release(base);
}

TEST(evolve, renames_moves_and_describes_columns_of_the_key_too)
{
    GIVES(2, "key:1 long !, n:2 int, s:3 string?, " REST, CHANGE(RENAME, "id", .name = "key"));
    GIVES(2, "id:1 long !, s:2 int, n:3 string?, " REST, CHANGE(RENAME, "n", .name = "tmp"), CHANGE(RENAME, "s", .name = "n"), CHANGE(RENAME, "tmp", .name = "s"));
    GIVES(2, "id:1 long !, N:2 int, s:3 string?, " REST, CHANGE(RENAME, "n", .name = "N"));
    GIVES(2, "n:2 int, s:3 string?, id:1 long !, " REST, CHANGE(MOVE, "id", .place = FRZ_PLACE_AFTER, .other = "s"));
    GIVES(2, "s:3 string?, id:1 long !, n:2 int, " REST, CHANGE(MOVE, "s", .place = FRZ_PLACE_FIRST));
    GIVES(2, "id:1 long !, s:3 string?, n:2 int, " REST, CHANGE(MOVE, "s", .place = FRZ_PLACE_BEFORE, .other = "n"));
    GIVES(2, "id:1 long !, n:2 int, s:3 string?, " REST, CHANGE(DOC, "id", .doc = "the key"));
    REFUSED(2, FRZ_INVALID, "already", CHANGE(RENAME, "n", .name = "s"));
    REFUSED(2, FRZ_INVALID, "case alone", CHANGE(RENAME, "n", .name = "ID"));
    REFUSED(2, FRZ_INVALID, "no new name", CHANGE(RENAME, "n", .name = ""));
    REFUSED(2, FRZ_INVALID, "no new name", CHANGE(RENAME, "n"));
    REFUSED(2, FRZ_INVALID, "no column", CHANGE(RENAME, "n", .name = "m"), CHANGE(DROP, "n"));
    REFUSED(2, FRZ_INVALID, "itself", CHANGE(MOVE, "n", .place = FRZ_PLACE_AFTER, .other = "n"));
    REFUSED(2, FRZ_INVALID, "place 0", CHANGE(MOVE, "n"));
    REFUSED(2, FRZ_INVALID, "no UTF-8", CHANGE(DOC, "n", .doc = "\xff"));
    NOTHING(CHANGE(RENAME, "n", .name = "n"));
    NOTHING(CHANGE(RENAME, "n", .name = "m"), CHANGE(RENAME, "m", .name = "n"));
    NOTHING(CHANGE(MOVE, "n", .place = FRZ_PLACE_AFTER, .other = "id"));
    NOTHING(CHANGE(OPTIONAL, "s"));
    NOTHING(CHANGE(TYPE, "id", .type = TYPE(FRZ_LONG)));
    GIVES(2, "id:1 long !, n:2 int?, s:3 string?, " REST, CHANGE(OPTIONAL, "n"));
    REFUSED(2, FRZ_INVALID, "primary key", CHANGE(OPTIONAL, "id"));
}

TEST(evolve, sets_write_defaults_and_leaves_initial_ones)
{
    frz_schema *base = parse(BASE, "id", 0), *one = NULL, *two = NULL;
    const frz_alter add = ADD("x", .type = TYPE(FRZ_INT), .required = true, .initial = INT_VALUE(1));
    OK(evolve(base, 3, &add, 1, &one), &e);
    assert_int_equal(one->columns[7].write.as.i32, 1);
    const frz_alter more[] = {CHANGE(DEFAULT, "x", .value = INT_VALUE(2)), CHANGE(TYPE, "x", .type = TYPE(FRZ_LONG)), CHANGE(DEFAULT, "s", .value = STRING_VALUE("now"))};
    OK(evolve(one, 3, more, 3, &two), &e);
    assert_int_equal(two->columns[7].initial.type, FRZ_LONG);
    assert_int_equal(two->columns[7].initial.as.i64, 1);
    assert_int_equal(two->columns[7].write.as.i64, 2);
    assert_int_equal(two->columns[2].initial.type, FRZ_NULL);
    assert_memory_equal(two->columns[2].write.as.bytes.data, "now", 3);
    frz_schema *none = NULL;
    FAILS(evolve(two, 3, &CHANGE(DEFAULT, "x"), 1, &none), FRZ_INVALID, &e);
    FAILS(evolve(base, 3, &CHANGE(DEFAULT, "n", .value = STRING_VALUE("2")), 1, &none), FRZ_INVALID, &e);
    FAILS(evolve(base, 2, &CHANGE(DEFAULT, "n", .value = INT_VALUE(2)), 1, &none), FRZ_INVALID, &e);
    FAILS(evolve(base, 3, &CHANGE(DEFAULT, "id", .value = INT_VALUE(2)), 1, &none), FRZ_INVALID, &e);
    frz__schema_release(one);
    frz__schema_release(two);
    frz__schema_release(base);
}

TEST(evolve, gives_an_older_schema_its_id_back_and_never_a_field_id_twice)
{
    frz_schema *all[3] = {parse(BASE, "id", 3)}, *next = NULL;
    int32_t ids[3] = {3};
    struct evolve_base b = {.schema = all[0], .last_column_id = 20, .format_version = 2, .schemas = all, .ids = ids, .schema_count = 1};
    OK(frz__evolve(NULL, &b, &ADD("x", .type = TYPE(FRZ_INT)), 1, &all[1], &e), &e);
    assert_int_equal(all[1]->schema_id, ids[1] = 4);
    assert_int_equal(all[1]->last_column_id, 21);
    assert_int_equal(all[1]->columns[7].id, 21); /* the table's last, not the schema's */
    b.schema = all[1];
    b.last_column_id = 21;
    b.schema_count = 2;
    OK(frz__evolve(NULL, &b, &CHANGE(DROP, "x"), 1, &next, &e), &e);
    assert_int_equal(next->schema_id, 3);
    assert_int_equal(next->last_column_id, 21);
    frz__schema_release(next);
    all[2] = NULL; /* one that is not ours */
    ids[2] = 9;
    b.schema_count = 3;
    OK(frz__evolve(NULL, &b, &CHANGE(DOC, "n", .doc = "d"), 1, &next, &e), &e);
    assert_int_equal(next->schema_id, 10);
    frz__schema_release(next);
    ids[2] = INT32_MAX;
    FAILS(frz__evolve(NULL, &b, &CHANGE(DOC, "n", .doc = "d"), 1, &next, &e), FRZ_TOO_LARGE, &e);
    b.last_column_id = FIELD_ID_MAX;
    FAILS(frz__evolve(NULL, &b, &ADD("y", .type = TYPE(FRZ_INT)), 1, &next, &e), FRZ_TOO_LARGE, &e);
    frz__schema_release(all[0]);
    frz__schema_release(all[1]);
}

TEST(evolve, survives_every_failed_allocation)
{
    frz_schema *base = parse(BASE, "id", 0), *next = NULL;
    for (long n = 1;; n++) {
        struct test_alloc a;
        test_alloc_init(&a, n);
        const struct evolve_base b = {.schema = base, .last_column_id = 7, .format_version = 3, .schemas = &base, .ids = &base->schema_id, .schema_count = 1};
        const frz_alter all[] = {ADD("x", .type = TYPE(FRZ_STRING), .initial = STRING_VALUE("i"), .doc = "doc"), CHANGE(DROP, "n")};
        int rc = frz__evolve(&a.vt, &b, all, 2, &next, &e);
        if (rc == FRZ_OK) frz__schema_release(next);
        else assert_int_equal(rc, FRZ_NO_MEMORY);
        assert_int_equal(a.live, 0);
        if (rc == FRZ_OK) break;
    }
    frz__schema_release(base);
}

/* ── every pair of types ── */

static const frz_type types[] = {TYPE(FRZ_BOOLEAN), TYPE(FRZ_INT), TYPE(FRZ_LONG), TYPE(FRZ_FLOAT), TYPE(FRZ_DOUBLE), DECIMAL(9, 2), DECIMAL(18, 2), DECIMAL(38, 2), DECIMAL(18, 3), TYPE(FRZ_DATE), TYPE(FRZ_TIME),
                                 TYPE(FRZ_TIMESTAMP), TYPE(FRZ_TIMESTAMPTZ), TYPE(FRZ_TIMESTAMP_NS), TYPE(FRZ_TIMESTAMPTZ_NS), TYPE(FRZ_STRING), TYPE(FRZ_UUID), {.id = FRZ_FIXED, .length = 16},
                                 {.id = FRZ_FIXED, .length = 4}, TYPE(FRZ_BINARY)};

/* The specification's table. */
static bool spec_promotes(frz_type a, frz_type b)
{
    if (a.id == FRZ_INT && b.id == FRZ_LONG) return true;
    if (a.id == FRZ_FLOAT && b.id == FRZ_DOUBLE) return true;
    return a.id == FRZ_DECIMAL && b.id == FRZ_DECIMAL && a.scale == b.scale && b.precision > a.precision;
}

static frz_schema *one_of(frz_type t, int32_t id)
{
    frz_schema *s = NULL;
    const frz_column key = COLUMN("id", .type = TYPE(FRZ_LONG), .required = true), v = COLUMN("v", .type = t);
    const uint32_t at = 0;
    OK(frz__schema_new(NULL, &s, &e), &e);
    OK(frz__schema_add(s, &key, &e), &e);
    OK(frz__schema_add(s, &v, &e), &e);
    OK(frz__schema_set_key(s, &at, 1, &e), &e);
    s->schema_id = id;
    OK(frz__schema_seal(s, true, &e), &e);
    return s;
}

TEST(evolve, widens_the_pairs_of_types_of_the_specification_and_no_others)
{
    size_t allowed = 0;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(types); i++)
        for (size_t k = 0; k < FRZ_ARRAY_LEN(types); k++) {
            frz_schema *from = one_of(types[i], 0), *next = NULL;
            int rc = evolve(from, 3, &CHANGE(TYPE, "v", .type = types[k]), 1, &next);
            bool date = types[i].id == FRZ_DATE && (types[k].id == FRZ_TIMESTAMP || types[k].id == FRZ_TIMESTAMP_NS);
            if (i == k) {
                assert_int_equal(rc, FRZ_OK);
                assert_null(next);
            } else if (spec_promotes(types[i], types[k])) {
                assert_int_equal(rc, FRZ_OK);
                assert_true(frz__type_eq(next->columns[1].type, types[k]));
                allowed++;
            } else {
                assert_int_equal(rc, date ? FRZ_UNSUPPORTED : FRZ_INVALID);
            }
            frz__schema_release(next);
            frz__schema_release(from);
        }
    assert_int_equal(allowed, 5);
}

TEST(row_conv, takes_every_value_through_every_pair_that_may_be)
{
    struct rng r = {test_seed(1)};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(types); i++)
        for (size_t k = 0; k < FRZ_ARRAY_LEN(types); k++) {
            frz_schema *from = one_of(types[i], 1), *to = one_of(types[k], 2);
            struct row_conv c;
            bool may = i == k || spec_promotes(types[i], types[k]);
            RC(frz__row_conv_init(&c, NULL, from, to, ROW_WRITTEN, &e), may ? FRZ_OK : FRZ_INVALID, &e);
            for (int n = 0; may && n < 50; n++) {
                struct buf row = BUF_INIT(NULL, 0), out = BUF_INIT(NULL, 0);
                struct arena ar = ARENA_INIT(NULL);
                frz_value values[2] = {value_i64(FRZ_LONG, 1), value_null()}, want, got;
                if (n) values[1] = gen_value(&r, types[i], &ar);
                OK(frz__row_encode(from, values, &row, &e), &e);
                OK(frz__row_conv(&c, buf_slice(&row), &out, &e), &e);
                OK(frz__row_check(to, buf_slice(&out), &e), &e);
                frz__row_get(to, buf_slice(&out), 1, &got);
                OK(frz__value_convert(&values[1], types[k], &want, &e), &e);
                assert_true(frz__value_eq(&got, &want));
                if (i == 1 && n && !value_is_null(&values[1])) assert_int_equal(k == 2 ? got.as.i64 : got.as.i32, values[1].as.i32);
                buf_clear(&row);
                buf_clear(&out);
                frz__arena_clear(&ar);
            }
            frz__row_conv_clear(&c);
            frz__schema_release(from);
            frz__schema_release(to);
        }
}

/* ── to a schema that is given as a whole ── */

static frz_schema *evolve_to(const struct evolve_base *b, const char *text, const int32_t *ids, int32_t schema_id, const char *refused)
{
    frz_schema *parsed, *to, *out = NULL;
    OK(frz_schema_parse(text, "id", &parsed, &e), &e);
    OK(frz__schema_new(NULL, &to, &e), &e);
    for (size_t i = 0; i < parsed->count; i++) {
        frz_column c = FRZ_INIT(frz_column);
        OK(frz_schema_column(parsed, i, &c), NULL);
        c.field_id = ids[i];
        c.key_index = -1;
        OK(frz__schema_add(to, &c, &e), &e);
    }
    uint32_t key = 0;
    OK(frz__schema_set_key(to, &key, 1, &e), &e);
    to->schema_id = schema_id;
    OK(frz__schema_seal(to, true, &e), &e);
    int rc = frz__evolve_to(NULL, b, to, &out, &e);
    RC(rc, refused ? FRZ_UNSUPPORTED : FRZ_OK, &e);
    if (refused) MESSAGE_HAS(&e, refused);
    if (out) assert_true(frz__schema_same_rows(out, to) && out->last_column_id >= b->last_column_id);
    frz_schema_free(parsed);
    frz__schema_release(to);
    return out;
}
TEST(evolve_to, follows_what_rows_can_follow_and_keeps_ids_that_are_free)
{
    frz_schema *base, *s;
    OK(frz_schema_parse("id long, a int, b string?", "id", &base, &e), &e);
    OK(frz__schema_seal(base, true, &e), &e);
    const int32_t id0 = 0;
    const struct evolve_base b = {
        .schema = base, .last_column_id = 9, .format_version = 2, .schemas = &base, .ids = &id0, .schema_count = 1};
    assert_null(evolve_to(&b, "id long, a int, b string?", (const int32_t[]){1, 2, 3}, 0, NULL)); /* nothing changes */
    s = evolve_to(&b, "id long, renamed long, b string?, c string?", (const int32_t[]){1, 2, 3, 7}, 4, NULL);
    assert_int_equal(s->schema_id, 4); /* as it was given */
    assert_int_equal(s->last_column_id, 9);
    frz__schema_release(s);
    s = evolve_to(&b, "id long, b string?", (const int32_t[]){1, 3}, 0, NULL);
    assert_int_equal(s->schema_id, 1); /* 0 is another's */
    frz__schema_release(s);
    s = evolve_to(&b, "id long, a int?, b string?", (const int32_t[]){1, 2, 3}, 2, NULL);
    frz__schema_release(s);
    assert_null(evolve_to(&b, "id long, a int, b string", (const int32_t[]){1, 2, 3}, 2, "became required"));
    assert_null(evolve_to(&b, "id long, a string, b string?", (const int32_t[]){1, 2, 3}, 2, "may not fit"));
    assert_null(evolve_to(&b, "id long, a int, b string?, c int", (const int32_t[]){1, 2, 3, 4}, 2, "no default"));
    assert_null(evolve_to(&b, "id string, a int, b string?", (const int32_t[]){1, 2, 3}, 2, "primary key"));
    assert_null(evolve_to(&b, "id long, a int, b string?", (const int32_t[]){5, 2, 3}, 2, "primary key"));
    frz__schema_release(base);
}
