/* iter.h — the cursor contract: entries in key order, one direction, from memtables, files and merges of them.
 *
 * An entry is a put or a delete. Its row is row bytes (`row`), or row INDEX of vectors (`vecs`, whose columns are those of the scan), whichever the source has.
 * Keys and rows are borrowed until the next call of `next`. A source is ended once FRZ_DONE; calling again gives FRZ_DONE. One thread. */
#ifndef FRZ_MERGE_ITER_H
#define FRZ_MERGE_ITER_H
#include "types/batch.h"
#include "types/vec.h"

struct iter;
struct iter_ops {
    /* FRZ_OK: the fields below are the next entry · FRZ_DONE · error */
    int (*next)(struct iter *it, frz_error *err);
    void (*free)(struct iter *it);
};
struct iter {
    const struct iter_ops *ops;
    slice key;
    enum op_kind op;
    slice row;                /* data != NULL: row bytes */
    const struct vecs *vecs;  /* else: row `index` of these */
    size_t index;
    uint64_t pos;             /* files: position of the row in the file */
    uint64_t tag;             /* set by the maker: which source (file number, …); carried through merges */
};
static inline FRZ_NODISCARD int iter_next(struct iter *it, frz_error *err) { return it->ops->next(it, err); }
static inline void iter_free(struct iter *it)
{
    if (it) it->ops->free(it);
}

/* Merges SOURCES (taken, also on failure), newest first: of equal keys only the newest comes out. KEEP_DELETES: deletes come out too; else they only hide. */
FRZ_NODISCARD int frz__merge_new(const allocator *a, struct iter **sources, size_t count, bool reverse, bool keep_deletes, struct iter **out, frz_error *err);
#endif
