#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "bench.h"

#define MEMORY_BYTES (((uint64_t)10 << 30) / 3) /* what the peers have: three tenths are a cache of 1 GiB; memtables of 64 MiB */
#define MEMTABLE_BYTES ((uint64_t)64 << 20)

static const char *const names[] = {"fillseq", "fillrandom", "overwrite", "fillsync", "readrandom", "readmissing", "scan", "scancursor", "ingest", "ingestrows", "publish", "metadata", NULL};

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
    if (strcmp(name, "ingest") == 0) return bench_ingest(b, false, e);
    if (strcmp(name, "ingestrows") == 0) return bench_ingest_rows(b, e);
    if (strcmp(name, "metadata") == 0) return bench_metadata(b, e);
    return bench_ingest(b, true, e);
}

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
    if (!args_u64(a, "num", 100000, &b->num) || !args_u64(a, "value-size", 100, &b->value_bytes) || !args_u64(a, "threads", 1, &b->threads) || !args_u64(a, "batch", 1, &b->batch) || !args_u64(a, "seed", 1, &b->seed))
        return EXIT_USAGE;
    if (b->num < 1 || b->num > UINT64_C(1) << 40) return usage("--num: expected 1 to 2^40");
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
        int rc = run_one(b, name, &e);
        if (rc != FRZ_OK) {
            say("%s:", name);
            return (void)fail(&e, rc), EXIT_ERROR;
        }
        b->result.disk_bytes = bench_disk_bytes(b->dir);
        bench_print(&b->result, json);
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
    o.memory_bytes = MEMORY_BYTES;
    o.memtable_bytes = MEMTABLE_BYTES;
    o.log = on_log;
    return frz_db_open(b->dir, &o, &b->db, e);
}

int cmd_bench(struct args *a)
{
    static struct bench b;
    frz_error e = {0};
    const char *given = args_get(a, "dir");
    int code = options_of(&b, a);
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
