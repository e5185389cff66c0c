/* arena.h — memory of things that die together. Bump allocation in blocks that double up to 8 MiB, or what its spares say; no single free.
 * Threads: one allocating thread at a time; `bytes` may be read by any. Memory stays put until clear: readers may hold pointers into it. */
#ifndef FRZ_BASE_ARENA_H
#define FRZ_BASE_ARENA_H
#include <stdatomic.h>
#include "base/alloc.h"
#include "base/sync.h"

/* Blocks that are taken from the allocator beforehand, for what may not fail halfway: an arena takes one where the allocator has nothing. */
struct arena_reserve {
    const allocator *a;
    struct arena_block *blocks;
    size_t count, bytes; /* so many, each with room for so many bytes */
};
/* At least COUNT blocks with room for BYTES each. FRZ_NO_MEMORY: as before. */
FRZ_NODISCARD int frz__arena_reserve(struct arena_reserve *r, size_t count, size_t bytes, frz_error *err);
size_t frz__arena_reserve_bytes(const struct arena_reserve *r);
void frz__arena_reserve_clear(struct arena_reserve *r);

/* Blocks of the largest size that arenas gave back, for the next ones: the kernel clears fresh memory at a gigabyte a second, half of what it takes to fill a memtable. Threads: any. */
struct arena_spares {
    const allocator *a;
    struct mutex mu;
    struct arena_block *blocks;
    size_t count, max, block_bytes;
    bool taken; /* since the last trim */
};
/* Kept: about BYTES at most. Arenas with these spares grow by blocks of BLOCK_BYTES at most: what is not yet used of the last one is taken too. */
void frz__arena_spares_init(struct arena_spares *s, const allocator *a, uint64_t bytes, size_t block_bytes);
void frz__arena_spares_trim(struct arena_spares *s); /* from time to time: gives them back if nobody wanted any since */
size_t frz__arena_spares_bytes(struct arena_spares *s);
void frz__arena_spares_clear(struct arena_spares *s); /* after the arenas that use it */

struct arena {
    const allocator *a;
    struct arena_reserve *reserve; /* of the same allocator; NULL = none */
    struct arena_spares *spares;   /* likewise */
    struct arena_block *blocks;
    uint8_t *at, *end;
    size_t next_bytes;
    _Atomic size_t bytes; /* taken from the allocator */
};
#define ARENA_INIT(a_) ((struct arena){.a = (a_)})

void *frz__arena_alloc_slow(struct arena *ar, size_t bytes, size_t align);
/* NULL = out of memory. ALIGN is a power of two ≤ 64. */
static inline void *arena_alloc(struct arena *ar, size_t bytes, size_t align)
{
    uintptr_t p = ((uintptr_t)ar->at + align - 1) & ~(uintptr_t)(align - 1);
    if (ar->at && p <= (uintptr_t)ar->end && bytes <= (uintptr_t)ar->end - p) {
        ar->at = (uint8_t *)p + bytes;
        return (void *)p;
    }
    return frz__arena_alloc_slow(ar, bytes, align);
}
static inline size_t arena_bytes(struct arena *ar) { return atomic_load_explicit(&ar->bytes, memory_order_relaxed); }
/* Without what is still free of the last block: for the allocating thread. */
static inline size_t arena_used(struct arena *ar) { return arena_bytes(ar) - (size_t)(ar->end - ar->at); }
void frz__arena_clear(struct arena *ar);
char *frz__arena_strndup(struct arena *ar, const char *s, size_t len);
#endif
