/* pq_col_write.h — one column of a file being written: rows in, stripes cut, pages encoded and compressed, held until the row group ends.
 *
 * Design      stripe k is chosen once, from the rows that wait in `stripe`; from then on every 2^k rows are a page, or several where their
 *             values are much wider than those that were sampled. A chunk with a dictionary begins on trial: its pages wait as indices (and
 *             their levels), so that at the chunk's end, or when enough was seen, they are encoded either way, whichever is smaller:
 *
 *                 OFF ←── does not pay, too big ── TRIAL ── pays ──→ ON ── too big ──→ FULL (later pages PLAIN)
 *
 * Invariants  (1) every row of a chunk that 2^k divides begins a page, and, where 2^k was given, no other does  (2) pages [0, encoded) are spilled or in `data`, the others in `index` and `levels`
 * Threads     one                                                                                                                         */
#ifndef FRZ_PARQUET_PQ_COL_WRITE_H
#define FRZ_PARQUET_PQ_COL_WRITE_H
#include "parquet/pq_enc.h"
#include "parquet/pq_meta.h"

#define PQ_PAGE_BYTES_MAX ((uint64_t)1 << 30) /* of values, before compression */
#define PQ_STATS_BYTES_MAX 64                 /* of a byte array in Parquet's statistics and column index; longer ones are cut */
#define PQ_STATS_FIXED_MAX 4096               /* fixed values wider than this have none: they must not be cut */

/* What the columns of a writer share. */
struct pq_wenv {
    const allocator *a;
    struct codec_ctx *codec;
    int codec_id, level;
    uint32_t page_bytes, dict_bytes;
    uint64_t row_group_bytes;
    struct pq_scratch scratch;
    struct buf body, packed; /* a page before and after compression */
};

enum pq_dict_state { PQ_DICT_OFF, PQ_DICT_TRIAL, PQ_DICT_ON, PQ_DICT_FULL };

struct pq_wpage {
    uint64_t at;    /* in the chunk's data: its header */
    uint32_t bytes; /* with header */
    uint32_t rows, nulls;
    uint32_t level_bytes; /* while it waits */
    uint32_t min_at, min_len, max_at, max_len; /* in `bounds` */
    bool has_bounds;
    uint64_t nans, var_bytes;
};

struct pq_wcolumn {
    char *name;
    int32_t field_id;
    frz_type type;
    bool required, dictionary, bounds_full, text;
    struct pq_form form;
    bool decided, fixed; /* k was given */
    uint8_t k;
    uint64_t split_bytes;
    double row_bytes; /* sampled */
    struct vec stripe; /* rows that are not in a page yet */

    struct buf data, bounds;
    struct pq_spilled { uint64_t at, bytes; } *spilled; /* what comes before `data` */
    size_t spill_count, spill_cap;
    uint64_t spilled_bytes;
    struct pq_wpage *pages;
    size_t page_count, page_cap, encoded;
    enum pq_dict_state dict_state;
    struct pq_dict dict;
    uint32_t *index; /* of the pages that wait, or of the one at hand */
    size_t index_count, index_cap;
    struct buf levels;
    uint64_t plain_bytes;        /* of the pages that wait, as PLAIN */
    uint64_t uncompressed_bytes; /* of the pages in `data`, headers too */
    int32_t plain_pages, dict_pages;
    uint64_t rows, nulls, nans, var_bytes;
    bool unbounded; /* some page has values but no bounds: no column index */
    struct pq_extent extent;

    struct pq_extent file_extent;
    struct buf lower, upper;
    struct pq_colstats out;
};

FRZ_NODISCARD int frz__pq_wcolumn_init(struct pq_wcolumn *c, const allocator *a, const struct pq_wcol *spec, frz_error *err);
void frz__pq_wcolumn_clear(struct pq_wcolumn *c);
/* Chooses k from the rows that wait, no more than 2^K_MAX rows; encodes those that fill a page. */
FRZ_NODISCARD int frz__pq_wcolumn_decide(struct pq_wcolumn *c, struct pq_wenv *env, unsigned k_max, frz_error *err);
/* Would rows [FROM, FROM + COUNT) give a page beyond PQ_PAGE_BYTES_MAX? */
bool frz__pq_wcolumn_fits(const struct pq_wcolumn *c, const struct vec *v, size_t from, size_t count);
FRZ_NODISCARD int frz__pq_wcolumn_append(struct pq_wcolumn *c, struct pq_wenv *env, const struct vec *v, size_t from, size_t count, frz_error *err);
/* Ends a trial: the dictionary is on or off. */
FRZ_NODISCARD int frz__pq_wcolumn_settle(struct pq_wcolumn *c, struct pq_wenv *env, frz_error *err);
/* Encodes all that waits; the dictionary page's bytes (empty: none) go to DICT_PAGE, and its uncompressed size counts. */
FRZ_NODISCARD int frz__pq_wcolumn_end_chunk(struct pq_wcolumn *c, struct pq_wenv *env, struct buf *dict_page, frz_error *err);
/* After its chunk was taken: ready for the next. */
FRZ_NODISCARD int frz__pq_wcolumn_next_chunk(struct pq_wcolumn *c, uint64_t compressed_bytes, frz_error *err);
FRZ_NODISCARD int frz__pq_wcolumn_finish_stats(struct pq_wcolumn *c, frz_error *err);
uint64_t frz__pq_wcolumn_held(const struct pq_wcolumn *c);    /* encoded, or an estimate of it */
uint64_t frz__pq_wcolumn_waiting(const struct pq_wcolumn *c); /* memory of pages on trial, and of the dictionary that they are in */
/* Statistics of the chunk for the footer; bounds live in AR. */
FRZ_NODISCARD int frz__pq_wcolumn_statistics(const struct pq_wcolumn *c, struct arena *ar, struct pq_statistics *out, frz_error *err);

/* pq_index_enc.c: appended; BASE: file offset of the chunk's data pages. The column index may be left out: nothing is appended. */
FRZ_NODISCARD int frz__pq_offset_index_encode(const struct pq_wcolumn *c, uint64_t base, struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__pq_column_index_encode(const struct pq_wcolumn *c, struct buf *out, frz_error *err);
#endif
