/* crash_kit.h — a scripted workload over three tables, a model of what it should leave, and the look at what is there.
 * The script is drawn from a seed: puts, deletes, batches over two tables, flushes, compactions, creates, drops, properties, reopens. Value N is written by step N: each state is unlike every other. */
#ifndef CRASH_KIT_H
#define CRASH_KIT_H
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/rand.h"
#include "io/fs_fault.h"
#include "tidy_kit.h"

#define KIT_KEYS 40
#define KIT_TABLES 3
static const char *const kit_names[KIT_TABLES] = {"a", "b", "c"};

struct kit_state {
    bool exists[KIT_TABLES];
    int64_t v[KIT_TABLES][KIT_KEYS]; /* 0 = absent */
    int64_t property;                /* of table a; 0 = none */
};
enum kit_kind { KIT_CREATE, KIT_DROP, KIT_PUT, KIT_DELETE, KIT_BATCH, KIT_FLUSH, KIT_COMPACT, KIT_SYNC, KIT_PROPERTY, KIT_REOPEN };
static const char *const kit_kinds[] = {"create", "drop", "put", "delete", "batch", "flush", "compact", "sync", "property", "reopen"};
struct kit_change { uint8_t table, key; bool put; };
struct kit_step {
    enum kit_kind kind;
    uint8_t table;
    bool publish; /* reopen: at close */
    unsigned count, repeat; /* repeat: a write that is done so many times more, to fill the log */
    struct kit_change at[12];
};
#define KIT_STEPS_MAX 128
struct kit {
    struct kit_step steps[KIT_STEPS_MAX];
    struct kit_state after[KIT_STEPS_MAX + 1]; /* [i]: before step i */
    size_t count;
    struct fs *fs;
    frz_db_options options;
    frz_db *db;
    frz_table *t[KIT_TABLES];
    size_t durable; /* steps before it are on stable storage */
    frz_error err;
};

static inline double kit_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static inline double kit_seconds(double def)
{
    const char *s = getenv("FRZ_CRASH_SECONDS");
    return s ? atof(s) : def;
}

/* ── the script ── */

static inline void kit_apply(const struct kit_step *s, size_t i, struct kit_state *st)
{
    if (s->kind == KIT_CREATE) st->exists[s->table] = true;
    if (s->kind == KIT_DROP) {
        st->exists[s->table] = false;
        memset(st->v[s->table], 0, sizeof st->v[s->table]);
    }
    if (s->kind == KIT_PROPERTY) st->property = (int64_t)i + 1;
    for (unsigned k = 0; k < s->count; k++) st->v[s->at[k].table][s->at[k].key] = s->at[k].put ? (int64_t)i + 1 : 0;
}

static inline void kit_draw(struct kit *k, uint64_t seed, size_t count, bool ddl)
{
    struct rng r = {seed};
    k->count = count;
    for (size_t i = 0; i < count; i++) {
        struct kit_step *s = &k->steps[i];
        const struct kit_state *st = &k->after[i];
        *s = (struct kit_step){0};
        uint64_t dice = rng_below(&r, 100);
        if (i < 2) *s = (struct kit_step){.kind = KIT_CREATE, .table = (uint8_t)i};
        else if (dice < 34) s->kind = KIT_PUT;
        else if (dice < 44) s->kind = KIT_DELETE;
        else if (dice < 62) s->kind = KIT_BATCH;
        else if (dice < 80) *s = (struct kit_step){.kind = dice < 76 ? KIT_FLUSH : KIT_COMPACT, .table = (uint8_t)rng_below(&r, 2)};
        else if (dice < 82) s->kind = KIT_SYNC;
        else if (dice < 86) *s = (struct kit_step){.kind = ddl ? KIT_PROPERTY : KIT_PUT};
        else if (dice < 93) *s = (struct kit_step){.kind = ddl ? (st->exists[2] ? KIT_DROP : KIT_CREATE) : KIT_BATCH, .table = 2};
        else *s = (struct kit_step){.kind = KIT_REOPEN, .publish = rng_below(&r, 2)};
        if (s->kind == KIT_PUT || s->kind == KIT_DELETE || s->kind == KIT_BATCH) {
            s->count = s->kind == KIT_BATCH ? 2 + (unsigned)rng_below(&r, 11) : 1;
            for (unsigned c = 0; c < s->count; c++) {
                uint8_t table = (uint8_t)rng_below(&r, st->exists[2] ? 3 : 2);
                s->at[c] = (struct kit_change){s->kind == KIT_BATCH && c < 2 ? (uint8_t)c : table, (uint8_t)rng_below(&r, KIT_KEYS), s->kind == KIT_PUT || (s->kind == KIT_BATCH && rng_below(&r, 3))};
            }
        }
        k->after[i + 1] = k->after[i];
        kit_apply(s, i, &k->after[i + 1]);
    }
}

/* ── doing it ── */

static inline int kit_open(struct kit *k)
{
    frz__test_clock_rounds_off(true); /* the script alone does things: calls are counted */
    int rc = frz__test_db_open(k->fs, &k->options, &k->db, &k->err);
    for (int i = 0; rc == FRZ_OK && i < KIT_TABLES; i++) {
        k->t[i] = NULL;
        rc = frz_table_open(k->db, kit_names[i], &k->t[i], &k->err);
        if (rc == FRZ_NOT_FOUND) rc = FRZ_OK;
    }
    return rc;
}
static inline int kit_close(struct kit *k)
{
    int rc = frz_db_close(k->db, &k->err);
    k->db = NULL;
    memset(k->t, 0, sizeof k->t);
    return rc;
}

static inline int kit_create(struct kit *k, int table)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.snapshots-max", "write.metadata.previous-versions-max", "commit.manifest.min-count-to-merge"};
    static const char *const values[] = {"0", "0", "1", "2", "2"}; /* manifests are merged all the time */
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s = NULL;
    o.format_version = table == 1 ? 3 : 2;
    o.property_keys = keys;
    o.property_values = values;
    o.property_count = 5;
    int rc = frz_schema_parse("id long, v long, pad string?", "id", &s, &k->err);
    if (rc == FRZ_OK) rc = frz_table_create(k->db, kit_names[table], s, &o, &k->t[table], &k->err);
    frz_schema_free(s);
    return rc;
}

/* Text that no codec makes small: files grow beyond what each flush absorbs, so that there are masks. */
static inline size_t kit_pad(int64_t v, char out[600])
{
    size_t n = 100 + (size_t)(v * 37 % 400);
    struct rng r = {(uint64_t)v};
    for (size_t i = 0; i < n; i++) out[i] = (char)('0' + rng_next(&r) % 64);
    return n;
}
static inline int kit_fill(frz_row *row, int64_t key, int64_t v, frz_error *e)
{
    char pad[600];
    size_t n = kit_pad(v, pad);
    TRY(frz_row_set_long(row, 0, key, e));
    TRY(frz_row_set_long(row, 1, v, e));
    return frz_row_set_string(row, 2, pad, n, e);
}

static inline int kit_write(struct kit *k, const struct kit_step *s, int64_t v)
{
    frz_batch *b = NULL;
    int rc = FRZ_OK;
    CHECK(frz_batch_new(k->db, &b, &k->err));
    for (unsigned c = 0; c < s->count; c++) {
        frz_table *t = k->t[s->at[c].table];
        frz_value key = {.type = FRZ_LONG, .as.i64 = s->at[c].key};
        frz_row *row = NULL;
        if (!s->at[c].put) {
            CHECK(frz_batch_delete(b, t, &key, 1, &k->err));
            continue;
        }
        CHECK(frz_row_new(t, &row, &k->err));
        rc = kit_fill(row, s->at[c].key, v, &k->err);
        if (rc == FRZ_OK) rc = frz_batch_put(b, t, row, &k->err);
        frz_row_free(row);
        if (rc < 0) goto done;
    }
    rc = frz_write(k->db, b, NULL, NULL, &k->err);
done:
    frz_batch_free(b);
    return rc;
}

/* Step I. Afterwards k->durable says what a power cut may not take. */
static inline int kit_do(struct kit *k, size_t i)
{
    const struct kit_step *s = &k->steps[i];
    char text[24];
    int rc = FRZ_OK;
    bool durable = k->options.durability == FRZ_SYNC_FULL;
    switch (s->kind) {
    case KIT_CREATE: rc = kit_create(k, s->table); break;
    case KIT_DROP:
        frz_table_close(k->t[s->table]);
        k->t[s->table] = NULL;
        rc = frz_table_drop(k->db, kit_names[s->table], &k->err);
        break;
    case KIT_PUT:
    case KIT_DELETE:
    case KIT_BATCH:
        for (unsigned n = 0; rc == FRZ_OK && n <= s->repeat; n++) rc = kit_write(k, s, (int64_t)i + 1);
        break;
    case KIT_FLUSH:
        rc = frz_table_flush(k->t[s->table], &k->err);
        break;
    case KIT_COMPACT:
        rc = frz_table_compact(k->t[s->table], NULL, NULL, &k->err);
        break;
    case KIT_SYNC:
        rc = frz_db_sync(k->db, &k->err);
        durable = true;
        break;
    case KIT_PROPERTY:
        snprintf(text, sizeof text, "%zu", i + 1);
        rc = frz_table_set_property(k->t[0], "step", text, &k->err);
        break;
    case KIT_REOPEN:
        k->options.no_close_flush = !s->publish;
        rc = kit_close(k);
        if (rc == FRZ_OK) rc = kit_open(k);
        durable = true; /* close syncs the log */
        break;
    }
    if (rc == FRZ_OK && durable) k->durable = i + 1;
    return rc;
}

/* Opens, runs all steps up to the first that fails; closes. The number of steps done. */
static inline size_t kit_run(struct kit *k, int *rc)
{
    size_t i = 0;
    k->durable = 0;
    *rc = kit_open(k);
    for (; *rc == FRZ_OK && i < k->count; i++) {
        *rc = kit_do(k, i);
        if (*rc != FRZ_OK) break;
    }
    if (k->db) (void)kit_close(k);
    return i;
}

/* ── looking ── */

static inline int kit_read_row(const frz_row *row, int64_t *last, int64_t v[KIT_KEYS])
{
    char pad[600];
    size_t got;
    int64_t key = frz_row_long(row, 0);
    if (key >= KIT_KEYS || key <= *last) return FRZ_CORRUPT;
    *last = key;
    v[key] = frz_row_long(row, 1);
    const char *p = frz_row_bytes(row, 2, &got);
    return got == kit_pad(v[key], pad) && memcmp(p, pad, got) == 0 ? FRZ_OK : FRZ_CORRUPT;
}
static inline int kit_read_table(frz_table *t, int64_t v[KIT_KEYS], frz_error *e)
{
    frz_cursor *c = NULL;
    const frz_row *row;
    int64_t last = -1;
    memset(v, 0, KIT_KEYS * sizeof *v);
    int rc = frz_scan(t, NULL, &c, e);
    if (rc != FRZ_OK) return rc;
    while ((rc = frz_cursor_next(c, &row, e)) == FRZ_OK) {
        rc = kit_read_row(row, &last, v);
        if (rc == FRZ_OK) continue;
        snprintf(e->message, sizeof e->message, "key %lld, behind key %lld, is out of order or not as it was written", (long long)frz_row_long(row, 0), (long long)last);
        break;
    }
    frz_cursor_close(c);
    return rc == FRZ_DONE ? FRZ_OK : rc;
}

static inline int kit_try_look(struct kit *k, struct kit_state *st, frz_error *e)
{
    int rc = FRZ_OK;
    memset(st, 0, sizeof *st);
    for (int i = 0; rc == FRZ_OK && i < KIT_TABLES; i++) {
        st->exists[i] = k->t[i] != NULL;
        if (k->t[i]) rc = kit_read_table(k->t[i], st->v[i], e);
    }
    frz_blob *b = NULL;
    if (rc == FRZ_OK && k->t[0] && frz_table_property(k->t[0], "step", &b, e) == FRZ_OK) st->property = atoll(frz_blob_data(b));
    frz_blob_free(b);
    return rc;
}
static inline void kit_look(struct kit *k, struct kit_state *st)
{
    frz_error e;
    OK(kit_try_look(k, st, &e), &e);
}

static inline bool kit_same(const struct kit_state *a, const struct kit_state *b)
{
    return memcmp(a->exists, b->exists, sizeof a->exists) == 0 && memcmp(a->v, b->v, sizeof a->v) == 0 && a->property == b->property;
}

static inline void kit_print_difference(const struct kit_state *is, const struct kit_state *want)
{
    if (is->property != want->property) print_error("  property is %lld, expected %lld\n", (long long)is->property, (long long)want->property);
    for (int i = 0; i < KIT_TABLES; i++) {
        if (is->exists[i] != want->exists[i]) print_error("  table %s: there %d, expected %d\n", kit_names[i], is->exists[i], want->exists[i]);
        for (int key = 0; key < KIT_KEYS; key++)
            if (is->v[i][key] != want->v[i][key]) print_error("  %s[%d] is %lld, expected %lld\n", kit_names[i], key, (long long)is->v[i][key], (long long)want->v[i][key]);
    }
}

static inline int kit_on_finding(void *ctx, const frz_finding *f)
{
    (void)ctx;
    print_error("  finding: %s: %s: %s\n", f->table, f->where, f->what);
    return 0;
}
static inline void kit_verify(frz_db *db)
{
    frz_error e;
    frz_verify_report r = {.struct_size = sizeof r};
    OK(frz_verify(db, NULL, kit_on_finding, NULL, &r, &e), &e);
    assert_int_equal(r.findings, 0);
}

/* What other engines find: version-hint.text of each table of MUST names a version that is there; so does one of another table, if there is one. Before an open. */
static inline bool kit_hints_hold(struct fs *fs, const bool must[KIT_TABLES])
{
    for (int i = 0; i < KIT_TABLES; i++) {
        char path[64], text[24] = "", *end;
        frz_error e;
        bool there = false;
        struct buf b = BUF_INIT(NULL, 0);
        snprintf(path, sizeof path, "main/%s/metadata/version-hint.text", kit_names[i]);
        int rc = frz__fs_read_file(fs, path, 20, &b, &e);
        if (rc == FRZ_OK && b.len && b.len < sizeof text) memcpy(text, b.data, b.len); /* an empty one has no data */
        buf_clear(&b);
        if (rc == FRZ_NOT_FOUND && !must[i]) continue;
        snprintf(path, sizeof path, "main/%s/metadata/v%lld.metadata.json", kit_names[i], strtoll(text, &end, 10));
        if (rc != FRZ_OK || !*text || *end || frz__fs_exists(fs, path, &there, &e) != FRZ_OK || !there) return false;
    }
    return true;
}

/* ── orphans ── */

struct kit_names { char name[400][200]; size_t count; };
static inline int kit_on_name(void *ctx, const char *name, bool is_dir)
{
    struct kit_names *n = (struct kit_names *)ctx;
    (void)is_dir;
    if (n->count < 400) snprintf(n->name[n->count++], 200, "%s", name);
    return 0;
}
static inline int kit_on_file(void *ctx, const frz_file_info *f)
{
    return kit_on_name(ctx, strrchr(f->path, '/') + 1, false);
}
static inline bool kit_has(const struct kit_names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->name[i], name) == 0) return true;
    return false;
}
static inline void kit_list(struct fs *fs, const char *dir, struct kit_names *out)
{
    frz_error e;
    out->count = 0;
    RC(frz__fs_list(fs, dir, kit_on_name, out, &e), FRZ_OK, &e);
}

/* After a write and a publish of each table nothing is there that the one retained snapshot does not need, beside a few older metadata versions. Changes the tables. */
static inline void kit_no_orphans(struct kit *k)
{
    static struct kit_names there, wanted;
    char dir[64];
    frz_error e;
    wait_tidy(k->db);
    for (int i = 0; i < KIT_TABLES; i++) {
        snprintf(dir, sizeof dir, "main/%s", kit_names[i]);
        bool exists = false;
        if (!k->t[i]) {
            OK(frz__fs_exists(k->fs, dir, &exists, &e), &e);
            if (exists) {
                print_error("%s: left of a table that is not\n", dir);
                fail();
            }
            continue;
        }
        frz_row *row = NULL;
        OK(frz_row_new(k->t[i], &row, &e), &e);
        OK(kit_fill(row, 0, 999, &e), &e);
        OK(frz_put(k->t[i], row, NULL, &e), &e);
        frz_row_free(row);
        OK(frz_table_flush(k->t[i], &e), &e);
        struct table *t = k->t[i]->t;
        frz__mutex_lock(&t->flush_mu); /* as the clock does each second */
        while (frz__expire_run(t)) {} /* a round ends by its time */
        frz__mutex_unlock(&t->flush_mu);
        wanted.count = 0;
        OK(frz_table_files(k->t[i], NULL, kit_on_file, &wanted, &e), &e);
        snprintf(dir, sizeof dir, "main/%s/data", kit_names[i]);
        kit_list(k->fs, dir, &there);
        for (size_t n = 0; n < there.count; n++)
            if (!kit_has(&wanted, there.name[n])) {
                print_error("%s/%s is an orphan\n", dir, there.name[n]);
                fail();
            }
        for (size_t n = 0; n < wanted.count; n++)
            if (!kit_has(&there, wanted.name[n])) {
                print_error("%s/%s is missing\n", dir, wanted.name[n]);
                fail();
            }
        struct version *v = frz__version_acquire(k->t[i]->t);
        wanted.count = 0;
        for (size_t m = 0; m < v->tree.count; m++) {
            char path[600];
            snprintf(path, sizeof path, "%.*s", (int)v->tree.manifests[m].path.len, v->tree.manifests[m].path.data);
            (void)kit_on_name(&wanted, strrchr(path, '/') + 1, false);
        }
        for (size_t m = 0; m < v->meta->snapshot_count; m++) {
            char path[600];
            snprintf(path, sizeof path, "%.*s", (int)v->meta->snapshots[m].manifest_list.len, v->meta->snapshots[m].manifest_list.data);
            (void)kit_on_name(&wanted, strrchr(path, '/') + 1, false);
        }
        (void)kit_on_name(&wanted, "version-hint.text", false);
        snprintf(dir, sizeof dir, "main/%s/metadata", kit_names[i]);
        kit_list(k->fs, dir, &there);
        for (size_t n = 0; n < there.count; n++) {
            int64_t number = 0;
            if (sscanf(there.name[n], "v%" SCNd64 ".metadata.json", &number) == 1 && number <= v->number && number >= v->number - 2) continue;
            if (!kit_has(&wanted, there.name[n])) {
                print_error("%s/%s is an orphan (the current version is %lld)\n", dir, there.name[n], (long long)v->number);
                fail();
            }
        }
        frz__version_release(v);
    }
    bool trash = false;
    OK(frz__fs_exists(k->fs, ".frazil/trash", &trash, &e), &e);
    there.count = 0;
    if (trash) kit_list(k->fs, ".frazil/trash", &there);
    assert_int_equal(there.count, 0);
}
#endif
