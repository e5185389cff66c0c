/* recover.h — the parts of open that look at what a crash left. */
#ifndef FRZ_ENGINE_RECOVER_H
#define FRZ_ENGINE_RECOVER_H
#include "engine/db.h"
/* Tables are loaded; KNOWN is what a first look at the log told, and becomes the second. Sets sequences; single-threaded. The log may have rows of tables that are not there, and were not dropped: up to number
 * *STRANGE the log callback is told of them; if there are later ones it is not, and *STRANGE becomes the last one's number: a writer beside may have made it since. Else it becomes 0. */
FRZ_NODISCARD int frz__recover_log(struct db *db, struct wal_report *known, uint64_t *strange, frz_error *err);
/* Removes the files that a crash left in T's folders, and puts those that expired before into T's pending list. flush_mu held, or single-threaded. */
FRZ_NODISCARD int frz__recover_sweep(struct table *t, frz_error *err);
#endif
