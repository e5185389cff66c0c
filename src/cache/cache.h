/* cache.h — decoded pages and other derived objects, sharded, budgeted in bytes, evicted by CLOCK.
 *
 * Design      keys are (file number, kind, index): file content is immutable and file numbers are never used twice, so nothing is ever invalidated, only forgotten. A pinned entry stays.
 *             What is charged is the bytes given and some 100 for the entry. An entry larger than a shard's budget lives while it is pinned, and evicts nobody.
 * Invariants  (1) charged bytes ≤ budget, but for what is pinned; of that a quarter of the budget at most is held  (2) one entry a key: of two inserts at once the first wins and both get it
 * Threads     any                                                                                                                     */
#ifndef FRZ_CACHE_CACHE_H
#define FRZ_CACHE_CACHE_H
#include "base/alloc.h"

struct cache;
struct cache_entry; /* pinned while held */
struct cache_key { uint64_t file; uint32_t kind; uint32_t column; uint64_t index; };
FRZ_NODISCARD int frz__cache_new(const allocator *a, size_t bytes, struct cache **out, frz_error *err);
void frz__cache_free(struct cache *c); /* nothing is pinned any more */
struct cache_entry *frz__cache_get(struct cache *c, const struct cache_key *k); /* NULL = miss. Pinned */
/* VALUE is taken, also on failure (then freed). *OUT is pinned, and may be an earlier insert's. */
FRZ_NODISCARD int frz__cache_insert(struct cache *c, const struct cache_key *k, void *value, size_t bytes, void (*free_value)(const allocator *a, void *value), struct cache_entry **out, frz_error *err);
void *frz__cache_value(struct cache_entry *e);
void frz__cache_unpin(struct cache *c, struct cache_entry *e); /* NULL is fine */
/* Turns the caller's pin into one that is held as long as its file is open: what then finds the entry by itself asks no shard. False, and the pin stays as it was: a quarter of the budget is held so already. */
bool frz__cache_hold(struct cache *c, struct cache_entry *e);
void frz__cache_unhold(struct cache *c, struct cache_entry *e); /* gives that pin back; NULL is fine */
void frz__cache_drop_file(struct cache *c, uint64_t file); /* forgets what is not pinned */
struct cache_stats { uint64_t hits, misses, bytes, entries, evictions; };
/* From now on, at most BYTES of it: what is beyond goes, but for what is pinned. What is held keeps to the quarter of the budget that it began with. */
void frz__cache_resize(struct cache *c, size_t bytes);
void frz__cache_stats(struct cache *c, struct cache_stats *out);
const allocator *frz__cache_allocator(const struct cache *c); /* for values: what they take is the cache's */
#endif
