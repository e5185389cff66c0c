#include "engine/paths.h"

#include <stdarg.h>
#include <stdio.h>

int frz__path(char out[PATH_BYTES], frz_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, PATH_BYTES, fmt, ap);
    va_end(ap);
    if (n >= 0 && n < PATH_BYTES) return FRZ_OK;
    return frz__err(err, FRZ_TOO_LARGE, "a path of %d bytes, expected at most %d: %.200s…", n, PATH_BYTES - 1, out);
}

int frz__path_relative(const struct table *t, slice location, slice path, char **out, frz_error *err)
{
    slice rest;
    if (!frz__ice_path_within(location, path, &rest) || memmem(path.data, path.len, "/../", 4))
        return frz__err(err, FRZ_UNSUPPORTED, "%s: file %.*s is not under the table's location %.*s", t->name, (int)path.len, path.data, (int)location.len, location.data);
    size_t dir = strlen(t->dir);
    char *p = (char *)frz__alloc(t->a, dir + rest.len + 1);
    if (!p) return frz__err_no_memory(err, dir + rest.len + 1);
    memcpy(p, t->dir, dir);
    memcpy(p + dir, rest.data, rest.len);
    p[dir + rest.len] = 0;
    *out = p;
    return FRZ_OK;
}

int frz__data_file_new(struct table *t, slice location, const char *name, struct file **out, char **path, char **uri, frz_error *err)
{
    char relative[PATH_BYTES];
    size_t uri_bytes = location.len + strlen(name) + sizeof "/data/";
    TRY(frz__path(relative, err, "%s/data/%s", t->dir, name));
    *path = frz__strdup(t->a, relative);
    *uri = (char *)frz__alloc(t->a, uri_bytes);
    int rc = *path && *uri ? FRZ_OK : frz__err_no_memory(err, uri_bytes);
    if (rc >= 0) {
        snprintf(*uri, uri_bytes, "%.*s/data/%s", (int)location.len, location.data, name);
        rc = frz__fs_open(t->db->fs, relative, FS_OPEN_CREATE_NEW, out, err);
        if (rc == FRZ_EXISTS) rc = frz__err(err, FRZ_BUG, "a fresh file name is taken: %s", relative);
    }
    if (rc == FRZ_OK) return rc;
    frz__free(t->a, *path);
    frz__free(t->a, *uri);
    *path = *uri = NULL;
    return rc;
}

/* ── names in a folder ── */

struct listing { struct buf *names; bool dirs; frz_error *err; };
static int on_name(void *ctx, const char *name, bool is_dir)
{
    const struct listing *l = (const struct listing *)ctx;
    if (is_dir != l->dirs || (is_dir && name[0] == '.')) return 0;
    return buf_append(l->names, name, strlen(name) + 1, l->err);
}

int frz__names_list(struct fs *fs, const char *dir, bool dirs, struct buf *names, frz_error *err)
{
    struct listing l = {names, dirs, err};
    buf_reset(names);
    return frz__fs_list(fs, dir, on_name, &l, err);
}

const char *frz__names_next(const struct buf *names, size_t *at)
{
    if (*at >= names->len) return NULL;
    const char *name = (const char *)names->data + *at;
    *at += strlen(name) + 1;
    return name;
}
