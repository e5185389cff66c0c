#include <string.h>
#include <time.h>

#include "cli.h"

static const char *const whys[] = {"?", "expired", "orphan", "foreign-orphan", "old-metadata", "temporary", "trash", "lease"};
static const char *const kepts[] = {"due", "snapshot", "view", "reader", "grace", "age", "writer"};

static const char *name_of(const char *const *names, size_t count, int32_t i) { return i >= 0 && (size_t)i < count ? names[i] : "?"; }

static void print_time(char out[40], int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
}

struct shown { bool json, quiet; };
static int print_file(void *ctx, const frz_gc_file *f)
{
    const struct shown *s = (const struct shown *)ctx;
    const char *why = name_of(whys, sizeof whys / sizeof *whys, f->why), *kept = name_of(kepts, sizeof kepts / sizeof *kepts, f->kept);
    char when[40] = "";
    if (s->quiet) return 0;
    if (f->due_ms > 0) print_time(when, f->due_ms);
    if (s->json) {
        printf("{\"table\":");
        print_json_string(stdout, f->table, strlen(f->table));
        printf(",\"path\":");
        print_json_string(stdout, f->path, strlen(f->path));
        printf(",\"bytes\":%llu,\"why\":\"%s\",\"kept-by\":", (unsigned long long)f->bytes, why);
        if (f->kept) printf("\"%s\"", kept);
        else fputs("null", stdout);
        printf(",\"holder\":");
        print_json_string(stdout, f->holder, strlen(f->holder));
        printf(",\"due-ms\":%lld,\"removed\":%s,\"reason\":", (long long)f->due_ms, f->removed ? "true" : "false");
        print_json_string(stdout, f->reason, strlen(f->reason));
        printf("}\n");
        return 0;
    }
    printf("%-7s %12llu bytes  ", f->removed ? "removed" : f->kept ? "kept" : "due", (unsigned long long)f->bytes);
    print_plain(stdout, f->path, strlen(f->path));
    printf(": %s", f->reason);
    if (f->holder[0]) {
        printf(" (");
        print_plain(stdout, f->holder, strlen(f->holder));
        putchar(')');
    }
    printf("%s%s\n", when[0] ? "; until " : "", when);
    return 0;
}

int cmd_gc(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    frz_gc_report r = FRZ_INIT(frz_gc_report);
    struct shown shown = {args_has(a, "json"), args_has(a, "quiet")};
    o.dry_run = args_has(a, "dry-run");
    int64_t age_ms = 0;
    int code = duration_of(a, "older-than", &age_ms);
    if (code) return code;
    o.orphan_age_ms = (uint64_t)age_ms;
    code = session_open(&s, a, o.dry_run ? MODE_READ : MODE_GC, a->word_count > 1);
    if (code) return code;
    int rc = frz_db_gc(s.db, s.table, &o, print_file, &shown, &r, &e);
    if (rc != FRZ_OK) return session_close(&s, fail(&e, rc));
    printf(shown.json ? "{\"files\":%llu,\"bytes\":%llu,\"files-due\":%llu,\"bytes-due\":%llu,\"files-removed\":%llu,\"bytes-removed\":%llu}\n"
                      : "%llu files, %llu bytes: %llu due, %llu bytes; %llu removed, %llu bytes\n",
           (unsigned long long)r.files, (unsigned long long)r.bytes, (unsigned long long)r.files_due, (unsigned long long)r.bytes_due, (unsigned long long)r.files_removed, (unsigned long long)r.bytes_removed);
    return session_close(&s, EXIT_DONE);
}
