/* table_edit.c — what changes a table's metadata and none of its rows: properties, tags, its format version, expiry on demand. Each is one commit without a snapshot; the flush lane is held, so that no
 * flush or compaction is between its plan and its commit meanwhile. */
#include "engine/tables.h"

#define TRIES_MAX 5

int frz__table_edit(struct table *t, const struct ice_edit *edit, int (*check)(const void *ctx, const struct version *v, frz_error *err), const void *ctx, struct version **before, frz_error *err)
{
    struct commit_request r = {.edit = *edit, .strict = check != NULL};
    struct version *base = NULL;
    frz__mutex_lock(&t->flush_mu);
    int rc = frz__table_usable(t, true, err); /* it may have been dropped meanwhile, and another be in its place */
    for (int tries = 1; rc == FRZ_OK; tries++) {
        if (t->in_doubt) rc = frz__table_reload(t, err);
        if (rc < 0) break;
        if (check) rc = check(ctx, t->version, err);
        if (rc != FRZ_OK) break;
        frz__version_release(base);
        base = frz__version_acquire(t);
        rc = frz__commit(t, &r, err);
        if (rc != FRZ_CONFLICT || tries == TRIES_MAX) break;
        t->in_doubt = true; /* somebody else committed */
        rc = FRZ_OK;
    }
    if (rc == FRZ_OK) frz__table_follow_properties(t);
    frz__mutex_unlock(&t->flush_mu);
    if (rc == FRZ_OK && before) *before = base;
    else frz__version_release(base);
    return rc;
}

/* ── tags ── */

struct tag_check { const struct ice_tag *tag; bool must_be_new; const char *table; };

static int check_tag(const void *ctx, const struct version *v, frz_error *err)
{
    const struct tag_check *c = (const struct tag_check *)ctx;
    const struct ice_tag *tag = c->tag;
    const struct ice_ref *r = frz__ice_ref(v->meta, tag->name);
    if (tag->remove && !r) return frz__err(err, FRZ_NOT_FOUND, "%s has no tag %.*s", c->table, (int)tag->name.len, (const char *)tag->name.data);
    if (c->must_be_new && r && r->is_tag) return frz__err(err, FRZ_EXISTS, "%s has a tag %.*s already, of snapshot %" PRId64, c->table, (int)tag->name.len, (const char *)tag->name.data, r->snapshot_id);
    if (tag->snapshot_id && !frz__ice_snapshot(v->meta, tag->snapshot_id)) return frz__err(err, FRZ_NOT_FOUND, "%s: no snapshot %" PRId64 " is retained", c->table, tag->snapshot_id);
    return FRZ_OK;
}

int frz__table_tag(struct table *t, const struct ice_tag *tag, bool must_be_new, frz_error *err)
{
    const struct ice_edit edit = {.no_snapshot = true, .tags = tag, .tag_count = 1};
    const struct tag_check c = {tag, must_be_new, t->name};
    return frz__table_edit(t, &edit, check_tag, &c, NULL, err);
}

/* ── format version ── */

static int check_format(const void *ctx, const struct version *v, frz_error *err)
{
    (void)err;
    return v->meta->format_version == *(const int32_t *)ctx ? FRZ_DONE : FRZ_OK;
}

int frz__table_upgrade(struct table *t, int32_t format_version, frz_error *err)
{
    const struct ice_edit edit = {.no_snapshot = true, .format_version = format_version};
    int rc = frz__table_edit(t, &edit, check_format, &format_version, NULL, err);
    if (rc == FRZ_OK) frz__event(t->db, t, FRZ_EVENT_TABLE_ALTERED, &(struct event_info){.reason = "format-version", .message = format_version == 3 ? "3" : "2"});
    return rc == FRZ_DONE ? FRZ_OK : rc; /* it has it */
}

/* ── expiry ── */

struct expire_check { const struct ice_expire_by *by; struct table *t; };

static int plan_expire(const struct expire_check *c, const struct version *v, struct arena *ar, int64_t **ids, size_t *count, frz_error *err)
{
    for (size_t i = 0; i < c->by->id_count; i++)
        if (!frz__ice_snapshot(v->meta, c->by->ids[i])) return frz__err(err, FRZ_NOT_FOUND, "%s: no snapshot %" PRId64 " is retained", c->t->name, c->by->ids[i]);
    return frz__ice_expire_plan(c->t->a, ar, v->meta, frz__clock_wall_us() / 1000, c->by, ids, count, err);
}

/* FRZ_DONE: there is nothing to commit. */
static int check_expire(const void *ctx, const struct version *v, frz_error *err)
{
    const struct expire_check *c = (const struct expire_check *)ctx;
    struct arena ar = ARENA_INIT(c->t->a);
    int64_t *ids;
    size_t count = 0;
    int rc = plan_expire(c, v, &ar, &ids, &count, err);
    frz__arena_clear(&ar);
    return rc != FRZ_OK ? rc : count ? FRZ_OK : FRZ_DONE;
}

static int expire_dry(const struct expire_check *c, struct version **from, int64_t **ids, size_t *count, frz_error *err)
{
    struct arena ar = ARENA_INIT(c->t->a);
    int64_t *planned = NULL;
    struct version *v = frz__version_acquire(c->t);
    int rc = plan_expire(c, v, &ar, &planned, count, err);
    if (rc == FRZ_OK) *ids = (int64_t *)frz__alloc_array(c->t->a, *count + 1, sizeof **ids);
    if (rc == FRZ_OK && !*ids) rc = frz__err_no_memory(err, *count * sizeof **ids);
    if (rc == FRZ_OK && *count) memcpy(*ids, planned, *count * sizeof **ids);
    frz__arena_clear(&ar);
    if (rc == FRZ_OK) *from = v;
    else frz__version_release(v);
    return rc;
}

static int expire_now(const struct expire_check *c, struct version **from, int64_t **ids, size_t *count, frz_error *err)
{
    const struct ice_edit edit = {.no_snapshot = true, .expire = c->by};
    struct version *before = NULL;
    int rc = frz__table_edit(c->t, &edit, check_expire, c, &before, err);
    if (rc != FRZ_OK) return rc == FRZ_DONE ? FRZ_OK : rc;
    struct version *after = frz__version_acquire(c->t);
    *ids = (int64_t *)frz__alloc_array(c->t->a, before->meta->snapshot_count + 1, sizeof **ids);
    rc = *ids ? FRZ_OK : frz__err_no_memory(err, before->meta->snapshot_count * sizeof **ids);
    for (size_t i = 0; rc == FRZ_OK && i < before->meta->snapshot_count; i++)
        if (!frz__ice_snapshot(after->meta, before->meta->snapshots[i].id)) (*ids)[(*count)++] = before->meta->snapshots[i].id;
    frz__version_release(after);
    if (rc == FRZ_OK) *from = before;
    else frz__version_release(before);
    return rc;
}

int frz__table_expire(struct table *t, const struct ice_expire_by *by, bool dry_run, struct version **from, int64_t **ids, size_t *count, frz_error *err)
{
    const struct expire_check c = {by, t};
    *from = NULL;
    *ids = NULL;
    *count = 0;
    return dry_run ? expire_dry(&c, from, ids, count, err) : expire_now(&c, from, ids, count, err);
}
