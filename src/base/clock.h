/* clock.h — time, which a test may own. */
#ifndef FRZ_BASE_CLOCK_H
#define FRZ_BASE_CLOCK_H
#include <stdint.h>
int64_t frz__clock_mono_ns(void);
int64_t frz__clock_wall_us(void);
/* Adds to both clocks from now on, in this process: tests of intervals and ages. */
void frz__test_clock_advance_ns(int64_t ns);
#endif
