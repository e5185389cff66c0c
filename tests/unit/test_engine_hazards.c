/* Goal    what hazards.md says of views, sequences and memtables (1 to 4, 35), where rotations and flushes race with writers and readers.
 * Method  one writer whose nth write has the value n: what a reader finds tells the sequence that he reads at, exactly. Threads end by rounds, not by a clock. */
#include "table_kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "api/handle.h"
#include "base/failpoint.h"
#include "engine/flush.h"
#include "engine/snapshot.h"
#include "engine/write.h"
#include "io/fs_fault.h"
#include "types/keyenc.h"

#define THREADS_MAX 4
#define PAUSE_MS 120000

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_table *t, *u;
    frz_db_options o;
    frz_error e;
    _Atomic bool stop, ready, held; /* held: who is ready waits */
    _Atomic uint64_t rounds, wrong, given_up;
};

static void rig_init(struct rig *r, int format, int durability, uint64_t snapshot_memory)
{
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.no_compaction = true;
    r->o.durability = durability;
    r->o.memory_bytes = 32 << 20;
    r->o.memtable_bytes = 4 << 20;
    r->o.log_segment_bytes = 131072;
    r->o.snapshot_memory_max = snapshot_memory;
    OK(frz__fs_fault_new(NULL, 1, &r->fs, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    table_create_of(r->db, "t", "id long, v long, pad string?", format, &r->t, &r->e);
    table_create_of(r->db, "u", "id long, v long, pad string?", format, &r->u, &r->e);
}
static void verify(struct rig *r)
{
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(r->db, NULL, NULL, NULL, &rep, &r->e), &r->e);
    assert_int_equal(rep.findings, 0);
}
static void rig_clear(struct rig *r)
{
    verify(r);
    OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}
/* What was not synced is gone; the log is replayed. */
static void power_cut(struct rig *r)
{
    struct fs *after;
    frz_error e;
    frz__fs_fault_cut(r->fs);
    (void)!frz_db_close(r->db, &e);
    OK(frz__fs_fault_reboot(r->fs, 3, &after, &r->e), &r->e);
    frz__fs_free(r->fs);
    r->fs = after;
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_table_open(r->db, "t", &r->t, &r->e), &r->e);
    OK(frz_table_open(r->db, "u", &r->u, &r->e), &r->e);
}

static void nap(void) { nanosleep(&(struct timespec){0, 1000000}, NULL); }

/* A thread must not jump out of the test. */
static bool good(struct rig *r, bool is, const char *what, const frz_error *e)
{
    if (is) return true;
    if (atomic_fetch_add(&r->wrong, 1) == 0) print_error("%s: %s\n", what, e ? e->message : "");
    atomic_store(&r->stop, true);
    return false;
}
#define GOOD(is, e) good(r, (is), #is, (e))

static int put(frz_table *t, frz_row *row, int64_t id, int64_t v, frz_error *e)
{
    (void)!frz_row_set_long(row, 0, id, e);
    (void)!frz_row_set_long(row, 1, v, e);
    return frz_put(t, row, NULL, e);
}
static void put_one(struct rig *r, int64_t id, int64_t v)
{
    frz_row *row;
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    OK(put(r->t, row, id, v, &r->e), &r->e);
    frz_row_free(row);
}
static void del_one(struct rig *r, int64_t id)
{
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_delete(r->t, &key, 1, NULL, &r->e), &r->e);
}
static void rotate(struct rig *r) { OK(frz__rotate(r->t->t, NULL, &r->e), &r->e); }
static void flush(struct rig *r) { OK(frz_table_flush(r->t, &r->e), &r->e); }
/* V: -1 = absent */
static void has(struct rig *r, int64_t id, int64_t v)
{
    frz_row *row;
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    RC(frz_get(r->t, NULL, &key, 1, row, &r->e), v >= 0 ? FRZ_OK : FRZ_NOT_FOUND, &r->e);
    if (v >= 0) assert_int_equal(frz_row_long(row, 1), v);
    frz_row_free(row);
}
static uint64_t rows(struct rig *r)
{
    uint64_t n = 0;
    OK(frz_count(r->t, NULL, &n, &r->e), &r->e);
    return n;
}
static frz_stats stats(struct rig *r, frz_table *t)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(r->db, t, &s, &r->e), &r->e);
    return s;
}

/* WORK in threads beside CHANGE, ROUNDS times, and until they did something. */
static void beside(struct rig *r, void *(*work)(void *), size_t threads, void (*change)(struct rig *r, int64_t round), int64_t least)
{
    pthread_t at[THREADS_MAX];
    for (size_t i = 0; i < threads; i++) assert_int_equal(pthread_create(&at[i], NULL, work, r), 0);
    for (int64_t i = 1; !atomic_load(&r->stop) && (i <= least || atomic_load(&r->rounds) < 100); i++) change(r, i);
    atomic_store(&r->stop, true);
    for (size_t i = 0; i < threads; i++) pthread_join(at[i], NULL);
    assert_int_equal(atomic_load(&r->wrong), 0);
}

/* ── 1: a view and a sequence ── */

/* The database's one key has at each sequence the value of that sequence: who reads at S finds S, be S in a memtable that was rotated meanwhile, or in a file that was written meanwhile. */
static void *reads_at_a_sequence(void *arg)
{
    struct rig *r = (struct rig *)arg;
    frz_error e = {0};
    frz_row *row = NULL;
    struct codec_ctx *codec = NULL;
    struct buf key = BUF_INIT(NULL, 0);
    bool ready = GOOD(frz_row_new(r->t, &row, &e) == FRZ_OK, &e) && GOOD(frz__codec_take(r->db->db, &codec, &e) >= 0, &e) && GOOD(frz_row_set_long(row, 0, 1, &e) == FRZ_OK, &e) &&
                 GOOD(frz__key_encode_row(row->schema, row->values, &key, &e) >= 0, &e);
    atomic_store(&r->ready, true);
    while (atomic_load(&r->held)) nap();
    while (ready && !atomic_load(&r->stop)) {
        uint64_t seq;
        bool from_mem;
        struct view *v = frz__view_latest(r->t->t, &seq);
        GOOD(v->flushed_seq <= seq, NULL);
        if (GOOD(frz__view_get(v, seq, buf_slice(&key), NULL, codec, row, &from_mem, &e) == FRZ_OK, &e)) GOOD(frz_row_long(row, 1) == (int64_t)seq, NULL);
        frz__view_release(v);
        atomic_fetch_add(&r->rounds, 1);
    }
    buf_clear(&key);
    frz__codec_give(r->db->db, codec);
    frz_row_free(row);
    return NULL;
}
/* It has the view of before; when it goes on to the sequence, that is of a memtable which the view has not. */
TEST(hazard_01, a_reader_between_its_view_and_its_sequence_while_a_memtable_is_rotated_begins_anew)
{
    struct rig r;
    rig_init(&r, 2, FRZ_SYNC_OFF, 0);
    put_one(&r, 1, (int64_t)stats(&r, NULL).seq_visible + 1);
    frz_row *row;
    pthread_t reader;
    OK(frz_row_new(r.t, &row, &r.e), &r.e);
    atomic_store(&r.held, true);
    assert_int_equal(pthread_create(&reader, NULL, reads_at_a_sequence, &r), 0);
    while (!atomic_load(&r.ready)) nap(); /* it and this thread have their rows: to make one looks at the view too */
    bool pauses = frz__test_failpoint("snapshot.view", "pause");
    atomic_store(&r.held, false);
    if (pauses) {
        assert_true(frz__test_failpoint_wait_paused("snapshot.view", PAUSE_MS));
        rotate(&r);
        OK(put(r.t, row, 1, (int64_t)atomic_load(&r.db->db->seq_visible) + 1, &r.e), &r.e);
        atomic_store(&r.stop, true); /* after this round */
        frz__test_failpoint_resume("snapshot.view");
    }
    atomic_store(&r.stop, true);
    pthread_join(reader, NULL);
    if (pauses) assert_int_equal(atomic_load(&r.rounds), 1);
    assert_int_equal(atomic_load(&r.wrong), 0);
    frz_row_free(row);
    rig_clear(&r);
}
static void put_and_rotate(struct rig *r, int64_t round)
{
    put_one(r, 1, (int64_t)stats(r, NULL).seq_visible + 1);
    if (round % 16 == 0) flush(r);
    else if (round % 2 == 0) rotate(r);
}
TEST(hazard_01, who_reads_at_a_sequence_finds_what_was_written_at_it_beside_rotations_and_flushes)
{
    struct rig r;
    rig_init(&r, 2, FRZ_SYNC_OFF, 0);
    put_and_rotate(&r, 1);
    beside(&r, reads_at_a_sequence, 2, put_and_rotate, 6000);
    rig_clear(&r);
}

/* ── 2: one state of two tables ── */

/* A batch writes one number to both; the other one's half is flushed all the time, so that a snapshot that took one table's files too late would hold two numbers. */
static void *reads_both(void *arg)
{
    struct rig *r = (struct rig *)arg;
    frz_error e = {0};
    frz_row *row = NULL;
    frz_value key = {.type = FRZ_LONG, .as.i64 = 1};
    bool ready = GOOD(frz_row_new(r->t, &row, &e) == FRZ_OK, &e);
    while (ready && !atomic_load(&r->stop)) {
        frz_snapshot *s;
        int64_t one = -1, other = -2;
        if (!GOOD(frz_snapshot_open(r->db, &s, &e) == FRZ_OK, &e)) break;
        if (GOOD(frz_get(r->t, s, &key, 1, row, &e) == FRZ_OK, &e)) one = frz_row_long(row, 1);
        if (GOOD(frz_get(r->u, s, &key, 1, row, &e) == FRZ_OK, &e)) other = frz_row_long(row, 1);
        GOOD(one == other, NULL);
        frz_snapshot_close(s);
        atomic_fetch_add(&r->rounds, 1);
    }
    frz_row_free(row);
    return NULL;
}
static void put_both(struct rig *r, int64_t round)
{
    frz_batch *b;
    frz_row *row;
    OK(frz_batch_new(r->db, &b, &r->e), &r->e);
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    OK(frz_row_set_long(row, 0, 1, &r->e), &r->e);
    OK(frz_row_set_long(row, 1, round, &r->e), &r->e);
    OK(frz_batch_put(b, r->t, row, &r->e), &r->e);
    OK(frz_batch_put(b, r->u, row, &r->e), &r->e);
    OK(frz_write(r->db, b, NULL, NULL, &r->e), &r->e);
    OK(frz_table_flush(round % 2 ? r->t : r->u, &r->e), &r->e);
    frz_row_free(row);
    frz_batch_free(b);
}
TEST(hazard_02, a_snapshot_has_one_number_in_two_tables_that_are_flushed_in_turn)
{
    struct rig r;
    rig_init(&r, 2, FRZ_SYNC_OFF, 16 << 20);
    put_both(&r, 1);
    beside(&r, reads_both, 2, put_both, 400);
    rig_clear(&r);
}

/* ── 3: rotation and groups ── */

#define WRITERS 3
#define OWN_KEYS 50
static _Atomic int next_writer;
static int64_t written[WRITERS][OWN_KEYS];

/* What it was told is written it finds at once, wherever that is by now. */
static void *writes_and_looks(void *arg)
{
    struct rig *r = (struct rig *)arg;
    int me = atomic_fetch_add(&next_writer, 1);
    frz_error e = {0};
    frz_row *row = NULL;
    bool ready = GOOD(frz_row_new(r->t, &row, &e) == FRZ_OK, &e);
    for (int64_t n = 1; ready && !atomic_load(&r->stop); n++) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = me + WRITERS * (n % OWN_KEYS)};
        if (!GOOD(put(r->t, row, key.as.i64, n, &e) == FRZ_OK, &e)) break;
        written[me][n % OWN_KEYS] = n;
        if (GOOD(frz_get(r->t, NULL, &key, 1, row, &e) == FRZ_OK, &e)) GOOD(frz_row_long(row, 1) == n, NULL);
        atomic_fetch_add(&r->rounds, 1);
    }
    frz_row_free(row);
    return NULL;
}
static void publish(struct rig *r, int64_t round)
{
    if (round % 8) rotate(r);
    else flush(r);
}
static void all_written(struct rig *r)
{
    for (int w = 0; w < WRITERS; w++)
        for (int k = 0; k < OWN_KEYS; k++)
            if (written[w][k]) has(r, w + (int64_t)WRITERS * k, written[w][k]);
}
TEST(hazard_03, rows_of_groups_that_rotations_and_flushes_race_with_are_there_and_after_a_power_cut)
{
    struct rig r;
    rig_init(&r, 2, FRZ_SYNC_FULL, 0);
    atomic_store(&next_writer, 0);
    memset(written, 0, sizeof written);
    beside(&r, writes_and_looks, WRITERS, publish, 1200);
    all_written(&r);
    power_cut(&r);
    all_written(&r);
    flush(&r);
    all_written(&r);
    rig_clear(&r);
}

static _Atomic bool flush_ended;
static void *flushes_once(void *arg)
{
    struct rig *r = (struct rig *)arg;
    frz_error e = {0};
    GOOD(frz_table_flush(r->t, &e) == FRZ_OK, &e);
    atomic_store(&flush_ended, true);
    return NULL;
}
static void *puts_one(void *arg)
{
    struct rig *r = (struct rig *)arg;
    frz_error e = {0};
    frz_row *row = NULL;
    if (GOOD(frz_row_new(r->t, &row, &e) == FRZ_OK, &e)) GOOD(put(r->t, row, 2, 2, &e) == FRZ_OK, &e);
    frz_row_free(row);
    return NULL;
}
TEST(hazard_03, a_flush_waits_for_the_group_that_is_being_inserted)
{
    struct rig r;
    rig_init(&r, 2, FRZ_SYNC_FULL, 0);
    put_one(&r, 1, 1);
    atomic_store(&flush_ended, false);
    if (frz__test_failpoint("mem.insert", "pause")) {
        pthread_t writer, flusher;
        assert_int_equal(pthread_create(&writer, NULL, puts_one, &r), 0);
        assert_true(frz__test_failpoint_wait_paused("mem.insert", PAUSE_MS)); /* logged, and only in part in the memtable */
        uint64_t queued = frz__test_failpoint_hits("write.queue");
        assert_int_equal(pthread_create(&flusher, NULL, flushes_once, &r), 0);
        while (frz__test_failpoint_hits("write.queue") == queued && !atomic_load(&flush_ended)) nap();
        assert_false(atomic_load(&flush_ended)); /* it stands in line for the place */
        frz__test_failpoint_resume("mem.insert");
        pthread_join(writer, NULL);
        pthread_join(flusher, NULL);
        assert_int_equal(atomic_load(&r.wrong), 0);
        has(&r, 2, 2);
        assert_int_equal(stats(&r, r.t).rows_live, 2); /* and had it with it */
        power_cut(&r);
        has(&r, 1, 1);
        has(&r, 2, 2);
    }
    rig_clear(&r);
}

/* ── 4: several immutable memtables ── */

/* 1 is put in each of three memtables; 2 is put and deleted; 3 deleted and put; 4 is in a file and deleted. */
static void three_memtables(struct rig *r)
{
    put_one(r, 3, 30);
    put_one(r, 4, 40);
    flush(r);
    put_one(r, 1, 11);
    put_one(r, 2, 21);
    del_one(r, 3);
    rotate(r);
    put_one(r, 1, 12);
    del_one(r, 2);
    del_one(r, 4);
    rotate(r);
    put_one(r, 1, 13);
    put_one(r, 3, 33);
    rotate(r);
}
static void newest_alone(struct rig *r)
{
    has(r, 1, 13);
    has(r, 2, -1);
    has(r, 3, 33);
    has(r, 4, -1);
    assert_int_equal(rows(r), 2);
}
TEST(hazard_04, of_a_key_in_several_memtables_the_newest_version_alone_is_published)
{
    for (int format = 2; format <= 3; format++) {
        struct rig r;
        rig_init(&r, format, FRZ_SYNC_OFF, 0);
        three_memtables(&r);
        newest_alone(&r);
        flush(&r);
        newest_alone(&r);
        assert_int_equal(stats(&r, r.t).rows_live, 2);
        verify(&r);
        rig_clear(&r);
    }
}
TEST(hazard_04, a_flush_that_fails_and_others_that_come_meanwhile_do_not_reorder_memtables)
{
    static const char *const places[] = {"flush.begin", "flush.after_data", "commit.before_link"};
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        struct rig r;
        pthread_t at[THREADS_MAX];
        rig_init(&r, 2, FRZ_SYNC_FULL, 0);
        three_memtables(&r);
        bool armed = frz__test_failpoint(places[p], "error:1:1");
        int rc = frz_table_flush(r.t, &r.e); /* the one that fails, unless the clock's came first */
        assert_true(rc == FRZ_OK || (armed && rc == FRZ_IO));
        newest_alone(&r);
        put_one(&r, 1, 14); /* on top of what failed */
        rotate(&r);
        put_one(&r, 1, 13);
        for (size_t i = 0; i < THREADS_MAX; i++) assert_int_equal(pthread_create(&at[i], NULL, flushes_once, &r), 0);
        for (size_t i = 0; i < THREADS_MAX; i++) pthread_join(at[i], NULL);
        (void)frz__test_failpoint(places[p], "off");
        assert_int_equal(atomic_load(&r.wrong), 0);
        newest_alone(&r);
        assert_int_equal(stats(&r, r.t).rows_live, 2);
        verify(&r);
        power_cut(&r);
        newest_alone(&r);
        rig_clear(&r);
    }
}

/* ── 35: what snapshots keep ── */

#define PINNED_MAX (1 << 20)
#define ROWS 20

static bool read_all(struct rig *r, frz_snapshot *s, bool *gone)
{
    frz_error e = {0};
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c;
    const frz_row *row;
    int64_t n = 0, v = -1;
    o.snapshot = s;
    int rc = frz_scan(r->t, &o, &c, &e);
    if (rc == FRZ_OK) {
        while ((rc = frz_cursor_next(c, &row, &e)) == FRZ_OK) {
            if (v < 0) v = frz_row_long(row, 1);
            if (!GOOD(frz_row_long(row, 1) == v, NULL)) break;
            n++;
        }
        frz_cursor_close(c);
    }
    *gone = rc == FRZ_SNAPSHOT_TOO_OLD;
    return *gone || (GOOD(rc == FRZ_DONE, &e) && GOOD(n == ROWS, NULL));
}

/* Keeps many, looks at one of any age: it has all of its rows, of one batch, or says that it was given up; and never comes back from that. */
static void *keeps_snapshots(void *arg)
{
    enum { KEPT = 12 };
    struct rig *r = (struct rig *)arg;
    frz_error e = {0};
    frz_snapshot *kept[KEPT] = {0};
    bool was_gone[KEPT] = {0};
    for (unsigned n = 0; !atomic_load(&r->stop); n++) {
        unsigned at = n % KEPT, look = (n * 7) % KEPT;
        frz_snapshot_close(kept[at]);
        kept[at] = NULL;
        was_gone[at] = false;
        if (!GOOD(frz_snapshot_open(r->db, &kept[at], &e) == FRZ_OK, &e)) break;
        if (kept[look]) {
            bool gone;
            if (!read_all(r, kept[look], &gone)) break;
            GOOD(gone || !was_gone[look], NULL);
            was_gone[look] = gone;
            atomic_fetch_add(&r->given_up, gone);
        }
        atomic_fetch_add(&r->rounds, 1);
    }
    for (unsigned i = 0; i < KEPT; i++) frz_snapshot_close(kept[i]);
    return NULL;
}
static void write_and_publish(struct rig *r, int64_t round)
{
    static char pad[4096];
    frz_batch *b;
    frz_row *row;
    memset(pad, 'p', sizeof pad);
    OK(frz_batch_new(r->db, &b, &r->e), &r->e);
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    for (int64_t i = 0; i < ROWS; i++) {
        OK(frz_row_set_long(row, 0, i, &r->e), &r->e);
        OK(frz_row_set_long(row, 1, round, &r->e), &r->e);
        OK(frz_row_set_string(row, 2, pad, sizeof pad, &r->e), &r->e);
        OK(frz_batch_put(b, r->t, row, &r->e), &r->e);
    }
    OK(frz_write(r->db, b, NULL, NULL, &r->e), &r->e);
    frz_row_free(row);
    frz_batch_free(b);
    flush(r);
    uint64_t pinned = stats(r, NULL).memory_pinned;
    if (pinned > PINNED_MAX + (512 << 10)) fail_msg("snapshots keep %llu bytes", (unsigned long long)pinned); /* one more memtable for each that is opened between the flush's end and here */
}
TEST(hazard_35, snapshots_of_every_age_beside_a_writer_are_whole_or_given_up_and_what_they_keep_is_bounded)
{
    struct rig r;
    rig_init(&r, 2, FRZ_SYNC_OFF, PINNED_MAX);
    write_and_publish(&r, 1);
    beside(&r, keeps_snapshots, 2, write_and_publish, 300);
    assert_int_equal(stats(&r, NULL).stalls, 0); /* no writer waits for a reader */
    frz_snapshot *old; /* one that nobody closes */
    bool gone = false;
    OK(frz_snapshot_open(r.db, &old, &r.e), &r.e);
    frz_snapshot *held[40];
    for (int i = 0; i < 40; i++) {
        write_and_publish(&r, i);
        OK(frz_snapshot_open(r.db, &held[i], &r.e), &r.e);
    }
    assert_true(read_all(&r, old, &gone));
    assert_true(gone);
    assert_true(read_all(&r, held[39], &gone));
    assert_false(gone);
    for (int i = 0; i < 40; i++) frz_snapshot_close(held[i]);
    frz_snapshot_close(old);
    rig_clear(&r);
}
