/* compact.h — one compaction: a plan, carried out. */
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
/* Plans and carries out one compaction. FRZ_DONE: there is nothing to do. OUT may be NULL. Runs beside flushes and other compactions; readers notice nothing. */
FRZ_NODISCARD int frz__compact(struct table *t, const struct plan_options *o, struct compact_result *out, frz_error *err);
#endif
