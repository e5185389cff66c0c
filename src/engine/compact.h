/* compact.h — one compaction: a plan, carried out. compact_auto.c begins them by itself; a manual one is begun by who asks for it. */
#ifndef FRZ_ENGINE_COMPACT_H
#define FRZ_ENGINE_COMPACT_H
#include "engine/change.h"
#include "engine/plan.h"

struct compact_result {
    enum plan_reason reason;
    size_t files_in, files_out;
    uint64_t bytes_in, bytes_out, rows;
    uint8_t level;
};
/* A manual compaction, which is many of these, looks on. It has to do with the files that were there when it began, and with what it made of them: so that it ends, whatever is written beside it. */
struct compact_watch {
    uint64_t file_no_end; /* files made later are not its business, */
    uint64_t *made;       /* but for these, ascending; rows of these that die go with a later compaction */
    size_t made_count, made_cap;
    int (*look)(void *ctx, const struct plan *plan, uint64_t rows_done, uint64_t rows_total, frz_error *err); /* now and then; a result other than FRZ_OK ends it */
    void *ctx;
    bool blocked;         /* out, with FRZ_DONE: other jobs are at what is left */
    uint64_t releases;    /* out: the table's claims_released when it was planned: it grows when one of them is through */
    uint64_t files_in, rows_in, bytes_in;    /* out, added up: of the files that went, but for those that were made on the way; */
    uint64_t files_out, rows_out, bytes_out; /* of those that were made, and stay */
    uint64_t masked_dropped;                 /* dead rows of all that went */
};
/* What T's settings, and what it is used for, ask of the planner. */
void frz__compact_options(struct table *t, struct plan_options *out);
struct compaction;
/* Plans, and claims the inputs: nobody else takes them until `end`. FRZ_DONE, and *OUT = NULL: there is nothing to do, or others are at it. */
FRZ_NODISCARD int frz__compact_begin(struct table *t, const struct plan_options *o, struct compaction **out, frz_error *err);
/* Carries it out, beside flushes and other compactions; readers notice nothing. Gives up within a few hundred rows when the database is closed or the table dropped. OUT may be NULL. */
FRZ_NODISCARD int frz__compact_run(struct compaction *c, struct compact_result *out, frz_error *err);
void frz__compact_end(struct compaction *c); /* NULL is fine */
/* All three. FRZ_DONE: there is nothing to do. */
FRZ_NODISCARD int frz__compact(struct table *t, const struct plan_options *o, struct compact_result *out, frz_error *err);
/* The files of V, one of T's, as the planner sees them; view_mu held, or what is claimed does not matter. Without a WATCH, those that the host's own compactions began with are busy. */
void frz__compact_describe(const struct table *t, const struct view *v, const struct compact_watch *watch, struct plan_file *files);
#endif
