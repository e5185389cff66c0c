/* ask.c — five questions about the flights, answered by frazil's own cursor: one JSON line each, with the milliseconds that it took.
 *
 *     frazil_ask DB TAILNUM                                                                                                     */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frazil.h"

struct question {
    frz_table *table;
    struct timespec since;
};

static void check(int rc, const frz_error *e)
{
    if (rc == FRZ_OK) return;
    fprintf(stderr, "frazil_ask: %s\n", e->message);
    exit(1);
}

static size_t column(const frz_schema *s, const char *name)
{
    size_t i = 0;
    frz_error e = {.message = "a column is missing"};
    check(frz_schema_find(s, name, &i), &e);
    return i;
}

static frz_cursor *ask(struct question *q, const size_t *columns, size_t count, const char *where)
{
    frz_error e = {0};
    frz_cursor *c = NULL;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.columns = columns;
    o.column_count = count;
    o.where = where;
    check(frz_scan(q->table, &o, &c, &e), &e);
    return c;
}

static const frz_row *next(frz_cursor *c)
{
    frz_error e = {0};
    const frz_row *row = NULL;
    int rc = frz_cursor_next(c, &row, &e);
    if (rc == FRZ_DONE) {
        frz_cursor_close(c);
        return NULL;
    }
    check(rc, &e);
    return row;
}

static void copy_text(const frz_row *row, size_t index, char *out, size_t bytes)
{
    size_t len = 0;
    const char *s = frz_row_bytes(row, index, &len);
    snprintf(out, bytes, "%.*s", (int)len, s ? s : "");
}

static void begin(struct question *q) { clock_gettime(CLOCK_MONOTONIC, &q->since); }
static void end(struct question *q)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf(",\"ms\":%.1f}\n", (double)(now.tv_sec - q->since.tv_sec) * 1e3 + (double)(now.tv_nsec - q->since.tv_nsec) / 1e6);
}

static void rows(struct question *q)
{
    frz_error e = {0};
    uint64_t count = 0;
    begin(q);
    check(frz_count(q->table, NULL, &count, &e), &e);
    printf("{\"answer\":%llu", (unsigned long long)count);
    end(q);
}

static void delay_by_carrier(struct question *q, const frz_schema *s)
{
    struct { char name[4]; int64_t sum, count; } by[64] = {{{0}, 0, 0}};
    size_t n = 0, columns[] = {column(s, "carrier"), column(s, "dep_delay")};
    begin(q);
    frz_cursor *c = ask(q, columns, 2, "dep_delay IS NOT NULL");
    for (const frz_row *row; (row = next(c)) != NULL;) {
        char name[4];
        size_t i = 0;
        copy_text(row, columns[0], name, sizeof name);
        while (i < n && strcmp(by[i].name, name) != 0) i++;
        if (i == n) {
            if (n == 64) exit(1);
            memcpy(by[n++].name, name, sizeof name);
        }
        by[i].sum += frz_row_int(row, columns[1]);
        by[i].count++;
    }
    printf("{\"answer\":[");
    for (size_t i = 0; i < n; i++) printf("%s[\"%s\",%lld,%lld]", i ? "," : "", by[i].name, (long long)by[i].sum, (long long)by[i].count);
    printf("]");
    end(q);
}

static void rows_by_month(struct question *q, const frz_schema *s)
{
    int64_t by[13] = {0};
    size_t columns[] = {column(s, "month")};
    begin(q);
    frz_cursor *c = ask(q, columns, 1, NULL);
    for (const frz_row *row; (row = next(c)) != NULL;) {
        int32_t month = frz_row_int(row, columns[0]);
        by[month >= 1 && month <= 12 ? month : 0]++;
    }
    printf("{\"answer\":[");
    for (int m = 1; m <= 12; m++) printf("%s[%d,%lld]", m > 1 ? "," : "", m, (long long)by[m]);
    printf("]");
    end(q);
}

static void longest_flight(struct question *q, const frz_schema *s)
{
    char from[8] = "", to[8] = "";
    int32_t longest = 0;
    size_t columns[] = {column(s, "origin"), column(s, "dest"), column(s, "air_time")};
    begin(q);
    frz_cursor *c = ask(q, columns, 3, "air_time > 600");
    for (const frz_row *row; (row = next(c)) != NULL;) {
        if (frz_row_int(row, columns[2]) <= longest) continue;
        longest = frz_row_int(row, columns[2]);
        copy_text(row, columns[0], from, sizeof from);
        copy_text(row, columns[1], to, sizeof to);
    }
    printf("{\"answer\":[\"%s\",\"%s\",%d]", from, to, longest);
    end(q);
}

static void one_aircraft(struct question *q, const frz_schema *s, const char *tailnum)
{
    char where[96];
    int64_t arrived = 0, miles = 0, rows_of = 0;
    size_t columns[] = {column(s, "status"), column(s, "distance")};
    snprintf(where, sizeof where, "tailnum = '%s'", tailnum);
    begin(q);
    frz_cursor *c = ask(q, columns, 2, where);
    for (const frz_row *row; (row = next(c)) != NULL; rows_of++) {
        char status[16];
        copy_text(row, columns[0], status, sizeof status);
        if (strcmp(status, "arrived") != 0) continue;
        arrived++;
        miles += frz_row_int(row, columns[1]);
    }
    printf("{\"answer\":[%lld,%lld,%lld]", (long long)rows_of, (long long)arrived, (long long)miles);
    end(q);
}

int main(int argc, char **argv)
{
    frz_error e = {0};
    frz_db *db = NULL;
    frz_schema *s = NULL;
    struct question q = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    if (argc != 3) {
        fprintf(stderr, "usage: frazil_ask DB TAILNUM\n");
        return 2;
    }
    o.read_only = true;
    check(frz_db_open(argv[1], &o, &db, &e), &e);
    check(frz_table_open(db, "flights", &q.table, &e), &e);
    check(frz_table_schema(q.table, &s, &e), &e);
    rows(&q);
    delay_by_carrier(&q, s);
    rows_by_month(&q, s);
    longest_flight(&q, s);
    one_aircraft(&q, s, argv[2]);
    frz_schema_free(s);
    check(frz_db_close(db, &e), &e);
    return 0;
}
