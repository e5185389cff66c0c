#include "ship/table_list.h"

#include <stdlib.h>

#include "engine/paths.h"

struct listed {
    slice path;
    uint64_t bytes;
};
struct lister {
    struct table *t;
    const struct version *v;
    struct listed *at;
    size_t count, cap;
};

static int add(struct lister *l, slice path, int64_t bytes, frz_error *err)
{
    TRY(frz__grow(l->t->a, (void **)&l->at, l->count, &l->cap, sizeof *l->at, err));
    l->at[l->count++] = (struct listed){path, bytes > 0 ? (uint64_t)bytes : 0};
    return FRZ_OK;
}

static int add_tree(struct lister *l, const struct ice_snapshot *s, const struct ice_tree *tree, frz_error *err)
{
    TRY(add(l, s->manifest_list, 0, err));
    for (size_t i = 0; i < tree->count; i++) {
        const struct ice_manifest *m = &tree->manifests[i];
        TRY(add(l, m->path, m->length, err));
        for (size_t e = 0; e < m->entry_count; e++)
            if (m->entries[e].status != ICE_DELETED) TRY(add(l, m->entries[e].file.path, m->entries[e].file.file_size, err));
    }
    return FRZ_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct listed *x = (const struct listed *)a, *y = (const struct listed *)b;
    size_t n = x->path.len < y->path.len ? x->path.len : y->path.len;
    int c = memcmp(x->path.data, y->path.data, n);
    return c ? c : (x->path.len > y->path.len) - (x->path.len < y->path.len);
}

static int tell(struct lister *l, int (*fn)(void *ctx, const char *path, uint64_t bytes, frz_error *err), void *ctx, frz_error *err)
{
    if (l->count) qsort(l->at, l->count, sizeof *l->at, by_path);
    for (size_t i = 0; i < l->count; i++) {
        char *path = NULL;
        if (i && slice_eq(l->at[i].path, l->at[i - 1].path)) continue;
        TRY(frz__path_relative(l->t, l->v->meta->location, l->at[i].path, &path, err));
        int rc = fn(ctx, path, l->at[i].bytes, err);
        frz__free(l->t->a, path);
        if (rc) return rc;
    }
    return FRZ_OK;
}

/* The metadata file, the hint, and those of the metadata log that are there: it may name what is gone. */
static int tell_metadata(struct table *t, const struct version *v, int (*fn)(void *ctx, const char *path, uint64_t bytes, frz_error *err),
                         void *ctx, frz_error *err)
{
    char path[PATH_BYTES];
    TRY(frz__path(path, err, "%s/metadata/v%" PRId64 ".metadata.json", t->dir, v->number));
    TRY(fn(ctx, path, 0, err));
    TRY(frz__path(path, err, "%s/metadata/version-hint.text", t->dir));
    TRY(fn(ctx, path, 0, err));
    for (size_t i = 0; i < v->meta->metadata_log_count; i++) {
        char *old = NULL;
        bool there = false;
        TRY(frz__path_relative(t, v->meta->location, v->meta->metadata_log[i].file, &old, err));
        int rc = frz__fs_exists(t->db->fs, old, &there, err);
        if (rc >= 0 && there) rc = fn(ctx, old, 0, err);
        frz__free(t->a, old);
        TRY(rc);
    }
    return FRZ_OK;
}

int frz__table_list_files(struct table *t, const struct version *v, bool all,
                          int (*fn)(void *ctx, const char *path, uint64_t bytes, frz_error *err), void *ctx, frz_error *err)
{
    struct lister l = {.t = t, .v = v};
    struct arena ar = ARENA_INIT(t->a);
    const struct ice_meta *m = v->meta;
    int rc = FRZ_OK;
    for (size_t i = 0; i < m->snapshot_count; i++) {
        const struct ice_snapshot *s = &m->snapshots[i];
        struct ice_tree old = {0};
        if (s->id == m->current_snapshot_id) {
            CHECK(add_tree(&l, s, &v->tree, err));
        } else if (all) {
            CHECK(frz__version_tree(t, &ar, m, s, &old, err));
            CHECK(add_tree(&l, s, &old, err));
        }
    }
    if (all) CHECK(tell_metadata(t, v, fn, ctx, err));
    rc = tell(&l, fn, ctx, err);
done:
    frz__free(t->a, l.at);
    frz__arena_clear(&ar);
    return rc;
}
