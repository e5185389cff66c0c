/* Random types, values and schemas for the tests of types/. Values are biased to edges: extremes, zero, empty, zero bytes, shared prefixes, NaN. */
#ifndef TEST_TYPES_GEN_H
#define TEST_TYPES_GEN_H
#include <math.h>
#include <stdio.h>

#include "base/bits.h"
#include "base/rand.h"
#include "types/int128.h"
#include "types/row.h"

static inline frz_type gen_type(struct rng *r, bool key)
{
    for (;;) {
        frz_type t = {.id = (int32_t)(1 + rng_below(r, 16))};
        if (key && !frz__type_key_ok(t)) continue;
        if (t.id == FRZ_DECIMAL) {
            t.precision = (int32_t)(1 + rng_below(r, 38));
            t.scale = (int32_t)rng_below(r, (uint64_t)t.precision + 1);
        }
        if (t.id == FRZ_FIXED) t.length = (int32_t)(rng_below(r, 3) == 0 ? 4u << rng_below(r, 3) : 1 + rng_below(r, 20));
        return t;
    }
}

static inline int64_t gen_i64(struct rng *r)
{
    switch (rng_below(r, 5)) {
    case 0: return (int64_t)rng_below(r, 5) - 2;
    case 1: return rng_below(r, 2) ? INT64_MAX - (int64_t)rng_below(r, 2) : INT64_MIN + (int64_t)rng_below(r, 2);
    case 2: return (int64_t)rng_next(r) >> rng_below(r, 64);
    default: return (int64_t)rng_next(r);
    }
}

/* Never null. Bytes are in AR. */
static inline frz_value gen_value(struct rng *r, frz_type t, struct arena *ar)
{
    frz_value v = {t.id, 0, {0}};
    switch (t.id) {
    case FRZ_BOOLEAN: v.as.boolean = rng_below(r, 2); break;
    case FRZ_INT:
    case FRZ_DATE: v.as.i32 = rng_below(r, 4) ? (int32_t)gen_i64(r) : rng_below(r, 2) ? INT32_MIN : INT32_MAX; break;
    case FRZ_FLOAT: {
        uint32_t bits = (uint32_t)rng_next(r);
        static const float edge[] = {0.0f, -0.0f, 1.0f, -1.5f, 0x1.fffffep127f, 0x1p-149f, INFINITY, -INFINITY, NAN};
        if (rng_below(r, 2)) v.as.f32 = edge[rng_below(r, 9)];
        else memcpy(&v.as.f32, &bits, 4);
        break;
    }
    case FRZ_DOUBLE: {
        uint64_t bits = rng_next(r);
        static const double edge[] = {0.0, -0.0, 1.0, 0.1, -1.5, 0x1.fffffffffffffp1023, 0x1p-1074, INFINITY, -INFINITY, NAN};
        if (rng_below(r, 2)) v.as.f64 = edge[rng_below(r, 10)];
        else memcpy(&v.as.f64, &bits, 8);
        break;
    }
    case FRZ_DECIMAL: {
        u128 limit = u128_pow10(t.precision), x = ((u128)rng_next(r) << 64 | rng_next(r)) % limit;
        if (rng_below(r, 4) == 0) x = rng_below(r, 2) ? limit - 1 : rng_below(r, 3) % limit;
        v.as.dec = decimal_of(rng_below(r, 2) ? -(i128)x : (i128)x);
        break;
    }
    case FRZ_TIME: v.as.i64 = rng_below(r, 8) ? (int64_t)rng_below(r, 86400000000u) : rng_below(r, 2) ? 0 : INT64_C(86399999999); break;
    case FRZ_STRING: {
        static const char *const pieces[] = {"a", "b", "ab", "", "\x01", "\x7f", "é", "水", "😀", "\xef\xbf\xbd"};
        char *p = (char *)arena_alloc(ar, 64, 1);
        size_t n = 0;
        for (size_t k = rng_below(r, 6); k > 0; k--) {
            const char *s = pieces[rng_below(r, 10)];
            if (rng_below(r, 5) == 0) p[n++] = 0;
            memcpy(p + n, s, strlen(s));
            n += strlen(s);
        }
        v = value_bytes(FRZ_STRING, slice_of(p, n));
        break;
    }
    case FRZ_UUID:
    case FRZ_FIXED:
    case FRZ_BINARY: {
        size_t n = t.id == FRZ_BINARY ? rng_below(r, 8) : frz__type_width(t);
        uint8_t *p = (uint8_t *)arena_alloc(ar, n + 1, 1);
        for (size_t i = 0; i < n; i++) p[i] = rng_below(r, 2) ? (uint8_t)rng_next(r) : (uint8_t)(rng_below(r, 2) ? 0 : 0xFF);
        v = value_bytes(t.id, slice_of(p, n));
        break;
    }
    default: v.as.i64 = gen_i64(r); break;
    }
    return v;
}

/* KEYS key columns among COLUMNS. Sealed. */
static inline frz_schema *gen_schema(struct rng *r, size_t columns, size_t keys, frz_error *err)
{
    frz_schema *s = NULL;
    uint32_t key[64];
    size_t n = 0;
    if (frz__schema_new(NULL, &s, err) < 0) return NULL;
    for (size_t i = 0; i < columns; i++) {
        char name[16];
        bool is_key = n < keys && (columns - i == keys - n || rng_below(r, 2));
        snprintf(name, sizeof name, "c%zu", i);
        frz_column c = {.struct_size = sizeof c, .name = name, .type = gen_type(r, is_key), .required = is_key || rng_below(r, 2)};
        if (frz__schema_add(s, &c, err) < 0) goto fail;
        if (is_key) key[n++] = (uint32_t)i;
    }
    for (size_t i = n; i > 1; i--) { /* key order is not column order */
        size_t j = rng_below(r, i);
        uint32_t x = key[i - 1];
        key[i - 1] = key[j];
        key[j] = x;
    }
    s->schema_id = (int32_t)rng_below(r, 100000);
    if (frz__schema_set_key(s, key, n, err) < 0 || frz__schema_seal(s, keys > 0, err) < 0) goto fail;
    return s;
fail:
    frz__schema_release(s);
    return NULL;
}

static inline void gen_row(struct rng *r, const frz_schema *s, struct arena *ar, frz_value *values)
{
    for (size_t i = 0; i < s->count; i++) values[i] = s->columns[i].required || rng_below(r, 3) ? gen_value(r, s->columns[i].type, ar) : value_null();
}

/* Bitwise for floats: -0 is not 0 here, one NaN not another's bits. */
static inline bool same_value(const frz_value *a, const frz_value *b)
{
    if (a->type != b->type) return false;
    if (a->type == FRZ_FLOAT) return memcmp(&a->as.f32, &b->as.f32, 4) == 0;
    if (a->type == FRZ_DOUBLE) return memcmp(&a->as.f64, &b->as.f64, 8) == 0;
    return frz__value_eq(a, b);
}
#endif
