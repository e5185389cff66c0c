#include "engine/gc.h"

#include <stdio.h>

#include "engine/change.h"
#include "engine/lease.h"
#include "engine/mark.h"
#include "engine/paths.h"
#include "engine/sweep.h"

void frz__gc_list_clear(struct gc_list *l)
{
    for (size_t i = 0; i < l->count; i++) frz__free(l->a, l->at[i].path);
    frz__free(l->a, l->at);
    *l = GC_LIST_INIT(l->a);
}

int frz__gc_add(struct gc_list *l, const char *path, int32_t why, int32_t kept, uint64_t bytes, int64_t due_ms, frz_error *err)
{
    TRY(frz__grow(l->a, (void **)&l->at, l->count, &l->cap, sizeof *l->at, err));
    char *copy = frz__strdup(l->a, path);
    if (!copy) return frz__err_no_memory(err, strlen(path));
    l->at[l->count++] = (struct gc_item){.path = copy, .why = why, .kept = kept, .bytes = bytes, .due_ms = due_ms};
    return FRZ_OK;
}

static void remove_item(struct db *db, struct gc_item *i)
{
    frz_error why;
    if (atomic_load(&db->backups)) return; /* one links files by their names; the next time */
    FAILPOINT_VOID("gc.unlink");
    int rc = frz__fs_unlink(db->fs, i->path, &why);
    i->removed = rc == FRZ_OK;
    if (rc < 0) frz__log(&db->log, FRZ_LOG_WARN, "%s stays: %s", i->path, why.message);
}

/* ── what a name is ── */

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}

int32_t frz__gc_kind(const struct version *v, const char *name, bool metadata)
{
    static const char *const data_ends[] = {".parquet", ".orc", ".avro", ".puffin"}, *const metadata_ends[] = {".avro", ".puffin", ".stats", ".metadata.json"};
    struct own_name own;
    if (strncmp(name, ".tmp-", 5) == 0) return FRZ_GC_TEMPORARY;
    if (name[0] == '.') return 0;
    if (frz__own_name(name, &own)) return own.version > v->number ? FRZ_GC_ORPHAN : FRZ_GC_EXPIRED;
    if (metadata && frz__metadata_is_old(v, name)) return FRZ_GC_OLD_METADATA;
    if (metadata && frz__metadata_number(name) >= 0) return 0;
    for (size_t i = 0; i < 4; i++)
        if (ends_in(name, metadata ? metadata_ends[i] : data_ends[i])) {
            size_t digits = strspn(name, "0123456789");
            bool version = ends_in(name, ".metadata.json") && digits && digits < 8 && name[digits] == '-'; /* 00012-<uuid>: another catalog's */
            return version ? 0 : FRZ_GC_FOREIGN_ORPHAN;
        }
    return 0;
}

/* ── the mark, beside flushes ── */

/* RETAINED: an older snapshot needs it. DUE, once it was judged: it goes; it is ITEM of the list. */
struct found { char *path; const char *name; int32_t kind; bool retained, due; size_t item; struct fs_stat st; };
struct gc {
    struct table *t;
    struct version *v;
    struct version_holds holds;
    struct marks needed, others; /* of V; of every metadata file, if there is anything of others */
    struct found *found;
    size_t found_count, found_cap;
    bool any_foreign;
    bool nobody_writes; /* a read-only handle's, and no process has the database open for writing: all is as the next one finds it */
    uint64_t foreign_commits; /* by the time it was judged */
    size_t pending_first, pending_end; /* of the list: what expired */
    uint64_t oldest_name; /* of this epoch, of jobs that make files */
    struct leases leases;
};

static int hold_all(struct gc *g, frz_error *err)
{
    TRY(frz__version_hold_all(g->t, g->v, &g->holds, err));
    return frz__lease_write(g->t->db, err);
}

static int look_at_folder(struct gc *g, const char *sub, frz_error *err)
{
    struct table *t = g->t;
    struct buf names = BUF_INIT(t->a, 0);
    char dir[PATH_BYTES], path[PATH_BYTES];
    const char *name;
    int rc = frz__path(dir, err, "%s/%s", t->dir, sub);
    if (rc >= 0) rc = frz__names_list(t->db->fs, dir, false, &names, err);
    for (size_t at = 0; rc >= 0 && (name = frz__names_next(&names, &at));) {
        int32_t kind = frz__gc_kind(g->v, name, strcmp(sub, "metadata") == 0);
        const struct mark *mark = frz__marks_find(&g->needed, name);
        bool retained = g->nobody_writes && mark && !mark->current; /* a writer has it on its list of what expired */
        if (!retained && (!kind || mark)) continue;
        struct found f = {.kind = retained ? FRZ_GC_EXPIRED : kind, .retained = retained};
        rc = frz__path(path, err, "%s/%s", dir, name);
        if (rc >= 0) rc = frz__fs_stat(t->db->fs, path, &f.st, err);
        if (rc == FRZ_NOT_FOUND) continue;
        if (rc >= 0) rc = frz__grow(t->a, (void **)&g->found, g->found_count, &g->found_cap, sizeof *g->found, err);
        if (rc < 0) break;
        f.path = frz__strdup(t->a, path);
        if (!f.path) rc = frz__err_no_memory(err, strlen(path));
        else {
            f.name = f.path + strlen(dir) + 1;
            g->found[g->found_count++] = f;
            g->any_foreign |= f.kind == FRZ_GC_FOREIGN_ORPHAN;
        }
    }
    buf_clear(&names);
    return rc < 0 ? rc : FRZ_OK;
}

/* ── what expired ── */

/* As words of the public header. */
static int32_t kept_of(enum pending_state s)
{
    switch (s) {
    case PENDING_RETAINED: return FRZ_GC_BY_SNAPSHOT;
    case PENDING_VIEW: return FRZ_GC_BY_VIEW;
    case PENDING_LEASE: return FRZ_GC_BY_READER;
    case PENDING_GRACE: return FRZ_GC_BY_GRACE;
    case PENDING_UNSURE: return FRZ_GC_BY_SNAPSHOT;
    default: return FRZ_GC_DUE;
    }
}

/* The flush lane held: nothing is looked up on disk. */
static int list_pending(struct gc *g, struct gc_list *out, frz_error *err)
{
    struct table *t = g->t;
    int64_t now = frz__clock_mono_ns() / 1000, wall_ms = frz__clock_wall_us() / 1000;
    g->pending_first = g->pending_end = out->count;
    for (size_t i = 0; i < t->pending_count; i++) {
        struct pending_file *p = &t->pending[i];
        const char *who = "";
        int64_t due = 0;
        enum pending_state state = frz__expire_state(t, t->version, p, now, false, &g->leases, &who, &due);
        bool marked = g->v->number == t->version->number; /* a full mark is at hand */
        if (state == PENDING_UNSURE && marked && !frz__marks_has(&g->needed, strrchr(p->path, '/') + 1)) {
            p->unsure = false;
            state = PENDING_DUE;
        }
        int64_t due_ms = state == PENDING_GRACE ? wall_ms + (due - now) / 1000 : state == PENDING_DUE ? 0 : -1;
        TRY(frz__gc_add(out, p->path, FRZ_GC_EXPIRED, kept_of(state), 0, due_ms, err));
        snprintf(out->at[out->count - 1].holder, sizeof out->at[0].holder, "%s", who);
        g->pending_end = out->count;
    }
    return FRZ_OK;
}

/* Without the lane: the clock may remove some of them meanwhile. */
static int weigh_pending(const struct gc *g, struct gc_list *out, frz_error *err)
{
    for (size_t i = g->pending_first; i < g->pending_end; i++) {
        struct fs_stat st = {0};
        TRY(frz__fs_stat(g->t->db->fs, out->at[i].path, &st, err));
        out->at[i].bytes = st.bytes;
    }
    return FRZ_OK;
}

static int mark_pending(struct table *t, struct marks *s, frz_error *err)
{
    for (size_t i = 0; i < t->pending_count; i++) TRY(frz__marks_add(s, slice_str(t->pending[i].path), err));
    for (size_t m = 0; m < t->version->tree.count; m++) {
        TRY(frz__marks_add(s, t->version->tree.manifests[m].path, err));
        for (size_t i = 0; i < t->version->tree.manifests[m].entry_count; i++) TRY(frz__marks_add(s, t->version->tree.manifests[m].entries[i].file.path, err));
    }
    for (size_t i = 0; i < t->version->meta->snapshot_count; i++) TRY(frz__marks_add(s, t->version->meta->snapshots[i].manifest_list, err));
    return FRZ_OK;
}

/* ── what nobody counted ── */

struct verdict { int32_t why, kept; int64_t due_ms; const char *who; };

static struct verdict until(int32_t why, int32_t kept, int64_t due_ms, int64_t now_ms)
{
    return now_ms < due_ms ? (struct verdict){why, kept, due_ms, ""} : (struct verdict){why, FRZ_GC_DUE, 0, ""};
}

/* As the sweep of the next process that writes has it (sweep.c). */
static struct verdict judge_for_next(const struct gc *g, const struct found *f, int64_t now_ms)
{
    const struct ice_meta *m = g->v->meta;
    const char *who = "";
    if (f->retained) return (struct verdict){f->kind, FRZ_GC_BY_SNAPSHOT, -1, ""};
    if (f->kind != FRZ_GC_EXPIRED) return (struct verdict){f->kind, FRZ_GC_DUE, 0, ""};
    int64_t grace_ms = (int64_t)g->t->settings.frazil_foreign_reader_grace_ms;
    bool read = frz__leases_need(&g->leases, g->t->uuid, m->last_sequence_number, &who);
    if (read) return (struct verdict){f->kind, FRZ_GC_BY_READER, -1, who};
    return until(f->kind, FRZ_GC_BY_GRACE, m->last_updated_ms + grace_ms, now_ms);
}

static struct verdict judge(const struct gc *g, const struct found *f, int64_t age_ms)
{
    const struct db *db = g->t->db;
    struct own_name own = {0};
    int64_t now_ms = frz__clock_wall_us() / 1000, old_at = f->st.mtime_us / 1000 + age_ms;
    int64_t grace_ms = (int64_t)g->t->settings.frazil_foreign_reader_grace_ms;
    bool ours = frz__own_name(f->name, &own), running = ours && own.epoch >= db->epoch;
    if (f->kind == FRZ_GC_FOREIGN_ORPHAN) return until(f->kind, FRZ_GC_BY_AGE, old_at, now_ms);
    if (g->nobody_writes) return judge_for_next(g, f, now_ms);
    if (db->set.read_only && (ours || f->kind == FRZ_GC_TEMPORARY)) return (struct verdict){f->kind, FRZ_GC_BY_WRITER, -1, ""};
    if (running && own.n >= g->oldest_name) /* a job that goes on may yet commit it */
        return (struct verdict){FRZ_GC_ORPHAN, FRZ_GC_BY_AGE, -1, ""};
    if (running || f->kind == FRZ_GC_TEMPORARY) return until(running ? FRZ_GC_ORPHAN : f->kind, FRZ_GC_BY_AGE, old_at, now_ms);
    if (f->kind == FRZ_GC_EXPIRED) /* of an earlier process, and another engine's commit did away with it */
        return (struct verdict){f->kind, FRZ_GC_BY_GRACE, now_ms + grace_ms, ""};
    return (struct verdict){f->kind, FRZ_GC_DUE, 0, ""};
}

static int judge_found(struct gc *g, struct found *f, int64_t age_ms, struct gc_list *out, frz_error *err)
{
    const int64_t sequence = g->v->meta->last_sequence_number;
    if (f->kind == FRZ_GC_FOREIGN_ORPHAN && frz__marks_has(&g->others, f->name)) return FRZ_OK; /* an older version that is still there names it */
    struct verdict is = judge(g, f, age_ms);
    if (f->kind == FRZ_GC_EXPIRED && is.kept == FRZ_GC_BY_GRACE && !g->t->db->set.read_only)
        TRY(frz__expire_path(g->t, f->path, sequence, sequence, err));
    f->due = is.kept == FRZ_GC_DUE;
    f->item = out->count;
    TRY(frz__gc_add(out, f->path, is.why, is.kept, f->st.bytes, is.due_ms, err));
    snprintf(out->at[f->item].holder, sizeof out->at[0].holder, "%s", is.who);
    return FRZ_OK;
}

static int judge_all(struct gc *g, const frz_gc_options *o, struct gc_list *out, frz_error *err)
{
    struct table *t = g->t;
    struct marks now = MARKS_INIT(t->a);
    int64_t age_ms = (int64_t)(o->orphan_age_ms ? o->orphan_age_ms : t->settings.frazil_orphan_age_ms);
    int rc = FRZ_OK;
    if (!t->db->set.read_only) {
        g->foreign_commits = t->foreign_commits;
        g->oldest_name = frz__change_oldest_name(t);
        CHECK(mark_pending(t, &now, err));
        CHECK(list_pending(g, out, err));
    }
    for (size_t i = 0; i < g->found_count; i++)
        if (!frz__marks_has(&now, g->found[i].name)) CHECK(judge_found(g, &g->found[i], age_ms, out, err));
done:
    frz__marks_clear(&now);
    return rc;
}

/* Another engine's commit since it was looked at: what it took up must not go. The lane held. */
static int still_ours(const struct gc *g, frz_error *err)
{
    char path[PATH_BYTES];
    bool there = g->t->in_doubt || strcmp(g->v->meta->uuid, g->t->uuid) != 0;
    if (!there) {
        TRY(frz__path(path, err, "%s/metadata/v%" PRId64 ".metadata.json", g->t->dir, g->t->version->number + 1));
        TRY(frz__fs_exists(g->t->db->fs, path, &there, err));
    }
    if (!there) return FRZ_OK;
    return frz__err(err, FRZ_CONFLICT, "%s: another process commits to it just now: run gc again after the next flush", g->t->name);
}

/* ── away with it: in slices, so that a flush gets in between ── */

static void leave_lane(struct table *t, bool more)
{
    int64_t until = frz__clock_mono_ns() + LANE_GAP_NS;
    frz__mutex_unlock(&t->flush_mu);
    if (!more) return;
    frz__mutex_lock(&t->view_mu); /* who waits for the lane wakes up and has it */
    while (frz__cond_wait_until(&t->room, &t->view_mu, until)) {}
    frz__mutex_unlock(&t->view_mu);
}

/* What was judged holds: else nothing more goes. */
static int may_remove(const struct gc *g, frz_error *err)
{
    struct table *t = g->t;
    if (atomic_load(&t->db->tidy_stop)) return frz__err(err, FRZ_BUSY, "%s closes", t->db->root);
    MUST(frz__table_usable(t, false, err));
    if (g->foreign_commits != t->foreign_commits)
        return frz__err(err, FRZ_CONFLICT, "%s: another process committed to it: run gc again", t->name);
    return still_ours(g, err);
}

struct went { struct gc_list *out; size_t first, count, at; };
static void on_gone(void *ctx, const char *path)
{
    struct went *w = (struct went *)ctx;
    for (size_t n = 0; n < w->count; n++) { /* they go in the order of the list */
        struct gc_item *i = &w->out->at[w->first + (w->at + n) % w->count];
        if (strcmp(i->path, path) != 0) continue;
        i->kept = FRZ_GC_DUE;
        i->due_ms = 0;
        i->holder[0] = 0;
        i->removed = true;
        w->at = (w->at + n + 1) % w->count;
        return;
    }
}

static int remove_pending(struct gc *g, struct gc_list *out, frz_error *err)
{
    struct went w = {.out = out, .first = g->pending_first, .count = out->count - g->pending_first};
    int rc = FRZ_OK;
    for (bool more = w.count > 0; more && rc == FRZ_OK;) {
        frz__mutex_lock(&g->t->flush_mu);
        rc = may_remove(g, err);
        frz__leases_clear(&g->leases);
        if (rc == FRZ_OK) rc = frz__leases_read(g->t->db, true, false, &g->leases, err); /* since the last commit */
        more = rc == FRZ_OK && frz__expire_round(g->t, &g->leases, on_gone, &w);
        leave_lane(g->t, more);
    }
    return rc;
}

/* Names are never used twice: what nobody was making when it was judged, nobody is now. */
static int remove_found(struct gc *g, struct gc_list *out, frz_error *err)
{
    size_t i = 0;
    int rc = FRZ_OK;
    while (i < g->found_count && !g->found[i].due) i++;
    while (i < g->found_count && rc == FRZ_OK) {
        frz__mutex_lock(&g->t->flush_mu);
        int64_t until = frz__clock_mono_ns() + EXPIRE_ROUND_NS;
        rc = may_remove(g, err);
        do {
            if (rc == FRZ_OK && g->found[i].due) remove_item(g->t->db, &out->at[g->found[i].item]);
            i++;
        } while (rc == FRZ_OK && i < g->found_count && frz__clock_mono_ns() < until);
        leave_lane(g->t, rc == FRZ_OK && i < g->found_count);
    }
    return rc;
}

/* ── the whole ── */

static void clear(struct gc *g)
{
    frz__version_holds_release(g->t, &g->holds);
    for (size_t i = 0; i < g->found_count; i++) frz__free(g->t->a, g->found[i].path);
    frz__free(g->t->a, g->found);
    frz__marks_clear(&g->needed);
    frz__marks_clear(&g->others);
    frz__leases_clear(&g->leases);
    frz__version_release(g->v);
    frz__lease_settle(g->t->db);
}

static int on_swept(void *ctx, const char *path, int32_t why, uint64_t bytes, frz_error *err)
{
    struct gc_list *out = (struct gc_list *)ctx;
    TRY(frz__gc_add(out, path, why, FRZ_GC_DUE, bytes, 0, err));
    out->at[out->count - 1].removed = true;
    return FRZ_OK;
}

int frz__gc_table(struct table *t, const frz_gc_options *o, struct gc_list *out, frz_error *err)
{
    struct gc g = {.t = t, .needed = MARKS_INIT(t->a), .others = MARKS_INIT(t->a)};
    const bool lane = !t->db->set.read_only;
    MUST(frz__table_usable(t, !o->dry_run, err));
    bool old;
    int rc = FRZ_OK;
    g.nobody_writes = !lane && frz__nobody_writes(t->db->fs);
    if (lane) frz__mutex_lock(&t->flush_mu); /* so that no round of expiry is between its look at the holds and its unlinks */
    g.v = frz__version_acquire(t);
    if (lane) rc = frz__sweep_run(t, &old, on_swept, out, err); /* first what open owes: by numbers of then */
    if (rc == FRZ_BUSY) rc = FRZ_OK;
    if (rc >= 0) rc = hold_all(&g, err);
    if (lane) frz__mutex_unlock(&t->flush_mu);
    if (rc < 0) goto done;
    CHECK(frz__mark_version(t, g.v, &g.needed, err));
    CHECK(look_at_folder(&g, "data", err));
    CHECK(look_at_folder(&g, "metadata", err));
    if (g.any_foreign) CHECK(frz__mark_all_versions(t, &g.others, err));
    frz__version_holds_release(t, &g.holds); /* what is listed now is not kept by us */
    frz__epoch_collect(t->db->epochs);
    frz__lease_settle(t->db);
    if (lane) frz__mutex_lock(&t->flush_mu);
    rc = frz__leases_read(t->db, true, false, &g.leases, err);
    if (rc >= 0 && !o->dry_run) rc = still_ours(&g, err);
    if (rc >= 0) rc = frz__table_usable(t, false, err);
    if (rc == FRZ_OK) rc = judge_all(&g, o, out, err);
    if (lane) frz__mutex_unlock(&t->flush_mu);
    if (rc == FRZ_OK) rc = weigh_pending(&g, out, err);
    if (rc == FRZ_OK && !o->dry_run) rc = remove_pending(&g, out, err);
    if (rc == FRZ_OK && !o->dry_run) rc = remove_found(&g, out, err);
done:
    clear(&g);
    return rc;
}
