/* schema.h — columns, their ids, the primary key, and the row layout that follows from them. This is the public frz_schema.
 *
 * Design      built by adding columns, then sealed by the first use; sealed schemas are immutable and counted. Names are unique as bytes and as ASCII-lower-cased text (engines that
 *             fold case must read them). Ids are positive, unique, ≤ 2147483447.
 * Invariants  (1) key columns are required and of key types  (2) `layout` is valid once sealed  (3) sealed: no field changes but `refs`
 * Threads     sealed: any; unsealed: one                                                                                                 */
#ifndef FRZ_TYPES_SCHEMA_H
#define FRZ_TYPES_SCHEMA_H
#include <stdatomic.h>
#include "types/value.h"

#define COLUMNS_MAX 4096
#define COLUMN_NAME_BYTES_MAX 1024
#define FIELD_ID_MAX 2147483447

struct column {
    int32_t id;
    char *name;
    size_t name_len;
    frz_type type;
    bool required;
    int32_t key_index; /* -1 = not of the key */
    char *doc;         /* NULL = none */
    frz_value initial, write; /* own their bytes */
};

/* Where a column that is not of the key lives in row bytes: row.h. */
struct row_slot {
    uint32_t null_bit;
    uint32_t at; /* fixed: byte offset; variable: index of its end offset */
    uint32_t width; /* 0 = variable */
    uint8_t type;   /* frz_type_id, here so that encoding reads slots alone */
    bool required, is_key;
};
struct row_layout {
    struct row_slot *slots; /* by column; unused for key columns */
    uint32_t null_bytes, fixed_bytes, var_count; /* header: 2 + null_bytes + fixed_bytes + 4 × var_count, then the heap */
};

struct frz_schema {
    const allocator *a; /* NULL, or `host`: a copy, so that a host's schemas and rows may outlive the database whose allocator it is */
    allocator host;
    _Atomic uint32_t refs;
    bool sealed;
    int32_t schema_id;
    int32_t last_column_id;
    size_t count, cap;
    struct column *columns;
    size_t key_count;
    uint32_t *key; /* column indexes in key order */
    struct row_layout layout;
};

FRZ_NODISCARD int frz__schema_new(const allocator *a, frz_schema **out, frz_error *err);
FRZ_NODISCARD int frz__schema_add(frz_schema *s, const frz_column *c, frz_error *err);
FRZ_NODISCARD int frz__schema_set_key(frz_schema *s, const uint32_t *columns, size_t count, frz_error *err);
/* Checks all; computes the layout. Idempotent. WITH_KEY: a key is required. */
FRZ_NODISCARD int frz__schema_seal(frz_schema *s, bool with_key, frz_error *err);
/* The types, defaults and docs that FORMAT_VERSION has: FRZ_INVALID names the column. */
FRZ_NODISCARD int frz__schema_check_format(const frz_schema *s, int format_version, frz_error *err);
frz_schema *frz__schema_acquire(const frz_schema *s);
void frz__schema_release(frz_schema *s); /* NULL is fine */
int64_t frz__schema_find(const frz_schema *s, slice name); /* column index, -1 = none */
int64_t frz__schema_find_id(const frz_schema *s, int32_t field_id);
/* Equal columns in equal places (ids, types, key): their row bytes differ in the schema's id alone. */
bool frz__schema_same_rows(const frz_schema *a, const frz_schema *b);
/* … and equal initial defaults: a file that is open under one is read as the other has it. */
bool frz__schema_same_reads(const frz_schema *a, const frz_schema *b);
/* … and all the rest but the id: Iceberg's "same schema". */
bool frz__schema_same(const frz_schema *a, const frz_schema *b);
/* As a host sees it: equal names, types, nulls and key in equal places; a schema that it built itself has other field ids. */
bool frz__schema_looks_like(const frz_schema *a, const frz_schema *b);
/* Equal keys: columns by id, in order, of equal types. */
bool frz__schema_same_key(const frz_schema *a, const frz_schema *b);
/* NAME and C's are one to engines that fold case. */
bool frz__column_named_alike(const struct column *c, slice name);
FRZ_NODISCARD int frz__schema_parse_text(const allocator *a, slice text, slice key, frz_schema **out, frz_error *err);
FRZ_NODISCARD int frz__schema_from_json(const allocator *a, const struct json *j, frz_schema **out, frz_error *err); /* sealed, key optional */
void frz__schema_to_json(const frz_schema *s, struct jw *w); /* Iceberg's, with schema-id and identifier-field-ids */
FRZ_NODISCARD int frz__schema_to_text(const frz_schema *s, struct buf *out, frz_error *err);
/* "a, `b c`" → column indexes, appended to KEY; names as frz__schema_parse_text quotes them. Allocated by the schema's allocator, the caller frees. */
FRZ_NODISCARD int frz__schema_parse_key(const frz_schema *s, slice text, uint32_t **key, size_t *count, frz_error *err);
static inline uint32_t layout_head(const struct row_layout *l) { return 2 + l->null_bytes + l->fixed_bytes + 4 * l->var_count; }
/* Bytes of a name that a message shows, whole characters: printf("%.*s"). */
int frz__name_shown(slice name);
static inline int column_shown(const struct column *c) { return frz__name_shown(slice_of(c->name, c->name_len)); }
#define COLUMN_FMT "column \"%.*s\""
#define COLUMN_ARG(c) column_shown(c), (c)->name
/* Puts "column "x": " before a message. */
int frz__column_context(const struct column *c, int rc, frz_error *err);
#endif
