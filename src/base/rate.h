/* rate.h — so many bytes a second: a token bucket that background work pays into before it goes on.
 *
 * Design      Tokens grow with time, up to what a quarter of a second brings. Who takes more than there are leaves a debt, and waits until time has paid it: the debts of several add up, so that each waits
 *             behind those before it.
 * Invariants  (1) over any time t no more than t × per_second + a quarter of a second's + one take is let through  (2) nobody waits after stop
 * Threads     any                                                                                                                      */
#ifndef FRZ_BASE_RATE_H
#define FRZ_BASE_RATE_H
#include "base/sync.h"

struct rate {
    struct mutex mu;
    struct cond changed;
    uint64_t per_second; /* 0 = no limit. mu, as all below */
    double tokens;
    int64_t at_ns;       /* when `tokens` was counted */
    bool stopped;
    uint64_t waits;
};
void frz__rate_init(struct rate *r, uint64_t per_second, int64_t now_ns);
void frz__rate_clear(struct rate *r);
/* Takes BYTES at NOW_NS; from when on the taker may go on. */
int64_t frz__rate_due(struct rate *r, uint64_t bytes, int64_t now_ns);
/* The same by the clock, and waits. */
void frz__rate_take(struct rate *r, uint64_t bytes);
void frz__rate_stop(struct rate *r); /* lets all go, for good */
#endif
