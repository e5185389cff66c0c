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
#endif
