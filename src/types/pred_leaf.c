/* Leaves of a predicate: a literal becomes a value of the column's type, and the comparison is bent where no value is equal to the literal. */
#include "types/pred_int.h"

#include <stdlib.h>

#include "types/int128.h"

struct pred_node *frz__pred_node(struct arena *ar, enum pred_kind kind, const frz_schema *s, uint32_t column)
{
    struct pred_node *n = (struct pred_node *)arena_alloc(ar, sizeof *n, 16);
    if (!n) return NULL;
    *n = (struct pred_node){.kind = kind, .column = column};
    if (s) n->type = s->columns[column].type;
    return n;
}

static int node_new(struct arena *ar, enum pred_kind kind, const frz_schema *s, uint32_t column, struct pred_node **out, frz_error *err)
{
    *out = frz__pred_node(ar, kind, s, column);
    return *out ? FRZ_OK : frz__err_no_memory(err, sizeof **out);
}

/* ── literals ── */

static const char *const literal_names[] = {"NULL", "a boolean", "a number", "a text", "a DATE", "a TIME", "a TIMESTAMP", "a X'…' literal"};

static int err_literal(const struct column *c, const struct literal *l, frz_error *err)
{
    char type[TYPE_TEXT_BYTES];
    return frz__err(err, FRZ_INVALID, COLUMN_FMT " is of type %s: it cannot be compared with %s", COLUMN_ARG(c), frz__type_text(c->type, type), literal_names[l->kind]);
}

/* floor(number × 10^SCALE), and whether it is that number exactly. Beyond 38 digits: ±10^38, which is beyond every column's values. TEXT is digits[.digits][e[±]digits] with a sign or none. */
static i128 number_floor(slice text, int scale, bool *exact)
{
    const uint8_t *p = text.data, *end = p + text.len;
    bool negative = p < end && *p == '-', point = false, inexact = false;
    int64_t exponent = 0, places = 0; /* digits of the integer part, from the first that is not zero; may be negative */
    if (p < end && (*p == '-' || *p == '+')) p++;
    const uint8_t *first = NULL, *behind = p;
    for (; behind < end && *behind != 'e' && *behind != 'E'; behind++) {
        if (*behind == '.') {
            point = true;
        } else if (first || *behind != '0') {
            if (!first) first = behind;
            if (!point) places++;
        } else if (point) {
            places--;
        }
    }
    if (behind < end) {
        const uint8_t *q = behind + 1;
        bool minus = *q == '-';
        if (*q == '-' || *q == '+') q++;
        for (; q < end && exponent < 1000000; q++) exponent = exponent * 10 + (*q - '0');
        if (minus) exponent = -exponent;
    }
    *exact = true;
    if (!first) return 0;
    places += exponent + scale;
    u128 v = 0;
    if (places > 38) {
        *exact = false;
        v = u128_pow10(38);
        return negative ? -(i128)v : (i128)v;
    }
    for (p = first; p < behind; p++) {
        if (*p == '.') continue;
        if (places > 0) v = v * 10 + (*p - '0');
        else inexact = inexact || *p != '0';
        places--;
    }
    for (; places > 0; places--) v *= 10;
    *exact = !inexact;
    return negative ? -(i128)v - inexact : (i128)v;
}

static i128 type_max(frz_type t) { return t.id == FRZ_INT ? INT32_MAX : t.id == FRZ_LONG ? INT64_MAX : (i128)u128_pow10(t.precision) - 1; }
static i128 type_min(frz_type t) { return t.id == FRZ_INT ? INT32_MIN : t.id == FRZ_LONG ? INT64_MIN : -type_max(t); }

static frz_value value_of_i128(i128 v, frz_type t)
{
    frz_value x = {t.id, 0, {0}};
    if (t.id == FRZ_INT) x.as.i32 = (int32_t)v;
    else if (t.id == FRZ_LONG) x.as.i64 = (int64_t)v;
    else x.as.dec = decimal_of(v);
    return x;
}

/* A day's midnight as a value of timestamp type T. */
static int midnight(int32_t days, frz_type t, frz_value *out, frz_error *err)
{
    int64_t day = t.id == FRZ_TIMESTAMP || t.id == FRZ_TIMESTAMPTZ ? INT64_C(86400000000) : INT64_C(86400000000000);
    *out = value_i64(t.id, 0);
    if (__builtin_mul_overflow((int64_t)days, day, &out->as.i64)) return frz__err(err, FRZ_INVALID, "the date is out of the range of %s", frz__type_id_name(t.id));
    return FRZ_OK;
}

static bool is_timestamp(frz_type t) { return t.id >= FRZ_TIMESTAMP && t.id <= FRZ_TIMESTAMPTZ_NS; }

/* All but numbers for whole-number and decimal columns. Not NULL. */
static int literal_value(struct arena *ar, const struct column *c, const struct literal *l, frz_value *out, frz_error *err)
{
    frz_type t = c->type;
    frz_value day;
    bool fits = false;
    switch (l->kind) {
    case LIT_BOOL:
        if (t.id != FRZ_BOOLEAN) return err_literal(c, l, err);
        *out = (frz_value){FRZ_BOOLEAN, 0, {0}};
        out->as.boolean = l->boolean;
        return FRZ_OK;
    case LIT_NUMBER: fits = t.id == FRZ_FLOAT || t.id == FRZ_DOUBLE; break;
    case LIT_TEXT: fits = true; break;
    case LIT_DATE: fits = t.id == FRZ_DATE || is_timestamp(t); break;
    case LIT_TIME: fits = t.id == FRZ_TIME; break;
    case LIT_TIMESTAMP: fits = is_timestamp(t); break;
    case LIT_HEX: fits = t.id == FRZ_BINARY || t.id == FRZ_FIXED; break;
    default: break;
    }
    if (!fits) return err_literal(c, l, err);
    if (is_timestamp(t) && (l->kind == LIT_DATE || frz__value_parse(l->text, (frz_type){.id = FRZ_DATE}, ar, &day, NULL) == FRZ_OK)) {
        TRY(frz__value_parse(l->text, (frz_type){.id = FRZ_DATE}, ar, &day, err));
        return midnight(day.as.i32, t, out, err);
    }
    return frz__column_context(c, frz__value_parse(l->text, t, ar, out, err), err);
}

static bool is_exact_number(frz_type t) { return t.id == FRZ_INT || t.id == FRZ_LONG || t.id == FRZ_DECIMAL; }

/* ── comparison ── */

static int cmp_number(struct arena *ar, const frz_schema *s, uint32_t column, enum pred_op op, slice text, struct pred_node **out, frz_error *err)
{
    frz_type t = s->columns[column].type;
    bool exact;
    i128 v = number_floor(text, t.id == FRZ_DECIMAL ? t.scale : 0, &exact);
    bool low = v < type_min(t), high = v > type_max(t);
    if (op == PRED_EQ || op == PRED_NE) {
        if (!exact || low || high) return node_new(ar, op == PRED_EQ ? PRED_FALSE : PRED_NOT_NULL, s, column, out, err);
    } else {
        if (!exact) op = op == PRED_LT || op == PRED_LE ? PRED_LE : PRED_GT; /* no value lies between the floor and the number */
        bool less = op == PRED_LT || op == PRED_LE;
        if (low || high) return node_new(ar, less == high ? PRED_NOT_NULL : PRED_FALSE, s, column, out, err);
    }
    TRY(node_new(ar, PRED_CMP, s, column, out, err));
    (*out)->op = op;
    (*out)->value = value_of_i128(v, t);
    return FRZ_OK;
}

int frz__pred_leaf_cmp(struct arena *ar, const frz_schema *s, uint32_t column, enum pred_op op, const struct literal *l, struct pred_node **out, frz_error *err)
{
    const struct column *c = &s->columns[column];
    if (l->kind == LIT_NULL) return node_new(ar, PRED_FALSE, s, column, out, err); /* unknown, negated or not */
    if (l->kind == LIT_NUMBER && is_exact_number(c->type)) return cmp_number(ar, s, column, op, l->text, out, err);
    frz_value v;
    TRY(literal_value(ar, c, l, &v, err));
    TRY(node_new(ar, PRED_CMP, s, column, out, err));
    (*out)->op = op;
    (*out)->value = v;
    return FRZ_OK;
}

/* ── IN ── */

static int cmp_values(const void *a, const void *b) { return frz__value_cmp((const frz_value *)a, (const frz_value *)b); }

bool frz__pred_in(const struct pred_node *n, const frz_value *v)
{
    size_t low = 0, high = n->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = frz__value_cmp(&n->values[mid], v);
        if (c == 0) return true;
        if (c < 0) low = mid + 1;
        else high = mid;
    }
    return false;
}

int frz__pred_leaf_in(struct arena *ar, const frz_schema *s, uint32_t column, bool negated, const struct literal *l, size_t count, struct pred_node **out, frz_error *err)
{
    const struct column *c = &s->columns[column];
    bool has_null = false;
    TRY(node_new(ar, negated ? PRED_NOT_IN : PRED_IN, s, column, out, err));
    struct pred_node *n = *out;
    n->values = (frz_value *)arena_alloc(ar, count * sizeof *n->values, 16);
    if (!n->values) return frz__err_no_memory(err, count * sizeof *n->values);
    for (size_t i = 0; i < count; i++) {
        if (l[i].kind == LIT_NULL) {
            has_null = true;
        } else if (l[i].kind == LIT_NUMBER && is_exact_number(c->type)) {
            bool exact;
            i128 v = number_floor(l[i].text, c->type.id == FRZ_DECIMAL ? c->type.scale : 0, &exact);
            if (exact && v >= type_min(c->type) && v <= type_max(c->type)) n->values[n->count++] = value_of_i128(v, c->type);
        } else {
            TRY(literal_value(ar, c, &l[i], &n->values[n->count], err));
            n->count++;
        }
    }
    if (negated && has_null) { /* x NOT IN (…, NULL) is false or unknown */
        n->kind = PRED_FALSE;
        return FRZ_OK;
    }
    if (n->count == 0) {
        n->kind = negated ? PRED_NOT_NULL : PRED_FALSE;
        return FRZ_OK;
    }
    qsort(n->values, n->count, sizeof *n->values, cmp_values);
    size_t kept = 1;
    for (size_t i = 1; i < n->count; i++)
        if (frz__value_cmp(&n->values[i], &n->values[kept - 1]) != 0) n->values[kept++] = n->values[i];
    n->count = kept;
    if (type_is_i32(c->type) || type_is_i64(c->type)) {
        n->ints = (int64_t *)arena_alloc(ar, kept * sizeof *n->ints, 16);
        if (!n->ints) return frz__err_no_memory(err, kept * sizeof *n->ints);
        for (size_t i = 0; i < kept; i++) n->ints[i] = type_is_i32(c->type) ? n->values[i].as.i32 : n->values[i].as.i64;
    }
    return FRZ_OK;
}

/* ── LIKE ── */

int frz__pred_leaf_like(struct arena *ar, const frz_schema *s, uint32_t column, bool negated, slice pattern, int escape, struct pred_node **out, frz_error *err)
{
    const struct column *c = &s->columns[column];
    if (c->type.id != FRZ_STRING) return frz__err(err, FRZ_INVALID, COLUMN_FMT " is of type %s: LIKE takes a string column", COLUMN_ARG(c), frz__type_id_name(c->type.id));
    TRY(node_new(ar, negated ? PRED_NOT_LIKE : PRED_LIKE, s, column, out, err));
    struct like *l = &(*out)->like;
    l->parts = (struct like_part *)arena_alloc(ar, (pattern.len + 1) * sizeof *l->parts, 16);
    uint8_t *bytes = (uint8_t *)arena_alloc(ar, pattern.len + 1, 1);
    if (!l->parts || !bytes) return frz__err_no_memory(err, pattern.len * sizeof *l->parts);
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t ch = pattern.data[i];
        bool wild = (ch == '%' || ch == '_') && ch != escape;
        if (wild) {
            if (ch == '%' && l->count && l->parts[l->count - 1].kind == LIKE_ANY) continue;
            l->parts[l->count++] = (struct like_part){ch == '%' ? LIKE_ANY : LIKE_ONE, {0}};
            continue;
        }
        if (ch == escape) {
            if (i + 1 == pattern.len) return frz__err(err, FRZ_INVALID, "a LIKE pattern ends in its escape character");
            ch = pattern.data[++i];
        }
        if (!l->count || l->parts[l->count - 1].kind != LIKE_BYTES) l->parts[l->count++] = (struct like_part){LIKE_BYTES, slice_of(bytes, 0)};
        *bytes++ = ch;
        l->parts[l->count - 1].bytes.len++;
    }
    l->exact = l->count == 0 || (l->count == 1 && l->parts[0].kind == LIKE_BYTES);
    l->prefix = l->count && l->parts[0].kind == LIKE_BYTES ? l->parts[0].bytes : slice_of("", 0);
    return FRZ_OK;
}
