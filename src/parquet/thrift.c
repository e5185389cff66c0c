#include "parquet/thrift.h"

#include <stdio.h>

/* ── writer ── */

static void w_byte(struct thrift_w *w, uint8_t b)
{
    if (w->rc >= 0) w->rc = buf_append_byte(w->out, b, w->err);
}
static void w_varint(struct thrift_w *w, uint64_t v)
{
    if (w->rc >= 0) w->rc = buf_append_varint(w->out, v, w->err);
}
static void w_bytes(struct thrift_w *w, slice s)
{
    w_varint(w, s.len);
    if (w->rc >= 0) w->rc = buf_append_slice(w->out, s, w->err);
}

static void w_field(struct thrift_w *w, int id, uint8_t type)
{
    FRZ_ASSERT(w->depth >= 0 && id > 0);
    int delta = id - w->last[w->depth];
    if (delta >= 1 && delta <= 15) {
        w_byte(w, (uint8_t)(delta << 4 | type));
    } else {
        w_byte(w, type);
        w_varint(w, zigzag_encode(id));
    }
    w->last[w->depth] = id;
}

void frz__tw_begin(struct thrift_w *w)
{
    FRZ_ASSERT(w->depth + 1 < THRIFT_DEPTH_MAX);
    w->last[++w->depth] = 0;
}
void frz__tw_end(struct thrift_w *w)
{
    FRZ_ASSERT(w->depth >= 0);
    w_byte(w, TT_STOP);
    w->depth--;
}
void frz__tw_bool(struct thrift_w *w, int id, bool v) { w_field(w, id, v ? TT_TRUE : TT_FALSE); }
void frz__tw_i8(struct thrift_w *w, int id, int8_t v)
{
    w_field(w, id, TT_I8);
    w_byte(w, (uint8_t)v);
}
void frz__tw_i16(struct thrift_w *w, int id, int16_t v)
{
    w_field(w, id, TT_I16);
    w_varint(w, zigzag_encode(v));
}
void frz__tw_i32(struct thrift_w *w, int id, int32_t v)
{
    w_field(w, id, TT_I32);
    w_varint(w, zigzag_encode(v));
}
void frz__tw_i64(struct thrift_w *w, int id, int64_t v)
{
    w_field(w, id, TT_I64);
    w_varint(w, zigzag_encode(v));
}
void frz__tw_bin(struct thrift_w *w, int id, slice v)
{
    w_field(w, id, TT_BINARY);
    w_bytes(w, v);
}
void frz__tw_struct(struct thrift_w *w, int id)
{
    w_field(w, id, TT_STRUCT);
    frz__tw_begin(w);
}
void frz__tw_empty(struct thrift_w *w, int id)
{
    frz__tw_struct(w, id);
    frz__tw_end(w);
}
void frz__tw_list(struct thrift_w *w, int id, enum thrift_type elem, size_t count)
{
    w_field(w, id, TT_LIST);
    if (count < 15) {
        w_byte(w, (uint8_t)(count << 4 | elem));
    } else {
        w_byte(w, (uint8_t)(0xF0 | elem));
        w_varint(w, count);
    }
}
void frz__tw_elem_bool(struct thrift_w *w, bool v) { w_byte(w, v ? TT_TRUE : TT_FALSE); }
void frz__tw_elem_int(struct thrift_w *w, int64_t v) { w_varint(w, zigzag_encode(v)); }
void frz__tw_elem_bin(struct thrift_w *w, slice v) { w_bytes(w, v); }
int frz__tw_done(struct thrift_w *w)
{
    FRZ_ASSERT(w->rc < 0 || w->depth == -1);
    return w->rc;
}

/* ── reader ── */

void frz__tr_fail(struct thrift_r *r, const char *fmt, ...)
{
    if (r->rc < 0) return;
    char why[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    r->rc = frz__err_corrupt(r->err, "%s: byte %zu of %zu: %s", r->what, tr_used(r), (size_t)(r->end - r->start), why);
    r->end = r->p; /* nothing more is read */
}
static void r_cut(struct thrift_r *r)
{
    if (r->rc < 0) return;
    r->cut = true;
    frz__tr_fail(r, "cut");
}
static uint8_t r_byte(struct thrift_r *r)
{
    if (r->p < r->end) return *r->p++;
    r_cut(r);
    return 0;
}
static uint64_t r_varint(struct thrift_r *r)
{
    uint64_t v;
    if (varint_get(&r->p, r->end, &v)) return v;
    if (r->end - r->p < VARINT_BYTES_MAX)
        r_cut(r);
    else
        frz__tr_fail(r, "a number of more than 64 bits");
    return 0;
}
static int64_t r_zigzag(struct thrift_r *r) { return zigzag_decode(r_varint(r)); }
static slice r_bytes(struct thrift_r *r)
{
    uint64_t len = r_varint(r);
    if (r->rc < 0) return slice_of(NULL, 0);
    if (len > (uint64_t)(r->end - r->p)) {
        r_cut(r);
        return slice_of(NULL, 0);
    }
    slice s = slice_of(r->p, (size_t)len);
    r->p += len;
    return s;
}

void frz__tr_begin(struct thrift_r *r)
{
    if (r->depth + 1 >= THRIFT_DEPTH_MAX) {
        frz__tr_fail(r, "structs nested deeper than %d", THRIFT_DEPTH_MAX);
        return;
    }
    r->last[++r->depth] = 0;
}

bool frz__tr_next(struct thrift_r *r, struct thrift_field *f)
{
    if (r->rc < 0) return false;
    uint8_t head = r_byte(r);
    f->type = head & 15;
    if (r->rc < 0) return false;
    if (f->type == TT_STOP) {
        r->depth--;
        return false;
    }
    if (f->type > TT_STRUCT) {
        frz__tr_fail(r, "field of unknown type %d", f->type);
        return false;
    }
    int64_t id = head >> 4 ? r->last[r->depth] + (head >> 4) : r_zigzag(r);
    if (r->rc >= 0 && (id < INT16_MIN || id > INT16_MAX)) frz__tr_fail(r, "field id %" PRId64, id);
    if (r->rc < 0) return false;
    r->last[r->depth] = f->id = (int)id;
    return true;
}

static bool r_want(struct thrift_r *r, struct thrift_field f, bool ok, const char *want)
{
    if (r->rc < 0) return false;
    if (!ok) frz__tr_fail(r, "field %d: expected %s, found type %d", f.id, want, f.type);
    return ok;
}

bool frz__tr_bool(struct thrift_r *r, struct thrift_field f) { return r_want(r, f, f.type == TT_TRUE || f.type == TT_FALSE, "a boolean") && f.type == TT_TRUE; }

int64_t frz__tr_int(struct thrift_r *r, struct thrift_field f)
{
    if (!r_want(r, f, f.type >= TT_I8 && f.type <= TT_I64, "an integer")) return 0;
    return f.type == TT_I8 ? (int8_t)r_byte(r) : r_zigzag(r);
}

int32_t frz__tr_i32(struct thrift_r *r, struct thrift_field f)
{
    int64_t v = frz__tr_int(r, f);
    if (v >= INT32_MIN && v <= INT32_MAX) return (int32_t)v;
    frz__tr_fail(r, "field %d: %" PRId64 " does not fit 32 bits", f.id, v);
    return 0;
}

slice frz__tr_bin(struct thrift_r *r, struct thrift_field f)
{
    if (!r_want(r, f, f.type == TT_BINARY, "bytes")) return slice_of(NULL, 0);
    return r_bytes(r);
}

/* Header of a list or set. Gives the count; *ELEM = the elements' type. */
static size_t r_list(struct thrift_r *r, uint8_t *elem, size_t bytes_min)
{
    uint8_t head = r_byte(r);
    uint64_t n = head >> 4;
    *elem = head & 15;
    if (n == 15) n = r_varint(r);
    if (r->rc < 0) return 0;
    if (n > (uint64_t)(r->end - r->p) / (bytes_min ? bytes_min : 1)) {
        r_cut(r);
        return 0;
    }
    return (size_t)n;
}

size_t frz__tr_list(struct thrift_r *r, struct thrift_field f, enum thrift_type elem, size_t bytes_min)
{
    uint8_t found;
    if (!r_want(r, f, f.type == TT_LIST || f.type == TT_SET, "a list")) return 0;
    size_t n = r_list(r, &found, bytes_min);
    if (n == 0) return 0;
    bool ok = elem == TT_TRUE ? found == TT_TRUE || found == TT_FALSE : elem == TT_I32 || elem == TT_I64 ? found >= TT_I16 && found <= TT_I64 : found == elem;
    if (!ok) frz__tr_fail(r, "field %d: a list of type %d, found type %d", f.id, elem, found);
    return r->rc < 0 ? 0 : n;
}

bool frz__tr_elem_bool(struct thrift_r *r) { return r_byte(r) == TT_TRUE; }
int64_t frz__tr_elem_int(struct thrift_r *r) { return r_zigzag(r); }
slice frz__tr_elem_bin(struct thrift_r *r) { return r_bytes(r); }

static void skip_value(struct thrift_r *r, uint8_t type, int depth);

static void skip_elem(struct thrift_r *r, uint8_t type, int depth)
{
    if (type == TT_TRUE || type == TT_FALSE)
        (void)r_byte(r); /* inside a list a boolean has a byte */
    else
        skip_value(r, type, depth);
}

static void skip_value(struct thrift_r *r, uint8_t type, int depth)
{
    if (depth >= THRIFT_DEPTH_MAX) {
        frz__tr_fail(r, "values nested deeper than %d", THRIFT_DEPTH_MAX);
        return;
    }
    switch (type) {
    case TT_TRUE:
    case TT_FALSE: return;
    case TT_I8: (void)r_byte(r); return;
    case TT_I16:
    case TT_I32:
    case TT_I64: (void)r_varint(r); return;
    case TT_DOUBLE:
        if (r->end - r->p < 8)
            r_cut(r);
        else
            r->p += 8;
        return;
    case TT_BINARY: (void)r_bytes(r); return;
    case TT_LIST:
    case TT_SET: {
        uint8_t elem;
        size_t n = r_list(r, &elem, 1);
        for (size_t i = 0; i < n && r->rc >= 0; i++) skip_elem(r, elem, depth + 1);
        return;
    }
    case TT_MAP: {
        uint64_t n = r_varint(r);
        if (n == 0 || r->rc < 0) return;
        uint8_t kv = r_byte(r);
        if (n > (uint64_t)(r->end - r->p) / 2) r_cut(r);
        for (uint64_t i = 0; i < n && r->rc >= 0; i++) {
            skip_elem(r, kv >> 4, depth + 1);
            skip_elem(r, kv & 15, depth + 1);
        }
        return;
    }
    case TT_STRUCT: {
        struct thrift_field f;
        frz__tr_begin(r);
        while (frz__tr_next(r, &f)) skip_value(r, f.type, depth + 1);
        return;
    }
    default: frz__tr_fail(r, "a value of unknown type %d", type);
    }
}

void frz__tr_skip(struct thrift_r *r, struct thrift_field f)
{
    if (r->rc >= 0) skip_value(r, f.type, 0);
}

int frz__tr_done(struct thrift_r *r)
{
    FRZ_ASSERT(r->rc < 0 || r->depth == -1);
    return r->rc;
}
