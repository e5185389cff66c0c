#include "engine/running.h"

#include <stdio.h>

#include "engine/db.h"

void frz__running_begin(struct db *db, struct running *j, struct table *t, const char *kind, const char *reason)
{
    *j = (struct running){.t = t, .kind = kind, .reason = reason, .phase = "begin", .since_ns = frz__clock_mono_ns()};
    frz__mutex_lock(&db->jobs_mu);
    j->prev = db->last_job;
    if (j->prev) j->prev->next = j;
    else db->first_job = j;
    db->last_job = j;
    db->job_count++;
    frz__mutex_unlock(&db->jobs_mu);
}

void frz__running_phase(struct db *db, struct running *j, const char *phase)
{
    frz__mutex_lock(&db->jobs_mu);
    j->phase = phase;
    frz__mutex_unlock(&db->jobs_mu);
}

void frz__running_end(struct db *db, struct running *j)
{
    frz__mutex_lock(&db->jobs_mu);
    if (j->prev) j->prev->next = j->next;
    else db->first_job = j->next;
    if (j->next) j->next->prev = j->prev;
    else db->last_job = j->prev;
    db->job_count--;
    frz__mutex_unlock(&db->jobs_mu);
}

struct seen { frz_job job; char table[208]; };

static void copy(const struct running *j, int64_t now, struct seen *out)
{
    snprintf(out->table, sizeof out->table, "%s", j->t->name); /* the runner holds it */
    out->job = (frz_job){.struct_size = sizeof out->job, .kind = j->kind, .reason = j->reason, .phase = j->phase, .duration_us = now > j->since_ns ? (uint64_t)(now - j->since_ns) / 1000 : 0,
                         .rows_done = atomic_load(&j->rows_done), .rows_total = atomic_load(&j->rows_total), .bytes_in = atomic_load(&j->bytes_in)};
}

int frz__running_jobs(struct db *db, int (*fn)(void *ctx, const frz_job *job), void *ctx, frz_error *err)
{
    size_t count = 0, cap;
    frz__mutex_lock(&db->jobs_mu);
    cap = db->job_count + 4;
    frz__mutex_unlock(&db->jobs_mu);
    struct seen *seen = (struct seen *)frz__alloc_array(db->a, cap, sizeof *seen);
    if (!seen) return frz__err_no_memory(err, cap * sizeof *seen);
    frz__mutex_lock(&db->jobs_mu);
    for (const struct running *j = db->first_job; j && count < cap; j = j->next) copy(j, frz__clock_mono_ns(), &seen[count++]);
    frz__mutex_unlock(&db->jobs_mu);
    int rc = FRZ_OK;
    for (size_t i = 0; i < count && rc == FRZ_OK; i++) {
        seen[i].job.table = seen[i].table;
        rc = fn(ctx, &seen[i].job);
    }
    frz__free(db->a, seen);
    return rc;
}
