/* set, unset, upgrade: what a table is told about itself. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int change(struct args *a, const char *const *keys, const char *const *values)
{
    frz_error e = {0};
    struct session s;
    size_t count = (size_t)a->word_count - 2;
    int code = session_open(&s, a, MODE_WRITE, true);
    if (code) return code;
    int rc = frz_table_set_properties(s.table, keys, values, count, &e);
    if (rc == FRZ_OK && args_has(a, "json")) printf("{\"properties\":%zu}\n", count);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

static int print_property(void *ctx, const char *key, const char *value)
{
    if (*(const bool *)ctx) {
        printf("{\"key\":");
        print_json_string(stdout, key, strlen(key));
        printf(",\"value\":");
        print_json_string(stdout, value, strlen(value));
        printf("}\n");
        return 0;
    }
    print_plain(stdout, key, strlen(key));
    putchar('=');
    print_plain(stdout, value, strlen(value));
    putchar('\n');
    return 0;
}

static int list(struct args *a)
{
    frz_error e = {0};
    struct session s;
    bool json = args_has(a, "json");
    int code = session_open(&s, a, MODE_READ, true);
    if (code) return code;
    int rc = frz_table_properties(s.table, print_property, &json, &e);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

int cmd_set(struct args *a)
{
    static const char *keys[ARGS_MAX], *values[ARGS_MAX];
    if (a->word_count == 2) return list(a);
    char *texts[ARGS_MAX];
    int code = EXIT_DONE, n = 0;
    for (int i = 2; code == 0 && i < a->word_count; i++) {
        char *eq = NULL;
        texts[n] = strdup(a->words[i]);
        if (texts[n]) eq = strchr(texts[n], '=');
        if (!eq || eq == texts[n]) code = usage("set %s: expected key=value", a->words[i]);
        else {
            *eq = 0;
            keys[n] = texts[n];
            values[n] = eq + 1;
        }
        n++;
    }
    if (code == 0) code = change(a, keys, values);
    while (n > 0) free(texts[--n]);
    return code;
}

struct unset { const char *const *keys; int count; bool there[ARGS_MAX]; };

static int look_for(void *ctx, const char *key, const char *value)
{
    struct unset *u = (struct unset *)ctx;
    (void)value;
    for (int i = 0; i < u->count; i++) u->there[i] |= strcmp(u->keys[i], key) == 0;
    return 0;
}

/* A key that was not set is told, and no error: afterwards it is as was asked for. */
int cmd_unset(struct args *a)
{
    static const char *const nothing[ARGS_MAX];
    static struct unset u;
    frz_error e = {0};
    struct session s;
    int code = session_open(&s, a, MODE_WRITE, true), had = 0;
    if (code) return code;
    u.keys = a->words + 2;
    u.count = a->word_count - 2;
    int rc = frz_table_properties(s.table, look_for, &u, &e);
    if (rc == FRZ_OK) rc = frz_table_set_properties(s.table, u.keys, nothing, (size_t)u.count, &e);
    if (rc != FRZ_OK) return session_close(&s, fail(&e, rc));
    for (int i = 0; i < u.count; i++) {
        had += u.there[i];
        if (!u.there[i]) say("%s: %s was not set", frz_table_name(s.table), u.keys[i]);
    }
    if (args_has(a, "json")) printf("{\"properties\":%d}\n", had);
    return session_close(&s, EXIT_DONE);
}

int cmd_upgrade(struct args *a)
{
    frz_error e = {0};
    struct session s;
    uint64_t version;
    if (!args_u64(a, "format", 3, &version)) return EXIT_USAGE;
    if (version > INT32_MAX) return usage("--format %s: expected 3", args_get(a, "format"));
    int code = session_open(&s, a, MODE_WRITE, true);
    if (code) return code;
    int rc = frz_table_upgrade(s.table, (int32_t)version, &e);
    if (rc == FRZ_OK && args_has(a, "json")) printf("{\"format-version\":%d}\n", (int)frz_table_format_version(s.table));
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}
