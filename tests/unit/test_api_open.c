/* Goal    the promises of frazil.h that no other test holds: structs of other sizes, errors that are never stale, names, statistics,
 * properties, what is published, read-only handles and their refresh, the log callback. Method  by the public header alone. */
#include "hostile_kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

/* ── sized structs ── */

TEST(api_sizes, an_older_programs_structs_are_taken_at_every_length)
{
    struct host h;
    h_open(&h, "ao-old", "id long, v string?", "id");
    for (int64_t i = 0; i < 10; i++) OK(h_put(&h, i), &h.e);
    for (uint32_t n = 8; n <= sizeof(frz_scan_options); n += 8) {
        frz_scan_options o = {.struct_size = n, .limit = 3};
        frz_cursor *c;
        const frz_row *row;
        uint64_t rows = 0, count = 0,
                 want = n >= offsetof(frz_scan_options, limit) + 8 ? 3 : 10; /* a field beyond the size is not looked at */
        OK(frz_scan(h.t, &o, &c, &h.e), &h.e);
        while (frz_cursor_next(c, &row, &h.e) == FRZ_OK) rows++;
        frz_cursor_close(c);
        OK(frz_count(h.t, &o, &count, &h.e), &h.e);
        assert_int_equal(rows, want);
        assert_int_equal(count, want);
        struct ArrowArrayStream s;
        struct ArrowArray a;
        OK(frz_scan_arrow(h.t, &o, &s, &h.e), &h.e);
        assert_int_equal(s.get_next(&s, &a), 0);
        assert_int_equal(a.length, want);
        a.release(&a);
        s.release(&s);
    }
    frz_write_options w = {.struct_size = 4, .durability = 77};
    OK(frz_put(h.t, h.r, &w, &h.e), &h.e);
    h_shut(&h);
    for (uint32_t n = 8; n <= sizeof(frz_db_options); n += 8) {
        frz_db_options o = FRZ_DB_OPTIONS_INIT;
        o.struct_size = n;
        o.log_level = n <= offsetof(frz_db_options, log_level) ? 1000 : 0;
        OK(frz_db_open(h.path, &o, &h.db, &h.e), &h.e);
        OK(frz_db_close(h.db, &h.e), &h.e);
    }
    test_tmp_remove(h.path);
}

#define NEWER(type) struct { type known; char more[40]; }

TEST(api_sizes, a_newer_programs_unknown_fields_are_refused_where_they_are_set)
{
    struct host h;
    frz_cursor *c = NULL;
    frz_db *db = NULL;
    frz_schema *s = NULL;
    uint64_t n;
    NEWER(frz_scan_options) so = {.known = {.struct_size = sizeof so}};
    NEWER(frz_db_options) dbo = {.known = {.struct_size = sizeof dbo}};
    NEWER(frz_table_options) to = {.known = {.struct_size = sizeof to}};
    NEWER(frz_write_options) wo = {.known = {.struct_size = sizeof wo}};
    NEWER(frz_column) col = {.known = {.struct_size = sizeof col, .name = "more", .type = {.id = FRZ_LONG}}};
    h_open(&h, "ao-new", "id long, v string?", "id");
    for (int set = 0; set < 2; set++) {
        const int want = set ? FRZ_UNSUPPORTED : FRZ_OK;
        so.more[7] = dbo.more[0] = to.more[39] = wo.more[9] = col.more[1] = (char)set;
        RC(frz_scan(h.t, &so.known, &c, &h.e), want, &h.e);
        if (set) MESSAGE_HAS(&h.e, "frz_scan_options");
        else frz_cursor_close(c);
        RC(frz_count(h.t, &so.known, &n, &h.e), want, &h.e);
        OK(frz_row_set_long(h.r, 0, 1, &h.e), &h.e);
        RC(frz_put(h.t, h.r, &wo.known, &h.e), want, &h.e);
        s = h_schema("id long", "id");
        RC(frz_table_create(h.db, set ? "set" : "unset", s, &to.known, NULL, &h.e), want, &h.e);
        frz_schema_free(s);
        OK(frz_schema_new(&s, &h.e), &h.e);
        RC(frz_schema_add(s, &col.known, &h.e), want, &h.e);
        frz_schema_free(s);
        RC(frz_db_open(h.path, &dbo.known, &db, &h.e), set ? FRZ_UNSUPPORTED : FRZ_BUSY, &h.e);
    }
    h_close(&h);
}

TEST(api_sizes, what_is_given_back_fits_the_callers_struct)
{
    struct host h;
    h_open(&h, "ao-out", "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    NEWER(frz_stats) st;
    NEWER(frz_verify_report) rep;
    NEWER(frz_column) col;
    frz_schema *s;
    OK(frz_table_schema(h.t, &s, &h.e), &h.e);
    const uint32_t cuts[] = {0, 8, 40};
    for (size_t i = 0; i < 3; i++) { /* shorter, equal, longer */
        memset(&st, 0x5A, sizeof st);
        memset(&rep, 0x5A, sizeof rep);
        memset(&col, 0x5A, sizeof col);
        st.known.struct_size = i < 2 ? (uint32_t)sizeof st.known - 8 + cuts[i] : (uint32_t)sizeof st;
        rep.known.struct_size = i < 2 ? (uint32_t)sizeof rep.known - 8 + cuts[i] : (uint32_t)sizeof rep;
        col.known.struct_size = i < 2 ? (uint32_t)sizeof col.known - 8 + cuts[i] : (uint32_t)sizeof col;
        uint32_t sizes[] = {st.known.struct_size, rep.known.struct_size, col.known.struct_size};
        OK(frz_db_stats(h.db, NULL, &st.known, &h.e), &h.e);
        OK(frz_verify(h.db, NULL, NULL, NULL, &rep.known, &h.e), &h.e);
        OK(frz_schema_column(s, 1, &col.known), NULL);
        assert_int_equal(st.known.struct_size, sizes[0]);
        assert_int_equal(rep.known.struct_size, sizes[1]);
        assert_int_equal(col.known.struct_size, sizes[2]);
        assert_int_equal(st.known.rows_live, 1);
        assert_int_equal(rep.known.rows, 1);
        assert_string_equal(col.known.name, "v");
        for (size_t k = 0; k < 40; k++) assert_true(st.more[k] == 0x5A && rep.more[k] == 0x5A && col.more[k] == 0x5A);
        for (size_t k = sizeof st.known - 8; i == 0 && k < sizeof st.known; k++) assert_int_equal(((const uint8_t *)&st)[k], 0x5A);
        if (i == 0) assert_true(rep.known.findings == 0x5A5A5A5A5A5A5A5A);
    }
    col.known.struct_size = 0;
    RC(frz_schema_column(s, 1, &col.known), FRZ_INVALID, NULL); /* it was never begun: nothing in it could be told from garbage */
    frz_schema_free(s);
    h_close(&h);
}

/* ── options and errors ── */

static void *no_alloc(void *ctx, size_t n)
{
    (void)ctx;
    return malloc(n);
}

TEST(api_options, that_could_only_be_a_mistake_are_refused)
{
    struct host h;
    frz_db *db = NULL;
    frz_cursor *c = NULL;
    struct ArrowArrayStream s;
    uint64_t n;
    frz_error e;
    h_open(&h, "ao-mistake", "id long, v string?", "id");
    frz_allocator half = {.alloc = no_alloc};
    frz_db_options o = h_options();
    o.allocator = &half;
    FAILS(frz_db_open("/nowhere", &o, &db, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "allocator");
    o = h_options();
    o.log_level = 5;
    FAILS(frz_db_open("/nowhere", &o, &db, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "log_level");
    frz_value key = h_long(1);
    for (int i = 0; i < 3; i++) { /* a bound whose count was forgotten would be the whole table */
        static const char *const names[] = {"from", "to", "prefix"};
        frz_scan_options so = FRZ_SCAN_OPTIONS_INIT;
        *(i == 0 ? &so.from : i == 1 ? &so.to : &so.prefix) = &key;
        FAILS(frz_scan(h.t, &so, &c, &e), FRZ_INVALID, &e);
        MESSAGE_HAS(&e, names[i]);
        FAILS(frz_scan_arrow(h.t, &so, &s, &e), FRZ_INVALID, &e);
        FAILS(frz_count(h.t, &so, &n, &e), FRZ_INVALID, &e);
    }
    h_close(&h);
}

TEST(api_errors, say_what_the_call_said_and_nothing_older)
{
    struct host h;
    frz_cursor *c;
    const frz_row *row;
    frz_error e;
    frz_value key = h_long(5);
    h_open(&h, "ao-error", "id long, v string?", "id");
    frz_table *dropped = NULL;
    frz_schema *s = h_schema("id long, v string?", "id");
    OK(frz_table_create(h.db, "gone", s, NULL, &dropped, &h.e), &h.e);
    frz_schema_free(s);
    OK(frz_table_drop(h.db, "gone", &h.e), &h.e);
    memset(&e, 'x', sizeof e);
    RC(frz_get(h.t, NULL, &key, 1, h.r, &e), FRZ_NOT_FOUND, &e);
    assert_int_equal(e.code, FRZ_NOT_FOUND);
    assert_int_equal(e.os_errno, 0);
    MESSAGE_HAS(&e, "key");
    memset(&e, 'x', sizeof e);
    RC(frz_get(dropped, NULL, &key, 1, h.r, &e), FRZ_NOT_FOUND, &e);
    MESSAGE_HAS(&e, "main.gone was dropped"); /* which is not the key's fault */
    OK(frz_scan(h.t, NULL, &c, &e), &e);
    memset(&e, 'x', sizeof e);
    RC(frz_cursor_next(c, &row, &e), FRZ_DONE, &e);
    assert_int_equal(e.code, FRZ_DONE);
    MESSAGE_HAS(&e, "row");
    frz_cursor_close(c);
    OK(h_put(&h, 5), &h.e);
    memset(&e, 'x', sizeof e);
    OK(frz_get(h.t, NULL, &key, 1, h.r, &e), &e);
    assert_true(e.code == 0x78787878); /* filled only where the result is not 0 */
    bool found[2];
    frz_row *two[2] = {h.r, NULL};
    frz_value keys[2] = {h_long(5), h_long(6)};
    OK(frz_row_new(h.t, &two[1], &h.e), &h.e);
    OK(frz_multi_get(h.t, NULL, keys, 1, 2, two, found, &e), &e);
    assert_true(found[0] && !found[1] && e.code == 0x78787878);
    frz_row_free(two[1]);
    /* all of them may be NULL */
    RC(frz_get(h.t, NULL, &keys[1], 1, h.r, NULL), FRZ_NOT_FOUND, NULL);
    RC(frz_get(h.t, NULL, &keys[1], 2, h.r, NULL), FRZ_INVALID, NULL);
    h_close(&h);
}

TEST(api_names, of_every_status_and_of_none)
{
#define NAMED(code) assert_string_equal(frz_status_name(code), #code)
    NAMED(FRZ_OK);
    NAMED(FRZ_NOT_FOUND);
    NAMED(FRZ_DONE);
    NAMED(FRZ_EXISTS);
    NAMED(FRZ_INVALID);
    NAMED(FRZ_MISUSE);
    NAMED(FRZ_READ_ONLY);
    NAMED(FRZ_TOO_LARGE);
    NAMED(FRZ_UNSUPPORTED);
    NAMED(FRZ_BUSY);
    NAMED(FRZ_SNAPSHOT_TOO_OLD);
    NAMED(FRZ_CANCELLED);
    NAMED(FRZ_NO_MEMORY);
    NAMED(FRZ_NO_SPACE);
    NAMED(FRZ_IO);
    NAMED(FRZ_CORRUPT);
    NAMED(FRZ_NEWER_FORMAT);
    NAMED(FRZ_CONFLICT);
    NAMED(FRZ_BUG);
    assert_string_equal(frz_status_name(4), "FRZ_UNKNOWN");
    assert_string_equal(frz_status_name(INT32_MIN), "FRZ_UNKNOWN");
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", FRZ_VERSION_MAJOR, FRZ_VERSION_MINOR, FRZ_VERSION_PATCH);
    assert_string_equal(frz_version(), version);
}

/* ── rows ── */

TEST(api_row, of_a_cursor_is_kept_by_a_copy)
{
    struct host h;
    frz_cursor *c;
    const frz_row *row;
    frz_row *kept[5], *narrow;
    h_open(&h, "ao-copy", "id long, v string?", "id");
    for (int64_t i = 0; i < 5; i++) OK(h_put(&h, i), &h.e);
    OK(frz_scan(h.t, NULL, &c, &h.e), &h.e);
    for (int i = 0; i < 5; i++) {
        OK(frz_cursor_next(c, &row, &h.e), &h.e);
        assert_false(frz_row_owns(row));
        OK(frz_row_new(h.t, &kept[i], &h.e), &h.e);
        OK(frz_row_set_string(kept[i], 1, "older, and longer than what comes", 33, &h.e), &h.e);
        OK(frz_row_copy(kept[i], row, &h.e), &h.e);
        assert_true(frz_row_owns(kept[i]));
        FAILS(frz_row_copy((frz_row *)(uintptr_t)row, kept[i], &h.e), FRZ_MISUSE, &h.e);
    }
    frz_cursor_close(c);
    size_t one = 0, len;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.columns = &one;
    o.column_count = 1;
    OK(frz_scan(h.t, &o, &c, &h.e), &h.e);
    OK(frz_cursor_next(c, &row, &h.e), &h.e);
    OK(frz_row_copy(h.r, row, &h.e), &h.e); /* unset stays unset, whatever was there */
    frz_value v;
    RC(frz_row_get(h.r, 1, &v), FRZ_NOT_FOUND, NULL);
    frz_cursor_close(c);
    for (int i = 0; i < 5; i++) {
        char text[8];
        snprintf(text, sizeof text, "v%d", i);
        assert_int_equal(frz_row_long(kept[i], 0), i);
        assert_memory_equal(frz_row_bytes(kept[i], 1, &len), text, 2);
        assert_int_equal(len, 2);
        OK(frz_row_set_string(kept[i], 1, "changed", 7, &h.e), &h.e);
        OK(frz_put(h.t, kept[i], NULL, &h.e), &h.e);
    }
    frz_schema *s = h_schema("id long, w string?", "id");
    OK(frz_row_new_schema(s, &narrow, &h.e), &h.e);
    FAILS(frz_row_copy(narrow, kept[0], &h.e), FRZ_INVALID, &h.e);
    FAILS(frz_row_copy(narrow, NULL, &h.e), FRZ_INVALID, &h.e);
    OK(frz_row_copy(kept[0], kept[0], &h.e), &h.e);
    assert_int_equal(frz_row_long(kept[0], 0), 0);
    frz_schema_free(s);
    frz_row_free(narrow);
    for (int i = 0; i < 5; i++) frz_row_free(kept[i]);
    h_close(&h);
}

/* ── statistics and properties ── */

TEST(api_stats, text_and_json_have_every_field_of_the_struct)
{
    struct host h;
    frz_blob *text, *json;
    frz_stats st = FRZ_INIT(frz_stats), after = FRZ_INIT(frz_stats);
    h_open(&h, "ao-stats", "id long, v string?", "id");
    for (int64_t i = 0; i < 50; i++) OK(h_put(&h, i), &h.e);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    h_has(&h, 7);
    for (;;) { /* of one moment: what works in the background may give memory back in between */
        OK(frz_db_stats(h.db, h.t, &st, &h.e), &h.e);
        OK(frz_db_stats_text(h.db, h.t, false, &text, &h.e), &h.e);
        OK(frz_db_stats_text(h.db, h.t, true, &json, &h.e), &h.e);
        OK(frz_db_stats(h.db, h.t, &after, &h.e), &h.e);
        if (memcmp(&st, &after, sizeof st) == 0) break;
        frz_blob_free(text);
        frz_blob_free(json);
    }
    const uint64_t *field = &st.seq_visible; /* all that follows is counters, in the order of the text, then ratios */
    size_t fields = (offsetof(frz_stats, write_amplification) - offsetof(frz_stats, seq_visible)) / 8, ratios = (sizeof st - offsetof(frz_stats, write_amplification)) / 8, lines = 0;
    uint64_t sum = 0, said = 0;
    for (size_t i = 0; i < fields; i++) sum += field[i];
    char *copy = strdup(frz_blob_data(text)), *at = copy;
    for (char *line; (line = strsep(&at, "\n")) && *line; lines++) {
        char name[64], pair[128];
        unsigned long long value;
        double ratio;
        if (lines >= fields) {
            assert_int_equal(sscanf(line, "%63s %lf", name, &ratio), 2);
            snprintf(pair, sizeof pair, "\"%s\":", name);
            assert_non_null(strstr(frz_blob_data(json), pair));
            assert_true(ratio - (&st.write_amplification)[lines - fields] < 1e-3 && (&st.write_amplification)[lines - fields] - ratio < 1e-3);
            continue;
        }
        assert_int_equal(sscanf(line, "%63s %llu", name, &value), 2);
        snprintf(pair, sizeof pair, "\"%s\":%llu", name, value);
        assert_non_null(strstr(frz_blob_data(json), pair));
        said += value;
    }
    assert_int_equal(lines, fields + ratios);
    assert_int_equal(said, sum);
    assert_true(st.rows_put == 50 && st.rows_live == 50 && st.flushes == 1 && st.flush_rows == 50 && st.data_files == 1 &&
                st.data_bytes > 0 && st.commits >= 1 && st.gets == 1 && st.gets_found == 1);
    assert_true(st.flush_us_total >= st.flush_us_max && st.flush_us_max > 0 && st.commit_us_total >= st.commit_us_max &&
                st.commit_us_max > 0 && st.flush_bytes >= st.data_bytes);
    free(copy);
    frz_blob_free(text);
    frz_blob_free(json);
    h_close(&h);
}

struct seen { char text[4096]; int count, stop_at; };
static int on_property(void *ctx, const char *key, const char *value)
{
    struct seen *s = (struct seen *)ctx;
    snprintf(s->text + strlen(s->text), sizeof s->text - strlen(s->text), "%s=%s\n", key, value);
    return ++s->count == s->stop_at ? 42 : 0;
}

TEST(api_properties, are_set_listed_removed_and_have_defaults)
{
    struct host h;
    struct seen s = {.count = 0};
    frz_blob *b;
    h_open(&h, "ao-props", "id long, v string?", "id");
    OK(frz_table_set_property(h.t, "owner", "the ice team", &h.e), &h.e);
    OK(frz_table_set_property(h.t, "frazil.snapshots-max", "7", &h.e), &h.e);
    for (int round = 0; round < 2; round++) {
        s = (struct seen){.count = 0};
        OK(frz_table_properties(h.t, on_property, &s, &h.e), &h.e);
        assert_non_null(strstr(s.text, "owner=the ice team\n"));
        assert_non_null(strstr(s.text, "frazil.snapshots-max=7\n"));
        h_reopen(&h);
    }
    int all = s.count;
    s = (struct seen){.stop_at = 2};
    RC(frz_table_properties(h.t, on_property, &s, &h.e), 42, &h.e);
    assert_int_equal(s.count, 2);
    OK(frz_table_set_property(h.t, "owner", NULL, &h.e), &h.e);
    OK(frz_table_set_property(h.t, "frazil.snapshots-max", NULL, &h.e), &h.e);
    RC(frz_table_property(h.t, "owner", &b, &h.e), FRZ_NOT_FOUND, &h.e);
    OK(frz_table_property(h.t, "frazil.snapshots-max", &b, &h.e), &h.e);
    assert_string_equal(frz_blob_data(b), "32"); /* the default again */
    frz_blob_free(b);
    s = (struct seen){.count = 0};
    OK(frz_table_properties(h.t, on_property, &s, &h.e), &h.e);
    assert_int_equal(s.count, all - 2);
    h_close(&h);
}

/* ── what is published ── */

struct published { int64_t ids[32], parents[32], sequences[32]; char operations[32][16]; int count, current; };
static int on_snapshot(void *ctx, const frz_snapshot_info *i)
{
    struct published *p = (struct published *)ctx;
    assert_int_equal(i->struct_size, sizeof *i);
    assert_true(i->summary_json[0] == '{' && strstr(i->summary_json, "\"total-records\":\""));
    p->ids[p->count] = i->snapshot_id;
    p->parents[p->count] = i->parent_id;
    p->sequences[p->count] = i->sequence_number;
    snprintf(p->operations[p->count], sizeof p->operations[0], "%s", i->operation);
    if (i->current) p->current = p->count;
    p->count++;
    return 0;
}
struct files { uint64_t rows, masked, deletes; int data; char path[300]; };
static int on_file(void *ctx, const frz_file_info *i)
{
    struct files *f = (struct files *)ctx;
    assert_true(i->bytes > 0 && i->sequence_number > 0 && i->path[0] != '/');
    if (i->content == 0) {
        f->data++;
        f->rows += i->rows;
        f->masked += i->rows_masked;
        snprintf(f->path, sizeof f->path, "%s", i->path);
        assert_string_equal(i->format, "PARQUET");
    } else {
        f->deletes += i->rows;
    }
    return 0;
}

TEST(api_published, a_snapshot_that_is_open_outlives_its_expiry_and_its_files)
{
    for (int format = 2; format <= 3; format++) {
        static const char *const names[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms", "frazil.snapshots-max"},
                                 *const values[] = {"0", "0", "2"};
        struct host h;
        struct published p = {.count = 0};
        struct files f = {.rows = 0};
        frz_snapshot *old = NULL;
        frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
        frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
        frz_stats st = FRZ_INIT(frz_stats);
        uint64_t n;
        char path[900];
        h_open(&h, "ao-published", NULL, NULL);
        frz_schema *s = h_schema("id long, v string?", "id");
        to.format_version = format;
        to.property_keys = names;
        to.property_values = values;
        to.property_count = 3;
        OK(frz_table_create(h.db, "t", s, &to, &h.t, &h.e), &h.e);
        frz_schema_free(s);
        OK(frz_row_new(h.t, &h.r, &h.e), &h.e);
        for (int64_t i = 0; i < 100; i++) OK(h_put(&h, i), &h.e);
        OK(frz_table_flush(h.t, &h.e), &h.e);
        frz_value key = h_long(50);
        OK(frz_delete(h.t, &key, 1, NULL, &h.e), &h.e);
        OK(frz_table_flush(h.t, &h.e), &h.e);
        OK(frz_table_snapshots(h.t, on_snapshot, &p, &h.e), &h.e);
        assert_int_equal(p.count, 2);
        assert_int_equal(p.current, 1);
        assert_true(p.parents[0] == 0 && p.parents[1] == p.ids[0] && p.sequences[1] == p.sequences[0] + 1);
        assert_string_equal(p.operations[0], "append");
        assert_string_equal(p.operations[1], "delete");
        OK(frz_table_files(h.t, NULL, on_file, &f, &h.e), &h.e);
        assert_true(f.data == 1 && f.rows == 100 && f.masked == 1 && f.deletes == 1);
        OK(frz_snapshot_open_published(h.t, p.ids[0], &old, &h.e), &h.e);
        o.snapshot = old;
        f = (struct files){.rows = 0};
        OK(frz_table_files(h.t, old, on_file, &f, &h.e), &h.e);
        assert_true(f.data == 1 && f.rows == 100 && f.masked == 0 && f.deletes == 0);
        snprintf(path, sizeof path, "%s/%s", h.path, f.path);
        assert_int_equal(access(path, R_OK), 0);
        for (int round = 0; round < 4; round++) { /* it expires, and its file goes */
            for (int64_t i = 0; i < 100; i++) OK(h_put(&h, i), &h.e);
            OK(frz_table_flush(h.t, &h.e), &h.e);
        }
        for (int tries = 0; tries < 2000; tries++) {
            OK(frz_db_stats(h.db, h.t, &st, &h.e), &h.e);
            if (st.files_removed >= 3) break;
            usleep(5000);
        }
        frz_snapshot *again = NULL;
        RC(frz_snapshot_open_published(h.t, p.ids[0], &again, &h.e), FRZ_NOT_FOUND, &h.e);
        MESSAGE_HAS(&h.e, "retained");
        OK(frz_count(h.t, &o, &n, &h.e), &h.e);
        assert_int_equal(n, 100);
        for (int64_t i = 0; i < 100; i++) {
            key = h_long(i);
            OK(frz_get(h.t, old, &key, 1, h.r, &h.e), &h.e);
        }
        key = h_long(100);
        RC(frz_get(h.t, old, &key, 1, h.r, &h.e), FRZ_NOT_FOUND, &h.e);
        frz_snapshot_close(old);
        h_verify(&h);
        h_close(&h);
    }
}

/* ── Arrow streams ── */

TEST(api_stream, may_be_released_at_any_point_and_tells_its_schema_alone)
{
    struct host h;
    struct ArrowArrayStream s;
    struct ArrowSchema schema;
    struct ArrowArray a;
    h_open(&h, "ao-stream", "id long, v string?", "id");
    for (int64_t i = 0; i < 100; i++) OK(h_put(&h, i), &h.e);
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.batch_rows = 10;
    for (int point = 0; point < 5; point++) {
        for (int flushed = 0; flushed < 2; flushed++) {
            OK(frz_scan_arrow(h.t, &o, &s, &h.e), &h.e);
            if (point == 1 || point == 3) {
                assert_int_equal(s.get_schema(&s, &schema), 0);
                assert_string_equal(schema.format, "+s");
                assert_int_equal(schema.n_children, 2);
                assert_string_equal(schema.children[1]->name, "v");
                assert_int_equal(schema.children[0]->flags & ARROW_FLAG_NULLABLE, 0);
                assert_int_equal(schema.children[1]->flags & ARROW_FLAG_NULLABLE, ARROW_FLAG_NULLABLE);
                if (point == 1) schema.release(&schema);
            }
            for (int i = 0; i < (point == 2 ? 1 : point == 4 ? 11 : 0); i++) {
                assert_int_equal(s.get_next(&s, &a), 0);
                if (i == 10) assert_null(a.release); /* the end, and again */
                else a.release(&a);
            }
            if (point == 4) {
                assert_int_equal(s.get_next(&s, &a), 0);
                assert_null(a.release);
            }
            FAILS(frz_db_close(h.db, &h.e), FRZ_BUSY, &h.e);
            s.release(&s);
            assert_null(s.release);
            if (point == 3) schema.release(&schema); /* which outlives the stream */
            OK(frz_table_flush(h.t, &h.e), &h.e);
        }
    }
    OK(frz_scan_arrow(h.t, NULL, &s, &h.e), &h.e);
    OK(frz_table_drop(h.db, "t", &h.e), &h.e); /* the state stays */
    assert_int_equal(s.get_next(&s, &a), 0);
    assert_int_equal(a.length, 100);
    s.release(&s);
    frz_row_free(h.r);
    OK(frz_db_close(h.db, &h.e), &h.e);
    assert_int_equal(((const int64_t *)a.children[0]->buffers[1])[99], 99); /* arrays outlive all of it */
    a.release(&a);
    test_tmp_remove(h.path);
}

/* ── read-only handles ── */

static int on_table(void *ctx, const char *name)
{
    snprintf((char *)ctx + strlen((char *)ctx), 200 - strlen((char *)ctx), "%s ", name);
    return 0;
}

TEST(api_read_only, sees_what_is_logged_and_takes_up_the_rest_at_a_refresh)
{
    struct host h;
    frz_db *r = NULL;
    frz_table *t = NULL, *u = NULL;
    frz_row *row = NULL;
    frz_error e;
    uint64_t n;
    char names[200] = "";
    frz_value key = h_long(1);
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    h_open(&h, "ao-ro", "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    OK(h_put(&h, 2), &h.e); /* logged alone */
    o.read_only = true;
    OK(frz_db_open(h.path, &o, &r, &e), &e);
    OK(frz_table_open(r, "t", &t, &e), &e);
    OK(frz_row_new(t, &row, &e), &e);
    OK(frz_count(t, NULL, &n, &e), &e);
    assert_int_equal(n, 2);
    OK(frz_row_set_long(row, 0, 3, &e), &e);
    FAILS(frz_put(t, row, NULL, &e), FRZ_READ_ONLY, &e);
    FAILS(frz_delete(t, &key, 1, NULL, &e), FRZ_READ_ONLY, &e);
    FAILS(frz_table_flush(t, &e), FRZ_READ_ONLY, &e);
    FAILS(frz_db_flush(r, &e), FRZ_READ_ONLY, &e);
    FAILS(frz_table_set_property(t, "a", "b", &e), FRZ_READ_ONLY, &e);
    FAILS(frz_table_drop(r, "t", &e), FRZ_READ_ONLY, &e);
    frz_schema *s = h_schema("id long, v string?", "id");
    FAILS(frz_table_create(r, "w", s, NULL, NULL, &e), FRZ_READ_ONLY, &e);
    /* the writer goes on; nothing of it is seen before the refresh, all of it after */
    OK(h_put(&h, 3), &h.e);
    OK(frz_delete(h.t, &key, 1, NULL, &h.e), &h.e);
    OK(frz_table_create(h.db, "u", s, NULL, &u, &h.e), &h.e);
    frz_schema_free(s);
    OK(frz_get(t, NULL, &key, 1, row, &e), &e);
    RC(frz_table_open(r, "u", &u, &e), FRZ_NOT_FOUND, &e);
    frz_snapshot *before;
    OK(frz_snapshot_open(r, &before, &e), &e);
    OK(frz_db_refresh(r, &e), &e);
    RC(frz_get(t, NULL, &key, 1, row, &e), FRZ_NOT_FOUND, &e);
    OK(frz_get(t, before, &key, 1, row, &e), &e); /* a snapshot stays */
    frz_snapshot_close(before);
    OK(frz_count(t, NULL, &n, &e), &e);
    assert_int_equal(n, 2);
    OK(frz_table_open(r, "u", &u, &e), &e);
    OK(frz_db_tables(r, on_table, names, &e), &e);
    assert_string_equal(names, "main.t main.u ");
    OK(frz_table_flush(h.t, &h.e), &h.e);
    OK(frz_table_drop(h.db, "u", &h.e), &h.e);
    OK(frz_db_refresh(r, &e), &e);
    OK(frz_count(t, NULL, &n, &e), &e);
    assert_int_equal(n, 2);
    RC(frz_count(u, NULL, &n, &e), FRZ_NOT_FOUND, &e);
    frz_row_free(row);
    OK(frz_db_close(r, &e), &e);
    OK(frz_db_refresh(h.db, &h.e), &h.e); /* of a writer: nothing */
    h_close(&h);
}

/* ── the log callback ── */

struct lines { int count, worst, level; };
static void on_line(void *ctx, int level, const char *message)
{
    struct lines *l = (struct lines *)ctx;
    assert_true(level >= FRZ_LOG_ERROR && level <= l->level && message[0]);
    l->count++;
    if (level < l->worst || !l->worst) l->worst = level;
}

/* The last byte of the log that is not zero is turned: its last record does not read. */
static void tear_log(const char *warehouse)
{
    char dir[700], path[1000] = "";
    static uint8_t bytes[131072];
    snprintf(dir, sizeof dir, "%s/.frazil/wal", warehouse);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *x; (x = readdir(d));) {
        char other[1000];
        snprintf(other, sizeof other, "%s/%s", dir, x->d_name);
        if (strstr(x->d_name, ".wal") && strcmp(other, path) > 0) strcpy(path, other);
    }
    closedir(d);
    int fd = open(path, O_RDWR);
    ssize_t n = read(fd, bytes, sizeof bytes);
    while (n > 0 && bytes[n - 1] == 0) n--;
    assert_true(n > 256);
    bytes[n - 1] ^= 0xFF;
    assert_int_equal(pwrite(fd, &bytes[n - 1], 1, n - 1), 1);
    close(fd);
}

TEST(api_log, hears_of_a_torn_log_at_its_level_and_nothing_below)
{
    for (int level = FRZ_LOG_ERROR; level <= FRZ_LOG_DEBUG; level++) {
        struct host h;
        struct lines l = {.level = level};
        h_open(&h, "ao-log", "id long, v string?", "id");
        h_shut(&h);
        frz_db_options o = h_options();
        o.no_close_flush = true;
        OK(frz_db_open(h.path, &o, &h.db, &h.e), &h.e);
        OK(frz_table_open(h.db, "t", &h.t, &h.e), &h.e);
        OK(frz_row_new(h.t, &h.r, &h.e), &h.e);
        for (int64_t i = 0; i < 3; i++) OK(h_put(&h, i), &h.e);
        h_shut(&h);
        tear_log(h.path);
        o = h_options();
        o.log = on_line;
        o.log_ctx = &l;
        o.log_level = level;
        OK(frz_db_open(h.path, &o, &h.db, &h.e), &h.e);
        OK(frz_db_close(h.db, &h.e), &h.e);
        assert_int_equal(l.count > 0, level >= FRZ_LOG_WARN);
        test_tmp_remove(h.path);
    }
}
