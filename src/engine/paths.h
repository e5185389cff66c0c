/* paths.h — paths of a table's files: made, taken apart, listed. A path that does not fit is an error, never a shorter path. */
#ifndef FRZ_ENGINE_PATHS_H
#define FRZ_ENGINE_PATHS_H
#include "engine/db.h"

#define PATH_BYTES     1024 /* relative to the warehouse, NUL included: a table's folder, its subfolder, a name of 255 bytes and more */

/* As printf. FRZ_TOO_LARGE. */
FRZ_NODISCARD int frz__path(char out[PATH_BYTES], frz_error *err, const char *fmt, ...) FRZ_PRINTF(3, 4);
/* flush_mu held. A new file in T's data folder, its path relative to the warehouse, and the one that manifests say; the caller owns all three. */
FRZ_NODISCARD int frz__data_file_new(struct table *t, const char *name, struct file **out, char **path, char **uri, frz_error *err);
/* Names of the files in DIR, or of its folders but the hidden ones; each with a NUL behind it. FRZ_NOT_FOUND. */
FRZ_NODISCARD int frz__names_list(struct fs *fs, const char *dir, bool dirs, struct buf *names, frz_error *err);
/* The next one; NULL behind the last. AT is 0 to begin. */
const char *frz__names_next(const struct buf *names, size_t *at);
#endif
