/* frz_scan_arrow, frz_write_arrow, frz_parquet_*: the promises of the header, by its names alone where that can be. What pyarrow makes of it: tests/interop/arrow_check.py. */
#include "frz_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow_kit.h"

#define N 3000

static char root[512];

static frz_db *open_db(const frz_allocator *a, frz_error *e)
{
    frz_db *db = NULL;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.create = true;
    o.durability = FRZ_SYNC_OFF;
    o.allocator = a;
    return frz_db_open(root, &o, &db, e) == FRZ_OK ? db : NULL;
}

static frz_table *make_table(frz_db *db, const char *name, const char *text, const char *key)
{
    frz_error e = {0};
    frz_schema *s;
    frz_table *t;
    OK(frz_schema_parse(text, key, &s, &e), &e);
    OK(frz_table_create(db, name, s, NULL, &t, &e), &e);
    frz_schema_free(s);
    return t;
}

static void begin(const char *name) { snprintf(root, sizeof root, "%s", test_tmp_dir(name)); }

/* Rows FROM … TO - 1 of (id long, s string?) in batches of STEP; fails at row FAIL_AT. */
struct numbers { int64_t at, to, step, fail_at; int closed; };
static int numbers_next(void *ctx, struct vecs *out, frz_error *err)
{
    struct numbers *n = (struct numbers *)ctx;
    if (n->at >= n->to) return FRZ_DONE;
    for (int64_t i = 0; i < n->step && n->at < n->to; i++, n->at++) {
        char text[32];
        snprintf(text, sizeof text, "row %" PRId64, n->at);
        frz_value id = value_i64(FRZ_LONG, n->at), s = n->at % 5 ? value_bytes(FRZ_STRING, slice_str(text)) : value_null();
        if (n->at == n->fail_at) return frz__err_corrupt(err, "the source broke");
        TRY(frz__vec_append(&out->cols[0], &id, err));
        TRY(frz__vec_append(&out->cols[1], &s, err));
        out->rows++;
    }
    return FRZ_OK;
}
static void numbers_close(void *ctx) { ((struct numbers *)ctx)->closed++; }

static struct ArrowArrayStream numbers_stream(struct numbers *n)
{
    static const struct arrow_col cols[] = {{"id", {.id = FRZ_LONG}, false, -1}, {"s", {.id = FRZ_STRING}, true, -1}};
    struct ArrowArrayStream s;
    frz_error e = {0};
    OK(frz__arrow_stream_new(NULL, cols, 2, (struct arrow_source){n, numbers_next, numbers_close}, &s, &e), &e);
    return s;
}

/* Every row of the stream once; by id it is "row id" or null. */
static uint64_t drain(struct ArrowArrayStream *s, uint64_t most_rows)
{
    uint64_t rows = 0;
    struct ArrowArray a;
    frz_error e = {0};
    int rc;
    while ((rc = frz__arrow_stream_next(s, &a, &e)) == FRZ_OK) {
        assert_true((uint64_t)a.length <= most_rows);
        for (int64_t i = 0; i < a.length; i++) {
            int64_t id = ((const int64_t *)a.children[0]->buffers[1])[i];
            const uint8_t *valid = (const uint8_t *)a.children[1]->buffers[0];
            const int32_t *o = (const int32_t *)a.children[1]->buffers[1];
            char text[32];
            int n = snprintf(text, sizeof text, "row %" PRId64, id);
            bool null = valid && !bit_get(valid, (size_t)i);
            assert_int_equal(null, id % 5 == 0);
            if (!null) assert_true(slice_eq(slice_of(text, (size_t)n), slice_of((const uint8_t *)a.children[1]->buffers[2] + o[i], (size_t)(o[i + 1] - o[i]))));
        }
        rows += (uint64_t)a.length;
        a.release(&a);
    }
    frz_test_rc(rc, FRZ_DONE, &e, "stream", __FILE__, __LINE__);
    return rows;
}

TEST(api_arrow, rows_go_in_and_come_out_before_and_after_a_flush)
{
    frz_error e = {0};
    begin("arrow");
    frz_db *db = open_db(NULL, &e);
    frz_table *t = make_table(db, "t", "id long, s string?", "id");
    struct numbers n = {0, N, 700, -1, 0};
    struct ArrowArrayStream s = numbers_stream(&n);
    uint64_t rows = 99;
    OK(frz_write_arrow(t, &s, false, NULL, &rows, &e), &e);
    assert_int_equal(rows, N);
    assert_int_equal(n.closed, 1);
    assert_null(s.release);
    for (int flushed = 0; flushed < 2; flushed++) {
        frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
        o.batch_rows = 100;
        OK(frz_scan_arrow(t, &o, &s, &e), &e);
        assert_int_equal(drain(&s, 100), N);
        FAILS(frz_db_close(db, &e), FRZ_BUSY, &e); /* the stream holds its state */
        s.release(&s);
        OK(frz_table_flush(t, &e), &e);
    }
    n = (struct numbers){0, 10, 10, -1, 0};
    s = numbers_stream(&n);
    RC(frz_write_arrow(t, &s, true, NULL, &rows, &e), FRZ_EXISTS, &e);
    assert_int_equal(rows, 0);
    assert_int_equal(n.closed, 1);
    n = (struct numbers){N, N + 2500, 5000, -1, 0};
    s = numbers_stream(&n);
    OK(frz_write_arrow(t, &s, true, NULL, &rows, &e), &e);
    assert_int_equal(rows, 2500);
    OK(frz_scan_arrow(t, NULL, &s, &e), &e);
    struct ArrowArray kept; /* arrays outlive stream and database */
    OK(frz__arrow_stream_next(&s, &kept, &e), &e);
    s.release(&s);
    OK(frz_db_close(db, &e), &e);
    assert_int_equal(((const int64_t *)kept.children[0]->buffers[1])[0], 0);
    kept.release(&kept);
    test_tmp_remove(root);
}

TEST(api_arrow, an_error_counts_what_is_in_and_releases_the_stream)
{
    frz_error e = {0};
    begin("arrow-err");
    frz_db *db = open_db(NULL, &e);
    frz_table *t = make_table(db, "t", "id long, s string?", "id"), *narrow = make_table(db, "n", "id int, s string?", "id"), *other = make_table(db, "o", "id long, s string, q int", "id");
    struct numbers n = {0, N, 700, 2000, 0};
    struct ArrowArrayStream s = numbers_stream(&n);
    uint64_t rows = 99, count = 0;
    FAILS(frz_write_arrow(t, &s, false, NULL, &rows, &e), FRZ_IO, &e);
    MESSAGE_HAS(&e, "the source broke");
    assert_int_equal(rows, 1400);
    assert_int_equal(n.closed, 1);
    OK(frz_count(t, NULL, &count, &e), &e);
    assert_int_equal(count, 1400);
    n = (struct numbers){INT32_MAX - 10, INT64_C(2) + INT32_MAX, 100, -1, 0};
    s = numbers_stream(&n);
    FAILS(frz_write_arrow(narrow, &s, false, NULL, &rows, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "column \"id\"");
    MESSAGE_HAS(&e, "row 11");
    assert_int_equal(rows, 0);
    n = (struct numbers){0, 10, 10, -1, 0};
    s = numbers_stream(&n);
    FAILS(frz_write_arrow(other, &s, false, NULL, NULL, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "\"q\"");
    assert_int_equal(n.closed, 1);
    frz_write_options wo = FRZ_WRITE_OPTIONS_INIT;
    wo.durability = 7;
    n = (struct numbers){0, 10, 10, -1, 0};
    s = numbers_stream(&n);
    FAILS(frz_write_arrow(t, &s, false, &wo, NULL, &e), FRZ_INVALID, &e);
    assert_int_equal(n.closed, 1);
    frz_table_close(other);
    n = (struct numbers){0, 10, 10, -1, 0};
    s = numbers_stream(&n);
    FAILS(frz_write_arrow(other, &s, false, NULL, NULL, &e), FRZ_MISUSE, &e);
    assert_int_equal(n.closed, 1);
    FAILS(frz_write_arrow(t, &s, false, NULL, NULL, &e), FRZ_INVALID, &e); /* released */
    FAILS(frz_write_arrow(t, NULL, false, NULL, NULL, &e), FRZ_INVALID, &e);
    FAILS(frz_scan_arrow(t, NULL, NULL, &e), FRZ_INVALID, &e);
    size_t none = 0;
    frz_scan_options o = FRZ_SCAN_OPTIONS_INIT;
    o.columns = &none;
    FAILS(frz_scan_arrow(t, &o, &s, &e), FRZ_INVALID, &e);
    assert_null(s.release);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(root);
}

TEST(api_arrow, left_out_columns_take_their_write_default)
{
    frz_error e = {0};
    begin("arrow-def");
    frz_db *db = open_db(NULL, &e);
    frz_schema *schema;
    frz_table *t;
    frz_column c = FRZ_INIT(frz_column);
    OK(frz_schema_parse("id long, s string?", "id", &schema, &e), &e);
    c.name = "q";
    c.type.id = FRZ_INT;
    c.required = true;
    c.key_index = -1;
    c.initial = c.write = value_i32(FRZ_INT, 42);
    OK(frz_schema_add(schema, &c, &e), &e);
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    o.format_version = 3;
    OK(frz_table_create(db, "t", schema, &o, &t, &e), &e);
    frz_schema_free(schema);
    struct numbers n = {0, N, 700, -1, 0};
    struct ArrowArrayStream s = numbers_stream(&n);
    OK(frz_write_arrow(t, &s, false, NULL, NULL, &e), &e);
    uint64_t count = 0;
    frz_scan_options so = FRZ_SCAN_OPTIONS_INIT;
    so.where = "q = 42";
    OK(frz_count(t, &so, &count, &e), &e);
    assert_int_equal(count, N);
    OK(frz_db_close(db, &e), &e);
    test_tmp_remove(root);
}

TEST(api_arrow, every_failed_allocation_leaves_the_database_usable)
{
    frz_error e = {0};
    begin("arrow-oom");
    struct test_alloc ta;
    test_alloc_init(&ta, 0);
    frz_db *db = open_db(&ta.vt, &e);
    frz_table *t = make_table(db, "t", "id long, s string?", "id");
    bool done = false;
    for (long k = 1; !done; k++) {
        struct numbers n = {0, 50, 20, -1, 0};
        struct ArrowArrayStream s = numbers_stream(&n);
        uint64_t rows = 0, count = 0;
        ta.fail_at = ta.calls + k;
        int rc = frz_write_arrow(t, &s, false, NULL, &rows, &e);
        assert_int_equal(n.closed, 1);
        if (rc >= 0) {
            rc = frz_scan_arrow(t, NULL, &s, &e);
            if (rc >= 0) {
                struct ArrowArray a;
                while ((rc = frz__arrow_stream_next(&s, &a, &e)) == FRZ_OK) a.release(&a);
                s.release(&s);
            }
        }
        done = ta.calls < ta.fail_at;
        ta.fail_at = 0;
        if (rc < 0) assert_int_equal(rc, FRZ_NO_MEMORY);
        else assert_int_equal(rc, FRZ_DONE);
        if (e.code == FRZ_NO_MEMORY && strstr(e.message, "opened again")) { /* logged, and not in memory: that is said, and healed by the next open */
            OK(frz_db_close(db, &e), &e);
            db = open_db(&ta.vt, &e);
            OK(frz_table_open(db, "t", &t, &e), &e);
        }
        memset(&e, 0, sizeof e);
        OK(frz_count(t, NULL, &count, &e), &e);
        assert_true(count >= rows);
    }
    OK(frz_db_close(db, &e), &e);
    assert_int_equal(ta.live, 0);
    test_tmp_remove(root);
}

/* ── Parquet ── */

static const char *in_root(const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static int count_name(void) /* names in the directory */
{
    char cmd[600];
    snprintf(cmd, sizeof cmd, "ls -A '%s' | wc -l", root);
    FILE *p = popen(cmd, "r");
    int n = -1;
    if (fscanf(p, "%d", &n) != 1) n = -1;
    pclose(p);
    return n;
}

TEST(api_parquet, a_stream_becomes_a_file_and_a_stream_again)
{
    frz_error e = {0};
    begin("pq");
    static const char *const codecs[] = {NULL, "zstd", "snappy", "uncompressed"};
    for (size_t i = 0; i < 4; i++) {
        struct numbers n = {0, N, 700, -1, 0};
        struct ArrowArrayStream s = numbers_stream(&n);
        frz_parquet_options o = FRZ_PARQUET_OPTIONS_INIT;
        uint64_t rows = 0;
        o.compression = codecs[i];
        o.row_group_rows = 1000;
        OK(frz_parquet_write(in_root("a.parquet"), &s, &o, &rows, &e), &e);
        assert_int_equal(rows, N);
        assert_int_equal(n.closed, 1);
        rows = 0;
        OK(frz_parquet_count(in_root("a.parquet"), &rows, &e), &e);
        assert_int_equal(rows, N);
        OK(frz_parquet_read(in_root("a.parquet"), &s, &e), &e);
        assert_int_equal(drain(&s, UINT64_MAX), N);
        s.release(&s);
    }
    frz_schema *schema;
    frz_blob *text;
    OK(frz_parquet_schema(in_root("a.parquet"), &schema, &e), &e);
    assert_int_equal(frz_schema_key_count(schema), 0);
    OK(frz_schema_to_text(schema, &text, &e), &e);
    assert_string_equal(frz_blob_data(text), "id long, s string?");
    const char *key = "id";
    OK(frz_schema_set_key(schema, &key, 1, &e), &e); /* it may still be made a table's */
    frz_blob_free(text);
    frz_schema_free(schema);
    assert_int_equal(count_name(), 1);
    test_tmp_remove(root);
}

/* Beside the file there may be a pipe, or a link: neither is replaced. */
TEST(api_parquet, a_pipe_is_written_and_a_link_s_target_replaced)
{
    frz_error e = {0};
    begin("pq-pipe");
    char pipe_path[600], byte[4096];
    struct stat st;
    struct numbers n = {0, 10, 10, -1, 0};
    struct ArrowArrayStream s = numbers_stream(&n);
    snprintf(pipe_path, sizeof pipe_path, "%s", in_root("pipe"));
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    int reader = open(pipe_path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    OK(frz_parquet_write(pipe_path, &s, NULL, NULL, &e), &e);
    ssize_t got = read(reader, byte, sizeof byte);
    assert_true(got > 8);
    assert_memory_equal(byte, "PAR1", 4);
    assert_memory_equal(byte + got - 4, "PAR1", 4);
    close(reader);
    assert_int_equal(lstat(pipe_path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    n = (struct numbers){0, 10, 10, -1, 0};
    s = numbers_stream(&n);
    OK(frz_parquet_write(in_root("b.parquet"), &s, NULL, NULL, &e), &e);
    assert_int_equal(symlink("b.parquet", in_root("link")), 0);
    n = (struct numbers){0, 20, 10, -1, 0};
    s = numbers_stream(&n);
    OK(frz_parquet_write(in_root("link"), &s, NULL, NULL, &e), &e);
    assert_int_equal(lstat(in_root("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    OK(frz_parquet_read(in_root("b.parquet"), &s, &e), &e);
    assert_int_equal(drain(&s, UINT64_MAX), 20);
    s.release(&s);
    s = numbers_stream(&n);
    FAILS(frz_parquet_write(root, &s, NULL, NULL, &e), FRZ_INVALID, &e);
    MESSAGE_HAS(&e, "is a directory");
    assert_int_equal(count_name(), 3);
    test_tmp_remove(root);
}

TEST(api_parquet, a_failed_write_leaves_the_old_file_and_nothing_beside_it)
{
    frz_error e = {0};
    begin("pq-err");
    struct numbers n = {0, 10, 10, -1, 0};
    struct ArrowArrayStream s = numbers_stream(&n);
    OK(frz_parquet_write(in_root("a.parquet"), &s, NULL, NULL, &e), &e);
    uint64_t rows = 5;
    n = (struct numbers){0, N, 100, 2000, 0};
    s = numbers_stream(&n);
    FAILS(frz_parquet_write(in_root("a.parquet"), &s, NULL, &rows, &e), FRZ_IO, &e);
    assert_int_equal(rows, 0);
    assert_int_equal(n.closed, 1);
    static const struct { const char *compression; int32_t level; } wrong[] = {{"lzma", 0}, {"zstd", 20}, {"zstd", -1}, {"snappy", 1}};
    for (size_t i = 0; i < 4; i++) {
        frz_parquet_options o = FRZ_PARQUET_OPTIONS_INIT;
        o.compression = wrong[i].compression;
        o.compression_level = wrong[i].level;
        n = (struct numbers){0, 10, 10, -1, 0};
        s = numbers_stream(&n);
        FAILS(frz_parquet_write(in_root("a.parquet"), &s, &o, NULL, &e), FRZ_INVALID, &e);
        assert_int_equal(n.closed, 1);
    }
    static const char *const nowhere[] = {"", "a.parquet/", "no/such/x.parquet"};
    for (size_t i = 0; i < 3; i++) {
        n = (struct numbers){0, 10, 10, -1, 0};
        s = numbers_stream(&n);
        assert_int_not_equal(frz_parquet_write(in_root(nowhere[i]), &s, NULL, NULL, &e), FRZ_OK);
        assert_int_equal(n.closed, 1);
    }
    n = (struct numbers){0, 10, 10, -1, 0};
    s = numbers_stream(&n);
    FAILS(frz_parquet_write(NULL, &s, NULL, NULL, &e), FRZ_INVALID, &e);
    OK(frz_parquet_read(in_root("a.parquet"), &s, &e), &e);
    assert_int_equal(drain(&s, UINT64_MAX), 10);
    s.release(&s);
    assert_int_equal(count_name(), 1);
    RC(frz_parquet_read(in_root("none"), &s, &e), FRZ_NOT_FOUND, &e);
    assert_null(s.release);
    FAILS(frz_parquet_read(root, &s, &e), FRZ_INVALID, &e);
    FAILS(frz_parquet_read(NULL, &s, &e), FRZ_INVALID, &e);
    FAILS(frz_parquet_read(in_root("a.parquet"), NULL, &e), FRZ_INVALID, &e);
    mkfifo(in_root("pipe"), 0600);
    FAILS(frz_parquet_read(in_root("pipe"), &s, &e), FRZ_INVALID, &e); /* and does not wait for a writer */
    test_tmp_remove(root);
}

TEST(api_parquet, a_file_cut_anywhere_is_corrupt_and_flipped_bits_do_no_harm)
{
    frz_error e = {0};
    begin("pq-cut");
    struct numbers n = {0, 300, 100, -1, 0};
    struct ArrowArrayStream s = numbers_stream(&n);
    OK(frz_parquet_write(in_root("a.parquet"), &s, NULL, NULL, &e), &e);
    struct stat st;
    assert_int_equal(stat(in_root("a.parquet"), &st), 0);
    size_t len = (size_t)st.st_size;
    uint8_t *bytes = (uint8_t *)malloc(len);
    int fd = open(in_root("a.parquet"), O_RDWR);
    assert_int_equal(pread(fd, bytes, len, 0), len);
    for (size_t cut = 0; cut < len; cut += cut + 64 < len ? 7 : 1) {
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        FAILS(frz_parquet_read(in_root("a.parquet"), &s, &e), FRZ_CORRUPT, &e);
        assert_int_equal(pwrite(fd, bytes, len, 0), len);
    }
    struct rng r = {test_seed(3)};
    for (int i = 0; i < 1500; i++) {
        size_t at = rng_below(&r, len);
        uint8_t flipped = (uint8_t)(bytes[at] ^ 1u << rng_below(&r, 8));
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        if (frz_parquet_read(in_root("a.parquet"), &s, &e) == FRZ_OK) {
            struct ArrowArray a;
            while (frz__arrow_stream_next(&s, &a, &e) == FRZ_OK) a.release(&a);
            s.release(&s);
        }
        assert_int_equal(pwrite(fd, &bytes[at], 1, (off_t)at), 1);
    }
    close(fd);
    free(bytes);
    test_tmp_remove(root);
}
