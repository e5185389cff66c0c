/* parquet.h — flat Parquet files, written as a stream and read by page. No I/O of its own: bytes go to a sink and come from a source. Nested columns are skipped by the reader
 * and named in messages.
 *
 * Design      writer: vectors in → each column is cut into stripes of 2^k rows; a stripe is a page, encoded and compressed when it is full; a row group ends when the caller or a
 *             bound says so; then its pages go to the sink, column by column. Footer and page indexes are kept as bytes until the end.
 *             reader: the footer is parsed once into pq_file (immutable, shared); one page of one column is the unit of random access (pq_page_read); pq_scan streams row ranges of several
 *             columns into vectors of one length.
 * Profile     `compatible`: v1 pages; PLAIN, or RLE_DICTIONARY with fall-back to PLAIN; booleans PLAIN; page CRC; statistics; ColumnIndex and OffsetIndex; field ids. The reader takes also v2
 *             pages and every encoding and codec that pyarrow, DuckDB and Spark write for flat tables (RLE booleans, DELTA_*, BYTE_STREAM_SPLIT, INT96 timestamps, legacy decimals …).
 * Invariants  (1) within a row group page = row >> k; only the last page of a row group is short  (2) a row group is a whole number of the largest stripe, but for the last one of the file
 *             (3) every size and count read from a file is checked against what is left before it is believed  (4) a page's bytes are verified by its CRC if it has one
 *             (5) min and max bound every value; for floats as formats.md §1.9: no NaN in bounds, -0.0/+0.0 widened, none if all are NaN
 * Threads     a pq_file may be read by many; writers, scans and page readers belong to one thread each
 * Source      parquet-format (README, Encodings, PageIndex, LogicalTypes, parquet.thrift)                                                        */
#ifndef FRZ_PARQUET_PARQUET_H
#define FRZ_PARQUET_PARQUET_H
#include "codec/codec.h"
#include "types/stats.h"
#include "types/vec.h"

enum pq_phys { PQ_BOOLEAN = 0, PQ_INT32 = 1, PQ_INT64 = 2, PQ_INT96 = 3, PQ_FLOAT = 4, PQ_DOUBLE = 5, PQ_BYTE_ARRAY = 6, PQ_FLBA = 7 };

/* ── writer ── */

struct pq_sink {
    void *ctx;
    int (*append)(void *ctx, slice bytes, frz_error *err); /* in order from offset 0 */
};
struct pq_wcol {
    const char *name;
    int32_t field_id;
    frz_type type;
    bool required;
    uint8_t page_rows_log2; /* 1 to 20 (fewer for wide fixed types); 0 = chosen by sampled rows: the most, 2^5 to 2^14, whose values stay under page_bytes; below 2^5 only where 32 rows are beyond 1 MiB.
                             * Where later ones are much wider, pages end before */
    bool dictionary;        /* try one; given up beyond dict_bytes */
    bool bounds_full;       /* statistics untruncated (position deletes' file_path); else strings and binaries are cut at 16 characters or bytes in pq_colstats (fixed types: none beyond 256 bytes), at 64 bytes in Parquet's */
};
/* Where encoded pages wait that memory is too small for: read back where they were written, until the writer is freed. */
struct pq_spill {
    void *ctx;
    int (*write)(void *ctx, uint64_t at, slice bytes, frz_error *err);
    int (*read)(void *ctx, uint64_t at, void *out, size_t bytes, frz_error *err);
};
struct pq_writer_options {
    int codec, level;          /* enum codec */
    uint64_t row_group_rows;   /* 0 = 1,048,576; rounded up to the largest stripe */
    uint64_t row_group_bytes;  /* encoded bytes held before a row group is cut; 0 = 128 MiB */
    struct pq_spill spill;     /* takes what is held beyond twice that: a row group is cut at whole stripes; {0} = memory does */
    uint32_t page_bytes;       /* 0 = 64 KiB */
    uint32_t dict_bytes;       /* 0 = 1 MiB */
    const char *created_by;    /* NULL = "frazil version X" */
    const int32_t *sort_columns; /* leaf ordinals, ascending, nulls first; written as sorting_columns; NULL = none */
    size_t sort_count;
};
/* What Iceberg's manifests want to know of a column. Owned by the writer. */
struct pq_colstats {
    uint64_t compressed_bytes; /* of its chunks, headers too */
    uint64_t values, nulls, nans;
    bool has_bounds;
    slice lower, upper; /* Iceberg single-value bytes; upper may be absent where a cut one can't be incremented: has_upper */
    bool has_upper;
};
struct pq_writer;
FRZ_NODISCARD int frz__pq_writer_new(const allocator *a, const struct pq_writer_options *o, const struct pq_wcol *cols, size_t count, struct pq_sink sink, struct codec_ctx *codec,
                                     struct pq_writer **out, frz_error *err);
/* Rows [FROM, FROM + COUNT) of COLS (one a column, of the column's type; a null in a required column is FRZ_INVALID, and no row was taken). FRZ_TOO_LARGE: the next row would make a page or a
 * row group too big for the rows a page that were chosen at the file's start: the rows up to frz__pq_writer_rows are in; end this file and write the others to another. */
FRZ_NODISCARD int frz__pq_write(struct pq_writer *w, const struct vec *const *cols, size_t from, size_t count, frz_error *err);
uint64_t frz__pq_writer_bytes(const struct pq_writer *w); /* given to the sink so far, and an estimate of what is held */
uint64_t frz__pq_writer_bytes_packed(const struct pq_writer *w); /* of them, those that are encoded and compressed already */
/* Ends the last row group and writes the page indexes; no rows after it. */
FRZ_NODISCARD int frz__pq_writer_end_rows(struct pq_writer *w, frz_error *err);
/* Between end_rows and finish: private bytes at OFFSET, and footer metadata. */
FRZ_NODISCARD int frz__pq_writer_raw(struct pq_writer *w, slice bytes, uint64_t *offset, frz_error *err);
FRZ_NODISCARD int frz__pq_writer_kv(struct pq_writer *w, const char *key, const char *value, frz_error *err);
FRZ_NODISCARD int frz__pq_writer_finish(struct pq_writer *w, uint64_t *file_bytes, frz_error *err);
uint64_t frz__pq_writer_rows(const struct pq_writer *w);
size_t frz__pq_writer_group_count(const struct pq_writer *w);
uint64_t frz__pq_writer_group_offset(const struct pq_writer *w, size_t group); /* Iceberg's split offset; after end_rows */
uint64_t frz__pq_writer_group_rows(const struct pq_writer *w, size_t group);
uint8_t frz__pq_writer_page_rows_log2(const struct pq_writer *w, size_t column); /* after the first page or end_rows */
const struct pq_colstats *frz__pq_writer_stats(struct pq_writer *w, size_t column); /* after end_rows; until free */
void frz__pq_writer_free(struct pq_writer *w);

/* ── reader ── */

struct pq_source {
    void *ctx;
    /* Exactly LEN bytes at OFFSET (within the file), or an error. */
    int (*read)(void *ctx, uint64_t offset, void *out, size_t len, frz_error *err);
    uint64_t bytes; /* of the file */
    const char *name; /* for messages; lives as long as the pq_file */
};
struct pq_rcol {
    const char *name; /* of the leaf; dotted path for one inside a group */
    int32_t field_id; /* -1 = none */
    frz_type type;    /* ours, by logical and converted type; id FRZ_NULL = nested or of a type that is not ours: not readable */
    bool required;
    enum pq_phys phys;
    int32_t phys_length;
};
struct pq_file;
FRZ_NODISCARD int frz__pq_open(const allocator *a, struct pq_source source, struct pq_file **out, frz_error *err);
/* The same, with the last bytes of the file read already (TAIL ends at the file's end). */
FRZ_NODISCARD int frz__pq_open_tail(const allocator *a, struct pq_source source, slice tail, struct pq_file **out, frz_error *err);
void frz__pq_free(struct pq_file *f); /* NULL is fine */
uint64_t frz__pq_rows(const struct pq_file *f);
size_t frz__pq_col_count(const struct pq_file *f);
const struct pq_rcol *frz__pq_col(const struct pq_file *f, size_t column);
int64_t frz__pq_find_id(const struct pq_file *f, int32_t field_id); /* -1 = none */
int64_t frz__pq_find_name(const struct pq_file *f, slice name);
slice frz__pq_kv(const struct pq_file *f, const char *key); /* data NULL if absent */
size_t frz__pq_group_count(const struct pq_file *f);
uint64_t frz__pq_group_first_row(const struct pq_file *f, size_t group);
uint64_t frz__pq_group_rows(const struct pq_file *f, size_t group);
/* What a value of COLUMN in GROUP takes in memory as TYPE, on average: as the file says, which counts strings at their length, in a dictionary or not. */
uint64_t frz__pq_value_bytes(const struct pq_file *f, size_t group, size_t column, frz_type type);
/* How many rows of ROW_BYTES each go into a batch of BYTES: at most MAX_ROWS, one at least; less than asked for, a power of two, as pages have. */
size_t frz__pq_rows_within(uint64_t row_bytes, size_t bytes, size_t max_rows);
/* Chunk statistics as typed bounds; false = none, or not to be trusted. MIN and MAX borrow from F. */
bool frz__pq_group_stats(const struct pq_file *f, size_t group, size_t column, struct pred_stats *out);
size_t frz__pq_mem(const struct pq_file *f);

/* Page positions of one chunk (OffsetIndex; made by walking headers where there is none). Loaded once, kept in F. */
struct pq_pages {
    size_t count;
    const uint64_t *first_row; /* within the row group; count + 1 entries */
    const uint64_t *offset;
    const uint32_t *bytes; /* with header */
};
FRZ_NODISCARD int frz__pq_pages(struct pq_file *f, size_t group, size_t column, const struct pq_pages **out, frz_error *err);
/* Statistics of one page (ColumnIndex). false = none. */
FRZ_NODISCARD int frz__pq_page_stats(struct pq_file *f, size_t group, size_t column, size_t page, struct pred_stats *out, bool *known, frz_error *err);
/* One page, decoded as type WANT (the column's, or one it promotes to), appended to OUT. */
FRZ_NODISCARD int frz__pq_page_read(struct pq_file *f, size_t group, size_t column, size_t page, struct codec_ctx *codec, struct vec *out, frz_error *err);

/* Streams the rows [from, to) of the file, or of several ranges, over some columns. */
struct pq_scan;
struct pq_range { uint64_t from, to; };
/* A: for what it reads ahead and holds, whoever's the file's is. RANGES ascend and do not overlap; copied. NULL, 0 = the whole file. TYPES[i]: what to decode COLUMNS[i] as. */
FRZ_NODISCARD int frz__pq_scan_new(const allocator *a, struct pq_file *f, const size_t *columns, const frz_type *types, size_t count, const struct pq_range *ranges, size_t range_count,
                                   struct codec_ctx *codec, struct pq_scan **out, frz_error *err);
/* Resets OUT (made for COUNT columns of TYPES) and fills it with at most MAX_ROWS consecutive rows; FIRST_ROW = the file position of its first. FRZ_DONE at the end. */
FRZ_NODISCARD int frz__pq_scan_next(struct pq_scan *s, size_t max_rows, struct vecs *out, uint64_t *first_row, frz_error *err);
/* Reads ahead BYTES at most, all columns together, and a page of each at least; before the first batch. */
void frz__pq_scan_read_ahead(struct pq_scan *s, size_t bytes);
/* A batch ends near BYTES, all columns together, by what the file says of its values; and behind the page with which one column is beyond. Before the first batch; else a batch has what a vector can hold. */
void frz__pq_scan_batch_bytes(struct pq_scan *s, size_t bytes);
uint64_t frz__pq_scan_pages(const struct pq_scan *s); /* decoded so far */
void frz__pq_scan_free(struct pq_scan *s);
/* Reads every page of every chunk: headers, CRC, levels, values, statistics that bound, indexes that agree. FN gets each finding; rc < 0 only where it could not go on. */
FRZ_NODISCARD int frz__pq_verify(struct pq_file *f, struct codec_ctx *codec, int (*fn)(void *ctx, const char *where, const char *what), void *ctx, uint64_t *pages, frz_error *err);
#endif
