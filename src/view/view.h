/* view.h — the state of one table as a reader sees it: memtables, files with their masks, schema. Immutable once published; counted.
 *
 * Design      newest first: mems[0] is the active memtable (still growing: a reader's sequence bounds what it sees), then immutable ones, then files, whose order does not matter: each
 *             key has at most one live row over all files (design.md §2). `runs` groups files whose exact key ranges are disjoint, for binary search; derived, never stored (hazards 15).
 * Invariants  (1) a sequence s read together with a view (hazards 1) has flushed_seq ≤ s  (2) every write ≤ s that is not in files is in mems
 *             (3) files of a run are sorted by first key and disjoint  (4) a vfile never changes: a new mask makes a new vfile on the same sst
 * Threads     any                                                                                                                          */
#ifndef FRZ_VIEW_VIEW_H
#define FRZ_VIEW_VIEW_H
#include "base/epoch.h"
#include "mem/mem.h"
#include "sst/sst.h"
#include "view/hold.h"
#include "view/mask.h"

struct vfile {
    _Atomic uint32_t refs;
    const allocator *a;
    struct sst *sst;
    struct mask *mask;      /* NULL = all live */
    char *iceberg_path;     /* as in metadata: file:///… */
    int64_t first_row_id;   /* v3; -1 = none */
    int64_t data_sequence;
    int64_t file_size;
};
FRZ_NODISCARD int frz__vfile_new(const allocator *a, struct sst *taken_sst, struct mask *taken_mask, slice iceberg_path, int64_t first_row_id, int64_t data_sequence, int64_t file_size, struct vfile **out,
                                 frz_error *err);
struct vfile *frz__vfile_acquire(struct vfile *f);
void frz__vfile_release(struct vfile *f);
static inline uint64_t vfile_live(const struct vfile *f) { return f->sst->rows - frz__mask_count(f->mask); }
/* As many of F's bytes as ROWS of its rows have, on average. */
static inline uint64_t vfile_bytes_of(const struct vfile *f, uint64_t rows) { return f->sst->rows ? (uint64_t)((double)f->file_size * (double)rows / (double)f->sst->rows) : 0; }

struct run { uint32_t first, count; }; /* into `by_key` */
struct view {
    _Atomic uint32_t refs;
    const allocator *a;
    uint64_t gen;
    uint64_t flushed_seq;  /* all writes ≤ this are in files */
    int64_t snapshot_id;   /* published; -1 = none */
    frz_schema *schema;
    struct mem **mems;
    size_t mem_count;
    struct vfile **files;  /* oldest first */
    size_t file_count;
    uint32_t *by_key;      /* file indexes, run after run */
    struct run *runs;
    size_t run_count;
    uint64_t rows;         /* live rows of the files */
    struct hold *hold;     /* counted; its maker sets it. NULL = nothing is published */
    struct epoch_node retire;
};
/* Counts what it is given. Builds the runs. */
FRZ_NODISCARD int frz__view_new(const allocator *a, frz_schema *schema, struct mem *const *mems, size_t mem_count, struct vfile *const *files, size_t file_count, uint64_t flushed_seq, int64_t snapshot_id,
                                struct view **out, frz_error *err);
struct view *frz__view_acquire(struct view *v);
void frz__view_release(struct view *v); /* NULL is fine */
struct view_sums { uint64_t bytes, rows; double decoded; }; /* of all files, dead rows too; decoded: bytes in memory */
struct view_sums frz__view_sums(const struct view *v);
FRZ_NODISCARD int frz__view_check(const struct view *v, frz_error *err); /* the invariants; FRZ_BUG */

/* The live rows of run RUN in key order, as frz__sst_iter_new gives those of one file; a file is opened when its turn comes, and those that O's bounds leave out are not. O's mask is not looked at: each file's
 * own is taken. V, and what O points to, live as long. */
FRZ_NODISCARD int frz__view_iter_run(const struct view *v, const struct run *run, const struct sst_scan_options *o, struct iter **out, frz_error *err);
/* May one of RUN's files hold a key in [from, to)? As in iterators: data NULL = open. */
bool frz__view_run_meets(const struct view *v, const struct run *run, slice from, slice to);

/* Where a key lives in the files. */
struct place { int64_t file; uint64_t pos; }; /* file index in the view, -1 = in none, or dead */
/* KEYS ascend strictly. The one live row of each, masks honoured. */
FRZ_NODISCARD int frz__view_locate(const struct view *v, const slice *keys, const uint64_t *hashes, size_t count, struct codec_ctx *codec, struct place *places, frz_error *err);
FRZ_NODISCARD int frz__view_locate_one(const struct view *v, slice key, uint64_t hash, struct codec_ctx *codec, struct place *place, frz_error *err);
/* The row of KEY as of SEQ: FRZ_OK with OUT filled (columns of MASK; owned), FRZ_NOT_FOUND. FROM_MEM tells where it was found. OUT may be NULL: existence only. */
FRZ_NODISCARD int frz__view_get(const struct view *v, uint64_t seq, slice key, const uint8_t *mask, struct codec_ctx *codec, frz_row *out, bool *from_mem, frz_error *err);
#endif
