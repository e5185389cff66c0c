#include "iceberg/ice_meta.h"

#include <stdio.h>
#include "base/utf8.h"
#include "iceberg/ice_avro.h"

#define SUMMARY                                                                                                                            \
    ICE_SCHEMA("r508", ICE_FIELD("contains_null", 509, ICE_BOOLEAN) "," ICE_OPTIONAL("contains_nan", 518, ICE_BOOLEAN) ","                 \
                       ICE_OPTIONAL("lower_bound", 510, ICE_BYTES) "," ICE_OPTIONAL("upper_bound", 511, ICE_BYTES))
#define FIELDS_V2                                                                                                                          \
    ICE_FIELD("manifest_path", 500, ICE_STRING) "," ICE_FIELD("manifest_length", 501, ICE_LONG) ","                                        \
    ICE_FIELD("partition_spec_id", 502, ICE_INT) "," ICE_FIELD("content", 517, ICE_INT) ","                                                \
    ICE_FIELD("sequence_number", 515, ICE_LONG) "," ICE_FIELD("min_sequence_number", 516, ICE_LONG) ","                                    \
    ICE_FIELD("added_snapshot_id", 503, ICE_LONG) "," ICE_FIELD("added_files_count", 504, ICE_INT) ","                                     \
    ICE_FIELD("existing_files_count", 505, ICE_INT) "," ICE_FIELD("deleted_files_count", 506, ICE_INT) ","                                 \
    ICE_FIELD("added_rows_count", 512, ICE_LONG) "," ICE_FIELD("existing_rows_count", 513, ICE_LONG) ","                                   \
    ICE_FIELD("deleted_rows_count", 514, ICE_LONG) ","                                                                                     \
    ICE_OPTIONAL("partitions", 507, "{\"type\":\"array\",\"items\":" SUMMARY ",\"element-id\":508}") ","                                   \
    ICE_OPTIONAL("key_metadata", 519, ICE_BYTES)
static const char schema_v2[] = ICE_SCHEMA("manifest_file", FIELDS_V2);
static const char schema_v3[] = ICE_SCHEMA("manifest_file", FIELDS_V2 "," ICE_OPTIONAL("first_row_id", 520, ICE_LONG));

/* ── out ── */

static bool unpartitioned(const struct ice_meta *m, const struct ice_manifest *f) { return f->spec_id == m->default_spec_id && !m->partitioned; }

static void put_partitions(struct ice_put *p, const struct ice_meta *m, const struct ice_manifest *f)
{
    frz__ice_put_present(p, f->partitions.data || unpartitioned(m, f));
    if (f->partitions.data) frz__ice_put_raw(p, f->partitions);
    else if (unpartitioned(m, f)) frz__ice_put_long(p, 0); /* a list of none, as Java has it */
}

static int put_row(struct ice_put *p, const struct ice_meta *m, const struct ice_manifest *f)
{
    if (f->added_files < 0 || f->existing_files < 0 || f->deleted_files < 0 || f->added_rows < 0 || f->existing_rows < 0 || f->deleted_rows < 0)
        return frz__err(p->err, FRZ_BUG, "manifest %.*s: its counts are not known: it must be loaded before it is listed again", (int)frz__utf8_prefix(f->path, 100), f->path.data);
    buf_reset(&p->out);
    frz__ice_put_bytes(p, f->path);
    frz__ice_put_long(p, f->length);
    frz__ice_put_long(p, f->spec_id);
    frz__ice_put_long(p, f->content);
    frz__ice_put_long(p, f->sequence_number);
    frz__ice_put_long(p, f->min_sequence_number);
    frz__ice_put_long(p, f->added_snapshot_id);
    frz__ice_put_long(p, f->added_files);
    frz__ice_put_long(p, f->existing_files);
    frz__ice_put_long(p, f->deleted_files);
    frz__ice_put_long(p, f->added_rows);
    frz__ice_put_long(p, f->existing_rows);
    frz__ice_put_long(p, f->deleted_rows);
    put_partitions(p, m, f);
    frz__ice_put_opt_bytes(p, slice_of(NULL, 0));
    if (m->format_version >= 3) frz__ice_put_opt_long(p, f->content == 0 && f->first_row_id >= 0, f->first_row_id);
    return p->rc;
}

int frz__ice_list_print(const allocator *a, const struct ice_meta *m, const struct ice_snapshot *s, const struct ice_manifest *const *manifests, size_t count, struct buf *out, frz_error *err)
{
    char id[24], parent[24], sequence[24], version[16], row_id[24];
    snprintf(id, sizeof id, "%" PRId64, s->id);
    snprintf(parent, sizeof parent, "%" PRId64, s->parent_id);
    snprintf(sequence, sizeof sequence, "%" PRId64, s->sequence_number);
    snprintf(version, sizeof version, "%" PRId32, m->format_version);
    snprintf(row_id, sizeof row_id, "%" PRId64, s->first_row_id);
    const slice kv[] = {slice_str("snapshot-id"),     slice_str(id),       slice_str("parent-snapshot-id"), slice_str(s->parent_id ? parent : "null"),
                        slice_str("sequence-number"), slice_str(sequence), slice_str("format-version"),     slice_str(version),
                        slice_str("first-row-id"),    slice_str(row_id)};
    const bool v3 = m->format_version >= 3;
    FRZ_VERIFY(!v3 || s->first_row_id >= 0, err);

    struct avro_writer *w = NULL;
    struct ice_put p = {.out = BUF_INIT(a, 0), .err = err};
    int rc;
    CHECK(frz__avro_writer_new(a, slice_str(v3 ? schema_v3 : schema_v2), kv, v3 ? 5 : 4, true, &w, err));
    for (size_t i = 0; i < count; i++) {
        CHECK(put_row(&p, m, manifests[i]));
        CHECK(frz__avro_write(w, buf_slice(&p.out), err));
    }
    CHECK(frz__avro_writer_finish(w, out, err));
done:
    frz__avro_writer_free(w);
    buf_clear(&p.out);
    return rc;
}

/* ── in ── */

static int put_summary(struct ice_put *p, const struct avro_value *s, frz_error *err)
{
    const struct avro_value *null, *nan, *lower, *upper;
    TRY(frz__ice_get_kind(s, (struct ice_field){509, "contains_null"}, AVRO_BOOL, &null, err));
    TRY(frz__ice_get_kind(s, (struct ice_field){518, "contains_nan"}, AVRO_BOOL, &nan, err));
    TRY(frz__ice_get_kind(s, (struct ice_field){510, "lower_bound"}, AVRO_BYTES, &lower, err));
    TRY(frz__ice_get_kind(s, (struct ice_field){511, "upper_bound"}, AVRO_BYTES, &upper, err));
    frz__ice_put_bool(p, !null || null->as.boolean);
    frz__ice_put_present(p, nan != NULL);
    if (nan) frz__ice_put_bool(p, nan->as.boolean);
    frz__ice_put_present(p, lower != NULL);
    if (lower) frz__ice_put_bytes(p, lower->as.bytes);
    frz__ice_put_present(p, upper != NULL);
    if (upper) frz__ice_put_bytes(p, upper->as.bytes);
    return p->rc;
}

/* Summaries of partitions mean nothing to us, and are kept for whoever prunes by them. */
static int keep_partitions(struct arena *ar, const struct avro_value *row, struct ice_put *p, slice *out, frz_error *err)
{
    const struct avro_value *list;
    TRY(frz__ice_get_kind(row, (struct ice_field){507, "partitions"}, AVRO_ARRAY, &list, err));
    if (!list) return FRZ_OK;
    buf_reset(&p->out);
    if (list->as.list.count) frz__ice_put_long(p, (int64_t)list->as.list.count);
    for (size_t i = 0; i < list->as.list.count; i++) TRY(put_summary(p, &list->as.list.items[i], err));
    frz__ice_put_long(p, 0);
    TRY(p->rc);
    return frz__ice_keep(ar, buf_slice(&p->out), out, err);
}

static int parse_row(struct arena *ar, const struct avro_value *row, struct ice_put *scratch, struct ice_manifest *f, frz_error *err)
{
    const int64_t big = INT64_MAX;
    int64_t spec_id = 0;
    *f = (struct ice_manifest){.added_files = -1, .existing_files = -1, .deleted_files = -1, .added_rows = -1, .existing_rows = -1, .deleted_rows = -1, .first_row_id = -1};
    TRY(frz__ice_need_text(ar, row, (struct ice_field){500, "manifest_path"}, &f->path, err));
    TRY(frz__ice_need_long(row, (struct ice_field){501, "manifest_length"}, 0, big, &f->length, err));
    TRY(frz__ice_need_long(row, (struct ice_field){502, "partition_spec_id"}, 0, INT32_MAX, &spec_id, err));
    f->spec_id = (int32_t)spec_id;
    TRY(frz__ice_get_int(row, (struct ice_field){517, "content"}, 0, 1, &f->content, err));
    TRY(frz__ice_get_long(row, (struct ice_field){515, "sequence_number"}, 0, big, &f->sequence_number, err));
    TRY(frz__ice_get_long(row, (struct ice_field){516, "min_sequence_number"}, 0, big, &f->min_sequence_number, err));
    TRY(frz__ice_get_long(row, (struct ice_field){503, "added_snapshot_id"}, INT64_MIN, big, &f->added_snapshot_id, err));
    TRY(frz__ice_get_int(row, (struct ice_field){504, "added_files_count"}, 0, INT32_MAX, &f->added_files, err));
    TRY(frz__ice_get_int(row, (struct ice_field){505, "existing_files_count"}, 0, INT32_MAX, &f->existing_files, err));
    TRY(frz__ice_get_int(row, (struct ice_field){506, "deleted_files_count"}, 0, INT32_MAX, &f->deleted_files, err));
    TRY(frz__ice_get_long(row, (struct ice_field){512, "added_rows_count"}, 0, big, &f->added_rows, err));
    TRY(frz__ice_get_long(row, (struct ice_field){513, "existing_rows_count"}, 0, big, &f->existing_rows, err));
    TRY(frz__ice_get_long(row, (struct ice_field){514, "deleted_rows_count"}, 0, big, &f->deleted_rows, err));
    TRY(frz__ice_get_long(row, (struct ice_field){520, "first_row_id"}, 0, big, &f->first_row_id, err));
    TRY(frz__ice_no_key(row, (struct ice_field){519, "key_metadata"}, err));
    if (f->path.len == 0) return frz__err_corrupt(err, "manifest_path (500) is empty");
    return keep_partitions(ar, row, scratch, &f->partitions, err);
}

int frz__ice_list_parse(const allocator *a, struct arena *ar, slice avro, struct ice_tree *out, frz_error *err)
{
    struct avro_reader *r = NULL;
    struct ice_manifest *rows = NULL;
    struct ice_put scratch = {.out = BUF_INIT(a, 0), .err = err};
    size_t count = 0, cap = 0;
    int rc;
    *out = (struct ice_tree){NULL, 0};
    CHECK(frz__avro_reader_new(a, avro, &r, err));
    CHECK(frz__ice_check_version(r, err));
    for (;;) {
        const struct avro_value *row;
        CHECK(frz__avro_next(r, &row, err));
        if (rc == FRZ_DONE) break;
        CHECK(frz__grow(a, (void **)&rows, count, &cap, sizeof *rows, err));
        CHECK_CTX(parse_row(ar, row, &scratch, &rows[count], err), err, "row %zu", count);
        count++;
    }
    out->manifests = (struct ice_manifest *)arena_alloc(ar, count * sizeof *rows, 8);
    if (!out->manifests) CHECK(frz__err_no_memory(err, count * sizeof *rows));
    if (count) memcpy(out->manifests, rows, count * sizeof *rows);
    out->count = count;
    rc = FRZ_OK;
done:
    if (rc < 0) frz__err_context(err, "manifest list");
    frz__avro_reader_free(r);
    frz__free(a, rows);
    buf_clear(&scratch.out);
    return rc;
}
