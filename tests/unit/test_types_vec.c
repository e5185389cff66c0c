/* Column vectors against arrays of values. */
#include "frz_test.h"

#include "test_types_gen.h"
#include "types/vec.h"

#define ROWS 700

static void vec_is(const struct vec *v, const frz_value *want, size_t count)
{
    size_t nulls = 0;
    assert_int_equal(v->len, count);
    for (size_t i = 0; i < count; i++) {
        frz_value x;
        frz__vec_get(v, i, &x);
        nulls += value_is_null(&want[i]);
        assert_int_equal(vec_is_null(v, i), value_is_null(&want[i]));
        if (!same_value(&x, &want[i])) fail_msg("%s, row %zu of %zu", frz__type_id_name(v->type.id), i, count);
    }
    assert_int_equal(v->nulls, nulls);
    if (type_is_var(v->type) && v->offsets) assert_int_equal(v->offsets[0], 0);
}

TEST(vec, holds_what_was_appended_whatever_the_way)
{
    frz_error e = {0};
    struct rng r = {test_seed(10)};
    for (int round = 0; round < 120; round++) {
        frz_type t = gen_type(&r, false);
        struct arena ar = ARENA_INIT(NULL);
        struct vec v, src, moved;
        frz_value want[ROWS], from[64];
        size_t n = 0;
        bool nulls = rng_below(&r, 3) > 0;
        frz__vec_init(&v, NULL, t);
        frz__vec_init(&src, NULL, t);
        for (size_t i = 0; i < 64; i++) {
            from[i] = nulls && rng_below(&r, 4) == 0 ? value_null() : gen_value(&r, t, &ar);
            OK(frz__vec_append(&src, &from[i], &e), &e);
        }
        vec_is(&src, from, 64);
        while (n + 64 < ROWS) {
            size_t at = rng_below(&r, 64), count = rng_below(&r, 65 - at);
            uint32_t rows[64];
            switch (rng_below(&r, 5)) {
            case 0:
                OK(frz__vec_append(&v, &from[at], &e), &e);
                want[n++] = from[at];
                break;
            case 1:
                OK(frz__vec_append_range(&v, &src, at, count, &e), &e);
                for (size_t i = 0; i < count; i++) want[n++] = from[at + i];
                break;
            case 2:
                for (size_t i = 0; i < count; i++) want[n + i] = from[rows[i] = (uint32_t)rng_below(&r, 64)];
                OK(frz__vec_append_select(&v, &src, rows, count, &e), &e);
                n += count;
                break;
            case 3:
                if (nulls) {
                    OK(frz__vec_append_nulls(&v, count / 4, &e), &e);
                    for (size_t i = 0; i < count / 4; i++) want[n++] = value_null();
                }
                break;
            default:
                if (rng_below(&r, 40) == 0) {
                    vec_is(&v, want, n);
                    vec_reset(&v); /* and again from the start, in the same memory */
                    n = 0;
                }
            }
        }
        vec_is(&v, want, n);
        if (!nulls) assert_null(v.validity);
        assert_true(frz__vec_mem(&v) >= n * frz__type_width(t) / 8);
        frz__vec_move(&moved, &v);
        assert_int_equal(v.len, 0);
        vec_is(&moved, want, n);
        frz__vec_clear(&v);
        frz__vec_clear(&moved);
        frz__vec_clear(&src);
        frz__arena_clear(&ar);
    }
}

TEST(vec, bounds_the_bytes_of_a_column)
{
    frz_error e = {0};
    struct vec v;
    frz__vec_init(&v, NULL, (frz_type){.id = FRZ_STRING});
    FAILS(frz__vec_reserve(&v, 1, VEC_VAR_BYTES_MAX + 1, &e), FRZ_TOO_LARGE, &e);
    frz_value s = value_bytes(FRZ_STRING, slice_str("abc"));
    OK(frz__vec_append(&v, &s, &e), &e);
    FAILS(frz__vec_reserve(&v, 1, VEC_VAR_BYTES_MAX - 2, &e), FRZ_TOO_LARGE, &e);
    assert_int_equal(vec_var_bytes(&v), 3);
    frz__vec_clear(&v);
}

TEST(vec, survives_every_failed_allocation)
{
    frz_error e = {0};
    static const frz_type types[3] = {{.id = FRZ_LONG}, {.id = FRZ_STRING}, {.id = FRZ_BOOLEAN}};
    for (long n = 1;; n++) {
        struct test_alloc t;
        struct vecs vs;
        test_alloc_init(&t, n);
        int rc = frz__vecs_init(&vs, &t.vt, types, 3, &e);
        for (int i = 0; i < 300 && rc >= 0; i++) {
            frz_value v = value_i64(FRZ_LONG, i), s = value_bytes(FRZ_STRING, slice_str("some bytes")), b = {FRZ_BOOLEAN, 0, {0}};
            rc = frz__vec_append(&vs.cols[0], &v, &e);
            if (rc >= 0) rc = frz__vec_append(&vs.cols[1], &s, &e);
            if (rc >= 0) rc = frz__vec_append(&vs.cols[2], &b, &e);
            if (rc >= 0 && i == 150) rc = frz__vec_append_nulls(&vs.cols[1], 3, &e);
        }
        if (rc < 0) {
            assert_int_equal(rc, FRZ_NO_MEMORY);
            for (size_t i = 0; i < vs.count; i++) assert_true(vs.cols[i].len <= 303);
        }
        frz__vecs_clear(&vs);
        assert_int_equal(t.live, 0);
        if (rc >= 0) break;
    }
}
