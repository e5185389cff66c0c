/* churn_rocksdb.c — the soak's load (churn.h) on RocksDB, for its write and space amplification beside frazil's. Built as `churn_rocksdb` where FRZ_ROCKSDB is set (bench/CMakeLists.txt).
 *
 *     churn_rocksdb DIR --ops N [--rows N] [--writers N] [--batch N] [--memtable MIB] [--seed N]
 *
 * Settings  snappy, bloom of 10 bits, levelled compaction as RocksDB has it by default, log not synced. Written bytes are those that the process hands to the system, log and all */
#include <pthread.h>
#include <rocksdb/c.h>

#include "churn.h"

#define WRITERS_MAX 16

static struct { rocksdb_t *db; rocksdb_writeoptions_t *write; struct churn_state *states; uint64_t ops, rows, writers, batch, memtable, seed; _Atomic uint64_t done, user_bytes; } b;
struct worker { pthread_t thread; struct churn churn; struct hist hist; uint64_t slowest_ns; };

static void check(const char *what, char *err)
{
    if (!err) return;
    fprintf(stderr, "churn_rocksdb: %s: %s\n", what, err);
    exit(1);
}

static size_t pack(const struct churn_row *r, char *out)
{
    memcpy(out, &r->gen, 8);
    memcpy(out + 8, &r->balance, 8);
    memcpy(out + 16, &r->mark, 8);
    memcpy(out + 24, r->note, r->note_len);
    return 24 + r->note_len;
}

static void *churn(void *arg)
{
    struct worker *w = (struct worker *)arg;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char *err = NULL, value[24 + CHURN_NOTE_MAX];
    while (atomic_load(&b.done) < b.ops) {
        churn_next(&w->churn);
        rocksdb_writebatch_clear(batch);
        for (size_t i = 0; i < w->churn.count; i++) {
            const struct churn_op *op = &w->churn.ops[i];
            uint64_t key = __builtin_bswap64((uint64_t)op->row.id);
            if (op->remove) rocksdb_writebatch_delete(batch, (const char *)&key, 8);
            else rocksdb_writebatch_put(batch, (const char *)&key, 8, value, pack(&op->row, value));
        }
        churn_begin(&w->churn);
        uint64_t since = bench_ns();
        rocksdb_write(b.db, b.write, batch, &err);
        uint64_t ns = bench_ns() - since;
        check("write", err);
        churn_end(&w->churn);
        hist_add(&w->hist, ns);
        if (ns > w->slowest_ns) w->slowest_ns = ns;
        atomic_fetch_add(&b.done, w->churn.count);
        atomic_fetch_add(&b.user_bytes, churn_bytes(&w->churn));
    }
    rocksdb_writebatch_destroy(batch);
    return NULL;
}

static uint64_t live_bytes(void)
{
    char *text = rocksdb_property_value(b.db, "rocksdb.live-sst-files-size");
    uint64_t n = text ? strtoull(text, NULL, 10) : 0;
    rocksdb_free(text);
    return n;
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t def)
{
    for (int i = 2; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) return strtoull(argv[i + 1], NULL, 10);
    return def;
}

int main(int argc, char **argv)
{
    static struct worker workers[WRITERS_MAX];
    static struct hist all;
    char *err = NULL;
    uint64_t slowest = 0;
    if (argc < 2) return 2;
    b.ops = option(argc, argv, "--ops", 1000000);
    b.rows = option(argc, argv, "--rows", 200000);
    b.writers = option(argc, argv, "--writers", 2);
    b.batch = option(argc, argv, "--batch", 16);
    b.memtable = option(argc, argv, "--memtable", 64);
    b.seed = option(argc, argv, "--seed", 1);
    if (b.writers < 1 || b.writers > WRITERS_MAX || b.batch < 1 || b.batch > CHURN_BATCH_MAX || b.rows < b.writers) return 2;
    b.states = (struct churn_state *)calloc(b.rows, sizeof *b.states);
    if (!b.states) return 1;
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_options_set_block_based_table_factory(o, table);
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_error_if_exists(o, 1);
    rocksdb_options_set_write_buffer_size(o, b.memtable << 20);
    rocksdb_options_set_compression(o, rocksdb_snappy_compression);
    b.write = rocksdb_writeoptions_create();
    b.db = rocksdb_open(o, argv[1], &err);
    check("open", err);
    uint64_t begin = bench_ns(), written = churn_proc("/proc/self/io", "wchar");
    for (uint64_t i = 0; i < b.writers; i++) {
        workers[i].churn = (struct churn){.rng = {gen_mix(b.seed * 1000003 + i)}, .states = b.states, .rows = b.rows, .writer = i, .writers = b.writers, .batch_max = b.batch};
        if (pthread_create(&workers[i].thread, NULL, churn, &workers[i]) != 0) return 1;
    }
    for (uint64_t i = 0; i < b.writers; i++) {
        pthread_join(workers[i].thread, NULL);
        hist_merge(&all, &workers[i].hist);
        if (workers[i].slowest_ns > slowest) slowest = workers[i].slowest_ns;
    }
    double seconds = (double)(bench_ns() - begin) / 1e9;
    written = churn_proc("/proc/self/io", "wchar") - written;
    uint64_t live = live_bytes();
    rocksdb_compact_range(b.db, NULL, 0, NULL, 0);
    uint64_t compacted = live_bytes();
    printf("{\"engine\":\"rocksdb\",\"ops\":%" PRIu64 ",\"ops_per_second\":%.0f,\"user_bytes\":%" PRIu64 ",\"written_bytes\":%" PRIu64 ",\"write_amplification\":%.2f,\"live_bytes\":%" PRIu64
           ",\"compacted_bytes\":%" PRIu64 ",\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f}\n", atomic_load(&b.done), (double)atomic_load(&b.done) / seconds, atomic_load(&b.user_bytes), written,
           (double)written / (double)atomic_load(&b.user_bytes), live, compacted, hist_us(&all, 0.5), hist_us(&all, 0.99), hist_us(&all, 0.999), (double)slowest / 1000);
    rocksdb_close(b.db);
    rocksdb_options_destroy(o);
    rocksdb_writeoptions_destroy(b.write);
    free(b.states);
    return 0;
}
