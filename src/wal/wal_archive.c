/* wal_archive.c — closed segments go to the archive: by a second name where it can be had, else by their bytes.
 *
 * A segment gets its name there once it is whole: `.tmp-<number>` is written or linked, synced, and renamed without replacing. What is there under the name already was brought by an earlier process, which
 * did not live to recycle it: if it begins with the same header it is that segment, else another database archives to the same place, and nothing is done. */
#include "wal/wal_int.h"

#include <stdlib.h>

#define CHUNK ((size_t)256 << 10)

static bool closed_locked(const struct wal *w, const struct wal_segment *s, bool all)
{
    return !s->archived && !s->void_ && (s != w->current || all) &&
           (!s->h.epoch || s->synced >= s->end); /* without an epoch: of an earlier process, and synced at open */
}

/* Pinned; NULL = none. */
static struct wal_segment *next_closed(struct wal *w, bool all)
{
    struct wal_segment *s = NULL;
    frz__mutex_lock(&w->mu);
    for (size_t i = 0; i < w->count && !s; i++)
        if (closed_locked(w, w->segments[i], all)) s = w->segments[i];
    if (s) s->pins++;
    frz__mutex_unlock(&w->mu);
    return s;
}

bool frz__wal_archive_due(struct wal *w)
{
    if (!w->archive) return false;
    struct wal_segment *s = next_closed(w, false);
    if (!s) return false;
    frz__mutex_lock(&w->mu);
    s->pins--;
    frz__mutex_unlock(&w->mu);
    return true;
}

static int read_head(struct fs *fs, const char *path, uint8_t out[WAL_RECORDS_AT], frz_error *err)
{
    struct file *f = NULL;
    size_t got = 0;
    memset(out, 0, WAL_RECORDS_AT);
    int rc = frz__fs_open(fs, path, FS_OPEN_READ, &f, err);
    if (rc != FRZ_OK) return rc;
    rc = frz__file_read(f, 0, out, WAL_RECORDS_AT, &got, err);
    return frz__first(rc, frz__file_close(f, rc < 0 ? NULL : err));
}

/* The archive's NAME, if it is there, is the segment at PATH. */
static int same_segment(struct wal *w, const char *path, const char *name, bool *same, frz_error *err)
{
    uint8_t here[WAL_RECORDS_AT], there[WAL_RECORDS_AT];
    *same = false;
    int rc = read_head(w->archive, name, there, err);
    if (rc != FRZ_OK) return rc < 0 ? rc : FRZ_OK;
    TRY(frz__must_exist(read_head(w->fs, path, here, err), err));
    if (memcmp(here + 24, there + 24, 16) != 0 || memcmp(here + 8, there + 8, 16) != 0) /* uuid, number, epoch */
        return frz__err(err, FRZ_CONFLICT, "%s/%s is there, and is not %s: two copies of a database archive to one place", w->archive->root,
                        name, path);
    *same = true;
    return FRZ_OK;
}

static int copy_bytes(struct wal *w, const char *path, const char *temp, uint64_t bytes, frz_error *err)
{
    struct file *from = NULL, *to = NULL;
    uint8_t *chunk = (uint8_t *)frz__alloc(w->a, CHUNK);
    int rc = FRZ_OK;
    if (!chunk) return frz__err_no_memory(err, CHUNK);
    CHECK(frz__must_exist(frz__fs_open(w->fs, path, FS_OPEN_READ, &from, err), err));
    CHECK(frz__fs_open(w->archive, temp, FS_OPEN_APPEND_OR_CREATE, &to, err));
    CHECK(frz__file_truncate(to, 0, err));
    for (uint64_t at = 0; at < bytes;) {
        size_t got = 0;
        CHECK(frz__file_read(from, at, chunk, bytes - at < CHUNK ? (size_t)(bytes - at) : CHUNK, &got, err));
        if (got == 0) break;
        CHECK(frz__file_write(to, at, chunk, got, err));
        at += got;
    }
    CHECK(frz__file_sync(to, SYNC_ARCHIVE_SEGMENT, err));
done:
    frz__free(w->a, chunk);
    rc = frz__first(rc, frz__file_close(from, rc < 0 ? NULL : err));
    return frz__first(rc, frz__file_close(to, rc < 0 ? NULL : err));
}

/* *LINKED: the archive has the very file, or may have. */
static int archive_one(struct wal *w, const struct wal_segment *s, bool *linked, frz_error *err)
{
    char path[WAL_PATH_BYTES], name[WAL_NAME_BYTES], temp[WAL_NAME_BYTES + 8];
    frz_error why;
    wal_path(path, w->dir, s->number, "wal");
    snprintf(name, sizeof name, "%09" PRIu64 ".wal", s->number);
    snprintf(temp, sizeof temp, ".tmp-%09" PRIu64, s->number);
    TRY(same_segment(w, path, name, linked, err));
    if (*linked) return frz__fs_sync_dir(w->archive, "", SYNC_ARCHIVE_DIR, err); /* its name may not have reached the disk */
    int rc = frz__fs_unlink(w->archive, temp, err);                              /* of a process that died */
    TRY(rc);
    rc = frz__fs_link(w->fs, path, w->archive, temp, &why);
    *linked = rc == FRZ_OK;
    if (rc != FRZ_OK) TRY(copy_bytes(w, path, temp, s->h.epoch ? s->end : UINT64_MAX, err));
    rc = frz__fs_link_new(w->archive, temp, name, err);
    if (rc == FRZ_EXISTS)
        return frz__err(err, FRZ_CONFLICT, "%s/%s was made meanwhile: two copies of a database archive to one place", w->archive->root,
                        name);
    TRY(rc);
    return frz__fs_sync_dir(w->archive, "", SYNC_ARCHIVE_DIR, err);
}

int frz__wal_archive(struct wal *w, bool all, frz_error *err)
{
    struct wal_segment *s;
    int rc = FRZ_OK;
    frz__mutex_lock(&w->archive_mu);
    while (rc >= 0 && w->archive && (s = next_closed(w, all))) {
        bool linked = false;
        rc = archive_one(w, s, &linked, err);
        frz__mutex_lock(&w->mu);
        s->pins--;
        s->linked |= linked;
        s->archived = rc >= 0;
        w->stats.archived += rc >= 0;
        frz__mutex_unlock(&w->mu);
        if (rc < 0) frz__err_context(err, "the log's segment %" PRIu64 " can't be archived", s->number);
    }
    frz__mutex_unlock(&w->archive_mu);
    return rc < 0 ? rc : FRZ_OK;
}

/* ── trimming ── */

struct numbers {
    const allocator *a;
    uint64_t *at;
    size_t count, cap;
    int rc;
    frz_error *err;
};
static int on_name(void *ctx, const char *name, bool is_dir)
{
    struct numbers *n = (struct numbers *)ctx;
    uint64_t number = is_dir ? 0 : wal_number(name, "wal");
    if (!number) return 0;
    n->rc = frz__grow(n->a, (void **)&n->at, n->count, &n->cap, sizeof *n->at, n->err);
    if (n->rc < 0) return 1;
    n->at[n->count++] = number;
    return 0;
}
static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* From the oldest on, as long as the one behind begins before FROM_SEQ. */
int frz__wal_archive_trim(const allocator *a, struct fs *fs, const char *dir, uint64_t from_seq, uint64_t *removed, frz_error *err)
{
    struct numbers n = {.a = a, .err = err};
    int rc = frz__fs_list(fs, dir, on_name, &n, err);
    *removed = 0;
    if (rc < 0 || n.rc < 0 || rc == FRZ_NOT_FOUND) goto done;
    rc = FRZ_OK;
    if (n.count) qsort(n.at, n.count, sizeof *n.at, by_number);
    for (size_t i = 0; i + 1 < n.count; i++) {
        char path[WAL_PATH_BYTES];
        uint8_t head[WAL_RECORDS_AT];
        struct wal_header h;
        wal_path(path, dir, n.at[i + 1], "wal");
        CHECK(frz__must_exist(read_head(fs, path, head, err), err));
        bool good = wal_header_decode(head, n.at[i + 1], &h) || wal_header_decode(head + WAL_HEADER_BYTES, n.at[i + 1], &h);
        if (!good || h.first_seq >= from_seq) break;
        wal_path(path, dir, n.at[i], "wal");
        CHECK(frz__fs_unlink(fs, path, err));
        ++*removed;
    }
done:
    frz__free(a, n.at);
    return rc < 0 ? rc : n.rc < 0 ? n.rc : FRZ_OK;
}
