/* api_arrow.c — tables as Arrow streams, and Arrow streams into tables. */
#include <stdlib.h>

#include "api/handle.h"
#include "arrow/arrow_in.h"
#include "arrow/arrow_stream.h"

#define SCAN_BATCH_ROWS 16384

/* ── out ── */

struct scan_source {
    struct batch_scan *scan;
    size_t batch_rows;
};

static int scan_next(void *ctx, struct vecs *out, frz_error *err)
{
    struct scan_source *s = (struct scan_source *)ctx;
    return frz__batch_scan_next(s->scan, s->batch_rows, out, err);
}

static void scan_close(void *ctx)
{
    struct scan_source *s = (struct scan_source *)ctx;
    frz__batch_scan_free(s->scan); /* and with it the state of the table, and the pin */
    free(s);
}

static int stream_of(struct batch_scan *scan, size_t batch_rows, struct ArrowArrayStream *out, frz_error *err)
{
    const struct scan_base *b = frz__batch_scan_base(scan);
    const allocator *a = b->t->db->a;
    struct scan_source *s = (struct scan_source *)malloc(sizeof *s);
    struct arrow_col *cols = (struct arrow_col *)frz__alloc_array(a, b->wanted_count, sizeof *cols);
    if (!s || !cols) {
        int rc = frz__err_no_memory(err, b->wanted_count * sizeof *cols);
        frz__free(a, cols);
        free(s);
        frz__batch_scan_free(scan);
        return rc;
    }
    *s = (struct scan_source){scan, batch_rows};
    for (size_t i = 0; i < b->wanted_count; i++) {
        const struct column *c = &b->view->schema->columns[b->columns[i]];
        cols[i] = (struct arrow_col){c->name, c->type, !c->required, c->id};
    }
    struct table *t = frz__table_acquire(b->t); /* a failure closes the source */
    int rc = frz__arrow_stream_new(a, cols, b->wanted_count, (struct arrow_source){s, scan_next, scan_close}, out, err);
    frz__free(a, cols);
    frz__table_release(t);
    return rc;
}

int frz_scan_arrow(frz_table *table, const frz_scan_options *o, struct ArrowArrayStream *out, frz_error *err)
{
    struct table *t;
    struct snapshot *snapshot = NULL;
    struct batch_scan *scan;
    TRY(frz__shell_need(out, "out", err));
    *out = (struct ArrowArrayStream){0};
    TRY(frz__shell_table(table, &t, err));
    TRY(frz__table_usable(t, false, err));
    if (o && o->struct_size >= offsetof(frz_scan_options, column_count) + sizeof o->column_count && o->columns && o->column_count == 0) return frz__err(err, FRZ_INVALID, "a scan of no columns: frz_count counts rows");
    if (o && o->struct_size >= offsetof(frz_scan_options, snapshot) + sizeof o->snapshot) TRY(frz__shell_snapshot(o->snapshot, &snapshot, err));
    size_t rows = o && o->struct_size >= offsetof(frz_scan_options, batch_rows) + sizeof o->batch_rows ? o->batch_rows : 0;
    MUST(frz__batch_scan_new(t, snapshot, o, &scan, err));
    return stream_of(scan, rows ? rows : SCAN_BATCH_ROWS, out, err);
}

/* ── in ── */

#define BATCH_ROWS ((size_t)10000)
#define BATCH_BYTES ((size_t)2 << 20)

/* The columns of the stream on those of the table, and what a slice of rows becomes on its way. */
struct ingest {
    struct table *t;
    frz_schema *schema; /* counted */
    struct arrow_in *in;
    struct vecs vecs;      /* by column of the table; one value where the stream has none */
    int32_t *from;         /* by column of the table: the stream's, -1 = none */
    struct row_col *cols;
    struct write_batch *batch;
    enum expect expect;
    int durability;
    int64_t wait_max_ns;
    uint64_t read, written; /* rows of the stream */
};

static void plan_clear(struct ingest *g)
{
    const allocator *a = g->t->db->a;
    frz__vecs_clear(&g->vecs);
    frz__free(a, g->from);
    frz__free(a, g->cols);
    frz__schema_release(g->schema);
    g->from = NULL;
    g->cols = NULL;
    g->schema = NULL;
}

static int match_columns(struct ingest *g, frz_error *err)
{
    const frz_schema *s = g->schema;
    for (size_t i = 0; i < s->count; i++) g->from[i] = -1;
    for (size_t k = 0; k < g->in->count; k++) {
        const char *name = g->in->fields[k].name;
        int64_t i = frz__schema_find(s, slice_str(name));
        if (i < 0) return frz__err(err, FRZ_INVALID, "table %s has no column \"%.*s\"", g->t->name, frz__name_shown(slice_str(name)), name);
        if (g->from[i] >= 0) return frz__err(err, FRZ_INVALID, "column \"%.*s\" is in the Arrow stream twice", frz__name_shown(slice_str(name)), name);
        TRY(frz__arrow_in_fits(g->in, k, s->columns[i].type, err));
        g->from[i] = (int32_t)k;
    }
    return FRZ_OK;
}

/* Columns that the stream leaves out take their write default. */
static int fill_missing(struct ingest *g, frz_error *err)
{
    const frz_schema *s = g->schema;
    for (size_t i = 0; i < s->count; i++) {
        const struct column *c = &s->columns[i];
        g->cols[i] = (struct row_col){&g->vecs.cols[i], g->from[i] < 0};
        if (g->from[i] >= 0) continue;
        if (c->required && value_is_null(&c->write)) return frz__err(err, FRZ_INVALID, COLUMN_FMT " is required, but not in the Arrow stream", COLUMN_ARG(c));
        TRY(frz__vec_append(&g->vecs.cols[i], &c->write, err));
    }
    return FRZ_OK;
}

/* Takes SCHEMA's count. */
static int plan_make(struct ingest *g, frz_schema *schema, frz_error *err)
{
    const allocator *a = g->t->db->a;
    plan_clear(g);
    g->schema = schema;
    g->from = (int32_t *)frz__alloc_array(a, schema->count, sizeof *g->from);
    g->cols = (struct row_col *)frz__alloc_array(a, schema->count, sizeof *g->cols);
    frz_type *types = (frz_type *)frz__alloc_array(a, schema->count, sizeof *types);
    int rc = g->from && g->cols && types ? FRZ_OK : frz__err_no_memory(err, schema->count * sizeof *types);
    for (size_t i = 0; rc >= 0 && i < schema->count; i++) types[i] = schema->columns[i].type;
    if (rc >= 0) rc = frz__vecs_init(&g->vecs, a, types, schema->count, err);
    frz__free(a, types);
    if (rc >= 0) rc = match_columns(g, err);
    if (rc >= 0) rc = fill_missing(g, err);
    return rc;
}

static int convert(struct ingest *g, const struct ArrowArray *array, size_t from, size_t count, frz_error *err)
{
    for (size_t i = 0; i < g->schema->count; i++)
        if (g->from[i] >= 0) TRY(frz__arrow_in_rows(g->in, array, (size_t)g->from[i], from, count, g->read, &g->vecs.cols[i], err));
    return FRZ_OK;
}

/* COUNT converted rows, batch by batch. */
static int write_rows(struct ingest *g, size_t from, size_t count, frz_error *err)
{
    for (size_t at = 0; at < count;) {
        size_t taken, bad;
        frz__write_batch_reset(g->batch);
        int rc = frz__write_batch_rows(g->batch, g->t, g->schema, g->cols, at, count - at, BATCH_BYTES, g->expect, &taken, &bad, err);
        if (rc < 0) {
            if (bad != SIZE_MAX) frz__err_context(err, "row %" PRIu64, g->read + from + at + bad);
            return rc;
        }
        rc = frz__write(g->t->db, g->batch, g->durability, g->wait_max_ns, NULL, err);
        if (rc != FRZ_OK) return rc;
        at += taken;
        g->written += taken;
    }
    return FRZ_OK;
}

static int write_array(struct ingest *g, const struct ArrowArray *array, frz_error *err)
{
    size_t most = BATCH_ROWS;
    TRY(frz__arrow_in_check(g->in, array, err));
    for (size_t at = 0; at < (size_t)array->length;) {
        size_t n = (size_t)array->length - at < most ? (size_t)array->length - at : most;
        frz_schema *now = frz__table_schema(g->t);
        if (now != g->schema) TRY(plan_make(g, now, err)); /* the table's columns changed meanwhile */
        else frz__schema_release(now);
        int rc = convert(g, array, at, n, err);
        if (rc == FRZ_TOO_LARGE && n > 1) { /* so many bytes: fewer rows */
            most = n / 2;
            continue;
        }
        if (rc == FRZ_OK) rc = write_rows(g, at, n, err);
        if (rc != FRZ_OK) return rc;
        at += n;
    }
    g->read += (uint64_t)array->length;
    return FRZ_OK;
}

static int ingest(struct ingest *g, struct ArrowArrayStream *stream, frz_error *err)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    TRY(frz__arrow_stream_schema(stream, &schema, err));
    int rc = frz__arrow_in_new(g->t->db->a, &schema, &g->in, err);
    schema.release(&schema);
    TRY(rc);
    TRY(plan_make(g, frz__table_schema(g->t), err));
    TRY(frz__write_batch_take(g->t->db, &g->batch, err));
    while ((rc = frz__arrow_stream_next(stream, &array, err)) == FRZ_OK) {
        rc = write_array(g, &array, err);
        array.release(&array);
        if (rc != FRZ_OK) return rc;
    }
    return rc == FRZ_DONE ? FRZ_OK : rc;
}

static int write_stream(frz_table *table, struct ArrowArrayStream *stream, bool insert, const frz_write_options *o, uint64_t *rows, frz_error *err)
{
    struct ingest g = {.expect = insert ? EXPECT_ABSENT : EXPECT_ANY};
    TRY(frz__shell_table(table, &g.t, err));
    MUST(frz__table_usable(g.t, true, err));
    TRY(frz__shell_write(o, &g.durability, &g.wait_max_ns, err));
    TRY(frz__arrow_stream_check(stream, err));
    frz__table_acquire(g.t); /* whatever the stream's callbacks close */
    struct pin pin;
    struct db *db = g.t->db;
    frz__db_pin(db, &pin, atomic_load(&db->seq_visible));
    g.vecs.a = g.t->db->a;
    int rc = ingest(&g, stream, err);
    if (rows) *rows = g.written;
    if (g.batch) frz__write_batch_give(db, g.batch);
    plan_clear(&g);
    frz__arrow_in_free(g.in);
    frz__table_release(g.t);
    frz__db_unpin(db, &pin);
    return rc;
}

int frz_write_arrow(frz_table *table, struct ArrowArrayStream *stream, bool insert, const frz_write_options *o, uint64_t *rows, frz_error *err)
{
    if (rows) *rows = 0;
    int rc = write_stream(table, stream, insert, o, rows, err);
    arrow_stream_release(stream);
    return rc;
}
