#include "types/value.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "base/utf8.h"
#include "types/civil.h"
#include "types/int128.h"

/* ── what was found, in a message ── */

static int err_text(slice text, frz_type t, const char *expected, frz_error *err)
{
    char name[TYPE_TEXT_BYTES];
    size_t shown = frz__utf8_check(slice_of(text.data, text.len > 48 ? 48 : text.len));
    return frz__err(err, FRZ_INVALID, "\"%.*s\"%s is no %s: expected %s", (int)shown, shown ? (const char *)text.data : "", shown < text.len ? "…" : "", frz__type_text(t, name), expected);
}

/* ── numbers ── */

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static bool parse_i64(slice s, int64_t *out)
{
    const uint8_t *p = s.data, *end = s.data + s.len;
    bool negative = s.len && *p == '-';
    if (negative) p++;
    if (p == end) return false;
    uint64_t v = 0;
    for (; p < end; p++) {
        if (!is_digit(*p)) return false;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)) return false;
    }
    if (v > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? 0 - v : v);
    return true;
}

/* [-]digits[.digits], at most SCALE of them behind the point; < 0 errno-like: -1 no decimal, -2 too many behind the point, -3 out of range */
static int parse_decimal(slice s, frz_type t, frz_decimal *out)
{
    const uint8_t *p = s.data, *end = s.data + s.len;
    bool negative = s.len && *p == '-', point = false;
    if (negative) p++;
    u128 v = 0, limit = u128_pow10(t.precision), tenth = (limit - 1) / 10;
    int digits = 0, behind = 0;
    for (; p < end; p++) {
        if (*p == '.') {
            if (point || digits == 0 || p + 1 == end) return -1;
            point = true;
            continue;
        }
        if (!is_digit(*p)) return -1;
        if (point && ++behind > t.scale) return -2;
        digits = 1;
        if (v > tenth) return -3;
        v = v * 10 + (*p - '0');
        if (v >= limit) return -3;
    }
    if (!digits) return -1;
    if (v > (limit - 1) / u128_pow10(t.scale - behind)) return -3;
    v *= u128_pow10(t.scale - behind);
    *out = decimal_of(negative ? -(i128)v : (i128)v);
    return 0;
}

/* The host may have set a locale with another decimal point: newlocale("C") of all categories is glibc's static one, nothing to free. */
static locale_t c_locale(void) { return newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* [+-]digits[.digits][e[+-]digits] */
static bool is_number(slice s)
{
    const uint8_t *p = s.data, *end = s.data + s.len;
    int digits = 0;
    if (p < end && (*p == '-' || *p == '+')) p++;
    for (; p < end && is_digit(*p); p++) digits++;
    if (p < end && *p == '.') {
        p++;
        for (; p < end && is_digit(*p); p++) digits++;
    }
    if (!digits) return false;
    if (p == end) return true;
    if (*p != 'e' && *p != 'E') return false;
    p++;
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return false;
    for (; p < end; p++)
        if (!is_digit(*p)) return false;
    return true;
}

#define NUMBER_BYTES_MAX 1100 /* no double needs more digits */

static int parse_float(slice s, frz_type t, frz_value *out, frz_error *err)
{
    double special = slice_eq(s, slice_str("NaN")) ? (double)NAN : slice_eq(s, slice_str("Infinity")) ? (double)INFINITY : slice_eq(s, slice_str("-Infinity")) ? -(double)INFINITY : 0;
    if (special != 0) {
        if (t.id == FRZ_FLOAT) out->as.f32 = (float)special;
        else out->as.f64 = special;
        return FRZ_OK;
    }
    if (s.len > NUMBER_BYTES_MAX || !is_number(s)) return err_text(s, t, "a number, NaN, Infinity or -Infinity", err);
    char text[NUMBER_BYTES_MAX + 1];
    memcpy(text, s.data, s.len);
    text[s.len] = 0;
    bool finite;
    if (t.id == FRZ_FLOAT) {
        out->as.f32 = strtof_l(text, NULL, c_locale());
        finite = isfinite(out->as.f32);
    } else {
        out->as.f64 = strtod_l(text, NULL, c_locale());
        finite = isfinite(out->as.f64);
    }
    return finite ? FRZ_OK : err_text(s, t, "a number in its range", err);
}

static bool reads_back(const char *text, double v, bool single)
{
    return single ? strtof_l(text, NULL, c_locale()) == (float)v : strtod_l(text, NULL, c_locale()) == v;
}

/* "-d.ddde±XX" → digits with a point where the exponent is small, else "d.ddde±XX": 100.0, 0.001, 1e+20, 1.5e-07 */
static size_t lay_out(const char *e, char out[40])
{
    char digits[20] = {0};
    int n = 0, exponent = atoi(strchr(e, 'e') + 1);
    char *p = out;
    if (*e == '-') *p++ = *e++;
    for (; *e != 'e'; e++)
        if (is_digit((uint8_t)*e)) digits[n++] = *e;
    if (exponent < -4 || exponent > 15) {
        *p++ = digits[0];
        if (n > 1) *p++ = '.';
        for (int i = 1; i < n; i++) *p++ = digits[i];
        p += snprintf(p, 8, "e%+03d", exponent);
        return (size_t)(p - out);
    }
    int at = 0;
    if (exponent < 0) *p++ = '0';
    for (; at <= exponent; at++) *p++ = (char)(at < n ? digits[at] : '0');
    *p++ = '.';
    for (int i = exponent + 1; i < 0; i++) *p++ = '0';
    if (at >= n) *p++ = '0';
    for (; at < n; at++) *p++ = digits[at];
    return (size_t)(p - out);
}

/* The fewest digits that read back; V is finite. If n digits do, so do n + 1 (but for a rare power of two): bisect, beginning where most numbers are. */
static size_t print_finite(double v, bool single, char out[40])
{
    locale_t mine = uselocale(c_locale());
    int low = 1, high = single ? 9 : 17, digits = single ? 6 : 15;
    while (low < high) {
        snprintf(out, 40, "%.*g", digits, v);
        if (reads_back(out, v, single)) high = digits;
        else low = digits + 1;
        digits = (low + high) / 2;
    }
    char e[40];
    snprintf(e, sizeof e, "%.*e", low - 1, v);
    uselocale(mine);
    return lay_out(e, out);
}

static int print_float(double v, bool single, struct buf *out, frz_error *err)
{
    if (isnan(v)) return buf_append(out, "NaN", 3, err);
    if (isinf(v)) return buf_append_slice(out, slice_str(v > 0 ? "Infinity" : "-Infinity"), err);
    char text[40];
    size_t n = print_finite(v, single, text);
    return buf_append(out, text, n, err);
}

static int print_decimal(frz_decimal d, int scale, struct buf *out, frz_error *err)
{
    char text[48], *p = text + sizeof text;
    i128 v = decimal_i128(d);
    u128 abs = i128_abs(v);
    int digits = 0;
    do {
        if (digits == scale && scale > 0) *--p = '.';
        *--p = (char)('0' + (int)(abs % 10));
        abs /= 10;
        digits++;
    } while (abs || digits <= scale);
    if (v < 0) *--p = '-';
    return buf_append(out, p, (size_t)(text + sizeof text - p), err);
}

/* ── dates and times ── */

struct cursor { const uint8_t *p, *end; };

static bool take_char(struct cursor *c, char ch)
{
    if (c->p == c->end || *c->p != (uint8_t)ch) return false;
    c->p++;
    return true;
}

/* exactly two digits, at most MAX */
static bool take_two(struct cursor *c, int max, int *out)
{
    if (c->end - c->p < 2 || !is_digit(c->p[0]) || !is_digit(c->p[1])) return false;
    *out = (c->p[0] - '0') * 10 + (c->p[1] - '0');
    c->p += 2;
    return *out <= max;
}

/* [+-]YYYY-MM-DD; more than four digits of a year only behind a sign */
static bool take_date(struct cursor *c, int64_t *days)
{
    bool negative = take_char(c, '-'), sign = negative || take_char(c, '+');
    int64_t y = 0;
    int digits = 0, m, d;
    for (; c->p < c->end && is_digit(*c->p) && digits < 8; c->p++, digits++) y = y * 10 + (*c->p - '0');
    if (digits < 4 || digits > (sign ? 7 : 4)) return false;
    if (negative) y = -y;
    if (!take_char(c, '-') || !take_two(c, 12, &m) || m < 1) return false;
    if (!take_char(c, '-') || !take_two(c, 31, &d) || d < 1) return false;
    if (d > civil_month_days(y, m)) return false;
    *days = civil_to_days(y, m, d);
    return true;
}

/* HH:MM:SS[.f…], up to DIGITS of them, in units of 10^-DIGITS seconds */
static bool take_time(struct cursor *c, int digits, int64_t *units)
{
    int h, m, s, n = 0;
    if (!take_two(c, 23, &h) || !take_char(c, ':') || !take_two(c, 59, &m) || !take_char(c, ':') || !take_two(c, 59, &s)) return false;
    int64_t v = (int64_t)h * 3600 + (int64_t)m * 60 + s, fraction = 0;
    if (take_char(c, '.')) {
        for (; c->p < c->end && is_digit(*c->p); c->p++) {
            if (++n > digits) return false;
            fraction = fraction * 10 + (*c->p - '0');
        }
        if (n == 0) return false;
    }
    for (; n < digits; n++) fraction *= 10;
    for (; digits > 0; digits--) v *= 10;
    *units = v + fraction;
    return true;
}

/* Z or ±hh:mm, in minutes */
static bool take_offset(struct cursor *c, int *minutes)
{
    *minutes = 0;
    if (take_char(c, 'Z')) return true;
    int h, m, sign = take_char(c, '+') ? 1 : take_char(c, '-') ? -1 : 0;
    if (!sign || !take_two(c, 23, &h) || !take_char(c, ':') || !take_two(c, 59, &m)) return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

static bool is_ns(frz_type t) { return t.id == FRZ_TIMESTAMP_NS || t.id == FRZ_TIMESTAMPTZ_NS; }
static bool is_tz(frz_type t) { return t.id == FRZ_TIMESTAMPTZ || t.id == FRZ_TIMESTAMPTZ_NS; }

static int parse_timestamp(slice text, frz_type t, frz_value *out, frz_error *err)
{
    const char *expected = is_tz(t) ? (is_ns(t) ? "YYYY-MM-DDTHH:MM:SS[.nnnnnnnnn] and +hh:mm, -hh:mm or Z" : "YYYY-MM-DDTHH:MM:SS[.ffffff] and +hh:mm, -hh:mm or Z")
                                    : (is_ns(t) ? "YYYY-MM-DDTHH:MM:SS[.nnnnnnnnn] without an offset" : "YYYY-MM-DDTHH:MM:SS[.ffffff] without an offset");
    struct cursor c = {text.data, text.data + text.len};
    int64_t days, time, second = is_ns(t) ? 1000000000 : 1000000;
    int minutes = 0;
    if (!take_date(&c, &days) || !(take_char(&c, 'T') || take_char(&c, ' ')) || !take_time(&c, is_ns(t) ? 9 : 6, &time)) return err_text(text, t, expected, err);
    if (is_tz(t) && !take_offset(&c, &minutes)) return err_text(text, t, expected, err);
    if (c.p != c.end) return err_text(text, t, expected, err);
    i128 v = ((i128)days * 86400 - (i128)minutes * 60) * second + time;
    if (v < INT64_MIN || v > INT64_MAX) return err_text(text, t, "a point of time in its range", err);
    out->as.i64 = (int64_t)v;
    return FRZ_OK;
}

static size_t print_date_into(int64_t days, char *out, size_t cap)
{
    int64_t y;
    int m, d;
    civil_from_days(days, &y, &m, &d);
    const char *sign = y < 0 ? "-" : y > 9999 ? "+" : "";
    return (size_t)snprintf(out, cap, "%s%04" PRId64 "-%02d-%02d", sign, y < 0 ? -y : y, m, d);
}

static size_t print_time_into(int64_t units, int digits, char *out, size_t cap)
{
    int64_t second = digits == 9 ? 1000000000 : 1000000, s = units / second;
    return (size_t)snprintf(out, cap, "%02d:%02d:%02d.%0*" PRId64, (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60), digits, units % second);
}

static int print_timestamp(int64_t v, frz_type t, struct buf *out, frz_error *err)
{
    int64_t day = INT64_C(86400) * (is_ns(t) ? 1000000000 : 1000000), days = v / day, time = v % day;
    if (time < 0) {
        time += day;
        days--;
    }
    char text[80];
    size_t n = print_date_into(days, text, 40);
    text[n++] = 'T';
    n += print_time_into(time, is_ns(t) ? 9 : 6, text + n, 32);
    TRY(buf_append(out, text, n, err));
    return is_tz(t) ? buf_append(out, "+00:00", 6, err) : FRZ_OK;
}

/* ── bytes ── */

static int hex_digit(uint8_t c) { return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

static int parse_hex(slice s, frz_type t, struct arena *ar, frz_value *out, frz_error *err)
{
    size_t n = s.len / 2;
    if (s.len % 2) return err_text(s, t, "an even number of hexadecimal digits", err);
    if (t.id == FRZ_FIXED && n != (size_t)t.length) return frz__err(err, FRZ_INVALID, "expected %d bytes of fixed[%d], found %zu", (int)t.length, (int)t.length, n);
    uint8_t *bytes = (uint8_t *)arena_alloc(ar, n ? n : 1, 1);
    if (!bytes) return frz__err_no_memory(err, n);
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(s.data[2 * i]), lo = hex_digit(s.data[2 * i + 1]);
        if (hi < 0 || lo < 0) return err_text(s, t, "hexadecimal digits", err);
        bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    *out = value_bytes(t.id, slice_of(bytes, n));
    return FRZ_OK;
}

static int parse_uuid(slice s, frz_type t, struct arena *ar, frz_value *out, frz_error *err)
{
    uint8_t *bytes = (uint8_t *)arena_alloc(ar, 16, 1);
    if (!bytes) return frz__err_no_memory(err, 16);
    if (!s.len || !frz__uuid_parse((const char *)s.data, s.len, bytes)) return err_text(s, t, "8-4-4-4-12 hexadecimal digits", err);
    *out = value_bytes(FRZ_UUID, slice_of(bytes, 16));
    return FRZ_OK;
}

static int print_uuid(slice s, struct buf *out, frz_error *err)
{
    char text[37];
    frz__uuid_format(s.data, text);
    return buf_append(out, text, 36, err);
}

static int print_hex(slice s, struct buf *out, frz_error *err)
{
    static const char hex[] = "0123456789abcdef";
    TRY(buf_reserve(out, s.len * 2, err));
    for (size_t i = 0; i < s.len; i++) {
        out->data[out->len++] = (uint8_t)hex[s.data[i] >> 4];
        out->data[out->len++] = (uint8_t)hex[s.data[i] & 15];
    }
    return FRZ_OK;
}

/* ── the two doors ── */

int frz__value_parse(slice text, frz_type t, struct arena *ar, frz_value *out, frz_error *err)
{
    *out = (frz_value){t.id, 0, {0}};
    int64_t v;
    if (text.len == 0) text = slice_str(""); /* an empty slice may be NULL */
    struct cursor c = {text.data, text.data + text.len};
    switch (t.id) {
    case FRZ_BOOLEAN:
        if (slice_eq(text, slice_str("true"))) out->as.boolean = true;
        else if (!slice_eq(text, slice_str("false"))) return err_text(text, t, "true or false", err);
        return FRZ_OK;
    case FRZ_INT:
        if (!parse_i64(text, &v) || v < INT32_MIN || v > INT32_MAX) return err_text(text, t, "a whole number from -2147483648 to 2147483647", err);
        out->as.i32 = (int32_t)v;
        return FRZ_OK;
    case FRZ_LONG:
        if (!parse_i64(text, &v)) return err_text(text, t, "a whole number from -9223372036854775808 to 9223372036854775807", err);
        out->as.i64 = v;
        return FRZ_OK;
    case FRZ_FLOAT:
    case FRZ_DOUBLE: return parse_float(text, t, out, err);
    case FRZ_DECIMAL:
        switch (parse_decimal(text, t, &out->as.dec)) {
        case 0: return FRZ_OK;
        case -2: return err_text(text, t, "no more digits behind the point than its scale", err);
        case -3: return err_text(text, t, "no more digits than its precision", err);
        default: return err_text(text, t, "digits, with at most one point between them", err);
        }
    case FRZ_DATE:
        if (!take_date(&c, &v) || c.p != c.end || v < INT32_MIN || v > INT32_MAX) return err_text(text, t, "YYYY-MM-DD", err);
        out->as.i32 = (int32_t)v;
        return FRZ_OK;
    case FRZ_TIME:
        if (!take_time(&c, 6, &out->as.i64) || c.p != c.end) return err_text(text, t, "HH:MM:SS[.ffffff]", err);
        return FRZ_OK;
    case FRZ_TIMESTAMP:
    case FRZ_TIMESTAMPTZ:
    case FRZ_TIMESTAMP_NS:
    case FRZ_TIMESTAMPTZ_NS: return parse_timestamp(text, t, out, err);
    case FRZ_UUID: return parse_uuid(text, t, ar, out, err);
    case FRZ_FIXED:
    case FRZ_BINARY: return parse_hex(text, t, ar, out, err);
    default: {
        frz_value s = value_bytes(FRZ_STRING, text);
        return frz__value_convert(&s, t, out, err);
    }
    }
}

int frz__value_print(const frz_value *v, frz_type t, struct buf *out, frz_error *err)
{
    FRZ_ASSERT(v->type == t.id);
    char text[40];
    switch (t.id) {
    case FRZ_BOOLEAN: return buf_append_slice(out, slice_str(v->as.boolean ? "true" : "false"), err);
    case FRZ_INT: return buf_append(out, text, (size_t)snprintf(text, sizeof text, "%" PRId32, v->as.i32), err);
    case FRZ_LONG: return buf_append(out, text, (size_t)snprintf(text, sizeof text, "%" PRId64, v->as.i64), err);
    case FRZ_FLOAT: return print_float((double)v->as.f32, true, out, err);
    case FRZ_DOUBLE: return print_float(v->as.f64, false, out, err);
    case FRZ_DECIMAL: return print_decimal(v->as.dec, t.scale, out, err);
    case FRZ_DATE: return buf_append(out, text, print_date_into(v->as.i32, text, sizeof text), err);
    case FRZ_TIME: return buf_append(out, text, print_time_into(v->as.i64, 6, text, sizeof text), err);
    case FRZ_TIMESTAMP:
    case FRZ_TIMESTAMPTZ:
    case FRZ_TIMESTAMP_NS:
    case FRZ_TIMESTAMPTZ_NS: return print_timestamp(v->as.i64, t, out, err);
    case FRZ_UUID: return print_uuid(value_slice(v), out, err);
    case FRZ_FIXED:
    case FRZ_BINARY: return print_hex(value_slice(v), out, err);
    default: return buf_append_slice(out, value_slice(v), err);
    }
}
