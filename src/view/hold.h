/* hold.h — which published snapshots somebody in this process still reads: each view holds the snapshot that it shows, a snapshot opened by id its own, a walk over metadata the oldest that it may meet.
 *
 * Design      a file is needed by the snapshots with a sequence number in [added, removed); so what is counted are sequence numbers of a table, not files: one object a view, however many files it has.
 * Invariants  (1) a hold is in its set until its last count goes  (2) a set outlives its holds
 * Threads     any                                                                                                                     */
#ifndef FRZ_VIEW_HOLD_H
#define FRZ_VIEW_HOLD_H
#include "base/sync.h"
#include "base/alloc.h"

struct holds {
    struct mutex mu; /* what follows */
    struct hold *first;
};
struct hold {
    _Atomic uint32_t refs;
    struct holds *set;
    const allocator *a;
    struct hold *prev, *next;
    int64_t snapshot_id, sequence;
    char uuid[37]; /* the table's */
};
void frz__holds_init(struct holds *s);
void frz__holds_clear(struct holds *s); /* there are none left */
FRZ_NODISCARD int frz__hold_new(struct holds *s, const allocator *a, const char *uuid, int64_t snapshot_id, int64_t sequence, struct hold **out, frz_error *err);
struct hold *frz__hold_acquire(struct hold *h); /* NULL is fine, and given back */
void frz__hold_release(struct hold *h);         /* NULL is fine */
/* Somebody reads a snapshot of table UUID with a sequence number in [ADDED, REMOVED). */
bool frz__holds_any(struct holds *s, const char *uuid, int64_t added, int64_t removed);
#endif
