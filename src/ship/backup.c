/* backup.c — one backup, in the order of events.
 *
 *   1  DEST's lock; what was cut short goes; a number
 *   2  a snapshot of the database, and of each of its tables the version that is published                   ← the state that is backed up
 *   3  the versions' files come to <number>.partial; metadata is written as it is known here
 *   4  the copy is opened as the database that it will be: it is re-pointed; the memtables' rows are written to it and published
 *   5  what it does not need goes; of every file size and checksum; files and directories are synced
 *   6  BACKUP, then the name without `.partial`                                                             ← the backup is there
 *   7  older ones beyond `keep` go                                                                                            */
#include "ship/backup.h"

#include <stdio.h>

#include "engine/paths.h"
#include "engine/snapshot.h"
#include "engine/write.h"
#include "ship/table_list.h"
#include "types/row_conv.h"

#define TRIES       50 /* each with a file that went, beside a writer in another process */
#define BATCH_BYTES ((size_t)1 << 20)
#define COPY_MEMORY ((uint64_t)64 << 20) /* of the copy, while it is open */

struct source_table {
    struct table *t;         /* the snapshot's */
    struct view *view;       /* the snapshot's */
    struct version *version; /* counted */
};
struct job {
    struct db *db;
    const allocator *a;
    const struct backup_request *r;
    struct backup_manifest *m; /* the files of the source first, then of the copy */
    struct backup_manifest earlier;
    struct snapshot *snapshot;
    struct source_table *tables;
    size_t count;
    struct ship_copier c;
    struct fs *fs; /* <number>.partial */
    char name[32], partial[32];
    char *root; /* where it will be */
};

/* ── 2: the state ── */

static void release_state(struct job *j)
{
    for (size_t i = 0; i < j->count; i++) frz__version_release(j->tables[i].version);
    frz__free(j->a, j->tables);
    j->tables = NULL;
    j->count = 0;
    frz__snapshot_release(j->snapshot);
    j->snapshot = NULL;
}

static int check_tables(struct db *db, frz_error *err)
{
    int rc = FRZ_OK;
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count && rc == FRZ_OK; i++)
        if (table_is_broken(db->tables[i])) rc = frz__table_broken(db->tables[i], err);
    frz__mutex_unlock(&db->tables_mu);
    if (rc < 0) frz__err_context(err, "a database with a table that can't be read can't be backed up");
    return rc;
}

/* No earlier than anything that the snapshot holds: the clock may have been set back, the log's moments never go. */
static int64_t moment(struct db *db)
{
    int64_t logged = db->wal ? frz__wal_time_us(db->wal) : atomic_load(&db->log_time_us), now = frz__clock_wall_us();
    return logged > now ? logged : now;
}

/* The version is at least as new as the view: a commit comes before its view. If it has rows beyond the sequence, the state is taken again; what it has beyond the view is in the view's memtables, too. */
static int take_state(struct job *j, frz_error *err)
{
    bool whole = false;
    while (!whole) {
        release_state(j);
        TRY(frz__snapshot_take(j->db, &j->snapshot, err));
        j->m->time_us = moment(j->db);
        j->tables = (struct source_table *)frz__alloc_array(j->a, j->snapshot->count + 1, sizeof *j->tables);
        if (!j->tables) return frz__err_no_memory(err, j->snapshot->count * sizeof *j->tables);
        whole = true;
        for (size_t i = 0; i < j->snapshot->count && whole; i++) {
            const struct pinned_view *p = &j->snapshot->views[i];
            if (atomic_load(&p->table->dropped)) continue;
            struct version *v = frz__version_acquire(p->table);
            j->tables[j->count++] = (struct source_table){p->table, p->view, v};
            whole = frz__version_flushed(v, j->db->log_uuid_text) <= j->snapshot->seq;
        }
    }
    j->m->sequence = j->snapshot->seq;
    j->m->table_count = j->count;
    memcpy(j->m->log_uuid, j->db->log_uuid_text, sizeof j->m->log_uuid);
    return FRZ_OK;
}

/* ── 3: its files ── */

static int on_path(void *ctx, const char *path, uint64_t bytes, frz_error *err)
{
    struct job *j = (struct job *)ctx;
    j->c.at.files_total++;
    j->c.at.bytes_total += bytes;
    return frz__backup_manifest_add(j->m, path, bytes, NULL, err);
}

/* Version V's metadata as it is known here: its file may have fallen out of the metadata log since. */
static int write_metadata(struct job *j, const struct source_table *s, frz_error *err)
{
    struct buf json = BUF_INIT(j->a, 0);
    char path[PATH_BYTES], temp[PATH_BYTES], text[24];
    int rc = FRZ_OK;
    CHECK(frz__ice_meta_print(s->version->meta, &json, err));
    CHECK(frz__path(path, err, "%s/metadata", s->t->dir));
    CHECK(frz__ship_dir(&j->c, path, err));
    CHECK(frz__path(path, err, "%s/data", s->t->dir));
    CHECK(frz__ship_dir(&j->c, path, err));
    CHECK(frz__path(temp, err, "%s/metadata/.tmp-backup", s->t->dir));
    CHECK(frz__path(path, err, "%s/metadata/v%" PRId64 ".metadata.json", s->t->dir, s->version->number));
    CHECK(frz__durable_replace(j->fs, &(struct durable_name){temp, path, SYNC_BACKUP_FILE, SYNC_NONE}, buf_slice(&json), err));
    int n = snprintf(text, sizeof text, "%" PRId64, s->version->number);
    CHECK(frz__path(path, err, "%s/metadata/version-hint.text", s->t->dir));
    CHECK(frz__durable_replace(j->fs, &(struct durable_name){temp, path, SYNC_BACKUP_FILE, SYNC_NONE}, slice_of(text, (size_t)n), err));
done:
    buf_clear(&json);
    return rc;
}

/* FRZ_NOT_FOUND: a file is gone. What is here already stays: another try has most of it. */
static int take_files(struct job *j, frz_error *err)
{
    j->m->count = 0;
    j->c.at = (frz_backup_progress)FRZ_INIT(frz_backup_progress);
    for (size_t i = 0; i < j->count; i++) TRY(frz__table_list_files(j->tables[i].t, j->tables[i].version, false, on_path, j, err));
    for (size_t i = 0; i < j->m->count; i++) {
        int rc = frz__ship_take(&j->c, &j->m->files[i], false, err);
        if (rc != FRZ_OK) return rc;
    }
    for (size_t i = 0; i < j->count; i++) TRY(write_metadata(j, &j->tables[i], err));
    return FRZ_OK;
}

/* Of a table that an earlier try found, and that is dropped now, nothing may look like one. */
static int forget_metadata(void *ctx, const char *path, bool is_dir, frz_error *err)
{
    struct job *j = (struct job *)ctx;
    if (is_dir || !strstr(path, "/metadata/")) return FRZ_OK;
    int rc = frz__fs_unlink(j->fs, path, err);
    return rc < 0 ? rc : FRZ_OK;
}

static int take_source(struct job *j, frz_error *err)
{
    TRY(frz__fs_mkdir(j->r->dest, j->partial, err));
    TRY(frz__must_exist(frz__fs_sub_new(j->r->dest, j->partial, &j->fs, err), err));
    j->c.to = j->fs;
    TRY(frz__ship_dir(&j->c, ".frazil", err));
    for (int tries = 0; tries < TRIES; tries++) {
        TRY(check_tables(j->db, err));
        TRY(take_state(j, err));
        int rc = take_files(j, err);
        if (rc != FRZ_NOT_FOUND) return rc;
        TRY(frz__ship_walk(j->fs, j->a, "", forget_metadata, j, err));
        TRY(frz__db_refresh(j->db, err));
    }
    return frz__err(err, FRZ_BUSY, "%s: its files go faster than they can be backed up", j->db->root);
}

/* ── 4: the copy becomes a database ── */

struct applier {
    struct db *copy;
    struct write_batch *batch;
    struct buf row;
};

static int apply_batch(struct applier *p, size_t least, frz_error *err)
{
    if (p->batch->count == 0 || p->batch->bytes.len < least) return FRZ_OK;
    TRY(frz__write(p->copy, p->batch, FRZ_SYNC_OFF, -1, NULL, err));
    frz__write_batch_reset(p->batch);
    return FRZ_OK;
}

/* What M holds up to SEQ, the newest of each key. */
static int apply_mem(struct applier *p, struct table *to, frz_schema *now, struct mem *m, uint64_t seq, frz_error *err)
{
    struct iter *it = NULL;
    int rc = FRZ_OK;
    CHECK(frz__mem_iter_new(m, seq, slice_of(NULL, 0), slice_of(NULL, 0), false, &it, err));
    for (;;) {
        CHECK(iter_next(it, err));
        if (rc == FRZ_DONE) break;
        slice row = it->row;
        if (it->op == OP_PUT && m->schema->schema_id != now->schema_id) {
            buf_reset(&p->row);
            CHECK(frz__row_migrate(m->schema, row, now, &p->row, err));
            row = buf_slice(&p->row);
        }
        CHECK(frz__write_batch_op(p->batch, to, now, it->op, it->key, row, err));
        CHECK(apply_batch(p, BATCH_BYTES, err));
    }
    rc = apply_batch(p, 0, err);
done:
    iter_free(it);
    return rc;
}

static int apply_table(struct applier *p, const struct source_table *s, uint64_t seq, frz_error *err)
{
    struct table *to = NULL;
    int rc = frz__table_find(p->copy, s->t->name, &to, err);
    if (rc == FRZ_NOT_FOUND) return frz__err(err, FRZ_BUG, "%s: its copy is not there", s->t->name);
    TRY(rc);
    frz_schema *now = frz__table_schema(to);
    rc = frz__table_broken(to, err);
    for (size_t i = s->view->mem_count; rc >= 0 && i-- > 0;) rc = apply_mem(p, to, now, s->view->mems[i], seq, err); /* oldest first */
    if (rc >= 0) rc = frz__flush(to, err);
    frz__schema_release(now);
    frz__table_release(to);
    return rc;
}

static int open_copy(struct job *j, bool read_only, struct db **out, frz_error *err)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = read_only;
    o.no_compaction = true;
    o.durability = FRZ_SYNC_OFF; /* flushes sync what they publish; its log goes */
    o.memory_bytes = j->db->set.memory_bytes < COPY_MEMORY ? j->db->set.memory_bytes : COPY_MEMORY;
    o.allocator = j->a;
    int rc = frz__must_exist(frz__db_open_at(j->fs, j->root, 0, &o, out, err), err);
    if (rc >= 0) rc = check_tables(*out, err);
    if (rc < 0) frz__err_context(err, "the copy %s", j->partial);
    return rc;
}

static int settle_copy(struct job *j, frz_error *err)
{
    struct db *copy = NULL;
    struct applier p = {.row = BUF_INIT(j->a, 0)};
    int rc = FRZ_OK;
    CHECK(open_copy(j, false, &copy, err));
    p.copy = copy;
    CHECK(frz__write_batch_take(copy, &p.batch, err));
    for (size_t i = 0; i < j->count; i++) CHECK(apply_table(&p, &j->tables[i], j->m->sequence, err));
done:
    if (p.batch) frz__write_batch_give(copy, p.batch);
    buf_clear(&p.row);
    if (copy) rc = frz__first(rc, frz__db_close(copy, rc < 0 ? NULL : err));
    if (rc < 0) return rc;
    TRY(frz__backup_tree_remove(j->fs, ".frazil", err)); /* its log and lock: whoever restores it has his own */
    return frz__fs_mkdir(j->fs, ".frazil", err);
}

/* ── 5: what it has ── */

struct pruner {
    struct job *j;
    const struct backup_manifest *keep;
};
static int prune(void *ctx, const char *path, bool is_dir, frz_error *err)
{
    const struct pruner *p = (const struct pruner *)ctx;
    if (is_dir || frz__backup_manifest_find(p->keep, path)) return FRZ_OK;
    int rc = frz__fs_unlink(p->j->fs, path, err);
    return rc < 0 ? rc : FRZ_OK;
}

static int list_copy(struct job *j, frz_error *err)
{
    struct db *copy = NULL;
    int rc = open_copy(j, true, &copy, err);
    for (size_t i = 0; rc >= 0 && i < copy->table_count; i++)
        rc = frz__table_list_files(copy->tables[i], copy->tables[i]->version, true, on_path, j, err);
    if (copy) rc = frz__first(rc, frz__db_close(copy, rc < 0 ? NULL : err));
    return rc;
}

/* J->m becomes the list of the copy's files. What was taken from the source is known already. */
static int list_and_sum(struct job *j, frz_error *err)
{
    struct backup_manifest taken = *j->m;
    int rc = FRZ_OK;
    frz__backup_manifest_sort(&taken);
    j->m->files = NULL;
    j->m->count = j->m->cap = 0;
    j->c.at.files_total = j->c.at.bytes_total = 0;
    CHECK(list_copy(j, err));
    frz__backup_manifest_sort(j->m);
    CHECK(frz__ship_walk(j->fs, j->a, "", prune, &(struct pruner){j, j->m}, err));
    for (size_t i = 0; i < j->m->count; i++) {
        struct backup_file *f = &j->m->files[i];
        const struct backup_file *known = frz__backup_manifest_find(&taken, f->path),
                                 *old = frz__backup_manifest_find(&j->earlier, f->path);
        if (known && known->checked) {
            f->bytes = known->bytes;
            f->crc = known->crc;
        } else
            CHECK(frz__must_exist(frz__ship_sum(&j->c, j->fs, f->path, &f->bytes, &f->crc, err), err));
        if (old && old->crc == f->crc && old->bytes == f->bytes && !j->r->copy && !(known && known->anew)) continue;
        j->m->files_new++;
        j->m->bytes_new += f->bytes;
    }
done:
    frz__free(j->m->ar.a, taken.files); /* its strings are j->m's */
    return rc;
}

/* ── 6 ── */

static int finish(struct job *j, frz_error *err)
{
    struct buf text = BUF_INIT(j->a, 0);
    int rc = FRZ_OK;
    CHECK(frz__ship_sync_dirs(&j->c, err));
    CHECK(frz__backup_manifest_print(j->m, &text, err));
    CHECK(frz__durable_replace(j->fs, &(struct durable_name){".tmp-" DB_BACKUP_MARK, DB_BACKUP_MARK, SYNC_BACKUP_LIST, SYNC_BACKUP_DIR},
                               buf_slice(&text), err));
    CHECK(frz__fs_rename(j->r->dest, j->partial, j->name, err));
    CHECK_CTX(frz__fs_sync_dir(j->r->dest, "", SYNC_BACKUP_NAME, err), err, "%s/%s is whole, but may have no name after a power cut",
              j->r->dest_root, j->name);
done:
    buf_clear(&text);
    return rc;
}

/* ── the whole ── */

static int find_earlier(struct job *j, const struct backup_names *names, frz_error *err)
{
    char name[32];
    frz_error why;
    if (names->count == 0) return FRZ_OK;
    frz__backup_name(name, names->numbers[names->count - 1], "");
    int rc = frz__backup_manifest_read(j->r->dest, name, &j->earlier, &why);
    if (rc == FRZ_OK) {
        j->c.prev_files = &j->earlier;
        return frz__must_exist(frz__fs_sub_new(j->r->dest, name, &j->c.prev, err), err);
    }
    frz__log(&j->db->log, FRZ_LOG_WARN, "%s: nothing is taken from the earlier backup %s: %s", j->r->dest_root, name, why.message);
    frz__backup_manifest_clear(&j->earlier);
    return rc == FRZ_NO_MEMORY ? frz__err_no_memory(err, 0) : FRZ_OK;
}

static int begin(struct job *j, frz_error *err)
{
    struct backup_names names;
    const struct backup_request *r = j->r;
    TRY(frz__backup_purge(r->dest, j->a, 0, NULL, NULL, err)); /* what was cut short */
    TRY(frz__backup_names(r->dest, j->a, &names, err));
    j->m->number = names.count ? names.numbers[names.count - 1] + 1 : 1;
    int rc = find_earlier(j, &names, err);
    frz__backup_names_clear(&names);
    TRY(rc);
    frz__backup_name(j->name, j->m->number, "");
    frz__backup_name(j->partial, j->m->number, BACKUP_PARTIAL);
    size_t bytes = strlen(r->dest_root) + strlen(j->name) + 2;
    j->root = (char *)frz__alloc(j->a, bytes);
    if (j->root) snprintf(j->root, bytes, "%s/%s", r->dest_root, j->name);
    j->m->source = frz__arena_strndup(&j->m->ar, j->db->root, strlen(j->db->root));
    if (!j->root || !j->m->source) return frz__err_no_memory(err, bytes);
    struct buf place = BUF_INIT(j->a, 0);
    rc = frz__archive_place(j->db, &place, err);
    if (rc == FRZ_OK) j->m->archive = frz__arena_strndup(&j->m->ar, (const char *)place.data, place.len - 1);
    if (!j->m->archive) rc = frz__err_no_memory(err, place.len);
    buf_clear(&place);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__backup(struct db *db, const struct backup_request *r, struct backup_manifest *m, frz_error *err)
{
    struct job j = {.db = db, .a = db->a, .r = r, .m = m};
    struct file *lock = NULL;
    struct pin pin = {0};
    int rc = FRZ_OK;
    TRY(frz__db_check(db, err));
    frz__backup_manifest_init(&j.earlier, db->a);
    frz__ship_copier_init(&j.c, db->a, db->fs, NULL);
    j.c.log = &db->log;
    j.c.copy = r->copy;
    j.c.progress = r->progress;
    j.c.ctx = r->ctx;
    frz__db_pin(db, &pin, atomic_load(&db->seq_visible)); /* close says that it is busy */
    atomic_fetch_add(&db->backups, 1);
    CHECK(frz__backup_lock(r->dest, &lock, err));
    CHECK(begin(&j, err));
    CHECK(take_source(&j, err));
    CHECK(settle_copy(&j, err));
    CHECK(list_and_sum(&j, err));
    CHECK(finish(&j, err));
    if (r->keep)
        CHECK_CTX(frz__backup_purge(r->dest, db->a, r->keep, r->archive, NULL, err), err, "%s is whole, but older ones can't be removed",
                  j.root);
done:
    release_state(&j);
    atomic_fetch_sub(&db->backups, 1);
    frz__db_unpin(db, &pin);
    frz__fs_free(j.fs);
    frz__fs_free(j.c.prev);
    if (rc < 0 && lock && j.partial[0] && frz__backup_tree_remove(r->dest, j.partial, NULL) < 0)
        frz__log(&db->log, FRZ_LOG_INFO, "%s: %s is left to the next backup", r->dest_root, j.partial);
    rc = frz__first(rc, frz__file_close(lock, rc < 0 ? NULL : err));
    frz__ship_copier_clear(&j.c);
    frz__backup_manifest_clear(&j.earlier);
    frz__free(db->a, j.root);
    return rc;
}
