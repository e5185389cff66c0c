/* Goal    each number is there once, says what it claims, and reads the same as struct, text, JSON and OpenMetrics.
 * Method  stats.def against the struct's layout; a small table whose numbers are known; the OpenMetrics text against a strict reader of its grammar. */
#include "frz_test.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/clock.h"
#include "base/latency.h"
#include "engine/compact.h"
#include "io/fs_fault.h"
#include "table_kit.h"

struct rig { struct fs *fs; frz_db *db; frz_table *t; frz_error e; frz_db_options o; };

static void rig_init(struct rig *r, int format)
{
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.memory_bytes = 8 << 20;
    OK(frz__fs_fault_new(NULL, 1, &r->fs, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    table_create(r->db, "t", format, &r->t, &r->e);
}
static void rig_clear(struct rig *r)
{
    OK(frz_db_close(r->db, &r->e), &r->e);
    frz__fs_free(r->fs);
}
static frz_stats stats(struct rig *r, frz_table *t)
{
    frz_stats s = FRZ_INIT(frz_stats);
    OK(frz_db_stats(r->db, t, &s, &r->e), &r->e);
    return s;
}
static void put(struct rig *r, int64_t id) { OK(table_put(r->t, id, "0123456789", &r->e), &r->e); }
static void flush(struct rig *r) { OK(frz_table_flush(r->t, &r->e), &r->e); }

/* ── the table of numbers ── */

enum { COUNTER, GAUGE, RATIO };
enum { DB, TABLE };
enum { UNIT_NONE, UNIT_BYTES, UNIT_US, UNIT_RATIO };
static const struct { const char *field, *name; int kind, scope, unit; size_t at; const char *help; } rows[] = {
#define X(kind, field, scope, unit, name, help) {#field, name, kind, scope, UNIT_##unit, offsetof(frz_stats, field), help},
#include "engine/stats.def"
#undef X
};

TEST(metrics, each_field_of_the_struct_is_one_row_in_its_order)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        assert_int_equal(rows[i].at, 8 + 8 * i);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(rows[i].name, rows[k].name);
    }
    assert_int_equal(sizeof(frz_stats), 8 + 8 * FRZ_ARRAY_LEN(rows));
}

static bool ends(const char *s, const char *with) { return strlen(s) >= strlen(with) && strcmp(s + strlen(s) - strlen(with), with) == 0; }

TEST(metrics, names_end_with_their_unit)
{
    static const char *const suffix[] = {"", "_bytes", "_seconds", "_ratio"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        assert_true(ends(rows[i].name, suffix[rows[i].unit]));
        assert_false(ends(rows[i].name, "_total"));
        assert_true((rows[i].kind == RATIO) == (rows[i].unit == UNIT_RATIO));
        assert_true(strlen(rows[i].help) > 5 && !ends(rows[i].help, "."));
    }
}

TEST(metrics, percentiles_are_bounds_of_buckets_and_never_beyond_the_longest)
{
    struct latency l = {0};
    struct latency_seen s = {0};
    latency_see(&l, &s);
    assert_int_equal(latency_percentile(&s, 50), 0);
    for (uint64_t us = 1; us <= 100; us++) latency_add(&l, us);
    latency_see(&l, &s);
    assert_int_equal(s.count, 100);
    assert_int_equal(s.us_total, 5050);
    assert_int_equal(s.us_max, 100);
    assert_int_equal(latency_percentile(&s, 50), 64);
    assert_int_equal(latency_percentile(&s, 64), 64);
    assert_int_equal(latency_percentile(&s, 65), 100);
    assert_int_equal(latency_percentile(&s, 99), 100);
    static const struct { uint64_t us; unsigned bucket; } edge[] = {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {1 << 20, 20}, {(1 << 20) + 1, 21}, {UINT64_MAX, LATENCY_BUCKETS - 1}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(edge); i++) assert_int_equal(latency_bucket(edge[i].us), edge[i].bucket);
    latency_add(&l, UINT64_MAX);
    s = (struct latency_seen){0};
    latency_see(&l, &s);
    assert_true(latency_percentile(&s, 100) == UINT64_MAX);
}

/* ── what they say ── */

TEST(metrics, amplification_is_what_was_written_and_kept_over_what_was_put)
{
    for (int format = 2; format <= 3; format++) {
        struct rig r;
        rig_init(&r, format);
        frz_stats s = stats(&r, NULL);
        assert_true(s.write_amplification == 0 && s.space_amplification == 0 && s.put_bytes == 0 && s.publish_lag_us == 0);
        for (int64_t i = 0; i < 3000; i++) put(&r, i);
        s = stats(&r, NULL);
        assert_true(s.put_bytes >= 3000 * 10 && s.put_bytes < 3000 * 60);
        assert_true(s.write_amplification >= 1); /* the log's */
        flush(&r);
        s = stats(&r, r.t);
        assert_true(s.flush_bytes > 0 && s.metadata_bytes_written > 0 && s.delete_bytes_written == 0);
        assert_true(s.space_amplification == 1 && s.live_bytes == s.data_bytes && s.rows_dead == 0);
        for (int64_t i = 0; i < 10; i++) put(&r, i * 100); /* too few to take the file in */
        flush(&r);
        s = stats(&r, r.t);
        double want = (double)(s.put_bytes + s.flush_bytes + s.delete_bytes_written + s.metadata_bytes_written) / (double)s.put_bytes;
        assert_true(s.write_amplification > want * 0.999 && s.write_amplification < want * 1.001);
        assert_int_equal(s.rows_dead, 10);
        assert_int_equal(s.rows_live, 3000);
        assert_true(s.delete_bytes > 0 && s.delete_files == 1 && s.delete_bytes_written > 0);
        assert_true(s.space_amplification > 1 && s.live_bytes < s.data_bytes);
        assert_int_equal(s.snapshots, 2);
        assert_true(s.metadata_bytes > 500 && s.manifests >= 2);
        struct plan_options o;
        frz__compact_options(r.t->t, &o);
        o.whole = true;
        OK(frz__compact(r.t->t, &o, NULL, &r.e), &r.e);
        s = stats(&r, r.t);
        assert_int_equal(s.compactions, 1);
        assert_true(s.compact_bytes_in > 0 && s.compact_bytes_out == s.data_bytes);
        assert_true(s.space_amplification == 1 && s.rows_dead == 0);
        assert_true(s.compact_us_p50 <= s.compact_us_p99 && s.compact_us_p99 <= s.compact_us_max && s.compact_us_max <= s.compact_us_total);
        assert_int_equal(s.compact_us_p50, s.compact_us_max); /* of one */
        assert_true(s.flush_us_p99 <= s.flush_us_max && s.flush_us_max <= s.flush_us_total && s.commit_us_p99 <= s.commit_us_max);
        rig_clear(&r);
    }
}

TEST(metrics, publish_lag_is_the_age_of_the_oldest_write_that_waits)
{
    struct rig r;
    rig_init(&r, 2);
    put(&r, 1);
    frz__test_clock_advance_ns((int64_t)5 * 1000000000);
    put(&r, 2);
    frz_stats s = stats(&r, r.t);
    assert_true(s.publish_lag_us >= 5000000 && s.publish_lag_us < 600000000);
    flush(&r);
    assert_int_equal(stats(&r, r.t).publish_lag_us, 0);
    rig_clear(&r);
}

TEST(metrics, publish_lag_counts_on_from_the_log_when_the_database_is_opened_again)
{
    for (int read_only = 0; read_only < 2; read_only++) {
        struct rig r;
        rig_init(&r, 2);
        OK(frz_db_close(r.db, &r.e), &r.e);
        r.o.no_close_flush = true;
        OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
        OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
        put(&r, 1);
        OK(frz_db_close(r.db, &r.e), &r.e);
        frz__test_clock_advance_ns((int64_t)9 * 1000000000);
        r.o.create = false;
        r.o.read_only = read_only;
        OK(frz__test_db_open(r.fs, &r.o, &r.db, &r.e), &r.e);
        OK(frz_table_open(r.db, "t", &r.t, &r.e), &r.e);
        frz_stats s = stats(&r, r.t);
        assert_true(s.publish_lag_us >= 9000000 && s.publish_lag_us < 600000000);
        if (!read_only) {
            put(&r, 2); /* is younger */
            assert_true(stats(&r, r.t).publish_lag_us >= 9000000);
            flush(&r);
            assert_int_equal(stats(&r, r.t).publish_lag_us, 0);
        }
        rig_clear(&r);
    }
}

TEST(metrics, pins_have_an_age_and_a_sequence)
{
    struct rig r;
    frz_snapshot *a, *b;
    frz_cursor *c;
    rig_init(&r, 2);
    put(&r, 1);
    uint64_t seq = stats(&r, NULL).seq_visible;
    OK(frz_snapshot_open(r.db, &a, &r.e), &r.e);
    frz__test_clock_advance_ns((int64_t)7 * 1000000000);
    put(&r, 2);
    OK(frz_snapshot_open(r.db, &b, &r.e), &r.e);
    OK(frz_scan(r.t, NULL, &c, &r.e), &r.e);
    frz_stats s = stats(&r, NULL);
    assert_int_equal(s.pins, 3);
    assert_int_equal(s.oldest_pin_seq, seq);
    assert_true(s.oldest_pin_us >= 7000000);
    frz_snapshot_close(a);
    s = stats(&r, NULL);
    assert_int_equal(s.pins, 2);
    assert_int_equal(s.oldest_pin_seq, seq + 1);
    assert_true(s.oldest_pin_us < 600000000);
    frz_cursor_close(c);
    frz_snapshot_close(b);
    s = stats(&r, NULL);
    assert_true(s.pins == 0 && s.oldest_pin_us == 0 && s.oldest_pin_seq == 0);
    rig_clear(&r);
}

TEST(metrics, gets_count_the_files_that_they_search)
{
    struct rig r;
    rig_init(&r, 2);
    for (int64_t i = 0; i < 1000; i++) put(&r, i);
    flush(&r);
    uint64_t before = stats(&r, NULL).files_probed; /* the flush locates by other means */
    for (int64_t i = 0; i < 10; i++) table_has(r.t, i, "0123456789");
    frz_stats s = stats(&r, NULL);
    assert_int_equal(s.files_probed - before, 10);
    assert_true(s.files_per_get > 0.9 && s.files_per_get < 1.1 && s.pages_per_get > 0);
    rig_clear(&r);
}

struct levels_seen { frz_level l[8]; size_t count; };
static int see_level(void *ctx, const frz_level *l)
{
    struct levels_seen *s = (struct levels_seen *)ctx;
    s->l[s->count++] = *l;
    return 0;
}
static int stop_level(void *ctx, const frz_level *l) { return l->files ? 42 : 0; }

TEST(metrics, levels_add_up_to_the_table)
{
    struct rig r;
    struct levels_seen seen = {0};
    rig_init(&r, 3);
    OK(frz_db_levels(r.db, r.t, see_level, &seen, &r.e), &r.e);
    assert_int_equal(seen.count, 0);
    for (int64_t i = 0; i < 2000; i++) put(&r, i);
    flush(&r);
    put(&r, 1000);
    flush(&r);
    frz_stats s = stats(&r, r.t);
    OK(frz_db_levels(r.db, r.t, see_level, &seen, &r.e), &r.e);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.l[0].level, 0);
    assert_int_equal(seen.l[0].files, s.data_files);
    assert_int_equal(seen.l[0].files, 2);
    assert_int_equal(seen.l[0].runs, 2); /* the second lies inside the first */
    assert_int_equal(seen.l[0].rows, s.rows_live + s.rows_dead);
    assert_int_equal(seen.l[0].rows_dead, 1);
    assert_int_equal(seen.l[0].bytes, s.data_bytes);
    assert_int_equal(frz_db_levels(r.db, r.t, stop_level, NULL, &r.e), 42);
    FAILS(frz_db_levels(r.db, NULL, see_level, &seen, &r.e), FRZ_INVALID, &r.e);
    FAILS(frz_db_levels(r.db, r.t, NULL, &seen, &r.e), FRZ_INVALID, &r.e);
    rig_clear(&r);
}

/* ── the three texts ── */

TEST(metrics, text_and_json_have_each_number_by_its_name)
{
    struct rig r;
    frz_blob *text, *json;
    rig_init(&r, 2);
    for (int64_t i = 0; i < 10; i++) put(&r, i);
    flush(&r);
    OK(frz_db_stats_text(r.db, r.t, false, &text, &r.e), &r.e);
    OK(frz_db_stats_text(r.db, r.t, true, &json, &r.e), &r.e);
    const char *line = frz_blob_data(text);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        char want[128];
        snprintf(want, sizeof want, "%s ", rows[i].field);
        assert_memory_equal(line, want, strlen(want));
        line = strchr(line, '\n') + 1;
        snprintf(want, sizeof want, "\"%s\":", rows[i].field);
        assert_non_null(strstr(frz_blob_data(json), want));
    }
    assert_int_equal(*line, 0);
    assert_non_null(strstr(frz_blob_data(text), "\nrows_put 10\n"));
    assert_non_null(strstr(frz_blob_data(json), "\"rows_put\":10,"));
    frz_blob_free(text);
    frz_blob_free(json);
    rig_clear(&r);
}

/* A reader of OpenMetrics text, strict where the specification says "must": families in one piece, TYPE UNIT HELP in that order before their samples, names and suffixes by type, labels quoted and escaped, no sample
 * twice, buckets that ascend and end at +Inf, which is the count; # EOF at the end and nothing behind. */
struct om { char family[128], type[16], unit[16]; size_t families, samples; char seen[512][128]; char sample_of[4096][320]; bool unit_said, help_said; double bucket_le; uint64_t bucket_n, count; bool in_buckets, inf_said; char bucket_key[256]; };

static bool name_char(char c, bool first) { return isalpha((unsigned char)c) || c == '_' || c == ':' || (!first && isdigit((unsigned char)c)); }
static size_t name_length(const char *s)
{
    size_t n = 0;
    while (s[n] && name_char(s[n], n == 0)) n++;
    assert_true(n > 0);
    return n;
}
static void om_meta(struct om *o, const char *line)
{
    char what[8], name[128];
    int at = 0;
    assert_int_equal(sscanf(line, "# %7s %127s %n", what, name, &at), 2);
    assert_int_equal(name_length(name), strlen(name));
    const char *rest = line + at;
    if (strcmp(what, "TYPE") == 0) {
        for (size_t i = 0; i < o->families; i++) assert_string_not_equal(o->seen[i], name);
        snprintf(o->seen[o->families++], sizeof o->seen[0], "%s", name);
        snprintf(o->family, sizeof o->family, "%s", name);
        snprintf(o->type, sizeof o->type, "%s", rest);
        assert_true(strcmp(rest, "counter") == 0 || strcmp(rest, "gauge") == 0 || strcmp(rest, "histogram") == 0 || strcmp(rest, "info") == 0);
        o->unit[0] = 0;
        o->unit_said = o->help_said = false;
        o->bucket_key[0] = 0;
        return;
    }
    assert_string_equal(name, o->family);
    if (strcmp(what, "UNIT") == 0) {
        assert_false(o->unit_said || o->help_said);
        o->unit_said = true;
        snprintf(o->unit, sizeof o->unit, "%s", rest);
        char end[32];
        snprintf(end, sizeof end, "_%s", rest);
        assert_true(ends(name, end));
    } else {
        assert_string_equal(what, "HELP");
        assert_false(o->help_said);
        o->help_said = true;
        assert_true(strlen(rest) > 3);
        for (const char *s = rest; *s; s++)
            if (*s == '\\') assert_non_null(strchr("\\\"n", *++s));
            else assert_true(*s != '"');
    }
}
static void om_labels(const char **p, char *le, size_t le_bytes)
{
    const char *s = *p;
    char names[8][64];
    size_t n = 0;
    le[0] = 0;
    if (*s != '{') return;
    do {
        s++;
        size_t len = name_length(s);
        snprintf(names[n], sizeof names[n], "%.*s", (int)len, s);
        for (size_t i = 0; i < n; i++) assert_string_not_equal(names[i], names[n]);
        s += len;
        assert_int_equal(*s++, '=');
        assert_int_equal(*s++, '"');
        const char *value = s;
        while (*s != '"') {
            assert_true(*s && *s != '\n');
            if (*s == '\\') assert_non_null(strchr("\\\"n", *++s));
            s++;
        }
        if (strcmp(names[n], "le") == 0) snprintf(le, le_bytes, "%.*s", (int)(s - value), value);
        n++;
        s++;
    } while (*s == ',');
    assert_int_equal(*s++, '}');
    *p = s;
}
static void om_sample(struct om *o, const char *line)
{
    char name[160], le[32], *end;
    const char *s = line;
    size_t n = name_length(s), family = strlen(o->family);
    assert_true(o->help_said);
    snprintf(name, sizeof name, "%.*s", (int)n, s);
    assert_true(strncmp(name, o->family, family) == 0);
    const char *suffix = name + family;
    s += n;
    om_labels(&s, le, sizeof le);
    snprintf(o->sample_of[o->samples], sizeof o->sample_of[0], "%.*s", (int)(s - line), line);
    for (size_t i = 0; i < o->samples; i++) assert_string_not_equal(o->sample_of[i], o->sample_of[o->samples]);
    o->samples++;
    assert_int_equal(*s++, ' ');
    double v = strtod(s, &end);
    assert_int_equal(*end, 0);
    assert_true(isdigit((unsigned char)*s));
    if (strcmp(o->type, "counter") == 0) assert_string_equal(suffix, "_total");
    else if (strcmp(o->type, "gauge") == 0) assert_string_equal(suffix, "");
    else if (strcmp(o->type, "info") == 0) {
        assert_string_equal(suffix, "_info");
        assert_true(v == 1);
    } else if (strcmp(suffix, "_bucket") == 0) {
        assert_true(le[0] != 0);
        double bound = strcmp(le, "+Inf") == 0 ? 1e300 : strtod(le, NULL);
        if (!o->in_buckets) o->bucket_le = -1, o->bucket_n = 0;
        assert_true(bound > o->bucket_le && v >= (double)o->bucket_n);
        o->in_buckets = bound != 1e300;
        o->bucket_le = bound;
        o->bucket_n = (uint64_t)v;
    } else {
        assert_false(o->in_buckets);
        assert_true(strcmp(suffix, "_count") == 0 || strcmp(suffix, "_sum") == 0);
        if (strcmp(suffix, "_count") == 0) assert_true(v == (double)o->bucket_n);
    }
}
static struct om *om_check(const char *text)
{
    struct om *o = (struct om *)calloc(1, sizeof *o);
    char line[1024];
    bool eof = false;
    assert_non_null(o);
    while (*text) {
        const char *end = strchr(text, '\n');
        assert_non_null(end);
        assert_true((size_t)(end - text) < sizeof line);
        snprintf(line, sizeof line, "%.*s", (int)(end - text), text);
        text = end + 1;
        assert_false(eof);
        if (strcmp(line, "# EOF") == 0) eof = true;
        else if (line[0] == '#') om_meta(o, line);
        else om_sample(o, line);
    }
    assert_true(eof);
    return o;
}

TEST(metrics, openmetrics_is_what_its_grammar_says)
{
    struct rig r;
    frz_table *other;
    frz_blob *text;
    rig_init(&r, 3);
    OK(frz_db_metrics(r.db, NULL, &text, &r.e), &r.e);
    free(om_check(frz_blob_data(text)));
    frz_blob_free(text);
    table_create(r.db, "ns.other", 2, &other, &r.e);
    for (int64_t i = 0; i < 3000; i++) put(&r, i);
    flush(&r);
    for (int64_t i = 0; i < 5; i++) put(&r, i);
    flush(&r);
    put(&r, 1);
    frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){.no_space = true});
    FAILS(frz_table_flush(r.t, &r.e), FRZ_NO_SPACE, &r.e);
    OK(frz_db_metrics(r.db, NULL, &text, &r.e), &r.e);
    struct om *o = om_check(frz_blob_data(text));
    static const char *const want[] = {"frazil_rows_put_total{table=\"main.t\"} 3006\n", "frazil_rows_put_total{table=\"ns.other\"} 0\n", "frazil_level_rows{table=\"main.t\",level=\"0\"} 3005\n",
        "frazil_health_severity 1\n", "frazil_health_severity{table=\"main.t\"} 1\n", "frazil_health_severity{table=\"ns.other\"} 0\n", "frazil_health_tries{table=\"main.t\",part=\"flush\",class=\"no-space\"} ",
        "frazil_flush_duration_seconds_count{table=\"main.t\"} 2\n", "# TYPE frazil_log_bytes counter\n# UNIT frazil_log_bytes bytes\n"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(want); i++)
        if (!strstr(frz_blob_data(text), want[i])) fail_msg("not in the metrics: %s\n%s", want[i], frz_blob_data(text));
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        char name[96];
        snprintf(name, sizeof name, "frazil_%s", rows[i].name);
        bool there = false;
        for (size_t k = 0; k < o->families; k++) there |= strcmp(o->seen[k], name) == 0;
        assert_true(there);
    }
    free(o);
    frz_blob_free(text);
    OK(frz_db_metrics(r.db, other, &text, &r.e), &r.e); /* one table alone */
    free(om_check(frz_blob_data(text)));
    assert_null(strstr(frz_blob_data(text), "main.t"));
    frz_blob_free(text);
    frz__fs_fault_plan(r.fs, &(struct fs_fault_plan){0});
    rig_clear(&r);
}
