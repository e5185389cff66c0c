/* replay.h — a restored database goes on with what the log's archive has beyond the backup, up to a point.
 *
 * Design      Operations come in through the front door, as writes of the new database under its own sequences: so memory is bounded, flushes go on, and the new log never holds a record of the old one. Only
 *             whole batches are written. Tables are known by their uuids: one that was created since is made anew with its schema, one that was dropped goes.
 * Threads     one                                                                                                                             */
#ifndef FRZ_SHIP_REPLAY_H
#define FRZ_SHIP_REPLAY_H
#include "ship/backup.h"

/* DB is what M restored to. FRZ_CORRUPT names the segment that the archive lacks; FRZ_NOT_FOUND: the archive ends before the point that is asked for. */
FRZ_NODISCARD int frz__replay(struct db *db, const struct backup_manifest *m, const struct restore_request *r, struct restore_result *out, frz_error *err);
#endif
