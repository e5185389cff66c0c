/* api_parquet.c — Parquet files as Arrow streams, and Arrow streams as Parquet files: by path, of no database. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/arrow_in.h"
#include "arrow/arrow_stream.h"
#include "base/sized.h"
#include "parquet/parquet.h"

#define READ_BATCH_ROWS ((size_t)65536)
#define WRITE_BATCH_ROWS ((size_t)16384)

/* ── a plain file ── */

struct disk {
    int fd;
    char *path;
};

static int disk_read(void *ctx, uint64_t offset, void *out, size_t len, frz_error *err)
{
    const struct disk *d = (const struct disk *)ctx;
    for (size_t at = 0; at < len;) {
        ssize_t n = pread(d->fd, (uint8_t *)out + at, len - at, (off_t)(offset + at));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return frz__err_os(err, errno, "%s: read of %zu bytes at %" PRIu64, d->path, len, offset);
        if (n == 0) return frz__err_corrupt(err, "%s: ends at %" PRIu64 ", expected %zu bytes at %" PRIu64, d->path, offset + at, len, offset);
        at += (size_t)n;
    }
    return FRZ_OK;
}

static int disk_append(void *ctx, slice bytes, frz_error *err)
{
    const struct disk *d = (const struct disk *)ctx;
    while (bytes.len) {
        ssize_t n = write(d->fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return frz__err_os(err, errno, "%s: write of %zu bytes", d->path, bytes.len);
        bytes = slice_of(bytes.data + n, bytes.len - (size_t)n);
    }
    return FRZ_OK;
}

/* ── reading ── */

struct reader {
    struct disk disk;
    struct pq_file *file;
    struct codec_ctx *codec;
    struct pq_scan *scan;
};

static void reader_free(void *ctx)
{
    struct reader *r = (struct reader *)ctx;
    if (!r) return;
    frz__pq_scan_free(r->scan);
    frz__codec_ctx_free(r->codec);
    frz__pq_free(r->file);
    if (r->disk.fd >= 0) close(r->disk.fd);
    free(r->disk.path);
    free(r);
}

static int open_file(struct reader *r, const char *path, frz_error *err)
{
    struct stat st;
    r->disk.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    if (r->disk.fd < 0) return frz__err_os(err, errno, "%s", path);
    if (fstat(r->disk.fd, &st) < 0) return frz__err_os(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode)) return frz__err(err, FRZ_INVALID, "%s is no file", path);
    r->disk.path = frz__strdup(NULL, path);
    if (!r->disk.path) return frz__err_no_memory(err, strlen(path));
    struct pq_source source = {&r->disk, disk_read, (uint64_t)st.st_size, r->disk.path};
    TRY(frz__pq_open(NULL, source, &r->file, err));
    for (size_t i = 0; i < frz__pq_col_count(r->file); i++)
        if (frz__pq_col(r->file, i)->type.id == FRZ_NULL) return frz__err(err, FRZ_UNSUPPORTED, "%s: column %s is nested, or of a type that tables do not have", path, frz__pq_col(r->file, i)->name);
    return FRZ_OK;
}

static int reader_open(const char *path, struct reader **out, frz_error *err)
{
    struct reader *r;
    *out = NULL;
    if (!path) return frz__err(err, FRZ_INVALID, "argument path is NULL");
    TRY(ALLOC_NEW(&r, NULL, struct reader, err));
    r->disk.fd = -1;
    int rc = open_file(r, path, err);
    if (rc != FRZ_OK) { /* FRZ_NOT_FOUND is an outcome */
        reader_free(r);
        return rc;
    }
    *out = r;
    return FRZ_OK;
}

static int reader_next(void *ctx, struct vecs *out, frz_error *err)
{
    uint64_t first;
    return frz__pq_scan_next(((struct reader *)ctx)->scan, READ_BATCH_ROWS, out, &first, err);
}

int frz_parquet_read(const char *path, struct ArrowArrayStream *out, frz_error *err)
{
    struct reader *r = NULL;
    size_t *columns = NULL;
    frz_type *types = NULL;
    struct arrow_col *cols = NULL;
    int rc = FRZ_OK;
    if (!out) return frz__err(err, FRZ_INVALID, "argument out is NULL");
    *out = (struct ArrowArrayStream){0};
    rc = reader_open(path, &r, err);
    if (rc != FRZ_OK) return rc;
    size_t count = frz__pq_col_count(r->file);
    columns = (size_t *)frz__alloc_array(NULL, count + 1, sizeof *columns);
    types = (frz_type *)frz__alloc_array(NULL, count + 1, sizeof *types);
    cols = (struct arrow_col *)frz__alloc_array(NULL, count + 1, sizeof *cols);
    if (!columns || !types || !cols) CHECK(frz__err_no_memory(err, count * sizeof *cols));
    for (size_t i = 0; i < count; i++) {
        const struct pq_rcol *c = frz__pq_col(r->file, i);
        columns[i] = i;
        types[i] = c->type;
        cols[i] = (struct arrow_col){c->name, c->type, !c->required, c->field_id};
    }
    CHECK(frz__codec_ctx_new(NULL, &r->codec, err));
    CHECK(frz__pq_scan_new(NULL, r->file, columns, types, count, NULL, 0, r->codec, &r->scan, err));
    struct arrow_source source = {r, reader_next, reader_free};
    r = NULL;
    rc = frz__arrow_stream_new(NULL, cols, count, source, out, err);
done:
    frz__free(NULL, columns);
    frz__free(NULL, types);
    frz__free(NULL, cols);
    reader_free(r);
    return rc;
}

/* All columns have an id that a schema can take, and no two the same. */
static bool ids_usable(const struct pq_file *f)
{
    size_t count = frz__pq_col_count(f);
    for (size_t i = 0; i < count; i++) {
        int32_t id = frz__pq_col(f, i)->field_id;
        if (id < 1 || id > FIELD_ID_MAX || frz__pq_find_id(f, id) != (int64_t)i) return false;
    }
    return true;
}

int frz_parquet_schema(const char *path, frz_schema **out, frz_error *err)
{
    struct reader *r = NULL;
    frz_schema *s = NULL;
    int rc;
    if (!out) return frz__err(err, FRZ_INVALID, "argument out is NULL");
    *out = NULL;
    rc = reader_open(path, &r, err);
    if (rc != FRZ_OK) return rc;
    CHECK(frz__schema_new(NULL, &s, err));
    bool ids = ids_usable(r->file);
    for (size_t i = 0; i < frz__pq_col_count(r->file); i++) {
        const struct pq_rcol *c = frz__pq_col(r->file, i);
        frz_column column = {.struct_size = sizeof column, .field_id = ids ? c->field_id : 0, .name = c->name, .type = c->type, .required = c->required, .key_index = -1};
        CHECK_CTX(frz__schema_add(s, &column, err), err, "%s", path);
    }
    *out = s;
    s = NULL;
done:
    frz__schema_release(s);
    reader_free(r);
    return rc;
}

int frz_parquet_count(const char *path, uint64_t *rows, frz_error *err)
{
    struct reader *r = NULL;
    if (!rows) return frz__err(err, FRZ_INVALID, "argument rows is NULL");
    *rows = 0;
    int rc = reader_open(path, &r, err);
    if (rc != FRZ_OK) return rc;
    *rows = frz__pq_rows(r->file);
    reader_free(r);
    return FRZ_OK;
}

/* ── writing ── */

struct out_file {
    struct disk disk; /* path: the temporary one */
    char *target;     /* what it is renamed to; NULL = the path itself is written */
    char *dir;
    bool made;
    struct arrow_in *in;
    struct codec_ctx *codec;
    struct pq_writer *writer;
    struct vecs vecs;
    const struct vec **cols;
    uint64_t rows;
};

static int take_options(const frz_parquet_options *given, struct pq_writer_options *o, frz_error *err)
{
    frz_parquet_options p = FRZ_PARQUET_OPTIONS_INIT;
    TRY(frz__sized_take(given, "frz_parquet_options", &p, sizeof p, err));
    const char *name = p.compression ? p.compression : "zstd";
    if (!frz__codec_parse(slice_str(name), &o->codec)) return frz__err(err, FRZ_INVALID, "compression \"%.40s\": expected zstd, snappy, gzip, lz4_raw or uncompressed", name);
    int most = o->codec == CODEC_ZSTD ? 19 : o->codec == CODEC_GZIP ? 9 : 0;
    if (p.compression_level < 0 || p.compression_level > most) return frz__err(err, FRZ_INVALID, "compression_level %d of %s: expected 0 to %d", (int)p.compression_level, name, most);
    o->level = p.compression_level;
    o->row_group_rows = p.row_group_rows;
    return FRZ_OK;
}

static bool id_taken(const struct arrow_in *in, size_t before, int32_t id)
{
    for (size_t i = 0; i < before; i++)
        if (in->fields[i].field_id == id) return true;
    return false;
}

/* The fields' own ids; those without one, or with one that an earlier field has, get the next free one. */
static int assign_ids(struct arrow_in *in, frz_error *err)
{
    int32_t next = 1;
    for (size_t i = 0; i < in->count; i++) {
        if (id_taken(in, i, in->fields[i].field_id)) in->fields[i].field_id = -1;
        if (in->fields[i].field_id >= next) next = in->fields[i].field_id + 1; /* ≤ FIELD_ID_MAX + 1 */
    }
    for (size_t i = 0; i < in->count; i++) {
        if (in->fields[i].field_id >= 0) continue;
        if (next > FIELD_ID_MAX) return frz__err(err, FRZ_INVALID, "column \"%.*s\": no field id is left behind %d", frz__name_shown(slice_str(in->fields[i].name)), in->fields[i].name, FIELD_ID_MAX);
        in->fields[i].field_id = next++;
    }
    return FRZ_OK;
}

/* A pipe, a device and a descriptor's name (/dev/stdout) are written as they are: renaming onto one would replace it. */
static bool is_written_in_place(const char *path)
{
    struct stat st;
    return strncmp(path, "/dev/", 5) == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

static int open_in_place(struct out_file *f, const char *path, frz_error *err)
{
    f->disk.path = frz__strdup(NULL, path);
    if (!f->disk.path) return frz__err_no_memory(err, strlen(path));
    f->disk.fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
    return f->disk.fd < 0 ? frz__err_os(err, errno, "%s", path) : FRZ_OK;
}

/* PATH, or what it links to. */
static int resolve(struct out_file *f, const char *path, frz_error *err)
{
    struct stat st;
    char *real = stat(path, &st) == 0 ? realpath(path, NULL) : NULL;
    if (real && S_ISDIR(st.st_mode)) {
        free(real);
        return frz__err(err, FRZ_INVALID, "%s is a directory: expected a file's name", path);
    }
    f->target = frz__strdup(NULL, real ? real : path);
    free(real);
    return f->target ? FRZ_OK : frz__err_no_memory(err, strlen(path));
}

/* A name of its own beside the target, so that the rename is atomic. */
static int create_temporary(struct out_file *f, const char *path, frz_error *err)
{
    static _Atomic unsigned counter;
    TRY(resolve(f, path, err));
    const char *slash = strrchr(f->target, '/');
    size_t dir = slash ? (size_t)(slash - f->target) + 1 : 0;
    if (!f->target[dir]) return frz__err(err, FRZ_INVALID, "%s names no file", path);
    f->dir = dir ? frz__strndup(NULL, f->target, dir) : frz__strdup(NULL, ".");
    f->disk.path = (char *)frz__alloc(NULL, dir + 64);
    if (!f->dir || !f->disk.path) return frz__err_no_memory(err, dir + 64);
    for (int tries = 0; tries < 100; tries++) {
        snprintf(f->disk.path, dir + 64, "%.*s.frz-tmp-%ld-%u", (int)dir, f->target, (long)getpid(), atomic_fetch_add(&counter, 1));
        f->disk.fd = open(f->disk.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->disk.fd >= 0) break;
        if (errno != EEXIST) break; /* one that a killed process of this pid left is passed over */
    }
    if (f->disk.fd < 0) return frz__err_os(err, errno, "%s", f->disk.path);
    f->made = true;
    return FRZ_OK;
}

static int begin(struct out_file *f, const struct pq_writer_options *o, frz_error *err)
{
    size_t count = f->in->count;
    struct pq_wcol *specs = (struct pq_wcol *)frz__alloc_array(NULL, count + 1, sizeof *specs);
    frz_type *types = (frz_type *)frz__alloc_array(NULL, count + 1, sizeof *types);
    int rc = FRZ_OK;
    f->cols = (const struct vec **)frz__alloc_array(NULL, count + 1, sizeof *f->cols);
    if (!specs || !types || !f->cols) CHECK(frz__err_no_memory(err, count * sizeof *specs));
    CHECK(assign_ids(f->in, err));
    for (size_t i = 0; i < count; i++) {
        const struct arrow_field *c = &f->in->fields[i];
        types[i] = c->type.id == FRZ_NULL ? (frz_type){.id = FRZ_INT} : c->type; /* nothing but nulls: an int as good as any */
        specs[i] = (struct pq_wcol){.name = c->name, .field_id = c->field_id, .type = types[i], .required = !c->nullable, .dictionary = types[i].id != FRZ_BOOLEAN};
    }
    CHECK(frz__vecs_init(&f->vecs, NULL, types, count, err));
    for (size_t i = 0; i < count; i++) f->cols[i] = &f->vecs.cols[i];
    CHECK(frz__codec_ctx_new(NULL, &f->codec, err));
    CHECK(frz__pq_writer_new(NULL, o, specs, count, (struct pq_sink){&f->disk, disk_append}, f->codec, &f->writer, err));
done:
    frz__free(NULL, specs);
    frz__free(NULL, types);
    return rc;
}

static int write_batch(struct out_file *f, const struct ArrowArray *array, frz_error *err)
{
    size_t most = WRITE_BATCH_ROWS;
    TRY(frz__arrow_in_check(f->in, array, err));
    for (size_t at = 0; at < (size_t)array->length;) {
        size_t n = (size_t)array->length - at < most ? (size_t)array->length - at : most;
        int rc = FRZ_OK;
        for (size_t i = 0; rc >= 0 && i < f->in->count; i++) rc = frz__arrow_in_rows(f->in, array, i, at, n, f->rows, &f->vecs.cols[i], err);
        if (rc == FRZ_TOO_LARGE && n > 1) {
            most = n / 2;
            continue;
        }
        TRY(rc);
        TRY(frz__pq_write(f->writer, f->cols, 0, n, err));
        at += n;
    }
    f->rows += (uint64_t)array->length;
    return FRZ_OK;
}

static int publish(struct out_file *f, frz_error *err)
{
    uint64_t bytes;
    TRY(frz__pq_writer_end_rows(f->writer, err));
    TRY(frz__pq_writer_finish(f->writer, &bytes, err));
    if (!f->made) return FRZ_OK;
    if (fdatasync(f->disk.fd) < 0) return frz__err_os(err, errno, "%s: sync", f->disk.path);
    int fd = f->disk.fd;
    f->disk.fd = -1;
    if (close(fd) < 0) return frz__err_os(err, errno, "%s: close", f->disk.path);
    if (rename(f->disk.path, f->target) < 0) return frz__err_os(err, errno, "%s: rename to %s", f->disk.path, f->target);
    f->made = false;
    fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? frz__err_os(err, errno, "%s: sync", f->dir) : FRZ_OK;
    if (fd >= 0) close(fd);
    return rc;
}

static int write_file(struct out_file *f, const char *path, struct ArrowArrayStream *stream, const frz_parquet_options *options, frz_error *err)
{
    struct pq_writer_options o = {0};
    struct ArrowSchema schema;
    struct ArrowArray array;
    if (!path) return frz__err(err, FRZ_INVALID, "argument path is NULL");
    TRY(take_options(options, &o, err));
    TRY(frz__arrow_stream_check(stream, err));
    TRY(frz__arrow_stream_schema(stream, &schema, err));
    int rc = frz__arrow_in_new(NULL, &schema, &f->in, err);
    schema.release(&schema);
    TRY(rc);
    if (f->in->count == 0) return frz__err(err, FRZ_INVALID, "a Parquet file needs a column; the Arrow stream has none");
    rc = is_written_in_place(path) ? open_in_place(f, path, err) : create_temporary(f, path, err);
    if (rc != FRZ_OK) return rc; /* FRZ_NOT_FOUND is an outcome */
    TRY(begin(f, &o, err));
    while ((rc = frz__arrow_stream_next(stream, &array, err)) == FRZ_OK) {
        rc = write_batch(f, &array, err);
        array.release(&array);
        TRY(rc);
    }
    if (rc < 0) return rc;
    return publish(f, err);
}

int frz_parquet_write(const char *path, struct ArrowArrayStream *stream, const frz_parquet_options *options, uint64_t *rows, frz_error *err)
{
    struct out_file f = {.disk = {.fd = -1}};
    int rc = write_file(&f, path, stream, options, err);
    if (rows) *rows = rc == FRZ_OK ? f.rows : 0;
    arrow_stream_release(stream);
    frz__pq_writer_free(f.writer);
    frz__codec_ctx_free(f.codec);
    frz__vecs_clear(&f.vecs);
    frz__free(NULL, (void *)f.cols);
    frz__arrow_in_free(f.in);
    if (f.disk.fd >= 0) close(f.disk.fd);
    if (f.made) (void)unlink(f.disk.path);
    frz__free(NULL, f.disk.path);
    frz__free(NULL, f.target);
    frz__free(NULL, f.dir);
    return rc;
}
