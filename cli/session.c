#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* What open has to say waits until it is known whether the verb fails for the same: it is said once. */
#define LINES_MAX 64
static struct { pthread_mutex_t mu; char *lines[LINES_MAX]; size_t count; bool held; } heard = {.mu = PTHREAD_MUTEX_INITIALIZER};

static void on_log(void *ctx, int level, const char *message)
{
    (void)ctx, (void)level;
    pthread_mutex_lock(&heard.mu);
    if (heard.held && heard.count < LINES_MAX && (heard.lines[heard.count] = strdup(message))) heard.count++;
    else say("%s", message);
    pthread_mutex_unlock(&heard.mu);
}

static void log_hold(void)
{
    pthread_mutex_lock(&heard.mu);
    heard.held = true;
    pthread_mutex_unlock(&heard.mu);
}

/* WHY: the message with which it failed, or "". */
static void log_let_go(const char *why)
{
    pthread_mutex_lock(&heard.mu);
    heard.held = false;
    for (size_t i = 0; i < heard.count; i++) {
        const char *what = strstr(heard.lines[i], ": "); /* behind the table's name */
        if (!*why || !what || !strstr(why, what + 2)) say("%s", heard.lines[i]);
        free(heard.lines[i]);
    }
    heard.count = 0;
    pthread_mutex_unlock(&heard.mu);
}

int durability_of(const struct args *a, int32_t *out)
{
    const char *s = args_get(a, "sync");
    if (!s || strcmp(s, "full") == 0) *out = FRZ_SYNC_FULL;
    else if (strcmp(s, "interval") == 0) *out = FRZ_SYNC_INTERVAL;
    else if (strcmp(s, "off") == 0) *out = FRZ_SYNC_OFF;
    else return usage("--sync %s: expected full, interval or off", s);
    return 0;
}

int session_open(struct session *s, const struct args *a, enum mode mode, bool need_table)
{
    frz_error e = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    memset(s, 0, sizeof *s);
    o.create = mode == MODE_CREATE || (mode == MODE_IMPORT && args_has(a, "create"));
    o.no_compaction = mode != MODE_IMPORT;
    o.read_only = mode == MODE_READ;
    o.no_tidy = mode == MODE_GC;
    o.log = on_log;
    o.no_close_flush = args_has(a, "no-flush");
    int code = durability_of(a, &o.durability);
    if (code) return code;
    log_hold();
    int rc = frz_db_open(a->words[0], &o, &s->db, &e);
    if (rc == FRZ_OK && need_table) rc = frz_table_open(s->db, a->words[1], &s->table, &e);
    if (rc == FRZ_OK && need_table) rc = frz_table_schema(s->table, &s->schema, &e);
    log_let_go(rc == FRZ_OK ? "" : e.message);
    if (rc != FRZ_OK && !s->db) return fail(&e, rc);
    return rc == FRZ_OK ? EXIT_DONE : session_close(s, fail(&e, rc));
}

int session_travel(struct session *s, const struct args *a, frz_snapshot **out)
{
    frz_error e = {0};
    const char *id = args_get(a, "snapshot"), *tag = args_get(a, "tag"), *when = args_get(a, "as-of");
    uint64_t number;
    int64_t ms = 0;
    int rc;
    *out = NULL;
    if (!id && !tag && !when) return EXIT_DONE;
    if (!!id + !!tag + !!when > 1) return usage("--snapshot, --tag and --as-of: give one of them");
    if (!args_u64(a, "snapshot", 0, &number)) return EXIT_USAGE;
    if (when && !when_parse(when, when_now(), &ms)) return usage("--as-of %s: expected 2026-11-21T16:00:00Z, a day, ms since 1970, or a time before now as in -5m", when);
    if (id) rc = number > INT64_MAX ? FRZ_NOT_FOUND : frz_snapshot_open_published(s->table, (int64_t)number, out, &e);
    else rc = tag ? frz_snapshot_open_ref(s->table, tag, out, &e) : frz_snapshot_open_at(s->table, ms, out, &e);
    if (rc != FRZ_OK) return fail(&e, rc);
    frz_schema_free(s->schema);
    s->schema = NULL;
    rc = frz_snapshot_schema(*out, s->table, &s->schema, &e);
    if (rc == FRZ_OK) return EXIT_DONE;
    frz_snapshot_close(*out);
    *out = NULL;
    return fail(&e, rc);
}

int session_close(struct session *s, int code)
{
    frz_error e = {0};
    frz_schema_free(s->schema);
    frz_table_close(s->table);
    int rc = frz_db_close(s->db, &e);
    memset(s, 0, sizeof *s);
    return rc == FRZ_OK || code ? code : fail(&e, rc);
}

int session_key(struct session *s, const char *text, frz_value *key, size_t *nkey, frz_blob **scratch)
{
    frz_error e = {0};
    if (frz_schema_key_count(s->schema) > KEY_COLUMNS_MAX) {
        say("a key of %zu columns: the command takes %d at most", frz_schema_key_count(s->schema), KEY_COLUMNS_MAX);
        return EXIT_ERROR;
    }
    int rc = frz_key_parse(s->schema, text, strlen(text), key, nkey, scratch, &e);
    return rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
}

int session_columns(struct session *s, const char *list, size_t **columns, size_t *count)
{
    *columns = NULL;
    *count = 0;
    if (!list) return EXIT_DONE;
    if (!*list) return usage("--columns: expected names, a,b");
    *columns = (size_t *)calloc(frz_schema_column_count(s->schema) + 1, sizeof **columns);
    char *copy = strdup(list), *at = copy;
    if (!*columns || !copy) {
        free(copy);
        say("out of memory");
        return EXIT_ERROR;
    }
    /* a name may hold a comma: the longest list of pieces that is a column wins */
    while (at && *at) {
        char *end = at + strlen(at);
        size_t index = 0;
        for (;;) {
            char keep = *end;
            *end = 0;
            int rc = frz_schema_find(s->schema, at, &index);
            *end = keep;
            if (rc == FRZ_OK) break;
            do end--;
            while (end > at && *end != ',');
            if (end <= at) {
                usage("there is no column %.*s", (int)strcspn(at, ","), at);
                free(copy);
                free(*columns);
                *columns = NULL;
                return EXIT_USAGE;
            }
        }
        if (*count > frz_schema_column_count(s->schema)) break;
        (*columns)[(*count)++] = index;
        at = *end ? end + 1 : NULL;
    }
    free(copy);
    return EXIT_DONE;
}
