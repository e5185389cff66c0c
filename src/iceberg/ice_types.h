/* ice_types.h — what table metadata, manifest lists and manifests hold, as plain structures. All live in an arena of their owner and are immutable once made. */
#ifndef FRZ_ICEBERG_ICE_TYPES_H
#define FRZ_ICEBERG_ICE_TYPES_H
#include "base/arena.h"
#include "types/schema.h"

struct ice_kv { slice key, value; };

struct ice_snapshot {
    int64_t id, parent_id; /* parent 0 = none */
    int64_t sequence_number;
    int64_t timestamp_ms;
    slice manifest_list;
    slice operation; /* also in summary */
    struct ice_kv *summary;
    size_t summary_count;
    int32_t schema_id; /* -1 = absent */
    int64_t first_row_id, added_rows; /* v3; -1 = absent */
    slice extra; /* keys that we do not know, as JSON object members `"k":v,…`; kept */
};
struct ice_ref { slice name; int64_t snapshot_id; slice json; /* whole object, verbatim */ bool is_tag; };
struct ice_log_entry { int64_t timestamp_ms; int64_t snapshot_id; slice file; };

struct ice_meta {
    int32_t format_version;
    char uuid[37];
    slice location;
    int64_t last_sequence_number;
    int64_t last_updated_ms;
    int32_t last_column_id;
    frz_schema **schemas; /* counted by the meta's owner; NULL where a schema has nested or unknown types: its JSON is kept */
    slice *schema_json;
    int32_t *schema_ids;
    size_t schema_count;
    int32_t current_schema_id;
    slice partition_specs, sort_orders, statistics, partition_statistics; /* JSON arrays, verbatim */
    int32_t default_spec_id, last_partition_id, default_sort_order_id;
    bool partitioned; /* the default spec has fields */
    struct ice_kv *properties; /* sorted by key */
    size_t property_count;
    int64_t current_snapshot_id; /* -1 = none */
    struct ice_ref *refs;
    size_t ref_count;
    struct ice_snapshot *snapshots; /* oldest first, by sequence number */
    size_t snapshot_count;
    struct ice_log_entry *snapshot_log, *metadata_log; /* oldest first */
    size_t snapshot_log_count, metadata_log_count;
    int64_t next_row_id; /* v3 */
    slice extra; /* unknown top-level members, kept */
};

enum ice_content { ICE_DATA = 0, ICE_POSITION_DELETES = 1 /* and deletion vectors */, ICE_EQUALITY_DELETES = 2 };
enum ice_status { ICE_EXISTING = 0, ICE_ADDED = 1, ICE_DELETED = 2 };
struct ice_col_stats { /* maps by field id; parallel arrays would be shorter, this is clearer */
    int32_t field_id;
    int64_t column_size, value_count, null_count, nan_count; /* -1 = absent */
    slice lower, upper; /* data NULL = absent */
};
struct ice_file {
    enum ice_content content;
    slice path;   /* as in the manifest: file:///… */
    slice format; /* PARQUET, PUFFIN */
    int64_t record_count, file_size;
    struct ice_col_stats *stats;
    size_t stats_count;
    int64_t *split_offsets;
    size_t split_count;
    int32_t *equality_ids;
    size_t equality_count;
    int32_t sort_order_id; /* -1 = null */
    int64_t first_row_id;  /* v3; -1 = null */
    slice referenced_data_file; /* data NULL = null */
    int64_t content_offset, content_size; /* -1 = null */
};
struct ice_entry {
    enum ice_status status;
    int64_t snapshot_id;      /* resolved by inheritance */
    int64_t sequence_number;  /* data sequence number, resolved */
    int64_t file_sequence_number; /* -1 = null, in manifests older than the field */
    struct ice_file file;
};
/* A row of the manifest list. */
struct ice_manifest {
    slice path;
    int64_t length;
    int32_t spec_id;
    int32_t content; /* 0 data, 1 deletes */
    int64_t sequence_number, min_sequence_number, added_snapshot_id;
    int32_t added_files, existing_files, deleted_files; /* -1 where a v1 list has none: counted when the entries are read */
    int64_t added_rows, existing_rows, deleted_rows;
    int64_t first_row_id; /* v3; -1 = null */
    slice partitions;     /* summaries of partitioned tables, kept as Avro's encoding of the list; data NULL = none */
    /* entries, once read; statuses resolved, ICE_DELETED ones kept */
    struct ice_entry *entries;
    size_t entry_count;
    bool loaded;
};
/* The current snapshot, whole: manifests with their entries. */
struct ice_tree {
    struct ice_manifest *manifests;
    size_t count;
};

/* Whether PATH lies below LOCATION; *REST is what is behind it, beginning with its slash, and points into PATH. file:///w, file:/w and /w are one place: engines that were given a table by its folder write
 * the last two beside the first. */
bool frz__ice_path_within(slice location, slice path, slice *rest);
#endif
