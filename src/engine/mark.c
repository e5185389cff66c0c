#include "engine/mark.h"

#include <stdio.h>
#include <string.h>

#include "engine/paths.h"

#define METADATA_BYTES_MAX ((size_t)256 << 20)

/* ── the set ── */

static slice base_name(slice path)
{
    const uint8_t *slash = (const uint8_t *)(path.len ? memrchr(path.data, '/', path.len) : NULL);
    size_t skip = slash ? (size_t)(slash - path.data) + 1 : 0;
    return slice_of(path.data + skip, path.len - skip);
}

static struct mark *find_slot(struct mark *slots, size_t cap, slice name)
{
    size_t i = (size_t)frz__hash64(name) & (cap - 1);
    while (slots[i].name.data && !slice_eq(slots[i].name, name)) i = (i + 1) & (cap - 1);
    return &slots[i];
}

static int make_room(struct marks *s, frz_error *err)
{
    if (s->count * 2 < s->cap) return FRZ_OK;
    size_t cap = s->cap ? s->cap * 2 : 1024;
    struct mark *slots = (struct mark *)frz__alloc_array(s->a, cap, sizeof *slots);
    if (!slots) return frz__err_no_memory(err, cap * sizeof *slots);
    memset(slots, 0, cap * sizeof *slots);
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i].name.data) *find_slot(slots, cap, s->slots[i].name) = s->slots[i];
    frz__free(s->a, s->slots);
    s->slots = slots;
    s->cap = cap;
    return FRZ_OK;
}

/* M's name is taken from PATH. What is there already stays as it is. */
static int put(struct marks *s, slice path, struct mark m, bool *fresh, frz_error *err)
{
    slice name = base_name(path);
    TRY(make_room(s, err));
    struct mark *slot = find_slot(s->slots, s->cap, name);
    *fresh = !slot->name.data;
    if (slot->name.data || !name.len) return FRZ_OK;
    char *copy = frz__arena_strndup(&s->ar, (const char *)name.data, name.len);
    if (!copy) return frz__err_no_memory(err, name.len);
    *slot = m;
    slot->name = slice_of(copy, name.len);
    s->count++;
    return FRZ_OK;
}

int frz__marks_add(struct marks *s, slice path, frz_error *err)
{
    bool fresh;
    return put(s, path, (struct mark){0}, &fresh, err);
}

const struct mark *frz__marks_find(const struct marks *s, const char *name)
{
    const struct mark *slot = s->count ? find_slot(s->slots, s->cap, slice_str(name)) : NULL;
    return slot && slot->name.data ? slot : NULL;
}

void frz__marks_clear(struct marks *s)
{
    frz__free(s->a, s->slots);
    frz__arena_clear(&s->ar);
    *s = MARKS_INIT(s->a);
}

/* ── the walk ── */

struct walk {
    struct table *t;
    slice location;
    struct marks *s;
    struct buf bytes;
    const struct ice_snapshot *at; /* the snapshot at hand: the current one first, then the newest first: who sees a file first is the last that needs it */
    bool current;
};

static struct mark mark_of(const struct walk *w, int64_t added) { return (struct mark){.added = added, .last = w->at->sequence_number, .current = w->current}; }

/* FRZ_NOT_FOUND: it is not there; or it is outside of the table, where nothing is ours to remove. */
static int read_path(struct walk *w, slice path, frz_error *err)
{
    char *relative = NULL;
    int rc = frz__path_relative(w->t, w->location, path, &relative, err);
    if (rc == FRZ_UNSUPPORTED) return FRZ_NOT_FOUND;
    buf_reset(&w->bytes);
    if (rc >= 0) rc = frz__fs_read_file(w->t->db->fs, relative, METADATA_BYTES_MAX, &w->bytes, err);
    frz__free(w->t->a, relative);
    return rc;
}

/* The file at PATH is named; *READ: it is in w->bytes, for the first time. */
static int read_marked(struct walk *w, slice path, int64_t sequence, const char *what, bool *read, frz_error *err)
{
    *read = false;
    TRY(put(w->s, path, mark_of(w, sequence), read, err));
    if (!*read) return FRZ_OK;
    int rc = read_path(w, path, err);
    *read = rc == FRZ_OK;
    if (rc != FRZ_NOT_FOUND) return rc;
    return w->current ? frz__err_corrupt(err, "%s: %s %.*s is missing", w->t->name, what, (int)path.len, path.data) : FRZ_OK;
}

static int mark_manifest(struct walk *w, struct ice_manifest *m, frz_error *err)
{
    struct arena ar = ARENA_INIT(w->t->a);
    bool read, fresh;
    int rc = read_marked(w, m->path, m->sequence_number, "manifest", &read, err);
    if (rc < 0 || !read) goto done;
    CHECK_CTX(frz__ice_manifest_parse(w->t->a, &ar, buf_slice(&w->bytes), m, err), err, "%s: manifest %.*s", w->t->name, (int)m->path.len, m->path.data);
    for (size_t e = 0; e < m->entry_count; e++)
        if (m->entries[e].status != ICE_DELETED) CHECK(put(w->s, m->entries[e].file.path, mark_of(w, m->entries[e].sequence_number), &fresh, err));
done:
    frz__arena_clear(&ar);
    return rc;
}

static int mark_snapshot(struct walk *w, const struct ice_snapshot *s, frz_error *err)
{
    struct arena ar = ARENA_INIT(w->t->a);
    struct ice_tree tree = {0};
    bool read;
    w->at = s;
    int rc = read_marked(w, s->manifest_list, s->sequence_number, "manifest list", &read, err);
    if (rc < 0 || !read) goto done;
    CHECK_CTX(frz__ice_list_parse(w->t->a, &ar, buf_slice(&w->bytes), &tree, err), err, "%s: manifest list %.*s", w->t->name, (int)s->manifest_list.len, s->manifest_list.data);
    for (size_t k = 0; k < tree.count; k++) CHECK(mark_manifest(w, &tree.manifests[k], err));
done:
    frz__arena_clear(&ar);
    return rc;
}

/* Of a snapshot; of none that is retained, they stay as long as they are named. */
static int mark_statistics(struct walk *w, const struct ice_meta *m, slice json, frz_error *err)
{
    struct json *list = NULL;
    if (!json.len) return FRZ_OK;
    int rc = frz__json_parse(json, &list, err);
    for (size_t i = 0; rc >= 0 && i < frz__json_len(list); i++) {
        const struct json *one = frz__json_at(list, i);
        bool fresh;
        w->at = frz__ice_snapshot(m, frz__json_int(frz__json_get(one, "snapshot-id")));
        w->current = !w->at || w->at->id == m->current_snapshot_id;
        rc = put(w->s, frz__json_str(frz__json_get(one, "statistics-path")), w->at ? mark_of(w, w->at->sequence_number) : (struct mark){.current = true}, &fresh, err);
    }
    frz__json_free(list);
    return rc;
}

static int mark_meta(struct table *t, const struct ice_meta *m, bool is_newest, struct marks *s, frz_error *err)
{
    struct walk w = {.t = t, .location = m->location, .s = s, .bytes = BUF_INIT(t->a, METADATA_BYTES_MAX)};
    int rc = FRZ_OK;
    CHECK(mark_statistics(&w, m, m->statistics, err));
    CHECK(mark_statistics(&w, m, m->partition_statistics, err));
    const struct ice_snapshot *now = frz__ice_snapshot(m, m->current_snapshot_id);
    w.current = is_newest;
    if (now && now->manifest_list.len) CHECK(mark_snapshot(&w, now, err));
    w.current = false;
    for (size_t i = m->snapshot_count; i-- > 0;)
        if (m->snapshots[i].manifest_list.len) CHECK(mark_snapshot(&w, &m->snapshots[i], err));
done:
    buf_clear(&w.bytes);
    return rc;
}

int frz__mark_version(struct table *t, const struct version *v, struct marks *s, frz_error *err) { return mark_meta(t, v->meta, true, s, err); }

/* v12, 00012-550e8400-…: a version of the table; what else ends so may be one that was never committed. */
static bool is_version(const char *name)
{
    size_t n = strlen(name), end = sizeof ".metadata.json" - 1, digits = strspn(name, "0123456789");
    if (n <= end || strcmp(name + n - end, ".metadata.json") != 0) return false;
    return frz__metadata_number(name) > 0 || (digits && digits < 8 && name[digits] == '-');
}

static int mark_file(struct table *t, const char *path, struct marks *s, frz_error *err)
{
    struct arena ar = ARENA_INIT(t->a);
    struct buf bytes = BUF_INIT(t->a, METADATA_BYTES_MAX);
    struct ice_meta *m = NULL;
    int rc = frz__fs_read_file(t->db->fs, path, METADATA_BYTES_MAX, &bytes, err);
    if (rc == FRZ_NOT_FOUND) rc = FRZ_OK; /* it fell out of the log since */
    else if (rc >= 0) {
        rc = frz__ice_meta_parse(t->a, &ar, buf_slice(&bytes), &m, err);
        if (rc >= 0) rc = mark_meta(t, m, false, s, err);
        if (rc < 0) frz__err_context(err, "%s: %s", t->name, path);
    }
    frz__ice_meta_release(m);
    buf_clear(&bytes);
    frz__arena_clear(&ar);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__mark_all_versions(struct table *t, struct marks *s, frz_error *err)
{
    struct buf names = BUF_INIT(t->a, 0);
    char dir[PATH_BYTES], path[PATH_BYTES];
    const char *name;
    int rc = frz__path(dir, err, "%s/metadata", t->dir);
    if (rc >= 0) rc = frz__names_list(t->db->fs, dir, false, &names, err);
    for (size_t at = 0; rc >= 0 && (name = frz__names_next(&names, &at));) {
        if (!is_version(name)) continue;
        rc = frz__path(path, err, "%s/%s", dir, name);
        if (rc >= 0) rc = mark_file(t, path, s, err);
    }
    buf_clear(&names);
    return rc < 0 ? rc : FRZ_OK;
}

/* ── names ── */

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

bool frz__own_name(const char *name, struct own_name *out)
{
    uint64_t id, version, noise;
    bool list = skip_text(&name, "snap-");
    if (list && !(skip_number(&name, 10, 1, 19, &id) && skip_text(&name, "-"))) return false;
    if (!list && !skip_text(&name, "frz-")) return false;
    if (!skip_number(&name, 16, 1, 16, &out->epoch) || !skip_text(&name, "-")) return false;
    if (!skip_number(&name, 10, 1, 18, &version) || !skip_text(&name, "-")) return false;
    if (!skip_number(&name, 10, 1, 19, &out->n) || !skip_text(&name, "-") || !skip_number(&name, 16, 8, 8, &noise)) return false;
    out->version = (int64_t)version;
    return list ? strcmp(name, ".avro") == 0 : *name == '-';
}

int64_t frz__metadata_number(const char *name)
{
    int64_t number = 0;
    int used = 0;
    if (name[0] != 'v' || name[1] < '0' || name[1] > '9') return -1;
    return sscanf(name, "v%18" SCNd64 ".metadata.json%n", &number, &used) == 1 && used > 0 && name[used] == 0 ? number : -1;
}

bool frz__metadata_is_old(const struct version *v, const char *name)
{
    const struct ice_meta *m = v->meta;
    int64_t number = frz__metadata_number(name);
    if (number < 0 || number >= v->number || !frz__ice_property_bool(m, "write.metadata.delete-after-commit.enabled", false)) return false;
    for (size_t i = 0; i < m->metadata_log_count; i++)
        if (slice_eq(base_name(m->metadata_log[i].file), slice_str(name))) return false;
    return true;
}
