/* flush_commit.c — a flush's second half: the masks of the files that stay, the one commit, and the view after it. */
#include "engine/flush.h"

#include <stdlib.h>

/* ── masks ── */

static int cmp_change(const void *a, const void *b)
{
    return strcmp(((const struct delete_change *)a)->file->iceberg_path, ((const struct delete_change *)b)->file->iceberg_path);
}

int frz__flush_make_masks(struct flush *f, frz_error *err)
{
    const allocator *a = f->t->a;
    size_t n = f->view->file_count;
    f->changes = (struct delete_change *)frz__alloc_array(a, n + 1, sizeof *f->changes);
    f->gone = (slice *)frz__alloc_array(a, n + 1, sizeof *f->gone);
    if (!f->changes || !f->gone) return frz__err_no_memory(err, n * sizeof *f->changes);
    for (size_t i = 0; i < n; i++) {
        struct flush_file *ff = &f->by_file[i];
        const struct vfile *v = f->view->files[i];
        stat_add(&f->t->rows_masked, ff->fresh_count);
        if (ff->gone) {
            f->gone[f->gone_count++] = slice_str(v->iceberg_path);
        } else if (ff->fresh_count) {
            TRY(frz__mask_add(a, v->mask, ff->fresh, ff->fresh_count, &ff->mask, err));
            f->changes[f->change_count++] = (struct delete_change){v, ff->mask, ff->fresh, ff->fresh_count};
        }
    }
    if (f->change_count) qsort(f->changes, f->change_count, sizeof *f->changes, cmp_change);
    return frz__deletes_make(&f->deletes, f->changes, f->change_count, f->gone, f->gone_count, f->token, err);
}

/* ── the commit ── */

int frz__flush_commit(struct flush *f, frz_error *err)
{
    struct table *t = f->t;
    const allocator *a = t->a;
    struct commit_request r = {0};
    size_t added = f->output_count + f->deletes.added_count, removed = f->gone_count + f->deletes.removed_count, open = f->output_count + f->deletes.open_count;
    struct ice_file *add = (struct ice_file *)frz__alloc_array(a, added + 1, sizeof *add);
    slice *remove = (slice *)frz__alloc_array(a, removed + 1, sizeof *remove);
    struct durable_open *files = (struct durable_open *)frz__alloc_array(a, open + 1, sizeof *files);
    int rc = add && remove && files ? FRZ_OK : frz__err_no_memory(err, added * sizeof *add);
    if (rc >= 0) {
        for (size_t i = 0; i < f->output_count; i++) {
            add[i] = f->outputs[i].entry;
            files[i] = (struct durable_open){f->outputs[i].file, SYNC_DATA_FILE};
        }
        for (size_t i = 0; i < f->deletes.added_count; i++) add[f->output_count + i] = f->deletes.added[i];
        for (size_t i = 0; i < f->deletes.open_count; i++) files[f->output_count + i] = (struct durable_open){f->deletes.open[i], t->format_version >= 3 ? SYNC_DELETION_VECTOR : SYNC_DELETE_FILE};
        memcpy(remove, f->gone, f->gone_count * sizeof *remove);
        if (f->deletes.removed_count) memcpy(remove + f->gone_count, f->deletes.removed, f->deletes.removed_count * sizeof *remove);
        r.edit = (struct ice_edit){.added = add, .added_count = added, .removed = remove, .removed_count = removed, .removed_dvs = f->deletes.removed_dvs, .removed_dv_count = f->deletes.removed_dv_count,
            .no_snapshot = added == 0 && removed == 0 && f->deletes.removed_dv_count == 0, .flushed_log = t->db->log_uuid_text, .flushed_seq = f->flushed_seq};
        r.data_files = files;
        r.data_file_count = open;
        rc = frz__commit(t, &r, err);
        f->in_doubt = r.in_doubt;
        f->sequence = r.sequence;
        f->snapshot_id = r.snapshot_id;
    }
    frz__free(a, add);
    frz__free(a, remove);
    frz__free(a, files);
    return rc;
}

/* ── after it ── */

static int64_t first_row_id_of(const struct ice_tree *tree, const char *uri)
{
    for (size_t m = 0; m < tree->count; m++)
        for (size_t i = 0; i < tree->manifests[m].entry_count; i++)
            if (tree->manifests[m].entries[i].status != ICE_DELETED && slice_eq(tree->manifests[m].entries[i].file.path, slice_str(uri))) return tree->manifests[m].entries[i].file.first_row_id;
    return -1;
}

/* The files of the view after the commit; made before it, so that nothing can fail after it but memory (then the table is reloaded). */
static int next_files(struct flush *f, struct vfile ***out, size_t *count, frz_error *err)
{
    struct table *t = f->t;
    size_t n = 0;
    struct vfile **files = (struct vfile **)frz__alloc_array(t->a, f->view->file_count + f->output_count + 1, sizeof *files);
    int rc = files ? FRZ_OK : frz__err_no_memory(err, f->view->file_count * sizeof *files);
    for (size_t i = 0; rc >= 0 && i < f->view->file_count; i++) {
        struct vfile *v = f->view->files[i];
        if (f->by_file[i].gone) continue;
        if (!f->by_file[i].mask) files[n++] = frz__vfile_acquire(v);
        else {
            rc = frz__vfile_new(t->a, frz__sst_acquire(v->sst), frz__mask_acquire(f->by_file[i].mask), slice_str(v->iceberg_path), v->first_row_id, v->data_sequence, v->file_size, &files[n], err);
            n += rc >= 0;
        }
    }
    for (size_t i = 0; rc >= 0 && i < f->output_count; i++) {
        struct flush_output *o = &f->outputs[i];
        rc = frz__vfile_new(t->a, frz__sst_acquire(o->sst), NULL, slice_str(o->uri), first_row_id_of(&t->version->tree, o->uri), f->sequence, o->entry.file_size, &files[n], err);
        n += rc >= 0;
    }
    *out = files;
    *count = n;
    return rc;
}

int frz__flush_install(struct flush *f, frz_error *err)
{
    struct table *t = f->t;
    struct vfile **files = NULL;
    struct view *v = NULL;
    size_t count = 0;
    int64_t snapshot_id = f->snapshot_id >= 0 ? f->snapshot_id : f->view->snapshot_id;
    int rc = next_files(f, &files, &count, err);
    if (rc >= 0) {
        frz__mutex_lock(&t->view_mu);
        const struct view *now = atomic_load(&t->view); /* rotations since have put memtables before ours */
        rc = frz__view_new(t->a, now->schema, now->mems, now->mem_count - f->mem_count, files, count, f->flushed_seq, snapshot_id, &v, err);
        if (rc >= 0) frz__view_install_locked(t, v);
        frz__cond_broadcast(&t->room);
        frz__mutex_unlock(&t->view_mu);
    }
    for (size_t i = 0; files && i < count; i++) frz__vfile_release(files[i]);
    frz__free(t->a, files);
    return rc;
}

void frz__flush_after_commit(struct flush *f)
{
    struct table *t = f->t;
    frz__deletes_done(&f->deletes, f->gone, f->gone_count, f->sequence);
    for (size_t i = 0; i < f->view->file_count; i++) {
        const struct vfile *v = f->view->files[i];
        char *relative = NULL;
        if (!f->by_file[i].gone || frz__path_relative(t, t->version->meta->location, slice_str(v->iceberg_path), &relative, NULL) < 0) continue;
        (void)!frz__expire_add(t, relative, v->data_sequence, f->sequence, NULL);
    }
    stat_add(&t->files_absorbed, f->absorbed);
    stat_add(&t->flush_rows, f->rows);
    stat_add(&t->flush_bytes, f->bytes);
}
