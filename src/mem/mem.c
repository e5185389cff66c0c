#include "mem/mem.h"

#include "base/failpoint.h"
#include "base/hash.h"
#include "mem/mem_int.h"

int frz__mem_new(const allocator *a, const frz_schema *schema, struct mem **out, frz_error *err)
{
    struct mem *m = NULL;
    *out = NULL;
    TRY(ALLOC_NEW(&m, a, struct mem, err));
    m->a = a;
    atomic_init(&m->refs, 1);
    m->arena = ARENA_INIT(a);
    m->nodes = ARENA_INIT(a);
    int rc = frz__mem_tree_init(m, err);
    if (rc < 0) {
        frz__arena_clear(&m->nodes);
        frz__free(a, m);
        return rc;
    }
    m->schema = schema ? frz__schema_acquire(schema) : NULL;
    *out = m;
    return FRZ_OK;
}

struct mem *frz__mem_acquire(struct mem *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void frz__mem_release(struct mem *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) return;
    if (m->schema) frz__schema_release(m->schema);
    frz__arena_clear(&m->arena);
    frz__arena_clear(&m->nodes);
    frz__free(m->a, m);
}

/* There is one writer: a load and a store make an add, without the bus lock of a fetch-add. */
static void count_up(_Atomic uint64_t *n, uint64_t by) { atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by, memory_order_relaxed); }

static int version_push(struct mem *m, struct mem_key *k, uint64_t seq_op, slice row, frz_error *err)
{
    struct mem_version *v = (struct mem_version *)arena_alloc(&m->arena, VERSION_BYTES(row.len), 8);
    if (!v) return frz__err_no_memory(err, VERSION_BYTES(row.len));
    v->seq_op = seq_op;
    v->older = atomic_load_explicit(&k->newest, memory_order_relaxed);
    v->len = (uint32_t)row.len;
    if (row.len) memcpy(v->row, row.data, row.len);
    MEM_STEP();
    atomic_store_explicit(&k->newest, v, memory_order_release);
    return FRZ_OK;
}

#define DEPTH_GROWTH_MAX 4 /* levels that MEM_OPS_BOUND insertions may add */
#define NODE_BYTES_USUAL ((size_t)256) /* of nodes an insertion, with room: at worst in order seen, a leaf for seven */

size_t frz__mem_need(const struct mem *m, size_t ops, size_t bytes)
{
    size_t depth = m->depth + DEPTH_GROWTH_MAX, keys = bytes + ops * (sizeof(struct mem_key) + sizeof(struct mem_version) + 32);
    size_t worst = 2 * sizeof(struct leaf) + (2 * depth + 1) * sizeof(struct inner); /* a split, and one of each node above */
    size_t nodes = ops <= MEM_OPS_BOUND ? ops * worst : MEM_OPS_BOUND * worst + (ops - MEM_OPS_BOUND) * NODE_BYTES_USUAL;
    return keys > nodes ? keys : nodes;
}

int frz__mem_add(struct mem *m, uint64_t seq, enum op_kind op, slice key, slice row, frz_error *err)
{
    if (op != OP_PUT && op != OP_DELETE) return frz__err(err, FRZ_UNSUPPORTED, "memtable: operation %d is reserved: only put (1) and delete (2) are known", (int)op);
    if (key.len > KEY_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "memtable: a key of %zu bytes: at most %zu", key.len, KEY_BYTES_MAX);
    if (row.len > ROW_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "memtable: a row of %zu bytes: at most %zu", row.len, ROW_BYTES_MAX);
    bool first = mem_versions(m) == 0;
    FRZ_VERIFY(seq < UINT64_C(1) << 56, err);
    FRZ_VERIFY(first || seq > m->seq_last, err);
    if (op == OP_DELETE) row = slice_of(NULL, 0);
    uint64_t seq_op = seq << 8 | (uint64_t)op;
    struct mem_key *k = NULL;
    TRY(frz__mem_tree_insert(m, key, seq_op, row, &k, err));
    if (k) TRY(version_push(m, k, seq_op, row, err));
    else count_up(&m->keys, 1);
    if (first) m->seq_first = seq;
    m->seq_last = seq;
    count_up(&m->versions, 1);
    if (op == OP_DELETE) count_up(&m->deletes, 1);
    count_up(&m->row_bytes, key.len + row.len);
    return FRZ_OK;
}

const struct mem_version *frz__mem_get(const struct mem *m, slice key, uint64_t seq)
{
    const struct leaf *l = frz__mem_tree_find(m, key);
    uint64_t perm = atomic_load_explicit(&l->n.perm, memory_order_acquire);
    int equal;
    (void)node_rank(l->heads, l->keys, perm, key, l->n.skip, &equal);
    return equal >= 0 ? mem_key_version(l->keys[equal], seq) : NULL;
}

bool frz__mem_key_deleted_between(const struct mem_key *k)
{
    const struct mem_version *v = atomic_load_explicit(&k->newest, memory_order_acquire);
    if (mem_version_op(v) != OP_PUT) return false;
    for (v = v->older; v; v = v->older)
        if (mem_version_op(v) == OP_DELETE) return true;
    return false;
}
