/* import_arrow.c — Parquet: the file's stream of arrays, cut into batches, each of them a stream to the library. */
#include <errno.h>
#include <string.h>

#include "import.h"

struct slice_stream { struct ArrowArrayStream *source; struct ArrowArray slice; };

static void slice_release(struct ArrowArray *a) { a->release = NULL; } /* the whole array owns all */

static int slice_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    struct ArrowArrayStream *source = ((struct slice_stream *)s->private_data)->source;
    return source->get_schema(source, out);
}

static int slice_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    struct slice_stream *p = (struct slice_stream *)s->private_data;
    *out = p->slice;
    p->slice.release = NULL; /* given once; then the end */
    return 0;
}

static const char *slice_error(struct ArrowArrayStream *s)
{
    struct ArrowArrayStream *source = ((struct slice_stream *)s->private_data)->source;
    return source->get_last_error(source);
}

static void slice_end(struct ArrowArrayStream *s) { s->release = NULL; }

static int write_slice(struct import *im, struct ArrowArrayStream *source, const struct ArrowArray *whole, int64_t first, int64_t count, uint64_t *rows, frz_error *e)
{
    struct slice_stream p = {source, *whole};
    struct ArrowArrayStream stream = {slice_schema, slice_next, slice_error, slice_end, &p};
    p.slice.offset += first;
    p.slice.length = count;
    p.slice.null_count = whole->null_count ? -1 : 0;
    p.slice.release = slice_release;
    *rows = 0;
    return frz_write_arrow(im->s.table, &stream, im->insert, NULL, rows, e);
}

/* One batch; with --on-error skip, row by row from where it failed. AT: the file's rows before it. */
static int import_slice(struct import *im, struct ArrowArrayStream *source, const struct ArrowArray *whole, int64_t first, int64_t count, uint64_t at)
{
    frz_error e = {0};
    uint64_t rows;
    int rc = write_slice(im, source, whole, first, count, &rows, &e);
    im->rows += rows;
    if (rc == FRZ_OK) return EXIT_DONE;
    bool of_a_row = rc == FRZ_EXISTS || rc == FRZ_INVALID || rc == FRZ_TOO_LARGE;
    if (!im->skip || !of_a_row) {
        import_bad(im, "row", at + rows + 1, at + (uint64_t)count, NULL, e.message);
        return EXIT_ERROR;
    }
    for (int64_t i = (int64_t)rows; i < count; i++) {
        rc = write_slice(im, source, whole, first + i, 1, &rows, &e);
        if (rc == FRZ_OK) im->rows++;
        else if (rc == FRZ_EXISTS || rc == FRZ_INVALID || rc == FRZ_TOO_LARGE) import_bad(im, "row", at + (uint64_t)i + 1, at + (uint64_t)i + 1, NULL, e.message);
        else return fail(&e, rc);
    }
    return EXIT_DONE;
}

int import_parquet(struct import *im)
{
    frz_error e = {0};
    struct ArrowArrayStream source = {0};
    uint64_t at = 0;
    int rc = frz_parquet_read(im->path, &source, &e), code = EXIT_DONE;
    if (rc != FRZ_OK) return fail(&e, rc);
    while (code == 0 && !import_stop) {
        struct ArrowArray whole = {0};
        int os = source.get_next(&source, &whole);
        if (os) {
            const char *why = source.get_last_error(&source);
            say("%s, behind row %llu: %s", im->path, (unsigned long long)at, why ? why : strerror(os));
            code = EXIT_ERROR;
        }
        if (os || !whole.release) break;
        for (int64_t first = 0; code == 0 && !import_stop && first < whole.length;) {
            int64_t left = whole.length - first, count = left < (int64_t)im->batch_rows ? left : (int64_t)im->batch_rows;
            code = import_slice(im, &source, &whole, first, count, at);
            at += (uint64_t)count;
            first += count;
            progress_draw(&im->bar, im->rows, at);
        }
        whole.release(&whole);
    }
    source.release(&source);
    return code;
}
