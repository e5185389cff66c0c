/* Manifests and manifest lists: what is written, what is inherited, what other writers leave out or add, and bytes that nobody meant. */
#include "frz_test.h"
#include <stdio.h>
#include <stdlib.h>
#include "avro/avro.h"
#include "base/rand.h"
#include "codec/codec.h"
#include "iceberg/ice_meta.h"

static const char table_schema[] = "{\"type\":\"struct\",\"schema-id\":4,\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\"}]}";
static slice schema_jsons[2];
static int32_t schema_ids[2] = {3, 4};
static struct ice_meta meta_of(int version)
{
    schema_jsons[0] = slice_str("{\"older\":1}");
    schema_jsons[1] = slice_str(table_schema);
    return (struct ice_meta){.format_version = version, .schema_json = schema_jsons, .schema_ids = schema_ids, .schema_count = 2, .current_schema_id = 4};
}

static struct ice_file file_of(const char *path, int64_t rows)
{
    return (struct ice_file){.path = slice_str(path), .format = slice_str("PARQUET"), .record_count = rows, .file_size = 1000 + rows, .sort_order_id = -1, .first_row_id = -1, .content_offset = -1,
                             .content_size = -1};
}
static struct ice_entry entry_of(enum ice_status status, const char *path, int64_t rows) { return (struct ice_entry){.status = status, .file = file_of(path, rows)}; }

static struct ice_col_stats two_columns[] = {
    {1, 33, 3, 0, -1, {(const uint8_t *)"\1\0\0\0\0\0\0\0", 8}, {(const uint8_t *)"\3\0\0\0\0\0\0\0", 8}},
    {7, -1, 3, 1, 2, {(const uint8_t *)"", 0}, {NULL, 0}},
};
static int64_t splits[] = {4, 70000};
static int32_t keys[] = {1, 7};

/* ADDED with everything, ADDED with an older sequence, EXISTING, DELETED */
static void data_entries(struct ice_entry e[4])
{
    e[0] = entry_of(ICE_ADDED, "file:///t/data/a.parquet", 3);
    e[0].file.stats = two_columns;
    e[0].file.stats_count = 2;
    e[0].file.split_offsets = splits;
    e[0].file.split_count = 2;
    e[0].file.sort_order_id = 1;
    e[1] = entry_of(ICE_ADDED, "file:///t/data/b.parquet", 10);
    e[1].sequence_number = 5;
    e[2] = entry_of(ICE_EXISTING, "file:///t/data/c.parquet", 20);
    e[2].snapshot_id = 11;
    e[2].sequence_number = 3;
    e[2].file_sequence_number = 4;
    e[2].file.first_row_id = 700;
    e[3] = entry_of(ICE_DELETED, "file:///t/data/d.parquet", 30);
    e[3].snapshot_id = 90;
    e[3].sequence_number = 2;
    e[3].file_sequence_number = 2;
    e[3].file.first_row_id = 800;
}

static int print(const allocator *a, int version, int32_t content, const struct ice_entry *e, size_t n, struct buf *out, frz_error *err)
{
    const struct ice_entry *p[16];
    struct ice_meta m = meta_of(version);
    assert_true(n <= 16);
    for (size_t i = 0; i < n; i++) p[i] = &e[i];
    *out = BUF_INIT(a, 0);
    return frz__ice_manifest_print(a, &m, content, p, n, 90, 9, out, err);
}

/* As the list has it: snapshot 90, sequence 9. */
static struct ice_manifest row_of(int32_t content, int64_t first_row_id)
{
    return (struct ice_manifest){.path = slice_str("file:///t/metadata/m0.avro"), .content = content, .sequence_number = 9, .min_sequence_number = 2, .added_snapshot_id = 90, .first_row_id = first_row_id};
}

static bool same_file(const struct ice_file *a, const struct ice_file *b)
{
    bool same = a->content == b->content && slice_eq(a->path, b->path) && slice_eq(a->format, b->format) && a->record_count == b->record_count && a->file_size == b->file_size &&
                a->stats_count == b->stats_count && a->split_count == b->split_count && a->equality_count == b->equality_count && a->sort_order_id == b->sort_order_id &&
                a->content_offset == b->content_offset && a->content_size == b->content_size && slice_eq(a->referenced_data_file, b->referenced_data_file) &&
                !a->referenced_data_file.data == !b->referenced_data_file.data;
    for (size_t i = 0; same && i < a->stats_count; i++) {
        const struct ice_col_stats *x = &a->stats[i], *y = &b->stats[i];
        same = x->field_id == y->field_id && x->column_size == y->column_size && x->value_count == y->value_count && x->null_count == y->null_count && x->nan_count == y->nan_count &&
               slice_eq(x->lower, y->lower) && !x->lower.data == !y->lower.data && slice_eq(x->upper, y->upper) && !x->upper.data == !y->upper.data;
    }
    for (size_t i = 0; same && i < a->split_count; i++) same = a->split_offsets[i] == b->split_offsets[i];
    for (size_t i = 0; same && i < a->equality_count; i++) same = a->equality_ids[i] == b->equality_ids[i];
    return same;
}

/* ── round trips ── */

TEST(manifest, of_data_comes_back_with_what_it_inherits)
{
    for (int version = 2; version <= 3; version++) {
        frz_error err;
        struct arena ar = ARENA_INIT(NULL);
        struct ice_entry e[4];
        struct buf b;
        struct ice_manifest m = row_of(0, version == 3 ? 100 : -1);
        data_entries(e);
        OK(print(NULL, version, 0, e, 4, &b, &err), &err);
        OK(frz__ice_manifest_parse(NULL, &ar, buf_slice(&b), &m, &err), &err);
        buf_clear(&b); /* nothing borrows from it */
        assert_true(m.loaded);
        assert_int_equal(m.entry_count, 4);
        for (int i = 0; i < 4; i++) assert_true(same_file(&m.entries[i].file, &e[i].file));
        static const int64_t want[4][4] = {{90, 9, 9, 100}, {90, 5, 9, 103}, {11, 3, 4, 700}, {90, 2, 2, 800}};
        for (int i = 0; i < 4; i++) {
            assert_int_equal(m.entries[i].status, e[i].status);
            assert_true(m.entries[i].snapshot_id == want[i][0]);
            assert_true(m.entries[i].sequence_number == want[i][1]);
            assert_true(m.entries[i].file_sequence_number == want[i][2]);
            assert_true(m.entries[i].file.first_row_id == (version == 3 ? want[i][3] : -1));
        }
        frz__arena_clear(&ar);
    }
}

TEST(manifest, of_deletes_comes_back)
{
    for (int version = 2; version <= 3; version++) {
        frz_error err;
        struct arena ar = ARENA_INIT(NULL);
        struct ice_entry e[2] = {entry_of(ICE_ADDED, "file:///t/data/x-deletes.parquet", 2), entry_of(ICE_ADDED, "file:///t/data/e.parquet", 2)};
        struct buf b;
        struct ice_manifest m = row_of(1, 55);
        e[0].file.content = ICE_POSITION_DELETES;
        e[0].file.referenced_data_file = slice_str("file:///t/data/a.parquet");
        if (version == 3) {
            e[0].file.format = slice_str("PUFFIN");
            e[0].file.content_offset = 4;
            e[0].file.content_size = 46;
        }
        e[1].file.content = ICE_EQUALITY_DELETES;
        e[1].file.equality_ids = keys;
        e[1].file.equality_count = 2;
        OK(print(NULL, version, 1, e, 2, &b, &err), &err);
        OK(frz__ice_manifest_parse(NULL, &ar, buf_slice(&b), &m, &err), &err);
        assert_int_equal(m.entry_count, 2);
        for (int i = 0; i < 2; i++) {
            assert_true(same_file(&m.entries[i].file, &e[i].file));
            assert_true(m.entries[i].file.first_row_id == -1); /* deletes have none, whatever the row says */
        }
        buf_clear(&b);
        frz__arena_clear(&ar);
    }
}

TEST(manifest, round_trips_random_files)
{
    struct rng rng = {test_seed(5)};
    for (int round = 0; round < 60; round++) {
        frz_error err;
        struct arena ar = ARENA_INIT(NULL);
        struct ice_entry e[16];
        struct buf b;
        const size_t n = rng_below(&rng, 17);
        struct ice_manifest m = row_of(0, 1000);
        for (size_t i = 0; i < n; i++) {
            struct ice_file *f = &e[i].file;
            e[i] = entry_of(ICE_ADDED, "file:///t/x", (int64_t)rng_below(&rng, 1000));
            f->stats_count = rng_below(&rng, 30);
            f->stats = f->stats_count ? (struct ice_col_stats *)arena_alloc(&ar, f->stats_count * sizeof *f->stats, 8) : NULL;
            for (size_t k = 0; k < f->stats_count; k++) {
                uint64_t which = 1 + rng_below(&rng, 63); /* at least one metric: a column of none does not come back */
                f->stats[k] = (struct ice_col_stats){(int32_t)(k * 3 + 1 + rng_below(&rng, 3)), which & 1 ? (int64_t)(rng_next(&rng) >> 1) : -1, which & 2 ? 7 : -1, which & 4 ? 0 : -1,
                                                     which & 8 ? 1 : -1, slice_of(which & 16 ? table_schema : NULL, which & 16 ? rng_below(&rng, 9) : 0), slice_of(which & 32 ? "zz" : NULL, which & 32 ? 2 : 0)};
            }
        }
        OK(print(NULL, 2 + round % 2, 0, e, n, &b, &err), &err);
        OK(frz__ice_manifest_parse(NULL, &ar, buf_slice(&b), &m, &err), &err);
        assert_int_equal(m.entry_count, n);
        for (size_t i = 0; i < n; i++) assert_true(same_file(&m.entries[i].file, &e[i].file));
        buf_clear(&b);
        frz__arena_clear(&ar);
    }
}

/* ── what is written ── */

struct shape { const char *name; int id; const char *type; bool optional; };
static void check_shape(const struct json *fields, const struct shape *want, size_t n)
{
    assert_int_equal(frz__json_len(fields), n);
    for (size_t i = 0; i < n; i++) {
        const struct json *f = frz__json_at(fields, i), *type = frz__json_get(f, "type");
        assert_string_equal((const char *)frz__json_str(frz__json_get(f, "name")).data, want[i].name);
        assert_int_equal(frz__json_int(frz__json_get(f, "field-id")), want[i].id);
        assert_int_equal(frz__json_kind(type) == JK_ARRAY, want[i].optional);
        if (want[i].optional) {
            assert_string_equal((const char *)frz__json_str(frz__json_at(type, 0)).data, "null");
            assert_non_null(frz__json_get(f, "default"));
            assert_int_equal(frz__json_kind(frz__json_get(f, "default")), JK_NULL);
            type = frz__json_at(type, 1);
        }
        if (frz__json_kind(type) == JK_OBJECT) type = frz__json_get(type, "type");
        assert_string_equal((const char *)frz__json_str(type).data, want[i].type);
    }
}

static struct json *schema_of(slice bytes, struct avro_reader **r)
{
    frz_error err;
    struct json *j;
    OK(frz__avro_reader_new(NULL, bytes, r, &err), &err);
    OK(frz__json_parse(frz__avro_meta(*r, "avro.schema"), &j, &err), &err);
    return j;
}

TEST(manifest, hazard_45_schema_has_field_ids_defaults_and_logical_types_in_javas_order)
{
    static const struct shape entry[] = {{"status", 0, "int", 0}, {"snapshot_id", 1, "long", 1}, {"sequence_number", 3, "long", 1}, {"file_sequence_number", 4, "long", 1}, {"data_file", 2, "record", 0}};
    static const struct shape all[] = {
        {"content", 134, "int", 0},           {"file_path", 100, "string", 0},          {"file_format", 101, "string", 0},     {"partition", 102, "record", 0},
        {"record_count", 103, "long", 0},     {"file_size_in_bytes", 104, "long", 0},   {"column_sizes", 108, "array", 1},     {"value_counts", 109, "array", 1},
        {"null_value_counts", 110, "array", 1}, {"nan_value_counts", 137, "array", 1},  {"lower_bounds", 125, "array", 1},     {"upper_bounds", 128, "array", 1},
        {"key_metadata", 131, "bytes", 1},    {"split_offsets", 132, "array", 1},       {"equality_ids", 135, "array", 1},     {"sort_order_id", 140, "int", 1},
        {"first_row_id", 142, "long", 1},     {"referenced_data_file", 143, "string", 1}, {"content_offset", 144, "long", 1},  {"content_size_in_bytes", 145, "long", 1}};
    for (int version = 2; version <= 3; version++) {
        frz_error err;
        struct buf b;
        struct avro_reader *r;
        OK(print(NULL, version, 0, NULL, 0, &b, &err), &err);
        struct json *j = schema_of(buf_slice(&b), &r);
        assert_string_equal((const char *)frz__json_str(frz__json_get(j, "name")).data, "manifest_entry");
        check_shape(frz__json_get(j, "fields"), entry, 5);
        const struct json *df = frz__json_get(frz__json_at(frz__json_get(j, "fields"), 4), "type"), *fields = frz__json_get(df, "fields");
        assert_string_equal((const char *)frz__json_str(frz__json_get(df, "name")).data, "r2");
        struct shape v2[17];
        memcpy(v2, all, 16 * sizeof *v2);
        v2[16] = all[17];
        check_shape(fields, version == 3 ? all : v2, version == 3 ? 20 : 17);
        const struct json *map = frz__json_at(frz__json_get(frz__json_at(fields, 10), "type"), 1), *item = frz__json_get(map, "items");
        assert_string_equal((const char *)frz__json_str(frz__json_get(map, "logicalType")).data, "map");
        assert_string_equal((const char *)frz__json_str(frz__json_get(item, "name")).data, "k126_v127");
        check_shape(frz__json_get(item, "fields"), (const struct shape[]){{"key", 126, "int", 0}, {"value", 127, "bytes", 0}}, 2);
        assert_int_equal(frz__json_int(frz__json_get(frz__json_at(frz__json_get(frz__json_at(fields, 13), "type"), 1), "element-id")), 133);
        assert_string_equal((const char *)frz__json_str(frz__json_get(frz__json_get(frz__json_at(fields, 3), "type"), "name")).data, "r102");
        frz__json_free(j);
        frz__avro_reader_free(r);
        buf_clear(&b);
    }
}

TEST(manifest, carries_the_keys_that_readers_ask_for)
{
    for (int version = 2; version <= 3; version++) {
        frz_error err;
        struct buf b;
        struct avro_reader *r;
        OK(print(NULL, version, version - 2, NULL, 0, &b, &err), &err);
        OK(frz__avro_reader_new(NULL, buf_slice(&b), &r, &err), &err);
        assert_true(slice_eq(frz__avro_meta(r, "schema"), slice_str(table_schema)));
        assert_true(slice_eq(frz__avro_meta(r, "schema-id"), slice_str("4")));
        assert_true(slice_eq(frz__avro_meta(r, "partition-spec"), slice_str("[]")));
        assert_true(slice_eq(frz__avro_meta(r, "partition-spec-id"), slice_str("0")));
        assert_true(slice_eq(frz__avro_meta(r, "format-version"), slice_str(version == 2 ? "2" : "3")));
        assert_true(slice_eq(frz__avro_meta(r, "content"), slice_str(version == 2 ? "data" : "deletes")));
        assert_true(slice_eq(frz__avro_meta(r, "avro.codec"), slice_str("deflate")));
        frz__avro_reader_free(r);
        buf_clear(&b);
    }
}

static bool is_null(const struct avro_value *record, int32_t id) { return frz__avro_field(record, id) == NULL; }
static int64_t number(const struct avro_value *record, int32_t id) { return frz__avro_field(record, id)->as.i64; }

/* An added entry's numbers are the commit's to give: a retry keeps the manifest. */
TEST(manifest, leaves_to_the_list_what_added_entries_inherit)
{
    frz_error err;
    struct ice_entry e[4];
    struct buf b;
    struct avro_reader *r;
    const struct avro_value *v, *df;
    data_entries(e);
    e[0].sequence_number = 9; /* the new one, as parsed entries have it */
    e[0].file.first_row_id = 100;
    OK(print(NULL, 3, 0, e, 4, &b, &err), &err);
    OK(frz__avro_reader_new(NULL, buf_slice(&b), &r, &err), &err);
    OK(frz__avro_next(r, &v, &err), &err);
    df = frz__avro_field(v, 2);
    assert_true(number(v, 0) == 1 && number(v, 1) == 90 && is_null(v, 3) && is_null(v, 4) && is_null(df, 142));
    assert_true(is_null(df, 131) && is_null(df, 135) && is_null(df, 143) && is_null(df, 144) && is_null(df, 145));
    OK(frz__avro_next(r, &v, &err), &err);
    assert_true(number(v, 3) == 5 && is_null(v, 4)); /* older data, by a compaction: its own data sequence number */
    df = frz__avro_field(v, 2);
    for (int id = 108; id <= 110; id++) assert_true(is_null(df, id)); /* no metrics: null, not empty */
    OK(frz__avro_next(r, &v, &err), &err);
    assert_true(number(v, 0) == 0 && number(v, 1) == 11 && number(v, 3) == 3 && number(v, 4) == 4 && number(frz__avro_field(v, 2), 142) == 700);
    OK(frz__avro_next(r, &v, &err), &err);
    assert_true(number(v, 0) == 2 && number(v, 1) == 90 && number(v, 3) == 2 && number(v, 4) == 2 && number(frz__avro_field(v, 2), 142) == 800);
    RC(frz__avro_next(r, &v, &err), FRZ_DONE, &err);
    frz__avro_reader_free(r);
    buf_clear(&b);
}

TEST(manifest, hazard_27_existing_entries_keep_their_row_ids_in_a_new_manifest)
{
    frz_error err;
    struct arena ar = ARENA_INIT(NULL);
    struct buf b, again;
    struct ice_entry e[3] = {entry_of(ICE_ADDED, "file:///t/a", 3), entry_of(ICE_ADDED, "file:///t/b", 4), entry_of(ICE_ADDED, "file:///t/c", 5)};
    struct ice_manifest first = row_of(0, 40), merged = row_of(0, 1000);
    OK(print(NULL, 3, 0, e, 3, &b, &err), &err);
    OK(frz__ice_manifest_parse(NULL, &ar, buf_slice(&b), &first, &err), &err);
    for (int i = 0; i < 3; i++) {
        e[i] = first.entries[2 - i]; /* in another order, in another place of the list, one gone */
        e[i].status = i == 1 ? ICE_DELETED : ICE_EXISTING;
    }
    OK(print(NULL, 3, 0, e, 3, &again, &err), &err);
    OK(frz__ice_manifest_parse(NULL, &ar, buf_slice(&again), &merged, &err), &err);
    assert_true(merged.entries[0].file.first_row_id == 47 && merged.entries[1].file.first_row_id == 43 && merged.entries[2].file.first_row_id == 40);
    buf_clear(&b);
    buf_clear(&again);
    frz__arena_clear(&ar);
}

TEST(manifest, refuses_to_write_for_partitioned_tables)
{
    frz_error err;
    struct buf b = BUF_INIT(NULL, 0);
    struct ice_meta m = meta_of(2);
    m.partitioned = true;
    FAILS(frz__ice_manifest_print(NULL, &m, 0, NULL, 0, 1, 1, &b, &err), FRZ_UNSUPPORTED, &err);
    MESSAGE_HAS(&err, "partition");
    assert_int_equal(b.len, 0);
}

TEST(manifest, of_format_2_takes_no_deletion_vector)
{
    frz_error err;
    struct buf b;
    struct ice_entry e = entry_of(ICE_EXISTING, "file:///t/data/x.puffin", 2);
    e.file.content = ICE_POSITION_DELETES;
    e.file.format = slice_str("PUFFIN");
    e.file.referenced_data_file = slice_str("file:///t/data/a.parquet");
    e.file.content_offset = 4;
    e.file.content_size = 46;
    FAILS(print(NULL, 2, 1, &e, 1, &b, &err), FRZ_INVALID, &err);
    buf_clear(&b);
    OK(print(NULL, 3, 1, &e, 1, &b, &err), &err);
    buf_clear(&b);
}

/* ── other writers ── */

/* A manifest of the caller's own schema and records. */
static slice handmade(struct buf *out, const char *schema, const char *version, const void *record, size_t len, int times)
{
    frz_error err;
    struct avro_writer *w;
    const slice kv[] = {slice_str("format-version"), slice_str(version ? version : "")};
    *out = BUF_INIT(NULL, 0);
    OK(frz__avro_writer_new(NULL, slice_str(schema), kv, version ? 1 : 0, false, &w, &err), &err);
    for (int i = 0; i < times; i++) OK(frz__avro_write(w, slice_of(record, len), &err), &err);
    OK(frz__avro_writer_finish(w, out, &err), &err);
    frz__avro_writer_free(w);
    return buf_slice(out);
}

#define F(name, id, type) "{\"name\":\"" name "\",\"type\":" type ",\"field-id\":" #id "}"
#define ENTRY(before, file) "{\"type\":\"record\",\"name\":\"x\",\"fields\":[" before F("whatever", 2, "{\"type\":\"record\",\"name\":\"y\",\"fields\":[" file "]}") "]}"

/* Format 1, other names, another order, partition values, fields that we do not know, lower case. */
static const char v1_schema[] =
    ENTRY(F("status", 0, "\"int\"") "," F("snapshot_id", 1, "\"long\"") ",",
          F("size", 104, "\"long\"") "," F("extra", 9999, "{\"type\":\"map\",\"values\":\"double\"}") "," F("rows", 103, "\"long\"") "," F("p", 100, "\"string\"") ","
          F("partition", 102, "{\"type\":\"record\",\"name\":\"r102\",\"fields\":[" F("d", 1000, "[\"null\",{\"type\":\"fixed\",\"name\":\"dec\",\"size\":2,\"logicalType\":\"decimal\"}]") "]}") ","
          F("format", 101, "\"string\"") "," F("block_size_in_bytes", 105, "\"long\"") ","
          "{\"name\":\"no_id\",\"type\":\"float\"}");
static const char v1_record[] = "\x02\x2c" "\xc8\x01" "\x02\x02k12345678\x00" "\x0a" "\x06/x" "z" "\x02ZZ" "\x0eparquet" "\x02" "1234";

TEST(manifest, of_format_1_means_data_and_sequence_zero)
{
    frz_error err;
    struct arena ar = ARENA_INIT(NULL);
    struct buf b;
    struct ice_manifest m = {.path = slice_str("m"), .added_snapshot_id = 5, .first_row_id = -1, .added_files = -1, .existing_files = -1, .deleted_files = -1, .added_rows = -1, .existing_rows = -1,
                             .deleted_rows = -1};
    OK(frz__ice_manifest_parse(NULL, &ar, handmade(&b, v1_schema, NULL, v1_record, sizeof v1_record - 1, 2), &m, &err), &err);
    assert_int_equal(m.entry_count, 2);
    const struct ice_entry *e = &m.entries[1];
    assert_true(e->status == ICE_ADDED && e->snapshot_id == 22 && e->sequence_number == 0 && e->file_sequence_number == 0);
    assert_true(e->file.content == ICE_DATA && e->file.record_count == 5 && e->file.file_size == 100 && e->file.sort_order_id == -1 && e->file.first_row_id == -1);
    assert_true(slice_eq(e->file.path, slice_str("/xz")) && slice_eq(e->file.format, slice_str("PARQUET")));
    assert_true(m.added_files == 2 && m.existing_files == 0 && m.deleted_files == 0); /* counted, for the list did not tell */
    assert_true(m.added_rows == 10 && m.existing_rows == 0 && m.deleted_rows == 0);
    buf_clear(&b);
    frz__arena_clear(&ar);
}

/* Only what is required, then whatever the case adds. Status, snapshot, sequence; content, path, format, rows, size, row id, referenced, offset, length, key. */
static const char small_schema[] =
    ENTRY(F("status", 0, "\"int\"") "," F("snapshot_id", 1, "[\"null\",\"long\"]") "," F("seq", 3, "[\"null\",\"long\"]") "," F("fseq", 4, "[\"null\",\"long\"]") ",",
          F("c", 134, "\"int\"") "," F("p", 100, "\"string\"") "," F("f", 101, "\"string\"") "," F("n", 103, "\"long\"") "," F("s", 104, "\"long\"") "," F("r", 142, "[\"null\",\"long\"]") ","
          F("d", 143, "[\"null\",\"string\"]") "," F("o", 144, "[\"null\",\"long\"]") "," F("l", 145, "[\"null\",\"long\"]") "," F("k", 131, "[\"null\",\"bytes\"]"));
#define SMALL_TAIL "\x00\x00\x00\x00\x00"
#define SMALL(status, content) status "\x00\x00\x00" content "\x02p" "\x0ePARQUET" "\x0a\x14" SMALL_TAIL

static int parse_small(const char *record, size_t len, struct ice_manifest *m, struct arena *ar, frz_error *err)
{
    struct buf b;
    int rc = frz__ice_manifest_parse(NULL, ar, handmade(&b, small_schema, "3", record, len, 1), m, err);
    buf_clear(&b);
    return rc;
}
#define PARSES(record, m, ar) OK(parse_small((record), sizeof(record) - 1, (m), (ar), &err), &err)
#define CORRUPT(record, m, ar, says)                                                                                                       \
    do {                                                                                                                                   \
        FAILS(parse_small((record), sizeof(record) - 1, (m), (ar), &err), FRZ_CORRUPT, &err);                                              \
        MESSAGE_HAS(&err, says);                                                                                                           \
        MESSAGE_HAS(&err, "m0.avro");                                                                                                      \
    } while (0)

TEST(manifest, inherits_as_java_does)
{
    frz_error err;
    struct arena ar = ARENA_INIT(NULL);
    struct ice_manifest m = row_of(0, 40);
    PARSES(SMALL("\x02", "\x00"), &m, &ar); /* ADDED */
    assert_true(m.entries[0].snapshot_id == 90 && m.entries[0].sequence_number == 9 && m.entries[0].file_sequence_number == 9 && m.entries[0].file.first_row_id == 40);
    m = row_of(0, 40);
    PARSES(SMALL("\x04", "\x00"), &m, &ar); /* DELETED: no row id is used up for it */
    assert_true(m.entries[0].file.first_row_id == -1);
    m = row_of(0, -1);
    PARSES("\x02\x00\x00\x00\x00\x02p\x0ePARQUET\x0a\x14\x02\x0e\x00\x00\x00\x00", &m, &ar); /* a row id in a manifest without: none */
    assert_true(m.entries[0].file.first_row_id == -1);
    m = row_of(0, 40);
    PARSES("\x00\x00\x02\x06\x00\x00\x02p\x0ePARQUET\x0a\x14\x02\x0e\x00\x00\x00\x00", &m, &ar); /* EXISTING, of before file_sequence_number */
    assert_true(m.entries[0].sequence_number == 3 && m.entries[0].file_sequence_number == -1 && m.entries[0].file.first_row_id == 7);
    m = row_of(0, 40);
    m.sequence_number = 0;
    PARSES(SMALL("\x00", "\x00"), &m, &ar); /* EXISTING, of format 1 */
    assert_true(m.entries[0].sequence_number == 0 && m.entries[0].file_sequence_number == 0);
    frz__arena_clear(&ar);
}

TEST(manifest, counts_row_ids_over_live_entries_that_have_none)
{
    frz_error err;
    struct arena ar = ARENA_INIT(NULL);
    struct buf b;
    struct ice_entry e[5] = {entry_of(ICE_ADDED, "file:///t/a", 3), entry_of(ICE_DELETED, "file:///t/b", 50), entry_of(ICE_EXISTING, "file:///t/c", 4), entry_of(ICE_EXISTING, "file:///t/d", 60),
                             entry_of(ICE_ADDED, "file:///t/e", 5)};
    struct ice_manifest m = row_of(0, 10);
    e[3].file.first_row_id = 500;
    OK(print(NULL, 3, 0, e, 5, &b, &err), &err);
    OK(frz__ice_manifest_parse(NULL, &ar, buf_slice(&b), &m, &err), &err);
    static const int64_t want[] = {10, -1, 13, 500, 17};
    for (int i = 0; i < 5; i++) assert_true(m.entries[i].file.first_row_id == want[i]);
    buf_clear(&b);
    frz__arena_clear(&ar);
}

TEST(manifest, says_what_is_wrong_with_an_entry)
{
    frz_error err;
    struct arena ar = ARENA_INIT(NULL);
    struct buf b;
    struct ice_manifest m = row_of(0, 40), d = row_of(1, -1);
    CORRUPT(SMALL("\x06", "\x00"), &m, &ar, "status (0)");
    CORRUPT(SMALL("\x01", "\x00"), &m, &ar, "status (0)");
    CORRUPT(SMALL("\x02", "\x06"), &m, &ar, "content (134)");
    CORRUPT(SMALL("\x02", "\x02"), &m, &ar, "content (134)");
    CORRUPT(SMALL("\x02", "\x00"), &d, &ar, "content (134)");
    CORRUPT(SMALL("\x00", "\x00"), &m, &ar, "sequence_number (3)");
    CORRUPT("\x02\x00\x00\x00\x00\x00\x0ePARQUET\x0a\x14" SMALL_TAIL, &m, &ar, "file_path (100) is empty");
    CORRUPT("\x02\x00\x00\x00\x00\x02\xff\x0ePARQUET\x0a\x14" SMALL_TAIL, &m, &ar, "UTF-8");
    CORRUPT("\x02\x00\x00\x00\x00\x02p\x0ePARQUET\x09\x14" SMALL_TAIL, &m, &ar, "record_count (103)");
    CORRUPT("\x02\x00\x00\x00\x00\x02p\x0ePARQUET\x0a\x13" SMALL_TAIL, &m, &ar, "file_size_in_bytes (104)");
    CORRUPT("\x02\x00\x00\x00\x02\x02p\x0cPUFFIN\x0a\x14" SMALL_TAIL, &d, &ar, "deletion vector");
    CORRUPT("\x02\x00\x00\x00\x02\x02p\x0cpuffin\x0a\x14\x00\x02\x02q\x02\x08\x00\x00", &d, &ar, "deletion vector");
    PARSES("\x02\x00\x00\x00\x02\x02p\x0cpuffin\x0a\x14\x00\x02\x02q\x02\x08\x02\x5c\x00", &d, &ar);
    assert_true(slice_eq(d.entries[0].file.format, slice_str("PUFFIN")));
    FAILS(parse_small("\x02\x00\x00\x00\x00\x02p\x0ePARQUET\x0a\x14\x00\x00\x00\x00\x02\x02K", 25, &m, &ar, &err), FRZ_UNSUPPORTED, &err);
    MESSAGE_HAS(&err, "encrypted");
    PARSES("\x02\x00\x00\x00\x00\x02p\x0ePARQUET\x0a\x14\x00\x00\x00\x00\x02\x00", &m, &ar); /* a key of no bytes is none */
    m = row_of(0, INT64_MAX - 4);
    CORRUPT(SMALL("\x02", "\x00"), &m, &ar, "row ids");
    m = row_of(0, -1);
    FAILS(frz__ice_manifest_parse(NULL, &ar, handmade(&b, small_schema, "4", "", 0, 0), &m, &err), FRZ_NEWER_FORMAT, &err);
    buf_clear(&b);
    FAILS(frz__ice_manifest_parse(NULL, &ar, handmade(&b, small_schema, "two", "", 0, 0), &m, &err), FRZ_CORRUPT, &err);
    buf_clear(&b);
    FAILS(frz__ice_manifest_parse(NULL, &ar, handmade(&b, "\"long\"", "2", "\x02", 1, 1), &m, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "status (0) is missing");
    buf_clear(&b);
    FAILS(frz__ice_manifest_parse(NULL, &ar, handmade(&b, ENTRY(F("status", 0, "\"string\"") ",", F("c", 134, "\"int\"")), "2", "\x02x\x00", 3, 1), &m, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "expected a number, found bytes");
    buf_clear(&b);
    frz__arena_clear(&ar);
}

TEST(manifest, takes_metrics_in_any_order_and_of_any_columns)
{
    static const char schema[] =
        ENTRY(F("status", 0, "\"int\"") ",",
              F("p", 100, "\"string\"") "," F("f", 101, "\"string\"") "," F("n", 103, "\"long\"") "," F("s", 104, "\"long\"") ","
              F("a", 109, "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"k\",\"fields\":[" F("v", 120, "\"long\"") "," F("k", 119, "\"int\"") "]}}") ","
              F("b", 125, "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"l\",\"fields\":[" F("k", 126, "\"int\"") "," F("v", 127, "\"bytes\"") "]}}"));
    /* counts of 9, 2, 5 (negative: unknown), 2 again; bounds of 7 and 2 */
    static const char record[] = "\x02" "\x02p\x0ePARQUET\x0a\x14" "\x08\x0a\x12\x08\x04\x01\x0a\x0c\x04\x00" "\x04\x0e\x02x\x04\x00\x00";
    frz_error err;
    struct arena ar = ARENA_INIT(NULL);
    struct buf b;
    struct ice_manifest m = row_of(0, -1);
    OK(frz__ice_manifest_parse(NULL, &ar, handmade(&b, schema, "2", record, sizeof record - 1, 1), &m, &err), &err);
    const struct ice_file *f = &m.entries[0].file;
    assert_int_equal(f->stats_count, 4);
    static const int want[4][2] = {{2, 6}, {5, -1}, {7, -1}, {9, 5}};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(f->stats[i].field_id, want[i][0]);
        assert_int_equal(f->stats[i].value_count, want[i][1]);
        assert_int_equal(f->stats[i].column_size, -1);
    }
    assert_true(f->stats[0].lower.data && f->stats[0].lower.len == 0 && f->stats[2].lower.len == 1 && !f->stats[3].lower.data && !f->stats[0].upper.data);
    buf_clear(&b);
    frz__arena_clear(&ar);
}

/* ── lists ── */

static void two_rows(struct ice_manifest f[2])
{
    f[0] = (struct ice_manifest){.path = slice_str("file:///t/metadata/m0.avro"), .length = 4711, .content = 0, .sequence_number = 9, .min_sequence_number = 2, .added_snapshot_id = INT64_MAX,
                                 .added_files = 1, .existing_files = 2, .deleted_files = 3, .added_rows = 4, .existing_rows = 5, .deleted_rows = 6, .first_row_id = 77};
    f[1] = (struct ice_manifest){.path = slice_str("file:///t/metadata/m1.avro"), .length = 815, .content = 1, .sequence_number = 7, .min_sequence_number = 7, .added_snapshot_id = 70, .added_files = 1,
                                 .added_rows = 4, .first_row_id = -1};
}

static int print_list(const allocator *a, int version, const struct ice_manifest *f, size_t n, int64_t parent, struct buf *out, frz_error *err)
{
    struct ice_meta m = meta_of(version);
    struct ice_snapshot s = {.id = 90, .parent_id = parent, .sequence_number = 9, .first_row_id = version == 3 ? 33 : -1};
    const struct ice_manifest *p[4];
    for (size_t i = 0; i < n; i++) p[i] = &f[i];
    *out = BUF_INIT(a, 0);
    return frz__ice_list_print(a, &m, &s, p, n, out, err);
}

static bool same_row(const struct ice_manifest *a, const struct ice_manifest *b)
{
    return slice_eq(a->path, b->path) && a->length == b->length && a->spec_id == b->spec_id && a->content == b->content && a->sequence_number == b->sequence_number &&
           a->min_sequence_number == b->min_sequence_number && a->added_snapshot_id == b->added_snapshot_id && a->added_files == b->added_files && a->existing_files == b->existing_files &&
           a->deleted_files == b->deleted_files && a->added_rows == b->added_rows && a->existing_rows == b->existing_rows && a->deleted_rows == b->deleted_rows && a->first_row_id == b->first_row_id;
}

TEST(manifest_list, comes_back_with_its_keys)
{
    for (int version = 2; version <= 3; version++) {
        frz_error err;
        struct arena ar = ARENA_INIT(NULL);
        struct ice_manifest f[2];
        struct ice_tree t;
        struct buf b;
        struct avro_reader *r;
        two_rows(f);
        OK(print_list(NULL, version, f, 2, version == 2 ? 0 : 89, &b, &err), &err);
        OK(frz__ice_list_parse(NULL, &ar, buf_slice(&b), &t, &err), &err);
        if (version == 2) f[0].first_row_id = -1;
        assert_int_equal(t.count, 2);
        for (int i = 0; i < 2; i++) {
            assert_true(same_row(&t.manifests[i], &f[i]));
            assert_false(t.manifests[i].loaded);
            assert_true(t.manifests[i].partitions.len == 1 && t.manifests[i].partitions.data[0] == 0); /* a list of none */
        }
        OK(frz__avro_reader_new(NULL, buf_slice(&b), &r, &err), &err);
        assert_true(slice_eq(frz__avro_meta(r, "snapshot-id"), slice_str("90")));
        assert_true(slice_eq(frz__avro_meta(r, "parent-snapshot-id"), slice_str(version == 2 ? "null" : "89")));
        assert_true(slice_eq(frz__avro_meta(r, "sequence-number"), slice_str("9")));
        assert_true(slice_eq(frz__avro_meta(r, "format-version"), slice_str(version == 2 ? "2" : "3")));
        assert_int_equal(frz__avro_meta(r, "first-row-id").data != NULL, version == 3);
        frz__avro_reader_free(r);
        buf_clear(&b);
        frz__arena_clear(&ar);
    }
}

TEST(manifest_list, hazard_45_schema_has_field_ids_in_javas_order)
{
    static const struct shape all[] = {
        {"manifest_path", 500, "string", 0},      {"manifest_length", 501, "long", 0},     {"partition_spec_id", 502, "int", 0},   {"content", 517, "int", 0},
        {"sequence_number", 515, "long", 0},      {"min_sequence_number", 516, "long", 0}, {"added_snapshot_id", 503, "long", 0},  {"added_files_count", 504, "int", 0},
        {"existing_files_count", 505, "int", 0},  {"deleted_files_count", 506, "int", 0},  {"added_rows_count", 512, "long", 0},   {"existing_rows_count", 513, "long", 0},
        {"deleted_rows_count", 514, "long", 0},   {"partitions", 507, "array", 1},         {"key_metadata", 519, "bytes", 1},      {"first_row_id", 520, "long", 1}};
    for (int version = 2; version <= 3; version++) {
        frz_error err;
        struct buf b;
        struct avro_reader *r;
        OK(print_list(NULL, version, NULL, 0, 0, &b, &err), &err);
        struct json *j = schema_of(buf_slice(&b), &r);
        const struct json *fields = frz__json_get(j, "fields"), *list = frz__json_at(frz__json_get(frz__json_at(fields, 13), "type"), 1);
        check_shape(fields, all, version == 3 ? 16 : 15);
        assert_int_equal(frz__json_int(frz__json_get(list, "element-id")), 508);
        check_shape(frz__json_get(frz__json_get(list, "items"), "fields"),
                    (const struct shape[]){{"contains_null", 509, "boolean", 0}, {"contains_nan", 518, "boolean", 1}, {"lower_bound", 510, "bytes", 1}, {"upper_bound", 511, "bytes", 1}}, 4);
        frz__json_free(j);
        frz__avro_reader_free(r);
        buf_clear(&b);
    }
}

#define LIST_HEAD F("p", 500, "\"string\"") "," F("l", 501, "\"long\"") "," F("spec", 502, "\"int\"")
static const char list_schema[] =
    "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":[" LIST_HEAD "," F("added", 504, "[\"null\",\"int\"]") ","
    F("partitions", 507, "[\"null\",{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"r508\",\"fields\":["
      F("upper_bound", 511, "[\"null\",\"bytes\"]") "," F("contains_null", 509, "\"boolean\"") "," F("lower_bound", 510, "[\"null\",\"bytes\"]") "]}}]") "]}";
/* path m, length 8, spec 5, no counts; summaries ("b", true, "a") and (null, false, null) */
static const char list_record[] = "\x02m\x10\x0a\x00\x02\x04\x02\x02" "b\x01\x02\x02" "a\x00\x00\x00\x00";

TEST(manifest_list, of_format_1_leaves_counts_unknown_and_keeps_partitions)
{
    frz_error err;
    struct arena ar = ARENA_INIT(NULL);
    struct ice_tree t, again;
    struct buf b, c;
    OK(frz__ice_list_parse(NULL, &ar, handmade(&b, list_schema, NULL, list_record, sizeof list_record - 1, 1), &t, &err), &err);
    struct ice_manifest *m = &t.manifests[0];
    assert_true(t.count == 1 && m->spec_id == 5 && m->content == 0 && m->sequence_number == 0 && m->min_sequence_number == 0 && m->added_snapshot_id == 0 && m->first_row_id == -1);
    assert_true(m->added_files == -1 && m->existing_files == -1 && m->deleted_files == -1 && m->added_rows == -1 && m->existing_rows == -1 && m->deleted_rows == -1);
    static const char kept[] = "\x04\x01\x00\x02\x02" "a\x02\x02" "b\x00\x00\x00\x00\x00";
    assert_true(slice_eq(m->partitions, slice_of(kept, sizeof kept - 1)));
    FAILS(print_list(NULL, 2, m, 1, 0, &c, &err), FRZ_BUG, &err); /* nobody has counted */
    buf_clear(&c);
    m->added_files = m->existing_files = m->deleted_files = 0;
    m->added_rows = m->existing_rows = m->deleted_rows = 0;
    OK(print_list(NULL, 2, m, 1, 0, &c, &err), &err);
    OK(frz__ice_list_parse(NULL, &ar, buf_slice(&c), &again, &err), &err);
    assert_true(same_row(m, &again.manifests[0]));
    assert_true(slice_eq(again.manifests[0].partitions, m->partitions));
    m->partitions.data = NULL; /* of another spec, and not known: null, not a list of none */
    buf_clear(&c);
    OK(print_list(NULL, 2, m, 1, 0, &c, &err), &err);
    OK(frz__ice_list_parse(NULL, &ar, buf_slice(&c), &again, &err), &err);
    assert_null(again.manifests[0].partitions.data);
    buf_clear(&b);
    buf_clear(&c);
    frz__arena_clear(&ar);
}

TEST(manifest_list, says_what_is_wrong_with_a_row)
{
    static const struct { const char *fields, *record; size_t len; const char *says; } bad[] = {
        {LIST_HEAD, "\x00\x10\x00", 3, "manifest_path (500) is empty"},
        {LIST_HEAD, "\x02m\x01\x00", 4, "manifest_length (501)"},
        {LIST_HEAD, "\x02m\x02\x01", 4, "partition_spec_id (502)"},
        {LIST_HEAD, "\x02\xff\x02\x00", 4, "UTF-8"},
        {LIST_HEAD "," F("c", 517, "\"int\""), "\x02m\x02\x00\x04", 5, "content (517)"},
        {LIST_HEAD "," F("c", 515, "\"long\""), "\x02m\x02\x00\x01", 5, "sequence_number (515)"},
        {LIST_HEAD "," F("c", 504, "\"int\""), "\x02m\x02\x00\x01", 5, "added_files_count (504)"},
        {LIST_HEAD "," F("c", 520, "\"long\""), "\x02m\x02\x00\x01", 5, "first_row_id (520)"},
        {F("p", 500, "\"string\"") "," F("spec", 502, "\"int\""), "\x02m\x00", 3, "manifest_length (501) is missing"},
        {F("l", 501, "\"long\""), "\x02", 1, "manifest_path (500) is missing"},
        {LIST_HEAD "," F("c", 507, "\"long\""), "\x02m\x02\x00\x01", 5, "partitions (507)"},
    };
    struct arena ar = ARENA_INIT(NULL);
    frz_error err;
    struct ice_tree t;
    struct buf b;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) {
        char schema[1000];
        snprintf(schema, sizeof schema, "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":[%s]}", bad[i].fields);
        FAILS(frz__ice_list_parse(NULL, &ar, handmade(&b, schema, "2", bad[i].record, bad[i].len, 1), &t, &err), FRZ_CORRUPT, &err);
        MESSAGE_HAS(&err, bad[i].says);
        MESSAGE_HAS(&err, "manifest list: row 0");
        buf_clear(&b);
    }
    FAILS(frz__ice_list_parse(NULL, &ar, handmade(&b, list_schema, "4", "", 0, 0), &t, &err), FRZ_NEWER_FORMAT, &err);
    buf_clear(&b);
    FAILS(frz__ice_list_parse(NULL, &ar, slice_of(NULL, 0), &t, &err), FRZ_CORRUPT, &err);
    frz__arena_clear(&ar);
}

/* ── hostile bytes ── */

/* The same file with its one block unpacked, so that what is hit is what is inside. */
static void unpacked(struct buf *b)
{
    frz_error err;
    struct buf out = BUF_INIT(NULL, 0), body = BUF_INIT(NULL, 0);
    const uint8_t *sync = b->data + b->len - 16, *codec = (const uint8_t *)memmem(b->data, b->len, "\x0e" "deflate", 8);
    const uint8_t *at = (const uint8_t *)memmem(b->data, b->len, sync, 16), *end = b->data + b->len;
    uint64_t count = 0, bytes = 0;
    assert_true(codec && at && at < sync);
    OK(buf_append(&out, b->data, (size_t)(codec - b->data), &err), &err);
    OK(buf_append(&out, "\x08null", 5, &err), &err);
    OK(buf_append(&out, codec + 8, (size_t)(at + 16 - codec - 8), &err), &err);
    const uint8_t *p = at + 16;
    assert_true(varint_get(&p, end, &count) && varint_get(&p, end, &bytes));
    OK(frz__inflate_raw(slice_of(p, (size_t)zigzag_decode(bytes)), 1 << 20, &body, &err), &err);
    OK(frz__avro_put_long(&out, zigzag_decode(count), &err), &err);
    OK(frz__avro_put_bytes(&out, buf_slice(&body), &err), &err);
    OK(buf_append(&out, sync, 16, &err), &err);
    buf_clear(&body);
    buf_clear(b);
    *b = out;
}

static int parse_any(bool list, slice bytes, const allocator *a, frz_error *err)
{
    struct arena ar = ARENA_INIT(a);
    struct ice_tree t;
    struct ice_manifest m = row_of(0, 40);
    int rc = list ? frz__ice_list_parse(a, &ar, bytes, &t, err) : frz__ice_manifest_parse(a, &ar, bytes, &m, err);
    frz__arena_clear(&ar);
    return rc;
}

static void make_any(bool list, const allocator *a, int *rc, struct buf *b, frz_error *err)
{
    struct ice_entry e[4];
    struct ice_manifest f[2];
    data_entries(e);
    two_rows(f);
    *rc = list ? print_list(a, 3, f, 2, 1, b, err) : print(a, 3, 0, e, 4, b, err);
}

TEST(manifest, and_list_survive_every_cut)
{
    for (int list = 0; list < 2; list++) {
        frz_error err;
        struct buf b;
        int rc, whole = 0;
        make_any(list, NULL, &rc, &b, &err);
        OK(rc, &err);
        for (int raw = 0; raw < 2; raw++) {
            OK(parse_any(list, buf_slice(&b), NULL, &err), &err);
            for (size_t cut = 0; cut < b.len; cut += cut < b.len - 600 ? 7 : 1) {
                uint8_t *copy = (uint8_t *)malloc(cut ? cut : 1);
                assert_non_null(copy);
                memcpy(copy, b.data, cut);
                rc = parse_any(list, slice_of(copy, cut), NULL, &err);
                if (rc == FRZ_OK) whole++; /* where a file of no blocks ends */
                else RC(rc, FRZ_CORRUPT, &err);
                free(copy);
            }
            if (!raw) unpacked(&b);
        }
        assert_true(whole <= 2);
        buf_clear(&b);
    }
}

TEST(manifest, and_list_survive_flipped_bits)
{
    struct rng rng = {test_seed(99)};
    for (int list = 0; list < 2; list++) {
        frz_error err;
        struct buf b;
        int rc;
        make_any(list, NULL, &rc, &b, &err);
        OK(rc, &err);
        unpacked(&b);
        const uint8_t *body = (const uint8_t *)memmem(b.data, b.len, b.data + b.len - 16, 16) + 16;
        const size_t from = (size_t)(body - b.data);
        uint8_t *copy = (uint8_t *)malloc(b.len);
        assert_non_null(copy);
        for (int i = 0; i < 4000; i++) {
            memcpy(copy, b.data, b.len);
            for (uint64_t k = 1 + rng_below(&rng, 3); k > 0; k--) {
                size_t at = i % 8 ? from + rng_below(&rng, b.len - from - 16) : rng_below(&rng, from); /* mostly the records, parsing the schema takes long */
                copy[at] = rng_below(&rng, 3) ? (uint8_t)(copy[at] ^ (1u << rng_below(&rng, 8))) : (uint8_t)rng_next(&rng);
            }
            rc = parse_any(list, slice_of(copy, b.len), NULL, &err);
            if (rc != FRZ_OK && rc != FRZ_UNSUPPORTED && rc != FRZ_NEWER_FORMAT) RC(rc, FRZ_CORRUPT, &err);
        }
        free(copy);
        buf_clear(&b);
    }
}

TEST(manifest, and_list_fail_cleanly_at_every_allocation)
{
    for (int list = 0; list < 2; list++) {
        frz_error err;
        struct buf whole, b;
        struct test_alloc t;
        int rc;
        long at = 1;
        for (rc = FRZ_NO_MEMORY; rc != FRZ_OK; at++) {
            test_alloc_init(&t, at);
            make_any(list, &t.vt, &rc, &b, &err);
            if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &err);
            buf_clear(&b);
            assert_int_equal(t.live, 0);
            assert_true(at < 300);
        }
        assert_true(at > 5);
        make_any(list, NULL, &rc, &whole, &err);
        OK(rc, &err);
        at = 1;
        for (rc = FRZ_NO_MEMORY; rc != FRZ_OK; at++) {
            test_alloc_init(&t, at);
            rc = parse_any(list, buf_slice(&whole), &t.vt, &err);
            if (rc != FRZ_OK) RC(rc, FRZ_NO_MEMORY, &err);
            assert_int_equal(t.live, 0);
            assert_true(at < 300);
        }
        assert_true(at > 5);
        buf_clear(&whole);
    }
}
