/* handle.h — what the host holds: small shells around what the engine has, so that a handle used after close is recognised.
 *
 * Design      a closed shell is marked dead and kept for a while (the last SHELLS_KEPT of the process) before its memory goes: use after close answers FRZ_MISUSE instead of reading freed memory. A shell
 *             knows its database's; closing that one closes its tables' shells and empties its batches. After a fork nothing is closed: the parent's locks may be held for ever in the child.
 * Threads     as frazil.h says for each                                                                                                       */
#ifndef FRZ_API_HANDLE_H
#define FRZ_API_HANDLE_H
#include "engine/scan.h"
#include "engine/write.h"

#define SHELLS_KEPT 1024
enum shell_kind { SHELL_DB = 0x66726401, SHELL_TABLE, SHELL_SNAPSHOT, SHELL_CURSOR, SHELL_BATCH, SHELL_DEAD = 0x64656164 };

struct frz_db {
    _Atomic uint32_t kind;
    struct db *db;
    struct mutex mu;
    frz_table *tables; /* open shells; mu */
    frz_batch *batches; /* mu */
};
struct frz_table {
    _Atomic uint32_t kind;
    frz_db *owner;
    struct table *t;
    frz_table *next, **prev; /* owner's list */
};
struct frz_snapshot {
    _Atomic uint32_t kind;
    struct snapshot *s;
};
struct frz_cursor {
    _Atomic uint32_t kind;
    struct cursor *c;
};
struct frz_batch {
    _Atomic uint32_t kind;
    frz_db *owner; /* NULL once that is closed: the batch is empty, and good for nothing but to be freed */
    struct write_batch b;
    frz_batch *next, **prev; /* owner's list */
};

/* A dead shell's memory; freed when SHELLS_KEPT younger ones have died. Shells are malloc's. */
void frz__shell_bury(void *shell);
FRZ_NODISCARD int frz__shell_db(frz_db *h, struct db **out, frz_error *err);
FRZ_NODISCARD int frz__shell_table(frz_table *h, struct table **out, frz_error *err); /* usable or not: see frz__table_usable */
FRZ_NODISCARD int frz__shell_snapshot(frz_snapshot *h, struct snapshot **out, frz_error *err); /* NULL gives NULL */
FRZ_NODISCARD int frz__shell_need(const void *p, const char *what, frz_error *err); /* a NULL argument */
/* Takes T's count. */
FRZ_NODISCARD int frz__shell_table_new(frz_db *owner, struct table *t, frz_table **out, frz_error *err);
/* What O asks for: the durability, 0 = the database's; how long for room, < 0 = as long as it takes. */
FRZ_NODISCARD int frz__shell_write(const frz_write_options *o, int *durability, int64_t *wait_max_ns, frz_error *err);
void frz__shell_batch_unlink(frz_batch *h); /* owner's mu held, or the owner is being closed */
/* The schema of T's, of today or before, that ROW is of: borrowed, as long as T lives. FRZ_INVALID where it is of none. */
FRZ_NODISCARD int frz__shell_row_fits(struct table *t, const frz_row *row, const frz_schema **schema, frz_error *err);
/* … the columns that T is read by through S (NULL: now). */
FRZ_NODISCARD int frz__shell_row_fits_then(struct table *t, const struct snapshot *s, const frz_row *row, frz_error *err);
/* NKEY values → encoded key of S, appended. */
FRZ_NODISCARD int frz__shell_key(const frz_schema *s, const frz_value *key, size_t nkey, struct buf *out, frz_error *err);
/* A database on FS, which the caller keeps until after close: tests of crashes and faults. */
FRZ_NODISCARD int frz__test_db_open(struct fs *fs, const frz_db_options *options, frz_db **out, frz_error *err);
#endif
