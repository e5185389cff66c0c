/* ice_meta_print.c — table metadata → JSON, in the order of keys that Iceberg's Java has. Source: Iceberg spec, "Table Metadata Fields", Appendix C. */
#include "iceberg/ice_meta.h"

static void put_extra(struct jw *w, slice extra)
{
    if (extra.len) frz__jw_raw(w, extra);
}

static void put_map(struct jw *w, const struct ice_kv *kv, size_t count)
{
    frz__jw_object(w);
    for (size_t i = 0; i < count; i++) {
        frz__jw_key(w, (const char *)kv[i].key.data); /* keys are NUL-terminated: they come from JSON or were checked */
        frz__jw_str(w, kv[i].value);
    }
    frz__jw_object_end(w);
}

static void put_int(struct jw *w, const char *key, int64_t v)
{
    frz__jw_key(w, key);
    frz__jw_int(w, v);
}
static void put_str(struct jw *w, const char *key, slice v)
{
    frz__jw_key(w, key);
    frz__jw_str(w, v);
}
static void put_raw(struct jw *w, const char *key, slice json)
{
    frz__jw_key(w, key);
    frz__jw_raw(w, json);
}

static void put_snapshot(struct jw *w, const struct ice_snapshot *s)
{
    frz__jw_object(w);
    if (s->sequence_number > 0) put_int(w, "sequence-number", s->sequence_number);
    put_int(w, "snapshot-id", s->id);
    if (s->parent_id > 0) put_int(w, "parent-snapshot-id", s->parent_id);
    put_int(w, "timestamp-ms", s->timestamp_ms);
    if (s->summary_count) {
        frz__jw_key(w, "summary");
        put_map(w, s->summary, s->summary_count);
    }
    if (s->manifest_list.data) put_str(w, "manifest-list", s->manifest_list);
    if (s->schema_id >= 0) put_int(w, "schema-id", s->schema_id);
    if (s->first_row_id >= 0) put_int(w, "first-row-id", s->first_row_id);
    if (s->added_rows >= 0) put_int(w, "added-rows", s->added_rows);
    put_extra(w, s->extra);
    frz__jw_object_end(w);
}

static void put_refs(struct jw *w, const struct ice_meta *m)
{
    frz__jw_key(w, "refs");
    frz__jw_object(w);
    for (size_t i = 0; i < m->ref_count; i++) put_raw(w, (const char *)m->refs[i].name.data, m->refs[i].json);
    frz__jw_object_end(w);
}

static void put_logs(struct jw *w, const struct ice_meta *m)
{
    frz__jw_key(w, "snapshot-log");
    frz__jw_array(w);
    for (size_t i = 0; i < m->snapshot_log_count; i++) {
        frz__jw_object(w);
        put_int(w, "timestamp-ms", m->snapshot_log[i].timestamp_ms);
        put_int(w, "snapshot-id", m->snapshot_log[i].snapshot_id);
        frz__jw_object_end(w);
    }
    frz__jw_array_end(w);
    frz__jw_key(w, "metadata-log");
    frz__jw_array(w);
    for (size_t i = 0; i < m->metadata_log_count; i++) {
        frz__jw_object(w);
        put_int(w, "timestamp-ms", m->metadata_log[i].timestamp_ms);
        put_str(w, "metadata-file", m->metadata_log[i].file);
        frz__jw_object_end(w);
    }
    frz__jw_array_end(w);
}

static void put_current_snapshot(struct jw *w, const struct ice_meta *m)
{
    frz__jw_key(w, "current-snapshot-id");
    if (m->current_snapshot_id > 0) frz__jw_int(w, m->current_snapshot_id);
    else if (m->format_version >= 3) frz__jw_null(w); /* what Java writes for none, by version */
    else frz__jw_int(w, -1);
}

int frz__ice_meta_print(const struct ice_meta *m, struct buf *out, frz_error *err)
{
    struct jw writer = JW_INIT(out, err), *w = &writer;
    frz__jw_object(w);
    put_int(w, "format-version", m->format_version);
    put_str(w, "table-uuid", slice_str(m->uuid));
    put_str(w, "location", m->location);
    put_int(w, "last-sequence-number", m->last_sequence_number);
    put_int(w, "last-updated-ms", m->last_updated_ms);
    put_int(w, "last-column-id", m->last_column_id);
    put_int(w, "current-schema-id", m->current_schema_id);
    frz__jw_key(w, "schemas");
    frz__jw_array(w);
    for (size_t i = 0; i < m->schema_count; i++) frz__jw_raw(w, m->schema_json[i]);
    frz__jw_array_end(w);
    put_int(w, "default-spec-id", m->default_spec_id);
    put_raw(w, "partition-specs", m->partition_specs);
    put_int(w, "last-partition-id", m->last_partition_id);
    put_int(w, "default-sort-order-id", m->default_sort_order_id);
    put_raw(w, "sort-orders", m->sort_orders);
    frz__jw_key(w, "properties");
    put_map(w, m->properties, m->property_count);
    put_current_snapshot(w, m);
    if (m->format_version >= 3) put_int(w, "next-row-id", m->next_row_id);
    put_refs(w, m);
    frz__jw_key(w, "snapshots");
    frz__jw_array(w);
    for (size_t i = 0; i < m->snapshot_count; i++) put_snapshot(w, &m->snapshots[i]);
    frz__jw_array_end(w);
    put_raw(w, "statistics", m->statistics);
    put_raw(w, "partition-statistics", m->partition_statistics);
    put_logs(w, m);
    put_extra(w, m->extra);
    frz__jw_object_end(w);
    return frz__jw_end(w);
}
