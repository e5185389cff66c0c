/* Deletion vectors and Puffin files: golden bytes, what readers check, and bytes that nobody meant. */
#include "frz_test.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/coding.h"
#include "base/hash.h"
#include "base/rand.h"
#include "puffin/puffin.h"

/* {1, 3, 5}: formats.md §3, read by pyiceberg and pyroaring */
static const uint8_t golden[46] = {0x00, 0x00, 0x00, 0x26, 0xd1, 0xd3, 0x39, 0x64, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3a, 0x30, 0, 0, 0x01, 0, 0, 0, 0, 0, 0x02, 0, 0x10, 0, 0, 0,
                                   0x01, 0,    0x03, 0,    0x05, 0,    0x5a, 0x9e, 0x5d, 0x39};

struct got { uint64_t *positions; size_t count, cap; };
static int take(void *ctx, const uint64_t *positions, size_t count)
{
    struct got *g = (struct got *)ctx;
    assert_true(count <= g->cap - g->count);
    memcpy(g->positions + g->count, positions, count * sizeof *positions);
    g->count += count;
    return 0;
}

static void round_trip(const uint64_t *positions, size_t n)
{
    frz_error err;
    struct buf b = BUF_INIT(NULL, 0);
    struct got g = {(uint64_t *)malloc(n * sizeof(uint64_t)), 0, n};
    uint64_t count;
    assert_non_null(g.positions);
    OK(frz__dv_encode(positions, n, &b, &err), &err);
    OK(frz__dv_decode(buf_slice(&b), take, &g, &count, &err), &err);
    assert_true(count == n && g.count == n);
    assert_memory_equal(g.positions, positions, n * sizeof *positions);
    OK(frz__dv_decode(buf_slice(&b), NULL, NULL, NULL, &err), &err);
    free(g.positions);
    buf_clear(&b);
}

TEST(dv, makes_the_golden_bytes)
{
    frz_error err;
    struct buf b = BUF_INIT(NULL, 0);
    const uint64_t positions[] = {1, 3, 5};
    OK(buf_append(&b, "before", 6, &err), &err);
    OK(frz__dv_encode(positions, 3, &b, &err), &err);
    assert_int_equal(b.len, 6 + sizeof golden);
    assert_memory_equal(b.data + 6, golden, sizeof golden);
    buf_clear(&b);
    round_trip(positions, 3);
}

TEST(dv, round_trips_sparse_dense_runs_and_far_positions)
{
    static uint64_t p[100000];
    struct rng rng = {test_seed(21)};
    for (int kind = 0; kind < 5; kind++) {
        uint64_t at = 0;
        for (size_t i = 0; i < FRZ_ARRAY_LEN(p); i++) {
            at += kind == 0 ? 1 : kind == 1 ? 1 + rng_below(&rng, 3) : kind == 2 ? 1 + rng_below(&rng, 70000) : kind == 3 ? 1 + (rng_below(&rng, 500) == 0) * 5000 : 1 + rng_below(&rng, (uint64_t)1 << 33);
            p[i] = at;
        }
        round_trip(p, FRZ_ARRAY_LEN(p));
    }
    const uint64_t last[] = {0, ((uint64_t)INT32_MAX << 32) - 1};
    round_trip(last, 2);
}

TEST(dv, refuses_nothing_and_positions_that_no_reader_takes_and_leaves_the_buffer_alone)
{
    frz_error err;
    struct buf b = BUF_INIT(NULL, 0);
    const uint64_t far[] = {5, (uint64_t)INT32_MAX << 32}, wrong[] = {7, 7};
    OK(buf_append(&b, "x", 1, &err), &err);
    FAILS(frz__dv_encode(far, 0, &b, &err), FRZ_INVALID, &err);
    FAILS(frz__dv_encode(far, 2, &b, &err), FRZ_INVALID, &err);
    FAILS(frz__dv_encode(wrong, 2, &b, &err), FRZ_INVALID, &err);
    assert_int_equal(b.len, 1);
    buf_clear(&b);
}

static void with_crc(uint8_t *blob, size_t len) { store_u32_be(blob + len - 4, frz__crc32(0, blob + 4, len - 8)); }

TEST(dv, checks_length_magic_checksum_and_bitmap)
{
    frz_error err;
    uint8_t b[sizeof golden];
    memcpy(b, golden, sizeof b);
    b[3]++;
    FAILS(frz__dv_decode(slice_of(b, sizeof b), NULL, NULL, NULL, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "length");
    memcpy(b, golden, sizeof b);
    b[4] = 0;
    with_crc(b, sizeof b);
    FAILS(frz__dv_decode(slice_of(b, sizeof b), NULL, NULL, NULL, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "magic");
    memcpy(b, golden, sizeof b);
    b[40] = 6;
    FAILS(frz__dv_decode(slice_of(b, sizeof b), NULL, NULL, NULL, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "checksum");
    b[38] = 7; /* 1, 7, 6 */
    with_crc(b, sizeof b);
    FAILS(frz__dv_decode(slice_of(b, sizeof b), NULL, NULL, NULL, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "bitmap");
    memcpy(b, golden, sizeof b);
    store_u32(b + 16, INT32_MAX); /* a key that Java refuses */
    with_crc(b, sizeof b);
    FAILS(frz__dv_decode(slice_of(b, sizeof b), NULL, NULL, NULL, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "beyond");
}

static int stop(void *ctx, const uint64_t *positions, size_t count) { return FRZ_CANCELLED; }

TEST(dv, gives_back_what_stops_it_and_survives_cuts_and_flips)
{
    frz_error err;
    RC(frz__dv_decode(slice_of(golden, sizeof golden), stop, NULL, NULL, NULL), FRZ_CANCELLED, NULL);
    for (size_t cut = 0; cut < sizeof golden; cut++) {
        uint8_t *copy = (uint8_t *)malloc(cut ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, golden, cut);
        FAILS(frz__dv_decode(slice_of(copy, cut), NULL, NULL, NULL, &err), FRZ_CORRUPT, &err);
        if (cut >= 12) { /* and with a sound frame */
            store_u32_be(copy, (uint32_t)cut - 8);
            with_crc(copy, cut);
            FAILS(frz__dv_decode(slice_of(copy, cut), NULL, NULL, NULL, &err), FRZ_CORRUPT, &err);
        }
        free(copy);
    }
    struct rng rng = {test_seed(22)};
    static uint64_t room[70000];
    for (int i = 0; i < 5000; i++) {
        uint8_t b[sizeof golden];
        memcpy(b, golden, sizeof b);
        for (uint64_t k = 1 + rng_below(&rng, 3); k > 0; k--) b[rng_below(&rng, sizeof b)] ^= (uint8_t)(1u << rng_below(&rng, 8));
        if (rng_below(&rng, 2)) with_crc(b, sizeof b);
        struct got g = {room, 0, FRZ_ARRAY_LEN(room)};
        int rc = frz__dv_decode(slice_of(b, sizeof b), take, &g, NULL, &err);
        if (rc != FRZ_OK) RC(rc, FRZ_CORRUPT, &err);
    }
}

/* ── files ── */

struct seen { size_t count; struct puffin_entry e[4]; char path[4][64], cardinality[4][8]; };
static int see(void *ctx, const struct puffin_entry *e)
{
    struct seen *s = (struct seen *)ctx;
    if (s->count < 4) {
        s->e[s->count] = *e;
        slice p = frz__json_str(frz__json_get(e->properties, "referenced-data-file")), c = frz__json_str(frz__json_get(e->properties, "cardinality"));
        snprintf(s->path[s->count], sizeof s->path[0], "%.*s", (int)p.len, p.data ? (const char *)p.data : "");
        snprintf(s->cardinality[s->count], sizeof s->cardinality[0], "%.*s", (int)c.len, c.data ? (const char *)c.data : "");
    }
    s->count++;
    return 0;
}
static int see_nothing(void *ctx, const struct puffin_entry *e) { return 0; }

static int write_two(const allocator *a, struct puffin_blob blobs[2], struct buf *out, frz_error *err)
{
    blobs[0] = (struct puffin_blob){slice_str("file:///t/data/a \"q\".parquet"), 3, slice_of(golden, sizeof golden), 0};
    blobs[1] = (struct puffin_blob){slice_str("file:///t/data/b.parquet"), 3, slice_of(golden, sizeof golden), 0};
    *out = BUF_INIT(a, 0);
    return frz__puffin_write_dvs(blobs, 2, out, err);
}

TEST(puffin, writes_what_other_readers_expect)
{
    static const char payload[] =
        "{\"blobs\":[{\"type\":\"deletion-vector-v1\",\"fields\":[2147483645],\"snapshot-id\":-1,\"sequence-number\":-1,\"offset\":4,\"length\":46,"
        "\"properties\":{\"referenced-data-file\":\"file:///t/data/a \\\"q\\\".parquet\",\"cardinality\":\"3\"}},"
        "{\"type\":\"deletion-vector-v1\",\"fields\":[2147483645],\"snapshot-id\":-1,\"sequence-number\":-1,\"offset\":50,\"length\":46,"
        "\"properties\":{\"referenced-data-file\":\"file:///t/data/b.parquet\",\"cardinality\":\"3\"}}],\"properties\":{\"created-by\":\"frazil ";
    frz_error err;
    struct buf b;
    struct puffin_blob blobs[2];
    struct seen s = {0};
    OK(write_two(NULL, blobs, &b, &err), &err);
    assert_memory_equal(b.data, "PFA1", 4);
    assert_memory_equal(b.data + 4, golden, sizeof golden);
    assert_memory_equal(b.data + 50, golden, sizeof golden);
    assert_memory_equal(b.data + 96, "PFA1", 4);
    assert_memory_equal(b.data + 100, payload, sizeof payload - 1);
    assert_int_equal(load_u32(b.data + b.len - 12), b.len - 100 - 12);
    assert_memory_equal(b.data + b.len - 8, "\0\0\0\0PFA1", 8);
    assert_true(blobs[0].offset == 4 && blobs[1].offset == 50);
    OK(frz__puffin_read(buf_slice(&b), see, &s, &err), &err);
    assert_int_equal(s.count, 2);
    assert_true(s.e[1].offset == 50 && s.e[1].length == 46);
    assert_string_equal(s.path[0], "file:///t/data/a \"q\".parquet");
    assert_string_equal(s.cardinality[1], "3");
    buf_clear(&b);
}

TEST(puffin, may_be_empty)
{
    frz_error err;
    struct buf b = BUF_INIT(NULL, 0);
    struct seen s = {0};
    OK(frz__puffin_write_dvs(NULL, 0, &b, &err), &err);
    OK(frz__puffin_read(buf_slice(&b), see, &s, &err), &err);
    assert_int_equal(s.count, 0);
    buf_clear(&b);
}

/* A file of a given footer, with 10 bytes for blobs. */
static int read_footer(const char *payload, uint32_t flags, frz_error *err)
{
    struct buf b = BUF_INIT(NULL, 0);
    OK(buf_append(&b, "PFA1----------PFA1", 18, err), err);
    OK(buf_append(&b, payload, strlen(payload), err), err);
    OK(buf_append_u32(&b, (uint32_t)strlen(payload), err), err);
    OK(buf_append_u32(&b, flags, err), err);
    OK(buf_append(&b, "PFA1", 4, err), err);
    int rc = frz__puffin_read(buf_slice(&b), see_nothing, NULL, err);
    buf_clear(&b);
    return rc;
}

#define BLOB(offset, length, more) "{\"blobs\":[{\"type\":\"deletion-vector-v1\",\"fields\":[],\"snapshot-id\":1,\"sequence-number\":1,\"offset\":" offset ",\"length\":" length more "}]}"
TEST(puffin, says_what_is_wrong_with_a_footer)
{
    frz_error err;
    OK(read_footer(BLOB("4", "10", ""), 0, &err), &err);
    OK(read_footer(BLOB("14", "0", ",\"properties\":{}"), 0, &err), &err);
    FAILS(read_footer(BLOB("4", "10", ""), 1, &err), FRZ_UNSUPPORTED, &err);
    FAILS(read_footer(BLOB("4", "10", ""), 2, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "flags");
    static const char *const bad[] = {
        BLOB("4", "11", ""), BLOB("3", "1", ""), BLOB("15", "0", ""), BLOB("4", "-1", ""), BLOB("-4", "1", ""), BLOB("9223372036854775807", "9223372036854775807", ""), BLOB("4", "1.5", ""),
        BLOB("4", "1", ",\"compression-codec\":\"zstd\""), BLOB("4", "1", ",\"properties\":[]"), "{\"blobs\":[7]}", "{\"blobs\":{}}", "{}", "[]", "{", "", "{\"blobs\":[{\"type\":\"x\"}]}",
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) FAILS(read_footer(bad[i], 0, &err), FRZ_CORRUPT, &err);
}

TEST(puffin, survives_cuts_and_flips)
{
    frz_error err;
    struct buf b;
    struct puffin_blob blobs[2];
    struct rng rng = {test_seed(23)};
    OK(write_two(NULL, blobs, &b, &err), &err);
    uint8_t *copy = (uint8_t *)malloc(b.len);
    assert_non_null(copy);
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *head = (uint8_t *)malloc(cut ? cut : 1);
        assert_non_null(head);
        memcpy(head, b.data, cut);
        FAILS(frz__puffin_read(slice_of(head, cut), see_nothing, NULL, &err), FRZ_CORRUPT, &err);
        free(head);
    }
    for (int i = 0; i < 5000; i++) {
        memcpy(copy, b.data, b.len);
        for (uint64_t k = 1 + rng_below(&rng, 3); k > 0; k--) copy[i % 2 ? 96 + rng_below(&rng, b.len - 96) : b.len - 1 - rng_below(&rng, 20)] ^= (uint8_t)(1u << rng_below(&rng, 8));
        int rc = frz__puffin_read(slice_of(copy, b.len), see_nothing, NULL, &err);
        if (rc != FRZ_OK && rc != FRZ_UNSUPPORTED) RC(rc, FRZ_CORRUPT, &err);
    }
    free(copy);
    buf_clear(&b);
}

TEST(puffin, fails_cleanly_at_every_allocation)
{
    frz_error err;
    const uint64_t positions[] = {1, 3, 5};
    long at = 1;
    for (int rc = FRZ_NO_MEMORY; rc != FRZ_OK; at++) {
        struct test_alloc t;
        struct puffin_blob blobs[2];
        struct buf b;
        test_alloc_init(&t, at);
        struct buf dv = BUF_INIT(&t.vt, 0);
        rc = frz__dv_encode(positions, 3, &dv, &err);
        buf_clear(&dv);
        if (rc == FRZ_OK) {
            rc = write_two(&t.vt, blobs, &b, &err);
            buf_clear(&b);
        }
        if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &err);
        assert_int_equal(t.live, 0);
        assert_true(at < 100);
    }
    assert_true(at > 3);
}
