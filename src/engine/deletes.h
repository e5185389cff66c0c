/* deletes.h — the delete files that a commit leaves: v2 position-delete files, few a data file; v3 one deletion vector a data file.
 *
 * v2     fresh positions only, a file for each data file while at most 64 are touched, else one sorted file for all. A data file is named by four at most: where there would be more, the small ones are merged
 *        into the new one, and on while they are no larger than it, so that a position is written again a few times only. A file that names many is written anew once half of those are gone
 * v3     the whole mask of each touched file, in a Puffin file of its own: it replaces what format 2 left of that data file
 * A delete file whose data files are all gone goes in the same commit. Data that is dead costs no other engine a look at a delete file (hazards 18, 32). */
#ifndef FRZ_ENGINE_DELETES_H
#define FRZ_ENGINE_DELETES_H
#include "engine/db.h"

struct delete_change {
    const char *iceberg_path; /* of the data file */
    const struct mask *mask;  /* what it becomes */
    const uint64_t *fresh;    /* ascending: what this commit adds */
    size_t fresh_count;
};
/* What goes into the edit, and into the table's books when it is committed. */
struct delete_plan {
    struct table *t;
    struct arena ar;
    struct ice_file *added;   /* in AR */
    size_t added_count, added_cap;
    struct delfile *fresh;    /* parallel to `added` */
    slice *removed;           /* position-delete files */
    size_t removed_count, removed_cap;
    slice *removed_dvs;       /* referenced data files */
    size_t removed_dv_count, removed_dv_cap;
    struct file **open;       /* written, not yet synced */
    size_t open_count, open_cap;
    char **paths;             /* of `open`, relative: to be unlinked if the commit fails */
};
void frz__deletes_init(struct delete_plan *p, struct table *t);
/* flush_mu held. GONE: Iceberg paths of data files that the same commit removes. CHANGES ascend by Iceberg path. */
FRZ_NODISCARD int frz__deletes_make(struct delete_plan *p, const struct delete_change *changes, size_t count, const slice *gone, size_t gone_count, const char *token, frz_error *err);
/* The commit is done: the table's list of delete files becomes true. */
void frz__deletes_done(struct delete_plan *p, const slice *gone, size_t gone_count, int64_t sequence);
/* COMMITTED false: what was written goes. */
void frz__deletes_clear(struct delete_plan *p, bool committed);
#endif
