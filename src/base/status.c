#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMES(X)                                                                                                                           \
    X(OK) X(NOT_FOUND) X(DONE) X(EXISTS) X(INVALID) X(MISUSE) X(READ_ONLY) X(TOO_LARGE) X(UNSUPPORTED) X(BUSY) X(SNAPSHOT_TOO_OLD) X(CANCELLED) \
    X(NO_MEMORY) X(NO_SPACE) X(IO) X(CORRUPT) X(NEWER_FORMAT) X(CONFLICT) X(BUG)

static_assert(sizeof(frz_error) == 512, "frz_error is frozen");

const char *frz_status_name(int status)
{
    switch (status) {
#define X(name) case FRZ_##name: return "FRZ_" #name;
        NAMES(X)
#undef X
    default: return "FRZ_UNKNOWN";
    }
}

const char *frz_version(void)
{
#define STR2(x) #x
#define STR(x)  STR2(x)
    return STR(FRZ_VERSION_MAJOR) "." STR(FRZ_VERSION_MINOR) "." STR(FRZ_VERSION_PATCH);
}

/* A cut message must not end inside a UTF-8 sequence: drop the partial one. */
static void trim_utf8(char *s, size_t cap)
{
    size_t n = strlen(s);
    if (n + 1 < cap) return;
    size_t i = n;
    while (i > 0 && n - i < 3 && ((unsigned char)s[i - 1] & 0xC0) == 0x80) i--;
    if (i == 0) return;
    unsigned char lead = (unsigned char)s[i - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (need > 1 && n - (i - 1) < need) s[i - 1] = 0;
}

static void fill(frz_error *err, int code, int os_errno, const char *fmt, va_list ap)
{
    if (!err) return;
    err->code = code;
    err->os_errno = os_errno;
    int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
    if (n < 0) err->message[0] = 0;
    trim_utf8(err->message, sizeof err->message);
}

/* What the analyser is told of these (status.h) does not hold for their definitions. */
#undef frz__err
#undef frz__err_os
#undef frz__err_corrupt
#undef frz__err_no_memory
int frz__err(frz_error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, 0, fmt, ap);
    va_end(ap);
    return code;
}

int frz__err_corrupt(frz_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(err, FRZ_CORRUPT, 0, fmt, ap);
    va_end(ap);
    return FRZ_CORRUPT;
}

static int code_of_errno(int e)
{
    switch (e) {
    case ENOSPC: case EDQUOT: case EFBIG: return FRZ_NO_SPACE;
    case EROFS: case EACCES: case EPERM: return FRZ_READ_ONLY;
    case ENOENT: return FRZ_NOT_FOUND;
    case EEXIST: return FRZ_EXISTS;
    case ENOMEM: return FRZ_NO_MEMORY;
    default: return FRZ_IO;
    }
}

int frz__err_os(frz_error *err, int os_errno, const char *fmt, ...)
{
    int code = code_of_errno(os_errno);
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, os_errno, fmt, ap);
    va_end(ap);
    if (err) {
        size_t n = strlen(err->message);
        char text[128];
        snprintf(err->message + n, sizeof err->message - n, ": %s", strerror_r(os_errno, text, sizeof text));
        trim_utf8(err->message, sizeof err->message);
    }
    return code;
}

int frz__err_no_memory(frz_error *err, size_t bytes) { return frz__err(err, FRZ_NO_MEMORY, "out of memory: %zu bytes were refused", bytes); }

void frz__err_context(frz_error *err, const char *fmt, ...)
{
    if (!err) return;
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    if (n < 0) n = 0;
    if ((size_t)n < sizeof err->message) snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s", old);
    trim_utf8(err->message, sizeof err->message);
}

void frz__err_clear(frz_error *err)
{
    if (err) *err = (frz_error){0};
}
