#include "iceberg/ice_edit.h"

#include "iceberg/ice_avro.h"
#include "iceberg/ice_edit_int.h"

/* What is published never says an earlier time than what it follows: readers and Java refuse logs that go back. */
static int64_t timestamp(const struct ice_work *w)
{
    const struct ice_meta *b = w->base;
    const struct ice_snapshot *now = frz__ice_snapshot(b, b->current_snapshot_id);
    int64_t t = w->env->now_ms;
    if (t < b->last_updated_ms) t = b->last_updated_ms;
    if (now && t < now->timestamp_ms) t = now->timestamp_ms;
    for (size_t i = 0; i < b->snapshot_log_count; i++)
        if (t < b->snapshot_log[i].timestamp_ms) t = b->snapshot_log[i].timestamp_ms;
    for (size_t i = 0; i < b->metadata_log_count; i++)
        if (t < b->metadata_log[i].timestamp_ms) t = b->metadata_log[i].timestamp_ms;
    return t;
}

/* ── format, schema, properties ── */

/* What is there stays as it is: row ids are given to all of it by the first snapshot of the new format, position-delete files hold until a deletion vector takes up what they say. */
static int apply_format(struct ice_work *w)
{
    int32_t to = w->edit->format_version, from = w->base->format_version;
    if (to == 0 || to == from) return FRZ_OK;
    if (to < from) return frz__err(w->err, FRZ_INVALID, "a table's format version only goes up: it is %d, and %d is asked for", from, to);
    if (to > ICE_FORMAT_VERSION_MAX) return frz__err(w->err, FRZ_UNSUPPORTED, "format version %d: the latest that this version of frazil writes is %d", to, ICE_FORMAT_VERSION_MAX);
    w->next->format_version = to;
    if (from < 3) w->next->next_row_id = 0;
    return FRZ_OK;
}

static int apply_schema(struct ice_work *w)
{
    const struct ice_meta *b = w->base;
    const frz_schema *s = w->edit->schema;
    if (!s) return FRZ_OK;
    if (!s->sealed) return frz__err(w->err, FRZ_MISUSE, "the schema is not sealed");
    TRY(frz__schema_check_format(s, b->format_version, w->err));
    if (s->last_column_id < b->last_column_id)
        return frz__err(w->err, FRZ_CONFLICT, "the schema's last column id is %d, the table's %d: the table's schema was changed by another commit", s->last_column_id, b->last_column_id);
    for (size_t i = 0; i < b->schema_count; i++) {
        if (b->schema_ids[i] != s->schema_id) continue;
        if (s->schema_id == b->current_schema_id || !b->schemas[i] || !frz__schema_same(b->schemas[i], s))
            return frz__err(w->err, FRZ_CONFLICT, "schema %d is there already: the table's schema was changed by another commit", s->schema_id);
        frz__ice_meta_use_schema(w->next, i, s);
        return FRZ_OK;
    }
    return frz__ice_meta_add_schema(w->a, w->ar, w->next, s, w->err);
}

static int apply_properties(struct ice_work *w)
{
    const struct ice_edit *e = w->edit;
    TRY(frz__ice_props_apply(w->ar, w->next, e->set, e->set_count, w->err));
    return e->flushed_log ? frz__ice_props_flushed(w->ar, w->next, e->flushed_log, e->flushed_seq, w->err) : FRZ_OK;
}

/* ── snapshot ── */

/* main at ID; its own settings are kept. */
static int point_main(struct ice_work *w, int64_t id)
{
    struct ice_meta *m = w->next;
    struct json *old = NULL;
    struct buf text = BUF_INIT(w->a, 0);
    struct jw out = JW_INIT(&text, w->err);
    size_t i = 0;
    int rc = FRZ_OK;
    while (i < m->ref_count && !slice_eq(m->refs[i].name, slice_str("main"))) i++;
    if (i < m->ref_count) CHECK(frz__json_parse(m->refs[i].json, &old, w->err));
    frz__jw_object(&out);
    frz__jw_key(&out, "snapshot-id");
    frz__jw_int(&out, id);
    frz__jw_key(&out, "type");
    frz__jw_cstr(&out, "branch");
    for (void *it = frz__json_first(old); it; it = frz__json_next(old, it)) {
        const char *key = frz__json_iter_key(it);
        if (strcmp(key, "snapshot-id") == 0 || strcmp(key, "type") == 0) continue;
        frz__jw_key(&out, key);
        CHECK(frz__jw_end(&out));
        CHECK(frz__json_dump(frz__json_iter_value(it), &text, w->err));
        out.comma = true;
    }
    frz__jw_object_end(&out);
    CHECK(frz__jw_end(&out));
    m->refs[i] = (struct ice_ref){.name = slice_str("main"), .snapshot_id = id};
    CHECK(frz__ice_dup(w->ar, buf_slice(&text), &m->refs[i].json, w->err));
    m->ref_count += i == m->ref_count;
done:
    buf_clear(&text);
    frz__json_free(old);
    return rc;
}

static int apply_snapshot(struct ice_work *w)
{
    struct ice_meta *m = w->next;
    struct ice_snapshot *s = &w->snap;
    *s = (struct ice_snapshot){.id = w->env->snapshot_id,
                               .parent_id = w->base->current_snapshot_id > 0 ? w->base->current_snapshot_id : 0,
                               .sequence_number = w->base->last_sequence_number + 1,
                               .timestamp_ms = m->last_updated_ms,
                               .schema_id = m->current_schema_id,
                               .first_row_id = -1,
                               .added_rows = -1};
    m->last_sequence_number = s->sequence_number;
    TRY(frz__ice_edit_resolve(w));
    TRY(frz__ice_tree_build(w));
    TRY(frz__ice_summary_build(w));
    m->snapshots[m->snapshot_count++] = *s;
    m->current_snapshot_id = s->id;
    m->snapshot_log[m->snapshot_log_count++] = (struct ice_log_entry){.timestamp_ms = s->timestamp_ms, .snapshot_id = s->id};
    return point_main(w, s->id);
}

/* The tree stays as it is; the result owns its own. */
static int copy_tree(struct ice_work *w)
{
    struct ice_tree *t = &w->out->tree;
    size_t n = w->base_tree ? w->base_tree->count : 0;
    if (!(t->manifests = (struct ice_manifest *)frz__ice_array(w->ar, n, sizeof *t->manifests, w->err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < n; i++) TRY(frz__ice_manifest_copy(w->ar, &w->base_tree->manifests[i], &t->manifests[t->count++], w->err));
    return FRZ_OK;
}

/* ── metadata log ── */

/* metadata/<name>.metadata.json under the table, or data NULL: what lies elsewhere is not ours to delete. */
static slice relative_metadata(const struct ice_meta *m, slice file)
{
    slice prefix = m->location, dir = slice_str("/metadata/"), end = slice_str(".metadata.json");
    if (!slice_has_prefix(file, prefix)) return slice_of(NULL, 0);
    slice rest = slice_of(file.data + prefix.len, file.len - prefix.len);
    if (!slice_has_prefix(rest, dir) || rest.len <= dir.len + end.len || memchr(rest.data + dir.len, '/', rest.len - dir.len) || memchr(rest.data, 0, rest.len) || rest.data[dir.len] == '.' ||
        memcmp(rest.data + rest.len - end.len, end.data, end.len) != 0)
        return slice_of(NULL, 0);
    return slice_of(rest.data + 1, rest.len - 1);
}

/* The base's file joins the log; what is beyond write.metadata.previous-versions-max leaves it. */
static int apply_metadata_log(struct ice_work *w)
{
    struct ice_meta *m = w->next;
    struct ice_result *out = w->out;
    int64_t max = frz__ice_property_int(m, "write.metadata.previous-versions-max", 1, 100);
    if (w->env->base_version > 0) {
        struct ice_log_entry *e = &m->metadata_log[m->metadata_log_count++];
        *e = (struct ice_log_entry){.timestamp_ms = w->base->last_updated_ms};
        if (m->metadata_log_count > 1 && e->timestamp_ms < e[-1].timestamp_ms) e->timestamp_ms = e[-1].timestamp_ms;
        TRY(frz__ice_printf(w->ar, &e->file, w->err, "%.*s/metadata/v%" PRId64 ".metadata.json", (int)m->location.len, (const char *)m->location.data, w->env->base_version));
    }
    if ((int64_t)m->metadata_log_count <= max) return FRZ_OK;
    size_t gone = m->metadata_log_count - (size_t)max;
    struct ice_log_entry *kept = m->metadata_log + gone;
    if (!(out->expired_metadata = (slice *)frz__ice_array(w->ar, gone, sizeof *out->expired_metadata, w->err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < gone && frz__ice_property_bool(m, "write.metadata.delete-after-commit.enabled", false); i++) {
        slice name = relative_metadata(m, m->metadata_log[i].file);
        bool again = false; /* a log that names a file twice still needs it */
        for (int64_t k = 0; k < max; k++) again |= slice_eq(kept[k].file, m->metadata_log[i].file);
        if (name.data && !again) out->expired_metadata[out->expired_metadata_count++] = name;
    }
    m->metadata_log = kept;
    m->metadata_log_count = (size_t)max;
    return FRZ_OK;
}

static int apply(struct ice_work *w)
{
    struct ice_result *out = w->out;
    TRY(frz__ice_edit_check(w));
    TRY(frz__ice_meta_copy(w->ar, w->base, &w->next, w->err));
    w->next->last_updated_ms = timestamp(w);
    TRY(apply_format(w));
    TRY(apply_schema(w));
    TRY(apply_properties(w));
    if (w->edit->no_snapshot) TRY(copy_tree(w));
    else TRY(apply_snapshot(w));
    TRY(frz__ice_tags_apply(w->a, w->ar, w->next, w->edit->tags, w->edit->tag_count, w->err));
    TRY(frz__ice_expire(w->a, w->ar, &w->tmp, w->next, w->next->last_updated_ms, w->edit->expire, &out->expired_snapshots, &out->expired_snapshot_count, w->err));
    TRY(frz__ice_tags_last(w->next, w->base, w->next->last_updated_ms, w->edit->tags, w->edit->tag_count, w->err));
    frz__ice_schemas_trim(w->next);
    TRY(apply_metadata_log(w));
    TRY(frz__ice_meta_json(w->a, w->ar, w->next, &out->metadata_json, w->err));
    out->meta = w->next;
    return FRZ_OK;
}

int frz__ice_apply(const allocator *a, struct arena *ar, const struct ice_meta *base, const struct ice_tree *base_tree, const struct ice_edit *edit, const struct ice_env *env, struct ice_result *out,
                   frz_error *err)
{
    struct ice_work w = {.a = a, .ar = ar, .tmp = ARENA_INIT(a), .base = base, .base_tree = base_tree, .edit = edit, .env = env, .err = err, .out = out};
    *out = (struct ice_result){.ar = ar};
    int rc = apply(&w);
    if (rc < 0) {
        frz__ice_meta_release(w.next);
        *out = (struct ice_result){.ar = ar};
    }
    frz__arena_clear(&w.tmp);
    return rc;
}
