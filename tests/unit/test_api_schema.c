/* Goal    a table keeps all that its schema says: every type, docs, ids, defaults, the key; through creation, JSON and a reopen; and a row
 * that leaves columns out gets their write defaults, wherever it is read from. Method  one column of each type with a default; format 3,
 * since format 2 has none of it and says so. */
#include "hostile_kit.h"

static frz_value bytes_of(int32_t type, const char *text, size_t len) { return h_bytes(type, text, len); }

struct made { const char *name; frz_type type; frz_value value; const char *text; };

#define DEC(neg, n) {.type = FRZ_DECIMAL, .as.dec = {(uint64_t)(n), neg}}

static size_t columns_of(struct made out[32])
{
    const struct made all[] = {
        {"b", {.id = FRZ_BOOLEAN}, {.type = FRZ_BOOLEAN, .as.boolean = true}, "true"},
        {"i", {.id = FRZ_INT}, {.type = FRZ_INT, .as.i32 = INT32_MIN}, "-2147483648"},
        {"l", {.id = FRZ_LONG}, {.type = FRZ_LONG, .as.i64 = INT64_MAX}, "9223372036854775807"},
        {"f", {.id = FRZ_FLOAT}, {.type = FRZ_FLOAT, .as.f32 = 0.5F}, "0.5"},
        {"d", {.id = FRZ_DOUBLE}, {.type = FRZ_DOUBLE, .as.f64 = -1e300}, "-1e+300"},
        {"x9", {.id = FRZ_DECIMAL, .precision = 9, .scale = 2}, DEC(-1, -1420), "-14.20"},
        {"x38", {.id = FRZ_DECIMAL, .precision = 38, .scale = 10}, DEC(0, 1), "0.0000000001"},
        {"day", {.id = FRZ_DATE}, {.type = FRZ_DATE, .as.i32 = -1}, "1969-12-31"},
        {"t", {.id = FRZ_TIME}, {.type = FRZ_TIME, .as.i64 = 86399999999}, "23:59:59.999999"},
        {"ts", {.id = FRZ_TIMESTAMP}, {.type = FRZ_TIMESTAMP, .as.i64 = -1}, "1969-12-31T23:59:59.999999"},
        {"tz", {.id = FRZ_TIMESTAMPTZ}, {.type = FRZ_TIMESTAMPTZ, .as.i64 = 0}, "1970-01-01T00:00:00.000000+00:00"},
        {"ns", {.id = FRZ_TIMESTAMP_NS}, {.type = FRZ_TIMESTAMP_NS, .as.i64 = -1}, "1969-12-31T23:59:59.999999999"},
        {"nz", {.id = FRZ_TIMESTAMPTZ_NS}, {.type = FRZ_TIMESTAMPTZ_NS, .as.i64 = 1}, "1970-01-01T00:00:00.000000001+00:00"},
        {"s", {.id = FRZ_STRING}, bytes_of(FRZ_STRING, "caf\xc3\xa9 \"\\", 8), "caf\xc3\xa9 \"\\"},
        {"e", {.id = FRZ_STRING}, bytes_of(FRZ_STRING, "", 0), ""},
        {"u", {.id = FRZ_UUID}, bytes_of(FRZ_UUID, "\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf", 16), "00010203-0405-0607-0809-0a0b0c0d0e0f"},
        {"fx", {.id = FRZ_FIXED, .length = 3}, bytes_of(FRZ_FIXED, "\0\xff\1", 3), "00ff01"},
        {"bin", {.id = FRZ_BINARY}, bytes_of(FRZ_BINARY, "\xff\0", 2), "ff00"},
    };
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}

/* Required and optional ones by turns; field ids of the host's own. */
static frz_schema *make_schema(const struct made *columns, size_t count)
{
    frz_error e;
    frz_schema *s;
    const char *key[] = {"id"};
    OK(frz_schema_new(&s, &e), &e);
    frz_column c = FRZ_INIT(frz_column);
    c.name = "id";
    c.field_id = 100;
    c.type.id = FRZ_LONG;
    c.required = true;
    c.doc = "the key, \"quoted\"";
    OK(frz_schema_add(s, &c, &e), &e);
    for (size_t i = 0; i < count; i++) {
        c = (frz_column)FRZ_INIT(frz_column);
        c.name = columns[i].name;
        c.field_id = 200 - (int32_t)i;
        c.type = columns[i].type;
        c.required = i % 2;
        c.doc = i % 3 ? columns[i].name : NULL;
        c.initial = c.write = columns[i].value;
        OK(frz_schema_add(s, &c, &e), &e);
    }
    OK(frz_schema_set_key(s, key, 1, &e), &e);
    return s;
}

static bool same_value(const frz_value *a, const frz_value *b)
{
    if (a->type != b->type) return false;
    switch (a->type) {
    case FRZ_NULL: return true;
    case FRZ_BOOLEAN: return a->as.boolean == b->as.boolean;
    case FRZ_INT: case FRZ_DATE: return a->as.i32 == b->as.i32;
    case FRZ_FLOAT: return memcmp(&a->as.f32, &b->as.f32, 4) == 0;
    case FRZ_DECIMAL: return a->as.dec.lo == b->as.dec.lo && a->as.dec.hi == b->as.dec.hi;
    case FRZ_STRING: case FRZ_UUID: case FRZ_FIXED: case FRZ_BINARY:
        return a->as.bytes.len == b->as.bytes.len && memcmp(a->as.bytes.data, b->as.bytes.data, a->as.bytes.len) == 0;
    default: return a->as.i64 == b->as.i64;
    }
}

static void same_schema(const frz_schema *a, const frz_schema *b)
{
    assert_int_equal(frz_schema_column_count(a), frz_schema_column_count(b));
    for (size_t i = 0; i < frz_schema_column_count(a); i++) {
        frz_column x = FRZ_INIT(frz_column), y = FRZ_INIT(frz_column);
        OK(frz_schema_column(a, i, &x), NULL);
        OK(frz_schema_column(b, i, &y), NULL);
        assert_string_equal(x.name, y.name);
        assert_int_equal(x.field_id, y.field_id);
        assert_memory_equal(&x.type, &y.type, sizeof x.type);
        assert_int_equal(x.required, y.required);
        assert_int_equal(x.key_index, y.key_index);
        assert_int_equal(!x.doc, !y.doc);
        if (x.doc) assert_string_equal(x.doc, y.doc);
        if (!same_value(&x.initial, &y.initial) || !same_value(&x.write, &y.write)) fail_msg("column %s: another default", x.name);
    }
}

static void check_row(struct host *h, const struct made *columns, size_t count, int64_t id)
{
    frz_value key = h_long(id);
    OK(frz_get(h->t, NULL, &key, 1, h->r, &h->e), &h->e);
    for (size_t i = 0; i < count; i++) {
        frz_value v;
        frz_blob *text;
        OK(frz_row_get(h->r, i + 1, &v), NULL);
        OK(frz_row_to_text(h->r, i + 1, &text, &h->e), &h->e);
        if (!same_value(&v, &columns[i].value)) fail_msg("column %s: %s", columns[i].name, frz_blob_data(text));
        assert_string_equal(frz_blob_data(text), columns[i].text);
        frz_blob_free(text);
    }
}

TEST(api_schema, is_kept_whole_with_docs_ids_and_a_default_of_every_type)
{
    struct host h;
    struct made columns[32];
    size_t count = columns_of(columns);
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s = make_schema(columns, count), *of_table, *parsed;
    frz_blob *json;
    h_open(&h, "as-kept", NULL, NULL);
    FAILS(frz_table_create(h.db, "t", s, NULL, &h.t, &h.e), FRZ_INVALID, &h.e); /* format 2 */
    MESSAGE_HAS(&h.e, "3");
    to.format_version = 3;
    OK(frz_table_create(h.db, "t", s, &to, &h.t, &h.e), &h.e);
    assert_int_equal(frz_table_format_version(h.t), 3);
    assert_string_equal(frz_table_name(h.t), "main.t");
    OK(frz_schema_to_json(s, &json, &h.e), &h.e);
    OK(frz_schema_parse_json(frz_blob_data(json), frz_blob_len(json), &parsed, &h.e), &h.e);
    same_schema(s, parsed);
    frz_schema_free(parsed);
    frz_blob_free(json);
    OK(frz_row_new(h.t, &h.r, &h.e), &h.e);
    OK(frz_row_set_long(h.r, 0, 1, &h.e), &h.e);
    OK(frz_put(h.t, h.r, NULL, &h.e), &h.e); /* nothing but the key: required ones have a default too */
    check_row(&h, columns, count, 1);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    check_row(&h, columns, count, 1);
    frz_row_clear(h.r); /* an update does not put the defaults back */
    OK(frz_row_set_long(h.r, 0, 1, &h.e), &h.e);
    OK(frz_row_set_int(h.r, 2, 7, &h.e), &h.e);
    OK(frz_update(h.t, h.r, NULL, &h.e), &h.e);
    columns[1].value.as.i32 = 7;
    columns[1].text = "7";
    check_row(&h, columns, count, 1);
    for (int round = 0; round < 2; round++) {
        h_reopen(&h);
        OK(frz_table_schema(h.t, &of_table, &h.e), &h.e);
        same_schema(s, of_table);
        frz_schema_free(of_table);
        check_row(&h, columns, count, 1);
    }
    OK(frz_row_set_long(h.r, 0, 2, &h.e), &h.e); /* the row as it was read, under another key */
    OK(frz_insert(h.t, h.r, NULL, &h.e), &h.e);
    check_row(&h, columns, count, 2);
    frz_row_clear(h.r);
    OK(frz_row_set_long(h.r, 0, 3, &h.e), &h.e);
    OK(frz_row_set_null(h.r, 1, &h.e), &h.e); /* null is not left out */
    OK(frz_put(h.t, h.r, NULL, &h.e), &h.e);
    frz_value key = h_long(3);
    OK(frz_get(h.t, NULL, &key, 1, h.r, &h.e), &h.e);
    assert_true(frz_row_is_null(h.r, 1));
    assert_int_equal(frz_row_int(h.r, 2), INT32_MIN);
    frz_schema_free(s);
    h_verify(&h);
    h_close(&h);
}

TEST(api_schema, keys_are_required_and_of_any_type_but_floats_and_the_error_says_so)
{
    frz_error e;
    frz_schema *s = NULL;
    static const char *const good[] = {"boolean",     "int",          "long",           "decimal(38,0)", "date", "time",     "timestamp",
                                       "timestamptz", "timestamp_ns", "timestamptz_ns", "string",        "uuid", "fixed[7]", "binary"};
    char text[64];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, "k %s", good[i]);
        OK(frz_schema_parse(text, "k", &s, &e), &e);
        frz_schema_free(s);
        snprintf(text, sizeof text, "k %s?", good[i]);
        FAILS(frz_schema_parse(text, "k", &s, &e), FRZ_INVALID, &e);
        MESSAGE_HAS(&e, "required");
    }
    FAILS(frz_schema_parse("k float", "k", &s, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "float");
    MESSAGE_HAS(&e, "identifier");
    FAILS(frz_schema_parse("k double", "k", &s, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "identifier");
}
