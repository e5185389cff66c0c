/* table_kit.h — the words for a small database on a file system of the test's, and for a table `id long, v string?` in it: the table, one row in, one row looked at. */
#ifndef TABLE_KIT_H
#define TABLE_KIT_H
#include "frz_test.h"

#include <string.h>

#include "api/handle.h"

static inline frz_db *table_db_open(struct fs *fs, bool read_only, frz_error *e)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_db *db = NULL;
    o.create = !read_only;
    o.read_only = read_only;
    o.no_compaction = true;
    o.memory_bytes = 8 << 20;
    o.durability = FRZ_SYNC_OFF;
    OK(frz__test_db_open(fs, &o, &db, e), e);
    return db;
}
/* Published when asked for alone; what nobody needs goes at once. COLUMNS: as frz_schema_parse has them, with a key `id`. */
static inline void table_create_of(frz_db *db, const char *name, const char *columns, int format, frz_table **out, frz_error *e)
{
    static const char *const keys[] = {"frazil.publish-interval-ms", "frazil.foreign-reader-grace-ms"};
    static const char *const values[] = {"0", "0"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    frz_schema *s;
    to.format_version = format;
    to.property_keys = keys;
    to.property_values = values;
    to.property_count = 2;
    OK(frz_schema_parse(columns, "id", &s, e), e);
    OK(frz_table_create(db, name, s, &to, out, e), e);
    frz_schema_free(s);
}
static inline void table_create(frz_db *db, const char *name, int format, frz_table **out, frz_error *e)
{
    table_create_of(db, name, "id long, v string?", format, out, e);
}
/* The put's result; E: its error. */
static inline int table_put(frz_table *t, int64_t id, const char *v, frz_error *e)
{
    frz_row *row;
    OK(frz_row_new(t, &row, e), e);
    OK(frz_row_set_long(row, 0, id, e), e);
    OK(frz_row_set_string(row, 1, v, strlen(v), e), e);
    int rc = frz_put(t, row, NULL, e);
    frz_row_free(row);
    return rc;
}
/* V NULL: absent */
static inline void table_has(frz_table *t, int64_t id, const char *v)
{
    frz_error e;
    frz_row *row;
    frz_value key = {.type = FRZ_LONG, .as.i64 = id};
    OK(frz_row_new(t, &row, &e), &e);
    RC(frz_get(t, NULL, &key, 1, row, &e), v ? FRZ_OK : FRZ_NOT_FOUND, &e);
    if (v) {
        size_t n;
        const char *got = frz_row_bytes(row, 1, &n);
        assert_int_equal(n, strlen(v));
        assert_memory_equal(got, v, n);
    }
    frz_row_free(row);
}
#endif
