/* top: a running database at a glance: of the process that writes it, by frz_watch; where nobody writes, what is on disk. */
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define ANSWER_TRIES 25 /* a tenth of a second each: a writer looks once a second whether somebody asks */

struct view {
    json_t *now, *before; /* reports; BEFORE NULL = none: no rates */
    bool live;            /* a writer's */
    bool silent;          /* there is one, but it does not answer */
    double seconds;       /* between the two */
    int lines, columns, used;
    bool plain;           /* no terminal: everything, once */
};
static volatile sig_atomic_t stopped, resized;
static void on_stop(int sig) { stopped = sig; }
static void on_resize(int sig) { resized = sig; }

/* ── where the numbers come from ── */

static json_t *parse(frz_blob *text)
{
    json_error_t e;
    json_t *j = json_loadb(frz_blob_data(text), frz_blob_len(text), 0, &e);
    if (!j) say("the report is no JSON: %s", e.text);
    frz_blob_free(text);
    return j;
}

/* What is on disk. Exit code. */
static int from_disk(const char *path, json_t **out)
{
    frz_error e = {0};
    frz_db *db;
    frz_blob *text = NULL;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    int rc = frz_db_open(path, &o, &db, &e);
    if (rc != FRZ_OK) return fail(&e, rc);
    rc = frz_db_report(db, &text, &e);
    int code = rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
    if (frz_db_close(db, rc == FRZ_OK ? &e : NULL) != FRZ_OK && !code) code = fail(&e, FRZ_IO);
    if (code) return code;
    *out = parse(text);
    return *out ? EXIT_DONE : EXIT_ERROR;
}

int watch_patiently(const char *path, frz_blob **out, frz_error *e)
{
    int rc = frz_watch(path, out, e);
    for (int i = 0; rc == FRZ_BUSY && i < ANSWER_TRIES && !stopped; i++) {
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        rc = frz_watch(path, out, e);
    }
    return rc;
}

/* PATIENT: a writer that was not asked before is given time to answer. */
static int take(const char *path, bool patient, json_t **out, struct view *v, bool *live)
{
    frz_error e = {0};
    frz_blob *text = NULL;
    int rc = patient ? watch_patiently(path, &text, &e) : frz_watch(path, &text, &e);
    *live = rc == FRZ_OK;
    v->silent = rc == FRZ_BUSY;
    if (rc != FRZ_OK) return from_disk(path, out);
    *out = parse(text);
    return *out ? EXIT_DONE : EXIT_ERROR;
}

/* ── numbers and lines ── */

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }
static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* A second since BEFORE; 0 where it is not known, or where the writer began anew. */
static double rate(const struct view *v, const json_t *now, const json_t *before, const char *key)
{
    double d = number(now, key) - number(before, key);
    return before && v->seconds > 0 && d > 0 ? d / v->seconds : 0;
}

static const char *short_number(double n, char out[16])
{
    static const char units[] = " kMGTP";
    int u = 0;
    while (n >= 999.5 && units[u + 1]) n /= 1000, u++;
    if (u == 0) snprintf(out, 16, n == (double)(long long)n || n >= 10 ? "%.0f" : "%.1f", n);
    else snprintf(out, 16, n < 9.95 ? "%.1f%c" : "%.0f%c", n, units[u]);
    return out;
}
static const char *short_bytes(double n, char out[16])
{
    static const char *const units[] = {"B", "K", "M", "G", "T", "P"};
    int u = 0;
    while (n >= 1023.5 && u < 5) n /= 1024, u++;
    snprintf(out, 16, u && n < 9.95 ? "%.1f%s" : "%.0f%s", n, units[u]);
    return out;
}
static const char *short_time(double us, char out[16])
{
    if (us < 1000) snprintf(out, 16, "%.0fus", us);
    else if (us < 1e6) snprintf(out, 16, us < 9.95e3 ? "%.1fms" : "%.0fms", us / 1e3);
    else if (us < 120e6) snprintf(out, 16, "%.1fs", us / 1e6);
    else if (us < 7200e6) snprintf(out, 16, "%.0fmin", us / 60e6);
    else snprintf(out, 16, "%.0fh", us / 3600e6);
    return out;
}

/* One line, no wider than the terminal; what a table or a message brings is printed plainly. */
static void line(struct view *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(struct view *v, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    if (!v->plain && v->used + 1 >= v->lines) return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (!v->plain && len > (size_t)v->columns) len = (size_t)v->columns;
    while (len && !v->plain && ((unsigned char)text[len] & 0xC0) == 0x80) len--;
    print_plain(stdout, text, len);
    fputs(v->plain ? "\n" : "\033[K\r\n", stdout);
    v->used++;
}

/* ── what is shown ── */

static const json_t *same_table(const struct view *v, const char *name)
{
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(v->before, "tables"), i, t) if (strcmp(text_of(t, "name"), name) == 0) return json_object_get(t, "stats");
    return NULL;
}

/* By class, as docs/memory.md has them; what only snapshots hold is part of the memtables. */
static void show_memory(struct view *v, const json_t *s)
{
    static const char *const classes[] = {"memtables", "cache", "jobs", "metadata", "calls"};
    char each[256] = "", sum[16], budget[16], pinned[16];
    double all = 0;
    if (!v->live) return; /* a look at the disk has only its own */
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        char key[64], now[16];
        size_t at = strlen(each);
        snprintf(key, sizeof key, "memory_%s", classes[i]);
        all += number(s, key);
        snprintf(each + at, sizeof each - at, "   %s %s", classes[i], short_bytes(number(s, key), now));
    }
    line(v, "memory %s of %s%s   pinned %s", short_bytes(all, sum), short_bytes(number(s, "memory_budget"), budget), each, short_bytes(number(s, "memory_pinned"), pinned));
}

/* Shares of the time are summed over writers, so there may be more than 100 % of it; a reason is named once it has been one. */
static void show_stalls(struct view *v, const json_t *s, const json_t *b)
{
    static const char *const reasons[] = {"memtables", "memory", "runs", "debt"};
    line(v, "stalled %.1f%% of the time (%.0f writes so far), held up %.1f%%", rate(v, s, b, "stall_us_total") / 1e4, number(s, "stalls"), rate(v, s, b, "slowdown_us_total") / 1e4);
    if (number(s, "runs_beyond") > 0 || number(s, "debt_bytes") > 0) {
        char debt[16], digest[16];
        line(v, "compaction is behind by %.0f runs, %s; it takes %s/s from level 0", number(s, "runs_beyond"), short_bytes(number(s, "debt_bytes"), debt), short_bytes(number(s, "digest_bytes_per_second"), digest));
    }
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char stalls[64], stalled[64], longest[64], slowdowns[64], slowed[64], max[16];
        snprintf(stalls, sizeof stalls, "stalls_%s", reasons[i]);
        snprintf(stalled, sizeof stalled, "stall_%s_us_total", reasons[i]);
        snprintf(longest, sizeof longest, "stall_%s_us_max", reasons[i]);
        snprintf(slowdowns, sizeof slowdowns, "slowdowns_%s", reasons[i]);
        snprintf(slowed, sizeof slowed, "slowdown_%s_us_total", reasons[i]);
        if (number(s, stalls) == 0 && number(s, slowdowns) == 0) continue;
        line(v, "  for %-10s stalled %.1f%% (%.0f writes, the longest %s), held up %.1f%% (%.0f writes)", reasons[i], rate(v, s, b, stalled) / 1e4, number(s, stalls), short_time(number(s, longest), max),
             rate(v, s, b, slowed) / 1e4, number(s, slowdowns));
    }
}

static void show_head(struct view *v)
{
    const json_t *s = json_object_get(v->now, "stats"), *b = json_object_get(v->before, "stats");
    char a[16], c[16], d[16], e[16];
    time_t seconds = (time_t)(number(v->now, "time_us") / 1e6);
    struct tm tm;
    char when[32];
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
    if (v->live) line(v, "frazil %s  %s  written by process %.0f", when, text_of(v->now, "root"), number(v->now, "pid"));
    else line(v, "frazil %s  %s  %s: what is on disk", when, text_of(v->now, "root"), v->silent ? "its writer does not answer" : "nobody writes");
    line(v, "writes %s/s in %s groups/s   gets %s/s (%.2f files each)   log %s/s, %s syncs/s, %.0f segments", short_number(rate(v, s, b, "writes"), a), short_number(rate(v, s, b, "write_groups"), c),
         short_number(rate(v, s, b, "gets"), d), number(s, "files_per_get"), short_bytes(rate(v, s, b, "log_bytes"), e), short_number(rate(v, s, b, "log_syncs"), (char[16]){0}), number(s, "log_segments"));
    line(v, "cache %s, %.0f%% hits   memtables %s   lag %s   pins %.0f, oldest %s   write amplification %.2f, space %.2f", short_bytes(number(s, "cache_bytes"), a), 100 * number(s, "cache_hit_ratio"),
         short_bytes(number(s, "memtable_bytes"), c), short_time(number(s, "publish_lag_us"), d), number(s, "pins"), short_time(number(s, "oldest_pin_us"), e), number(s, "write_amplification"),
         number(s, "space_amplification"));
    show_memory(v, s);
    show_stalls(v, s, b);
}

static void show_health(struct view *v)
{
    const json_t *h = json_object_get(v->now, "health");
    if (number(h, "severity") == 0) return;
    line(v, "! %s: %s %s of %s, %.0f tries: %s", text_of(h, "state"), text_of(h, "class"), text_of(h, "part"), text_of(h, "table")[0] ? text_of(h, "table") : "the database", number(h, "tries"), text_of(h, "message"));
    line(v, "  %s", text_of(h, "advice"));
}

static void show_tables(struct view *v)
{
    size_t i, k;
    json_t *t, *l;
    char a[16], b[16], c[16], d[16], e[16], f[16];
    line(v, "%s", "");
    line(v, "%-24s %8s %6s %6s %5s %8s %8s %8s %8s %s", "TABLE", "ROWS", "FILES", "BYTES", "DEAD", "PUT/S", "MEMORY", "LAG", "FLUSH99", "STATE");
    json_array_foreach(json_object_get(v->now, "tables"), i, t)
    {
        const json_t *s = json_object_get(t, "stats"), *before = same_table(v, text_of(t, "name"));
        double rows = number(s, "rows_live"), dead = number(s, "rows_dead");
        line(v, "%-24s %8s %6s %6s %4.0f%% %8s %8s %8s %8s %s", text_of(t, "name"), short_number(rows, a), short_number(number(s, "data_files"), b), short_bytes(number(s, "data_bytes"), c),
             rows + dead > 0 ? 100 * dead / (rows + dead) : 0, short_number(rate(v, s, before, "rows_put"), d), short_bytes(number(s, "memtable_bytes"), e), short_time(number(s, "publish_lag_us"), f),
             short_time(number(s, "flush_us_p99"), (char[16]){0}), text_of(json_object_get(t, "health"), "state"));
        json_array_foreach(json_object_get(t, "levels"), k, l)
            line(v, "  level %-16.0f %8s %6.0f %6s %4.0f%% %8.0f runs", number(l, "level"), short_number(number(l, "rows") - number(l, "rows_dead"), a), number(l, "files"), short_bytes(number(l, "bytes"), b),
                 number(l, "rows") > 0 ? 100 * number(l, "rows_dead") / number(l, "rows") : 0, number(l, "runs"));
    }
}

static void show_jobs(struct view *v)
{
    size_t i;
    json_t *j;
    char a[16], b[16], c[16];
    if (json_array_size(json_object_get(v->now, "jobs")) == 0) return;
    line(v, "%s", "");
    line(v, "%-12s %-24s %-8s %8s %8s %8s %s", "JOB", "TABLE", "PHASE", "TIME", "ROWS", "OF", "REASON");
    json_array_foreach(json_object_get(v->now, "jobs"), i, j)
        line(v, "%-12s %-24s %-8s %8s %8s %8s %s", text_of(j, "kind"), text_of(j, "table"), text_of(j, "phase"), short_time(number(j, "duration_us"), a), short_number(number(j, "rows_done"), b),
             number(j, "rows_total") > 0 ? short_number(number(j, "rows_total"), c) : "?", text_of(j, "reason"));
}

/* The last ones, as many as there is room for. */
static void show_events(struct view *v)
{
    const json_t *events = json_object_get(v->now, "events");
    size_t count = json_array_size(events), room = v->plain ? 8 : v->lines > v->used + 4 ? (size_t)(v->lines - v->used - 4) : 0;
    if (!count || !room) return;
    line(v, "%s", "");
    line(v, "EVENTS");
    for (size_t i = count > room ? count - room : 0; i < count; i++) {
        const json_t *e = json_array_get(events, i);
        char a[16], when[16];
        struct tm tm;
        time_t seconds = (time_t)(number(e, "timestamp_us") / 1e6);
        strftime(when, sizeof when, "%H:%M:%S", gmtime_r(&seconds, &tm));
        line(v, "%s %-18s %-24s %8s %s %s", when, text_of(e, "kind"), text_of(e, "table"), number(e, "duration_us") > 0 ? short_time(number(e, "duration_us"), a) : "", text_of(e, "reason"), text_of(e, "message"));
    }
}

static void show(struct view *v)
{
    v->used = 0;
    if (!v->plain) fputs("\033[H", stdout);
    show_head(v);
    show_health(v);
    show_jobs(v);
    show_tables(v);
    show_events(v);
    if (!v->plain) fputs("\033[J", stdout);
    fflush(stdout);
}

static void show_json(const json_t *report)
{
    char *text = json_dumps(report, JSON_COMPACT);
    if (text) puts(text);
    free(text);
    fflush(stdout);
}

/* ── the loop ── */

static void size_of_terminal(struct view *v)
{
    struct winsize w = {0};
    resized = 0;
    v->lines = 24;
    v->columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col) {
        v->lines = w.ws_row;
        v->columns = w.ws_col;
    }
}

static void wait_for(double seconds)
{
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (!stopped && !resized && nanosleep(&left, &left) < 0) {}
}

static void shift(struct view *v, json_t *fresh, bool live)
{
    bool same = v->now && live && v->live && number(v->now, "pid") == number(fresh, "pid");
    if (same && number(v->now, "time_us") == number(fresh, "time_us")) { /* nothing said since */
        json_decref(fresh);
        return;
    }
    json_decref(v->before);
    v->before = same ? v->now : NULL;
    if (!same) json_decref(v->now);
    v->now = fresh;
    v->live = live;
    v->seconds = v->before ? (number(v->now, "time_us") - number(v->before, "time_us")) / 1e6 : 0;
}

int cmd_top(struct args *a)
{
    struct view v = {0};
    const char *text = args_get(a, "interval");
    char *end = NULL;
    double interval = text ? strtod(text, &end) : 2;
    bool once = args_has(a, "once"), json = args_has(a, "json");
    if (text && (*end || end == text || !(interval >= 0.1 && interval <= 3600))) return usage("--interval %s: expected 0.1 to 3600 seconds", text);
    v.plain = once || json || !isatty(STDOUT_FILENO);
    size_of_terminal(&v);
    if (!v.plain) {
        signal(SIGINT, on_stop);
        signal(SIGTERM, on_stop);
        signal(SIGWINCH, on_resize);
        fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
    }
    int code = EXIT_DONE, looks = 0;
    for (bool first = true; !stopped && code == EXIT_DONE; first = false) {
        json_t *fresh = NULL;
        bool live = false;
        code = take(a->words[0], first, &fresh, &v, &live);
        if (code) break;
        shift(&v, fresh, live);
        if (once && live && !json && !v.before && looks++ < ANSWER_TRIES) { /* rates need two of them */
            wait_for(0.1);
            continue;
        }
        if (resized) size_of_terminal(&v);
        if (json) show_json(v.now);
        else show(&v);
        if (once) break;
        wait_for(interval);
    }
    if (!v.plain) fputs("\033[?25h\033[?1049l", stdout);
    json_decref(v.now);
    json_decref(v.before);
    return code;
}
