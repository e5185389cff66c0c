/* The public frz_schema_*: argument checks and marshalling. */
#include "base/blob.h"
#include "base/sized.h"
#include "types/schema.h"

static int err_null(frz_error *err, const char *what) { return frz__err(err, FRZ_INVALID, "%s is NULL", what); }

int frz_schema_new(frz_schema **out, frz_error *err)
{
    if (!out) return err_null(err, "out");
    return frz__schema_new(NULL, out, err);
}

void frz_schema_free(frz_schema *s) { frz__schema_release(s); }

int frz_schema_add(frz_schema *s, const frz_column *column, frz_error *err)
{
    frz_column c = {0};
    if (!s) return err_null(err, "schema");
    if (!column) return err_null(err, "column");
    if (column->struct_size < offsetof(frz_column, doc)) return frz__err(err, FRZ_INVALID, "frz_column.struct_size is %u: begin with FRZ_INIT(frz_column)", column->struct_size);
    TRY(frz__sized_take(column, "frz_column", &c, sizeof c, err));
    return frz__schema_add(s, &c, err);
}

int frz_schema_set_key(frz_schema *s, const char *const *names, size_t count, frz_error *err)
{
    uint32_t *key = NULL;
    int rc = FRZ_OK;
    if (!s) return err_null(err, "schema");
    if (count && !names) return err_null(err, "names");
    if (count > s->count) return frz__err(err, FRZ_INVALID, "a key of %zu columns in a schema of %zu", count, s->count);
    key = (uint32_t *)frz__alloc_array(s->a, count, sizeof *key);
    if (!key) return frz__err_no_memory(err, count * sizeof *key);
    for (size_t i = 0; i < count; i++) {
        int64_t column = names[i] ? frz__schema_find(s, slice_str(names[i])) : -1;
        if (column < 0) {
            rc = frz__err(err, FRZ_INVALID, "key column %zu: no column is named \"%.*s\"", i, names[i] ? frz__name_shown(slice_str(names[i])) : 4, names[i] ? names[i] : "NULL");
            goto done;
        }
        key[i] = (uint32_t)column;
    }
    rc = frz__schema_set_key(s, key, count, err);
done:
    frz__free(s->a, key);
    return rc;
}

int frz_schema_parse(const char *text, const char *key, frz_schema **out, frz_error *err)
{
    if (!out) return err_null(err, "out");
    *out = NULL;
    if (!text) return err_null(err, "text");
    return frz__schema_parse_text(NULL, slice_str(text), slice_str(key ? key : ""), out, err);
}

int frz_schema_parse_json(const char *json, size_t len, frz_schema **out, frz_error *err)
{
    struct json *j = NULL;
    if (!out) return err_null(err, "out");
    *out = NULL;
    if (!json) return err_null(err, "json");
    TRY(frz__json_parse(slice_of(json, len), &j, err));
    int rc = frz__schema_from_json(NULL, j, out, err);
    frz__json_free(j);
    return rc;
}

size_t frz_schema_column_count(const frz_schema *s) { return s ? s->count : 0; }
size_t frz_schema_key_count(const frz_schema *s) { return s ? s->key_count : 0; }

int frz_schema_column(const frz_schema *s, size_t index, frz_column *out)
{
    if (!s || !out || frz__sized_check(out, "frz_column", NULL) < 0) return FRZ_INVALID;
    if (index >= s->count) return FRZ_NOT_FOUND;
    const struct column *c = &s->columns[index];
    frz_column x = {sizeof x, c->id, c->name, c->type, c->required, c->key_index, c->doc, c->initial, c->write};
    frz__sized_give(out, &x, sizeof x);
    return FRZ_OK;
}

int frz_schema_key(const frz_schema *s, size_t key_index, size_t *column_index)
{
    if (!s || !column_index) return FRZ_INVALID;
    if (key_index >= s->key_count) return FRZ_NOT_FOUND;
    *column_index = s->key[key_index];
    return FRZ_OK;
}

int frz_schema_find(const frz_schema *s, const char *name, size_t *index)
{
    if (!s || !name || !index) return FRZ_INVALID;
    int64_t i = frz__schema_find(s, slice_str(name));
    if (i < 0) return FRZ_NOT_FOUND;
    *index = (size_t)i;
    return FRZ_OK;
}

int frz_schema_to_text(const frz_schema *s, frz_blob **out, frz_error *err)
{
    if (!out) return err_null(err, "out");
    *out = NULL;
    if (!s) return err_null(err, "schema");
    struct buf b = BUF_INIT(s->a, 0);
    int rc;
    CHECK(frz__schema_to_text(s, &b, err));
    return frz__blob_take(&b, out, err);
done:
    buf_clear(&b);
    return rc;
}

int frz_schema_to_json(const frz_schema *s, frz_blob **out, frz_error *err)
{
    if (!out) return err_null(err, "out");
    *out = NULL;
    if (!s) return err_null(err, "schema");
    struct buf b = BUF_INIT(s->a, 0);
    struct jw w = JW_INIT(&b, err);
    int rc;
    frz__schema_to_json(s, &w);
    CHECK(frz__jw_end(&w));
    return frz__blob_take(&b, out, err);
done:
    buf_clear(&b);
    return rc;
}
