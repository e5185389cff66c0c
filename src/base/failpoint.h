/* failpoint.h — named places where a test makes things go wrong, or waits. Compiled to nothing without FRZ_FAILPOINTS.
 *
 *     FAILPOINT("commit.after_link", err);    // in code that returns rc: an armed `error` returns FRZ_IO from here
 *
 * Armed by frz__test_failpoint(name, action) or FRAZIL_FAILPOINTS="name=action;name=action" in the environment, where ACTION is
 *     off | error[:nth[:times]] | nospace[:nth[:times]] | crash[:nth] (SIGKILL to itself) | pause (until frz__test_failpoint_resume) | delay:ms
 * `error` alone fails each hit; error:3 the third since it was armed, once; error:3:0 that and all later ones. What the environment says wrongly aborts. */
#ifndef FRZ_BASE_FAILPOINT_H
#define FRZ_BASE_FAILPOINT_H
#include "base/status.h"
#ifdef FRZ_FAILPOINTS
#include <stdatomic.h>
extern _Atomic unsigned frz__failpoints_armed;
int frz__failpoint_hit(const char *name, frz_error *err);
#define FAILPOINT(name, err) TRY(frz__failpoint_hit((name), (err)))
#define FAILPOINT_CHECK(name, err) CHECK(frz__failpoint_hit((name), (err)))
#define FAILPOINT_VOID(name) ((void)frz__failpoint_hit((name), NULL))
/* On the way of readers: nothing, not even a count, while no point at all is armed. Else the fail points' own mutex would give threads an order that the code does not, and hide races from the sanitizer. */
#define FAILPOINT_QUIET(name) ((void)(atomic_load_explicit(&frz__failpoints_armed, memory_order_relaxed) ? frz__failpoint_hit((name), NULL) : 0))
#else
#define FAILPOINT(name, err) ((void)0)
#define FAILPOINT_CHECK(name, err) ((void)0)
#define FAILPOINT_VOID(name) ((void)0)
#define FAILPOINT_QUIET(name) ((void)0)
#endif
/* false where fail points are not compiled in, or ACTION is none. Arming anew lets go who is paused. */
bool frz__test_failpoint(const char *name, const char *action);
void frz__test_failpoint_resume(const char *name); /* lets go who is paused in NAME, and turns it off */
uint64_t frz__test_failpoint_hits(const char *name); /* armed or not; 0 where not compiled in */
/* Waits until NAME has a thread paused in it; false after MS. */
bool frz__test_failpoint_wait_paused(const char *name, unsigned ms);
#endif
