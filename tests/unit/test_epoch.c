#include "frz_test.h"
#include "base/epoch.h"
#include "base/rand.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void raise_flag(void *arg) { ++*(int *)arg; }

TEST(epoch, frees_only_once_who_was_inside_has_left)
{
    frz_error e;
    struct epoch *d;
    struct epoch_node n1, n2, n3;
    int gone1 = 0, gone2 = 0, gone3 = 0;
    OK(frz__epoch_new(NULL, &d, &e), &e);
    frz__epoch_retire(d, &n1, raise_flag, &gone1);
    assert_int_equal(gone1, 1); /* nobody inside */
    unsigned t = frz__epoch_enter(d);
    frz__epoch_retire(d, &n2, raise_flag, &gone2);
    frz__epoch_collect(d);
    assert_int_equal(gone2, 0);
    frz__epoch_exit(d, t);
    t = frz__epoch_enter(d); /* a later one does not hold it up */
    frz__epoch_collect(d);
    assert_int_equal(gone2, 1);
    frz__epoch_retire(d, &n3, raise_flag, &gone3);
    frz__epoch_exit(d, t);
    frz__epoch_free(d);
    assert_int_equal(gone3, 1);
    frz__epoch_free(NULL);
}

struct chain { struct epoch *d; struct epoch_node node, inner; int *gone; };
static void retire_another(void *arg)
{
    struct chain *c = arg;
    ++*c->gone;
    frz__epoch_retire(c->d, &c->inner, raise_flag, c->gone);
}
TEST(epoch, what_is_freed_may_retire)
{
    frz_error e;
    int gone = 0;
    struct chain c = {.gone = &gone};
    OK(frz__epoch_new(NULL, &c.d, &e), &e);
    frz__epoch_retire(c.d, &c.node, retire_another, &c);
    assert_int_equal(gone, 1);
    frz__epoch_free(c.d);
    assert_int_equal(gone, 2);
}

TEST(epoch, a_thread_works_in_more_domains_than_it_remembers)
{
    frz_error e;
    struct epoch *d[20];
    unsigned t[20];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            OK(frz__epoch_new(NULL, &d[i], &e), &e);
            t[i] = frz__epoch_enter(d[i]); /* inside all of them at once */
        }
        int gone = 0;
        struct epoch_node n[20];
        for (int i = 0; i < 20; i++) frz__epoch_retire(d[i], &n[i], raise_flag, &gone);
        assert_int_equal(gone, 0);
        for (int i = 0; i < 20; i++) frz__epoch_exit(d[i], t[i]);
        for (int i = 0; i < 20; i++) frz__epoch_exit(d[i], frz__epoch_enter(d[i]));
        for (int i = 0; i < 20; i++) frz__epoch_collect(d[i]);
        assert_int_equal(gone, 20);
        for (int i = 0; i < 20; i++) frz__epoch_free(d[i]);
    }
}

/* Where slots ran out: two readers that overlap again and again must not keep the oldest epoch where it is. */
TEST(epoch, what_is_retired_goes_though_shared_slots_are_never_empty)
{
    frz_error e;
    struct epoch *others[8], *d;
    unsigned tickets[8];
    for (int i = 0; i < 8; i++) { /* all that this thread can remember */
        OK(frz__epoch_new(NULL, &others[i], &e), &e);
        tickets[i] = frz__epoch_enter(others[i]);
    }
    OK(frz__epoch_new(NULL, &d, &e), &e);
    unsigned t = frz__epoch_enter(d);
    assert_true(t >= 128);
    struct epoch_node n[10];
    int gone = 0;
    for (int i = 0; i < 10; i++) {
        frz__epoch_retire(d, &n[i], raise_flag, &gone);
        unsigned next = frz__epoch_enter(d);
        frz__epoch_exit(d, t);
        t = next;
        frz__epoch_collect(d);
        assert_int_equal(gone, i + 1);
    }
    frz__epoch_exit(d, t);
    frz__epoch_free(d);
    for (int i = 0; i < 8; i++) {
        frz__epoch_exit(others[i], tickets[i]);
        frz__epoch_free(others[i]);
    }
}

/* Readers follow a pointer that a writer keeps replacing; what they see must not have been freed. */
struct thing { struct epoch_node node; uint64_t a, b; };
struct arena_of_war {
    struct epoch *d;
    _Atomic(struct thing *) now;
    pthread_barrier_t all_inside; /* so that each takes a slot, or finds none left, before the first ends */
    int turns;
    _Atomic int freed;
    struct thing *graves[8192];
};
static struct arena_of_war w;
static void free_thing(void *arg)
{
    struct thing *t = arg;
    t->a = t->b = 0;
    w.graves[atomic_fetch_add(&w.freed, 1)] = t; /* its memory stays what it is until all is over: whoever looks sees that it is dead */
}
static void *reader(void *arg)
{
    for (int i = 0; i < w.turns; i++) {
        unsigned t = frz__epoch_enter(w.d);
        if (i == 0) pthread_barrier_wait(&w.all_inside);
        struct thing *x = atomic_load_explicit(&w.now, memory_order_acquire);
        if (i % 32 == 0) sched_yield(); /* so that others are replaced, and this one, while it is looked at */
        if (x->a == 0 || x->b != ~x->a) abort();
        frz__epoch_exit(w.d, t);
    }
    return NULL;
}
static int publish(uint64_t i)
{
    struct thing *x = malloc(sizeof *x);
    *x = (struct thing){.a = i, .b = ~i};
    struct thing *old = atomic_exchange(&w.now, x);
    if (!old) return 0;
    frz__epoch_retire(w.d, &old->node, free_thing, old);
    return 1;
}
static void fight(int threads, int turns, int rounds)
{
    frz_error e;
    pthread_t t[200];
    memset(&w, 0, sizeof w);
    OK(frz__epoch_new(NULL, &w.d, &e), &e);
    publish(1);
    w.turns = turns;
    pthread_barrier_init(&w.all_inside, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) assert_int_equal(pthread_create(&t[i], NULL, reader, NULL), 0);
    int retired = 0;
    pthread_barrier_wait(&w.all_inside);
    for (int i = 2; i < rounds; i++) retired += publish((uint64_t)i);
    for (int i = 0; i < threads; i++) pthread_join(t[i], NULL);
    struct thing *last = atomic_load(&w.now);
    retired++;
    frz__epoch_retire(w.d, &last->node, free_thing, last);
    assert_int_equal(atomic_load(&w.freed), retired); /* all are gone: nobody is inside */
    for (int i = 0; i < retired; i++) free(w.graves[i]);
    frz__epoch_free(w.d);
    pthread_barrier_destroy(&w.all_inside);
}
TEST(epoch, hazard_22_readers_never_see_what_was_freed) { fight(3, 20000, 5000); }
TEST(epoch, more_threads_than_slots_share) { fight(150, 50, 200); }

static void *inside_once(void *arg)
{
    struct epoch *d = arg;
    frz__epoch_exit(d, frz__epoch_enter(d));
    return NULL;
}
TEST(epoch, a_thread_that_ends_gives_its_slot_back)
{
    frz_error e;
    struct epoch *d;
    OK(frz__epoch_new(NULL, &d, &e), &e);
    for (int i = 0; i < 300; i++) {
        pthread_t t;
        pthread_create(&t, NULL, inside_once, d);
        pthread_join(t, NULL);
    }
    unsigned ticket = frz__epoch_enter(d);
    assert_true(ticket < 128); /* not the shared one */
    frz__epoch_exit(d, ticket);
    frz__epoch_free(d);
}

/* Threads that end while a domain goes: neither touches what the other freed. */
static void *enter_and_linger(void *arg)
{
    struct epoch *d = arg;
    frz__epoch_exit(d, frz__epoch_enter(d));
    return NULL;
}
TEST(epoch, a_domain_may_go_while_its_threads_end)
{
    frz_error e;
    for (int round = 0; round < 50; round++) {
        struct epoch *d;
        pthread_t t[4];
        OK(frz__epoch_new(NULL, &d, &e), &e);
        for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, enter_and_linger, d);
        for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
        frz__epoch_free(d);
    }
}

TEST(epoch, survives_each_failing_allocation)
{
    frz_error e;
    struct test_alloc a;
    for (long n = 1;; n++) {
        struct epoch *d;
        test_alloc_init(&a, n);
        int rc = frz__epoch_new(&a.vt, &d, &e);
        if (rc == FRZ_OK) {
            frz__epoch_free(d);
            assert_int_equal(a.live, 0);
            assert_true(n > 1);
            break;
        }
        RC(rc, FRZ_NO_MEMORY, &e);
        assert_int_equal(a.live, 0);
    }
}
