/* recover.c — what open does with what it finds: the log's rows that are in no file go back into memtables; a drop that was cut short is finished. */
#include "engine/flow.h"
#include "engine/paths.h"
#include "engine/recover.h"

#include <stdio.h>
#include "types/row_conv.h"

struct bound_table {
    uint64_t table_no;
    uint8_t uuid[16];
    struct table *t;     /* NULL = gone */
    frz_schema *schema;  /* that its rows were written under */
    struct row_conv conv; /* to the table's, once it was needed */
    bool unreadable;      /* … and can't be made */
    char name[208];
};
struct replay {
    struct db *db;
    struct bound_table *bound;
    size_t count, cap;
    struct lost_table *lost;
    size_t lost_count, lost_cap;
    struct buf migrated;
    uint64_t dated;          /* the segment that `written_us` is of */
    int64_t written_us;      /* until then it was written, by the clock on the wall */
    uint64_t moment_seq;     /* of the group that was written at `moment_us` */
    int64_t moment_us;
    bool last_look;
    uint64_t groups, bytes;
};

static struct bound_table *find_bound(struct replay *r, uint64_t table_no)
{
    for (size_t i = r->count; i-- > 0;)
        if (r->bound[i].table_no == table_no) return &r->bound[i];
    return NULL;
}

/* A drop of a table whose metadata can't be read needs a line that says whose rows are dropped, and columns that can be parsed: the log's own. */
static int keep_line(struct table *t, const struct wal_table *line, frz_error *err)
{
    char *schema = frz__strndup(t->a, (const char *)line->schema_json.data, line->schema_json.len);
    if (!schema) return frz__err_no_memory(err, line->schema_json.len);
    frz__free(t->a, t->logged.schema);
    t->logged = (struct logged){.schema_id = line->schema_id, .schema = schema};
    memcpy(t->logged.uuid, line->uuid, sizeof t->logged.uuid);
    return FRZ_OK;
}

/* It was of a table of T's name, which is dropped. */
static void forget_line(struct table *t, const uint8_t uuid[16])
{
    if (!t->logged.schema || memcmp(t->logged.uuid, uuid, sizeof t->logged.uuid) != 0) return;
    frz__free(t->a, t->logged.schema);
    t->logged = (struct logged){.schema = NULL};
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
        frz__row_conv_clear(&b->conv);
        frz__schema_release(b->schema);
    }
    *b = (struct bound_table){.table_no = line->table_no};
    memcpy(b->uuid, line->uuid, sizeof b->uuid);
    snprintf(b->name, sizeof b->name, "%.*s", (int)line->name.len, line->name.data);
    frz__uuid_format(line->uuid, uuid);
    for (size_t i = 0; i < r->db->table_count; i++) {
        struct table *t = r->db->tables[i];
        if (t->uuid[0] ? strcmp(t->uuid, uuid) == 0 : strcmp(t->name, b->name) == 0) b->t = t; /* one whose metadata can't be read is known by its name alone */
    }
    if (b->t && b->t->uuid[0] && line->low_water > b->t->low_water) b->t->low_water = line->low_water;
    if (line->table_no >= r->db->next_table_no) r->db->next_table_no = line->table_no + 1;
    int rc = frz__json_parse(line->schema_json, &j, err);
    if (rc >= 0) rc = frz__schema_from_json(r->db->a, j, &b->schema, err);
    if (rc < 0) {
        frz__err_context(err, "the log's schema of table %s", b->name);
        if (rc != FRZ_NO_MEMORY) rc = FRZ_CORRUPT;
        if (err) err->code = rc;
    }
    frz__json_free(j);
    return rc >= 0 && b->t && table_is_broken(b->t) ? keep_line(b->t, line, err) : rc;
}

/* Another program changed the schema so that rows of B's, which only the log has, can't be read by it. The table stays as it is published, read-only; the log keeps them. Beside a writer it may be that his
 * metadata was read before a change of his, and his log after: FRZ_BUSY, look again. */
static int give_up_rows(struct replay *r, struct bound_table *b, uint64_t segment, const char *why, frz_error *err)
{
    struct db *db = r->db;
    char text[640];
    if (db->set.read_only && !r->last_look) return frz__err(err, FRZ_BUSY, "%s: its schema is older than the log's: %s", b->name, why);
    snprintf(text, sizeof text, "rows that are not published yet, in the log from segment %" PRIu64 " on, are of a schema that can't be read as the one that another program has given it since: %s. Set it back, and open the"
                                " database again", segment, why);
    if (!db->segment_kept || segment < db->segment_kept) db->segment_kept = segment;
    b->unreadable = true;
    int rc = frz__table_freeze(b->t, text, err);
    return rc == FRZ_READ_ONLY ? FRZ_OK : rc;
}

/* *ROW, of B's schema, as NOW has it. */
static int convert(struct replay *r, struct bound_table *b, const frz_schema *now, slice *row, frz_error *err)
{
    if (b->schema->schema_id == now->schema_id && frz__schema_same_rows(b->schema, now)) return FRZ_OK;
    buf_reset(&r->migrated);
    if (b->conv.to != now) TRY(frz__row_conv_init(&b->conv, r->db->a, b->schema, now, ROW_WRITTEN, err));
    TRY(frz__row_conv(&b->conv, *row, &r->migrated, err));
    *row = buf_slice(&r->migrated);
    return FRZ_OK;
}

/* An archived log has the times of its writes. Else the last of a segment's was when its file was written: the others are older. On the monotonic clock, below 0 where that was begun later. */
static int64_t written_ns(struct replay *r, uint64_t segment, uint64_t base_seq)
{
    char path[PATH_BYTES];
    struct fs_stat st;
    frz_error ignored;
    int64_t now = frz__clock_mono_ns(), wall_us = frz__clock_wall_us();
    if (r->dated != segment) {
        r->dated = segment;
        r->written_us = wall_us;
        if (frz__path(path, &ignored, ".frazil/wal/%09" PRIu64 ".wal", segment) >= 0 && frz__fs_stat(r->db->fs, path, &st, &ignored) == FRZ_OK) r->written_us = st.mtime_us;
    }
    int64_t us = r->moment_seq == base_seq && r->moment_us > 0 ? r->moment_us : r->written_us;
    return us > 0 && us < wall_us ? now - (wall_us - us) * 1000 : now;
}

static int add_row(struct replay *r, struct bound_table *b, uint64_t segment, uint64_t base_seq, uint64_t seq, const struct op *op, frz_error *err)
{
    struct table *t = b->t;
    struct db *db = r->db;
    slice row = op->row;
    frz_schema *now = atomic_load(&t->view)->schema;
    if (b->unreadable || atomic_load(&t->is_frozen)) return FRZ_OK; /* nor those behind them: a prefix of the writes is there */
    if (!frz__schema_same_key(b->schema, now)) return give_up_rows(r, b, segment, "its primary key is another", err);
    if (op->kind == OP_PUT) {
        frz_error why;
        TRY(frz__row_check(b->schema, row, err));
        int rc = convert(r, b, now, &row, &why);
        if (rc == FRZ_INVALID) return give_up_rows(r, b, segment, why.message, err);
        if (rc < 0) return frz__err(err, rc, "%s", why.message);
    }
    if (mem_versions(t->active) && mem_used(t->active) >= db->set.memtable_bytes) {
        db->seq_next = seq;
        TRY(frz__rotate(t, NULL, err));
    }
    if (mem_versions(t->active) == 0) {
        t->active->log_segment = segment;
        atomic_store(&t->active->since_ns, written_ns(r, segment, base_seq));
    }
    TRY(frz__mem_add(t->active, seq, op->kind, op->key, row, err));
    frz__flow_count(t);
    atomic_store(&t->dirty_since_ns, frz__clock_mono_ns());
    return FRZ_OK;
}

/* An operation on a table whose directory is not there. Whether it was dropped, a later record tells. */
static int note_lost(struct replay *r, const struct bound_table *b, uint64_t segment, uint64_t seq, frz_error *err)
{
    struct lost_table *l = NULL;
    for (size_t i = 0; i < r->lost_count && !l; i++)
        if (memcmp(r->lost[i].uuid, b->uuid, sizeof b->uuid) == 0) l = &r->lost[i];
    if (!l) {
        TRY(frz__grow(r->db->a, (void **)&r->lost, r->lost_count, &r->lost_cap, sizeof *r->lost, err));
        l = &r->lost[r->lost_count++];
        *l = (struct lost_table){.segment = segment};
        memcpy(l->uuid, b->uuid, sizeof l->uuid);
    }
    snprintf(l->name, sizeof l->name, "%s", b->name);
    l->operations++;
    if (b->table_no > l->table_no) l->table_no = b->table_no;
    l->last = seq;
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
        if (!b->t) {
            TRY(note_lost(r, b, segment, base_seq + i, err));
            continue;
        }
        if (table_is_broken(b->t)) {
            if (!r->db->segment_kept) r->db->segment_kept = segment; /* until the table can be opened again */
            continue;
        }
        if (base_seq + i <= atomic_load(&b->t->view)->flushed_seq) continue;
        TRY(add_row(r, b, segment, base_seq, base_seq + i, &op, err));
    }
    if (p != end) return frz__err_corrupt(err, "the log's group at sequence %" PRIu64 " has %zu bytes too many", base_seq, (size_t)(end - p));
    r->groups++;
    r->bytes += bytes.len;
    return FRZ_OK;
}

static int on_moment(void *ctx, uint64_t base_seq, int64_t time_us, const uint8_t *counts, uint32_t n, frz_error *err)
{
    struct replay *r = (struct replay *)ctx;
    (void)counts, (void)n, (void)err;
    r->moment_seq = base_seq;
    r->moment_us = time_us;
    return FRZ_OK;
}

static int on_drop(void *ctx, uint64_t table_no, frz_error *err)
{
    struct replay *r = (struct replay *)ctx;
    struct bound_table *b = find_bound(r, table_no);
    if (!b) return FRZ_OK;
    if (b->t) forget_line(b->t, b->uuid);
    if (b->t && b->t->uuid[0]) atomic_store(&b->t->dropped, true); /* one known by its name alone may be a later table of that name: it stays */
    b->t = NULL;
    for (size_t i = 0; i < r->lost_count; i++) /* it was not lost */
        if (memcmp(r->lost[i].uuid, b->uuid, sizeof b->uuid) == 0) r->lost[i] = r->lost[--r->lost_count];
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

static bool is_behind(struct table *t) { return !table_is_broken(t) && atomic_load(&t->view)->flushed_seq + 1 < t->low_water; }

bool frz__recover_is_behind(const struct db *db)
{
    bool any = false;
    for (size_t i = 0; i < db->table_count; i++) any = any || is_behind(db->tables[i]);
    return any;
}

int frz__recover_tell_behind(struct db *db, const struct wal_report *report, frz_error *err)
{
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        if (!is_behind(t)) continue;
        uint64_t have = atomic_load(&t->view)->flushed_seq;
        if (report->seq_first <= have + 1) {
            frz__log(&db->log, FRZ_LOG_WARN, "%s: its metadata has it up to sequence %" PRIu64 ", and up to %" PRIu64 " was published once: it is an older copy. The log still has the rows between: they are back",
                     t->name, have, t->low_water - 1);
            continue;
        }
        struct buf text = BUF_INIT(t->a, 0);
        int rc = frz__buf_printf(&text, err,
                                 "rows are missing: its metadata has it up to sequence %" PRIu64 ", and up to %" PRIu64 " was published once: it is an older copy. Of the rows between, the log has those from %" PRIu64
                                 " on; the others are neither there nor in its files",
                                 have, t->low_water - 1, report->seq_first);
        if (rc >= 0) rc = buf_append_byte(&text, 0, err);
        if (rc < 0) {
            buf_clear(&text);
            return rc;
        }
        frz__free(t->a, t->lost_rows);
        t->lost_rows = (char *)text.data;
        frz__log(&db->log, FRZ_LOG_ERROR, "%s: %s", t->name, t->lost_rows);
        frz__event(db, t, FRZ_EVENT_ROWS_LOST, &(struct event_info){.status = FRZ_CORRUPT, .reason = "older-copy", .message = t->lost_rows});
    }
    return FRZ_OK;
}

/* Tables that are gone without a drop in the log: someone removed them, or they are not mounted. Their rows are put aside; where that fails, the log is kept. */
static void keep_lost(struct db *db, const struct lost_table *lost, size_t count)
{
    frz_error why = {0};
    if (count == 0) return;
    int rc = db->set.read_only ? FRZ_OK : frz__lost_keep(db, lost, count, &why);
    for (size_t i = 0; i < count; i++) {
        const struct lost_table *l = &lost[i];
        char dir[LOST_DIR_BYTES];
        frz__lost_dir(db, l, dir);
        if (rc < 0 && (!db->segment_kept || l->segment < db->segment_kept)) db->segment_kept = l->segment;
        frz__log(&db->log, FRZ_LOG_WARN, "the log holds %" PRIu64 " operations on table %s, which is gone without having been dropped: %s%s%s", l->operations, l->name,
                 db->set.read_only ? "the next writer puts them aside" : rc < 0 ? "they stay in the log, which grows: " : "they are kept in ", db->set.read_only ? "" : rc < 0 ? why.message : dir,
                 db->set.read_only || rc < 0 ? "" : ", a log of its own");
        frz__event(db, NULL, FRZ_EVENT_ROWS_LOST, &(struct event_info){.status = rc < 0 ? rc : FRZ_OK, .rows_in = l->operations, .reason = "table-gone", .message = l->name});
    }
}

/* Of the tables that the log has rows of and that are not there: the highest number. */
static uint64_t highest_gone(const struct replay *r)
{
    uint64_t number = 0;
    for (size_t i = 0; i < r->lost_count; i++)
        if (r->lost[i].table_no > number) number = r->lost[i].table_no;
    return number;
}

int frz__recover_log(struct db *db, struct wal_report *known, uint64_t *strange, frz_error *err)
{
    struct replay r = {.db = db, .migrated = BUF_INIT(db->a, 0), .last_look = *strange == UINT64_MAX};
    const struct wal_visitor v = {&r, on_table, on_group, on_drop, on_moment};
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
        if (rc >= 0 && report.time_us > atomic_load(&db->log_time_us)) atomic_store(&db->log_time_us, report.time_us);
        if (rc >= 0 && report.seq_last > last) last = report.seq_last;
        if (rc >= 0 && report.tail_cut) {
            frz__event(db, NULL, FRZ_EVENT_LOG_TROUBLE, &(struct event_info){.bytes_in = report.tail_bytes_dropped, .reason = "tail-cut", .message = "bytes that were never acknowledged as durable are cut"});
            frz__log(&db->log, FRZ_LOG_WARN, "the log ends in segment %" PRIu64 " at %" PRIu64 ": %" PRIu64 " bytes behind it were never acknowledged as durable, and are cut", report.tail_segment,
                     report.tail_offset, report.tail_bytes_dropped);
        }
    }
    uint64_t gone = highest_gone(&r);
    bool tell = gone <= *strange;
    *strange = tell ? 0 : gone;
    for (size_t i = 0; i < r.count; i++) {
        frz__row_conv_clear(&r.bound[i].conv);
        frz__schema_release(r.bound[i].schema);
    }
    if (rc >= 0 && tell) keep_lost(db, r.lost, r.lost_count);
    atomic_store(&db->seq_visible, last);
    atomic_store(&db->seq_synced, last);
    db->seq_next = last + 1;
    stat_add(&db->recovered_batches, r.groups);
    stat_add(&db->recovered_bytes, r.bytes);
    frz__free(db->a, r.bound);
    frz__free(db->a, r.lost);
    buf_clear(&r.migrated);
    return rc < 0 ? rc : finish_drops(db, err);
}
