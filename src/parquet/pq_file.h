/* pq_file.h — an open Parquet file, for the reader's own files.
 *
 * Design      what is parsed at open is immutable. What is loaded on demand, of each chunk (page positions, column index, dictionary), hangs off an atomic pointer in `slots`: whoever loads it
 *             first publishes it, a loser of the race frees its own.
 * Invariants  (1) every group has a chunk for each leaf; a flat one has the group's rows as values  (2) a published pointer never changes until free                              */
#ifndef FRZ_PARQUET_PQ_FILE_H
#define FRZ_PARQUET_PQ_FILE_H
#include <stdatomic.h>
#include "parquet/pq_col.h"

/* Page positions of a chunk, and where its dictionary is. */
struct pq_chunk_pages {
    struct pq_pages pub;
    uint64_t dict_offset;
    uint64_t dict_bytes; /* with header; 0 = none */
    size_t mem;
    bool walked; /* no offset index */
};
struct pq_chunk_index {
    struct arena ar;
    struct pq_column_index x;
};
struct pq_chunk_dict {
    struct vec v; /* of the type that was wanted first */
};
struct pq_slot {
    _Atomic(struct pq_chunk_pages *) pages;
    _Atomic(struct pq_chunk_index *) index;
    _Atomic(struct pq_chunk_dict *) dict;
};
struct pq_file {
    const allocator *a;
    struct pq_source src;
    struct arena ar;
    struct pq_footer foot;
    uint64_t footer_offset; /* data ends before it */
    size_t leaf_count;
    struct pq_leaf *leaves;
    uint64_t *first_rows; /* of the file; group_count + 1 */
    struct pq_slot *slots; /* group × leaf_count + leaf */
    _Atomic size_t loaded; /* bytes behind slots */
};
static inline struct pq_slot *pq_slot_of(const struct pq_file *f, size_t group, size_t column) { return &f->slots[group * f->leaf_count + column]; }
static inline const struct pq_chunk *pq_chunk_of(const struct pq_file *f, size_t group, size_t column) { return &f->foot.groups[group].chunks[column]; }
/* "FILE: row group 3, column x" before the message. Gives RC. */
int frz__pq_where(const struct pq_file *f, size_t group, size_t column, int rc, frz_error *err);

/* Bytes [OFFSET, OFFSET + LEN) appended to B; checked to be before the footer. */
FRZ_NODISCARD int frz__pq_read(const struct pq_file *f, uint64_t offset, uint64_t len, struct buf *b, frz_error *err);
/* Bytes of the chunk: its first and one past its last. FRZ_UNSUPPORTED for an encrypted or external one. */
FRZ_NODISCARD int frz__pq_chunk_range(const struct pq_file *f, size_t group, size_t column, uint64_t *from, uint64_t *to, frz_error *err);
FRZ_NODISCARD int frz__pq_chunk_pages(struct pq_file *f, size_t group, size_t column, const struct pq_chunk_pages **out, frz_error *err);
/* Positions by walking the headers, whatever the index says. Free with frz__free(f->a, …). */
FRZ_NODISCARD int frz__pq_walk(const struct pq_file *f, size_t group, size_t column, struct pq_chunk_pages **out, frz_error *err);
FRZ_NODISCARD int frz__pq_chunk_index(struct pq_file *f, size_t group, size_t column, const struct pq_column_index **out, frz_error *err); /* NULL = none */
/* Reads the chunk's dictionary into OUT (initialised to plan->want, empty). */
FRZ_NODISCARD int frz__pq_dict_load(const struct pq_file *f, size_t group, size_t column, const struct pq_chunk_pages *pages, const struct pq_plan *plan, struct codec_ctx *ctx, struct vec *out,
                                    frz_error *err);
/* Opens the page that BYTES are, and checks it against its position. */
FRZ_NODISCARD int frz__pq_page_at(const struct pq_file *f, size_t group, size_t column, const struct pq_pages *pages, size_t page, slice bytes, struct pq_page *out, frz_error *err);

/* Statistics bytes as a value of the leaf's type: pq_stats.c. false = not to be trusted. */
bool frz__pq_stat_value(const struct pq_leaf *l, slice raw, frz_value *out);
/* Bounds of raw minimum and maximum into *OUT, as far as they can be trusted. */
void frz__pq_stat_bounds(const struct pq_leaf *l, slice min, slice max, struct pred_stats *out);
enum pq_order frz__pq_order_of(const struct pq_file *f, size_t column);
#endif
