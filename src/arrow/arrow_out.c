#include "arrow/arrow_out.h"

#include <stdio.h>

/* ── schemas ── */

struct schema_part { /* followed by the name and, of a struct, the children */
    struct arrow_alloc a;
    char format[32];
    char metadata[128];
    struct ArrowSchema **children, *child_structs;
    size_t count;
};

static void release_schema(struct ArrowSchema *s)
{
    struct schema_part *p = (struct schema_part *)s->private_data;
    struct arrow_alloc a = p->a;
    for (size_t i = 0; i < p->count; i++)
        if (p->child_structs[i].release) p->child_structs[i].release(&p->child_structs[i]);
    frz__free(arrow_alloc_ptr(&a), p);
    s->release = NULL;
}

static void format_of(frz_type t, char *out, size_t cap)
{
    const char *text = NULL;
    switch (t.id) {
    case FRZ_BOOLEAN: text = "b"; break;
    case FRZ_INT: text = "i"; break;
    case FRZ_LONG: text = "l"; break;
    case FRZ_FLOAT: text = "f"; break;
    case FRZ_DOUBLE: text = "g"; break;
    case FRZ_DATE: text = "tdD"; break;
    case FRZ_TIME: text = "ttu"; break;
    case FRZ_TIMESTAMP: text = "tsu:"; break;
    case FRZ_TIMESTAMPTZ: text = "tsu:UTC"; break;
    case FRZ_TIMESTAMP_NS: text = "tsn:"; break;
    case FRZ_TIMESTAMPTZ_NS: text = "tsn:UTC"; break;
    case FRZ_STRING: text = "u"; break;
    case FRZ_BINARY: text = "z"; break;
    case FRZ_UUID: text = "w:16"; break;
    case FRZ_FIXED: snprintf(out, cap, "w:%d", (int)t.length); return;
    default: FRZ_ASSERT(t.id == FRZ_DECIMAL); snprintf(out, cap, "d:%d,%d", (int)t.precision, (int)t.scale); return;
    }
    snprintf(out, cap, "%s", text);
}

static size_t put_text(char *out, size_t at, const char *text)
{
    int32_t len = (int32_t)strlen(text);
    memcpy(out + at, &len, 4);
    memcpy(out + at + 4, text, (size_t)len);
    return at + 4 + (size_t)len;
}

/* i32 count | (i32 length, key, i32 length, value)…; false = there is nothing to say. */
static bool metadata_of(const struct arrow_col *c, char out[128])
{
    int32_t n = 0;
    size_t at = 4;
    char id[16];
    if (c->field_id >= 0) {
        snprintf(id, sizeof id, "%d", (int)c->field_id);
        at = put_text(out, put_text(out, at, "PARQUET:field_id"), id);
        n++;
    }
    if (c->type.id == FRZ_UUID) {
        at = put_text(out, put_text(out, at, "ARROW:extension:name"), "arrow.uuid");
        (void)put_text(out, put_text(out, at, "ARROW:extension:metadata"), "");
        n += 2;
    }
    memcpy(out, &n, 4);
    return n > 0;
}

/* NAME, and room for COUNT children that are not there yet. */
static int schema_part(const allocator *a, const char *name, size_t count, struct ArrowSchema *out, frz_error *err)
{
    size_t name_bytes = strlen(name) + 1, children = count * (sizeof(struct ArrowSchema *) + sizeof(struct ArrowSchema));
    *out = (struct ArrowSchema){0};
    struct schema_part *p = (struct schema_part *)frz__alloc_zero(a, sizeof *p + children + name_bytes);
    if (!p) return frz__err_no_memory(err, sizeof *p + children + name_bytes);
    p->a = arrow_alloc_of(a);
    p->count = count;
    p->child_structs = (struct ArrowSchema *)(void *)(p + 1);
    p->children = (struct ArrowSchema **)(void *)(p->child_structs + count);
    for (size_t i = 0; i < count; i++) p->children[i] = &p->child_structs[i];
    char *own_name = (char *)(p->children + count);
    memcpy(own_name, name, name_bytes);
    *out = (struct ArrowSchema){.format = p->format, .name = own_name, .n_children = (int64_t)count, .children = count ? p->children : NULL, .release = release_schema, .private_data = p};
    return FRZ_OK;
}

int frz__arrow_schema_out(const allocator *a, const struct arrow_col *cols, size_t count, struct ArrowSchema *out, frz_error *err)
{
    TRY(schema_part(a, "", count, out, err));
    struct schema_part *root = (struct schema_part *)out->private_data;
    memcpy(root->format, "+s", 3);
    for (size_t i = 0; i < count; i++) {
        struct ArrowSchema *s = &root->child_structs[i];
        int rc = schema_part(a, cols[i].name, 0, s, err);
        if (rc < 0) {
            release_schema(out);
            return rc;
        }
        struct schema_part *p = (struct schema_part *)s->private_data;
        format_of(cols[i].type, p->format, sizeof p->format);
        s->metadata = metadata_of(&cols[i], p->metadata) ? p->metadata : NULL;
        s->flags = cols[i].nullable ? ARROW_FLAG_NULLABLE : 0;
    }
    return FRZ_OK;
}

/* ── arrays ── */

struct array_part { /* of a batch, followed by the children */
    struct arrow_alloc a;
    const void *buffers[3];
    void *validity, *data, *offsets; /* ours to free */
    struct ArrowArray **children, *child_structs;
    size_t count;
};

/* A buffer of an empty array: one offset, no bytes. */
static const int64_t nothing[2];

static void release_array(struct ArrowArray *array)
{
    struct array_part *p = (struct array_part *)array->private_data;
    struct arrow_alloc a = p->a;
    const allocator *ap = arrow_alloc_ptr(&a);
    for (size_t i = 0; i < p->count; i++)
        if (p->child_structs[i].release) p->child_structs[i].release(&p->child_structs[i]);
    frz__free(ap, p->validity);
    frz__free(ap, p->data);
    frz__free(ap, p->offsets);
    frz__free(ap, p);
    array->release = NULL;
}

static int array_part(const allocator *a, size_t count, struct ArrowArray *out, frz_error *err)
{
    size_t children = count * (sizeof(struct ArrowArray *) + sizeof(struct ArrowArray));
    *out = (struct ArrowArray){0};
    struct array_part *p = (struct array_part *)frz__alloc_zero(a, sizeof *p + children);
    if (!p) return frz__err_no_memory(err, sizeof *p + children);
    p->a = arrow_alloc_of(a);
    p->count = count;
    p->child_structs = (struct ArrowArray *)(void *)(p + 1);
    p->children = (struct ArrowArray **)(void *)(p->child_structs + count);
    for (size_t i = 0; i < count; i++) p->children[i] = &p->child_structs[i];
    *out = (struct ArrowArray){.n_buffers = 1, .n_children = (int64_t)count, .buffers = p->buffers, .children = count ? p->children : NULL, .release = release_array, .private_data = p};
    return FRZ_OK;
}

static void move_buffers(struct vec *v, struct ArrowArray *array)
{
    struct array_part *p = (struct array_part *)array->private_data;
    FRZ_ASSERT(v->a == NULL || p->a.host); /* freed by the allocator that made them */
    p->validity = v->validity;
    p->data = v->data;
    p->offsets = v->offsets;
    array->length = (int64_t)v->len;
    array->null_count = (int64_t)v->nulls;
    p->buffers[0] = v->nulls ? v->validity : NULL;
    if (type_is_var(v->type)) {
        array->n_buffers = 3;
        p->buffers[1] = v->offsets ? (const void *)v->offsets : nothing;
        p->buffers[2] = v->data ? (const void *)v->data : nothing;
    } else {
        array->n_buffers = 2;
        p->buffers[1] = v->data ? (const void *)v->data : nothing;
    }
    frz__vec_init(v, v->a, v->type);
}

int frz__arrow_array_out(const allocator *a, struct vecs *vs, struct ArrowArray *out, frz_error *err)
{
    TRY(array_part(a, vs->count, out, err));
    struct array_part *root = (struct array_part *)out->private_data;
    for (size_t i = 0; i < vs->count; i++) {
        int rc = array_part(a, 0, &root->child_structs[i], err);
        if (rc < 0) {
            release_array(out);
            return rc;
        }
    }
    for (size_t i = 0; i < vs->count; i++) {
        FRZ_ASSERT(vs->cols[i].len == vs->rows);
        move_buffers(&vs->cols[i], &root->child_structs[i]);
    }
    out->length = (int64_t)vs->rows;
    vs->rows = 0;
    return FRZ_OK;
}
