/* epoch.h — readers that touch no shared count: what they may be looking at is freed when the last of them has moved on (Fraser 2004, §5.2.3).
 *
 * Design      a domain (one a database) has padded slots; a thread takes one at its first enter and keeps it. enter = store the global epoch and one fence. retire hands over
 *             something already unlinked; it is freed once every slot is idle or newer. When slots run out, enter falls back to a shared, counted slot.
 * Invariants  (1) nobody holds an epoch over I/O, a wait or a call to the host  (2) what is retired can't be reached by a later enter
 * Threads     all functions from any thread; enter and exit nest not                                                                     */
#ifndef FRZ_BASE_EPOCH_H
#define FRZ_BASE_EPOCH_H
#include "base/alloc.h"
struct epoch;
FRZ_NODISCARD int frz__epoch_new(const allocator *a, struct epoch **out, frz_error *err);
void frz__epoch_free(struct epoch *e); /* frees all that is retired; no reader may be inside */
/* A ticket for exit. */
unsigned frz__epoch_enter(struct epoch *e);
void frz__epoch_exit(struct epoch *e, unsigned ticket);
struct epoch_node { struct epoch_node *next; uint64_t at; void (*fn)(void *arg); void *arg; };
/* FN(ARG) when no reader can see it; NODE lives inside what is retired. Runs FN of others that are due, on this thread. */
void frz__epoch_retire(struct epoch *e, struct epoch_node *node, void (*fn)(void *), void *arg);
/* Frees what is due; called by maintenance. */
void frz__epoch_collect(struct epoch *e);
#endif
