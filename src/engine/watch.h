/* watch.h — a running writer seen from another process: what frz_db_report says, in a file, while somebody asks.
 *
 * Design      who wants to know touches `.frazil/watch` (frz_watch). The writer's clock looks at that file's time once in WATCH_LOOK_NS: one stat a second is what it costs while nobody asks. Younger than
 *             WATCH_ASKED_US, it writes `.frazil/stats`: one file beside, then renamed over it, never synced: it is of now and of no use after. Rejected: a socket (a server in a library, and permissions of its own),
 *             shared memory (a layout that two versions would have to share), writing always (a disk that never sleeps).
 *             A report stays behind when its writer goes, and is copied with the warehouse: only that of the process which holds LOCK now, by its number and the epoch of its open, and of the last
 *             WATCH_ASKED_US by its own clock, is given out. Not its `root`: the same directory may be mounted elsewhere here.
 * Bytes       "FRZSTAT1 <crc32c, 8 hex digits> <length, decimal>\n", then as many bytes of JSON, whose first field is "version":1. What does not fit is not believed.
 * Threads     the clock's; frz__watch_read by any, without a database                                                                                     */
#ifndef FRZ_ENGINE_WATCH_H
#define FRZ_ENGINE_WATCH_H
#include "engine/db.h"

#define WATCH_ASK_PATH ".frazil/watch"
#define WATCH_STATS_PATH ".frazil/stats"
#define WATCH_LOOK_NS ((int64_t)1000000000)
#define WATCH_ASKED_US ((int64_t)10000000)
#define WATCH_BYTES_MAX ((size_t)16 << 20)

/* By the clock: writes the file if somebody asks. Failing is no matter of health: nobody but the watcher needs it. */
void frz__watch_tick(struct db *db, int64_t now);
/* JSON of the file TEXT, which it points into. FRZ_CORRUPT. */
FRZ_NODISCARD int frz__watch_parse(slice text, slice *json, frz_error *err);
/* Asks; what the writer last said, appended. FRZ_NOT_FOUND: nobody has the database open for writing. FRZ_BUSY: somebody has, and has not answered yet. */
FRZ_NODISCARD int frz__watch_read(struct fs *fs, struct buf *out, frz_error *err);
#endif
