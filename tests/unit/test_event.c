/* Goal    what happens is told: to the ring, whose numbers have no holes but what was overwritten, and to the callback, on a thread where the host may do what it likes.
 * Method  a database in memory; kinds and numbers of what a sequence of calls must leave in the ring; a callback that writes, flushes and is slow. */
#include "frz_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/handle.h"
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

static void rig_init(struct rig *r, frz_event_fn fn, void *ctx)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms"};
    static const char *const values[] = {"0", "0"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.memory_bytes = 8 << 20;
    r->o.event = fn;
    r->o.event_ctx = ctx;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 2;
    OK(frz__fs_fault_new(NULL, 1, &r->fs, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_schema_parse("id long, v string?", "id", &s, &r->e), &r->e);
    OK(frz_table_create(r->db, "t", s, &to, &r->t, &r->e), &r->e);
    frz_schema_free(s);
}
static void rig_clear(struct rig *r)
{
    if (r->db) OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}
static void put(frz_table *t, int64_t id)
{
    frz_error e;
    OK(table_put(t, id, "v", &e), &e);
}

/* ── what the ring has ── */

struct seen { int kinds[512]; uint64_t numbers[512]; size_t count; frz_event last_of[32]; char message[32][EVENT_MESSAGE_BYTES], reason[32][EVENT_REASON_BYTES], table[32][64]; size_t stop_at; };
static int see(void *ctx, const frz_event *e)
{
    struct seen *s = (struct seen *)ctx;
    assert_true(s->count < 512 && e->kind > 0 && e->kind < 32);
    assert_int_equal(e->struct_size, sizeof *e);
    s->kinds[s->count] = e->kind;
    s->numbers[s->count++] = e->number;
    s->last_of[e->kind] = *e;
    snprintf(s->message[e->kind], sizeof s->message[0], "%s", e->message);
    snprintf(s->reason[e->kind], sizeof s->reason[0], "%s", e->reason);
    snprintf(s->table[e->kind], sizeof s->table[0], "%s", e->table ? e->table : "");
    return s->stop_at && s->count == s->stop_at ? 77 : 0;
}
static void look(struct rig *r, uint64_t since, struct seen *s)
{
    memset(s, 0, sizeof *s);
    OK(frz_db_events(r->db, since, see, s, &r->e), &r->e);
}
static void expect_kinds(const struct seen *s, const int *want, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (i >= s->count || s->kinds[i] != want[i]) fail_msg("event %zu is %s, not %s", i, i < s->count ? frz_event_name(s->kinds[i]) : "missing", frz_event_name(want[i]));
    assert_int_equal(s->count, count);
}

TEST(event, a_life_is_told_in_order_with_its_numbers)
{
    struct rig r;
    static struct seen s;
    rig_init(&r, NULL, NULL);
    for (int64_t i = 0; i < 10; i++) put(r.t, i);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    look(&r, 0, &s);
    expect_kinds(&s, (int[]){FRZ_EVENT_OPEN, FRZ_EVENT_TABLE_CREATED, FRZ_EVENT_FLUSH_BEGIN, FRZ_EVENT_COMMIT, FRZ_EVENT_FLUSH_END}, 5);
    for (size_t i = 0; i < s.count; i++) assert_int_equal(s.numbers[i], i + 1);
    const frz_event *flush = &s.last_of[FRZ_EVENT_FLUSH_END];
    assert_string_equal(s.table[FRZ_EVENT_FLUSH_END], "main.t");
    assert_string_equal(s.table[FRZ_EVENT_OPEN], "");
    assert_int_equal(flush->rows_in, 10);
    assert_int_equal(flush->rows_out, 10);
    assert_int_equal(flush->files_out, 1);
    assert_true(flush->bytes_out > 0 && flush->timestamp_us > 0 && flush->status == 0);
    assert_int_equal(s.last_of[FRZ_EVENT_COMMIT].files_out, 1);
    OK(frz_table_set_property(r.t, "owner", "me", &r.e), &r.e);
    OK(frz_table_flush(r.t, &r.e), &r.e); /* nothing to do: nothing to tell */
    look(&r, 5, &s);
    expect_kinds(&s, (int[]){FRZ_EVENT_COMMIT, FRZ_EVENT_TABLE_ALTERED}, 2);
    assert_string_equal(s.message[FRZ_EVENT_TABLE_ALTERED], "owner");
    frz_table_close(r.t);
    OK(frz_table_drop(r.db, "t", &r.e), &r.e);
    look(&r, 7, &s);
    expect_kinds(&s, (int[]){FRZ_EVENT_TABLE_DROPPED}, 1);
    look(&r, 8, &s);
    assert_int_equal(s.count, 0);
    look(&r, UINT64_MAX, &s);
    assert_int_equal(s.count, 0);
    rig_clear(&r);
}

TEST(event, a_compaction_begins_and_ends_with_a_reason)
{
    struct rig r;
    static struct seen s;
    rig_init(&r, NULL, NULL);
    for (int64_t i = 0; i < 2000; i++) put(r.t, i);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    put(r.t, 7); /* one dead row in a file that is too large to be taken in */
    OK(frz_table_flush(r.t, &r.e), &r.e);
    look(&r, 0, &s);
    uint64_t before = s.numbers[s.count - 1];
    struct plan_options o;
    frz__compact_options(r.t->t, &o);
    o.whole = true;
    OK(frz__compact(r.t->t, &o, NULL, &r.e), &r.e);
    look(&r, before, &s);
    expect_kinds(&s, (int[]){FRZ_EVENT_COMPACTION_BEGIN, FRZ_EVENT_COMMIT, FRZ_EVENT_COMPACTION_END}, 3);
    assert_string_equal(s.reason[FRZ_EVENT_COMPACTION_END], frz__plan_reason_name(PLAN_MANUAL));
    assert_int_equal(s.last_of[FRZ_EVENT_COMPACTION_END].files_in, 2);
    assert_int_equal(s.last_of[FRZ_EVENT_COMPACTION_END].rows_out, 2000);
    RC(frz__compact(r.t->t, &o, NULL, &r.e), FRZ_DONE, &r.e);
    look(&r, before + 3, &s);
    assert_int_equal(s.count, 0); /* nothing done, nothing told */
    rig_clear(&r);
}

TEST(event, a_failed_flush_says_why)
{
    struct rig r;
    static struct seen s;
    rig_init(&r, NULL, NULL);
    put(r.t, 1);
    frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.no_space = true});
    FAILS(frz_table_flush(r.t, &r.e), FRZ_NO_SPACE, &r.e);
    look(&r, 0, &s);
    assert_int_equal(s.last_of[FRZ_EVENT_FLUSH_FAILED].status, FRZ_NO_SPACE);
    assert_string_equal(s.message[FRZ_EVENT_FLUSH_FAILED], r.e.message);
    frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
    OK(frz_table_flush(r.t, &r.e), &r.e);
    look(&r, s.numbers[s.count - 1], &s);
    assert_int_equal(s.last_of[FRZ_EVENT_FLUSH_END].rows_in, 1);
    table_has(r.t, 1, "v");
    rig_clear(&r);
}

TEST(event, a_stop_by_the_caller_is_his_result)
{
    struct rig r;
    static struct seen s;
    rig_init(&r, NULL, NULL);
    memset(&s, 0, sizeof s);
    s.stop_at = 1;
    assert_int_equal(frz_db_events(r.db, 0, see, &s, &r.e), 77);
    assert_int_equal(s.count, 1);
    FAILS(frz_db_events(r.db, 0, NULL, NULL, &r.e), FRZ_INVALID, &r.e);
    rig_clear(&r);
}

TEST(event, the_ring_keeps_the_last_and_the_gap_shows)
{
    struct rig r;
    static struct seen s;
    rig_init(&r, NULL, NULL);
    struct db *db = r.t->t->db;
    for (int i = 0; i < 1000; i++) frz__event(db, r.t->t, FRZ_EVENT_HEALTH, &(struct event_info){.rows_in = (uint64_t)i});
    look(&r, 0, &s);
    assert_int_equal(s.count, 256);
    assert_int_equal(s.numbers[255], 1002);
    for (size_t i = 1; i < s.count; i++) assert_int_equal(s.numbers[i], s.numbers[i - 1] + 1);
    rig_clear(&r);
}

TEST(event, long_texts_are_cut_between_code_points)
{
    struct rig r;
    static struct seen s;
    char text[1024];
    rig_init(&r, NULL, NULL);
    for (size_t pad = 0; pad < 3; pad++) { /* “é” is two bytes: one of two paddings puts the limit inside of one */
        memset(text, 'x', pad);
        for (size_t i = pad; i + 2 < sizeof text; i += 2) memcpy(text + i, "\xC3\xA9", 3);
        frz__event(r.t->t->db, NULL, FRZ_EVENT_HEALTH, &(struct event_info){.message = text, .reason = text});
        look(&r, 0, &s);
        size_t n = strlen(s.message[FRZ_EVENT_HEALTH]), m = strlen(s.reason[FRZ_EVENT_HEALTH]);
        assert_true(n >= EVENT_MESSAGE_BYTES - 2 && n < EVENT_MESSAGE_BYTES && (n - pad) % 2 == 0);
        assert_true(m >= EVENT_REASON_BYTES - 2 && m < EVENT_REASON_BYTES && (m - pad) % 2 == 0);
    }
    rig_clear(&r);
}

TEST(event, each_kind_has_a_name_of_its_own)
{
    for (int i = FRZ_EVENT_OPEN; i <= FRZ_EVENT_LOG_TROUBLE; i++)
        for (int k = 0; k < i; k++) assert_string_not_equal(frz_event_name(i), frz_event_name(k));
    assert_string_equal(frz_event_name(FRZ_EVENT_LOG_TROUBLE), "log-trouble");
    assert_string_equal(frz_event_name(-1), "unknown");
    assert_string_equal(frz_event_name(10000), "unknown");
}

/* ── the callback ── */

struct listener { pthread_mutex_t mu; struct rig *r; size_t count; uint64_t last, gaps; int closed_rc, written_rc, flushed_rc; bool act, out_of_order; _Atomic bool hold; _Atomic size_t opened, closed; };
static void listen(void *ctx, const frz_event *e)
{
    struct listener *l = (struct listener *)ctx;
    pthread_mutex_lock(&l->mu);
    l->count++;
    if (e->number <= l->last) l->out_of_order = true;
    l->gaps += e->number - l->last - 1;
    l->last = e->number;
    bool act = l->act && e->kind == FRZ_EVENT_FLUSH_END;
    if (act) l->act = false;
    pthread_mutex_unlock(&l->mu);
    if (e->kind == FRZ_EVENT_OPEN) atomic_fetch_add(&l->opened, 1);
    if (e->kind == FRZ_EVENT_CLOSE) atomic_fetch_add(&l->closed, 1);
    while (atomic_load(&l->hold)) { /* until the test lets go */ }
    if (!act) return;
    frz_error err;
    l->closed_rc = frz_db_close(l->r->db, &err);
    l->written_rc = table_put(l->r->t, 1000, "from the callback", &err);
    l->flushed_rc = frz_table_flush(l->r->t, &err);
}
static struct listener listener_init(struct rig *r) { return (struct listener){.mu = PTHREAD_MUTEX_INITIALIZER, .r = r}; }

TEST(event, the_callback_has_all_in_order_by_the_end_of_close)
{
    struct rig r;
    struct listener l = listener_init(&r);
    rig_init(&r, listen, &l);
    for (int64_t i = 0; i < 20; i++) {
        put(r.t, i);
        OK(frz_table_flush(r.t, &r.e), &r.e);
    }
    rig_clear(&r);
    assert_int_equal(l.gaps, 0);
    assert_false(l.out_of_order);
    assert_int_equal(atomic_load(&l.opened), 1);
    assert_int_equal(atomic_load(&l.closed), 1);
    assert_true(l.count >= 20 * 3);
}

TEST(event, the_callback_may_write_and_flush_but_not_close)
{
    struct rig r;
    struct listener l = listener_init(&r);
    l.act = true;
    rig_init(&r, listen, &l);
    put(r.t, 1);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    for (bool acted = false; !acted;) { /* what it wrote is told too */
        static struct seen s;
        look(&r, 0, &s);
        size_t flushes = 0;
        for (size_t i = 0; i < s.count; i++) flushes += s.kinds[i] == FRZ_EVENT_FLUSH_END;
        acted = flushes == 2;
    }
    table_has(r.t, 1000, "from the callback");
    rig_clear(&r);
    assert_int_equal(l.closed_rc, FRZ_MISUSE);
    assert_int_equal(l.written_rc, FRZ_OK);
    assert_int_equal(l.flushed_rc, FRZ_OK);
}

TEST(event, a_slow_callback_holds_up_nobody_and_sees_a_gap)
{
    struct rig r;
    struct listener l = listener_init(&r);
    atomic_store(&l.hold, true);
    rig_init(&r, listen, &l);
    for (int64_t i = 0; i < 200; i++) { /* three events each: beyond what the ring keeps */
        put(r.t, i % 10);
        OK(frz_table_flush(r.t, &r.e), &r.e);
    }
    atomic_store(&l.hold, false);
    rig_clear(&r);
    assert_true(l.gaps > 0);
    assert_false(l.out_of_order);
    assert_int_equal(atomic_load(&l.closed), 1);
}

TEST(event, a_reader_is_told_of_a_broken_table)
{
    struct rig r;
    static struct seen s;
    rig_init(&r, NULL, NULL);
    OK(frz_db_close(r.db, &r.e), &r.e);
    OK(frz__fs_unlink(r.fs, "main/t/metadata/version-hint.text", &r.e), &r.e);
    struct file *f;
    OK(frz__fs_open(r.fs, "main/t/metadata/v1.metadata.json", FS_OPEN_WRITE, &f, &r.e), &r.e);
    OK(frz__file_write(f, 0, "{}  ", 4, &r.e), &r.e);
    OK(frz__file_close(f, &r.e), &r.e);
    r.o.create = false;
    r.o.read_only = true;
    OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
    look(&r, 0, &s);
    assert_string_equal(s.table[FRZ_EVENT_TABLE_BROKEN], "main.t");
    assert_true(s.last_of[FRZ_EVENT_TABLE_BROKEN].status < 0 && s.message[FRZ_EVENT_TABLE_BROKEN][0]);
    rig_clear(&r);
}

/* ── close ── */

struct busy { struct rig *r; _Atomic bool inside, closing; _Atomic uint64_t rounds, wrong; bool flushes; };
/* Uses the database for as long as it may, from the first flush on. */
static void be_busy(void *ctx, const frz_event *e)
{
    struct busy *b = (struct busy *)ctx;
    if (e->kind != FRZ_EVENT_FLUSH_END || atomic_exchange(&b->inside, true)) return;
    for (int after = 0; after < 50; after += atomic_load(&b->closing)) { /* and on while it is being closed */
        frz_error err;
        frz_blob *text = NULL;
        int rc = b->flushes ? table_put(b->r->t, 1 + (int64_t)(atomic_load(&b->rounds) % 100), "v", &err) : frz_db_report(b->r->db, &text, &err);
        if (rc == FRZ_OK && b->flushes) rc = frz_table_flush(b->r->t, &err);
        if (text) frz_blob_free(text);
        if (rc != FRZ_OK) atomic_fetch_add(&b->wrong, 1);
        atomic_fetch_add(&b->rounds, 1);
        usleep(1000);
    }
}

TEST(event, close_waits_for_the_callback_that_uses_the_database)
{
    for (int flushes = 0; flushes < 2; flushes++) {
        struct rig r;
        struct busy b = {.r = &r, .flushes = flushes};
        rig_init(&r, be_busy, &b);
        put(r.t, 1000);
        OK(frz_table_flush(r.t, &r.e), &r.e);
        while (atomic_load(&b.rounds) < 3) usleep(1000);
        atomic_store(&b.closing, true);
        rig_clear(&r);
        assert_true(atomic_load(&b.rounds) >= 50);
        assert_int_equal(atomic_load(&b.wrong), 0);
    }
}
