/* Schemas: text and JSON both ways, what they refuse, and the row layout. */
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "test_types_gen.h"

static frz_schema *from_json(const char *text, int want, frz_error *e)
{
    struct json *j = NULL;
    frz_schema *s = NULL;
    OK(frz__json_parse(slice_str(text), &j, e), e);
    e->message[0] = 0;
    RC(frz__schema_from_json(NULL, j, &s, e), want, e);
    if (want < 0) assert_true(e->message[0]);
    frz__json_free(j);
    return s;
}

static void json_is(const frz_schema *s, const char *want)
{
    frz_error e = {0};
    struct buf b = BUF_INIT(NULL, 0);
    struct jw w = JW_INIT(&b, &e);
    frz__schema_to_json(s, &w);
    OK(frz__jw_end(&w), &e);
    OK(buf_append_byte(&b, 0, &e), &e);
    assert_string_equal((char *)b.data, want);
    buf_clear(&b);
}

static void text_is(const frz_schema *s, const char *want)
{
    frz_error e = {0};
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__schema_to_text(s, &b, &e), &e);
    OK(buf_append_byte(&b, 0, &e), &e);
    assert_string_equal((char *)b.data, want);
    buf_clear(&b);
}

static void text_refuses(const char *text, const char *key, int code, const char *says)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    FAILS(frz__schema_parse_text(NULL, slice_str(text), slice_str(key), &s, &e), code, &e);
    if (!strstr(e.message, says)) fail_msg("\"%s\" says: %s", text, e.message);
    assert_null(s);
}

TEST(schema_text, reads_and_prints)
{
    static const char *const texts[][2] = {
        {"id long, name string?, price decimal(9,2)?", "id long, name string?, price decimal(9,2)?"},
        {"  id   long  ,name\tstring ?", "id long, name string?"},
        {"h fixed(16), i fixed[3]?", "h fixed[16], i fixed[3]?"},
        {"\"a name\" int, `b \"name` string, \"c\"\"d`\" date?", "\"a name\" int, \"b \"\"name\" string, \"c\"\"d`\" date?"},
        {"a.b int, prix€ double?, 水 string", "a.b int, prix€ double?, 水 string"},
        {"t timestamptz_ns, d decimal( 38 , 0 )", "t timestamptz_ns, d decimal(38,0)"},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(texts); i++) {
        frz_error e = {0};
        frz_schema *s = NULL, *again = NULL;
        OK(frz__schema_parse_text(NULL, slice_str(texts[i][0]), slice_of("", 0), &s, &e), &e);
        text_is(s, texts[i][1]);
        OK(frz__schema_parse_text(NULL, slice_str(texts[i][1]), slice_of("", 0), &again, &e), &e);
        text_is(again, texts[i][1]);
        frz__schema_release(s);
        frz__schema_release(again);
    }
    frz_error e = {0};
    frz_schema *s = NULL;
    OK(frz__schema_parse_text(NULL, slice_str("a int, `b c` string, d long"), slice_str("d, \"b c\""), &s, &e), &e);
    assert_int_equal(s->key_count, 2);
    assert_int_equal(s->key[0], 2);
    assert_int_equal(s->key[1], 1);
    assert_int_equal(s->columns[1].key_index, 1);
    assert_int_equal(s->columns[0].key_index, -1);
    assert_int_equal(s->columns[2].id, 3);
    frz__schema_release(s);
}

TEST(schema_text, says_what_is_wrong)
{
    text_refuses("", "", FRZ_INVALID, "expected the name of a column");
    text_refuses("id", "", FRZ_INVALID, "expected a type, found the end");
    text_refuses("id long,", "", FRZ_INVALID, "expected the name of a column, found the end");
    text_refuses("id long name string", "", FRZ_INVALID, "at position 8: expected \",\"");
    text_refuses("id lang", "", FRZ_INVALID, "column \"id\": type \"lang\"");
    text_refuses("id variant", "", FRZ_UNSUPPORTED, "column \"id\"");
    text_refuses("\"id long", "", FRZ_INVALID, "at position 0: expected the end of a quoted name");
    text_refuses("\"\" long", "", FRZ_INVALID, "empty name");
    text_refuses("a decimal(9", "", FRZ_INVALID, "closing bracket");
    text_refuses("a long, a int", "", FRZ_INVALID, "two columns are named \"a\"");
    text_refuses("ab long, aB int", "", FRZ_INVALID, "differ in case alone");
    text_refuses("a long", "b", FRZ_INVALID, "no column is named \"b\"");
    text_refuses("a long", "a,", FRZ_INVALID, "key: at position 2");
    text_refuses("a long", "a,a", FRZ_INVALID, "a key of 2 columns in a schema of 1");
    text_refuses("a long, b long", "a,a", FRZ_INVALID, "named twice");
    text_refuses("a long?", "a", FRZ_INVALID, "Iceberg's identifier fields must be required");
    text_refuses("a double", "a", FRZ_INVALID, "Iceberg's identifier fields cannot be float or double");
    text_refuses("a\xff long", "", FRZ_INVALID, "no UTF-8");
}

TEST(schema_json, survives_both_ways)
{
    frz_error e = {0};
    const char *text = "{\"type\":\"struct\",\"schema-id\":7,\"identifier-field-ids\":[4,1],\"fields\":["
                       "{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\",\"doc\":\"the key\"},"
                       "{\"id\":3,\"name\":\"prix €.ht\",\"required\":false,\"type\":\"decimal(9, 2)\",\"initial-default\":\"14.20\",\"write-default\":\"0.00\"},"
                       "{\"id\":4,\"name\":\"k\",\"required\":true,\"type\":\"string\"},"
                       "{\"id\":9,\"name\":\"f\",\"required\":false,\"type\":\"fixed[2]\",\"write-default\":\"00ff\"},"
                       "{\"id\":10,\"name\":\"d\",\"required\":true,\"type\":\"double\",\"initial-default\":1.5,\"write-default\":\"NaN\"},"
                       "{\"id\":12,\"name\":\"s\",\"required\":false,\"type\":\"string\",\"initial-default\":\"é\"},"
                       "{\"id\":11,\"name\":\"t\",\"required\":false,\"type\":\"timestamptz_ns\"}]}";
    frz_schema *s = from_json(text, FRZ_OK, &e);
    json_is(s, text);
    assert_true(s->sealed);
    assert_int_equal(s->schema_id, 7);
    assert_int_equal(s->last_column_id, 12);
    assert_int_equal(s->key_count, 2);
    assert_int_equal(s->key[0], 2);
    assert_int_equal(frz__schema_find(s, slice_str("prix €.ht")), 1);
    assert_int_equal(frz__schema_find(s, slice_str("prix")), -1);
    assert_int_equal(frz__schema_find_id(s, 9), 3);
    assert_int_equal(frz__schema_find_id(s, 2), -1);
    FAILS(frz__schema_check_format(s, 2, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "column \"prix €.ht\": default values take format version 3");
    OK(frz__schema_check_format(s, 3, &e), &e);
    frz__schema_release(s);
    s = from_json("{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":\"t\",\"required\":false,\"type\":\"timestamp_ns\"}]}", FRZ_OK, &e);
    FAILS(frz__schema_check_format(s, 2, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "column \"t\": type timestamp_ns takes format version 3, this table has 2");
    FAILS(frz__schema_seal(s, true, &e), FRZ_INVALID, &e);
    OK(frz__schema_seal(s, false, &e), &e);
    frz__schema_release(s);
}

TEST(schema_json, refuses_with_the_column_s_name)
{
#define FIELD(rest) "{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"int\"}," rest "]}"
    static const struct { const char *json; int code; const char *says; } bad[] = {
        {"[]", FRZ_INVALID, "object"},
        {"{\"type\":\"list\",\"fields\":[]}", FRZ_INVALID, "struct"},
        {"{\"type\":\"struct\"}", FRZ_INVALID, "fields"},
        {"{\"type\":\"struct\",\"fields\":[]}", FRZ_INVALID, "without columns"},
        {"{\"type\":\"struct\",\"schema-id\":-1,\"fields\":[]}", FRZ_INVALID, "schema-id"},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":true,\"type\":{\"type\":\"list\",\"element-id\":3,\"element-required\":true,\"element\":\"int\"}}"), FRZ_UNSUPPORTED, "column \"b\" is of the nested type list"},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":true,\"type\":{\"type\":\"struct\",\"fields\":[]}}"), FRZ_UNSUPPORTED, "\"b\""},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":false,\"type\":\"variant\"}"), FRZ_UNSUPPORTED, "column \"b\""},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":false,\"type\":\"hypercube\"}"), FRZ_UNSUPPORTED, "column \"b\""},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":false,\"type\":\"decimal(99, 2)\"}"), FRZ_INVALID, "column \"b\""},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":false,\"type\":5}"), FRZ_INVALID, "column \"b\""},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":false}"), FRZ_INVALID, "column \"b\""},
        {FIELD("{\"id\":2,\"name\":\"b\",\"type\":\"int\"}"), FRZ_INVALID, "column \"b\": key \"required\""},
        {FIELD("{\"name\":\"b\",\"required\":true,\"type\":\"int\"}"), FRZ_INVALID, "column \"b\": key \"id\""},
        {FIELD("{\"id\":2,\"required\":true,\"type\":\"int\"}"), FRZ_INVALID, "field 1"},
        {FIELD("{\"id\":2,\"name\":\"\",\"required\":true,\"type\":\"int\"}"), FRZ_INVALID, "empty name"},
        {FIELD("{\"id\":2,\"name\":\"b\\u0000\",\"required\":true,\"type\":\"int\"}"), FRZ_INVALID, "zero byte"},
        {FIELD("{\"id\":1,\"name\":\"b\",\"required\":true,\"type\":\"int\"}"), FRZ_INVALID, "\"a\" and \"b\" both have field id 1"},
        {FIELD("{\"id\":0,\"name\":\"b\",\"required\":true,\"type\":\"int\"}"), FRZ_INVALID, "id 0"},
        {FIELD("{\"id\":2147483448,\"name\":\"b\",\"required\":true,\"type\":\"int\"}"), FRZ_INVALID, "2147483447"},
        {FIELD("{\"id\":2,\"name\":\"A\",\"required\":true,\"type\":\"int\"}"), FRZ_INVALID, "case alone"},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":true,\"type\":\"int\",\"write-default\":\"x\"}"), FRZ_INVALID, "column \"b\": write-default"},
        {FIELD("{\"id\":2,\"name\":\"b\",\"required\":true,\"type\":\"int\",\"initial-default\":2147483648}"), FRZ_INVALID, "column \"b\": initial-default"},
        {"{\"type\":\"struct\",\"identifier-field-ids\":[5],\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"int\"}]}", FRZ_INVALID, "no column has id 5"},
        {"{\"type\":\"struct\",\"identifier-field-ids\":[1],\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,\"type\":\"int\"}]}", FRZ_INVALID, "identifier fields must be required"},
        {"{\"type\":\"struct\",\"identifier-field-ids\":[1],\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"float\"}]}", FRZ_INVALID, "float or double"},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) {
        frz_error e = {0};
        assert_null(from_json(bad[i].json, bad[i].code, &e));
        if (!strstr(e.message, bad[i].says)) fail_msg("%s\n  says: %s", bad[i].json, e.message);
        assert_int_equal(e.code, bad[i].code);
    }
}

TEST(schema, is_fixed_once_it_is_in_use)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    frz_column c = {.struct_size = sizeof c, .name = "b", .type = {.id = FRZ_INT}};
    uint32_t key = 0;
    OK(frz__schema_parse_text(NULL, slice_str("a long"), slice_of("", 0), &s, &e), &e);
    FAILS(frz__schema_seal(s, true, &e), FRZ_INVALID, &e);
    OK(frz__schema_seal(s, false, &e), &e);
    FAILS(frz__schema_add(s, &c, &e), FRZ_MISUSE, &e);
    FAILS(frz__schema_set_key(s, &key, 1, &e), FRZ_MISUSE, &e);
    frz_schema *again = frz__schema_acquire(s);
    frz__schema_release(s);
    assert_int_equal(again->count, 1);
    frz__schema_release(again);
    frz__schema_release(NULL);
}

TEST(schema, has_limits)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    char name[COLUMN_NAME_BYTES_MAX + 2];
    frz_column c = {.struct_size = sizeof c, .name = name, .type = {.id = FRZ_FIXED, .length = FIXED_BYTES_MAX}};
    OK(frz__schema_new(NULL, &s, &e), &e);
    memset(name, 'x', sizeof name);
    name[COLUMN_NAME_BYTES_MAX + 1] = 0;
    FAILS(frz__schema_add(s, &c, &e), FRZ_TOO_LARGE, &e);
    name[COLUMN_NAME_BYTES_MAX] = 0;
    OK(frz__schema_add(s, &c, &e), &e);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "c%d", i);
        OK(frz__schema_add(s, &c, &e), &e);
    }
    FAILS(frz__schema_seal(s, false, &e), FRZ_TOO_LARGE, &e); /* 201 MiB a row */
    frz__schema_release(s);
    OK(frz__schema_new(NULL, &s, &e), &e);
    c.type = (frz_type){.id = FRZ_INT};
    for (int i = 0; i < COLUMNS_MAX; i++) {
        snprintf(name, sizeof name, "c%d", i);
        OK(frz__schema_add(s, &c, &e), &e);
    }
    strcpy(name, "one more");
    FAILS(frz__schema_add(s, &c, &e), FRZ_TOO_LARGE, &e);
    c.name = "neg";
    frz__schema_release(s);
    OK(frz__schema_new(NULL, &s, &e), &e);
    c.field_id = -1;
    FAILS(frz__schema_add(s, &c, &e), FRZ_INVALID, &e);
    c.field_id = FIELD_ID_MAX;
    OK(frz__schema_add(s, &c, &e), &e);
    c.field_id = 0;
    c.name = "none left";
    FAILS(frz__schema_add(s, &c, &e), FRZ_TOO_LARGE, &e);
    c.field_id = 5;
    c.doc = "\xff";
    FAILS(frz__schema_add(s, &c, &e), FRZ_INVALID, &e);
    frz__schema_release(s);
}

TEST(schema, lays_fixed_columns_out_widest_first)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    OK(frz__schema_parse_text(NULL, slice_str("k long, b boolean?, i int, s string, d decimal(9,2), f fixed(20), l long, x binary?, g fixed(8)"), slice_str("k"), &s, &e), &e);
    OK(frz__schema_seal(s, true, &e), &e);
    const struct row_slot *l = s->layout.slots;
    assert_int_equal(s->layout.null_bytes, 1);
    assert_int_equal(s->layout.var_count, 2);
    assert_int_equal(s->layout.fixed_bytes, 1 + 4 + 16 + 20 + 8 + 8);
    assert_int_equal(l[5].at, 3);
    assert_int_equal(l[4].at, 23);
    assert_int_equal(l[6].at, 39);
    assert_int_equal(l[8].at, 47);
    assert_int_equal(l[2].at, 55);
    assert_int_equal(l[1].at, 59);
    assert_int_equal(l[3].at, 0);
    assert_int_equal(l[7].at, 1);
    assert_int_equal(l[8].null_bit, 7);
    assert_true(l[0].is_key);
    assert_int_equal(layout_head(&s->layout), 2 + 1 + 57 + 8);
    frz__schema_release(s);
}

TEST(schema, survives_every_failed_allocation)
{
    const char *json = "{\"type\":\"struct\",\"schema-id\":7,\"identifier-field-ids\":[1],\"fields\":["
                       "{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\",\"doc\":\"the key\"},"
                       "{\"id\":2,\"name\":\"b\",\"required\":false,\"type\":\"binary\",\"initial-default\":\"00ff\",\"write-default\":\"11\"},"
                       "{\"id\":3,\"name\":\"c\",\"required\":false,\"type\":\"decimal(9, 2)\",\"initial-default\":1.25}]}";
    frz_error e = {0};
    struct json *j = NULL;
    OK(frz__json_parse(slice_str(json), &j, &e), &e);
    for (long n = 1;; n++) {
        struct test_alloc t;
        frz_schema *s = NULL, *x = NULL;
        test_alloc_init(&t, n);
        int rc = frz__schema_from_json(&t.vt, j, &s, &e);
        if (rc >= 0) rc = frz__schema_parse_text(&t.vt, slice_str("a long, `b c` int?, d string"), slice_str("a,d"), &x, &e);
        if (rc < 0) assert_int_equal(rc, FRZ_NO_MEMORY);
        frz__schema_release(s);
        frz__schema_release(x);
        assert_int_equal(t.live, 0);
        if (rc >= 0) break;
    }
    frz__json_free(j);
}

TEST(schema, survives_cuts_and_noise_in_text_and_json)
{
    frz_error e = {0};
    struct rng r = {test_seed(15)};
    const char *text = "id long, `a \"n` string?, price decimal(9, 2)?, \"x\"\"y\" fixed(16)?, z timestamptz";
    const char *json = "{\"type\":\"struct\",\"schema-id\":7,\"identifier-field-ids\":[1],\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\"},"
                       "{\"id\":2,\"name\":\"b\",\"required\":false,\"type\":\"fixed[2]\",\"initial-default\":\"00ff\",\"write-default\":\"1111\"}]}";
    size_t good = 0, bad = 0;
    for (int i = 0; i < 20000; i++) {
        const char *seed = i % 2 ? text : json;
        size_t len = strlen(seed), n = i < 800 ? (size_t)(i / 2) % (len + 1) : len;
        char *copy = (char *)malloc(n ? n : 1);
        memcpy(copy, seed, n);
        for (size_t k = i < 800 ? 0 : 1 + rng_below(&r, 3); k > 0; k--) copy[rng_below(&r, n)] = rng_below(&r, 2) ? seed[rng_below(&r, len)] : (char)rng_next(&r);
        frz_schema *s = NULL;
        struct json *j = NULL;
        int rc;
        if (i % 2) {
            rc = frz__schema_parse_text(NULL, slice_of(copy, n), slice_str("id"), &s, &e);
        } else {
            rc = frz__json_parse(slice_of(copy, n), &j, &e);
            if (rc == FRZ_OK) rc = frz__schema_from_json(NULL, j, &s, &e);
            frz__json_free(j);
        }
        assert_true(rc == FRZ_OK || rc == FRZ_INVALID || rc == FRZ_UNSUPPORTED);
        if (rc == FRZ_OK) { /* and then reads back what it prints */
            struct buf b = BUF_INIT(NULL, 0);
            frz_schema *again = NULL;
            OK(frz__schema_to_text(s, &b, &e), &e);
            OK(frz__schema_parse_text(NULL, buf_slice(&b), slice_of("", 0), &again, &e), &e);
            assert_int_equal(again->count, s->count);
            frz__schema_release(again);
            buf_clear(&b);
            good++;
        } else {
            bad++;
        }
        frz__schema_release(s);
        free(copy);
    }
    assert_true(good > 100 && bad > 100);
}
