/* health.c — slots that say what fails, and the questions that the host asks of them. */
#include "engine/health.h"

#include <stdio.h>

#include "base/sized.h"
#include "engine/flow.h"

#define TOLD_EVERY_NS ((int64_t)1000000000) /* corruption that reads meet again and again */

static const char *const part_names[HEALTH_PARTS] = {"log", "replay", "log-recycling", "log-archive", "flush", "compaction", "read"};

/* ── pure ── */

int frz__health_class(int code)
{
    switch (code) {
    case FRZ_OK: return FRZ_CLASS_NONE;
    case FRZ_NO_SPACE: return FRZ_CLASS_NO_SPACE;
    case FRZ_IO: return FRZ_CLASS_IO;
    case FRZ_READ_ONLY: return FRZ_CLASS_READ_ONLY;
    case FRZ_CORRUPT: return FRZ_CLASS_CORRUPTION;
    case FRZ_CONFLICT: return FRZ_CLASS_CONFLICT;
    case FRZ_NO_MEMORY: return FRZ_CLASS_MEMORY;
    case FRZ_NEWER_FORMAT:
    case FRZ_UNSUPPORTED: return FRZ_CLASS_FORMAT;
    case FRZ_BUG: return FRZ_CLASS_BUG;
    default: return FRZ_CLASS_OTHER;
    }
}

bool frz__health_passes(int c) { return c != FRZ_CLASS_CORRUPTION && c != FRZ_CLASS_BUG; }

int64_t frz__health_backoff_ns(uint32_t tries, uint64_t noise)
{
    int64_t wait = HEALTH_RETRY_MIN_NS;
    for (uint32_t i = 1; i < tries && wait < HEALTH_RETRY_MAX_NS; i++) wait *= 2;
    wait += (int64_t)(noise % (uint64_t)(wait / 4 + 1));
    return wait < HEALTH_RETRY_MAX_NS ? wait : HEALTH_RETRY_MAX_NS;
}

static const char *advice(int part, int error_class)
{
    static const char *const by_class[] = {
        [FRZ_CLASS_NONE] = "",
        [FRZ_CLASS_NO_SPACE] = "make room on the disk: what waits goes on by itself, or at once by frz_db_resume",
        [FRZ_CLASS_IO] = "look at the disk and the system's log; what fails is tried again by itself, or at once by frz_db_resume",
        [FRZ_CLASS_READ_ONLY] = "the file system refuses writes: remount it, or mend its permissions; it is tried again by itself",
        [FRZ_CLASS_CORRUPTION] = "run `frazil verify`, put the file that the message names back from a copy, then frz_db_resume; rows that are logged and not published are safe in the log",
        [FRZ_CLASS_CONFLICT] = "another engine commits faster than this one: let its jobs wait, or publish less often",
        [FRZ_CLASS_MEMORY] = "the process is out of memory: give it more, or lower memory_bytes",
        [FRZ_CLASS_FORMAT] = "the table was changed to something that this version can't do: undo that, or use a newer version of frazil; it is tried again by itself",
        [FRZ_CLASS_BUG] = "a defect of frazil: report the message; opening the database again replays the log",
        [FRZ_CLASS_OTHER] = "see the message; it is tried again by itself",
    };
    if (part == HEALTH_REPLAY) return "open the database again: the log has the write, and replays it";
    if (part == HEALTH_ARCHIVE) return "see that the log's archive has room and can be written, or name another place (`frazil archive`): the log grows meanwhile, and is archived by itself then, or at once by frz_db_resume";
    return by_class[error_class];
}

/* ── the slots ── */

void frz__health_init(struct health *h) { frz__mutex_init(&h->mu, RANK_LEAF, "health"); }
void frz__health_clear(struct health *h) { frz__mutex_clear(&h->mu); }

static struct health *of(struct db *db, struct table *t) { return t ? &t->health : &db->health; }
static unsigned slot(enum health_part part) { return part < HEALTH_DB_PARTS ? part : part - HEALTH_DB_PARTS; }

/* It stands in the way of what is written from now on, and does not pass by itself. */
static bool stops(enum health_part part, int code) { return part == HEALTH_REPLAY || (part == HEALTH_FLUSH && code && !frz__health_passes(frz__health_class(code))); }

static void mark_locked(struct health *h, enum health_part part, int code)
{
    uint32_t bit = 1u << slot(part), bad = atomic_load(&h->bad);
    h->parts[slot(part)].code = code;
    atomic_store(&h->bad, code ? bad | bit : bad & ~bit);
    if (part == HEALTH_FLUSH || part == HEALTH_REPLAY) atomic_store(&h->stopped, code && stops(part, code));
}

static void copy_message(struct health_state *s, const frz_error *err) { snprintf(s->message, sizeof s->message, "%s", err->message); }

int64_t frz__health_fail(struct db *db, struct table *t, enum health_part part, const frz_error *err)
{
    struct health *h = of(db, t);
    int64_t now = frz__clock_mono_ns();
    int c = frz__health_class(err->code);
    frz__mutex_lock(&h->mu);
    struct health_state *s = &h->parts[slot(part)];
    bool first = s->code == 0, changed = first || frz__health_class(s->code) != c;
    if (changed) *s = (struct health_state){.since_us = first ? frz__clock_wall_us() : s->since_us, .told_ns = s->told_ns, .tries = first ? 0 : s->tries};
    s->os_errno = err->os_errno;
    s->tries++;
    s->retry_at_ns = frz__health_passes(c) && part != HEALTH_REPLAY ? now + frz__health_backoff_ns(s->tries, (uint64_t)now * 0x9E3779B97F4A7C15u >> 20) : INT64_MAX;
    copy_message(s, err);
    mark_locked(h, part, err->code);
    int64_t at = s->retry_at_ns;
    bool tell = c == FRZ_CLASS_CORRUPTION && (changed || now - s->told_ns >= TOLD_EVERY_NS);
    if (tell) s->told_ns = now;
    frz__mutex_unlock(&h->mu);
    if (tell) frz__event_error(db, t, FRZ_EVENT_CORRUPTION, part_names[part], err);
    if (changed && (part == HEALTH_LOG || part == HEALTH_RECYCLE || part == HEALTH_ARCHIVE)) frz__event_error(db, t, FRZ_EVENT_LOG_TROUBLE, part_names[part], err);
    if (changed) frz__event_error(db, t, FRZ_EVENT_HEALTH, frz_class_name(c), err);
    return at;
}

bool frz__health_bad(struct db *db, struct table *t, enum health_part part) { return atomic_load_explicit(&of(db, t)->bad, memory_order_relaxed) & 1u << slot(part); }

void frz__health_ok(struct db *db, struct table *t, enum health_part part)
{
    struct health *h = of(db, t);
    if (!frz__health_bad(db, t, part)) return;
    frz__mutex_lock(&h->mu);
    struct health_state *s = &h->parts[slot(part)];
    bool was = s->code != 0;
    uint32_t tries = s->tries;
    uint64_t us = (uint64_t)(frz__clock_wall_us() - s->since_us);
    mark_locked(h, part, FRZ_OK);
    frz__mutex_unlock(&h->mu);
    if (was) frz__event(db, t, FRZ_EVENT_HEALTH, &(struct event_info){.reason = "ok", .message = part_names[part], .duration_us = us, .rows_in = tries});
}

bool frz__health_due(struct db *db, struct table *t, enum health_part part, int64_t now, int64_t *at)
{
    struct health *h = of(db, t);
    if (!frz__health_bad(db, t, part)) return true;
    frz__mutex_lock(&h->mu);
    int64_t when = h->parts[slot(part)].code ? h->parts[slot(part)].retry_at_ns : 0;
    frz__mutex_unlock(&h->mu);
    if (at && when > now) *at = when;
    return when <= now;
}

void frz__health_read(struct table *t, int rc, const frz_error *err)
{
    static const frz_error silent = {.code = FRZ_CORRUPT, .message = "a read whose caller asked for no message met bytes that are not what was written"};
    if (rc == FRZ_CORRUPT) (void)frz__health_fail(t->db, t, HEALTH_READ, err ? err : &silent);
}

/* What S failed with; h->mu held. */
static int error_locked(const struct health_state *s, frz_error *err)
{
    if (s->code && err) {
        *err = (frz_error){.code = s->code, .os_errno = s->os_errno};
        snprintf(err->message, sizeof err->message, "%s", s->message);
    }
    return s->code;
}

static int stopped_by(struct health *h, frz_error *err)
{
    int code = FRZ_OK;
    frz__mutex_lock(&h->mu);
    for (size_t i = 0; i < HEALTH_PARTS_MAX && !code; i++)
        if (atomic_load(&h->stopped) && h->parts[i].retry_at_ns == INT64_MAX) code = error_locked(&h->parts[i], err);
    frz__mutex_unlock(&h->mu);
    return code;
}

int frz__health_error(struct table *t, enum health_part part, frz_error *err)
{
    if (!frz__health_bad(t->db, t, part)) return FRZ_OK;
    frz__mutex_lock(&t->health.mu);
    int code = error_locked(&t->health.parts[slot(part)], err);
    frz__mutex_unlock(&t->health.mu);
    return code;
}

int frz__health_writable(struct table *t, frz_error *err)
{
    if (!atomic_load_explicit(&t->health.stopped, memory_order_relaxed)) return FRZ_OK;
    int code = stopped_by(&t->health, err);
    if (code) frz__err_context(err, "%s: writes are stopped", t->name);
    return code;
}

/* ── what the host asks ── */

static int64_t wall_of(int64_t mono_ns)
{
    if (mono_ns == INT64_MAX || mono_ns == 0) return 0;
    return frz__clock_wall_us() + (mono_ns - frz__clock_mono_ns()) / 1000;
}

static void take_state(struct health *h, enum health_part part, int severity, const char *table, frz_health *out)
{
    const struct health_state *s = &h->parts[slot(part)];
    if (!s->code || severity <= out->severity) return;
    int c = frz__health_class(s->code);
    *out = (frz_health){.struct_size = sizeof *out, .severity = severity, .error_class = c, .status = s->code, .os_errno = s->os_errno, .tries = s->tries, .since_us = s->since_us,
                        .next_try_us = wall_of(s->retry_at_ns), .part = part_names[part], .advice = advice((int)part, c)};
    snprintf(out->table, sizeof out->table, "%s", table);
    snprintf(out->message, sizeof out->message, "%s", s->message);
}

static void take_broken(struct table *t, frz_health *out)
{
    frz_error why;
    bool broken = frz__table_broken(t, &why) < 0, lost = !broken && frz__table_lost(t, &why);
    int severity = broken ? FRZ_HEALTH_UNUSABLE : FRZ_HEALTH_DEGRADED;
    if ((!broken && !lost) || severity <= out->severity) return;
    int c = frz__health_class(why.code);
    *out = (frz_health){.struct_size = sizeof *out, .severity = severity, .error_class = c, .status = why.code, .os_errno = why.os_errno, .part = "table",
                        .advice = lost ? "rows that were published are gone with the files that held them: put the newer copy of the table back, or live without; see docs/operations.md"
                                       : "mend or restore the table's folder, then open the database again (a reading one: refresh)"};
    snprintf(out->table, sizeof out->table, "%s", t->name);
    snprintf(out->message, sizeof out->message, "%s", why.message);
}

static bool flush_fails(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    bool fails = t->flush_error.code != 0;
    frz__mutex_unlock(&t->view_mu);
    return fails;
}

static void of_table(struct table *t, frz_health *out)
{
    take_broken(t, out);
    if (!atomic_load(&t->health.bad)) return;
    /* what writers wait for is asked, not a setting: a small memory_bytes lets fewer memtables wait than frazil.immutable-memtables-max says */
    enum flow_reason why = frz__flow_stopped_by(t);
    bool behind = flow_of_files(why), full = why != FLOW_NONE && !behind && flush_fails(t), stopped = atomic_load(&t->health.stopped);
    frz__mutex_lock(&t->health.mu);
    take_state(&t->health, HEALTH_FLUSH, full || stopped ? FRZ_HEALTH_WRITES_STOPPED : FRZ_HEALTH_DEGRADED, t->name, out);
    take_state(&t->health, HEALTH_READ, FRZ_HEALTH_DEGRADED, t->name, out);
    take_state(&t->health, HEALTH_COMPACTION, behind ? FRZ_HEALTH_WRITES_STOPPED : FRZ_HEALTH_DEGRADED, t->name, out);
    frz__mutex_unlock(&t->health.mu);
    if (out->part && strcmp(out->part, part_names[HEALTH_FLUSH]) == 0) out->in_doubt = atomic_load(&t->in_doubt);
}

void frz__health_get(struct db *db, struct table *only, frz_health *out)
{
    frz_health h = {.struct_size = sizeof h, .part = "", .advice = ""};
    if (atomic_load(&db->health.bad)) { /* of each table too: it writes by the log */
        frz__mutex_lock(&db->health.mu);
        take_state(&db->health, HEALTH_REPLAY, FRZ_HEALTH_READ_ONLY, "", &h);
        take_state(&db->health, HEALTH_LOG, FRZ_HEALTH_WRITES_STOPPED, "", &h);
        take_state(&db->health, HEALTH_RECYCLE, FRZ_HEALTH_DEGRADED, "", &h);
        take_state(&db->health, HEALTH_ARCHIVE, FRZ_HEALTH_DEGRADED, "", &h);
        frz__mutex_unlock(&db->health.mu);
    }
    if (only) of_table(only, &h);
    for (size_t i = 0; !only; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) break;
        if (!atomic_load(&t->dropped)) of_table(t, &h);
        frz__table_release(t);
    }
    frz__sized_give(out, &h, sizeof h);
}

const char *frz_class_name(int c)
{
    static const char *const names[] = {"ok", "no-space", "io", "read-only", "corruption", "conflict", "memory", "format", "bug", "other"};
    return c >= 0 && (size_t)c < FRZ_ARRAY_LEN(names) ? names[c] : "unknown";
}
const char *frz_severity_name(int s)
{
    static const char *const names[] = {"ok", "degraded", "writes-stopped", "read-only", "unusable"};
    return s >= 0 && (size_t)s < FRZ_ARRAY_LEN(names) ? names[s] : "unknown";
}
