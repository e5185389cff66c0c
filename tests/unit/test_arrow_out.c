/* Vectors as Arrow arrays: what a consumer may do with them, and that they come back as they were. */
#include "frz_test.h"

#include <stdlib.h>

#include "arrow_kit.h"

#define COLS 24

TEST(arrow_out, every_type_comes_back_by_value_from_any_slice)
{
    frz_error e = {0};
    struct rng r = {test_seed(31)};
    for (int round = 0; round < 40; round++) {
        struct arrow_col cols[COLS];
        char names[COLS][16];
        frz_type types[COLS];
        struct vecs vs, keep;
        size_t rows = rng_below(&r, 70);
        kit_vecs(&r, NULL, rows, cols, names, types, COLS, &vs);
        OK(frz__vecs_init(&keep, NULL, types, COLS, &e), &e);
        for (size_t i = 0; i < COLS; i++) OK(frz__vec_append_range(&keep.cols[i], &vs.cols[i], 0, rows, &e), &e);
        struct ArrowSchema schema;
        struct ArrowArray array;
        struct arrow_in *in;
        OK(frz__arrow_schema_out(NULL, cols, COLS, &schema, &e), &e);
        OK(frz__arrow_array_out(NULL, &vs, &array, &e), &e);
        OK(frz__arrow_in_new(NULL, &schema, &in, &e), &e);
        OK(frz__arrow_in_check(in, &array, &e), &e);
        assert_int_equal(array.length, rows);
        for (size_t i = 0; i < COLS; i++) {
            assert_string_equal(in->fields[i].name, names[i]);
            assert_true(frz__type_eq(in->fields[i].type, types[i]));
            assert_int_equal(in->fields[i].nullable, cols[i].nullable);
            assert_int_equal(in->fields[i].field_id, cols[i].field_id);
            assert_int_equal(array.children[i]->null_count, keep.cols[i].nulls);
            struct vec back;
            size_t from = rng_below(&r, rows + 1), count = rng_below(&r, rows - from + 1);
            frz__vec_init(&back, NULL, types[i]);
            OK(frz__arrow_in_rows(in, &array, i, from, count, 0, &back, &e), &e);
            assert_int_equal(back.len, count);
            assert_true(kit_same(&keep.cols[i], from, &back));
            size_t nulls = 0;
            for (size_t k = 0; k < back.len; k++) nulls += vec_is_null(&back, k);
            assert_int_equal(back.nulls, nulls);
            frz__vec_clear(&back);
        }
        frz__arrow_in_free(in);
        schema.release(&schema);
        array.release(&array);
        assert_null(schema.release);
        assert_null(array.release);
        frz__vecs_clear(&vs);
        frz__vecs_clear(&keep);
    }
}

TEST(arrow_out, buffers_move_and_are_not_copied)
{
    frz_error e = {0};
    struct vecs vs;
    frz_type types[] = {{.id = FRZ_LONG}, {.id = FRZ_STRING}};
    OK(frz__vecs_init(&vs, NULL, types, 2, &e), &e);
    frz_value id = value_i64(FRZ_LONG, 7), s = value_bytes(FRZ_STRING, slice_str("ice"));
    OK(frz__vec_append(&vs.cols[0], &id, &e), &e);
    OK(frz__vec_append(&vs.cols[1], &s, &e), &e);
    vs.rows = 1;
    const void *longs = vs.cols[0].data, *text = vs.cols[1].data, *offsets = vs.cols[1].offsets;
    struct ArrowArray a;
    OK(frz__arrow_array_out(NULL, &vs, &a, &e), &e);
    assert_ptr_equal(a.children[0]->buffers[1], longs);
    assert_ptr_equal(a.children[1]->buffers[1], offsets);
    assert_ptr_equal(a.children[1]->buffers[2], text);
    assert_null(a.children[0]->buffers[0]);
    assert_int_equal(vs.rows, 0);
    assert_int_equal(vs.cols[1].len, 0);
    assert_true(frz__type_eq(vs.cols[1].type, types[1])); /* ready for the next batch */
    OK(frz__vec_append(&vs.cols[1], &s, &e), &e);
    a.release(&a);
    frz__vecs_clear(&vs);
}

TEST(arrow_out, a_moved_child_outlives_its_batch)
{
    frz_error e = {0};
    struct test_alloc t;
    struct rng r = {5};
    struct arrow_col cols[COLS];
    char names[COLS][16];
    frz_type types[COLS];
    struct vecs vs;
    test_alloc_init(&t, 0);
    kit_vecs(&r, &t.vt, 20, cols, names, types, COLS, &vs);
    struct ArrowArray a, kept;
    struct ArrowSchema s, kept_schema;
    OK(frz__arrow_array_out(&t.vt, &vs, &a, &e), &e);
    OK(frz__arrow_schema_out(&t.vt, cols, COLS, &s, &e), &e);
    frz__vecs_clear(&vs);
    kept = *a.children[2]; /* c2: long */
    a.children[2]->release = NULL;
    kept_schema = *s.children[2];
    s.children[2]->release = NULL;
    struct ArrowArray moved = a; /* and the batch itself is moved */
    a.release = NULL;
    moved.release(&moved);
    s.release(&s);
    memset(&t.vt.alloc, 0, sizeof t.vt.alloc); /* the allocator's struct itself is not needed any more */
    assert_string_equal(kept_schema.format, "l");
    assert_string_equal(kept_schema.name, "c2");
    assert_int_equal(kept.length, 20);
    assert_true(((const int64_t *)kept.buffers[1])[19] == ((const int64_t *)kept.buffers[1])[19]);
    kept.release(&kept);
    kept_schema.release(&kept_schema);
    assert_int_equal(t.live, 0);
}

TEST(arrow_out, an_empty_batch_has_an_offset_and_buffers)
{
    frz_error e = {0};
    struct vecs vs;
    frz_type types[] = {{.id = FRZ_STRING}, {.id = FRZ_BOOLEAN}};
    OK(frz__vecs_init(&vs, NULL, types, 2, &e), &e);
    struct ArrowArray a;
    OK(frz__arrow_array_out(NULL, &vs, &a, &e), &e);
    assert_non_null(a.children[0]->buffers[1]);
    assert_int_equal(((const int32_t *)a.children[0]->buffers[1])[0], 0);
    assert_non_null(a.children[1]->buffers[1]);
    a.release(&a);
    frz__vecs_clear(&vs);
}

TEST(arrow_out, formats_and_metadata_are_those_of_the_specification)
{
    frz_error e = {0};
    static const struct { frz_type type; const char *format; } want[] = {
        {{.id = FRZ_BOOLEAN}, "b"}, {{.id = FRZ_INT}, "i"}, {{.id = FRZ_LONG}, "l"}, {{.id = FRZ_FLOAT}, "f"}, {{.id = FRZ_DOUBLE}, "g"}, {{.id = FRZ_DECIMAL, .precision = 9, .scale = 2}, "d:9,2"},
        {{.id = FRZ_DATE}, "tdD"}, {{.id = FRZ_TIME}, "ttu"}, {{.id = FRZ_TIMESTAMP}, "tsu:"}, {{.id = FRZ_TIMESTAMPTZ}, "tsu:UTC"}, {{.id = FRZ_TIMESTAMP_NS}, "tsn:"},
        {{.id = FRZ_TIMESTAMPTZ_NS}, "tsn:UTC"}, {{.id = FRZ_STRING}, "u"}, {{.id = FRZ_UUID}, "w:16"}, {{.id = FRZ_FIXED, .length = 1048576}, "w:1048576"}, {{.id = FRZ_BINARY}, "z"}};
    struct arrow_col cols[16];
    for (size_t i = 0; i < 16; i++) cols[i] = (struct arrow_col){"x", want[i].type, i % 2 == 0, i == 13 ? FIELD_ID_MAX : -1};
    struct ArrowSchema s;
    OK(frz__arrow_schema_out(NULL, cols, 16, &s, &e), &e);
    assert_string_equal(s.format, "+s");
    for (size_t i = 0; i < 16; i++) {
        assert_string_equal(s.children[i]->format, want[i].format);
        assert_int_equal(s.children[i]->flags, i % 2 == 0 ? ARROW_FLAG_NULLABLE : 0);
        if (i != 13) assert_null(s.children[i]->metadata);
    }
    static const char golden[] = "\3\0\0\0" "\x10\0\0\0PARQUET:field_id" "\x0a\0\0\0" "2147483447" "\x14\0\0\0" "ARROW:extension:name" "\x0a\0\0\0" "arrow.uuid" "\x18\0\0\0" "ARROW:extension:metadata" "\0\0\0";
    assert_memory_equal(s.children[13]->metadata, golden, sizeof golden);
    s.release(&s);
}

TEST(arrow_out, every_failed_allocation_leaves_the_vectors_or_nothing)
{
    bool done = false;
    for (long n = 1; !done; n++) {
        struct test_alloc t;
        frz_error e = {0};
        struct rng r = {77};
        struct arrow_col cols[COLS];
        char names[COLS][16];
        frz_type types[COLS];
        struct vecs vs;
        struct ArrowArray a = {0};
        struct ArrowSchema s = {0};
        test_alloc_init(&t, 0);
        kit_vecs(&r, &t.vt, 9, cols, names, types, COLS, &vs);
        t.fail_at = t.calls + n;
        int rc = frz__arrow_schema_out(&t.vt, cols, COLS, &s, &e);
        if (rc >= 0) {
            rc = frz__arrow_array_out(&t.vt, &vs, &a, &e);
            if (rc < 0) assert_int_equal(vs.rows, 9);
            s.release(&s);
        } else {
            assert_null(s.release);
        }
        if (rc >= 0) {
            a.release(&a);
            done = true;
        } else {
            assert_int_equal(rc, FRZ_NO_MEMORY);
            assert_null(a.release);
        }
        frz__vecs_clear(&vs);
        assert_int_equal(t.live, 0);
    }
}
