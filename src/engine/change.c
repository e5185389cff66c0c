#include "engine/change.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/flow.h"
#include "engine/paths.h"

#define MEMORY_PER_FILE_ROW 64             /* a row of a file being written has eight bytes until it is done: of the memory an eighth in all, */
#define MEMORY_PER_FILE_ROW_SMALL 256      /* and a thirty-second where there is little */

uint64_t frz__change_file_rows(const struct table *t)
{
    uint64_t memory = t->db->set.memory_bytes;
    return memory / (flow_is_small(memory) ? MEMORY_PER_FILE_ROW_SMALL : MEMORY_PER_FILE_ROW);
}

#define PAGE_BYTES_MIN ((uint64_t)4096)
#define DICT_BYTES_MAX ((uint64_t)1 << 20)

void frz__change_bound(struct sst_writer_options *o, uint64_t share)
{
    uint64_t page = share / 8 / o->schema->count, batch = share / 16;
    if (page < PAGE_BYTES_MIN) page = PAGE_BYTES_MIN;
    if (o->page_bytes > page) o->page_bytes = (uint32_t)page;
    o->dict_bytes = (uint32_t)(page < DICT_BYTES_MAX ? page : DICT_BYTES_MAX);
    o->batch_bytes = (size_t)(batch < PAGE_BYTES_MIN ? PAGE_BYTES_MIN : batch);
}

/* ── who makes files ── */

/* Before its first file is made. */
static void begin_making(struct change *c)
{
    struct table *t = c->t;
    c->first_name = atomic_load(&t->db->name_counter);
    frz__mutex_lock(&t->view_mu);
    c->next = t->changes;
    if (c->next) c->next->prev = &c->next;
    c->prev = &t->changes;
    t->changes = c;
    frz__mutex_unlock(&t->view_mu);
    c->making = true;
}

/* After its last file was committed, or removed. */
static void end_making(struct change *c)
{
    struct table *t = c->t;
    if (!c->making) return;
    c->making = false;
    frz__mutex_lock(&t->view_mu);
    *c->prev = c->next;
    if (c->next) c->next->prev = c->prev;
    frz__mutex_unlock(&t->view_mu);
}

uint64_t frz__change_oldest_name(struct table *t)
{
    uint64_t oldest = UINT64_MAX;
    frz__mutex_lock(&t->view_mu);
    for (const struct change *c = t->changes; c; c = c->next) oldest = c->first_name < oldest ? c->first_name : oldest;
    frz__mutex_unlock(&t->view_mu);
    return oldest;
}

/* ── its life ── */

int frz__change_init(struct change *c, struct table *t, struct view *base, const struct version *v, frz_error *err)
{
    const struct table_settings *s = &t->settings;
    struct view_sums sums = frz__view_sums(base);
    *c = (struct change){.t = t, .base = base, .ar = ARENA_INIT(t->jobs_a), .location = v->meta->location, .snapshot_id = -1};
    frz__deletes_init(&c->deletes, t);
    begin_making(c);
    frz__db_token(t->db, v->number + 1, c->token);
    frz__mutex_lock(&t->view_mu);
    c->file_bytes_max = s->write_target_file_size_bytes < CHANGE_FILE_BYTES_MAX ? s->write_target_file_size_bytes : CHANGE_FILE_BYTES_MAX;
    c->file_rows_max = frz__change_file_rows(t);
    c->writer_options = (struct sst_writer_options){.schema = base->schema, .codec = s->codec, .level = (int)s->frazil_flush_compression_level,
        .row_group_bytes = frz__flow_row_group_bytes(t->db, s->write_parquet_row_group_size_bytes), .page_bytes = (uint32_t)s->frazil_flush_page_size_bytes, .filter_bits = (uint32_t)s->frazil_filter_bits_per_key, .dictionary = true,
        .uuid_hash = frz__hash64(slice_str(t->uuid)), .row_bytes = sums.rows ? (double)sums.bytes / (double)sums.rows : 0};
    frz__mutex_unlock(&t->view_mu);
    frz__change_bound(&c->writer_options, frz__flow_shares(t->db->set.memory_bytes).jobs);
    c->by_file = (struct file_change *)frz__alloc_array(t->jobs_a, base->file_count + 1, sizeof *c->by_file);
    return c->by_file ? FRZ_OK : frz__err_no_memory(err, base->file_count * sizeof *c->by_file);
}

static void output_clear(struct change *c, struct output *o, bool keep)
{
    struct table *t = c->t;
    (void)frz__file_close(o->file, NULL);
    if (!keep && o->file && frz__fs_unlink(t->db->fs, o->path, NULL) < 0) frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s is left to the next sweep", t->name, o->path);
    frz__sst_release(o->sst);
    frz__mask_release(o->mask);
    frz__free(t->jobs_a, o->fresh);
    frz__free(t->a, o->path);
    frz__free(t->a, o->uri);
}

/* What was said of the base's files. */
static void forget(struct change *c, bool keep)
{
    const allocator *a = c->t->jobs_a;
    frz__deletes_clear(&c->deletes, keep);
    for (size_t i = 0; c->by_file && i < c->base->file_count; i++) {
        frz__free(a, c->by_file[i].fresh);
        frz__mask_release(c->by_file[i].mask);
    }
    frz__free(a, c->by_file);
    frz__free(a, c->deletions);
    frz__free(a, c->gone);
    c->by_file = NULL;
    c->deletions = NULL;
    c->gone = NULL;
    c->deletion_count = c->gone_count = 0;
    frz__view_release(c->base);
    c->base = NULL;
}

void frz__change_clear(struct change *c)
{
    bool keep = c->committed || c->in_doubt;
    frz__sst_writer_free(c->writer);
    for (size_t i = 0; i < c->output_count; i++) output_clear(c, &c->outputs[i], keep && !c->outputs[i].dead);
    frz__free(c->t->jobs_a, c->outputs);
    forget(c, keep);
    frz__arena_clear(&c->ar);
    end_making(c);
}

int frz__change_rebase(struct change *c, struct view *base, frz_error *err)
{
    forget(c, false);
    c->base = base;
    frz__deletes_init(&c->deletes, c->t);
    for (size_t i = 0; i < c->output_count; i++) {
        frz__mask_release(c->outputs[i].mask);
        frz__free(c->t->jobs_a, c->outputs[i].fresh);
        c->outputs[i].mask = NULL;
        c->outputs[i].fresh = NULL;
        c->outputs[i].fresh_count = 0;
    }
    frz__db_token(c->t->db, c->t->version->number + 1, c->token); /* of delete files: a name is never used twice */
    c->by_file = (struct file_change *)frz__alloc_array(c->t->jobs_a, base->file_count + 1, sizeof *c->by_file);
    return c->by_file ? FRZ_OK : frz__err_no_memory(err, base->file_count * sizeof *c->by_file);
}

void frz__change_drop_dead(struct change *c)
{
    for (size_t i = 0; i < c->output_count; i++) c->outputs[i].dead = c->outputs[i].fresh_count == c->outputs[i].sst->rows;
}

/* ── data files ── */

static bool is_full(const struct change *c)
{
    return frz__sst_writer_bytes(c->writer) >= c->file_bytes_max || frz__sst_writer_bytes_most(c->writer) >= CHANGE_FILE_BYTES_MAX || frz__sst_writer_rows(c->writer) >= c->file_rows_max;
}

/* A name for what waits of the file named NAME: hidden, so that a look for what a crash left removes it. */
static int name_spill(struct change *c, const char *name, frz_error *err)
{
    char path[PATH_BYTES];
    TRY(frz__path(path, err, "%s/data/.tmp-spill-%s", c->t->dir, name));
    c->writer_options.spill_path = frz__arena_strndup(&c->ar, path, strlen(path));
    c->writer_options.spill_fs = c->t->db->fs;
    return c->writer_options.spill_path ? FRZ_OK : frz__err_no_memory(err, strlen(path));
}

int frz__change_room(struct change *c, frz_error *err)
{
    char name[160];
    if (c->writer && is_full(c)) TRY(frz__change_end(c, err));
    if (c->writer) return FRZ_OK;
    TRY(frz__grow(c->t->jobs_a, (void **)&c->outputs, c->output_count, &c->output_cap, sizeof *c->outputs, err));
    struct output *o = &c->outputs[c->output_count];
    *o = (struct output){0};
    snprintf(name, sizeof name, "frz-%s-%zu.parquet", c->token, c->output_count);
    TRY(name_spill(c, name, err));
    TRY(frz__data_file_new(c->t, c->location, name, &o->file, &o->path, &o->uri, err));
    c->output_count++;
    return frz__sst_writer_new(c->t->jobs_a, o->file, &c->writer_options, &c->writer, err);
}

int frz__change_end(struct change *c, frz_error *err)
{
    if (!c->writer) return FRZ_OK;
    struct output *o = &c->outputs[c->output_count - 1];
    TRY(frz__sst_finish(c->writer, &c->ar, &o->entry, err));
    o->entry.path = slice_str(o->uri);
    o->entry.format = slice_str("PARQUET");
    frz__sst_writer_free(c->writer);
    c->writer = NULL;
    c->bytes += (uint64_t)o->entry.file_size;
    c->rows += (uint64_t)o->entry.record_count;
    if (o->entry.record_count > 0) c->writer_options.row_bytes = (double)o->entry.file_size / (double)o->entry.record_count; /* the next will be alike */
    return FRZ_OK;
}

int frz__change_sync(struct change *c, frz_error *err)
{
    for (size_t i = 0; i < c->output_count; i++) {
        if (!c->outputs[i].synced) TRY(frz__file_sync(c->outputs[i].file, SYNC_DATA_FILE, err));
        c->outputs[i].synced = true;
    }
    return FRZ_OK;
}

int frz__change_take(struct change *c, struct change *from, frz_error *err)
{
    FRZ_ASSERT(!c->writer && !from->writer);
    for (size_t i = 0; i < from->output_count; i++) {
        TRY(frz__grow(c->t->jobs_a, (void **)&c->outputs, c->output_count, &c->output_cap, sizeof *c->outputs, err));
        c->outputs[c->output_count++] = from->outputs[i];
        from->outputs[i] = (struct output){0};
    }
    from->output_count = 0;
    c->bytes += from->bytes;
    c->rows += from->rows;
    return FRZ_OK;
}

static int open_output(struct change *c, struct output *o, frz_schema *s, frz_error *err)
{
    struct table *t = c->t;
    struct sst_env env = {t->a, t->db->fs, t->db->cache, &t->db->counters};
    struct sst *sst = NULL;
    int rc = frz__sst_open(&env, o->path, atomic_fetch_add(&t->db->next_file_no, 1), s, (uint64_t)o->entry.file_size, (uint64_t)o->entry.record_count, &sst, err);
    if (rc != FRZ_OK) return rc > 0 ? frz__err(err, FRZ_BUG, "%s: a file just written is not there", o->path) : rc;
    frz__sst_release(o->sst);
    o->sst = sst;
    return FRZ_OK;
}

int frz__change_readers(struct change *c, frz_error *err)
{
    for (size_t i = 0; i < c->output_count; i++) TRY(open_output(c, &c->outputs[i], c->base->schema, err));
    return FRZ_OK;
}

int frz__change_reopen(struct change *c, frz_schema *s, frz_error *err)
{
    for (size_t i = 0; i < c->output_count; i++) TRY(open_output(c, &c->outputs[i], s, err));
    return FRZ_OK;
}

void frz__change_lineage(const struct vfile *file, const struct vecs *vecs, size_t index, uint64_t pos, int64_t *row_id, int64_t *updated)
{
    frz_value id, up;
    frz__vec_get(&vecs->cols[vecs->count - 2], index, &id);
    frz__vec_get(&vecs->cols[vecs->count - 1], index, &up);
    *row_id = !value_is_null(&id) ? id.as.i64 : file->first_row_id >= 0 ? file->first_row_id + (int64_t)pos : -1;
    *updated = !value_is_null(&up) ? up.as.i64 : file->first_row_id >= 0 ? file->data_sequence : -1;
}

/* ── masks ── */

static int cmp_deletion(const void *a, const void *b) { return strcmp(((const struct delete_change *)a)->iceberg_path, ((const struct delete_change *)b)->iceberg_path); }

int frz__change_masks(struct change *c, frz_error *err)
{
    const allocator *a = c->t->jobs_a;
    size_t n = c->base->file_count;
    c->deletions = (struct delete_change *)frz__alloc_array(a, n + c->output_count + 1, sizeof *c->deletions);
    c->gone = (slice *)frz__alloc_array(a, n + 1, sizeof *c->gone);
    if (!c->deletions || !c->gone) return frz__err_no_memory(err, n * sizeof *c->deletions);
    for (size_t i = 0; i < n; i++) {
        struct file_change *fc = &c->by_file[i];
        const struct vfile *v = c->base->files[i];
        if (fc->gone) {
            c->gone[c->gone_count++] = slice_str(v->iceberg_path);
        } else if (fc->fresh_count) {
            TRY(frz__mask_add(c->t->a, v->mask, fc->fresh, fc->fresh_count, &fc->mask, err));
            c->deletions[c->deletion_count++] = (struct delete_change){v->iceberg_path, fc->mask, fc->fresh, fc->fresh_count};
        }
    }
    for (size_t i = 0; i < c->output_count; i++) {
        struct output *o = &c->outputs[i];
        if (!o->fresh_count || o->dead) continue;
        TRY(frz__mask_add(c->t->a, NULL, o->fresh, o->fresh_count, &o->mask, err));
        c->deletions[c->deletion_count++] = (struct delete_change){o->uri, o->mask, o->fresh, o->fresh_count};
    }
    if (c->deletion_count) qsort(c->deletions, c->deletion_count, sizeof *c->deletions, cmp_deletion);
    return frz__deletes_make(&c->deletes, c->deletions, c->deletion_count, c->gone, c->gone_count, c->token, err);
}

/* ── the commit ── */

static void expire_gone(struct change *c)
{
    struct table *t = c->t;
    frz__deletes_done(&c->deletes, c->gone, c->gone_count, c->sequence);
    for (size_t i = 0; i < c->base->file_count; i++) {
        const struct vfile *v = c->base->files[i];
        char *relative = NULL;
        if (!c->by_file[i].gone || frz__path_relative(t, t->version->meta->location, slice_str(v->iceberg_path), &relative, NULL) < 0) continue;
        (void)!frz__expire_add(t, relative, v->data_sequence, c->sequence, NULL);
    }
}

/* A puffin file holds many vectors, each with an entry of its own. */
static uint64_t delete_bytes(const struct ice_file *f) { return (uint64_t)(f->content_size > 0 ? f->content_size : f->file_size); }

int frz__change_commit(struct change *c, struct ice_edit edit, frz_error *err)
{
    struct table *t = c->t;
    const allocator *a = t->a;
    const struct delete_plan *d = &c->deletes;
    struct commit_request r = {0};
    size_t added = c->output_count + d->added_count, removed = c->gone_count + d->removed_count, open = c->output_count + d->open_count;
    struct ice_file *add = (struct ice_file *)frz__alloc_array(a, added + 1, sizeof *add);
    slice *remove = (slice *)frz__alloc_array(a, removed + 1, sizeof *remove);
    struct durable_open *files = (struct durable_open *)frz__alloc_array(a, open + 1, sizeof *files);
    int rc = add && remove && files ? FRZ_OK : frz__err_no_memory(err, added * sizeof *add);
    if (rc >= 0) {
        size_t n = 0;
        for (size_t i = 0; i < c->output_count; i++) {
            if (c->outputs[i].dead) continue;
            add[n] = c->outputs[i].entry;
            files[n++] = (struct durable_open){c->outputs[i].file, c->outputs[i].synced ? SYNC_NONE : SYNC_DATA_FILE};
        }
        added = n + d->added_count;
        open = n + d->open_count;
        for (size_t i = 0; i < d->added_count; i++) add[n + i] = d->added[i];
        for (size_t i = 0; i < d->open_count; i++) files[n + i] = (struct durable_open){d->open[i], t->format_version >= 3 ? SYNC_DELETION_VECTOR : SYNC_DELETE_FILE};
        memcpy(remove, c->gone, c->gone_count * sizeof *remove);
        if (d->removed_count) memcpy(remove + c->gone_count, d->removed, d->removed_count * sizeof *remove);
        r.edit = edit;
        r.edit.added = add;
        r.edit.added_count = added;
        r.edit.removed = remove;
        r.edit.removed_count = removed;
        r.edit.removed_dvs = d->removed_dvs;
        r.edit.removed_dv_count = d->removed_dv_count;
        r.edit.no_snapshot = added == 0 && removed == 0 && d->removed_dv_count == 0;
        r.data_files = files;
        r.data_file_count = open;
        for (size_t i = 0; i < d->added_count; i++) stat_add(&t->delete_bytes_written, delete_bytes(&d->added[i]));
        rc = frz__commit(t, &r, err);
        c->committed = rc >= 0;
        c->in_doubt = r.in_doubt;
        c->sequence = r.sequence;
        c->beside_bytes = r.metadata_bytes;
        for (size_t i = 0; i < d->added_count; i++) c->beside_bytes += (uint64_t)(d->added[i].content_size >= 0 ? d->added[i].content_size : d->added[i].file_size);
        c->snapshot_id = r.snapshot_id;
    }
    frz__free(a, add);
    frz__free(a, remove);
    frz__free(a, files);
    if (c->committed) expire_gone(c);
    return rc;
}

/* ── the view after it ── */

static const struct ice_entry *entry_of(const struct ice_tree *tree, const char *uri)
{
    for (size_t m = 0; m < tree->count; m++)
        for (size_t i = 0; i < tree->manifests[m].entry_count; i++)
            if (tree->manifests[m].entries[i].status != ICE_DELETED && slice_eq(tree->manifests[m].entries[i].file.path, slice_str(uri))) return &tree->manifests[m].entries[i];
    return NULL;
}

static int next_files(struct change *c, struct vfile ***out, size_t *count, frz_error *err)
{
    struct table *t = c->t;
    size_t n = 0;
    struct vfile **files = (struct vfile **)frz__alloc_array(t->a, c->base->file_count + c->output_count + 1, sizeof *files);
    int rc = files ? FRZ_OK : frz__err_no_memory(err, c->base->file_count * sizeof *files);
    for (size_t i = 0; rc >= 0 && i < c->base->file_count; i++) {
        struct vfile *v = c->base->files[i];
        struct mask *mask = c->by_file[i].mask;
        int64_t first_row_id = v->first_row_id;
        if (c->by_file[i].gone) continue;
        if (first_row_id < 0 && t->version->meta->format_version >= 3) { /* after an upgrade the first snapshot gives row ids to what is there */
            const struct ice_entry *e = entry_of(&t->version->tree, v->iceberg_path);
            if (e) first_row_id = e->file.first_row_id;
        }
        if (!mask && first_row_id == v->first_row_id) files[n++] = frz__vfile_acquire(v);
        else {
            mask = mask ? mask : v->mask;
            rc = frz__vfile_new(t->a, frz__sst_acquire(v->sst), mask ? frz__mask_acquire(mask) : NULL, slice_str(v->iceberg_path), first_row_id, v->data_sequence, v->file_size, &files[n], err);
            n += rc >= 0;
        }
    }
    for (size_t i = 0; rc >= 0 && i < c->output_count; i++) {
        struct output *o = &c->outputs[i];
        if (o->dead) continue;
        const struct ice_entry *e = entry_of(&t->version->tree, o->uri);
        rc = frz__vfile_new(t->a, frz__sst_acquire(o->sst), o->mask ? frz__mask_acquire(o->mask) : NULL, slice_str(o->uri), e ? e->file.first_row_id : -1, e ? e->sequence_number : c->sequence,
                            o->entry.file_size, &files[n], err);
        n += rc >= 0;
    }
    *out = files;
    *count = n;
    return rc;
}

int frz__change_install(struct change *c, size_t mems_dropped, uint64_t flushed_seq, frz_error *err)
{
    struct table *t = c->t;
    struct vfile **files = NULL;
    struct view *v = NULL;
    size_t count = 0;
    int64_t snapshot_id = c->snapshot_id >= 0 ? c->snapshot_id : c->base->snapshot_id;
    int rc = next_files(c, &files, &count, err);
    if (rc >= 0) {
        frz__mutex_lock(&t->view_mu);
        const struct view *now = atomic_load(&t->view); /* rotations since have put memtables before ours */
        rc = frz__view_new(t->a, now->schema, now->mems, now->mem_count - mems_dropped, files, count, flushed_seq > now->flushed_seq ? flushed_seq : now->flushed_seq, snapshot_id, &v, err);
        if (rc >= 0) rc = frz__version_hold(t, t->version, snapshot_id, &v->hold, err);
        if (rc >= 0) {
            atomic_fetch_add(&t->flow_settling, (uint32_t)mems_dropped);
            frz__view_install_locked(t, v);
        }
        frz__mutex_unlock(&t->view_mu);
        if (rc >= 0) {
            frz__flow_weigh(t);
            atomic_fetch_sub(&t->flow_settling, (uint32_t)mems_dropped);
        }
        frz__flow_wake(t->db);
    }
    for (size_t i = 0; files && i < count; i++) frz__vfile_release(files[i]);
    frz__free(t->a, files);
    if (rc < 0) frz__view_release(v);
    if (rc >= 0) return rc;
    t->in_doubt = true; /* what was committed is; only the view could not be made */
    return frz__table_reload(t, err);
}
