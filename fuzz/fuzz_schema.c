/* fuzz_schema.c — a schema as text and as JSON. What is taken is printed in both forms, and each is taken again as the same. */
#include "fuzz.h"

#include "types/schema.h"

static void same(const frz_schema *a, const frz_schema *b, bool ids)
{
    FUZZ_CHECK(a->count == b->count && a->key_count == b->key_count);
    for (size_t i = 0; i < a->count; i++) {
        const struct column *x = &a->columns[i], *y = &b->columns[i];
        FUZZ_CHECK(strcmp(x->name, y->name) == 0 && frz__type_eq(x->type, y->type) && x->required == y->required && (!ids || x->id == y->id));
    }
    for (size_t i = 0; ids && i < a->key_count; i++) FUZZ_CHECK(a->key[i] == b->key[i]);
}

static void both_forms(frz_schema *s)
{
    frz_error err = {0};
    frz_blob *text = NULL, *json = NULL;
    frz_schema *again = NULL;
    FUZZ_CHECK(frz_schema_to_text(s, &text, &err) == FRZ_OK);
    int rc = frz__schema_parse_text(NULL, slice_of(frz_blob_data(text), frz_blob_len(text)), slice_str(""), &again, &err);
    if (s->count) {
        if (rc != FRZ_OK) fprintf(stderr, "%s\n%s\n", err.message, frz_blob_data(text));
        FUZZ_CHECK(rc == FRZ_OK);
        FUZZ_CHECK(again->count == s->count);
        for (size_t i = 0; i < s->count; i++) FUZZ_CHECK(strcmp(again->columns[i].name, s->columns[i].name) == 0 && frz__type_eq(again->columns[i].type, s->columns[i].type));
    }
    frz_schema_free(again);
    again = NULL;
    FUZZ_CHECK(frz_schema_to_json(s, &json, &err) == FRZ_OK);
    rc = frz_schema_parse_json(frz_blob_data(json), frz_blob_len(json), &again, &err);
    if (rc != FRZ_OK) fprintf(stderr, "%s\n%s\n", err.message, frz_blob_data(json));
    FUZZ_CHECK(rc == FRZ_OK);
    same(s, again, true);
    frz_schema_free(again);
    frz_blob_free(text);
    frz_blob_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    frz_schema *s = NULL;
    uint8_t *bytes = fuzz_copy(data, size);
    const uint8_t *bar = size ? (const uint8_t *)memchr(bytes, '|', size) : NULL; /* "columns|key" */
    size_t n = bar ? (size_t)(bar - bytes) : size;
    int rc = frz__schema_parse_text(NULL, slice_of(bytes, n), bar ? slice_of(bar + 1, size - n - 1) : slice_str(""), &s, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) both_forms(s);
    frz_schema_free(s);
    s = NULL;
    rc = frz_schema_parse_json((const char *)bytes, size, &s, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) both_forms(s);
    frz_schema_free(s);
    free(bytes);
    return 0;
}
