#include "io/durable.h"

#include <string.h>

#define OPEN_MAX 64 /* files of a batch that are open at once */

static size_t dir_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static int sync_parent(struct fs *fs, const char *path, enum sync_site site, frz_error *err)
{
    char *dir = frz__strndup(fs->a, path, dir_len(path));
    if (!dir) return frz__err_no_memory(err, dir_len(path) + 1);
    int rc = frz__fs_sync_dir(fs, dir, site, err);
    frz__free(fs->a, dir);
    return rc;
}

/* The clean-up after a failure: what remains is a hidden file that the next open sweeps. */
static void remove_quietly(struct fs *fs, const char *path)
{
    int rc = frz__fs_unlink(fs, path, NULL);
    (void)rc;
}

/* TEMP, whole and synced. A leftover of that name is nobody's. */
static int write_temp(struct fs *fs, const struct durable_name *n, slice bytes, frz_error *err)
{
    const char *temp = n->temp;
    struct file *f = NULL;
    int rc = frz__fs_open(fs, temp, FS_OPEN_CREATE_NEW, &f, err);
    if (rc == FRZ_EXISTS) {
        TRY(frz__fs_unlink(fs, temp, err));
        rc = frz__fs_open(fs, temp, FS_OPEN_CREATE_NEW, &f, err);
        if (rc == FRZ_EXISTS) return frz__err(err, FRZ_IO, "create %s: the temporary name is in use", temp);
    }
    if (rc != FRZ_OK) return rc;
    CHECK(frz__file_write(f, 0, bytes.data, bytes.len, err));
    CHECK(frz__file_sync(f, n->file_site, err)); /* before the name: else the name may be there and the bytes not */
done:
    rc = frz__first(rc, frz__file_close(f, rc < 0 ? NULL : err));
    if (rc < 0) remove_quietly(fs, temp);
    return rc;
}

int frz__durable_publish_new(struct fs *fs, const struct durable_name *n, slice bytes, bool *unknown, frz_error *err)
{
    if (unknown) *unknown = false;
    TRY(write_temp(fs, n, bytes, err));
    int rc = frz__fs_link_new(fs, n->temp, n->name, err);
    if (rc != FRZ_OK) {
        remove_quietly(fs, n->temp);
        if (unknown) *unknown = rc == FRZ_IO; /* it may have been made all the same */
        return rc;
    }
    rc = sync_parent(fs, n->name, n->dir_site, err); /* else a name that was acknowledged may be gone */
    if (unknown) *unknown = rc < 0;
    return rc;
}

int frz__durable_replace(struct fs *fs, const struct durable_name *n, slice bytes, frz_error *err)
{
    TRY(write_temp(fs, n, bytes, err));
    int rc = frz__fs_rename(fs, n->temp, n->name, err);
    if (rc < 0) {
        remove_quietly(fs, n->temp);
        return rc;
    }
    return n->dir_site ? sync_parent(fs, n->name, n->dir_site, err) : FRZ_OK;
}

/* Files are written before the first of them is synced, so that one flush of the device may serve them all. *MADE counts those whose name is there. */
static int write_some(struct fs *fs, const struct durable_file *files, size_t count, size_t *made, frz_error *err)
{
    struct file *open[OPEN_MAX];
    size_t opened = 0;
    int rc = FRZ_OK;
    for (; opened < count; opened++) {
        rc = frz__fs_open(fs, files[opened].path, FS_OPEN_CREATE_NEW, &open[opened], err);
        if (rc != FRZ_OK) goto done;
        ++*made;
        rc = frz__file_write(open[opened], 0, files[opened].bytes.data, files[opened].bytes.len, err);
        if (rc < 0) {
            opened++;
            goto done;
        }
    }
    for (size_t i = 0; i < opened; i++) CHECK(frz__file_sync(open[i], files[i].site, err));
done:
    for (size_t i = 0; i < opened; i++) {
        int closed = frz__file_close(open[i], rc == FRZ_OK ? err : NULL);
        if (rc == FRZ_OK) rc = closed;
    }
    return rc;
}

static bool same_dir(const char *a, const char *b) { return dir_len(a) == dir_len(b) && memcmp(a, b, dir_len(a)) == 0; }
static bool dir_seen(const struct durable_file *files, size_t count, const char *path)
{
    for (size_t i = count; i-- > 0;)
        if (same_dir(files[i].path, path)) return true;
    return false;
}

int frz__durable_batch(struct fs *fs, const struct durable_batch *b, frz_error *err)
{
    size_t made = 0;
    int rc = FRZ_OK;
    for (size_t i = 0; i < b->count; i += OPEN_MAX) {
        rc = write_some(fs, b->files + i, b->count - i < OPEN_MAX ? b->count - i : OPEN_MAX, &made, err);
        if (rc != FRZ_OK) goto done;
    }
    for (size_t i = 0; i < b->open_count; i++)
        if (b->open[i].site != SYNC_NONE) CHECK(frz__file_sync(b->open[i].file, b->open[i].site, err));
    for (size_t i = 0; i < b->count; i++)
        if (!dir_seen(b->files, i, b->files[i].path)) CHECK(sync_parent(fs, b->files[i].path, b->files_dir, err));
    for (size_t i = 0; i < b->open_count; i++) {
        const char *path = b->open[i].file->path;
        bool seen = dir_seen(b->files, b->count, path);
        for (size_t j = 0; j < i && !seen; j++) seen = same_dir(b->open[j].file->path, path);
        if (!seen) CHECK(sync_parent(fs, path, b->open_dir, err));
    }
done:
    for (size_t i = 0; rc != FRZ_OK && i < made; i++) remove_quietly(fs, b->files[i].path); /* all or none: MADE are the first ones */
    return rc;
}
