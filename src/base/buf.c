#include "base/buf.h"

#include <stdio.h>

int frz__buf_reserve_slow(struct buf *b, size_t extra, frz_error *err)
{
    size_t max = b->max ? b->max : BUF_BYTES_MAX;
    if (extra > max || b->len > max - extra) return frz__err(err, FRZ_TOO_LARGE, "%zu bytes and %zu more are beyond this buffer's maximum of %zu", b->len, extra, max);
    size_t want = b->len + extra, cap = b->cap ? b->cap : 64;
    while (cap < want) cap += cap / 2 + 64;
    if (cap > max) cap = max;
    uint8_t *p = (uint8_t *)frz__realloc(b->a, b->data, cap);
    if (!p) return frz__err_no_memory(err, cap);
    b->data = p;
    b->cap = cap;
    return FRZ_OK;
}

int frz__buf_printf(struct buf *b, frz_error *err, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    int rc = n < 0 ? frz__err(err, FRZ_BUG, "a format that vsnprintf refuses: %s", fmt) : buf_reserve(b, (size_t)n + 1, err);
    if (rc >= 0) {
        vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return rc;
}
