/* options_kit.h — one table written the same way under two values of an option; files, snapshots, statistics and the clock tell the difference. */
#ifndef FRZ_TEST_OPTIONS_KIT_H
#define FRZ_TEST_OPTIONS_KIT_H
#include "frz_test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"

/* ── a database with one table, `t`: id long, v binary ── */

struct fix {
    char dir[600];
    frz_db *db;
    frz_table *t;
    frz_row *row;
    frz_batch *batch;
    struct rng rng;
    frz_error e;
};

static inline frz_db_options quick(void)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    o.no_compaction = true; /* files are looked at as flushes left them */
    o.durability = FRZ_SYNC_OFF;
    return o;
}

static inline void fix_open(struct fix *f, const frz_db_options *o, const char *key, const char *value)
{
    frz_schema *s = NULL;
    frz_table_options t = FRZ_TABLE_OPTIONS_INIT;
    const char *keys[] = {"frazil.publish-interval-ms", key}, *values[] = {"0", value};
    size_t own = key && strcmp(key, keys[0]) == 0; /* publishing by age would blur what others do, unless it is what is looked at */
    *f = (struct fix){.rng = {7}};
    snprintf(f->dir, sizeof f->dir, "%s", test_tmp_dir("options"));
    OK(frz_db_open(f->dir, o, &f->db, &f->e), &f->e);
    OK(frz_schema_parse("id long, v binary", "id", &s, &f->e), &f->e);
    t.property_keys = keys + own;
    t.property_values = values + own;
    t.property_count = key ? 2 - own : 1;
    OK(frz_table_create(f->db, "t", s, &t, &f->t, &f->e), &f->e);
    frz_schema_free(s);
    OK(frz_row_new(f->t, &f->row, &f->e), &f->e);
    OK(frz_batch_new(f->db, &f->batch, &f->e), &f->e);
}

static inline void fix_close(struct fix *f)
{
    frz_row_free(f->row);
    frz_batch_free(f->batch);
    OK(frz_db_close(f->db, &f->e), &f->e);
    test_tmp_remove(f->dir);
}

/* Rows [FROM, TO) of BYTES each: noise, or (NOISE false) text that packs well. */
static inline void fix_put(struct fix *f, int64_t from, int64_t to, size_t bytes, bool noise)
{
    static uint8_t v[8192];
    assert_true(bytes <= sizeof v);
    for (int64_t id = from; id < to; id++) {
        for (size_t i = 0; i < bytes; i++) v[i] = noise ? (uint8_t)rng_next(&f->rng) : (uint8_t)("abcdefgh"[rng_below(&f->rng, 8)]);
        OK(frz_row_set_long(f->row, 0, id, &f->e), &f->e);
        OK(frz_row_set_bytes(f->row, 1, v, bytes, &f->e), &f->e);
        OK(frz_batch_put(f->batch, f->t, f->row, &f->e), &f->e);
        if (frz_batch_count(f->batch) < 20 && id + 1 < to) continue;
        OK(frz_write(f->db, f->batch, NULL, NULL, &f->e), &f->e);
        frz_batch_clear(f->batch);
    }
}
static inline void fix_flush(struct fix *f) { OK(frz_table_flush(f->t, &f->e), &f->e); }

static inline frz_stats stats(struct fix *f)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(f->db, NULL, &s, &f->e), &f->e);
    return s;
}

/* Reads every row, by key: what is read stays in the cache as far as it may. */
static inline void read_all(struct fix *f, int64_t rows)
{
    for (int64_t id = 0; id < rows; id++) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = id};
        OK(frz_get(f->t, NULL, &key, 1, f->row, &f->e), &f->e);
        assert_int_equal(frz_row_long(f->row, 0), id);
    }
}

static inline int count_snapshot(void *ctx, const frz_snapshot_info *i)
{
    (void)i;
    ++*(int *)ctx;
    return 0;
}
static inline int snapshot_count(struct fix *f)
{
    int n = 0;
    OK(frz_table_snapshots(f->t, count_snapshot, &n, &f->e), &f->e);
    return n;
}

/* Files of DIR, relative to the warehouse, whose name ends with SUFFIX; the size of the last one seen. */
static inline int files_in(struct fix *f, const char *dir, const char *suffix, uint64_t *bytes, char *name, size_t name_bytes)
{
    char path[1400];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", f->dir, dir);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name), end = strlen(suffix);
        struct stat st;
        if (e->d_name[0] == '.' || len < end || strcmp(e->d_name + len - end, suffix) != 0) continue;
        snprintf(path, sizeof path, "%s/%s/%s", f->dir, dir, e->d_name);
        if (stat(path, &st) != 0) continue; /* it went just now */
        if (bytes) *bytes = (uint64_t)st.st_size;
        if (name) snprintf(name, name_bytes, "%s", path);
        n++;
    }
    closedir(d);
    return n;
}

/* Whether COND comes true within two minutes. */
#define SOON(cond)                                             \
    do {                                                       \
        bool came_ = false;                                    \
        for (int i_ = 0; i_ < 24000 && !(came_ = (cond)); i_++) usleep(5000); \
        if (!came_) fail_msg("never: %s", #cond);              \
    } while (0)
#endif
