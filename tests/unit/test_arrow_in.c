/* Others' Arrow: every type and every conversion, slices, dictionaries, views; and structures that lie. */
#include "frz_test.h"

#include <stdlib.h>

#include "arrow_kit.h"

static frz_type ty(int32_t id) { return (frz_type){.id = id}; }
static frz_type dec(int32_t p, int32_t s) { return (frz_type){.id = FRZ_DECIMAL, .precision = p, .scale = s}; }

/* N values of FORMAT → WANT, printed with commas; or the error. */
static int convert(const char *format, const void *data, size_t n, frz_type want, char *text, frz_error *err)
{
    const void *buffers[] = {NULL, data};
    struct ArrowSchema f = kit_field("x", format);
    struct ArrowArray a = kit_array((int64_t)n, buffers, 2);
    struct vec v;
    struct buf out = BUF_INIT(NULL, 0);
    int rc = kit_read(&f, &a, want, 0, n, &v, err);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        frz_value x;
        frz__vec_get(&v, i, &x);
        if (i) rc = buf_append_byte(&out, ',', err);
        if (rc >= 0) rc = frz__value_print(&x, want, &out, err);
    }
    snprintf(text, 256, "%.*s", (int)out.len, out.data ? (char *)out.data : "");
    buf_clear(&out);
    frz__vec_clear(&v);
    return rc;
}
#define GIVES(format, type, want, text, ...)                                                                                               \
    do {                                                                                                                                   \
        type values_[] = {__VA_ARGS__};                                                                                                    \
        char got_[256];                                                                                                                    \
        OK(convert(format, values_, FRZ_ARRAY_LEN(values_), want, got_, &e), &e);                                                          \
        assert_string_equal(got_, text);                                                                                                   \
    } while (0)
#define REFUSES(format, type, want, text, ...)                                                                                             \
    do {                                                                                                                                   \
        type values_[] = {__VA_ARGS__};                                                                                                    \
        char got_[256];                                                                                                                    \
        FAILS(convert(format, values_, FRZ_ARRAY_LEN(values_), want, got_, &e), FRZ_INVALID, &e);                                          \
        MESSAGE_HAS(&e, text);                                                                                                             \
        MESSAGE_HAS(&e, "column \"x\"");                                                                                                   \
    } while (0)

TEST(arrow_in, integers_of_all_widths_become_int_long_and_decimal_where_they_fit)
{
    frz_error e = {0};
    GIVES("c", int8_t, ty(FRZ_INT), "-128,127", INT8_MIN, INT8_MAX);
    GIVES("C", uint8_t, ty(FRZ_INT), "0,255", 0, 255);
    GIVES("s", int16_t, ty(FRZ_LONG), "-32768,32767", INT16_MIN, INT16_MAX);
    GIVES("S", uint16_t, ty(FRZ_INT), "65535", UINT16_MAX);
    GIVES("i", int32_t, ty(FRZ_INT), "-2147483648,2147483647", INT32_MIN, INT32_MAX);
    GIVES("i", int32_t, ty(FRZ_LONG), "-2147483648,5", INT32_MIN, 5);
    GIVES("I", uint32_t, ty(FRZ_LONG), "4294967295", UINT32_MAX);
    GIVES("I", uint32_t, ty(FRZ_INT), "2147483647", INT32_MAX);
    REFUSES("I", uint32_t, ty(FRZ_INT), "row 1001: 2147483648 is out of the range of int", 1, 2147483648u);
    GIVES("l", int64_t, ty(FRZ_LONG), "-9223372036854775808,9223372036854775807", INT64_MIN, INT64_MAX);
    GIVES("l", int64_t, ty(FRZ_INT), "-2147483648", INT32_MIN);
    REFUSES("l", int64_t, ty(FRZ_INT), "row 1000: -2147483649", (int64_t)INT32_MIN - 1);
    GIVES("L", uint64_t, ty(FRZ_LONG), "9223372036854775807", INT64_MAX);
    REFUSES("L", uint64_t, ty(FRZ_LONG), "row 1002", 0, 1, (uint64_t)INT64_MAX + 1);
    GIVES("L", uint64_t, dec(20, 0), "18446744073709551615", UINT64_MAX);
    GIVES("i", int32_t, dec(9, 2), "-5.00,9999999.00", -5, 9999999);
    REFUSES("i", int32_t, dec(9, 2), "10000000 is out of the range of decimal(9, 2)", 10000000);
}

TEST(arrow_in, decimals_of_all_widths_rescale_exactly_or_not_at_all)
{
    frz_error e = {0};
    struct wide { uint64_t w[4]; };
    GIVES("d:9,2", frz_decimal, dec(9, 2), "1.23,-0.01", {123, 0}, {UINT64_MAX, -1});
    GIVES("d:9,2", frz_decimal, dec(12, 4), "1.2300", {123, 0});
    GIVES("d:9,4,128", frz_decimal, dec(9, 2), "1.20", {12000, 0});
    REFUSES("d:9,4", frz_decimal, dec(9, 2), "without loss", {12001, 0});
    REFUSES("d:38,0", frz_decimal, dec(9, 2), "out of the range", {0, 1});
    GIVES("d:9,2,32", int32_t, dec(9, 2), "-1.50", -150);
    GIVES("d:18,0,64", int64_t, dec(18, 0), "-15", -15);
    GIVES("d:9,2", frz_decimal, ty(FRZ_INT), "12", {1200, 0});
    GIVES("d:76,10,256", struct wide, dec(38, 10), "0.0000000001,-0.0000000001", {{1, 0, 0, 0}}, {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}});
    REFUSES("d:76,10,256", struct wide, dec(38, 10), "out of the range", {{0, 0, 1, 0}});
    REFUSES("d:76,10,256", struct wide, dec(38, 10), "out of the range", {{0, 0x8000000000000000u, 0, 0}}); /* the sign bit of the lower half only */
    REFUSES("d:38,0", frz_decimal, dec(38, 10), "out of the range", {0, INT64_C(1) << 60}); /* scaling would overflow */
    REFUSES("d:38,0", frz_decimal, dec(38, 38), "out of the range", {0, INT64_MIN});
}

TEST(arrow_in, dates_times_and_timestamps_change_units_exactly_or_not_at_all)
{
    frz_error e = {0};
    GIVES("tdD", int32_t, ty(FRZ_DATE), "1970-01-02,1969-12-31", 1, -1);
    GIVES("tdm", int64_t, ty(FRZ_DATE), "1970-01-02,1969-12-31", 86400000, -86400000);
    REFUSES("tdm", int64_t, ty(FRZ_DATE), "without loss", 86400001);
    GIVES("tts", int32_t, ty(FRZ_TIME), "23:59:59.000000", 86399);
    REFUSES("tts", int32_t, ty(FRZ_TIME), "out of the range of time", 86400);
    REFUSES("ttm", int32_t, ty(FRZ_TIME), "out of the range of time", -1);
    GIVES("ttm", int32_t, ty(FRZ_TIME), "00:00:00.001000", 1);
    GIVES("ttu", int64_t, ty(FRZ_TIME), "23:59:59.999999", INT64_C(86399999999));
    GIVES("ttn", int64_t, ty(FRZ_TIME), "00:00:00.000001", 1000);
    REFUSES("ttn", int64_t, ty(FRZ_TIME), "without loss", 1);
    GIVES("tss:", int64_t, ty(FRZ_TIMESTAMP), "1970-01-01T00:00:01.000000,1969-12-31T23:59:59.000000", 1, -1);
    GIVES("tsm:", int64_t, ty(FRZ_TIMESTAMP), "1970-01-01T00:00:00.001000", 1);
    GIVES("tsu:", int64_t, ty(FRZ_TIMESTAMP), "1970-01-01T00:00:00.000001", 1);
    GIVES("tsn:", int64_t, ty(FRZ_TIMESTAMP_NS), "1970-01-01T00:00:00.000000001", 1);
    GIVES("tsn:", int64_t, ty(FRZ_TIMESTAMP), "1970-01-01T00:00:00.000001", 1000);
    GIVES("tsu:", int64_t, ty(FRZ_TIMESTAMP_NS), "1970-01-01T00:00:00.000001000", 1);
    REFUSES("tsn:", int64_t, ty(FRZ_TIMESTAMP), "without loss", 999);
    REFUSES("tss:", int64_t, ty(FRZ_TIMESTAMP), "out of the range of timestamp", INT64_MAX / 1000000 + 1);
    REFUSES("tsu:", int64_t, ty(FRZ_TIMESTAMP_NS), "out of the range", INT64_MIN / 1000 - 1);
    GIVES("tsu:Europe/Paris", int64_t, ty(FRZ_TIMESTAMPTZ), "1970-01-01T00:00:00.000001+00:00", 1);
    REFUSES("tsu:UTC", int64_t, ty(FRZ_TIMESTAMP), "cannot become", 1); /* a moment is no wall clock */
    REFUSES("tsu:", int64_t, ty(FRZ_TIMESTAMPTZ), "cannot become", 1);
}

TEST(arrow_in, floats_narrow_only_where_nothing_is_lost)
{
    frz_error e = {0};
    GIVES("f", float, ty(FRZ_FLOAT), "1.5,NaN", 1.5f, NAN);
    GIVES("f", float, ty(FRZ_DOUBLE), "1.5,-Infinity", 1.5f, -INFINITY);
    GIVES("g", double, ty(FRZ_DOUBLE), "0.1", 0.1);
    GIVES("g", double, ty(FRZ_FLOAT), "0.5,NaN,Infinity", 0.5, NAN, INFINITY);
    REFUSES("g", double, ty(FRZ_FLOAT), "0.1 can't become float without loss", 0.1);
    REFUSES("g", double, ty(FRZ_FLOAT), "can't become float", 1e300);
    REFUSES("g", double, ty(FRZ_LONG), "cannot become", 1);
}

TEST(arrow_in, nulls_garbage_and_slices_are_honoured)
{
    frz_error e = {0};
    int32_t values[40];
    uint8_t valid[6];
    const void *buffers[] = {valid, values};
    struct ArrowSchema f = kit_field("x", "i");
    struct rng r = {test_seed(9)};
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < 40; i++) values[i] = (int32_t)rng_next(&r);
        for (size_t i = 0; i < 6; i++) valid[i] = (uint8_t)rng_next(&r);
        struct ArrowArray a = kit_array(40, buffers, 2);
        a.offset = (int64_t)rng_below(&r, 20);
        a.length = 40 - a.offset;
        size_t from = rng_below(&r, (uint64_t)a.length), count = rng_below(&r, (uint64_t)a.length - from + 1);
        struct vec v;
        frz_type want = ty(rng_below(&r, 2) ? FRZ_INT : FRZ_LONG);
        OK(kit_read(&f, &a, want, from, count, &v, &e), &e);
        for (size_t i = 0; i < count; i++) {
            size_t at = (size_t)a.offset + from + i;
            int64_t x = 0;
            memcpy(&x, v.data + i * frz__type_width(want), frz__type_width(want));
            assert_int_equal(vec_is_null(&v, i), !bit_get(valid, at));
            assert_true(want.id == FRZ_INT ? (int32_t)x == (bit_get(valid, at) ? values[at] : 0) : x == (bit_get(valid, at) ? values[at] : 0)); /* bytes of a null are zero */
        }
        frz__vec_clear(&v);
    }
}

TEST(arrow_in, a_struct_offset_shifts_all_children)
{
    frz_error e = {0};
    int64_t values[] = {1, 2, 3, 4, 5, 6};
    const void *buffers[] = {NULL, values};
    struct ArrowSchema f = kit_field("x", "l"), *fields[] = {&f}, schema = kit_struct(fields, 1);
    struct ArrowArray a = kit_array(5, buffers, 2), *columns[] = {&a}, batch = kit_batch(2, columns, 1);
    struct arrow_in *in;
    struct vec v;
    a.offset = 1;
    batch.offset = 3;
    frz__vec_init(&v, NULL, ty(FRZ_LONG));
    OK(frz__arrow_in_new(NULL, &schema, &in, &e), &e);
    OK(frz__arrow_in_check(in, &batch, &e), &e);
    OK(frz__arrow_in_rows(in, &batch, 0, 0, 2, 0, &v, &e), &e);
    assert_int_equal(((int64_t *)(void *)v.data)[0], 5);
    assert_int_equal(((int64_t *)(void *)v.data)[1], 6);
    batch.length = 3;
    FAILS(frz__arrow_in_check(in, &batch, &e), FRZ_INVALID, &e);
    uint8_t bits[] = {0xF7};
    const void *top[] = {bits};
    batch.length = 2;
    batch.buffers = top;
    batch.null_count = -1;
    FAILS(frz__arrow_in_check(in, &batch, &e), FRZ_INVALID, &e); /* a row that is null as a whole */
    bits[0] = 0x18;
    OK(frz__arrow_in_check(in, &batch, &e), &e);
    frz__vec_clear(&v);
    frz__arrow_in_free(in);
}

TEST(arrow_in, booleans_copy_bit_by_bit)
{
    frz_error e = {0};
    uint8_t bits[] = {0xA5, 0x3C, 0xFF, 0x01}, valid[] = {0xFF, 0x0F, 0xF0, 0xFF};
    const void *buffers[] = {valid, bits};
    struct ArrowSchema f = kit_field("x", "b");
    for (size_t from = 0; from < 32; from++)
        for (size_t count = 0; from + count <= 32; count++) {
            struct ArrowArray a = kit_array(32, buffers, 2);
            struct vec v;
            OK(kit_read(&f, &a, ty(FRZ_BOOLEAN), from, count, &v, &e), &e);
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(vec_is_null(&v, i), !bit_get(valid, from + i));
                assert_int_equal(bit_get(v.data, i), bit_get(valid, from + i) && bit_get(bits, from + i));
            }
            frz__vec_clear(&v);
        }
}

/* ── bytes ── */

static const char text[] = "iceé水wasser";
static const int32_t offsets32[] = {0, 3, 5, 5, 8, 14};
static const int64_t offsets64[] = {0, 3, 5, 5, 8, 14};

static void expect_strings(const struct vec *v, const char *const *want, size_t n)
{
    assert_int_equal(v->len, n);
    assert_int_equal(v->offsets[0], 0);
    for (size_t i = 0; i < n; i++) {
        if (!want[i]) {
            assert_true(vec_is_null(v, i));
            assert_int_equal(vec_bytes(v, i).len, 0);
            continue;
        }
        assert_int_equal(vec_bytes(v, i).len, strlen(want[i]));
        assert_memory_equal(vec_bytes(v, i).data, want[i], strlen(want[i]));
    }
}

TEST(arrow_in, strings_of_all_three_layouts_with_slices_and_nulls)
{
    frz_error e = {0};
    static const char *const all[] = {"ice", "é", "", "水", "wasser"}, *const holed[] = {"ice", NULL, "", "水", NULL};
    uint8_t valid[] = {0x0D}, views[5][16] = {{0}};
    static const char long_text[] = "a string of more than twelve bytes";
    int64_t sizes[] = {14, sizeof long_text - 1};
    for (size_t i = 0; i < 5; i++) {
        uint32_t len = (uint32_t)(offsets32[i + 1] - offsets32[i]);
        memcpy(views[i], &len, 4);
        memcpy(views[i] + 4, text + offsets32[i], len);
    }
    for (int layout = 0; layout < 6; layout++) {
        static const char *const formats[] = {"u", "U", "vu", "z", "Z", "vz"};
        const void *plain[] = {NULL, layout % 3 ? (const void *)offsets64 : offsets32, text};
        const void *view[] = {NULL, views, text, long_text, sizes};
        struct ArrowSchema f = kit_field("x", formats[layout]);
        struct ArrowArray a = layout % 3 == 2 ? kit_array(5, view, 5) : kit_array(5, plain, 3);
        frz_type want = ty(layout < 3 ? FRZ_STRING : FRZ_BINARY);
        struct vec v;
        OK(kit_read(&f, &a, want, 0, 5, &v, &e), &e);
        expect_strings(&v, all, 5);
        frz__vec_clear(&v);
        OK(kit_read(&f, &a, want, 1, 3, &v, &e), &e);
        expect_strings(&v, all + 1, 3);
        frz__vec_clear(&v);
        plain[0] = view[0] = valid;
        a.null_count = -1;
        OK(kit_read(&f, &a, ty(FRZ_BINARY), 0, 5, &v, &e), &e); /* strings too become bytes */
        expect_strings(&v, holed, 5);
        assert_int_equal(v.nulls, 2);
        frz__vec_clear(&v);
        if (layout >= 3) FAILS(kit_read(&f, &a, ty(FRZ_STRING), 0, 5, &v, &e), FRZ_INVALID, &e); /* bytes are no strings */
    }
    uint32_t far[] = {34, 0, 1, 0};
    const void *view[] = {NULL, far, text, long_text, sizes};
    struct ArrowSchema f = kit_field("x", "vu");
    struct ArrowArray a = kit_array(1, view, 5);
    struct vec v;
    OK(kit_read(&f, &a, ty(FRZ_STRING), 0, 1, &v, &e), &e);
    assert_memory_equal(vec_bytes(&v, 0).data, long_text, 34);
    frz__vec_clear(&v);
    static const uint32_t wrong[][3] = {{35, 1, 0}, {34, 1, 1}, {34, 2, 0}, {34, UINT32_MAX, 0}, {UINT32_MAX, 1, 0}, {34, 1, UINT32_MAX}, {INT32_MAX, 1, INT32_MAX}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(wrong); i++) {
        far[0] = wrong[i][0];
        far[2] = wrong[i][1];
        far[3] = wrong[i][2];
        FAILS(kit_read(&f, &a, ty(FRZ_STRING), 0, 1, &v, &e), FRZ_INVALID, &e);
        MESSAGE_HAS(&e, "row 1000");
        frz__vec_clear(&v);
    }
}

TEST(arrow_in, bad_utf8_is_found_in_its_row_also_where_rows_cut_a_character)
{
    frz_error e = {0};
    static const char joined[] = "a\xC3\xA9" "b"; /* valid as a whole, cut within é */
    static const int32_t cut[] = {0, 2, 4}, bad[] = {0, 1, 3};
    static const char broken[] = "a\xC3(";
    const void *buffers[] = {NULL, cut, joined};
    struct ArrowSchema f = kit_field("x", "u");
    struct ArrowArray a = kit_array(2, buffers, 3);
    struct vec v;
    FAILS(kit_read(&f, &a, ty(FRZ_STRING), 0, 2, &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "row 1000: expected a string of UTF-8, found byte 0xc3 at offset 1");
    frz__vec_clear(&v);
    OK(kit_read(&f, &a, ty(FRZ_BINARY), 0, 2, &v, &e), &e);
    frz__vec_clear(&v);
    buffers[1] = bad;
    buffers[2] = broken;
    FAILS(kit_read(&f, &a, ty(FRZ_STRING), 0, 2, &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "row 1001");
    frz__vec_clear(&v);
    uint8_t valid[] = {0x01}; /* behind a null it does not matter, and is dropped */
    buffers[0] = valid;
    a.null_count = 1;
    OK(kit_read(&f, &a, ty(FRZ_STRING), 0, 2, &v, &e), &e);
    assert_int_equal(vec_var_bytes(&v), 1);
    frz__vec_clear(&v);
}

TEST(arrow_in, offsets_that_fall_or_are_negative_are_refused)
{
    frz_error e = {0};
    struct vec v;
    static const int32_t wrong32[][3] = {{0, 3, 2}, {-1, 0, 1}, {0, -1, 5}, {5, 4, 4}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(wrong32); i++)
        for (int wide = 0; wide < 2; wide++) {
            int64_t wrong64[3] = {wrong32[i][0], wrong32[i][1], wrong32[i][2]};
            const void *buffers[] = {NULL, wide ? (const void *)wrong64 : wrong32[i], text};
            struct ArrowSchema f = kit_field("x", wide ? "U" : "u");
            struct ArrowArray a = kit_array(2, buffers, 3);
            FAILS(kit_read(&f, &a, ty(FRZ_STRING), 0, 2, &v, &e), FRZ_INVALID, &e);
            MESSAGE_HAS(&e, "offsets");
            frz__vec_clear(&v);
        }
    const void *no_bytes[] = {NULL, offsets32, NULL};
    struct ArrowSchema f = kit_field("x", "u");
    struct ArrowArray a = kit_array(5, no_bytes, 3);
    FAILS(kit_read(&f, &a, ty(FRZ_STRING), 0, 5, &v, &e), FRZ_INVALID, &e);
    frz__vec_clear(&v);
    OK(kit_read(&f, &a, ty(FRZ_STRING), 2, 1, &v, &e), &e); /* an empty string needs none */
    frz__vec_clear(&v);
    int64_t far[] = {0, (int64_t)INT32_MAX + 1};
    const void *huge[] = {NULL, far, text};
    f = kit_field("x", "Z");
    a = kit_array(1, huge, 3);
    FAILS(kit_read(&f, &a, ty(FRZ_BINARY), 0, 1, &v, &e), FRZ_TOO_LARGE, &e);
    frz__vec_clear(&v);
}

TEST(arrow_in, many_bytes_are_asked_for_in_fewer_rows)
{
    frz_error e = {0};
    size_t one = (ARROW_IN_BYTES_MAX >> 1) + 1;
    char *data = (char *)calloc(2, one);
    int32_t offsets[] = {0, (int32_t)one, (int32_t)(2 * one)};
    const void *buffers[] = {NULL, offsets, data};
    struct ArrowSchema f = kit_field("x", "z");
    struct ArrowArray a = kit_array(2, buffers, 3);
    struct vec v;
    FAILS(kit_read(&f, &a, ty(FRZ_BINARY), 0, 2, &v, &e), FRZ_TOO_LARGE, &e);
    frz__vec_clear(&v);
    OK(kit_read(&f, &a, ty(FRZ_BINARY), 1, 1, &v, &e), &e);
    frz__vec_clear(&v);
    free(data);
}

TEST(arrow_in, fixed_widths_become_fixed_uuid_and_binary)
{
    frz_error e = {0};
    uint8_t data[48];
    for (size_t i = 0; i < 48; i++) data[i] = (uint8_t)i;
    const void *buffers[] = {NULL, data};
    struct ArrowSchema f = kit_field("x", "w:16");
    struct ArrowArray a = kit_array(3, buffers, 2);
    struct vec v;
    frz_type wants[] = {ty(FRZ_UUID), {.id = FRZ_FIXED, .length = 16}, ty(FRZ_BINARY)};
    for (size_t i = 0; i < 3; i++) {
        OK(kit_read(&f, &a, wants[i], 1, 2, &v, &e), &e);
        assert_memory_equal(v.data, data + 16, 32);
        frz__vec_clear(&v);
    }
    FAILS(kit_read(&f, &a, (frz_type){.id = FRZ_FIXED, .length = 8}, 0, 1, &v, &e), FRZ_INVALID, &e);
    int32_t offsets[] = {0, 16, 31};
    const void *var[] = {NULL, offsets, data};
    f = kit_field("x", "z");
    a = kit_array(2, var, 3);
    OK(kit_read(&f, &a, ty(FRZ_UUID), 0, 1, &v, &e), &e);
    frz__vec_clear(&v);
    FAILS(kit_read(&f, &a, ty(FRZ_UUID), 0, 2, &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "row 1001: expected 16 bytes of uuid, found 15");
    frz__vec_clear(&v);
    const void *none[] = {NULL, NULL};
    f = kit_field("x", "w:0");
    a = kit_array(2, none, 2);
    OK(kit_read(&f, &a, ty(FRZ_BINARY), 0, 2, &v, &e), &e);
    assert_int_equal(vec_var_bytes(&v), 0);
    frz__vec_clear(&v);
}

/* ── dictionaries, nulls ── */

TEST(arrow_in, dictionaries_of_every_index_width_resolve_and_bad_indexes_are_refused)
{
    frz_error e = {0};
    static const char *const want[] = {"wasser", "ice", NULL, NULL, "é"};
    static const int64_t indexes[] = {4, 0, 3, 2, 1};
    uint8_t dict_valid[] = {0x17}, row_valid = 0x17; /* value 3, which row 2 has, is null; and row 3 is */
    static const char *const formats[] = {"c", "C", "s", "S", "i", "I", "l", "L"};
    for (int k = 0; k < 8; k++) {
        uint8_t raw[64] = {0};
        size_t width = (size_t)1 << (k / 2);
        for (size_t i = 0; i < 5; i++) memcpy(raw + (i + 1) * width, &indexes[i], width);
        uint8_t shifted[] = {(uint8_t)(row_valid << 1)};
        const void *index_buffers[] = {shifted, raw}, *dict_buffers[] = {dict_valid, offsets32, text};
        struct ArrowSchema dict_field = kit_field("", "u"), f = kit_field("x", formats[k]);
        f.dictionary = &dict_field;
        struct ArrowArray dict = kit_array(5, dict_buffers, 3), a = kit_array(5, index_buffers, 2);
        a.offset = 1;
        a.dictionary = &dict;
        struct vec v;
        OK(kit_read(&f, &a, ty(FRZ_STRING), 0, 5, &v, &e), &e);
        expect_strings(&v, want, 5);
        assert_int_equal(v.nulls, 2);
        frz__vec_clear(&v);
        memset(raw + width, k % 2 ? 5 : 0xFF, 1);
        if (k % 2 == 0) memset(raw + width, 0xFF, width);
        FAILS(kit_read(&f, &a, ty(FRZ_STRING), 0, 5, &v, &e), FRZ_INVALID, &e);
        MESSAGE_HAS(&e, k % 2 ? "dictionary index 5 of 5" : "negative dictionary index");
        frz__vec_clear(&v);
        OK(kit_read(&f, &a, ty(FRZ_STRING), 1, 4, &v, &e), &e);
        frz__vec_clear(&v);
        a.dictionary = NULL;
        FAILS(kit_read(&f, &a, ty(FRZ_STRING), 0, 5, &v, &e), FRZ_INVALID, &e);
    }
}

TEST(arrow_in, a_dictionary_value_that_no_row_uses_may_be_anything)
{
    frz_error e = {0};
    int64_t values[] = {1, INT64_MAX, 3};
    uint8_t index[] = {0, 2, 2};
    const void *index_buffers[] = {NULL, index}, *dict_buffers[] = {NULL, values};
    struct ArrowSchema dict_field = kit_field("", "l"), f = kit_field("x", "C");
    struct ArrowArray dict = kit_array(3, dict_buffers, 2), a = kit_array(3, index_buffers, 2);
    struct vec v;
    f.dictionary = &dict_field;
    a.dictionary = &dict;
    OK(kit_read(&f, &a, ty(FRZ_INT), 0, 3, &v, &e), &e);
    assert_int_equal(((int32_t *)(void *)v.data)[1], 3);
    frz__vec_clear(&v);
    index[1] = 1;
    FAILS(kit_read(&f, &a, ty(FRZ_INT), 0, 3, &v, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "row 1001");
    frz__vec_clear(&v);
}

TEST(arrow_in, the_null_type_fits_every_column)
{
    frz_error e = {0};
    struct ArrowSchema f = kit_field("x", "n");
    struct ArrowArray a = {.length = 3, .null_count = 3, .release = kit_release_array};
    for (int32_t id = FRZ_BOOLEAN; id <= FRZ_BINARY; id++) {
        frz_type t = id == FRZ_DECIMAL ? dec(9, 2) : id == FRZ_FIXED ? (frz_type){.id = FRZ_FIXED, .length = 3} : ty(id);
        struct vec v;
        OK(kit_read(&f, &a, t, 0, 3, &v, &e), &e);
        assert_int_equal(v.nulls, 3);
        frz__vec_clear(&v);
    }
}

/* ── what lies ── */

TEST(arrow_in, structures_that_lie_are_refused)
{
    frz_error e = {0};
    int64_t values[4] = {0};
    const void *buffers[] = {NULL, values}, *missing[] = {NULL, NULL};
    struct ArrowSchema f = kit_field("x", "l");
    struct ArrowArray good = kit_array(4, buffers, 2), a;
    struct vec v;
#define LIE(change)                                                                                                                        \
    do {                                                                                                                                   \
        a = good;                                                                                                                          \
        change;                                                                                                                            \
        FAILS(kit_read(&f, &a, ty(FRZ_LONG), 0, 4, &v, &e), FRZ_INVALID, &e);                                                              \
        MESSAGE_HAS(&e, "column \"x\"");                                                                                                   \
        frz__vec_clear(&v);                                                                                                                \
    } while (0)
    LIE(a.release = NULL);
    LIE(a.length = -1);
    LIE(a.length = 3);
    LIE(a.length = INT64_MAX);
    LIE(a.offset = -1);
    LIE(a.offset = INT64_MAX);
    LIE(a.null_count = -2);
    LIE(a.null_count = 5);
    LIE(a.null_count = 1); /* without validity */
    LIE(a.n_buffers = 1);
    LIE(a.n_buffers = 3);
    LIE(a.n_buffers = -1);
    LIE(a.buffers = NULL);
    LIE(a.buffers = missing);
    LIE(a.n_children = 1);
    LIE(a.dictionary = &good);
    FAILS(kit_read(&f, NULL, ty(FRZ_LONG), 0, 4, &v, &e), FRZ_INVALID, &e);
    f.format = "vu";
    LIE(a.n_buffers = 2);
    LIE(a.n_buffers = INT64_MAX);
    struct ArrowArray *columns[] = {&good}, batch = kit_batch(4, columns, 1);
    struct ArrowSchema *fields[] = {&f}, schema = kit_struct(fields, 1);
    struct arrow_in *in;
    f.format = "l";
    OK(frz__arrow_in_new(NULL, &schema, &in, &e), &e);
    struct ArrowArray b = batch;
#define LIE_BATCH(change)                                                                                                                  \
    do {                                                                                                                                   \
        b = batch;                                                                                                                         \
        change;                                                                                                                            \
        FAILS(frz__arrow_in_check(in, &b, &e), FRZ_INVALID, &e);                                                                           \
    } while (0)
    LIE_BATCH(b.release = NULL);
    LIE_BATCH(b.length = -1);
    LIE_BATCH(b.offset = -1);
    LIE_BATCH(b.offset = INT64_MAX);
    LIE_BATCH(b.offset = 1);
    LIE_BATCH(b.n_children = 2);
    LIE_BATCH(b.n_children = -1);
    LIE_BATCH(b.children = NULL);
    LIE_BATCH(b.null_count = 1);
    frz__arrow_in_free(in);
}

TEST(arrow_in, schemas_that_lie_or_have_no_counterpart_are_refused)
{
    frz_error e = {0};
    struct arrow_in *in;
    struct ArrowSchema f = kit_field("x", "l"), *fields[] = {&f, NULL}, schema = kit_struct(fields, 1), s;
#define LIE_SCHEMA(code, change)                                                                                                           \
    do {                                                                                                                                   \
        s = schema;                                                                                                                        \
        f = kit_field("x", "l");                                                                                                           \
        change;                                                                                                                            \
        FAILS(frz__arrow_in_new(NULL, &s, &in, &e), code, &e);                                                                             \
        assert_null(in);                                                                                                                   \
    } while (0)
    LIE_SCHEMA(FRZ_INVALID, s.release = NULL);
    LIE_SCHEMA(FRZ_INVALID, s.format = NULL);
    LIE_SCHEMA(FRZ_INVALID, s.format = "l");
    LIE_SCHEMA(FRZ_INVALID, s.n_children = -1);
    LIE_SCHEMA(FRZ_INVALID, s.n_children = 2);
    LIE_SCHEMA(FRZ_INVALID, s.children = NULL);
    LIE_SCHEMA(FRZ_TOO_LARGE, s.n_children = COLUMNS_MAX + 1);
    LIE_SCHEMA(FRZ_INVALID, f.format = NULL);
    LIE_SCHEMA(FRZ_INVALID, f.release = NULL);
    LIE_SCHEMA(FRZ_INVALID, f.n_children = -1);
    LIE_SCHEMA(FRZ_INVALID, f.metadata = "\xff\xff\xff\xff");
    LIE_SCHEMA(FRZ_INVALID, f.metadata = "\1\0\0\0\xff\xff\xff\xff");
    static const char *const none[] = {"", "e", "tDs", "tDn", "tiM", "tiD", "tin", "+l", "+L", "+s", "+m", "+w:3", "+ud:0,1", "+r", "w:", "w:x", "w:-1", "w:3x", "w:99999999999999999999", "d:", "d:5",
                                       "d:5,", "d:0,0", "d:77,0", "d:39,39,256", "d:5,-2", "d:5,2,16", "d:5,2,128x", "ts", "tsu", "tsx:", "ttx", "tdx", "t", "td", "tsuUTC", "lx", "vx", "v", "uu"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(none); i++) {
        LIE_SCHEMA(FRZ_UNSUPPORTED, f.format = none[i]);
        MESSAGE_HAS(&e, "column \"x\"");
    }
    struct ArrowSchema d = kit_field("", "u"), dd = kit_field("", "u");
    LIE_SCHEMA(FRZ_INVALID, (f.dictionary = &d, f.format = "u"));
    LIE_SCHEMA(FRZ_UNSUPPORTED, (f.dictionary = &d, f.format = "i", d.dictionary = &dd));
    LIE_SCHEMA(FRZ_INVALID, (f.dictionary = &d, f.format = "i", d.dictionary = NULL, d.format = NULL));
    FAILS(frz__arrow_in_new(NULL, NULL, &in, &e), FRZ_INVALID, &e);
}

TEST(arrow_in, every_failed_allocation_leaks_nothing)
{
    int64_t values[] = {1, 2, 3};
    uint8_t index[] = {2, 1, 0}, valid[] = {5};
    const void *index_buffers[] = {NULL, index}, *dict_buffers[] = {valid, values}, *string_buffers[] = {valid, offsets32, text};
    struct ArrowSchema dict_field = kit_field("", "l"), f = kit_field("x", "C"), g = kit_field("y", "u"), *fields[] = {&f, &g}, schema = kit_struct(fields, 2);
    struct ArrowArray dict = kit_array(3, dict_buffers, 2), a = kit_array(3, index_buffers, 2), b = kit_array(3, string_buffers, 3), *columns[] = {&a, &b}, batch = kit_batch(3, columns, 2);
    f.dictionary = &dict_field;
    a.dictionary = &dict;
    bool done = false;
    for (long n = 1; !done; n++) {
        struct test_alloc t;
        frz_error e = {0};
        struct arrow_in *in = NULL;
        struct vec x, y;
        test_alloc_init(&t, n);
        frz__vec_init(&x, &t.vt, ty(FRZ_LONG));
        frz__vec_init(&y, &t.vt, ty(FRZ_STRING));
        int rc = frz__arrow_in_new(&t.vt, &schema, &in, &e);
        if (rc >= 0) rc = frz__arrow_in_check(in, &batch, &e);
        if (rc >= 0) rc = frz__arrow_in_rows(in, &batch, 0, 0, 3, 0, &x, &e);
        if (rc >= 0) rc = frz__arrow_in_rows(in, &batch, 1, 0, 3, 0, &y, &e);
        if (rc >= 0) done = true;
        else assert_int_equal(rc, FRZ_NO_MEMORY);
        frz__arrow_in_free(in);
        frz__vec_clear(&x);
        frz__vec_clear(&y);
        assert_int_equal(t.live, 0);
    }
}
