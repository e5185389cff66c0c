/* ice_kit.h — a table in memory for tests of iceberg/: applies edits, keeps the files, and reads everything back from bytes after each. */
#ifndef ICE_KIT_H
#define ICE_KIT_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rand.h"
#include "frz_test.h"
#include "iceberg/ice_edit.h"

#define KIT_UUID "9c12d441-03fe-4693-9a96-a0705ddf69c1"
#define KIT_LOCATION "file:///w/main/t"

static inline slice S(const char *s) { return slice_str(s); }
static inline bool is(slice s, const char *text) { return slice_eq(s, S(text)); }

/* The file tests/golden/iceberg/NAME, malloc'd. */
static inline slice kit_golden(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/iceberg/%s", FRZ_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("no %s", path);
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    char *text = (char *)malloc(n + 1);
    rewind(f);
    assert_int_equal(fread(text, 1, n, f), n);
    text[n] = 0;
    fclose(f);
    return slice_of(text, n);
}

struct kit_file { char *path; uint8_t *bytes; size_t len; };
struct kit {
    const allocator *a;
    frz_schema *schema;
    struct arena ar;       /* of what was read back */
    struct ice_meta *meta; /* read back */
    struct ice_tree tree;
    struct kit_file *files;
    size_t file_count, file_cap;
    int64_t version, now_ms, next_id;
    size_t manifests_max;
    struct arena last_ar;
    struct ice_result last; /* of the last apply */
    frz_error err;
};

static inline void kit_store(struct kit *k, slice path, slice bytes)
{
    if (k->file_count == k->file_cap) k->files = (struct kit_file *)realloc(k->files, (k->file_cap = k->file_cap * 2 + 16) * sizeof *k->files);
    struct kit_file *f = &k->files[k->file_count++];
    f->path = strndup((const char *)path.data, path.len);
    f->bytes = (uint8_t *)malloc(bytes.len + 1);
    memcpy(f->bytes, bytes.data, bytes.len);
    f->len = bytes.len;
    for (size_t i = 0; i + 1 < k->file_count; i++) assert_string_not_equal(k->files[i].path, f->path); /* names are never used twice */
}

static inline slice kit_find(struct kit *k, slice uri)
{
    slice prefix = S(KIT_LOCATION "/");
    assert_true(slice_has_prefix(uri, prefix));
    for (size_t i = 0; i < k->file_count; i++)
        if (is(slice_of(uri.data + prefix.len, uri.len - prefix.len), k->files[i].path)) return slice_of(k->files[i].bytes, k->files[i].len);
    fail_msg("no file %.*s", (int)uri.len, (const char *)uri.data);
    return slice_of(NULL, 0);
}

/* Metadata text → k->meta, k->tree, from the stored files alone. */
static inline void kit_load(struct kit *k, slice json)
{
    struct arena ar = ARENA_INIT(k->a);
    struct ice_meta *m = NULL;
    struct ice_tree t = {0};
    OK(frz__ice_meta_parse(k->a, &ar, json, &m, &k->err), &k->err);
    const struct ice_snapshot *s = frz__ice_snapshot(m, m->current_snapshot_id);
    if (s) {
        OK(frz__ice_list_parse(k->a, &ar, kit_find(k, s->manifest_list), &t, &k->err), &k->err);
        for (size_t i = 0; i < t.count; i++) {
            slice bytes = kit_find(k, t.manifests[i].path);
            assert_int_equal(bytes.len, t.manifests[i].length);
            OK(frz__ice_manifest_parse(k->a, &ar, bytes, &t.manifests[i], &k->err), &k->err);
        }
    }
    frz__ice_meta_release(k->meta);
    frz__arena_clear(&k->ar);
    k->ar = ar;
    k->meta = m;
    k->tree = t;
}

static inline void kit_init(struct kit *k, int format, const struct ice_kv *props, size_t prop_count)
{
    *k = (struct kit){.version = 1, .now_ms = 1000000, .next_id = 100};
    k->ar = k->last_ar = ARENA_INIT(NULL);
    OK(frz__schema_parse_text(NULL, S("id long, name string?"), S("id"), &k->schema, &k->err), &k->err);
    OK(frz__schema_seal(k->schema, true, &k->err), &k->err);
    OK(frz__ice_create(NULL, &k->last_ar, k->schema, format, S(KIT_LOCATION), props, prop_count, k->now_ms, KIT_UUID, &k->last, &k->err), &k->err);
    kit_load(k, k->last.metadata_json);
}

static inline void kit_clear(struct kit *k)
{
    frz__ice_meta_release(k->meta);
    frz__ice_meta_release(k->last.meta);
    frz__arena_clear(&k->ar);
    frz__arena_clear(&k->last_ar);
    frz__schema_release(k->schema);
    for (size_t i = 0; i < k->file_count; i++) free(k->files[i].path), free(k->files[i].bytes);
    free(k->files);
}

static inline void same_slice(slice a, slice b)
{
    assert_int_equal(a.data != NULL, b.data != NULL);
    assert_int_equal(a.len, b.len);
    if (a.len) assert_memory_equal(a.data, b.data, a.len);
}

static inline void same_entry(const struct ice_entry *a, const struct ice_entry *b)
{
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->snapshot_id, b->snapshot_id);
    assert_int_equal(a->sequence_number, b->sequence_number);
    assert_int_equal(a->file_sequence_number, b->file_sequence_number);
    assert_int_equal(a->file.content, b->file.content);
    same_slice(a->file.path, b->file.path);
    same_slice(a->file.format, b->file.format);
    assert_int_equal(a->file.record_count, b->file.record_count);
    assert_int_equal(a->file.file_size, b->file.file_size);
    assert_int_equal(a->file.first_row_id, b->file.first_row_id);
    same_slice(a->file.referenced_data_file, b->file.referenced_data_file);
    assert_int_equal(a->file.content_offset, b->file.content_offset);
    assert_int_equal(a->file.content_size, b->file.content_size);
    assert_int_equal(a->file.sort_order_id, b->file.sort_order_id);
    assert_int_equal(a->file.stats_count, b->file.stats_count);
    for (size_t i = 0; i < a->file.stats_count; i++) {
        assert_int_equal(a->file.stats[i].field_id, b->file.stats[i].field_id);
        assert_int_equal(a->file.stats[i].value_count, b->file.stats[i].value_count);
        same_slice(a->file.stats[i].lower, b->file.stats[i].lower);
        same_slice(a->file.stats[i].upper, b->file.stats[i].upper);
    }
    assert_int_equal(a->file.split_count, b->file.split_count);
    for (size_t i = 0; i < a->file.split_count; i++) assert_int_equal(a->file.split_offsets[i], b->file.split_offsets[i]);
}

static inline void same_tree(const struct ice_tree *a, const struct ice_tree *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct ice_manifest *x = &a->manifests[i], *y = &b->manifests[i];
        same_slice(x->path, y->path);
        assert_int_equal(x->length, y->length);
        assert_int_equal(x->content, y->content);
        assert_int_equal(x->sequence_number, y->sequence_number);
        assert_int_equal(x->min_sequence_number, y->min_sequence_number);
        assert_int_equal(x->added_snapshot_id, y->added_snapshot_id);
        assert_int_equal(x->first_row_id, y->first_row_id);
        assert_int_equal(x->added_files, y->added_files);
        assert_int_equal(x->existing_files, y->existing_files);
        assert_int_equal(x->deleted_files, y->deleted_files);
        assert_int_equal(x->added_rows, y->added_rows);
        assert_int_equal(x->existing_rows, y->existing_rows);
        assert_int_equal(x->deleted_rows, y->deleted_rows);
        assert_int_equal(x->entry_count, y->entry_count);
        assert_true(x->loaded && y->loaded);
        for (size_t e = 0; e < x->entry_count; e++) same_entry(&x->entries[e], &y->entries[e]);
    }
}

/* One try; on success all is read back from bytes, compared with what apply gave, and checked. */
static inline int kit_apply(struct kit *k, const struct ice_edit *e)
{
    char token[32];
    struct arena ar = ARENA_INIT(k->a);
    struct ice_result r;
    snprintf(token, sizeof token, "t%lld", (long long)k->next_id);
    struct ice_env env = {.now_ms = k->now_ms, .snapshot_id = k->next_id++, .name_token = token, .base_version = k->version, .manifests_max = k->manifests_max};
    int rc = frz__ice_apply(k->a, &ar, k->meta, &k->tree, e, &env, &r, &k->err);
    if (rc < 0) {
        frz__arena_clear(&ar);
        return rc;
    }
    for (size_t i = 0; i < r.file_count; i++) kit_store(k, r.files[i].path, r.files[i].bytes);
    kit_load(k, r.metadata_json);
    same_tree(&r.tree, &k->tree);
    OK(frz__ice_tree_check(k->a, k->meta, &k->tree, &k->err), &k->err);
    OK(frz__ice_tree_check(k->a, r.meta, &r.tree, &k->err), &k->err);
    struct buf again = BUF_INIT(k->a, 0);
    OK(frz__ice_meta_print(k->meta, &again, &k->err), &k->err);
    same_slice(buf_slice(&again), r.metadata_json); /* what was read prints as what was written */
    buf_clear(&again);
    frz__ice_meta_release(k->last.meta);
    frz__arena_clear(&k->last_ar);
    k->last_ar = ar;
    k->last = r;
    k->last.ar = &k->last_ar;
    k->version++;
    return rc;
}

static inline const struct ice_snapshot *kit_now(const struct kit *k) { return frz__ice_snapshot(k->meta, k->meta->current_snapshot_id); }
/* -1 = the summary does not have it */
static inline int64_t kit_sum(const struct ice_snapshot *s, const char *key)
{
    slice v = frz__ice_summary(s, key);
    return v.data ? strtoll((const char *)v.data, NULL, 10) : -1;
}

static inline struct ice_file kit_data(const char *path, int64_t rows, int64_t bytes)
{
    return (struct ice_file){.content = ICE_DATA, .path = S(path), .format = S("PARQUET"), .record_count = rows, .file_size = bytes, .sort_order_id = -1, .first_row_id = -1, .content_offset = -1,
                             .content_size = -1};
}
static inline struct ice_file kit_dv(const char *puffin, const char *of, int64_t rows, int64_t offset, int64_t bytes)
{
    struct ice_file f = kit_data(puffin, rows, 4096);
    f.content = ICE_POSITION_DELETES;
    f.format = S("PUFFIN");
    f.referenced_data_file = S(of);
    f.content_offset = offset;
    f.content_size = bytes;
    return f;
}
static inline struct ice_file kit_posdel(const char *path, const char *of, int64_t rows, int64_t bytes)
{
    struct ice_file f = kit_data(path, rows, bytes);
    f.content = ICE_POSITION_DELETES;
    if (of) f.referenced_data_file = S(of);
    return f;
}
static inline const struct ice_entry *kit_live(const struct ice_tree *t, const char *path, const struct ice_manifest **m)
{
    const struct ice_entry *hit = NULL;
    for (size_t i = 0; i < t->count; i++)
        for (size_t e = 0; e < t->manifests[i].entry_count; e++)
            if (t->manifests[i].entries[e].status != ICE_DELETED && is(t->manifests[i].entries[e].file.path, path)) {
                assert_null(hit);
                hit = &t->manifests[i].entries[e];
                if (m) *m = &t->manifests[i];
            }
    return hit;
}
#define ADD(...)                                                                                                                           \
    .added = (const struct ice_file[]){__VA_ARGS__}, .added_count = sizeof((const struct ice_file[]){__VA_ARGS__}) / sizeof(struct ice_file)
#define REMOVE(...) .removed = (const slice[]){__VA_ARGS__}, .removed_count = sizeof((const slice[]){__VA_ARGS__}) / sizeof(slice)
#define REMOVE_DV(...) .removed_dvs = (const slice[]){__VA_ARGS__}, .removed_dv_count = sizeof((const slice[]){__VA_ARGS__}) / sizeof(slice)
#define SET(...) .set = (const struct ice_kv[]){__VA_ARGS__}, .set_count = sizeof((const struct ice_kv[]){__VA_ARGS__}) / sizeof(struct ice_kv)
#define EDIT(...) (&(struct ice_edit){__VA_ARGS__})
#endif
