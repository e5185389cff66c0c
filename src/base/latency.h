/* latency.h — how long things took, in buckets of powers of two microseconds: any number of threads add, anybody looks. What a look sees of additions that go on is some of them. */
#ifndef FRZ_BASE_LATENCY_H
#define FRZ_BASE_LATENCY_H
#include <stdatomic.h>
#include <stdint.h>

#define LATENCY_BUCKETS 36 /* bucket i holds what took at most 2^i µs, and more than 2^(i - 1); the last one all that took longer: beyond 4 hours */
struct latency { _Atomic uint64_t buckets[LATENCY_BUCKETS], us_total, us_max; };
struct latency_seen { uint64_t buckets[LATENCY_BUCKETS], count, us_total, us_max; };

static inline unsigned latency_bucket(uint64_t us)
{
    unsigned i = 0;
    while (i + 1 < LATENCY_BUCKETS && us > (uint64_t)1 << i) i++;
    return i;
}
static inline void latency_add(struct latency *l, uint64_t us)
{
    uint64_t old = atomic_load_explicit(&l->us_max, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->buckets[latency_bucket(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->us_total, us, memory_order_relaxed);
    while (us > old && !atomic_compare_exchange_weak_explicit(&l->us_max, &old, us, memory_order_relaxed, memory_order_relaxed)) {}
}
/* L's numbers are added to OUT, which begins as zero. */
static inline void latency_see(struct latency *l, struct latency_seen *out)
{
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&l->buckets[i], memory_order_relaxed);
        out->buckets[i] += n;
        out->count += n;
    }
    out->us_total += atomic_load_explicit(&l->us_total, memory_order_relaxed);
    uint64_t max = atomic_load_explicit(&l->us_max, memory_order_relaxed);
    if (max > out->us_max) out->us_max = max;
}
/* What PERCENT of them took at most: a bucket's bound, so up to twice too much, but never beyond the longest. 0 where nothing was. */
static inline uint64_t latency_percentile(const struct latency_seen *s, unsigned percent)
{
    uint64_t want = (s->count * percent + 99) / 100, n = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS && s->count; i++) {
        n += s->buckets[i];
        if (n < want) continue;
        return i + 1 == LATENCY_BUCKETS || (uint64_t)1 << i > s->us_max ? s->us_max : (uint64_t)1 << i;
    }
    return 0;
}
#endif
