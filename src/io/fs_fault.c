#include "io/fs_fault.h"

#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/rand.h"
#include "io/fs_mem_int.h"

struct write { /* under way: bytes at an offset, or with no bytes a size */
    uint64_t offset;
    size_t len;
    uint8_t *bytes;
};
struct fault_shadow {
    struct buf disk;         /* of a file */
    struct write *writes;
    size_t count, cap;
    struct memfs_dir disk_dir; /* of a directory */
};
struct change { /* of one name; INODE NULL = gone */
    struct memfs_inode *dir, *inode;
    char *name;
};
struct step { /* on the disk whole or not at all */
    struct change at[2];
    unsigned count;
    bool mark;
};
struct fault {
    struct memfs_tree t;
    struct rng rng;
    struct fs_fault_plan plan;
    struct fs_fault_counts counts;
    bool cut;
    uint64_t told; /* changes up to where on_change was called */
    struct step *steps; /* under way, oldest first */
    size_t count, cap;
};

static struct fault *fault(struct fs *fs) { return (struct fault *)fs; }
static struct memfs_file *file(struct file *f) { return (struct memfs_file *)f; }
static bool coin(struct rng *r) { return rng_next(r) >> 63; }

/* ── what is on the disk ── */

static int shadow_of(struct fault *x, struct memfs_inode *i, struct fault_shadow **out, frz_error *err)
{
    if (!i->shadow) {
        TRY(ALLOC_NEW(&i->shadow, x->t.fs.a, struct fault_shadow, err));
        i->shadow->disk = BUF_INIT(x->t.fs.a, 0);
    }
    *out = i->shadow;
    return FRZ_OK;
}

static void forget_writes(const allocator *a, struct fault_shadow *s)
{
    for (size_t i = 0; i < s->count; i++) frz__free(a, s->writes[i].bytes);
    s->count = 0;
}

static void free_shadow(struct memfs_tree *t, struct memfs_inode *i)
{
    struct fault_shadow *s = i->shadow;
    if (!s) return;
    forget_writes(t->fs.a, s);
    frz__free(t->fs.a, s->writes);
    buf_clear(&s->disk);
    frz__memfs_dir_clear(t, &s->disk_dir);
    frz__free(t->fs.a, s);
}

static int note_write(struct fault *x, struct memfs_inode *i, uint64_t offset, const void *bytes, size_t len, frz_error *err)
{
    struct fault_shadow *s;
    TRY(shadow_of(x, i, &s, err));
    void *at = s->writes;
    int rc = frz__grow(x->t.fs.a, &at, s->count, &s->cap, sizeof *s->writes, err);
    s->writes = (struct write *)at;
    if (rc < 0) return rc;
    struct write w = {offset, len, NULL};
    if (len) {
        w.bytes = (uint8_t *)frz__alloc(x->t.fs.a, len);
        if (!w.bytes) return frz__err_no_memory(err, len);
        memcpy(w.bytes, bytes, len);
    }
    s->writes[s->count++] = w;
    return FRZ_OK;
}

static int reach_disk(struct buf *disk, const struct write *w, frz_error *err)
{
    return w->len ? frz__memfs_write(disk, w->offset, w->bytes, w->len, "the disk", err) : frz__memfs_resize(disk, w->offset, "the disk", err);
}

/* Some of its sectors; now and then the size without the bytes. */
static int reach_disk_in_part(struct buf *disk, const struct write *w, struct rng *r, frz_error *err)
{
    if (w->len == 0) return coin(r) ? reach_disk(disk, w, err) : FRZ_OK;
    uint64_t end = w->offset + w->len, sector = coin(r) ? 512 : 4096;
    if (rng_below(r, 4) == 0 && end > disk->len) TRY(frz__memfs_resize(disk, end, "the disk", err));
    for (uint64_t at = w->offset, next; at < end; at = next) {
        next = (at / sector + 1) * sector;
        if (next > end) next = end;
        if (coin(r)) TRY(frz__memfs_write(disk, at, w->bytes + (at - w->offset), (size_t)(next - at), "the disk", err));
    }
    return FRZ_OK;
}

/* ── names under way ── */

static void clear_step(struct fault *x, struct step *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        frz__memfs_unref(&x->t, s->at[i].dir);
        frz__memfs_unref(&x->t, s->at[i].inode);
        frz__free(x->t.fs.a, s->at[i].name);
    }
    s->count = 0;
}

/* One more change of S: of PATH's name. INODE is set later where it is not there yet. */
static int plan_change(struct fault *x, struct step *s, const char *path, const char *verb, struct memfs_inode *inode, frz_error *err)
{
    struct memfs_inode *dir;
    const char *name;
    int rc = frz__memfs_parent(&x->t, path, verb, &dir, &name, err);
    if (rc != FRZ_OK) return rc;
    char *copy = frz__strdup(x->t.fs.a, name);
    if (!copy) return frz__err_no_memory(err, strlen(name) + 1);
    void *at = x->steps;
    rc = frz__grow(x->t.fs.a, &at, x->count, &x->cap, sizeof *x->steps, err); /* so that commit can't fail */
    x->steps = (struct step *)at;
    if (rc < 0) {
        frz__free(x->t.fs.a, copy);
        return rc;
    }
    frz__memfs_ref(dir);
    if (inode) frz__memfs_ref(inode);
    s->at[s->count++] = (struct change){dir, inode, copy};
    return FRZ_OK;
}
static void commit_step(struct fault *x, struct step *s)
{
    x->steps[x->count++] = *s;
    s->count = 0;
}

static bool same_name(const struct change *a, const struct change *b) { return a->dir == b->dir && strcmp(a->name, b->name) == 0; }
static bool share_name(const struct step *a, const struct step *b)
{
    for (unsigned i = 0; i < a->count; i++)
        for (unsigned j = 0; j < b->count; j++)
            if (same_name(&a->at[i], &b->at[j])) return true;
    return false;
}

/* Marks the steps that touch DIR, and those before them on which they build. */
static void mark_for_sync(struct fault *x, const struct memfs_inode *dir)
{
    for (size_t i = x->count; i-- > 0;) {
        struct step *s = &x->steps[i];
        s->mark = s->at[0].dir == dir || (s->count > 1 && s->at[1].dir == dir);
        for (size_t j = i + 1; j < x->count && !s->mark; j++) s->mark = x->steps[j].mark && share_name(s, &x->steps[j]);
    }
}

static int marked_reach_disk(struct fault *x, frz_error *err)
{
    int rc = FRZ_OK;
    size_t kept = 0, i = 0;
    for (; i < x->count && rc == FRZ_OK; i++) {
        struct step *s = &x->steps[i];
        if (!s->mark) {
            x->steps[kept++] = *s;
            continue;
        }
        for (unsigned c = 0; c < s->count && rc == FRZ_OK; c++) {
            struct fault_shadow *d;
            rc = shadow_of(x, s->at[c].dir, &d, err);
            if (rc < 0) break;
            if (s->at[c].inode) rc = frz__memfs_dir_put(&x->t, &d->disk_dir, s->at[c].name, s->at[c].inode, err);
            else frz__memfs_dir_remove(&x->t, &d->disk_dir, s->at[c].name);
        }
        if (rc < 0) break; /* put again: doing it twice does no harm */
        clear_step(x, s);
    }
    memmove(x->steps + kept, x->steps + i, (x->count - i) * sizeof *x->steps);
    x->count = kept + (x->count - i);
    return rc;
}

/* Which of them a power cut leaves. */
static void mark_newest(struct fault *x)
{
    for (size_t i = x->count; i-- > 0;) {
        struct step *s = &x->steps[i];
        s->mark = i + 1 == x->count;
        for (size_t j = i + 1; j < x->count && !s->mark; j++) s->mark = x->steps[j].mark && share_name(s, &x->steps[j]);
    }
}
static void mark_survivors(struct fault *x, uint64_t seed, struct rng *r)
{
    if (seed == 2) return mark_newest(x);
    bool ordered = coin(r); /* as a journal has them: all up to some point */
    size_t upto = rng_below(r, x->count + 1);
    for (size_t i = 0; i < x->count; i++) {
        struct step *s = &x->steps[i];
        s->mark = seed == 1 || (seed != 0 && (ordered ? i < upto : coin(r)));
        for (size_t j = 0; j < i && s->mark; j++) s->mark = x->steps[j].mark || !share_name(s, &x->steps[j]);
    }
}

/* ── the gate before each call ── */

enum need { LOOKS, CHANGES, NEEDS_SPACE };

/* ERRNO that the call is to fail with, or 0; *CUTS: it is the last. */
static bool stopped(const struct fault *x) { return x->plan.stop_call && x->counts.calls >= x->plan.stop_call; }

static _Thread_local uint64_t work;
uint64_t frz__fs_fault_work(void) { return work; }

static int gate(struct fault *x, enum need need, bool *cuts, const char *path, frz_error *err)
{
    *cuts = false;
    if (x->cut) return frz__err_os(err, EIO, "%s: the power is cut", path);
    x->counts.calls++;
    work++;
    if (need != LOOKS) x->counts.changes++;
    const struct fs_fault_plan *p = &x->plan;
    if (p->fail_call && x->counts.calls >= p->fail_call && x->counts.calls - p->fail_call < (p->fail_calls ? p->fail_calls : 1))
        return frz__err_os(err, p->error != FS_FAULT_EIO && need == NEEDS_SPACE ? ENOSPC : EIO, "%s: call %" PRIu64 " fails as planned", path, x->counts.calls);
    if (stopped(x)) return frz__err_os(err, EIO, "%s: the process is dead", path);
    if (p->no_space && need == NEEDS_SPACE) return frz__err_os(err, ENOSPC, "%s: the disk is full as planned", path);
    *cuts = need != LOOKS && p->cut_change == x->counts.changes;
    return FRZ_OK;
}

static struct fault *lock(struct fs *fs)
{
    frz__mutex_lock(&fault(fs)->t.mu);
    return fault(fs);
}
static int leave(struct fault *x, int rc, bool cuts, const char *path, frz_error *err)
{
    if (cuts) {
        x->cut = true;
        rc = frz__err_os(err, EIO, "%s: the power is cut", path);
    }
    void (*tell)(void *, struct fs *) = x->counts.changes != x->told ? x->plan.on_change : NULL;
    void *ctx = x->plan.ctx;
    x->told = x->counts.changes;
    frz__mutex_unlock(&x->t.mu);
    if (tell) tell(ctx, &x->t.fs);
    return rc;
}

/* ── files ── */

static int x_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct file **out, frz_error *err)
{
    struct fault *x = lock(fs);
    struct step s = {.count = 0};
    struct file *f = NULL;
    bool cuts, created = false;
    int rc = gate(x, mode == FS_OPEN_READ || mode == FS_OPEN_WRITE ? LOOKS : NEEDS_SPACE, &cuts, path, err);
    if (rc == FRZ_OK) rc = plan_change(x, &s, path, mode == FS_OPEN_CREATE_NEW ? "create" : "open", NULL, err);
    if (rc == FRZ_OK) rc = frz__memfs_open(&x->t, path, mode, &f, &created, err);
    if (rc == FRZ_OK && created) {
        s.at[0].inode = file(f)->inode;
        frz__memfs_ref(s.at[0].inode);
        commit_step(x, &s);
    }
    clear_step(x, &s);
    if (rc == FRZ_OK && cuts) frz__memfs_close(&x->t, file(f));
    else if (rc == FRZ_OK) *out = f;
    return leave(x, rc, cuts, path, err);
}

static int x_read(struct file *f, uint64_t offset, void *out, size_t len, size_t *got, frz_error *err)
{
    struct fault *x = lock(f->fs);
    bool cuts;
    int rc = gate(x, LOOKS, &cuts, f->path, err);
    if (rc == FRZ_OK) frz__memfs_read(file(f), offset, out, len, got);
    return leave(x, rc, false, f->path, err);
}

static int write_now(struct fault *x, struct file *f, uint64_t offset, const void *data, size_t len, frz_error *err)
{
    struct memfs_inode *i = file(f)->inode;
    if (len == 0) return FRZ_OK;
    TRY(note_write(x, i, offset, data, len, err));
    i->mtime_us = frz__clock_wall_us();
    return frz__memfs_write(&i->data, offset, data, len, f->path, err);
}
static int x_write(struct file *f, uint64_t offset, const void *data, size_t len, frz_error *err)
{
    struct fault *x = lock(f->fs);
    bool cuts, was_cut = x->cut;
    int rc = gate(x, NEEDS_SPACE, &cuts, f->path, err);
    if (rc == FRZ_OK) rc = write_now(x, f, offset, data, len, err);
    else if (!was_cut && !stopped(x) && !x->plan.no_space && x->plan.error == FS_FAULT_SHORT) rc = frz__first(rc, write_now(x, f, offset, data, len / 2, NULL));
    return leave(x, rc, cuts, f->path, err);
}

static int resize(struct file *f, uint64_t bytes, bool grow_only, frz_error *err)
{
    struct fault *x = lock(f->fs);
    struct memfs_inode *i = file(f)->inode;
    bool cuts;
    int rc = gate(x, grow_only ? NEEDS_SPACE : CHANGES, &cuts, f->path, err);
    bool changes = bytes > i->data.len || (bytes < i->data.len && !grow_only);
    if (rc == FRZ_OK && changes) rc = note_write(x, i, bytes, NULL, 0, err);
    if (rc == FRZ_OK && changes) rc = frz__memfs_resize(&i->data, bytes, f->path, err);
    return leave(x, rc, cuts, f->path, err);
}
static int x_allocate(struct file *f, uint64_t bytes, frz_error *err) { return resize(f, bytes, true, err); }
static int x_truncate(struct file *f, uint64_t bytes, frz_error *err) { return resize(f, bytes, false, err); }

/* All that is under way reaches the disk; with CHANCE, what it wants of that, and the rest is forgotten: as a kernel marks pages clean that it could not write. */
static int settle(struct fault *x, struct memfs_inode *i, bool chance, frz_error *err)
{
    struct fault_shadow *s = i->shadow;
    for (size_t n = 0; s && n < s->count; n++) TRY(chance ? reach_disk_in_part(&s->disk, &s->writes[n], &x->rng, err) : reach_disk(&s->disk, &s->writes[n], err));
    if (s) forget_writes(x->t.fs.a, s);
    return FRZ_OK;
}

static bool ignores(const struct fault *x, enum sync_site site)
{
    return x->plan.ignore_sync == x->counts.file_syncs + x->counts.dir_syncs || (site && x->plan.ignore_site == site);
}

static int x_sync(struct file *f, enum sync_site site, frz_error *err)
{
    struct fault *x = lock(f->fs);
    bool cuts, was_cut = x->cut;
    int rc = gate(x, CHANGES, &cuts, f->path, err);
    if (!was_cut) {
        x->counts.file_syncs++;
        x->counts.site[site]++;
        bool ignored = x->plan.ignore_file_syncs || ignores(x, site);
        if (rc != FRZ_OK && !stopped(x)) rc = frz__first(rc, settle(x, file(f)->inode, true, NULL));
        else if (rc == FRZ_OK && !cuts && !ignored) rc = settle(x, file(f)->inode, false, err);
    }
    return leave(x, rc, cuts, f->path, err);
}

static int x_size(struct file *f, uint64_t *bytes, frz_error *err)
{
    struct fault *x = lock(f->fs);
    bool cuts;
    int rc = gate(x, LOOKS, &cuts, f->path, err);
    *bytes = file(f)->inode->data.len;
    return leave(x, rc, false, f->path, err);
}

static int x_lock(struct file *f, bool *got, frz_error *err)
{
    struct fault *x = lock(f->fs);
    bool cuts;
    int rc = gate(x, LOOKS, &cuts, f->path, err);
    const struct memfs_file **by = &file(f)->inode->locked_by;
    if (rc == FRZ_OK && !*by) *by = file(f);
    *got = rc == FRZ_OK && *by == file(f);
    return leave(x, rc, false, f->path, err);
}

static int x_is_locked(struct file *f, bool *out, frz_error *err)
{
    struct fault *x = lock(f->fs);
    bool cuts;
    int rc = gate(x, LOOKS, &cuts, f->path, err);
    const struct memfs_file *by = file(f)->inode->locked_by;
    *out = rc == FRZ_OK && by && by != file(f);
    return leave(x, rc, false, f->path, err);
}

static int x_close(struct file *f, frz_error *err)
{
    struct fault *x = lock(f->fs);
    frz__memfs_close(&x->t, file(f));
    return leave(x, FRZ_OK, false, "", err);
}

/* ── names ── */

static int move(struct fs *fs, const char *from, const char *to, bool replace, frz_error *err)
{
    struct fault *x = lock(fs);
    struct step s = {.count = 0};
    struct memfs_inode *moved = NULL, *target = NULL;
    bool cuts;
    const char *verb = replace ? "rename" : "link";
    int rc = gate(x, NEEDS_SPACE, &cuts, from, err);
    if (rc == FRZ_OK && frz__memfs_find(&x->t, from, verb, &moved, NULL) != FRZ_OK) moved = NULL; /* the call below says so */
    if (rc == FRZ_OK && frz__memfs_find(&x->t, to, verb, &target, NULL) != FRZ_OK) target = NULL;
    if (rc == FRZ_OK) rc = plan_change(x, &s, to, verb, moved, err);
    if (rc == FRZ_OK) rc = plan_change(x, &s, from, verb, NULL, err);
    if (rc == FRZ_OK) rc = frz__memfs_rename(&x->t, from, to, replace, err);
    if (rc == FRZ_OK && target != moved) commit_step(x, &s);
    clear_step(x, &s);
    return leave(x, rc, cuts, from, err);
}
static int x_rename(struct fs *fs, const char *from, const char *to, frz_error *err) { return move(fs, from, to, true, err); }
static int x_link_new(struct fs *fs, const char *from, const char *to, frz_error *err) { return move(fs, from, to, false, err); }

static int x_link_from(struct fs *fs, const char *to, struct fs *from_fs, const char *from, frz_error *err)
{
    if (from_fs != fs) return frz__err(err, FRZ_UNSUPPORTED, "link %s to %s: they are on different file systems", from, to);
    struct fault *x = lock(fs);
    struct step s = {.count = 0};
    struct memfs_inode *inode = NULL;
    bool cuts;
    int rc = gate(x, NEEDS_SPACE, &cuts, to, err);
    if (rc == FRZ_OK && frz__memfs_find(&x->t, from, "link", &inode, NULL) != FRZ_OK) inode = NULL; /* the call below says so */
    if (rc == FRZ_OK && inode) {
        rc = plan_change(x, &s, to, "link", inode, err);
        if (rc == FRZ_NOT_FOUND) rc = frz__err_os(err, ENOTDIR, "link %s", to);
    }
    if (rc == FRZ_OK) rc = frz__memfs_link(&x->t, from, to, err);
    if (rc == FRZ_OK) commit_step(x, &s);
    clear_step(x, &s);
    return leave(x, rc, cuts, to, err);
}

static int remove_name(struct fs *fs, const char *path, bool directory, frz_error *err)
{
    struct fault *x = lock(fs);
    struct step s = {.count = 0};
    bool cuts;
    int rc = gate(x, CHANGES, &cuts, path, err);
    if (rc == FRZ_OK) rc = plan_change(x, &s, path, directory ? "remove directory" : "unlink", NULL, err);
    if (rc == FRZ_OK) rc = frz__memfs_unlink(&x->t, path, directory, err);
    if (rc == FRZ_OK) commit_step(x, &s);
    clear_step(x, &s);
    return leave(x, rc, cuts, path, err);
}
static int x_unlink(struct fs *fs, const char *path, frz_error *err) { return remove_name(fs, path, false, err); }
static int x_rmdir(struct fs *fs, const char *path, frz_error *err) { return remove_name(fs, path, true, err); }

static int x_mkdir(struct fs *fs, const char *path, frz_error *err)
{
    struct fault *x = lock(fs);
    struct step s = {.count = 0};
    bool cuts;
    int rc = gate(x, NEEDS_SPACE, &cuts, path, err);
    if (rc == FRZ_OK) rc = plan_change(x, &s, path, "make directory", NULL, err);
    if (rc == FRZ_OK) rc = frz__memfs_mkdir(&x->t, path, err);
    if (rc == FRZ_OK) rc = frz__memfs_find(&x->t, path, "make directory", &s.at[0].inode, err);
    if (rc == FRZ_OK) {
        frz__memfs_ref(s.at[0].inode);
        commit_step(x, &s);
    }
    clear_step(x, &s);
    return leave(x, rc, cuts, path, err);
}

static int x_list(struct fs *fs, const char *dir, int (*fn)(void *ctx, const char *name, bool is_dir), void *ctx, frz_error *err)
{
    struct fault *x = lock(fs);
    struct memfs_listing l;
    bool cuts;
    int rc = gate(x, LOOKS, &cuts, dir, err);
    if (rc == FRZ_OK) rc = frz__memfs_list(&x->t, dir, &l, err);
    for (size_t at = 0; rc == FRZ_OK && at < l.names.len; work++) at += 2 + strlen((const char *)l.names.data + at + 1);
    rc = leave(x, rc, false, dir, err);
    return rc == FRZ_OK ? frz__memfs_list_call(&l, fn, ctx) : rc;
}

static int x_sync_dir(struct fs *fs, const char *dir, enum sync_site site, frz_error *err)
{
    struct fault *x = lock(fs);
    struct memfs_inode *i = NULL;
    bool cuts, was_cut = x->cut;
    int rc = gate(x, CHANGES, &cuts, dir, err);
    if (!was_cut) x->counts.dir_syncs++;
    if (!was_cut) x->counts.site[site]++;
    bool ignored = x->plan.ignore_dir_syncs || ignores(x, site);
    if (rc == FRZ_OK) rc = frz__memfs_find(&x->t, dir, "sync directory", &i, err);
    if (rc == FRZ_OK && !i->is_dir) rc = frz__err_os(err, ENOTDIR, "sync directory %s", dir);
    if (rc == FRZ_OK && !cuts && !ignored) {
        mark_for_sync(x, i);
        rc = marked_reach_disk(x, err);
    }
    return leave(x, rc, cuts, dir, err);
}

static int x_stat(struct fs *fs, const char *path, struct fs_stat *out, frz_error *err)
{
    struct fault *x = lock(fs);
    bool cuts;
    int rc = gate(x, LOOKS, &cuts, path, err);
    if (rc == FRZ_OK) rc = frz__memfs_stat(&x->t, path, out, err);
    return leave(x, rc, false, path, err);
}

static void x_free(struct fs *fs)
{
    struct fault *x = fault(fs);
    for (size_t i = 0; i < x->count; i++) clear_step(x, &x->steps[i]);
    frz__free(fs->a, x->steps);
    frz__fs_tree_clear(&x->t);
    frz__free(fs->a, x);
}

static const struct fs_ops fault_ops = {x_open,   x_read,     x_write,  x_sync,  x_allocate, x_truncate, x_size,     x_lock, x_close,
                                        x_rename, x_link_new, x_unlink, x_mkdir, x_rmdir,    x_list,     x_sync_dir, x_stat, NULL, x_free, x_link_from, NULL,
                                        x_is_locked};

/* ── the test's side ── */

int frz__fs_fault_new(const allocator *a, uint64_t seed, struct fs **out, frz_error *err)
{
    struct fault *x;
    *out = NULL;
    TRY(ALLOC_NEW(&x, a, struct fault, err));
    int rc = frz__fs_tree_init(&x->t, a, &fault_ops, err);
    if (rc < 0) {
        frz__free(a, x);
        return rc;
    }
    x->t.free_shadow = free_shadow;
    x->rng.s = seed;
    *out = &x->t.fs;
    return FRZ_OK;
}

void frz__fs_fault_plan(struct fs *fs, const struct fs_fault_plan *plan)
{
    struct fault *x = lock(fs);
    x->plan = *plan;
    x->counts = (struct fs_fault_counts){0};
    x->told = 0;
    frz__mutex_unlock(&x->t.mu);
}

struct fs_fault_counts frz__fs_fault_counts(struct fs *fs)
{
    struct fault *x = lock(fs);
    struct fs_fault_counts counts = x->counts;
    frz__mutex_unlock(&x->t.mu);
    return counts;
}

void frz__fs_fault_cut(struct fs *fs)
{
    struct fault *x = lock(fs);
    x->cut = true;
    frz__mutex_unlock(&x->t.mu);
}

bool frz__fs_fault_is_cut(struct fs *fs)
{
    struct fault *x = lock(fs);
    bool cut = x->cut;
    frz__mutex_unlock(&x->t.mu);
    return cut;
}

/* ── reboot ── */

struct reboot {
    struct fault *from, *to;
    uint64_t seed;
    struct rng rng;
};

static int survive_file(struct reboot *b, const struct memfs_inode *old, struct memfs_inode *new, frz_error *err)
{
    const struct fault_shadow *s = old->shadow;
    struct fault_shadow *d;
    if (!s) return FRZ_OK; /* never written */
    TRY(buf_append_slice(&new->data, buf_slice(&s->disk), err));
    uint64_t fate = b->seed <= 2 ? b->seed % 2 : rng_below(&b->rng, 4);
    for (size_t i = 0; i < s->count && fate != 0; i++)
        TRY(fate == 1 ? reach_disk(&new->data, &s->writes[i], err) : reach_disk_in_part(&new->data, &s->writes[i], &b->rng, err));
    TRY(shadow_of(b->to, new, &d, err));
    return buf_append_slice(&d->disk, buf_slice(&new->data), err);
}

static int survive_dir(struct reboot *b, const struct memfs_inode *old, struct memfs_inode *new, frz_error *err);

static int survive(struct reboot *b, const struct memfs_entry *e, struct memfs_inode *dir, frz_error *err)
{
    struct memfs_inode *new;
    struct fault_shadow *d;
    int rc = FRZ_OK;
    TRY(frz__memfs_inode_new(&b->to->t, e->inode->is_dir, &new, err));
    new->mtime_us = e->inode->mtime_us;
    CHECK(e->inode->is_dir ? survive_dir(b, e->inode, new, err) : survive_file(b, e->inode, new, err));
    CHECK(frz__memfs_dir_put(&b->to->t, &dir->dir, e->name, new, err));
    CHECK(shadow_of(b->to, dir, &d, err));
    CHECK(frz__memfs_dir_put(&b->to->t, &d->disk_dir, e->name, new, err));
done:
    frz__memfs_unref(&b->to->t, new);
    return rc;
}

static int survive_dir(struct reboot *b, const struct memfs_inode *old, struct memfs_inode *new, frz_error *err)
{
    struct memfs_tree *t = &b->from->t;
    struct memfs_dir now = {0}; /* the disk's, and the marked steps */
    int rc = FRZ_OK;
    for (size_t i = 0; old->shadow && i < old->shadow->disk_dir.count; i++) CHECK(frz__memfs_dir_put(t, &now, old->shadow->disk_dir.at[i].name, old->shadow->disk_dir.at[i].inode, err));
    for (size_t i = 0; i < b->from->count; i++) {
        const struct step *s = &b->from->steps[i];
        for (unsigned c = 0; c < s->count && s->mark; c++) {
            if (s->at[c].dir != old) continue;
            if (s->at[c].inode) CHECK(frz__memfs_dir_put(t, &now, s->at[c].name, s->at[c].inode, err));
            else frz__memfs_dir_remove(t, &now, s->at[c].name);
        }
    }
    for (size_t i = 0; i < now.count; i++) CHECK(survive(b, &now.at[i], new, err));
done:
    frz__memfs_dir_clear(t, &now);
    return rc;
}

int frz__fs_fault_reboot(struct fs *fs, uint64_t seed, struct fs **out, frz_error *err)
{
    *out = NULL;
    struct fs *fresh;
    TRY(frz__fs_fault_new(fs->a, seed, &fresh, err));
    struct fault *x = lock(fs);
    struct reboot b = {x, fault(fresh), seed, {seed}};
    mark_survivors(x, seed, &b.rng);
    int rc = survive_dir(&b, x->t.root, fault(fresh)->t.root, err);
    frz__mutex_unlock(&x->t.mu);
    if (rc < 0) frz__fs_free(fresh);
    else *out = fresh;
    return rc;
}
