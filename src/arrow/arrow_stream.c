#include "arrow/arrow_stream.h"

#include <errno.h>

struct stream_part {
    struct arrow_alloc a;
    struct arrow_source source;
    struct arrow_col *cols; /* names are of this allocation too */
    size_t count;
    struct vecs vecs;
    bool done;
    int failed; /* an errno */
    frz_error err;
};

/* ── out ── */

static int errno_of(int rc, const frz_error *err)
{
    switch (rc) {
    case FRZ_INVALID:
    case FRZ_MISUSE:
    case FRZ_TOO_LARGE: return EINVAL;
    case FRZ_UNSUPPORTED:
    case FRZ_NEWER_FORMAT: return ENOSYS;
    case FRZ_READ_ONLY: return EROFS;
    case FRZ_BUSY: return EBUSY;
    case FRZ_SNAPSHOT_TOO_OLD: return ESTALE;
    case FRZ_CANCELLED: return ECANCELED;
    case FRZ_NO_MEMORY: return ENOMEM;
    case FRZ_NO_SPACE: return ENOSPC;
    default: return err->os_errno > 0 ? err->os_errno : EIO;
    }
}

static int fail(struct stream_part *p, int rc, const frz_error *err)
{
    p->err = *err;
    return p->failed = errno_of(rc, err);
}

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct stream_part *p = (struct stream_part *)stream->private_data;
    frz_error err = {0};
    int rc = frz__arrow_schema_out(arrow_alloc_ptr(&p->a), p->cols, p->count, out, &err);
    if (rc >= 0) return 0;
    p->err = err; /* the rows may still be had */
    return errno_of(rc, &err);
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct stream_part *p = (struct stream_part *)stream->private_data;
    frz_error err = {0};
    *out = (struct ArrowArray){0};
    if (p->failed) return p->failed;
    if (p->done) return 0;
    int rc = p->source.next(p->source.ctx, &p->vecs, &err);
    if (rc == FRZ_DONE) {
        p->done = true;
        return 0;
    }
    if (rc >= 0) rc = frz__arrow_array_out(arrow_alloc_ptr(&p->a), &p->vecs, out, &err);
    return rc < 0 ? fail(p, rc, &err) : 0;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
    const struct stream_part *p = (const struct stream_part *)stream->private_data;
    return p->err.message[0] ? p->err.message : NULL;
}

static void part_free(struct stream_part *p)
{
    struct arrow_alloc a = p->a;
    frz__vecs_clear(&p->vecs);
    if (p->source.close) p->source.close(p->source.ctx); /* what the vectors point to as their allocator may go with it */
    frz__free(arrow_alloc_ptr(&a), p->cols);
    frz__free(arrow_alloc_ptr(&a), p);
}

static void release_stream(struct ArrowArrayStream *stream)
{
    part_free((struct stream_part *)stream->private_data);
    stream->release = NULL;
    stream->private_data = NULL;
}

static int copy_cols(struct stream_part *p, const struct arrow_col *cols, size_t count, frz_error *err)
{
    size_t bytes = (count + 1) * sizeof *cols;
    for (size_t i = 0; i < count; i++) bytes += strlen(cols[i].name) + 1;
    p->cols = (struct arrow_col *)frz__alloc(arrow_alloc_ptr(&p->a), bytes);
    if (!p->cols) return frz__err_no_memory(err, bytes);
    char *name = (char *)(p->cols + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(cols[i].name) + 1;
        p->cols[i] = cols[i];
        p->cols[i].name = (const char *)memcpy(name, cols[i].name, n);
        name += n;
    }
    p->count = count;
    return FRZ_OK;
}

int frz__arrow_stream_new(const allocator *a, const struct arrow_col *cols, size_t count, struct arrow_source take, struct ArrowArrayStream *out, frz_error *err)
{
    struct stream_part *p = NULL;
    frz_type *types = (frz_type *)frz__alloc_array(a, count + 1, sizeof *types);
    int rc = types ? ALLOC_NEW(&p, a, struct stream_part, err) : frz__err_no_memory(err, count * sizeof *types);
    *out = (struct ArrowArrayStream){0};
    if (rc < 0) {
        frz__free(a, types);
        if (take.close) take.close(take.ctx);
        return rc;
    }
    for (size_t i = 0; i < count; i++) types[i] = cols[i].type;
    p->a = arrow_alloc_of(a);
    p->source = take;
    p->vecs.a = a; /* as the source's own: vectors are swapped */
    rc = copy_cols(p, cols, count, err);
    if (rc >= 0) rc = frz__vecs_init(&p->vecs, a, types, count, err);
    frz__free(a, types);
    if (rc < 0) {
        part_free(p);
        return rc;
    }
    *out = (struct ArrowArrayStream){get_schema, get_next, get_last_error, release_stream, p};
    return FRZ_OK;
}

/* ── in ── */

int frz__arrow_stream_check(const struct ArrowArrayStream *stream, frz_error *err)
{
    if (!stream) return frz__err(err, FRZ_INVALID, "the Arrow stream is NULL");
    if (!stream->release) return frz__err(err, FRZ_INVALID, "the Arrow stream is released");
    if (!stream->get_schema || !stream->get_next) return frz__err(err, FRZ_INVALID, "the Arrow stream has no %s", stream->get_schema ? "get_next" : "get_schema");
    return FRZ_OK;
}

static int stream_error(struct ArrowArrayStream *stream, int number, const char *what, frz_error *err)
{
    const char *text = stream->get_last_error ? stream->get_last_error(stream) : NULL;
    int code = number == ENOMEM ? FRZ_NO_MEMORY : number == EINVAL ? FRZ_INVALID : number == ENOSYS || number == ENOTSUP ? FRZ_UNSUPPORTED : number == ECANCELED ? FRZ_CANCELLED : FRZ_IO;
    (void)frz__err(err, code, "the Arrow stream gave error %d for its %s: %s", number, what, text ? text : "without a message");
    if (err) err->os_errno = number > 0 ? number : 0;
    return code;
}

int frz__arrow_stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out, frz_error *err)
{
    *out = (struct ArrowSchema){0};
    int number = stream->get_schema(stream, out);
    if (number) return stream_error(stream, number, "schema", err);
    if (!out->release) return frz__err(err, FRZ_INVALID, "the Arrow stream gave a schema that is released");
    return FRZ_OK;
}

int frz__arrow_stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out, frz_error *err)
{
    *out = (struct ArrowArray){0};
    int number = stream->get_next(stream, out);
    if (number) return stream_error(stream, number, "next batch", err);
    return out->release ? FRZ_OK : FRZ_DONE;
}
