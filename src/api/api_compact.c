/* api_compact.c — the public face of manual compaction. */
#include "api/handle.h"
#include "base/sized.h"
#include "engine/compact_manual.h"

/* A bound whose count was forgotten would be no bound at all. */
static int bound(const frz_schema *s, const frz_value *values, size_t count, bool above, const char *what, struct buf *out, slice *bound, frz_error *err)
{
    bool open = false;
    if (!values && !count) return FRZ_OK;
    TRY(frz__scan_bound(s, values, count, above, what, out, &open, err));
    if (!open) *bound = slice_of(out->data ? out->data : (const uint8_t *)"", out->len);
    return FRZ_OK;
}

int frz_table_compact(frz_table *table, const frz_compact_options *options, frz_compact_result *out, frz_error *err)
{
    struct table *t;
    frz_compact_options o = FRZ_COMPACT_OPTIONS_INIT;
    frz_compact_result r = FRZ_INIT(frz_compact_result);
    slice from = {0}, to = {0};
    if (out) TRY(frz__sized_check(out, "frz_compact_result", err));
    TRY(frz__sized_take(options, "frz_compact_options", &o, sizeof o, err));
    TRY(frz__shell_table(table, &t, err));
    MUST(frz__table_usable(t, !o.dry_run, err));
    frz_schema *schema = frz__table_schema(t);
    struct buf first = BUF_INIT(t->a, 0), last = BUF_INIT(t->a, 0);
    int rc = bound(schema, o.from, o.from_count, false, "from", &first, &from, err);
    if (rc >= 0) rc = bound(schema, o.to, o.to_count, true, "to", &last, &to, err);
    if (rc >= 0 && from.data && to.data && slice_cmp(from, to) >= 0) rc = frz__err(err, FRZ_INVALID, "from is behind to: a range without keys");
    if (rc >= 0) rc = frz__compact_manual(t, from, to, &o, &r, err);
    if (out) frz__sized_give(out, &r, sizeof r);
    buf_clear(&first);
    buf_clear(&last);
    frz__schema_release(schema);
    return rc;
}
