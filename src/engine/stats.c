/* stats.c — counters as a struct and as text. */
#include "engine/flow.h"

#include "base/sized.h"

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

static void add_table(struct table *t, frz_stats *s)
{
    uint64_t seq;
#define ADD(field) s->field += stat_get(&t->field)
    ADD(rows_put); ADD(rows_deleted); ADD(flushes); ADD(flush_failures); ADD(flush_rows); ADD(flush_bytes); ADD(flush_us_total); ADD(rows_masked); ADD(commits);
    ADD(commit_conflicts); ADD(commit_us_total); ADD(stalls); ADD(stall_us_total); ADD(slowdowns); ADD(slowdown_us_total); ADD(files_absorbed); ADD(files_removed); ADD(compactions);
    ADD(compact_failures); ADD(compact_bytes_in); ADD(compact_bytes_out); ADD(compact_us_total); ADD(log_flushes_forced); ADD(publishes_stretched);
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
    int64_t dirty = atomic_load(&t->dirty_since_ns), now = frz__clock_mono_ns();
    if (dirty && now > dirty) s->publish_lag_us = max64(s->publish_lag_us, (uint64_t)(now - dirty) / 1000);
    if (stat_get(&t->flush_us_max) > s->flush_us_max) s->flush_us_max = stat_get(&t->flush_us_max);
    if (stat_get(&t->commit_us_max) > s->commit_us_max) s->commit_us_max = stat_get(&t->commit_us_max);
    if (table_is_broken(t) || !atomic_load(&t->view)) return;
    struct view *v = frz__view_latest(t, &seq);
    for (size_t i = 0; i < v->mem_count; i++) s->memtable_bytes += mem_versions(v->mems[i]) ? mem_bytes(v->mems[i]) : 0;
    s->memtables_immutable += v->mem_count ? v->mem_count - 1 : 0;
    s->data_files += v->file_count;
    for (size_t i = 0; i < v->file_count; i++) s->data_bytes += (uint64_t)v->files[i]->file_size;
    s->rows_live += v->rows;
    s->publish_interval_us = max64(s->publish_interval_us, (uint64_t)frz__flow_publish_now(t) / 1000);
    frz__view_release(v);
    struct version *version = frz__version_acquire(t);
    for (size_t m = 0; m < version->tree.count; m++)
        for (size_t i = 0; i < version->tree.manifests[m].entry_count; i++)
            s->delete_files += version->tree.manifests[m].content == 1 && version->tree.manifests[m].entries[i].status != ICE_DELETED;
    frz__version_release(version);
}

void frz__stats(struct db *db, struct table *only, frz_stats *out)
{
    frz_stats s = {.struct_size = sizeof s};
    struct cache_stats cache;
    struct wal_stats wal = {0};
    s.seq_visible = atomic_load(&db->seq_visible);
    s.writes = stat_get(&db->writes);
    s.write_groups = stat_get(&db->write_groups);
    s.gets = stat_get(&db->gets);
    s.gets_found = stat_get(&db->gets_found);
    s.memtable_hits = stat_get(&db->memtable_hits);
    s.filter_checks = stat_get(&db->counters.filter_checks);
    s.filter_rejects = stat_get(&db->counters.filter_rejects);
    s.filter_false_positives = stat_get(&db->counters.filter_false_positives);
    s.key_pages_read = stat_get(&db->counters.key_pages_read);
    s.value_pages_read = stat_get(&db->counters.value_pages_read);
    s.orphans_removed = stat_get(&db->orphans_removed);
    s.recovered_batches = stat_get(&db->recovered_batches);
    s.recovered_bytes = stat_get(&db->recovered_bytes);
    add_memory(db, &s);
    frz__cache_stats(db->cache, &cache);
    s.cache_hits = cache.hits;
    s.cache_misses = cache.misses;
    s.cache_bytes = cache.bytes;
    if (db->wal) frz__wal_stats(db->wal, &wal);
    s.log_bytes = wal.bytes;
    s.log_syncs = wal.syncs;
    s.log_segments = wal.segments;
    s.log_segments_recycled = wal.recycled;
    if (only) add_table(only, &s);
    else {
        frz__mutex_lock(&db->tables_mu);
        for (size_t i = 0; i < db->table_count; i++) add_table(db->tables[i], &s);
        frz__mutex_unlock(&db->tables_mu);
    }
    frz__sized_give(out, &s, sizeof s);
}

#define FIELDS(X)                                                                                                                          \
    X(seq_visible) X(writes) X(write_groups) X(rows_put) X(rows_deleted) X(log_bytes) X(log_syncs) X(log_segments) X(log_segments_recycled) X(gets) X(gets_found) X(memtable_hits)  \
    X(filter_checks) X(filter_rejects) X(filter_false_positives) X(key_pages_read) X(value_pages_read) X(cache_hits) X(cache_misses) X(cache_bytes) X(memtable_bytes)                \
    X(memtables_immutable) X(flushes) X(flush_failures) X(flush_rows) X(flush_bytes) X(flush_us_total) X(flush_us_max) X(rows_masked) X(commits) X(commit_conflicts)                 \
    X(commit_us_total) X(commit_us_max) X(stalls) X(stall_us_total) X(slowdowns) X(slowdown_us_total) X(data_files) X(delete_files) X(data_bytes) X(rows_live) X(files_absorbed)    \
    X(files_removed) X(orphans_removed) X(recovered_batches) X(recovered_bytes) X(compactions) X(compact_failures) X(compact_bytes_in) X(compact_bytes_out) X(compact_us_total) \
    X(memory_budget) X(memory_memtables) X(memory_memtables_max) X(memory_cache) X(memory_cache_max) X(memory_jobs) X(memory_jobs_max) \
    X(memory_metadata) X(memory_metadata_max) X(memory_calls) X(memory_calls_max) X(memory_outside) X(memory_pinned) X(stalls_memtables) \
    X(stall_memtables_us_total) X(stall_memtables_us_max) X(slowdowns_memtables) X(slowdown_memtables_us_total) \
    X(slowdown_memtables_us_max) X(stalls_memory) X(stall_memory_us_total) X(stall_memory_us_max) X(slowdowns_memory) \
    X(slowdown_memory_us_total) X(slowdown_memory_us_max) X(stalls_runs) X(stall_runs_us_total) X(stall_runs_us_max) X(slowdowns_runs) \
    X(slowdown_runs_us_total) X(slowdown_runs_us_max) X(stalls_debt) X(stall_debt_us_total) X(stall_debt_us_max) X(slowdowns_debt) \
    X(slowdown_debt_us_total) X(slowdown_debt_us_max) X(drain_bytes_per_second) X(log_flushes_forced) X(snapshots_given_up) \
    X(publish_lag_us) X(publishes_stretched) X(publish_interval_us)

int frz__stats_text(const frz_stats *s, bool json, struct buf *out, frz_error *err)
{
    if (json) {
        struct jw w = JW_INIT(out, err);
        frz__jw_object(&w);
#define X(field) frz__jw_key(&w, #field); frz__jw_int(&w, (int64_t)s->field);
        FIELDS(X)
#undef X
        frz__jw_object_end(&w);
        return frz__jw_end(&w);
    }
#define X(field) TRY(frz__buf_printf(out, err, "%s %" PRIu64 "\n", #field, s->field));
    FIELDS(X)
#undef X
    return FRZ_OK;
}
