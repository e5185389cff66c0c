/* hostile_kit.h — for test_hostile_*.c: a database in a fresh directory, by the public header alone. */
#ifndef HOSTILE_KIT_H
#define HOSTILE_KIT_H
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct host {
    char path[512];
    frz_db *db;
    frz_table *t;
    frz_row *r;
    frz_error e;
};

static inline frz_value h_long(int64_t x)
{
    frz_value v = {FRZ_LONG, 0, {0}};
    v.as.i64 = x;
    return v;
}
static inline frz_value h_bytes(int32_t type, const void *data, size_t len)
{
    frz_value v = {type, 0, {0}};
    v.as.bytes.data = data;
    v.as.bytes.len = len;
    return v;
}
static inline frz_schema *h_schema(const char *text, const char *key)
{
    frz_error e;
    frz_schema *s = NULL;
    OK(frz_schema_parse(text, key, &s, &e), &e);
    return s;
}
static inline frz_db_options h_options(void)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    o.memory_bytes = (uint64_t)64 << 20;
    o.log_segment_bytes = 131072;
    o.durability = FRZ_SYNC_OFF;
    o.log_level = FRZ_LOG_ERROR;
    return o;
}
static inline void h_open_at(struct host *h)
{
    frz_db_options o = h_options();
    OK(frz_db_open(h->path, &o, &h->db, &h->e), &h->e);
}
static inline void h_table(struct host *h, const char *schema, const char *key)
{
    frz_schema *s = h_schema(schema, key);
    OK(frz_table_create(h->db, "t", s, NULL, &h->t, &h->e), &h->e);
    frz_schema_free(s);
    OK(frz_row_new(h->t, &h->r, &h->e), &h->e);
}
static inline void h_open(struct host *h, const char *name, const char *schema, const char *key)
{
    *h = (struct host){.db = NULL};
    snprintf(h->path, sizeof h->path, "%s", test_tmp_dir(name));
    h_open_at(h);
    if (schema) h_table(h, schema, key);
}
static inline void h_shut(struct host *h)
{
    frz_row_free(h->r);
    h->r = NULL;
    OK(frz_db_close(h->db, &h->e), &h->e);
    h->db = NULL;
    h->t = NULL;
}
static inline void h_reopen(struct host *h)
{
    h_shut(h);
    h_open_at(h);
    OK(frz_table_open(h->db, "t", &h->t, &h->e), &h->e);
    OK(frz_row_new(h->t, &h->r, &h->e), &h->e);
}
static inline void h_close(struct host *h)
{
    h_shut(h);
    test_tmp_remove(h->path);
}
/* Of "id long, v string?": the row (ID, "v<ID>"). */
static inline int h_put(struct host *h, int64_t id)
{
    char text[32];
    int n = snprintf(text, sizeof text, "v%lld", (long long)id);
    frz_row_clear(h->r);
    OK(frz_row_set_long(h->r, 0, id, &h->e), &h->e);
    OK(frz_row_set_string(h->r, 1, text, (size_t)n, &h->e), &h->e);
    return frz_put(h->t, h->r, NULL, &h->e);
}
static inline void h_has(struct host *h, int64_t id)
{
    char text[32];
    int n = snprintf(text, sizeof text, "v%lld", (long long)id);
    size_t len = 0;
    frz_value key = h_long(id);
    OK(frz_get(h->t, NULL, &key, 1, h->r, &h->e), &h->e);
    const char *p = frz_row_bytes(h->r, 1, &len);
    assert_int_equal(len, n);
    assert_memory_equal(p, text, len);
}
static inline uint64_t h_count(struct host *h)
{
    uint64_t n = 0;
    OK(frz_count(h->t, NULL, &n, &h->e), &h->e);
    return n;
}
/* No finding in the whole database. */
static inline int h_on_finding(void *ctx, const frz_finding *f)
{
    print_error("%s: %s: %s\n", f->table, f->where, f->what);
    return 0;
}
static inline void h_verify(struct host *h)
{
    frz_verify_report report = FRZ_INIT(frz_verify_report);
    OK(frz_verify(h->db, NULL, h_on_finding, NULL, &report, &h->e), &h->e);
    assert_int_equal(report.findings, 0);
}
#endif
