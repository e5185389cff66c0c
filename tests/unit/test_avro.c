/* Avro container files: golden bytes, every type and codec, the shapes that other writers make, and bytes that nobody meant. */
#include "frz_test.h"
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>
#include "avro/avro.h"
#include "base/hash.h"
#include "base/rand.h"
#include "codec/codec.h"

static const char golden_schema[] = "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"field-id\":1},"
                                    "{\"name\":\"b\",\"type\":[\"null\",\"string\"],\"default\":null,\"field-id\":2}]}";
/* (1, "hi"), (-3, null) */
static const uint8_t golden_records[] = {0x02, 0x02, 0x04, 'h', 'i', 0x05, 0x00};
static const char sync_marker[] = "0123456789abcdef";

/* ── making files by hand ── */

struct file { struct buf b; frz_error err; };
static void f_long(struct file *f, int64_t v) { OK(frz__avro_put_long(&f->b, v, &f->err), &f->err); }
static void f_text(struct file *f, const char *s) { OK(frz__avro_put_bytes(&f->b, slice_str(s), &f->err), &f->err); }
static void f_raw(struct file *f, const void *p, size_t n) { OK(buf_append(&f->b, p, n, &f->err), &f->err); }
static void f_begin(struct file *f, const char *schema, const char *codec)
{
    f->b = BUF_INIT(NULL, 0);
    f_raw(f, "Obj\x01", 4);
    f_long(f, codec ? 2 : 1);
    f_text(f, "avro.schema");
    f_text(f, schema);
    if (codec) {
        f_text(f, "avro.codec");
        f_text(f, codec);
    }
    f_long(f, 0);
    f_raw(f, sync_marker, 16);
}
static void f_block(struct file *f, int64_t records, const void *p, size_t n)
{
    f_long(f, records);
    f_long(f, (int64_t)n);
    f_raw(f, p, n);
    f_raw(f, sync_marker, 16);
}

/* Reads all; gives the first error's code, or FRZ_DONE, and how many records came. */
static int drain(slice bytes, const allocator *a, size_t *count, frz_error *err)
{
    struct avro_reader *r = NULL;
    const struct avro_value *v;
    *count = 0;
    int rc = frz__avro_reader_new(a, bytes, &r, err);
    while (rc == FRZ_OK) {
        rc = frz__avro_next(r, &v, err);
        if (rc == FRZ_OK) ++*count;
    }
    if (rc < 0 && r) assert_int_equal(frz__avro_next(r, &v, NULL), FRZ_CORRUPT); /* and it stays so */
    frz__avro_reader_free(r);
    return rc;
}

/* One record of SCHEMA from BYTES, in the caller's hands until one_done. */
struct one { struct file f; struct avro_reader *r; };
static int one_open(struct one *o, const char *schema, const void *bytes, size_t n, const struct avro_value **v)
{
    f_begin(&o->f, schema, NULL);
    f_block(&o->f, 1, bytes, n);
    o->r = NULL;
    int rc = frz__avro_reader_new(NULL, buf_slice(&o->f.b), &o->r, &o->f.err);
    return rc < 0 ? rc : frz__avro_next(o->r, v, &o->f.err);
}
static void one_done(struct one *o)
{
    frz__avro_reader_free(o->r);
    buf_clear(&o->f.b);
}
#define ONE(schema, bytes, want)                                                                                                           \
    do {                                                                                                                                   \
        struct one o_;                                                                                                                     \
        const struct avro_value *v_;                                                                                                       \
        RC(one_open(&o_, (schema), (bytes), sizeof(bytes) - 1, &v_), (want), &o_.f.err);                                                   \
        one_done(&o_);                                                                                                                     \
    } while (0)

static void check_golden(slice bytes)
{
    frz_error err;
    struct avro_reader *r;
    const struct avro_value *v;
    OK(frz__avro_reader_new(NULL, bytes, &r, &err), &err);
    OK(frz__avro_next(r, &v, &err), &err);
    assert_int_equal(frz__avro_field(v, 1)->as.i64, 1);
    assert_true(slice_eq(frz__avro_field(v, 2)->as.bytes, slice_str("hi")));
    assert_null(frz__avro_field(v, 3));
    OK(frz__avro_next(r, &v, &err), &err);
    assert_int_equal(frz__avro_field(v, 1)->as.i64, -3);
    assert_null(frz__avro_field(v, 2));
    RC(frz__avro_next(r, &v, &err), FRZ_DONE, &err);
    RC(frz__avro_next(r, &v, &err), FRZ_DONE, &err);
    frz__avro_reader_free(r);
}

/* ── writer ── */

static int write_golden(const allocator *a, bool deflate, struct buf *out, frz_error *err)
{
    const slice kv[] = {slice_str("format-version"), slice_str("2")};
    struct avro_writer *w = NULL;
    int rc;
    CHECK(frz__avro_writer_new(a, slice_str(golden_schema), kv, 1, deflate, &w, err));
    CHECK(frz__avro_write(w, slice_of(golden_records, 5), err));
    CHECK(frz__avro_write(w, slice_of(golden_records + 5, 2), err));
    CHECK(frz__avro_writer_finish(w, out, err));
done:
    frz__avro_writer_free(w);
    return rc;
}

TEST(avro_writer, makes_the_golden_bytes)
{
    frz_error err;
    struct buf b = BUF_INIT(NULL, 0);
    OK(write_golden(NULL, false, &b, &err), &err);
    assert_memory_equal(b.data, "Obj\x01\x06\x16" "avro.schema", 17);
    const size_t tail = 2 + sizeof golden_records + 16;
    assert_true(b.len > tail + 16);
    const uint8_t *block = b.data + b.len - tail;
    assert_memory_equal(block, "\x04\x0e", 2);
    assert_memory_equal(block + 2, golden_records, sizeof golden_records);
    assert_memory_equal(block - 16, block + tail - 16, 16); /* the sync marker, before and behind */
    assert_non_null(memmem(b.data, b.len, golden_schema, sizeof golden_schema - 1));
    check_golden(buf_slice(&b));
    buf_clear(&b);
}

TEST(avro_writer, is_read_back_with_deflate_and_with_all_metadata)
{
    frz_error err;
    struct buf b = BUF_INIT(NULL, 0), again = BUF_INIT(NULL, 0);
    struct avro_reader *r;
    OK(write_golden(NULL, true, &b, &err), &err);
    check_golden(buf_slice(&b));
    OK(frz__avro_reader_new(NULL, buf_slice(&b), &r, &err), &err);
    assert_true(slice_eq(frz__avro_meta(r, "format-version"), slice_str("2")));
    assert_true(slice_eq(frz__avro_meta(r, "avro.codec"), slice_str("deflate")));
    assert_true(slice_eq(frz__avro_meta(r, "avro.schema"), slice_str(golden_schema)));
    assert_null(frz__avro_meta(r, "none").data);
    frz__avro_reader_free(r);
    OK(write_golden(NULL, true, &again, &err), &err);
    assert_true(slice_eq(buf_slice(&b), buf_slice(&again))); /* the same in, the same out */
    buf_clear(&b);
    buf_clear(&again);
}

TEST(avro_writer, cuts_many_records_into_blocks)
{
    frz_error err;
    struct rng rng = {7};
    for (int deflate = 0; deflate < 2; deflate++) {
        struct avro_writer *w;
        struct buf b = BUF_INIT(NULL, 0), rec = BUF_INIT(NULL, 0);
        struct avro_reader *r;
        const struct avro_value *v;
        const size_t count = 20000;
        OK(frz__avro_writer_new(NULL, slice_str(golden_schema), NULL, 0, deflate, &w, &err), &err);
        rng.s = 7;
        for (size_t i = 0; i < count; i++) {
            uint64_t x = rng_next(&rng);
            buf_reset(&rec);
            OK(frz__avro_put_long(&rec, (int64_t)x, &err), &err);
            OK(frz__avro_put_long(&rec, 1, &err), &err);
            OK(frz__avro_put_bytes(&rec, slice_of(&x, x % 9), &err), &err);
            OK(frz__avro_write(w, buf_slice(&rec), &err), &err);
        }
        OK(frz__avro_writer_finish(w, &b, &err), &err);
        frz__avro_writer_free(w);
        OK(frz__avro_reader_new(NULL, buf_slice(&b), &r, &err), &err);
        rng.s = 7;
        for (size_t i = 0; i < count; i++) {
            uint64_t x = rng_next(&rng);
            OK(frz__avro_next(r, &v, &err), &err);
            assert_true(frz__avro_field(v, 1)->as.i64 == (int64_t)x);
            assert_true(slice_eq(frz__avro_field(v, 2)->as.bytes, slice_of(&x, x % 9)));
        }
        RC(frz__avro_next(r, &v, &err), FRZ_DONE, &err);
        frz__avro_reader_free(r);
        buf_clear(&b);
        buf_clear(&rec);
    }
}

TEST(avro_writer, of_no_records_makes_a_file_of_no_blocks)
{
    frz_error err;
    struct avro_writer *w;
    struct buf b = BUF_INIT(NULL, 0);
    size_t n;
    OK(frz__avro_writer_new(NULL, slice_str(golden_schema), NULL, 0, true, &w, &err), &err);
    OK(frz__avro_writer_finish(w, &b, &err), &err);
    frz__avro_writer_free(w);
    RC(drain(buf_slice(&b), NULL, &n, &err), FRZ_DONE, &err);
    assert_int_equal(n, 0);
    buf_clear(&b);
}

/* ── reader: codecs ── */

TEST(avro_reader, takes_snappy_with_its_checksum)
{
    struct file f;
    struct codec_ctx *c;
    struct buf z = BUF_INIT(NULL, 0);
    size_t n;
    OK(frz__codec_ctx_new(NULL, &c, &f.err), &f.err);
    OK(frz__compress(c, CODEC_SNAPPY, 0, slice_of(golden_records, sizeof golden_records), &z, &f.err), &f.err);
    frz__codec_ctx_free(c);
    uint8_t crc[4];
    store_u32_be(crc, frz__crc32(0, golden_records, sizeof golden_records));
    OK(buf_append(&z, crc, 4, &f.err), &f.err);
    f_begin(&f, golden_schema, "snappy");
    f_block(&f, 2, z.data, z.len);
    check_golden(buf_slice(&f.b));
    f.b.data[f.b.len - 17] ^= 1;
    FAILS(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_CORRUPT, &f.err);
    MESSAGE_HAS(&f.err, "checksum");
    buf_clear(&f.b);
    buf_clear(&z);
}

TEST(avro_reader, takes_zstandard_frames_that_do_not_tell_their_size)
{
    static uint8_t zeros[300000], z[4096];
    struct file f;
    size_t n;
    for (int told = 0; told < 2; told++) {
        ZSTD_CCtx *c = ZSTD_createCCtx();
        assert_non_null(c);
        ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, told);
        size_t len = ZSTD_compress2(c, z, sizeof z, golden_records, sizeof golden_records);
        assert_false(ZSTD_isError(len));
        f_begin(&f, golden_schema, "zstandard");
        f_block(&f, 2, z, len);
        check_golden(buf_slice(&f.b));
        buf_clear(&f.b);
        len = ZSTD_compress2(c, z, sizeof z, zeros, sizeof zeros); /* much more than was packed */
        assert_false(ZSTD_isError(len));
        f_begin(&f, "\"long\"", "zstandard");
        f_block(&f, sizeof zeros, z, len);
        RC(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_DONE, &f.err);
        assert_int_equal(n, sizeof zeros);
        buf_clear(&f.b);
        ZSTD_freeCCtx(c);
    }
}

TEST(avro_reader, takes_deflate_with_leftovers_of_the_checksum_as_fastavro_writes_it)
{
    struct file f;
    struct buf z = BUF_INIT(NULL, 0);
    OK(frz__deflate_raw(slice_of(golden_records, sizeof golden_records), &z, &f.err), &f.err);
    OK(buf_append(&z, "\x12\x34\x56", 3, &f.err), &f.err);
    f_begin(&f, golden_schema, "deflate");
    f_block(&f, 2, z.data, z.len);
    check_golden(buf_slice(&f.b));
    buf_clear(&f.b);
    buf_clear(&z);
}

TEST(avro_reader, refuses_unknown_codecs_and_takes_an_absent_one_as_null)
{
    struct file f;
    size_t n;
    f_begin(&f, golden_schema, "xz");
    FAILS(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_UNSUPPORTED, &f.err);
    MESSAGE_HAS(&f.err, "\"xz\"");
    buf_clear(&f.b);
    f_begin(&f, golden_schema, NULL);
    f_block(&f, 2, golden_records, sizeof golden_records);
    check_golden(buf_slice(&f.b));
    buf_clear(&f.b);
}

TEST(avro_reader, stops_at_bombs)
{
    static uint8_t zeros[1 << 20];
    struct file f;
    struct buf in = BUF_INIT(NULL, 0), z = BUF_INIT(NULL, 0);
    size_t n;
    for (int i = 0; i < 64; i++) OK(buf_append(&in, zeros, sizeof zeros, &f.err), &f.err);
    static uint8_t packed[1 << 16];
    size_t len = ZSTD_compress(packed, sizeof packed, in.data, in.len, 1);
    assert_false(ZSTD_isError(len));
    f_begin(&f, "\"bytes\"", "zstandard");
    f_block(&f, 1, packed, len);
    FAILS(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_CORRUPT, &f.err);
    buf_clear(&f.b);
    buf_clear(&in);
    buf_clear(&z);
}

TEST(avro_reader, holds_each_block_to_its_sync_marker_and_its_count)
{
    struct file f;
    size_t n;
    f_begin(&f, golden_schema, NULL);
    f_block(&f, 2, golden_records, sizeof golden_records);
    f_block(&f, 2, golden_records, sizeof golden_records);
    RC(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_DONE, &f.err);
    assert_int_equal(n, 4);
    f.b.data[f.b.len - 1] ^= 1;
    FAILS(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_CORRUPT, &f.err);
    MESSAGE_HAS(&f.err, "sync marker");
    assert_int_equal(n, 2);
    buf_clear(&f.b);
    for (int count = 0; count < 4; count++) {
        f_begin(&f, golden_schema, NULL);
        f_block(&f, count, golden_records, sizeof golden_records);
        f_block(&f, 0, "", 0);
        RC(drain(buf_slice(&f.b), NULL, &n, &f.err), count == 2 ? FRZ_DONE : FRZ_CORRUPT, &f.err);
        if (count < 2) MESSAGE_HAS(&f.err, "left behind its records");
        buf_clear(&f.b);
    }
}

/* ── reader: shapes ── */

TEST(avro_reader, takes_blocks_and_metadata_with_negative_counts)
{
    struct file f;
    static const char schema[] = "{\"type\":\"array\",\"items\":\"long\",\"element-id\":9}";
    f.b = BUF_INIT(NULL, 0);
    f_raw(&f, "Obj\x01", 4);
    f_long(&f, -1);
    f_long(&f, 12 + (int64_t)sizeof schema);
    f_text(&f, "avro.schema");
    f_text(&f, schema);
    f_long(&f, 1);
    f_text(&f, "k");
    f_text(&f, "v");
    f_long(&f, 0);
    f_raw(&f, sync_marker, 16);
    f_block(&f, 0, "", 0);
    /* [1, 2] of 2 bytes, [3], end */
    f_block(&f, 1, "\x03\x04\x02\x04\x02\x06\x00", 7);
    f_block(&f, 0, "", 0);
    struct avro_reader *r;
    const struct avro_value *v;
    OK(frz__avro_reader_new(NULL, buf_slice(&f.b), &r, &f.err), &f.err);
    assert_true(slice_eq(frz__avro_meta(r, "k"), slice_str("v")));
    OK(frz__avro_next(r, &v, &f.err), &f.err);
    assert_int_equal(v->kind, AVRO_ARRAY);
    assert_int_equal(v->as.list.count, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(v->as.list.items[i].as.i64, i + 1);
    RC(frz__avro_next(r, &v, &f.err), FRZ_DONE, &f.err);
    frz__avro_reader_free(r);
    buf_clear(&f.b);
    ONE("{\"type\":\"array\",\"items\":\"long\"}", "\x03\x06\x02\x04\x02\x06\x00", FRZ_CORRUPT); /* says 3 bytes, has 2 */
    ONE("{\"type\":\"array\",\"items\":\"long\"}", "\x03\x05\x02\x04\x02\x06\x00", FRZ_CORRUPT); /* says -3 */
    ONE("{\"type\":\"array\",\"items\":\"long\"}", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00", FRZ_CORRUPT); /* -2^63 items */
}

TEST(avro_reader, decodes_every_type)
{
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"all\",\"namespace\":\"n.s\",\"fields\":["
        "{\"name\":\"nu\",\"type\":\"null\",\"field-id\":1},{\"name\":\"bo\",\"type\":\"boolean\",\"field-id\":2},"
        "{\"name\":\"i\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"},\"field-id\":3},{\"name\":\"l\",\"type\":\"long\",\"field-id\":4},"
        "{\"name\":\"f\",\"type\":\"float\",\"field-id\":5},{\"name\":\"d\",\"type\":\"double\",\"field-id\":6},"
        "{\"name\":\"by\",\"type\":\"bytes\",\"field-id\":7},{\"name\":\"s\",\"type\":\"string\",\"field-id\":8},"
        "{\"name\":\"fx\",\"type\":{\"type\":\"fixed\",\"name\":\"fx3\",\"size\":3},\"field-id\":9},"
        "{\"name\":\"en\",\"type\":{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]},\"field-id\":10},"
        "{\"name\":\"ar\",\"type\":{\"type\":{\"type\":\"array\",\"items\":\"string\"}},\"field-id\":11},"
        "{\"name\":\"ma\",\"type\":{\"type\":\"map\",\"values\":\"int\"},\"field-id\":12},"
        "{\"name\":\"un\",\"type\":[\"null\",\"long\",\"string\"],\"field-id\":13},"
        "{\"name\":\"again\",\"type\":\"fx3\",\"field-id\":14},{\"name\":\"full\",\"type\":\"n.s.e\",\"field-id\":15},"
        "{\"name\":\"list\",\"type\":[\"null\",\"all\"]}]}";
    static const char bytes[] = "\x01" "\x01" "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" "\x00\x00\xc0\x3f" "\x00\x00\x00\x00\x00\x00\x04\xc0" "\x02\xff" "\x04hi" "abc" "\x02" "\x02\x02x\x00"
                                "\x02\x02k\x0b\x00" "\x04\x02z" "def" "\x00" "\x00";
    struct one o;
    const struct avro_value *v;
    OK(one_open(&o, schema, bytes, sizeof bytes - 1, &v), &o.f.err);
    assert_int_equal(v->as.list.count, 16);
    assert_null(frz__avro_field(v, 1));
    assert_true(frz__avro_field(v, 2)->as.boolean);
    assert_int_equal(frz__avro_field(v, 3)->as.i64, -1);
    assert_true(frz__avro_field(v, 4)->as.i64 == INT64_MAX);
    assert_true(frz__avro_field(v, 5)->as.f64 == 1.5);
    assert_true(frz__avro_field(v, 6)->as.f64 == -2.5);
    assert_true(slice_eq(frz__avro_field(v, 7)->as.bytes, slice_str("\xff")));
    assert_true(slice_eq(frz__avro_field(v, 8)->as.bytes, slice_str("hi")));
    assert_true(slice_eq(frz__avro_field(v, 9)->as.bytes, slice_str("abc")));
    assert_int_equal(frz__avro_field(v, 10)->as.i64, 1);
    assert_true(slice_eq(frz__avro_field(v, 11)->as.list.items[0].as.bytes, slice_str("x")));
    const struct avro_value *pair = &frz__avro_field(v, 12)->as.list.items[0];
    assert_int_equal(pair->kind, AVRO_RECORD);
    assert_true(slice_eq(pair->as.list.items[0].as.bytes, slice_str("k")));
    assert_int_equal(pair->as.list.items[1].as.i64, -6);
    assert_true(slice_eq(frz__avro_field(v, 13)->as.bytes, slice_str("z")));
    assert_true(slice_eq(frz__avro_field(v, 14)->as.bytes, slice_str("def")));
    assert_int_equal(frz__avro_field(v, 15)->as.i64, 0);
    one_done(&o);
}

TEST(avro_reader, follows_recursive_types_but_not_for_ever)
{
    static const char list[] = "{\"type\":\"record\",\"name\":\"l\",\"fields\":[{\"name\":\"v\",\"type\":\"long\",\"field-id\":1},{\"name\":\"next\",\"type\":[\"null\",\"l\"],\"field-id\":2}]}";
    ONE(list, "\x02\x02\x04\x02\x06\x00", FRZ_OK);
    char deep[400];
    for (int i = 0; i < 400; i++) deep[i] = 2;
    ONE(list, deep, FRZ_CORRUPT);
    ONE("{\"type\":\"record\",\"name\":\"l\",\"fields\":[{\"name\":\"self\",\"type\":\"l\"}]}", "", FRZ_CORRUPT);
    char nested[1000];
    size_t n = 0;
    for (int i = 0; i < 40; i++) n += (size_t)snprintf(nested + n, sizeof nested - n, "[");
    snprintf(nested + n, sizeof nested - n, "\"long\"");
    ONE(nested, "", FRZ_CORRUPT);
}

TEST(avro_reader, refuses_values_that_are_none)
{
    ONE("\"boolean\"", "\x02", FRZ_CORRUPT);
    ONE("\"boolean\"", "\x01", FRZ_OK);
    ONE("\"int\"", "\x80\x80\x80\x80\x10", FRZ_CORRUPT); /* 2^31 */
    ONE("\"int\"", "\xfe\xff\xff\xff\x0f", FRZ_OK);
    ONE("\"int\"", "\xff\xff\xff\xff\x0f", FRZ_OK);
    ONE("\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", FRZ_OK);
    ONE("\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", FRZ_CORRUPT);
    ONE("\"long\"", "\x80", FRZ_CORRUPT);
    ONE("\"string\"", "\x01", FRZ_CORRUPT);
    ONE("\"string\"", "\x04x", FRZ_CORRUPT);
    ONE("\"string\"", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", FRZ_CORRUPT);
    ONE("[\"null\",\"long\"]", "\x04", FRZ_CORRUPT);
    ONE("[\"null\",\"long\"]", "\x01", FRZ_CORRUPT);
    ONE("{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"]}", "\x02", FRZ_CORRUPT);
    ONE("{\"type\":\"fixed\",\"name\":\"f\",\"size\":2}", "x", FRZ_CORRUPT);
    ONE("\"double\"", "1234567", FRZ_CORRUPT);
    ONE("\"long\"", "\x02\x02", FRZ_OK); /* one record comes; what is behind it is told at the next call */
}

TEST(avro_reader, names_what_is_wrong_with_a_schema)
{
    static const struct { const char *schema, *says; } bad[] = {
        {"", "JSON"},
        {"{}", "type"},
        {"7", "type"},
        {"[]", "union"},
        {"\"what\"", "\"what\""},
        {"{\"type\":\"record\",\"name\":\"r\"}", "fields"},
        {"{\"type\":\"record\",\"fields\":[]}", "name"},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\"}]}", "type"},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"field-id\":-1}]}", "field-id"},
        {"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"field-id\":\"1\"}]}", "field-id"},
        {"{\"type\":\"array\"}", "type"},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}", "fixed"},
        {"{\"type\":\"fixed\",\"name\":\"f\"}", "fixed"},
        {"{\"type\":\"enum\",\"name\":\"f\"}", "symbols"},
        {"[{\"type\":\"fixed\",\"name\":\"f\",\"size\":1},{\"type\":\"fixed\",\"name\":\"f\",\"size\":1}]", "twice"},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) {
        struct file f;
        size_t n;
        f_begin(&f, bad[i].schema, NULL);
        FAILS(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_CORRUPT, &f.err);
        MESSAGE_HAS(&f.err, bad[i].says);
        buf_clear(&f.b);
    }
}

/* ── hostile bytes ── */

TEST(avro_reader, is_not_made_to_work_for_ever_by_values_of_no_bytes)
{
    struct file f;
    size_t n;
    f_begin(&f, "\"null\"", NULL);
    f_block(&f, 1000, "", 0);
    RC(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_DONE, &f.err);
    assert_int_equal(n, 1000);
    buf_clear(&f.b);
    f_begin(&f, "\"null\"", NULL);
    f_block(&f, INT64_MAX, "", 0);
    FAILS(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_CORRUPT, &f.err);
    buf_clear(&f.b);
    ONE("{\"type\":\"array\",\"items\":\"null\"}", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", FRZ_CORRUPT);
    ONE("{\"type\":\"array\",\"items\":\"null\"}", "\xd0\x0f\x00", FRZ_OK); /* 1000 are fine */
    ONE("{\"type\":\"array\",\"items\":\"long\"}", "\x14\x02\x02\x00", FRZ_CORRUPT); /* 10 items in 3 bytes */
    /* records of records of nothing: 8^8 values */
    char schema[2000];
    size_t len = (size_t)snprintf(schema, sizeof schema, "[{\"type\":\"record\",\"name\":\"r0\",\"fields\":[]}");
    for (int i = 1; i <= 8; i++) {
        len += (size_t)snprintf(schema + len, sizeof schema - len, ",{\"type\":\"record\",\"name\":\"r%d\",\"fields\":[", i);
        for (int k = 0; k < 8; k++) len += (size_t)snprintf(schema + len, sizeof schema - len, "%s{\"type\":\"r%d\"}", k ? "," : "", i - 1);
        len += (size_t)snprintf(schema + len, sizeof schema - len, "]}");
    }
    snprintf(schema + len, sizeof schema - len, "]");
    ONE(schema, "\x10", FRZ_CORRUPT);
}

/* Lists, maps, unions, nested records: what the mutations are made of. */
static void make_rich(struct file *f, const char *codec)
{
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"s\",\"type\":\"string\",\"field-id\":1},"
        "{\"name\":\"l\",\"type\":[\"null\",{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"k\",\"fields\":[{\"name\":\"key\",\"type\":\"int\",\"field-id\":3},"
        "{\"name\":\"value\",\"type\":\"bytes\",\"field-id\":4}]}}],\"field-id\":2},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"double\"},\"field-id\":5},"
        "{\"name\":\"next\",\"type\":[\"null\",\"r\"],\"field-id\":6}]}";
    static const char rec[] = "\x0ahello" "\x02\x04\x02\x02x\x04\x00\x00" "\x02\x02k12345678\x00" "\x02" "\x00" "\x00" "\x01\x14\x02y87654321\x00" "\x00";
    f_begin(f, schema, codec);
    struct file body = {.b = BUF_INIT(NULL, 0)};
    for (int i = 0; i < 3; i++) f_raw(&body, rec, sizeof rec - 1);
    struct buf z = BUF_INIT(NULL, 0);
    if (codec) OK(frz__deflate_raw(buf_slice(&body.b), &z, &f->err), &f->err);
    slice s = codec ? buf_slice(&z) : buf_slice(&body.b);
    f_block(f, 3, s.data, s.len);
    f_block(f, 3, s.data, s.len);
    buf_clear(&body.b);
    buf_clear(&z);
}

TEST(avro_reader, survives_every_cut)
{
    for (int deflate = 0; deflate < 2; deflate++) {
        struct file f;
        size_t n, whole = 0;
        make_rich(&f, deflate ? "deflate" : NULL);
        RC(drain(buf_slice(&f.b), NULL, &n, &f.err), FRZ_DONE, &f.err);
        assert_int_equal(n, 6);
        for (size_t cut = 0; cut < f.b.len; cut++) {
            uint8_t *copy = (uint8_t *)malloc(cut ? cut : 1); /* exactly as long: a read beyond is seen */
            assert_non_null(copy);
            memcpy(copy, f.b.data, cut);
            int rc = drain(slice_of(copy, cut), NULL, &n, &f.err);
            if (rc == FRZ_DONE) whole++; /* between blocks */
            else assert_int_equal(rc, FRZ_CORRUPT);
            free(copy);
        }
        assert_int_equal(whole, 2);
        buf_clear(&f.b);
    }
}

TEST(avro_reader, survives_flipped_bits)
{
    struct rng rng = {test_seed(0xA7)};
    for (int deflate = 0; deflate < 2; deflate++) {
        struct file f;
        make_rich(&f, deflate ? "deflate" : NULL);
        uint8_t *copy = (uint8_t *)malloc(f.b.len);
        assert_non_null(copy);
        for (int i = 0; i < 6000; i++) {
            size_t n;
            memcpy(copy, f.b.data, f.b.len);
            for (uint64_t k = 1 + rng_below(&rng, 4); k > 0; k--) {
                size_t at = rng_below(&rng, f.b.len);
                copy[at] = rng_below(&rng, 4) ? (uint8_t)(copy[at] ^ (1u << rng_below(&rng, 8))) : (uint8_t)rng_next(&rng);
            }
            int rc = drain(slice_of(copy, f.b.len), NULL, &n, &f.err);
            if (rc != FRZ_DONE && rc != FRZ_CORRUPT) RC(rc, FRZ_UNSUPPORTED, &f.err); /* the codec's name may be hit */
        }
        free(copy);
        buf_clear(&f.b);
    }
}

TEST(avro, fails_cleanly_at_every_allocation)
{
    frz_error err;
    struct buf whole = BUF_INIT(NULL, 0);
    struct test_alloc t;
    size_t n;
    long at = 1;
    for (int rc = FRZ_NO_MEMORY; rc != FRZ_OK; at++) {
        test_alloc_init(&t, at);
        struct buf b = BUF_INIT(&t.vt, 0);
        rc = write_golden(&t.vt, true, &b, &err);
        if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &err);
        buf_clear(&b);
        assert_int_equal(t.live, 0);
        assert_true(at < 200);
    }
    assert_true(at > 4);
    OK(write_golden(NULL, true, &whole, &err), &err);
    at = 1;
    for (int rc = FRZ_NO_MEMORY; rc != FRZ_DONE; at++) {
        test_alloc_init(&t, at);
        rc = drain(buf_slice(&whole), &t.vt, &n, &err);
        if (rc != FRZ_DONE) RC(rc, FRZ_NO_MEMORY, &err);
        assert_int_equal(t.live, 0);
        assert_true(at < 200);
    }
    assert_true(at > 4);
    buf_clear(&whole);
}
