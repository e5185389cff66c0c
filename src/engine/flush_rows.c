/* flush_rows.c — a flush's rows into new data files: those of the memtables by runs of many, those of the files that it absorbs one by one, merged by key. */
#include "engine/flush.h"

#include <stdio.h>

/* ── data files ── */

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

/* ── rows of the memtables ── */

/* A run ends when it is full, and before a row of a file: those are added past it. */
static int run_flush(struct flush *f, frz_error *err)
{
    struct flush_run *r = &f->run;
    if (r->count == 0) return FRZ_OK;
    if (f->writer && frz__sst_writer_bytes(f->writer) >= f->t->settings.write_target_file_size_bytes) TRY(close_output(f, err));
    if (!f->writer) TRY(open_output(f, err));
    TRY(frz__sst_add(f->writer, &(struct sst_rows){r->keys, r->rows, r->hashes, f->row_ids ? r->row_ids : NULL, NULL, r->count}, err));
    r->count = r->bytes = 0;
    return FRZ_OK;
}

static int add_entry(struct flush *f, size_t index, frz_error *err)
{
    const struct flush_entry *e = &f->entries[index];
    struct flush_run *r = &f->run;
    r->keys[r->count] = mem_key_slice(e->key);
    r->rows[r->count] = mem_version_row(e->version);
    r->hashes[r->count] = e->hash;
    if (f->row_ids) r->row_ids[r->count] = f->row_ids[index];
    r->bytes += e->key->len + e->version->len;
    return ++r->count == FLUSH_RUN_ROWS || r->bytes >= FLUSH_RUN_BYTES ? run_flush(f, err) : FRZ_OK;
}

#define AHEAD 8 /* rows of random writes lie anywhere */
static int write_entries(struct flush *f, frz_error *err)
{
    for (size_t i = 0; i < f->entry_count; i++) {
        if (i + AHEAD < f->entry_count) __builtin_prefetch(f->entries[i + AHEAD].version);
        if (mem_version_op(f->entries[i].version) == OP_PUT) TRY(add_entry(f, i, err));
    }
    return run_flush(f, err);
}

/* ── and of the files that are absorbed ── */

/* The memtables' entries as a source of the merge; iter.pos = index of the entry. */
struct entries_iter {
    struct iter it;
    struct flush *f;
    size_t next;
};
static int entries_next(struct iter *it, frz_error *err)
{
    struct entries_iter *s = (struct entries_iter *)it;
    (void)err;
    if (s->next == s->f->entry_count) return FRZ_DONE;
    const struct flush_entry *e = &s->f->entries[s->next];
    it->key = mem_key_slice(e->key);
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

static int add_absorbed(struct flush *f, const struct iter *it, frz_error *err)
{
    int64_t row_id = -1, updated = -1;
    TRY(run_flush(f, err));
    if (f->writer && frz__sst_writer_bytes(f->writer) >= f->t->settings.write_target_file_size_bytes) TRY(close_output(f, err));
    if (!f->writer) TRY(open_output(f, err));
    if (f->t->format_version >= 3) absorbed_lineage(f, it, &row_id, &updated);
    return frz__sst_add_vec(f->writer, it->key, it->vecs, it->index, row_id, updated, err);
}

static int write_merged(struct flush *f, frz_error *err)
{
    struct iter *it = NULL;
    int rc = FRZ_OK;
    if (f->t->format_version >= 3) f->lineage = true;
    CHECK(make_merge(f, &it, err));
    while ((rc = iter_next(it, err)) == FRZ_OK) CHECK(it->row.data ? add_entry(f, (size_t)it->pos, err) : add_absorbed(f, it, err));
    if (rc == FRZ_DONE) rc = run_flush(f, err);
done:
    iter_free(it);
    return rc;
}

int frz__flush_write_rows(struct flush *f, frz_error *err)
{
    if (!f->put_count) return FRZ_OK;
    TRY(f->absorbed ? write_merged(f, err) : write_entries(f, err));
    return close_output(f, err);
}

int frz__flush_open_outputs(struct flush *f, frz_error *err)
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
