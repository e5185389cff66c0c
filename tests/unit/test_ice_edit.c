/* Goal: every commit's metadata is true and legal. Method: hand-computed small cases, and a seeded sequence of edits against a model; all is read back from bytes after each commit. */
#include "ice_kit.h"

/* ── create ── */

TEST(ice_create, makes_the_golden_first_metadata)
{
    for (int v = 2; v <= 3; v++) {
        struct kit k;
        kit_init(&k, v, NULL, 0);
        slice want = kit_golden(v == 2 ? "create_v2.json" : "create_v3.json");
        assert_string_equal((const char *)k.last.metadata_json.data, (const char *)want.data);
        assert_int_equal(k.last.tree.count, 0);
        assert_int_equal(k.meta->current_snapshot_id, -1);
        assert_int_equal(k.meta->ref_count, 0);
        free((void *)(uintptr_t)want.data);
        kit_clear(&k);
    }
}

TEST(ice_create, sets_defaults_under_given_properties_and_refuses_reserved_ones)
{
    struct kit k;
    struct ice_kv given[] = {{S("frazil.snapshots-max"), S("5")}, {S("zz"), S("")}, {S("gc.enabled"), slice_of(NULL, 0)}};
    kit_init(&k, 2, given, 3);
    assert_true(is(frz__ice_property(k.meta, "frazil.snapshots-max"), "5"));
    assert_true(is(frz__ice_property(k.meta, "zz"), ""));
    assert_non_null(frz__ice_property(k.meta, "zz").data);
    assert_null(frz__ice_property(k.meta, "gc.enabled").data);
    assert_true(is(frz__ice_property(k.meta, "write.metadata.metrics.column.id"), "full"));
    assert_null(frz__ice_property(k.meta, "write.metadata.metrics.column.name").data);
    struct arena ar = ARENA_INIT(NULL);
    struct ice_result r;
    static const char *const bad[][2] = {{"format-version", "3"}, {"uuid", "x"}, {"current-schema", "{}"}, {"write.metadata.path", "file:///x"}, {"write.metadata.compression-codec", "gzip"},
                                         {"frazil.flushed", "x:1"}, {"frazil.snapshots-max", "0"}, {"history.expire.max-snapshot-age-ms", "1d"}, {"gc.enabled", "yes"}, {"", "x"}, {"a\xff", "x"},
                                         {"a", "\xc3"}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) {
        struct ice_kv kv = {S(bad[i][0]), S(bad[i][1])};
        FAILS(frz__ice_create(NULL, &ar, k.schema, 2, S(KIT_LOCATION), &kv, 1, 1, KIT_UUID, &r, &k.err), FRZ_INVALID, &k.err);
    }
    static const char *const places[] = {"/w/t", "file:/w/t", "file:///w/t/", "file:///", "s3://b/t", ""};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(places); i++)
        FAILS(frz__ice_create(NULL, &ar, k.schema, 2, S(places[i]), NULL, 0, 1, KIT_UUID, &r, &k.err), FRZ_INVALID, &k.err);
    FAILS(frz__ice_create(NULL, &ar, k.schema, 4, S(KIT_LOCATION), NULL, 0, 1, KIT_UUID, &r, &k.err), FRZ_INVALID, &k.err);
    FAILS(frz__ice_create(NULL, &ar, k.schema, 2, S(KIT_LOCATION), NULL, 0, 1, "9c12d441-03fe-4693-9a96-a0705ddf69cx", &r, &k.err), FRZ_INVALID, &k.err);
    frz__arena_clear(&ar);
    kit_clear(&k);
}

/* ── small cases by hand ── */

TEST(ice_apply, appends_to_an_empty_table)
{
    struct kit k;
    kit_init(&k, 2, NULL, 0);
    struct ice_col_stats stats[] = {{1, 40, 3, 0, -1, slice_of("\1\0\0\0\0\0\0\0", 8), slice_of("\3\0\0\0\0\0\0\0", 8)}, {2, -1, 3, 1, -1, {NULL, 0}, {NULL, 0}}};
    int64_t splits[] = {4, 1000};
    struct ice_file f = kit_data(KIT_LOCATION "/data/a.parquet", 3, 700);
    f.stats = stats, f.stats_count = 2, f.split_offsets = splits, f.split_count = 2;
    struct ice_kv note = {S("frazil.note"), S("hi")};
    OK(kit_apply(&k, EDIT(.added = &f, .added_count = 1, .summary = &note, .summary_count = 1)), &k.err);
    const struct ice_snapshot *s = kit_now(&k);
    assert_int_equal(s->id, 100);
    assert_int_equal(s->parent_id, 0);
    assert_int_equal(s->sequence_number, 1);
    assert_int_equal(s->schema_id, 0);
    assert_int_equal(s->first_row_id, -1);
    assert_true(is(s->operation, "append"));
    assert_true(is(s->manifest_list, KIT_LOCATION "/metadata/snap-100-t100.avro"));
    assert_true(is(k.tree.manifests[0].path, KIT_LOCATION "/metadata/frz-t100-m0.avro"));
    static const struct { const char *key; const char *value; } want[] = {
        {"added-data-files", "1"}, {"added-records", "3"}, {"added-files-size", "700"}, {"changed-partition-count", "1"}, {"total-records", "3"}, {"total-files-size", "700"}, {"total-data-files", "1"},
        {"total-delete-files", "0"}, {"total-position-deletes", "0"}, {"total-equality-deletes", "0"}, {"manifests-created", "1"}, {"manifests-kept", "0"}, {"manifests-replaced", "0"},
        {"engine-name", "frazil"}, {"frazil.note", "hi"}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(want); i++) assert_true(is(frz__ice_summary(s, want[i].key), want[i].value));
    assert_null(frz__ice_summary(s, "deleted-data-files").data);
    assert_true(is(frz__ice_summary(s, "engine-version"), frz_version()));
    assert_int_equal(k.meta->ref_count, 1);
    assert_int_equal(k.meta->refs[0].snapshot_id, 100);
    assert_int_equal(k.meta->snapshot_log_count, 1);
    assert_int_equal(k.meta->metadata_log_count, 1);
    assert_true(is(k.meta->metadata_log[0].file, KIT_LOCATION "/metadata/v1.metadata.json"));
    const struct ice_entry *e = kit_live(&k.tree, KIT_LOCATION "/data/a.parquet", NULL);
    assert_int_equal(e->file.stats_count, 2);
    assert_int_equal(e->file.split_offsets[1], 1000);
    struct ice_kv twice = {S("total-records"), S("9")};
    FAILS(kit_apply(&k, EDIT(.summary = &twice, .summary_count = 1)), FRZ_INVALID, &k.err);
    kit_clear(&k);
}

TEST(ice_apply, names_the_operation_by_what_happened)
{
    struct kit k;
    kit_init(&k, 2, NULL, 0);
#define OPERATION(want, ...)                                                                                                               \
    do {                                                                                                                                   \
        OK(kit_apply(&k, EDIT(__VA_ARGS__)), &k.err);                                                                                      \
        assert_string_equal((const char *)kit_now(&k)->operation.data, want);                                                              \
    } while (0)
    OPERATION("append", .added = NULL); /* nothing: an empty snapshot, as a schema change has */
    OPERATION("append", ADD(kit_data("a", 3, 9), kit_data("b", 3, 9)));
    OPERATION("delete", ADD(kit_posdel("p", "a", 1, 5)));
    OPERATION("overwrite", ADD(kit_data("c", 1, 9), kit_posdel("q", "b", 1, 5)));
    OPERATION("overwrite", ADD(kit_data("d", 1, 9)), REMOVE(S("c")));
    OPERATION("delete", REMOVE(S("d")));
    OPERATION("overwrite", REMOVE(S("q"))); /* a deleted row comes back */
    OPERATION("replace", ADD(kit_data("e", 5, 9)), REMOVE(S("a"), S("b")), .replace = true);
    assert_int_equal(kit_sum(kit_now(&k), "removed-position-delete-files"), 1); /* p went with a, for which alone it was */
    assert_int_equal(kit_sum(kit_now(&k), "total-delete-files"), 0);
    assert_int_equal(kit_sum(kit_now(&k), "total-records"), 5);
    kit_clear(&k);
}

TEST(ice_apply, gives_row_ids_as_java_does)
{
    struct kit k;
    const struct ice_manifest *m = NULL;
    kit_init(&k, 3, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("a", 3, 9), kit_data("b", 5, 9)))), &k.err);
    assert_int_equal(kit_now(&k)->first_row_id, 0);
    assert_int_equal(kit_now(&k)->added_rows, 8);
    assert_int_equal(k.meta->next_row_id, 8);
    assert_int_equal(kit_live(&k.tree, "a", NULL)->file.first_row_id, 0);
    assert_int_equal(kit_live(&k.tree, "b", NULL)->file.first_row_id, 3);
    /* b is rewritten as EXISTING with its own id; the manifest takes 8, and 5 + 2 ids with it; c inherits its first */
    OK(kit_apply(&k, EDIT(ADD(kit_data("c", 2, 9)), REMOVE(S("a")))), &k.err);
    assert_int_equal(kit_now(&k)->first_row_id, 8);
    assert_int_equal(kit_now(&k)->added_rows, 7);
    assert_int_equal(k.meta->next_row_id, 15);
    const struct ice_entry *b = kit_live(&k.tree, "b", &m);
    assert_int_equal(b->status, ICE_EXISTING);
    assert_int_equal(b->snapshot_id, 100);
    assert_int_equal(b->sequence_number, 1);
    assert_int_equal(b->file.first_row_id, 3);
    assert_int_equal(m->first_row_id, 8);
    assert_int_equal(m->deleted_files, 1);
    assert_int_equal(m->min_sequence_number, 1);
    assert_int_equal(kit_live(&k.tree, "c", NULL)->file.first_row_id, 8);
    /* a vector only: no ids, but the snapshot says from where */
    OK(kit_apply(&k, EDIT(ADD(kit_dv("x.puffin", "b", 2, 4, 50)))), &k.err);
    assert_int_equal(kit_now(&k)->first_row_id, 15);
    assert_int_equal(kit_now(&k)->added_rows, 0);
    assert_int_equal(k.meta->next_row_id, 15);
    assert_int_equal(k.tree.manifests[1].content, 1);
    assert_int_equal(k.tree.manifests[1].first_row_id, -1);
    /* replaced: old one DELETED, new one ADDED, in one manifest */
    OK(kit_apply(&k, EDIT(ADD(kit_dv("y.puffin", "b", 3, 4, 60)), REMOVE_DV(S("b")))), &k.err);
    assert_int_equal(kit_sum(kit_now(&k), "added-dvs"), 1);
    assert_int_equal(kit_sum(kit_now(&k), "removed-dvs"), 1);
    assert_int_equal(kit_sum(kit_now(&k), "added-position-deletes"), 3);
    assert_int_equal(kit_sum(kit_now(&k), "removed-position-deletes"), 2);
    assert_int_equal(kit_sum(kit_now(&k), "total-position-deletes"), 3);
    assert_int_equal(kit_sum(kit_now(&k), "total-files-size"), 9 + 9 + 60);
    assert_int_equal(kit_sum(kit_now(&k), "added-position-delete-files"), -1);
    assert_true(is(kit_now(&k)->operation, "delete"));
    /* the data file goes, and its vector with it */
    OK(kit_apply(&k, EDIT(REMOVE(S("b")))), &k.err);
    assert_int_equal(kit_sum(kit_now(&k), "removed-dvs"), 1);
    assert_int_equal(kit_sum(kit_now(&k), "deleted-records"), 5);
    assert_int_equal(kit_sum(kit_now(&k), "total-delete-files"), 0);
    /* manifests without live entries are gone at the next commit */
    OK(kit_apply(&k, EDIT(ADD(kit_data("d", 1, 1)))), &k.err);
    for (size_t i = 0; i < k.tree.count; i++) assert_true(k.tree.manifests[i].added_files + k.tree.manifests[i].existing_files > 0);
    kit_clear(&k);
}

TEST(ice_apply, gives_row_ids_to_what_was_there_before_an_upgrade)
{
    struct kit k;
    kit_init(&k, 2, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("a", 3, 9), kit_data("b", 5, 9)))), &k.err);
    OK(kit_apply(&k, EDIT(ADD(kit_data("c", 2, 9), kit_posdel("p", "a", 1, 9)))), &k.err);
    k.meta->format_version = 3; /* as Spark's ALTER TABLE leaves it */
    k.meta->next_row_id = 0;
    OK(kit_apply(&k, EDIT(ADD(kit_data("d", 4, 9)), REMOVE(S("c")))), &k.err);
    assert_int_equal(kit_live(&k.tree, "a", NULL)->file.first_row_id, 0);
    assert_int_equal(kit_live(&k.tree, "b", NULL)->file.first_row_id, 3);
    assert_int_equal(kit_live(&k.tree, "d", NULL)->file.first_row_id, 8);
    assert_int_equal(kit_now(&k)->first_row_id, 0);
    assert_int_equal(kit_now(&k)->added_rows, 12);
    assert_int_equal(k.meta->next_row_id, 12);
    assert_non_null(kit_live(&k.tree, "p", NULL)); /* v2's delete file lives on */
    OK(kit_apply(&k, EDIT(ADD(kit_dv("v.puffin", "b", 1, 4, 40)))), &k.err);
    assert_int_equal(kit_live(&k.tree, "a", NULL)->file.first_row_id, 0);
    FAILS(kit_apply(&k, EDIT(ADD(kit_posdel("r", "b", 1, 9)))), FRZ_INVALID, &k.err);
    kit_clear(&k);
}

/* ── hazards ── */

TEST(ice_apply, hazard_08_flushed_is_a_property_merged_as_the_maximum_of_one_log)
{
    static const struct { const char *base; const char *log; uint64_t seq; const char *want; } rows[] = {
        {NULL, "aaaa", 7, "aaaa:7"},
        {"aaaa:5", "aaaa", 7, "aaaa:7"},
        {"aaaa:9", "aaaa", 7, "aaaa:9"},
        {"bbbb:900", "aaaa", 7, "aaaa:7"},
        {"aaaa:18446744073709551615", "aaaa", 7, "aaaa:18446744073709551615"},
        {"aaaa:18446744073709551616", "aaaa", 7, "aaaa:7"},
        {"aaaa:", "aaaa", 7, "aaaa:7"},
        {"aaaa:9x", "aaaa", 7, "aaaa:7"},
        {"aaaaa:9", "aaaa", 7, "aaaa:7"},
    };
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        struct kit k;
        kit_init(&k, 2, NULL, 0);
        if (rows[i].base) {
            struct ice_kv *kv = (struct ice_kv *)arena_alloc(&k.ar, (k.meta->property_count + 1) * sizeof *kv, 8);
            kv[0] = (struct ice_kv){S("frazil.flushed"), S(rows[i].base)}; /* sorts before all the defaults but frazil.snapshots-max */
            memcpy(kv + 1, k.meta->properties, k.meta->property_count * sizeof *kv);
            k.meta->properties = kv;
            k.meta->property_count++;
        }
        OK(kit_apply(&k, EDIT(ADD(kit_data("a", 1, 9)), .flushed_log = rows[i].log, .flushed_seq = rows[i].seq)), &k.err);
        assert_string_equal((const char *)frz__ice_property(k.meta, "frazil.flushed").data, rows[i].want);
        OK(kit_apply(&k, EDIT(.added = NULL)), &k.err); /* others' commits leave it */
        assert_string_equal((const char *)frz__ice_property(k.meta, "frazil.flushed").data, rows[i].want);
        kit_clear(&k);
    }
}

TEST(ice_apply, hazard_17_compaction_output_keeps_the_sequence_of_its_base)
{
    for (int v = 2; v <= 3; v++) {
        struct kit k;
        const struct ice_manifest *m = NULL;
        kit_init(&k, v, NULL, 0);
        for (int i = 0; i < 4; i++) {
            char name[2] = {(char)('a' + i), 0};
            OK(kit_apply(&k, EDIT(ADD(kit_data(name, 1, 9)))), &k.err);
        }
        OK(kit_apply(&k, EDIT(ADD(kit_data("z", 2, 9)), REMOVE(S("a"), S("b")), .replace = true, .data_sequence_number = 2)), &k.err);
        const struct ice_entry *z = kit_live(&k.tree, "z", &m);
        assert_int_equal(z->sequence_number, 2);
        assert_int_equal(z->file_sequence_number, 5);
        assert_int_equal(m->min_sequence_number, 2);
        assert_true(is(kit_now(&k)->operation, "replace"));
        FAILS(kit_apply(&k, EDIT(ADD(kit_data("y", 2, 9)), .data_sequence_number = 7)), FRZ_INVALID, &k.err);
        kit_clear(&k);
    }
}

TEST(ice_apply, hazard_27_merged_manifests_keep_sequences_snapshots_and_row_ids)
{
    struct kit k;
    struct ice_kv many[] = {{S("frazil.snapshots-max"), S("1000")}};
    int64_t first[100];
    kit_init(&k, 3, many, 1);
    k.manifests_max = 4;
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        OK(kit_apply(&k, EDIT(ADD(kit_data(name, i + 1, 9)))), &k.err);
        assert_true(k.tree.count <= 4);
        first[i] = kit_live(&k.tree, name, NULL)->file.first_row_id;
        for (int j = 0; j <= i; j++) {
            snprintf(name, sizeof name, "f%d", j);
            const struct ice_entry *e = kit_live(&k.tree, name, NULL);
            assert_int_equal(e->file.first_row_id, first[j]);
            assert_int_equal(e->sequence_number, j + 1);
            assert_int_equal(e->file_sequence_number, j + 1);
            assert_int_equal(e->snapshot_id, 100 + j);
        }
        assert_int_equal(kit_sum(kit_now(&k), "manifests-created") + kit_sum(kit_now(&k), "manifests-kept"), (int64_t)k.tree.count);
    }
    k.manifests_max = 1;
    OK(kit_apply(&k, EDIT(ADD(kit_data("last", 1, 9)))), &k.err);
    assert_int_equal(k.tree.count, 1);
    kit_clear(&k);
}

TEST(ice_apply, manifests_are_merged_as_icebergs_properties_say)
{
    static const struct { const char *key, *value; size_t most, least; } cases[] = {
        {"commit.manifest.min-count-to-merge", "5", 5, 2}, {"commit.manifest.min-count-to-merge", "100000", 100, 50}, {"commit.manifest.min-count-to-merge", "nonsense", 32, 16},
        {"commit.manifest-merge.enabled", "false", 120, 120}, {"commit.manifest.target-size-bytes", "1", 120, 120}, {"commit.manifest.target-size-bytes", "8388608", 32, 16}};
    for (size_t c = 0; c < FRZ_ARRAY_LEN(cases); c++) {
        struct kit k;
        size_t most = 0;
        struct ice_kv props[] = {{S("frazil.snapshots-max"), S("4")}, {S(cases[c].key), S(cases[c].value)}};
        kit_init(&k, 2 + c % 2, props, 2);
        for (int i = 0; i < 120; i++) {
            char name[16];
            snprintf(name, sizeof name, "f%d", i);
            OK(kit_apply(&k, EDIT(ADD(kit_data(name, 1, 9)))), &k.err);
            if (k.tree.count > most) most = k.tree.count;
        }
        if (most != cases[c].most || k.tree.count < cases[c].least) fail_msg("%s = %s: at most %zu, at the end %zu", cases[c].key, cases[c].value, most, k.tree.count);
        OK(frz__ice_tree_check(NULL, k.meta, &k.tree, &k.err), &k.err);
        kit_clear(&k);
    }
}

/* One of more entries than a publish rewrites in passing is left as it is; delete manifests are counted by themselves. */
TEST(ice_apply, a_large_manifest_is_not_rewritten_on_the_way_of_a_publish)
{
    struct kit k;
    enum { MANY = 5000 };
    static struct ice_file files[MANY];
    static char names[MANY][16];
    kit_init(&k, 2, NULL, 0);
    k.manifests_max = 4;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "big%d", i);
        files[i] = kit_data(names[i], 1, 9);
    }
    struct ice_edit e = {.added = files, .added_count = MANY};
    OK(kit_apply(&k, &e), &k.err);
    char first[200];
    snprintf(first, sizeof first, "%.*s", (int)k.tree.manifests[0].path.len, (const char *)k.tree.manifests[0].path.data);
    for (int i = 0; i < 40; i++) {
        char name[16], deletes_name[16];
        snprintf(name, sizeof name, "f%d", i);
        snprintf(deletes_name, sizeof deletes_name, "p%d", i);
        OK(kit_apply(&k, EDIT(ADD(kit_data(name, 1, 9), kit_posdel(deletes_name, name, 1, 9)))), &k.err);
        bool same = false;
        size_t data = 0, deletes = 0;
        for (size_t m = 0; m < k.tree.count; m++) {
            same |= is(k.tree.manifests[m].path, first);
            *(k.tree.manifests[m].content ? &deletes : &data) += 1;
        }
        assert_true(same && data <= 5 && deletes <= 5);
    }
    OK(frz__ice_tree_check(NULL, k.meta, &k.tree, &k.err), &k.err);
    kit_clear(&k);
}

TEST(ice_apply, old_schemas_go_when_they_are_large_and_no_snapshot_was_written_with_them)
{
    struct kit k;
    struct ice_kv few[] = {{S("frazil.snapshots-max"), S("2")}};
    int32_t last = 2;
    kit_init(&k, 2, few, 1);
    for (int i = 1; i <= 60; i++) {
        char text[1200], name[16];
        frz_schema *s = NULL;
        size_t n = (size_t)snprintf(text, sizeof text, "id long, name string?");
        for (int c = 0; c < 10; c++) n += (size_t)snprintf(text + n, sizeof text - n, ", a_column_of_a_long_name_%d long?", c);
        OK(frz__schema_parse_text(NULL, S(text), S("id"), &s, &k.err), &k.err);
        s->schema_id = i;
        OK(frz__schema_seal(s, true, &k.err), &k.err);
        if (s->last_column_id > last) last = s->last_column_id;
        s->last_column_id = last;
        OK(kit_apply(&k, EDIT(.schema = s)), &k.err);
        frz__schema_release(s);
        snprintf(name, sizeof name, "s%d", i);
        OK(kit_apply(&k, EDIT(ADD(kit_data(name, 1, 9)))), &k.err);
        size_t bytes = 0;
        bool current = false;
        for (size_t j = 0; j < k.meta->schema_count; j++) {
            bytes += k.meta->schema_json[j].len;
            current |= k.meta->schema_ids[j] == i;
        }
        assert_true(current && bytes < 16384 + 4096);
        for (size_t j = 0; j < k.meta->snapshot_count; j++) { /* each retained snapshot's is there */
            bool has = false;
            for (size_t x = 0; x < k.meta->schema_count; x++) has |= k.meta->schema_ids[x] == k.meta->snapshots[j].schema_id;
            assert_true(has);
        }
    }
    assert_true(k.meta->schema_count < 40);
    kit_clear(&k);
}

/* ── conflicts ── */

TEST(ice_apply, refuses_what_is_not_live_in_the_base)
{
    struct kit k;
    kit_init(&k, 3, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("a", 3, 9), kit_data("b", 3, 9)))), &k.err);
    OK(kit_apply(&k, EDIT(ADD(kit_dv("v", "a", 1, 4, 40)))), &k.err);
#define CONFLICT(text, ...)                                                                                                                \
    do {                                                                                                                                   \
        FAILS(kit_apply(&k, EDIT(__VA_ARGS__)), FRZ_CONFLICT, &k.err);                                                                     \
        MESSAGE_HAS(&k.err, text);                                                                                                         \
    } while (0)
    CONFLICT("nope", REMOVE(S("nope")));
    CONFLICT("nope", REMOVE(S("a"), S("nope")));
    CONFLICT("b has no deletion vector", REMOVE_DV(S("b")));
    CONFLICT("nope has no deletion vector", REMOVE_DV(S("nope")));
    CONFLICT("a has a deletion vector", ADD(kit_dv("w", "a", 2, 4, 40)));
    CONFLICT("gone", ADD(kit_dv("w", "gone", 2, 4, 40)));
    CONFLICT("b is not live", ADD(kit_dv("w", "b", 2, 4, 40)), REMOVE(S("b")));
    CONFLICT("a is live already", ADD(kit_data("a", 2, 4)));
    CONFLICT("a is live already", ADD(kit_data("a", 2, 4)), REMOVE(S("a")));
    CONFLICT("v is not live", REMOVE(S("v"))); /* vectors go by their data file */
#define INVALID(...) FAILS(kit_apply(&k, EDIT(__VA_ARGS__)), FRZ_INVALID, &k.err)
    INVALID(ADD(kit_data("c", 2, 4), kit_data("c", 2, 4)));
    INVALID(ADD(kit_dv("w", "b", 2, 4, 40), kit_dv("w", "b", 2, 44, 40)));
    INVALID(ADD(kit_dv("w", "b", 0, 4, 40)));
    INVALID(ADD(kit_dv("w", "b", 1, -1, 40)));
    INVALID(ADD(kit_data("c", -1, 4)));
    INVALID(ADD(kit_data("c", 1, 0)));
    INVALID(ADD(kit_data("", 1, 1)));
    INVALID(REMOVE(slice_of(NULL, 0)));
    INVALID(ADD(kit_data("c", 1, 1)), .no_snapshot = true);
    struct ice_file eq = kit_data("e", 1, 1);
    eq.content = ICE_EQUALITY_DELETES;
    INVALID(.added = &eq, .added_count = 1);
    /* a vector for what the same commit adds, two vectors in one file, removal named twice: fine */
    OK(kit_apply(&k, EDIT(ADD(kit_data("c", 2, 4), kit_dv("w", "c", 1, 4, 40), kit_dv("w", "b", 1, 44, 40)))), &k.err);
    OK(kit_apply(&k, EDIT(REMOVE(S("a"), S("a")), REMOVE_DV(S("a")))), &k.err);
    assert_int_equal(kit_sum(kit_now(&k), "deleted-data-files"), 1);
    assert_int_equal(kit_sum(kit_now(&k), "removed-dvs"), 1);
    k.next_id = 100; /* an id that is there */
    INVALID(.added = NULL);
    kit_clear(&k);
}

TEST(ice_apply, refuses_position_deletes_for_files_that_went)
{
    struct kit k;
    kit_init(&k, 2, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("a", 3, 9), kit_data("b", 3, 9)))), &k.err);
    CONFLICT("c is not live", ADD(kit_posdel("p", "c", 1, 9)));
    INVALID(ADD(kit_dv("w", "a", 2, 4, 40)));
    OK(kit_apply(&k, EDIT(ADD(kit_posdel("p", NULL, 2, 9), kit_posdel("q", "a", 1, 9), kit_posdel("r", "a", 1, 9)))), &k.err);
    OK(kit_apply(&k, EDIT(REMOVE(S("q"), S("r")), ADD(kit_posdel("s", "a", 2, 9)))), &k.err);
    assert_int_equal(kit_sum(kit_now(&k), "total-position-deletes"), 4);
    assert_int_equal(kit_sum(kit_now(&k), "removed-position-delete-files"), 2);
    CONFLICT("q is not live", REMOVE(S("q")));
    OK(kit_apply(&k, EDIT(REMOVE(S("a"), S("s")))), &k.err);
    assert_non_null(kit_live(&k.tree, "p", NULL)); /* for more than one file: the engine counts its targets */
    kit_clear(&k);
}

TEST(ice_apply, does_not_write_partitioned_tables)
{
    struct kit k;
    kit_init(&k, 2, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("a", 3, 9), kit_data("b", 3, 9)))), &k.err);
    k.meta->partitioned = true;
    FAILS(kit_apply(&k, EDIT(ADD(kit_data("c", 3, 9)))), FRZ_UNSUPPORTED, &k.err);
    FAILS(kit_apply(&k, EDIT(REMOVE(S("a")))), FRZ_UNSUPPORTED, &k.err);
    k.meta->partitioned = false;
    k.tree.manifests[0].spec_id = 7; /* files of an older spec are carried, and not touched */
    FAILS(kit_apply(&k, EDIT(REMOVE(S("a")))), FRZ_UNSUPPORTED, &k.err);
    FAILS(kit_apply(&k, EDIT(ADD(kit_posdel("p", "a", 1, 9)))), FRZ_UNSUPPORTED, &k.err);
    k.manifests_max = 1;
    OK(kit_apply(&k, EDIT(ADD(kit_data("c", 3, 9)))), &k.err);
    assert_int_equal(k.tree.count, 2);
    assert_int_equal(k.tree.manifests[0].spec_id, 7);
    kit_clear(&k);
}

/* ── time, logs, refs, properties, schema ── */

TEST(ice_apply, never_goes_back_in_time)
{
    struct kit k;
    kit_init(&k, 2, NULL, 0);
    static const int64_t clock[] = {2000000, 1500000, -5, 2000001, 0};
    static const int64_t want[] = {2000000, 2000000, 2000000, 2000001, 2000001};
    for (int i = 0; i < 5; i++) {
        k.now_ms = clock[i];
        OK(kit_apply(&k, EDIT(.no_snapshot = i == 4)), &k.err);
        assert_int_equal(k.meta->last_updated_ms, want[i]);
        if (i < 4) assert_int_equal(kit_now(&k)->timestamp_ms, want[i]);
    }
    for (size_t i = 1; i < k.meta->metadata_log_count; i++) assert_true(k.meta->metadata_log[i].timestamp_ms >= k.meta->metadata_log[i - 1].timestamp_ms);
    k.meta->snapshot_log[k.meta->snapshot_log_count - 1].timestamp_ms = 3000000; /* somebody's clock ran ahead */
    OK(kit_apply(&k, EDIT(.added = NULL)), &k.err);
    assert_int_equal(k.meta->last_updated_ms, 3000000);
    kit_clear(&k);
}

TEST(ice_apply, trims_the_metadata_log_and_names_what_may_go)
{
    struct kit k;
    struct ice_kv given[] = {{S("write.metadata.previous-versions-max"), S("3")}};
    kit_init(&k, 2, given, 1);
    for (int i = 0; i < 6; i++) {
        OK(kit_apply(&k, EDIT(.no_snapshot = true)), &k.err);
        assert_int_equal(k.meta->metadata_log_count, i < 3 ? i + 1 : 3);
        assert_int_equal(k.last.expired_metadata_count, i < 3 ? 0 : 1);
        if (i == 3) assert_true(is(k.last.expired_metadata[0], "metadata/v1.metadata.json"));
    }
    assert_true(is(k.meta->metadata_log[0].file, KIT_LOCATION "/metadata/v4.metadata.json"));
    assert_true(is(k.meta->metadata_log[2].file, KIT_LOCATION "/metadata/v6.metadata.json"));
    static const char *const elsewhere[] = {"file:///other/metadata/v9.metadata.json", KIT_LOCATION "/metadata/../x.metadata.json", KIT_LOCATION "/data/x.metadata.json", KIT_LOCATION "/metadata/x",
                                            KIT_LOCATION "/metadata/.metadata.json", KIT_LOCATION "/metadata/v6.metadata.json"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(elsewhere); i++) {
        k.meta->metadata_log[0].file = S(elsewhere[i]);
        OK(kit_apply(&k, EDIT(.no_snapshot = true)), &k.err);
        assert_int_equal(k.last.expired_metadata_count, i == 5 ? 1 : 0); /* by then v6 is no longer in what is kept */
    }
    OK(kit_apply(&k, EDIT(.no_snapshot = true, SET({S("write.metadata.delete-after-commit.enabled"), S("false")}))), &k.err);
    assert_int_equal(k.last.expired_metadata_count, 0);
    assert_int_equal(k.meta->metadata_log_count, 3);
    kit_clear(&k);
}

TEST(ice_apply, sets_unsets_and_keeps_properties)
{
    struct kit k;
    kit_init(&k, 2, NULL, 0);
    size_t n = k.meta->property_count;
    OK(kit_apply(&k, EDIT(.no_snapshot = true, SET({S("b"), S("1")}, {S("a"), S("2")}, {S("b"), S("3")}, {S("gc.enabled"), slice_of(NULL, 0)}, {S("never"), slice_of(NULL, 0)}))), &k.err);
    assert_int_equal(k.meta->property_count, n + 1);
    assert_true(is(frz__ice_property(k.meta, "b"), "3"));
    assert_true(is(frz__ice_property(k.meta, "a"), "2"));
    assert_null(frz__ice_property(k.meta, "gc.enabled").data);
    assert_int_equal(k.meta->last_sequence_number, 0);
    assert_int_equal(k.meta->current_snapshot_id, -1);
    FAILS(kit_apply(&k, EDIT(.no_snapshot = true, SET({S("snapshot-count"), S("3")}))), FRZ_INVALID, &k.err);
    OK(kit_apply(&k, EDIT(ADD(kit_data("x", 1, 1)), SET({S("a"), S("\xc3\xa4\n\"")}))), &k.err);
    assert_true(is(frz__ice_property(k.meta, "a"), "\xc3\xa4\n\""));
    /* a tree without snapshot of its own stays */
    OK(kit_apply(&k, EDIT(.no_snapshot = true)), &k.err);
    assert_int_equal(k.last.file_count, 0);
    assert_int_equal(k.tree.count, 1);
    assert_int_equal(k.meta->last_sequence_number, 1);
    kit_clear(&k);
}

TEST(ice_apply, changes_the_schema_with_a_snapshot_that_carries_it)
{
    struct kit k;
    frz_schema *next = NULL;
    kit_init(&k, 2, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("x", 1, 1)))), &k.err);
    OK(frz__schema_parse_text(NULL, S("id long, name string?, more int?"), S("id"), &next, &k.err), &k.err);
    OK(frz__schema_seal(next, true, &k.err), &k.err);
    next->schema_id = 1;
    OK(kit_apply(&k, EDIT(.schema = next)), &k.err);
    assert_int_equal(k.meta->schema_count, 2);
    assert_int_equal(k.meta->current_schema_id, 1);
    assert_int_equal(k.meta->last_column_id, 3);
    assert_int_equal(kit_now(&k)->schema_id, 1);
    assert_int_equal(k.meta->snapshots[0].schema_id, 0);
    assert_int_equal(frz__ice_schema(k.meta, 1)->count, 3);
    assert_true(is(kit_now(&k)->operation, "append"));
    FAILS(kit_apply(&k, EDIT(.schema = next)), FRZ_CONFLICT, &k.err); /* again, after a lost race */
    k.schema->schema_id = 2; /* made from a base without the third column */
    FAILS(kit_apply(&k, EDIT(.schema = k.schema)), FRZ_CONFLICT, &k.err);
    k.schema->schema_id = 0; /* back to the first, which has its id already */
    k.schema->last_column_id = 3;
    OK(kit_apply(&k, EDIT(.schema = k.schema)), &k.err);
    assert_int_equal(k.meta->schema_count, 2);
    assert_int_equal(k.meta->current_schema_id, 0);
    assert_int_equal(k.meta->last_column_id, 3);
    assert_int_equal(kit_now(&k)->schema_id, 0);
    next->schema_id = 0; /* an id that another schema has */
    FAILS(kit_apply(&k, EDIT(.schema = next)), FRZ_CONFLICT, &k.err);
    frz__schema_release(next);
    kit_clear(&k);
}

/* ── against a model ── */

struct model_file { char path[32]; int64_t rows, bytes, seq, first_row_id; int64_t dv_rows, dv_bytes; char pos[3][32]; int64_t pos_rows[3]; int pos_count; };
struct model { struct model_file f[400]; int count; int64_t made; };

/* Every figure of the summary, from the entries that this snapshot's manifests mark. */
static void recount(const struct kit *k)
{
    const struct ice_snapshot *s = kit_now(k);
    int64_t n[2][8] = {{0}}; /* added, removed: data files, rows, bytes, position files, vectors, delete rows, delete files */
    int64_t created = 0, kept = 0;
    for (size_t i = 0; i < k->tree.count; i++) {
        const struct ice_manifest *m = &k->tree.manifests[i];
        bool own = m->added_snapshot_id == s->id;
        own ? created++ : kept++;
        for (size_t e = 0; own && e < m->entry_count; e++) {
            const struct ice_entry *x = &m->entries[e];
            if (x->status == ICE_EXISTING) continue;
            assert_int_equal(x->snapshot_id, s->id); /* no DELETED of earlier commits in what is rewritten */
            int64_t *c = n[x->status == ICE_DELETED];
            bool dv = is(x->file.format, "PUFFIN");
            if (x->file.content == ICE_DATA) c[0]++, c[1] += x->file.record_count;
            else c[6]++, c[5] += x->file.record_count, c[dv ? 4 : 3]++;
            c[2] += dv ? x->file.content_size : x->file.file_size;
        }
    }
    static const char *const keys[2][7] = {
        {"added-data-files", "added-records", "added-files-size", "added-position-delete-files", "added-dvs", "added-position-deletes", "added-delete-files"},
        {"deleted-data-files", "deleted-records", "removed-files-size", "removed-position-delete-files", "removed-dvs", "removed-position-deletes", "removed-delete-files"}};
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < 7; i++) assert_int_equal(kit_sum(s, keys[way][i]), n[way][i] ? n[way][i] : -1);
    assert_int_equal(kit_sum(s, "manifests-created"), created);
    assert_int_equal(kit_sum(s, "manifests-kept"), kept);
}

static void compare(const struct kit *k, struct model *m)
{
    int64_t rows = 0, bytes = 0, deletes = 0, delete_rows = 0, live = 0;
    for (int i = 0; i < m->count; i++) {
        struct model_file *f = &m->f[i];
        const struct ice_entry *e = kit_live(&k->tree, f->path, NULL);
        assert_non_null(e);
        assert_int_equal(e->file.record_count, f->rows);
        assert_int_equal(e->sequence_number, f->seq);
        if (f->first_row_id == -2) f->first_row_id = e->file.first_row_id;
        assert_int_equal(e->file.first_row_id, f->first_row_id); /* once given, for ever */
        assert_int_equal(f->first_row_id >= 0, k->meta->format_version >= 3);
        rows += f->rows, bytes += f->bytes, live++;
        if (f->dv_rows) deletes++, delete_rows += f->dv_rows, bytes += f->dv_bytes, live++;
        for (int p = 0; p < f->pos_count; p++) {
            assert_non_null(kit_live(&k->tree, f->pos[p], NULL));
            deletes++, delete_rows += f->pos_rows[p], bytes += 50, live++;
        }
    }
    int64_t in_tree = 0;
    for (size_t i = 0; i < k->tree.count; i++) in_tree += k->tree.manifests[i].added_files + k->tree.manifests[i].existing_files;
    assert_int_equal(in_tree, live);
    const struct ice_snapshot *s = kit_now(k);
    assert_int_equal(kit_sum(s, "total-records"), rows);
    assert_int_equal(kit_sum(s, "total-data-files"), m->count);
    assert_int_equal(kit_sum(s, "total-delete-files"), deletes);
    assert_int_equal(kit_sum(s, "total-position-deletes"), delete_rows);
    assert_int_equal(kit_sum(s, "total-files-size"), bytes);
}

static void random_step(struct kit *k, struct model *m, struct rng *r)
{
    struct ice_file added[16];
    slice removed[16], removed_dvs[16];
    struct model next = *m;
    struct ice_edit e = {.added = added, .removed = removed, .removed_dvs = removed_dvs, .replace = rng_below(r, 8) == 0};
    bool v3 = k->meta->format_version >= 3;
    int64_t seq = k->meta->last_sequence_number + 1;
    if (rng_below(r, 6) == 0 && seq > 1) e.data_sequence_number = 1 + (int64_t)rng_below(r, (uint64_t)seq);
    for (uint64_t n = rng_below(r, 3); n-- > 0 && next.count;) { /* data files go */
        int i = (int)rng_below(r, (uint64_t)next.count);
        int at = 0;
        while (strcmp(m->f[at].path, next.f[i].path) != 0) at++;
        removed[e.removed_count++] = S(m->f[at].path);
        next.f[i] = next.f[--next.count];
    }
    for (uint64_t n = rng_below(r, 4); n-- > 0 && next.count;) { /* rows are masked */
        struct model_file *f = &next.f[rng_below(r, (uint64_t)next.count)], *old = m->f;
        while (strcmp(old->path, f->path) != 0) old++;
        if (f->dv_rows != old->dv_rows || f->pos_count != old->pos_count) continue; /* once a commit */
        static char names[16][32];
        char *name = names[e.added_count];
        snprintf(name, 32, "del-%lld", (long long)m->made * 100 + (long long)e.added_count);
        if (v3) {
            if (f->dv_rows) removed_dvs[e.removed_dv_count++] = S(old->path);
            f->dv_rows += 1 + (int64_t)rng_below(r, 5);
            f->dv_bytes = 40 + (int64_t)rng_below(r, 100);
            added[e.added_count++] = kit_dv(name, old->path, f->dv_rows, 4, f->dv_bytes);
        } else {
            int64_t rows = 1 + (int64_t)rng_below(r, 5);
            if (f->pos_count == 3) { /* merged into one */
                for (int p = 0; p < 3; p++) rows += f->pos_rows[p], removed[e.removed_count++] = S(old->pos[p]);
                f->pos_count = 0;
            }
            snprintf(f->pos[f->pos_count], 32, "%s", name);
            f->pos_rows[f->pos_count++] = rows;
            added[e.added_count++] = kit_posdel(name, old->path, rows, 50);
        }
    }
    for (uint64_t n = rng_below(r, 4); n-- > 0 && next.count < 390;) {
        struct model_file *f = &next.f[next.count++];
        *f = (struct model_file){.rows = (int64_t)rng_below(r, 1000), .bytes = 1 + (int64_t)rng_below(r, 9000), .seq = e.data_sequence_number ? e.data_sequence_number : seq, .first_row_id = -2};
        snprintf(f->path, sizeof f->path, "data-%lld", (long long)next.made++);
        added[e.added_count++] = kit_data(f->path, f->rows, f->bytes);
    }
    next.made++;
    if (rng_below(r, 10) == 0) k->now_ms += (int64_t)rng_below(r, 100000);
    OK(kit_apply(k, &e), &k->err);
    *m = next;
    recount(k);
    compare(k, m);
    assert_true(k->meta->snapshot_count <= 32);
}

TEST(ice_apply, holds_against_a_model_over_random_edits)
{
    uint64_t seed = test_seed(20261121);
    for (int v = 2; v <= 3; v++) {
        struct rng r = {seed + (uint64_t)v};
        struct kit k;
        struct model *m = (struct model *)calloc(1, sizeof *m);
        kit_init(&k, v, NULL, 0);
        for (int i = 0; i < 150; i++) {
            k.manifests_max = 1 + rng_below(&r, 12);
            random_step(&k, m, &r);
        }
        free(m);
        kit_clear(&k);
    }
}

/* A manifest too large to fold keeps its own file when it loses an entry. */
TEST(ice_apply, rewrites_a_large_manifest_by_itself)
{
    struct kit k;
    static char names[200][8];
    struct ice_file files[200];
    kit_init(&k, 3, NULL, 0);
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        files[i] = kit_data(names[i], 2, 9);
    }
    OK(kit_apply(&k, EDIT(.added = files, .added_count = 200)), &k.err);
    OK(kit_apply(&k, EDIT(ADD(kit_data("x", 1, 9)), REMOVE(S("n7"), S("n9")))), &k.err);
    assert_int_equal(k.tree.count, 2);
    assert_int_equal(k.tree.manifests[0].existing_files, 198);
    assert_int_equal(k.tree.manifests[0].deleted_files, 2);
    assert_int_equal(k.tree.manifests[1].added_files, 1);
    assert_int_equal(kit_sum(kit_now(&k), "manifests-created"), 2);
    assert_int_equal(kit_sum(kit_now(&k), "manifests-replaced"), 1);
    assert_int_equal(kit_live(&k.tree, "n199", NULL)->file.first_row_id, 398);
    recount(&k);
    kit_clear(&k);
}

/* ── the check itself ── */

TEST(ice_tree_check, finds_each_kind_of_disagreement)
{
    struct kit k;
    kit_init(&k, 3, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("a", 3, 9), kit_data("b", 3, 9)))), &k.err);
    OK(kit_apply(&k, EDIT(ADD(kit_data("c", 4, 9), kit_dv("v", "a", 1, 4, 40), kit_dv("v", "b", 1, 44, 40)))), &k.err);
    struct ice_manifest *m = k.tree.manifests, *d = &m[2];
    assert_int_equal(d->content, 1);
#define BROKEN(text, where, value)                                                                                                         \
    do {                                                                                                                                   \
        __typeof__(where) kept_ = (where);                                                                                                 \
        (where) = (value);                                                                                                                 \
        FAILS(frz__ice_tree_check(NULL, k.meta, &k.tree, &k.err), FRZ_CORRUPT, &k.err);                                                    \
        MESSAGE_HAS(&k.err, text);                                                                                                         \
        (where) = kept_;                                                                                                                   \
        OK(frz__ice_tree_check(NULL, k.meta, &k.tree, &k.err), &k.err);                                                                    \
    } while (0)
    BROKEN("a is live twice", m[0].entries[1].file.path, S("a"));
    BROKEN("two deletion vectors", d->entries[1].file.referenced_data_file, S("a"));
    BROKEN("but is not live", d->entries[1].file.referenced_data_file, S("nobody"));
    BROKEN("share row ids", m[0].entries[1].file.first_row_id, 2);
    BROKEN("next-row-id is 9", k.meta->next_row_id, 9);
    BROKEN("counts", m[0].added_files, 3);
    BROKEN("counts", m[0].added_rows, 7);
    BROKEN("counts", m[0].entries[0].status, ICE_DELETED);
    BROKEN("below the least", m[0].min_sequence_number, 2);
    BROKEN("beyond the table's last", m[0].entries[0].sequence_number, 3);
    BROKEN("of deletes holds it", m[0].content, 1);
    BROKEN("total-files-size", m[0].entries[0].file.file_size, 10);
    BROKEN("total-position-deletes", k.meta->snapshots[1].summary[0].key, S("total-position-deletes"));
    m[0].loaded = false;
    FAILS(frz__ice_tree_check(NULL, k.meta, &k.tree, &k.err), FRZ_MISUSE, &k.err);
    FAILS(kit_apply(&k, EDIT(.added = NULL)), FRZ_MISUSE, &k.err);
    kit_clear(&k);
}

/* ── torture ── */

TEST(ice_apply, gives_back_all_memory_when_any_allocation_fails)
{
    struct kit k;
    long calls = 0;
    kit_init(&k, 3, NULL, 0);
    OK(kit_apply(&k, EDIT(ADD(kit_data("a", 3, 9), kit_data("b", 3, 9)))), &k.err);
    OK(kit_apply(&k, EDIT(ADD(kit_dv("v", "a", 1, 4, 40)))), &k.err);
    for (long n = 1;; n++) {
        struct test_alloc t;
        frz_error err = {0};
        test_alloc_init(&t, n);
        struct arena ar = ARENA_INIT(&t.vt);
        struct ice_result r;
        struct ice_env env = {.now_ms = 5, .snapshot_id = 999, .name_token = "tok", .base_version = 3, .manifests_max = 1};
        int rc = frz__ice_apply(&t.vt, &ar, k.meta, &k.tree, EDIT(ADD(kit_data("c", 1, 1), kit_dv("w", "b", 1, 4, 40)), REMOVE(S("a")), SET({S("p"), S("q")}), .flushed_log = "l", .flushed_seq = 3), &env,
                                &r, &err);
        if (rc >= 0) frz__ice_meta_release(r.meta);
        else RC(rc, FRZ_NO_MEMORY, &err);
        frz__arena_clear(&ar);
        assert_int_equal(t.live, 0);
        if (rc >= 0) break;
        calls = n;
    }
    assert_true(calls > 10);
    for (long n = 1;; n++) {
        struct test_alloc t;
        frz_error err = {0};
        test_alloc_init(&t, n);
        struct arena ar = ARENA_INIT(&t.vt);
        struct ice_result r;
        int rc = frz__ice_create(&t.vt, &ar, k.schema, 2, S(KIT_LOCATION), NULL, 0, 1, KIT_UUID, &r, &err);
        if (rc >= 0) frz__ice_meta_release(r.meta);
        frz__arena_clear(&ar);
        assert_int_equal(t.live, 0);
        if (rc >= 0) break;
        RC(rc, FRZ_NO_MEMORY, &err);
    }
    kit_clear(&k);
}
