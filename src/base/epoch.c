/* A slot holds 0 (idle) or the global epoch as of its thread's enter. retire stamps what it is given with the global epoch and raises that; so who entered later has a higher number and, having read
 * it, sees the unlinking. Who entered before, or is just entering, is seen in its slot, or sees the unlinking itself: one fence on each side (Dekker). */
#include "base/epoch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include "base/sync.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1 /* as gcc says it */
#endif
#endif

#define SLOTS   128
#define SHARED  2 /* where slots ran out: new readers go to one of them while the other drains, so that the oldest epoch moves on whatever the traffic */
#define LINE    64
#define CACHED  8 /* domains that one thread has slots in */

struct slot {
    _Atomic uint64_t epoch;
    _Atomic bool taken;
    char pad[LINE - sizeof(uint64_t) - sizeof(bool)];
};
static_assert(sizeof(struct slot) == LINE, "a slot is a cache line");

struct epoch {
    const allocator *a;
    uint64_t id; /* never used twice, so that a thread's memory of a freed domain matches nothing */
    struct epoch *next_live;
    struct slot *slots; /* SLOTS own ones, SHARED others */
    void *slots_memory;
    _Atomic unsigned slots_used; /* those above were never taken */
    _Atomic uint64_t now;
    struct mutex mu; /* what follows */
    struct epoch_node *first, *last; /* `at` ascends */
    unsigned shared_count[SHARED], shared_current;
};

/* ── which slot is mine ── */

struct mine {
    uint64_t id;
    unsigned slot;
};
static _Thread_local struct mine mine[CACHED];
static _Thread_local bool collecting;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its destructor runs when a thread ends */
static bool key_ok;
static pthread_mutex_t live_mu = PTHREAD_MUTEX_INITIALIZER; /* innermost, and needed before any domain is there: not ranked */
static struct epoch *live;
static uint64_t last_id;

static struct epoch *find_live_locked(uint64_t id)
{
    struct epoch *e = live;
    while (e && e->id != id) e = e->next_live;
    return e;
}

static void thread_ends(void *arg)
{
    struct mine *m = (struct mine *)arg;
    pthread_mutex_lock(&live_mu);
    for (unsigned i = 0; i < CACHED; i++) {
        struct epoch *e = m[i].id ? find_live_locked(m[i].id) : NULL;
        if (e) atomic_store_explicit(&e->slots[m[i].slot].taken, false, memory_order_release);
        m[i].id = 0;
    }
    pthread_mutex_unlock(&live_mu);
}

static void make_key(void) { key_ok = pthread_key_create(&key, thread_ends) == 0; }

/* A place in `mine`: free, of a domain that is gone, or of one that this thread is not inside. */
static struct mine *place(void)
{
    struct mine *best = NULL;
    pthread_mutex_lock(&live_mu);
    for (unsigned i = 0; i < CACHED && (!best || best->id); i++) {
        struct epoch *e = mine[i].id ? find_live_locked(mine[i].id) : NULL;
        if (!e) mine[i].id = 0;
        if (!e || atomic_load_explicit(&e->slots[mine[i].slot].epoch, memory_order_relaxed) == 0) best = &mine[i];
    }
    if (best && best->id) {
        atomic_store_explicit(&find_live_locked(best->id)->slots[best->slot].taken, false, memory_order_release);
        best->id = 0;
    }
    pthread_mutex_unlock(&live_mu);
    return best;
}

/* SLOTS = there is none. */
static unsigned take_slot(struct epoch *e)
{
    pthread_once(&key_once, make_key);
    struct mine *m = key_ok && pthread_setspecific(key, mine) == 0 ? place() : NULL;
    for (unsigned i = 0; m && i < SLOTS; i++) {
        bool taken = false;
        if (atomic_load_explicit(&e->slots[i].taken, memory_order_relaxed)) continue;
        if (!atomic_compare_exchange_strong_explicit(&e->slots[i].taken, &taken, true, memory_order_acquire, memory_order_relaxed)) continue;
        unsigned used = atomic_load(&e->slots_used);
        while (used <= i && !atomic_compare_exchange_weak(&e->slots_used, &used, i + 1)) continue;
        *m = (struct mine){e->id, i};
        return i;
    }
    return SLOTS;
}

static unsigned my_slot(struct epoch *e)
{
    for (unsigned i = 0; i < CACHED; i++)
        if (mine[i].id == e->id) return mine[i].slot;
    return take_slot(e);
}

/* ── enter and exit ── */

/* The slot is written before anything is read behind it. The thread sanitizer knows no fences, but an exchange does the same on its machines. */
static void announce(struct slot *s, uint64_t epoch)
{
#ifdef __SANITIZE_THREAD__
    atomic_exchange(&s->epoch, epoch);
#else
    atomic_store_explicit(&s->epoch, epoch, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static unsigned enter_shared(struct epoch *e)
{
    frz__mutex_lock(&e->mu);
    unsigned i = e->shared_current, other = !i;
    uint64_t now = atomic_load_explicit(&e->now, memory_order_acquire);
    if (e->shared_count[i] && !e->shared_count[other] && atomic_load_explicit(&e->slots[SLOTS + i].epoch, memory_order_relaxed) < now) i = e->shared_current = other;
    struct slot *s = &e->slots[SLOTS + i];
    announce(s, e->shared_count[i]++ ? atomic_load_explicit(&s->epoch, memory_order_relaxed) : now);
    frz__mutex_unlock(&e->mu);
    return SLOTS + i;
}

unsigned frz__epoch_enter(struct epoch *e)
{
    unsigned i = my_slot(e);
    if (i == SLOTS) return enter_shared(e);
    FRZ_ASSERT(atomic_load_explicit(&e->slots[i].epoch, memory_order_relaxed) == 0);
    announce(&e->slots[i], atomic_load_explicit(&e->now, memory_order_acquire));
    return i;
}

void frz__epoch_exit(struct epoch *e, unsigned ticket)
{
    FRZ_ASSERT(ticket < SLOTS + SHARED);
    struct slot *s = &e->slots[ticket];
    FRZ_ASSERT(atomic_load_explicit(&s->epoch, memory_order_relaxed) != 0);
    if (ticket < SLOTS) {
        atomic_store_explicit(&s->epoch, 0, memory_order_release);
        return;
    }
    frz__mutex_lock(&e->mu);
    if (--e->shared_count[ticket - SLOTS] == 0) atomic_store_explicit(&s->epoch, 0, memory_order_release);
    frz__mutex_unlock(&e->mu);
}

/* ── retire and collect ── */

static uint64_t oldest(struct epoch *e)
{
    uint64_t min = UINT64_MAX;
    unsigned used = atomic_load(&e->slots_used);
    for (unsigned i = 0; i < SLOTS + SHARED; i++) {
        if (i >= used && i < SLOTS) i = SLOTS;
        uint64_t at = atomic_load(&e->slots[i].epoch);
        if (at && at < min) min = at;
    }
    return min;
}

void frz__epoch_collect(struct epoch *e)
{
    if (collecting) return; /* an fn that retires: what it retired waits for the next */
    collecting = true;
    frz__mutex_lock(&e->mu);
    uint64_t min = e->first ? oldest(e) : 0;
    struct epoch_node *due = e->first, **cut = &due;
    while (*cut && (*cut)->at < min) cut = &(*cut)->next;
    e->first = *cut;
    if (!e->first) e->last = NULL;
    *cut = NULL;
    frz__mutex_unlock(&e->mu);
    while (due) {
        struct epoch_node *n = due;
        due = n->next; /* n lives in what goes */
        n->fn(n->arg);
    }
    collecting = false;
}

void frz__epoch_retire(struct epoch *e, struct epoch_node *node, void (*fn)(void *), void *arg)
{
    *node = (struct epoch_node){.fn = fn, .arg = arg};
    frz__mutex_lock(&e->mu);
    node->at = atomic_fetch_add(&e->now, 1);
#ifndef __SANITIZE_THREAD__
    atomic_thread_fence(memory_order_seq_cst);
#endif
    if (e->last) e->last->next = node;
    else e->first = node;
    e->last = node;
    frz__mutex_unlock(&e->mu);
    frz__epoch_collect(e);
}

/* ── the domain ── */

int frz__epoch_new(const allocator *a, struct epoch **out, frz_error *err)
{
    *out = NULL;
    struct epoch *e;
    TRY(ALLOC_NEW(&e, a, struct epoch, err));
    e->a = a;
    size_t bytes = (SLOTS + SHARED) * sizeof(struct slot) + LINE;
    e->slots_memory = frz__alloc_zero(a, bytes);
    if (!e->slots_memory) {
        frz__free(a, e);
        return frz__err_no_memory(err, bytes);
    }
    e->slots = (struct slot *)(((uintptr_t)e->slots_memory + LINE - 1) & ~(uintptr_t)(LINE - 1));
    frz__mutex_init(&e->mu, RANK_LEAF, "epoch");
    atomic_store(&e->now, 1);
    pthread_mutex_lock(&live_mu);
    e->id = ++last_id;
    e->next_live = live;
    live = e;
    pthread_mutex_unlock(&live_mu);
    *out = e;
    return FRZ_OK;
}

void frz__epoch_free(struct epoch *e)
{
    if (!e) return;
    FRZ_ASSERT(oldest(e) == UINT64_MAX);
    FRZ_ASSERT(!collecting);
    while (e->first) frz__epoch_collect(e);
    pthread_mutex_lock(&live_mu);
    struct epoch **at = &live;
    while (*at != e) at = &(*at)->next_live;
    *at = e->next_live;
    pthread_mutex_unlock(&live_mu);
    frz__mutex_clear(&e->mu);
    frz__free(e->a, e->slots_memory);
    frz__free(e->a, e);
}
