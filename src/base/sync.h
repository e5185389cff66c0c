/* sync.h — ranked mutexes, conditions and once. All blocking goes through here (lint: no raw pthread elsewhere), so that a test may own the schedule.
 *
 * Invariants  (1) a thread takes mutexes in rising rank only; debug builds abort on a breach, naming both  (2) a waiter waits on a condition that a
 *             worker signals, never on a sleep
 * Ranks       the table below is the documentation: in the order in which they may be taken                                          */
#ifndef FRZ_BASE_SYNC_H
#define FRZ_BASE_SYNC_H
#include <pthread.h>
#include <stdatomic.h>
#include "base/status.h"

enum lock_rank {
    RANK_DB_OPEN = 10,     /* process-wide list of open warehouses */
    RANK_DB_TABLES = 20,   /* names → tables */
    RANK_TABLE_FLUSH = 25, /* one flush lane a table */
    RANK_TABLE_ROTATE = 30,/* memtable list of a table */
    RANK_TABLE_COMMIT = 40,/* one commit a table */
    RANK_LOG_GROUP = 50,   /* the writers' queue */
    RANK_SNAPSHOTS = 60,
    RANK_FLOW = 65,        /* writers that wait for room */
    RANK_VIEW = 70,        /* the pointer to a table's view, where it can't be an epoch */
    RANK_CACHE_SHARD = 80,
    RANK_POOL = 90,
    RANK_LEAF = 100,       /* nothing but memory is taken under it */
    RANK_MAPPED = 110      /* blocks of memory, by address */
};

struct mutex {
    pthread_mutex_t os;
    int rank;
    const char *name;
#ifndef NDEBUG
    _Atomic(pthread_t) owner;
    _Atomic int held;
#endif
};
struct cond {
    pthread_cond_t os; /* monotonic clock */
};

void frz__mutex_init(struct mutex *m, enum lock_rank rank, const char *name);
void frz__mutex_clear(struct mutex *m);
void frz__mutex_lock(struct mutex *m);
bool frz__mutex_trylock(struct mutex *m); /* true: taken. The order of ranks holds for it too */
void frz__mutex_unlock(struct mutex *m);
bool frz__mutex_held(struct mutex *m); /* by this thread; true in release builds: for FRZ_ASSERT_HELD alone */
#define FRZ_ASSERT_HELD(m) FRZ_ASSERT(frz__mutex_held(m))
void frz__cond_init(struct cond *c);
void frz__cond_clear(struct cond *c);
void frz__cond_wait(struct cond *c, struct mutex *m);
/* false = DEADLINE_NS (frz__clock_mono_ns) passed */
bool frz__cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns);
void frz__cond_signal(struct cond *c);
void frz__cond_broadcast(struct cond *c);
#endif
