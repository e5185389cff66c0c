#include "engine/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int frz__place_resolve(const char *path, char out[PATH_MAX], frz_error *err)
{
    char part[PATH_MAX], real[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return frz__err(err, n ? FRZ_TOO_LARGE : FRZ_INVALID, "a directory's path is %s", n ? "too long" : "empty");
    memcpy(part, path, n + 1);
    while (n > 1 && part[n - 1] == '/') part[--n] = 0;
    if (realpath(part, out)) return FRZ_OK;
    if (errno != ENOENT) return frz__err_os(err, errno, "%s", path);
    char *slash = strrchr(part, '/');
    const char *name = slash ? slash + 1 : part;
    if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
        return frz__err(err, FRZ_INVALID, "%s: the directory above it is not there", path);
    char last[NAME_MAX + 1];
    snprintf(last, sizeof last, "%s", name);
    if (slash) *slash = 0;
    if (!realpath(!slash ? "." : *part ? part : "/", real)) return frz__err(err, FRZ_IO, "%s: the directory above it is not there", path);
    int len = snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, last);
    return len > 0 && len < PATH_MAX ? FRZ_OK : frz__err(err, FRZ_TOO_LARGE, "%s: the path is too long", path);
}

bool frz__place_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && (path[n] == 0 || path[n] == '/' || (n == 1 && *dir == '/'));
}

int frz__place_outside(const char *path, bool itself, const char *what, frz_error *err)
{
    char dir[PATH_MAX], mark[PATH_MAX + 16];
    struct stat st;
    snprintf(dir, sizeof dir, "%s", path);
    for (bool first = true;; first = false) {
        snprintf(mark, sizeof mark, "%s/.frazil", dir);
        if ((itself || !first) && stat(mark, &st) == 0 && S_ISDIR(st.st_mode))
            return frz__err(err, FRZ_INVALID, "%s is in the warehouse %s: %s goes elsewhere", path, *dir ? dir : "/", what);
        char *slash = strrchr(dir, '/');
        if (!slash) return FRZ_OK;
        *slash = 0;
    }
}
