#include "io/fs_mem_int.h"

#include <errno.h>
#include <string.h>
#include "base/clock.h"

/* ── inodes and directories ── */

int frz__memfs_inode_new(struct memfs_tree *t, bool is_dir, struct memfs_inode **out, frz_error *err)
{
    TRY(ALLOC_NEW(out, t->fs.a, struct memfs_inode, err));
    **out = (struct memfs_inode){.refs = 1, .names = 1, .is_dir = is_dir, .mtime_us = frz__clock_wall_us(), .data = BUF_INIT(t->fs.a, 0)};
    return FRZ_OK;
}

void frz__memfs_ref(struct memfs_inode *i) { i->refs++; }

/* A tree is as deep as its paths are long, which fs.c bounds; a whole tree goes by its directories one level at a time. */
void frz__memfs_unref(struct memfs_tree *t, struct memfs_inode *i)
{
    if (!i || --i->refs > 0) return;
    if (t->free_shadow) t->free_shadow(t, i);
    frz__memfs_dir_clear(t, &i->dir);
    buf_clear(&i->data);
    frz__free(t->fs.a, i);
}

static size_t place(const struct memfs_dir *d, const char *name, bool *there)
{
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(d->at[mid].name, name);
        if (c == 0) {
            *there = true;
            return mid;
        }
        if (c < 0) low = mid + 1;
        else high = mid;
    }
    *there = false;
    return low;
}

struct memfs_inode *frz__memfs_dir_get(const struct memfs_dir *d, const char *name)
{
    bool there;
    size_t i = place(d, name, &there);
    return there ? d->at[i].inode : NULL;
}

int frz__memfs_dir_put(struct memfs_tree *t, struct memfs_dir *d, const char *name, struct memfs_inode *inode, frz_error *err)
{
    bool there;
    size_t i = place(d, name, &there);
    frz__memfs_ref(inode);
    if (there) {
        struct memfs_inode *old = d->at[i].inode;
        d->at[i].inode = inode;
        frz__memfs_unref(t, old);
        return FRZ_OK;
    }
    char *copy = frz__strdup(t->fs.a, name);
    void *at = d->at;
    int rc = copy ? frz__grow(t->fs.a, &at, d->count, &d->cap, sizeof *d->at, err) : frz__err_no_memory(err, strlen(name) + 1);
    d->at = (struct memfs_entry *)at;
    if (rc < 0) {
        frz__free(t->fs.a, copy);
        inode->refs--; /* the caller has one */
        return rc;
    }
    memmove(d->at + i + 1, d->at + i, (d->count - i) * sizeof *d->at);
    d->at[i] = (struct memfs_entry){copy, inode};
    d->count++;
    return FRZ_OK;
}

void frz__memfs_dir_remove(struct memfs_tree *t, struct memfs_dir *d, const char *name)
{
    bool there;
    size_t i = place(d, name, &there);
    if (!there) return;
    struct memfs_entry gone = d->at[i];
    d->count--;
    memmove(d->at + i, d->at + i + 1, (d->count - i) * sizeof *d->at);
    frz__free(t->fs.a, gone.name);
    frz__memfs_unref(t, gone.inode);
}

void frz__memfs_dir_clear(struct memfs_tree *t, struct memfs_dir *d)
{
    for (size_t i = 0; i < d->count; i++) {
        frz__free(t->fs.a, d->at[i].name);
        frz__memfs_unref(t, d->at[i].inode);
    }
    frz__free(t->fs.a, d->at);
    *d = (struct memfs_dir){0};
}

/* ── paths ── */

static int fail(frz_error *err, int e, const char *verb, const char *path) { return frz__err_os(err, e, "%s %s", verb, *path ? path : "the root"); }

/* LEN bytes of PATH, from the root on. */
static int find(struct memfs_tree *t, const char *path, size_t len, const char *verb, struct memfs_inode **out, frz_error *err)
{
    struct memfs_inode *at = t->root;
    char name[256];
    for (const char *p = path, *end; p < path + len; p = end + 1) {
        end = strchrnul(p, '/');
        if (!at->is_dir) return fail(err, ENOTDIR, verb, path);
        if ((size_t)(end - p) >= sizeof name) return fail(err, ENAMETOOLONG, verb, path);
        memcpy(name, p, (size_t)(end - p));
        name[end - p] = 0;
        at = frz__memfs_dir_get(&at->dir, name);
        if (!at) return fail(err, ENOENT, verb, path);
    }
    *out = at;
    return FRZ_OK;
}

int frz__memfs_find(struct memfs_tree *t, const char *path, const char *verb, struct memfs_inode **out, frz_error *err) { return find(t, path, strlen(path), verb, out, err); }

int frz__memfs_parent(struct memfs_tree *t, const char *path, const char *verb, struct memfs_inode **dir, const char **name, frz_error *err)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    int rc = find(t, path, slash ? (size_t)(slash - path) : 0, verb, dir, err);
    if (rc != FRZ_OK) return rc;
    return (*dir)->is_dir ? FRZ_OK : fail(err, ENOTDIR, verb, path);
}

/* ── data ── */

int frz__memfs_resize(struct buf *data, uint64_t bytes, const char *path, frz_error *err)
{
    if (bytes > BUF_BYTES_MAX) return fail(err, EFBIG, "grow", path);
    if (bytes < data->len) data->len = (size_t)bytes;
    else if (bytes > data->len) TRY(buf_append_zero(data, (size_t)bytes - data->len, err));
    return FRZ_OK;
}

int frz__memfs_write(struct buf *data, uint64_t offset, const void *bytes, size_t len, const char *path, frz_error *err)
{
    if (offset + len > data->len) TRY(frz__memfs_resize(data, offset + len, path, err));
    memcpy(data->data + offset, bytes, len);
    return FRZ_OK;
}

void frz__memfs_read(struct memfs_file *f, uint64_t offset, void *out, size_t len, size_t *got)
{
    const struct buf *d = &f->inode->data;
    *got = offset >= d->len ? 0 : d->len - offset < len ? d->len - (size_t)offset : len;
    if (*got) memcpy(out, d->data + offset, *got);
}

/* ── names ── */

int frz__memfs_open(struct memfs_tree *t, const char *path, enum fs_open_mode mode, struct file **out, bool *created, frz_error *err)
{
    const char *verb = mode == FS_OPEN_CREATE_NEW ? "create" : "open", *name;
    struct memfs_inode *dir, *inode, *fresh = NULL;
    struct memfs_file *f = NULL;
    *created = false;
    int rc = frz__memfs_parent(t, path, verb, &dir, &name, err);
    if (rc != FRZ_OK) return rc;
    inode = frz__memfs_dir_get(&dir->dir, name);
    if (inode && mode == FS_OPEN_CREATE_NEW) return fail(err, EEXIST, verb, path);
    if (inode && inode->is_dir) return fail(err, EISDIR, verb, path);
    if (!inode && (mode == FS_OPEN_READ || mode == FS_OPEN_WRITE)) return fail(err, ENOENT, verb, path);
    CHECK(ALLOC_NEW(&f, t->fs.a, struct memfs_file, err));
    if (!inode) {
        CHECK(frz__memfs_inode_new(t, false, &fresh, err));
        CHECK(frz__memfs_dir_put(t, &dir->dir, name, fresh, err));
        inode = fresh;
        *created = true;
    }
    frz__memfs_ref(inode);
    f->inode = inode;
    *out = &f->f;
done:
    frz__memfs_unref(t, fresh);
    if (rc < 0) frz__free(t->fs.a, f);
    return rc;
}

void frz__memfs_close(struct memfs_tree *t, struct memfs_file *f)
{
    if (f->inode->locked_by == f) f->inode->locked_by = NULL;
    frz__memfs_unref(t, f->inode);
    frz__free(t->fs.a, f);
}

/* Whether PATH's directory is DIR or below it. */
static bool is_below(struct memfs_tree *t, const char *path, const struct memfs_inode *dir)
{
    for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        struct memfs_inode *at = NULL;
        if (find(t, path, (size_t)(p - path), "", &at, NULL) == FRZ_OK && at == dir) return true;
    }
    return false;
}

/* 0 or errno. */
static int may_replace(const struct memfs_inode *moved, const struct memfs_inode *target)
{
    if (target->is_dir && !moved->is_dir) return EISDIR;
    if (!target->is_dir && moved->is_dir) return ENOTDIR;
    return target->dir.count ? ENOTEMPTY : 0;
}

int frz__memfs_rename(struct memfs_tree *t, const char *from, const char *to, bool replace, frz_error *err)
{
    const char *verb = replace ? "rename" : "link", *from_name, *to_name;
    struct memfs_inode *from_dir, *to_dir;
    int rc = frz__memfs_parent(t, from, verb, &from_dir, &from_name, err);
    if (rc == FRZ_OK) rc = frz__memfs_parent(t, to, verb, &to_dir, &to_name, err);
    if (rc != FRZ_OK) return rc;
    struct memfs_inode *moved = frz__memfs_dir_get(&from_dir->dir, from_name), *target = frz__memfs_dir_get(&to_dir->dir, to_name);
    int e = 0;
    if (!moved) e = ENOENT;
    else if (target && !replace) e = EEXIST;
    else if (moved->is_dir && is_below(t, to, moved)) e = EINVAL;
    else if (target && target != moved) e = may_replace(moved, target);
    if (e) return frz__err_os(err, e, "%s %s to %s", verb, from, to);
    if (target == moved) return FRZ_OK;
    if (target) frz__memfs_ref(target);
    rc = frz__memfs_dir_put(t, &to_dir->dir, to_name, moved, err);
    if (target && rc >= 0) target->names--;
    frz__memfs_unref(t, target);
    TRY(rc);
    frz__memfs_dir_remove(t, &from_dir->dir, from_name);
    return FRZ_OK;
}

int frz__memfs_link(struct memfs_tree *t, const char *from, const char *to, frz_error *err)
{
    const char *name;
    struct memfs_inode *inode, *dir = NULL;
    int rc = frz__memfs_find(t, from, "link", &inode, err);
    if (rc != FRZ_OK) return rc;
    if (inode->is_dir) return fail(err, EISDIR, "link", from);
    rc = frz__memfs_parent(t, to, "link", &dir, &name, err);
    if (rc == FRZ_NOT_FOUND) return fail(err, ENOTDIR, "link", to); /* its folder is missing, not FROM */
    if (rc != FRZ_OK) return rc;
    if (frz__memfs_dir_get(&dir->dir, name)) return fail(err, EEXIST, "link", to);
    TRY(frz__memfs_dir_put(t, &dir->dir, name, inode, err));
    inode->names++;
    return FRZ_OK;
}

int frz__memfs_unlink(struct memfs_tree *t, const char *path, bool directory, frz_error *err)
{
    const char *verb = directory ? "remove directory" : "unlink", *name;
    struct memfs_inode *dir;
    int rc = frz__memfs_parent(t, path, verb, &dir, &name, err);
    if (rc != FRZ_OK) return rc;
    struct memfs_inode *inode = frz__memfs_dir_get(&dir->dir, name);
    int e = !inode ? ENOENT : directory && !inode->is_dir ? ENOTDIR : !directory && inode->is_dir ? EISDIR : inode->dir.count ? ENOTEMPTY : 0;
    if (e) return fail(err, e, verb, path);
    inode->names--;
    frz__memfs_dir_remove(t, &dir->dir, name);
    return FRZ_OK;
}

int frz__memfs_mkdir(struct memfs_tree *t, const char *path, frz_error *err)
{
    const char *name;
    struct memfs_inode *dir, *fresh;
    int rc = frz__memfs_parent(t, path, "make directory", &dir, &name, err);
    if (rc != FRZ_OK) return rc;
    if (frz__memfs_dir_get(&dir->dir, name)) return fail(err, EEXIST, "make directory", path);
    TRY(frz__memfs_inode_new(t, true, &fresh, err));
    rc = frz__memfs_dir_put(t, &dir->dir, name, fresh, err);
    frz__memfs_unref(t, fresh);
    return rc;
}

int frz__memfs_list(struct memfs_tree *t, const char *path, struct memfs_listing *out, frz_error *err)
{
    struct memfs_inode *dir;
    out->names = BUF_INIT(t->fs.a, 0);
    int rc = frz__memfs_find(t, path, "list", &dir, err);
    if (rc != FRZ_OK) return rc;
    if (!dir->is_dir) return fail(err, ENOTDIR, "list", path);
    for (size_t i = 0; i < dir->dir.count; i++) {
        const struct memfs_entry *e = &dir->dir.at[i];
        CHECK(buf_append_byte(&out->names, e->inode->is_dir, err));
        CHECK(buf_append(&out->names, e->name, strlen(e->name) + 1, err));
    }
done:
    if (rc < 0) buf_clear(&out->names);
    return rc;
}

int frz__memfs_list_call(struct memfs_listing *l, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx)
{
    int rc = FRZ_OK;
    for (size_t i = 0; rc == FRZ_OK && i < l->names.len;) {
        const char *name = (const char *)l->names.data + i + 1;
        rc = fn(ctx, name, l->names.data[i]);
        i += strlen(name) + 2;
    }
    buf_clear(&l->names);
    return rc;
}

int frz__memfs_stat(struct memfs_tree *t, const char *path, struct fs_stat *out, frz_error *err)
{
    struct memfs_inode *i;
    int rc = frz__memfs_find(t, path, "look at", &i, err);
    if (rc != FRZ_OK) return rc;
    *out = (struct fs_stat){.bytes = i->data.len,
                            .mtime_us = i->mtime_us,
                            .is_dir = i->is_dir,
                            .names = i->names,
                            .device = (uint64_t)(uintptr_t)t,
                            .inode = (uint64_t)(uintptr_t)i};
    return FRZ_OK;
}

/* ── the tree ── */

int frz__fs_tree_init(struct memfs_tree *t, const allocator *a, const struct fs_ops *ops, frz_error *err)
{
    t->fs = (struct fs){.ops = ops, .a = a, .root = "/memory"};
    TRY(frz__memfs_inode_new(t, true, &t->root, err));
    frz__mutex_init(&t->mu, RANK_LEAF, "fs_mem");
    return FRZ_OK;
}

void frz__fs_tree_clear(struct memfs_tree *t)
{
    frz__memfs_unref(t, t->root);
    t->root = NULL;
    frz__mutex_clear(&t->mu);
}
