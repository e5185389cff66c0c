/* Strings and binaries: with 32- and 64-bit offsets, as views, of fixed width. */
#include "arrow/arrow_in_int.h"

#include "base/coding.h"
#include "base/utf8.h"

static int err_offsets(int64_t from, int64_t to, frz_error *err) { return frz__err(err, FRZ_INVALID, "Arrow offsets go from %" PRId64 " to %" PRId64, from, to); }

static int view_at(const struct ArrowArray *v, const uint8_t *p, slice *out, frz_error *err)
{
    int32_t len = (int32_t)load_u32(p), buffer = (int32_t)load_u32(p + 8), offset = (int32_t)load_u32(p + 12);
    if (len < 0) return frz__err(err, FRZ_INVALID, "an Arrow view of %d bytes", (int)len);
    *out = slice_of(p + 4, (size_t)len);
    if (len <= 12) return FRZ_OK;
    int64_t buffers = v->n_buffers - 3, size;
    if (buffer < 0 || buffer >= buffers) return frz__err(err, FRZ_INVALID, "an Arrow view into buffer %d of %" PRId64, (int)buffer, buffers);
    memcpy(&size, (const uint8_t *)v->buffers[v->n_buffers - 1] + (size_t)buffer * 8, 8);
    if (offset < 0 || (int64_t)offset + len > size || !v->buffers[2 + buffer])
        return frz__err(err, FRZ_INVALID, "an Arrow view of %d bytes at %d of a buffer of %" PRId64, (int)len, (int)offset, v->buffers[2 + buffer] ? size : 0);
    *out = slice_of((const uint8_t *)v->buffers[2 + buffer] + offset, (size_t)len);
    return FRZ_OK;
}

/* The value at physical position AT. */
static int bytes_at(const struct arrow_rows *r, size_t at, slice *out, frz_error *err)
{
    const struct ArrowArray *v = r->values;
    const uint8_t *p = (const uint8_t *)v->buffers[1];
    int64_t from, to;
    switch (r->shape->kind) {
    case AK_FIXED: *out = slice_of(p ? p + at * r->shape->width : (const uint8_t *)"", r->shape->width); return FRZ_OK;
    case AK_VIEW: return view_at(v, p + at * 16, out, err);
    case AK_VAR32:
        from = (int32_t)load_u32(p + at * 4);
        to = (int32_t)load_u32(p + at * 4 + 4);
        break;
    default:
        memcpy(&from, p + at * 8, 8);
        memcpy(&to, p + at * 8 + 8, 8);
        break;
    }
    if (from < 0 || to < from) return err_offsets(from, to, err);
    if (to > from && !v->buffers[2]) return frz__err(err, FRZ_INVALID, "%" PRId64 " bytes of an Arrow array without the buffer of its bytes", to - from);
    *out = slice_of(to > from ? (const uint8_t *)v->buffers[2] + from : (const uint8_t *)"", (size_t)(to - from));
    return FRZ_OK;
}

static int check_utf8(slice s, frz_error *err)
{
    size_t bad = frz__utf8_check(s);
    return bad == s.len ? FRZ_OK : frz__err(err, FRZ_INVALID, "expected a string of UTF-8, found byte 0x%02x at offset %zu", s.data[bad], bad);
}

/* 32-bit offsets without gaps: offsets rebased, bytes copied in one piece. False = not so simple; nothing is known to be wrong yet. */
static bool copy_whole(const struct arrow_rows *r, struct vec *out, int *rc, frz_error *err)
{
    const uint8_t *p = (const uint8_t *)r->values->buffers[1] + r->first * 4, *data = (const uint8_t *)r->values->buffers[2];
    int32_t first = (int32_t)load_u32(p), last = first, ascending = first >= 0;
    for (size_t i = 1; i <= r->count; i++) {
        int32_t o = (int32_t)load_u32(p + i * 4);
        ascending &= o >= last;
        last = o;
    }
    if (!ascending || (last > first && !data) || (size_t)(last - first) > ARROW_IN_BYTES_MAX) return false;
    for (size_t i = 0; out->validity && i < r->count; i++)
        if (!bit_get(out->validity, i) && load_u32(p + i * 4) != load_u32(p + i * 4 + 4)) return false; /* bytes behind a null */
    slice all = slice_of(last > first ? data + first : (const uint8_t *)"", (size_t)(last - first));
    if (out->type.id == FRZ_STRING) {
        if (frz__utf8_check(all) != all.len) return false;
        for (size_t i = 0; i < r->count; i++) { /* nothing is cut within a character */
            size_t at = load_u32(p + i * 4) - (uint32_t)first;
            if (at < all.len && (all.data[at] & 0xC0) == 0x80) return false;
        }
    }
    *rc = frz__vec_reserve(out, r->count, all.len, err);
    if (*rc < 0) return true;
    if (all.len) memcpy(out->data, all.data, all.len);
    for (size_t i = 0; i <= r->count; i++) out->offsets[i] = load_u32(p + i * 4) - (uint32_t)first;
    return true;
}

static int take_var(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err)
{
    size_t total = 0;
    slice s;
    for (size_t i = 0; i < r->count; i++) {
        if (vec_is_null(out, i)) continue;
        *bad = i;
        TRY(bytes_at(r, arrow_at(r, i), &s, err));
        if (s.len > VEC_VAR_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "a value of %zu bytes", s.len);
        if (out->type.id == FRZ_STRING && r->shape->cls != AC_STRING) return frz__err(err, FRZ_BUG, "binary for a string");
        if (out->type.id == FRZ_STRING) TRY(check_utf8(s, err));
        total += s.len;
        if (total > ARROW_IN_BYTES_MAX && r->count > 1) return frz__err(err, FRZ_TOO_LARGE, "more than %zu bytes in %zu rows", ARROW_IN_BYTES_MAX, r->count);
    }
    *bad = ARROW_NO_ROW;
    TRY(frz__vec_reserve(out, r->count, total, err));
    uint32_t at = 0;
    for (size_t i = 0; i < r->count; i++) {
        out->offsets[i] = at;
        if (vec_is_null(out, i)) continue;
        TRY(bytes_at(r, arrow_at(r, i), &s, err));
        if (s.len) memcpy(out->data + at, s.data, s.len);
        at += (uint32_t)s.len;
    }
    out->offsets[r->count] = at;
    return FRZ_OK;
}

static int take_fixed(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err)
{
    size_t width = frz__type_width(out->type);
    char text[TYPE_TEXT_BYTES];
    for (size_t i = 0; i < r->count; i++) {
        slice s;
        if (vec_is_null(out, i)) {
            memset(out->data + i * width, 0, width);
            continue;
        }
        *bad = i;
        TRY(bytes_at(r, arrow_at(r, i), &s, err));
        if (s.len != width) return frz__err(err, FRZ_INVALID, "expected %zu bytes of %s, found %zu", width, frz__type_text(out->type, text), s.len);
        memcpy(out->data + i * width, s.data, width);
    }
    *bad = ARROW_NO_ROW;
    return FRZ_OK;
}

int frz__arrow_bytes(const struct arrow_rows *r, struct vec *out, size_t *bad, frz_error *err)
{
    int rc = FRZ_OK;
    if (!type_is_var(out->type)) return take_fixed(r, out, bad, err);
    if (r->shape->kind == AK_VAR32 && !r->index && copy_whole(r, out, &rc, err)) return rc;
    return take_var(r, out, bad, err);
}
