#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "bench.h"

#define CACHE_BYTES ((uint64_t)1 << 30) /* what the peers have: three tenths of the budget; memtables of 64 MiB */
#define MEMTABLE_BYTES ((uint64_t)64 << 20)

static const char *const names[] = {"fillseq", "fillrandom", "overwrite", "fillsync", "readrandom", "readmissing", "scan", "scancursor", "decode", "settle", "readcold", "scantyped", "decodetyped", "ingest", "ingestrows", "publish", "load", "metadata", NULL};

int bench_say(frz_error *e, int rc, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    e->code = rc;
    return rc;
}

int bench_fresh_table(struct bench *b, const char *name, const char *schema_text, const char *key, frz_table **t, frz_error *e)
{
    frz_schema *schema = NULL;
    frz_table_close(*t);
    *t = NULL;
    int rc = frz_table_drop(b->db, name, e);
    if (rc != FRZ_OK && rc != FRZ_NOT_FOUND) return rc;
    rc = frz_schema_parse(schema_text, key, &schema, e);
    if (rc == FRZ_OK) rc = frz_table_create(b->db, name, schema, NULL, t, e);
    frz_schema_free(schema);
    return rc;
}

static int run_one(struct bench *b, const char *name, frz_error *e)
{
    if (strcmp(name, "fillseq") == 0) return bench_fill(b, false, e);
    if (strcmp(name, "fillrandom") == 0) return bench_fill(b, true, e);
    if (strcmp(name, "overwrite") == 0) return bench_overwrite(b, e);
    if (strcmp(name, "fillsync") == 0) return bench_fill_sync(b, e);
    if (strcmp(name, "readrandom") == 0) return bench_read(b, false, e);
    if (strcmp(name, "readmissing") == 0) return bench_read(b, true, e);
    if (strcmp(name, "scan") == 0) return bench_scan_arrow(b, e);
    if (strcmp(name, "scancursor") == 0) return bench_scan_cursor(b, e);
    if (strcmp(name, "decode") == 0) return bench_decode(b, e);
    if (strcmp(name, "settle") == 0) return bench_settle(b, e);
    if (strcmp(name, "readcold") == 0) return bench_read_cold(b, e);
    if (strcmp(name, "scantyped") == 0) return bench_scan_typed(b, false, e);
    if (strcmp(name, "decodetyped") == 0) return bench_scan_typed(b, true, e);
    if (strcmp(name, "ingest") == 0) return bench_ingest(b, false, e);
    if (strcmp(name, "load") == 0) return bench_load(b, e);
    if (strcmp(name, "ingestrows") == 0) return bench_ingest_rows(b, e);
    if (strcmp(name, "metadata") == 0) return bench_metadata(b, e);
    return bench_ingest(b, true, e);
}

static bool is_read(const char *name) { return strncmp(name, "read", 4) == 0 || strncmp(name, "scan", 4) == 0 || strncmp(name, "decode", 6) == 0; }

/* The name at *AT, or NULL when the list is done; an unknown one is told. */
static const char *next_name(const char **at, int *code)
{
    size_t n = strcspn(*at, ",");
    if (**at == 0) return NULL;
    for (int i = 0; names[i]; i++) {
        if (strlen(names[i]) != n || memcmp(names[i], *at, n) != 0) continue;
        *at += n + ((*at)[n] == ',');
        return names[i];
    }
    fprintf(stderr, "frazil: there is no workload %.*s; there are", (int)n, *at);
    for (int i = 0; names[i]; i++) fprintf(stderr, "%s %s", i ? "," : "", names[i]);
    putc('\n', stderr);
    *code = EXIT_USAGE;
    return NULL;
}

static int options_of(struct bench *b, const struct args *a)
{
    int code = EXIT_DONE;
    const char *at = a->words[0];
    if (!args_u64(a, "num", 100000, &b->num) || !args_u64(a, "value-size", 100, &b->value_bytes) || !args_u64(a, "threads", 1, &b->threads) || !args_u64(a, "batch", 1, &b->batch) || !args_u64(a, "seed", 1, &b->seed) ||
        !args_u64(a, "bytes", 0, &b->bytes) || !args_u64(a, "tables", 1, &b->tables) || !args_u64(a, "columns", 1, &b->columns) || !args_u64(a, "seconds", 0, &b->seconds) ||
        !args_u64(a, "cache", CACHE_BYTES, &b->cache) || !args_u64(a, "reads", b->num, &b->reads))
        return EXIT_USAGE;
    if (b->tables < 1 || b->columns < 1) return usage("--tables, --columns: expected 1 or more");
    if (b->num < 1 || b->num > UINT64_C(1) << 40) return usage("--num: expected 1 to 2^40");
    if (b->reads < 1) return usage("--reads: expected 1 or more");
    if (b->value_bytes < 1 || b->value_bytes > 1 << 20) return usage("--value-size: expected 1 to 1048576");
    if (b->threads < 1 || b->threads > 256) return usage("--threads: expected 1 to 256");
    if (b->batch < 1 || b->batch > 1000000) return usage("--batch: expected 1 to 1000000");
    if (!*at) return usage("bench wants names of workloads: fillrandom,readrandom");
    while (next_name(&at, &code)) {}
    return code;
}

static int make_dir(struct bench *b, const char *given)
{
    const char *tmp = getenv("TMPDIR");
    if (given) {
        if (strlen(given) >= sizeof b->dir) return usage("--dir is too long");
        snprintf(b->dir, sizeof b->dir, "%s", given);
        return EXIT_DONE;
    }
    snprintf(b->dir, sizeof b->dir, "%s/frazil-bench-XXXXXX", tmp && *tmp && strlen(tmp) < 4000 ? tmp : "/tmp");
    if (mkdtemp(b->dir)) return EXIT_DONE;
    say("%s: %s", b->dir, strerror(errno));
    return EXIT_ERROR;
}

/* What the database says of its own memory, beside what the system says of the process; and of waits. */
static void print_memory(struct bench *b, bool json)
{
    frz_stats s = FRZ_INIT(frz_stats);
    frz_error e;
    if (frz_db_stats(b->db, NULL, &s, &e) != FRZ_OK) return;
    const struct { const char *name; uint64_t now, max; } classes[] = {{"memtables", s.memory_memtables, s.memory_memtables_max}, {"cache", s.memory_cache, s.memory_cache_max},
        {"jobs", s.memory_jobs, s.memory_jobs_max}, {"metadata", s.memory_metadata, s.memory_metadata_max}, {"calls", s.memory_calls, s.memory_calls_max}};
    if (json) printf("{\"name\":\"memory\",\"budget\":%llu", (unsigned long long)s.memory_budget);
    else printf("  of a budget of %.1f MB, now and at most:", (double)s.memory_budget / 1e6);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (json) printf(",\"%s\":%llu,\"%s_max\":%llu", classes[i].name, (unsigned long long)classes[i].now, classes[i].name, (unsigned long long)classes[i].max);
        else printf("  %s %.1f, %.1f", classes[i].name, (double)classes[i].now / 1e6, (double)classes[i].max / 1e6);
    if (json)
        printf(",\"stalls\":%llu,\"stall_us_total\":%llu,\"slowdowns\":%llu,\"slowdown_us_total\":%llu}\n", (unsigned long long)s.stalls, (unsigned long long)s.stall_us_total,
               (unsigned long long)s.slowdowns, (unsigned long long)s.slowdown_us_total);
    else
        printf("\n  writers slowed %llu times, %.1f s; stopped %llu times, %.1f s, at most %.0f ms for memtables, %.0f ms for memory\n", (unsigned long long)s.slowdowns, (double)s.slowdown_us_total / 1e6,
               (unsigned long long)s.stalls, (double)s.stall_us_total / 1e6, (double)s.stall_memtables_us_max / 1e3, (double)s.stall_memory_us_max / 1e3);
    fflush(stdout);
}

static int run_all(struct bench *b, const char *list, bool json)
{
    int code = EXIT_DONE;
    for (const char *name; (name = next_name(&list, &code));) {
        frz_error e = {0};
        memset(&b->result, 0, sizeof b->result);
        b->result.engine = "frazil";
        b->result.name = name;
        b->result.batch = b->batch;
        b->result.threads = b->threads;
        bench_memory_reset();
        int rc = run_one(b, name, &e);
        b->result.memory_high = bench_memory_high();
        b->result.settled = is_read(name) && (strstr(name, "typed") ? b->typed_settled : b->settled);
        if (rc != FRZ_OK) {
            say("%s:", name);
            return (void)fail(&e, rc), EXIT_ERROR;
        }
        b->result.disk_bytes = bench_disk_bytes(b->dir);
        bench_print(&b->result, json);
        if (b->memory) print_memory(b, json);
    }
    return code;
}

static void on_log(void *ctx, int level, const char *message)
{
    (void)ctx, (void)level;
    say("%s", message);
}

int bench_open(struct bench *b, frz_error *e)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    o.memory_bytes = b->memory ? b->memory : b->cache / 3 * 10;
    o.memtable_bytes = b->memory ? 0 : MEMTABLE_BYTES;
    o.log = on_log;
    return frz_db_open(b->dir, &o, &b->db, e);
}

int cmd_bench(struct args *a)
{
    static struct bench b;
    frz_error e = {0};
    const char *given = args_get(a, "dir");
    int code = options_of(&b, a);
    if (code == 0 && !args_u64(a, "memory", 0, &b.memory)) return EXIT_USAGE;
    if (code == 0) code = make_dir(&b, given);
    if (code) return code;
    int rc = bench_open(&b, &e);
    code = rc == FRZ_OK ? run_all(&b, a->words[0], args_has(a, "json")) : fail(&e, rc);
    frz_table_close(b.kv);
    frz_table_close(b.typed);
    if (b.db && (rc = frz_db_close(b.db, &e)) != FRZ_OK) code = fail(&e, rc);
    if (!given) bench_remove(b.dir);
    return code;
}
