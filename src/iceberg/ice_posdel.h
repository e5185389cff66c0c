/* ice_posdel.h — v2 position-delete files: Parquet of (file_path, pos), sorted by both. Pure. Source: Iceberg spec "Position Delete Files"; formats.md §2.9. */
#ifndef FRZ_ICEBERG_ICE_POSDEL_H
#define FRZ_ICEBERG_ICE_POSDEL_H
#include "iceberg/ice_types.h"
#include "parquet/parquet.h"

struct posdel_target {
    slice path;                /* of the data file, as in its manifest entry */
    const uint64_t *positions; /* strictly ascend */
    size_t count;
};
/* TARGETS ascend by path. Writes the file to SINK and fills OUT (arrays in AR) but for path; bounds of file_path are whole; one target: referenced_data_file is set. */
FRZ_NODISCARD int frz__posdel_write(const allocator *a, const struct posdel_target *targets, size_t count, int codec, struct codec_ctx *ctx, struct pq_sink sink, struct arena *ar, struct ice_file *out,
                                    frz_error *err);
/* Calls FN with runs of positions of one path (in file order; not necessarily sorted in others' files). PATH and POSITIONS for the call only. */
FRZ_NODISCARD int frz__posdel_read(const allocator *a, struct pq_source source, struct codec_ctx *ctx, int (*fn)(void *ctx, slice path, const int64_t *positions, size_t count, frz_error *err), void *fn_ctx,
                                   uint64_t *rows, frz_error *err);
#endif
