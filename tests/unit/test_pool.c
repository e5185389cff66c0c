#include "frz_test.h"
#include "base/pool.h"
#include "base/sync.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct gate { struct mutex mu; struct cond changed; int open, waiting, done; };
static void gate_init(struct gate *g)
{
    *g = (struct gate){.open = 0};
    frz__mutex_init(&g->mu, RANK_LEAF, "gate");
    frz__cond_init(&g->changed);
}
static void gate_clear(struct gate *g)
{
    frz__cond_clear(&g->changed);
    frz__mutex_clear(&g->mu);
}
static void gate_open(struct gate *g)
{
    frz__mutex_lock(&g->mu);
    g->open = 1;
    frz__cond_broadcast(&g->changed);
    frz__mutex_unlock(&g->mu);
}
static void pass(void *arg)
{
    struct gate *g = arg;
    frz__mutex_lock(&g->mu);
    g->waiting++;
    frz__cond_broadcast(&g->changed);
    while (!g->open) frz__cond_wait(&g->changed, &g->mu);
    g->done++;
    frz__cond_broadcast(&g->changed);
    frz__mutex_unlock(&g->mu);
}
static void gate_wait(struct gate *g, int *what, int n)
{
    frz__mutex_lock(&g->mu);
    while (*what < n) frz__cond_wait(&g->changed, &g->mu);
    frz__mutex_unlock(&g->mu);
}

static _Atomic int order_at;
static int order[8];
static void note(void *arg) { order[atomic_fetch_add(&order_at, 1)] = (int)(intptr_t)arg; }

TEST(pool, runs_in_order_but_urgent_first)
{
    frz_error e;
    struct pool *p;
    struct gate g;
    gate_init(&g);
    OK(frz__pool_start(NULL, 1, &p, &e), &e);
    struct pool_job hold = {.fn = pass, .arg = &g}, end = {.fn = pass, .arg = &g}, j[4];
    assert_true(frz__pool_submit(p, &hold, false));
    gate_wait(&g, &g.waiting, 1);
    for (int i = 0; i < 4; i++) {
        j[i] = (struct pool_job){.fn = note, .arg = (void *)(intptr_t)i};
        assert_true(frz__pool_submit(p, &j[i], i >= 2));
    }
    assert_true(frz__pool_submit(p, &end, false));
    gate_open(&g);
    gate_wait(&g, &g.done, 2);
    int want[] = {2, 3, 0, 1};
    assert_memory_equal(order, want, sizeof want);
    frz__pool_stop(p);
    gate_clear(&g);
}

struct stopper { struct pool *p; _Atomic bool done; };
static void *stop(void *arg)
{
    struct stopper *s = arg;
    frz__pool_stop(s->p);
    atomic_store(&s->done, true);
    return NULL;
}
static _Atomic int ran;
static void count_one(void *arg) { atomic_fetch_add(&ran, 1); }
static void count_cancelled(void *arg) { ++*(int *)arg; }

TEST(pool, stop_refuses_new_jobs_runs_none_of_the_queued_and_waits_for_the_running)
{
    frz_error e;
    struct gate g;
    gate_init(&g);
    struct stopper s = {0};
    OK(frz__pool_start(NULL, 2, &s.p, &e), &e);
    int cancelled = 0;
    struct pool_job hold[2] = {{.fn = pass, .arg = &g}, {.fn = pass, .arg = &g, .cancel = count_cancelled}}, queued[10];
    for (int i = 0; i < 2; i++) assert_true(frz__pool_submit(s.p, &hold[i], false));
    gate_wait(&g, &g.waiting, 2);
    for (int i = 0; i < 10; i++) {
        queued[i] = (struct pool_job){.fn = count_one, .arg = &cancelled, .cancel = i < 7 ? count_cancelled : NULL};
        assert_true(frz__pool_submit(s.p, &queued[i], i % 2));
    }
    pthread_t t;
    pthread_create(&t, NULL, stop, &s);
    for (;;) { /* until stopping is seen */
        struct pool_job *probe = malloc(sizeof *probe);
        *probe = (struct pool_job){.fn = count_one};
        static struct pool_job *kept[100000];
        static size_t n;
        bool ok = frz__pool_submit(s.p, probe, false);
        kept[n++] = probe;
        if (ok && n < FRZ_ARRAY_LEN(kept)) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* that thread may have to wait for a processor */
            continue;
        }
        assert_false(ok);
        assert_false(atomic_load(&s.done)); /* both still run */
        gate_open(&g);
        pthread_join(t, NULL);
        while (n) free(kept[--n]);
        break;
    }
    assert_int_equal(atomic_load(&ran), 0);
    assert_int_equal(g.done, 2);
    assert_int_equal(cancelled, 7); /* not those that ran */
    gate_clear(&g);
}

struct tree { struct pool *p; struct gate *g; struct pool_job job; _Atomic int *left; int depth; };
static void grow(void *arg)
{
    struct tree *t = arg;
    for (int i = 0; i < 2 && t->depth > 0; i++) {
        struct tree *child = malloc(sizeof *child);
        *child = (struct tree){t->p, t->g, {.fn = grow, .arg = child}, t->left, t->depth - 1};
        if (!frz__pool_submit(t->p, &child->job, t->depth % 2)) abort();
    }
    if (atomic_fetch_sub(t->left, 1) == 1) gate_open(t->g);
    free(t); /* the node goes with the job */
}
TEST(pool, each_job_runs_once_also_those_that_jobs_submit)
{
    frz_error e;
    struct pool *p;
    struct gate g;
    gate_init(&g);
    OK(frz__pool_start(NULL, 4, &p, &e), &e);
    _Atomic int left = (1 << 11) - 1;
    struct tree *root = malloc(sizeof *root);
    *root = (struct tree){p, &g, {.fn = grow, .arg = root}, &left, 10};
    assert_true(frz__pool_submit(p, &root->job, false));
    gate_wait(&g, &g.open, 1);
    frz__pool_stop(p);
    assert_int_equal(atomic_load(&left), 0);
    gate_clear(&g);
}

TEST(pool, refuses_no_threads_and_no_memory)
{
    frz_error e;
    struct pool *p;
    FAILS(frz__pool_start(NULL, 0, &p, &e), FRZ_INVALID, &e);
    struct test_alloc t;
    test_alloc_init(&t, 1);
    FAILS(frz__pool_start(&t.vt, 1, &p, &e), FRZ_NO_MEMORY, &e);
    assert_null(p);
    frz__pool_stop(NULL);
    assert_int_equal(t.live, 0);
}
