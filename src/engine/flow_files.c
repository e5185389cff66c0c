/* flow_files.c — what a table's files owe, so that its writers are paced by what compaction digests.
 *
 * The debt is the planner's estimate (plan.h), counted when the files change, never by a write. It counts only while somebody pays it: a compaction that waits or runs, or one that failed and is tried again. Where nothing
 * is compacted by itself, or the planner finds nothing to do, no writer waits for files: so that no stop lasts for ever. A stop whose compaction fails gives the writers its error. */
#include "engine/compact.h"
#include "engine/flow.h"

#define DIGEST_KEPT 0.9 /* of what was seen, when one more is */
#define DIGEST_MIN ((uint64_t)1 << 20)
#define PACKED_MAX 16.0 /* bytes of rows that a byte of a file is taken for, at most */

struct flow_level frz__flow_files_level(uint64_t now, uint64_t slow, uint64_t stop)
{
    if (!slow && !stop) return (struct flow_level){0};
    if (!stop) return (struct flow_level){now, slow, slow * 2, false};
    return (struct flow_level){now, slow && slow < stop ? slow : stop - 1, stop, true};
}

void frz__flow_take_limits(struct table *t)
{
    const struct table_settings *s = &t->settings;
    bool on = s->frazil_compaction_enabled && !t->db->set.no_compaction && !t->db->set.read_only;
    atomic_store(&t->flow_immutables_max, s->frazil_immutable_memtables_max);
    atomic_store(&t->flow_runs_slow, on ? s->frazil_slowdown_runs : 0);
    atomic_store(&t->flow_runs_stop, on ? s->frazil_stop_runs : 0);
    atomic_store(&t->flow_debt_slow, on ? s->frazil_slowdown_debt_bytes : 0);
    atomic_store(&t->flow_debt_stop, on ? s->frazil_stop_debt_bytes : 0);
}

static int weigh(struct table *t, struct plan_debt *out, frz_error *err)
{
    uint64_t seq;
    struct plan_options o;
    frz__compact_options(t, &o);
    struct view *v = frz__view_latest(t, &seq);
    struct plan_file *files = (struct plan_file *)frz__alloc_array(t->jobs_a, v->file_count + 1, sizeof *files);
    int rc = FRZ_NO_MEMORY;
    if (files) {
        frz__compact_describe(t, v, NULL, files);
        rc = frz__plan_debt(t->jobs_a, files, v->file_count, &o, out, err);
    }
    frz__free(t->jobs_a, files);
    frz__view_release(v);
    return rc;
}

void frz__flow_weigh(struct table *t)
{
    struct plan_debt d;
    if (t->db->set.read_only || table_is_broken(t) || !atomic_load(&t->view)) return;
    if (weigh(t, &d, NULL) < 0) return; /* no memory for it: the last one stands */
    atomic_store(&t->flow_runs, d.runs);
    atomic_store(&t->flow_debt, d.bytes);
    atomic_store(&t->flow_debt_beyond, d.bytes > d.live ? d.bytes - d.live : 0);
}

void frz__flow_compact_begin(struct table *t) { atomic_fetch_add(&t->compacting, 1); }

void frz__flow_compact_end(struct table *t)
{
    atomic_fetch_sub(&t->compacting, 1);
    frz__flow_wake(t->db);
}

void frz__flow_digest_begin(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    if (t->digesting++ == 0) t->digest_at_ns = frz__clock_mono_ns();
    frz__mutex_unlock(&t->view_mu);
}

/* Rows are packed in files: what a byte of them was when it was put. */
static double packed(struct table *t)
{
    double put = (double)stat_get(&t->put_bytes), flushed = (double)stat_get(&t->flush_bytes), n = flushed > 0 ? put / flushed : 1;
    return n < 1 ? 1 : n > PACKED_MAX ? PACKED_MAX : n;
}

void frz__flow_digest_end(struct table *t, uint64_t level0_bytes)
{
    frz__mutex_lock(&t->view_mu);
    int64_t now = frz__clock_mono_ns();
    t->digesting--;
    t->digest_ns = t->digest_ns * DIGEST_KEPT + (double)(now - t->digest_at_ns); /* of two beside each other, each has its part */
    t->digest_bytes = t->digest_bytes * DIGEST_KEPT + (double)level0_bytes;
    t->digest_at_ns = now;
    uint64_t seen = t->digest_ns > 0 ? (uint64_t)(t->digest_bytes * 1e9 / t->digest_ns * packed(t)) : 0;
    if (t->digest_bytes > 0) atomic_store(&t->digest, seen < DIGEST_MIN ? DIGEST_MIN : seen);
    frz__mutex_unlock(&t->view_mu);
}

/* Runs that memtables will make. */
static uint64_t runs_coming(struct table *t) { return (uint64_t)atomic_load(&t->flow_immutables) + atomic_load(&t->flow_settling) + (atomic_load(&t->flow_active_used) > 0); }

bool frz__flow_files(struct table *t, struct flow_level out[FLOW_REASONS])
{
    uint64_t debt = atomic_load_explicit(&t->flow_debt_beyond, memory_order_relaxed);
    if (debt == 0 && atomic_load_explicit(&t->flow_runs, memory_order_relaxed) == 0) return false; /* nearly always */
    if (atomic_load(&t->compacting) == 0 && !frz__health_bad(t->db, t, HEALTH_COMPACTION)) return false;
    uint64_t coming = runs_coming(t), runs = atomic_load(&t->flow_runs); /* in this order: what turns from one into the other is counted twice rather than not at all */
    if (runs) runs += coming;
    out[FLOW_RUNS] = frz__flow_files_level(runs, atomic_load_explicit(&t->flow_runs_slow, memory_order_relaxed), atomic_load_explicit(&t->flow_runs_stop, memory_order_relaxed));
    out[FLOW_DEBT] = frz__flow_files_level(debt, atomic_load_explicit(&t->flow_debt_slow, memory_order_relaxed), atomic_load_explicit(&t->flow_debt_stop, memory_order_relaxed));
    return true;
}

uint64_t frz__flow_drain_of(struct table *t, enum flow_reason r)
{
    uint64_t drain = atomic_load_explicit(&t->db->drain, memory_order_relaxed), digest = atomic_load_explicit(&t->digest, memory_order_relaxed);
    return flow_of_files(r) && digest && (!drain || digest < drain) ? digest : drain;
}
