/* compact_merge.c — a compaction's rows, from its inputs into new files: whole, or in pieces by key that several threads merge side by side.
 *
 * The pieces are taken one by one by the compaction's own thread and by helpers: jobs of the compactors' pool, which may come late, or never, and are not waited for unless they took a piece. Each piece has
 * files, and an account of where its rows went, of its own; put together in the order of the keys they are as one merge would have made them. */
#include "engine/compact_run.h"

#define LOOK_ROWS 256 /* between looks at whether it is still wanted, and payments for what was read and written */
#define LOOK_BYTES ((uint64_t)1 << 20)
#define LOOK_NS ((int64_t)50 * 1000000)
#define PIECES_MAX 16

struct piece {
    struct crew *crew;
    slice from, to; /* encoded keys; data NULL = open */
    struct reloc reloc;
    struct change *change;
    uint64_t rows, read, written; /* paid for */
};
struct helper { struct pool_job job; struct crew *crew; };
/* Goes when the last of who know it does: a helper may come when all is long over. */
struct crew {
    _Atomic uint32_t refs;
    const allocator *a;
    struct compaction *c; /* while a piece is being merged, or left */
    struct piece *pieces;
    size_t count;
    struct mutex mu;
    struct cond quiet;    /* nobody is at work */
    size_t next, working; /* mu */
    int rc;               /* mu: of the first piece that failed */
    frz_error err;        /* mu */
    struct arena ar;
    size_t helper_count;
    struct helper helpers[PIECES_MAX];
};

/* ── one piece ── */

/* A source for each run of the inputs: of a run, one file is open at a time. */
static int sources_of(struct compaction *c, struct piece *p, struct iter **out, frz_error *err)
{
    const allocator *a = c->t->jobs_a;
    const struct view *v = c->sources;
    struct iter **sources = (struct iter **)frz__alloc_array(a, v->run_count + 1, sizeof *sources);
    struct sst_scan_options o = {.a = a, .lineage = compaction_lineage(c), .keys = true, .from = p->from, .to = p->to, .memory_bytes = (size_t)frz__compact_input_memory(c)};
    size_t n = 0;
    int rc = sources ? FRZ_OK : frz__err_no_memory(err, v->run_count * sizeof *sources);
    for (; rc >= 0 && n < v->run_count; n++) {
        rc = frz__view_iter_run(v, &v->runs[n], &o, &sources[n], err);
        if (rc < 0) break;
    }
    if (rc >= 0) rc = frz__merge_new(a, sources, n, false, false, out, err); /* takes them */
    else
        for (size_t i = 0; i < n; i++) iter_free(sources[i]);
    frz__free(a, sources);
    return rc;
}

/* Whoever looks on hears of it from the compaction's own thread alone. */
static int look(struct compaction *c, frz_error *err)
{
    return c->watch ? c->watch->look(c->watch->ctx, &c->plan, atomic_load(&c->rows_done), c->rows_in, err) : FRZ_OK;
}

static int still_wanted(struct crew *crew, bool own, frz_error *err)
{
    const struct table *t = crew->c->t;
    if (own) MUST(look(crew->c, err));
    if (atomic_load(&t->db->closing)) return frz__err(err, FRZ_MISUSE, "the database is being closed");
    if (atomic_load(&t->dropped)) return frz__err(err, FRZ_NOT_FOUND, "%s was dropped", t->name);
    frz__mutex_lock(&crew->mu);
    int rc = crew->rc; /* another piece failed: this one is in vain */
    if (rc != FRZ_OK) *err = crew->err;
    frz__mutex_unlock(&crew->mu);
    return rc;
}

static uint64_t written_by(const struct change *change) { return change->bytes + (change->writer ? frz__sst_writer_bytes(change->writer) : 0); }

/* What was read is told from the rows: pages are read ahead, and by columns. */
static void pay(struct crew *crew, struct piece *p, uint64_t rows)
{
    struct compaction *c = crew->c;
    uint64_t read = (uint64_t)((double)c->plan.input_bytes * (double)rows / (double)(c->rows_in ? c->rows_in : 1));
    uint64_t written = written_by(p->change);
    uint64_t due = (read > p->read ? read - p->read : 0) + (written > p->written ? written - p->written : 0);
    p->read = read;
    p->written = written;
    if (due) frz__rate_take(&c->t->db->compact_rate, due);
    atomic_fetch_add(&c->rows_done, rows - p->rows);
    atomic_fetch_add(&c->job.rows_done, rows - p->rows);
    p->rows = rows;
}

static int merge_rows(struct crew *crew, struct piece *p, struct iter *it, bool own, frz_error *err)
{
    struct compaction *c = crew->c;
    struct change *change = p->change;
    bool v3 = compaction_lineage(c);
    uint64_t rows = 0;
    int rc;
    while ((rc = iter_next(it, err)) == FRZ_OK) {
        int64_t row_id = -1, updated = -1;
        size_t files = change->output_count;
        if (rows++ % LOOK_ROWS == 0 || written_by(change) > p->written + LOOK_BYTES) {
            pay(crew, p, rows);
            MUST(still_wanted(crew, own, err));
        }
        TRY(frz__change_room(change, err));
        if (files && files != change->output_count) TRY(frz__reloc_next_file(&p->reloc, err));
        if (v3) frz__change_lineage(c->inputs[it->tag], it->vecs, it->index, it->pos, &row_id, &updated);
        TRY(frz__sst_add_vec(change->writer, it->key, it->vecs, it->index, row_id, updated, err));
        TRY(frz__reloc_add(&p->reloc, (size_t)it->tag, err));
    }
    if (rc != FRZ_DONE) return rc;
    TRY(frz__change_end(change, err));
    pay(crew, p, rows);
    return FRZ_OK;
}

static int merge_piece(struct crew *crew, struct piece *p, bool own, frz_error *err)
{
    struct compaction *c = crew->c;
    struct iter *it = NULL;
    TRY(frz__reloc_init(&p->reloc, c->t->jobs_a, c->plan.count, c->sources->by_key, c->sources->runs, c->sources->run_count, err));
    TRY(sources_of(c, p, &it, err));
    FAILPOINT_VOID("compact.piece");
    int rc = merge_rows(crew, p, it, own, err);
    iter_free(it);
    return rc;
}

/* ── the crew ── */

static void crew_release(struct crew *crew)
{
    if (atomic_fetch_sub(&crew->refs, 1) != 1) return;
    for (size_t i = 0; i < crew->count; i++) frz__reloc_clear(&crew->pieces[i].reloc);
    frz__arena_clear(&crew->ar);
    frz__mutex_clear(&crew->mu);
    frz__cond_clear(&crew->quiet);
    frz__free(crew->a, crew->pieces);
    frz__free(crew->a, crew);
}

static void failed_locked(struct crew *crew, int rc, const frz_error *err)
{
    if (rc == FRZ_OK || crew->rc != FRZ_OK) return;
    crew->rc = rc;
    crew->err = *err;
}

/* Piece by piece, as long as there are any and none failed. OWN: by the compaction's own thread. */
static void work(struct crew *crew, bool own)
{
    frz__mutex_lock(&crew->mu);
    while (crew->next < crew->count && crew->rc == FRZ_OK) {
        frz_error err = {0};
        struct piece *p = &crew->pieces[crew->next++];
        crew->working++;
        frz__mutex_unlock(&crew->mu);
        int rc = merge_piece(crew, p, own, &err);
        frz__mutex_lock(&crew->mu);
        crew->working--;
        failed_locked(crew, rc, &err);
    }
    if (crew->working == 0) frz__cond_broadcast(&crew->quiet);
    frz__mutex_unlock(&crew->mu);
}

static void helper_left(void *arg) { crew_release(((struct helper *)arg)->crew); }
static void helper_job(void *arg)
{
    frz__pool_background();
    work(((struct helper *)arg)->crew, false);
    helper_left(arg);
}

static void call_helpers(struct crew *crew)
{
    struct pool *pool = crew->c->t->db->compactors;
    for (size_t i = 0; i + 1 < crew->count && pool; i++) {
        struct helper *h = &crew->helpers[i];
        *h = (struct helper){{.fn = helper_job, .arg = h, .cancel = helper_left}, crew};
        atomic_fetch_add(&crew->refs, 1);
        if (!frz__pool_submit(pool, &h->job, false)) crew_release(crew);
    }
}

/* How many pieces are worth it: threads that have nothing to do, the own one among them, and a share of the work for each. */
static size_t piece_count(struct compaction *c)
{
    struct db *db = c->t->db;
    unsigned busy = atomic_load(&db->compacting), threads = (unsigned)db->set.compaction_threads;
    frz__mutex_lock(&c->t->view_mu);
    uint64_t least = c->t->settings.frazil_compaction_split_bytes;
    frz__mutex_unlock(&c->t->view_mu);
    uint64_t n = c->plan.one_file ? 1 : c->plan.input_bytes / least, idle = db->compactors && threads > busy ? threads - busy : 0;
    if (n > idle) n = idle;
    return n < 1 ? 1 : n > PIECES_MAX ? PIECES_MAX : (size_t)n;
}

static int crew_new(struct compaction *c, struct crew **out, frz_error *err)
{
    const allocator *a = c->t->jobs_a;
    struct crew *crew = NULL;
    slice *keys = NULL;
    size_t wanted = piece_count(c), key_count = 0;
    TRY(ALLOC_NEW(&crew, a, struct crew, err));
    *out = crew;
    crew->a = a;
    crew->c = c;
    crew->ar = ARENA_INIT(a);
    atomic_store(&crew->refs, 1);
    frz__mutex_init(&crew->mu, RANK_LEAF, "compaction.crew");
    frz__cond_init(&crew->quiet);
    if (wanted > 1) TRY(frz__compact_split(c, wanted, &crew->ar, &keys, &key_count, err));
    crew->pieces = (struct piece *)frz__alloc_array(a, key_count + 1, sizeof *crew->pieces);
    c->parts = (struct change *)frz__alloc_array(a, key_count + 1, sizeof *c->parts);
    if (!crew->pieces || !c->parts) return frz__err_no_memory(err, (key_count + 1) * sizeof *c->parts);
    for (size_t i = 0; i <= key_count; i++) {
        struct change *change = &c->parts[i];
        crew->pieces[i] = (struct piece){.crew = crew, .from = i ? keys[i - 1] : (slice){0}, .to = i < key_count ? keys[i] : (slice){0}, .change = change};
        int rc = frz__change_init(change, c->t, frz__view_acquire(c->view), c->version, err);
        c->part_count++;
        crew->count++;
        TRY(rc);
        frz__compact_profile(c, &change->writer_options);
        if (c->plan.one_file) change->file_bytes_max = CHANGE_FILE_BYTES_MAX;
        else if (c->plan.output_bytes < change->file_bytes_max) change->file_bytes_max = c->plan.output_bytes;
    }
    return FRZ_OK;
}

/* In the order of the keys: as one merge would have made them. */
static int put_together(struct crew *crew, frz_error *err)
{
    struct compaction *c = crew->c;
    for (size_t i = 0; i < crew->count; i++) {
        TRY(frz__change_take(&c->change, crew->pieces[i].change, err));
        TRY(frz__reloc_append(&c->reloc, &crew->pieces[i].reloc, err));
    }
    return frz__reloc_check(&c->reloc, err);
}

static void await_helpers_locked(struct crew *crew)
{
    while (crew->working) {
        frz_error err = {0};
        if (!crew->c->watch || crew->rc != FRZ_OK) frz__cond_wait(&crew->quiet, &crew->mu);
        else if (!frz__cond_wait_until(&crew->quiet, &crew->mu, frz__clock_mono_ns() + LOOK_NS)) {
            frz__mutex_unlock(&crew->mu);
            int rc = look(crew->c, &err);
            frz__mutex_lock(&crew->mu);
            failed_locked(crew, rc, &err);
        }
    }
}

int frz__compact_merge(struct compaction *c, frz_error *err)
{
    struct crew *crew = NULL;
    int rc = crew_new(c, &crew, err);
    if (!crew) return rc;
    if (rc >= 0) {
        atomic_fetch_add(&c->t->db->compacting, 1);
        call_helpers(crew);
        work(crew, true);
        frz__mutex_lock(&crew->mu);
        crew->next = crew->count; /* who comes later finds nothing */
        await_helpers_locked(crew);
        rc = crew->rc;
        if (rc != FRZ_OK) *err = crew->err;
        frz__mutex_unlock(&crew->mu);
        atomic_fetch_sub(&c->t->db->compacting, 1);
    }
    if (rc == FRZ_OK) rc = put_together(crew, err);
    crew_release(crew);
    return rc;
}

void frz__compact_parts_clear(struct compaction *c)
{
    for (size_t i = 0; i < c->part_count; i++) frz__change_clear(&c->parts[i]);
    frz__free(c->t->jobs_a, c->parts);
}
