#include "engine/trash.h"

#include <string.h>

#include "engine/paths.h"

#define DEPTH_MAX 128 /* of folders in folders: one more is an error, not a stack that overflows */
#define TREE_PATH_BYTES ((size_t)4096)

struct tree { struct db *db; bool remove; struct buf path; uint64_t bytes; };

/* 'd' or 'f', the name, a NUL. */
struct entries { struct buf *names; frz_error *err; };
static int on_entry(void *ctx, const char *name, bool is_dir)
{
    const struct entries *e = (const struct entries *)ctx;
    int rc = buf_append_byte(e->names, is_dir ? 'd' : 'f', e->err);
    return rc < 0 ? rc : buf_append(e->names, name, strlen(name) + 1, e->err);
}

static int one_file(struct tree *t, frz_error *err)
{
    struct fs_stat st = {0};
    const char *path = (const char *)t->path.data;
    if (t->remove) return frz__fs_unlink(t->db->fs, path, err);
    TRY(frz__fs_stat(t->db->fs, path, &st, err));
    t->bytes += st.bytes;
    return FRZ_OK;
}

/* t->path, with a NUL behind it, is a folder; so it is afterwards. */
static int walk(struct tree *t, unsigned depth, frz_error *err)
{
    struct buf names = BUF_INIT(t->db->a, 0);
    const size_t end = t->path.len - 1;
    frz_error why;
    struct entries e = {&names, err};
    int first = FRZ_OK, rc = frz__fs_list(t->db->fs, (const char *)t->path.data, on_entry, &e, err);
    if (rc == FRZ_OK && depth > DEPTH_MAX)
        rc = frz__err(err, FRZ_TOO_LARGE, "%s: more than %d folders in each other", (const char *)t->path.data, DEPTH_MAX);
    for (size_t at = 0; rc == FRZ_OK && at < names.len;) {
        const char *entry = (const char *)names.data + at;
        at += strlen(entry) + 1;
        t->path.len = end;
        int one = buf_append_byte(&t->path, '/', &why);
        if (one >= 0) one = buf_append(&t->path, entry + 1, strlen(entry), &why);
        if (one >= 0) one = *entry == 'd' ? walk(t, depth + 1, &why) : one_file(t, &why);
        if (one < 0 && first == FRZ_OK) {
            first = one;
            if (err) *err = why;
        }
    }
    t->path.len = end + 1;
    t->path.data[end] = 0;
    buf_clear(&names);
    if (rc != FRZ_OK || first != FRZ_OK) return rc < 0 ? rc : first; /* not there: gone meanwhile */
    if (t->remove) rc = frz__fs_rmdir(t->db->fs, (const char *)t->path.data, err);
    return rc < 0 ? rc : FRZ_OK;
}

static int walk_all(struct db *db, const char *dir, bool remove, uint64_t *bytes, frz_error *err)
{
    struct tree t = {.db = db, .remove = remove, .path = BUF_INIT(db->a, TREE_PATH_BYTES)};
    int rc = buf_append(&t.path, dir, strlen(dir) + 1, err);
    if (rc >= 0) rc = walk(&t, 1, err);
    buf_clear(&t.path);
    if (bytes) *bytes = t.bytes;
    return rc;
}

int frz__trash_bytes(struct db *db, const char *dir, uint64_t *bytes, frz_error *err) { return walk_all(db, dir, false, bytes, err); }

int frz__trash_empty(struct db *db, frz_error *err)
{
    struct buf names = BUF_INIT(db->a, 0);
    char path[PATH_BYTES];
    const char *name;
    int first = FRZ_OK, rc = frz__names_list(db->fs, TRASH_DIR, true, &names, err);
    for (size_t at = 0; rc >= 0 && (name = frz__names_next(&names, &at));) {
        frz_error why;
        int one = frz__path(path, &why, TRASH_DIR "/%s", name);
        if (one >= 0) one = walk_all(db, path, true, NULL, &why);
        if (one >= 0 || first != FRZ_OK) continue;
        first = one;
        if (err) *err = why;
    }
    buf_clear(&names);
    return rc < 0 ? rc : first;
}
