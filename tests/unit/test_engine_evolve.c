/* Goal    a schema change reaches every row, wherever it is: in files, in memtables, in the log, in batches and rows that hosts hold; and what was opened before keeps its schema.
 * Method  a database in memory; the same claims with the older rows in each of those places. */
#include "frz_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "alter_kit.h"
#include "api/handle.h"
#include "base/failpoint.h"
#include "engine/compact.h"
#include "io/fs_fault.h"

struct bed {
    struct fs *fs;
    frz_db *db;
    frz_table *t;
    frz_error e;
    frz_db_options o;
};

static void bed_open(struct bed *b)
{
    OK(frz__test_db_open(b->fs, &b->o, &b->db, &b->e), &b->e);
    OK(frz_table_open(b->db, "t", &b->t, &b->e), &b->e);
}
static void bed_close(struct bed *b) { OK(frz_db_close(b->db, &b->e), &b->e); }
static void bed_reopen(struct bed *b)
{
    bed_close(b);
    bed_open(b);
}
static void bed_init(struct bed *b, int format, const char *schema)
{
    static const char *const keys[] = {"frazil.publish-interval-ms"}, *const values[] = {"0"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    *b = (struct bed){.o = FRZ_DB_OPTIONS_INIT};
    b->o.create = true;
    b->o.no_close_flush = true;
    b->o.no_compaction = true; /* it is called */
    b->o.memory_bytes = 8 << 20;
    b->o.log_level = FRZ_LOG_ERROR;
    OK(frz__fs_fault_new(NULL, 1, &b->fs, &b->e), &b->e);
    OK(frz__test_db_open(b->fs, &b->o, &b->db, &b->e), &b->e);
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 1;
    OK(frz_schema_parse(schema, "id", &s, &b->e), &b->e);
    OK(frz_table_create(b->db, "t", s, &to, &b->t, &b->e), &b->e);
    frz_schema_free(s);
}
static void bed_verify(struct bed *b)
{
    frz_verify_report r = FRZ_INIT(frz_verify_report);
    OK(frz_verify(b->db, NULL, NULL, NULL, &r, &b->e), &b->e);
    assert_int_equal(r.findings, 0);
}
static void bed_clear(struct bed *b)
{
    bed_verify(b);
    bed_close(b);
    frz__fs_free(b->fs);
}
static void put(struct bed *b, const char *json) { OK(alter_put(b->t, json, &b->e), &b->e); }
static void set(struct bed *b, frz_row *row, const char *json) { OK(frz_row_set_json(row, json, strlen(json), &b->e), &b->e); }
static void flush(struct bed *b) { OK(frz_table_flush(b->t, &b->e), &b->e); }

/* Every row as the cursor gives it, one JSON object a line. */
static void scan_is(struct bed *b, frz_snapshot *s, const char *where, const char *want)
{
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    frz_cursor *c;
    const frz_row *row;
    char text[4096] = "";
    int rc;
    o.snapshot = s;
    o.where = where;
    OK(frz_scan(b->t, &o, &c, &b->e), &b->e);
    while ((rc = frz_cursor_next(c, &row, &b->e)) == FRZ_OK) {
        frz_blob *j;
        OK(frz_row_to_json(row, &j, &b->e), &b->e);
        strcat(strcat(text, frz_blob_data(j)), "\n");
        frz_blob_free(j);
    }
    assert_int_equal(rc, FRZ_DONE);
    frz_cursor_close(c);
    assert_string_equal(text, want);
    uint64_t n = 0, lines = 0;
    for (const char *p = want; *p; p++) lines += *p == '\n';
    OK(frz_count(b->t, &o, &n, &b->e), &b->e);
    assert_int_equal(n, lines);
}
/* The longs of column NAME over an Arrow stream: their sum, and how many are null. */
static void arrow_sum(struct bed *b, const char *name, int64_t *sum, int64_t *nulls)
{
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray array;
    int64_t column = -1;
    OK(frz_scan_arrow(b->t, NULL, &stream, &b->e), &b->e);
    assert_int_equal(stream.get_schema(&stream, &schema), 0);
    for (int64_t i = 0; i < schema.n_children; i++)
        if (strcmp(schema.children[i]->name, name) == 0) column = i;
    assert_true(column >= 0);
    assert_string_equal(schema.children[column]->format, "l");
    schema.release(&schema);
    *sum = *nulls = 0;
    for (;;) {
        assert_int_equal(stream.get_next(&stream, &array), 0);
        if (!array.release) break;
        const struct ArrowArray *c = array.children[column];
        for (int64_t i = 0; i < array.length; i++) {
            const uint8_t *valid = (const uint8_t *)c->buffers[0];
            int64_t at = i + c->offset;
            if (valid && !(valid[at / 8] >> (at % 8) & 1)) (*nulls)++;
            else *sum += ((const int64_t *)c->buffers[1])[at];
        }
        array.release(&array);
    }
    stream.release(&stream);
}

/* ── where the older rows are ── */

enum where { IN_MEMTABLE, IN_IMMUTABLE, IN_FILES, IN_LOG, IN_COMPACTED, WHERES };
static void bring(struct bed *b, enum where where)
{
    if (where == IN_FILES || where == IN_COMPACTED) flush(b);
    if (where == IN_LOG) bed_reopen(b);
    if (where == IN_IMMUTABLE) OK(frz__rotate(b->t->t, NULL, &b->e), &b->e);
    if (where != IN_COMPACTED) return;
    struct plan_options o;
    frz__compact_options(b->t->t, &o);
    o.masked_percent = 1;
    RC(frz__compact(b->t->t, &o, NULL, &b->e), FRZ_DONE, &b->e); /* one small file: nothing to do, and nothing broken */
}

TEST(alter, shows_every_kind_of_change_wherever_the_older_rows_are)
{
    for (int format = 2; format <= 3; format++)
        for (enum where where = 0; where < WHERES; where++) {
            struct bed b;
            bed_init(&b, format, "id long, n int, f float?, d decimal(5,2)?, s string, gone string?");
            put(&b, "{\"id\":1,\"n\":7,\"f\":1.5,\"d\":\"123.45\",\"s\":\"x\",\"gone\":\"g\"}");
            put(&b, "{\"id\":2,\"n\":-8,\"f\":null,\"d\":null,\"s\":\"\",\"gone\":null}");
            bring(&b, where);
            ALTER(b.t, &b.e, CHANGE(TYPE, "n", .type = TYPE(FRZ_LONG)), CHANGE(TYPE, "f", .type = TYPE(FRZ_DOUBLE)),
                  CHANGE(TYPE, "d", .type = DECIMAL(20, 2)), CHANGE(OPTIONAL, "s"), CHANGE(DROP, "gone"),
                  CHANGE(RENAME, "id", .name = "key"), CHANGE(DOC, "key", .doc = "which"),
                  ADD_AT(FRZ_PLACE_FIRST, NULL, "extra", .type = TYPE(FRZ_STRING)),
                  CHANGE(MOVE, "s", .place = FRZ_PLACE_BEFORE, .other = "n"));
            for (int round = 0; round < 4; round++) {
                alter_schema_is(b.t, "extra string?, key long, s string?, n long, f double?, d decimal(20,2)?");
                alter_get_is(b.t, NULL, 1, "{\"extra\":null,\"key\":1,\"s\":\"x\",\"n\":7,\"f\":1.5,\"d\":\"123.45\"}");
                scan_is(&b, NULL, NULL,
                        "{\"extra\":null,\"key\":1,\"s\":\"x\",\"n\":7,\"f\":1.5,\"d\":\"123.45\"}\n{\"extra\":null,\"key\":2,\"s\":\"\","
                        "\"n\":-8,\"f\":null,\"d\":null}\n");
                scan_is(&b, NULL, "n < 0 AND extra IS NULL", "{\"extra\":null,\"key\":2,\"s\":\"\",\"n\":-8,\"f\":null,\"d\":null}\n");
                scan_is(&b, NULL, "n > 3000000000", "");
                scan_is(&b, NULL, "d = 123.45", "{\"extra\":null,\"key\":1,\"s\":\"x\",\"n\":7,\"f\":1.5,\"d\":\"123.45\"}\n");
                int64_t sum, nulls;
                arrow_sum(&b, "n", &sum, &nulls);
                assert_int_equal(sum, -1);
                assert_int_equal(nulls, 0);
                if (round == 0) flush(&b);
                if (round == 1) bed_reopen(&b);
                if (round == 2) bed_verify(&b);
            }
            put(&b, "{\"extra\":\"e\",\"key\":3,\"s\":null,\"n\":3000000000,\"f\":0.1,\"d\":\"123456789012345678.90\"}");
            put(&b, "{\"extra\":\"new\",\"key\":1,\"s\":\"y\",\"n\":5,\"f\":null,\"d\":null}");
            for (int round = 0; round < 2; round++) {
                scan_is(&b, NULL, NULL,
                        "{\"extra\":\"new\",\"key\":1,\"s\":\"y\",\"n\":5,\"f\":null,\"d\":null}\n{\"extra\":null,\"key\":2,\"s\":\"\","
                        "\"n\":-8,\"f\":null,\"d\":null}\n"
                        "{\"extra\":\"e\",\"key\":3,\"s\":null,\"n\":3000000000,\"f\":0.1,\"d\":\"123456789012345678.90\"}\n");
                flush(&b);
            }
            bed_clear(&b);
        }
}

TEST(alter, gives_older_rows_the_initial_default_and_newer_ones_the_write_default)
{
    for (enum where where = 0; where < WHERES; where++) {
        struct bed b;
        bed_init(&b, 3, "id long, v string?");
        put(&b, "{\"id\":1,\"v\":\"a\"}");
        bring(&b, where);
        ALTER(b.t, &b.e, ADD("n", .type = TYPE(FRZ_LONG), .required = true, .initial = LONG_VALUE(5)),
              ADD("s", .type = TYPE(FRZ_STRING), .initial = STRING_VALUE("old"), .write = STRING_VALUE("new")),
              ADD("w", .type = TYPE(FRZ_INT), .write = INT_VALUE(9)));
        put(&b, "{\"id\":2,\"v\":\"b\"}");
        ALTER(b.t, &b.e, CHANGE(DEFAULT, "n", .value = LONG_VALUE(6)), CHANGE(DEFAULT, "w"));
        put(&b, "{\"id\":3}");
        for (int round = 0; round < 3; round++) {
            scan_is(&b, NULL, NULL,
                    "{\"id\":1,\"v\":\"a\",\"n\":5,\"s\":\"old\",\"w\":null}\n{\"id\":2,\"v\":\"b\",\"n\":5,\"s\":\"new\",\"w\":9}\n{"
                    "\"id\":3,\"v\":null,\"n\":6,\"s\":\"new\",\"w\":null}\n");
            scan_is(&b, NULL, "s = 'old' AND n = 5", "{\"id\":1,\"v\":\"a\",\"n\":5,\"s\":\"old\",\"w\":null}\n");
            scan_is(&b, NULL, "s = 'other'", "");
            if (round == 0) flush(&b);
            else bed_reopen(&b);
        }
        bed_clear(&b);
    }
}

TEST(alter, of_a_dropped_name_makes_another_column)
{
    for (enum where where = 0; where < WHERES; where++) {
        struct bed b;
        bed_init(&b, 2, "id long, v string?");
        put(&b, "{\"id\":1,\"v\":\"a\"}");
        bring(&b, where);
        ALTER(b.t, &b.e, CHANGE(DROP, "v"), ADD("v", .type = TYPE(FRZ_LONG)));
        frz_schema *s;
        frz_column c = FRZ_INIT(frz_column);
        OK(frz_table_schema(b.t, &s, &b.e), &b.e);
        assert_int_equal(frz_schema_column(s, 1, &c), FRZ_OK);
        assert_int_equal(c.field_id, 3);
        frz_schema_free(s);
        alter_get_is(b.t, NULL, 1, "{\"id\":1,\"v\":null}");
        ALTER(b.t, &b.e, CHANGE(DROP, "v"));
        ALTER(b.t, &b.e, ADD("v", .type = TYPE(FRZ_STRING)));
        flush(&b);
        alter_get_is(b.t, NULL, 1, "{\"id\":1,\"v\":null}");
        bed_clear(&b);
    }
}

/* ── what was opened before ── */

TEST(readers, opened_before_a_change_keep_their_schema)
{
    struct bed b;
    frz_snapshot *snap;
    frz_cursor *c;
    const frz_row *row;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    bed_init(&b, 2, "id long, n int, s string?");
    put(&b, "{\"id\":1,\"n\":1,\"s\":\"a\"}");
    flush(&b);
    put(&b, "{\"id\":2,\"n\":2,\"s\":\"b\"}");
    OK(frz_snapshot_open(b.db, &snap, &b.e), &b.e);
    OK(frz_scan(b.t, NULL, &c, &b.e), &b.e);
    OK(frz_scan_arrow(b.t, NULL, &stream, &b.e), &b.e);
    ALTER(b.t, &b.e, CHANGE(DROP, "s"), CHANGE(TYPE, "n", .type = TYPE(FRZ_LONG)), CHANGE(RENAME, "n", .name = "m"),
          CHANGE(MOVE, "m", .place = FRZ_PLACE_FIRST));
    put(&b, "{\"m\":5000000000,\"id\":1}");
    flush(&b);
    for (int i = 1; i <= 2; i++) {
        OK(frz_cursor_next(c, &row, &b.e), &b.e);
        alter_row_is(row, i == 1 ? "{\"id\":1,\"n\":1,\"s\":\"a\"}" : "{\"id\":2,\"n\":2,\"s\":\"b\"}");
        frz_schema *s;
        frz_blob *text;
        OK(frz_row_schema(row, &s, &b.e), &b.e);
        OK(frz_schema_to_text(s, &text, &b.e), &b.e);
        assert_string_equal(frz_blob_data(text), "id long, n int, s string?");
        frz_blob_free(text);
        frz_schema_free(s);
    }
    RC(frz_cursor_next(c, &row, &b.e), FRZ_DONE, &b.e);
    frz_cursor_close(c);
    assert_int_equal(stream.get_schema(&stream, &schema), 0);
    assert_int_equal(schema.n_children, 3);
    assert_string_equal(schema.children[1]->name, "n");
    assert_string_equal(schema.children[1]->format, "i");
    schema.release(&schema);
    stream.release(&stream);
    scan_is(&b, snap, NULL, "{\"id\":1,\"n\":1,\"s\":\"a\"}\n{\"id\":2,\"n\":2,\"s\":\"b\"}\n");
    alter_get_is(b.t, snap, 1, "{\"m\":1,\"id\":1}"); /* a row of today's schema, filled from a state of before */
    frz_snapshot_close(snap);
    scan_is(&b, NULL, NULL, "{\"m\":5000000000,\"id\":1}\n{\"m\":2,\"id\":2}\n");
    bed_clear(&b);
}

TEST(columns, of_a_scan_are_those_of_the_schema_that_it_names_or_it_says_so)
{
    struct bed b;
    frz_schema *before;
    frz_cursor *c;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    const size_t second = 1;
    bed_init(&b, 2, "id long, a int?, b int?");
    put(&b, "{\"id\":1,\"a\":10,\"b\":20}");
    OK(frz_table_schema(b.t, &before, &b.e), &b.e);
    o.columns = &second;
    o.column_count = 1;
    o.schema = before;
    ALTER(b.t, &b.e, CHANGE(RENAME, "a", .name = "x"));
    OK(frz_scan(b.t, &o, &c, &b.e), &b.e); /* the columns are where they were */
    frz_cursor_close(c);
    ALTER(b.t, &b.e, CHANGE(MOVE, "b", .place = FRZ_PLACE_AFTER, .other = "id"));
    FAILS(frz_scan(b.t, &o, &c, &b.e), FRZ_CONFLICT, &b.e);
    o.schema = NULL;
    OK(frz_scan(b.t, &o, &c, &b.e), &b.e);
    const frz_row *row;
    OK(frz_cursor_next(c, &row, &b.e), &b.e);
    alter_row_is(row, "{\"b\":20}");
    frz_cursor_close(c);
    frz_schema_free(before);
    bed_clear(&b);
}

/* ── what hosts hold ── */

TEST(rows, made_before_a_change_are_put_after_it)
{
    struct bed b;
    frz_row *row, *patch;
    frz_batch *batch;
    const frz_value key = LONG_VALUE(1), other = LONG_VALUE(3);
    bed_init(&b, 3, "id long, n int, s string?, gone string?");
    put(&b, "{\"id\":3,\"n\":30,\"s\":\"three\",\"gone\":\"x\"}");
    OK(frz_row_new(b.t, &row, &b.e), &b.e);
    OK(frz_row_new(b.t, &patch, &b.e), &b.e);
    OK(frz_batch_new(b.db, &batch, &b.e), &b.e);
    set(&b, row, "{\"id\":1,\"n\":1,\"s\":\"a\",\"gone\":\"g\"}");
    set(&b, patch, "{\"id\":3,\"n\":31,\"gone\":\"y\"}");
    OK(frz_batch_put(batch, b.t, row, &b.e), &b.e);
    OK(frz_batch_update(batch, b.t, patch, &b.e), &b.e);
    ALTER(b.t, &b.e, CHANGE(DROP, "gone"), CHANGE(TYPE, "n", .type = TYPE(FRZ_LONG)), CHANGE(MOVE, "n", .place = FRZ_PLACE_FIRST),
          ADD("w", .type = TYPE(FRZ_STRING), .initial = STRING_VALUE("old"), .write = STRING_VALUE("new")));
    OK(frz_put(b.t, row, NULL, &b.e), &b.e);
    alter_get_is(b.t, NULL, 1, "{\"n\":1,\"id\":1,\"s\":\"a\",\"w\":\"new\"}");
    OK(frz_delete(b.t, &key, 1, NULL, &b.e), &b.e);
    OK(frz_batch_update(batch, b.t, patch, &b.e), &b.e); /* one more, of the older schema too */
    OK(frz_batch_delete(batch, b.t, &other, 1, &b.e), &b.e);
    FAILS(frz_update(b.t, row, NULL, &b.e), FRZ_NOT_FOUND, &b.e);
    OK(frz_insert(b.t, row, NULL, &b.e), &b.e);
    FAILS(frz_insert(b.t, row, NULL, &b.e), FRZ_EXISTS, &b.e);
    OK(frz_update(b.t, patch, NULL, &b.e), &b.e);
    alter_get_is(b.t, NULL, 3, "{\"n\":31,\"id\":3,\"s\":\"three\",\"w\":\"old\"}");
    OK(frz_write(b.db, batch, NULL, NULL, &b.e), &b.e);
    alter_get_is(b.t, NULL, 1, "{\"n\":1,\"id\":1,\"s\":\"a\",\"w\":\"new\"}");
    alter_get_is(b.t, NULL, 3, NULL);
    /* a get into a row of the older schema */
    OK(frz_get(b.t, NULL, &key, 1, row, &b.e), &b.e);
    alter_row_is(row, "{\"id\":1,\"n\":1,\"s\":\"a\"}");
    put(&b, "{\"n\":5000000000,\"id\":1,\"s\":\"b\"}");
    FAILS(frz_get(b.t, NULL, &key, 1, row, &b.e), FRZ_INVALID, &b.e);
    ALTER(b.t, &b.e, CHANGE(DROP, "s"));
    set(&b, row, "{\"id\":9,\"n\":9,\"s\":\"z\",\"gone\":\"g\"}");
    frz_batch_clear(batch);
    OK(frz_batch_put(batch, b.t, row, &b.e), &b.e);
    OK(frz_write(b.db, batch, NULL, NULL, &b.e), &b.e);
    OK(frz_write(b.db, batch, NULL, NULL, &b.e), &b.e);
    alter_get_is(b.t, NULL, 9, "{\"n\":9,\"id\":9,\"w\":\"new\"}");
    frz_row_free(row);
    frz_row_free(patch);
    frz_batch_free(batch);
    bed_clear(&b);
}

/* ── what is refused ── */

TEST(refusal, comes_before_anything_is_written)
{
    struct bed b;
    bed_init(&b, 2, "id long, n int, s string?");
    put(&b, "{\"id\":1,\"n\":1}");
    flush(&b);
    int64_t version = b.t->t->version->number;
    ALTER_FAILS(b.t, FRZ_INVALID, "widen", &b.e, ADD("ok", .type = TYPE(FRZ_INT)), CHANGE(TYPE, "n", .type = TYPE(FRZ_STRING)));
    ALTER_FAILS(b.t, FRZ_INVALID, "primary key", &b.e, CHANGE(TYPE, "id", .type = TYPE(FRZ_DOUBLE)));
    ALTER_FAILS(b.t, FRZ_INVALID, "no column is named", &b.e, CHANGE(DROP, "nope"));
    assert_int_equal(b.t->t->version->number, version);
    alter_schema_is(b.t, "id long, n int, s string?");
    ALTER(b.t, &b.e, CHANGE(DOC, "n")); /* has none: nothing to do */
    assert_int_equal(b.t->t->version->number, version);
    b.o.read_only = true;
    b.o.create = false;
    bed_reopen(&b);
    ALTER_FAILS(b.t, FRZ_READ_ONLY, "reading only", &b.e, CHANGE(DROP, "s"));
    bed_clear(&b);
}

/* ── changes of others ── */

/* The newest version with the first FROM behind MARK (NULL = the first of all) replaced by TO, and again so for each further triple, becomes the next one. */
static bool foreign_once(struct bed *b, const char *const (*edits)[3], size_t count)
{
    char path[128];
    struct buf text = BUF_INIT(NULL, 0), out = BUF_INIT(NULL, 0);
    struct file *f;
    int64_t version = b->t->t->version->number;
    snprintf(path, sizeof path, "main/t/metadata/v%lld.metadata.json", (long long)version);
    OK(frz__fs_read_file(b->fs, path, 1 << 20, &text, &b->e), &b->e);
    for (size_t i = 0; i < count; i++) {
        OK(buf_append_byte(&text, 0, &b->e), &b->e);
        char *at = edits[i][0] ? strstr((char *)text.data, edits[i][0]) : (char *)text.data;
        assert_non_null(at);
        at = strstr(at, edits[i][1]);
        assert_non_null(at);
        buf_reset(&out);
        OK(frz__buf_printf(&out, &b->e, "%.*s%s%s", (int)(at - (char *)text.data), (char *)text.data, edits[i][2],
                           at + strlen(edits[i][1])),
           &b->e);
        buf_reset(&text);
        OK(buf_append_slice(&text, buf_slice(&out), &b->e), &b->e);
    }
    snprintf(path, sizeof path, "main/t/metadata/v%lld.metadata.json", (long long)version + 1);
    int rc = frz__fs_open(b->fs, path, FS_OPEN_CREATE_NEW, &f, &b->e);
    if (rc == FRZ_EXISTS) { /* the clock published what waited: on top of that */
        buf_clear(&text);
        buf_clear(&out);
        return false;
    }
    OK(rc, &b->e);
    OK(frz__file_write(f, 0, out.data, out.len, &b->e), &b->e);
    OK(frz__file_close(f, &b->e), &b->e);
    buf_clear(&text);
    buf_clear(&out);
    return true;
}
static void foreign(struct bed *b, const char *const (*edits)[3], size_t count)
{
    while (!foreign_once(b, edits, count)) {}
}
#define FOREIGN(b, ...)                                                                                                                    \
    do {                                                                                                                                   \
        static const char *const edits[][3] = {__VA_ARGS__};                                                                               \
        foreign((b), edits, FRZ_ARRAY_LEN(edits));                                                                                         \
    } while (0)
#define SCHEMAS "\"schemas\""
/* `id long, n int, v string?` becomes schema 1, `label, id, n long, extra`, and the older one is gone from the metadata. */
#define FOREIGN_CHANGE                                                                                                                     \
    {NULL, "\"current-schema-id\":0", "\"current-schema-id\":1"}, {NULL, "\"last-column-id\":3", "\"last-column-id\":4"}, {SCHEMAS, "\"schema-id\":0", "\"schema-id\":1"},                            \
        {SCHEMAS, "\"type\":\"int\"", "\"type\":\"long\""}, {SCHEMAS, "\"name\":\"v\"", "\"name\":\"label\""},                               \
        {SCHEMAS, "\"fields\":[", "\"fields\":[{\"id\":4,\"name\":\"extra\",\"required\":false,\"type\":\"date\"},"}

TEST(foreign_change, is_taken_up_by_a_flush_with_rows_of_every_place_and_batches_of_before)
{
    for (int format = 2; format <= 3; format++)
        for (enum where where = 0; where < WHERES; where++) {
            struct bed b;
            frz_row *row;
            frz_cursor *c;
            const frz_row *seen;
            bed_init(&b, format, "id long, n int, v string?");
            put(&b, "{\"id\":1,\"n\":1,\"v\":\"a\"}");
            bring(&b, where);
            put(&b, "{\"id\":2,\"n\":2,\"v\":\"b\"}");
            OK(frz_row_new(b.t, &row, &b.e), &b.e);
            set(&b, row, "{\"id\":3,\"n\":3,\"v\":\"c\"}");
            OK(frz_scan(b.t, NULL, &c, &b.e), &b.e);
            FOREIGN(&b, FOREIGN_CHANGE);
            flush(&b);
            alter_schema_is(b.t, "extra date?, id long, n long, label string?");
            OK(frz_put(b.t, row, NULL, &b.e), &b.e);
            for (int round = 0; round < 3; round++) {
                scan_is(&b, NULL, NULL,
                        "{\"extra\":null,\"id\":1,\"n\":1,\"label\":\"a\"}\n{\"extra\":null,\"id\":2,\"n\":2,\"label\":\"b\"}\n{\"extra\":"
                        "null,\"id\":3,\"n\":3,\"label\":\"c\"}\n");
                if (round == 0) flush(&b);
                if (round == 1) {
                    OK(frz_cursor_next(c, &seen, &b.e), &b.e);
                    alter_row_is(seen, "{\"id\":1,\"n\":1,\"v\":\"a\"}");
                    frz_cursor_close(c);
                    frz_row_free(row);
                    bed_reopen(&b);
                }
            }
            bed_clear(&b);
        }
}

TEST(foreign_change, while_nobody_looked_leaves_the_logs_rows_readable)
{
    struct bed b;
    bed_init(&b, 2, "id long, n int, v string?");
    put(&b, "{\"id\":1,\"n\":1,\"v\":\"a\"}");
    flush(&b);
    put(&b, "{\"id\":2,\"n\":2,\"v\":\"b\"}");
    FOREIGN(&b, FOREIGN_CHANGE);
    bed_reopen(&b);
    scan_is(&b, NULL, NULL, "{\"extra\":null,\"id\":1,\"n\":1,\"label\":\"a\"}\n{\"extra\":null,\"id\":2,\"n\":2,\"label\":\"b\"}\n");
    bed_clear(&b);
}

TEST(foreign_change, beside_a_change_of_ours_is_built_upon)
{
    struct bed b;
    bed_init(&b, 2, "id long, n int, v string?");
    put(&b, "{\"id\":1,\"n\":1,\"v\":\"a\"}");
    FOREIGN(&b, FOREIGN_CHANGE);
    ALTER_FAILS(b.t, FRZ_INVALID, "no column is named \"v\"", &b.e, ADD("ours", .type = TYPE(FRZ_INT)),
                CHANGE(DROP, "v")); /* after a reload it is named otherwise */
    ALTER(b.t, &b.e, ADD("ours", .type = TYPE(FRZ_INT)), CHANGE(DROP, "label"));
    alter_get_is(b.t, NULL, 1, "{\"extra\":null,\"id\":1,\"n\":1,\"ours\":null}");
    bed_clear(&b);
}

static void refused(struct bed *b, const char *why)
{
    FAILS(alter_put(b->t, "{\"id\":9,\"n\":9}", &b->e), FRZ_READ_ONLY, &b->e);
    MESSAGE_HAS(&b->e, why);
    ALTER_FAILS(b->t, FRZ_READ_ONLY, why, &b->e, CHANGE(DROP, "v"));
    FAILS(frz_table_flush(b->t, &b->e), FRZ_READ_ONLY, &b->e);
    frz_health h = FRZ_INIT(frz_health);
    OK(frz_db_health(b->db, b->t, &h, &b->e), &b->e);
    assert_int_equal(h.error_class, FRZ_CLASS_FORMAT);
    assert_non_null(strstr(h.message, why));
}

TEST(foreign_change, of_the_key_leaves_the_table_to_be_read)
{
    static const char *const ways[][3] = {
        {SCHEMAS, "\"identifier-field-ids\":[1]", "\"identifier-field-ids\":[2]"}, /* another column */
        {SCHEMAS, "\"identifier-field-ids\":[1]", "\"identifier-field-ids\":[1,2]"},
        {SCHEMAS, "\"identifier-field-ids\":[1]", "\"identifier-field-ids\":[]"},
        {SCHEMAS, "\"type\":\"int\"", "\"type\":\"long\""}, /* its type: `id` is an int here */
    };
    for (size_t way = 0; way < FRZ_ARRAY_LEN(ways); way++) {
        struct bed b;
        bed_init(&b, 2, "id int, n int, v string?");
        put(&b, "{\"id\":1,\"n\":1,\"v\":\"a\"}");
        flush(&b);
        put(&b, "{\"id\":2,\"n\":2,\"v\":\"b\"}");
        const char *edits[2][3] = {{NULL, "\"current-schema-id\":0", "\"current-schema-id\":0"},
                                   {ways[way][0], ways[way][1], ways[way][2]}};
        foreign(&b, (const char *const(*)[3])edits, 2);
        FAILS(frz_table_flush(b.t, &b.e), FRZ_READ_ONLY, &b.e);
        refused(&b, "primary key");
        const char *both = "{\"id\":1,\"n\":1,\"v\":\"a\"}\n{\"id\":2,\"n\":2,\"v\":\"b\"}\n";
        scan_is(&b, NULL, NULL, both); /* what was written is readable until it is closed */
        if (way == 2) { /* without a key it is no table of ours */
            bed_close(&b);
            frz__fs_free(b.fs);
            continue;
        }
        bed_reopen(&b);
        scan_is(&b, NULL, NULL, "{\"id\":1,\"n\":1,\"v\":\"a\"}\n");
        refused(&b, "primary key");
        const char *back[1][3] = {{ways[way][0], ways[way][2], ways[way][1]}}; /* set back: all is there again */
        foreign(&b, (const char *const(*)[3])back, 1);
        bed_reopen(&b);
        scan_is(&b, NULL, NULL, both);
        flush(&b);
        bed_clear(&b);
    }
}

TEST(foreign_change, that_unpublished_rows_cant_follow_leaves_the_table_to_be_read)
{
    struct bed b;
    bed_init(&b, 2, "id long, n long, v string?");
    put(&b, "{\"id\":2,\"n\":2,\"v\":\"b\"}");
    FOREIGN(&b, {NULL, "\"current-schema-id\":0", "\"current-schema-id\":1"}, {SCHEMAS, "\"schema-id\":0", "\"schema-id\":1"},
            {SCHEMAS, "\"name\":\"n\",\"required\":true,\"type\":\"long\"", "\"name\":\"n\",\"required\":true,\"type\":\"int\""});
    FAILS(frz_table_flush(b.t, &b.e), FRZ_READ_ONLY, &b.e);
    refused(&b, "long cannot become int");
    scan_is(&b, NULL, NULL, "{\"id\":2,\"n\":2,\"v\":\"b\"}\n");
    bed_reopen(&b);
    scan_is(&b, NULL, NULL, "");
    refused(&b, "long cannot become int");
    bed_clear(&b);
}

TEST(refusal, of_what_is_no_change_at_all)
{
    struct bed b;
    frz_alter many[2] = {ADD("x", .type = TYPE(FRZ_INT)), ADD("y", .type = TYPE(FRZ_INT))};
    bed_init(&b, 2, "id long, v string?");
    FAILS(frz_table_alter(b.t, NULL, 0, &b.e), FRZ_INVALID, &b.e);
    FAILS(frz_table_alter(b.t, NULL, 3, &b.e), FRZ_INVALID, &b.e);
    FAILS(frz_table_alter(b.t, many, 0, &b.e), FRZ_INVALID, &b.e);
    many[0].struct_size = 0;
    FAILS(frz_table_alter(b.t, many, 2, &b.e), FRZ_INVALID, &b.e);
    many[0].struct_size = UINT32_MAX;
    FAILS(frz_table_alter(b.t, many, 2, &b.e), FRZ_INVALID, &b.e);
    many[0].struct_size = offsetof(frz_alter, column); /* a kind, and nothing that it is about */
    FAILS(frz_table_alter(b.t, many, 1, &b.e), FRZ_INVALID, &b.e);
    frz_column c = COLUMN("x", .type = TYPE(FRZ_INT));
    c.struct_size = 3;
    many[0] = (frz_alter){.struct_size = sizeof *many, .kind = FRZ_ALTER_ADD, .add = &c};
    FAILS(frz_table_alter(b.t, many, 1, &b.e), FRZ_INVALID, &b.e);
    struct { frz_alter known; uint64_t later; } newer = {.known = ADD("x", .type = TYPE(FRZ_INT)), .later = 1}; /* of a program that knows more */
    newer.known.struct_size = sizeof newer;
    FAILS(frz_table_alter(b.t, &newer.known, 1, &b.e), FRZ_UNSUPPORTED, &b.e);
    newer.later = 0;
    OK(frz_table_alter(b.t, &newer.known, 1, &b.e), &b.e);
    alter_schema_is(b.t, "id long, v string?, x int?");
    bed_clear(&b);
}

/* ── beside others ── */

TEST(reader, in_a_process_of_its_own_takes_up_changes_at_a_refresh)
{
    struct bed b;
    frz_db *db;
    frz_table *t;
    frz_cursor *c;
    const frz_row *seen;
    frz_row *row;
    const frz_value key = LONG_VALUE(1);
    bed_init(&b, 3, "id long, n int, gone string?");
    put(&b, "{\"id\":1,\"n\":1,\"gone\":\"g\"}");
    flush(&b);
    put(&b, "{\"id\":2,\"n\":2,\"gone\":\"g\"}");
    frz_db_options o = b.o;
    o.create = false;
    o.read_only = true;
    OK(frz__test_db_open(b.fs, &o, &db, &b.e), &b.e);
    OK(frz_table_open(db, "t", &t, &b.e), &b.e);
    OK(frz_row_new(t, &row, &b.e), &b.e);
    OK(frz_scan(t, NULL, &c, &b.e), &b.e);
    ALTER(b.t, &b.e, CHANGE(DROP, "gone"), CHANGE(TYPE, "n", .type = TYPE(FRZ_LONG)), ADD_AT(FRZ_PLACE_FIRST, NULL, "x", .type = TYPE(FRZ_INT), .initial = INT_VALUE(4)));
    put(&b, "{\"x\":5,\"id\":3,\"n\":5000000000}");
    alter_get_is(t, NULL, 2, "{\"id\":2,\"n\":2,\"gone\":\"g\"}");
    alter_get_is(t, NULL, 3, NULL);
    OK(frz_db_refresh(db, &b.e), &b.e);
    alter_schema_is(t, "x int?, id long, n long");
    alter_get_is(t, NULL, 2, "{\"x\":4,\"id\":2,\"n\":2}");
    alter_get_is(t, NULL, 3, "{\"x\":5,\"id\":3,\"n\":5000000000}");
    OK(frz_get(t, NULL, &key, 1, row, &b.e), &b.e); /* a row of before */
    alter_row_is(row, "{\"id\":1,\"n\":1}");
    for (int i = 0; i < 2; i++) OK(frz_cursor_next(c, &seen, &b.e), &b.e);
    alter_row_is(seen, "{\"id\":2,\"n\":2,\"gone\":\"g\"}");
    frz_cursor_close(c);
    frz_row_free(row);
    OK(frz_db_close(db, &b.e), &b.e);
    bed_clear(&b);
}

static void *compact_beside(void *arg)
{
    struct bed *b = (struct bed *)arg;
    struct plan_options o;
    static frz_error e;
    frz__compact_options(b->t->t, &o);
    o.whole = true; /* by itself it leaves a large file with a few crumbs beside it alone */
    OK(frz__compact(b->t->t, &o, NULL, &e), &e);
    return NULL;
}

TEST(compaction, goes_on_through_a_change_and_what_it_wrote_is_read_by_the_new_schema)
{
    static const char *const places[] = {"compact.begin", "compact.after_data"};
    for (int format = 2; format <= 3; format++)
        for (size_t place = 0; place < FRZ_ARRAY_LEN(places); place++) {
            struct bed b;
            pthread_t thread;
            char json[64];
            bed_init(&b, format, "id long, n int, gone string?");
            for (int file = 0; file < 3; file++) { /* each so much smaller that it takes in none of those before it */
                for (int i = 0; i < 100 << (3 * (2 - file)); i++) {
                    snprintf(json, sizeof json, "{\"id\":%d,\"n\":%d,\"gone\":\"%d\"}", file * 100000 + i, i, i * 7919);
                    put(&b, json);
                }
                flush(&b);
            }
            if (!frz__test_failpoint(places[place], "pause")) { /* not compiled in */
                bed_clear(&b);
                continue;
            }
            pthread_create(&thread, NULL, compact_beside, &b);
            assert_true(frz__test_failpoint_wait_paused(places[place], 60000));
            ALTER(b.t, &b.e, CHANGE(DROP, "gone"), CHANGE(TYPE, "n", .type = TYPE(FRZ_LONG)), CHANGE(MOVE, "n", .place = FRZ_PLACE_FIRST));
            put(&b, "{\"n\":5000000000,\"id\":1}");
            flush(&b);
            ALTER(b.t, &b.e, ADD("gone", .type = TYPE(FRZ_INT)));
            frz__test_failpoint_resume(places[place]);
            pthread_join(thread, NULL);
            for (int round = 0; round < 2; round++) {
                uint64_t n;
                OK(frz_count(b.t, NULL, &n, &b.e), &b.e);
                assert_int_equal(n, 100 + 800 + 6400);
                alter_get_is(b.t, NULL, 1, "{\"n\":5000000000,\"id\":1,\"gone\":null}");
                alter_get_is(b.t, NULL, 200099, "{\"n\":99,\"id\":200099,\"gone\":null}");
                scan_is(&b, NULL, "id = 100001", "{\"n\":1,\"id\":100001,\"gone\":null}\n");
                bed_verify(&b);
                bed_reopen(&b);
            }
            bed_clear(&b);
        }
}
