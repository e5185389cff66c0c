/* mem_int.h — the tree's nodes: shared by mem_tree.c, mem.c and mem_iter.c alone.
 *
 * Design      a node keeps entries in slots in the order of arrival; `perm` says how many there are and which slot holds the 1st, 2nd, … in key order. A slot is filled once, before the `perm`
 *             that shows it is stored, and never again: an insert is published by one store, and a reader who loaded an older `perm` keeps reading what that one shows.
 *             All keys of a node lie between two bounds that never widen; what the bounds have in common (`skip` bytes) all its keys begin with, so heads are the 8 bytes after them: keys
 *             with a long common prefix compare as fast as random ones.
 *             A full leaf is copied into two, which take its place; the old one stays as it is for ever (frozen). At an end of a leaf that grows in one direction, a new leaf is put beside it instead.
 *
 * Why a reader is right, and never waits, wherever a writer stopped
 *             Let a reader's sequence S have become visible at time T. Everything ≤ S is in the tree at T, and the reader loads no pointer as it was before T.
 *             (1) A node frozen at t holds all that was in its range at t. (2) Pointers in live nodes lead to live nodes, or, while a writer is inside an insert, to ones that it is just freezing,
 *             later than T for those it began after T (one that began before T and is not done has a sequence > S). (3) Pointers in a node frozen at t lead to nodes that were live at t.
 *             So each node a reader meets was frozen after T, if at all, and holds all keys ≤ S of its range; what it lacks is newer than S. Ranges of neighbours meet without overlap: at
 *             (3)'s time t they did, and the two halves of a split cover exactly the old range.                                                                                    */
#ifndef FRZ_MEM_MEM_INT_H
#define FRZ_MEM_MEM_INT_H
#include "base/coding.h"
#include "base/failpoint.h"
#include "base/hash.h"
#include "mem/mem.h"

#define LEAF_SLOTS 14  /* 256 bytes: four cache lines, the heads in the first two */
#define INNER_SLOTS 15 /* separators; 384 bytes */
#define MEM_DEPTH_MAX 32

/* perm: low 4 bits the count; then 4 bits a position, the slot that is there. */
struct node {
    _Atomic uint64_t perm;
    uint32_t skip; /* bytes that all keys of its range begin with */
    bool is_leaf;
};
struct leaf {
    struct node n;
    uint64_t heads[LEAF_SLOTS];
    struct mem_key *keys[LEAF_SLOTS];
    _Atomic(struct leaf *) next, prev;
};
/* A separator is the least key of the child in its slot; `first` is the child below all separators. */
struct inner {
    struct node n;
    uint64_t heads[INNER_SLOTS];
    _Atomic(struct node *) first;
    _Atomic(struct node *) child[INNER_SLOTS];
    struct mem_key *keys[INNER_SLOTS]; /* last: read only where heads are equal */
};
static_assert(sizeof(struct leaf) == 256, "a leaf is four cache lines");
static_assert(sizeof(struct inner) == 384, "an inner node is six cache lines");

static inline unsigned perm_count(uint64_t perm) { return (unsigned)(perm & 15); }
static inline unsigned perm_slot(uint64_t perm, unsigned pos) { return (unsigned)(perm >> (4 + 4 * pos)) & 15; }
/* PERM with a new SLOT at POS, the later ones moved up. */
static inline uint64_t perm_insert(uint64_t perm, unsigned pos, unsigned slot)
{
    unsigned shift = 4 + 4 * pos;
    uint64_t low = ((uint64_t)1 << shift) - 1;
    uint64_t high = shift + 4 < 64 ? (perm & ~low) << 4 : 0;
    return ((perm & low) | (uint64_t)slot << shift | high) + 1;
}
/* Slots 0 … COUNT - 1 in order. */
static inline uint64_t perm_ordered(unsigned count) { return UINT64_C(0xEDCBA98765432100) | count; }

static inline uint64_t head_at(const uint8_t *key, size_t len, size_t skip)
{
    if (len >= skip + 8) return load_u64_be(key + skip);
    uint8_t bytes[8] = {0};
    if (len > skip) memcpy(bytes, key + skip, len - skip);
    return load_u64_be(bytes);
}
/* Both begin with the same SKIP bytes. */
static inline int key_cmp(const struct mem_key *k, slice key, size_t skip)
{
    FRZ_ASSERT(k->len >= skip);
    FRZ_ASSERT(key.len >= skip);
    return slice_cmp(slice_of(k->key + skip, k->len - skip), slice_of(key.data + skip, key.len - skip));
}
/* How many of the entries that PERM shows are smaller than KEY; *EQUAL: the slot of KEY itself, or -1. */
static inline __attribute__((always_inline)) unsigned node_rank(const uint64_t *heads, struct mem_key *const *keys, uint64_t perm, slice key, size_t skip, int *equal)
{
    unsigned count = perm_count(perm), less = 0, same = 0;
    uint64_t head = head_at(key.data, key.len, skip);
    for (unsigned i = 0; i < count; i++) {
        less += heads[i] < head;
        same += heads[i] == head;
    }
    *equal = -1;
    unsigned end = less + same;
    while (less < end) { /* equal heads lie side by side in key order */
        unsigned mid = (less + end) / 2, slot = perm_slot(perm, mid);
        int c = key_cmp(keys[slot], key, skip);
        if (c == 0) {
            *equal = (int)slot;
            return mid;
        }
        if (c < 0) less = mid + 1;
        else end = mid;
    }
    return less;
}
static inline struct node *inner_child(const struct inner *in, uint64_t perm, unsigned pos)
{
    return pos == 0 ? atomic_load_explicit(&in->first, memory_order_acquire) : atomic_load_explicit(&in->child[perm_slot(perm, pos - 1)], memory_order_acquire);
}
static inline void node_prefetch(const struct node *n)
{
    __builtin_prefetch(n);
    __builtin_prefetch((const uint8_t *)n + 64);
    __builtin_prefetch((const uint8_t *)n + 128);
    __builtin_prefetch((const uint8_t *)n + 192);
}

/* The leaf whose range holds KEY. */
const struct leaf *frz__mem_tree_find(const struct mem *m, slice key);
const struct leaf *frz__mem_tree_edge(const struct mem *m, bool last);
FRZ_NODISCARD int frz__mem_tree_init(struct mem *m, frz_error *err);
/* Makes KEY's node with one version, unless the key is there: then *FOUND is its node, and nothing has changed. FRZ_NO_MEMORY: nothing has changed. */
FRZ_NODISCARD int frz__mem_tree_insert(struct mem *m, slice key, uint64_t seq_op, slice row, struct mem_key **found, frz_error *err);
#define VERSION_BYTES(row_len) (offsetof(struct mem_version, row) + (row_len))
/* The newest version ≤ SEQ of a key node. */
static inline const struct mem_version *mem_key_version(const struct mem_key *k, uint64_t seq)
{
    const struct mem_version *v = atomic_load_explicit(&k->newest, memory_order_acquire);
    while (v && mem_version_seq(v) > seq) v = v->older;
    return v;
}

/* Called at each step of an insert between which a writer may stop: the tests look at the tree from there. */
#ifdef FRZ_FAILPOINTS
extern void (*frz__test_mem_step)(void);
#define MEM_STEP()                                                                                                                         \
    do {                                                                                                                                   \
        FAILPOINT_VOID("mem.insert");                                                                                                      \
        if (frz__test_mem_step) frz__test_mem_step();                                                                                      \
    } while (0)
#else
#define MEM_STEP() ((void)0)
#endif
#endif
