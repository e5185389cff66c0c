#include "engine/deletes.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/paths.h"
#include "iceberg/ice_posdel.h"
#include "puffin/puffin.h"

#define TARGETS_SCOPED_MAX 64 /* touched data files that get a delete file each */
#define PER_FILE_MAX       4  /* delete files that name a data file */
#define SHARED_MAX         3  /* of them, those that name others too: one is always left for its own */

void frz__deletes_init(struct delete_plan *p, struct table *t) { *p = (struct delete_plan){.t = t, .ar = ARENA_INIT(t->a)}; }

static bool among(const slice *list, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(list[i], slice_str(path))) return true;
    return false;
}

static bool is_puffin(const struct delfile *d)
{
    size_t n = strlen(d->path);
    return n > 7 && strcmp(d->path + n - 7, ".puffin") == 0;
}

static int remove_delfile(struct delete_plan *p, const char *path, frz_error *err)
{
    if (among(p->removed, p->removed_count, path)) return FRZ_OK;
    TRY(frz__grow(p->t->a, (void **)&p->removed, p->removed_count, &p->removed_cap, sizeof *p->removed, err));
    char *copy = frz__arena_strndup(&p->ar, path, strlen(path)); /* the table's own goes when the books are brought up to date */
    if (!copy) return frz__err_no_memory(err, strlen(path));
    p->removed[p->removed_count++] = slice_str(copy);
    return FRZ_OK;
}

/* ── positions by data file, gathered from fresh ones and old delete files ── */

struct posset { slice path; struct buf positions; };
struct gathering {
    struct delete_plan *p;
    struct posset *sets;
    size_t count, cap;
    const slice *gone;
    size_t gone_count;
    const struct delfile *from; /* the old one that is being read: what it says of data files that it does not mask is left behind */
    uint64_t total;
};

static int add_set(struct gathering *g, slice path, const uint64_t *positions, size_t count, frz_error *err)
{
    size_t i = 0;
    while (i < g->count && !slice_eq(g->sets[i].path, path)) i++;
    if (i == g->count) {
        TRY(frz__grow(g->p->t->a, (void **)&g->sets, g->count, &g->cap, sizeof *g->sets, err));
        char *copy = frz__arena_strndup(&g->p->ar, (const char *)path.data, path.len);
        if (!copy) return frz__err_no_memory(err, path.len);
        g->sets[g->count++] = (struct posset){slice_of(copy, path.len), BUF_INIT(g->p->t->a, 0)};
    }
    g->total += count;
    return buf_append(&g->sets[i].positions, positions, count * sizeof *positions, err);
}

static bool names(const struct delfile *d, slice path)
{
    for (size_t i = 0; i < d->target_count; i++)
        if (slice_eq(slice_str(d->targets[i]), path)) return true;
    return false;
}

static int on_old_positions(void *ctx, slice path, const int64_t *positions, size_t count, frz_error *err)
{
    struct gathering *g = (struct gathering *)ctx;
    for (size_t i = 0; i < g->gone_count; i++)
        if (slice_eq(g->gone[i], path)) return FRZ_OK;
    return names(g->from, path) ? add_set(g, path, (const uint64_t *)(const void *)positions, count, err) : FRZ_OK;
}

static int read_old(struct gathering *g, const char *iceberg_path, struct codec_ctx *codec, frz_error *err)
{
    struct table *t = g->p->t;
    char *path = NULL;
    struct file *f = NULL;
    uint64_t bytes = 0, rows = 0;
    int rc = FRZ_OK;
    CHECK(frz__path_relative(t, t->version->meta->location, slice_str(iceberg_path), &path, err));
    rc = frz__fs_open(t->db->fs, path, FS_OPEN_READ, &f, err);
    if (rc == FRZ_NOT_FOUND) rc = frz__err_corrupt(err, "%s: delete file %s is missing", t->name, path);
    if (rc < 0) goto done;
    CHECK(frz__file_size(f, &bytes, err));
    CHECK(frz__posdel_read(t->a, frz__sst_source(f, bytes, path), codec, on_old_positions, g, &rows, err));
done:
    rc = frz__first(rc, frz__file_close(f, err));
    frz__free(t->a, path);
    return rc;
}

/* D's positions come along, and D goes. */
static int gather_old(struct gathering *g, const struct delfile *d, struct codec_ctx *codec, frz_error *err)
{
    g->from = d;
    TRY(read_old(g, d->path, codec, err));
    return remove_delfile(g->p, d->path, err);
}

static int cmp_del(const void *a, const void *b)
{
    const struct delfile *x = *(const struct delfile *const *)a, *y = *(const struct delfile *const *)b;
    return (x->positions > y->positions) - (x->positions < y->positions);
}

/* So that with the one that is written no more than MOST stay: when there would be more, the small ones of OLD go, and further ones while they are no larger than what goes already. */
static int gather_small(struct gathering *g, const struct delfile **old, size_t count, size_t most, struct codec_ctx *codec, frz_error *err)
{
    if (count < most) return FRZ_OK;
    qsort(old, count, sizeof *old, cmp_del);
    for (size_t i = 0; i < count && (count - i >= most || old[i]->positions <= g->total); i++) TRY(gather_old(g, old[i], codec, err));
    return FRZ_OK;
}

static int cmp_set(const void *a, const void *b) { return slice_cmp(((const struct posset *)a)->path, ((const struct posset *)b)->path); }

static void clear_sets(struct gathering *g)
{
    for (size_t i = 0; i < g->count; i++) buf_clear(&g->sets[i].positions);
    g->count = 0;
}

/* ── one new file ── */

static int open_new(struct delete_plan *p, const char *name, struct file **out, slice *iceberg_path, frz_error *err)
{
    struct table *t = p->t;
    char *uri = NULL, *path = NULL;
    size_t cap = p->open_cap;
    TRY(frz__grow(t->a, (void **)&p->open, p->open_count, &cap, sizeof *p->open, err));
    if (cap != p->open_cap) {
        char **paths = (char **)frz__realloc(t->a, p->paths, cap * sizeof *paths);
        if (!paths) return frz__err_no_memory(err, cap * sizeof *paths);
        p->paths = paths;
        p->open_cap = cap;
    }
    TRY(frz__data_file_new(t, t->version->meta->location, name, out, &path, &uri, err));
    p->paths[p->open_count] = path;
    p->open[p->open_count++] = *out;
    const char *copy = frz__arena_strndup(&p->ar, uri, strlen(uri));
    frz__free(t->a, uri);
    if (!copy) return frz__err_no_memory(err, 1);
    *iceberg_path = slice_str(copy);
    return FRZ_OK;
}

static int next_added(struct delete_plan *p, struct ice_file **file, struct delfile **del, frz_error *err)
{
    size_t cap = p->added_cap;
    TRY(frz__grow(p->t->a, (void **)&p->added, p->added_count, &cap, sizeof *p->added, err));
    if (cap != p->added_cap) {
        struct delfile *fresh = (struct delfile *)frz__realloc(p->t->a, p->fresh, cap * sizeof *fresh);
        if (!fresh) return frz__err_no_memory(err, cap * sizeof *fresh);
        p->fresh = fresh;
        p->added_cap = cap;
    }
    *file = &p->added[p->added_count];
    *del = &p->fresh[p->added_count++];
    **file = (struct ice_file){0};
    **del = (struct delfile){0};
    return FRZ_OK;
}

static int name_target(struct delete_plan *p, struct delfile *d, slice path, frz_error *err)
{
    char **targets = (char **)frz__realloc(p->t->a, d->targets, (d->target_count + 1) * sizeof *targets);
    if (!targets) return frz__err_no_memory(err, sizeof *targets);
    d->targets = targets;
    char *copy = frz__strndup(p->t->a, (const char *)path.data, path.len);
    if (!copy) return frz__err_no_memory(err, path.len);
    d->targets[d->target_count++] = copy;
    d->named++;
    return FRZ_OK;
}

struct file_sink { struct file *f; uint64_t at; };
static int sink_append(void *ctx, slice bytes, frz_error *err)
{
    struct file_sink *s = (struct file_sink *)ctx;
    TRY(frz__file_write(s->f, s->at, bytes.data, bytes.len, err));
    s->at += bytes.len;
    return FRZ_OK;
}

/* Sets → one position-delete file. */
static int write_posdel(struct delete_plan *p, struct posset *sets, size_t count, struct codec_ctx *codec, const char *token, frz_error *err)
{
    struct table *t = p->t;
    struct ice_file *file = NULL;
    struct delfile *del = NULL;
    struct file_sink sink = {0};
    slice path;
    char name[128];
    int rc = FRZ_OK;
    struct posdel_target *targets = (struct posdel_target *)frz__alloc_array(t->a, count, sizeof *targets);
    if (!targets) return frz__err_no_memory(err, count * sizeof *targets);
    qsort(sets, count, sizeof *sets, cmp_set);
    for (size_t i = 0; i < count; i++) {
        uint64_t *pos = (uint64_t *)(void *)sets[i].positions.data;
        targets[i] = (struct posdel_target){sets[i].path, pos, frz__positions_sort(pos, sets[i].positions.len / sizeof *pos)};
    }
    snprintf(name, sizeof name, "frz-%s-d%zu.parquet", token, p->open_count);
    CHECK(open_new(p, name, &sink.f, &path, err));
    CHECK(next_added(p, &file, &del, err));
    CHECK(frz__posdel_write(t->a, targets, count, t->settings.codec, codec, (struct pq_sink){&sink, sink_append}, &p->ar, file, err));
    file->path = path;
    del->positions = (uint64_t)file->record_count;
    del->path = frz__strndup(t->a, (const char *)path.data, path.len);
    if (!del->path) rc = frz__err_no_memory(err, path.len);
    for (size_t i = 0; rc >= 0 && i < count; i++) rc = name_target(p, del, targets[i].path, err);
done:
    frz__free(t->a, targets);
    return rc;
}

/* ── v2 ── */

/* Those that stay and name PATH, with others or alone → OUT, which has room for all; how many. */
static size_t naming(const struct delete_plan *p, slice path, bool alone, const struct delfile **out)
{
    const struct table *t = p->t;
    size_t n = 0;
    for (size_t i = 0; i < t->del_count; i++) {
        const struct delfile *d = &t->dels[i];
        if ((d->target_count == 1) == alone && names(d, path) && !among(p->removed, p->removed_count, d->path)) out[n++] = d;
    }
    return n;
}

static int gathered(struct gathering *g, struct codec_ctx *codec, const char *token, frz_error *err)
{
    return g->count ? write_posdel(g->p, g->sets, g->count, codec, token, err) : FRZ_OK;
}

static int make_scoped(struct delete_plan *p, const struct delete_change *c, const struct delfile **old, struct codec_ctx *codec, const char *token, frz_error *err)
{
    struct gathering g = {.p = p};
    slice path = slice_str(c->iceberg_path);
    int rc = FRZ_OK;
    CHECK(add_set(&g, path, c->fresh, c->fresh_count, err));
    size_t shared = naming(p, path, false, old), room = shared < PER_FILE_MAX ? PER_FILE_MAX - shared : 1;
    CHECK(gather_small(&g, old, naming(p, path, true, old), room, codec, err));
    CHECK(gathered(&g, codec, token, err));
done:
    clear_sets(&g);
    frz__free(p->t->a, g.sets);
    return rc;
}

static int make_shared(struct delete_plan *p, const struct delete_change *changes, size_t count, const slice *gone, size_t gone_count, const struct delfile **old, struct codec_ctx *codec, const char *token,
                       frz_error *err)
{
    struct table *t = p->t;
    struct gathering g = {.p = p, .gone = gone, .gone_count = gone_count};
    size_t shared = 0;
    int rc = FRZ_OK;
    for (size_t i = 0; i < count; i++) CHECK(add_set(&g, slice_str(changes[i].iceberg_path), changes[i].fresh, changes[i].fresh_count, err));
    for (size_t i = 0; i < t->del_count; i++)
        if (t->dels[i].target_count > 1 && !among(p->removed, p->removed_count, t->dels[i].path)) old[shared++] = &t->dels[i];
    CHECK(gather_small(&g, old, shared, SHARED_MAX, codec, err));
    for (size_t i = 0; i < count; i++) { /* one more of many: where that is one too many, its own go into it */
        slice path = slice_str(changes[i].iceberg_path);
        size_t with_others = naming(p, path, false, old), own = naming(p, path, true, old);
        for (size_t k = 0; k < own && with_others + own >= PER_FILE_MAX; k++) CHECK(gather_old(&g, old[k], codec, err));
    }
    CHECK(gathered(&g, codec, token, err));
done:
    clear_sets(&g);
    frz__free(t->a, g.sets);
    return rc;
}

/* Delete files half of whose data files are gone are written anew, together, for those that live: else what they say of the dead stays for ever (hazards 18). */
static int renew_half_dead(struct delete_plan *p, const slice *gone, size_t gone_count, struct codec_ctx *codec, const char *token, frz_error *err)
{
    struct table *t = p->t;
    struct gathering g = {.p = p, .gone = gone, .gone_count = gone_count};
    int rc = FRZ_OK;
    for (size_t i = 0; i < t->del_count; i++) {
        const struct delfile *d = &t->dels[i];
        size_t live = 0;
        if (d->named < 2 || is_puffin(d) || among(p->removed, p->removed_count, d->path)) continue;
        for (size_t k = 0; k < d->target_count; k++) live += !among(gone, gone_count, d->targets[k]);
        if (live * 2 <= d->named) CHECK(gather_old(&g, d, codec, err));
    }
    CHECK(gathered(&g, codec, token, err));
done:
    clear_sets(&g);
    frz__free(t->a, g.sets);
    return rc;
}

static int make_v2(struct delete_plan *p, const struct delete_change *changes, size_t count, const slice *gone, size_t gone_count, struct codec_ctx *codec, const char *token, frz_error *err)
{
    const struct delfile **old = (const struct delfile **)frz__alloc_array(p->t->a, p->t->del_count + 1, sizeof *old);
    int rc = old ? renew_half_dead(p, gone, gone_count, codec, token, err) : frz__err_no_memory(err, p->t->del_count * sizeof *old);
    if (rc >= 0 && count > TARGETS_SCOPED_MAX) rc = make_shared(p, changes, count, gone, gone_count, old, codec, token, err);
    for (size_t i = 0; rc >= 0 && count <= TARGETS_SCOPED_MAX && i < count; i++) rc = make_scoped(p, &changes[i], old, codec, token, err);
    frz__free(p->t->a, (void *)old);
    return rc;
}

/* ── v3 ── */

struct collect { struct buf *out; frz_error *err; };
static int collect_positions(void *ctx, const uint64_t *positions, size_t count)
{
    struct collect *c = (struct collect *)ctx;
    return buf_append(c->out, positions, count * sizeof *positions, c->err);
}

static bool has_live_dv(const struct table *t, const char *data_path)
{
    const struct ice_tree *tree = &t->version->tree;
    for (size_t m = 0; m < tree->count; m++) {
        if (tree->manifests[m].content != 1) continue;
        for (size_t i = 0; i < tree->manifests[m].entry_count; i++) {
            const struct ice_entry *e = &tree->manifests[m].entries[i];
            if (e->status != ICE_DELETED && e->file.content_offset >= 0 && slice_eq(e->file.referenced_data_file, slice_str(data_path))) return true;
        }
    }
    return false;
}

/* A Puffin file for one data file's deletion vector. One file could hold many, and most readers take that; DuckDB 1.5.5 applies one vector of a shared file to other data files too, and loses rows. */
static int make_dv(struct delete_plan *p, const struct delete_change *change, const char *token, frz_error *err)
{
    struct table *t = p->t;
    struct buf file = BUF_INIT(t->a, 0), positions = BUF_INIT(t->a, 0), bytes = BUF_INIT(t->a, 0);
    struct collect c = {&positions, err};
    struct puffin_blob blob = {.referenced_data_file = slice_str(change->iceberg_path)};
    struct ice_file *add = NULL;
    struct delfile *del = NULL;
    struct file *f = NULL;
    slice path;
    char name[128];
    int rc = FRZ_OK;
    CHECK(frz__mask_walk(change->mask, collect_positions, &c));
    blob.cardinality = positions.len / 8;
    CHECK(frz__dv_encode((const uint64_t *)(void *)positions.data, (size_t)blob.cardinality, &bytes, err));
    blob.bytes = buf_slice(&bytes);
    if (has_live_dv(t, change->iceberg_path)) {
        CHECK(frz__grow(t->a, (void **)&p->removed_dvs, p->removed_dv_count, &p->removed_dv_cap, sizeof *p->removed_dvs, err));
        p->removed_dvs[p->removed_dv_count++] = blob.referenced_data_file;
    }
    CHECK(frz__puffin_write_dvs(&blob, 1, &file, err));
    snprintf(name, sizeof name, "frz-%s-dv%zu.puffin", token, p->open_count);
    CHECK(open_new(p, name, &f, &path, err));
    CHECK(frz__file_write(f, 0, file.data, file.len, err));
    CHECK(next_added(p, &add, &del, err));
    *add = (struct ice_file){.content = ICE_POSITION_DELETES, .path = path, .format = slice_str("PUFFIN"), .record_count = (int64_t)blob.cardinality, .file_size = (int64_t)file.len,
        .sort_order_id = -1, .first_row_id = -1, .content_offset = (int64_t)blob.offset, .content_size = (int64_t)blob.bytes.len};
    char *target = frz__arena_strndup(&p->ar, change->iceberg_path, strlen(change->iceberg_path));
    del->path = frz__strndup(t->a, (const char *)path.data, path.len);
    if (!target || !del->path) {
        rc = frz__err_no_memory(err, path.len);
        goto done;
    }
    add->referenced_data_file = slice_str(target);
    del->positions = blob.cardinality;
    CHECK(name_target(p, del, add->referenced_data_file, err));
done:
    buf_clear(&file);
    buf_clear(&positions);
    buf_clear(&bytes);
    return rc;
}

static int make_v3(struct delete_plan *p, const struct delete_change *changes, size_t count, const char *token, frz_error *err)
{
    for (size_t i = 0; i < count; i++) TRY(make_dv(p, &changes[i], token, err));
    return FRZ_OK;
}

/* What a commit leaves of D's data files: neither gone nor, where D is of format 2 in a table that is now of format 3, with a deletion vector, which holds all that D says. */
static bool still_masks(const struct delete_plan *p, const struct delfile *d, const slice *gone, size_t gone_count, const char *target)
{
    if (among(gone, gone_count, target)) return false;
    if (p->t->format_version >= 3 && !is_puffin(d) && has_live_dv(p->t, target)) return false; /* of an earlier commit: who reads the table anew finds D naming it still */
    for (size_t i = 0; i < p->added_count && !is_puffin(d); i++)
        if (p->added[i].content_offset > 0 && slice_eq(p->added[i].referenced_data_file, slice_str(target))) return false;
    return true;
}

/* ── the whole ── */

/* Delete files that mask nothing any more. A deletion vector goes with its data file in ice_apply. */
static int drop_dead(struct delete_plan *p, const slice *gone, size_t gone_count, frz_error *err)
{
    struct table *t = p->t;
    for (size_t i = 0; i < t->del_count; i++) {
        const struct delfile *d = &t->dels[i];
        size_t live = 0;
        for (size_t k = 0; k < d->target_count; k++) live += still_masks(p, d, gone, gone_count, d->targets[k]);
        if (live == 0 && !is_puffin(d)) TRY(remove_delfile(p, d->path, err));
    }
    return FRZ_OK;
}

int frz__deletes_make(struct delete_plan *p, const struct delete_change *changes, size_t count, const slice *gone, size_t gone_count, const char *token, frz_error *err)
{
    struct codec_ctx *codec = NULL;
    int rc = FRZ_OK;
    CHECK(frz__codec_take(p->t->db, &codec, err));
    if (p->t->format_version >= 3) CHECK(make_v3(p, changes, count, token, err));
    CHECK(drop_dead(p, gone, gone_count, err));
    if (p->t->format_version < 3) CHECK(make_v2(p, changes, count, gone, gone_count, codec, token, err));
done:
    frz__codec_give(p->t->db, codec);
    return rc;
}

void frz__deletes_done(struct delete_plan *p, const slice *gone, size_t gone_count, int64_t sequence)
{
    struct table *t = p->t;
    size_t k = 0;
    for (size_t i = 0; i < t->del_count; i++) {
        struct delfile *d = &t->dels[i];
        size_t live = 0;
        bool replaced = among(p->removed, p->removed_count, d->path);
        for (size_t j = 0; j < d->target_count; j++) {
            if (!still_masks(p, d, gone, gone_count, d->targets[j]) || (is_puffin(d) && among(p->removed_dvs, p->removed_dv_count, d->targets[j]))) frz__free(t->a, d->targets[j]);
            else d->targets[live++] = d->targets[j];
        }
        d->target_count = live;
        if (live && !replaced) {
            t->dels[k++] = *d;
            continue;
        }
        bool shared = false; /* a Puffin file goes when its last deletion vector does */
        for (size_t j = 0; j < k; j++) shared |= strcmp(t->dels[j].path, d->path) == 0;
        for (size_t j = i + 1; j < t->del_count; j++) shared |= strcmp(t->dels[j].path, d->path) == 0;
        char *relative = NULL;
        if (!shared && frz__path_relative(t, t->version->meta->location, slice_str(d->path), &relative, NULL) >= 0 && frz__expire_add(t, relative, 0, sequence, NULL) < 0)
            frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s is left to the next sweep", t->name, d->path);
        frz__delfile_clear(t->a, d);
    }
    t->del_count = k;
    for (size_t i = 0; i < p->added_count; i++) {
        if (frz__grow(t->a, (void **)&t->dels, t->del_count, &t->del_cap, sizeof *t->dels, NULL) < 0) {
            frz__delfile_clear(t->a, &p->fresh[i]); /* not known: it is merged later than it could be */
            continue;
        }
        t->dels[t->del_count++] = p->fresh[i];
        p->fresh[i] = (struct delfile){0};
    }
}

void frz__deletes_clear(struct delete_plan *p, bool committed)
{
    struct table *t = p->t;
    for (size_t i = 0; i < p->open_count; i++) {
        (void)frz__file_close(p->open[i], NULL);
        if (!committed && frz__fs_unlink(t->db->fs, p->paths[i], NULL) < 0) frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s is left to the next sweep", t->name, p->paths[i]);
        frz__free(t->a, p->paths[i]);
    }
    for (size_t i = 0; i < p->added_count; i++) frz__delfile_clear(t->a, &p->fresh[i]);
    frz__free(t->a, p->open);
    frz__free(t->a, p->paths);
    frz__free(t->a, p->added);
    frz__free(t->a, p->fresh);
    frz__free(t->a, p->removed);
    frz__free(t->a, p->removed_dvs);
    frz__arena_clear(&p->ar);
}
