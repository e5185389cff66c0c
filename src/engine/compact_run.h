/* compact_run.h — what one compaction holds while it runs; compact*.c alone use it. */
#ifndef FRZ_ENGINE_COMPACT_RUN_H
#define FRZ_ENGINE_COMPACT_RUN_H
#include "engine/compact.h"
#include "view/reloc.h"

struct compaction {
    struct table *t;
    struct compact_watch *watch; /* NULL = nobody looks on */
    struct version *version;
    struct view *view;     /* of the plan */
    struct plan plan;
    struct view *sources;  /* of the inputs alone, in the plan's order: its runs are merged */
    struct vfile **inputs; /* the files of `sources` */
    uint64_t rows_in;      /* of the inputs, that live */
    _Atomic uint64_t rows_done; /* by all pieces */
    struct reloc reloc;
    struct change change;
    struct change *parts;  /* whose outputs became those of `change`, and whose arenas still hold what these say */
    size_t part_count;
    struct running job;
    bool changing;         /* `change` is there */
    bool counted;          /* by flow.h */
    int64_t base_sequence;
};
/* By the version of the plan: an upgrade may come between, and then the compaction is in vain. */
static inline bool compaction_lineage(const struct compaction *c) { return c->version->meta->format_version >= 3; }
/* compact_plan.c: the plan, and what it is of, into C; the inputs are claimed. FRZ_DONE: there is nothing to do, and nothing is. */
FRZ_NODISCARD int frz__compact_plan(struct compaction *c, const struct plan_options *o, frz_error *err);
void frz__compact_unclaim(struct compaction *c);
bool frz__compact_made_by(const struct compact_watch *w, uint64_t file_no); /* a job of the same before */
uint64_t frz__compact_memory(const struct table *t); /* what one compaction may hold */
/* compact.c: how C's outputs are written, beside what a flush would do: by their level, and by the memory that there is. */
void frz__compact_profile(const struct compaction *c, struct sst_writer_options *o);
uint64_t frz__compact_input_memory(const struct compaction *c); /* what a cursor over a run of its inputs may take */
/* compact_merge.c: the inputs' live rows into new files, which become those of `change`; where they went into `reloc`. */
FRZ_NODISCARD int frz__compact_merge(struct compaction *c, frz_error *err);
void frz__compact_parts_clear(struct compaction *c); /* after `change` */
/* compact_split.c: at most COUNT - 1 encoded keys, in AR, that cut what C reads into pieces of about the same size. */
FRZ_NODISCARD int frz__compact_split(const struct compaction *c, size_t count, struct arena *ar, slice **keys, size_t *key_count, frz_error *err);
#endif
