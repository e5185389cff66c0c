/* fs_fault.h — a file system in memory that breaks on purpose: it fails the nth call, cuts the power at the nth change, and after a cut keeps what fs.h's contract says is kept and, of the rest,
 * what a seed chooses.
 *
 * Design      beside the tree as processes see it, each inode has what is on the disk, and a list of what is under way: a file its writes and truncations, the file system its changes of
 *             names. A sync moves from the list to the disk. A reboot takes the disk, and of what was under way a part: of writes, single sectors of 512 or 4096 bytes; of names, any changes, but
 *             a rename whole, and none of a name whose earlier change is not there.
 * Threads     as any fs; plan, cut and reboot belong to the test                                                                                */
#ifndef FRZ_IO_FS_FAULT_H
#define FRZ_IO_FS_FAULT_H
#include "io/fs.h"

enum fs_fault_error {
    FS_FAULT_EIO,
    FS_FAULT_ENOSPC, /* of calls that need space; EIO of others */
    FS_FAULT_SHORT   /* a write does half of its bytes, then ENOSPC; others as above */
};
struct fs_fault_plan {
    uint64_t fail_call;       /* the nth call (1 = the next) fails without effect; 0 = none. A file sync that fails leaves on the disk what chance wants, and forgets the rest for ever */
    uint64_t fail_calls;      /* so many from there on; 0 = 1 */
    enum fs_fault_error error;
    uint64_t cut_change;      /* the nth call that changes or syncs: a change still happens, a sync not; it and all calls after it fail. 0 = none */
    uint64_t stop_call;       /* the nth call and all after it fail without effect, as for a process that died; the machine goes on: a new plan lets the next process in. 0 = none */
    bool no_space;            /* calls that need space fail with ENOSPC, the others work */
    bool ignore_file_syncs;   /* they give FRZ_OK and do nothing: a test that then still passes does not need them */
    bool ignore_dir_syncs;
    uint64_t ignore_sync;     /* the nth sync of either kind alone */
    enum sync_site ignore_site; /* all syncs of that name; SYNC_NONE = none */
    void (*on_change)(void *ctx, struct fs *fs); /* after each call that changes or syncs, before it returns: e.g. to take what a cut at this moment leaves. From any thread; it must not change FS */
    void *ctx;
};
struct fs_fault_counts { uint64_t calls, changes, file_syncs, dir_syncs, site[SYNC_SITE_COUNT]; }; /* since the plan was set. close is no call: it can't fail */

/* SEED: what chance wants where a file sync fails. */
FRZ_NODISCARD int frz__fs_fault_new(const allocator *a, uint64_t seed, struct fs **out, frz_error *err);
void frz__fs_fault_plan(struct fs *fs, const struct fs_fault_plan *plan); /* counts begin anew */
struct fs_fault_counts frz__fs_fault_counts(struct fs *fs);
uint64_t frz__fs_fault_work(void); /* of this thread, ever, on any such fs: calls, and names that a list gave */
void frz__fs_fault_cut(struct fs *fs); /* now */
bool frz__fs_fault_is_cut(struct fs *fs);
/* A fresh fs with what survives a cut at this moment; FS stays, to be rebooted with other seeds too. SEED 0: nothing that was not synced; 1: all of it; 2: of names the last change alone, with
 * those that it builds on, and no bytes; others: a part. */
FRZ_NODISCARD int frz__fs_fault_reboot(struct fs *fs, uint64_t seed, struct fs **out, frz_error *err);
#endif
