/* Goal    a writer that is killed at any moment loses nothing that it reported; LOCK keeps a second writer out and goes with its holder; fork; readers beside a writer.
 * Method  this program starts itself as another process (FRZ_CHILD_ROLE), which reports over a pipe; it is killed at random moments. FRZ_KILL_SECONDS, FRZ_SEED. */
#include "frz_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rand.h"

#define KEYS 200
#define PAIRS 20 /* keys 0 … in tables a and b, written by batches only: a[k] + b[k] = 0 */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static double seconds(double def)
{
    const char *s = getenv("FRZ_KILL_SECONDS");
    return s ? atof(s) : def;
}
static void nap_us(unsigned us) { nanosleep(&(struct timespec){us / 1000000, (long)(us % 1000000) * 1000}, NULL); }

/* ── what all roles share ── */

static void die(int rc, const frz_error *e, const char *what)
{
    fprintf(stderr, "child: %s: %s: %s\n", what, frz_status_name(rc), e->message);
    _exit(3);
}
#define DO(expr)                                                                                                                           \
    do {                                                                                                                                   \
        int do_rc_ = (expr);                                                                                                               \
        if (do_rc_ != FRZ_OK) die(do_rc_, &e, #expr);                                                                                      \
    } while (0)

static frz_db_options small_options(void)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    o.memtable_bytes = 16384;
    o.memory_bytes = 8 << 20;
    o.log_segment_bytes = 131072;
    return o;
}

static int open_tables(frz_db *db, frz_table *t[2], bool create, frz_error *e)
{
    static const char *const names[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        int rc = frz_table_open(db, names[i], &t[i], e);
        if (rc == FRZ_NOT_FOUND && create) {
            frz_schema *s = NULL;
            frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
            o.format_version = 2 + i;
            TRY(frz_schema_parse("id long, v long, pad string?", "id", &s, e));
            rc = frz_table_create(db, names[i], s, &o, &t[i], e);
            frz_schema_free(s);
        }
        if (rc != FRZ_OK) return rc;
    }
    return FRZ_OK;
}

static int put(frz_batch *b, frz_table *t, int64_t key, int64_t v, frz_error *e)
{
    frz_row *row = NULL;
    char pad[300];
    size_t n = (size_t)(v < 0 ? -v : v) % 300;
    memset(pad, 'p', sizeof pad);
    TRY(frz_row_new(t, &row, e));
    int rc = frz_row_set_long(row, 0, key, e);
    if (rc == FRZ_OK) rc = frz_row_set_long(row, 1, v, e);
    if (rc == FRZ_OK) rc = frz_row_set_string(row, 2, pad, n, e);
    if (rc == FRZ_OK) rc = frz_batch_put(b, t, row, e);
    frz_row_free(row);
    return rc;
}

struct op { uint64_t n; uint8_t kind, table; uint16_t key; }; /* kind: 0 put, 1 delete, 2 pair. Value n */

/* ── roles ── */

/* Writes for ever: says what it is about to do, does it, says that it is done. */
static int role_writer(const char *dir, uint64_t seed, int out)
{
    struct rng r = {seed};
    frz_error e;
    frz_db *db;
    frz_table *t[2];
    frz_db_options o = small_options();
    o.no_close_flush = true;
    DO(frz_db_open(dir, &o, &db, &e));
    DO(open_tables(db, t, true, &e));
    for (uint64_t n = seed * 1000000 + 1;; n++) {
        struct op op = {n, (uint8_t)rng_below(&r, 3), (uint8_t)rng_below(&r, 2), (uint16_t)(PAIRS + rng_below(&r, KEYS - PAIRS))};
        if (op.kind == 2) op.key = (uint16_t)rng_below(&r, PAIRS);
        frz_batch *b;
        frz_value key = {.type = FRZ_LONG, .as.i64 = op.key};
        DO(frz_batch_new(db, &b, &e));
        if (op.kind == 0) DO(put(b, t[op.table], op.key, (int64_t)n, &e));
        if (op.kind == 1) DO(frz_batch_delete(b, t[op.table], &key, 1, &e));
        if (op.kind == 2) {
            DO(put(b, t[0], op.key, (int64_t)n, &e));
            DO(put(b, t[1], op.key, -(int64_t)n, &e));
        }
        if (write(out, &op, sizeof op) != sizeof op) _exit(4);
        DO(frz_write(db, b, NULL, NULL, &e));
        if (write(out, &op, sizeof op) != sizeof op) _exit(4);
        frz_batch_free(b);
        if (rng_below(&r, 60) == 0) DO(frz_table_flush(t[rng_below(&r, 2)], &e));
    }
}

/* Opens, says so, and waits to be killed. */
static int role_holder(const char *dir, uint64_t seed, int out)
{
    frz_error e;
    frz_db *db;
    frz_db_options o = small_options();
    DO(frz_db_open(dir, &o, &db, &e));
    if (write(out, "y", 1) != 1) return 1;
    for (;;) pause();
    return 0;
}

/* Opens, writes without a close, and returns from main: the process ends all the same. */
static int role_leaver(const char *dir, uint64_t seed, int out)
{
    frz_error e;
    frz_db *db;
    frz_table *t[2];
    frz_batch *b;
    frz_db_options o = small_options();
    DO(frz_db_open(dir, &o, &db, &e));
    DO(open_tables(db, t, true, &e));
    for (int64_t i = 0; i < 500; i++) {
        DO(frz_batch_new(db, &b, &e));
        DO(put(b, t[0], PAIRS + i % 100, i, &e));
        DO(frz_write(db, b, NULL, NULL, &e));
        frz_batch_free(b);
    }
    if (write(out, "y", 1) != 1) return 1;
    return 0;
}

/* Wants to create table `race`; waits while another process writes. Says whether it made it (1) or found it (2). */
static int role_creator(const char *dir, uint64_t seed, int out)
{
    frz_error e;
    frz_db *db;
    frz_schema *s;
    frz_db_options o = small_options();
    int rc;
    while ((rc = frz_db_open(dir, &o, &db, &e)) == FRZ_BUSY) nap_us(500);
    DO(rc);
    DO(frz_schema_parse("id long", "id", &s, &e));
    rc = frz_table_create(db, "race", s, NULL, NULL, &e);
    if (rc != FRZ_OK && rc != FRZ_EXISTS) die(rc, &e, "create");
    frz_schema_free(s);
    DO(frz_db_close(db, &e));
    return write(out, rc == FRZ_OK ? "1" : "2", 1) == 1 ? 0 : 1;
}

static pid_t start(const char *role, const char *dir, uint64_t seed, int *from)
{
    int p[2];
    char text[32];
    assert_int_equal(pipe(p), 0);
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(p[1], 9);
        close(p[0]);
        if (p[1] != 9) close(p[1]);
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0) dup2(null, 1);
        setenv("FRZ_CHILD_ROLE", role, 1);
        setenv("FRZ_CHILD_DIR", dir, 1);
        setenv("FRZ_CHILD_SEED", text, 1);
        execl("/proc/self/exe", "test_kill", "is a role", (char *)NULL);
        _exit(127);
    }
    close(p[1]);
    *from = p[0];
    return pid;
}
static int finish(pid_t pid, int from)
{
    int status = 0;
    close(from);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}
static bool read_all(int fd, void *out, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, (char *)out + at, n - at);
        if (got <= 0) return false;
        at += (size_t)got;
    }
    return true;
}

/* What the other process runs. */
TEST(child, in_another_process_is_a_role)
{
    static const struct { const char *name; int (*fn)(const char *, uint64_t, int); } roles[] = {{"writer", role_writer}, {"holder", role_holder}, {"leaver", role_leaver}, {"creator", role_creator}};
    const char *role = getenv("FRZ_CHILD_ROLE"), *dir = getenv("FRZ_CHILD_DIR"), *seed = getenv("FRZ_CHILD_SEED");
    for (size_t i = 0; role && i < FRZ_ARRAY_LEN(roles); i++)
        if (strcmp(roles[i].name, role) == 0) exit(roles[i].fn(dir, strtoull(seed, NULL, 10), 9));
}

/* ── the kill ── */

struct model { int64_t v[2][KEYS]; };
static void apply(struct model *m, const struct op *o)
{
    if (o->kind == 2) {
        m->v[0][o->key] = (int64_t)o->n;
        m->v[1][o->key] = -(int64_t)o->n;
    } else {
        m->v[o->table][o->key] = o->kind == 0 ? (int64_t)o->n : 0;
    }
}

static void look(frz_table *t[2], struct model *m)
{
    frz_error e;
    memset(m, 0, sizeof *m);
    for (int i = 0; i < 2; i++) {
        frz_cursor *c;
        const frz_row *row;
        int rc;
        OK(frz_scan(t[i], NULL, &c, &e), &e);
        while ((rc = frz_cursor_next(c, &row, &e)) == FRZ_OK) {
            int64_t key = frz_row_long(row, 0), v = frz_row_long(row, 1);
            size_t n;
            assert_in_range(key, 0, KEYS - 1);
            assert_int_equal(m->v[i][key], 0);
            m->v[i][key] = v;
            (void)frz_row_bytes(row, 2, &n);
            assert_int_equal(n, (v < 0 ? -v : v) % 300);
        }
        RC(rc, FRZ_DONE, &e);
        frz_cursor_close(c);
    }
}

TEST(kill, a_writer_killed_at_any_moment_loses_nothing_that_it_reported)
{
    struct rng r = {test_seed(1)};
    char dir[600];
    frz_error e;
    static struct model model, is;
    double until = now_s() + seconds(8);
    unsigned rounds = 0;
    uint64_t ops = 0, taken = 0;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("kill"));
    memset(&model, 0, sizeof model);
    for (; rounds < 6 || now_s() < until; rounds++) { /* some, however slow the machine */
        int from;
        struct op last = {0}, op;
        pid_t pid = start("writer", dir, rounds + 1, &from);
        uint64_t after = rng_below(&r, 60);
        bool begun = false;
        while (after-- > 0 && read_all(from, &op, sizeof op)) { /* one report, then another of the same when it is done */
            begun = !begun || op.n != last.n;
            if (!begun) {
                apply(&model, &op);
                ops++;
            }
            last = op;
        }
        nap_us((unsigned)rng_below(&r, 4000));
        kill(pid, SIGKILL);
        while (read_all(from, &op, sizeof op)) { /* what it said before it died */
            begun = !begun || op.n != last.n;
            if (!begun) {
                apply(&model, &op);
                ops++;
            }
            last = op;
        }
        int status = finish(pid, from);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        frz_db *db;
        frz_table *t[2];
        frz_db_options o = small_options();
        o.no_close_flush = rounds % 2;
        OK(frz_db_open(dir, &o, &db, &e), &e);
        OK(open_tables(db, t, true, &e), &e);
        look(t, &is);
        if (memcmp(&is, &model, sizeof is) != 0 && begun) { /* the one that it had begun is there, whole */
            apply(&model, &last);
            taken++;
        }
        for (int i = 0; i < 2; i++)
            for (int k = 0; k < KEYS; k++)
                if (is.v[i][k] != model.v[i][k]) {
                    print_error("round %u: %c[%d] is %lld, expected %lld\n", rounds, 'a' + i, k, (long long)is.v[i][k], (long long)model.v[i][k]);
                    fail();
                }
        for (int k = 0; k < PAIRS; k++) assert_int_equal(is.v[0][k] + is.v[1][k], 0);
        if (rounds % 8 == 0) {
            frz_verify_report rep = {.struct_size = sizeof rep};
            OK(frz_verify(db, NULL, NULL, NULL, &rep, &e), &e);
            assert_int_equal(rep.findings, 0);
        }
        OK(frz_db_close(db, &e), &e);
    }
    print_message("%u rounds, %llu operations reported, %llu more found\n", rounds, (unsigned long long)ops, (unsigned long long)taken);
    assert_true(ops > 0);
    test_tmp_remove(dir);
}

/* ── LOCK ── */

TEST(lock, keeps_a_second_writer_out_until_the_first_is_dead)
{
    char dir[600], text[32], c;
    frz_error e;
    frz_db *db;
    frz_db_options o = small_options();
    int from;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("lock"));
    pid_t pid = start("holder", dir, 0, &from);
    assert_true(read_all(from, &c, 1));
    FAILS(frz_db_open(dir, &o, &db, &e), FRZ_BUSY, &e);
    snprintf(text, sizeof text, "process %d", (int)pid);
    MESSAGE_HAS(&e, text);
    kill(pid, SIGKILL);
    (void)finish(pid, from);
    OK(frz_db_open(dir, &o, &db, &e), &e);
    frz_db *again;
    FAILS(frz_db_open(dir, &o, &again, &e), FRZ_BUSY, &e); /* in one process too */
    snprintf(text, sizeof text, "process %d", (int)getpid());
    MESSAGE_HAS(&e, text);
    OK(frz_db_close(db, &e), &e);
    OK(frz_db_open(dir, &o, &db, &e), &e);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(dir);
}

TEST(lock, processes_that_race_to_create_a_table_make_it_once)
{
    char dir[600];
    frz_error e;
    for (int round = 0; round < 4; round++) {
        snprintf(dir, sizeof dir, "%s", test_tmp_dir("race"));
        int from[3], made = 0, found = 0;
        pid_t pid[3];
        for (int i = 0; i < 3; i++) pid[i] = start("creator", dir, 0, &from[i]);
        for (int i = 0; i < 3; i++) {
            char c = 0;
            assert_true(read_all(from[i], &c, 1));
            made += c == '1';
            found += c == '2';
            assert_int_equal(finish(pid[i], from[i]), 0);
        }
        assert_int_equal(made, 1);
        assert_int_equal(found, 2);
        frz_db *db;
        frz_table *t;
        frz_db_options o = small_options();
        OK(frz_db_open(dir, &o, &db, &e), &e);
        OK(frz_table_open(db, "race", &t, &e), &e);
        OK(frz_db_close(db, &e), &e);
        test_tmp_remove(dir);
    }
}

TEST(close, a_process_that_ends_without_it_ends_and_loses_nothing)
{
    char dir[600], c;
    frz_error e;
    frz_db *db;
    frz_table *t[2];
    frz_db_options o = small_options();
    int from;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("leave"));
    pid_t pid = start("leaver", dir, 0, &from);
    assert_true(read_all(from, &c, 1));
    int status = finish(pid, from);
    assert_true(WIFEXITED(status));
    OK(frz_db_open(dir, &o, &db, &e), &e);
    OK(open_tables(db, t, false, &e), &e);
    uint64_t n;
    OK(frz_count(t[0], NULL, &n, &e), &e);
    assert_int_equal(n, 100);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(dir);
}

/* ── fork ── */

TEST(fork, a_handle_in_the_child_refuses_and_the_parents_goes_on)
{
    char dir[600];
    frz_error e;
    frz_db *db;
    frz_table *t[2];
    frz_batch *b;
    frz_row *row;
    frz_db_options o = small_options();
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("fork"));
    OK(frz_db_open(dir, &o, &db, &e), &e);
    OK(open_tables(db, t, true, &e), &e);
    OK(frz_batch_new(db, &b, &e), &e);
    OK(put(b, t[0], 1, 1, &e), &e);
    OK(frz_row_new(t[0], &row, &e), &e);
    frz_snapshot *snapshot;
    frz_cursor *cursor;
    OK(frz_snapshot_open(db, &snapshot, &e), &e);
    OK(frz_scan(t[0], NULL, &cursor, &e), &e);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        frz_value key = {.type = FRZ_LONG, .as.i64 = 1};
        frz_stats st = {.struct_size = sizeof st};
        frz_cursor *c;
        frz_snapshot *s;
        frz_table *other;
        frz_db *own;
        const frz_row *at;
        uint64_t n;
        int wrong = 0;
        wrong += frz_write(db, b, NULL, NULL, &e) != FRZ_MISUSE;
        wrong += frz_get(t[0], NULL, &key, 1, row, &e) != FRZ_MISUSE;
        wrong += frz_put(t[0], row, NULL, &e) != FRZ_MISUSE;
        wrong += frz_delete(t[0], &key, 1, NULL, &e) != FRZ_MISUSE;
        wrong += frz_scan(t[0], NULL, &c, &e) != FRZ_MISUSE;
        wrong += frz_count(t[0], NULL, &n, &e) != FRZ_MISUSE;
        wrong += frz_cursor_next(cursor, &at, &e) != FRZ_MISUSE;
        wrong += frz_table_flush(t[0], &e) != FRZ_MISUSE;
        wrong += frz_db_flush(db, &e) != FRZ_MISUSE;
        wrong += frz_db_sync(db, &e) != FRZ_MISUSE;
        wrong += frz_snapshot_open(db, &s, &e) != FRZ_MISUSE;
        wrong += frz_table_open(db, "a", &other, &e) != FRZ_MISUSE;
        wrong += frz_table_drop(db, "a", &e) != FRZ_MISUSE;
        wrong += frz_table_set_property(t[0], "x", "y", &e) != FRZ_MISUSE;
        wrong += frz_db_stats(db, NULL, &st, &e) != FRZ_MISUSE;
        wrong += frz_verify(db, NULL, NULL, NULL, NULL, &e) != FRZ_MISUSE;
        wrong += frz_db_close(db, &e) != FRZ_MISUSE;
        wrong += frz_db_open(dir, &o, &own, &e) != FRZ_BUSY; /* the parent writes */
        _exit(wrong);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    OK(frz_write(db, b, NULL, NULL, &e), &e);
    frz_cursor_close(cursor);
    frz_snapshot_close(snapshot);
    frz_row_free(row);
    frz_batch_free(b);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(dir);
}

/* ── readers beside a writer ── */

/* The newest operation that the state shows: by the pairs alone, since a delete of another key takes the newest value away and leaves an older one. */
static void consistent(frz_table *t[2], int64_t *newest)
{
    static struct model is;
    int64_t top = 0;
    look(t, &is);
    for (int k = 0; k < PAIRS; k++) {
        if (is.v[0][k] + is.v[1][k] != 0) {
            print_error("key %d: a has %lld, b has %lld\n", k, (long long)is.v[0][k], (long long)is.v[1][k]);
            fail();
        }
        if (is.v[0][k] > top) top = is.v[0][k];
    }
    *newest = top;
}

TEST(readers, beside_a_writer_that_publishes_all_the_time_see_whole_states)
{
    char dir[600];
    frz_error e;
    struct op op;
    int from;
    unsigned opens = 0, refreshes = 0;
    int64_t newest = 0, seen = 0;
    snprintf(dir, sizeof dir, "%s", test_tmp_dir("read"));
    pid_t pid = start("writer", dir, 1, &from);
    assert_true(read_all(from, &op, sizeof op)); /* the tables are there */
    fcntl(from, F_SETFL, fcntl(from, F_GETFL) | O_NONBLOCK);
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    double until = now_s() + seconds(5);
    char drain[4096];
    while (now_s() < until || opens < 10 || seen <= 1000000) { /* some, and until the writer was seen at work, however slow the machine */
        frz_db *db;
        frz_table *t[2];
        while (read(from, drain, sizeof drain) > 0) {}
        OK(frz_db_open(dir, &o, &db, &e), &e);
        opens++;
        OK(open_tables(db, t, false, &e), &e);
        for (int i = 0; i < 4; i++) {
            consistent(t, &newest);
            assert_true(newest >= seen);
            seen = newest;
            while (read(from, drain, sizeof drain) > 0) {}
            OK(frz_db_refresh(db, &e), &e);
            refreshes++;
        }
        frz_row *row;
        OK(frz_row_new(t[0], &row, &e), &e);
        OK(frz_row_set_long(row, 0, 1, &e), &e);
        OK(frz_row_set_long(row, 1, 1, &e), &e);
        FAILS(frz_put(t[0], row, NULL, &e), FRZ_READ_ONLY, &e);
        frz_row_free(row);
        OK(frz_db_close(db, &e), &e);
    }
    kill(pid, SIGKILL);
    (void)finish(pid, from);
    print_message("%u opens, %u refreshes, up to operation %lld\n", opens, refreshes, (long long)seen);
    test_tmp_remove(dir);
}
