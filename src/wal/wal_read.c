/* wal_read.c — replay: which segments make the log, where it ends, and whether what fails there is a torn tail or damage.
 *
 * The log is the chain that leads back from the highest segment with a good header by "previous segment, valid to": a segment that was written again, cut or given up is not on it.
 * What stands where the log fails is a tail, unless something written later bears witness that it had been synced (wal.h, Reading; hazards 10). */
#include "wal/wal_format.h"

#include <stdlib.h>

#include "base/failpoint.h"

#define WINDOW_BYTES ((size_t)8 * WAL_BLOCK)

int frz__wal_scan_init(struct wal_scan *s, const allocator *a, struct file *file, const struct wal_header *h, uint64_t at, uint64_t limit, frz_error *err)
{
    *s = (struct wal_scan){.file = file, .a = a, .seed = wal_seed(h), .start = at, .at = at, .limit = limit, .record = BUF_INIT(a, 0)};
    s->window = (uint8_t *)frz__alloc(a, WINDOW_BYTES);
    return s->window ? FRZ_OK : frz__err_no_memory(err, WINDOW_BYTES);
}

void frz__wal_scan_clear(struct wal_scan *s)
{
    frz__free(s->a, s->window);
    s->window = NULL;
    buf_clear(&s->record);
}

/* The block that holds OFFSET: from OFFSET on, as far as the file and the limit have it. */
static int scan_block(struct wal_scan *s, uint64_t offset, slice *out, frz_error *err)
{
    uint64_t block = offset - offset % WAL_BLOCK;
    if (block < s->window_at || block + WAL_BLOCK > s->window_at + WINDOW_BYTES || s->window_len == 0) {
        s->window_len = 0;
        TRY(frz__file_read(s->file, block, s->window, WINDOW_BYTES, &s->window_len, err));
        s->window_at = block;
    }
    uint64_t have = s->window_at + s->window_len, end = block + WAL_BLOCK;
    if (end > have) end = have;
    if (end > s->limit) end = s->limit;
    *out = end > offset ? slice_of(s->window + (offset - s->window_at), (size_t)(end - offset)) : slice_of(NULL, 0);
    return FRZ_OK;
}

/* The fragment that BYTES, at OFFSET, begin with; false if there is none. */
static bool fragment_parse(uint32_t seed, uint64_t offset, slice bytes, uint8_t *type, slice *payload)
{
    if (bytes.len <= WAL_FRAGMENT_HEAD || bytes.data[8] < WAL_FULL || bytes.data[8] > WAL_LAST) return false;
    uint32_t len = load_u32(bytes.data + 4);
    if (len == 0 || len > bytes.len - WAL_FRAGMENT_HEAD) return false;
    *type = bytes.data[8];
    *payload = slice_of(bytes.data + WAL_FRAGMENT_HEAD, len);
    return load_u32(bytes.data) == wal_fragment_crc(seed, offset, bytes.data, payload->data, len);
}

int frz__wal_scan_next(struct wal_scan *s, slice *payload, frz_error *err)
{
    uint64_t at = s->at;
    uint64_t room = WAL_BLOCK - at % WAL_BLOCK;
    if (room < WAL_START_ROOM) at += room;
    s->start = at;
    buf_reset(&s->record);
    for (bool first = true;; first = false) {
        slice bytes, part;
        uint8_t type;
        TRY(scan_block(s, at, &bytes, err));
        if (!fragment_parse(s->seed, at, bytes, &type, &part)) return FRZ_DONE;
        if (first != (type == WAL_FULL || type == WAL_FIRST)) return FRZ_DONE;
        at += WAL_FRAGMENT_HEAD + part.len;
        bool last = type == WAL_FULL || type == WAL_LAST;
        if (!last && at % WAL_BLOCK != 0) return FRZ_DONE;
        if (type != WAL_FULL) TRY(buf_append_slice(&s->record, part, err));
        if (last) {
            *payload = type == WAL_FULL ? part : buf_slice(&s->record);
            s->at = at;
            return FRZ_OK;
        }
    }
}

/* ── what is there ── */

struct found {
    uint64_t number;
    bool valid, newer;
    struct wal_header h;
};
struct reader {
    const allocator *a;
    const struct logger *log;
    struct fs *fs;
    const char *dir;
    struct found *all; /* ascending */
    size_t count, cap;
    size_t *chain; /* indexes into `all`, newest first */
    size_t top;    /* of `all`, those from here on are not looked at; 0 = all are */
    size_t chain_len;
    uint64_t seq_next; /* 0 = any */
    const struct wal_visitor *v;
    struct wal_report *report;
    int list_rc;
    frz_error *err;
};

static int reader_name(void *ctx, const char *name, bool is_dir)
{
    struct reader *r = (struct reader *)ctx;
    uint64_t number = is_dir ? 0 : wal_number(name, "wal");
    if (!number) return 0;
    r->list_rc = frz__grow(r->a, (void **)&r->all, r->count, &r->cap, sizeof *r->all, r->err);
    if (r->list_rc < 0) return 1;
    r->all[r->count++] = (struct found){.number = number};
    return 0;
}

static int found_cmp(const void *a, const void *b)
{
    const struct found *x = (const struct found *)a, *y = (const struct found *)b;
    return (x->number > y->number) - (x->number < y->number);
}

/* FRZ_NOT_FOUND: released since it was listed (the log of a living writer is read). */
static int segment_open(const struct reader *r, uint64_t number, struct file **out, frz_error *err)
{
    char path[WAL_PATH_BYTES];
    wal_path(path, r->dir, number, "wal");
    return frz__fs_open(r->fs, path, FS_OPEN_READ, out, err);
}

static int header_read(const struct reader *r, struct file *f, struct found *s, frz_error *err)
{
    uint8_t bytes[WAL_RECORDS_AT] = {0};
    size_t got = 0;
    TRY(frz__file_read(f, 0, bytes, sizeof bytes, &got, err));
    bool first = wal_header_decode(bytes, s->number, &s->h);
    s->valid = first || wal_header_decode(bytes + WAL_HEADER_BYTES, s->number, &s->h);
    s->newer = !s->valid && memcmp(bytes, "FRZWAL", 6) == 0 && memcmp(bytes + 6, "01", 2) > 0 && memcmp(bytes, bytes + WAL_HEADER_BYTES, 8) == 0;
    if (s->valid && (!first || memcmp(bytes, bytes + WAL_HEADER_BYTES, WAL_HEADER_BYTES) != 0))
        frz__log(r->log, FRZ_LOG_WARN, "%s: one of the two copies of its header is damaged; the other is used", f->path);
    return FRZ_OK;
}

static int headers_read(struct reader *r, frz_error *err)
{
    for (size_t i = 0; i < r->count; i++) {
        struct file *f = NULL;
        int rc = segment_open(r, r->all[i].number, &f, err);
        if (rc == FRZ_NOT_FOUND) continue;
        TRY(rc);
        rc = header_read(r, f, &r->all[i], err);
        rc = frz__first(rc, frz__file_close(f, err));
        TRY(rc);
        if (r->all[i].newer) return frz__err(err, FRZ_NEWER_FORMAT, "%s/%09" PRIu64 ".wal: a log of a later version of frazil", r->dir, r->all[i].number);
    }
    return FRZ_OK;
}

/* Something is wrong with S as it was read. FRZ_BUSY if a living writer has released it meanwhile, or was only about to write its header. */
static int still_there(const struct reader *r, const struct found *s, frz_error *err)
{
    struct found now = {.number = s->number};
    struct file *f = NULL;
    int rc = segment_open(r, s->number, &f, err);
    if (rc == FRZ_OK) {
        rc = header_read(r, f, &now, err);
        rc = frz__first(rc, frz__file_close(f, err));
    }
    TRY(rc);
    if (rc == FRZ_NOT_FOUND || now.valid != s->valid || now.h.epoch != s->h.epoch)
        return frz__err(err, FRZ_BUSY, "%s/%09" PRIu64 ".wal was begun or released while it was read: read the log again", r->dir, s->number);
    return FRZ_OK;
}

/* ── witnesses ── */

/* The highest durable_upto in fragments from FROM on, and the end of the last fragment that is whole; blocks are entered anew, and damage inside one is stepped over byte by byte. */
static int witness_scan(const struct reader *r, const struct found *s, uint64_t from, uint64_t *durable, uint64_t *last_end, frz_error *err)
{
    struct file *f = NULL;
    struct wal_scan scan = {0};
    uint64_t bytes = 0, at = from;
    int rc = segment_open(r, s->number, &f, err);
    if (rc == FRZ_NOT_FOUND) return FRZ_OK;
    TRY(rc);
    CHECK(frz__file_size(f, &bytes, err));
    CHECK(frz__wal_scan_init(&scan, r->a, f, &s->h, from, bytes, err));
    while (at < bytes) {
        slice block, payload;
        uint8_t type;
        CHECK(scan_block(&scan, at, &block, err));
        if (block.len == 0) break;
        for (size_t i = 0; i + WAL_FRAGMENT_HEAD < block.len;) {
            if (i + 16 <= block.len && (load_u64(block.data + i) | load_u64(block.data + i + 8)) == 0) { /* no fragment begins with eight zeros: what was only allocated is passed over fast */
                i += 8;
                continue;
            }
            uint8_t kind = block.data[i + 8];
            if (kind < WAL_FULL || kind > WAL_LAST || !fragment_parse(scan.seed, at + i, slice_of(block.data + i, block.len - i), &type, &payload)) {
                i++;
                continue;
            }
            i += WAL_FRAGMENT_HEAD + payload.len;
            *last_end = at + i;
            if (type > WAL_FIRST || payload.len < WAL_GROUP_HEAD || payload.data[0] != WAL_GROUP) continue;
            if (load_u64(payload.data + 13) > *durable) *durable = load_u64(payload.data + 13);
        }
        at += block.len;
    }
done:
    frz__wal_scan_clear(&scan);
    return frz__first(rc, frz__file_close(f, err));
}

/* Of the chain's segments newer than CHAIN[I], headers included. */
static int witness_later(const struct reader *r, size_t i, uint64_t *durable, frz_error *err)
{
    while (i-- > 0) {
        const struct found *s = &r->all[r->chain[i]];
        uint64_t end = 0;
        if (s->h.durable_upto > *durable) *durable = s->h.durable_upto;
        TRY(witness_scan(r, s, WAL_RECORDS_AT, durable, &end, err));
    }
    return FRZ_OK;
}

/* ── the chain ── */

static size_t found_index(const struct reader *r, uint64_t number)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->all[i].number == number) return i;
    return SIZE_MAX;
}

/* A segment on the chain whose header is lost: damage if it was synced, else all from it on is the tail, and the log ends before it. */
static int chain_build(struct reader *r, frz_error *err)
{
    r->chain = (size_t *)frz__alloc_array(r->a, r->count + 1, sizeof *r->chain);
    if (!r->chain) return frz__err_no_memory(err, r->count * sizeof *r->chain);
    size_t top = r->top ? r->top : r->count;
    for (;;) {
        while (top > 0 && !r->all[top - 1].valid) top--;
        r->chain_len = 0;
        if (top == 0) return FRZ_OK;
        size_t i = top - 1;
        const struct wal_header *newest = &r->all[i].h;
        for (;;) {
            r->chain[r->chain_len++] = i;
            i = r->all[i].h.prev_segment ? found_index(r, r->all[i].h.prev_segment) : SIZE_MAX;
            if (i == SIZE_MAX || !r->all[i].valid || memcmp(r->all[i].h.log_uuid, newest->log_uuid, 16) != 0) break;
        }
        if (i == SIZE_MAX || r->all[i].valid) return FRZ_OK; /* the oldest that is still there, or the first of this log */
        uint64_t durable = 0, bad = r->all[i].number;
        TRY(witness_later(r, r->chain_len, &durable, err));
        if (durable > wal_position(bad, 0)) {
            TRY(still_there(r, &r->all[i], err));
            return frz__err_corrupt(err, "%s/%09" PRIu64 ".wal at offset 0: its header is damaged, and later records say that it was synced", r->dir, bad);
        }
        frz__log(r->log, FRZ_LOG_WARN, "%s/%09" PRIu64 ".wal: never synced, and its header is not there: the log ends before it, %zu later segments are discarded", r->dir, bad, r->chain_len);
        r->report->tail_cut = true;
        top = i;
    }
}

/* ── records ── */

static int bad_record(const struct reader *r, uint64_t segment, uint64_t offset, const char *what, frz_error *err)
{
    return frz__err_corrupt(err, "%s/%09" PRIu64 ".wal at offset %" PRIu64 ": %s", r->dir, segment, offset, what);
}

static int dictionary_record(struct reader *r, uint64_t segment, uint64_t offset, slice p, frz_error *err)
{
    struct wal_table t = {0};
    if (p.len < 1 + 8 + 16 + 4 + 8 + 4) return bad_record(r, segment, offset, "a dictionary record is too short", err);
    t.table_no = load_u64(p.data + 1);
    memcpy(t.uuid, p.data + 9, 16);
    t.schema_id = (int32_t)load_u32(p.data + 25);
    t.low_water = load_u64(p.data + 29);
    size_t at = 41;
    uint32_t len = load_u32(p.data + 37);
    if (len > p.len - at || p.len - at - len < 4) return bad_record(r, segment, offset, "a table's name is longer than its record", err);
    t.name = slice_of(p.data + at, len);
    at += len;
    len = load_u32(p.data + at);
    at += 4;
    if (len != p.len - at) return bad_record(r, segment, offset, "a table's schema is not as long as its record", err);
    t.schema_json = slice_of(p.data + at, len);
    return r->v && r->v->table ? r->v->table(r->v->ctx, &t, err) : FRZ_OK;
}

static int sequences(struct reader *r, uint64_t segment, uint64_t offset, uint64_t first, uint64_t count, frz_error *err)
{
    if (count == 0 || first == 0 || first > UINT64_MAX - count) return bad_record(r, segment, offset, "a record of no sequences", err);
    if (first != r->seq_next)
        return frz__err_corrupt(err, "%s/%09" PRIu64 ".wal at offset %" PRIu64 ": sequences begin at %" PRIu64 ", expected %" PRIu64, r->dir, segment, offset, first, r->seq_next);
    r->seq_next = first + count;
    r->report->seq_last = first + count - 1;
    return FRZ_OK;
}

static int moment_record(struct reader *r, uint64_t segment, uint64_t offset, slice p, frz_error *err)
{
    uint32_t n = p.len >= WAL_MOMENT_HEAD ? load_u32(p.data + 17) : 0;
    if (p.len < WAL_MOMENT_HEAD || p.len - WAL_MOMENT_HEAD != (size_t)n * 4 || load_u64(p.data + 9) > INT64_MAX) return bad_record(r, segment, offset, "a moment record is malformed", err);
    int64_t time_us = (int64_t)load_u64(p.data + 9);
    if (time_us > r->report->time_us) r->report->time_us = time_us;
    return r->v && r->v->moment ? r->v->moment(r->v->ctx, load_u64(p.data + 1), time_us, p.data + WAL_MOMENT_HEAD, n, err) : FRZ_OK;
}

static int record_visit(struct reader *r, uint64_t segment, uint64_t offset, slice p, frz_error *err)
{
    const struct wal_visitor *v = r->v;
    switch (p.data[0]) {
    case WAL_GROUP:
        if (p.len < WAL_GROUP_HEAD) return bad_record(r, segment, offset, "a group record is too short", err);
        TRY(sequences(r, segment, offset, load_u64(p.data + 1), load_u32(p.data + 9), err));
        if (v && v->group) return v->group(v->ctx, segment, load_u64(p.data + 1), load_u32(p.data + 9), slice_of(p.data + WAL_GROUP_HEAD, p.len - WAL_GROUP_HEAD), err);
        return FRZ_OK;
    case WAL_DICTIONARY: return dictionary_record(r, segment, offset, p, err);
    case WAL_DROP:
        if (p.len != 9) return bad_record(r, segment, offset, "a drop record is not 9 bytes long", err);
        return v && v->drop ? v->drop(v->ctx, load_u64(p.data + 1), err) : FRZ_OK;
    case WAL_SKIP:
        if (p.len != 17 || load_u64(p.data + 9) < load_u64(p.data + 1)) return bad_record(r, segment, offset, "a skip record is malformed", err);
        return sequences(r, segment, offset, load_u64(p.data + 1), load_u64(p.data + 9) - load_u64(p.data + 1) + 1, err);
    case WAL_MOMENT: return moment_record(r, segment, offset, p, err);
    default: return frz__err(err, FRZ_NEWER_FORMAT, "%s/%09" PRIu64 ".wal at offset %" PRIu64 ": a record of kind %u, which this version does not know", r->dir, segment, offset, p.data[0]);
    }
}

/* The bytes from AT on that are not zero: up to the last of them. */
static int tail_bytes(struct wal_scan *s, uint64_t at, uint64_t *out, frz_error *err)
{
    uint64_t start = at;
    *out = 0;
    for (;;) {
        slice block;
        TRY(scan_block(s, at, &block, err));
        if (block.len == 0) return FRZ_OK;
        for (size_t i = block.len; i > 0; i--)
            if (block.data[i - 1]) {
                *out = at + i - start;
                break;
            }
        at += block.len;
    }
}

/* A living writer may have written it, and what bears witness of it, since we looked: what was synced is there now, or is damaged. */
static int record_came(struct wal_scan *scan, bool *came, frz_error *err)
{
    slice ignored;
    uint64_t at = scan->at;
    scan->window_len = 0;
    int rc = frz__wal_scan_next(scan, &ignored, err);
    scan->at = at;
    *came = rc == FRZ_OK;
    return rc < 0 ? rc : FRZ_OK;
}

/* No record is at SCAN->start, before where segment CHAIN[I] should end. Damage is an error. *ENDS: the log does so here; else there is a record by now. */
static int judge(struct reader *r, size_t i, struct wal_scan *scan, bool *ends, frz_error *err)
{
    const struct found *s = &r->all[r->chain[i]];
    uint64_t durable = 0, last_end = 0, at = scan->at;
    *ends = true;
    FAILPOINT_QUIET("wal.judge");
    TRY(witness_scan(r, s, at, &durable, &last_end, err));
    TRY(witness_later(r, i, &durable, err));
    if (i > 0 || durable > wal_position(s->number, at)) TRY(still_there(r, s, err));
    if (durable > wal_position(s->number, at)) {
        bool came;
        TRY(record_came(scan, &came, err));
        *ends = !came;
        if (came) return FRZ_OK;
        return frz__err_corrupt(err, "%s/%09" PRIu64 ".wal at offset %" PRIu64 ": no valid record, but later ones say that the log was synced beyond it", r->dir, s->number, scan->start);
    }
    struct wal_report *rep = r->report;
    scan->limit = UINT64_MAX >> 1;
    if (s->h.flags & WAL_FLAG_RECYCLED) rep->tail_bytes_dropped = last_end > at ? last_end - at : 0; /* else a former life's bytes would count */
    else TRY(tail_bytes(scan, at, &rep->tail_bytes_dropped, err));
    rep->tail_cut = rep->tail_cut || rep->tail_bytes_dropped > 0 || i > 0;
    if (rep->tail_cut)
        frz__log(r->log, FRZ_LOG_WARN, "%s/%09" PRIu64 ".wal: a torn tail, which was never known to be synced, is cut at offset %" PRIu64 " (%" PRIu64 " bytes, and %zu later segments)", r->dir, s->number, at,
                 rep->tail_bytes_dropped, i);
    return FRZ_OK;
}

/* FRZ_DONE: the log ends in this segment. */
static int segment_read(struct reader *r, size_t i, frz_error *err)
{
    const struct found *s = &r->all[r->chain[i]];
    struct wal_report *rep = r->report;
    struct wal_scan scan = {0};
    struct file *f = NULL;
    uint64_t bytes = 0;
    bool ended = false, doubted = false;
    int rc = segment_open(r, s->number, &f, err);
    if (rc == FRZ_NOT_FOUND) return frz__err(err, FRZ_BUSY, "%s/%09" PRIu64 ".wal was released while the log was read: read it again", r->dir, s->number);
    TRY(rc);
    CHECK(frz__file_size(f, &bytes, err));
    uint64_t limit = i > 0 ? r->all[r->chain[i - 1]].h.prev_valid : bytes;
    CHECK(frz__wal_scan_init(&scan, r->a, f, &s->h, WAL_RECORDS_AT, limit, err));
    if (s->h.first_seq < r->seq_next) {
        rc = frz__err_corrupt(err, "%s/%09" PRIu64 ".wal: its sequences begin at %" PRIu64 ", those before it end at %" PRIu64, r->dir, s->number, s->h.first_seq, r->seq_next - 1);
        goto done;
    }
    r->seq_next = s->h.first_seq;
    rep->seq_last = r->seq_next - 1;
    if (rep->segments++ == 0) rep->seq_first = r->seq_next;
    while (i == 0 || scan.at < limit) {
        slice payload;
        CHECK(frz__wal_scan_next(&scan, &payload, err));
        if (rc == FRZ_DONE && !doubted) { /* a living writer may have been here meanwhile */
            doubted = true;
            scan.window_len = 0;
            if (i == 0) CHECK(frz__file_size(f, &scan.limit, err));
            continue;
        }
        if (rc == FRZ_DONE) {
            CHECK(judge(r, i, &scan, &ended, err));
            if (ended) break;
            doubted = false;
            continue;
        }
        doubted = false;
        CHECK(record_visit(r, s->number, scan.start, payload, err));
        rep->records++;
    }
    rep->bytes += scan.at;
    rep->tail_segment = s->number;
    rep->tail_offset = scan.at;
done:
    frz__wal_scan_clear(&scan);
    rc = frz__first(rc < 0 ? rc : FRZ_OK, frz__file_close(f, err));
    return rc < 0 ? rc : ended ? FRZ_DONE : FRZ_OK;
}

/* Which segments make the log. R is cleared by the caller, whatever the result. */
static int log_find(struct reader *r, frz_error *err)
{
    *r->report = (struct wal_report){0};
    int rc = frz__fs_list(r->fs, r->dir, reader_name, r, err);
    if (rc == FRZ_NOT_FOUND) rc = FRZ_OK;
    TRY(rc < 0 ? rc : r->list_rc);
    if (r->count) qsort(r->all, r->count, sizeof *r->all, found_cmp);
    TRY(headers_read(r, err));
    TRY(chain_build(r, err));
    if (r->chain_len == 0) return FRZ_OK;
    r->report->found = true;
    r->report->first_segment = r->all[r->chain[r->chain_len - 1]].number;
    memcpy(r->report->log_uuid, r->all[r->chain[0]].h.log_uuid, 16);
    for (size_t i = 0; i < r->count; i++)
        if (r->all[i].valid && r->all[i].h.epoch > r->report->writer_epoch) r->report->writer_epoch = r->all[i].h.epoch;
    return FRZ_OK;
}
static void reader_clear(struct reader *r)
{
    frz__free(r->a, r->all);
    frz__free(r->a, r->chain);
}

/* The chain that has FROM_SEQ, without what is wholly before it. *LACKS: the segment that is missing behind it; 0 = none. */
static int archive_chain(struct reader *r, uint64_t from_seq, uint64_t *lacks, frz_error *err)
{
    uint64_t missing = 0, later = 0;
    *lacks = 0;
    for (;;) {
        frz__free(r->a, r->chain);
        r->chain = NULL;
        TRY(chain_build(r, err));
        if (r->chain_len == 0) break;
        const struct found *oldest = &r->all[r->chain[r->chain_len - 1]];
        *lacks = missing;
        if (oldest->h.first_seq <= from_seq) break;
        missing = oldest->h.prev_segment;
        later = oldest->h.first_seq;
        if (r->chain[r->chain_len - 1] == 0) {
            r->chain_len = 0;
            break;
        }
        r->top = r->chain[r->chain_len - 1];
    }
    if (r->chain_len == 0 && later)
        return frz__err_corrupt(err, "%s: segment %09" PRIu64 ".wal is missing: there is nothing of sequences %" PRIu64 " to %" PRIu64, r->dir, missing, from_seq, later - 1);
    while (r->chain_len > 1 && r->all[r->chain[r->chain_len - 2]].h.first_seq < from_seq) r->chain_len--; /* lines and drops behind the sequence before it are wanted too */
    return FRZ_OK;
}

int frz__wal_read_archive(const allocator *a, const struct logger *log, struct fs *fs, const char *dir, uint64_t from_seq, const struct wal_visitor *v, struct wal_report *report, uint64_t *lacks,
                          frz_error *err)
{
    struct reader r = {.a = a, .log = log, .fs = fs, .dir = dir, .v = v, .report = report, .err = err};
    int rc = FRZ_OK;
    CHECK(log_find(&r, err));
    CHECK(archive_chain(&r, from_seq, lacks, err));
    for (size_t i = r.chain_len; i-- > 0;) {
        CHECK(segment_read(&r, i, err));
        if (rc == FRZ_DONE && i > 0) *lacks = r.all[r.chain[i]].number; /* it is there, and ends too early */
        if (rc == FRZ_DONE) break;
    }
    /* A segment comes here whole: one behind the end whose header fails is damaged, and not a tail. */
    for (size_t i = r.chain_len ? r.chain[0] + 1 : r.count; i < r.count && !*lacks; i++)
        if (!r.all[i].valid) *lacks = r.all[i].number;
    rc = FRZ_OK;
done:
    reader_clear(&r);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__wal_look(const allocator *a, const struct logger *log, struct fs *fs, const char *dir, struct wal_report *report, frz_error *err)
{
    struct reader r = {.a = a, .log = log, .fs = fs, .dir = dir, .report = report, .err = err};
    int rc = log_find(&r, err);
    reader_clear(&r);
    return rc;
}

int frz__wal_read(const allocator *a, const struct logger *log, struct fs *fs, const char *dir, const struct wal_visitor *v, struct wal_report *report, frz_error *err)
{
    struct reader r = {.a = a, .log = log, .fs = fs, .dir = dir, .v = v, .report = report, .err = err};
    int rc = FRZ_OK;
    CHECK(log_find(&r, err));
    for (size_t i = r.chain_len; i-- > 0;) {
        CHECK(segment_read(&r, i, err));
        if (rc == FRZ_DONE) break;
    }
    rc = FRZ_OK;
done:
    reader_clear(&r);
    return rc < 0 ? rc : FRZ_OK;
}
