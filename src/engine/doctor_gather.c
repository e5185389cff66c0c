/* doctor_gather.c — the facts that the doctor judges: numbers, settings, the disk, and, where a writer runs, what it reports. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/doctor.h"
#include "engine/paths.h"

#define LEASE_OLD_US ((int64_t)24 * 3600 * 1000000)

struct folder { struct db *db; const char *dir, *prefix; bool old; int64_t now_us; uint64_t count; };
static int count_name(void *ctx, const char *name, bool is_dir)
{
    struct folder *f = (struct folder *)ctx;
    char path[PATH_BYTES];
    struct fs_stat st;
    frz_error ignored;
    (void)is_dir;
    if (strncmp(name, f->prefix, strlen(f->prefix)) != 0) return 0;
    if (f->old && (frz__path(path, &ignored, "%s/%s", f->dir, name) < 0 || frz__fs_stat(f->db->fs, path, &st, &ignored) != FRZ_OK || f->now_us - st.mtime_us < LEASE_OLD_US)) return 0;
    f->count++;
    return 0;
}
static uint64_t count_names(struct db *db, const char *dir, const char *prefix, bool old)
{
    struct folder f = {db, dir, prefix, old, frz__clock_wall_us(), 0};
    frz_error ignored;
    (void)!frz__fs_list(db->fs, dir, count_name, &f, &ignored); /* no such folder: none */
    return f.count;
}

static void take_disk(struct db *db, struct doctor_facts *f)
{
    struct statvfs v;
    f->remote = db->fs->remote;
    f->lost_dirs = count_names(db, ".frazil", "lost-", false);
    f->trash = count_names(db, ".frazil/trash", "", false);
    f->old_leases = count_names(db, ".frazil/readers", "", true);
    if (db->fs_borrowed || statvfs(db->root, &v) != 0) return;
    f->disk_bytes = (uint64_t)v.f_blocks * v.f_frsize;
    f->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
}

/* ERRNO with which a folder at PATH could not be written; 0 = it could. */
static int folder_trouble(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return errno;
    if (!S_ISDIR(st.st_mode)) return ENOTDIR;
    return access(path, W_OK | X_OK) == 0 ? 0 : errno;
}

static bool parent_is_well(const char *path)
{
    char dir[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    if (!slash) return false;
    snprintf(dir, sizeof dir, "%.*s", slash > path ? (int)(slash - path) : 1, path);
    return folder_trouble(dir) == 0;
}

/* TEXT: what F->archive_trouble points to. Nothing is written, so what only a write would meet is not seen; and who may not write the
 * warehouse can't say whether others may write its archive. */
static void take_archive(struct db *db, struct doctor_facts *f, char *text, size_t bytes)
{
    struct buf place = BUF_INIT(db->a, 0);
    char path[PATH_BYTES], why[128];
    frz_error err;
    int rc = frz__archive_place(db, &place, &err), e = 0;
    if (rc < 0) {
        snprintf(text, bytes, "%s", err.message);
        f->archive_trouble = text;
    }
    if (rc == FRZ_OK && !db->fs_borrowed && frz__path(path, &err, "%s", (const char *)place.data) >= 0) {
        e = folder_trouble(path);
        f->archive_gone = e == ENOENT && parent_is_well(path);
        if (e == 0 && frz__path(path, &err, "%s/%s", (const char *)place.data, db->log_uuid_text) >= 0) {
            e = folder_trouble(path);
            if (e == ENOENT) e = 0; /* it is made with the log's first segment there */
        }
        if (e == EACCES && access(db->root, W_OK) != 0) e = 0;
        if (e) snprintf(text, bytes, "%s: %s", path, strerror_r(e, why, sizeof why));
        if (e) f->archive_trouble = text;
    }
    buf_clear(&place);
}

static void take_table(struct table *t, struct doctor_table *out)
{
    out->name = t->name;
    out->s.struct_size = sizeof out->s;
    out->h.struct_size = sizeof out->h;
    frz__stats(t->db, t, &out->s);
    frz__health_get(t->db, t, &out->h);
    out->lost_rows = frz__table_lost(t, NULL);
    frz__mutex_lock(&t->view_mu);
    out->set = t->settings;
    frz__mutex_unlock(&t->view_mu);
    if (table_is_broken(t) || !atomic_load(&t->view)) return;
    struct version *v = frz__version_acquire(t);
    for (size_t i = 0; i < v->meta->snapshot_count; i++)
        if (v->meta->snapshots[i].timestamp_ms > out->newest_snapshot_ms) out->newest_snapshot_ms = v->meta->snapshots[i].timestamp_ms;
    out->refs = v->meta->ref_count > 0 ? v->meta->ref_count - 1 : 0;
    frz__version_release(v);
}

/* ── what a running writer says ── */

static void copy_text(char *out, size_t bytes, const struct json *v)
{
    slice s = frz__json_str(v);
    snprintf(out, bytes, "%.*s", (int)s.len, s.data ? (const char *)s.data : "");
}

/* PART and ADVICE point into V's document. */
static void take_health(const struct json *v, frz_health *h)
{
    slice c = frz__json_str(frz__json_get(v, "class")), part = frz__json_str(frz__json_get(v, "part")), advice = frz__json_str(frz__json_get(v, "advice"));
    int64_t severity = frz__json_int(frz__json_get(v, "severity"));
    *h = (frz_health){.struct_size = sizeof *h, .part = part.data ? (const char *)part.data : "", .advice = advice.data ? (const char *)advice.data : "", .tries = (uint32_t)frz__json_int(frz__json_get(v, "tries"))};
    h->severity = severity > FRZ_HEALTH_UNUSABLE ? FRZ_HEALTH_UNUSABLE : severity < 0 ? FRZ_HEALTH_OK : (int32_t)severity;
    for (int i = FRZ_CLASS_NONE; i <= FRZ_CLASS_OTHER; i++)
        if (slice_eq(c, slice_str(frz_class_name(i)))) h->error_class = i;
    copy_text(h->table, sizeof h->table, frz__json_get(v, "table"));
    copy_text(h->message, sizeof h->message, frz__json_get(v, "message"));
}

/* What this look at the disk has found, unless the writer knows worse: of files that were damaged under it, it may know nothing yet. */
static void take_worse(const struct json *v, frz_health *h)
{
    frz_health live;
    take_health(v, &live);
    if (live.severity >= h->severity) *h = live;
}

static void lay_over(const struct json *live, struct doctor_facts *f, struct doctor_table *tables)
{
    const struct json *list = frz__json_get(live, "tables");
    f->live = true;
    frz__stats_from_json(frz__json_get(live, "stats"), &f->s);
    take_worse(frz__json_get(live, "health"), &f->h);
    f->durability = (int)frz__json_int(frz__json_get(live, "durability"));
    f->memory_bytes = (uint64_t)frz__json_int(frz__json_get(live, "memory_bytes"));
    f->compaction_bytes_per_second = (uint64_t)frz__json_int(frz__json_get(live, "compaction_bytes_per_second"));
    f->memtable_bytes = (uint64_t)frz__json_int(frz__json_get(live, "memtable_bytes"));
    for (size_t i = 0; i < frz__json_len(list); i++) {
        const struct json *t = frz__json_at(list, i);
        for (size_t k = 0; k < f->table_count; k++) {
            if (!slice_eq(frz__json_str(frz__json_get(t, "name")), slice_str(tables[k].name))) continue;
            frz__stats_from_json(frz__json_get(t, "stats"), &tables[k].s);
            take_worse(frz__json_get(t, "health"), &tables[k].h);
        }
    }
}

int frz__doctor_run(struct db *db, slice live, doctor_fn fn, void *ctx, frz_error *err)
{
    struct doctor_facts f = {.live = !db->set.read_only, .durability = db->set.durability, .memory_bytes = db->set.memory_bytes, .memtable_bytes = db->set.memtable_bytes,
                             .compaction_bytes_per_second = db->set.compaction_bytes_per_second, .now_ms = frz__clock_wall_us() / 1000};
    struct json *doc = NULL;
    struct table **tables = NULL;
    struct doctor_table *facts = NULL;
    char archive[1200];
    if (live.data) TRY(frz__json_parse(live, &doc, err));
    frz__mutex_lock(&db->tables_mu);
    tables = (struct table **)frz__alloc_array(db->a, db->table_count + 1, sizeof *tables);
    for (size_t i = 0; tables && i < db->table_count; i++)
        if (!atomic_load(&db->tables[i]->dropped)) tables[f.table_count++] = frz__table_acquire(db->tables[i]);
    frz__mutex_unlock(&db->tables_mu);
    facts = (struct doctor_table *)frz__alloc_zero(db->a, (f.table_count + 1) * sizeof *facts);
    int rc = tables && facts ? FRZ_OK : frz__err_no_memory(err, f.table_count * sizeof *facts);
    if (rc == FRZ_OK) {
        f.s.struct_size = sizeof f.s;
        f.h.struct_size = sizeof f.h;
        frz__stats(db, NULL, &f.s);
        frz__health_get(db, NULL, &f.h);
        take_disk(db, &f);
        take_archive(db, &f, archive, sizeof archive);
        for (size_t i = 0; i < f.table_count; i++) take_table(tables[i], &facts[i]);
        f.tables = facts;
        if (doc) lay_over(doc, &f, facts);
        rc = frz__doctor(&f, fn, ctx);
    }
    for (size_t i = 0; tables && i < f.table_count; i++) frz__table_release(tables[i]);
    frz__free(db->a, tables);
    frz__free(db->a, facts);
    frz__json_free(doc);
    return rc;
}
