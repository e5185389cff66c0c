/* gc.h — what is on disk and not of the current state: why, until when, and away with what is due.
 *
 * Design      three sources: the list of what expired (expire.c), which knows who needs each file; a full mark of what metadata names against what the folders hold, for what nobody counted; and what is of the
 *             database: trash, leases of the dead. The mark runs beside flushes, every retained snapshot held meanwhile; what it finds is looked at again under the flush lane before it goes. What goes does so in slices of the lane: a
 *             flush gets in between. Without a lane, of a reader's while nobody writes, all is judged as the next writer's sweep and lists would have it.
 * Invariants  (1) an item is removed only if it is due  (2) a name that another engine gave is due only if no snapshot of any metadata version that is there names it, and its age is over
 *             (3) a name of this writer's epoch that a job which goes on may have made (change.h) is kept, however old it is; an older
 *             one is a failed job's, and goes as old as an orphan  (4) behind another engine's commit nothing goes by what was judged before it                       */
#ifndef FRZ_ENGINE_GC_H
#define FRZ_ENGINE_GC_H
#include "engine/db.h"

struct gc_item {
    char *path;
    int32_t why, kept;
    bool removed;
    uint64_t bytes;
    int64_t due_ms;
    char holder[96];
};
struct gc_list {
    const allocator *a;
    struct gc_item *at;
    size_t count, cap;
};
#define GC_LIST_INIT(a_) ((struct gc_list){.a = (a_)})
FRZ_NODISCARD int frz__gc_table(struct table *t, const frz_gc_options *o, struct gc_list *out, frz_error *err);
FRZ_NODISCARD int frz__gc_db(struct db *db, const frz_gc_options *o, struct gc_list *out, frz_error *err); /* trash and leases */
/* PATH is copied. */
FRZ_NODISCARD int frz__gc_add(struct gc_list *l, const char *path, int32_t why, int32_t kept, uint64_t bytes, int64_t due_ms, frz_error *err);
void frz__gc_list_clear(struct gc_list *l);
/* Pure: what NAME, in folder data or (METADATA) metadata, is, where no metadata names it. 0 = nothing of ours to judge: it is left alone. */
int32_t frz__gc_kind(const struct version *v, const char *name, bool metadata);
#endif
