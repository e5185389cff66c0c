/* event.h — what happened: a ring of the last events, and their way to the host's callback (frz_event_fn).
 *
 * Design      frz__event copies one record of fixed size into a ring that open made: no allocation, one leaf lock for the time of the copy, nothing of the host's is called. A thread of the ring's own, there
 *             only if the host gave a callback, takes the records out one by one and calls it, with no lock held at all: the callback may call anything of the library but frz_db_close, and may take its time;
 *             neither writers nor flushes wait for it. If it is slower than events come, the ring goes on without it: it sees a gap in the numbers.
 *             Rejected: calling where it happens (a callback that writes or flushes would meet the locks of the emitter); a queue without bounds.
 * Emitting    From any thread, under any lock but a leaf (RANK_LEAF) or the pool's; T may be NULL. What INFO and T's name point to is copied and needed for the call alone. One event for what an operator would
 *             want to know: not per write, not per get, and of a state that lasts only its changes.
 * Invariants  (1) numbers are 1, 2, 3 … in the order of the ring  (2) all that was emitted before frz__events_free has been offered to the callback when that returns
 * Threads     all but new and free from any                                                                                                                             */
#ifndef FRZ_ENGINE_EVENT_H
#define FRZ_ENGINE_EVENT_H
#include "base/alloc.h"

struct db;
struct table;
struct events;
struct event_info { /* zero: does not apply */
    uint64_t duration_us, files_in, files_out, bytes_in, bytes_out, rows_in, rows_out;
    int status;          /* enum frz_status */
    const char *reason;  /* one word or two, for machines: "no-space", "memtables" */
    const char *message; /* for people; cut at EVENT_MESSAGE_BYTES */
};
#define EVENT_REASON_BYTES 32
#define EVENT_MESSAGE_BYTES 320

void frz__event(struct db *db, struct table *t, int kind, const struct event_info *info); /* INFO may be NULL */
/* Of a failure: status and message are ERR's. */
void frz__event_error(struct db *db, struct table *t, int kind, const char *reason, const frz_error *err);

/* KEPT records. FN may be NULL: then there is no thread. */
FRZ_NODISCARD int frz__events_new(const allocator *a, uint32_t kept, frz_event_fn fn, void *ctx, struct events **out, frz_error *err);
void frz__events_free(struct events *e); /* NULL is fine; not from the callback */
/* Each event with a number above SINCE that is still there, oldest first; FN is called with no lock held; a result of it other than 0 stops and is returned. */
FRZ_NODISCARD int frz__events_read(struct events *e, uint64_t since, int (*fn)(void *ctx, const frz_event *event), void *ctx);
/* Waits for the callback that runs, and lets none begin until it goes on. E NULL is fine; not from the callback. */
void frz__events_pause(struct events *e);
void frz__events_go_on(struct events *e);
bool frz__events_inside(const struct events *e); /* this thread is in the callback */
uint64_t frz__events_last(struct events *e);     /* the newest's number; 0 = none yet */
#endif
