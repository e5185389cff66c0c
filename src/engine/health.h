/* health.h — what does not go well, as a state: what fails, of which class, since when, how often, when it is tried again, and what stops meanwhile.
 *
 * Design      A background failure is no line in a log that scrolls away. Each part that can fail has one slot, of the database or of a table; who fails says so (frz__health_fail) and learns when to try again, who
 *             succeeds clears it (frz__health_ok). Classes decide (frz__health_class): what may pass (no space, I/O, read-only, conflict, memory, a table that another engine changed beyond us) is tried again by itself, later each time,
 *             up to HEALTH_RETRY_MAX_NS, with jitter; what does not pass by itself (corruption, a defect) is not, and where it stands in the way of publishing, writes to that table stop and reads go on.
 *             frz_db_resume tries all at once again. Nothing else keeps such a state, but for flush_error and retry_at_ns of db.h: what writers that wait for room are told.
 * Parts       of the database: LOG its log can't be written or synced; a probe of the clock's tries again, and so does each write · REPLAY what is logged is not in memory: only opening again helps · RECYCLE old
 *             segments stay · ARCHIVE closed segments can't be brought to the log's archive. Of a table: FLUSH · COMPACTION · READ a reader met corrupt bytes
 * Invariants  (1) a change of a part's class tells FRZ_EVENT_HEALTH once; a part that is well costs one atomic load  (2) retry is INT64_MAX exactly for classes that do not pass by themselves
 * Threads     all from any, under any lock but a leaf                                                                                                                   */
#ifndef FRZ_ENGINE_HEALTH_H
#define FRZ_ENGINE_HEALTH_H
#include "base/sync.h"

struct db;
struct table;
enum health_part { HEALTH_LOG, HEALTH_REPLAY, HEALTH_RECYCLE, HEALTH_ARCHIVE, HEALTH_DB_PARTS, HEALTH_FLUSH = HEALTH_DB_PARTS, HEALTH_COMPACTION, HEALTH_READ, HEALTH_PARTS };
#define HEALTH_PARTS_MAX 4 /* of a database, or of a table */
#define HEALTH_MESSAGE_BYTES 320
#define HEALTH_RETRY_MIN_NS ((int64_t)1000000000)
#define HEALTH_RETRY_MAX_NS ((int64_t)30000000000)

struct health_state {
    int32_t code, os_errno; /* code 0: it is well, and the rest is of no meaning */
    uint32_t tries;
    int64_t since_us, told_ns, retry_at_ns;
    char message[HEALTH_MESSAGE_BYTES];
};
struct health {
    struct mutex mu;
    _Atomic uint32_t bad;  /* bits of parts that are not well: stored under mu */
    _Atomic bool stopped;  /* no write passes: a part says so that does not pass by itself */
    struct health_state parts[HEALTH_PARTS_MAX]; /* mu */
};
void frz__health_init(struct health *h);
void frz__health_clear(struct health *h);

/* ── pure ── */
int frz__health_class(int code); /* enum frz_error_class */
bool frz__health_passes(int error_class); /* by itself */
/* What the TRIES-th failure in a row (1 = the first) waits; NOISE: any number. From 1 to 1.25 times a power of two seconds, up to HEALTH_RETRY_MAX_NS. */
int64_t frz__health_backoff_ns(uint32_t tries, uint64_t noise);

/* ── state: T NULL = the database's ── */
/* When to try again (frz__clock_mono_ns); INT64_MAX = not by itself. ERR's code says why. */
int64_t frz__health_fail(struct db *db, struct table *t, enum health_part part, const frz_error *err);
void frz__health_ok(struct db *db, struct table *t, enum health_part part);
/* Whether PART may be tried (again) now; *AT, if not NULL, is when, where that is later. */
bool frz__health_due(struct db *db, struct table *t, enum health_part part, int64_t now, int64_t *at);
/* A read of T ended with RC: corruption is kept, anything else is no matter of health. ERR may be NULL. */
void frz__health_read(struct table *t, int rc, const frz_error *err);
bool frz__health_bad(struct db *db, struct table *t, enum health_part part);
/* What PART of T failed with, the last time; FRZ_OK = it is well. One atomic load where it is. */
FRZ_NODISCARD int frz__health_error(struct table *t, enum health_part part, frz_error *err);
/* Before a write to T: FRZ_OK, or the error that stops writes. One atomic load where all is well. */
FRZ_NODISCARD int frz__health_writable(struct table *t, frz_error *err);

/* ── what the host asks ── */
void frz__health_get(struct db *db, struct table *t, frz_health *out); /* T NULL: the worst of the database and its tables */
/* Tries again, now, whatever failed. FRZ_OK if all is well after it, else what is not. */
FRZ_NODISCARD int frz__health_resume(struct db *db, frz_error *err);
#endif
