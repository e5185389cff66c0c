#include "iceberg/ice_avro.h"

#include "base/utf8.h"

static const char *kind_name(enum avro_kind k)
{
    static const char *const names[] = {"null", "a boolean", "a number", "a real", "bytes", "a list", "a record"};
    return names[k];
}

int frz__ice_get_kind(const struct avro_value *record, struct ice_field f, enum avro_kind kind, const struct avro_value **out, frz_error *err)
{
    const struct avro_value *v = frz__avro_field(record, f.id);
    *out = v;
    if (!v || v->kind == kind) return FRZ_OK;
    return frz__err_corrupt(err, "%s (%" PRId32 "): expected %s, found %s", f.name, f.id, kind_name(kind), kind_name(v->kind));
}

static int missing(struct ice_field f, frz_error *err) { return frz__err_corrupt(err, "%s (%" PRId32 ") is missing", f.name, f.id); }

int frz__ice_get_long(const struct avro_value *record, struct ice_field f, int64_t min, int64_t max, int64_t *out, frz_error *err)
{
    const struct avro_value *v;
    TRY(frz__ice_get_kind(record, f, AVRO_LONG, &v, err));
    if (!v) return FRZ_OK;
    if (v->as.i64 < min || v->as.i64 > max)
        return frz__err_corrupt(err, "%s (%" PRId32 "): expected %" PRId64 " to %" PRId64 ", found %" PRId64, f.name, f.id, min, max, v->as.i64);
    *out = v->as.i64;
    return FRZ_OK;
}

int frz__ice_need_long(const struct avro_value *record, struct ice_field f, int64_t min, int64_t max, int64_t *out, frz_error *err)
{
    return frz__avro_field(record, f.id) ? frz__ice_get_long(record, f, min, max, out, err) : missing(f, err);
}

int frz__ice_get_int(const struct avro_value *record, struct ice_field f, int32_t min, int32_t max, int32_t *out, frz_error *err)
{
    int64_t v = *out;
    TRY(frz__ice_get_long(record, f, min, max, &v, err));
    *out = (int32_t)v;
    return FRZ_OK;
}

int frz__ice_keep(struct arena *ar, slice s, slice *out, frz_error *err)
{
    uint8_t *p = (uint8_t *)arena_alloc(ar, s.len ? s.len : 1, 1);
    if (!p) return frz__err_no_memory(err, s.len);
    if (s.len) memcpy(p, s.data, s.len);
    *out = slice_of(p, s.len);
    return FRZ_OK;
}

int frz__ice_get_bytes(struct arena *ar, const struct avro_value *record, struct ice_field f, slice *out, frz_error *err)
{
    const struct avro_value *v;
    TRY(frz__ice_get_kind(record, f, AVRO_BYTES, &v, err));
    return v ? frz__ice_keep(ar, v->as.bytes, out, err) : FRZ_OK;
}

int frz__ice_need_bytes(struct arena *ar, const struct avro_value *record, struct ice_field f, slice *out, frz_error *err)
{
    return frz__avro_field(record, f.id) ? frz__ice_get_bytes(ar, record, f, out, err) : missing(f, err);
}

int frz__ice_get_text(struct arena *ar, const struct avro_value *record, struct ice_field f, slice *out, frz_error *err)
{
    slice s = slice_of(NULL, 0);
    TRY(frz__ice_get_bytes(ar, record, f, &s, err));
    if (!s.data) return FRZ_OK;
    if (frz__utf8_check(s) != s.len) return frz__err_corrupt(err, "%s (%" PRId32 ") is no UTF-8", f.name, f.id);
    *out = s;
    return FRZ_OK;
}

int frz__ice_need_text(struct arena *ar, const struct avro_value *record, struct ice_field f, slice *out, frz_error *err)
{
    return frz__avro_field(record, f.id) ? frz__ice_get_text(ar, record, f, out, err) : missing(f, err);
}

int frz__ice_no_key(const struct avro_value *record, struct ice_field f, frz_error *err)
{
    const struct avro_value *v;
    TRY(frz__ice_get_kind(record, f, AVRO_BYTES, &v, err));
    if (v && v->as.bytes.len) return frz__err(err, FRZ_UNSUPPORTED, "%s (%" PRId32 "): encrypted tables are not supported", f.name, f.id);
    return FRZ_OK;
}

int frz__ice_check_version(const struct avro_reader *r, frz_error *err)
{
    slice v = frz__avro_meta(r, "format-version");
    int n = 0;
    if (!v.data) return FRZ_OK; /* v1's may lack it */
    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] < '0' || v.data[i] > '9' || n > 1000) return frz__err_corrupt(err, "metadata key format-version is no number");
        n = n * 10 + (v.data[i] - '0');
    }
    if (n > ICE_FORMAT_VERSION_MAX) return frz__err(err, FRZ_NEWER_FORMAT, "format version %d, at most %d is known", n, ICE_FORMAT_VERSION_MAX);
    return FRZ_OK;
}

/* ── encoder ── */

void frz__ice_put_long(struct ice_put *p, int64_t v)
{
    if (p->rc >= 0) p->rc = frz__avro_put_long(&p->out, v, p->err);
}
void frz__ice_put_bool(struct ice_put *p, bool v)
{
    if (p->rc >= 0) p->rc = frz__avro_put_bool(&p->out, v, p->err);
}
void frz__ice_put_bytes(struct ice_put *p, slice v)
{
    if (p->rc >= 0) p->rc = frz__avro_put_bytes(&p->out, v, p->err);
}
void frz__ice_put_raw(struct ice_put *p, slice v)
{
    if (p->rc >= 0) p->rc = buf_append_slice(&p->out, v, p->err);
}
void frz__ice_put_present(struct ice_put *p, bool present) { frz__ice_put_long(p, present); }
void frz__ice_put_opt_long(struct ice_put *p, bool present, int64_t v)
{
    frz__ice_put_present(p, present);
    if (present) frz__ice_put_long(p, v);
}
void frz__ice_put_opt_bytes(struct ice_put *p, slice v)
{
    frz__ice_put_present(p, v.data != NULL);
    if (v.data) frz__ice_put_bytes(p, v);
}
