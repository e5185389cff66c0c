/* scan_batch.c — rows as vectors: files as they are decoded, then the memtables' rows. */
#include "engine/scan.h"

#include "base/hash.h"
#include "base/sized.h"
#include "engine/flow.h"

#define LOCATE_CHUNK ((size_t)4096)

struct batch_scan {
    const allocator *a;
    struct scan_base b;
    struct codec_ctx *codec;
    struct mask **masks; /* a file: its own mask and what memtables hide; counted */
    size_t file;
    struct sst_scan *open;
    struct iter *mems;
    struct vecs wide;    /* wanted and predicate columns */
    frz_row *row;
    uint8_t *read_mask, *selected;
    size_t selected_rows;
    uint32_t *picked;
    bool done;
};


static int merge_mems(struct batch_scan *s, bool keep_deletes, struct iter **out, frz_error *err)
{
    const struct scan_base *b = &s->b;
    size_t n = 0;
    struct iter **sources = (struct iter **)frz__alloc_array(b->t->db->a, b->view->mem_count + 1, sizeof *sources);
    int rc = sources ? FRZ_OK : frz__err_no_memory(err, b->view->mem_count * sizeof *sources);
    for (size_t i = 0; rc >= 0 && i < b->view->mem_count; i++) {
        if (mem_versions(b->view->mems[i]) == 0) continue;
        rc = frz__mem_iter_new(b->view->mems[i], b->seq, scan_from(b), scan_to(b), false, &sources[n], err);
        if (rc >= 0) sources[n++]->tag = i;
    }
    if (rc >= 0) {
        rc = frz__merge_new(b->t->db->a, sources, n, false, keep_deletes, out, err);
        n = 0;
    }
    for (size_t i = 0; i < n; i++) iter_free(sources[i]);
    frz__free(b->t->db->a, sources);
    return rc;
}

/* One chunk of the memtables' keys → positions that they hide. */
struct hide {
    struct batch_scan *s;
    struct buf keys;
    slice *slices;
    uint64_t *hashes;
    size_t *ends;
    struct place *places;
    struct buf *positions; /* by file */
    size_t count;
};

static int hide_chunk(struct hide *h, frz_error *err)
{
    const struct view *v = h->s->b.view;
    size_t at = 0;
    for (size_t i = 0; i < h->count; i++) {
        h->slices[i] = slice_of(h->keys.data ? h->keys.data + at : (const uint8_t *)"", h->ends[i] - at);
        h->hashes[i] = frz__hash64(h->slices[i]);
        at = h->ends[i];
    }
    TRY(frz__view_locate(v, h->slices, h->hashes, h->count, h->s->codec, h->places, err));
    for (size_t i = 0; i < h->count; i++)
        if (h->places[i].file >= 0) TRY(buf_append(&h->positions[h->places[i].file], &h->places[i].pos, sizeof h->places[i].pos, err));
    h->count = 0;
    buf_reset(&h->keys);
    return FRZ_OK;
}

static int hide_keys(struct batch_scan *s, struct buf *positions, frz_error *err)
{
    const allocator *a = s->b.t->db->a;
    struct hide h = {.s = s, .keys = BUF_INIT(a, 0), .positions = positions};
    struct iter *it = NULL;
    int rc = FRZ_OK;
    h.slices = (slice *)frz__alloc_array(a, LOCATE_CHUNK, sizeof *h.slices);
    h.hashes = (uint64_t *)frz__alloc_array(a, LOCATE_CHUNK, sizeof *h.hashes);
    h.ends = (size_t *)frz__alloc_array(a, LOCATE_CHUNK, sizeof *h.ends);
    h.places = (struct place *)frz__alloc_array(a, LOCATE_CHUNK, sizeof *h.places);
    if (!h.slices || !h.hashes || !h.ends || !h.places) {
        rc = frz__err_no_memory(err, LOCATE_CHUNK * sizeof *h.slices);
        goto done;
    }
    CHECK(merge_mems(s, true, &it, err));
    while ((rc = iter_next(it, err)) == FRZ_OK) {
        CHECK(buf_append_slice(&h.keys, it->key, err));
        h.ends[h.count++] = h.keys.len;
        if (h.count == LOCATE_CHUNK) CHECK(hide_chunk(&h, err));
    }
    if (rc < 0) goto done;
    CHECK(hide_chunk(&h, err));
done:
    iter_free(it);
    buf_clear(&h.keys);
    frz__free(a, h.slices);
    frz__free(a, h.hashes);
    frz__free(a, h.ends);
    frz__free(a, h.places);
    return rc;
}

static int make_masks(struct batch_scan *s, frz_error *err)
{
    const struct view *v = s->b.view;
    const allocator *a = s->b.t->db->a;
    bool any = false;
    s->masks = (struct mask **)frz__alloc_array(a, v->file_count + 1, sizeof *s->masks);
    if (!s->masks) return frz__err_no_memory(err, v->file_count * sizeof *s->masks);
    for (size_t i = 0; i < v->mem_count; i++) any |= mem_versions(v->mems[i]) > 0;
    struct buf *positions = any ? (struct buf *)frz__alloc_array(a, v->file_count + 1, sizeof *positions) : NULL;
    int rc = any && !positions ? frz__err_no_memory(err, v->file_count * sizeof *positions) : FRZ_OK;
    for (size_t i = 0; positions && i < v->file_count; i++) positions[i] = BUF_INIT(a, 0);
    if (rc >= 0 && any && v->file_count) rc = hide_keys(s, positions, err);
    for (size_t i = 0; rc >= 0 && i < v->file_count; i++) {
        struct vfile *f = v->files[i];
        if (positions && positions[i].len) rc = frz__mask_add(s->b.t->a, f->mask, (const uint64_t *)(const void *)positions[i].data, positions[i].len / 8, &s->masks[i], err);
        else s->masks[i] = f->mask ? frz__mask_acquire(f->mask) : NULL;
    }
    for (size_t i = 0; positions && i < v->file_count; i++) buf_clear(&positions[i]);
    frz__free(a, positions);
    return rc;
}

int frz__batch_scan_new(struct table *t, struct snapshot *snapshot, const frz_scan_options *o, struct batch_scan **out, frz_error *err)
{
    struct batch_scan *s = NULL;
    frz_type *types = NULL;
    int rc = FRZ_OK;
    if (o && o->struct_size > offsetof(frz_scan_options, reverse) && o->reverse) return frz__err(err, FRZ_INVALID, "batches come in no order: reverse is the cursor's");
    TRY(ALLOC_NEW(&s, t->db->a, struct batch_scan, err));
    s->a = t->db->a;
    s->wide.a = t->db->a;
    rc = frz__scan_base_init(&s->b, t, snapshot, o, err);
    if (rc != FRZ_OK) goto done;
    const frz_schema *schema = s->b.view->schema;
    CHECK(frz__codec_take(t->db, &s->codec, err));
    types = (frz_type *)frz__alloc_array(t->db->a, s->b.column_count + 1, sizeof *types);
    s->read_mask = (uint8_t *)frz__alloc_zero(t->db->a, bits_bytes(schema->count));
    if (!types || !s->read_mask) {
        rc = frz__err_no_memory(err, s->b.column_count * sizeof *types);
        goto done;
    }
    for (size_t i = 0; i < s->b.column_count; i++) {
        types[i] = schema->columns[s->b.columns[i]].type;
        bit_set(s->read_mask, s->b.columns[i]);
    }
    CHECK(frz__vecs_init(&s->wide, t->db->a, types, s->b.column_count, err));
    CHECK(frz__row_new(t->db->a, schema, &s->row, err));
    CHECK(make_masks(s, err));
    frz__scan_base_pin(&s->b);
    *out = s;
    s = NULL;
done:
    frz__free(t->db->a, types);
    frz__batch_scan_free(s);
    return rc;
}

const struct scan_base *frz__batch_scan_base(const struct batch_scan *s) { return &s->b; }

static void release_sources(struct batch_scan *s)
{
    for (size_t i = 0; s->masks && i < s->b.view->file_count; i++) frz__mask_release(s->masks[i]);
    frz__free(s->a, s->masks);
    frz__sst_scan_free(s->open);
    iter_free(s->mems);
    s->masks = NULL;
    s->open = NULL;
    s->mems = NULL;
}

void frz__batch_scan_free(struct batch_scan *s)
{
    if (!s) return;
    const allocator *a = s->a;
    release_sources(s);
    frz__vecs_clear(&s->wide);
    frz_row_free(s->row);
    frz__free(a, s->read_mask);
    frz__free(a, s->selected);
    frz__free(a, s->picked);
    if (s->codec) frz__codec_give(s->b.t->db, s->codec);
    frz__scan_base_clear(&s->b);
    frz__free(a, s);
}

/* ── the next vectors ── */

/* The rows of `wide` that pass, and only the wanted columns, into OUT (which holds nothing). */
static int pass_on(struct batch_scan *s, struct vecs *out, frz_error *err)
{
    size_t rows = s->wide.rows, n = rows;
    if (s->b.pred) {
        const struct vec *cols_small[64], **cols = cols_small;
        size_t count = s->b.view->schema->count;
        if (s->selected_rows < rows) {
            frz__free(s->b.t->db->a, s->selected);
            frz__free(s->b.t->db->a, s->picked);
            s->selected = (uint8_t *)frz__alloc(s->b.t->db->a, bits_bytes(rows));
            s->picked = (uint32_t *)frz__alloc(s->b.t->db->a, rows * sizeof *s->picked);
            s->selected_rows = s->selected && s->picked ? rows : 0;
            if (!s->selected_rows) return frz__err_no_memory(err, rows * sizeof *s->picked);
        }
        if (count > FRZ_ARRAY_LEN(cols_small)) {
            cols = (const struct vec **)frz__alloc(s->b.t->db->a, count * sizeof *cols);
            if (!cols) return frz__err_no_memory(err, count * sizeof *cols);
        }
        for (size_t i = 0; i < count; i++) cols[i] = NULL;
        for (size_t i = 0; i < s->b.column_count; i++) cols[s->b.columns[i]] = &s->wide.cols[i];
        memset(s->selected, 0xFF, bits_bytes(rows));
        int rc = frz__pred_eval(s->b.pred, cols, rows, s->selected, err);
        if (cols != cols_small) frz__free(s->b.t->db->a, (void *)cols);
        TRY(rc);
        n = 0;
        for (size_t i = 0; i < rows; i++)
            if (bit_get(s->selected, i)) s->picked[n++] = (uint32_t)i;
    }
    if (n > s->b.limit - s->b.given) n = (size_t)(s->b.limit - s->b.given);
    for (size_t i = 0; i < s->b.wanted_count; i++) {
        if (n == rows) { /* whole vectors change hands */
            struct vec spare = out->cols[i];
            out->cols[i] = s->wide.cols[i];
            s->wide.cols[i] = spare;
            vec_reset(&s->wide.cols[i]);
        } else if (s->b.pred) {
            TRY(frz__vec_append_select(&out->cols[i], &s->wide.cols[i], s->picked, n, err));
        } else {
            TRY(frz__vec_append_range(&out->cols[i], &s->wide.cols[i], 0, n, err));
        }
    }
    out->rows = n;
    s->b.given += n;
    return FRZ_OK;
}

static int next_of_files(struct batch_scan *s, size_t max_rows, frz_error *err)
{
    const struct scan_base *b = &s->b;
    for (; s->file < b->view->file_count; s->file++) {
        const struct vfile *f = b->view->files[s->file];
        if (!s->open) {
            if (b->empty || frz__mask_count(s->masks[s->file]) == f->sst->rows) continue;
            if (f->sst->sorted && ((b->has_from && slice_cmp(f->sst->last_key, scan_from(b)) < 0) || (b->has_to && slice_cmp(f->sst->first_key, scan_to(b)) >= 0))) continue;
            struct sst_scan_options o = {.a = s->a, .columns = b->columns, .column_count = b->column_count, .from = scan_from(b), .to = scan_to(b), .mask = s->masks[s->file],
                .mask_fn = s->masks[s->file] ? frz__mask_clear_dead : NULL, .codec = s->codec, .pred = b->pred, .memory_bytes = frz__flow_walk_bytes(b->t->db, 1, false)};
            TRY(frz__sst_scan_new(f->sst, &o, &s->open, err));
        }
        int rc = frz__sst_scan_next(s->open, max_rows, &s->wide, err);
        if (rc != FRZ_DONE) return rc;
        frz__sst_scan_free(s->open);
        s->open = NULL;
    }
    return FRZ_DONE;
}

static int next_of_mems(struct batch_scan *s, size_t max_rows, frz_error *err)
{
    if (s->b.empty) return FRZ_DONE;
    if (!s->mems) TRY(merge_mems(s, false, &s->mems, err));
    frz__vecs_reset(&s->wide);
    size_t most = frz__flow_walk_bytes(s->b.t->db, 1, false) / 2, bytes = 0; /* as of files */
    while (s->wide.rows < max_rows && bytes < most) {
        int rc = iter_next(s->mems, err);
        if (rc == FRZ_DONE) break;
        TRY(rc);
        slice row = s->mems->row;
        TRY(frz__scan_mem_row(&s->b, (size_t)s->mems->tag, &row, err));
        TRY(frz__row_fill(s->row, s->mems->key, row, s->read_mask, false, err));
        for (size_t i = 0; i < s->b.column_count; i++) TRY(frz__vec_append(&s->wide.cols[i], &s->row->values[s->b.columns[i]], err));
        s->wide.rows++;
        bytes += s->mems->key.len + row.len;
    }
    return s->wide.rows ? FRZ_OK : FRZ_DONE;
}

int frz__batch_scan_next(struct batch_scan *s, size_t max_rows, struct vecs *out, frz_error *err)
{
    TRY(frz__db_check(s->b.t->db, err));
    if (atomic_load_explicit(&s->b.keep.given_up, memory_order_acquire)) { /* what it holds goes now, its handle at close */
        release_sources(s);
        frz__view_release(s->b.view);
        s->b.view = NULL;
        return frz__keep_check(&s->b.keep, err);
    }
    while (!s->done && s->b.given < s->b.limit) {
        frz__vecs_reset(out);
        int rc = next_of_files(s, max_rows, err);
        if (rc == FRZ_DONE) rc = next_of_mems(s, max_rows, err);
        if (rc == FRZ_DONE) s->done = true;
        frz__health_read(s->b.t, rc, err);
        if (rc != FRZ_OK) return rc;
        TRY(pass_on(s, out, err));
        if (out->rows) return FRZ_OK;
    }
    frz__vecs_reset(out);
    return FRZ_DONE;
}

/* ── counting ── */

int frz__scan_count(struct table *t, struct snapshot *snapshot, const frz_scan_options *given, uint64_t *count, frz_error *err)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    struct batch_scan *s = NULL;
    struct vecs out = {.a = t->db->a};
    uint64_t n = 0;
    int rc = FRZ_OK;
    TRY(frz__sized_take(given, "frz_scan_options", &o, sizeof o, err));
    size_t key_column = 0;
    frz_type type = {0};
    const frz_schema *asked = o.schema;
    o.columns = &key_column;
    o.column_count = 1;
    do { /* the state's schema, and then the state: it may change between them */
        struct view *v = NULL;
        uint64_t seq = 0;
        rc = frz__snapshot_view(snapshot, t, &v, &seq, err);
        if (rc != FRZ_OK) goto done;
        key_column = v->schema->key[0];
        type = v->schema->columns[key_column].type;
        o.schema = asked ? asked : v->schema;
        rc = frz__batch_scan_new(t, snapshot, &o, &s, err);
        frz__view_release(v);
    } while (rc == FRZ_CONFLICT && !asked);
    if (rc != FRZ_OK) goto done;
    if (!s->b.pred && !s->b.has_from && !s->b.has_to && !o.limit) { /* nothing of the files needs to be read */
        for (; s->file < s->b.view->file_count; s->file++) n += s->b.view->files[s->file]->sst->rows - frz__mask_count(s->masks[s->file]);
    }
    CHECK(frz__vecs_init(&out, t->db->a, &type, 1, err));
    while ((rc = frz__batch_scan_next(s, 16384, &out, err)) == FRZ_OK) n += out.rows;
    if (rc < 0) goto done;
    *count = n;
    rc = FRZ_OK;
done:
    frz__batch_scan_free(s);
    frz__vecs_clear(&out);
    return rc;
}
