/* table_list.h — the files that a version of a table names, by their paths in the warehouse. Threads: any; T and V are counted by the caller. */
#ifndef FRZ_SHIP_TABLE_LIST_H
#define FRZ_SHIP_TABLE_LIST_H
#include "engine/db.h"

/* Of the current snapshot: manifest list, manifests, data and delete files; with ALL, of every retained snapshot, and the metadata files themselves with their log and hint. BYTES: as metadata has it, 0 where it
 * does not. A file is given once. FRZ_NOT_FOUND: a manifest is gone. FN's result other than 0 stops and is given back. */
FRZ_NODISCARD int frz__table_list_files(struct table *t, const struct version *v, bool all, int (*fn)(void *ctx, const char *path, uint64_t bytes, frz_error *err), void *ctx, frz_error *err);
#endif
