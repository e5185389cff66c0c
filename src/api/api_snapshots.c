/* api_snapshots.c — the public face of what is published when: snapshots listed and expired, tags and branches. */
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "base/sized.h"

typedef int (*on_snapshot)(void *ctx, const frz_snapshot_info *info);

/* TEXT is scratch. */
static int tell(const struct ice_meta *m, const struct ice_snapshot *s, struct buf *text, on_snapshot fn, void *ctx, frz_error *err)
{
    struct jw w = JW_INIT(text, err);
    buf_reset(text);
    frz__jw_object(&w);
    for (size_t k = 0; k < s->summary_count; k++) {
        frz__jw_key(&w, (const char *)s->summary[k].key.data); /* NUL-terminated: it came from JSON */
        frz__jw_str(&w, s->summary[k].value);
    }
    frz__jw_object_end(&w);
    TRY(frz__jw_end(&w));
    TRY(buf_append_byte(text, 0, err));
    size_t operation = text->len;
    TRY(buf_append_slice(text, s->operation, err));
    TRY(buf_append_byte(text, 0, err));
    frz_snapshot_info info = {.struct_size = sizeof info, .current = s->id == m->current_snapshot_id, .snapshot_id = s->id, .parent_id = s->parent_id > 0 ? s->parent_id : 0,
        .sequence_number = s->sequence_number, .timestamp_ms = s->timestamp_ms, .operation = (const char *)text->data + operation, .summary_json = (const char *)text->data};
    return fn(ctx, &info);
}

int frz_table_snapshots(frz_table *h, int (*fn)(void *ctx, const frz_snapshot_info *info), void *ctx, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    TRY(frz__shell_table(h, &t, err));
    MUST(frz__table_usable(t, false, err));
    struct version *v = frz__version_acquire(t);
    struct buf text = BUF_INIT(NULL, 0);
    int rc = FRZ_OK;
    for (size_t i = 0; rc == FRZ_OK && i < v->meta->snapshot_count; i++) rc = tell(v->meta, &v->meta->snapshots[i], &text, fn, ctx, err);
    buf_clear(&text);
    frz__version_release(v);
    return rc;
}

int frz_table_expire(frz_table *h, const frz_expire_options *options, int (*fn)(void *ctx, const frz_snapshot_info *info), void *ctx, frz_error *err)
{
    struct table *t;
    frz_expire_options o = FRZ_EXPIRE_OPTIONS_INIT;
    struct version *from = NULL;
    int64_t *ids = NULL;
    size_t count = 0;
    TRY(frz__shell_table(h, &t, err));
    TRY(frz__sized_take(options, "frz_expire_options", &o, sizeof o, err));
    MUST(frz__table_usable(t, !o.dry_run, err));
    if (o.keep_last < 0) return frz__err(err, FRZ_INVALID, "keep_last %" PRId64 ": expected 1 or more, or 0 for the table's", o.keep_last);
    if (o.older_than_ms && !o.by_time) return frz__err(err, FRZ_INVALID, "older_than_ms is given and by_time is not");
    if (o.snapshot_id_count) TRY(frz__shell_need(o.snapshot_ids, "snapshot_ids", err));
    const struct ice_expire_by by = {.by_time = o.by_time, .older_than_ms = o.older_than_ms, .keep_last = o.keep_last, .ids = o.snapshot_ids, .id_count = o.snapshot_id_count};
    int rc = frz__table_expire(t, &by, o.dry_run, &from, &ids, &count, err);
    struct buf text = BUF_INIT(NULL, 0);
    for (size_t i = 0; rc == FRZ_OK && fn && i < count; i++) rc = tell(from->meta, frz__ice_snapshot(from->meta, ids[i]), &text, fn, ctx, err);
    buf_clear(&text);
    frz__free(t->a, ids);
    frz__version_release(from);
    return rc;
}

int frz_table_refs(frz_table *h, int (*fn)(void *ctx, const frz_ref_info *info), void *ctx, frz_error *err)
{
    struct table *t;
    TRY(frz__shell_need((const void *)(uintptr_t)fn, "fn", err));
    TRY(frz__shell_table(h, &t, err));
    MUST(frz__table_usable(t, false, err));
    struct version *v = frz__version_acquire(t);
    int rc = FRZ_OK;
    for (size_t i = 0; rc == FRZ_OK && i < v->meta->ref_count; i++) {
        const struct ice_ref *r = &v->meta->refs[i];
        const struct ice_snapshot *s = frz__ice_snapshot(v->meta, r->snapshot_id);
        struct ice_ref_settings own;
        rc = frz__ice_ref_settings(r, &own, err);
        if (rc < 0) break;
        frz_ref_info info = {.struct_size = sizeof info, .is_tag = r->is_tag, .name = (const char *)r->name.data, .snapshot_id = r->snapshot_id, .snapshot_timestamp_ms = s ? s->timestamp_ms : 0,
            .max_ref_age_ms = own.max_ref_age_ms > 0 ? own.max_ref_age_ms : 0, .max_snapshot_age_ms = own.max_snapshot_age_ms > 0 ? own.max_snapshot_age_ms : 0,
            .min_snapshots_to_keep = own.min_snapshots_to_keep > 0 ? own.min_snapshots_to_keep : 0};
        rc = fn(ctx, &info);
    }
    frz__version_release(v);
    return rc;
}

int frz_table_tag(frz_table *h, const char *name, const frz_tag_options *options, frz_error *err)
{
    struct table *t;
    frz_tag_options o = FRZ_TAG_OPTIONS_INIT;
    TRY(frz__shell_need(name, "name", err));
    TRY(frz__shell_table(h, &t, err));
    TRY(frz__sized_take(options, "frz_tag_options", &o, sizeof o, err));
    MUST(frz__table_usable(t, true, err));
    if (o.remove && (o.no_replace || o.snapshot_id || o.max_ref_age_ms)) return frz__err(err, FRZ_INVALID, "tag %s: remove goes with no other option", name);
    if (o.snapshot_id < 0 || o.max_ref_age_ms < 0) return frz__err(err, FRZ_INVALID, "tag %s: a snapshot id and an age are positive, or 0", name);
    const struct ice_tag tag = {.name = slice_str(name), .remove = o.remove, .snapshot_id = o.snapshot_id, .max_ref_age_ms = o.max_ref_age_ms};
    return frz__table_tag(t, &tag, o.no_replace, err);
}
