/* ice_avro.h — what manifests and manifest lists share: checked access to fields by id, and a record's encoder. For this folder. */
#ifndef FRZ_ICEBERG_ICE_AVRO_H
#define FRZ_ICEBERG_ICE_AVRO_H
#include "avro/avro.h"
#include "base/arena.h"

#define ICE_FORMAT_VERSION_MAX 3
#define ICE_SCHEMA(name, fields)      "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define ICE_FIELD(name, id, type)     "{\"name\":\"" name "\",\"type\":" type ",\"field-id\":" #id "}"
#define ICE_OPTIONAL(name, id, type)  "{\"name\":\"" name "\",\"type\":[\"null\"," type "],\"default\":null,\"field-id\":" #id "}"
#define ICE_INT                       "\"int\""
#define ICE_LONG                      "\"long\""
#define ICE_STRING                    "\"string\""
#define ICE_BYTES                     "\"bytes\""
#define ICE_BOOLEAN                   "\"boolean\""

/* A field of a record: its id and, for messages, its name. */
struct ice_field { int32_t id; const char *name; };

/* *OUT stays where the field is absent or null; FRZ_CORRUPT where it is no number or not from MIN to MAX. _need: where it is absent, too. */
FRZ_NODISCARD int frz__ice_get_long(const struct avro_value *record, struct ice_field f, int64_t min, int64_t max, int64_t *out, frz_error *err);
FRZ_NODISCARD int frz__ice_need_long(const struct avro_value *record, struct ice_field f, int64_t min, int64_t max, int64_t *out, frz_error *err);
FRZ_NODISCARD int frz__ice_get_int(const struct avro_value *record, struct ice_field f, int32_t min, int32_t max, int32_t *out, frz_error *err);
/* Copied into AR; not NULL where present. */
FRZ_NODISCARD int frz__ice_get_bytes(struct arena *ar, const struct avro_value *record, struct ice_field f, slice *out, frz_error *err);
/* As _need_bytes and _get_bytes; UTF-8. */
FRZ_NODISCARD int frz__ice_need_text(struct arena *ar, const struct avro_value *record, struct ice_field f, slice *out, frz_error *err);
FRZ_NODISCARD int frz__ice_get_text(struct arena *ar, const struct avro_value *record, struct ice_field f, slice *out, frz_error *err);
FRZ_NODISCARD int frz__ice_need_bytes(struct arena *ar, const struct avro_value *record, struct ice_field f, slice *out, frz_error *err);
/* *OUT NULL where absent or null. */
FRZ_NODISCARD int frz__ice_get_kind(const struct avro_value *record, struct ice_field f, enum avro_kind kind, const struct avro_value **out, frz_error *err);
FRZ_NODISCARD int frz__ice_keep(struct arena *ar, slice s, slice *out, frz_error *err);
/* Encrypted files: FRZ_UNSUPPORTED. */
FRZ_NODISCARD int frz__ice_no_key(const struct avro_value *record, struct ice_field f, frz_error *err);
/* FRZ_NEWER_FORMAT where the file says so. */
FRZ_NODISCARD int frz__ice_check_version(const struct avro_reader *r, frz_error *err);

/* Encoder of one record. The first failure sticks. */
struct ice_put { struct buf out; frz_error *err; int rc; };
void frz__ice_put_long(struct ice_put *p, int64_t v);
void frz__ice_put_bool(struct ice_put *p, bool v);
void frz__ice_put_bytes(struct ice_put *p, slice v);
void frz__ice_put_raw(struct ice_put *p, slice v);
void frz__ice_put_present(struct ice_put *p, bool present); /* the branch of ["null", T] */
void frz__ice_put_opt_long(struct ice_put *p, bool present, int64_t v);
void frz__ice_put_opt_bytes(struct ice_put *p, slice v); /* data NULL = null */
#endif
