/* The text form of a schema: `id long, name string?, price decimal(9,2)?, "a name" fixed(16)`. A column's name is bare, or in double quotes or backticks, which are doubled inside. */
#include "types/schema.h"

#include "base/utf8.h"

struct reader {
    const uint8_t *begin, *p, *end;
    struct buf name; /* the unquoted name */
};

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_bare(uint8_t c) { return !is_space(c) && c >= 0x20 && !strchr(",\"`()[]?'", c); }

static void skip_space(struct reader *r)
{
    while (r->p < r->end && is_space(*r->p)) r->p++;
}

static int err_here(const struct reader *r, const char *expected, frz_error *err)
{
    size_t left = (size_t)(r->end - r->p), n = frz__utf8_check(slice_of(r->p, left > 20 ? 20 : left));
    if (left == 0) return frz__err(err, FRZ_INVALID, "at position %zu: expected %s, found the end", (size_t)(r->p - r->begin), expected);
    return frz__err(err, FRZ_INVALID, "at position %zu: expected %s, found \"%.*s\"", (size_t)(r->p - r->begin), expected, (int)n, (const char *)r->p);
}

/* A name into r->name, NUL-terminated. */
static int take_name(struct reader *r, const char *expected, frz_error *err)
{
    buf_reset(&r->name);
    skip_space(r);
    if (r->p < r->end && (*r->p == '"' || *r->p == '`')) {
        const uint8_t *from = r->p;
        uint8_t quote = *r->p++;
        for (;; r->p++) {
            if (r->p == r->end) {
                r->p = from;
                return err_here(r, "the end of a quoted name", err);
            }
            if (*r->p == quote) {
                r->p++;
                if (r->p == r->end || *r->p != quote) break;
            }
            if (*r->p == 0) return err_here(r, "a name without zero bytes", err);
            TRY(buf_append_byte(&r->name, *r->p, err));
        }
    } else {
        const uint8_t *from = r->p;
        while (r->p < r->end && is_bare(*r->p)) r->p++;
        if (r->p == from) return err_here(r, expected, err);
        TRY(buf_append(&r->name, from, (size_t)(r->p - from), err));
    }
    TRY(buf_append_byte(&r->name, 0, err));
    r->name.len--;
    return FRZ_OK;
}

/* A type: letters, and what stands in parentheses behind them. */
static int take_type(struct reader *r, frz_type *t, frz_error *err)
{
    skip_space(r);
    const uint8_t *from = r->p;
    while (r->p < r->end && is_bare(*r->p)) r->p++;
    if (r->p == from) return err_here(r, "a type", err);
    const uint8_t *behind = r->p;
    skip_space(r);
    if (r->p < r->end && (*r->p == '(' || *r->p == '[')) {
        if (r->p != behind) return err_here(r, "no space before the type's arguments", err);
        while (r->p < r->end && *r->p != ')' && *r->p != ']') r->p++;
        if (r->p == r->end) return err_here(r, "a closing bracket of the type", err);
        behind = ++r->p;
    }
    return frz__type_parse(slice_of(from, (size_t)(behind - from)), t, err);
}

static int take_column(struct reader *r, frz_schema *s, frz_error *err)
{
    frz_column c = {.struct_size = sizeof c, .required = true};
    TRY(take_name(r, "the name of a column", err));
    c.name = (const char *)r->name.data;
    int rc = take_type(r, &c.type, err);
    if (rc < 0) {
        frz__err_context(err, "column \"%.*s\"", frz__name_shown(buf_slice(&r->name)), c.name);
        return rc;
    }
    skip_space(r);
    if (r->p < r->end && *r->p == '?') {
        c.required = false;
        r->p++;
        skip_space(r);
    }
    if (r->p < r->end && *r->p != ',') return err_here(r, "\",\", \"?\" or the end", err);
    return frz__schema_add(s, &c, err);
}

int frz__schema_parse_text(const allocator *a, slice text, slice key, frz_schema **out, frz_error *err)
{
    frz_schema *s = NULL;
    uint32_t *columns = NULL;
    size_t count = 0;
    struct reader r = {text.data, text.data, text.data + text.len, BUF_INIT(a, 0)};
    int rc;
    *out = NULL;
    CHECK(frz__schema_new(a, &s, err));
    for (;;) {
        CHECK(take_column(&r, s, err));
        if (r.p == r.end) break;
        r.p++; /* the comma */
    }
    if (key.len) {
        CHECK(frz__schema_parse_key(s, key, &columns, &count, err));
        CHECK(frz__schema_set_key(s, columns, count, err));
    }
    *out = s;
    s = NULL;
done:
    frz__free(a, columns);
    frz__schema_release(s);
    buf_clear(&r.name);
    return rc;
}

int frz__schema_parse_key(const frz_schema *s, slice text, uint32_t **key, size_t *count, frz_error *err)
{
    struct reader r = {text.data, text.data, text.data + text.len, BUF_INIT(s->a, 0)};
    void *columns = NULL;
    size_t n = 0, cap = 0;
    int rc;
    for (;;) {
        CHECK_CTX(take_name(&r, "the name of a key column", err), err, "key");
        int64_t column = frz__schema_find(s, buf_slice(&r.name));
        if (column < 0) {
            rc = frz__err(err, FRZ_INVALID, "key: no column is named \"%.*s\"", frz__name_shown(buf_slice(&r.name)), (const char *)r.name.data);
            goto done;
        }
        CHECK(frz__grow(s->a, &columns, n, &cap, sizeof(uint32_t), err));
        ((uint32_t *)columns)[n++] = (uint32_t)column;
        skip_space(&r);
        if (r.p == r.end) break;
        if (*r.p != ',') {
            rc = err_here(&r, "\",\" or the end", err);
            frz__err_context(err, "key");
            goto done;
        }
        r.p++;
    }
    *key = (uint32_t *)columns;
    *count = n;
    columns = NULL;
done:
    frz__free(s->a, columns);
    buf_clear(&r.name);
    return rc;
}

static int put_name(const struct column *c, struct buf *out, frz_error *err)
{
    bool bare = true;
    for (size_t i = 0; i < c->name_len; i++) bare = bare && is_bare((uint8_t)c->name[i]);
    if (bare) return buf_append(out, c->name, c->name_len, err);
    TRY(buf_append_byte(out, '"', err));
    for (size_t i = 0; i < c->name_len; i++) {
        if (c->name[i] == '"') TRY(buf_append_byte(out, '"', err));
        TRY(buf_append_byte(out, (uint8_t)c->name[i], err));
    }
    return buf_append_byte(out, '"', err);
}

int frz__schema_to_text(const frz_schema *s, struct buf *out, frz_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct column *c = &s->columns[i];
        char type[TYPE_TEXT_BYTES];
        if (i) TRY(buf_append(out, ", ", 2, err));
        TRY(put_name(c, out, err));
        TRY(buf_append_byte(out, ' ', err));
        if (c->type.id == FRZ_DECIMAL) TRY(frz__buf_printf(out, err, "decimal(%d,%d)", (int)c->type.precision, (int)c->type.scale));
        else TRY(buf_append_slice(out, slice_str(frz__type_text(c->type, type)), err));
        if (!c->required) TRY(buf_append_byte(out, '?', err));
    }
    return FRZ_OK;
}
