/* alter.c — the journey of a schema change, with writers and readers at work.
 *
 *   1  the next schema, or why not: a pure function of the table's and the changes (types/evolve.h)
 *   2  the table's files are opened under it: one that can't be read by it is found before anything is written
 *   3  one commit: the schema, and a snapshot without a change of rows that has its id, which some readers go by
 *   4  in the log's order: the log's dictionary has the new schema, the memtable is rotated: one memtable, one schema; the view is of the new one
 * Rows in older memtables are made newer ones when they are read and flushed (row_conv.h), batches that were filled before when they are written (write_renew.c). Until 4 all goes on under the older
 * schema; a crash after 3 finds it in the log beside the rows that are of it. Whoever holds a view keeps its schema and its files, open under that. */
#include "engine/tables.h"
#include "types/evolve.h"

#define TRIES_MAX 5

/* What is asked for: changes; or a schema, TO. */
struct wish {
    const frz_alter *changes;
    size_t count;
    const frz_schema *to;
};
struct alteration {
    struct table *t;
    frz_schema *next; /* counted */
    struct view *now;
    struct vfile **files; /* of `now`, under `next` */
    size_t count;
    struct hold *hold; /* of what was committed */
};

static void clear(struct alteration *x)
{
    for (size_t i = 0; i < x->count; i++) frz__vfile_release(x->files[i]);
    frz__free(x->t->a, x->files);
    frz__view_release(x->now);
    frz__hold_release(x->hold);
    frz__schema_release(x->next);
    *x = (struct alteration){.t = x->t};
}

static int next_schema(struct alteration *x, const struct wish *wish, frz_error *err)
{
    const struct ice_meta *m = x->t->version->meta;
    int32_t *sources = NULL;
    struct evolve_base b = {.schema = frz__ice_schema(m, m->current_schema_id),
                            .last_column_id = m->last_column_id,
                            .format_version = m->format_version,
                            .schemas = m->schemas,
                            .ids = m->schema_ids,
                            .schema_count = m->schema_count};
    TRY(frz__ice_source_ids(x->t->a, m, &sources, &b.source_count, err));
    b.sources = sources;
    int rc = wish->to ? frz__evolve_to(x->t->a, &b, wish->to, &x->next, err)
                      : frz__evolve(x->t->a, &b, wish->changes, wish->count, &x->next, err);
    frz__free(x->t->a, sources);
    if (rc < 0) frz__err_context(err, "%s", x->t->name);
    return rc;
}

static int open_file(struct alteration *x, struct vfile *v, struct vfile **out, frz_error *err)
{
    struct table *t = x->t;
    struct sst_env env = {t->a, t->db->fs, t->db->cache, &t->db->counters};
    struct sst *sst = NULL;
    int rc = frz__sst_open(&env, v->sst->path, atomic_fetch_add(&t->db->next_file_no, 1), x->next, v->sst->bytes, v->sst->rows, &sst, err);
    if (rc == FRZ_NOT_FOUND)
        rc = frz__err_corrupt(err, "%s: data file %s is missing: the table's metadata names it", t->name, v->sst->path);
    if (rc < 0) return rc;
    return frz__vfile_new(t->a, sst, v->mask ? frz__mask_acquire(v->mask) : NULL, slice_str(v->iceberg_path), v->first_row_id,
                          v->data_sequence, v->file_size, out, err);
}

static int open_files(struct alteration *x, frz_error *err)
{
    struct table *t = x->t;
    frz__mutex_lock(&t->view_mu);
    x->now = frz__view_acquire(atomic_load(&t->view)); /* flush_mu: its files stay the table's */
    frz__mutex_unlock(&t->view_mu);
    bool same = frz__schema_same_reads(x->now->schema, x->next);
    x->files = (struct vfile **)frz__alloc_array(t->a, x->now->file_count + 1, sizeof *x->files);
    if (!x->files) return frz__err_no_memory(err, x->now->file_count * sizeof *x->files);
    for (size_t i = 0; i < x->now->file_count; i++) {
        if (same) x->files[i] = frz__vfile_acquire(x->now->files[i]);
        else TRY(open_file(x, x->now->files[i], &x->files[i], err));
        x->count++;
    }
    return FRZ_OK;
}

/* One try; flush_mu held. *DID: there was something to change. */
static int alter_once(struct table *t, const struct wish *wish, bool *did, frz_error *err)
{
    struct alteration x = {.t = t};
    struct commit_request r = {0};
    int rc = frz__table_usable(t, true, err); /* it may have been dropped meanwhile, and another be in its place */
    if (rc != FRZ_OK) return rc;
    if (t->in_doubt) CHECK(frz__table_reload(t, err));
    CHECK(next_schema(&x, wish, err));
    if (!x.next) goto done;
    CHECK(open_files(&x, err));
    FAILPOINT_CHECK("alter.before_commit", err);
    r.edit = (struct ice_edit){.schema = x.next, .no_snapshot = t->version->meta->current_snapshot_id <= 0};
    CHECK(frz__commit(t, &r, err));
    *did = true;
    FAILPOINT_VOID("alter.after_commit");
    if (r.snapshot_id < 0) r.snapshot_id = x.now->snapshot_id;
    for (int tries = 0; tries < TRIES_MAX; tries++) { /* there is no way back: what fails now may go well at once */
        if (!x.hold) rc = frz__version_hold(t, t->version, r.snapshot_id, &x.hold, err);
        if (rc >= 0) rc = frz__rotate_schema(t, x.next, x.files, x.count, x.now->flushed_seq, r.snapshot_id, x.hold, err);
        if (rc >= 0) break;
        if (tries + 1 < TRIES_MAX) rc = FRZ_OK;
    }
    if (rc < 0) { /* no memory, or no log: the schema is there, and will be taken up by whoever comes next */
        t->in_doubt = true;
        frz__err_context(err, "%s: the change is committed, and is not in use here yet", t->name);
    }
done:
    clear(&x);
    return rc;
}

static int alter(struct table *t, const struct wish *wish, frz_error *err)
{
    int rc = FRZ_OK;
    bool did = false;
    frz__mutex_lock(&t->flush_mu);
    for (int tries = 1;; tries++) {
        rc = alter_once(t, wish, &did, err);
        if (rc != FRZ_CONFLICT || tries == TRIES_MAX) break;
        t->in_doubt = true; /* somebody else committed */
    }
    frz__mutex_unlock(&t->flush_mu);
    if (did) frz__event(t->db, t, FRZ_EVENT_TABLE_ALTERED, &(struct event_info){.reason = "schema"});
    if (did) frz__flush_schedule(t); /* what was rotated need not wait for more */
    return rc;
}

int frz__alter(struct table *t, const frz_alter *changes, size_t count, frz_error *err)
{
    return alter(t, &(struct wish){.changes = changes, .count = count}, err);
}

int frz__alter_to(struct table *t, const frz_schema *to, frz_error *err)
{
    return alter(t, &(struct wish){.to = to}, err);
}
