#include "engine/lease.h"

#include <stdio.h>
#include <unistd.h>

#include "base/coding.h"
#include "engine/paths.h"

#define MAGIC "FRZL"
#define VERSION 1
#define HEAD_BYTES 16
#define RECORD_BYTES 32
#define NAMES_MAX 1000 /* tried; two containers may give one pid twice */

struct lease {
    struct mutex mu; /* what follows */
    struct file *file;
    char path[LEASE_NAME_BYTES + 32];
    struct lease_record *said;
    size_t said_count;
};

/* ── bytes ── */

static uint32_t checksum(const uint8_t *head, slice records)
{
    return frz__crc32c(frz__crc32c(0, head, 12), records.data, records.len);
}

int frz__lease_encode(const struct lease_record *records, size_t count, struct buf *out, frz_error *err)
{
    uint8_t head[HEAD_BYTES] = MAGIC;
    if (count > LEASE_RECORDS_MAX) return frz__err(err, FRZ_TOO_LARGE, "a lease of %zu tables, expected at most %d", count, LEASE_RECORDS_MAX);
    size_t at = out->len;
    store_u16(head + 4, VERSION);
    store_u32(head + 8, (uint32_t)count);
    TRY(buf_append(out, head, sizeof head, err));
    for (size_t i = 0; i < count; i++) {
        TRY(buf_append(out, records[i].uuid, 16, err));
        TRY(buf_append_u64(out, (uint64_t)records[i].snapshot_id, err));
        TRY(buf_append_u64(out, (uint64_t)records[i].sequence, err));
    }
    store_u32(out->data + at + 12, checksum(out->data + at, slice_of(out->data + at + HEAD_BYTES, count * RECORD_BYTES)));
    return FRZ_OK;
}

int frz__lease_decode(slice b, struct arena *ar, struct lease_record **records, size_t *count, frz_error *err)
{
    if (!b.data || b.len < HEAD_BYTES || memcmp(b.data, MAGIC, 4) != 0) return frz__err_corrupt(err, "a lease of %zu bytes does not begin as one", b.len);
    uint32_t n = load_u32(b.data + 8);
    if (load_u16(b.data + 4) != VERSION) return frz__err(err, FRZ_NEWER_FORMAT, "a lease of version %u, expected %d", load_u16(b.data + 4), VERSION);
    if (n > LEASE_RECORDS_MAX || b.len - HEAD_BYTES < (size_t)n * RECORD_BYTES) return frz__err_corrupt(err, "a lease of %zu bytes says that it has %u tables", b.len, n);
    slice body = slice_of(b.data + HEAD_BYTES, (size_t)n * RECORD_BYTES);
    if (load_u32(b.data + 12) != checksum(b.data, body)) return frz__err_corrupt(err, "a lease's checksum does not fit its %u tables", n);
    *records = (struct lease_record *)arena_alloc(ar, (size_t)n * sizeof **records + 1, 8);
    if (!*records) return frz__err_no_memory(err, (size_t)n * sizeof **records);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *p = body.data + (size_t)i * RECORD_BYTES;
        struct lease_record *r = &(*records)[i];
        memcpy(r->uuid, p, 16);
        r->snapshot_id = (int64_t)load_u64(p + 16);
        r->sequence = (int64_t)load_u64(p + 24);
    }
    *count = n;
    return FRZ_OK;
}

/* ── a reader's own ── */

/* Which start of the machine: pids begin anew with it. */
static void boot_name(char out[9])
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    out[8] = 0;
    if (!f || fread(out, 1, 8, f) != 8 || strspn(out, "0123456789abcdef") < 8) memcpy(out, "00000000", 8);
    if (f) fclose(f);
}

/* The names of db->holds, each table's oldest. */
static int gather(struct db *db, struct lease_record **out, size_t *count, frz_error *err)
{
    size_t cap = 0, n = 0;
    int rc = FRZ_OK;
    frz__mutex_lock(&db->holds.mu);
    for (const struct hold *h = db->holds.first; h && rc >= 0; h = h->next) {
        struct lease_record r = {.snapshot_id = h->snapshot_id, .sequence = h->sequence};
        size_t i = 0;
        (void)frz__uuid_parse(h->uuid, 36, r.uuid);
        while (i < n && memcmp((*out)[i].uuid, r.uuid, sizeof r.uuid) != 0) i++;
        if (i == n) {
            rc = frz__grow(db->a, (void **)out, n, &cap, sizeof **out, err);
            if (rc >= 0) (*out)[n++] = r;
        } else if (r.sequence < (*out)[i].sequence) (*out)[i] = r;
    }
    frz__mutex_unlock(&db->holds.mu);
    *count = n;
    return rc;
}

static bool said_already(const struct lease *l, const struct lease_record *records, size_t count)
{
    if (count != l->said_count) return false;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < count && memcmp(l->said[k].uuid, records[i].uuid, 16) != 0) k++;
        if (k == count || l->said[k].sequence != records[i].sequence || l->said[k].snapshot_id != records[i].snapshot_id) return false;
    }
    return true;
}

int frz__lease_write(struct db *db, frz_error *err)
{
    struct lease *l = db->lease;
    struct lease_record *records = NULL;
    struct buf bytes = BUF_INIT(db->a, 0);
    size_t count = 0;
    int rc = FRZ_OK;
    if (!l) return FRZ_OK;
    frz__mutex_lock(&l->mu); /* gathered under it: what is written last is what was held last */
    CHECK(gather(db, &records, &count, err));
    if (said_already(l, records, count)) goto done;
    CHECK(frz__lease_encode(records, count, &bytes, err));
    CHECK(frz__file_write(l->file, 0, bytes.data, bytes.len, err));
    struct lease_record *old = l->said;
    l->said = records;
    l->said_count = count;
    records = old;
done:
    frz__mutex_unlock(&l->mu);
    frz__free(db->a, records);
    buf_clear(&bytes);
    return rc;
}

void frz__lease_settle(struct db *db)
{
    frz_error why;
    if (db->lease && frz__lease_write(db, &why) < 0) frz__log(&db->log, FRZ_LOG_WARN, "%s keeps more than it needs to: %s", db->lease->path, why.message);
}

static void lease_free(struct db *db, struct lease *l)
{
    if (!l) return;
    (void)frz__file_close(l->file, NULL);
    frz__mutex_clear(&l->mu);
    frz__free(db->a, l->said);
    frz__free(db->a, l);
}

/* Under a hidden name, locked and whole, before anybody looks at it. FRZ_EXISTS: the name is taken. */
static int make(struct db *db, struct lease *l, const char *temp, frz_error *err)
{
    struct buf bytes = BUF_INIT(db->a, 0);
    bool locked = false;
    int rc = frz__fs_open(db->fs, temp, FS_OPEN_CREATE_NEW, &l->file, err);
    if (rc != FRZ_OK) return rc;
    CHECK(frz__file_lock(l->file, &locked, err));
    CHECK(frz__lease_encode(NULL, 0, &bytes, err));
    CHECK(frz__file_write(l->file, 0, bytes.data, bytes.len, err));
    rc = locked ? frz__fs_link_new(db->fs, temp, l->path, err) : FRZ_EXISTS; /* a writer looked at it just now */
done:
    buf_clear(&bytes);
    if (rc == FRZ_OK) return rc;
    (void)!frz__fs_unlink(db->fs, temp, NULL);
    (void)frz__file_close(l->file, NULL);
    l->file = NULL;
    return rc;
}

static int open_any(struct db *db, struct lease *l, frz_error *err)
{
    static _Atomic uint64_t next;
    char boot[9], temp[LEASE_NAME_BYTES + 32];
    int rc = frz__fs_mkdir(db->fs, LEASE_DIR, err);
    if (rc < 0) return rc;
    boot_name(boot);
    for (int tries = 0; tries < NAMES_MAX; tries++) {
        unsigned long long n = atomic_fetch_add(&next, 1);
        snprintf(l->path, sizeof l->path, LEASE_DIR "/%s-%ld-%llu", boot, (long)getpid(), n);
        snprintf(temp, sizeof temp, LEASE_DIR "/.tmp-%s-%ld-%llu", boot, (long)getpid(), n);
        rc = make(db, l, temp, err);
        if (rc != FRZ_EXISTS) return rc;
    }
    return frz__err(err, FRZ_BUSY, "%d names of leases are taken", NAMES_MAX);
}

int frz__lease_open(struct db *db, frz_error *err)
{
    struct lease *l = NULL;
    frz_error why = {0};
    TRY(ALLOC_NEW(&l, db->a, struct lease, err));
    frz__mutex_init(&l->mu, RANK_SNAPSHOTS, "db.lease");
    int rc = open_any(db, l, &why);
    if (rc == FRZ_OK) {
        db->lease = l;
        return rc;
    }
    lease_free(db, l);
    if (rc == FRZ_NO_MEMORY) return frz__err(err, rc, "%s", why.message);
    frz__log(&db->log, FRZ_LOG_INFO, "no lease in " LEASE_DIR ": files that the writer expires are kept for the grace of foreign readers only: %s", why.message);
    return FRZ_OK;
}

void frz__lease_close(struct db *db)
{
    struct lease *l = db->lease;
    if (!l) return;
    db->lease = NULL;
    (void)!frz__fs_unlink(db->fs, l->path, NULL); /* if it can't be, the next writer sees that nobody has it */
    lease_free(db, l);
}

/* ── those of others ── */

static int read_one(struct db *db, struct leases *out, const char *name, struct file *f, frz_error *err)
{
    struct buf bytes = BUF_INIT(db->a, 0);
    uint64_t size = 0;
    size_t got = 0;
    struct lease_seen *s = &out->at[out->count++];
    *s = (struct lease_seen){0};
    snprintf(s->name, sizeof s->name, "%s", name);
    int rc = frz__file_size(f, &size, err);
    if (rc >= 0 && size > HEAD_BYTES + (uint64_t)LEASE_RECORDS_MAX * RECORD_BYTES) size = HEAD_BYTES + (uint64_t)LEASE_RECORDS_MAX * RECORD_BYTES;
    if (rc >= 0) rc = buf_reserve(&bytes, (size_t)size, err);
    if (rc >= 0) rc = frz__file_read(f, 0, bytes.data, (size_t)size, &got, err);
    if (rc >= 0) rc = frz__lease_decode(slice_of(bytes.data, got), &out->ar, &s->records, &s->count, err);
    buf_clear(&bytes);
    if (rc == FRZ_NO_MEMORY) return rc;
    s->unreadable = rc < 0;
    return FRZ_OK;
}

static int look_at(struct db *db, const char *name, bool look_only, struct leases *out, frz_error *err)
{
    char path[PATH_BYTES];
    struct file *f = NULL;
    bool free_now = false;
    TRY(frz__grow(db->a, (void **)&out->at, out->count, &out->cap, sizeof *out->at, err));
    TRY(frz__path(path, err, LEASE_DIR "/%s", name));
    int rc = frz__fs_open(db->fs, path, FS_OPEN_READ, &f, err);
    if (rc == FRZ_NOT_FOUND) return FRZ_OK; /* closed since */
    if (rc == FRZ_OK) rc = frz__file_lock(f, &free_now, err);
    if (rc == FRZ_OK && free_now) {
        if (!look_only) rc = frz__fs_unlink(db->fs, path, err);
        out->removed++;
        if (rc == FRZ_OK && !look_only) frz__log(&db->log, FRZ_LOG_INFO, "%s is removed: its process is gone", path);
        rc = rc == FRZ_NO_MEMORY ? rc : FRZ_OK; /* what can't be removed says nothing all the same */
    } else if (rc == FRZ_OK) rc = read_one(db, out, name, f, err);
    (void)frz__file_close(f, NULL);
    if (rc == FRZ_NO_MEMORY) return rc;
    out->unknown |= rc < 0;
    return FRZ_OK;
}

int frz__leases_read(struct db *db, bool look_only, bool all, struct leases *out, frz_error *err)
{
    struct buf names = BUF_INIT(db->a, 0);
    const char *name;
    *out = (struct leases){.ar = ARENA_INIT(db->a)};
    int rc = frz__names_list(db->fs, LEASE_DIR, false, &names, err);
    if (rc < 0 && rc != FRZ_NO_MEMORY) {
        out->unknown = true;
        rc = FRZ_OK;
    }
    for (size_t at = 0; rc >= 0 && (name = frz__names_next(&names, &at));) {
        if (strlen(name) >= LEASE_NAME_BYTES || (name[0] == '.' && !all)) continue;
        rc = look_at(db, name, look_only, out, err);
    }
    buf_clear(&names);
    if (rc < 0) frz__leases_clear(out);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__leases_sweep(struct db *db, frz_error *err)
{
    struct leases l;
    TRY(frz__leases_read(db, false, true, &l, err));
    frz__leases_clear(&l);
    return FRZ_OK;
}

void frz__leases_clear(struct leases *l)
{
    frz__free(l->ar.a, l->at);
    frz__arena_clear(&l->ar);
    *l = (struct leases){0};
}

bool frz__leases_need(const struct leases *l, const char *uuid, int64_t removed, const char **who)
{
    uint8_t id[16] = {0};
    (void)frz__uuid_parse(uuid, 36, id);
    if (who) *who = "";
    for (size_t i = 0; i < l->count; i++) {
        const struct lease_seen *s = &l->at[i];
        bool needs = s->unreadable;
        for (size_t k = 0; k < s->count && !needs; k++) needs = memcmp(s->records[k].uuid, id, 16) == 0 && s->records[k].sequence < removed;
        if (!needs) continue;
        if (who) *who = s->name;
        return true;
    }
    return l->unknown;
}
