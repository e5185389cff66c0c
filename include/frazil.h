/* frazil.h — a table engine that is an Apache Iceberg warehouse. This header is the manual.
 *
 *     frz_db *db; frz_table *t; frz_error e;
 *     frz_db_open("/data/wh", NULL, &db, &e);
 *     frz_table_open(db, "flights", &t, &e);
 *     frz_row *r; frz_row_new(t, &r, &e);
 *     frz_row_set_long(r, 0, 42, &e); frz_row_set_string(r, 1, "ice", 3, &e);
 *     frz_put(t, r, NULL, &e);                     // durable and visible when it returns
 *     frz_table_flush(t, &e);                      // published: any Iceberg engine reads it
 *
 * Three words       durable   — the log's policy holds: see frz_durability
 *                   visible   — this process's readers see it: from the moment that a write returns
 *                   published — an Iceberg snapshot holds it: after a flush, by size, by age, on demand, at close
 * Results           0 ok · > 0 an outcome that is no error (FRZ_NOT_FOUND, FRZ_DONE, FRZ_EXISTS) · < 0 an error.
 *                   Any result but 0 of a function that writes means that nothing was written.
 * Errors            the caller's frz_error, or NULL; filled only where the result is not 0. Nothing to free.
 * Strings, blobs    pointer and length, never NUL-terminated unless the name says `const char *`. Strings are UTF-8.
 * Ownership         *_new, *_open give a handle that *_free, *_close takes back; both accept NULL. A borrowed pointer names the
 *                   moment at which it dies.
 * Threads           frz_db, frz_table, frz_schema and frz_snapshot may be used by any number of threads at once. frz_row, frz_batch and
 *                   frz_cursor belong to one thread at a time.
 * fork              a handle inherited through fork() answers FRZ_MISUSE in the child.
 */
#ifndef FRAZIL_H
#define FRAZIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
template <typename T> inline T frz_init_sized()
{
    T t = T();
    t.struct_size = static_cast<uint32_t>(sizeof(T));
    return t;
}
extern "C" {
#endif

#if defined(FRZ_BUILDING)
#define FRZ_API __attribute__((visibility("default")))
#else
#define FRZ_API
#endif
#if defined(__GNUC__)
#define FRZ_NODISCARD __attribute__((warn_unused_result))
#else
#define FRZ_NODISCARD
#endif

/* A sized struct: zero but for its own size, so that an older program runs on a newer library. A newer program on an older library gets FRZ_UNSUPPORTED where it sets a field that the library does not have. */
#ifdef __cplusplus
#define FRZ_INIT(type) frz_init_sized<type>()
#else
#define FRZ_INIT(type) {.struct_size = sizeof(type)}
#endif

#define FRZ_VERSION_MAJOR 0
#define FRZ_VERSION_MINOR 1
#define FRZ_VERSION_PATCH 0

/* ── results ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

enum frz_status {
    FRZ_OK = 0,
    /* outcomes */
    FRZ_NOT_FOUND = 1, /* no such key, table, snapshot or column */
    FRZ_DONE = 2,      /* a cursor has no further row */
    FRZ_EXISTS = 3,    /* the key or table is there already; nothing was written */
    /* misuse: mend the call */
    FRZ_INVALID = -1,     /* a bad argument, option, name, schema, expression or value */
    FRZ_MISUSE = -2,      /* a handle used after close or fork, or from a snapshot of another database */
    FRZ_READ_ONLY = -3,   /* a write through a read-only handle or on a read-only file system */
    FRZ_TOO_LARGE = -4,   /* beyond a limit that docs/limits.md states */
    FRZ_UNSUPPORTED = -5, /* valid, but not something this version does */
    /* not now: the same call may succeed later */
    FRZ_BUSY = -10,             /* another process writes here (its pid is in the message), handles are still open, or a write may not wait for room */
    FRZ_SNAPSHOT_TOO_OLD = -11, /* what the snapshot, cursor or stream pinned was given up: snapshot_memory_max. Of a read-only handle: it expired, and its files may be gone: refresh, and take a later one */
    FRZ_CANCELLED = -12,
    /* resources */
    FRZ_NO_MEMORY = -20,
    FRZ_NO_SPACE = -21,
    /* the file system failed */
    FRZ_IO = -30,
    /* bytes on disk are not what was written */
    FRZ_CORRUPT = -40,
    FRZ_NEWER_FORMAT = -41, /* written by a later version of frazil or of the table format */
    /* somebody else was first */
    FRZ_CONFLICT = -50,
    /* a defect of frazil: report it */
    FRZ_BUG = -60
};

/* 512 bytes, frozen. `message` says what, where, and what was expected. */
typedef struct frz_error {
    int32_t code;     /* enum frz_status */
    int32_t os_errno; /* 0 where no system call failed */
    char message[504];
} frz_error;

FRZ_API const char *frz_status_name(int status); /* "FRZ_BUSY"; "FRZ_UNKNOWN" for a number that is none. Static. */
FRZ_API const char *frz_version(void);           /* "0.1.0". Static. */

/* Bytes that the library made and the caller frees. */
typedef struct frz_blob frz_blob;
FRZ_API const char *frz_blob_data(const frz_blob *); /* followed by a NUL that frz_blob_len does not count */
FRZ_API size_t frz_blob_len(const frz_blob *);
FRZ_API void frz_blob_free(frz_blob *);

/* ── types and values ────────────────────────────────────────────────────────────────────────────────────────────────────── */

enum frz_type_id {
    FRZ_NULL = 0, /* only in a frz_value: the null of any type */
    FRZ_BOOLEAN = 1,
    FRZ_INT = 2,
    FRZ_LONG = 3,
    FRZ_FLOAT = 4,
    FRZ_DOUBLE = 5,
    FRZ_DECIMAL = 6,
    FRZ_DATE = 7,
    FRZ_TIME = 8,
    FRZ_TIMESTAMP = 9,
    FRZ_TIMESTAMPTZ = 10,
    FRZ_TIMESTAMP_NS = 11,
    FRZ_TIMESTAMPTZ_NS = 12,
    FRZ_STRING = 13,
    FRZ_UUID = 14,
    FRZ_FIXED = 15,
    FRZ_BINARY = 16
};

typedef struct frz_type {
    int32_t id;        /* enum frz_type_id */
    int32_t precision; /* FRZ_DECIMAL: 1 to 38 */
    int32_t scale;     /* FRZ_DECIMAL: 0 to precision */
    int32_t length;    /* FRZ_FIXED: bytes, 1 to 1 MiB */
} frz_type;

/* The unscaled value of a decimal, two's complement: hi * 2^64 + lo. */
typedef struct frz_decimal {
    uint64_t lo;
    int64_t hi;
} frz_decimal;

/* One typed value. Bytes are borrowed: the function that gives or takes a value says until when. */
typedef struct frz_value {
    int32_t type; /* enum frz_type_id; FRZ_NULL = null */
    int32_t reserved;
    union {
        bool boolean;    /* FRZ_BOOLEAN */
        int32_t i32;     /* FRZ_INT; FRZ_DATE: days since 1970-01-01 */
        int64_t i64;     /* FRZ_LONG; FRZ_TIME: µs since midnight; FRZ_TIMESTAMP[TZ]: µs, _NS: ns since 1970-01-01T00:00 (UTC) */
        float f32;       /* FRZ_FLOAT */
        double f64;      /* FRZ_DOUBLE */
        frz_decimal dec; /* FRZ_DECIMAL, at the column's scale */
        struct {
            const void *data;
            size_t len;
        } bytes; /* FRZ_STRING, FRZ_BINARY, FRZ_FIXED, FRZ_UUID (16 bytes, big-endian) */
    } as;
} frz_value;

/* ── schemas ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct frz_db frz_db;
typedef struct frz_table frz_table;
typedef struct frz_schema frz_schema;
typedef struct frz_row frz_row;
typedef struct frz_batch frz_batch;
typedef struct frz_cursor frz_cursor;
typedef struct frz_snapshot frz_snapshot;

typedef struct frz_column {
    uint32_t struct_size;
    int32_t field_id; /* Iceberg's; 0 when adding = the next free one */
    const char *name;
    frz_type type;
    bool required;
    int32_t key_index;     /* position in the primary key, -1 = not of the key */
    const char *doc;       /* NULL = none */
    frz_value initial;     /* default of rows written before the column was; FRZ_NULL = none. Format 3 only */
    frz_value write;       /* default of rows that leave the column out; FRZ_NULL = none. Format 3 only */
} frz_column;

/* A schema is built, then used; once a table was created with it, it does not change. Counted inside: free your handle at any time. */
FRZ_API FRZ_NODISCARD int frz_schema_new(frz_schema **out, frz_error *);
/* Adds a column at the end. `key_index` is ignored here: see frz_schema_set_key. Copies all. */
FRZ_API FRZ_NODISCARD int frz_schema_add(frz_schema *, const frz_column *, frz_error *);
/* The primary key: required columns of any type but float and double (the rule of Iceberg's identifier fields), in key order. */
FRZ_API FRZ_NODISCARD int frz_schema_set_key(frz_schema *, const char *const *names, size_t count, frz_error *);
/* "id long, name string?, price decimal(9,2)?" — a `?` makes a column optional; "`a name`" quotes one. KEY: "id" or "a,b"; NULL = no key yet. */
FRZ_API FRZ_NODISCARD int frz_schema_parse(const char *text, const char *key, frz_schema **out, frz_error *);
/* Iceberg's schema JSON; identifier-field-ids are the key. */
FRZ_API FRZ_NODISCARD int frz_schema_parse_json(const char *json, size_t len, frz_schema **out, frz_error *);
FRZ_API size_t frz_schema_column_count(const frz_schema *);
FRZ_API size_t frz_schema_key_count(const frz_schema *);
/* Borrowed until the schema is freed. OUT begins with FRZ_INIT(frz_column). FRZ_NOT_FOUND beyond the last. */
FRZ_API FRZ_NODISCARD int frz_schema_column(const frz_schema *, size_t index, frz_column *out);
FRZ_API FRZ_NODISCARD int frz_schema_key(const frz_schema *, size_t key_index, size_t *column_index);
/* FRZ_NOT_FOUND if no column has exactly this name. */
FRZ_API FRZ_NODISCARD int frz_schema_find(const frz_schema *, const char *name, size_t *index);
FRZ_API FRZ_NODISCARD int frz_schema_to_text(const frz_schema *, frz_blob **out, frz_error *);
FRZ_API FRZ_NODISCARD int frz_schema_to_json(const frz_schema *, frz_blob **out, frz_error *);
FRZ_API void frz_schema_free(frz_schema *);

/* ── database ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Every function is called from any thread. `alloc` and `realloc` return memory aligned for any type, or NULL. All three are needed. What grows with the data comes from here: memtables, caches, batches,
 * files at work, Arrow arrays. malloc's are the handles themselves, schemas and rows made without a table, frz_parquet_*, and what zstd and jansson take for themselves. */
typedef struct frz_allocator {
    void *ctx;
    void *(*alloc)(void *ctx, size_t bytes);
    void *(*realloc)(void *ctx, void *p, size_t bytes);
    void (*free)(void *ctx, void *p);
} frz_allocator;

typedef enum frz_durability {
    FRZ_SYNC_FULL = 1,     /* acknowledged = on stable storage. The default */
    FRZ_SYNC_INTERVAL = 2, /* synced every sync_interval_ms: a power cut takes at most that much */
    FRZ_SYNC_OFF = 3       /* the operating system writes when it likes: a process crash loses nothing, a power cut what it had not written */
} frz_durability;

enum frz_log_level { FRZ_LOG_ERROR = 1, FRZ_LOG_WARN = 2, FRZ_LOG_INFO = 3, FRZ_LOG_DEBUG = 4 };
typedef void (*frz_log_fn)(void *ctx, int level, const char *message);

/* What happened. A begin is followed by its end or its failure. */
enum frz_event_kind {
    FRZ_EVENT_OPEN = 1,              /* the database is open: bytes_in, rows_in: of the log, brought back; rows_in counts batches */
    FRZ_EVENT_CLOSE = 2,             /* the last one */
    FRZ_EVENT_FLUSH_BEGIN = 3,
    FRZ_EVENT_FLUSH_END = 4,         /* files_in: small files taken in; rows_in: keys written since the last; files_out, rows_out, bytes_out: the data files made */
    FRZ_EVENT_FLUSH_FAILED = 5,      /* the rows stay readable and logged, and it is tried again: see frz_db_health */
    FRZ_EVENT_COMPACTION_BEGIN = 6,  /* reason: why these files */
    FRZ_EVENT_COMPACTION_END = 7,
    FRZ_EVENT_COMPACTION_FAILED = 8, /* nothing has changed */
    FRZ_EVENT_COMMIT = 9,            /* a new version of the table's metadata */
    FRZ_EVENT_CONFLICT = 10,         /* somebody else committed first: it is tried again on top of that */
    FRZ_EVENT_FOREIGN_COMMIT = 11,   /* the metadata on disk is not what we committed last, and was taken up: another engine's, or (reason in-doubt) perhaps one of ours that a failure left open */
    FRZ_EVENT_SNAPSHOTS_EXPIRED = 12, /* rows_in: how many */
    FRZ_EVENT_FILES_REMOVED = 13,    /* files_in: that nobody needs any more */
    FRZ_EVENT_STALL_BEGIN = 14,      /* writers wait; reason: for what: memtables, memory, runs, debt */
    FRZ_EVENT_STALL_END = 15,
    FRZ_EVENT_HEALTH = 16,           /* frz_db_health says something else than before; reason: the class, "ok" once all is well */
    FRZ_EVENT_TABLE_CREATED = 17,
    FRZ_EVENT_TABLE_DROPPED = 18,
    FRZ_EVENT_TABLE_ALTERED = 19,    /* a property, the schema, or the format's version */
    FRZ_EVENT_TABLE_BROKEN = 20,     /* it can't be read: message says why */
    FRZ_EVENT_ROWS_LOST = 21,        /* rows that were published are gone, or the log has rows of a table that is gone */
    FRZ_EVENT_CORRUPTION = 22,       /* a read or a job met bytes that are not what was written */
    FRZ_EVENT_LOG_TROUBLE = 23       /* the log can't be written, synced or recycled */
};
typedef struct frz_event {
    uint32_t struct_size;
    int32_t kind;            /* enum frz_event_kind */
    uint64_t number;         /* 1, 2, 3 …: a gap is what came faster than it was taken out */
    int64_t timestamp_us;    /* since 1970 */
    const char *table;       /* "main.flights"; NULL = the database. As the two below: borrowed for the call */
    uint64_t duration_us;    /* of what ended */
    uint64_t files_in, files_out, bytes_in, bytes_out, rows_in, rows_out; /* 0 where it does not apply */
    int32_t status;          /* enum frz_status; 0 = it went well */
    int32_t reserved;
    const char *reason;      /* a word for machines, or "" */
    const char *message;     /* a sentence for people, or "" */
} frz_event;
FRZ_API const char *frz_event_name(int kind); /* "flush-end"; "unknown" for a number that is none. Static. */
/* Called from a thread that the database has for it alone, one event at a time, in order, with no lock held: it may call anything of this library but frz_db_close (which answers FRZ_MISUSE there), and writers
 * do not wait for it. May be called before frz_db_open returns; not after frz_db_close has. */
typedef void (*frz_event_fn)(void *ctx, const frz_event *event);

typedef struct frz_db_options {
    uint32_t struct_size;
    bool create;              /* make the directory and the warehouse where there is none */
    bool read_only;           /* take no lock on the warehouse; see what is published and what the log holds beyond it, as of open or refresh. The one thing written is a small file in .frazil/readers, where that may be: it keeps the
                                 writer from removing files that this process reads, and goes at close, or when the process dies */
    bool no_close_flush;      /* do not publish at close; the log keeps it */
    int32_t durability;       /* frz_durability; 0 = FRZ_SYNC_FULL */
    uint32_t sync_interval_ms; /* FRZ_SYNC_INTERVAL; 0 = 100 */
    uint64_t memory_bytes;    /* the database's one budget: memtables of all tables 40 %, cache 30, jobs 20, metadata 10 (docs/memory.md); 0 = 256 MiB; at least 8 MiB */
    uint64_t memtable_bytes;  /* of one table's memtable before it is rotated and flushed; 0 = from memory_bytes: a ninth, at most 64 MiB */
    uint64_t log_segment_bytes; /* 0 = 16 MiB */
    const frz_allocator *allocator; /* copied; NULL = malloc */
    frz_log_fn log;
    void *log_ctx;
    int32_t log_level;        /* 0 = FRZ_LOG_WARN */
    uint32_t reserved;
    uint32_t compaction_threads; /* of the database's own; 0 = half of the cores, at most 4 */
    uint64_t compaction_bytes_per_second; /* read and written, together, by all of them; 0 = no limit */
    bool no_compaction;       /* compact nothing without being asked; a table alone: its property frazil.compaction-enabled = 0 */
    uint32_t events_kept;     /* how many of the last events frz_db_events can tell; 0 = 256 */
    uint32_t reserved2;
    frz_event_fn event;       /* NULL = none */
    void *event_ctx;
    uint64_t log_bytes_max;   /* of the log's segments: beyond, the tables that hold the oldest are published; 0 = four times memory_bytes */
    uint64_t snapshot_memory_max; /* of memtables that only snapshots, cursors and streams keep: beyond, the oldest of them answer FRZ_SNAPSHOT_TOO_OLD; 0 = an eighth of memory_bytes, or, up to a quarter, what one memtable takes */
    const char *log_archive;  /* a directory, made where it is missing, in which closed segments of the log are kept, for a restore to any moment: no segment is recycled before it is there. The database remembers it;
                               * "" = no longer; NULL = as before. Where it can't be written, writes go on, the log grows, and the health says so (part log-archive) */
    uint64_t log_archive_wait_max; /* bytes of the log that may wait for the archive, before the oldest segments are given up, and the archive has a gap: FRZ_EVENT_LOG_TROUBLE `archive-gap`. 0 = none is given up */
    bool no_tidy;             /* remove nothing by itself of what nobody needs: what a crash left, what expired, dropped tables' folders: frz_db_gc does, when asked, and tells of all. For a process that is there for a moment */
} frz_db_options;
#define FRZ_DB_OPTIONS_INIT FRZ_INIT(frz_db_options)

/* Opens the warehouse at PATH. Returns FRZ_BUSY (holder's pid in the message) if another process writes it, FRZ_NOT_FOUND without a warehouse and
 * without `create`, FRZ_CORRUPT or FRZ_NEWER_FORMAT as found. OPTIONS may be NULL. */
FRZ_API FRZ_NODISCARD int frz_db_open(const char *path, const frz_db_options *options, frz_db **out, frz_error *);
/* Publishes (unless no_close_flush), joins all workers, releases the lock. FRZ_BUSY, saying how many, while snapshots or cursors or Arrow streams are open: the handle stays
 * good. Any other result: the handle is gone. Table handles are closed with it. NULL is fine. */
FRZ_API int frz_db_close(frz_db *, frz_error *);
/* Read-only handles: take up what was published and logged since. No effect on a writing handle. Nothing else does: two reads without a refresh between them are of one state, over all tables, and no read refreshes by
 * itself. That state's files are open: reading it does not end with their names. FRZ_SNAPSHOT_TOO_OLD comes from opening a snapshot by id, ref or time that expired since: refresh, then open it, or a later one, again. */
FRZ_API FRZ_NODISCARD int frz_db_refresh(frz_db *, frz_error *);
/* All that is visible becomes durable, whatever the policy. */
FRZ_API FRZ_NODISCARD int frz_db_sync(frz_db *, frz_error *);
/* Publishes every table. */
FRZ_API FRZ_NODISCARD int frz_db_flush(frz_db *, frz_error *);
/* Calls FN with each table's full name ("main.flights") in order; a result of FN other than 0 stops and is returned. */
FRZ_API FRZ_NODISCARD int frz_db_tables(frz_db *, int (*fn)(void *ctx, const char *name), void *ctx, frz_error *);

/* How bad it is. Worse ones include what better ones say. */
enum frz_severity {
    FRZ_HEALTH_OK = 0,
    FRZ_HEALTH_DEGRADED = 1,       /* something in the background fails; writes and reads go on */
    FRZ_HEALTH_WRITES_STOPPED = 2, /* writes are refused or fail, with the message below; reads go on */
    FRZ_HEALTH_READ_ONLY = 3,      /* as above, and only opening the database again helps */
    FRZ_HEALTH_UNUSABLE = 4        /* the table can't be read either */
};
enum frz_error_class {
    FRZ_CLASS_NONE = 0,
    FRZ_CLASS_NO_SPACE = 1,
    FRZ_CLASS_IO = 2,
    FRZ_CLASS_READ_ONLY = 3,
    FRZ_CLASS_CORRUPTION = 4,
    FRZ_CLASS_CONFLICT = 5,
    FRZ_CLASS_MEMORY = 6,
    FRZ_CLASS_FORMAT = 7, /* a table that this version can't handle */
    FRZ_CLASS_BUG = 8,
    FRZ_CLASS_OTHER = 9
};
FRZ_API const char *frz_severity_name(int severity); /* "writes-stopped". Static, as the next */
FRZ_API const char *frz_class_name(int error_class);   /* "no-space"; "ok" for FRZ_CLASS_NONE */
typedef struct frz_health {
    uint32_t struct_size;
    int32_t severity;     /* enum frz_severity */
    int32_t error_class;  /* enum frz_error_class */
    int32_t status;       /* enum frz_status */
    int32_t os_errno;
    uint32_t tries;       /* failures in a row */
    bool in_doubt;        /* whether the last commit took place is not known; it is found out before the next */
    int64_t since_us;     /* the first failure, since 1970 */
    int64_t next_try_us;  /* when it is tried again by itself; 0 = it is not, or not by time */
    const char *part;     /* what fails: log, replay, log-recycling, log-archive, flush, compaction, read, table; static, as `advice` */
    const char *advice;   /* what to do */
    char table[208];      /* of which table; "" = the database */
    char message[512];
} frz_health;
/* The worst of TABLE and what it needs of the database; TABLE NULL: of all. OUT begins with FRZ_INIT(frz_health). Cheap where all is well. Failures that may pass (no space, I/O, a read-only file system, conflicts,
 * memory) are tried again by themselves, after 1 s, 2 s, 4 s … 30 s; others (corruption, format, a defect) stop the writes to their table until frz_db_resume or a flush asked for succeeds. */
FRZ_API FRZ_NODISCARD int frz_db_health(frz_db *, frz_table *table, frz_health *out, frz_error *);
/* Tries all that failed again, now, in this thread. 0 if all is well after it; else the error of what is not, as frz_db_health has it. A reading database is refreshed. */
FRZ_API FRZ_NODISCARD int frz_db_resume(frz_db *, frz_error *);

/* The events with numbers above SINCE (0 = all) of the last `events_kept`, oldest first. EVENT is borrowed for the call; a result of FN other than 0 stops and is returned. FN may call anything but
 * frz_db_close. A number above SINCE + 1 in the first one means that those between are gone. */
FRZ_API FRZ_NODISCARD int frz_db_events(frz_db *, uint64_t since, int (*fn)(void *ctx, const frz_event *event), void *ctx, frz_error *);

typedef struct frz_stats {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t seq_visible;
    uint64_t writes, write_groups, rows_put, rows_deleted; /* batches; groups of batches; operations */
    uint64_t log_bytes, log_syncs, log_segments, log_segments_recycled;
    uint64_t gets, gets_found, memtable_hits;
    uint64_t filter_checks, filter_rejects, filter_false_positives;
    uint64_t key_pages_read, value_pages_read, cache_hits, cache_misses, cache_bytes;
    uint64_t memtable_bytes, memtables_immutable;
    uint64_t flushes, flush_failures, flush_rows, flush_bytes, flush_us_total, flush_us_max, rows_masked;
    uint64_t commits, commit_conflicts, commit_us_total, commit_us_max;
    uint64_t stalls, stall_us_total, slowdowns, slowdown_us_total;
    uint64_t data_files, delete_files, data_bytes, rows_live;
    uint64_t files_absorbed, files_removed, orphans_removed;
    uint64_t recovered_batches, recovered_bytes;
    uint64_t compactions, compact_failures, compact_bytes_in, compact_bytes_out, compact_us_total; /* bytes: of live rows read; of files written */
    uint64_t put_bytes, delete_bytes_written, metadata_bytes_written;
    uint64_t compact_us_max;
    uint64_t flush_us_p50, flush_us_p99, compact_us_p50, compact_us_p99, commit_us_p50, commit_us_p99; /* to a factor of two */
    uint64_t rows_dead, delete_bytes, live_bytes, metadata_bytes, manifests, snapshots, files_pending;
    uint64_t publish_lag_us;
    uint64_t files_probed, pins, oldest_pin_us, oldest_pin_seq, events;
    /* memory_bytes and what is taken of it, now and at most since open, by class of use: docs/memory.md. Of the database, also where a TABLE is given */
    uint64_t memory_budget;
    uint64_t memory_memtables, memory_memtables_max; /* active, waiting and pinned ones, and blocks kept for the next */
    uint64_t memory_cache, memory_cache_max;         /* pages and other things decoded */
    uint64_t memory_jobs, memory_jobs_max;           /* flushes, compactions, contexts of compression */
    uint64_t memory_metadata, memory_metadata_max;   /* tables, versions, views, masks, what open files keep at hand */
    uint64_t memory_calls, memory_calls_max;         /* batches, cursors, streams and their arrays; the log's buffers */
    uint64_t memory_outside;  /* of all that, what libraries took past the allocator */
    uint64_t memory_pinned;   /* of memtables: what only snapshots and cursors hold */
    /* Why writers waited: stops, and slow-downs before them; how often, µs in all, µs of the longest */
    uint64_t stalls_memtables, stall_memtables_us_total, stall_memtables_us_max, slowdowns_memtables, slowdown_memtables_us_total, slowdown_memtables_us_max; /* the table's wait for their flush */
    uint64_t stalls_memory, stall_memory_us_total, stall_memory_us_max, slowdowns_memory, slowdown_memory_us_total, slowdown_memory_us_max; /* those of all tables take their share */
    uint64_t stalls_runs, stall_runs_us_total, stall_runs_us_max, slowdowns_runs, slowdown_runs_us_total, slowdown_runs_us_max; /* sorted runs of files wait to be merged */
    uint64_t stalls_debt, stall_debt_us_total, stall_debt_us_max, slowdowns_debt, slowdown_debt_us_total, slowdown_debt_us_max; /* bytes wait to be compacted */
    uint64_t drain_bytes_per_second;  /* of keys and rows, as flushes were seen to take them away lately */
    uint64_t log_flushes_forced;      /* of tables that held the log's oldest segment beyond log_bytes_max */
    uint64_t snapshots_given_up;      /* snapshots and cursors that pinned more than snapshot_memory_max */
    uint64_t publishes_stretched;     /* publishes by age that waited beyond their interval for what they cost */
    uint64_t publish_interval_us;     /* as it is now, stretched or not: the longest of all tables */
    uint64_t log_archived, log_archive_failures; /* segments; tries */
    double write_amplification, space_amplification, files_per_get, pages_per_get, cache_hit_ratio; /* 0 where there is nothing to divide */
    uint64_t log_archive_waiting;  /* closed segments that the archive does not have yet */
    uint64_t log_archive_given_up; /* segments beyond log_archive_wait_max: each a gap in the archive */
    /* How far compaction is behind, which is what writers are slowed by (docs/memory.md) */
    uint64_t runs_beyond;             /* sorted runs of files beyond those that the levels may have */
    uint64_t debt_bytes;              /* that wait to be compacted, estimated */
    uint64_t digest_bytes_per_second; /* of rows, as compactions were seen to take them from level 0 lately */
} frz_stats; /* docs/metrics.md explains each */
/* `out->struct_size` is set by the caller. TABLE NULL = the database's. */
FRZ_API FRZ_NODISCARD int frz_db_stats(frz_db *, frz_table *table, frz_stats *out, frz_error *);
/* One `name value` a line. JSON: one object. */
FRZ_API FRZ_NODISCARD int frz_db_stats_text(frz_db *, frz_table *table, bool json, frz_blob **out, frz_error *);
/* OpenMetrics text (application/openmetrics-text; version=1.0.0): the same numbers as metric families, with labels `table` and `level`, histograms of flushes, compactions and commits, and the health. TABLE NULL = the
 * database and each of its tables. */
FRZ_API FRZ_NODISCARD int frz_db_metrics(frz_db *, frz_table *table, frz_blob **out, frz_error *);

typedef struct frz_level {
    uint32_t struct_size;
    uint32_t level;      /* 0: what flushes leave */
    uint64_t files, rows, rows_dead, bytes;
    uint64_t runs;       /* sorted runs: how many files at most a key may be looked for in */
} frz_level;
/* The data files of TABLE by the level that they were written for, lowest first; levels without files are left out. A result of FN other than 0 stops and is returned. */
FRZ_API FRZ_NODISCARD int frz_db_levels(frz_db *, frz_table *table, int (*fn)(void *ctx, const frz_level *level), void *ctx, frz_error *);

/* What runs in the background now. */
typedef struct frz_job {
    uint32_t struct_size;
    uint32_t reserved;
    const char *kind;   /* "flush", "compaction"; static, as reason and phase */
    const char *table;  /* borrowed for the call */
    const char *reason; /* "" or why */
    const char *phase;  /* where it is: "collect", "write", "commit" … */
    uint64_t duration_us, rows_done, rows_total, bytes_in; /* so far; rows_total 0 = not known yet */
} frz_job;
/* Oldest first; a result of FN other than 0 stops and is returned. */
FRZ_API FRZ_NODISCARD int frz_db_jobs(frz_db *, int (*fn)(void *ctx, const frz_job *job), void *ctx, frz_error *);
/* One JSON object of all that is to be seen at a glance: `stats`, `health`, `tables` (each with stats, health, levels), `jobs`, the last `events`. docs/operations.md has its fields. */
FRZ_API FRZ_NODISCARD int frz_db_report(frz_db *, frz_blob **out, frz_error *);
/* The same of the process that writes the warehouse at PATH, whichever that is: asks it (by touching .frazil/watch; without the permission to do so, it is not asked) and gives what it said last. It says so within a
 * second or two of being asked, then every second, until nobody has asked for ten. Only what the process that holds the warehouse's lock at this moment said in the last ten seconds is given out: not what a copy of
 * the directory, or a writer that is gone, left there. FRZ_NOT_FOUND: nobody writes there. FRZ_BUSY: somebody does, and has not answered yet. */
FRZ_API FRZ_NODISCARD int frz_watch(const char *path, frz_blob **out, frz_error *);

enum frz_finding_severity { FRZ_FINDING_ADVICE = 1, FRZ_FINDING_WARNING = 2, FRZ_FINDING_ERROR = 3 };
/* All borrowed for the call. */
typedef struct frz_diagnosis {
    uint32_t struct_size;
    int32_t severity;     /* enum frz_finding_severity */
    const char *code;     /* a word for machines: "small-files"; docs/operations.md has them all */
    const char *table;    /* NULL = the database */
    const char *what;     /* is wrong */
    const char *evidence; /* the numbers that say so */
    const char *remedy;   /* a command, an option or a property */
} frz_diagnosis;
/* Looks at numbers, settings, health and the disk for what is wrong, the database's first, then each table's. LIVE: the report of the process that writes (frz_watch), or NULL: then what only that one knows (waits, gets, rates) is not
 * judged. A result of FN other than 0 stops and is returned. */
FRZ_API FRZ_NODISCARD int frz_db_doctor(frz_db *, const char *live, size_t live_len, int (*fn)(void *ctx, const frz_diagnosis *), void *ctx, frz_error *);

/* ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct frz_table_options {
    uint32_t struct_size;
    int32_t format_version;   /* 2 or 3; 0 = 2 */
    const char *const *property_keys; /* Iceberg's table properties and frazil's own (frazil.*); unknown frazil.* ones are refused */
    const char *const *property_values;
    size_t property_count;
} frz_table_options;
#define FRZ_TABLE_OPTIONS_INIT FRZ_INIT(frz_table_options)

/* NAME is `namespace.table`, or `table` in namespace `main`; letters, digits, `_` and `-`; two names may not differ in case only. The table is on disk, readable by all, when this returns.
 * FRZ_EXISTS if there is one of this name. OUT may be NULL. */
FRZ_API FRZ_NODISCARD int frz_table_create(frz_db *, const char *name, frz_schema *, const frz_table_options *, frz_table **out, frz_error *);
FRZ_API FRZ_NODISCARD int frz_table_open(frz_db *, const char *name, frz_table **out, frz_error *);
FRZ_API void frz_table_close(frz_table *);
/* Removes the table and its files; what open snapshots and cursors hold is removed when they go. */
FRZ_API FRZ_NODISCARD int frz_table_drop(frz_db *, const char *name, frz_error *);
FRZ_API const char *frz_table_name(const frz_table *); /* "main.flights"; until the table is closed */
FRZ_API int32_t frz_table_format_version(const frz_table *);
/* A handle of the caller's own. */
FRZ_API FRZ_NODISCARD int frz_table_schema(frz_table *, frz_schema **out, frz_error *);
/* Publishes what is visible. Rows written while it runs may or may not be in. */
FRZ_API FRZ_NODISCARD int frz_table_flush(frz_table *, frz_error *);

/* Compaction goes on by itself; this one is now, and whole: within its range one sorted run is left, without dead rows, in files laid out for scans. */
enum frz_compact_phase {
    FRZ_COMPACT_FLUSH = 1,   /* what is visible is published first */
    FRZ_COMPACT_REWRITE = 2,
    FRZ_COMPACT_WAIT = 3     /* for an automatic compaction that is at files of the range */
};
typedef struct frz_compact_progress {
    uint32_t struct_size;
    int32_t phase;                    /* enum frz_compact_phase */
    uint64_t jobs;                    /* published; the table's state changes by whole jobs */
    uint64_t rows_done, rows_total;   /* the totals grow where large tables take more than one pass */
    uint64_t bytes_done, bytes_total; /* of the files that are rewritten, by their live rows */
    uint64_t files_done, files_total;
    int64_t elapsed_ms;
    int64_t eta_ms;                   /* at the rate so far; -1 = not known yet */
} frz_compact_progress;
typedef struct frz_compact_file {
    uint32_t struct_size;
    int32_t level;         /* that it was written for: 0 = by a flush */
    const char *path;      /* relative to the warehouse */
    const char *reason;    /* "runs": it overlaps with others; "masked": it has dead rows; "manual": it is as it was flushed; "small": it is joined with its neighbours */
    uint64_t rows, rows_masked, bytes;
} frz_compact_file;
typedef struct frz_compact_options {
    uint32_t struct_size;
    bool dry_run;          /* nothing is published or rewritten: FILE hears of each file that would be, and the result counts them. Memtables are left out. A read-only handle may */
    bool no_flush;         /* take the files as they are; else what is visible when it begins is in */
    const frz_value *from; /* of the key, or of a prefix of a composite one; NULL = from the first. Files with keys in [from, to] are rewritten, whole. A count of 0 beside a pointer is FRZ_INVALID */
    size_t from_count;
    const frz_value *to;   /* as FROM, and inclusive: with all keys that begin with it */
    size_t to_count;
    int (*progress)(void *ctx, const frz_compact_progress *progress); /* now and then, never twice at once, perhaps from a thread of frazil's; a result other than 0 cancels. It must not close the database */
    int (*file)(void *ctx, const frz_compact_file *file);             /* of a dry run, in key order; FILE is borrowed for the call; a result other than 0 stops: FRZ_CANCELLED */
    void *ctx;
} frz_compact_options;
#define FRZ_COMPACT_OPTIONS_INIT FRZ_INIT(frz_compact_options)
typedef struct frz_compact_result {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t jobs;
    uint64_t files_in, files_out, bytes_in, bytes_out; /* of the table: those that went, and those that stand for them. What large tables have between two passes is in neither */
    uint64_t rows_in, rows_out, rows_masked; /* of these files; rows_masked: dead rows, dropped */
    uint64_t elapsed_us;
} frz_compact_result;
/* Returns when nothing is left to do for what was there when it began. OPTIONS NULL = the whole table; OUT, which begins with FRZ_INIT(frz_compact_result), may be NULL and is filled whatever the result.
 * FRZ_CANCELLED: PROGRESS asked for it, or the database is being closed, which waits for it; the job at work leaves nothing behind, those before it stay. FRZ_NOT_FOUND: the table was dropped meanwhile.
 * Threads: any number, beside writers, flushes and automatic compactions; two of the same files share them out. Rows, ids and snapshots read as before. */
FRZ_API FRZ_NODISCARD int frz_table_compact(frz_table *, const frz_compact_options *options, frz_compact_result *out, frz_error *);
/* FRZ_NOT_FOUND if it is not set and has no default. */
FRZ_API FRZ_NODISCARD int frz_table_property(frz_table *, const char *key, frz_blob **out, frz_error *);
/* VALUE NULL removes it. Published when this returns. */
FRZ_API FRZ_NODISCARD int frz_table_set_property(frz_table *, const char *key, const char *value, frz_error *);
/* COUNT of them, all or none, in one commit. A VALUES[i] of NULL removes KEYS[i]; a key given twice is FRZ_INVALID. */
FRZ_API FRZ_NODISCARD int frz_table_set_properties(frz_table *, const char *const *keys, const char *const *values, size_t count, frz_error *);
/* From format version 2 to 3, with writers and readers going on: what is masked from now on is masked by deletion vectors, which take up what the position-delete files of their data files say, and rows
 * get their lineage with the next snapshot. Engines that read format 2 alone read the table no more. Nothing happens where the table has that version; a lower one is FRZ_INVALID: there is no way back. */
FRZ_API FRZ_NODISCARD int frz_table_upgrade(frz_table *, int32_t format_version, frz_error *);
FRZ_API FRZ_NODISCARD int frz_table_properties(frz_table *, int (*fn)(void *ctx, const char *key, const char *value), void *ctx, frz_error *);

/* ── schema changes: docs/evolution.md has the rules ─────────────────────────────────────────────────────────────────────────── */

enum frz_alter_kind {
    FRZ_ALTER_ADD = 1,      /* `add`: a new column, its field id 0; optional, or with an initial default (format 3); at `place`, else last */
    FRZ_ALTER_DROP = 2,
    FRZ_ALTER_RENAME = 3,   /* to `name` */
    FRZ_ALTER_TYPE = 4,     /* to `type`: int to long, float to double, decimal(P,S) to decimal(P',S) with P' above P */
    FRZ_ALTER_OPTIONAL = 5, /* required no more */
    FRZ_ALTER_MOVE = 6,     /* to `place` */
    FRZ_ALTER_DOC = 7,      /* to `doc`; NULL = none */
    FRZ_ALTER_DEFAULT = 8   /* the write default, to `value`; FRZ_NULL = none. Format 3 */
};
enum frz_place { FRZ_PLACE_NONE = 0, FRZ_PLACE_FIRST = 1, FRZ_PLACE_BEFORE = 2, FRZ_PLACE_AFTER = 3 };

typedef struct frz_alter {
    uint32_t struct_size;
    int32_t kind;          /* enum frz_alter_kind */
    const char *column;    /* the column's name, as the changes before this one leave it; not used by FRZ_ALTER_ADD */
    const frz_column *add; /* its key_index is -1 */
    const char *name;
    frz_type type;
    int32_t place;         /* enum frz_place */
    const char *other;     /* FRZ_PLACE_BEFORE, FRZ_PLACE_AFTER: the name of the column there */
    const char *doc;
    frz_value value;       /* of the column's type, or what frz_row_set would take for it */
} frz_alter;
#define FRZ_ALTER_INIT FRZ_INIT(frz_alter)

/* Changes the schema: all CHANGES (one array of equal struct_size), in order, in one commit, or none: FRZ_INVALID names the rule that one breaks, and nothing was written. Published when it returns. Writers and
 * readers go on meanwhile: what was opened before (cursors, streams, snapshots) keeps its schema, what is opened after has the new one.
 * A row made before the change may still be put: its values are matched by field id, those of a dropped column are left out, an added column takes its write default. So with a batch that was filled before.
 * A get into such a row gives what it has columns for; FRZ_INVALID where a value does not fit a column that was widened since.
 * FRZ_CONFLICT: another program changed the table at the same time, several times over. */
FRZ_API FRZ_NODISCARD int frz_table_alter(frz_table *, const frz_alter *changes, size_t count, frz_error *);

/* ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A row of TABLE's schema, all columns unset; what is set is copied: the row owns it. */
FRZ_API FRZ_NODISCARD int frz_row_new(frz_table *, frz_row **out, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_new_schema(const frz_schema *, frz_row **out, frz_error *);
FRZ_API void frz_row_clear(frz_row *); /* all columns unset; memory kept */
FRZ_API void frz_row_free(frz_row *);  /* not for a cursor's row */
/* All of FROM, a row of the same columns, into a row of yours: so a cursor's row is kept, or changed and put back. */
FRZ_API FRZ_NODISCARD int frz_row_copy(frz_row *, const frz_row *from, frz_error *);
FRZ_API bool frz_row_owns(const frz_row *); /* false: a cursor's, which borrows what it shows and can't be set */
FRZ_API size_t frz_row_column_count(const frz_row *);
FRZ_API FRZ_NODISCARD int frz_row_find(const frz_row *, const char *name, size_t *index);
/* The schema that ROW is of: a cursor's row is of the schema of the state that it reads. A handle of the caller's own. */
FRZ_API FRZ_NODISCARD int frz_row_schema(const frz_row *, frz_schema **out, frz_error *);
/* Set: FRZ_INVALID if the type does not fit the column, the value is out of its range, a string is not UTF-8, a fixed has another length.
 * An int or long sets an int, long or decimal column that can hold it; a float or double a float (if exact or double→float rounding is finite) or double one. */
FRZ_API FRZ_NODISCARD int frz_row_set(frz_row *, size_t column, const frz_value *, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_null(frz_row *, size_t column, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_boolean(frz_row *, size_t column, bool, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_int(frz_row *, size_t column, int32_t, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_long(frz_row *, size_t column, int64_t, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_float(frz_row *, size_t column, float, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_double(frz_row *, size_t column, double, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_decimal(frz_row *, size_t column, frz_decimal, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_date(frz_row *, size_t column, int32_t days, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_time(frz_row *, size_t column, int64_t us, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_timestamp(frz_row *, size_t column, int64_t us_or_ns, frz_error *); /* any of the four timestamp types, in its unit */
FRZ_API FRZ_NODISCARD int frz_row_set_string(frz_row *, size_t column, const char *, size_t len, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_uuid(frz_row *, size_t column, const uint8_t bytes[16], frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_bytes(frz_row *, size_t column, const void *, size_t len, frz_error *); /* binary, fixed */
/* The text form of any type, as Iceberg's JSON single-value serialisation has it without the quotes: "14.20", "2017-11-16", … */
FRZ_API FRZ_NODISCARD int frz_row_set_text(frz_row *, size_t column, const char *, size_t len, frz_error *);
/* Sets from one JSON object of column names; a name that is no column is FRZ_INVALID. */
FRZ_API FRZ_NODISCARD int frz_row_set_json(frz_row *, const char *json, size_t len, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_set_named(frz_row *, const char *name, const frz_value *, frz_error *);
/* Get: FRZ_NOT_FOUND for a column that is unset or was not projected; a null gives type FRZ_NULL. Bytes are borrowed until the row changes: a row of your own
 * until the next call that sets, clears or fills it, a cursor's row until the next call on that cursor. */
FRZ_API FRZ_NODISCARD int frz_row_get(const frz_row *, size_t column, frz_value *out);
FRZ_API FRZ_NODISCARD int frz_row_get_named(const frz_row *, const char *name, frz_value *out);
FRZ_API bool frz_row_is_null(const frz_row *, size_t column);
/* Typed getters: 0, false or empty for null, unset or another type; check with frz_row_is_null. */
FRZ_API bool frz_row_boolean(const frz_row *, size_t column);
FRZ_API int32_t frz_row_int(const frz_row *, size_t column);
FRZ_API int64_t frz_row_long(const frz_row *, size_t column); /* int, long, date, time, timestamps */
FRZ_API double frz_row_double(const frz_row *, size_t column); /* float, double */
FRZ_API frz_decimal frz_row_decimal(const frz_row *, size_t column);
FRZ_API const char *frz_row_bytes(const frz_row *, size_t column, size_t *len); /* string, binary, fixed, uuid; NULL for null */
/* One JSON object of the columns that are set; appended text form of one column. */
FRZ_API FRZ_NODISCARD int frz_row_to_json(const frz_row *, frz_blob **out, frz_error *);
FRZ_API FRZ_NODISCARD int frz_row_to_text(const frz_row *, size_t column, frz_blob **out, frz_error *);
/* "1,abc" or ["1","abc"] or a single value → *NKEY values of the key's columns, or of the first of them, borrowing from *scratch, which the caller frees. KEY has room for
 * frz_schema_key_count values. */
FRZ_API FRZ_NODISCARD int frz_key_parse(const frz_schema *, const char *text, size_t len, frz_value *key, size_t *nkey, frz_blob **scratch, frz_error *);

/* ── writes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct frz_write_options {
    uint32_t struct_size;
    int32_t durability; /* frz_durability for this write, in a database of any; 0 = the database's */
    bool no_wait;         /* FRZ_BUSY, with the reason, instead of any wait for room: writers are slowed, then stopped, where flushes fall behind */
    uint32_t wait_max_ms; /* the same, instead of a wait of more than this; 0 = as long as it takes */
} frz_write_options;
#define FRZ_WRITE_OPTIONS_INIT FRZ_INIT(frz_write_options)

/* Operations over any tables of one database, applied all or none, in order. A row is copied when it is added. */
FRZ_API FRZ_NODISCARD int frz_batch_new(frz_db *, frz_batch **out, frz_error *);
FRZ_API void frz_batch_free(frz_batch *);
FRZ_API void frz_batch_clear(frz_batch *);
FRZ_API size_t frz_batch_count(const frz_batch *);
FRZ_API FRZ_NODISCARD int frz_batch_put(frz_batch *, frz_table *, const frz_row *, frz_error *);    /* upsert: every required column is set */
FRZ_API FRZ_NODISCARD int frz_batch_insert(frz_batch *, frz_table *, const frz_row *, frz_error *); /* the write gives FRZ_EXISTS, naming the key, if it is there */
FRZ_API FRZ_NODISCARD int frz_batch_update(frz_batch *, frz_table *, const frz_row *, frz_error *); /* the key and the columns to change; FRZ_NOT_FOUND if it is absent */
FRZ_API FRZ_NODISCARD int frz_batch_delete(frz_batch *, frz_table *, const frz_value *key, size_t nkey, frz_error *); /* of an absent key: harmless */

typedef struct frz_seq_range {
    uint64_t first; /* a batch of n operations takes first … first + n - 1; an empty one gives the visible sequence in both and moves nothing */
    uint64_t last;
} frz_seq_range;
/* Validates all, then writes: durable by the policy and visible when it returns. RANGE may be NULL. The batch is left as it was. */
FRZ_API FRZ_NODISCARD int frz_write(frz_db *, frz_batch *, const frz_write_options *, frz_seq_range *range, frz_error *);
FRZ_API FRZ_NODISCARD int frz_put(frz_table *, const frz_row *, const frz_write_options *, frz_error *);
FRZ_API FRZ_NODISCARD int frz_insert(frz_table *, const frz_row *, const frz_write_options *, frz_error *);
FRZ_API FRZ_NODISCARD int frz_update(frz_table *, const frz_row *, const frz_write_options *, frz_error *);
FRZ_API FRZ_NODISCARD int frz_delete(frz_table *, const frz_value *key, size_t nkey, const frz_write_options *, frz_error *);

/* ── reads ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A state of the whole database that stays while writes and flushes go on. Opens in time by the number of tables, not of rows. */
FRZ_API FRZ_NODISCARD int frz_snapshot_open(frz_db *, frz_snapshot **out, frz_error *);
/* A published snapshot of one table, by Iceberg's snapshot id; its files stay until it is closed, whatever expires. FRZ_NOT_FOUND if it is not retained; FRZ_SNAPSHOT_TOO_OLD if it expired since a read-only handle
 * was opened or refreshed. */
FRZ_API FRZ_NODISCARD int frz_snapshot_open_published(frz_table *, int64_t snapshot_id, frz_snapshot **out, frz_error *);
/* The one that tag or branch NAME points at. FRZ_NOT_FOUND if there is none of the name. */
FRZ_API FRZ_NODISCARD int frz_snapshot_open_ref(frz_table *, const char *name, frz_snapshot **out, frz_error *);
/* The one that was current at TIME_MS, in ms since 1970-01-01T00:00Z. FRZ_NOT_FOUND, saying which times are known, if that is expired or was before the first. */
FRZ_API FRZ_NODISCARD int frz_snapshot_open_at(frz_table *, int64_t time_ms, frz_snapshot **out, frz_error *);
/* The columns by which TABLE is read through the snapshot: a published one has those of its time, whatever the table has now: indexes in scan options and rows for frz_get are of it
 * (frz_row_new_schema). A handle of the caller's own. */
FRZ_API FRZ_NODISCARD int frz_snapshot_schema(frz_snapshot *, frz_table *table, frz_schema **out, frz_error *);
/* Iceberg's id of a published snapshot; 0 of any other. */
FRZ_API int64_t frz_snapshot_id(const frz_snapshot *);
FRZ_API uint64_t frz_snapshot_seq(const frz_snapshot *);
FRZ_API void frz_snapshot_close(frz_snapshot *);

typedef struct frz_scan_options {
    uint32_t struct_size;
    bool reverse;             /* keys descend */
    bool from_exclusive;
    bool to_inclusive;        /* default: `to` itself is out */
    frz_snapshot *snapshot;   /* NULL = the latest */
    const size_t *columns;    /* column indexes to give, in this order for Arrow; NULL = all */
    size_t column_count;
    const frz_value *from;    /* of the key, or of a prefix of a composite one; NULL = from the first. A count of 0 beside a pointer is FRZ_INVALID */
    size_t from_count;
    const frz_value *to;
    size_t to_count;
    const frz_value *prefix;  /* rows whose first key columns equal these; excludes from and to */
    size_t prefix_count;
    const char *where;        /* "dep_delay > 60 AND carrier IN ('UA','AA')": docs/expressions.md; NULL = all rows */
    uint64_t limit;           /* 0 = none */
    uint32_t batch_rows;      /* Arrow: rows a batch at most; 0 = 16384. Fewer where rows are wide: a batch is bounded in bytes, too */
    const frz_schema *schema; /* what `columns` was made by. Where the state that is read has its columns elsewhere, or others, the scan is FRZ_CONFLICT instead of about other columns: get the schema again.
                               * NULL = the state's: the newest, or that of `snapshot` */
} frz_scan_options;
#define FRZ_SCAN_OPTIONS_INIT FRZ_INIT(frz_scan_options)

/* Fills OUT (of this table's schema). FRZ_NOT_FOUND: OUT is cleared. COLUMNS as in a scan; NULL = all. */
FRZ_API FRZ_NODISCARD int frz_get(frz_table *, frz_snapshot *, const frz_value *key, size_t nkey, frz_row *out, frz_error *);
FRZ_API FRZ_NODISCARD int frz_get_columns(frz_table *, frz_snapshot *, const frz_value *key, size_t nkey, const size_t *columns, size_t column_count,
                                          frz_row *out, frz_error *);
/* COUNT keys of NKEY values each, one after another, in any order, also twice; ROWS[i] is filled and FOUND[i] true where there is one, else cleared and false. One state for all. */
FRZ_API FRZ_NODISCARD int frz_multi_get(frz_table *, frz_snapshot *, const frz_value *keys, size_t nkey, size_t count, frz_row *const *rows, bool *found,
                                        frz_error *);
FRZ_API FRZ_NODISCARD int frz_scan(frz_table *, const frz_scan_options *, frz_cursor **out, frz_error *);
/* The next row, borrowed until the next call on this cursor. FRZ_DONE at the end. */
FRZ_API FRZ_NODISCARD int frz_cursor_next(frz_cursor *, const frz_row **row, frz_error *);
FRZ_API void frz_cursor_close(frz_cursor *);
FRZ_API FRZ_NODISCARD int frz_count(frz_table *, const frz_scan_options *, uint64_t *count, frz_error *);

/* Arrow's C stream interface (arrow.apache.org, "The Arrow C stream interface"). */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE
struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};
#endif

/* The stream holds its state of the table until it is released; arrays outlive it. Not `reverse`. */
FRZ_API FRZ_NODISCARD int frz_scan_arrow(frz_table *, const frz_scan_options *, struct ArrowArrayStream *out, frz_error *);
/* Upserts (or inserts) every row of STREAM, which is released in any case; columns are matched by name. ROWS: how many are in, also on error. */
FRZ_API FRZ_NODISCARD int frz_write_arrow(frz_table *, struct ArrowArrayStream *stream, bool insert, const frz_write_options *, uint64_t *rows, frz_error *);
/* A Parquet file of flat columns, as a stream, and from one. */
typedef struct frz_parquet_options {
    uint32_t struct_size;
    const char *compression; /* "zstd" (default), "snappy", "uncompressed" */
    int32_t compression_level;
    uint64_t row_group_rows; /* 0 = 1,048,576 */
} frz_parquet_options;
#define FRZ_PARQUET_OPTIONS_INIT FRZ_INIT(frz_parquet_options)
FRZ_API FRZ_NODISCARD int frz_parquet_read(const char *path, struct ArrowArrayStream *out, frz_error *);
FRZ_API FRZ_NODISCARD int frz_parquet_schema(const char *path, frz_schema **out, frz_error *); /* without a key */
FRZ_API FRZ_NODISCARD int frz_parquet_count(const char *path, uint64_t *rows, frz_error *);    /* as its footer says */
/* A file at PATH is replaced once the new one is whole and synced; a pipe or a device, and any name under /dev, is written as it is. */
FRZ_API FRZ_NODISCARD int frz_parquet_write(const char *path, struct ArrowArrayStream *stream, const frz_parquet_options *, uint64_t *rows, frz_error *);

/* ── what is published ───────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct frz_snapshot_info {
    uint32_t struct_size;
    bool current;
    int64_t snapshot_id;
    int64_t parent_id; /* 0 = none */
    int64_t sequence_number;
    int64_t timestamp_ms;
    const char *operation;    /* append, overwrite, delete, replace */
    const char *summary_json; /* one object of strings */
} frz_snapshot_info;
/* Oldest first; INFO is borrowed for the call. A result of FN other than 0 stops and is returned. */
FRZ_API FRZ_NODISCARD int frz_table_snapshots(frz_table *, int (*fn)(void *ctx, const frz_snapshot_info *info), void *ctx, frz_error *);

/* A branch or a tag. `main` is the branch that frazil writes. */
typedef struct frz_ref_info {
    uint32_t struct_size;
    bool is_tag;
    const char *name;
    int64_t snapshot_id;
    int64_t snapshot_timestamp_ms;
    /* of its own, 0 = the table's */
    int64_t max_ref_age_ms;        /* it goes when its snapshot is older; main never does */
    int64_t max_snapshot_age_ms;   /* of a branch */
    int64_t min_snapshots_to_keep; /* of a branch */
} frz_ref_info;
/* INFO is borrowed for the call. A result of FN other than 0 stops and is returned. */
FRZ_API FRZ_NODISCARD int frz_table_refs(frz_table *, int (*fn)(void *ctx, const frz_ref_info *info), void *ctx, frz_error *);

typedef struct frz_tag_options {
    uint32_t struct_size;
    bool remove;             /* FRZ_NOT_FOUND if there is no such tag; with none of the others */
    bool no_replace;         /* FRZ_EXISTS if there is a tag of this name; else it is set anew, with these options alone */
    int64_t snapshot_id;     /* 0 = the current one: flush before, to have in it what is visible. FRZ_NOT_FOUND if it is not retained */
    int64_t max_ref_age_ms;  /* the tag goes when its snapshot is older; 0 = history.expire.max-ref-age-ms of the table, which is for ever if it is not set. FRZ_INVALID if it is older already */
} frz_tag_options;
#define FRZ_TAG_OPTIONS_INIT FRZ_INIT(frz_tag_options)
/* Names a snapshot: it is kept, beside frazil.snapshots-max, until the tag goes. OPTIONS NULL = the current one. Published when this returns; every engine that knows tags sees it. A branch of this name is
 * FRZ_INVALID. */
FRZ_API FRZ_NODISCARD int frz_table_tag(frz_table *, const char *name, const frz_tag_options *options, frz_error *);

/* What each publish does by the table's properties, on demand and by other rules. What a branch or tag points at is never expired, nor what a branch keeps by settings of its own. */
typedef struct frz_expire_options {
    uint32_t struct_size;
    bool dry_run;                /* only say which */
    bool by_time;                /* `older_than_ms` counts */
    int64_t older_than_ms;       /* snapshots from before this time, ms since 1970: in place of history.expire.max-snapshot-age-ms and of frazil.retention */
    int64_t keep_last;           /* so many of main are kept however old; 0 = history.expire.min-snapshots-to-keep */
    const int64_t *snapshot_ids; /* these in any case; and with neither `by_time` nor `keep_last`, these alone. FRZ_NOT_FOUND if one is not retained, FRZ_INVALID if a ref points at it */
    size_t snapshot_id_count;
} frz_expire_options;
#define FRZ_EXPIRE_OPTIONS_INIT FRZ_INIT(frz_expire_options)
/* FN, which may be NULL, is called for each snapshot that went (or would), oldest first, after the commit; a result other than 0 stops the telling and is returned. OPTIONS NULL = by the table's properties.
 * Open snapshots and cursors read on; files go when nobody needs them. */
FRZ_API FRZ_NODISCARD int frz_table_expire(frz_table *, const frz_expire_options *options, int (*fn)(void *ctx, const frz_snapshot_info *info), void *ctx, frz_error *);

typedef struct frz_file_info {
    uint32_t struct_size;
    int32_t content; /* 0 data, 1 position deletes or deletion vector */
    const char *path; /* relative to the warehouse; as in the metadata where it is elsewhere */
    const char *format; /* PARQUET, PUFFIN */
    uint64_t rows;   /* physical rows, or positions masked */
    uint64_t rows_masked; /* of a data file */
    uint64_t bytes;
    int64_t sequence_number;
} frz_file_info;
/* With a SNAPSHOT, its data files alone; NULL = the current state's, with its delete files. A result of FN other than 0 stops and is returned. */
FRZ_API FRZ_NODISCARD int frz_table_files(frz_table *, frz_snapshot *, int (*fn)(void *ctx, const frz_file_info *info), void *ctx, frz_error *);

/* ── files that go ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

enum frz_gc_why {
    FRZ_GC_EXPIRED = 1,        /* the current snapshot does not need it; older ones, readers or the grace of foreign readers may keep it */
    FRZ_GC_ORPHAN = 2,         /* frazil's own, of a process that died before it was committed */
    FRZ_GC_FOREIGN_ORPHAN = 3, /* another engine's, that no metadata names: goes when it is old enough not to be in flight */
    FRZ_GC_OLD_METADATA = 4,   /* a metadata.json that fell out of the metadata log */
    FRZ_GC_TEMPORARY = 5,      /* under a temporary name */
    FRZ_GC_TRASH = 6,          /* a dropped table's folder */
    FRZ_GC_LEASE = 7           /* of a reading process that died */
};
enum frz_gc_kept {
    FRZ_GC_DUE = 0,         /* by nobody */
    FRZ_GC_BY_SNAPSHOT = 1, /* a retained snapshot, branch or tag needs it */
    FRZ_GC_BY_VIEW = 2,     /* a snapshot, cursor or Arrow stream of this process reads it */
    FRZ_GC_BY_READER = 3,   /* another process does: `holder` is its lease in .frazil/readers, <boot>-<pid>-<n> */
    FRZ_GC_BY_GRACE = 4,    /* foreign readers may: until due_ms */
    FRZ_GC_BY_AGE = 5,      /* it may be in flight: until due_ms; -1: a job of this process that goes on may yet need it */
    FRZ_GC_BY_WRITER = 6    /* this handle only reads, and another process writes: that one knows */
};
typedef struct frz_gc_file {
    uint32_t struct_size;
    int32_t why;        /* enum frz_gc_why */
    int32_t kept;       /* enum frz_gc_kept */
    bool removed;
    const char *table;  /* "main.flights"; "" for what is of the database */
    const char *path;   /* relative to the warehouse */
    const char *reason; /* in words */
    const char *holder; /* FRZ_GC_BY_READER; else "" */
    uint64_t bytes;
    int64_t due_ms;     /* since 1970-01-01, UTC: when it goes if nobody comes to need it; 0 = now, -1 = not known: when those that need it let go */
} frz_gc_file;
typedef struct frz_gc_options {
    uint32_t struct_size;
    bool dry_run;               /* list, remove nothing. A read-only handle can do no more; where nobody has the database open for writing, it lists what the next one to do so would find */
    uint64_t orphan_age_ms;     /* of other engines' files and temporary names, by their time of change; 0 = the table's frazil.orphan-age-ms, 3 days by default */
} frz_gc_options;
#define FRZ_GC_OPTIONS_INIT FRZ_INIT(frz_gc_options)
typedef struct frz_gc_report {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t files, bytes;                 /* listed */
    uint64_t files_due, bytes_due;         /* of them, kept by nobody */
    uint64_t files_removed, bytes_removed;
} frz_gc_report;
/* What is on disk and not of the current state, and why it is still there; unless `dry_run`, what is due is removed. The database removes by itself what expired, second by second; soon after open, by a worker, what a crash left;
 * and then, and every frazil.orphan-check-interval-ms (a day), orphans of other engines that are older than frazil.orphan-age-ms; this does what needs the whole table looked at, now. Never: what a retained snapshot of any metadata version that is still there names, statistics files included; names that
 * begin with a dot, but for temporary ones; folders that are not the format's; anything outside of the warehouse. FN is called when all is done, in no order; its path and words are borrowed for the call; a result
 * other than 0 stops it and is returned. FN, REPORT and OPTIONS may be NULL. TABLE NULL = all tables, dropped tables' folders and dead leases. Beside writers, flushes and readers: files go in slices of about 50 ms,
 * between which flushes are published. FRZ_CONFLICT: another process committed to a table meanwhile; what went until then was due. */
FRZ_API FRZ_NODISCARD int frz_db_gc(frz_db *, frz_table *table, const frz_gc_options *, int (*fn)(void *ctx, const frz_gc_file *), void *ctx, frz_gc_report *report, frz_error *);

typedef struct frz_finding {
    uint32_t struct_size;
    const char *table;
    const char *where; /* file, and offset, row or key */
    const char *what;
} frz_finding;
typedef struct frz_verify_report {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t tables, files, rows, pages, bytes, findings;
} frz_verify_report;
/* Reads everything: each checksum, key order, one live row a key over all files, masks in range, filters without false negatives, statistics that bound, metadata that
 * agrees, and every retained snapshot's summary recounted from its manifests. Beside writers, flushes and readers: of each table what is published when its turn comes. TABLE NULL = all; a TABLE
 * that is dropped meanwhile is FRZ_NOT_FOUND. 0 with findings counted; < 0 only where it could not go on. FN and REPORT may be NULL. */
FRZ_API FRZ_NODISCARD int frz_verify(frz_db *, frz_table *table, int (*fn)(void *ctx, const frz_finding *), void *ctx, frz_verify_report *report, frz_error *);

/* ── backups ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct frz_backup_progress {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t files_done, files_total, bytes_done, bytes_total; /* totals may grow */
    uint64_t files_shared; /* an earlier backup of the destination has them */
    uint64_t files_linked, files_cloned, files_copied;
} frz_backup_progress;

typedef struct frz_backup_options {
    uint32_t struct_size;
    bool copy; /* copy the bytes of every file, also where it could be linked or share its blocks; also of those that an earlier backup has: this backup shares nothing */
    uint64_t keep; /* afterwards only so many stay, the newest ones; 0 = all */
    int (*progress)(void *ctx, const frz_backup_progress *); /* from time to time, in the calling thread; a result other than 0 cancels: FRZ_CANCELLED */
    void *ctx;
} frz_backup_options;
#define FRZ_BACKUP_OPTIONS_INIT FRZ_INIT(frz_backup_options)

typedef struct frz_backup_info {
    uint32_t struct_size;
    bool complete;       /* false: its process ended before it did, or it is being made: not to be used */
    uint64_t number;     /* in its destination, from 1 on */
    uint64_t sequence;   /* every write up to it is in, and none after */
    int64_t time_us;     /* µs since 1970, UTC: when that was; where the clock was set back, no earlier than the last write that is in */
    uint64_t tables, files, bytes;
    uint64_t files_new, bytes_new; /* what no earlier backup of the destination had */
    char log_uuid[40];   /* of the log whose sequence that is */
} frz_backup_info;

/* A consistent copy of the whole database in DIRECTORY/<number>, all tables at one sequence, unpublished rows included: a warehouse of its own, which any Iceberg engine reads where it is. Writers, flushes and
 * readers go on. Files are linked where DIRECTORY is on the same file system, else share blocks or are copied; those that the newest earlier backup
 * there has are linked from it, if they are the database's own by another name or their bytes, which are read, still have their checksum: one that is damaged is told by a warning in the log, and taken anew. It is
 * synced when this returns. DB may be read-only. FRZ_INVALID inside a warehouse, FRZ_BUSY beside another backup to DIRECTORY. OUT and OPTIONS may be NULL. */
FRZ_API FRZ_NODISCARD int frz_db_backup(frz_db *, const char *directory, const frz_backup_options *, frz_backup_info *out, frz_error *);
/* Each backup in DIRECTORY, oldest first; INFO is borrowed for the call. A result of FN other than 0 stops and is returned. FRZ_NOT_FOUND if there is none, not even one that was cut short. */
FRZ_API FRZ_NODISCARD int frz_backup_list(const char *directory, int (*fn)(void *ctx, const frz_backup_info *info), void *ctx, frz_error *);
/* Reads every file of backup NUMBER (0 = the newest) and holds it against its checksum; findings as in frz_verify, `table` empty. 0 with findings counted. FN, FINDINGS and OUT may be NULL. */
FRZ_API FRZ_NODISCARD int frz_backup_verify(const char *directory, uint64_t number, int (*fn)(void *ctx, const frz_finding *), void *ctx, uint64_t *findings,
                                            frz_backup_info *out, frz_error *);
/* Removes all but the KEEP newest (at least 1), and what was left of those that were cut short. What a younger backup shares stays with it. A backup whose list can't be read just now may need all
 * that the log's archive has: its error is returned, and nothing is removed. FRZ_NOT_FOUND as above. REMOVED may be NULL. */
FRZ_API FRZ_NODISCARD int frz_backup_purge(const char *directory, uint64_t keep, uint64_t *removed, frz_error *);

typedef struct frz_restore_options {
    uint32_t struct_size;
    bool copy;            /* as in frz_backup_options */
    bool to_end;          /* beyond the backup, all that the log's archive has */
    uint64_t number;      /* 0 = the newest; with to_sequence or to_time_us the newest that is not beyond it */
    uint64_t to_sequence; /* every batch that ends at or before it, and none after; of the log that the backup is of. 0 = none */
    int64_t to_time_us;   /* every batch that was written at or before it, to the millisecond; µs since 1970, UTC. 0 = none */
    const char *log_archive; /* where closed segments of the log were archived (frz_db_options); NULL = where the backup says */
    int (*progress)(void *ctx, const frz_backup_progress *); /* as in frz_backup_options */
    void *ctx;
} frz_restore_options;
#define FRZ_RESTORE_OPTIONS_INIT FRZ_INIT(frz_restore_options)

typedef struct frz_restore_info {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t number;   /* the backup that it began with */
    uint64_t sequence; /* where it stands now, in the sequences of the log that the backup is of: the new database counts anew */
    int64_t time_us;   /* of the last write that is in; the backup's where none was replayed */
    uint64_t tables, files, bytes, operations; /* operations: replayed from the archive */
} frz_restore_info;

/* From the backups in DIRECTORY to a database at DESTINATION, which must not be there, or be empty, and not be inside a warehouse (FRZ_INVALID). Every file is held against its checksum. The database has a log of its own, whose sequences begin anew. What is cut short is
 * refused by open, and to be removed. FRZ_NOT_FOUND without such a backup; FRZ_CORRUPT names the file, or the segment that the archive lacks. OUT and OPTIONS may be NULL. */
FRZ_API FRZ_NODISCARD int frz_restore(const char *directory, const char *destination, const frz_restore_options *, frz_restore_info *out, frz_error *);

#ifdef __cplusplus
}
#endif
#endif /* FRAZIL_H */
