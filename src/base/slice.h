/* slice.h — borrowed bytes: a pointer and a length, never owned, never NUL-terminated. */
#ifndef FRZ_BASE_SLICE_H
#define FRZ_BASE_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct slice {
    const uint8_t *data;
    size_t len;
} slice;

static inline slice slice_of(const void *data, size_t len) { return (slice){(const uint8_t *)data, len}; }
static inline slice slice_str(const char *s) { return (slice){(const uint8_t *)s, strlen(s)}; }

/* Bytewise order; a proper prefix is smaller. */
static inline int slice_cmp(slice a, slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}
static inline bool slice_eq(slice a, slice b) { return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0); }
static inline bool slice_has_prefix(slice a, slice p) { return a.len >= p.len && (p.len == 0 || memcmp(a.data, p.data, p.len) == 0); }
#endif
