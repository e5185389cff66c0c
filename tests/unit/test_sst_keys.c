/* Goal: stripes of keys are encoded as keyenc.h encodes each of them, and come back. Method: every key type and composites, seeded, beside frz__key_encode. */
#include <stdio.h>
#include <stdlib.h>
#include "frz_test.h"
#include "base/rand.h"
#include "sst/sst_keys.h"

static frz_error err;

static frz_schema *schema_of(const char *columns, const char *key)
{
    frz_schema *s = NULL;
    OK(frz__schema_parse_text(NULL, slice_str(columns), slice_str(key), &s, &err), &err);
    OK(frz__schema_seal(s, true, &err), &err);
    return s;
}

/* a value of T; bytes in ROOM */
static frz_value random_value(struct rng *r, frz_type t, uint8_t *room)
{
    frz_value v = {t.id, 0, {0}};
    size_t len = rng_below(r, 9);
    switch (t.id) {
    case FRZ_BOOLEAN: v.as.boolean = rng_below(r, 2); break;
    case FRZ_INT:
    case FRZ_DATE: v.as.i32 = (int32_t)rng_next(r); break;
    case FRZ_DECIMAL: v.as.dec = (frz_decimal){rng_below(r, 1000000000), 0}; if (rng_below(r, 2)) v.as.dec = (frz_decimal){~v.as.dec.lo, -1}; break;
    case FRZ_TIME: v.as.i64 = (int64_t)rng_below(r, UINT64_C(86400000000)); break;
    case FRZ_UUID:
    case FRZ_FIXED: len = frz__type_width(t); /* fall through */
    case FRZ_STRING:
    case FRZ_BINARY:
        for (size_t i = 0; i < len; i++) room[i] = t.id == FRZ_STRING ? (uint8_t)rng_below(r, 3) : (uint8_t)(rng_below(r, 2) ? 0 : rng_next(r));
        v.as.bytes.data = room;
        v.as.bytes.len = len;
        break;
    default: v.as.i64 = (int64_t)rng_next(r); break;
    }
    return v;
}

static void round_trip(const char *columns, const char *key, uint64_t seed)
{
    frz_schema *s = schema_of(columns, key);
    struct rng r = {seed};
    enum { ROWS = 200 };
    struct vec cols[8], back[8];
    const struct vec *in[8];
    struct vec *out[8];
    struct buf each = BUF_INIT(NULL, 0), scratch = BUF_INIT(NULL, 0);
    size_t ends[ROWS + 1] = {0};
    for (size_t i = 0; i < s->key_count; i++) {
        frz__vec_init(&cols[i], NULL, s->columns[s->key[i]].type);
        frz__vec_init(&back[i], NULL, s->columns[s->key[i]].type);
        in[i] = &cols[i];
        out[i] = &back[i];
    }
    for (size_t row = 0; row < ROWS; row++) {
        frz_value values[8];
        uint8_t room[8][64];
        for (size_t i = 0; i < s->key_count; i++) {
            values[i] = random_value(&r, s->columns[s->key[i]].type, room[i]);
            OK(frz__vec_append(&cols[i], &values[i], &err), &err);
        }
        OK(frz__key_encode(s, values, &each, &err), &err);
        ends[row + 1] = each.len;
    }
    struct sst_keys k = SST_KEYS_INIT(NULL);
    for (size_t from = 0; from <= ROWS; from += 67) {
        OK(frz__sst_keys_encode(s, in, from, ROWS - from, &k, &err), &err);
        assert_int_equal(k.rows, ROWS - from);
        if (frz__sst_key_stride(s)) assert_int_equal(k.stride, frz__sst_key_stride(s));
        for (size_t i = 0; k.stride && i < k.rows; i++) assert_int_equal(ends[from + i + 1] - ends[from + i], k.stride);
        for (size_t i = 0; i < k.rows; i++) assert_true(slice_eq(sst_key(&k, i), slice_of(each.data + ends[from + i], ends[from + i + 1] - ends[from + i])));
    }
    slice keys[ROWS];
    for (size_t row = 0; row < ROWS; row++) keys[row] = slice_of(each.data + ends[row], ends[row + 1] - ends[row]);
    for (size_t row = 0, n = 1; row < ROWS; row += n, n = n * 3 < ROWS - row ? n * 3 : ROWS - row) OK(frz__sst_keys_append(s, keys + row, n, out, &scratch, &err), &err);
    for (size_t i = 0; i < s->key_count; i++) {
        assert_int_equal(back[i].len, ROWS);
        for (size_t row = 0; row < ROWS; row++) {
            frz_value a, b;
            frz__vec_get(&cols[i], row, &a);
            frz__vec_get(&back[i], row, &b);
            assert_true(frz__value_eq(&a, &b));
        }
        frz__vec_clear(&cols[i]);
        frz__vec_clear(&back[i]);
    }
    frz__sst_keys_clear(&k);
    buf_clear(&each);
    buf_clear(&scratch);
    frz__schema_release(s);
}

TEST(sst_keys, of_every_type_are_those_of_keyenc)
{
    const char *types[] = {"boolean", "int", "long", "decimal(38,3)", "date", "time", "timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns", "string", "uuid", "fixed[7]", "binary"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(types); i++) {
        char columns[64];
        snprintf(columns, sizeof columns, "a %s, z int?", types[i]);
        round_trip(columns, "a", i);
    }
}

TEST(sst_keys, of_several_columns_are_those_of_keyenc)
{
    round_trip("a int, b long", "b,a", 1);
    round_trip("a string, b binary, c int", "a,b,c", 2);
    round_trip("a string, b binary, c int", "c,a,b", 3);
    round_trip("a boolean, b uuid, c fixed[3], d decimal(9,2), e date", "e,d,c,b,a", 4);
    round_trip("a binary, b binary", "a,b", 5);
}

TEST(sst_keys, are_searched_as_a_walk_finds_them)
{
    const struct { const char *columns, *key; } shapes[] = {{"a long", "a"}, {"a int", "a"}, {"a int, b long", "a,b"}, {"a boolean, b int", "a,b"}, {"a long, b boolean", "a,b"}, {"a string, b int", "a,b"}, {"a uuid", "a"}, {"a string", "a"}, {"a binary", "a"}};
    struct rng r = {test_seed(5)};
    for (size_t shape = 0; shape < FRZ_ARRAY_LEN(shapes); shape++) {
        frz_schema *s = schema_of(shapes[shape].columns, shapes[shape].key);
        struct vec cols[2];
        const struct vec *in[2] = {&cols[0], &cols[1]};
        struct sst_keys k = SST_KEYS_INIT(NULL), sorted = SST_KEYS_INIT(NULL);
        for (size_t i = 0; i < s->key_count; i++) frz__vec_init(&cols[i], NULL, s->columns[s->key[i]].type);
        for (int row = 0; row < 300; row++)
            for (size_t i = 0; i < s->key_count; i++) {
                uint8_t room[64];
                frz_value v = random_value(&r, s->columns[s->key[i]].type, room);
                if (v.type == FRZ_INT) v.as.i32 %= 20;
                if (v.type == FRZ_LONG) v.as.i64 %= 20; /* the same heads again and again */
                if (v.type == FRZ_STRING && s->key_count == 1) { /* digits behind a long prefix */
                    snprintf((char *)room, sizeof room, "user/0000000000%05u", (unsigned)rng_below(&r, 9000));
                    v = value_bytes(FRZ_STRING, slice_str((const char *)room));
                }
                OK(frz__vec_append(&cols[i], &v, &err), &err);
            }
        OK(frz__sst_keys_encode(s, in, 0, 300, &k, &err), &err);
        /* sorted, by insertion of row numbers */
        uint32_t order[300];
        for (uint32_t i = 0; i < 300; i++) {
            uint32_t at = i;
            for (; at > 0 && slice_cmp(sst_key(&k, order[at - 1]), sst_key(&k, i)) > 0; at--) order[at] = order[at - 1];
            order[at] = i;
        }
        struct vec in_order[2];
        const struct vec *in2[2] = {&in_order[0], &in_order[1]};
        for (size_t i = 0; i < s->key_count; i++) {
            frz__vec_init(&in_order[i], NULL, cols[i].type);
            OK(frz__vec_append_select(&in_order[i], &cols[i], order, 250, &err), &err);
        }
        OK(frz__sst_keys_encode(s, in2, 0, 250, &sorted, &err), &err);
        bool digits = s->key_count == 1 && s->columns[0].type.id == FRZ_STRING; /* of any length, and all of one */
        if (digits) assert_int_equal(sorted.stride, strlen("user/000000000000000"));
        if (sorted.stride) frz__sst_keys_drop_offsets(&sorted);
        for (size_t i = 0; i < 300; i++) {
            slice key = sst_key(&k, i), cut = slice_of(key.data, key.len ? key.len - 1 : 0);
            for (size_t from = 0; from < 250; from += 83) {
                size_t want = from, want_cut = from;
                while (want < 250 && slice_cmp(sst_key(&sorted, want), key) < 0) want++;
                while (want_cut < 250 && slice_cmp(sst_key(&sorted, want_cut), cut) < 0) want_cut++;
                assert_int_equal(frz__sst_keys_lower(&sorted, from, key), want);
                assert_int_equal(frz__sst_keys_lower(&sorted, from, cut), want_cut);
            }
        }
        for (size_t i = 0; i < s->key_count; i++) frz__vec_clear(&cols[i]), frz__vec_clear(&in_order[i]);
        frz__sst_keys_clear(&k);
        frz__sst_keys_clear(&sorted);
        frz__schema_release(s);
    }
}

TEST(sst_keys, that_are_none_are_a_bug)
{
    frz_schema *s = schema_of("a long", "a");
    struct vec v;
    struct vec *cols[1] = {&v};
    struct buf scratch = BUF_INIT(NULL, 0);
    frz__vec_init(&v, NULL, s->columns[0].type);
    slice seven = slice_of("1234567", 7);
    FAILS(frz__sst_keys_append(s, &seven, 1, cols, &scratch, &err), FRZ_BUG, &err);
    buf_clear(&scratch);
    frz__vec_clear(&v);
    frz__schema_release(s);
}
