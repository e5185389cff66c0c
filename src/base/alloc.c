#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/budget.h"

void *frz__alloc(const allocator *a, size_t bytes)
{
    if (bytes == 0) bytes = 1;
    return a ? a->alloc(a->ctx, bytes) : malloc(bytes);
}

void *frz__alloc_zero(const allocator *a, size_t bytes)
{
    if (!a) return calloc(1, bytes ? bytes : 1);
    if (frz__budget_is_malloc(a)) return frz__budget_calloc(a, bytes ? bytes : 1);
    void *p = frz__alloc(a, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

void *frz__alloc_array(const allocator *a, size_t count, size_t bytes)
{
    if (bytes && count > SIZE_MAX / bytes) return NULL;
    return frz__alloc_zero(a, count * bytes);
}

void *frz__realloc(const allocator *a, void *p, size_t bytes)
{
    if (bytes == 0) bytes = 1;
    return a ? a->realloc(a->ctx, p, bytes) : realloc(p, bytes);
}

#define LARGE_BYTES_MIN ((size_t)256 << 10)
#define LARGE_BYTES ((size_t)2 << 20) /* a huge page */
#define PAGE_BYTES  ((size_t)4096)
#if defined(__SANITIZE_ADDRESS__)
#define MAPS 0 /* what is mapped is not looked at for leaks */
#else
#define MAPS 1
#endif

static bool maps(const allocator *a, size_t bytes) { return MAPS && bytes >= LARGE_BYTES_MIN && bytes < SIZE_MAX / 2 && (!a || frz__budget_is_malloc(a)); }
static size_t mapped(size_t bytes) { return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1); }

/* Not malloc: large blocks that come and go by several threads leave its heaps full of holes, three times what is in use. In huge pages where the system has them: a fault for each 4 KiB costs as much as
 * writing a row to them. */
void *frz__alloc_large(const allocator *a, size_t bytes)
{
    if (!maps(a, bytes)) return frz__alloc(a, bytes);
    size_t want = mapped(bytes);
    if (want < LARGE_BYTES) {
        void *q = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (q == MAP_FAILED) return NULL;
        if (a) frz__budget_charge(a, want);
        return q;
    }
    uint8_t *p = (uint8_t *)mmap(NULL, want + LARGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (a) frz__budget_charge(a, want);
    size_t before = (size_t)(-(uintptr_t)p & (LARGE_BYTES - 1)); /* huge pages are aligned */
    if (before) (void)munmap(p, before);
    (void)munmap(p + before + want, LARGE_BYTES - before);
#if defined(MADV_HUGEPAGE)
    (void)madvise(p + before, want & ~(LARGE_BYTES - 1), MADV_HUGEPAGE);
#endif
    return p + before;
}

void frz__free_large(const allocator *a, void *p, size_t bytes)
{
    if (!p || !maps(a, bytes)) frz__free(a, p);
    else {
        (void)munmap(p, mapped(bytes));
        if (a) frz__budget_uncharge(a, mapped(bytes));
    }
}

void frz__free(const allocator *a, void *p)
{
    if (!p) return;
    if (a) a->free(a->ctx, p);
    else free(p);
}

char *frz__strndup(const allocator *a, const char *s, size_t len)
{
    char *p = len < SIZE_MAX ? (char *)frz__alloc(a, len + 1) : NULL;
    if (!p) return NULL;
    if (len) memcpy(p, s, len);
    p[len] = 0;
    return p;
}

char *frz__strdup(const allocator *a, const char *s) { return frz__strndup(a, s, strlen(s)); }

int frz__grow(const allocator *a, void **p, size_t count, size_t *cap, size_t bytes, frz_error *err)
{
    if (count < *cap) return FRZ_OK;
    size_t want = *cap ? *cap * 2 : 8;
    if (want > SIZE_MAX / 2 / bytes) return frz__err_no_memory(err, SIZE_MAX);
    void *q = frz__realloc(a, *p, want * bytes);
    if (!q) return frz__err_no_memory(err, want * bytes);
    *p = q;
    *cap = want;
    return FRZ_OK;
}
