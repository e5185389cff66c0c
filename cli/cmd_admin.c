#include <string.h>

#include "cli.h"

int cmd_flush(struct args *a)
{
    frz_error e = {0};
    struct session s;
    bool one = a->word_count > 1;
    int code = session_open(&s, a, MODE_WRITE, one);
    if (code) return code;
    int rc = one ? frz_table_flush(s.table, &e) : frz_db_flush(s.db, &e);
    if (rc == FRZ_OK && args_has(a, "json")) printf("{\"flushed\":true}\n");
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

int cmd_stats(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_blob *text = NULL;
    if (args_has(a, "json") && args_has(a, "openmetrics")) return usage("--json and --openmetrics exclude each other");
    int code = session_open(&s, a, MODE_READ, a->word_count > 1);
    if (code) return code;
    bool json = args_has(a, "json");
    int rc = args_has(a, "openmetrics") ? frz_db_metrics(s.db, s.table, &text, &e) : frz_db_stats_text(s.db, s.table, json, &text, &e);
    if (rc == FRZ_OK) printf("%s%s", frz_blob_data(text), json ? "\n" : "");
    frz_blob_free(text);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

static int print_file(void *ctx, const frz_file_info *i)
{
    if (*(bool *)ctx) {
        printf("{\"path\":");
        print_json_string(stdout, i->path, strlen(i->path));
        printf(",\"content\":\"%s\",\"format\":\"%s\",\"rows\":%llu,\"rows-masked\":%llu,\"bytes\":%llu,\"sequence-number\":%lld}\n", i->content ? "deletes" : "data", i->format, (unsigned long long)i->rows,
               (unsigned long long)i->rows_masked, (unsigned long long)i->bytes, (long long)i->sequence_number);
    } else {
        printf("%-7s %-8s %12llu rows %12llu masked %12llu bytes  %s\n", i->content ? "deletes" : "data", i->format, (unsigned long long)i->rows, (unsigned long long)i->rows_masked, (unsigned long long)i->bytes,
               i->path);
    }
    return 0;
}

int cmd_files(struct args *a)
{
    frz_error e = {0};
    struct session s;
    bool json = args_has(a, "json");
    int code = session_open(&s, a, MODE_READ, true);
    if (code) return code;
    int rc = frz_table_files(s.table, NULL, print_file, &json, &e);
    return session_close(&s, rc == FRZ_OK ? EXIT_DONE : fail(&e, rc));
}

static int print_finding(void *ctx, const frz_finding *f)
{
    if (*(bool *)ctx) {
        printf("{\"table\":");
        print_json_string(stdout, f->table, strlen(f->table));
        printf(",\"where\":");
        print_json_string(stdout, f->where, strlen(f->where));
        printf(",\"what\":");
        print_json_string(stdout, f->what, strlen(f->what));
        printf("}\n");
    } else {
        printf("%s: ", f->table);
        print_plain(stdout, f->where, strlen(f->where));
        fputs(": ", stdout);
        print_plain(stdout, f->what, strlen(f->what));
        putchar('\n');
    }
    return 0;
}

int cmd_verify(struct args *a)
{
    frz_error e = {0};
    struct session s;
    frz_verify_report r = {.struct_size = sizeof r};
    bool json = args_has(a, "json");
    int code = session_open(&s, a, MODE_READ, false);
    if (code) return code;
    int rc = FRZ_OK;
    if (a->word_count > 1) rc = frz_table_open(s.db, a->words[1], &s.table, &e);
    if (rc == FRZ_OK) rc = frz_verify(s.db, s.table, print_finding, &json, &r, &e);
    if (rc != FRZ_OK) return session_close(&s, fail(&e, rc));
    printf(json ? "{\"tables\":%llu,\"files\":%llu,\"rows\":%llu,\"pages\":%llu,\"bytes\":%llu,\"findings\":%llu}\n" : "%llu tables, %llu files, %llu rows, %llu pages, %llu bytes: %llu findings\n",
           (unsigned long long)r.tables, (unsigned long long)r.files, (unsigned long long)r.rows, (unsigned long long)r.pages, (unsigned long long)r.bytes, (unsigned long long)r.findings);
    return session_close(&s, r.findings ? EXIT_ERROR : EXIT_DONE);
}
