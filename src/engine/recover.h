/* recover.h — the parts of open that look at what a crash left. */
#ifndef FRZ_ENGINE_RECOVER_H
#define FRZ_ENGINE_RECOVER_H
#include "engine/db.h"
/* Tables are loaded; KNOWN is what a first look at the log told. Sets sequences; single-threaded. */
FRZ_NODISCARD int frz__recover_log(struct db *db, struct wal_report *known, frz_error *err); /* KNOWN: the first look; becomes the second */
/* Removes the files that a crash left in T's folders, and puts those that expired before into T's pending list. flush_mu held, or single-threaded. */
FRZ_NODISCARD int frz__recover_sweep(struct table *t, frz_error *err);
#endif
