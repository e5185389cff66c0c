/* puffin.h — Puffin files and the deletion-vector-v1 blobs in them. Pure bytes. Source: Iceberg puffin-spec.md; Readers check all that dv_decode does, and the cardinality. */
#ifndef FRZ_PUFFIN_PUFFIN_H
#define FRZ_PUFFIN_PUFFIN_H
#include "base/bitmap.h"
#include "base/json.h"

/* A deletion vector as a blob: length, magic, bitmap, CRC. POSITIONS strictly ascend, at least one (FRZ_INVALID). Appends; OUT is as it was after a failure. */
FRZ_NODISCARD int frz__dv_encode(const uint64_t *positions, size_t count, struct buf *out, frz_error *err);
/* Checks length, magic, CRC and bitmap; FN and COUNT as in bitmap.h. A position of 2^63 - 2^32 or more, which other readers refuse, may be found late: calls went before. */
FRZ_NODISCARD int frz__dv_decode(slice blob, int (*fn)(void *ctx, const uint64_t *positions, size_t count), void *ctx, uint64_t *count, frz_error *err);

struct puffin_blob {
    slice referenced_data_file;
    uint64_t cardinality;
    slice bytes;      /* in */
    uint64_t offset;  /* out: where it is in the file */
};
/* A whole file of deletion vectors. Sets each offset. Appends to OUT, which must be empty. */
FRZ_NODISCARD int frz__puffin_write_dvs(struct puffin_blob *blobs, size_t count, struct buf *out, frz_error *err);
/* Parses a whole file's footer and calls FN for each blob: type, offset, length (inside the file, before the footer), properties (NULL = none). FN's result other than 0 stops and is given back.
 * For verify and tests. */
struct puffin_entry { slice type; uint64_t offset, length; const struct json *properties; };
FRZ_NODISCARD int frz__puffin_read(slice file, int (*fn)(void *ctx, const struct puffin_entry *e), void *ctx, frz_error *err);
#endif
