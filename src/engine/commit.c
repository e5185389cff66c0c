/* commit.c — the one way to publish: everything that changes a table ends here.
 *
 *   1  ice_apply makes the next metadata and the small files, from the base at hand
 *   2  manifests and list are written, then synced together with the data files, then their directories
 *   3  v{N+1}.metadata.json is linked into place, never replacing                     ← the commit
 *   4  the hint moves
 * When N+1 is there already, somebody else committed, or we did and never learnt of it: the base is read again. With the same snapshot, schema and format version the edit goes on from there, and what that
 * version says beside them holds here too: its properties, and that its branches may need what main let go. With another it is FRZ_CONFLICT: the caller's files and masks were made against a state that is
 * gone; he reloads the table and begins again. */
#include <stdio.h>

#include "engine/tables.h"

#define TRIES_MAX 16

static int fresh_snapshot_id(const struct ice_meta *m, int64_t *out, frz_error *err)
{
    uint64_t v;
    do {
        TRY(frz__random_bytes(&v, sizeof v, err));
        *out = (int64_t)(v & INT64_MAX);
    } while (*out == 0 || frz__ice_snapshot(m, *out));
    return FRZ_OK;
}

static int in_table(const struct table *t, slice name, char out[PATH_BYTES], frz_error *err) { return frz__path(out, err, "%s/%.*s", t->dir, (int)name.len, name.data); }

static int write_small_files(struct table *t, const struct ice_result *res, const struct commit_request *r, frz_error *err)
{
    const allocator *a = t->a;
    char path[PATH_BYTES];
    struct durable_file *files = (struct durable_file *)frz__alloc_array(a, res->file_count + 1, sizeof *files);
    int rc = files ? FRZ_OK : frz__err_no_memory(err, res->file_count * sizeof *files);
    for (size_t i = 0; rc >= 0 && i < res->file_count; i++) {
        files[i].bytes = res->files[i].bytes;
        files[i].site = slice_has_prefix(res->files[i].path, slice_str("metadata/snap-")) ? SYNC_MANIFEST_LIST : SYNC_MANIFEST;
        rc = in_table(t, res->files[i].path, path, err);
        if (rc >= 0 && !(files[i].path = frz__strdup(a, path))) rc = frz__err_no_memory(err, strlen(path));
    }
    const struct durable_batch b = {files, res->file_count, r->data_files, r->data_file_count, SYNC_MANIFEST_DIR, SYNC_DATA_DIR};
    if (rc >= 0 && (b.count || b.open_count)) rc = frz__durable_batch(t->db->fs, &b, err);
    for (size_t i = 0; files && i < res->file_count; i++) frz__free(a, (void *)(uintptr_t)files[i].path);
    frz__free(a, files);
    return rc;
}

/* The version did not come about, and nobody names them: on a full disk each try would leave its own. */
static void drop_small_files(struct table *t, const struct ice_result *res)
{
    for (size_t i = 0; i < res->file_count; i++) {
        char path[PATH_BYTES];
        frz_error why;
        if (in_table(t, res->files[i].path, path, &why) < 0 || frz__fs_unlink(t->db->fs, path, &why) < 0)
            frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %.*s is left to the next sweep: %s", t->name, (int)res->files[i].path.len, res->files[i].path.data, why.message);
    }
}

static uint64_t bytes_of(const struct ice_result *res)
{
    uint64_t bytes = res->metadata_json.len;
    for (size_t i = 0; i < res->file_count; i++) bytes += res->files[i].bytes.len;
    return bytes;
}

int frz__hint_move(struct table *t, int64_t number, frz_error *err)
{
    char text[24], temp[PATH_BYTES], hint[PATH_BYTES];
    int n = snprintf(text, sizeof text, "%" PRId64, number);
    TRY(frz__path(temp, err, "%s/metadata/.tmp-version-hint", t->dir));
    TRY(frz__path(hint, err, "%s/metadata/version-hint.text", t->dir));
    return frz__durable_replace(t->db->fs, &(struct durable_name){temp, hint, SYNC_HINT, SYNC_NONE}, slice_of(text, (size_t)n), err);
}

/* Old versions that fell out of the metadata log. What can't be removed now is removed by a later sweep. */
static void drop_old_metadata(struct table *t, const struct ice_result *res)
{
    if (atomic_load(&t->db->backups)) return; /* one may be about to be linked */
    for (size_t i = 0; i < res->expired_metadata_count; i++) {
        frz_error why;
        char path[PATH_BYTES];
        slice name = res->expired_metadata[i];
        if (in_table(t, name, path, &why) < 0 || frz__fs_unlink(t->db->fs, path, &why) < 0)
            frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %.*s stays: %s", t->name, (int)name.len, name.data, why.message);
    }
}

static bool has_manifest(const struct ice_tree *tree, slice path)
{
    for (size_t i = 0; i < tree->count; i++)
        if (slice_eq(tree->manifests[i].path, path)) return true;
    return false;
}

static void expire_path(struct table *t, slice path, int64_t added, int64_t removed)
{
    char *relative = NULL;
    frz_error ignored;
    if (frz__path_relative(t, t->version->meta->location, path, &relative, &ignored) < 0 || frz__expire_add(t, relative, added, removed, &ignored) < 0)
        frz__log(&t->db->log, FRZ_LOG_INFO, "%.*s is left to the next sweep", (int)path.len, path.data);
}

/* Manifests that the new snapshot no longer has, and the lists of snapshots that expired with it. */
static void expire_metadata(struct table *t, const struct version *base, const struct version *next, const struct ice_result *res)
{
    for (size_t i = 0; i < base->tree.count; i++)
        if (!has_manifest(&next->tree, base->tree.manifests[i].path))
            expire_path(t, base->tree.manifests[i].path, base->tree.manifests[i].sequence_number, next->meta->last_sequence_number);
    for (size_t i = 0; i < res->expired_snapshot_count; i++) {
        const struct ice_snapshot *s = frz__ice_snapshot(base->meta, res->expired_snapshots[i]);
        if (s) expire_path(t, s->manifest_list, s->sequence_number, s->sequence_number + 1); /* who reads it by its id holds it */
    }
}

/* One try against T's version. FRZ_EXISTS: N+1 is somebody else's. */
static int try_commit(struct table *t, struct commit_request *r, struct version *next, frz_error *err)
{
    struct db *db = t->db;
    const struct version *base = t->version;
    struct ice_env env = {.now_ms = frz__clock_wall_us() / 1000, .base_version = base->number};
    struct ice_result res = {0};
    char token[64], temp[PATH_BYTES], name[PATH_BYTES];
    bool written = false, unknown = false;
    int rc = FRZ_OK;
    frz__db_token(db, base->number + 1, token);
    env.name_token = token;
    CHECK(fresh_snapshot_id(base->meta, &env.snapshot_id, err));
    CHECK(frz__ice_apply(t->a, &next->ar, base->meta, &base->tree, &r->edit, &env, &res, err));
    next->meta = res.meta;
    next->tree = res.tree;
    next->number = base->number + 1;
    next->metadata_bytes = res.metadata_json.len;
    FAILPOINT_CHECK("commit.before_files", err);
    stat_add(&t->metadata_bytes_written, bytes_of(&res));
    CHECK(write_small_files(t, &res, r, err)); /* all of them or none; FRZ_EXISTS: the one that is there is not ours */
    written = rc == FRZ_OK;
    if (!written) goto done;
    FAILPOINT_CHECK("commit.before_link", err);
    CHECK(frz__path(name, err, "%s/metadata/v%" PRId64 ".metadata.json", t->dir, next->number));
    CHECK(frz__path(temp, err, "%s/metadata/.tmp-%s", t->dir, token));
    rc = frz__durable_publish_new(db->fs, &(struct durable_name){temp, name, SYNC_METADATA, SYNC_METADATA_DIR}, res.metadata_json, &unknown, err);
    r->in_doubt = unknown; /* it may be there and not survive: what it names stays, the log keeps the rows, and the table is read again before the next commit (hazards 11) */
    if (rc != FRZ_OK) goto done;
    r->in_doubt = true;
    FAILPOINT_CHECK("commit.after_link", err);
    r->in_doubt = false;
    frz_error hint_error;
    if (frz__hint_move(t, next->number, &hint_error) < 0)
        frz__log(&db->log, FRZ_LOG_WARN, "%s: version-hint.text stays behind version %" PRId64 ": %s", t->name, next->number, hint_error.message);
    if (res.expired_snapshot_count) frz__event(db, t, FRZ_EVENT_SNAPSHOTS_EXPIRED, &(struct event_info){.rows_in = res.expired_snapshot_count});
    drop_old_metadata(t, &res);
    expire_metadata(t, base, next, &res);
    r->number = next->number;
    r->metadata_bytes = res.metadata_json.len;
    for (size_t i = 0; i < res.file_count; i++) r->metadata_bytes += res.files[i].bytes.len;
    r->snapshot_id = r->edit.no_snapshot ? -1 : res.meta->current_snapshot_id;
    r->sequence = res.meta->last_sequence_number;
done:
    if (rc != FRZ_OK && written && !r->in_doubt) drop_small_files(t, &res);
    return rc;
}

/* Another schema needs another view: rows would be written by the old one, and it would never be taken up. */
static bool same_schema(const struct ice_meta *a, const struct ice_meta *b)
{
    const frz_schema *x = frz__ice_schema(a, a->current_schema_id), *y = frz__ice_schema(b, b->current_schema_id);
    return a->current_schema_id == b->current_schema_id && a->last_column_id == b->last_column_id && x && y && frz__schema_same(x, y);
}

/* An edit for one is good for the other: of one table, at one place, with the same rows, masked the same way, and new ones to be laid out alike. */
static bool same_state(const struct ice_meta *a, const struct ice_meta *b)
{
    return a->current_snapshot_id == b->current_snapshot_id && a->format_version == b->format_version && strcmp(a->uuid, b->uuid) == 0 && slice_eq(a->location, b->location) &&
           a->partitioned == b->partitioned && same_schema(a, b);
}

/* Somebody else's version is there: the table's, where R's edit goes on from it. */
static int adopt(struct table *t, const struct commit_request *r, bool last, frz_error *err)
{
    struct version *theirs = NULL;
    int rc = frz__version_load(t, &theirs, err);
    if (rc == FRZ_NOT_FOUND) rc = frz__err_corrupt(err, "%s: version %" PRId64 " was there, and no metadata is any more", t->name, t->version->number + 1);
    if (rc < 0) return rc;
    if (r->strict || last || !same_state(theirs->meta, t->version->meta)) {
        rc = frz__err(err, FRZ_CONFLICT, "%s: version %" PRId64 " with snapshot %" PRId64 " was committed meanwhile", t->name, theirs->number, theirs->meta->current_snapshot_id);
        frz__version_release(theirs);
        return rc;
    }
    frz__expire_rebase(t, t->version, theirs);
    frz__version_release(t->version);
    t->version = theirs;
    return FRZ_OK;
}

int frz__commit(struct table *t, struct commit_request *r, frz_error *err)
{
    int64_t since = frz__clock_mono_ns();
    bool adopted = false;
    int rc = FRZ_OK;
    FRZ_ASSERT_HELD(&t->flush_mu);
    frz__mutex_lock(&t->commit_mu);
    for (int tries = 0;; tries++) {
        struct version *next = NULL;
        rc = ALLOC_NEW(&next, t->a, struct version, err);
        if (rc < 0) break;
        next->a = t->a;
        next->ar = ARENA_INIT(t->a);
        atomic_store(&next->refs, 1);
        rc = try_commit(t, r, next, err);
        if (rc == FRZ_OK) {
            frz__version_release(t->version);
            t->version = next;
            break;
        }
        frz__version_release(next);
        if (r->in_doubt) {
            t->in_doubt = true;
            frz__err_context(err, "%s: version %" PRId64 " may have been committed all the same", t->name, t->version->number + 1);
        }
        if (rc != FRZ_EXISTS) break;
        stat_add(&t->commit_conflicts, 1);
        frz__event(t->db, t, FRZ_EVENT_CONFLICT, &(struct event_info){.rows_in = (uint64_t)tries + 1});
        rc = adopt(t, r, tries == TRIES_MAX, err);
        if (rc < 0) break;
        adopted = true;
    }
    frz__mutex_unlock(&t->commit_mu);
    if (adopted) frz__table_follow_properties(t);
    uint64_t us = (uint64_t)(frz__clock_mono_ns() - since) / 1000;
    if (rc == FRZ_OK) {
        stat_add(&t->commits, 1);
        latency_add(&t->commit_latency, us);
        frz__event(t->db, t, FRZ_EVENT_COMMIT, &(struct event_info){.duration_us = us, .files_in = r->edit.removed_count, .files_out = r->edit.added_count});
    }
    return rc;
}
