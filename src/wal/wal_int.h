/* wal_int.h — the writer's state, shared by wal_write.c and wal_set.c.
 *
 * A segment is written until it is full or a write or a sync of it fails. `segments` holds, oldest first, all that are not released; the last one is `current`.
 * A failed write loses nothing but its own record: the next segment says "the one before is valid to the record's start". After a failed sync nothing that was not synced before can be trusted to be on
 * the disk, nor be synced again: it is *in doubt*. The next segment says "valid to what was synced", and begins with a copy of the records in doubt, but for those that were refused (frz__wal_refuse). */
#ifndef FRZ_WAL_WAL_INT_H
#define FRZ_WAL_WAL_INT_H
#include "base/sync.h"
#include "wal/wal_format.h"

struct wal_segment {
    uint64_t number;
    struct file *file; /* NULL: synced and done with */
    struct wal_header h;
    uint64_t end;    /* of the records that count */
    uint64_t synced; /* end of what is on stable storage, 0 = nothing */
    bool failed;     /* a sync of it failed: never again */
    bool void_;      /* all that counts of it was written again: not of the chain */
    unsigned pins;   /* syncs under way */
    bool archived;   /* the archive has it */
    bool linked;     /* perhaps the very file: it is never used again. Of this process's alone: wal_set.c asks the file system too */
};
struct wal {
    const allocator *a;
    const struct logger *log;
    struct fs *fs;
    char *dir;
    uint8_t uuid[16];
    uint64_t epoch, segment_bytes;
    uint32_t recycle_max;
    struct fs *archive;
    uint64_t archive_wait_max;

    struct mutex sync_mu;   /* one sync at a time, held across it: of two syncs of a file at once the system tells an error to one alone */
    struct mutex append_mu; /* appends, and the healing of a failed sync; held across their writes */
    uint64_t seq_next;      /* of the record to come */
    uint64_t number_next;
    uint64_t refused;       /* in doubt and refused from this sequence on; UINT64_MAX = none */
    uint64_t records_at;    /* current: end of its dictionary */
    uint32_t seed;          /* of current */
    bool fresh;             /* only a new segment may follow */
    int64_t time_us;        /* of the last moment */
    int64_t opened_us;      /* the first segment's dictionary is of it; 0 = not said, or it was */
    uint64_t time_segment;  /* that it was written to */
    struct buf out;         /* framed bytes */

    struct mutex archive_mu; /* bringing segments to the archive; taken with none held */
    struct mutex mu;        /* the rest; held across no I/O */
    struct wal_segment **segments;
    size_t count, cap;
    struct wal_segment *current; /* NULL only inside open */
    uint64_t *spares;
    size_t spare_count, spare_cap;
    uint64_t released;           /* segments before it are wanted by no table, and the lines of today are in the log */
    bool recycling;              /* somebody is in frz__wal_recycle */
    struct wal_table *tables;    /* names and schemas are copies */
    size_t table_count, table_cap;
    bool lines_stale;            /* a low water has risen since the last line of its table */
    uint64_t durable;            /* position */
    struct wal_stats stats;
};

/* Frames records into W->out for FILE; writes out as it grows. */
struct wal_framer {
    struct wal *w;
    struct file *file;
    uint32_t seed;
    uint64_t at;     /* where W->out begins in FILE */
    uint64_t record; /* where the last record began */
};
static inline uint64_t wal_framer_end(const struct wal_framer *f) { return f->at + f->w->out.len; }
FRZ_NODISCARD int frz__wal_frame(struct wal_framer *f, const slice *parts, size_t count, frz_error *err);
FRZ_NODISCARD int frz__wal_frame_flush(struct wal_framer *f, frz_error *err);
FRZ_NODISCARD int frz__wal_frame_table(struct wal_framer *f, const struct wal_table *t, frz_error *err);
/* What follows was at TIME_US; 0 = nothing is said. */
FRZ_NODISCARD int frz__wal_frame_time(struct wal_framer *f, int64_t time_us, frz_error *err);
FRZ_NODISCARD int frz__wal_frame_dictionary(struct wal_framer *f, frz_error *err); /* all lines; append_mu held */
/* W->append_mu held. */
FRZ_NODISCARD int frz__wal_new_segment(struct wal *w, frz_error *err);
/* T's line into the dictionary, and, with APPEND, into the log. */
FRZ_NODISCARD int frz__wal_table_add(struct wal *w, const struct wal_table *t, bool append, int64_t time_us, frz_error *err);
/* The dictionary again, if a low water has risen since: once older segments are gone, only it knows what was published. */
FRZ_NODISCARD int frz__wal_renew_lines(struct wal *w, frz_error *err);
/* What all segments up to and with it know to be synced; mu held. */
void frz__wal_update_durable_locked(struct wal *w);
#endif
