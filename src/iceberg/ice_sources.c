/* ice_sources.c — what partition specs and sort orders are made from: columns that they name by id, which therefore must stay. Source: Iceberg spec Appendix C "Partition Specs", "Sort Orders". */
#include "base/json.h"
#include "iceberg/ice_meta.h"

struct sources {
    const allocator *a;
    int32_t *ids;
    size_t count, cap;
    frz_error *err;
};

static int take(struct sources *s, const struct json *id)
{
    int64_t v = frz__json_int(id);
    if (frz__json_kind(id) != JK_INT || v < 0 || v > INT32_MAX) return FRZ_OK;
    TRY(frz__grow(s->a, (void **)&s->ids, s->count, &s->cap, sizeof *s->ids, s->err));
    s->ids[s->count++] = (int32_t)v;
    return FRZ_OK;
}

/* [{"fields":[{"source-id":1,…},{"source-ids":[1,2],…}]}] */
static int take_all(struct sources *s, slice text)
{
    struct json *root = NULL;
    int rc = FRZ_OK;
    if (text.len == 0) return FRZ_OK;
    TRY(frz__json_parse(text, &root, s->err));
    for (size_t i = 0; i < frz__json_len(root); i++) {
        const struct json *fields = frz__json_get(frz__json_at(root, i), "fields");
        for (size_t k = 0; k < frz__json_len(fields); k++) {
            const struct json *f = frz__json_at(fields, k), *many = frz__json_get(f, "source-ids");
            CHECK(take(s, frz__json_get(f, "source-id")));
            for (size_t m = 0; m < frz__json_len(many); m++) CHECK(take(s, frz__json_at(many, m)));
        }
    }
done:
    frz__json_free(root);
    return rc;
}

int frz__ice_source_ids(const allocator *a, const struct ice_meta *m, int32_t **ids, size_t *count, frz_error *err)
{
    struct sources s = {.a = a, .err = err};
    int rc = take_all(&s, m->partition_specs);
    if (rc >= 0) rc = take_all(&s, m->sort_orders);
    if (rc < 0) {
        frz__free(a, s.ids);
        return rc;
    }
    *ids = s.ids;
    *count = s.count;
    return FRZ_OK;
}
