/* Iceberg spec, Appendix C, "Schemas". */
#include "types/schema.h"

static int column_type(const struct json *field, slice name, frz_type *t, frz_error *err)
{
    const struct json *type = frz__json_get(field, "type");
    int n = frz__name_shown(name);
    if (frz__json_kind(type) == JK_OBJECT)
        return frz__err(err, FRZ_UNSUPPORTED, "column \"%.*s\" is of the nested type %s: frazil's columns are flat", n, (const char *)name.data, (const char *)frz__json_str(frz__json_get(type, "type")).data);
    slice text = frz__json_str(type);
    if (frz__json_kind(type) != JK_STRING) return frz__err(err, FRZ_INVALID, "column \"%.*s\": key \"type\": expected a string or an object", n, (const char *)name.data);
    int rc = frz__type_parse(text, t, err);
    if (rc < 0) frz__err_context(err, "column \"%.*s\"", n, (const char *)name.data);
    if (rc != FRZ_INVALID) return rc;
    /* a decimal(99, 0) is wrong in any version; a name that we do not know may be a type of a later one */
    bool known = slice_has_prefix(text, slice_str("decimal")) || slice_has_prefix(text, slice_str("fixed"));
    if (!known && err) err->code = FRZ_UNSUPPORTED;
    return known ? FRZ_INVALID : FRZ_UNSUPPORTED;
}

static int column_from_json(frz_schema *s, const struct json *field, frz_error *err)
{
    struct arena ar = ARENA_INIT(s->a);
    frz_column c = {.struct_size = sizeof c};
    int64_t id = 0;
    slice name = {0};
    const struct json *required = NULL;
    int rc = FRZ_OK;
    CHECK(frz__json_need_str(field, "name", &name, err));
    if (name.len && memchr(name.data, 0, name.len)) {
        rc = frz__err(err, FRZ_INVALID, "the name of column %zu holds a zero byte", s->count);
        goto done;
    }
    c.name = (const char *)name.data;
    CHECK(frz__json_need_int(field, "id", &id, err));
    if (id < 1 || id > FIELD_ID_MAX) {
        rc = frz__err(err, FRZ_INVALID, "id %" PRId64 " is not in 1 to %d", id, FIELD_ID_MAX);
        goto done;
    }
    c.field_id = (int32_t)id;
    CHECK(frz__json_need(field, "required", JK_BOOL, &required, err));
    c.required = frz__json_bool(required);
    rc = column_type(field, name, &c.type, err);
    if (rc < 0) goto named;
    const struct json *doc = frz__json_get(field, "doc");
    if (frz__json_kind(doc) == JK_STRING) c.doc = (const char *)frz__json_str(doc).data;
    CHECK_CTX(frz__value_from_json(frz__json_get(field, "initial-default"), c.type, &ar, &c.initial, err), err, "initial-default");
    CHECK_CTX(frz__value_from_json(frz__json_get(field, "write-default"), c.type, &ar, &c.write, err), err, "write-default");
    rc = frz__schema_add(s, &c, err);
    frz__arena_clear(&ar);
    return rc; /* names the column itself */
done:
    if (rc < 0 && rc != FRZ_NO_MEMORY) {
        if (name.len) frz__err_context(err, "column \"%.*s\"", frz__name_shown(name), (const char *)name.data);
        else frz__err_context(err, "field %zu", s->count);
    }
named:
    frz__arena_clear(&ar);
    return rc;
}

static int key_from_json(frz_schema *s, const struct json *j, frz_error *err)
{
    const struct json *ids = frz__json_get(j, "identifier-field-ids");
    size_t count = frz__json_len(ids);
    int rc = FRZ_OK;
    if (count == 0) return FRZ_OK;
    if (count > s->count) return frz__err(err, FRZ_INVALID, "identifier-field-ids names %zu fields of %zu", count, s->count);
    uint32_t *key = (uint32_t *)frz__alloc_array(s->a, count, sizeof *key);
    if (!key) return frz__err_no_memory(err, count * sizeof *key);
    for (size_t i = 0; i < count; i++) {
        const struct json *v = frz__json_at(ids, i);
        int64_t id = frz__json_int(v), column = frz__json_kind(v) == JK_INT && id > 0 && id <= FIELD_ID_MAX ? frz__schema_find_id(s, (int32_t)id) : -1;
        if (column < 0) {
            rc = frz__err(err, FRZ_INVALID, "identifier-field-ids: no column has id %" PRId64, id);
            goto done;
        }
        key[i] = (uint32_t)column;
    }
    rc = frz__schema_set_key(s, key, count, err);
done:
    frz__free(s->a, key);
    return rc;
}

int frz__schema_from_json(const allocator *a, const struct json *j, frz_schema **out, frz_error *err)
{
    frz_schema *s = NULL;
    const struct json *fields = NULL, *schema_id;
    slice type;
    int rc = FRZ_OK;
    *out = NULL;
    if (frz__json_kind(j) != JK_OBJECT) return frz__err(err, FRZ_INVALID, "a schema is a JSON object");
    TRY(frz__json_need_str(j, "type", &type, err));
    if (!slice_eq(type, slice_str("struct"))) return frz__err(err, FRZ_INVALID, "key \"type\" of a schema: expected \"struct\"");
    TRY(frz__json_need(j, "fields", JK_ARRAY, &fields, err));
    CHECK(frz__schema_new(a, &s, err));
    schema_id = frz__json_get(j, "schema-id");
    if (schema_id) {
        int64_t id = frz__json_int(schema_id);
        if (frz__json_kind(schema_id) != JK_INT || id < 0 || id > INT32_MAX) {
            rc = frz__err(err, FRZ_INVALID, "key \"schema-id\": expected a number from 0 to %d", INT32_MAX);
            goto done;
        }
        s->schema_id = (int32_t)id;
    }
    for (size_t i = 0; i < frz__json_len(fields); i++) CHECK(column_from_json(s, frz__json_at(fields, i), err));
    CHECK(key_from_json(s, j, err));
    CHECK(frz__schema_seal(s, false, err));
    *out = s;
    return FRZ_OK;
done:
    frz__schema_release(s);
    return rc;
}

static void column_to_json(const struct column *c, struct jw *w)
{
    char type[TYPE_TEXT_BYTES];
    frz__jw_object(w);
    frz__jw_key(w, "id");
    frz__jw_int(w, c->id);
    frz__jw_key(w, "name");
    frz__jw_str(w, slice_of(c->name, c->name_len));
    frz__jw_key(w, "required");
    frz__jw_bool(w, c->required);
    frz__jw_key(w, "type");
    frz__jw_cstr(w, frz__type_text(c->type, type));
    if (c->doc) {
        frz__jw_key(w, "doc");
        frz__jw_cstr(w, c->doc);
    }
    if (c->initial.type) {
        frz__jw_key(w, "initial-default");
        frz__value_to_json(&c->initial, c->type, w);
    }
    if (c->write.type) {
        frz__jw_key(w, "write-default");
        frz__value_to_json(&c->write, c->type, w);
    }
    frz__jw_object_end(w);
}

void frz__schema_to_json(const frz_schema *s, struct jw *w)
{
    frz__jw_object(w);
    frz__jw_key(w, "type");
    frz__jw_cstr(w, "struct");
    frz__jw_key(w, "schema-id");
    frz__jw_int(w, s->schema_id);
    if (s->key_count) {
        frz__jw_key(w, "identifier-field-ids");
        frz__jw_array(w);
        for (size_t i = 0; i < s->key_count; i++) frz__jw_int(w, s->columns[s->key[i]].id);
        frz__jw_array_end(w);
    }
    frz__jw_key(w, "fields");
    frz__jw_array(w);
    for (size_t i = 0; i < s->count; i++) column_to_json(&s->columns[i], w);
    frz__jw_array_end(w);
    frz__jw_object_end(w);
}
