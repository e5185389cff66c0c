#include "sst/sst_int.h"

#include <stdio.h>
#include "base/coding.h"
#include "base/hash.h"

/* ── open ── */

struct opening { /* what open has read so far */
    struct sst *s;
    struct buf tail, block; /* the file's last bytes; the block's first */
};

static int source_read(void *ctx, uint64_t offset, void *out, size_t len, frz_error *err) { return frz__file_read_full((struct file *)ctx, offset, out, len, err); }
struct pq_source frz__sst_source(struct file *f, uint64_t bytes, const char *name) { return (struct pq_source){f, source_read, bytes, name}; }

/* LEN bytes at OFFSET, out of the tail where it has them. */
static int open_read(struct opening *o, uint64_t offset, void *out, size_t len, frz_error *err)
{
    uint64_t tail_at = o->s->bytes - o->tail.len;
    if (offset < tail_at) return frz__file_read_full(o->s->impl->file, offset, out, len, err);
    memcpy(out, o->tail.data + (offset - tail_at), len); /* the caller has checked that the file has them */
    return FRZ_OK;
}

/* Parquet's footer has no checksum: ours has one. A file of others has none. */
static int open_check_footer(struct opening *o, frz_error *err)
{
    struct sst *s = o->s;
    slice stored = frz__pq_kv(s->impl->pq, SST_FOOTER_KEY), place = frz__pq_kv(s->impl->pq, "frazil.index");
    struct buf big = BUF_INIT(s->env.a, 0);
    int rc = FRZ_OK;
    size_t at = 0;
    char digits[16];
    if (!stored.data && !place.data) return FRZ_OK;
    size_t len = (size_t)load_u32(o->tail.data + o->tail.len - 8) + 8; /* Parquet's reader has checked it against the file */
    slice footer = slice_of(o->tail.data + o->tail.len - len, len);
    if (len > o->tail.len) {
        CHECK(buf_reserve(&big, len, err));
        CHECK(frz__file_read_full(s->impl->file, s->bytes - len, big.data, len, err));
        footer = slice_of(big.data, len);
    }
    if (!stored.data || !place.data || !frz__sst_footer_find(footer, &at)) CHECK(frz__err_corrupt(err, "%s: footer at %" PRIu64 ": frazil's key-values are not all there", s->path, s->bytes - len));
    snprintf(digits, sizeof digits, "%08" PRIx32, frz__sst_footer_crc(footer, at));
    if (memcmp(digits, footer.data + at, 8) != 0)
        CHECK(frz__err_corrupt(err, "%s: footer at %" PRIu64 ": checksum: expected %.8s, found %s", s->path, s->bytes - len, (const char *)footer.data + at, digits));
done:
    buf_clear(&big);
    return rc;
}

static int open_footer(struct opening *o, uint64_t expected_rows, frz_error *err)
{
    struct sst *s = o->s;
    struct sst_impl *im = s->impl;
    size_t tail = s->bytes < SST_TAIL_BYTES ? (size_t)s->bytes : SST_TAIL_BYTES;
    TRY(buf_reserve(&o->tail, tail + 1, err));
    TRY(frz__file_read_full(im->file, s->bytes - tail, o->tail.data, tail, err));
    o->tail.len = tail;
    TRY(frz__pq_open_tail(s->env.a, frz__sst_source(im->file, s->bytes, s->path), buf_slice(&o->tail), &im->pq, err));
    TRY(open_check_footer(o, err));
    s->rows = frz__pq_rows(im->pq);
    if (expected_rows != UINT64_MAX && s->rows != expected_rows) return frz__err_corrupt(err, "%s: has %" PRIu64 " rows, the table's metadata says %" PRIu64, s->path, s->rows, expected_rows);
    im->groups = frz__pq_group_count(im->pq);
    im->group_first = (uint64_t *)frz__alloc_array(s->env.a, im->groups + 1, sizeof *im->group_first);
    if (!im->group_first) return frz__err_no_memory(err, (im->groups + 1) * sizeof *im->group_first);
    for (size_t g = 0; g < im->groups; g++) {
        im->group_first[g] = frz__pq_group_first_row(im->pq, g);
        if (g && im->group_first[g] <= im->group_first[g - 1]) return frz__err_corrupt(err, "%s: row group %zu has no rows", s->path, g - 1);
    }
    im->group_first[im->groups] = s->rows;
    if (s->rows && (im->groups == 0 || im->group_first[0] != 0 || im->group_first[im->groups - 1] >= s->rows)) return frz__err_corrupt(err, "%s: its row groups do not have its %" PRIu64 " rows", s->path, s->rows);
    return FRZ_OK;
}

/* Columns of the schema → leaves of the file, by field id. */
static int open_columns(struct sst *s, frz_error *err)
{
    struct sst_impl *im = s->impl;
    const frz_schema *schema = im->schema;
    bool any_id = false;
    im->leaf = (int64_t *)frz__alloc_array(s->env.a, schema->count, sizeof *im->leaf);
    im->key_leaf = (size_t *)frz__alloc_array(s->env.a, schema->key_count, sizeof *im->key_leaf);
    if (!im->leaf || !im->key_leaf) return frz__err_no_memory(err, schema->count * sizeof *im->leaf);
    for (size_t i = 0; i < frz__pq_col_count(im->pq); i++) any_id |= frz__pq_col(im->pq, i)->field_id >= 0;
    if (!any_id && frz__pq_col_count(im->pq)) return frz__err(err, FRZ_UNSUPPORTED, "%s: its columns have no field ids, by which a table's columns are found", s->path);
    for (size_t i = 0; i < schema->count; i++) {
        const struct column *c = &schema->columns[i];
        int64_t leaf = im->leaf[i] = frz__pq_find_id(im->pq, c->id);
        if (leaf < 0) {
            if (c->required && value_is_null(&c->initial)) return frz__err_corrupt(err, "%s: lacks the required column %s (id %" PRId32 "), which has no default", s->path, c->name, c->id);
            continue;
        }
        const struct pq_rcol *pc = frz__pq_col(im->pq, (size_t)leaf);
        if (pc->type.id == FRZ_NULL) return frz__err(err, FRZ_UNSUPPORTED, "%s: column %s (id %" PRId32 ") is nested, or of a type that is not read", s->path, pc->name, c->id);
        if (!frz__type_promotes(pc->type, c->type)) return frz__err(err, FRZ_UNSUPPORTED, "%s: column %s (id %" PRId32 ") is of another type than the table's %s and can't be read as that", s->path, pc->name, c->id, c->name);
        if (c->key_index >= 0) im->key_leaf[c->key_index] = (size_t)leaf;
    }
    im->row_id_leaf = frz__pq_find_id(im->pq, ICE_ROW_ID_FIELD);
    im->updated_leaf = frz__pq_find_id(im->pq, ICE_LAST_UPDATED_FIELD);
    int64_t lineage[2] = {im->row_id_leaf, im->updated_leaf};
    for (int i = 0; i < 2; i++)
        if (lineage[i] >= 0 && frz__pq_col(im->pq, (size_t)lineage[i])->type.id != FRZ_LONG)
            return frz__err(err, FRZ_UNSUPPORTED, "%s: lineage column %s is no long", s->path, frz__pq_col(im->pq, (size_t)lineage[i])->name);
    return FRZ_OK;
}

/* After open_columns. */
static uint64_t row_bytes(const struct sst *s)
{
    const struct sst_impl *im = s->impl;
    double sum = 0; /* of what a file says, which may be anything */
    for (size_t g = 0; g < frz__pq_group_count(im->pq); g++)
        for (size_t i = 0; i < im->schema->count; i++)
            if (im->leaf[i] >= 0) sum += (double)frz__pq_value_bytes(im->pq, g, (size_t)im->leaf[i], im->schema->columns[i].type) * (double)frz__pq_group_rows(im->pq, g);
    return s->rows ? (uint64_t)(sum / (double)s->rows) : 0;
}

/* The private block's head and properties: first 4 KiB of it, more only for long keys. */
static int open_block(struct opening *o, struct sst_props *props, frz_error *err)
{
    struct sst *s = o->s;
    struct sst_block *b = &s->impl->block;
    size_t need = b->length < 4096 ? (size_t)b->length : 4096;
    int rc = FRZ_DONE;
    for (int i = 0; i < 3 && rc == FRZ_DONE; i++) { /* the fixed part tells how long the head is */
        buf_reset(&o->block);
        TRY(buf_reserve(&o->block, need + 1, err));
        TRY(open_read(o, b->offset, o->block.data, need, err));
        o->block.len = need;
        rc = frz__sst_block_decode(buf_slice(&o->block), s->path, b, &need, err);
        if (rc < 0) return rc;
    }
    FRZ_VERIFY(rc == FRZ_OK, err);
    const struct sst_section *p = &b->sections[SST_PROPS];
    if (p->length > 4 * KEY_BYTES_MAX) return frz__err_corrupt(err, "%s: properties at %" PRIu64 " of %" PRIu64 " bytes", s->path, b->offset + p->offset, p->length);
    size_t len = (size_t)p->length;
    if (p->offset + len > o->block.len) {
        buf_reset(&o->block);
        TRY(buf_reserve(&o->block, len + 1, err));
        TRY(open_read(o, b->offset + p->offset, o->block.data, len, err));
        o->block.len = len;
    } else {
        memmove(o->block.data, o->block.data + p->offset, len);
        o->block.len = len;
    }
    uint32_t crc = frz__crc32c(0, o->block.data, len);
    if (crc != p->crc) return frz__err_corrupt(err, "%s: properties at %" PRIu64 ": checksum: expected %08x, found %08x", s->path, b->offset + p->offset, p->crc, crc);
    return frz__sst_props_decode(buf_slice(&o->block), s->path, props, err);
}

/* Does the file's order hold for the table's key of today? */
static bool same_key(const struct sst *s, const struct sst_props *p)
{
    const frz_schema *schema = s->impl->schema;
    if (p->key_columns.len != schema->key_count * 8) return false;
    for (size_t i = 0; i < schema->key_count; i++) {
        const struct column *c = &schema->columns[schema->key[i]];
        if ((int32_t)load_u32(p->key_columns.data + i * 8) != c->id || (int32_t)load_u32(p->key_columns.data + i * 8 + 4) != c->type.id) return false;
    }
    return true;
}

static int open_sorted(struct opening *o, frz_error *err)
{
    struct sst *s = o->s;
    struct sst_impl *im = s->impl;
    struct sst_block *b = &im->block;
    struct sst_props p;
    slice place = frz__pq_kv(im->pq, "frazil.index");
    if (!place.data) {
        im->unsorted = "frazil did not write it";
        return FRZ_OK;
    }
    if (!frz__sst_block_place_parse(place, &b->offset, &b->length) || b->offset > s->bytes || b->length > s->bytes - b->offset)
        return frz__err_corrupt(err, "%s: footer: frazil.index is \"%.*s\", which is no place in its %" PRIu64 " bytes", s->path, place.len < 64 ? (int)place.len : 64, (const char *)place.data, s->bytes);
    TRY(open_block(o, &p, err));
    if (b->rows != s->rows) return frz__err_corrupt(err, "%s: private block: of %" PRIu64 " rows, the file has %" PRIu64, s->path, b->rows, s->rows);
    if (s->rows == 0 && p.first_key.len + p.last_key.len) return frz__err_corrupt(err, "%s: has keys and no rows", s->path);
    if (slice_cmp(p.first_key, p.last_key) > 0) return frz__err_corrupt(err, "%s: its first key is above its last", s->path);
    for (size_t g = 1; g < im->groups; g++)
        if (im->group_first[g] % SST_KEY_PAGE_ROWS) return frz__err_corrupt(err, "%s: row group %zu begins at row %" PRIu64 ", within a key page", s->path, g, im->group_first[g]);
    if (p.pages_offset > s->bytes || p.pages_length > s->bytes - p.pages_offset)
        return frz__err_corrupt(err, "%s: page indexes at %" PRIu64 " of %" PRIu64 " bytes lie outside of the file", s->path, p.pages_offset, p.pages_length);
    im->ours = true;
    im->pages_offset = p.pages_offset;
    im->pages_length = p.pages_length;
    im->pages_crc = p.pages_crc;
    s->level_hint = p.level_hint;
    s->seq_first = p.seq_first;
    s->seq_last = p.seq_last;
    if (im->schema->key_count == 0 || !same_key(s, &p)) {
        im->unsorted = "the table's key was another when it was written";
        return FRZ_OK;
    }
    if (b->sections[SST_FILTER].there) {
        im->filter_blocks = frz__sst_filter_blocks_of(b->sections[SST_FILTER].length);
        if (im->filter_blocks == 0) return frz__err_corrupt(err, "%s: no filter has %" PRIu64 " bytes", s->path, b->sections[SST_FILTER].length);
        im->units = frz__alloc_array(s->env.a, (size_t)sst_filter_units(im->filter_blocks), sizeof *im->units);
        if (!im->units) return frz__err_no_memory(err, (size_t)sst_filter_units(im->filter_blocks) * sizeof *im->units);
    }
    im->key_bytes = (uint8_t *)frz__alloc(s->env.a, p.first_key.len + p.last_key.len);
    if (!im->key_bytes) return frz__err_no_memory(err, p.first_key.len + p.last_key.len);
    if (p.first_key.len) memcpy(im->key_bytes, p.first_key.data, p.first_key.len);
    if (p.last_key.len) memcpy(im->key_bytes + p.first_key.len, p.last_key.data, p.last_key.len);
    s->first_key = slice_of(im->key_bytes, p.first_key.len);
    s->last_key = slice_of(im->key_bytes + p.first_key.len, p.last_key.len);
    s->sorted = true;
    return FRZ_OK;
}

int frz__sst_open(const struct sst_env *env, const char *path, uint64_t file_no, const frz_schema *schema, uint64_t expected_bytes, uint64_t expected_rows, struct sst **out, frz_error *err)
{
    int rc = FRZ_OK;
    struct sst *s;
    TRY(ALLOC_NEW(&s, env->a, struct sst, err));
    struct opening o = {s, BUF_INIT(env->a, 0), BUF_INIT(env->a, 0)};
    atomic_init(&s->refs, 1);
    s->env = *env;
    s->file_no = file_no;
    CHECK(ALLOC_NEW(&s->impl, env->a, struct sst_impl, err));
    s->impl->schema = frz__schema_acquire(schema);
    s->path = frz__strdup(env->a, path);
    if (!s->path) CHECK(frz__err_no_memory(err, strlen(path) + 1));
    CHECK(frz__fs_open(env->fs, path, FS_OPEN_READ, &s->impl->file, err));
    if (rc == FRZ_NOT_FOUND) CHECK(frz__err_corrupt(err, "%s: the table's metadata names it, and it is not there", path));
    CHECK(frz__file_size(s->impl->file, &s->bytes, err));
    if (expected_bytes != UINT64_MAX && s->bytes != expected_bytes)
        CHECK(frz__err_corrupt(err, "%s: has %" PRIu64 " bytes, the table's metadata says %" PRIu64, path, s->bytes, expected_bytes));
    CHECK(open_footer(&o, expected_rows, err));
    CHECK(open_columns(s, err));
    s->row_bytes = row_bytes(s);
    CHECK(open_sorted(&o, err));
    *out = s;
done:
    buf_clear(&o.tail);
    buf_clear(&o.block);
    if (rc < 0) frz__sst_release(s);
    return rc < 0 ? rc : FRZ_OK;
}

struct sst *frz__sst_acquire(struct sst *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void frz__sst_release(struct sst *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    const allocator *a = s->env.a;
    struct sst_impl *im = s->impl;
    if (im) {
        frz__sst_unhold_filter(s);
        if (s->env.cache) frz__cache_drop_file(s->env.cache, s->file_no);
        frz__pq_free(im->pq);
        (void)frz__file_close(im->file, NULL); /* was only read */
        frz__free(a, atomic_load_explicit(&im->index, memory_order_relaxed));
        frz__free(a, im->group_first);
        frz__free(a, im->leaf);
        frz__free(a, im->key_leaf);
        frz__free(a, im->key_bytes);
        frz__schema_release(im->schema);
        frz__free(a, im);
    }
    frz__free(a, s->path);
    frz__free(a, s);
}

/* ── rows ── */

/* ROW must be of the schema that S was opened with, or of one with the same columns. */
static int check_row_schema(const struct sst *s, const frz_row *row, frz_error *err)
{
    const frz_schema *mine = s->impl->schema, *its = row->schema;
    if (mine == its) return FRZ_OK;
    bool same = mine->count == its->count;
    for (size_t i = 0; same && i < mine->count; i++) same = mine->columns[i].id == its->columns[i].id && frz__type_eq(mine->columns[i].type, its->columns[i].type);
    if (!same) return frz__err(err, FRZ_BUG, "%s: opened with schema %" PRId32 ", read into a row of schema %" PRId32, s->path, mine->schema_id, its->schema_id);
    return FRZ_OK;
}

/* KEY: the row's; data NULL = its stripe has it. */
static int row_key(struct sst *s, uint64_t pos, slice key, const uint8_t *mask, struct codec_ctx *codec, frz_row *out, frz_error *err)
{
    const frz_schema *schema = s->impl->schema;
    const struct sst_keys *keys;
    struct cache_entry *pin = NULL;
    frz_value few[16], *values = few;
    int rc = FRZ_OK;
    if (schema->key_count > FRZ_ARRAY_LEN(few)) {
        values = (frz_value *)frz__alloc_array(s->env.a, schema->key_count, sizeof *values);
        if (!values) return frz__err_no_memory(err, schema->key_count * sizeof *values);
    }
    if (!key.data) {
        CHECK(frz__sst_load_stripe(s, pos >> SST_KEY_PAGE_ROWS_LOG2, codec, &keys, &pin, err));
        key = sst_key(keys, (size_t)(pos & (SST_KEY_PAGE_ROWS - 1)));
    }
    buf_reset(&out->scratch);
    CHECK_CTX(frz__key_decode(schema, key, values, &out->scratch, err), err, "%s: row %" PRIu64, s->path, pos);
    for (size_t i = 0; i < schema->key_count; i++)
        if (!mask || bit_get(mask, schema->key[i])) CHECK(frz__row_set(out, schema->key[i], &values[i], true, err));
done:
    frz__cache_unpin(s->env.cache, pin);
    if (values != few) frz__free(s->env.a, values);
    return rc;
}

static int row_column(struct sst *s, uint64_t pos, size_t column, struct codec_ctx *codec, frz_row *out, frz_error *err)
{
    const struct column *c = &s->impl->schema->columns[column];
    const struct vec *page;
    struct cache_entry *pin = NULL;
    size_t index;
    frz_value v;
    int rc = FRZ_OK;
    if (s->impl->leaf[column] < 0) return frz__row_set(out, column, &c->initial, true, err);
    CHECK(frz__sst_load_page(s, (size_t)s->impl->leaf[column], c->type, pos, codec, &page, &index, &pin, err));
    frz__vec_get(page, index, &v);
    if (value_is_null(&v) && c->required) CHECK(frz__err_corrupt(err, "%s: row %" PRIu64 ": the required column %s is null", s->path, pos, c->name));
    CHECK(frz__row_set(out, column, &v, true, err));
done:
    frz__cache_unpin(s->env.cache, pin);
    return rc;
}

int frz__sst_row(struct sst *s, uint64_t pos, const uint8_t *mask, struct codec_ctx *codec, frz_row *out, frz_error *err)
{
    return frz__sst_row_of_key(s, pos, slice_of(NULL, 0), mask, codec, out, err);
}

int frz__sst_row_of_key(struct sst *s, uint64_t pos, slice key, const uint8_t *mask, struct codec_ctx *codec, frz_row *out, frz_error *err)
{
    const frz_schema *schema = s->impl->schema;
    bool key_done = false;
    FRZ_VERIFY(pos < s->rows, err);
    TRY(check_row_schema(s, out, err));
    frz__row_clear(out);
    for (size_t c = 0; c < schema->count; c++) {
        if (mask && !bit_get(mask, c)) continue;
        if (schema->columns[c].key_index < 0 || !s->sorted) {
            TRY(row_column(s, pos, c, codec, out, err));
        } else if (!key_done) {
            TRY(row_key(s, pos, key, mask, codec, out, err));
            key_done = true;
        }
    }
    return FRZ_OK;
}

static int lineage_of(struct sst *s, int64_t leaf, uint64_t pos, struct codec_ctx *codec, int64_t *out, frz_error *err)
{
    const struct vec *page;
    struct cache_entry *pin;
    size_t index;
    frz_value v;
    *out = -1;
    if (leaf < 0) return FRZ_OK;
    TRY(frz__sst_load_page(s, (size_t)leaf, (frz_type){FRZ_LONG, 0, 0, 0}, pos, codec, &page, &index, &pin, err));
    frz__vec_get(page, index, &v);
    if (!value_is_null(&v)) *out = v.as.i64;
    frz__cache_unpin(s->env.cache, pin);
    return FRZ_OK;
}

int frz__sst_lineage(struct sst *s, uint64_t pos, struct codec_ctx *codec, int64_t *row_id, int64_t *last_updated, frz_error *err)
{
    FRZ_VERIFY(pos < s->rows, err);
    TRY(lineage_of(s, s->impl->row_id_leaf, pos, codec, row_id, err));
    return lineage_of(s, s->impl->updated_leaf, pos, codec, last_updated, err);
}
