#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t advanced_ns;
static _Atomic bool rounds_off;

static int64_t now_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + atomic_load_explicit(&advanced_ns, memory_order_relaxed);
}

int64_t frz__clock_mono_ns(void) { return now_ns(CLOCK_MONOTONIC); }
int64_t frz__clock_wall_us(void) { return now_ns(CLOCK_REALTIME) / 1000; }
void frz__test_clock_advance_ns(int64_t ns) { atomic_fetch_add_explicit(&advanced_ns, ns, memory_order_relaxed); }
int64_t frz__test_clock_advanced_ns(void) { return atomic_load_explicit(&advanced_ns, memory_order_relaxed); }
void frz__test_clock_rounds_off(bool off) { atomic_store(&rounds_off, off); }
bool frz__clock_rounds_are_off(void) { return atomic_load_explicit(&rounds_off, memory_order_relaxed); }
