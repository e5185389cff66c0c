/* ice_meta.h — table metadata JSON, manifest lists and manifests: bytes ↔ structures. Pure; hostile bytes give FRZ_CORRUPT (or FRZ_NEWER_FORMAT) that names key and place.
 * What we do not know is kept where it would be lost by rewriting (`extra`). Source: Iceberg spec, "Table Metadata", "Manifest Lists", "Manifests", Appendix C. */
#ifndef FRZ_ICEBERG_ICE_META_H
#define FRZ_ICEBERG_ICE_META_H
#include "iceberg/ice_types.h"

FRZ_NODISCARD int frz__ice_meta_parse(const allocator *a, struct arena *ar, slice json, struct ice_meta **out, frz_error *err);
void frz__ice_meta_release(struct ice_meta *m); /* the schemas' counts; memory is the arena's. NULL is fine */
FRZ_NODISCARD int frz__ice_meta_print(const struct ice_meta *m, struct buf *out, frz_error *err);
const struct ice_snapshot *frz__ice_snapshot(const struct ice_meta *m, int64_t id); /* NULL = none */
frz_schema *frz__ice_schema(const struct ice_meta *m, int32_t schema_id); /* borrowed; NULL = none or not ours */
/* Field ids that any partition spec or sort order of M is made from, allocated by A; the caller frees. */
FRZ_NODISCARD int frz__ice_source_ids(const allocator *a, const struct ice_meta *m, int32_t **ids, size_t *count, frz_error *err);
slice frz__ice_property(const struct ice_meta *m, const char *key); /* data NULL = absent */
/* OTHERWISE where it is absent, no number or below MIN: a bad value from elsewhere must not stop publishing. */
int64_t frz__ice_property_int(const struct ice_meta *m, const char *key, int64_t min, int64_t otherwise);
bool frz__ice_property_bool(const struct ice_meta *m, const char *key, bool otherwise);
slice frz__ice_summary(const struct ice_snapshot *s, const char *key);

/* Rows only; entries are not loaded. */
FRZ_NODISCARD int frz__ice_list_parse(const allocator *a, struct arena *ar, slice avro, struct ice_tree *out, frz_error *err);
/* Loads M->entries, applying inheritance: snapshot id, sequence numbers, first row ids (formats.md §2.8, §2.10). */
FRZ_NODISCARD int frz__ice_manifest_parse(const allocator *a, struct arena *ar, slice avro, struct ice_manifest *m, frz_error *err);
/* ADDED entries are written with null sequence numbers unless they carry one of their own older than SEQUENCE, and with null row ids; others explicitly. An entry whose snapshot id is 0
 * gets SNAPSHOT_ID. FRZ_UNSUPPORTED where M's spec is partitioned: entries do not hold partition values. */
FRZ_NODISCARD int frz__ice_manifest_print(const allocator *a, const struct ice_meta *m, int32_t content, const struct ice_entry *const *entries, size_t count, int64_t snapshot_id, int64_t sequence,
                                          struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__ice_list_print(const allocator *a, const struct ice_meta *m, const struct ice_snapshot *s, const struct ice_manifest *const *manifests, size_t count, struct buf *out, frz_error *err);
#endif
