/* ice_edit.h — the pure function from (metadata, manifests, edit) to the next metadata and the bytes of every small file that it needs. commit.c does the I/O and, when somebody
 * else was first, calls it again with the new base.
 *
 * Design      one edit = one snapshot (or none: properties and schema only). Sequence numbers, first-row-ids, counts, summary, expiry, metadata log and frazil.flushed are
 *             assigned here and nowhere else, from the base at hand.
 * Invariants  (1) every removed file is live in the base: else FRZ_CONFLICT, naming it; so is the data file that an added delete file or deletion vector is for  (2) totals in the summary
 *             equal those of the manifests  (3) timestamps never go back: max(now, last)  (4) untouched manifests are carried by reference; one that loses an entry is rewritten; one without live
 *             entries is dropped; when there are more than `manifests_max` of one content (commit.manifest.min-count-to-merge), the smallest are merged into one of at most commit.manifest.target-size-bytes (explicit
 *             sequence numbers and row ids), unless commit.manifest-merge.enabled is false
 *             (an edit that names no file makes an empty snapshot, as a schema change needs); what is rewritten and small goes into one manifest with what is added
 *             (5) at most one live deletion vector a data file; none whose data file is gone: a delete file that says which data file it is for goes with that
 *             (6) operation: append = only data added · delete = only data removed or deletes added · overwrite = both · replace = as the caller says
 * Rebase      a path says which file, not what was known of it: who removes a data file or replaces a vector has folded in the masks of this very base. apply sees files that went and vectors that
 *             came, not a vector that changed under the same data file; the rebase callback does
 * Source      Iceberg spec "Snapshots", "Sequence Numbers", "Row Lineage", "Optional Snapshot Summary Fields", "Snapshot Retention Policy"                                      */
#ifndef FRZ_ICEBERG_ICE_EDIT_H
#define FRZ_ICEBERG_ICE_EDIT_H
#include "iceberg/ice_meta.h"

/* A ref's own; -1 = the table's. */
struct ice_ref_settings { int64_t max_snapshot_age_ms, min_snapshots_to_keep, max_ref_age_ms; };
/* A tag is set, wholly anew where there is one of this name, or goes. Branches are others' to write: FRZ_INVALID. */
struct ice_tag {
    slice name;
    bool remove;             /* one that is not there: nothing happens */
    int64_t snapshot_id;     /* 0 = what is current after the edit; one that is not retained is FRZ_CONFLICT */
    int64_t max_ref_age_ms;  /* 0 = the table's. FRZ_INVALID if the snapshot is older than that */
};
/* Expiry on demand, in place of the table's rules for this once: by a time or a count, or of `ids` alone. A snapshot that a ref points at is never expired by it: FRZ_INVALID where it is asked for by its id. */
struct ice_expire_by {
    bool by_time;
    int64_t older_than_ms;   /* by_time: in place of the age, and of the ladder */
    int64_t keep_last;       /* in place of min-snapshots-to-keep; 0 = the table's */
    const int64_t *ids;      /* go in any case, and with no time and no count nothing else does, no ref either; one that is not retained is FRZ_CONFLICT */
    size_t id_count;
};
struct ice_edit {
    const struct ice_file *added;   /* data, position deletes, deletion vectors */
    size_t added_count;
    const slice *removed;           /* paths of data and position-delete files; a deletion vector goes with its data file or by `removed_dvs` */
    size_t removed_count;
    const slice *removed_dvs;       /* referenced data files whose live deletion vector is replaced or dropped */
    size_t removed_dv_count;
    int64_t data_sequence_number;   /* of added data files: 0 = the new one; else explicit (compaction: its base's) */
    bool replace;                   /* operation `replace` */
    bool no_snapshot;               /* properties and schema only */
    const frz_schema *schema;       /* becomes current; NULL = leave. Its id is new, or that of the same schema in the base, which is not the current one, and its
                                     * last_column_id not below the base's: else FRZ_CONFLICT, somebody else changed the schema */
    const struct ice_kv *set;       /* properties; value.data NULL = unset */
    size_t set_count;
    const char *flushed_log;        /* log uuid: with flushed_seq becomes frazil.flushed, as a maximum if the base's is of the same log; NULL = leave */
    uint64_t flushed_seq;
    const struct ice_kv *summary;   /* further keys */
    size_t summary_count;
    const struct ice_tag *tags;
    size_t tag_count;
    const struct ice_expire_by *expire; /* NULL = by the table's rules, as with every edit */
    int32_t format_version;         /* with no_snapshot alone; 0 = leave. FRZ_INVALID below the base's: it only goes up */
};
struct ice_env {
    int64_t now_ms;
    int64_t snapshot_id;     /* fresh, positive, not in the base */
    const char *name_token;  /* unique in the table: goes into every new file's name: snap-<id>-<token>.avro, frz-<token>-m0.avro, … */
    int64_t base_version;    /* v<N>.metadata.json of the base; 0 = create */
    size_t manifests_max;    /* of one content before merging; 0 = the property's, 32 */
};
struct ice_out_file { slice path; /* relative to the table: metadata/… */ slice bytes; };
struct ice_result {
    struct arena *ar; /* owns all below; the caller's */
    struct ice_meta *meta;
    struct ice_tree tree;
    struct ice_out_file *files; /* manifests and list: to be written and synced before the metadata */
    size_t file_count;
    slice metadata_json;        /* of v<N+1>.metadata.json */
    slice *expired_metadata;    /* old metadata files that fell out of the log, relative to the table: metadata/v3.metadata.json; none that lies elsewhere */
    size_t expired_metadata_count;
    int64_t *expired_snapshots;
    size_t expired_snapshot_count;
};
FRZ_NODISCARD int frz__ice_apply(const allocator *a, struct arena *ar, const struct ice_meta *base, const struct ice_tree *base_tree, const struct ice_edit *edit, const struct ice_env *env,
                                 struct ice_result *out, frz_error *err);
/* What an edit that does nothing else would expire as of NOW_MS by EXPIRE: ids, in AR. Nothing is changed. */
FRZ_NODISCARD int frz__ice_expire_plan(const allocator *a, struct arena *ar, const struct ice_meta *base, int64_t now_ms, const struct ice_expire_by *expire, int64_t **ids, size_t *count,
                                       frz_error *err);
/* The snapshot that was main's at TIME_MS, as the snapshot log says, or a retained one that its retained child followed. NULL: that is not known; ERR says what is. */
const struct ice_snapshot *frz__ice_snapshot_at(const struct ice_meta *m, int64_t time_ms, frz_error *err);
const struct ice_ref *frz__ice_ref(const struct ice_meta *m, slice name); /* NULL = none */
FRZ_NODISCARD int frz__ice_ref_settings(const struct ice_ref *r, struct ice_ref_settings *out, frz_error *err);
/* TREE as the tree of M's current snapshot: paths live once, deletion vectors and targets as (1) and (5) say, counts and totals as (2) says, lineage within next-row-id. FRZ_CORRUPT says what is not so.
 * The summary as frz__ice_summary_check has it. */
FRZ_NODISCARD int frz__ice_tree_check(const allocator *a, const struct ice_meta *m, const struct ice_tree *tree, frz_error *err);
/* S's summary and operation against the entries of its TREE: totals; of our own snapshots also what was added and removed. FRZ_CORRUPT. */
FRZ_NODISCARD int frz__ice_summary_check(const struct ice_snapshot *s, const struct ice_tree *tree, frz_error *err);
/* v1: a new table without snapshot. LOCATION file:///…, no slash at the end. Sets frazil's default properties (design.md §3) under the given ones. */
FRZ_NODISCARD int frz__ice_create(const allocator *a, struct arena *ar, const frz_schema *schema, int format_version, slice location, const struct ice_kv *properties, size_t property_count,
                                  int64_t now_ms, const char uuid[37], struct ice_result *out, frz_error *err);
/* BASE as it is at LOCATION, where the table was copied or moved to: every path that began with the base's location begins with LOCATION, in the metadata, the properties, a new list and new manifests. FILES: the
 * delete files that hold such paths themselves, written anew, with the old entry's path (for a deletion vector, of the data file that it is for) beside each. Only the current snapshot stays, under its id, and the
 * refs to it. A path that is elsewhere is FRZ_UNSUPPORTED. */
struct ice_moved_file { slice old_path, old_target; struct ice_file file; };
FRZ_NODISCARD int frz__ice_relocate(const allocator *a, struct arena *ar, const struct ice_meta *base, const struct ice_tree *base_tree, slice location, const struct ice_moved_file *files, size_t file_count,
                                    const struct ice_env *env, struct ice_result *out, frz_error *err);
/* Which files (paths) the snapshots of M other than the current one may need is not known from M alone: expiry of files is the engine's (lifetime intervals). */
#endif
