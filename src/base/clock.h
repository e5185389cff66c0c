/* clock.h — time, which a test may own. */
#ifndef FRZ_BASE_CLOCK_H
#define FRZ_BASE_CLOCK_H
#include <stdbool.h>
#include <stdint.h>
int64_t frz__clock_mono_ns(void);
int64_t frz__clock_wall_us(void);
/* Adds to both clocks from now on, in this process: tests of intervals and ages. Who waits with a deadline already notices within milliseconds in builds with fail
 * points; in others, only waits that begin later do. */
void frz__test_clock_advance_ns(int64_t ns);
int64_t frz__test_clock_advanced_ns(void); /* all of it so far */
/* Nothing happens by time (sched.c) while it is set, in this process: for tests that count calls, or look at what each of them leaves. */
void frz__test_clock_rounds_off(bool off);
bool frz__clock_rounds_are_off(void);
#endif
