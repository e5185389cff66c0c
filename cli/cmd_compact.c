#include <signal.h>
#include <string.h>

#include "import.h"

static volatile sig_atomic_t stop;
static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

struct compacting { struct progress bar; bool json; };

static int on_progress(void *ctx, const frz_compact_progress *p)
{
    struct compacting *c = (struct compacting *)ctx;
    c->bar.total = p->bytes_total;
    if (p->phase != FRZ_COMPACT_FLUSH) progress_draw(&c->bar, p->rows_done, p->bytes_done);
    return stop;
}

static int on_file(void *ctx, const frz_compact_file *f)
{
    struct compacting *c = (struct compacting *)ctx;
    if (c->json) {
        printf("{\"path\":");
        print_json_string(stdout, f->path, strlen(f->path));
        printf(",\"level\":%d,\"reason\":\"%s\",\"rows\":%llu,\"rows-masked\":%llu,\"bytes\":%llu}\n", (int)f->level, f->reason, (unsigned long long)f->rows, (unsigned long long)f->rows_masked, (unsigned long long)f->bytes);
    } else {
        printf("level %-2d %-7s %12llu rows %12llu masked %12llu bytes  %s\n", (int)f->level, f->reason, (unsigned long long)f->rows, (unsigned long long)f->rows_masked, (unsigned long long)f->bytes, f->path);
    }
    return stop;
}

static void print_result(const frz_compact_result *r, bool json, bool dry)
{
    double seconds = (double)r->elapsed_us / 1e6;
    if (json && !dry)
        printf("{\"jobs\":%llu,\"files-in\":%llu,\"files-out\":%llu,\"bytes-in\":%llu,\"bytes-out\":%llu,\"rows-in\":%llu,\"rows-out\":%llu,\"rows-masked\":%llu,\"seconds\":%.3f}\n", (unsigned long long)r->jobs,
               (unsigned long long)r->files_in, (unsigned long long)r->files_out, (unsigned long long)r->bytes_in, (unsigned long long)r->bytes_out, (unsigned long long)r->rows_in, (unsigned long long)r->rows_out,
               (unsigned long long)r->rows_masked, seconds);
    else if (dry && !json)
        printf("%llu files, %llu bytes to rewrite, %llu rows masked\n", (unsigned long long)r->files_in, (unsigned long long)r->bytes_in, (unsigned long long)r->rows_masked);
    else if (!json && !r->jobs)
        printf("nothing to do\n");
    else if (!json)
        printf("%llu files, %llu bytes became %llu files, %llu bytes; %llu masked rows dropped; %llu rows in %.1f s (%.0f rows/s)\n", (unsigned long long)r->files_in, (unsigned long long)r->bytes_in,
               (unsigned long long)r->files_out, (unsigned long long)r->bytes_out, (unsigned long long)r->rows_masked, (unsigned long long)r->rows_out, seconds, (double)r->rows_out / (seconds > 0 ? seconds : 1e-6));
}

int cmd_compact(struct args *a)
{
    frz_error e = {0};
    struct session s;
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    struct compacting c = {.json = args_has(a, "json")};
    frz_value from[KEY_COLUMNS_MAX], to[KEY_COLUMNS_MAX];
    frz_blob *scratch[2] = {NULL, NULL};
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    frz_compact_result r = FRZ_INIT(frz_compact_result);
    bool quiet = args_has(a, "quiet");
    o.dry_run = args_has(a, "dry-run");
    int code = session_open(&s, a, o.dry_run ? MODE_READ : MODE_WRITE, true);
    if (code) return code;
    if (args_get(a, "from")) code = session_key(&s, args_get(a, "from"), from, &o.from_count, &scratch[0]);
    if (code == 0 && args_get(a, "to")) code = session_key(&s, args_get(a, "to"), to, &o.to_count, &scratch[1]);
    if (code == 0) {
        o.from = o.from_count ? from : NULL;
        o.to = o.to_count ? to : NULL;
        o.progress = on_progress;
        o.file = on_file;
        o.ctx = &c;
        sigaction(SIGINT, &sa, NULL); /* a second one ends the process at once: nothing is lost by that either */
        sigaction(SIGTERM, &sa, NULL);
        progress_start(&c.bar, 0, !quiet && !c.json && !o.dry_run);
        int rc = frz_table_compact(s.table, &o, &r, &e);
        progress_clear(&c.bar);
        if (rc == FRZ_CANCELLED && stop) {
            say("cancelled: %llu jobs are published, what the last one had written is removed", (unsigned long long)r.jobs);
            code = EXIT_ERROR;
        } else if (rc != FRZ_OK) {
            code = fail(&e, rc);
        } else if (!quiet) {
            print_result(&r, c.json, o.dry_run);
        }
    }
    frz_blob_free(scratch[0]);
    frz_blob_free(scratch[1]);
    return session_close(&s, code);
}
