/* verify.h — reads everything and says what is not as the invariants have it. */
#ifndef FRZ_ENGINE_VERIFY_H
#define FRZ_ENGINE_VERIFY_H
#include "engine/db.h"
typedef int (*verify_fn)(void *ctx, const frz_finding *f);
/* Adds to REPORT. < 0 only where it could not go on; a file that can't be read is a finding. */
FRZ_NODISCARD int frz__verify_table(struct table *t, verify_fn fn, void *ctx, frz_verify_report *report, frz_error *err);
#endif
