/* report.c — a database at one glance, as JSON: numbers, tables with their levels, jobs that run, health, the last events. */
#include <unistd.h>

#include "engine/db.h"

#define EVENTS_SHOWN 32

static void put_uint(struct jw *w, const char *key, uint64_t v)
{
    frz__jw_key(w, key);
    frz__jw_int(w, (int64_t)v);
}
static void put_str(struct jw *w, const char *key, const char *v)
{
    frz__jw_key(w, key);
    frz__jw_cstr(w, v ? v : "");
}

static int put_stats(struct jw *w, struct db *db, struct table *t, frz_error *err)
{
    struct buf text = BUF_INIT(db->a, 0);
    frz_stats s = {.struct_size = sizeof s};
    frz__stats(db, t, &s);
    int rc = frz__stats_text(&s, true, &text, err);
    frz__jw_key(w, "stats");
    if (rc >= 0) frz__jw_raw(w, buf_slice(&text));
    else frz__jw_null(w);
    buf_clear(&text);
    return rc;
}

static void put_health(struct jw *w, struct db *db, struct table *t)
{
    frz_health h = {.struct_size = sizeof h};
    frz__health_get(db, t, &h);
    frz__jw_key(w, "health");
    frz__jw_object(w);
    put_uint(w, "severity", (uint64_t)h.severity);
    put_str(w, "state", frz_severity_name(h.severity));
    if (h.severity) {
        put_str(w, "class", frz_class_name(h.error_class));
        put_str(w, "part", h.part);
        put_str(w, "table", h.table);
        put_uint(w, "tries", h.tries);
        put_uint(w, "since_us", (uint64_t)h.since_us);
        put_uint(w, "next_try_us", (uint64_t)h.next_try_us);
        put_str(w, "message", h.message);
        put_str(w, "advice", h.advice);
    }
    frz__jw_object_end(w);
}

static int put_levels(struct jw *w, struct table *t, frz_error *err)
{
    frz_level levels[LEVELS_MAX];
    size_t count = 0;
    int rc = frz__levels(t, levels, &count, err);
    frz__jw_key(w, "levels");
    frz__jw_array(w);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        frz__jw_object(w);
        put_uint(w, "level", levels[i].level);
        put_uint(w, "files", levels[i].files);
        put_uint(w, "runs", levels[i].runs);
        put_uint(w, "rows", levels[i].rows);
        put_uint(w, "rows_dead", levels[i].rows_dead);
        put_uint(w, "bytes", levels[i].bytes);
        frz__jw_object_end(w);
    }
    frz__jw_array_end(w);
    return rc;
}

static int put_table(struct jw *w, struct table *t, frz_error *err)
{
    bool broken = table_is_broken(t) || !atomic_load(&t->view);
    frz__jw_object(w);
    put_str(w, "name", t->name);
    put_uint(w, "format_version", (uint64_t)atomic_load(&t->format_version));
    int rc = put_stats(w, t->db, t, err);
    put_health(w, t->db, t);
    if (rc >= 0 && !broken) rc = put_levels(w, t, err);
    frz__jw_object_end(w);
    return rc;
}

static int put_job(void *ctx, const frz_job *j)
{
    struct jw *w = (struct jw *)ctx;
    frz__jw_object(w);
    put_str(w, "kind", j->kind);
    put_str(w, "table", j->table);
    put_str(w, "reason", j->reason);
    put_str(w, "phase", j->phase);
    put_uint(w, "duration_us", j->duration_us);
    put_uint(w, "rows_done", j->rows_done);
    put_uint(w, "rows_total", j->rows_total);
    put_uint(w, "bytes_in", j->bytes_in);
    frz__jw_object_end(w);
    return 0;
}

static int put_event(void *ctx, const frz_event *e)
{
    struct jw *w = (struct jw *)ctx;
    frz__jw_object(w);
    put_uint(w, "number", e->number);
    put_uint(w, "timestamp_us", (uint64_t)e->timestamp_us);
    put_str(w, "kind", frz_event_name(e->kind));
    put_str(w, "table", e->table);
    put_uint(w, "duration_us", e->duration_us);
    put_str(w, "reason", e->reason);
    put_str(w, "message", e->message);
    frz__jw_object_end(w);
    return 0;
}

int frz__report(struct db *db, struct buf *out, frz_error *err)
{
    struct jw w = JW_INIT(out, err);
    frz__jw_object(&w);
    put_uint(&w, "version", 1);
    put_uint(&w, "time_us", (uint64_t)frz__clock_wall_us());
    put_uint(&w, "pid", (uint64_t)getpid());
    put_uint(&w, "epoch", db->lock_epoch);
    put_str(&w, "root", db->root);
    frz__jw_key(&w, "read_only");
    frz__jw_bool(&w, db->set.read_only);
    put_uint(&w, "memory_bytes", db->set.memory_bytes);
    put_uint(&w, "compaction_bytes_per_second", db->set.compaction_bytes_per_second);
    put_uint(&w, "memtable_bytes", db->set.memtable_bytes);
    put_uint(&w, "durability", (uint64_t)db->set.durability);
    int rc = put_stats(&w, db, NULL, err);
    put_health(&w, db, NULL);
    frz__jw_key(&w, "tables");
    frz__jw_array(&w);
    for (size_t i = 0; rc >= 0; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) break;
        if (!atomic_load(&t->dropped)) rc = put_table(&w, t, err);
        frz__table_release(t);
    }
    frz__jw_array_end(&w);
    frz__jw_key(&w, "jobs");
    frz__jw_array(&w);
    if (rc >= 0) rc = frz__running_jobs(db, put_job, &w, err);
    frz__jw_array_end(&w);
    uint64_t last = frz__events_last(db->events);
    frz__jw_key(&w, "events");
    frz__jw_array(&w);
    if (rc >= 0) rc = frz__events_read(db->events, last > EVENTS_SHOWN ? last - EVENTS_SHOWN : 0, put_event, &w);
    frz__jw_array_end(&w);
    frz__jw_object_end(&w);
    int end = frz__jw_end(&w);
    return rc < 0 ? rc : end;
}
