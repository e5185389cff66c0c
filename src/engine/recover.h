/* recover.h — the parts of open that look at what a crash left. */
#ifndef FRZ_ENGINE_RECOVER_H
#define FRZ_ENGINE_RECOVER_H
#include "engine/db.h"
/* Tables are loaded; KNOWN is what a first look at the log told, and becomes the second. Sets sequences; single-threaded. The log may have rows of tables that are not there, and were not dropped: up to number
 * *STRANGE the log callback is told of them; if there are later ones it is not, and *STRANGE becomes the last one's number: a writer beside may have made it since. Else it becomes 0. */
FRZ_NODISCARD int frz__recover_log(struct db *db, struct wal_report *known, uint64_t *strange, frz_error *err);
/* A table's metadata is older than the log says: an older copy of it was put in its place, or, beside a writer, it was published since. Single-threaded, after frz__recover_log, which gave REPORT. */
bool frz__recover_is_behind(const struct db *db);
/* Says so: what the log still has is back; what was published and recycled is not, and the table is marked (hazards 9). */
FRZ_NODISCARD int frz__recover_tell_behind(struct db *db, const struct wal_report *report, frz_error *err);
/* Operations that the log holds of a table that is gone without having been dropped. */
struct lost_table {
    uint8_t uuid[16];
    char name[208];
    uint64_t table_no; /* the highest that it had */
    uint64_t operations, last; /* last: sequence */
    uint64_t segment;          /* where they begin */
};
#define LOST_DIR_BYTES 96
void frz__lost_dir(const struct db *db, const struct lost_table *l, char out[LOST_DIR_BYTES]);
/* Copies them out of the log, each table's into a log of its own, and syncs that. What an earlier open put there is not put there again. */
FRZ_NODISCARD int frz__lost_keep(struct db *db, const struct lost_table *lost, size_t count, frz_error *err);
#endif
