/* archive.c — where closed segments of the log are kept: told at open, remembered in .frazil/ARCHIVE, brought there beside everything else.
 *
 * Each log has a folder of its own there, named by its uuid. A segment is not recycled before the archive has it; while that fails, the log grows, the health says so and when it is tried again, and nothing else happens:
 * writes stop where the disk is full, as ever. Beyond log_archive_wait_max, where that is set, the oldest segments are given up (wal_set.c): the archive has a gap then, which is told once, and which a restore names. */
#include <stdio.h>

#include "engine/paths.h"
#include "engine/place.h"

#define PLACE_PATH      ".frazil/ARCHIVE"
#define PLACE_BYTES_MAX 4096

int frz__archive_place(struct db *db, struct buf *out, frz_error *err)
{
    size_t before = out->len;
    int rc = frz__fs_read_file(db->fs, PLACE_PATH, PLACE_BYTES_MAX, out, err);
    if (rc != FRZ_OK) return rc;
    if (out->len > before && memchr(out->data + before, 0, out->len - before))
        return frz__err_corrupt(err, PLACE_PATH ": it is not the path of a directory");
    return buf_append_byte(out, 0, err);
}

/* PATH: of the system; or, for a database in a folder of another file system, in that. */
static int open_root(struct db *db, const char *path, frz_error *err)
{
    struct fs *base = db->fs->base;
    if (!base) return frz__must_exist(frz__fs_posix_new(db->a, path, FS_POSIX_CREATE | FS_POSIX_ALLOW_REMOTE, &db->archive_root, err), err);
    size_t root = strlen(base->root);
    if (strncmp(path, base->root, root) == 0 && path[root] == '/') path += root + 1;
    TRY(frz__fs_mkdir(base, path, err));
    return frz__must_exist(frz__fs_sub_new(base, path, &db->archive_root, err), err);
}

/* A new place for it, of the system's: not in a warehouse. */
static int check_place(struct db *db, const char *path, const struct buf *known, frz_error *err)
{
    char real[PATH_MAX];
    if (db->fs->base) return FRZ_OK;
    TRY(frz__place_resolve(path, real, err));
    return known->data && strcmp((char *)known->data, real) == 0 ? FRZ_OK : frz__place_outside(real, true, "the log's archive", err);
}

static int remember(struct db *db, frz_error *err)
{
    const char *root = db->archive_root ? db->archive_root->root : NULL;
    if (root)
        return frz__durable_replace(db->fs,
                                    &(struct durable_name){".frazil/.tmp-archive", PLACE_PATH, SYNC_ARCHIVE_PLACE, SYNC_ARCHIVE_PLACE},
                                    slice_str(root), err);
    int rc = frz__fs_unlink(db->fs, PLACE_PATH, err);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__archive_open(struct db *db, frz_error *err)
{
    struct buf known = BUF_INIT(db->a, 0);
    const char *path = db->set.log_archive;
    size_t n = strlen(db->root);
    int rc = FRZ_OK;
    CHECK(frz__archive_place(db, &known, err));
    if (path && *path) CHECK(check_place(db, path, &known, err));
    if (!path) path = (const char *)known.data;
    if (path && *path) {
        CHECK(open_root(db, path, err));
        const char *root = db->archive_root->root;
        if (frz__place_below(root, db->root)) {
            rc = frz__err(err, FRZ_INVALID, "log_archive = %s: it is in the warehouse itself", root);
            if (root[n]) (void)!frz__fs_rmdir(db->fs, root + n + 1, NULL); /* empty, if it was made for this */
            goto done;
        }
        CHECK(frz__fs_mkdir(db->archive_root, db->log_uuid_text, err));
        CHECK(frz__fs_sync_dir(db->archive_root, "", SYNC_ARCHIVE_DIR, err));
        CHECK(frz__must_exist(frz__fs_sub_new(db->archive_root, db->log_uuid_text, &db->archive, err), err));
        if (known.data && strcmp((char *)known.data, root) == 0) goto done;
    }
    if (known.data || db->archive) rc = remember(db, err);
done:
    buf_clear(&known);
    db->set.log_archive = NULL; /* the caller's */
    if (rc < 0) frz__err_context(err, "the log's archive");
    return rc < 0 ? rc : FRZ_OK;
}

void frz__archive_close(struct db *db)
{
    frz__fs_free(db->archive);
    frz__fs_free(db->archive_root);
    db->archive = db->archive_root = NULL;
}

static void bring(struct db *db, bool all)
{
    frz_error err;
    bool failed = frz__health_bad(db, NULL, HEALTH_ARCHIVE);
    if (frz__wal_archive(db->wal, all, &err) >= 0) {
        if (failed) frz__log(&db->log, FRZ_LOG_INFO, "the log is archived again");
        frz__health_ok(db, NULL, HEALTH_ARCHIVE);
        return;
    }
    stat_add(&db->archive_failures, 1);
    frz__log(&db->log, failed ? FRZ_LOG_DEBUG : FRZ_LOG_ERROR, "%s: it is kept in the log, which grows", err.message);
    (void)frz__health_fail(db, NULL, HEALTH_ARCHIVE, &err);
}

static void run(void *arg)
{
    struct db *db = (struct db *)arg;
    bring(db, false);
    frz__log_release(db);
    atomic_store(&db->archiving, false);
}

void frz__archive_tend(struct db *db)
{
    if (!db->archive || atomic_load(&db->closing) || !frz__health_due(db, NULL, HEALTH_ARCHIVE, frz__clock_mono_ns(), NULL)) return;
    if (!frz__wal_archive_due(db->wal) || atomic_exchange(&db->archiving, true)) return;
    db->archive_job = (struct pool_job){.fn = run, .arg = db};
    if (!frz__pool_submit(db->pool, &db->archive_job, false)) atomic_store(&db->archiving, false);
}

void frz__archive_retry(struct db *db)
{
    bring(db, false);
    frz__log_release(db);
}

void frz__archive_rest(struct db *db)
{
    if (db->archive) bring(db, true);
}

void frz__archive_tell_gap(struct db *db)
{
    struct wal_stats s;
    char text[200];
    uint64_t told = atomic_load(&db->archive_given_up);
    frz__wal_stats(db->wal, &s);
    do { /* others may recycle beside this one: each gap is told once */
        if (s.archive_given_up <= told) return;
    } while (!atomic_compare_exchange_weak(&db->archive_given_up, &told, s.archive_given_up));
    snprintf(text, sizeof text, "%" PRIu64 " segments were given up beyond log_archive_wait_max: a restore to a moment behind them takes a backup from after them",
             s.archive_given_up - told);
    frz__log(&db->log, FRZ_LOG_ERROR, "the log's archive %s has a gap: %s", db->archive_root->root, text);
    frz__event(db, NULL, FRZ_EVENT_LOG_TROUBLE, &(struct event_info){.reason = "archive-gap", .message = text});
}
