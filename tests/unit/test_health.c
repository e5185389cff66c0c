/* Goal    a background failure is a state: of a class, since when, tried again when, healed by itself or by frz_db_resume; reads go on, nothing acknowledged is lost.
 * Method  a database in memory whose disk fills, whose syncs fail and whose pages rot; the engine's clock is moved; what was acknowledged is kept beside and compared. */
#include "frz_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/handle.h"
#include "base/clock.h"
#include "engine/compact.h"
#include "io/fs_fault.h"
#include "table_kit.h"

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_error e;
    frz_db_options o;
};

static void rig_init(struct rig *r, uint64_t memtable_bytes, int format)
{
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.no_compaction = true; /* the nth call that fails is that of what is looked at */
    r->o.memtable_bytes = memtable_bytes;
    r->o.memory_bytes = 8 << 20;
    r->o.log_segment_bytes = 1 << 20;
    r->o.events_kept = 4096;
    OK(frz__fs_fault_new(NULL, 1, &r->fs, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    table_create(r->db, "t", format, &r->t, &r->e);
}
static void rig_clear(struct rig *r)
{
    if (r->db) OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}
static void faults(struct rig *r, struct fs_fault_plan plan) { frz__fs_fault_plan(r->fs, &plan); }
static frz_health health(struct rig *r, frz_table *t)
{
    frz_health h = FRZ_INIT(frz_health);
    OK(frz_db_health(r->db, t, &h, &r->e), &r->e);
    return h;
}
static void expect_well(struct rig *r)
{
    frz_health h = health(r, NULL);
    if (h.severity) fail_msg("%s %s of %s: %s", frz_severity_name(h.severity), h.part, h.table, h.message);
    assert_int_equal(h.error_class, FRZ_CLASS_NONE);
    assert_string_equal(h.message, "");
    assert_string_equal(h.part, "");
}
static void verify(frz_db *db, uint64_t findings_max)
{
    frz_error e;
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(db, NULL, NULL, NULL, &rep, &e), &e);
    assert_true(rep.findings <= findings_max);
}
struct health_events { char reasons[512]; size_t corruption, log; };
static int gather(void *ctx, const frz_event *e)
{
    struct health_events *h = (struct health_events *)ctx;
    if (e->kind == FRZ_EVENT_HEALTH && strlen(h->reasons) + strlen(e->reason) + 2 < sizeof h->reasons) {
        strcat(h->reasons, e->reason);
        strcat(h->reasons, " ");
    }
    h->corruption += e->kind == FRZ_EVENT_CORRUPTION;
    h->log += e->kind == FRZ_EVENT_LOG_TROUBLE;
    return 0;
}
static struct health_events events(struct rig *r)
{
    struct health_events h = {0};
    OK(frz_db_events(r->db, 0, gather, &h, &r->e), &r->e);
    return h;
}
static void nap(unsigned ms) { nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL); }
/* Waits for COND, a second of the engine's clock in each round; the deadline is for a build that hangs, by a clock that no test moves. */
#define SOON(cond)                                                                                                                         \
    do {                                                                                                                                   \
        struct timespec now_, since_;                                                                                                      \
        clock_gettime(CLOCK_MONOTONIC, &since_);                                                                                           \
        while (!(cond)) {                                                                                                                  \
            clock_gettime(CLOCK_MONOTONIC, &now_);                                                                                         \
            if (now_.tv_sec - since_.tv_sec > 120) fail_msg("%s: not within two minutes", #cond);                                          \
            frz__test_clock_advance_ns(1000000000);                                                                                        \
            nap(2);                                                                                                                        \
        }                                                                                                                                  \
    } while (0)

/* ── pure ── */

TEST(health, codes_have_classes_and_classes_say_what_passes)
{
    static const struct { int code, class_; bool passes; } rows[] = {{FRZ_NO_SPACE, FRZ_CLASS_NO_SPACE, true}, {FRZ_IO, FRZ_CLASS_IO, true}, {FRZ_READ_ONLY, FRZ_CLASS_READ_ONLY, true},
        {FRZ_CORRUPT, FRZ_CLASS_CORRUPTION, false}, {FRZ_CONFLICT, FRZ_CLASS_CONFLICT, true}, {FRZ_NO_MEMORY, FRZ_CLASS_MEMORY, true}, {FRZ_NEWER_FORMAT, FRZ_CLASS_FORMAT, true},
        {FRZ_UNSUPPORTED, FRZ_CLASS_FORMAT, true}, {FRZ_BUG, FRZ_CLASS_BUG, false}, {FRZ_TOO_LARGE, FRZ_CLASS_OTHER, true}, {FRZ_OK, FRZ_CLASS_NONE, true}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        assert_int_equal(frz__health_class(rows[i].code), rows[i].class_);
        assert_int_equal(frz__health_passes(rows[i].class_), rows[i].passes);
    }
    for (int c = FRZ_CLASS_NONE; c <= FRZ_CLASS_OTHER; c++)
        for (int k = 0; k < c; k++) assert_string_not_equal(frz_class_name(c), frz_class_name(k));
    assert_string_equal(frz_class_name(FRZ_CLASS_OTHER + 1), "unknown");
    assert_string_equal(frz_severity_name(FRZ_HEALTH_UNUSABLE), "unusable");
    assert_string_equal(frz_severity_name(-1), "unknown");
}

TEST(health, retries_come_later_each_time_up_to_a_bound_and_not_in_step)
{
    int64_t s = 1000000000;
    for (uint32_t tries = 1; tries < 100; tries++)
        for (uint64_t noise = 0; noise < 5; noise++) {
            int64_t wait = frz__health_backoff_ns(tries, noise * 0x123456789ABCDEFu), base = tries > 5 ? HEALTH_RETRY_MAX_NS : s << (tries - 1);
            assert_true(wait >= (base < HEALTH_RETRY_MAX_NS ? base : HEALTH_RETRY_MAX_NS));
            assert_true(wait <= base + base / 4 && wait <= HEALTH_RETRY_MAX_NS);
        }
    assert_true(frz__health_backoff_ns(2, 1) != frz__health_backoff_ns(2, 1000000));
    assert_true(frz__health_backoff_ns(UINT32_MAX, UINT64_MAX) <= HEALTH_RETRY_MAX_NS);
}

/* ── what the host sees ── */

TEST(health, a_new_database_is_well_and_arguments_are_checked)
{
    struct rig r;
    rig_init(&r, 1 << 20, 2);
    expect_well(&r);
    frz_health h = {.struct_size = 0};
    FAILS(frz_db_health(r.db, NULL, &h, &r.e), FRZ_INVALID, &r.e);
    FAILS(frz_db_health(r.db, NULL, NULL, &r.e), FRZ_INVALID, &r.e);
    h = (frz_health){.struct_size = offsetof(frz_health, tries), .tries = 77}; /* an older program's */
    OK(frz_db_health(r.db, NULL, &h, &r.e), &r.e);
    assert_int_equal(h.tries, 77);
    OK(frz_db_resume(r.db, &r.e), &r.e);
    rig_clear(&r);
}

TEST(health, a_full_disk_is_told_and_heals_by_itself)
{
    struct rig r;
    rig_init(&r, 1 << 20, 2);
    for (int64_t i = 0; i < 50; i++) OK(table_put(r.t, i, "kept", &r.e), &r.e);
    faults(&r, (struct fs_fault_plan){.no_space = true});
    FAILS(frz_table_flush(r.t, &r.e), FRZ_NO_SPACE, &r.e);
    frz_health h = health(&r, r.t);
    assert_int_equal(h.severity, FRZ_HEALTH_DEGRADED);
    assert_int_equal(h.error_class, FRZ_CLASS_NO_SPACE);
    assert_int_equal(h.status, FRZ_NO_SPACE);
    assert_true(h.tries >= 1); /* the clock may have tried again */
    assert_string_equal(h.part, "flush");
    assert_string_equal(h.table, "main.t");
    assert_string_equal(h.message, r.e.message);
    assert_true(strlen(h.advice) > 10 && h.since_us > 0 && h.next_try_us > h.since_us);
    table_has(r.t, 7, "kept");
    FAILS(frz_db_resume(r.db, &r.e), FRZ_NO_SPACE, &r.e); /* tried at once: still full */
    assert_true(health(&r, NULL).tries > h.tries);
    assert_true(health(&r, NULL).since_us == h.since_us);
    faults(&r, (struct fs_fault_plan){0});
    SOON(health(&r, NULL).severity == FRZ_HEALTH_OK);
    expect_well(&r);
    assert_string_equal(events(&r).reasons, "no-space ok ");
    verify(r.db, 0);
    table_has(r.t, 49, "kept");
    rig_clear(&r);
}

/* ── writers that wait while the disk is full ── */

#define WRITERS 3
#define KEYS 200
struct shared { struct rig *r; bool reads_fail; _Atomic bool stop; _Atomic uint64_t refused, done; pthread_mutex_t mu[KEYS]; int64_t last[KEYS]; }; /* last acknowledged by key */
struct one { struct shared *s; uint64_t seed; };
static void *writer(void *p)
{
    struct one *o = (struct one *)p;
    struct shared *s = o->s;
    char v[64];
    frz_error e;
    for (int64_t n = 1; !atomic_load(&s->stop); n++) {
        size_t k = (size_t)((o->seed * 2654435761u + (uint64_t)n * 40503u) % KEYS);
        pthread_mutex_lock(&s->mu[k]);
        int64_t value = (int64_t)(o->seed << 40) + n;
        snprintf(v, sizeof v, "%lld", (long long)value);
        int rc = table_put(s->r->t, (int64_t)k, v, &e);
        if (rc == FRZ_OK) {
            s->last[k] = value;
            atomic_fetch_add(&s->done, 1);
        } else {
            if (rc != FRZ_NO_SPACE && rc != FRZ_IO) fail_msg("%s", e.message);
            atomic_fetch_add(&s->refused, 1);
        }
        pthread_mutex_unlock(&s->mu[k]);
        if (rc != FRZ_OK) nap(1);
    }
    return NULL;
}
static void *reader(void *p)
{
    struct shared *s = (struct shared *)p;
    frz_error e;
    uint64_t n;
    while (!atomic_load(&s->stop)) {
        int rc = frz_count(s->r->t, NULL, &n, &e);
        if (rc == FRZ_IO && s->reads_fail) continue; /* such a disk does not read either */
        RC(rc, FRZ_OK, &e);
        assert_true(n <= KEYS);
        nap(1);
    }
    return NULL;
}

static void storm(struct fs_fault_plan bad, int format)
{
    struct rig r;
    static struct shared s;
    pthread_t threads[WRITERS + 1];
    struct one ones[WRITERS];
    rig_init(&r, 8192, format);
    memset(&s, 0, sizeof s);
    s.r = &r;
    s.reads_fail = !bad.no_space;
    for (size_t i = 0; i < KEYS; i++) pthread_mutex_init(&s.mu[i], NULL);
    for (size_t i = 0; i < WRITERS; i++) {
        ones[i] = (struct one){&s, i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &ones[i]), 0);
    }
    assert_int_equal(pthread_create(&threads[WRITERS], NULL, reader, &s), 0);
    for (int round = 0; round < 3; round++) {
        uint64_t refused = atomic_load(&s.refused), done;
        faults(&r, bad);
        SOON(atomic_load(&s.refused) > refused + 5);
        SOON(health(&r, NULL).severity == FRZ_HEALTH_WRITES_STOPPED);
        faults(&r, (struct fs_fault_plan){0});
        if (round == 1) { /* asked for, and not waited for */
            int rc = frz_db_resume(r.db, &r.e);
            assert_true(rc == FRZ_OK || rc == FRZ_NO_SPACE || rc == FRZ_IO);
        }
        done = atomic_load(&s.done);
        SOON(atomic_load(&s.done) > done + 50);
        SOON(health(&r, NULL).severity == FRZ_HEALTH_OK);
    }
    atomic_store(&s.stop, true);
    for (size_t i = 0; i <= WRITERS; i++) pthread_join(threads[i], NULL);
    OK(frz_db_resume(r.db, &r.e), &r.e);
    for (int again = 0; again < 2; again++) {
        for (size_t k = 0; k < KEYS; k++) {
            char v[64];
            snprintf(v, sizeof v, "%lld", (long long)s.last[k]);
            table_has(r.t, (int64_t)k, s.last[k] ? v : NULL);
        }
        verify(r.db, 0);
        if (again) break;
        OK(frz_db_close(r.db, &r.e), &r.e);
        OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
        OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
    }
    for (size_t i = 0; i < KEYS; i++) pthread_mutex_destroy(&s.mu[i]);
    rig_clear(&r);
}
TEST(health, writers_of_a_full_disk_go_on_when_it_heals_and_nothing_is_lost) { storm((struct fs_fault_plan){.no_space = true}, 2); }
TEST(health, writers_of_a_failing_disk_go_on_when_it_heals_and_nothing_is_lost) { storm((struct fs_fault_plan){.fail_call = 1, .fail_calls = UINT64_MAX / 2, .error = FS_FAULT_ENOSPC}, 3); }

/* ── the log ── */

TEST(health, a_log_that_fails_is_probed_and_heals_without_a_write)
{
    struct rig r;
    rig_init(&r, 1 << 20, 2);
    OK(table_put(r.t, 1, "one", &r.e), &r.e);
    faults(&r, (struct fs_fault_plan){.fail_call = 1, .fail_calls = 1000000, .error = FS_FAULT_EIO});
    FAILS(table_put(r.t, 2, "two", &r.e), FRZ_IO, &r.e);
    frz_health h = health(&r, NULL);
    assert_int_equal(h.severity, FRZ_HEALTH_WRITES_STOPPED);
    assert_int_equal(h.error_class, FRZ_CLASS_IO);
    assert_string_equal(h.part, "log");
    assert_string_equal(h.table, "");
    assert_int_equal(health(&r, r.t).severity, FRZ_HEALTH_WRITES_STOPPED); /* a table writes by the log */
    table_has(r.t, 1, "one");
    table_has(r.t, 2, NULL);
    SOON(health(&r, NULL).tries > 1); /* by itself */
    faults(&r, (struct fs_fault_plan){0});
    SOON(health(&r, NULL).severity == FRZ_HEALTH_OK);
    OK(table_put(r.t, 3, "three", &r.e), &r.e);
    struct health_events seen = events(&r);
    assert_string_equal(seen.reasons, "io ok ");
    assert_int_equal(seen.log, 1);
    OK(frz_db_close(r.db, &r.e), &r.e);
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
    table_has(r.t, 1, "one");
    table_has(r.t, 2, NULL); /* it was not acknowledged */
    table_has(r.t, 3, "three");
    rig_clear(&r);
}

TEST(health, a_write_that_goes_well_says_that_the_log_is_well)
{
    struct rig r;
    rig_init(&r, 1 << 20, 2);
    faults(&r, (struct fs_fault_plan){.fail_call = 1, .fail_calls = 4, .error = FS_FAULT_EIO});
    int rc = FRZ_OK;
    for (int i = 0; i < 10 && rc == FRZ_OK; i++) rc = table_put(r.t, 2, "two", &r.e);
    RC(rc, FRZ_IO, &r.e);
    faults(&r, (struct fs_fault_plan){0});
    OK(table_put(r.t, 3, "three", &r.e), &r.e);
    expect_well(&r);
    rig_clear(&r);
}

TEST(health, resume_heals_a_log_at_once)
{
    struct rig r;
    rig_init(&r, 1 << 20, 2);
    faults(&r, (struct fs_fault_plan){.fail_call = 1, .fail_calls = 1000000, .error = FS_FAULT_EIO});
    FAILS(table_put(r.t, 2, "two", &r.e), FRZ_IO, &r.e);
    FAILS(frz_db_resume(r.db, &r.e), FRZ_IO, &r.e);
    faults(&r, (struct fs_fault_plan){0});
    OK(frz_db_resume(r.db, &r.e), &r.e);
    expect_well(&r);
    OK(table_put(r.t, 2, "two", &r.e), &r.e);
    table_has(r.t, 2, "two");
    rig_clear(&r);
}

/* ── the nth call fails: flush, commit, the log's release ── */

TEST(health, whatever_call_fails_resume_heals_it_and_no_row_is_lost)
{
    for (int format = 2; format <= 3; format++) {
        for (uint64_t n = 1; n < 400; n++) {
            struct rig r;
            rig_init(&r, 1 << 20, format);
            for (int64_t i = 0; i < 20; i++) OK(table_put(r.t, i, "first", &r.e), &r.e);
            OK(frz_table_flush(r.t, &r.e), &r.e);
            for (int64_t i = 10; i < 30; i++) OK(table_put(r.t, i, "second", &r.e), &r.e);
            faults(&r, (struct fs_fault_plan){.fail_call = n, .error = n % 2 ? FS_FAULT_EIO : FS_FAULT_ENOSPC});
            int rc = frz_table_flush(r.t, &r.e);
            uint64_t calls = frz__fs_fault_counts(r.fs).calls;
            faults(&r, (struct fs_fault_plan){0});
            frz_health h = health(&r, r.t);
            if (rc < 0 && h.severity == FRZ_HEALTH_OK) {
                assert_non_null(strstr(events(&r).reasons, " ok ")); /* the clock came first: it was told, and is mended */
            } else if (rc < 0) {
                assert_int_equal(h.severity, FRZ_HEALTH_DEGRADED + (strcmp(h.part, "log") == 0));
                assert_int_equal(h.status, rc);
            }
            OK(frz_db_resume(r.db, &r.e), &r.e);
            expect_well(&r);
            for (int64_t i = 0; i < 30; i++) table_has(r.t, i, i < 10 ? "first" : "second");
            verify(r.db, 0);
            rig_clear(&r);
            if (rc == FRZ_OK && calls < n) break; /* beyond the last call of a flush */
            assert_true(n < 399);
        }
    }
}

/* ── corruption ── */

static int find_data(void *ctx, const frz_file_info *i)
{
    char *path = (char *)ctx;
    if (i->content == 0) snprintf(path, 512, "%s", i->path);
    return 0;
}
/* Turns the bits of the first data page around, or back. */
static void spoil(struct rig *r, const char *path)
{
    struct file *f;
    uint8_t b[64];
    OK(frz__fs_open(r->fs, path, FS_OPEN_WRITE, &f, &r->e), &r->e);
    for (uint64_t at = 40; at < 1024; at += sizeof b) {
        OK(frz__file_read_full(f, at, b, sizeof b, &r->e), &r->e);
        for (size_t i = 0; i < sizeof b; i++) b[i] = (uint8_t)~b[i];
        OK(frz__file_write(f, at, b, sizeof b, &r->e), &r->e);
    }
    OK(frz__file_close(f, &r->e), &r->e);
}
static void reopen(struct rig *r) /* with an empty cache */
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_table_open(r->db, "t", &r->t, &r->e), &r->e);
}
static void one_large_file(struct rig *r, int format, char path[512])
{
    rig_init(r, 1 << 20, format);
    for (int64_t i = 0; i < 3000; i++) OK(table_put(r->t, i, "a value that is long enough to fill pages", &r->e), &r->e);
    OK(frz_table_flush(r->t, &r->e), &r->e);
    path[0] = 0;
    OK(frz_table_files(r->t, NULL, find_data, path, &r->e), &r->e);
    reopen(r);
}
static int get(frz_table *t, int64_t id, frz_error *e)
{
    frz_row *row;
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_row_new(t, &row, e), e);
    int rc = frz_get(t, NULL, &key, 1, row, e);
    frz_row_free(row);
    return rc;
}

TEST(health, a_corrupt_page_that_a_get_meets_degrades_and_resume_forgets)
{
    struct rig r;
    char path[512];
    one_large_file(&r, 2, path);
    spoil(&r, path);
    FAILS(get(r.t, 0, &r.e), FRZ_CORRUPT, &r.e);
    frz_health h = health(&r, r.t);
    assert_int_equal(h.severity, FRZ_HEALTH_DEGRADED);
    assert_int_equal(h.error_class, FRZ_CLASS_CORRUPTION);
    assert_string_equal(h.part, "read");
    assert_non_null(strstr(h.message, path));
    assert_int_equal(h.next_try_us, 0);
    for (int i = 0; i < 20; i++) FAILS(get(r.t, 0, &r.e), FRZ_CORRUPT, &r.e);
    assert_true(events(&r).corruption >= 1 && events(&r).corruption <= 20); /* once a second at most */
    assert_int_equal(health(&r, r.t).tries, 21);
    OK(table_put(r.t, 100000, "new", &r.e), &r.e); /* writes go on */
    table_has(r.t, 100000, "new");
    spoil(&r, path); /* put right */
    OK(frz_db_resume(r.db, &r.e), &r.e);
    expect_well(&r);
    OK(get(r.t, 0, &r.e), &r.e);
    rig_clear(&r);
}

TEST(health, a_scan_that_meets_corruption_is_told_too)
{
    struct rig r;
    char path[512];
    uint64_t n;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    one_large_file(&r, 3, path);
    spoil(&r, path);
    o.where = "v <> 'x'";
    int rc = frz_count(r.t, &o, &n, &r.e);
    RC(rc, FRZ_CORRUPT, &r.e);
    assert_string_equal(health(&r, r.t).part, "read");
    spoil(&r, path);
    OK(frz_db_resume(r.db, &r.e), &r.e);
    rig_clear(&r);
}

TEST(health, a_flush_that_meets_corruption_stops_writes_and_keeps_reads_until_resume)
{
    for (int format = 2; format <= 3; format++) {
        struct rig r;
        char path[512];
        frz_table *other;
        one_large_file(&r, format, path);
        table_create(r.db, "other", format, &other, &r.e);
        spoil(&r, path);
        OK(table_put(r.t, 0, "again", &r.e), &r.e);
        FAILS(frz_table_flush(r.t, &r.e), FRZ_CORRUPT, &r.e);
        frz_health h = health(&r, NULL);
        assert_int_equal(h.severity, FRZ_HEALTH_WRITES_STOPPED);
        assert_int_equal(h.error_class, FRZ_CLASS_CORRUPTION);
        assert_int_equal(h.next_try_us, 0);
        FAILS(table_put(r.t, 1, "refused", &r.e), FRZ_CORRUPT, &r.e);
        MESSAGE_HAS(&r.e, "writes are stopped");
        table_has(r.t, 0, "again");
        table_has(r.t, 2500, "a value that is long enough to fill pages");
        OK(table_put(other, 1, "goes on", &r.e), &r.e); /* another table's do */
        uint32_t tries = health(&r, NULL).tries;
        frz__test_clock_advance_ns((int64_t)600 * 1000000000);
        nap(20);
        assert_int_equal(health(&r, NULL).tries, tries); /* not by itself */
        FAILS(frz_db_resume(r.db, &r.e), FRZ_CORRUPT, &r.e);
        spoil(&r, path);
        OK(frz_db_resume(r.db, &r.e), &r.e);
        expect_well(&r);
        OK(table_put(r.t, 1, "taken", &r.e), &r.e);
        OK(frz_table_flush(r.t, &r.e), &r.e);
        table_has(r.t, 0, "again");
        table_has(r.t, 1, "taken");
        table_has(r.t, 2, "a value that is long enough to fill pages");
        verify(r.db, 0);
        rig_clear(&r);
    }
}

TEST(health, a_compaction_that_meets_corruption_degrades_and_changes_nothing)
{
    struct rig r;
    char path[512];
    struct plan_options o;
    one_large_file(&r, 2, path);
    OK(table_put(r.t, 2999, "again", &r.e), &r.e);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    spoil(&r, path);
    frz__compact_options(r.t->t, &o);
    o.whole = true;
    FAILS(frz__compact(r.t->t, &o, NULL, &r.e), FRZ_CORRUPT, &r.e);
    frz_health h = health(&r, r.t);
    assert_int_equal(h.severity, FRZ_HEALTH_DEGRADED);
    assert_string_equal(h.part, "compaction");
    assert_false(frz__health_due(r.t->t->db, r.t->t, HEALTH_COMPACTION, INT64_MAX - 1, NULL));
    OK(table_put(r.t, 100000, "new", &r.e), &r.e);
    spoil(&r, path);
    OK(frz_db_resume(r.db, &r.e), &r.e);
    assert_true(frz__health_due(r.t->t->db, r.t->t, HEALTH_COMPACTION, 0, NULL));
    OK(frz__compact(r.t->t, &o, NULL, &r.e), &r.e);
    expect_well(&r);
    table_has(r.t, 2999, "again");
    verify(r.db, 0);
    rig_clear(&r);
}

/* ── what failed has nothing left to do ── */

TEST(health, a_flush_in_doubt_that_a_change_of_a_property_finds_published_is_no_failure)
{
    struct rig r;
    rig_init(&r, 1 << 20, 2);
    if (!frz__test_failpoint("commit.after_link", "error:1:1")) { /* not compiled in */
        rig_clear(&r);
        return;
    }
    OK(table_put(r.t, 1, "one", &r.e), &r.e);
    FAILS(frz_table_flush(r.t, &r.e), FRZ_IO, &r.e);
    (void)frz__test_failpoint("commit.after_link", "off");
    assert_string_equal(health(&r, r.t).part, "flush");
    OK(frz_table_set_property(r.t, "owner", "somebody", &r.e), &r.e);
    SOON(health(&r, NULL).severity == FRZ_HEALTH_OK);
    table_has(r.t, 1, "one");
    rig_clear(&r);
}

#define DEAD_ROWS 3000
static void delete_rows(struct rig *r, int64_t from, int64_t to)
{
    for (int64_t id = from; id < to; id++) {
        const frz_value key = {.type = FRZ_LONG, .as.i64 = id};
        OK(frz_delete(r->t, &key, 1, NULL, &r->e), &r->e);
    }
    OK(frz_table_flush(r->t, &r->e), &r->e);
}
/* A file with so many dead rows that it is to be rewritten, which fails. */
static bool a_failed_compaction(struct rig *r)
{
    rig_init(r, 4 << 20, 2);
    OK(frz_db_close(r->db, &r->e), &r->e);
    r->db = NULL;
    r->o.no_compaction = false;
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_table_open(r->db, "t", &r->t, &r->e), &r->e);
    if (!frz__test_failpoint("compact.begin", "error")) return false; /* not compiled in */
    for (int64_t id = 0; id < DEAD_ROWS; id++) OK(table_put(r->t, id, "a value", &r->e), &r->e);
    OK(frz_table_flush(r->t, &r->e), &r->e);
    delete_rows(r, 0, DEAD_ROWS / 2);
    SOON(health(r, NULL).severity != FRZ_HEALTH_OK);
    assert_string_equal(health(r, r->t).part, "compaction");
    return true;
}

TEST(health, a_failed_compaction_of_rows_that_were_all_deleted_is_no_failure)
{
    struct rig r;
    if (a_failed_compaction(&r)) {
        delete_rows(&r, DEAD_ROWS / 2, DEAD_ROWS);
        SOON(health(&r, NULL).severity == FRZ_HEALTH_OK); /* the fail point stays: nothing is tried */
        table_has(r.t, DEAD_ROWS - 1, NULL);
        (void)frz__test_failpoint("compact.begin", "off");
    }
    rig_clear(&r);
}

TEST(health, a_failed_compaction_of_a_table_that_shall_not_be_compacted_any_more_is_no_failure)
{
    struct rig r;
    if (a_failed_compaction(&r)) {
        OK(frz_table_set_property(r.t, "frazil.compaction-enabled", "0", &r.e), &r.e);
        SOON(health(&r, NULL).severity == FRZ_HEALTH_OK); /* nor here */
        table_has(r.t, DEAD_ROWS - 1, "a value");
        (void)frz__test_failpoint("compact.begin", "off");
    }
    rig_clear(&r);
}

TEST(health, a_table_that_cannot_be_read_is_unusable_and_the_others_are_well)
{
    struct rig r;
    frz_table *other;
    struct file *f;
    rig_init(&r, 1 << 20, 2);
    table_create(r.db, "other", 2, &other, &r.e);
    OK(frz_db_close(r.db, &r.e), &r.e);
    OK(frz__fs_open(r.fs, "main/t/metadata/v1.metadata.json", FS_OPEN_WRITE, &f, &r.e), &r.e);
    OK(frz__file_write(f, 0, "no  ", 4, &r.e), &r.e);
    OK(frz__file_close(f, &r.e), &r.e);
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    OK(frz_table_open(r.db, "other", &other, &r.e), &r.e);
    frz_health h = health(&r, NULL);
    assert_int_equal(h.severity, FRZ_HEALTH_UNUSABLE);
    assert_string_equal(h.table, "main.t");
    assert_string_equal(h.part, "table");
    assert_int_equal(health(&r, other).severity, FRZ_HEALTH_OK);
    int rc = frz_db_resume(r.db, &r.e);
    RC(rc, h.status, &r.e);
    MESSAGE_HAS(&r.e, "main.t");
    rig_clear(&r);
}
