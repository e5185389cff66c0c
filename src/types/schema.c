#include "types/schema.h"

#include "base/bits.h"
#include "base/utf8.h"
#include "types/row.h"

int frz__schema_new(const allocator *a, frz_schema **out, frz_error *err)
{
    *out = NULL;
    frz_schema *s;
    TRY(ALLOC_NEW(&s, a, frz_schema, err));
    if (a) {
        s->host = *a;
        s->a = &s->host;
    }
    atomic_init(&s->refs, 1);
    *out = s;
    return FRZ_OK;
}

frz_schema *frz__schema_acquire(const frz_schema *s)
{
    frz_schema *m = (frz_schema *)(uintptr_t)s; /* counting is not changing */
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

static void column_clear(const allocator *a, struct column *c)
{
    frz__free(a, c->name);
    frz__free(a, c->doc);
    if (c->initial.type >= FRZ_STRING) frz__free(a, (void *)(uintptr_t)c->initial.as.bytes.data);
    if (c->write.type >= FRZ_STRING) frz__free(a, (void *)(uintptr_t)c->write.as.bytes.data);
}

void frz__schema_release(frz_schema *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    allocator host = s->host; /* it is in S, which goes last */
    const allocator *a = s->a ? &host : NULL;
    for (size_t i = 0; i < s->count; i++) column_clear(a, &s->columns[i]);
    frz__free(a, s->columns);
    frz__free(a, s->key);
    frz__free(a, s->layout.slots);
    frz__free(a, s);
}

/* ── messages ── */

int frz__name_shown(slice name) { return (int)frz__utf8_check(slice_of(name.data, name.len > 64 ? 64 : name.len)); }

int frz__column_context(const struct column *c, int rc, frz_error *err)
{
    if (rc < 0) frz__err_context(err, COLUMN_FMT, COLUMN_ARG(c));
    return rc;
}

/* ── building ── */

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }

bool frz__column_named_alike(const struct column *c, slice name)
{
    if (c->name_len != name.len) return false;
    for (size_t i = 0; i < name.len; i++)
        if (lower((uint8_t)c->name[i]) != lower(name.data[i])) return false;
    return true;
}

static int check_name(const frz_schema *s, slice name, frz_error *err)
{
    if (name.len == 0) return frz__err(err, FRZ_INVALID, "column %zu has an empty name", s->count);
    size_t bad = frz__utf8_check(name);
    if (bad != name.len) return frz__err(err, FRZ_INVALID, "the name of column %zu is no UTF-8: byte 0x%02x at offset %zu", s->count, name.data[bad], bad);
    if (memchr(name.data, 0, name.len)) return frz__err(err, FRZ_INVALID, "the name of column %zu holds a zero byte", s->count);
    int n = frz__name_shown(name);
    if (name.len > COLUMN_NAME_BYTES_MAX) return frz__err(err, FRZ_TOO_LARGE, "column name \"%.*s…\" has %zu bytes, the limit is %d", n, (const char *)name.data, name.len, COLUMN_NAME_BYTES_MAX);
    for (size_t i = 0; i < s->count; i++) {
        const struct column *c = &s->columns[i];
        if (!frz__column_named_alike(c, name)) continue;
        if (memcmp(c->name, name.data, name.len) == 0) return frz__err(err, FRZ_INVALID, "two columns are named \"%.*s\"", n, (const char *)name.data);
        return frz__err(err, FRZ_INVALID, "columns \"%.*s\" and \"%.*s\" differ in case alone: engines that fold case cannot tell them apart", COLUMN_ARG(c), n, (const char *)name.data);
    }
    return FRZ_OK;
}

/* A default: converted, its bytes copied. */
static int copy_default(const allocator *a, const frz_value *v, frz_type t, const char *what, frz_value *out, frz_error *err)
{
    frz_value x;
    int rc = frz__value_convert(v, t, &x, err);
    if (rc < 0) {
        frz__err_context(err, "%s", what);
        return rc;
    }
    if (x.type >= FRZ_STRING) {
        size_t len = x.as.bytes.len;
        char *copy = frz__strndup(a, (const char *)x.as.bytes.data, len);
        if (!copy) return frz__err_no_memory(err, len);
        x.as.bytes.data = copy;
    }
    *out = x;
    return FRZ_OK;
}

int frz__schema_add(frz_schema *s, const frz_column *c, frz_error *err)
{
    int rc = FRZ_OK;
    struct column col = {.type = c->type, .required = c->required, .key_index = -1};
    if (s->sealed) return frz__err(err, FRZ_MISUSE, "a schema that is in use cannot take another column");
    if (s->count >= COLUMNS_MAX) return frz__err(err, FRZ_TOO_LARGE, "a schema has at most %d columns", COLUMNS_MAX);
    slice name = slice_str(c->name ? c->name : "");
    TRY(check_name(s, name, err));
    col.name = (char *)(uintptr_t)c->name; /* borrowed for messages until it is copied */
    col.name_len = name.len;
    if ((rc = frz__type_check(c->type, err)) < 0) return frz__column_context(&col, rc, err);
    if (c->type.id != FRZ_DECIMAL) col.type.precision = col.type.scale = 0;
    if (c->type.id != FRZ_FIXED) col.type.length = 0;
    if (c->field_id < 0 || c->field_id > FIELD_ID_MAX)
        return frz__err(err, FRZ_INVALID, COLUMN_FMT ": field id %d is not in 1 to %d", COLUMN_ARG(&col), (int)c->field_id, FIELD_ID_MAX);
    if (c->field_id && frz__schema_find_id(s, c->field_id) >= 0)
        return frz__err(err, FRZ_INVALID, "columns \"%.*s\" and \"%.*s\" both have field id %d", COLUMN_ARG(&s->columns[frz__schema_find_id(s, c->field_id)]), COLUMN_ARG(&col), (int)c->field_id);
    if (!c->field_id && s->last_column_id >= FIELD_ID_MAX) return frz__err(err, FRZ_TOO_LARGE, COLUMN_FMT ": no field id is left", COLUMN_ARG(&col));
    col.id = c->field_id ? c->field_id : s->last_column_id + 1;

    void *columns = s->columns;
    TRY(frz__grow(s->a, &columns, s->count, &s->cap, sizeof *s->columns, err));
    s->columns = (struct column *)columns;
    col.name = NULL;
    struct column *slot = &s->columns[s->count];
    *slot = col;
    slot->name = frz__strndup(s->a, (const char *)name.data, name.len);
    if (!slot->name || (c->doc && !(slot->doc = frz__strdup(s->a, c->doc)))) {
        rc = frz__err_no_memory(err, name.len);
        goto done;
    }
    if (c->doc && frz__utf8_check(slice_str(c->doc)) != strlen(c->doc)) {
        rc = frz__err(err, FRZ_INVALID, "its doc is no UTF-8");
        goto context;
    }
    rc = copy_default(s->a, &c->initial, slot->type, "initial default", &slot->initial, err);
    if (rc < 0) goto context;
    rc = copy_default(s->a, &c->write, slot->type, "write default", &slot->write, err);
context:
    if (rc == FRZ_INVALID) frz__column_context(slot, rc, err);
done:
    if (rc < 0) {
        column_clear(s->a, slot);
        return rc;
    }
    s->count++;
    if (col.id > s->last_column_id) s->last_column_id = col.id;
    return FRZ_OK;
}

int frz__schema_set_key(frz_schema *s, const uint32_t *columns, size_t count, frz_error *err)
{
    if (s->sealed) return frz__err(err, FRZ_MISUSE, "the key of a schema that is in use cannot change");
    if (count > s->count) return frz__err(err, FRZ_INVALID, "a key of %zu columns in a schema of %zu", count, s->count);
    for (size_t i = 0; i < count; i++) {
        if (columns[i] >= s->count) return frz__err(err, FRZ_INVALID, "key column %zu: there is no column %u", i, (unsigned)columns[i]);
        const struct column *c = &s->columns[columns[i]];
        if (!frz__type_key_ok(c->type))
            return frz__err(err, FRZ_INVALID, "key " COLUMN_FMT " is of type %s: Iceberg's identifier fields cannot be float or double", COLUMN_ARG(c), frz__type_id_name(c->type.id));
        if (!c->required) return frz__err(err, FRZ_INVALID, "key " COLUMN_FMT " is optional: Iceberg's identifier fields must be required", COLUMN_ARG(c));
        for (size_t j = 0; j < i; j++)
            if (columns[j] == columns[i]) return frz__err(err, FRZ_INVALID, "key " COLUMN_FMT " is named twice", COLUMN_ARG(c));
    }
    uint32_t *key = (uint32_t *)frz__alloc(s->a, count * sizeof *key);
    if (!key) return frz__err_no_memory(err, count * sizeof *key);
    if (count) memcpy(key, columns, count * sizeof *key);
    frz__free(s->a, s->key);
    s->key = key;
    s->key_count = count;
    for (size_t i = 0; i < s->count; i++) s->columns[i].key_index = -1;
    for (size_t i = 0; i < count; i++) s->columns[key[i]].key_index = (int32_t)i;
    return FRZ_OK;
}

/* ── sealing ── */

/* Fixed columns widest first, in column order within a width: offsets do not depend on values. */
static int layout_make(frz_schema *s, frz_error *err)
{
    struct row_layout *l = &s->layout;
    struct row_slot *slots = (struct row_slot *)frz__alloc_array(s->a, s->count, sizeof *slots);
    if (!slots) return frz__err_no_memory(err, s->count * sizeof *slots);
    uint32_t bits = 0, vars = 0, widest = 0;
    uint64_t fixed = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct column *c = &s->columns[i];
        slots[i] = (struct row_slot){.width = (uint32_t)frz__type_width(c->type), .type = (uint8_t)c->type.id, .required = c->required, .is_key = c->key_index >= 0};
        if (slots[i].is_key) continue;
        slots[i].null_bit = bits++;
        if (slots[i].width == 0) slots[i].at = vars++;
        if (slots[i].width > widest) widest = slots[i].width;
        fixed += slots[i].width;
    }
    uint64_t head = 2 + (uint64_t)bits_bytes(bits) + fixed + 4 * (uint64_t)vars;
    if (head > ROW_BYTES_MAX) {
        frz__free(s->a, slots);
        return frz__err(err, FRZ_TOO_LARGE, "the columns of fixed width take %" PRIu64 " bytes a row, the limit is %zu", head, ROW_BYTES_MAX);
    }
    uint32_t at = 2 + (uint32_t)bits_bytes(bits);
    for (uint32_t width = widest; width > 0;) {
        uint32_t next = 0;
        for (size_t i = 0; i < s->count; i++) {
            struct row_slot *slot = &slots[i];
            if (slot->is_key || slot->width == 0) continue;
            if (slot->width == width) {
                slot->at = at;
                at += width;
            } else if (slot->width < width && slot->width > next) {
                next = slot->width;
            }
        }
        width = next;
    }
    *l = (struct row_layout){slots, (uint32_t)bits_bytes(bits), (uint32_t)fixed, vars};
    return FRZ_OK;
}

int frz__schema_seal(frz_schema *s, bool with_key, frz_error *err)
{
    if (s->count == 0) return frz__err(err, FRZ_INVALID, "a schema without columns");
    if (with_key && s->key_count == 0) return frz__err(err, FRZ_INVALID, "the schema has no primary key: frz_schema_set_key names the columns of one");
    if (s->sealed) return FRZ_OK;
    TRY(layout_make(s, err));
    s->sealed = true;
    return FRZ_OK;
}

int frz__schema_check_format(const frz_schema *s, int format_version, frz_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct column *c = &s->columns[i];
        int least = frz__type_format_min(c->type);
        if (least > format_version) return frz__err(err, FRZ_INVALID, COLUMN_FMT ": type %s takes format version %d, this table has %d", COLUMN_ARG(c), frz__type_id_name(c->type.id), least, format_version);
        if (format_version < 3 && (c->initial.type || c->write.type))
            return frz__err(err, FRZ_INVALID, COLUMN_FMT ": default values take format version 3, this table has %d", COLUMN_ARG(c), format_version);
    }
    return FRZ_OK;
}

/* ── finding ── */

int64_t frz__schema_find(const frz_schema *s, slice name)
{
    for (size_t i = 0; i < s->count; i++)
        if (slice_eq(slice_of(s->columns[i].name, s->columns[i].name_len), name)) return (int64_t)i;
    return -1;
}

int64_t frz__schema_find_id(const frz_schema *s, int32_t field_id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->columns[i].id == field_id) return (int64_t)i;
    return -1;
}

/* ── comparing ── */

bool frz__schema_same_rows(const frz_schema *a, const frz_schema *b)
{
    if (a == b) return true;
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const struct column *x = &a->columns[i], *y = &b->columns[i];
        same = x->id == y->id && frz__type_eq(x->type, y->type) && x->key_index == y->key_index;
    }
    return same;
}

bool frz__schema_same_reads(const frz_schema *a, const frz_schema *b)
{
    bool same = frz__schema_same_rows(a, b);
    for (size_t i = 0; same && i < a->count; i++) same = frz__value_eq(&a->columns[i].initial, &b->columns[i].initial);
    return same;
}

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

bool frz__schema_same(const frz_schema *a, const frz_schema *b)
{
    bool same = frz__schema_same_reads(a, b);
    for (size_t i = 0; same && i < a->count; i++) {
        const struct column *x = &a->columns[i], *y = &b->columns[i];
        same = slice_eq(slice_of(x->name, x->name_len), slice_of(y->name, y->name_len)) && x->required == y->required && same_text(x->doc, y->doc) && frz__value_eq(&x->write, &y->write);
    }
    return same;
}

bool frz__schema_looks_like(const frz_schema *a, const frz_schema *b)
{
    bool same = a->count == b->count && a->key_count == b->key_count;
    for (size_t i = 0; same && i < a->count; i++) {
        const struct column *x = &a->columns[i], *y = &b->columns[i];
        same = slice_eq(slice_of(x->name, x->name_len), slice_of(y->name, y->name_len)) && frz__type_eq(x->type, y->type) && x->required == y->required && x->key_index == y->key_index;
    }
    return same;
}

bool frz__schema_same_key(const frz_schema *a, const frz_schema *b)
{
    bool same = a->key_count == b->key_count;
    for (size_t i = 0; same && i < a->key_count; i++) {
        const struct column *x = &a->columns[a->key[i]], *y = &b->columns[b->key[i]];
        same = x->id == y->id && frz__type_eq(x->type, y->type);
    }
    return same;
}
