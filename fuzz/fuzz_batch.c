/* fuzz_batch.c — operations as batch and log hold them: what is read is appended again, and read the same. */
#include "fuzz.h"

#include "types/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    uint8_t *bytes = fuzz_copy(data, size);
    const uint8_t *p = bytes, *end = bytes + size;
    struct buf out = BUF_INIT(NULL, 0);
    size_t ops = 0, again = 0;
    struct op op;
    int rc;
    while ((rc = frz__batch_next(&p, end, &op, &err)) == FRZ_OK) {
        FUZZ_CHECK(p <= end && op.key.len <= size && op.row.len <= size);
        FUZZ_CHECK(frz__batch_append(&out, op.kind, op.table_no, op.key, op.row, &err) >= 0);
        ops++;
    }
    fuzz_check_error(rc, &err);
    p = out.data;
    end = out.len ? p + out.len : p;
    while (out.len && (rc = frz__batch_next(&p, end, &op, &err)) == FRZ_OK) again++;
    FUZZ_CHECK(ops == again);
    buf_clear(&out);
    free(bytes);
    return 0;
}
