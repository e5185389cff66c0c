#include "base/blob.h"

int frz__blob_take(struct buf *take_b, frz_blob **out, frz_error *err)
{
    frz_blob *blob = NULL;
    int rc;
    *out = NULL;
    CHECK(buf_append_byte(take_b, 0, err));
    CHECK(ALLOC_NEW(&blob, take_b->a, frz_blob, err));
    *blob = (frz_blob){take_b->a, (char *)take_b->data, take_b->len - 1};
    take_b->data = NULL;
    take_b->len = take_b->cap = 0;
    *out = blob;
    return FRZ_OK;
done:
    buf_clear(take_b);
    return rc;
}

const char *frz_blob_data(const frz_blob *b) { return b ? b->data : ""; }
size_t frz_blob_len(const frz_blob *b) { return b ? b->len : 0; }

void frz_blob_free(frz_blob *b)
{
    if (!b) return;
    const allocator *a = b->a;
    frz__free(a, b->data);
    frz__free(a, b);
}
