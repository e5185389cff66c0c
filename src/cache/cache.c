#include "cache/cache.h"

#include <stdatomic.h>
#include "base/hash.h"
#include "base/sync.h"

#define SHARDS_MAX      16
#define SHARD_BYTES_MIN ((size_t)4 << 20) /* smaller ones hold too few entries to be worth a lock of their own */
#define BUCKETS_MIN     64

static_assert(sizeof(struct cache_key) == 24, "keys are compared and hashed as bytes");

struct cache_entry {
    struct cache_key key;
    uint64_t hash;
    void *value;
    void (*free_value)(const allocator *a, void *value);
    size_t bytes;               /* with this struct */
    struct cache_entry *chain;  /* in its bucket; then among the dead */
    struct cache_entry *prev, *next; /* round the clock; NULL if it is oversized */
    _Atomic uint32_t pins;      /* rises under the shard's mutex alone; falls anywhere */
    bool referenced;            /* since the hand came by */
    bool oversized;             /* beyond the shard's budget by itself: found while pinned, gone after, and evicts nobody */
};

struct shard {
    struct mutex mu;
    struct cache_entry **buckets;
    size_t bucket_count, entries; /* a power of two */
    struct cache_entry *hand;
    size_t budget;
    _Atomic size_t bytes;        /* but for oversized ones. Changes under mu */
    size_t oversized_bytes;
    uint64_t hits, misses, evictions;
};
struct cache {
    const allocator *a;
    size_t held_max;
    _Atomic size_t held; /* bytes */
    unsigned shard_count; /* a power of two */
    struct shard shards[];
};

static struct shard *shard_of(struct cache *c, uint64_t hash) { return &c->shards[(hash >> 48) & (c->shard_count - 1)]; }
static uint64_t hash_of(const struct cache_key *k) { return frz__hash64(slice_of(k, sizeof *k)); }

/* ── under the shard's mutex ── */

static struct cache_entry *find_locked(struct shard *s, const struct cache_key *k, uint64_t hash)
{
    struct cache_entry *e = s->buckets[hash & (s->bucket_count - 1)];
    while (e && (e->hash != hash || memcmp(&e->key, k, sizeof *k) != 0)) e = e->chain;
    return e;
}

/* Twice the buckets; without memory for them the chains get longer, that is all. */
static void widen_locked(const allocator *a, struct shard *s)
{
    size_t count = s->bucket_count * 2;
    struct cache_entry **wider = (struct cache_entry **)frz__alloc_array(a, count, sizeof *wider);
    if (!wider) return;
    for (size_t i = 0; i < s->bucket_count; i++)
        for (struct cache_entry *e = s->buckets[i], *next; e; e = next) {
            next = e->chain;
            e->chain = wider[e->hash & (count - 1)];
            wider[e->hash & (count - 1)] = e;
        }
    frz__free(a, s->buckets);
    s->buckets = wider;
    s->bucket_count = count;
}

static void add_locked(const allocator *a, struct shard *s, struct cache_entry *e)
{
    if (s->entries >= s->bucket_count) widen_locked(a, s);
    struct cache_entry **bucket = &s->buckets[e->hash & (s->bucket_count - 1)];
    e->chain = *bucket;
    *bucket = e;
    s->entries++;
    if (e->oversized) {
        s->oversized_bytes += e->bytes;
        return;
    }
    if (s->hand) { /* behind the hand: it comes there last */
        e->next = s->hand;
        e->prev = s->hand->prev;
        e->prev->next = e->next->prev = e;
    } else s->hand = e->prev = e->next = e;
    atomic_store(&s->bytes, atomic_load(&s->bytes) + e->bytes);
}

/* To the list of the DEAD, whose values are freed once the mutex is given back. */
static void remove_locked(struct shard *s, struct cache_entry *e, struct cache_entry **dead)
{
    struct cache_entry **at = &s->buckets[e->hash & (s->bucket_count - 1)];
    while (*at != e) at = &(*at)->chain;
    *at = e->chain;
    s->entries--;
    if (e->oversized) s->oversized_bytes -= e->bytes;
    else {
        e->prev->next = e->next;
        e->next->prev = e->prev;
        if (s->hand == e) s->hand = e->next == e ? NULL : e->next;
        atomic_store(&s->bytes, atomic_load(&s->bytes) - e->bytes);
    }
    e->chain = *dead;
    *dead = e;
}

/* The second round takes what the first one passed because it was referenced; what is left then is pinned. */
static void evict_locked(struct shard *s, struct cache_entry **dead)
{
    for (size_t steps = 2 * s->entries; steps > 0 && s->hand && atomic_load(&s->bytes) > s->budget; steps--) {
        struct cache_entry *e = s->hand;
        s->hand = e->next;
        if (atomic_load(&e->pins) > 0) continue;
        if (e->referenced) {
            e->referenced = false;
            continue;
        }
        remove_locked(s, e, dead);
        s->evictions++;
    }
}

static void bury(const allocator *a, struct cache_entry *dead)
{
    while (dead) {
        struct cache_entry *e = dead;
        dead = e->chain;
        e->free_value(a, e->value);
        frz__free(a, e);
    }
}

/* ── the door ── */

int frz__cache_new(const allocator *a, size_t bytes, struct cache **out, frz_error *err)
{
    *out = NULL;
    unsigned shards = 1;
    while (shards < SHARDS_MAX && bytes / ((uint64_t)2 * shards) >= SHARD_BYTES_MIN) shards *= 2;
    struct cache *c = (struct cache *)frz__alloc_zero(a, sizeof *c + shards * sizeof c->shards[0]);
    if (!c) return frz__err_no_memory(err, sizeof *c + shards * sizeof c->shards[0]);
    c->a = a;
    c->held_max = bytes / 4;
    for (; c->shard_count < shards; c->shard_count++) {
        struct shard *s = &c->shards[c->shard_count];
        s->buckets = (struct cache_entry **)frz__alloc_array(a, BUCKETS_MIN, sizeof *s->buckets);
        if (!s->buckets) {
            frz__cache_free(c);
            return frz__err_no_memory(err, BUCKETS_MIN * sizeof *s->buckets);
        }
        s->bucket_count = BUCKETS_MIN;
        s->budget = bytes / shards;
        frz__mutex_init(&s->mu, RANK_CACHE_SHARD, "cache shard");
    }
    *out = c;
    return FRZ_OK;
}

void frz__cache_free(struct cache *c)
{
    if (!c) return;
    for (unsigned i = 0; i < c->shard_count; i++) {
        struct shard *s = &c->shards[i];
        struct cache_entry *dead = NULL;
        while (s->hand) {
            FRZ_ASSERT(atomic_load(&s->hand->pins) == 0);
            remove_locked(s, s->hand, &dead);
        }
        FRZ_ASSERT(s->entries == 0); /* an oversized one is there only while pinned */
        bury(c->a, dead);
        frz__free(c->a, s->buckets);
        frz__mutex_clear(&s->mu);
    }
    frz__free(c->a, c);
}

struct cache_entry *frz__cache_get(struct cache *c, const struct cache_key *k)
{
    uint64_t hash = hash_of(k);
    struct shard *s = shard_of(c, hash);
    frz__mutex_lock(&s->mu);
    struct cache_entry *e = find_locked(s, k, hash);
    if (e) {
        atomic_fetch_add(&e->pins, 1);
        e->referenced = true;
        s->hits++;
    } else s->misses++;
    frz__mutex_unlock(&s->mu);
    return e;
}

int frz__cache_insert(struct cache *c, const struct cache_key *k, void *value, size_t bytes, void (*free_value)(const allocator *a, void *value), struct cache_entry **out, frz_error *err)
{
    *out = NULL;
    uint64_t hash = hash_of(k);
    struct shard *s = shard_of(c, hash);
    struct cache_entry *e = (struct cache_entry *)frz__alloc_zero(c->a, sizeof *e), *dead = NULL;
    if (!e) {
        free_value(c->a, value);
        return frz__err_no_memory(err, sizeof *e);
    }
    e->key = *k;
    e->hash = hash;
    e->value = value;
    e->free_value = free_value;
    e->bytes = bytes > SIZE_MAX - sizeof *e ? SIZE_MAX : bytes + sizeof *e;
    e->oversized = e->bytes > s->budget;
    frz__mutex_lock(&s->mu);
    struct cache_entry *first = find_locked(s, k, hash);
    if (first) {
        dead = e; /* its chain is NULL */
        first->referenced = true;
        e = first;
    } else add_locked(c->a, s, e);
    atomic_fetch_add(&e->pins, 1);
    evict_locked(s, &dead);
    frz__mutex_unlock(&s->mu);
    bury(c->a, dead);
    *out = e;
    return FRZ_OK;
}

void *frz__cache_value(struct cache_entry *e) { return e->value; }

void frz__cache_unpin(struct cache *c, struct cache_entry *e)
{
    if (!e) return;
    struct shard *s = shard_of(c, e->hash);
    struct cache_entry *dead = NULL;
    if (e->oversized) {
        frz__mutex_lock(&s->mu); /* so that nobody pins it between its last unpin and its end */
        FRZ_ASSERT(atomic_load(&e->pins) > 0);
        if (atomic_fetch_sub(&e->pins, 1) == 1) remove_locked(s, e, &dead);
        frz__mutex_unlock(&s->mu);
        bury(c->a, dead);
        return;
    }
    uint32_t before = atomic_fetch_sub(&e->pins, 1); /* from here on E may be gone */
    FRZ_ASSERT(before > 0);
    if (before > 1 || atomic_load(&s->bytes) <= s->budget) return; /* either this sees what an insert added, or its eviction sees the pin gone */
    frz__mutex_lock(&s->mu);
    evict_locked(s, &dead);
    frz__mutex_unlock(&s->mu);
    bury(c->a, dead);
}

bool frz__cache_hold(struct cache *c, struct cache_entry *e)
{
    if (e->oversized) return false;
    if (atomic_fetch_add(&c->held, e->bytes) + e->bytes <= c->held_max) return true;
    atomic_fetch_sub(&c->held, e->bytes);
    return false;
}

void frz__cache_unhold(struct cache *c, struct cache_entry *e)
{
    if (!e) return;
    atomic_fetch_sub(&c->held, e->bytes);
    frz__cache_unpin(c, e);
}

void frz__cache_drop_file(struct cache *c, uint64_t file)
{
    for (unsigned i = 0; i < c->shard_count; i++) {
        struct shard *s = &c->shards[i];
        struct cache_entry *dead = NULL;
        frz__mutex_lock(&s->mu);
        for (size_t left = s->entries; left > 0 && s->hand; left--) {
            struct cache_entry *e = s->hand;
            s->hand = e->next;
            if (e->key.file == file && atomic_load(&e->pins) == 0) remove_locked(s, e, &dead);
        }
        frz__mutex_unlock(&s->mu);
        bury(c->a, dead);
    }
}

void frz__cache_stats(struct cache *c, struct cache_stats *out)
{
    *out = (struct cache_stats){0};
    for (unsigned i = 0; i < c->shard_count; i++) {
        struct shard *s = &c->shards[i];
        frz__mutex_lock(&s->mu);
        out->hits += s->hits;
        out->misses += s->misses;
        out->bytes += atomic_load(&s->bytes) + s->oversized_bytes;
        out->entries += s->entries;
        out->evictions += s->evictions;
        frz__mutex_unlock(&s->mu);
    }
}
