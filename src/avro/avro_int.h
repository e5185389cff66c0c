/* avro_int.h — the writer's schema as a tree, the walk over binary values, and the blocks' codecs: for this folder. */
#ifndef FRZ_AVRO_AVRO_INT_H
#define FRZ_AVRO_AVRO_INT_H
#include "avro/avro.h"
#include "base/arena.h"

#define AVRO_DEPTH_MAX 64 /* of schemas and of values */

enum avro_type { AT_NULL, AT_BOOL, AT_INT, AT_LONG, AT_FLOAT, AT_DOUBLE, AT_BYTES, AT_STRING, AT_FIXED, AT_ENUM, AT_ARRAY, AT_MAP, AT_UNION, AT_RECORD };
struct avro_schema {
    enum avro_type type;
    uint32_t bytes_min;            /* a value takes at least so many bytes; saturates, and is low for recursive types */
    uint32_t size;                 /* fixed: bytes; enum: symbols */
    uint32_t count;                /* of `of`. record: fields; union: branches; array and map: 1 */
    const struct avro_schema **of; /* named types are shared: it is a graph, cycles included */
    int32_t *field_ids;            /* record: by field, -1 = none */
};
/* Lives in AR. FRZ_CORRUPT for what is no schema. */
FRZ_NODISCARD int frz__avro_schema_parse(struct arena *ar, slice json, const struct avro_schema **out, frz_error *err);

struct avro_cursor {
    const uint8_t *at, *end;
    uint64_t credit; /* values that may still be made: granted by the byte of input, so that values of zero bytes can't be made without end */
    struct arena *ar;
};
FRZ_NODISCARD int frz__avro_value_read(struct avro_cursor *c, const struct avro_schema *s, struct avro_value *out, frz_error *err);
FRZ_NODISCARD int frz__avro_get_long(struct avro_cursor *c, int64_t *out, frz_error *err);
FRZ_NODISCARD int frz__avro_get_bytes(struct avro_cursor *c, slice *out, frz_error *err);

enum avro_codec { AVRO_CODEC_NULL, AVRO_CODEC_DEFLATE, AVRO_CODEC_SNAPPY, AVRO_CODEC_ZSTD };
struct codec_ctx;
/* Appends the block's bytes to OUT: no more than the input could honestly hold. *CTX: made at need, the caller's. */
FRZ_NODISCARD int frz__avro_unpack(const allocator *a, struct codec_ctx **ctx, enum avro_codec codec, slice in, struct buf *out, frz_error *err);
#endif
