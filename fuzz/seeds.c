/* seeds.c — the first inputs of each target: `seeds DIR` writes DIR/<target>/…. Files come out of a small database in memory, in both format versions; the rest is written here. */
#include <sys/stat.h>

#include "api/handle.h"
#include "engine/lease.h"
#include "fuzz.h"
#include "parquet/parquet.h"
#include "puffin/puffin.h"
#include "sst/sst_block.h"
#include "ship/backup.h"
#include "types/batch.h"

#define OK(expr)                                                                                                                           \
    do {                                                                                                                                   \
        if ((expr) != FRZ_OK) {                                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #expr, err.message);                                                    \
            exit(1);                                                                                                                       \
        }                                                                                                                                  \
    } while (0)

static const char *root;
static frz_error err;

static void seed(const char *target, const void *prefix, size_t prefix_len, slice bytes)
{
    static unsigned number;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/seed-%04u", root, target, number++);
    FILE *f = fopen(path, "wb");
    if (!f || (prefix_len && fwrite(prefix, 1, prefix_len, f) != prefix_len) || (bytes.len && fwrite(bytes.data, 1, bytes.len, f) != bytes.len) || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/* ── files of a database ── */

static void take_parquet(slice bytes)
{
    seed("fuzz_parquet", NULL, 0, bytes);
    const uint8_t *at = (const uint8_t *)memmem(bytes.data, bytes.len, "FRZX", 4);
    if (!at) return;
    const uint8_t *end = bytes.data + bytes.len;
    uint32_t footer = load_u32(end - 8);
    seed("fuzz_sst_block", NULL, 0, slice_of(at, (size_t)(end - 8 - footer - at)));
    seed("fuzz_sst_block", NULL, 0, slice_of(end - 8 - footer, footer + 8));
}

static void take_wal(slice bytes)
{
    size_t used = bytes.len; /* without the zeros behind the records */
    while (used > 256 && bytes.data[used - 1] == 0) used--;
    seed("fuzz_wal", "\0", 1, slice_of(bytes.data, used));
    seed("fuzz_wal", "\1", 1, slice_of(bytes.data, used));
}

struct walk { struct fs *fs; const char *dir; };
static int on_name(void *ctx, const char *name, bool is_dir)
{
    const struct walk *w = (const struct walk *)ctx;
    char path[1024];
    snprintf(path, sizeof path, "%s%s%s", w->dir, *w->dir ? "/" : "", name);
    if (is_dir) {
        struct walk inner = {w->fs, path};
        return frz__fs_list(w->fs, path, on_name, &inner, &err);
    }
    struct buf b = BUF_INIT(NULL, 0);
    const char *dot = strrchr(name, '.');
    OK(frz__fs_read_file(w->fs, path, (size_t)64 << 20, &b, &err));
    if (dot && strcmp(dot, ".parquet") == 0) take_parquet(buf_slice(&b));
    else if (dot && strcmp(dot, ".avro") == 0) seed("fuzz_avro", NULL, 0, buf_slice(&b));
    else if (dot && strcmp(dot, ".json") == 0) seed("fuzz_meta", NULL, 0, buf_slice(&b));
    else if (dot && strcmp(dot, ".puffin") == 0) seed("fuzz_puffin", NULL, 0, buf_slice(&b));
    else if (dot && strcmp(dot, ".wal") == 0) take_wal(buf_slice(&b));
    buf_clear(&b);
    return 0;
}

static void database(int32_t format)
{
    struct fs *fs = NULL;
    frz_db *db = NULL;
    frz_table *t = NULL;
    frz_schema *s = NULL;
    frz_row *r = NULL;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    o.create = true;
    o.no_close_flush = true;
    o.log_segment_bytes = 131072;
    to.format_version = format;
    OK(frz__fs_mem_new(NULL, &fs, &err));
    OK(frz__test_db_open(fs, &o, &db, &err));
    OK(frz_schema_parse("id long, name string?, price decimal(9,2)?, at timestamptz?, raw binary?, u uuid?, d double?, ok boolean?, day date?, code fixed(3)?", "id", &s, &err));
    OK(frz_table_create(db, "flights", s, &to, &t, &err));
    OK(frz_row_new(t, &r, &err));
    for (int64_t round = 0; round < 3; round++) {
        for (int64_t i = 0; i < 40; i++) {
            char json[256];
            frz_row_clear(r);
            snprintf(json, sizeof json, "{\"id\":%lld,\"name\":\"row %lld\",\"price\":\"%lld.50\",\"at\":\"2013-01-01T05:00:00+00:00\",\"raw\":\"00ff\",\"d\":%lld.25,\"ok\":true,\"day\":\"2013-01-0%lld\",\"code\":\"616263\"}",
                     (long long)(i * (round + 1)), (long long)round, (long long)i, (long long)i, (long long)round + 1);
            OK(frz_row_set_json(r, json, strlen(json), &err));
            if (i % 3 == 0) OK(frz_row_set_null(r, 1, &err));
            OK(frz_put(t, r, NULL, &err));
        }
        frz_value key = value_i64(FRZ_LONG, 4 + round);
        OK(frz_delete(t, &key, 1, NULL, &err));
        if (round < 2) OK(frz_table_flush(t, &err));
    }
    struct walk w = {fs, ""};
    OK(frz__fs_list(fs, "", on_name, &w, &err));
    frz_row_free(r);
    frz_schema_free(s);
    OK(frz_db_close(db, &err));
    frz__fs_free(fs);
}

/* ── texts ── */

static void texts(void)
{
    static const char *const preds[] = {"a > 60 AND (b IN ('UA','AA') OR n IS NULL)", "NOT (c OR d <> 3) AND e < 1.5e3", "g BETWEEN 1.00 AND 2.50", "h >= DATE '2013-01-01'", "i < TIME '10:00:00'",
                                        "j = TIMESTAMP '2013-01-01T00:00:00'", "k <= '2013-01-01T00:00:00+00:00'", "b LIKE 'a%\\_' OR n NOT LIKE '_b'", "q = X'00ff' AND p <> X'616263'",
                                        "o = '01234567-89ab-cdef-0123-456789abcdef'", "\"a\" = 1 AND 3 >= a AND a NOT IN (1,2,-3)", "f = 'NaN' OR f IS NOT NULL", "c IS NULL OR c = TRUE AND NOT FALSE", "a = 5 AND b > 'x'",
                                        "l > '2013-01-01T00:00:00.123456789'"};
    static const char *const schemas[] = {"id long, name string?, price decimal(9,2)?|id", "a boolean, b int, c float, d double, e date, f time, g timestamp, h timestamptz, i timestamp_ns, j timestamptz_ns|a,b",
                                          "`a name` uuid, `x``y` fixed(16)?, z binary|`a name`,z", ("{\"type\":\"struct\",\"schema-id\":0,\"identifier-field-ids\":[1],\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":true,"
                                          "\"type\":\"long\"},{\"id\":2,\"name\":\"d\",\"required\":false,\"type\":\"decimal(9, 2)\",\"doc\":\"x\",\"initial-default\":\"1.25\",\"write-default\":\"2.50\"}]}")};
    static const struct { char type; const char *text; } values[] = {{0, "true"}, {1, "-2147483648"}, {2, "9223372036854775807"}, {3, "1.5"}, {4, "-Infinity"}, {4, "\"NaN\""}, {5, "14.20"}, {6, "0.1"}, {7, "-99999999999999999999999999999999999999"},
        {8, "2017-11-16"}, {8, "-0001-01-01"}, {9, "22:31:08.123456"}, {10, "2017-11-16T22:31:08.123456"}, {11, "2017-11-16 22:31:08Z"}, {11, "\"2017-11-16T22:31:08.5+02:00\""}, {12, "2017-11-16T22:31:08.123456789"},
        {13, "1677-09-21T00:12:43.145224192+00:00"}, {14, "\"\\u00e9\""}, {14, "text"}, {15, "f79c3e09-677c-4bbd-a479-3f349cb785e7"}, {16, "00010203"}, {17, "\"0fff\""}, {18, "9"},
        {7, "123456789012345678901234567890"}, {5, "-1.25e1"}, {14, "{\"a\":[1,{\"b\":\"]\\\"\"}],\"c\" : -1e5,\"\":\"\\\\\"}"}};
    static const char *const ladders[] = {"all:16, 1m:60, 1h:24, 1d:30", "all:1", "1s:1,60m:2 , 1d:3", "4w:9", "all:16,1h:24,30m:1", "all:0", "1x:3", "", "all:9223372036854775807, 106751991167d:1"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(ladders); i++) seed("fuzz_retention", NULL, 0, slice_str(ladders[i]));
    for (size_t i = 0; i < FRZ_ARRAY_LEN(preds); i++) seed("fuzz_pred", NULL, 0, slice_str(preds[i]));
    for (size_t i = 0; i < FRZ_ARRAY_LEN(schemas); i++) seed("fuzz_schema", NULL, 0, slice_str(schemas[i]));
    for (size_t i = 0; i < FRZ_ARRAY_LEN(values); i++) seed("fuzz_value", &values[i].type, 1, slice_str(values[i].text));
}

/* ── leases ── */

static void leases(void)
{
    static const struct lease_record records[3] = {{{1}, 42, 7}, {{2, 3}, -1, 0}, {{255}, INT64_MAX, INT64_MAX}};
    for (size_t n = 0; n <= 3; n++) {
        struct buf out = BUF_INIT(NULL, 0);
        OK(frz__lease_encode(records, n, &out, &err));
        seed("fuzz_lease", NULL, 0, buf_slice(&out));
        OK(buf_append(&out, "behind", 6, &err));
        seed("fuzz_lease", NULL, 0, buf_slice(&out));
        seed("fuzz_lease", NULL, 0, slice_of(out.data, out.len - 7));
        buf_clear(&out);
    }
}

/* ── keys, rows, batches ── */

static void rows(void)
{
    frz_schema *s = NULL;
    frz_value v[16] = {{0}};
    struct buf key = BUF_INIT(NULL, 0), row = BUF_INIT(NULL, 0), batch = BUF_INIT(NULL, 0);
    static const char json[] = "{\"id\":1,\"c\":2,\"e\":1.5,\"i\":\"2013-01-01T00:00:00.000000\",\"n\":\"00\",\"o\":\"text\"}";
    OK(frz_schema_parse("id long, a boolean?, b int?, c long, d float?, e double, f decimal(38,10)?, g date?, h time?, i timestamp, j timestamptz_ns?, k string?, l uuid?, m fixed(7)?, n binary, o string", "id", &s, &err));
    if (frz__schema_seal(s, true, &err) < 0) exit(1);
    v[0] = value_i64(FRZ_LONG, 42);
    v[3] = value_i64(FRZ_LONG, -1);
    v[5] = (frz_value){FRZ_DOUBLE, 0, {0}};
    v[9] = value_i64(FRZ_TIMESTAMP, 1);
    v[11] = value_bytes(FRZ_STRING, slice_str("k"));
    v[13] = value_bytes(FRZ_FIXED, slice_str("1234567"));
    v[14] = value_bytes(FRZ_BINARY, slice_of("\0\1", 2));
    v[15] = value_bytes(FRZ_STRING, slice_str(""));
    if (frz__row_encode(s, v, &row, &err) < 0 || frz__key_encode_row(s, v, &key, &err) < 0) exit(1);
    seed("fuzz_row", NULL, 0, buf_slice(&row));
    seed("fuzz_row", NULL, 0, slice_str(json));
    if (frz__batch_append(&batch, OP_PUT, 7, buf_slice(&key), buf_slice(&row), &err) < 0 || frz__batch_append(&batch, OP_DELETE, 300, buf_slice(&key), slice_of("", 0), &err) < 0) exit(1);
    seed("fuzz_batch", NULL, 0, buf_slice(&batch));
    static const char *const keys[] = {"\0\x08\x80\0\0\0\0\0\0\1\x7f\xff\xff\xff\xff\xff\xff\xff", "\1\3abcabd", "\7\xd\x80\0\0\0\0\0\0\1xyz\x80\0\0\0\0\0\0\1xy", "\x8\6ab\0\xff\0\0\x80\0\0\0\0\0\0\1", "\xa\5q\0\xff\0\0zq\0\0y"};
    static const size_t lens[] = {18, 8, 24, 16, 12};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(keys); i++) seed("fuzz_key", NULL, 0, slice_of(keys[i], lens[i]));
    buf_clear(&key);
    buf_clear(&row);
    buf_clear(&batch);
    frz_schema_free(s);
}

static void masks(void)
{
    static uint64_t positions[70000];
    struct puffin_blob blobs[2] = {{.referenced_data_file = {(const uint8_t *)"file:///wh/main/t/data/a.parquet", sizeof "file:///wh/main/t/data/a.parquet" - 1}}, {.referenced_data_file = {(const uint8_t *)"file:///wh/main/t/data/b.parquet", sizeof "file:///wh/main/t/data/b.parquet" - 1}}};
    struct buf one = BUF_INIT(NULL, 0), two = BUF_INIT(NULL, 0), file = BUF_INIT(NULL, 0);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(positions); i++) positions[i] = i < 1000 ? i : i < 60000 ? i * 3 : ((uint64_t)5 << 32) + i;
    if (frz__dv_encode(positions, 100, &one, &err) < 0 || frz__dv_encode(positions, FRZ_ARRAY_LEN(positions), &two, &err) < 0) exit(1);
    blobs[0].bytes = buf_slice(&one);
    blobs[0].cardinality = 100;
    blobs[1].bytes = buf_slice(&two);
    blobs[1].cardinality = FRZ_ARRAY_LEN(positions);
    if (frz__puffin_write_dvs(blobs, 2, &file, &err) < 0) exit(1);
    seed("fuzz_puffin", NULL, 0, buf_slice(&file));
    seed("fuzz_puffin", NULL, 0, buf_slice(&one));
    seed("fuzz_puffin", NULL, 0, slice_of(two.data + 8, two.len - 12));
    buf_clear(&one);
    buf_clear(&two);
    buf_clear(&file);
}

static void backup_lists(void)
{
    struct backup_manifest m;
    for (int kind = 0; kind < 3; kind++) {
        struct buf text = BUF_INIT(NULL, 0);
        frz__backup_manifest_init(&m, NULL);
        m.number = (uint64_t)kind + 1;
        memcpy(m.log_uuid, "0e7a1c52-9f0b-4d3e-8a61-5b2c3d4e5f60", 37);
        m.sequence = kind == 2 ? UINT64_MAX : 4711;
        m.time_us = 1700000000000000;
        m.table_count = 2;
        if (kind) m.source = "/data/a warehouse";
        if (kind == 2) m.archive = "/kept";
        for (int i = 0; i < kind * 20; i++) {
            struct backup_file *f;
            char path[100];
            snprintf(path, sizeof path, "main/t%d/%s/x %d.parquet", i % 2, i % 3 ? "data" : "metadata", i);
            OK(frz__backup_manifest_add(&m, path, (uint64_t)i * 1000, &f, &err));
            f->crc = (uint32_t)i * 0x9E3779B9u;
        }
        frz__backup_manifest_sort(&m);
        OK(frz__backup_manifest_print(&m, &text, &err));
        seed("fuzz_backup", NULL, 0, buf_slice(&text));
        seed("fuzz_backup", NULL, 0, slice_of(text.data, text.len / 2));
        buf_clear(&text);
        frz__backup_manifest_clear(&m);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds DIR\n");
        return 2;
    }
    root = argv[1];
    (void)mkdir(root, 0777);
    database(2);
    database(3);
    texts();
    leases();
    rows();
    masks();
    backup_lists();
    return 0;
}
