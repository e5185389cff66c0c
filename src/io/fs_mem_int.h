/* fs_mem_int.h — the tree in memory that fs_mem.c serves as it is and fs_fault.c forgets parts of. All functions are called with the tree's mutex held; they behave as the POSIX calls
 * do, and give the same codes. */
#ifndef FRZ_IO_FS_MEM_INT_H
#define FRZ_IO_FS_MEM_INT_H
#include "base/sync.h"
#include "io/fs.h"

struct mem_inode;
struct mem_entry {
    char *name;
    struct mem_inode *inode; /* counted */
};
struct mem_dir { /* sorted by name */
    struct mem_entry *at;
    size_t count, cap;
};
struct mem_inode {
    unsigned refs; /* names, handles, and what fs_fault.c remembers */
    bool is_dir;
    int64_t mtime_us;
    struct buf data;
    struct mem_dir dir;
    const struct mem_file *locked_by;
    struct fault_shadow *shadow; /* of fs_fault.c: what has reached the disk */
};
struct mem_file {
    struct file f;
    struct mem_inode *inode; /* counted */
};
struct mem_tree {
    struct fs fs;
    struct mutex mu;
    struct mem_inode *root;
    void (*free_shadow)(struct mem_tree *t, struct mem_inode *inode); /* NULL if there are none */
};

FRZ_NODISCARD int frz__fs_tree_init(struct mem_tree *t, const allocator *a, const struct fs_ops *ops, frz_error *err);
void frz__fs_tree_clear(struct mem_tree *t);

FRZ_NODISCARD int frz__mem_inode_new(struct mem_tree *t, bool is_dir, struct mem_inode **out, frz_error *err); /* counted once: the caller's */
void frz__mem_ref(struct mem_inode *i);
void frz__mem_unref(struct mem_tree *t, struct mem_inode *i);
struct mem_inode *frz__mem_dir_get(const struct mem_dir *d, const char *name); /* NULL if absent; not counted */
/* Adds or replaces; takes a count of its own. */
FRZ_NODISCARD int frz__mem_dir_put(struct mem_tree *t, struct mem_dir *d, const char *name, struct mem_inode *i, frz_error *err);
void frz__mem_dir_remove(struct mem_tree *t, struct mem_dir *d, const char *name); /* nothing where it is absent */
void frz__mem_dir_clear(struct mem_tree *t, struct mem_dir *d);

FRZ_NODISCARD int frz__mem_find(struct mem_tree *t, const char *path, const char *verb, struct mem_inode **out, frz_error *err); /* not counted */
/* The directory that PATH's last component NAME is, or would be, in. */
FRZ_NODISCARD int frz__mem_parent(struct mem_tree *t, const char *path, const char *verb, struct mem_inode **dir, const char **name, frz_error *err);
/* Bytes beyond the present end become zero. */
FRZ_NODISCARD int frz__mem_resize(struct buf *data, uint64_t bytes, const char *path, frz_error *err);
FRZ_NODISCARD int frz__mem_write(struct buf *data, uint64_t offset, const void *bytes, size_t len, const char *path, frz_error *err);

FRZ_NODISCARD int frz__mem_open(struct mem_tree *t, const char *path, enum fs_open_mode mode, struct file **out, bool *created, frz_error *err);
void frz__mem_read(struct mem_file *f, uint64_t offset, void *out, size_t len, size_t *got);
void frz__mem_close(struct mem_tree *t, struct mem_file *f);
FRZ_NODISCARD int frz__mem_rename(struct mem_tree *t, const char *from, const char *to, bool replace, frz_error *err);
FRZ_NODISCARD int frz__mem_unlink(struct mem_tree *t, const char *path, bool directory, frz_error *err);
FRZ_NODISCARD int frz__mem_mkdir(struct mem_tree *t, const char *path, frz_error *err);
/* A copy of DIR's names, so that FN may use the file system: to be given to frz__mem_list_call with the mutex given back. */
struct mem_listing {
    struct buf names; /* of each: a byte for is_dir, the name, NUL */
};
FRZ_NODISCARD int frz__mem_list(struct mem_tree *t, const char *dir, struct mem_listing *out, frz_error *err);
FRZ_NODISCARD int frz__mem_list_call(struct mem_listing *l, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx); /* clears L */
FRZ_NODISCARD int frz__mem_stat(struct mem_tree *t, const char *path, struct fs_stat *out, frz_error *err);
#endif
