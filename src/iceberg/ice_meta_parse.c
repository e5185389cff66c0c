/* ice_meta_parse.c — JSON → table metadata. What the format requires and others always write is required; what they leave out has the spec's default; what we do not know is kept as text.
 * What it gives holds: snapshot ids unique and positive, sequence numbers within last-sequence-number, refs and the current snapshot exist and agree, the current schema and the default
 * spec exist, properties sorted. Source: Iceberg spec, "Table Metadata Fields", "Snapshots", "Snapshot References", Appendix C. */
#include <stdio.h>
#include <stdlib.h>
#include "base/rand.h"
#include "iceberg/ice_mem.h"
#include "iceberg/ice_meta.h"

struct parse {
    const allocator *a;
    struct arena *ar;
    struct ice_meta *m;
    const struct json *root;
    struct buf text; /* scratch */
    char where[64];  /* "" or "snapshots[3]: " */
    frz_error *err;
};

/* ── typed members ── */

static const char *found(const struct json *v)
{
    static const char *const names[] = {"null", "a boolean", "an integer", "a number with a fraction", "a string", "an array", "an object"};
    return v ? names[frz__json_kind(v)] : "nothing";
}

static int bad_key(struct parse *p, const char *key, const char *expected, const struct json *v)
{
    return frz__err_corrupt(p->err, "table metadata: %s\"%s\": expected %s, found %s", p->where, key, expected, found(v));
}

/* What a lower layer said of the text, as damage of the file. */
static int as_corrupt(struct parse *p, const char *where)
{
    char text[sizeof p->err->message];
    snprintf(text, sizeof text, "%s", p->err ? p->err->message : "");
    return frz__err_corrupt(p->err, "table metadata: %s%s", where, text);
}

static void at(struct parse *p, const char *key, size_t i) { snprintf(p->where, sizeof p->where, "%s[%zu]: ", key, i); }
static void at_root(struct parse *p) { p->where[0] = 0; }

/* Absent or null: *OUT stays, unless REQUIRED. */
static int get_int(struct parse *p, const struct json *o, const char *key, bool required, int64_t *out)
{
    const struct json *v = frz__json_get(o, key);
    if (frz__json_kind(v) == JK_NULL && !required) return FRZ_OK;
    if (frz__json_kind(v) != JK_INT) return bad_key(p, key, "an integer", v);
    *out = frz__json_int(v);
    return FRZ_OK;
}

static int get_i32(struct parse *p, const struct json *o, const char *key, bool required, int32_t *out)
{
    int64_t v = *out;
    TRY(get_int(p, o, key, required, &v));
    if (v < INT32_MIN || v > INT32_MAX) return frz__err_corrupt(p->err, "table metadata: %s\"%s\": %" PRId64 " is beyond 32 bits", p->where, key, v);
    *out = (int32_t)v;
    return FRZ_OK;
}

static int get_str(struct parse *p, const struct json *o, const char *key, bool required, slice *out)
{
    const struct json *v = frz__json_get(o, key);
    if (frz__json_kind(v) == JK_NULL && !required) return FRZ_OK;
    if (frz__json_kind(v) != JK_STRING) return bad_key(p, key, "a string", v);
    return frz__ice_dup(p->ar, frz__json_str(v), out, p->err);
}

/* *OUT is NULL where it is absent or null and not REQUIRED. */
static int get_kind(struct parse *p, const struct json *o, const char *key, enum json_kind kind, bool required, const struct json **out)
{
    const struct json *v = frz__json_get(o, key);
    *out = NULL;
    if (frz__json_kind(v) == JK_NULL && !required) return FRZ_OK;
    if (frz__json_kind(v) != kind) return bad_key(p, key, kind == JK_ARRAY ? "an array" : "an object", v);
    *out = v;
    return FRZ_OK;
}

static int need_object(struct parse *p, const struct json *v)
{
    if (frz__json_kind(v) == JK_OBJECT) return FRZ_OK;
    return frz__err_corrupt(p->err, "table metadata: %sexpected an object, found %s", p->where, found(v));
}

static int dump(struct parse *p, const struct json *v, slice *out)
{
    buf_reset(&p->text);
    TRY(frz__json_dump(v, &p->text, p->err));
    return frz__ice_dup(p->ar, buf_slice(&p->text), out, p->err);
}

/* Members of O that are not in KNOWN, as `"k":v,…`. */
static int keep_extra(struct parse *p, const struct json *o, const char *const *known, size_t known_count, slice *out)
{
    *out = slice_of(NULL, 0);
    buf_reset(&p->text);
    struct jw w = JW_INIT(&p->text, p->err);
    for (void *it = frz__json_first(o); it; it = frz__json_next(o, it)) {
        size_t i = 0;
        while (i < known_count && strcmp(known[i], frz__json_iter_key(it)) != 0) i++;
        if (i < known_count) continue;
        frz__jw_key(&w, frz__json_iter_key(it));
        TRY(frz__jw_end(&w));
        TRY(frz__json_dump(frz__json_iter_value(it), &p->text, p->err));
        w.comma = true;
    }
    TRY(frz__jw_end(&w));
    return p->text.len ? frz__ice_dup(p->ar, buf_slice(&p->text), out, p->err) : FRZ_OK;
}

static int cmp_kv(const void *a, const void *b) { return slice_cmp(((const struct ice_kv *)a)->key, ((const struct ice_kv *)b)->key); }

/* Values are strings by the spec; a number or a boolean that somebody wrote bare is taken as its text. */
static int get_map(struct parse *p, const struct json *o, const char *key, struct ice_kv **out, size_t *count)
{
    const struct json *map = NULL;
    *count = 0;
    TRY(get_kind(p, o, key, JK_OBJECT, false, &map));
    size_t n = 0;
    for (void *it = frz__json_first(map); it; it = frz__json_next(map, it)) n++;
    if (!(*out = (struct ice_kv *)frz__ice_array(p->ar, n, sizeof **out, p->err))) return FRZ_NO_MEMORY;
    for (void *it = frz__json_first(map); it; it = frz__json_next(map, it)) {
        struct ice_kv *kv = &(*out)[*count];
        const struct json *v = frz__json_iter_value(it);
        enum json_kind kind = frz__json_kind(v);
        TRY(frz__ice_dup(p->ar, slice_str(frz__json_iter_key(it)), &kv->key, p->err));
        if (kind == JK_STRING) TRY(frz__ice_dup(p->ar, frz__json_str(v), &kv->value, p->err));
        else if (kind == JK_INT || kind == JK_REAL || kind == JK_BOOL) TRY(dump(p, v, &kv->value));
        else return frz__err_corrupt(p->err, "table metadata: %s\"%s\": value of \"%s\": expected a string, found %s", p->where, key, frz__json_iter_key(it), found(v));
        (*count)++;
    }
    return FRZ_OK;
}

/* ── parts ── */

static int parse_version(struct parse *p)
{
    int32_t v = 0;
    TRY(get_i32(p, p->root, "format-version", true, &v));
    if (v == 1) return frz__err(p->err, FRZ_UNSUPPORTED, "table metadata: format-version 1 is not supported; upgrade the table to 2 with the engine that wrote it");
    if (v > 3) return frz__err(p->err, FRZ_NEWER_FORMAT, "table metadata: format-version %d is newer than 3, the latest that this version of frazil knows", v);
    if (v < 1) return frz__err_corrupt(p->err, "table metadata: format-version: expected 2 or 3, found %d", v);
    p->m->format_version = v;
    return FRZ_OK;
}

static int parse_head(struct parse *p)
{
    struct ice_meta *m = p->m;
    slice uuid = {0};
    uint8_t bytes[16];
    int64_t column = 0;
    TRY(get_str(p, p->root, "table-uuid", true, &uuid));
    if (uuid.len != 36 || !frz__uuid_parse((const char *)uuid.data, uuid.len, bytes))
        return frz__err_corrupt(p->err, "table metadata: table-uuid: expected a UUID of 36 characters, found \"%.*s\"", (int)(uuid.len < 64 ? uuid.len : 64), (const char *)uuid.data);
    memcpy(m->uuid, uuid.data, 37);
    TRY(get_str(p, p->root, "location", true, &m->location));
    while (m->location.len && m->location.data[m->location.len - 1] == '/') m->location.len--;
    TRY(get_int(p, p->root, "last-sequence-number", true, &m->last_sequence_number));
    if (m->last_sequence_number < 0) return frz__err_corrupt(p->err, "table metadata: last-sequence-number is negative: %" PRId64, m->last_sequence_number);
    TRY(get_int(p, p->root, "last-updated-ms", true, &m->last_updated_ms));
    TRY(get_int(p, p->root, "last-column-id", true, &column));
    if (column < 0 || column > INT32_MAX) return frz__err_corrupt(p->err, "table metadata: last-column-id is out of range: %" PRId64, column);
    m->last_column_id = (int32_t)column;
    if (m->format_version >= 3) TRY(get_int(p, p->root, "next-row-id", true, &m->next_row_id));
    if (m->next_row_id < 0) return frz__err_corrupt(p->err, "table metadata: next-row-id is negative: %" PRId64, m->next_row_id);
    return FRZ_OK;
}

struct order { int64_t key; size_t index; };
static int cmp_order(const void *a, const void *b)
{
    const struct order *x = (const struct order *)a, *y = (const struct order *)b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->index > y->index) - (x->index < y->index);
}

/* A schema by the spec, ours or not. */
static int check_schema_shape(struct parse *p, const struct json *v)
{
    const struct json *fields = NULL;
    TRY(get_kind(p, v, "fields", JK_ARRAY, true, &fields));
    for (size_t i = 0; i < frz__json_len(fields); i++) {
        const struct json *f = frz__json_at(fields, i), *type = frz__json_get(f, "type"), *required = frz__json_get(f, "required");
        int32_t id = 0;
        slice name = {0};
        TRY(need_object(p, f));
        TRY(get_i32(p, f, "id", true, &id));
        TRY(get_str(p, f, "name", true, &name));
        if (frz__json_kind(required) != JK_BOOL) return bad_key(p, "required", "a boolean", required);
        if (frz__json_kind(type) != JK_STRING && frz__json_kind(type) != JK_OBJECT) return bad_key(p, "type", "a string or an object", type);
        if (id > p->m->last_column_id) p->m->last_column_id = id; /* new columns must not take it */
    }
    return FRZ_OK;
}

/* NULL where it is not one of ours: nested or unknown types, names that differ only in case, a key that is none for us. */
static int parse_schema(struct parse *p, const struct json *v, frz_schema **out)
{
    TRY(check_schema_shape(p, v));
    int rc = frz__schema_from_json(p->a, v, out, p->err);
    if (rc >= 0) return FRZ_OK;
    *out = NULL;
    if (rc != FRZ_UNSUPPORTED && rc != FRZ_INVALID) return rc;
    frz__err_clear(p->err);
    return FRZ_OK;
}

static int parse_schemas(struct parse *p)
{
    struct ice_meta *m = p->m;
    const struct json *list = NULL;
    TRY(get_i32(p, p->root, "current-schema-id", true, &m->current_schema_id));
    TRY(get_kind(p, p->root, "schemas", JK_ARRAY, true, &list));
    size_t n = frz__json_len(list);
    m->schemas = (frz_schema **)frz__ice_array(p->ar, n, sizeof *m->schemas, p->err);
    m->schema_json = (slice *)frz__ice_array(p->ar, n, sizeof *m->schema_json, p->err);
    m->schema_ids = (int32_t *)frz__ice_array(p->ar, n, sizeof *m->schema_ids, p->err);
    struct order *by = (struct order *)frz__ice_array(p->ar, n, sizeof *by, p->err);
    if (!m->schemas || !m->schema_json || !m->schema_ids || !by) return FRZ_NO_MEMORY;
    bool current = false;
    for (size_t i = 0; i < n; i++) {
        const struct json *v = frz__json_at(list, i);
        at(p, "schemas", i);
        TRY(need_object(p, v));
        TRY(get_i32(p, v, "schema-id", n > 1, &m->schema_ids[i]));
        by[i] = (struct order){m->schema_ids[i], i};
        TRY(dump(p, v, &m->schema_json[i]));
        TRY(parse_schema(p, v, &m->schemas[i]));
        m->schema_count = i + 1;
        current |= m->schema_ids[i] == m->current_schema_id;
    }
    at_root(p);
    qsort(by, n, sizeof *by, cmp_order);
    for (size_t i = 1; i < n; i++)
        if (by[i].key == by[i - 1].key) return frz__err_corrupt(p->err, "table metadata: schema-id %" PRId64 " is there twice", by[i].key);
    if (!current) return frz__err_corrupt(p->err, "table metadata: current-schema-id %d is not among the %zu schemas", m->current_schema_id, n);
    return FRZ_OK;
}

static int parse_specs(struct parse *p)
{
    struct ice_meta *m = p->m;
    const struct json *specs = NULL, *orders = NULL, *fields = NULL;
    bool have = false;
    int32_t last = 999; /* partition field ids begin at 1000 */
    TRY(get_kind(p, p->root, "partition-specs", JK_ARRAY, true, &specs));
    TRY(get_i32(p, p->root, "default-spec-id", true, &m->default_spec_id));
    for (size_t i = 0; i < frz__json_len(specs); i++) {
        const struct json *spec = frz__json_at(specs, i);
        int32_t id = 0;
        at(p, "partition-specs", i);
        TRY(need_object(p, spec));
        TRY(get_i32(p, spec, "spec-id", true, &id));
        TRY(get_kind(p, spec, "fields", JK_ARRAY, true, &fields));
        for (size_t k = 0; k < frz__json_len(fields); k++) {
            int32_t field = 0;
            TRY(need_object(p, frz__json_at(fields, k)));
            TRY(get_i32(p, frz__json_at(fields, k), "field-id", false, &field));
            if (field > last) last = field;
        }
        if (id != m->default_spec_id) continue;
        if (have) return frz__err_corrupt(p->err, "table metadata: %sspec-id %d is there twice", p->where, id);
        have = true;
        m->partitioned = frz__json_len(fields) > 0;
    }
    at_root(p);
    if (!have) return frz__err_corrupt(p->err, "table metadata: default-spec-id %d is not among the partition-specs", m->default_spec_id);
    m->last_partition_id = last;
    TRY(get_i32(p, p->root, "last-partition-id", false, &m->last_partition_id));
    TRY(dump(p, specs, &m->partition_specs));
    TRY(get_kind(p, p->root, "sort-orders", JK_ARRAY, false, &orders));
    TRY(get_i32(p, p->root, "default-sort-order-id", false, &m->default_sort_order_id));
    return orders ? dump(p, orders, &m->sort_orders) : frz__ice_dup(p->ar, slice_str("[{\"order-id\":0,\"fields\":[]}]"), &m->sort_orders, p->err);
}

static int parse_snapshot(struct parse *p, const struct json *v, struct ice_snapshot *s)
{
    static const char *const known[] = {"snapshot-id", "parent-snapshot-id", "sequence-number", "timestamp-ms", "manifest-list", "summary", "schema-id", "first-row-id", "added-rows"};
    s->schema_id = -1;
    s->first_row_id = s->added_rows = -1;
    TRY(need_object(p, v));
    TRY(get_int(p, v, "snapshot-id", true, &s->id));
    if (s->id <= 0) return frz__err_corrupt(p->err, "table metadata: %ssnapshot-id: expected a positive number, found %" PRId64, p->where, s->id);
    TRY(get_int(p, v, "parent-snapshot-id", false, &s->parent_id));
    if (s->parent_id < 0) s->parent_id = 0;
    TRY(get_int(p, v, "sequence-number", false, &s->sequence_number)); /* absent: made under format 1 */
    if (s->sequence_number < 0 || s->sequence_number > p->m->last_sequence_number)
        return frz__err_corrupt(p->err, "table metadata: %ssequence-number %" PRId64 " is not within last-sequence-number %" PRId64, p->where, s->sequence_number, p->m->last_sequence_number);
    TRY(get_int(p, v, "timestamp-ms", true, &s->timestamp_ms));
    TRY(get_str(p, v, "manifest-list", false, &s->manifest_list));
    if (!s->manifest_list.data && frz__json_kind(frz__json_get(v, "manifests")) != JK_ARRAY) return bad_key(p, "manifest-list", "a string", NULL);
    TRY(get_map(p, v, "summary", &s->summary, &s->summary_count));
    s->operation = frz__ice_summary(s, "operation");
    TRY(get_i32(p, v, "schema-id", false, &s->schema_id));
    TRY(get_int(p, v, "first-row-id", false, &s->first_row_id));
    TRY(get_int(p, v, "added-rows", false, &s->added_rows));
    if (s->first_row_id < -1 || s->added_rows < -1) return frz__err_corrupt(p->err, "table metadata: %sfirst-row-id or added-rows is negative", p->where);
    return keep_extra(p, v, known, FRZ_ARRAY_LEN(known), &s->extra);
}

/* By sequence number; those of one number as they came. */
static int sort_snapshots(struct parse *p)
{
    struct ice_meta *m = p->m;
    size_t n = m->snapshot_count;
    struct order *by = (struct order *)frz__ice_array(p->ar, n, sizeof *by, p->err);
    struct ice_snapshot *sorted = (struct ice_snapshot *)frz__ice_array(p->ar, n, sizeof *sorted, p->err);
    if (!by || !sorted) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < n; i++) by[i] = (struct order){m->snapshots[i].id, i};
    qsort(by, n, sizeof *by, cmp_order);
    for (size_t i = 1; i < n; i++)
        if (by[i].key == by[i - 1].key) return frz__err_corrupt(p->err, "table metadata: snapshot-id %" PRId64 " is there twice", by[i].key);
    for (size_t i = 0; i < n; i++) by[i] = (struct order){m->snapshots[i].sequence_number, i};
    qsort(by, n, sizeof *by, cmp_order);
    for (size_t i = 0; i < n; i++) sorted[i] = m->snapshots[by[i].index];
    m->snapshots = sorted;
    return FRZ_OK;
}

static int parse_snapshots(struct parse *p)
{
    struct ice_meta *m = p->m;
    const struct json *list = NULL;
    TRY(get_kind(p, p->root, "snapshots", JK_ARRAY, false, &list));
    size_t n = frz__json_len(list);
    if (!(m->snapshots = (struct ice_snapshot *)frz__ice_array(p->ar, n, sizeof *m->snapshots, p->err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        at(p, "snapshots", i);
        TRY(parse_snapshot(p, frz__json_at(list, i), &m->snapshots[i]));
        m->snapshot_count++;
    }
    at_root(p);
    TRY(sort_snapshots(p));
    m->current_snapshot_id = -1;
    TRY(get_int(p, p->root, "current-snapshot-id", false, &m->current_snapshot_id));
    if (m->current_snapshot_id <= 0) m->current_snapshot_id = -1;
    if (m->current_snapshot_id < 0) return FRZ_OK;
    const struct ice_snapshot *now = frz__ice_snapshot(m, m->current_snapshot_id);
    if (!now) return frz__err_corrupt(p->err, "table metadata: current-snapshot-id %" PRId64 " is not among the %zu snapshots", m->current_snapshot_id, n);
    if (!now->manifest_list.data)
        return frz__err(p->err, FRZ_UNSUPPORTED, "table metadata: snapshot %" PRId64 " lists its manifests inline, as format 1 may; rewrite its manifests with the engine that wrote it", now->id);
    return FRZ_OK;
}

static int add_main_ref(struct parse *p)
{
    struct ice_ref *r = &p->m->refs[p->m->ref_count++];
    r->snapshot_id = p->m->current_snapshot_id;
    TRY(frz__ice_dup(p->ar, slice_str("main"), &r->name, p->err));
    return frz__ice_printf(p->ar, &r->json, p->err, "{\"snapshot-id\":%" PRId64 ",\"type\":\"branch\"}", r->snapshot_id);
}

static int parse_refs(struct parse *p)
{
    struct ice_meta *m = p->m;
    const struct json *map = NULL;
    bool have_main = false;
    TRY(get_kind(p, p->root, "refs", JK_OBJECT, false, &map));
    size_t n = 1; /* main, where a writer left it out */
    for (void *it = frz__json_first(map); it; it = frz__json_next(map, it)) n++;
    if (!(m->refs = (struct ice_ref *)frz__ice_array(p->ar, n, sizeof *m->refs, p->err))) return FRZ_NO_MEMORY;
    for (void *it = frz__json_first(map); it; it = frz__json_next(map, it)) {
        struct ice_ref *r = &m->refs[m->ref_count++];
        const struct json *v = frz__json_iter_value(it);
        slice type = {0};
        snprintf(p->where, sizeof p->where, "refs: %.48s: ", frz__json_iter_key(it));
        TRY(need_object(p, v));
        TRY(frz__ice_dup(p->ar, slice_str(frz__json_iter_key(it)), &r->name, p->err));
        TRY(get_int(p, v, "snapshot-id", true, &r->snapshot_id));
        TRY(get_str(p, v, "type", true, &type));
        r->is_tag = slice_eq(type, slice_str("tag"));
        if (!r->is_tag && !slice_eq(type, slice_str("branch"))) return frz__err_corrupt(p->err, "table metadata: %s\"type\": expected branch or tag, found \"%.32s\"", p->where, (const char *)type.data);
        if (!frz__ice_snapshot(m, r->snapshot_id)) return frz__err_corrupt(p->err, "table metadata: %ssnapshot %" PRId64 " is not among the snapshots", p->where, r->snapshot_id);
        TRY(dump(p, v, &r->json));
        if (!slice_eq(r->name, slice_str("main"))) continue;
        have_main = true;
        if (r->is_tag || r->snapshot_id != m->current_snapshot_id)
            return frz__err_corrupt(p->err, "table metadata: refs: main: expected a branch at current-snapshot-id %" PRId64 ", found %s at %" PRId64, m->current_snapshot_id, r->is_tag ? "a tag" : "one",
                                    r->snapshot_id);
    }
    at_root(p);
    return m->current_snapshot_id > 0 && !have_main ? add_main_ref(p) : FRZ_OK;
}

static int parse_log(struct parse *p, const char *key, bool files, struct ice_log_entry **out, size_t *count)
{
    const struct json *list = NULL;
    TRY(get_kind(p, p->root, key, JK_ARRAY, false, &list));
    size_t n = frz__json_len(list);
    if (!(*out = (struct ice_log_entry *)frz__ice_array(p->ar, n, sizeof **out, p->err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const struct json *v = frz__json_at(list, i);
        at(p, key, i);
        TRY(need_object(p, v));
        TRY(get_int(p, v, "timestamp-ms", true, &(*out)[i].timestamp_ms));
        if (files) TRY(get_str(p, v, "metadata-file", true, &(*out)[i].file));
        else TRY(get_int(p, v, "snapshot-id", true, &(*out)[i].snapshot_id));
        (*count)++;
    }
    at_root(p);
    return FRZ_OK;
}

static int parse_array_text(struct parse *p, const char *key, slice *out)
{
    const struct json *v = NULL;
    TRY(get_kind(p, p->root, key, JK_ARRAY, false, &v));
    return v ? dump(p, v, out) : frz__ice_dup(p->ar, slice_str("[]"), out, p->err);
}

static int parse_all(struct parse *p)
{
    static const char *const known[] = {"format-version", "table-uuid", "location", "last-sequence-number", "last-updated-ms", "last-column-id", "schemas", "current-schema-id", "partition-specs",
                                        "default-spec-id", "last-partition-id", "sort-orders", "default-sort-order-id", "properties", "current-snapshot-id", "snapshots", "snapshot-log", "metadata-log",
                                        "refs", "statistics", "partition-statistics", "next-row-id",
                                        "schema", "partition-spec" /* format 1's, which some still write beside the lists: not rewritten, they would go stale */};
    struct ice_meta *m = p->m;
    if (frz__json_kind(p->root) != JK_OBJECT) return frz__err_corrupt(p->err, "table metadata: expected an object, found %s", found(p->root));
    TRY(parse_version(p));
    TRY(parse_head(p));
    TRY(parse_schemas(p));
    TRY(parse_specs(p));
    TRY(get_map(p, p->root, "properties", &m->properties, &m->property_count));
    qsort(m->properties, m->property_count, sizeof *m->properties, cmp_kv);
    TRY(parse_snapshots(p));
    TRY(parse_refs(p));
    TRY(parse_log(p, "snapshot-log", false, &m->snapshot_log, &m->snapshot_log_count));
    TRY(parse_log(p, "metadata-log", true, &m->metadata_log, &m->metadata_log_count));
    TRY(parse_array_text(p, "statistics", &m->statistics));
    TRY(parse_array_text(p, "partition-statistics", &m->partition_statistics));
    return keep_extra(p, p->root, known, FRZ_ARRAY_LEN(known), &m->extra);
}

int frz__ice_meta_parse(const allocator *a, struct arena *ar, slice json, struct ice_meta **out, frz_error *err)
{
    struct json *root = NULL;
    struct parse p = {.a = a, .ar = ar, .text = BUF_INIT(a, 0), .err = err};
    *out = NULL;
    int rc = frz__json_parse(json, &root, err);
    if (rc == FRZ_INVALID) rc = as_corrupt(&p, "");
    if (rc < 0) goto done;
    p.root = root;
    p.m = (struct ice_meta *)frz__ice_array(ar, 1, sizeof *p.m, err);
    CHECK(p.m ? FRZ_OK : FRZ_NO_MEMORY);
    CHECK(parse_all(&p));
    *out = p.m;
done:
    if (rc < 0) frz__ice_meta_release(p.m);
    buf_clear(&p.text);
    frz__json_free(root);
    return rc;
}
