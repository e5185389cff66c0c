#include "base/sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"

#ifndef NDEBUG
/* What this thread holds, in the order taken. Ranks rise, so that its depth is at most the number of ranks. */
#define HELD_MAX 16
static _Thread_local struct {
    struct mutex *at[HELD_MAX];
    int count;
} held;

__attribute__((noreturn)) static void breach(const struct mutex *m, const struct mutex *top, const char *what)
{
    if (top) fprintf(stderr, "frazil: lock order: \"%s\" (rank %d) %s while \"%s\" (rank %d) is held\n", m->name, m->rank, what, top->name, top->rank);
    else fprintf(stderr, "frazil: lock order: \"%s\" (rank %d) %s\n", m->name, m->rank, what);
    abort();
}

static void before_lock(struct mutex *m)
{
    for (int i = 0; i < held.count; i++)
        if (held.at[i]->rank >= m->rank) breach(m, held.at[i], "is taken");
    if (held.count == HELD_MAX) breach(m, held.at[held.count - 1], "is one too many");
}
static void after_lock(struct mutex *m)
{
    held.at[held.count++] = m;
    atomic_store_explicit(&m->owner, pthread_self(), memory_order_relaxed);
    atomic_store_explicit(&m->held, 1, memory_order_relaxed);
}
static void before_unlock(struct mutex *m)
{
    int i = held.count;
    while (i > 0 && held.at[i - 1] != m) i--;
    if (i == 0) breach(m, NULL, "is given back by a thread that does not hold it");
    for (held.count--; i <= held.count; i++) held.at[i - 1] = held.at[i];
    atomic_store_explicit(&m->held, 0, memory_order_relaxed);
}
bool frz__mutex_held(struct mutex *m)
{
    for (int i = 0; i < held.count; i++)
        if (held.at[i] == m) return true;
    return false;
}
#else
static void before_lock(struct mutex *m) { (void)m; }
static void after_lock(struct mutex *m) { (void)m; }
static void before_unlock(struct mutex *m) { (void)m; }
bool frz__mutex_held(struct mutex *m)
{
    (void)m;
    return true;
}
#endif

/* These calls fail for misuse alone (or, in init, for want of memory, which Linux does not take): nothing that a caller could do about it. */
static void must(int e, const char *what)
{
    if (e == 0) return;
    fprintf(stderr, "frazil: %s failed: %d\n", what, e);
    abort();
}

void frz__mutex_init(struct mutex *m, enum lock_rank rank, const char *name)
{
    *m = (struct mutex){.rank = (int)rank, .name = name};
    must(pthread_mutex_init(&m->os, NULL), "pthread_mutex_init");
}
void frz__mutex_clear(struct mutex *m)
{
    if (!m->name) return;
    must(pthread_mutex_destroy(&m->os), "pthread_mutex_destroy");
    m->name = NULL;
}
void frz__mutex_lock(struct mutex *m)
{
    before_lock(m);
    must(pthread_mutex_lock(&m->os), "pthread_mutex_lock");
    after_lock(m);
}
bool frz__mutex_trylock(struct mutex *m)
{
    before_lock(m);
    int e = pthread_mutex_trylock(&m->os);
    if (e == EBUSY) return false;
    must(e, "pthread_mutex_trylock");
    after_lock(m);
    return true;
}
void frz__mutex_unlock(struct mutex *m)
{
    before_unlock(m);
    must(pthread_mutex_unlock(&m->os), "pthread_mutex_unlock");
}

void frz__cond_init(struct cond *c)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr), "pthread_condattr_init");
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "pthread_condattr_setclock");
    must(pthread_cond_init(&c->os, &attr), "pthread_cond_init");
    must(pthread_condattr_destroy(&attr), "pthread_condattr_destroy");
}
void frz__cond_clear(struct cond *c) { must(pthread_cond_destroy(&c->os), "pthread_cond_destroy"); }

/* A wait gives the mutex up and takes it again: where a higher one is held, taking it again would go against the order. */
static void before_wait(struct mutex *m)
{
    before_unlock(m);
    before_lock(m);
}
void frz__cond_wait(struct cond *c, struct mutex *m)
{
    before_wait(m);
    must(pthread_cond_wait(&c->os, &m->os), "pthread_cond_wait");
    after_lock(m);
}

#ifdef FRZ_FAILPOINTS
#define LOOK_AGAIN_NS ((int64_t)5000000) /* a test may have moved the clock meanwhile */
#endif
bool frz__cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns)
{
    if (frz__clock_mono_ns() >= deadline_ns) return false;
    int64_t until = deadline_ns - frz__test_clock_advanced_ns(); /* on the system's clock */
#ifdef FRZ_FAILPOINTS
    int64_t soon = frz__clock_mono_ns() - frz__test_clock_advanced_ns() + LOOK_AGAIN_NS;
    if (soon < until) until = soon;
#endif
    struct timespec t = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
    before_wait(m);
    int e = pthread_cond_timedwait(&c->os, &m->os, &t);
    if (e != ETIMEDOUT) must(e, "pthread_cond_timedwait");
    after_lock(m);
    return e != ETIMEDOUT || frz__clock_mono_ns() < deadline_ns; /* true also for nothing: waiters loop on their condition */
}
void frz__cond_signal(struct cond *c) { must(pthread_cond_signal(&c->os), "pthread_cond_signal"); }
void frz__cond_broadcast(struct cond *c) { must(pthread_cond_broadcast(&c->os), "pthread_cond_broadcast"); }
