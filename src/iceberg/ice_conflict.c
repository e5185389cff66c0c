/* ice_conflict.c — may this edit be applied to this base, and which entries go? One walk over the base's entries, against a set of the paths that the edit names. */
#include "base/bits.h"
#include "base/hash.h"
#include "iceberg/ice_edit_int.h"

enum {
    SAID_REMOVE = 1,     /* edit->removed */
    SAID_REMOVE_DV = 2,  /* edit->removed_dvs */
    SAID_ADD = 4,        /* path of an added file, vectors apart */
    SAID_ADD_DATA = 8,   /* … that is a data file */
    SAID_TARGET = 16,    /* an added delete file or vector is for it */
    SAID_TARGET_DV = 32, /* … a vector */
    SEEN_LIVE = 64,      /* any live file of this path in the base */
    SEEN_GONE_DV = 128,  /* its vector is being removed */
    LEFT_DATA = 256,     /* a data file that stays */
    LEFT_DV = 512,       /* a vector that stays */
    LEFT_FOREIGN = 1024, /* a data file that stays, of another partition spec */
};

#define PATH_ARGS(s) (int)((s).len < 300 ? (s).len : 300), (const char *)(s).data

int frz__ice_names_init(struct ice_names *n, struct arena *ar, size_t count_max, frz_error *err)
{
    for (n->cap = 8; n->cap < count_max * 2; n->cap *= 2) {
    }
    n->slots = (struct ice_name *)frz__ice_array(ar, n->cap, sizeof *n->slots, err);
    return n->slots ? FRZ_OK : FRZ_NO_MEMORY;
}

static struct ice_name *names_slot(const struct ice_names *n, slice path)
{
    size_t i = (size_t)frz__hash64(path) & (n->cap - 1);
    while (n->slots[i].path.data && !slice_eq(n->slots[i].path, path)) i = (i + 1) & (n->cap - 1);
    return &n->slots[i];
}
struct ice_name *frz__ice_names_add(struct ice_names *n, slice path)
{
    struct ice_name *s = names_slot(n, path);
    s->path = path;
    return s;
}
struct ice_name *frz__ice_names_find(const struct ice_names *n, slice path)
{
    struct ice_name *s = path.data ? names_slot(n, path) : NULL;
    return s && s->path.data ? s : NULL;
}

/* ── the edit by itself ── */

static int check_added(const struct ice_work *w, const struct ice_file *f)
{
    frz_error *err = w->err;
    bool vector = ice_is_dv(f);
    if (!f->path.data || f->path.len == 0) return frz__err(err, FRZ_INVALID, "an added file has no path");
    if (f->format.len == 0) return frz__err(err, FRZ_INVALID, "added file %.*s: its format is not given", PATH_ARGS(f->path));
    if (f->record_count < 0 || f->file_size <= 0)
        return frz__err(err, FRZ_INVALID, "added file %.*s: %" PRId64 " rows in %" PRId64 " bytes: readers trust both", PATH_ARGS(f->path), f->record_count, f->file_size);
    if (f->content == ICE_DATA) return vector ? frz__err(err, FRZ_INVALID, "added file %.*s: a Puffin file holds no data", PATH_ARGS(f->path)) : FRZ_OK;
    if (f->content != ICE_POSITION_DELETES) return frz__err(err, FRZ_INVALID, "added file %.*s: equality deletes are never written", PATH_ARGS(f->path));
    if (f->record_count == 0) return frz__err(err, FRZ_INVALID, "added file %.*s deletes nothing", PATH_ARGS(f->path));
    if (vector != (w->base->format_version >= 3))
        return frz__err(err, FRZ_INVALID, "added file %.*s: format %d masks rows by %s", PATH_ARGS(f->path), w->base->format_version, vector ? "position-delete files" : "deletion vectors");
    if (vector && (!f->referenced_data_file.data || f->content_offset < 0 || f->content_size <= 0))
        return frz__err(err, FRZ_INVALID, "deletion vector in %.*s: its data file, offset or size is not given", PATH_ARGS(f->path));
    return FRZ_OK;
}

static bool name_token_ok(const char *s)
{
    size_t i = 0;
    for (; s && s[i]; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", s[i])) return false;
    return i > 0 && i <= 128;
}

int frz__ice_edit_check(struct ice_work *w)
{
    const struct ice_edit *e = w->edit;
    const struct ice_meta *b = w->base;
    if (e->no_snapshot) {
        if (e->added_count || e->removed_count || e->removed_dv_count) return frz__err(w->err, FRZ_INVALID, "an edit without snapshot can't add or remove files");
        return FRZ_OK;
    }
    if (e->format_version) return frz__err(w->err, FRZ_INVALID, "an edit that changes the format version makes no snapshot");
    if (w->env->snapshot_id <= 0 || frz__ice_snapshot(b, w->env->snapshot_id)) return frz__err(w->err, FRZ_INVALID, "snapshot id %" PRId64 " is not positive and new", w->env->snapshot_id);
    if (!name_token_ok(w->env->name_token)) return frz__err(w->err, FRZ_INVALID, "a name token of letters, digits, - and _ is needed");
    if (b->last_sequence_number == INT64_MAX) return frz__err(w->err, FRZ_TOO_LARGE, "the table has used up its sequence numbers");
    if (e->data_sequence_number < 0 || e->data_sequence_number > b->last_sequence_number + 1)
        return frz__err(w->err, FRZ_INVALID, "data sequence number %" PRId64 " is not from 1 to %" PRId64, e->data_sequence_number, b->last_sequence_number + 1);
    if (e->added_count && b->partitioned) return frz__err(w->err, FRZ_UNSUPPORTED, "partitioned tables are not written: partition spec %d has fields", b->default_spec_id);
    for (size_t i = 0; i < e->added_count; i++) TRY(check_added(w, &e->added[i]));
    for (size_t i = 0; i < e->removed_count + e->removed_dv_count; i++)
        if ((i < e->removed_count ? e->removed[i] : e->removed_dvs[i - e->removed_count]).len == 0) return frz__err(w->err, FRZ_INVALID, "a removed file has no path");
    for (size_t i = 0; w->base_tree && i < w->base_tree->count; i++)
        if (!w->base_tree->manifests[i].loaded) return frz__err(w->err, FRZ_MISUSE, "manifest %.*s is not loaded", PATH_ARGS(w->base_tree->manifests[i].path));
    return FRZ_OK;
}

/* ── against the base ── */

static int gather(struct ice_work *w, struct ice_names *n)
{
    const struct ice_edit *e = w->edit;
    TRY(frz__ice_names_init(n, &w->tmp, e->removed_count + e->removed_dv_count + 2 * e->added_count, w->err));
    for (size_t i = 0; i < e->removed_count; i++) frz__ice_names_add(n, e->removed[i])->flags |= SAID_REMOVE;
    for (size_t i = 0; i < e->removed_dv_count; i++) frz__ice_names_add(n, e->removed_dvs[i])->flags |= SAID_REMOVE_DV;
    for (size_t i = 0; i < e->added_count; i++) {
        const struct ice_file *f = &e->added[i];
        bool vector = ice_is_dv(f);
        struct ice_name *name = vector ? NULL : frz__ice_names_add(n, f->path);
        if (name && name->flags & SAID_ADD) return frz__err(w->err, FRZ_INVALID, "file %.*s is added twice", PATH_ARGS(f->path));
        if (name) name->flags |= SAID_ADD | (f->content == ICE_DATA ? SAID_ADD_DATA : 0);
        if (f->content == ICE_DATA || !f->referenced_data_file.data) continue;
        name = frz__ice_names_add(n, f->referenced_data_file);
        if (vector && name->flags & SAID_TARGET_DV) return frz__err(w->err, FRZ_INVALID, "data file %.*s is given two deletion vectors", PATH_ARGS(f->referenced_data_file));
        name->flags |= SAID_TARGET | (vector ? SAID_TARGET_DV : 0);
    }
    return FRZ_OK;
}

/* Does this live entry go? Leaves what was seen in the set. */
static bool goes(const struct ice_work *w, const struct ice_names *n, const struct ice_manifest *m, const struct ice_file *f)
{
    bool vector = ice_is_dv(f);
    struct ice_name *own = vector ? NULL : frz__ice_names_find(n, f->path);
    struct ice_name *target = f->content == ICE_DATA ? NULL : frz__ice_names_find(n, f->referenced_data_file);
    bool gone = (own && own->flags & SAID_REMOVE) || (target && target->flags & SAID_REMOVE) || (vector && target && target->flags & SAID_REMOVE_DV);
    if (own) own->flags |= SEEN_LIVE;
    if (own && !gone && f->content == ICE_DATA) own->flags |= LEFT_DATA | (m->spec_id == w->base->default_spec_id ? 0 : LEFT_FOREIGN);
    if (target && vector) target->flags |= gone ? SEEN_GONE_DV : LEFT_DV;
    return gone;
}

static int walk(struct ice_work *w, const struct ice_names *n, const struct ice_manifest *m, struct ice_touch *t)
{
    if (!(t->gone = (uint8_t *)frz__ice_array(&w->tmp, bits_bytes(m->entry_count), 1, w->err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < m->entry_count; i++) {
        const struct ice_entry *e = &m->entries[i];
        if (e->status == ICE_DELETED) continue;
        if (w->base->format_version < 3 && ice_is_dv(&e->file))
            return frz__err_corrupt(w->err, "manifest %.*s: a deletion vector in a table of format %d", PATH_ARGS(m->path), w->base->format_version);
        t->live_count++;
        if (!goes(w, n, m, &e->file)) continue;
        bit_set(t->gone, i);
        t->gone_count++;
        frz__ice_count(&w->removed, &e->file);
    }
    return FRZ_OK;
}

static int conflict(const struct ice_work *w, const char *what, slice path, const char *why)
{
    return frz__err(w->err, FRZ_CONFLICT, "%s %.*s %s in snapshot %" PRId64, what, PATH_ARGS(path), why, w->base->current_snapshot_id);
}

static uint32_t flags_of(const struct ice_names *n, slice path)
{
    const struct ice_name *s = frz__ice_names_find(n, path);
    return s ? s->flags : 0;
}

static int judge_added(const struct ice_work *w, const struct ice_names *n, const struct ice_file *f)
{
    if (!ice_is_dv(f) && flags_of(n, f->path) & SEEN_LIVE) return conflict(w, "added file", f->path, "is live already");
    if (f->content == ICE_DATA || !f->referenced_data_file.data) return FRZ_OK;
    uint32_t target = flags_of(n, f->referenced_data_file);
    if (!(target & (LEFT_DATA | SAID_ADD_DATA))) return conflict(w, "data file", f->referenced_data_file, "is not live, but an added delete file is for it");
    if (target & LEFT_FOREIGN)
        return frz__err(w->err, FRZ_UNSUPPORTED, "data file %.*s is of another partition spec than the default one: its rows can't be masked", PATH_ARGS(f->referenced_data_file));
    if (target & SAID_TARGET_DV && target & LEFT_DV) return conflict(w, "data file", f->referenced_data_file, "has a deletion vector that this edit does not replace");
    return FRZ_OK;
}

int frz__ice_edit_resolve(struct ice_work *w)
{
    const struct ice_edit *e = w->edit;
    struct ice_names n;
    size_t count = w->base_tree ? w->base_tree->count : 0;
    if (!(w->touch = (struct ice_touch *)frz__ice_array(&w->tmp, count, sizeof *w->touch, w->err))) return FRZ_NO_MEMORY;
    TRY(gather(w, &n));
    for (size_t i = 0; i < count; i++) TRY(walk(w, &n, &w->base_tree->manifests[i], &w->touch[i]));
    for (size_t i = 0; i < e->removed_count; i++)
        if (!(flags_of(&n, e->removed[i]) & SEEN_LIVE)) return conflict(w, "removed file", e->removed[i], "is not live");
    for (size_t i = 0; i < e->removed_dv_count; i++)
        if (!(flags_of(&n, e->removed_dvs[i]) & SEEN_GONE_DV)) return conflict(w, "data file", e->removed_dvs[i], "has no deletion vector to remove");
    for (size_t i = 0; i < e->added_count; i++) {
        TRY(judge_added(w, &n, &e->added[i]));
        frz__ice_count(&w->added, &e->added[i]);
    }
    return FRZ_OK;
}
