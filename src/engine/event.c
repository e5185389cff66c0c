/* event.c — the ring, and the thread that brings its records to the host. */
#include "engine/event.h"

#include <stdio.h>

#include "base/utf8.h"
#include "engine/db.h"

#define TABLE_BYTES 208 /* a name has at most 200 */

struct record {
    frz_event event; /* its pointers are set when it is shown */
    char table[TABLE_BYTES], reason[EVENT_REASON_BYTES], message[EVENT_MESSAGE_BYTES];
};
struct events {
    const allocator *a;
    frz_event_fn fn; /* const, as ctx and kept */
    void *ctx;
    uint32_t kept;
    struct mutex mu; /* a leaf: all below, but pool and job */
    struct cond news; /* or one of the two below changed */
    uint64_t last;  /* number of the newest */
    bool stopping, paused, calling;
    struct pool *pool; /* one thread; NULL = nobody listens */
    struct pool_job job;
    struct record ring[];
};

static _Thread_local const struct events *inside;

/* The record NUMBER, or the oldest that is there; false: there is none as young. */
static bool take_locked(const struct events *e, uint64_t number, struct record *out)
{
    FRZ_ASSERT_HELD((struct mutex *)(uintptr_t)&e->mu);
    if (number > e->last) return false;
    if (e->last - number >= e->kept) number = e->last - e->kept + 1;
    *out = e->ring[(number - 1) % e->kept];
    return true;
}

static const frz_event *show(struct record *r)
{
    r->event.table = r->table[0] ? r->table : NULL;
    r->event.reason = r->reason;
    r->event.message = r->message;
    return &r->event;
}

static void deliver(void *arg)
{
    struct events *e = (struct events *)arg;
    struct record r;
    uint64_t next = 1;
    inside = e;
    frz__mutex_lock(&e->mu);
    for (;;) {
        if (!e->paused && take_locked(e, next, &r)) {
            e->calling = true;
            frz__mutex_unlock(&e->mu);
            e->fn(e->ctx, show(&r));
            next = r.event.number + 1;
            frz__mutex_lock(&e->mu);
            e->calling = false;
            frz__cond_broadcast(&e->news);
        } else if (e->stopping) break;
        else frz__cond_wait(&e->news, &e->mu);
    }
    frz__mutex_unlock(&e->mu);
    inside = NULL;
}

int frz__events_new(const allocator *a, uint32_t kept, frz_event_fn fn, void *ctx, struct events **out, frz_error *err)
{
    size_t bytes = sizeof(struct events) + kept * sizeof(struct record);
    struct events *e = (struct events *)frz__alloc(a, bytes);
    if (!e) return frz__err_no_memory(err, bytes);
    memset(e, 0, sizeof *e);
    e->a = a;
    e->fn = fn;
    e->ctx = ctx;
    e->kept = kept;
    frz__mutex_init(&e->mu, RANK_LEAF, "db.events");
    frz__cond_init(&e->news);
    int rc = fn ? frz__pool_start(a, 1, &e->pool, err) : FRZ_OK;
    if (rc < 0) {
        frz__events_free(e);
        return rc;
    }
    e->job = (struct pool_job){.fn = deliver, .arg = e};
    if (e->pool) (void)frz__pool_submit(e->pool, &e->job, false);
    *out = e;
    return FRZ_OK;
}

void frz__events_free(struct events *e)
{
    if (!e) return;
    frz__mutex_lock(&e->mu);
    e->stopping = true;
    frz__cond_broadcast(&e->news);
    frz__mutex_unlock(&e->mu);
    frz__pool_stop(e->pool);
    frz__cond_clear(&e->news);
    frz__mutex_clear(&e->mu);
    frz__free(e->a, e);
}

void frz__events_pause(struct events *e)
{
    if (!e) return;
    frz__mutex_lock(&e->mu);
    e->paused = true;
    while (e->calling) frz__cond_wait(&e->news, &e->mu);
    frz__mutex_unlock(&e->mu);
}

void frz__events_go_on(struct events *e)
{
    if (!e) return;
    frz__mutex_lock(&e->mu);
    e->paused = false;
    frz__cond_broadcast(&e->news);
    frz__mutex_unlock(&e->mu);
}

/* As much of S as OUT, of BYTES, has room for, cut between code points. */
static void copy_text(char *out, size_t bytes, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    if (n >= bytes)
        for (n = bytes - 1; n && ((unsigned char)s[n] & 0xC0) == 0x80;) n--;
    if (n) memcpy(out, s, n);
    out[n] = 0;
}

void frz__event(struct db *db, struct table *t, int kind, const struct event_info *given)
{
    static const struct event_info nothing;
    const struct event_info *i = given ? given : &nothing;
    struct events *e = db->events;
    if (!e) return; /* of an open that has not come so far */
    frz__mutex_lock(&e->mu);
    struct record *r = &e->ring[e->last % e->kept];
    r->event = (frz_event){.struct_size = sizeof r->event, .kind = kind, .number = ++e->last, .timestamp_us = frz__clock_wall_us(), .duration_us = i->duration_us, .files_in = i->files_in, .files_out = i->files_out,
                           .bytes_in = i->bytes_in, .bytes_out = i->bytes_out, .rows_in = i->rows_in, .rows_out = i->rows_out, .status = i->status};
    copy_text(r->table, sizeof r->table, t ? t->name : NULL);
    copy_text(r->reason, sizeof r->reason, i->reason);
    copy_text(r->message, sizeof r->message, i->message);
    if (e->pool) frz__cond_broadcast(&e->news);
    frz__mutex_unlock(&e->mu);
}

void frz__event_error(struct db *db, struct table *t, int kind, const char *reason, const frz_error *err)
{
    frz__event(db, t, kind, &(struct event_info){.status = err->code, .reason = reason, .message = err->message});
}

int frz__events_read(struct events *e, uint64_t since, int (*fn)(void *ctx, const frz_event *event), void *ctx)
{
    struct record r;
    for (uint64_t next = since + 1; next; next = r.event.number + 1) {
        frz__mutex_lock(&e->mu);
        bool there = take_locked(e, next, &r);
        frz__mutex_unlock(&e->mu);
        if (!there) break;
        int rc = fn(ctx, show(&r));
        if (rc) return rc;
    }
    return FRZ_OK;
}

bool frz__events_inside(const struct events *e) { return e && inside == e; }

uint64_t frz__events_last(struct events *e)
{
    frz__mutex_lock(&e->mu);
    uint64_t last = e->last;
    frz__mutex_unlock(&e->mu);
    return last;
}

const char *frz_event_name(int kind)
{
    static const char *const names[] = {"unknown", "open", "close", "flush-begin", "flush-end", "flush-failed", "compaction-begin", "compaction-end", "compaction-failed", "commit", "conflict", "foreign-commit",
        "snapshots-expired", "files-removed", "stall-begin", "stall-end", "health", "table-created", "table-dropped", "table-altered", "table-broken", "rows-lost", "corruption", "log-trouble"};
    return kind > 0 && (size_t)kind < FRZ_ARRAY_LEN(names) ? names[kind] : names[0];
}
