/* verify.c — the checker: metadata against manifests, manifests against files, files against themselves, and over all files one live row a key.
 * The flush lane is held while it is found out which version that is; then its snapshots are, so that no file of theirs goes, and the table goes on. */
#include "engine/verify.h"

#include <stdio.h>

#include "iceberg/ice_posdel.h"

struct verify {
    struct table *t;
    struct version *v;
    struct version_holds holds;
    verify_fn fn;
    void *ctx;
    frz_verify_report *report;
    struct codec_ctx *codec;
    const char *file;
};

/* TEXT without the NAME that it begins with: each is said once in a finding. */
static const char *behind(const char *text, const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n && strncmp(text, name, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

static int found(struct verify *x, const char *where, const char *fmt, ...) FRZ_PRINTF(3, 4);
static int found(struct verify *x, const char *where, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    if (atomic_load(&x->t->dropped)) return FRZ_CANCELLED; /* its files go, and that is no finding */
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    x->report->findings++;
    frz_finding f = {.struct_size = sizeof f, .table = x->t->name, .where = where, .what = behind(behind(behind(what, x->t->name), x->file), where)};
    return x->fn ? x->fn(x->ctx, &f) : 0;
}

/* ── metadata ── */

/* Beside a writer a snapshot may expire while it is looked at. */
static bool expired_since(struct verify *x, int64_t id)
{
    struct version *now = NULL;
    bool gone = frz__version_load(x->t, &now, NULL) == FRZ_OK && !frz__ice_snapshot(now->meta, id);
    frz__version_release(now);
    return gone;
}

/* One that is not the current one: its manifests can be read, and its summary is what they say. */
static int check_snapshot(struct verify *x, const char *where, const struct ice_snapshot *s)
{
    struct arena ar = ARENA_INIT(x->t->a);
    struct ice_tree tree = {0};
    frz_error why = {0};
    int rc = frz__version_tree(x->t, &ar, x->v->meta, s, &tree, &why);
    if (rc == FRZ_OK) rc = frz__ice_summary_check(s, &tree, &why);
    if (rc != FRZ_OK && rc != FRZ_NO_MEMORY) rc = expired_since(x, s->id) ? FRZ_OK : found(x, where, "%s", why.message);
    frz__arena_clear(&ar);
    return rc;
}

static int check_metadata(struct verify *x)
{
    const struct ice_meta *m = x->v->meta;
    frz_error why;
    char where[64];
    snprintf(where, sizeof where, "v%" PRId64 ".metadata.json", x->v->number);
    int64_t last = 0;
    for (size_t i = 0; i < m->snapshot_log_count; i++) {
        if (m->snapshot_log[i].timestamp_ms < last - 60000) TRY(found(x, where, "snapshot-log entry %zu goes back in time", i));
        last = m->snapshot_log[i].timestamp_ms;
    }
    if (m->last_updated_ms < last - 60000) TRY(found(x, where, "last-updated-ms is before the newest snapshot-log entry"));
    for (size_t i = 0; i < m->snapshot_count; i++)
        if (m->snapshots[i].sequence_number > m->last_sequence_number) TRY(found(x, where, "snapshot %" PRId64 " has a sequence number beyond last-sequence-number", m->snapshots[i].id));
    int rc = frz__ice_snapshot(m, m->current_snapshot_id) ? frz__ice_tree_check(x->t->a, m, &x->v->tree, &why) : FRZ_OK;
    if (rc == FRZ_CORRUPT) rc = found(x, where, "%s", why.message);
    for (size_t i = 0; rc >= 0 && i < m->snapshot_count; i++)
        if (m->snapshots[i].id != m->current_snapshot_id && m->snapshots[i].manifest_list.len) rc = check_snapshot(x, where, &m->snapshots[i]);
    return rc;
}

/* ── one data file ── */

static int on_file_finding(void *ctx, const char *where, const char *what)
{
    struct verify *x = (struct verify *)ctx;
    char at[512];
    snprintf(at, sizeof at, "%s: %s", x->file, behind(where, x->file));
    return found(x, at, "%s", what);
}

static const struct ice_entry *entry_of(const struct verify *x, const char *iceberg_path)
{
    const struct ice_tree *tree = &x->v->tree;
    for (size_t m = 0; m < tree->count; m++)
        for (size_t i = 0; i < tree->manifests[m].entry_count; i++)
            if (tree->manifests[m].entries[i].status != ICE_DELETED && slice_eq(tree->manifests[m].entries[i].file.path, slice_str(iceberg_path))) return &tree->manifests[m].entries[i];
    return NULL;
}

struct column_check {
    const struct ice_col_stats *said;
    frz_value lower, upper;
    bool has_lower, has_upper;
    int64_t nulls, values;
    bool outside;
};

static void look_at(struct column_check *c, const struct vec *v)
{
    c->values += (int64_t)v->len;
    c->nulls += (int64_t)v->nulls;
    if (!c->has_lower && !c->has_upper) return;
    for (size_t i = 0; i < v->len && !c->outside; i++) {
        frz_value x;
        frz__vec_get(v, i, &x);
        if (value_is_null(&x) || (x.type == FRZ_FLOAT && x.as.f32 != x.as.f32) || (x.type == FRZ_DOUBLE && x.as.f64 != x.as.f64)) continue;
        c->outside = (c->has_lower && frz__value_cmp(&x, &c->lower) < 0) || (c->has_upper && frz__value_cmp(&x, &c->upper) > 0);
    }
}

/* The manifest's counts and bounds against every value, dead rows too: statistics are of the file. */
static int check_stats(struct verify *x, const struct vfile *f, const struct ice_entry *e, const frz_schema *s, frz_error *err)
{
    const allocator *a = x->t->a;
    struct sst_scan *scan = NULL;
    struct vecs rows = {.a = a};
    int rc = FRZ_OK;
    struct column_check *checks = (struct column_check *)frz__alloc_array(a, s->count, sizeof *checks);
    frz_type *types = (frz_type *)frz__alloc_array(a, s->count, sizeof *types);
    if (!checks || !types) {
        rc = frz__err_no_memory(err, s->count * sizeof *checks);
        goto done;
    }
    for (size_t i = 0; i < s->count; i++) {
        types[i] = s->columns[i].type;
        for (size_t k = 0; k < e->file.stats_count; k++)
            if (e->file.stats[k].field_id == s->columns[i].id) checks[i].said = &e->file.stats[k];
        const struct ice_col_stats *said = checks[i].said;
        checks[i].has_lower = said && said->lower.data && frz__value_from_single(said->lower, types[i], &checks[i].lower, NULL) >= 0;
        checks[i].has_upper = said && said->upper.data && frz__value_from_single(said->upper, types[i], &checks[i].upper, NULL) >= 0;
    }
    const struct sst_scan_options o = {.codec = x->codec};
    CHECK(frz__vecs_init(&rows, a, types, s->count, err));
    CHECK(frz__sst_scan_new(f->sst, &o, &scan, err));
    while ((rc = frz__sst_scan_next(scan, 16384, &rows, err)) == FRZ_OK)
        for (size_t i = 0; i < s->count; i++) look_at(&checks[i], &rows.cols[i]);
    if (rc < 0) goto done;
    rc = FRZ_OK;
    for (size_t i = 0; i < s->count; i++) {
        const struct column_check *c = &checks[i];
        if (!c->said) continue;
        if (c->outside) CHECK(found(x, x->file, "column %s has values outside the manifest's bounds", s->columns[i].name));
        if (c->said->null_count >= 0 && c->said->null_count != c->nulls) CHECK(found(x, x->file, "column %s has %" PRId64 " nulls, the manifest says %" PRId64, s->columns[i].name, c->nulls, c->said->null_count));
        if (c->said->value_count >= 0 && c->said->value_count != c->values)
            CHECK(found(x, x->file, "column %s has %" PRId64 " values, the manifest says %" PRId64, s->columns[i].name, c->values, c->said->value_count));
    }
done:
    frz__sst_scan_free(scan);
    frz__vecs_clear(&rows);
    frz__free(a, checks);
    frz__free(a, types);
    return rc;
}

static int check_file(struct verify *x, const struct vfile *f, const frz_schema *s, frz_error *err)
{
    uint64_t pages = 0;
    frz_error why = {0};
    x->file = f->sst->path;
    x->report->files++;
    x->report->rows += f->sst->rows;
    x->report->bytes += f->sst->bytes;
    uint64_t before = x->report->findings;
    int rc = frz__sst_verify(f->sst, on_file_finding, NULL, x, &pages, &why);
    x->report->pages += pages;
    const struct ice_entry *e = entry_of(x, f->iceberg_path);
    if (rc >= 0 && e) rc = check_stats(x, f, e, s, &why);
    if (rc == FRZ_NO_MEMORY) {
        if (err) *err = why;
        return rc;
    }
    if (rc == FRZ_CORRUPT && x->report->findings > before) rc = FRZ_OK; /* of what was found above */
    if (rc < 0) return found(x, x->file, "%s", why.message[0] ? why.message : "can't be read");
    if (x->v->meta->format_version >= 3 && f->first_row_id >= 0 && f->first_row_id + (int64_t)f->sst->rows > x->v->meta->next_row_id)
        TRY(found(x, x->file, "its row ids go beyond next-row-id %" PRId64, x->v->meta->next_row_id));
    return 0;
}

/* ── over all files ── */

static int check_one_live_row(struct verify *x, struct vfile *const *files, size_t count, const frz_schema *s, frz_error *err)
{
    const allocator *a = x->t->a;
    struct iter **its = (struct iter **)frz__alloc_array(a, count + 1, sizeof *its);
    struct buf text = BUF_INIT(a, 4096), last = BUF_INIT(a, 0);
    bool has_last = false;
    uint64_t duplicates = 0;
    size_t key_columns[64], n = 0;
    int rc = its ? FRZ_OK : frz__err_no_memory(err, count * sizeof *its);
    for (size_t i = 0; i < s->key_count && i < FRZ_ARRAY_LEN(key_columns); i++) key_columns[i] = s->key[i];
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        if (!files[i]->sst->sorted) continue;
        struct sst_scan_options o = {.columns = key_columns, .column_count = s->key_count < 64 ? s->key_count : 64, .keys = true, .mask = files[i]->mask, .mask_fn = files[i]->mask ? frz__mask_clear_dead : NULL,
            .codec = x->codec};
        rc = frz__sst_iter_new(files[i]->sst, &o, &its[n], err);
        if (rc < 0) break;
        its[n]->tag = i;
        rc = iter_next(its[n++], err);
        if (rc == FRZ_DONE) iter_free(its[--n]);
    }
    while (rc >= 0 && n) {
        size_t least = 0;
        for (size_t i = 1; i < n; i++)
            if (slice_cmp(its[i]->key, its[least]->key) < 0) least = i;
        if (has_last && slice_eq(its[least]->key, buf_slice(&last)) && duplicates++ < 10) {
            buf_reset(&text);
            if (frz__key_print(s, its[least]->key, &text, NULL) < 0) buf_reset(&text);
            rc = found(x, files[its[least]->tag]->sst->path, "the key %.*s has more than one live row", (int)text.len, text.data ? (char *)text.data : "");
        }
        buf_reset(&last);
        if (rc >= 0) rc = buf_append_slice(&last, its[least]->key, err);
        has_last = true;
        if (rc >= 0) rc = iter_next(its[least], err);
        if (rc == FRZ_DONE) {
            iter_free(its[least]);
            its[least] = its[--n];
        }
    }
    for (size_t i = 0; i < n; i++) iter_free(its[i]);
    frz__free(a, its);
    buf_clear(&text);
    buf_clear(&last);
    return rc < 0 ? rc : 0;
}

/* ── position-delete files: sorted ── */

struct order { struct verify *x; struct buf path; int64_t pos; bool any, bad; };
static int on_positions(void *ctx, slice path, const int64_t *positions, size_t count, frz_error *err)
{
    struct order *o = (struct order *)ctx;
    int c = o->any ? slice_cmp(path, buf_slice(&o->path)) : 1;
    if (c < 0) o->bad = true;
    if (c != 0) {
        buf_reset(&o->path);
        TRY(buf_append_slice(&o->path, path, err));
        o->pos = -1;
    }
    o->any = true;
    for (size_t i = 0; i < count; i++) {
        if (positions[i] <= o->pos) o->bad = true;
        o->pos = positions[i];
    }
    return FRZ_OK;
}

static int check_delete_file(struct verify *x, const struct ice_entry *e, frz_error *err)
{
    struct table *t = x->t;
    struct order o = {.x = x, .path = BUF_INIT(t->a, 0)};
    char *path = NULL;
    struct file *f = NULL;
    frz_error why = {0};
    uint64_t rows = 0;
    int rc = frz__path_relative(t, x->v->meta->location, e->file.path, &path, &why);
    if (rc >= 0) rc = frz__fs_open(t->db->fs, path, FS_OPEN_READ, &f, &why);
    if (rc == FRZ_OK) rc = frz__posdel_read(t->a, frz__sst_source(f, (uint64_t)e->file.file_size, path), x->codec, on_positions, &o, &rows, &why);
    x->report->files++;
    if (rc != FRZ_OK) rc = found(x, path ? path : "delete file", "%s", why.message);
    else if (o.bad) rc = found(x, path, "its positions are not sorted by file and position");
    (void)frz__file_close(f, NULL);
    frz__free(t->a, path);
    buf_clear(&o.path);
    return rc;
}

/* ── a table ── */

static int verify_version(struct verify *x, frz_error *err)
{
    struct vfile **files = NULL;
    size_t count = 0;
    frz_error why = {0};
    TRY(check_metadata(x));
    const frz_schema *s = frz__ice_schema(x->v->meta, x->v->meta->current_schema_id);
    int rc = frz__version_files(x->t, x->v, x->v->meta->current_snapshot_id, &files, &count, NULL, NULL, &why);
    if (rc == FRZ_CORRUPT) return found(x, "files of the current snapshot", "%s", why.message);
    if (rc < 0) {
        if (err) *err = why;
        return rc;
    }
    for (size_t i = 0; rc >= 0 && i < count; i++) rc = check_file(x, files[i], s, err);
    if (rc >= 0 && !x->report->findings) rc = check_one_live_row(x, files, count, s, err);
    for (size_t m = 0; rc >= 0 && m < x->v->tree.count; m++)
        for (size_t i = 0; rc >= 0 && i < x->v->tree.manifests[m].entry_count; i++) {
            const struct ice_entry *e = &x->v->tree.manifests[m].entries[i];
            if (e->status != ICE_DELETED && e->file.content != ICE_DATA && e->file.content_offset < 0) rc = check_delete_file(x, e, err);
        }
    for (size_t i = 0; i < count; i++) frz__vfile_release(files[i]);
    frz__free(x->t->a, files);
    return rc < 0 ? rc : FRZ_OK;
}

/* The lane held, but by a reader. What is on disk is what is looked at; x->v NULL: there is a finding, or an error. */
static int take_version(struct verify *x, frz_error *err)
{
    struct table *t = x->t;
    frz_error why = {0};
    int rc = t->in_doubt ? frz__table_reload(t, &why) : FRZ_OK; /* what it knows may be older than what it wrote */
    if (rc >= 0) rc = frz__version_load(t, &x->v, &why); /* as a stranger would find it */
    if (rc == FRZ_NO_MEMORY && err) *err = why;
    if (rc != FRZ_OK) return rc == FRZ_NO_MEMORY ? rc : found(x, t->dir, "%s", why.message);
    if (t->db->set.read_only) return FRZ_OK; /* its version may be exchanged at any time, by a refresh */
    if (x->v->number == t->version->number) return frz__version_hold_all(t, x->v, &x->holds, err);
    rc = found(x, t->dir, "version %" PRId64 " is on disk, this process knows %" PRId64, x->v->number, t->version->number);
    frz__version_release(x->v);
    x->v = NULL;
    return rc;
}

int frz__verify_table(struct table *t, verify_fn fn, void *ctx, frz_verify_report *report, frz_error *err)
{
    struct verify x = {.t = t, .fn = fn, .ctx = ctx, .report = report};
    const bool lane = !t->db->set.read_only;
    frz_error why = {0};
    int rc = FRZ_OK;
    report->tables++;
    if (frz__table_broken(t, &why)) {
        rc = found(&x, t->dir, "%s", why.message) < 0 ? FRZ_CANCELLED : FRZ_OK;
        goto done;
    }
    if (frz__table_lost(t, &why) && found(&x, t->dir, "%s", why.message) < 0) rc = FRZ_CANCELLED;
    if (rc >= 0) rc = frz__codec_take(t->db, &x.codec, err);
    if (lane) frz__mutex_lock(&t->flush_mu);
    if (rc >= 0) rc = take_version(&x, err);
    if (lane) frz__mutex_unlock(&t->flush_mu);
    if (rc >= 0 && x.v) rc = verify_version(&x, err);
    frz__version_holds_release(t, &x.holds);
    frz__version_release(x.v);
    frz__codec_give(t->db, x.codec);
done:
    if (atomic_load(&t->dropped)) return frz__err(err, FRZ_NOT_FOUND, "table %s was dropped", t->name);
    return rc < 0 ? rc : FRZ_OK;
}
