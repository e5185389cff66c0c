/* arrow_stream.h — streams of record batches: a pull callback as an ArrowArrayStream, and somebody's ArrowArrayStream read with our errors.
 *
 * Design      out: the stream keeps its columns, its source and a message. Release closes the source. Once a pull failed the stream is over: it gives the same error from then on.
 *             in: errno and last_error become a frz_error; what lives in the stream is checked before it is called.
 * Threads     one, as Arrow has it                                                                                                        */
#ifndef FRZ_ARROW_ARROW_STREAM_H
#define FRZ_ARROW_ARROW_STREAM_H
#include "arrow/arrow_out.h"

struct arrow_source {
    void *ctx;
    /* OUT (made for the columns' types, empty) is filled with at least one row; FRZ_DONE at the end. */
    int (*next)(void *ctx, struct vecs *out, frz_error *err);
    void (*close)(void *ctx); /* once; NULL = nothing to close */
};
/* Copies COLS. The vectors are allocated by A. TAKE is closed also where this fails. */
FRZ_NODISCARD int frz__arrow_stream_new(const allocator *a, const struct arrow_col *cols, size_t count, struct arrow_source take, struct ArrowArrayStream *out, frz_error *err);

/* STREAM is whole enough to be asked; NULL or released: FRZ_INVALID. */
FRZ_NODISCARD int frz__arrow_stream_check(const struct ArrowArrayStream *stream, frz_error *err);
FRZ_NODISCARD int frz__arrow_stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out, frz_error *err);
/* FRZ_DONE at the end; else OUT is the caller's to release. */
FRZ_NODISCARD int frz__arrow_stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out, frz_error *err);
static inline void arrow_stream_release(struct ArrowArrayStream *stream)
{
    if (stream && stream->release) stream->release(stream);
}
#endif
