/* ice_mem.h — for the folder: arrays and copies in an arena, with the error raised. */
#ifndef FRZ_ICEBERG_ICE_MEM_H
#define FRZ_ICEBERG_ICE_MEM_H
#include <strings.h>
#include "iceberg/ice_types.h"

/* COUNT × BYTES, zeroed, aligned for anything; one element for COUNT 0, so that NULL means no memory. */
void *frz__ice_array(struct arena *ar, size_t count, size_t bytes, frz_error *err);
/* NUL-terminated copy; a slice without data stays without. */
FRZ_NODISCARD int frz__ice_dup(struct arena *ar, slice s, slice *out, frz_error *err);
FRZ_NODISCARD int frz__ice_printf(struct arena *ar, slice *out, frz_error *err, const char *fmt, ...) FRZ_PRINTF(4, 5);
/* Decimal digits with an optional minus, all of S, within 64 bits. */
bool frz__ice_text_int(slice s, int64_t *out);
static inline bool ice_is_dv(const struct ice_file *f)
{
    return f->content == ICE_POSITION_DELETES && f->format.len == 6 && strncasecmp((const char *)f->format.data, "PUFFIN", 6) == 0;
}
#endif
