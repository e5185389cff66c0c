/* avro.h — Avro object container files, with schemas kept verbatim (Iceberg's field-id, element-id and logicalType must survive) and values resolved by field id.
 *
 * Design      writer: the schema is text that the caller gives; the caller encodes each record's bytes itself with the small encoders below. reader: the writer's schema is parsed from the file; a
 *             record is walked as events against it, so that missing, extra and reordered fields, and other names, are no concern of the caller.
 * Codecs      null and deflate both ways; snappy and zstandard are read too
 * Threads     one thread each                                                                                              Source: Avro 1.11.1 specification, "Object Container Files" */
#ifndef FRZ_AVRO_AVRO_H
#define FRZ_AVRO_AVRO_H
#include "base/coding.h"
#include "base/json.h"

/* Encoders append to OUT. */
FRZ_NODISCARD int frz__avro_put_long(struct buf *out, int64_t v, frz_error *err); /* int too */
FRZ_NODISCARD int frz__avro_put_bytes(struct buf *out, slice v, frz_error *err);  /* string too */
FRZ_NODISCARD int frz__avro_put_bool(struct buf *out, bool v, frz_error *err);

struct avro_writer;
/* KV: count pairs of file metadata (key, value, …). */
FRZ_NODISCARD int frz__avro_writer_new(const allocator *a, slice schema_json, const slice *kv, size_t kv_count, bool deflate, struct avro_writer **out, frz_error *err);
FRZ_NODISCARD int frz__avro_write(struct avro_writer *w, slice record, frz_error *err); /* one encoded record */
FRZ_NODISCARD int frz__avro_writer_finish(struct avro_writer *w, struct buf *out, frz_error *err); /* appends the whole file */
void frz__avro_writer_free(struct avro_writer *w);

/* A value of a record as a tree, made in an arena for one record at a time. */
enum avro_kind { AVRO_NULL, AVRO_BOOL, AVRO_LONG /* int too */, AVRO_DOUBLE /* float too */, AVRO_BYTES /* string, fixed too */, AVRO_ARRAY, AVRO_RECORD };
struct avro_value {
    enum avro_kind kind;
    int32_t field_id; /* of the record's field that this is; -1 = none */
    union {
        bool boolean;
        int64_t i64;
        double f64;
        slice bytes; /* borrowed from the file's block */
        struct { struct avro_value *items; size_t count; } list; /* array: items; record: fields. A map is an array of records { key -1, value -1 } */
    } as;
};
/* The field of RECORD with this id; NULL = absent, or null. */
const struct avro_value *frz__avro_field(const struct avro_value *record, int32_t field_id);

struct avro_reader;
/* BYTES live as long as the reader. FRZ_CORRUPT where it is no Avro file; FRZ_UNSUPPORTED for an unknown codec. */
FRZ_NODISCARD int frz__avro_reader_new(const allocator *a, slice bytes, struct avro_reader **out, frz_error *err);
slice frz__avro_meta(const struct avro_reader *r, const char *key); /* data NULL if absent */
/* The next record, valid until the next call. FRZ_DONE at the end. Depth, counts and sizes are bounded by the input. */
FRZ_NODISCARD int frz__avro_next(struct avro_reader *r, const struct avro_value **out, frz_error *err);
void frz__avro_reader_free(struct avro_reader *r);
#endif
