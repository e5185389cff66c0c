/* status.h — result codes, messages, and the idioms that carry them.
 *
 * Design      a function gives `int rc`: < 0 error, 0 ok, > 0 outcome. The message goes into the caller's frz_error, which may be NULL. What is
 *             raised once is passed up unchanged; context is put before the message, never in place of it.
 * Invariants  (1) a message ends up NUL-terminated and whole UTF-8  (2) corruption is raised by frz__err_corrupt alone: one breakpoint sees it
 *             (3) FRZ_ASSERT is for our own mistakes; bytes from disk, network or user are checked, never asserted
 * Threads     none: an error belongs to its caller                                                                                         */
#ifndef FRZ_BASE_STATUS_H
#define FRZ_BASE_STATUS_H
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include "frazil.h"

#define FRZ_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Each returns CODE, so that `return frz__err(err, FRZ_INVALID, "…")` raises in one line. */
int frz__err(frz_error *err, int code, const char *fmt, ...) FRZ_PRINTF(3, 4);
int frz__err_corrupt(frz_error *err, const char *fmt, ...) FRZ_PRINTF(2, 3);
/* From errno: ENOSPC, EDQUOT, EFBIG → FRZ_NO_SPACE; EROFS, EACCES, EPERM → FRZ_READ_ONLY; ENOENT → FRZ_NOT_FOUND; EEXIST → FRZ_EXISTS; ENOMEM → FRZ_NO_MEMORY; else FRZ_IO. Appends
 * strerror. A missing file that must be there is the caller's to turn into FRZ_CORRUPT. */
int frz__err_os(frz_error *err, int os_errno, const char *fmt, ...) FRZ_PRINTF(3, 4);
int frz__err_no_memory(frz_error *err, size_t bytes);
#ifdef __clang_analyzer__ /* looks at one file at a time: it is told what these give back, or it walks on from a failed allocation */
#define frz__err_no_memory(err, bytes) ((void)frz__err_no_memory((err), (bytes)), FRZ_NO_MEMORY)
#define frz__err(err, code, ...) ((void)frz__err((err), (code), __VA_ARGS__), (code))
#define frz__err_os(err, os_errno, ...) ((void)frz__err_os((err), (os_errno), __VA_ARGS__), FRZ_IO)
#define frz__err_corrupt(...) ((void)frz__err_corrupt(__VA_ARGS__), FRZ_CORRUPT)
#endif
/* Puts "context: " before the message; keeps the code. */
void frz__err_context(frz_error *err, const char *fmt, ...) FRZ_PRINTF(2, 3);
void frz__err_clear(frz_error *err);

/* The first error of two results, for closing after a failure. */
static inline int frz__first(int rc, int later) { return rc < 0 ? rc : later < 0 ? later : rc; }

/* TRY while nothing is owned; CHECK once something is: `rc` and `done:` are the function's. Outcomes (> 0) pass: look at rc. */
#define TRY(expr)                                                                                                                          \
    do {                                                                                                                                   \
        int try_rc_ = (expr);                                                                                                              \
        if (try_rc_ < 0) return try_rc_;                                                                                                   \
    } while (0)
#define CHECK(expr)                                                                                                                        \
    do {                                                                                                                                   \
        rc = (expr);                                                                                                                       \
        if (rc < 0) goto done;                                                                                                             \
    } while (0)
#define CHECK_CTX(expr, err, ...)                                                                                                          \
    do {                                                                                                                                   \
        rc = (expr);                                                                                                                       \
        if (rc < 0) {                                                                                                                      \
            frz__err_context((err), __VA_ARGS__);                                                                                          \
            goto done;                                                                                                                     \
        }                                                                                                                                  \
    } while (0)

/* Debug, sanitizer and fuzz builds. */
#ifdef NDEBUG
#define FRZ_ASSERT(x) ((void)sizeof(x))
#else
#define FRZ_ASSERT(x) assert(x)
#endif
/* Always on: a broken invariant of ours becomes FRZ_BUG in release, aborts in debug. */
#define FRZ_VERIFY(x, err)                                                                                                                 \
    do {                                                                                                                                   \
        if (!(x)) {                                                                                                                        \
            FRZ_ASSERT(!"verify: " #x);                                                                                                    \
            return frz__err((err), FRZ_BUG, "%s:%d: invariant broken: %s", __FILE__, __LINE__, #x);                                         \
        }                                                                                                                                  \
    } while (0)
#define FRZ_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#endif
