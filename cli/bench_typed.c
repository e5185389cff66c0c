/* bench_typed.c — (id long, ts timestamp, symbol string, price double, qty int, note string), by Arrow and by rows. */
#include "bench.h"

#define TYPED_SCHEMA "id long, ts timestamp, symbol string, price double, qty int, note string"
#define ARROW_ROWS 16384
#define COLUMNS 6

/* ── a stream that makes its arrays as it is asked; the time that this takes is kept apart ── */

struct typed_columns {
    int64_t id[ARROW_ROWS], ts[ARROW_ROWS];
    double price[ARROW_ROWS];
    int32_t qty[ARROW_ROWS], symbol_at[ARROW_ROWS + 1], note_at[ARROW_ROWS + 1];
    char symbol[ARROW_ROWS * 8], note[ARROW_ROWS * 24];
    const void *buffers[COLUMNS][3], *no_buffers[1];
    struct ArrowArray children[COLUMNS], *child_list[COLUMNS];
};
struct typed_stream {
    const struct bench *b;
    uint64_t next;
    uint64_t generating_ns;
    double generating_cpu;
    uint64_t bytes;
};

static void schema_release(struct ArrowSchema *s)
{
    if (s->n_children) free(s->children);
    s->release = NULL;
}

static void child_schema_release(struct ArrowSchema *s) { s->release = NULL; }

static int typed_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    static const char *const formats[COLUMNS] = {"l", "tsu:", "u", "g", "i", "u"}, *const names[COLUMNS] = {"id", "ts", "symbol", "price", "qty", "note"};
    (void)stream;
    struct { struct ArrowSchema *list[COLUMNS]; struct ArrowSchema of[COLUMNS]; } *c = calloc(1, sizeof *c);
    if (!c) return 12;
    for (int i = 0; i < COLUMNS; i++) {
        c->of[i] = (struct ArrowSchema){.format = formats[i], .name = names[i], .release = child_schema_release};
        c->list[i] = &c->of[i];
    }
    *out = (struct ArrowSchema){.format = "+s", .name = "", .n_children = COLUMNS, .children = c->list, .release = schema_release};
    return 0;
}

static void child_release(struct ArrowArray *a) { a->release = NULL; }

static void array_release(struct ArrowArray *a)
{
    free(a->private_data);
    a->release = NULL;
}

static void make_columns(const struct typed_stream *s, struct typed_columns *c, int64_t n)
{
    struct gen_typed r;
    c->symbol_at[0] = c->note_at[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        gen_typed(s->next + (uint64_t)i, s->b->seed, &r);
        c->id[i] = r.id;
        c->ts[i] = r.ts;
        c->price[i] = r.price;
        c->qty[i] = r.qty;
        memcpy(c->symbol + c->symbol_at[i], r.symbol, r.symbol_len);
        c->symbol_at[i + 1] = c->symbol_at[i] + (int32_t)r.symbol_len;
        memcpy(c->note + c->note_at[i], r.note, r.note_len);
        c->note_at[i + 1] = c->note_at[i] + (int32_t)r.note_len;
    }
}

static int typed_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct typed_stream *s = (struct typed_stream *)stream->private_data;
    uint64_t left = s->b->num - s->next, begin = bench_ns();
    double cpu = bench_cpu_seconds();
    int64_t n = (int64_t)(left < ARROW_ROWS ? left : ARROW_ROWS);
    *out = (struct ArrowArray){0};
    if (n == 0) return 0;
    struct typed_columns *c = (struct typed_columns *)malloc(sizeof *c);
    if (!c) return 12;
    make_columns(s, c, n);
    const void *buffers[COLUMNS][3] = {{NULL, c->id}, {NULL, c->ts}, {NULL, c->symbol_at, c->symbol}, {NULL, c->price}, {NULL, c->qty}, {NULL, c->note_at, c->note}};
    memcpy(c->buffers, buffers, sizeof buffers);
    c->no_buffers[0] = NULL;
    for (int i = 0; i < COLUMNS; i++) {
        c->children[i] = (struct ArrowArray){.length = n, .n_buffers = i == 2 || i == 5 ? 3 : 2, .buffers = c->buffers[i], .release = child_release};
        c->child_list[i] = &c->children[i];
    }
    *out = (struct ArrowArray){.length = n, .n_buffers = 1, .buffers = c->no_buffers, .n_children = COLUMNS, .children = c->child_list, .release = array_release, .private_data = c};
    s->next += (uint64_t)n;
    s->bytes += (uint64_t)n * 28 + (uint64_t)(c->symbol_at[n] + c->note_at[n]);
    s->generating_ns += bench_ns() - begin;
    s->generating_cpu += bench_cpu_seconds() - cpu;
    return 0;
}

static const char *typed_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return "out of memory";
}

static void typed_release(struct ArrowArrayStream *stream) { stream->release = NULL; }

int bench_ingest(struct bench *b, bool publish, frz_error *e)
{
    struct typed_stream s = {.b = b};
    struct ArrowArrayStream stream = {typed_schema, typed_next, typed_error, typed_release, &s};
    frz_write_options o = FRZ_WRITE_OPTIONS_INIT;
    uint64_t rows = 0;
    o.durability = FRZ_SYNC_OFF;
    int rc = bench_fresh_table(b, "typed", TYPED_SCHEMA, "id", &b->typed, e);
    uint64_t begin = bench_ns();
    double cpu = bench_cpu_seconds();
    if (rc == FRZ_OK) rc = frz_write_arrow(b->typed, &stream, false, &o, &rows, e);
    if (rc == FRZ_OK && publish) rc = frz_table_flush(b->typed, e);
    b->result.seconds = (double)(bench_ns() - begin - s.generating_ns) / 1e9;
    b->result.cpu_seconds = bench_cpu_seconds() - cpu - s.generating_cpu;
    b->result.ops = rows;
    b->result.batch = ARROW_ROWS;
    b->result.bytes = s.bytes;
    b->typed_settled = false;
    if (rc == FRZ_OK && rows != b->num) return bench_say(e, FRZ_CORRUPT, "%llu rows given, %llu in", (unsigned long long)b->num, (unsigned long long)rows);
    return rc;
}

static int set_typed(frz_row *row, const struct gen_typed *r, frz_error *e)
{
    int rc = frz_row_set_long(row, 0, r->id, e);
    if (rc == FRZ_OK) rc = frz_row_set_timestamp(row, 1, r->ts, e);
    if (rc == FRZ_OK) rc = frz_row_set_string(row, 2, r->symbol, r->symbol_len, e);
    if (rc == FRZ_OK) rc = frz_row_set_double(row, 3, r->price, e);
    if (rc == FRZ_OK) rc = frz_row_set_int(row, 4, r->qty, e);
    if (rc == FRZ_OK) rc = frz_row_set_string(row, 5, r->note, r->note_len, e);
    return rc;
}

int bench_ingest_rows(struct bench *b, frz_error *e)
{
    frz_batch *batch = NULL;
    frz_row *row = NULL;
    frz_write_options o = FRZ_WRITE_OPTIONS_INIT;
    uint64_t n = b->batch > 1 ? b->batch : 1000;
    o.durability = FRZ_SYNC_OFF;
    int rc = bench_fresh_table(b, "typed", TYPED_SCHEMA, "id", &b->typed, e);
    if (rc == FRZ_OK) rc = frz_batch_new(b->db, &batch, e);
    if (rc == FRZ_OK) rc = frz_row_new(b->typed, &row, e);
    struct gen_typed *rows = (struct gen_typed *)malloc(n * sizeof *rows);
    if (!rows && rc == FRZ_OK) rc = bench_say(e, FRZ_NO_MEMORY, "out of memory");
    for (uint64_t first = 0; rc == FRZ_OK && first < b->num; first += n) {
        uint64_t count = b->num - first < n ? b->num - first : n;
        for (uint64_t i = 0; i < count; i++) {
            gen_typed(first + i, b->seed, &rows[i]);
            b->result.bytes += 28 + rows[i].symbol_len + rows[i].note_len;
        }
        uint64_t begin = bench_ns();
        double cpu = bench_cpu_seconds();
        for (uint64_t i = 0; rc == FRZ_OK && i < count; i++) {
            rc = set_typed(row, &rows[i], e);
            if (rc == FRZ_OK) rc = frz_batch_put(batch, b->typed, row, e);
        }
        if (rc == FRZ_OK) rc = frz_write(b->db, batch, &o, NULL, e);
        frz_batch_clear(batch);
        b->result.seconds += (double)(bench_ns() - begin) / 1e9;
        b->result.cpu_seconds += bench_cpu_seconds() - cpu;
    }
    free(rows);
    b->result.ops = b->num;
    b->result.batch = n;
    b->typed_settled = false;
    frz_row_free(row);
    frz_batch_free(batch);
    return rc;
}
