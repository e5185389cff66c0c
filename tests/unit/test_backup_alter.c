/* Goal    a restore to a moment has the tables that were there then, with the columns and the rows that they had.
 * Method  what a database looks like (names, columns, rows, as text) is written down at many moments of a random life: rows, changes of columns, tables that come and go, flushes, new processes, backups. Then
 *         each moment is restored, by time and by sequence, and looked at in the same way. */
#include "alter_kit.h"
#include "backup_kit.h"

#define MOMENTS 25
struct moment {
    int64_t time_us;
    uint64_t seq;
    bool by_seq; /* no table changed between the row of that sequence and the next */
    char *text;
};
struct life {
    struct bk k;
    struct rng r;
    struct moment at[MOMENTS];
    size_t count;
    int names, rows; /* given so far */
    bool row_last;
};
#define TABLES 3
static const char *const table_names[TABLES] = {"one", "two", "three"};

/* ── what there is, as text ── */

static void add_text(struct buf *b, const char *text)
{
    frz_error e;
    OK(buf_append(b, text, strlen(text), &e), &e);
}
static char *text_of(frz_db *db)
{
    struct buf b = BUF_INIT(NULL, 0);
    frz_error e;
    for (int i = 0; i < TABLES; i++) {
        frz_table *t;
        frz_schema *s;
        frz_blob *blob;
        frz_cursor *c;
        const frz_row *row;
        if (frz_table_open(db, table_names[i], &t, &e) != FRZ_OK) continue;
        OK(frz_table_schema(t, &s, &e), &e);
        OK(frz_schema_to_text(s, &blob, &e), &e);
        add_text(&b, table_names[i]);
        add_text(&b, ": ");
        add_text(&b, frz_blob_data(blob));
        frz_blob_free(blob);
        frz_schema_free(s);
        OK(frz_scan(t, NULL, &c, &e), &e);
        while (frz_cursor_next(c, &row, &e) == FRZ_OK) {
            OK(frz_row_to_json(row, &blob, &e), &e);
            add_text(&b, "\n  ");
            add_text(&b, frz_blob_data(blob));
            frz_blob_free(blob);
        }
        add_text(&b, "\n");
        frz_cursor_close(c);
        frz_table_close(t);
    }
    char *text = strndup((const char *)b.data, b.len);
    buf_clear(&b);
    return text;
}

static void advance(void) { frz__test_clock_advance_ns((int64_t)5 * 1000000000); }

static void write_down(struct life *l)
{
    struct moment *m = &l->at[l->count++];
    advance();
    *m = (struct moment){frz__clock_wall_us(), atomic_load(&l->k.db->db->seq_visible), l->row_last, text_of(l->k.db)};
    advance();
}

/* ── a life ── */

static void tables_change(struct life *l)
{
    uint64_t seq = atomic_load(&l->k.db->db->seq_visible);
    for (size_t i = 0; i < l->count; i++)
        if (l->at[i].seq == seq) l->at[i].by_seq = false;
    l->row_last = false;
}

static void put_rows(struct life *l, frz_table *t, int n)
{
    for (int i = 0; i < n; i++) {
        frz_row *row;
        frz_schema *s;
        frz_error e;
        OK(frz_table_schema(t, &s, &e), &e);
        OK(frz_row_new(t, &row, &e), &e);
        for (size_t c = 0; c < frz_schema_column_count(s); c++) {
            frz_column col = FRZ_INIT(frz_column);
            OK(frz_schema_column(s, c, &col), NULL);
            int64_t v = c == 0 ? (int64_t)rng_below(&l->r, 30) : ++l->rows;
            if (c && !col.required && rng_below(&l->r, 4) == 0) continue;
            if (col.type.id == FRZ_LONG) OK(frz_row_set_long(row, c, v, &e), &e);
            else if (col.type.id == FRZ_INT) OK(frz_row_set_int(row, c, (int32_t)v, &e), &e);
            else OK(frz_row_set_string(row, c, "text", (size_t)(v % 5), &e), &e);
        }
        OK(frz_put(t, row, NULL, &e), &e);
        frz_row_free(row);
        frz_schema_free(s);
    }
    l->row_last = true;
}

/* One change of a random column, or a new one. */
static void change(struct life *l, frz_table *t)
{
    frz_schema *s;
    frz_error e;
    frz_column col = FRZ_INIT(frz_column);
    char name[32];
    OK(frz_table_schema(t, &s, &e), &e);
    size_t n = frz_schema_column_count(s), i = n > 1 ? 1 + rng_below(&l->r, n - 1) : 0;
    OK(frz_schema_column(s, i, &col), NULL);
    snprintf(name, sizeof name, "c%d", ++l->names);
    int kind = (int)rng_below(&l->r, i ? 7 : 2);
    if (kind < 2 && l->k.format >= 3 && kind)
        ALTER(t, &e, ADD(name, .type = TYPE(FRZ_INT), .required = true, .initial = INT_VALUE(7), .write = INT_VALUE(9)));
    else if (kind < 2)
        ALTER(t, &e, ADD(name, .type = TYPE(kind ? FRZ_STRING : FRZ_INT)), CHANGE(MOVE, name, .place = FRZ_PLACE_AFTER, .other = "id"));
    else if (kind == 2) ALTER(t, &e, CHANGE(DROP, col.name));
    else if (kind == 3) ALTER(t, &e, CHANGE(RENAME, col.name, .name = name));
    else if (kind == 4 && col.type.id == FRZ_INT) ALTER(t, &e, CHANGE(TYPE, col.name, .type = TYPE(FRZ_LONG)));
    else if (kind == 5) ALTER(t, &e, CHANGE(MOVE, col.name, .place = FRZ_PLACE_AFTER, .other = "id"));
    else ALTER(t, &e, CHANGE(DOC, col.name, .doc = name));
    frz_schema_free(s);
    tables_change(l);
}

static frz_table *make(struct life *l, const char *name)
{
    frz_table *t;
    frz_schema *s;
    frz_error e;
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    o.format_version = l->k.format;
    OK(frz_schema_parse("id long, v int?", "id", &s, &e), &e);
    OK(frz_table_create(l->k.db, name, s, &o, &t, &e), &e);
    frz_schema_free(s);
    tables_change(l);
    return t;
}

static void step(struct life *l)
{
    frz_table *t = NULL;
    frz_error e;
    const char *name = table_names[rng_below(&l->r, TABLES)];
    if (frz_table_open(l->k.db, name, &t, &e) != FRZ_OK) t = make(l, name);
    switch (rng_below(&l->r, 12)) {
    case 0: OK(frz_table_flush(t, &e), &e); break;
    case 1:
        frz_table_close(t);
        t = NULL;
        if (rng_below(&l->r, 2)) break;
        OK(frz_table_drop(l->k.db, name, &e), &e);
        tables_change(l);
        break;
    case 2:
        frz_table_close(t);
        t = NULL;
        bk_close(&l->k);
        bk_open(&l->k);
        break;
    case 3: bk_backup(&l->k, NULL); break;
    case 4:
    case 5:
    case 6: change(l, t); break;
    default: put_rows(l, t, 1 + (int)rng_below(&l->r, 20)); break;
    }
    frz_table_close(t);
}

static void look_back(struct life *l, size_t i, bool by_seq)
{
    struct restore_result result;
    const struct moment *m = &l->at[i];
    char name[32];
    frz_db *db;
    struct restore_request r = {.archive = l->k.archive};
    if (by_seq) r.to_seq = m->seq;
    else r.to_time_us = m->time_us;
    snprintf(name, sizeof name, "back%zu%s", i, by_seq ? "s" : "t");
    OK(bk_try_restore(&l->k, name, &r, &result, &l->k.e), &l->k.e);
    struct fs *fs = bk_folder(&l->k, name);
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    OK(frz__test_db_open(fs, &o, &db, &l->k.e), &l->k.e);
    char *text = text_of(db);
    if (strcmp(text, m->text) != 0) {
        size_t at = 0;
        while (text[at] == m->text[at]) at++;
        while (at > 0 && m->text[at - 1] != '\n') at--;
        fail_msg("moment %zu by %s, from backup %llu: it was …\n%.300s\nand is\n%.300s", i, by_seq ? "sequence" : "time",
                 (unsigned long long)result.number, m->text + at, text + at);
    }
    free(text);
    frz_verify_report report = FRZ_INIT(frz_verify_report);
    OK(frz_verify(db, NULL, bk_finding, NULL, &report, &l->k.e), &l->k.e);
    OK(frz_db_close(db, &l->k.e), &l->k.e);
    frz__fs_free(fs);
}

static void lives(uint64_t seed, int format)
{
    struct life l = {.r = {seed}};
    bk_begin_mem(&l.k, format);
    bk_close(&l.k);
    l.k.archive = bk_folder(&l.k, "archive");
    l.k.o.log_archive = l.k.archive->root;
    bk_open(&l.k);
    bk_backup(&l.k, NULL);
    for (int i = 0; i < 3 * MOMENTS; i++) {
        step(&l);
        if (i % 3 == 2) write_down(&l);
    }
    bk_fill(&l.k, 1, 1); /* a moment is reached where the log goes beyond it */
    bk_close(&l.k);
    for (size_t i = 0; i < l.count; i++) {
        look_back(&l, i, false);
        if (l.at[i].by_seq) look_back(&l, i, true);
        free(l.at[i].text);
    }
    bk_end(&l.k);
}
TEST(point_in_time, tables_have_the_columns_and_rows_that_they_had)
{
    lives(test_seed(2), 2);
    lives(test_seed(3), 3);
}
