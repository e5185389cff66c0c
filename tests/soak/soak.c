/* soak.c — frazil at full write rate for as long as it is told: updates, inserts and deletes in batches, readers beside them that check every row, a histogram of every write. tests/soak/soak.py starts it, lets other
 * engines read meanwhile, and judges what it says.
 *
 *     soak DIR [--seconds N] [--ops N] [--rows N] [--writers N] [--batch N] [--format 2|3] [--memory MIB] [--seed N] [--property K=V]…
 *
 * Says     a JSON object a line: "sample" each second; "slow" for a write that took half of the limit, with what the database did until it ended; "exact" when a line comes in on standard input: writers paused,
 *          published, what the table must hold; "end". Wrong rows end it at once, with 1
 * Readers  one gets single rows: what it finds lies between what was done before and begun after; one takes whole states: ids ascend, marks fit, balances add up to 0 */
#include <frazil.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "../../bench/churn.h"

enum { ID, GEN, BALANCE, MARK, NOTE };
#define WRITERS_MAX 16
#define SLOW_NS UINT64_C(500000000)

struct soak {
    frz_db *db;
    frz_table *table;
    uint64_t seconds, ops_max, rows, writers, batch, memory, seed;
    int32_t format;
    frz_table_options options;
    struct churn_state *states;
    pthread_rwlock_t pause; /* writers read-lock it for a batch */
    _Atomic bool stop;
    _Atomic uint64_t batches, ops, user_bytes, gets, scans, scanned;
};
struct worker {
    pthread_t thread;
    struct soak *s;
    struct churn churn;
    struct hist hist;
    uint64_t slowest_ns;
};

static void fail(const char *what, const frz_error *e)
{
    fprintf(stderr, "soak: %s%s%s\n", what, e ? ": " : "", e ? e->message : "");
    fflush(NULL);
    _exit(1);
}
#define MUST(expr) do { frz_error e = {0}; if ((expr) != FRZ_OK) fail(#expr, &e); } while (0)

/* ── writers ── */

static void add(frz_batch *batch, frz_table *t, frz_row *row, const struct churn_op *op)
{
    const struct churn_row *r = &op->row;
    if (op->remove) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = r->id};
        MUST(frz_batch_delete(batch, t, &key, 1, &e));
        return;
    }
    MUST(frz_row_set_long(row, ID, r->id, &e));
    MUST(frz_row_set_long(row, GEN, r->gen, &e));
    MUST(frz_row_set_long(row, BALANCE, r->balance, &e));
    MUST(frz_row_set_long(row, MARK, r->mark, &e));
    MUST(frz_row_set_string(row, NOTE, r->note, r->note_len, &e));
    MUST(frz_batch_put(batch, t, row, &e));
}

struct told { int64_t since_us; char text[4096]; size_t len; };
static int tell(void *ctx, const frz_event *e)
{
    struct told *t = (struct told *)ctx;
    if (e->timestamp_us >= t->since_us && t->len < sizeof t->text - 200)
        t->len += (size_t)snprintf(t->text + t->len, 200, "%s[%.3f,%d,\"%.30s\",%.3f]", t->len ? "," : "", (double)(e->timestamp_us - t->since_us) / 1e6, (int)e->kind, e->reason, (double)e->duration_us / 1e6);
    return 0;
}

/* The events since two seconds before it began: [seconds, kind, reason, how long what ended took]. */
static void say_slow(struct soak *s, uint64_t ns)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct told t = {.since_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - (int64_t)(ns / 1000) - 2000000};
    MUST(frz_db_events(s->db, 0, tell, &t, &e));
    flockfile(stdout);
    printf("{\"slow\":%.3f,\"ops\":%" PRIu64 ",\"events\":[%s]}\n", (double)ns / 1e9, atomic_load(&s->ops), t.text);
    fflush(stdout);
    funlockfile(stdout);
}

static void *write_rows(void *arg)
{
    struct worker *w = (struct worker *)arg;
    struct soak *s = w->s;
    frz_batch *batch;
    frz_row *row;
    MUST(frz_batch_new(s->db, &batch, &e));
    MUST(frz_row_new(s->table, &row, &e));
    while (!atomic_load(&s->stop)) {
        pthread_rwlock_rdlock(&s->pause);
        churn_next(&w->churn);
        frz_batch_clear(batch);
        for (size_t i = 0; i < w->churn.count; i++) add(batch, s->table, row, &w->churn.ops[i]);
        churn_begin(&w->churn);
        uint64_t since = bench_ns();
        MUST(frz_write(s->db, batch, NULL, NULL, &e));
        uint64_t ns = bench_ns() - since;
        churn_end(&w->churn);
        pthread_rwlock_unlock(&s->pause);
        hist_add(&w->hist, ns);
        if (ns > w->slowest_ns) w->slowest_ns = ns;
        if (ns >= SLOW_NS) say_slow(s, ns);
        atomic_fetch_add(&s->batches, 1);
        atomic_fetch_add(&s->ops, w->churn.count);
        atomic_fetch_add(&s->user_bytes, churn_bytes(&w->churn));
    }
    frz_row_free(row);
    frz_batch_free(batch);
    return NULL;
}

/* ── readers ── */

static bool whole(const frz_row *row)
{
    return frz_row_long(row, MARK) == churn_mark(frz_row_long(row, ID), frz_row_long(row, GEN));
}

static void *get_rows(void *arg)
{
    struct worker *w = (struct worker *)arg;
    struct soak *s = w->s;
    frz_row *row;
    MUST(frz_row_new(s->table, &row, &e));
    while (!atomic_load(&s->stop)) {
        frz_error e;
        char line[160];
        int64_t id = (int64_t)gen_below(&w->churn.rng, s->rows);
        frz_value key = {.type = FRZ_LONG, .as.i64 = id};
        uint64_t before = atomic_load(&s->states[id].done);
        int rc = frz_get(s->table, NULL, &key, 1, row, &e);
        uint64_t after = atomic_load(&s->states[id].begun);
        if (rc < 0) fail("get", &e);
        uint64_t found = rc == FRZ_OK ? (uint64_t)frz_row_long(row, GEN) : 0;
        bool right = rc == FRZ_OK ? frz_row_long(row, ID) == id && whole(row) && found >= before >> 1 && found <= after >> 1 : before != after || !(before & 1);
        if (rc == FRZ_OK && before == after) right = right && before & 1;
        if (!right) {
            snprintf(line, sizeof line, "get of %" PRId64 ": found gen %" PRIu64 ", expected %" PRIu64 "%s to %" PRIu64 "%s", id, found, before >> 1, before & 1 ? "" : " (dead)", after >> 1, after & 1 ? "" : " (dead)");
            fail(line, NULL);
        }
        atomic_fetch_add_explicit(&s->gets, 1, memory_order_relaxed);
    }
    frz_row_free(row);
    return NULL;
}

static void *scan_states(void *arg)
{
    struct worker *w = (struct worker *)arg;
    struct soak *s = w->s;
    while (!atomic_load(&s->stop)) {
        frz_snapshot *snapshot;
        frz_cursor *cursor;
        const frz_row *row;
        frz_error failed;
        int64_t last = -1, sum = 0;
        int rc;
        frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
        MUST(frz_snapshot_open(s->db, &snapshot, &e));
        o.snapshot = snapshot;
        MUST(frz_scan(s->table, &o, &cursor, &e));
        while ((rc = frz_cursor_next(cursor, &row, &failed)) == FRZ_OK && !atomic_load_explicit(&s->stop, memory_order_relaxed)) {
            if (frz_row_long(row, ID) <= last || !whole(row)) fail("a scan saw a row that was never written, or one twice", NULL);
            last = frz_row_long(row, ID);
            sum += frz_row_long(row, BALANCE);
            atomic_fetch_add_explicit(&s->scanned, 1, memory_order_relaxed);
        }
        if (rc < 0 && rc != FRZ_SNAPSHOT_TOO_OLD) fail("scan", &failed);
        if (rc == FRZ_DONE && sum != 0) fail("a scan's balances do not add up to 0: it saw half of a batch, or lost a row", NULL);
        if (rc == FRZ_DONE) atomic_fetch_add(&s->scans, 1);
        frz_cursor_close(cursor);
        frz_snapshot_close(snapshot);
    }
    return NULL;
}

/* ── what it says ── */

struct weight { uint64_t data_files, delete_files, bytes; };
static int weigh(void *ctx, const frz_file_info *f)
{
    struct weight *w = (struct weight *)ctx;
    *(f->content ? &w->delete_files : &w->data_files) += 1;
    w->bytes += f->bytes;
    return 0;
}
static int current(void *ctx, const frz_snapshot_info *i)
{
    if (i->current) *(int64_t *)ctx = i->snapshot_id;
    return 0;
}

static void say_stats(struct soak *s)
{
    frz_blob *blob;
    MUST(frz_db_stats_text(s->db, NULL, true, &blob, &e));
    const char *text = frz_blob_data(blob);
    printf(",\"stats\":%.*s", (int)strcspn(text, "\n"), text);
    frz_blob_free(blob);
}

static void say_sample(struct soak *s, double second, const char *dir)
{
    struct weight w = {0};
    MUST(frz_table_files(s->table, NULL, weigh, &w, &e));
    flockfile(stdout);
    printf("{\"sample\":%.1f,\"batches\":%" PRIu64 ",\"ops\":%" PRIu64 ",\"user_bytes\":%" PRIu64 ",\"gets\":%" PRIu64 ",\"scans\":%" PRIu64 ",\"scanned\":%" PRIu64 ",\"data_files\":%" PRIu64
           ",\"delete_files\":%" PRIu64 ",\"file_bytes\":%" PRIu64 ",\"disk_bytes\":%" PRIu64 ",\"written_bytes\":%" PRIu64 ",\"peak_bytes\":%" PRIu64,
           second, atomic_load(&s->batches), atomic_load(&s->ops), atomic_load(&s->user_bytes), atomic_load(&s->gets), atomic_load(&s->scans), atomic_load(&s->scanned), w.data_files, w.delete_files, w.bytes,
           bench_disk_bytes(dir), churn_proc("/proc/self/io", "wchar"), churn_proc("/proc/self/status", "VmHWM") - s->rows * sizeof *s->states);
    say_stats(s);
    printf("}\n");
    fflush(stdout);
    funlockfile(stdout);
}

/* Writers are paused, all is published: what every engine must find. */
static void say_exact(struct soak *s)
{
    struct churn_sums sums;
    int64_t snapshot = -1;
    pthread_rwlock_wrlock(&s->pause);
    MUST(frz_table_flush(s->table, &e));
    MUST(frz_table_snapshots(s->table, current, &snapshot, &e));
    churn_sums(s->states, s->rows, &sums);
    pthread_rwlock_unlock(&s->pause);
    printf("{\"exact\":%" PRId64 ",\"rows\":%" PRIu64 ",\"ids\":%" PRId64 ",\"gens\":%" PRId64 ",\"marks\":%" PRId64 ",\"balances\":%" PRId64 "}\n", snapshot, sums.rows, sums.ids, sums.gens, sums.marks,
           sums.balances);
    fflush(stdout);
}

static void run(struct soak *s, const char *dir)
{
    uint64_t begin = bench_ns(), end = begin + s->seconds * UINT64_C(1000000000), next = begin;
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    for (uint64_t now; (now = bench_ns()) < end && atomic_load(&s->ops) < s->ops_max;) {
        if (now >= next) {
            say_sample(s, (double)(now - begin) / 1e9, dir);
            next = now + 1000000000;
        }
        if (poll(&in, 1, (int)((next - now) / 1000000) + 1) <= 0) continue;
        char asked[64];
        ssize_t n = read(STDIN_FILENO, asked, sizeof asked);
        if (n <= 0) in.fd = -1; /* nobody asks any more */
        for (ssize_t i = 0; i < n; i++)
            if (asked[i] == '\n') say_exact(s);
    }
}

/* ── the whole ── */

static void set_up(struct soak *s, const char *dir, const char **keys, const char **values, size_t count)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options t = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *schema;
    o.create = true;
    o.durability = FRZ_SYNC_INTERVAL;
    o.memory_bytes = s->memory << 20;
    t.format_version = s->format;
    t.property_keys = keys;
    t.property_values = values;
    t.property_count = count;
    MUST(frz_db_open(dir, &o, &s->db, &e));
    MUST(frz_schema_parse("id long, gen long, balance long, mark long, note string", "id", &schema, &e));
    s->options = t;
    MUST(frz_table_create(s->db, "soak", schema, &t, &s->table, &e));
    frz_schema_free(schema);
    s->states = (struct churn_state *)calloc(s->rows, sizeof *s->states);
    if (!s->states) fail("no memory for the model", NULL);
    for (uint64_t i = 0; i < s->rows; i++) atomic_store(&s->states[i].done, 0); /* resident from the beginning: it is taken off the peak */
    pthread_rwlockattr_t fair;
    pthread_rwlockattr_init(&fair);
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->pause, &fair);
}

static void start(struct soak *s, struct worker *w, void *(*fn)(void *), uint64_t number)
{
    w->s = s;
    w->churn = (struct churn){.rng = {gen_mix(s->seed * 1000003 + number)}, .states = s->states, .rows = s->rows, .writer = number, .writers = s->writers, .batch_max = s->batch};
    if (pthread_create(&w->thread, NULL, fn, w) != 0) fail("no thread", NULL);
}

static uint64_t settled_bytes(frz_table *t)
{
    struct weight w = {0};
    MUST(frz_table_compact(t, NULL, NULL, &e));
    MUST(frz_table_files(t, NULL, weigh, &w, &e));
    return w.bytes;
}

/* The same rows in a table that never had others, compacted. */
static uint64_t fresh_bytes(struct soak *s, const frz_table_options *o)
{
    frz_table *fresh;
    frz_schema *schema;
    struct ArrowArrayStream rows;
    uint64_t count = 0;
    MUST(frz_table_schema(s->table, &schema, &e));
    MUST(frz_table_create(s->db, "fresh", schema, o, &fresh, &e));
    frz_schema_free(schema);
    MUST(frz_scan_arrow(s->table, NULL, &rows, &e));
    MUST(frz_write_arrow(fresh, &rows, false, NULL, &count, &e));
    uint64_t bytes = settled_bytes(fresh);
    frz_table_close(fresh);
    MUST(frz_table_drop(s->db, "fresh", &e));
    return bytes;
}

static void say_end(struct soak *s, struct worker *workers)
{
    static struct hist all;
    uint64_t slowest = 0;
    frz_verify_report report = {.struct_size = sizeof report};
    for (uint64_t i = 0; i < s->writers; i++) {
        hist_merge(&all, &workers[i].hist);
        if (workers[i].slowest_ns > slowest) slowest = workers[i].slowest_ns;
    }
    uint64_t compacted = settled_bytes(s->table), fresh = fresh_bytes(s, &s->options);
    say_exact(s);
    MUST(frz_verify(s->db, NULL, NULL, NULL, &report, &e));
    printf("{\"end\":true,\"compacted_bytes\":%" PRIu64 ",\"fresh_bytes\":%" PRIu64 ",\"findings\":%" PRIu64 ",\"verified_rows\":%" PRIu64 ",\"writes\":%" PRIu64 ",\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f}\n", compacted, fresh, report.findings, report.rows, all.count,
           hist_us(&all, 0.5), hist_us(&all, 0.99), hist_us(&all, 0.999), (double)slowest / 1000);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct worker workers[WRITERS_MAX], readers[2];
    static const char *keys[32], *values[32];
    struct soak s = {.seconds = 20, .ops_max = UINT64_MAX, .rows = 200000, .writers = 2, .batch = 16, .memory = 64, .seed = 1, .format = 2};
    size_t properties = 0;
    if (argc < 2) fail("which directory?", NULL);
    for (int i = 2; i + 1 < argc; i += 2) {
        uint64_t n = strtoull(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--seconds")) s.seconds = n;
        else if (!strcmp(argv[i], "--ops")) s.ops_max = n;
        else if (!strcmp(argv[i], "--rows")) s.rows = n;
        else if (!strcmp(argv[i], "--writers")) s.writers = n;
        else if (!strcmp(argv[i], "--batch")) s.batch = n;
        else if (!strcmp(argv[i], "--format")) s.format = (int32_t)n;
        else if (!strcmp(argv[i], "--memory")) s.memory = n;
        else if (!strcmp(argv[i], "--seed")) s.seed = n;
        else if (!strcmp(argv[i], "--property") && strchr(argv[i + 1], '=') && properties < 32) {
            char *equals = strchr(argv[i + 1], '=');
            *equals = 0;
            keys[properties] = argv[i + 1];
            values[properties++] = equals + 1;
        } else fail(argv[i], NULL);
    }
    if (s.writers < 1 || s.writers > WRITERS_MAX || s.batch < 1 || s.batch > CHURN_BATCH_MAX || s.rows < s.writers) fail("a number is out of its range", NULL);
    set_up(&s, argv[1], keys, values, properties);
    for (uint64_t i = 0; i < s.writers; i++) start(&s, &workers[i], write_rows, i);
    start(&s, &readers[0], get_rows, s.writers);
    start(&s, &readers[1], scan_states, s.writers + 1);
    run(&s, argv[1]);
    atomic_store(&s.stop, true);
    for (uint64_t i = 0; i < s.writers; i++) pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < 2; i++) pthread_join(readers[i].thread, NULL);
    say_end(&s, workers);
    MUST(frz_db_close(s.db, &e));
    free(s.states);
    return 0;
}
