#include "arrow/arrow_in_int.h"

#include "base/coding.h"

/* ── formats ── */

static bool parse_int(const char **p, int64_t min, int64_t max, int64_t *out)
{
    bool minus = **p == '-';
    int64_t v = 0;
    const char *q = *p + minus;
    if (*q < '0' || *q > '9') return false;
    for (; *q >= '0' && *q <= '9'; q++)
        if ((v = v * 10 + (*q - '0')) > INT32_MAX) return false;
    if (minus) v = -v;
    if (v < min || v > max) return false;
    *p = q;
    *out = v;
    return true;
}

static bool integer_kind(char c, enum arrow_kind *out)
{
    switch (c) {
    case 'c': *out = AK_I8; return true;
    case 'C': *out = AK_U8; return true;
    case 's': *out = AK_I16; return true;
    case 'S': *out = AK_U16; return true;
    case 'i': *out = AK_I32; return true;
    case 'I': *out = AK_U32; return true;
    case 'l': *out = AK_I64; return true;
    case 'L': *out = AK_U64; return true;
    default: return false;
    }
}

/* "P,S" or "P,S,BITS" */
static bool parse_decimal(const char *f, struct arrow_shape *s, frz_type *t)
{
    int64_t precision, scale, bits = 128;
    if (!parse_int(&f, 1, 76, &precision) || *f++ != ',' || !parse_int(&f, -76, 76, &scale)) return false;
    if (*f == ',') {
        f++;
        if (!parse_int(&f, 32, 256, &bits)) return false;
    }
    if (*f) return false;
    switch (bits) {
    case 32: s->kind = AK_I32; break;
    case 64: s->kind = AK_I64; break;
    case 128: s->kind = AK_DEC128; break;
    case 256: s->kind = AK_DEC256; break;
    default: return false;
    }
    if (scale < 0 || scale > 38) return false;
    if (precision < scale) precision = scale; /* all digits behind the point, and zeroes before them */
    if (precision > 38) precision = 38;       /* what is longer is found in the values */
    s->cls = AC_NUMBER;
    s->precision = (int32_t)precision;
    s->scale = (int32_t)scale;
    *t = (frz_type){.id = FRZ_DECIMAL, .precision = (int32_t)precision, .scale = (int32_t)scale};
    return true;
}

static uint64_t unit_of(char c) { return c == 's' ? 1 : c == 'm' ? 1000 : c == 'u' ? 1000000 : c == 'n' ? 1000000000 : 0; }

static bool parse_temporal(const char *f, struct arrow_shape *s, frz_type *t)
{
    if (f[0] == 'd' && (f[1] == 'D' || f[1] == 'm') && !f[2]) {
        *s = (struct arrow_shape){.kind = f[1] == 'D' ? AK_I32 : AK_I64, .cls = AC_DATE, .day_units = f[1] == 'D' ? 1 : 86400000};
        t->id = FRZ_DATE;
        return true;
    }
    uint64_t unit = f[0] == 't' || f[0] == 's' ? unit_of(f[1]) : 0;
    if (!unit) return false;
    if (f[0] == 't' && !f[2]) {
        *s = (struct arrow_shape){.kind = unit <= 1000 ? AK_I32 : AK_I64, .cls = AC_TIME, .per_second = unit};
        t->id = FRZ_TIME;
        return true;
    }
    if (f[0] != 's' || f[2] != ':') return false;
    bool zone = f[3] != 0;
    *s = (struct arrow_shape){.kind = AK_I64, .cls = zone ? AC_STAMPTZ : AC_STAMP, .per_second = unit};
    t->id = unit == 1000000000 ? (zone ? FRZ_TIMESTAMPTZ_NS : FRZ_TIMESTAMP_NS) : zone ? FRZ_TIMESTAMPTZ : FRZ_TIMESTAMP;
    return true;
}

static bool parse_fixed(const char *f, struct arrow_shape *s, frz_type *t)
{
    int64_t width;
    if (!parse_int(&f, 0, INT32_MAX, &width) || *f) return false;
    *s = (struct arrow_shape){.kind = AK_FIXED, .cls = AC_BINARY, .width = (size_t)width};
    if (width == 0 || width > FIXED_BYTES_MAX) t->id = FRZ_BINARY;
    else *t = (frz_type){.id = FRZ_FIXED, .length = (int32_t)width};
    return true;
}

static bool parse_format(const char *f, struct arrow_shape *s, frz_type *t)
{
    static const struct { const char *format; enum arrow_kind kind; enum arrow_class cls; int32_t type; } plain[] = {
        {"n", AK_NULL, AC_NULL, FRZ_NULL},      {"b", AK_BOOL, AC_BOOL, FRZ_BOOLEAN},      {"f", AK_F32, AC_FLOAT, FRZ_FLOAT},       {"g", AK_F64, AC_FLOAT, FRZ_DOUBLE},
        {"u", AK_VAR32, AC_STRING, FRZ_STRING}, {"U", AK_VAR64, AC_STRING, FRZ_STRING},    {"vu", AK_VIEW, AC_STRING, FRZ_STRING},
        {"z", AK_VAR32, AC_BINARY, FRZ_BINARY}, {"Z", AK_VAR64, AC_BINARY, FRZ_BINARY},    {"vz", AK_VIEW, AC_BINARY, FRZ_BINARY},
    };
    *s = (struct arrow_shape){0};
    *t = (frz_type){0};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(plain); i++) {
        if (strcmp(f, plain[i].format) != 0) continue;
        s->kind = plain[i].kind;
        s->cls = plain[i].cls;
        t->id = plain[i].type;
        return true;
    }
    if (f[0] && !f[1] && integer_kind(f[0], &s->kind)) {
        s->cls = AC_NUMBER;
        s->precision = 20;
        t->id = s->kind <= AK_I32 ? FRZ_INT : FRZ_LONG;
        return true;
    }
    if (f[0] == 'd' && f[1] == ':') return parse_decimal(f + 2, s, t);
    if (f[0] == 'w' && f[1] == ':') return parse_fixed(f + 2, s, t);
    return f[0] == 't' && parse_temporal(f + 1, s, t);
}

size_t frz__arrow_kind_width(const struct arrow_shape *s, enum arrow_kind kind)
{
    switch (kind) {
    case AK_I8:
    case AK_U8: return 1;
    case AK_I16:
    case AK_U16: return 2;
    case AK_I32:
    case AK_U32:
    case AK_F32: return 4;
    case AK_I64:
    case AK_U64:
    case AK_F64: return 8;
    case AK_DEC128: return 16;
    case AK_DEC256: return 32;
    case AK_FIXED: return s->width;
    default: return 0;
    }
}

/* ── schemas ── */

#define METADATA_MAX 65536 /* pairs of one field */

/* The value of KEY in METADATA; data NULL = none. FRZ_INVALID where a length is negative. */
static int find_metadata(const char *metadata, const char *key, slice *out, frz_error *err)
{
    int32_t n, len;
    *out = slice_of(NULL, 0);
    if (!metadata) return FRZ_OK;
    memcpy(&n, metadata, 4);
    metadata += 4;
    if (n < 0 || n > METADATA_MAX) return frz__err(err, FRZ_INVALID, "Arrow metadata of %d pairs", (int)n);
    for (int32_t i = 0; i < n; i++) {
        slice part[2];
        for (int k = 0; k < 2; k++) {
            memcpy(&len, metadata, 4);
            if (len < 0) return frz__err(err, FRZ_INVALID, "Arrow metadata with a length of %d", (int)len);
            part[k] = slice_of(metadata + 4, (size_t)len);
            metadata += 4 + (size_t)len;
        }
        if (slice_eq(part[0], slice_str(key))) *out = part[1];
    }
    return FRZ_OK;
}

static int read_metadata(const struct ArrowSchema *s, struct arrow_field *f, frz_error *err)
{
    slice extension, id;
    TRY(find_metadata(s->metadata, "ARROW:extension:name", &extension, err));
    TRY(find_metadata(s->metadata, "PARQUET:field_id", &id, err));
    if (slice_eq(extension, slice_str("arrow.uuid")) && f->type.id == FRZ_FIXED && f->type.length == 16) f->type = (frz_type){.id = FRZ_UUID};
    f->field_id = -1;
    if (id.len && id.len < 11) {
        char text[12] = {0};
        const char *p = text;
        int64_t v;
        memcpy(text, id.data, id.len);
        if (parse_int(&p, 0, FIELD_ID_MAX, &v) && !*p) f->field_id = (int32_t)v;
    }
    return FRZ_OK;
}

static int unsupported(const char *format, frz_error *err) { return frz__err(err, FRZ_UNSUPPORTED, "Arrow's type \"%.40s\" has no counterpart in a table", format); }

static int read_field(const allocator *a, const struct ArrowSchema *s, struct arrow_field *f, frz_error *err)
{
    if (!s || !s->release) return frz__err(err, FRZ_INVALID, "its Arrow schema is %s", s ? "released" : "NULL");
    f->name = frz__strdup(a, s->name ? s->name : "");
    f->shape = (struct arrow_shape *)frz__alloc_zero(a, sizeof *f->shape);
    if (!f->name || !f->shape) return frz__err_no_memory(err, sizeof *f->shape);
    f->nullable = (s->flags & ARROW_FLAG_NULLABLE) != 0;
    if (!s->format) return frz__err(err, FRZ_INVALID, "its Arrow schema has no format");
    if (s->n_children < 0) return frz__err(err, FRZ_INVALID, "its Arrow schema has %" PRId64 " children", s->n_children);
    const struct ArrowSchema *values = s;
    enum arrow_kind index = AK_NULL;
    if (s->dictionary) {
        if (s->format[0] == 0 || s->format[1] || !integer_kind(s->format[0], &index)) return frz__err(err, FRZ_INVALID, "dictionary indexes of Arrow's type \"%.40s\", expected integers", s->format);
        values = s->dictionary;
        if (!values->format) return frz__err(err, FRZ_INVALID, "its dictionary's Arrow schema has no format");
        if (values->dictionary) return frz__err(err, FRZ_UNSUPPORTED, "a dictionary whose values are a dictionary");
    }
    if (s->n_children || values->n_children || !parse_format(values->format, f->shape, &f->type)) return unsupported(values->format, err);
    f->shape->dictionary = s->dictionary != NULL;
    f->shape->index = index;
    TRY(read_metadata(values, f, err));
    if (values != s) {
        frz_type t = f->type;
        TRY(read_metadata(s, f, err)); /* the field's own id and extension stand beside the index type */
        if (t.id == FRZ_UUID) f->type = t;
    }
    if (f->type.id == FRZ_NULL) f->nullable = true;
    return FRZ_OK;
}

int frz__arrow_in_new(const allocator *a, const struct ArrowSchema *schema, struct arrow_in **out, frz_error *err)
{
    struct arrow_in *in;
    *out = NULL;
    if (!schema || !schema->release) return frz__err(err, FRZ_INVALID, "the Arrow schema is %s", schema ? "released" : "NULL");
    if (!schema->format || strcmp(schema->format, "+s") != 0) return frz__err(err, FRZ_INVALID, "an Arrow schema of type \"%.40s\", expected a struct (\"+s\")", schema->format ? schema->format : "");
    if (schema->n_children < 0 || (schema->n_children && !schema->children)) return frz__err(err, FRZ_INVALID, "an Arrow struct of %" PRId64 " children%s", schema->n_children, schema->children ? "" : ", which are NULL");
    if (schema->n_children > COLUMNS_MAX) return frz__err(err, FRZ_TOO_LARGE, "an Arrow struct of %" PRId64 " columns; the limit is %d", schema->n_children, COLUMNS_MAX);
    TRY(ALLOC_NEW(&in, a, struct arrow_in, err));
    in->a = a;
    in->fields = (struct arrow_field *)frz__alloc_array(a, (size_t)schema->n_children + 1, sizeof *in->fields);
    int rc = in->fields ? FRZ_OK : frz__err_no_memory(err, (size_t)schema->n_children * sizeof *in->fields);
    for (size_t i = 0; rc >= 0 && i < (size_t)schema->n_children; i++) {
        struct arrow_field *f = &in->fields[in->count++];
        rc = read_field(a, schema->children[i], f, err);
        if (rc == FRZ_INVALID || rc == FRZ_UNSUPPORTED) frz__err_context(err, "column \"%.*s\"", f->name ? frz__name_shown(slice_str(f->name)) : 1, f->name ? f->name : "?");
    }
    if (rc < 0) {
        frz__arrow_in_free(in);
        return rc;
    }
    *out = in;
    return FRZ_OK;
}

void frz__arrow_in_free(struct arrow_in *in)
{
    if (!in) return;
    for (size_t i = 0; in->fields && i < in->count; i++) {
        frz__free(in->a, in->fields[i].name);
        frz__free(in->a, in->fields[i].shape);
    }
    frz__free(in->a, in->fields);
    frz__free(in->a, in);
}

static int field_context(const struct arrow_field *f, int rc, frz_error *err)
{
    if (rc < 0 && rc != FRZ_NO_MEMORY) frz__err_context(err, "column \"%.*s\"", frz__name_shown(slice_str(f->name)), f->name);
    return rc;
}

int frz__arrow_in_fits(const struct arrow_in *in, size_t column, frz_type t, frz_error *err)
{
    const struct arrow_field *f = &in->fields[column];
    const struct arrow_shape *s = f->shape;
    char from[TYPE_TEXT_BYTES], to[TYPE_TEXT_BYTES];
    bool ok = false;
    switch (s->cls) {
    case AC_NULL: ok = true; break;
    case AC_BOOL: ok = t.id == FRZ_BOOLEAN; break;
    case AC_NUMBER: ok = t.id == FRZ_INT || t.id == FRZ_LONG || t.id == FRZ_DECIMAL; break;
    case AC_DATE: ok = t.id == FRZ_DATE; break;
    case AC_TIME: ok = t.id == FRZ_TIME; break;
    case AC_STAMP: ok = t.id == FRZ_TIMESTAMP || t.id == FRZ_TIMESTAMP_NS; break;
    case AC_STAMPTZ: ok = t.id == FRZ_TIMESTAMPTZ || t.id == FRZ_TIMESTAMPTZ_NS; break;
    case AC_FLOAT: ok = t.id == FRZ_FLOAT || t.id == FRZ_DOUBLE; break;
    case AC_STRING: ok = type_is_var(t); break;
    case AC_BINARY: ok = t.id == FRZ_BINARY || ((t.id == FRZ_FIXED || t.id == FRZ_UUID) && (s->kind != AK_FIXED || s->width == frz__type_width(t))); break;
    }
    return ok ? FRZ_OK : field_context(f, frz__err(err, FRZ_INVALID, "%s in Arrow cannot become %s", frz__type_text(f->type, from), frz__type_text(t, to)), err);
}

/* ── arrays ── */

static int check_values(const struct ArrowArray *v, const struct arrow_shape *s, enum arrow_kind kind, const char *what, frz_error *err)
{
    if (!v || !v->release) return frz__err(err, FRZ_INVALID, "its Arrow %s is %s", what, v ? "released" : "NULL");
    if (v->length < 0 || v->offset < 0 || v->length > INT64_MAX / 64 || v->offset > INT64_MAX / 64) return frz__err(err, FRZ_INVALID, "an Arrow %s of length %" PRId64 " at offset %" PRId64, what, v->length, v->offset);
    if (v->null_count < -1 || v->null_count > v->length) return frz__err(err, FRZ_INVALID, "an Arrow %s of %" PRId64 " nulls in %" PRId64 " values", what, v->null_count, v->length);
    if (v->n_children) return frz__err(err, FRZ_INVALID, "an Arrow %s of a flat type has %" PRId64 " children", what, v->n_children);
    if (kind == AK_NULL) return FRZ_OK;
    int64_t want = kind == AK_VAR32 || kind == AK_VAR64 ? 3 : 2;
    bool right = kind == AK_VIEW ? v->n_buffers >= 3 && v->n_buffers <= INT32_MAX : v->n_buffers == want;
    if (!right) return frz__err(err, FRZ_INVALID, "an Arrow %s of %" PRId64 " buffers, expected %" PRId64 "%s", what, v->n_buffers, kind == AK_VIEW ? (int64_t)3 : want, kind == AK_VIEW ? " at least" : "");
    if (!v->buffers) return frz__err(err, FRZ_INVALID, "an Arrow %s without buffers", what);
    if (!v->buffers[0] && v->null_count > 0) return frz__err(err, FRZ_INVALID, "an Arrow %s has %" PRId64 " nulls, but no validity", what, v->null_count);
    size_t width = frz__arrow_kind_width(s, kind), bytes;
    if (v->length && !v->buffers[1] && (width || kind != AK_FIXED)) return frz__err(err, FRZ_INVALID, "an Arrow %s of %" PRId64 " values without their buffer", what, v->length);
    if (__builtin_mul_overflow((size_t)(v->offset + v->length), width, &bytes) || bytes > SIZE_MAX / 2) return frz__err(err, FRZ_INVALID, "an Arrow %s of length %" PRId64 " at offset %" PRId64, what, v->length, v->offset);
    if (kind == AK_VIEW && v->n_buffers > 3 && !v->buffers[v->n_buffers - 1]) return frz__err(err, FRZ_INVALID, "an Arrow %s of views without the sizes of their buffers", what);
    return FRZ_OK;
}

static int check_column(const struct arrow_field *f, const struct ArrowArray *c, int64_t rows, frz_error *err)
{
    const struct arrow_shape *s = f->shape;
    TRY(check_values(c, s, s->dictionary ? s->index : s->kind, "array", err));
    if (rows > c->length) return frz__err(err, FRZ_INVALID, "an Arrow array of %" PRId64 " values in a batch of %" PRId64, c->length, rows);
    if (!s->dictionary) return c->dictionary ? frz__err(err, FRZ_INVALID, "an Arrow array with a dictionary that its schema does not have") : FRZ_OK;
    TRY(check_values(c->dictionary, s, s->kind, "dictionary", err));
    return c->dictionary->dictionary ? frz__err(err, FRZ_INVALID, "an Arrow dictionary with a dictionary that its schema does not have") : FRZ_OK;
}

int frz__arrow_in_check(const struct arrow_in *in, const struct ArrowArray *array, frz_error *err)
{
    if (!array || !array->release) return frz__err(err, FRZ_INVALID, "the Arrow batch is %s", array ? "released" : "NULL");
    if (array->length < 0 || array->offset < 0 || array->length > INT64_MAX / 64 || array->offset > INT64_MAX / 64)
        return frz__err(err, FRZ_INVALID, "an Arrow batch of length %" PRId64 " at offset %" PRId64, array->length, array->offset);
    if (array->n_children < 0 || (uint64_t)array->n_children != in->count) return frz__err(err, FRZ_INVALID, "an Arrow batch of %" PRId64 " columns, its schema has %zu", array->n_children, in->count);
    if (in->count && !array->children) return frz__err(err, FRZ_INVALID, "an Arrow batch without its columns");
    if (array->null_count != 0 && array->n_buffers > 0 && array->buffers && array->buffers[0]) {
        const uint8_t *valid = (const uint8_t *)array->buffers[0];
        for (int64_t i = 0; i < array->length; i++)
            if (!bit_get(valid, (size_t)(array->offset + i))) return frz__err(err, FRZ_INVALID, "row %" PRId64 " of an Arrow batch is null itself", i);
    } else if (array->null_count > 0) {
        return frz__err(err, FRZ_INVALID, "an Arrow batch of %" PRId64 " rows that are null themselves", array->null_count);
    }
    for (size_t i = 0; i < in->count; i++) TRY(field_context(&in->fields[i], check_column(&in->fields[i], array->children[i], array->offset + array->length, err), err));
    return FRZ_OK;
}

/* ── rows ── */

static void copy_bits(uint8_t *out, const uint8_t *in, size_t from, size_t count)
{
    if (from % 8 == 0) {
        memcpy(out, in + from / 8, bits_bytes(count));
        return;
    }
    size_t i = 0, shift = from % 8;
    for (const uint8_t *p = in + from / 8; i + 8 <= count; i += 8, p++) out[i / 8] = (uint8_t)(p[0] >> shift | p[1] << (8 - shift));
    for (; i < count; i++) bit_put(out, i, bit_get(in, from + i));
}

static const uint8_t *validity_of(const struct ArrowArray *v) { return v->null_count != 0 ? (const uint8_t *)v->buffers[0] : NULL; }

/* Validity of the column itself, dictionary or not. */
static int take_validity(const struct ArrowArray *c, size_t first, size_t count, struct vec *out, frz_error *err)
{
    const uint8_t *valid = validity_of(c);
    if (valid) {
        TRY(frz__vec_need_validity(out, err));
        copy_bits(out->validity, valid, first, count);
    } else if (out->validity) {
        memset(out->validity, 0xFF, bits_bytes(count));
    }
    return FRZ_OK;
}

/* Dictionary indexes as positions; a null in the dictionary makes the row null. */
static int take_indexes(const struct arrow_shape *s, const struct ArrowArray *c, size_t first, size_t count, size_t *index, struct vec *out, size_t *bad, frz_error *err)
{
    const struct ArrowArray *d = c->dictionary;
    const uint8_t *p = (const uint8_t *)c->buffers[1], *valid = s->kind == AK_NULL ? NULL : validity_of(d);
    size_t width = frz__arrow_kind_width(s, s->index);
    bool is_signed = s->index == AK_I8 || s->index == AK_I16 || s->index == AK_I32 || s->index == AK_I64;
    if (valid || s->kind == AK_NULL) TRY(frz__vec_need_validity(out, err));
    for (size_t i = 0; i < count; i++) {
        uint64_t v = 0;
        index[i] = 0;
        if (out->validity && !bit_get(out->validity, i)) continue;
        memcpy(&v, p + (first + i) * width, width);
        if (is_signed && v >> (8 * width - 1)) {
            *bad = i;
            return frz__err(err, FRZ_INVALID, "a negative dictionary index");
        }
        if (v >= (uint64_t)d->length) {
            *bad = i;
            return frz__err(err, FRZ_INVALID, "dictionary index %" PRIu64 " of %" PRId64, v, d->length);
        }
        index[i] = (size_t)d->offset + (size_t)v;
        if (s->kind != AK_NULL && (!valid || bit_get(valid, index[i]))) continue;
        FRZ_ASSERT(out->validity);
        bit_clear(out->validity, i);
    }
    return FRZ_OK;
}

static void take_bits(const struct arrow_rows *r, struct vec *out)
{
    const uint8_t *bits = (const uint8_t *)r->values->buffers[1];
    if (!r->index) copy_bits(out->data, bits, r->first, r->count);
    for (size_t i = 0; i < r->count; i++) {
        bool null = vec_is_null(out, i);
        if (r->index || null) bit_put(out->data, i, !null && bit_get(bits, arrow_at(r, i)));
    }
}

static int take_values(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err)
{
    switch (r->shape->cls) {
    case AC_BOOL: take_bits(r, out); return FRZ_OK;
    case AC_FLOAT: return frz__arrow_floats(r, out, bad, err);
    case AC_STRING:
    case AC_BINARY: return frz__arrow_bytes(r, out, bad, err);
    default: return frz__arrow_numbers(r, out, bad, err);
    }
}

int frz__arrow_in_rows(const struct arrow_in *in, const struct ArrowArray *array, size_t column, size_t from, size_t count, uint64_t row_base, struct vec *out, frz_error *err)
{
    const struct arrow_field *f = &in->fields[column];
    const struct arrow_shape *s = f->shape;
    const struct ArrowArray *c = array->children[column];
    size_t *index = NULL, bad = ARROW_NO_ROW, first = (size_t)array->offset + (size_t)c->offset + from;
    int rc = FRZ_OK;
    FRZ_ASSERT(from + count <= (size_t)array->length);
    vec_reset(out);
    if (count == 0) return FRZ_OK;
    if (s->kind == AK_NULL && !s->dictionary) return frz__vec_append_nulls(out, count, err);
    CHECK(frz__vec_reserve(out, count, 0, err));
    CHECK(take_validity(c, first, count, out, err));
    struct arrow_rows r = {c, s, first, NULL, count};
    if (s->dictionary) {
        index = (size_t *)frz__alloc_array(in->a, count, sizeof *index);
        if (!index) CHECK(frz__err_no_memory(err, count * sizeof *index));
        CHECK(take_indexes(s, c, first, count, index, out, &bad, err));
        r.values = c->dictionary;
        r.index = index;
    }
    size_t nulls = out->validity ? count - bits_count(out->validity, count) : 0;
    if (nulls == count) {
        CHECK(frz__vec_append_nulls(out, count, err)); /* nothing of the values is looked at */
        goto done;
    }
    CHECK(take_values(&r, out, &bad, err));
    out->len = count;
    out->nulls = nulls;
done:
    frz__free(in->a, index);
    if (rc < 0) {
        vec_reset(out);
        if (bad != ARROW_NO_ROW) frz__err_context(err, "row %" PRIu64, row_base + from + bad);
        return field_context(f, rc, err);
    }
    return FRZ_OK;
}
