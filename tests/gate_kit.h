/* gate_kit.h — a file system of which calls stand still, or fail, while a test wants it: what waits for them shows, and what must not. And a call on a thread of its own, to be waited for with a deadline.
 * One file system at a time in a program; works in every build. */
#ifndef GATE_KIT_H
#define GATE_KIT_H
#include "frz_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "io/fs.h"

enum gate_call { GATE_RENAME = 1, GATE_LINK = 2, GATE_UNLINK = 4, GATE_SYNC = 8, GATE_SYNC_DIR = 16 };
/* Calls of these kinds whose path (a rename's: the old one) has WHERE in it. */
struct gate_rule { unsigned calls; const char *where; };
static struct {
    const struct fs_ops *real;
    struct fs_ops ops;
    pthread_mutex_t mu;
    pthread_cond_t changed;
    struct gate_rule shut, fails; /* mu, as waiting */
    unsigned waiting;
} gate = {.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static inline bool gate_hits(const struct gate_rule *r, enum gate_call call, const char *path) { return (r->calls & call) && strstr(path, r->where); }
static inline int gate_pass(enum gate_call call, const char *path, frz_error *err)
{
    pthread_mutex_lock(&gate.mu);
    gate.waiting++;
    while (gate_hits(&gate.shut, call, path)) pthread_cond_wait(&gate.changed, &gate.mu);
    gate.waiting--;
    bool fails = gate_hits(&gate.fails, call, path);
    pthread_mutex_unlock(&gate.mu);
    return fails ? frz__err_os(err, EIO, "%s", path) : FRZ_OK;
}
static inline int gate_rename(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    TRY(gate_pass(GATE_RENAME, from, err));
    return gate.real->rename(fs, from, to, err);
}
static inline int gate_link_new(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    TRY(gate_pass(GATE_LINK, to, err));
    return gate.real->link_new(fs, from, to, err);
}
static inline int gate_unlink(struct fs *fs, const char *path, frz_error *err)
{
    TRY(gate_pass(GATE_UNLINK, path, err));
    return gate.real->unlink(fs, path, err);
}
static inline int gate_sync(struct file *f, enum sync_site site, frz_error *err)
{
    TRY(gate_pass(GATE_SYNC, f->path, err));
    return gate.real->sync(f, site, err);
}
static inline int gate_sync_dir(struct fs *fs, const char *dir, enum sync_site site, frz_error *err)
{
    TRY(gate_pass(GATE_SYNC_DIR, dir, err));
    return gate.real->sync_dir(fs, dir, site, err);
}
static inline void gate_build(struct fs *fs)
{
    gate.real = fs->ops;
    gate.ops = *fs->ops;
    gate.ops.rename = gate_rename;
    gate.ops.link_new = gate_link_new;
    gate.ops.unlink = gate_unlink;
    gate.ops.sync = gate_sync;
    gate.ops.sync_dir = gate_sync_dir;
    gate.shut = gate.fails = (struct gate_rule){0};
    fs->ops = &gate.ops;
}
static inline void gate_set(struct gate_rule shut, struct gate_rule fails)
{
    pthread_mutex_lock(&gate.mu);
    gate.shut = shut;
    gate.fails = fails;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mu);
}
static inline void gate_shut(unsigned calls, const char *where) { gate_set((struct gate_rule){calls, where}, (struct gate_rule){0}); }
static inline void gate_fail(unsigned calls, const char *where) { gate_set((struct gate_rule){0}, (struct gate_rule){calls, where}); }
static inline void gate_open(void) { gate_set((struct gate_rule){0}, (struct gate_rule){0}); }

/* Waits for COND; false after a minute, by a clock that no test moves. */
#define GATE_SOON(cond)                                                                                                                    \
    __extension__({                                                                                                                        \
        struct timespec begin_, now_;                                                                                                      \
        bool is_ = (cond);                                                                                                                 \
        clock_gettime(CLOCK_MONOTONIC, &begin_);                                                                                           \
        for (now_ = begin_; !is_ && now_.tv_sec - begin_.tv_sec <= 60; is_ = (cond)) {                                                     \
            nanosleep(&(struct timespec){0, 1000000}, NULL);                                                                               \
            clock_gettime(CLOCK_MONOTONIC, &now_);                                                                                         \
        }                                                                                                                                  \
        is_;                                                                                                                               \
    })
static inline bool gate_has_one(void)
{
    pthread_mutex_lock(&gate.mu);
    bool any = gate.waiting > 0;
    pthread_mutex_unlock(&gate.mu);
    return any;
}
/* Somebody stands still. */
static inline void gate_wait(void) { assert_true(GATE_SOON(gate_has_one())); }

/* ── a call on another thread ── */

struct beside {
    int (*fn)(void *ctx, frz_error *err);
    void *ctx;
    pthread_t thread;
    int rc;
    frz_error e;
    _Atomic bool done;
};
static void *beside_run(void *arg)
{
    struct beside *b = (struct beside *)arg;
    b->rc = b->fn(b->ctx, &b->e);
    atomic_store(&b->done, true);
    return NULL;
}
static inline void beside_begin(struct beside *b, int (*fn)(void *ctx, frz_error *err), void *ctx)
{
    *b = (struct beside){.fn = fn, .ctx = ctx};
    assert_int_equal(pthread_create(&b->thread, NULL, beside_run, b), 0);
}
static inline bool beside_is_done_soon(struct beside *b) { return GATE_SOON(atomic_load(&b->done)); }
static inline int beside_end(struct beside *b)
{
    pthread_join(b->thread, NULL);
    return b->rc;
}
/* It comes to its end, with RC, while others stand still. Else the gate is opened, so that the program ends. */
static inline void beside_passes(int (*fn)(void *ctx, frz_error *err), void *ctx, int rc, const char *what)
{
    struct beside b;
    beside_begin(&b, fn, ctx);
    bool passed = beside_is_done_soon(&b);
    if (!passed) gate_open();
    int got = beside_end(&b);
    if (!passed) fail_msg("%s waits for what stands still", what);
    if (got != rc) fail_msg("%s: %s, expected %s: %s", what, frz_status_name(got), frz_status_name(rc), b.e.message);
}
#endif
