/* ice_relocate.c — a table that was copied or moved: the same snapshot, of which every path says where the table is now. */
#include "base/utf8.h"
#include "iceberg/ice_edit_int.h"

struct move {
    const allocator *a;
    struct arena *ar;
    slice from, to; /* locations */
    const struct ice_moved_file *files;
    size_t file_count;
    const struct ice_env *env;
    struct ice_result *out;
    int64_t bytes; /* by which the files that were written anew are larger */
    frz_error *err;
};

/* S with the new beginning; FRZ_UNSUPPORTED if it is not below the old one. */
static int move_path(const struct move *m, slice s, slice *out)
{
    slice rest;
    if (!frz__ice_path_within(m->from, s, &rest))
        return frz__err(m->err, FRZ_UNSUPPORTED, "%.*s is not under the table's location %.*s, and can't be moved with it", (int)frz__utf8_prefix(s, 200), s.data, (int)frz__utf8_prefix(m->from, 200), m->from.data);
    return frz__ice_printf(m->ar, out, m->err, "%.*s%.*s", (int)m->to.len, (const char *)m->to.data, (int)rest.len, (const char *)rest.data);
}

static int move_entry(struct move *m, struct ice_entry *e)
{
    bool vector = ice_is_dv(&e->file);
    for (size_t i = 0; e->file.content != ICE_DATA && i < m->file_count; i++) {
        const struct ice_moved_file *f = &m->files[i];
        if (!slice_eq(f->old_path, e->file.path) || (vector && !slice_eq(f->old_target, e->file.referenced_data_file))) continue;
        m->bytes += vector ? f->file.content_size - e->file.content_size : f->file.file_size - e->file.file_size;
        e->file = f->file;
        return FRZ_OK;
    }
    if (e->file.content != ICE_DATA) return frz__err(m->err, FRZ_BUG, "delete file %.*s was not written anew", (int)frz__utf8_prefix(e->file.path, 200), e->file.path.data);
    return move_path(m, e->file.path, &e->file.path);
}

/* Live entries alone, all of them there before: sequence numbers and row ids stay, written out. */
static int move_manifest(struct move *m, const struct ice_meta *meta, const struct ice_manifest *from)
{
    struct ice_manifest *to = &m->out->tree.manifests[m->out->tree.count];
    struct buf bytes = BUF_INIT(m->a, 0);
    slice name;
    int rc = FRZ_OK;
    CHECK(frz__ice_manifest_copy(m->ar, from, to, m->err));
    const struct ice_entry **refs = (const struct ice_entry **)frz__ice_array(m->ar, to->entry_count, sizeof *refs, m->err);
    if (!refs) return FRZ_NO_MEMORY;
    size_t live = 0;
    to->added_files = to->deleted_files = 0;
    to->existing_rows = to->added_rows = to->deleted_rows = 0;
    for (size_t i = 0; i < to->entry_count; i++) {
        if (to->entries[i].status == ICE_DELETED) continue;
        to->entries[live] = to->entries[i];
        struct ice_entry *e = &to->entries[live];
        e->status = ICE_EXISTING;
        CHECK(move_entry(m, e));
        to->existing_rows = ice_add(to->existing_rows, e->file.record_count);
        refs[live++] = e;
    }
    to->entry_count = live;
    if (live == 0) goto done;
    to->existing_files = (int32_t)live;
    CHECK(frz__ice_manifest_print(m->a, meta, to->content, refs, live, to->added_snapshot_id, to->sequence_number, &bytes, m->err));
    CHECK(frz__ice_printf(m->ar, &name, m->err, "metadata/frz-%s-m%zu.avro", m->env->name_token, m->out->tree.count));
    CHECK(frz__ice_printf(m->ar, &to->path, m->err, "%.*s/%s", (int)m->to.len, (const char *)m->to.data, (const char *)name.data));
    to->length = (int64_t)bytes.len;
    struct ice_out_file *file = &m->out->files[m->out->file_count++];
    file->path = name;
    CHECK(frz__ice_dup(m->ar, buf_slice(&bytes), &file->bytes, m->err));
    m->out->tree.count++;
done:
    buf_clear(&bytes);
    return rc;
}

/* What the snapshot added and removed can't be seen of it any more: its entries are all there before. Totals stay; files written anew may be larger by the length of a path. */
static int move_summary(const struct move *m, struct ice_snapshot *s)
{
    static const char *const gone[] = {"added-", "removed-", "deleted-", "manifests-", "changed-"};
    size_t kept = 0;
    for (size_t i = 0; i < s->summary_count; i++) {
        bool goes = false;
        for (size_t k = 0; k < FRZ_ARRAY_LEN(gone); k++) goes = goes || slice_has_prefix(s->summary[i].key, slice_str(gone[k]));
        if (!goes) s->summary[kept++] = s->summary[i];
    }
    s->summary_count = kept;
    for (size_t i = 0; i < kept; i++)
        if (slice_eq(s->summary[i].key, slice_str("operation"))) s->operation = s->summary[i].value = slice_str("replace"); /* the same rows in other files */
    for (size_t i = 0; i < s->summary_count && m->bytes; i++) {
        int64_t total;
        if (slice_eq(s->summary[i].key, slice_str("total-files-size")) && frz__ice_text_int(s->summary[i].value, &total))
            TRY(frz__ice_printf(m->ar, &s->summary[i].value, m->err, "%" PRId64, ice_add(total, m->bytes)));
    }
    return FRZ_OK;
}

static int move_snapshot(struct move *m, struct ice_meta *meta, const struct ice_tree *tree)
{
    struct buf bytes = BUF_INIT(m->a, 0);
    struct ice_result *out = m->out;
    slice name;
    int rc = FRZ_OK;
    size_t at = 0, logged = 0, refs = 0;
    while (meta->snapshots[at].id != meta->current_snapshot_id) at++;
    meta->snapshots[0] = meta->snapshots[at];
    meta->snapshot_count = 1;
    struct ice_snapshot *s = &meta->snapshots[0];
    for (size_t i = 0; i < meta->snapshot_log_count; i++)
        if (meta->snapshot_log[i].snapshot_id == s->id) meta->snapshot_log[logged++] = meta->snapshot_log[i];
    for (size_t i = 0; i < meta->ref_count; i++)
        if (meta->refs[i].snapshot_id == s->id) meta->refs[refs++] = meta->refs[i];
    meta->snapshot_log_count = logged;
    meta->ref_count = refs;
    for (size_t i = 0; i < tree->count; i++) CHECK(move_manifest(m, meta, &tree->manifests[i]));
    CHECK(move_summary(m, s));
    const struct ice_manifest **rows = (const struct ice_manifest **)frz__ice_array(m->ar, out->tree.count, sizeof *rows, m->err);
    if (!rows) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < out->tree.count; i++) rows[i] = &out->tree.manifests[i];
    CHECK(frz__ice_list_print(m->a, meta, s, rows, out->tree.count, &bytes, m->err));
    CHECK(frz__ice_printf(m->ar, &name, m->err, "metadata/snap-%" PRId64 "-%s.avro", s->id, m->env->name_token));
    CHECK(frz__ice_printf(m->ar, &s->manifest_list, m->err, "%.*s/%s", (int)m->to.len, (const char *)m->to.data, (const char *)name.data));
    struct ice_out_file *file = &out->files[out->file_count++];
    file->path = name;
    CHECK(frz__ice_dup(m->ar, buf_slice(&bytes), &file->bytes, m->err));
done:
    buf_clear(&bytes);
    return rc;
}

static int relocate(struct move *m, struct ice_meta *meta, const struct ice_tree *tree)
{
    struct ice_result *out = m->out;
    if (meta->partitioned) return frz__err(m->err, FRZ_UNSUPPORTED, "a partitioned table can't be moved by this version");
    TRY(frz__ice_dup(m->ar, m->to, &meta->location, m->err));
    for (size_t i = 0; i < meta->property_count; i++) {
        slice v = meta->properties[i].value;
        if (frz__ice_path_within(m->from, v, &(slice){0})) TRY(move_path(m, v, &meta->properties[i].value));
    }
    meta->statistics = meta->partition_statistics = slice_str("[]");
    meta->metadata_log_count = 0; /* what it names is where the table was */
    if (m->env->now_ms > meta->last_updated_ms) meta->last_updated_ms = m->env->now_ms;
    out->tree.manifests = (struct ice_manifest *)frz__ice_array(m->ar, tree->count, sizeof *out->tree.manifests, m->err);
    out->files = (struct ice_out_file *)frz__ice_array(m->ar, tree->count + 1, sizeof *out->files, m->err);
    if (!out->tree.manifests || !out->files) return FRZ_NO_MEMORY;
    if (frz__ice_snapshot(meta, meta->current_snapshot_id)) TRY(move_snapshot(m, meta, tree));
    else meta->snapshot_count = meta->snapshot_log_count = meta->ref_count = 0;
    return frz__ice_meta_json(m->a, m->ar, meta, &out->metadata_json, m->err);
}

int frz__ice_relocate(const allocator *a, struct arena *ar, const struct ice_meta *base, const struct ice_tree *base_tree, slice location, const struct ice_moved_file *files, size_t file_count,
                      const struct ice_env *env, struct ice_result *out, frz_error *err)
{
    struct move m = {.a = a, .ar = ar, .from = base->location, .to = location, .files = files, .file_count = file_count, .env = env, .out = out, .err = err};
    struct ice_meta *meta = NULL;
    *out = (struct ice_result){.ar = ar};
    TRY(frz__ice_meta_copy(ar, base, &meta, err));
    int rc = relocate(&m, meta, base_tree);
    if (rc < 0) {
        frz__ice_meta_release(meta);
        *out = (struct ice_result){.ar = ar};
        return rc;
    }
    out->meta = meta;
    return rc;
}
