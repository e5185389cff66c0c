/* running.h — what runs in the background right now: a list that each job puts itself on while it lasts, with where it is. The job is its runner's, on his stack; whoever looks copies.
 *
 * Threads     begin, phase, end by the runner; rows_done and rows_total by him too, atomically; frz__running_jobs by any, under any lock but a leaf                                                 */
#ifndef FRZ_ENGINE_RUNNING_H
#define FRZ_ENGINE_RUNNING_H
#include "base/sync.h"

struct db;
struct table;
struct running {
    struct running *next, *prev; /* jobs_mu */
    struct table *t;
    const char *kind, *reason, *phase; /* static; phase: jobs_mu */
    int64_t since_ns;
    _Atomic uint64_t rows_done, rows_total, bytes_in; /* total 0 = not known yet */
};
void frz__running_begin(struct db *db, struct running *j, struct table *t, const char *kind, const char *reason);
void frz__running_phase(struct db *db, struct running *j, const char *phase);
void frz__running_end(struct db *db, struct running *j);
/* As they are now, oldest first; FN is called with no lock held, a result of it other than 0 stops and is returned. */
FRZ_NODISCARD int frz__running_jobs(struct db *db, int (*fn)(void *ctx, const frz_job *job), void *ctx, frz_error *err);
#endif
