/* snapshots, tag, expire: what is published, what it is called, how long it is kept. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct listing { struct session *s; bool json; const char *verb; uint64_t count; const frz_snapshot_info *of; size_t names; };

static int print_ref_of(void *ctx, const frz_ref_info *r)
{
    struct listing *l = (struct listing *)ctx;
    if (r->snapshot_id != l->of->snapshot_id) return 0;
    if (!l->json) {
        fputs(l->names++ ? "," : "  ", stdout);
        print_plain(stdout, r->name, strlen(r->name));
        return 0;
    }
    fputs(l->names++ ? "," : "", stdout);
    print_json_string(stdout, r->name, strlen(r->name));
    return 0;
}

static int print_snapshot(void *ctx, const frz_snapshot_info *i)
{
    struct listing *l = (struct listing *)ctx;
    frz_error e = {0};
    int rc = FRZ_OK;
    l->of = i;
    l->names = 0;
    l->count++;
    if (l->json) {
        printf("{\"snapshot-id\":%lld,\"parent-id\":%lld,\"sequence-number\":%lld,\"timestamp-ms\":%lld,\"operation\":\"%s\",\"current\":%s,", (long long)i->snapshot_id, (long long)i->parent_id,
               (long long)i->sequence_number, (long long)i->timestamp_ms, i->operation, i->current ? "true" : "false");
        if (l->verb) printf("\"%s\":true,", l->verb);
        else {
            printf("\"refs\":[");
            rc = frz_table_refs(l->s->table, print_ref_of, l, &e);
            printf("],");
        }
        printf("\"summary\":%s}\n", i->summary_json);
    } else {
        char when[40];
        when_print(i->timestamp_ms, when);
        printf("%-20lld %-8lld %s %-10s%s", (long long)i->snapshot_id, (long long)i->sequence_number, when, i->operation, l->verb ? l->verb : i->current ? " current" : "");
        if (!l->verb) rc = frz_table_refs(l->s->table, print_ref_of, l, &e);
        putchar('\n');
    }
    if (rc != FRZ_OK) say("%s", e.message);
    return rc;
}

int cmd_snapshots(struct args *a)
{
    frz_error e = {0};
    struct session s;
    struct listing l = {.s = &s, .json = args_has(a, "json")};
    int code = session_open(&s, a, MODE_READ, true);
    if (code) return code;
    int rc = frz_table_snapshots(s.table, print_snapshot, &l, &e);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

/* ── expire ── */

static int parse_ids(const struct args *a, int64_t **out, size_t *count)
{
    *out = (int64_t *)calloc((size_t)a->option_count + 1, sizeof **out);
    *count = 0;
    if (!*out) {
        say("out of memory");
        return EXIT_ERROR;
    }
    for (int i = 0; i < a->option_count; i++) {
        char *end;
        if (strcmp(a->options[i], "snapshot") != 0) continue;
        (*out)[*count] = strtoll(a->values[i], &end, 10);
        if (end == a->values[i] || *end || (*out)[(*count)++] <= 0) return usage("--snapshot %s: expected a snapshot's id", a->values[i]);
    }
    return EXIT_DONE;
}

static int expire_options_of(const struct args *a, frz_expire_options *o, int64_t **ids)
{
    const char *older = args_get(a, "older-than");
    uint64_t keep;
    int code = parse_ids(a, ids, &o->snapshot_id_count);
    if (code) return code;
    o->snapshot_ids = *ids;
    if (!args_u64(a, "keep-last", 0, &keep)) return EXIT_USAGE;
    if (keep > INT64_MAX) return usage("--keep-last %s: too large", args_get(a, "keep-last"));
    if (args_has(a, "keep-last") && keep == 0) return usage("--keep-last 0: expected a number from 1");
    o->keep_last = (int64_t)keep;
    o->dry_run = args_has(a, "dry-run");
    o->by_time = older != NULL;
    if (older && !when_parse(older, when_now(), &o->older_than_ms))
        return usage("--older-than %s: expected 2026-11-21T16:00:00Z, a day, ms since 1970, or a time before now as in -5m", older);
    return EXIT_DONE;
}

int cmd_expire(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_expire_options o = FRZ_EXPIRE_OPTIONS_INIT;
    int64_t *ids = NULL;
    int code = expire_options_of(a, &o, &ids);
    struct listing l = {.s = &s, .json = args_has(a, "json"), .verb = o.dry_run ? "would-expire" : "expired"};
    if (code == 0) code = session_open(&s, a, o.dry_run ? MODE_READ : MODE_WRITE, true);
    if (code) {
        free(ids);
        return code;
    }
    int rc = frz_table_expire(s.table, &o, print_snapshot, &l, &e);
    if (rc == FRZ_OK && !l.json) printf("%llu snapshots %s\n", (unsigned long long)l.count, o.dry_run ? "would be expired" : "expired");
    free(ids);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

/* ── tag ── */

static void print_age(bool json, const char *name, int64_t ms)
{
    if (ms) printf(json ? ",\"%s\":%lld" : "  %s %lld", name, (long long)ms);
}

static int print_ref(void *ctx, const frz_ref_info *r)
{
    bool json = *(const bool *)ctx;
    char when[40];
    when_print(r->snapshot_timestamp_ms, when);
    if (json) {
        printf("{\"name\":");
        print_json_string(stdout, r->name, strlen(r->name));
        printf(",\"type\":\"%s\",\"snapshot-id\":%lld,\"timestamp-ms\":%lld", r->is_tag ? "tag" : "branch", (long long)r->snapshot_id, (long long)r->snapshot_timestamp_ms);
    } else {
        printf("%-6s %-20lld %s ", r->is_tag ? "tag" : "branch", (long long)r->snapshot_id, when);
        print_plain(stdout, r->name, strlen(r->name));
    }
    print_age(json, "max-ref-age-ms", r->max_ref_age_ms);
    print_age(json, "max-snapshot-age-ms", r->max_snapshot_age_ms);
    print_age(json, "min-snapshots-to-keep", r->min_snapshots_to_keep);
    puts(json ? "}" : "");
    return 0;
}

static int list_refs(struct args *a)
{
    frz_error e = {0};
    struct session s;
    bool json = args_has(a, "json");
    if (args_has(a, "snapshot") || args_has(a, "delete") || args_has(a, "max-age") || args_has(a, "no-replace")) return usage("tag wants a NAME for that");
    int code = session_open(&s, a, MODE_READ, true);
    if (code) return code;
    int rc = frz_table_refs(s.table, print_ref, &json, &e);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

int cmd_tag(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
    uint64_t id;
    if (a->word_count == 2) return list_refs(a);
    if (!args_u64(a, "snapshot", 0, &id)) return EXIT_USAGE;
    if (id > INT64_MAX || (args_has(a, "snapshot") && id == 0)) return usage("--snapshot %s: expected a snapshot's id", args_get(a, "snapshot"));
    int code = duration_of(a, "max-age", &o.max_ref_age_ms);
    if (code) return code;
    o.remove = args_has(a, "delete");
    o.no_replace = args_has(a, "no-replace");
    o.snapshot_id = (int64_t)id;
    if (o.remove && (o.no_replace || id || o.max_ref_age_ms)) return usage("--delete goes with no other option");
    code = session_open(&s, a, MODE_WRITE, true);
    if (code) return code;
    int rc = o.remove || id ? FRZ_OK : frz_table_flush(s.table, &e); /* what is in the log is of the table as its reader sees it */
    if (rc == FRZ_OK) rc = frz_table_tag(s.table, a->words[2], &o, &e);
    if (rc == FRZ_OK && args_has(a, "json")) {
        printf("{\"%s\":", o.remove ? "deleted" : "tagged");
        print_json_string(stdout, a->words[2], strlen(a->words[2]));
        printf("}\n");
    }
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}
