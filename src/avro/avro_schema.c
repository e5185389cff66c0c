#include "avro/avro_int.h"

#include "base/utf8.h"

#define SCHEMA_BYTES_MAX ((size_t)16 << 20)
#define NAMES_MAX        4096

struct name {
    struct name *next;
    slice full;
    const struct avro_schema *schema;
};
struct parser {
    struct arena *ar;
    frz_error *err;
    struct name *names;
    size_t name_count;
    unsigned depth;
};

static const struct { const char *name; struct avro_schema schema; } primitives[] = {
    {"null", {.type = AT_NULL}},
    {"boolean", {.type = AT_BOOL, .bytes_min = 1}},
    {"int", {.type = AT_INT, .bytes_min = 1}},
    {"long", {.type = AT_LONG, .bytes_min = 1}},
    {"float", {.type = AT_FLOAT, .bytes_min = 4}},
    {"double", {.type = AT_DOUBLE, .bytes_min = 8}},
    {"bytes", {.type = AT_BYTES, .bytes_min = 1}},
    {"string", {.type = AT_STRING, .bytes_min = 1}},
};

static int parse(struct parser *p, const struct json *j, slice ns, const struct avro_schema **out);

static uint32_t add_sat(uint32_t a, uint32_t b) { return a > UINT32_MAX - b ? UINT32_MAX : a + b; }

static void *take(struct parser *p, size_t count, size_t bytes)
{
    void *m = arena_alloc(p->ar, count * bytes, 8); /* counts are of JSON's items: no overflow */
    if (m) memset(m, 0, count * bytes);
    return m;
}

/* ── names ── */

static int full_name(struct parser *p, slice name, slice ns, slice *out)
{
    if (ns.len == 0 || memchr(name.data, '.', name.len)) {
        *out = name;
        return FRZ_OK;
    }
    uint8_t *text = (uint8_t *)arena_alloc(p->ar, ns.len + 1 + name.len, 1);
    if (!text) return frz__err_no_memory(p->err, ns.len + 1 + name.len);
    memcpy(text, ns.data, ns.len);
    text[ns.len] = '.';
    memcpy(text + ns.len + 1, name.data, name.len);
    *out = slice_of(text, ns.len + 1 + name.len);
    return FRZ_OK;
}

static slice namespace_of(slice full)
{
    size_t n = full.len;
    while (n > 0 && full.data[n - 1] != '.') n--;
    return slice_of(full.data, n ? n - 1 : 0);
}

static const struct avro_schema *lookup(const struct parser *p, slice full)
{
    for (const struct name *n = p->names; n; n = n->next)
        if (slice_eq(n->full, full)) return n->schema;
    return NULL;
}

/* Before the fields are parsed: they may refer to it. */
static int define(struct parser *p, const struct json *j, slice ns, const struct avro_schema *s, slice *inner)
{
    slice name = frz__json_str(frz__json_get(j, "name")), full;
    const struct json *own = frz__json_get(j, "namespace");
    if (name.len == 0) return frz__err_corrupt(p->err, "a record, enum or fixed without a name");
    TRY(full_name(p, name, frz__json_kind(own) == JK_STRING ? frz__json_str(own) : ns, &full));
    if (lookup(p, full)) return frz__err_corrupt(p->err, "type \"%.*s\" is defined twice", (int)frz__utf8_prefix(full, 60), full.data);
    if (++p->name_count > NAMES_MAX) return frz__err(p->err, FRZ_TOO_LARGE, "more than %d named types", NAMES_MAX);
    struct name *n = (struct name *)take(p, 1, sizeof *n);
    if (!n) return frz__err_no_memory(p->err, sizeof *n);
    *n = (struct name){p->names, full, s};
    p->names = n;
    *inner = namespace_of(full);
    return FRZ_OK;
}

static int named(struct parser *p, slice name, slice ns, const struct avro_schema **out)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(primitives); i++)
        if (slice_eq(name, slice_str(primitives[i].name))) {
            *out = &primitives[i].schema;
            return FRZ_OK;
        }
    slice full = name;
    if (name.len) TRY(full_name(p, name, ns, &full));
    *out = lookup(p, full);
    if (!*out) *out = lookup(p, name);
    if (!*out) return frz__err_corrupt(p->err, "unknown type \"%.*s\"", (int)frz__utf8_prefix(name, 60), name.data);
    return FRZ_OK;
}

/* ── types ── */

static int children(struct parser *p, struct avro_schema *s, size_t count)
{
    s->of = (const struct avro_schema **)take(p, count, sizeof *s->of);
    if (!s->of) return frz__err_no_memory(p->err, count * sizeof *s->of);
    return FRZ_OK;
}

static int parse_field_id(struct parser *p, const struct json *field, int32_t *out)
{
    const struct json *id = frz__json_get(field, "field-id");
    *out = -1;
    if (!id) return FRZ_OK;
    if (frz__json_kind(id) != JK_INT || frz__json_int(id) < 0 || frz__json_int(id) > INT32_MAX)
        return frz__err_corrupt(p->err, "a field-id is no number from 0 to 2147483647");
    *out = (int32_t)frz__json_int(id);
    return FRZ_OK;
}

static int parse_record(struct parser *p, const struct json *j, slice ns, struct avro_schema *s)
{
    const struct json *fields = frz__json_get(j, "fields");
    if (frz__json_kind(fields) != JK_ARRAY) return frz__err_corrupt(p->err, "a record without fields");
    slice inner;
    size_t count = frz__json_len(fields);
    TRY(define(p, j, ns, s, &inner));
    TRY(children(p, s, count));
    s->field_ids = (int32_t *)take(p, count, sizeof *s->field_ids);
    if (!s->field_ids) return frz__err_no_memory(p->err, count * sizeof *s->field_ids);
    for (size_t i = 0; i < count; i++) {
        const struct json *f = frz__json_at(fields, i);
        TRY(parse_field_id(p, f, &s->field_ids[i]));
        TRY(parse(p, frz__json_get(f, "type"), inner, &s->of[i]));
    }
    s->count = (uint32_t)count; /* only now: what refers to it meanwhile sees no fields, and a minimum of 0 */
    for (size_t i = 0; i < count; i++) s->bytes_min = add_sat(s->bytes_min, s->of[i]->bytes_min);
    return FRZ_OK;
}

static int parse_object(struct parser *p, const struct json *j, slice ns, const struct avro_schema **out)
{
    const struct json *type = frz__json_get(j, "type");
    if (frz__json_kind(type) != JK_STRING) return parse(p, type, ns, out);
    slice name = frz__json_str(type), inner;
    struct avro_schema *s = (struct avro_schema *)take(p, 1, sizeof *s);
    if (!s) return frz__err_no_memory(p->err, sizeof *s);
    *out = s;
    if (slice_eq(name, slice_str("record")) || slice_eq(name, slice_str("error"))) {
        s->type = AT_RECORD;
        return parse_record(p, j, ns, s);
    }
    if (slice_eq(name, slice_str("array")) || slice_eq(name, slice_str("map"))) {
        s->type = name.data[0] == 'a' ? AT_ARRAY : AT_MAP;
        s->bytes_min = 1;
        s->count = 1;
        TRY(children(p, s, 1));
        return parse(p, frz__json_get(j, s->type == AT_ARRAY ? "items" : "values"), ns, &s->of[0]);
    }
    if (slice_eq(name, slice_str("fixed"))) {
        int64_t size = frz__json_int(frz__json_get(j, "size"));
        if (frz__json_kind(frz__json_get(j, "size")) != JK_INT || size < 0 || size > INT32_MAX) return frz__err_corrupt(p->err, "a fixed whose size is not a number from 0 to 2147483647");
        s->type = AT_FIXED;
        s->size = s->bytes_min = (uint32_t)size;
        return define(p, j, ns, s, &inner);
    }
    if (slice_eq(name, slice_str("enum"))) {
        const struct json *symbols = frz__json_get(j, "symbols");
        if (frz__json_kind(symbols) != JK_ARRAY) return frz__err_corrupt(p->err, "an enum without symbols");
        s->type = AT_ENUM;
        s->size = (uint32_t)frz__json_len(symbols);
        s->bytes_min = 1;
        return define(p, j, ns, s, &inner);
    }
    return named(p, name, ns, out);
}

static int parse_union(struct parser *p, const struct json *j, slice ns, const struct avro_schema **out)
{
    struct avro_schema *s = (struct avro_schema *)take(p, 1, sizeof *s);
    if (!s) return frz__err_no_memory(p->err, sizeof *s);
    size_t count = frz__json_len(j);
    if (count == 0) return frz__err_corrupt(p->err, "a union of nothing");
    s->type = AT_UNION;
    TRY(children(p, s, count));
    for (size_t i = 0; i < count; i++) TRY(parse(p, frz__json_at(j, i), ns, &s->of[i]));
    s->count = (uint32_t)count;
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < count; i++) least = s->of[i]->bytes_min < least ? s->of[i]->bytes_min : least;
    s->bytes_min = add_sat(1, least);
    *out = s;
    return FRZ_OK;
}

static int parse(struct parser *p, const struct json *j, slice ns, const struct avro_schema **out)
{
    if (++p->depth > AVRO_DEPTH_MAX) return frz__err_corrupt(p->err, "types nested more than %d deep", AVRO_DEPTH_MAX);
    int rc;
    switch (frz__json_kind(j)) {
    case JK_STRING: rc = named(p, frz__json_str(j), ns, out); break;
    case JK_OBJECT: rc = parse_object(p, j, ns, out); break;
    case JK_ARRAY: rc = parse_union(p, j, ns, out); break;
    default: rc = frz__err_corrupt(p->err, "a type is missing, or is neither string, object nor array");
    }
    p->depth--;
    return rc;
}

int frz__avro_schema_parse(struct arena *ar, slice json, const struct avro_schema **out, frz_error *err)
{
    frz_error why;
    struct json *root = NULL;
    if (json.len > SCHEMA_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "Avro schema of %zu bytes, at most %zu are read", json.len, SCHEMA_BYTES_MAX);
    if (frz__json_parse(json, &root, &why) < 0) return frz__err_corrupt(err, "Avro schema: %s", why.message);
    struct parser p = {.ar = ar, .err = err};
    int rc = parse(&p, root, slice_of("", 0), out);
    if (rc < 0) frz__err_context(err, "Avro schema");
    frz__json_free(root); /* names were copied or are no longer needed */
    return rc;
}
