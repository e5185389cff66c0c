/* The dispatchers: what holds for every file system is checked here, once. */
#include "io/fs.h"

#include <string.h>

#define PATH_BYTES_MAX 4000
#define NAME_BYTES_MAX 255

static int check_path(const char *path, bool root_too, frz_error *err)
{
    if (*path == 0) return root_too ? FRZ_OK : frz__err(err, FRZ_INVALID, "an empty path");
    for (const char *p = path, *end;; p = end + 1) {
        end = strchrnul(p, '/');
        size_t len = (size_t)(end - p);
        bool dots = (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.');
        if (len == 0 || dots || len > NAME_BYTES_MAX || end - path > PATH_BYTES_MAX)
            return frz__err(err, FRZ_INVALID, "path \"%.200s\": %s", path,
                            len == 0 && p == path ? "it must be relative" : len == 0 ? "an empty component" : dots ? "a component of dots" : "it is too long");
        if (*end == 0) return FRZ_OK;
    }
}

static int check_write(struct fs *fs, const char *path, frz_error *err)
{
    if (!fs->remote) return FRZ_OK;
    return frz__err(err, FRZ_UNSUPPORTED, "%s: %s is on %s, where locks and syncs do not hold what they promise: it is read only unless asked for", path, fs->root, fs->remote);
}

/* FRZ_NOT_FOUND and FRZ_EXISTS are outcomes, which callers' checks let pass: they get out only where fs.h promises them. Elsewhere what is missing, or in the way, is an error. */
enum { MAY_MISS = 1, MAY_EXIST = 2 };
static int outcome(int rc, unsigned allowed, frz_error *err)
{
    if (rc <= 0 || (rc == FRZ_NOT_FOUND && allowed & MAY_MISS) || (rc == FRZ_EXISTS && allowed & MAY_EXIST)) return rc;
    if (err) err->code = FRZ_IO;
    return FRZ_IO;
}

int frz__must_exist(int rc, frz_error *err)
{
    if (rc != FRZ_NOT_FOUND) return rc;
    frz_error was = err ? *err : (frz_error){0};
    rc = frz__err_corrupt(err, "%s", was.message);
    if (err) err->os_errno = was.os_errno;
    return rc;
}

static int check_change(struct fs *fs, const char *path, frz_error *err)
{
    TRY(check_path(path, false, err));
    return check_write(fs, path, err);
}

void frz__fs_free(struct fs *fs)
{
    if (fs) fs->ops->free(fs);
}

int frz__fs_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct file **out, frz_error *err)
{
    *out = NULL;
    TRY(check_path(path, false, err));
    if (mode != FS_OPEN_READ) TRY(check_write(fs, path, err));
    char *copy = frz__strdup(fs->a, path);
    if (!copy) return frz__err_no_memory(err, strlen(path) + 1);
    unsigned allowed = mode == FS_OPEN_CREATE_NEW ? MAY_EXIST : mode == FS_OPEN_APPEND_OR_CREATE ? 0 : MAY_MISS;
    int rc = outcome(fs->ops->open(fs, path, mode, out, err), allowed, err);
    if (rc != FRZ_OK) {
        frz__free(fs->a, copy);
        return rc;
    }
    (*out)->fs = fs->base ? fs->base : fs;
    (*out)->path = copy;
    (*out)->writable = mode != FS_OPEN_READ;
    return FRZ_OK;
}

int frz__file_close(struct file *f, frz_error *err)
{
    if (!f) return FRZ_OK;
    struct fs *fs = f->fs;
    char *path = f->path;
    int rc = fs->ops->close(f, err); /* gone, whatever it says */
    frz__free(fs->a, path);
    return rc;
}

/* Off_t is signed. */
static int check_range(const struct file *f, uint64_t offset, uint64_t len, frz_error *err)
{
    if (offset <= INT64_MAX && len <= INT64_MAX - offset) return FRZ_OK;
    return frz__err(err, FRZ_TOO_LARGE, "%s: %" PRIu64 " bytes at %" PRIu64 " are beyond what a file can hold", f->path, len, offset);
}

int frz__file_read(struct file *f, uint64_t offset, void *out, size_t len, size_t *got, frz_error *err)
{
    *got = 0;
    TRY(check_range(f, offset, len, err));
    return len ? f->fs->ops->read(f, offset, out, len, got, err) : FRZ_OK;
}

int frz__file_read_full(struct file *f, uint64_t offset, void *out, size_t len, frz_error *err)
{
    size_t got;
    TRY(frz__file_read(f, offset, out, len, &got, err));
    if (got == len) return FRZ_OK;
    return frz__err_corrupt(err, "%s: ends at byte %" PRIu64 ", expected %zu bytes at %" PRIu64, f->path, offset + got, len, offset);
}

static int check_writable(const struct file *f, frz_error *err)
{
    return f->writable ? FRZ_OK : frz__err(err, FRZ_MISUSE, "%s: opened to be read", f->path);
}

int frz__file_write(struct file *f, uint64_t offset, const void *data, size_t len, frz_error *err)
{
    TRY(check_writable(f, err));
    TRY(check_range(f, offset, len, err));
    return len ? f->fs->ops->write(f, offset, data, len, err) : FRZ_OK;
}

int frz__file_sync(struct file *f, enum sync_site site, frz_error *err)
{
    TRY(check_writable(f, err));
    if (atomic_load(&f->sync_failed)) return frz__err(err, FRZ_IO, "%s: an earlier sync failed, and another would say nothing about what was written before it", f->path);
    int rc = f->fs->ops->sync(f, site, err);
    if (rc < 0) atomic_store(&f->sync_failed, true);
    return rc;
}

int frz__file_allocate(struct file *f, uint64_t bytes, frz_error *err)
{
    TRY(check_writable(f, err));
    TRY(check_range(f, 0, bytes, err));
    return bytes ? f->fs->ops->allocate(f, bytes, err) : FRZ_OK;
}

int frz__file_clone(struct file *from, struct file *to, frz_error *err)
{
    TRY(check_writable(to, err));
    if (!to->fs->ops->clone || to->fs->ops != from->fs->ops) return frz__err(err, FRZ_UNSUPPORTED, "clone %s to %s: this file system can't", from->path, to->path);
    return to->fs->ops->clone(to, from, err);
}

int frz__file_truncate(struct file *f, uint64_t bytes, frz_error *err)
{
    TRY(check_writable(f, err));
    TRY(check_range(f, 0, bytes, err));
    return f->fs->ops->truncate(f, bytes, err);
}

int frz__file_size(struct file *f, uint64_t *bytes, frz_error *err) { return f->fs->ops->size(f, bytes, err); }

int frz__file_lock(struct file *f, bool *got, frz_error *err)
{
    *got = false;
    return f->fs->ops->lock(f, got, err);
}

int frz__file_is_locked(struct file *f, bool *out, frz_error *err)
{
    *out = true;
    return f->fs->ops->is_locked(f, out, err);
}

int frz__fs_rename(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    TRY(check_change(fs, from, err));
    TRY(check_change(fs, to, err));
    return outcome(fs->ops->rename(fs, from, to, err), 0, err);
}

int frz__fs_link_new(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    TRY(check_change(fs, from, err));
    TRY(check_change(fs, to, err));
    return outcome(fs->ops->link_new(fs, from, to, err), MAY_EXIST, err);
}

int frz__fs_link(struct fs *from_fs, const char *from, struct fs *to_fs, const char *to, frz_error *err)
{
    TRY(check_path(from, false, err));
    TRY(check_change(to_fs, to, err));
    char old[FS_SUB_PATH_BYTES], name[FS_SUB_PATH_BYTES];
    TRY(frz__fs_sub_path(&from_fs, from, old, err));
    TRY(frz__fs_sub_path(&to_fs, to, name, err));
    if (!to_fs->ops->link_from) return frz__err(err, FRZ_UNSUPPORTED, "link %s to %s: this file system has no links", from, to);
    return outcome(to_fs->ops->link_from(to_fs, name, from_fs, old, err), MAY_MISS | MAY_EXIST, err);
}

int frz__fs_unlink(struct fs *fs, const char *path, frz_error *err)
{
    TRY(check_change(fs, path, err));
    return outcome(fs->ops->unlink(fs, path, err), MAY_MISS, err);
}

int frz__fs_mkdir(struct fs *fs, const char *path, frz_error *err)
{
    TRY(check_change(fs, path, err));
    return outcome(fs->ops->mkdir(fs, path, err), MAY_EXIST, err);
}

int frz__fs_rmdir(struct fs *fs, const char *path, frz_error *err)
{
    TRY(check_change(fs, path, err));
    return outcome(fs->ops->rmdir(fs, path, err), MAY_MISS, err);
}

int frz__fs_list(struct fs *fs, const char *dir, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx, frz_error *err)
{
    TRY(check_path(dir, true, err));
    return fs->ops->list(fs, dir, fn, ctx, err);
}

int frz__fs_sync_dir(struct fs *fs, const char *dir, enum sync_site site, frz_error *err)
{
    TRY(check_path(dir, true, err));
    return outcome(fs->ops->sync_dir(fs, dir, site, err), 0, err);
}

int frz__fs_stat(struct fs *fs, const char *path, struct fs_stat *out, frz_error *err)
{
    *out = (struct fs_stat){0};
    TRY(check_path(path, true, err));
    return outcome(fs->ops->stat(fs, path, out, err), MAY_MISS, err);
}

bool frz__fs_is(struct fs *fs, const char *path, const char *absolute) { return fs->ops->is && check_path(path, true, NULL) >= 0 && fs->ops->is(fs, path, absolute); }

int frz__fs_exists(struct fs *fs, const char *path, bool *out, frz_error *err)
{
    struct fs_stat st;
    int rc = frz__fs_stat(fs, path, &st, err);
    *out = rc == FRZ_OK;
    if (rc != FRZ_NOT_FOUND) return rc;
    frz__err_clear(err);
    return FRZ_OK;
}

int frz__fs_read_file(struct fs *fs, const char *path, size_t max, struct buf *out, frz_error *err)
{
    struct file *f;
    uint64_t bytes = 0;
    size_t got = 0;
    int rc = FRZ_OK;
    rc = frz__fs_open(fs, path, FS_OPEN_READ, &f, err);
    if (rc != FRZ_OK) return rc;
    CHECK(frz__file_size(f, &bytes, err));
    if (bytes > max) {
        rc = frz__err(err, FRZ_TOO_LARGE, "%s: has %" PRIu64 " bytes, at most %zu are read", path, bytes, max);
        goto done;
    }
    CHECK_CTX(buf_reserve(out, (size_t)bytes, err), err, "%s", path);
    CHECK(frz__file_read(f, 0, out->data + out->len, (size_t)bytes, &got, err));
    out->len += got;
done:
    return frz__first(rc, frz__file_close(f, rc < 0 ? NULL : err));
}
