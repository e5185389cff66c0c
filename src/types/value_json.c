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
