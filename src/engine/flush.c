/* flush.c — from memtables to published files: the journey that makes rows Iceberg's.
 *
 *   1  rotate; take all immutable memtables at once: the newest version of each key (hazards 4)
 *   2  locate: where each of those keys lives in the files
 *   3  choose small files to absorb, while they are no larger than a few times what is written
 *   4  write the live rows of both, by key, into new data files
 *   5  mask what was located in the files that stay; a file wholly masked goes
 *   6  one commit; then the view changes, the memtables go, the log is recycled
 * Until the commit nothing that was is touched: a failure leaves rows readable and logged, and the next try begins anew. One flush at a time a table. */
#include "engine/flush.h"

#include <stdio.h>
#include <stdlib.h>

#define ABSORB_RATIO     2
#define ABSORB_BYTES_MAX ((uint64_t)4 << 20) /* larger ones are a compaction's work, not a publish's */
#define ABSORB_FILES_MAX 64
#define TRIES_MAX        5

/* ── 1 ── */

static int take_immutables(struct flush *f, frz_error *err)
{
    struct table *t = f->t;
    uint64_t seq = 0;
    f->view = frz__view_latest(t, &seq);
    frz__mutex_lock(&t->view_mu);
    f->view = (frz__view_release(f->view), frz__view_acquire(atomic_load(&t->view)));
    f->flushed_seq = t->rot_seq;
    frz__mutex_unlock(&t->view_mu);
    FRZ_VERIFY(f->view->mem_count >= 1, err);
    f->mem_count = f->view->mem_count - 1; /* the first is active */
    f->mems = f->view->mems + 1;
    return FRZ_OK;
}

/* The newest version of each key over all immutables, by key. */
static int collect_newest(struct flush *f, frz_error *err)
{
    const allocator *a = f->t->a;
    size_t total = 0;
    for (size_t m = 0; m < f->mem_count; m++) total += atomic_load(&f->mems[m]->keys);
    f->entries = (struct flush_entry *)frz__alloc_array(a, total + 1, sizeof *f->entries);
    struct mem_cursor *cursors = (struct mem_cursor *)frz__alloc_array(a, f->mem_count + 1, sizeof *cursors);
    const struct mem_key **at = (const struct mem_key **)frz__alloc_array(a, f->mem_count + 1, sizeof *at);
    int rc = f->entries && cursors && at ? FRZ_OK : frz__err_no_memory(err, total * sizeof *f->entries);
    for (size_t m = 0; rc >= 0 && m < f->mem_count; m++) at[m] = frz__mem_first(f->mems[m], &cursors[m]);
    while (rc >= 0) {
        const struct mem_key *least = NULL;
        for (size_t m = 0; m < f->mem_count; m++) /* newest memtable first: it wins a tie */
            if (at[m] && (!least || slice_cmp(mem_key_slice(at[m]), mem_key_slice(least)) < 0)) least = at[m];
        if (!least) break;
        struct flush_entry *e = &f->entries[f->entry_count++];
        e->key = mem_key_slice(least);
        e->hash = frz__hash64(e->key);
        e->row_id = -1;
        bool newest = true, newest_put = false;
        for (size_t m = 0; m < f->mem_count; m++) {
            if (!at[m] || !slice_eq(mem_key_slice(at[m]), e->key)) continue;
            const struct mem_version *v = atomic_load(&at[m]->newest);
            if (newest) {
                e->version = v;
                newest_put = mem_version_op(v) == OP_PUT;
            }
            if (newest_put) e->new_life |= frz__mem_key_deleted_between(at[m]) || (!newest && mem_version_op(v) == OP_DELETE);
            newest = false;
            at[m] = frz__mem_next(f->mems[m], &cursors[m]);
        }
        if (newest_put) {
            f->put_count++;
            f->put_bytes += e->key.len + e->version->len;
        }
    }
    frz__free(a, cursors);
    frz__free(a, (void *)at);
    return rc;
}

/* ── 2 ── */

#define LOCATE_CHUNK ((size_t)16384)

static int locate_all(struct flush *f, frz_error *err)
{
    const allocator *a = f->t->a;
    size_t n = f->entry_count < LOCATE_CHUNK ? f->entry_count : LOCATE_CHUNK;
    slice *keys = (slice *)frz__alloc_array(a, n + 1, sizeof *keys);
    uint64_t *hashes = (uint64_t *)frz__alloc_array(a, n + 1, sizeof *hashes);
    struct place *places = (struct place *)frz__alloc_array(a, n + 1, sizeof *places);
    int rc = keys && hashes && places ? FRZ_OK : frz__err_no_memory(err, n * sizeof *keys);
    for (size_t at = 0; rc >= 0 && at < f->entry_count; at += n) {
        size_t count = f->entry_count - at < n ? f->entry_count - at : n;
        for (size_t i = 0; i < count; i++) {
            keys[i] = f->entries[at + i].key;
            hashes[i] = f->entries[at + i].hash;
        }
        rc = frz__view_locate(f->view, keys, hashes, count, f->codec, places, err);
        for (size_t i = 0; rc >= 0 && i < count; i++) {
            f->entries[at + i].place = places[i];
            if (places[i].file >= 0) f->by_file[places[i].file].fresh_count++;
        }
    }
    frz__free(a, keys);
    frz__free(a, hashes);
    frz__free(a, places);
    return rc;
}

/* v3: an upsert keeps its row's id: as stored, else first_row_id + position (formats.md §2.10). */
static int carry_row_ids(struct flush *f, frz_error *err)
{
    for (size_t i = 0; i < f->entry_count; i++) {
        struct flush_entry *e = &f->entries[i];
        if (e->place.file < 0 || e->new_life || mem_version_op(e->version) != OP_PUT) continue;
        const struct vfile *file = f->view->files[e->place.file];
        int64_t id = -1, updated = -1;
        TRY(frz__sst_lineage(file->sst, e->place.pos, f->codec, &id, &updated, err));
        if (id < 0 && file->first_row_id >= 0) id = file->first_row_id + (int64_t)e->place.pos;
        e->row_id = id;
        if (id >= 0) f->lineage = true;
    }
    return FRZ_OK;
}

/* Fresh dead positions by file, ascending. */
static int sort_positions(struct flush *f, frz_error *err)
{
    for (size_t i = 0; i < f->view->file_count; i++) {
        struct flush_file *ff = &f->by_file[i];
        if (!ff->fresh_count) continue;
        ff->fresh = (uint64_t *)frz__alloc_array(f->t->a, ff->fresh_count, sizeof *ff->fresh);
        if (!ff->fresh) return frz__err_no_memory(err, ff->fresh_count * sizeof *ff->fresh);
        ff->fresh_count = 0;
    }
    for (size_t i = 0; i < f->entry_count; i++) /* keys ascend, so positions within a sorted file do */
        if (f->entries[i].place.file >= 0) {
            struct flush_file *ff = &f->by_file[f->entries[i].place.file];
            ff->fresh[ff->fresh_count++] = f->entries[i].place.pos;
        }
    return FRZ_OK;
}

/* ── 3 ── */

static int cmp_live(const void *a, const void *b)
{
    const struct flush_file *x = *(struct flush_file *const *)a, *y = *(struct flush_file *const *)b;
    return (x->live_bytes > y->live_bytes) - (x->live_bytes < y->live_bytes);
}

static int choose_absorbed(struct flush *f, frz_error *err)
{
    size_t n = f->view->file_count, taken = 0;
    struct flush_file **order = (struct flush_file **)frz__alloc_array(f->t->a, n + 1, sizeof *order);
    if (!order) return frz__err_no_memory(err, n * sizeof *order);
    for (size_t i = 0; i < n; i++) {
        struct flush_file *ff = &f->by_file[i];
        const struct vfile *v = f->view->files[i];
        uint64_t live = vfile_live(v) - ff->fresh_count;
        order[i] = ff;
        ff->gone = live == 0;
        ff->live_bytes = v->sst->rows ? (uint64_t)((double)v->file_size * (double)live / (double)v->sst->rows) : 0;
    }
    qsort(order, n, sizeof *order, cmp_live);
    /* a flush that only deletes writes no data file: it absorbs nothing */
    uint64_t bytes = f->put_bytes / 2; /* rows as files hold them: about half as large */
    for (size_t i = 0; i < n && f->put_count && taken < ABSORB_FILES_MAX; i++) {
        if (order[i]->gone) continue;
        const struct vfile *v = f->view->files[order[i] - f->by_file];
        if (order[i]->live_bytes > bytes * ABSORB_RATIO + 4096 || order[i]->live_bytes > ABSORB_BYTES_MAX || !v->sst->sorted) break;
        order[i]->absorbed = order[i]->gone = true;
        bytes += order[i]->live_bytes;
        taken++;
    }
    f->absorbed = taken;
    frz__free(f->t->a, order);
    return FRZ_OK;
}

/* ── 4 ── */

/* The memtables' entries as a source of the merge; iter.pos = index of the entry. */
struct entries_iter {
    struct iter it;
    struct flush *f;
    size_t next;
};
static int entries_next(struct iter *it, frz_error *err)
{
    struct entries_iter *s = (struct entries_iter *)it;
    if (s->next == s->f->entry_count) return FRZ_DONE;
    const struct flush_entry *e = &s->f->entries[s->next];
    it->key = e->key;
    it->op = mem_version_op(e->version);
    it->row = mem_version_row(e->version);
    it->pos = s->next++;
    return FRZ_OK;
}
static void entries_free(struct iter *it) { frz__free(((struct entries_iter *)it)->f->t->a, it); }
static const struct iter_ops entries_ops = {entries_next, entries_free};

static int make_merge(struct flush *f, struct iter **out, frz_error *err)
{
    const allocator *a = f->t->a;
    struct iter **sources = (struct iter **)frz__alloc_array(a, f->absorbed + 1, sizeof *sources);
    size_t n = 0;
    int rc = FRZ_OK;
    if (!sources) return frz__err_no_memory(err, (f->absorbed + 1) * sizeof *sources);
    struct entries_iter *entries = (struct entries_iter *)frz__alloc_zero(a, sizeof *entries);
    if (!entries) {
        rc = frz__err_no_memory(err, sizeof *entries);
        goto done;
    }
    entries->it.ops = &entries_ops;
    entries->it.tag = UINT64_MAX;
    entries->f = f;
    sources[n++] = &entries->it;
    for (size_t i = 0; i < f->view->file_count; i++) {
        if (!f->by_file[i].absorbed) continue;
        const struct vfile *v = f->view->files[i];
        struct sst_scan_options o = {.lineage = f->t->format_version >= 3, .keys = true, .mask = v->mask, .mask_fn = v->mask ? frz__mask_clear_dead : NULL};
        CHECK(frz__sst_iter_new(v->sst, &o, &sources[n], err));
        sources[n++]->tag = i;
    }
    rc = frz__merge_new(a, sources, n, false, false, out, err);
    n = 0;
done:
    for (size_t i = 0; i < n; i++) iter_free(sources[i]);
    frz__free(a, sources);
    return rc;
}

static int open_output(struct flush *f, frz_error *err)
{
    struct table *t = f->t;
    char name[160];
    struct flush_output *o;
    TRY(frz__grow(t->a, (void **)&f->outputs, f->output_count, &f->output_cap, sizeof *f->outputs, err));
    o = &f->outputs[f->output_count];
    *o = (struct flush_output){0};
    snprintf(name, sizeof name, "frz-%s-%zu.parquet", f->token, f->output_count);
    slice location = t->version->meta->location;
    size_t relative = strlen(t->dir) + strlen(name) + 8, uri = location.len + strlen(name) + 8;
    o->path = (char *)frz__alloc(t->a, relative);
    o->uri = (char *)frz__alloc(t->a, uri);
    if (!o->path || !o->uri) {
        frz__free(t->a, o->path);
        frz__free(t->a, o->uri);
        return frz__err_no_memory(err, relative + uri);
    }
    snprintf(o->path, relative, "%s/data/%s", t->dir, name);
    snprintf(o->uri, uri, "%.*s/data/%s", (int)location.len, location.data, name);
    f->output_count++;
    int rc = frz__fs_open(t->db->fs, o->path, FS_OPEN_CREATE_NEW, &o->file, err);
    if (rc != FRZ_OK) return rc == FRZ_EXISTS ? frz__err(err, FRZ_BUG, "a fresh file name is taken: %s", o->path) : rc;
    struct sst_writer_options so = {.schema = f->view->schema, .codec = t->settings.codec, .level = t->settings.write_parquet_compression_level ? (int)t->settings.write_parquet_compression_level : 1,
        .row_group_bytes = t->settings.write_parquet_row_group_size_bytes, .page_bytes = (uint32_t)t->settings.write_parquet_page_size_bytes,
        .filter_bits = (uint32_t)t->settings.frazil_filter_bits_per_key, .lineage = f->lineage, .dictionary = true, .uuid_hash = frz__hash64(slice_str(t->uuid)), .seq_last = f->flushed_seq};
    return frz__sst_writer_new(t->a, o->file, &so, &f->writer, err);
}

static int close_output(struct flush *f, frz_error *err)
{
    if (!f->writer) return FRZ_OK;
    struct flush_output *o = &f->outputs[f->output_count - 1];
    TRY(frz__sst_finish(f->writer, &f->ar, &o->entry, err));
    o->entry.path = slice_str(o->uri);
    o->entry.format = slice_str("PARQUET");
    frz__sst_writer_free(f->writer);
    f->writer = NULL;
    f->bytes += (uint64_t)o->entry.file_size;
    f->rows += (uint64_t)o->entry.record_count;
    return FRZ_OK;
}

/* What an absorbed row carries of its life so far (v3): as stored, else inherited from its file. */
static void absorbed_lineage(const struct flush *f, const struct iter *it, int64_t *row_id, int64_t *updated)
{
    const struct vfile *v = f->view->files[it->tag];
    frz_value id, up;
    frz__vec_get(&it->vecs->cols[it->vecs->count - 2], it->index, &id);
    frz__vec_get(&it->vecs->cols[it->vecs->count - 1], it->index, &up);
    *row_id = !value_is_null(&id) ? id.as.i64 : v->first_row_id >= 0 ? v->first_row_id + (int64_t)it->pos : -1;
    *updated = !value_is_null(&up) ? up.as.i64 : v->first_row_id >= 0 ? v->data_sequence : -1;
}

static int write_rows(struct flush *f, frz_error *err)
{
    struct iter *it = NULL;
    int rc = FRZ_OK;
    if (!f->put_count) return FRZ_OK;
    if (f->t->format_version >= 3 && f->absorbed) f->lineage = true;
    CHECK(make_merge(f, &it, err));
    while ((rc = iter_next(it, err)) == FRZ_OK) {
        if (f->writer && frz__sst_writer_bytes(f->writer) >= f->t->settings.write_target_file_size_bytes) CHECK(close_output(f, err));
        if (!f->writer) CHECK(open_output(f, err));
        if (it->row.data) {
            CHECK(frz__sst_add(f->writer, it->key, it->row, f->entries[it->pos].row_id, -1, err));
        } else {
            int64_t row_id = -1, updated = -1;
            if (f->t->format_version >= 3) absorbed_lineage(f, it, &row_id, &updated);
            CHECK(frz__sst_add_vec(f->writer, it->key, it->vecs, it->index, row_id, updated, err));
        }
    }
    if (rc < 0) goto done;
    CHECK(close_output(f, err));
done:
    iter_free(it);
    return rc;
}

static int open_outputs(struct flush *f, frz_error *err)
{
    struct table *t = f->t;
    struct sst_env env = {t->a, t->db->fs, t->db->cache, &t->db->counters};
    for (size_t i = 0; i < f->output_count; i++) {
        struct flush_output *o = &f->outputs[i];
        int rc = frz__sst_open(&env, o->path, atomic_fetch_add(&t->db->next_file_no, 1), f->view->schema, (uint64_t)o->entry.file_size, (uint64_t)o->entry.record_count, &o->sst, err);
        if (rc != FRZ_OK) return rc > 0 ? frz__err(err, FRZ_BUG, "%s: a file just written is not there", o->path) : rc;
    }
    return FRZ_OK;
}

/* ── 5 ── */

static int cmp_change(const void *a, const void *b)
{
    return strcmp(((const struct delete_change *)a)->file->iceberg_path, ((const struct delete_change *)b)->file->iceberg_path);
}

static int make_masks(struct flush *f, frz_error *err)
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

/* ── 6 ── */

static int commit_flush(struct flush *f, frz_error *err)
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

static int install(struct flush *f, frz_error *err)
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

static void after_commit(struct flush *f)
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

static void clear(struct flush *f, bool committed)
{
    struct table *t = f->t;
    const allocator *a = t->a;
    frz__sst_writer_free(f->writer);
    for (size_t i = 0; i < f->output_count; i++) {
        struct flush_output *o = &f->outputs[i];
        (void)frz__file_close(o->file, NULL);
        if (!committed && o->file && frz__fs_unlink(t->db->fs, o->path, NULL) < 0) frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s is left to the next sweep", t->name, o->path);
        frz__sst_release(o->sst);
        frz__free(a, o->path);
        frz__free(a, o->uri);
    }
    frz__deletes_clear(&f->deletes, committed);
    for (size_t i = 0; f->by_file && i < f->view->file_count; i++) {
        frz__free(a, f->by_file[i].fresh);
        frz__mask_release(f->by_file[i].mask);
    }
    frz__free(a, f->by_file);
    frz__free(a, f->outputs);
    frz__free(a, f->entries);
    frz__free(a, f->changes);
    frz__free(a, f->gone);
    frz__arena_clear(&f->ar);
    frz__codec_give(t->db, f->codec);
    frz__view_release(f->view);
}

/* One try; flush_mu held. *DID: something was published. */
static int flush_once(struct table *t, bool *did, frz_error *err)
{
    struct flush f = {.t = t, .ar = ARENA_INIT(t->a), .snapshot_id = -1};
    bool committed = false;
    int rc = FRZ_OK;
    frz__deletes_init(&f.deletes, t);
    rc = frz__table_usable(t, true, err); /* it may have been dropped while this one waited */
    if (rc != FRZ_OK) goto done;
    if (t->in_doubt) CHECK(frz__table_reload(t, err));
    CHECK(take_immutables(&f, err));
    if (f.mem_count == 0) goto done;
    f.by_file = (struct flush_file *)frz__alloc_array(t->a, f.view->file_count + 1, sizeof *f.by_file);
    if (!f.by_file) {
        rc = frz__err_no_memory(err, f.view->file_count * sizeof *f.by_file);
        goto done;
    }
    frz__db_token(t->db, t->version->number + 1, f.token);
    CHECK(frz__codec_take(t->db, &f.codec, err));
    FAILPOINT_CHECK("flush.begin", err);
    CHECK(collect_newest(&f, err));
    CHECK(frz__write_sync(t->db, err)); /* no publish gets ahead of the log: half a batch over two tables must not survive (hazards 7) */
    CHECK(locate_all(&f, err));
    if (t->format_version >= 3) CHECK(carry_row_ids(&f, err));
    CHECK(sort_positions(&f, err));
    CHECK(choose_absorbed(&f, err));
    CHECK(write_rows(&f, err));
    FAILPOINT_CHECK("flush.after_data", err);
    CHECK(open_outputs(&f, err));
    CHECK(make_masks(&f, err));
    CHECK(commit_flush(&f, err));
    committed = true;
    FAILPOINT_VOID("flush.after_commit");
    after_commit(&f);
    rc = install(&f, err);
    if (rc < 0) { /* the rows are published; only the view could not be made */
        t->in_doubt = true;
        rc = frz__table_reload(t, err);
    }
    *did = true;
done:
    clear(&f, committed || f.in_doubt);
    return rc;
}

static int flush_lane(struct table *t, frz_error *err)
{
    int64_t since = frz__clock_mono_ns();
    int rc = FRZ_OK;
    bool did = false;
    frz_error own = {0};
    FAILPOINT_VOID("flush.lane");
    frz__mutex_lock(&t->flush_mu);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        rc = flush_once(t, &did, &own);
        if (rc != FRZ_CONFLICT) break;
        rc = frz__table_reload(t, &own);
        if (rc < 0) break;
    }
    if (atomic_exchange(&t->expiry_missed, false) && t->version) frz__expire_run(t);
    frz__mutex_unlock(&t->flush_mu);
    uint64_t us = (uint64_t)(frz__clock_mono_ns() - since) / 1000;
    if (rc >= 0 && did) { /* else another flush took what this one came for */
        stat_add(&t->flushes, 1);
        stat_add(&t->flush_us_total, us);
        stat_max(&t->flush_us_max, us);
    } else if (rc < 0) {
        stat_add(&t->flush_failures, 1);
        frz__log(&t->db->log, FRZ_LOG_ERROR, "%s: flush failed, its rows stay readable and logged: %s", t->name, own.message);
    }
    frz__mutex_lock(&t->view_mu);
    t->flush_error = rc < 0 ? own : (frz_error){0};
    t->retry_at_ns = rc < 0 ? frz__clock_mono_ns() + 1000000000 : 0;
    frz__cond_broadcast(&t->room);
    frz__mutex_unlock(&t->view_mu);
    if (rc >= 0) frz__log_release(t->db); /* files that nobody needs any more go by the clock, not on the way of a publish: sched.c */
    else frz__sched_wake(t->db);
    if (rc != FRZ_OK && err) *err = own;
    return rc;
}

static bool has_immutables(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    bool has = atomic_load(&t->view)->mem_count > 1;
    frz__mutex_unlock(&t->view_mu);
    return has;
}

int frz__flush(struct table *t, frz_error *err)
{
    MUST(frz__table_usable(t, true, err));
    atomic_store(&t->dirty_since_ns, 0); /* before the rotation: what is written after it counts anew */
    TRY(frz__rotate(t, NULL, err));
    return has_immutables(t) ? flush_lane(t, err) : FRZ_OK;
}

/* ── in the background ── */

static void take_from_queue(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    t->flush_queued = false;
    frz__mutex_unlock(&t->view_mu);
}

static void flush_job(void *arg)
{
    struct table *t = (struct table *)arg;
    frz_error err;
    FAILPOINT_VOID("flush.background");
    take_from_queue(t);
    if (!atomic_load(&t->dropped) && has_immutables(t)) (void)!flush_lane(t, &err);
    frz__table_release(t);
}

/* The database is closed before its turn came: it may hold the last count of a table that was dropped meanwhile. */
static void flush_cancelled(void *arg)
{
    struct table *t = (struct table *)arg;
    take_from_queue(t);
    frz__table_release(t);
}

void frz__flush_schedule(struct table *t)
{
    if (!t->db->pool) return;
    frz__mutex_lock(&t->view_mu);
    bool submit = !t->flush_queued;
    t->flush_queued = true;
    frz__mutex_unlock(&t->view_mu);
    if (!submit) return;
    t->flush_job = (struct pool_job){.fn = flush_job, .arg = frz__table_acquire(t), .cancel = flush_cancelled};
    if (!frz__pool_submit(t->db->pool, &t->flush_job, true)) flush_cancelled(t);
}
