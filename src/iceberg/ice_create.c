#include "base/rand.h"
#include "base/utf8.h"
#include "iceberg/ice_edit_int.h"

/* design.md §3. What is given goes over these. */
static const struct { const char *key, *value; } defaults[] = {
    {"write.format.default", "parquet"},
    {"write.parquet.compression-codec", "zstd"},
    {"write.delete.mode", "merge-on-read"},
    {"write.update.mode", "merge-on-read"},
    {"write.merge.mode", "merge-on-read"},
    {"gc.enabled", "false"},
    {"history.expire.max-snapshot-age-ms", "60000"},
    {"history.expire.min-snapshots-to-keep", "8"},
    {"frazil.snapshots-max", "32"},
    {"write.metadata.previous-versions-max", "20"},
    {"write.metadata.delete-after-commit.enabled", "true"},
};

static int set_properties(struct arena *ar, struct ice_meta *m, const frz_schema *s, const struct ice_kv *given, size_t given_count, frz_error *err)
{
    struct ice_kv *set = (struct ice_kv *)frz__ice_array(ar, FRZ_ARRAY_LEN(defaults) + s->key_count, sizeof *set, err);
    size_t n = 0;
    if (!set) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(defaults); i++) set[n++] = (struct ice_kv){slice_str(defaults[i].key), slice_str(defaults[i].value)};
    for (size_t i = 0; i < s->key_count; i++) { /* exact bounds of keys: readers prune by them */
        const struct column *c = &s->columns[s->key[i]];
        TRY(frz__ice_printf(ar, &set[n].key, err, "write.metadata.metrics.column.%.*s", (int)c->name_len, c->name));
        set[n++].value = slice_str("full");
    }
    TRY(frz__ice_props_apply(ar, m, set, n, err));
    return frz__ice_props_apply(ar, m, given, given_count, err);
}

static int check_arguments(const frz_schema *s, int format_version, slice location, const char *uuid, frz_error *err)
{
    uint8_t bytes[16];
    if (format_version != 2 && format_version != 3) return frz__err(err, FRZ_INVALID, "format version: expected 2 or 3, found %d", format_version);
    if (!slice_has_prefix(location, slice_str("file:///")) || location.len <= 8 || location.data[location.len - 1] == '/' || memchr(location.data, 0, location.len) || frz__utf8_check(location) != location.len)
        return frz__err(err, FRZ_INVALID, "a table's location is file:/// and an absolute path without a slash at its end, found \"%.*s\"", (int)(location.len < 200 ? location.len : 200),
                        (const char *)location.data);
    if (strlen(uuid) != 36 || !frz__uuid_parse(uuid, 36, bytes)) return frz__err(err, FRZ_INVALID, "\"%.64s\" is no UUID", uuid);
    if (!s->sealed) return frz__err(err, FRZ_MISUSE, "the schema is not sealed");
    return frz__schema_check_format(s, format_version, err);
}

static int create(const allocator *a, struct arena *ar, const frz_schema *schema, slice location, const struct ice_kv *properties, size_t property_count, struct ice_meta *m, frz_error *err)
{
    m->schemas = (frz_schema **)frz__ice_array(ar, 1, sizeof *m->schemas, err);
    m->schema_json = (slice *)frz__ice_array(ar, 1, sizeof *m->schema_json, err);
    m->schema_ids = (int32_t *)frz__ice_array(ar, 1, sizeof *m->schema_ids, err);
    if (!m->schemas || !m->schema_json || !m->schema_ids) return FRZ_NO_MEMORY;
    TRY(frz__ice_dup(ar, location, &m->location, err));
    TRY(frz__ice_dup(ar, slice_str("[{\"spec-id\":0,\"fields\":[]}]"), &m->partition_specs, err));
    TRY(frz__ice_dup(ar, slice_str("[{\"order-id\":0,\"fields\":[]}]"), &m->sort_orders, err));
    m->statistics = m->partition_statistics = slice_str("[]");
    TRY(set_properties(ar, m, schema, properties, property_count, err));
    return frz__ice_meta_add_schema(a, ar, m, schema, err);
}

int frz__ice_create(const allocator *a, struct arena *ar, const frz_schema *schema, int format_version, slice location, const struct ice_kv *properties, size_t property_count, int64_t now_ms,
                    const char uuid[37], struct ice_result *out, frz_error *err)
{
    *out = (struct ice_result){.ar = ar};
    TRY(check_arguments(schema, format_version, location, uuid, err));
    struct ice_meta *m = (struct ice_meta *)frz__ice_array(ar, 1, sizeof *m, err);
    if (!m) return FRZ_NO_MEMORY;
    m->format_version = format_version;
    memcpy(m->uuid, uuid, 37);
    m->last_updated_ms = now_ms;
    m->last_partition_id = 999;
    m->current_snapshot_id = -1;
    int rc = create(a, ar, schema, location, properties, property_count, m, err);
    if (rc >= 0) rc = frz__ice_meta_json(a, ar, m, &out->metadata_json, err);
    if (rc < 0) {
        frz__ice_meta_release(m);
        *out = (struct ice_result){.ar = ar};
        return rc;
    }
    out->meta = m;
    return FRZ_OK;
}
