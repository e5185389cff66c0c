#include "engine/flow.h"

#include <stdio.h>

/* ── pure ── */

double frz__flow_fraction(const struct flow_level *l)
{
    if (l->stop == 0 || l->now <= l->slow) return 0;
    if (l->now >= l->stop) return 1;
    return (double)(l->now - l->slow) / (double)(l->stop - l->slow);
}

struct flow_verdict frz__flow_judge(const struct flow_level levels[FLOW_REASONS])
{
    struct flow_verdict v = {0, FLOW_NONE, false};
    for (int r = FLOW_NONE + 1; r < FLOW_REASONS; r++) {
        double f = frz__flow_fraction(&levels[r]);
        bool stop = levels[r].hard && f >= 1;
        if (f <= v.fraction && (!stop || v.stop)) continue;
        v = (struct flow_verdict){f, (enum flow_reason)r, stop};
    }
    return v;
}

uint64_t frz__flow_price_ns(double fraction, uint64_t bytes, uint64_t drain)
{
    if (fraction <= 0) return 0;
    if (fraction > 1) fraction = 1;
    return (uint64_t)(2.02 * fraction * fraction / (1.01 - fraction) * 1.01 * (double)bytes * 1e9 / (double)(drain ? drain : FLOW_DRAIN_UNKNOWN));
}

uint64_t frz__flow_drain_now(uint64_t drain, uint64_t bytes, int64_t elapsed)
{
    if (elapsed <= 0) return drain;
    double most = (double)bytes * 1e9 / (double)elapsed;
    if (most >= (double)(drain ? drain : FLOW_DRAIN_UNKNOWN)) return drain;
    return most > (double)FLOW_DRAIN_MIN ? (uint64_t)most : FLOW_DRAIN_MIN;
}

int64_t frz__flow_publish_ns(int64_t interval, int64_t lasted, uint64_t row_bytes, uint64_t cost, uint64_t percent)
{
    if (percent == 0 || cost <= FLOW_PUBLISH_FREE_BYTES || lasted <= 0 || interval >= FLOW_PUBLISH_MAX_NS) return interval;
    double allowed = (double)row_bytes * (double)percent / 100;
    double wanted = allowed > 0 ? (double)lasted * (double)(cost - FLOW_PUBLISH_FREE_BYTES) / allowed : (double)FLOW_PUBLISH_MAX_NS;
    if (wanted >= (double)FLOW_PUBLISH_MAX_NS) return FLOW_PUBLISH_MAX_NS;
    return (int64_t)wanted > interval ? (int64_t)wanted : interval;
}

const char *frz__flow_reason_name(enum flow_reason r)
{
    static const char *const names[FLOW_REASONS] = {"nothing", "memtables wait for their flush", "the memtables of all tables take their share of memory_bytes", "sorted runs wait to be merged",
                                                    "bytes wait to be compacted"};
    return names[r];
}

struct flow_shares frz__flow_shares(uint64_t memory_bytes)
{
    uint64_t percent = memory_bytes / 100;
    return (struct flow_shares){40 * percent, 30 * percent, 20 * percent, 10 * percent};
}

static uint64_t beyond(uint64_t take, uint64_t share) { return take > share ? take - share : 0; }

uint64_t frz__flow_cache_bytes(const struct flow_shares *share, const struct flow_shares *take)
{
    uint64_t more = beyond(take->memtables, share->memtables) + beyond(take->jobs, share->jobs) + beyond(take->metadata, share->metadata), least = share->cache / 4;
    return more < share->cache - least ? share->cache - more : least;
}

#define HEAP_SLACK 16 /* of the budget, so much may be holes in malloc's heaps */

/* flow_mu held. */
static void make_room(struct db *db)
{
    struct flow_shares share = frz__flow_shares(db->set.memory_bytes);
    struct flow_shares take = {frz__budget_bytes(db->budget, MEM_MEMTABLES), 0, frz__budget_bytes(db->budget, MEM_JOBS), frz__budget_bytes(db->budget, MEM_METADATA)};
    if (take.jobs < db->jobs_expected) take.jobs = db->jobs_expected;
    uint64_t cache = frz__flow_cache_bytes(&share, &take);
    if (cache != db->cache_bytes_now) frz__cache_resize(db->cache, (size_t)(db->cache_bytes_now = cache));
}

void frz__flow_balance(struct db *db)
{
    struct flow_shares share = frz__flow_shares(db->set.memory_bytes), take = {.metadata = frz__budget_bytes(db->budget, MEM_METADATA)};
    frz__mutex_lock(&db->flow_mu);
    make_room(db);
    frz__mutex_unlock(&db->flow_mu);
    frz__budget_trim(db->budget, (size_t)(db->set.memory_bytes / HEAP_SLACK), (size_t)(db->set.memory_bytes * 2));
    if (take.metadata <= share.metadata || take.metadata <= db->metadata_told / 2 * 3) return;
    db->metadata_told = take.metadata;
    frz__log(&db->log, FRZ_LOG_WARN, "metadata of tables and open files takes %" PRIu64 " bytes, beyond its share of %" PRIu64 ": memory_bytes is small for so many files", take.metadata, share.metadata);
}

/* ── the debt of a table ── */

static uint64_t immutables_max(const struct table *t)
{
    uint64_t max = atomic_load_explicit(&t->flow_immutables_max, memory_order_relaxed);
    return max > 1 && flow_is_small(t->db->set.memory_bytes) ? 1 : max;
}

bool frz__flow_full(struct table *t) { return atomic_load_explicit(&t->flow_immutables, memory_order_relaxed) >= immutables_max(t); }

/* Seven eighths: the rest is for blocks that are kept for the next memtable, and for what a group of writers may go beyond. */
static uint64_t memory_limit(const struct db *db) { return frz__flow_shares(db->set.memory_bytes).memtables / 8 * 7; }

static struct flow_verdict verdict_of(struct table *t)
{
    struct db *db = t->db;
    uint64_t one = db->set.memtable_bytes, max = immutables_max(t), limit = memory_limit(db);
    uint64_t immutables = atomic_load_explicit(&t->flow_immutables, memory_order_relaxed), active = atomic_load_explicit(&t->flow_active_used, memory_order_relaxed);
    uint64_t waiting = atomic_load_explicit(&db->waiting_bytes, memory_order_relaxed), all = waiting + atomic_load_explicit(&db->active_bytes, memory_order_relaxed);
    uint64_t full = immutables * one, own = atomic_load_explicit(&t->flow_waiting, memory_order_relaxed);
    if (active > one) active = one;
    if (full > own) full = own; /* some were rotated before they were full */
    struct flow_level levels[FLOW_REASONS] = {
        [FLOW_MEMTABLES] = {full + active, (max + 1) * one / 2, (max + 1) * one, true},
        [FLOW_MEMORY] = {all, limit / 4 * 3, limit, waiting > 0}, /* with none on its way out there is nothing to wait for */
    };
    if (!frz__flow_files(t, levels) && immutables == 0 && all <= limit / 4 * 3) return (struct flow_verdict){0, FLOW_NONE, false}; /* nearly always */
    return frz__flow_judge(levels);
}

enum flow_reason frz__flow_stopped_by(struct table *t)
{
    struct flow_verdict v = verdict_of(t);
    return v.stop ? v.reason : FLOW_NONE;
}

/* ── waiting ── */

static void count_wait(struct table *t, enum flow_reason reason, bool stop, int64_t since)
{
    uint64_t us = (uint64_t)(frz__clock_mono_ns() - since) / 1000;
    struct flow_counts *c = &t->flow[reason];
    stat_add(stop ? &c->stall_us_total : &c->slowdown_us_total, us);
    stat_max(stop ? &c->stall_us_max : &c->slowdown_us_max, us);
    stat_add(stop ? &t->stall_us_total : &t->slowdown_us_total, us);
}

static void count_begin(struct table *t, enum flow_reason reason, bool stop)
{
    stat_add(stop ? &t->flow[reason].stalls : &t->flow[reason].slowdowns, 1);
    stat_add(stop ? &t->stalls : &t->slowdowns, 1);
}

static int busy(const struct table *t, enum flow_reason reason, frz_error *err)
{
    return frz__err(err, FRZ_BUSY, "%s: the write would wait longer than it may: %s", t->name, frz__flow_reason_name(reason));
}

/* Why T's writers should not wait for REASON to pass at all. */
static int hopeless(struct table *t, enum flow_reason reason, frz_error *err)
{
    int rc = FRZ_OK;
    if (atomic_load(&t->dropped)) return frz__table_usable(t, true, err);
    if (atomic_load(&t->db->closing)) return frz__err(err, FRZ_MISUSE, "the database is being closed");
    if (flow_of_files(reason)) {
        rc = frz__health_error(t, HEALTH_COMPACTION, err);
        if (rc < 0) frz__err_context(err, "%s: %s, and the compaction that they wait for failed", t->name, frz__flow_reason_name(reason));
        return rc;
    }
    frz__mutex_lock(&t->view_mu);
    if (t->flush_error.code) {
        if (err) *err = t->flush_error;
        frz__err_context(err, "%s: writes wait for a flush that failed and is tried again", t->name);
        rc = t->flush_error.code;
    }
    frz__mutex_unlock(&t->view_mu);
    return rc;
}

/* All of memory may wait for another table's flush, which fails. */
static int another_fails(struct table *t, frz_error *err)
{
    struct db *db = t->db;
    int rc = FRZ_OK;
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count && rc >= 0; i++)
        if (!table_is_broken(db->tables[i]) && !atomic_load(&db->tables[i]->dropped)) rc = hopeless(db->tables[i], FLOW_MEMORY, err);
    frz__mutex_unlock(&db->tables_mu);
    return rc < 0 ? rc : FRZ_OK;
}

static const char *const short_names[FLOW_REASONS] = {"", "memtables", "memory", "runs", "debt"};

#define LOOK_NS ((int64_t)1000000000)
#define LONG_US ((uint64_t)1000000)

/* Until what stops T's writers is over. */
static int wait_stopped(struct table *t, int64_t deadline, frz_error *err)
{
    struct db *db = t->db;
    enum flow_reason reason = FLOW_NONE;
    bool begun = false;
    int64_t since = frz__clock_mono_ns();
    int rc = FRZ_OK;
    frz__mutex_lock(&db->flow_mu);
    for (;;) {
        struct flow_verdict v = verdict_of(t);
        if (!v.stop) break;
        rc = hopeless(t, v.reason, err);
        if (rc != FRZ_OK) break;
        int64_t now = frz__clock_mono_ns();
        if (now >= deadline) {
            rc = busy(t, v.reason, err);
            break;
        }
        if (reason == FLOW_NONE) {
            reason = v.reason;
            count_begin(t, reason, true);
            begun = true;
        }
        if (begun) { /* told outside of the lock; what changed meanwhile is looked at again */
            begun = false;
            frz__mutex_unlock(&db->flow_mu);
            frz__event(db, t, FRZ_EVENT_STALL_BEGIN, &(struct event_info){.reason = short_names[reason]});
            frz__mutex_lock(&db->flow_mu);
            continue;
        }
        bool woken = frz__cond_wait_until(&db->flow_room, &db->flow_mu, deadline - now < LOOK_NS ? deadline : now + LOOK_NS);
        if (woken || v.reason != FLOW_MEMORY) continue;
        frz__mutex_unlock(&db->flow_mu);
        rc = another_fails(t, err);
        frz__mutex_lock(&db->flow_mu);
        if (rc != FRZ_OK) break;
    }
    frz__mutex_unlock(&db->flow_mu);
    if (reason == FLOW_NONE) return rc;
    count_wait(t, reason, true, since);
    uint64_t us = (uint64_t)(frz__clock_mono_ns() - since) / 1000;
    frz__event(db, t, FRZ_EVENT_STALL_END, &(struct event_info){.reason = short_names[reason], .duration_us = us});
    if (us >= LONG_US) frz__log(&db->log, FRZ_LOG_WARN, "%s: a writer was stopped for %" PRIu64 " ms: %s", t->name, us / 1000, frz__flow_reason_name(reason));
    return rc;
}

/* Not of a flush that failed: writers are to come to the stop, and learn of it. */
static uint64_t drain_now(struct table *t, enum flow_reason reason, int64_t now)
{
    struct db *db = t->db;
    uint64_t drain = frz__flow_drain_of(t, reason);
    if (flow_of_files(reason) || frz__health_bad(db, t, HEALTH_FLUSH)) return drain;
    bool own = reason == FLOW_MEMTABLES;
    int64_t since = atomic_load_explicit(own ? &t->flow_waiting_since : &db->flushing_since, memory_order_relaxed);
    return since ? frz__flow_drain_now(drain, atomic_load_explicit(own ? &t->flow_waiting_rows : &db->waiting_bytes, memory_order_relaxed), now - since) : drain;
}

#define WAIT_MIN_NS ((int64_t)1000000) /* less is owed, and paid by a later write: a thread that sleeps wakes late */
#define CREDIT_NS ((int64_t)20000000)  /* for which the next ones get credit */

/* Writers take turns on one clock: what a write owes, the next one finds. */
static int wait_slowed(struct table *t, const struct flow_verdict *v, uint64_t bytes, int64_t deadline, frz_error *err)
{
    struct db *db = t->db;
    int64_t now = frz__clock_mono_ns(), price = (int64_t)frz__flow_price_ns(v->fraction, bytes, drain_now(t, v->reason, now));
    _Atomic int64_t *clock = flow_of_files(v->reason) ? &t->turn_ns : &db->turn_ns;
    int64_t turn = atomic_load(clock), until;
    if (price > FLOW_DELAY_MAX_NS) price = FLOW_DELAY_MAX_NS;
    do {
        until = (turn > now - CREDIT_NS ? turn : now) + price;
        if (until > now + FLOW_DELAY_MAX_NS) until = now + FLOW_DELAY_MAX_NS;
        if (until > deadline && until - now >= WAIT_MIN_NS) return busy(t, v->reason, err);
    } while (!atomic_compare_exchange_weak(clock, &turn, until));
    if (until - now < WAIT_MIN_NS) return FRZ_OK;
    count_begin(t, v->reason, false);
    frz__mutex_lock(&db->flow_mu);
    while (!atomic_load(&db->closing) && verdict_of(t).fraction > 0 && frz__cond_wait_until(&db->flow_room, &db->flow_mu, until)) {}
    frz__mutex_unlock(&db->flow_mu);
    count_wait(t, v->reason, false, now);
    return FRZ_OK;
}

int frz__flow_wait(struct table *const *tables, size_t count, uint64_t bytes, int64_t wait_max_ns, frz_error *err)
{
    struct flow_verdict worst = {0, FLOW_NONE, false};
    struct table *slowest = NULL;
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        struct flow_verdict v = verdict_of(tables[i]);
        if (v.fraction <= 0) continue;
        if (deadline == INT64_MAX && wait_max_ns >= 0) deadline = frz__clock_mono_ns() + wait_max_ns;
        if (v.stop) MUST(wait_stopped(tables[i], deadline, err));
        else if (v.fraction > worst.fraction) {
            worst = v;
            slowest = tables[i];
        }
    }
    return slowest ? wait_slowed(slowest, &worst, bytes, deadline, err) : FRZ_OK;
}

void frz__flow_wake(struct db *db)
{
    frz__mutex_lock(&db->flow_mu);
    frz__cond_broadcast(&db->flow_room);
    frz__mutex_unlock(&db->flow_mu);
}

void frz__flow_drained(struct db *db, uint64_t bytes, int64_t ns)
{
    if (ns <= 0 || bytes < (64 << 10)) return; /* too small to tell */
    uint64_t seen = (uint64_t)((double)bytes * 1e9 / (double)ns), before = atomic_load(&db->drain);
    if (seen < FLOW_DRAIN_MIN) seen = FLOW_DRAIN_MIN;
    atomic_store(&db->drain, before ? (before * 3 + seen) / 4 : seen);
}

/* ── what memtables take ── */

void frz__flow_count(struct table *t)
{
    struct mem *m = t->active;
    size_t bytes = mem_bytes(m), before = atomic_load_explicit(&m->counted, memory_order_relaxed);
    atomic_store_explicit(&t->flow_active_used, mem_used(m), memory_order_relaxed);
    if (bytes <= before || before == MEM_UNCOUNTED) return;
    if (!atomic_compare_exchange_strong(&m->counted, &before, bytes)) return; /* it just left its table */
    atomic_fetch_add(&t->db->active_bytes, bytes - before);
}

/* view_mu held. What OLD has and V has not waits no more; what was active, and is behind another one now, waits. */
void frz__flow_view_changes(struct table *t, const struct view *old, const struct view *v)
{
    struct db *db = t->db;
    bool drained = false;
    atomic_store(&t->flow_immutables, v && v->mem_count ? (uint32_t)(v->mem_count - 1) : 0); /* before the active one is empty: who looks meanwhile sees one too many, not one too few */
    for (size_t i = 0; old && i < old->mem_count; i++) {
        struct mem *m = old->mems[i];
        bool was_active = i == 0, stays = false, is_active = v && v->mem_count && v->mems[0] == m;
        for (size_t k = 0; v && k < v->mem_count && !stays; k++) stays = v->mems[k] == m;
        _Atomic uint64_t *from = was_active ? &db->active_bytes : &db->waiting_bytes;
        if (!stays) {
            size_t bytes = atomic_exchange(&m->counted, MEM_UNCOUNTED);
            if (bytes != MEM_UNCOUNTED) atomic_fetch_sub(from, bytes);
            drained = drained || !was_active;
        } else if (was_active && !is_active) {
            size_t bytes = atomic_load(&m->counted);
            if (bytes == MEM_UNCOUNTED) continue;
            atomic_fetch_add(&db->waiting_bytes, bytes);
            atomic_fetch_sub(&db->active_bytes, bytes);
            atomic_store(&t->flow_active_used, 0);
        }
    }
    uint64_t waiting = 0, rows = 0;
    for (size_t i = 1; v && i < v->mem_count; i++) {
        waiting += mem_bytes(v->mems[i]);
        rows += atomic_load(&v->mems[i]->row_bytes);
    }
    if (drained || !atomic_load(&t->flow_waiting_since)) atomic_store(&t->flow_waiting_since, frz__clock_mono_ns());
    if (!waiting) atomic_store(&t->flow_waiting_since, 0);
    atomic_store(&t->flow_waiting, waiting);
    atomic_store(&t->flow_waiting_rows, rows);
}

struct table *frz__flow_largest(struct db *db)
{
    struct table *largest = NULL;
    size_t most = 0;
    if (atomic_load_explicit(&db->active_bytes, memory_order_relaxed) < memory_limit(db) / 2) return NULL;
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        if (table_is_broken(t) || atomic_load(&t->dropped) || !t->active || mem_versions(t->active) == 0) continue;
        size_t bytes = mem_bytes(t->active);
        if (bytes <= most) continue;
        most = bytes;
        largest = t;
    }
    if (largest) frz__table_acquire(largest);
    frz__mutex_unlock(&db->tables_mu);
    return largest;
}

uint64_t frz__flow_pinned(struct db *db)
{
    uint64_t all = frz__budget_bytes(db->budget, MEM_MEMTABLES), views = atomic_load(&db->active_bytes) + atomic_load(&db->waiting_bytes), kept = frz__arena_spares_bytes(&db->spares);
    kept += atomic_load_explicit(&db->reserve_bytes, memory_order_relaxed);
    return all > views + kept ? all - views - kept : 0;
}

void frz__flow_published(struct table *t, uint64_t row_bytes, uint64_t beside)
{
    int64_t now = frz__clock_mono_ns(), before = atomic_exchange(&t->published_ns, now);
    frz__mutex_lock(&t->view_mu);
    int64_t interval = (int64_t)t->settings.frazil_publish_interval_ms * 1000000;
    uint64_t percent = t->settings.frazil_publish_cost_percent;
    frz__mutex_unlock(&t->view_mu);
    atomic_store(&t->publish_ns, frz__flow_publish_ns(interval, before ? now - before : interval, row_bytes, beside, percent));
}

int64_t frz__flow_publish_now(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    int64_t interval = (int64_t)t->settings.frazil_publish_interval_ms * 1000000;
    frz__mutex_unlock(&t->view_mu);
    int64_t stretched = atomic_load(&t->publish_ns);
    return interval && stretched > interval ? stretched : interval;
}

/* ── jobs ── */

/* What jobs hold comes and goes within a second, which is too fast for the clock where there is little. */
static void expect_locked(struct db *db, uint64_t bytes)
{
    if (!flow_is_small(db->set.memory_bytes)) return;
    db->jobs_expected += bytes;
    make_room(db);
}

static void forget_locked(struct db *db, uint64_t bytes)
{
    if (flow_is_small(db->set.memory_bytes)) db->jobs_expected -= bytes;
}

void frz__flow_job_begin(struct db *db, uint64_t bytes)
{
    frz__mutex_lock(&db->flow_mu);
    expect_locked(db, bytes);
    frz__mutex_unlock(&db->flow_mu);
}

void frz__flow_job_end(struct db *db, uint64_t bytes)
{
    frz__mutex_lock(&db->flow_mu);
    forget_locked(db, bytes);
    frz__mutex_unlock(&db->flow_mu);
}

/* Of a flush of BYTES of memtables. */
static uint64_t flush_needs(const struct db *db, uint64_t bytes)
{
    uint64_t most = frz__flow_shares(db->set.memory_bytes).jobs / 4 * 3;
    return bytes < most / 2 ? bytes * 2 : most;
}

void frz__flow_flush_begin(struct table *t, uint64_t *bytes)
{
    struct db *db = t->db;
    *bytes = atomic_load(&t->flow_waiting);
    frz__mutex_lock(&db->flow_mu);
    while (db->flushes_running && flow_is_small(db->set.memory_bytes) && db->flushing_bytes + *bytes > memory_limit(db) / 4) frz__cond_wait(&db->flow_room, &db->flow_mu);
    if (db->flushes_running++ == 0) atomic_store(&db->flushing_since, frz__clock_mono_ns());
    db->flushing_bytes += *bytes;
    expect_locked(db, flush_needs(db, *bytes));
    frz__mutex_unlock(&db->flow_mu);
}

void frz__flow_flush_end(struct table *t, uint64_t bytes)
{
    struct db *db = t->db;
    frz__mutex_lock(&db->flow_mu);
    atomic_store(&db->flushing_since, --db->flushes_running ? frz__clock_mono_ns() : 0);
    db->flushing_bytes -= bytes;
    forget_locked(db, flush_needs(db, bytes));
    frz__cond_broadcast(&db->flow_room);
    frz__mutex_unlock(&db->flow_mu);
}

/* Two jobs beside each other hold half of the share in row groups, a quarter where there is little; the rest is for dictionaries, pages being made, inputs. */
uint64_t frz__flow_row_group_bytes(const struct db *db, uint64_t setting)
{
    uint64_t memory = db->set.memory_bytes, share = frz__flow_shares(memory).jobs / (flow_is_small(memory) ? 8 : 4);
    return setting < share ? setting : share;
}

size_t frz__flow_walk_bytes(const struct db *db, size_t files, bool job)
{
    uint64_t all = job ? frz__flow_shares(db->set.memory_bytes).jobs / 4 : db->set.memory_bytes / 16;
    return (size_t)(all / (files ? files : 1));
}
