/* relocate.c — a warehouse that was copied or moved: at the first open for writing each table is re-pointed, in one commit (hazards 23).
 *
 *   1  delete files hold the paths of data files: each is written anew
 *   2  manifests, list and metadata of the current snapshot are written anew; older snapshots, which name the old place, are forgotten
 *   3  v{N+1}.metadata.json is linked, the hint moves, as in any commit
 * Everything is read and written below this warehouse's root: the place that the old metadata names is looked at once, and never opened: if it is this very directory under another name (two mount points),
 * nothing is done, else each would re-point it in turn. What is left of the old paths' files goes by the sweep. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/paths.h"
#include "iceberg/ice_posdel.h"
#include "puffin/puffin.h"

struct target { slice path; struct buf positions; };
struct relocation {
    struct table *t;
    const struct version *old;
    struct version *next;
    struct codec_ctx *codec;
    char token[64];
    struct ice_moved_file *moved;
    size_t moved_count, moved_cap;
    struct durable_file *files; /* paths and bytes are ours */
    size_t file_count, file_cap;
    struct target *targets; /* of the position-delete file at hand */
    size_t target_count, target_cap;
};

/* Takes BYTES. NAME is below the table. */
static int add_file(struct relocation *r, const char *name, size_t name_len, struct buf *bytes, enum sync_site site, frz_error *err)
{
    const allocator *a = r->t->a;
    size_t dir = strlen(r->t->dir);
    TRY(frz__grow(a, (void **)&r->files, r->file_count, &r->file_cap, sizeof *r->files, err));
    char *path = (char *)frz__alloc(a, dir + name_len + 2);
    if (!path) return frz__err_no_memory(err, dir + name_len);
    snprintf(path, dir + name_len + 2, "%s/%.*s", r->t->dir, (int)name_len, name);
    r->files[r->file_count++] = (struct durable_file){path, buf_slice(bytes), site};
    *bytes = BUF_INIT(a, 0);
    return FRZ_OK;
}

static int new_path(struct relocation *r, slice old, slice *out, frz_error *err)
{
    size_t to = strlen(r->t->location);
    slice rest;
    if (!frz__ice_path_within(r->old->meta->location, old, &rest))
        return frz__err(err, FRZ_UNSUPPORTED, "%s: a delete file names %.*s, which is not under the table's location", r->t->name, (int)old.len, old.data);
    char *p = (char *)arena_alloc(&r->next->ar, to + rest.len + 1, 1);
    if (!p) return frz__err_no_memory(err, to + rest.len);
    memcpy(p, r->t->location, to);
    memcpy(p + to, rest.data, rest.len);
    *out = slice_of(p, to + rest.len);
    return FRZ_OK;
}

static int open_old(struct relocation *r, const struct ice_entry *e, struct file **f, char **path, frz_error *err)
{
    uint64_t bytes = 0;
    TRY(frz__path_relative(r->t, r->old->meta->location, e->file.path, path, err));
    TRY(frz__must_exist(frz__fs_open(r->t->db->fs, *path, FS_OPEN_READ, f, err), err));
    TRY(frz__file_size(*f, &bytes, err));
    if ((int64_t)bytes == e->file.file_size) return FRZ_OK;
    return frz__err_corrupt(err, "%s: %s has %" PRIu64 " bytes, its manifest says %" PRId64, r->t->name, *path, bytes, e->file.file_size);
}

static int on_positions(void *ctx, slice path, const int64_t *positions, size_t count, frz_error *err)
{
    struct relocation *r = (struct relocation *)ctx;
    size_t i = r->target_count;
    slice to;
    TRY(new_path(r, path, &to, err));
    while (i > 0 && !slice_eq(r->targets[i - 1].path, to)) i--; /* sorted by path: the last one, mostly */
    if (i == 0) {
        TRY(frz__grow(r->t->a, (void **)&r->targets, r->target_count, &r->target_cap, sizeof *r->targets, err));
        i = ++r->target_count;
        r->targets[i - 1] = (struct target){to, BUF_INIT(r->t->a, 0)};
    }
    return buf_append(&r->targets[i - 1].positions, positions, count * sizeof *positions, err);
}
static int sink_append(void *ctx, slice bytes, frz_error *err) { return buf_append_slice((struct buf *)ctx, bytes, err); }

static int cmp_target(const void *a, const void *b) { return slice_cmp(((const struct target *)a)->path, ((const struct target *)b)->path); }

static int write_positions(struct relocation *r, struct buf *bytes, struct ice_file *out, frz_error *err)
{
    const allocator *a = r->t->a;
    struct posdel_target *targets = (struct posdel_target *)frz__alloc_array(a, r->target_count + 1, sizeof *targets);
    if (!targets) return frz__err_no_memory(err, r->target_count * sizeof *targets);
    if (r->target_count) qsort(r->targets, r->target_count, sizeof *r->targets, cmp_target);
    for (size_t i = 0; i < r->target_count; i++) {
        uint64_t *p = (uint64_t *)(void *)r->targets[i].positions.data;
        targets[i] = (struct posdel_target){r->targets[i].path, p, frz__positions_sort(p, r->targets[i].positions.len / sizeof *p)};
    }
    int rc = frz__posdel_write(a, targets, r->target_count, r->t->settings.codec, r->codec, (struct pq_sink){bytes, sink_append}, &r->next->ar, out, err);
    frz__free(a, targets);
    return rc;
}

static int copy_positions(struct relocation *r, const struct ice_entry *e, struct buf *bytes, struct ice_file *out, frz_error *err)
{
    char *path = NULL;
    struct file *f = NULL;
    uint64_t rows = 0;
    int rc = FRZ_OK;
    CHECK(open_old(r, e, &f, &path, err));
    CHECK(frz__posdel_read(r->t->a, frz__sst_source(f, (uint64_t)e->file.file_size, path), r->codec, on_positions, r, &rows, err));
    CHECK(write_positions(r, bytes, out, err));
    out->sort_order_id = e->file.sort_order_id;
done:
    for (size_t i = 0; i < r->target_count; i++) buf_clear(&r->targets[i].positions);
    r->target_count = 0;
    rc = frz__first(rc, frz__file_close(f, rc < 0 ? NULL : err));
    frz__free(r->t->a, path);
    return rc;
}

static int copy_vector(struct relocation *r, const struct ice_entry *e, struct buf *bytes, struct ice_file *out, frz_error *err)
{
    struct buf vector = BUF_INIT(r->t->a, 0);
    struct puffin_blob blob = {.cardinality = (uint64_t)e->file.record_count};
    char *path = NULL;
    struct file *f = NULL;
    int rc = FRZ_OK;
    int64_t at = e->file.content_offset, size = e->file.content_size;
    CHECK(open_old(r, e, &f, &path, err));
    if (at < 0 || size < 0 || at > e->file.file_size || size > e->file.file_size - at) {
        rc = frz__err_corrupt(err, "%s: %s: a deletion vector at %" PRId64 " of %" PRId64 " bytes is outside the file", r->t->name, path, at, size);
        goto done;
    }
    CHECK(buf_reserve(&vector, (size_t)size, err));
    CHECK(frz__file_read_full(f, (uint64_t)at, vector.data, (size_t)size, err));
    blob.bytes = slice_of(vector.data, (size_t)size);
    CHECK(new_path(r, e->file.referenced_data_file, &blob.referenced_data_file, err));
    CHECK(frz__puffin_write_dvs(&blob, 1, bytes, err));
    *out = e->file;
    out->referenced_data_file = blob.referenced_data_file;
    out->file_size = (int64_t)bytes->len;
    out->content_offset = (int64_t)blob.offset;
done:
    buf_clear(&vector);
    rc = frz__first(rc, frz__file_close(f, rc < 0 ? NULL : err));
    frz__free(r->t->a, path);
    return rc;
}

static int copy_delete_file(struct relocation *r, const struct ice_entry *e, frz_error *err)
{
    bool vector = e->file.content_offset >= 0;
    struct buf bytes = BUF_INIT(r->t->a, 0);
    char name[128];
    int rc = FRZ_OK;
    if (e->file.content != ICE_POSITION_DELETES) return frz__err(err, FRZ_UNSUPPORTED, "%s: it has equality deletes", r->t->name);
    CHECK(frz__grow(r->t->a, (void **)&r->moved, r->moved_count, &r->moved_cap, sizeof *r->moved, err));
    struct ice_moved_file *m = &r->moved[r->moved_count];
    *m = (struct ice_moved_file){.old_path = e->file.path, .old_target = e->file.referenced_data_file};
    CHECK(vector ? copy_vector(r, e, &bytes, &m->file, err) : copy_positions(r, e, &bytes, &m->file, err));
    int n = snprintf(name, sizeof name, "data/frz-%s-%s%zu.%s", r->token, vector ? "dv" : "d", r->moved_count, vector ? "puffin" : "parquet");
    struct buf path = BUF_INIT(r->t->a, 0);
    rc = frz__buf_printf(&path, err, "%s/%s", r->t->location, name);
    char *kept = rc < 0 ? NULL : frz__arena_strndup(&r->next->ar, (char *)path.data, path.len);
    if (kept) m->file.path = slice_of(kept, path.len);
    else if (rc >= 0) rc = frz__err_no_memory(err, path.len);
    buf_clear(&path);
    if (rc >= 0) rc = add_file(r, name, (size_t)n, &bytes, vector ? SYNC_DELETION_VECTOR : SYNC_DELETE_FILE, err);
    r->moved_count += rc >= 0;
done:
    buf_clear(&bytes);
    return rc;
}

static int copy_delete_files(struct relocation *r, frz_error *err)
{
    for (size_t m = 0; m < r->old->tree.count; m++)
        for (size_t i = 0; i < r->old->tree.manifests[m].entry_count; i++) {
            const struct ice_entry *e = &r->old->tree.manifests[m].entries[i];
            if (e->status != ICE_DELETED && e->file.content != ICE_DATA) TRY(copy_delete_file(r, e, err));
        }
    return FRZ_OK;
}

static int commit(struct relocation *r, frz_error *err)
{
    struct table *t = r->t;
    struct ice_result res = {0};
    struct ice_env env = {.now_ms = frz__clock_wall_us() / 1000, .base_version = r->old->number, .name_token = r->token};
    char temp[PATH_BYTES], name[PATH_BYTES];
    TRY(frz__ice_relocate(t->a, &r->next->ar, r->old->meta, &r->old->tree, slice_str(t->location), r->moved, r->moved_count, &env, &res, err));
    r->next->meta = res.meta;
    r->next->tree = res.tree;
    r->next->number = r->old->number + 1;
    for (size_t i = 0; i < res.file_count; i++) {
        struct buf bytes = BUF_INIT(t->a, 0);
        int rc = buf_append_slice(&bytes, res.files[i].bytes, err);
        if (rc >= 0) rc = add_file(r, (const char *)res.files[i].path.data, res.files[i].path.len, &bytes, i + 1 < res.file_count ? SYNC_MANIFEST : SYNC_MANIFEST_LIST, err);
        buf_clear(&bytes);
        TRY(rc);
    }
    struct durable_batch b = {.files = r->files, .count = r->file_count, .files_dir = SYNC_MANIFEST_DIR};
    if (b.count) TRY(frz__durable_batch(t->db->fs, &b, err));
    TRY(frz__path(temp, err, "%s/metadata/.tmp-%s", t->dir, r->token));
    TRY(frz__path(name, err, "%s/metadata/v%" PRId64 ".metadata.json", t->dir, r->next->number));
    int rc = frz__durable_publish_new(t->db->fs, &(struct durable_name){temp, name, SYNC_METADATA, SYNC_METADATA_DIR}, res.metadata_json, NULL, err);
    if (rc == FRZ_EXISTS) return frz__err(err, FRZ_BUSY, "%s: somebody else committed version %" PRId64 " while it was re-pointed", t->name, r->next->number);
    TRY(rc);
    return frz__hint_move(t, r->next->number, err);
}

/* The table that the old location names, if it is in this warehouse too: T is a copy of it, under its uuid, by which the log knows it. */
static int check_copy(struct table *t, slice location, frz_error *err)
{
    size_t at = location.len;
    for (int slashes = 0; at > 0; at--)
        if (location.data[at - 1] == '/' && ++slashes == 2) break;
    char dir[256];
    bool there = false;
    int n = snprintf(dir, sizeof dir, "%.*s", (int)(location.len - at), location.data + at);
    if (n < 0 || (size_t)n >= sizeof dir || strcmp(dir, t->dir) == 0 || frz__fs_exists(t->db->fs, dir, &there, NULL) < 0 || !there) return FRZ_OK;
    return frz__err(err, FRZ_UNSUPPORTED, "%s: it is a copy of %s, which is in this warehouse: a table can't be there twice (drop this one's directory, or open with read_only)", t->name, dir);
}

static int check_place(struct table *t, slice location, frz_error *err)
{
    char old[4096];
    size_t skip = slice_has_prefix(location, slice_str("file:///")) ? 7 : slice_has_prefix(location, slice_str("file:/")) ? 5 : 0;
    if (location.len - skip >= sizeof old || location.len == skip || location.data[skip] != '/')
        return frz__err(err, FRZ_UNSUPPORTED, "%s: its metadata says that it is at %.*s: it can be read only (open with read_only)", t->name, (int)location.len, location.data);
    snprintf(old, sizeof old, "%.*s", (int)(location.len - skip), location.data + skip);
    if (!frz__fs_is(t->db->fs, t->dir, old)) return FRZ_OK;
    return frz__err(err, FRZ_UNSUPPORTED, "%s: its metadata says that it is at %s, which is this very directory by another name: open it by that, or read it only (open with read_only)", t->name, old);
}

int frz__relocate(struct table *t, struct version **v, frz_error *err)
{
    struct relocation r = {.t = t, .old = *v};
    const allocator *a = t->a;
    int rc = FRZ_OK;
    TRY(check_place(t, r.old->meta->location, err));
    TRY(check_copy(t, r.old->meta->location, err));
    TRY(ALLOC_NEW(&r.next, a, struct version, err));
    r.next->a = a;
    r.next->ar = ARENA_INIT(a);
    atomic_store(&r.next->refs, 1);
    frz__db_token(t->db, r.old->number + 1, r.token);
    CHECK(frz__table_settings(r.old->meta->properties, r.old->meta->property_count, false, &t->settings, err));
    CHECK(frz__codec_take(t->db, &r.codec, err));
    CHECK(copy_delete_files(&r, err));
    CHECK(commit(&r, err));
    frz__log(&t->db->log, FRZ_LOG_WARN, "%s: it was at %.*s, and is at %s: its metadata says so from version %" PRId64 " on", t->name, (int)r.old->meta->location.len, r.old->meta->location.data, t->location,
             r.next->number);
done:
    frz__codec_give(t->db, r.codec);
    for (size_t i = 0; i < r.file_count; i++) {
        frz__free(a, (void *)(uintptr_t)r.files[i].path);
        frz__free(a, (void *)(uintptr_t)r.files[i].bytes.data);
    }
    frz__free(a, r.files);
    frz__free(a, r.moved);
    frz__free(a, r.targets);
    if (rc >= 0) {
        frz__version_release(*v);
        *v = r.next;
    } else {
        frz__version_release(r.next);
        frz__err_context(err, "%s: it was moved, and can't be re-pointed: it can be read only (open with read_only)", t->name);
    }
    return rc;
}
