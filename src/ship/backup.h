/* backup.h — copies of a whole database, each a warehouse of its own, and the way back.
 *
 *     DEST/LOCK                 one process at a time makes or removes backups here
 *     DEST/000007/              a backup: a warehouse whose metadata says that it is here, an empty .frazil, and
 *     DEST/000007/BACKUP        the list of its files with sizes and checksums, written last (backup_list.c)
 *     DEST/000008.partial/      one that is being made or removed, or was when its process ended: never taken for a good one; the next backup clears it away
 *
 * Design      A backup is one snapshot of the database (engine/snapshot.h): of each table a published version, and what its memtables hold beyond it up to the snapshot's sequence. The version's files are
 *             linked, cloned or copied (ship_copy.c), the copy is opened as a database, which re-points its metadata (engine/relocate.c), the memtables' rows are written to it and published. So the log
 *             is not read, and nothing of the source waits: not its writers, not its flushes. While it lasts no file of the source is unlinked; a source that is only read has a writer elsewhere
 *             who does not know: if a file is gone, all is looked at again.
 *             What an earlier backup here has is linked from there, if it is what it was: the source's own file by another name, or one whose bytes still have their checksum.
 *             Delete files hold paths, and are each backup's own, as manifests are.
 * Invariants  (1) all tables of a backup are at one sequence  (2) a directory without `.partial` has a BACKUP that holds: files synced, then their directories, then BACKUP, then the name, then DEST
 *             (3) no file of a backup is ever written again: links are safe  (4) a backup is not opened for writing (engine/db.c refuses), a restore in progress not at all
 *             (5) a restored database has a log of its own: no record of another is ever replayed into it but by frz__replay, through the front door
 * Threads     each call its own; a backup beside any use of its source                                                                            */
#ifndef FRZ_SHIP_BACKUP_H
#define FRZ_SHIP_BACKUP_H
#include "base/arena.h"
#include "engine/db.h"

#define BACKUP_PATH_BYTES 1024
#define BACKUP_PARTIAL ".partial"

struct backup_file {
    const char *path; /* relative to the backup */
    uint64_t bytes;
    uint32_t crc;  /* crc32c of all of it */
    bool checked;  /* while it is made: size and checksum are known */
    bool anew;     /* … and the earlier backup has it, damaged: it was taken from the source */
};
struct backup_manifest {
    struct arena ar; /* of all strings */
    uint64_t number, sequence;
    int64_t time_us; /* of the snapshot, by the log's moments: none that it holds is later */
    char log_uuid[37]; /* whose sequence that is */
    const char *source, *archive; /* where the database is, and its log's archive; "" = none */
    uint64_t table_count, files_new, bytes_new; /* what no earlier backup here had */
    struct backup_file *files; /* by path */
    size_t count, cap;
};
void frz__backup_manifest_init(struct backup_manifest *m, const allocator *a);
void frz__backup_manifest_clear(struct backup_manifest *m);
/* Copies PATH. FRZ_UNSUPPORTED: a name that a line can't hold. */
FRZ_NODISCARD int frz__backup_manifest_add(struct backup_manifest *m, const char *path, uint64_t bytes, struct backup_file **out, frz_error *err);
void frz__backup_manifest_sort(struct backup_manifest *m);
struct backup_file *frz__backup_manifest_find(const struct backup_manifest *m, const char *path); /* sorted; NULL = none */
uint64_t frz__backup_manifest_bytes(const struct backup_manifest *m);
FRZ_NODISCARD int frz__backup_manifest_print(const struct backup_manifest *m, struct buf *out, frz_error *err);
/* FRZ_CORRUPT, FRZ_NEWER_FORMAT. M is initialised. */
FRZ_NODISCARD int frz__backup_manifest_parse(slice text, struct backup_manifest *m, frz_error *err);
/* Of the backup in DIR of FS. FRZ_NOT_FOUND without a BACKUP. */
FRZ_NODISCARD int frz__backup_manifest_read(struct fs *fs, const char *dir, struct backup_manifest *m, frz_error *err);

/* ── what is in a destination (backup_list.c) ── */
struct backup_names { /* ascending */
    const allocator *a;
    uint64_t *numbers; /* of complete ones by their names */
    size_t count, cap;
    uint64_t *partial;
    size_t partial_count, partial_cap;
};
FRZ_NODISCARD int frz__backup_names(struct fs *dest, const allocator *a, struct backup_names *out, frz_error *err);
void frz__backup_names_clear(struct backup_names *n);
void frz__backup_name(char out[32], uint64_t number, const char *suffix);
/* DEST's lock, held until *OUT is closed. FRZ_BUSY. */
FRZ_NODISCARD int frz__backup_lock(struct fs *dest, struct file **out, frz_error *err);
/* DIR with all in it. */
FRZ_NODISCARD int frz__backup_tree_remove(struct fs *fs, const char *dir, frz_error *err);
/* Removes what was cut short and, KEEP > 0, all but the KEEP newest, and of the log's archive what no restore from those needs; the lock is held. ARCHIVE NULL: where each backup says. */
FRZ_NODISCARD int frz__backup_purge(struct fs *dest, const allocator *a, uint64_t keep, struct fs *archive, uint64_t *removed, frz_error *err);
/* FN is told of each file that is missing, of another size or with other bytes, or that BACKUP does not list. */
FRZ_NODISCARD int frz__backup_verify(struct fs *dest, const allocator *a, uint64_t number, int (*fn)(void *ctx, const frz_finding *), void *ctx, struct backup_manifest *m, uint64_t *findings,
                                     frz_error *err);

/* ── files from one tree to another (ship_copy.c) ── */
struct ship_copier {
    const allocator *a;
    struct fs *from, *to;
    struct fs *prev; /* an earlier backup, and what it has; NULL = none */
    const struct backup_manifest *prev_files;
    const struct logger *log; /* NULL = none: which of its files are damaged */
    bool copy; /* bytes only: neither links nor clones */
    int (*progress)(void *ctx, const frz_backup_progress *p);
    void *ctx;
    frz_backup_progress at;
    uint8_t *chunk;
    struct buf dirs; /* that were made, each with a NUL behind it */
};
void frz__ship_copier_init(struct ship_copier *c, const allocator *a, struct fs *from, struct fs *to);
void frz__ship_copier_clear(struct ship_copier *c);
/* F->path comes to `to`; F's size and checksum are filled, or, with CHECK, held against it: FRZ_CORRUPT. FRZ_NOT_FOUND: the source is gone. One that is there already is taken for it. */
FRZ_NODISCARD int frz__ship_take(struct ship_copier *c, struct backup_file *f, bool check, frz_error *err);
FRZ_NODISCARD int frz__ship_dir(struct ship_copier *c, const char *dir, frz_error *err); /* DIR, with those above it */
FRZ_NODISCARD int frz__ship_sync_dirs(struct ship_copier *c, frz_error *err);
/* Size and checksum of a file of FS. FRZ_NOT_FOUND. */
FRZ_NODISCARD int frz__ship_sum(struct ship_copier *c, struct fs *fs, const char *path, uint64_t *bytes, uint32_t *crc, frz_error *err);
FRZ_NODISCARD int frz__ship_progress(struct ship_copier *c, frz_error *err); /* FRZ_CANCELLED */
/* Each file of FS, by its path; FN's result other than 0 stops and is given back. Deep first. */
FRZ_NODISCARD int frz__ship_walk(struct fs *fs, const allocator *a, const char *dir, int (*fn)(void *ctx, const char *path, bool is_dir, frz_error *err), void *ctx, frz_error *err);

/* ── the verbs ── */
struct backup_request {
    struct fs *dest;
    const char *dest_root; /* absolute: where DEST is, or will be */
    bool copy;
    uint64_t keep; /* 0 = all */
    struct fs *archive; /* to be trimmed with what goes; NULL = where the backups say */
    int (*progress)(void *ctx, const frz_backup_progress *p);
    void *ctx;
};
/* M is initialised; it becomes the new backup's. */
FRZ_NODISCARD int frz__backup(struct db *db, const struct backup_request *r, struct backup_manifest *m, frz_error *err);

struct restore_request {
    struct fs *backups;
    uint64_t number; /* 0 = the newest */
    struct fs *dest; /* empty */
    const char *dest_root;
    bool copy;
    uint64_t to_seq; /* of the log that the backup is of; 0 = none */
    int64_t to_time_us; /* 0 = none */
    bool to_end;       /* all that the archive has */
    struct fs *archive; /* of log segments; NULL = where the backup says */
    int (*progress)(void *ctx, const frz_backup_progress *p);
    void *ctx;
};
struct restore_result {
    uint64_t number, sequence; /* where it stands, in the sequences of the log that the backup is of */
    int64_t time_us;
    uint64_t files, bytes, tables, replayed; /* operations */
};
FRZ_NODISCARD int frz__restore(const allocator *a, const struct restore_request *r, struct restore_result *out, frz_error *err);
#endif
