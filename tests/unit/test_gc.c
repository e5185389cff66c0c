/* Goal    gc lists what is on disk and not of the current state, says why, and removes what is due and nothing else.
 * Method  a database in memory; files of every kind are laid beside a table's own; other engines' commits are ours with their text edited. */
#include "table_kit.h"
#include "tidy_kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/handle.h"
#include "base/clock.h"
#include "engine/gc.h"
#include "io/fs.h"

#define DAY_MS ((uint64_t)86400000)

struct bed {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_error e;
};
static struct bed b;

static void open_db(bool read_only)
{
    b.db = table_db_open(b.fs, read_only, &b.e);
    if (!read_only) wait_tidy(b.db);
    if (frz_table_open(b.db, "t", &b.t, &b.e) != FRZ_OK) b.t = NULL;
}
static void close_db(void)
{
    OK(frz_db_close(b.db, &b.e), &b.e);
    b.db = NULL;
    b.t = NULL;
}
static void bed_init(const char *grace, const char *snapshots, int format)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.snapshots-max", "write.metadata.previous-versions-max", "frazil.orphan-check-interval-ms"};
    const char *values[] = {"0", grace, snapshots, "3", "0"}; /* what goes by the day is no other test's */
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    b = (struct bed){0};
    OK(frz__fs_mem_new(NULL, &b.fs, &b.e), &b.e);
    open_db(false);
    OK(frz_schema_parse("id long, v string?", "id", &s, &b.e), &b.e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 5;
    OK(frz_table_create(b.db, "t", s, &to, &b.t, &b.e), &b.e);
    frz_schema_free(s);
}
static void bed_clear(void)
{
    if (b.db) close_db();
    frz__fs_free(b.fs);
}

static void rows_of(int64_t count, const char *v)
{
    for (int64_t i = 0; i < count; i++) OK(table_put(b.t, i, v, &b.e), &b.e);
    OK(frz_table_flush(b.t, &b.e), &b.e);
}
static void round_of(const char *v) { rows_of(100, v); }
static void lay_bytes(const char *path, const void *bytes, size_t len)
{
    struct file *f;
    RC(frz__fs_open(b.fs, path, FS_OPEN_CREATE_NEW, &f, &b.e), FRZ_OK, &b.e);
    OK(frz__file_write(f, 0, bytes, len, &b.e), &b.e);
    OK(frz__file_close(f, &b.e), &b.e);
}
static void lay(const char *path) { lay_bytes(path, "x", 1); }
static bool there(const char *path) { return file_there(b.fs, path); }

/* ── what gc said ── */

struct said { size_t count; struct { char path[160], holder[96]; int32_t why, kept; bool removed; uint64_t bytes; int64_t due_ms; } at[400]; frz_gc_report r; };
static struct said said;
static int on_file(void *ctx, const frz_gc_file *f)
{
    struct said *s = (struct said *)ctx;
    assert_true(s->count < 400);
    assert_true(f->reason && f->reason[0] && f->table && f->holder && f->struct_size == sizeof *f);
    snprintf(s->at[s->count].path, sizeof s->at[0].path, "%s", f->path);
    snprintf(s->at[s->count].holder, sizeof s->at[0].holder, "%s", f->holder);
    s->at[s->count].why = f->why;
    s->at[s->count].kept = f->kept;
    s->at[s->count].removed = f->removed;
    s->at[s->count].due_ms = f->due_ms;
    s->at[s->count++].bytes = f->bytes;
    return 0;
}
static void gc(bool dry_run, uint64_t age_ms)
{
    frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    o.dry_run = dry_run;
    o.orphan_age_ms = age_ms;
    memset(&said, 0, sizeof said);
    said.r.struct_size = sizeof said.r;
    OK(frz_db_gc(b.db, NULL, &o, on_file, &said, &said.r, &b.e), &b.e);
    assert_int_equal(said.r.files, said.count);
}
/* -1 = it is not listed. */
static int find(const char *path)
{
    for (size_t i = 0; i < said.count; i++)
        if (strcmp(said.at[i].path, path) == 0) return (int)i;
    return -1;
}
static void is(const char *path, int why, int kept, bool removed)
{
    int i = find(path);
    if (i < 0) fail_msg("%s is not listed", path);
    if (said.at[i].why != why || said.at[i].kept != kept || said.at[i].removed != removed)
        fail_msg("%s: why %d, kept %d, removed %d; expected %d, %d, %d", path, said.at[i].why, said.at[i].kept, said.at[i].removed, why, kept, removed);
}

/* ── names ── */

TEST(gc_kind, of_a_name_is_by_what_engines_write_and_all_else_is_left_alone)
{
    static const struct { const char *name; bool metadata; int32_t kind; } cases[] = {
        {"frz-1-3-0-0123abcd-0.parquet", false, FRZ_GC_EXPIRED}, {"frz-1-9-0-0123abcd-0.parquet", false, FRZ_GC_ORPHAN}, {"frz-1-9-0-0123abcd-m0.avro", true, FRZ_GC_ORPHAN},
        {"snap-5-1-2-0-0123abcd.avro", true, FRZ_GC_EXPIRED}, {"snap-5-1-550e8400-e29b-41d4-a716-446655440000.avro", true, FRZ_GC_FOREIGN_ORPHAN},
        {"00000-1-550e8400.parquet", false, FRZ_GC_FOREIGN_ORPHAN}, {"550e8400-m0.avro", true, FRZ_GC_FOREIGN_ORPHAN}, {"550e8400-e29b-41d4-a716-446655440000.metadata.json", true, FRZ_GC_FOREIGN_ORPHAN},
        {"00007-550e8400-e29b-41d4-a716-446655440000.metadata.json", true, 0}, {"v2.metadata.json", true, 0}, {"v3.metadata.json", true, 0}, {"v9.metadata.json", true, 0}, {"version-hint.text", true, 0},
        {"x.stats", true, FRZ_GC_FOREIGN_ORPHAN}, {"x.stats", false, 0}, {".tmp-1", true, FRZ_GC_TEMPORARY}, {".tmp-1", false, FRZ_GC_TEMPORARY}, {".00000-1.parquet.crc", false, 0}, {".hidden", true, 0},
        {"README", false, 0}, {"README.md", true, 0}, {"notes.txt", false, 0}, {"a.parquet.bak", false, 0}, {"v1.metadata.json.gz", true, 0}, {"", false, 0}, {".parquet", false, 0}};
    struct ice_meta m = {0};
    struct version v = {.number = 5, .meta = &m};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(cases); i++) {
        int32_t kind = frz__gc_kind(&v, cases[i].name, cases[i].metadata);
        if (kind != cases[i].kind) fail_msg("%s in %s is %d, expected %d", cases[i].name, cases[i].metadata ? "metadata" : "data", kind, cases[i].kind);
    }
}

/* ── what expired ── */

TEST(gc, says_who_keeps_what_expired)
{
    for (int format = 2; format <= 3; format++) {
        bed_init("600000", "2", format);
        for (int i = 0; i < 6; i++) round_of(i % 2 ? "odd" : "even");
        size_t by[8] = {0};
        gc(true, 0);
        for (size_t i = 0; i < said.count; i++) {
            assert_int_equal(said.at[i].why, FRZ_GC_EXPIRED);
            assert_false(said.at[i].removed);
            by[said.at[i].kept]++;
            if (said.at[i].kept == FRZ_GC_BY_GRACE) assert_true(said.at[i].due_ms > frz__clock_wall_us() / 1000 && said.at[i].due_ms <= frz__clock_wall_us() / 1000 + 600000);
        }
        assert_true(by[FRZ_GC_BY_SNAPSHOT] > 0 && by[FRZ_GC_BY_GRACE] > 5);
        assert_int_equal(by[FRZ_GC_BY_SNAPSHOT] + by[FRZ_GC_BY_GRACE], said.count);
        OK(frz_table_set_property(b.t, "frazil.foreign-reader-grace-ms", "0", &b.e), &b.e);
        gc(true, 0); /* the grace is over: due, and the clock may be there first */
        gc(false, 0);
        for (size_t i = 0; i < said.count; i++) assert_int_equal(there(said.at[i].path), !said.at[i].removed);
        gc(false, 0);
        assert_int_equal(said.r.files_due, 0);
        table_has(b.t, 1, "odd");
        frz_verify_report rep = {.struct_size = sizeof rep};
        OK(frz_verify(b.db, NULL, NULL, NULL, &rep, &b.e), &b.e);
        assert_int_equal(rep.findings, 0);
        bed_clear();
    }
}

TEST(gc, names_the_view_or_the_reading_process_that_keeps_a_file)
{
    frz_cursor *c;
    frz_db *reader;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    size_t views = 0, readers = 0;
    bed_init("0", "1", 2);
    round_of("x");
    OK(frz_scan(b.t, NULL, &c, &b.e), &b.e);
    round_of("y");
    o.read_only = true;
    OK(frz__test_db_open(b.fs, &o, &reader, &b.e), &b.e);
    round_of("z");
    gc(true, 0);
    for (size_t i = 0; i < said.count; i++) {
        views += said.at[i].kept == FRZ_GC_BY_VIEW;
        readers += said.at[i].kept == FRZ_GC_BY_READER;
        assert_int_equal(said.at[i].holder[0] != 0, said.at[i].kept == FRZ_GC_BY_READER);
    }
    assert_true(views > 0 && readers > 0);
    frz_cursor_close(c);
    OK(frz_db_close(reader, &b.e), &b.e);
    gc(false, 0);
    assert_int_equal(said.r.files_due, said.r.files_removed);
    assert_int_equal(said.r.files, said.r.files_removed);
    bed_clear();
}

/* ── orphans ── */

TEST(hazard_20, orphans_of_other_engines_go_after_an_age_and_nothing_else_does)
{
    static const char *const orphans[] = {"main/t/data/00000-1-550e8400.parquet", "main/t/metadata/550e8400-m0.avro", "main/t/metadata/snap-5-1-550e8400-e29b-41d4-a716-446655440000.avro",
        "main/t/metadata/550e8400-e29b-41d4-a716-446655440000.metadata.json"};
    static const char *const others[] = {"main/t/data/.hidden.parquet", "main/t/data/README", "main/t/metadata/notes.txt", "main/t/other.parquet", "main/t/data/deep/00000-1.parquet", "main/x.parquet", "stray.parquet",
        ".frazil/lost-x"};
    bed_init("0", "2", 2);
    round_of("x");
    OK(frz__fs_mkdir(b.fs, "main/t/data/deep", &b.e), &b.e);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(orphans); i++) lay(orphans[i]);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(others); i++) lay(others[i]);
    gc(false, 0); /* 3 days by default */
    for (size_t i = 0; i < FRZ_ARRAY_LEN(orphans); i++) is(orphans[i], FRZ_GC_FOREIGN_ORPHAN, FRZ_GC_BY_AGE, false);
    assert_true(said.at[find(orphans[0])].due_ms > frz__clock_wall_us() / 1000 + (int64_t)(2 * DAY_MS));
    frz__test_clock_advance_ns((int64_t)(2 * DAY_MS) * 1000000);
    gc(false, 0);
    is(orphans[0], FRZ_GC_FOREIGN_ORPHAN, FRZ_GC_BY_AGE, false);
    gc(true, DAY_MS);
    is(orphans[0], FRZ_GC_FOREIGN_ORPHAN, FRZ_GC_DUE, false);
    assert_true(there(orphans[0]));
    frz__test_clock_advance_ns((int64_t)(2 * DAY_MS) * 1000000);
    gc(false, 0);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(orphans); i++) {
        is(orphans[i], FRZ_GC_FOREIGN_ORPHAN, FRZ_GC_DUE, true);
        assert_false(there(orphans[i]));
    }
    for (size_t i = 0; i < FRZ_ARRAY_LEN(others); i++) {
        assert_int_equal(find(others[i]), -1);
        assert_true(there(others[i]));
    }
    table_has(b.t, 1, "x");
    bed_clear();
}

TEST(hazard_20, old_orphans_of_other_engines_go_at_an_open_by_themselves_and_young_ones_stay)
{
    frz_stats s = FRZ_INIT(frz_stats);
    bed_init("0", "2", 2);
    round_of("x");
    close_db();
    lay("main/t/data/00000-1-old.parquet");
    lay("main/t/metadata/old-m0.avro");
    lay("main/t/data/notes.txt");
    open_db(false);
    assert_true(there("main/t/data/00000-1-old.parquet"));
    close_db();
    frz__test_clock_advance_ns((int64_t)(4 * DAY_MS) * 1000000);
    lay("main/t/data/00000-1-young.parquet");
    open_db(false);
    assert_false(there("main/t/data/00000-1-old.parquet") || there("main/t/metadata/old-m0.avro"));
    assert_true(there("main/t/data/00000-1-young.parquet") && there("main/t/data/notes.txt"));
    OK(frz_db_stats(b.db, NULL, &s, &b.e), &b.e);
    assert_int_equal(s.orphans_removed, 2);
    table_has(b.t, 1, "x");
    bed_clear();
}

/* v<N> with the first FROM behind MARK replaced by TO, as v<N + STEP>, or under NAME. */
static void edit(int64_t n, const char *mark, const char *from, const char *to, const char *name)
{
    char path[160];
    struct buf text = BUF_INIT(NULL, 0), out = BUF_INIT(NULL, 0);
    snprintf(path, sizeof path, "main/t/metadata/v%lld.metadata.json", (long long)n);
    OK(frz__fs_read_file(b.fs, path, 1 << 20, &text, &b.e), &b.e);
    OK(buf_append_byte(&text, 0, &b.e), &b.e);
    char *at = strstr((char *)text.data, mark);
    assert_non_null(at);
    at = strstr(at, from);
    assert_non_null(at);
    OK(frz__buf_printf(&out, &b.e, "%.*s%s%s", (int)(at - (char *)text.data), (char *)text.data, to, at + strlen(from)), &b.e);
    snprintf(path, sizeof path, "main/t/metadata/%s", name);
    lay_bytes(path, out.data, out.len);
    buf_clear(&text);
    buf_clear(&out);
}
/* v<N> with the first FROM of each pair replaced by its TO is the neighbour's v<N + 1>. */
static void neighbour(int64_t n, const char *const (*pairs)[2], size_t count)
{
    char name[64];
    struct buf text = BUF_INIT(NULL, 0);
    snprintf(name, sizeof name, "main/t/metadata/v%lld.metadata.json", (long long)n);
    OK(frz__fs_read_file(b.fs, name, 1 << 20, &text, &b.e), &b.e);
    OK(buf_append_byte(&text, 0, &b.e), &b.e);
    for (size_t i = 0; i < count; i++) {
        struct buf out = BUF_INIT(NULL, 0);
        char *at = strstr((char *)text.data, pairs[i][0]);
        assert_non_null(at);
        OK(frz__buf_printf(&out, &b.e, "%.*s%s%s%c", (int)(at - (char *)text.data), (char *)text.data, pairs[i][1], at + strlen(pairs[i][0]), 0), &b.e);
        buf_clear(&text);
        text = out;
    }
    snprintf(name, sizeof name, "main/t/metadata/v%lld.metadata.json", (long long)n + 1);
    lay_bytes(name, text.data, text.len - 1);
    buf_clear(&text);
}
/* Main at OLD in place of NOW, as the version behind V. */
static void roll_back(const struct version *v, int64_t old)
{
    static const char *const marks[] = {"\"current-snapshot-id\":", "\"main\":{\"snapshot-id\":"};
    char text[2][2][64];
    for (size_t i = 0; i < 2; i++) {
        snprintf(text[i][0], sizeof text[i][0], "%s%lld", marks[i], (long long)v->meta->current_snapshot_id);
        snprintf(text[i][1], sizeof text[i][1], "%s%lld", marks[i], (long long)old);
    }
    neighbour(v->number, (const char *const[][2]){{text[0][0], text[0][1]}, {text[1][0], text[1][1]}}, 2);
}
static int64_t version(void) { return b.t->t->version->number; }

TEST(hazard_20, statistics_files_and_what_an_older_version_names_are_no_orphans)
{
    char statistics[200];
    struct version *v;
    bed_init("0", "4", 2);
    round_of("x");
    round_of("y");
    v = frz__version_acquire(b.t->t);
    snprintf(statistics, sizeof statistics, "\"statistics\":[{\"snapshot-id\":%lld,\"statistics-path\":\"file:///mem/main/t/metadata/s1.stats\",\"file-size-in-bytes\":1,\"file-footer-size-in-bytes\":1,\"blob-metadata\":[]}]",
             (long long)v->meta->current_snapshot_id);
    frz__version_release(v);
    char name[64];
    snprintf(name, sizeof name, "v%lld.metadata.json", (long long)version() + 1);
    edit(version(), "{", "\"statistics\":[]", statistics, name);
    /* another catalog's version of the table, which names statistics of its own */
    edit(version(), "{", "\"partition-statistics\":[]", "\"partition-statistics\":[{\"snapshot-id\":1,\"statistics-path\":\"file:///mem/main/t/metadata/p1.stats\",\"file-size-in-bytes\":1}]",
         "00007-550e8400-e29b-41d4-a716-446655440000.metadata.json");
    lay("main/t/metadata/s1.stats");
    lay("main/t/metadata/p1.stats");
    lay("main/t/metadata/o1.stats");
    close_db();
    open_db(false);
    frz__test_clock_advance_ns((int64_t)(4 * DAY_MS) * 1000000);
    gc(false, 0);
    assert_int_equal(find("main/t/metadata/s1.stats"), -1);
    assert_int_equal(find("main/t/metadata/p1.stats"), -1);
    is("main/t/metadata/o1.stats", FRZ_GC_FOREIGN_ORPHAN, FRZ_GC_DUE, true);
    assert_true(there("main/t/metadata/s1.stats") && there("main/t/metadata/p1.stats"));
    /* metadata that can't be read: nothing of others goes on its account */
    lay("main/t/metadata/o2.stats");
    lay("main/t/metadata/00008-550e8400-e29b-41d4-a716-446655440000.metadata.json");
    frz__test_clock_advance_ns((int64_t)(4 * DAY_MS) * 1000000);
    frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    assert_true(frz_db_gc(b.db, b.t, &o, NULL, NULL, NULL, &b.e) < 0);
    assert_true(there("main/t/metadata/o2.stats"));
    bed_clear();
}

/* ── other engines' commits ── */

static int keep_path(void *ctx, const frz_file_info *i)
{
    snprintf((char *)ctx, 256, "%s", i->path);
    return 1;
}

static void expire(void)
{
    struct table *t = b.t->t;
    frz__mutex_lock(&t->flush_mu);
    while (frz__expire_run(t)) {} /* a round ends by its time */
    frz__mutex_unlock(&t->flush_mu);
}

/* Main goes back to an older snapshot: files that were to go are the table's again. */
TEST(hazard_37, a_rollback_by_another_engine_brings_back_what_was_to_go)
{
    char path[256];
    struct version *v;
    bed_init("0", "3", 2);
    OK(frz_table_set_property(b.t, "history.expire.max-snapshot-age-ms", "1", &b.e), &b.e);
    OK(frz_table_set_property(b.t, "history.expire.min-snapshots-to-keep", "3", &b.e), &b.e);
    rows_of(20000, "first"); /* too large to be absorbed by a few rows */
    RC(frz_table_files(b.t, NULL, keep_path, path, &b.e), 1, &b.e);
    v = frz__version_acquire(b.t->t);
    int64_t old = v->meta->current_snapshot_id;
    frz__version_release(v);
    rows_of(20000, "second"); /* PATH is masked as a whole and goes: pending, retained by the first snapshot */
    v = frz__version_acquire(b.t->t);
    roll_back(v, old);
    frz__version_release(v);
    OK(table_put(b.t, 1000, "ours", &b.e), &b.e);
    OK(frz_table_flush(b.t, &b.e), &b.e); /* finds the neighbour's version */
    table_has(b.t, 1, "first");
    for (int64_t i = 0; i < 8; i++) { /* the first snapshot expires: nothing but its successors has PATH now */
        OK(table_put(b.t, 2000 + i, "more", &b.e), &b.e);
        OK(frz_table_flush(b.t, &b.e), &b.e);
        expire();
    }
    v = frz__version_acquire(b.t->t);
    assert_null(frz__ice_snapshot(v->meta, old));
    frz__version_release(v);
    char now[256];
    RC(frz_table_files(b.t, NULL, keep_path, now, &b.e), 1, &b.e);
    assert_string_equal(now, path);
    assert_true(there(path));
    close_db();
    open_db(false);
    table_has(b.t, 1, "first");
    table_has(b.t, 1000, "ours");
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(b.db, NULL, NULL, NULL, &rep, &b.e), &b.e);
    assert_int_equal(rep.findings, 0);
    bed_clear();
}

static void branch_says(const char *v)
{
    frz_snapshot *s;
    frz_row *row;
    frz_value key = {.type = FRZ_LONG, .as.i64 = 1};
    size_t len;
    OK(frz_snapshot_open_ref(b.t, "b", &s, &b.e), &b.e);
    OK(frz_row_new(b.t, &row, &b.e), &b.e);
    OK(frz_get(b.t, s, &key, 1, row, &b.e), &b.e);
    const char *got = frz_row_bytes(row, 1, &len);
    assert_int_equal(len, strlen(v));
    assert_memory_equal(got, v, len);
    frz_row_free(row);
    frz_snapshot_close(s);
}

/* Main stays as it is, and the branch goes on: its new snapshot has files that main let go, by a sequence number beyond theirs. */
TEST(hazard_37, a_branch_that_another_engine_writes_keeps_what_main_let_go)
{
    char path[256], list[300], ref[64], from[64], to[128], added[700];
    struct buf bytes = BUF_INIT(NULL, 0);
    struct version *v;
    bed_init("0", "3", 2);
    OK(frz_table_set_property(b.t, "history.expire.max-snapshot-age-ms", "1", &b.e), &b.e);
    OK(frz_table_set_property(b.t, "history.expire.min-snapshots-to-keep", "3", &b.e), &b.e);
    rows_of(20000, "first"); /* too large to be absorbed by a few rows */
    RC(frz_table_files(b.t, NULL, keep_path, path, &b.e), 1, &b.e);
    v = frz__version_acquire(b.t->t);
    const struct ice_snapshot *s = frz__ice_snapshot(v->meta, v->meta->current_snapshot_id);
    long long old = s->id, theirs = old == 1 ? 2 : old - 1;
    slice prefix = slice_str("file:///mem/");
    assert_true(slice_has_prefix(s->manifest_list, prefix));
    snprintf(list, sizeof list, "%.*s", (int)(s->manifest_list.len - prefix.len), (const char *)s->manifest_list.data + prefix.len);
    OK(frz__fs_read_file(b.fs, list, 1 << 20, &bytes, &b.e), &b.e);
    snprintf(ref, sizeof ref, "\"b\":{\"snapshot-id\":%lld,", old);
    snprintf(to, sizeof to, "\"refs\":{%s\"type\":\"branch\"},", ref);
    neighbour(v->number, (const char *const[][2]){{"\"refs\":{", to}}, 1);
    frz__version_release(v);
    rows_of(20000, "second"); /* finds the branch. PATH is masked as a whole and goes: pending, retained by the first snapshot */
    v = frz__version_acquire(b.t->t);
    assert_non_null(frz__ice_ref(v->meta, slice_str("b")));
    lay_bytes("main/t/metadata/snap-theirs.avro", bytes.data, bytes.len);
    buf_clear(&bytes);
    long long seq = v->meta->last_sequence_number;
    snprintf(from, sizeof from, "\"last-sequence-number\":%lld", seq);
    snprintf(to, sizeof to, "\"last-sequence-number\":%lld", seq + 1);
    snprintf(added, sizeof added, "\"snapshots\":[{\"snapshot-id\":%lld,\"parent-snapshot-id\":%lld,\"sequence-number\":%lld,\"timestamp-ms\":%lld,\"summary\":{\"operation\":\"append\"},\"schema-id\":0,"
                                  "\"manifest-list\":\"file:///mem/main/t/metadata/snap-theirs.avro\"},",
             theirs, old, seq + 1, (long long)v->meta->last_updated_ms);
    char moved[64];
    snprintf(moved, sizeof moved, "\"b\":{\"snapshot-id\":%lld,", theirs);
    neighbour(v->number, (const char *const[][2]){{from, to}, {"\"snapshots\":[", added}, {ref, moved}}, 3);
    frz__version_release(v);
    for (int64_t i = 0; i < 8; i++) { /* the first finds their version; then the first snapshot expires: the branch's new one alone has PATH */
        OK(table_put(b.t, 2000 + i, "more", &b.e), &b.e);
        OK(frz_table_flush(b.t, &b.e), &b.e);
        expire();
    }
    v = frz__version_acquire(b.t->t);
    assert_null(frz__ice_snapshot(v->meta, old));
    assert_non_null(frz__ice_snapshot(v->meta, theirs));
    frz__version_release(v);
    assert_true(there(path));
    branch_says("first");
    table_has(b.t, 1, "second");
    close_db();
    open_db(false);
    assert_true(there(path));
    branch_says("first");
    frz_verify_report rep = {.struct_size = sizeof rep};
    OK(frz_verify(b.db, NULL, NULL, NULL, &rep, &b.e), &b.e);
    assert_int_equal(rep.findings, 0);
    bed_clear();
}

static struct fs_ops counting;
static int (*real_open)(struct fs *, const char *, enum fs_open_mode, struct file **, frz_error *);
static size_t lists_read;
static int counted_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct file **out, frz_error *err)
{
    lists_read += mode == FS_OPEN_READ && strstr(path, "/metadata/snap-") != NULL;
    return real_open(fs, path, mode, out, err);
}

/* What metadata names again stays unsure: that is no reason to read all of it second by second, as the table goes on. */
TEST(expiry, looks_through_all_metadata_once_a_foreign_commit_and_else_now_and_then)
{
    struct version *v;
    size_t looks[8];
    bed_init("0", "3", 2);
    rows_of(20000, "first");
    v = frz__version_acquire(b.t->t);
    int64_t old = v->meta->current_snapshot_id;
    frz__version_release(v);
    rows_of(20000, "second"); /* the first file is to go */
    v = frz__version_acquire(b.t->t);
    roll_back(v, old); /* and is not */
    frz__version_release(v);
    frz__test_clock_rounds_off(true);
    counting = *b.fs->ops;
    real_open = counting.open;
    counting.open = counted_open;
    b.fs->ops = &counting;
    for (int64_t i = 0; i < 8; i++) {
        OK(table_put(b.t, 2000 + i, "more", &b.e), &b.e);
        OK(frz_table_flush(b.t, &b.e), &b.e); /* the first meets the neighbour's version */
        if (i == 6) frz__test_clock_advance_ns((int64_t)61 * 1000000000);
        lists_read = 0;
        expire();
        looks[i] = lists_read;
    }
    size_t all = 0;
    for (size_t i = 0; i < 8; i++) all += looks[i] > 0;
    assert_int_equal(all, 2); /* once, and a minute later */
    assert_true(looks[6] > 0 && looks[7] == 0);
    table_has(b.t, 1, "first");
    frz__test_clock_rounds_off(false);
    bed_clear();
}

/* A version of another engine's names a file outside of the table, as one of a snapshot that expires. */
TEST(hazard_23, what_lies_outside_of_the_table_is_never_removed)
{
    char from[200], to[200], name[64];
    struct version *v;
    bed_init("0", "2", 2);
    OK(frz__fs_mkdir(b.fs, "main/other", &b.e), &b.e);
    OK(frz__fs_mkdir(b.fs, "main/other/metadata", &b.e), &b.e);
    lay("main/other/metadata/snap-1.avro");
    round_of("one");
    round_of("two");
    v = frz__version_acquire(b.t->t);
    const struct ice_snapshot *old = &v->meta->snapshots[0];
    assert_true(v->meta->snapshot_count == 2 && old->id != v->meta->current_snapshot_id && old->manifest_list.len < 180);
    snprintf(from, sizeof from, "%.*s", (int)old->manifest_list.len, (const char *)old->manifest_list.data);
    snprintf(to, sizeof to, "file:///mem/main/other/metadata/snap-1.avro");
    snprintf(name, sizeof name, "v%lld.metadata.json", (long long)v->number + 1);
    edit(v->number, "{", from, to, name);
    frz__version_release(v);
    for (int i = 0; i < 6; i++) {
        round_of(i % 2 ? "odd" : "even");
        expire();
    }
    gc(false, 0);
    assert_true(there("main/other/metadata/snap-1.avro"));
    table_has(b.t, 1, "odd");
    close_db();
    open_db(false);
    gc(false, 0);
    assert_true(there("main/other/metadata/snap-1.avro"));
    bed_clear();
}

/* ── the rest ── */

TEST(gc, removes_trash_and_leases_of_the_dead_and_reads_only_where_it_may_not_write)
{
    bed_init("600000", "2", 2);
    round_of("x");
    OK(frz__fs_mkdir(b.fs, ".frazil/trash", &b.e), &b.e);
    OK(frz__fs_mkdir(b.fs, ".frazil/trash/1-0-0-00000000", &b.e), &b.e);
    OK(frz__fs_mkdir(b.fs, ".frazil/trash/1-0-0-00000000/data", &b.e), &b.e);
    lay(".frazil/trash/1-0-0-00000000/data/a.parquet");
    OK(frz__fs_mkdir(b.fs, ".frazil/readers", &b.e), &b.e);
    lay(".frazil/readers/00000000-1-1");
    lay("main/t/data/00000-1.parquet");
    gc(true, 0);
    is(".frazil/trash/1-0-0-00000000", FRZ_GC_TRASH, FRZ_GC_DUE, false);
    is(".frazil/readers/00000000-1-1", FRZ_GC_LEASE, FRZ_GC_DUE, false);
    assert_true(there(".frazil/readers/00000000-1-1"));
    gc(false, 0);
    is(".frazil/trash/1-0-0-00000000", FRZ_GC_TRASH, FRZ_GC_DUE, true);
    is(".frazil/readers/00000000-1-1", FRZ_GC_LEASE, FRZ_GC_DUE, true);
    assert_false(there(".frazil/trash/1-0-0-00000000"));
    assert_false(there(".frazil/readers/00000000-1-1"));
    close_db();
    open_db(false);
    lay("main/t/data/frz-1-9999-0-0123abcd-0.parquet");
    frz_db *writer = b.db;
    frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    for (int open = 1; open >= 0; open--) {
        open_db(true);
        FAILS(frz_db_gc(b.db, NULL, &o, NULL, NULL, NULL, &b.e), FRZ_READ_ONLY, &b.e);
        gc(true, 0);
        is("main/t/data/00000-1.parquet", FRZ_GC_FOREIGN_ORPHAN, FRZ_GC_BY_AGE, false);
        is("main/t/data/frz-1-9999-0-0123abcd-0.parquet", FRZ_GC_ORPHAN, open ? FRZ_GC_BY_WRITER : FRZ_GC_DUE, false);
        assert_int_equal(said.at[find("main/t/data/frz-1-9999-0-0123abcd-0.parquet")].due_ms, open ? -1 : 0);
        close_db();
        if (open) OK(frz_db_close(writer, &b.e), &b.e);
    }
    bed_clear();
}

static frz_db *open_untidy(void)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_db *db = NULL;
    o.no_compaction = o.no_tidy = true;
    o.durability = FRZ_SYNC_OFF;
    OK(frz__test_db_open(b.fs, &o, &db, &b.e), &b.e);
    return db;
}

/* Where nobody writes, a reader knows all that the next writer will: a dry run says what a run does, file by file, with the same reasons and times. */
TEST(gc, a_dry_run_of_a_reader_says_what_the_next_run_does)
{
    static const char *const garbage[] = {"main/t/data/frz-1-9999-0-0123abcd-0.parquet", "main/t/metadata/.tmp-1-9999-0-0123abcd", "main/t/data/frz-1-1-5-0123abcd-0.parquet", "main/t/data/00000-1.parquet",
        "main/t/data/00000-2.parquet", ".frazil/trash/a/data/day=1/x.parquet", ".frazil/readers/00000000-1-1"};
    static const char *const dirs[] = {".frazil/trash", ".frazil/trash/a", ".frazil/trash/a/data", ".frazil/trash/a/data/day=1", ".frazil/readers"};
    for (int format = 2; format <= 3; format++) {
        for (int late = 0; late < 2; late++) { /* within the grace, and after it */
            struct said dry;
            size_t kept[8] = {0};
            bed_init("600000", "3", format);
            for (int i = 0; i < 6; i++) round_of(i % 2 ? "odd" : "even");
            close_db();
            for (size_t i = 0; i < FRZ_ARRAY_LEN(dirs); i++) assert_true(frz__fs_mkdir(b.fs, dirs[i], &b.e) >= 0);
            for (size_t i = 0; i < FRZ_ARRAY_LEN(garbage); i++) lay(garbage[i]);
            if (late) frz__test_clock_advance_ns((int64_t)601 * 1000000000);
            open_db(true);
            gc(true, 300000);
            dry = said;
            close_db();
            for (size_t i = 0; i < FRZ_ARRAY_LEN(garbage); i++) assert_true(there(garbage[i]));
            b.db = open_untidy();
            tick_now(b.db);
            tick_now(b.db);
            for (size_t i = 0; i < FRZ_ARRAY_LEN(garbage); i++) assert_true(there(garbage[i])); /* nothing goes by itself */
            gc(false, 300000);
            assert_int_equal(said.count, dry.count);
            for (size_t i = 0; i < dry.count; i++) {
                int k = find(dry.at[i].path);
                if (k < 0) fail_msg("%s is not listed by the run", dry.at[i].path);
                if (said.at[k].why != dry.at[i].why || said.at[k].kept != dry.at[i].kept)
                    fail_msg("%s: why %d, kept %d; the dry run said %d, %d", dry.at[i].path, said.at[k].why, said.at[k].kept, dry.at[i].why, dry.at[i].kept);
                assert_int_equal(said.at[k].removed, dry.at[i].kept == FRZ_GC_DUE);
                assert_int_equal(there(dry.at[i].path), !said.at[k].removed);
                if (dry.at[i].due_ms > 0) assert_in_range(said.at[k].due_ms, dry.at[i].due_ms - 5000, dry.at[i].due_ms + 5000);
                else assert_int_equal(said.at[k].due_ms, dry.at[i].due_ms);
                kept[dry.at[i].kept]++;
            }
            assert_int_equal(said.r.files_due, dry.r.files_due);
            assert_int_equal(said.r.bytes, dry.r.bytes);
            assert_true(kept[FRZ_GC_DUE] >= 4 && kept[FRZ_GC_BY_SNAPSHOT] > 0);
            assert_int_equal(kept[FRZ_GC_BY_GRACE] > 0, !late);
            OK(frz_table_open(b.db, "t", &b.t, &b.e), &b.e);
            table_has(b.t, 1, "odd");
            bed_clear();
        }
    }
}

TEST(gc, of_an_empty_table_and_an_empty_database_finds_nothing)
{
    bed_init("0", "2", 3);
    gc(false, 1);
    assert_int_equal(said.count, 0);
    OK(frz_table_drop(b.db, "t", &b.e), &b.e);
    gc(false, 1);
    assert_int_equal(said.count, 0);
    bed_clear();
}

/* A file of ours, of the epoch that runs: a job has left it, or is writing it. */
TEST(gc, leaves_what_a_running_job_writes)
{
    char path[160];
    bed_init("0", "2", 2);
    round_of("x");
    snprintf(path, sizeof path, "main/t/data/frz-%llx-1-77-0123abcd-0.parquet", (unsigned long long)b.t->t->db->epoch);
    lay(path);
    gc(false, 0);
    is(path, FRZ_GC_ORPHAN, FRZ_GC_BY_AGE, false);
    assert_true(there(path));
    bed_clear();
}
