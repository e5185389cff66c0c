/* Goal    reading processes keep the files that they read, for as long as they live, and no longer (hazards 20).
 * Method  one file system in memory, a writer on it, and read-only databases, as other processes would be: locks there are of a handle, not of a process. Expiry runs as the clock would run it. */
#include "table_kit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/handle.h"
#include "base/failpoint.h"
#include "base/rand.h"
#include "engine/lease.h"
#include "engine/mark.h"
#include "io/fs.h"

struct bed {
    struct fs *fs;
    frz_db *db, *reader;
    frz_table *t, *rt;
    frz_error e;
};
static struct bed b;

static void bed_init(const char *grace, const char *snapshots, int format)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.snapshots-max", "write.metadata.previous-versions-max"};
    const char *values[] = {"0", grace, snapshots, "2"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    b = (struct bed){0};
    OK(frz__fs_mem_new(NULL, &b.fs, &b.e), &b.e);
    b.db = table_db_open(b.fs, false, &b.e);
    OK(frz_schema_parse("id long, v string?", "id", &s, &b.e), &b.e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 4;
    OK(frz_table_create(b.db, "t", s, &to, &b.t, &b.e), &b.e);
    frz_schema_free(s);
}
static void open_reader(void)
{
    b.reader = table_db_open(b.fs, true, &b.e);
    OK(frz_table_open(b.reader, "t", &b.rt, &b.e), &b.e);
}
static void bed_clear(void)
{
    if (b.reader) OK(frz_db_close(b.reader, &b.e), &b.e);
    if (b.db) OK(frz_db_close(b.db, &b.e), &b.e);
    frz__fs_free(b.fs);
}

static void expire(void)
{
    struct table *t = b.t->t;
    frz__mutex_lock(&t->flush_mu);
    while (frz__expire_run(t)) {} /* a round ends by its time */
    frz__mutex_unlock(&t->flush_mu);
}
/* The same hundred rows again: the file of the round before goes, all of it masked. */
static void round_of(const char *v)
{
    for (int64_t i = 0; i < 100; i++) OK(table_put(b.t, i, v, &b.e), &b.e);
    OK(frz_table_flush(b.t, &b.e), &b.e);
}
static void rounds(unsigned n)
{
    for (unsigned i = 0; i < n; i++) round_of(i % 2 ? "odd" : "even");
    expire();
}

struct names { size_t count; char name[400][96]; };
static int on_name(void *ctx, const char *name, bool is_dir)
{
    struct names *n = (struct names *)ctx;
    assert_true(n->count < 400);
    if (!is_dir) snprintf(n->name[n->count++], sizeof n->name[0], "%s", name);
    return 0;
}
static size_t files_in(const char *dir)
{
    static struct names n;
    n.count = 0;
    int rc = frz__fs_list(b.fs, dir, on_name, &n, &b.e);
    return rc == FRZ_OK ? n.count : 0;
}
static bool there(const char *path)
{
    bool is = false;
    OK(frz__fs_exists(b.fs, path, &is, &b.e), &b.e);
    return is;
}

static int keep_path(void *ctx, const frz_file_info *i)
{
    snprintf((char *)ctx, 256, "%s", i->path);
    return 1;
}
static void some_file(frz_table *t, frz_snapshot *s, char path[256]) { RC(frz_table_files(t, s, keep_path, path, &b.e), 1, &b.e); }

static int64_t current_snapshot(frz_table *t)
{
    struct version *v = frz__version_acquire(t->t);
    int64_t id = v->meta->current_snapshot_id;
    frz__version_release(v);
    return id;
}

/* ── readers of this process ── */

TEST(holds, of_a_cursor_a_snapshot_and_one_opened_by_id_keep_files_on_disk_whatever_expires)
{
    for (int format = 2; format <= 3; format++)
        for (int kind = 0; kind < 4; kind++) {
            frz_cursor *c = NULL;
            frz_snapshot *s = NULL;
            struct ArrowArrayStream stream = {0};
            const frz_row *row;
            char path[256];
            bed_init("0", "1", format);
            rounds(2);
            some_file(b.t, NULL, path);
            if (kind == 0) OK(frz_scan(b.t, NULL, &c, &b.e), &b.e);
            if (kind == 1) OK(frz_snapshot_open(b.db, &s, &b.e), &b.e);
            if (kind == 2) OK(frz_snapshot_open_published(b.t, current_snapshot(b.t), &s, &b.e), &b.e);
            if (kind == 3) OK(frz_scan_arrow(b.t, NULL, &stream, &b.e), &b.e);
            rounds(6);
            assert_true(there(path));
            if (kind == 0) {
                size_t n = 0;
                while (frz_cursor_next(c, &row, &b.e) == FRZ_OK) n++;
                assert_int_equal(n, 100);
            }
            frz_cursor_close(c);
            frz_snapshot_close(s);
            if (kind == 3) stream.release(&stream);
            expire();
            assert_false(there(path));
            bed_clear();
        }
}

TEST(holds, of_a_snapshot_that_expired_are_refused)
{
    frz_snapshot *s = NULL;
    bed_init("0", "1", 2);
    rounds(1);
    int64_t id = current_snapshot(b.t);
    rounds(3);
    RC(frz_snapshot_open_published(b.t, id, &s, &b.e), FRZ_NOT_FOUND, &b.e);
    bed_clear();
}

/* ── other processes ── */

TEST(hazard_20, a_reading_process_keeps_the_files_that_it_reads_until_it_moves_on)
{
    for (int format = 2; format <= 3; format++) {
        frz_cursor *c;
        const frz_row *row;
        char path[256];
        size_t n = 1;
        bed_init("0", "1", format);
        rounds(2);
        open_reader();
        assert_int_equal(files_in(".frazil/readers"), 1);
        some_file(b.rt, NULL, path);
        OK(frz_scan(b.rt, NULL, &c, &b.e), &b.e);
        RC(frz_cursor_next(c, &row, &b.e), FRZ_OK, &b.e);
        rounds(8);
        assert_true(there(path));
        OK(frz_db_refresh(b.reader, &b.e), &b.e); /* the cursor still has the old state */
        rounds(2);
        assert_true(there(path));
        while (frz_cursor_next(c, &row, &b.e) == FRZ_OK) n++;
        assert_int_equal(n, 100);
        frz_cursor_close(c);
        expire();
        assert_false(there(path));
        some_file(b.rt, NULL, path); /* what it reads since the refresh */
        assert_true(there(path));
        OK(frz_db_refresh(b.reader, &b.e), &b.e);
        expire();
        assert_false(there(path));
        OK(frz_db_close(b.reader, &b.e), &b.e);
        b.reader = NULL;
        assert_int_equal(files_in(".frazil/readers"), 0);
        rounds(2);
        assert_int_equal(files_in("main/t/data"), 1);
        bed_clear();
    }
}

TEST(hazard_20, a_snapshot_opened_by_id_in_a_reading_process_is_kept_or_said_to_be_gone)
{
    frz_snapshot *s = NULL, *late = NULL;
    uint64_t n;
    char path[256];
    bed_init("0", "4", 2);
    rounds(2);
    int64_t id = current_snapshot(b.t);
    rounds(1);
    open_reader(); /* it knows the snapshot, and reads a later one */
    OK(frz_snapshot_open_published(b.rt, id, &s, &b.e), &b.e);
    some_file(b.rt, s, path);
    rounds(8);
    assert_true(there(path));
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.snapshot = s;
    OK(frz_count(b.rt, &o, &n, &b.e), &b.e);
    assert_int_equal(n, 100);
    frz_snapshot_close(s);
    expire();
    FAILS(frz_snapshot_open_published(b.rt, id, &late, &b.e), FRZ_SNAPSHOT_TOO_OLD, &b.e);
    MESSAGE_HAS(&b.e, "gone");
    expire();
    assert_false(there(path));
    OK(frz_db_refresh(b.reader, &b.e), &b.e);
    RC(frz_snapshot_open_published(b.rt, id, &late, &b.e), FRZ_NOT_FOUND, &b.e);
    OK(frz_snapshot_open_published(b.rt, current_snapshot(b.rt), &late, &b.e), &b.e);
    frz_snapshot_close(late);
    bed_clear();
}

/* ── lease files ── */

static struct file *lay(const char *name, slice bytes, bool locked)
{
    char path[128];
    struct file *f;
    bool got = true;
    (void)!frz__fs_mkdir(b.fs, ".frazil/readers", &b.e);
    snprintf(path, sizeof path, ".frazil/readers/%s", name);
    OK(frz__fs_open(b.fs, path, FS_OPEN_CREATE_NEW, &f, &b.e), &b.e);
    OK(frz__file_write(f, 0, bytes.data, bytes.len, &b.e), &b.e);
    if (locked) OK(frz__file_lock(f, &got, &b.e), &b.e);
    assert_true(got);
    if (locked) return f;
    OK(frz__file_close(f, &b.e), &b.e);
    return NULL;
}
static void say(struct buf *out, int64_t sequence)
{
    struct lease_record r = {.snapshot_id = 1, .sequence = sequence};
    assert_true(frz__uuid_parse(b.t->t->uuid, 36, r.uuid));
    OK(frz__lease_encode(&r, 1, out, &b.e), &b.e);
}

TEST(hazard_20, a_dead_readers_lease_is_ignored_and_removed)
{
    struct buf bytes = BUF_INIT(NULL, 0);
    char path[256];
    bed_init("0", "1", 2);
    rounds(1);
    some_file(b.t, NULL, path);
    say(&bytes, 1);
    lay("00000000-1-1", buf_slice(&bytes), false);
    rounds(3);
    assert_false(there(path));
    assert_int_equal(files_in(".frazil/readers"), 0);
    lay("00000000-1-2", buf_slice(&bytes), false);
    lay(".tmp-00000000-1-3", buf_slice(&bytes), false);
    OK(frz_db_close(b.db, &b.e), &b.e);
    b.db = table_db_open(b.fs, false, &b.e); /* an open clears them away, hidden ones too */
    assert_int_equal(files_in(".frazil/readers"), 0);
    buf_clear(&bytes);
    bed_clear();
}

TEST(hazard_20, a_living_readers_lease_keeps_what_it_says_and_one_that_cannot_be_read_keeps_all)
{
    static const char garbage[] = "not a lease at all, or one that is being written just now";
    for (int kind = 0; kind < 3; kind++) {
        struct buf bytes = BUF_INIT(NULL, 0);
        char path[256], later[256];
        bed_init("0", "1", 2);
        rounds(1);
        some_file(b.t, NULL, path);
        say(&bytes, 1);
        struct file *f = lay("00000000-1-1", kind == 1 ? slice_of(garbage, sizeof garbage) : kind == 2 ? slice_of(bytes.data, bytes.len - 1) : buf_slice(&bytes), true);
        rounds(5);
        assert_true(there(path));
        buf_reset(&bytes);
        say(&bytes, 4); /* the reader moves on */
        OK(frz__file_write(f, 0, bytes.data, bytes.len, &b.e), &b.e);
        expire();
        assert_false(there(path));
        some_file(b.t, NULL, later);
        rounds(3);
        assert_true(there(later));
        OK(frz__file_close(f, &b.e), &b.e); /* it dies */
        expire();
        assert_false(there(later));
        assert_int_equal(files_in("main/t/data"), 1);
        buf_clear(&bytes);
        bed_clear();
    }
}

TEST(lease, of_hostile_bytes_is_refused_or_says_what_it_said)
{
    struct lease_record r[3] = {{.snapshot_id = 7, .sequence = 8}, {.snapshot_id = -1, .sequence = INT64_MAX}, {.snapshot_id = INT64_MIN, .sequence = 0}};
    struct buf bytes = BUF_INIT(NULL, 0);
    struct arena ar = ARENA_INIT(NULL);
    struct lease_record *got;
    frz_error e;
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) memset(r[i].uuid, (int)i + 1, 16);
    OK(frz__lease_encode(r, 3, &bytes, &e), &e);
    OK(frz__lease_decode(buf_slice(&bytes), &ar, &got, &n, &e), &e);
    assert_int_equal(n, 3);
    assert_memory_equal(got, r, sizeof r);
    for (size_t len = 0; len < bytes.len; len++) FAILS(frz__lease_decode(slice_of(bytes.data, len), &ar, &got, &n, &e), FRZ_CORRUPT, &e);
    for (size_t i = 0; i < bytes.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.data[i] ^= (uint8_t)(1u << bit);
            int rc = frz__lease_decode(buf_slice(&bytes), &ar, &got, &n, &e);
            if (rc >= 0 || (rc != FRZ_CORRUPT && rc != FRZ_NEWER_FORMAT)) fail_msg("bit %u of byte %zu: %s", bit, i, frz_status_name(rc));
            bytes.data[i] ^= (uint8_t)(1u << bit);
        }
    struct rng rng = {test_seed(3)};
    for (int i = 0; i < 2000; i++) {
        uint8_t noise[64];
        for (size_t k = 0; k < sizeof noise; k++) noise[k] = (uint8_t)rng_next(&rng);
        memcpy(noise, "FRZL\1\0\0\0", 8);
        FAILS(frz__lease_decode(slice_of(noise, rng_below(&rng, sizeof noise)), &ar, &got, &n, &e), FRZ_CORRUPT, &e);
    }
    FAILS(frz__lease_encode(r, LEASE_RECORDS_MAX + 1, &bytes, &e), FRZ_TOO_LARGE, &e);
    buf_clear(&bytes);
    frz__arena_clear(&ar);
}

TEST(lease, that_may_not_be_written_leaves_a_reader_with_the_grace_and_a_clear_error_behind_it)
{
    frz_snapshot *s = NULL;
    struct file *f;
    bed_init("0", "4", 2);
    OK(frz__fs_open(b.fs, ".frazil/readers", FS_OPEN_CREATE_NEW, &f, &b.e), &b.e); /* a file where the folder would be */
    OK(frz__file_close(f, &b.e), &b.e);
    rounds(2);
    int64_t id = current_snapshot(b.t);
    rounds(1);
    open_reader();
    assert_null(b.rt->t->db->lease);
    table_has(b.rt, 1, "even");
    rounds(8);
    FAILS(frz_snapshot_open_published(b.rt, id, &s, &b.e), FRZ_SNAPSHOT_TOO_OLD, &b.e);
    MESSAGE_HAS(&b.e, "gone");
    OK(frz_db_refresh(b.reader, &b.e), &b.e);
    OK(frz_snapshot_open_published(b.rt, current_snapshot(b.t), &s, &b.e), &b.e);
    frz_snapshot_close(s);
    bed_clear();
}

/* Between finding the newest metadata and reading it, the writer has removed it. */
struct late { bool by_id; int64_t id; int rc; frz_error e; };
static void *late_reader(void *arg)
{
    struct late *l = (struct late *)arg;
    frz_snapshot *s = NULL;
    l->rc = l->by_id ? frz_snapshot_open_published(b.rt, l->id, &s, &l->e) : frz_db_refresh(b.reader, &l->e);
    frz_snapshot_close(s);
    return NULL;
}
TEST(lease, reader_that_is_outrun_by_the_removal_of_old_metadata_looks_again)
{
    for (int by_id = 0; by_id < 2; by_id++) {
        struct late l = {.by_id = by_id};
        pthread_t thread;
        bed_init("0", "20", 2);
        rounds(2);
        open_reader();
        l.id = current_snapshot(b.t);
        rounds(1);
        if (frz__test_failpoint("version.found", "pause")) {
            assert_int_equal(pthread_create(&thread, NULL, late_reader, &l), 0);
            assert_true(frz__test_failpoint_wait_paused("version.found", 60000));
            rounds(6);
            frz__test_failpoint_resume("version.found");
            pthread_join(thread, NULL);
            RC(l.rc, FRZ_OK, &l.e);
            OK(frz_db_refresh(b.reader, &b.e), &b.e);
            table_has(b.rt, 1, "odd");
        }
        bed_clear();
    }
}
