/* Goal: the bucket lets through what it says, over any span of time, and nobody stays behind. Method: time as a number; threads that wait for good until they are let go. */
#include "frz_test.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/rate.h"

#define MS ((int64_t)1000000)

TEST(rate, lets_a_quarter_of_a_second_through_at_once_and_then_by_time)
{
    struct rate r;
    frz__rate_init(&r, 1000, 0);
    assert_int_equal(frz__rate_due(&r, 250, 0), 0);
    assert_int_equal(frz__rate_due(&r, 100, 0), 100 * MS);
    assert_int_equal(frz__rate_due(&r, 100, 0), 200 * MS); /* behind the one before */
    assert_int_equal(frz__rate_due(&r, 100, 200 * MS), 300 * MS);
    assert_int_equal(frz__rate_due(&r, 250, 10000 * MS), 10000 * MS); /* what was not used is a burst, no more */
    assert_int_equal(frz__rate_due(&r, 10, 10000 * MS), 10010 * MS);
    frz__rate_clear(&r);
}

TEST(rate, is_kept_over_any_span)
{
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct rng rng = {seed};
        struct rate r;
        uint64_t per_second = 1 + rng_below(&rng, 1000000), let = 0, largest = 0;
        int64_t now = 0;
        frz__rate_init(&r, per_second, 0);
        for (int i = 0; i < 2000; i++) {
            uint64_t bytes = rng_below(&rng, per_second / 8 + 2);
            if (bytes > largest) largest = bytes;
            now = frz__rate_due(&r, bytes, now);
            let += bytes;
            assert_true((double)let <= (double)now / 1e9 * (double)per_second + (double)per_second / 4 + (double)largest + 1);
            if (rng_below(&rng, 50) == 0) now += (int64_t)rng_below(&rng, 20) * MS;
        }
        assert_true((double)let * 1.3 + (double)per_second >= (double)now / 1e9 * (double)per_second); /* and used, but for the pauses */
        frz__rate_clear(&r);
    }
}

TEST(rate, of_none_never_waits)
{
    struct rate r;
    frz__rate_init(&r, 0, 0);
    assert_int_equal(frz__rate_due(&r, UINT64_MAX, 5), 5);
    frz__rate_take(&r, UINT64_MAX);
    frz__rate_clear(&r);
}

static void *taker(void *arg)
{
    frz__rate_take((struct rate *)arg, 1000000); /* years */
    return NULL;
}

TEST(rate, stop_lets_all_go_for_good)
{
    struct rate r;
    pthread_t t[3];
    frz__rate_init(&r, 1, frz__clock_mono_ns());
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&t[i], NULL, taker, &r), 0);
    for (;;) {
        frz__mutex_lock(&r.mu);
        uint64_t waits = r.waits;
        frz__mutex_unlock(&r.mu);
        if (waits == 3) break;
    }
    frz__rate_stop(&r);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    (void)taker(&r);
    frz__rate_clear(&r);
}
