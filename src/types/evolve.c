#include "types/evolve.h"

#include <strings.h>

#include "base/sized.h"
#include "base/utf8.h"

/* The schema at work: columns as they would be added to a new one; all bytes are borrowed, of the base or of the changes. */
struct work {
    const struct evolve_base *b;
    frz_column *cols;
    size_t count, cap;
    int32_t last_id;
    const allocator *a;
    frz_error *err;
};

#define SHOWN(s) frz__name_shown(slice_str(s)), (s)
#define NAME_FMT "\"%.*s\""

bool frz__column_name_reserved(slice name)
{
    static const char *const reserved[] = {"_file", "_pos", "_deleted", "_spec_id", "_partition", "_row_id",
                                           "_last_updated_sequence_number", "_change_type", "_change_ordinal", "_commit_snapshot_id"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(reserved); i++)
        if (name.len == strlen(reserved[i]) && strncasecmp(reserved[i], (const char *)name.data, name.len) == 0) return true;
    return false;
}

static int64_t find(const struct work *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->cols[i].name, name) == 0) return (int64_t)i;
    return -1;
}

/* The column that change AT, counted from 1 as in messages, is about. */
static int find_column(const struct work *w, size_t at, const char *name, const char *what, size_t *out)
{
    if (!name) return frz__err(w->err, FRZ_INVALID, "change %zu: %s is NULL", at, what);
    int64_t i = find(w, name);
    if (i < 0) return frz__err(w->err, FRZ_INVALID, "change %zu: no column is named " NAME_FMT, at, SHOWN(name));
    *out = (size_t)i;
    return FRZ_OK;
}

/* SELF: the column that takes the name; SIZE_MAX = a new one. */
static int check_name(const struct work *w, const char *name, size_t self)
{
    if (frz__column_name_reserved(slice_str(name)))
        return frz__err(w->err, FRZ_INVALID, "column name " NAME_FMT " is reserved: Iceberg has a metadata column of that name",
                        SHOWN(name));
    for (size_t i = 0; i < w->count; i++) {
        struct column c = {.name = (char *)(uintptr_t)w->cols[i].name, .name_len = strlen(w->cols[i].name)};
        if (i == self || !frz__column_named_alike(&c, slice_str(name))) continue;
        if (strcmp(c.name, name) == 0) return frz__err(w->err, FRZ_INVALID, "there is a column " NAME_FMT " already", SHOWN(name));
        return frz__err(w->err, FRZ_INVALID,
                        "there is a column " NAME_FMT ", which differs from " NAME_FMT
                        " in case alone: engines that fold case cannot tell them apart",
                        SHOWN(c.name), SHOWN(name));
    }
    return FRZ_OK;
}

static int err_key(const struct work *w, const frz_column *c, const char *what)
{
    return frz__err(w->err, FRZ_INVALID, "column " NAME_FMT " is of the primary key: it can be renamed, moved and described, but not %s",
                    SHOWN(c->name), what);
}

/* ── places ── */

static void move_to(struct work *w, size_t from, size_t to)
{
    frz_column c = w->cols[from];
    if (from < to) memmove(&w->cols[from], &w->cols[from + 1], (to - from) * sizeof c);
    else memmove(&w->cols[to + 1], &w->cols[to], (from - to) * sizeof c);
    w->cols[to] = c;
}

static int place(struct work *w, size_t at, const frz_alter *c, size_t self)
{
    size_t other = 0;
    if (c->place == FRZ_PLACE_FIRST) {
        move_to(w, self, 0);
        return FRZ_OK;
    }
    if (c->place != FRZ_PLACE_BEFORE && c->place != FRZ_PLACE_AFTER)
        return frz__err(w->err, FRZ_INVALID, "change %zu: place %d: expected FRZ_PLACE_FIRST, FRZ_PLACE_BEFORE or FRZ_PLACE_AFTER", at,
                        c->place);
    TRY(find_column(w, at, c->other, "other", &other));
    if (other == self)
        return frz__err(w->err, FRZ_INVALID, "column " NAME_FMT " can't be moved before or after itself", SHOWN(w->cols[self].name));
    size_t to = c->place == FRZ_PLACE_AFTER ? other + 1 : other;
    move_to(w, self, to > self ? to - 1 : to);
    return FRZ_OK;
}

/* ── one change each ── */

static int check_default(const struct work *w, const frz_column *c, const frz_value *v, const char *what)
{
    frz_value x;
    int rc = frz__value_convert(v, c->type, &x, w->err);
    if (rc < 0) frz__err_context(w->err, "column " NAME_FMT ": %s", SHOWN(c->name), what);
    if (rc >= 0 && x.type != FRZ_NULL && w->b->format_version < 3)
        rc = frz__err(w->err, FRZ_INVALID, "column " NAME_FMT ": default values take format version 3, this table has %d", SHOWN(c->name),
                      w->b->format_version);
    return rc;
}

static int add(struct work *w, size_t at, const frz_alter *change)
{
    frz_column c = {0};
    if (!change->add) return frz__err(w->err, FRZ_INVALID, "change %zu: add is NULL", at);
    TRY(frz__sized_take(change->add, "frz_column", &c, sizeof c, w->err));
    if (!c.name || !*c.name) return frz__err(w->err, FRZ_INVALID, "change %zu: a new column has no name", at);
    if (c.field_id)
        return frz__err(w->err, FRZ_INVALID, "column " NAME_FMT ": field id %d: a new column's is given by the table, it must be 0",
                        SHOWN(c.name), (int)c.field_id);
    if (w->count >= COLUMNS_MAX) return frz__err(w->err, FRZ_TOO_LARGE, "a schema has at most %d columns", COLUMNS_MAX);
    if (w->last_id >= FIELD_ID_MAX) return frz__err(w->err, FRZ_TOO_LARGE, "column " NAME_FMT ": no field id is left", SHOWN(c.name));
    TRY(check_name(w, c.name, SIZE_MAX));
    TRY(frz__type_check(c.type, w->err));
    TRY(check_default(w, &c, &c.initial, "initial default"));
    TRY(check_default(w, &c, &c.write, "write default"));
    if (c.required && c.initial.type == FRZ_NULL)
        return frz__err(w->err, FRZ_INVALID,
                        "column " NAME_FMT
                        ": a new column that is required needs an initial default, for the rows that are there%s: make it optional",
                        SHOWN(c.name), w->b->format_version < 3 ? ", which takes format version 3" : "");
    if (c.required && c.write.type == FRZ_NULL) c.write = c.initial;
    c.field_id = ++w->last_id;
    c.key_index = -1;
    if (w->count == w->cap) {
        void *cols = w->cols;
        TRY(frz__grow(w->a, &cols, w->count, &w->cap, sizeof *w->cols, w->err));
        w->cols = (frz_column *)cols;
    }
    w->cols[w->count++] = c;
    return change->place == FRZ_PLACE_NONE ? FRZ_OK : place(w, at, change, w->count - 1);
}

static int drop(struct work *w, size_t i)
{
    const frz_column *c = &w->cols[i];
    if (c->key_index >= 0) return err_key(w, c, "dropped");
    for (size_t k = 0; k < w->b->source_count; k++)
        if (w->b->sources[k] == c->field_id)
            return frz__err(w->err, FRZ_INVALID,
                            "column " NAME_FMT " can't be dropped: a partition spec or a sort order of the table is made from it",
                            SHOWN(c->name));
    memmove(&w->cols[i], &w->cols[i + 1], (w->count - i - 1) * sizeof *c);
    w->count--;
    return FRZ_OK;
}

static int rename_to(struct work *w, size_t at, const frz_alter *change, size_t i)
{
    if (!change->name || !*change->name)
        return frz__err(w->err, FRZ_INVALID, "change %zu: column " NAME_FMT " is given no new name", at, SHOWN(w->cols[i].name));
    TRY(check_name(w, change->name, i));
    w->cols[i].name = change->name;
    return FRZ_OK;
}

static int retype(struct work *w, const frz_alter *change, size_t i)
{
    char from[TYPE_TEXT_BYTES], to[TYPE_TEXT_BYTES];
    frz_column *c = &w->cols[i];
    frz_type t = change->type;
    TRY(frz__type_check(t, w->err));
    if (t.id != FRZ_DECIMAL) t.precision = t.scale = 0;
    if (t.id != FRZ_FIXED) t.length = 0;
    if (frz__type_eq(c->type, t)) return FRZ_OK;
    if (c->key_index >= 0) return err_key(w, c, "given another type");
    if (frz__type_promotes(c->type, t)) {
        c->type = t;
        return FRZ_OK;
    }
    frz__type_text(c->type, from);
    frz__type_text(t, to);
    if (w->b->format_version >= 3 && c->type.id == FRZ_DATE && (t.id == FRZ_TIMESTAMP || t.id == FRZ_TIMESTAMP_NS))
        return frz__err(w->err, FRZ_UNSUPPORTED, "column " NAME_FMT ": %s cannot become %s: Iceberg's format 3 has it, this version of frazil not",
                        SHOWN(c->name), from, to);
    return frz__err(w->err, FRZ_INVALID,
                    "column " NAME_FMT ": %s cannot become %s: a type can only widen, int to long, float to double, decimal(P,S) to "
                    "decimal(P',S) with P' above P",
                    SHOWN(c->name), from, to);
}

static int set_write_default(struct work *w, const frz_alter *change, size_t i)
{
    frz_column *c = &w->cols[i];
    if (c->key_index >= 0 && change->value.type != FRZ_NULL) return err_key(w, c, "given a default");
    TRY(check_default(w, c, &change->value, "write default"));
    if (c->required && c->initial.type != FRZ_NULL && change->value.type == FRZ_NULL)
        return frz__err(w->err, FRZ_INVALID,
                        "column " NAME_FMT " is required and was added with a default: its write default can change, but not go",
                        SHOWN(c->name));
    c->write = change->value;
    return FRZ_OK;
}

static int one(struct work *w, size_t at, const frz_alter *c)
{
    size_t i = 0;
    if (c->kind < FRZ_ALTER_ADD || c->kind > FRZ_ALTER_DEFAULT)
        return frz__err(w->err, FRZ_INVALID, "change %zu is of kind %d, which is none of enum frz_alter_kind", at, c->kind);
    if (c->kind == FRZ_ALTER_ADD) return add(w, at, c);
    TRY(find_column(w, at, c->column, "column", &i));
    switch (c->kind) {
    case FRZ_ALTER_DROP: return drop(w, i);
    case FRZ_ALTER_RENAME: return rename_to(w, at, c, i);
    case FRZ_ALTER_TYPE: return retype(w, c, i);
    case FRZ_ALTER_OPTIONAL:
        if (w->cols[i].key_index >= 0) return err_key(w, &w->cols[i], "made optional");
        w->cols[i].required = false;
        return FRZ_OK;
    case FRZ_ALTER_MOVE: return place(w, at, c, i);
    case FRZ_ALTER_DOC: w->cols[i].doc = c->doc; return FRZ_OK;
    default: return set_write_default(w, c, i);
    }
}

/* ── the whole ── */

static int32_t max32(int32_t a, int32_t b) { return a > b ? a : b; }

/* Begins with the columns of S. */
static int begin(struct work *w, const frz_schema *s)
{
    w->last_id = max32(max32(w->b->last_column_id, w->b->schema->last_column_id), s->last_column_id);
    w->cap = s->count + 8;
    w->cols = (frz_column *)frz__alloc_array(w->a, w->cap, sizeof *w->cols);
    if (!w->cols) return frz__err_no_memory(w->err, w->cap * sizeof *w->cols);
    for (size_t i = 0; i < s->count; i++) {
        const struct column *c = &s->columns[i];
        w->cols[w->count++] = (frz_column){.struct_size = sizeof(frz_column),
                                           .field_id = c->id,
                                           .name = c->name,
                                           .type = c->type,
                                           .required = c->required,
                                           .key_index = c->key_index,
                                           .doc = c->doc,
                                           .initial = c->initial,
                                           .write = c->write};
    }
    return FRZ_OK;
}

/* WANTED: its id, where it is free; -1 = any. */
static int finish(struct work *w, int32_t wanted, frz_schema **out)
{
    const frz_schema *base = w->b->schema;
    frz_schema *s = NULL;
    uint32_t *key = NULL;
    int rc = FRZ_OK;
    CHECK(frz__schema_new(w->a, &s, w->err));
    for (size_t i = 0; i < w->count; i++) CHECK(frz__schema_add(s, &w->cols[i], w->err));
    key = (uint32_t *)frz__alloc_array(w->a, base->key_count + 1, sizeof *key);
    if (!key) CHECK(frz__err_no_memory(w->err, base->key_count * sizeof *key));
    for (size_t i = 0; i < base->key_count; i++) key[i] = (uint32_t)frz__schema_find_id(s, base->columns[base->key[i]].id);
    CHECK(frz__schema_set_key(s, key, base->key_count, w->err));
    s->last_column_id = w->last_id;
    CHECK(frz__schema_check_format(s, w->b->format_version, w->err));
    int32_t highest = base->schema_id;
    s->schema_id = -1;
    for (size_t i = 0; i < w->b->schema_count; i++) {
        if (w->b->ids[i] > highest) highest = w->b->ids[i];
        if (w->b->ids[i] == wanted) wanted = -1;
        if (w->b->schemas[i] && frz__schema_same(w->b->schemas[i], s)) s->schema_id = w->b->ids[i];
    }
    if (s->schema_id < 0 && wanted != base->schema_id) s->schema_id = wanted;
    if (s->schema_id < 0 && highest == INT32_MAX) CHECK(frz__err(w->err, FRZ_TOO_LARGE, "no schema id is left"));
    if (s->schema_id < 0) s->schema_id = highest + 1;
    CHECK(frz__schema_seal(s, true, w->err));
    if (!frz__schema_same(base, s)) {
        *out = s;
        s = NULL;
    }
done:
    frz__free(w->a, key);
    frz__schema_release(s);
    return rc;
}

int frz__evolve(const allocator *a, const struct evolve_base *b, const frz_alter *changes, size_t count, frz_schema **out, frz_error *err)
{
    struct work w = {.b = b, .a = a, .err = err};
    int rc = FRZ_OK;
    *out = NULL;
    if (!changes || count == 0) return frz__err(err, FRZ_INVALID, "no changes are given");
    CHECK(begin(&w, b->schema));
    uint32_t stride = changes->struct_size;
    for (size_t i = 0; i < count; i++) {
        frz_alter c = FRZ_ALTER_INIT;
        const frz_alter *given = (const frz_alter *)(const void *)((const uint8_t *)changes + i * stride);
        CHECK(frz__sized_take(given, "frz_alter", &c, sizeof c, err));
        if (given->struct_size != stride)
            CHECK(frz__err(err, FRZ_INVALID, "change %zu: frz_alter.struct_size is %u, that of the first is %u", i + 1, given->struct_size,
                           stride));
        CHECK(one(&w, i + 1, &c));
    }
    CHECK(finish(&w, -1, out));
done:
    frz__free(a, w.cols);
    return rc;
}

/* Each column that is in both can take the other's values, and a new one has values for the rows that are there. */
static int check_follows(const frz_schema *from, const frz_schema *to, frz_error *err)
{
    if (!frz__schema_same_key(from, to)) return frz__err(err, FRZ_UNSUPPORTED, "its primary key became another");
    for (size_t i = 0; i < to->count; i++) {
        const struct column *c = &to->columns[i];
        int64_t at = frz__schema_find_id(from, c->id);
        const struct column *old = at < 0 ? NULL : &from->columns[at];
        if (!old && c->required && c->initial.type == FRZ_NULL)
            return frz__err(err, FRZ_UNSUPPORTED, COLUMN_FMT " came, is required and has no default for the rows that are there",
                            COLUMN_ARG(c));
        if (old && !frz__type_eq(old->type, c->type) && !frz__type_promotes(old->type, c->type))
            return frz__err(err, FRZ_UNSUPPORTED, COLUMN_FMT " became of a type that its values may not fit", COLUMN_ARG(c));
        if (old && !old->required && c->required) return frz__err(err, FRZ_UNSUPPORTED, COLUMN_FMT " became required", COLUMN_ARG(c));
    }
    return FRZ_OK;
}

int frz__evolve_to(const allocator *a, const struct evolve_base *b, const frz_schema *to, frz_schema **out, frz_error *err)
{
    struct work w = {.b = b, .a = a, .err = err};
    *out = NULL;
    TRY(check_follows(b->schema, to, err));
    int rc = begin(&w, to);
    if (rc >= 0) rc = finish(&w, to->schema_id, out);
    frz__free(a, w.cols);
    return rc;
}
