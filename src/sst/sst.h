/* sst.h — one immutable table file: rows sorted by key, Parquet outside, probe structures inside. A data file of the Iceberg table that a point read finds its way in.
 *
 * Bytes       Parquet's row groups and page indexes | private block | Parquet's footer, whose key-value `frazil.index` = "<offset>:<length>". Private block, little-endian:
 *             "FRZX" u16 version u16 sections u64 rows u64 hash of the table's uuid, then {u32 type, u32 crc32c, u64 offset in the block, u64 length} a section, then u32 crc32c of all that precedes; sections:
 *             1 PROPS  key-codec version, level hint, exact first and last encoded key, the key's columns, sequence range, checksum of Parquet's page indexes
 *             2 FILTER split-block bloom filter over frz__hash64(encoded key): 32-byte blocks, in units of 4 KiB, and behind them a CRC-32C of each unit
 *             3 FENCE  first encoded key of each key page (1,024 rows): common prefix once, then u64 heads, u32 offsets, heap of the rest
 *             (sst_block.h has the bytes.) The footer, which Parquet leaves unchecked, has a checksum too: `frazil.footer` = "crc32c:xxxxxxxx"
 * Design      a probe: filter unit → fence → one key page, whose keys are kept in the cache as encoded keys (a key stripe) → position. Values: one page a column, decoded, through the cache. Key columns and
 *             `_row_id` have 1,024 rows a page; others 2^k by sampled size. Nothing reads the whole file; open reads the tail and, in a file whose block lies before it, 4 KiB of that.
 * Invariants  (1) keys strictly ascend, in memcmp order of their encoding  (2) fences[i] is the key at row 1,024 × i of its row group, and row groups hold whole key pages but the last
 *             (3) the filter has no false negative  (4) first and last key are exact  (5) file numbers are never used twice in a process
 * Threads     a reader may be shared; a writer belongs to one thread
 * Crash       a file without its footer does not exist; nothing here syncs, the caller does (durable.h)                                                    */
#ifndef FRZ_SST_SST_H
#define FRZ_SST_SST_H
#include <stdatomic.h>
#include "cache/cache.h"
#include "iceberg/ice_types.h"
#include "io/fs.h"
#include "merge/iter.h"
#include "parquet/parquet.h"

#define SST_KEY_PAGE_ROWS_LOG2 10
#define ICE_ROW_ID_FIELD 2147483540       /* _row_id */
#define ICE_LAST_UPDATED_FIELD 2147483539 /* _last_updated_sequence_number */

/* ── writing ── */
struct sst_writer_options {
    const frz_schema *schema;
    int codec, level;
    uint64_t row_group_rows, row_group_bytes;
    size_t batch_bytes;        /* of rows on their way into columns; 0 = 4 MiB */
    uint32_t page_bytes;       /* of value columns; 0 = 16 KiB: point reads */
    uint32_t dict_bytes;       /* of one dictionary; 0 = as is usual */
    uint32_t filter_bits;      /* a key, and a sixteenth more: 10 let one miss in a hundred through; 0 = no filter */
    bool lineage;              /* write _row_id and _last_updated_sequence_number */
    bool dictionary;           /* for strings and others where it pays */
    uint8_t level_hint;
    uint64_t uuid_hash;
    uint64_t seq_first, seq_last;
    double row_bytes;          /* of a row in files of its like, all in all; 0 = not known */
    struct fs *spill_fs;       /* where rows wait of which not even a key page is small enough to be held, in a file without a name (pq_spill.h); NULL = memory holds all. */
    const char *spill_path;    /* A hidden name that is not there. Both are the caller's, until the writer is freed */
};
struct sst_writer;
/* FILE is empty, open for reading and writing, and stays the caller's. The schema has a key and is sealed. */
FRZ_NODISCARD int frz__sst_writer_new(const allocator *a, struct file *file, const struct sst_writer_options *o, struct sst_writer **out, frz_error *err);
/* Rows as a memtable holds them. Keys strictly ascend (else FRZ_BUG). */
struct sst_rows {
    const slice *keys, *rows;
    const uint64_t *hashes; /* of the keys, frz__hash64 */
    const int64_t *row_ids, *last_updated; /* with `lineage`: -1 = null; NULL = all null */
    size_t count;
};
FRZ_NODISCARD int frz__sst_add(struct sst_writer *w, const struct sst_rows *r, frz_error *err);
/* The row INDEX of ROWS, whose columns are those of the schema, in order. */
FRZ_NODISCARD int frz__sst_add_vec(struct sst_writer *w, slice key, const struct vecs *rows, size_t index, int64_t row_id, int64_t last_updated, frz_error *err);
uint64_t frz__sst_writer_rows(const struct sst_writer *w);
uint64_t frz__sst_writer_bytes(const struct sst_writer *w); /* that the file would have if it ended here, estimated: what is not encoded yet is taken to shrink as `row_bytes` says, to a 32nd at most */
uint64_t frz__sst_writer_bytes_most(const struct sst_writer *w); /* the same, if that did not shrink */
/* Ends the file. OUT's arrays are made in AR; path and format are the caller's to fill. */
FRZ_NODISCARD int frz__sst_finish(struct sst_writer *w, struct arena *ar, struct ice_file *out, frz_error *err);
void frz__sst_writer_free(struct sst_writer *w);

/* ── reading ── */
/* F as Parquet's reader takes it; both live as long as what reads. */
struct pq_source frz__sst_source(struct file *f, uint64_t bytes, const char *name);
struct sst_counters { /* shared by all files of a database */
    _Atomic uint64_t filter_checks, filter_rejects, filter_false_positives, key_pages_read, value_pages_read, files_probed;
};
struct sst_env {
    const allocator *a;
    struct fs *fs;
    struct cache *cache;
    struct sst_counters *counters;
};
struct sst {
    _Atomic uint32_t refs;
    struct sst_env env;
    uint64_t file_no;
    char *path;          /* relative to the warehouse */
    uint64_t bytes, rows;
    uint64_t row_bytes;  /* of a row in memory, its columns of the table, on average: as the file says */
    slice first_key, last_key; /* exact; empty file: both empty, rows = 0 */
    uint64_t seq_first, seq_last;
    uint8_t level_hint;
    _Atomic bool claimed; /* a compaction has it: others leave it alone */
    bool sorted;         /* ours: has the private block. false = foreign: scan only */
    /* the rest is sst's own */
    struct sst_impl *impl;
};
/* SCHEMA: the table's current one: columns are found by field id; those that the file lacks read as their initial default or null. FRZ_CORRUPT if EXPECTED_BYTES or EXPECTED_ROWS
 * differ (UINT64_MAX = not known), or if there is no such file. A file of other engines, or one whose key columns are no longer the table's, comes out not `sorted`: what asks by key is FRZ_UNSUPPORTED. */
FRZ_NODISCARD int frz__sst_open(const struct sst_env *env, const char *path, uint64_t file_no, const frz_schema *schema, uint64_t expected_bytes, uint64_t expected_rows, struct sst **out,
                                frz_error *err);
struct sst *frz__sst_acquire(struct sst *s);
void frz__sst_release(struct sst *s); /* NULL is fine; the last one forgets its cache entries and closes the file */
static inline bool sst_may_hold(const struct sst *s, slice key) { return s->rows && slice_cmp(key, s->first_key) >= 0 && slice_cmp(key, s->last_key) <= 0; }

/* The position of KEY, masks not asked: FRZ_OK, FRZ_NOT_FOUND. HASH = frz__hash64(key). CODEC: the thread's own, for pages that must be decoded. */
FRZ_NODISCARD int frz__sst_probe(struct sst *s, slice key, uint64_t hash, struct codec_ctx *codec, uint64_t *pos, frz_error *err);
/* Many at once: KEYS ascend strictly; POS[i] = UINT64_MAX where there is none. Each key page is read once. */
FRZ_NODISCARD int frz__sst_probe_sorted(struct sst *s, const slice *keys, const uint64_t *hashes, size_t count, struct codec_ctx *codec, uint64_t *pos, frz_error *err);
/* First position whose key is ≥ KEY (rows if none). */
FRZ_NODISCARD int frz__sst_lower_bound(struct sst *s, slice key, struct codec_ctx *codec, uint64_t *pos, frz_error *err);
/* The encoded key at POS, appended. */
FRZ_NODISCARD int frz__sst_key_at(struct sst *s, uint64_t pos, struct codec_ctx *codec, struct buf *key, frz_error *err);
/* Fills the columns of MASK (bitset; NULL = all) of OUT with the row at POS; OUT owns them. */
FRZ_NODISCARD int frz__sst_row(struct sst *s, uint64_t pos, const uint8_t *mask, struct codec_ctx *codec, frz_row *out, frz_error *err);
/* The same, of a row whose encoded key the caller has: its page needs no look. KEY must not be OUT's scratch. */
FRZ_NODISCARD int frz__sst_row_of_key(struct sst *s, uint64_t pos, slice key, const uint8_t *mask, struct codec_ctx *codec, frz_row *out, frz_error *err);
/* Lineage of the row at POS as stored: -1 = null, or no such columns. */
FRZ_NODISCARD int frz__sst_lineage(struct sst *s, uint64_t pos, struct codec_ctx *codec, int64_t *row_id, int64_t *last_updated, frz_error *err);

/* Which rows are dead: clears bits of SELECTED (bit i = row from + i). NULL function = none are. */
typedef void (*sst_mask_fn)(const void *mask, uint64_t from, size_t count, uint8_t *selected);
struct sst_scan_options {
    const allocator *a;     /* for what the scan takes: the vectors that change hands must be of it; NULL = the file's own */
    const size_t *columns;  /* of the schema; the vectors that come out have these, in this order; NULL = all. */
    size_t column_count;
    bool lineage;           /* two more vectors at the end: _row_id and _last_updated_sequence_number as stored (long, null where there is none) */
    bool keys;              /* encoded keys are wanted (iter.key); false: unordered scans */
    size_t memory_bytes;    /* of a cursor: what it reads ahead and decodes takes about this, and a page of each column at least; 0 = what is fast */
    slice from, to;         /* encoded; data NULL = open; [from, to) */
    bool reverse;
    const void *mask;
    sst_mask_fn mask_fn;
    struct codec_ctx *codec; /* the caller's, to keep as long; its scans may share it, one thread at a time. NULL = the scan makes one */
    const struct pred *pred;/* stripes that it rules out are not read; rows are NOT filtered by it here. NULL = none. Only where the caller has made sure that no newer version hides in a pruned stripe: frazil's
                               masks do (a key has one live row), memtables are merged by key by the caller: pruned rows can't surface */
};
/* A cursor over live rows in key order; in a file that is not sorted in the file's order, forward only. iter.vecs / index / pos are set; iter.row.data is NULL. Holds a count on S; the mask is the caller's to keep. */
FRZ_NODISCARD int frz__sst_iter_new(struct sst *s, const struct sst_scan_options *o, struct iter **out, frz_error *err);
/* The same rows as whole vectors, forward, no keys: OUT is reset and filled with at most MAX_ROWS live rows. FRZ_DONE at the end. */
struct sst_scan;
FRZ_NODISCARD int frz__sst_scan_new(struct sst *s, const struct sst_scan_options *o, struct sst_scan **out, frz_error *err);
FRZ_NODISCARD int frz__sst_scan_next(struct sst_scan *s, size_t max_rows, struct vecs *out, frz_error *err);
void frz__sst_scan_free(struct sst_scan *s);
/* Checks every invariant above and all that frz__pq_verify checks. KEY_FN (may be NULL) gets each encoded key in order with its position. */
FRZ_NODISCARD int frz__sst_verify(struct sst *s, int (*fn)(void *ctx, const char *where, const char *what), int (*key_fn)(void *ctx, slice key, uint64_t pos), void *ctx, uint64_t *pages, frz_error *err);
#endif
