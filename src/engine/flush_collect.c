/* flush_collect.c — a flush's first half: what there is to be written, and what it does to the files that are there. Nothing is changed by it. */
#include "engine/flush.h"

#include <stdlib.h>

#include "engine/flow.h"

#define ABSORB_RATIO     2
#define ABSORB_BYTES_MAX ((uint64_t)4 << 20) /* larger ones are a compaction's work, not a publish's */
#define ABSORB_FILES_MAX 64
#define ABSORB_PACKED    16 /* rows that pack better than so many times take their time all the same */

/* ── the newest version of each key over all immutables, by key ── */

int frz__flush_take(struct flush *f, frz_error *err)
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
    FRZ_VERIFY(f->mem_count <= UINT16_MAX, err);
    f->run.made = BUF_INIT(t->a, 0);
    return FRZ_OK;
}

/* One memtable has one schema; those of before a change of it hold rows of the older. */
int frz__flush_convert(struct flush *f, frz_error *err)
{
    f->convs = (struct row_conv *)frz__alloc_array(f->t->jobs_a, f->mem_count, sizeof *f->convs);
    if (!f->convs) return frz__err_no_memory(err, f->mem_count * sizeof *f->convs);
    for (size_t m = 0; m < f->mem_count; m++)
        if (f->mems[m]->schema != f->view->schema) TRY(frz__row_conv_init(&f->convs[m], f->t->jobs_a, f->mems[m]->schema, f->view->schema, ROW_WRITTEN, err));
    return FRZ_OK;
}

static void add_entry(struct flush *f, size_t mem, const struct mem_key *key, const struct mem_version *newest, bool new_life)
{
    slice k = mem_key_slice(key);
    f->entries[f->entry_count++] = (struct flush_entry){.key = key, .version = newest, .hash = frz__hash64(k), .file = -1, .new_life = new_life, .mem = (uint16_t)mem};
    if (mem_version_op(newest) != OP_PUT) return;
    f->put_count++;
    f->put_bytes += k.len + newest->len;
}

static void collect_one(struct flush *f)
{
    struct mem_cursor c;
    for (const struct mem_key *k = frz__mem_first(f->mems[0], &c); k; k = frz__mem_next(f->mems[0], &c))
        add_entry(f, 0, k, atomic_load_explicit(&k->newest, memory_order_acquire), frz__mem_key_deleted_between(k));
}

/* SAME: the memtables that hold one key, newest first. */
static void collect_key(struct flush *f, const struct mem_key *const *at, const size_t *same, size_t count)
{
    const struct mem_version *newest = atomic_load_explicit(&at[same[0]]->newest, memory_order_acquire);
    bool new_life = false;
    for (size_t i = 0; i < count && mem_version_op(newest) == OP_PUT; i++) {
        const struct mem_version *v = atomic_load_explicit(&at[same[i]]->newest, memory_order_acquire);
        new_life |= frz__mem_key_deleted_between(at[same[i]]) || mem_version_op(v) == OP_DELETE;
    }
    add_entry(f, same[0], at[same[0]], newest, new_life);
}

static int collect_many(struct flush *f, frz_error *err)
{
    const allocator *a = f->t->jobs_a;
    struct mem_cursor *cursors = (struct mem_cursor *)frz__alloc_array(a, f->mem_count, sizeof *cursors);
    const struct mem_key **at = (const struct mem_key **)frz__alloc_array(a, f->mem_count, sizeof *at);
    size_t *same = (size_t *)frz__alloc_array(a, f->mem_count, sizeof *same);
    int rc = cursors && at && same ? FRZ_OK : frz__err_no_memory(err, f->mem_count * sizeof *cursors);
    for (size_t m = 0; rc >= 0 && m < f->mem_count; m++) at[m] = frz__mem_first(f->mems[m], &cursors[m]);
    while (rc >= 0) {
        size_t count = 0;
        for (size_t m = 0; m < f->mem_count; m++) { /* newest memtable first: it wins a tie */
            if (!at[m]) continue;
            int c = count ? slice_cmp(mem_key_slice(at[m]), mem_key_slice(at[same[0]])) : 0;
            if (c < 0) count = 0;
            if (c <= 0) same[count++] = m;
        }
        if (count == 0) break;
        collect_key(f, at, same, count);
        for (size_t i = 0; i < count; i++) at[same[i]] = frz__mem_next(f->mems[same[i]], &cursors[same[i]]);
    }
    frz__free(a, cursors);
    frz__free(a, (void *)at);
    frz__free(a, same);
    return rc;
}

int frz__flush_collect(struct flush *f, frz_error *err)
{
    size_t total = 0;
    for (size_t m = 0; m < f->mem_count; m++) total += atomic_load(&f->mems[m]->keys);
    if (total >= SIZE_MAX / sizeof *f->entries) return frz__err_no_memory(err, SIZE_MAX);
    f->entry_bytes = (total + 1) * sizeof *f->entries;
    f->entries = (struct flush_entry *)frz__alloc_large(f->t->jobs_a, f->entry_bytes);
    if (!f->entries) return frz__err_no_memory(err, total * sizeof *f->entries);
    if (f->mem_count > 1) return collect_many(f, err);
    collect_one(f);
    return FRZ_OK;
}

/* ── where the files hold those keys ── */

#define LOCATE_CHUNK ((size_t)16384)

static int locate_all(struct flush *f, frz_error *err)
{
    const allocator *a = f->t->jobs_a;
    size_t n = f->entry_count < LOCATE_CHUNK ? f->entry_count : LOCATE_CHUNK;
    if (f->view->file_count == 0) return FRZ_OK;
    slice *keys = (slice *)frz__alloc_array(a, n + 1, sizeof *keys);
    uint64_t *hashes = (uint64_t *)frz__alloc_array(a, n + 1, sizeof *hashes);
    struct place *places = (struct place *)frz__alloc_array(a, n + 1, sizeof *places);
    int rc = keys && hashes && places ? FRZ_OK : frz__err_no_memory(err, n * sizeof *keys);
    for (size_t at = 0; rc >= 0 && at < f->entry_count; at += n) {
        size_t count = f->entry_count - at < n ? f->entry_count - at : n;
        for (size_t i = 0; i < count; i++) {
            keys[i] = mem_key_slice(f->entries[at + i].key);
            hashes[i] = f->entries[at + i].hash;
        }
        rc = frz__view_locate(f->view, keys, hashes, count, f->codec, places, err);
        for (size_t i = 0; rc >= 0 && i < count; i++) {
            if (places[i].file < 0) continue;
            f->entries[at + i].file = (int32_t)places[i].file;
            f->entries[at + i].pos = places[i].pos;
            f->change.by_file[places[i].file].fresh_count++;
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
        const struct flush_entry *e = &f->entries[i];
        if (e->file < 0 || e->new_life || mem_version_op(e->version) != OP_PUT) continue;
        const struct vfile *file = f->view->files[e->file];
        int64_t id = -1, updated = -1;
        TRY(frz__sst_lineage(file->sst, e->pos, f->codec, &id, &updated, err));
        if (id < 0 && file->first_row_id >= 0) id = file->first_row_id + (int64_t)e->pos;
        if (id < 0) continue;
        if (!f->row_ids) {
            f->row_ids = (int64_t *)frz__alloc_array(f->t->jobs_a, f->entry_count, sizeof *f->row_ids);
            if (!f->row_ids) return frz__err_no_memory(err, f->entry_count * sizeof *f->row_ids);
            memset(f->row_ids, 0xFF, f->entry_count * sizeof *f->row_ids); /* -1: none */
        }
        f->row_ids[i] = id;
        f->change.writer_options.lineage = true;
    }
    return FRZ_OK;
}

/* Fresh dead positions by file, ascending. */
static int sort_positions(struct flush *f, frz_error *err)
{
    for (size_t i = 0; i < f->view->file_count; i++) {
        struct file_change *ff = &f->change.by_file[i];
        if (!ff->fresh_count) continue;
        ff->fresh = (uint64_t *)frz__alloc_array(f->t->jobs_a, ff->fresh_count, sizeof *ff->fresh);
        if (!ff->fresh) return frz__err_no_memory(err, ff->fresh_count * sizeof *ff->fresh);
        ff->fresh_count = 0;
    }
    for (size_t i = 0; i < f->entry_count; i++) /* keys ascend, so positions within a sorted file do */
        if (f->entries[i].file >= 0) {
            struct file_change *ff = &f->change.by_file[f->entries[i].file];
            ff->fresh[ff->fresh_count++] = f->entries[i].pos;
        }
    return FRZ_OK;
}

int frz__flush_locate(struct flush *f, frz_error *err)
{
    TRY(locate_all(f, err));
    if (f->t->format_version >= 3) TRY(carry_row_ids(f, err));
    return sort_positions(f, err);
}

/* ── small files to absorb ── */

static int cmp_live(const void *a, const void *b)
{
    const struct flush_file *x = *(struct flush_file *const *)a, *y = *(struct flush_file *const *)b;
    return (x->live_bytes > y->live_bytes) - (x->live_bytes < y->live_bytes);
}

int frz__flush_choose_absorbed(struct flush *f, frz_error *err)
{
    size_t n = f->view->file_count, taken = 0;
    struct flush_file **order = (struct flush_file **)frz__alloc_array(f->t->jobs_a, n + 1, sizeof *order);
    f->by_file = (struct flush_file *)frz__alloc_array(f->t->jobs_a, n + 1, sizeof *f->by_file);
    if (!order || !f->by_file) {
        frz__free(f->t->jobs_a, order);
        return frz__err_no_memory(err, n * sizeof *order);
    }
    for (size_t i = 0; i < n; i++) {
        struct flush_file *ff = &f->by_file[i];
        const struct vfile *v = f->view->files[i];
        uint64_t live = vfile_live(v) - f->change.by_file[i].fresh_count;
        order[i] = ff;
        f->change.by_file[i].gone = live == 0;
        ff->live_bytes = vfile_bytes_of(v, live);
        if (ff->live_bytes < v->sst->row_bytes / ABSORB_PACKED * live) ff->live_bytes = v->sst->row_bytes / ABSORB_PACKED * live;
    }
    qsort(order, n, sizeof *order, cmp_live);
    /* a flush that only deletes writes no data file: it absorbs nothing */
    uint64_t bytes = f->put_bytes / 2; /* rows as files hold them: about half as large */
    uint64_t room = frz__flow_walk_bytes(f->t->db, 1, true), held = 0; /* of each file a row at a time, at least */
    for (size_t i = 0; i < n && f->put_count && taken < ABSORB_FILES_MAX; i++) {
        size_t file = (size_t)(order[i] - f->by_file);
        const struct vfile *v = f->view->files[file];
        if (f->change.by_file[file].gone) continue;
        if (order[i]->live_bytes > bytes * ABSORB_RATIO + 4096 || order[i]->live_bytes > ABSORB_BYTES_MAX || !v->sst->sorted) break;
        if (atomic_load_explicit(&v->sst->claimed, memory_order_relaxed)) continue;
        if ((held += v->sst->row_bytes) > room) break;
        order[i]->absorbed = f->change.by_file[file].gone = true;
        bytes += order[i]->live_bytes;
        taken++;
    }
    f->absorbed = taken;
    frz__free(f->t->jobs_a, order);
    return FRZ_OK;
}
