#include "iceberg/ice_edit_int.h"

/* One block an entry: lists first, bytes behind. */
int frz__ice_entry_copy(struct arena *ar, const struct ice_entry *from, struct ice_entry *out, frz_error *err)
{
    const struct ice_file *f = &from->file;
    size_t lists = f->stats_count * sizeof *f->stats + f->split_count * sizeof *f->split_offsets + f->equality_count * sizeof *f->equality_ids;
    size_t bytes = f->path.len + f->format.len + f->referenced_data_file.len + 3;
    for (size_t i = 0; i < f->stats_count; i++) bytes += f->stats[i].lower.len + f->stats[i].upper.len;
    uint8_t *block = (uint8_t *)arena_alloc(ar, lists + bytes, 8);
    if (!block) return frz__err_no_memory(err, lists + bytes);
    *out = *from;
    struct ice_file *to = &out->file;
    uint8_t *at = block;
#define TAKE_LIST(field, count)                                                                                                            \
    do {                                                                                                                                   \
        if (count) memcpy(at, f->field, (count) * sizeof *f->field);                                                                       \
        to->field = (void *)at;                                                                                                            \
        at += (count) * sizeof *f->field;                                                                                                  \
    } while (0)
#define TAKE_BYTES(s)                                                                                                                      \
    do {                                                                                                                                   \
        if ((s).len) memcpy(at, (s).data, (s).len);                                                                                        \
        if ((s).data) (s).data = at;                                                                                                       \
        at += (s).len;                                                                                                                     \
    } while (0)
    TAKE_LIST(stats, f->stats_count);
    TAKE_LIST(split_offsets, f->split_count);
    TAKE_LIST(equality_ids, f->equality_count);
    for (size_t i = 0; i < to->stats_count; i++) {
        TAKE_BYTES(to->stats[i].lower);
        TAKE_BYTES(to->stats[i].upper);
    }
    TAKE_BYTES(to->path);
    TAKE_BYTES(to->format);
    TAKE_BYTES(to->referenced_data_file);
    FRZ_ASSERT((size_t)(at - block) <= lists + bytes);
    return FRZ_OK;
#undef TAKE_LIST
#undef TAKE_BYTES
}

int frz__ice_manifest_copy(struct arena *ar, const struct ice_manifest *from, struct ice_manifest *out, frz_error *err)
{
    *out = *from;
    TRY(frz__ice_dup(ar, from->path, &out->path, err));
    TRY(frz__ice_dup(ar, from->partitions, &out->partitions, err));
    if (!(out->entries = (struct ice_entry *)frz__ice_array(ar, from->entry_count, sizeof *out->entries, err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < from->entry_count; i++) TRY(frz__ice_entry_copy(ar, &from->entries[i], &out->entries[i], err));
    return FRZ_OK;
}

/* ── metadata ── */

static int copy_map(struct arena *ar, const struct ice_kv *from, size_t count, struct ice_kv **out, frz_error *err)
{
    if (!(*out = (struct ice_kv *)frz__ice_array(ar, count, sizeof **out, err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        TRY(frz__ice_dup(ar, from[i].key, &(*out)[i].key, err));
        TRY(frz__ice_dup(ar, from[i].value, &(*out)[i].value, err));
    }
    return FRZ_OK;
}

static int copy_snapshot(struct arena *ar, const struct ice_snapshot *from, struct ice_snapshot *to, frz_error *err)
{
    *to = *from;
    TRY(frz__ice_dup(ar, from->manifest_list, &to->manifest_list, err));
    TRY(copy_map(ar, from->summary, from->summary_count, &to->summary, err));
    to->operation = frz__ice_summary(to, "operation");
    return frz__ice_dup(ar, from->extra, &to->extra, err);
}

static int copy_log(struct arena *ar, const struct ice_log_entry *from, size_t count, struct ice_log_entry **out, frz_error *err)
{
    if (!(*out = (struct ice_log_entry *)frz__ice_array(ar, count + 1, sizeof **out, err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        (*out)[i] = from[i];
        TRY(frz__ice_dup(ar, from[i].file, &(*out)[i].file, err));
    }
    return FRZ_OK;
}

static int copy_schemas(struct arena *ar, const struct ice_meta *from, struct ice_meta *m, frz_error *err)
{
    size_t n = from->schema_count;
    m->schema_count = 0; /* as many as are counted for */
    m->schemas = (frz_schema **)frz__ice_array(ar, n + 1, sizeof *m->schemas, err);
    m->schema_json = (slice *)frz__ice_array(ar, n + 1, sizeof *m->schema_json, err);
    m->schema_ids = (int32_t *)frz__ice_array(ar, n + 1, sizeof *m->schema_ids, err);
    if (!m->schemas || !m->schema_json || !m->schema_ids) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        TRY(frz__ice_dup(ar, from->schema_json[i], &m->schema_json[i], err));
        m->schema_ids[i] = from->schema_ids[i];
        m->schemas[i] = from->schemas[i] ? frz__schema_acquire(from->schemas[i]) : NULL;
        m->schema_count++;
    }
    return FRZ_OK;
}

static int copy_rest(struct arena *ar, const struct ice_meta *from, struct ice_meta *m, frz_error *err)
{
    const slice *const texts_from[] = {&from->location, &from->partition_specs, &from->sort_orders, &from->statistics, &from->partition_statistics, &from->extra};
    slice *const texts_to[] = {&m->location, &m->partition_specs, &m->sort_orders, &m->statistics, &m->partition_statistics, &m->extra};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(texts_to); i++) TRY(frz__ice_dup(ar, *texts_from[i], texts_to[i], err));
    TRY(copy_map(ar, from->properties, from->property_count, &m->properties, err));
    m->refs = (struct ice_ref *)frz__ice_array(ar, from->ref_count + 1, sizeof *m->refs, err);
    m->snapshots = (struct ice_snapshot *)frz__ice_array(ar, from->snapshot_count + 1, sizeof *m->snapshots, err);
    if (!m->refs || !m->snapshots) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < from->ref_count; i++) {
        m->refs[i] = from->refs[i];
        TRY(frz__ice_dup(ar, from->refs[i].name, &m->refs[i].name, err));
        TRY(frz__ice_dup(ar, from->refs[i].json, &m->refs[i].json, err));
    }
    for (size_t i = 0; i < from->snapshot_count; i++) TRY(copy_snapshot(ar, &from->snapshots[i], &m->snapshots[i], err));
    TRY(copy_log(ar, from->snapshot_log, from->snapshot_log_count, &m->snapshot_log, err));
    return copy_log(ar, from->metadata_log, from->metadata_log_count, &m->metadata_log, err);
}

int frz__ice_meta_copy(struct arena *ar, const struct ice_meta *from, struct ice_meta **out, frz_error *err)
{
    *out = NULL;
    struct ice_meta *m = (struct ice_meta *)frz__ice_array(ar, 1, sizeof *m, err);
    if (!m) return FRZ_NO_MEMORY;
    *m = *from;
    int rc = copy_schemas(ar, from, m, err);
    if (rc >= 0) rc = copy_rest(ar, from, m, err);
    if (rc < 0) frz__ice_meta_release(m);
    else *out = m;
    return rc;
}

int frz__ice_meta_add_schema(const allocator *a, struct arena *ar, struct ice_meta *m, const frz_schema *schema, frz_error *err)
{
    struct buf text = BUF_INIT(a, 0);
    struct jw w = JW_INIT(&text, err);
    size_t i = m->schema_count;
    frz__schema_to_json(schema, &w);
    int rc = frz__jw_end(&w);
    if (rc >= 0) rc = frz__ice_dup(ar, buf_slice(&text), &m->schema_json[i], err);
    buf_clear(&text);
    if (rc < 0) return rc;
    m->schemas[i] = frz__schema_acquire(schema);
    m->schema_ids[i] = m->current_schema_id = schema->schema_id;
    m->schema_count++;
    if (schema->last_column_id > m->last_column_id) m->last_column_id = schema->last_column_id;
    return FRZ_OK;
}

void frz__ice_meta_use_schema(struct ice_meta *m, size_t i, const frz_schema *schema)
{
    frz_schema *old = m->schemas[i];
    m->schemas[i] = frz__schema_acquire(schema);
    m->current_schema_id = m->schema_ids[i];
    if (schema->last_column_id > m->last_column_id) m->last_column_id = schema->last_column_id;
    frz__schema_release(old);
}

int frz__ice_meta_json(const allocator *a, struct arena *ar, const struct ice_meta *m, slice *out, frz_error *err)
{
    struct buf text = BUF_INIT(a, 0);
    int rc = frz__ice_meta_print(m, &text, err);
    if (rc >= 0) rc = frz__ice_dup(ar, buf_slice(&text), out, err);
    buf_clear(&text);
    return rc;
}
