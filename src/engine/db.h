/* db.h — the state that the verbs share: who may touch what, under which lock. No noun includes this.
 *
 * Locks, in the order in which they may be taken
 *   tables_mu   db: names, tables, pins; held across no reads and writes, nor waits for a lock that is, but in a refresh, of a database that nobody writes: writers need it
 *   flush_mu    table: the flush lane; held across a whole flush, data-file writes included
 *   commit_mu   table: the pointer to the version; held across the small metadata writes of a commit
 *   log_mu      db: the writers' queue
 *   pins_mu     db: the list of snapshots and cursors
 *   flow_mu     db: writers that wait for room
 *   view_mu     table: replacing the view, the flush's state
 *   tick_mu, codec_mu, and what the modules below have of their own: nothing is taken under them
 * Beside them
 *   place       the leader's: a right that one writer at a time has, given and taken under log_mu (`writing`), held across the write and the sync of the log and no other I/O: tables_mu and view_mu may be taken
 *               in it, and nobody waits for it who holds one of them
 *   epochs      a view is read inside an epoch, then counted
 *
 * Each field below says what it is under:
 *   const       set before anybody else can reach it, and never after
 *   X           read and written under X only
 *   X + Y       written under both: either is enough to read
 *   _Atomic     by itself; what it must agree with is said beside it
 * Open, before the workers start, and close, after they were joined, are alone, and hold nothing. A read-only database has no workers, no place, no flush: there the writer is refresh (tables_mu), beside readers.
 *
 * Invariants  (1) seq_visible only grows; every sequence ≤ it is in a memtable or file of its table's view  (2) rotation happens in the place only; a memtable is immutable once rotated
 *             (3) a view is installed only if its flushed_seq ≤ seq_visible  (4) version, dels and view files agree whenever flush_mu is free                                             */
#ifndef FRZ_ENGINE_DB_H
#define FRZ_ENGINE_DB_H
#include "base/budget.h"
#include "base/clock.h"
#include "base/epoch.h"
#include "base/failpoint.h"
#include "base/hash.h"
#include "base/latency.h"
#include "base/pool.h"
#include "base/rand.h"
#include "base/rate.h"
#include "base/sync.h"
#include "engine/event.h"
#include "engine/health.h"
#include "engine/mix.h"
#include "engine/running.h"
#include "engine/options.h"
#include "iceberg/ice_edit.h"
#include "io/durable.h"
#include "view/view.h"
#include "wal/wal.h"

/* Table metadata as last committed by us or read; counted, immutable. */
struct version {
    _Atomic uint32_t refs;
    const allocator *a;
    struct arena ar;
    int64_t number; /* N of vN.metadata.json */
    struct ice_meta *meta;
    struct ice_tree tree;
    uint64_t metadata_bytes; /* of metadata.json */
};
/* A live position-delete file (v2) or deletion vector (v3) and the data files that it masks. */
struct delfile {
    char *path; /* Iceberg's: file:///… */
    uint64_t positions;
    int64_t sequence;    /* of the snapshot that added it */
    size_t target_count; /* live data files */
    size_t named;        /* data files it names, dead ones with them */
    char **targets;      /* their Iceberg paths */
};
/* A file that no current snapshot needs; goes when no retained one does and its grace is over. */
struct pending_file {
    char *path;            /* relative to the warehouse */
    int64_t added, removed; /* sequence numbers of the snapshots that added and removed it: needed by those in [added, removed) */
    int64_t since_us;      /* unreferenced since; 0 = still referenced */
    bool unsure;           /* somebody else committed since it came here: a snapshot beyond `removed` may have it again; looked up by a full mark before it goes */
};
enum pending_state { PENDING_RETAINED, PENDING_VIEW, PENDING_LEASE, PENDING_GRACE, PENDING_UNSURE, PENDING_DUE };

/* Why writers wait: flow.h. */
enum flow_reason { FLOW_NONE, FLOW_MEMTABLES, FLOW_MEMORY, FLOW_RUNS, FLOW_DEBT, FLOW_REASONS };
struct flow_counts {
    _Atomic uint64_t stalls, stall_us_total, stall_us_max, slowdowns, slowdown_us_total, slowdown_us_max;
};

struct table {
    _Atomic uint32_t refs; /* handles, jobs, snapshots; one of the db's list */
    struct db *db;         /* const, as all up to location */
    const allocator *a;    /* metadata */
    const allocator *jobs_a; /* what flushes and compactions hold while they run */
    char *name;            /* "main.flights" */
    char *dir;             /* "main/flights" */
    char *location;        /* file:///… without a slash at the end */
    char uuid[37];         /* const */
    uint64_t table_no;     /* const: given when it comes into the list, or at open */

    struct mutex flush_mu, commit_mu, view_mu;
    struct cond room;      /* view_mu: files are claimed no more */
    struct version *version; /* flush_mu + commit_mu; a refresh: commit_mu alone. Who holds flush_mu borrows it, others count it: frz__version_acquire */
    _Atomic(struct view *) view; /* replaced under view_mu; read in an epoch, or under view_mu */
    _Atomic(const frz_schema *) view_schema; /* the view's, stored with it: to be told from others and no more, it is not looked into */
    struct mem *active;    /* place + view_mu; borrowed from the view */
    uint64_t rot_seq;      /* place + view_mu: all sequences ≤ this were ordered before the last rotation */
    frz_schema **schemas;  /* view_mu, to schema_cap: each that a view of this process had, the view's last; kept to the end: what hosts have filled is of them */
    size_t schema_count, schema_cap;
    char *frozen;          /* view_mu, set once: another program changed what unflushed rows or keys stand on: why nothing is written any more */
    _Atomic bool is_frozen;
    struct table_settings settings; /* flush_mu + view_mu */
    _Atomic int format_version; /* changes under flush_mu */
    _Atomic int64_t publish_ns; /* the interval of publishes by age, as the last one stretched it; 0 = the setting */
    _Atomic int64_t published_ns; /* when the last publish ended, or the table was loaded */
    struct health health;  /* its own lock */
    _Atomic uint32_t reloads; /* grows before and after the view becomes that of another engine's commit */
    _Atomic bool in_doubt; /* changes under flush_mu: what is committed, or the view of it, is not known: reload before the next flush or commit */

    _Atomic bool dropped;  /* no use to anybody; or not yet */
    _Atomic bool removing; /* one, a drop or a table made under its name, takes its files and its place in the list away */
    _Atomic bool drop_logged; /* the log holds its DROP: it only remains to be removed */
    _Atomic bool gone;     /* its folder is in the trash: another table may be in its place */
    _Atomic int broken_code; /* a table that can't be used: why; FRZ_OK = it has a version and a view. Changes under view_mu, after those */
    char *broken;          /* view_mu: in words; NULL where there was no memory for it */

    struct change *changes; /* view_mu: those that make files: change.h */
    struct delfile *dels;  /* flush_mu, to pending_cap */
    size_t del_count, del_cap;
    struct pending_file *pending; /* as they came */
    size_t pending_count, pending_cap;
    struct sweep *sweep;    /* flush_mu, to opened_number: the look for leftovers that open owes; NULL = it was done */
    uint64_t foreign_commits; /* of other engines, met since open: from the first on, what counting says is unsure */
    int64_t opened_number;  /* const after open: of the version; 0 = it was created since */
    _Atomic int64_t orphan_check_ms, tidy_at_ns; /* the setting; when leftovers are looked for next: 0 = open still owes it, INT64_MAX = never */
    int64_t marked_at_us;   /* flush_mu, mono: when all was marked for what is unsure; 0 = not since another engine committed */
    _Atomic bool expiry_missed; /* the clock came while a flush went on: the flush does it at its end */
    _Atomic bool expiry_goes_on; /* a round ended by its time, and not for want of files: the clock comes back at once. Changes under flush_mu */

    bool flush_queued;     /* view_mu; whoever sets it owns flush_job until the job runs, which clears it */
    frz_error flush_error; /* view_mu: of the last flush; code 0 = none */
    int64_t retry_at_ns;   /* view_mu */
    uint64_t claims_released; /* view_mu: by compactions that ended; who waits for one waits on `room` */
    unsigned claimers, manuals; /* view_mu: compactions that have claims; the host's own that are going on: */
    _Atomic uint64_t manual_end; /* changes under view_mu: … to them alone are left the files with smaller numbers; UINT64_MAX = all, 0 = none */
    struct pool_job flush_job;
    bool compact_queued;   /* view_mu; whoever sets it owns compact_job until the job runs, which clears it */
    int64_t compact_retry_at_ns; /* view_mu: after a failure; 0 = the last one went well */
    struct pool_job compact_job;
    _Atomic uint32_t compacting; /* those that wait for their turn or run, automatic or manual: what files owe is being paid */
    unsigned digesting;          /* view_mu, to digest_at_ns: those that run; what they took from level 0 in how much time, the old ones counting less */
    double digest_bytes, digest_ns;
    int64_t digest_at_ns;
    struct mix mix;        /* view_mu */
    _Atomic int64_t dirty_since_ns; /* first unpublished write; 0 = none. Set in the place, cleared before a rotation */
    uint64_t low_water;    /* const after open: the highest that the log has of it: all before it was published once */
    struct logged { uint8_t uuid[16]; int32_t schema_id; char *schema; } logged; /* const after open, of a table that can't be used: its last line in the log, of another writer; schema NULL = it has none */
    char *lost_rows;       /* view_mu: what was published and is no more, as found at open; NULL = nothing */
    uint64_t reserve_round; /* place: the last round that counted this table, */
    size_t reserve_ops;     /* place: and how many operations that has on it */
    _Atomic uint32_t flow_immutables;      /* of the view, and what they take; change under view_mu */
    _Atomic uint32_t flow_settling;        /* memtables that a flush took out of the view, whose files are not weighed yet; changes under flush_mu */
    _Atomic uint64_t flow_waiting, flow_waiting_rows; /* the latter: keys and rows as given */
    _Atomic int64_t flow_waiting_since;    /* mono: since when something waits, and none of it went; 0 = nothing waits. Changes with them */
    _Atomic uint64_t flow_immutables_max;  /* the setting; changes under view_mu */
    _Atomic uint64_t flow_active_used;     /* of the active memtable; the place's, and 0 at a rotation */
    _Atomic uint64_t flow_runs, flow_debt, flow_debt_beyond; /* of the view's files: plan_debt; the last beyond the live bytes. Change under flush_mu, or at open */
    _Atomic uint64_t flow_runs_slow, flow_runs_stop, flow_debt_slow, flow_debt_stop; /* the settings, all 0 where nothing is compacted by itself; change under view_mu */
    _Atomic uint64_t digest;  /* bytes of rows a second that compactions take from level 0; 0 = not known */
    _Atomic int64_t turn_ns;  /* as the database's, of writers that files slow */
    struct flow_counts flow[FLOW_REASONS];

    _Atomic uint64_t gets, rows_put, rows_deleted, flushes, flush_failures, flush_rows, flush_bytes, rows_masked, commits, commit_conflicts,
        log_flushes_forced, publishes_stretched, files_absorbed, files_removed, compactions, compact_failures, compact_bytes_in, compact_bytes_out, stalls, stall_us_total, slowdowns, slowdown_us_total, put_bytes, delete_bytes_written,
        metadata_bytes_written, files_pending;
    struct latency flush_latency, commit_latency, compaction_latency;
};
static inline bool table_is_broken(struct table *t) { return atomic_load(&t->broken_code) != FRZ_OK; }

/* Somebody who may go on reading what he saw: part of a snapshot, a cursor, a stream. All under tables_mu. */
struct pin { struct pin *next, *prev; int64_t since_ns; uint64_t seq; };

struct writer; /* write.c */
struct db {
    struct budget *budget; /* const, as all up to fork_page: open's */
    const allocator *a; /* of the calls: batches, cursors, the log's buffers */
    struct logger log;
    struct events *events; /* its own lock */
    struct health health;  /* its own lock */
    struct fs *fs;
    bool fs_borrowed; /* frz__db_open_fs's caller frees it */
    char *root;      /* absolute, no slash at the end */
    char *root_uri;  /* file:///… */
    struct db_settings set;
    uint8_t log_uuid[16]; /* a refresh, under tables_mu, looks at the log again and writes these three; nobody else reads them in a read-only database */
    char log_uuid_text[37];
    uint64_t epoch;
    uint64_t lock_epoch; /* const: what LOCK says; the log may have been beyond it */
    struct file *lock_file;
    void *fork_page; /* wiped in a forked child */
    _Atomic bool closing;

    struct mutex tables_mu;
    struct table **tables; /* tables_mu, to pins */
    size_t table_count, table_cap;
    uint64_t next_table_no;
    struct creation *creations; /* names of tables that are being made: table_create.c */
    struct pin *pin_list; /* open snapshots, cursors, streams: youngest first */
    size_t pins; /* of them */
    _Atomic uint32_t backups; /* under way: no file is unlinked but those of dropped tables. Raised before a version is looked at, read under flush_mu or commit_mu */
    size_t manual_count; /* tables_mu: threads of the host in a manual compaction; close asks them to leave, and waits */
    struct cond manual_gone;
    _Atomic bool manual_stop; /* set under tables_mu */

    struct mutex log_mu;
    struct writer *queue_head, *queue_tail; /* log_mu */
    bool writing; /* log_mu: a leader is at work */
    struct wal *wal; /* const; its own locks */
    uint64_t seq_next; /* place */
    _Atomic int64_t log_time_us; /* the last moment of the log, as it was last read; 0 = it has none */
    struct fs *archive, *archive_root; /* const: of this log, and of all; NULL = none */
    _Atomic bool archiving; /* archive_job is the pool's; else the clock's */
    struct pool_job archive_job;
    _Atomic uint64_t archive_given_up; /* segments, as last told */
    uint64_t segment_kept; /* const: the oldest log segment with rows of a table that could not be opened: kept with all after it; 0 = none */
    uint64_t reserve_round; /* place */
    struct arena_spares spares; /* of memtables */
    struct arena_reserve reserve; /* place: room for what is logged, should memory run out behind the log */
    _Atomic uint64_t reserve_bytes; /* its size, as the place last left it */
    frz_error write_error; /* place: writes are stopped; code 0 = fine */
    _Atomic uint64_t seq_visible; /* stored in the place, after the memtables have it */
    _Atomic uint64_t seq_synced;

    struct mutex pins_mu; /* pins.h */
    struct keep *pins_first, **pins_end; /* pins_mu */
    uint64_t pin_round; /* pins_mu */
    uint64_t log_segment_seen; /* place: the last that rows went to */
    uint64_t metadata_told; /* the clock's job's alone: frz__flow_balance */
    struct mutex flow_mu; /* flow.h */
    struct cond flow_room; /* flow_mu: debt may have fallen */
    unsigned flushes_running; /* flow_mu, and the bytes of memtables that they flush */
    uint64_t flushing_bytes;
    uint64_t jobs_expected, cache_bytes_now; /* flow_mu: what jobs that run may come to hold; what the cache may have */
    _Atomic uint64_t active_bytes, waiting_bytes; /* of the memtables in the tables' views: active ones; those that wait for a flush */
    _Atomic int64_t flushing_since; /* mono: since when flushes run, and none of them ended; 0 = none runs. Changes under flow_mu */
    _Atomic uint64_t drain;  /* bytes of keys and rows a second that flushes take away; 0 = not known */
    _Atomic int64_t turn_ns; /* until when the last of the writers that are slowed waits */

    struct cache *cache; /* const, as epochs and the pools; their own locks */
    struct epoch *epochs;
    struct holds holds; /* its own lock */
    struct lease *lease; /* const after open; its own lock. Of a read-only database; NULL = it has none */
    struct sst_counters counters;
    _Atomic uint64_t next_file_no, name_counter;
    struct pool *pool;       /* the clock's, and flushes */
    struct pool *compactors; /* NULL = nothing is compacted by itself */
    struct rate compact_rate; /* its own lock */
    _Atomic unsigned compacting; /* jobs */
    struct mutex tick_mu;
    struct cond tick;
    struct pool_job tick_job; /* the pool's */
    _Atomic bool tidying;     /* tidy_job is the pool's; else the clock's */
    struct pool_job tidy_job;
    _Atomic int tidy_stop;    /* close: 1 = what goes on ends now, 2 = it is over, and close does what it must itself */
    _Atomic bool tidy_trash;  /* the trash was not looked at since open; changes in tidy_job */
    int64_t watched_at_ns;    /* the clock's: when it last looked whether somebody watches */
    struct mutex jobs_mu;     /* a leaf: the three below */
    struct running *first_job, *last_job;
    size_t job_count;
    bool tick_woken; /* tick_mu */
    _Atomic bool sync_asked; /* a write of interval durability waits for the next sync; the database's own policy is another */
    _Atomic(struct codec_ctx *) codecs[16]; /* spare compression contexts */
    struct mutex codec_mu; /* spare batches, to batch_count */
    struct write_batch *batches[16];
    size_t batch_count;

    _Atomic uint64_t snapshots_given_up;
    _Atomic uint64_t writes, write_groups, gets, gets_found, memtable_hits, orphans_removed, recovered_batches, recovered_bytes, archive_failures;
};

/* ── db.c ── */
FRZ_NODISCARD int frz__db_open(const char *path, const frz_db_options *o, struct db **out, frz_error *err);
/* The same on a file system of the caller's (in memory, faulty), who keeps it until after close; as if it were mounted at "/mem". */
FRZ_NODISCARD int frz__db_open_fs(struct fs *fs, const frz_db_options *o, struct db **out, frz_error *err);
enum db_open_flags { DB_RESTORING = 1 };
/* The same, as if FS's root were ROOT, an absolute path: a warehouse in the making, that will be there. */
FRZ_NODISCARD int frz__db_open_at(struct fs *fs, const char *root, unsigned flags, const frz_db_options *o, struct db **out, frz_error *err);
/* In the warehouse's root: it is a backup, and not to be written; in .frazil: it is being restored, and not to be opened at all. */
#define DB_BACKUP_MARK "BACKUP"
#define DB_RESTORE_MARK ".frazil/RESTORE"
int frz__db_close(struct db *db, frz_error *err);
FRZ_NODISCARD int frz__db_refresh(struct db *db, frz_error *err);
FRZ_NODISCARD int frz__db_check(struct db *db, frz_error *err); /* fork, closing */
FRZ_NODISCARD int frz__codec_take(struct db *db, struct codec_ctx **out, frz_error *err);
void frz__codec_give(struct db *db, struct codec_ctx *c);
void frz__db_pin(struct db *db, struct pin *p, uint64_t seq);
void frz__db_pin_locked(struct db *db, struct pin *p, uint64_t seq); /* tables_mu */
void frz__db_unpin(struct db *db, struct pin *p);
/* A new name, never used before in this warehouse: "<epoch>-<version>-<n>-<random>" */
void frz__db_token(struct db *db, int64_t version, char out[64]);
/* ── lock.c ── */
FRZ_NODISCARD int frz__lock_take(struct db *db, frz_error *err);
void frz__lock_release(struct db *db);
bool frz__nobody_writes(struct fs *fs); /* no process has it open for writing, at this moment; false where that can't be told */
/* Who has LOCK at this moment, wherever the warehouse is mounted; false: nobody, or it can't be told. A holder of a moment's age may not have written its name yet: then it is the one before. */
struct lock_holder { uint64_t epoch; int64_t pid; };
bool frz__lock_holder(struct fs *fs, struct lock_holder *out);
/* ── archive.c: the log's archive ── */
/* What the options say, or what is remembered. At open for writing. */
FRZ_NODISCARD int frz__archive_open(struct db *db, frz_error *err);
/* Where it is: as remembered in the warehouse, for a database that is only read, too. "" = nowhere. Appended with a NUL. */
FRZ_NODISCARD int frz__archive_place(struct db *db, struct buf *out, frz_error *err);
void frz__archive_tend(struct db *db); /* by the clock */
void frz__archive_retry(struct db *db); /* now */
void frz__archive_tell_gap(struct db *db);
/* At close, the log synced: all of it goes there. What can't is kept in the log. */
void frz__archive_rest(struct db *db);
void frz__archive_close(struct db *db);
/* ── tables.c: names, life, the list; table_load.c, table_create.c, table_props.c, table_drop.c ── */
FRZ_NODISCARD int frz__table_name_check(const char *name, char **full, char **dir, const allocator *a, frz_error *err);
FRZ_NODISCARD int frz__tables_load(struct db *db, frz_error *err);
void frz__tables_tell_broken(struct db *db); /* to the log callback and as an event, of each that could not be loaded */
FRZ_NODISCARD int frz__table_find(struct db *db, const char *name, struct table **out, frz_error *err); /* counted */
FRZ_NODISCARD int frz__table_create(struct db *db, const char *name, frz_schema *schema, const frz_table_options *o, struct table **out, frz_error *err);
FRZ_NODISCARD int frz__table_drop(struct db *db, const char *name, frz_error *err);
FRZ_NODISCARD int frz__tables_settle(struct db *db, frz_error *err);
FRZ_NODISCARD int frz__table_to_trash(struct table *t, frz_error *err);
struct table *frz__table_acquire(struct table *t);
void frz__table_release(struct table *t);
/* flush_mu held: somebody else committed: the newest version becomes the table's, its files the view's; memtables that it has in files go. */
FRZ_NODISCARD int frz__table_reload(struct table *t, frz_error *err);
FRZ_NODISCARD int frz__table_set_properties(struct table *t, const char *const *keys, const char *const *values, size_t count, frz_error *err); /* a value of NULL removes its key */
/* ── table_edit.c: commits of metadata alone ── */
/* EDIT makes no snapshot. CHECK, where there is one, looks at the version that the commit will be based on: other than FRZ_OK, nothing is done. *BEFORE, where it is asked for: that version, counted. */
FRZ_NODISCARD int frz__table_edit(struct table *t, const struct ice_edit *edit, int (*check)(const void *ctx, const struct version *v, frz_error *err), const void *ctx, struct version **before,
                                  frz_error *err);
FRZ_NODISCARD int frz__table_tag(struct table *t, const struct ice_tag *tag, bool must_be_new, frz_error *err);
FRZ_NODISCARD int frz__table_upgrade(struct table *t, int32_t format_version, frz_error *err);
/* *FROM (counted; NULL where nothing went) has the snapshots that went, or with DRY_RUN would: *IDS, the caller's to free. */
FRZ_NODISCARD int frz__table_expire(struct table *t, const struct ice_expire_by *by, bool dry_run, struct version **from, int64_t **ids, size_t *count, frz_error *err);
FRZ_NODISCARD int frz__table_broken(struct table *t, frz_error *err); /* its code, and why */
bool frz__table_lost(struct table *t, frz_error *err); /* rows were published and are no more: says which */
FRZ_NODISCARD int frz__table_usable(struct table *t, bool write, frz_error *err); /* FRZ_NOT_FOUND: dropped. An outcome, which TRY lets pass: */
#define MUST(expr) do { int must_rc_ = (expr); if (must_rc_ != FRZ_OK) return must_rc_; } while (0)
frz_schema *frz__table_schema(struct table *t); /* counted */
/* T's schema, now or before, that rows of S are of: S itself, or one of the same columns; NULL = none. Borrowed, as long as T lives. */
const frz_schema *frz__table_schema_like(struct table *t, const frz_schema *s);
FRZ_NODISCARD int frz__table_keep_schema_locked(struct table *t, const frz_schema *s, frz_error *err); /* view_mu held, or T is nobody else's */
FRZ_NODISCARD int frz__table_freeze(struct table *t, const char *why, frz_error *err); /* FRZ_READ_ONLY, from now on */
void frz__table_wal_line(struct table *t, const struct version *v, uint64_t low_water, struct wal_table *out);
/* ── version.c: metadata on disk ↔ struct version; files and masks of a snapshot ── */
FRZ_NODISCARD int frz__version_load(struct table *t, struct version **out, frz_error *err);
/* The manifests of snapshot S of META, in AR. */
FRZ_NODISCARD int frz__version_tree(struct table *t, struct arena *ar, const struct ice_meta *meta, const struct ice_snapshot *s, struct ice_tree *tree, frz_error *err);
struct version *frz__version_acquire(struct table *t); /* counted, current */
/* Files of snapshot ID of V, and of none but it, stay until the hold goes. *OUT NULL where there is no such snapshot. */
FRZ_NODISCARD int frz__version_hold(struct table *t, const struct version *v, int64_t id, struct hold **out, frz_error *err);
/* The same of each snapshot of V. To be released, after a failure too. */
struct version_holds { struct hold **at; size_t count; };
FRZ_NODISCARD int frz__version_hold_all(struct table *t, const struct version *v, struct version_holds *out, frz_error *err);
void frz__version_holds_release(struct table *t, struct version_holds *h);
void frz__version_release(struct version *v);
/* Whether the newest version on disk still has snapshot ID of V: after a hold of it was told (lease.h (2)), nobody takes its files away. */
FRZ_NODISCARD int frz__version_retains(struct table *t, const struct version *v, int64_t id, bool *out, frz_error *err);
/* Data files with masks, and delete files, of the snapshot ID of V (-1 = none). DELS may be NULL. */
FRZ_NODISCARD int frz__version_files(struct table *t, struct version *v, int64_t snapshot_id, struct vfile ***files, size_t *count, struct delfile **dels, size_t *del_count, frz_error *err);
/* The same of a retained snapshot, data files alone, as read by its own columns: *SCHEMA is borrowed of V. */
FRZ_NODISCARD int frz__version_files_then(struct table *t, struct version *v, int64_t snapshot_id, frz_schema **schema, struct vfile ***files, size_t *count, frz_error *err);
void frz__delfile_clear(const allocator *a, struct delfile *d);
uint64_t frz__version_flushed(const struct version *v, const char *log_uuid); /* 0 = not of this log */
/* ── paths.c (the rest is in paths.h) ── */
/* LOCATION: the table's, as the metadata says that names the path. FRZ_UNSUPPORTED outside of it. */
FRZ_NODISCARD int frz__path_relative(const struct table *t, slice location, slice iceberg_path, char **out, frz_error *err);
/* ── write.c ── */
struct write_batch;
/* WAIT_MAX_NS: at most so long for room, else FRZ_BUSY; < 0 = as long as it takes. */
FRZ_NODISCARD int frz__write(struct db *db, struct write_batch *b, int durability, int64_t wait_max_ns, frz_seq_range *range, frz_error *err);
FRZ_NODISCARD int frz__write_sync(struct db *db, frz_error *err); /* all visible is durable */
/* Makes the active memtable immutable if it holds anything. *SEQ: what a flush of all immutables will have published. */
FRZ_NODISCARD int frz__rotate(struct table *t, uint64_t *seq, frz_error *err);
/* flush_mu held, and t->version has SCHEMA: the view becomes one of FILES, opened under it, with an empty memtable of it; what older memtables hold beyond FLUSHED stays, immutable. The log says so, in the
 * order of its rows: those that follow are of SCHEMA. */
FRZ_NODISCARD int frz__rotate_schema(struct table *t, frz_schema *schema, struct vfile *const *files, size_t file_count, uint64_t flushed, int64_t snapshot_id, struct hold *hold, frz_error *err);
/* flush_mu held. With t->drop_logged set the table is dropped, whatever the result: only whether that is durable may be open. */
FRZ_NODISCARD int frz__log_drop(struct db *db, struct table *t, frz_error *err);
FRZ_NODISCARD int frz__log_table(struct db *db, struct table *t, frz_error *err);
FRZ_NODISCARD int frz__log_probe(struct db *db, frz_error *err); /* after it failed: whether the log can be written again. The health says so */
void frz__log_release(struct db *db); /* recycles what every table has published */
/* ── alter.c ── */
FRZ_NODISCARD int frz__alter(struct table *t, const frz_alter *changes, size_t count, frz_error *err);
/* To the columns of TO, by their field ids. FRZ_UNSUPPORTED where the table's rows can't follow. */
FRZ_NODISCARD int frz__alter_to(struct table *t, const frz_schema *to, frz_error *err);
/* ── snapshot.c ── */
/* A view and a sequence that go together (hazards 1). The view is counted. */
struct view *frz__view_latest(struct table *t, uint64_t *seq);
void frz__view_install_locked(struct table *t, struct view *v); /* view_mu; takes V's count */
/* ── flow.c (the rest is in flow.h) ── */
void frz__flow_view_changes(struct table *t, const struct view *old, const struct view *v); /* view_mu; V NULL = the table goes */
/* ── flush.c ── */
FRZ_NODISCARD int frz__flush(struct table *t, frz_error *err); /* rotate, then publish all that is immutable; waits */
void frz__flush_schedule(struct table *t);
bool frz__flush_waiting(struct table *t); /* immutable memtables */
/* ── commit.c: flush_mu held ── */
struct commit_request {
    struct ice_edit edit;
    const struct durable_open *data_files; /* written, not yet synced */
    size_t data_file_count;
    bool strict;                    /* the caller looked at more of the version than the snapshot, schema and format: another's commit is FRZ_CONFLICT whatever it changed */
    int64_t number;                 /* out: the version committed */
    int64_t snapshot_id;            /* out: -1 = none made */
    int64_t sequence;               /* out */
    uint64_t metadata_bytes;        /* out: of the manifests, their list and the metadata that were written */
    bool in_doubt;                  /* out, of a failure: the new version may be there all the same: what the edit names must stay */
};
FRZ_NODISCARD int frz__commit(struct table *t, struct commit_request *r, frz_error *err);
FRZ_NODISCARD int frz__hint_move(struct table *t, int64_t number, frz_error *err);
/* ── relocate.c ── */
/* *V is at another place than its metadata says: it becomes the version, committed, that says where it is. FRZ_UNSUPPORTED where that may not be done. At open, single-threaded. */
FRZ_NODISCARD int frz__relocate(struct table *t, struct version **v, frz_error *err);
/* ── expire.c ── */
FRZ_NODISCARD int frz__expire_add(struct table *t, char *taken_path, int64_t added, int64_t removed, frz_error *err);
FRZ_NODISCARD int frz__expire_path(struct table *t, const char *path, int64_t added, int64_t removed, frz_error *err); /* of a copy */
/* flush_mu held: unlinks what is due, for EXPIRE_ROUND_NS at most: writers wait for a flush, and that for the lane. Whether it ended by its time, and not for want of files. */
#define EXPIRE_ROUND_NS ((int64_t)50000000)
#define LANE_GAP_NS ((int64_t)5000000) /* between rounds: who waits for the lane wakes up and has it */
bool frz__expire_run(struct table *t);
/* The same for gc.c, by LEASES: GONE hears of each file that is not there any more; what is beyond frazil.foreign-reader-files-max is the clock's. */
struct leases;
bool frz__expire_round(struct table *t, const struct leases *leases, void (*gone)(void *ctx, const char *path), void *ctx);
/* flush_mu held: somebody else committed between OLD and NOW: what was to go may be in use again, and what OLD had and NOW has not is to go. */
void frz__expire_rebase(struct table *t, const struct version *old, const struct version *now);
/* flush_mu held. Who still needs P, and when its grace is over (mono, us). LEASES NULL: PENDING_LEASE is not looked at. */
enum pending_state frz__expire_state(struct table *t, const struct version *v, struct pending_file *p, int64_t now_us, bool crowded, const struct leases *leases, const char **who, int64_t *due_us);
size_t frz__expire_crowd(struct table *t, const struct version *v, int64_t now_us); /* how many, from the front, are more than are kept for foreign readers */
/* ── sched.c ── */
FRZ_NODISCARD int frz__sched_start(struct db *db, frz_error *err);
void frz__sched_stop(struct db *db);
void frz__sched_wake(struct db *db);
void frz__sched_sync_soon(struct db *db); /* within sync_interval_ms, whatever the database's policy */
/* ── compact_auto.c ── */
void frz__compact_schedule(struct table *t);
void frz__compact_nothing_left(struct table *t); /* the planner, or the host, has no work: what failed is no failure any more */ /* a look at whether there is something to do, by a compactor; holding view_mu of no table */
int64_t frz__compact_tend(struct table *t, int64_t now); /* tries again what failed; when it wants to be asked again */
/* ── compact_manual.c ── */
void frz__compact_manual_stop(struct db *db); /* for good: those at work are cancelled, and gone when it returns */
/* ── stats.c ── */
void frz__stats(struct db *db, struct table *t, frz_stats *out); /* T NULL = all; OUT->struct_size is set */
#define LEVELS_MAX 256
/* LEVELS: room for LEVELS_MAX; *COUNT of them have files. */
FRZ_NODISCARD int frz__levels(struct table *t, frz_level *levels, size_t *count, frz_error *err);
/* ── metrics.c: stats as text, JSON, OpenMetrics ── */
FRZ_NODISCARD int frz__stats_text(const frz_stats *s, bool json, struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__metrics(struct db *db, struct table *only, struct buf *out, frz_error *err);
/* ── report.c ── */
FRZ_NODISCARD int frz__report(struct db *db, struct buf *out, frz_error *err); /* one JSON object */
static inline void stat_add(_Atomic uint64_t *c, uint64_t n) { atomic_fetch_add_explicit(c, n, memory_order_relaxed); }
static inline uint64_t stat_get(_Atomic uint64_t *c) { return atomic_load_explicit(c, memory_order_relaxed); }
static inline void stat_max(_Atomic uint64_t *c, uint64_t n)
{
    uint64_t old = stat_get(c);
    while (n > old && !atomic_compare_exchange_weak_explicit(c, &old, n, memory_order_relaxed, memory_order_relaxed)) {}
}
#endif
