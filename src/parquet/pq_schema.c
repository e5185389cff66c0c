#include "parquet/pq_schema.h"

#define DEPTH_MAX 64
#define PATH_BYTES_MAX 256
#define FLBA_BYTES_MAX (1 << 20)

/* ── reading ── */

static frz_type type_of(int32_t id) { return (frz_type){.id = id}; }

struct found { frz_type type; enum pq_meaning meaning; };
#define NOT_OURS ((struct found){{.id = FRZ_NULL}, PQ_AS_IS})
static struct found found(int32_t id, enum pq_meaning m) { return (struct found){type_of(id), m}; }

static struct found decimal(const struct pq_elem *e, int32_t precision, int32_t scale)
{
    struct found f = {{.id = FRZ_DECIMAL, .precision = precision, .scale = scale}, PQ_DECIMAL_BYTES};
    if (precision < 1 || precision > 38 || scale < 0 || scale > precision) return NOT_OURS;
    switch (e->type) {
    case PQ_INT32:
    case PQ_INT64: f.meaning = PQ_DECIMAL_INT; return f;
    case PQ_FLBA: return e->type_length < 1 || e->type_length > FLBA_BYTES_MAX ? NOT_OURS : f;
    case PQ_BYTE_ARRAY: return f;
    default: return NOT_OURS;
    }
}

static struct found integer(const struct pq_elem *e, int bits, bool is_signed)
{
    if (e->type == PQ_INT32 && bits <= 16) return found(FRZ_INT, PQ_AS_IS);
    if (e->type == PQ_INT32 && bits == 32) return is_signed ? found(FRZ_INT, PQ_AS_IS) : found(FRZ_LONG, PQ_UINT32);
    if (e->type == PQ_INT64 && bits == 64) return is_signed ? found(FRZ_LONG, PQ_AS_IS) : found(FRZ_LONG, PQ_UINT64);
    return NOT_OURS;
}

static struct found time_of(const struct pq_elem *e, int unit)
{
    if (e->type == PQ_INT32 && unit == PQ_MILLIS) return found(FRZ_TIME, PQ_TIME_MS);
    if (e->type == PQ_INT64 && unit == PQ_MICROS) return found(FRZ_TIME, PQ_AS_IS);
    if (e->type == PQ_INT64 && unit == PQ_NANOS) return found(FRZ_TIME, PQ_TIME_NS);
    return NOT_OURS;
}

static struct found timestamp(const struct pq_elem *e, int unit, bool utc)
{
    if (e->type != PQ_INT64) return NOT_OURS;
    switch (unit) {
    case PQ_MILLIS: return found(utc ? FRZ_TIMESTAMPTZ : FRZ_TIMESTAMP, PQ_STAMP_MS);
    case PQ_MICROS: return found(utc ? FRZ_TIMESTAMPTZ : FRZ_TIMESTAMP, PQ_AS_IS);
    case PQ_NANOS: return found(utc ? FRZ_TIMESTAMPTZ_NS : FRZ_TIMESTAMP_NS, PQ_AS_IS);
    default: return NOT_OURS;
    }
}

static struct found bytes_as(const struct pq_elem *e, int32_t id) { return e->type == PQ_BYTE_ARRAY ? found(id, PQ_AS_IS) : NOT_OURS; }

static struct found by_physical(const struct pq_elem *e)
{
    struct found f;
    switch (e->type) {
    case PQ_BOOLEAN: return found(FRZ_BOOLEAN, PQ_AS_IS);
    case PQ_INT32: return found(FRZ_INT, PQ_AS_IS);
    case PQ_INT64: return found(FRZ_LONG, PQ_AS_IS);
    case PQ_INT96: return found(FRZ_TIMESTAMP, PQ_STAMP_96);
    case PQ_FLOAT: return found(FRZ_FLOAT, PQ_AS_IS);
    case PQ_DOUBLE: return found(FRZ_DOUBLE, PQ_AS_IS);
    case PQ_BYTE_ARRAY: return found(FRZ_BINARY, PQ_AS_IS);
    case PQ_FLBA:
        if (e->type_length < 1 || e->type_length > FLBA_BYTES_MAX) return NOT_OURS;
        f = found(FRZ_FIXED, PQ_AS_IS);
        f.type.length = e->type_length;
        return f;
    default: return NOT_OURS;
    }
}

static struct found by_converted(const struct pq_elem *e)
{
    switch (e->converted) {
    case PQ_CT_UTF8:
    case PQ_CT_ENUM:
    case PQ_CT_JSON: return bytes_as(e, FRZ_STRING);
    case PQ_CT_BSON: return bytes_as(e, FRZ_BINARY);
    case PQ_CT_DECIMAL: return decimal(e, e->precision, e->scale < 0 ? 0 : e->scale);
    case PQ_CT_DATE: return e->type == PQ_INT32 ? found(FRZ_DATE, PQ_AS_IS) : NOT_OURS;
    case PQ_CT_TIME_MILLIS: return time_of(e, PQ_MILLIS);
    case PQ_CT_TIME_MICROS: return time_of(e, PQ_MICROS);
    case PQ_CT_TIMESTAMP_MILLIS: return timestamp(e, PQ_MILLIS, true);
    case PQ_CT_TIMESTAMP_MICROS: return timestamp(e, PQ_MICROS, true);
    case PQ_CT_UINT_8: return integer(e, 8, false);
    case PQ_CT_UINT_16: return integer(e, 16, false);
    case PQ_CT_UINT_32: return integer(e, 32, false);
    case PQ_CT_UINT_64: return integer(e, 64, false);
    case PQ_CT_INT_8: return integer(e, 8, true);
    case PQ_CT_INT_16: return integer(e, 16, true);
    case PQ_CT_INT_32: return integer(e, 32, true);
    case PQ_CT_INT_64: return integer(e, 64, true);
    case PQ_CT_MAP:
    case PQ_CT_MAP_KEY_VALUE:
    case PQ_CT_LIST: return NOT_OURS;
    default: return by_physical(e); /* an interval stays its 12 bytes */
    }
}

static struct found find_type(const struct pq_elem *e)
{
    const struct pq_logical *l = &e->logical;
    switch (l->id) {
    case PQ_LT_STRING:
    case PQ_LT_ENUM:
    case PQ_LT_JSON: return bytes_as(e, FRZ_STRING);
    case PQ_LT_BSON:
    case PQ_LT_GEOMETRY:
    case PQ_LT_GEOGRAPHY: return bytes_as(e, FRZ_BINARY);
    case PQ_LT_DECIMAL: return decimal(e, l->precision, l->scale);
    case PQ_LT_DATE: return e->type == PQ_INT32 ? found(FRZ_DATE, PQ_AS_IS) : NOT_OURS;
    case PQ_LT_TIME: return time_of(e, l->unit);
    case PQ_LT_TIMESTAMP: return timestamp(e, l->unit, l->utc);
    case PQ_LT_INTEGER: return integer(e, l->bits, l->is_signed);
    case PQ_LT_UUID: return e->type == PQ_FLBA && e->type_length == 16 ? found(FRZ_UUID, PQ_AS_IS) : NOT_OURS;
    case PQ_LT_FLOAT16: return e->type == PQ_FLBA && e->type_length == 2 ? found(FRZ_FLOAT, PQ_HALF) : NOT_OURS;
    case PQ_LT_MAP:
    case PQ_LT_LIST:
    case PQ_LT_VARIANT: return NOT_OURS;
    default: return by_converted(e); /* a column of nulls alone (UNKNOWN) too: pyarrow writes them as int32 */
    }
}

/* Deprecated min and max were compared as signed numbers, whatever the type. */
static bool has_signed_stats(const struct pq_leaf *l)
{
    return (l->col.phys == PQ_BOOLEAN || l->col.phys == PQ_INT32 || l->col.phys == PQ_INT64 || l->col.phys == PQ_FLOAT || l->col.phys == PQ_DOUBLE) && l->meaning != PQ_UINT32 && l->meaning != PQ_UINT64;
}

/* "a.b.c" of the names of the groups open above, and of the leaf; the leaf's alone where that would be long (a long group's name over many leaves would take memory without bound). */
static const char *join_path(struct arena *ar, const slice *names, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) n += names[i].len + 1;
    if (n > PATH_BYTES_MAX) {
        names += count - 1;
        count = 1;
        n = names[0].len + 1;
    }
    char *out = (char *)arena_alloc(ar, n, 1), *p = out;
    if (!out) return NULL;
    for (size_t i = 0; i < count; i++) {
        if (i) *p++ = '.';
        if (names[i].len) memcpy(p, names[i].data, names[i].len);
        p += names[i].len;
    }
    *p = 0;
    return out;
}

static int read_leaf(struct arena *ar, const struct pq_elem *e, const slice *path, size_t depth, struct pq_leaf *l, frz_error *err)
{
    if (e->type < PQ_BOOLEAN || e->type > PQ_FLBA) return frz__err_corrupt(err, "schema: column %.*s: physical type %d", (int)e->name.len, e->name.data, e->type);
    if (e->type == PQ_FLBA && e->type_length < 0) return frz__err_corrupt(err, "schema: column %.*s: a fixed length without the length", (int)e->name.len, e->name.data);
    l->col.name = join_path(ar, path, depth);
    if (!l->col.name) return frz__err_no_memory(err, e->name.len);
    l->col.field_id = e->has_field_id ? e->field_id : -1;
    l->col.phys = (enum pq_phys)e->type;
    l->col.phys_length = e->type == PQ_FLBA ? e->type_length : 0;
    struct found f = depth == 1 && l->max_rep == 0 ? find_type(e) : NOT_OURS;
    l->col.type = f.type;
    l->meaning = f.meaning;
    l->signed_stats = has_signed_stats(l);
    return FRZ_OK;
}

int frz__pq_schema_read(struct arena *ar, const struct pq_footer *f, struct pq_leaf **out, size_t *count, frz_error *err)
{
    struct { int32_t left; int def, rep; } open[DEPTH_MAX]; /* groups above, their children still to come */
    slice path[DEPTH_MAX];
    size_t depth = 0, n = 0;
    *out = NULL;
    *count = 0;
    if (f->elem_count == 0) return frz__err_corrupt(err, "schema: no root");
    if (f->elems[0].children < 0) return frz__err_corrupt(err, "schema: the root has no count of children");
    for (size_t i = 1; i < f->elem_count; i++) n += f->elems[i].type >= 0;
    struct pq_leaf *leaves = (struct pq_leaf *)arena_alloc(ar, (n ? n : 1) * sizeof *leaves, 8);
    if (!leaves) return frz__err_no_memory(err, n * sizeof *leaves);
    n = 0;
    open[0].left = f->elems[0].children;
    open[0].def = open[0].rep = 0;
    for (size_t i = 1; i < f->elem_count; i++) {
        const struct pq_elem *e = &f->elems[i];
        while (open[depth].left == 0) {
            if (depth == 0) return frz__err_corrupt(err, "schema: %zu elements behind the root's last child", f->elem_count - i);
            depth--;
        }
        open[depth].left--;
        if (e->repetition < PQ_REQUIRED || e->repetition > PQ_REPEATED) return frz__err_corrupt(err, "schema: %.*s: repetition %d", (int)e->name.len, e->name.data, e->repetition);
        int def = open[depth].def + (e->repetition != PQ_REQUIRED), rep = open[depth].rep + (e->repetition == PQ_REPEATED);
        path[depth] = e->name;
        if (e->type >= 0) {
            if (e->children > 0) return frz__err_corrupt(err, "schema: %.*s: a leaf of %d children", (int)e->name.len, e->name.data, e->children);
            struct pq_leaf *l = &leaves[n++];
            *l = (struct pq_leaf){.max_def = def, .max_rep = rep};
            l->col.required = def == 0;
            TRY(read_leaf(ar, e, path, depth + 1, l, err));
        } else if (e->children > 0) {
            if (depth + 1 >= DEPTH_MAX) return frz__err(err, FRZ_UNSUPPORTED, "schema: groups nested deeper than %d", DEPTH_MAX);
            depth++;
            open[depth].left = e->children;
            open[depth].def = def;
            open[depth].rep = rep;
        } /* else a group without children: nothing is stored of it */
    }
    for (;; depth--) {
        if (open[depth].left) return frz__err_corrupt(err, "schema: %d children missing", open[depth].left);
        if (depth == 0) break;
    }
    *out = leaves;
    *count = n;
    return FRZ_OK;
}

/* ── writing ── */

int32_t frz__pq_decimal_bytes(int32_t precision)
{
    static const uint8_t bytes[39] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10, 10, 11, 11, 11, 12, 12, 13, 13, 13, 14, 14, 15, 15, 16, 16, 16};
    FRZ_ASSERT(precision >= 1 && precision <= 38);
    return bytes[precision];
}

enum pq_phys frz__pq_phys_of(frz_type t, int32_t *length)
{
    *length = 0;
    switch (t.id) {
    case FRZ_BOOLEAN: return PQ_BOOLEAN;
    case FRZ_INT:
    case FRZ_DATE: return PQ_INT32;
    case FRZ_FLOAT: return PQ_FLOAT;
    case FRZ_DOUBLE: return PQ_DOUBLE;
    case FRZ_DECIMAL:
        if (t.precision <= 9) return PQ_INT32;
        if (t.precision <= 18) return PQ_INT64;
        *length = frz__pq_decimal_bytes(t.precision);
        return PQ_FLBA;
    case FRZ_UUID: *length = 16; return PQ_FLBA;
    case FRZ_FIXED: *length = t.length; return PQ_FLBA;
    case FRZ_STRING:
    case FRZ_BINARY: return PQ_BYTE_ARRAY;
    default: FRZ_ASSERT(type_is_i64(t)); return PQ_INT64;
    }
}

static void annotate(struct pq_elem *e, frz_type t)
{
    switch (t.id) {
    case FRZ_DATE:
        e->logical.id = PQ_LT_DATE;
        e->converted = PQ_CT_DATE;
        break;
    case FRZ_TIME:
        e->logical = (struct pq_logical){.id = PQ_LT_TIME, .unit = PQ_MICROS};
        e->converted = PQ_CT_TIME_MICROS;
        break;
    case FRZ_TIMESTAMP:
    case FRZ_TIMESTAMPTZ:
        e->logical = (struct pq_logical){.id = PQ_LT_TIMESTAMP, .unit = PQ_MICROS, .utc = t.id == FRZ_TIMESTAMPTZ};
        e->converted = PQ_CT_TIMESTAMP_MICROS;
        break;
    case FRZ_TIMESTAMP_NS:
    case FRZ_TIMESTAMPTZ_NS: e->logical = (struct pq_logical){.id = PQ_LT_TIMESTAMP, .unit = PQ_NANOS, .utc = t.id == FRZ_TIMESTAMPTZ_NS}; break;
    case FRZ_DECIMAL:
        e->logical = (struct pq_logical){.id = PQ_LT_DECIMAL, .precision = t.precision, .scale = t.scale};
        e->converted = PQ_CT_DECIMAL;
        e->precision = t.precision;
        e->scale = t.scale;
        break;
    case FRZ_STRING:
        e->logical.id = PQ_LT_STRING;
        e->converted = PQ_CT_UTF8;
        break;
    case FRZ_UUID: e->logical.id = PQ_LT_UUID; break;
    default: break;
    }
}

int frz__pq_schema_write(struct arena *ar, const struct pq_wcol *cols, size_t count, struct pq_elem **out, size_t *out_count, frz_error *err)
{
    struct pq_elem *elems = (struct pq_elem *)arena_alloc(ar, (count + 1) * sizeof *elems, 8);
    if (!elems) return frz__err_no_memory(err, (count + 1) * sizeof *elems);
    const struct pq_elem none = {.type = -1, .type_length = -1, .repetition = -1, .children = -1, .converted = -1, .scale = -1, .precision = -1};
    elems[0] = none;
    elems[0].name = slice_str("table");
    elems[0].children = (int32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct pq_elem *e = &elems[i + 1];
        int32_t length;
        *e = none;
        e->type = (int32_t)frz__pq_phys_of(cols[i].type, &length);
        if (e->type == PQ_FLBA) e->type_length = length;
        e->repetition = cols[i].required ? PQ_REQUIRED : PQ_OPTIONAL;
        e->name = slice_str(cols[i].name);
        e->has_field_id = cols[i].field_id >= 0;
        e->field_id = cols[i].field_id;
        annotate(e, cols[i].type);
    }
    *out = elems;
    *out_count = count + 1;
    return FRZ_OK;
}
