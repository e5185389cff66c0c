/* Keys, rows and batches as bytes: order, round trips, and what hostile bytes do. */
#include "frz_test.h"

#include <stdlib.h>

#include "test_types_gen.h"
#include "types/batch.h"
#include "types/row_conv.h"

static int sign(int x) { return (x > 0) - (x < 0); }

/* The naive order: column by column. */
static int cmp_keys(const frz_schema *s, const frz_value *a, const frz_value *b)
{
    for (size_t i = 0; i < s->key_count; i++) {
        int c = frz__value_cmp(&a[i], &b[i]);
        if (c) return c;
    }
    return 0;
}

static void gen_key(struct rng *r, const frz_schema *s, struct arena *ar, frz_value *key)
{
    for (size_t i = 0; i < s->key_count; i++) key[i] = gen_value(r, s->columns[s->key[i]].type, ar);
}

#define KEYS 24

TEST(key, byte_order_is_value_order_for_every_type_and_composite)
{
    frz_error e = {0};
    struct rng r = {test_seed(12)};
    for (int round = 0; round < 400; round++) {
        frz_schema *s = gen_schema(&r, 1 + rng_below(&r, 4), 1, &e);
        if (round % 2) {
            frz__schema_release(s);
            size_t keys = 1 + rng_below(&r, 4);
            s = gen_schema(&r, keys + rng_below(&r, 3), keys, &e);
        }
        struct arena ar = ARENA_INIT(NULL);
        struct buf enc[KEYS];
        frz_value keys[KEYS][8], back[8];
        struct buf scratch = BUF_INIT(NULL, 0);
        for (size_t i = 0; i < KEYS; i++) {
            gen_key(&r, s, &ar, keys[i]);
            for (size_t k = 0; i > 0 && k < s->key_count; k++) /* share leading columns often */
                if (rng_below(&r, 2)) keys[i][k] = keys[i - 1][k];
            enc[i] = BUF_INIT(NULL, 0);
            OK(frz__key_encode(s, keys[i], &enc[i], &e), &e);
            buf_reset(&scratch);
            OK(frz__key_decode(s, buf_slice(&enc[i]), back, &scratch, &e), &e);
            for (size_t k = 0; k < s->key_count; k++) assert_true(same_value(&keys[i][k], &back[k]));
        }
        for (size_t i = 0; i < KEYS; i++)
            for (size_t j = 0; j < KEYS; j++)
                if (sign(slice_cmp(buf_slice(&enc[i]), buf_slice(&enc[j]))) != sign(cmp_keys(s, keys[i], keys[j]))) fail_msg("round %d: %zu and %zu", round, i, j);
        /* the prefix property */
        for (size_t n = 0; n < s->key_count; n++)
            for (size_t i = 0; i < KEYS; i++) {
                struct buf p = BUF_INIT(NULL, 0);
                OK(frz__key_encode_prefix(s, keys[i], n, &p, &e), &e);
                for (size_t j = 0; j < KEYS; j++) {
                    bool begins = true;
                    for (size_t k = 0; k < n; k++) begins = begins && frz__value_eq(&keys[i][k], &keys[j][k]);
                    assert_int_equal(slice_has_prefix(buf_slice(&enc[j]), buf_slice(&p)), begins);
                }
                buf_clear(&p);
            }
        for (size_t i = 0; i < KEYS; i++) buf_clear(&enc[i]);
        buf_clear(&scratch);
        frz__arena_clear(&ar);
        frz__schema_release(s);
    }
}

static frz_schema *parse(const char *text, const char *key)
{
    frz_error e = {0};
    frz_schema *s = NULL;
    OK(frz__schema_parse_text(NULL, slice_str(text), slice_str(key), &s, &e), &e);
    OK(frz__schema_seal(s, key[0] != 0, &e), &e);
    return s;
}

TEST(key, has_these_bytes)
{
    frz_error e = {0};
    frz_schema *s = parse("a int, b string, c boolean, d long, e decimal(9,2), f binary", "a,b,c,d,e,f");
    frz_value v[6] = {value_i32(FRZ_INT, -2), value_bytes(FRZ_STRING, slice_of("x\0y", 3)), {FRZ_BOOLEAN, 0, {0}}, value_i64(FRZ_LONG, 1), {FRZ_DECIMAL, 0, {0}}, value_bytes(FRZ_BINARY, slice_of("\0z", 2))};
    v[2].as.boolean = true;
    v[4].as.dec = decimal_of(-1);
    struct buf b = BUF_INIT(NULL, 0), text = BUF_INIT(NULL, 0);
    OK(frz__key_encode(s, v, &b, &e), &e);
    const char want[] = "\x7f\xff\xff\xfe" "x\0\xffy\0\0" "\x01" "\x80\0\0\0\0\0\0\x01" "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" "\0z";
    assert_int_equal(b.len, sizeof want - 1);
    assert_memory_equal(b.data, want, b.len);
    OK(frz__key_print(s, buf_slice(&b), &text, &e), &e);
    OK(buf_append_byte(&text, 0, &e), &e);
    assert_memory_equal(text.data, "(-2, \"x\0y\", true, 1, -0.01, 0x007a)", text.len);
    buf_clear(&b);
    buf_clear(&text);
    frz__schema_release(s);
}

TEST(key, refuses_nulls_and_what_is_too_long_and_leaves_the_buffer)
{
    frz_error e = {0};
    frz_schema *s = parse("a string, b string", "a,b");
    size_t big = 64 << 10;
    uint8_t *zeros = (uint8_t *)calloc(1, KEY_BYTES_MAX);
    frz_value v[3] = {value_bytes(FRZ_STRING, slice_of(zeros, big)), value_bytes(FRZ_STRING, slice_of("", 0)), value_null()};
    struct buf b = BUF_INIT(NULL, 0);
    OK(buf_append(&b, "abc", 3, &e), &e);
    OK(frz__key_encode(s, v, &b, &e), &e); /* 64 KiB always fit, zero bytes or not */
    assert_int_equal(b.len, 3 + 2 * big + 2);
    b.len = 3;
    v[1] = value_bytes(FRZ_STRING, slice_of(zeros, KEY_BYTES_MAX - 2 * big - 1));
    FAILS(frz__key_encode(s, v, &b, &e), FRZ_TOO_LARGE, &e);
    assert_int_equal(b.len, 3);
    v[1] = value_null();
    FAILS(frz__key_encode(s, v, &b, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "\"b\"");
    FAILS(frz__key_encode_row(s, v, &b, &e), FRZ_INVALID, &e);
    FAILS(frz__key_encode_prefix(s, v, 2, &b, &e), FRZ_INVALID, &e);
    FAILS(frz__key_encode_prefix(s, v, 3, &b, &e), FRZ_INVALID, &e);
    v[1] = value_i32(FRZ_INT, 1);
    FAILS(frz__key_encode_prefix(s, v, 2, &b, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "key column \"b\": expected string, found int");
    assert_int_equal(b.len, 3);
    free(zeros);
    buf_clear(&b);
    frz__schema_release(s);
    s = parse("a long, b decimal(9,2)", "a,b"); /* scalars convert */
    frz_value w[2] = {value_i32(FRZ_INT, 1), value_i64(FRZ_LONG, 2)};
    OK(frz__key_encode_prefix(s, w, 2, &b, &e), &e);
    assert_int_equal(b.len, 24);
    buf_clear(&b);
    frz__schema_release(s);
}

TEST(key, successor_is_the_least_above_a_prefix)
{
    struct buf b = BUF_INIT(NULL, 0);
    assert_true(frz__key_successor(slice_of("ab", 2), &b));
    assert_true(slice_eq(buf_slice(&b), slice_of("ac", 2)));
    assert_true(frz__key_successor(slice_of("a\xff\xff", 3), &b));
    assert_true(slice_eq(buf_slice(&b), slice_of("b", 1)));
    assert_false(frz__key_successor(slice_of("\xff\xff", 2), &b));
    assert_false(frz__key_successor(slice_of("", 0), &b));
    buf_clear(&b);
}

TEST(key, decode_survives_cuts_flips_and_noise)
{
    frz_error e = {0};
    struct rng r = {test_seed(3)};
    struct buf b = BUF_INIT(NULL, 0), scratch = BUF_INIT(NULL, 0), again = BUF_INIT(NULL, 0);
    size_t good = 0, bad = 0;
    for (int round = 0; round < 300; round++) {
        frz_schema *s = gen_schema(&r, 4, 1 + rng_below(&r, 4), &e);
        struct arena ar = ARENA_INIT(NULL);
        frz_value v[4], back[4];
        gen_key(&r, s, &ar, v);
        buf_reset(&b);
        OK(frz__key_encode(s, v, &b, &e), &e);
        for (size_t i = 0; i < b.len + 60; i++) {
            uint8_t *copy = (uint8_t *)malloc(b.len); /* of exactly its size: the sanitizer sees an overrun */
            size_t n = b.len;
            memcpy(copy, b.data, n);
            if (i < b.len) n = i;
            else if (n && i < b.len + 30) copy[rng_below(&r, n)] ^= (uint8_t)(1u << rng_below(&r, 8));
            else for (size_t k = 0; k < n; k++) copy[k] = (uint8_t)(rng_below(&r, 2) ? 0 : rng_next(&r));
            uint8_t *exact = (uint8_t *)malloc(n ? n : 1);
            memcpy(exact, copy, n);
            buf_reset(&scratch);
            int rc = frz__key_decode(s, slice_of(exact, n), back, &scratch, &e);
            if (rc < 0) {
                assert_int_equal(rc, FRZ_CORRUPT);
                bad++;
            } else { /* what decodes, encodes to the same bytes */
                buf_reset(&again);
                OK(frz__key_encode(s, back, &again, &e), &e);
                assert_true(slice_eq(buf_slice(&again), slice_of(exact, n)));
                good++;
            }
            free(exact);
            free(copy);
        }
        frz__arena_clear(&ar);
        frz__schema_release(s);
    }
    assert_true(good > 100 && bad > 100);
    buf_clear(&b);
    buf_clear(&scratch);
    buf_clear(&again);
}

TEST(row, survives_both_ways_and_equal_rows_are_equal_bytes)
{
    frz_error e = {0};
    struct rng r = {test_seed(4)};
    struct buf b = BUF_INIT(NULL, 0), b2 = BUF_INIT(NULL, 0), key = BUF_INIT(NULL, 0);
    for (int round = 0; round < 800; round++) {
        size_t columns = 1 + rng_below(&r, 20);
        frz_schema *s = gen_schema(&r, columns, rng_below(&r, columns < 4 ? columns : 4) + (columns > 0), &e);
        struct arena ar = ARENA_INIT(NULL);
        frz_value v[20], x;
        frz_row *row = NULL;
        gen_row(&r, s, &ar, v);
        buf_reset(&b);
        buf_reset(&b2);
        buf_reset(&key);
        OK(frz__row_encode(s, v, &b, &e), &e);
        OK(frz__row_encode(s, v, &b2, &e), &e);
        assert_true(slice_eq(buf_slice(&b), buf_slice(&b2)));
        OK(frz__key_encode_row(s, v, &key, &e), &e);
        OK(frz__row_check(s, buf_slice(&b), &e), &e);
        for (size_t i = 0; i < s->count; i++) {
            if (s->columns[i].key_index >= 0) continue;
            frz__row_get(s, buf_slice(&b), i, &x);
            assert_true(same_value(&v[i], &x));
        }
        OK(frz__row_new(NULL, s, &row, &e), &e);
        uint8_t mask[3] = {(uint8_t)rng_next(&r), (uint8_t)rng_next(&r), (uint8_t)rng_next(&r)};
        for (int mode = 0; mode < 4; mode++) {
            OK(frz__row_fill(row, buf_slice(&key), buf_slice(&b), mode & 1 ? mask : NULL, mode & 2, &e), &e);
            if (mode & 2) { /* it owns: the bytes may go */
                memset(b2.data, 0xEE, b2.len);
            }
            for (size_t i = 0; i < s->count; i++) {
                bool want = !(mode & 1) || bit_get(mask, i);
                assert_int_equal(bit_get(row->set, i), want);
                if (want) assert_true(same_value(&row->values[i], &v[i]));
            }
        }
        frz__row_free(row);
        frz__arena_clear(&ar);
        frz__schema_release(s);
    }
    buf_clear(&b);
    buf_clear(&b2);
    buf_clear(&key);
}

TEST(row, a_copied_fill_outlives_its_bytes)
{
    frz_error e = {0};
    frz_schema *s = parse("k string, a string, b uuid", "k");
    frz_row *row = NULL;
    frz_value v[3] = {value_bytes(FRZ_STRING, slice_str("key")), value_bytes(FRZ_STRING, slice_str("")), value_bytes(FRZ_UUID, slice_of("0123456789abcdef", 16))};
    struct buf b = BUF_INIT(NULL, 0), key = BUF_INIT(NULL, 0);
    OK(frz__row_encode(s, v, &b, &e), &e);
    OK(frz__key_encode_row(s, v, &key, &e), &e);
    OK(frz__row_new(NULL, s, &row, &e), &e);
    OK(frz__row_fill(row, buf_slice(&key), buf_slice(&b), NULL, true, &e), &e);
    buf_clear(&b);
    buf_clear(&key);
    for (size_t i = 0; i < 3; i++) assert_true(frz__value_eq(&row->values[i], &v[i]));
    assert_non_null(row->values[1].as.bytes.data); /* empty is not null */
    frz__row_free(row);
    frz__schema_release(s);
}

TEST(row, has_these_bytes)
{
    frz_error e = {0};
    frz_schema *s = parse("k long, i int?, s string?, l long, b boolean, x binary?", "k");
    s->schema_id = 0x10203;
    frz_value v[6] = {value_i64(FRZ_LONG, 9), value_null(), value_bytes(FRZ_STRING, slice_str("ab")), value_i64(FRZ_LONG, -2), {FRZ_BOOLEAN, 0, {0}}, value_bytes(FRZ_BINARY, slice_of("\0", 1))};
    v[4].as.boolean = true;
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__row_encode(s, v, &b, &e), &e);
    const char want[] = "\x03\x02" "\x01" "\xfe\xff\xff\xff\xff\xff\xff\xff" "\0\0\0\0" "\x01" "\x02\0\0\0" "\x03\0\0\0" "ab\0";
    assert_int_equal(b.len, sizeof want - 1);
    assert_memory_equal(b.data, want, b.len);
    v[3] = value_null();
    FAILS(frz__row_encode(s, v, &b, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "column \"l\" is required");
    assert_int_equal(b.len, sizeof want - 1);
    v[3] = value_i64(FRZ_LONG, 0);
    v[5] = value_bytes(FRZ_BINARY, slice_of(want, ROW_BYTES_MAX + 1)); /* refused before it is looked at */
    FAILS(frz__row_encode(s, v, &b, &e), FRZ_TOO_LARGE, &e);
    MESSAGE_HAS(&e, "column \"x\"");
    buf_clear(&b);
    frz__schema_release(s);
}

TEST(row, check_survives_cuts_flips_and_noise)
{
    frz_error e = {0};
    struct rng r = {test_seed(5)};
    struct buf b = BUF_INIT(NULL, 0), again = BUF_INIT(NULL, 0);
    size_t good = 0, bad = 0;
    for (int round = 0; round < 300; round++) {
        frz_schema *s = gen_schema(&r, 1 + rng_below(&r, 10), 1, &e);
        struct arena ar = ARENA_INIT(NULL);
        frz_value v[10], back[10];
        gen_row(&r, s, &ar, v);
        buf_reset(&b);
        OK(frz__row_encode(s, v, &b, &e), &e);
        for (size_t i = 0; i < 9 * b.len + 30; i++) {
            size_t n = i < b.len ? i : b.len;
            uint8_t *exact = (uint8_t *)malloc(n ? n : 1);
            memcpy(exact, b.data, n);
            if (i >= b.len && i < 9 * b.len) exact[(i - b.len) / 8] ^= (uint8_t)(1u << (i - b.len) % 8); /* every bit */
            if (i >= 9 * b.len)
                for (size_t k = 2; k < n; k++) exact[k] = (uint8_t)(rng_below(&r, 3) ? 0 : rng_next(&r));
            int rc = frz__row_check(s, slice_of(exact, n), &e);
            if (rc < 0) {
                assert_int_equal(rc, FRZ_CORRUPT);
                bad++;
            } else { /* what passes can be read and encodes to the same bytes */
                for (size_t k = 0; k < s->count; k++) {
                    back[k] = v[k];
                    if (!s->layout.slots[k].is_key) frz__row_get(s, slice_of(exact, n), k, &back[k]);
                }
                buf_reset(&again);
                OK(frz__row_encode(s, back, &again, &e), &e);
                assert_true(slice_eq(buf_slice(&again), slice_of(exact, n)));
                good++;
            }
            free(exact);
        }
        frz__arena_clear(&ar);
        frz__schema_release(s);
    }
    assert_true(good > 100 && bad > 100);
    buf_clear(&b);
    buf_clear(&again);
}

TEST(row, hazard_25_reads_rows_of_an_older_schema_by_field_id)
{
    frz_error e = {0};
    frz_schema *from = NULL, *to = NULL;
    struct json *j = NULL;
    const char *old = "{\"type\":\"struct\",\"schema-id\":1,\"identifier-field-ids\":[1],\"fields\":[{\"id\":1,\"name\":\"k\",\"required\":true,\"type\":\"long\"},"
                      "{\"id\":2,\"name\":\"a\",\"required\":false,\"type\":\"int\"},{\"id\":3,\"name\":\"b\",\"required\":true,\"type\":\"float\"},"
                      "{\"id\":4,\"name\":\"c\",\"required\":false,\"type\":\"decimal(5, 2)\"},{\"id\":5,\"name\":\"gone\",\"required\":false,\"type\":\"string\"},{\"id\":6,\"name\":\"s\",\"required\":false,\"type\":\"string\"}]}";
    const char *new = "{\"type\":\"struct\",\"schema-id\":2,\"identifier-field-ids\":[1],\"fields\":[{\"id\":6,\"name\":\"s2\",\"required\":false,\"type\":\"string\"},{\"id\":1,\"name\":\"k\",\"required\":true,\"type\":\"long\"},"
                      "{\"id\":2,\"name\":\"a\",\"required\":false,\"type\":\"long\"},{\"id\":3,\"name\":\"b\",\"required\":true,\"type\":\"double\"},"
                      "{\"id\":4,\"name\":\"c\",\"required\":false,\"type\":\"decimal(9, 2)\"},{\"id\":9,\"name\":\"gone\",\"required\":false,\"type\":\"string\"},"
                      "{\"id\":10,\"name\":\"d\",\"required\":true,\"type\":\"string\",\"initial-default\":\"dflt\",\"write-default\":\"w\"}]}";
    OK(frz__json_parse(slice_str(old), &j, &e), &e);
    OK(frz__schema_from_json(NULL, j, &from, &e), &e);
    frz__json_free(j);
    OK(frz__json_parse(slice_str(new), &j, &e), &e);
    OK(frz__schema_from_json(NULL, j, &to, &e), &e);
    frz__json_free(j);
    frz_value v[6] = {value_i64(FRZ_LONG, 1), value_i32(FRZ_INT, -5), {FRZ_FLOAT, 0, {0}}, {FRZ_DECIMAL, 0, {0}}, value_bytes(FRZ_STRING, slice_str("old")), value_bytes(FRZ_STRING, slice_str("kept"))}, x;
    v[2].as.f32 = 0.5f;
    v[3].as.dec = decimal_of(-125);
    struct buf b = BUF_INIT(NULL, 0), m = BUF_INIT(NULL, 0);
    OK(frz__row_encode(from, v, &b, &e), &e);
    OK(frz__row_migrate(from, buf_slice(&b), to, &m, &e), &e);
    OK(frz__row_check(to, buf_slice(&m), &e), &e);
    frz__row_get(to, buf_slice(&m), 0, &x);
    assert_true(slice_eq(value_slice(&x), slice_str("kept")));
    frz__row_get(to, buf_slice(&m), 2, &x);
    assert_true(x.type == FRZ_LONG && x.as.i64 == -5);
    frz__row_get(to, buf_slice(&m), 3, &x);
    assert_true(x.type == FRZ_DOUBLE && x.as.f64 == 0.5);
    frz__row_get(to, buf_slice(&m), 4, &x);
    assert_true(decimal_i128(x.as.dec) == -125);
    frz__row_get(to, buf_slice(&m), 5, &x); /* dropped and added again: another column */
    assert_true(value_is_null(&x));
    frz__row_get(to, buf_slice(&m), 6, &x);
    assert_true(slice_eq(value_slice(&x), slice_str("dflt")));
    buf_reset(&b);
    FAILS(frz__row_migrate(to, buf_slice(&m), from, &b, &e), FRZ_INVALID, &e); /* long is no int again */
    buf_clear(&b);
    buf_clear(&m);
    frz__schema_release(from);
    frz__schema_release(to);
}

TEST(row, wide_tables_and_wide_keys_take_the_same_way)
{
    frz_error e = {0};
    struct rng r = {test_seed(14)};
    for (int round = 0; round < 20; round++) {
        frz_schema *s = gen_schema(&r, 150, 1 + rng_below(&r, 30), &e);
        struct arena ar = ARENA_INIT(NULL);
        struct buf key = BUF_INIT(NULL, 0), b = BUF_INIT(NULL, 0), m = BUF_INIT(NULL, 0);
        frz_value v[150];
        frz_row *row = NULL;
        gen_row(&r, s, &ar, v);
        OK(frz__key_encode_row(s, v, &key, &e), &e);
        OK(frz__row_encode(s, v, &b, &e), &e);
        OK(frz__row_check(s, buf_slice(&b), &e), &e);
        OK(frz__row_new(NULL, s, &row, &e), &e);
        OK(frz__row_fill(row, buf_slice(&key), buf_slice(&b), NULL, false, &e), &e);
        for (size_t i = 0; i < 150; i++) assert_true(same_value(&row->values[i], &v[i]));
        OK(frz__row_migrate(s, buf_slice(&b), s, &m, &e), &e);
        assert_true(slice_eq(buf_slice(&m), buf_slice(&b)));
        buf_reset(&m);
        OK(frz__key_print(s, buf_slice(&key), &m, &e), &e);
        buf_clear(&key);
        buf_clear(&b);
        buf_clear(&m);
        frz__row_free(row);
        frz__arena_clear(&ar);
        frz__schema_release(s);
    }
}

TEST(batch, survives_both_ways)
{
    frz_error e = {0};
    struct rng r = {test_seed(6)};
    struct buf b = BUF_INIT(NULL, 0);
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
    struct { enum op_kind kind; uint64_t no; size_t key, row; } want[200];
    for (size_t i = 0; i < 200; i++) {
        want[i].kind = rng_below(&r, 3) ? OP_PUT : OP_DELETE;
        want[i].no = rng_next(&r) >> rng_below(&r, 64);
        want[i].key = rng_below(&r, 300);
        want[i].row = want[i].kind == OP_PUT ? rng_below(&r, 300) : 0;
        OK(frz__batch_append(&b, want[i].kind, want[i].no, slice_of(bytes, want[i].key), slice_of(bytes, want[i].row), &e), &e);
    }
    const uint8_t *p = b.data, *end = b.data + b.len;
    struct op op;
    for (size_t i = 0; i < 200; i++) {
        OK(frz__batch_next(&p, end, &op, &e), &e);
        assert_true(op.kind == want[i].kind && op.table_no == want[i].no);
        assert_true(slice_eq(op.key, slice_of(bytes, want[i].key)));
        assert_true(slice_eq(op.row, slice_of(bytes, want[i].row)));
    }
    RC(frz__batch_next(&p, end, &op, &e), FRZ_DONE, &e);
    RC(frz__batch_next(&p, end, &op, &e), FRZ_DONE, &e);
    buf_clear(&b);
}

TEST(batch, has_these_bytes)
{
    frz_error e = {0};
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__batch_append(&b, OP_PUT, 300, slice_str("k"), slice_str("row"), &e), &e);
    OK(frz__batch_append(&b, OP_DELETE, 1, slice_str("k2"), slice_of(NULL, 0), &e), &e);
    assert_int_equal(b.len, 14);
    assert_memory_equal(b.data, "\x01\xac\x02\x01k\x03row\x02\x01\x02k2", 14);
    buf_clear(&b);
}

TEST(batch, next_survives_cuts_flips_and_noise)
{
    frz_error e = {0};
    struct rng r = {test_seed(7)};
    struct buf b = BUF_INIT(NULL, 0);
    OK(frz__batch_append(&b, OP_PUT, 300, slice_str("key1"), slice_str("a row"), &e), &e);
    size_t first = b.len;
    OK(frz__batch_append(&b, OP_DELETE, 1, slice_str("key2"), slice_of(NULL, 0), &e), &e);
    for (size_t i = 0; i < b.len * 9 + 3000; i++) {
        size_t n = i < b.len ? i : b.len;
        uint8_t *exact = (uint8_t *)malloc(n ? n : 1);
        memcpy(exact, b.data, n);
        if (i >= b.len && i < 9 * b.len) exact[(i - b.len) / 8] ^= (uint8_t)(1u << (i - b.len) % 8);
        if (i >= 9 * b.len)
            for (size_t k = 0; k < n; k++) exact[k] = rng_below(&r, 2) ? (uint8_t)rng_below(&r, 4) : (uint8_t)rng_next(&r);
        const uint8_t *p = exact, *end = exact + n, *before;
        struct op op;
        int rc;
        do {
            before = p;
            rc = frz__batch_next(&p, end, &op, &e);
            if (rc == FRZ_OK) {
                assert_true(p > before && p <= end);
                assert_true(op.key.data >= exact && op.key.data + op.key.len <= end);
                if (op.kind == OP_PUT) assert_true(op.row.data >= exact && op.row.data + op.row.len <= end);
            } else {
                assert_ptr_equal(p, before);
            }
        } while (rc == FRZ_OK);
        assert_true(rc == FRZ_DONE || rc == FRZ_CORRUPT);
        if (i < b.len) assert_int_equal(rc, i == 0 || i == first ? FRZ_DONE : FRZ_CORRUPT); /* every cut is seen */
        free(exact);
    }
    const uint8_t reserved[] = {OP_MERGE, 1, 0, 0}, *p = reserved;
    struct op op;
    FAILS(frz__batch_next(&p, reserved + 4, &op, &e), FRZ_CORRUPT, &e);
    buf_clear(&b);
}

TEST(row, survives_every_failed_allocation)
{
    frz_error e = {0};
    for (long n = 1;; n++) {
        struct test_alloc t;
        frz_schema *s = NULL;
        frz_row *row = NULL;
        test_alloc_init(&t, n);
        struct buf b = BUF_INIT(&t.vt, 0), key = BUF_INIT(&t.vt, 0), m = BUF_INIT(&t.vt, 0);
        frz_value k = value_bytes(FRZ_STRING, slice_of("k\0", 2)), v = value_bytes(FRZ_STRING, slice_str("a longer value than any"));
        int rc = frz__schema_parse_text(&t.vt, slice_str("k string, l string, a string, b int?"), slice_str("k,l"), &s, &e);
        if (rc >= 0) rc = frz__row_new(&t.vt, s, &row, &e);
        if (rc >= 0) rc = frz__row_set(row, 0, &k, true, &e);
        if (rc >= 0) rc = frz__row_set(row, 1, &k, true, &e);
        if (rc >= 0) rc = frz__row_set(row, 2, &v, true, &e);
        if (rc >= 0) rc = frz__key_encode_row(s, row->values, &key, &e);
        if (rc >= 0) rc = frz__row_encode(s, row->values, &b, &e);
        if (rc >= 0) rc = frz__row_migrate(s, buf_slice(&b), s, &m, &e);
        if (rc >= 0) rc = frz__row_fill(row, buf_slice(&key), buf_slice(&b), NULL, false, &e);
        if (rc >= 0) rc = frz__row_fill(row, buf_slice(&key), buf_slice(&b), NULL, true, &e);
        if (rc >= 0) rc = frz__batch_append(&m, OP_PUT, 1, buf_slice(&key), buf_slice(&b), &e);
        if (rc >= 0) rc = frz__key_print(s, buf_slice(&key), &m, &e);
        if (rc < 0) assert_int_equal(rc, FRZ_NO_MEMORY);
        buf_clear(&b);
        buf_clear(&key);
        buf_clear(&m);
        frz__row_free(row);
        frz__schema_release(s);
        assert_int_equal(t.live, 0);
        if (rc >= 0) break;
    }
}
