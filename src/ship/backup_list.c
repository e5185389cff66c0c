/* What is in a destination: names, the lock, removal, verification. */
#include "ship/backup.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_DIGITS 6

void frz__backup_name(char out[32], uint64_t number, const char *suffix)
{
    snprintf(out, 32, "%0*" PRIu64 "%s", NAME_DIGITS, number, suffix);
}

static int add_number(const allocator *a, uint64_t **at, size_t *count, size_t *cap, uint64_t number, frz_error *err)
{
    TRY(frz__grow(a, (void **)at, *count, cap, sizeof **at, err));
    (*at)[(*count)++] = number;
    return FRZ_OK;
}

struct listing {
    struct backup_names *n;
    frz_error *err;
};
static int on_name(void *ctx, const char *name, bool is_dir)
{
    struct listing *l = (struct listing *)ctx;
    struct backup_names *n = l->n;
    char again[32];
    char *end = NULL;
    if (!is_dir || *name < '0' || *name > '9' || strlen(name) > 30) return 0;
    uint64_t number = strtoull(name, &end, 10);
    frz__backup_name(again, number, "");
    if (number == 0 || strlen(again) != (size_t)(end - name) || strncmp(again, name, strlen(again)) != 0) return 0; /* not a name of ours */
    if (!*end) return add_number(n->a, &n->numbers, &n->count, &n->cap, number, l->err);
    if (strcmp(end, BACKUP_PARTIAL) == 0) return add_number(n->a, &n->partial, &n->partial_count, &n->partial_cap, number, l->err);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int frz__backup_names(struct fs *dest, const allocator *a, struct backup_names *out, frz_error *err)
{
    struct listing l = {out, err};
    *out = (struct backup_names){.a = a};
    int rc = frz__must_exist(frz__fs_list(dest, "", on_name, &l, err), err);
    if (rc < 0) frz__backup_names_clear(out);
    if (out->count) qsort(out->numbers, out->count, sizeof *out->numbers, by_number);
    if (out->partial_count) qsort(out->partial, out->partial_count, sizeof *out->partial, by_number);
    return rc;
}

void frz__backup_names_clear(struct backup_names *n)
{
    frz__free(n->a, n->numbers);
    frz__free(n->a, n->partial);
    *n = (struct backup_names){.a = n->a};
}

int frz__backup_lock(struct fs *dest, struct file **out, frz_error *err)
{
    bool got = false;
    TRY(frz__fs_open(dest, "LOCK", FS_OPEN_APPEND_OR_CREATE, out, err));
    int rc = frz__file_lock(*out, &got, err);
    if (rc >= 0 && !got) rc = frz__err(err, FRZ_BUSY, "%s: another process makes or removes backups there", dest->root);
    if (rc >= 0) return rc;
    (void)frz__file_close(*out, NULL);
    *out = NULL;
    return rc;
}

/* ── removal ── */

static int remove_one(void *ctx, const char *path, bool is_dir, frz_error *err)
{
    struct fs *fs = (struct fs *)ctx;
    int rc = is_dir ? frz__fs_rmdir(fs, path, err) : frz__fs_unlink(fs, path, err);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__backup_tree_remove(struct fs *fs, const char *dir, frz_error *err)
{
    int rc = frz__ship_walk(fs, fs->a, dir, remove_one, fs, err);
    if (rc < 0 || rc == FRZ_NOT_FOUND) return rc < 0 ? rc : FRZ_OK;
    rc = frz__fs_rmdir(fs, dir, err);
    return rc < 0 ? rc : FRZ_OK;
}

/* ── keeping the newest ── */

/* What a backup needs of the log's archive: all behind its sequence. */
struct need {
    bool kept;
    uint64_t sequence;
    char log_uuid[37];
    const char *source, *archive;
};

/* One without a BACKUP that holds can't be restored, and needs nothing. One that could not be read just now may need all: then nothing
 * is removed. */
static int read_needs(struct fs *dest, struct arena *ar, const struct backup_names *names, uint64_t keep, struct need *needs,
                      frz_error *err)
{
    for (size_t i = 0; i < names->count; i++) {
        struct backup_manifest m;
        char name[32];
        frz__backup_manifest_init(&m, ar->a);
        frz__backup_name(name, names->numbers[i], "");
        int rc = frz__backup_manifest_read(dest, name, &m, err);
        bool none = rc == FRZ_CORRUPT || rc == FRZ_NOT_FOUND;
        if (rc != FRZ_OK && !none) {
            frz__err_context(err, "nothing is removed: backup %" PRIu64 " can't be read", names->numbers[i]);
            frz__backup_manifest_clear(&m);
            return rc;
        }
        if (none) frz__err_clear(err);
        needs[i] = (struct need){.kept = i + keep >= names->count,
                                 .sequence = m.sequence,
                                 .source = frz__arena_strndup(ar, m.source, strlen(m.source)),
                                 .archive = frz__arena_strndup(ar, m.archive, strlen(m.archive))};
        if (!none) memcpy(needs[i].log_uuid, m.log_uuid, sizeof m.log_uuid);
        frz__backup_manifest_clear(&m);
        if (!needs[i].source || !needs[i].archive) return frz__err_no_memory(err, 0);
    }
    return FRZ_OK;
}

/* NEEDS[I]'s log: what lies before the oldest backup of it that is kept goes; all of it, where none is kept, and a kept one is of another log of the same database: it was restored. */
static int trim_log(const struct need *needs, size_t count, size_t i, struct fs *archive, const allocator *a, frz_error *err)
{
    const struct need *oldest = NULL;
    bool replaced = false;
    uint64_t gone = 0;
    for (size_t k = 0; k < count; k++) {
        bool same = strcmp(needs[k].log_uuid, needs[i].log_uuid) == 0;
        if (needs[k].kept && same && (!oldest || needs[k].sequence < oldest->sequence)) oldest = &needs[k];
        if (needs[k].kept && !same && *needs[k].log_uuid && strcmp(needs[k].source, needs[i].source) == 0) replaced = true;
    }
    if (oldest) return frz__wal_archive_trim(a, archive, needs[i].log_uuid, oldest->sequence + 1, &gone, err);
    return replaced ? frz__backup_tree_remove(archive, needs[i].log_uuid, err) : FRZ_OK;
}

static int trim_archives(const struct need *needs, size_t count, struct fs *given, const allocator *a, frz_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct fs *own = NULL;
        bool seen = !*needs[i].log_uuid || (!given && !*needs[i].archive);
        for (size_t k = 0; k < i && !seen; k++) seen = strcmp(needs[k].log_uuid, needs[i].log_uuid) == 0;
        if (seen) continue;
        int rc = given ? FRZ_OK : frz__fs_posix_new(a, needs[i].archive, FS_POSIX_ALLOW_REMOTE, &own, err);
        if (rc == FRZ_OK) rc = trim_log(needs, count, i, given ? given : own, a, err);
        frz__fs_free(own);
        if (rc < 0) frz__err_context(err, "the log's archive");
        TRY(rc);
    }
    return FRZ_OK;
}

/* The name goes first: what is half removed is no backup. */
static int remove_backup(struct fs *dest, uint64_t number, frz_error *err)
{
    char name[32], partial[32];
    frz__backup_name(name, number, "");
    frz__backup_name(partial, number, BACKUP_PARTIAL);
    TRY(frz__fs_rename(dest, name, partial, err));
    TRY(frz__fs_sync_dir(dest, "", SYNC_BACKUP_NAME, err));
    return frz__backup_tree_remove(dest, partial, err);
}

int frz__backup_purge(struct fs *dest, const allocator *a, uint64_t keep, struct fs *archive, uint64_t *removed, frz_error *err)
{
    struct backup_names names;
    struct arena ar = ARENA_INIT(a);
    struct need *needs = NULL;
    char partial[32];
    int rc = FRZ_OK;
    if (removed) *removed = 0;
    TRY(frz__backup_names(dest, a, &names, err));
    needs = (struct need *)frz__alloc_array(a, names.count + 1, sizeof *needs);
    CHECK(needs ? FRZ_OK : frz__err_no_memory(err, names.count * sizeof *needs));
    if (keep) CHECK(read_needs(dest, &ar, &names, keep, needs, err));
    for (size_t i = 0; i < names.partial_count; i++) {
        frz__backup_name(partial, names.partial[i], BACKUP_PARTIAL);
        CHECK(frz__backup_tree_remove(dest, partial, err));
    }
    if (keep == 0 || names.count == 0) goto done;
    for (size_t i = 0; i + keep < names.count; i++) {
        CHECK(remove_backup(dest, names.numbers[i], err));
        if (removed) ++*removed;
    }
    rc = trim_archives(needs, names.count, archive, a, err);
done:
    frz__free(a, needs);
    frz__arena_clear(&ar);
    frz__backup_names_clear(&names);
    return rc;
}

/* ── verification ── */

struct verifier {
    struct ship_copier *c;
    struct fs *fs;
    const struct backup_manifest *m;
    int (*fn)(void *ctx, const frz_finding *);
    void *ctx;
    uint64_t *findings;
};

static int found(struct verifier *v, const char *path, const char *what)
{
    const frz_finding f = {.struct_size = sizeof f, .table = "", .where = path, .what = what};
    ++*v->findings;
    return v->fn ? v->fn(v->ctx, &f) : 0;
}

static int verify_file(struct verifier *v, const struct backup_file *f, frz_error *err)
{
    uint64_t bytes = 0;
    uint32_t crc = 0;
    char what[200];
    frz_error why = {0};
    int rc = frz__ship_sum(v->c, v->fs, f->path, &bytes, &crc, &why);
    if (rc == FRZ_NO_MEMORY) return frz__err_no_memory(err, 0);
    if (rc != FRZ_OK) return found(v, f->path, rc == FRZ_NOT_FOUND ? "it is missing" : why.message);
    if (bytes == f->bytes && crc == f->crc) return 0;
    if (bytes != f->bytes)
        snprintf(what, sizeof what, "it has %" PRIu64 " bytes, and was backed up with %" PRIu64, bytes, f->bytes);
    else
        snprintf(what, sizeof what, "its checksum is %08" PRIx32 ", and was %08" PRIx32 " when it was backed up", crc, f->crc);
    return found(v, f->path, what);
}

static int on_file(void *ctx, const char *path, bool is_dir, frz_error *err)
{
    struct verifier *v = (struct verifier *)ctx;
    if (is_dir || strcmp(path, DB_BACKUP_MARK) == 0 || strncmp(path, ".frazil/", 8) == 0 /* who reads it may say so there */ || frz__backup_manifest_find(v->m, path)) return 0;
    return found(v, path, "BACKUP does not list it");
}

int frz__backup_verify(struct fs *dest, const allocator *a, uint64_t number, int (*fn)(void *ctx, const frz_finding *), void *ctx,
                       struct backup_manifest *m, uint64_t *findings, frz_error *err)
{
    struct ship_copier c;
    struct fs *fs = NULL;
    char name[32];
    struct verifier v = {.c = &c, .m = m, .fn = fn, .ctx = ctx, .findings = findings};
    frz__backup_name(name, number, "");
    frz__ship_copier_init(&c, a, NULL, NULL);
    int rc = frz__fs_sub_new(dest, name, &fs, err);
    if (rc == FRZ_OK) rc = frz__backup_manifest_read(dest, name, m, err);
    if (rc != FRZ_OK) goto done;
    v.fs = fs;
    if (m->number != number) rc = found(&v, DB_BACKUP_MARK, "it is another backup's");
    for (size_t i = 0; rc == FRZ_OK && i < m->count; i++) rc = verify_file(&v, &m->files[i], err);
    if (rc == FRZ_OK) rc = frz__ship_walk(fs, a, "", on_file, &v, err);
done:
    frz__ship_copier_clear(&c);
    frz__fs_free(fs);
    return rc;
}
