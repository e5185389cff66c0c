/* wal.h — the write-ahead log: one for all tables of a database.
 *
 * Bytes       a segment is `.frazil/wal/<number, 9 digits>.wal`, preallocated at full size (keeping a file's size constant makes a sync 40 % cheaper), in blocks of 32 KiB.
 *             segment header, 128 bytes in the first block: "FRZWAL01" | log uuid 16 | u64 segment | u64 writer epoch | u64 first seq | u64 previous segment's valid bytes | u32 header crc32c …
 *             fragment, never across a block: u32 crc32c | u32 length | u8 type (1 full 2 first 3 middle 4 last) | payload. The CRC covers log uuid, epoch, segment number, offset in the segment, then length, type
 *             and payload: a record of a recycled segment's former life, of another log, or at another place never parses as ours.
 *             record payload: u8 kind — 1 group: u64 base_seq | u32 ops | u64 durable_upto | ops as batch.h writes them · 2 dictionary: table_no → uuid, name, schema id → schema JSON, low-water ·
 *             3 drop: table_no · 4 skip: seqs first…last that were refused after they were assigned · 5 moment: when the group that follows was written, and its batches; or, of no batches, when the line or
 *             the drop that follows was
 * Design      wal_format.h has the byte table; wal_write.c frames and appends; wal_read.c tells a torn tail from corruption; wal_set.c segments, recycling, deletion. No thread of its own.
 * Invariants  (1) a record's sequences follow the one before it without a gap, but for skips  (2) after a failed write or sync only a new segment follows: a failed sync is never repeated (hazards 11)
 *             (3) every segment begins with the dictionary of all live tables  (4) `durable_upto` in a record is a position known synced when it was framed (hazards 10)
 *             (5) a segment is recycled only when every table's rows in it are published or dropped, and, where there is an archive, the archive has it, or more wait for it than shall
 *             (6) the rows of a group are of the schema that the last dictionary record of their table before it has: what is written again after a failed sync has its own before it (hazards 25)
 *             (7) moments ascend: the clock may be set back, the log's does not go
 * Archive     a folder of another file system, or of the same, with a log's segments under their names (wal_archive.c): linked or copied once they are closed and synced. The file of one that was linked is never
 *             used again, also by a process that archives no longer, or elsewhere. A log that is begun at a restored database has another uuid, and so another folder.
 * Reading     a record that fails is corruption if any later record of this log and epoch has durable_upto beyond it; else it is the tail: cut there, later segments discarded, told in the report
 *             What else may be there after a crash counts for nothing: a segment without a good header, `.free` files (spares), segments that none leads back to.
 * Threads     append, release, sync and refuse by one at a time (the group's leader); sync_beside, recycle, low water and stats beside it from any; close by the last              */
#ifndef FRZ_WAL_WAL_H
#define FRZ_WAL_WAL_H
#include "base/coding.h"
#include "base/log.h"
#include "io/fs.h"

struct wal;
struct wal_options {
    const allocator *a;
    const struct logger *log;
    const char *dir;          /* ".frazil/wal" */
    uint8_t log_uuid[16];     /* of the log to go on with, or a new one */
    uint64_t writer_epoch;
    uint64_t segment_bytes;   /* ≥ 64 KiB, whole blocks */
    uint32_t recycle_max;     /* spare segments kept */
    struct fs *archive;       /* where closed segments go; borrowed; NULL = nowhere */
    uint64_t archive_wait_max; /* bytes of segments that are wanted by the archive alone: beyond, the oldest go without it; 0 = none does */
    int64_t time_us;          /* when the dictionary is of; 0 = not said */
};
/* A table's line in the dictionary. */
struct wal_table {
    uint64_t table_no;
    uint8_t uuid[16];
    slice name;
    int32_t schema_id;
    slice schema_json;
    uint64_t low_water; /* first sequence that is not published */
};

/* ── reading: at open, before a writer ── */
struct wal_visitor {
    void *ctx;
    int (*table)(void *ctx, const struct wal_table *t, frz_error *err);
    /* One group: sequences base … base + ops - 1. OPS is what frz__batch_next reads. SEGMENT: which one it is in. */
    int (*group)(void *ctx, uint64_t segment, uint64_t base_seq, uint32_t ops, slice bytes, frz_error *err);
    int (*drop)(void *ctx, uint64_t table_no, frz_error *err);
    /* Of the group, line or drop that follows, at BASE_SEQ; COUNTS: u32 × N, little-endian. May be NULL. */
    int (*moment)(void *ctx, uint64_t base_seq, int64_t time_us, const uint8_t *counts, uint32_t n, frz_error *err);
};
struct wal_report {
    bool found;            /* there is a log */
    uint8_t log_uuid[16];
    uint64_t writer_epoch; /* the highest seen */
    uint64_t segments, records, bytes;
    uint64_t first_segment; /* the oldest that was read */
    uint64_t seq_first;    /* sequences before it are in no segment; 0 = none was read */
    uint64_t seq_last;     /* 0 = none */
    int64_t time_us;       /* the last moment that it has; 0 = none */
    bool tail_cut;         /* something beyond the end was there, and is not counted; and where: */
    uint64_t tail_segment, tail_offset, tail_bytes_dropped; /* segment and offset are set without a cut too: where the log ends */
};
/* The headers alone: found, log_uuid, writer_epoch and first_segment of REPORT. */
FRZ_NODISCARD int frz__wal_look(const allocator *a, const struct logger *log, struct fs *fs, const char *dir, struct wal_report *report, frz_error *err);
/* Reads all segments in order and calls V. FRZ_CORRUPT (file and offset in the message) as the rule above says. Changes nothing on disk. */
FRZ_NODISCARD int frz__wal_read(const allocator *a, const struct logger *log, struct fs *fs, const char *dir, const struct wal_visitor *v, struct wal_report *report, frz_error *err);

/* Of the archive of one log, from the segment on that has FROM_SEQ, or the sequence before it if that is there: tables may have changed between the two. A segment that is missing or damaged further on ends it, and
 * *LACKS is its number; 0 = all that there is was read. FRZ_CORRUPT, naming the segment, if FROM_SEQ itself is missing. */
FRZ_NODISCARD int frz__wal_read_archive(const allocator *a, const struct logger *log, struct fs *fs, const char *dir, uint64_t from_seq, const struct wal_visitor *v, struct wal_report *report,
                                        uint64_t *lacks, frz_error *err);

/* ── writing ── */
/* Goes on after REPORT (as frz__wal_read gave it): begins a new segment, keeps the old ones until released. TABLES: the dictionary. NEXT_SEQ: the first to be assigned. */
FRZ_NODISCARD int frz__wal_open(struct fs *fs, const struct wal_options *o, const struct wal_report *report, uint64_t next_seq, const struct wal_table *tables, size_t table_count, struct wal **out,
                                frz_error *err);
/* Appends one group record. OPS: slices that lie one after another in the record. A full segment is left behind; *SEGMENT is where the record went. Sequences between the last record's and BASE_SEQ are
 * recorded as skipped. A record never spans segments: one larger than a segment gets a segment of its own, which grows beyond segment_bytes.
 * < 0: nothing of it will be replayed; if anything was written, the segment is given up (2). */
FRZ_NODISCARD int frz__wal_append(struct wal *w, uint64_t base_seq, uint32_t op_count, const slice *ops, size_t slices, uint64_t *segment, frz_error *err);
/* The same, of BATCH_OPS[i] operations each slice, at TIME_US: so that a restore can stop between any two of them. */
FRZ_NODISCARD int frz__wal_append_at(struct wal *w, uint64_t base_seq, uint32_t op_count, const slice *ops, size_t slices, const uint32_t *batch_ops, int64_t time_us, uint64_t *segment,
                                     frz_error *err);
/* TIME_US: when; 0 = not said. */
FRZ_NODISCARD int frz__wal_append_drop(struct wal *w, uint64_t table_no, int64_t time_us, frz_error *err);
/* A table was created, opened or changed its schema: its line goes into the log now, and into each later segment. Copied. */
FRZ_NODISCARD int frz__wal_add_table(struct wal *w, const struct wal_table *t, frz_error *err);
/* The same, at TIME_US: a restore to a moment before it has the table as it was. */
FRZ_NODISCARD int frz__wal_add_table_at(struct wal *w, const struct wal_table *t, int64_t time_us, frz_error *err);
/* The lines of all tables again, as they are. */
FRZ_NODISCARD int frz__wal_tell_tables(struct wal *w, frz_error *err);
/* All that was appended before the call is on stable storage when it returns 0. A no-op, not counted, if it is already.
 * < 0: the segment is given up (2); what was not synced before is in doubt. The next append or sync writes the records in doubt again, into a new segment: none that was appended is lost by it. But what the
 * caller will not acknowledge it must refuse. */
FRZ_NODISCARD int frz__wal_sync(struct wal *w, frz_error *err);
/* The same beside appends, from any thread; but what an earlier sync left in doubt it leaves alone: FRZ_DONE, and nothing is known. Between a sync that failed and frz__wal_refuse nobody else may write again what
 * is to be refused. */
FRZ_NODISCARD int frz__wal_sync_beside(struct wal *w, frz_error *err);
/* After a failed sync: the records from BASE_SEQ on were not acknowledged and shall not be replayed; BASE_SEQ may be assigned again. (An append that assigns a sequence in doubt again says the same.)
 * FRZ_BUG if they are known synced. */
FRZ_NODISCARD int frz__wal_refuse(struct wal *w, uint64_t base_seq, frz_error *err);
/* TABLE_NO's rows up to SEQ are published. */
void frz__wal_set_low_water(struct wal *w, uint64_t table_no, uint64_t low_water);
/* Segments older than OLDEST_NEEDED may go: the dictionary is written again first, where only they know what was published. By who appends. */
FRZ_NODISCARD int frz__wal_release(struct wal *w, uint64_t oldest_needed, frz_error *err);
/* Those that may are recycled or deleted, which takes the time of as many renames and unlinks: beside appends, from any thread.
 * FRZ_DONE: another thread is at it, and takes what was released meanwhile, too. */
FRZ_NODISCARD int frz__wal_recycle(struct wal *w, frz_error *err);
/* Closed segments that the archive does not have go there; ALL: the one being written too: nothing is appended any more. */
FRZ_NODISCARD int frz__wal_archive(struct wal *w, bool all, frz_error *err);
bool frz__wal_archive_due(struct wal *w); /* it would do something */
/* Segments of the archive in DIR that a read from FROM_SEQ on does not want go. */
FRZ_NODISCARD int frz__wal_archive_trim(const allocator *a, struct fs *fs, const char *dir, uint64_t from_seq, uint64_t *removed, frz_error *err);
uint64_t frz__wal_segment(const struct wal *w); /* the one being written */
int64_t frz__wal_time_us(struct wal *w); /* the last moment that it has, of all that was appended before the call; 0 = none. May wait for an append */
struct wal_stats { uint64_t bytes, syncs, segments, recycled, archived, archive_waiting, archive_given_up; };
void frz__wal_stats(const struct wal *w, struct wal_stats *out);
int frz__wal_close(struct wal *w, frz_error *err); /* syncs nothing; NULL is fine. After a failure, says in a new segment what does not count, if it can */
#endif
