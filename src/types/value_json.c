/* Iceberg spec, Appendix D, "JSON single-value serialization": native booleans and numbers, all else the text form in quotes. */
#include "types/value.h"

#include <math.h>

static const char *kind_name(const struct json *j)
{
    switch (frz__json_kind(j)) {
    case JK_BOOL: return "a boolean";
    case JK_INT: return "an integer";
    case JK_REAL: return "a number";
    case JK_STRING: return "a string";
    case JK_ARRAY: return "an array";
    case JK_OBJECT: return "an object";
    default: return "null";
    }
}

static int err_kind(const struct json *j, frz_type t, const char *expected, frz_error *err)
{
    char text[TYPE_TEXT_BYTES];
    return frz__err(err, FRZ_INVALID, "expected %s for %s, found %s", expected, frz__type_text(t, text), kind_name(j));
}

static int double_from_json(const struct json *j, frz_type t, struct arena *ar, frz_value *out, frz_error *err)
{
    enum json_kind kind = frz__json_kind(j);
    if (kind == JK_STRING) {
        slice s = frz__json_str(j);
        if (s.len && (s.data[s.len - 1] == 'N' || s.data[s.len - 1] == 'y')) return frz__value_parse(s, t, ar, out, err); /* NaN, Infinity */
    }
    if (kind != JK_INT && kind != JK_REAL) return err_kind(j, t, "a number or \"NaN\", \"Infinity\" or \"-Infinity\"", err);
    frz_value v = {FRZ_DOUBLE, 0, {0}};
    v.as.f64 = frz__json_real(j);
    return frz__value_convert(&v, t, out, err);
}

/* A JSON number with a fraction arrives as a double; up to 15 digits it is what was written, beyond it may not be. */
static int decimal_from_real(const struct json *j, frz_type t, struct arena *ar, frz_value *out, frz_error *err)
{
    struct buf text = BUF_INIT(ar->a, 0);
    frz_value v = {FRZ_DOUBLE, 0, {0}};
    int rc = FRZ_OK;
    v.as.f64 = frz__json_real(j);
    CHECK(frz__value_print(&v, (frz_type){.id = FRZ_DOUBLE}, &text, err));
    slice s = buf_slice(&text);
    if (s.len > 2 && memcmp(s.data + s.len - 2, ".0", 2) == 0) s.len -= 2; /* 3.0: no fraction */
    size_t digits = 0;
    for (size_t i = 0; i < s.len; i++) digits += (s.data[i] > '0' || digits) && s.data[i] != '.';
    if (digits > 15 || memchr(s.data, 'e', s.len)) {
        rc = frz__err(err, FRZ_INVALID, "a number with an exponent or of more than 15 digits may not be what was written: put the decimal into quotes");
        goto done;
    }
    CHECK(frz__value_parse(s, t, ar, out, err));
done:
    buf_clear(&text);
    return rc;
}

int frz__value_from_json(const struct json *j, frz_type t, struct arena *ar, frz_value *out, frz_error *err)
{
    enum json_kind kind = frz__json_kind(j);
    frz_value v = {FRZ_LONG, 0, {0}};
    *out = value_null();
    if (kind == JK_NULL) return FRZ_OK;
    switch (t.id) {
    case FRZ_BOOLEAN:
        if (kind != JK_BOOL) return err_kind(j, t, "a boolean", err);
        out->type = FRZ_BOOLEAN;
        out->as.boolean = frz__json_bool(j);
        return FRZ_OK;
    case FRZ_INT:
    case FRZ_LONG:
        if (kind != JK_INT) return err_kind(j, t, "an integer", err);
        v.as.i64 = frz__json_int(j);
        return frz__value_convert(&v, t, out, err);
    case FRZ_FLOAT:
    case FRZ_DOUBLE: return double_from_json(j, t, ar, out, err);
    case FRZ_DECIMAL:
        if (kind == JK_REAL) return decimal_from_real(j, t, ar, out, err);
        if (kind == JK_INT) {
            v.as.i64 = frz__json_int(j);
            return frz__value_convert(&v, t, out, err);
        }
        break;
    default: break;
    }
    if (kind != JK_STRING) return err_kind(j, t, "a string", err);
    slice s = frz__json_str(j);
    TRY(frz__value_parse(s, t, ar, out, err));
    if (t.id == FRZ_STRING) { /* the document may go before the value */
        char *copy = frz__arena_strndup(ar, (const char *)s.data, s.len);
        if (!copy) return frz__err_no_memory(err, s.len);
        out->as.bytes.data = copy;
    }
    return FRZ_OK;
}

/* ── numbers of any size, from their text ── */

static bool is_whole(slice number)
{
    for (size_t i = 0; i < number.len; i++)
        if (number.data[i] == '.' || (number.data[i] | 32) == 'e') return false;
    return true;
}

#define DIGITS_MAX 128      /* of a decimal, its zeros too: far beyond 38 */
#define EXPONENT_MAX 100000

/* -12.50e3 → -12500: without exponent, and without zeros behind the last digit of a fraction. LEN of OUT, 0 = more digits than any decimal has. */
static size_t plain_decimal(slice number, char out[2 * DIGITS_MAX + 4])
{
    char digits[DIGITS_MAX];
    size_t n = 0, p = 0, len = 0;
    long point = 0, exponent = 0;
    bool negative = p < number.len && number.data[p] == '-', behind = false, down;
    for (p += negative; p < number.len && (number.data[p] | 32) != 'e'; p++) {
        if (number.data[p] == '.') {
            behind = true;
            continue;
        }
        if (n || number.data[p] != '0') {
            if (n == DIGITS_MAX) return 0;
            digits[n++] = (char)number.data[p];
        }
        point += behind ? (n ? 0 : -1) : n > 0;
    }
    if (p < number.len) p++;
    down = p < number.len && number.data[p] == '-';
    if (p < number.len && (down || number.data[p] == '+')) p++;
    for (; p < number.len && exponent < EXPONENT_MAX; p++) exponent = exponent * 10 + (number.data[p] - '0');
    point += down ? -exponent : exponent;
    while (n && digits[n - 1] == '0') n--;
    if (n == 0) {
        out[0] = '0';
        return 1;
    }
    if (point > DIGITS_MAX || point < -DIGITS_MAX) return 0;
    if (negative) out[len++] = '-';
    if (point <= 0) out[len++] = '0';
    for (long i = 0; i < point; i++) out[len++] = (char)(i < (long)n ? digits[i] : '0');
    if (point < (long)n) out[len++] = '.';
    for (long i = point; i < 0; i++) out[len++] = '0';
    for (long i = point > 0 ? point : 0; i < (long)n; i++) out[len++] = digits[i];
    return len;
}

static int decimal_from_text(slice number, frz_type t, struct arena *ar, frz_value *out, frz_error *err)
{
    char plain[2 * DIGITS_MAX + 4];
    size_t len = plain_decimal(number, plain);
    return frz__value_parse(len ? slice_of(plain, len) : number, t, ar, out, err); /* the number as it stands is refused: too many digits, or an exponent */
}

int frz__value_from_json_text(const struct json *j, slice number, frz_type t, struct arena *ar, frz_value *out, frz_error *err)
{
    if (frz__json_kind(j) != JK_REAL) return frz__value_from_json(j, t, ar, out, err);
    char text[TYPE_TEXT_BYTES];
    bool whole = is_whole(number);
    *out = value_null();
    switch (t.id) {
    case FRZ_INT:
    case FRZ_LONG:
        if (whole) return frz__value_parse(number, t, ar, out, err);
        return err_kind(j, t, "an integer", err);
    case FRZ_FLOAT:
    case FRZ_DOUBLE: return frz__value_parse(number, t, ar, out, err);
    case FRZ_DECIMAL: return decimal_from_text(number, t, ar, out, err);
    default: return frz__err(err, FRZ_INVALID, "expected %s for %s, found %s", t.id == FRZ_BOOLEAN ? "a boolean" : "a string", frz__type_text(t, text), whole ? "an integer" : "a number");
    }
}

void frz__value_to_json(const frz_value *v, frz_type t, struct jw *w)
{
    if (value_is_null(v)) {
        frz__jw_null(w);
        return;
    }
    if (t.id == FRZ_BOOLEAN) {
        frz__jw_bool(w, v->as.boolean);
    } else if (t.id == FRZ_INT) {
        frz__jw_int(w, v->as.i32);
    } else if (t.id == FRZ_LONG) {
        frz__jw_int(w, v->as.i64);
    } else if (t.id == FRZ_STRING) {
        frz__jw_str(w, value_slice(v));
    } else {
        bool bare = (t.id == FRZ_FLOAT && isfinite(v->as.f32)) || (t.id == FRZ_DOUBLE && isfinite(v->as.f64));
        struct buf text = BUF_INIT(w->out->a, 0);
        int rc = frz__value_print(v, t, &text, w->err);
        if (rc < 0 && w->rc >= 0) w->rc = rc;
        if (bare) frz__jw_raw(w, buf_slice(&text));
        else frz__jw_str(w, buf_slice(&text));
        buf_clear(&text);
    }
}
