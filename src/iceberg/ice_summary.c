/* ice_summary.c — the snapshot's summary, and its operation, from what was counted. Source: Iceberg spec Appendix F "Optional Snapshot Summary Fields"; what counts as what: Java SnapshotSummary. */
#include "base/utf8.h"
#include "iceberg/ice_edit_int.h"

void frz__ice_count(struct ice_counts *c, const struct ice_file *f)
{
    bool vector = ice_is_dv(f);
    if (f->content == ICE_DATA) {
        c->data_files++;
        c->records = ice_add(c->records, f->record_count);
    } else if (f->content == ICE_POSITION_DELETES) {
        if (vector) c->vectors++;
        else c->position_files++;
        c->position_deletes = ice_add(c->position_deletes, f->record_count);
    } else {
        c->equality_files++;
        c->equality_deletes = ice_add(c->equality_deletes, f->record_count);
    }
    c->bytes = ice_add(c->bytes, vector ? f->content_size : f->file_size); /* many vectors share a file */
}

static int64_t delete_files(const struct ice_counts *c) { return c->position_files + c->vectors + c->equality_files; }

const char *frz__ice_operation(const struct ice_counts *added, const struct ice_counts *removed)
{
    bool adds = added->data_files > 0, removes = removed->data_files > 0 || delete_files(added) > 0;
    if (adds && removes) return "overwrite";
    if (removes) return "delete";
    return delete_files(removed) > 0 ? "overwrite" /* rows come back */ : "append";
}

struct out { struct ice_work *w; struct ice_kv *kv; size_t count; int rc; };

static void put_text(struct out *o, const char *key, slice value)
{
    if (o->rc < 0) return;
    o->kv[o->count].key = slice_str(key);
    o->rc = frz__ice_dup(o->w->ar, value, &o->kv[o->count].value, o->w->err);
    o->count++;
}
static void put(struct out *o, const char *key, int64_t v)
{
    if (o->rc < 0) return;
    o->kv[o->count].key = slice_str(key);
    o->rc = frz__ice_printf(o->w->ar, &o->kv[o->count].value, o->w->err, "%" PRId64, v);
    o->count++;
}
static void put_some(struct out *o, const char *key, int64_t v)
{
    if (v) put(o, key, v);
}

/* The caller's keys: never twice in one object, never in place of a counted one. */
static int put_further(struct out *o)
{
    const struct ice_edit *e = o->w->edit;
    for (size_t i = 0; i < e->summary_count; i++) {
        slice key = e->summary[i].key, value = e->summary[i].value;
        if (key.len == 0 || memchr(key.data, 0, key.len) || frz__utf8_check(key) != key.len || frz__utf8_check(value) != value.len)
            return frz__err(o->w->err, FRZ_INVALID, "a key or value for the snapshot's summary is no UTF-8 text");
        for (size_t k = 0; k < o->count; k++)
            if (slice_eq(o->kv[k].key, key)) return frz__err(o->w->err, FRZ_INVALID, "summary key \"%.*s\" is there twice or is counted by the commit", (int)(key.len < 128 ? key.len : 128), (const char *)key.data);
        TRY(frz__ice_dup(o->w->ar, key, &o->kv[o->count].key, o->w->err));
        TRY(frz__ice_dup(o->w->ar, value.data ? value : slice_str(""), &o->kv[o->count].value, o->w->err));
        o->count++;
    }
    return FRZ_OK;
}

#define KEYS_MAX 48
int frz__ice_summary_build(struct ice_work *w)
{
    const struct ice_counts *a = &w->added, *r = &w->removed, *t = &w->total;
    struct out o = {.w = w};
    if (!(o.kv = (struct ice_kv *)frz__ice_array(w->ar, KEYS_MAX + w->edit->summary_count, sizeof *o.kv, w->err))) return FRZ_NO_MEMORY;
    put_text(&o, "operation", slice_str(w->edit->replace ? "replace" : frz__ice_operation(a, r)));
    put_some(&o, "added-data-files", a->data_files);
    put_some(&o, "deleted-data-files", r->data_files);
    put_some(&o, "added-delete-files", delete_files(a));
    put_some(&o, "removed-delete-files", delete_files(r));
    put_some(&o, "added-position-delete-files", a->position_files);
    put_some(&o, "removed-position-delete-files", r->position_files);
    put_some(&o, "added-dvs", a->vectors);
    put_some(&o, "removed-dvs", r->vectors);
    put_some(&o, "removed-equality-delete-files", r->equality_files);
    put_some(&o, "added-records", a->records);
    put_some(&o, "deleted-records", r->records);
    put_some(&o, "added-position-deletes", a->position_deletes);
    put_some(&o, "removed-position-deletes", r->position_deletes);
    put_some(&o, "removed-equality-deletes", r->equality_deletes);
    put_some(&o, "added-files-size", a->bytes);
    put_some(&o, "removed-files-size", r->bytes);
    put(&o, "changed-partition-count", a->data_files + delete_files(a) + r->data_files + delete_files(r) > 0); /* the one of an unpartitioned table */
    put(&o, "total-records", t->records);
    put(&o, "total-files-size", t->bytes);
    put(&o, "total-data-files", t->data_files);
    put(&o, "total-delete-files", delete_files(t));
    put(&o, "total-position-deletes", t->position_deletes);
    put(&o, "total-equality-deletes", t->equality_deletes);
    put(&o, "manifests-created", (int64_t)w->manifests_created);
    put(&o, "manifests-kept", (int64_t)w->manifests_kept);
    put(&o, "manifests-replaced", (int64_t)w->manifests_replaced);
    put_text(&o, "engine-name", slice_str("frazil"));
    put_text(&o, "engine-version", slice_str(frz_version()));
    FRZ_ASSERT(o.count <= KEYS_MAX);
    TRY(o.rc);
    TRY(put_further(&o));
    w->snap.summary = o.kv;
    w->snap.summary_count = o.count;
    w->snap.operation = o.kv[0].value;
    return FRZ_OK;
}
