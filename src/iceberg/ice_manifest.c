#include "iceberg/ice_meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "base/utf8.h"
#include "iceberg/ice_avro.h"

#define MAP(name, id, key, value, type)                                                                                                    \
    ICE_OPTIONAL(name, id, "{\"type\":\"array\",\"items\":" ICE_SCHEMA("k" #key "_v" #value, ICE_FIELD("key", key, ICE_INT) ","            \
                           ICE_FIELD("value", value, type)) ",\"logicalType\":\"map\"}")
#define LIST(name, id, element, type) ICE_OPTIONAL(name, id, "{\"type\":\"array\",\"items\":" type ",\"element-id\":" #element "}")
#define FILE_FIELDS(row_id, offsets)                                                                                                       \
    ICE_FIELD("content", 134, ICE_INT) "," ICE_FIELD("file_path", 100, ICE_STRING) "," ICE_FIELD("file_format", 101, ICE_STRING) ","       \
    ICE_FIELD("partition", 102, ICE_SCHEMA("r102", "")) "," ICE_FIELD("record_count", 103, ICE_LONG) ","                                   \
    ICE_FIELD("file_size_in_bytes", 104, ICE_LONG) "," MAP("column_sizes", 108, 117, 118, ICE_LONG) ","                                    \
    MAP("value_counts", 109, 119, 120, ICE_LONG) "," MAP("null_value_counts", 110, 121, 122, ICE_LONG) ","                                 \
    MAP("nan_value_counts", 137, 138, 139, ICE_LONG) "," MAP("lower_bounds", 125, 126, 127, ICE_BYTES) ","                                 \
    MAP("upper_bounds", 128, 129, 130, ICE_BYTES) "," ICE_OPTIONAL("key_metadata", 131, ICE_BYTES) ","                                     \
    LIST("split_offsets", 132, 133, ICE_LONG) "," LIST("equality_ids", 135, 136, ICE_INT) ","                                              \
    ICE_OPTIONAL("sort_order_id", 140, ICE_INT) "," row_id ICE_OPTIONAL("referenced_data_file", 143, ICE_STRING) offsets
#define ENTRY(file_fields)                                                                                                                 \
    ICE_SCHEMA("manifest_entry", ICE_FIELD("status", 0, ICE_INT) "," ICE_OPTIONAL("snapshot_id", 1, ICE_LONG) ","                          \
               ICE_OPTIONAL("sequence_number", 3, ICE_LONG) "," ICE_OPTIONAL("file_sequence_number", 4, ICE_LONG) ","                      \
               ICE_FIELD("data_file", 2, ICE_SCHEMA("r2", file_fields)))
static const char schema_v2[] = ENTRY(FILE_FIELDS("", ""));
static const char schema_v3[] = ENTRY(FILE_FIELDS(ICE_OPTIONAL("first_row_id", 142, ICE_LONG) ",", "," ICE_OPTIONAL("content_offset", 144, ICE_LONG) ","
                                                  ICE_OPTIONAL("content_size_in_bytes", 145, ICE_LONG)));

/* The six maps of metrics, in the file's order. */
enum metric { COLUMN_SIZES, VALUE_COUNTS, NULL_COUNTS, NAN_COUNTS, LOWER, UPPER, METRICS };
static const struct { struct ice_field map, key, value; } metrics[METRICS] = {
    {{108, "column_sizes"}, {117, "column_sizes.key"}, {118, "column_sizes.value"}},
    {{109, "value_counts"}, {119, "value_counts.key"}, {120, "value_counts.value"}},
    {{110, "null_value_counts"}, {121, "null_value_counts.key"}, {122, "null_value_counts.value"}},
    {{137, "nan_value_counts"}, {138, "nan_value_counts.key"}, {139, "nan_value_counts.value"}},
    {{125, "lower_bounds"}, {126, "lower_bounds.key"}, {127, "lower_bounds.value"}},
    {{128, "upper_bounds"}, {129, "upper_bounds.key"}, {130, "upper_bounds.value"}},
};

static bool metric_is_bound(int metric) { return metric >= LOWER; }
static int64_t *metric_count(struct ice_col_stats *s, int metric)
{
    return metric == COLUMN_SIZES ? &s->column_size : metric == VALUE_COUNTS ? &s->value_count : metric == NULL_COUNTS ? &s->null_count : &s->nan_count;
}
static slice *metric_bound(struct ice_col_stats *s, int metric) { return metric == LOWER ? &s->lower : &s->upper; }

/* ── out ── */

static bool metric_has(const struct ice_col_stats *stats, int metric)
{
    struct ice_col_stats s = *stats;
    return metric_is_bound(metric) ? metric_bound(&s, metric)->data != NULL : *metric_count(&s, metric) >= 0;
}

static void put_metric(struct ice_put *p, const struct ice_file *f, int metric)
{
    int64_t count = 0;
    for (size_t i = 0; i < f->stats_count; i++) count += metric_has(&f->stats[i], metric);
    frz__ice_put_present(p, count > 0);
    if (count == 0) return;
    frz__ice_put_long(p, count);
    for (size_t i = 0; i < f->stats_count; i++) {
        struct ice_col_stats s = f->stats[i];
        if (!metric_has(&s, metric)) continue;
        frz__ice_put_long(p, s.field_id);
        if (metric_is_bound(metric)) frz__ice_put_bytes(p, *metric_bound(&s, metric));
        else frz__ice_put_long(p, *metric_count(&s, metric));
    }
    frz__ice_put_long(p, 0);
}

static void put_list_begin(struct ice_put *p, size_t count)
{
    frz__ice_put_present(p, count > 0);
    if (count) frz__ice_put_long(p, (int64_t)count);
}

static void put_file(struct ice_put *p, const struct ice_file *f, int version, bool row_id)
{
    frz__ice_put_long(p, (int64_t)f->content);
    frz__ice_put_bytes(p, f->path);
    frz__ice_put_bytes(p, f->format);
    frz__ice_put_long(p, f->record_count); /* the partition before it is a record of no fields: no bytes */
    frz__ice_put_long(p, f->file_size);
    for (int i = 0; i < METRICS; i++) put_metric(p, f, i);
    frz__ice_put_opt_bytes(p, slice_of(NULL, 0)); /* key_metadata */
    put_list_begin(p, f->split_count);
    for (size_t i = 0; i < f->split_count; i++) frz__ice_put_long(p, f->split_offsets[i]);
    if (f->split_count) frz__ice_put_long(p, 0);
    put_list_begin(p, f->equality_count);
    for (size_t i = 0; i < f->equality_count; i++) frz__ice_put_long(p, f->equality_ids[i]);
    if (f->equality_count) frz__ice_put_long(p, 0);
    frz__ice_put_opt_long(p, f->sort_order_id >= 0, f->sort_order_id);
    if (version >= 3) frz__ice_put_opt_long(p, row_id && f->first_row_id >= 0, f->first_row_id);
    frz__ice_put_opt_bytes(p, f->referenced_data_file);
    if (version >= 3) {
        frz__ice_put_opt_long(p, f->content_offset >= 0, f->content_offset);
        frz__ice_put_opt_long(p, f->content_size >= 0, f->content_size);
    }
}

/* An ADDED entry inherits what only the commit knows, so that its manifest outlives retries. */
static int put_entry(struct ice_put *p, const struct ice_entry *e, int version, int64_t snapshot_id, int64_t sequence)
{
    const bool added = e->status == ICE_ADDED;
    const bool own_sequence = !added || (e->sequence_number > 0 && e->sequence_number < sequence);
    buf_reset(&p->out);
    frz__ice_put_long(p, (int64_t)e->status);
    frz__ice_put_opt_long(p, true, e->snapshot_id ? e->snapshot_id : snapshot_id);
    frz__ice_put_opt_long(p, own_sequence, e->sequence_number);
    frz__ice_put_opt_long(p, !added && e->file_sequence_number >= 0, e->file_sequence_number);
    put_file(p, &e->file, version, !added && e->file.content == ICE_DATA);
    return p->rc;
}

static bool has_format(const struct ice_file *f, const char *name) { return slice_eq(f->format, slice_str(name)); }

static int check_entry(const struct ice_entry *e, int version, int32_t content, int64_t sequence, frz_error *err)
{
    const struct ice_file *f = &e->file;
    FRZ_VERIFY((f->content == ICE_DATA) == (content == 0), err);
    FRZ_VERIFY(e->status != ICE_ADDED || e->sequence_number <= sequence, err);
    FRZ_VERIFY(f->path.len > 0 && f->record_count >= 0 && f->file_size >= 0, err);
    FRZ_VERIFY(!has_format(f, "PUFFIN") || (f->content_offset >= 0 && f->content_size >= 0 && f->referenced_data_file.data), err);
    if (version < 3 && (has_format(f, "PUFFIN") || f->content_offset >= 0)) return frz__err(err, FRZ_INVALID, "format %d has no deletion vectors", version);
    return FRZ_OK;
}

static slice current_schema_json(const struct ice_meta *m)
{
    for (size_t i = 0; i < m->schema_count; i++)
        if (m->schema_ids[i] == m->current_schema_id) return m->schema_json[i];
    return slice_of(NULL, 0);
}

int frz__ice_manifest_print(const allocator *a, const struct ice_meta *m, int32_t content, const struct ice_entry *const *entries, size_t count, int64_t snapshot_id, int64_t sequence,
                            struct buf *out, frz_error *err)
{
    char schema_id[16], spec_id[16], version[16];
    const slice schema = current_schema_json(m);
    FRZ_VERIFY(schema.data, err);
    if (m->partitioned) return frz__err(err, FRZ_UNSUPPORTED, "partitioned tables can't be written: partition spec %" PRId32 " has fields", m->default_spec_id);
    snprintf(schema_id, sizeof schema_id, "%" PRId32, m->current_schema_id);
    snprintf(spec_id, sizeof spec_id, "%" PRId32, m->default_spec_id);
    snprintf(version, sizeof version, "%" PRId32, m->format_version);
    const slice kv[] = {slice_str("schema"),            schema,             slice_str("schema-id"),      slice_str(schema_id), slice_str("partition-spec"), slice_str("[]"),
                        slice_str("partition-spec-id"), slice_str(spec_id), slice_str("format-version"), slice_str(version),   slice_str("content"),        slice_str(content ? "deletes" : "data")};

    struct avro_writer *w = NULL;
    struct ice_put p = {.out = BUF_INIT(a, 0), .err = err};
    int rc;
    CHECK(frz__avro_writer_new(a, slice_str(m->format_version >= 3 ? schema_v3 : schema_v2), kv, FRZ_ARRAY_LEN(kv) / 2, true, &w, err));
    for (size_t i = 0; i < count; i++) {
        CHECK(check_entry(entries[i], m->format_version, content, sequence, err));
        CHECK(put_entry(&p, entries[i], m->format_version, snapshot_id, sequence));
        CHECK(frz__avro_write(w, buf_slice(&p.out), err));
    }
    CHECK(frz__avro_writer_finish(w, out, err));
done:
    frz__avro_writer_free(w);
    buf_clear(&p.out);
    return rc;
}

/* ── in ── */

struct loader {
    const allocator *a;
    struct arena *ar;
    frz_error *err;
    int32_t *ids; /* columns of one file's metrics; reused */
    size_t id_count, id_cap;
};

static int cmp_id(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;
    return (a > b) - (a < b);
}

static int metric_item(const struct avro_value *item, int metric, int32_t *id, frz_error *err)
{
    int64_t key;
    TRY(frz__ice_need_long(item, metrics[metric].key, INT32_MIN, INT32_MAX, &key, err));
    *id = (int32_t)key;
    return FRZ_OK;
}

/* Which columns have any metric: l->ids, ascending, each once. */
static int collect_ids(struct loader *l, const struct avro_value *const maps[METRICS])
{
    bool sorted = true;
    l->id_count = 0;
    for (int m = 0; m < METRICS; m++) {
        for (size_t i = 0; maps[m] && i < maps[m]->as.list.count; i++) {
            int32_t id;
            TRY(metric_item(&maps[m]->as.list.items[i], m, &id, l->err));
            if (m > 0 && i < l->id_count && l->ids[i] == id) continue; /* mostly, all maps have the same columns in one order */
            TRY(frz__grow(l->a, (void **)&l->ids, l->id_count, &l->id_cap, sizeof *l->ids, l->err));
            if (l->id_count && l->ids[l->id_count - 1] >= id) sorted = false;
            l->ids[l->id_count++] = id;
        }
    }
    if (sorted) return FRZ_OK;
    size_t kept = 1;
    qsort(l->ids, l->id_count, sizeof *l->ids, cmp_id);
    for (size_t i = 1; i < l->id_count; i++)
        if (l->ids[i] != l->ids[kept - 1]) l->ids[kept++] = l->ids[i];
    l->id_count = kept;
    return FRZ_OK;
}

static int load_metric(struct loader *l, const struct avro_value *item, int metric, struct ice_file *f)
{
    int32_t id;
    TRY(metric_item(item, metric, &id, l->err));
    size_t low = 0, high = f->stats_count - 1;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (f->stats[mid].field_id < id) low = mid + 1;
        else high = mid;
    }
    FRZ_ASSERT(f->stats[low].field_id == id);
    if (metric_is_bound(metric)) return frz__ice_need_bytes(l->ar, item, metrics[metric].value, metric_bound(&f->stats[low], metric), l->err);
    int64_t v = -1;
    TRY(frz__ice_need_long(item, metrics[metric].value, INT64_MIN, INT64_MAX, &v, l->err));
    *metric_count(&f->stats[low], metric) = v < 0 ? -1 : v; /* a negative count tells nothing */
    return FRZ_OK;
}

static int load_metrics(struct loader *l, const struct avro_value *df, struct ice_file *f)
{
    const struct avro_value *maps[METRICS];
    for (int m = 0; m < METRICS; m++) TRY(frz__ice_get_kind(df, metrics[m].map, AVRO_ARRAY, &maps[m], l->err));
    TRY(collect_ids(l, maps));
    if (l->id_count == 0) return FRZ_OK;
    f->stats = (struct ice_col_stats *)arena_alloc(l->ar, l->id_count * sizeof *f->stats, 8);
    if (!f->stats) return frz__err_no_memory(l->err, l->id_count * sizeof *f->stats);
    f->stats_count = l->id_count;
    for (size_t i = 0; i < l->id_count; i++) f->stats[i] = (struct ice_col_stats){l->ids[i], -1, -1, -1, -1, {NULL, 0}, {NULL, 0}};
    for (int m = 0; m < METRICS; m++)
        for (size_t i = 0; maps[m] && i < maps[m]->as.list.count; i++) TRY(load_metric(l, &maps[m]->as.list.items[i], m, f));
    return FRZ_OK;
}

static int load_format(struct loader *l, const struct avro_value *df, struct ice_file *f)
{
    static const char *const known[] = {"PARQUET", "PUFFIN", "AVRO", "ORC"};
    TRY(frz__ice_need_text(l->ar, df, (struct ice_field){101, "file_format"}, &f->format, l->err));
    for (size_t i = 0; i < FRZ_ARRAY_LEN(known); i++)
        if (f->format.len == strlen(known[i]) && strncasecmp((const char *)f->format.data, known[i], f->format.len) == 0) f->format = slice_str(known[i]);
    return FRZ_OK;
}

static int list_number(const struct avro_value *v, struct ice_field f, int64_t max, int64_t *out, frz_error *err)
{
    if (v->kind != AVRO_LONG || v->as.i64 < 0 || v->as.i64 > max) return frz__err_corrupt(err, "%s (%" PRId32 "): an element is no number from 0 to %" PRId64, f.name, f.id, max);
    *out = v->as.i64;
    return FRZ_OK;
}

static int load_lists(struct loader *l, const struct avro_value *df, struct ice_file *f)
{
    const struct ice_field splits = {132, "split_offsets"}, keys = {135, "equality_ids"};
    const struct avro_value *list;
    TRY(frz__ice_get_kind(df, splits, AVRO_ARRAY, &list, l->err));
    if (list && list->as.list.count) {
        f->split_count = list->as.list.count;
        f->split_offsets = (int64_t *)arena_alloc(l->ar, f->split_count * sizeof *f->split_offsets, 8);
        if (!f->split_offsets) return frz__err_no_memory(l->err, f->split_count * sizeof *f->split_offsets);
        for (size_t i = 0; i < f->split_count; i++) TRY(list_number(&list->as.list.items[i], splits, INT64_MAX, &f->split_offsets[i], l->err));
    }
    TRY(frz__ice_get_kind(df, keys, AVRO_ARRAY, &list, l->err));
    if (list && list->as.list.count) {
        f->equality_count = list->as.list.count;
        f->equality_ids = (int32_t *)arena_alloc(l->ar, f->equality_count * sizeof *f->equality_ids, 4);
        if (!f->equality_ids) return frz__err_no_memory(l->err, f->equality_count * sizeof *f->equality_ids);
        for (size_t i = 0; i < f->equality_count; i++) {
            int64_t id;
            TRY(list_number(&list->as.list.items[i], keys, INT32_MAX, &id, l->err));
            f->equality_ids[i] = (int32_t)id;
        }
    }
    return FRZ_OK;
}

static int load_file(struct loader *l, const struct avro_value *df, int32_t manifest_content, struct ice_file *f)
{
    const int64_t big = INT64_MAX;
    int32_t content = 0;
    *f = (struct ice_file){.sort_order_id = -1, .first_row_id = -1, .content_offset = -1, .content_size = -1};
    TRY(frz__ice_get_int(df, (struct ice_field){134, "content"}, 0, 2, &content, l->err));
    f->content = (enum ice_content)content;
    TRY(frz__ice_need_text(l->ar, df, (struct ice_field){100, "file_path"}, &f->path, l->err));
    if (f->path.len == 0) return frz__err_corrupt(l->err, "file_path (100) is empty");
    if ((content == ICE_DATA) != (manifest_content == 0)) return frz__err_corrupt(l->err, "content (134) is %" PRId32 " in a manifest of %s", content, manifest_content ? "deletes" : "data");
    TRY(load_format(l, df, f));
    TRY(frz__ice_need_long(df, (struct ice_field){103, "record_count"}, 0, big, &f->record_count, l->err));
    TRY(frz__ice_need_long(df, (struct ice_field){104, "file_size_in_bytes"}, 0, big, &f->file_size, l->err));
    TRY(load_metrics(l, df, f));
    TRY(frz__ice_no_key(df, (struct ice_field){131, "key_metadata"}, l->err));
    TRY(load_lists(l, df, f));
    TRY(frz__ice_get_int(df, (struct ice_field){140, "sort_order_id"}, 0, INT32_MAX, &f->sort_order_id, l->err));
    TRY(frz__ice_get_long(df, (struct ice_field){142, "first_row_id"}, 0, big, &f->first_row_id, l->err));
    TRY(frz__ice_get_text(l->ar, df, (struct ice_field){143, "referenced_data_file"}, &f->referenced_data_file, l->err));
    TRY(frz__ice_get_long(df, (struct ice_field){144, "content_offset"}, 0, big, &f->content_offset, l->err));
    TRY(frz__ice_get_long(df, (struct ice_field){145, "content_size_in_bytes"}, 0, big, &f->content_size, l->err));
    if (has_format(f, "PUFFIN") && (f->content_offset < 0 || f->content_size < 0 || !f->referenced_data_file.data))
        return frz__err_corrupt(l->err, "a deletion vector without content_offset (144), content_size_in_bytes (145) or referenced_data_file (143)");
    return FRZ_OK;
}

/* Sequence numbers: null is inherited by ADDED entries, and means 0 in what was written as v1. */
static int inherit_sequence(const struct ice_manifest *m, struct ice_entry *e, frz_error *err)
{
    const bool inherits = e->status == ICE_ADDED || m->sequence_number == 0;
    if (e->sequence_number < 0 && !inherits && e->status == ICE_EXISTING) return frz__err_corrupt(err, "an EXISTING entry without sequence_number (3)");
    if (e->file_sequence_number < 0 && inherits) e->file_sequence_number = m->sequence_number;
    if (e->sequence_number < 0) e->sequence_number = m->sequence_number;
    return FRZ_OK;
}

/* Row ids of data files: as many as each has rows, from the manifest's, to live entries that have none. In a manifest without, nobody has. */
static int inherit_row_id(const struct ice_manifest *m, struct ice_entry *e, int64_t *next, frz_error *err)
{
    struct ice_file *f = &e->file;
    if (m->content != 0 || m->first_row_id < 0) f->first_row_id = -1;
    else if (f->first_row_id < 0 && e->status != ICE_DELETED) {
        if (f->record_count > INT64_MAX - *next) return frz__err_corrupt(err, "row ids beyond 63 bits: %" PRId64 " rows from %" PRId64, f->record_count, *next);
        f->first_row_id = *next;
        *next += f->record_count;
    }
    return FRZ_OK;
}

static int load_entry(struct loader *l, const struct avro_value *v, const struct ice_manifest *m, int64_t *next_row_id, struct ice_entry *e)
{
    const struct avro_value *df;
    int64_t status;
    *e = (struct ice_entry){.snapshot_id = m->added_snapshot_id, .sequence_number = -1, .file_sequence_number = -1};
    TRY(frz__ice_need_long(v, (struct ice_field){0, "status"}, 0, 2, &status, l->err));
    e->status = (enum ice_status)status;
    TRY(frz__ice_get_long(v, (struct ice_field){1, "snapshot_id"}, INT64_MIN, INT64_MAX, &e->snapshot_id, l->err));
    TRY(frz__ice_get_long(v, (struct ice_field){3, "sequence_number"}, 0, INT64_MAX, &e->sequence_number, l->err));
    TRY(frz__ice_get_long(v, (struct ice_field){4, "file_sequence_number"}, 0, INT64_MAX, &e->file_sequence_number, l->err));
    TRY(frz__ice_get_kind(v, (struct ice_field){2, "data_file"}, AVRO_RECORD, &df, l->err));
    if (!df) return frz__err_corrupt(l->err, "data_file (2) is missing");
    TRY(load_file(l, df, m->content, &e->file));
    TRY(inherit_sequence(m, e, l->err));
    return inherit_row_id(m, e, next_row_id, l->err);
}

/* What a v1 list does not tell. */
static void count_entries(struct ice_manifest *m, const struct ice_entry *entries, size_t count)
{
    int32_t files[3] = {0, 0, 0};
    int64_t rows[3] = {0, 0, 0};
    for (size_t i = 0; i < count; i++) {
        int s = (int)entries[i].status;
        if (files[s] < INT32_MAX) files[s]++;
        rows[s] = entries[i].file.record_count > INT64_MAX - rows[s] ? INT64_MAX : rows[s] + entries[i].file.record_count;
    }
    if (m->added_files < 0) m->added_files = files[ICE_ADDED];
    if (m->existing_files < 0) m->existing_files = files[ICE_EXISTING];
    if (m->deleted_files < 0) m->deleted_files = files[ICE_DELETED];
    if (m->added_rows < 0) m->added_rows = rows[ICE_ADDED];
    if (m->existing_rows < 0) m->existing_rows = rows[ICE_EXISTING];
    if (m->deleted_rows < 0) m->deleted_rows = rows[ICE_DELETED];
}

int frz__ice_manifest_parse(const allocator *a, struct arena *ar, slice avro, struct ice_manifest *m, frz_error *err)
{
    struct loader l = {.a = a, .ar = ar, .err = err};
    struct avro_reader *r = NULL;
    struct ice_entry *entries = NULL, *kept;
    size_t count = 0, cap = 0;
    int64_t next_row_id = m->first_row_id;
    int rc;
    CHECK(frz__avro_reader_new(a, avro, &r, err));
    CHECK(frz__ice_check_version(r, err));
    for (;;) {
        const struct avro_value *v;
        CHECK(frz__avro_next(r, &v, err));
        if (rc == FRZ_DONE) break;
        CHECK(frz__grow(a, (void **)&entries, count, &cap, sizeof *entries, err));
        CHECK_CTX(load_entry(&l, v, m, &next_row_id, &entries[count]), err, "entry %zu", count);
        count++;
    }
    kept = (struct ice_entry *)arena_alloc(ar, count * sizeof *kept, 8);
    if (!kept) CHECK(frz__err_no_memory(err, count * sizeof *kept));
    if (count) memcpy(kept, entries, count * sizeof *kept);
    count_entries(m, kept, count);
    m->entries = kept;
    m->entry_count = count;
    m->loaded = true;
    rc = FRZ_OK;
done:
    if (rc < 0) frz__err_context(err, "manifest %.*s", (int)frz__utf8_prefix(m->path, 100), m->path.data ? (const char *)m->path.data : "");
    frz__avro_reader_free(r);
    frz__free(a, entries);
    frz__free(a, l.ids);
    return rc;
}
