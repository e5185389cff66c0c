/* The tree in memory under one mutex: for tests, and for tables that are to go with the process. */
#include "io/fs_mem_int.h"

#include "base/clock.h"

static struct memfs_tree *tree(struct fs *fs) { return (struct memfs_tree *)fs; }
static struct memfs_file *file(struct file *f) { return (struct memfs_file *)f; }
static struct memfs_tree *lock(struct fs *fs)
{
    frz__mutex_lock(&tree(fs)->mu);
    return tree(fs);
}
static int unlock(struct fs *fs, int rc)
{
    frz__mutex_unlock(&tree(fs)->mu);
    return rc;
}

static int m_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct file **out, frz_error *err)
{
    bool created;
    return unlock(fs, frz__memfs_open(lock(fs), path, mode, out, &created, err));
}
static int m_read(struct file *f, uint64_t offset, void *out, size_t len, size_t *got, frz_error *err)
{
    lock(f->fs);
    frz__memfs_read(file(f), offset, out, len, got);
    return unlock(f->fs, FRZ_OK);
}
static int m_write(struct file *f, uint64_t offset, const void *data, size_t len, frz_error *err)
{
    lock(f->fs);
    file(f)->inode->mtime_us = frz__clock_wall_us();
    return unlock(f->fs, frz__memfs_write(&file(f)->inode->data, offset, data, len, f->path, err));
}
static int m_sync(struct file *f, enum sync_site site, frz_error *err) { return FRZ_OK; }
static int m_allocate(struct file *f, uint64_t bytes, frz_error *err)
{
    lock(f->fs);
    struct buf *d = &file(f)->inode->data;
    return unlock(f->fs, bytes > d->len ? frz__memfs_resize(d, bytes, f->path, err) : FRZ_OK);
}
static int m_truncate(struct file *f, uint64_t bytes, frz_error *err)
{
    lock(f->fs);
    return unlock(f->fs, frz__memfs_resize(&file(f)->inode->data, bytes, f->path, err));
}
static int m_size(struct file *f, uint64_t *bytes, frz_error *err)
{
    lock(f->fs);
    *bytes = file(f)->inode->data.len;
    return unlock(f->fs, FRZ_OK);
}
static int m_lock(struct file *f, bool *got, frz_error *err)
{
    lock(f->fs);
    const struct memfs_file **by = &file(f)->inode->locked_by;
    if (!*by) *by = file(f);
    *got = *by == file(f);
    return unlock(f->fs, FRZ_OK);
}
static int m_is_locked(struct file *f, bool *out, frz_error *err)
{
    lock(f->fs);
    const struct memfs_file *by = file(f)->inode->locked_by;
    *out = by && by != file(f);
    return unlock(f->fs, FRZ_OK);
}
static int m_close(struct file *f, frz_error *err)
{
    struct fs *fs = f->fs;
    frz__memfs_close(lock(fs), file(f));
    return unlock(fs, FRZ_OK);
}
static int m_rename(struct fs *fs, const char *from, const char *to, frz_error *err) { return unlock(fs, frz__memfs_rename(lock(fs), from, to, true, err)); }
static int m_link_new(struct fs *fs, const char *from, const char *to, frz_error *err) { return unlock(fs, frz__memfs_rename(lock(fs), from, to, false, err)); }
static int m_unlink(struct fs *fs, const char *path, frz_error *err) { return unlock(fs, frz__memfs_unlink(lock(fs), path, false, err)); }
static int m_mkdir(struct fs *fs, const char *path, frz_error *err) { return unlock(fs, frz__memfs_mkdir(lock(fs), path, err)); }
static int m_rmdir(struct fs *fs, const char *path, frz_error *err) { return unlock(fs, frz__memfs_unlink(lock(fs), path, true, err)); }
static int m_list(struct fs *fs, const char *dir, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx, frz_error *err)
{
    struct memfs_listing l;
    int rc = unlock(fs, frz__memfs_list(lock(fs), dir, &l, err));
    return rc == FRZ_OK ? frz__memfs_list_call(&l, fn, ctx) : rc;
}
static int m_sync_dir(struct fs *fs, const char *dir, enum sync_site site, frz_error *err)
{
    struct fs_stat st = {0};
    int rc = unlock(fs, frz__memfs_stat(lock(fs), dir, &st, err));
    return rc == FRZ_OK && !st.is_dir ? frz__err(err, FRZ_IO, "sync directory %s: not a directory", dir) : rc;
}
static int m_stat(struct fs *fs, const char *path, struct fs_stat *out, frz_error *err) { return unlock(fs, frz__memfs_stat(lock(fs), path, out, err)); }
static int m_link_from(struct fs *to_fs, const char *to, struct fs *from_fs, const char *from, frz_error *err)
{
    if (from_fs != to_fs) return frz__err(err, FRZ_UNSUPPORTED, "link %s to %s: they are on different file systems", from, to);
    return unlock(to_fs, frz__memfs_link(lock(to_fs), from, to, err));
}
static void m_free(struct fs *fs)
{
    frz__fs_tree_clear(tree(fs));
    frz__free(fs->a, fs);
}

static const struct fs_ops mem_ops = {m_open,   m_read,     m_write,  m_sync,  m_allocate, m_truncate, m_size,     m_lock, m_close,
                                      m_rename, m_link_new, m_unlink, m_mkdir, m_rmdir,    m_list,     m_sync_dir, m_stat, NULL, m_free, m_link_from, NULL,
                                      m_is_locked};

int frz__fs_mem_new(const allocator *a, struct fs **out, frz_error *err)
{
    struct memfs_tree *t;
    *out = NULL;
    TRY(ALLOC_NEW(&t, a, struct memfs_tree, err));
    int rc = frz__fs_tree_init(t, a, &mem_ops, err);
    if (rc < 0) frz__free(a, t);
    else *out = &t->fs;
    return rc;
}
