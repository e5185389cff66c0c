/* durable.h — the write orders that survive a crash, written once. Each sync in durable.c is there because a named test fails without it.
 *
 *     frz__durable_publish_new   temp, write, sync, link to NAME (never replacing), sync dir                → a name that is there is whole
 *     frz__durable_replace       temp, write, sync, rename over NAME [, sync dir]                          → old or new, never half
 *     frz__durable_batch         several new files: all written, then all synced, then their directories once: one round                      */
#ifndef FRZ_IO_DURABLE_H
#define FRZ_IO_DURABLE_H
#include "io/fs.h"

/* TEMP is a hidden name in the same directory as NAME (".tmp-…"). The sites name the syncs of the file and of its directory. */
struct durable_name { const char *temp, *name; enum sync_site file_site, dir_site; };
/* FRZ_EXISTS: somebody else was first; nothing is left behind. UNKNOWN (may be NULL) is set where the link was made and
 * the directory's sync failed: the name may or may not survive. */
FRZ_NODISCARD int frz__durable_publish_new(struct fs *fs, const struct durable_name *n, slice bytes, bool *unknown, frz_error *err);
/* dir_site SYNC_NONE: the directory is not synced. */
FRZ_NODISCARD int frz__durable_replace(struct fs *fs, const struct durable_name *n, slice bytes, frz_error *err);

struct durable_file { const char *path; slice bytes; enum sync_site site; };
struct durable_open { struct file *file; enum sync_site site; }; /* SYNC_NONE: it was synced, its directory was not */
struct durable_batch {
    const struct durable_file *files; /* new ones (FRZ_EXISTS if one is there) */
    size_t count;
    const struct durable_open *open; /* written already, and only to be synced with the rest; not closed here */
    size_t open_count;
    enum sync_site files_dir, open_dir; /* of their directories */
};
FRZ_NODISCARD int frz__durable_batch(struct fs *fs, const struct durable_batch *b, frz_error *err);
#endif
