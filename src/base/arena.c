#include "base/arena.h"

#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t bytes;
};
#define BLOCK_BYTES_MIN ((size_t)4096)
#define BLOCK_BYTES_MAX ((size_t)8 << 20)

#define HEAD_MAX (sizeof(struct arena_block) + 64) /* with the first piece's alignment */

static void free_blocks(const allocator *a, struct arena_block *blocks)
{
    while (blocks) {
        struct arena_block *next = blocks->next;
        frz__free_large(a, blocks, blocks->bytes);
        blocks = next;
    }
}

int frz__arena_reserve(struct arena_reserve *r, size_t count, size_t bytes, frz_error *err)
{
    if (r->count >= count && r->bytes >= bytes) return FRZ_OK;
    if (bytes > SIZE_MAX / 2) return frz__err_no_memory(err, bytes);
    if (r->bytes < bytes) frz__arena_reserve_clear(r); /* too small, all of them */
    if (r->count == 0) r->bytes = bytes;
    while (r->count < count) {
        struct arena_block *b = (struct arena_block *)frz__alloc_large(r->a, HEAD_MAX + r->bytes);
        if (!b) return frz__err_no_memory(err, HEAD_MAX + r->bytes);
        b->next = r->blocks;
        b->bytes = HEAD_MAX + r->bytes;
        r->blocks = b;
        r->count++;
    }
    return FRZ_OK;
}

size_t frz__arena_reserve_bytes(const struct arena_reserve *r) { return r->count * (HEAD_MAX + r->bytes); }

void frz__arena_reserve_clear(struct arena_reserve *r)
{
    free_blocks(r->a, r->blocks);
    r->blocks = NULL;
    r->count = r->bytes = 0;
}

/* ── spares ── */

static size_t block_max(const struct arena_spares *s) { return s ? s->block_bytes : BLOCK_BYTES_MAX; }

void frz__arena_spares_init(struct arena_spares *s, const allocator *a, uint64_t bytes, size_t block_bytes)
{
    size_t block = BLOCK_BYTES_MIN;
    while (block < BLOCK_BYTES_MAX && block * 2 <= block_bytes) block *= 2;
    *s = (struct arena_spares){.a = a, .max = (size_t)(bytes / block), .block_bytes = block};
    frz__mutex_init(&s->mu, RANK_LEAF, "arena spares");
}

void frz__arena_spares_trim(struct arena_spares *s)
{
    struct arena_block *blocks = NULL;
    frz__mutex_lock(&s->mu);
    if (!s->taken) {
        blocks = s->blocks;
        s->blocks = NULL;
        s->count = 0;
    }
    s->taken = false;
    frz__mutex_unlock(&s->mu);
    free_blocks(s->a, blocks);
}

size_t frz__arena_spares_bytes(struct arena_spares *s)
{
    frz__mutex_lock(&s->mu);
    size_t n = s->count * s->block_bytes;
    frz__mutex_unlock(&s->mu);
    return n;
}

void frz__arena_spares_clear(struct arena_spares *s)
{
    free_blocks(s->a, s->blocks);
    frz__mutex_clear(&s->mu);
    *s = (struct arena_spares){0};
}

static struct arena_block *take_spare(struct arena_spares *s, size_t bytes)
{
    if (!s || bytes != s->block_bytes) return NULL;
    frz__mutex_lock(&s->mu);
    struct arena_block *b = s->blocks;
    if (b) {
        s->blocks = b->next;
        s->count--;
    }
    s->taken = true;
    frz__mutex_unlock(&s->mu);
    return b;
}

static bool keep_spare(struct arena_spares *s, struct arena_block *b)
{
    if (!s || b->bytes != s->block_bytes) return false;
    frz__mutex_lock(&s->mu);
    bool keep = s->count < s->max;
    if (keep) {
        b->next = s->blocks;
        s->blocks = b;
        s->count++;
    }
    frz__mutex_unlock(&s->mu);
    return keep;
}

/* ── arenas ── */

/* A block of the reserve becomes the current one: what it was made for fits in it. */
static void *alloc_reserved(struct arena *ar, size_t bytes, size_t align)
{
    struct arena_reserve *r = ar->reserve;
    if (!r || !r->count || r->bytes < bytes) return NULL;
    struct arena_block *b = r->blocks;
    r->blocks = b->next;
    r->count--;
    b->next = ar->blocks;
    ar->blocks = b;
    atomic_fetch_add_explicit(&ar->bytes, b->bytes, memory_order_relaxed);
    uintptr_t p = ((uintptr_t)(b + 1) + align - 1) & ~(uintptr_t)(align - 1);
    ar->at = (uint8_t *)p + bytes;
    ar->end = (uint8_t *)b + b->bytes;
    return (void *)p;
}

void *frz__arena_alloc_slow(struct arena *ar, size_t bytes, size_t align)
{
    size_t head = sizeof(struct arena_block) + align;
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t want = ar->next_bytes ? ar->next_bytes : BLOCK_BYTES_MIN;
    bool own = bytes + head > want / 2 && ar->at; /* a large piece gets its own block: the current one keeps its room */
    size_t take = own || bytes + head > want ? bytes + head : want;
    struct arena_block *b = take_spare(ar->spares, take);
    if (!b) b = (struct arena_block *)frz__alloc_large(ar->a, take);
    if (!b) return alloc_reserved(ar, bytes, align);
    b->next = ar->blocks;
    b->bytes = take;
    ar->blocks = b;
    atomic_fetch_add_explicit(&ar->bytes, take, memory_order_relaxed);
    uintptr_t p = ((uintptr_t)(b + 1) + align - 1) & ~(uintptr_t)(align - 1);
    if (!own) {
        ar->at = (uint8_t *)p + bytes;
        ar->end = (uint8_t *)b + take;
        if (want < block_max(ar->spares)) ar->next_bytes = want * 2;
    }
    return (void *)p;
}

void frz__arena_clear(struct arena *ar)
{
    while (ar->blocks) {
        struct arena_block *next = ar->blocks->next;
        if (!keep_spare(ar->spares, ar->blocks)) frz__free_large(ar->a, ar->blocks, ar->blocks->bytes);
        ar->blocks = next;
    }
    ar->at = ar->end = NULL;
    ar->next_bytes = 0;
    atomic_store_explicit(&ar->bytes, 0, memory_order_relaxed);
}

char *frz__arena_strndup(struct arena *ar, const char *s, size_t len)
{
    char *p = (char *)arena_alloc(ar, len + 1, 1);
    if (!p) return NULL;
    if (len) memcpy(p, s, len);
    p[len] = 0;
    return p;
}
