/* Rows of vectors as bytes: the same as value by value, for every type, null and default. */
#include "frz_test.h"

#include <stdlib.h>

#include "test_types_gen.h"
#include "types/row_vec.h"

#define ROWS 300 /* more than a chunk */

struct rows { struct vec vecs[16]; struct row_col cols[16]; };

static void rows_clear(struct rows *r, size_t columns)
{
    for (size_t i = 0; i < columns; i++) frz__vec_clear(&r->vecs[i]);
}

/* Random rows of S; some columns that are not of the key stand in one value. VALUES: row by row. */
static void rows_make(struct rng *r, const frz_schema *s, struct arena *ar, struct rows *out, frz_value *values)
{
    frz_error e = {0};
    for (size_t k = 0; k < ROWS; k++) gen_row(r, s, ar, values + k * s->count);
    for (size_t i = 0; i < s->count; i++) {
        bool constant = rng_below(r, 4) == 0;
        frz__vec_init(&out->vecs[i], NULL, s->columns[i].type);
        out->cols[i] = (struct row_col){&out->vecs[i], constant};
        for (size_t k = 0; k < ROWS; k++) {
            if (constant) values[k * s->count + i] = values[i];
            if (!constant || k == 0) OK(frz__vec_append(&out->vecs[i], &values[k * s->count + i], &e), &e);
        }
    }
}

TEST(row_vec, gives_the_bytes_that_value_by_value_gives)
{
    frz_error e = {0};
    struct rng r = {test_seed(41)};
    static frz_value values[ROWS * 16];
    for (int round = 0; round < 120; round++) {
        size_t columns = 1 + rng_below(&r, 12), keys = 1 + rng_below(&r, columns);
        frz_schema *s = gen_schema(&r, columns, keys, &e);
        struct arena ar = ARENA_INIT(NULL);
        struct rows rows;
        struct buf want = BUF_INIT(NULL, 0);
        uint32_t key_bytes[ROW_VEC_CHUNK], row_bytes[ROW_VEC_CHUNK];
        uint8_t *key_at[ROW_VEC_CHUNK], *row_at[ROW_VEC_CHUNK];
        size_t from = rng_below(&r, ROWS), count = 1 + rng_below(&r, ROWS - from), bad = SIZE_MAX, total = 0;
        if (count > ROW_VEC_CHUNK) count = ROW_VEC_CHUNK;
        rows_make(&r, s, &ar, &rows, values);
        OK(frz__rows_measure(s, rows.cols, from, count, key_bytes, row_bytes, &bad, &e), &e);
        for (size_t i = 0; i < count; i++) total += key_bytes[i] + row_bytes[i];
        uint8_t *bytes = (uint8_t *)malloc(total), *p = bytes;
        memset(bytes, 0xEE, total);
        for (size_t i = 0; i < count; i++) {
            key_at[i] = p;
            row_at[i] = p += key_bytes[i];
            p += row_bytes[i];
        }
        frz__rows_put(s, rows.cols, from, count, key_at, row_at);
        p = bytes;
        for (size_t i = 0; i < count; i++) {
            buf_reset(&want);
            OK(frz__key_encode_row(s, values + (from + i) * columns, &want, &e), &e);
            assert_int_equal(key_bytes[i], want.len);
            assert_true(slice_eq(buf_slice(&want), slice_of(p, key_bytes[i])));
            p += key_bytes[i];
            assert_ptr_equal(key_at[i], p); /* moved behind what was written */
            buf_reset(&want);
            OK(frz__row_encode(s, values + (from + i) * columns, &want, &e), &e);
            assert_int_equal(row_bytes[i], want.len);
            assert_true(slice_eq(buf_slice(&want), slice_of(p, row_bytes[i])));
            p += row_bytes[i];
        }
        free(bytes);
        buf_clear(&want);
        rows_clear(&rows, columns);
        frz__arena_clear(&ar);
        frz__schema_release(s);
    }
}

TEST(row_vec, names_the_row_of_a_null_and_of_a_key_too_long)
{
    frz_error e = {0};
    frz_schema *s;
    struct vec key, value;
    uint32_t key_bytes[4], row_bytes[4];
    size_t bad = SIZE_MAX;
    OK(frz__schema_parse_text(NULL, slice_str("k string, v int"), slice_str("k"), &s, &e), &e);
    OK(frz__schema_seal(s, true, &e), &e);
    frz__vec_init(&key, NULL, s->columns[0].type);
    frz__vec_init(&value, NULL, s->columns[1].type);
    struct row_col cols[] = {{&key, false}, {&value, false}};
    char *wide = (char *)calloc(1, KEY_BYTES_MAX + 1);
    for (int i = 0; i < 4; i++) {
        frz_value k = value_bytes(FRZ_STRING, slice_of(wide, i == 3 ? KEY_BYTES_MAX : 2)), v = i == 2 ? value_null() : value_i32(FRZ_INT, i);
        OK(frz__vec_append(&key, &k, &e), &e);
        OK(frz__vec_append(&value, &v, &e), &e);
    }
    FAILS(frz__rows_measure(s, cols, 1, 3, key_bytes, row_bytes, &bad, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "column \"v\" is required");
    assert_int_equal(bad, 1);
    vec_reset(&value);
    for (int i = 0; i < 5; i++) {
        frz_value v = value_i32(FRZ_INT, i);
        OK(frz__vec_append(&value, &v, &e), &e);
    }
    OK(frz__rows_measure(s, cols, 0, 4, key_bytes, row_bytes, &bad, &e), &e);
    assert_int_equal(key_bytes[3], KEY_BYTES_MAX);
    frz_value longer = value_bytes(FRZ_STRING, slice_of(wide, KEY_BYTES_MAX + 1)), null = value_null();
    OK(frz__vec_append(&key, &longer, &e), &e);
    FAILS(frz__rows_measure(s, cols, 2, 3, key_bytes, row_bytes, &bad, &e), FRZ_TOO_LARGE, &e);
    assert_int_equal(bad, 2);
    vec_reset(&key);
    for (int i = 0; i < 2; i++) OK(frz__vec_append(&key, &null, &e), &e);
    FAILS(frz__rows_measure(s, cols, 0, 2, key_bytes, row_bytes, &bad, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "of the key");
    assert_int_equal(bad, 0);
    free(wide);
    frz__vec_clear(&key);
    frz__vec_clear(&value);
    frz__schema_release(s);
}
