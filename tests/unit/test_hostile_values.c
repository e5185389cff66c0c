/* Goal    what a host hands over by value — rows, keys, schemas, names, options, properties — is refused with the right code and a message that names it, and nothing is written by what was refused.
 * Method  each bad thing alone through the public header, a good row beside it that must still be there, and at the end the checker. */
#include "hostile_kit.h"

#include <math.h>

#define ALL                                                                                                                                \
    "id long, i int?, f float?, d double?, p decimal(9,2)?, w decimal(38,0)?, day date?, tm time?, ts timestamp?, tz timestamptz?, s string?, u uuid?, x fixed(4)?, b binary?, ok boolean?, need string"
enum { ID, I, F, D, P, W, DAY, TM, TS, TZ, S, U, X, B, BOOL, NEED };

/* The row is as it was, and can be put. */
static void still_good(struct host *h, int64_t id)
{
    OK(frz_row_set_long(h->r, ID, id, &h->e), &h->e);
    OK(frz_row_set_string(h->r, NEED, "n", 1, &h->e), &h->e);
    OK(frz_put(h->t, h->r, NULL, &h->e), &h->e);
}

TEST(hostile_values, wrong_types_are_refused_and_name_the_column)
{
    struct host h;
    h_open(&h, "hv-types", ALL, "id");
    FAILS(frz_row_set_string(h.r, I, "7", 1, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "\"i\"");
    FAILS(frz_row_set_double(h.r, ID, 1.5, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_long(h.r, S, 1, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_boolean(h.r, D, true, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_date(h.r, TS, 1, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_timestamp(h.r, DAY, 1, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_bytes(h.r, S, "abc", 3, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_bytes(h.r, X, "abc", 3, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "4");
    FAILS(frz_row_set_bytes(h.r, X, "abcde", 5, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_int(h.r, 16, 1, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_int(h.r, SIZE_MAX, 1, &h.e), FRZ_INVALID, &h.e);
    frz_value odd = h_bytes(FRZ_UUID, "short", 5);
    FAILS(frz_row_set(h.r, U, &odd, &h.e), FRZ_INVALID, &h.e);
    odd = h_bytes(99, NULL, 0);
    FAILS(frz_row_set(h.r, S, &odd, &h.e), FRZ_INVALID, &h.e);
    odd.type = -1;
    FAILS(frz_row_set(h.r, S, &odd, &h.e), FRZ_INVALID, &h.e);
    odd = h_bytes(FRZ_STRING, NULL, 5);
    FAILS(frz_row_set(h.r, S, &odd, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_string(h.r, S, NULL, 5, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_uuid(h.r, U, NULL, &h.e), FRZ_INVALID, &h.e);
    still_good(&h, 1);
    /* keys, too */
    frz_value key = h_bytes(FRZ_STRING, "1", 1);
    FAILS(frz_get(h.t, NULL, &key, 1, h.r, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_delete(h.t, &key, 1, NULL, &h.e), FRZ_INVALID, &h.e);
    key = (frz_value){FRZ_NULL, 0, {0}};
    FAILS(frz_delete(h.t, &key, 1, NULL, &h.e), FRZ_INVALID, &h.e);
    frz_value two[2] = {h_long(1), h_long(2)};
    FAILS(frz_delete(h.t, two, 2, NULL, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "2");
    FAILS(frz_delete(h.t, two, 0, NULL, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_delete(h.t, two, SIZE_MAX, NULL, &h.e), FRZ_INVALID, &h.e);
    assert_int_equal(h_count(&h), 1);
    h_close(&h);
}

TEST(hostile_values, numbers_and_dates_out_of_range_are_refused)
{
    struct host h;
    static const struct { int column; const char *text; } bad[] = {
        {I, "2147483648"}, {I, "-2147483649"}, {I, "1e3"}, {I, "0x10"}, {I, ""}, {I, " 1"}, {ID, "9223372036854775808"}, {P, "10000000.00"}, {P, "1.005"}, {P, "abc"}, {P, "1e2"},
        {W, "100000000000000000000000000000000000000"}, {DAY, "2013-02-30"}, {DAY, "2013-13-01"}, {DAY, "2013-00-10"}, {DAY, "13-01-01"}, {DAY, "+5881581-01-01"}, {TM, "24:00:00"}, {TM, "23:60:00"},
        {TM, "1:2:3"}, {TM, "12:00:00.1234567"}, {TS, "2013-01-01"}, {TS, "2013-01-01T25:00:00"}, {TS, "2013-01-01T00:00:00Z"}, {TZ, "2013-01-01T00:00:00"}, {TZ, "2013-01-01T00:00:00+99:00"},
        {TS, "+400000-01-01T00:00:00"}, {U, "f79c3e09-677c-4bbd-a479-3f349cb785e"}, {U, "zzzzzzzz-677c-4bbd-a479-3f349cb785e7"}, {X, "0011223"}, {X, "001122"}, {B, "0"}, {B, "zz"}, {BOOL, "yes"}, {BOOL, "TRUE "},
        {D, "1.5x"}, {D, "nan(1)"}, {D, "0x1p3"}, {D, "1e999"}, {F, "1e39"}};
    h_open(&h, "hv-range", ALL, "id");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = frz_row_set_text(h.r, (size_t)bad[i].column, bad[i].text, strlen(bad[i].text), &h.e);
        if (rc != FRZ_INVALID) print_error("column %d \"%s\"\n", bad[i].column, bad[i].text);
        FAILS(frz_row_set_text(h.r, (size_t)bad[i].column, bad[i].text, strlen(bad[i].text), &h.e), FRZ_INVALID, &h.e);
        MESSAGE_HAS(&h.e, "column");
    }
    FAILS(frz_row_set_long(h.r, I, (int64_t)1 << 31, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_decimal(h.r, P, (frz_decimal){1000000000, 0}, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_decimal(h.r, W, (frz_decimal){0, INT64_MIN}, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_decimal(h.r, W, (frz_decimal){UINT64_MAX, INT64_MAX}, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_time(h.r, TM, (int64_t)86400 * 1000000, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_time(h.r, TM, -1, &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_set_double(h.r, F, 1e300, &h.e), FRZ_INVALID, &h.e);
    /* the ends of the ranges are in */
    OK(frz_row_set_long(h.r, I, INT32_MIN, &h.e), &h.e);
    OK(frz_row_set_decimal(h.r, P, (frz_decimal){999999999, 0}, &h.e), &h.e);
    OK(frz_row_set_date(h.r, DAY, INT32_MAX, &h.e), &h.e);
    OK(frz_row_set_timestamp(h.r, TS, INT64_MIN, &h.e), &h.e);
    OK(frz_row_set_time(h.r, TM, (int64_t)86400 * 1000000 - 1, &h.e), &h.e);
    still_good(&h, INT64_MIN);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    h_reopen(&h);
    frz_value key = h_long(INT64_MIN), v;
    OK(frz_get(h.t, NULL, &key, 1, h.r, &h.e), &h.e);
    assert_int_equal(frz_row_int(h.r, DAY), INT32_MAX);
    OK(frz_row_get(h.r, TS, &v), &h.e);
    assert_true(v.as.i64 == INT64_MIN);
    frz_blob *json = NULL; /* and they print, and read back */
    OK(frz_row_to_json(h.r, &json, &h.e), &h.e);
    frz_row_clear(h.r);
    OK(frz_row_set_json(h.r, frz_blob_data(json), frz_blob_len(json), &h.e), &h.e);
    OK(frz_row_get(h.r, TS, &v), &h.e);
    assert_true(v.as.i64 == INT64_MIN);
    frz_blob_free(json);
    h_verify(&h);
    h_close(&h);
}

TEST(hostile_values, strings_that_are_no_utf8_are_refused_everywhere)
{
    struct host h;
    static const char *const bad[] = {"\x80", "a\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "ok\xf8\x88\x80\x80\x80"};
    h_open(&h, "hv-utf8", "k string, s string?", "k");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FAILS(frz_row_set_string(h.r, 0, bad[i], strlen(bad[i]), &h.e), FRZ_INVALID, &h.e);
        MESSAGE_HAS(&h.e, "UTF-8");
        FAILS(frz_row_set_text(h.r, 1, bad[i], strlen(bad[i]), &h.e), FRZ_INVALID, &h.e);
        frz_value key = h_bytes(FRZ_STRING, bad[i], strlen(bad[i]));
        FAILS(frz_get(h.t, NULL, &key, 1, h.r, &h.e), FRZ_INVALID, &h.e);
        FAILS(frz_delete(h.t, &key, 1, NULL, &h.e), FRZ_INVALID, &h.e);
        char json[64], where[64];
        snprintf(json, sizeof json, "{\"k\":\"%s\"}", bad[i]);
        FAILS(frz_row_set_json(h.r, json, strlen(json), &h.e), FRZ_INVALID, &h.e);
        snprintf(where, sizeof where, "k = '%s'", bad[i]);
        frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
        frz_cursor *c = NULL;
        o.where = where;
        FAILS(frz_scan(h.t, &o, &c, &h.e), FRZ_INVALID, &h.e);
        assert_null(c);
        FAILS(frz_table_set_property(h.t, "note", bad[i], &h.e), FRZ_INVALID, &h.e);
        FAILS(frz_table_set_property(h.t, bad[i], "note", &h.e), FRZ_INVALID, &h.e);
        frz_column col = {.struct_size = sizeof col, .name = bad[i], .type = {.id = FRZ_LONG}};
        frz_schema *s = NULL;
        OK(frz_schema_new(&s, &h.e), &h.e);
        FAILS(frz_schema_add(s, &col, &h.e), FRZ_INVALID, &h.e);
        col.name = "c";
        col.doc = bad[i];
        FAILS(frz_schema_add(s, &col, &h.e), FRZ_INVALID, &h.e);
        frz_schema_free(s);
        FAILS(frz_table_create(h.db, bad[i], NULL, NULL, NULL, &h.e), FRZ_INVALID, &h.e);
    }
    /* a zero byte is a character like others */
    OK(frz_row_set_string(h.r, 0, "a\0b", 3, &h.e), &h.e);
    OK(frz_row_set_string(h.r, 1, "\0", 1, &h.e), &h.e);
    OK(frz_put(h.t, h.r, NULL, &h.e), &h.e);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    h_reopen(&h);
    frz_value key = h_bytes(FRZ_STRING, "a\0b", 3);
    OK(frz_get(h.t, NULL, &key, 1, h.r, &h.e), &h.e);
    size_t len;
    assert_memory_equal(frz_row_bytes(h.r, 1, &len), "\0", 1);
    assert_int_equal(len, 1);
    assert_int_equal(h_count(&h), 1);
    h_verify(&h);
    h_close(&h);
}

TEST(hostile_values, nan_and_infinities_are_values_and_no_keys)
{
    struct host h;
    frz_schema *s = NULL;
    frz_error e;
    FAILS(frz_schema_parse("f float, v int?", "f", &s, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "float");
    FAILS(frz_schema_parse("d double, v int?", "d", &s, &e), FRZ_INVALID, &e);
    assert_null(s);
    h_open(&h, "hv-nan", "id long, d double?, f float?", "id");
    const double odd[] = {NAN, INFINITY, -INFINITY, -0.0, 5e-324};
    for (int i = 0; i < 5; i++) {
        OK(frz_row_set_long(h.r, 0, i, &h.e), &h.e);
        OK(frz_row_set_double(h.r, 1, odd[i], &h.e), &h.e);
        OK(frz_row_set_float(h.r, 2, (float)odd[i], &h.e), &h.e);
        OK(frz_put(h.t, h.r, NULL, &h.e), &h.e);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++) {
            frz_value key = h_long(i), v;
            OK(frz_get(h.t, NULL, &key, 1, h.r, &h.e), &h.e);
            OK(frz_row_get(h.r, 1, &v), &h.e);
            assert_memory_equal(&v.as.f64, &odd[i], 8);
        }
        static const struct { const char *where; uint64_t want; } asks[] = {{"d = 'NaN'", 1}, {"d > 1e308", 2}, {"d < -1e308", 1}, {"d = 0", 1}, {"f = 'Infinity'", 1}, {"d IS NOT NULL", 5}, {"d >= 0", 4}};
        for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
            frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
            uint64_t n = 0;
            o.where = asks[i].where;
            OK(frz_count(h.t, &o, &n, &h.e), &h.e);
            if (n != asks[i].want) print_error("%s (round %d): %llu\n", asks[i].where, round, (unsigned long long)n);
            assert_int_equal(n, asks[i].want);
        }
        OK(frz_table_flush(h.t, &h.e), &h.e);
    }
    h_verify(&h);
    h_close(&h);
}

TEST(hostile_values, a_required_column_left_out_stops_the_whole_batch)
{
    struct host h;
    frz_batch *b = NULL;
    h_open(&h, "hv-required", "id long, need string, opt int?", "id");
    FAILS(frz_row_set_null(h.r, 1, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "need");
    OK(frz_row_set_long(h.r, 0, 1, &h.e), &h.e);
    FAILS(frz_put(h.t, h.r, NULL, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "need");
    FAILS(frz_insert(h.t, h.r, NULL, &h.e), FRZ_INVALID, &h.e);
    frz_row_clear(h.r);
    OK(frz_row_set_string(h.r, 1, "x", 1, &h.e), &h.e);
    FAILS(frz_put(h.t, h.r, NULL, &h.e), FRZ_INVALID, &h.e); /* no key */
    MESSAGE_HAS(&h.e, "id");
    FAILS(frz_update(h.t, h.r, NULL, &h.e), FRZ_INVALID, &h.e);
    OK(frz_batch_new(h.db, &b, &h.e), &h.e);
    OK(frz_row_set_long(h.r, 0, 7, &h.e), &h.e);
    OK(frz_batch_put(b, h.t, h.r, &h.e), &h.e);
    frz_row_clear(h.r);
    OK(frz_row_set_long(h.r, 0, 8, &h.e), &h.e);
    FAILS(frz_batch_put(b, h.t, h.r, &h.e), FRZ_INVALID, &h.e);
    assert_int_equal(frz_batch_count(b), 1); /* what was refused is not in, what was taken is */
    assert_int_equal(h_count(&h), 0);
    OK(frz_write(h.db, b, NULL, NULL, &h.e), &h.e);
    assert_int_equal(h_count(&h), 1);
    /* an insert that exists and an update that does not: none of the batch is written */
    frz_batch_clear(b);
    OK(frz_row_set_string(h.r, 1, "y", 1, &h.e), &h.e);
    OK(frz_batch_put(b, h.t, h.r, &h.e), &h.e);
    OK(frz_row_set_long(h.r, 0, 7, &h.e), &h.e);
    OK(frz_batch_insert(b, h.t, h.r, &h.e), &h.e);
    RC(frz_write(h.db, b, NULL, NULL, &h.e), FRZ_EXISTS, &h.e);
    MESSAGE_HAS(&h.e, "7");
    assert_int_equal(h_count(&h), 1);
    frz_batch_free(b);
    h_verify(&h);
    h_close(&h);
}

TEST(hostile_values, names_twice_or_in_another_case_are_refused)
{
    struct host h;
    frz_schema *s = NULL;
    frz_error e;
    FAILS(frz_schema_parse("id long, a int?, a string?", "id", &s, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "\"a\"");
    FAILS(frz_schema_parse("id long, name int?, Name string?", "id", &s, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "case");
    FAILS(frz_schema_parse("id long", "id,id", &s, &e), FRZ_INVALID, &e);
    FAILS(frz_schema_parse("id long", "ID", &s, &e), FRZ_INVALID, &e);
    FAILS(frz_schema_parse("id long?", "id", &s, &e), FRZ_INVALID, &e);
    FAILS(frz_schema_parse("id long,", "id", &s, &e), FRZ_INVALID, &e);
    FAILS(frz_schema_parse("", "", &s, &e), FRZ_INVALID, &e);
    static const char *const types[] = {"x lng", "x decimal(39,2)", "x decimal(9,10)", "x decimal(0,0)", "x decimal(-1,0)", "x fixed(0)", "x fixed(99999999)", "x fixed(-1)", "x decimal", "x null", "x"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) FAILS(frz_schema_parse(types[i], "x", &s, &e), FRZ_INVALID, &e);
    FAILS(frz_schema_parse("id long, x list<int>", "id", &s, &e), FRZ_UNSUPPORTED, &e);
    h_open(&h, "hv-names", "id long, v string?", "id");
    s = h_schema("id long", "id");
    RC(frz_table_create(h.db, "t", s, NULL, NULL, &h.e), FRZ_EXISTS, &h.e);
    FAILS(frz_table_create(h.db, "T", s, NULL, NULL, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "case");
    FAILS(frz_table_create(h.db, "MAIN.other", s, NULL, NULL, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "case");
    static const char *const names[] = {"", ".", "..", "a.", ".a", "a.b.c", "../x", "a/b", "/abs", "a b", "-a", "a.-b", "a\nb", ".frazil", "caf\xc3\xa9", "a%s%n"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        FAILS(frz_table_create(h.db, names[i], s, NULL, NULL, &h.e), FRZ_INVALID, &h.e);
        FAILS(frz_table_open(h.db, names[i], &h.t, &h.e), FRZ_INVALID, &h.e);
        FAILS(frz_table_drop(h.db, names[i], &h.e), FRZ_INVALID, &h.e);
    }
    char name[300];
    memset(name, 'a', sizeof name);
    name[299] = 0;
    FAILS(frz_table_create(h.db, name, s, NULL, NULL, &h.e), FRZ_INVALID, &h.e);
    name[200] = 0;
    OK(frz_table_create(h.db, name, s, NULL, NULL, &h.e), &h.e);
    OK(frz_table_drop(h.db, name, &h.e), &h.e);
    RC(frz_table_open(h.db, "none", &h.t, &h.e), FRZ_NOT_FOUND, &h.e);
    MESSAGE_HAS(&h.e, "main.none");
    RC(frz_table_drop(h.db, "none", &h.e), FRZ_NOT_FOUND, &h.e);
    frz_schema_free(s);
    frz_schema *none = NULL; /* no key, no columns */
    OK(frz_schema_new(&none, &h.e), &h.e);
    FAILS(frz_table_create(h.db, "u", none, NULL, NULL, &h.e), FRZ_INVALID, &h.e);
    frz_schema_free(none);
    none = h_schema("id long", NULL);
    FAILS(frz_table_create(h.db, "u", none, NULL, NULL, &h.e), FRZ_INVALID, &h.e);
    MESSAGE_HAS(&h.e, "key");
    frz_schema_free(none);
    none = h_schema("id long, n timestamp_ns?", "id");
    FAILS(frz_table_create(h.db, "u", none, NULL, NULL, &h.e), FRZ_INVALID, &h.e); /* format 2 */
    MESSAGE_HAS(&h.e, "3");
    frz_schema_free(none);
    h_close(&h);
}

TEST(hostile_values, json_that_is_not_a_row_is_refused_and_changes_nothing)
{
    struct host h;
    static const char *const bad[] = {"", "{", "[]", "null", "1", "{\"id\":1} x", "{\"id\":1,\"id\":2}", "{\"nope\":1}", "{\"ID\":1}", "{\"id\":\"1x\"}", "{\"id\":1.5}", "{\"id\":99999999999999999999}", "{\"id\":true}",
                                      "{\"id\":null}", "{\"id\":[1]}", "{\"v\":{}}", "{\"v\":\"\\ud800\"}", "{\"id\":1,}", "{id:1}"};
    h_open(&h, "hv-json", "id long, v string?", "id");
    OK(frz_row_set_long(h.r, 0, 5, &h.e), &h.e);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (frz_row_set_json(h.r, bad[i], strlen(bad[i]), &h.e) != FRZ_INVALID) print_error("%s\n", bad[i]);
        FAILS(frz_row_set_json(h.r, bad[i], strlen(bad[i]), &h.e), FRZ_INVALID, &h.e);
        assert_int_equal(frz_row_long(h.r, 0), 5);
    }
    size_t deep = 100000;
    char *nest = (char *)malloc(deep + 1);
    memset(nest, '[', deep);
    nest[deep] = 0;
    FAILS(frz_row_set_json(h.r, nest, deep, &h.e), FRZ_INVALID, &h.e);
    frz_schema *s = NULL;
    FAILS(frz_schema_parse_json(nest, deep, &s, &h.e), FRZ_INVALID, &h.e);
    memset(nest, '(', deep);
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c = NULL;
    o.where = nest;
    assert_true(frz_scan(h.t, &o, &c, &h.e) < 0);
    assert_null(c);
    free(nest);
    static const char *const wheres[] = {"id", "id =", "= 1", "nope = 1", "id = 'x'", "v > 1", "id IN ()", "v LIKE 5", "id BETWEEN 1", "(id = 1", "id = 1)", "id = 1 AND", "NOT", "v = 'x", "id = 1; DROP TABLE t", "id == 1 OR 1",
                                         "v LIKE 'a\\'"};
    for (size_t i = 0; i < sizeof wheres / sizeof *wheres; i++) {
        o.where = wheres[i];
        int rc = frz_scan(h.t, &o, &c, &h.e);
        if (rc != FRZ_INVALID) print_error("%s\n", wheres[i]);
        assert_int_equal(rc, FRZ_INVALID);
        assert_null(c);
    }
    static const char *const keys[] = {"", "x", "1,2", "[1,2]", "[]", "[null]", "[1", "{}"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        frz_schema *ts = NULL;
        frz_value v[4];
        size_t n = 4;
        frz_blob *scratch = NULL;
        OK(frz_table_schema(h.t, &ts, &h.e), &h.e);
        FAILS(frz_key_parse(ts, keys[i], strlen(keys[i]), v, &n, &scratch, &h.e), FRZ_INVALID, &h.e);
        frz_blob_free(scratch);
        frz_schema_free(ts);
    }
    h_close(&h);
}

TEST(hostile_values, options_and_properties_that_are_none_are_refused)
{
    struct host h;
    frz_db *db = NULL;
    frz_error e;
    h_open(&h, "hv-options", "id long, v string?", "id");
    const char *other = "/nonexistent/of/frazil";
    const uint32_t sizes[] = {0, 3, 4097, UINT32_MAX};
    for (int i = 0; i < 4; i++) {
        frz_db_options o = {.struct_size = sizes[i]};
        FAILS(frz_db_open(other, &o, &db, &e), FRZ_INVALID, &e);
        MESSAGE_HAS(&e, "struct_size");
        frz_table_options to = {.struct_size = sizes[i]};
        frz_schema *s = h_schema("id long", "id");
        FAILS(frz_table_create(h.db, "u", s, &to, NULL, &e), FRZ_INVALID, &e);
        frz_schema_free(s);
        frz_write_options wo = {.struct_size = sizes[i]};
        OK(frz_row_set_long(h.r, 0, 1, &h.e), &h.e);
        FAILS(frz_put(h.t, h.r, &wo, &e), FRZ_INVALID, &e);
        frz_scan_options so = {.struct_size = sizes[i], .snapshot = (frz_snapshot *)(uintptr_t)8}; /* beyond the size: not looked at */
        frz_cursor *c = NULL;
        uint64_t n;
        if (i < 2) FAILS(frz_scan(h.t, &so, &c, &e), FRZ_INVALID, &e);
        if (i < 2) FAILS(frz_count(h.t, &so, &n, &e), FRZ_INVALID, &e);
        so.snapshot = NULL;
        FAILS(frz_scan(h.t, &so, &c, &e), FRZ_INVALID, &e);
        frz_stats st = {.struct_size = sizes[i]};
        FAILS(frz_db_stats(h.db, NULL, &st, &e), FRZ_INVALID, &e);
        frz_verify_report rep = {.struct_size = sizes[i]};
        FAILS(frz_verify(h.db, NULL, NULL, NULL, &rep, &e), FRZ_INVALID, &e);
        frz_column col = {.struct_size = sizes[i], .name = "x", .type = {.id = FRZ_LONG}};
        OK(frz_schema_new(&s, &e), &e);
        FAILS(frz_schema_add(s, &col, &e), FRZ_INVALID, &e);
        frz_schema_free(s);
    }
    frz_write_options wo = FRZ_WRITE_OPTIONS_INIT;
    wo.durability = 9;
    FAILS(frz_put(h.t, h.r, &wo, &e), FRZ_INVALID, &e);
    wo.durability = -1;
    FAILS(frz_put(h.t, h.r, &wo, &e), FRZ_INVALID, &e);
    frz_db_options bad[6];
    for (int i = 0; i < 6; i++) bad[i] = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    bad[0].durability = 4;
    bad[1].memory_bytes = 1;
    bad[2].memtable_bytes = 1;
    bad[3].log_segment_bytes = 1;
    bad[4].log_segment_bytes = UINT64_MAX;
    bad[5].create = bad[5].read_only = true;
    for (int i = 0; i < 6; i++) FAILS(frz_db_open(other, &bad[i], &db, &e), FRZ_INVALID, &e);
    assert_null(db);
    /* properties */
    static const char *const pairs[][2] = {{"frazil.nope", "1"}, {"frazil.snapshots-max", "0"}, {"frazil.snapshots-max", "many"}, {"frazil.snapshots-max", "-1"}, {"frazil.snapshots-max", "99999999999999999999"},
                                           {"frazil.snapshots-max", ""}, {"write.parquet.compression-codec", "rar"}, {"format-version", "3"}, {"uuid", "x"}, {"frazil.flushed", "x:1"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *k = pairs[i][0], *v = pairs[i][1];
        FAILS(frz_table_set_property(h.t, k, v, &e), FRZ_INVALID, &e);
        MESSAGE_HAS(&e, k);
        frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
        to.property_keys = &k;
        to.property_values = &v;
        to.property_count = 1;
        frz_schema *s = h_schema("id long", "id");
        FAILS(frz_table_create(h.db, "u", s, &to, NULL, &e), FRZ_INVALID, &e);
        frz_schema_free(s);
    }
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    const char *twice[2] = {"a", "a"};
    frz_schema *s = h_schema("id long", "id");
    to.property_keys = to.property_values = twice;
    to.property_count = 2;
    FAILS(frz_table_create(h.db, "u", s, &to, NULL, &e), FRZ_INVALID, &e);
    to.property_keys = NULL;
    FAILS(frz_table_create(h.db, "u", s, &to, NULL, &e), FRZ_INVALID, &e);
    to = (frz_table_options)FRZ_TABLE_OPTIONS_INIT;
    to.format_version = 4;
    FAILS(frz_table_create(h.db, "u", s, &to, NULL, &e), FRZ_INVALID, &e);
    RC(frz_table_open(h.db, "u", &h.t, &e), FRZ_NOT_FOUND, &e); /* none of them was made */
    frz_schema_free(s);
    OK(frz_table_open(h.db, "t", &h.t, &e), &e);
    frz_blob *value = NULL;
    RC(frz_table_property(h.t, "nope", &value, &e), FRZ_NOT_FOUND, &e);
    assert_null(value);
    OK(frz_table_set_property(h.t, "anything.else", "is kept", &e), &e);
    h_reopen(&h);
    OK(frz_table_property(h.t, "anything.else", &value, &e), &e);
    assert_string_equal(frz_blob_data(value), "is kept");
    frz_blob_free(value);
    /* scans */
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c = NULL;
    size_t columns[3] = {0, 0, 7};
    frz_value keys[2] = {h_long(1), h_long(2)};
    o.columns = columns;
    o.column_count = 2;
    FAILS(frz_scan(h.t, &o, &c, &e), FRZ_INVALID, &e);
    columns[0] = 7;
    FAILS(frz_scan(h.t, &o, &c, &e), FRZ_INVALID, &e);
    o.column_count = SIZE_MAX;
    FAILS(frz_scan(h.t, &o, &c, &e), FRZ_INVALID, &e);
    o = (frz_scan_options)FRZ_SCAN_OPTIONS_INIT;
    o.from_count = 1;
    FAILS(frz_scan(h.t, &o, &c, &e), FRZ_INVALID, &e);
    o.from = keys;
    o.from_count = 2;
    FAILS(frz_scan(h.t, &o, &c, &e), FRZ_INVALID, &e);
    o.from_count = 1;
    o.prefix = keys;
    o.prefix_count = 1;
    FAILS(frz_scan(h.t, &o, &c, &e), FRZ_INVALID, &e);
    assert_null(c);
    h_close(&h);
}

TEST(hostile_values, null_arguments_are_refused_everywhere)
{
    struct host h;
    frz_error e;
    size_t n;
    uint64_t count;
    frz_value v = h_long(1);
    const frz_row *row;
    h_open(&h, "hv-null", "id long, v string?", "id");
    frz_batch *b = NULL;
    frz_cursor *c = NULL;
    OK(frz_batch_new(h.db, &b, &e), &e);
    OK(frz_scan(h.t, NULL, &c, &e), &e);
    frz_schema *s = h_schema("id long", "id");
#define BAD(expr) FAILS(expr, FRZ_INVALID, &e)
    frz_db *none = NULL;
    frz_table *no_table = NULL;
    frz_batch *no_batch = NULL;
    frz_schema *no_schema = NULL;
    BAD(frz_db_open(NULL, NULL, &none, &e));
    BAD(frz_db_open("", NULL, &none, &e));
    BAD(frz_db_open("/tmp", NULL, NULL, &e));
    OK(frz_db_close(NULL, &e), &e);
    BAD(frz_db_refresh(NULL, &e));
    BAD(frz_db_sync(NULL, &e));
    BAD(frz_db_flush(NULL, &e));
    BAD(frz_db_tables(NULL, NULL, NULL, &e));
    BAD(frz_db_stats(NULL, NULL, NULL, &e));
    BAD(frz_db_stats_text(NULL, NULL, false, NULL, &e));
    BAD(frz_table_create(NULL, "u", s, NULL, NULL, &e));
    BAD(frz_table_open(NULL, "u", &no_table, &e));
    BAD(frz_table_drop(NULL, "u", &e));
    BAD(frz_table_flush(NULL, &e));
    BAD(frz_table_schema(NULL, NULL, &e));
    BAD(frz_table_property(NULL, NULL, NULL, &e));
    BAD(frz_table_set_property(NULL, NULL, NULL, &e));
    BAD(frz_table_alter(NULL, NULL, 0, &e));
    BAD(frz_row_schema(NULL, NULL, &e));
    BAD(frz_table_properties(NULL, NULL, NULL, &e));
    BAD(frz_table_snapshots(NULL, NULL, NULL, &e));
    BAD(frz_table_files(NULL, NULL, NULL, NULL, &e));
    BAD(frz_row_new(NULL, NULL, &e));
    BAD(frz_row_new_schema(NULL, NULL, &e));
    BAD(frz_row_set(NULL, 0, NULL, &e));
    BAD(frz_row_set(h.r, 0, NULL, &e));
    BAD(frz_row_set_text(NULL, 0, NULL, 0, &e));
    BAD(frz_row_set_json(NULL, NULL, 0, &e));
    BAD(frz_row_set_named(NULL, NULL, NULL, &e));
    BAD(frz_row_to_json(NULL, NULL, &e));
    BAD(frz_row_to_text(NULL, 0, NULL, &e));
    BAD(frz_key_parse(NULL, NULL, 0, NULL, NULL, NULL, &e));
    BAD(frz_batch_new(NULL, &no_batch, &e));
    BAD(frz_batch_put(NULL, NULL, NULL, &e));
    BAD(frz_batch_put(b, h.t, NULL, &e));
    BAD(frz_batch_insert(b, NULL, h.r, &e));
    BAD(frz_batch_update(b, NULL, h.r, &e));
    BAD(frz_batch_delete(b, h.t, NULL, 1, &e));
    BAD(frz_write(NULL, NULL, NULL, NULL, &e));
    BAD(frz_write(h.db, NULL, NULL, NULL, &e));
    BAD(frz_put(NULL, NULL, NULL, &e));
    BAD(frz_insert(NULL, NULL, NULL, &e));
    BAD(frz_update(NULL, NULL, NULL, &e));
    BAD(frz_delete(NULL, NULL, 0, NULL, &e));
    BAD(frz_snapshot_open(NULL, NULL, &e));
    BAD(frz_snapshot_open_published(NULL, 0, NULL, &e));
    BAD(frz_get(NULL, NULL, NULL, 0, NULL, &e));
    BAD(frz_get_columns(NULL, NULL, NULL, 0, NULL, 0, NULL, &e));
    BAD(frz_multi_get(NULL, NULL, NULL, 0, 0, NULL, NULL, &e));
    BAD(frz_scan(NULL, NULL, NULL, &e));
    BAD(frz_cursor_next(NULL, &row, &e));
    BAD(frz_count(NULL, NULL, &count, &e));
    BAD(frz_scan_arrow(NULL, NULL, NULL, &e));
    BAD(frz_write_arrow(NULL, NULL, false, NULL, NULL, &e));
    BAD(frz_parquet_read(NULL, NULL, &e));
    BAD(frz_parquet_schema(NULL, NULL, &e));
    BAD(frz_parquet_count(NULL, NULL, &e));
    BAD(frz_parquet_write(NULL, NULL, NULL, NULL, &e));
    BAD(frz_verify(NULL, NULL, NULL, NULL, NULL, &e));
    BAD(frz_schema_new(NULL, &e));
    BAD(frz_schema_add(NULL, NULL, &e));
    BAD(frz_schema_add(s, NULL, &e));
    BAD(frz_schema_set_key(NULL, NULL, 0, &e));
    BAD(frz_schema_parse(NULL, NULL, &no_schema, &e));
    BAD(frz_schema_parse("id long", NULL, NULL, &e));
    BAD(frz_schema_parse_json(NULL, 0, &no_schema, &e));
    BAD(frz_schema_to_text(NULL, NULL, &e));
    BAD(frz_schema_to_json(NULL, NULL, &e));
    assert_int_equal(frz_row_find(NULL, NULL, &n), FRZ_INVALID);
    assert_int_equal(frz_row_get(NULL, 0, &v), FRZ_INVALID);
    assert_int_equal(frz_schema_find(NULL, NULL, &n), FRZ_INVALID);
    assert_true(frz_row_is_null(NULL, 0));
    assert_int_equal(frz_row_long(NULL, 0), 0);
    assert_null(frz_row_bytes(NULL, 0, NULL));
    assert_int_equal(frz_blob_len(NULL), 0);
    frz_table_close(NULL);
    frz_row_free(NULL);
    frz_row_clear(NULL);
    frz_batch_free(NULL);
    frz_batch_clear(NULL);
    frz_cursor_close(NULL);
    frz_snapshot_close(NULL);
    frz_schema_free(NULL);
    frz_blob_free(NULL);
    /* and no error struct at all */
    assert_int_equal(frz_db_open(NULL, NULL, &none, NULL), FRZ_INVALID);
    assert_int_equal(frz_put(h.t, NULL, NULL, NULL), FRZ_INVALID);
    assert_int_equal(frz_table_drop(h.db, "..", NULL), FRZ_INVALID);
    frz_cursor_close(c);
    frz_batch_free(b);
    frz_schema_free(s);
    h_close(&h);
}
