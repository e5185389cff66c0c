#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/* ── progress: one line that is written over ── */

struct line {
    bool shown;
    double drawn;
};
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static int draw(void *ctx, const frz_backup_progress *p)
{
    struct line *l = (struct line *)ctx;
    double now = seconds();
    if (!l->shown || now - l->drawn < 0.1) return 0;
    l->drawn = now;
    fprintf(stderr, "\r\033[K%llu of %llu files, %.1f MB", (unsigned long long)p->files_done, (unsigned long long)p->files_total,
            (double)p->bytes_done / 1e6);
    fflush(stderr);
    return 0;
}
static void line_start(struct line *l, bool json)
{
    *l = (struct line){!json && isatty(STDERR_FILENO), seconds()};
}
static void line_end(const struct line *l)
{
    if (l->shown) fprintf(stderr, "\r\033[K");
}

/* ── backup ── */

static int print_info(void *ctx, const frz_backup_info *i)
{
    char at[40] = "";
    when_print(i->time_us / 1000, at);
    if (*(bool *)ctx) {
        printf("{\"number\":%llu,\"complete\":%s", (unsigned long long)i->number, i->complete ? "true" : "false");
        if (i->complete)
            printf(",\"sequence\":%llu,\"time-us\":%lld,\"tables\":%llu,\"files\":%llu,\"bytes\":%llu,\"files-new\":%llu,\"bytes-new\":%"
                   "llu,\"log\":\"%s\"",
                   (unsigned long long)i->sequence, (long long)i->time_us, (unsigned long long)i->tables, (unsigned long long)i->files,
                   (unsigned long long)i->bytes, (unsigned long long)i->files_new, (unsigned long long)i->bytes_new, i->log_uuid);
        printf("}\n");
    } else if (i->complete) {
        printf("%-6llu %s sequence %llu: %llu tables, %llu files, %llu bytes (%llu files, %llu bytes of them new)\n",
               (unsigned long long)i->number, at, (unsigned long long)i->sequence, (unsigned long long)i->tables,
               (unsigned long long)i->files, (unsigned long long)i->bytes, (unsigned long long)i->files_new,
               (unsigned long long)i->bytes_new);
    } else {
        printf("%-6llu incomplete\n", (unsigned long long)i->number);
    }
    return 0;
}

static int print_finding(void *ctx, const frz_finding *f)
{
    if (*(bool *)ctx) {
        printf("{\"where\":");
        print_json_string(stdout, f->where, strlen(f->where));
        printf(",\"what\":");
        print_json_string(stdout, f->what, strlen(f->what));
        printf("}\n");
        return 0;
    }
    print_plain(stdout, f->where, strlen(f->where));
    fputs(": ", stdout);
    print_plain(stdout, f->what, strlen(f->what));
    putchar('\n');
    return 0;
}

static int verify(const char *dest, uint64_t number, bool json)
{
    frz_error e = {0};
    uint64_t findings = 0;
    frz_backup_info info = FRZ_INIT(frz_backup_info);
    int rc = frz_backup_verify(dest, number, print_finding, &json, &findings, &info, &e);
    if (rc != FRZ_OK) return fail(&e, rc);
    printf(json ? "{\"number\":%llu,\"files\":%llu,\"bytes\":%llu,\"findings\":%llu}\n"
                : "backup %llu: %llu files, %llu bytes: %llu findings\n",
           (unsigned long long)info.number, (unsigned long long)info.files, (unsigned long long)info.bytes, (unsigned long long)findings);
    return findings ? EXIT_ERROR : EXIT_DONE;
}

static int purge(const char *dest, uint64_t keep, bool json)
{
    frz_error e = {0};
    uint64_t removed = 0;
    int rc = frz_backup_purge(dest, keep, &removed, &e);
    if (rc != FRZ_OK) return fail(&e, rc);
    printf(json ? "{\"removed\":%llu}\n" : "%llu removed\n", (unsigned long long)removed);
    return EXIT_DONE;
}

static int make(struct args *a, uint64_t keep, bool json)
{
    frz_error e = {0};
    struct session s;
    struct line l;
    frz_backup_info info = FRZ_INIT(frz_backup_info);
    int code = session_open(&s, a, MODE_READ, false);
    if (code) return code;
    line_start(&l, json);
    const frz_backup_options o = {.struct_size = sizeof o, .copy = args_has(a, "copy"), .keep = keep, .progress = draw, .ctx = &l};
    int rc = frz_db_backup(s.db, a->words[1], &o, &info, &e);
    line_end(&l);
    if (rc != FRZ_OK) return session_close(&s, fail(&e, rc));
    print_info(&json, &info);
    code = session_close(&s, EXIT_DONE);
    return code || !args_has(a, "verify") ? code : verify(a->words[1], info.number, json);
}

int cmd_backup(struct args *a)
{
    frz_error e = {0};
    bool json = args_has(a, "json"), list = args_has(a, "list"), check = args_has(a, "verify"), clear = args_has(a, "purge");
    uint64_t keep = 0, number = 0;
    if (!args_u64(a, "keep", 0, &keep) || !args_u64(a, "backup", 0, &number)) return EXIT_USAGE;
    if (args_has(a, "keep") && keep == 0) return usage("--keep 0: one backup at least stays");
    if (a->word_count == 2) {
        if (list || clear || args_has(a, "backup"))
            return usage("--list, --purge, and --verify with --backup want the directory of the backups alone");
        return make(a, keep, json);
    }
    if (list + check + clear != 1) return usage("usage: frazil backup DB DIRECTORY, or frazil backup --list|--verify|--purge DIRECTORY");
    if (check) return verify(a->words[0], number, json);
    if (clear) return keep ? purge(a->words[0], keep, json) : usage("--purge wants --keep N");
    int rc = frz_backup_list(a->words[0], print_info, &json, &e);
    return rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
}

/* ── restore ── */

static int parse_to(const char *to, frz_restore_options *o)
{
    if (!to) return EXIT_DONE;
    if (strcmp(to, "end") == 0)
        o->to_end = true;
    else if (*to && strspn(to, "0123456789") == strlen(to)) {
        errno = 0;
        o->to_sequence = strtoull(to, NULL, 10);
        if (o->to_sequence == 0 || errno) return usage("--to %s: sequences go from 1 to %llu", to, (unsigned long long)UINT64_MAX);
    } else if (!when_parse_us(to, when_now(), &o->to_time_us) || o->to_time_us <= 0)
        return usage("--to %s: expected a sequence, a time such as 2026-11-21T16:06:14Z (UTC) or -5m before now, or `end`", to);
    return EXIT_DONE;
}

int cmd_restore(struct args *a)
{
    frz_error e = {0};
    struct line l;
    frz_restore_options o = FRZ_RESTORE_OPTIONS_INIT;
    frz_restore_info info = FRZ_INIT(frz_restore_info);
    bool json = args_has(a, "json");
    char at[40];
    if (!args_u64(a, "backup", 0, &o.number)) return EXIT_USAGE;
    int code = parse_to(args_get(a, "to"), &o);
    if (code) return code;
    line_start(&l, json);
    o.copy = args_has(a, "copy");
    o.log_archive = args_get(a, "archive");
    o.progress = draw;
    o.ctx = &l;
    int rc = frz_restore(a->words[0], a->words[1], &o, &info, &e);
    line_end(&l);
    if (rc != FRZ_OK) return fail(&e, rc);
    when_print(info.time_us / 1000, at);
    if (json)
        printf("{\"number\":%llu,\"sequence\":%llu,\"time-us\":%lld,\"tables\":%llu,\"files\":%llu,\"bytes\":%llu,\"operations\":%llu}\n",
               (unsigned long long)info.number, (unsigned long long)info.sequence, (long long)info.time_us, (unsigned long long)info.tables,
               (unsigned long long)info.files, (unsigned long long)info.bytes, (unsigned long long)info.operations);
    else
        printf("backup %llu, %s, sequence %llu: %llu tables, %llu files, %llu bytes, %llu operations from the archive\n",
               (unsigned long long)info.number, at, (unsigned long long)info.sequence, (unsigned long long)info.tables,
               (unsigned long long)info.files, (unsigned long long)info.bytes, (unsigned long long)info.operations);
    return EXIT_DONE;
}
