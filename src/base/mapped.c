#include "base/mapped.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLOTS_MIN ((size_t)64)
#define NOWHERE   SIZE_MAX

static size_t whole_pages(size_t bytes) { return (bytes + MAPPED_PAGE - 1) & ~(MAPPED_PAGE - 1); }

void frz__mapped_init(struct mapped *m)
{
    *m = (struct mapped){0};
    frz__mutex_init(&m->mu, RANK_MAPPED, "mapped blocks");
}

void frz__mapped_clear(struct mapped *m)
{
    FRZ_ASSERT(m->count == 0);
    free(m->slots);
    frz__mutex_clear(&m->mu);
}

/* ── the table; mu held ── */

static size_t home(const struct mapped *m, const void *p) { return (size_t)(((uint64_t)(uintptr_t)p >> 12) * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (m->cap - 1); }

static size_t find(const struct mapped *m, const void *p)
{
    for (size_t i = m->cap ? home(m, p) : 0; i < m->cap && m->slots[i].p; i = (i + 1) & (m->cap - 1))
        if (m->slots[i].p == p) return i;
    return NOWHERE;
}

static void place(struct mapped *m, struct mapped_block b)
{
    size_t i = home(m, b.p);
    while (m->slots[i].p) i = (i + 1) & (m->cap - 1);
    m->slots[i] = b;
    m->count++;
}

/* What comes behind moves up, where its way from home leads over the hole. */
static void drop(struct mapped *m, size_t hole)
{
    size_t mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].p; i = (i + 1) & mask) {
        if (((i - home(m, m->slots[i].p)) & mask) < ((i - hole) & mask)) continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole].p = NULL;
    m->count--;
}

static bool room_for_one(struct mapped *m)
{
    if (m->count >= MAPPED_MAX) return false;
    if (m->count < m->cap / 2) return true;
    struct mapped old = *m;
    size_t cap = old.cap ? old.cap * 2 : SLOTS_MIN;
    struct mapped_block *slots = (struct mapped_block *)calloc(cap, sizeof *slots);
    if (!slots) return false;
    m->slots = slots;
    m->cap = cap;
    m->count = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].p) place(m, old.slots[i]);
    free(old.slots);
    return true;
}

/* ── blocks ── */

void *frz__mapped_alloc(struct mapped *m, size_t bytes, size_t *got)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t want = whole_pages(bytes);
    void *p = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    frz__mutex_lock(&m->mu);
    bool known = room_for_one(m);
    if (known) place(m, (struct mapped_block){p, want});
    frz__mutex_unlock(&m->mu);
    if (!known) (void)munmap(p, want);
    *got = known ? want : 0;
    return known ? p : NULL;
}

size_t frz__mapped_bytes(struct mapped *m, const void *p)
{
    if ((uintptr_t)p % MAPPED_PAGE) return 0;
    frz__mutex_lock(&m->mu);
    size_t i = find(m, p), bytes = i == NOWHERE ? 0 : m->slots[i].bytes;
    frz__mutex_unlock(&m->mu);
    return bytes;
}

void *frz__mapped_resize(struct mapped *m, void *p, size_t bytes, size_t *got)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t want = whole_pages(bytes);
    frz__mutex_lock(&m->mu); /* the old address may be another's from mremap on: he waits until it is not in the table any more */
    size_t i = find(m, p);
    FRZ_ASSERT(i != NOWHERE);
    void *q = m->slots[i].bytes == want ? p : mremap(p, m->slots[i].bytes, want, MREMAP_MAYMOVE);
    if (q != MAP_FAILED) {
        drop(m, i);
        place(m, (struct mapped_block){q, want});
    }
    frz__mutex_unlock(&m->mu);
    if (q == MAP_FAILED) return NULL;
    *got = want;
    return q;
}

size_t frz__mapped_free(struct mapped *m, void *p)
{
    if ((uintptr_t)p % MAPPED_PAGE) return 0;
    frz__mutex_lock(&m->mu);
    size_t i = find(m, p), bytes = i == NOWHERE ? 0 : m->slots[i].bytes;
    if (bytes) drop(m, i);
    frz__mutex_unlock(&m->mu);
    if (bytes) (void)munmap(p, bytes);
    return bytes;
}
