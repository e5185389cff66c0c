/* ice_plan.c — the manifests of the next snapshot: which are carried, which written anew and with what (plan), then their bytes, rows and row ids (build), then the list.
 * Source: Iceberg spec "Manifests", "Manifest Lists", "Sequence Number Inheritance", "Row Lineage"; row ids as Java's ManifestListWriter hands them out. */
#include <stdlib.h>
#include "base/bits.h"
#include "iceberg/ice_edit_int.h"

#define MANIFESTS_MAX 32
#define MANIFESTS_MOST 100 /* whatever the properties say: each is read at open */
#define MERGE_LIVE_MAX 4096 /* entries that a publish rewrites beside its own: milliseconds */
#define TARGET_BYTES 8388608 /* Iceberg's */
#define FOLD_LIVE_MAX 64 /* a manifest that must be rewritten and has no more left is not worth a file of its own */

struct ref { const struct ice_entry *entry; enum ice_status status; };
struct plan {
    const struct ice_manifest *carried; /* else written from refs */
    struct ref *refs;
    size_t count, live;
    bool merged; /* into another */
};
struct plans { struct plan *at; size_t count; };

static size_t live_of(const struct ice_work *w, size_t i) { return w->touch[i].live_count - w->touch[i].gone_count; }

static int writable(const struct ice_work *w, const struct ice_manifest *m)
{
    if (m->spec_id == w->base->default_spec_id && !w->base->partitioned) return FRZ_OK;
    return frz__err(w->err, FRZ_UNSUPPORTED, "manifest %.*s is of partition spec %d: files can't be removed from it, only unpartitioned ones of the default spec %d are rewritten",
                    (int)(m->path.len < 300 ? m->path.len : 300), (const char *)m->path.data, m->spec_id, w->base->default_spec_id);
}

/* Live entries of M as EXISTING, those that go as DELETED; what was DELETED before is dropped. */
static void add_refs(struct plan *p, const struct ice_manifest *m, const struct ice_touch *t)
{
    for (size_t i = 0; i < m->entry_count; i++) {
        if (m->entries[i].status == ICE_DELETED) continue;
        bool gone = t && bit_get(t->gone, i);
        p->refs[p->count++] = (struct ref){&m->entries[i], gone ? ICE_DELETED : ICE_EXISTING};
        p->live += !gone;
    }
}

static int plan_refs(struct ice_work *w, struct plan *p, size_t cap)
{
    return (p->refs = (struct ref *)frz__ice_array(&w->tmp, cap, sizeof *p->refs, w->err)) ? FRZ_OK : FRZ_NO_MEMORY;
}

static bool folds(const struct ice_work *w, size_t i) { return w->touch[i].gone_count && live_of(w, i) <= FOLD_LIVE_MAX; }

static int plan_added(struct ice_work *w, int32_t content, struct plan *p)
{
    const struct ice_edit *e = w->edit;
    struct ice_entry *entries = (struct ice_entry *)frz__ice_array(&w->tmp, e->added_count, sizeof *entries, w->err);
    if (!entries) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < e->added_count; i++) {
        const struct ice_file *f = &e->added[i];
        if ((f->content == ICE_DATA) != (content == 0)) continue;
        entries[i] = (struct ice_entry){ICE_ADDED, w->env->snapshot_id, w->snap.sequence_number, w->snap.sequence_number, *f};
        entries[i].file.first_row_id = -1;
        if (ice_is_dv(f)) entries[i].file.format = slice_str("PUFFIN");
        if (content == 0 && e->data_sequence_number) entries[i].sequence_number = e->data_sequence_number;
        p->refs[p->count++] = (struct ref){&entries[i], ICE_ADDED};
        p->live++;
    }
    return FRZ_OK;
}

/* In the base's order; what is added, with what folds into it, comes last. */
static int plan_content(struct ice_work *w, int32_t content, struct plans *out)
{
    size_t count = w->base_tree ? w->base_tree->count : 0, fresh_cap = w->edit->added_count;
    struct plan fresh = {0};
    out->count = 0;
    if (!(out->at = (struct plan *)frz__ice_array(&w->tmp, count + 2, sizeof *out->at, w->err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (w->base_tree->manifests[i].content == content && folds(w, i)) fresh_cap += w->touch[i].live_count;
    TRY(plan_refs(w, &fresh, fresh_cap));
    for (size_t i = 0; i < count; i++) {
        const struct ice_manifest *m = &w->base_tree->manifests[i];
        if (m->content != content || w->touch[i].live_count == 0) continue; /* without live entries: dropped */
        if (w->touch[i].gone_count == 0) {
            out->at[out->count++] = (struct plan){.carried = m, .live = live_of(w, i)};
            continue;
        }
        struct plan *p = &fresh;
        TRY(writable(w, m));
        if (!folds(w, i)) {
            p = &out->at[out->count++];
            TRY(plan_refs(w, p, m->entry_count));
        }
        add_refs(p, m, &w->touch[i]);
        w->manifests_replaced++;
    }
    TRY(plan_added(w, content, &fresh));
    if (fresh.count) out->at[out->count++] = fresh;
    return FRZ_OK;
}

/* ── merging ── */

struct size { size_t live, index; };
static int cmp_size(const void *a, const void *b)
{
    const struct size *x = (const struct size *)a, *y = (const struct size *)b;
    return x->live != y->live ? (x->live > y->live) - (x->live < y->live) : (x->index > y->index) - (x->index < y->index);
}

static int merge_smallest(struct ice_work *w, struct plans *ps, const struct size *smallest, size_t count)
{
    struct plan all = {0};
    size_t cap = 0;
    for (size_t i = 0; i < count; i++) {
        const struct plan *p = &ps->at[smallest[i].index];
        cap += p->carried ? p->carried->entry_count : p->count;
    }
    TRY(plan_refs(w, &all, cap));
    for (size_t i = 0; i < ps->count; i++) { /* in the list's order */
        struct plan *p = &ps->at[i];
        size_t k = 0;
        while (k < count && smallest[k].index != i) k++;
        if (k == count) continue;
        p->merged = true;
        w->manifests_replaced += p->carried != NULL;
        if (p->carried) add_refs(&all, p->carried, NULL);
        else memcpy(all.refs + all.count, p->refs, p->count * sizeof *p->refs), all.count += p->count, all.live += p->live;
    }
    ps->at[ps->count++] = all;
    return FRZ_OK;
}

/* How many there may be: the caller's word, Iceberg's property, ours. 0 = any number. */
static size_t manifests_max(const struct ice_work *w)
{
    if (!frz__ice_property_bool(w->next, "commit.manifest-merge.enabled", true)) return 0;
    if (w->env->manifests_max) return w->env->manifests_max;
    int64_t max = frz__ice_property_int(w->next, "commit.manifest.min-count-to-merge", 2, MANIFESTS_MAX);
    return max < MANIFESTS_MOST ? (size_t)max : MANIFESTS_MOST;
}

/* Of the smallest, WANTED at most: as many as a publish can rewrite in passing, and one file of the target size can hold. When there are far too many it takes what time it takes. */
static size_t merge_count(const struct ice_work *w, const struct plans *ps, const struct size *sizes, size_t wanted, bool far_too_many)
{
    const int64_t bytes_max = frz__ice_property_int(w->next, "commit.manifest.target-size-bytes", 1, TARGET_BYTES);
    int64_t bytes = 0;
    size_t k = 0, live = 0;
    for (; k < wanted; k++) {
        const struct plan *p = &ps->at[sizes[k].index];
        bytes = ice_add(bytes, p->carried ? p->carried->length : 0);
        live += p->live;
        if (bytes > bytes_max || (live > MERGE_LIVE_MAX && !far_too_many && k >= 2)) break;
    }
    return k < 2 ? 0 : k;
}

/* Down to about half the maximum, so that the next merge is that many commits away and each entry is rewritten a logarithm of times. */
static int plan_merge(struct ice_work *w, struct plans *ps)
{
    size_t max = manifests_max(w), n = 0;
    struct size *sizes = (struct size *)frz__ice_array(&w->tmp, ps->count, sizeof *sizes, w->err);
    if (!sizes) return FRZ_NO_MEMORY;
    if (w->base->partitioned || max == 0) return FRZ_OK;
    for (size_t i = 0; i < ps->count; i++)
        if (!ps->at[i].carried || ps->at[i].carried->spec_id == w->base->default_spec_id) sizes[n++] = (struct size){ps->at[i].live, i};
    if (n <= max) return FRZ_OK;
    qsort(sizes, n, sizeof *sizes, cmp_size);
    size_t count = merge_count(w, ps, sizes, n - max / 2, n > 2 * max);
    return count ? merge_smallest(w, ps, sizes, count) : FRZ_OK;
}

/* ── building ── */

static int add_file(struct ice_work *w, slice path, struct buf *bytes)
{
    struct ice_out_file *f = &w->out->files[w->out->file_count++];
    f->path = path;
    return frz__ice_dup(w->ar, buf_slice(bytes), &f->bytes, w->err);
}

static int fill_entries(struct ice_work *w, const struct plan *p, struct ice_manifest *m)
{
    int64_t min_sequence = INT64_MAX;
    if (p->count > INT32_MAX) return frz__err(w->err, FRZ_TOO_LARGE, "a manifest of %zu entries", p->count);
    if (!(m->entries = (struct ice_entry *)frz__ice_array(w->ar, p->count, sizeof *m->entries, w->err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < p->count; i++) {
        struct ice_entry *e = &m->entries[i];
        TRY(frz__ice_entry_copy(w->ar, p->refs[i].entry, e, w->err));
        e->status = p->refs[i].status;
        if (e->status == ICE_DELETED) e->snapshot_id = w->env->snapshot_id;
        int64_t rows = e->file.record_count;
        if (e->status == ICE_ADDED) m->added_files++, m->added_rows = ice_add(m->added_rows, rows);
        else if (e->status == ICE_EXISTING) m->existing_files++, m->existing_rows = ice_add(m->existing_rows, rows);
        else m->deleted_files++, m->deleted_rows = ice_add(m->deleted_rows, rows);
        if (e->status != ICE_DELETED && e->sequence_number < min_sequence) min_sequence = e->sequence_number;
        if (!ice_is_dv(&e->file)) e->file.content_offset = e->file.content_size = -1;
    }
    m->entry_count = p->count;
    m->min_sequence_number = min_sequence == INT64_MAX ? m->sequence_number : min_sequence;
    return FRZ_OK;
}

static int write_manifest(struct ice_work *w, const struct plan *p, int32_t content, struct ice_manifest *m)
{
    struct buf bytes = BUF_INIT(w->a, 0);
    slice name;
    int rc = FRZ_OK;
    *m = (struct ice_manifest){.spec_id = w->base->default_spec_id, .content = content, .sequence_number = w->snap.sequence_number, .added_snapshot_id = w->env->snapshot_id, .first_row_id = -1,
                               .loaded = true};
    CHECK(fill_entries(w, p, m));
    const struct ice_entry **refs = (const struct ice_entry **)frz__ice_array(&w->tmp, p->count, sizeof *refs, w->err);
    CHECK(refs ? FRZ_OK : FRZ_NO_MEMORY);
    for (size_t i = 0; i < p->count; i++) refs[i] = &m->entries[i];
    CHECK(frz__ice_manifest_print(w->a, w->next, content, refs, p->count, w->env->snapshot_id, w->snap.sequence_number, &bytes, w->err));
    CHECK(frz__ice_printf(w->ar, &name, w->err, "metadata/frz-%s-m%zu.avro", w->env->name_token, w->manifests_created));
    CHECK(frz__ice_printf(w->ar, &m->path, w->err, "%.*s/%s", (int)w->base->location.len, (const char *)w->base->location.data, (const char *)name.data));
    m->length = (int64_t)bytes.len;
    CHECK(add_file(w, name, &bytes));
    w->manifests_created++;
done:
    buf_clear(&bytes);
    return rc;
}

static int build_manifests(struct ice_work *w, const struct plans by_content[2])
{
    struct ice_result *out = w->out;
    size_t cap = by_content[0].count + by_content[1].count;
    out->tree.manifests = (struct ice_manifest *)frz__ice_array(w->ar, cap, sizeof *out->tree.manifests, w->err);
    out->files = (struct ice_out_file *)frz__ice_array(w->ar, cap + 1, sizeof *out->files, w->err);
    if (!out->tree.manifests || !out->files) return FRZ_NO_MEMORY;
    for (int32_t content = 0; content < 2; content++) {
        for (size_t i = 0; i < by_content[content].count; i++) {
            const struct plan *p = &by_content[content].at[i];
            if (p->merged) continue;
            struct ice_manifest *m = &out->tree.manifests[out->tree.count++];
            if (p->carried) TRY(frz__ice_manifest_copy(w->ar, p->carried, m, w->err));
            else TRY(write_manifest(w, p, content, m));
            w->manifests_kept += p->carried != NULL;
            for (size_t k = 0; k < m->entry_count; k++)
                if (m->entries[k].status != ICE_DELETED) frz__ice_count(&w->total, &m->entries[k].file);
        }
    }
    return FRZ_OK;
}

/* Each data manifest without a first row id takes the next, and with it as many as it has live rows; its entries without one share that in order. Rows with explicit ids leave holes. */
static int assign_row_ids(struct ice_work *w)
{
    int64_t next = w->base->next_row_id;
    w->snap.first_row_id = next;
    for (size_t i = 0; i < w->out->tree.count; i++) {
        struct ice_manifest *m = &w->out->tree.manifests[i];
        if (m->content != 0 || m->first_row_id >= 0) continue;
        int64_t listed = ice_add(m->added_rows, m->existing_rows), rows = 0;
        m->first_row_id = next;
        for (size_t k = 0; k < m->entry_count; k++) {
            struct ice_entry *e = &m->entries[k];
            if (e->status == ICE_DELETED) continue;
            if (e->file.first_row_id < 0) {
                e->file.first_row_id = ice_add(next, rows);
                rows = ice_add(rows, e->file.record_count);
            }
        }
        if (__builtin_add_overflow(next, rows > listed ? rows : listed, &next)) return frz__err(w->err, FRZ_TOO_LARGE, "the table has used up its row ids");
    }
    w->snap.added_rows = next - w->base->next_row_id;
    w->next->next_row_id = next;
    return FRZ_OK;
}

static int build_list(struct ice_work *w)
{
    struct buf bytes = BUF_INIT(w->a, 0);
    const struct ice_tree *t = &w->out->tree;
    slice name;
    int rc = FRZ_OK;
    const struct ice_manifest **refs = (const struct ice_manifest **)frz__ice_array(&w->tmp, t->count, sizeof *refs, w->err);
    CHECK(refs ? FRZ_OK : FRZ_NO_MEMORY);
    for (size_t i = 0; i < t->count; i++) refs[i] = &t->manifests[i];
    CHECK(frz__ice_list_print(w->a, w->next, &w->snap, refs, t->count, &bytes, w->err));
    CHECK(frz__ice_printf(w->ar, &name, w->err, "metadata/snap-%" PRId64 "-%s.avro", w->env->snapshot_id, w->env->name_token));
    CHECK(frz__ice_printf(w->ar, &w->snap.manifest_list, w->err, "%.*s/%s", (int)w->base->location.len, (const char *)w->base->location.data, (const char *)name.data));
    CHECK(add_file(w, name, &bytes));
done:
    buf_clear(&bytes);
    return rc;
}

int frz__ice_tree_build(struct ice_work *w)
{
    struct plans by_content[2];
    for (int32_t content = 0; content < 2; content++) {
        TRY(plan_content(w, content, &by_content[content]));
        TRY(plan_merge(w, &by_content[content]));
    }
    TRY(build_manifests(w, by_content));
    if (w->base->format_version >= 3) TRY(assign_row_ids(w));
    return build_list(w);
}
