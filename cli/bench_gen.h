/* bench_gen.h — what `frazil bench` and bench/peers.c have in common, so that every engine gets the same rows and is measured by the same clock: keys, values, typed rows, a histogram, a result's line.
 * On nothing but the C library.
 *
 * Keys     16 decimal digits of 2 × index: the odd ones are missing, in between
 * Values   a function of index and generation; the second half repeats the first: they compress to about a half
 * Order    a seeded permutation of 0 … n-1: random writes write each key once */
#ifndef FRZ_BENCH_GEN_H
#define FRZ_BENCH_GEN_H
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define BENCH_KEY_BYTES 16

static inline uint64_t gen_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

struct gen_rng { uint64_t state; };
static inline uint64_t gen_next(struct gen_rng *r) { return gen_mix(r->state += UINT64_C(0x9e3779b97f4a7c15)); }
static inline uint64_t gen_below(struct gen_rng *r, uint64_t n) { return (uint64_t)(((unsigned __int128)gen_next(r) * n) >> 64); }

/* A Feistel network over the next even power of two, walked until it falls below N. */
static inline uint64_t gen_permute(uint64_t i, uint64_t n, uint64_t seed)
{
    unsigned half = 1;
    while (half < 32 && (UINT64_C(1) << (2 * half)) < n) half++;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t next = left ^ (gen_mix(right ^ gen_mix(seed + round)) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

static inline void gen_key(uint64_t index, bool missing, char out[BENCH_KEY_BYTES])
{
    uint64_t n = index * 2 + missing;
    for (int i = BENCH_KEY_BYTES; i-- > 0; n /= 10) out[i] = (char)('0' + n % 10);
}

static inline uint64_t gen_value_head(uint64_t index, uint32_t generation, uint64_t seed) { return gen_mix(index ^ gen_mix(seed ^ ((uint64_t)generation << 56))); }

static inline void gen_value(uint64_t index, uint32_t generation, uint64_t seed, char *out, size_t len)
{
    uint64_t x = gen_value_head(index, generation, seed);
    size_t half = (len + 1) / 2;
    for (size_t i = 0; i < half; i += 8) {
        memcpy(out + i, &x, half - i < 8 ? half - i : 8);
        x = gen_mix(x + UINT64_C(0x9e3779b97f4a7c15));
    }
    memcpy(out + half, out, len - half);
}

/* What a scan adds up: the value's first eight bytes. */
static inline uint64_t gen_head(const void *value, size_t len)
{
    uint64_t x = 0;
    memcpy(&x, value, len < 8 ? len : 8);
    return x;
}

struct gen_typed { int64_t id, ts; char symbol[8]; size_t symbol_len; double price; int32_t qty; char note[24]; size_t note_len; };

static inline void gen_typed(uint64_t index, uint64_t seed, struct gen_typed *r)
{
    static const char words[16][8] = {"market ", "limit  ", "filled ", "partial", "closed ", "opened ", "moved  ", "night  ", "day    ", "auction", "halted ", "resumed", "cross  ", "sweep  ", "iceberg", "frazil "};
    uint64_t x = gen_mix(index ^ gen_mix(seed));
    r->id = (int64_t)index;
    r->ts = INT64_C(1700000000000000) + (int64_t)index * 1000 + (int64_t)(x & 511);
    r->symbol_len = 4;
    for (int i = 0; i < 4; i++) r->symbol[i] = (char)('A' + ((x >> 9) % 500 >> (2 * i)) % 26);
    r->price = (double)(x >> 20 & 0xfffff) / 100.0;
    r->qty = (int32_t)(x >> 40 & 1023);
    memcpy(r->note, words[x >> 50 & 15], 7);
    memcpy(r->note + 7, words[x >> 54 & 15], 7);
    for (int i = 0; i < 6; i++) r->note[14 + i] = (char)('0' + (index >> (2 * i)) % 10);
    r->note_len = 20;
}

/* ── clocks ── */

static inline uint64_t bench_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline double bench_cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ── a histogram of nanoseconds: 32 buckets an octave, so within 3 % ── */

#define HIST_SUB_BITS 5
#define HIST_BUCKETS (64 << HIST_SUB_BITS)
struct hist { uint64_t count, max, buckets[HIST_BUCKETS]; };

static inline size_t hist_bucket(uint64_t ns)
{
    if (ns < (1u << HIST_SUB_BITS)) return (size_t)ns;
    unsigned top = 63 - (unsigned)__builtin_clzll(ns);
    return ((size_t)(top - HIST_SUB_BITS + 1) << HIST_SUB_BITS) + ((ns >> (top - HIST_SUB_BITS)) & ((1u << HIST_SUB_BITS) - 1));
}

static inline double hist_value(size_t bucket) /* its middle */
{
    size_t octave = bucket >> HIST_SUB_BITS, sub = bucket & ((1u << HIST_SUB_BITS) - 1);
    if (octave == 0) return (double)sub;
    return ((double)((1u << HIST_SUB_BITS) + sub) + 0.5) * (double)(UINT64_C(1) << (octave - 1));
}

static inline void hist_add(struct hist *h, uint64_t ns)
{
    h->buckets[hist_bucket(ns)]++;
    h->count++;
    if (ns > h->max) h->max = ns;
}

static inline void hist_merge(struct hist *to, const struct hist *from)
{
    to->count += from->count;
    if (from->max > to->max) to->max = from->max;
    for (size_t i = 0; i < HIST_BUCKETS; i++) to->buckets[i] += from->buckets[i];
}

static inline double hist_us(const struct hist *h, double part)
{
    uint64_t rank = (uint64_t)((double)h->count * part), seen = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        if ((seen += h->buckets[i]) > rank) return hist_value(i) / 1000;
    return 0;
}

/* ── directories ── */

static uint64_t bench_walk_bytes;
static inline int bench_walk_add(const char *path, const struct stat *st, int what, struct FTW *at)
{
    (void)path, (void)at;
    if (what == FTW_F) bench_walk_bytes += (uint64_t)st->st_size;
    return 0;
}
static inline uint64_t bench_disk_bytes(const char *dir)
{
    bench_walk_bytes = 0;
    nftw(dir, bench_walk_add, 16, FTW_PHYS);
    return bench_walk_bytes;
}
static inline int bench_walk_remove(const char *path, const struct stat *st, int what, struct FTW *at)
{
    (void)st, (void)what, (void)at;
    return remove(path);
}
static inline void bench_remove(const char *dir) { nftw(dir, bench_walk_remove, 16, FTW_PHYS | FTW_DEPTH); }

/* ── memory: what Linux says of this process ── */

/* The most that was resident since the last reset, in bytes; 0 = not known. */
static inline uint64_t bench_memory_high(void)
{
    char line[256];
    unsigned long long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kb) == 1) break;
    fclose(f);
    return (uint64_t)kb * 1024;
}
static inline void bench_memory_reset(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    (void)!fputs("5", f);
    fclose(f);
}

/* ── a result ── */

struct bench_result {
    const char *engine, *name;
    uint64_t ops, batch, threads;
    uint64_t bytes;      /* of user data that went through */
    uint64_t disk_bytes; /* afterwards */
    uint64_t memory_high; /* resident; 0 = not known */
    double seconds, cpu_seconds;
    bool settled;     /* the table was compacted whole before */
    struct hist hist; /* empty where a call is not one row */
    char more[256];   /* `"name":value,…`, of one workload alone */
};

static inline void bench_print(const struct bench_result *r, bool json)
{
    double rate = r->seconds > 0 ? (double)r->ops / r->seconds : 0, mb = r->seconds > 0 ? (double)r->bytes / r->seconds / 1e6 : 0;
    double cpu_us = r->ops ? r->cpu_seconds * 1e6 / (double)r->ops : 0;
    if (json) {
        printf("{\"engine\":\"%s\",\"name\":\"%s\",\"ops\":%llu,\"batch\":%llu,\"threads\":%llu,\"seconds\":%.6f,\"ops_per_second\":%.1f,\"mb_per_second\":%.3f,\"cpu_us_per_op\":%.4f,\"disk_bytes\":%llu", r->engine, r->name,
               (unsigned long long)r->ops, (unsigned long long)r->batch, (unsigned long long)r->threads, r->seconds, rate, mb, cpu_us, (unsigned long long)r->disk_bytes);
        if (r->hist.count) printf(",\"p50_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f", hist_us(&r->hist, 0.5), hist_us(&r->hist, 0.99), hist_us(&r->hist, 0.999));
        if (r->hist.count) printf(",\"max_us\":%.3f", (double)r->hist.max / 1000);
        if (r->memory_high) printf(",\"memory_high_bytes\":%llu", (unsigned long long)r->memory_high);
        if (r->settled) printf(",\"settled\":true");
        if (r->more[0]) printf(",%s", r->more);
        printf("}\n");
    } else {
        printf("%-12s %12.0f /s %9.1f MB/s %9.3f µs CPU %9.1f MB on disk", r->name, rate, mb, cpu_us, (double)r->disk_bytes / 1e6);
        if (r->hist.count) printf("   p50 %.2f  p99 %.2f  p99.9 %.2f µs", hist_us(&r->hist, 0.5), hist_us(&r->hist, 0.99), hist_us(&r->hist, 0.999));
        if (r->hist.count) printf("  max %.2f ms", (double)r->hist.max / 1e6);
        if (r->memory_high) printf("   %.1f MB resident", (double)r->memory_high / 1e6);
        if (r->settled) printf("   settled");
        if (r->more[0]) printf("   %s", r->more);
        printf("\n");
    }
    fflush(stdout);
}
#endif
