/* recover.h — the parts of open that look at what a crash left. */
#ifndef FRZ_ENGINE_RECOVER_H
#define FRZ_ENGINE_RECOVER_H
#include "engine/db.h"
/* Tables are loaded; KNOWN is what a first look at the log told. Sets sequences; single-threaded. */
FRZ_NODISCARD int frz__recover_log(struct db *db, struct wal_report *known, frz_error *err); /* KNOWN: the first look; becomes the second */
/* Removes the files that a crash left in T's folders, and puts those that expired before into T's pending list. flush_mu held, or single-threaded. */
FRZ_NODISCARD int frz__recover_sweep(struct table *t, frz_error *err);
/* Operations that the log holds of a table that is gone without having been dropped. */
struct lost_table {
    uint8_t uuid[16];
    char name[208];
    uint64_t operations, last; /* last: sequence */
    uint64_t segment;          /* where they begin */
};
#define LOST_DIR_BYTES 96
void frz__lost_dir(const struct db *db, const struct lost_table *l, char out[LOST_DIR_BYTES]);
/* Copies them out of the log, each table's into a log of its own, and syncs that. What an earlier open put there is not put there again. */
FRZ_NODISCARD int frz__lost_keep(struct db *db, const struct lost_table *lost, size_t count, frz_error *err);
#endif
