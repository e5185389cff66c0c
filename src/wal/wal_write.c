/* wal_write.c — framing, appending, syncing.
 *
 * An append is one write call: of the framed bytes alone, at the record's place; the rest of its block is written by the next one. (Records above FRAME_BYTES_MAX take a write for each such part.)
 * The syncs that make an acknowledged record safe: of each segment not yet synced, oldest first. The directory was synced when the segment got its name, before it had a header: so a missing segment
 * was released, and a log without syncs has no holes. A new segment's header and dictionary need no sync of their own: nothing in it is acknowledged before one of that file, which covers them. */
#include "wal/wal_int.h"

#include "base/failpoint.h"

#define FRAME_BYTES_MAX ((size_t)1 << 20)
#define MOMENT_US 1000

int frz__wal_frame_flush(struct wal_framer *f, frz_error *err)
{
    struct buf *out = &f->w->out;
    if (out->len == 0) return FRZ_OK;
    TRY(frz__file_write(f->file, f->at, out->data, out->len, err));
    f->at += out->len;
    buf_reset(out);
    return FRZ_OK;
}

int frz__wal_frame(struct wal_framer *f, const slice *parts, size_t count, frz_error *err)
{
    struct buf *out = &f->w->out;
    size_t left = 0, part = 0, used = 0;
    for (size_t i = 0; i < count; i++) left += parts[i].len;
    uint64_t offset = wal_framer_end(f), room = WAL_BLOCK - offset % WAL_BLOCK;
    if (room < WAL_START_ROOM) {
        TRY(buf_append_zero(out, (size_t)room, err));
        offset += room;
    }
    f->record = offset;
    for (bool first = true; left > 0; first = false) {
        size_t take = (size_t)(WAL_BLOCK - offset % WAL_BLOCK) - WAL_FRAGMENT_HEAD;
        if (take > left) take = left;
        bool last = take == left;
        TRY(buf_reserve(out, WAL_FRAGMENT_HEAD + take, err));
        uint8_t *head = out->data + out->len, *p = head + WAL_FRAGMENT_HEAD;
        for (size_t need = take; need > 0;) {
            size_t n = parts[part].len - used < need ? parts[part].len - used : need;
            if (n) memcpy(p, parts[part].data + used, n);
            p += n;
            need -= n;
            used += n;
            if (used == parts[part].len) {
                part++;
                used = 0;
            }
        }
        store_u32(head + 4, (uint32_t)take);
        head[8] = (uint8_t)(first ? (last ? WAL_FULL : WAL_FIRST) : (last ? WAL_LAST : WAL_MIDDLE));
        store_u32(head, wal_fragment_crc(f->seed, offset, head, head + WAL_FRAGMENT_HEAD, take));
        out->len += WAL_FRAGMENT_HEAD + take;
        offset += WAL_FRAGMENT_HEAD + take;
        left -= take;
        if (out->len >= FRAME_BYTES_MAX) TRY(frz__wal_frame_flush(f, err));
    }
    return FRZ_OK;
}

int frz__wal_frame_table(struct wal_framer *f, const struct wal_table *t, frz_error *err)
{
    uint8_t head[41], schema_len[4];
    head[0] = WAL_DICTIONARY;
    store_u64(head + 1, t->table_no);
    memcpy(head + 9, t->uuid, 16);
    store_u32(head + 25, (uint32_t)t->schema_id);
    store_u64(head + 29, t->low_water);
    store_u32(head + 37, (uint32_t)t->name.len);
    store_u32(schema_len, (uint32_t)t->schema_json.len);
    return frz__wal_frame(f, (const slice[]){slice_of(head, sizeof head), t->name, slice_of(schema_len, 4), t->schema_json}, 4, err);
}

int frz__wal_frame_time(struct wal_framer *f, int64_t time_us, frz_error *err)
{
    struct wal *w = f->w;
    uint8_t head[WAL_MOMENT_HEAD] = {WAL_MOMENT};
    if (!time_us) return FRZ_OK;
    if (time_us > w->time_us) w->time_us = time_us;
    store_u64(head + 1, w->seq_next);
    store_u64(head + 9, (uint64_t)w->time_us);
    return frz__wal_frame(f, (const slice[]){slice_of(head, sizeof head)}, 1, err);
}

/* The lines are copied out under the lock, one at a time: low waters move. */
int frz__wal_frame_dictionary(struct wal_framer *f, frz_error *err)
{
    struct wal *w = f->w;
    frz__mutex_lock(&w->mu);
    w->lines_stale = false;
    frz__mutex_unlock(&w->mu);
    for (size_t i = 0; i < w->table_count; i++) { /* tables come and go under append_mu */
        frz__mutex_lock(&w->mu);
        struct wal_table t = w->tables[i];
        frz__mutex_unlock(&w->mu);
        TRY(frz__wal_frame_table(f, &t, err));
    }
    return FRZ_OK;
}

/* ── append ── */

/* An upper bound of a record's bytes with heads and padding. */
static uint64_t framed_max(uint64_t bytes) { return bytes + (bytes / (WAL_BLOCK - WAL_FRAGMENT_HEAD) + 2) * WAL_FRAGMENT_HEAD + WAL_START_ROOM; }

/* Room for BYTES in the current segment, or a new one. A record never spans segments: one that is larger than a segment gets an empty one, which grows beyond its reserved size. */
static int make_room(struct wal *w, uint64_t bytes, frz_error *err)
{
    bool full = w->current->end + framed_max(bytes) > w->segment_bytes && w->current->end > w->records_at;
    if (full || w->fresh) TRY(frz__wal_new_segment(w, err));
    if (w->current->end + framed_max(bytes) >= UINT64_C(1) << WAL_OFFSET_BITS) return frz__err(err, FRZ_TOO_LARGE, "a log record of %" PRIu64 " bytes", bytes);
    return FRZ_OK;
}

static struct wal_framer framer(struct wal *w)
{
    buf_reset(&w->out);
    return (struct wal_framer){.w = w, .file = w->current->file, .seed = w->seed, .at = w->current->end, .record = w->current->end};
}

/* Writes what F has framed, and makes it count; or gives the segment up. RC: of the framing. */
static int finish(struct wal *w, struct wal_framer *f, int rc, frz_error *err)
{
    uint64_t begin = w->current->end;
    if (rc >= 0) rc = frz__wal_frame_flush(f, err);
    if (rc < 0) {
        /* The next segment will say that this one ends before the record. Should the process end before there is one: no record begins with zeros. */
        uint8_t zeros[WAL_FRAGMENT_HEAD + WAL_START_ROOM] = {0};
        w->fresh = true;
        if (frz__file_write(f->file, begin, zeros, sizeof zeros, NULL) < 0) frz__log(w->log, FRZ_LOG_DEBUG, "the log's segment %" PRIu64 ": its end can't be marked now", w->current->number);
        frz__err_context(err, "the log's segment %" PRIu64 " is given up at offset %" PRIu64, w->current->number, begin);
    } else {
        frz__mutex_lock(&w->mu);
        w->current->end = f->at;
        w->stats.bytes += f->at - begin;
        frz__mutex_unlock(&w->mu);
    }
    buf_reset(&w->out);
    if (w->out.cap > 2 * FRAME_BYTES_MAX) buf_clear(&w->out);
    return rc;
}

/* When the group at BASE_SEQ is written, and where its batches end: said once a millisecond, and of each group of several. */
static int frame_moment(struct wal *w, struct wal_framer *f, uint64_t base_seq, const uint32_t *batch_ops, size_t batches, int64_t time_us, frz_error *err)
{
    uint8_t head[WAL_MOMENT_HEAD] = {WAL_MOMENT};
    struct buf counts = BUF_INIT(w->a, 0);
    int rc = FRZ_OK;
    if (time_us < w->time_us) time_us = w->time_us;
    if (batches <= 1 && w->time_segment == w->current->number && time_us - w->time_us < MOMENT_US) return FRZ_OK;
    if (batches <= 1) batches = 0;
    store_u64(head + 1, base_seq);
    store_u64(head + 9, (uint64_t)time_us);
    store_u32(head + 17, (uint32_t)batches);
    for (size_t i = 0; i < batches; i++) {
        uint8_t n[4];
        store_u32(n, batch_ops[i]);
        CHECK(buf_append(&counts, n, sizeof n, err));
    }
    CHECK(frz__wal_frame(f, (const slice[]){slice_of(head, sizeof head), buf_slice(&counts)}, 2, err));
    w->time_us = time_us;
    w->time_segment = w->current->number;
done:
    buf_clear(&counts);
    return rc;
}

int frz__wal_append(struct wal *w, uint64_t base_seq, uint32_t op_count, const slice *ops, size_t slices, uint64_t *segment, frz_error *err)
{
    return frz__wal_append_at(w, base_seq, op_count, ops, slices, NULL, 0, segment, err);
}

int frz__wal_append_at(struct wal *w, uint64_t base_seq, uint32_t op_count, const slice *ops, size_t slices, const uint32_t *batch_ops, int64_t time_us, uint64_t *segment, frz_error *err)
{
    slice few[16], *parts = few;
    uint64_t bytes = WAL_GROUP_HEAD + (batch_ops ? framed_max(WAL_MOMENT_HEAD + 4 * slices) : 0);
    int rc = FRZ_OK;
    FRZ_ASSERT(op_count > 0);
    if (slices + 1 > FRZ_ARRAY_LEN(few)) {
        parts = (slice *)frz__alloc_array(w->a, slices + 1, sizeof *parts);
        if (!parts) return frz__err_no_memory(err, (slices + 1) * sizeof *parts);
    }
    for (size_t i = 0; i < slices; i++) {
        parts[i + 1] = ops[i];
        bytes += ops[i].len;
    }
    frz__mutex_lock(&w->append_mu);
    if (base_seq < w->seq_next) {
        /* Sequences are assigned again only where a failed sync left them in doubt and they were refused. */
        frz__mutex_lock(&w->mu);
        bool doubt = false;
        for (size_t i = 0; i < w->count; i++) doubt = doubt || (w->segments[i]->failed && !w->segments[i]->void_);
        frz__mutex_unlock(&w->mu);
        if (doubt && base_seq < w->refused) w->refused = base_seq;
        if (!doubt) {
            rc = frz__err(err, FRZ_BUG, "log: sequence %" PRIu64 " was assigned before: %" PRIu64 " is next", base_seq, w->seq_next);
            goto done;
        }
    }
    CHECK(make_room(w, bytes, err));
    if (base_seq < w->seq_next) {
        rc = frz__err(err, FRZ_BUG, "log: sequence %" PRIu64 " is on stable storage already: %" PRIu64 " is next", base_seq, w->seq_next);
        goto done;
    }
    struct wal_framer f = framer(w);
    if (base_seq > w->seq_next) { /* those between were refused after they were assigned */
        uint8_t skip[17] = {WAL_SKIP};
        store_u64(skip + 1, w->seq_next);
        store_u64(skip + 9, base_seq - 1);
        rc = frz__wal_frame(&f, (const slice[]){slice_of(skip, sizeof skip)}, 1, err);
    }
    if (rc >= 0 && batch_ops) rc = frame_moment(w, &f, base_seq, batch_ops, slices, time_us, err);
    uint8_t head[WAL_GROUP_HEAD] = {WAL_GROUP};
    store_u64(head + 1, base_seq);
    store_u32(head + 9, op_count);
    frz__mutex_lock(&w->mu);
    store_u64(head + 13, w->durable);
    frz__mutex_unlock(&w->mu);
    parts[0] = slice_of(head, sizeof head);
    if (rc >= 0) rc = frz__wal_frame(&f, parts, slices + 1, err);
    CHECK(finish(w, &f, rc, err));
    w->seq_next = base_seq + op_count;
    *segment = w->current->number;
done:
    frz__mutex_unlock(&w->append_mu);
    if (parts != few) frz__free(w->a, parts);
    return rc;
}

static size_t table_index_locked(const struct wal *w, uint64_t table_no)
{
    size_t i = 0;
    while (i < w->table_count && w->tables[i].table_no != table_no) i++;
    return i;
}

static void table_clear(const struct wal *w, struct wal_table *t)
{
    frz__free(w->a, (void *)(uintptr_t)t->name.data);
    frz__free(w->a, (void *)(uintptr_t)t->schema_json.data);
}

int frz__wal_append_drop(struct wal *w, uint64_t table_no, int64_t time_us, frz_error *err)
{
    uint8_t record[9] = {WAL_DROP};
    int rc = FRZ_OK;
    store_u64(record + 1, table_no);
    frz__mutex_lock(&w->append_mu);
    CHECK(make_room(w, sizeof record + framed_max(WAL_MOMENT_HEAD), err));
    struct wal_framer f = framer(w);
    rc = frz__wal_frame_time(&f, time_us, err);
    if (rc >= 0) rc = frz__wal_frame(&f, (const slice[]){slice_of(record, sizeof record)}, 1, err);
    CHECK(finish(w, &f, rc, err));
    frz__mutex_lock(&w->mu);
    size_t i = table_index_locked(w, table_no);
    if (i < w->table_count) {
        table_clear(w, &w->tables[i]);
        w->tables[i] = w->tables[--w->table_count];
    }
    frz__mutex_unlock(&w->mu);
done:
    frz__mutex_unlock(&w->append_mu);
    return rc;
}

static int table_copy(const struct wal *w, const struct wal_table *t, struct wal_table *out, frz_error *err)
{
    *out = *t;
    out->name = slice_of(frz__strndup(w->a, (const char *)t->name.data, t->name.len), t->name.len);
    out->schema_json = slice_of(frz__strndup(w->a, (const char *)t->schema_json.data, t->schema_json.len), t->schema_json.len);
    if (out->name.data && out->schema_json.data) return FRZ_OK;
    table_clear(w, out);
    return frz__err_no_memory(err, t->name.len + t->schema_json.len);
}

int frz__wal_table_add(struct wal *w, const struct wal_table *t, bool append, int64_t time_us, frz_error *err)
{
    struct wal_table copy = {0};
    int rc = FRZ_OK;
    if (t->name.len > UINT32_MAX || t->schema_json.len > UINT32_MAX) return frz__err(err, FRZ_TOO_LARGE, "log: a table's name or schema of 4 GiB or more");
    TRY(table_copy(w, t, &copy, err));
    frz__mutex_lock(&w->append_mu);
    frz__mutex_lock(&w->mu);
    rc = frz__grow(w->a, (void **)&w->tables, w->table_count, &w->table_cap, sizeof *w->tables, err);
    frz__mutex_unlock(&w->mu);
    CHECK(rc);
    if (append) {
        CHECK(make_room(w, 45 + t->name.len + t->schema_json.len + framed_max(WAL_MOMENT_HEAD), err));
        struct wal_framer f = framer(w);
        rc = frz__wal_frame_time(&f, time_us, err);
        if (rc >= 0) rc = frz__wal_frame_table(&f, t, err);
        CHECK(finish(w, &f, rc, err));
    }
    frz__mutex_lock(&w->mu);
    size_t i = table_index_locked(w, t->table_no);
    if (i < w->table_count) table_clear(w, &w->tables[i]);
    else w->table_count++;
    w->tables[i] = copy;
    frz__mutex_unlock(&w->mu);
    copy = (struct wal_table){0};
done:
    frz__mutex_unlock(&w->append_mu);
    table_clear(w, &copy);
    return rc;
}

int frz__wal_add_table(struct wal *w, const struct wal_table *t, frz_error *err) { return frz__wal_table_add(w, t, true, 0, err); }
int frz__wal_add_table_at(struct wal *w, const struct wal_table *t, int64_t time_us, frz_error *err) { return frz__wal_table_add(w, t, true, time_us, err); }

void frz__wal_set_low_water(struct wal *w, uint64_t table_no, uint64_t low_water)
{
    frz__mutex_lock(&w->mu);
    size_t i = table_index_locked(w, table_no);
    if (i < w->table_count && low_water > w->tables[i].low_water) {
        w->tables[i].low_water = low_water;
        w->lines_stale = true;
    }
    frz__mutex_unlock(&w->mu);
}

static bool lines_stale(struct wal *w)
{
    frz__mutex_lock(&w->mu);
    bool stale = w->lines_stale;
    frz__mutex_unlock(&w->mu);
    return stale;
}

int frz__wal_renew_lines(struct wal *w, frz_error *err)
{
    uint64_t bytes = 0;
    int rc = FRZ_OK;
    frz__mutex_lock(&w->append_mu);
    for (size_t i = 0; i < w->table_count; i++) bytes += framed_max(45 + w->tables[i].name.len + w->tables[i].schema_json.len);
    if (lines_stale(w)) CHECK(make_room(w, bytes, err));
    if (!lines_stale(w)) goto done; /* a new segment begins with them */
    struct wal_framer f = framer(w);
    rc = frz__wal_frame_dictionary(&f, err);
    rc = finish(w, &f, rc, err);
done:
    if (rc < 0) { /* what was framed is not in the log */
        frz__mutex_lock(&w->mu);
        w->lines_stale = true;
        frz__mutex_unlock(&w->mu);
    }
    frz__mutex_unlock(&w->append_mu);
    return rc;
}

int frz__wal_tell_tables(struct wal *w, frz_error *err)
{
    frz__mutex_lock(&w->mu);
    w->lines_stale = true;
    frz__mutex_unlock(&w->mu);
    return frz__wal_renew_lines(w, err);
}

/* ── sync ── */

void frz__wal_update_durable_locked(struct wal *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct wal_segment *s = w->segments[i];
        if (s->void_) continue;
        if (s->synced && wal_position(s->number, s->synced) > w->durable) w->durable = wal_position(s->number, s->synced);
        if (s->synced < s->end) break;
    }
}

/* The oldest segment with bytes to be synced, pinned; NULL = none. *DOUBT: a failed one is before it. */
static struct wal_segment *next_unsynced(struct wal *w, uint64_t *upto, bool *doubt)
{
    struct wal_segment *found = NULL;
    *doubt = false;
    frz__mutex_lock(&w->mu);
    for (size_t i = 0; i < w->count && !found && !*doubt; i++) {
        struct wal_segment *s = w->segments[i];
        if (s->void_ || s->synced >= s->end) continue;
        if (s->failed) *doubt = true;
        else found = s;
    }
    if (found) {
        found->pins++;
        *upto = found->end;
    }
    frz__mutex_unlock(&w->mu);
    return found;
}

static int sync_segment(struct wal *w, struct wal_segment *s, uint64_t upto, frz_error *err)
{
    int rc = frz__file_sync(s->file, SYNC_LOG_SEGMENT, err);
    struct file *done = NULL;
    frz__mutex_lock(&w->mu);
    s->pins--;
    bool lost = rc >= 0 && s->failed; /* another sync of it failed beside this one: nothing is known */
    if (rc >= 0 && !lost) {
        if (upto > s->synced) s->synced = upto;
        frz__wal_update_durable_locked(w);
        if (s != w->current && s->synced >= s->end && s->pins == 0) {
            done = s->file;
            s->file = NULL;
        }
    } else {
        s->failed = true;
    }
    frz__mutex_unlock(&w->mu);
    if (lost) rc = frz__err(err, FRZ_IO, "another sync failed");
    if (rc < 0) frz__err_context(err, "the log's segment %" PRIu64 " is given up: a failed sync is never repeated", s->number);
    return frz__first(rc, frz__file_close(done, err));
}

/* HEAL: what an earlier call left in doubt is written again; else FRZ_DONE says that there is some. */
static int sync_all(struct wal *w, bool heal, frz_error *err)
{
    bool did = false;
    int rc = FRZ_OK;
    FAILPOINT_VOID("wal.sync");
    for (;;) {
        uint64_t upto = 0;
        bool doubt = false;
        struct wal_segment *s = next_unsynced(w, &upto, &doubt);
        if (doubt && !heal) {
            rc = FRZ_DONE;
            break;
        }
        if (doubt) {
            frz__mutex_lock(&w->append_mu);
            w->fresh = true;
            rc = frz__wal_new_segment(w, err);
            frz__mutex_unlock(&w->append_mu);
            TRY(rc);
            continue;
        }
        if (!s) break;
        did = true;
        rc = sync_segment(w, s, upto, err);
        if (rc < 0) break;
        bool current;
        frz__mutex_lock(&w->mu);
        current = s == w->current;
        frz__mutex_unlock(&w->mu);
        if (current) break; /* what was appended meanwhile is the next sync's */
    }
    frz__mutex_lock(&w->mu);
    w->stats.syncs += did;
    frz__mutex_unlock(&w->mu);
    if (rc < 0) {
        frz__mutex_lock(&w->append_mu);
        w->fresh = true;
        frz__mutex_unlock(&w->append_mu);
    }
    return rc;
}

int frz__wal_sync(struct wal *w, frz_error *err)
{
    frz__mutex_lock(&w->sync_mu);
    int rc = sync_all(w, true, err);
    frz__mutex_unlock(&w->sync_mu);
    return rc;
}

int frz__wal_sync_beside(struct wal *w, frz_error *err)
{
    frz__mutex_lock(&w->sync_mu);
    int rc = sync_all(w, false, err);
    frz__mutex_unlock(&w->sync_mu);
    return rc;
}

int frz__wal_refuse(struct wal *w, uint64_t base_seq, frz_error *err)
{
    int rc = FRZ_OK;
    frz__mutex_lock(&w->append_mu);
    if (base_seq < w->seq_next) {
        struct wal_segment *first = NULL;
        frz__mutex_lock(&w->mu);
        for (size_t i = 0; i < w->count && !first; i++)
            if (!w->segments[i]->void_ && w->segments[i]->synced < w->segments[i]->end) first = w->segments[i];
        if (first) first->failed = true;
        frz__mutex_unlock(&w->mu);
        if (base_seq < w->refused) w->refused = base_seq;
        w->fresh = true;
        rc = frz__wal_new_segment(w, err);
        if (rc >= 0 && w->seq_next > base_seq) rc = frz__err(err, FRZ_BUG, "log: sequence %" PRIu64 " can't be refused: it is on stable storage", base_seq);
    }
    frz__mutex_unlock(&w->append_mu);
    return rc;
}
