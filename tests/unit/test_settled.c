/* Goal: on a table that was compacted whole, a get looks at one file and reads at most one key page, whatever the key is made of; a miss that the filter rejects reads none; a cursor gives exactly the rows, either
 * way and within bounds. Method: overlapping flushes, overwrites and deletes, compacted into several files, a new process's empty cache, and the counters around each get. */
#include "frz_test.h"

#include <stdio.h>
#include <string.h>

#include "api/handle.h"
#include "base/rand.h"
#include "io/fs.h"

#define ROWS 6000      /* even ordinals are put, odd ones never are */
#define PAGE_ROWS 1024 /* of a key page */

struct rig {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_schema *schema;
    frz_error e;
    frz_db_options o;
    size_t key[8], keys, value;
};

static void rig_open(struct rig *r)
{
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_table_open(r->db, "t", &r->t, &r->e), &r->e);
}
static void rig_close(struct rig *r)
{
    frz_table_close(r->t);
    OK(frz_db_close(r->db, &r->e), &r->e);
}
static void rig_init(struct rig *r, const char *schema, const char *key, int format, const char *filter_bits)
{
    const char *const names[] = {"frazil.publish-interval-ms", "write.target-file-size-bytes", "frazil.filter-bits-per-key"};
    const char *const values[] = {"0", "65536", filter_bits};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    *r = (struct rig){.o = FRZ_DB_OPTIONS_INIT};
    r->o.create = true;
    r->o.durability = FRZ_SYNC_OFF;
    r->o.memory_bytes = 256 << 20; /* nothing is evicted: each page is read once */
    r->o.no_compaction = true;     /* but the one that is asked for */
    OK(frz__fs_mem_new(NULL, &r->fs, &r->e), &r->e);
    OK(frz__test_db_open(r->fs, &r->o, &r->db, &r->e), &r->e);
    OK(frz_schema_parse(schema, key, &r->schema, &r->e), &r->e);
    to.format_version = format;
    to.property_keys = names;
    to.property_values = values;
    to.property_count = 3;
    OK(frz_table_create(r->db, "t", r->schema, &to, &r->t, &r->e), &r->e);
    r->keys = frz_schema_key_count(r->schema);
    assert_true(r->keys <= FRZ_ARRAY_LEN(r->key));
    for (size_t i = 0; i < r->keys; i++) OK(frz_schema_key(r->schema, i, &r->key[i]), &r->e);
    OK(frz_schema_find(r->schema, "v", &r->value), &r->e);
}
static void rig_clear(struct rig *r)
{
    rig_close(r);
    frz_schema_free(r->schema);
    frz__fs_free(r->fs);
}

/* ── keys: ordinal N as a value of any type; of several columns each has a part of it ── */

static void set_part(struct rig *r, frz_row *row, size_t column, int64_t n, bool spread)
{
    frz_column c = FRZ_INIT(frz_column);
    uint8_t bytes[64];
    char text[80];
    OK(frz_schema_column(r->schema, column, &c), &r->e);
    struct rng rng = {(uint64_t)n};
    uint64_t mixed = rng_next(&rng);
    switch (c.type.id) {
    case FRZ_BOOLEAN: OK(frz_row_set_boolean(row, column, n & 2, &r->e), &r->e); break;
    case FRZ_INT: OK(frz_row_set_int(row, column, (int32_t)(n * 3 - ROWS), &r->e), &r->e); break;
    case FRZ_LONG: OK(frz_row_set_long(row, column, n * INT64_C(1000000007) - (INT64_C(1) << 40), &r->e), &r->e); break;
    case FRZ_DATE: OK(frz_row_set_date(row, column, (int32_t)n - 1000, &r->e), &r->e); break;
    case FRZ_TIME: OK(frz_row_set_time(row, column, n * 1001, &r->e), &r->e); break;
    case FRZ_DECIMAL: OK(frz_row_set_decimal(row, column, (frz_decimal){(uint64_t)((n - ROWS) * 37), n < ROWS ? -1 : 0}, &r->e), &r->e); break;
    case FRZ_STRING: { /* lengths of 1 to 60, beginnings in common */
        int len = snprintf(text, sizeof text, "%.*s%lld", spread ? (int)(mixed % 41) : 0, "the same beginning of many different keys", (long long)n);
        OK(frz_row_set_string(row, column, text, (size_t)len, &r->e), &r->e);
        break;
    }
    case FRZ_BINARY: { /* zero bytes in them, which are escaped */
        size_t len = 8 + mixed % 9;
        memset(bytes, 0, sizeof bytes);
        for (int i = 0; i < 8; i++) bytes[len - 8 + (size_t)i] = (uint8_t)(n >> (56 - 8 * i));
        OK(frz_row_set_bytes(row, column, bytes, len, &r->e), &r->e);
        break;
    }
    case FRZ_UUID:
    case FRZ_FIXED:
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes, &mixed, 8);
        memcpy(bytes + 8, &n, 8);
        if (c.type.id == FRZ_UUID) OK(frz_row_set_uuid(row, column, bytes, &r->e), &r->e);
        else OK(frz_row_set_bytes(row, column, bytes, (size_t)c.type.length, &r->e), &r->e);
        break;
    default: OK(frz_row_set_timestamp(row, column, n * 999983, &r->e), &r->e); break;
    }
}
static void set_key(struct rig *r, frz_row *row, int64_t n)
{
    for (size_t i = 0; i < r->keys; i++) set_part(r, row, r->key[i], i + 1 < r->keys ? n / 64 * 64 : n, i + 1 == r->keys); /* the last one tells them apart */
}
static size_t value_of(int64_t n, int generation, char out[100])
{
    struct rng rng = {(uint64_t)n * 8 + (uint64_t)generation}; /* text that hardly compresses */
    int len = snprintf(out, 100, "%lld of %d: ", (long long)n, generation);
    while (len < 80) out[len++] = (char)(' ' + rng_below(&rng, 94));
    return (size_t)len;
}

/* Every third is overwritten, every fifth deleted. */
static int generation_of(int64_t n) { return n % 5 == 0 ? -1 : n % 3 == 0 ? 1 : 0; }

static void load(struct rig *r)
{
    frz_batch *b;
    frz_row *row;
    char text[100];
    OK(frz_batch_new(r->db, &b, &r->e), &r->e);
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    for (int pass = 0; pass < 5; pass++) { /* rows in three flushes, each over all keys; overwrites; deletes */
        frz_batch_clear(b);
        for (int64_t i = 0; i < ROWS; i++) {
            int64_t n = 2 * i;
            if (pass < 3 ? i % 3 != pass : generation_of(n) != (pass == 3 ? 1 : -1)) continue;
            set_key(r, row, n);
            if (pass == 4) {
                frz_value key[8];
                for (size_t k = 0; k < r->keys; k++) OK(frz_row_get(row, r->key[k], &key[k]), &r->e);
                OK(frz_batch_delete(b, r->t, key, r->keys, &r->e), &r->e);
                continue;
            }
            size_t len = value_of(n, pass == 3, text);
            OK(frz_row_set_string(row, r->value, text, len, &r->e), &r->e);
            OK(frz_batch_put(b, r->t, row, &r->e), &r->e);
        }
        OK(frz_write(r->db, b, NULL, NULL, &r->e), &r->e);
        OK(frz_table_flush(r->t, &r->e), &r->e);
    }
    frz_row_free(row);
    frz_batch_free(b);
}

struct tally { uint64_t files, pages, rows, masked; };
static int on_file(void *ctx, const frz_file_info *f)
{
    struct tally *t = (struct tally *)ctx;
    assert_int_equal(f->content, 0);
    t->files++;
    t->rows += f->rows;
    t->masked += f->rows_masked;
    t->pages += (f->rows + PAGE_ROWS - 1) / PAGE_ROWS;
    return 0;
}

/* ── gets ── */

struct seen { uint64_t key_pages, values, checks, false_positives, probed; };
static struct seen seen_of(struct rig *r)
{
    frz_stats s = FRZ_INIT(frz_stats);
    OK(frz_db_stats(r->db, NULL, &s, &r->e), &r->e);
    return (struct seen){s.key_pages_read, s.value_pages_read, s.filter_checks, s.filter_false_positives, s.files_probed};
}

/* The get of N; what it read. */
static struct seen get(struct rig *r, frz_row *row, frz_row *out, int64_t n, bool there)
{
    frz_value key[8];
    char text[100];
    size_t len;
    set_key(r, row, n);
    for (size_t k = 0; k < r->keys; k++) OK(frz_row_get(row, r->key[k], &key[k]), &r->e);
    struct seen before = seen_of(r);
    RC(frz_get(r->t, NULL, key, r->keys, out, &r->e), there ? FRZ_OK : FRZ_NOT_FOUND, &r->e);
    struct seen after = seen_of(r);
    if (there) {
        const char *got = frz_row_bytes(out, r->value, &len);
        assert_int_equal(len, value_of(n, generation_of(n), text));
        assert_memory_equal(got, text, len);
    }
    return (struct seen){after.key_pages - before.key_pages, after.values - before.values, after.checks - before.checks,
                         after.false_positives - before.false_positives, after.probed - before.probed};
}

static void gets(struct rig *r, bool filter)
{
    frz_row *row, *out;
    struct tally t = {0};
    struct seen all = {0};
    OK(frz_table_files(r->t, NULL, on_file, &t, &r->e), &r->e);
    assert_true(t.files > 1);
    assert_int_equal(t.masked, 0);
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    OK(frz_row_new(r->t, &out, &r->e), &r->e);
    for (int64_t i = 0; i < ROWS; i += 7) { /* absent: in between, and deleted */
        int64_t n = i % 2 ? 2 * i + 1 : i * 10 % (2 * ROWS);
        struct seen s = get(r, row, out, n, false);
        assert_true(s.probed <= 1 && s.checks <= (filter ? 1 : 0) && s.key_pages <= (filter ? s.false_positives : 1));
        assert_int_equal(s.values, 0);
        all.false_positives += s.false_positives;
        all.key_pages += s.key_pages;
    }
    if (filter) assert_true(all.false_positives * 20 <= ROWS / 7); /* one in a hundred, and five times that for the luck of the draw */
    uint64_t live = 0;
    for (int64_t i = 0; i < ROWS; i++) { /* in an order that is not the keys' */
        int64_t n = i * 1187 % ROWS * 2;
        if (generation_of(n) < 0) continue;
        live++;
        struct seen s = get(r, row, out, n, true);
        assert_true(s.key_pages <= 1 && s.values <= 1 && s.false_positives == 0);
        assert_int_equal(s.probed, 1);
        all.key_pages += s.key_pages;
    }
    assert_int_equal(live, t.rows);
    assert_int_equal(all.key_pages, t.pages); /* each once, and no other */
    frz_row_free(row);
    frz_row_free(out);
}

static void settled_with(const char *schema, const char *key, int format, const char *filter_bits)
{
    struct rig r;
    rig_init(&r, schema, key, format, filter_bits);
    load(&r);
    OK(frz_table_compact(r.t, NULL, NULL, &r.e), &r.e);
    rig_close(&r);
    rig_open(&r); /* nothing is decoded */
    gets(&r, filter_bits[0] != '0');
    rig_clear(&r);
}
static void settled(const char *schema, const char *key)
{
    settled_with(schema, key, 2, "10");
    settled_with(schema, key, 3, "10");
}

TEST(settled, a_get_by_an_int_reads_one_key_page_at_most) { settled("id int, v string?", "id"); }
TEST(settled, a_get_by_a_long_reads_one_key_page_at_most) { settled("id long, v string?", "id"); }
TEST(settled, a_get_by_a_date_reads_one_key_page_at_most) { settled("id date, v string?", "id"); }
TEST(settled, a_get_by_a_time_reads_one_key_page_at_most) { settled("id time, v string?", "id"); }
TEST(settled, a_get_by_a_timestamp_reads_one_key_page_at_most)
{
    settled("id timestamp, v string?", "id");
    settled("id timestamptz, v string?", "id");
    settled_with("id timestamp_ns, v string?", "id", 3, "10");
    settled_with("id timestamptz_ns, v string?", "id", 3, "10");
}
TEST(settled, a_get_by_a_decimal_reads_one_key_page_at_most)
{
    settled("id decimal(9,2), v string?", "id");
    settled("id decimal(38,10), v string?", "id");
}
TEST(settled, a_get_by_a_string_of_any_length_reads_one_key_page_at_most) { settled("id string, v string?", "id"); }
TEST(settled, a_get_by_a_binary_with_zero_bytes_reads_one_key_page_at_most) { settled("id binary, v string?", "id"); }
TEST(settled, a_get_by_a_uuid_reads_one_key_page_at_most) { settled("id uuid, v string?", "id"); }
TEST(settled, a_get_by_a_fixed_reads_one_key_page_at_most) { settled("id fixed[16], v string?", "id"); }
TEST(settled, a_get_by_several_columns_reads_one_key_page_at_most)
{
    settled("a string, v string?, b long", "a, b");
    settled("v string?, c string, b boolean, a int", "a, b, c");
    settled("a uuid, b binary, c decimal(12,3), d date, v string?", "a, b, c, d");
}
TEST(settled, a_get_without_filters_reads_one_key_page_at_most)
{
    settled_with("id string, v string?", "id", 2, "0");
    settled_with("a string, v string?, b long", "a, b", 3, "0");
}

/* ── cursors ── */

/* Rows of ordinals [FROM, TO] that a cursor has to give: exactly those that live, in order. */
static void scan(struct rig *r, int64_t from, int64_t to, bool reverse, bool bounds)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_value lo = {.type = FRZ_LONG, .as.i64 = from}, hi = {.type = FRZ_LONG, .as.i64 = to};
    frz_cursor *c;
    const frz_row *row;
    char text[100];
    int rc;
    o.reverse = reverse;
    o.to_inclusive = bounds;
    if (bounds) {
        o.from = &lo;
        o.to = &hi;
        o.from_count = o.to_count = 1;
    }
    OK(frz_scan(r->t, &o, &c, &r->e), &r->e);
    int64_t step = reverse ? -1 : 1, at = reverse ? to : from;
    while ((rc = frz_cursor_next(c, &row, &r->e)) == FRZ_OK) {
        size_t len;
        while (at % 2 || generation_of(at) < 0) at += step;
        assert_int_equal(frz_row_long(row, 0), at);
        const char *got = frz_row_bytes(row, 1, &len);
        assert_int_equal(len, value_of(at, generation_of(at), text));
        assert_memory_equal(got, text, len);
        at += step;
    }
    RC(rc, FRZ_DONE, &r->e);
    while (at >= from && at <= to && (at % 2 || generation_of(at) < 0)) at += step;
    assert_true(at > to || at < from);
    frz_cursor_close(c);
}

static void scans_of(struct rig *r)
{
    struct rng rng = {test_seed(5)};
    scan(r, 0, 2 * ROWS - 1, false, false);
    scan(r, 0, 2 * ROWS - 1, true, false);
    for (int i = 0; i < 60; i++) {
        int64_t from = (int64_t)rng_below(&rng, 2 * ROWS), to = from + (int64_t)rng_below(&rng, i % 2 ? 30 : 2 * ROWS);
        if (to >= 2 * ROWS) to = 2 * ROWS - 1;
        scan(r, from, to, i & 2, true);
    }
}

/* The same rows, loaded by ordinal: what scan() expects of a long. */
static void load_plain(struct rig *r, int parts)
{
    frz_batch *b;
    frz_row *row;
    char text[100];
    OK(frz_batch_new(r->db, &b, &r->e), &r->e);
    OK(frz_row_new(r->t, &row, &r->e), &r->e);
    for (int part = 0; part < parts + 2; part++) { /* all; then the overwritten, then the deleted ones */
        frz_batch_clear(b);
        for (int64_t n = 0; n < 2 * ROWS; n += 2) {
            frz_value key = {.type = FRZ_LONG, .as.i64 = n};
            if (part < parts ? n / 2 % parts != part : generation_of(n) != (part == parts ? 1 : -1)) continue;
            if (part == parts + 1) {
                OK(frz_batch_delete(b, r->t, &key, 1, &r->e), &r->e);
                continue;
            }
            size_t len = value_of(n, part == parts, text);
            OK(frz_row_set_long(row, 0, n, &r->e), &r->e);
            OK(frz_row_set_string(row, 1, text, len, &r->e), &r->e);
            OK(frz_batch_put(b, r->t, row, &r->e), &r->e);
        }
        OK(frz_write(r->db, b, NULL, NULL, &r->e), &r->e);
        if (part < parts) OK(frz_table_flush(r->t, &r->e), &r->e);
    }
    frz_row_free(row);
    frz_batch_free(b);
}

static void scans(int format)
{
    struct rig r;
    rig_init(&r, "id long, v string?", "id", format, "10");
    load_plain(&r, 3);
    scans_of(&r); /* runs that overlap, and memtables above them */
    OK(frz_table_flush(r.t, &r.e), &r.e);
    scans_of(&r); /* masks */
    OK(frz_table_compact(r.t, NULL, NULL, &r.e), &r.e);
    scans_of(&r); /* one run of several files */
    for (int64_t n = 0; n < 2 * ROWS; n += 10) { /* deletes of what is not there, in memory above it */
        frz_value key = {.type = FRZ_LONG, .as.i64 = n};
        OK(frz_delete(r.t, &key, 1, NULL, &r.e), &r.e);
    }
    scans_of(&r);
    rig_clear(&r);
}
TEST(settled, a_cursor_gives_exactly_the_rows_before_and_after_in_format_2) { scans(2); }
TEST(settled, a_cursor_gives_exactly_the_rows_before_and_after_in_format_3) { scans(3); }
