/* metrics.c — the numbers as text, as JSON and as OpenMetrics, all from stats.def. */
#include <stdio.h>

#include "engine/doctor.h"

enum { COUNTER, GAUGE, RATIO };
enum { DB, TABLE };
enum { UNIT_NONE, UNIT_BYTES, UNIT_US, UNIT_RATIO };
static const struct metric {
    const char *field, *name, *help;
    uint8_t kind, scope, unit;
    uint16_t at; /* in frz_stats */
} metrics[] = {
#define X(kind, field, scope, unit, name, help) {#field, "frazil_" name, help, kind, scope, UNIT_##unit, offsetof(frz_stats, field)},
#include "engine/stats.def"
#undef X
};

static uint64_t whole_of(const frz_stats *s, const struct metric *m)
{
    uint64_t v;
    memcpy(&v, (const char *)s + m->at, sizeof v);
    return v;
}
static double real_of(const frz_stats *s, const struct metric *m)
{
    double v;
    memcpy(&v, (const char *)s + m->at, sizeof v);
    return v;
}

int frz__stats_text(const frz_stats *s, bool json, struct buf *out, frz_error *err)
{
    struct jw w = JW_INIT(out, err);
    if (json) frz__jw_object(&w);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(metrics); i++) {
        const struct metric *m = &metrics[i];
        if (json) {
            frz__jw_key(&w, m->field);
            if (m->kind == RATIO) frz__jw_real(&w, real_of(s, m));
            else frz__jw_int(&w, (int64_t)whole_of(s, m));
        } else if (m->kind == RATIO) TRY(frz__buf_printf(out, err, "%s %.4f\n", m->field, real_of(s, m)));
        else TRY(frz__buf_printf(out, err, "%s %" PRIu64 "\n", m->field, whole_of(s, m)));
    }
    if (!json) return FRZ_OK;
    frz__jw_object_end(&w);
    return frz__jw_end(&w);
}

void frz__stats_from_json(const struct json *v, frz_stats *s)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(metrics); i++) {
        const struct json *x = frz__json_get(v, metrics[i].field);
        double real = frz__json_real(x);
        uint64_t whole = (uint64_t)frz__json_int(x);
        if (!x) continue;
        if (metrics[i].kind == RATIO) memcpy((char *)s + metrics[i].at, &real, sizeof real);
        else memcpy((char *)s + metrics[i].at, &whole, sizeof whole);
    }
}

/* ── OpenMetrics ── */

/* One table, or the database's own: what its samples are labelled with, and its numbers. */
struct source {
    struct table *t; /* counted; NULL = the database */
    char label[256];
    frz_stats s;
    frz_health h;
    frz_level levels[LEVELS_MAX];
    size_t level_count;
};
struct page {
    struct db *db;
    struct source *sources; /* the first is the database's */
    size_t count;
    struct buf *out;
    frz_error *err;
    int rc; /* the first failure sticks */
};

static void say(struct page *p, const char *fmt, ...) FRZ_PRINTF(2, 3);
static void say(struct page *p, const char *fmt, ...)
{
    char line[768];
    if (p->rc < 0) return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line) p->rc = frz__err(p->err, FRZ_BUG, "a line of metrics is too long");
    else p->rc = buf_append(p->out, line, (size_t)n, p->err);
}

/* As the format wants it in label values and help: backslash, quote, line feed. */
static void escape(const char *s, char *out, size_t bytes)
{
    size_t n = 0;
    for (; *s && n + 3 < bytes; s++) {
        if (*s == '\\' || *s == '"' || *s == '\n') out[n++] = '\\';
        out[n++] = (char)(*s == '\n' ? 'n' : *s);
    }
    out[n] = 0;
}

static void family(struct page *p, const char *name, const char *type, int unit, const char *help)
{
    static const char *const units[] = {NULL, "bytes", "seconds", "ratio"};
    char text[640];
    escape(help, text, sizeof text);
    say(p, "# TYPE %s %s\n", name, type);
    if (units[unit]) say(p, "# UNIT %s %s\n", name, units[unit]);
    say(p, "# HELP %s %s\n", name, text);
}

static void sample(struct page *p, const struct metric *m, const struct source *s)
{
    const char *total = m->kind == COUNTER ? "_total" : "", *open = s->t ? "{" : "", *close = s->t ? "}" : "";
    if (m->kind == RATIO) say(p, "%s%s%s%s%s %.6g\n", m->name, total, open, s->label, close, real_of(&s->s, m));
    else if (m->unit == UNIT_US) say(p, "%s%s%s%s%s %" PRIu64 ".%06u\n", m->name, total, open, s->label, close, whole_of(&s->s, m) / 1000000, (unsigned)(whole_of(&s->s, m) % 1000000));
    else say(p, "%s%s%s%s%s %" PRIu64 "\n", m->name, total, open, s->label, close, whole_of(&s->s, m));
}

static void counters(struct page *p)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(metrics); i++) {
        const struct metric *m = &metrics[i];
        family(p, m->name, m->kind == COUNTER ? "counter" : "gauge", m->unit, m->help);
        if (m->scope == DB) sample(p, m, &p->sources[0]);
        else
            for (size_t k = 1; k < p->count; k++) sample(p, m, &p->sources[k]);
    }
}

/* Every second bucket: four times the one before. */
static void histogram(struct page *p, const char *name, const char *help, size_t at)
{
    family(p, name, "histogram", UNIT_US, help);
    for (size_t k = 1; k < p->count; k++) {
        struct latency_seen seen = {0};
        uint64_t n = 0;
        latency_see((struct latency *)(void *)((char *)p->sources[k].t + at), &seen);
        for (unsigned i = 0; i + 1 < LATENCY_BUCKETS; i++) {
            n += seen.buckets[i];
            if (i % 2 == 0) say(p, "%s_bucket{%s,le=\"%.6f\"} %" PRIu64 "\n", name, p->sources[k].label, (double)((uint64_t)1 << i) / 1e6, n);
        }
        say(p, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, p->sources[k].label, seen.count);
        say(p, "%s_sum{%s} %" PRIu64 ".%06u\n", name, p->sources[k].label, seen.us_total / 1000000, (unsigned)(seen.us_total % 1000000));
        say(p, "%s_count{%s} %" PRIu64 "\n", name, p->sources[k].label, seen.count);
    }
}

static const struct { const char *name, *help; uint8_t unit; size_t at; } level_metrics[] = {
    {"frazil_level_files", "data files of a level", UNIT_NONE, offsetof(frz_level, files)},
    {"frazil_level_rows", "rows of a level, dead ones too", UNIT_NONE, offsetof(frz_level, rows)},
    {"frazil_level_rows_dead", "rows of a level that are masked", UNIT_NONE, offsetof(frz_level, rows_dead)},
    {"frazil_level_bytes", "bytes of the data files of a level", UNIT_BYTES, offsetof(frz_level, bytes)},
    {"frazil_level_runs", "sorted runs of a level: how many of its files at most a key may be looked for in", UNIT_NONE, offsetof(frz_level, runs)},
};

static void levels(struct page *p)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(level_metrics); i++) {
        family(p, level_metrics[i].name, "gauge", level_metrics[i].unit, level_metrics[i].help);
        for (size_t k = 1; k < p->count; k++)
            for (size_t l = 0; l < p->sources[k].level_count; l++) {
                uint64_t v;
                memcpy(&v, (const char *)&p->sources[k].levels[l] + level_metrics[i].at, sizeof v);
                say(p, "%s{%s,level=\"%u\"} %" PRIu64 "\n", level_metrics[i].name, p->sources[k].label, p->sources[k].levels[l].level, v);
            }
    }
}

static void healths(struct page *p)
{
    family(p, "frazil_health_severity", "gauge", UNIT_NONE, "0 ok, 1 degraded, 2 writes stopped, 3 read-only until opened again, 4 unusable; without a label: the worst of all");
    for (size_t k = 0; k < p->count; k++) {
        const struct source *s = &p->sources[k];
        say(p, "frazil_health_severity%s%s%s %d\n", s->t ? "{" : "", s->label, s->t ? "}" : "", s->h.severity);
    }
    family(p, "frazil_health_tries", "gauge", UNIT_NONE, "failures in a row of what is worst");
    for (size_t k = 0; k < p->count; k++) {
        const struct source *s = &p->sources[k];
        if (s->h.severity) say(p, "frazil_health_tries{%s%spart=\"%s\",class=\"%s\"} %u\n", s->label, s->t ? "," : "", s->h.part, frz_class_name(s->h.error_class), s->h.tries);
    }
}

static int fill(struct source *s, struct db *db, struct table *t, frz_error *err)
{
    char name[224];
    s->t = t;
    s->s.struct_size = sizeof s->s;
    s->h.struct_size = sizeof s->h;
    frz__stats(db, t, &s->s);
    frz__health_get(db, t, &s->h);
    if (!t) return FRZ_OK;
    escape(t->name, name, sizeof name);
    snprintf(s->label, sizeof s->label, "table=\"%s\"", name);
    return table_is_broken(t) || !atomic_load(&t->view) ? FRZ_OK : frz__levels(t, s->levels, &s->level_count, err);
}

/* The tables, counted. */
static int list(struct db *db, struct table *only, struct table ***out, size_t *count, frz_error *err)
{
    frz__mutex_lock(&db->tables_mu);
    struct table **tables = (struct table **)frz__alloc_array(db->a, db->table_count + 1, sizeof *tables);
    for (size_t i = 0; tables && !only && i < db->table_count; i++)
        if (!atomic_load(&db->tables[i]->dropped)) tables[(*count)++] = frz__table_acquire(db->tables[i]);
    frz__mutex_unlock(&db->tables_mu);
    if (tables && only) tables[(*count)++] = frz__table_acquire(only);
    *out = tables;
    return tables ? FRZ_OK : frz__err_no_memory(err, sizeof *tables);
}

int frz__metrics(struct db *db, struct table *only, struct buf *out, frz_error *err)
{
    struct table **tables = NULL;
    struct page p = {.db = db, .out = out, .err = err};
    size_t count = 0;
    int rc = list(db, only, &tables, &count, err);
    if (rc >= 0) p.sources = (struct source *)frz__alloc_zero(db->a, (count + 1) * sizeof *p.sources);
    if (rc >= 0 && !p.sources) rc = frz__err_no_memory(err, (count + 1) * sizeof *p.sources);
    for (size_t i = 0; rc >= 0 && i <= count; i++) rc = fill(&p.sources[p.count++], db, i ? tables[i - 1] : NULL, err);
    if (rc >= 0) {
        family(&p, "frazil_build", "info", UNIT_NONE, "the library");
        say(&p, "frazil_build_info{version=\"%s\"} 1\n", frz_version());
        counters(&p);
        levels(&p);
        histogram(&p, "frazil_flush_duration_seconds", "how long flushes took", offsetof(struct table, flush_latency));
        histogram(&p, "frazil_commit_duration_seconds", "how long commits took", offsetof(struct table, commit_latency));
        histogram(&p, "frazil_compaction_duration_seconds", "how long compactions took", offsetof(struct table, compaction_latency));
        healths(&p);
        say(&p, "# EOF\n");
        rc = p.rc;
    }
    for (size_t i = 0; i < count; i++) frz__table_release(tables[i]);
    frz__free(db->a, p.sources);
    frz__free(db->a, tables);
    return rc;
}
