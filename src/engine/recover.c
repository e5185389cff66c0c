/* recover.c — what open does with what it finds: the log's rows that are in no file go back into memtables; a drop that was cut short is finished. */
#include "engine/recover.h"

#include <stdio.h>

struct bound_table {
    uint64_t table_no;
    uint8_t uuid[16];
    struct table *t;     /* NULL = gone */
    frz_schema *schema;  /* that its rows were written under */
    uint64_t lost;       /* rows of a table that is gone */
    char name[208];
};
struct replay {
    struct db *db;
    struct bound_table *bound;
    size_t count, cap;
    struct buf migrated;
    uint64_t groups, bytes;
};

static struct bound_table *find_bound(struct replay *r, uint64_t table_no)
{
    for (size_t i = r->count; i-- > 0;)
        if (r->bound[i].table_no == table_no) return &r->bound[i];
    return NULL;
}

static int on_table(void *ctx, const struct wal_table *line, frz_error *err)
{
    struct replay *r = (struct replay *)ctx;
    struct bound_table *b = find_bound(r, line->table_no);
    struct json *j = NULL;
    char uuid[37];
    if (!b) {
        TRY(frz__grow(r->db->a, (void **)&r->bound, r->count, &r->cap, sizeof *r->bound, err));
        b = &r->bound[r->count++];
    } else {
        frz__schema_release(b->schema);
    }
    *b = (struct bound_table){.table_no = line->table_no, .lost = b->lost};
    b->lost = 0;
    memcpy(b->uuid, line->uuid, sizeof b->uuid);
    snprintf(b->name, sizeof b->name, "%.*s", (int)line->name.len, line->name.data);
    frz__uuid_format(line->uuid, uuid);
    for (size_t i = 0; i < r->db->table_count; i++) {
        struct table *t = r->db->tables[i];
        if (t->uuid[0] ? strcmp(t->uuid, uuid) == 0 : strcmp(t->name, b->name) == 0) b->t = t; /* one whose metadata can't be read is known by its name alone */
    }
    if (line->table_no >= r->db->next_table_no) r->db->next_table_no = line->table_no + 1;
    int rc = frz__json_parse(line->schema_json, &j, err);
    if (rc >= 0) rc = frz__schema_from_json(r->db->a, j, &b->schema, err);
    if (rc < 0) {
        frz__err_context(err, "the log's schema of table %s", b->name);
        if (rc != FRZ_NO_MEMORY) rc = FRZ_CORRUPT;
        if (err) err->code = rc;
    }
    frz__json_free(j);
    return rc;
}

static int add_row(struct replay *r, struct bound_table *b, uint64_t segment, uint64_t seq, const struct op *op, frz_error *err)
{
    struct table *t = b->t;
    struct db *db = r->db;
    slice row = op->row;
    frz_schema *now = atomic_load(&t->view)->schema;
    if (op->kind == OP_PUT) {
        TRY(frz__row_check(b->schema, row, err));
        if (b->schema->schema_id != now->schema_id) {
            buf_reset(&r->migrated);
            TRY(frz__row_migrate(b->schema, row, now, &r->migrated, err));
            row = buf_slice(&r->migrated);
        }
    }
    if (mem_versions(t->active) && mem_used(t->active) >= db->set.memtable_bytes) {
        db->seq_next = seq;
        TRY(frz__rotate(t, NULL, err));
    }
    if (mem_versions(t->active) == 0) t->active->log_segment = segment;
    TRY(frz__mem_add(t->active, seq, op->kind, op->key, row, err));
    atomic_store(&t->dirty_since_ns, frz__clock_mono_ns());
    return FRZ_OK;
}

static int on_group(void *ctx, uint64_t segment, uint64_t base_seq, uint32_t ops, slice bytes, frz_error *err)
{
    struct replay *r = (struct replay *)ctx;
    const uint8_t *p = bytes.data, *end = p + bytes.len;
    for (uint32_t i = 0; i < ops; i++) {
        struct op op;
        int rc = frz__batch_next(&p, end, &op, err);
        if (rc == FRZ_DONE) return frz__err_corrupt(err, "the log's group at sequence %" PRIu64 " holds %u operations, its head says %u", base_seq, i, ops);
        TRY(rc);
        struct bound_table *b = find_bound(r, op.table_no);
        if (!b) return frz__err_corrupt(err, "the log's operation %" PRIu64 " is for table number %" PRIu64 ", which its dictionary lacks", base_seq + i, op.table_no);
        if (!b->t || table_is_broken(b->t)) {
            b->lost++;
            if (b->t && !r->db->segment_kept) r->db->segment_kept = segment; /* until the table can be opened again */
            continue;
        }
        if (base_seq + i <= atomic_load(&b->t->view)->flushed_seq) continue;
        TRY(add_row(r, b, segment, base_seq + i, &op, err));
    }
    if (p != end) return frz__err_corrupt(err, "the log's group at sequence %" PRIu64 " has %zu bytes too many", base_seq, (size_t)(end - p));
    r->groups++;
    r->bytes += bytes.len;
    return FRZ_OK;
}

static int on_drop(void *ctx, uint64_t table_no, frz_error *err)
{
    struct replay *r = (struct replay *)ctx;
    struct bound_table *b = find_bound(r, table_no);
    if (!b) return FRZ_OK;
    if (b->t && b->t->uuid[0]) atomic_store(&b->t->dropped, true); /* one known by its name alone may be a later table of that name: it stays */
    b->t = NULL;
    b->lost = 0;
    return FRZ_OK;
}

/* The name goes now if the crash came between the log's word and the rename. */
static int finish_drops(struct db *db, frz_error *err)
{
    for (size_t i = db->table_count; i-- > 0;) {
        struct table *t = db->tables[i];
        if (!atomic_load(&t->dropped)) continue;
        if (!db->set.read_only) {
            TRY(frz__table_to_trash(t, err));
            frz__log(&db->log, FRZ_LOG_INFO, "%s: a drop that was cut short is finished", t->name);
        }
        memmove(&db->tables[i], &db->tables[i + 1], (db->table_count - i - 1) * sizeof *db->tables);
        db->table_count--;
        frz__table_release(t);
    }
    return FRZ_OK;
}

/* Of the tables that the log has rows of and that are not there: the highest number. */
static uint64_t highest_gone(const struct replay *r)
{
    uint64_t number = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->bound[i].lost && !r->bound[i].t && r->bound[i].table_no > number) number = r->bound[i].table_no;
    return number;
}

int frz__recover_log(struct db *db, struct wal_report *known, uint64_t *strange, frz_error *err)
{
    struct replay r = {.db = db, .migrated = BUF_INIT(db->a, 0)};
    const struct wal_visitor v = {&r, on_table, on_group, on_drop};
    struct wal_report report = {0};
    int rc = FRZ_OK;
    uint64_t last = atomic_load(&db->seq_visible); /* a refresh never goes back, whatever the log has lost since with tables that were dropped */
    if (known->seq_last > last) last = known->seq_last;
    for (size_t i = 0; i < db->table_count; i++) {
        struct view *view = atomic_load(&db->tables[i]->view);
        if (view && view->flushed_seq > last) last = view->flushed_seq;
    }
    atomic_store(&db->seq_visible, last); /* views are installed only below it */
    if (known->found) {
        rc = frz__wal_read(db->a, &db->log, db->fs, ".frazil/wal", &v, &report, err);
        if (rc >= 0) *known = report;
        if (rc >= 0 && report.seq_last > last) last = report.seq_last;
        if (rc >= 0 && report.tail_cut)
            frz__log(&db->log, FRZ_LOG_WARN, "the log ends in segment %" PRIu64 " at %" PRIu64 ": %" PRIu64 " bytes behind it were never acknowledged as durable, and are cut", report.tail_segment,
                     report.tail_offset, report.tail_bytes_dropped);
    }
    uint64_t gone = highest_gone(&r);
    bool tell = gone <= *strange;
    *strange = tell ? 0 : gone;
    for (size_t i = 0; i < r.count; i++) {
        if (tell && r.bound[i].lost && !r.bound[i].t)
            frz__log(&db->log, FRZ_LOG_WARN, "the log holds %" PRIu64 " operations of table %s, which is gone without having been dropped", r.bound[i].lost, r.bound[i].name);
        frz__schema_release(r.bound[i].schema);
    }
    atomic_store(&db->seq_visible, last);
    atomic_store(&db->seq_synced, last);
    db->seq_next = last + 1;
    stat_add(&db->recovered_batches, r.groups);
    stat_add(&db->recovered_bytes, r.bytes);
    frz__free(db->a, r.bound);
    buf_clear(&r.migrated);
    return rc < 0 ? rc : finish_drops(db, err);
}
