/* mapped.h — blocks of memory that are mapped one by one, known by their address alone: for a malloc that must give large ones back to the system when they are freed.
 *
 * Design      malloc's heaps keep what is freed between blocks that stay: buffers of flushes and compactions that come and go by several threads between pages of the cache leave them with more holes than use.
 *             A mapped block begins a page, as few of malloc's do; for such addresses alone a table is asked whether they are of these
 * Invariants  (1) a block is in the table before its address is given out, and not any more before it is unmapped: no address is twice in it  (2) at most MAPPED_MAX blocks: a process may have so many
 *             mappings and no more (65,530 by Linux's default), and unmapping may need one
 * Threads     any                                                                                                                     */
#ifndef FRZ_BASE_MAPPED_H
#define FRZ_BASE_MAPPED_H
#include "base/sync.h"

#define MAPPED_MAX       ((size_t)8192)
#define MAPPED_PAGE      ((size_t)4096)

struct mapped_block { void *p; size_t bytes; };
struct mapped {
    struct mutex mu;
    struct mapped_block *slots; /* open addressing, linear; p NULL = free */
    size_t cap, count;          /* cap: a power of two; half of it is used at most */
};
void frz__mapped_init(struct mapped *m);
void frz__mapped_clear(struct mapped *m); /* with no block left */
/* Zeroed. *GOT: BYTES in whole pages. NULL: no memory, or too many: malloc may have some. */
void *frz__mapped_alloc(struct mapped *m, size_t bytes, size_t *got);
/* What P has; 0 = it is none of M's. */
size_t frz__mapped_bytes(struct mapped *m, const void *p);
/* P, of M's, in *GOT bytes, elsewhere if need be, without copying. NULL: as before. */
void *frz__mapped_resize(struct mapped *m, void *p, size_t bytes, size_t *got);
/* What P had, and it is gone; 0 = it is none of M's. */
size_t frz__mapped_free(struct mapped *m, void *p);
#endif
