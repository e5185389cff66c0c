/* blob.h — the public frz_blob: bytes that the library made and the caller frees, followed by a NUL. */
#ifndef FRZ_BASE_BLOB_H
#define FRZ_BASE_BLOB_H
#include "base/buf.h"

struct frz_blob {
    const allocator *a;
    char *data;
    size_t len;
};
/* Takes B's bytes, also on failure: B is left empty. */
FRZ_NODISCARD int frz__blob_take(struct buf *take_b, frz_blob **out, frz_error *err);
#endif
