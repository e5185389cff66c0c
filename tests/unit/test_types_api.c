/* The public schema, row and key functions; internals only where an allocator must fail. */
#include "frz_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "types/row.h"

static frz_schema *schema(const char *text, const char *key)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    OK(frz_schema_parse(text, key, &s, &e), &e);
    return s;
}

#define ALL "b boolean?, i int?, l long?, f float?, d double?, dec decimal(9,2)?, day date?, t time?, ts timestamp?, tz timestamptz?, ns timestamp_ns?, nz timestamptz_ns?, s string?, u uuid?, fx fixed(3)?, bin binary?"
static frz_row *row_of(const char *text)
{
    frz_error e = {0};
    frz_schema *s = schema(text, NULL);
    frz_row *r = NULL;
    OK(frz_row_new_schema(s, &r, &e), &e);
    frz_schema_free(s); /* counted inside */
    return r;
}

static void json_is(const frz_row *r, const char *want)
{
    frz_error e = {0};
    frz_blob *b = NULL;
    OK(frz_row_to_json(r, &b, &e), &e);
    assert_string_equal(frz_blob_data(b), want);
    assert_int_equal(frz_blob_len(b), strlen(want));
    frz_blob_free(b);
}

TEST(api_schema, is_built_found_and_printed)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    frz_blob *b = NULL;
    OK(frz_schema_new(&s, &e), &e);
    frz_column c = {.struct_size = sizeof c, .name = "id", .type = {.id = FRZ_LONG}, .required = true, .doc = "the key"};
    OK(frz_schema_add(s, &c, &e), &e);
    c = (frz_column){.struct_size = sizeof c, .field_id = 7, .name = "a name", .type = {.id = FRZ_STRING}, .initial = {FRZ_STRING, 0, {0}}};
    c.initial.as.bytes.data = "x";
    c.initial.as.bytes.len = 1;
    OK(frz_schema_add(s, &c, &e), &e);
    const char *key[] = {"id"}, *none[] = {"no"};
    FAILS(frz_schema_set_key(s, none, 1, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "\"no\"");
    OK(frz_schema_set_key(s, key, 1, &e), &e);
    assert_int_equal(frz_schema_column_count(s), 2);
    assert_int_equal(frz_schema_key_count(s), 1);
    size_t i = 9;
    OK(frz_schema_find(s, "a name", &i), &e);
    assert_int_equal(i, 1);
    RC(frz_schema_find(s, "a", &i), FRZ_NOT_FOUND, &e);
    OK(frz_schema_key(s, 0, &i), &e);
    assert_int_equal(i, 0);
    RC(frz_schema_key(s, 1, &i), FRZ_NOT_FOUND, &e);
    frz_column out = {.struct_size = sizeof out};
    OK(frz_schema_column(s, 1, &out), &e);
    assert_string_equal(out.name, "a name");
    assert_int_equal(out.field_id, 7);
    assert_int_equal(out.key_index, -1);
    assert_memory_equal(out.initial.as.bytes.data, "x", 1);
    RC(frz_schema_column(s, 2, &out), FRZ_NOT_FOUND, &e);
    frz_column small = {.struct_size = 16, .required = true, .key_index = 77}; /* an older caller's structure is not written beyond */
    OK(frz_schema_column(s, 0, &small), &e);
    assert_string_equal(small.name, "id");
    assert_int_equal(small.key_index, 77);
    c = (frz_column){.struct_size = 4, .name = "x"};
    FAILS(frz_schema_add(s, &c, &e), FRZ_INVALID, &e);
    OK(frz_schema_to_text(s, &b, &e), &e);
    assert_string_equal(frz_blob_data(b), "id long, \"a name\" string?");
    frz_blob_free(b);
    OK(frz_schema_to_json(s, &b, &e), &e);
    frz_schema *again = NULL;
    OK(frz_schema_parse_json(frz_blob_data(b), frz_blob_len(b), &again, &e), &e);
    frz_blob *b2 = NULL;
    OK(frz_schema_to_json(again, &b2, &e), &e);
    assert_string_equal(frz_blob_data(b), frz_blob_data(b2));
    frz_blob_free(b);
    frz_blob_free(b2);
    frz_schema_free(again);
    frz_schema_free(s);
    FAILS(frz_schema_parse_json("{", 1, &s, &e), FRZ_INVALID, &e);
    assert_null(s);
    FAILS(frz_schema_parse(NULL, NULL, &s, &e), FRZ_INVALID, &e);
    frz_schema_free(NULL);
    frz_blob_free(NULL);
    assert_int_equal(frz_schema_column_count(NULL), 0);
}

TEST(api_row, sets_and_gets_every_type)
{
    frz_error e = {0};
    frz_row *r = row_of(ALL);
    frz_value v;
    size_t n = 0;
    RC(frz_row_get(r, 0, &v), FRZ_NOT_FOUND, &e);
    assert_true(frz_row_is_null(r, 0));
    OK(frz_row_set_boolean(r, 0, true, &e), &e);
    OK(frz_row_set_int(r, 1, -5, &e), &e);
    OK(frz_row_set_long(r, 2, INT64_MIN, &e), &e);
    OK(frz_row_set_float(r, 3, 0.1f, &e), &e);
    OK(frz_row_set_double(r, 4, NAN, &e), &e);
    OK(frz_row_set_decimal(r, 5, (frz_decimal){1420, 0}, &e), &e);
    OK(frz_row_set_date(r, 6, -1, &e), &e);
    OK(frz_row_set_time(r, 7, 1, &e), &e);
    for (size_t i = 8; i < 12; i++) OK(frz_row_set_timestamp(r, i, -1, &e), &e);
    OK(frz_row_set_string(r, 12, "é\0\"", 4, &e), &e);
    uint8_t uuid[16] = {0xf7, 0x9c};
    OK(frz_row_set_uuid(r, 13, uuid, &e), &e);
    OK(frz_row_set_bytes(r, 14, "\0\1\2", 3, &e), &e);
    OK(frz_row_set_bytes(r, 15, "", 0, &e), &e);
    json_is(r, "{\"b\":true,\"i\":-5,\"l\":-9223372036854775808,\"f\":0.1,\"d\":\"NaN\",\"dec\":\"14.20\",\"day\":\"1969-12-31\",\"t\":\"00:00:00.000001\",\"ts\":\"1969-12-31T23:59:59.999999\","
               "\"tz\":\"1969-12-31T23:59:59.999999+00:00\",\"ns\":\"1969-12-31T23:59:59.999999999\",\"nz\":\"1969-12-31T23:59:59.999999999+00:00\",\"s\":\"é\\u0000\\\"\","
               "\"u\":\"f79c0000-0000-0000-0000-000000000000\",\"fx\":\"000102\",\"bin\":\"\"}");
    assert_true(frz_row_boolean(r, 0));
    assert_int_equal(frz_row_int(r, 1), -5);
    assert_int_equal(frz_row_long(r, 1), -5);
    assert_true(frz_row_long(r, 2) == INT64_MIN);
    assert_true(frz_row_double(r, 3) == (double)0.1f);
    assert_true(isnan(frz_row_double(r, 4)));
    assert_int_equal(frz_row_decimal(r, 5).lo, 1420);
    assert_int_equal(frz_row_long(r, 6), -1);
    assert_int_equal(frz_row_long(r, 11), -1);
    assert_int_equal(frz_row_int(r, 2), 0); /* another type */
    assert_memory_equal(frz_row_bytes(r, 12, &n), "é\0\"", 4);
    assert_int_equal(n, 4);
    assert_non_null(frz_row_bytes(r, 15, &n)); /* empty is not null */
    assert_int_equal(n, 0);
    assert_null(frz_row_bytes(r, 2, &n));
    OK(frz_row_get_named(r, "dec", &v), &e);
    assert_int_equal(v.type, FRZ_DECIMAL);
    RC(frz_row_get_named(r, "nope", &v), FRZ_NOT_FOUND, &e);
    RC(frz_row_get(r, 16, &v), FRZ_INVALID, &e);
    OK(frz_row_set_null(r, 12, &e), &e);
    OK(frz_row_get(r, 12, &v), &e);
    assert_int_equal(v.type, FRZ_NULL);
    assert_true(frz_row_is_null(r, 12));
    assert_null(frz_row_bytes(r, 12, &n));
    frz_row_clear(r);
    json_is(r, "{}");
    frz_row_free(r);
    frz_row_free(NULL);
}

TEST(api_row, refuses_with_the_column_s_name)
{
    frz_error e = {0};
    frz_row *r = row_of("b boolean?, i int, dec decimal(4,2)?, day date?, ts timestamp?, s string?, fx fixed(3)?, f float?");
    FAILS(frz_row_set_long(r, 1, INT64_C(1) << 31, &e), FRZ_INVALID, &e);
    assert_string_equal(e.message, "column \"i\": 2147483648 is out of the range of int");
    FAILS(frz_row_set_double(r, 1, 1, &e), FRZ_INVALID, &e);
    assert_string_equal(e.message, "column \"i\": expected int, found double");
    FAILS(frz_row_set_null(r, 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_int(r, 0, 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_int(r, 2, 100, &e), FRZ_INVALID, &e);
    OK(frz_row_set_int(r, 2, -99, &e), &e);
    FAILS(frz_row_set_int(r, 3, 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_timestamp(r, 3, 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_date(r, 4, 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_string(r, 5, "\xc3", 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_bytes(r, 5, "a", 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_bytes(r, 6, "ab", 2, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_string(r, 6, "abc", 3, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_double(r, 7, 1e39, &e), FRZ_INVALID, &e);
    OK(frz_row_set_double(r, 7, 0.1, &e), &e);
    FAILS(frz_row_set_int(r, 8, 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_timestamp(r, 8, 1, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set(r, 1, NULL, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_int(NULL, 1, 1, &e), FRZ_INVALID, &e);
    frz_value v = {FRZ_LONG, 0, {0}};
    FAILS(frz_row_set_named(r, "nope", &v, &e), FRZ_INVALID, &e);
    OK(frz_row_set_named(r, "i", &v, &e), &e);
    json_is(r, "{\"i\":0,\"dec\":\"-99.00\",\"f\":0.1}"); /* what was refused set nothing */
    frz_row_free(r);
}

TEST(api_row, text_and_json_go_both_ways)
{
    frz_error e = {0};
    frz_row *r = row_of(ALL), *again = row_of(ALL);
    static const char *const text[] = {"true", "-5", "7", "0.5", "1e+100", "14.20", "2017-11-16", "22:31:08.123456", "2017-11-16T22:31:08.123456", "2017-11-16T22:31:08.123456+00:00", "2017-11-16T22:31:08.123456789",
                                       "2017-11-16T22:31:08.123456789+00:00", "né", "f79c3e09-677c-4bbd-a479-3f349cb785e7", "000102", "ff"};
    for (size_t i = 0; i < 16; i++) {
        frz_blob *b = NULL;
        OK(frz_row_set_text(r, i, text[i], strlen(text[i]), &e), &e);
        OK(frz_row_to_text(r, i, &b, &e), &e);
        assert_string_equal(frz_blob_data(b), text[i]);
        frz_blob_free(b);
    }
    frz_blob *b = NULL;
    OK(frz_row_to_json(r, &b, &e), &e);
    OK(frz_row_set_json(again, frz_blob_data(b), frz_blob_len(b), &e), &e);
    json_is(again, frz_blob_data(b));
    frz_blob_free(b);
    FAILS(frz_row_set_text(r, 1, "x", 1, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "column \"i\": \"x\" is no int");
    FAILS(frz_row_set_json(r, "{\"i\":1,\"nope\":2}", 16, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "no column \"nope\"");
    FAILS(frz_row_set_json(r, "{\"i\":1,\"l\":true}", 16, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "column \"l\"");
    assert_int_equal(frz_row_int(r, 1), -5); /* all or nothing */
    FAILS(frz_row_set_json(r, "[1]", 3, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_json(r, "{\"i\":1", 6, &e), FRZ_INVALID, &e);
    FAILS(frz_row_set_json(r, "{\"i\":1,\"i\":2}", 13, &e), FRZ_INVALID, &e);
    OK(frz_row_set_json(r, "{\"s\":null,\"i\":3}", 16, &e), &e);
    assert_true(frz_row_is_null(r, 12));
    OK(frz_row_to_text(r, 12, &b, &e), &e);
    assert_int_equal(frz_blob_len(b), 0);
    frz_blob_free(b);
    frz_row_clear(r);
    FAILS(frz_row_to_text(r, 12, &b, &e), FRZ_NOT_FOUND, &e);
    assert_null(b);
    frz_row_free(r);
    frz_row_free(again);
}

TEST(api_row, owns_what_is_set_even_from_itself)
{
    frz_error e = {0};
    frz_row *r = row_of("a string?, b string?");
    size_t n;
    char text[64] = "a text that is longer than what is first given to it";
    OK(frz_row_set_string(r, 0, text, strlen(text), &e), &e);
    text[0] = 'X';
    frz_value v;
    OK(frz_row_get(r, 0, &v), &e);
    OK(frz_row_set(r, 1, &v, &e), &e);
    v.as.bytes.data = (const char *)v.as.bytes.data + 2;
    v.as.bytes.len -= 2;
    OK(frz_row_set(r, 0, &v, &e), &e); /* of its own bytes */
    assert_memory_equal(frz_row_bytes(r, 0, &n), "text that is longer", 19);
    assert_memory_equal(frz_row_bytes(r, 1, &n), "a text that is longer", 21);
    for (int i = 0; i < 100000; i++) OK(frz_row_set_string(r, 0, text, (size_t)i % 60, &e), &e); /* takes no more memory */
    frz_row_free(r);
}

static void key_is(const frz_schema *s, const char *text, const char *want)
{
    frz_error e = {0};
    frz_value key[3];
    size_t n = 0;
    frz_blob *scratch = NULL;
    OK(frz_key_parse(s, text, strlen(text), key, &n, &scratch, &e), &e);
    frz_row *r = NULL;
    OK(frz_row_new_schema(s, &r, &e), &e);
    for (size_t i = 0; i < n; i++) {
        size_t column = 0;
        OK(frz_schema_key(s, i, &column), &e);
        OK(frz_row_set(r, column, &key[i], &e), &e);
    }
    json_is(r, want);
    frz_row_free(r);
    frz_blob_free(scratch);
}

TEST(api, rows_and_keys_take_numbers_wider_than_64_bits)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    frz_row *r = NULL;
    const char *row = "{\"v\":\"a,\\\"1\", \"k\" : 12345678901234567890123456789012345678,\"d\":1.0000000000000000001e1,\"x\":18446744073709551616}";
    OK(frz_schema_parse("k decimal(38,0), d decimal(38,19)?, x double?, v string?", "k", &s, &e), &e);
    OK(frz_row_new_schema(s, &r, &e), &e);
    OK(frz_row_set_json(r, row, strlen(row), &e), &e);
    json_is(r, "{\"k\":\"12345678901234567890123456789012345678\",\"d\":\"10.0000000000000000010\",\"x\":1.8446744073709552e+19,\"v\":\"a,\\\"1\"}");
    FAILS(frz_row_set_json(r, "{\"k\":123456789012345678901234567890123456789}", 45, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "column \"k\": \"12345678901234567890123456789012345678");
    key_is(s, "[ 12345678901234567890123456789012345678 ]", "{\"k\":\"12345678901234567890123456789012345678\"}");
    frz_row_free(r);
    frz_schema_free(s);
}

static void key_refuses(const frz_schema *s, const char *text)
{
    frz_error e = {0};
    frz_value key[3];
    size_t n = 9;
    frz_blob *scratch = NULL;
    FAILS(frz_key_parse(s, text, strlen(text), key, &n, &scratch, &e), FRZ_INVALID, &e);
    assert_null(scratch);
    assert_int_equal(n, 0);
}

TEST(api_key, is_read_from_text_and_json)
{
    frz_schema *one = schema("k string, v int?", "k"), *two = schema("b string, a long, u binary, v int?", "a,b,u"), *none = schema("a int", NULL);
    key_is(one, "abc", "{\"k\":\"abc\"}");
    key_is(one, "a,b", "{\"k\":\"a,b\"}");
    key_is(one, "", "{\"k\":\"\"}");
    key_is(one, "[\"[x\"]", "{\"k\":\"[x\"}");
    key_is(two, "1,abc,00ff", "{\"b\":\"abc\",\"a\":1,\"u\":\"00ff\"}");
    key_is(two, "[1,\"a,\\u0000\",\"\"]", "{\"b\":\"a,\\u0000\",\"a\":1,\"u\":\"\"}");
    key_is(two, "[\"1\",\"abc\"]", "{\"b\":\"abc\",\"a\":1}"); /* a prefix */
    key_is(two, "1", "{\"a\":1}");
    key_refuses(two, "1,a,00,d");
    key_refuses(two, "x,a");
    key_refuses(two, "");
    key_refuses(two, "[]");
    key_refuses(two, "[1,null]");
    key_refuses(two, "[1,\"a\",\"00\",4]");
    key_refuses(two, "[1");
    key_refuses(one, "[x");
    key_refuses(one, "\xff");
    key_refuses(none, "1");
    frz_schema_free(one);
    frz_schema_free(two);
    frz_schema_free(none);
}

TEST(api_row, survives_every_failed_allocation)
{
    frz_error e = {0};
    for (long n = 1;; n++) {
        struct test_alloc t;
        frz_schema *s = NULL;
        frz_row *r = NULL;
        frz_blob *b[5] = {0};
        frz_value key[2];
        size_t nkey = 0;
        test_alloc_init(&t, n);
        const char *json = "{\"k\":\"a longer string than sixteen bytes\",\"l\":\"00ff\",\"d\":1.25,\"f\":0.1}";
        int rc = frz__schema_parse_text(&t.vt, slice_str("k string, l binary, d decimal(9,2)?, f double?"), slice_str("k,l"), &s, &e);
        if (rc >= 0) rc = frz_row_new_schema(s, &r, &e);
        if (rc >= 0) rc = frz_row_set_json(r, json, strlen(json), &e);
        if (rc >= 0) rc = frz_row_set_text(r, 1, "0011", 4, &e);
        if (rc >= 0) rc = frz_row_to_json(r, &b[0], &e);
        if (rc >= 0) rc = frz_row_to_text(r, 0, &b[1], &e);
        if (rc >= 0) rc = frz_key_parse(s, "[\"a\",\"00\"]", 10, key, &nkey, &b[2], &e);
        if (rc >= 0) rc = frz_schema_to_json(s, &b[3], &e);
        if (rc >= 0) rc = frz_schema_to_text(s, &b[4], &e);
        if (rc < 0) assert_int_equal(rc, FRZ_NO_MEMORY);
        for (size_t i = 0; i < 5; i++) frz_blob_free(b[i]);
        frz_row_free(r);
        frz_schema_free(s);
        assert_int_equal(t.live, 0);
        if (rc >= 0) break;
    }
}
