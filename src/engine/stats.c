/* stats.c — the numbers of frz_stats, gathered: stats.def says what each is. */
#include "engine/flow.h"

#include "base/sized.h"
#include "view/runs.h"

static uint64_t max64(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void add_memory(struct db *db, frz_stats *s)
{
    s->memory_budget = db->set.memory_bytes;
#define CLASS(id, name)                                                                                                                    \
    s->memory_##name = frz__budget_bytes(db->budget, id);                                                                                  \
    s->memory_##name##_max = frz__budget_high(db->budget, id)
    CLASS(MEM_MEMTABLES, memtables);
    CLASS(MEM_CACHE, cache);
    CLASS(MEM_JOBS, jobs);
    CLASS(MEM_METADATA, metadata);
    CLASS(MEM_CALLS, calls);
#undef CLASS
    s->memory_outside = frz__budget_outside(db->budget);
    s->memory_pinned = frz__flow_pinned(db);
    s->drain_bytes_per_second = stat_get(&db->drain);
    s->snapshots_given_up = stat_get(&db->snapshots_given_up);
}

static void take_latency(struct latency_seen *s, uint64_t *total, uint64_t *max, uint64_t *p50, uint64_t *p99)
{
    *total += s->us_total;
    if (s->us_max > *max) *max = s->us_max;
    *p50 = latency_percentile(s, 50);
    *p99 = latency_percentile(s, 99);
}

struct gathered { frz_stats s; struct latency_seen flush, commit, compaction; };

/* What is in memory and in files now. */
static void add_view(struct table *t, frz_stats *s)
{
    uint64_t seq;
    int64_t now = frz__clock_mono_ns(), lag = 0;
    struct view *v = frz__view_latest(t, &seq);
    for (size_t i = 0; i < v->mem_count; i++) {
        if (!mem_versions(v->mems[i])) continue;
        int64_t since = atomic_load(&v->mems[i]->since_ns);
        s->memtable_bytes += mem_bytes(v->mems[i]);
        if (since && now > since && now - since > lag) lag = now - since;
    }
    s->publish_lag_us = max64(s->publish_lag_us, (uint64_t)lag / 1000);
    s->memtables_immutable += v->mem_count ? v->mem_count - 1 : 0;
    s->data_files += v->file_count;
    for (size_t i = 0; i < v->file_count; i++) {
        s->data_bytes += (uint64_t)v->files[i]->file_size;
        s->live_bytes += vfile_bytes_of(v->files[i], vfile_live(v->files[i]));
        s->rows_dead += frz__mask_count(v->files[i]->mask);
    }
    s->rows_live += v->rows;
    s->runs_beyond += stat_get(&t->flow_runs);
    s->debt_bytes += stat_get(&t->flow_debt);
    s->digest_bytes_per_second += stat_get(&t->digest);
    s->publish_interval_us = max64(s->publish_interval_us, (uint64_t)frz__flow_publish_now(t) / 1000);
    frz__view_release(v);
}

static void add_version(struct table *t, frz_stats *s)
{
    struct version *v = frz__version_acquire(t);
    for (size_t m = 0; m < v->tree.count; m++) {
        if (v->tree.manifests[m].content != 1) continue;
        for (size_t i = 0; i < v->tree.manifests[m].entry_count; i++) {
            const struct ice_entry *e = &v->tree.manifests[m].entries[i];
            if (e->status == ICE_DELETED) continue;
            s->delete_files++;
            s->delete_bytes += (uint64_t)(e->file.content_size > 0 ? e->file.content_size : e->file.file_size);
        }
    }
    s->metadata_bytes += v->metadata_bytes;
    s->manifests += v->tree.count;
    s->snapshots += v->meta->snapshot_count;
    frz__version_release(v);
}

static void add_table(struct table *t, struct gathered *g)
{
    frz_stats *s = &g->s;
#define ADD(field) s->field += stat_get(&t->field)
    ADD(rows_put); ADD(rows_deleted); ADD(flushes); ADD(flush_failures); ADD(flush_rows); ADD(flush_bytes); ADD(rows_masked); ADD(commits); ADD(commit_conflicts); ADD(stalls); ADD(stall_us_total);
    ADD(slowdowns); ADD(slowdown_us_total); ADD(files_absorbed); ADD(files_removed); ADD(put_bytes); ADD(delete_bytes_written); ADD(metadata_bytes_written); ADD(compactions); ADD(compact_failures);
    ADD(compact_bytes_in); ADD(compact_bytes_out); ADD(files_pending); ADD(log_flushes_forced); ADD(publishes_stretched);
#undef ADD
#define WAITS(reason, name)                                                                                                                \
    s->stalls_##name += stat_get(&t->flow[reason].stalls);                                                                                 \
    s->stall_##name##_us_total += stat_get(&t->flow[reason].stall_us_total);                                                               \
    s->stall_##name##_us_max = max64(s->stall_##name##_us_max, stat_get(&t->flow[reason].stall_us_max));                                   \
    s->slowdowns_##name += stat_get(&t->flow[reason].slowdowns);                                                                           \
    s->slowdown_##name##_us_total += stat_get(&t->flow[reason].slowdown_us_total);                                                         \
    s->slowdown_##name##_us_max = max64(s->slowdown_##name##_us_max, stat_get(&t->flow[reason].slowdown_us_max))
    WAITS(FLOW_MEMTABLES, memtables);
    WAITS(FLOW_MEMORY, memory);
    WAITS(FLOW_RUNS, runs);
    WAITS(FLOW_DEBT, debt);
#undef WAITS
    latency_see(&t->flush_latency, &g->flush);
    latency_see(&t->commit_latency, &g->commit);
    latency_see(&t->compaction_latency, &g->compaction);
    if (table_is_broken(t) || !atomic_load(&t->view)) return;
    add_view(t, s);
    add_version(t, s);
}

static void add_db(struct db *db, frz_stats *s)
{
    struct cache_stats cache;
    struct wal_stats wal = {0};
    s->seq_visible = atomic_load(&db->seq_visible);
#define TAKE(from, field) s->field = stat_get(&(from)->field)
    TAKE(db, writes); TAKE(db, write_groups); TAKE(db, gets); TAKE(db, gets_found); TAKE(db, memtable_hits); TAKE(db, orphans_removed); TAKE(db, recovered_batches); TAKE(db, recovered_bytes);
    TAKE(&db->counters, filter_checks); TAKE(&db->counters, filter_rejects); TAKE(&db->counters, filter_false_positives); TAKE(&db->counters, key_pages_read); TAKE(&db->counters, value_pages_read);
    TAKE(&db->counters, files_probed);
#undef TAKE
    add_memory(db, s);
    frz__cache_stats(db->cache, &cache);
    s->cache_hits = cache.hits;
    s->cache_misses = cache.misses;
    s->cache_bytes = cache.bytes;
    if (db->wal) frz__wal_stats(db->wal, &wal);
    s->log_bytes = wal.bytes;
    s->log_syncs = wal.syncs;
    s->log_segments = wal.segments;
    s->log_segments_recycled = wal.recycled;
    s->log_archived = wal.archived;
    s->log_archive_waiting = wal.archive_waiting;
    s->log_archive_given_up = wal.archive_given_up;
    s->log_archive_failures = stat_get(&db->archive_failures);
    s->events = frz__events_last(db->events);
}

static void add_pins_locked(struct db *db, frz_stats *s)
{
    int64_t now = frz__clock_mono_ns();
    s->pins = db->pins;
    for (const struct pin *p = db->pin_list; p; p = p->next) {
        uint64_t age = now > p->since_ns ? (uint64_t)(now - p->since_ns) / 1000 : 0;
        if (age > s->oldest_pin_us) s->oldest_pin_us = age;
        if (!s->oldest_pin_seq || p->seq < s->oldest_pin_seq) s->oldest_pin_seq = p->seq;
    }
}

static double ratio(uint64_t a, uint64_t b) { return b ? (double)a / (double)b : 0; }

static void derive(struct gathered *g, bool whole)
{
    frz_stats *s = &g->s;
    uint64_t log = whole ? s->log_bytes : s->put_bytes;
    take_latency(&g->flush, &s->flush_us_total, &s->flush_us_max, &s->flush_us_p50, &s->flush_us_p99);
    take_latency(&g->commit, &s->commit_us_total, &s->commit_us_max, &s->commit_us_p50, &s->commit_us_p99);
    take_latency(&g->compaction, &s->compact_us_total, &s->compact_us_max, &s->compact_us_p50, &s->compact_us_p99);
    s->write_amplification = ratio(log + s->flush_bytes + s->compact_bytes_out + s->delete_bytes_written + s->metadata_bytes_written, s->put_bytes);
    s->space_amplification = ratio(s->data_bytes + s->delete_bytes, s->live_bytes);
    s->files_per_get = ratio(s->files_probed, s->gets);
    s->pages_per_get = ratio(s->key_pages_read + s->value_pages_read, s->gets);
    s->cache_hit_ratio = ratio(s->cache_hits, s->cache_hits + s->cache_misses);
}

/* Counted; the list is by name, and may change between two calls. LAST's count is given back. */
static struct table *next_table(struct db *db, struct table *last)
{
    struct table *next = NULL;
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count && !next; i++)
        if (!last || strcmp(db->tables[i]->name, last->name) > 0) next = frz__table_acquire(db->tables[i]);
    frz__mutex_unlock(&db->tables_mu);
    frz__table_release(last);
    return next;
}

void frz__stats(struct db *db, struct table *only, frz_stats *out)
{
    struct gathered g = {.s.struct_size = sizeof g.s};
    add_db(db, &g.s);
    frz__mutex_lock(&db->tables_mu);
    add_pins_locked(db, &g.s);
    frz__mutex_unlock(&db->tables_mu);
    /* With no lock held: a table's version may be in a commit, and writers, who need the list, don't wait for that. */
    for (struct table *t = only ? NULL : next_table(db, NULL); t; t = next_table(db, t)) add_table(t, &g);
    if (only) add_table(only, &g);
    derive(&g, !only);
    frz__sized_give(out, &g.s, sizeof g.s);
}

/* ── levels ── */

/* The sorted runs of LEVEL's files: what overlaps can't be in one. */
static int runs_of(const allocator *a, const struct view *v, unsigned level, struct key_range *ranges, uint32_t *by_key, struct run *runs, uint64_t *out, frz_error *err)
{
    size_t n = 0, count = 0;
    for (size_t i = 0; i < v->file_count; i++)
        if (v->files[i]->sst->level_hint == level) ranges[n++] = (struct key_range){v->files[i]->sst->first_key, v->files[i]->sst->last_key, !v->files[i]->sst->sorted};
    int rc = frz__runs_build(a, ranges, n, by_key, runs, &count, err);
    *out = count;
    return rc;
}

int frz__levels(struct table *t, frz_level *levels, size_t *count, frz_error *err)
{
    static const frz_level none = {.struct_size = sizeof none};
    uint64_t seq;
    struct view *v = frz__view_latest(t, &seq);
    struct key_range *ranges = (struct key_range *)frz__alloc_array(t->a, v->file_count + 1, sizeof *ranges);
    uint32_t *by_key = (uint32_t *)frz__alloc_array(t->a, v->file_count + 1, sizeof *by_key);
    struct run *runs = (struct run *)frz__alloc_array(t->a, v->file_count + 1, sizeof *runs);
    int rc = ranges && by_key && runs ? FRZ_OK : frz__err_no_memory(err, v->file_count * sizeof *ranges);
    *count = 0;
    for (size_t i = 0; i < LEVELS_MAX; i++) {
        levels[i] = none;
        levels[i].level = (uint32_t)i;
    }
    for (size_t i = 0; i < v->file_count; i++) {
        frz_level *l = &levels[v->files[i]->sst->level_hint];
        l->files++;
        l->rows += v->files[i]->sst->rows;
        l->rows_dead += frz__mask_count(v->files[i]->mask);
        l->bytes += (uint64_t)v->files[i]->file_size;
    }
    for (size_t i = 0; rc >= 0 && i < LEVELS_MAX; i++) {
        if (!levels[i].files) continue;
        rc = runs_of(t->a, v, (unsigned)i, ranges, by_key, runs, &levels[i].runs, err);
        levels[(*count)++] = levels[i];
    }
    frz__free(t->a, ranges);
    frz__free(t->a, by_key);
    frz__free(t->a, runs);
    frz__view_release(v);
    return rc < 0 ? rc : FRZ_OK;
}
