/* Text, JSON and single-value forms of every type, both ways, and what they refuse. */
#include "frz_test.h"

#include <locale.h>
#include <stdlib.h>

#include "test_types_gen.h"
#include "types/civil.h"

static frz_type ty(const char *text)
{
    frz_type t;
    frz_error e;
    OK(frz__type_parse(slice_str(text), &t, &e), &e);
    return t;
}

/* TEXT → value → WANT */
static void reads_as(const char *type, const char *text, const char *want)
{
    frz_error e = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct buf b = BUF_INIT(NULL, 0);
    frz_value v;
    frz_type t = ty(type);
    OK(frz__value_parse(slice_str(text), t, &ar, &v, &e), &e);
    OK(frz__value_print(&v, t, &b, &e), &e);
    OK(buf_append_byte(&b, 0, &e), &e);
    assert_string_equal((char *)b.data, want);
    buf_clear(&b);
    frz__arena_clear(&ar);
}

static void refuses(const char *type, const char *text)
{
    frz_error e = {0};
    struct arena ar = ARENA_INIT(NULL);
    frz_value v;
    if (frz__value_parse(slice_str(text), ty(type), &ar, &v, &e) != FRZ_INVALID) fail_msg("%s takes %s", type, text);
    assert_true(e.message[0]);
    frz__arena_clear(&ar);
}

TEST(type, prints_and_parses_every_type)
{
    static const char *const all[] = {"boolean", "int", "long", "float", "double", "decimal(9, 2)", "decimal(38, 38)", "date", "time", "timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns", "string",
                                      "uuid", "fixed[16]", "binary"};
    frz_error e;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(all); i++) {
        char text[TYPE_TEXT_BYTES];
        assert_string_equal(frz__type_text(ty(all[i]), text), all[i]);
    }
    assert_true(frz__type_eq(ty("decimal(9,2)"), ty("decimal( 9 , 2 )")));
    assert_true(frz__type_eq(ty("fixed(16)"), ty("fixed[16]")));
    static const char *const bad[] = {"", "Long", "longs", "decimal", "decimal(0,0)", "decimal(39,0)", "decimal(5,6)", "decimal(5)", "decimal[5,2]", "decimal(5,2", "decimal(5,2)x", "decimal(-1,0)",
                                      "fixed", "fixed[0]", "fixed[1048577]", "fixed[99999999999]", "fixed[16)", "string(5)", "null"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) {
        frz_type t;
        FAILS(frz__type_parse(slice_str(bad[i]), &t, &e), FRZ_INVALID, &e);
    }
    static const char *const foreign[] = {"variant", "unknown", "geometry(OGC:CRS84)", "geography"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(foreign); i++) {
        frz_type t;
        FAILS(frz__type_parse(slice_str(foreign[i]), &t, &e), FRZ_UNSUPPORTED, &e);
    }
}

TEST(type, promotes_as_iceberg_does)
{
    assert_true(frz__type_promotes(ty("int"), ty("long")));
    assert_true(frz__type_promotes(ty("float"), ty("double")));
    assert_true(frz__type_promotes(ty("decimal(5,2)"), ty("decimal(7,2)")));
    assert_true(frz__type_promotes(ty("string"), ty("string")));
    assert_false(frz__type_promotes(ty("long"), ty("int")));
    assert_false(frz__type_promotes(ty("decimal(7,2)"), ty("decimal(5,2)")));
    assert_false(frz__type_promotes(ty("decimal(5,2)"), ty("decimal(7,3)")));
    assert_false(frz__type_promotes(ty("int"), ty("double")));
    assert_false(frz__type_promotes(ty("fixed[4]"), ty("fixed[5]")));
}

TEST(civil, agrees_with_a_walk_over_the_days)
{
    int64_t y = -401, days = civil_to_days(y, 1, 1);
    int m = 1, d = 1;
    for (; y < 2405; days++) {
        int64_t y2;
        int m2, d2;
        civil_from_days(days, &y2, &m2, &d2);
        if (y2 != y || m2 != m || d2 != d || civil_to_days(y, m, d) != days) fail_msg("day %lld", (long long)days);
        if (++d > civil_month_days(y, m)) {
            d = 1;
            if (++m > 12) m = 1, y++;
        }
    }
    assert_int_equal(civil_to_days(1970, 1, 1), 0);
    assert_int_equal(civil_to_days(2000, 3, 1), 11017);
    assert_true(civil_is_leap(2000) && !civil_is_leap(1900) && civil_is_leap(2024) && civil_is_leap(0) && civil_is_leap(-4));
}

TEST(text, has_iceberg_s_forms)
{
    reads_as("boolean", "true", "true");
    reads_as("boolean", "false", "false");
    reads_as("int", "-2147483648", "-2147483648");
    reads_as("long", "9223372036854775807", "9223372036854775807");
    reads_as("long", "-9223372036854775808", "-9223372036854775808");
    reads_as("decimal(9,2)", "14.20", "14.20");
    reads_as("decimal(9,2)", "14", "14.00");
    reads_as("decimal(9,2)", "-0.05", "-0.05");
    reads_as("decimal(9,2)", "-0", "0.00");
    reads_as("decimal(3,3)", "0.999", "0.999");
    reads_as("decimal(5,0)", "99999", "99999");
    reads_as("decimal(38,0)", "-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999");
    reads_as("decimal(38,38)", "0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001");
    reads_as("date", "2017-11-16", "2017-11-16");
    reads_as("date", "1969-12-31", "1969-12-31");
    reads_as("date", "2000-02-29", "2000-02-29");
    reads_as("date", "0000-01-01", "0000-01-01");
    reads_as("date", "-0001-12-31", "-0001-12-31");
    reads_as("date", "+12017-11-16", "+12017-11-16");
    reads_as("date", "+5881580-07-11", "+5881580-07-11");
    reads_as("date", "-5877641-06-23", "-5877641-06-23");
    reads_as("time", "22:31:08.123456", "22:31:08.123456");
    reads_as("time", "22:31:08", "22:31:08.000000");
    reads_as("time", "23:59:59.999999", "23:59:59.999999");
    reads_as("timestamp", "2017-11-16T22:31:08.123456", "2017-11-16T22:31:08.123456");
    reads_as("timestamp", "2017-11-16 22:31:08.5", "2017-11-16T22:31:08.500000");
    reads_as("timestamp", "1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999");
    reads_as("timestamp", "9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999");
    reads_as("timestamp", "-290308-12-21T19:59:05.224192", "-290308-12-21T19:59:05.224192");
    reads_as("timestamp", "+294247-01-10T04:00:54.775807", "+294247-01-10T04:00:54.775807");
    reads_as("timestamptz", "2017-11-16T22:31:08.123456+00:00", "2017-11-16T22:31:08.123456+00:00");
    reads_as("timestamptz", "2017-11-16T22:31:08Z", "2017-11-16T22:31:08.000000+00:00");
    reads_as("timestamptz", "2017-11-16T22:31:08-08:00", "2017-11-17T06:31:08.000000+00:00");
    reads_as("timestamptz", "2017-11-16T01:31:08+05:45", "2017-11-15T19:46:08.000000+00:00");
    reads_as("timestamp_ns", "2017-11-16T22:31:08.123456789", "2017-11-16T22:31:08.123456789");
    reads_as("timestamp_ns", "1677-09-21T00:12:43.145224192", "1677-09-21T00:12:43.145224192");
    reads_as("timestamptz_ns", "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807+00:00");
    reads_as("uuid", "F79C3E09-677C-4BBD-A479-3F349CB785E7", "f79c3e09-677c-4bbd-a479-3f349cb785e7");
    reads_as("fixed[4]", "00010BFf", "00010bff");
    reads_as("binary", "", "");
    reads_as("binary", "00ff", "00ff");
    reads_as("string", "", "");
    reads_as("string", "né水", "né水");
}

TEST(text, prints_the_shortest_float_that_reads_back)
{
    reads_as("double", "0.1", "0.1");
    reads_as("double", "1", "1.0");
    reads_as("double", "-0.0", "-0.0");
    reads_as("double", "1e20", "1e+20");
    reads_as("double", "5e-324", "5e-324");
    reads_as("double", "4.94e-324", "5e-324");
    reads_as("double", "1.7976931348623157e308", "1.7976931348623157e+308");
    reads_as("double", "0.30000000000000004", "0.30000000000000004");
    reads_as("double", "100", "100.0");
    reads_as("double", "-1234567890123456", "-1234567890123456.0");
    reads_as("double", "12345678901234567", "1.2345678901234568e+16");
    reads_as("double", "0.0001", "0.0001");
    reads_as("double", "-0.00012", "-0.00012");
    reads_as("double", "0.00001", "1e-05");
    reads_as("double", "12.5", "12.5");
    reads_as("double", "NaN", "NaN");
    reads_as("double", "Infinity", "Infinity");
    reads_as("double", "-Infinity", "-Infinity");
    reads_as("float", "0.1", "0.1");
    reads_as("float", "16777216", "16777216.0");
    reads_as("float", "3.4028235e38", "3.4028235e+38");
    reads_as("float", "1e-45", "1e-45");
}

TEST(text, refuses_what_is_not_exactly_of_the_type)
{
    static const char *const bad[][2] = {
        {"boolean", "1"}, {"boolean", "TRUE"}, {"boolean", ""},
        {"int", ""}, {"int", "-"}, {"int", "+1"}, {"int", "2147483648"}, {"int", "-2147483649"}, {"int", "1.0"}, {"int", " 1"}, {"int", "0x1"},
        {"long", "9223372036854775808"}, {"long", "-9223372036854775809"}, {"long", "99999999999999999999999"},
        {"decimal(9,2)", "14.201"}, {"decimal(9,2)", "14.200"}, {"decimal(9,2)", ""}, {"decimal(9,2)", "."}, {"decimal(9,2)", "1."}, {"decimal(9,2)", ".5"}, {"decimal(9,2)", "1e2"},
        {"decimal(9,2)", "12345678"}, {"decimal(9,2)", "1.2.3"}, {"decimal(9,2)", "--1"}, {"decimal(38,0)", "100000000000000000000000000000000000000"},
        {"decimal(38,0)", "999999999999999999999999999999999999999999999999999999"}, {"decimal(3,3)", "1"},
        {"float", "3.5e38"}, {"double", "1e309"}, {"double", "0x10"}, {"double", "nan"}, {"double", "inf"}, {"double", "1,5"}, {"double", ""}, {"double", "1e"}, {"double", "."}, {"double", " 1"},
        {"date", "2017-02-29"}, {"date", "1900-02-29"}, {"date", "2017-13-01"}, {"date", "2017-00-01"}, {"date", "2017-01-00"}, {"date", "2017-1-1"}, {"date", "17-01-01"}, {"date", "2017-01-01x"},
        {"date", "12017-01-01"}, {"date", "+5881580-07-12"}, {"date", ""},
        {"time", "24:00:00"}, {"time", "23:60:00"}, {"time", "23:59:60"}, {"time", "22:31"}, {"time", "22:31:08."}, {"time", "22:31:08.1234567"}, {"time", "-1:00:00"},
        {"timestamp", "2017-11-16"}, {"timestamp", "2017-11-16T22:31:08Z"}, {"timestamp", "2017-11-16T22:31:08.1234567"}, {"timestamp", "2017-11-16t22:31:08"}, {"timestamp", "+294247-01-10T04:00:54.775808"},
        {"timestamptz", "2017-11-16T22:31:08"}, {"timestamptz", "2017-11-16T22:31:08+0100"}, {"timestamptz", "2017-11-16T22:31:08+24:00"}, {"timestamptz", "2017-11-16T22:31:08Zx"},
        {"timestamp_ns", "2262-04-11T23:47:16.854775808"}, {"timestamp_ns", "1677-09-21T00:12:43.145224191"}, {"timestamp_ns", "2017-11-16T22:31:08.1234567891"},
        {"uuid", "f79c3e09677c4bbda4793f349cb785e7"}, {"uuid", "f79c3e09-677c-4bbd-a479-3f349cb785eg"}, {"uuid", ""},
        {"fixed[4]", "0001"}, {"fixed[4]", "0001020g"}, {"binary", "0"}, {"binary", "zz"},
        {"string", "\xff"}, {"string", "\xed\xa0\x80"}, {"string", "a\xc3"},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) refuses(bad[i][0], bad[i][1]);
    char digits[1201]; /* longer than any number that we read */
    memset(digits, '1', 1200);
    digits[1200] = 0;
    refuses("double", digits);
}

TEST(text, message_shows_what_was_found_and_stays_utf8)
{
    frz_error e;
    frz_value v;
    FAILS(frz__value_parse(slice_str("2017-02-29"), ty("date"), NULL, &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "\"2017-02-29\" is no date: expected YYYY-MM-DD");
    FAILS(frz__value_parse(slice_str("12345678901234567890123456789012345678901234567水水"), ty("int"), NULL, &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "1234567\"…");
}

TEST(text, does_not_depend_on_the_locale)
{
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8")) print_message("no locale with a decimal comma here\n");
    reads_as("double", "1234.5", "1234.5");
    reads_as("float", "0.5", "0.5");
    setlocale(LC_ALL, "C");
}

TEST(text, survives_both_ways_for_random_values)
{
    frz_error e = {0};
    struct rng r = {test_seed(1)};
    struct buf b = BUF_INIT(NULL, 0);
    for (int i = 0; i < 40000; i++) {
        struct arena ar = ARENA_INIT(NULL);
        frz_type t = gen_type(&r, false);
        frz_value v = gen_value(&r, t, &ar), back, single;
        buf_reset(&b);
        OK(frz__value_print(&v, t, &b, &e), &e);
        OK(frz__value_parse(buf_slice(&b), t, &ar, &back, &e), &e);
        bool nan = (t.id == FRZ_FLOAT && isnan(v.as.f32)) || (t.id == FRZ_DOUBLE && isnan(v.as.f64));
        if (nan ? !frz__value_eq(&v, &back) : !same_value(&v, &back)) fail_msg("%.*s of %s does not read back", (int)b.len, (char *)b.data, frz__type_id_name(t.id));
        buf_reset(&b);
        OK(frz__value_to_single(&v, t, &b, &e), &e);
        OK(frz__value_from_single(buf_slice(&b), t, &single, &e), &e);
        assert_true(same_value(&v, &single));
        frz__arena_clear(&ar);
    }
    buf_clear(&b);
}

static void json_is(const char *type, const char *text, const char *want)
{
    frz_error e = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct buf b = BUF_INIT(NULL, 0);
    struct jw w = JW_INIT(&b, &e);
    struct json *j = NULL;
    frz_value v;
    OK(frz__json_parse(slice_str(text), &j, &e), &e);
    OK(frz__value_from_json(j, ty(type), &ar, &v, &e), &e);
    frz__json_free(j);
    frz__value_to_json(&v, ty(type), &w);
    OK(frz__jw_end(&w), &e);
    OK(buf_append_byte(&b, 0, &e), &e);
    assert_string_equal((char *)b.data, want);
    buf_clear(&b);
    frz__arena_clear(&ar);
}

static void json_refuses(const char *type, const char *text)
{
    frz_error e = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct json *j = NULL;
    frz_value v;
    OK(frz__json_parse(slice_str(text), &j, &e), &e);
    if (frz__value_from_json(j, ty(type), &ar, &v, &e) != FRZ_INVALID) fail_msg("%s takes %s", type, text);
    frz__json_free(j);
    frz__arena_clear(&ar);
}

TEST(json, has_iceberg_s_single_values)
{
    json_is("boolean", "true", "true");
    json_is("int", "-5", "-5");
    json_is("long", "9223372036854775807", "9223372036854775807");
    json_is("float", "0.1", "0.1");
    json_is("double", "3", "3.0");
    json_is("double", "\"NaN\"", "\"NaN\"");
    json_is("double", "\"-Infinity\"", "\"-Infinity\"");
    json_is("decimal(9,2)", "\"14.20\"", "\"14.20\"");
    json_is("decimal(9,2)", "14", "\"14.00\"");
    json_is("decimal(9,2)", "14.2", "\"14.20\"");
    json_is("decimal(9,2)", "-0.05", "\"-0.05\"");
    json_is("decimal(15,14)", "1.23456789012345", "\"1.23456789012345\"");
    json_is("date", "\"2017-11-16\"", "\"2017-11-16\"");
    json_is("time", "\"22:31:08.123456\"", "\"22:31:08.123456\"");
    json_is("timestamp", "\"2017-11-16T22:31:08.123456\"", "\"2017-11-16T22:31:08.123456\"");
    json_is("timestamptz", "\"2017-11-16T22:31:08.123456+00:00\"", "\"2017-11-16T22:31:08.123456+00:00\"");
    json_is("timestamp_ns", "\"2017-11-16T22:31:08.123456789\"", "\"2017-11-16T22:31:08.123456789\"");
    json_is("string", "\"a\\u0000\\\"\"", "\"a\\u0000\\\"\"");
    json_is("uuid", "\"f79c3e09-677c-4bbd-a479-3f349cb785e7\"", "\"f79c3e09-677c-4bbd-a479-3f349cb785e7\"");
    json_is("fixed[2]", "\"00ff\"", "\"00ff\"");
    json_is("binary", "\"\"", "\"\"");
    json_is("date", "null", "null");
    json_refuses("int", "2147483648");
    json_refuses("int", "1.0");
    json_refuses("int", "\"1\"");
    json_refuses("long", "true");
    json_refuses("float", "1e39");
    json_refuses("double", "\"1\"");
    json_refuses("double", "\"nothing\"");
    json_refuses("boolean", "1");
    json_refuses("decimal(9,2)", "1.234");
    json_refuses("decimal(30,20)", "1.234567890123456");
    json_refuses("decimal(9,2)", "1e20");
    json_refuses("date", "17486");
    json_refuses("string", "5");
    json_refuses("string", "[]");
}

/* Numbers by their digits, as a row's or a key's are read. WANT NULL: refused. */
static void number_is(const char *type, const char *text, const char *want)
{
    frz_error e = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct buf b = BUF_INIT(NULL, 0);
    struct json *j = NULL;
    frz_value v;
    OK(frz__json_parse_wide(slice_str(text), &j, &e), &e);
    int rc = frz__value_from_json_text(j, slice_str(text), ty(type), &ar, &v, &e);
    if (!want && rc != FRZ_INVALID) fail_msg("%s takes %s", type, text);
    if (want) {
        OK(rc, &e);
        OK(frz__value_print(&v, ty(type), &b, &e), &e);
        OK(buf_append_byte(&b, 0, &e), &e);
        assert_string_equal((char *)b.data, want);
    }
    frz__json_free(j);
    buf_clear(&b);
    frz__arena_clear(&ar);
}

TEST(json, numbers_of_any_size_are_what_was_written)
{
    number_is("decimal(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999");
    number_is("decimal(38,0)", "-12345678901234567890123456789", "-12345678901234567890123456789");
    number_is("decimal(38,0)", "100000000000000000000000000000000000000", NULL);
    number_is("decimal(38,20)", "123456789012345678.12345678901234567890", "123456789012345678.12345678901234567890");
    number_is("decimal(9,2)", "1.5e3", "1500.00");
    number_is("decimal(9,2)", "-125e-2", "-1.25");
    number_is("decimal(9,2)", "0.00001E+5", "1.00");
    number_is("decimal(9,2)", "1.500000", "1.50");
    number_is("decimal(9,2)", "10.00", "10.00");
    number_is("decimal(9,2)", "-0", "0.00");
    number_is("decimal(9,2)", "0e99999999999999999999", "0.00");
    number_is("decimal(9,2)", "125e-3", NULL);
    number_is("decimal(9,2)", "1e7", NULL);
    number_is("decimal(9,2)", "1e-99999999999999999999", NULL);
    number_is("decimal(38,38)", "1e-38", "0.00000000000000000000000000000000000001");
    number_is("long", "-9223372036854775808", "-9223372036854775808");
    number_is("long", "9223372036854775808", NULL);
    number_is("long", "1.0", NULL);
    number_is("int", "2147483648", NULL);
    number_is("double", "9223372036854775808", "9.223372036854776e+18");
    number_is("double", "100000000000000000000000000000000000000000", "1e+41");
    number_is("float", "16777217", "16777216.0");
    number_is("float", "1e39", NULL);
    number_is("string", "12345678901234567890", NULL);
    number_is("boolean", "1", NULL);
}

TEST(single, has_the_bytes_of_appendix_d)
{
    frz_error e = {0};
    static const struct { const char *type, *text; const char *hex; } golden[] = {
        {"boolean", "true", "01"}, {"boolean", "false", "00"}, {"int", "-2", "feffffff"}, {"date", "1970-01-02", "01000000"}, {"long", "1", "0100000000000000"}, {"time", "00:00:00.000001", "0100000000000000"},
        {"timestamp", "1969-12-31T23:59:59.999999", "ffffffffffffffff"}, {"float", "1", "0000803f"}, {"double", "-0.0", "0000000000000080"}, {"string", "iceberg", "69636562657267"},
        {"uuid", "f79c3e09-677c-4bbd-a479-3f349cb785e7", "f79c3e09677c4bbda4793f349cb785e7"}, {"fixed[3]", "010203", "010203"}, {"binary", "", ""},
        {"decimal(9,2)", "14.20", "058c"}, {"decimal(9,2)", "0", "00"}, {"decimal(9,2)", "-0.01", "ff"}, {"decimal(9,2)", "1.27", "7f"}, {"decimal(9,2)", "1.28", "0080"}, {"decimal(9,2)", "-1.28", "80"},
        {"decimal(9,2)", "-1.29", "ff7f"}, {"decimal(38,0)", "99999999999999999999999999999999999999", "4b3b4ca85a86c47a098a223fffffffff"}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(golden); i++) {
        struct arena ar = ARENA_INIT(NULL);
        struct buf b = BUF_INIT(NULL, 0), hex = BUF_INIT(NULL, 0);
        frz_value v;
        OK(frz__value_parse(slice_str(golden[i].text), ty(golden[i].type), &ar, &v, &e), &e);
        OK(frz__value_to_single(&v, ty(golden[i].type), &b, &e), &e);
        frz_value bytes = value_bytes(FRZ_BINARY, buf_slice(&b));
        OK(frz__value_print(&bytes, ty("binary"), &hex, &e), &e);
        OK(buf_append_byte(&hex, 0, &e), &e);
        assert_string_equal((char *)hex.data, golden[i].hex);
        buf_clear(&b);
        buf_clear(&hex);
        frz__arena_clear(&ar);
    }
}

TEST(single, takes_the_widths_of_promoted_types_and_no_others)
{
    frz_error e = {0};
    frz_value v;
    OK(frz__value_from_single(slice_of("\xfe\xff\xff\xff", 4), ty("long"), &v, &e), &e);
    assert_int_equal(v.as.i64, -2);
    OK(frz__value_from_single(slice_of("\0\0\x80\x3f", 4), ty("double"), &v, &e), &e);
    assert_true(v.as.f64 == 1.0);
    OK(frz__value_from_single(slice_of("\xff\xff\xff\xff", 4), ty("timestamp"), &v, &e), &e);
    assert_true(v.as.i64 == -INT64_C(86400000000));
    FAILS(frz__value_from_single(slice_of("\0\0\0\x7f", 4), ty("timestamp_ns"), &v, &e), FRZ_CORRUPT, &e);
    OK(frz__value_from_single(slice_of("\xff\xff\xff\xfe", 4), ty("decimal(9,2)"), &v, &e), &e);
    assert_true(decimal_i128(v.as.dec) == -2);
    OK(frz__value_from_single(slice_of("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80", 20), ty("decimal(9,2)"), &v, &e), &e);
    assert_true(decimal_i128(v.as.dec) == 128);
    static const char *const types[] = {"boolean", "int", "long", "float", "double", "decimal(9,2)", "date", "time", "timestamptz", "uuid", "fixed[5]"};
    uint8_t bytes[40];
    memset(bytes, 0x11, sizeof bytes);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(types); i++)
        for (size_t n = 0; n <= sizeof bytes; n++) {
            frz_type t = ty(types[i]);
            bool fits = t.id == FRZ_DECIMAL ? n >= 1 && n <= 4 : n == frz__type_width(t) || (n == 4 && (t.id == FRZ_LONG || t.id == FRZ_DOUBLE));
            RC(frz__value_from_single(slice_of(bytes, n), t, &v, &e), fits ? FRZ_OK : FRZ_CORRUPT, &e);
        }
}

TEST(order, is_total_with_nan_above_all)
{
    const double ascending[] = {-INFINITY, -1, -0x1p-1074, 0, 0x1p-1074, 1, INFINITY, NAN};
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < 8; j++) {
            frz_value a = {FRZ_DOUBLE, 0, {0}}, b = a, fa = {FRZ_FLOAT, 0, {0}}, fb = fa;
            a.as.f64 = ascending[i];
            b.as.f64 = ascending[j];
            assert_int_equal(frz__value_cmp(&a, &b), (i > j) - (i < j));
            fa.as.f32 = (float)ascending[i] + (i == 2 ? -0x1p-149f : i == 4 ? 0x1p-149f : 0);
            fb.as.f32 = (float)ascending[j] + (j == 2 ? -0x1p-149f : j == 4 ? 0x1p-149f : 0);
            assert_int_equal(frz__value_cmp(&fa, &fb), (i > j) - (i < j));
        }
    frz_value z = {FRZ_DOUBLE, 0, {0}}, m = z, n = value_null();
    m.as.f64 = -0.0;
    assert_true(frz__value_eq(&z, &m));
    assert_true(frz__value_eq(&n, &n));
    assert_false(frz__value_eq(&z, &n));
}

static int convert(int32_t from, double number, const char *to, frz_value *out, frz_error *e)
{
    frz_value v = {from, 0, {0}};
    if (from == FRZ_INT) v.as.i32 = (int32_t)number;
    if (from == FRZ_LONG) v.as.i64 = (int64_t)number;
    if (from == FRZ_FLOAT) v.as.f32 = (float)number;
    if (from == FRZ_DOUBLE) v.as.f64 = number;
    return frz__value_convert(&v, ty(to), out, e);
}

TEST(convert, takes_the_stated_pairs_and_no_others)
{
    frz_error e = {0};
    frz_value v;
    OK(convert(FRZ_INT, 7, "long", &v, &e), &e);
    assert_true(v.type == FRZ_LONG && v.as.i64 == 7);
    OK(convert(FRZ_LONG, -7, "int", &v, &e), &e);
    assert_true(v.type == FRZ_INT && v.as.i32 == -7);
    FAILS(convert(FRZ_LONG, 2147483648.0, "int", &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "2147483648 is out of the range of int");
    OK(convert(FRZ_LONG, -99, "decimal(4,2)", &v, &e), &e);
    assert_true(decimal_i128(v.as.dec) == -9900);
    FAILS(convert(FRZ_LONG, 100, "decimal(4,2)", &v, &e), FRZ_INVALID, &e);
    FAILS(convert(FRZ_INT, 1, "decimal(4,4)", &v, &e), FRZ_INVALID, &e);
    OK(convert(FRZ_INT, 0, "decimal(4,4)", &v, &e), &e);
    OK(convert(FRZ_LONG, -9e18, "decimal(38,19)", &v, &e), &e);
    OK(convert(FRZ_DOUBLE, 0.1, "float", &v, &e), &e);
    assert_true(v.type == FRZ_FLOAT && v.as.f32 == 0.1f);
    OK(convert(FRZ_DOUBLE, 0x1.fffffefp127, "float", &v, &e), &e);
    assert_true(v.as.f32 == 0x1.fffffep127f);
    FAILS(convert(FRZ_DOUBLE, 0x1.ffffffp127, "float", &v, &e), FRZ_INVALID, &e);
    OK(convert(FRZ_DOUBLE, INFINITY, "float", &v, &e), &e);
    OK(convert(FRZ_FLOAT, 0.5, "double", &v, &e), &e);
    assert_true(v.type == FRZ_DOUBLE && v.as.f64 == 0.5);
    FAILS(convert(FRZ_INT, 1, "double", &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "expected double, found int");
    FAILS(convert(FRZ_DOUBLE, 1, "long", &v, &e), FRZ_INVALID, &e);
    FAILS(convert(FRZ_INT, 1, "date", &v, &e), FRZ_INVALID, &e);
    FAILS(convert(FRZ_LONG, 1, "timestamp", &v, &e), FRZ_INVALID, &e);
    frz_value x = value_i64(FRZ_TIME, 86400000000);
    FAILS(frz__value_convert(&x, ty("time"), &v, &e), FRZ_INVALID, &e);
    x = value_i64(FRZ_TIME, -1);
    FAILS(frz__value_convert(&x, ty("time"), &v, &e), FRZ_INVALID, &e);
    x = value_i64(FRZ_TIMESTAMP, 0);
    FAILS(frz__value_convert(&x, ty("timestamptz"), &v, &e), FRZ_INVALID, &e);
    x = value_bytes(FRZ_STRING, slice_of("a\xff", 2));
    FAILS(frz__value_convert(&x, ty("string"), &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "0xff at offset 1");
    x = value_bytes(FRZ_FIXED, slice_of("abc", 3));
    FAILS(frz__value_convert(&x, ty("fixed[4]"), &v, &e), FRZ_INVALID, &e);
    x = value_bytes(FRZ_BINARY, slice_of(NULL, 3));
    FAILS(frz__value_convert(&x, ty("binary"), &v, &e), FRZ_INVALID, &e);
    x = (frz_value){FRZ_DECIMAL, 0, {0}};
    x.as.dec = decimal_of((i128)u128_pow10(4));
    FAILS(frz__value_convert(&x, ty("decimal(4,2)"), &v, &e), FRZ_INVALID, &e);
    x = (frz_value){99, 0, {0}};
    FAILS(frz__value_convert(&x, ty("long"), &v, &e), FRZ_INVALID, &e);
}

TEST(decimal, rescales_exactly_or_not_at_all)
{
    frz_error e = {0};
    frz_decimal d;
    OK(frz__decimal_rescale(decimal_of(-125), 2, 4, &d, &e), &e);
    assert_true(decimal_i128(d) == -12500);
    OK(frz__decimal_rescale(decimal_of(-12500), 4, 2, &d, &e), &e);
    assert_true(decimal_i128(d) == -125);
    FAILS(frz__decimal_rescale(decimal_of(-12501), 4, 2, &d, &e), FRZ_INVALID, &e);
    FAILS(frz__decimal_rescale(decimal_of((i128)u128_pow10(37)), 0, 1, &d, &e), FRZ_INVALID, &e);
    OK(frz__decimal_rescale(decimal_of((i128)u128_pow10(37) - 1), 0, 1, &d, &e), &e);
    OK(frz__decimal_rescale(decimal_of(0), 0, 38, &d, &e), &e);
    assert_false(frz__decimal_fits((frz_decimal){0, INT64_MIN}, 38));
    assert_true(frz__decimal_cmp((frz_decimal){0, -1}, (frz_decimal){UINT64_MAX, -1}) < 0);
    assert_true(frz__decimal_cmp((frz_decimal){1, 0}, (frz_decimal){UINT64_MAX, -1}) > 0);
}

TEST(text, survives_noise_and_prints_what_it_takes_so_that_it_reads_back)
{
    frz_error e = {0};
    struct rng r = {test_seed(16)};
    static const char *const types[] = {"int", "long", "float", "double", "decimal(9,2)", "decimal(38,10)", "date", "time", "timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns", "uuid", "fixed[4]", "binary", "string", "boolean"};
    static const char alphabet[] = "0123456789999-:.+TZ eEaf";
    struct buf b = BUF_INIT(NULL, 0);
    size_t good = 0;
    for (int i = 0; i < 60000; i++) {
        struct arena ar = ARENA_INIT(NULL);
        frz_type t = ty(types[rng_below(&r, FRZ_ARRAY_LEN(types))]);
        frz_value v = gen_value(&r, t, &ar), w, x;
        buf_reset(&b);
        OK(frz__value_print(&v, t, &b, &e), &e);
        size_t n = rng_below(&r, 3) ? b.len : rng_below(&r, b.len + 1);
        uint8_t *copy = (uint8_t *)malloc(n ? n : 1);
        memcpy(copy, b.data, n);
        for (size_t k = rng_below(&r, 3); k > 0 && n; k--) copy[rng_below(&r, n)] = (uint8_t)alphabet[rng_below(&r, sizeof alphabet - 1)];
        int rc = frz__value_parse(slice_of(copy, n), t, &ar, &w, &e);
        assert_true(rc == FRZ_OK || rc == FRZ_INVALID);
        if (rc == FRZ_OK) {
            buf_reset(&b);
            OK(frz__value_print(&w, t, &b, &e), &e);
            OK(frz__value_parse(buf_slice(&b), t, &ar, &x, &e), &e);
            assert_true(frz__value_eq(&w, &x));
            good++;
        }
        free(copy);
        frz__arena_clear(&ar);
    }
    assert_true(good > 1000);
    buf_clear(&b);
}
