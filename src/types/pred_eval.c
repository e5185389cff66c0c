/* Predicates over vectors, 64 rows at a time, and over one row. Each leaf narrows the selection: a word of 64 rows that is empty already is not looked at. */
#include "types/pred_int.h"

#include "base/utf8.h"
#include "types/int128.h"

/* ── LIKE ── */

static size_t char_len(uint8_t lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

/* One part at *AT; % is the caller's. */
static bool match_part(const struct like_part *part, slice s, size_t *at)
{
    if (part->kind == LIKE_BYTES) {
        if (s.len - *at < part->bytes.len || memcmp(s.data + *at, part->bytes.data, part->bytes.len) != 0) return false;
        *at += part->bytes.len;
        return true;
    }
    if (*at == s.len) return false;
    size_t n = char_len(s.data[*at]);
    *at = n < s.len - *at ? *at + n : s.len;
    return true;
}

/* Backtracks to the last % alone: what lies before it cannot match better. */
bool frz__like_match(const struct like *l, slice s)
{
    size_t i = 0, at = 0, star = SIZE_MAX, star_at = 0;
    for (;;) {
        if (i == l->count && at == s.len) return true;
        if (i < l->count && l->parts[i].kind == LIKE_ANY) {
            star = i++;
            star_at = at;
            if (i == l->count) return true;
            continue;
        }
        if (i < l->count && match_part(&l->parts[i], s, &at)) {
            i++;
            continue;
        }
        if (star == SIZE_MAX || star_at >= s.len) return false;
        star_at += char_len(s.data[star_at]);
        if (star_at > s.len) return false;
        i = star + 1;
        at = star_at;
    }
}

/* ── words of a bit set whose last one may be short ── */

static size_t word_bytes(size_t w, size_t rows)
{
    size_t left = bits_bytes(rows) - w * 8;
    return left < 8 ? left : 8;
}
static uint64_t word_get(const uint8_t *bits, size_t w, size_t rows)
{
    uint64_t x = 0;
    size_t n = word_bytes(w, rows);
    if (n == 8) memcpy(&x, bits + w * 8, 8);
    else memcpy(&x, bits + w * 8, n);
    return x;
}
static void word_put(uint8_t *bits, size_t w, size_t rows, uint64_t x) { memcpy(bits + w * 8, &x, word_bytes(w, rows)); }

/* For each word with rows left: M = the rows for which TEST (an expression of row I) holds; then the nulls go. */
#define NARROW(TEST)                                                                                                                       \
    for (size_t w = 0; w * 64 < rows; w++) {                                                                                               \
        uint64_t left = word_get(sel, w, rows), m = 0;                                                                                     \
        if (v->validity) left &= word_get(v->validity, w, rows);                                                                           \
        if (left) {                                                                                                                        \
            size_t base = w * 64, lim = rows - base < 64 ? rows - base : 64;                                                                \
            for (size_t j = 0; j < lim; j++) {                                                                                             \
                size_t i = base + j;                                                                                                       \
                m |= (uint64_t)(TEST) << j;                                                                                                \
            }                                                                                                                              \
        }                                                                                                                                  \
        word_put(sel, w, rows, left & m);                                                                                                  \
    }
/* The operator is chosen outside of the loop. */
#define NARROW_OP(A, B)                                                                                                                    \
    switch (n->op) {                                                                                                                      \
    case PRED_EQ: NARROW((A) == (B)) break;                                                                                                \
    case PRED_NE: NARROW((A) != (B)) break;                                                                                                \
    case PRED_LT: NARROW((A) < (B)) break;                                                                                                 \
    case PRED_LE: NARROW((A) <= (B)) break;                                                                                                \
    case PRED_GT: NARROW((A) > (B)) break;                                                                                                 \
    default: NARROW((A) >= (B)) break;                                                                                                     \
    }

/* Floats as integers in our order: -0 is 0, every NaN the greatest. */
static inline int32_t f32_key(float f)
{
    int32_t b;
    memcpy(&b, &f, 4);
    if (f != f) return INT32_MAX;
    if (f == 0) return 0;
    return b < 0 ? (int32_t)((uint32_t)b ^ UINT32_C(0x7FFFFFFF)) : b;
}
static inline int64_t f64_key(double f)
{
    int64_t b;
    memcpy(&b, &f, 8);
    if (f != f) return INT64_MAX;
    if (f == 0) return 0;
    return b < 0 ? (int64_t)((uint64_t)b ^ UINT64_C(0x7FFFFFFFFFFFFFFF)) : b;
}
static inline int32_t load_i32(const struct vec *v, size_t i) { int32_t x; memcpy(&x, v->data + 4 * i, 4); return x; }
static inline int64_t load_i64(const struct vec *v, size_t i) { int64_t x; memcpy(&x, v->data + 8 * i, 8); return x; }
static inline float load_f32(const struct vec *v, size_t i) { float x; memcpy(&x, v->data + 4 * i, 4); return x; }
static inline double load_f64(const struct vec *v, size_t i) { double x; memcpy(&x, v->data + 8 * i, 8); return x; }
static inline i128 load_i128(const struct vec *v, size_t i) { frz_decimal x; memcpy(&x, v->data + 16 * i, 16); return decimal_i128(x); }

static void cmp_i32(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    int32_t x = n->value.as.i32;
    NARROW_OP(load_i32(v, i), x)
}
static void cmp_i64(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    int64_t x = n->value.as.i64;
    NARROW_OP(load_i64(v, i), x)
}
static void cmp_f32(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    int32_t x = f32_key(n->value.as.f32);
    NARROW_OP(f32_key(load_f32(v, i)), x)
}
static void cmp_f64(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    int64_t x = f64_key(n->value.as.f64);
    NARROW_OP(f64_key(load_f64(v, i)), x)
}
static void cmp_decimal(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    i128 x = decimal_i128(n->value.as.dec);
    NARROW_OP(load_i128(v, i), x)
}
/* Bytes cost more than a bit test: rows that are out already are not compared. */
#define IN_PLAY (left >> j & 1)
static void cmp_var(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    slice x = value_slice(&n->value);
    if (n->op == PRED_EQ) NARROW(IN_PLAY && slice_eq(vec_bytes(v, i), x))
    else NARROW(IN_PLAY && pred_op_holds(n->op, slice_cmp(vec_bytes(v, i), x)))
}
static void cmp_fixed(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    size_t width = frz__type_width(v->type);
    const void *x = n->value.as.bytes.data;
    NARROW(IN_PLAY && pred_op_holds(n->op, memcmp(v->data + i * width, x, width)))
}
static void cmp_boolean(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    int x = n->value.as.boolean;
    uint64_t if_false = pred_op_holds(n->op, 0 - x) ? ~UINT64_C(0) : 0, if_true = pred_op_holds(n->op, 1 - x) ? ~UINT64_C(0) : 0;
    for (size_t w = 0; w * 64 < rows; w++) {
        uint64_t data = word_get(v->data, w, rows), left = word_get(sel, w, rows);
        if (v->validity) left &= word_get(v->validity, w, rows);
        word_put(sel, w, rows, left & ((data & if_true) | (~data & if_false)));
    }
}

static void eval_cmp(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    switch (n->type.id) {
    case FRZ_BOOLEAN: cmp_boolean(n, v, rows, sel); break;
    case FRZ_INT:
    case FRZ_DATE: cmp_i32(n, v, rows, sel); break;
    case FRZ_FLOAT: cmp_f32(n, v, rows, sel); break;
    case FRZ_DOUBLE: cmp_f64(n, v, rows, sel); break;
    case FRZ_DECIMAL: cmp_decimal(n, v, rows, sel); break;
    case FRZ_STRING:
    case FRZ_BINARY: cmp_var(n, v, rows, sel); break;
    case FRZ_UUID:
    case FRZ_FIXED: cmp_fixed(n, v, rows, sel); break;
    default: cmp_i64(n, v, rows, sel); break;
    }
}

static bool int_in(const int64_t *a, size_t count, int64_t x)
{
    if (count <= 8) {
        bool found = false;
        for (size_t k = 0; k < count; k++) found |= a[k] == x;
        return found;
    }
    size_t low = 0;
    while (count > 1) { /* branch-free halving: a[low] is the last that is not above x */
        size_t half = count / 2;
        low += a[low + half] <= x ? half : 0;
        count -= half;
    }
    return a[low] == x;
}

static bool value_in(const struct pred_node *n, const struct vec *v, size_t i)
{
    frz_value x;
    frz__vec_get(v, i, &x);
    return frz__pred_in(n, &x);
}

static void eval_in(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    bool want = n->kind == PRED_IN;
    if (n->ints && type_is_i32(n->type)) NARROW(int_in(n->ints, n->count, load_i32(v, i)) == want)
    else if (n->ints) NARROW(int_in(n->ints, n->count, load_i64(v, i)) == want)
    else NARROW(IN_PLAY && value_in(n, v, i) == want)
}

static void eval_like(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    bool want = n->kind == PRED_LIKE;
    NARROW(IN_PLAY && frz__like_match(&n->like, vec_bytes(v, i)) == want)
}

static void eval_nulls(const struct pred_node *n, const struct vec *v, size_t rows, uint8_t *sel)
{
    for (size_t w = 0; w * 64 < rows; w++) {
        uint64_t valid = v->validity ? word_get(v->validity, w, rows) : ~UINT64_C(0);
        word_put(sel, w, rows, word_get(sel, w, rows) & (n->kind == PRED_NULL ? ~valid : valid));
    }
}

/* ── the tree ── */

struct eval {
    const struct vec *const *cols;
    size_t rows;
    const allocator *a;
};

static int eval_node(const struct eval *e, const struct pred_node *n, uint8_t *sel, frz_error *err);

static bool any(const uint8_t *bits, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (bits[i]) return true;
    return false;
}

/* Each child sees only the rows that no child before it let pass. */
static int eval_or(const struct eval *e, const struct pred_node *n, uint8_t *sel, frz_error *err)
{
    size_t bytes = bits_bytes(e->rows);
    uint8_t *rest = (uint8_t *)frz__alloc(e->a, bytes * 2), *one = rest + bytes;
    int rc = FRZ_OK;
    if (!rest) return frz__err_no_memory(err, bytes * 2);
    memcpy(rest, sel, bytes);
    for (size_t i = 0; i < n->count && any(rest, bytes); i++) {
        memcpy(one, rest, bytes);
        CHECK(eval_node(e, n->children[i], one, err));
        for (size_t k = 0; k < bytes; k++) rest[k] = (uint8_t)(rest[k] & ~one[k]);
    }
    for (size_t k = 0; k < bytes; k++) sel[k] = (uint8_t)(sel[k] & ~rest[k]);
done:
    frz__free(e->a, rest);
    return rc;
}

static int eval_node(const struct eval *e, const struct pred_node *n, uint8_t *sel, frz_error *err)
{
    size_t bytes = bits_bytes(e->rows);
    switch (n->kind) {
    case PRED_FALSE: memset(sel, 0, bytes); return FRZ_OK;
    case PRED_TRUE: return FRZ_OK;
    case PRED_AND:
        for (size_t i = 0; i < n->count && any(sel, bytes); i++) TRY(eval_node(e, n->children[i], sel, err));
        return FRZ_OK;
    case PRED_OR: return eval_or(e, n, sel, err);
    default: break;
    }
    const struct vec *v = e->cols[n->column];
    FRZ_VERIFY(v && frz__type_eq(v->type, n->type), err);
    FRZ_VERIFY(v->len >= e->rows, err);
    switch (n->kind) {
    case PRED_CMP: eval_cmp(n, v, e->rows, sel); break;
    case PRED_IN:
    case PRED_NOT_IN: eval_in(n, v, e->rows, sel); break;
    case PRED_LIKE:
    case PRED_NOT_LIKE: eval_like(n, v, e->rows, sel); break;
    default: eval_nulls(n, v, e->rows, sel); break;
    }
    return FRZ_OK;
}

int frz__pred_eval(const struct pred *p, const struct vec *const *cols, size_t rows, uint8_t *selected, frz_error *err)
{
    struct eval e = {cols, rows, p->a};
    if (rows == 0) return FRZ_OK;
    return eval_node(&e, p->root, selected, err);
}

/* ── one row ── */

static bool row_passes(const struct pred_node *n, const frz_value *values)
{
    switch (n->kind) {
    case PRED_FALSE: return false;
    case PRED_TRUE: return true;
    case PRED_AND:
        for (size_t i = 0; i < n->count; i++)
            if (!row_passes(n->children[i], values)) return false;
        return true;
    case PRED_OR:
        for (size_t i = 0; i < n->count; i++)
            if (row_passes(n->children[i], values)) return true;
        return false;
    default: break;
    }
    const frz_value *v = &values[n->column];
    if (n->kind == PRED_NULL || n->kind == PRED_NOT_NULL) return value_is_null(v) == (n->kind == PRED_NULL);
    if (value_is_null(v)) return false;
    FRZ_ASSERT(v->type == n->type.id);
    switch (n->kind) {
    case PRED_CMP: return pred_op_holds(n->op, frz__value_cmp(v, &n->value));
    case PRED_IN: return frz__pred_in(n, v);
    case PRED_NOT_IN: return !frz__pred_in(n, v);
    case PRED_LIKE: return frz__like_match(&n->like, value_slice(v));
    default: return !frz__like_match(&n->like, value_slice(v));
    }
}

bool frz__pred_eval_row(const struct pred *p, const frz_value *values) { return row_passes(p->root, values); }
