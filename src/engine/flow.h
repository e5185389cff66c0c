/* flow.h — how fast writers may go, and how much memory their rows may take.
 *
 * Memory      memory_bytes is one budget, shared out (hazards 34): memtables 40 %, cache 30, jobs 20, metadata 10. What is charged by whom: base/budget.h. At the limit:
 *               memtables   those of all tables together, but for what snapshots pin: at half of the share the largest active one, of whatever table, is rotated and flushed; at the whole share writers
 *                           stop until a flush ends. Below 128 MiB a table has one immutable memtable at most
 *               pinned      by snapshots and cursors: beyond snapshot_memory_max the oldest are given up (snapshot.c); writers never wait for them
 *               cache       evicts (cache.h); it gives up to three quarters of its share for what others take beyond theirs; below 128 MiB, before jobs that begin do
 *               jobs        one at a time below 128 MiB, their buffers by the share: row groups are cut earlier
 *               metadata    is what the tables need: beyond its share the log says so once, and the cache makes room
 * Pace        debt has a level for each reason (flow_level): nothing below `slow`, all of it at `stop`. The fraction between, the highest of all reasons, sets the price of a byte: at a half, writers get what
 *             flushes were seen to take away; at all, a two-hundredth of it. So debt settles between, and a put waits milliseconds often instead of seconds at times. A flush that takes longer than those before it
 *             makes the price rise while it does, so that one of thirty times their length meets no stop. Where it does not settle, a hard stop waits for the condition itself. Bytes are those of keys and rows.
 * Invariants  (1) the price is continuous and never falls as debt grows; nothing at no debt  (2) waits are outside of all locks but flow_mu, which the condition gives back, and before the writer joins
 *             the queue  (3) who waits was registered (holds flow_mu) before he looked at the debt that he waits for, and who lowers it takes flow_mu: no wake is lost
 *             (4) a slow-down is at most FLOW_DELAY_MAX_NS; a stop ends with its reason, with close, with drop, with a failed flush (the flush's error), with the write's own limit (FRZ_BUSY, the reason)
 * Threads     any                                                                                                                         */
#ifndef FRZ_ENGINE_FLOW_H
#define FRZ_ENGINE_FLOW_H
#include "engine/db.h"

/* ── pure ── */
struct flow_level {
    uint64_t now, slow, stop; /* slow < stop; stop 0 = this reason is off */
    bool hard;                /* writers stop there; else they only go slowly */
};
/* 0 up to slow, 1 from stop on, a line between. */
double frz__flow_fraction(const struct flow_level *l);
struct flow_verdict { double fraction; enum flow_reason reason; bool stop; };
struct flow_verdict frz__flow_judge(const struct flow_level levels[FLOW_REASONS]);
#define FLOW_DELAY_MAX_NS ((int64_t)100000000)
#define FLOW_DRAIN_UNKNOWN ((uint64_t)64 << 20)
/* What BYTES cost at FRACTION of the debt, where flushes take DRAIN bytes a second away (0 = not known). */
uint64_t frz__flow_price_ns(double fraction, uint64_t bytes, uint64_t drain);
/* DRAIN, as was seen before, where BYTES wait and none of them went for ELAPSED ns: a flush that takes longer than the last ones is believed at once. */
#define FLOW_DRAIN_MIN ((uint64_t)1 << 20) /* however slow, writers get on */
uint64_t frz__flow_drain_now(uint64_t drain, uint64_t bytes, int64_t elapsed);
/* When the next publish by age is due after the last one, ns: INTERVAL, stretched until the rows of as long a time would weigh COST, the bytes of masks and metadata that the last publish wrote beside
 * ROW_BYTES of rows after LASTED, at PERCENT of them. The first FLOW_PUBLISH_FREE_BYTES of a publish count nothing; it is never stretched beyond FLOW_PUBLISH_MAX_NS. PERCENT 0 = not at all. */
#define FLOW_PUBLISH_FREE_BYTES ((uint64_t)64 << 10)
#define FLOW_PUBLISH_MAX_NS ((int64_t)600 * 1000000000)
int64_t frz__flow_publish_ns(int64_t interval, int64_t lasted, uint64_t row_bytes, uint64_t cost, uint64_t percent);
const char *frz__flow_reason_name(enum flow_reason r); /* "memtables waiting for their flush", … */

/* What files owe, as a level: SLOW, STOP as the options say, 0 = never. Slowed only, writers pay all at twice of SLOW; stopped only, they are at full speed up to it. */
struct flow_level frz__flow_files_level(uint64_t now, uint64_t slow, uint64_t stop);
/* ── shares ── */
struct flow_shares { uint64_t memtables, cache, jobs, metadata; };
struct flow_shares frz__flow_shares(uint64_t memory_bytes);
/* What the cache may have when memtables, jobs and metadata TAKE so much. */
uint64_t frz__flow_cache_bytes(const struct flow_shares *share, const struct flow_shares *take);
#define FLOW_SMALL_BYTES ((uint64_t)128 << 20) /* a budget below it: one immutable memtable, one job */
static inline bool flow_is_small(uint64_t memory_bytes) { return memory_bytes < FLOW_SMALL_BYTES; }

/* ── running ── */
/* Waits as the debt of the TABLES asks before BYTES more are written to them. WAIT_MAX_NS: FRZ_BUSY, naming the reason, rather than to wait longer; < 0 = as long as it takes. */
FRZ_NODISCARD int frz__flow_wait(struct table *const *tables, size_t count, uint64_t bytes, int64_t wait_max_ns, frz_error *err);
/* From time to time: the cache makes room for what others take beyond their shares; of metadata that does, the log is told, once each time that it grows by half of it. The clock's alone. */
void frz__flow_balance(struct db *db);
/* Debt may have fallen: none of view_mu and below is held. */
void frz__flow_wake(struct db *db);
/* ── flow_files.c: what T's files owe ── */
/* The settings are T's: its limits; view_mu held, or T is nobody else's. */
void frz__flow_take_limits(struct table *t);
/* The view's files, or what is asked of them, changed: what they owe is counted anew. flush_mu held, or alone; view_mu not. O(files × log files) */
void frz__flow_weigh(struct table *t);
/* A compaction of T waits for its turn or runs; it does so no more: who waits for it learns of it. */
void frz__flow_compact_begin(struct table *t);
void frz__flow_compact_end(struct table *t);
/* One runs; it ran, and LEVEL0_BYTES of files of level 0 are there no more. */
void frz__flow_digest_begin(struct table *t);
void frz__flow_digest_end(struct table *t, uint64_t level0_bytes);
/* OUT: FLOW_RUNS and FLOW_DEBT of T now. False, and OUT as it was: neither is near. */
bool frz__flow_files(struct table *t, struct flow_level out[FLOW_REASONS]);
/* R is one of what files owe. */
static inline bool flow_of_files(enum flow_reason r) { return r == FLOW_RUNS || r == FLOW_DEBT; }
/* Bytes a second that take away what R is about; 0 = not known. */
uint64_t frz__flow_drain_of(struct table *t, enum flow_reason r);

/* The place held: T's active memtable has grown. */
void frz__flow_count(struct table *t);
/* The active memtable that should be rotated because all of them together are too large, counted; NULL = none. */
struct table *frz__flow_largest(struct db *db);
/* More immutables would be more than T may have: a full memtable is not rotated yet. */
bool frz__flow_full(struct table *t);
/* What T's writers would stop for now; FLOW_NONE = they would not. */
enum flow_reason frz__flow_stopped_by(struct table *t);
/* Bytes of memtables that are in no table's view any more: snapshots and cursors have them. */
uint64_t frz__flow_pinned(struct db *db);
/* A publish of ROW_BYTES wrote BESIDE bytes of masks and metadata: T's next by age is due accordingly. */
void frz__flow_published(struct table *t, uint64_t row_bytes, uint64_t beside);
/* The interval of T's publishes by age, as it is now; 0 = none. */
int64_t frz__flow_publish_now(struct table *t);
/* Before a flush of T takes memory for what it does, which goes by what it flushes; *BYTES: that. Below FLOW_SMALL_BYTES several at a time only if they are small. And after. */
void frz__flow_flush_begin(struct table *t, uint64_t *bytes);
void frz__flow_flush_end(struct table *t, uint64_t bytes);
/* The same of another job, which may come to hold BYTES: below FLOW_SMALL_BYTES the cache makes room for them first. */
void frz__flow_job_begin(struct db *db, uint64_t bytes);
void frz__flow_job_end(struct db *db, uint64_t bytes);
/* Encoded bytes of a row group that a job may hold. */
uint64_t frz__flow_row_group_bytes(const struct db *db, uint64_t setting);
/* Bytes that a walk through FILES files may read ahead and decode of each: of a reader, a sixteenth of the budget in all; of a job, a quarter of the jobs' share. */
size_t frz__flow_walk_bytes(const struct db *db, size_t files, bool job);
/* BYTES of memtables were flushed in NS. */
void frz__flow_drained(struct db *db, uint64_t bytes, int64_t ns);
#endif
