#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int read_file(const char *path, char **out, size_t *len)
{
    FILE *f = fopen(path, "rb");
    size_t cap = 0, n = 0;
    char *text = NULL;
    int error = f ? 0 : errno;
    while (!error && n == cap) {
        char *more = (char *)realloc(text, cap = cap ? cap * 2 : 1 << 16);
        if (!more) error = ENOMEM;
        else n += fread((text = more) + n, 1, cap - n, f);
        if (!error && ferror(f)) error = errno;
    }
    if (f) fclose(f);
    *out = text;
    *len = n;
    if (!error) return EXIT_DONE;
    say("%s: %s", path, strerror(error));
    free(text);
    return EXIT_ERROR;
}

int properties_of(const struct args *a, frz_table_options *o)
{
    static const char *keys[ARGS_MAX], *values[ARGS_MAX];
    size_t n = 0;
    for (int i = 0; i < a->option_count; i++) {
        if (strcmp(a->options[i], "property") != 0) continue;
        char *copy = strdup(a->values[i]), *eq = copy ? strchr(copy, '=') : NULL;
        if (!eq) {
            free(copy);
            return usage("--property %s: expected key=value", a->values[i]);
        }
        *eq = 0;
        keys[n] = copy;
        values[n++] = eq + 1;
    }
    o->property_keys = keys;
    o->property_values = values;
    o->property_count = n;
    uint64_t version;
    if (!args_u64(a, "format-version", 2, &version)) return EXIT_USAGE;
    if (version != 2 && version != 3) return usage("--format-version %llu: expected 2 or 3", (unsigned long long)version);
    o->format_version = (int32_t)version;
    return EXIT_DONE;
}

int cmd_create(struct args *a)
{
    frz_error e = {0};
    frz_schema *schema = NULL;
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    struct session s;
    const char *text = args_get(a, "schema"), *json = args_get(a, "schema-json"), *key = args_get(a, "key");
    if (!text == !json) return usage("create wants --schema or --schema-json");
    if (text && !key) return usage("create wants --key: the columns that make a row unique");
    int code = properties_of(a, &o), rc;
    if (code) return code;
    if (text) rc = frz_schema_parse(text, key, &schema, &e);
    else {
        char *file = NULL;
        size_t len = 0;
        code = read_file(json, &file, &len);
        if (code) return code;
        rc = frz_schema_parse_json(file, len, &schema, &e);
        free(file);
    }
    if (rc != FRZ_OK) return fail(&e, rc);
    code = session_open(&s, a, MODE_CREATE, false);
    if (code == 0) {
        rc = frz_table_create(s.db, a->words[1], schema, &o, NULL, &e);
        code = session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
    }
    frz_schema_free(schema);
    if (code == 0 && args_has(a, "json")) printf("{\"created\":\"%s\"}\n", a->words[1]);
    return code;
}

int cmd_drop(struct args *a)
{
    frz_error e = {0};
    struct session s;
    int code = session_open(&s, a, MODE_WRITE, false);
    if (code) return code;
    int rc = frz_table_drop(s.db, a->words[1], &e);
    code = session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
    if (code == 0 && args_has(a, "json")) printf("{\"dropped\":\"%s\"}\n", a->words[1]);
    return code;
}

static int print_name(void *ctx, const char *name)
{
    printf(*(bool *)ctx ? "{\"table\":\"%s\"}\n" : "%s\n", name);
    return 0;
}

int cmd_tables(struct args *a)
{
    frz_error e = {0};
    struct session s;
    bool json = args_has(a, "json");
    int code = session_open(&s, a, MODE_READ, false);
    if (code) return code;
    int rc = frz_db_tables(s.db, print_name, &json, &e);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

static void print_key_name(const char *name)
{
    if (!strpbrk(name, ",\"`()[]?' \t\n\r")) {
        fputs(name, stdout);
        return;
    }
    putchar('"');
    for (; *name; name++) printf(*name == '"' ? "\"\"" : "%c", *name);
    putchar('"');
}

int cmd_schema(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_blob *text = NULL;
    int code = session_open(&s, a, MODE_READ, true);
    if (code) return code;
    int rc = args_has(a, "json") ? frz_schema_to_json(s.schema, &text, &e) : frz_schema_to_text(s.schema, &text, &e);
    if (rc == FRZ_OK) printf("%s\n", frz_blob_data(text));
    for (size_t i = 0, c; rc == FRZ_OK && !args_has(a, "json") && i < frz_schema_key_count(s.schema); i++) {
        frz_column col = {.struct_size = sizeof col};
        if (frz_schema_key(s.schema, i, &c) == FRZ_OK && frz_schema_column(s.schema, c, &col) == FRZ_OK) fputs(i ? "," : "key ", stdout), print_key_name(col.name);
    }
    if (rc == FRZ_OK && !args_has(a, "json")) putchar('\n');
    frz_blob_free(text);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}
