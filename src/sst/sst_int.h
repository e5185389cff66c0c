/* sst_int.h — what the files of sst/ share of a reader: its parts, and what is loaded by way of the cache. */
#ifndef FRZ_SST_SST_INT_H
#define FRZ_SST_SST_INT_H
#include "sst/sst.h"
#include "sst/sst_block.h"
#include "sst/sst_keys.h"

#define SST_TAIL_BYTES         ((size_t)64 << 10)
#define SST_INDEX_RESIDENT_MAX ((size_t)64 << 10) /* a smaller index stays with the reader, past the cache */
#define SST_KEY_PAGE_ROWS      (1u << SST_KEY_PAGE_ROWS_LOG2)

/* Fences and the filter's checksums: loaded at the first probe. */
struct sst_index {
    const allocator *a;
    size_t mem;
    struct sst_fence fence;
    const uint32_t *unit_crcs;
    uint64_t bytes[]; /* of the sections */
};

struct sst_impl {
    struct file *file;
    frz_schema *schema;
    struct pq_file *pq;
    struct sst_block block; /* if sorted */
    uint64_t filter_blocks; /* 0 = no filter */
    _Atomic(struct filter_unit *) *units; /* of the filter, those that are held; NULL = by way of the cache */
    const char *unsorted;   /* why not, for messages */
    _Atomic(struct sst_index *) index;
    size_t groups;
    uint64_t *group_first; /* groups + 1 */
    int64_t *leaf;         /* by column of the schema; -1 = the file lacks it */
    size_t *key_leaf;      /* in key order */
    int64_t row_id_leaf, updated_leaf;
    uint8_t *key_bytes; /* first and last key */
    uint64_t pages_offset, pages_length; /* of Parquet's page indexes, if frazil wrote the file */
    uint32_t pages_crc;
    bool ours; /* frazil wrote it: page indexes obey what frazil's writer does */
    _Atomic bool pages_checked;
};

/* ── sst_load.c: by way of the cache; what comes out is pinned by *PIN (may be NULL) until frz__cache_unpin ── */
FRZ_NODISCARD int frz__sst_load_index(struct sst *s, const struct sst_index **out, struct cache_entry **pin, frz_error *err);
FRZ_NODISCARD int frz__sst_load_filter_unit(struct sst *s, uint64_t unit, const uint8_t **out, struct cache_entry **pin, frz_error *err);
struct filter_unit {
    const allocator *a;
    _Atomic(struct cache_entry *) held; /* its own entry, once it is in sst_impl.units */
    uint8_t bytes[];
};
void frz__sst_unhold_filter(struct sst *s);
/* The keys of key page PAGE (of the file). */
FRZ_NODISCARD int frz__sst_load_stripe(struct sst *s, uint64_t page, struct codec_ctx *codec, const struct sst_keys **out, struct cache_entry **pin, frz_error *err);
/* The page of LEAF that holds POS, as TYPE; *INDEX = POS within it. */
FRZ_NODISCARD int frz__sst_load_page(struct sst *s, size_t leaf, frz_type type, uint64_t pos, struct codec_ctx *codec, const struct vec **out, size_t *index, struct cache_entry **pin, frz_error *err);
/* The keys of a key page, not by way of the cache. */
FRZ_NODISCARD int frz__sst_read_stripe(struct sst *s, uint64_t page, struct codec_ctx *codec, struct sst_keys *out, frz_error *err);
/* Bytes of a section at OFFSET of it; of the file. */
FRZ_NODISCARD int frz__sst_read_section(struct sst *s, enum sst_section_type type, uint64_t offset, void *out, size_t len, frz_error *err);

/* The pages of LEAF in GROUP, and which holds ROW (of the group). In a file of ours the page's neighbours must agree on where it is. */
FRZ_NODISCARD int frz__sst_find_page(struct sst *s, size_t group, size_t leaf, uint64_t row, const struct pq_pages **pages, size_t *page, frz_error *err);
/* The checksum of all page indexes, once: before their statistics are believed. */
FRZ_NODISCARD int frz__sst_check_page_indexes(struct sst *s, frz_error *err);

size_t frz__sst_group_of(const struct sst_impl *im, uint64_t pos);
/* Page of PAGES that holds ROW (of the row group). */
size_t frz__sst_page_of(const struct pq_pages *pages, uint64_t row);
/* FRZ_UNSUPPORTED, saying why, if S is a file that can't be searched by key. */
FRZ_NODISCARD int frz__sst_need_sorted(const struct sst *s, const char *what, frz_error *err);

/* ── sst_plan.c: which rows a scan reads ── */
/* Ranges that ascend and do not touch; made by S's allocator. */
FRZ_NODISCARD int frz__sst_plan(struct sst *s, const struct sst_scan_options *o, struct codec_ctx *codec, struct pq_range **out, size_t *count, frz_error *err);

/* ── sst_fetch.c: rows of several columns, forward by pq_scan, backward by page ── */
struct sst_fetch;
/* The columns of O, then its lineage, then (KEYS) those of the key that are not among them. */
static inline const allocator *frz__sst_scan_allocator(const struct sst *s, const struct sst_scan_options *o) { return o->a ? o->a : s->env.a; }
FRZ_NODISCARD int frz__sst_fetch_new(struct sst *s, const struct sst_scan_options *o, bool keys, struct sst_fetch **out, frz_error *err);
size_t frz__sst_fetch_shown(const struct sst_fetch *f);                      /* columns and lineage */
size_t frz__sst_fetch_slots(const struct sst_fetch *f, const frz_type **types); /* those and the key's */
const size_t *frz__sst_fetch_key_slots(const struct sst_fetch *f);          /* in key order; with KEYS */
/* Resets the vectors SLOTS and fills them with the next at most MAX_ROWS consecutive rows, of which the first is at *FIRST_ROW. Backward: the last ones that are left, in ascending order. FRZ_DONE. */
FRZ_NODISCARD int frz__sst_fetch_next(struct sst_fetch *f, size_t max_rows, struct vec *slots, uint64_t *first_row, size_t *rows, frz_error *err);
void frz__sst_fetch_free(struct sst_fetch *f);
#endif
