/* budget.h — whose memory it is: an allocator for each use of memory, over one that the host gave or malloc, that counts what passes through it.
 *
 * Design      what is charged by whom follows from the allocator that an object is given when it is made; nothing is charged by hand but what libraries take past it (zstd's contexts: `outside`). A block's
 *             size is what malloc says that it holds; with a host's allocator, and in debug builds, sixteen bytes before the block say it, and are counted too. Over malloc, large blocks are mapped
 *             (mapped.h), so that what is given back here is given back to the system: the process holds what the classes say, and little beyond. Large is a 4,096th of the budget (an 8,192th below 128 MiB), 8 to 256 KiB: malloc's
 *             heaps are left with holes by the thousand, and a call of the system costs as much as packing a few KiB. Not the calls' class: what it has comes and goes with every batch of a scan, and is
 *             the caller's.
 * Invariants  (1) the sum over all classes, less `outside`, is what is live of the allocator below  (2) a block is given back to the class that it was taken from (debug builds check it)
 *             (3) a budget lives until it is closed and the last block is given back: Arrow arrays outlive their database
 * Threads     any                                                                                                                     */
#ifndef FRZ_BASE_BUDGET_H
#define FRZ_BASE_BUDGET_H
#include <stdatomic.h>
#include "base/alloc.h"
#include "base/mapped.h"

enum mem_class {
    MEM_MEMTABLES, /* active, waiting and pinned ones; blocks kept for the next */
    MEM_CACHE,     /* pages and other things decoded */
    MEM_JOBS,      /* flushes, compactions, contexts of compression */
    MEM_METADATA,  /* tables, versions, views, masks, what open files keep at hand */
    MEM_CALLS,     /* batches, cursors, streams and the arrays that they gave out; the log's buffers */
    MEM_CLASSES
};
struct budget;
struct mem_account {
    allocator as; /* its ctx is this */
    struct budget *budget;
    size_t map_bytes;     /* a block of so many and more is mapped */
    struct mapped mapped;
    _Atomic uint64_t bytes, high, outside; /* bytes has one too many until the budget is closed */
};
struct budget {
    frz_allocator host;
    const allocator *under; /* NULL = malloc */
    int64_t trim_ns;           /* not before: frz__budget_trim's alone */
    _Atomic uint32_t accounts; /* not yet empty and closed */
    struct mem_account by_class[MEM_CLASSES];
};
FRZ_NODISCARD int frz__budget_new(const frz_allocator *host, uint64_t memory_bytes, struct budget **out, frz_error *err); /* HOST is copied; NULL = malloc */
void frz__budget_close(struct budget *b); /* NULL is fine */
static inline const allocator *budget_of(struct budget *b, enum mem_class c) { return &b->by_class[c].as; }
uint64_t frz__budget_bytes(struct budget *b, enum mem_class c);
uint64_t frz__budget_high(struct budget *b, enum mem_class c);
uint64_t frz__budget_outside(struct budget *b); /* of the classes' sum: what libraries took past the allocator */
/* Of alloc.c's large blocks, which are mapped. A is a class's, over malloc. */
void frz__budget_charge(const allocator *a, size_t bytes);
void frz__budget_uncharge(const allocator *a, size_t bytes);
/* From time to time, by one thread: what malloc's heaps keep of the blocks too small to be mapped goes back to the system, if it is more than SLACK. Not where the heaps
 * are beyond MOST: they are the host's more than ours. Looking takes malloc's locks for as long as there are holes to look through: a thousand times as long passes until the next look. */
void frz__budget_trim(struct budget *b, size_t slack, size_t most);
/* What a library holds for the owner of A has changed by BYTES. Not a class's allocator: nothing happens. */
void frz__budget_outside_add(const allocator *a, int64_t bytes);
/* A is a class's, over malloc: large blocks may be mapped, and zeroed ones come from calloc. */
bool frz__budget_is_malloc(const allocator *a);
void *frz__budget_calloc(const allocator *a, size_t bytes);
#endif
