/* fuzz_value.c — a value of any type: byte 0 chooses it. What its text form is taken as prints, and prints the same when taken again; so JSON, and Iceberg's single-value bytes. */
#include "fuzz.h"

#include "types/value.h"

static const char *const types[] = {"boolean", "int",          "long",           "float",  "double", "decimal(9,2)", "decimal(38,38)", "decimal(38,0)", "date",     "time",
                                    "timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns", "string", "uuid",   "fixed(4)",      "binary",         "decimal(1,0)"};

static void forms(const frz_value *v, frz_type t)
{
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct buf one = BUF_INIT(NULL, 0), two = BUF_INIT(NULL, 0);
    frz_value again;
    FUZZ_CHECK(v->type == t.id);
    FUZZ_CHECK(frz__value_print(v, t, &one, &err) >= 0);
    int rc = frz__value_parse(buf_slice(&one), t, &ar, &again, &err);
    if (rc < 0) fprintf(stderr, "%s: %.*s\n", err.message, (int)one.len, (char *)one.data);
    FUZZ_CHECK(rc >= 0);
    FUZZ_CHECK(frz__value_eq(v, &again));
    FUZZ_CHECK(frz__value_print(&again, t, &two, &err) >= 0);
    FUZZ_CHECK(slice_eq(buf_slice(&one), buf_slice(&two)));
    buf_reset(&one);
    struct jw w = JW_INIT(&one, &err);
    struct json *j = NULL;
    frz__value_to_json(v, t, &w);
    FUZZ_CHECK(frz__jw_end(&w) >= 0);
    rc = frz__json_parse(buf_slice(&one), &j, &err);
    if (rc < 0) fprintf(stderr, "%s: %.*s\n", err.message, (int)one.len, (char *)one.data);
    FUZZ_CHECK(rc >= 0);
    FUZZ_CHECK(frz__value_from_json(j, t, &ar, &again, &err) >= 0);
    FUZZ_CHECK(frz__value_eq(v, &again));
    frz__json_free(j);
    buf_reset(&one);
    FUZZ_CHECK(frz__value_to_single(v, t, &one, &err) >= 0);
    FUZZ_CHECK(frz__value_from_single(buf_slice(&one), t, &again, &err) >= 0);
    FUZZ_CHECK(frz__value_eq(v, &again));
    frz__arena_clear(&ar);
    buf_clear(&one);
    buf_clear(&two);
}

static slice trimmed(slice s)
{
    while (s.len && memchr(" \t\r\n", s.data[0], 4)) s = slice_of(s.data + 1, s.len - 1);
    while (s.len && memchr(" \t\r\n", s.data[s.len - 1], 4)) s.len--;
    return s;
}

/* A row's or a key's JSON: as many texts as members, and a number's are what the value is made of. */
static void by_text(slice in, frz_type t)
{
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct json *j = NULL;
    size_t at = 0, n = 0, members = 0;
    frz_value v;
    int rc = frz__json_parse_wide(in, &j, &err);
    fuzz_check_error(rc, &err);
    if (rc >= 0 && frz__json_kind(j) == JK_REAL) {
        rc = frz__value_from_json_text(j, trimmed(in), t, &ar, &v, &err);
        fuzz_check_error(rc, &err);
        if (rc >= 0) forms(&v, t);
    }
    if (rc >= 0 && (frz__json_kind(j) == JK_OBJECT || frz__json_kind(j) == JK_ARRAY)) {
        for (void *it = frz__json_first(j); frz__json_kind(j) == JK_OBJECT && it; it = frz__json_next(j, it)) members++;
        if (frz__json_kind(j) == JK_ARRAY) members = frz__json_len(j);
        for (slice s; (s = frz__json_text_next(in, &at)).len; n++) {
            struct json *member = NULL;
            FUZZ_CHECK(frz__json_parse_wide(s, &member, &err) >= 0);
            frz__json_free(member);
        }
        FUZZ_CHECK(n == members);
    }
    frz__json_free(j);
    frz__arena_clear(&ar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct json *j = NULL;
    frz_type t;
    frz_value v;
    if (size < 1) return 0;
    FUZZ_CHECK(frz__type_parse(slice_str(types[data[0] % FRZ_ARRAY_LEN(types)]), &t, &err) >= 0);
    uint8_t *bytes = fuzz_copy(data + 1, size - 1);
    slice in = slice_of(bytes, size - 1);
    int rc = frz__value_parse(in, t, &ar, &v, &err);
    fuzz_check_error(rc, &err);
    if (rc >= 0) forms(&v, t);
    rc = frz__json_parse(in, &j, &err);
    fuzz_check_error(rc, &err);
    if (rc >= 0) {
        rc = frz__value_from_json(j, t, &ar, &v, &err);
        fuzz_check_error(rc, &err);
        if (rc >= 0 && v.type != FRZ_NULL) forms(&v, t);
    }
    frz__json_free(j);
    by_text(in, t);
    rc = frz__value_from_single(in, t, &v, &err);
    fuzz_check_error(rc, &err);
    frz_value good; /* bounds of others may be no value: a string cut inside a character, a time of more than a day */
    if (rc >= 0 && frz__value_convert(&v, t, &good, &err) >= 0) forms(&good, t);
    frz_type parsed;
    fuzz_check_error(frz__type_parse(in, &parsed, &err), &err);
    frz__arena_clear(&ar);
    free(bytes);
    return 0;
}
