/* replay.h — a restored database goes on with what the log's archive has beyond the backup, up to a point.
 *
 * Design      Operations come in through the front door, as writes of the new database under its own sequences: so memory is bounded, flushes go on, and the new log never holds a record of the old one. Only
 *             whole batches are written. Tables are known by their uuids: one that was created since is made anew with its schema, one that was dropped goes, one whose columns were changed has them changed in turn.
 * Schemas     each line of the log's dictionary has its table's schema, and moments say when one was changed, made or dropped. A line is remembered when it is read, and followed when a row comes that is of it, or at
 *             the end: what was changed before the backup, too, is read on the way to its sequence, and the last line there is what the backup has.
 * Invariants  (1) a table is given a schema that differs only after a line that differs from one before it, or by a higher id: the lines on the way to the backup's sequence may be older than its metadata
 * Threads     one                                                                                                                             */
#ifndef FRZ_SHIP_REPLAY_H
#define FRZ_SHIP_REPLAY_H
#include "ship/backup.h"

/* DB is what M restored to. FRZ_CORRUPT names the segment that the archive lacks; FRZ_NOT_FOUND: the archive ends before the point that is asked for. */
FRZ_NODISCARD int frz__replay(struct db *db, const struct backup_manifest *m, const struct restore_request *r, struct restore_result *out, frz_error *err);
#endif
