/* ice_edit_int.h — one apply while it runs: base and edit in, the next metadata growing. For this folder. */
#ifndef FRZ_ICEBERG_ICE_EDIT_INT_H
#define FRZ_ICEBERG_ICE_EDIT_INT_H
#include "iceberg/ice_edit.h"
#include "iceberg/ice_mem.h"

#define ICE_SNAPSHOTS_MAX 32 /* frazil.snapshots-max where it is not set */

/* Files of a tree, or added, or removed. Sums stop at INT64_MAX. */
struct ice_counts {
    int64_t data_files, position_files, vectors, equality_files;
    int64_t records, position_deletes, equality_deletes, bytes;
};
void frz__ice_count(struct ice_counts *c, const struct ice_file *f);
const char *frz__ice_operation(const struct ice_counts *added, const struct ice_counts *removed); /* where the edit is no replacement */
static inline int64_t ice_add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* A set of paths with flags. */
struct ice_name { slice path; uint32_t flags; };
struct ice_names { struct ice_name *slots; size_t cap; /* power of two */ };
FRZ_NODISCARD int frz__ice_names_init(struct ice_names *n, struct arena *ar, size_t count_max, frz_error *err);
struct ice_name *frz__ice_names_add(struct ice_names *n, slice path); /* count_max of them at most */
struct ice_name *frz__ice_names_find(const struct ice_names *n, slice path); /* NULL = none */

/* What happens to a manifest of the base. */
struct ice_touch { uint8_t *gone; /* bit for each entry */ size_t gone_count, live_count; };

struct ice_work {
    const allocator *a;
    struct arena *ar; /* the result's */
    struct arena tmp;
    const struct ice_meta *base;
    const struct ice_tree *base_tree;
    const struct ice_edit *edit;
    const struct ice_env *env;
    frz_error *err;
    struct ice_meta *next;
    struct ice_snapshot snap; /* the new one */
    struct ice_touch *touch;  /* by manifest of the base */
    struct ice_counts added, removed, total;
    size_t manifests_created, manifests_kept, manifests_replaced;
    struct ice_result *out;
};

/* ice_conflict.c: checks the edit by itself and against the base (ice_edit.h (1), (5)); fills touch. */
FRZ_NODISCARD int frz__ice_edit_check(struct ice_work *w);
FRZ_NODISCARD int frz__ice_edit_resolve(struct ice_work *w);
/* ice_plan.c: manifests of the next tree, written or carried, with row ids; the list. */
FRZ_NODISCARD int frz__ice_tree_build(struct ice_work *w);
/* ice_summary.c */
FRZ_NODISCARD int frz__ice_summary_build(struct ice_work *w);
/* ice_props.c */
FRZ_NODISCARD int frz__ice_props_apply(struct arena *ar, struct ice_meta *m, const struct ice_kv *set, size_t count, frz_error *err);
FRZ_NODISCARD int frz__ice_props_flushed(struct arena *ar, struct ice_meta *m, const char *log, uint64_t seq, frz_error *err);
/* ice_expire.c: refs, snapshots, snapshot log, statistics, as of NOW_MS. BY NULL: by the table's rules. */
FRZ_NODISCARD int frz__ice_expire(const allocator *a, struct arena *ar, struct arena *tmp, struct ice_meta *m, int64_t now_ms, const struct ice_expire_by *by, int64_t **expired, size_t *expired_count,
                                  frz_error *err);
/* After it, in M: FRZ_INVALID if one of TAGS, which were set on BASE, is older than it may be, and gone with it. */
FRZ_NODISCARD int frz__ice_tags_last(const struct ice_meta *m, const struct ice_meta *base, int64_t now_ms, const struct ice_tag *tags, size_t count, frz_error *err);
/* ice_refs.c */
FRZ_NODISCARD int frz__ice_tags_apply(const allocator *a, struct arena *ar, struct ice_meta *m, const struct ice_tag *tags, size_t count, frz_error *err);
/* ice_schemas.c: old schemas that no retained snapshot was written with go, the oldest first, while all together are large. */
void frz__ice_schemas_trim(struct ice_meta *m);
/* ice_copy.c. The copies share nothing with what they are of but the counted schemas; room for one more of each thing that an edit adds. */
FRZ_NODISCARD int frz__ice_meta_copy(struct arena *ar, const struct ice_meta *from, struct ice_meta **out, frz_error *err);
FRZ_NODISCARD int frz__ice_entry_copy(struct arena *ar, const struct ice_entry *from, struct ice_entry *out, frz_error *err);
FRZ_NODISCARD int frz__ice_manifest_copy(struct arena *ar, const struct ice_manifest *from, struct ice_manifest *out, frz_error *err);
/* Schema I of M, the same as SCHEMA, which takes its place in memory, becomes current. */
void frz__ice_meta_use_schema(struct ice_meta *m, size_t i, const frz_schema *schema);
FRZ_NODISCARD int frz__ice_meta_add_schema(const allocator *a, struct arena *ar, struct ice_meta *m, const frz_schema *schema, frz_error *err);
FRZ_NODISCARD int frz__ice_meta_json(const allocator *a, struct arena *ar, const struct ice_meta *m, slice *out, frz_error *err);
#endif
