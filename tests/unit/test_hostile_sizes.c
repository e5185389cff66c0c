/* Goal    what is large, or empty, up to the limits of docs/limits.md and beyond: keys, rows, batches, columns. What is refused is FRZ_TOO_LARGE, and nothing of it is there.
 * Method  each is put, read by get and by scan, before and after a flush, and after opening again. */
#include "hostile_kit.h"

#include "api/handle.h"
#include "types/keyenc.h"
#include "types/row.h"

static void expect_bytes(struct host *h, const frz_value *key, size_t column, const char *want, size_t want_len)
{
    size_t len = 0;
    OK(frz_get(h->t, NULL, key, 1, h->r, &h->e), &h->e);
    const char *p = frz_row_bytes(h->r, column, &len);
    assert_int_equal(len, want_len);
    assert_true(len == 0 || memcmp(p, want, len) == 0);
}

TEST(hostile_sizes, keys_of_no_bytes_and_of_64_KiB_are_keys_and_longer_ones_too_large)
{
    struct host h;
    const size_t KIB64 = 65536;
    char *big = (char *)malloc(KEY_BYTES_MAX + 2);
    memset(big, 0, KEY_BYTES_MAX + 2); /* zero bytes: what escaping doubles */
    h_open(&h, "hs-keys", "k binary, v string?", "k");
    const size_t lens[] = {0, 1, KIB64, KEY_BYTES_MAX};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            frz_value key = h_bytes(FRZ_BINARY, big, lens[i]);
            char text[8];
            snprintf(text, sizeof text, "v%d", i);
            if (round == 0) {
                frz_row_clear(h.r);
                OK(frz_row_set_bytes(h.r, 0, big, lens[i], &h.e), &h.e);
                OK(frz_row_set_string(h.r, 1, text, 2, &h.e), &h.e);
                OK(frz_insert(h.t, h.r, NULL, &h.e), &h.e);
                RC(frz_insert(h.t, h.r, NULL, &h.e), FRZ_EXISTS, &h.e);
            }
            expect_bytes(&h, &key, 1, text, 2);
        }
        frz_value key = h_bytes(FRZ_BINARY, big, KEY_BYTES_MAX + 1);
        frz_row_clear(h.r);
        OK(frz_row_set_bytes(h.r, 0, big, KEY_BYTES_MAX + 1, &h.e), &h.e);
        FAILS(frz_put(h.t, h.r, NULL, &h.e), FRZ_TOO_LARGE, &h.e);
        FAILS(frz_delete(h.t, &key, 1, NULL, &h.e), FRZ_TOO_LARGE, &h.e);
        assert_true(frz_get(h.t, NULL, &key, 1, h.r, &h.e) != FRZ_OK);
        frz_cursor *c = NULL;
        const frz_row *row;
        OK(frz_scan(h.t, NULL, &c, &h.e), &h.e);
        for (int i = 0; i < 4; i++) {
            size_t len;
            OK(frz_cursor_next(c, &row, &h.e), &h.e);
            (void)frz_row_bytes(row, 0, &len);
            assert_int_equal(len, lens[i]);
        }
        RC(frz_cursor_next(c, &row, &h.e), FRZ_DONE, &h.e);
        frz_cursor_close(c);
        if (round == 0) OK(frz_table_flush(h.t, &h.e), &h.e);
        if (round == 1) h_reopen(&h);
    }
    h_verify(&h);
    h_close(&h);
    /* in a composite key each zero byte takes two: 64 KiB of any one column still fit */
    h_open(&h, "hs-keys2", "k binary, n long, v string?", "k,n");
    OK(frz_row_set_bytes(h.r, 0, big, KIB64, &h.e), &h.e);
    OK(frz_row_set_long(h.r, 1, 1, &h.e), &h.e);
    OK(frz_put(h.t, h.r, NULL, &h.e), &h.e);
    OK(frz_row_set_bytes(h.r, 0, big, KEY_BYTES_MAX, &h.e), &h.e);
    FAILS(frz_put(h.t, h.r, NULL, &h.e), FRZ_TOO_LARGE, &h.e);
    h_reopen(&h);
    frz_value key[2] = {h_bytes(FRZ_BINARY, big, KIB64), h_long(1)};
    OK(frz_get(h.t, NULL, key, 2, h.r, &h.e), &h.e);
    assert_int_equal(h_count(&h), 1);
    h_verify(&h);
    h_close(&h);
    free(big);
}

TEST(hostile_sizes, a_row_of_64_MiB_is_a_row_and_one_beyond_the_limit_too_large)
{
    struct host h;
    const size_t MIB64 = (size_t)64 << 20;
    char *big = (char *)malloc(MIB64);
    for (size_t i = 0; i < MIB64; i += 8) {
        uint64_t x = (i + 1) * 0x9E3779B97F4A7C15u;
        memcpy(big + i, &x, 8);
    }
    h_open(&h, "hs-row", "id long, b binary?, v string?", "id");
    frz_value key = h_long(1), small = h_long(2);
    OK(frz_row_set_long(h.r, 0, 2, &h.e), &h.e);
    OK(frz_row_set_bytes(h.r, 1, "small", 5, &h.e), &h.e);
    OK(frz_put(h.t, h.r, NULL, &h.e), &h.e);
    OK(frz_row_set_long(h.r, 0, 1, &h.e), &h.e);
    OK(frz_row_set_bytes(h.r, 1, big, MIB64, &h.e), &h.e);
    OK(frz_put(h.t, h.r, NULL, &h.e), &h.e);
    expect_bytes(&h, &key, 1, big, MIB64);
    h.e.message[0] = 0;
    OK(frz_table_flush(h.t, &h.e), &h.e);
    expect_bytes(&h, &key, 1, big, MIB64);
    expect_bytes(&h, &small, 1, "small", 5);
    h_reopen(&h);
    frz_cursor *c = NULL;
    const frz_row *row;
    size_t len;
    OK(frz_scan(h.t, NULL, &c, &h.e), &h.e);
    OK(frz_cursor_next(c, &row, &h.e), &h.e);
    assert_memory_equal(frz_row_bytes(row, 1, &len), big, MIB64);
    assert_int_equal(len, MIB64);
    OK(frz_cursor_next(c, &row, &h.e), &h.e);
    RC(frz_cursor_next(c, &row, &h.e), FRZ_DONE, &h.e);
    frz_cursor_close(c);
    /* beyond */
    frz_row_clear(h.r);
    OK(frz_row_set_long(h.r, 0, 3, &h.e), &h.e);
    void *huge = calloc(1, ROW_BYTES_MAX + 1);
    assert_non_null(huge);
    FAILS(frz_row_set_bytes(h.r, 1, huge, ROW_BYTES_MAX + 1, &h.e), FRZ_TOO_LARGE, &h.e);
    OK(frz_row_set_bytes(h.r, 1, huge, ROW_BYTES_MAX, &h.e), &h.e); /* fits alone, not with the rest */
    FAILS(frz_put(h.t, h.r, NULL, &h.e), FRZ_TOO_LARGE, &h.e);
    free(huge);
    RC(frz_get(h.t, NULL, &(frz_value){FRZ_LONG, 0, {.i64 = 3}}, 1, h.r, &h.e), FRZ_NOT_FOUND, &h.e);
    assert_int_equal(h_count(&h), 2);
    h_close(&h);
    free(big);
}

TEST(hostile_sizes, a_batch_of_a_million_rows_is_one_batch)
{
    struct host h;
    const int64_t N = 1000000;
    frz_batch *b = NULL;
    frz_seq_range range, first;
    h_open(&h, "hs-batch", "id long, v string?", "id");
    OK(frz_batch_new(h.db, &b, &h.e), &h.e);
    OK(frz_write(h.db, b, NULL, &first, &h.e), &h.e);
    OK(frz_row_set_string(h.r, 1, "v", 1, &h.e), &h.e);
    for (int64_t i = 0; i < N; i++) {
        OK(frz_row_set_long(h.r, 0, i, &h.e), &h.e);
        OK(frz_batch_insert(b, h.t, h.r, &h.e), &h.e);
    }
    assert_int_equal(frz_batch_count(b), N);
    OK(frz_write(h.db, b, NULL, &range, &h.e), &h.e);
    assert_int_equal(range.first, first.last + 1);
    assert_int_equal(range.last, first.last + (uint64_t)N);
    assert_int_equal(h_count(&h), N);
    RC(frz_write(h.db, b, NULL, &range, &h.e), FRZ_EXISTS, &h.e); /* all are there; none is written twice */
    frz_batch_free(b);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    h_reopen(&h);
    assert_int_equal(h_count(&h), N);
    frz_value key = h_long(N - 1);
    expect_bytes(&h, &key, 1, "v", 1);
    h_close(&h);
}

TEST(hostile_sizes, a_batch_beyond_its_limit_is_too_large_and_keeps_what_it_held)
{
    struct host h;
    frz_batch *b = NULL;
    const size_t len = (size_t)100 << 20;
    h_open(&h, "hs-batch2", "id long, b binary?", "id");
    OK(frz_batch_new(h.db, &b, &h.e), &h.e);
    void *big = calloc(1, len);
    assert_non_null(big);
    OK(frz_row_set_bytes(h.r, 1, big, len, &h.e), &h.e);
    free(big);
    int rc = FRZ_OK;
    size_t n = 0;
    for (; rc == FRZ_OK && n < 20; n++) {
        OK(frz_row_set_long(h.r, 0, (int64_t)n, &h.e), &h.e);
        rc = frz_batch_put(b, h.t, h.r, &h.e);
    }
    RC(rc, FRZ_TOO_LARGE, &h.e);
    assert_int_equal(frz_batch_count(b), n - 1);
    frz_batch_free(b);
    assert_int_equal(h_count(&h), 0);
    h_close(&h);
}

TEST(hostile_sizes, a_thousand_columns_and_the_limit_beyond)
{
    struct host h;
    frz_schema *s = NULL;
    frz_error e;
    char name[COLUMN_NAME_BYTES_MAX + 8];
    h_open(&h, "hs-columns", NULL, NULL);
    OK(frz_schema_new(&s, &e), &e);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "column_%d", i);
        frz_column c = {.struct_size = sizeof c, .name = name, .type = {.id = i % 3 == 0 ? FRZ_LONG : i % 3 == 1 ? FRZ_STRING : FRZ_DOUBLE}, .required = i == 0};
        OK(frz_schema_add(s, &c, &e), &e);
    }
    const char *key_name = "column_0";
    OK(frz_schema_set_key(s, &key_name, 1, &e), &e);
    OK(frz_table_create(h.db, "t", s, NULL, &h.t, &h.e), &h.e);
    frz_schema_free(s);
    OK(frz_row_new(h.t, &h.r, &h.e), &h.e);
    for (int64_t id = 0; id < 20; id++) {
        for (size_t i = 0; i < 1000; i++) {
            if (i % 3 == 0) OK(frz_row_set_long(h.r, i, id * 1000 + (int64_t)i * (i > 0), &h.e), &h.e);
            else if (i % 3 == 1) OK(frz_row_set_string(h.r, i, "text", 4, &h.e), &h.e);
            else OK(frz_row_set_double(h.r, i, (double)id, &h.e), &h.e);
        }
        OK(frz_put(h.t, h.r, NULL, &h.e), &h.e);
    }
    OK(frz_table_flush(h.t, &h.e), &h.e);
    h_reopen(&h);
    frz_value key = h_long(7000);
    OK(frz_get(h.t, NULL, &key, 1, h.r, &h.e), &h.e);
    assert_int_equal(frz_row_long(h.r, 999), 7999);
    assert_int_equal(h_count(&h), 20);
    h_verify(&h);
    h_close(&h);
    OK(frz_schema_new(&s, &e), &e);
    int rc = FRZ_OK, n = 0;
    for (; rc == FRZ_OK && n < 100000; n++) {
        snprintf(name, sizeof name, "c%d", n);
        frz_column c = {.struct_size = sizeof c, .name = name, .type = {.id = FRZ_BOOLEAN}};
        rc = frz_schema_add(s, &c, &e);
    }
    RC(rc, FRZ_TOO_LARGE, &e);
    assert_int_equal(n, COLUMNS_MAX + 1);
    frz_schema_free(s);
    OK(frz_schema_new(&s, &e), &e);
    memset(name, 'n', sizeof name);
    name[COLUMN_NAME_BYTES_MAX + 1] = 0;
    frz_column c = {.struct_size = sizeof c, .name = name, .type = {.id = FRZ_BOOLEAN}};
    FAILS(frz_schema_add(s, &c, &e), FRZ_TOO_LARGE, &e);
    name[COLUMN_NAME_BYTES_MAX] = 0;
    OK(frz_schema_add(s, &c, &e), &e);
    frz_schema_free(s);
}

/* ── structs of other versions ── */

static int open_with(void *block, frz_error *e)
{
    frz_db *db = NULL;
    struct fs *fs = NULL;
    OK(frz__fs_mem_new(NULL, &fs, e), e);
    int rc = frz__test_db_open(fs, (const frz_db_options *)block, &db, e);
    if (rc == FRZ_OK) OK(frz_db_close(db, e), e);
    frz__fs_free(fs);
    return rc;
}

/* FROM's first bytes, in a block that ends behind them: a read beyond is the address sanitizer's. */
static void *cut_off(const void *from, size_t bytes)
{
    uint32_t size = (uint32_t)bytes;
    void *block = malloc(bytes);
    assert_non_null(block);
    memcpy(block, from, bytes);
    memcpy(block, &size, sizeof size);
    return block;
}

TEST(hostile_sizes, options_that_end_anywhere_even_inside_a_field_are_read_to_their_end_and_no_further)
{
    struct host h;
    frz_error e;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_scan_options so = FRZ_SCAN_OPTIONS_INIT;
    o.create = true;
    const size_t behind_create = offsetof(frz_db_options, create) + sizeof o.create;
    for (size_t bytes = behind_create; bytes <= sizeof o; bytes++) {
        void *block = cut_off(&o, bytes);
        OK(open_with(block, &e), &e);
        free(block);
    }
    h_open(&h, "hs-cut", "id long, v string?", "id");
    OK(frz_row_set_long(h.r, 0, 1, &h.e), &h.e);
    OK(frz_put(h.t, h.r, NULL, &h.e), &h.e);
    for (size_t bytes = sizeof so.struct_size; bytes <= sizeof so; bytes++) {
        frz_scan_options *block = (frz_scan_options *)cut_off(&so, bytes);
        frz_cursor *c = NULL;
        const frz_row *row;
        struct ArrowArrayStream stream = {0};
        struct ArrowArray array = {0};
        uint64_t n = 0;
        OK(frz_scan(h.t, block, &c, &h.e), &h.e);
        OK(frz_cursor_next(c, &row, &h.e), &h.e);
        frz_cursor_close(c);
        OK(frz_count(h.t, block, &n, &h.e), &h.e);
        assert_int_equal(n, 1);
        OK(frz_scan_arrow(h.t, block, &stream, &h.e), &h.e);
        assert_int_equal(stream.get_next(&stream, &array), 0);
        assert_int_equal(array.length, 1);
        array.release(&array);
        stream.release(&stream);
        free(block);
    }
    h_close(&h);
}
