/* fs.h — the one door to the file system, and what survives a crash after which call.
 *
 * Design      a `struct fs` is rooted at one directory; every path is relative to it, without `..`, `.`, an empty component or a leading `/` (FRZ_INVALID), and no component below the root may be a
 *             symbolic link (FRZ_UNSUPPORTED): nothing outside the root can be opened or unlinked. Three make one: fs_posix.c (real, openat on the root's descriptor), fs_mem.c (in memory), fs_fault.c (in memory;
 *             forgets what was not synced, data and directory entries apart, and fails the nth call).
 *             fs_sub.c shows a folder of one of them as a file system of its own.
 * Contract    after a power cut
 *             (1) a file's bytes written before a successful frz__file_sync of it are there; later ones may be there in part, in any order
 *             (2) a name (create, rename, link, unlink, mkdir) is there, or gone, once frz__fs_sync_dir of its directory succeeded after it; before that either is possible
 *             (3) rename and link are atomic: never half a name
 *             (4) a sync that failed says nothing about any earlier write of that file: it is never repeated on it (frz__file_sync refuses)
 * Threads     an fs is shared; a file may be read by many threads, written by one                                                     */
#ifndef FRZ_IO_FS_H
#define FRZ_IO_FS_H
#include <stdatomic.h>
#include "base/buf.h"
#include "base/log.h"
#include "io/sync_site.h"

struct fs;
struct file;
struct fs_stat {
    uint64_t bytes;
    int64_t mtime_us;
    bool is_dir;
    uint64_t names;         /* of a file: so many lead to it */
    uint64_t device, inode; /* of a file: the same for all its names, and for no other file while it is there */
};
enum fs_open_mode {
    FS_OPEN_READ,       /* FRZ_NOT_FOUND if absent */
    FS_OPEN_CREATE_NEW, /* read and write; FRZ_EXISTS if there */
    FS_OPEN_WRITE,      /* read and write; FRZ_NOT_FOUND if absent */
    FS_OPEN_APPEND_OR_CREATE /* read and write; made empty if absent. Offsets are the caller's, as everywhere */
};

struct fs_ops {
    int (*open)(struct fs *, const char *path, enum fs_open_mode, struct file **out, frz_error *);
    int (*read)(struct file *, uint64_t offset, void *out, size_t len, size_t *got, frz_error *);
    int (*write)(struct file *, uint64_t offset, const void *data, size_t len, frz_error *);
    int (*sync)(struct file *, enum sync_site, frz_error *);
    int (*allocate)(struct file *, uint64_t bytes, frz_error *);
    int (*truncate)(struct file *, uint64_t bytes, frz_error *);
    int (*size)(struct file *, uint64_t *bytes, frz_error *);
    int (*lock)(struct file *, bool *got, frz_error *);
    int (*close)(struct file *, frz_error *);
    int (*rename)(struct fs *, const char *from, const char *to, frz_error *);
    int (*link_new)(struct fs *, const char *from, const char *to, frz_error *);
    int (*unlink)(struct fs *, const char *path, frz_error *);
    int (*mkdir)(struct fs *, const char *path, frz_error *);
    int (*rmdir)(struct fs *, const char *path, frz_error *);
    int (*list)(struct fs *, const char *dir, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx, frz_error *);
    int (*sync_dir)(struct fs *, const char *dir, enum sync_site, frz_error *);
    int (*stat)(struct fs *, const char *path, struct fs_stat *out, frz_error *);
    bool (*is)(struct fs *, const char *path, const char *absolute); /* NULL = never */
    void (*free)(struct fs *);
    int (*link_from)(struct fs *to_fs, const char *to, struct fs *from_fs, const char *from, frz_error *); /* both of the same kind; NULL = never */
    int (*clone)(struct file *to, struct file *from, frz_error *); /* as link_from */
    int (*is_locked)(struct file *, bool *out, frz_error *);
};
struct fs {
    const struct fs_ops *ops;
    struct fs *base; /* of a folder's (fs_sub.c): where its files are; NULL = itself */
    const allocator *a;
    const char *root; /* absolute, for messages and file:// URIs */
    const char *remote; /* NULL, or the kind of file system on which nothing is written: each call that would gives FRZ_UNSUPPORTED */
};
struct file { /* filled in by fs.c, but for what its maker holds behind it */
    struct fs *fs;
    char *path; /* relative; for messages */
    bool writable;
    _Atomic bool sync_failed;
};

/* ROOT must be a directory (FRZ_NOT_FOUND, FRZ_INVALID). FLAGS: */
enum fs_posix_flags {
    FS_POSIX_CREATE = 1,      /* it is made, durably, where it is not there; its parent must be */
    FS_POSIX_ALLOW_REMOTE = 2 /* write on NFS, SMB and FUSE too: elsewise only reading works there */
};
FRZ_NODISCARD int frz__fs_posix_new(const allocator *a, const char *root, unsigned flags, struct fs **out, frz_error *err);
/* The folder DIR of BASE, which must be there and lives longer. Its files are BASE's: messages name them so. */
FRZ_NODISCARD int frz__fs_sub_new(struct fs *base, const char *dir, struct fs **out, frz_error *err);
/* What PATH of *FS is in the file system that has it: *FS becomes that, OUT the path there. */
#define FS_SUB_PATH_BYTES 4096
FRZ_NODISCARD int frz__fs_sub_path(struct fs **fs, const char *path, char out[FS_SUB_PATH_BYTES], frz_error *err);
FRZ_NODISCARD int frz__fs_mem_new(const allocator *a, struct fs **out, frz_error *err);
void frz__fs_free(struct fs *fs);

/* Every message names the path under the root. PATH "" is the root itself (list, sync_dir, stat). FRZ_NOT_FOUND and FRZ_EXISTS are outcomes (> 0), which TRY and CHECK let pass, *OUT NULL: they come
 * only from the calls that name them here, and where the file must be there frz__must_exist turns the one into an error. */
FRZ_NODISCARD int frz__must_exist(int rc, frz_error *err); /* FRZ_CORRUPT for FRZ_NOT_FOUND: around frz__fs_open, _stat, _list, _read_file */
FRZ_NODISCARD int frz__fs_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct file **out, frz_error *err);
/* May give less than LEN at the end of the file. */
FRZ_NODISCARD int frz__file_read(struct file *f, uint64_t offset, void *out, size_t len, size_t *got, frz_error *err);
/* FRZ_CORRUPT, naming file and offset, if the file ends before LEN bytes. */
FRZ_NODISCARD int frz__file_read_full(struct file *f, uint64_t offset, void *out, size_t len, frz_error *err);
FRZ_NODISCARD int frz__file_write(struct file *f, uint64_t offset, const void *data, size_t len, frz_error *err); /* extends */
FRZ_NODISCARD int frz__file_sync(struct file *f, enum sync_site site, frz_error *err); /* data, and the size if it grew (fdatasync) */
FRZ_NODISCARD int frz__file_allocate(struct file *f, uint64_t bytes, frz_error *err); /* size becomes BYTES if it was less, zero-filled, space reserved */
FRZ_NODISCARD int frz__file_truncate(struct file *f, uint64_t bytes, frz_error *err);
FRZ_NODISCARD int frz__file_size(struct file *f, uint64_t *bytes, frz_error *err);
/* An exclusive lock on the open file (OFD), not waited for: *GOT tells. Released by close or the process's end. Also against other handles of this process.
 * Of a file opened for reading, who can't write it: a look whether somebody has it, not more. */
FRZ_NODISCARD int frz__file_lock(struct file *f, bool *got, frz_error *err);
/* Another handle, of whatever process, has the exclusive lock. Only a look: who locks meanwhile is not disturbed. */
FRZ_NODISCARD int frz__file_is_locked(struct file *f, bool *out, frz_error *err);
int frz__file_close(struct file *f, frz_error *err); /* NULL is fine */
FRZ_NODISCARD int frz__fs_rename(struct fs *fs, const char *from, const char *to, frz_error *err); /* replaces TO */
FRZ_NODISCARD int frz__fs_link_new(struct fs *fs, const char *from, const char *to, frz_error *err); /* never replaces: FRZ_EXISTS; FROM's name goes */
/* TO becomes another name of the file FROM, whose name stays; the two may be in different fs. FRZ_NOT_FOUND without FROM, FRZ_EXISTS; FRZ_UNSUPPORTED where no such name can be had (other devices, file
 * systems without links, too many of them): then it is to be copied. */
FRZ_NODISCARD int frz__fs_link(struct fs *from_fs, const char *from, struct fs *to_fs, const char *to, frz_error *err);
/* TO, new and empty, becomes what FROM is, sharing its blocks until one is written. FRZ_UNSUPPORTED as above. */
FRZ_NODISCARD int frz__file_clone(struct file *from, struct file *to, frz_error *err);
FRZ_NODISCARD int frz__fs_unlink(struct fs *fs, const char *path, frz_error *err); /* FRZ_NOT_FOUND if absent */
FRZ_NODISCARD int frz__fs_mkdir(struct fs *fs, const char *path, frz_error *err);  /* FRZ_EXISTS if there; the parent must be */
FRZ_NODISCARD int frz__fs_rmdir(struct fs *fs, const char *path, frz_error *err);  /* FRZ_NOT_FOUND if absent; must be empty */
FRZ_NODISCARD int frz__fs_list(struct fs *fs, const char *dir, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx, frz_error *err); /* FRZ_NOT_FOUND; no order; FN's result other than 0 stops, and is given back */
FRZ_NODISCARD int frz__fs_sync_dir(struct fs *fs, const char *dir, enum sync_site site, frz_error *err);
FRZ_NODISCARD int frz__fs_stat(struct fs *fs, const char *path, struct fs_stat *out, frz_error *err); /* FRZ_NOT_FOUND */
/* PATH is what ABSOLUTE, a path of the system, leads to: one directory under two names. False if that can't be found out. */
bool frz__fs_is(struct fs *fs, const char *path, const char *absolute);
FRZ_NODISCARD int frz__fs_exists(struct fs *fs, const char *path, bool *out, frz_error *err);
/* Whole file, at most MAX bytes (FRZ_TOO_LARGE), appended to OUT: for small metadata. FRZ_NOT_FOUND. */
FRZ_NODISCARD int frz__fs_read_file(struct fs *fs, const char *path, size_t max, struct buf *out, frz_error *err);

/* What fs_posix.c is to pretend, in this process from now on: tests of what this machine does not do. */
enum fs_test_posix {
    FS_TEST_NO_OPENAT2 = 1,
    FS_TEST_NO_RENAME_NOREPLACE = 2,
    FS_TEST_NO_LINK = 4,
    FS_TEST_NO_FALLOCATE = 8,
    FS_TEST_SHORT = 16, /* a read or write takes a few bytes at a time and is interrupted now and then */
    FS_TEST_NFS = 32,
    FS_TEST_OTHER_DEVICE = 64 /* neither link nor clone from one fs to another */
};
void frz__test_fs_posix(unsigned pretend);
#endif
