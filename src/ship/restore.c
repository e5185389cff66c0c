/* restore.c — from a backup to a database.
 *
 *   1  which backup; the destination is empty
 *   2  .frazil/RESTORE is there to stay: what follows is no database until it is gone
 *   3  the files come over, each held against its size and checksum; they and their directories are synced
 *   4  it is opened where it is: re-pointed, with a log of its own; what the archive has is replayed (replay.c), published
 *   5  .frazil/RESTORE goes                                                                       ← the database is there */
#include "ship/backup.h"

#include <stdio.h>

#include "ship/replay.h"

/* ── 1 ── */

/* The newest that is not beyond what is asked for. */
static int choose(const allocator *a, const struct restore_request *r, struct backup_manifest *m, frz_error *err)
{
    struct backup_names names;
    char name[32];
    TRY(frz__backup_names(r->backups, a, &names, err));
    int rc = names.count ? FRZ_NOT_FOUND : frz__err(err, FRZ_NOT_FOUND, "%s has no backup", r->backups->root);
    for (size_t i = names.count; i-- > 0;) {
        if (r->number && names.numbers[i] != r->number) continue;
        frz__backup_manifest_clear(m);
        frz__backup_name(name, names.numbers[i], "");
        rc = frz__backup_manifest_read(r->backups, name, m, err);
        if (rc == FRZ_NOT_FOUND) rc = frz__err_corrupt(err, "%s/%s: it has no list of its files", r->backups->root, name);
        bool beyond = (r->to_seq && m->sequence > r->to_seq) || (r->to_time_us && m->time_us > r->to_time_us);
        if (rc == FRZ_OK && r->number && beyond)
            rc = frz__err(err, FRZ_INVALID, "backup %" PRIu64 " is of a later moment than is asked for: it ends with sequence %" PRIu64,
                          m->number, m->sequence);
        if (rc < 0 || r->number || !beyond) break;
        rc = frz__err(err, FRZ_NOT_FOUND,
                      "%s has no backup from before what is asked for: the oldest is %" PRIu64 ", up to sequence %" PRIu64,
                      r->backups->root, m->number, m->sequence);
    }
    if (rc == FRZ_NOT_FOUND && r->number) rc = frz__err(err, FRZ_NOT_FOUND, "%s has no backup %" PRIu64, r->backups->root, r->number);
    frz__backup_names_clear(&names);
    return rc;
}

static int on_name(void *ctx, const char *name, bool is_dir)
{
    snprintf((char *)ctx, 256, "%s", name);
    return strcmp(name, ".frazil") == 0; /* which tells most */
}

static int check_empty(const struct restore_request *r, frz_error *err)
{
    char name[256] = "";
    bool half = false;
    int rc = frz__fs_list(r->dest, "", on_name, name, err);
    if (rc < 0 || !*name) return rc < 0 ? rc : FRZ_OK;
    TRY(frz__fs_exists(r->dest, DB_RESTORE_MARK, &half, err));
    if (half)
        return frz__err(err, FRZ_INVALID, "%s: a restore to it was begun and has not ended: if none is running, remove it first",
                        r->dest_root);
    if (strcmp(name, ".frazil") == 0)
        return frz__err(err, FRZ_INVALID, "%s is a database: a restore goes to a new or an empty directory", r->dest_root);
    return frz__err(err, FRZ_INVALID, "%s is not empty (it has %s): a restore goes to a new or an empty directory", r->dest_root, name);
}

/* ── 2, 5 ── */

static int mark(const struct restore_request *r, frz_error *err)
{
    int rc = frz__fs_mkdir(r->dest, ".frazil", err);
    if (rc == FRZ_EXISTS) return frz__err(err, FRZ_BUSY, "%s: another process is at work there", r->dest_root);
    TRY(rc);
    TRY(frz__durable_replace(r->dest, &(struct durable_name){".frazil/.tmp-restore", DB_RESTORE_MARK, SYNC_RESTORE_MARK, SYNC_RESTORE_MARK},
                             slice_str("a restore is under way\n"), err));
    return frz__fs_sync_dir(r->dest, "", SYNC_RESTORE_MARK, err);
}

static int unmark(const struct restore_request *r, frz_error *err)
{
    TRY(frz__fs_unlink(r->dest, DB_RESTORE_MARK, err));
    return frz__fs_sync_dir(r->dest, ".frazil", SYNC_RESTORE_MARK, err);
}

/* What could not be restored leaves nothing; where even that fails, the mark stays, and is the last to go. */
static int remove_one(void *ctx, const char *path, bool is_dir, frz_error *err)
{
    struct fs *fs = (struct fs *)ctx;
    if (strcmp(path, DB_RESTORE_MARK) == 0 || strcmp(path, ".frazil") == 0) return FRZ_OK;
    int rc = is_dir ? frz__fs_rmdir(fs, path, err) : frz__fs_unlink(fs, path, err);
    return rc < 0 ? rc : FRZ_OK;
}

static void undo(const allocator *a, const struct restore_request *r)
{
    if (frz__ship_walk(r->dest, a, "", remove_one, r->dest, NULL) < 0) return;
    if (frz__fs_unlink(r->dest, DB_RESTORE_MARK, NULL) == FRZ_OK) (void)!frz__fs_rmdir(r->dest, ".frazil", NULL);
}

/* ── 3 ── */

/* A table without a row has no file in its data folder, and has one all the same. */
static int make_data_dir(struct ship_copier *c, const char *path, frz_error *err)
{
    char dir[BACKUP_PATH_BYTES];
    const char *metadata = strstr(path, "/metadata/");
    if (!metadata) return FRZ_OK;
    snprintf(dir, sizeof dir, "%.*s/data", (int)(metadata - path), path);
    return frz__ship_dir(c, dir, err);
}

static int take_files(const allocator *a, const struct restore_request *r, struct backup_manifest *m, frz_error *err)
{
    struct ship_copier c;
    struct fs *from = NULL;
    char name[32];
    int rc = FRZ_OK;
    frz__backup_name(name, m->number, "");
    frz__ship_copier_init(&c, a, NULL, r->dest);
    CHECK(frz__must_exist(frz__fs_sub_new(r->backups, name, &from, err), err));
    c.from = from;
    c.copy = r->copy;
    c.progress = r->progress;
    c.ctx = r->ctx;
    c.at.files_total = m->count;
    c.at.bytes_total = frz__backup_manifest_bytes(m);
    for (size_t i = 0; i < m->count; i++)
        CHECK_CTX(frz__must_exist(frz__ship_take(&c, &m->files[i], true, err), err), err, "backup %" PRIu64, m->number);
    for (size_t i = 0; i < m->count; i++) CHECK(make_data_dir(&c, m->files[i].path, err));
    rc = frz__ship_sync_dirs(&c, err);
done:
    frz__fs_free(from);
    frz__ship_copier_clear(&c);
    return rc;
}

/* ── 4 ── */

static int check_tables(struct db *db, const struct backup_manifest *m, frz_error *err)
{
    for (size_t i = 0; i < db->table_count; i++) TRY(frz__table_broken(db->tables[i], err));
    if (db->table_count == m->table_count) return FRZ_OK;
    return frz__err_corrupt(err, "backup %" PRIu64 ": it has %zu tables, and was made of %" PRIu64, m->number, db->table_count,
                            m->table_count);
}

static int settle(const allocator *a, const struct restore_request *r, const struct backup_manifest *m, struct restore_result *out,
                  frz_error *err)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    struct db *db = NULL;
    o.allocator = a;
    o.no_compaction = !(r->to_seq || r->to_time_us || r->to_end); /* a replay may be long */
    o.durability = FRZ_SYNC_OFF; /* all is published at close, and the log synced */
    int rc = frz__must_exist(frz__db_open_at(r->dest, r->dest_root, DB_RESTORING, &o, &db, err), err);
    if (rc >= 0) rc = check_tables(db, m, err);
    if (rc >= 0 && (r->to_seq || r->to_time_us || r->to_end)) rc = frz__replay(db, m, r, out, err);
    if (rc >= 0) out->tables = db->table_count;
    if (!db) return rc;
    int closed = frz__db_close(db, rc == FRZ_OK ? err : NULL);
    return rc == FRZ_OK ? closed : rc;
}

int frz__restore(const allocator *a, const struct restore_request *r, struct restore_result *out, frz_error *err)
{
    struct backup_manifest m;
    struct restore_request own = *r;
    struct fs *archive = NULL;
    bool begun = false, beyond = r->to_seq || r->to_time_us || r->to_end;
    int rc = FRZ_OK;
    frz__backup_manifest_init(&m, a);
    CHECK(check_empty(r, err));
    rc = choose(a, r, &m, err);
    if (rc != FRZ_OK) goto done;
    if (beyond && !r->archive && *m.archive) {
        rc = frz__fs_posix_new(a, m.archive, FS_POSIX_ALLOW_REMOTE, &archive, err);
        if (rc != FRZ_OK) goto done;
        own.archive = archive;
    }
    *out = (struct restore_result){
        .number = m.number, .sequence = m.sequence, .time_us = m.time_us, .files = m.count, .bytes = frz__backup_manifest_bytes(&m)};
    CHECK(mark(r, err));
    begun = true;
    CHECK(take_files(a, r, &m, err));
    rc = settle(a, &own, &m, out, err); /* FRZ_NOT_FOUND: the archive ends too early */
    if (rc != FRZ_OK) goto done;
    CHECK(unmark(r, err));
done:
    if (rc != FRZ_OK && begun) undo(a, r);
    frz__fs_free(archive);
    frz__backup_manifest_clear(&m);
    return rc;
}
