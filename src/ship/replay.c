#include "ship/replay.h"

#include <stdio.h>

#include "engine/write.h"
#include "types/row_conv.h"

#define WRITE_BYTES ((size_t)1 << 20)

/* A table as the log knows it. */
struct known {
    uint8_t uuid[16];
    uint64_t table_no;  /* that it has at this place of the log; 0 = none */
    frz_schema *schema; /* that its rows are written under */
    bool changed;  /* … and it was another before: the table follows */
    bool followed; /* the table has it, or has a newer one: */
    frz_schema *now; /* counted; the table's as it was followed */
    bool same;       /* their rows are the same bytes */
    char name[208];
    struct table *t; /* counted; NULL = not there yet, or dropped */
    bool wanted;     /* it is to be made, if it is not dropped before the end */
};
struct player {
    struct db *db;
    const struct backup_manifest *m;
    const struct restore_request *r;
    struct restore_result *out;
    struct known *at;
    size_t count, cap;
    struct write_batch *batch;
    struct buf row;
    int64_t time_us;    /* of the group at hand */
    uint64_t counts_of; /* the group that `counts` is about */
    struct buf counts;  /* u32 × n: operations of its batches */
    bool stopped;       /* the point is reached: the visitor said FRZ_CANCELLED */
};

/* ── tables ── */

static struct known *by_number(struct player *p, uint64_t table_no)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->at[i].table_no == table_no) return &p->at[i];
    return NULL;
}

static struct known *by_uuid(struct player *p, const uint8_t uuid[16])
{
    for (size_t i = 0; i < p->count; i++)
        if (memcmp(p->at[i].uuid, uuid, 16) == 0) return &p->at[i];
    return NULL;
}

/* The restored table of K's uuid, if the backup had it. */
static struct table *in_backup(struct player *p, const struct known *k)
{
    char uuid[37];
    frz__uuid_format(k->uuid, uuid);
    for (size_t i = 0; i < p->db->table_count; i++)
        if (strcmp(p->db->tables[i]->uuid, uuid) == 0) return frz__table_acquire(p->db->tables[i]);
    return NULL;
}

static int on_table(void *ctx, const struct wal_table *line, frz_error *err)
{
    struct player *p = (struct player *)ctx;
    struct known *other = by_number(p, line->table_no), *k = by_uuid(p, line->uuid);
    struct json *j = NULL;
    frz_schema *schema = NULL;
    int rc = frz__json_parse(line->schema_json, &j, err);
    if (rc >= 0) rc = frz__schema_from_json(p->db->a, j, &schema, err);
    frz__json_free(j);
    if (rc < 0) {
        frz__err_context(err, "the archived log's schema of table %.*s", (int)line->name.len, line->name.data);
        return rc;
    }
    if (!k) {
        rc = frz__grow(p->db->a, (void **)&p->at, p->count, &p->cap, sizeof *p->at, err);
        if (rc < 0) {
            frz__schema_release(schema);
            return rc;
        }
        k = &p->at[p->count++];
        *k = (struct known){0};
        memcpy(k->uuid, line->uuid, sizeof k->uuid);
        k->t = in_backup(p, k);
        k->wanted = !k->t;
    } else if (other && other != k) {
        other->table_no = 0; /* the next process gives numbers anew */
    }
    if (k->schema && !frz__schema_same(k->schema, schema)) k->changed = true;
    frz__schema_release(k->schema);
    k->schema = schema;
    k->followed = false;
    k->table_no = line->table_no;
    snprintf(k->name, sizeof k->name, "%.*s", (int)line->name.len, line->name.data);
    return FRZ_OK;
}

static void note_schema(struct known *k)
{
    frz__schema_release(k->now);
    k->now = frz__table_schema(k->t);
    k->same = k->schema->schema_id == k->now->schema_id && frz__schema_same_rows(k->schema, k->now);
    k->followed = true;
}

/* A table that was created after the backup: with its columns and key; what else it was given is not in the log. */
static int make_table(struct player *p, struct known *k, frz_error *err)
{
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    o.format_version = frz__schema_check_format(k->schema, 2, NULL) < 0 ? 3 : 2;
    int rc = frz__table_create(p->db, k->name, k->schema, &o, &k->t, err);
    if (rc == FRZ_EXISTS) rc = frz__err(err, FRZ_CORRUPT, "the archived log has a table %s that is another one than the backup's", k->name);
    k->wanted = false;
    if (rc == FRZ_OK) note_schema(k);
    return rc;
}

static int write_out(struct player *p, size_t least, frz_error *err)
{
    if (p->batch->count == 0 || p->batch->bytes.len < least) return FRZ_OK;
    int rc = frz__write(p->db, p->batch, FRZ_SYNC_OFF, -1, NULL, err);
    frz__write_batch_reset(p->batch);
    return rc == FRZ_NOT_FOUND ? frz__err(err, FRZ_BUG, "a table that is replayed into was dropped") : rc;
}

/* The restored table gets the schema that the log's has. */
static int follow(struct player *p, struct known *k, frz_error *err)
{
    note_schema(k);
    if (frz__schema_same(k->now, k->schema) || (!k->changed && k->schema->schema_id <= k->now->schema_id)) return FRZ_OK;
    TRY(write_out(p, 0, err)); /* those are of the older one */
    if (atomic_load(&k->t->format_version) < 3 && frz__schema_check_format(k->schema, 2, NULL) < 0) TRY(frz__table_upgrade(k->t, 3, err));
    int rc = frz__alter_to(k->t, k->schema, err);
    if (rc >= 0) note_schema(k);
    else
        frz__err_context(err, "the columns of table %s were changed after sequence %" PRIu64 ", and can't be here", k->name,
                         p->out->sequence);
    return rc;
}

static int on_drop(void *ctx, uint64_t table_no, frz_error *err)
{
    struct player *p = (struct player *)ctx;
    struct known *k = by_number(p, table_no);
    if (!k) return FRZ_OK;
    k->wanted = false;
    if (!k->t) return FRZ_OK;
    TRY(write_out(p, 0, err));
    int rc = frz__table_drop(p->db, k->name, err);
    frz__table_release(k->t);
    k->t = NULL;
    return rc < 0 ? rc : FRZ_OK;
}

/* ── operations ── */

static int on_moment(void *ctx, uint64_t base_seq, int64_t time_us, const uint8_t *counts, uint32_t n, frz_error *err)
{
    struct player *p = (struct player *)ctx;
    p->time_us = time_us;
    p->counts_of = base_seq;
    buf_reset(&p->counts);
    TRY(buf_append(&p->counts, counts, (size_t)n * 4, err));
    if (!p->r->to_time_us || time_us <= p->r->to_time_us) return FRZ_OK;
    p->stopped = true;
    return frz__err(err, FRZ_CANCELLED, "the point is reached");
}

static int play_op(struct player *p, uint64_t seq, const struct op *op, frz_error *err)
{
    struct known *k = by_number(p, op->table_no);
    if (!k)
        return frz__err_corrupt(err, "the archived log's operation %" PRIu64 " is for table number %" PRIu64 ", which its dictionary lacks",
                                seq, op->table_no);
    if (!k->t && k->wanted) TRY(make_table(p, k, err));
    if (!k->t) return FRZ_OK; /* dropped, or gone without having been */
    if (!k->followed) TRY(follow(p, k, err));
    slice row = op->row;
    if (op->kind == OP_PUT) TRY(frz__row_check(k->schema, row, err));
    if (op->kind == OP_PUT && !k->same) {
        buf_reset(&p->row);
        TRY(frz__row_migrate(k->schema, row, k->now, &p->row, err));
        row = buf_slice(&p->row);
    }
    p->out->replayed++;
    return frz__write_batch_op(p->batch, k->t, k->now, op->kind, op->key, row, err);
}

/* Operations of the batch that begins at SEQ, of LEFT that the group still has. */
static uint32_t batch_ops(const struct player *p, size_t i, uint32_t left)
{
    uint32_t n = i < p->counts.len / 4 ? load_u32(p->counts.data + 4 * i) : left;
    return n == 0 || n > left ? left : n;
}

static int on_group(void *ctx, uint64_t segment, uint64_t base_seq, uint32_t ops, slice bytes, frz_error *err)
{
    struct player *p = (struct player *)ctx;
    const uint8_t *at = bytes.data, *end = at + bytes.len;
    uint64_t seq = base_seq, last = base_seq + ops - 1;
    (void)segment;
    if (p->counts_of != base_seq) buf_reset(&p->counts);
    for (size_t i = 0; seq <= last; i++) {
        uint32_t n = batch_ops(p, i, (uint32_t)(last - seq + 1));
        if (p->r->to_seq && seq + n - 1 > p->r->to_seq) {
            p->stopped = true;
            return frz__err(err, FRZ_CANCELLED, "the point is reached");
        }
        for (uint32_t k = 0; k < n; k++, seq++) {
            struct op op;
            int rc = frz__batch_next(&at, end, &op, err);
            if (rc == FRZ_DONE) return frz__err_corrupt(err, "the archived log's group at sequence %" PRIu64 " is cut", base_seq);
            TRY(rc);
            if (seq > p->m->sequence) TRY(play_op(p, seq, &op, err));
        }
        if (seq - 1 > p->m->sequence) {
            p->out->sequence = seq - 1;
            if (p->time_us) p->out->time_us = p->time_us;
        }
    }
    TRY(write_out(p, WRITE_BYTES, err));
    if (!p->r->to_seq || last < p->r->to_seq) return FRZ_OK;
    p->stopped = true;
    return frz__err(err, FRZ_CANCELLED, "the point is reached");
}

/* ── the whole ── */

/* Where it is whole, and yet not what was asked for. */
static int too_short(const struct player *p, const struct fs *archive, uint64_t lacks, frz_error *err)
{
    const struct restore_request *r = p->r;
    if (lacks == 0) {
        if (r->to_end) return FRZ_OK;
        return frz__err(err, FRZ_NOT_FOUND,
                        "%s ends with sequence %" PRIu64 ", before what is asked for (`--to end`, in the API to_end, takes what there is)", archive->root,
                        p->out->sequence);
    }
    return frz__err_corrupt(err, "%s/%s: segment %09" PRIu64 ".wal is missing, cut or damaged: there is nothing behind sequence %" PRIu64,
                            archive->root, p->m->log_uuid, lacks, p->out->sequence);
}

/* What no row came of. */
static int settle_tables(struct player *p, frz_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        struct known *k = &p->at[i];
        if (k->wanted && k->table_no) TRY(make_table(p, k, err));
        if (k->t && k->table_no && !k->followed) TRY(follow(p, k, err));
    }
    return FRZ_OK;
}

static int play(struct player *p, struct fs *archive, frz_error *err)
{
    const struct wal_visitor v = {.ctx = p, .table = on_table, .group = on_group, .drop = on_drop, .moment = on_moment};
    struct wal_report report;
    uint64_t lacks = 0;
    int rc = frz__wal_read_archive(p->db->a, NULL, archive, p->m->log_uuid, p->m->sequence + 1, &v, &report, &lacks, err);
    if (rc == FRZ_CANCELLED && p->stopped) {
        frz__err_clear(err);
        rc = FRZ_OK;
    }
    TRY(rc);
    if (!p->stopped && !report.found) return frz__err(err, FRZ_NOT_FOUND, "%s has nothing of the log %s", archive->root, p->m->log_uuid);
    if (!p->stopped) rc = too_short(p, archive, lacks, err);
    if (rc != FRZ_OK) return rc;
    TRY(write_out(p, 0, err));
    return settle_tables(p, err);
}

int frz__replay(struct db *db, const struct backup_manifest *m, const struct restore_request *r, struct restore_result *out, frz_error *err)
{
    struct player p = {.db = db, .m = m, .r = r, .out = out, .row = BUF_INIT(db->a, 0), .counts = BUF_INIT(db->a, 0)};
    if (r->to_seq && r->to_seq == m->sequence) return FRZ_OK;
    if (!r->archive)
        return frz__err(err, FRZ_NOT_FOUND,
                        "backup %" PRIu64 " ends with sequence %" PRIu64 ", and its log was not archived, or the archive is not given",
                        m->number, m->sequence);
    int rc = frz__write_batch_take(db, &p.batch, err);
    if (rc >= 0) rc = play(&p, r->archive, err);
    for (size_t i = 0; i < p.count; i++) {
        frz__schema_release(p.at[i].schema);
        frz__schema_release(p.at[i].now);
        frz__table_release(p.at[i].t);
    }
    if (p.batch) frz__write_batch_give(db, p.batch);
    frz__free(db->a, p.at);
    buf_clear(&p.row);
    buf_clear(&p.counts);
    return rc;
}
