/* durable.h — the write orders that survive a crash, written once. Each sync in durable.c is there because a named test fails without it.
 *
 *     frz__durable_publish_new   temp, write, sync, link to NAME (never replacing), sync dir                → a name that is there is whole
 *     frz__durable_replace       temp, write, sync, rename over NAME [, sync dir]                          → old or new, never half
 *     frz__durable_batch         several new files: all written, then all synced, then their directories once: one round                      */
#ifndef FRZ_IO_DURABLE_H
#define FRZ_IO_DURABLE_H
#include "io/fs.h"

/* TEMP is a hidden name in the same directory (".tmp-…"). FRZ_EXISTS: somebody else was first; nothing is left behind. UNKNOWN (may be NULL) is set where the link was made and
 * the directory's sync failed: the name may or may not survive. */
FRZ_NODISCARD int frz__durable_publish_new(struct fs *fs, const char *temp, const char *name, slice bytes, bool *unknown, frz_error *err);
FRZ_NODISCARD int frz__durable_replace(struct fs *fs, const char *temp, const char *name, slice bytes, bool sync_dir, frz_error *err);

struct durable_file { const char *path; slice bytes; };
/* New files (FRZ_EXISTS if one is there). OPEN: files that were written already and are only to be synced with the rest; not closed here. */
FRZ_NODISCARD int frz__durable_batch(struct fs *fs, const struct durable_file *files, size_t count, struct file *const *open, size_t open_count, frz_error *err);
#endif
