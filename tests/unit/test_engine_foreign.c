/* Goal    what others put into a table's metadata, between our commits or while nobody looked: taken up if it is sound, named if it is not, and never read as rows.
 * Method  a database in memory. A neighbour's version is ours with its text edited, linked where ours would go; a neighbour's files are written here and committed with whatever a manifest can say. */
#include "frz_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "codec/codec.h"
#include "engine/mark.h"
#include "iceberg/ice_posdel.h"
#include "io/fs.h"

#define ROWS 10
#define LOCATION "file:///mem/main/t"

struct bed {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_row *row;
    frz_error e;
    frz_db_options o;
    struct arena ar;
};
static struct bed b;

static void bed_open(void)
{
    OK(frz__test_db_open(b.fs, &b.o, &b.db, &b.e), &b.e);
    OK(frz_table_open(b.db, "t", &b.t, &b.e), &b.e);
    OK(frz_row_new(b.t, &b.row, &b.e), &b.e);
}
static void bed_close(void)
{
    frz_row_free(b.row);
    b.row = NULL;
    OK(frz_db_close(b.db, &b.e), &b.e);
    b.db = NULL;
}
static void put(int64_t id)
{
    OK(frz_row_set_long(b.row, 0, id, &b.e), &b.e);
    OK(frz_row_set_string(b.row, 1, "x", 1, &b.e), &b.e);
    OK(frz_put(b.t, b.row, NULL, &b.e), &b.e);
}
static void has(int64_t id, bool there)
{
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    RC(frz_get(b.t, NULL, &key, 1, b.row, &b.e), there ? FRZ_OK : FRZ_NOT_FOUND, &b.e);
}
static uint64_t count(void)
{
    uint64_t n = 0;
    OK(frz_count(b.t, NULL, &n, &b.e), &b.e);
    return n;
}
/* Two snapshots of ROWS rows each. */
static void bed_init(int format)
{
    static const char *const keys[] = {"frazil.publish-interval-ms"}, *const values[] = {"0"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    b = (struct bed){.o = FRZ_DB_OPTIONS_INIT, .ar = ARENA_INIT(NULL)};
    b.o.create = true;
    b.o.no_compaction = true;
    b.o.memory_bytes = 8 << 20;
    b.o.log_level = FRZ_LOG_ERROR;
    OK(frz__fs_mem_new(NULL, &b.fs, &b.e), &b.e);
    OK(frz__test_db_open(b.fs, &b.o, &b.db, &b.e), &b.e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 1;
    OK(frz_schema_parse("id long, v string?", "id", &s, &b.e), &b.e);
    OK(frz_table_create(b.db, "t", s, &to, &b.t, &b.e), &b.e);
    frz_schema_free(s);
    OK(frz_row_new(b.t, &b.row, &b.e), &b.e);
    for (int64_t i = 0; i < 2 * ROWS; i++) {
        put(i);
        if (i % ROWS == ROWS - 1) OK(frz_table_flush(b.t, &b.e), &b.e);
    }
}
static void bed_clear(void)
{
    if (b.db) bed_close();
    frz__arena_clear(&b.ar);
    frz__fs_free(b.fs);
}

/* ── a neighbour's version ── */

/* The newest version with the first FROM behind MARK (NULL = the first of all) replaced by TO becomes version + 1, or (IN_PLACE) takes its own place. */
static void neighbour(int64_t version, const char *mark, const char *from, const char *to, bool in_place)
{
    char path[128];
    struct buf text = BUF_INIT(NULL, 0), out = BUF_INIT(NULL, 0);
    struct file *f;
    snprintf(path, sizeof path, "main/t/metadata/v%lld.metadata.json", (long long)version);
    OK(frz__fs_read_file(b.fs, path, 1 << 20, &text, &b.e), &b.e);
    OK(buf_append_byte(&text, 0, &b.e), &b.e);
    char *at = mark ? strstr((char *)text.data, mark) : (char *)text.data;
    assert_non_null(at);
    at = strstr(at, from);
    assert_non_null(at);
    OK(frz__buf_printf(&out, &b.e, "%.*s%s%s", (int)(at - (char *)text.data), (char *)text.data, to, at + strlen(from)), &b.e);
    snprintf(path, sizeof path, "main/t/metadata/v%lld.metadata.json", (long long)version + !in_place);
    if (in_place) OK(frz__fs_unlink(b.fs, path, &b.e), &b.e);
    OK(frz__fs_open(b.fs, path, FS_OPEN_CREATE_NEW, &f, &b.e), &b.e);
    OK(frz__file_write(f, 0, out.data, out.len, &b.e), &b.e);
    OK(frz__file_close(f, &b.e), &b.e);
    buf_clear(&text);
    buf_clear(&out);
}
/* Version + 1 has THEN as its current snapshot, where VERSION has NOW, as after another engine's rollback. */
static void neighbour_turns(int64_t version, int64_t now, int64_t then)
{
    char from[64], to[64];
    snprintf(from, sizeof from, "\"current-snapshot-id\":%lld", (long long)now);
    snprintf(to, sizeof to, "\"current-snapshot-id\":%lld", (long long)then);
    neighbour(version, NULL, from, to, false);
    snprintf(from, sizeof from, "\"snapshot-id\":%lld", (long long)now);
    snprintf(to, sizeof to, "\"snapshot-id\":%lld", (long long)then);
    neighbour(version + 1, "\"refs\"", from, to, true);
}
static int64_t version_now(void) { return b.t->t->version->number; }
static uint64_t conflicts(void)
{
    frz_stats s = {.struct_size = sizeof s};
    OK(frz_db_stats(b.db, NULL, &s, &b.e), &b.e);
    return s.commit_conflicts;
}
static int on_property(void *ctx, const char *key, const char *value)
{
    if (strcmp(key, "theirs") == 0) *(bool *)ctx = strcmp(value, "kept") == 0;
    return 0;
}
static bool theirs_is_kept(void)
{
    bool kept = false;
    OK(frz_table_properties(b.t, on_property, &kept, &b.e), &b.e);
    return kept;
}

TEST(neighbour, whose_commit_made_no_snapshot_is_built_upon)
{
    bed_init(2);
    int64_t v = version_now();
    neighbour(v, "\"properties\"", "{", "{\"theirs\":\"kept\",", false);
    put(100);
    OK(frz_table_flush(b.t, &b.e), &b.e);
    assert_int_equal(version_now(), v + 2);
    assert_int_equal(conflicts(), 1);
    assert_true(theirs_is_kept());
    assert_int_equal(count(), 2 * ROWS + 1);
    bed_close();
    bed_open();
    assert_true(theirs_is_kept());
    assert_int_equal(count(), 2 * ROWS + 1);
    bed_clear();
}

TEST(neighbour, who_rolled_back_is_believed_and_the_flush_begins_anew)
{
    bed_init(2);
    int64_t v = version_now();
    const struct ice_meta *m = b.t->t->version->meta;
    assert_int_equal(m->snapshot_count, 2);
    int64_t first = m->snapshots[0].id == m->current_snapshot_id ? m->snapshots[1].id : m->snapshots[0].id;
    neighbour_turns(v, m->current_snapshot_id, first);
    put(100);
    put(3); /* masks a row of the file that stays */
    OK(frz_table_flush(b.t, &b.e), &b.e);
    assert_true(conflicts() >= 1);
    has(100, true);
    has(3, true);
    has(ROWS, false);
    assert_int_equal(count(), ROWS + 1);
    bed_close();
    bed_open();
    assert_int_equal(count(), ROWS + 1);
    bed_clear();
}

TEST(neighbour, who_commits_beside_a_change_of_properties_loses_nothing)
{
    bed_init(2);
    const struct ice_meta *m = b.t->t->version->meta;
    int64_t first = m->snapshots[0].id == m->current_snapshot_id ? m->snapshots[1].id : m->snapshots[0].id;
    int64_t v = version_now();
    neighbour_turns(v, m->current_snapshot_id, first);
    neighbour(v + 1, "\"properties\"", "{", "{\"theirs\":\"kept\",", true);
    OK(frz_table_set_property(b.t, "ours", "too", &b.e), &b.e);
    assert_int_equal(version_now(), v + 2);
    assert_true(theirs_is_kept());
    assert_int_equal(count(), ROWS);
    bed_clear();
}

/* ── a neighbour who leaves the rows alone ── */

static int64_t first_snapshot(void)
{
    const struct ice_meta *m = b.t->t->version->meta;
    return m->snapshots[0].id == m->current_snapshot_id ? m->snapshots[1].id : m->snapshots[0].id;
}
static void neighbour_tags(const char *name, int64_t id)
{
    char to[128];
    snprintf(to, sizeof to, "\"refs\":{\"%s\":{\"snapshot-id\":%lld,\"type\":\"tag\"},", name, (long long)id);
    neighbour(version_now(), NULL, "\"refs\":{", to, false);
}
static int on_ref(void *ctx, const frz_ref_info *i)
{
    char *out = (char *)ctx;
    size_t n = strlen(out);
    if (i->is_tag) snprintf(out + n, 200 - n, "%s %lld ", i->name, (long long)i->snapshot_id);
    return 0;
}
static void tags_are(const char *name, int64_t id)
{
    char got[200] = "", want[200] = "";
    if (name) snprintf(want, sizeof want, "%s %lld ", name, (long long)id);
    OK(frz_table_refs(b.t, on_ref, got, &b.e), &b.e);
    assert_string_equal(got, want);
}

TEST(neighbour, whose_tag_is_there_is_not_moved_by_one_that_must_be_new)
{
    frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
    bed_init(2);
    int64_t first = first_snapshot(), v = version_now();
    neighbour_tags("v1", first);
    o.no_replace = true;
    FAILS(frz_table_tag(b.t, "v1", &o, &b.e), FRZ_EXISTS, &b.e);
    assert_int_equal(version_now(), v + 1);
    tags_are("v1", first);
    bed_clear();
}

TEST(neighbour, whose_tag_is_there_can_be_removed)
{
    frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
    bed_init(2);
    neighbour_tags("v1", first_snapshot());
    OK(frz_table_set_property(b.t, "ours", "too", &b.e), &b.e); /* any commit finds it */
    tags_are("v1", first_snapshot());
    neighbour(version_now(), NULL, "\"v1\":", "\"v2\":", false); /* renamed: what was looked at before is not the base of the commit */
    o.remove = true;
    FAILS(frz_table_tag(b.t, "v1", &o, &b.e), FRZ_NOT_FOUND, &b.e);
    tags_are("v2", first_snapshot());
    OK(frz_table_tag(b.t, "v2", &o, &b.e), &b.e);
    tags_are(NULL, 0);
    bed_clear();
}

static uint64_t age_setting(void) { return b.t->t->settings.frazil_orphan_age_ms; }
static void neighbour_sets_age(uint64_t ms)
{
    char from[64], to[64];
    slice now = frz__ice_property(b.t->t->version->meta, "frazil.orphan-age-ms");
    snprintf(from, sizeof from, now.data ? "\"frazil.orphan-age-ms\":\"%.*s\"" : "{", (int)now.len, (const char *)now.data);
    snprintf(to, sizeof to, now.data ? "\"frazil.orphan-age-ms\":\"%llu\"" : "{\"frazil.orphan-age-ms\":\"%llu\",", (unsigned long long)ms);
    neighbour(version_now(), "\"properties\"", from, to, false);
}

TEST(neighbour, whose_properties_differ_is_followed_by_the_next_commit_of_any_kind)
{
    frz_alter rename = FRZ_ALTER_INIT;
    bed_init(2);
    neighbour_sets_age(7000000);
    put(100);
    OK(frz_table_flush(b.t, &b.e), &b.e);
    assert_int_equal(age_setting(), 7000000);
    neighbour_sets_age(8000000);
    OK(frz_table_compact(b.t, NULL, NULL, &b.e), &b.e);
    assert_int_equal(age_setting(), 8000000);
    neighbour_sets_age(9000000);
    OK(frz_table_tag(b.t, "x", NULL, &b.e), &b.e);
    assert_int_equal(age_setting(), 9000000);
    neighbour_sets_age(10000000);
    OK(frz_table_set_property(b.t, "ours", "too", &b.e), &b.e);
    assert_int_equal(age_setting(), 10000000);
    neighbour_sets_age(11000000);
    rename.kind = FRZ_ALTER_RENAME;
    rename.column = "v";
    rename.name = "w";
    OK(frz_table_alter(b.t, &rename, 1, &b.e), &b.e);
    assert_int_equal(age_setting(), 11000000);
    assert_int_equal(count(), 2 * ROWS + 1);
    bed_clear();
}

TEST(neighbour, who_partitioned_the_table_is_not_written_over)
{
    bed_init(2);
    int64_t v = version_now();
    neighbour(v, "\"partition-specs\"", "\"fields\":[]", "\"fields\":[{\"source-id\":1,\"field-id\":1000,\"name\":\"id_b\",\"transform\":\"bucket[4]\"}]", false);
    put(100);
    FAILS(frz_table_flush(b.t, &b.e), FRZ_UNSUPPORTED, &b.e);
    MESSAGE_HAS(&b.e, "partitioned");
    assert_int_equal(version_now(), v);
    has(100, true);
    frz_row_free(b.row);
    b.row = NULL;
    (void)!frz_db_close(b.db, &b.e); /* its flush fails too */
    b.db = NULL;
    bed_clear();
}

/* Each manifest and list in the table's folder is named by a retained snapshot. */
static int on_unnamed(void *ctx, const char *name, bool is_dir)
{
    size_t n = strlen(name);
    if (is_dir || n < 5 || strcmp(name + n - 5, ".avro") != 0 || frz__marks_has((const struct marks *)ctx, name)) return 0;
    print_error("nobody names %s\n", name);
    return 1;
}
static void all_manifests_are_named(void)
{
    struct marks s = MARKS_INIT(NULL);
    struct version *v = frz__version_acquire(b.t->t);
    OK(frz__mark_version(b.t->t, v, &s, &b.e), &b.e);
    RC(frz__fs_list(b.fs, "main/t/metadata", on_unnamed, &s, &b.e), 0, &b.e);
    frz__version_release(v);
    frz__marks_clear(&s);
}
TEST(neighbour, who_commits_first_costs_no_manifests_that_nobody_names)
{
    bed_init(2);
    for (int64_t i = 0; i < 3; i++) {
        neighbour_sets_age(7000000 + (uint64_t)i);
        put(100 + i);
        OK(frz_table_flush(b.t, &b.e), &b.e);
        all_manifests_are_named();
    }
    assert_int_equal(conflicts(), 3);
    bed_clear();
}

/* ── a neighbour whose version is there and gone at once ── */

static const struct fs_ops *mem_ops;
static _Atomic bool vanishes;
static int link_and_vanish(struct fs *fs, const char *from, const char *to, frz_error *err)
{
    char path[128];
    if (!atomic_load(&vanishes) || !strstr(to, "/metadata/v")) return mem_ops->link_new(fs, from, to, err);
    for (int64_t v = version_now(); v > 0; v--) {
        snprintf(path, sizeof path, "main/t/metadata/v%lld.metadata.json", (long long)v);
        (void)!mem_ops->unlink(fs, path, err);
    }
    return frz__err(err, FRZ_EXISTS, "%s is there", to);
}
TEST(neighbour, who_took_all_metadata_away_is_corruption)
{
    struct fs_ops ops;
    frz__test_clock_rounds_off(true); /* no other thread looks at the file system */
    bed_init(2);
    mem_ops = b.fs->ops;
    ops = *mem_ops;
    ops.link_new = link_and_vanish;
    b.fs->ops = &ops;
    atomic_store(&vanishes, true);
    put(100);
    FAILS(frz_table_flush(b.t, &b.e), FRZ_CORRUPT, &b.e);
    MESSAGE_HAS(&b.e, "no metadata is any more");
    atomic_store(&vanishes, false);
    has(100, true);
    frz_row_free(b.row);
    b.row = NULL;
    (void)!frz_db_close(b.db, &b.e);
    b.db = NULL;
    b.fs->ops = mem_ops;
    bed_clear();
    frz__test_clock_rounds_off(false);
}

/* ── a neighbour who always commits first ── */

#define TRIES 6 /* of a flush, of a compaction's commit */
static void *flush_it(void *arg)
{
    static frz_error e;
    int *rc = (int *)arg;
    *rc = frz_table_flush(b.t, &e);
    return &e;
}
/* The other of two schemas is the current one: a column is renamed. */
static void neighbour_renames(int64_t version, int64_t now, int64_t then)
{
    char from[64], to[64];
    snprintf(from, sizeof from, "\"current-schema-id\":%lld", (long long)now);
    snprintf(to, sizeof to, "\"current-schema-id\":%lld", (long long)then);
    neighbour(version, NULL, from, to, false);
}
static frz_compact_result compacted;
static void *compact_it(void *arg)
{
    static frz_error e;
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    int *rc = (int *)arg;
    o.no_flush = true;
    compacted = (frz_compact_result){.struct_size = sizeof compacted};
    *rc = frz_table_compact(b.t, &o, &compacted, &e);
    return &e;
}
/* FN's result, where each commit of its first TRIES finds one that came before it, by TURN from NOW to THEN or back. False: fail points are not compiled in. */
static bool in_a_storm(void *(*fn)(void *), void (*turn)(int64_t version, int64_t now, int64_t then), int64_t now, int64_t then, int *rc, frz_error *e)
{
    int64_t v = version_now();
    pthread_t thread;
    void *why;
    if (!frz__test_failpoint("commit.before_link", "pause")) return false;
    assert_int_equal(pthread_create(&thread, NULL, fn, rc), 0);
    for (int i = 0; i < TRIES; i++) {
        assert_true(frz__test_failpoint_wait_paused("commit.before_link", 120000));
        assert_true(frz__test_failpoint("version.found", "pause"));
        turn(v++, i % 2 ? then : now, i % 2 ? now : then);
        frz__test_failpoint_resume("commit.before_link");
        assert_true(frz__test_failpoint_wait_paused("version.found", 120000));
        if (i + 1 < TRIES) assert_true(frz__test_failpoint("commit.before_link", "pause"));
        frz__test_failpoint_resume("version.found");
    }
    pthread_join(thread, &why);
    *e = *(frz_error *)why;
    return true;
}

TEST(neighbour, who_always_commits_first_makes_a_flush_fail_until_he_lets_it)
{
    frz_error e;
    frz_health h = FRZ_INIT(frz_health);
    int rc = FRZ_OK;
    frz__test_clock_rounds_off(true);
    bed_init(2);
    put(100);
    const struct ice_meta *m = b.t->t->version->meta;
    int64_t second = m->current_snapshot_id, first = m->snapshots[0].id == second ? m->snapshots[1].id : m->snapshots[0].id;
    if (in_a_storm(flush_it, neighbour_turns, second, first, &rc, &e)) {
        RC(rc, FRZ_CONFLICT, &e);
        MESSAGE_HAS(&e, "was committed meanwhile");
        OK(frz_db_health(b.db, NULL, &h, &b.e), &b.e);
        assert_int_equal(h.error_class, FRZ_CLASS_CONFLICT);
        assert_string_equal(h.part, "flush");
        has(100, true);
        put(101); /* writers go on */
        OK(frz_db_resume(b.db, &b.e), &b.e);
        h = (frz_health)FRZ_INIT(frz_health);
        OK(frz_db_health(b.db, NULL, &h, &b.e), &b.e);
        assert_int_equal(h.severity, FRZ_HEALTH_OK);
        OK(frz_table_flush(b.t, &b.e), &b.e);
    }
    bed_close();
    b.o.read_only = true;
    b.o.create = false;
    bed_open();
    assert_int_equal(count(), 2 * ROWS + (rc == FRZ_CONFLICT ? 2 : 1));
    bed_clear();
    frz__test_clock_rounds_off(false);
}

struct update { frz_row *row; int rc; frz_error e; };
static void *update_it(void *arg)
{
    struct update *u = (struct update *)arg;
    u->rc = frz_update(b.t, u->row, NULL, &u->e);
    return NULL;
}
/* The row was read; the neighbour's commit without it is taken up by a flush of older rows; then the update comes to be written. */
TEST(neighbour, whose_delete_is_taken_up_while_a_row_is_updated_is_not_undone)
{
    int rc = FRZ_OK;
    struct update u = {0};
    pthread_t flusher, updater;
    frz__test_clock_rounds_off(true);
    bed_init(2);
    put(100);
    const struct ice_meta *m = b.t->t->version->meta;
    int64_t second = m->current_snapshot_id, first = m->snapshots[0].id == second ? m->snapshots[1].id : m->snapshots[0].id;
    if (frz__test_failpoint("commit.before_link", "pause")) {
        assert_int_equal(pthread_create(&flusher, NULL, flush_it, &rc), 0);
        assert_true(frz__test_failpoint_wait_paused("commit.before_link", 120000));
        put(101); /* so that what is read now is younger than what is flushed */
        OK(frz_row_new(b.t, &u.row, &u.e), &u.e);
        OK(frz_row_set_long(u.row, 0, ROWS + 3, &u.e), &u.e);
        OK(frz_row_set_string(u.row, 1, "y", 1, &u.e), &u.e);
        assert_true(frz__test_failpoint("write.resolved", "pause"));
        assert_int_equal(pthread_create(&updater, NULL, update_it, &u), 0);
        assert_true(frz__test_failpoint_wait_paused("write.resolved", 120000));
        neighbour_turns(version_now(), second, first);
        frz__test_failpoint_resume("commit.before_link");
        pthread_join(flusher, NULL);
        assert_int_equal(rc, FRZ_OK);
        has(ROWS + 3, false);
        frz__test_failpoint_resume("write.resolved");
        pthread_join(updater, NULL);
        RC(u.rc, FRZ_NOT_FOUND, &u.e);
        has(ROWS + 3, false);
        assert_int_equal(count(), ROWS + 2);
        frz_row_free(u.row);
    }
    bed_clear();
    frz__test_clock_rounds_off(false);
}

TEST(neighbour, who_commits_before_a_compaction_again_and_again_has_it_planned_anew)
{
    frz_error e;
    int rc = FRZ_OK;
    frz__test_clock_rounds_off(true);
    bed_init(2);
    frz_alter rename = FRZ_ALTER_INIT;
    rename.kind = FRZ_ALTER_RENAME;
    rename.column = "v";
    rename.name = "w";
    OK(frz_table_alter(b.t, &rename, 1, &b.e), &b.e);
    if (in_a_storm(compact_it, neighbour_renames, 1, 0, &rc, &e)) {
        OK(rc, &e);
        assert_int_equal(compacted.jobs, 1); /* what came to nothing is none */
        assert_int_equal(compacted.files_out, 1);
        assert_int_equal(compacted.rows_out, 2 * ROWS);
        frz_stats st = {.struct_size = sizeof st};
        OK(frz_db_stats(b.db, b.t, &st, &b.e), &b.e);
        assert_int_equal(st.data_files, 1);
        assert_int_equal(st.compactions, 1);
    }
    assert_int_equal(count(), 2 * ROWS);
    bed_clear();
    frz__test_clock_rounds_off(false);
}

TEST(neighbour, who_put_another_table_in_its_place_is_a_conflict_and_the_rows_stay)
{
    char uuid[64], other[64];
    bed_init(2);
    snprintf(uuid, sizeof uuid, "%s", b.t->t->uuid);
    snprintf(other, sizeof other, "%s", uuid);
    other[0] = other[0] == '1' ? '2' : '1';
    neighbour(version_now(), "\"table-uuid\"", uuid, other, false);
    put(100);
    FAILS(frz_table_flush(b.t, &b.e), FRZ_CONFLICT, &b.e);
    MESSAGE_HAS(&b.e, "uuid");
    has(100, true);
    b.o.no_close_flush = true;
    frz_row_free(b.row);
    b.row = NULL;
    (void)frz_db_close(b.db, &b.e);
    b.db = NULL;
    bed_clear();
}

/* Opens with the text edited: the table is WANT, and the message says SAYS; with it mended all rows are there. */
static void opens_broken(const char *mark, const char *from, const char *to, int want, const char *says)
{
    int64_t v = version_now();
    bed_close();
    neighbour(v, mark, from, to, true);
    OK(frz__test_db_open(b.fs, &b.o, &b.db, &b.e), &b.e);
    FAILS(frz_table_open(b.db, "t", &b.t, &b.e), want, &b.e);
    if (!strstr(b.e.message, says)) print_error("%s: no \"%s\"\n", b.e.message, says);
    MESSAGE_HAS(&b.e, says);
    OK(frz_db_close(b.db, &b.e), &b.e);
    neighbour(v, mark, to, from, true);
    bed_open();
    assert_int_equal(count(), 2 * ROWS);
}

TEST(metadata, that_contradicts_itself_or_is_beyond_us_breaks_its_table_with_the_reason)
{
    char id[64];
    bed_init(2);
    snprintf(id, sizeof id, "\"current-snapshot-id\":%lld", (long long)b.t->t->version->meta->current_snapshot_id);
    opens_broken(NULL, id, "\"current-snapshot-id\":77", FRZ_CORRUPT, "77");
    opens_broken("\"location\"", LOCATION, "file:///elsewhere/t", FRZ_UNSUPPORTED, "is not under the table's location file:///elsewhere/t");
    opens_broken("\"identifier-field-ids\"", "[1]", "[]", FRZ_UNSUPPORTED, "no identifier fields");
    opens_broken("\"schemas\"", "\"type\":\"string\"", "\"type\":{\"type\":\"list\",\"element-id\":9,\"element\":\"int\",\"element-required\":true}", FRZ_UNSUPPORTED, "nested");
    bed_clear();
}

TEST(metadata, of_a_table_that_was_moved_is_read_as_it_is_and_re_pointed_by_a_writer)
{
    bed_init(2);
    bed_close();
    OK(frz__fs_rename(b.fs, "main/t", "main/u", &b.e), &b.e);
    frz_db_options writer = b.o;
    b.o = (frz_db_options)FRZ_DB_OPTIONS_INIT;
    b.o.read_only = true;
    OK(frz__test_db_open(b.fs, &b.o, &b.db, &b.e), &b.e);
    OK(frz_table_open(b.db, "u", &b.t, &b.e), &b.e);
    assert_int_equal(count(), 2 * ROWS);
    OK(frz_db_close(b.db, &b.e), &b.e);
    b.o = writer;
    OK(frz__test_db_open(b.fs, &b.o, &b.db, &b.e), &b.e);
    OK(frz_table_open(b.db, "u", &b.t, &b.e), &b.e);
    assert_int_equal(count(), 2 * ROWS);
    OK(frz_db_close(b.db, &b.e), &b.e);
    b.db = NULL;
    bed_clear();
}

/* ── a neighbour's files ── */

static int append_file(void *ctx, slice bytes, frz_error *err)
{
    uint64_t at = 0;
    int rc = frz__file_size((struct file *)ctx, &at, err);
    return rc < 0 ? rc : frz__file_write((struct file *)ctx, at, bytes.data, bytes.len, err);
}
static struct file *new_file(const char *name)
{
    char path[128];
    struct file *f;
    snprintf(path, sizeof path, "main/t/data/%s", name);
    OK(frz__fs_open(b.fs, path, FS_OPEN_CREATE_NEW, &f, &b.e), &b.e);
    return f;
}
static slice uri(const char *name)
{
    char *p = (char *)arena_alloc(&b.ar, strlen(name) + sizeof LOCATION "/data/", 1);
    sprintf(p, LOCATION "/data/%s", name);
    return slice_str(p);
}
/* A position-delete file NAME of POSITIONS in the data file TARGET; FILE: what its manifest entry says. */
static void posdel(const char *name, slice target, const uint64_t *positions, size_t n, struct ice_file *file)
{
    struct file *f = new_file(name);
    struct codec_ctx *codec;
    struct posdel_target t = {target, positions, n};
    OK(frz__codec_ctx_new(NULL, &codec, &b.e), &b.e);
    OK(frz__posdel_write(NULL, &t, 1, CODEC_ZSTD, codec, (struct pq_sink){f, append_file}, &b.ar, file, &b.e), &b.e);
    file->path = uri(name);
    file->referenced_data_file = (slice){0}; /* may name one that is gone */
    frz__codec_ctx_free(codec);
    OK(frz__file_close(f, &b.e), &b.e);
}
static void commit(const struct ice_file *added)
{
    struct table *t = b.t->t;
    struct commit_request r = {.edit = {.added = added, .added_count = 1}};
    frz__mutex_lock(&t->flush_mu);
    OK(frz__commit(t, &r, &b.e), &b.e);
    frz__mutex_unlock(&t->flush_mu);
}
static slice data_file(size_t i)
{
    uint64_t seq;
    struct view *v = frz__view_latest(b.t->t, &seq);
    assert_true(i < v->file_count);
    slice s = slice_str(frz__arena_strndup(&b.ar, v->files[i]->iceberg_path, strlen(v->files[i]->iceberg_path)));
    frz__view_release(v);
    return s;
}
/* Once committed, the table opens to WANT and a message with SAYS. */
static void entry_breaks(const struct ice_file *added, int want, const char *says)
{
    commit(added);
    bed_close();
    OK(frz__test_db_open(b.fs, &b.o, &b.db, &b.e), &b.e);
    FAILS(frz_table_open(b.db, "t", &b.t, &b.e), want, &b.e);
    MESSAGE_HAS(&b.e, says);
    OK(frz_db_close(b.db, &b.e), &b.e);
    b.db = NULL;
    bed_clear();
}

TEST(foreign_deletes, that_name_a_position_twice_or_files_that_are_gone_are_legal)
{
    struct ice_file f;
    bed_init(2);
    posdel("one.parquet", data_file(0), (const uint64_t[]){1, 4, 5}, 3, &f);
    commit(&f);
    posdel("two.parquet", data_file(0), (const uint64_t[]){0, 4}, 2, &f);
    commit(&f);
    posdel("three.parquet", uri("gone.parquet"), (const uint64_t[]){0, 1000000}, 2, &f);
    commit(&f);
    bed_close();
    bed_open();
    assert_int_equal(count(), 2 * ROWS - 4);
    put(100);
    OK(frz_table_flush(b.t, &b.e), &b.e);
    assert_int_equal(count(), 2 * ROWS - 3);
    bed_clear();
}

TEST(foreign_deletes, beyond_the_end_of_their_data_file_are_corruption)
{
    struct ice_file f;
    bed_init(2);
    posdel("far.parquet", data_file(0), (const uint64_t[]){1, 1000}, 2, &f);
    entry_breaks(&f, FRZ_CORRUPT, "1000");
}

TEST(foreign_deletes, of_another_size_than_their_manifest_says_are_corruption)
{
    struct ice_file f;
    bed_init(2);
    posdel("size.parquet", data_file(0), (const uint64_t[]){1}, 1, &f);
    f.file_size++;
    entry_breaks(&f, FRZ_CORRUPT, "size.parquet");
}

TEST(foreign_deletes, of_another_count_than_their_manifest_says_are_corruption)
{
    struct ice_file f;
    bed_init(2);
    posdel("count.parquet", data_file(0), (const uint64_t[]){1}, 1, &f);
    f.record_count = 2;
    entry_breaks(&f, FRZ_CORRUPT, "count.parquet");
}

TEST(foreign_deletes, without_their_two_columns_are_corruption)
{
    struct ice_file f;
    struct file *out;
    struct pq_writer *w;
    struct codec_ctx *codec;
    uint64_t bytes;
    const struct pq_wcol cols[1] = {{.name = "id", .field_id = 1, .type = {.id = FRZ_LONG}}};
    bed_init(2);
    posdel("good.parquet", data_file(0), (const uint64_t[]){1}, 1, &f); /* for what an entry says */
    out = new_file("columns.parquet");
    OK(frz__codec_ctx_new(NULL, &codec, &b.e), &b.e);
    OK(frz__pq_writer_new(NULL, &(struct pq_writer_options){0}, cols, 1, (struct pq_sink){out, append_file}, codec, &w, &b.e), &b.e);
    OK(frz__pq_writer_end_rows(w, &b.e), &b.e);
    OK(frz__pq_writer_finish(w, &bytes, &b.e), &b.e);
    frz__pq_writer_free(w);
    frz__codec_ctx_free(codec);
    OK(frz__file_close(out, &b.e), &b.e);
    f.path = uri("columns.parquet");
    f.file_size = (int64_t)bytes;
    entry_breaks(&f, FRZ_CORRUPT, "file_path");
}

TEST(foreign_deletes, with_a_null_or_a_negative_position_are_corruption)
{
    for (int negative = 0; negative < 2; negative++) {
        struct ice_file f;
        struct file *out;
        struct pq_writer *w;
        struct codec_ctx *codec;
        struct vec paths, positions;
        uint64_t bytes;
        const struct pq_wcol cols[2] = {{.name = "file_path", .field_id = 2147483546, .type = {.id = FRZ_STRING}}, {.name = "pos", .field_id = 2147483545, .type = {.id = FRZ_LONG}}};
        bed_init(2);
        posdel("good.parquet", data_file(0), (const uint64_t[]){1}, 1, &f);
        out = new_file("rows.parquet");
        frz__vec_init(&paths, NULL, cols[0].type);
        frz__vec_init(&positions, NULL, cols[1].type);
        slice target = data_file(0);
        frz_value path = {.type = FRZ_STRING, .as.bytes = {.data = target.data, .len = target.len}}, pos = {.type = negative ? FRZ_LONG : FRZ_NULL, .as.i64 = -1};
        OK(frz__vec_append(&paths, &path, &b.e), &b.e);
        OK(frz__vec_append(&positions, &pos, &b.e), &b.e);
        OK(frz__codec_ctx_new(NULL, &codec, &b.e), &b.e);
        OK(frz__pq_writer_new(NULL, &(struct pq_writer_options){0}, cols, 2, (struct pq_sink){out, append_file}, codec, &w, &b.e), &b.e);
        OK(frz__pq_write(w, (const struct vec *const[]){&paths, &positions}, 0, 1, &b.e), &b.e);
        OK(frz__pq_writer_end_rows(w, &b.e), &b.e);
        OK(frz__pq_writer_finish(w, &bytes, &b.e), &b.e);
        frz__pq_writer_free(w);
        frz__codec_ctx_free(codec);
        frz__vec_clear(&paths);
        frz__vec_clear(&positions);
        OK(frz__file_close(out, &b.e), &b.e);
        f.path = uri("rows.parquet");
        f.file_size = (int64_t)bytes;
        entry_breaks(&f, FRZ_CORRUPT, negative ? "-1" : "null");
    }
}

TEST(foreign_deletes, by_equality_are_refused_with_advice)
{
    struct ice_file f;
    struct vfile **files;
    struct delfile *dels;
    size_t n, del_count;
    bed_init(2);
    posdel("eq.parquet", data_file(0), (const uint64_t[]){1}, 1, &f);
    commit(&f);
    struct version *v = frz__version_acquire(b.t->t);
    for (size_t m = 0; m < v->tree.count; m++) /* as if it had been read so: we write none */
        for (size_t i = 0; i < v->tree.manifests[m].entry_count; i++)
            if (v->tree.manifests[m].entries[i].file.content == ICE_POSITION_DELETES) v->tree.manifests[m].entries[i].file.content = ICE_EQUALITY_DELETES;
    FAILS(frz__version_files(b.t->t, v, v->meta->current_snapshot_id, &files, &n, &dels, &del_count, &b.e), FRZ_UNSUPPORTED, &b.e);
    MESSAGE_HAS(&b.e, "equality delete file");
    frz__version_release(v);
    bed_clear();
}

TEST(foreign_deletes, whose_vector_lies_outside_of_its_file_are_corruption)
{
    static const int64_t places[][2] = {{4, 1000000}, {1000000, 40}, {4, 11}, {INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(places); i++) {
        bed_init(3);
        struct file *out = new_file("dv.puffin");
        OK(frz__file_write(out, 0, "PFA1............................PFA1", 36, &b.e), &b.e);
        OK(frz__file_close(out, &b.e), &b.e);
        struct ice_file f = {.content = ICE_POSITION_DELETES, .path = uri("dv.puffin"), .format = slice_str("PUFFIN"), .record_count = 1, .file_size = 36, .sort_order_id = -1, .first_row_id = -1,
            .content_offset = places[i][0], .content_size = places[i][1], .referenced_data_file = data_file(0)};
        entry_breaks(&f, FRZ_CORRUPT, "dv.puffin");
    }
}

TEST(foreign_data, of_another_format_is_refused)
{
    bed_init(2);
    struct ice_file f = {.content = ICE_DATA, .path = uri("rows.orc"), .format = slice_str("ORC"), .record_count = 1, .file_size = 100, .sort_order_id = -1, .first_row_id = -1, .content_offset = -1,
        .content_size = -1};
    entry_breaks(&f, FRZ_UNSUPPORTED, "ORC");
}

TEST(foreign_data, outside_of_the_table_is_refused)
{
    static const char *const paths[] = {"file:///elsewhere/x.parquet", LOCATION "-not/data/x.parquet", LOCATION "/../../etc/x.parquet", "s3://bucket/x.parquet"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(paths); i++) {
        bed_init(2);
        struct ice_file f = {.content = ICE_DATA, .path = slice_str(paths[i]), .format = slice_str("PARQUET"), .record_count = 1, .file_size = 100, .sort_order_id = -1, .first_row_id = -1,
            .content_offset = -1, .content_size = -1};
        entry_breaks(&f, FRZ_UNSUPPORTED, "is not under the table's location");
    }
}

/* Engines that were given the table by its folder write its path without a scheme, or with another number of slashes. */
TEST(foreign_data, of_the_table_by_any_spelling_of_its_path_is_taken_up)
{
    static const char *const spellings[] = {"/mem/main/t/data/theirs.parquet", "file:/mem/main/t/data/theirs.parquet", LOCATION "/data/theirs.parquet"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(spellings); i++) {
        struct ice_file f;
        bed_init(2);
        posdel("theirs.parquet", data_file(0), (const uint64_t[]){1}, 1, &f);
        f.path = slice_str(spellings[i]);
        commit(&f);
        bed_close();
        bed_open();
        assert_int_equal(count(), 2 * ROWS - 1);
        for (int n = 0; n < 3; n++) { /* and masked further, which drops or takes up their file */
            frz_value key = {.type = FRZ_LONG, .as.i64 = n};
            OK(frz_delete(b.t, &key, 1, NULL, &b.e), &b.e);
            OK(frz_table_flush(b.t, &b.e), &b.e);
        }
        OK(frz_table_compact(b.t, NULL, NULL, &b.e), &b.e);
        assert_true(count() <= 2 * ROWS - 3);
        bed_clear();
    }
}

struct findings { size_t n; char last[512]; };
static int on_finding(void *ctx, const frz_finding *f)
{
    struct findings *x = (struct findings *)ctx;
    x->n++;
    snprintf(x->last, sizeof x->last, "%s: %s", f->where, f->what);
    return 0;
}
TEST(foreign_data, that_gives_a_key_two_live_rows_is_what_verify_finds)
{
    struct buf bytes = BUF_INIT(NULL, 0);
    struct findings x = {0};
    frz_verify_report report = FRZ_INIT(frz_verify_report);
    bed_init(2);
    slice first = data_file(0);
    OK(frz__fs_read_file(b.fs, (const char *)first.data + strlen("file:///mem/"), 1 << 20, &bytes, &b.e), &b.e);
    struct file *out = new_file("copy.parquet");
    OK(frz__file_write(out, 0, bytes.data, bytes.len, &b.e), &b.e);
    OK(frz__file_close(out, &b.e), &b.e);
    struct ice_file f = {.content = ICE_DATA, .path = uri("copy.parquet"), .format = slice_str("PARQUET"), .record_count = 2 * ROWS, .file_size = (int64_t)bytes.len, .sort_order_id = -1, .first_row_id = -1,
        .content_offset = -1, .content_size = -1};
    buf_clear(&bytes);
    OK(frz_verify(b.db, b.t, on_finding, &x, &report, &b.e), &b.e);
    assert_int_equal(x.n, 0);
    commit(&f);
    bed_close();
    bed_open();
    OK(frz_verify(b.db, b.t, on_finding, &x, &report, &b.e), &b.e);
    assert_true(x.n > 0);
    assert_non_null(strstr(x.last, "live row"));
    assert_int_equal(report.findings, x.n);
    bed_clear();
}

TEST(foreign_data, that_lacks_a_row_of_its_manifests_count_is_corruption)
{
    bed_init(2);
    struct buf bytes = BUF_INIT(NULL, 0);
    slice first = data_file(0);
    OK(frz__fs_read_file(b.fs, (const char *)first.data + strlen("file:///mem/"), 1 << 20, &bytes, &b.e), &b.e);
    struct file *out = new_file("short.parquet");
    OK(frz__file_write(out, 0, bytes.data, bytes.len, &b.e), &b.e);
    OK(frz__file_close(out, &b.e), &b.e);
    struct ice_file f = {.content = ICE_DATA, .path = uri("short.parquet"), .format = slice_str("PARQUET"), .record_count = 2 * ROWS + 1, .file_size = (int64_t)bytes.len, .sort_order_id = -1,
        .first_row_id = -1, .content_offset = -1, .content_size = -1};
    buf_clear(&bytes);
    entry_breaks(&f, FRZ_CORRUPT, "short.parquet");
}
