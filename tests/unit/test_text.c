/* utf8, rand, clock, log: the small ones. */
#include "frz_test.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

TEST(utf8, takes_each_code_point_and_no_surrogate)
{
    uint8_t b[4];
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        if (cp == 0xD800) cp = 0xE000;
        size_t n = frz__utf8_encode(cp, b);
        uint32_t back = 0;
        if (frz__utf8_check(slice_of(b, n)) != n || frz__utf8_decode(b, b + n, &back) != n || back != cp) fail_msg("U+%04X", cp);
        for (size_t cut = 1; cut < n; cut++)
            if (frz__utf8_check(slice_of(b, cut)) != 0) fail_msg("U+%04X cut at %zu passes", cp, cut);
    }
}

TEST(utf8, takes_exactly_those_three_bytes_that_are_a_code_point)
{
    size_t good = 0;
    for (uint32_t v = 0x800000; v <= 0xFFFFFF; v++) {
        uint8_t b[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        good += b[0] >= 0xE0 && frz__utf8_check(slice_of(b, 3)) == 3;
    }
    assert_int_equal(good, 0x10000 - 0x800 - 0x800);
}

TEST(utf8, names_the_first_bad_byte)
{
    static const struct { const char *s; size_t len, bad; } cases[] = {
        {"", 0, 0}, {"a", 1, 1}, {"\x80", 1, 0}, {"abcdefgh\xC0\x80", 10, 8}, {"\xC1\xBF", 2, 0}, {"\xE0\x9F\xBF", 3, 0}, {"\xED\xA0\x80", 3, 0}, {"\xED\x9F\xBF", 3, 3},
        {"\xF0\x8F\xBF\xBF", 4, 0}, {"\xF4\x90\x80\x80", 4, 0}, {"\xF4\x8F\xBF\xBF", 4, 4}, {"\xF5\x80\x80\x80", 4, 0}, {"\xFF", 1, 0}, {"ab\xE2\x82", 4, 2}, {"\xE2\x82\xACz\xFE", 5, 4},
        {"0123456\xC3\xA9""01234567\xC3", 18, 17}, {"a\0b", 3, 3},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(cases); i++) {
        char *copy = malloc(cases[i].len + 1); /* the sanitizer sees what reads beyond */
        char *exact = realloc(copy, cases[i].len ? cases[i].len : 1);
        memcpy(exact, cases[i].s, cases[i].len);
        assert_int_equal(frz__utf8_check(slice_of(exact, cases[i].len)), cases[i].bad);
        free(exact);
    }
}

TEST(utf8, prefix_counts_code_points)
{
    slice s = slice_str("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z");
    size_t ends[] = {0, 1, 3, 6, 10, 11, 11, 11};
    for (size_t n = 0; n < FRZ_ARRAY_LEN(ends); n++) assert_int_equal(frz__utf8_prefix(s, n), ends[n]);
    assert_int_equal(frz__utf8_prefix(slice_of("", 0), 3), 0);
    assert_int_equal(frz__utf8_prefix(s, SIZE_MAX), 11);
}

TEST(rand, uuids_are_version_4_and_come_back_from_text)
{
    frz_error e;
    for (int i = 0; i < 100; i++) {
        uint8_t u[16], back[16];
        char text[37];
        OK(frz__random_uuid(u, &e), &e);
        frz__uuid_format(u, text);
        assert_int_equal(strlen(text), 36);
        assert_int_equal(text[14], '4');
        assert_non_null(strchr("89ab", text[19]));
        assert_true(frz__uuid_parse(text, 36, back));
        assert_memory_equal(u, back, 16);
    }
    uint8_t u[16];
    char text[37];
    assert_true(frz__uuid_parse("F79C3E09-677C-4BBD-A479-3F349CB785E7", 36, u));
    frz__uuid_format(u, text);
    assert_string_equal(text, "f79c3e09-677c-4bbd-a479-3f349cb785e7");
}

TEST(rand, refuses_what_is_no_uuid)
{
    const char *good = "f79c3e09-677c-4bbd-a479-3f349cb785e7";
    uint8_t u[16] = {1}, untouched[16] = {1};
    for (size_t i = 0; i < 36; i++) {
        char bad[37];
        memcpy(bad, good, 37);
        bad[i] = bad[i] == '-' ? '0' : 'g';
        assert_false(frz__uuid_parse(bad, 36, u));
        assert_false(frz__uuid_parse(good, i, u));
    }
    assert_false(frz__uuid_parse("f79c3e09-677c-4bbd-a479-3f349cb785e7 ", 37, u));
    assert_memory_equal(u, untouched, 16);
}

TEST(rand, gives_any_number_of_bytes)
{
    frz_error e;
    static uint8_t big[100000];
    OK(frz__random_bytes(big, sizeof big, &e), &e);
    size_t zeros = 0;
    for (size_t i = 0; i < sizeof big; i++) zeros += big[i] == 0;
    assert_in_range(zeros, 200, 700);
    OK(frz__random_bytes(big, 0, &e), &e);
}

TEST(clock, goes_on_and_can_be_pushed)
{
    int64_t a = frz__clock_mono_ns(), w = frz__clock_wall_us();
    assert_true(frz__clock_mono_ns() >= a);
    assert_true(w > 1600000000000000);
    frz__test_clock_advance_ns(3600LL * 1000000000);
    assert_true(frz__clock_mono_ns() - a >= 3600LL * 1000000000);
    assert_true(frz__clock_wall_us() - w >= 3599LL * 1000000);
}

struct seen { int calls, level; char text[2048]; };
static void see(void *ctx, int level, const char *message)
{
    struct seen *s = ctx;
    s->calls++;
    s->level = level;
    strcpy(s->text, message);
}

TEST(log, says_what_its_level_lets_through)
{
    struct seen s = {0};
    struct logger l = {see, &s, 0};
    frz__log(NULL, FRZ_LOG_ERROR, "nobody");
    frz__log(&(struct logger){0}, FRZ_LOG_ERROR, "nobody");
    frz__log(&l, FRZ_LOG_INFO, "not by default");
    assert_int_equal(s.calls, 0);
    frz__log(&l, FRZ_LOG_WARN, "%s %d", "x", 7);
    assert_int_equal(s.calls, 1);
    assert_string_equal(s.text, "x 7");
    l.level = FRZ_LOG_DEBUG;
    frz__log(&l, FRZ_LOG_DEBUG, "now");
    assert_int_equal(s.level, FRZ_LOG_DEBUG);
    l.level = FRZ_LOG_ERROR;
    frz__log(&l, FRZ_LOG_WARN, "no");
    assert_int_equal(s.calls, 2);
}

TEST(log, cuts_a_long_message_at_a_code_point)
{
    struct seen s = {0};
    struct logger l = {see, &s, 0};
    static const char *const chars[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < 4; c++)
        for (size_t lead = 0; lead < 4; lead++) {
            char text[1600] = "";
            for (size_t i = 0; i < lead; i++) strcat(text, "-");
            while (strlen(text) < 1500) strcat(text, chars[c]);
            frz__log(&l, FRZ_LOG_ERROR, "%s", text);
            assert_in_range(strlen(s.text), 1020, 1023);
            assert_int_equal(frz__utf8_check(slice_str(s.text)), strlen(s.text));
        }
}
