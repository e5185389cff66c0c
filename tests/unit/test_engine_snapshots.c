/* Goal: what is published can be named, listed, read at any time that is known, kept and expired, and a table goes from format 2 to 3 with all that. Method: a small table with a value a round; the clock
 * is the test's. */
#include "frz_test.h"

#include <stdio.h>
#include <string.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/rand.h"
#include "table_kit.h"

#define ROWS 40
#define MINUTE INT64_C(60000)

struct rig {
    struct fs *fs; /* in memory */
    frz_db *db;
    frz_table *t;
    frz_error e;
};

static void rig_open(struct rig *r, bool read_only)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = !read_only;
    o.read_only = read_only;
    o.durability = FRZ_SYNC_OFF;
    OK(frz__test_db_open(r->fs, &o, &r->db, &r->e), &r->e);
}
static void rig_init(struct rig *r, int format, const char *key, const char *value)
{
    frz_schema *s;
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    const char *keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", key}, *values[] = {"0", "0", value};
    *r = (struct rig){.db = NULL};
    OK(frz__fs_mem_new(NULL, &r->fs, &r->e), &r->e);
    rig_open(r, false);
    o.format_version = format;
    o.property_keys = keys;
    o.property_values = values;
    o.property_count = key ? 3 : 2;
    OK(frz_schema_parse("id long, v string?", "id", &s, &r->e), &r->e);
    OK(frz_table_create(r->db, "t", s, &o, &r->t, &r->e), &r->e);
    frz_schema_free(s);
}
static void rig_reopen(struct rig *r, bool read_only)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    rig_open(r, read_only);
    OK(frz_table_open(r->db, "t", &r->t, &r->e), &r->e);
}
static void rig_clear(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}

static int64_t now_ms(void) { return frz__clock_wall_us() / 1000; }
static void pass(int64_t ms) { frz__test_clock_advance_ns(ms * 1000000); }

/* Every row says N; published. The id of the snapshot. */
static int keep_current(void *ctx, const frz_snapshot_info *i)
{
    if (i->current) *(int64_t *)ctx = i->snapshot_id;
    return 0;
}
static int64_t current(struct rig *r)
{
    int64_t id = 0;
    OK(frz_table_snapshots(r->t, keep_current, &id, &r->e), &r->e);
    return id;
}
static int64_t round_of(struct rig *r, int n)
{
    char v[16];
    snprintf(v, sizeof v, "%d", n);
    for (int64_t i = 0; i < ROWS; i++) RC(table_put(r->t, i, v, &r->e), FRZ_OK, &r->e);
    OK(frz_table_flush(r->t, &r->e), &r->e);
    return current(r);
}

static int add_id(void *ctx, const frz_snapshot_info *i)
{
    char *out = (char *)ctx;
    size_t n = strlen(out);
    snprintf(out + n, 1000 - n, "%s%lld", n ? " " : "", (long long)i->sequence_number);
    return 0;
}
/* Sequence numbers of what is retained, or of what an expiry told. */
static const char *retained(struct rig *r)
{
    static char out[1000];
    *out = 0;
    OK(frz_table_snapshots(r->t, add_id, out, &r->e), &r->e);
    return out;
}
static const char *expire(struct rig *r, const frz_expire_options *o)
{
    static char out[1000];
    *out = 0;
    OK(frz_table_expire(r->t, o, add_id, out, &r->e), &r->e);
    return out;
}

/* S says N in every row, by each way of reading. Closes S. */
static void says(struct rig *r, frz_snapshot *s, int n)
{
    char v[16];
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    struct ArrowArrayStream stream;
    uint64_t count = 0;
    frz_cursor *c;
    const frz_row *row;
    frz_row *got;
    frz_value key = {.type = FRZ_LONG, .as.i64 = ROWS - 1};
    size_t len;
    int rc;
    snprintf(v, sizeof v, "%d", n);
    OK(frz_row_new(r->t, &got, &r->e), &r->e);
    OK(frz_get(r->t, s, &key, 1, got, &r->e), &r->e);
    const char *bytes = frz_row_bytes(got, 1, &len);
    assert_int_equal(len, strlen(v));
    assert_memory_equal(bytes, v, len);
    frz_row_free(got);
    o.snapshot = s;
    OK(frz_count(r->t, &o, &count, &r->e), &r->e);
    assert_int_equal(count, ROWS);
    OK(frz_scan(r->t, &o, &c, &r->e), &r->e);
    for (count = 0; (rc = frz_cursor_next(c, &row, &r->e)) == FRZ_OK; count++) {
        const char *b = frz_row_bytes(row, 1, &len);
        assert_int_equal(len, strlen(v));
        assert_memory_equal(b, v, len);
    }
    RC(rc, FRZ_DONE, &r->e);
    assert_int_equal(count, ROWS);
    frz_cursor_close(c);
    OK(frz_scan_arrow(r->t, &o, &stream, &r->e), &r->e);
    for (count = 0;;) {
        struct ArrowArray a;
        assert_int_equal(stream.get_next(&stream, &a), 0);
        if (!a.release) break;
        count += (uint64_t)a.length;
        a.release(&a);
    }
    stream.release(&stream);
    assert_int_equal(count, ROWS);
    frz_snapshot_close(s);
}
static frz_snapshot *by_id(struct rig *r, int64_t id)
{
    frz_snapshot *s;
    OK(frz_snapshot_open_published(r->t, id, &s, &r->e), &r->e);
    assert_int_equal(frz_snapshot_id(s), id);
    return s;
}
static frz_snapshot *by_ref(struct rig *r, const char *name)
{
    frz_snapshot *s;
    OK(frz_snapshot_open_ref(r->t, name, &s, &r->e), &r->e);
    return s;
}
static frz_snapshot *by_time(struct rig *r, int64_t ms)
{
    frz_snapshot *s;
    OK(frz_snapshot_open_at(r->t, ms, &s, &r->e), &r->e);
    return s;
}
static void verify(struct rig *r)
{
    frz_verify_report report = {.struct_size = sizeof report};
    OK(frz_verify(r->db, NULL, NULL, NULL, &report, &r->e), &r->e);
    assert_int_equal(report.findings, 0);
}
static void tag(struct rig *r, const char *name, int64_t id, int64_t age)
{
    frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
    o.snapshot_id = id;
    o.max_ref_age_ms = age;
    OK(frz_table_tag(r->t, name, &o, &r->e), &r->e);
}

/* ── tags ── */

static int add_ref(void *ctx, const frz_ref_info *i)
{
    char *out = (char *)ctx;
    size_t n = strlen(out);
    snprintf(out + n, 1000 - n, "%s%s %s %lld %lld", n ? ", " : "", i->is_tag ? "tag" : "branch", i->name, (long long)i->snapshot_id, (long long)i->max_ref_age_ms);
    assert_true(i->snapshot_timestamp_ms > 0);
    return 0;
}
static void refs_are(struct rig *r, const char *fmt, ...)
{
    char want[1000], got[1000] = "";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(want, sizeof want, fmt, ap);
    va_end(ap);
    OK(frz_table_refs(r->t, add_ref, got, &r->e), &r->e);
    assert_string_equal(got, want);
}

TEST(engine_snapshots, a_tag_is_set_replaced_and_deleted_and_outlives_a_reopening)
{
    for (int format = 2; format <= 3; format++) {
        struct rig r;
        frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
        rig_init(&r, format, NULL, NULL);
        RC(frz_table_tag(r.t, "early", NULL, &r.e), FRZ_INVALID, &r.e); /* nothing is published yet */
        refs_are(&r, "%s", "");
        long long a = round_of(&r, 1), b = round_of(&r, 2);
        OK(frz_table_tag(r.t, "now", NULL, &r.e), &r.e);
        tag(&r, "ein Schild", a, 5000);
        refs_are(&r, "branch main %lld 0, tag now %lld 0, tag ein Schild %lld 5000", b, b, a);
        o.no_replace = true;
        RC(frz_table_tag(r.t, "now", &o, &r.e), FRZ_EXISTS, &r.e);
        tag(&r, "now", a, 0);
        tag(&r, "ein Schild", b, 0); /* wholly anew: the age is gone */
        refs_are(&r, "branch main %lld 0, tag now %lld 0, tag ein Schild %lld 0", b, a, b);
        rig_reopen(&r, false);
        says(&r, by_ref(&r, "now"), 1);
        says(&r, by_ref(&r, "ein Schild"), 2);
        says(&r, by_ref(&r, "main"), 2);
        o = (frz_tag_options)FRZ_TAG_OPTIONS_INIT;
        o.remove = true;
        OK(frz_table_tag(r.t, "now", &o, &r.e), &r.e);
        RC(frz_table_tag(r.t, "now", &o, &r.e), FRZ_NOT_FOUND, &r.e);
        refs_are(&r, "branch main %lld 0, tag ein Schild %lld 0", b, b);
        frz_snapshot *s;
        RC(frz_snapshot_open_ref(r.t, "now", &s, &r.e), FRZ_NOT_FOUND, &r.e);
        assert_null(s);
        verify(&r);
        rig_clear(&r);
    }
}

TEST(engine_snapshots, what_is_no_tag_is_refused_and_nothing_is_written)
{
    struct rig r;
    rig_init(&r, 2, NULL, NULL);
    int64_t a = round_of(&r, 1);
    char name[300];
    memset(name, 'x', sizeof name);
    name[256] = 0;
    const frz_tag_options plain = FRZ_TAG_OPTIONS_INIT;
    frz_tag_options o = plain;
    static const char *const bad[] = {"", "main", "a\nb", "\xff"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++) RC(frz_table_tag(r.t, bad[i], NULL, &r.e), FRZ_INVALID, &r.e);
    RC(frz_table_tag(r.t, name, NULL, &r.e), FRZ_INVALID, &r.e);
    RC(frz_table_tag(r.t, NULL, NULL, &r.e), FRZ_INVALID, &r.e);
    o.snapshot_id = a + 1;
    RC(frz_table_tag(r.t, "t", &o, &r.e), FRZ_NOT_FOUND, &r.e);
    o.snapshot_id = -1;
    RC(frz_table_tag(r.t, "t", &o, &r.e), FRZ_INVALID, &r.e);
    o = plain;
    o.max_ref_age_ms = -1;
    RC(frz_table_tag(r.t, "t", &o, &r.e), FRZ_INVALID, &r.e);
    o = plain;
    o.remove = true;
    o.snapshot_id = a;
    RC(frz_table_tag(r.t, "t", &o, &r.e), FRZ_INVALID, &r.e);
    refs_are(&r, "branch main %lld 0", (long long)a);
    rig_reopen(&r, true);
    RC(frz_table_tag(r.t, "t", NULL, &r.e), FRZ_READ_ONLY, &r.e);
    rig_clear(&r);
}

TEST(engine_snapshots, hazard_36_a_tag_keeps_its_snapshot_beside_the_cap_until_its_age)
{
    struct rig r;
    rig_init(&r, 2, "frazil.snapshots-max", "3");
    int64_t a = round_of(&r, 1);
    tag(&r, "first", a, 60 * MINUTE);
    for (int i = 2; i <= 10; i++) round_of(&r, i);
    assert_string_equal(retained(&r), "1 8 9 10");
    says(&r, by_ref(&r, "first"), 1);
    verify(&r);
    pass(61 * MINUTE);
    round_of(&r, 11);
    assert_null(strstr(retained(&r), "1 9"));
    frz_snapshot *s;
    RC(frz_snapshot_open_ref(r.t, "first", &s, &r.e), FRZ_NOT_FOUND, &r.e);
    verify(&r);
    rig_clear(&r);
}

TEST(engine_snapshots, a_tag_that_is_older_than_it_may_be_is_refused_with_both_ages)
{
    struct rig r;
    frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
    rig_init(&r, 2, "history.expire.max-ref-age-ms", "600000");
    int64_t a = round_of(&r, 1);
    pass(5 * MINUTE);
    int64_t b = round_of(&r, 2);
    o.snapshot_id = a;
    o.max_ref_age_ms = MINUTE;
    int64_t version = r.t->t->version->number;
    FAILS(frz_table_tag(r.t, "old", &o, &r.e), FRZ_INVALID, &r.e); /* by its own age, */
    MESSAGE_HAS(&r.e, "tag old would go at once");
    MESSAGE_HAS(&r.e, " ms old, and the tag's max-ref-age-ms is 60000");
    tag(&r, "old", a, 20 * MINUTE);
    tag(&r, "by the table", a, 0);
    pass(6 * MINUTE);
    o.max_ref_age_ms = 0;
    FAILS(frz_table_tag(r.t, "later", &o, &r.e), FRZ_INVALID, &r.e); /* by the table's */
    MESSAGE_HAS(&r.e, "history.expire.max-ref-age-ms is 600000");
    assert_int_equal(r.t->t->version->number, version + 2); /* what is refused is not committed */
    o.max_ref_age_ms = MINUTE;
    FAILS(frz_table_tag(r.t, "old", &o, &r.e), FRZ_INVALID, &r.e); /* nor is one that is there made older than it may be */
    refs_are(&r, "branch main %lld 0, tag old %lld 1200000, tag by the table %lld 0", (long long)b, (long long)a, (long long)a);
    round_of(&r, 3);
    tag(&r, "now", 0, 1000);
    verify(&r);
    rig_clear(&r);
}

/* ── times ── */

TEST(engine_snapshots, a_time_gives_what_was_current_then_or_says_what_is_known)
{
    struct rig r;
    frz_snapshot *s;
    int64_t at[6], before = now_ms() - 1;
    rig_init(&r, 2, "history.expire.max-snapshot-age-ms", "600000");
    RC(frz_snapshot_open_at(r.t, before, &s, &r.e), FRZ_NOT_FOUND, &r.e);
    for (int i = 0; i < 6; i++) {
        pass(MINUTE);
        round_of(&r, i);
        at[i] = now_ms();
    }
    for (int i = 0; i < 6; i++) says(&r, by_time(&r, at[i] + MINUTE / 2), i);
    says(&r, by_time(&r, INT64_MAX), 5);
    RC(frz_snapshot_open_at(r.t, before, &s, &r.e), FRZ_NOT_FOUND, &r.e);
    assert_non_null(strstr(r.e.message, "earliest"));
    RC(frz_snapshot_open_at(r.t, INT64_MIN, &s, &r.e), FRZ_NOT_FOUND, &r.e);
    /* snapshot 2 goes: what was current then is not known, and nobody says that it was snapshot 1; of the others it still is, the first included, which 1 followed */
    frz_expire_options o = FRZ_EXPIRE_OPTIONS_INIT;
    int64_t two;
    s = by_time(&r, at[2]);
    two = frz_snapshot_id(s);
    frz_snapshot_close(s);
    o.snapshot_ids = &two;
    o.snapshot_id_count = 1;
    assert_string_equal(expire(&r, &o), "3");
    RC(frz_snapshot_open_at(r.t, at[2] + MINUTE / 2, &s, &r.e), FRZ_NOT_FOUND, &r.e);
    assert_non_null(strstr(r.e.message, "not retained"));
    RC(frz_snapshot_open_at(r.t, at[1] + MINUTE / 2, &s, &r.e), FRZ_NOT_FOUND, &r.e); /* until when it was current is not known */
    says(&r, by_time(&r, at[0] + MINUTE / 2), 0);
    says(&r, by_time(&r, at[3]), 3);
    rig_reopen(&r, true);
    says(&r, by_time(&r, at[4]), 4);
    rig_clear(&r);
}

/* ── expiry ── */

TEST(engine_snapshots, expiry_on_demand_goes_by_time_count_and_id_and_a_dry_run_only_says_so)
{
    struct rig r;
    const frz_expire_options plain = FRZ_EXPIRE_OPTIONS_INIT;
    frz_expire_options o = plain;
    int64_t ids[8], at[8];
    rig_init(&r, 2, "history.expire.max-snapshot-age-ms", "86400000");
    for (int i = 0; i < 8; i++) {
        pass(MINUTE);
        ids[i] = round_of(&r, i);
        at[i] = now_ms();
    }
    assert_string_equal(expire(&r, NULL), ""); /* by the table's rules: they ran with each publish */
    o.by_time = true;
    o.older_than_ms = at[2] + MINUTE / 2;
    o.dry_run = true;
    assert_string_equal(expire(&r, &o), ""); /* a new table keeps eight */
    o.keep_last = 1;
    assert_string_equal(expire(&r, &o), "1 2 3");
    assert_string_equal(retained(&r), "1 2 3 4 5 6 7 8");
    tag(&r, "second", ids[1], 0);
    o.dry_run = false;
    assert_string_equal(expire(&r, &o), "1 3");
    assert_string_equal(retained(&r), "2 4 5 6 7 8");
    o.older_than_ms = INT64_MAX;
    o.keep_last = 4;
    assert_string_equal(expire(&r, &o), "4");
    o = plain;
    o.snapshot_ids = &ids[5];
    o.snapshot_id_count = 1;
    assert_string_equal(expire(&r, &o), "6");
    RC(frz_table_expire(r.t, &o, NULL, NULL, &r.e), FRZ_NOT_FOUND, &r.e);
    o.snapshot_ids = &ids[1];
    RC(frz_table_expire(r.t, &o, NULL, NULL, &r.e), FRZ_INVALID, &r.e);
    assert_non_null(strstr(r.e.message, "tag second"));
    o.snapshot_ids = &ids[7];
    RC(frz_table_expire(r.t, &o, NULL, NULL, &r.e), FRZ_INVALID, &r.e);
    assert_non_null(strstr(r.e.message, "branch main"));
    assert_string_equal(retained(&r), "2 5 7 8");
    o = plain;
    o.older_than_ms = 5;
    RC(frz_table_expire(r.t, &o, NULL, NULL, &r.e), FRZ_INVALID, &r.e);
    o = plain;
    o.keep_last = -1;
    RC(frz_table_expire(r.t, &o, NULL, NULL, &r.e), FRZ_INVALID, &r.e);
    says(&r, by_id(&r, ids[1]), 1);
    says(&r, by_id(&r, ids[4]), 4);
    verify(&r);
    rig_reopen(&r, true);
    o = plain;
    o.by_time = o.dry_run = true;
    o.older_than_ms = INT64_MAX;
    o.keep_last = 1;
    assert_string_equal(expire(&r, &o), "5 7"); /* of a reader, too */
    o.dry_run = false;
    RC(frz_table_expire(r.t, &o, NULL, NULL, &r.e), FRZ_READ_ONLY, &r.e);
    rig_clear(&r);
}

TEST(engine_snapshots, those_that_are_named_go_alone_whatever_the_rules_would_take)
{
    struct rig r;
    frz_expire_options o = FRZ_EXPIRE_OPTIONS_INIT;
    int64_t ids[6];
    rig_init(&r, 2, "history.expire.max-snapshot-age-ms", "86400000");
    for (int i = 0; i < 6; i++) ids[i] = round_of(&r, i);
    tag(&r, "soon", ids[4], 2 * MINUTE);
    OK(frz_table_set_property(r.t, "history.expire.min-snapshots-to-keep", "1", &r.e), &r.e);
    pass(3 * 86400000ll); /* by the rules the last one alone would stay, and the tag would go */
    o.snapshot_ids = &ids[2];
    o.snapshot_id_count = 1;
    o.dry_run = true;
    assert_string_equal(expire(&r, &o), "3");
    o.dry_run = false;
    assert_string_equal(expire(&r, &o), "3");
    assert_string_equal(retained(&r), "1 2 4 5 6");
    refs_are(&r, "branch main %lld 0, tag soon %lld 120000", (long long)ids[5], (long long)ids[4]);
    o.snapshot_ids = ids;
    o.snapshot_id_count = 2;
    assert_string_equal(expire(&r, &o), "1 2");
    assert_string_equal(expire(&r, NULL), "4 5");
    refs_are(&r, "branch main %lld 0", (long long)ids[5]);
    verify(&r);
    rig_clear(&r);
}

/* How many of a snapshot's files there are by their names: a file that is open can be read without one, so rows alone do not tell. */
struct names { struct fs *fs; int there, gone; };
static int on_name(void *ctx, const frz_file_info *i)
{
    struct names *n = (struct names *)ctx;
    struct file *f;
    frz_error e;
    int rc = frz__fs_open(n->fs, i->path, FS_OPEN_READ, &f, &e);
    if (rc == FRZ_OK) OK(frz__file_close(f, &e), &e);
    if (rc == FRZ_OK) n->there++;
    else n->gone++;
    return 0;
}

TEST(engine_snapshots, hazard_20_a_reader_of_an_expired_snapshot_goes_on)
{
    struct rig r;
    struct names names = {0};
    rig_init(&r, 2, "frazil.snapshots-max", "1");
    int64_t a = round_of(&r, 1);
    frz_snapshot *s = by_id(&r, a), *t;
    for (int i = 2; i < 6; i++) {
        round_of(&r, i); /* replaces every row: the files of before go at once, without a grace */
        pass(2000);
    }
    RC(frz_snapshot_open_published(r.t, a, &t, &r.e), FRZ_NOT_FOUND, &r.e);
    names.fs = r.fs;
    OK(frz_table_files(r.t, s, on_name, &names, &r.e), &r.e);
    assert_true(names.there > 0);
    assert_int_equal(names.gone, 0);
    says(&r, s, 1);
    rig_clear(&r);
}

TEST(engine_snapshots, hazard_37_files_go_with_the_last_snapshot_or_tag_that_needs_them)
{
    struct rig r;
    frz_tag_options gone = FRZ_TAG_OPTIONS_INIT;
    gone.remove = true;
    rig_init(&r, 2, "frazil.snapshots-max", "1");
    int64_t a = round_of(&r, 1);
    tag(&r, "a", a, 0);
    for (int i = 2; i < 6; i++) round_of(&r, i);
    struct table *t = r.t->t;
    frz__mutex_lock(&t->flush_mu);
    while (frz__expire_run(t)) {} /* a round ends by its time */
    while (frz__expire_run(t)) {} /* a round ends by its time */
    frz__mutex_unlock(&t->flush_mu);
    says(&r, by_ref(&r, "a"), 1);
    verify(&r);
    OK(frz_table_tag(r.t, "a", &gone, &r.e), &r.e);
    frz__mutex_lock(&t->flush_mu);
    while (frz__expire_run(t)) {} /* a round ends by its time */
    while (frz__expire_run(t)) {} /* a round ends by its time */
    size_t left = t->pending_count;
    frz__mutex_unlock(&t->flush_mu);
    assert_int_equal(left, 0);
    verify(&r);
    rig_clear(&r);
}

/* ── the ladder ── */

TEST(engine_snapshots, a_ladder_thins_out_what_it_keeps_and_goes_over_age)
{
    struct rig r;
    const char *keys[] = {"frazil.retention", "frazil.snapshots-max", "history.expire.min-snapshots-to-keep", "history.expire.max-snapshot-age-ms"};
    const char *values[] = {"all:2, 10m:3, 1h:4", "9", "1", "1"};
    rig_init(&r, 2, NULL, NULL);
    RC(frz_table_set_property(r.t, keys[0], "all:2, 1h:31", &r.e), FRZ_INVALID, &r.e); /* more than frazil.snapshots-max */
    assert_non_null(strstr(r.e.message, "frazil.snapshots-max"));
    OK(frz_table_set_properties(r.t, keys, values, 4, &r.e), &r.e);
    RC(frz_table_set_property(r.t, keys[1], "8", &r.e), FRZ_INVALID, &r.e);
    RC(frz_table_set_property(r.t, keys[1], NULL, &r.e), FRZ_OK, &r.e); /* then it is 32 */
    pass(3600000 - now_ms() % 3600000); /* the full hour: slots begin with it */
    int64_t begin = now_ms();
    for (int i = 0; i < 300; i++) { /* five hours, a snapshot a minute */
        round_of(&r, i);
        pass(begin + (i + 1) * MINUTE - now_ms());
    }
    /* sequence number = minute + 1: the last two; 4:59, 4:49, 4:39; the ends of the hours 4, 3, 2, 1 */
    assert_string_equal(retained(&r), "120 180 240 280 290 299 300");
    pass(400 * 86400000ll); /* a year of silence: the clock expires nothing */
    OK(frz_table_tag(r.t, "x", NULL, &r.e), &r.e);
    assert_string_equal(retained(&r), "120 180 240 280 290 299 300");
    verify(&r);
    frz_expire_options o = FRZ_EXPIRE_OPTIONS_INIT;
    o.by_time = true;
    o.older_than_ms = begin + 240 * MINUTE;
    assert_string_equal(expire(&r, &o), "120 180 240"); /* a time that is asked for goes over the ladder */
    rig_clear(&r);
}

/* ── the columns of its time ── */

/* As another engine adds a column: metadata alone, found at the next open. */
static void add_column(struct rig *r)
{
    struct version *v = frz__version_acquire(r->t->t);
    frz_schema *now = frz__ice_schema(v->meta, v->meta->current_schema_id), *next;
    frz_column c = FRZ_INIT(frz_column);
    OK(frz_schema_parse("id long, v string?", "id", &next, &r->e), &r->e);
    c.name = "w";
    c.type.id = FRZ_LONG;
    OK(frz_schema_add(next, &c, &r->e), &r->e);
    OK(frz__schema_seal(next, true, &r->e), &r->e);
    next->schema_id = now->schema_id + 1;
    const struct ice_edit edit = {.no_snapshot = true, .schema = next};
    OK(frz__table_edit(r->t->t, &edit, NULL, NULL, NULL, &r->e), &r->e);
    frz_schema_free(next);
    frz__version_release(v);
    rig_reopen(r, false);
}
static void columns_are(struct rig *r, frz_snapshot *s, size_t count)
{
    frz_schema *schema;
    if (s) OK(frz_snapshot_schema(s, r->t, &schema, &r->e), &r->e);
    else OK(frz_table_schema(r->t, &schema, &r->e), &r->e);
    assert_int_equal(frz_schema_column_count(schema), count);
    frz_schema_free(schema);
}

TEST(engine_snapshots, a_snapshot_is_read_by_the_columns_of_its_time)
{
    struct rig r;
    frz_schema *then;
    frz_row *row, *other;
    frz_value key = {.type = FRZ_LONG, .as.i64 = 3};
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c;
    const frz_row *at;
    uint64_t n;
    size_t third = 2;
    rig_init(&r, 2, NULL, NULL);
    int64_t a = round_of(&r, 1);
    OK(frz_table_tag(r.t, "a", NULL, &r.e), &r.e);
    add_column(&r);
    columns_are(&r, NULL, 3);
    frz_snapshot *s = by_ref(&r, "a");
    assert_int_equal(frz_snapshot_id(s), a);
    columns_are(&r, s, 2);
    o.snapshot = s;
    OK(frz_snapshot_schema(s, r.t, &then, &r.e), &r.e);
    OK(frz_row_new_schema(then, &row, &r.e), &r.e);
    OK(frz_row_new(r.t, &other, &r.e), &r.e);
    OK(frz_get(r.t, s, &key, 1, row, &r.e), &r.e);
    assert_int_equal(frz_row_column_count(row), 2);
    RC(frz_get(r.t, s, &key, 1, other, &r.e), FRZ_INVALID, &r.e); /* a row of other columns */
    RC(frz_get(r.t, NULL, &key, 1, row, &r.e), FRZ_INVALID, &r.e);
    OK(frz_get(r.t, NULL, &key, 1, other, &r.e), &r.e);
    assert_true(frz_row_is_null(other, 2));
    OK(frz_scan(r.t, &o, &c, &r.e), &r.e);
    OK(frz_cursor_next(c, &at, &r.e), &r.e);
    assert_int_equal(frz_row_column_count(at), 2);
    frz_cursor_close(c);
    o.where = "w = 1";
    FAILS(frz_count(r.t, &o, &n, &r.e), FRZ_INVALID, &r.e);
    o.where = NULL;
    o.columns = &third;
    o.column_count = 1;
    FAILS(frz_scan(r.t, &o, &c, &r.e), FRZ_INVALID, &r.e);
    OK(frz_row_set_long(other, 0, 3, &r.e), &r.e); /* and the table goes on with three */
    OK(frz_row_set_long(other, 2, 33, &r.e), &r.e);
    OK(frz_put(r.t, other, NULL, &r.e), &r.e);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    OK(frz_get(r.t, s, &key, 1, row, &r.e), &r.e);
    frz_snapshot_close(s);
    s = by_id(&r, current(&r));
    columns_are(&r, s, 3);
    frz_snapshot_close(s);
    s = by_id(&r, a);
    columns_are(&r, s, 2);
    frz_snapshot_close(s);
    frz_schema_free(then);
    frz_row_free(row);
    frz_row_free(other);
    verify(&r);
    rig_clear(&r);
}

/* ── properties ── */

static int64_t version_of(struct rig *r)
{
    struct version *v = frz__version_acquire(r->t->t);
    int64_t n = v->number;
    frz__version_release(v);
    return n;
}
static void property_is(struct rig *r, const char *key, const char *value)
{
    frz_blob *b = NULL;
    RC(frz_table_property(r->t, key, &b, &r->e), value ? FRZ_OK : FRZ_NOT_FOUND, &r->e);
    if (value) assert_string_equal(frz_blob_data(b), value);
    frz_blob_free(b);
}

TEST(engine_snapshots, several_properties_are_one_commit_all_or_none)
{
    struct rig r;
    const char *keys[] = {"frazil.filter-bits-per-key", "owner", "comment"}, *values[] = {"12", "me", "words"};
    rig_init(&r, 2, NULL, NULL);
    int64_t before = version_of(&r);
    OK(frz_table_set_properties(r.t, keys, values, 3, &r.e), &r.e);
    assert_int_equal(version_of(&r), before + 1);
    property_is(&r, "owner", "me");
    values[0] = "33"; /* out of bounds */
    values[1] = "you";
    RC(frz_table_set_properties(r.t, keys, values, 3, &r.e), FRZ_INVALID, &r.e);
    property_is(&r, "owner", "me");
    values[0] = NULL;
    values[1] = NULL;
    values[2] = "other words";
    OK(frz_table_set_properties(r.t, keys, values, 3, &r.e), &r.e);
    property_is(&r, "owner", NULL);
    property_is(&r, "frazil.filter-bits-per-key", "10"); /* the default */
    property_is(&r, "comment", "other words");
    keys[1] = "comment";
    RC(frz_table_set_properties(r.t, keys, values, 3, &r.e), FRZ_INVALID, &r.e); /* twice */
    keys[1] = "frazil.flushed";
    RC(frz_table_set_properties(r.t, keys, values, 3, &r.e), FRZ_INVALID, &r.e);
    keys[1] = NULL;
    RC(frz_table_set_properties(r.t, keys, values, 3, &r.e), FRZ_INVALID, &r.e);
    assert_int_equal(version_of(&r), before + 2);
    OK(frz_table_set_properties(r.t, NULL, NULL, 0, &r.e), &r.e);
    assert_int_equal(version_of(&r), before + 2);
    rig_clear(&r);
}

/* ── the upgrade ── */

static int count_deletes(void *ctx, const frz_file_info *i)
{
    ((int *)ctx)[strcmp(i->format, "PUFFIN") == 0] += i->content != 0;
    return 0;
}
static void deletes_are(struct rig *r, int position_files, int vectors)
{
    int n[2] = {0, 0};
    OK(frz_table_files(r->t, NULL, count_deletes, n, &r->e), &r->e);
    assert_int_equal(n[0], position_files);
    assert_int_equal(n[1], vectors);
}
/* What does not pack well: a file of it is not small, and not absorbed by the next flush. */
static const char *noise(int64_t id)
{
    static char v[201];
    struct rng rng = {(uint64_t)id};
    for (size_t i = 0; i + 1 < sizeof v; i++) v[i] = (char)('0' + rng_below(&rng, 70));
    return v;
}
/* V NULL: noise */
static void put_range(struct rig *r, int64_t from, int64_t to, const char *v)
{
    for (int64_t i = from; i < to; i++) RC(table_put(r->t, i, v ? v : noise(i), &r->e), FRZ_OK, &r->e);
    OK(frz_table_flush(r->t, &r->e), &r->e);
}
static void no_row_id_twice(struct rig *r, int64_t *next_row_id)
{
    struct version *v = frz__version_acquire(r->t->t);
    OK(frz__ice_tree_check(NULL, v->meta, &v->tree, &r->e), &r->e);
    assert_int_equal(v->meta->format_version, 3);
    *next_row_id = v->meta->next_row_id;
    frz__version_release(v);
}

TEST(engine_snapshots, hazard_27_an_upgraded_table_masks_by_vectors_that_take_up_the_old_deletes_and_gives_row_ids)
{
    struct rig r;
    int64_t next = -1;
    rig_init(&r, 2, NULL, NULL);
    put_range(&r, 0, 2000, NULL);
    put_range(&r, 10, 12, "old");
    put_range(&r, 1000, 1003, "old");
    int64_t then = current(&r);
    deletes_are(&r, 2, 0);
    RC(frz_table_upgrade(r.t, 4, &r.e), FRZ_UNSUPPORTED, &r.e);
    OK(frz_table_upgrade(r.t, 2, &r.e), &r.e);
    int64_t number = version_of(&r);
    OK(frz_table_upgrade(r.t, 3, &r.e), &r.e);
    assert_int_equal(version_of(&r), number + 1);
    OK(frz_table_upgrade(r.t, 3, &r.e), &r.e); /* it has it */
    assert_int_equal(version_of(&r), number + 1);
    assert_int_equal(frz_table_format_version(r.t), 3);
    RC(frz_table_upgrade(r.t, 2, &r.e), FRZ_INVALID, &r.e);
    assert_non_null(strstr(r.e.message, "only goes up"));
    RC(frz_table_upgrade(r.t, 0, &r.e), FRZ_INVALID, &r.e);
    deletes_are(&r, 2, 0); /* nothing else happened */
    no_row_id_twice(&r, &next);
    assert_int_equal(next, 0);
    verify(&r);
    table_has(r.t, 11, "old");
    put_range(&r, 20, 22, "new"); /* masks in the large file */
    deletes_are(&r, 0, 1);
    table_has(r.t, 11, "old");
    table_has(r.t, 21, "new");
    table_has(r.t, 1002, "old");
    verify(&r);
    no_row_id_twice(&r, &next);
    assert_true(next >= 2000);
    put_range(&r, 30, 32, "newer");
    deletes_are(&r, 0, 1);
    frz_snapshot *s;
    OK(frz_snapshot_open_published(r.t, then, &s, &r.e), &r.e); /* of the time before */
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    uint64_t count = 0;
    o.snapshot = s;
    OK(frz_count(r.t, &o, &count, &r.e), &r.e);
    assert_int_equal(count, 2000);
    frz_snapshot_close(s);
    rig_reopen(&r, false);
    assert_int_equal(frz_table_format_version(r.t), 3);
    OK(frz_count(r.t, NULL, &count, &r.e), &r.e);
    assert_int_equal(count, 2000);
    table_has(r.t, 31, "newer");
    put_range(&r, 40, 42, "newest");
    verify(&r);
    no_row_id_twice(&r, &next);
    rig_clear(&r);
}

TEST(engine_snapshots, an_empty_table_and_one_with_unflushed_rows_are_upgraded)
{
    struct rig r;
    rig_init(&r, 2, NULL, NULL);
    OK(frz_table_upgrade(r.t, 3, &r.e), &r.e);
    round_of(&r, 1);
    verify(&r);
    rig_clear(&r);
    rig_init(&r, 2, NULL, NULL);
    RC(table_put(r.t, 1, "a", &r.e), FRZ_OK, &r.e);
    OK(frz_table_upgrade(r.t, 3, &r.e), &r.e);
    RC(table_put(r.t, 2, "b", &r.e), FRZ_OK, &r.e);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    rig_reopen(&r, false);
    table_has(r.t, 1, "a");
    table_has(r.t, 2, "b");
    verify(&r);
    rig_clear(&r);
}

#define SHARED_ROWS 26000 /* more than 64 files of 64 KiB */

TEST(engine_snapshots, a_shared_delete_file_of_before_an_upgrade_goes_when_each_of_its_files_has_a_vector)
{
    struct rig r;
    const char *keys[] = {"write.target-file-size-bytes", "write.parquet.compression-codec"}, *values[] = {"65536", "uncompressed"};
    rig_init(&r, 2, NULL, NULL);
    OK(frz_table_set_properties(r.t, keys, values, 2, &r.e), &r.e);
    put_range(&r, 0, SHARED_ROWS, NULL);
    for (int64_t i = 7; i < SHARED_ROWS; i += 100) RC(table_put(r.t, i, "one", &r.e), FRZ_OK, &r.e);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    deletes_are(&r, 1, 0);
    OK(frz_table_upgrade(r.t, 3, &r.e), &r.e);
    put_range(&r, 9, 10, "two");
    deletes_are(&r, 1, 1); /* the others still need it */
    verify(&r);
    rig_reopen(&r, false);
    for (int64_t i = 8; i < SHARED_ROWS; i += 100) RC(table_put(r.t, i, "three", &r.e), FRZ_OK, &r.e);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    int n[2] = {0, 0};
    OK(frz_table_files(r.t, NULL, count_deletes, n, &r.e), &r.e);
    assert_int_equal(n[0], 0);
    assert_true(n[1] > 64);
    uint64_t count;
    OK(frz_count(r.t, NULL, &count, &r.e), &r.e);
    assert_int_equal(count, SHARED_ROWS);
    table_has(r.t, 107, "one");
    table_has(r.t, 9, "two");
    table_has(r.t, 108, "three");
    table_has(r.t, 109, noise(109));
    verify(&r);
    rig_clear(&r);
}
