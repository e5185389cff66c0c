#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const json_t *jt(const struct json *v) { return (const json_t *)v; }
static const struct json *js(const json_t *v) { return (const struct json *)v; }
static json_t *jmut(const struct json *v) { return (json_t *)(uintptr_t)v; } /* jansson's iterators take no const */

static int parse(slice text, size_t flags, struct json **out, frz_error *err)
{
    json_error_t e;
    json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | flags, &e);
    *out = (struct json *)root;
    if (!root) return frz__err(err, FRZ_INVALID, "JSON, line %d column %d: %s", e.line, e.column, e.text);
    return FRZ_OK;
}

int frz__json_parse(slice text, struct json **out, frz_error *err) { return parse(text, 0, out, err); }
int frz__json_parse_wide(slice text, struct json **out, frz_error *err) { return parse(text, JSON_DECODE_INT_AS_REAL, out, err); }

static bool is_one_of(const char *set, uint8_t c) { return c && strchr(set, c); }

static size_t skip_blank(slice t, size_t p)
{
    while (p < t.len && is_one_of(" \t\r\n,:", t.data[p])) p++;
    return p;
}

/* Behind the value at P, of a text that is JSON. */
static size_t skip_value(slice t, size_t p)
{
    size_t depth = 0;
    do {
        uint8_t c = t.data[p++];
        if (c == '"') {
            for (; p < t.len && t.data[p] != '"'; p++) p += t.data[p] == '\\';
            p++;
        } else if (c == '{' || c == '[') depth++;
        else if (c == '}' || c == ']') depth--;
        else if (depth == 0)
            while (p < t.len && !is_one_of(" \t\r\n,}]", t.data[p])) p++;
    } while (depth && p < t.len);
    return p < t.len ? p : t.len;
}

slice frz__json_text_next(slice t, size_t *at)
{
    size_t begin = skip_blank(t, 0), p = skip_blank(t, *at ? *at : begin + 1);
    if (begin < t.len && t.data[begin] == '{' && p < t.len && t.data[p] == '"') p = skip_blank(t, skip_value(t, p)); /* its key */
    if (p >= t.len || t.data[p] == '}' || t.data[p] == ']') return slice_of("", 0);
    *at = skip_value(t, p);
    return slice_of(t.data + p, *at - p);
}

void frz__json_free(struct json *root) { json_decref((json_t *)root); }

enum json_kind frz__json_kind(const struct json *v)
{
    if (!v) return JK_NULL;
    switch (json_typeof(jt(v))) {
    case JSON_OBJECT: return JK_OBJECT;
    case JSON_ARRAY: return JK_ARRAY;
    case JSON_STRING: return JK_STRING;
    case JSON_INTEGER: return JK_INT;
    case JSON_REAL: return JK_REAL;
    case JSON_TRUE:
    case JSON_FALSE: return JK_BOOL;
    default: return JK_NULL;
    }
}

const struct json *frz__json_get(const struct json *object, const char *key) { return object ? js(json_object_get(jt(object), key)) : NULL; }
size_t frz__json_len(const struct json *array) { return array ? json_array_size(jt(array)) : 0; }
const struct json *frz__json_at(const struct json *array, size_t i) { return array ? js(json_array_get(jt(array), i)) : NULL; }

slice frz__json_str(const struct json *v)
{
    if (!v || !json_is_string(jt(v))) return slice_of("", 0);
    return slice_of(json_string_value(jt(v)), json_string_length(jt(v)));
}

int64_t frz__json_int(const struct json *v) { return v ? (int64_t)json_integer_value(jt(v)) : 0; }
double frz__json_real(const struct json *v) { return v ? json_number_value(jt(v)) : 0; }
bool frz__json_bool(const struct json *v) { return v && json_is_true(jt(v)); }

void *frz__json_first(const struct json *object) { return object ? json_object_iter(jmut(object)) : NULL; }
void *frz__json_next(const struct json *object, void *it) { return json_object_iter_next(jmut(object), it); }
const char *frz__json_iter_key(void *it) { return json_object_iter_key(it); }
const struct json *frz__json_iter_value(void *it) { return js(json_object_iter_value(it)); }

/* jansson goes on after a key that could not be written: the failure is kept here, else a text without that key would count. */
struct dump {
    struct buf *out;
    frz_error *err;
    int rc;
};
static int dump_into(const char *bytes, size_t len, void *ctx)
{
    struct dump *d = (struct dump *)ctx;
    if (d->rc >= 0) d->rc = buf_append(d->out, bytes, len, d->err);
    return d->rc < 0 ? -1 : 0;
}

int frz__json_dump(const struct json *v, struct buf *out, frz_error *err)
{
    struct dump d = {out, err, FRZ_OK};
    int failed = json_dump_callback(jt(v), dump_into, &d, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (d.rc < 0) return d.rc;
    return failed ? frz__err_no_memory(err, out->cap) : FRZ_OK;
}

static const char *const kind_names[] = {"null", "a boolean", "an integer", "a number", "a string", "an array", "an object"};

int frz__json_need(const struct json *o, const char *key, enum json_kind kind, const struct json **out, frz_error *err)
{
    const struct json *v = frz__json_get(o, key);
    if (!v) return frz__err(err, FRZ_INVALID, "key \"%s\" is missing, expected %s", key, kind_names[kind]);
    if (frz__json_kind(v) != kind) return frz__err(err, FRZ_INVALID, "key \"%s\": expected %s, found %s", key, kind_names[kind], kind_names[frz__json_kind(v)]);
    *out = v;
    return FRZ_OK;
}

int frz__json_need_int(const struct json *o, const char *key, int64_t *out, frz_error *err)
{
    const struct json *v = NULL;
    TRY(frz__json_need(o, key, JK_INT, &v, err));
    *out = frz__json_int(v);
    return FRZ_OK;
}

int frz__json_need_str(const struct json *o, const char *key, slice *out, frz_error *err)
{
    const struct json *v = NULL;
    TRY(frz__json_need(o, key, JK_STRING, &v, err));
    *out = frz__json_str(v);
    return FRZ_OK;
}

/* ── writer ── */

static void put(struct jw *w, const void *bytes, size_t len)
{
    if (w->rc >= 0) w->rc = buf_append(w->out, bytes, len, w->err);
}
static void before_value(struct jw *w)
{
    if (w->comma) put(w, ",", 1);
    w->comma = true;
}
static void open_with(struct jw *w, const char *c)
{
    before_value(w);
    put(w, c, 1);
    w->comma = false;
}
static void close_with(struct jw *w, const char *c)
{
    put(w, c, 1);
    w->comma = true;
}
void frz__jw_object(struct jw *w) { open_with(w, "{"); }
void frz__jw_object_end(struct jw *w) { close_with(w, "}"); }
void frz__jw_array(struct jw *w) { open_with(w, "["); }
void frz__jw_array_end(struct jw *w) { close_with(w, "]"); }

static void put_string(struct jw *w, slice s)
{
    static const char hex[] = "0123456789abcdef";
    put(w, "\"", 1);
    if (s.len == 0) s = slice_str("");
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        put(w, s.data + from, i - from);
        from = i + 1;
        const char *names = "\"\\\b\f\n\r\t", *codes = "\"\\bfnrt", *at = c ? strchr(names, c) : NULL;
        char esc[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (at) esc[1] = codes[at - names];
        put(w, esc, at ? 2 : 6);
    }
    put(w, s.data + from, s.len - from);
    put(w, "\"", 1);
}

void frz__jw_key(struct jw *w, const char *key)
{
    before_value(w);
    put_string(w, slice_str(key));
    put(w, ":", 1);
    w->comma = false;
}
void frz__jw_str(struct jw *w, slice s)
{
    before_value(w);
    put_string(w, s);
}
void frz__jw_cstr(struct jw *w, const char *s) { frz__jw_str(w, slice_str(s)); }
void frz__jw_int(struct jw *w, int64_t v)
{
    char text[24];
    before_value(w);
    put(w, text, (size_t)snprintf(text, sizeof text, "%" PRId64, v));
}
void frz__jw_real(struct jw *w, double v)
{
    if (isnan(v)) { frz__jw_cstr(w, "NaN"); return; }
    if (isinf(v)) { frz__jw_cstr(w, v > 0 ? "Infinity" : "-Infinity"); return; }
    char text[40];
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    for (char *p = text; *p; p++) /* the host's locale may have another decimal point */
        if (!strchr("0123456789+-eE", *p)) *p = '.';
    if (!strpbrk(text, ".e")) n += snprintf(text + n, sizeof text - (size_t)n, ".0");
    before_value(w);
    put(w, text, (size_t)n);
}
void frz__jw_bool(struct jw *w, bool v)
{
    before_value(w);
    put(w, v ? "true" : "false", v ? 4 : 5);
}
void frz__jw_null(struct jw *w)
{
    before_value(w);
    put(w, "null", 4);
}
void frz__jw_raw(struct jw *w, slice json)
{
    before_value(w);
    put(w, json.data, json.len);
}
int frz__jw_end(struct jw *w) { return w->rc; }
