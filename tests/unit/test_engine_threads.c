/* Goal    what frazil.h lets any number of threads do at once they may do beside what changes a table under them: commits, reloads, a refresh, a table that breaks and is mended.
 * Method  a few threads read by every call there is while one changes; ThreadSanitizer and AddressSanitizer judge, the readers count what is wrong. Ends when the changing one is done: no clock. */
#include "frz_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "io/fs_fault.h"

struct stage {
    struct fs *fs;
    frz_db *db;   /* that changes */
    frz_table *t;
    frz_db *other; /* that is read: the same one, or one for reading only */
    frz_table *seen;
    _Atomic bool stop;
    _Atomic uint64_t rounds, wrong;
    frz_error e;
};

static void put(struct stage *s, int64_t id, int64_t v)
{
    frz_row *row;
    OK(frz_row_new(s->t, &row, &s->e), &s->e);
    OK(frz_row_set_long(row, 0, id, &s->e), &s->e);
    OK(frz_row_set_long(row, 1, v, &s->e), &s->e);
    OK(frz_put(s->t, row, NULL, &s->e), &s->e);
    frz_row_free(row);
}

static void stage_init(struct stage *s)
{
    *s = (struct stage){0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *schema;
    o.create = true;
    o.memory_bytes = 8 << 20;
    o.log_segment_bytes = 131072;
    o.snapshot_memory_max = 64 << 20; /* a count may be slower than flushes: to be given up for that is no wrong answer, and not what is looked at here */
    to.format_version = 2;
    OK(frz__fs_fault_new(NULL, 1, &s->fs, &s->e), &s->e);
    OK(frz__test_db_open(s->fs, &o, &s->db, &s->e), &s->e);
    OK(frz_schema_parse("id long, v long?", "id", &schema, &s->e), &s->e);
    OK(frz_table_create(s->db, "t", schema, &to, &s->t, &s->e), &s->e);
    frz_schema_free(schema);
    put(s, 1, 0);
    OK(frz_table_flush(s->t, &s->e), &s->e);
}

/* ── readers ── */

static void allow(struct stage *s, int rc, bool may_break, const frz_error *e, const char *what)
{
    if (rc == FRZ_OK) return;
    if (may_break && rc == FRZ_CORRUPT && (strstr(e->message, "can't be used") || strstr(e->message, "still retained"))) return;
    print_error("%s: %s: %s\n", what, frz_status_name(rc), e->message);
    atomic_fetch_add(&s->wrong, 1);
}

static int on_snapshot(void *ctx, const frz_snapshot_info *i)
{
    if (i->current) *(int64_t *)ctx = i->snapshot_id;
    return 0;
}
static int on_file(void *ctx, const frz_file_info *i) { return (*(uint64_t *)ctx += i->rows), 0; }
static int on_property(void *ctx, const char *key, const char *value) { return (*(uint64_t *)ctx += strlen(key) + strlen(value)), 0; }

static int read_published(struct stage *s, frz_error *e)
{
    frz_snapshot *snapshot;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    int64_t id = 0;
    uint64_t n;
    int rc = frz_table_snapshots(s->seen, on_snapshot, &id, e);
    if (rc != FRZ_OK) return rc;
    rc = frz_snapshot_open_published(s->seen, id, &snapshot, e);
    if (rc != FRZ_OK) return rc == FRZ_NOT_FOUND ? FRZ_OK : rc; /* it expired meanwhile */
    o.snapshot = snapshot;
    rc = frz_count(s->seen, &o, &n, e);
    if (rc == FRZ_OK && n == 0) rc = frz__err(e, FRZ_BUG, "a published snapshot lacks the first row");
    frz_snapshot_close(snapshot);
    return rc;
}

static int read_value(struct stage *s, int64_t *last, frz_error *e)
{
    frz_row *row;
    frz_value key = {.type = FRZ_LONG, .as.i64 = 1};
    int rc = frz_row_new(s->seen, &row, e);
    if (rc != FRZ_OK) return rc;
    rc = frz_get(s->seen, NULL, &key, 1, row, e);
    if (rc == FRZ_OK) {
        int64_t now = frz_row_long(row, 1);
        if (now < *last) rc = frz__err(e, FRZ_BUG, "key 1 went back from %lld to %lld", (long long)*last, (long long)now);
        *last = now;
    }
    frz_row_free(row);
    return rc;
}

static void *reader(void *arg)
{
    struct stage *s = (struct stage *)arg;
    bool may_break = s->other != s->db;
    int64_t last = 0;
    while (!atomic_load(&s->stop)) {
        frz_error e = {0};
        uint64_t n = 0;
        frz_schema *schema = NULL;
        frz_blob *blob = NULL;
        frz_snapshot *snapshot = NULL;
        frz_stats st = {.struct_size = sizeof st};
        allow(s, read_value(s, &last, &e), may_break, &e, "get");
        allow(s, read_published(s, &e), may_break, &e, "published");
        allow(s, frz_count(s->seen, NULL, &n, &e), may_break, &e, "count");
        allow(s, frz_table_files(s->seen, NULL, on_file, &n, &e), may_break, &e, "files");
        allow(s, frz_table_properties(s->seen, on_property, &n, &e), may_break, &e, "properties");
        int rc = frz_table_property(s->seen, "frazil.publish-interval-ms", &blob, &e);
        allow(s, rc, may_break, &e, "property");
        if (rc == FRZ_OK) frz_blob_free(blob);
        rc = frz_table_schema(s->seen, &schema, &e);
        allow(s, rc, may_break, &e, "schema");
        if (rc == FRZ_OK) frz_schema_free(schema);
        allow(s, frz_db_stats(s->other, NULL, &st, &e), false, &e, "statistics");
        allow(s, frz_db_stats(s->other, s->seen, &st, &e), false, &e, "statistics of a table");
        rc = frz_snapshot_open(s->other, &snapshot, &e);
        allow(s, rc, false, &e, "snapshot");
        if (rc == FRZ_OK) frz_snapshot_close(snapshot);
        if (frz_table_format_version(s->seen) != 2) allow(s, FRZ_BUG, false, &e, "format version");
        atomic_fetch_add(&s->rounds, 1);
    }
    return NULL;
}

/* Looks for what is wrong on disk; a table that is broken just now is a finding, and no more. */
static void *verifier(void *arg)
{
    struct stage *s = (struct stage *)arg;
    while (!atomic_load(&s->stop)) {
        frz_error e = {0};
        frz_verify_report r = {.struct_size = sizeof r};
        allow(s, frz_verify(s->other, NULL, NULL, NULL, &r, &e), false, &e, "verify");
        if (r.findings && s->other == s->db) allow(s, FRZ_BUG, false, &e, "findings");
        atomic_fetch_add(&s->rounds, 1);
    }
    return NULL;
}

#define READERS 3
static void beside_readers(struct stage *s, void (*change)(struct stage *s, int64_t round), int64_t rounds)
{
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, i ? reader : verifier, s), 0);
    for (int64_t i = 1; i <= rounds || atomic_load(&s->rounds) < READERS; i++) change(s, i); /* on a machine in use, until they read at all */
    atomic_store(&s->stop, true);
    for (int i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&s->wrong), 0);
}

/* ── beside commits ── */

static void commit_some(struct stage *s, int64_t round)
{
    char text[32];
    put(s, 1, round);
    put(s, 1000 + round, round);
    OK(frz_table_flush(s->t, &s->e), &s->e);
    snprintf(text, sizeof text, "%lld", (long long)(600000 + round));
    if (round % 4 == 0) OK(frz_table_set_property(s->t, "frazil.publish-interval-ms", text, &s->e), &s->e);
}

TEST(threads, read_beside_commits)
{
    struct stage s;
    stage_init(&s);
    s.other = s.db;
    s.seen = s.t;
    beside_readers(&s, commit_some, 60);
    OK(frz_db_close(s.db, &s.e), &s.e);
    frz__fs_free(s.fs);
}

/* ── beside reloads: a commit that fails beyond its link makes the next one read the table again ── */

static void commit_in_doubt(struct stage *s, int64_t round)
{
    if (round % 3 == 0) (void)frz__test_failpoint("commit.after_link", "error:1:1");
    put(s, 1, round);
    int rc = frz_table_flush(s->t, &s->e);
    if (rc != FRZ_OK) RC(rc, FRZ_IO, &s->e);
}

static void *writer(void *arg)
{
    struct stage *s = (struct stage *)arg;
    frz_error e = {0};
    frz_row *row;
    if (frz_row_new(s->t, &row, &e) != FRZ_OK) abort();
    for (int64_t i = 0; !atomic_load(&s->stop); i++) {
        if (frz_row_set_long(row, 0, 2 + i % 50, &e) != FRZ_OK || frz_row_set_long(row, 1, i, &e) != FRZ_OK) abort();
        int rc = frz_put(s->t, row, NULL, &e);
        if (rc != FRZ_OK && rc != FRZ_IO) allow(s, rc, false, &e, "put"); /* FRZ_IO: it waits for a flush that failed */
    }
    frz_row_free(row);
    return NULL;
}

TEST(threads, read_and_write_beside_reloads)
{
    struct stage s;
    pthread_t thread;
    stage_init(&s);
    s.other = s.db;
    s.seen = s.t;
    assert_int_equal(pthread_create(&thread, NULL, writer, &s), 0);
    beside_readers(&s, commit_in_doubt, 30);
    pthread_join(thread, NULL);
    (void)frz__test_failpoint("commit.after_link", "off");
    OK(frz_db_close(s.db, &s.e), &s.e);
    frz__fs_free(s.fs);
}

/* ── beside a refresh ── */

static void metadata_path(struct stage *s, char out[64])
{
    struct buf hint = BUF_INIT(NULL, 64);
    OK(frz__fs_read_file(s->fs, "main/t/metadata/version-hint.text", 64, &hint, &s->e), &s->e);
    snprintf(out, 64, "main/t/metadata/v%.*s.metadata.json", (int)hint.len, (const char *)hint.data);
    buf_clear(&hint);
}

/* Like a commit of somebody else's: at no time is the name missing, or a reader would rightly find the version before to be the newest. */
static void replace(struct stage *s, const char *path, slice bytes)
{
    struct file *f;
    OK(frz__fs_open(s->fs, "main/t/metadata/.aside", FS_OPEN_CREATE_NEW, &f, &s->e), &s->e);
    OK(frz__file_write(f, 0, bytes.data, bytes.len, &s->e), &s->e);
    OK(frz__file_close(f, &s->e), &s->e);
    OK(frz__fs_rename(s->fs, "main/t/metadata/.aside", path, &s->e), &s->e);
}

static void publish_and_refresh(struct stage *s, int64_t round)
{
    char path[64];
    struct buf good = BUF_INIT(NULL, 1 << 20);
    put(s, 1, round);
    if (round % 2) OK(frz_table_flush(s->t, &s->e), &s->e);
    OK(frz_db_refresh(s->other, &s->e), &s->e);
    if (round % 5) return;
    metadata_path(s, path); /* nobody can read it for a while */
    OK(frz__fs_read_file(s->fs, path, 1 << 20, &good, &s->e), &s->e);
    replace(s, path, slice_str("{"));
    for (int i = 0; i < 2; i++) {
        OK(frz_db_refresh(s->other, &s->e), &s->e);
        RC(frz_count(s->seen, NULL, &(uint64_t){0}, &s->e), FRZ_CORRUPT, &s->e);
        MESSAGE_HAS(&s->e, "can't be used");
    }
    replace(s, path, buf_slice(&good));
    buf_clear(&good);
    OK(frz_db_refresh(s->other, &s->e), &s->e);
    OK(frz_count(s->seen, NULL, &(uint64_t){0}, &s->e), &s->e);
}

TEST(threads, read_beside_a_refresh_that_breaks_and_mends_the_table)
{
    struct stage s;
    stage_init(&s);
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    o.memory_bytes = 8 << 20;
    OK(frz__test_db_open(s.fs, &o, &s.other, &s.e), &s.e);
    OK(frz_table_open(s.other, "t", &s.seen, &s.e), &s.e);
    beside_readers(&s, publish_and_refresh, 40);
    OK(frz_db_close(s.other, &s.e), &s.e);
    OK(frz_db_close(s.db, &s.e), &s.e);
    frz__fs_free(s.fs);
}
