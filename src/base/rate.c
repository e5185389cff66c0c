#include "base/rate.h"

#include "base/clock.h"

#define SECOND_NS 1e9
#define BURST_SECONDS 0.25

void frz__rate_init(struct rate *r, uint64_t per_second, int64_t now_ns)
{
    *r = (struct rate){.per_second = per_second, .tokens = (double)per_second * BURST_SECONDS, .at_ns = now_ns};
    frz__mutex_init(&r->mu, RANK_POOL, "rate");
    frz__cond_init(&r->changed);
}

void frz__rate_clear(struct rate *r)
{
    frz__mutex_clear(&r->mu);
    frz__cond_clear(&r->changed);
}

static int64_t due_locked(struct rate *r, uint64_t bytes, int64_t now_ns)
{
    if (!r->per_second || r->stopped) return now_ns;
    double rate = (double)r->per_second, most = rate * BURST_SECONDS;
    if (now_ns > r->at_ns) {
        r->tokens += (double)(now_ns - r->at_ns) / SECOND_NS * rate;
        if (r->tokens > most) r->tokens = most;
        r->at_ns = now_ns;
    }
    r->tokens -= (double)bytes;
    if (r->tokens >= 0) return now_ns;
    double wait = -r->tokens / rate * SECOND_NS;
    return wait > (double)(INT64_MAX / 2) ? INT64_MAX / 2 : r->at_ns + (int64_t)wait;
}

int64_t frz__rate_due(struct rate *r, uint64_t bytes, int64_t now_ns)
{
    frz__mutex_lock(&r->mu);
    int64_t due = due_locked(r, bytes, now_ns);
    frz__mutex_unlock(&r->mu);
    return due;
}

void frz__rate_take(struct rate *r, uint64_t bytes)
{
    frz__mutex_lock(&r->mu);
    int64_t now = frz__clock_mono_ns(), due = due_locked(r, bytes, now);
    r->waits += due > now;
    while (!r->stopped && frz__clock_mono_ns() < due && frz__cond_wait_until(&r->changed, &r->mu, due)) {}
    frz__mutex_unlock(&r->mu);
}

void frz__rate_stop(struct rate *r)
{
    frz__mutex_lock(&r->mu);
    r->stopped = true;
    frz__cond_broadcast(&r->changed);
    frz__mutex_unlock(&r->mu);
}
