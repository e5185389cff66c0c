/* merge.c — k sources into one: a binary heap of source numbers, smallest key on top, of equal keys the newest source; two sources need no heap, one needs no comparison.
 *
 * The entry given is borrowed from its source until that source's `next`. So the source on top is advanced at the start of the following call, and after all others that hold the same key:
 * until then its key is what they are compared with. */
#include "merge/iter.h"

struct source {
    struct iter *it;
    uint64_t head; /* first 8 bytes of its key, big-endian: decides most comparisons */
    bool ended;
};
struct merge {
    struct iter it;
    const allocator *a;
    bool reverse, keep_deletes, started;
    int failed;       /* the first error sticks */
    size_t count;     /* sources */
    uint32_t *heap;   /* of those not ended */
    size_t heap_len;
    uint32_t given;   /* two sources: bit 0 and 1: which are to be advanced */
    struct source s[];
};

static uint64_t key_head(slice k)
{
    uint8_t bytes[8] = {0};
    if (k.len >= 8) return load_u64_be(k.data);
    if (k.len) memcpy(bytes, k.data, k.len);
    return load_u64_be(bytes);
}

static int key_order(const struct merge *m, const struct source *x, const struct source *y)
{
    int c = x->head != y->head ? (x->head > y->head) - (x->head < y->head) : slice_cmp(x->it->key, y->it->key);
    return m->reverse ? -c : c;
}

static int advance(struct source *s, frz_error *err)
{
    int rc = iter_next(s->it, err);
    if (rc == FRZ_OK) s->head = key_head(s->it->key);
    else s->ended = true;
    return rc;
}

static void give(struct merge *m, const struct iter *from)
{
    const struct iter_ops *ops = m->it.ops;
    m->it = *from;
    m->it.ops = ops;
}

/* ── one ── */

static int one_next(struct merge *m, frz_error *err)
{
    struct source *s = &m->s[0];
    do {
        if (s->ended) return FRZ_DONE;
        int rc = advance(s, err);
        if (rc != FRZ_OK) return rc;
    } while (s->it->op == OP_DELETE && !m->keep_deletes);
    give(m, s->it);
    return FRZ_OK;
}

/* ── two ── */

static int two_next(struct merge *m, frz_error *err)
{
    struct source *x = &m->s[0], *y = &m->s[1];
    const struct source *top;
    if (!m->started) m->given = 3;
    m->started = true;
    do {
        if (m->given & 1 && !x->ended) TRY(advance(x, err));
        if (m->given & 2 && !y->ended) TRY(advance(y, err));
        if (x->ended && y->ended) return FRZ_DONE;
        int c = x->ended ? 1 : y->ended ? -1 : key_order(m, x, y);
        m->given = c < 0 ? 1 : c > 0 ? 2 : 3;
        top = c <= 0 ? x : y; /* equal: the newer hides the older */
    } while (top->it->op == OP_DELETE && !m->keep_deletes);
    give(m, top->it);
    return FRZ_OK;
}

/* ── many ── */

static bool before(const struct merge *m, uint32_t x, uint32_t y)
{
    int c = key_order(m, &m->s[x], &m->s[y]);
    return c ? c < 0 : x < y;
}

static void sift_down(struct merge *m, size_t at)
{
    uint32_t moved = m->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= m->heap_len) break;
        if (child + 1 < m->heap_len && before(m, m->heap[child + 1], m->heap[child])) child++;
        if (!before(m, m->heap[child], moved)) break;
        m->heap[at] = m->heap[child];
        at = child;
    }
    m->heap[at] = moved;
}

/* The source at AT gives its next entry and takes its place; the heap above AT stays right, for its key only moves on. */
static int heap_advance(struct merge *m, size_t at, frz_error *err)
{
    TRY(advance(&m->s[m->heap[at]], err));
    if (m->s[m->heap[at]].ended) {
        m->heap[at] = m->heap[--m->heap_len];
        if (at >= m->heap_len) return FRZ_OK;
    }
    sift_down(m, at);
    return FRZ_OK;
}

static int many_start(struct merge *m, frz_error *err)
{
    for (uint32_t i = 0; i < m->count; i++) {
        TRY(advance(&m->s[i], err));
        if (!m->s[i].ended) m->heap[m->heap_len++] = i;
    }
    for (size_t i = m->heap_len / 2; i-- > 0;) sift_down(m, i);
    m->started = true;
    return FRZ_OK;
}

/* Past the entry on top, and past all older ones of its key: they are below it, connected through equals. */
static int many_skip(struct merge *m, frz_error *err)
{
    for (;;) {
        size_t second = 1;
        if (m->heap_len > 2 && before(m, m->heap[2], m->heap[1])) second = 2;
        if (second >= m->heap_len || key_order(m, &m->s[m->heap[0]], &m->s[m->heap[second]]) != 0) break;
        TRY(heap_advance(m, second, err));
    }
    return heap_advance(m, 0, err);
}

static int many_next(struct merge *m, frz_error *err)
{
    const struct iter *top;
    if (!m->started) TRY(many_start(m, err));
    else if (m->heap_len) TRY(many_skip(m, err));
    for (;;) {
        if (m->heap_len == 0) return FRZ_DONE;
        top = m->s[m->heap[0]].it;
        if (top->op != OP_DELETE || m->keep_deletes) break;
        TRY(many_skip(m, err));
    }
    give(m, top);
    return FRZ_OK;
}

static int merge_next(struct iter *it, frz_error *err)
{
    struct merge *m = (struct merge *)it;
    if (m->failed) return frz__err(err, m->failed, "merge: a source failed before");
    int rc = m->count == 1 ? one_next(m, err) : m->count == 2 ? two_next(m, err) : many_next(m, err);
    if (rc < 0) m->failed = rc;
    return rc;
}

static void merge_free(struct iter *it)
{
    struct merge *m = (struct merge *)it;
    for (size_t i = 0; i < m->count; i++) iter_free(m->s[i].it);
    frz__free(m->a, m);
}

int frz__merge_new(const allocator *a, struct iter **sources, size_t count, bool reverse, bool keep_deletes, struct iter **out, frz_error *err)
{
    static const struct iter_ops ops = {merge_next, merge_free};
    *out = NULL;
    if (count == 1 && keep_deletes) { /* nothing to do */
        *out = sources[0];
        return FRZ_OK;
    }
    FRZ_ASSERT(count < UINT32_MAX);
    size_t head_bytes = sizeof(struct merge) + count * sizeof(struct source);
    struct merge *m = (struct merge *)frz__alloc_zero(a, head_bytes + count * sizeof(uint32_t));
    if (!m) {
        for (size_t i = 0; i < count; i++) iter_free(sources[i]);
        return frz__err_no_memory(err, head_bytes);
    }
    m->it.ops = &ops;
    m->a = a;
    m->reverse = reverse;
    m->keep_deletes = keep_deletes;
    m->count = count;
    m->heap = (uint32_t *)((uint8_t *)m + head_bytes);
    for (size_t i = 0; i < count; i++) m->s[i].it = sources[i];
    *out = &m->it;
    return FRZ_OK;
}
