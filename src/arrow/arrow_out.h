/* arrow_out.h — our columns as Arrow's C data interface has them: vectors change hands, nothing is copied.
 *
 * Design      every child has a private part of its own, so that a consumer may move one out and release the rest. What is exported holds a copy of the allocator, not a pointer to it: arrays
 *             outlive their stream, and the database.
 * Types       boolean b · int i · long l · float f · double g · decimal d:P,S · date tdD · time ttu · timestamp tsu: · timestamptz tsu:UTC · _ns tsn: and tsn:UTC · string u · uuid w:16 with
 *             the extension arrow.uuid · fixed w:N · binary z. A field id is metadata PARQUET:field_id
 * Source      Arrow's CDataInterface.rst                                                                                                    */
#ifndef FRZ_ARROW_ARROW_OUT_H
#define FRZ_ARROW_ARROW_OUT_H
#include "types/vec.h"

struct arrow_col {
    const char *name;
    frz_type type;
    bool nullable;
    int32_t field_id; /* < 0 = none */
};
/* A copy of an allocator that lives on its own; NULL stays malloc's. */
struct arrow_alloc {
    bool host;
    frz_allocator a;
};
static inline struct arrow_alloc arrow_alloc_of(const allocator *a) { return a ? (struct arrow_alloc){true, *a} : (struct arrow_alloc){0}; }
static inline const allocator *arrow_alloc_ptr(const struct arrow_alloc *a) { return a->host ? &a->a : NULL; }

/* A struct of COLS; copies what it needs. OUT is released (release NULL) where it fails. */
FRZ_NODISCARD int frz__arrow_schema_out(const allocator *a, const struct arrow_col *cols, size_t count, struct ArrowSchema *out, frz_error *err);
/* A record batch of VS, whose vectors are left empty, of the same types. VS is as it was where it fails. */
FRZ_NODISCARD int frz__arrow_array_out(const allocator *a, struct vecs *vs, struct ArrowArray *out, frz_error *err);
#endif
