/* Goal    no writer waits for the files of others: not for the log's old segments, which are renamed and unlinked, nor for the syncs of a table that is being made, nor for a commit that somebody looks at.
 * Method  a file system of which those calls stand still; a put and a flush beside them come to their end. */
#include "gate_kit.h"
#include "table_kit.h"

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_table *t, *other;
    frz_error e;
    frz_db_options o;
    int64_t next;
    char large[20001];
};

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->o = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    r->o.create = true;
    r->o.no_compaction = true;
    r->o.memory_bytes = 64 << 20;
    r->o.memtable_bytes = 16 << 20; /* flushed when asked for alone */
    r->o.log_segment_bytes = 131072;
    r->o.log_bytes_max = 1 << 30;
    r->o.durability = FRZ_SYNC_OFF;
    memset(r->large, 'v', sizeof r->large - 1);
    OK(frz__fs_mem_new(NULL, &r->fs, &r->e), &r->e);
    gate_build(r->fs);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    table_create(r->db, "t", 2, &r->t, &r->e);
    table_create(r->db, "other", 3, &r->other, &r->e);
}
static void rig_clear(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}
static void reopen(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_table_open(r->db, "t", &r->t, &r->e), &r->e);
    OK(frz_table_open(r->db, "other", &r->other, &r->e), &r->e);
}
static frz_stats stats(struct rig *r)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(r->db, NULL, &s, &r->e), &r->e);
    return s;
}

static int put_one(frz_table *t, int64_t id, const char *v, const frz_write_options *o, frz_error *e)
{
    frz_row *row = NULL;
    int rc = frz_row_new(t, &row, e);
    if (rc == FRZ_OK) rc = frz_row_set_long(row, 0, id, e);
    if (rc == FRZ_OK) rc = frz_row_set_string(row, 1, v, strlen(v), e);
    if (rc == FRZ_OK) rc = frz_put(t, row, o, e);
    frz_row_free(row);
    return rc;
}
/* Segments that only these rows keep. */
static void fill_segments(struct rig *r)
{
    for (int i = 0; i < 60; i++) OK(put_one(r->t, r->next++, r->large, NULL, &r->e), &r->e);
}

static int flush_t(void *ctx, frz_error *e) { return frz_table_flush(((struct rig *)ctx)->t, e); }
static int put_t(void *ctx, frz_error *e)
{
    struct rig *r = (struct rig *)ctx;
    return put_one(r->t, r->next++, "beside", NULL, e);
}
static int put_other(void *ctx, frz_error *e)
{
    struct rig *r = (struct rig *)ctx;
    return put_one(r->other, r->next++, "beside", NULL, e);
}
static int flush_other(void *ctx, frz_error *e) { return frz_table_flush(((struct rig *)ctx)->other, e); }

/* ── the log's old segments ── */

static void old_segments_stand_still(unsigned calls)
{
    struct rig r;
    struct beside flush;
    rig_init(&r);
    fill_segments(&r);
    assert_true(stats(&r).log_segments >= 8);
    gate_shut(calls, ".wal");
    beside_begin(&flush, flush_t, &r);
    gate_wait();
    beside_passes(put_t, &r, FRZ_OK, "a put");
    beside_passes(put_other, &r, FRZ_OK, "a put of another table");
    beside_passes(flush_other, &r, FRZ_OK, "a flush of another table");
    beside_passes(flush_t, &r, FRZ_OK, "the next flush of the table");
    fill_segments(&r); /* the log goes on to new segments, too */
    beside_passes(flush_t, &r, FRZ_OK, "a flush that lets segments go");
    gate_open();
    OK(beside_end(&flush), &flush.e);
    assert_true(GATE_SOON(stats(&r).log_segments <= 2)); /* who stood still took those with him that went meanwhile */
    frz_value key = {.type = FRZ_LONG};
    for (int round = 0; round < 2; round++) {
        for (int64_t id = 0; id < r.next; id++) {
            frz_row *row;
            key.as.i64 = id;
            OK(frz_row_new(r.t, &row, &r.e), &r.e);
            int rc = frz_get(r.t, NULL, &key, 1, row, &r.e);
            if (rc == FRZ_NOT_FOUND) rc = frz_get(r.other, NULL, &key, 1, row, &r.e);
            OK(rc, &r.e);
            frz_row_free(row);
        }
        reopen(&r);
    }
    rig_clear(&r);
}

TEST(log_beside, a_put_and_a_flush_pass_while_old_segments_become_spares) { old_segments_stand_still(GATE_RENAME); }
TEST(log_beside, a_put_and_a_flush_pass_while_old_segments_are_unlinked) { old_segments_stand_still(GATE_UNLINK); }

static int count_trouble(void *ctx, const frz_event *e)
{
    *(size_t *)ctx += e->kind == FRZ_EVENT_LOG_TROUBLE;
    return 0;
}
static size_t troubles(struct rig *r)
{
    size_t n = 0;
    OK(frz_db_events(r->db, 0, count_trouble, &n, &r->e), &r->e);
    return n;
}
static int severity(struct rig *r)
{
    frz_health h = FRZ_INIT(frz_health);
    OK(frz_db_health(r->db, NULL, &h, &r->e), &r->e);
    return h.severity;
}

TEST(log_beside, a_segment_that_cannot_be_removed_is_told_and_no_row_is_lost)
{
    struct rig r;
    rig_init(&r);
    fill_segments(&r);
    gate_fail(GATE_RENAME | GATE_UNLINK, ".wal");
    OK(frz_table_flush(r.t, &r.e), &r.e);
    assert_true(GATE_SOON(troubles(&r) == 1)); /* by whoever flushed: it may be a worker */
    gate_open();
    fill_segments(&r);
    OK(frz_table_flush(r.t, &r.e), &r.e);
    assert_true(GATE_SOON(severity(&r) == FRZ_HEALTH_OK));
    reopen(&r);
    table_has(r.t, 0, r.large);
    table_has(r.t, r.next - 1, r.large);
    rig_clear(&r);
}

/* ── a table that is being made ── */

static int create_named(struct rig *r, const char *name, frz_error *e)
{
    frz_schema *s = NULL;
    int rc = frz_schema_parse("id long, v string?", "id", &s, e);
    if (rc == FRZ_OK) rc = frz_table_create(r->db, name, s, NULL, NULL, e);
    frz_schema_free(s);
    return rc;
}
static int create_new(void *ctx, frz_error *e) { return create_named((struct rig *)ctx, "ns.new", e); }
static int create_its_case(void *ctx, frz_error *e) { return create_named((struct rig *)ctx, "ns.NEW", e); }
static int create_its_namespace(void *ctx, frz_error *e) { return create_named((struct rig *)ctx, "NS.fresh", e); }
static int create_fresh(void *ctx, frz_error *e) { return create_named((struct rig *)ctx, "ns.fresh", e); }
static int open_new(void *ctx, frz_error *e)
{
    frz_table *t = NULL;
    return frz_table_open(((struct rig *)ctx)->db, "ns.new", &t, e);
}
static int drop_new(void *ctx, frz_error *e) { return frz_table_drop(((struct rig *)ctx)->db, "ns.new", e); }

TEST(log_beside, a_table_that_is_being_made_holds_up_nobody_and_its_name_is_taken)
{
    struct rig r;
    struct beside create;
    rig_init(&r);
    OK(put_one(r.t, r.next++, "v", NULL, &r.e), &r.e);
    gate_shut(GATE_SYNC_DIR | GATE_LINK, "ns/new");
    beside_begin(&create, create_new, &r);
    gate_wait();
    beside_passes(flush_t, &r, FRZ_OK, "a flush");
    beside_passes(put_t, &r, FRZ_OK, "a put");
    beside_passes(create_new, &r, FRZ_EXISTS, "another creation of the name");
    beside_passes(create_its_case, &r, FRZ_INVALID, "one of a name that differs in case only");
    beside_passes(create_its_namespace, &r, FRZ_INVALID, "one of a namespace that differs in case only");
    beside_passes(create_fresh, &r, FRZ_OK, "one beside it");
    beside_passes(open_new, &r, FRZ_NOT_FOUND, "opening it");
    beside_passes(drop_new, &r, FRZ_NOT_FOUND, "dropping it");
    gate_open();
    OK(beside_end(&create), &create.e);
    OK(open_new(&r, &r.e), &r.e);
    reopen(&r);
    OK(open_new(&r, &r.e), &r.e);
    rig_clear(&r);
}

TEST(log_beside, a_creation_that_fails_gives_the_name_back)
{
    struct rig r;
    rig_init(&r);
    for (int i = 0; i < 2; i++) {
        gate_fail(i ? GATE_LINK : GATE_SYNC_DIR, "ns/new");
        FAILS(create_new(&r, &r.e), FRZ_IO, &r.e);
        gate_open();
        RC(open_new(&r, &r.e), FRZ_NOT_FOUND, &r.e);
        OK(create_new(&r, &r.e), &r.e);
        OK(drop_new(&r, &r.e), &r.e);
    }
    rig_clear(&r);
}

/* ── a commit ── */

static int see_all(void *ctx, frz_error *e)
{
    frz_stats s = {.struct_size = sizeof s};
    return frz_db_stats(((struct rig *)ctx)->db, NULL, &s, e);
}

TEST(log_beside, statistics_that_wait_for_a_commit_hold_up_no_writer)
{
    struct rig r;
    struct beside flush, look;
    rig_init(&r);
    OK(put_one(r.t, r.next++, "v", NULL, &r.e), &r.e);
    gate_shut(GATE_LINK, "main/t/metadata");
    beside_begin(&flush, flush_t, &r);
    gate_wait();
    beside_begin(&look, see_all, &r);
    for (int i = 0; i < 20; i++) { /* the look may take a moment to come so far */
        beside_passes(put_other, &r, FRZ_OK, "a put of another table");
        beside_passes(flush_other, &r, FRZ_OK, "a flush of another table");
    }
    gate_open();
    OK(beside_end(&flush), &flush.e);
    OK(beside_end(&look), &look.e);
    rig_clear(&r);
}

static int resume(void *ctx, frz_error *e) { return frz_db_resume(((struct rig *)ctx)->db, e); }

TEST(log_beside, a_look_whether_the_log_can_be_written_again_waits_for_no_commit)
{
    struct rig r;
    struct beside flush;
    frz_write_options full = FRZ_WRITE_OPTIONS_INIT;
    full.durability = FRZ_SYNC_FULL;
    rig_init(&r);
    OK(put_one(r.other, r.next++, "v", NULL, &r.e), &r.e);
    const struct gate_rule commit = {GATE_LINK, "main/other/metadata"}; /* of the first table */
    gate_set(commit, (struct gate_rule){0});
    beside_begin(&flush, flush_other, &r);
    gate_wait();
    gate_set(commit, (struct gate_rule){GATE_SYNC | GATE_SYNC_DIR, ".frazil/wal"});
    int rc = put_one(r.t, 1000, "lost", &full, &r.e);
    gate_set(commit, (struct gate_rule){0});
    RC(rc, FRZ_IO, &r.e);
    beside_passes(resume, &r, FRZ_OK, "a resume");
    beside_passes(put_t, &r, FRZ_OK, "a put of another table");
    gate_open();
    OK(beside_end(&flush), &flush.e);
    reopen(&r);
    table_has(r.t, 1000, NULL);
    table_has(r.t, r.next - 1, "beside");
    rig_clear(&r);
}
