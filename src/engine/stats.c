/* stats.c — counters as a struct and as text. */
#include "engine/db.h"

#include "base/sized.h"

static void add_table(struct table *t, frz_stats *s)
{
    uint64_t seq;
#define ADD(field) s->field += stat_get(&t->field)
    ADD(rows_put); ADD(rows_deleted); ADD(flushes); ADD(flush_failures); ADD(flush_rows); ADD(flush_bytes); ADD(flush_us_total); ADD(rows_masked); ADD(commits);
    ADD(commit_conflicts); ADD(commit_us_total); ADD(stalls); ADD(stall_us_total); ADD(slowdowns); ADD(slowdown_us_total); ADD(files_absorbed); ADD(files_removed); ADD(compactions);
    ADD(compact_failures); ADD(compact_bytes_in); ADD(compact_bytes_out); ADD(compact_us_total);
#undef ADD
    if (stat_get(&t->flush_us_max) > s->flush_us_max) s->flush_us_max = stat_get(&t->flush_us_max);
    if (stat_get(&t->commit_us_max) > s->commit_us_max) s->commit_us_max = stat_get(&t->commit_us_max);
    if (table_is_broken(t) || !atomic_load(&t->view)) return;
    struct view *v = frz__view_latest(t, &seq);
    for (size_t i = 0; i < v->mem_count; i++) s->memtable_bytes += mem_versions(v->mems[i]) ? mem_bytes(v->mems[i]) : 0;
    s->memtables_immutable += v->mem_count ? v->mem_count - 1 : 0;
    s->data_files += v->file_count;
    for (size_t i = 0; i < v->file_count; i++) s->data_bytes += (uint64_t)v->files[i]->file_size;
    s->rows_live += v->rows;
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
    frz__cache_stats(db->cache, &cache);
    s.cache_hits = cache.hits;
    s.cache_misses = cache.misses;
    s.cache_bytes = cache.bytes;
    if (db->wal) frz__wal_stats(db->wal, &wal);
    s.log_bytes = wal.bytes;
    s.log_syncs = wal.syncs;
    s.log_segments = wal.segments;
    s.log_segments_recycled = wal.recycled;
    s.log_archived = wal.archived;
    s.log_archive_failures = stat_get(&db->archive_failures);
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
    X(files_removed) X(orphans_removed) X(recovered_batches) X(recovered_bytes) X(compactions) X(compact_failures) X(compact_bytes_in) X(compact_bytes_out) X(compact_us_total)      \
    X(log_archived) X(log_archive_failures)

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
