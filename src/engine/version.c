/* version.c — a table's metadata as it is on disk: finding the newest version, and the data files and masks of a snapshot. */
#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "engine/paths.h"
#include "iceberg/ice_posdel.h"
#include "puffin/puffin.h"

#define METADATA_BYTES_MAX ((size_t)256 << 20)

void frz__version_release(struct version *v)
{
    if (!v || atomic_fetch_sub(&v->refs, 1) != 1) return;
    frz__ice_meta_release(v->meta);
    frz__arena_clear(&v->ar);
    frz__free(v->a, v);
}

struct version *frz__version_acquire(struct table *t)
{
    frz__mutex_lock(&t->commit_mu);
    struct version *v = t->version;
    if (v) atomic_fetch_add(&v->refs, 1);
    frz__mutex_unlock(&t->commit_mu);
    return v;
}

int frz__version_hold(struct table *t, const struct version *v, int64_t id, struct hold **out, frz_error *err)
{
    const struct ice_snapshot *s = id < 0 ? NULL : frz__ice_snapshot(v->meta, id);
    *out = NULL;
    return s ? frz__hold_new(&t->db->holds, t->db->a, t->uuid, id, s->sequence_number, out, err) : FRZ_OK;
}

int frz__version_hold_all(struct table *t, const struct version *v, struct version_holds *out, frz_error *err)
{
    const struct ice_meta *m = v->meta;
    *out = (struct version_holds){.at = (struct hold **)frz__alloc_array(t->a, m->snapshot_count + 1, sizeof *out->at)};
    if (!out->at) return frz__err_no_memory(err, m->snapshot_count * sizeof *out->at);
    for (; out->count < m->snapshot_count; out->count++) TRY(frz__version_hold(t, v, m->snapshots[out->count].id, &out->at[out->count], err));
    return FRZ_OK;
}

void frz__version_holds_release(struct table *t, struct version_holds *h)
{
    for (size_t i = 0; i < h->count; i++) frz__hold_release(h->at[i]);
    frz__free(t->a, h->at);
    *h = (struct version_holds){0};
}

uint64_t frz__version_flushed(const struct version *v, const char *log_uuid)
{
    slice s = frz__ice_property(v->meta, "frazil.flushed");
    size_t n = strlen(log_uuid);
    if (!s.data || s.len <= n + 1 || memcmp(s.data, log_uuid, n) != 0 || s.data[n] != ':' || s.len - n > 21) return 0;
    char text[24];
    memcpy(text, s.data + n + 1, s.len - n - 1);
    text[s.len - n - 1] = 0;
    return strtoull(text, NULL, 10);
}

/* ── which version ── */

static int version_path(const struct table *t, int64_t n, char out[PATH_BYTES], frz_error *err) { return frz__path(out, err, "%s/metadata/v%" PRId64 ".metadata.json", t->dir, n); }

static int version_exists(struct table *t, int64_t n, bool *out, frz_error *err)
{
    char path[PATH_BYTES];
    TRY(version_path(t, n, path, err));
    return frz__fs_exists(t->db->fs, path, out, err);
}

static int max_version(void *ctx, const char *name, bool is_dir)
{
    int64_t *max = (int64_t *)ctx, n = 0;
    int used = 0;
    if (!is_dir && sscanf(name, "v%18" SCNd64 ".metadata.json%n", &n, &used) == 1 && used > 0 && name[used] == 0 && n > *max) *max = n;
    return 0;
}

/* The hint, then forward; without a usable one, the highest that there is. */
static int newest(struct table *t, int64_t *out, frz_error *err)
{
    struct buf hint = BUF_INIT(t->a, 64);
    char path[PATH_BYTES];
    int64_t n = 0;
    bool there = false;
    int rc = FRZ_OK;
    CHECK(frz__path(path, err, "%s/metadata/version-hint.text", t->dir));
    rc = frz__fs_read_file(t->db->fs, path, 64, &hint, err);
    if (rc >= 0 && hint.len && hint.len < 19) {
        CHECK(buf_append_byte(&hint, 0, err));
        n = strtoll((char *)hint.data, NULL, 10);
    }
    if (n > 0) CHECK(version_exists(t, n, &there, err));
    if (!there) {
        n = 0;
        CHECK(frz__path(path, err, "%s/metadata", t->dir));
        CHECK_CTX(frz__fs_list(t->db->fs, path, max_version, &n, err), err, "%s", t->name);
        if (n == 0) rc = frz__err(err, FRZ_NOT_FOUND, "%s: no v<N>.metadata.json in %s/metadata", t->name, t->dir);
    }
    for (bool more = n > 0; rc >= 0 && more;) {
        CHECK(version_exists(t, n + 1, &more, err));
        n += more;
    }
    *out = n;
done:
    buf_clear(&hint);
    return rc < 0 ? rc : n ? FRZ_OK : FRZ_NOT_FOUND;
}

/* ── loading ── */

static int read_into(struct table *t, struct arena *ar, const char *path, slice *out, frz_error *err)
{
    struct buf b = BUF_INIT(t->a, METADATA_BYTES_MAX);
    int rc = frz__fs_read_file(t->db->fs, path, METADATA_BYTES_MAX, &b, err);
    if (rc == FRZ_NOT_FOUND) rc = frz__err_corrupt(err, "%s: %s is missing: the table's metadata names it", t->name, path);
    if (rc >= 0) {
        uint8_t *p = (uint8_t *)arena_alloc(ar, b.len + 1, 8);
        if (!p) rc = frz__err_no_memory(err, b.len);
        else {
            if (b.len) memcpy(p, b.data, b.len);
            *out = slice_of(p, b.len);
        }
    }
    buf_clear(&b);
    return rc;
}

/* A reader loses races with a writer that removes what it has superseded: a newest version that can't be read any more is looked for again, as long as there is a newer one. */
static bool outrun(struct table *t, int64_t n, int rc)
{
    int64_t now = n;
    return rc == FRZ_CORRUPT && newest(t, &now, NULL) == FRZ_OK && now != n;
}

static int read_metadata(struct table *t, struct arena *ar, int64_t n, struct ice_meta **out, size_t *bytes, frz_error *err)
{
    char path[PATH_BYTES];
    slice json;
    FAILPOINT("version.found", err);
    TRY(version_path(t, n, path, err));
    TRY(read_into(t, ar, path, &json, err));
    *bytes = json.len;
    int rc = frz__ice_meta_parse(t->a, ar, json, out, err);
    return rc < 0 ? frz__err_context(err, "%s: %s", t->name, path), rc : FRZ_OK;
}

int frz__version_retains(struct table *t, const struct version *v, int64_t id, bool *out, frz_error *err)
{
    struct arena ar = ARENA_INIT(t->a);
    struct ice_meta *other = NULL;
    int64_t n;
    size_t bytes;
    int rc;
    do {
        frz__arena_clear(&ar);
        other = NULL;
        rc = newest(t, &n, err);
        if (rc == FRZ_OK && n != v->number) rc = read_metadata(t, &ar, n, &other, &bytes, err);
    } while (outrun(t, n, rc));
    const struct ice_meta *now = other ? other : v->meta;
    *out = rc == FRZ_OK && strcmp(now->uuid, v->meta->uuid) == 0 && frz__ice_snapshot(now, id);
    frz__ice_meta_release(other);
    frz__arena_clear(&ar);
    return rc < 0 ? rc : FRZ_OK;
}

static int read_iceberg_path(struct table *t, struct arena *ar, slice location, slice path, slice *out, frz_error *err)
{
    char *relative = NULL;
    TRY(frz__path_relative(t, location, path, &relative, err));
    int rc = read_into(t, ar, relative, out, err);
    frz__free(t->a, relative);
    return rc;
}

int frz__version_tree(struct table *t, struct arena *ar, const struct ice_meta *meta, const struct ice_snapshot *s, struct ice_tree *tree, frz_error *err)
{
    slice bytes;
    TRY(read_iceberg_path(t, ar, meta->location, s->manifest_list, &bytes, err));
    int rc = frz__ice_list_parse(t->a, ar, bytes, tree, err);
    if (rc < 0) frz__err_context(err, "%s: manifest list %.*s", t->name, (int)s->manifest_list.len, s->manifest_list.data);
    for (size_t i = 0; rc >= 0 && i < tree->count; i++) {
        struct ice_manifest *m = &tree->manifests[i];
        rc = read_iceberg_path(t, ar, meta->location, m->path, &bytes, err);
        if (rc < 0) return rc;
        rc = frz__ice_manifest_parse(t->a, ar, bytes, m, err);
        if (rc < 0) frz__err_context(err, "%s: manifest %.*s", t->name, (int)m->path.len, m->path.data);
    }
    return rc;
}

static int load_newest(struct table *t, struct version *v, frz_error *err)
{
    int rc = newest(t, &v->number, err);
    if (rc != FRZ_OK) return rc;
    TRY(read_metadata(t, &v->ar, v->number, &v->meta, &v->metadata_bytes, err));
    if (v->meta->current_snapshot_id < 0) return FRZ_OK;
    const struct ice_snapshot *s = frz__ice_snapshot(v->meta, v->meta->current_snapshot_id);
    if (!s) return frz__err_corrupt(err, "%s: v%" PRId64 ".metadata.json: current-snapshot-id %" PRId64 " is not among the snapshots", t->name, v->number, v->meta->current_snapshot_id);
    return frz__version_tree(t, &v->ar, v->meta, s, &v->tree, err);
}

int frz__version_load(struct table *t, struct version **out, frz_error *err)
{
    for (;;) {
        struct version *v = NULL;
        TRY(ALLOC_NEW(&v, t->a, struct version, err));
        v->a = t->a;
        v->ar = ARENA_INIT(t->a);
        atomic_store(&v->refs, 1);
        int rc = load_newest(t, v, err);
        if (rc == FRZ_OK) {
            *out = v;
            return FRZ_OK;
        }
        bool again = outrun(t, v->number, rc);
        frz__version_release(v);
        if (!again) return rc;
    }
}

/* ── the files of a snapshot ── */

struct gather {
    struct table *t;
    slice location; /* as the version's metadata has it */
    struct vfile **files;
    size_t count;
    struct buf *positions; /* u64 a position, by file */
    struct delfile *dels;
    size_t del_count, del_cap;
    bool want_dels;
    int64_t seq; /* of the delete file at hand */
    struct delfile *del;
    uint64_t named; /* hash of the path that was named last */
};

static int64_t find_file(const struct gather *g, slice path)
{
    for (size_t i = 0; i < g->count; i++)
        if (slice_eq(path, slice_str(g->files[i]->iceberg_path))) return (int64_t)i;
    return -1;
}

static int note_target(struct gather *g, slice path, frz_error *err)
{
    struct delfile *d = g->del;
    for (size_t i = d->target_count; i-- > 0;)
        if (slice_eq(path, slice_str(d->targets[i]))) return FRZ_OK;
    char **grown = (char **)frz__realloc(g->t->a, d->targets, (d->target_count + 1) * sizeof *grown);
    if (!grown) return frz__err_no_memory(err, (d->target_count + 1) * sizeof *grown);
    d->targets = grown;
    char *copy = frz__strndup(g->t->a, (const char *)path.data, path.len);
    if (!copy) return frz__err_no_memory(err, path.len);
    d->targets[d->target_count++] = copy;
    return FRZ_OK;
}

static int add_positions(struct gather *g, slice path, const uint64_t *positions, size_t count, frz_error *err)
{
    int64_t i = find_file(g, path);
    uint64_t hash = frz__hash64(path);
    if (g->del && (hash != g->named || !g->del->named)) g->del->named++;
    g->named = hash;
    if (i < 0) return FRZ_OK; /* of a file that is gone: legal in v2 */
    if (g->files[i]->data_sequence > g->seq) return FRZ_OK;
    for (size_t k = 0; k < count; k++)
        if (positions[k] >= g->files[i]->sst->rows)
            return frz__err_corrupt(err, "%s: a delete of position %" PRIu64 " in %.*s, which has %" PRIu64 " rows", g->t->name, positions[k], (int)path.len, path.data, g->files[i]->sst->rows);
    if (g->del) TRY(note_target(g, path, err));
    return buf_append(&g->positions[i], positions, count * sizeof *positions, err);
}

static int on_posdel(void *ctx, slice path, const int64_t *positions, size_t count, frz_error *err)
{
    struct gather *g = (struct gather *)ctx;
    for (size_t i = 0; i < count; i++)
        if (positions[i] < 0) return frz__err_corrupt(err, "%s: a delete of position %" PRId64, g->t->name, positions[i]);
    return add_positions(g, path, (const uint64_t *)(const void *)positions, count, err);
}

struct dv_walk { struct gather *g; slice path; frz_error *err; int rc; };
static int on_dv(void *ctx, const uint64_t *positions, size_t count)
{
    struct dv_walk *w = (struct dv_walk *)ctx;
    w->rc = add_positions(w->g, w->path, positions, count, w->err);
    return w->rc;
}

static int read_deletes(struct gather *g, const struct ice_entry *e, struct codec_ctx *codec, frz_error *err)
{
    struct table *t = g->t;
    char *path = NULL;
    struct file *f = NULL;
    struct buf blob = BUF_INIT(t->a, METADATA_BYTES_MAX);
    int rc = FRZ_OK;
    uint64_t bytes = 0, count = 0;
    g->seq = e->sequence_number;
    CHECK(frz__path_relative(t, g->location, e->file.path, &path, err));
    rc = frz__fs_open(t->db->fs, path, FS_OPEN_READ, &f, err);
    if (rc == FRZ_NOT_FOUND) rc = frz__err_corrupt(err, "%s: delete file %s is missing", t->name, path);
    if (rc < 0) goto done;
    CHECK(frz__file_size(f, &bytes, err));
    if ((int64_t)bytes != e->file.file_size) {
        rc = frz__err_corrupt(err, "%s: %s has %" PRIu64 " bytes, its manifest says %" PRId64, t->name, path, bytes, e->file.file_size);
        goto done;
    }
    if (slice_eq(e->file.format, slice_str("PUFFIN")) || e->file.content_offset >= 0) {
        if (e->file.content_offset < 0 || e->file.content_size < 12 || (uint64_t)e->file.content_size > bytes || (uint64_t)e->file.content_offset > bytes - (uint64_t)e->file.content_size) {
            rc = frz__err_corrupt(err, "%s: %s: a deletion vector at %" PRId64 " of %" PRId64 " bytes is outside the file", t->name, path, e->file.content_offset, e->file.content_size);
            goto done;
        }
        CHECK(buf_reserve(&blob, (size_t)e->file.content_size, err));
        CHECK(frz__file_read_full(f, (uint64_t)e->file.content_offset, blob.data, (size_t)e->file.content_size, err));
        struct dv_walk w = {g, e->file.referenced_data_file, err, FRZ_OK};
        CHECK_CTX(frz__dv_decode(slice_of(blob.data, (size_t)e->file.content_size), on_dv, &w, &count, err), err, "%s: %s at %" PRId64, t->name, path, e->file.content_offset);
    } else {
        CHECK(frz__posdel_read(t->a, frz__sst_source(f, bytes, path), codec, on_posdel, g, &count, err));
    }
    if ((int64_t)count != e->file.record_count) rc = frz__err_corrupt(err, "%s: %s masks %" PRIu64 " positions, its manifest says %" PRId64, t->name, path, count, e->file.record_count);
done:
    rc = frz__first(rc, frz__file_close(f, err));
    frz__free(t->a, path);
    buf_clear(&blob);
    return rc;
}

void frz__delfile_clear(const allocator *a, struct delfile *d)
{
    for (size_t i = 0; i < d->target_count; i++) frz__free(a, d->targets[i]);
    frz__free(a, d->targets);
    frz__free(a, d->path);
    *d = (struct delfile){0};
}

static int open_data_file(struct table *t, slice location, const struct ice_entry *e, frz_schema *schema, struct vfile **out, frz_error *err)
{
    struct sst *sst = NULL;
    char *path = NULL;
    int rc = FRZ_OK;
    /* the same file in the current view is open already */
    uint64_t seq;
    struct view *v = atomic_load(&t->view) ? frz__view_latest(t, &seq) : NULL;
    for (size_t i = 0; v && i < v->file_count && !sst; i++)
        if (slice_eq(e->file.path, slice_str(v->files[i]->iceberg_path)) && frz__schema_same_reads(v->schema, schema)) sst = frz__sst_acquire(v->files[i]->sst);
    frz__view_release(v);
    if (!sst) {
        CHECK(frz__path_relative(t, location, e->file.path, &path, err));
        if (!slice_eq(e->file.format, slice_str("PARQUET")) && !slice_eq(e->file.format, slice_str("parquet"))) {
            rc = frz__err(err, FRZ_UNSUPPORTED, "%s: %s is of format %.*s; expected PARQUET", t->name, path, (int)e->file.format.len, e->file.format.data);
            goto done;
        }
        struct sst_env env = {t->a, t->db->fs, t->db->cache, &t->db->counters};
        uint64_t no = atomic_fetch_add(&t->db->next_file_no, 1);
        rc = frz__sst_open(&env, path, no, schema, (uint64_t)e->file.file_size, (uint64_t)e->file.record_count, &sst, err);
        if (rc == FRZ_NOT_FOUND) rc = frz__err_corrupt(err, "%s: data file %s is missing: the table's metadata names it", t->name, path);
        if (rc < 0) goto done;
    }
    rc = frz__vfile_new(t->a, sst, NULL, e->file.path, e->file.first_row_id, e->sequence_number, e->file.file_size, out, err);
    sst = NULL;
done:
    frz__sst_release(sst);
    frz__free(t->a, path);
    return rc;
}

/* Positions as gathered → masks; several delete files may name the same position. */
static int put_masks(struct gather *g, frz_error *err)
{
    const allocator *a = g->t->a;
    for (size_t i = 0; i < g->count; i++) {
        uint64_t *p = (uint64_t *)(void *)g->positions[i].data;
        size_t n = frz__positions_sort(p, g->positions[i].len / sizeof *p);
        if (n == 0) continue;
        struct mask *mask = NULL;
        struct vfile *old = g->files[i], *fresh = NULL;
        TRY(frz__mask_add(a, NULL, p, n, &mask, err));
        TRY(frz__vfile_new(a, frz__sst_acquire(old->sst), mask, slice_str(old->iceberg_path), old->first_row_id, old->data_sequence, old->file_size, &fresh, err));
        frz__vfile_release(old);
        g->files[i] = fresh;
    }
    return FRZ_OK;
}

static int gather_tree(struct gather *g, const struct ice_tree *tree, frz_schema *schema, struct codec_ctx *codec, frz_error *err)
{
    struct table *t = g->t;
    size_t cap = 0, pos_cap = 0;
    for (size_t m = 0; m < tree->count; m++) {
        for (size_t i = 0; i < tree->manifests[m].entry_count; i++) {
            const struct ice_entry *e = &tree->manifests[m].entries[i];
            if (e->status == ICE_DELETED || e->file.content != ICE_DATA) continue;
            TRY(frz__grow(t->a, (void **)&g->files, g->count, &cap, sizeof *g->files, err));
            TRY(frz__grow(t->a, (void **)&g->positions, g->count, &pos_cap, sizeof *g->positions, err));
            TRY(open_data_file(t, g->location, e, schema, &g->files[g->count], err));
            g->positions[g->count++] = BUF_INIT(t->a, 0);
        }
    }
    for (size_t m = 0; m < tree->count; m++) {
        for (size_t i = 0; i < tree->manifests[m].entry_count; i++) {
            const struct ice_entry *e = &tree->manifests[m].entries[i];
            if (e->status == ICE_DELETED || e->file.content == ICE_DATA) continue;
            if (e->file.content == ICE_EQUALITY_DELETES)
                return frz__err(err, FRZ_UNSUPPORTED, "%s: equality delete file %.*s: rewrite them in the engine that wrote them", t->name, (int)e->file.path.len, e->file.path.data);
            g->del = NULL;
            if (g->want_dels) {
                TRY(frz__grow(t->a, (void **)&g->dels, g->del_count, &g->del_cap, sizeof *g->dels, err));
                g->del = &g->dels[g->del_count];
                *g->del = (struct delfile){.positions = (uint64_t)e->file.record_count, .sequence = e->sequence_number};
                g->del->path = frz__strndup(t->a, (const char *)e->file.path.data, e->file.path.len);
                if (!g->del->path) return frz__err_no_memory(err, e->file.path.len);
                g->del_count++;
            }
            TRY(read_deletes(g, e, codec, err));
        }
    }
    return put_masks(g, err);
}

/* The columns of its time; of snapshots that do not say, the current ones. */
static frz_schema *schema_then(const struct version *v, int64_t snapshot_id)
{
    const struct ice_snapshot *s = frz__ice_snapshot(v->meta, snapshot_id);
    frz_schema *schema = s && s->schema_id >= 0 ? frz__ice_schema(v->meta, s->schema_id) : NULL;
    return schema ? schema : frz__ice_schema(v->meta, v->meta->current_schema_id);
}

static int files_as(struct table *t, struct version *v, int64_t snapshot_id, frz_schema *schema, struct vfile ***files, size_t *count, struct delfile **dels, size_t *del_count, frz_error *err)
{
    struct gather g = {.t = t, .location = v->meta->location, .want_dels = dels != NULL};
    struct codec_ctx *codec = NULL;
    struct arena ar = ARENA_INIT(t->a);
    struct ice_tree old = {0};
    const struct ice_tree *tree = &v->tree;
    int rc = FRZ_OK;
    if (snapshot_id >= 0 && snapshot_id != v->meta->current_snapshot_id) {
        const struct ice_snapshot *s = frz__ice_snapshot(v->meta, snapshot_id);
        if (!s) return frz__err(err, FRZ_NOT_FOUND, "%s: no snapshot %" PRId64 " is retained", t->name, snapshot_id);
        CHECK(frz__version_tree(t, &ar, v->meta, s, &old, err));
        tree = &old;
    }
    if (!schema) {
        rc = frz__err(err, FRZ_UNSUPPORTED, "%s: its schema has nested or unknown types", t->name);
        goto done;
    }
    CHECK(frz__codec_take(t->db, &codec, err));
    CHECK(gather_tree(&g, tree, schema, codec, err));
    *files = g.files;
    *count = g.count;
    if (dels) {
        *dels = g.dels;
        *del_count = g.del_count;
    }
done:
    if (rc < 0) {
        for (size_t i = 0; i < g.count; i++) frz__vfile_release(g.files[i]);
        for (size_t i = 0; i < g.del_count; i++) frz__delfile_clear(t->a, &g.dels[i]);
        frz__free(t->a, g.files);
        frz__free(t->a, g.dels);
    }
    for (size_t i = 0; i < g.count && g.positions; i++) buf_clear(&g.positions[i]);
    frz__free(t->a, g.positions);
    frz__codec_give(t->db, codec);
    frz__arena_clear(&ar);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__version_files(struct table *t, struct version *v, int64_t snapshot_id, struct vfile ***files, size_t *count, struct delfile **dels, size_t *del_count, frz_error *err)
{
    return files_as(t, v, snapshot_id, frz__ice_schema(v->meta, v->meta->current_schema_id), files, count, dels, del_count, err);
}

int frz__version_files_then(struct table *t, struct version *v, int64_t snapshot_id, frz_schema **schema, struct vfile ***files, size_t *count, frz_error *err)
{
    *schema = schema_then(v, snapshot_id);
    return files_as(t, v, snapshot_id, *schema, files, count, NULL, NULL, err);
}
