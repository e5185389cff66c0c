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

int frz__backup_purge(struct fs *dest, const allocator *a, uint64_t keep, uint64_t *removed, frz_error *err)
{
    struct backup_names names;
    char name[32], partial[32];
    int rc = FRZ_OK;
    TRY(frz__backup_names(dest, a, &names, err));
    if (removed) *removed = 0;
    for (size_t i = 0; i < names.partial_count; i++) {
        frz__backup_name(partial, names.partial[i], BACKUP_PARTIAL);
        CHECK(frz__backup_tree_remove(dest, partial, err));
    }
    for (size_t i = 0; keep && i + keep < names.count; i++) { /* its name goes first: what is half removed is no backup */
        frz__backup_name(name, names.numbers[i], "");
        frz__backup_name(partial, names.numbers[i], BACKUP_PARTIAL);
        CHECK(frz__fs_rename(dest, name, partial, err));
        CHECK(frz__fs_sync_dir(dest, "", SYNC_BACKUP_NAME, err));
        CHECK(frz__backup_tree_remove(dest, partial, err));
        if (removed) ++*removed;
    }
done:
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
    if (is_dir || strcmp(path, DB_BACKUP_MARK) == 0 || frz__backup_manifest_find(v->m, path)) return 0;
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
