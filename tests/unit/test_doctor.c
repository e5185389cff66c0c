/* Goal    each rule speaks where its numbers say so, and is silent just below; a healthy database is found healthy; what a running writer reports is judged as if it were one's own.
 * Method  tables of facts for the pure rules; a database in memory, and reports as text, for the gathering. */
#include "frz_test.h"

#include <stdio.h>
#include <string.h>

#include "api/handle.h"
#include "engine/doctor.h"
#include "io/fs_fault.h"
#include "table_kit.h"

struct world { struct doctor_facts f; struct doctor_table t[2]; };
static struct world well(void)
{
    struct world w = {.f = {.live = true, .durability = FRZ_SYNC_FULL, .memory_bytes = 256 << 20, .memtable_bytes = 64 << 20, .now_ms = 1000000000000, .disk_bytes = (uint64_t)1 << 40, .disk_free = (uint64_t)1 << 39, .table_count = 2}};
    frz_error e;
    for (int i = 0; i < 2; i++) {
        w.t[i].name = i ? "main.b" : "main.a";
        w.t[i].h.part = "";
        OK(frz__table_settings(NULL, 0, true, &w.t[i].set, &e), &e);
        w.t[i].s = (frz_stats){.data_files = 10, .data_bytes = (uint64_t)4 << 30, .rows_live = 1000000, .flushes = 100, .flush_rows = 1000000, .space_amplification = 1.1, .snapshots = 30, .manifests = 10, .metadata_bytes = 30000};
        w.t[i].newest_snapshot_ms = w.f.now_ms - 1000;
    }
    w.f.s = (frz_stats){.gets = 100000, .gets_found = 100000, .cache_hits = 1000000, .cache_misses = 1000, .cache_hit_ratio = 0.99, .log_segments = 4};
    w.f.h.part = "";
    return w;
}

struct heard { size_t count; char code[32], table[64], evidence[512], remedy[256]; int severity; };
static int hear(void *ctx, const frz_diagnosis *d)
{
    struct heard *h = (struct heard *)ctx;
    h->count++;
    h->severity = d->severity;
    snprintf(h->code, sizeof h->code, "%s", d->code);
    snprintf(h->table, sizeof h->table, "%s", d->table ? d->table : "");
    snprintf(h->evidence, sizeof h->evidence, "%s", d->evidence);
    snprintf(h->remedy, sizeof h->remedy, "%s", d->remedy);
    assert_true(strlen(d->what) > 10 && d->struct_size == sizeof *d);
    return 0;
}
static struct heard judge(struct world *w)
{
    struct heard h = {0};
    w->f.tables = w->t;
    assert_int_equal(frz__doctor(&w->f, hear, &h), 0);
    return h;
}

TEST(doctor, finds_nothing_wrong_where_nothing_is)
{
    struct world w = well();
    struct heard h = judge(&w);
    if (h.count) fail_msg("%s: %s", h.code, h.evidence);
    w.f.table_count = 0;
    assert_int_equal(judge(&w).count, 0);
    memset(&w.f, 0, sizeof w.f); /* nothing is known at all */
    assert_int_equal(judge(&w).count, 0);
}

/* What makes the rule speak, and the least change to that after which it does not. */
#define RULE(name, bad, good) static void bad_##name(struct world *w) { struct doctor_facts *f = &w->f; struct doctor_table *t = &w->t[1]; (void)f, (void)t; bad; } \
    static void good_##name(struct world *w) { struct doctor_facts *f = &w->f; struct doctor_table *t = &w->t[1]; (void)f, (void)t; good; }
RULE(health_db, (f->h = (frz_health){.severity = FRZ_HEALTH_WRITES_STOPPED, .error_class = FRZ_CLASS_IO, .part = "log", .advice = "look at the disk", .tries = 3}), f->h.severity = 0)
RULE(health_table, (t->h = (frz_health){.severity = FRZ_HEALTH_DEGRADED, .error_class = FRZ_CLASS_NO_SPACE, .part = "flush", .advice = "make room now", .tries = 3, .table = "main.b"}), t->h.severity = 0)
RULE(remote, f->remote = "NFS", f->remote = NULL)
RULE(disk, f->disk_free = f->disk_bytes / 100 * 4, f->disk_free = f->disk_bytes / 100 * 6)
RULE(disk_error, f->disk_free = f->disk_bytes / 1000, f->disk_free = f->disk_bytes / 100 * 6)
RULE(lost, f->lost_dirs = 1, f->lost_dirs = 0)
RULE(trash, f->trash = 2, f->trash = 0)
RULE(leases, f->old_leases = 2, f->old_leases = 0)
RULE(memory, (f->memory_bytes = 100 << 20, w->t[0].s.memtable_bytes = t->s.memtable_bytes = 1), t->s.memtable_bytes = 0)
RULE(cache, (f->s.cache_misses = 100000, f->s.cache_hit_ratio = 0.4, f->s.cache_bytes = f->memory_bytes * 3 / 10), f->s.cache_bytes /= 2)
RULE(log, (f->s.log_segments = 100, t->s.publish_lag_us = 50000000), f->s.log_segments = 31)
RULE(archive_waits, (f->s.log_segments = 100, f->s.log_archive_waiting = 68), f->s.log_archive_waiting = 69)
RULE(archive_gap, f->s.log_archive_given_up = 3, f->s.log_archive_given_up = 0)
RULE(archive_place, f->archive_trouble = "/kept: Not a directory", f->archive_trouble = NULL)
RULE(archive_gone, (f->archive_trouble = "/kept: No such file or directory", f->archive_gone = true), f->archive_trouble = NULL)
RULE(durability, f->durability = FRZ_SYNC_OFF, f->durability = FRZ_SYNC_INTERVAL)
RULE(pin, (f->s.oldest_pin_us = (uint64_t)7200 * 1000000, f->s.pins = 1), f->s.oldest_pin_us = (uint64_t)1800 * 1000000)
RULE(publishes, t->s.flush_rows = t->s.flushes * 499, t->s.flush_rows = t->s.flushes * 500)
RULE(lag, t->s.publish_lag_us = 61 * 1000000, t->set.frazil_publish_interval_ms = 0)
RULE(stalls, (t->s.stalls = 3, t->s.stall_us_total = 5000), t->s.stalls = 0)
RULE(stalls_small, (f->memory_bytes = 64 << 20, f->memtable_bytes = 8 << 20, t->s.stalls = 3, t->s.stall_us_total = 5000), t->s.stalls = 0)
RULE(stalls_memory, (t->s.stalls = t->s.stalls_memory = 3, t->s.stall_us_total = t->s.stall_memory_us_total = 5000, t->s.stall_memory_us_max = 4000, f->s.memory_memtables_max = 100 << 20),
    t->s.stalls = t->s.stalls_memory = 0)
RULE(stalls_runs, (t->s.stalls = t->s.stalls_runs = 3, t->s.stall_us_total = t->s.stall_runs_us_total = 5000, t->s.stall_runs_us_max = 4000, t->s.runs_beyond = 61, t->set.frazil_stop_runs = 60),
    t->s.stalls = t->s.stalls_runs = 0)
RULE(slowed_runs, (f->compaction_bytes_per_second = 1 << 20, t->s.slowdowns_runs = 3000, t->s.slowdown_runs_us_total = 60000001), t->s.slowdown_runs_us_total = 60000000)
RULE(stalls_debt, (t->s.stalls = t->s.stalls_debt = 3, t->s.stall_us_total = t->s.stall_debt_us_total = 5000, t->s.debt_bytes = 9 << 20), t->s.stalls = t->s.stalls_debt = 0)
RULE(metadata_memory, f->s.memory_metadata = 52 << 20, f->s.memory_metadata = 51 << 20)
RULE(conflicts, (t->s.commits = 20, t->s.commit_conflicts = 11), t->s.commit_conflicts = 10)
RULE(small_files, (t->s.data_files = 40, t->s.data_bytes = (uint64_t)40 << 20), t->s.data_files = 31)
RULE(dead, t->s.rows_dead = 500000, t->s.rows_dead = 400000)
RULE(dead_off, (t->s.rows_dead = 500000, t->set.frazil_compaction_enabled = 0), t->s.rows_dead = 400000)
RULE(space, t->s.space_amplification = 2.5, t->s.data_bytes = 1 << 20)
RULE(snapshots, t->s.snapshots = 501, t->s.snapshots = 500)
RULE(pending, t->s.files_pending = 1001, t->s.files_pending = 1000)
RULE(metadata, t->s.metadata_bytes = (1 << 20) + 1, t->s.metadata_bytes = 1 << 20)
RULE(manifests, t->s.manifests = 201, t->s.manifests = 200)
RULE(clock, t->newest_snapshot_ms = f->now_ms + 60001, t->newest_snapshot_ms = f->now_ms + 60000)
RULE(rows_lost, t->lost_rows = true, t->lost_rows = false)
RULE(filter, (t->set.frazil_filter_bits_per_key = 0, f->s.gets_found = 10), t->set.frazil_filter_bits_per_key = 1)

static const struct { void (*bad)(struct world *), (*good)(struct world *); const char *code, *table; int severity; const char *evidence; } rules[] = {
#define ROW(name, ...) {bad_##name, good_##name, __VA_ARGS__}
    ROW(health_db, "health", "", FRZ_FINDING_ERROR, "writes-stopped: io of log, 3 failures"),
    ROW(health_table, "health", "main.b", FRZ_FINDING_WARNING, "degraded: no-space of flush, 3 failures"),
    ROW(remote, "remote-disk", "", FRZ_FINDING_WARNING, "NFS"),
    ROW(disk, "disk-full", "", FRZ_FINDING_WARNING, "MiB are free"),
    ROW(disk_error, "disk-full", "", FRZ_FINDING_ERROR, "MiB are free"),
    ROW(lost, "lost-rows-kept", "", FRZ_FINDING_WARNING, "1 folders"),
    ROW(trash, "trash", "", FRZ_FINDING_ADVICE, "2 folders"),
    ROW(leases, "old-leases", "", FRZ_FINDING_ADVICE, "2 files"),
    ROW(memory, "memory-for-tables", "", FRZ_FINDING_WARNING, "2 tables of up to 64 MiB each, memory_bytes 100 MiB"),
    ROW(cache, "cache-small", "", FRZ_FINDING_WARNING, "40% hits"),
    ROW(log, "log-held", "main.b", FRZ_FINDING_WARNING, "100 segments; its oldest unpublished write is 50 s old"),
    ROW(archive_waits, "log-held", "", FRZ_FINDING_WARNING, "32 segments"),
    ROW(archive_gap, "archive-gap", "", FRZ_FINDING_ERROR, "3 segments were given up"),
    ROW(archive_place, "archive-place", "", FRZ_FINDING_ERROR, "/kept: Not a directory"),
    ROW(archive_gone, "archive-place", "", FRZ_FINDING_WARNING, "/kept: No such file"),
    ROW(durability, "durability-off", "", FRZ_FINDING_ADVICE, "off"),
    ROW(pin, "old-pin", "", FRZ_FINDING_WARNING, "1 are open, the oldest for 120 min"),
    ROW(publishes, "small-publishes", "main.b", FRZ_FINDING_WARNING, "100 publishes of 499 rows"),
    ROW(lag, "publish-lag", "main.b", FRZ_FINDING_WARNING, "61 s old; frazil.publish-interval-ms is 10000"),
    ROW(stalls, "stalls", "main.b", FRZ_FINDING_WARNING, "3 writes waited 5 ms"),
    ROW(stalls_small, "stalls", "main.b", FRZ_FINDING_WARNING, "3 writes waited 5 ms"),
    ROW(stalls_memory, "stalls-memory", "main.b", FRZ_FINDING_WARNING, "3 writes waited 5 ms in sum, the longest 4 ms; memtables took up to 100 MiB, memory_bytes 256 MiB"),
    ROW(stalls_runs, "stalls-runs", "main.b", FRZ_FINDING_WARNING, "3 writes waited 5 ms in sum, the longest 4 ms, 0 were held up 0 ms; 61 runs too many now, frazil.stop-runs is 60"),
    ROW(slowed_runs, "stalls-runs", "main.b", FRZ_FINDING_WARNING, "3000 were held up 60000 ms"),
    ROW(stalls_debt, "stalls-debt", "main.b", FRZ_FINDING_WARNING, "3 writes waited 5 ms in sum, the longest 0 ms, 0 were held up 0 ms; 9 MiB wait now"),
    ROW(metadata_memory, "memory-metadata", "", FRZ_FINDING_WARNING, "53248 KiB, their share is 26214 KiB"),
    ROW(conflicts, "conflicts", "main.b", FRZ_FINDING_WARNING, "11 conflicts beside 20 commits"),
    ROW(small_files, "small-files", "main.b", FRZ_FINDING_WARNING, "40 data files of 1024 KiB"),
    ROW(dead, "dead-rows", "main.b", FRZ_FINDING_ADVICE, "33% of 1500000 rows"),
    ROW(dead_off, "dead-rows", "main.b", FRZ_FINDING_WARNING, "33% of 1500000 rows"),
    ROW(space, "space", "main.b", FRZ_FINDING_WARNING, "space amplification 2.5"),
    ROW(snapshots, "snapshots", "main.b", FRZ_FINDING_WARNING, "501 snapshots"),
    ROW(pending, "files-pending", "main.b", FRZ_FINDING_ADVICE, "1001 files beside 10"),
    ROW(metadata, "metadata-large", "main.b", FRZ_FINDING_WARNING, "metadata.json has 1024 KiB"),
    ROW(manifests, "metadata-large", "main.b", FRZ_FINDING_WARNING, "201 manifests"),
    ROW(clock, "clock", "main.b", FRZ_FINDING_WARNING, "60 s ahead"),
    ROW(rows_lost, "rows-lost", "main.b", FRZ_FINDING_ERROR, "later state"),
    ROW(filter, "no-filter", "main.b", FRZ_FINDING_WARNING, "10 of 100000 point reads"),
};

TEST(doctor, each_rule_speaks_by_its_numbers_and_is_silent_below_them)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rules); i++) {
        struct world w = well();
        rules[i].bad(&w);
        struct heard h = judge(&w);
        if (h.count != 1 || strcmp(h.code, rules[i].code) != 0) fail_msg("%s: %zu findings, the last %s: %s", rules[i].code, h.count, h.code, h.evidence);
        assert_string_equal(h.table, rules[i].table);
        assert_int_equal(h.severity, rules[i].severity);
        if (!strstr(h.evidence, rules[i].evidence)) fail_msg("%s: its evidence is \"%s\"", h.code, h.evidence);
        assert_true(strlen(h.remedy) > 5);
        rules[i].good(&w);
        h = judge(&w);
        if (h.count) fail_msg("%s is still said: %s", h.code, h.evidence);
    }
}

struct both { size_t count; char own[128], memory[256], remedy[256]; };
static int hear_both(void *ctx, const frz_diagnosis *d)
{
    struct both *b = (struct both *)ctx;
    bool memory = strcmp(d->code, "stalls-memory") == 0;
    b->count++;
    snprintf(memory ? b->memory : b->own, memory ? sizeof b->memory : sizeof b->own, "%s", d->evidence);
    if (!memory) snprintf(b->remedy, sizeof b->remedy, "%s", d->remedy);
    return 0;
}

TEST(doctor, stalls_are_told_apart_by_their_reason_and_their_remedy_fits_the_budget)
{
    struct world w = well();
    struct both b = {0};
    frz_stats *s = &w.t[0].s;
    w.f.tables = w.t;
    s->stalls = 5, s->stall_us_total = 9000, s->stalls_memory = 3, s->stall_memory_us_total = 5000;
    assert_int_equal(frz__doctor(&w.f, hear_both, &b), 0);
    assert_int_equal(b.count, 2);
    assert_non_null(strstr(b.own, "2 writes waited 4 ms"));
    assert_non_null(strstr(b.memory, "3 writes waited 5 ms"));
    assert_non_null(strstr(b.remedy, "frazil.immutable-memtables-max"));
    w.f.memory_bytes = 127 << 20, w.f.memtable_bytes = 8 << 20; /* so small a budget does not heed that property */
    assert_int_equal(frz__doctor(&w.f, hear_both, &b), 0);
    assert_null(strstr(b.remedy, "frazil.immutable-memtables-max"));
    assert_non_null(strstr(b.remedy, "memory_bytes"));
    s->stalls_memory = 9, s->stall_memory_us_total = 10000; /* a report of numbers that do not fit */
    b = (struct both){0};
    assert_int_equal(frz__doctor(&w.f, hear_both, &b), 0);
    assert_int_equal(b.count, 1);
}

/* Each code is explained in the manual, and the manual explains none that is not there. */
TEST(doctor, each_code_is_in_the_manual)
{
    FILE *f = fopen(FRZ_SOURCE_DIR "/docs/operations.md", "rb");
    static char text[1 << 17];
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rules); i++) {
        char want[64];
        snprintf(want, sizeof want, "| `%s` |", rules[i].code);
        if (!strstr(text, want)) fail_msg("docs/operations.md does not explain %s", rules[i].code);
    }
}

static int stop(void *ctx, const frz_diagnosis *d) { return ++*(int *)ctx == 2 && d ? 55 : 0; }

TEST(doctor, stops_where_the_caller_does)
{
    struct world w = well();
    int calls = 0;
    w.f.lost_dirs = w.f.trash = w.f.old_leases = 1;
    w.f.tables = w.t;
    assert_int_equal(frz__doctor(&w.f, stop, &calls), 55);
    assert_int_equal(calls, 2);
}

/* ── facts from a database ── */

TEST(doctor, gathers_from_a_database_and_from_a_writers_report)
{
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_schema *s;
    frz_error e = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    struct heard h = {0};
    frz_blob *report;
    o.create = true;
    OK(frz__fs_fault_new(NULL, 1, &fs, &e), &e);
    OK(frz__test_db_open(fs, &o, &db, &e), &e);
    OK(frz_schema_parse("id long, v string?", "id", &s, &e), &e);
    OK(frz_table_create(db, "t", s, NULL, &t, &e), &e);
    frz_schema_free(s);
    OK(frz_db_doctor(db, NULL, 0, hear, &h, &e), &e);
    if (h.count) fail_msg("%s: %s", h.code, h.evidence);
    OK(table_put(t, 1, "v", &e), &e);
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.no_space = true});
    FAILS(frz_table_flush(t, &e), FRZ_NO_SPACE, &e);
    OK(frz_db_doctor(db, NULL, 0, hear, &h, &e), &e);
    assert_int_equal(h.count, 1);
    assert_string_equal(h.code, "health");
    assert_string_equal(h.table, "main.t");
    OK(frz_db_report(db, &report, &e), &e); /* what a reader beside would hear */
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){0});
    OK(frz_db_close(db, &e), &e);
    o.create = false;
    o.read_only = true;
    OK(frz__test_db_open(fs, &o, &db, &e), &e);
    h = (struct heard){0};
    OK(frz_db_doctor(db, NULL, 0, hear, &h, &e), &e);
    assert_int_equal(h.count, 0);
    OK(frz_db_doctor(db, frz_blob_data(report), frz_blob_len(report), hear, &h, &e), &e);
    assert_int_equal(h.count, 1);
    assert_string_equal(h.table, "main.t");
    unsigned failures = 0; /* the clock may have tried again before the report */
    assert_int_equal(sscanf(h.evidence, "degraded: no-space of flush, %u failures", &failures), 1);
    assert_true(failures >= 1);
    frz_blob_free(report);
    static const char *const hostile[] = {"[]", "{}", "7", "{\"tables\":7,\"stats\":[],\"health\":{\"severity\":-5,\"class\":3}}", "{\"tables\":[1,{\"name\":3},{\"name\":\"main.t\",\"stats\":{\"flushes\":-1,\"space_amplification\":\"x\"},\"health\":{\"severity\":99}}]}"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(hostile); i++) OK(frz_db_doctor(db, hostile[i], strlen(hostile[i]), hear, &h, &e), &e);
    FAILS(frz_db_doctor(db, "{", 1, hear, &h, &e), FRZ_INVALID, &e);
    FAILS(frz_db_doctor(db, NULL, 0, NULL, &h, &e), FRZ_INVALID, &e);
    OK(frz_db_close(db, &e), &e);
    for (int v = 1; v < 10; v++) { /* a writer knows nothing yet of files that were damaged under it */
        char path[64];
        struct file *f;
        snprintf(path, sizeof path, "main/t/metadata/v%d.metadata.json", v);
        int rc = frz__fs_open(fs, path, FS_OPEN_WRITE, &f, &e);
        if (rc == FRZ_NOT_FOUND) continue;
        OK(rc, &e);
        OK(frz__file_truncate(f, 1, &e), &e);
        OK(frz__file_close(f, &e), &e);
    }
    static const char fine[] = "{\"health\":{\"severity\":0},\"tables\":[{\"name\":\"main.t\",\"stats\":{},\"health\":{\"severity\":0}}]}";
    OK(frz__test_db_open(fs, &o, &db, &e), &e);
    h = (struct heard){0};
    OK(frz_db_doctor(db, fine, sizeof fine - 1, hear, &h, &e), &e);
    assert_int_equal(h.count, 1);
    assert_string_equal(h.table, "main.t");
    assert_int_equal(h.severity, FRZ_FINDING_ERROR);
    OK(frz_db_close(db, &e), &e);
    frz__fs_free(fs);
}

/* What is said of the archive's place alone: the disk may be full here. */
static int hear_place(void *ctx, const frz_diagnosis *d) { return strcmp(d->code, "archive-place") == 0 ? hear(ctx, d) : 0; }
static struct heard of_place(const char *path)
{
    frz_db *db;
    frz_error e;
    struct heard h = {0};
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    OK(frz_db_open(path, &o, &db, &e), &e);
    OK(frz_db_doctor(db, NULL, 0, hear_place, &h, &e), &e);
    OK(frz_db_close(db, &e), &e);
    return h;
}
static void plain_file(const char *path)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

TEST(doctor, names_an_archive_that_can_not_be_written_where_nobody_writes)
{
    char home[400], path[500], kept[500], away[500], log[600];
    frz_db *db;
    frz_error e;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    snprintf(home, sizeof home, "%s", test_tmp_dir("doctor-archive"));
    snprintf(path, sizeof path, "%s/wh", home);
    snprintf(kept, sizeof kept, "%s/kept", home);
    snprintf(away, sizeof away, "%s/away", home);
    o.create = true;
    OK(frz_db_open(path, &o, &db, &e), &e);
    OK(frz_db_close(db, &e), &e);
    assert_int_equal(of_place(path).count, 0); /* there is none */
    o.log_archive = kept;
    OK(frz_db_open(path, &o, &db, &e), &e);
    snprintf(log, sizeof log, "%s/%s", kept, db->db->log_uuid_text);
    OK(frz_db_close(db, &e), &e);
    assert_int_equal(of_place(path).count, 0); /* it is well */
    assert_int_equal(rename(kept, away), 0);
    struct heard h = of_place(path);
    assert_true(h.count == 1 && h.severity == FRZ_FINDING_WARNING && strstr(h.evidence, kept));
    plain_file(kept);
    h = of_place(path);
    assert_true(h.count == 1 && h.severity == FRZ_FINDING_ERROR && strstr(h.evidence, kept) && strstr(h.evidence, "directory"));
    o.log_archive = NULL;
    assert_true(frz_db_open(path, &o, &db, &e) < 0); /* as it says */
    assert_int_equal(remove(kept), 0);
    assert_int_equal(rename(away, kept), 0);
    snprintf(away, sizeof away, "%s/log", home);
    assert_int_equal(rename(log, away), 0);
    plain_file(log);
    h = of_place(path);
    assert_true(h.count == 1 && h.severity == FRZ_FINDING_ERROR && strstr(h.evidence, log));
    assert_true(frz_db_open(path, &o, &db, &e) < 0);
    assert_int_equal(remove(log), 0);
    assert_int_equal(of_place(path).count, 0);
    OK(frz_db_open(path, &o, &db, &e), &e);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(home);
}
