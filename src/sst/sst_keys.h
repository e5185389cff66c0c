/* sst_keys.h — key columns ↔ encoded keys, a stripe at a time: what keyenc.h does value by value. One thread. */
#ifndef FRZ_SST_SST_KEYS_H
#define FRZ_SST_SST_KEYS_H
#include "types/keyenc.h"
#include "types/vec.h"

struct sst_keys {
    size_t rows, stride; /* bytes of each; 0: they differ, and offsets hold */
    size_t shared;       /* bytes that all begin with, if they ascend; where all have eight, so many fewer that eight are left of each */
    bool whole_heads;    /* … they are */
    struct buf bytes;
    uint32_t *offsets; /* rows + 1 */
    size_t offset_cap;
};
#define SST_KEYS_INIT(a_) ((struct sst_keys){.bytes = BUF_INIT((a_), 0)})
static inline slice sst_key(const struct sst_keys *k, size_t i)
{
    return k->stride ? slice_of(k->bytes.data + i * k->stride, k->stride) : slice_of(k->bytes.data + k->offsets[i], k->offsets[i + 1] - k->offsets[i]);
}
void frz__sst_keys_clear(struct sst_keys *k);
void frz__sst_keys_drop_offsets(struct sst_keys *k); /* nobody asks for them where there is a stride; the next encoding makes them anew */
/* Bytes of every key of S; 0 = they may differ. */
size_t frz__sst_key_stride(const frz_schema *s);
/* Rows [FROM, FROM + ROWS) of COLS (in key order, without nulls) → K, reset first. */
FRZ_NODISCARD int frz__sst_keys_encode(const frz_schema *s, const struct vec *const *cols, size_t from, size_t rows, struct sst_keys *k, frz_error *err);
/* First index from AT whose key is ≥ KEY. */
size_t frz__sst_keys_lower(const struct sst_keys *k, size_t at, slice key);

/* ── sst_rows.c: encoded rows into columns. On failure the columns may be uneven ── */
/* The values of KEYS, appended to COLS (in key order). FRZ_BUG where one is no key of S. */
FRZ_NODISCARD int frz__sst_keys_append(const frz_schema *s, const slice *keys, size_t count, struct vec *const *cols, struct buf *scratch, frz_error *err);
/* The values of encoded ROWS, appended to COLS (of the schema, in order; those of the key are left alone). */
FRZ_NODISCARD int frz__sst_values_append(const frz_schema *s, const slice *rows, size_t count, struct vec *cols, frz_error *err);
/* Longs, -1 = null; OF NULL: nulls all. */
FRZ_NODISCARD int frz__sst_lineage_append(struct vec *v, const int64_t *of, size_t count, frz_error *err);
#endif
