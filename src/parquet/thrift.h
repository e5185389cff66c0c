/* thrift.h — Thrift's compact protocol, as Parquet's footers and page headers have it: a writer into a buf, and a reader over borrowed bytes.
 *
 * Design      both are sticky: the first failure stays in `rc`, all calls after it do nothing and give zeroes, so that a run of calls is checked once, by _end. A struct is read by a loop:
 *                 frz__tr_begin(r); while (frz__tr_next(r, &f)) switch (f.id) { case 1: x = frz__tr_i32(r, f); break; default: frz__tr_skip(r, f); }
 * Invariants  (1) the reader never looks past its bytes  (2) nesting is bounded by THRIFT_DEPTH_MAX  (3) a list's count is believed only if its elements can fit in what is left
 * Threads     one each
 * Source      thrift/doc/specs/thrift-compact-protocol.md                                                                                   */
#ifndef FRZ_PARQUET_THRIFT_H
#define FRZ_PARQUET_THRIFT_H
#include "base/coding.h"

enum thrift_type { TT_STOP = 0, TT_TRUE = 1, TT_FALSE = 2, TT_I8 = 3, TT_I16 = 4, TT_I32 = 5, TT_I64 = 6, TT_DOUBLE = 7, TT_BINARY = 8, TT_LIST = 9, TT_SET = 10, TT_MAP = 11, TT_STRUCT = 12 };
#define THRIFT_DEPTH_MAX 24

/* ── writer ── */
struct thrift_w {
    struct buf *out;
    frz_error *err;
    int rc, depth;
    int last[THRIFT_DEPTH_MAX]; /* field id before, a level */
};
/* Begun inside no struct: the first call is frz__tw_begin. */
#define THRIFT_W_INIT(out_, err_) ((struct thrift_w){.out = (out_), .err = (err_), .depth = -1})
void frz__tw_begin(struct thrift_w *w); /* a struct that is the whole message, or an element of a list */
void frz__tw_end(struct thrift_w *w);   /* of the innermost struct */
void frz__tw_bool(struct thrift_w *w, int id, bool v);
void frz__tw_i8(struct thrift_w *w, int id, int8_t v);
void frz__tw_i16(struct thrift_w *w, int id, int16_t v);
void frz__tw_i32(struct thrift_w *w, int id, int32_t v);
void frz__tw_i64(struct thrift_w *w, int id, int64_t v);
void frz__tw_bin(struct thrift_w *w, int id, slice v);
void frz__tw_struct(struct thrift_w *w, int id); /* begins it; frz__tw_end ends it */
void frz__tw_empty(struct thrift_w *w, int id);  /* a struct without fields: a union's member */
/* Begins a list; exactly COUNT elements must follow. ELEM: TT_TRUE for booleans. */
void frz__tw_list(struct thrift_w *w, int id, enum thrift_type elem, size_t count);
void frz__tw_elem_bool(struct thrift_w *w, bool v);
void frz__tw_elem_int(struct thrift_w *w, int64_t v); /* i16, i32, i64 */
void frz__tw_elem_bin(struct thrift_w *w, slice v);
FRZ_NODISCARD int frz__tw_done(struct thrift_w *w); /* the first failure; every struct must be ended */

/* ── reader ── */
struct thrift_r {
    const uint8_t *start, *p, *end;
    const char *what; /* for messages: "footer", "page header" */
    frz_error *err;
    int rc, depth;
    bool cut; /* failed only for want of bytes */
    int last[THRIFT_DEPTH_MAX];
};
struct thrift_field { int id; uint8_t type; };
#define THRIFT_R_INIT(bytes_, what_, err_) \
    ((struct thrift_r){.start = (bytes_).data, .p = (bytes_).data, .end = (bytes_).data + (bytes_).len, .what = (what_), .err = (err_), .depth = -1})
void frz__tr_begin(struct thrift_r *r);
/* false at the struct's end and after a failure. Each field must be read or skipped. */
bool frz__tr_next(struct thrift_r *r, struct thrift_field *f);
bool frz__tr_bool(struct thrift_r *r, struct thrift_field f);
int64_t frz__tr_int(struct thrift_r *r, struct thrift_field f); /* any integer type */
int32_t frz__tr_i32(struct thrift_r *r, struct thrift_field f); /* checked to fit */
slice frz__tr_bin(struct thrift_r *r, struct thrift_field f);   /* borrowed from the bytes; data is never NULL but after a failure */
/* Begins a list of ELEM, whose elements take at least BYTES_MIN each: its count. */
size_t frz__tr_list(struct thrift_r *r, struct thrift_field f, enum thrift_type elem, size_t bytes_min);
bool frz__tr_elem_bool(struct thrift_r *r);
int64_t frz__tr_elem_int(struct thrift_r *r);
slice frz__tr_elem_bin(struct thrift_r *r);
void frz__tr_skip(struct thrift_r *r, struct thrift_field f);
/* Fails the reader: FRZ_CORRUPT with what is read, and where. */
void frz__tr_fail(struct thrift_r *r, const char *fmt, ...) FRZ_PRINTF(2, 3);
FRZ_NODISCARD int frz__tr_done(struct thrift_r *r);
static inline size_t tr_used(const struct thrift_r *r) { return (size_t)(r->p - r->start); }
#endif
