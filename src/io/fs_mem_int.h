/* fs_mem_int.h — the tree in memory that fs_mem.c serves as it is and fs_fault.c forgets parts of. All functions are called with the tree's mutex held; they behave as the POSIX calls
 * do, and give the same codes. */
#ifndef FRZ_IO_FS_MEM_INT_H
#define FRZ_IO_FS_MEM_INT_H
#include "base/sync.h"
#include "io/fs.h"

struct memfs_inode;
struct memfs_entry {
    char *name;
    struct memfs_inode *inode; /* counted */
};
struct memfs_dir { /* sorted by name */
    struct memfs_entry *at;
    size_t count, cap;
};
struct memfs_inode {
    unsigned refs; /* names, handles, and what fs_fault.c remembers */
    unsigned names;
    bool is_dir;
    int64_t mtime_us;
    struct buf data;
    struct memfs_dir dir;
    const struct memfs_file *locked_by;
    struct fault_shadow *shadow; /* of fs_fault.c: what has reached the disk */
};
struct memfs_file {
    struct file f;
    struct memfs_inode *inode; /* counted */
};
struct memfs_tree {
    struct fs fs;
    struct mutex mu;
    struct memfs_inode *root;
    void (*free_shadow)(struct memfs_tree *t, struct memfs_inode *inode); /* NULL if there are none */
};

FRZ_NODISCARD int frz__fs_tree_init(struct memfs_tree *t, const allocator *a, const struct fs_ops *ops, frz_error *err);
void frz__fs_tree_clear(struct memfs_tree *t);

FRZ_NODISCARD int frz__memfs_inode_new(struct memfs_tree *t, bool is_dir, struct memfs_inode **out, frz_error *err); /* counted once: the caller's */
void frz__memfs_ref(struct memfs_inode *i);
void frz__memfs_unref(struct memfs_tree *t, struct memfs_inode *i);
struct memfs_inode *frz__memfs_dir_get(const struct memfs_dir *d, const char *name); /* NULL if absent; not counted */
/* Adds or replaces; takes a count of its own. */
FRZ_NODISCARD int frz__memfs_dir_put(struct memfs_tree *t, struct memfs_dir *d, const char *name, struct memfs_inode *i, frz_error *err);
void frz__memfs_dir_remove(struct memfs_tree *t, struct memfs_dir *d, const char *name); /* nothing where it is absent */
void frz__memfs_dir_clear(struct memfs_tree *t, struct memfs_dir *d);

FRZ_NODISCARD int frz__memfs_find(struct memfs_tree *t, const char *path, const char *verb, struct memfs_inode **out, frz_error *err); /* not counted */
/* The directory that PATH's last component NAME is, or would be, in. */
FRZ_NODISCARD int frz__memfs_parent(struct memfs_tree *t, const char *path, const char *verb, struct memfs_inode **dir, const char **name, frz_error *err);
/* Bytes beyond the present end become zero. */
FRZ_NODISCARD int frz__memfs_resize(struct buf *data, uint64_t bytes, const char *path, frz_error *err);
FRZ_NODISCARD int frz__memfs_write(struct buf *data, uint64_t offset, const void *bytes, size_t len, const char *path, frz_error *err);

FRZ_NODISCARD int frz__memfs_open(struct memfs_tree *t, const char *path, enum fs_open_mode mode, struct file **out, bool *created, frz_error *err);
void frz__memfs_read(struct memfs_file *f, uint64_t offset, void *out, size_t len, size_t *got);
void frz__memfs_close(struct memfs_tree *t, struct memfs_file *f);
FRZ_NODISCARD int frz__memfs_rename(struct memfs_tree *t, const char *from, const char *to, bool replace, frz_error *err);
/* A second name. FROM's tree is T, too: else FRZ_UNSUPPORTED. */
FRZ_NODISCARD int frz__memfs_link(struct memfs_tree *t, const char *from, const char *to, frz_error *err);
FRZ_NODISCARD int frz__memfs_unlink(struct memfs_tree *t, const char *path, bool directory, frz_error *err);
FRZ_NODISCARD int frz__memfs_mkdir(struct memfs_tree *t, const char *path, frz_error *err);
/* A copy of DIR's names, so that FN may use the file system: to be given to frz__memfs_list_call with the mutex given back. */
struct memfs_listing {
    struct buf names; /* of each: a byte for is_dir, the name, NUL */
};
FRZ_NODISCARD int frz__memfs_list(struct memfs_tree *t, const char *dir, struct memfs_listing *out, frz_error *err);
FRZ_NODISCARD int frz__memfs_list_call(struct memfs_listing *l, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx); /* clears L */
FRZ_NODISCARD int frz__memfs_stat(struct memfs_tree *t, const char *path, struct fs_stat *out, frz_error *err);
#endif
