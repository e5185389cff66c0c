/* doctor: what is wrong, why, and what to set. */
#include <string.h>

#include "cli.h"

struct heard { bool json; unsigned count[4]; };

static void field(const char *name, const char *value, bool last)
{
    printf("\"%s\":", name);
    print_json_string(stdout, value ? value : "", value ? strlen(value) : 0);
    fputs(last ? "}\n" : ",", stdout);
}

static int hear(void *ctx, const frz_diagnosis *d)
{
    static const char *const names[] = {"", "advice", "warning", "error"};
    struct heard *h = (struct heard *)ctx;
    const char *severity = d->severity > 0 && d->severity < 4 ? names[d->severity] : names[1];
    if (d->severity > 0 && d->severity < 4) h->count[d->severity]++;
    if (h->json) {
        putchar('{');
        field("severity", severity, false);
        field("code", d->code, false);
        field("table", d->table, false);
        field("what", d->what, false);
        field("evidence", d->evidence, false);
        field("remedy", d->remedy, true);
        return 0;
    }
    printf("%s %s%s%s: %s\n    ", severity, d->code, d->table ? " of " : "", d->table ? d->table : "", d->what);
    print_plain(stdout, d->evidence, strlen(d->evidence));
    printf("\n    do: %s\n", d->remedy);
    return 0;
}

int cmd_doctor(struct args *a)
{
    frz_error e = {0};
    frz_db *db;
    frz_blob *live = NULL;
    struct heard h = {.json = args_has(a, "json")};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    int rc = frz_db_open(a->words[0], &o, &db, &e);
    if (rc != FRZ_OK) return fail(&e, rc);
    rc = watch_patiently(a->words[0], &live, &e);
    const char *unknown = rc == FRZ_OK ? "" : rc == FRZ_BUSY ? "; its writer does not answer: rates and waits are not known" : "; nobody writes: rates and waits are not known";
    rc = frz_db_doctor(db, rc == FRZ_OK ? frz_blob_data(live) : NULL, rc == FRZ_OK ? frz_blob_len(live) : 0, hear, &h, &e);
    int code = rc == FRZ_OK ? EXIT_DONE : fail(&e, rc);
    if (code == EXIT_DONE && !h.json) printf("%u errors, %u warnings, %u pieces of advice%s\n", h.count[3], h.count[2], h.count[1], unknown);
    frz_blob_free(live);
    if (frz_db_close(db, &e) != FRZ_OK && !code) code = fail(&e, FRZ_IO);
    return code ? code : h.count[2] + h.count[3] ? EXIT_ERROR : EXIT_DONE;
}
