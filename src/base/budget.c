#include "base/budget.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct head { /* before a block, where there is one */
    size_t bytes; /* with this */
    struct mem_account *account;
};
#define MAP_BYTES_MIN ((size_t)8 << 10)
#define MAP_BYTES_MAX ((size_t)256 << 10)
static_assert(sizeof(struct head) == 16, "a block behind it is aligned for any type");

static bool has_heads(const struct budget *b)
{
#ifdef NDEBUG
    return b->under != NULL;
#else
    (void)b;
    return true;
#endif
}

static void charge(struct mem_account *c, size_t n)
{
    uint64_t now = atomic_fetch_add_explicit(&c->bytes, n, memory_order_relaxed) + n, high = atomic_load_explicit(&c->high, memory_order_relaxed);
    while (now > high && !atomic_compare_exchange_weak_explicit(&c->high, &high, now, memory_order_relaxed, memory_order_relaxed)) {}
}

static void free_budget(struct budget *b)
{
    frz_allocator host = b->host;
    for (int i = 0; i < MEM_CLASSES; i++) frz__mapped_clear(&b->by_class[i].mapped);
    frz__free(b->under ? &host : NULL, b);
}

/* A block of the class's own, if one of BYTES is to be mapped. */
static void *map_block(struct mem_account *c, size_t bytes)
{
    size_t got = 0;
    void *p = bytes >= c->map_bytes ? frz__mapped_alloc(&c->mapped, bytes, &got) : NULL;
    if (p) charge(c, got);
    return p;
}

/* The count never falls to nothing before the budget is closed. */
static void uncharge(struct mem_account *c, size_t n)
{
    struct budget *b = c->budget;
    uint64_t before = atomic_fetch_sub_explicit(&c->bytes, n, memory_order_acq_rel);
    FRZ_ASSERT(before >= n);
    if (before == n && atomic_fetch_sub(&b->accounts, 1) == 1) free_budget(b);
}

static void *with_head(struct mem_account *c, struct head *h, size_t bytes)
{
    if (!h) return NULL;
    *h = (struct head){bytes, c};
    charge(c, bytes);
    return h + 1;
}

static void *class_alloc(void *ctx, size_t bytes)
{
    struct mem_account *c = (struct mem_account *)ctx;
    if (bytes > SIZE_MAX / 2) return NULL;
    if (has_heads(c->budget)) return with_head(c, (struct head *)frz__alloc(c->budget->under, bytes + sizeof(struct head)), bytes + sizeof(struct head));
    void *p = map_block(c, bytes);
    if (p) return p;
    p = malloc(bytes);
    if (p) charge(c, malloc_usable_size(p));
    return p;
}

static void class_free(void *ctx, void *p)
{
    struct mem_account *c = (struct mem_account *)ctx;
    if (!p) return;
    if (has_heads(c->budget)) {
        struct head *h = (struct head *)p - 1;
        FRZ_ASSERT(h->account == c); /* freed as another class's than it was made */
        const allocator *under = c->budget->under;
        frz_allocator host = c->budget->host;
        size_t bytes = h->bytes;
        frz__free(under ? &host : NULL, h);
        uncharge(c, bytes);
    } else {
        size_t bytes = frz__mapped_free(&c->mapped, p);
        if (!bytes) {
            bytes = malloc_usable_size(p);
            free(p);
        }
        uncharge(c, bytes);
    }
}

/* P has BEFORE bytes, and becomes a block of the other kind. */
static void *move_block(struct mem_account *c, void *p, size_t before, size_t bytes)
{
    void *q = class_alloc(c, bytes);
    if (!q) return NULL;
    memcpy(q, p, before < bytes ? before : bytes);
    class_free(c, p);
    return q;
}

static void *resize_mapped(struct mem_account *c, void *p, size_t before, size_t bytes)
{
    size_t got;
    if (bytes < c->map_bytes) return move_block(c, p, before, bytes);
    void *q = frz__mapped_resize(&c->mapped, p, bytes, &got);
    if (!q) return NULL;
    charge(c, got);
    uncharge(c, before);
    return q;
}

static void *class_realloc(void *ctx, void *p, size_t bytes)
{
    struct mem_account *c = (struct mem_account *)ctx;
    if (!p) return class_alloc(ctx, bytes);
    if (bytes > SIZE_MAX / 2) return NULL;
    if (has_heads(c->budget)) {
        struct head *h = (struct head *)p - 1;
        FRZ_ASSERT(h->account == c);
        size_t before = h->bytes;
        struct head *grown = (struct head *)frz__realloc(c->budget->under, h, bytes + sizeof *h);
        void *q = with_head(c, grown, bytes + sizeof *h);
        if (q) uncharge(c, before);
        return q;
    }
    size_t before = frz__mapped_bytes(&c->mapped, p);
    if (before) return resize_mapped(c, p, before, bytes);
    before = malloc_usable_size(p);
    if (bytes >= c->map_bytes && bytes > before) return move_block(c, p, before, bytes);
    void *q = realloc(p, bytes);
    if (!q) return NULL;
    charge(c, malloc_usable_size(q));
    uncharge(c, before);
    return q;
}

static struct mem_account *account_of(const allocator *a) { return a && a->alloc == class_alloc ? (struct mem_account *)a->ctx : NULL; }

bool frz__budget_is_malloc(const allocator *a)
{
    const struct mem_account *c = account_of(a);
    return c && !c->budget->under;
}

void *frz__budget_calloc(const allocator *a, size_t bytes)
{
    struct mem_account *c = (struct mem_account *)a->ctx;
    if (has_heads(c->budget)) {
        if (bytes > SIZE_MAX / 2) return NULL;
        return with_head(c, (struct head *)calloc(1, bytes + sizeof(struct head)), bytes + sizeof(struct head));
    }
    void *p = map_block(c, bytes);
    if (p) return p;
    p = calloc(1, bytes);
    if (p) charge(c, malloc_usable_size(p));
    return p;
}

void frz__budget_charge(const allocator *a, size_t bytes) { charge((struct mem_account *)a->ctx, bytes); }
void frz__budget_uncharge(const allocator *a, size_t bytes) { uncharge((struct mem_account *)a->ctx, bytes); }

void frz__budget_outside_add(const allocator *a, int64_t bytes)
{
    struct mem_account *c = account_of(a);
    if (!c || bytes == 0) return;
    atomic_fetch_add_explicit(&c->outside, (uint64_t)bytes, memory_order_relaxed);
    if (bytes > 0) charge(c, (size_t)bytes);
    else uncharge(c, (size_t)-bytes);
}

static size_t map_bytes(uint64_t memory_bytes)
{
    uint64_t n = memory_bytes / (memory_bytes < ((uint64_t)128 << 20) ? 8192 : 4096); /* with little, stripes of the cache too, of 8 KiB: they are what holes are between */
    return n < MAP_BYTES_MIN ? MAP_BYTES_MIN : n > MAP_BYTES_MAX ? MAP_BYTES_MAX : (size_t)n;
}

int frz__budget_new(const frz_allocator *host, uint64_t memory_bytes, struct budget **out, frz_error *err)
{
    struct budget *b = NULL;
    TRY(ALLOC_NEW(&b, host, struct budget, err));
    if (host) {
        b->host = *host;
        b->under = &b->host;
    }
    atomic_init(&b->accounts, MEM_CLASSES);
    for (int i = 0; i < MEM_CLASSES; i++) {
        struct mem_account *c = &b->by_class[i];
        c->as = (allocator){c, class_alloc, class_realloc, class_free};
        c->budget = b;
        c->map_bytes = has_heads(b) || i == MEM_CALLS ? SIZE_MAX : map_bytes(memory_bytes);
        frz__mapped_init(&c->mapped);
        atomic_init(&c->bytes, 1);
    }
    *out = b;
    return FRZ_OK;
}

void frz__budget_close(struct budget *b)
{
    if (!b) return;
    atomic_fetch_add(&b->accounts, 1); /* this one's: B may not go between two classes */
    for (int i = 0; i < MEM_CLASSES; i++) uncharge(&b->by_class[i], 1);
    if (atomic_fetch_sub(&b->accounts, 1) == 1) free_budget(b);
}

uint64_t frz__budget_bytes(struct budget *b, enum mem_class c) { return atomic_load_explicit(&b->by_class[c].bytes, memory_order_relaxed) - 1; }
uint64_t frz__budget_high(struct budget *b, enum mem_class c)
{
    uint64_t high = atomic_load_explicit(&b->by_class[c].high, memory_order_relaxed);
    return high ? high - 1 : 0;
}
uint64_t frz__budget_outside(struct budget *b)
{
    uint64_t sum = 0;
    for (int i = 0; i < MEM_CLASSES; i++) sum += atomic_load_explicit(&b->by_class[i].outside, memory_order_relaxed);
    return sum;
}

#define TRIM_REST 1000 /* of the time that it takes to look */

void frz__budget_trim(struct budget *b, size_t slack, size_t most)
{
#if defined(__GLIBC__)
    int64_t begin = frz__clock_mono_ns();
    if (b->under || begin < b->trim_ns) return;
    struct mallinfo2 heaps = mallinfo2();
    if (heaps.fordblks > slack && heaps.arena <= most) (void)malloc_trim(0);
    int64_t end = frz__clock_mono_ns();
    b->trim_ns = end + (end - begin) * TRIM_REST;
#else
    (void)b, (void)slack, (void)most;
#endif
}
