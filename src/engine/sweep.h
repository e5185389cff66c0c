/* sweep.h — leftovers: files of our own names, of earlier processes, that no retained snapshot names; and files that go with older snapshots, put on the list of those (expire.c).
 *
 * Design      what open must know is the newest version and its files. What lies beside them is garbage, of which there may be much, and none of it is in anybody's way: names are never used twice. So open only takes
 *             down what it found (the version, each of its snapshots held), and a worker looks through the folders behind it, under the flush lane, by that version: whatever was committed or expired in the meantime.
 * Invariants  (1) a name of this process's epoch is left alone: it may be in use (gc.c takes it once it is as old as an orphan)  (2) until the folders were looked through, nothing goes that a snapshot of then needs
 *             (3) a process that commits looks through them before it closes: who opens and closes in a loop leaves no more than the next one finds (unless `no_tidy` leaves it to gc)
 * Crash       a file that was not looked at is found by the next open: it does the same from the beginning                                       */
#ifndef FRZ_ENGINE_SWEEP_H
#define FRZ_ENGINE_SWEEP_H
#include "engine/db.h"

/* At open for writing, alone: T's version is the one. */
FRZ_NODISCARD int frz__sweep_prepare(struct table *t, frz_error *err);
/* What is left of it: with the table, which nobody has any more. */
void frz__sweep_drop(struct table *t);
/* What went at once: its reason, of enum frz_gc_why. */
typedef int (*swept_fn)(void *ctx, const char *path, int32_t why, uint64_t bytes, frz_error *err);
/* flush_mu held. Nothing where it was done. TOLD may be NULL. *OLD: there are files of other engines that nothing names and that are as old as orphans. FRZ_BUSY: a backup is under way, or the database closes; later. */
FRZ_NODISCARD int frz__sweep_run(struct table *t, bool *old, swept_fn told, void *ctx, frz_error *err);
#endif
