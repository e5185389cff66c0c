/* trash.h — .frazil/trash: where folders of dropped tables go by one rename, and are removed file by file.
 *
 * Design      a folder is removed as it is: other engines put files into folders of folders (data/day=2026-11-21/…), hidden ones too
 * Invariants  (1) a symbolic link is removed, never followed  (2) what can't be removed is in the way of nothing else: all that can go goes, and the first error is told
 * Crash       what is left is found by the next open
 * Threads     any; two that empty it at once meet files that are gone already                                                                  */
#ifndef FRZ_ENGINE_TRASH_H
#define FRZ_ENGINE_TRASH_H
#include "engine/db.h"

#define TRASH_DIR ".frazil/trash"
/* Of all that is in DIR, a folder of the trash. */
FRZ_NODISCARD int frz__trash_bytes(struct db *db, const char *dir, uint64_t *bytes, frz_error *err);
FRZ_NODISCARD int frz__trash_empty(struct db *db, frz_error *err);
#endif
