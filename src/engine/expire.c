/* expire.c — who still needs a file that the current snapshot does not: a retained snapshot whose number falls into [added, removed); a view of this process, which holds the snapshot that it shows; a reading
 * process of ours, whose lease says from which snapshot on (lease.h); and, for a grace, a reader that others wrote. What nobody needs is unlinked.
 *
 * Numbers say all this of a table that we alone write. When somebody else committed, what was to go is looked up by a full mark first: he may have gone back to an older snapshot, or branched off it. */
#include "engine/lease.h"
#include "engine/mark.h"

#define MARK_AGAIN_US ((int64_t)60000000)

int frz__expire_add(struct table *t, char *path, int64_t added, int64_t removed, frz_error *err)
{
    int rc = frz__grow(t->a, (void **)&t->pending, t->pending_count, &t->pending_cap, sizeof *t->pending, err);
    if (rc < 0) {
        frz__free(t->a, path);
        return rc;
    }
    t->pending[t->pending_count++] = (struct pending_file){.path = path, .added = added, .removed = removed};
    atomic_store(&t->files_pending, t->pending_count);
    return FRZ_OK;
}

int frz__expire_path(struct table *t, const char *path, int64_t added, int64_t removed, frz_error *err)
{
    char *copy = frz__strdup(t->a, path);
    return copy ? frz__expire_add(t, copy, added, removed, err) : frz__err_no_memory(err, strlen(path));
}

/* ── who needs it ── */

static bool retained(const struct ice_meta *m, const struct pending_file *p)
{
    for (size_t i = 0; i < m->snapshot_count; i++)
        if (m->snapshots[i].sequence_number >= p->added && m->snapshots[i].sequence_number < p->removed) return true;
    return false;
}

enum pending_state frz__expire_state(struct table *t, const struct version *v, struct pending_file *p, int64_t now, bool crowded, const struct leases *leases, const char **who, int64_t *due_us)
{
    const int64_t grace = (int64_t)t->settings.frazil_foreign_reader_grace_ms * 1000;
    *due_us = 0;
    if (retained(v->meta, p)) {
        p->since_us = 0;
        return PENDING_RETAINED;
    }
    if (p->since_us == 0) p->since_us = now ? now : 1;
    *due_us = p->since_us + grace;
    if (frz__holds_any(&t->db->holds, t->uuid, p->added, p->removed)) return PENDING_VIEW;
    if (leases && frz__leases_need(leases, t->uuid, p->removed, who)) return PENDING_LEASE;
    if (now < *due_us && !crowded) return PENDING_GRACE;
    return p->unsure ? PENDING_UNSURE : PENDING_DUE;
}

/* The oldest come first. */
size_t frz__expire_crowd(struct table *t, const struct version *v, int64_t now)
{
    size_t waiting = 0, max = (size_t)t->settings.frazil_foreign_reader_files_max;
    if (t->pending_count <= max) return 0;
    for (size_t i = 0; i < t->pending_count; i++) waiting += t->pending[i].since_us != 0 && !retained(v->meta, &t->pending[i]);
    (void)now;
    return waiting > max ? waiting - max : 0;
}

/* ── what others did ── */

static void add_path(struct table *t, slice location, slice path, int64_t added, int64_t removed)
{
    char *relative = NULL;
    frz_error ignored;
    if (frz__path_relative(t, location, path, &relative, &ignored) < 0) return; /* not ours to remove */
    if (frz__expire_add(t, relative, added, removed, &ignored) >= 0) t->pending[t->pending_count - 1].unsure = true;
}

static int mark_tree(struct marks *s, const struct version *v, frz_error *err)
{
    for (size_t m = 0; m < v->tree.count; m++) {
        TRY(frz__marks_add(s, v->tree.manifests[m].path, err));
        for (size_t i = 0; i < v->tree.manifests[m].entry_count; i++)
            if (v->tree.manifests[m].entries[i].status != ICE_DELETED) TRY(frz__marks_add(s, v->tree.manifests[m].entries[i].file.path, err));
    }
    return FRZ_OK;
}

static bool named(const struct marks *s, slice path)
{
    char name[512];
    const uint8_t *slash = (const uint8_t *)memrchr(path.data, '/', path.len);
    size_t skip = slash ? (size_t)(slash - path.data) + 1 : 0;
    if (path.len - skip >= sizeof name) return true;
    memcpy(name, path.data + skip, path.len - skip);
    name[path.len - skip] = 0;
    return frz__marks_has(s, name);
}

void frz__expire_rebase(struct table *t, const struct version *old, const struct version *now)
{
    struct marks s = MARKS_INIT(t->a);
    frz_error why;
    slice location = old->meta->location;
    int64_t removed = now->meta->last_sequence_number + 1;
    t->foreign_commits++;
    for (size_t i = 0; i < t->pending_count; i++) t->pending[i].unsure = true;
    t->marked_at_us = 0;
    int rc = mark_tree(&s, now, &why);
    for (size_t m = 0; rc >= 0 && m < old->tree.count; m++) {
        const struct ice_manifest *man = &old->tree.manifests[m];
        if (!named(&s, man->path)) add_path(t, location, man->path, man->sequence_number, removed);
        for (size_t i = 0; i < man->entry_count; i++) {
            const struct ice_entry *e = &man->entries[i];
            if (e->status != ICE_DELETED && !named(&s, e->file.path)) add_path(t, location, e->file.path, e->sequence_number, removed);
        }
    }
    for (size_t i = 0; rc >= 0 && i < old->meta->snapshot_count; i++) {
        const struct ice_snapshot *gone = &old->meta->snapshots[i];
        if (!frz__ice_snapshot(now->meta, gone->id)) add_path(t, location, gone->manifest_list, gone->sequence_number, gone->sequence_number + 1);
    }
    if (rc < 0) frz__log(&t->db->log, FRZ_LOG_INFO, "%s: what another engine's commit left is left to the next sweep: %s", t->name, why.message);
    frz__marks_clear(&s);
}

/* Those of the unsure that metadata names stay, as they are; the others are sure. It reads every list and manifest: once after each commit of others, and now and then, for what has become of the older snapshots. */
static void make_sure(struct table *t, const struct version *v, int64_t now_us)
{
    struct marks s = MARKS_INIT(t->a);
    frz_error why;
    if (t->marked_at_us && now_us - t->marked_at_us < MARK_AGAIN_US) return;
    t->marked_at_us = now_us ? now_us : 1;
    int rc = frz__mark_version(t, v, &s, &why);
    for (size_t i = 0; rc >= 0 && i < t->pending_count; i++) {
        struct pending_file *p = &t->pending[i];
        if (p->unsure) p->unsure = named(&s, slice_str(p->path));
    }
    if (rc < 0) frz__log(&t->db->log, FRZ_LOG_WARN, "%s: files that another engine's commit may have taken up again are kept: %s", t->name, why.message);
    frz__marks_clear(&s);
}

/* ── the round ── */

/* Whether it is gone, by us. */
static bool unlink_one(struct table *t, const char *path)
{
    frz_error err;
    FAILPOINT_VOID("expire.unlink");
    int rc = frz__fs_unlink(t->db->fs, path, &err);
    if (rc < 0) frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s is left to the next sweep: %s", t->name, path, err.message);
    else if (rc == FRZ_OK) stat_add(&t->files_removed, 1);
    return rc == FRZ_OK;
}

/* Whether there is anything for which it is worth to read the leases; and the unsure among it made sure. */
static bool any_due(struct table *t, const struct version *v, int64_t now, size_t crowd)
{
    bool any = false, unsure = false;
    size_t waiting = 0;
    for (size_t i = 0; i < t->pending_count; i++) {
        int64_t due;
        bool was = t->pending[i].since_us != 0;
        enum pending_state state = frz__expire_state(t, v, &t->pending[i], now, was && waiting < crowd, NULL, NULL, &due);
        waiting += was && state != PENDING_RETAINED;
        any |= state == PENDING_DUE || state == PENDING_UNSURE;
        unsure |= state == PENDING_UNSURE;
    }
    if (unsure) make_sure(t, v, now);
    return any;
}

/* One at least, however long it takes: it comes to an end. */
static bool unlink_due(struct table *t, const struct version *v, int64_t now, size_t crowd, const struct leases *leases,
                       void (*gone)(void *ctx, const char *path), void *ctx)
{
    const int64_t until = frz__clock_mono_ns() + EXPIRE_ROUND_NS;
    size_t i = 0, k = 0, unlinked = 0, removed = 0, waiting = 0;
    bool more = false;
    for (; i < t->pending_count && !more; i++) {
        struct pending_file *p = &t->pending[i];
        int64_t due;
        bool was = p->since_us != 0;
        enum pending_state state = frz__expire_state(t, v, p, now, was && waiting < crowd, leases, NULL, &due);
        waiting += was && state != PENDING_RETAINED;
        more = state == PENDING_DUE && unlinked && frz__clock_mono_ns() >= until;
        if (more || state != PENDING_DUE) {
            t->pending[k++] = *p;
            continue;
        }
        bool ours = unlink_one(t, p->path);
        if (ours && gone) gone(ctx, p->path);
        removed += ours;
        unlinked++;
        frz__free(t->a, p->path);
    }
    if (k < i && i < t->pending_count) memmove(&t->pending[k], &t->pending[i], (t->pending_count - i) * sizeof *t->pending);
    t->pending_count -= i - k;
    atomic_store(&t->files_pending, t->pending_count);
    if (removed) frz__event(t->db, t, FRZ_EVENT_FILES_REMOVED, &(struct event_info){.files_in = removed});
    return more;
}

bool frz__expire_run(struct table *t)
{
    FRZ_ASSERT_HELD(&t->flush_mu);
    struct leases leases = {0};
    frz_error why;
    bool more = false;
    if (!atomic_load(&t->db->backups)) { /* one links files by their names */
        struct version *v = frz__version_acquire(t);
        int64_t now = frz__clock_mono_ns() / 1000;
        size_t crowd = frz__expire_crowd(t, v, now);
        frz__epoch_collect(t->db->epochs); /* views that nobody reads any more let go */
        if (any_due(t, v, now, crowd) && frz__leases_read(t->db, false, false, &leases, &why) >= 0) { /* no memory: the next round */
            more = unlink_due(t, v, now, crowd, &leases, NULL, NULL);
            frz__leases_clear(&leases);
        }
        frz__version_release(v);
    }
    atomic_store(&t->expiry_goes_on, more);
    return more;
}

bool frz__expire_round(struct table *t, const struct leases *leases, void (*gone)(void *ctx, const char *path), void *ctx)
{
    FRZ_ASSERT_HELD(&t->flush_mu);
    return !atomic_load(&t->db->backups) && unlink_due(t, t->version, frz__clock_mono_ns() / 1000, 0, leases, gone, ctx);
}
