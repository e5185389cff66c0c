#include "types/type.h"

#include <stdio.h>

static const char *const names[] = {"null", "boolean", "int", "long", "float", "double", "decimal", "date", "time", "timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns",
                                    "string", "uuid", "fixed", "binary"};
#define KNOWN "boolean, int, long, float, double, decimal(P,S), date, time, timestamp, timestamptz, timestamp_ns, timestamptz_ns, string, uuid, fixed[L], binary"

size_t frz__type_width(frz_type t)
{
    switch (t.id) {
    case FRZ_BOOLEAN: return 1;
    case FRZ_INT:
    case FRZ_DATE:
    case FRZ_FLOAT: return 4;
    case FRZ_LONG:
    case FRZ_DOUBLE:
    case FRZ_TIME:
    case FRZ_TIMESTAMP:
    case FRZ_TIMESTAMPTZ:
    case FRZ_TIMESTAMP_NS:
    case FRZ_TIMESTAMPTZ_NS: return 8;
    case FRZ_DECIMAL:
    case FRZ_UUID: return 16;
    case FRZ_FIXED: return (size_t)t.length;
    default: return 0;
    }
}

const char *frz__type_id_name(int32_t id) { return id >= 0 && (size_t)id < FRZ_ARRAY_LEN(names) ? names[id] : "an unknown type"; }

bool frz__type_eq(frz_type a, frz_type b)
{
    if (a.id != b.id) return false;
    if (a.id == FRZ_DECIMAL) return a.precision == b.precision && a.scale == b.scale;
    return a.id != FRZ_FIXED || a.length == b.length;
}

bool frz__type_key_ok(frz_type t) { return t.id != FRZ_FLOAT && t.id != FRZ_DOUBLE; }

int frz__type_format_min(frz_type t) { return t.id == FRZ_TIMESTAMP_NS || t.id == FRZ_TIMESTAMPTZ_NS ? 3 : 2; }

int frz__type_check(frz_type t, frz_error *err)
{
    if (t.id < FRZ_BOOLEAN || t.id > FRZ_BINARY) return frz__err(err, FRZ_INVALID, "type number %d is none of " KNOWN, (int)t.id);
    if (t.id == FRZ_DECIMAL) {
        if (t.precision < 1 || t.precision > DECIMAL_PRECISION_MAX) return frz__err(err, FRZ_INVALID, "decimal(%d,%d): precision must be 1 to 38", (int)t.precision, (int)t.scale);
        if (t.scale < 0 || t.scale > t.precision) return frz__err(err, FRZ_INVALID, "decimal(%d,%d): scale must be 0 to the precision", (int)t.precision, (int)t.scale);
    } else if (t.id == FRZ_FIXED && (t.length < 1 || t.length > FIXED_BYTES_MAX)) {
        return frz__err(err, FRZ_INVALID, "fixed[%d]: the length must be 1 to %d", (int)t.length, FIXED_BYTES_MAX);
    }
    return FRZ_OK;
}

/* digits, at most six of them, with spaces around */
static bool take_number(const uint8_t **p, const uint8_t *end, int32_t *out)
{
    const uint8_t *q = *p;
    int32_t v = 0, digits = 0;
    while (q < end && *q == ' ') q++;
    for (; q < end && *q >= '0' && *q <= '9'; q++) {
        if (++digits > 8) return false;
        v = v * 10 + (*q - '0');
    }
    while (q < end && *q == ' ') q++;
    *p = q;
    *out = v;
    return digits > 0;
}

/* "(P,S)" or "[L]" or "(L)" behind a name of its own */
static bool parse_arguments(slice rest, frz_type *t)
{
    const uint8_t *p = rest.data, *end = rest.data + rest.len;
    if (p == end || (*p != '(' && *p != '[')) return false;
    uint8_t close = *p == '(' ? ')' : ']';
    if (t->id == FRZ_DECIMAL && close != ')') return false;
    p++;
    if (!take_number(&p, end, t->id == FRZ_DECIMAL ? &t->precision : &t->length)) return false;
    if (t->id == FRZ_DECIMAL) {
        if (p == end || *p++ != ',') return false;
        if (!take_number(&p, end, &t->scale)) return false;
    }
    return p + 1 == end && *p == close;
}

/* Iceberg's types that frazil does not have */
static bool is_foreign(slice text)
{
    static const char *const foreign[] = {"unknown", "variant", "geometry", "geography", "struct", "list", "map"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(foreign); i++) {
        slice f = slice_str(foreign[i]);
        if (slice_has_prefix(text, f) && (text.len == f.len || text.data[f.len] == '(' || text.data[f.len] == '<')) return true;
    }
    return false;
}

int frz__type_parse(slice text, frz_type *out, frz_error *err)
{
    int shown = text.len > 60 ? 60 : (int)text.len;
    for (int32_t id = FRZ_BOOLEAN; id <= FRZ_BINARY; id++) {
        slice name = slice_str(names[id]);
        if (!slice_has_prefix(text, name)) continue;
        slice rest = slice_of(text.data + name.len, text.len - name.len);
        frz_type t = {.id = id};
        if (id == FRZ_DECIMAL || id == FRZ_FIXED ? !parse_arguments(rest, &t) : rest.len != 0) continue;
        TRY(frz__type_check(t, err));
        *out = t;
        return FRZ_OK;
    }
    if (is_foreign(text)) return frz__err(err, FRZ_UNSUPPORTED, "type \"%.*s\" is not supported; the types are " KNOWN, shown, text.len ? (const char *)text.data : "");
    return frz__err(err, FRZ_INVALID, "type \"%.*s\" is none of " KNOWN, shown, text.len ? (const char *)text.data : "");
}

const char *frz__type_text(frz_type t, char out[TYPE_TEXT_BYTES])
{
    if (t.id == FRZ_DECIMAL) snprintf(out, TYPE_TEXT_BYTES, "decimal(%d, %d)", (int)t.precision, (int)t.scale);
    else if (t.id == FRZ_FIXED) snprintf(out, TYPE_TEXT_BYTES, "fixed[%d]", (int)t.length);
    else snprintf(out, TYPE_TEXT_BYTES, "%s", frz__type_id_name(t.id));
    return out;
}

int frz__type_print(frz_type t, struct buf *out, frz_error *err)
{
    char text[TYPE_TEXT_BYTES];
    return buf_append_slice(out, slice_str(frz__type_text(t, text)), err);
}

bool frz__type_promotes(frz_type from, frz_type to)
{
    if (frz__type_eq(from, to)) return true;
    if (from.id == FRZ_INT) return to.id == FRZ_LONG;
    if (from.id == FRZ_FLOAT) return to.id == FRZ_DOUBLE;
    return from.id == FRZ_DECIMAL && to.id == FRZ_DECIMAL && from.scale == to.scale && to.precision >= from.precision;
}
