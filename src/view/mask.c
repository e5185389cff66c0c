#include "view/mask.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "base/bits.h"
#include "base/coding.h"

/* A chunk covers the 2^16 positions whose upper bits are its directory entry's `high`. */
#define CHUNK_POSITIONS 65536u
#define CHUNK_ARRAY_MAX 4096u
#define CHUNK_WORDS     (CHUNK_POSITIONS / 64)
#define MASK_POS_MAX    ((uint64_t)1 << 40)

struct chunk {
    _Atomic uint32_t refs;
    uint32_t count; /* 1 to 65,536 */
    bool bitmap;    /* else COUNT sorted u16 */
    union {
        uint16_t array[1];
        uint64_t words[1];
    } as;
};

struct mask {
    const allocator *a;
    _Atomic uint32_t refs;
    uint64_t count;
    size_t chunk_count;
    uint32_t *highs;       /* ascending */
    struct chunk **chunks; /* none empty */
};

static size_t chunk_bytes(bool bitmap, uint32_t count)
{
    return offsetof(struct chunk, as) + (bitmap ? CHUNK_WORDS * sizeof(uint64_t) : count * sizeof(uint16_t));
}

static struct chunk *chunk_new(const allocator *a, bool bitmap, uint32_t count, frz_error *err)
{
    size_t bytes = chunk_bytes(bitmap, count);
    struct chunk *c = (struct chunk *)frz__alloc_zero(a, bytes < sizeof *c ? sizeof *c : bytes);
    if (!c) {
        (void)frz__err_no_memory(err, bytes);
        return NULL;
    }
    atomic_init(&c->refs, 1);
    c->bitmap = bitmap;
    c->count = count;
    return c;
}

static void chunk_acquire(struct chunk *c) { atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); }

static void chunk_release(const allocator *a, struct chunk *c)
{
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) frz__free(a, c);
}

/* index of the first element ≥ LOW */
static uint32_t array_lower(const struct chunk *c, uint32_t low)
{
    uint32_t at = 0, n = c->count;
    while (n) {
        uint32_t half = n / 2;
        bool right = c->as.array[at + half] < low;
        at = right ? at + half + 1 : at;
        n = right ? n - half - 1 : half;
    }
    return at;
}

static bool chunk_get(const struct chunk *c, uint32_t low)
{
    if (c->bitmap) return (c->as.words[low >> 6] >> (low & 63)) & 1;
    uint32_t i = array_lower(c, low);
    return i < c->count && c->as.array[i] == low;
}

/* index of the first directory entry ≥ HIGH; a file whose every chunk has dead rows finds it at once */
static size_t mask_lower(const struct mask *m, uint64_t high)
{
    if (high < m->chunk_count && m->highs[high] == high) return (size_t)high;
    size_t at = 0, n = m->chunk_count;
    while (n) {
        size_t half = n / 2;
        if (m->highs[at + half] < high) {
            at += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return at;
}

bool frz__mask_get(const struct mask *m, uint64_t pos)
{
    if (!m) return false;
    size_t i = mask_lower(m, pos >> 16);
    return i < m->chunk_count && m->highs[i] == pos >> 16 && chunk_get(m->chunks[i], (uint32_t)(pos & 0xFFFF));
}

/* BASE (may be NULL) with COUNT positions of one chunk added; gives BASE itself, counted, where they are all in it. NULL: out of memory. */
static struct chunk *chunk_add(const allocator *a, struct chunk *base, const uint64_t *positions, size_t count, frz_error *err)
{
    size_t fresh = 0;
    for (size_t i = 0; i < count; i++) fresh += !base || !chunk_get(base, (uint32_t)(positions[i] & 0xFFFF));
    if (base && fresh == 0) {
        chunk_acquire(base);
        return base;
    }
    uint32_t total = (uint32_t)((base ? base->count : 0) + fresh);
    struct chunk *c = chunk_new(a, total > CHUNK_ARRAY_MAX, total, err);
    if (!c) return NULL;
    if (c->bitmap) {
        if (base && base->bitmap) {
            memcpy(c->as.words, base->as.words, CHUNK_WORDS * sizeof(uint64_t));
        } else if (base) {
            for (uint32_t i = 0; i < base->count; i++) c->as.words[base->as.array[i] >> 6] |= (uint64_t)1 << (base->as.array[i] & 63);
        }
        for (size_t i = 0; i < count; i++) c->as.words[(positions[i] & 0xFFFF) >> 6] |= (uint64_t)1 << (positions[i] & 63);
        return c;
    }
    uint32_t at = 0, b = 0, bn = base ? base->count : 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t low = (uint16_t)(positions[i] & 0xFFFF);
        while (b < bn && base->as.array[b] < low) c->as.array[at++] = base->as.array[b++];
        if (b < bn && base->as.array[b] == low) b++;
        c->as.array[at++] = low;
    }
    while (b < bn) c->as.array[at++] = base->as.array[b++];
    FRZ_ASSERT(at == total);
    return c;
}

static int mask_new(const allocator *a, size_t chunks, struct mask **out, frz_error *err)
{
    struct mask *m;
    TRY(ALLOC_NEW(&m, a, struct mask, err));
    m->a = a;
    atomic_init(&m->refs, 1);
    m->highs = (uint32_t *)frz__alloc_array(a, chunks, sizeof *m->highs);
    m->chunks = (struct chunk **)frz__alloc_array(a, chunks, sizeof *m->chunks);
    if (!m->highs || !m->chunks) {
        frz__mask_release(m);
        return frz__err_no_memory(err, chunks * sizeof *m->chunks);
    }
    *out = m;
    return FRZ_OK;
}

static void mask_push(struct mask *m, uint32_t high, struct chunk *taken)
{
    m->highs[m->chunk_count] = high;
    m->chunks[m->chunk_count++] = taken;
    m->count += taken->count;
}

int frz__mask_add(const allocator *a, const struct mask *base, const uint64_t *positions, size_t count, struct mask **out, frz_error *err)
{
    size_t base_chunks = base ? base->chunk_count : 0, touched = 0;
    for (size_t i = 0; i < count; i++) {
        if (positions[i] >= MASK_POS_MAX) return frz__err(err, FRZ_TOO_LARGE, "a mask holds positions below 2^40, not %" PRIu64, positions[i]);
        if (i && positions[i] <= positions[i - 1])
            return frz__err(err, FRZ_BUG, "positions of a mask must ascend: %" PRIu64 " follows %" PRIu64, positions[i], positions[i - 1]);
        touched += i == 0 || positions[i] >> 16 != positions[i - 1] >> 16;
    }
    struct mask *m = NULL;
    TRY(mask_new(a, base_chunks + touched, &m, err));

    size_t b = 0;
    for (size_t i = 0; i < count;) {
        uint32_t high = (uint32_t)(positions[i] >> 16);
        size_t n = 1;
        while (i + n < count && positions[i + n] >> 16 == high) n++;
        for (; b < base_chunks && base->highs[b] < high; b++) {
            chunk_acquire(base->chunks[b]);
            mask_push(m, base->highs[b], base->chunks[b]);
        }
        struct chunk *old = b < base_chunks && base->highs[b] == high ? base->chunks[b++] : NULL;
        struct chunk *c = chunk_add(a, old, positions + i, n, err);
        if (!c) {
            frz__mask_release(m);
            return FRZ_NO_MEMORY;
        }
        mask_push(m, high, c);
        i += n;
    }
    for (; b < base_chunks; b++) {
        chunk_acquire(base->chunks[b]);
        mask_push(m, base->highs[b], base->chunks[b]);
    }
    *out = m;
    return FRZ_OK;
}

struct mask *frz__mask_acquire(struct mask *m)
{
    if (m) atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void frz__mask_release(struct mask *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < m->chunk_count; i++) chunk_release(m->a, m->chunks[i]);
    frz__free(m->a, m->highs);
    frz__free(m->a, m->chunks);
    frz__free(m->a, m);
}

uint64_t frz__mask_count(const struct mask *m) { return m ? m->count : 0; }

/* words of a bitmap chunk that reach into [LO, HI): those bits of word K */
static uint64_t word_in(const struct chunk *c, uint32_t k, uint32_t lo, uint32_t hi)
{
    uint64_t w = c->as.words[k];
    uint32_t base = k * 64;
    if (base < lo) w &= ~(uint64_t)0 << (lo - base);
    if (base + 64 > hi) w &= ~(uint64_t)0 >> (base + 64 - hi);
    return w;
}

static bool chunk_any(const struct chunk *c, uint32_t lo, uint32_t hi)
{
    if (!c->bitmap) {
        uint32_t i = array_lower(c, lo);
        return i < c->count && c->as.array[i] < hi;
    }
    for (uint32_t k = lo >> 6; k <= (hi - 1) >> 6; k++)
        if (word_in(c, k, lo, hi)) return true;
    return false;
}

bool frz__mask_any(const struct mask *m, uint64_t from, uint64_t to)
{
    if (!m || from >= to) return false;
    for (size_t i = mask_lower(m, from >> 16); i < m->chunk_count; i++) {
        uint64_t base = (uint64_t)m->highs[i] << 16;
        if (base >= to) return false;
        uint32_t lo = from > base ? (uint32_t)(from - base) : 0;
        uint32_t hi = to - base < CHUNK_POSITIONS ? (uint32_t)(to - base) : CHUNK_POSITIONS;
        if (lo < hi && chunk_any(m->chunks[i], lo, hi)) return true;
    }
    return false;
}

/* Clears the bits of SELECTED whose positions are in C's [LO, HI). Position p has bit p - ORIGIN (both relative to the chunk's first). */
static void chunk_clear_dead(const struct chunk *c, uint32_t lo, uint32_t hi, int64_t origin, size_t bits, uint8_t *selected)
{
    if (!c->bitmap) {
        for (uint32_t i = array_lower(c, lo); i < c->count && c->as.array[i] < hi; i++) bit_clear(selected, (size_t)((int64_t)c->as.array[i] - origin));
        return;
    }
    for (uint32_t k = lo >> 6; k <= (hi - 1) >> 6; k++) {
        uint64_t w = word_in(c, k, lo, hi);
        if (!w) continue;
        int64_t bit = (int64_t)k * 64 - origin;
        if (bit >= 0 && bit % 8 == 0 && (size_t)bit + 64 <= bits) {
            uint64_t s;
            memcpy(&s, selected + bit / 8, 8);
            s &= ~w;
            memcpy(selected + bit / 8, &s, 8);
            continue;
        }
        for (; w; w &= w - 1) bit_clear(selected, (size_t)(bit + __builtin_ctzll(w)));
    }
}

void frz__mask_clear_dead(const void *mask, uint64_t from, size_t count, uint8_t *selected)
{
    const struct mask *m = (const struct mask *)mask;
    uint64_t to = from + count;
    if (!m || count == 0) return;
    for (size_t i = mask_lower(m, from >> 16); i < m->chunk_count; i++) {
        uint64_t base = (uint64_t)m->highs[i] << 16;
        if (base >= to) return;
        uint32_t lo = from > base ? (uint32_t)(from - base) : 0;
        uint32_t hi = to - base < CHUNK_POSITIONS ? (uint32_t)(to - base) : CHUNK_POSITIONS;
        if (lo < hi) chunk_clear_dead(m->chunks[i], lo, hi, (int64_t)(from - base), count, selected);
    }
}

#define WALK_POSITIONS 512
int frz__mask_walk(const struct mask *m, int (*fn)(void *ctx, const uint64_t *positions, size_t count), void *ctx)
{
    uint64_t run[WALK_POSITIONS];
    size_t n = 0;
    for (size_t i = 0; m && i < m->chunk_count; i++) {
        const struct chunk *c = m->chunks[i];
        uint64_t base = (uint64_t)m->highs[i] << 16;
        uint32_t steps = c->bitmap ? CHUNK_WORDS : c->count;
        for (uint32_t k = 0; k < steps; k++) {
            if (n + 64 > WALK_POSITIONS) {
                int rc = fn(ctx, run, n);
                if (rc) return rc;
                n = 0;
            }
            if (!c->bitmap) {
                run[n++] = base + c->as.array[k];
                continue;
            }
            for (uint64_t w = c->as.words[k]; w; w &= w - 1) run[n++] = base + (uint64_t)k * 64 + (unsigned)__builtin_ctzll(w);
        }
    }
    return n ? fn(ctx, run, n) : 0;
}

uint64_t frz__mask_last(const struct mask *m)
{
    FRZ_ASSERT(m && m->chunk_count);
    const struct chunk *c = m->chunks[m->chunk_count - 1];
    uint64_t base = (uint64_t)m->highs[m->chunk_count - 1] << 16;
    if (!c->bitmap) return base + c->as.array[c->count - 1];
    uint32_t k = CHUNK_WORDS - 1;
    while (!c->as.words[k]) k--;
    return base + (uint64_t)k * 64 + 63u - (unsigned)__builtin_clzll(c->as.words[k]);
}

size_t frz__mask_mem(const struct mask *m)
{
    if (!m) return 0;
    size_t bytes = sizeof *m + m->chunk_count * (sizeof *m->highs + sizeof *m->chunks);
    for (size_t i = 0; i < m->chunk_count; i++) bytes += chunk_bytes(m->chunks[i]->bitmap, m->chunks[i]->count);
    return bytes;
}

static int cmp_position(const void *a, const void *b)
{
    uint64_t x = load_u64(a), y = load_u64(b);
    return (x > y) - (x < y);
}

size_t frz__positions_sort(uint64_t *positions, size_t count)
{
    size_t kept = 0;
    if (count) qsort(positions, count, sizeof *positions, cmp_position);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || positions[kept - 1] != positions[i]) positions[kept++] = positions[i];
    return kept;
}
