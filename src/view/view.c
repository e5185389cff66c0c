#include "view/view.h"

#include "base/hash.h"
#include "types/row_conv.h"
#include "view/runs.h"

/* ── a file with its mask ── */

int frz__vfile_new(const allocator *a, struct sst *taken_sst, struct mask *taken_mask, slice iceberg_path, int64_t first_row_id, int64_t data_sequence, int64_t file_size, struct vfile **out,
                   frz_error *err)
{
    struct vfile *f = (struct vfile *)frz__alloc_zero(a, sizeof *f);
    char *path = frz__strndup(a, (const char *)iceberg_path.data, iceberg_path.len);
    if (!f || !path) {
        frz__free(a, f);
        frz__free(a, path);
        frz__sst_release(taken_sst);
        frz__mask_release(taken_mask);
        return frz__err_no_memory(err, sizeof *f + iceberg_path.len);
    }
    *f = (struct vfile){.a = a, .sst = taken_sst, .mask = taken_mask, .iceberg_path = path, .first_row_id = first_row_id, .data_sequence = data_sequence, .file_size = file_size};
    atomic_init(&f->refs, 1);
    *out = f;
    return FRZ_OK;
}

struct vfile *frz__vfile_acquire(struct vfile *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void frz__vfile_release(struct vfile *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1) return;
    frz__sst_release(f->sst);
    frz__mask_release(f->mask);
    frz__free(f->a, f->iceberg_path);
    frz__free(f->a, f);
}

/* ── the view ── */

/* Runs over the files that have rows; BY_KEY holds file indexes. */
static int view_build_runs(struct view *v, frz_error *err)
{
    int rc = FRZ_OK;
    size_t n = 0;
    struct key_range *ranges = (struct key_range *)frz__alloc_array(v->a, v->file_count, sizeof *ranges);
    uint32_t *which = (uint32_t *)frz__alloc_array(v->a, v->file_count, sizeof *which);
    if (!ranges || !which) CHECK(frz__err_no_memory(err, v->file_count * sizeof *ranges));
    for (size_t i = 0; i < v->file_count; i++) {
        const struct sst *s = v->files[i]->sst;
        if (s->rows == 0) continue;
        ranges[n] = (struct key_range){s->first_key, s->last_key, !s->sorted};
        which[n++] = (uint32_t)i;
    }
    CHECK(frz__runs_build(v->a, ranges, n, v->by_key, v->runs, &v->run_count, err));
    for (size_t i = 0; i < n; i++) v->by_key[i] = which[v->by_key[i]];
done:
    frz__free(v->a, ranges);
    frz__free(v->a, which);
    return rc;
}

int frz__view_new(const allocator *a, frz_schema *schema, struct mem *const *mems, size_t mem_count, struct vfile *const *files, size_t file_count, uint64_t flushed_seq, int64_t snapshot_id,
                  struct view **out, frz_error *err)
{
    int rc = FRZ_OK;
    struct view *v;
    if (file_count > UINT32_MAX) return frz__err(err, FRZ_TOO_LARGE, "a table of %zu data files is beyond 2^32", file_count);
    TRY(ALLOC_NEW(&v, a, struct view, err));
    v->a = a;
    atomic_init(&v->refs, 1);
    v->flushed_seq = flushed_seq;
    v->snapshot_id = snapshot_id;
    v->schema = frz__schema_acquire(schema);
    v->mems = (struct mem **)frz__alloc_array(a, mem_count, sizeof *v->mems);
    v->files = (struct vfile **)frz__alloc_array(a, file_count, sizeof *v->files);
    v->by_key = (uint32_t *)frz__alloc_array(a, file_count, sizeof *v->by_key);
    v->runs = (struct run *)frz__alloc_array(a, file_count, sizeof *v->runs);
    if (!v->mems || !v->files || !v->by_key || !v->runs) CHECK(frz__err_no_memory(err, (mem_count + 2 * file_count) * sizeof(void *)));
    for (size_t i = 0; i < mem_count; i++) v->mems[v->mem_count++] = frz__mem_acquire(mems[i]);
    for (size_t i = 0; i < file_count; i++) {
        v->files[v->file_count++] = frz__vfile_acquire(files[i]);
        v->rows += vfile_live(files[i]);
    }
    CHECK(view_build_runs(v, err));
done:
    if (rc < 0) frz__view_release(v);
    else *out = v;
    return rc;
}

struct view *frz__view_acquire(struct view *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void frz__view_release(struct view *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < v->mem_count; i++) frz__mem_release(v->mems[i]);
    for (size_t i = 0; i < v->file_count; i++) frz__vfile_release(v->files[i]);
    frz__schema_release(v->schema);
    frz__hold_release(v->hold);
    frz__free(v->a, v->mems);
    frz__free(v->a, v->files);
    frz__free(v->a, v->by_key);
    frz__free(v->a, v->runs);
    frz__free(v->a, v);
}

static int view_check_run(const struct view *v, size_t r, uint8_t *seen, frz_error *err)
{
    const struct run *run = &v->runs[r];
    if (run->count == 0) return frz__err(err, FRZ_BUG, "view: run %zu is empty", r);
    for (uint32_t i = 0; i < run->count; i++) {
        uint32_t at = v->by_key[run->first + i];
        if (at >= v->file_count || bit_get(seen, at)) return frz__err(err, FRZ_BUG, "view: run %zu holds file %" PRIu32 ", which is none or is in two places", r, at);
        bit_set(seen, at);
        const struct sst *s = v->files[at]->sst;
        if (s->rows == 0) return frz__err(err, FRZ_BUG, "view: run %zu holds %s, which has no rows", r, s->path);
        if (!s->sorted && run->count != 1) return frz__err(err, FRZ_BUG, "view: run %zu holds %s, which is not sorted, beside others", r, s->path);
        if (!s->sorted) continue;
        if (slice_cmp(s->first_key, s->last_key) > 0) return frz__err(err, FRZ_BUG, "view: %s begins above its end", s->path);
        if (i == 0) continue;
        const struct sst *before = v->files[v->by_key[run->first + i - 1]]->sst;
        if (slice_cmp(before->last_key, s->first_key) >= 0) return frz__err(err, FRZ_BUG, "view: run %zu is not disjoint: %s and %s overlap", r, before->path, s->path);
    }
    return FRZ_OK;
}

int frz__view_check(const struct view *v, frz_error *err)
{
    int rc = FRZ_OK;
    uint64_t rows = 0;
    uint32_t at = 0;
    uint8_t *seen = (uint8_t *)frz__alloc_zero(v->a, bits_bytes(v->file_count));
    if (!seen) return frz__err_no_memory(err, v->file_count);
    for (size_t r = 0; r < v->run_count; r++) {
        if (v->runs[r].first != at) CHECK(frz__err(err, FRZ_BUG, "view: run %zu begins at %" PRIu32 ", not at %" PRIu32, r, v->runs[r].first, at));
        at += v->runs[r].count;
        CHECK(view_check_run(v, r, seen, err));
    }
    for (size_t i = 0; i < v->file_count; i++) {
        const struct vfile *f = v->files[i];
        if (bit_get(seen, i) != (f->sst->rows > 0)) CHECK(frz__err(err, FRZ_BUG, "view: %s with %" PRIu64 " rows is in no run, or should not be in one", f->sst->path, f->sst->rows));
        if (frz__mask_count(f->mask) && frz__mask_last(f->mask) >= f->sst->rows)
            CHECK(frz__err(err, FRZ_BUG, "view: %s has %" PRIu64 " rows, and its mask position %" PRIu64, f->sst->path, f->sst->rows, frz__mask_last(f->mask)));
        rows += vfile_live(f);
    }
    if (rows != v->rows) CHECK(frz__err(err, FRZ_BUG, "view: %" PRIu64 " live rows are counted, its files have %" PRIu64, v->rows, rows));
done:
    frz__free(v->a, seen);
    return rc;
}

struct view_sums frz__view_sums(const struct view *v)
{
    struct view_sums s = {0, 0, 0};
    for (size_t i = 0; i < v->file_count; i++) {
        s.bytes += (uint64_t)v->files[i]->file_size;
        s.rows += v->files[i]->sst->rows;
        s.decoded += (double)v->files[i]->sst->row_bytes * (double)v->files[i]->sst->rows;
    }
    return s;
}

/* ── one row ── */

/* Row bytes of a memtable → OUT, in the view's schema. */
static int view_fill(const struct view *v, const struct mem *m, slice key, slice row, const uint8_t *mask, frz_row *out, frz_error *err)
{
    if (frz__schema_same_rows(m->schema, v->schema)) return frz__row_fill(out, key, row, mask, true, err);
    int rc = FRZ_OK;
    struct buf now = BUF_INIT(v->a, ROW_BYTES_MAX);
    CHECK(frz__row_migrate(m->schema, row, v->schema, &now, err));
    CHECK(frz__row_fill(out, key, buf_slice(&now), mask, true, err));
done:
    buf_clear(&now);
    return rc;
}

int frz__view_get(const struct view *v, uint64_t seq, slice key, const uint8_t *mask, struct codec_ctx *codec, frz_row *out, bool *from_mem, frz_error *err)
{
    *from_mem = false;
    for (size_t i = 0; i < v->mem_count; i++) {
        const struct mem_version *ver = frz__mem_get(v->mems[i], key, seq);
        if (!ver) continue;
        *from_mem = true;
        switch (mem_version_op(ver)) {
        case OP_PUT: return out ? view_fill(v, v->mems[i], key, mem_version_row(ver), mask, out, err) : FRZ_OK;
        case OP_DELETE: return FRZ_NOT_FOUND;
        default: return frz__err(err, FRZ_BUG, "a memtable holds an operation of kind %d", (int)mem_version_op(ver));
        }
    }
    struct place place;
    TRY(frz__view_locate_one(v, key, frz__hash64(key), codec, &place, err));
    if (place.file < 0) return FRZ_NOT_FOUND;
    return out ? frz__sst_row_of_key(v->files[place.file]->sst, place.pos, key, mask, codec, out, err) : FRZ_OK;
}
