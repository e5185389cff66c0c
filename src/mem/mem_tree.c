/* mem_tree.c — the B+-tree of key nodes: descent and insert. How readers stay safe beside an insert stands in mem_int.h.
 *
 * The order of an insert
 *   1. the key node with its version is built; nobody sees it
 *   2. room in the leaf: its slot is filled, then one store of `perm` shows it
 *   3. no room: the two halves are built, then, going up, the halves of each inner node that is full, all unseen; at the first that has room (or a new root) one store of `perm` (or of `root`)
 *      shows the upper half, and one more puts the lower half in the place of what was split. Between the two, the old node stands for the lower half: it still holds all of it
 *   4. the neighbours' links are led to the new leaves
 * Memory is taken in steps 1 and 3, before the first store that is seen: a failed insert leaves the tree as it was. */
#include "mem/mem_int.h"

#ifdef FRZ_FAILPOINTS
void (*frz__test_mem_step)(void);
#endif

/* One step of the writer's way down. LOW and HIGH: the bounds of the node's range, NULL = open. */
struct step {
    struct inner *node;
    unsigned pos; /* of the child taken */
    const struct mem_key *low, *high;
};
struct way {
    struct step steps[MEM_DEPTH_MAX];
    unsigned depth;
    struct leaf *leaf;
    const struct mem_key *low, *high;
};

static uint32_t common_prefix(const struct mem_key *low, const struct mem_key *high, uint32_t known)
{
    if (!low || !high) return 0;
    uint32_t n = low->len < high->len ? low->len : high->len, i = known;
    while (i < n && low->key[i] == high->key[i]) i++;
    return i;
}

static void *node_new(struct mem *m, size_t bytes, bool is_leaf, frz_error *err)
{
    struct node *n = (struct node *)arena_alloc(&m->nodes, bytes, 64);
    if (!n) {
        (void)frz__err_no_memory(err, bytes);
        return NULL;
    }
    memset(n, 0, bytes);
    n->is_leaf = is_leaf;
    return n;
}

int frz__mem_tree_init(struct mem *m, frz_error *err)
{
    void *leaf = node_new(m, sizeof(struct leaf), true, err);
    if (!leaf) return FRZ_NO_MEMORY;
    atomic_store_explicit(&m->root, leaf, memory_order_release);
    return FRZ_OK;
}

/* ── down ── */

/* A split shows its upper half in `perm` first and then puts the lower half in the old child's place: that child with a `perm` from before the split would lack the upper half's keys. So `perm`
 * must still be the same after the child was loaded. It changes at most INNER_SLOTS times in a node's life: that bounds the rounds. */
const struct leaf *frz__mem_tree_find(const struct mem *m, slice key)
{
    const struct node *n = (const struct node *)atomic_load_explicit(&m->root, memory_order_acquire);
    while (!n->is_leaf) {
        const struct inner *in = (const struct inner *)n;
        uint64_t perm = atomic_load_explicit(&in->n.perm, memory_order_acquire), now;
        for (;; perm = now) {
            int equal;
            unsigned pos = node_rank(in->heads, in->keys, perm, key, in->n.skip, &equal);
            n = inner_child(in, perm, pos + (equal >= 0));
            node_prefetch(n);
            now = atomic_load_explicit(&in->n.perm, memory_order_acquire);
            if (now == perm) break;
        }
    }
    return (const struct leaf *)n;
}

const struct leaf *frz__mem_tree_edge(const struct mem *m, bool last)
{
    const struct node *n = (const struct node *)atomic_load_explicit(&m->root, memory_order_acquire);
    while (!n->is_leaf) {
        const struct inner *in = (const struct inner *)n;
        uint64_t perm = atomic_load_explicit(&in->n.perm, memory_order_acquire), now;
        for (;; perm = now) {
            n = inner_child(in, perm, last ? perm_count(perm) : 0);
            now = atomic_load_explicit(&in->n.perm, memory_order_acquire);
            if (now == perm) break;
        }
    }
    return (const struct leaf *)n;
}

/* The writer's: remembers the way and the bounds. */
static int descend(const struct mem *m, slice key, struct way *w, frz_error *err)
{
    struct node *n = (struct node *)atomic_load_explicit(&m->root, memory_order_relaxed);
    w->depth = 0;
    w->low = w->high = NULL;
    while (!n->is_leaf) {
        struct inner *in = (struct inner *)n;
        FRZ_VERIFY(w->depth < MEM_DEPTH_MAX, err);
        uint64_t perm = atomic_load_explicit(&n->perm, memory_order_relaxed);
        int equal;
        unsigned pos = node_rank(in->heads, in->keys, perm, key, n->skip, &equal) + (equal >= 0);
        w->steps[w->depth++] = (struct step){in, pos, w->low, w->high};
        if (pos > 0) w->low = in->keys[perm_slot(perm, pos - 1)];
        if (pos < perm_count(perm)) w->high = in->keys[perm_slot(perm, pos)];
        n = inner_child(in, perm, pos);
        node_prefetch(n);
    }
    w->leaf = (struct leaf *)n;
    return FRZ_OK;
}

/* ── up ── */

/* What a split hands to the node above: RIGHT, whose least key is SEPARATOR, goes behind the child on the way, and LEFT takes that child's place. */
struct rise {
    struct node *left, *right;
    struct mem_key *separator;
    bool ascends; /* RIGHT holds but the newest key, and more like it are to come */
};

static void child_set(struct inner *in, uint64_t perm, unsigned pos, struct node *child)
{
    if (pos == 0) atomic_store_explicit(&in->first, child, memory_order_release);
    else atomic_store_explicit(&in->child[perm_slot(perm, pos - 1)], child, memory_order_release);
}

/* Fills an unseen inner node with COUNT separators, and COUNT + 1 children, in order. */
static void inner_fill(struct inner *in, uint32_t skip, struct mem_key *const *keys, struct node *const *children, unsigned count)
{
    in->n.skip = skip;
    atomic_store_explicit(&in->first, children[0], memory_order_relaxed);
    for (unsigned i = 0; i < count; i++) {
        in->keys[i] = keys[i];
        in->heads[i] = head_at(keys[i]->key, keys[i]->len, skip);
        atomic_store_explicit(&in->child[i], children[i + 1], memory_order_relaxed);
    }
    atomic_store_explicit(&in->n.perm, perm_ordered(count), memory_order_relaxed);
}

/* Splits the full node of step S, with R in it; *R becomes what goes further up. Nothing is seen yet. */
static int inner_split(struct mem *m, const struct step *s, struct rise *r, frz_error *err)
{
    struct inner *in = s->node;
    uint64_t perm = atomic_load_explicit(&in->n.perm, memory_order_relaxed);
    struct mem_key *keys[INNER_SLOTS + 1];
    struct node *children[INNER_SLOTS + 2];
    unsigned count = 0;
    for (unsigned pos = 0; pos <= INNER_SLOTS; pos++) {
        if (pos > 0) keys[count - 1] = in->keys[perm_slot(perm, pos - 1)];
        children[count++] = pos == s->pos ? r->left : inner_child(in, perm, pos);
        if (pos == s->pos) {
            keys[count - 1] = r->separator;
            children[count++] = r->right;
        }
    }
    FRZ_ASSERT(count == INNER_SLOTS + 2);
    unsigned half = INNER_SLOTS / 2 + 1; /* children of the left */
    struct inner *left = (struct inner *)node_new(m, sizeof *left, false, err);
    if (!left) return FRZ_NO_MEMORY;
    struct inner *right = (struct inner *)node_new(m, sizeof *right, false, err);
    if (!right) return FRZ_NO_MEMORY;
    struct mem_key *separator = keys[half - 1];
    inner_fill(left, common_prefix(s->low, separator, in->n.skip), keys, children, half - 1);
    inner_fill(right, common_prefix(separator, s->high, in->n.skip), keys + half, children + half, INNER_SLOTS + 1 - half);
    *r = (struct rise){&left->n, &right->n, separator, false};
    return FRZ_OK;
}

/* The full node of step S, which grows at its end, stays as it is, and R's right begins a new one; as in leaf_split, a copy that skips a prefix may take its place. */
static int inner_append(struct mem *m, const struct step *s, uint64_t perm, struct rise *r, frz_error *err)
{
    struct inner *in = s->node, *stays = in, *next = (struct inner *)node_new(m, sizeof *next, false, err);
    if (!next) return FRZ_NO_MEMORY;
    uint32_t skip = common_prefix(s->low, r->separator, in->n.skip);
    bool tie = skip > in->n.skip && in->heads[perm_slot(perm, 0)] == in->heads[perm_slot(perm, INNER_SLOTS - 1)];
    if (tie || r->left != inner_child(in, perm, INNER_SLOTS)) {
        struct mem_key *keys[INNER_SLOTS];
        struct node *children[INNER_SLOTS + 1];
        for (unsigned i = 0; i < INNER_SLOTS; i++) keys[i] = in->keys[perm_slot(perm, i)];
        for (unsigned i = 0; i < INNER_SLOTS; i++) children[i] = inner_child(in, perm, i);
        children[INNER_SLOTS] = r->left;
        stays = (struct inner *)node_new(m, sizeof *stays, false, err);
        if (!stays) return FRZ_NO_MEMORY;
        inner_fill(stays, skip, keys, children, INNER_SLOTS);
    }
    inner_fill(next, common_prefix(r->separator, s->high, in->n.skip), NULL, &r->right, 0);
    *r = (struct rise){&stays->n, &next->n, r->separator, true};
    return FRZ_OK;
}

/* Takes R up the way W to the first node with room, and shows it there: the only stores of a split that are seen, but for links. */
static int raise_split(struct mem *m, struct way *w, struct rise r, frz_error *err)
{
    for (unsigned level = w->depth; level-- > 0;) {
        struct step *s = &w->steps[level];
        struct inner *in = s->node;
        uint64_t perm = atomic_load_explicit(&in->n.perm, memory_order_relaxed);
        unsigned slot = perm_count(perm);
        struct node *old = inner_child(in, perm, s->pos);
        FRZ_ASSERT(r.separator);
        if (slot < INNER_SLOTS) {
            in->keys[slot] = r.separator;
            in->heads[slot] = head_at(r.separator->key, r.separator->len, in->n.skip);
            atomic_store_explicit(&in->child[slot], r.right, memory_order_relaxed);
            MEM_STEP();
            atomic_store_explicit(&in->n.perm, perm_insert(perm, s->pos, slot), memory_order_release);
            MEM_STEP();
            if (r.left != old) child_set(in, perm, s->pos, r.left); /* below S->POS, PERM shows the same as the new one */
            return FRZ_OK;
        }
        if (r.ascends && s->pos == INNER_SLOTS) {
            TRY(inner_append(m, s, perm, &r, err));
        } else {
            TRY(inner_split(m, s, &r, err));
        }
    }
    struct inner *root = (struct inner *)node_new(m, sizeof *root, false, err);
    if (!root) return FRZ_NO_MEMORY;
    inner_fill(root, 0, &r.separator, (struct node *[]){r.left, r.right}, 1);
    m->depth++;
    MEM_STEP();
    atomic_store_explicit(&m->root, root, memory_order_release);
    return FRZ_OK;
}

/* ── leaves ── */

static struct leaf *leaf_link(struct leaf *const _Atomic *p) { return atomic_load_explicit((struct leaf *_Atomic *)p, memory_order_relaxed); }

static void leaf_fill(struct leaf *l, uint32_t skip, struct mem_key *const *keys, unsigned count, struct leaf *prev, struct leaf *next)
{
    l->n.skip = skip;
    for (unsigned i = 0; i < count; i++) {
        l->keys[i] = keys[i];
        l->heads[i] = head_at(keys[i]->key, keys[i]->len, skip);
    }
    atomic_store_explicit(&l->prev, prev, memory_order_relaxed);
    atomic_store_explicit(&l->next, next, memory_order_relaxed);
    atomic_store_explicit(&l->n.perm, perm_ordered(count), memory_order_relaxed);
}

/* FIRST … LAST stand between PREV and NEXT from now on. */
static void leaf_show_links(struct leaf *prev, struct leaf *first, struct leaf *last, struct leaf *next)
{
    MEM_STEP();
    if (prev) atomic_store_explicit(&prev->next, first, memory_order_release);
    MEM_STEP();
    if (next) atomic_store_explicit(&next->prev, last, memory_order_release);
}

/* The leaf of W is full, and KEY would be at POS in it. */
static int leaf_split(struct mem *m, struct way *w, unsigned pos, struct mem_key *key, frz_error *err)
{
    struct leaf *old = w->leaf, *prev = leaf_link(&old->prev), *next = leaf_link(&old->next);
    uint64_t perm = atomic_load_explicit(&old->n.perm, memory_order_relaxed);
    /* The last arrival was at the same end: a run of ascending or of descending keys. What is here stays; a leaf of its own begins for what comes. */
    bool ascends = pos == LEAF_SLOTS && perm_slot(perm, LEAF_SLOTS - 1) == LEAF_SLOTS - 1;
    bool descends = pos == 0 && perm_slot(perm, 0) == LEAF_SLOTS - 1;
    struct leaf *right = (struct leaf *)node_new(m, sizeof *right, true, err);
    if (!right) return FRZ_NO_MEMORY;
    if (ascends) {
        /* OLD has an upper bound now, and perhaps a prefix: where its heads tell nothing, a copy that skips the prefix takes its place. */
        uint32_t skip = common_prefix(w->low, key, old->n.skip);
        struct leaf *stays = old;
        if (skip > old->n.skip && old->heads[perm_slot(perm, 0)] == old->heads[LEAF_SLOTS - 1]) {
            struct mem_key *keys[LEAF_SLOTS];
            for (unsigned i = 0; i < LEAF_SLOTS; i++) keys[i] = old->keys[perm_slot(perm, i)];
            stays = (struct leaf *)node_new(m, sizeof *stays, true, err);
            if (!stays) return FRZ_NO_MEMORY;
            leaf_fill(stays, skip, keys, LEAF_SLOTS, prev, right);
        }
        leaf_fill(right, common_prefix(key, w->high, old->n.skip), &key, 1, stays, next);
        TRY(raise_split(m, w, (struct rise){&stays->n, &right->n, key, true}, err));
        if (stays == old) leaf_show_links(old, right, right, next);
        else leaf_show_links(prev, stays, right, next);
        return FRZ_OK;
    }
    if (descends) {
        struct leaf *left = right;
        struct mem_key *separator = old->keys[perm_slot(perm, 0)];
        leaf_fill(left, common_prefix(w->low, separator, old->n.skip), &key, 1, prev, old);
        TRY(raise_split(m, w, (struct rise){&left->n, &old->n, separator, false}, err));
        leaf_show_links(prev, left, left, old);
        return FRZ_OK;
    }
    struct leaf *left = (struct leaf *)node_new(m, sizeof *left, true, err);
    if (!left) return FRZ_NO_MEMORY;
    struct mem_key *keys[LEAF_SLOTS + 1];
    for (unsigned i = 0; i <= LEAF_SLOTS; i++) keys[i] = i == pos ? key : old->keys[perm_slot(perm, i - (i > pos))];
    unsigned half = (LEAF_SLOTS + 1) / 2;
    struct mem_key *separator = keys[half];
    leaf_fill(left, common_prefix(w->low, separator, old->n.skip), keys, half, prev, right);
    leaf_fill(right, common_prefix(separator, w->high, old->n.skip), keys + half, LEAF_SLOTS + 1 - half, left, next);
    TRY(raise_split(m, w, (struct rise){&left->n, &right->n, separator, false}, err));
    leaf_show_links(prev, left, right, next);
    return FRZ_OK;
}

/* Key node and first version side by side: a get that finds the key has its row in the same cache lines. */
static struct mem_key *key_new(struct mem *m, slice key, uint64_t seq_op, slice row, frz_error *err)
{
    size_t key_bytes = (offsetof(struct mem_key, key) + key.len + 7) & ~(size_t)7, bytes = key_bytes + VERSION_BYTES(row.len);
    struct mem_key *k = (struct mem_key *)arena_alloc(&m->arena, bytes, 8);
    if (!k) {
        (void)frz__err_no_memory(err, bytes);
        return NULL;
    }
    struct mem_version *v = (struct mem_version *)((uint8_t *)k + key_bytes);
    k->len = (uint32_t)key.len;
    atomic_init(&k->newest, v);
    if (key.len) memcpy(k->key, key.data, key.len);
    v->seq_op = seq_op;
    v->older = NULL;
    v->len = (uint32_t)row.len;
    if (row.len) memcpy(v->row, row.data, row.len);
    return k;
}

/* KEY belongs in the leaf of the last insert: so do most of a batch that ascends. */
static bool finger_holds(const struct mem_finger *f, slice key)
{
    if (!f->leaf) return false;
    if (f->low && slice_cmp(mem_key_slice(f->low), key) > 0) return false;
    return !f->high || slice_cmp(key, mem_key_slice(f->high)) < 0;
}

int frz__mem_tree_insert(struct mem *m, slice key, uint64_t seq_op, slice row, struct mem_key **found, frz_error *err)
{
    struct way w;
    bool near = finger_holds(&m->finger, key);
    if (!near) {
        TRY(descend(m, key, &w, err));
        m->finger = (struct mem_finger){w.leaf, w.low, w.high};
    }
    struct leaf *l = m->finger.leaf;
    uint64_t perm = atomic_load_explicit(&l->n.perm, memory_order_relaxed);
    int equal;
    unsigned pos = node_rank(l->heads, l->keys, perm, key, l->n.skip, &equal), slot = perm_count(perm);
    *found = equal >= 0 ? l->keys[equal] : NULL;
    if (*found) return FRZ_OK;
    struct mem_key *k = key_new(m, key, seq_op, row, err);
    if (!k) return FRZ_NO_MEMORY;
    if (slot == LEAF_SLOTS) {
        if (near) TRY(descend(m, key, &w, err)); /* a split needs the way */
        m->finger = (struct mem_finger){0};
        return leaf_split(m, &w, pos, k, err);
    }
    l->keys[slot] = k;
    l->heads[slot] = head_at(key.data, key.len, l->n.skip);
    MEM_STEP();
    atomic_store_explicit(&l->n.perm, perm_insert(perm, pos, slot), memory_order_release);
    return FRZ_OK;
}
