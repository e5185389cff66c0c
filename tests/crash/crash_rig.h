/* crash_rig.h — a database with one table on a file system that forgets what was not synced, and the words to use it. */
#ifndef CRASH_RIG_H
#define CRASH_RIG_H
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/rand.h"
#include "io/fs_fault.h"
#include "table_kit.h"

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_error e;
    frz_db_options o;
    int format;       /* of the table */
    char said[8192];  /* through the log callback */
};
static pthread_mutex_t rig_said_mu = PTHREAD_MUTEX_INITIALIZER; /* workers speak too */
static inline void rig_hear(void *ctx, int level, const char *message)
{
    struct rig *r = (struct rig *)ctx;
    (void)level;
    pthread_mutex_lock(&rig_said_mu);
    size_t n = strlen(r->said);
    snprintf(r->said + n, sizeof r->said - n, "%s\n", message);
    pthread_mutex_unlock(&rig_said_mu);
}
static inline void rig_said(const struct rig *r, const char *what)
{
    pthread_mutex_lock(&rig_said_mu);
    bool told = strstr(r->said, what) != NULL;
    pthread_mutex_unlock(&rig_said_mu);
    if (!told) fail_msg("the log callback was not told of \"%s\"; it was told: %s", what, r->said);
}

static inline void rig_open(struct rig *r)
{
    frz__test_clock_rounds_off(true); /* the test alone does things: calls are counted */
    r->said[0] = 0;
    r->o.log = rig_hear;
    r->o.log_ctx = r;
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    int rc = frz_table_open(r->db, "t", &r->t, &r->e);
    if (rc == FRZ_OK) return;
    frz_schema *s;
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    static const char *const keys[] = {"frazil.publish-interval-ms"}, *const values[] = {"0"};
    o.property_keys = keys;
    o.property_values = values;
    o.property_count = 1;
    o.format_version = r->format;
    OK(frz_schema_parse("id long, v string?", "id", &s, &r->e), &r->e);
    OK(frz_table_create(r->db, "t", s, &o, &r->t, &r->e), &r->e);
    frz_schema_free(s);
}
static inline void rig_init(struct rig *r, int durability)
{
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT, .format = 2};
    r->o.create = true;
    r->o.no_compaction = true; /* files are looked at as flushes left them */
    r->o.no_close_flush = true;
    r->o.durability = durability;
    r->o.sync_interval_ms = 3600000;
    r->o.memory_bytes = 8 << 20;
    r->o.log_segment_bytes = 131072;
    OK(frz__fs_fault_new(NULL, 1, &r->fs, &r->e), &r->e);
    rig_open(r);
}
static inline void rig_close(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    r->db = NULL;
}
static inline void rig_clear(struct rig *r)
{
    if (r->db) rig_close(r);
    frz__fs_free(r->fs);
}
/* The power goes, and comes back. */
static inline void rig_reboot(struct rig *r, uint64_t seed)
{
    struct fs *old = r->fs;
    frz__fs_fault_cut(old);
    if (r->db) (void)frz_db_close(r->db, &r->e);
    r->db = NULL;
    OK(frz__fs_fault_reboot(old, seed, &r->fs, &r->e), &r->e);
    frz__fs_free(old);
}
static inline int try_put(struct rig *r, int64_t id, const char *v) { return table_put(r->t, id, v, &r->e); }
static inline void put(struct rig *r, int64_t id, const char *v) { RC(try_put(r, id, v), FRZ_OK, &r->e); }
static inline void has(struct rig *r, int64_t id, const char *v) { table_has(r->t, id, v); }
static inline frz_stats stats(struct rig *r)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(r->db, NULL, &s, &r->e), &r->e);
    return s;
}

static inline int rig_on_finding(void *ctx, const frz_finding *f)
{
    (void)ctx;
    print_error("finding: %s: %s: %s\n", f->table, f->where, f->what);
    return 0;
}
static inline void rig_verify(struct rig *r)
{
    frz_verify_report report = {.struct_size = sizeof report};
    OK(frz_verify(r->db, NULL, rig_on_finding, NULL, &report, &r->e), &r->e);
    assert_int_equal(report.findings, 0);
}

struct names { char name[64][128]; size_t count; };
static inline int on_name(void *ctx, const char *name, bool is_dir)
{
    struct names *n = (struct names *)ctx;
    (void)is_dir;
    assert_true(n->count < 64);
    snprintf(n->name[n->count++], 128, "%s", name);
    return 0;
}
#endif
