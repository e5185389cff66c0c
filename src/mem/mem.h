/* mem.h — a memtable: the newest writes of one table, ordered by key, many versions a key.
 *
 * Design      a B+-tree over key nodes in an arena. Leaves order their entries by a permutation word that is published in one atomic store (Mao, Kohler, Morris: Cache Craftiness for Fast Multicore
 *             Key-Value Storage, 2012, §4.6.2), splits make new nodes: a reader never waits and never retries for ever, whatever a writer stopped in the middle of. Leaves and
 *             inner nodes hold 8-byte heads of the keys for comparing; versions hang off the key nodes, newest first. Nothing is freed before the memtable is.
 * Invariants  (1) one writer at a time (the group's leader; the caller sees to it), sequences ascend  (2) a reader at sequence S sees exactly the versions ≤ S that were added before it began
 *             (3) `bytes` counts all memory taken
 * Threads     any number of readers beside one writer; counted: freed by the last release                                                        */
#ifndef FRZ_MEM_MEM_H
#define FRZ_MEM_MEM_H
#include <stdatomic.h>
#include "base/arena.h"
#include "merge/iter.h"

struct mem_version {
    uint64_t seq_op; /* seq << 8 | enum op_kind */
    struct mem_version *older;
    uint32_t len;
    uint8_t row[];
};
struct mem_key {
    _Atomic(struct mem_version *) newest;
    uint32_t len;
    uint8_t key[];
};
/* Where the last insert went: keys between LOW and HIGH (NULL = open) go there too. The writer's; a split forgets it. */
struct mem_finger {
    struct leaf *leaf;
    const struct mem_key *low, *high;
};
struct mem {
    const allocator *a;
    _Atomic uint32_t refs;
    struct arena arena; /* keys and rows */
    struct arena nodes; /* the tree's: side by side they share pages, and the processor's translations of them */
    _Atomic(void *) root;
    struct mem_finger finger;
    _Atomic uint64_t keys, versions, deletes;
    _Atomic uint64_t row_bytes;   /* keys and rows as given */
    uint64_t seq_first, seq_last; /* of what was added; written by the writer, read once it is immutable */
    uint64_t log_segment;         /* the oldest log segment with a record of this memtable */
    _Atomic int64_t since_ns;     /* its first write, by its writer's clock; of one from the log: no later than; 0 = none yet */
    unsigned depth;               /* inner levels; the writer's */
    frz_schema *schema;           /* of all its rows; counted */
    uint64_t pin_round;           /* its owner's, too */
    _Atomic size_t counted;       /* its owner's: of its bytes, how many are in his sums */
};
FRZ_NODISCARD int frz__mem_new(const allocator *a, const frz_schema *schema, struct mem **out, frz_error *err);
struct mem *frz__mem_acquire(struct mem *m);
void frz__mem_release(struct mem *m); /* NULL is fine */
#define MEM_UNCOUNTED SIZE_MAX /* it has left them */
static inline size_t mem_bytes(struct mem *m) { return arena_bytes(&m->arena) + arena_bytes(&m->nodes); }
/* What of it holds something: the writer's, who rotates by it. */
static inline size_t mem_used(struct mem *m) { return arena_used(&m->arena) + arena_used(&m->nodes); }
static inline uint64_t mem_versions(struct mem *m) { return atomic_load_explicit(&m->versions, memory_order_relaxed); }

FRZ_NODISCARD int frz__mem_add(struct mem *m, uint64_t seq, enum op_kind op, slice key, slice row, frz_error *err);
/* Bytes that frz__mem_add of OPS keys and rows, of BYTES together, may want of each of M's two arenas. Exact bounds up to MEM_OPS_BOUND ops; beyond, nodes are taken to fill as they do, but for
 * an order of keys that is made to split a leaf each. */
#define MEM_OPS_BOUND 128
size_t frz__mem_need(const struct mem *m, size_t ops, size_t bytes);
/* Before the first operation. Where its blocks come from beside the allocator; both live longer than M. */
static inline void mem_use(struct mem *m, struct arena_spares *spares, struct arena_reserve *reserve)
{
    m->arena.spares = m->nodes.spares = spares;
    m->arena.reserve = m->nodes.reserve = reserve;
}
/* The newest version ≤ SEQ; NULL = none. Lives as long as the memtable. */
const struct mem_version *frz__mem_get(const struct mem *m, slice key, uint64_t seq);
static inline enum op_kind mem_version_op(const struct mem_version *v) { return (enum op_kind)(v->seq_op & 0xFF); }
static inline uint64_t mem_version_seq(const struct mem_version *v) { return v->seq_op >> 8; }
static inline slice mem_version_row(const struct mem_version *v) { return slice_of(v->row, v->len); }

/* For each key in [FROM, TO) with a version ≤ SEQ: that version, as a put or a delete. FROM data NULL = the first; TO data NULL = the last. Holds a count on M. FROM and TO are copied. */
FRZ_NODISCARD int frz__mem_iter_new(struct mem *m, uint64_t seq, slice from, slice to, bool reverse, struct iter **out, frz_error *err);
/* Key nodes in order, for flush: *POS NULL begins; gives NULL at the end. The memtable is immutable. */
struct mem_cursor { const void *leaf; unsigned slot; };
const struct mem_key *frz__mem_first(const struct mem *m, struct mem_cursor *c);
const struct mem_key *frz__mem_next(const struct mem *m, struct mem_cursor *c);
static inline slice mem_key_slice(const struct mem_key *k) { return slice_of(k->key, k->len); }
/* True if K's newest version is a put, and a delete of this memtable lies somewhere below it: the put begins a new life of the key. False: it continues the life of the row that the files
 * may hold (row lineage keeps its id). */
bool frz__mem_key_deleted_between(const struct mem_key *k);
#endif
