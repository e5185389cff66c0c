/* buf.h — growable bytes, born with a maximum. Zeroed = empty and valid; clear() gives the memory back. One thread. */
#ifndef FRZ_BASE_BUF_H
#define FRZ_BASE_BUF_H
#include "base/alloc.h"
#include "base/slice.h"

struct buf {
    uint8_t *data;
    size_t len, cap;
    size_t max; /* 0 = BUF_BYTES_MAX */
    const allocator *a;
};
#define BUF_BYTES_MAX ((size_t)1 << 40)
#define BUF_INIT(a_, max_) ((struct buf){NULL, 0, 0, (max_), (a_)})

/* Room for EXTRA more bytes. FRZ_TOO_LARGE beyond the maximum. */
FRZ_NODISCARD int frz__buf_reserve_slow(struct buf *b, size_t extra, frz_error *err);
static inline FRZ_NODISCARD int buf_reserve(struct buf *b, size_t extra, frz_error *err)
{
    return b->cap - b->len >= extra ? FRZ_OK : frz__buf_reserve_slow(b, extra, err);
}
static inline FRZ_NODISCARD int buf_append(struct buf *b, const void *data, size_t len, frz_error *err)
{
    if (len == 0) return FRZ_OK;
    int rc = buf_reserve(b, len, err);
    if (rc < 0) return rc;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return FRZ_OK;
}
static inline FRZ_NODISCARD int buf_append_slice(struct buf *b, slice s, frz_error *err) { return buf_append(b, s.data, s.len, err); }
static inline FRZ_NODISCARD int buf_append_byte(struct buf *b, uint8_t byte, frz_error *err)
{
    int rc = buf_reserve(b, 1, err);
    if (rc < 0) return rc;
    b->data[b->len++] = byte;
    return FRZ_OK;
}
static inline FRZ_NODISCARD int buf_append_zero(struct buf *b, size_t len, frz_error *err)
{
    int rc = buf_reserve(b, len, err);
    if (rc < 0) return rc;
    if (len) memset(b->data + b->len, 0, len);
    b->len += len;
    return FRZ_OK;
}
FRZ_NODISCARD int frz__buf_printf(struct buf *b, frz_error *err, const char *fmt, ...) FRZ_PRINTF(3, 4);
static inline slice buf_slice(const struct buf *b) { return slice_of(b->data, b->len); }
static inline void buf_reset(struct buf *b) { b->len = 0; }
static inline void buf_clear(struct buf *b)
{
    frz__free(b->a, b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}
/* TO takes FROM's bytes; TO must be empty; FROM is left empty. */
static inline void buf_move(struct buf *to, struct buf *from)
{
    *to = *from;
    from->data = NULL;
    from->len = from->cap = 0;
}
#endif
