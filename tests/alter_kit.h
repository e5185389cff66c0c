/* alter_kit.h — the words for schema changes, and for what a row is after them: as JSON text. */
#ifndef ALTER_KIT_H
#define ALTER_KIT_H
#include "frz_test.h"

#include <string.h>

#define TYPE(id_) ((frz_type){.id = (id_)})
#define DECIMAL(p, s) ((frz_type){.id = FRZ_DECIMAL, .precision = (p), .scale = (s)})

/* A column to add; it lives as long as the caller's block. */
#define COLUMN(name_, ...) ((frz_column){.struct_size = sizeof(frz_column), .name = (name_), .key_index = -1, __VA_ARGS__})
#define ADD(...) ((frz_alter){.struct_size = sizeof(frz_alter), .kind = FRZ_ALTER_ADD, .add = &COLUMN(__VA_ARGS__)})
#define ADD_AT(place_, other_, ...) ((frz_alter){.struct_size = sizeof(frz_alter), .kind = FRZ_ALTER_ADD, .place = (place_), .other = (other_), .add = &COLUMN(__VA_ARGS__)})
#define CHANGE(kind_, column_, ...) ((frz_alter){.struct_size = sizeof(frz_alter), .kind = FRZ_ALTER_##kind_, .column = (column_), __VA_ARGS__})
#define LONG_VALUE(v) ((frz_value){.type = FRZ_LONG, .as.i64 = (v)})
#define INT_VALUE(v) ((frz_value){.type = FRZ_INT, .as.i32 = (v)})
#define STRING_VALUE(v) ((frz_value){.type = FRZ_STRING, .as.bytes = {(v), strlen(v)}})

#define ALTER(t, e, ...)                                                                                                                   \
    do {                                                                                                                                   \
        const frz_alter alter_changes[] = {__VA_ARGS__};                                                                                   \
        OK(frz_table_alter((t), alter_changes, sizeof alter_changes / sizeof *alter_changes, (e)), (e));                                   \
    } while (0)
#define ALTER_FAILS(t, code, text, e, ...)                                                                                                 \
    do {                                                                                                                                   \
        const frz_alter alter_changes[] = {__VA_ARGS__};                                                                                   \
        FAILS(frz_table_alter((t), alter_changes, sizeof alter_changes / sizeof *alter_changes, (e)), (code), (e));                        \
        MESSAGE_HAS((e), (text));                                                                                                          \
    } while (0)

static inline int alter_put(frz_table *t, const char *json, frz_error *e)
{
    frz_row *row;
    OK(frz_row_new(t, &row, e), e);
    OK(frz_row_set_json(row, json, strlen(json), e), e);
    int rc = frz_put(t, row, NULL, e);
    frz_row_free(row);
    return rc;
}
static inline void alter_row_is(const frz_row *row, const char *json)
{
    frz_error e;
    frz_blob *b;
    OK(frz_row_to_json(row, &b, &e), &e);
    assert_string_equal(frz_blob_data(b), json);
    frz_blob_free(b);
}
/* Of a table whose key is one long. JSON NULL: there is none. */
static inline void alter_get_is(frz_table *t, frz_snapshot *s, int64_t id, const char *json)
{
    frz_error e;
    frz_row *row;
    frz_value key = LONG_VALUE(id);
    OK(frz_row_new(t, &row, &e), &e);
    RC(frz_get(t, s, &key, 1, row, &e), json ? FRZ_OK : FRZ_NOT_FOUND, &e);
    if (json) alter_row_is(row, json);
    frz_row_free(row);
}
static inline void alter_schema_is(frz_table *t, const char *text)
{
    frz_error e;
    frz_schema *s;
    frz_blob *b;
    OK(frz_table_schema(t, &s, &e), &e);
    OK(frz_schema_to_text(s, &b, &e), &e);
    assert_string_equal(frz_blob_data(b), text);
    frz_blob_free(b);
    frz_schema_free(s);
}
#endif
