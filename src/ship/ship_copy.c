/* Files from one tree to another: by a second name where that can be had, by shared blocks, or by their bytes; and their checksums, for which each is read once. */
#include "ship/backup.h"

#include <stdio.h>

#include "base/hash.h"

#define CHUNK ((size_t)256 << 10)

void frz__ship_copier_init(struct ship_copier *c, const allocator *a, struct fs *from, struct fs *to)
{
    *c = (struct ship_copier){.a = a, .from = from, .to = to, .dirs = BUF_INIT(a, 0), .at = FRZ_INIT(frz_backup_progress)};
}

void frz__ship_copier_clear(struct ship_copier *c)
{
    frz__free(c->a, c->chunk);
    buf_clear(&c->dirs);
    c->chunk = NULL;
}

int frz__ship_progress(struct ship_copier *c, frz_error *err)
{
    if (!c->progress || c->progress(c->ctx, &c->at) == 0) return FRZ_OK;
    return frz__err(err, FRZ_CANCELLED, "cancelled");
}

static int need_chunk(struct ship_copier *c, frz_error *err)
{
    if (!c->chunk) c->chunk = (uint8_t *)frz__alloc(c->a, CHUNK);
    return c->chunk ? FRZ_OK : frz__err_no_memory(err, CHUNK);
}

/* ── folders ── */

static bool has_dir(const struct ship_copier *c, const char *dir)
{
    for (size_t at = 0; at < c->dirs.len; at += strlen((const char *)c->dirs.data + at) + 1)
        if (strcmp((const char *)c->dirs.data + at, dir) == 0) return true;
    return false;
}

int frz__ship_dir(struct ship_copier *c, const char *dir, frz_error *err)
{
    char part[BACKUP_PATH_BYTES];
    if (strlen(dir) >= sizeof part) return frz__err(err, FRZ_TOO_LARGE, "path \"%.200s\": it is too long", dir);
    if (!*dir || has_dir(c, dir)) return FRZ_OK;
    for (const char *end = strchrnul(dir, '/');; end = strchrnul(end + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(end - dir), dir);
        if (!has_dir(c, part)) {
            TRY(frz__fs_mkdir(c->to, part, err));
            TRY(buf_append(&c->dirs, part, strlen(part) + 1, err));
        }
        if (!*end) return FRZ_OK;
    }
}

int frz__ship_sync_dirs(struct ship_copier *c, frz_error *err)
{
    for (size_t at = 0; at < c->dirs.len; at += strlen((const char *)c->dirs.data + at) + 1)
        TRY(frz__fs_sync_dir(c->to, (const char *)c->dirs.data + at, SYNC_BACKUP_DIR, err));
    return frz__fs_sync_dir(c->to, "", SYNC_BACKUP_DIR, err);
}

int frz__ship_walk(struct fs *fs, const allocator *a, const char *dir, int (*fn)(void *ctx, const char *path, bool is_dir, frz_error *err),
                   void *ctx, frz_error *err);

struct names {
    struct buf b;
    frz_error *err;
};
static int on_name(void *ctx, const char *name, bool is_dir)
{
    struct names *n = (struct names *)ctx;
    int rc = buf_append_byte(&n->b, is_dir, n->err);
    return rc < 0 ? rc : buf_append(&n->b, name, strlen(name) + 1, n->err);
}

int frz__ship_walk(struct fs *fs, const allocator *a, const char *dir, int (*fn)(void *ctx, const char *path, bool is_dir, frz_error *err),
                   void *ctx, frz_error *err)
{
    struct names n = {BUF_INIT(a, 0), err};
    char path[BACKUP_PATH_BYTES];
    int rc = frz__fs_list(fs, dir, on_name, &n, err);
    for (size_t at = 0; rc == FRZ_OK && at < n.b.len;) {
        bool is_dir = n.b.data[at++] != 0;
        const char *name = (const char *)n.b.data + at;
        at += strlen(name) + 1;
        int len = snprintf(path, sizeof path, "%s%s%s", dir, *dir ? "/" : "", name);
        if (len < 0 || (size_t)len >= sizeof path) rc = frz__err(err, FRZ_TOO_LARGE, "path \"%.200s…\": it is too long", path);
        if (rc == FRZ_OK && is_dir) rc = frz__ship_walk(fs, a, path, fn, ctx, err);
        if (rc == FRZ_OK) rc = fn(ctx, path, is_dir, err);
    }
    buf_clear(&n.b);
    return rc;
}

/* ── files ── */

static int advance(struct ship_copier *c, size_t bytes, frz_error *err)
{
    c->at.bytes_done += bytes;
    return frz__ship_progress(c, err);
}

/* Reads F to its end; what TO is not NULL for is written there. */
static int pump(struct ship_copier *c, struct file *f, struct file *to, uint64_t *bytes, uint32_t *crc, frz_error *err)
{
    *bytes = 0;
    *crc = 0;
    TRY(need_chunk(c, err));
    for (;;) {
        size_t got = 0;
        TRY(frz__file_read(f, *bytes, c->chunk, CHUNK, &got, err));
        if (got == 0) return FRZ_OK;
        *crc = frz__crc32c(*crc, c->chunk, got);
        if (to) TRY(frz__file_write(to, *bytes, c->chunk, got, err));
        *bytes += got;
        TRY(advance(c, got, err));
    }
}

int frz__ship_sum(struct ship_copier *c, struct fs *fs, const char *path, uint64_t *bytes, uint32_t *crc, frz_error *err)
{
    struct file *f = NULL;
    int rc = frz__fs_open(fs, path, FS_OPEN_READ, &f, err);
    if (rc != FRZ_OK) return rc;
    rc = pump(c, f, NULL, bytes, crc, err);
    return frz__first(rc, frz__file_close(f, rc < 0 ? NULL : err));
}

/* A link of PATH in FS; *DONE false where there can be none. */
static int try_link(struct ship_copier *c, struct fs *fs, const char *path, bool *done, frz_error *err)
{
    frz_error why = {0};
    int rc = frz__fs_link(fs, path, c->to, path, &why);
    *done = rc == FRZ_OK || rc == FRZ_EXISTS;
    if (*done || rc == FRZ_UNSUPPORTED) return FRZ_OK;
    if (err) *err = why;
    return rc;
}

/* By blocks or by bytes. The sync is before the name is told to anybody. */
static int copy_bytes(struct ship_copier *c, struct backup_file *f, uint64_t *bytes, uint32_t *crc, frz_error *err)
{
    struct file *from = NULL, *to = NULL;
    int rc = frz__fs_open(c->from, f->path, FS_OPEN_READ, &from, err);
    if (rc != FRZ_OK) return rc;
    CHECK(frz__fs_open(c->to, f->path, FS_OPEN_CREATE_NEW, &to, err));
    if (rc == FRZ_EXISTS) { /* of an earlier try, and perhaps cut short */
        CHECK(frz__fs_unlink(c->to, f->path, err));
        CHECK(frz__must_exist(frz__fs_open(c->to, f->path, FS_OPEN_CREATE_NEW, &to, err), err));
    }
    frz_error why;
    bool cloned = !c->copy && frz__file_clone(from, to, &why) == FRZ_OK;
    if (cloned)
        c->at.files_cloned++;
    else
        c->at.files_copied++;
    CHECK(pump(c, cloned ? to : from, cloned ? NULL : to, bytes, crc, err));
    CHECK(frz__file_sync(to, SYNC_BACKUP_FILE, err));
done:
    rc = frz__first(rc, frz__file_close(from, rc < 0 ? NULL : err));
    return frz__first(rc, frz__file_close(to, rc < 0 ? NULL : err));
}

static int make_parent(struct ship_copier *c, const char *path, frz_error *err)
{
    char dir[BACKUP_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 0, path);
    return frz__ship_dir(c, dir, err);
}

/* What F was linked to is what was backed up: it is the source's file too, and whole if that is; else its bytes tell, which a disk may
 * have lost, and anybody may have changed, since. FRZ_CORRUPT, FRZ_IO: why not. */
static int check_linked(struct ship_copier *c, const struct backup_file *f, const struct fs_stat *source, const struct backup_file *old,
                        frz_error *err)
{
    struct fs_stat st;
    uint64_t bytes = 0;
    uint32_t crc = 0;
    TRY(frz__must_exist(frz__fs_stat(c->to, f->path, &st, err), err));
    if (st.bytes != old->bytes)
        return frz__err_corrupt(err, "it has %" PRIu64 " bytes, and was backed up with %" PRIu64, st.bytes, old->bytes);
    if (st.device == source->device && st.inode == source->inode) return advance(c, (size_t)old->bytes, err);
    TRY(frz__must_exist(frz__ship_sum(c, c->to, f->path, &bytes, &crc, err), err));
    if (bytes == old->bytes && crc == old->crc) return FRZ_OK;
    return frz__err_corrupt(err, "its checksum is %08" PRIx32 ", and was %08" PRIx32 " when it was backed up", crc, old->crc);
}

/* What the earlier backup has of this name and size is this file, if it still is what it was: a name is never used twice. */
static int from_earlier(struct ship_copier *c, struct backup_file *f, bool *done, frz_error *err)
{
    struct fs_stat source;
    const struct backup_file *old = c->prev ? frz__backup_manifest_find(c->prev_files, f->path) : NULL;
    uint64_t before = c->at.bytes_done;
    frz_error why = {0};
    *done = false;
    if (!old || c->copy) return FRZ_OK;
    int rc = frz__fs_stat(c->from, f->path, &source, err);
    if (rc != FRZ_OK || source.bytes != old->bytes) return rc;
    rc = try_link(c, c->prev, f->path, done, &why);
    if (rc == FRZ_OK && !*done) return FRZ_OK;
    if (rc == FRZ_OK) rc = check_linked(c, f, &source, old, &why);
    if (rc == FRZ_NO_MEMORY || rc == FRZ_CANCELLED || rc == FRZ_NO_SPACE) {
        if (err) *err = why;
        return rc;
    }
    if (rc == FRZ_OK) {
        f->bytes = old->bytes;
        f->crc = old->crc;
        f->checked = true;
        c->at.files_shared++;
        return FRZ_OK;
    }
    frz__log(c->log, FRZ_LOG_WARN, "%s/%s is damaged since it was backed up (%s): this backup takes it from the database again", c->prev->root,
             f->path, rc == FRZ_NOT_FOUND ? "it is missing" : why.message);
    c->at.bytes_done = before;
    f->anew = true;
    if (!*done) return FRZ_OK;
    *done = false;
    rc = frz__fs_unlink(c->to, f->path, err);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__ship_take(struct ship_copier *c, struct backup_file *f, bool check, frz_error *err)
{
    uint64_t bytes = 0;
    uint32_t crc = 0;
    bool done = false;
    TRY(make_parent(c, f->path, err));
    int rc = from_earlier(c, f, &done, err);
    if (rc != FRZ_OK || done) {
        c->at.files_done += rc == FRZ_OK;
        return rc;
    }
    if (!c->copy) rc = try_link(c, c->from, f->path, &done, err);
    if (rc != FRZ_OK) return rc;
    if (done) {
        c->at.files_linked++;
        rc = frz__must_exist(frz__ship_sum(c, c->to, f->path, &bytes, &crc, err), err);
    } else
        rc = copy_bytes(c, f, &bytes, &crc, err);
    if (rc != FRZ_OK) return rc;
    if (check && (bytes != f->bytes || crc != f->crc))
        return frz__err_corrupt(
            err, "%s/%s: has %" PRIu64 " bytes with checksum %08" PRIx32 ", and was backed up with %" PRIu64 " and %08" PRIx32,
            c->from->root, f->path, bytes, crc, f->bytes, f->crc);
    f->bytes = bytes;
    f->crc = crc;
    f->checked = true;
    c->at.files_done++;
    return FRZ_OK;
}
