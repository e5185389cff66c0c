/* write.c — the journey of a write.
 *
 * A writer joins the queue. The one at its head leads: it takes all who wait (up to a bound), decides their expectations in memory, gives them sequences, writes one log record,
 * syncs once if any of them asks for it, inserts into the memtables, makes the sequence visible, wakes the others, and steps down. Whoever needs the log or the memtables for himself
 * (rotation, a sync, the log's dictionary) joins the same queue as a group of one: the leader's place is the right to touch them (hazards 3). */
#include "engine/write.h"

#include "engine/flow.h"

#define GROUP_BYTES_MAX ((size_t)1 << 20)
#define GROUP_WRITERS_MAX 128
#define GROUP_COMPARES_MAX ((size_t)65536)
#define RC_READ_AGAIN 1000 /* what the batch was made by is no more: once more */
#define WAIT_TABLES_MAX 64 /* of one batch; the others of a larger one are waited for by the next */

struct writer {
    struct write_batch *batch; /* NULL: wants the place for itself */
    slice bytes;
    int durability;
    int rc;
    frz_error err;
    uint64_t first;
    bool done;
    bool waits; /* on cv */
    struct cond cv;
    struct writer *next;
};

/* By field: the error's message is half a kilobyte, and no write that goes well looks at it. */
static void no_error(frz_error *err)
{
    err->code = err->os_errno = 0;
    err->message[0] = 0;
}

static void writer_init(struct writer *w, struct write_batch *b, slice bytes, int durability)
{
    w->batch = b;
    w->bytes = bytes;
    w->durability = durability;
    w->rc = FRZ_OK;
    no_error(&w->err);
    w->first = 0;
    w->done = w->waits = false;
    w->next = NULL;
}

/* ── the place of the leader ── */

/* log_mu held. True: W leads now (and `writing` is set). False: somebody did W's work. */
static bool join_locked(struct db *db, struct writer *w)
{
    if (!db->queue_head && !db->writing) {
        db->queue_head = db->queue_tail = w;
        db->writing = true;
        return true;
    }
    if (db->queue_tail) db->queue_tail->next = w;
    else db->queue_head = w;
    db->queue_tail = w;
    frz__cond_init(&w->cv);
    w->waits = true;
    FAILPOINT_VOID("write.queue");
    while (!w->done && (db->writing || db->queue_head != w)) frz__cond_wait(&w->cv, &db->log_mu);
    frz__cond_clear(&w->cv);
    if (w->done) return false;
    w->waits = false;
    db->writing = true;
    return true;
}

/* log_mu held: the first N of the queue are done; the next one is woken. */
static void step_down_locked(struct db *db, struct writer *self, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct writer *w = db->queue_head;
        db->queue_head = w->next;
        if (!db->queue_head) db->queue_tail = NULL;
        w->done = true;
        if (w != self && w->waits) frz__cond_signal(&w->cv);
    }
    db->writing = false;
    if (db->queue_head && db->queue_head->waits) frz__cond_signal(&db->queue_head->cv);
}

static void lead_alone(struct db *db, struct writer *w)
{
    writer_init(w, NULL, slice_of(NULL, 0), 0);
    frz__mutex_lock(&db->log_mu);
    bool leads = join_locked(db, w);
    FRZ_ASSERT(leads); /* nobody else does the work of one without a batch */
    (void)leads;
    frz__mutex_unlock(&db->log_mu);
}

static void leave_alone(struct db *db, struct writer *w)
{
    frz__mutex_lock(&db->log_mu);
    step_down_locked(db, w, 1);
    frz__mutex_unlock(&db->log_mu);
}

/* ── rotation ── */

/* The leader's place held. */
static int rotate_leading(struct table *t, frz_error *err)
{
    struct db *db = t->db;
    struct view *v = NULL;
    struct mem *fresh = NULL, **mems = NULL;
    int rc = FRZ_OK;
    if (mem_versions(t->active) == 0) return FRZ_OK;
    CHECK(frz__mem_new(budget_of(db->budget, MEM_MEMTABLES), t->active->schema, &fresh, err)); /* the view's may go at any time: a flush may install meanwhile */
    mem_use(fresh, &db->spares, &db->reserve);
    frz__mutex_lock(&t->view_mu);
    const struct view *old = atomic_load(&t->view);
    mems = (struct mem **)frz__alloc_array(t->a, old->mem_count + 1, sizeof *mems);
    rc = mems ? FRZ_OK : frz__err_no_memory(err, (old->mem_count + 1) * sizeof *mems);
    if (rc >= 0) {
        mems[0] = fresh;
        memcpy(mems + 1, old->mems, old->mem_count * sizeof *mems);
        rc = frz__view_new(t->a, old->schema, mems, old->mem_count + 1, old->files, old->file_count, old->flushed_seq, old->snapshot_id, &v, err);
    }
    if (rc >= 0) {
        v->hold = frz__hold_acquire(old->hold);
        t->rot_seq = db->seq_next - 1;
        t->active = fresh;
        frz__view_install_locked(t, v);
        frz__flow_count(t);
    }
    frz__mutex_unlock(&t->view_mu);
done:
    frz__free(t->a, mems);
    frz__mem_release(fresh); /* the view has its own count */
    return rc;
}

/* Moments are for restores, from an archive. */
static int64_t archive_time(const struct db *db) { return db->archive ? frz__clock_wall_us() : 0; }

/* The leader's place and flush_mu held: nobody else makes views now. What may fail comes before the log's word, after which no row of the older schema may be logged. */
static int rotate_schema_leading(struct table *t, frz_schema *schema, struct vfile *const *files, size_t file_count, uint64_t flushed, int64_t snapshot_id, struct hold *hold,
    frz_error *err)
{
    struct db *db = t->db;
    struct view *v = NULL;
    struct mem *fresh = NULL, **mems = NULL;
    struct wal_table line;
    size_t count = 0;
    int rc = FRZ_OK;
    CHECK(frz__mem_new(budget_of(db->budget, MEM_MEMTABLES), schema, &fresh, err));
    mem_use(fresh, &db->spares, &db->reserve);
    frz__mutex_lock(&t->view_mu);
    const struct view *old = atomic_load(&t->view);
    uint64_t at = flushed > old->flushed_seq ? flushed : old->flushed_seq;
    rc = frz__table_keep_schema_locked(t, schema, err);
    mems = (struct mem **)frz__alloc_array(t->a, old->mem_count + 1, sizeof *mems);
    if (rc >= 0 && !mems) rc = frz__err_no_memory(err, (old->mem_count + 1) * sizeof *mems);
    if (rc >= 0) {
        mems[count++] = fresh;
        for (size_t i = 0; i < old->mem_count; i++) {
            uint64_t versions = mem_versions(old->mems[i]);
            if (versions && old->mems[i]->seq_last > at) mems[count++] = old->mems[i];
        }
        rc = frz__view_new(t->a, schema, mems, count, files, file_count, at, snapshot_id, &v, err);
        if (rc >= 0) v->hold = frz__hold_acquire(hold);
    }
    frz__mutex_unlock(&t->view_mu);
    CHECK(rc);
    frz__table_wal_line(t, t->version, at + 1, &line);
    if (db->wal) CHECK(frz__wal_add_table_at(db->wal, &line, archive_time(db), err));
    frz__mutex_lock(&t->view_mu);
    t->rot_seq = db->seq_next - 1;
    t->active = fresh;
    frz__view_install_locked(t, v);
    frz__cond_broadcast(&t->room);
    frz__mutex_unlock(&t->view_mu);
    v = NULL;
done:
    frz__view_release(v);
    frz__free(t->a, mems);
    frz__mem_release(fresh);
    return rc;
}

int frz__rotate_schema(struct table *t, frz_schema *schema, struct vfile *const *files, size_t file_count, uint64_t flushed, int64_t snapshot_id, struct hold *hold,
    frz_error *err)
{
    struct writer w;
    lead_alone(t->db, &w);
    int rc = rotate_schema_leading(t, schema, files, file_count, flushed, snapshot_id, hold, err);
    leave_alone(t->db, &w);
    return rc;
}

int frz__rotate(struct table *t, uint64_t *seq, frz_error *err)
{
    struct writer w;
    lead_alone(t->db, &w);
    int rc = rotate_leading(t, err);
    frz__mutex_lock(&t->view_mu);
    if (seq) *seq = t->rot_seq;
    frz__mutex_unlock(&t->view_mu);
    leave_alone(t->db, &w);
    return rc;
}

/* ── log housekeeping ── */

/* Not of memory, or a batch that is too large: that is the caller's matter, and passes with it. */
static void log_failed(struct db *db, const frz_error *err)
{
    int c = frz__health_class(err->code);
    if (c == FRZ_CLASS_NO_SPACE || c == FRZ_CLASS_IO || c == FRZ_CLASS_READ_ONLY || c == FRZ_CLASS_CORRUPTION || c == FRZ_CLASS_BUG) (void)frz__health_fail(db, NULL, HEALTH_LOG, err);
}

/* Those who sync at once end in any order. */
static void synced_upto(struct db *db, uint64_t seq)
{
    uint64_t was = atomic_load(&db->seq_synced);
    while (was < seq && !atomic_compare_exchange_weak(&db->seq_synced, &was, seq)) {}
}

int frz__write_sync(struct db *db, frz_error *err)
{
    struct writer w;
    uint64_t at = atomic_load(&db->seq_visible);
    if (!db->wal || atomic_load(&db->seq_synced) >= at) return FRZ_OK;
    frz_error own = {0};
    int rc = frz__wal_sync_beside(db->wal, &own); /* who writes without a sync does not wait for this one */
    if (rc == FRZ_DONE) {
        lead_alone(db, &w);
        at = atomic_load(&db->seq_visible);
        rc = frz__wal_sync(db->wal, &own);
        leave_alone(db, &w);
    }
    if (rc >= 0) synced_upto(db, at);
    if (rc < 0) log_failed(db, &own);
    else frz__health_ok(db, NULL, HEALTH_LOG);
    if (rc < 0 && err) *err = own;
    return rc;
}

/* The dictionary, as each segment has it anyway, and a sync: what is in doubt is written again with it. The log has the lines itself: a
 * table's version may be in a commit, and all writers would wait for that. */
static int probe_leading(struct db *db, frz_error *err)
{
    uint64_t at = atomic_load(&db->seq_visible);
    TRY(frz__wal_tell_tables(db->wal, err));
    TRY(frz__wal_sync(db->wal, err));
    synced_upto(db, at);
    return FRZ_OK;
}

int frz__log_probe(struct db *db, frz_error *err)
{
    struct writer w;
    frz_error own = {0};
    lead_alone(db, &w);
    int rc = probe_leading(db, &own);
    leave_alone(db, &w);
    if (rc < 0) {
        log_failed(db, &own);
        if (err) *err = own;
        return rc;
    }
    frz__health_ok(db, NULL, HEALTH_LOG);
    frz__log_release(db);
    return FRZ_OK;
}

/* The dictionary of this writer lacks a table that can't be used: without a line the drop would be of nobody, and its rows taken for those of a table that got lost. */
static int line_of_broken(struct db *db, struct table *t, frz_error *err)
{
    if (!t->logged.schema) return FRZ_OK; /* it is usable, or the log has no rows of it */
    struct wal_table line = {.table_no = t->table_no, .name = slice_str(t->name), .schema_id = t->logged.schema_id, .schema_json = slice_str(t->logged.schema), .low_water = 1};
    memcpy(line.uuid, t->logged.uuid, sizeof line.uuid);
    return frz__wal_add_table_at(db->wal, &line, archive_time(db), err);
}

int frz__log_drop(struct db *db, struct table *t, frz_error *err)
{
    struct writer w;
    int rc = FRZ_OK;
    lead_alone(db, &w);
    if (!t->drop_logged) rc = line_of_broken(db, t, err);
    if (rc >= 0 && !t->drop_logged) rc = frz__wal_append_drop(db->wal, t->table_no, archive_time(db), err);
    if (rc >= 0) {
        t->drop_logged = true;
        rc = frz__wal_sync(db->wal, err);
    }
    leave_alone(db, &w);
    return rc;
}

int frz__log_table(struct db *db, struct table *t, frz_error *err)
{
    struct writer w;
    struct wal_table line;
    struct version *v = frz__version_acquire(t);
    frz__table_wal_line(t, v, 1, &line);
    lead_alone(db, &w);
    int rc = frz__wal_add_table_at(db->wal, &line, archive_time(db), err);
    leave_alone(db, &w);
    frz__version_release(v);
    return rc;
}

/* The oldest segment with rows that are not published. The leader's place held: none come to an older one. What was published is told to the log. */
static uint64_t oldest_leading(struct db *db)
{
    uint64_t oldest = frz__wal_segment(db->wal);
    if (db->segment_kept && db->segment_kept < oldest) oldest = db->segment_kept;
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        if (t->drop_logged) continue; /* it only remains to be removed */
        frz__mutex_lock(&t->view_mu);
        struct view *v = atomic_load(&t->view);
        if (v) {
            frz__wal_set_low_water(db->wal, t->table_no, v->flushed_seq + 1);
            for (size_t m = 0; m < v->mem_count; m++)
                if (mem_versions(v->mems[m]) && v->mems[m]->log_segment < oldest) oldest = v->mems[m]->log_segment;
        }
        frz__mutex_unlock(&t->view_mu);
    }
    frz__mutex_unlock(&db->tables_mu);
    return oldest;
}

void frz__log_release(struct db *db)
{
    struct writer w;
    frz_error err;
    lead_alone(db, &w);
    int rc = frz__wal_release(db->wal, oldest_leading(db), &err);
    leave_alone(db, &w);
    if (rc >= 0) rc = frz__wal_recycle(db->wal, &err); /* as long as it takes: no writer waits for it */
    if (rc < 0) {
        frz__log(&db->log, FRZ_LOG_WARN, "the log's old segments stay: %s", err.message);
        (void)frz__health_fail(db, NULL, HEALTH_RECYCLE, &err);
    } else if (rc == FRZ_OK) frz__health_ok(db, NULL, HEALTH_RECYCLE); /* FRZ_DONE: who is at it will say */
    if (db->archive) frz__archive_tell_gap(db);
}

/* ── expectations ── */

static slice op_key(const struct write_batch *b, const struct write_op *o) { return slice_of(b->bytes.data + o->key_at, o->key_len); }

static int raise_expectation(const struct write_op *o, slice key, int code, frz_error *err)
{
    struct buf text = BUF_INIT(o->t->db->a, 4096);
    frz_schema *s = frz__table_schema(o->t);
    if (frz__key_print(s, key, &text, NULL) < 0) buf_reset(&text);
    (void)frz__err(err, code, code == FRZ_EXISTS ? "%s: the key %.*s exists already" : "%s: there is no row with the key %.*s", o->t->name, (int)text.len, text.data ? (char *)text.data : "");
    frz__schema_release(s);
    buf_clear(&text);
    return code;
}

/* The last op on each key of a batch so far: open addressing over op indexes + 1. */
struct op_index {
    const struct write_batch *b;
    uint32_t *slots;
    size_t mask;
};

static int op_index_init(struct op_index *x, const struct write_batch *b, frz_error *err)
{
    size_t size = 16;
    while (size < b->count * 2) size *= 2;
    *x = (struct op_index){.b = b, .mask = size - 1};
    x->slots = (uint32_t *)frz__alloc_array(b->db->a, size, sizeof *x->slots);
    return x->slots ? FRZ_OK : frz__err_no_memory(err, size * sizeof *x->slots);
}

/* The last earlier op on the key of op I, -1 = none; from now on it is I. */
static int64_t op_index_replace(struct op_index *x, size_t i)
{
    const struct write_op *o = &x->b->ops[i];
    slice key = op_key(x->b, o);
    for (size_t at = (size_t)(frz__hash64(key) + o->t->table_no * 0x9E3779B97F4A7C15u) & x->mask;; at = (at + 1) & x->mask) {
        if (x->slots[at]) {
            const struct write_op *there = &x->b->ops[x->slots[at] - 1];
            if (there->t != o->t || !slice_eq(op_key(x->b, there), key)) continue;
        }
        int64_t before = (int64_t)x->slots[at] - 1;
        x->slots[at] = (uint32_t)i + 1;
        return before;
    }
}

/* An update becomes a whole row: BASE under PATCH. */
static int patch_row(struct write_op *o, frz_row *base, struct buf *row, frz_error *err)
{
    const frz_schema *s = o->patch->schema;
    for (size_t i = 0; i < s->count; i++)
        if (bit_get(o->patch->set, i)) TRY(frz__row_set(base, i, &o->patch->values[i], true, err));
    buf_reset(row);
    return frz__row_encode(s, base->values, row, err);
}

/* Reads what the expectations of B ask for, outside every lock, and makes `resolved`: the ops with whole rows. */
static int resolve(struct write_batch *b, frz_error *err)
{
    struct db *db = b->db;
    int rc = FRZ_OK;
    struct codec_ctx *codec = NULL;
    frz_row *base = NULL;
    /* rows of this batch as resolved so far, by op: offsets into `resolved` */
    size_t *row_at = (size_t *)frz__alloc_array(db->a, b->count * 2 + 1, sizeof *row_at);
    struct op_index index = {0};
    if (!row_at) return frz__err_no_memory(err, b->count * 2 * sizeof *row_at);
    buf_reset(&b->resolved);
    CHECK(op_index_init(&index, b, err));
    CHECK(frz__codec_take(db, &codec, err));
    for (size_t i = 0; i < b->count; i++) {
        struct write_op *o = &b->ops[i];
        slice key = op_key(b, o), row = slice_of(b->bytes.data + o->row_at, o->row_len);
        int64_t prior = op_index_replace(&index, i);
        if (o->expect != EXPECT_ANY) {
            bool present = false, from_mem = false;
            frz_row_free(base);
            base = NULL;
            if (o->patch) CHECK(frz__row_new(db->a, o->patch->schema, &base, err));
            if (prior >= 0) {
                present = b->ops[prior].kind == OP_PUT;
                o->read_seq = UINT64_MAX; /* decided by this batch itself: nothing to check again */
                if (present && base && b->ops[prior].schema != o->schema) { /* it changed while they were made anew */
                    rc = RC_READ_AGAIN;
                    goto done;
                }
                if (present && base) CHECK(frz__row_fill(base, key, slice_of(b->resolved.data + row_at[2 * prior], row_at[2 * prior + 1]), NULL, true, err));
            } else {
                uint64_t seq = 0;
                o->read_round = atomic_load(&o->t->reloads); /* before the view */
                struct view *v = frz__view_latest(o->t, &seq);
                rc = base && v->schema != base->schema ? RC_READ_AGAIN : frz__view_get(v, seq, key, NULL, codec, base, &from_mem, err); /* the schema changed meanwhile */
                frz__view_release(v);
                if (rc < 0 || rc == RC_READ_AGAIN) goto done;
                present = rc == FRZ_OK;
                o->read_seq = seq;
            }
            if (present != (o->expect == EXPECT_PRESENT)) {
                rc = raise_expectation(o, key, present ? FRZ_EXISTS : FRZ_NOT_FOUND, err);
                goto done;
            }
            if (base) {
                CHECK(patch_row(o, base, &b->row, err));
                row = buf_slice(&b->row);
            }
        }
        CHECK(frz__batch_append(&b->resolved, (enum op_kind)o->kind, o->t->table_no, key, row, err));
        row_at[2 * i + 1] = o->kind == OP_PUT ? row.len : 0;
        row_at[2 * i] = b->resolved.len - row_at[2 * i + 1];
    }
    rc = FRZ_OK;
done:
    frz_row_free(base);
    frz__codec_give(db, codec);
    frz__free(db->a, row_at);
    frz__free(db->a, index.slots);
    return rc;
}

/* The leader: what B expected still holds: no key of it was written after it was read, by the memtables, or by a batch earlier in this group. A flush in between, or another engine's commit that
 * was taken up, makes it unknowable: it is read again. false = the writer must read again. */
static bool still_holds(const struct write_batch *b, struct writer *first, const struct writer *self)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct write_op *o = &b->ops[i];
        if (o->expect == EXPECT_ANY || o->read_seq == UINT64_MAX) continue;
        slice key = op_key(b, o);
        frz__mutex_lock(&o->t->view_mu);
        const struct view *v = atomic_load(&o->t->view);
        bool ok = v->flushed_seq <= o->read_seq && atomic_load(&o->t->reloads) == o->read_round;
        for (size_t m = 0; ok && m < v->mem_count; m++) {
            const struct mem_version *newest = frz__mem_get(v->mems[m], key, UINT64_MAX >> 8);
            if (newest && mem_version_seq(newest) > o->read_seq) ok = false;
        }
        frz__mutex_unlock(&o->t->view_mu);
        for (const struct writer *w = first; ok && w != self; w = w->next) {
            if (!w->batch || w->rc != FRZ_OK) continue;
            for (size_t k = 0; ok && k < w->batch->count; k++)
                if (w->batch->ops[k].t == o->t && slice_eq(op_key(w->batch, &w->batch->ops[k]), key)) ok = false;
        }
        if (!ok) return false;
    }
    return true;
}

/* ── the group ── */

struct group {
    size_t writers;  /* of the queue, from its head */
    size_t batches;  /* that go on */
    uint64_t first, last;
    size_t ops;
    bool sync;
    uint32_t batch_ops[GROUP_WRITERS_MAX]; /* of slices[i] */
    struct writer *members[GROUP_WRITERS_MAX]; /* `writers` of them; the queue's links belong to log_mu */
    slice slices[GROUP_WRITERS_MAX];
};

/* A drop is logged by a leader too: from then on no operation of the table may follow it in the log. */
static bool has_dropped(const struct write_batch *b, int *rc, frz_error *err)
{
    for (size_t i = 0; i < b->count; i++) {
        if (i && b->ops[i].t == b->ops[i - 1].t) continue;
        if (atomic_load_explicit(&b->ops[i].t->dropped, memory_order_relaxed)) {
            *rc = frz__table_usable(b->ops[i].t, true, err);
            return *rc != FRZ_OK;
        }
    }
    return false;
}

/* The leader: a row of another schema than the memtable's, which the schema changed under: its writer makes it anew. */
static bool is_stale(const struct write_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct write_op *o = &b->ops[i];
        if (i && o->schema == b->ops[i - 1].schema && o->t == b->ops[i - 1].t) continue;
        if (o->schema && o->schema != o->t->active->schema) return true;
    }
    return false;
}

/* log_mu held: who goes with SELF, the head. */
static void gather_locked(struct db *db, struct group *g)
{
    size_t bytes = 0;
    g->first = g->last = db->seq_next;
    for (struct writer *w = db->queue_head; w && w->batch && g->writers < GROUP_WRITERS_MAX; w = w->next) {
        if (g->writers && bytes + w->bytes.len > GROUP_BYTES_MAX) break;
        if (w->batch->conditional && g->ops * w->batch->count > GROUP_COMPARES_MAX) break; /* its keys would be held against each of those before it: it leads the next group */
        g->members[g->writers++] = w;
        if (has_dropped(w->batch, &w->rc, &w->err)) continue;
        if (is_stale(w->batch)) {
            w->rc = RC_READ_AGAIN;
            continue;
        }
        if (w->batch->conditional && !still_holds(w->batch, db->queue_head, w)) {
            w->rc = RC_READ_AGAIN;
            continue;
        }
        w->first = db->seq_next + g->ops;
        bytes += w->bytes.len;
        g->batch_ops[g->batches] = (uint32_t)w->batch->count;
        g->slices[g->batches++] = w->bytes;
        g->ops += w->batch->count;
        if (w->durability == FRZ_SYNC_FULL) g->sync = true;
    }
    if (db->write_error.code && g->batches) { /* writes are stopped */
        for (size_t i = 0; i < g->writers; i++) {
            g->members[i]->rc = db->write_error.code;
            g->members[i]->err = db->write_error;
        }
        g->batches = g->ops = 0;
    }
    g->last = g->first + g->ops - (g->ops > 0);
}

static int insert_group(const struct group *g, uint64_t segment, frz_error *err)
{
    for (size_t i = 0; i < g->writers; i++) {
        const struct writer *w = g->members[i];
        if (w->rc != FRZ_OK) continue;
        const uint8_t *p = w->bytes.data, *end = p + w->bytes.len;
        for (size_t k = 0; k < w->batch->count; k++) {
            struct op op;
            TRY(frz__batch_next(&p, end, &op, err));
            struct table *t = w->batch->ops[k].t;
            struct mem *m = t->active;
            if (mem_versions(m) == 0) {
                m->log_segment = segment;
                atomic_store(&m->since_ns, frz__clock_mono_ns());
            }
            TRY(frz__mem_add(m, w->first + k, op.kind, op.key, op.row, err));
            stat_add(op.kind == OP_PUT ? &t->rows_put : &t->rows_deleted, 1);
            stat_add(&t->put_bytes, op.key.len + op.row.len);
            if (!atomic_load_explicit(&t->dirty_since_ns, memory_order_relaxed)) {
                atomic_store(&t->dirty_since_ns, frz__clock_mono_ns());
                frz__sched_wake(t->db);
            }
        }
    }
    return FRZ_OK;
}

/* Before anything is logged: what it will take to hold it in memory. A reserve that grew for one large batch is not kept. */
#define RESERVE_BYTES_MIN ((size_t)64 << 10)
#define RESERVE_BYTES_KEPT ((size_t)1 << 20)
static int reserve_group(struct db *db, const struct group *g, frz_error *err)
{
    size_t bytes = 0, need = RESERVE_BYTES_MIN, tables = 0;
    uint64_t round = ++db->reserve_round;
    for (size_t i = 0; i < g->batches; i++) bytes += g->slices[i].len;
    for (size_t i = 0; i < g->writers; i++) {
        const struct writer *w = g->members[i];
        for (size_t k = 0; w->rc == FRZ_OK && k < w->batch->count; k++) {
            struct table *t = w->batch->ops[k].t;
            if (t->reserve_round != round) {
                t->reserve_round = round;
                t->reserve_ops = 0;
                tables++;
            }
            t->reserve_ops++;
        }
    }
    for (size_t i = 0, left = tables; i < g->writers && left; i++) {
        const struct writer *w = g->members[i];
        for (size_t k = 0; w->rc == FRZ_OK && k < w->batch->count && left; k++) {
            struct table *t = w->batch->ops[k].t;
            if (t->reserve_ops == 0) continue;
            size_t n = frz__mem_need(t->active, t->reserve_ops, bytes);
            need = n > need ? n : need;
            t->reserve_ops = 0;
            left--;
        }
    }
    if (db->reserve.bytes > RESERVE_BYTES_KEPT && need <= RESERVE_BYTES_KEPT) frz__arena_reserve_clear(&db->reserve);
    int rc = frz__arena_reserve(&db->reserve, 2 * tables, need, err);
    atomic_store_explicit(&db->reserve_bytes, frz__arena_reserve_bytes(&db->reserve), memory_order_relaxed);
    return rc;
}

/* The leader's place held, log_mu not. */
static int write_group(struct db *db, struct group *g, frz_error *err)
{
    uint64_t segment = 0;
    TRY(reserve_group(db, g, err));
    int rc = db->archive ? frz__wal_append_at(db->wal, g->first, (uint32_t)g->ops, g->slices, g->batches, g->batch_ops, frz__clock_wall_us(), &segment, err)
                         : frz__wal_append(db->wal, g->first, (uint32_t)g->ops, g->slices, g->batches, &segment, err);
    if (rc < 0) {
        log_failed(db, err);
        return rc;
    }
    rc = g->sync ? frz__wal_sync(db->wal, err) : FRZ_OK;
    if (rc < 0) { /* nobody hears that it was written: it shall not come back. What can't be said now is said when the log can be written again */
        (void)!frz__wal_refuse(db->wal, g->first, NULL);
        log_failed(db, err);
        return rc;
    }
    frz__health_ok(db, NULL, HEALTH_LOG);
    rc = insert_group(g, segment, err);
    if (rc < 0) { /* it is in the log, and only in part in memory: nothing more may be written before it is replayed */
        frz__err_context(err, "a logged write can't be held in memory; writes stop until the database is opened again");
        db->write_error = *err;
        (void)frz__health_fail(db, NULL, HEALTH_REPLAY, err);
        return rc;
    }
    db->seq_next = g->last + 1;
    atomic_store_explicit(&db->seq_visible, g->last, memory_order_release);
    if (g->sync) synced_upto(db, g->last);
    stat_add(&db->writes, g->batches);
    stat_add(&db->write_groups, 1);
    return FRZ_OK;
}

static void rotate_one(struct table *t)
{
    frz_error err;
    if (rotate_leading(t, &err) < 0) frz__log(&t->db->log, FRZ_LOG_WARN, "%s: a full memtable stays: %s", t->name, err.message);
    else frz__flush_schedule(t);
}

/* Memtables that are full are rotated by the leader, so that a flush finds them (rule 2 of design.md §8); and while all of them together are too large, the largest, of whatever table. */
static void rotate_full(struct db *db, const struct group *g)
{
    for (size_t i = 0; i < g->writers; i++) {
        const struct writer *w = g->members[i];
        for (size_t k = 0; k < w->batch->count; k++) {
            struct table *t = w->batch->ops[k].t;
            if (k && t == w->batch->ops[k - 1].t) continue;
            frz__flow_count(t);
            if (mem_used(t->active) >= db->set.memtable_bytes && !frz__flow_full(t)) rotate_one(t);
        }
    }
    struct table *largest = frz__flow_largest(db);
    if (!largest) return;
    rotate_one(largest);
    frz__table_release(largest);
}

/* A segment was begun: tables whose rows lie in segments beyond what the log may take are published, so that those can go (hazards 29). */
static void bound_log(struct db *db, uint64_t segment)
{
    uint64_t segments = db->set.log_bytes_max / db->set.log_segment_bytes, oldest = segment > segments ? segment - segments : 0;
    if (oldest == 0) return;
    for (size_t i = 0;; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) return;
        bool active = false, any = false;
        frz__mutex_lock(&t->view_mu);
        const struct view *v = table_is_broken(t) ? NULL : atomic_load(&t->view);
        for (size_t m = 0; v && m < v->mem_count; m++) {
            if (mem_versions(v->mems[m]) == 0 || v->mems[m]->log_segment > oldest) continue;
            any = true;
            active |= m == 0;
        }
        frz__mutex_unlock(&t->view_mu);
        if (any && !atomic_load(&t->dropped)) {
            stat_add(&t->log_flushes_forced, 1);
            if (active) rotate_one(t);
            else frz__flush_schedule(t);
        }
        frz__table_release(t);
    }
}

static void lead(struct db *db, struct writer *self)
{
    struct group g;
    g.writers = g.batches = g.ops = 0;
    g.sync = false;
    gather_locked(db, &g);
    frz__mutex_unlock(&db->log_mu);
    if (g.batches) {
        frz_error err;
        no_error(&err);
        int rc = write_group(db, &g, &err);
        for (size_t i = 0; rc < 0 && i < g.writers; i++) {
            if (g.members[i]->rc != FRZ_OK) continue;
            g.members[i]->rc = rc;
            g.members[i]->err = err;
        }
        if (rc >= 0) rotate_full(db, &g);
        if (rc >= 0 && db->log_segment_seen != frz__wal_segment(db->wal)) bound_log(db, db->log_segment_seen = frz__wal_segment(db->wal));
    }
    frz__mutex_lock(&db->log_mu);
    step_down_locked(db, self, g.writers);
}

int frz__write(struct db *db, struct write_batch *b, int durability, int64_t wait_max_ns, frz_seq_range *range, frz_error *err)
{
    if (b->count == 0) {
        if (range) range->first = range->last = atomic_load(&db->seq_visible);
        return FRZ_OK;
    }
    struct table *tables[WAIT_TABLES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct table *t = b->ops[i].t;
        if (i && t == b->ops[i - 1].t) continue;
        MUST(frz__table_usable(t, true, err));
        MUST(frz__health_writable(t, err));
        size_t at = 0;
        while (at < n && tables[at] != t) at++;
        if (at == n && n < WAIT_TABLES_MAX) tables[n++] = t;
    }
    MUST(frz__flow_wait(tables, n, b->bytes.len, wait_max_ns, err));
    for (;;) {
        TRY(frz__write_batch_renew(b, err));
        if (b->conditional) {
            int rc = resolve(b, err);
            if (rc == RC_READ_AGAIN) continue;
            if (rc != FRZ_OK) return rc;
            FAILPOINT_VOID("write.resolved");
        }
        struct writer w;
        writer_init(&w, b, buf_slice(b->conditional ? &b->resolved : &b->bytes), durability ? durability : db->set.durability);
        frz__mutex_lock(&db->log_mu);
        if (join_locked(db, &w)) lead(db, &w);
        frz__mutex_unlock(&db->log_mu);
        if (w.rc == RC_READ_AGAIN) continue;
        if (w.rc != FRZ_OK) {
            if (err) *err = w.err;
            return w.rc;
        }
        if (durability == FRZ_SYNC_INTERVAL) frz__sched_sync_soon(db);
        if (range) *range = (frz_seq_range){w.first, w.first + b->count - 1};
        return FRZ_OK;
    }
}
