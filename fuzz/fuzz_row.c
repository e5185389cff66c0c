/* fuzz_row.c — row bytes: what the check lets through can be read column by column, and encodes to the same; and frz_row's JSON. */
#include "fuzz.h"

#include "types/row.h"

static frz_schema *the_schema(void)
{
    static frz_schema *s;
    frz_error err = {0};
    if (!s) {
        FUZZ_CHECK(frz_schema_parse("id long, a boolean?, b int?, c long, d float?, e double, f decimal(38,10)?, g date?, h time?, i timestamp, j timestamptz_ns?, k string?, l uuid?, m fixed(7)?, n binary, o "
                                    "string",
                                    "id", &s, &err) == FRZ_OK);
        FUZZ_CHECK(frz__schema_seal(s, true, &err) >= 0);
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    frz_schema *s = the_schema();
    uint8_t *bytes = fuzz_copy(data, size);
    slice row = slice_of(bytes, size);
    int rc = frz__row_check(s, row, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        frz_value values[32];
        struct buf out = BUF_INIT(NULL, 0), again = BUF_INIT(NULL, 0);
        for (size_t i = 0; i < s->count; i++) {
            values[i] = value_null();
            if (s->columns[i].key_index < 0) frz__row_get(s, row, i, &values[i]);
            if (values[i].type >= FRZ_STRING) (void)frz__hash64(value_slice(&values[i]));
        }
        rc = frz__row_encode(s, values, &out, &err);
        fuzz_check_error(rc, &err);
        if (rc >= 0) { /* canonical: what is written reads, and is written the same */
            FUZZ_CHECK(frz__row_check(s, buf_slice(&out), &err) >= 0);
            for (size_t i = 0; i < s->count; i++)
                if (s->columns[i].key_index < 0) frz__row_get(s, buf_slice(&out), i, &values[i]);
            FUZZ_CHECK(frz__row_encode(s, values, &again, &err) >= 0);
            FUZZ_CHECK(slice_eq(buf_slice(&out), buf_slice(&again)));
        }
        frz_row *r = NULL;
        uint8_t key[8] = {0x80};
        FUZZ_CHECK(frz__row_new(NULL, s, &r, &err) >= 0);
        rc = frz__row_fill(r, slice_of(key, 8), row, NULL, size & 1, &err);
        fuzz_check_error(rc, &err);
        frz_blob *json = NULL;
        if (rc >= 0 && frz_row_to_json(r, &json, &err) == FRZ_OK) FUZZ_CHECK(frz_blob_len(json) >= 2);
        frz_blob_free(json);
        frz__row_free(r);
        buf_clear(&out);
        buf_clear(&again);
    }
    frz_row *r = NULL;
    FUZZ_CHECK(frz__row_new(NULL, s, &r, &err) >= 0);
    rc = frz_row_set_json(r, (const char *)bytes, size, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        frz_blob *one = NULL, *two = NULL;
        frz_row *q = NULL;
        FUZZ_CHECK(frz_row_to_json(r, &one, &err) == FRZ_OK);
        FUZZ_CHECK(frz__row_new(NULL, s, &q, &err) >= 0);
        FUZZ_CHECK(frz_row_set_json(q, frz_blob_data(one), frz_blob_len(one), &err) == FRZ_OK);
        FUZZ_CHECK(frz_row_to_json(q, &two, &err) == FRZ_OK);
        FUZZ_CHECK(frz_blob_len(one) == frz_blob_len(two) && memcmp(frz_blob_data(one), frz_blob_data(two), frz_blob_len(one)) == 0);
        frz_blob_free(one);
        frz_blob_free(two);
        frz__row_free(q);
    }
    frz__row_free(r);
    free(bytes);
    return 0;
}
