/* flush_rows.c — a flush's rows into new data files: those of the memtables by runs of many, those of the files that it absorbs one by one, merged by key. */
#include "engine/flush.h"

#include "engine/flow.h"

/* ── rows of the memtables ── */

/* A run ends when it is full, and before a row of a file: those are added past it. */
static int run_flush(struct flush *f, frz_error *err)
{
    struct flush_run *r = &f->run;
    if (r->count == 0) return FRZ_OK;
    TRY(frz__change_room(&f->change, err));
    TRY(frz__sst_add(f->change.writer, &(struct sst_rows){r->keys, r->rows, r->hashes, f->row_ids ? r->row_ids : NULL, NULL, r->count}, err));
    atomic_fetch_add(&f->job->rows_done, r->count);
    r->count = r->bytes = 0;
    buf_reset(&r->made);
    return FRZ_OK;
}

/* *ROW, of an older schema, as the newest has it. What was made for the run must not move: a run whose room is used up goes out first. */
static int convert(struct flush *f, struct row_conv *c, slice *row, frz_error *err)
{
    struct flush_run *r = &f->run;
    size_t need = layout_head(&c->to->layout) + row->len;
    for (size_t i = 0; i < c->to->count; i++) need += c->source[i] < 0 ? c->to->columns[i].initial.type >= FRZ_STRING ? c->to->columns[i].initial.as.bytes.len : 0 : 0;
    if (r->count && r->made.cap - r->made.len < need) TRY(run_flush(f, err));
    if (r->made.len == 0) TRY(buf_reserve(&r->made, need > FLUSH_RUN_BYTES ? need : FLUSH_RUN_BYTES, err));
    size_t at = r->made.len;
    const uint8_t *where = r->made.data;
    TRY(frz__row_conv(c, *row, &r->made, err));
    FRZ_VERIFY(r->made.data == where, err);
    *row = slice_of(r->made.data + at, r->made.len - at);
    return FRZ_OK;
}

static int add_entry(struct flush *f, size_t index, frz_error *err)
{
    const struct flush_entry *e = &f->entries[index];
    struct flush_run *r = &f->run;
    slice row = mem_version_row(e->version);
    if (f->convs[e->mem].to) TRY(convert(f, &f->convs[e->mem], &row, err));
    r->keys[r->count] = mem_key_slice(e->key);
    r->rows[r->count] = row;
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
static void entries_free(struct iter *it) { frz__free(((struct entries_iter *)it)->f->t->jobs_a, it); }
static const struct iter_ops entries_ops = {entries_next, entries_free};

static int make_merge(struct flush *f, struct iter **out, frz_error *err)
{
    const allocator *a = f->t->jobs_a;
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
        struct sst_scan_options o = {.a = f->t->jobs_a, .codec = f->codec, .lineage = f->t->format_version >= 3, .keys = true, .mask = v->mask, .mask_fn = v->mask ? frz__mask_clear_dead : NULL,
            .memory_bytes = frz__flow_walk_bytes(f->t->db, f->absorbed, true)};
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

static int add_absorbed(struct flush *f, const struct iter *it, frz_error *err)
{
    int64_t row_id = -1, updated = -1;
    TRY(run_flush(f, err));
    TRY(frz__change_room(&f->change, err));
    if (f->t->format_version >= 3) frz__change_lineage(f->view->files[it->tag], it->vecs, it->index, it->pos, &row_id, &updated);
    return frz__sst_add_vec(f->change.writer, it->key, it->vecs, it->index, row_id, updated, err);
}

static int write_merged(struct flush *f, frz_error *err)
{
    struct iter *it = NULL;
    int rc = FRZ_OK;
    if (f->t->format_version >= 3) f->change.writer_options.lineage = true;
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
    return frz__change_end(&f->change, err);
}
