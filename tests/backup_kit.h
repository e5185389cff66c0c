/* backup_kit.h — a database of two tables in one folder of a file system, backups in another, and the list of all writes: what the tables hold at any sequence follows from it. */
#ifndef BACKUP_KIT_H
#define BACKUP_KIT_H
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/rand.h"
#include "io/fs_fault.h"
#include "ship/backup.h"

#define BK_KEYS 200
#define BK_OPS  20000
struct bk_op {
    uint64_t seq, batch_end;
    uint8_t table;
    uint16_t key;
    int64_t value;
    int64_t time_us;
}; /* value 0 = deleted */
struct bk {
    struct fs *base, *home, *dest, *archive;
    frz_db_options o;
    frz_db *db;
    frz_table *t[2];
    frz_error e;
    int format;
    pthread_mutex_t mu;
    struct bk_op *ops;
    size_t count;
    int64_t next_value;
};
static const char *const bk_names[2] = {"a", "b"};

static inline struct fs *bk_folder(struct bk *k, const char *name)
{
    struct fs *fs;
    int rc = frz__fs_mkdir(k->base, name, &k->e);
    assert_true(rc == FRZ_OK || rc == FRZ_EXISTS);
    OK(frz__fs_sync_dir(k->base, "", SYNC_TEST, &k->e), &k->e);
    OK(frz__fs_sub_new(k->base, name, &fs, &k->e), &k->e);
    return fs;
}
static inline void bk_open(struct bk *k)
{
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    to.format_version = k->format;
    OK(frz__test_db_open(k->home, &k->o, &k->db, &k->e), &k->e);
    for (int i = 0; i < 2; i++) {
        int rc = frz_table_open(k->db, bk_names[i], &k->t[i], &k->e);
        if (rc != FRZ_NOT_FOUND) {
            OK(rc, &k->e);
            continue;
        }
        frz_schema *s;
        OK(frz_schema_parse("id long, v long, pad string?", "id", &s, &k->e), &k->e);
        OK(frz_table_create(k->db, bk_names[i], s, &to, &k->t[i], &k->e), &k->e);
        frz_schema_free(s);
    }
}
/* BASE is taken. */
static inline void bk_begin(struct bk *k, struct fs *base, int format)
{
    *k = (struct bk){.base = base, .o = FRZ_DB_OPTIONS_INIT, .format = format, .next_value = 1};
    pthread_mutex_init(&k->mu, NULL);
    k->ops = (struct bk_op *)calloc(BK_OPS, sizeof *k->ops);
    assert_non_null(k->ops);
    k->home = bk_folder(k, "home");
    k->dest = bk_folder(k, "backups");
    k->o.create = true;
    k->o.memory_bytes = (uint64_t)8 << 20;
    k->o.durability = FRZ_SYNC_OFF;
    k->o.log_segment_bytes = (uint64_t)128 << 10;
    bk_open(k);
}
static inline void bk_begin_mem(struct bk *k, int format)
{
    struct fs *base;
    frz_error e;
    OK(frz__fs_mem_new(NULL, &base, &e), &e);
    bk_begin(k, base, format);
}
static inline void bk_close(struct bk *k)
{
    frz_table_close(k->t[0]);
    frz_table_close(k->t[1]);
    k->t[0] = k->t[1] = NULL;
    OK(frz_db_close(k->db, &k->e), &k->e);
    k->db = NULL;
}
static inline void bk_end(struct bk *k)
{
    if (k->db) bk_close(k);
    frz__fs_free(k->home);
    frz__fs_free(k->dest);
    frz__fs_free(k->archive);
    frz__fs_free(k->base);
    free(k->ops);
    pthread_mutex_destroy(&k->mu);
}

/* One batch of COUNT operations over both tables, put on record. From any thread; the result. */
static inline int bk_write(struct bk *k, struct rng *r, size_t count, frz_error *e)
{
    frz_batch *b;
    frz_seq_range range = {0};
    struct bk_op ops[32];
    char pad[100];
    assert_true(count <= FRZ_ARRAY_LEN(ops));
    OK(frz_batch_new(k->db, &b, e), e);
    pthread_mutex_lock(&k->mu);
    int64_t value = k->next_value;
    k->next_value += (int64_t)count;
    pthread_mutex_unlock(&k->mu);
    for (size_t i = 0; i < count; i++) {
        ops[i] = (struct bk_op){.table = (uint8_t)(i ? rng_below(r, 2) : 0),
                                .key = (uint16_t)rng_below(r, BK_KEYS),
                                .value = rng_below(r, 5) ? value + (int64_t)i : 0};
        if (ops[i].value) {
            frz_row *row;
            OK(frz_row_new(k->t[ops[i].table], &row, e), e);
            OK(frz_row_set_long(row, 0, ops[i].key, e), e);
            OK(frz_row_set_long(row, 1, ops[i].value, e), e);
            memset(pad, 'a' + (int)(ops[i].value % 26), sizeof pad);
            if (ops[i].value % 3) OK(frz_row_set_string(row, 2, pad, sizeof pad, e), e);
            OK(frz_batch_put(b, k->t[ops[i].table], row, e), e);
            frz_row_free(row);
        } else {
            frz_value key = {.type = FRZ_LONG, .as.i64 = ops[i].key};
            OK(frz_batch_delete(b, k->t[ops[i].table], &key, 1, e), e);
        }
    }
    int rc = frz_write(k->db, b, NULL, &range, e);
    frz_batch_free(b);
    if (rc != FRZ_OK) return rc;
    int64_t now = frz__clock_wall_us();
    pthread_mutex_lock(&k->mu);
    assert_true(k->count + count <= BK_OPS);
    for (size_t i = 0; i < count; i++) {
        ops[i].seq = range.first + i;
        ops[i].batch_end = range.last;
        ops[i].time_us = now;
        k->ops[k->count++] = ops[i];
    }
    pthread_mutex_unlock(&k->mu);
    return rc;
}
static inline void bk_fill(struct bk *k, uint64_t seed, size_t batches)
{
    struct rng r = {seed};
    for (size_t i = 0; i < batches; i++) OK(bk_write(k, &r, 1 + rng_below(&r, 12), &k->e), &k->e);
}
static inline int bk_by_seq(const void *a, const void *b)
{
    const struct bk_op *x = (const struct bk_op *)a, *y = (const struct bk_op *)b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* The tables of DB are what all batches that end at or before SEQ made. */
static inline void bk_is(struct bk *k, frz_db *db, uint64_t seq)
{
    static int64_t want[2][BK_KEYS];
    frz_error e;
    memset(want, 0, sizeof want);
    qsort(k->ops, k->count, sizeof *k->ops, bk_by_seq);
    for (size_t i = 0; i < k->count; i++)
        if (k->ops[i].batch_end <= seq) want[k->ops[i].table][k->ops[i].key] = k->ops[i].value;
    for (int i = 0; i < 2; i++) {
        frz_table *t;
        frz_cursor *c;
        const frz_row *row;
        uint64_t rows = 0, expected = 0;
        OK(frz_table_open(db, bk_names[i], &t, &e), &e);
        OK(frz_scan(t, NULL, &c, &e), &e);
        int rc;
        while ((rc = frz_cursor_next(c, &row, &e)) == FRZ_OK) {
            int64_t key = frz_row_long(row, 0);
            size_t len = 0;
            const char *pad = frz_row_bytes(row, 2, &len);
            assert_true(key >= 0 && key < BK_KEYS);
            if (frz_row_long(row, 1) != want[i][key])
                fail_msg("table %s at sequence %llu: key %lld has %lld, expected %lld", bk_names[i], (unsigned long long)seq,
                         (long long)key, (long long)frz_row_long(row, 1), (long long)want[i][key]);
            if (want[i][key] % 3)
                assert_true(len == 100 && pad[99] == 'a' + (char)(want[i][key] % 26));
            else
                assert_null(pad);
            rows++;
        }
        RC(rc, FRZ_DONE, &e);
        frz_cursor_close(c);
        frz_table_close(t);
        for (size_t key = 0; key < BK_KEYS; key++) expected += want[i][key] != 0;
        assert_int_equal(rows, expected);
    }
}
static inline int bk_finding(void *ctx, const frz_finding *f)
{
    fail_msg("%s %s: %s", f->table, f->where, f->what);
    return 0;
}
/* The database in FS, which is right at SEQ, and verifies clean. */
static inline void bk_holds(struct bk *k, struct fs *fs, bool read_only, uint64_t seq)
{
    frz_db *db;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_verify_report report = FRZ_INIT(frz_verify_report);
    o.read_only = read_only;
    OK(frz__test_db_open(fs, &o, &db, &k->e), &k->e);
    bk_is(k, db, seq);
    OK(frz_verify(db, NULL, bk_finding, NULL, &report, &k->e), &k->e);
    assert_int_equal(report.findings, 0);
    OK(frz_db_close(db, &k->e), &k->e);
}

static inline int bk_try_backup(struct bk *k, const struct backup_request *given, struct backup_manifest *m, frz_error *e)
{
    struct backup_request r = given ? *given : (struct backup_request){0};
    r.dest = k->dest;
    r.dest_root = k->dest->root;
    frz__backup_manifest_init(m, NULL);
    return frz__backup(k->db->db, &r, m, e);
}
/* Its sequence. */
static inline uint64_t bk_backup(struct bk *k, const struct backup_request *given)
{
    struct backup_manifest m;
    OK(bk_try_backup(k, given, &m, &k->e), &k->e);
    uint64_t seq = m.sequence;
    frz__backup_manifest_clear(&m);
    return seq;
}
static inline struct fs *bk_backup_fs(struct bk *k, uint64_t number)
{
    char name[32];
    struct fs *fs;
    frz__backup_name(name, number, "");
    OK(frz__fs_sub_new(k->dest, name, &fs, &k->e), &k->e);
    return fs;
}
static inline int bk_try_restore(struct bk *k, const char *to, const struct restore_request *given, struct restore_result *out,
                                 frz_error *e)
{
    struct restore_request r = given ? *given : (struct restore_request){0};
    struct fs *fs = bk_folder(k, to);
    r.backups = k->dest;
    r.dest = fs;
    r.dest_root = fs->root;
    int rc = frz__restore(NULL, &r, out, e);
    frz__fs_free(fs);
    return rc;
}
#endif
