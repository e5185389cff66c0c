/* api_backup.c — the public face of backups: arguments checked, directories opened, and passed on. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/sized.h"
#include "engine/place.h"
#include "ship/backup.h"

static void info_of(const struct backup_manifest *m, bool complete, frz_backup_info *out)
{
    *out = (frz_backup_info){.struct_size = sizeof *out,
                             .complete = complete,
                             .number = m->number,
                             .sequence = m->sequence,
                             .time_us = m->time_us,
                             .tables = m->table_count,
                             .files = m->count,
                             .bytes = frz__backup_manifest_bytes(m),
                             .files_new = m->files_new,
                             .bytes_new = m->bytes_new};
    snprintf(out->log_uuid, sizeof out->log_uuid, "%s", m->log_uuid);
}

/* The directory of backups. A network file system is welcome: nobody writes here but under the lock, and what is not whole is seen to be not. */
static int open_backups(const allocator *a, const char *path, bool create, struct fs **out, frz_error *err)
{
    return frz__fs_posix_new(a, path, FS_POSIX_ALLOW_REMOTE | (create ? FS_POSIX_CREATE : 0), out, err);
}

int frz_db_backup(frz_db *h, const char *directory, const frz_backup_options *options, frz_backup_info *out, frz_error *err)
{
    struct db *db;
    frz_backup_options o = FRZ_BACKUP_OPTIONS_INIT;
    struct backup_manifest m;
    char root[PATH_MAX];
    struct fs *dest = NULL;
    TRY(frz__shell_db(h, &db, err));
    TRY(frz__shell_need(directory, "directory", err));
    if (out) TRY(frz__sized_check(out, "frz_backup_info", err));
    TRY(frz__sized_take(options, "frz_backup_options", &o, sizeof o, err));
    TRY(frz__place_resolve(directory, root, err));
    if (frz__place_below(root, db->root)) return frz__err(err, FRZ_INVALID, "%s is in the warehouse %s: a backup goes elsewhere", root, db->root);
    TRY(frz__place_outside(root, true, "a backup", err));
    TRY(open_backups(db->a, root, true, &dest, err));
    frz__backup_manifest_init(&m, db->a);
    const struct backup_request r = {.dest = dest, .dest_root = root, .copy = o.copy, .keep = o.keep, .progress = o.progress, .ctx = o.ctx};
    int rc = frz__backup(db, &r, &m, err);
    if (rc >= 0 && out) {
        frz_backup_info info;
        info_of(&m, true, &info);
        frz__sized_give(out, &info, sizeof info);
    }
    frz__backup_manifest_clear(&m);
    frz__fs_free(dest);
    return rc;
}

/* ── what is there ── */

static int tell_one(struct fs *dest, uint64_t number, bool partial, int (*fn)(void *ctx, const frz_backup_info *info), void *ctx,
                    frz_error *err)
{
    struct backup_manifest m;
    frz_backup_info info = {.struct_size = sizeof info, .number = number};
    char name[32];
    frz_error why;
    frz__backup_manifest_init(&m, NULL);
    frz__backup_name(name, number, "");
    int rc = partial ? FRZ_NOT_FOUND : frz__backup_manifest_read(dest, name, &m, &why);
    if (rc == FRZ_OK) info_of(&m, true, &info);
    info.number = number;
    frz__backup_manifest_clear(&m);
    if (rc == FRZ_NO_MEMORY) {
        if (err) *err = why;
        return rc;
    }
    return fn(ctx, &info);
}

static int no_backup(const struct fs *dest, frz_error *err) { return frz__err(err, FRZ_NOT_FOUND, "%s has no backup", dest->root); }

int frz_backup_list(const char *directory, int (*fn)(void *ctx, const frz_backup_info *info), void *ctx, frz_error *err)
{
    struct fs *dest = NULL;
    struct backup_names names;
    TRY(frz__shell_need(directory, "directory", err));
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    int rc = open_backups(NULL, directory, false, &dest, err);
    if (rc != FRZ_OK) return rc;
    rc = frz__backup_names(dest, NULL, &names, err);
    if (rc == FRZ_OK && names.count + names.partial_count == 0) rc = no_backup(dest, err);
    size_t p = 0;
    for (size_t i = 0; rc == FRZ_OK && i <= names.count; i++) {
        for (; rc == FRZ_OK && p < names.partial_count && (i == names.count || names.partial[p] < names.numbers[i]); p++)
            rc = tell_one(dest, names.partial[p], true, fn, ctx, err);
        if (rc == FRZ_OK && i < names.count) rc = tell_one(dest, names.numbers[i], false, fn, ctx, err);
    }
    frz__backup_names_clear(&names);
    frz__fs_free(dest);
    return rc;
}

int frz_backup_verify(const char *directory, uint64_t number, int (*fn)(void *ctx, const frz_finding *), void *ctx, uint64_t *findings,
                      frz_backup_info *out, frz_error *err)
{
    struct fs *dest = NULL;
    struct backup_names names = {0};
    struct backup_manifest m;
    uint64_t count = 0;
    TRY(frz__shell_need(directory, "directory", err));
    if (out) TRY(frz__sized_check(out, "frz_backup_info", err));
    if (findings) *findings = 0;
    int rc = open_backups(NULL, directory, false, &dest, err);
    if (rc != FRZ_OK) return rc;
    frz__backup_manifest_init(&m, NULL);
    rc = frz__backup_names(dest, NULL, &names, err);
    bool there = false;
    if (rc >= 0 && number == 0 && names.count) number = names.numbers[names.count - 1];
    for (size_t i = 0; i < names.count; i++) there |= names.numbers[i] == number;
    if (rc >= 0 && !there) rc = number ? frz__err(err, FRZ_NOT_FOUND, "%s has no backup %" PRIu64, dest->root, number) : no_backup(dest, err);
    if (rc == FRZ_OK) rc = frz__backup_verify(dest, NULL, number, fn, ctx, &m, &count, err);
    if (rc == FRZ_NOT_FOUND && there) rc = frz__err_corrupt(err, "%s: backup %" PRIu64 " has no list of its files", dest->root, number);
    if (findings) *findings = count;
    if (rc >= 0 && out) {
        frz_backup_info info;
        info_of(&m, true, &info);
        frz__sized_give(out, &info, sizeof info);
    }
    frz__backup_manifest_clear(&m);
    frz__backup_names_clear(&names);
    frz__fs_free(dest);
    return rc;
}

int frz_backup_purge(const char *directory, uint64_t keep, uint64_t *removed, frz_error *err)
{
    struct fs *dest = NULL;
    struct file *lock = NULL;
    struct backup_names names = {0};
    TRY(frz__shell_need(directory, "directory", err));
    if (removed) *removed = 0;
    if (keep == 0) return frz__err(err, FRZ_INVALID, "keep = 0: one backup at least stays");
    int rc = open_backups(NULL, directory, false, &dest, err);
    if (rc != FRZ_OK) return rc;
    rc = frz__backup_names(dest, NULL, &names, err);
    if (rc == FRZ_OK && names.count + names.partial_count == 0) rc = no_backup(dest, err); /* nor a LOCK for it */
    if (rc == FRZ_OK) rc = frz__backup_lock(dest, &lock, err);
    if (rc == FRZ_OK) rc = frz__backup_purge(dest, NULL, keep, NULL, removed, err);
    rc = frz__first(rc, frz__file_close(lock, rc < 0 ? NULL : err));
    frz__backup_names_clear(&names);
    frz__fs_free(dest);
    return rc;
}

/* ── the way back ── */

int frz_restore(const char *directory, const char *destination, const frz_restore_options *options, frz_restore_info *out, frz_error *err)
{
    frz_restore_options o = FRZ_RESTORE_OPTIONS_INIT;
    struct fs *backups = NULL, *dest = NULL, *archive = NULL;
    struct restore_result result = {0};
    char root[PATH_MAX];
    TRY(frz__shell_need(directory, "directory", err));
    TRY(frz__shell_need(destination, "destination", err));
    if (out) TRY(frz__sized_check(out, "frz_restore_info", err));
    TRY(frz__sized_take(options, "frz_restore_options", &o, sizeof o, err));
    if ((o.to_sequence != 0) + (o.to_time_us != 0) + o.to_end > 1)
        return frz__err(err, FRZ_INVALID, "to_sequence, to_time_us and to_end exclude one another");
    if (o.to_time_us < 0) return frz__err(err, FRZ_INVALID, "to_time_us = %" PRId64 ": before 1970", o.to_time_us);
    TRY(frz__place_resolve(destination, root, err));
    bool made = access(root, F_OK) != 0;
    int rc = open_backups(NULL, directory, false, &backups, err);
    if (rc != FRZ_OK) return rc;
    if (frz__place_below(root, backups->root))
        rc = frz__err(err, FRZ_INVALID, "%s is among the backups in %s: a restore goes elsewhere", root, backups->root);
    if (rc == FRZ_OK) rc = frz__place_outside(root, false, "a restore", err);
    if (rc == FRZ_OK && o.log_archive) rc = frz__fs_posix_new(NULL, o.log_archive, 0, &archive, err);
    if (rc == FRZ_OK) rc = frz__fs_posix_new(NULL, root, FS_POSIX_CREATE, &dest, err);
    const struct restore_request r = {.backups = backups,
                                      .number = o.number,
                                      .dest = dest,
                                      .dest_root = root,
                                      .copy = o.copy,
                                      .to_seq = o.to_sequence,
                                      .to_time_us = o.to_time_us,
                                      .to_end = o.to_end,
                                      .archive = archive,
                                      .progress = o.progress,
                                      .ctx = o.ctx};
    if (rc == FRZ_OK) rc = frz__restore(NULL, &r, &result, err);
    if (rc >= 0 && out) {
        frz_restore_info info = {.struct_size = sizeof info,
                                 .number = result.number,
                                 .sequence = result.sequence,
                                 .time_us = result.time_us,
                                 .tables = result.tables,
                                 .files = result.files,
                                 .bytes = result.bytes,
                                 .operations = result.replayed};
        frz__sized_give(out, &info, sizeof info);
    }
    frz__fs_free(archive);
    frz__fs_free(dest);
    frz__fs_free(backups);
    if (rc != FRZ_OK && made) (void)rmdir(root); /* empty: what failed was undone, or else it stays */
    return rc;
}
