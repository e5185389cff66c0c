/* db.c — opening and closing, in order.
 *
 * Open   root → lock and epoch → a first look at the log (whose is it?) → tables: metadata, files, masks → the log's rows into memtables → a new log segment → workers, who sweep up what a crash left (tidy.h)
 * Close  no pins → publish → workers joined → log synced and closed → tables → lock. What cannot be published stays in the log. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/flow.h"
#include "engine/lease.h"
#include "engine/paths.h"
#include "engine/recover.h"
#include "engine/tidy.h"
#include "engine/write.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#define FORK_MAGIC 0x6672617aU /* "fraz" */
#define READ_TRIES 50
#define BROKEN_TRIES 10 /* each with a table that is dropped or published while it is looked at; a table that is broken for good costs as many looks */

/* ── fork ── */

static int fork_page_new(struct db *db, frz_error *err)
{
    long bytes = sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return frz__err_no_memory(err, (size_t)bytes);
    (void)madvise(p, (size_t)bytes, MADV_WIPEONFORK);
    *(volatile uint32_t *)p = FORK_MAGIC;
    db->fork_page = p;
    return FRZ_OK;
}

int frz__db_check(struct db *db, frz_error *err)
{
    if (*(volatile uint32_t *)db->fork_page != FORK_MAGIC) return frz__err(err, FRZ_MISUSE, "%s was opened before fork(): open it again in the child", db->root);
    return FRZ_OK;
}

/* ── shared bits ── */

/* A spare one is taken and put back by one exchange; who finds none makes one. */
int frz__codec_take(struct db *db, struct codec_ctx **out, frz_error *err)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(db->codecs); i++) {
        if (!atomic_load_explicit(&db->codecs[i], memory_order_relaxed)) continue;
        *out = atomic_exchange_explicit(&db->codecs[i], NULL, memory_order_acquire);
        if (*out) return FRZ_OK;
    }
    return frz__codec_ctx_new(budget_of(db->budget, MEM_JOBS), out, err);
}

void frz__codec_give(struct db *db, struct codec_ctx *c)
{
    if (!c) return;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(db->codecs); i++) {
        struct codec_ctx *none = NULL;
        if (atomic_load_explicit(&db->codecs[i], memory_order_relaxed)) continue;
        if (atomic_compare_exchange_strong_explicit(&db->codecs[i], &none, c, memory_order_release, memory_order_relaxed)) return;
    }
    frz__codec_ctx_free(c);
}

void frz__db_pin_locked(struct db *db, struct pin *p, uint64_t seq)
{
    FRZ_ASSERT_HELD(&db->tables_mu);
    *p = (struct pin){.next = db->pin_list, .since_ns = frz__clock_mono_ns(), .seq = seq};
    if (p->next) p->next->prev = p;
    db->pin_list = p;
    db->pins++;
}

void frz__db_pin(struct db *db, struct pin *p, uint64_t seq)
{
    frz__mutex_lock(&db->tables_mu);
    frz__db_pin_locked(db, p, seq);
    frz__mutex_unlock(&db->tables_mu);
}

void frz__db_unpin(struct db *db, struct pin *p)
{
    frz__lease_settle(db); /* before: with the last pin the database may go */
    frz__mutex_lock(&db->tables_mu);
    if (p->prev) p->prev->next = p->next;
    else db->pin_list = p->next;
    if (p->next) p->next->prev = p->prev;
    db->pins--;
    frz__mutex_unlock(&db->tables_mu);
}

void frz__db_token(struct db *db, int64_t version, char out[64])
{
    uint32_t noise = 0;
    (void)!frz__random_bytes(&noise, sizeof noise, NULL);
    snprintf(out, 64, "%" PRIx64 "-%" PRId64 "-%" PRIu64 "-%08x", db->epoch, version, atomic_fetch_add(&db->name_counter, 1), noise);
}

/* ── open ── */

static int name_root(struct db *db, const char *root, frz_error *err)
{
    size_t n = strlen(root);
    db->root = frz__strdup(db->a, root);
    db->root_uri = (char *)frz__alloc(db->a, n + 8);
    if (!db->root || !db->root_uri) return frz__err_no_memory(err, n);
    snprintf(db->root_uri, n + 8, "file://%s", root);
    return FRZ_OK;
}

static int make_root(struct db *db, const char *path, frz_error *err)
{
    char real[PATH_MAX];
    if (!path || !*path) return frz__err(err, FRZ_INVALID, "a database's path is empty");
    int rc = frz__fs_posix_new(db->a, path, db->set.create, &db->fs, err);
    if (rc != FRZ_OK) return rc; /* FRZ_NOT_FOUND too: there is no directory */
    if (!realpath(path, real)) return frz__err_os(err, errno, "%s", path);
    return name_root(db, real, err);
}

/* A warehouse is a directory with .frazil in it; what else is in a directory without one is left alone. */
static int check_warehouse(struct db *db, frz_error *err)
{
    bool there = false, marked = false;
    TRY(frz__fs_exists(db->fs, DB_RESTORE_MARK, &marked, err));
    if (marked && !db->set.restoring)
        return frz__err(err, FRZ_UNSUPPORTED, "%s: a restore to it was begun and has not ended: if none is running, remove it and restore again", db->root);
    TRY(frz__fs_exists(db->fs, DB_BACKUP_MARK, &marked, err));
    if (marked && !db->set.read_only) return frz__err(err, FRZ_UNSUPPORTED, "%s is a backup: it can be read (open with read_only), or restored elsewhere", db->root);
    TRY(frz__fs_exists(db->fs, ".frazil", &there, err));
    if (there || db->set.create) return FRZ_OK;
    return frz__err(err, FRZ_NOT_FOUND, "%s is not a frazil warehouse: it has no .frazil folder (open with `create` to make one)", db->root);
}

static int look_at_log(struct db *db, struct wal_report *report, frz_error *err)
{
    TRY(frz__wal_look(db->a, NULL, db->fs, ".frazil/wal", report, err));
    if (report->found) memcpy(db->log_uuid, report->log_uuid, sizeof db->log_uuid);
    else TRY(frz__random_uuid(db->log_uuid, err));
    if (report->writer_epoch >= db->epoch) db->epoch = report->writer_epoch + 1;
    frz__uuid_format(db->log_uuid, db->log_uuid_text);
    return FRZ_OK;
}

static int open_log(struct db *db, const struct wal_report *report, frz_error *err)
{
    struct wal_options o = {.a = db->a, .log = &db->log, .dir = ".frazil/wal", .writer_epoch = db->epoch, .segment_bytes = db->set.log_segment_bytes, .recycle_max = 4, .archive = db->archive,
                            .archive_wait_max = db->set.log_archive_wait_max, .time_us = db->archive ? frz__clock_wall_us() : 0};
    struct wal_table *lines = (struct wal_table *)frz__alloc_array(db->a, db->table_count + 1, sizeof *lines);
    size_t n = 0;
    if (!lines) return frz__err_no_memory(err, db->table_count * sizeof *lines);
    memcpy(o.log_uuid, db->log_uuid, sizeof o.log_uuid);
    for (size_t i = 0; i < db->table_count; i++) {
        struct table *t = db->tables[i];
        t->table_no = db->next_table_no++; /* numbers of this writer: earlier segments bind others */
        if (table_is_broken(t)) continue;
        uint64_t published = atomic_load(&t->view)->flushed_seq + 1;
        frz__table_wal_line(t, t->version, published > t->low_water ? published : t->low_water, &lines[n++]);
    }
    int rc = frz__wal_open(db->fs, &o, report, db->seq_next, lines, n, &db->wal, err);
    frz__free(db->a, lines);
    return rc;
}

static void unload_tables(struct db *db)
{
    for (size_t i = 0; i < db->table_count; i++) frz__table_release(db->tables[i]);
    db->table_count = 0;
}

static int open_for_writing(struct db *db, frz_error *err)
{
    struct wal_report report = {0};
    uint64_t strange = UINT64_MAX;
    TRY(frz__lock_take(db, err));
    TRY(look_at_log(db, &report, err));
    TRY(frz__tables_load(db, err));
    frz__tables_tell_broken(db);
    TRY(frz__tables_settle(db, err));
    TRY(frz__recover_log(db, &report, &strange, err));
    TRY(frz__recover_tell_behind(db, &report, err));
    if (!db->set.no_tidy) TRY(frz__leases_sweep(db, err));
    TRY(frz__tidy_prepare(db, err));
    TRY(frz__archive_open(db, err));
    int rc = open_log(db, &report, err);
    if (rc == FRZ_NO_SPACE) { /* what a crash left may be what takes it */
        TRY(frz__tidy_now(db, err));
        rc = open_log(db, &report, err);
    }
    TRY(rc);
    frz__log_release(db); /* segments whose rows are all published: of earlier opens that wrote nothing, too */
    return frz__sched_start(db, err);
}

/* Beside a writer: a look at the log, metadata, the log's rows. If no segment was recycled between, whatever the metadata lacks is in the log. Else it is whole only if no table was published meanwhile. */
static int versions_moved(struct db *db, bool *moved, frz_error *err)
{
    *moved = false;
    for (size_t i = 0; i < db->table_count && !*moved; i++) {
        struct table *t = db->tables[i];
        char path[PATH_BYTES];
        bool there = false;
        if (!t->version) continue;
        TRY(frz__path(path, err, "%s/metadata/v%" PRId64 ".metadata.json", t->dir, t->version->number + 1));
        TRY(frz__fs_exists(db->fs, path, &there, err));
        *moved = there;
        TRY(frz__path(path, err, "%s/metadata/v%" PRId64 ".metadata.json", t->dir, t->version->number));
        TRY(frz__fs_exists(db->fs, path, &there, err));
        *moved |= !there; /* so many since that it fell out of the metadata log */
    }
    return FRZ_OK;
}

static bool any_broken(const struct db *db)
{
    bool any = false;
    for (size_t i = 0; i < db->table_count; i++) any |= atomic_load(&db->tables[i]->broken_code) == FRZ_CORRUPT;
    return any;
}

static int load_for_reading(struct db *db, frz_error *err)
{
    int rc = FRZ_OK;
    uint64_t strange = 0;
    for (int tries = 0; tries < READ_TRIES; tries++) {
        struct wal_report report = {0};
        bool moved = false;
        rc = look_at_log(db, &report, err);
        if (rc >= 0) rc = frz__tables_load(db, err);
        uint64_t first = report.first_segment;
        if (tries + 1 == READ_TRIES) strange = UINT64_MAX;
        if (rc >= 0) rc = frz__recover_log(db, &report, &strange, err);
        if (rc >= 0 && (!report.found || report.first_segment != first)) rc = versions_moved(db, &moved, err);
        if (rc >= 0 && !moved && tries < BROKEN_TRIES) moved = any_broken(db); /* a file may have gone while it was looked for */
        if (rc >= 0 && !moved && frz__recover_is_behind(db)) rc = versions_moved(db, &moved, err); /* published since, or an older copy? */
        if (rc >= 0 && !moved && !strange) {
            frz__tables_tell_broken(db);
            return frz__recover_tell_behind(db, &report, err);
        }
        if (rc < 0 && rc != FRZ_CORRUPT && rc != FRZ_BUSY) return rc;
        unload_tables(db); /* a file that went away while it was looked for, or a segment under the writer's pen: look again */
    }
    return rc < 0 ? rc : frz__err(err, FRZ_BUSY, "%s: its writer publishes faster than it can be read", db->root);
}

static int make_parts(struct db *db, const frz_db_options *o, frz_error *err)
{
    bool told = o && o->struct_size >= offsetof(frz_db_options, event_ctx) + sizeof o->event_ctx;
    TRY(fork_page_new(db, err));
    TRY(frz__events_new(db->a, (uint32_t)db->set.events_kept, told ? o->event : NULL, told ? o->event_ctx : NULL, &db->events, err));
    TRY(frz__epoch_new(db->a, &db->epochs, err));
    return frz__cache_new(budget_of(db->budget, MEM_CACHE), (size_t)frz__flow_shares(db->set.memory_bytes).cache, &db->cache, err);
}

static void free_db(struct db *db)
{
    struct budget *budget = db->budget;
    const allocator *a = db->a;
    unload_tables(db);
    frz__epoch_free(db->epochs);
    if (db->fs) frz__lease_close(db);
    (void)frz__wal_close(db->wal, NULL);
    frz__archive_close(db);
    frz__cache_free(db->cache);
    frz__arena_reserve_clear(&db->reserve);
    frz__arena_spares_clear(&db->spares);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(db->codecs); i++) frz__codec_ctx_free(atomic_load(&db->codecs[i]));
    for (size_t i = 0; i < db->batch_count; i++) {
        frz__write_batch_clear(db->batches[i]);
        frz__free(a, db->batches[i]);
    }
    if (db->fs) frz__lock_release(db);
    if (!db->fs_borrowed) frz__fs_free(db->fs);
    if (db->fork_page) munmap(db->fork_page, (size_t)sysconf(_SC_PAGESIZE));
    frz__mutex_clear(&db->tables_mu);
    frz__mutex_clear(&db->log_mu);
    frz__mutex_clear(&db->pins_mu);
    frz__mutex_clear(&db->flow_mu);
    frz__cond_clear(&db->flow_room);
    frz__mutex_clear(&db->tick_mu);
    frz__mutex_clear(&db->codec_mu);
    frz__mutex_clear(&db->jobs_mu);
    frz__cond_clear(&db->tick);
    frz__holds_clear(&db->holds);
    frz__events_free(db->events);
    frz__health_clear(&db->health);
    frz__rate_clear(&db->compact_rate);
    frz__cond_clear(&db->manual_gone);
    frz__free(a, db->tables);
    frz__free(a, db->root);
    frz__free(a, db->root_uri);
    frz__free(a, db);
    frz__budget_close(budget);
}

/* FS NULL: the directory PATH; else as if it were there. */
static int open_on(const char *path, struct fs *fs, unsigned flags, const frz_db_options *o, struct db **out, frz_error *err)
{
    int64_t since = frz__clock_mono_ns();
    struct db_settings set;
    struct db *db = NULL;
    struct budget *budget = NULL;
    const frz_allocator *host = o && o->struct_size >= offsetof(frz_db_options, allocator) + sizeof o->allocator ? o->allocator : NULL;
    TRY(frz__db_settings(o, &set, err));
    TRY(frz__budget_new(host, set.memory_bytes, &budget, err));
    if (ALLOC_NEW(&db, budget_of(budget, MEM_CALLS), struct db, err) < 0) {
        frz__budget_close(budget);
        return FRZ_NO_MEMORY;
    }
    db->budget = budget;
    db->a = budget_of(budget, MEM_CALLS);
    db->set = set;
    db->set.restoring = (flags & DB_RESTORING) != 0;
    db->reserve.a = budget_of(budget, MEM_MEMTABLES);
    uint64_t spare = frz__flow_shares(set.memory_bytes).memtables / 8; /* what flow.c leaves of the share */
    frz__arena_spares_init(&db->spares, budget_of(budget, MEM_MEMTABLES), set.read_only ? 0 : spare < set.memtable_bytes ? spare : set.memtable_bytes, (size_t)(set.memtable_bytes / (flow_is_small(set.memory_bytes) ? 32 : 8)));
    if (o && o->struct_size >= offsetof(frz_db_options, log_level) + sizeof o->log_level) db->log = (struct logger){o->log, o->log_ctx, o->log_level ? o->log_level : FRZ_LOG_WARN};
    db->next_table_no = 1;
    atomic_store(&db->next_file_no, 1);
    frz__mutex_init(&db->tables_mu, RANK_DB_TABLES, "db.tables");
    frz__mutex_init(&db->log_mu, RANK_LOG_GROUP, "db.log");
    frz__mutex_init(&db->pins_mu, RANK_SNAPSHOTS, "db.pins");
    db->pins_end = &db->pins_first;
    frz__mutex_init(&db->flow_mu, RANK_FLOW, "db.flow");
    frz__cond_init(&db->flow_room);
    frz__mutex_init(&db->tick_mu, RANK_POOL, "db.tick");
    frz__mutex_init(&db->codec_mu, RANK_LEAF, "db.codecs");
    frz__mutex_init(&db->jobs_mu, RANK_LEAF, "db.jobs");
    frz__cond_init(&db->tick);
    frz__holds_init(&db->holds);
    frz__health_init(&db->health);
    frz__rate_init(&db->compact_rate, set.compaction_bytes_per_second, frz__clock_mono_ns());
    frz__cond_init(&db->manual_gone);
    db->fs = fs;
    db->fs_borrowed = fs != NULL;
    if (fs) db->set.watch = false; /* no other process sees the caller's own */
    int rc = fs ? name_root(db, path, err) : make_root(db, path, err);
    if (rc == FRZ_OK) rc = make_parts(db, o, err);
    if (rc == FRZ_OK) rc = check_warehouse(db, err);
    if (rc == FRZ_OK && set.read_only) rc = frz__lease_open(db, err);
    if (rc == FRZ_OK) rc = set.read_only ? load_for_reading(db, err) : open_for_writing(db, err);
    if (rc != FRZ_OK) {
        if (rc < 0 && err && db->root && !strstr(err->message, db->root)) frz__err_context(err, "%s", db->root); /* paths are relative to it */
        if (db->pool) frz__sched_stop(db);
        free_db(db);
        return rc;
    }
    frz__event(db, NULL, FRZ_EVENT_OPEN, &(struct event_info){.duration_us = (uint64_t)(frz__clock_mono_ns() - since) / 1000, .rows_in = stat_get(&db->recovered_batches), .bytes_in = stat_get(&db->recovered_bytes)});
    *out = db;
    return FRZ_OK;
}

int frz__db_open(const char *path, const frz_db_options *o, struct db **out, frz_error *err) { return open_on(path, NULL, 0, o, out, err); }
int frz__db_open_fs(struct fs *fs, const frz_db_options *o, struct db **out, frz_error *err) { return open_on(fs->base ? fs->root : "/mem", fs, 0, o, out, err); }
int frz__db_open_at(struct fs *fs, const char *root, unsigned flags, const frz_db_options *o, struct db **out, frz_error *err) { return open_on(root, fs, flags, o, out, err); }

int frz__db_close(struct db *db, frz_error *err)
{
    int64_t since = frz__clock_mono_ns();
    int rc = FRZ_OK;
    frz__mutex_lock(&db->tables_mu);
    size_t pins = db->pins;
    frz__mutex_unlock(&db->tables_mu);
    if (pins) return frz__err(err, FRZ_BUSY, "%s: %zu of its snapshots, cursors and Arrow streams are still open", db->root, pins);
    frz__tidy_stop(db);
    frz__compact_manual_stop(db);
    if (!db->set.read_only && !db->set.no_close_flush) {
        for (size_t i = 0; i < db->table_count; i++) {
            if (table_is_broken(db->tables[i])) continue;
            frz_error one;
            int flushed = frz__flush(db->tables[i], rc < 0 ? &one : err);
            rc = frz__first(rc, flushed);
        }
        frz__tidy_rest(db);
    }
    if (db->pool) frz__sched_stop(db);
    if (db->wal) rc = frz__first(rc, frz__wal_sync(db->wal, rc < 0 ? NULL : err));
    if (db->wal && rc >= 0) frz__archive_rest(db);
    frz__event(db, NULL, FRZ_EVENT_CLOSE, &(struct event_info){.duration_us = (uint64_t)(frz__clock_mono_ns() - since) / 1000, .status = rc});
    free_db(db);
    return rc;
}

/* ── refresh: a read-only database takes up what was published and logged since ── */

/* OLD, which handles point to and other threads read by, becomes what FRESH is, which is ours alone. Of a table that has become unreadable, the last version and view stay: a reader who has just found it
 * usable goes on with them. */
static void take_over(struct table *old, struct table *fresh)
{
    struct view *view = atomic_exchange(&fresh->view, NULL);
    if (fresh->version) {
        frz__mutex_lock(&old->commit_mu);
        struct version *version = old->version;
        old->version = fresh->version;
        fresh->version = version; /* goes with FRESH */
        frz__mutex_unlock(&old->commit_mu);
        atomic_store(&old->format_version, atomic_load(&fresh->format_version));
    }
    frz__mutex_lock(&old->view_mu);
    old->settings = fresh->settings;
    if (view) {
        const frz_schema *kept = old->schema_count ? old->schemas[old->schema_count - 1] : NULL;
        if (!kept || kept->schema_id != view->schema->schema_id || !frz__schema_same(kept, view->schema))
            (void)!frz__table_keep_schema_locked(old, view->schema, NULL); /* no more than rows of it being filled by later states hangs on it */
        old->active = fresh->active;
        old->rot_seq = fresh->rot_seq;
        frz__view_install_locked(old, view);
    }
    char *broken = old->broken;
    old->broken = fresh->broken;
    fresh->broken = broken;
    char *lost_rows = old->lost_rows;
    old->lost_rows = fresh->lost_rows;
    fresh->lost_rows = lost_rows;
    atomic_store(&old->broken_code, atomic_load(&fresh->broken_code)); /* last: who finds it usable finds its version and view */
    frz__mutex_unlock(&old->view_mu);
}

/* One whose metadata can't be read just now is known by its name alone: it may be readable at the next look. */
static bool same_table(const struct table *old, const struct table *fresh)
{
    return fresh->uuid[0] ? strcmp(fresh->uuid, old->uuid) == 0 : strcmp(fresh->name, old->name) == 0;
}

int frz__db_refresh(struct db *db, frz_error *err)
{
    if (!db->set.read_only) return FRZ_OK;
    frz__mutex_lock(&db->tables_mu);
    struct table **old = db->tables;
    size_t old_count = db->table_count, old_cap = db->table_cap;
    db->tables = NULL;
    db->table_count = db->table_cap = 0;
    int rc = load_for_reading(db, err);
    if (rc < 0) { /* what was readable stays so */
        unload_tables(db);
        frz__free(db->a, db->tables);
        db->tables = old;
        db->table_count = old_count;
        db->table_cap = old_cap;
        frz__mutex_unlock(&db->tables_mu);
        return rc;
    }
    for (size_t k = 0; k < old_count; k++) {
        size_t i = 0;
        while (i < db->table_count && !same_table(old[k], db->tables[i])) i++;
        if (i == db->table_count) {
            atomic_store(&old[k]->dropped, true);
            frz__table_release(old[k]);
            continue;
        }
        take_over(old[k], db->tables[i]);
        frz__table_release(db->tables[i]);
        db->tables[i] = old[k];
    }
    frz__free(db->a, old);
    frz__mutex_unlock(&db->tables_mu);
    frz__epoch_collect(db->epochs); /* the views of before, unless somebody reads them */
    frz__lease_settle(db);
    return FRZ_OK;
}
