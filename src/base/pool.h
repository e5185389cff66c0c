/* pool.h — the database's worker threads: a queue of jobs, a flag, a signal, and joining.
 *
 * Invariants  (1) a job runs once  (2) stop refuses new jobs, runs none of those still queued, waits for those running, then joins: no worker outlives it
 *             and what they hold is given back by their `cancel`  (3) a job may submit jobs; it may not stop the pool
 * Threads     all functions from any thread                                                                                            */
#ifndef FRZ_BASE_POOL_H
#define FRZ_BASE_POOL_H
#include "base/alloc.h"
struct pool;
typedef void (*pool_fn)(void *arg);
FRZ_NODISCARD int frz__pool_start(const allocator *a, unsigned threads, struct pool **out, frz_error *err);
/* false = stopping: the job will not run. URGENT jobs go before the others, in their order. Never fails otherwise: the node is the caller's. */
struct pool_job { struct pool_job *next; pool_fn fn; void *arg; pool_fn cancel; bool urgent; }; /* CANCEL(ARG), or nothing where it is NULL: instead of FN, by stop, once all threads are joined */
bool frz__pool_submit(struct pool *p, struct pool_job *job, bool urgent);
/* This thread, from now on, leaves the cores to others that want them. */
void frz__pool_background(void);
void frz__pool_stop(struct pool *p); /* NULL is fine; frees P */
#endif
