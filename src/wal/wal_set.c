/* wal_set.c — the set of segments: opening the log for writing, beginning a segment, recycling what is released.
 *
 * A spare is a released file, renamed to `<number>.free`. It gets a new name, and the directory is synced, before a byte of it is written: so after a crash a file is found under its old name whole, as a spare,
 * or under its new name, never under its old name with new bytes. What a new segment overwrites of a spare never parses: other segment number, other CRC.
 * A file with a second name is never a spare, whoever gave it to it: what the archive has by a link may have been linked by an earlier process, and would be overwritten with it.
 * A segment's header is written after what follows it (a dictionary, records that were in doubt): a segment with a header has them. */
#include "wal/wal_int.h"

#include <stdlib.h>

static int file_remove(struct wal *w, uint64_t number, const char *suffix, frz_error *err)
{
    char path[WAL_PATH_BYTES];
    wal_path(path, w->dir, number, suffix);
    int rc = frz__fs_unlink(w->fs, path, err);
    return rc == FRZ_NOT_FOUND ? FRZ_OK : rc;
}

static void segment_free(struct wal *w, struct wal_segment *s)
{
    if (!s) return;
    (void)frz__file_close(s->file, NULL);
    frz__free(w->a, s);
}

/* ── a new segment ── */

#define SEGMENT_BYTES_LEAST (2 * WAL_BLOCK)

/* A spare takes the new name, or a new file is made; either way of full size. */
static int segment_file(struct wal *w, struct wal_segment *s, frz_error *err)
{
    char path[WAL_PATH_BYTES], spare[WAL_PATH_BYTES];
    uint64_t number = 0;
    wal_path(path, w->dir, s->number, "wal");
    frz__mutex_lock(&w->mu);
    if (w->spare_count) {
        number = w->spares[0];
        memmove(w->spares, w->spares + 1, --w->spare_count * sizeof *w->spares);
    }
    frz__mutex_unlock(&w->mu);
    if (number) {
        wal_path(spare, w->dir, number, "free");
        int rc = frz__fs_rename(w->fs, spare, path, err);
        if (rc == FRZ_OK) rc = frz__fs_open(w->fs, path, FS_OPEN_WRITE, &s->file, err);
        if (rc == FRZ_OK) {
            s->h.flags |= WAL_FLAG_RECYCLED;
            frz__mutex_lock(&w->mu);
            w->stats.recycled++;
            frz__mutex_unlock(&w->mu);
            return FRZ_OK;
        }
        frz__log(w->log, FRZ_LOG_WARN, "%s: can't be used again (%s); a new file is made", spare, frz_status_name(rc));
        TRY(file_remove(w, s->number, "wal", err));
    }
    TRY(frz__fs_open(w->fs, path, FS_OPEN_CREATE_NEW, &s->file, err));
    int rc = frz__file_allocate(s->file, w->segment_bytes, err);
    if (rc != FRZ_NO_SPACE) return rc;
    /* A disk that is nearly full: a few records more, such as the drop that would make room. A segment may grow beyond what was reserved, and one of this size is never used again. */
    TRY(frz__file_truncate(s->file, 0, err));
    return frz__file_allocate(s->file, SEGMENT_BYTES_LEAST, err);
}

static bool table_known(const struct wal *w, uint64_t table_no)
{
    for (size_t i = 0; i < w->table_count; i++)
        if (w->tables[i].table_no == table_no) return true;
    return false;
}

/* The records of S that are in doubt, again, but for refused ones; and before them the dictionary that they follow: the new segment begins with the lines of today, and rows in doubt may be of an older schema.
 * *FIRST: the first sequence in doubt (0 = none yet), *NEXT: behind the last one written again. */
static int doubt_frame(struct wal *w, struct wal_segment *s, struct wal_framer *f, uint64_t *first, uint64_t *next, frz_error *err)
{
    struct wal_scan scan = {0};
    uint64_t from = WAL_RECORDS_AT, doubtful = s->synced ? s->synced : WAL_RECORDS_AT;
    int rc = FRZ_OK;
    if (from >= s->end) return FRZ_OK;
    CHECK(frz__wal_scan_init(&scan, w->a, s->file, &s->h, from, s->end, err));
    while (scan.at < s->end) {
        slice p;
        CHECK(frz__wal_scan_next(&scan, &p, err));
        if (rc == FRZ_DONE) {
            rc = frz__err(err, FRZ_IO, "%s/%09" PRIu64 ".wal at offset %" PRIu64 ": after a failed sync a record can't be read back; publish what is in memory, and open the log anew", w->dir, s->number,
                          scan.start);
            goto done;
        }
        if (scan.start < doubtful && (p.data[0] != WAL_DICTIONARY || !table_known(w, load_u64(p.data + 1)))) continue;
        if (p.data[0] == WAL_MOMENT && load_u64(p.data + 1) >= w->refused && p.len > WAL_MOMENT_HEAD) continue; /* without batches it is no group's alone */
        uint8_t head[WAL_GROUP_HEAD];
        slice parts[2] = {p, {NULL, 0}};
        if (p.data[0] == WAL_GROUP || p.data[0] == WAL_SKIP) {
            uint64_t base = load_u64(p.data + 1);
            if (!*first) *first = base;
            if (base >= w->refused) continue;
            *next = p.data[0] == WAL_SKIP ? load_u64(p.data + 9) + 1 : base + load_u32(p.data + 9);
        }
        if (p.data[0] == WAL_GROUP) {
            memcpy(head, p.data, sizeof head);
            store_u64(head + 13, w->durable);
            parts[0] = slice_of(head, sizeof head);
            parts[1] = slice_of(p.data + sizeof head, p.len - sizeof head);
        }
        CHECK(frz__wal_frame(f, parts, 2, err));
    }
    rc = FRZ_OK;
done:
    frz__wal_scan_clear(&scan);
    return rc;
}

/* Index of the first segment in doubt; the count = none. From it on all is written again. */
static size_t first_doubt(const struct wal *w)
{
    size_t i = 0;
    while (i < w->count && (w->segments[i]->void_ || !w->segments[i]->failed || w->segments[i]->synced >= w->segments[i]->end)) i++;
    return i;
}

/* What the new segment leads back to: the newest that counts of the first COUNT, and how much of it. */
static void segment_previous(const struct wal *w, size_t count, struct wal_header *h)
{
    while (count > 0 && w->segments[count - 1]->void_) count--;
    if (count == 0) return;
    h->prev_segment = w->segments[count - 1]->number;
    h->prev_valid = w->segments[count - 1]->end;
}

/* Writes again what is in doubt: from segment FAILED on, which stay in the list, pinned, meanwhile. */
static int doubt_copy(struct wal *w, struct wal_segment *failed, struct wal_framer *f, uint64_t *first, uint64_t *next, frz_error *err)
{
    int rc = FRZ_OK;
    bool more = failed != NULL;
    for (size_t i = 0; more && rc >= 0; i++) {
        frz__mutex_lock(&w->mu); /* release may take older ones from the front */
        size_t at = 0;
        while (w->segments[at] != failed) at++;
        struct wal_segment *s = w->segments[at + i];
        more = at + i + 1 < w->count;
        frz__mutex_unlock(&w->mu);
        if (!s->void_) rc = doubt_frame(w, s, f, first, next, err);
    }
    return rc;
}

/* S joins the list. FAILED and all behind it end, or are void. */
static void segment_join_locked(struct wal *w, struct wal_segment *s, struct wal_segment *failed)
{
    bool behind = false;
    for (size_t i = 0; i < w->count; i++) {
        struct wal_segment *old = w->segments[i];
        FRZ_ASSERT(old);
        behind = behind || old == failed;
        if (!behind) continue;
        if (old == failed && old->synced) old->end = old->synced;
        else old->void_ = true;
    }
    w->segments[w->count++] = s;
    w->current = s;
    w->stats.bytes += s->end;
}

int frz__wal_new_segment(struct wal *w, frz_error *err)
{
    struct wal_segment *s = NULL, *failed = NULL;
    uint8_t header[WAL_RECORDS_AT];
    uint64_t first = 0, next = 0, records_at;
    int rc = FRZ_OK;
    if (w->number_next > WAL_NUMBER_MAX) return frz__err(err, FRZ_TOO_LARGE, "log: all %u segment numbers are used", WAL_NUMBER_MAX);
    TRY(ALLOC_NEW(&s, w->a, struct wal_segment, err));
    s->number = w->number_next++; /* never twice, even after a failure */
    s->h = (struct wal_header){.segment = s->number, .epoch = w->epoch};
    memcpy(s->h.log_uuid, w->uuid, 16);
    frz__mutex_lock(&w->mu);
    rc = frz__grow(w->a, (void **)&w->segments, w->count, &w->cap, sizeof *w->segments, err);
    size_t doubt = first_doubt(w);
    if (doubt < w->count) failed = w->segments[doubt];
    if (failed) failed->pins++; /* release takes neither it nor what is behind it */
    s->h.durable_upto = w->durable;
    segment_previous(w, doubt, &s->h);
    if (failed && failed->synced) {
        s->h.prev_segment = failed->number;
        s->h.prev_valid = failed->synced;
    }
    frz__mutex_unlock(&w->mu);
    CHECK(rc);
    CHECK(segment_file(w, s, err));
    CHECK(frz__fs_sync_dir(w->fs, w->dir, SYNC_LOG_DIR, err)); /* a name that is missing later was released: it never just failed to get to the disk */
    buf_reset(&w->out);
    struct wal_framer f = {.w = w, .file = s->file, .seed = wal_seed(&s->h), .at = WAL_RECORDS_AT};
    CHECK(frz__wal_frame_time(&f, w->opened_us, err));
    CHECK(frz__wal_frame_dictionary(&f, err));
    records_at = wal_framer_end(&f);
    CHECK(doubt_copy(w, failed, &f, &first, &next, err));
    CHECK(frz__wal_frame_flush(&f, err));
    s->h.first_seq = first ? first : w->seq_next;
    s->end = f.at;
    wal_header_encode(&s->h, header);
    CHECK(frz__file_write(s->file, 0, header, sizeof header, err));
    frz__mutex_lock(&w->mu);
    segment_join_locked(w, s, failed);
    if (failed) failed->pins--;
    frz__mutex_unlock(&w->mu);
    if (first) w->seq_next = next ? next : first;
    w->records_at = records_at;
    w->opened_us = 0;
    w->seed = f.seed;
    w->refused = UINT64_MAX;
    w->fresh = false;
    return FRZ_OK;
done:
    buf_reset(&w->out);
    frz__err_context(err, "a new log segment");
    if (s->file) {
        (void)frz__file_close(s->file, NULL);
        s->file = NULL;
        if (file_remove(w, s->number, "wal", NULL) < 0) frz__log(w->log, FRZ_LOG_WARN, "%s/%09" PRIu64 ".wal, which could not be begun, stays; it counts for nothing", w->dir, s->number);
    }
    frz__mutex_lock(&w->mu);
    if (failed) failed->pins--;
    frz__mutex_unlock(&w->mu);
    segment_free(w, s);
    return rc;
}

/* ── release ── */

static bool can_be_spare(const struct wal *w, const struct fs_stat *st) { return st->bytes == w->segment_bytes && st->names <= 1; }

/* The released file becomes a spare, if it can be one and one is wanted, or goes. *SPARE: it was renamed. */
static int segment_retire(struct wal *w, uint64_t number, bool wanted, bool *spare, frz_error *err)
{
    char path[WAL_PATH_BYTES], to[WAL_PATH_BYTES];
    struct fs_stat st = {0};
    wal_path(path, w->dir, number, "wal");
    wal_path(to, w->dir, number, "free");
    *spare = false;
    int rc = wanted ? frz__fs_stat(w->fs, path, &st, err) : FRZ_OK;
    if (rc == FRZ_NOT_FOUND) return FRZ_OK;
    TRY(rc);
    if (!wanted || !can_be_spare(w, &st)) return file_remove(w, number, "wal", err);
    TRY(frz__fs_rename(w->fs, path, to, err));
    *spare = true;
    return FRZ_OK;
}

/* The archive alone wants it. */
static bool waits_locked(const struct wal *w, const struct wal_segment *s)
{
    return w->archive && !s->archived && !s->void_;
}

static bool wait_too_many_locked(const struct wal *w, uint64_t oldest_needed)
{
    uint64_t waiting = 0;
    for (size_t i = 0; w->archive_wait_max && i < w->count && w->segments[i]->number < oldest_needed; i++) waiting += waits_locked(w, w->segments[i]);
    return waiting * w->segment_bytes > w->archive_wait_max;
}

static bool can_go_locked(const struct wal *w, uint64_t oldest_needed)
{
    if (w->count <= 1 || w->segments[0]->number >= oldest_needed || w->segments[0]->pins) return false;
    return !waits_locked(w, w->segments[0]) || wait_too_many_locked(w, oldest_needed);
}

int frz__wal_release(struct wal *w, uint64_t oldest_needed, frz_error *err)
{
    frz__mutex_lock(&w->mu);
    bool any = can_go_locked(w, oldest_needed);
    frz__mutex_unlock(&w->mu);
    if (!any) return FRZ_OK; /* one that can go later is released then, with the lines as they will be */
    TRY(frz__wal_renew_lines(w, err));
    frz__mutex_lock(&w->mu);
    if (oldest_needed > w->released) w->released = oldest_needed;
    frz__mutex_unlock(&w->mu);
    return FRZ_OK;
}

/* One at a time: what is released while another is at it, that one takes too. */
int frz__wal_recycle(struct wal *w, frz_error *err)
{
    int rc = FRZ_OK;
    frz__mutex_lock(&w->mu);
    bool other = w->recycling;
    w->recycling = true;
    frz__mutex_unlock(&w->mu);
    if (other) return FRZ_DONE;
    for (;;) {
        struct wal_segment *s = NULL;
        bool spare = false, wanted;
        frz__mutex_lock(&w->mu);
        if (can_go_locked(w, w->released)) {
            s = w->segments[0];
            w->stats.archive_given_up += waits_locked(w, s);
            memmove(w->segments, w->segments + 1, --w->count * sizeof *w->segments);
        }
        w->recycling = s != NULL;
        wanted = w->spare_count < w->recycle_max && !(s && s->linked);
        frz__mutex_unlock(&w->mu);
        if (!s) return rc;
        rc = frz__first(rc, segment_retire(w, s->number, wanted, &spare, rc < 0 ? NULL : err));
        frz__mutex_lock(&w->mu);
        bool kept = spare && frz__grow(w->a, (void **)&w->spares, w->spare_count, &w->spare_cap, sizeof *w->spares, NULL) >= 0;
        if (kept) w->spares[w->spare_count++] = s->number;
        frz__mutex_unlock(&w->mu);
        if (spare && !kept) rc = frz__first(rc, file_remove(w, s->number, "free", NULL));
        segment_free(w, s);
    }
}

/* ── opening and closing ── */

struct listing {
    struct wal *w;
    uint64_t *wals, *frees; /* numbers */
    size_t wal_count, wal_cap, free_count, free_cap;
    int rc;
    frz_error *err;
};

static int listing_name(void *ctx, const char *name, bool is_dir)
{
    struct listing *l = (struct listing *)ctx;
    uint64_t wal = is_dir ? 0 : wal_number(name, "wal"), spare = is_dir ? 0 : wal_number(name, "free");
    if (wal) {
        l->rc = frz__grow(l->w->a, (void **)&l->wals, l->wal_count, &l->wal_cap, sizeof *l->wals, l->err);
        if (l->rc < 0) return 1;
        l->wals[l->wal_count++] = wal;
    }
    if (spare) {
        l->rc = frz__grow(l->w->a, (void **)&l->frees, l->free_count, &l->free_cap, sizeof *l->frees, l->err);
        if (l->rc < 0) return 1;
        l->frees[l->free_count++] = spare;
    }
    if (wal >= l->w->number_next) l->w->number_next = wal + 1;
    if (spare >= l->w->number_next) l->w->number_next = spare + 1;
    return 0;
}

static int number_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int dir_make(struct wal *w, frz_error *err)
{
    int rc = frz__fs_mkdir(w->fs, w->dir, err);
    if (rc < 0) return rc;
    const char *slash = strrchr(w->dir, '/');
    char *parent = frz__strndup(w->a, w->dir, slash ? (size_t)(slash - w->dir) : 0);
    if (!parent) return frz__err_no_memory(err, strlen(w->dir));
    rc = frz__fs_sync_dir(w->fs, parent, SYNC_LOG_PARENT, err);
    frz__free(w->a, parent);
    return rc;
}

/* F's bytes up to END are written once more, over themselves: a sync that failed for an earlier process may have left them in memory, taken for clean, and not on the disk: then another sync would say
 * nothing (hazards 11). */
static int write_over(struct wal *w, struct file *f, uint64_t end, frz_error *err)
{
    const size_t chunk = (size_t)4 * WAL_BLOCK;
    int rc = FRZ_OK;
    uint8_t *bytes = (uint8_t *)frz__alloc(w->a, chunk);
    if (!bytes) return frz__err_no_memory(err, chunk);
    for (uint64_t at = 0; at < end;) {
        size_t want = end - at < chunk ? (size_t)(end - at) : chunk, got = 0;
        CHECK(frz__file_read(f, at, bytes, want, &got, err));
        if (got == 0) break;
        bool zero = bytes[0] == 0 && memcmp(bytes, bytes + 1, got - 1) == 0; /* never written since it was reserved */
        if (!zero) CHECK(frz__file_write(f, at, bytes, got, err));
        at += got;
    }
done:
    frz__free(w->a, bytes);
    return rc;
}

/* The segments that were read, up to where the log ends, join the list, synced: an earlier process may have written them without a sync and died, while the power stayed on; what is acknowledged
 * from now on must not stand behind a hole. */
static int old_segments(struct wal *w, const struct listing *l, const struct wal_report *report, frz_error *err)
{
    for (size_t i = 0; i < l->wal_count && report->found && l->wals[i] <= report->tail_segment; i++) {
        struct wal_segment *s = NULL;
        struct file *f = NULL;
        char path[WAL_PATH_BYTES];
        int rc = frz__grow(w->a, (void **)&w->segments, w->count, &w->cap, sizeof *w->segments, err);
        TRY(rc);
        TRY(ALLOC_NEW(&s, w->a, struct wal_segment, err));
        s->number = l->wals[i];
        s->end = s->synced = s->number == report->tail_segment ? report->tail_offset : WAL_RECORDS_AT;
        w->segments[w->count++] = s;
        wal_path(path, w->dir, s->number, "wal");
        TRY(frz__fs_open(w->fs, path, FS_OPEN_WRITE, &f, err));
        rc = write_over(w, f, s->number == report->tail_segment ? s->end : UINT64_MAX, err);
        if (rc >= 0) rc = frz__file_sync(f, SYNC_LOG_OLD_SEGMENT, err);
        TRY(frz__first(rc, frz__file_close(f, err)));
    }
    if (report->found && report->tail_segment) w->durable = wal_position(report->tail_segment, report->tail_offset);
    return FRZ_OK;
}

/* Those that can be, as many as are wanted; the others go. */
static int spares_adopt(struct wal *w, const struct listing *l, frz_error *err)
{
    for (size_t i = 0; i < l->free_count; i++) {
        char path[WAL_PATH_BYTES];
        struct fs_stat st = {0};
        wal_path(path, w->dir, l->frees[i], "free");
        TRY(frz__fs_stat(w->fs, path, &st, err));
        if (w->spare_count >= w->recycle_max || !can_be_spare(w, &st)) {
            TRY(file_remove(w, l->frees[i], "free", err));
            continue;
        }
        TRY(frz__grow(w->a, (void **)&w->spares, w->spare_count, &w->spare_cap, sizeof *w->spares, err));
        w->spares[w->spare_count++] = l->frees[i];
    }
    return FRZ_OK;
}

static void wal_free(struct wal *w)
{
    for (size_t i = 0; i < w->count; i++) segment_free(w, w->segments[i]);
    for (size_t i = 0; i < w->table_count; i++) {
        frz__free(w->a, (void *)(uintptr_t)w->tables[i].name.data);
        frz__free(w->a, (void *)(uintptr_t)w->tables[i].schema_json.data);
    }
    frz__free(w->a, w->segments);
    frz__free(w->a, w->tables);
    frz__free(w->a, w->spares);
    frz__free(w->a, w->dir);
    buf_clear(&w->out);
    frz__mutex_clear(&w->mu);
    frz__mutex_clear(&w->append_mu);
    frz__mutex_clear(&w->sync_mu);
    frz__mutex_clear(&w->archive_mu);
    frz__free(w->a, w);
}

int frz__wal_open(struct fs *fs, const struct wal_options *o, const struct wal_report *report, uint64_t next_seq, const struct wal_table *tables, size_t table_count, struct wal **out, frz_error *err)
{
    struct wal *w = NULL;
    struct listing l = {.err = err};
    int rc = FRZ_OK;
    *out = NULL;
    if (o->segment_bytes < 2 * WAL_BLOCK || o->segment_bytes % WAL_BLOCK != 0 || o->segment_bytes > UINT64_C(1) << 33)
        return frz__err(err, FRZ_INVALID, "log: segments of %" PRIu64 " bytes: expected whole blocks of 32 KiB, 64 KiB to 8 GiB", o->segment_bytes);
    if (next_seq == 0 || next_seq <= report->seq_last) return frz__err(err, FRZ_BUG, "log: it ends with sequence %" PRIu64 ", and %" PRIu64 " is to be next", report->seq_last, next_seq);
    if (strlen(o->dir) + WAL_NAME_BYTES >= WAL_PATH_BYTES) return frz__err(err, FRZ_TOO_LARGE, "log: the directory's name is too long");
    TRY(ALLOC_NEW(&w, o->a, struct wal, err));
    *w = (struct wal){.a = o->a, .log = o->log, .fs = fs, .epoch = o->writer_epoch, .segment_bytes = o->segment_bytes, .recycle_max = o->recycle_max,
               .archive = o->archive, .archive_wait_max = o->archive_wait_max, .time_us = report->time_us, .opened_us = o->time_us, .seq_next = next_seq, .number_next = 1, .refused = UINT64_MAX};
    memcpy(w->uuid, o->log_uuid, 16);
    w->out = BUF_INIT(o->a, 0);
    frz__mutex_init(&w->sync_mu, (enum lock_rank)(RANK_LEAF - 3), "wal.sync");
    frz__mutex_init(&w->append_mu, (enum lock_rank)(RANK_LEAF - 1), "wal.append");
    frz__mutex_init(&w->archive_mu, (enum lock_rank)(RANK_LEAF - 2), "wal.archive");
    frz__mutex_init(&w->mu, RANK_LEAF, "wal.state");
    l.w = w;
    w->dir = frz__strdup(o->a, o->dir);
    if (!w->dir) {
        rc = frz__err_no_memory(err, strlen(o->dir));
        goto done;
    }
    CHECK(dir_make(w, err));
    rc = frz__fs_list(fs, w->dir, listing_name, &l, err);
    CHECK(rc < 0 ? rc : l.rc);
    if (l.wal_count) qsort(l.wals, l.wal_count, sizeof *l.wals, number_cmp);
    if (l.free_count) qsort(l.frees, l.free_count, sizeof *l.frees, number_cmp);
    CHECK(old_segments(w, &l, report, err));
    CHECK(spares_adopt(w, &l, err));
    for (size_t i = 0; i < table_count; i++) CHECK(frz__wal_table_add(w, &tables[i], false, 0, err));
    frz__mutex_lock(&w->append_mu);
    rc = frz__wal_new_segment(w, err);
    frz__mutex_unlock(&w->append_mu);
    CHECK(rc);
    /* From here on the log's end, as it was read, is on the disk: what lies behind it may go. */
    CHECK(frz__wal_sync(w, err));
    for (size_t i = 0; i < l.wal_count; i++)
        if (!report->found || l.wals[i] > report->tail_segment) {
            frz__log(w->log, FRZ_LOG_INFO, "%s/%09" PRIu64 ".wal: behind the log's end, removed", w->dir, l.wals[i]);
            CHECK(file_remove(w, l.wals[i], "wal", err));
        }
    w->stats = (struct wal_stats){0};
    *out = w;
    w = NULL;
done:
    frz__free(o->a, l.wals);
    frz__free(o->a, l.frees);
    if (w) wal_free(w);
    return rc < 0 ? rc : FRZ_OK;
}

uint64_t frz__wal_segment(const struct wal *w)
{
    struct wal *m = (struct wal *)(uintptr_t)w;
    frz__mutex_lock(&m->mu);
    uint64_t number = m->current->number;
    frz__mutex_unlock(&m->mu);
    return number;
}

int64_t frz__wal_time_us(struct wal *w)
{
    frz__mutex_lock(&w->append_mu);
    int64_t time_us = w->time_us;
    frz__mutex_unlock(&w->append_mu);
    return time_us;
}

void frz__wal_stats(const struct wal *w, struct wal_stats *out)
{
    struct wal *m = (struct wal *)(uintptr_t)w;
    frz__mutex_lock(&m->mu);
    *out = m->stats;
    out->segments = m->count;
    for (size_t i = 0; i + 1 < m->count; i++) out->archive_waiting += waits_locked(m, m->segments[i]);
    frz__mutex_unlock(&m->mu);
}

int frz__wal_close(struct wal *w, frz_error *err)
{
    if (!w) return FRZ_OK;
    frz__mutex_lock(&w->append_mu);
    int rc = w->fresh ? frz__wal_new_segment(w, err) : FRZ_OK; /* what was refused shall not be replayed */
    frz__mutex_unlock(&w->append_mu);
    for (size_t i = 0; i < w->count; i++) {
        rc = frz__first(rc, frz__file_close(w->segments[i]->file, err));
        w->segments[i]->file = NULL;
    }
    wal_free(w);
    return rc;
}
