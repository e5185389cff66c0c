/* mem_iter.c — cursors over a memtable: one sequence's view in either direction, and the plain walk over key nodes for flush.
 *
 * An iterator loads a leaf's `perm` once, when it gets there, and goes on by the links: what is added behind its back is newer than its sequence (mem_int.h). */
#include "mem/mem_int.h"

struct mem_iter {
    struct iter it;
    struct mem *m;
    uint64_t seq;
    bool reverse, started, ended;
    bool has_from, has_to;
    slice from, to; /* copies, behind this struct */
    const struct leaf *leaf;
    uint64_t perm;
    unsigned pos; /* forward: the next entry; reverse: one above the next entry */
    uint8_t bounds[];
};

static void enter(struct mem_iter *mi, const struct leaf *l)
{
    mi->leaf = l;
    if (!l) return;
    mi->perm = atomic_load_explicit(&l->n.perm, memory_order_acquire);
    mi->pos = mi->reverse ? perm_count(mi->perm) : 0;
}

static void start(struct mem_iter *mi)
{
    bool bounded = mi->reverse ? mi->has_to : mi->has_from;
    slice bound = mi->reverse ? mi->to : mi->from;
    mi->started = true;
    enter(mi, bounded ? frz__mem_tree_find(mi->m, bound) : frz__mem_tree_edge(mi->m, mi->reverse));
    int equal;
    if (bounded) mi->pos = node_rank(mi->leaf->heads, mi->leaf->keys, mi->perm, bound, mi->leaf->n.skip, &equal);
}

/* The next key node in the iterator's direction, whatever its versions; NULL at the end. */
static const struct mem_key *step(struct mem_iter *mi)
{
    while (mi->leaf) {
        if (!mi->reverse && mi->pos < perm_count(mi->perm)) {
            if (mi->pos + 2 < perm_count(mi->perm)) __builtin_prefetch(mi->leaf->keys[perm_slot(mi->perm, mi->pos + 2)]);
            return mi->leaf->keys[perm_slot(mi->perm, mi->pos++)];
        }
        if (mi->reverse && mi->pos > 0) {
            if (mi->pos > 2) __builtin_prefetch(mi->leaf->keys[perm_slot(mi->perm, mi->pos - 3)]);
            return mi->leaf->keys[perm_slot(mi->perm, --mi->pos)];
        }
        enter(mi, atomic_load_explicit(mi->reverse ? &mi->leaf->prev : &mi->leaf->next, memory_order_acquire));
    }
    return NULL;
}

static int mem_iter_next(struct iter *it, frz_error *err)
{
    struct mem_iter *mi = (struct mem_iter *)it;
    const struct mem_key *k;
    (void)err;
    if (mi->ended) return FRZ_DONE;
    if (!mi->started) start(mi);
    while ((k = step(mi))) {
        slice key = mem_key_slice(k);
        if (!mi->reverse && mi->has_to && slice_cmp(key, mi->to) >= 0) break;
        if (mi->reverse && mi->has_from && slice_cmp(key, mi->from) < 0) break;
        const struct mem_version *v = mem_key_version(k, mi->seq);
        if (!v) continue;
        it->key = key;
        it->op = mem_version_op(v);
        it->row = mem_version_row(v);
        return FRZ_OK;
    }
    mi->ended = true;
    return FRZ_DONE;
}

static void mem_iter_free(struct iter *it)
{
    struct mem_iter *mi = (struct mem_iter *)it;
    struct mem *m = mi->m;
    frz__free(m->a, mi);
    frz__mem_release(m);
}

int frz__mem_iter_new(struct mem *m, uint64_t seq, slice from, slice to, bool reverse, struct iter **out, frz_error *err)
{
    static const struct iter_ops ops = {mem_iter_next, mem_iter_free};
    *out = NULL;
    if (from.len > SIZE_MAX / 4 || to.len > SIZE_MAX / 4) return frz__err(err, FRZ_TOO_LARGE, "memtable: bounds of %zu and %zu bytes", from.len, to.len);
    size_t bytes = sizeof(struct mem_iter) + from.len + to.len;
    struct mem_iter *mi = (struct mem_iter *)frz__alloc(m->a, bytes);
    if (!mi) return frz__err_no_memory(err, bytes);
    memset(mi, 0, sizeof *mi);
    mi->it.ops = &ops;
    mi->m = frz__mem_acquire(m);
    mi->seq = seq;
    mi->reverse = reverse;
    mi->has_from = from.data != NULL;
    mi->has_to = to.data != NULL;
    mi->from = slice_of(mi->bounds, mi->has_from ? from.len : 0);
    mi->to = slice_of(mi->bounds + mi->from.len, mi->has_to ? to.len : 0);
    if (mi->from.len) memcpy(mi->bounds, from.data, from.len);
    if (mi->to.len) memcpy(mi->bounds + mi->from.len, to.data, to.len);
    *out = &mi->it;
    return FRZ_OK;
}

/* ── for flush ── */

static const struct mem_key *cursor_key(const struct leaf *l, struct mem_cursor *c)
{
    while (l) {
        uint64_t perm = atomic_load_explicit(&l->n.perm, memory_order_acquire);
        if (c->slot < perm_count(perm)) {
            c->leaf = l;
            return l->keys[perm_slot(perm, c->slot)];
        }
        l = atomic_load_explicit(&l->next, memory_order_acquire);
        c->slot = 0;
    }
    c->leaf = NULL;
    return NULL;
}

const struct mem_key *frz__mem_first(const struct mem *m, struct mem_cursor *c)
{
    c->slot = 0;
    return cursor_key(frz__mem_tree_edge(m, false), c);
}

const struct mem_key *frz__mem_next(const struct mem *m, struct mem_cursor *c)
{
    (void)m;
    c->slot++;
    return cursor_key((const struct leaf *)c->leaf, c);
}
