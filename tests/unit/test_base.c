#include "frz_test.h"
#include "base/arena.h"
#include "base/budget.h"
#include "base/coding.h"
#include "base/json.h"
#include "base/rand.h"

TEST(varint, survives_every_length_and_refuses_what_is_cut)
{
    for (unsigned bits = 0; bits < 64; bits++) {
        uint64_t v = ((uint64_t)1 << bits) - (bits & 1), back = 0;
        uint8_t bytes[VARINT_BYTES_MAX];
        size_t n = varint_put(bytes, v);
        const uint8_t *p = bytes;
        assert_true(varint_get(&p, bytes + n, &back));
        assert_int_equal(back, v);
        assert_ptr_equal(p, bytes + n);
        p = bytes;
        assert_false(varint_get(&p, bytes + n - 1, &back));
        assert_ptr_equal(p, bytes);
    }
}

TEST(json, writes_what_it_reads)
{
    frz_error e;
    struct buf b = BUF_INIT(NULL, 0);
    struct jw w = JW_INIT(&b, &e);
    frz__jw_object(&w);
    frz__jw_key(&w, "a\"\n");
    frz__jw_array(&w);
    frz__jw_int(&w, INT64_MIN);
    frz__jw_real(&w, 0.1);
    frz__jw_real(&w, 3);
    frz__jw_str(&w, slice_of("x\0\x01", 3));
    frz__jw_array_end(&w);
    frz__jw_key(&w, "b");
    frz__jw_null(&w);
    frz__jw_object_end(&w);
    OK(frz__jw_end(&w), &e);
    const char *want = "{\"a\\\"\\n\":[-9223372036854775808,0.1,3.0,\"x\\u0000\\u0001\"],\"b\":null}";
    assert_int_equal(b.len, strlen(want));
    assert_memory_equal(b.data, want, b.len);
    struct json *j = NULL;
    OK(frz__json_parse(buf_slice(&b), &j, &e), &e);
    assert_true(frz__json_int(frz__json_at(frz__json_get(j, "a\"\n"), 0)) == INT64_MIN);
    frz__json_free(j);
    buf_clear(&b);
}

static void member_is(slice text, size_t *at, const char *want)
{
    slice got = frz__json_text_next(text, at);
    if (got.len != strlen(want) || (got.len && memcmp(got.data, want, got.len) != 0)) fail_msg("found %.*s, expected %s", (int)got.len, (const char *)got.data, want);
}

TEST(json, gives_each_member_s_text)
{
    frz_error e = {0};
    struct json *j = NULL;
    size_t at = 0;
    slice object = slice_str(" {\"a\\\":,\" :\t-1.50e3 ,\"b\":\"}\\\\\",\"c\":[{\"d\":[1,\"]\"]},2],\n\"\":{}, \"e\":123456789012345678901234567890,\"f\":null} ");
    OK(frz__json_parse_wide(object, &j, &e), &e);
    frz__json_free(j);
    member_is(object, &at, "-1.50e3");
    member_is(object, &at, "\"}\\\\\"");
    member_is(object, &at, "[{\"d\":[1,\"]\"]},2]");
    member_is(object, &at, "{}");
    member_is(object, &at, "123456789012345678901234567890");
    member_is(object, &at, "null");
    member_is(object, &at, "");
    member_is(object, &at, "");
    slice array = slice_str("[\"a\",12, [], true]"), empty = slice_str("{ }");
    at = 0;
    member_is(array, &at, "\"a\"");
    member_is(array, &at, "12");
    member_is(array, &at, "[]");
    member_is(array, &at, "true");
    member_is(array, &at, "");
    at = 0;
    member_is(empty, &at, "");
}

TEST(json, is_written_whole_or_not_at_all_where_memory_runs_out)
{
    frz_error e;
    struct json *j = NULL;
    const char *text = "{\"operation\":\"append\",\"retention\":{\"min-snapshots-to-keep\":4,\"max-snapshot-age-ms\":604800000},\"a\":[1,{\"long-enough-to-grow-the-buffer-again-and-again\":true}]}";
    struct test_alloc t;
    OK(frz__json_parse(slice_str(text), &j, &e), &e);
    bool whole = false;
    for (long n = 1; !whole; n++) {
        test_alloc_init(&t, n);
        struct buf b = BUF_INIT(&t.vt, 0);
        int rc = frz__json_dump(j, &b, &e);
        whole = t.calls < n;
        if (whole) {
            OK(rc, &e);
            assert_int_equal(b.len, strlen(text));
            assert_true(n > 2); /* it did grow */
        } else RC(rc, FRZ_NO_MEMORY, &e);
        buf_clear(&b);
    }
    frz__json_free(j);
}

TEST(json, names_line_and_column_of_a_mistake)
{
    frz_error e;
    struct json *j;
    FAILS(frz__json_parse(slice_str("{\"a\":1,\n \"a\":2}"), &j, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "line 2");
}

TEST(alloc, large_blocks_hold_what_is_put_there_and_go_back_whole)
{
    for (size_t bytes = 1; bytes < (size_t)40 << 20; bytes = bytes * 3 + 1) {
        uint8_t *p = frz__alloc_large(NULL, bytes), *q = frz__alloc_large(NULL, bytes);
        assert_non_null(p);
        assert_non_null(q);
        memset(p, 0x5A, bytes);
        memset(q, 0xA5, bytes);
        assert_int_equal(p[0] + p[bytes / 2] + p[bytes - 1], 3 * 0x5A);
        frz__free_large(NULL, p, bytes);
        assert_int_equal(q[0] + q[bytes / 2] + q[bytes - 1], 3 * 0xA5);
        frz__free_large(NULL, q, bytes);
    }
    frz__free_large(NULL, NULL, (size_t)3 << 20);
}

/* Random blocks come, grow, shrink and go; each says by its first and last bytes which it is. */
TEST(mapped, blocks_are_found_by_their_address_and_nothing_else_is)
{
    static struct { uint8_t *p; size_t bytes; } held[300];
    struct mapped m;
    struct rng r = {7};
    size_t count = 0, bytes = 0, got = 0;
    frz__mapped_init(&m);
    assert_int_equal(frz__mapped_bytes(&m, &m), 0); /* before there is a table */
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)rng_below(&r, FRZ_ARRAY_LEN(held)), want = 1 + (size_t)rng_below(&r, 90000);
        uint8_t *before = held[i].p, mark = (uint8_t)(i * 7 + 1);
        if (before) {
            assert_int_equal(frz__mapped_bytes(&m, before), held[i].bytes);
            if (held[i].bytes > 4096) assert_int_equal(frz__mapped_bytes(&m, before + 4096), 0); /* its second page */
            assert_int_equal(before[0], mark);
        }
        if (!before) {
            held[i].p = (uint8_t *)frz__mapped_alloc(&m, want, &got);
            assert_true(held[i].p && (uintptr_t)held[i].p % 4096 == 0 && got >= want && got < want + 4096);
            assert_int_equal(held[i].p[got - 1], 0);
            held[i].p[0] = held[i].p[got - 1] = mark;
            held[i].bytes = got;
            count++;
            bytes += got;
        } else if (rng_below(&r, 2)) {
            held[i].p = (uint8_t *)frz__mapped_resize(&m, before, want, &got);
            assert_true(held[i].p && got >= want && held[i].p[0] == mark);
            bytes += got - held[i].bytes;
            held[i].bytes = got;
        } else {
            assert_int_equal(frz__mapped_free(&m, before), held[i].bytes);
            assert_int_equal(frz__mapped_free(&m, before), 0); /* it is not known any more */
            bytes -= held[i].bytes;
            held[i].p = NULL;
            count--;
        }
        assert_int_equal(m.count, count);
    }
    for (size_t i = 0; i < FRZ_ARRAY_LEN(held); i++)
        if (held[i].p) bytes -= frz__mapped_free(&m, held[i].p);
    assert_int_equal(bytes, 0);
    frz__mapped_clear(&m);
}

TEST(budget, a_block_keeps_its_bytes_on_its_way_between_malloc_and_mapping)
{
    struct budget *b;
    frz_error e;
    OK(frz__budget_new(NULL, 256 << 20, &b, &e), &e);
    for (int class = 0; class < MEM_CLASSES; class++) {
        const allocator *a = budget_of(b, (enum mem_class)class);
        uint8_t *p = NULL;
        size_t before = 0;
        static const size_t sizes[] = {100, 1000, 60000, 70000, 1 << 20, 300, 200000, 65535, 65536, 65537, 1, 3 << 20, 4096};
        for (size_t i = 0; i < FRZ_ARRAY_LEN(sizes); i++) {
            size_t both = before < sizes[i] ? before : sizes[i];
            p = (uint8_t *)frz__realloc(a, p, sizes[i]);
            assert_non_null(p);
            for (size_t k = 0; k < both; k++) assert_int_equal(p[k], (uint8_t)(k * 131 + (k >> 8)));
            for (size_t k = 0; k < sizes[i]; k++) p[k] = (uint8_t)(k * 131 + (k >> 8));
            assert_true(frz__budget_bytes(b, (enum mem_class)class) >= sizes[i]);
            before = sizes[i];
        }
        frz__free(a, p);
        p = (uint8_t *)frz__alloc_zero(a, 500000);
        for (size_t k = 0; k < 500000; k += 100) assert_int_equal(p[k], 0);
        frz__free(a, p);
        assert_int_equal(frz__budget_bytes(b, (enum mem_class)class), 0);
    }
    frz__budget_close(b);
}

TEST(arena, gives_its_large_blocks_to_the_next_one_until_nobody_wants_them)
{
    struct arena_spares s;
    frz__arena_spares_init(&s, NULL, (uint64_t)16 << 20, (size_t)8 << 20);
    for (int round = 0; round < 3; round++) {
        struct arena ar = ARENA_INIT(NULL);
        ar.spares = &s;
        for (int i = 0; i < 40000; i++) {
            uint8_t *p = (uint8_t *)arena_alloc(&ar, 1000, 8);
            assert_non_null(p);
            memset(p, round, 1000);
        }
        assert_int_equal(s.count, 0); /* in use */
        frz__arena_clear(&ar);
        assert_int_equal(s.count, 2); /* no more than it may keep */
    }
    frz__arena_spares_trim(&s);
    assert_int_equal(s.count, 2); /* they were wanted since the last time */
    frz__arena_spares_trim(&s);
    assert_int_equal(s.count, 0);
    frz__arena_spares_clear(&s);
}
