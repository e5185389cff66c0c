/* snapshot.c — a reader's state: the table's view and a sequence that go together, and the views of several tables that go together. */
#include "engine/snapshot.h"
#include "engine/lease.h"

/* Neither order alone is right (hazards 1): a flush between the two loads would show the future, a rotation would hide writes. So: load the view, load the sequence, and look whether the view is
 * still the one. */
struct view *frz__view_latest(struct table *t, uint64_t *seq)
{
    for (;;) {
        unsigned ticket = frz__epoch_enter(t->db->epochs);
        struct view *v = atomic_load_explicit(&t->view, memory_order_acquire);
        FAILPOINT_QUIET("snapshot.view");
        *seq = atomic_load_explicit(&t->db->seq_visible, memory_order_acquire);
        bool same = atomic_load_explicit(&t->view, memory_order_acquire) == v;
        if (same) frz__view_acquire(v);
        frz__epoch_exit(t->db->epochs, ticket);
        if (same) return v;
    }
}

static void release_view(void *arg) { frz__view_release((struct view *)arg); }

void frz__view_install_locked(struct table *t, struct view *v)
{
    FRZ_ASSERT_HELD(&t->view_mu);
    struct view *old = atomic_load(&t->view);
    v->gen = old ? old->gen + 1 : 1;
    FRZ_ASSERT(v->flushed_seq <= atomic_load(&t->db->seq_visible));
    frz__flow_view_changes(t, old, v);
    atomic_store_explicit(&t->view_schema, v->schema, memory_order_release);
    atomic_store_explicit(&t->view, v, memory_order_release);
    if (old) frz__epoch_retire(t->db->epochs, &old->retire, release_view, old);
}

void frz__pinned_view_release(struct pinned_view *p)
{
    frz__view_release(p->view);
    if (p->schema) frz__schema_release(p->schema);
    if (p->table) frz__table_release(p->table);
    *p = (struct pinned_view){0};
}

/* pins_mu held: readers who have a view already keep it, the others hear that it is gone. */
static void give_up(struct keep *p)
{
    struct snapshot *s = (struct snapshot *)(void *)((char *)p - offsetof(struct snapshot, keep));
    for (size_t i = 0; i < s->count; i++) {
        frz__mutex_lock(&s->mu);
        struct view *v = s->views[i].view;
        s->views[i].view = NULL;
        frz__mutex_unlock(&s->mu);
        frz__view_release(v);
    }
}

int frz__snapshot_take(struct db *db, struct snapshot **out, frz_error *err)
{
    struct snapshot *s = NULL;
    TRY(ALLOC_NEW(&s, db->a, struct snapshot, err));
    s->db = db;
    atomic_store(&s->refs, 1);
    frz__mutex_lock(&db->tables_mu);
    s->views = (struct pinned_view *)frz__alloc_array(db->a, db->table_count + 1, sizeof *s->views);
    if (!s->views) {
        frz__mutex_unlock(&db->tables_mu);
        frz__free(db->a, s);
        return frz__err_no_memory(err, db->table_count * sizeof *s->views);
    }
    /* All views taken after the sequence was read hold every write up to it; one that was flushed beyond it has lost the older versions: then the sequence is read again. */
    for (bool whole = false; !whole;) {
        s->seq = atomic_load(&db->seq_visible);
        whole = true;
        for (size_t i = 0; i < s->count; i++) frz__pinned_view_release(&s->views[i]);
        s->count = 0;
        for (size_t i = 0; i < db->table_count && whole; i++) {
            if (table_is_broken(db->tables[i]) || !atomic_load(&db->tables[i]->view)) continue;
            uint64_t seq;
            struct pinned_view *p = &s->views[s->count++];
            p->table = frz__table_acquire(db->tables[i]);
            p->view = frz__view_latest(db->tables[i], &seq);
            p->schema = frz__schema_acquire(p->view->schema);
            whole = p->view->flushed_seq <= s->seq;
        }
    }
    frz__db_pin_locked(db, &s->pin, s->seq);
    frz__mutex_unlock(&db->tables_mu);
    s->keep = (struct keep){.db = db, .views = s->views, .count = s->count, .give_up = give_up};
    frz__mutex_init(&s->mu, RANK_LEAF, "snapshot");
    frz__keep_add(&s->keep);
    *out = s;
    return FRZ_OK;
}

/* A hold of snapshot ID of V that nobody overlooked: told first, then looked whether it is still retained. */
static int hold_retained(struct table *t, const struct version *v, int64_t id, struct hold **out, frz_error *err)
{
    bool retained = true;
    TRY(frz__version_hold(t, v, id, out, err));
    if (!*out) return FRZ_OK; /* there is none, or the table is empty */
    if (t->db->set.read_only) {
        TRY(frz__lease_write(t->db, err));
        int rc = frz__version_retains(t, v, id, &retained, err);
        if (rc < 0) return frz__err_context(err, "whether snapshot %" PRId64 " is still retained", id), rc;
    } else {
        struct version *now = frz__version_acquire(t);
        retained = frz__ice_snapshot(now->meta, id) != NULL;
        frz__version_release(now);
    }
    if (retained) return FRZ_OK;
    if (t->db->set.read_only) return frz__err(err, FRZ_SNAPSHOT_TOO_OLD, "%s: snapshot %" PRId64 " is gone: it expired since the last refresh", t->name, id);
    return frz__err(err, FRZ_NOT_FOUND, "%s: no snapshot %" PRId64 " is retained", t->name, id);
}

/* A reader without a lease: a file is missing because the snapshot expired meanwhile, or because it is lost. */
static int gone_or_corrupt(struct table *t, int64_t id, frz_error *err)
{
    struct version *v = frz__version_acquire(t);
    bool retained = true;
    int rc = frz__version_retains(t, v, id, &retained, NULL);
    frz__version_release(v);
    if (rc < 0 || retained) return FRZ_CORRUPT;
    return frz__err(err, FRZ_SNAPSHOT_TOO_OLD, "%s: snapshot %" PRId64 " is gone: it expired since the last refresh, and this process has no lease in " LEASE_DIR " that would keep its files", t->name, id);
}

static int open_published(struct table *t, struct version *v, int64_t id, struct snapshot **out, frz_error *err)
{
    struct db *db = t->db;
    struct snapshot *s = NULL;
    struct vfile **files = NULL;
    struct hold *hold = NULL;
    size_t count = 0;
    bool held = false;
    int rc = FRZ_OK;
    frz_schema *schema;
    rc = hold_retained(t, v, id, &hold, err);
    if (rc != FRZ_OK) goto done;
    held = true;
    CHECK(ALLOC_NEW(&s, db->a, struct snapshot, err));
    s->db = db;
    atomic_store(&s->refs, 1);
    s->published = true;
    s->id = id;
    s->views = (struct pinned_view *)frz__alloc_array(db->a, 1, sizeof *s->views);
    if (!s->views) {
        rc = frz__err_no_memory(err, sizeof *s->views);
        goto done;
    }
    rc = frz__version_files_then(t, v, id, &schema, &files, &count, err);
    if (rc != FRZ_OK) goto done;
    CHECK(frz__view_new(t->a, schema, NULL, 0, files, count, 0, id, &s->views[0].view, err));
    s->views[0].view->hold = hold;
    hold = NULL;
    s->views[0].table = frz__table_acquire(t);
    s->views[0].schema = frz__schema_acquire(s->views[0].view->schema);
    s->count = 1;
    s->seq = UINT64_MAX >> 8;
    frz__mutex_init(&s->mu, RANK_LEAF, "snapshot"); /* not among those who may be given up: it holds files alone */
    frz__db_pin(db, &s->pin, atomic_load(&db->seq_visible));
    *out = s;
    s = NULL;
done:
    for (size_t i = 0; i < count; i++) frz__vfile_release(files[i]);
    frz__free(t->a, files);
    frz__hold_release(hold);
    if (rc == FRZ_CORRUPT && held && db->set.read_only) rc = gone_or_corrupt(t, id, err);
    if (rc < 0) frz__lease_settle(db);
    if (s) {
        frz__free(db->a, s->views);
        frz__free(db->a, s);
    }
    return rc;
}

static int resolve(const struct table *t, const struct version *v, const struct published *which, int64_t *id, frz_error *err)
{
    const struct ice_ref *ref = which->ref ? frz__ice_ref(v->meta, slice_str(which->ref)) : NULL;
    if (which->ref && !ref) return frz__err(err, FRZ_NOT_FOUND, "%s has no tag or branch %s", t->name, which->ref);
    const struct ice_snapshot *s = which->by_time ? frz__ice_snapshot_at(v->meta, which->time_ms, err) : frz__ice_snapshot(v->meta, ref ? ref->snapshot_id : which->id);
    if (!s && which->by_time) return frz__err_context(err, "%s", t->name), FRZ_NOT_FOUND;
    if (!s) return frz__err(err, FRZ_NOT_FOUND, "%s: no snapshot %" PRId64 " is retained", t->name, which->id);
    *id = s->id;
    return FRZ_OK;
}

/* It was expired, and its files perhaps removed, while it was opened. */
static bool expired_meanwhile(struct table *t, const struct version *v, int64_t id)
{
    struct version *now = frz__version_acquire(t);
    bool gone = now != v && !frz__ice_snapshot(now->meta, id);
    frz__version_release(now);
    return gone;
}

int frz__snapshot_published(struct table *t, const struct published *which, struct snapshot **out, frz_error *err)
{
    for (;;) {
        int64_t id = 0;
        struct version *v = frz__version_acquire(t);
        int rc = resolve(t, v, which, &id, err);
        bool again = false;
        if (rc == FRZ_OK) {
            rc = open_published(t, v, id, out, err);
            again = rc != FRZ_OK && expired_meanwhile(t, v, id);
        }
        frz__version_release(v);
        if (!again) return rc;
    }
}

const frz_schema *frz__snapshot_schema(const struct snapshot *s, const struct table *t)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->views[i].table == t) return s->views[i].schema;
    return NULL;
}

void frz__snapshot_release(struct snapshot *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1) return;
    struct db *db = s->db;
    frz__keep_remove(&s->keep);
    for (size_t i = 0; i < s->count; i++) frz__pinned_view_release(&s->views[i]);
    frz__mutex_clear(&s->mu);
    frz__free(db->a, s->views);
    frz__db_unpin(db, &s->pin);
    frz__free(db->a, s);
}

int frz__snapshot_view(struct snapshot *s, struct table *t, struct view **view, uint64_t *seq, frz_error *err)
{
    if (!s) {
        MUST(frz__table_usable(t, false, err));
        *view = frz__view_latest(t, seq);
        return FRZ_OK;
    }
    if (s->db != t->db) return frz__err(err, FRZ_MISUSE, "the snapshot is of another database than table %s", t->name);
    for (size_t i = 0; i < s->count; i++) {
        if (s->views[i].table != t) continue;
        frz__mutex_lock(&s->mu);
        *view = s->views[i].view ? frz__view_acquire(s->views[i].view) : NULL;
        frz__mutex_unlock(&s->mu);
        *seq = s->seq;
        return *view ? FRZ_OK : frz__keep_check(&s->keep, err);
    }
    return frz__err(err, FRZ_NOT_FOUND, "table %s is not in the snapshot%s", t->name, s->published ? ", which is of one table" : ": it is younger");
}
