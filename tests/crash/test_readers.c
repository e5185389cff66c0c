/* Goal    a reading process beside a writer that publishes, rewrites and expires with no grace keeps every file that it reads, and gives them back when it moves on, closes or is killed (hazards 20).
 * Method  this program starts itself as a reader (FRZ_CHILD_ROLE), which does what it is told over a pipe and answers over another. */
#include "frz_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/rand.h"
#include "engine/compact.h"

#define ROWS 3000

/* ── the reader ── */

static char told(void)
{
    char c;
    if (read(8, &c, 1) != 1) _exit(5);
    return c;
}
static void answer(char c)
{
    if (write(9, &c, 1) != 1) _exit(6);
}
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

/* All rows of one state: each has the same v. */
static bool rest_is_whole(frz_cursor *c, int64_t at, int64_t v)
{
    frz_error e;
    const frz_row *row;
    int rc;
    while ((rc = frz_cursor_next(c, &row, &e)) == FRZ_OK)
        if (frz_row_long(row, 0) != at++ || frz_row_long(row, 1) != v) return false;
    if (rc != FRZ_DONE) fprintf(stderr, "child: %s\n", e.message);
    return rc == FRZ_DONE && at == ROWS;
}

/* o: a cursor is opened, its first row read · s: the same by an Arrow stream · f: the rest is read and it is closed · a: the rest of the stream · r: refresh · g: a get · q: close. y or n is answered. */
static int role_reader(const char *dir)
{
    frz_error e;
    frz_db *db;
    frz_table *t;
    frz_cursor *c = NULL;
    frz_row *out;
    const frz_row *row;
    struct ArrowArrayStream stream = {0};
    int64_t v = 0;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    DO(frz_db_open(dir, &o, &db, &e));
    DO(frz_table_open(db, "t", &t, &e));
    DO(frz_row_new(t, &out, &e));
    answer('y');
    for (;;) {
        bool good = true;
        switch (told()) {
        case 'o':
            DO(frz_scan(t, NULL, &c, &e));
            DO(frz_cursor_next(c, &row, &e));
            v = frz_row_long(row, 1);
            break;
        case 'f':
            good = rest_is_whole(c, 1, v);
            frz_cursor_close(c);
            break;
        case 's': {
            frz_scan_options so = FRZ_SCAN_OPTIONS_INIT;
            so.batch_rows = 10;
            DO(frz_scan_arrow(t, &so, &stream, &e));
            break;
        }
        case 'a': {
            int64_t rows = 0;
            for (;;) {
                struct ArrowArray a = {0};
                if (stream.get_next(&stream, &a) != 0) good = false;
                if (!good || !a.release) break;
                rows += a.length;
                a.release(&a);
            }
            stream.release(&stream);
            good = good && rows == ROWS;
            break;
        }
        case 'r': DO(frz_db_refresh(db, &e)); break;
        case 'g': {
            frz_value key = {.type = FRZ_LONG, .as.i64 = 7};
            DO(frz_get(t, NULL, &key, 1, out, &e));
            break;
        }
        default:
            frz_row_free(out);
            DO(frz_db_close(db, &e));
            answer('y');
            return 0;
        }
        answer(good ? 'y' : 'n');
    }
}

struct child { pid_t pid; int to, from; };
static struct child start(const char *dir)
{
    int in[2], out[2];
    struct child c;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        int from = dup(in[0]), to = dup(out[1]); /* out of the way of 8 and 9 */
        from = from == 8 || from == 9 ? dup(from) : from;
        dup2(from, 8);
        dup2(to, 9);
        for (int fd = 3; fd < 64; fd++)
            if (fd != 8 && fd != 9) close(fd);
        setenv("FRZ_CHILD_ROLE", "reader", 1);
        setenv("FRZ_CHILD_DIR", dir, 1);
        execl("/proc/self/exe", "test_readers", "is a role", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    c.to = in[1];
    c.from = out[0];
    return c;
}
static void hears(const struct child *c)
{
    char got = 0;
    assert_int_equal(read(c->from, &got, 1), 1);
    assert_int_equal(got, 'y');
}
static void tell(const struct child *c, char what)
{
    assert_int_equal(write(c->to, &what, 1), 1);
    hears(c);
}
static void ends(struct child *c, int signal)
{
    int status;
    if (signal) kill(c->pid, signal);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_true(signal ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(c->to);
    close(c->from);
}

TEST(child, in_another_process_is_a_role)
{
    const char *role = getenv("FRZ_CHILD_ROLE"), *dir = getenv("FRZ_CHILD_DIR");
    if (role && strcmp(role, "reader") == 0) exit(role_reader(dir));
}

/* ── the writer ── */

struct writer {
    char dir[600];
    frz_db *db;
    frz_table *t;
    frz_row *row;
    frz_batch *batch;
    int64_t v;
    frz_error e;
};

static void writer_open(struct writer *w, int format)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.snapshots-max", "write.metadata.previous-versions-max", "write.target-file-size-bytes"};
    static const char *const values[] = {"0", "0", "1", "1", "65536"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_schema *s;
    *w = (struct writer){0};
    snprintf(w->dir, sizeof w->dir, "%s", test_tmp_dir("readers"));
    o.create = true;
    o.no_compaction = true;
    o.durability = FRZ_SYNC_OFF;
    OK(frz_db_open(w->dir, &o, &w->db, &w->e), &w->e);
    OK(frz_schema_parse("id long, v long, pad binary", "id", &s, &w->e), &w->e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 5;
    OK(frz_table_create(w->db, "t", s, &to, &w->t, &w->e), &w->e);
    frz_schema_free(s);
    OK(frz_row_new(w->t, &w->row, &w->e), &w->e);
    OK(frz_batch_new(w->db, &w->batch, &w->e), &w->e);
}
static void writer_close(struct writer *w)
{
    frz_row_free(w->row);
    frz_batch_free(w->batch);
    OK(frz_db_close(w->db, &w->e), &w->e);
    test_tmp_remove(w->dir);
}
/* A new state of all rows, in one batch; published. */
static void publish(struct writer *w)
{
    struct rng r = {(uint64_t)++w->v};
    frz_batch_clear(w->batch);
    for (int64_t i = 0; i < ROWS; i++) {
        uint64_t noise[8];
        for (size_t k = 0; k < 8; k++) noise[k] = rng_next(&r);
        OK(frz_row_set_long(w->row, 0, i, &w->e), &w->e);
        OK(frz_row_set_long(w->row, 1, w->v, &w->e), &w->e);
        OK(frz_row_set_bytes(w->row, 2, noise, sizeof noise, &w->e), &w->e);
        OK(frz_batch_put(w->batch, w->t, w->row, &w->e), &w->e);
    }
    OK(frz_write(w->db, w->batch, NULL, NULL, &w->e), &w->e);
    OK(frz_table_flush(w->t, &w->e), &w->e);
}
/* What there is, rewritten. */
static void rewrite_all(struct writer *w)
{
    struct plan_options o;
    struct table *t = w->t->t;
    frz__compact_options(t, &o);
    o.level0_runs_max = 1;
    o.small_files = 2;
    o.masked_percent = 1;
    for (int i = 0; i < 20; i++) {
        int rc = frz__compact(t, &o, NULL, &w->e);
        if (rc == FRZ_DONE) return;
        OK(rc, &w->e);
    }
}
static void expire(struct writer *w)
{
    struct table *t = w->t->t;
    frz__mutex_lock(&t->flush_mu);
    while (frz__expire_run(t)) {} /* a round ends by its time */
    frz__mutex_unlock(&t->flush_mu);
}
struct paths { size_t count; char at[64][256]; };
static int on_path(void *ctx, const frz_file_info *i)
{
    struct paths *p = (struct paths *)ctx;
    if (i->content == 0 && p->count < 64) snprintf(p->at[p->count++], sizeof p->at[0], "%s", i->path);
    return 0;
}
static size_t still_there(const struct writer *w, const struct paths *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        char path[900];
        snprintf(path, sizeof path, "%s/%s", w->dir, p->at[i]);
        n += access(path, F_OK) == 0;
    }
    return n;
}
static void churn(struct writer *w)
{
    for (int i = 0; i < 3; i++) {
        publish(w);
        rewrite_all(w);
        expire(w);
    }
}

TEST(hazard_20, a_reading_process_reads_on_while_the_writer_publishes_rewrites_and_expires)
{
    for (int format = 2; format <= 3; format++) {
        struct writer w;
        static struct paths before, after;
        before.count = after.count = 0;
        writer_open(&w, format);
        publish(&w);
        OK(frz_table_files(w.t, NULL, on_path, &before, &w.e), &w.e);
        assert_true(before.count > 0);
        struct child c = start(w.dir);
        hears(&c);
        tell(&c, 'o');
        tell(&c, 's');
        churn(&w);
        assert_int_equal(still_there(&w, &before), before.count);
        tell(&c, 'r'); /* its open cursor and stream stay where they are */
        tell(&c, 'g');
        churn(&w);
        assert_int_equal(still_there(&w, &before), before.count);
        tell(&c, 'f');
        tell(&c, 'a');
        expire(&w);
        assert_int_equal(still_there(&w, &before), 0);
        tell(&c, 'r');
        OK(frz_table_files(w.t, NULL, on_path, &after, &w.e), &w.e);
        churn(&w);
        assert_int_equal(still_there(&w, &after), after.count);
        tell(&c, 'g');
        tell(&c, 'q');
        ends(&c, 0);
        expire(&w);
        assert_int_equal(still_there(&w, &after), 0);
        writer_close(&w);
    }
}

TEST(hazard_20, files_of_a_reading_process_that_is_killed_go)
{
    struct writer w;
    static struct paths before;
    before.count = 0;
    writer_open(&w, 2);
    publish(&w);
    OK(frz_table_files(w.t, NULL, on_path, &before, &w.e), &w.e);
    struct child c = start(w.dir), d = start(w.dir);
    hears(&c);
    hears(&d);
    tell(&c, 'o');
    churn(&w);
    assert_int_equal(still_there(&w, &before), before.count);
    ends(&c, SIGKILL);
    expire(&w);
    assert_int_equal(still_there(&w, &before), before.count); /* the other one has not moved */
    ends(&d, SIGKILL);
    expire(&w);
    assert_int_equal(still_there(&w, &before), 0);
    writer_close(&w);
}

TEST(hazard_20, a_writer_that_comes_back_keeps_what_living_readers_of_before_read)
{
    struct writer w;
    static struct paths before;
    before.count = 0;
    writer_open(&w, 2);
    publish(&w);
    OK(frz_table_files(w.t, NULL, on_path, &before, &w.e), &w.e);
    struct child c = start(w.dir);
    hears(&c);
    tell(&c, 'o');
    churn(&w);
    frz_row_free(w.row);
    frz_batch_free(w.batch);
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.no_compaction = true;
    o.durability = FRZ_SYNC_OFF;
    OK(frz_db_close(w.db, &w.e), &w.e);
    OK(frz_db_open(w.dir, &o, &w.db, &w.e), &w.e);
    OK(frz_table_open(w.db, "t", &w.t, &w.e), &w.e);
    OK(frz_row_new(w.t, &w.row, &w.e), &w.e);
    OK(frz_batch_new(w.db, &w.batch, &w.e), &w.e);
    churn(&w);
    assert_int_equal(still_there(&w, &before), before.count);
    tell(&c, 'f');
    tell(&c, 'q');
    ends(&c, 0);
    expire(&w);
    assert_int_equal(still_there(&w, &before), 0);
    writer_close(&w);
}
