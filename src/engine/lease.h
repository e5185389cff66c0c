/* lease.h — what reading processes tell the writing one: which snapshots they still read (hazards 20).
 *
 * Design      a read-only database has a file .frazil/readers/<boot>-<pid>-<n>, locked (OFD) as long as the process lives. It says of each table the oldest snapshot that the process holds. The writer keeps what any
 *             snapshot from that one on needs, ignores and removes a file that nobody has locked, and never asks how old one is.
 * Bytes       "FRZL" | u16 version | u16 0 | u32 count | u32 crc32c of all before it and of the records | count × { uuid[16] | i64 snapshot id | i64 sequence number }. Behind them may be anything.
 * Invariants  (1) a name without a dot in front is locked from the moment that it is there: the file is made, locked and filled under a hidden name  (2) a reader holds nothing before its lease says so: it
 *             writes the lease, then looks whether the snapshot is still retained (a snapshot that is in the newest metadata after that is seen by every later unlink)  (3) a locked lease that can't be read keeps
 *             everything: its process may be writing it just now
 * Without     a right to write there, or on a file system whose locks hold nothing, a reader has no lease: the grace of foreign readers is what it has, and FRZ_SNAPSHOT_TOO_OLD behind it
 * Threads     a lease has a lock of its own; struct leases belongs to who reads it                                                             */
#ifndef FRZ_ENGINE_LEASE_H
#define FRZ_ENGINE_LEASE_H
#include "engine/db.h"

#define LEASE_DIR ".frazil/readers"
#define LEASE_RECORDS_MAX 65536
#define LEASE_NAME_BYTES 96

struct lease_record { uint8_t uuid[16]; int64_t snapshot_id, sequence; };

/* Pure. FRZ_CORRUPT says what is wrong. RECORDS in AR. */
FRZ_NODISCARD int frz__lease_encode(const struct lease_record *records, size_t count, struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__lease_decode(slice bytes, struct arena *ar, struct lease_record **records, size_t *count, frz_error *err);

/* ── a reader's own ── */
/* No lease where there is no right to one: told to the log callback, no error. */
FRZ_NODISCARD int frz__lease_open(struct db *db, frz_error *err);
void frz__lease_close(struct db *db); /* removes it */
/* It says what db->holds has. */
FRZ_NODISCARD int frz__lease_write(struct db *db, frz_error *err);
void frz__lease_settle(struct db *db); /* something was let go: it may move forward */

/* ── those of others, for the writer ── */
struct lease_seen { char name[LEASE_NAME_BYTES]; bool unreadable; struct lease_record *records; size_t count; };
struct leases {
    struct arena ar;
    struct lease_seen *at;
    size_t count, cap;
    bool unknown; /* the folder could not be read: everything is kept */
    size_t removed; /* of processes that died */
};
/* Removes those of the dead unless LOOK_ONLY, hidden ones too if ALL. */
FRZ_NODISCARD int frz__leases_read(struct db *db, bool look_only, bool all, struct leases *out, frz_error *err);
FRZ_NODISCARD int frz__leases_sweep(struct db *db, frz_error *err); /* removes those of the dead */
void frz__leases_clear(struct leases *l);
/* Somebody may read a file that the snapshot with sequence number REMOVED and later ones do not need. WHO: the lease's name, "" where it is not known; may be NULL. */
bool frz__leases_need(const struct leases *l, const char *uuid, int64_t removed, const char **who);
#endif
