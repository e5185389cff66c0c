/* codec.h — compression behind one door, with output bounds. Contexts are reused (one codec_ctx a thread or job), made at first use.
 * Hostile input gives FRZ_CORRUPT and never more than the expected bytes. */
#ifndef FRZ_CODEC_CODEC_H
#define FRZ_CODEC_CODEC_H
#include "base/buf.h"

/* Parquet's numbers. */
enum codec { CODEC_NONE = 0, CODEC_SNAPPY = 1, CODEC_GZIP = 2, CODEC_LZ4 = 5 /* deprecated: read only */, CODEC_ZSTD = 6, CODEC_LZ4_RAW = 7 };
struct codec_ctx;
FRZ_NODISCARD int frz__codec_ctx_new(const allocator *a, struct codec_ctx **out, frz_error *err);
void frz__codec_ctx_free(struct codec_ctx *c);
/* Bytes of the context's that a caller may fill and use until its own next call with the same SLOT: what a decoder needs for each page without asking the allocator each time. Reset, not cleared. */
#define CODEC_SCRATCH_SLOTS 4
struct buf *frz__codec_scratch(struct codec_ctx *c, unsigned slot);
const char *frz__codec_name(int codec); /* "zstd", … ; NULL for one that is not known */
bool frz__codec_parse(slice name, int *codec); /* "zstd", "snappy", "gzip", "lz4_raw", "uncompressed" / "none", any case */
/* Appends to OUT. LEVEL: zstd 1 to 19, gzip 1 to 9, 0 = default (3, 6). */
FRZ_NODISCARD int frz__compress(struct codec_ctx *c, int codec, int level, slice in, struct buf *out, frz_error *err);
/* Exactly LEN bytes into OUT, or FRZ_CORRUPT. FRZ_UNSUPPORTED for a codec that is not built in. */
FRZ_NODISCARD int frz__decompress(struct codec_ctx *c, int codec, slice in, void *out, size_t len, frz_error *err);
/* Raw DEFLATE (RFC 1951), as Avro's codec has it; at most MAX bytes out. What is behind its end is passed over: fastavro leaves three bytes of zlib's checksum there. */
FRZ_NODISCARD int frz__deflate_raw(slice in, struct buf *out, frz_error *err);
FRZ_NODISCARD int frz__inflate_raw(slice in, size_t max, struct buf *out, frz_error *err);
#endif
