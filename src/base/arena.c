#include "base/arena.h"

#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t bytes;
};
#define BLOCK_BYTES_MIN ((size_t)4096)
#define BLOCK_BYTES_MAX ((size_t)8 << 20)

void *frz__arena_alloc_slow(struct arena *ar, size_t bytes, size_t align)
{
    size_t head = sizeof(struct arena_block) + align;
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t want = ar->next_bytes ? ar->next_bytes : BLOCK_BYTES_MIN;
    bool own = bytes + head > want / 2 && ar->at; /* a large piece gets its own block: the current one keeps its room */
    size_t take = own || bytes + head > want ? bytes + head : want;
    struct arena_block *b = (struct arena_block *)frz__alloc_huge(ar->a, take);
    if (!b) return NULL;
    b->next = ar->blocks;
    b->bytes = take;
    ar->blocks = b;
    atomic_fetch_add_explicit(&ar->bytes, take, memory_order_relaxed);
    uintptr_t p = ((uintptr_t)(b + 1) + align - 1) & ~(uintptr_t)(align - 1);
    if (!own) {
        ar->at = (uint8_t *)p + bytes;
        ar->end = (uint8_t *)b + take;
        if (want < BLOCK_BYTES_MAX) ar->next_bytes = want * 2;
    }
    return (void *)p;
}

void frz__arena_clear(struct arena *ar)
{
    while (ar->blocks) {
        struct arena_block *next = ar->blocks->next;
        frz__free(ar->a, ar->blocks);
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
