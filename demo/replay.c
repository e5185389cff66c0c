/* replay.c — a year of flights as it happened: each flight is scheduled, departs and arrives (three upserts of its row), or is cancelled (a delete).
 *
 *     frazil_replay DB FLIGHTS.CSV
 *
 * Events go in batches. A batch also upserts the row {id: 0, done: n} of the table `replay`: batches are atomic over tables, so what has happened and how far the replay has come are
 * the same after any crash. Each batch's end is said on stdout once it is durable: whoever kills this process knows what it must find. Started again, it goes on from `done`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frazil.h"

enum { BATCH_EVENTS = 500, FLUSH_EVENTS = 100000, COLUMNS = 19 };
enum kind { SCHEDULED, CANCELLED, DEPARTED, ARRIVED };
enum { YEAR, MONTH, DAY, DEP_TIME, SCHED_DEP_TIME, DEP_DELAY, ARR_TIME, SCHED_ARR_TIME, ARR_DELAY, CARRIER, FLIGHT, TAILNUM, ORIGIN, DEST, AIR_TIME, DISTANCE, HOUR, MINUTE, TIME_HOUR, STATUS };

struct flight {
    const char *field[COLUMNS]; /* "NA" = none */
};
struct event {
    int64_t minute; /* since 1970, UTC */
    uint32_t flight;
    uint32_t kind;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "frazil_replay: %s: %s\n", what, why);
    exit(1);
}
static void check(int rc, const char *what, const frz_error *e)
{
    if (rc != FRZ_OK) die(what, e->message);
}
static void *must(void *p)
{
    if (!p) die("memory", "none is left");
    return p;
}
static bool has(const struct flight *f, int column) { return strcmp(f->field[column], "NA") != 0; }
static int64_t number(const struct flight *f, int column) { return has(f, column) ? strtoll(f->field[column], NULL, 10) : 0; }

/* ── the CSV: no field of it is quoted ── */

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) die(path, "can't be read");
    long bytes = ftell(f);
    rewind(f);
    char *text = must(malloc((size_t)bytes + 1));
    if (fread(text, 1, (size_t)bytes, f) != (size_t)bytes) die(path, "can't be read");
    text[bytes] = 0;
    fclose(f);
    return text;
}

static size_t parse(char *text, struct flight **out)
{
    size_t count = 0, cap = 0;
    char *line_end = NULL;
    strtok_r(text, "\n", &line_end); /* the head */
    for (char *line; (line = strtok_r(NULL, "\n", &line_end)) != NULL;) {
        if (count == cap) *out = must(realloc(*out, (cap = cap * 2 + 4096) * sizeof **out));
        struct flight *f = &(*out)[count++];
        char *field_end = NULL;
        for (int i = 0; i < COLUMNS; i++)
            if ((f->field[i] = strtok_r(i ? NULL : line, ",\r", &field_end)) == NULL) die(line, "too few fields");
    }
    return count;
}

/* ── events, in the order of time ── */

/* The scheduled hour in UTC ("2013-01-01T10:00:00Z") and the minute. */
static int64_t scheduled_minute(const struct flight *f)
{
    int y, m, d, h;
    if (sscanf(f->field[TIME_HOUR], "%d-%d-%dT%d", &y, &m, &d, &h) != 4) die("time_hour", f->field[TIME_HOUR]);
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t days = (int64_t)(y - 1970) * 365 + (y - 1969) / 4 + before[m - 1] + (m > 2 && y % 4 == 0) + d - 1;
    return (days * 24 + h) * 60 + number(f, MINUTE);
}

static int in_time(const void *a, const void *b)
{
    const struct event *x = (const struct event *)a, *y = (const struct event *)b;
    if (x->minute != y->minute) return x->minute < y->minute ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return (x->flight > y->flight) - (x->flight < y->flight);
}

static size_t make_events(const struct flight *flights, size_t count, struct event **out)
{
    struct event *e = must(malloc((count * 3 + 1) * sizeof *e));
    size_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct flight *f = &flights[i];
        int64_t at = scheduled_minute(f);
        e[n++] = (struct event){at - 24 * 60, i, SCHEDULED};
        if (!has(f, DEP_TIME)) {
            e[n++] = (struct event){at, i, CANCELLED};
            continue;
        }
        at += number(f, DEP_DELAY);
        e[n++] = (struct event){at, i, DEPARTED};
        if (has(f, ARR_TIME)) e[n++] = (struct event){at + (has(f, AIR_TIME) ? number(f, AIR_TIME) : 600), i, ARRIVED}; /* else it came down elsewhere */
    }
    qsort(e, n, sizeof *e, in_time);
    *out = e;
    return n;
}

/* ── one event as one operation ── */

/* What is not known yet is null. */
static bool known(int column, enum kind kind)
{
    switch (column) {
    case DEP_TIME: case DEP_DELAY: return kind >= DEPARTED;
    case ARR_TIME: case ARR_DELAY: case AIR_TIME: return kind >= ARRIVED;
    default: return true;
    }
}

static void add(frz_batch *batch, frz_table *table, frz_row *row, const struct flight *f, enum kind kind)
{
    static const char *const status[] = {"scheduled", "cancelled", "departed", "arrived"};
    static const int key_columns[] = {TIME_HOUR, CARRIER, FLIGHT};
    frz_error e = {0};
    frz_row_clear(row);
    for (int i = 0; i < COLUMNS; i++) {
        if (has(f, i) && known(i, kind)) check(frz_row_set_text(row, (size_t)i, f->field[i], strlen(f->field[i]), &e), "set", &e);
    }
    if (kind == CANCELLED) {
        frz_value key[3];
        for (int i = 0; i < 3; i++)
            if (frz_row_get(row, (size_t)key_columns[i], &key[i]) != FRZ_OK) die("key", "is not set");
        check(frz_batch_delete(batch, table, key, 3, &e), "delete", &e);
        return;
    }
    check(frz_row_set_string(row, STATUS, status[kind], strlen(status[kind]), &e), "set", &e);
    check(frz_batch_put(batch, table, row, &e), "put", &e);
}

int main(int argc, char **argv)
{
    frz_error e = {0};
    frz_db *db = NULL;
    frz_table *flights = NULL, *progress = NULL;
    frz_batch *batch = NULL;
    frz_row *row = NULL, *mark = NULL;
    struct flight *flight = NULL;
    struct event *event = NULL;
    if (argc != 3) die("usage", "frazil_replay DB FLIGHTS.CSV");
    char *text = read_all(argv[2]);
    size_t flight_count = parse(text, &flight), count = make_events(flight, flight_count, &event), done = 0;
    check(frz_db_open(argv[1], NULL, &db, &e), argv[1], &e);
    check(frz_table_open(db, "flights", &flights, &e), "flights", &e);
    check(frz_table_open(db, "replay", &progress, &e), "replay", &e);
    check(frz_row_new(flights, &row, &e), "row", &e);
    check(frz_row_new(progress, &mark, &e), "row", &e);
    check(frz_batch_new(db, &batch, &e), "batch", &e);
    frz_value zero = {.type = FRZ_INT};
    int rc = frz_get(progress, NULL, &zero, 1, mark, &e);
    if (rc == FRZ_OK) done = (size_t)frz_row_long(mark, 1);
    else if (rc != FRZ_NOT_FOUND) check(rc, "replay", &e);
    frz_stats stats = {.struct_size = sizeof stats};
    check(frz_db_stats(db, NULL, &stats, &e), "stats", &e);
    printf("found %zu of %zu; recovered %" PRIu64 " bytes\n", done, count, stats.recovered_bytes);
    fflush(stdout);
    while (done < count) {
        size_t flush_at = (done / FLUSH_EVENTS + 1) * FLUSH_EVENTS, end = done + BATCH_EVENTS < count ? done + BATCH_EVENTS : count;
        frz_batch_clear(batch);
        for (; done < end; done++) add(batch, flights, row, &flight[event[done].flight], (enum kind)event[done].kind);
        check(frz_row_set_int(mark, 0, 0, &e), "set", &e);
        check(frz_row_set_long(mark, 1, (int64_t)done, &e), "set", &e);
        check(frz_batch_put(batch, progress, mark, &e), "put", &e);
        check(frz_write(db, batch, NULL, NULL, &e), "write", &e);
        printf("acknowledged %zu\n", done);
        fflush(stdout);
        if (done >= flush_at) check(frz_table_flush(flights, &e), "flush", &e);
    }
    frz_batch_free(batch);
    frz_row_free(row);
    frz_row_free(mark);
    check(frz_db_close(db, &e), "close", &e); /* publishes */
    free(event);
    free(flight);
    free(text);
    return 0;
}
