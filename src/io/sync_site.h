/* sync_site.h — every sync of the engine by name, and what is lost without it. Each is needed: tests/crash/test_crash_sync.c takes one out at a time, cuts the power, and finds the loss; a new sync needs a name
 * here, and a name here needs a scenario there. (One is outside this list: fs_posix.c syncs the directory above a root that it made.) */
#ifndef FRZ_IO_SYNC_SITE_H
#define FRZ_IO_SYNC_SITE_H

/* X(name, the file or directory, without it) */
#define FRZ_SYNC_SITES(X)                                                                                                                                           \
    X(ROOT_DIR, "the root, at open", ".frazil, made by a process that died, may go with the log in it")                                                             \
    X(LOG_PARENT, ".frazil, at open", "the log's directory may go with the log")                                                                                    \
    X(LOG_DIR, "the log's directory, at a new segment", "a segment with acknowledged rows may go")                                                                  \
    X(LOG_SEGMENT, "a log segment", "acknowledged rows may go")                                                                                                     \
    X(LOG_OLD_SEGMENT, "a log segment that an earlier process wrote, at open", "acknowledged rows may stand behind a hole")                                         \
    X(NAMESPACE_PARENT, "the root, at create", "a namespace may go with its tables")                                                                                \
    X(NAMESPACE_DIR, "the namespace, at create", "a table may go")                                                                                                  \
    X(TABLE_DIR, "the table's directory, at create", "its metadata or data directory may go")                                                                       \
    X(FIRST_METADATA, "v1.metadata.json", "the table may be there without its metadata's bytes")                                                                    \
    X(FIRST_METADATA_DIR, "the metadata directory, after v1 was linked", "the hint may be there and name nothing")                                                  \
    X(FIRST_HINT, "the first version-hint.text", "other engines may find an empty hint")                                                                            \
    X(FIRST_HINT_DIR, "the metadata directory, after the first hint", "other engines may not find the table")                                                       \
    X(DATA_FILE, "a data file", "rows that the log no longer holds may go")                                                                                         \
    X(DELETE_FILE, "a position-delete file", "replaced rows may come back")                                                                                         \
    X(DELETION_VECTOR, "a Puffin file", "replaced rows may come back")                                                                                              \
    X(MANIFEST, "a manifest", "metadata may name what is not there")                                                                                                \
    X(MANIFEST_LIST, "a manifest list", "metadata may name what is not there")                                                                                      \
    X(MANIFEST_DIR, "the metadata directory, before the commit", "metadata may name what is not there")                                                             \
    X(DATA_DIR, "the data directory, before the commit", "metadata may name what is not there")                                                                     \
    X(METADATA, "v<N+1>.metadata.json", "the commit may be there without its bytes")                                                                                \
    X(METADATA_DIR, "the metadata directory, after the commit", "the hint may name a version that is gone, and the log may no longer hold its rows")                \
    X(HINT, "version-hint.text", "other engines may find an empty hint")                                                                                            \
    X(DROPPED_DIR, "the namespace, after a drop", "a dropped table may come back, in part")                                                                         \
    X(SETTLE_METADATA, "the metadata directory, at open", "a commit of a process that died may go after the log did")                                               \
    X(SETTLE_NAMESPACE, "the namespace, at open", "a drop of a process that died may be undone after the log forgot it")                                            \
    X(DOUBT_DIR, "the metadata directory, before a commit in doubt is taken up", "that commit may go after the log did")

/* Those of backups and restores, which the log does not stand behind: their scenarios are in tests/crash/test_crash_backup.c. */
#define FRZ_BACKUP_SYNC_SITES(X)                                                                                                                                    \
    X(BACKUP_FILE, "a file that was copied", "a complete backup may have holes")                                                                                    \
    X(BACKUP_DIR, "a directory of a backup", "a complete backup may lack files")                                                                                    \
    X(BACKUP_LIST, "the file BACKUP", "a backup by its name may have no list")                                                                                      \
    X(BACKUP_NAME, "the destination, after the backup got its name", "an acknowledged backup may be a partial one")                                                 \
    X(RESTORE_MARK, "the mark of a restore, and the directory it is in", "what was half restored may pass for whole")                                               \
    X(ARCHIVE_SEGMENT, "a log segment in the archive", "the archive may have holes, and the log has forgotten")                                                     \
    X(ARCHIVE_PLACE, "the place of the archive, and .frazil", "the next process may recycle what the archive lacks")                                                                \
    X(ARCHIVE_DIR, "the archive", "the archive may lack a segment that the log has forgotten")

enum sync_site {
    SYNC_NONE,
#define X(name, what, without) SYNC_##name,
    FRZ_SYNC_SITES(X)
    SYNC_TEST, /* of a test's own */
    FRZ_BACKUP_SYNC_SITES(X)
#undef X
    SYNC_SITE_COUNT
};
#endif
