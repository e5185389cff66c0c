/* plan_level.h — the files of one level, as the planner asks for them: what a range of keys overlaps is found by search, not by a look at each file; planner.h alone uses it.
 *
 * Design      Files are laid out in sorted runs. Within a run they are disjoint, so that those that a range overlaps are neighbours, and their bytes a difference of two sums. A table has few runs beside its files.
 * Invariants  (1) foreign files are in no level  (2) runs of free files know nothing of the busy ones, as the plan does not  (3) `cover` is what some free file spans: disjoint, ascending
 * Threads     one                                                                                                                                                                        */
#ifndef FRZ_ENGINE_PLAN_LEVEL_H
#define FRZ_ENGINE_PLAN_LEVEL_H
#include "engine/plan.h"

struct plan_set {
    size_t *files; /* run after run, by key within each */
    struct run *runs;
    uint64_t *before; /* live bytes of those before it; file_count + 1 */
    size_t file_count, run_count;
};
struct plan_level {
    struct plan_set free, busy;
    struct key_range *cover;
    size_t cover_count;
    uint64_t bytes; /* live ones, of busy files too */
};
struct plan_files {
    const struct plan_file *at;
    const uint64_t *live; /* bytes, by file */
    size_t count;
    uint64_t *compared;   /* counts keys that are compared, but for the sorting */
};
struct plan_span { size_t from, end; }; /* of plan_set.files */

FRZ_NODISCARD int frz__plan_level_build(const allocator *a, const struct plan_files *f, unsigned level, struct plan_level *out, frz_error *err);
void frz__plan_level_clear(const allocator *a, struct plan_level *l); /* built or zeroed */
/* The files of run R that overlap [first, last]; FILE. */
struct plan_span frz__plan_within(const struct plan_files *f, const struct plan_set *s, size_t r, slice first, slice last);
static inline struct plan_span frz__plan_overlapped(const struct plan_files *f, const struct plan_set *s, size_t r, size_t file) { return frz__plan_within(f, s, r, f->at[file].first, f->at[file].last); }
/* Live bytes of the free files of L that overlap FILE; UINT64_MAX where a busy one does. */
uint64_t frz__plan_overlapped_bytes(const struct plan_files *f, const struct plan_level *l, size_t file);
/* Whether some free file of L overlaps FILE. */
bool frz__plan_covers(const struct plan_files *f, const struct plan_level *l, size_t file);
static inline uint64_t plan_span_bytes(const struct plan_set *s, struct plan_span span) { return s->before[span.end] - s->before[span.from]; }
static inline struct plan_span plan_run_span(const struct plan_set *s, size_t r) { return (struct plan_span){s->runs[r].first, s->runs[r].first + s->runs[r].count}; }
#endif
