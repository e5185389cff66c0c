/* infer.c — a schema from the first rows. A column keeps a set of candidate types; each value strikes out those that it is no text of, by the library's own parser; the first candidate left is the type. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"

enum { T_BOOLEAN, T_LONG, T_DOUBLE, T_DATE, T_TIMESTAMP, T_TIMESTAMPTZ, T_UUID, T_STRING, T_COUNT };
#define BIT(t) (1u << (t))
#define ALL (BIT(T_COUNT) - 1)
#define OF_STRINGS (BIT(T_DATE) | BIT(T_TIMESTAMP) | BIT(T_TIMESTAMPTZ) | BIT(T_UUID) | BIT(T_STRING))
static const int32_t type_ids[T_COUNT] = {FRZ_BOOLEAN, FRZ_LONG, FRZ_DOUBLE, FRZ_DATE, FRZ_TIMESTAMP, FRZ_TIMESTAMPTZ, FRZ_UUID, FRZ_STRING};

int infer_init(struct infer *f)
{
    frz_error e = {0};
    *f = (struct infer){0};
    int rc = frz_schema_parse("a boolean, b long, c double, d date, e timestamp, f timestamptz, g uuid, h string", "b", &f->schema, &e);
    if (rc == FRZ_OK) rc = frz_row_new_schema(f->schema, &f->probe, &e);
    return rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
}

int infer_add(struct infer *f, const char *name, size_t len)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 32;
        struct infer_column *columns = (struct infer_column *)realloc(f->columns, cap * sizeof *columns);
        if (!columns) goto no_memory;
        f->columns = columns;
        f->cap = cap;
    }
    char *copy = (char *)malloc(len + 1);
    if (!copy) goto no_memory;
    memcpy(copy, name, len);
    copy[len] = 0;
    f->columns[f->count++] = (struct infer_column){.name = copy, .types = ALL};
    return EXIT_DONE;
no_memory:
    say("out of memory");
    return EXIT_ERROR;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Codes and telephone numbers are no numbers: 007, +49…; a whole number of more than 15 digits is no double, which could round it. */
static unsigned strike_numbers(unsigned types, const char *s, size_t len)
{
    size_t sign = len && *s == '-', digits = sign;
    if ((len && *s == '+') || (len >= sign + 2 && s[sign] == '0' && is_digit(s[sign + 1]))) return types & ~(BIT(T_LONG) | BIT(T_DOUBLE));
    while (digits < len && is_digit(s[digits])) digits++;
    return digits == len && len - sign > 15 ? types & ~BIT(T_DOUBLE) : types;
}

static unsigned strike(struct infer *f, unsigned types, const char *text, size_t len)
{
    frz_error e;
    types = strike_numbers(types, text, len);
    for (int t = 0; t < T_STRING; t++)
        if ((types & BIT(t)) && frz_row_set_text(f->probe, (size_t)t, text, len, &e) != FRZ_OK) types &= ~BIT(t);
    frz_row_clear(f->probe);
    return types;
}

void infer_text(struct infer *f, size_t column, const char *text, size_t len)
{
    struct infer_column *c = &f->columns[column];
    c->types = strike(f, c->types, text, len);
}

static struct infer_column *find(struct infer *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->columns[i].name, name) == 0) return &f->columns[i];
    return NULL;
}

static bool fits_double(json_int_t v) { return v >= -(INT64_C(1) << 53) && v <= INT64_C(1) << 53; }
static bool too_big(const json_error_t *e) { return json_error_code(e) == json_error_numeric_overflow; }

int infer_json(struct infer *f, const char *text, size_t len, char *problem, size_t cap)
{
    json_error_t je;
    json_t *row = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &je), *value;
    const char *name;
    int code = EXIT_DONE;
    if (!row || !json_is_object(row)) {
        snprintf(problem, cap, "%s", row ? json_is_array(row) ? "an array: expected one object a line (jq -c '.[]' makes that)" : "expected one object a line" : too_big(&je) ? "a whole number beyond 64 bits: make the table with `create --schema`, as a decimal or double" : je.text);
        json_decref(row);
        return EXIT_ERROR;
    }
    json_object_foreach(row, name, value) {
        if (!find(f, name) && infer_add(f, name, strlen(name))) {
            snprintf(problem, cap, "out of memory");
            code = EXIT_ERROR;
            break;
        }
        struct infer_column *c = find(f, name);
        unsigned old = c->types;
        switch (json_typeof(value)) {
        case JSON_NULL: break;
        case JSON_TRUE:
        case JSON_FALSE: c->types &= BIT(T_BOOLEAN); break;
        case JSON_INTEGER: c->types &= fits_double(json_integer_value(value)) ? BIT(T_LONG) | BIT(T_DOUBLE) : BIT(T_LONG); break;
        case JSON_REAL: c->types &= BIT(T_DOUBLE); break;
        case JSON_STRING: c->types = strike(f, c->types & OF_STRINGS, json_string_value(value), json_string_length(value)); break;
        default:
            snprintf(problem, cap, "column \"%s\": nested values are not supported", name);
            code = EXIT_ERROR;
        }
        if (code == 0 && !c->types) {
            snprintf(problem, cap, "column \"%s\": the value is of another type than those before it: make the table with `create --schema`", name);
            c->types = old;
            code = EXIT_ERROR;
        }
        if (code) break;
    }
    json_decref(row);
    return code;
}

int infer_parquet(struct infer *f, const char *path)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    int rc = frz_parquet_schema(path, &s, &e), code = EXIT_DONE;
    if (rc != FRZ_OK) return fail(&e, rc);
    for (size_t i = 0; code == 0 && i < frz_schema_column_count(s); i++) {
        frz_column c = {.struct_size = sizeof c};
        rc = frz_schema_column(s, i, &c);
        code = rc == FRZ_OK ? infer_add(f, c.name, strlen(c.name)) : fail(&e, rc);
        if (code) break;
        f->columns[f->count - 1].fixed = true;
        f->columns[f->count - 1].type = c.type;
        f->columns[f->count - 1].required = c.required;
    }
    frz_schema_free(s);
    return code;
}

static frz_type type_of(const struct infer_column *c)
{
    if (c->fixed) return c->type;
    if (c->types == ALL) return (frz_type){.id = FRZ_STRING}; /* nulls alone */
    int t = 0;
    while (!(c->types & BIT(t))) t++;
    return (frz_type){.id = type_ids[t]};
}

/* Columns REQUIRED or as inferred, without a key. */
static int build(const struct infer *f, bool all_required, frz_schema **out, frz_error *e)
{
    int rc = frz_schema_new(out, e);
    for (size_t i = 0; rc == FRZ_OK && i < f->count; i++) {
        frz_column c = {.struct_size = sizeof c, .name = f->columns[i].name, .type = type_of(&f->columns[i]), .required = all_required || f->columns[i].required, .key_index = -1};
        rc = frz_schema_add(*out, &c, e);
    }
    return rc;
}

/* KEY is parsed by the library, against the columns all required; then those of the key are, and the rest as found. */
int infer_schema(struct infer *f, const char *key, frz_schema **out)
{
    frz_error e = {0};
    frz_schema *plain = NULL, *keyed = NULL;
    frz_blob *text = NULL;
    const char **names = NULL;
    size_t count = 0;
    *out = NULL;
    int rc = build(f, true, &plain, &e);
    if (rc == FRZ_OK) rc = frz_schema_to_text(plain, &text, &e);
    if (rc == FRZ_OK) rc = frz_schema_parse(frz_blob_data(text), key, &keyed, &e);
    if (rc == FRZ_OK) count = frz_schema_key_count(keyed);
    names = (const char **)calloc(count + 1, sizeof *names);
    if (!names) rc = FRZ_NO_MEMORY;
    for (size_t i = 0, column; rc == FRZ_OK && i < count; i++) {
        rc = frz_schema_key(keyed, i, &column);
        if (rc != FRZ_OK) break;
        f->columns[column].required = true;
        names[i] = f->columns[column].name;
    }
    if (rc == FRZ_OK) rc = build(f, false, out, &e);
    if (rc == FRZ_OK) rc = frz_schema_set_key(*out, names, count, &e);
    if (rc != FRZ_OK) {
        frz_schema_free(*out);
        *out = NULL;
    }
    frz_schema_free(plain);
    frz_schema_free(keyed);
    frz_blob_free(text);
    free((void *)names);
    return rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
}

void infer_clear(struct infer *f)
{
    for (size_t i = 0; i < f->count; i++) free(f->columns[i].name);
    free(f->columns);
    frz_row_free(f->probe);
    frz_schema_free(f->schema);
    *f = (struct infer){0};
}
