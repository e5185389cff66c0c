/* fuzz_key.c — an encoded key: byte 0 chooses the key's columns. What decodes encodes to the same bytes, and prints; two keys that decode keep the order of their values. */
#include "fuzz.h"

#include "types/keyenc.h"

static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "a,b", "b,a", "h,b,c", "b,h", "i,e", "c,d,e,f,g,i", "j,k,b"};

static frz_schema *schema_of(uint8_t which)
{
    static frz_schema *made[FRZ_ARRAY_LEN(keys)];
    size_t i = which % FRZ_ARRAY_LEN(keys);
    frz_error err = {0};
    if (!made[i]) {
        FUZZ_CHECK(frz_schema_parse("a long, b string, c boolean, d int, e decimal(20,3), f uuid, g date, h binary, i fixed(5), j timestamp_ns, k time", keys[i], &made[i], &err) == FRZ_OK);
        FUZZ_CHECK(frz__schema_seal(made[i], true, &err) >= 0);
    }
    return made[i];
}

static bool round_trip(const frz_schema *s, slice key, frz_value *values, struct buf *scratch)
{
    frz_error err = {0};
    struct buf out = BUF_INIT(NULL, 0), text = BUF_INIT(NULL, 0);
    int rc = frz__key_decode(s, key, values, scratch, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        int made = frz__key_encode(s, values, &out, &err);
        fuzz_check_error(made, &err);
        FUZZ_CHECK(made >= 0);
        FUZZ_CHECK(slice_eq(buf_slice(&out), key));
        FUZZ_CHECK(frz__key_print(s, key, &text, &err) >= 0);
    }
    buf_clear(&out);
    buf_clear(&text);
    return rc == FRZ_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    frz_schema *s = schema_of(data[0]);
    size_t half = data[1] % size;
    uint8_t *one = fuzz_copy(data + 2, size - 2);
    if (half > size - 2) half = size - 2;
    uint8_t *left = fuzz_copy(one, half), *right = fuzz_copy(one + half, size - 2 - half);
    frz_value a[8], b[8];
    struct buf sa = BUF_INIT(NULL, 0), sb = BUF_INIT(NULL, 0);
    slice ka = slice_of(left, half), kb = slice_of(right, size - 2 - half);
    (void)round_trip(s, slice_of(one, size - 2), a, &sa);
    if (round_trip(s, ka, a, &sa) && round_trip(s, kb, b, &sb)) {
        int want = 0;
        for (size_t i = 0; i < s->key_count && want == 0; i++) want = frz__value_cmp(&a[i], &b[i]);
        int got = slice_cmp(ka, kb);
        FUZZ_CHECK((want < 0) == (got < 0) && (want > 0) == (got > 0));
    }
    buf_clear(&sa);
    buf_clear(&sb);
    free(one);
    free(left);
    free(right);
    return 0;
}
