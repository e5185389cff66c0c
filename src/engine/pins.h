/* pins.h — who keeps a state of tables alive beyond the moment: snapshots, cursors, streams; and how much of memtables they may keep (hazards 35).
 *
 * Design      each is in one list, oldest first. After a flush the memtables that only pins hold are added up from the newest pin to the oldest; from where they are more than snapshot_memory_max, a pin that
 *             holds any is given up. A snapshot gives its views back there and then; a cursor or a stream is told, and gives back what it has with its next call.
 * Invariants  (1) writers never wait for a pin  (2) what was given up answers FRZ_SNAPSHOT_TOO_OLD from then on, never less rows  (3) a pin without memtables that left their tables is not given up
 * Threads     any; pins_mu guards the list, a snapshot's own mutex its views                                                              */
#ifndef FRZ_ENGINE_PINS_H
#define FRZ_ENGINE_PINS_H
#include "engine/db.h"

struct pinned_view {
    struct table *table;
    struct view *view;
    frz_schema *schema; /* counted, of a snapshot's: what its readers' columns are, given up or not; else NULL */
};
struct keep {
    struct keep *next, **prev;  /* pins_mu; prev NULL = not in the list */
    struct db *db;
    struct pinned_view *views; /* of the owner; one at least while it is in the list */
    size_t count;
    _Atomic bool given_up;
    void (*give_up)(struct keep *p); /* pins_mu held; NULL = the owner looks at given_up */
};
void frz__keep_add(struct keep *p);    /* to the end */
void frz__keep_remove(struct keep *p); /* harmless if it is not in the list */
FRZ_NODISCARD int frz__keep_check(struct keep *p, frz_error *err); /* FRZ_SNAPSHOT_TOO_OLD */
/* After a flush. */
void frz__pins_trim(struct db *db);
#endif
