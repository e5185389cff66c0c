/* sweep.c — orphans: files of our own names that no retained snapshot names.
 *
 * A name carries the version that it was made for: one beyond the current version was never committed, and goes at once; one at or before it expired, and waits out the grace of foreign readers. Names that are
 * not ours may be another engine's, in flight: they are left alone. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/paths.h"
#include "engine/recover.h"

struct nameset { const allocator *a; char **names; size_t count, cap; };

static int add_name(struct nameset *s, slice path, frz_error *err)
{
    const uint8_t *slash = (const uint8_t *)memrchr(path.data, '/', path.len);
    size_t skip = slash ? (size_t)(slash - path.data) + 1 : 0;
    TRY(frz__grow(s->a, (void **)&s->names, s->count, &s->cap, sizeof *s->names, err));
    char *copy = frz__strndup(s->a, (const char *)path.data + skip, path.len - skip);
    if (!copy) return frz__err_no_memory(err, path.len);
    s->names[s->count++] = copy;
    return FRZ_OK;
}
static int cmp_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static bool has_name(const struct nameset *s, const char *name) { return s->count && bsearch(&name, s->names, s->count, sizeof name, cmp_name); }
static void clear_names(struct nameset *s)
{
    for (size_t i = 0; i < s->count; i++) frz__free(s->a, s->names[i]);
    frz__free(s->a, s->names);
}

static int read_small(struct table *t, slice path, struct buf *out, frz_error *err)
{
    char *relative = NULL;
    TRY(frz__path_relative(t, t->version->meta->location, path, &relative, err));
    buf_reset(out);
    int rc = frz__fs_read_file(t->db->fs, relative, (size_t)256 << 20, out, err);
    frz__free(t->a, relative);
    return rc;
}

/* Every file that a retained snapshot needs. */
static int collect_needed(struct table *t, struct nameset *s, frz_error *err)
{
    const struct ice_meta *m = t->version->meta;
    struct arena ar = ARENA_INIT(t->a);
    struct buf bytes = BUF_INIT(t->a, 0);
    struct nameset seen = {.a = t->a};
    int rc = FRZ_OK;
    for (size_t i = 0; i < m->snapshot_count; i++) {
        struct ice_tree tree = {0};
        CHECK(add_name(s, m->snapshots[i].manifest_list, err));
        rc = read_small(t, m->snapshots[i].manifest_list, &bytes, err);
        if (rc == FRZ_NOT_FOUND) continue; /* an old snapshot whose list is gone: others' doing; nothing more to keep */
        CHECK(rc);
        CHECK(frz__ice_list_parse(t->a, &ar, buf_slice(&bytes), &tree, err));
        for (size_t k = 0; k < tree.count; k++) {
            struct ice_manifest *man = &tree.manifests[k];
            size_t before = seen.count;
            bool again = false;
            for (size_t j = 0; j < before && !again; j++) again = man->path.len >= strlen(seen.names[j]) && memcmp(man->path.data + man->path.len - strlen(seen.names[j]), seen.names[j], strlen(seen.names[j])) == 0;
            if (again) continue;
            CHECK(add_name(&seen, man->path, err));
            CHECK(add_name(s, man->path, err));
            rc = read_small(t, man->path, &bytes, err);
            if (rc == FRZ_NOT_FOUND) continue;
            CHECK(rc);
            CHECK(frz__ice_manifest_parse(t->a, &ar, buf_slice(&bytes), man, err));
            for (size_t e = 0; e < man->entry_count; e++)
                if (man->entries[e].status != ICE_DELETED) CHECK(add_name(s, man->entries[e].file.path, err));
        }
    }
    if (s->count) qsort(s->names, s->count, sizeof *s->names, cmp_name);
done:
    clear_names(&seen);
    buf_clear(&bytes);
    frz__arena_clear(&ar);
    return rc < 0 ? rc : FRZ_OK;
}

static bool skip_text(const char **at, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*at, text, n) != 0) return false;
    *at += n;
    return true;
}

/* Digits of BASE in lower case, LEAST to MOST of them, and what they say. */
static bool skip_number(const char **at, unsigned base, size_t least, size_t most, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (*out = 0; n < most; n++) {
        const char *d = (*at)[n] ? strchr(digits, (*at)[n]) : NULL;
        if (!d || d >= digits + base) break;
        *out = *out * base + (uint64_t)(d - digits);
    }
    *at += n;
    return n >= least;
}

/* "frz-<token>-…" or "snap-<id>-<token>.avro": the version it was made for; -1 = not a name of ours. To the letter: other engines have
 * "snap-<id>-<attempt>-<uuid>.avro", and what they have not committed yet is theirs. */
static int64_t version_of(const char *name)
{
    uint64_t id, epoch, version, n, noise;
    bool list = skip_text(&name, "snap-");
    if (list && !(skip_number(&name, 10, 1, 19, &id) && skip_text(&name, "-"))) return -1;
    if (!list && !skip_text(&name, "frz-")) return -1;
    if (!skip_number(&name, 16, 1, 16, &epoch) || !skip_text(&name, "-")) return -1; /* frz__db_token */
    if (!skip_number(&name, 10, 1, 18, &version) || !skip_text(&name, "-")) return -1;
    if (!skip_number(&name, 10, 1, 19, &n) || !skip_text(&name, "-") || !skip_number(&name, 16, 8, 8, &noise)) return -1;
    return (list ? strcmp(name, ".avro") == 0 : *name == '-') ? (int64_t)version : -1;
}

/* A version that fell out of the metadata log, by a commit that was cut short before it removed it. */
static bool is_old_metadata(const struct table *t, const char *name)
{
    const struct ice_meta *m = t->version->meta;
    int64_t number = 0;
    int used = 0;
    if (sscanf(name, "v%18" SCNd64 ".metadata.json%n", &number, &used) != 1 || used == 0 || name[used] || number >= t->version->number) return false;
    if (!frz__ice_property_bool(m, "write.metadata.delete-after-commit.enabled", false)) return false;
    for (size_t i = 0; i < m->metadata_log_count; i++) {
        slice file = m->metadata_log[i].file;
        size_t n = strlen(name);
        if (file.len > n && file.data[file.len - n - 1] == '/' && memcmp(file.data + file.len - n, name, n) == 0) return false;
    }
    return true;
}

static int sweep_dir(struct table *t, const char *sub, const struct nameset *needed, frz_error *err)
{
    struct buf names = BUF_INIT(t->a, 0);
    char dir[PATH_BYTES], path[PATH_BYTES];
    const char *name;
    int64_t idle_us = frz__clock_wall_us() - t->version->meta->last_updated_ms * 1000, now = frz__clock_mono_ns() / 1000;
    int rc = frz__path(dir, err, "%s/%s", t->dir, sub);
    if (rc >= 0) rc = frz__names_list(t->db->fs, dir, false, &names, err);
    for (size_t at = 0; rc >= 0 && (name = frz__names_next(&names, &at));) {
        bool temp = strncmp(name, ".tmp-", 5) == 0;
        if (is_old_metadata(t, name)) temp = true;
        int64_t version = version_of(name);
        if (!temp && (version < 0 || has_name(needed, name))) continue;
        rc = frz__path(path, err, "%s/%s", dir, name);
        if (rc < 0) break;
        if (temp || version > t->version->number) {
            rc = frz__fs_unlink(t->db->fs, path, err);
            if (rc >= 0) stat_add(&t->db->orphans_removed, 1);
            frz__log(&t->db->log, FRZ_LOG_INFO, "%s: %s, which a crash left, is removed", t->name, path);
            continue;
        }
        char *copy = frz__strdup(t->a, path);
        rc = copy ? frz__expire_add(t, copy, 0, 0, err) : frz__err_no_memory(err, strlen(path));
        if (rc >= 0) t->pending[t->pending_count - 1].since_us = now - (idle_us > 0 ? idle_us : 0) - 1; /* it has been unneeded since the last commit at the latest */
    }
    buf_clear(&names);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__recover_sweep(struct table *t, frz_error *err)
{
    struct nameset needed = {.a = t->a};
    int rc = collect_needed(t, &needed, err);
    if (rc >= 0) rc = sweep_dir(t, "data", &needed, err);
    if (rc >= 0) rc = sweep_dir(t, "metadata", &needed, err);
    clear_names(&needed);
    return rc;
}
