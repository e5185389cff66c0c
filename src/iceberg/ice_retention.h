/* ice_retention.h — the retention ladder: frazil.retention = "all:16, 1m:60, 1h:24, 1d:30".
 *
 * Design      a rung is a width and a count. Time is cut into slots of the width, aligned to 1970-01-01T00:00Z (a week's to a Thursday); of the newest COUNT slots that have a snapshot the last
 *             snapshot is kept. `all` is the rung whose every snapshot has a slot of its own. What any rung wants is kept.
 * Invariants  (1) no more than the sum of the counts is kept  (2) the clock of today is not asked: a clock that jumps ahead expires nothing, an idle table keeps what it has  (3) what a rung lets go it
 *             never wants again, so that thinning at each publish gives the same as thinning once  (4) the newest is kept
 * Source      frazil's own; Iceberg's retention is by age and count alone                                                     */
#ifndef FRZ_ICEBERG_ICE_RETENTION_H
#define FRZ_ICEBERG_ICE_RETENTION_H
#include "iceberg/ice_types.h"

#define ICE_RUNGS_MAX 16
struct ice_rung { int64_t width_ms; /* 0 = all */ int64_t count; };
struct ice_retention { struct ice_rung rungs[ICE_RUNGS_MAX]; size_t count; };

/* FRZ_INVALID says which rung is not one: `all:N`, or a whole number of s, m, h, d or w, and `:N`; widths rise. */
FRZ_NODISCARD int frz__ice_retention_parse(slice text, struct ice_retention *out, frz_error *err);
int64_t frz__ice_retention_max(const struct ice_retention *r); /* snapshots that it keeps at most */
/* TIMES_MS of snapshots, newest snapshot first. KEEP[i] becomes true where a rung wants it; others are left. */
void frz__ice_retention_mark(const struct ice_retention *r, const int64_t *times_ms, size_t count, bool *keep);
#endif
