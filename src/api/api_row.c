/* The public frz_row_* that need no database, and keys from text. */
#include "base/bits.h"
#include "base/blob.h"
#include "types/row.h"

static int err_null(frz_error *err, const char *what) { return frz__err(err, FRZ_INVALID, "%s is NULL", what); }

int frz_row_new_schema(const frz_schema *s, frz_row **out, frz_error *err)
{
    if (!out) return err_null(err, "out");
    *out = NULL;
    if (!s) return err_null(err, "schema");
    return frz__row_new(s->a, s, out, err);
}

void frz_row_clear(frz_row *r)
{
    if (r && !r->borrows) frz__row_clear(r);
}

void frz_row_free(frz_row *r)
{
    if (r && !r->borrows) frz__row_free(r);
}

size_t frz_row_column_count(const frz_row *r) { return r ? r->schema->count : 0; }

int frz_row_schema(const frz_row *r, frz_schema **out, frz_error *err)
{
    if (!out) return err_null(err, "out");
    *out = NULL;
    if (!r) return err_null(err, "row");
    *out = frz__schema_acquire(r->schema);
    return FRZ_OK;
}

int frz_row_find(const frz_row *r, const char *name, size_t *index)
{
    if (!r || !name || !index) return FRZ_INVALID;
    int64_t i = frz__schema_find(r->schema, slice_str(name));
    if (i < 0) return FRZ_NOT_FOUND;
    *index = (size_t)i;
    return FRZ_OK;
}

bool frz_row_owns(const frz_row *r) { return r && !r->borrows; }

static bool same_columns(const frz_schema *a, const frz_schema *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; a != b && same && i < a->count; i++)
        same = a->columns[i].name_len == b->columns[i].name_len && memcmp(a->columns[i].name, b->columns[i].name, a->columns[i].name_len) == 0 &&
               frz__type_eq(a->columns[i].type, b->columns[i].type) && a->columns[i].required == b->columns[i].required;
    return same;
}

/* ── set ── */

static int check_mine(const frz_row *r, frz_error *err)
{
    if (!r) return err_null(err, "row");
    return r->borrows ? frz__err(err, FRZ_MISUSE, "a cursor's row cannot be set") : FRZ_OK;
}

static int check_column(const frz_row *r, size_t column, frz_error *err)
{
    TRY(check_mine(r, err));
    if (column >= r->schema->count) return frz__err(err, FRZ_INVALID, "there is no column %zu: the row has %zu", column, r->schema->count);
    return FRZ_OK;
}

int frz_row_set(frz_row *r, size_t column, const frz_value *v, frz_error *err)
{
    TRY(check_mine(r, err));
    if (!v) return err_null(err, "value");
    return frz__row_set(r, column, v, true, err);
}

int frz_row_copy(frz_row *r, const frz_row *from, frz_error *err)
{
    TRY(check_mine(r, err));
    if (!from) return err_null(err, "from");
    if (r == from) return FRZ_OK;
    if (!same_columns(r->schema, from->schema)) return frz__err(err, FRZ_INVALID, "the rows are not of the same columns");
    frz__row_clear(r);
    for (size_t i = 0; i < from->schema->count; i++) {
        if (!bit_get(from->set, i)) continue;
        int rc = frz__row_set(r, i, &from->values[i], true, err);
        if (rc < 0) {
            frz__row_clear(r);
            return rc;
        }
    }
    return FRZ_OK;
}

int frz_row_set_null(frz_row *r, size_t column, frz_error *err)
{
    frz_value v = value_null();
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_boolean(frz_row *r, size_t column, bool x, frz_error *err)
{
    frz_value v = {FRZ_BOOLEAN, 0, {0}};
    v.as.boolean = x;
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_int(frz_row *r, size_t column, int32_t x, frz_error *err)
{
    frz_value v = value_i32(FRZ_INT, x);
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_long(frz_row *r, size_t column, int64_t x, frz_error *err)
{
    frz_value v = value_i64(FRZ_LONG, x);
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_float(frz_row *r, size_t column, float x, frz_error *err)
{
    frz_value v = {FRZ_FLOAT, 0, {0}};
    v.as.f32 = x;
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_double(frz_row *r, size_t column, double x, frz_error *err)
{
    frz_value v = {FRZ_DOUBLE, 0, {0}};
    v.as.f64 = x;
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_decimal(frz_row *r, size_t column, frz_decimal x, frz_error *err)
{
    frz_value v = {FRZ_DECIMAL, 0, {0}};
    v.as.dec = x;
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_date(frz_row *r, size_t column, int32_t days, frz_error *err)
{
    frz_value v = value_i32(FRZ_DATE, days);
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_time(frz_row *r, size_t column, int64_t us, frz_error *err)
{
    frz_value v = value_i64(FRZ_TIME, us);
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_timestamp(frz_row *r, size_t column, int64_t us_or_ns, frz_error *err)
{
    TRY(check_column(r, column, err));
    int32_t id = r->schema->columns[column].type.id;
    frz_value v = value_i64(id >= FRZ_TIMESTAMP && id <= FRZ_TIMESTAMPTZ_NS ? id : FRZ_TIMESTAMP, us_or_ns);
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_string(frz_row *r, size_t column, const char *s, size_t len, frz_error *err)
{
    frz_value v = value_bytes(FRZ_STRING, slice_of(s, len));
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_uuid(frz_row *r, size_t column, const uint8_t bytes[16], frz_error *err)
{
    frz_value v = value_bytes(FRZ_UUID, slice_of(bytes, 16));
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_bytes(frz_row *r, size_t column, const void *data, size_t len, frz_error *err)
{
    TRY(check_column(r, column, err));
    frz_value v = value_bytes(r->schema->columns[column].type.id == FRZ_FIXED ? FRZ_FIXED : FRZ_BINARY, slice_of(data, len));
    return frz_row_set(r, column, &v, err);
}

int frz_row_set_text(frz_row *r, size_t column, const char *text, size_t len, frz_error *err)
{
    frz_value v;
    TRY(check_column(r, column, err));
    if (!text && len) return err_null(err, "text");
    const struct column *c = &r->schema->columns[column];
    int rc = frz__column_context(c, frz__value_parse(slice_of(text ? text : "", len), c->type, &r->ar, &v, err), err);
    if (rc >= 0) rc = frz__row_set(r, column, &v, true, err);
    frz__arena_clear(&r->ar);
    return rc;
}

int frz_row_set_named(frz_row *r, const char *name, const frz_value *v, frz_error *err)
{
    TRY(check_mine(r, err));
    if (!name) return err_null(err, "name");
    int64_t i = frz__schema_find(r->schema, slice_str(name));
    if (i < 0) return frz__err(err, FRZ_INVALID, "there is no column \"%.*s\"", frz__name_shown(slice_str(name)), name);
    return frz_row_set(r, (size_t)i, v, err);
}

/* One field of the object, into PARSED[its column] and SEEN. */
static int parse_field(frz_row *r, const char *name, const struct json *value, slice text, frz_value *parsed, uint8_t *seen, frz_error *err)
{
    int64_t i = frz__schema_find(r->schema, slice_str(name));
    if (i < 0) return frz__err(err, FRZ_INVALID, "there is no column \"%.*s\"", frz__name_shown(slice_str(name)), name);
    const struct column *c = &r->schema->columns[i];
    TRY(frz__column_context(c, frz__value_from_json_text(value, text, c->type, &r->ar, &parsed[i], err), err));
    if (value_is_null(&parsed[i]) && c->required) return frz__err(err, FRZ_INVALID, COLUMN_FMT " is required: it cannot be null", COLUMN_ARG(c));
    bit_set(seen, (size_t)i);
    return FRZ_OK;
}

/* All is parsed before any is set: a bad field leaves the row as it was. */
int frz_row_set_json(frz_row *r, const char *json, size_t len, frz_error *err)
{
    struct json *j = NULL;
    int rc;
    TRY(check_mine(r, err));
    if (!json) return err_null(err, "json");
    size_t count = r->schema->count, at = 0;
    slice text = slice_of(json, len);
    CHECK(frz__json_parse_wide(text, &j, err));
    if (frz__json_kind(j) != JK_OBJECT) {
        rc = frz__err(err, FRZ_INVALID, "a row is a JSON object of column names");
        goto done;
    }
    frz_value *parsed = (frz_value *)arena_alloc(&r->ar, count * sizeof *parsed, 16);
    uint8_t *seen = (uint8_t *)arena_alloc(&r->ar, bits_bytes(count), 1);
    if (!parsed || !seen) {
        rc = frz__err_no_memory(err, count * sizeof *parsed);
        goto done;
    }
    memset(seen, 0, bits_bytes(count));
    for (void *it = frz__json_first(j); it; it = frz__json_next(j, it)) {
        slice value = frz__json_text_next(text, &at);
        CHECK(parse_field(r, frz__json_iter_key(it), frz__json_iter_value(it), value, parsed, seen, err));
    }
    for (size_t i = 0; i < count; i++)
        if (bit_get(seen, i)) CHECK(frz__row_set(r, i, &parsed[i], true, err));
done:
    frz__json_free(j);
    frz__arena_clear(&r->ar);
    return rc;
}

/* ── get ── */

int frz_row_get(const frz_row *r, size_t column, frz_value *out)
{
    if (!r || !out || column >= r->schema->count) return FRZ_INVALID;
    if (!bit_get(r->set, column)) {
        *out = value_null();
        return FRZ_NOT_FOUND;
    }
    *out = r->values[column];
    return FRZ_OK;
}

int frz_row_get_named(const frz_row *r, const char *name, frz_value *out)
{
    size_t i;
    int rc = frz_row_find(r, name, &i);
    if (rc != FRZ_OK) return rc;
    return frz_row_get(r, i, out);
}

/* NULL for what is unset, null or beyond the last column */
static const frz_value *value_at(const frz_row *r, size_t column)
{
    if (!r || column >= r->schema->count || !bit_get(r->set, column)) return NULL;
    const frz_value *v = &r->values[column];
    return value_is_null(v) ? NULL : v;
}

bool frz_row_is_null(const frz_row *r, size_t column) { return value_at(r, column) == NULL; }

bool frz_row_boolean(const frz_row *r, size_t column)
{
    const frz_value *v = value_at(r, column);
    return v && v->type == FRZ_BOOLEAN && v->as.boolean;
}

int32_t frz_row_int(const frz_row *r, size_t column)
{
    const frz_value *v = value_at(r, column);
    return v && (v->type == FRZ_INT || v->type == FRZ_DATE) ? v->as.i32 : 0;
}

int64_t frz_row_long(const frz_row *r, size_t column)
{
    const frz_value *v = value_at(r, column);
    if (!v) return 0;
    frz_type t = {.id = v->type};
    return type_is_i32(t) ? v->as.i32 : type_is_i64(t) ? v->as.i64 : 0;
}

double frz_row_double(const frz_row *r, size_t column)
{
    const frz_value *v = value_at(r, column);
    return !v ? 0 : v->type == FRZ_FLOAT ? (double)v->as.f32 : v->type == FRZ_DOUBLE ? v->as.f64 : 0;
}

frz_decimal frz_row_decimal(const frz_row *r, size_t column)
{
    const frz_value *v = value_at(r, column);
    return v && v->type == FRZ_DECIMAL ? v->as.dec : (frz_decimal){0, 0};
}

const char *frz_row_bytes(const frz_row *r, size_t column, size_t *len)
{
    const frz_value *v = value_at(r, column);
    bool bytes = v && v->type >= FRZ_STRING;
    if (len) *len = bytes ? v->as.bytes.len : 0;
    return bytes ? (const char *)v->as.bytes.data : NULL;
}

int frz_row_to_json(const frz_row *r, frz_blob **out, frz_error *err)
{
    if (!out) return err_null(err, "out");
    *out = NULL;
    if (!r) return err_null(err, "row");
    struct buf b = BUF_INIT(r->a, 0);
    struct jw w = JW_INIT(&b, err);
    int rc;
    frz__jw_object(&w);
    for (size_t i = 0; i < r->schema->count; i++) {
        if (!bit_get(r->set, i)) continue;
        frz__jw_key(&w, r->schema->columns[i].name);
        frz__value_to_json(&r->values[i], r->schema->columns[i].type, &w);
    }
    frz__jw_object_end(&w);
    CHECK(frz__jw_end(&w));
    return frz__blob_take(&b, out, err);
done:
    buf_clear(&b);
    return rc;
}

/* Null has no text: the blob is empty. */
int frz_row_to_text(const frz_row *r, size_t column, frz_blob **out, frz_error *err)
{
    if (!out) return err_null(err, "out");
    *out = NULL;
    if (!r) return err_null(err, "row");
    if (column >= r->schema->count) return frz__err(err, FRZ_INVALID, "there is no column %zu: the row has %zu", column, r->schema->count);
    if (!bit_get(r->set, column)) return frz__err(err, FRZ_NOT_FOUND, COLUMN_FMT " is not set", COLUMN_ARG(&r->schema->columns[column]));
    struct buf b = BUF_INIT(r->a, 0);
    int rc = FRZ_OK;
    if (!value_is_null(&r->values[column])) CHECK(frz__value_print(&r->values[column], r->schema->columns[column].type, &b, err));
    return frz__blob_take(&b, out, err);
done:
    buf_clear(&b);
    return rc;
}

/* ── keys from text ── */

static const struct column *key_column(const frz_schema *s, size_t i) { return &s->columns[s->key[i]]; }

static int too_many(const frz_schema *s, size_t found, frz_error *err)
{
    return frz__err(err, FRZ_INVALID, "a key of %zu columns, found %zu values: write them as JSON, [\"…\",\"…\"], where one holds a comma", s->key_count, found);
}

/* ["1","abc"]: a text is read as the column's type, anything else as JSON. */
static int key_from_json(const frz_schema *s, const struct json *j, slice text, struct arena *ar, frz_value *key, size_t *nkey, frz_error *err)
{
    size_t n = frz__json_len(j), at = 0;
    if (n == 0) return frz__err(err, FRZ_INVALID, "a key without values");
    if (n > s->key_count) return frz__err(err, FRZ_INVALID, "a key of %zu columns, found %zu values", s->key_count, n);
    for (size_t i = 0; i < n; i++) {
        const struct json *v = frz__json_at(j, i);
        const struct column *c = key_column(s, i);
        slice digits = frz__json_text_next(text, &at);
        int rc = frz__json_kind(v) == JK_STRING ? frz__value_parse(frz__json_str(v), c->type, ar, &key[i], err) : frz__value_from_json_text(v, digits, c->type, ar, &key[i], err);
        if (rc >= 0 && value_is_null(&key[i])) rc = frz__err(err, FRZ_INVALID, "a key is never null");
        if (rc < 0) return frz__column_context(c, rc, err);
    }
    *nkey = n;
    return FRZ_OK;
}

/* 1,abc: a key of one column takes all of the text, commas too */
static int key_from_text(const frz_schema *s, slice text, struct arena *ar, frz_value *key, size_t *nkey, frz_error *err)
{
    size_t n = 1;
    if (s->key_count > 1)
        for (size_t i = 0; i < text.len; i++) n += text.data[i] == ',';
    if (n > s->key_count) return too_many(s, n, err);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *comma = i + 1 < n ? (const uint8_t *)memchr(text.data, ',', text.len) : NULL;
        slice part = slice_of(text.data, comma ? (size_t)(comma - text.data) : text.len);
        TRY(frz__column_context(key_column(s, i), frz__value_parse(part, key_column(s, i)->type, ar, &key[i], err), err));
        if (comma) text = slice_of(comma + 1, text.len - part.len - 1);
    }
    *nkey = n;
    return FRZ_OK;
}

/* All bytes of KEY into one blob. */
static int own_key(const allocator *a, frz_value *key, size_t n, frz_blob **out, frz_error *err)
{
    struct buf b = BUF_INIT(a, 0);
    int rc;
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        if (key[i].type >= FRZ_STRING) CHECK(buf_append_slice(&b, value_slice(&key[i]), err));
    CHECK(frz__blob_take(&b, out, err));
    for (size_t i = 0; i < n; i++) {
        if (key[i].type < FRZ_STRING) continue;
        key[i].as.bytes.data = (*out)->data + at;
        at += key[i].as.bytes.len;
    }
    return FRZ_OK;
done:
    buf_clear(&b);
    return rc;
}

int frz_key_parse(const frz_schema *s, const char *text, size_t len, frz_value *key, size_t *nkey, frz_blob **scratch, frz_error *err)
{
    if (!scratch) return err_null(err, "scratch");
    *scratch = NULL;
    if (!s || !key || !nkey || !text) return err_null(err, !s ? "schema" : !key ? "key" : !nkey ? "nkey" : "text");
    *nkey = 0;
    if (s->key_count == 0) return frz__err(err, FRZ_INVALID, "the schema has no primary key");
    struct arena ar = ARENA_INIT(s->a);
    struct json *j = NULL;
    slice t = slice_of(text, len);
    int rc;
    if (len && text[0] == '[') {
        CHECK_CTX(frz__json_parse_wide(t, &j, err), err, "a key that begins with [ is a JSON array");
        CHECK(key_from_json(s, j, t, &ar, key, nkey, err));
    } else {
        CHECK(key_from_text(s, t, &ar, key, nkey, err));
    }
    rc = own_key(s->a, key, *nkey, scratch, err);
done:
    frz__json_free(j);
    frz__arena_clear(&ar);
    if (rc < 0) *nkey = 0;
    return rc;
}
