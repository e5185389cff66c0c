/* peers.c — `frazil bench`'s workloads on RocksDB and LevelDB, by their C APIs: the same rows, order, checks, clock and output (cli/bench_gen.h). Built with -DPEER_ROCKSDB or -DPEER_LEVELDB or both.
 *
 *     peers ENGINE NAME[,NAME…] --num N --value-size B --threads T --batch B --seed S --dir D
 *
 * Settings   64 MiB memtable, 1 GiB cache, bloom 10 bits; RocksDB snappy, LevelDB no compression: its best on each. No sync but for fillsync. Before reads: flushed and compacted, as frazil is published.
 * Typed row  key: 8 bytes big-endian of id; value: ts, price, qty, the length of symbol, symbol, note: 45 bytes */
#include <pthread.h>

#include "../cli/bench_gen.h"

#ifdef PEER_ROCKSDB
#include <rocksdb/c.h>
#endif
#ifdef PEER_LEVELDB
#include <leveldb/c.h>
#endif

#define MEMTABLE_BYTES ((size_t)64 << 20)
#define CACHE_BYTES ((size_t)1 << 30) /* --cache */
#define BLOOM_BITS 10
#define WARM_READS_MAX 200000

/* ── an engine ── */

static size_t cache_bytes = CACHE_BYTES;

struct engine {
    const char *name;
    void *(*open)(const char *dir, char **err);
    void (*close)(void *db);
    void (*put)(void *db, bool sync, const char *k, size_t klen, const char *v, size_t vlen, char **err);
    void *(*batch_new)(void);
    void (*batch_put)(void *batch, const char *k, size_t klen, const char *v, size_t vlen);
    void (*batch_clear)(void *batch);
    void (*batch_free)(void *batch);
    void (*write)(void *db, void *batch, char **err);
    const char *(*get)(void *db, const char *k, size_t klen, size_t *vlen, void **held, char **err); /* NULL = none; lives until HELD is let go */
    void (*let_go)(void *held);
    uint64_t (*scan)(void *db, uint64_t *sum, char **err);
    void (*settle)(void *db, bool compact, char **err);
};

#ifdef PEER_ROCKSDB
static struct {
    rocksdb_writeoptions_t *write, *sync;
    rocksdb_readoptions_t *read;
    rocksdb_cache_t *cache;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
} rocks;

static void *rocks_open(const char *dir, char **err)
{
    rocks.options = rocksdb_options_create();
    rocks.table = rocksdb_block_based_options_create();
    rocks.cache = rocksdb_cache_create_lru(cache_bytes);
    rocksdb_block_based_options_set_block_cache(rocks.table, rocks.cache);
    rocksdb_block_based_options_set_filter_policy(rocks.table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS)); /* owned by the table options */
    rocksdb_options_set_block_based_table_factory(rocks.options, rocks.table);
    rocksdb_options_set_create_if_missing(rocks.options, 1);
    rocksdb_options_set_write_buffer_size(rocks.options, MEMTABLE_BYTES);
    rocksdb_options_set_compression(rocks.options, rocksdb_snappy_compression);
    rocks.write = rocksdb_writeoptions_create();
    rocks.sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(rocks.sync, 1);
    rocks.read = rocksdb_readoptions_create();
    return rocksdb_open(rocks.options, dir, err);
}
static void rocks_close(void *db)
{
    rocksdb_close((rocksdb_t *)db);
    rocksdb_writeoptions_destroy(rocks.write);
    rocksdb_writeoptions_destroy(rocks.sync);
    rocksdb_readoptions_destroy(rocks.read);
    rocksdb_block_based_options_destroy(rocks.table);
    rocksdb_options_destroy(rocks.options);
    rocksdb_cache_destroy(rocks.cache);
}
static void rocks_put(void *db, bool sync, const char *k, size_t klen, const char *v, size_t vlen, char **err) { rocksdb_put((rocksdb_t *)db, sync ? rocks.sync : rocks.write, k, klen, v, vlen, err); }
static void *rocks_batch_new(void) { return rocksdb_writebatch_create(); }
static void rocks_batch_put(void *b, const char *k, size_t klen, const char *v, size_t vlen) { rocksdb_writebatch_put((rocksdb_writebatch_t *)b, k, klen, v, vlen); }
static void rocks_batch_clear(void *b) { rocksdb_writebatch_clear((rocksdb_writebatch_t *)b); }
static void rocks_batch_free(void *b) { rocksdb_writebatch_destroy((rocksdb_writebatch_t *)b); }
static void rocks_write(void *db, void *b, char **err) { rocksdb_write((rocksdb_t *)db, rocks.write, (rocksdb_writebatch_t *)b, err); }
static const char *rocks_get(void *db, const char *k, size_t klen, size_t *vlen, void **held, char **err) /* pinned: its fastest, without a copy */
{
    *held = rocksdb_get_pinned((rocksdb_t *)db, rocks.read, k, klen, err);
    return *held ? rocksdb_pinnableslice_value((const rocksdb_pinnableslice_t *)*held, vlen) : NULL;
}
static void rocks_let_go(void *held) { rocksdb_pinnableslice_destroy((rocksdb_pinnableslice_t *)held); }
static uint64_t rocks_scan(void *db, uint64_t *sum, char **err)
{
    uint64_t rows = 0;
    size_t n;
    rocksdb_iterator_t *it = rocksdb_create_iterator((rocksdb_t *)db, rocks.read);
    for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it); rocksdb_iter_next(it), rows++) {
        const char *v = rocksdb_iter_value(it, &n);
        *sum += gen_head(v, n);
    }
    rocksdb_iter_get_error(it, err);
    rocksdb_iter_destroy(it);
    return rows;
}
static void rocks_settle(void *db, bool compact, char **err)
{
    rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
    rocksdb_flush((rocksdb_t *)db, o, err);
    rocksdb_flushoptions_destroy(o);
    if (compact && !*err) rocksdb_compact_range((rocksdb_t *)db, NULL, 0, NULL, 0);
}
#endif

#ifdef PEER_LEVELDB
static struct {
    leveldb_writeoptions_t *write, *sync;
    leveldb_readoptions_t *read;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *bloom;
    leveldb_options_t *options;
} level;

static void *level_open(const char *dir, char **err)
{
    level.options = leveldb_options_create();
    level.cache = leveldb_cache_create_lru(cache_bytes);
    level.bloom = leveldb_filterpolicy_create_bloom(BLOOM_BITS);
    leveldb_options_set_cache(level.options, level.cache);
    leveldb_options_set_filter_policy(level.options, level.bloom);
    leveldb_options_set_create_if_missing(level.options, 1);
    leveldb_options_set_write_buffer_size(level.options, MEMTABLE_BYTES);
    leveldb_options_set_compression(level.options, leveldb_no_compression);
    level.write = leveldb_writeoptions_create();
    level.sync = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(level.sync, 1);
    level.read = leveldb_readoptions_create();
    return leveldb_open(level.options, dir, err);
}
static void level_close(void *db)
{
    leveldb_close((leveldb_t *)db);
    leveldb_writeoptions_destroy(level.write);
    leveldb_writeoptions_destroy(level.sync);
    leveldb_readoptions_destroy(level.read);
    leveldb_options_destroy(level.options);
    leveldb_filterpolicy_destroy(level.bloom);
    leveldb_cache_destroy(level.cache);
}
static void level_put(void *db, bool sync, const char *k, size_t klen, const char *v, size_t vlen, char **err) { leveldb_put((leveldb_t *)db, sync ? level.sync : level.write, k, klen, v, vlen, err); }
static void *level_batch_new(void) { return leveldb_writebatch_create(); }
static void level_batch_put(void *b, const char *k, size_t klen, const char *v, size_t vlen) { leveldb_writebatch_put((leveldb_writebatch_t *)b, k, klen, v, vlen); }
static void level_batch_clear(void *b) { leveldb_writebatch_clear((leveldb_writebatch_t *)b); }
static void level_batch_free(void *b) { leveldb_writebatch_destroy((leveldb_writebatch_t *)b); }
static void level_write(void *db, void *b, char **err) { leveldb_write((leveldb_t *)db, level.write, (leveldb_writebatch_t *)b, err); }
static const char *level_get(void *db, const char *k, size_t klen, size_t *vlen, void **held, char **err)
{
    char *value = leveldb_get((leveldb_t *)db, level.read, k, klen, vlen, err);
    *held = value;
    return value;
}
static void level_let_go(void *held) { leveldb_free(held); }
static uint64_t level_scan(void *db, uint64_t *sum, char **err)
{
    uint64_t rows = 0;
    size_t n;
    leveldb_iterator_t *it = leveldb_create_iterator((leveldb_t *)db, level.read);
    for (leveldb_iter_seek_to_first(it); leveldb_iter_valid(it); leveldb_iter_next(it), rows++) {
        const char *v = leveldb_iter_value(it, &n);
        *sum += gen_head(v, n);
    }
    leveldb_iter_get_error(it, err);
    leveldb_iter_destroy(it);
    return rows;
}
static void level_settle(void *db, bool compact, char **err)
{
    (void)compact, (void)err;
    leveldb_compact_range((leveldb_t *)db, NULL, 0, NULL, 0); /* its memtable has no other way out */
}
#endif

static const struct engine engines[] = {
#ifdef PEER_ROCKSDB
    {"rocksdb", rocks_open, rocks_close, rocks_put, rocks_batch_new, rocks_batch_put, rocks_batch_clear, rocks_batch_free, rocks_write, rocks_get, rocks_let_go, rocks_scan, rocks_settle},
#endif
#ifdef PEER_LEVELDB
    {"leveldb", level_open, level_close, level_put, level_batch_new, level_batch_put, level_batch_clear, level_batch_free, level_write, level_get, level_let_go, level_scan, level_settle},
#endif
    {0}};

/* ── the state ── */

static const struct engine *engine;
static struct { void *db; char dir[4096]; uint64_t num, value_bytes, threads, batch, seed, present, typed, reads; uint32_t generation; struct bench_result result; } b;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "peers: %s: %s\n", what, why);
    exit(1);
}
static void check_error(const char *what, char *err)
{
    if (err) die(what, err);
}

static void fresh(void)
{
    char *err = NULL;
    if (b.db) engine->close(b.db);
    bench_remove(b.dir);
    b.db = engine->open(b.dir, &err);
    check_error("open", err);
    b.present = b.typed = 0;
}

/* ── threads ── */

struct worker { pthread_t thread; uint64_t from, to, rows; bool random, missing, sync; uint32_t generation; struct hist hist; };

static void *run_put(void *ctx)
{
    struct worker *w = (struct worker *)ctx;
    char *value = (char *)malloc(b.value_bytes + 8), key[BENCH_KEY_BYTES], *err = NULL;
    void *batch = b.batch > 1 ? engine->batch_new() : NULL;
    uint64_t held = 0;
    if (!value) die("put", "out of memory");
    for (uint64_t i = w->from; i < w->to; i++) {
        uint64_t begin = batch ? 0 : bench_ns(), index = w->random ? gen_permute(i, w->rows, b.seed + w->generation) : i;
        gen_key(index, false, key);
        gen_value(index, w->generation, b.seed, value, b.value_bytes);
        if (!batch) {
            engine->put(b.db, w->sync, key, sizeof key, value, b.value_bytes, &err);
            hist_add(&w->hist, bench_ns() - begin);
        } else {
            engine->batch_put(batch, key, sizeof key, value, b.value_bytes);
            if (++held < b.batch && i + 1 < w->to) continue;
            engine->write(b.db, batch, &err);
            engine->batch_clear(batch);
            held = 0;
        }
        check_error("put", err);
    }
    if (batch) engine->batch_free(batch);
    free(value);
    return NULL;
}

static void *run_get(void *ctx)
{
    struct worker *w = (struct worker *)ctx;
    struct gen_rng rng = {b.seed * 1000003 + w->from};
    char *expected = (char *)malloc(b.value_bytes + 8), key[BENCH_KEY_BYTES], *err = NULL;
    if (!expected) die("get", "out of memory");
    for (uint64_t i = w->from; i < w->to; i++) {
        uint64_t begin = bench_ns(), index = gen_below(&rng, w->rows);
        size_t len = 0;
        gen_key(index, w->missing, key);
        void *held = NULL;
        const char *value = engine->get(b.db, key, sizeof key, &len, &held, &err);
        check_error("get", err);
        if (w->missing != !value) die("get", value ? "a missing key is found" : "a key is missing");
        if (value) {
            gen_value(index, b.generation, b.seed, expected, b.value_bytes);
            if (len != b.value_bytes || memcmp(value, expected, len) != 0) die("get", "another value than was put");
        }
        if (held) engine->let_go(held);
        hist_add(&w->hist, bench_ns() - begin);
    }
    free(expected);
    return NULL;
}

static void run(const struct worker *template, uint64_t n, void *(*body)(void *))
{
    struct worker *w = (struct worker *)calloc(b.threads, sizeof *w);
    if (!w) die("threads", "out of memory");
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    for (uint64_t t = 0; t < b.threads; t++) {
        w[t] = *template;
        w[t].from = n * t / b.threads;
        w[t].to = n * (t + 1) / b.threads;
        if (b.threads == 1) body(&w[t]);
        else if (pthread_create(&w[t].thread, NULL, body, &w[t]) != 0) die("threads", "can't be started");
    }
    for (uint64_t t = 0; b.threads > 1 && t < b.threads; t++) pthread_join(w[t].thread, NULL);
    b.result.seconds = (double)(bench_ns() - begin) / 1e9;
    b.result.cpu_seconds = bench_cpu_seconds() - cpu;
    memset(&b.result.hist, 0, sizeof b.result.hist);
    for (uint64_t t = 0; t < b.threads; t++) hist_merge(&b.result.hist, &w[t].hist);
    free(w);
    b.result.ops = n;
    b.result.bytes = n * (BENCH_KEY_BYTES + b.value_bytes);
}

/* ── the workloads ── */

static void settle(bool compact)
{
    char *err = NULL;
    engine->settle(b.db, compact, &err);
    check_error("flush", err);
}

static void fill(bool random, bool sync)
{
    uint64_t n = sync ? b.num / 10 ? b.num / 10 : 1 : b.num;
    struct worker w = {.random = random, .sync = sync, .rows = n};
    fresh();
    b.generation = 0;
    run(&w, n, run_put);
    b.present = sync ? 0 : n; /* the rows of fillsync are not those that reads want */
}

static void need_rows(const char *name)
{
    if (!b.present) die(name, "there are no rows: name fillseq or fillrandom before it, and fillsync behind");
}

static void overwrite(void)
{
    struct worker w = {.random = true, .rows = b.present, .generation = b.generation + 1};
    run(&w, b.present, run_put);
    b.generation++;
}

static void read_all(bool missing)
{
    struct worker w = {.missing = missing, .rows = b.present};
    settle(true);
    run(&w, b.reads < WARM_READS_MAX ? b.reads : WARM_READS_MAX, run_get);
    run(&w, b.reads, run_get);
    if (missing) b.result.bytes = 0;
}

static void scan_timed(const char *what, uint64_t rows_expected, uint64_t sum_expected)
{
    uint64_t sum = 0;
    char *err = NULL;
    settle(true);
    engine->scan(b.db, &sum, &err); /* warm */
    sum = 0;
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    uint64_t rows = engine->scan(b.db, &sum, &err);
    b.result.seconds = (double)(bench_ns() - begin) / 1e9;
    b.result.cpu_seconds = bench_cpu_seconds() - cpu;
    check_error(what, err);
    if (rows != rows_expected || sum != sum_expected) die(what, "other rows than were put");
    b.result.ops = rows;
}

static void scan_all(void)
{
    uint64_t expected = 0;
    char *value = (char *)malloc(b.value_bytes + 8);
    if (!value) die("scan", "out of memory");
    for (uint64_t i = 0; i < b.present; i++) {
        gen_value(i, b.generation, b.seed, value, b.value_bytes);
        expected += gen_head(value, b.value_bytes);
    }
    free(value);
    scan_timed("scan", b.present, expected);
    b.result.bytes = b.present * (BENCH_KEY_BYTES + b.value_bytes);
}

static size_t pack_typed(uint64_t index, char key[8], char value[64])
{
    struct gen_typed r;
    gen_typed(index, b.seed, &r);
    uint64_t big = __builtin_bswap64((uint64_t)r.id);
    memcpy(key, &big, 8);
    memcpy(value, &r.ts, 8);
    memcpy(value + 8, &r.price, 8);
    memcpy(value + 16, &r.qty, 4);
    value[20] = (char)r.symbol_len;
    memcpy(value + 21, r.symbol, r.symbol_len);
    memcpy(value + 21 + r.symbol_len, r.note, r.note_len);
    return 21 + r.symbol_len + r.note_len;
}

/* Rows are made and packed outside the clock, as frazil's are. */
static void ingest(bool publish, uint64_t per_batch)
{
    struct packed { char key[8], value[64]; size_t len; } *rows = malloc(per_batch * sizeof *rows);
    char *err = NULL;
    if (!rows) die("ingest", "out of memory");
    fresh();
    void *batch = engine->batch_new();
    for (uint64_t first = 0; first < b.num; first += per_batch) {
        uint64_t count = b.num - first < per_batch ? b.num - first : per_batch;
        for (uint64_t i = 0; i < count; i++) {
            rows[i].len = pack_typed(first + i, rows[i].key, rows[i].value);
            b.result.bytes += rows[i].len + 8;
        }
        uint64_t begin = bench_ns();
        double cpu = bench_cpu_seconds();
        for (uint64_t i = 0; i < count; i++) engine->batch_put(batch, rows[i].key, 8, rows[i].value, rows[i].len);
        engine->write(b.db, batch, &err);
        check_error("ingest", err);
        engine->batch_clear(batch);
        b.result.seconds += (double)(bench_ns() - begin) / 1e9;
        b.result.cpu_seconds += bench_cpu_seconds() - cpu;
    }
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    if (publish) settle(false);
    b.result.seconds += (double)(bench_ns() - begin) / 1e9;
    b.result.cpu_seconds += bench_cpu_seconds() - cpu;
    b.result.ops = b.num;
    b.result.batch = per_batch;
    engine->batch_free(batch);
    free(rows);
    b.present = 0;
    b.typed = b.num;
}

static void scan_typed(void)
{
    uint64_t expected = 0;
    if (!b.typed) die("scantyped", "there are no rows: name ingest before it");
    for (uint64_t i = 0; i < b.typed; i++) {
        struct gen_typed r;
        gen_typed(i, b.seed, &r);
        expected += (uint64_t)r.ts;
        b.result.bytes += 29 + r.symbol_len + r.note_len;
    }
    scan_timed("scantyped", b.typed, expected);
}

static void settle_timed(void)
{
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    settle(true);
    b.result.seconds = (double)(bench_ns() - begin) / 1e9;
    b.result.cpu_seconds = bench_cpu_seconds() - cpu;
    b.result.ops = b.present ? b.present : b.typed;
}

static void run_one(const char *name)
{
    if (strcmp(name, "fillseq") == 0) fill(false, false);
    else if (strcmp(name, "fillrandom") == 0) fill(true, false);
    else if (strcmp(name, "fillsync") == 0) fill(true, true);
    else if (strcmp(name, "ingest") == 0) ingest(false, 16384);
    else if (strcmp(name, "ingestrows") == 0) ingest(false, b.batch > 1 ? b.batch : 1000);
    else if (strcmp(name, "publish") == 0) ingest(true, 16384);
    else if (strcmp(name, "scantyped") == 0) scan_typed();
    else if (strcmp(name, "settle") == 0 && (b.present || b.typed)) settle_timed();
    else {
        need_rows(name);
        if (strcmp(name, "overwrite") == 0) overwrite();
        else if (strcmp(name, "readrandom") == 0) read_all(false);
        else if (strcmp(name, "readmissing") == 0) read_all(true);
        else if (strcmp(name, "scan") == 0 || strcmp(name, "scancursor") == 0) scan_all();
        else die(name, "there is no such workload");
    }
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t def)
{
    for (int i = 3; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) return strtoull(argv[i + 1], NULL, 10);
    return def;
}

int main(int argc, char **argv)
{
    const char *dir = NULL;
    if (argc < 3) die("usage", "peers ENGINE NAME[,NAME…] --num N --value-size B --threads T --batch B --seed S --reads R --cache BYTES --dir D");
    for (const struct engine *e = engines; e->name; e++)
        if (strcmp(e->name, argv[1]) == 0) engine = e;
    if (!engine) die(argv[1], "is not built in");
    for (int i = 3; i + 1 < argc; i++)
        if (strcmp(argv[i], "--dir") == 0) dir = argv[i + 1];
    b.num = option(argc, argv, "--num", 100000);
    b.value_bytes = option(argc, argv, "--value-size", 100);
    b.threads = option(argc, argv, "--threads", 1);
    b.batch = option(argc, argv, "--batch", 1);
    b.seed = option(argc, argv, "--seed", 1);
    b.reads = option(argc, argv, "--reads", b.num);
    cache_bytes = (size_t)option(argc, argv, "--cache", CACHE_BYTES);
    if (!b.num || !b.value_bytes || !b.threads || !b.batch || !dir) die("usage", "--dir and numbers above 0");
    snprintf(b.dir, sizeof b.dir, "%s/peers-%s", dir, engine->name); /* only this is ever removed */
    char *list = strdup(argv[2]), *save = NULL;
    for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
        if (strncmp(name, "decode", 6) == 0 || strcmp(name, "readcold") == 0) continue; /* of Parquet files alone */
        memset(&b.result, 0, sizeof b.result);
        b.result.engine = engine->name;
        b.result.name = name;
        b.result.batch = b.batch;
        b.result.threads = b.threads;
        run_one(name);
        b.result.disk_bytes = bench_disk_bytes(b.dir);
        bench_print(&b.result, true);
    }
    if (b.db) engine->close(b.db);
    bench_remove(b.dir);
    free(list);
    return 0;
}
