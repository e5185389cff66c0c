#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *frz__alloc(const allocator *a, size_t bytes)
{
    if (bytes == 0) bytes = 1;
    return a ? a->alloc(a->ctx, bytes) : malloc(bytes);
}

void *frz__alloc_zero(const allocator *a, size_t bytes)
{
    if (!a) return calloc(1, bytes ? bytes : 1);
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

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
void *frz__alloc_huge(const allocator *a, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    void *p = NULL;
    if (a || bytes < HUGE_PAGE_BYTES) return frz__alloc(a, bytes);
    if (posix_memalign(&p, HUGE_PAGE_BYTES, bytes) != 0) return NULL;
    (void)madvise(p, bytes & ~(HUGE_PAGE_BYTES - 1), MADV_HUGEPAGE);
    return p;
#else
    return frz__alloc(a, bytes);
#endif
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
