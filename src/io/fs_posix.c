/* The real file system. Every path is resolved from the root's descriptor: by openat2 where the kernel has it, else component by component; neither follows a symbolic link. */
#include "io/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

struct posix_fs {
    struct fs fs;
    int root;
    bool has_openat2;
    char path[]; /* the root's, absolute */
};
struct posix_file {
    struct file f;
    int fd;
};
#define IO_BYTES_MAX ((size_t)1 << 30) /* of one call: Linux takes less than 2 GiB */

static _Atomic unsigned pretended;
void frz__test_fs_posix(unsigned pretend) { atomic_store(&pretended, pretend); }
static bool pretends(unsigned what) { return (atomic_load_explicit(&pretended, memory_order_relaxed) & what) != 0; }

static struct posix_fs *px(struct fs *fs) { return (struct posix_fs *)fs; }
static int fd_of(const struct file *f) { return ((const struct posix_file *)f)->fd; }

static int fail(frz_error *err, int e, const char *verb, const char *path)
{
    if (e == ELOOP) return frz__err(err, FRZ_UNSUPPORTED, "%s %s: a symbolic link is on the way, which is not followed", verb, path);
    return frz__err_os(err, e, "%s %s", verb, *path ? path : "the root");
}

/* ── from path to descriptor: each gives one, or -1 and errno ── */

static int open_at(int dir, const char *name, int flags)
{
    for (;;) {
        int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd >= 0 || errno != EINTR) return fd;
    }
}

static int open_beneath(int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW), .mode = flags & O_CREAT ? 0666 : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    for (;;) {
        long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd >= 0 || (errno != EINTR && errno != EAGAIN)) return (int)fd;
    }
}

/* O_NOFOLLOW with O_DIRECTORY says ENOTDIR of a symbolic link: told apart, so that both ways say the same. */
static int open_dir_at(int dir, const char *name, int flags)
{
    int fd = open_at(dir, name, flags | O_DIRECTORY);
    if (fd >= 0 || errno != ENOTDIR) return fd;
    struct stat st;
    errno = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
    return -1;
}

static int walk(int root, const char *path, int flags)
{
    char name[NAME_MAX + 1];
    int dir = root;
    for (;;) {
        const char *slash = strchrnul(path, '/');
        snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
        bool last = *slash == 0;
        int fd = !last ? open_dir_at(dir, name, O_PATH) : flags & O_DIRECTORY ? open_dir_at(dir, name, flags) : open_at(dir, name, flags);
        int e = errno;
        if (dir != root) close(dir);
        errno = e;
        if (last || fd < 0) return fd;
        dir = fd;
        path = slash + 1;
    }
}

static int open_path(struct posix_fs *p, const char *path, int flags)
{
    if (*path == 0) return open_at(p->root, ".", flags);
    int fd = p->has_openat2 && !pretends(FS_TEST_NO_OPENAT2) ? open_beneath(p->root, path, flags) : walk(p->root, path, flags);
    return fd < 0 && errno == ENOTDIR ? walk(p->root, path, flags) : fd; /* which can tell a symbolic link from a file */
}

/* The directory that PATH's last component NAME is in. */
static int open_parent(struct posix_fs *p, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash) return open_at(p->root, ".", O_PATH | O_DIRECTORY);
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    return open_path(p, dir, O_PATH | O_DIRECTORY);
}

/* ── files ── */

static int px_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct file **out, frz_error *err)
{
    static const int flags[] = {[FS_OPEN_READ] = O_RDONLY, [FS_OPEN_CREATE_NEW] = O_RDWR | O_CREAT | O_EXCL, [FS_OPEN_WRITE] = O_RDWR, [FS_OPEN_APPEND_OR_CREATE] = O_RDWR | O_CREAT};
    static const char *const verbs[] = {"open", "create", "open", "open"};
    struct posix_file *f;
    TRY(ALLOC_NEW(&f, fs->a, struct posix_file, err));
    int rc = FRZ_OK;
    struct stat st;
    f->fd = open_path(px(fs), path, flags[mode] | O_NONBLOCK); /* or a pipe would be waited for */
    if (f->fd < 0 || fstat(f->fd, &st) < 0) {
        rc = fail(err, errno, verbs[mode], path);
        goto failed;
    }
    if (S_ISDIR(st.st_mode)) rc = fail(err, EISDIR, verbs[mode], path);
    else if (!S_ISREG(st.st_mode)) rc = frz__err(err, FRZ_UNSUPPORTED, "open %s: not a regular file", path);
    if (rc < 0) goto failed;
    *out = &f->f;
    return FRZ_OK;
failed:
    if (f->fd >= 0) close(f->fd);
    frz__free(fs->a, f);
    return rc;
}

/* How much of LEN one call is to take. */
static size_t portion(size_t len)
{
    if (pretends(FS_TEST_SHORT)) return len < 7 ? len : 7;
    return len < IO_BYTES_MAX ? len : IO_BYTES_MAX;
}
static bool interrupted(void)
{
    static _Atomic unsigned count;
    return errno == EINTR || (pretends(FS_TEST_SHORT) && atomic_fetch_add(&count, 1) % 3 == 0);
}

static int px_read(struct file *f, uint64_t offset, void *out, size_t len, size_t *got, frz_error *err)
{
    while (*got < len) {
        errno = 0;
        if (pretends(FS_TEST_SHORT) && interrupted()) continue;
        ssize_t n = pread(fd_of(f), (char *)out + *got, portion(len - *got), (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return frz__err_os(err, errno, "read %zu bytes at %" PRIu64 " of %s", len, offset, f->path);
        if (n == 0) break;
        *got += (size_t)n;
    }
    return FRZ_OK;
}

static int px_write(struct file *f, uint64_t offset, const void *data, size_t len, frz_error *err)
{
    for (size_t done = 0; done < len;) {
        errno = 0;
        if (pretends(FS_TEST_SHORT) && interrupted()) continue;
        ssize_t n = pwrite(fd_of(f), (const char *)data + done, portion(len - done), (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return frz__err_os(err, n < 0 ? errno : ENOSPC, "write %zu bytes at %" PRIu64 " of %s", len, offset, f->path);
        done += (size_t)n;
    }
    return FRZ_OK;
}

static int px_sync(struct file *f, enum sync_site site, frz_error *err) { return fdatasync(fd_of(f)) == 0 ? FRZ_OK : fail(err, errno, "sync", f->path); }

static int px_size(struct file *f, uint64_t *bytes, frz_error *err)
{
    struct stat st;
    if (fstat(fd_of(f), &st) < 0) return fail(err, errno, "size of", f->path);
    *bytes = (uint64_t)st.st_size;
    return FRZ_OK;
}

static int px_allocate(struct file *f, uint64_t bytes, frz_error *err)
{
    static const char zeros[65536];
    int e = EOPNOTSUPP;
    if (!pretends(FS_TEST_NO_FALLOCATE)) do e = fallocate(fd_of(f), 0, 0, (off_t)bytes) == 0 ? 0 : errno; while (e == EINTR);
    if (e == 0) return FRZ_OK;
    if (e != EOPNOTSUPP && e != ENOSYS) return frz__err_os(err, e, "reserve %" PRIu64 " bytes of %s", bytes, f->path);
    uint64_t at; /* written out, then: what is there is kept */
    TRY(px_size(f, &at, err));
    for (; at < bytes; at += sizeof zeros) TRY(px_write(f, at, zeros, bytes - at < sizeof zeros ? (size_t)(bytes - at) : sizeof zeros, err));
    return FRZ_OK;
}

static int px_truncate(struct file *f, uint64_t bytes, frz_error *err)
{
    for (;;) {
        if (ftruncate(fd_of(f), (off_t)bytes) == 0) return FRZ_OK;
        if (errno != EINTR) return fail(err, errno, "truncate", f->path);
    }
}

static int px_lock(struct file *f, bool *got, frz_error *err)
{
    struct flock l = {.l_type = f->writable ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET}; /* all of it */
    if (fcntl(fd_of(f), F_OFD_SETLK, &l) == 0) *got = true;
    else if (errno != EAGAIN && errno != EACCES) return fail(err, errno, "lock", f->path);
    return FRZ_OK;
}

static int px_is_locked(struct file *f, bool *out, frz_error *err)
{
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET}; /* what an exclusive lock, and only that, is in the way of */
    if (fcntl(fd_of(f), F_OFD_GETLK, &l) < 0) return fail(err, errno, "look at the lock of", f->path);
    *out = l.l_type != F_UNLCK;
    return FRZ_OK;
}

static int px_close(struct file *f, frz_error *err)
{
    int rc = close(fd_of(f)) == 0 || errno == EINTR ? FRZ_OK : fail(err, errno, "close", f->path); /* Linux has closed it even then */
    frz__free(f->fs->a, f);
    return rc;
}

/* ── names ── */

static int px_rename(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    const char *from_name, *to_name;
    int e = 0, from_dir = open_parent(px(fs), from, &from_name), to_dir = -1;
    if (from_dir < 0) return fail(err, errno, "rename", from);
    to_dir = open_parent(px(fs), to, &to_name);
    if (to_dir < 0 || renameat(from_dir, from_name, to_dir, to_name) < 0) e = errno;
    if (to_dir >= 0) close(to_dir);
    close(from_dir);
    return e == 0 ? FRZ_OK : e == ELOOP ? fail(err, e, "rename", to) : frz__err_os(err, e, "rename %s to %s", from, to);
}

/* A no-replace rename is one step. Where there is none, a link and an unlink: what a crash leaves of FROM is a temporary name. */
static int move_new(int from_dir, const char *from, int to_dir, const char *to)
{
    int e = pretends(FS_TEST_NO_RENAME_NOREPLACE) ? EINVAL : renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0 ? 0 : errno;
    if (e != EINVAL && e != ENOSYS && e != EOPNOTSUPP) return e;
    e = pretends(FS_TEST_NO_LINK) ? EPERM : linkat(from_dir, from, to_dir, to, 0) == 0 ? 0 : errno;
    if (e == EEXIST) { /* NFS may send a link twice, and then says so of our own */
        struct stat a, b;
        if (fstatat(from_dir, from, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(to_dir, to, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino) e = 0;
    }
    if (e == 0) unlinkat(from_dir, from, 0); /* TO is there: nothing that happens to FROM undoes that */
    return e == EPERM || e == ENOSYS ? EOPNOTSUPP : e;
}

static int px_link_new(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    const char *from_name, *to_name;
    int e, from_dir = open_parent(px(fs), from, &from_name), to_dir = -1;
    if (from_dir < 0) return fail(err, errno, "link", from);
    to_dir = open_parent(px(fs), to, &to_name);
    e = to_dir < 0 ? errno : move_new(from_dir, from_name, to_dir, to_name);
    if (to_dir >= 0) close(to_dir);
    close(from_dir);
    if (e == 0) return FRZ_OK;
    if (e == EOPNOTSUPP)
        return frz__err(err, FRZ_UNSUPPORTED, "link %s to %s: %s is on a file system that can neither link nor rename without replacing: two writers could overwrite each other", from, to, fs->root);
    return e == ELOOP ? fail(err, e, "link", to) : frz__err_os(err, e, "link %s to %s", from, to);
}

static int px_link_from(struct fs *to_fs, const char *to, struct fs *from_fs, const char *from, frz_error *err)
{
    const char *from_name, *to_name;
    if (from_fs->ops != to_fs->ops || pretends(FS_TEST_OTHER_DEVICE)) return frz__err(err, FRZ_UNSUPPORTED, "link %s to %s: they are on different file systems", from, to);
    int e, from_dir = open_parent(px(from_fs), from, &from_name), to_dir = -1;
    if (from_dir < 0) return fail(err, errno, "link", from);
    to_dir = open_parent(px(to_fs), to, &to_name);
    if (to_dir < 0) e = errno == ENOENT ? ENOTDIR : errno; /* its folder is missing, not FROM */
    else e = linkat(from_dir, from_name, to_dir, to_name, 0) == 0 ? 0 : errno;
    if (to_dir >= 0) close(to_dir);
    close(from_dir);
    if (e == 0) return FRZ_OK;
    if (e == EXDEV || e == EPERM || e == EMLINK || e == ENOSYS || e == EOPNOTSUPP) return frz__err(err, FRZ_UNSUPPORTED, "link %s to %s: %s", from, to, strerror(e));
    return e == ELOOP ? fail(err, e, "link", to) : frz__err_os(err, e, "link %s to %s", from, to);
}

/* FICLONE. A file system that has it not, or not between these two, says so in many ways. */
static int px_clone(struct file *to, struct file *from, frz_error *err)
{
    int e = pretends(FS_TEST_OTHER_DEVICE) ? EXDEV : ioctl(fd_of(to), FICLONE, fd_of(from)) == 0 ? 0 : errno;
    if (e == 0) return FRZ_OK;
    if (e == ENOSPC || e == EIO || e == EDQUOT) return frz__err_os(err, e, "clone %s to %s", from->path, to->path);
    return frz__err(err, FRZ_UNSUPPORTED, "clone %s to %s: %s", from->path, to->path, strerror(e));
}

static int px_unlink_flags(struct fs *fs, const char *path, int flags, const char *verb, frz_error *err)
{
    const char *name;
    int e = 0, dir = open_parent(px(fs), path, &name);
    if (dir < 0 || unlinkat(dir, name, flags) < 0) e = errno;
    if (dir >= 0) close(dir);
    return e ? fail(err, e, verb, path) : FRZ_OK;
}
static int px_unlink(struct fs *fs, const char *path, frz_error *err) { return px_unlink_flags(fs, path, 0, "unlink", err); }
static int px_rmdir(struct fs *fs, const char *path, frz_error *err) { return px_unlink_flags(fs, path, AT_REMOVEDIR, "remove directory", err); }

static int px_mkdir(struct fs *fs, const char *path, frz_error *err)
{
    const char *name;
    int e = 0, dir = open_parent(px(fs), path, &name);
    if (dir < 0 || mkdirat(dir, name, 0777) < 0) e = errno;
    if (dir >= 0) close(dir);
    return e ? fail(err, e, "make directory", path) : FRZ_OK;
}

static int px_list(struct fs *fs, const char *path, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx, frz_error *err)
{
    int rc = FRZ_OK, fd = open_path(px(fs), path, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        rc = fail(err, errno, "list", path);
        if (fd >= 0) close(fd);
        return rc;
    }
    while (rc == FRZ_OK) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (!d) {
            if (errno) rc = fail(err, errno, "list", path);
            break;
        }
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) continue;
        bool is_dir = d->d_type == DT_DIR;
        struct stat st;
        if (d->d_type == DT_UNKNOWN) {
            if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue; /* gone meanwhile */
            is_dir = S_ISDIR(st.st_mode);
        }
        rc = fn(ctx, d->d_name, is_dir);
    }
    closedir(dir);
    return rc;
}

static int px_sync_dir(struct fs *fs, const char *path, enum sync_site site, frz_error *err)
{
    int e = 0, fd = open_path(px(fs), path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || fsync(fd) < 0) e = errno;
    if (fd >= 0) close(fd);
    return e ? fail(err, e, "sync directory", path) : FRZ_OK;
}

static int px_stat(struct fs *fs, const char *path, struct fs_stat *out, frz_error *err)
{
    struct stat st = {0};
    const char *name;
    int e = 0, dir = *path ? open_parent(px(fs), path, &name) : -1;
    if (*path == 0) e = fstat(px(fs)->root, &st) == 0 ? 0 : errno;
    else if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) e = errno;
    if (dir >= 0) close(dir);
    if (e) return fail(err, e, "look at", path);
    *out = (struct fs_stat){.bytes = (uint64_t)st.st_size,
                            .mtime_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
                            .is_dir = S_ISDIR(st.st_mode),
                            .names = (uint64_t)st.st_nlink,
                            .device = (uint64_t)st.st_dev,
                            .inode = (uint64_t)st.st_ino};
    return FRZ_OK;
}

/* ── the root ── */

static void px_free(struct fs *fs)
{
    if (px(fs)->root >= 0) close(px(fs)->root);
    frz__free(fs->a, fs);
}

static bool px_is(struct fs *fs, const char *path, const char *absolute)
{
    struct stat here, there;
    int fd = open_path(px(fs), path, O_RDONLY | O_DIRECTORY);
    bool is = fd >= 0 && fstat(fd, &here) == 0 && stat(absolute, &there) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
    if (fd >= 0) close(fd);
    return is;
}

static const struct fs_ops posix_ops = {px_open,   px_read,     px_write,  px_sync,  px_allocate, px_truncate, px_size,     px_lock, px_close,
                                        px_rename, px_link_new, px_unlink, px_mkdir, px_rmdir,    px_list,     px_sync_dir, px_stat, px_is, px_free, px_link_from, px_clone,
                                        px_is_locked};

static const char *remote_kind(int fd)
{
    struct statfs st; /* if it can't be told, it is taken for a local one */
    if (pretends(FS_TEST_NFS)) return "NFS";
    if (fstatfs(fd, &st) < 0) return NULL;
    switch ((uint32_t)st.f_type) {
    case 0x6969: return "NFS";
    case 0x517B: case 0xFF534D42: case 0xFE534D42: return "SMB";
    case 0x65735546: return "FUSE";
    default: return NULL;
    }
}

/* The new directory's name is to survive too. */
static int make_root(const char *root, bool *made, frz_error *err)
{
    if (mkdir(root, 0777) < 0) {
        if (errno == EEXIST) return FRZ_OK;
        if (errno == ENOENT) return frz__err(err, FRZ_IO, "make directory %s: the directory above it is not there", root);
        return frz__err_os(err, errno, "make directory %s", root);
    }
    *made = true;
    char up[PATH_MAX];
    int n = snprintf(up, sizeof up, "%s/..", root);
    int fd = n > 0 && (size_t)n < sizeof up ? open(up, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) return frz__err(err, FRZ_IO, "open the directory above %s, to sync it", root);
    int e = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return e ? frz__err_os(err, e, "sync the directory above %s", root) : FRZ_OK;
}

int frz__fs_posix_new(const allocator *a, const char *root, unsigned flags, struct fs **out, frz_error *err)
{
    *out = NULL;
    int rc = FRZ_OK;
    bool made = false;
    char *absolute = NULL;
    struct posix_fs *p = NULL;
    if (flags & FS_POSIX_CREATE) CHECK(make_root(root, &made, err)); /* no outcome but ok */
    absolute = realpath(root, NULL);
    if (!absolute) {
        rc = frz__err_os(err, errno, "open %s", root);
        goto done;
    }
    p = (struct posix_fs *)frz__alloc_zero(a, sizeof *p + strlen(absolute) + 1);
    if (!p) {
        rc = frz__err_no_memory(err, sizeof *p + strlen(absolute) + 1);
        goto done;
    }
    memcpy(p->path, absolute, strlen(absolute) + 1);
    p->fs = (struct fs){.ops = &posix_ops, .a = a, .root = p->path};
    p->root = open(absolute, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->root < 0) {
        rc = errno == ENOTDIR ? frz__err(err, FRZ_INVALID, "open %s: not a directory", absolute) : frz__err_os(err, errno, "open %s", absolute);
        goto done;
    }
    int probe = open_beneath(p->root, ".", O_PATH | O_DIRECTORY);
    p->has_openat2 = probe >= 0;
    if (probe >= 0) close(probe);
    if (!(flags & FS_POSIX_ALLOW_REMOTE)) p->fs.remote = remote_kind(p->root);
    if (made && p->fs.remote) rc = frz__err(err, FRZ_UNSUPPORTED, "%s is on %s, where locks and syncs do not hold what they promise: nothing is made there unless asked for", absolute, p->fs.remote);
done:
    free(absolute);
    if (rc != FRZ_OK) {
        if (p) px_free(&p->fs);
        if (made) rmdir(root);
        return rc;
    }
    *out = &p->fs;
    return FRZ_OK;
}
