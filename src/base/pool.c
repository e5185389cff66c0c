#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/sync.h"

struct pool {
    const allocator *a;
    struct mutex mu;
    struct cond work;
    struct pool_job *first, *last; /* under mu */
    bool stopping;                 /* under mu */
    unsigned count;
    pthread_t threads[];
};

static _Thread_local const struct pool *worker_of;

static struct pool_job *take(struct pool *p)
{
    frz__mutex_lock(&p->mu);
    while (!p->first && !p->stopping) frz__cond_wait(&p->work, &p->mu);
    struct pool_job *job = p->stopping ? NULL : p->first;
    if (job) {
        p->first = job->next;
        if (!p->first) p->last = NULL;
        job->next = NULL;
    }
    frz__mutex_unlock(&p->mu);
    return job;
}

static void *run(void *arg)
{
    struct pool *p = (struct pool *)arg;
    worker_of = p;
    for (struct pool_job *job; (job = take(p));) job->fn(job->arg); /* the job may free its node */
    return NULL;
}

/* Signals are the host's: a worker takes none, but those that its own instructions raise. */
static int start_one(struct pool *p)
{
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int e = pthread_create(&p->threads[p->count], NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e) return e;
    char name[16];
    snprintf(name, sizeof name, "frazil-%u", p->count);
    pthread_setname_np(p->threads[p->count], name);
    p->count++;
    return 0;
}

int frz__pool_start(const allocator *a, unsigned threads, struct pool **out, frz_error *err)
{
    *out = NULL;
    if (threads == 0) return frz__err(err, FRZ_INVALID, "a pool of no threads");
    size_t bytes = sizeof(struct pool) + threads * sizeof(pthread_t);
    struct pool *p = (struct pool *)frz__alloc_zero(a, bytes);
    if (!p) return frz__err_no_memory(err, bytes);
    p->a = a;
    frz__mutex_init(&p->mu, RANK_POOL, "pool");
    frz__cond_init(&p->work);
    while (p->count < threads) {
        int e = start_one(p);
        if (e) {
            int rc = frz__err_os(err, e, "cannot start worker thread %u of %u", p->count + 1, threads);
            frz__pool_stop(p);
            return rc;
        }
    }
    *out = p;
    return FRZ_OK;
}

bool frz__pool_submit(struct pool *p, struct pool_job *job, bool urgent)
{
    frz__mutex_lock(&p->mu);
    bool ok = !p->stopping;
    if (ok) {
        struct pool_job **at = urgent || !p->last ? &p->first : &p->last->next;
        while (urgent && *at && (*at)->urgent) at = &(*at)->next;
        job->urgent = urgent;
        job->next = *at;
        *at = job;
        if (!job->next) p->last = job;
        frz__cond_signal(&p->work);
    }
    frz__mutex_unlock(&p->mu);
    return ok;
}

#define BACKGROUND_NICE 5 /* a third of the time of one that is not, where both want a core: never none */

void frz__pool_background(void)
{
    static _Thread_local bool done;
    if (!done) (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), BACKGROUND_NICE); /* Linux: of the thread alone. Where it may not be, it stays as it is */
    done = true;
}

void frz__pool_stop(struct pool *p)
{
    if (!p) return;
    FRZ_ASSERT(worker_of != p);
    frz__mutex_lock(&p->mu);
    p->stopping = true;
    frz__cond_broadcast(&p->work);
    frz__mutex_unlock(&p->mu);
    for (unsigned i = 0; i < p->count; i++) pthread_join(p->threads[i], NULL);
    while (p->first) {
        struct pool_job *job = p->first;
        p->first = job->next; /* its cancel may free the node */
        if (job->cancel) job->cancel(job->arg);
    }
    frz__cond_clear(&p->work);
    frz__mutex_clear(&p->mu);
    frz__free(p->a, p);
}
