/* Goal: metadata of any writer is read, and nothing of it lost by writing it again; damage is named. Method: files as Java, pyiceberg and a minimal writer make them, and mutations of them. */
#include "ice_kit.h"

static const char *const goldens[] = {"java_v2.json", "java_v3.json", "java_empty.json", "java_partitioned.json", "pyiceberg_v2.json", "plain_v2.json", "plain_v3.json", "create_v2.json", "create_v3.json"};

static int parse(struct arena *ar, slice json, struct ice_meta **m, frz_error *err) { return frz__ice_meta_parse(NULL, ar, json, m, err); }

/* All that A has, B has too. */
static bool within(const struct json *a, const struct json *b)
{
    if (frz__json_kind(a) != frz__json_kind(b)) return false;
    switch (frz__json_kind(a)) {
    case JK_OBJECT:
        for (void *it = frz__json_first(a); it; it = frz__json_next(a, it))
            if (!frz__json_get(b, frz__json_iter_key(it)) || !within(frz__json_iter_value(it), frz__json_get(b, frz__json_iter_key(it)))) return false;
        return true;
    case JK_ARRAY:
        if (frz__json_len(a) != frz__json_len(b)) return false;
        for (size_t i = 0; i < frz__json_len(a); i++)
            if (!within(frz__json_at(a, i), frz__json_at(b, i))) return false;
        return true;
    case JK_STRING: return slice_eq(frz__json_str(a), frz__json_str(b));
    case JK_INT: return frz__json_int(a) == frz__json_int(b);
    case JK_REAL: return frz__json_real(a) == frz__json_real(b);
    case JK_BOOL: return frz__json_bool(a) == frz__json_bool(b);
    default: return true;
    }
}

/* JSON → metadata → JSON keeps every member; once more changes no byte. */
static void round_trip(slice json)
{
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct ice_meta *m = NULL, *n = NULL;
    struct buf once = BUF_INIT(NULL, 0), twice = BUF_INIT(NULL, 0);
    struct json *a = NULL, *b = NULL;
    OK(parse(&ar, json, &m, &err), &err);
    OK(frz__ice_meta_print(m, &once, &err), &err);
    OK(frz__json_parse(json, &a, &err), &err);
    OK(frz__json_parse(buf_slice(&once), &b, &err), &err);
    assert_true(within(a, b));
    OK(parse(&ar, buf_slice(&once), &n, &err), &err);
    OK(frz__ice_meta_print(n, &twice, &err), &err);
    same_slice(buf_slice(&once), buf_slice(&twice));
    frz__json_free(a);
    frz__json_free(b);
    frz__ice_meta_release(m);
    frz__ice_meta_release(n);
    buf_clear(&once);
    buf_clear(&twice);
    frz__arena_clear(&ar);
}

TEST(ice_meta, keeps_every_member_of_what_java_and_pyiceberg_write)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(goldens); i++) {
        slice json = kit_golden(goldens[i]);
        round_trip(json);
        free((void *)(uintptr_t)json.data);
    }
}

TEST(ice_meta, reads_what_spark_wrote)
{
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct ice_meta *m = NULL;
    slice json = kit_golden("java_v3.json");
    OK(parse(&ar, json, &m, &err), &err);
    assert_int_equal(m->format_version, 3);
    assert_int_equal(m->snapshot_count, 3);
    assert_int_equal(m->next_row_id, 11);
    assert_int_equal(m->schema_count, 2);
    assert_null(frz__ice_schema(m, 1)); /* a nested column: kept as text */
    assert_int_equal(m->ref_count, 2);
    assert_true(m->refs[0].is_tag);
    const struct ice_snapshot *s = frz__ice_snapshot(m, m->current_snapshot_id);
    assert_true(is(s->operation, "overwrite"));
    assert_int_equal(s->parent_id, m->snapshots[1].id);
    assert_int_equal(s->schema_id, 1);
    assert_int_equal(s->first_row_id, 10);
    assert_int_equal(s->added_rows, 1);
    assert_true(is(frz__ice_summary(s, "engine-name"), "spark"));
    assert_null(frz__ice_snapshot(m, 1));
    assert_int_equal(frz__ice_property_int(m, "history.expire.max-snapshot-age-ms", 1, 7), 1000);
    assert_int_equal(frz__ice_property_int(m, "write.delete.mode", 1, 7), 7);
    assert_int_equal(frz__ice_property_int(m, "history.expire.max-snapshot-age-ms", 1001, 7), 7);
    assert_int_equal(m->metadata_log_count, 6);
    frz__ice_meta_release(m);
    free((void *)(uintptr_t)json.data);
    json = kit_golden("java_partitioned.json");
    OK(parse(&ar, json, &m, &err), &err);
    assert_true(m->partitioned);
    assert_int_equal(m->last_partition_id, 1000);
    assert_int_equal(m->current_snapshot_id, -1);
    assert_non_null(frz__ice_schema(m, 0));
    frz__ice_meta_release(m);
    free((void *)(uintptr_t)json.data);
    frz__arena_clear(&ar);
}

/* ── variants of one small text ── */

#define HEAD "\"table-uuid\":\"" KIT_UUID "\",\"location\":\"file:///t\",\"last-updated-ms\":5,\"last-column-id\":1"
#define SCHEMA "{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\"}]}"
#define SPECS "\"partition-specs\":[{\"spec-id\":0,\"fields\":[]}],\"default-spec-id\":0"
#define LEAST "\"format-version\":2," HEAD ",\"last-sequence-number\":9,\"schemas\":[" SCHEMA "],\"current-schema-id\":0," SPECS
#define SNAP(id, more) "{\"snapshot-id\":" #id ",\"timestamp-ms\":4,\"manifest-list\":\"m\"" more "}"

static int try_text(const char *text, struct ice_meta **m, struct arena *ar, frz_error *err)
{
    err->message[0] = 0;
    return parse(ar, S(text), m, err);
}

TEST(ice_meta, tolerates_what_others_leave_out)
{
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct ice_meta *m = NULL;
    static const char *const none[] = {"", ",\"current-snapshot-id\":null", ",\"current-snapshot-id\":-1", ",\"current-snapshot-id\":0",
                                       ",\"snapshots\":null,\"refs\":null,\"snapshot-log\":null,\"metadata-log\":null,\"properties\":null,\"statistics\":null,\"sort-orders\":null,\"default-sort-order-id\":null"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(none); i++) {
        char text[2048];
        snprintf(text, sizeof text, "{" LEAST "%s}", none[i]);
        OK(try_text(text, &m, &ar, &err), &err);
        assert_int_equal(m->current_snapshot_id, -1);
        assert_int_equal(m->ref_count, 0);
        assert_int_equal(m->last_partition_id, 999);
        assert_true(is(m->sort_orders, "[{\"order-id\":0,\"fields\":[]}]"));
        assert_true(is(m->statistics, "[]"));
        frz__ice_meta_release(m);
    }
    /* no refs: main is where current-snapshot-id says; parent null or -1; no sequence number, summary, schema-id; ids in any order */
    OK(try_text("{" LEAST ",\"current-snapshot-id\":7,\"snapshots\":[" SNAP(8, ",\"sequence-number\":2,\"parent-snapshot-id\":7") "," SNAP(7, ",\"parent-snapshot-id\":null") ","
                SNAP(9, ",\"parent-snapshot-id\":-1,\"sequence-number\":1,\"summary\":{\"operation\":\"append\",\"n\":5,\"b\":true}") "]}", &m, &ar, &err), &err);
    assert_int_equal(m->snapshots[0].id, 7);
    assert_int_equal(m->snapshots[1].id, 9);
    assert_int_equal(m->snapshots[2].id, 8);
    assert_int_equal(m->snapshots[0].parent_id, 0);
    assert_int_equal(m->snapshots[0].schema_id, -1);
    assert_int_equal(m->snapshots[1].parent_id, 0);
    assert_true(is(frz__ice_summary(&m->snapshots[1], "n"), "5"));
    assert_true(is(frz__ice_summary(&m->snapshots[1], "b"), "true"));
    assert_int_equal(m->ref_count, 1);
    assert_int_equal(m->refs[0].snapshot_id, 7);
    frz__ice_meta_release(m);
    /* a slash too many; a column beyond last-column-id; names that differ in case, a type of the future: not ours, but kept */
    OK(try_text("{\"format-version\":2,\"table-uuid\":\"" KIT_UUID "\",\"location\":\"file:///t/\",\"last-updated-ms\":5,\"last-column-id\":1,\"last-sequence-number\":0,\"current-schema-id\":0," SPECS
                ",\"schemas\":[{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":4,\"name\":\"a\",\"required\":false,\"type\":\"long\"},{\"id\":5,\"name\":\"A\",\"required\":false,\"type\":\"long\"}]},"
                "{\"type\":\"struct\",\"schema-id\":3,\"fields\":[{\"id\":1,\"name\":\"v\",\"required\":false,\"type\":\"variant\"}]}]}", &m, &ar, &err), &err);
    assert_true(is(m->location, "file:///t"));
    assert_int_equal(m->last_column_id, 5);
    assert_null(frz__ice_schema(m, 0));
    assert_null(frz__ice_schema(m, 3));
    frz__ice_meta_release(m);
    frz__arena_clear(&ar);
}

TEST(ice_meta, keeps_members_that_it_does_not_know)
{
    round_trip(S("{" LEAST ",\"future\":{\"a\":[1,2.5,null,\"x\\u0000y\"]},\"encryption-keys\":[{}],\"current-snapshot-id\":7,\"snapshots\":["
                 SNAP(7, ",\"key-id\":\"k\",\"zz\":[]") "],\"refs\":{\"main\":{\"snapshot-id\":7,\"type\":\"branch\",\"min-snapshots-to-keep\":4,\"new\":true}},"
                 "\"statistics\":[{\"snapshot-id\":7,\"statistics-path\":\"p\"}],\"properties\":{\"\xc3\xa4\":\"\\\"\\n\"}}"));
}

TEST(ice_meta, says_which_versions_it_reads)
{
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct ice_meta *m = NULL;
    FAILS(try_text("{\"format-version\":1,\"location\":\"x\"}", &m, &ar, &err), FRZ_UNSUPPORTED, &err);
    MESSAGE_HAS(&err, "format-version 1");
    FAILS(try_text("{\"format-version\":4}", &m, &ar, &err), FRZ_NEWER_FORMAT, &err);
    FAILS(try_text("{\"format-version\":0}", &m, &ar, &err), FRZ_CORRUPT, &err);
    FAILS(try_text("{\"format-version\":\"2\"}", &m, &ar, &err), FRZ_CORRUPT, &err);
    FAILS(try_text("{\"format-version\":99999999999}", &m, &ar, &err), FRZ_CORRUPT, &err);
    FAILS(try_text("{}", &m, &ar, &err), FRZ_CORRUPT, &err);
    FAILS(try_text("[]", &m, &ar, &err), FRZ_CORRUPT, &err);
    FAILS(try_text("", &m, &ar, &err), FRZ_CORRUPT, &err);
    /* format 1's manifests inside the current snapshot; elsewhere they do not matter */
    FAILS(try_text("{" LEAST ",\"current-snapshot-id\":7,\"snapshots\":[{\"snapshot-id\":7,\"timestamp-ms\":1,\"manifests\":[\"m\"]}]}", &m, &ar, &err), FRZ_UNSUPPORTED, &err);
    round_trip(S("{" LEAST ",\"current-snapshot-id\":8,\"snapshots\":[{\"snapshot-id\":7,\"timestamp-ms\":1,\"manifests\":[\"m\"]}," SNAP(8, "") "]}"));
    frz__arena_clear(&ar);
}

TEST(ice_meta, names_what_contradicts_itself)
{
    static const struct { const char *text, *says; } rows[] = {
        {"{" LEAST ",\"current-snapshot-id\":8,\"snapshots\":[" SNAP(7, "") "]}", "current-snapshot-id 8"},
        {"{" LEAST ",\"snapshots\":[" SNAP(7, "") "," SNAP(7, "") "]}", "snapshot-id 7 is there twice"},
        {"{" LEAST ",\"snapshots\":[" SNAP(0, "") "]}", "snapshots[0]"},
        {"{" LEAST ",\"snapshots\":[" SNAP(-3, "") "]}", "positive"},
        {"{" LEAST ",\"snapshots\":[" SNAP(7, ",\"sequence-number\":10") "]}", "last-sequence-number 9"},
        {"{" LEAST ",\"snapshots\":[" SNAP(7, ",\"sequence-number\":-1") "]}", "sequence-number -1"},
        {"{" LEAST ",\"snapshots\":[" SNAP(7, ",\"summary\":{\"a\":{}}") "]}", "\"a\""},
        {"{" LEAST ",\"snapshots\":[{\"snapshot-id\":7,\"timestamp-ms\":1}]}", "manifest-list"},
        {"{" LEAST ",\"current-snapshot-id\":7,\"snapshots\":[" SNAP(7, "") "," SNAP(8, "") "],\"refs\":{\"main\":{\"snapshot-id\":8,\"type\":\"branch\"}}}", "main"},
        {"{" LEAST ",\"snapshots\":[" SNAP(8, "") "],\"refs\":{\"main\":{\"snapshot-id\":8,\"type\":\"branch\"}}}", "main"},
        {"{" LEAST ",\"current-snapshot-id\":8,\"snapshots\":[" SNAP(8, "") "],\"refs\":{\"main\":{\"snapshot-id\":8,\"type\":\"tag\"}}}", "a tag"},
        {"{" LEAST ",\"refs\":{\"t\":{\"snapshot-id\":8,\"type\":\"tag\"}}}", "refs: t"},
        {"{" LEAST ",\"snapshots\":[" SNAP(8, "") "],\"refs\":{\"t\":{\"snapshot-id\":8,\"type\":\"twig\"}}}", "twig"},
        {"{" LEAST ",\"snapshot-log\":[{\"snapshot-id\":8}]}", "snapshot-log[0]"},
        {"{" LEAST ",\"metadata-log\":[{\"timestamp-ms\":8}]}", "metadata-file"},
        {"{\"format-version\":3," HEAD ",\"last-sequence-number\":9,\"schemas\":[" SCHEMA "],\"current-schema-id\":0," SPECS "}", "next-row-id"},
        {"{\"format-version\":2," HEAD ",\"last-sequence-number\":9,\"schemas\":[" SCHEMA "],\"current-schema-id\":1," SPECS "}", "current-schema-id 1"},
        {"{\"format-version\":2," HEAD ",\"last-sequence-number\":9,\"schemas\":[" SCHEMA "," SCHEMA "],\"current-schema-id\":0," SPECS "}", "schema-id 0 is there twice"},
        {"{\"format-version\":2," HEAD ",\"last-sequence-number\":-1,\"schemas\":[" SCHEMA "],\"current-schema-id\":0," SPECS "}", "last-sequence-number"},
        {"{\"format-version\":2," HEAD ",\"last-sequence-number\":9,\"schemas\":[],\"current-schema-id\":0," SPECS "}", "current-schema-id 0"},
        {"{\"format-version\":2," HEAD ",\"last-sequence-number\":9,\"schemas\":[" SCHEMA "],\"current-schema-id\":0,\"partition-specs\":[],\"default-spec-id\":0}", "default-spec-id 0"},
        {"{" LEAST ",\"properties\":{\"a\":\"1\",\"a\":\"2\"}}", "duplicate"},
    };
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct ice_meta *m = NULL;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        FAILS(try_text(rows[i].text, &m, &ar, &err), FRZ_CORRUPT, &err);
        if (!strstr(err.message, rows[i].says)) fail_msg("row %zu: \"%s\" lacks \"%s\"", i, err.message, rows[i].says);
        RC(frz__ice_meta_parse(NULL, &ar, S(rows[i].text), &m, NULL), FRZ_CORRUPT, NULL);
        assert_null(m);
    }
    frz__arena_clear(&ar);
}

/* ── hostile ── */

/* OBJECT with the member SKIP left out or, with VALUE, replaced. */
static void rewrite(const struct json *object, const char *skip, const char *value, struct buf *out)
{
    frz_error err = {0};
    struct jw w = JW_INIT(out, &err);
    buf_reset(out);
    frz__jw_object(&w);
    for (void *it = frz__json_first(object); it; it = frz__json_next(object, it)) {
        bool hit = strcmp(frz__json_iter_key(it), skip) == 0;
        if (hit && !value) continue;
        frz__jw_key(&w, frz__json_iter_key(it));
        if (hit) frz__jw_raw(&w, S(value));
        else {
            OK(frz__json_dump(frz__json_iter_value(it), out, &err), &err);
            w.comma = true;
        }
    }
    frz__jw_object_end(&w);
    OK(frz__jw_end(&w), &err);
}

TEST(ice_meta, survives_each_member_missing_or_of_another_kind)
{
    static const char *const values[] = {NULL, "null", "1", "-1", "1.5", "\"x\"", "[]", "{}", "true", "[1]", "[{}]", "{\"a\":1}", "{\"a\":{}}", "9223372036854775807", "[[[[]]]]"};
    static const char *const required[] = {"format-version", "table-uuid", "location", "last-sequence-number", "last-updated-ms", "last-column-id", "schemas", "current-schema-id", "partition-specs",
                                           "default-spec-id", "next-row-id"};
    frz_error err = {0};
    slice json = kit_golden("java_v3.json");
    struct json *root = NULL;
    struct buf text = BUF_INIT(NULL, 0);
    size_t tried = 0;
    OK(frz__json_parse(json, &root, &err), &err);
    for (void *it = frz__json_first(root); it; it = frz__json_next(root, it)) {
        for (size_t v = 0; v < FRZ_ARRAY_LEN(values); v++, tried++) {
            struct arena ar = ARENA_INIT(NULL);
            struct ice_meta *m = NULL;
            rewrite(root, frz__json_iter_key(it), values[v], &text);
            err.message[0] = 0;
            int rc = parse(&ar, buf_slice(&text), &m, &err);
            assert_true(rc == FRZ_OK || ((rc == FRZ_CORRUPT || rc == FRZ_UNSUPPORTED || rc == FRZ_NEWER_FORMAT) && err.message[0]));
            bool need = false;
            for (size_t i = 0; i < FRZ_ARRAY_LEN(required); i++) need |= strcmp(required[i], frz__json_iter_key(it)) == 0;
            if (need && v < 2) assert_int_equal(rc, FRZ_CORRUPT);
            frz__ice_meta_release(m);
            frz__arena_clear(&ar);
        }
    }
    assert_true(tried > 200);
    frz__json_free(root);
    buf_clear(&text);
    free((void *)(uintptr_t)json.data);
}

TEST(ice_meta, refuses_every_cut_and_survives_changed_bytes)
{
    frz_error err = {0};
    slice json = kit_golden("plain_v3.json");
    struct rng r = {test_seed(7)};
    uint8_t *copy = (uint8_t *)malloc(json.len);
    for (size_t n = 0; n < json.len; n++) {
        struct arena ar = ARENA_INIT(NULL);
        struct ice_meta *m = NULL;
        memcpy(copy, json.data, n);
        FAILS(parse(&ar, slice_of(copy, n), &m, &err), FRZ_CORRUPT, &err);
        frz__arena_clear(&ar);
    }
    for (int i = 0; i < 4000; i++) {
        struct arena ar = ARENA_INIT(NULL);
        struct ice_meta *m = NULL;
        memcpy(copy, json.data, json.len);
        for (uint64_t n = 1 + rng_below(&r, 3); n-- > 0;) copy[rng_below(&r, json.len)] = i & 1 ? (uint8_t)rng_next(&r) : (uint8_t)"0123456789{}[],:\"-eE.nulltrue"[rng_below(&r, 29)];
        int rc = parse(&ar, slice_of(copy, json.len), &m, &err);
        if (rc >= 0) {
            struct buf b = BUF_INIT(NULL, 0);
            OK(frz__ice_meta_print(m, &b, &err), &err);
            buf_clear(&b);
        }
        frz__ice_meta_release(m);
        frz__arena_clear(&ar);
    }
    free(copy);
    free((void *)(uintptr_t)json.data);
}

TEST(ice_meta, refuses_deep_nesting)
{
    frz_error err = {0};
    struct arena ar = ARENA_INIT(NULL);
    struct ice_meta *m = NULL;
    size_t n = 1000000;
    char *deep = (char *)malloc(n);
    memset(deep, '[', n);
    FAILS(parse(&ar, slice_of(deep, n), &m, &err), FRZ_CORRUPT, &err);
    for (size_t i = 0; i + 4 < n; i += 5) memcpy(deep + i, "{\"a\":", 5);
    FAILS(parse(&ar, slice_of(deep, n), &m, &err), FRZ_CORRUPT, &err);
    free(deep);
    frz__arena_clear(&ar);
}

TEST(ice_meta, gives_back_all_memory_when_any_allocation_fails)
{
    static const char *const files[] = {"java_v3.json", "plain_v2.json"};
    for (int f = 0; f < 2; f++) {
        slice json = kit_golden(files[f]);
        for (long n = 1;; n++) {
            struct test_alloc t;
            frz_error err = {0};
            test_alloc_init(&t, n);
            struct arena ar = ARENA_INIT(&t.vt);
            struct ice_meta *m = NULL;
            int rc = frz__ice_meta_parse(&t.vt, &ar, json, &m, &err);
            frz__ice_meta_release(m);
            frz__arena_clear(&ar);
            assert_int_equal(t.live, 0);
            if (rc >= 0) break;
            RC(rc, FRZ_NO_MEMORY, &err);
        }
        free((void *)(uintptr_t)json.data);
    }
}
