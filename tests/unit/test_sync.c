#include "frz_test.h"
#include "base/clock.h"
#include "base/sync.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef NDEBUG
/* Runs FN in a child, which must abort with both names on its standard error. */
static void breaches(void (*fn)(void), const char *name1, const char *name2)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], 2);
        close(fds[0]);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    close(fds[1]);
    char text[4096];
    size_t n = 0;
    for (ssize_t got; n < sizeof text - 1 && (got = read(fds[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)got;
    text[n] = 0;
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    assert_non_null(strstr(text, "lock order"));
    assert_non_null(strstr(text, name1));
    if (name2) assert_non_null(strstr(text, name2));
}

static void falling(void)
{
    struct mutex low, high;
    frz__mutex_init(&low, RANK_TABLE_COMMIT, "the low one");
    frz__mutex_init(&high, RANK_POOL, "the high one");
    frz__mutex_lock(&high);
    frz__mutex_lock(&low);
}
static void same(void)
{
    struct mutex a, b;
    frz__mutex_init(&a, RANK_VIEW, "first view");
    frz__mutex_init(&b, RANK_VIEW, "second view");
    frz__mutex_lock(&a);
    frz__mutex_lock(&b);
}
static void twice(void)
{
    struct mutex a;
    frz__mutex_init(&a, RANK_VIEW, "itself");
    frz__mutex_lock(&a);
    frz__mutex_lock(&a);
}
static void not_held(void)
{
    struct mutex a;
    frz__mutex_init(&a, RANK_VIEW, "not mine");
    frz__mutex_unlock(&a);
}
static void wait_below(void)
{
    struct mutex a, b;
    struct cond c;
    frz__mutex_init(&a, RANK_VIEW, "waited with");
    frz__mutex_init(&b, RANK_LEAF, "held above");
    frz__cond_init(&c);
    frz__mutex_lock(&a);
    frz__mutex_lock(&b);
    frz__cond_wait(&c, &a);
}

TEST(sync, aborts_where_ranks_do_not_rise_and_names_both)
{
    breaches(falling, "the low one", "the high one");
    breaches(same, "first view", "second view");
    breaches(twice, "itself", NULL);
    breaches(not_held, "not mine", NULL);
    breaches(wait_below, "waited with", "held above");
}

static struct mutex shared;
static void *look(void *arg)
{
    *(bool *)arg = frz__mutex_held(&shared);
    return NULL;
}
TEST(sync, knows_which_thread_holds)
{
    pthread_t t;
    bool other = true;
    frz__mutex_init(&shared, RANK_VIEW, "shared");
    assert_false(frz__mutex_held(&shared));
    frz__mutex_lock(&shared);
    assert_true(frz__mutex_held(&shared));
    pthread_create(&t, NULL, look, &other);
    pthread_join(t, NULL);
    assert_false(other);
    frz__mutex_unlock(&shared);
    assert_false(frz__mutex_held(&shared));
    frz__mutex_clear(&shared);
    frz__mutex_clear(&shared);
}
#endif

TEST(sync, unlocks_in_any_order)
{
    struct mutex a, b, c;
    frz__mutex_init(&a, RANK_DB_OPEN, "a");
    frz__mutex_init(&b, RANK_VIEW, "b");
    frz__mutex_init(&c, RANK_LEAF, "c");
    for (int i = 0; i < 2; i++) {
        frz__mutex_lock(&a);
        frz__mutex_lock(&b);
        frz__mutex_unlock(&a);
        frz__mutex_lock(&c);
        frz__mutex_unlock(&b);
        frz__mutex_unlock(&c);
    }
    frz__mutex_lock(&c);
    frz__mutex_unlock(&c);
    frz__mutex_clear(&a);
    frz__mutex_clear(&b);
    frz__mutex_clear(&c);
}

static void *try_it(void *arg)
{
    bool taken = frz__mutex_trylock((struct mutex *)arg);
    if (taken) frz__mutex_unlock((struct mutex *)arg);
    return taken ? arg : NULL;
}

TEST(sync, a_try_takes_what_is_free_alone)
{
    struct mutex m;
    pthread_t thread;
    void *taken;
    frz__mutex_init(&m, RANK_LEAF, "m");
    for (int locked = 0; locked < 2; locked++) {
        if (locked) frz__mutex_lock(&m);
        assert_int_equal(pthread_create(&thread, NULL, try_it, &m), 0);
        assert_int_equal(pthread_join(thread, &taken), 0);
        assert_ptr_equal(taken, locked ? NULL : &m);
    }
    FRZ_ASSERT_HELD(&m);
    frz__mutex_unlock(&m);
    frz__mutex_clear(&m);
}

struct ball { struct mutex mu; struct cond turned; int at, passes; };
struct player { struct ball *b; int me; };
static void *play(void *arg)
{
    struct player *p = arg;
    for (;;) {
        frz__mutex_lock(&p->b->mu);
        while (p->b->at != p->me && p->b->passes < 3000) frz__cond_wait(&p->b->turned, &p->b->mu);
        FRZ_ASSERT_HELD(&p->b->mu);
        bool done = p->b->passes >= 3000;
        if (!done) {
            p->b->at = (p->me + 1) % 3;
            p->b->passes++;
        }
        frz__cond_broadcast(&p->b->turned);
        frz__mutex_unlock(&p->b->mu);
        if (done) return NULL;
    }
}
TEST(sync, a_condition_passes_a_ball_round)
{
    struct ball b = {.at = 0};
    frz__mutex_init(&b.mu, RANK_POOL, "ball");
    frz__cond_init(&b.turned);
    pthread_t t[3];
    struct player p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = (struct player){&b, i};
        pthread_create(&t[i], NULL, play, &p[i]);
    }
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    assert_int_equal(b.passes, 3000);
    frz__cond_clear(&b.turned);
    frz__mutex_clear(&b.mu);
}

TEST(sync, a_deadline_passes_on_the_clock_of_tests)
{
    struct mutex m;
    struct cond c;
    frz__mutex_init(&m, RANK_POOL, "m");
    frz__cond_init(&c);
    frz__mutex_lock(&m);
    int64_t t0 = frz__clock_mono_ns();
    assert_false(frz__cond_wait_until(&c, &m, t0));
    assert_false(frz__cond_wait_until(&c, &m, t0 - 1));
    int64_t until = frz__clock_mono_ns() + 15000000;
    while (frz__cond_wait_until(&c, &m, until)) continue;
    assert_true(frz__clock_mono_ns() >= until);
    frz__test_clock_advance_ns(3600LL * 1000000000);
    until = frz__clock_mono_ns() + 15000000;
    int64_t before = frz__clock_mono_ns();
    while (frz__cond_wait_until(&c, &m, until)) continue;
    assert_true(frz__clock_mono_ns() >= until);
    assert_true(frz__clock_mono_ns() - before < 1800LL * 1000000000);
    frz__mutex_unlock(&m);
    frz__cond_clear(&c);
    frz__mutex_clear(&m);
}

#ifdef FRZ_FAILPOINTS
static void *wait_an_hour(void *arg)
{
    struct ball *b = arg;
    frz__mutex_lock(&b->mu);
    b->at = 1;
    frz__cond_signal(&b->turned);
    int64_t until = frz__clock_mono_ns() + 3600LL * 1000000000;
    while (frz__cond_wait_until(&b->turned, &b->mu, until)) continue;
    b->passes = 1;
    frz__mutex_unlock(&b->mu);
    return NULL;
}
TEST(sync, who_waits_already_notices_that_the_clock_was_moved)
{
    struct ball b = {.at = 0};
    frz__mutex_init(&b.mu, RANK_POOL, "hour");
    frz__cond_init(&b.turned);
    pthread_t t;
    pthread_create(&t, NULL, wait_an_hour, &b);
    frz__mutex_lock(&b.mu);
    while (!b.at) frz__cond_wait(&b.turned, &b.mu);
    frz__mutex_unlock(&b.mu);
    frz__test_clock_advance_ns(3601LL * 1000000000);
    pthread_join(t, NULL);
    assert_int_equal(b.passes, 1);
    frz__cond_clear(&b.turned);
    frz__mutex_clear(&b.mu);
}
#endif
