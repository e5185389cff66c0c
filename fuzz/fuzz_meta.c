/* fuzz_meta.c — table metadata JSON. What is taken is printed, taken again, and printed the same. */
#include "fuzz.h"

#include "iceberg/ice_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    uint8_t *bytes = fuzz_copy(data, size);
    struct arena ar = ARENA_INIT(NULL);
    struct ice_meta *m = NULL, *again = NULL;
    struct buf one = BUF_INIT(NULL, 0), two = BUF_INIT(NULL, 0);
    int rc = frz__ice_meta_parse(NULL, &ar, slice_of(bytes, size), &m, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        rc = frz__ice_meta_print(m, &one, &err);
        fuzz_check_error(rc, &err);
        FUZZ_CHECK(rc >= 0);
        rc = frz__ice_meta_parse(NULL, &ar, buf_slice(&one), &again, &err);
        if (rc != FRZ_OK) fprintf(stderr, "%s\n%.*s\n", err.message, (int)one.len, (char *)one.data);
        FUZZ_CHECK(rc == FRZ_OK);
        FUZZ_CHECK(frz__ice_meta_print(again, &two, &err) >= 0);
        FUZZ_CHECK(slice_eq(buf_slice(&one), buf_slice(&two)));
    }
    frz__ice_meta_release(m);
    frz__ice_meta_release(again);
    frz__arena_clear(&ar);
    buf_clear(&one);
    buf_clear(&two);
    free(bytes);
    return 0;
}
