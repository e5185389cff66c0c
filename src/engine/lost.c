/* lost.c — rows that the log has of tables that are gone without having been dropped (hazards 24): before the log forgets them they are copied to .frazil/lost-<table>-<log>/, in the log's own format: the table's
 * dictionary lines, and its operations under their sequences. */
#include "engine/recover.h"

#include <stdio.h>

#include "types/batch.h"

struct keeper {
    struct db *db;
    const struct lost_table *lost;
    uint64_t table_no; /* that it has at this place of the log; 0 = none yet */
    uint64_t kept;     /* by an earlier open: up to this sequence */
    struct wal_report report;
    struct wal *to;
};

void frz__lost_dir(const struct db *db, const struct lost_table *l, char out[LOST_DIR_BYTES])
{
    char uuid[37];
    frz__uuid_format(l->uuid, uuid);
    snprintf(out, LOST_DIR_BYTES, ".frazil/lost-%s-%.8s", uuid, db->log_uuid_text);
}

static int on_table(void *ctx, const struct wal_table *line, frz_error *err)
{
    struct keeper *k = (struct keeper *)ctx;
    char dir[LOST_DIR_BYTES];
    if (memcmp(line->uuid, k->lost->uuid, sizeof line->uuid) != 0) {
        if (line->table_no == k->table_no) k->table_no = 0; /* another's now */
        return FRZ_OK;
    }
    k->table_no = line->table_no;
    if (k->to) return frz__wal_add_table(k->to, line, err);
    frz__lost_dir(k->db, k->lost, dir);
    struct wal_options o = {.a = k->db->a, .log = &k->db->log, .dir = dir, .writer_epoch = k->db->epoch, .segment_bytes = (uint64_t)64 << 10};
    memcpy(o.log_uuid, k->db->log_uuid, sizeof o.log_uuid);
    return frz__wal_open(k->db->fs, &o, &k->report, k->kept + 1, line, 1, &k->to, err);
}

static int on_group(void *ctx, uint64_t segment, uint64_t base_seq, uint32_t ops, slice bytes, frz_error *err)
{
    struct keeper *k = (struct keeper *)ctx;
    const uint8_t *p = bytes.data, *end = p + bytes.len;
    (void)segment;
    for (uint32_t i = 0; i < ops; i++) {
        struct op op;
        uint64_t to = 0;
        const uint8_t *from = p;
        int rc = frz__batch_next(&p, end, &op, err);
        if (rc != FRZ_OK) return rc < 0 ? rc : frz__err_corrupt(err, "the log's group at sequence %" PRIu64 " is too short", base_seq);
        slice one = slice_of(from, (size_t)(p - from));
        if (op.table_no == k->table_no && k->to && base_seq + i > k->kept) TRY(frz__wal_append(k->to, base_seq + i, 1, &one, 1, &to, err));
    }
    return FRZ_OK;
}

static int keep_one(struct db *db, const struct lost_table *lost, frz_error *err)
{
    struct keeper k = {.db = db, .lost = lost};
    const struct wal_visitor v = {&k, on_table, on_group, NULL};
    struct wal_report ignored;
    char dir[LOST_DIR_BYTES];
    frz__lost_dir(db, lost, dir);
    TRY(frz__wal_read(db->a, NULL, db->fs, dir, NULL, &k.report, err));
    k.kept = k.report.seq_last;
    if (k.kept >= lost->last) return FRZ_OK;
    int rc = frz__wal_read(db->a, NULL, db->fs, ".frazil/wal", &v, &ignored, err);
    if (rc >= 0 && k.to) rc = frz__wal_sync(k.to, err);
    return frz__first(rc, frz__wal_close(k.to, rc < 0 ? NULL : err));
}

int frz__lost_keep(struct db *db, const struct lost_table *lost, size_t count, frz_error *err)
{
    for (size_t i = 0; i < count; i++) TRY(keep_one(db, &lost[i], err));
    return FRZ_OK;
}
