/* fuzz_avro.c — an Avro container, and the same bytes as a manifest list and as a manifest. */
#include "fuzz.h"

#include "avro/avro.h"
#include "iceberg/ice_meta.h"

static uint64_t walk(const struct avro_value *v, int depth)
{
    FUZZ_CHECK(depth < 1000);
    uint64_t sum = (uint64_t)v->kind;
    if (v->kind == AVRO_BYTES) sum += frz__hash64(v->as.bytes);
    if (v->kind == AVRO_ARRAY || v->kind == AVRO_RECORD)
        for (size_t i = 0; i < v->as.list.count; i++) sum += walk(&v->as.list.items[i], depth + 1);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    uint8_t *bytes = fuzz_copy(data, size);
    struct avro_reader *r = NULL;
    uint64_t sum = 0;
    int rc = frz__avro_reader_new(NULL, slice_of(bytes, size), &r, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        const struct avro_value *v;
        size_t records = 0;
        while (records++ < 10000 && (rc = frz__avro_next(r, &v, &err)) == FRZ_OK) sum += walk(v, 0);
        fuzz_check_error(rc, &err);
    }
    frz__avro_reader_free(r);
    struct arena ar = ARENA_INIT(NULL);
    struct ice_tree tree = {0};
    fuzz_check_error(frz__ice_list_parse(NULL, &ar, slice_of(bytes, size), &tree, &err), &err);
    for (int content = 0; content < 2; content++) {
        struct ice_manifest m = {.path = slice_str("m.avro"), .length = (int64_t)size, .content = content, .sequence_number = 3, .min_sequence_number = 1, .added_snapshot_id = 7, .first_row_id = content ? -1 : 10};
        m.added_files = m.existing_files = m.deleted_files = -1;
        fuzz_check_error(frz__ice_manifest_parse(NULL, &ar, slice_of(bytes, size), &m, &err), &err);
    }
    frz__arena_clear(&ar);
    free(bytes);
    return (int)(sum & 0);
}
