/* pq_col.h — pages of one column into vectors: header, body, levels, values, conversion to the wanted type.
 *
 * Design      pq_plan = what a leaf's physical values become; made once a column. Values are decoded dense behind the vector's end, in place where the physical value is the wanted one, by way of
 *             scratch where it is to be converted (dictionaries are converted once, at their own decoding), and then spread over the nulls from the back.
 * Invariants  (1) a failed decode leaves the vector's rows as they were  (2) nothing is allocated for a page before its sizes are plausible: compressed bytes can hold the claimed ones, and the
 *             page has the rows that are expected of it
 * Threads     plans are immutable; scratch is the codec context's, so one thread                                                        */
#ifndef FRZ_PARQUET_PQ_COL_H
#define FRZ_PARQUET_PQ_COL_H
#include "parquet/pq_dec.h"
#include "parquet/pq_schema.h"

#define PQ_PAGE_ROWS_MAX ((size_t)1 << 26)
/* Slots of frz__codec_scratch, and who fills them. */
enum { PQ_SCRATCH_FILE = 0 /* bytes of the file */, PQ_SCRATCH_BODY = 1 /* a page's, decompressed */, PQ_SCRATCH_VALUES = 2 /* physical values */, PQ_SCRATCH_LENGTHS = 3 };

enum pq_conv { PQ_CONV_NONE, PQ_CONV_I32_I64, PQ_CONV_U32_I64, PQ_CONV_U64_I64, PQ_CONV_F32_F64, PQ_CONV_F16_F32, PQ_CONV_F16_F64, PQ_CONV_MS32_US, PQ_CONV_MS64_US, PQ_CONV_NS_US,
               PQ_CONV_I96_US, PQ_CONV_I32_DEC, PQ_CONV_I64_DEC, PQ_CONV_BYTES_DEC };
struct pq_plan {
    frz_type want;
    enum pq_phys phys;
    size_t phys_width; /* 0: BYTE_ARRAY, and booleans */
    size_t width;      /* of the wanted type; 0 = variable */
    enum pq_conv conv;
    bool optional;
};
/* FRZ_UNSUPPORTED where the leaf is not readable, FRZ_INVALID where it is not readable as WANT. */
FRZ_NODISCARD int frz__pq_plan(const struct pq_leaf *l, frz_type want, struct pq_plan *out, frz_error *err);

/* A page in memory: its header and its body as it is on disk. */
struct pq_page {
    struct pq_page_header h;
    size_t header_bytes;
    slice body;
};
/* BYTES begin with the page's header and hold all of it. Sizes and CRC are checked. */
FRZ_NODISCARD int frz__pq_page_open(slice bytes, int codec, struct pq_page *out, frz_error *err);
/* The parts of a data page's body, or of a dictionary's (values alone). They borrow from the page or from scratch BODY. */
struct pq_body { slice rep, def, values; };
FRZ_NODISCARD int frz__pq_page_body(const struct pq_page *p, const struct pq_leaf *l, int codec, struct codec_ctx *ctx, struct pq_body *out, frz_error *err);
static inline bool pq_is_data(const struct pq_page_header *h) { return h->type == PQ_DATA_PAGE || h->type == PQ_DATA_PAGE_V2; }
static inline bool pq_is_dictionary_coded(int encoding) { return encoding == PQ_PLAIN_DICTIONARY || encoding == PQ_RLE_DICTIONARY; }

/* OUT (initialised to plan->want, empty): the entries of a dictionary page. */
FRZ_NODISCARD int frz__pq_dict_decode(const struct pq_page *p, const struct pq_leaf *l, const struct pq_plan *plan, int codec, struct codec_ctx *ctx, struct vec *out, frz_error *err);
/* Appends the page's rows to OUT. DICT: the chunk's, or NULL. */
FRZ_NODISCARD int frz__pq_page_decode(const struct pq_page *p, const struct pq_leaf *l, const struct pq_plan *plan, int codec, const struct vec *dict, struct codec_ctx *ctx, struct vec *out,
                                      frz_error *err);
/* One conversion of COUNT values from IN (PHYS_WIDTH bytes each) to OUT. */
FRZ_NODISCARD int frz__pq_convert(const struct pq_plan *plan, const uint8_t *in, size_t count, uint8_t *out, frz_error *err);
/* Big-endian two's complement of any length; false where it is beyond 128 bits. */
bool frz__pq_decimal_be(slice bytes, frz_decimal *out);
#endif
