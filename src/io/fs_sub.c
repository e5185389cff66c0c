/* A folder of a file system as a file system of its own: paths are put behind the folder's, and all else is the base's. */
#include "io/fs.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES FS_SUB_PATH_BYTES
struct sub_fs {
    struct fs fs;
    const char *dir;
    char root[]; /* the base's root and DIR */
};
static struct sub_fs *sub(struct fs *fs) { return (struct sub_fs *)fs; }

static int join(struct fs *fs, const char *path, char out[PATH_BYTES], frz_error *err)
{
    const char *dir = sub(fs)->dir;
    int n = snprintf(out, PATH_BYTES, "%s%s%s", dir, *dir && *path ? "/" : "", path);
    return n >= 0 && n < PATH_BYTES ? FRZ_OK : frz__err(err, FRZ_TOO_LARGE, "path \"%.200s\": it is too long", path);
}

static int s_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct file **out, frz_error *err)
{
    char full[PATH_BYTES];
    TRY(join(fs, path, full, err));
    return fs->base->ops->open(fs->base, full, mode, out, err);
}
static int s_rename(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    char a[PATH_BYTES], b[PATH_BYTES];
    TRY(join(fs, from, a, err));
    TRY(join(fs, to, b, err));
    return fs->base->ops->rename(fs->base, a, b, err);
}
static int s_link_new(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    char a[PATH_BYTES], b[PATH_BYTES];
    TRY(join(fs, from, a, err));
    TRY(join(fs, to, b, err));
    return fs->base->ops->link_new(fs->base, a, b, err);
}
static int s_unlink(struct fs *fs, const char *path, frz_error *err)
{
    char full[PATH_BYTES];
    TRY(join(fs, path, full, err));
    return fs->base->ops->unlink(fs->base, full, err);
}
static int s_mkdir(struct fs *fs, const char *path, frz_error *err)
{
    char full[PATH_BYTES];
    TRY(join(fs, path, full, err));
    return fs->base->ops->mkdir(fs->base, full, err);
}
static int s_rmdir(struct fs *fs, const char *path, frz_error *err)
{
    char full[PATH_BYTES];
    TRY(join(fs, path, full, err));
    return fs->base->ops->rmdir(fs->base, full, err);
}
static int s_list(struct fs *fs, const char *dir, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx, frz_error *err)
{
    char full[PATH_BYTES];
    TRY(join(fs, dir, full, err));
    return fs->base->ops->list(fs->base, full, fn, ctx, err);
}
static int s_sync_dir(struct fs *fs, const char *dir, enum sync_site site, frz_error *err)
{
    char full[PATH_BYTES];
    TRY(join(fs, dir, full, err));
    return fs->base->ops->sync_dir(fs->base, full, site, err);
}
static int s_stat(struct fs *fs, const char *path, struct fs_stat *out, frz_error *err)
{
    char full[PATH_BYTES];
    TRY(join(fs, path, full, err));
    return fs->base->ops->stat(fs->base, full, out, err);
}
static bool s_is(struct fs *fs, const char *path, const char *absolute)
{
    char full[PATH_BYTES];
    return fs->base->ops->is && join(fs, path, full, NULL) >= 0 && fs->base->ops->is(fs->base, full, absolute);
}
static void s_free(struct fs *fs) { frz__free(fs->a, fs); }

static const struct fs_ops sub_ops = {.open = s_open, .rename = s_rename, .link_new = s_link_new, .unlink = s_unlink, .mkdir = s_mkdir, .rmdir = s_rmdir, .list = s_list,
                                      .sync_dir = s_sync_dir, .stat = s_stat, .is = s_is, .free = s_free};

int frz__fs_sub_path(struct fs **fs, const char *path, char out[PATH_BYTES], frz_error *err)
{
    if (!(*fs)->base) {
        int n = snprintf(out, PATH_BYTES, "%s", path);
        return n >= 0 && n < PATH_BYTES ? FRZ_OK : frz__err(err, FRZ_TOO_LARGE, "path \"%.200s\": it is too long", path);
    }
    TRY(join(*fs, path, out, err));
    *fs = (*fs)->base;
    return FRZ_OK;
}

int frz__fs_sub_new(struct fs *base, const char *dir, struct fs **out, frz_error *err)
{
    char full[PATH_BYTES];
    struct fs_stat st;
    *out = NULL;
    int rc = frz__fs_stat(base, dir, &st, err);
    if (rc != FRZ_OK) return rc;
    if (!st.is_dir) return frz__err(err, FRZ_INVALID, "%s: not a directory", dir);
    TRY(frz__fs_sub_path(&base, dir, full, err));
    size_t root = strlen(base->root);
    struct sub_fs *s = (struct sub_fs *)frz__alloc_zero(base->a, sizeof *s + root + strlen(full) + 2);
    if (!s) return frz__err_no_memory(err, sizeof *s);
    snprintf(s->root, root + strlen(full) + 2, "%s/%s", base->root, full);
    s->dir = s->root + root + 1;
    s->fs = (struct fs){.ops = &sub_ops, .base = base, .a = base->a, .root = s->root, .remote = base->remote};
    *out = &s->fs;
    return FRZ_OK;
}
