/* pq_meta.h — Parquet's metadata structures, parsed from and printed to Thrift: footer, page header, offset index, column index.
 *
 * Design      one plain struct for each Thrift struct; arrays are made in an arena, byte strings borrow from the bytes that were parsed (the reader keeps those in the same arena). An optional
 *             number that is absent is -1, an optional byte string has data NULL; where -1 is a value, there is a has_ flag. Printing writes what is there, fields in order of their ids.
 *             FRZ_CORRUPT where a required field is missing, a number is out of its range or counts disagree; what only later use can tell (offsets within the file …) is checked there.
 * Threads     plain data
 * Source      parquet-format src/main/thrift/parquet.thrift                                                                                  */
#ifndef FRZ_PARQUET_PQ_META_H
#define FRZ_PARQUET_PQ_META_H
#include "base/arena.h"
#include "parquet/thrift.h"

enum pq_encoding {
    PQ_PLAIN = 0, PQ_PLAIN_DICTIONARY = 2, PQ_RLE = 3, PQ_BIT_PACKED = 4, PQ_DELTA_BINARY_PACKED = 5, PQ_DELTA_LENGTH_BYTE_ARRAY = 6, PQ_DELTA_BYTE_ARRAY = 7, PQ_RLE_DICTIONARY = 8,
    PQ_BYTE_STREAM_SPLIT = 9
};
enum pq_page_type { PQ_DATA_PAGE = 0, PQ_INDEX_PAGE = 1, PQ_DICTIONARY_PAGE = 2, PQ_DATA_PAGE_V2 = 3 };
enum pq_repetition { PQ_REQUIRED = 0, PQ_OPTIONAL = 1, PQ_REPEATED = 2 };
enum pq_converted {
    PQ_CT_NONE = -1, PQ_CT_UTF8 = 0, PQ_CT_MAP = 1, PQ_CT_MAP_KEY_VALUE = 2, PQ_CT_LIST = 3, PQ_CT_ENUM = 4, PQ_CT_DECIMAL = 5, PQ_CT_DATE = 6, PQ_CT_TIME_MILLIS = 7, PQ_CT_TIME_MICROS = 8,
    PQ_CT_TIMESTAMP_MILLIS = 9, PQ_CT_TIMESTAMP_MICROS = 10, PQ_CT_UINT_8 = 11, PQ_CT_UINT_16 = 12, PQ_CT_UINT_32 = 13, PQ_CT_UINT_64 = 14, PQ_CT_INT_8 = 15, PQ_CT_INT_16 = 16,
    PQ_CT_INT_32 = 17, PQ_CT_INT_64 = 18, PQ_CT_JSON = 19, PQ_CT_BSON = 20, PQ_CT_INTERVAL = 21
};
/* Field ids of the LogicalType union; 0 = none, or one that is not known. */
enum pq_logical_id {
    PQ_LT_NONE = 0, PQ_LT_STRING = 1, PQ_LT_MAP = 2, PQ_LT_LIST = 3, PQ_LT_ENUM = 4, PQ_LT_DECIMAL = 5, PQ_LT_DATE = 6, PQ_LT_TIME = 7, PQ_LT_TIMESTAMP = 8, PQ_LT_INTEGER = 10, PQ_LT_UNKNOWN = 11,
    PQ_LT_JSON = 12, PQ_LT_BSON = 13, PQ_LT_UUID = 14, PQ_LT_FLOAT16 = 15, PQ_LT_VARIANT = 16, PQ_LT_GEOMETRY = 17, PQ_LT_GEOGRAPHY = 18
};
enum pq_unit { PQ_MILLIS = 1, PQ_MICROS = 2, PQ_NANOS = 3 };
struct pq_logical {
    int id;             /* enum pq_logical_id, or a newer one's number */
    int32_t precision, scale; /* DECIMAL */
    bool utc;           /* TIME, TIMESTAMP */
    int unit;           /* enum pq_unit; 0 = unknown */
    int bits;           /* INTEGER */
    bool is_signed;
};

/* SchemaElement */
struct pq_elem {
    int32_t type;        /* enum pq_phys, -1 = a group */
    int32_t type_length; /* -1 = none */
    int32_t repetition;  /* -1 on the root */
    slice name;
    int32_t children;    /* -1 = none given: a leaf */
    int32_t converted;   /* enum pq_converted, -1 = none */
    int32_t scale, precision; /* -1 = none */
    bool has_field_id;
    int32_t field_id;
    struct pq_logical logical;
};

/* Statistics */
struct pq_statistics {
    slice max_old, min_old;  /* fields 1 and 2: of unclear order, for signed numbers only */
    int64_t nulls, distinct; /* -1 = none */
    slice max, min;
    int8_t max_exact, min_exact; /* -1 = not said */
    int64_t nans;
};
#define PQ_STATISTICS_NONE ((struct pq_statistics){.nulls = -1, .distinct = -1, .max_exact = -1, .min_exact = -1, .nans = -1})

struct pq_kv { slice key, value; };
struct pq_encoding_stats { int32_t page_type, encoding, count; };

/* ColumnChunk with its ColumnMetaData */
struct pq_chunk {
    slice file_path;
    int64_t file_offset; /* write 0 */
    bool has_meta;       /* false: encrypted, metadata and all */
    bool encrypted;
    int32_t type;        /* enum pq_phys */
    size_t encoding_count, path_count, kv_count, encoding_stats_count;
    int32_t *encodings;
    slice *path;
    int32_t codec;
    int64_t values;      /* nulls too */
    int64_t uncompressed_bytes, compressed_bytes; /* page headers too */
    struct pq_kv *kvs;
    int64_t data_page_offset;
    int64_t index_page_offset, dictionary_page_offset; /* -1 = none */
    bool has_statistics;
    struct pq_statistics statistics;
    struct pq_encoding_stats *encoding_stats;
    int64_t bloom_offset; /* -1 = none */
    int32_t bloom_bytes;  /* -1 = not said */
    int64_t var_bytes;    /* SizeStatistics.unencoded_byte_array_data_bytes; -1 = none. Histograms are neither kept nor written */
    int64_t offset_index_offset, column_index_offset; /* -1 = none */
    int32_t offset_index_bytes, column_index_bytes;
};
#define PQ_CHUNK_NONE                                                                                                                                                                            \
    ((struct pq_chunk){.index_page_offset = -1, .dictionary_page_offset = -1, .bloom_offset = -1, .bloom_bytes = -1, .var_bytes = -1, .offset_index_offset = -1, .column_index_offset = -1, \
                       .offset_index_bytes = -1, .column_index_bytes = -1, .statistics = PQ_STATISTICS_NONE})

struct pq_sorting { int32_t column; bool descending, nulls_first; };
/* RowGroup */
struct pq_group {
    size_t chunk_count, sorting_count;
    struct pq_chunk *chunks;
    int64_t total_bytes; /* not compressed */
    int64_t rows;
    struct pq_sorting *sorting;
    int64_t file_offset, compressed_bytes; /* -1 = none */
    int32_t ordinal;                       /* -1 = none */
};
enum pq_order { PQ_ORDER_UNKNOWN = 0, PQ_ORDER_TYPE = 1, PQ_ORDER_IEEE_754 = 2, PQ_ORDER_INT96 = 3 };
/* FileMetaData */
struct pq_footer {
    int32_t version; /* write 1 */
    size_t elem_count, group_count, kv_count, order_count;
    struct pq_elem *elems; /* depth first, the root first */
    int64_t rows;
    struct pq_group *groups;
    struct pq_kv *kvs;
    slice created_by;
    uint8_t *orders; /* enum pq_order of each leaf */
    bool encrypted;  /* a plaintext footer whose columns may be encrypted */
};
FRZ_NODISCARD int frz__pq_footer_parse(struct arena *ar, slice bytes, struct pq_footer *out, frz_error *err);
FRZ_NODISCARD int frz__pq_footer_print(const struct pq_footer *f, struct buf *out, frz_error *err);

/* PageHeader, with whichever of its page's headers it has */
struct pq_page_header {
    int32_t type; /* enum pq_page_type, or one that is not known: to be skipped */
    int32_t uncompressed_bytes, compressed_bytes; /* of the body; ≥ 0 */
    bool has_crc;
    uint32_t crc;
    int32_t values; /* ≥ 0; of a dictionary: its entries */
    int32_t encoding;
    int32_t def_encoding, rep_encoding; /* v1 */
    int32_t nulls, rows, def_bytes, rep_bytes; /* v2; ≥ 0 */
    bool compressed;                           /* v2 */
    bool sorted;                               /* dictionary */
    bool has_statistics;
    struct pq_statistics statistics;
};
/* *USED: bytes of the header. *CUT (or NULL): it failed only because BYTES end too early. */
FRZ_NODISCARD int frz__pq_page_header_parse(slice bytes, struct pq_page_header *out, size_t *used, bool *cut, frz_error *err);
FRZ_NODISCARD int frz__pq_page_header_print(const struct pq_page_header *h, struct buf *out, frz_error *err);

struct pq_page_location {
    int64_t offset;
    int32_t bytes; /* with header */
    int64_t first_row; /* within the row group */
};
struct pq_offset_index {
    size_t count;
    struct pq_page_location *pages;
    int64_t *var_bytes; /* a page, or NULL */
};
FRZ_NODISCARD int frz__pq_offset_index_parse(struct arena *ar, slice bytes, struct pq_offset_index *out, frz_error *err);
FRZ_NODISCARD int frz__pq_offset_index_print(const struct pq_offset_index *x, struct buf *out, frz_error *err);

enum pq_boundary_order { PQ_UNORDERED = 0, PQ_ASCENDING = 1, PQ_DESCENDING = 2 };
struct pq_column_index {
    size_t count;
    bool *null_pages;
    slice *mins, *maxs;
    int32_t boundary_order;
    int64_t *nulls; /* or NULL */
    int64_t *nans;  /* or NULL */
};
FRZ_NODISCARD int frz__pq_column_index_parse(struct arena *ar, slice bytes, struct pq_column_index *out, frz_error *err);
FRZ_NODISCARD int frz__pq_column_index_print(const struct pq_column_index *x, struct buf *out, frz_error *err);
#endif
