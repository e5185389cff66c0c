/* ice_check.c — do metadata and tree agree? For verify, and for tests after each commit. */
#include <stdlib.h>
#include "iceberg/ice_edit_int.h"

enum { IS_DATA = 1, IS_DELETES = 2, HAS_DV = 4 };
#define PATH_ARGS(s) (int)((s).len < 300 ? (s).len : 300), (const char *)(s).data

struct range { int64_t first, rows; };
struct check {
    const struct ice_meta *m;
    struct ice_names names;
    struct range *ranges;
    size_t range_count;
    frz_error *err;
};

static int check_file(struct check *c, const struct ice_manifest *m, const struct ice_entry *e)
{
    const struct ice_file *f = &e->file;
    if ((f->content == ICE_DATA) != (m->content == 0)) return frz__err_corrupt(c->err, "file %.*s: a manifest of %s holds it", PATH_ARGS(f->path), m->content ? "deletes" : "data");
    if (e->sequence_number > c->m->last_sequence_number)
        return frz__err_corrupt(c->err, "file %.*s: sequence number %" PRId64 " is beyond the table's last %" PRId64, PATH_ARGS(f->path), e->sequence_number, c->m->last_sequence_number);
    if (ice_is_dv(f)) {
        struct ice_name *n = frz__ice_names_add(&c->names, f->referenced_data_file);
        if (n->flags & HAS_DV) return frz__err_corrupt(c->err, "data file %.*s has two deletion vectors", PATH_ARGS(f->referenced_data_file));
        n->flags |= HAS_DV;
        return FRZ_OK;
    }
    struct ice_name *n = frz__ice_names_add(&c->names, f->path);
    if (n->flags & (IS_DATA | IS_DELETES)) return frz__err_corrupt(c->err, "file %.*s is live twice", PATH_ARGS(f->path));
    n->flags |= f->content == ICE_DATA ? IS_DATA : IS_DELETES;
    if (f->content == ICE_DATA && f->first_row_id >= 0) c->ranges[c->range_count++] = (struct range){f->first_row_id, f->record_count};
    return FRZ_OK;
}

static int check_manifest(struct check *c, const struct ice_manifest *m)
{
    int64_t files[3] = {0, 0, 0}, rows[3] = {0, 0, 0}, min = INT64_MAX;
    if (!m->loaded) return frz__err(c->err, FRZ_MISUSE, "manifest %.*s is not loaded", PATH_ARGS(m->path));
    for (size_t i = 0; i < m->entry_count; i++) {
        const struct ice_entry *e = &m->entries[i];
        files[e->status]++;
        rows[e->status] = ice_add(rows[e->status], e->file.record_count);
        if (e->status == ICE_DELETED) continue;
        if (e->sequence_number < min) min = e->sequence_number;
        TRY(check_file(c, m, e));
    }
    if (files[ICE_ADDED] != m->added_files || files[ICE_EXISTING] != m->existing_files || files[ICE_DELETED] != m->deleted_files || rows[ICE_ADDED] != m->added_rows ||
        rows[ICE_EXISTING] != m->existing_rows || rows[ICE_DELETED] != m->deleted_rows)
        return frz__err_corrupt(c->err, "manifest %.*s: the list's counts are not those of its entries", PATH_ARGS(m->path));
    if (min < m->min_sequence_number) return frz__err_corrupt(c->err, "manifest %.*s: an entry's sequence number %" PRId64 " is below the least %" PRId64, PATH_ARGS(m->path), min, m->min_sequence_number);
    return FRZ_OK;
}

static int cmp_range(const void *a, const void *b)
{
    const struct range *x = (const struct range *)a, *y = (const struct range *)b;
    return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : (x->rows > y->rows) - (x->rows < y->rows);
}

static int check_row_ids(struct check *c)
{
    int64_t end = 0;
    qsort(c->ranges, c->range_count, sizeof *c->ranges, cmp_range);
    for (size_t i = 0; i < c->range_count; i++) {
        const struct range *r = &c->ranges[i];
        if (r->first < end) return frz__err_corrupt(c->err, "two data files share row ids from %" PRId64, r->first);
        end = ice_add(r->first, r->rows);
    }
    if (c->range_count && end > c->m->next_row_id) return frz__err_corrupt(c->err, "row ids up to %" PRId64 " are given, but next-row-id is %" PRId64, end, c->m->next_row_id);
    return FRZ_OK;
}

/* ── a summary ── */

struct figure { const char *key; int64_t counted; };

/* OWN: what is not 0 has to be there. */
static int check_figures(const struct ice_snapshot *s, bool own, const struct figure *figures, size_t count, frz_error *err)
{
    for (size_t i = 0; i < count; i++) {
        slice text = frz__ice_summary(s, figures[i].key);
        int64_t said = 0;
        if (!text.data && (!own || figures[i].counted == 0)) continue;
        if (!text.data || !frz__ice_text_int(text, &said) || said != figures[i].counted)
            return frz__err_corrupt(err, "snapshot %" PRId64 ": its summary's %s is \"%.*s\", counted %" PRId64, s->id, figures[i].key,
                                    (int)(text.len < 32 ? text.len : 32), text.data ? (const char *)text.data : "", figures[i].counted);
    }
    return FRZ_OK;
}

static int64_t delete_files(const struct ice_counts *c) { return c->position_files + c->vectors + c->equality_files; }

/* What the commit added and removed. Only of our own: which of these another engine gives, and how it counts them, is its affair. */
static int check_changes(const struct ice_snapshot *s, const struct ice_counts *a, const struct ice_counts *r, frz_error *err)
{
    const struct figure figures[] = {
        {"added-data-files", a->data_files},
        {"deleted-data-files", r->data_files},
        {"added-records", a->records},
        {"deleted-records", r->records},
        {"added-delete-files", delete_files(a)},
        {"removed-delete-files", delete_files(r)},
        {"added-position-delete-files", a->position_files},
        {"removed-position-delete-files", r->position_files},
        {"added-dvs", a->vectors},
        {"removed-dvs", r->vectors},
        {"added-position-deletes", a->position_deletes},
        {"removed-position-deletes", r->position_deletes},
        {"added-files-size", a->bytes},
        {"removed-files-size", r->bytes},
    };
    const char *want = frz__ice_operation(a, r);
    TRY(check_figures(s, true, figures, FRZ_ARRAY_LEN(figures), err));
    if (!slice_eq(s->operation, slice_str("replace")) && !slice_eq(s->operation, slice_str(want)))
        return frz__err_corrupt(err, "snapshot %" PRId64 ": its operation is \"%.*s\", by its files it is %s", s->id,
                                (int)(s->operation.len < 32 ? s->operation.len : 32), (const char *)s->operation.data, want);
    return FRZ_OK;
}

int frz__ice_summary_check(const struct ice_snapshot *s, const struct ice_tree *tree, frz_error *err)
{
    struct ice_counts total = {0}, added = {0}, removed = {0};
    bool own = slice_eq(frz__ice_summary(s, "engine-name"), slice_str("frazil"));
    for (size_t m = 0; m < tree->count; m++) {
        for (size_t i = 0; i < tree->manifests[m].entry_count; i++) {
            const struct ice_entry *e = &tree->manifests[m].entries[i];
            if (e->status != ICE_DELETED) frz__ice_count(&total, &e->file);
            if (e->status != ICE_EXISTING && e->snapshot_id == s->id) frz__ice_count(e->status == ICE_ADDED ? &added : &removed, &e->file);
        }
    }
    const struct figure totals[] = {
        {"total-records", total.records},
        {"total-files-size", total.bytes},
        {"total-data-files", total.data_files},
        {"total-delete-files", delete_files(&total)},
        {"total-position-deletes", total.position_deletes},
        {"total-equality-deletes", total.equality_deletes},
    };
    TRY(check_figures(s, own, totals, FRZ_ARRAY_LEN(totals), err));
    return own ? check_changes(s, &added, &removed, err) : FRZ_OK;
}

/* ── a table ── */

int frz__ice_tree_check(const allocator *a, const struct ice_meta *m, const struct ice_tree *tree, frz_error *err)
{
    struct arena tmp = ARENA_INIT(a);
    struct check c = {.m = m, .err = err};
    size_t entries = 0;
    int rc = FRZ_OK;
    for (size_t i = 0; i < tree->count; i++) entries += tree->manifests[i].entry_count;
    CHECK(frz__ice_names_init(&c.names, &tmp, entries, err));
    c.ranges = (struct range *)frz__ice_array(&tmp, entries, sizeof *c.ranges, err);
    CHECK(c.ranges ? FRZ_OK : FRZ_NO_MEMORY);
    for (size_t i = 0; i < tree->count; i++) CHECK(check_manifest(&c, &tree->manifests[i]));
    for (size_t i = 0; i < c.names.cap; i++) {
        const struct ice_name *n = &c.names.slots[i];
        if (!(n->flags & HAS_DV) || n->flags & IS_DATA) continue;
        rc = frz__err_corrupt(err, "data file %.*s has a deletion vector, but is not live", PATH_ARGS(n->path));
        goto done;
    }
    CHECK(check_row_ids(&c));
    const struct ice_snapshot *now = frz__ice_snapshot(m, m->current_snapshot_id);
    if (now) CHECK(frz__ice_summary_check(now, tree, err));
done:
    frz__arena_clear(&tmp);
    return rc;
}
