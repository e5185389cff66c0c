/* Arrow structures made by hand, on the stack of a test: their release only marks them. */
#ifndef ARROW_KIT_H
#define ARROW_KIT_H
#include "arrow/arrow_in.h"
#include "arrow/arrow_stream.h"
#include "test_types_gen.h"

static inline void kit_release_schema(struct ArrowSchema *s) { s->release = NULL; }
static inline void kit_release_array(struct ArrowArray *a) { a->release = NULL; }

static inline struct ArrowSchema kit_field(const char *name, const char *format) { return (struct ArrowSchema){.format = format, .name = name, .flags = ARROW_FLAG_NULLABLE, .release = kit_release_schema}; }
static inline struct ArrowSchema kit_struct(struct ArrowSchema **children, int64_t n) { return (struct ArrowSchema){.format = "+s", .n_children = n, .children = children, .release = kit_release_schema}; }
static inline struct ArrowArray kit_array(int64_t length, const void **buffers, int64_t n) { return (struct ArrowArray){.length = length, .null_count = buffers[0] ? -1 : 0, .n_buffers = n, .buffers = buffers, .release = kit_release_array}; }
static const void *kit_no_validity[1];
static inline struct ArrowArray kit_batch(int64_t length, struct ArrowArray **children, int64_t n)
{
    return (struct ArrowArray){.length = length, .n_buffers = 1, .buffers = kit_no_validity, .n_children = n, .children = children, .release = kit_release_array};
}

/* One column, read as WANT: the result of frz__arrow_in_new, _fits, _check and _rows, whichever fails first. OUT is the caller's to clear. */
static inline int kit_read(const struct ArrowSchema *field, const struct ArrowArray *column, frz_type want, size_t from, size_t count, struct vec *out, frz_error *err)
{
    struct ArrowSchema *fields[] = {(struct ArrowSchema *)(uintptr_t)field}, schema = kit_struct(fields, 1);
    struct ArrowArray *columns[] = {(struct ArrowArray *)(uintptr_t)column}, batch = kit_batch((int64_t)(from + count), columns, 1);
    struct arrow_in *in = NULL;
    frz__vec_init(out, NULL, want);
    int rc = frz__arrow_in_new(NULL, &schema, &in, err);
    if (rc >= 0) rc = frz__arrow_in_fits(in, 0, want, err);
    if (rc >= 0) rc = frz__arrow_in_check(in, &batch, err);
    if (rc >= 0) rc = frz__arrow_in_rows(in, &batch, 0, from, count, 1000, out, err);
    frz__arrow_in_free(in);
    return rc;
}

/* Random columns of every type, with nulls where NULLABLE. */
static inline void kit_vecs(struct rng *r, const allocator *a, size_t rows, struct arrow_col *cols, char (*names)[16], frz_type *types, size_t count, struct vecs *vs)
{
    struct arena ar = ARENA_INIT(NULL);
    for (size_t i = 0; i < count; i++) {
        types[i] = gen_type(r, false);
        if (i < 16)
            while (types[i].id != (int32_t)i + 1) types[i] = gen_type(r, false);
        snprintf(names[i], 16, "c%zu", i);
        cols[i] = (struct arrow_col){names[i], types[i], rng_below(r, 3) > 0, rng_below(r, 2) ? (int32_t)i + 1 : -1};
    }
    if (frz__vecs_init(vs, a, types, count, NULL) < 0) abort();
    for (size_t k = 0; k < rows; k++)
        for (size_t i = 0; i < count; i++) {
            frz_value v = cols[i].nullable && rng_below(r, 3) == 0 ? value_null() : gen_value(r, types[i], &ar);
            if (frz__vec_append(&vs->cols[i], &v, NULL) < 0) abort();
        }
    vs->rows = rows;
    frz__arena_clear(&ar);
}

static inline bool kit_same(const struct vec *a, size_t from, const struct vec *b)
{
    for (size_t i = 0; i < b->len; i++) {
        frz_value x, y;
        frz__vec_get(a, from + i, &x);
        frz__vec_get(b, i, &y);
        if (!same_value(&x, &y)) return false;
    }
    return true;
}
#endif
