/* ice_expire.c — which snapshots and refs the next metadata still has. Files are another matter: the engine deletes them when nobody needs them.
 *
 * Kept        what a ref points at; of each branch the ancestors that are young enough or among the first so many, by the branch's own settings or the table's; snapshots of no branch while
 *             young enough. Refs but main go when their snapshot is older than max-ref-age.
 * Ladder      frazil.retention keeps more of main's history, whatever its age (ice_retention.h). What it thins out leaves gaps in the chain of parents: what is behind one is of main unless another
 *             branch has it.
 * Capped      frazil.snapshots-max: of the snapshots kept only by the table's settings, with the current one, no more than that: what the ladder keeps before what is only young or recent, newest first.
 *             What a ref or its own settings keep is beside it.
 * On demand   ice_expire_by: a time in place of age and ladder, a count in place of the least, and single snapshots beside; single snapshots with neither are all that goes. Refs and their own settings hold.
 * Source      Iceberg spec "Snapshot Retention Policy"; Java RemoveSnapshots                                                       */
#include <stdlib.h>
#include "iceberg/ice_edit_int.h"
#include "iceberg/ice_retention.h"

#define MAX_AGE_MS   432000000 /* Iceberg's: 5 days */
#define MIN_TO_KEEP  1

enum { KEEP = 1 /* a ref, or its own settings */, KEEP_TABLE = 2 /* the table's settings only */, KEEP_LADDER = 4 /* of these, its ladder */ };

enum { SEEN_TAG = 1, SEEN_BRANCH = 2, SEEN_MAIN = 4 };

struct by_id { int64_t id; size_t index; };
struct expiry {
    struct ice_meta *m;
    struct by_id *ids;
    uint8_t *keep; /* by index in m->snapshots */
    int64_t now_ms;
    int64_t max_age_ms, min_to_keep, max_ref_age_ms;
    const struct ice_expire_by *by; /* not NULL */
};

static int cmp_id(const void *a, const void *b)
{
    int64_t x = ((const struct by_id *)a)->id, y = ((const struct by_id *)b)->id;
    return (x > y) - (x < y);
}

static int64_t find(const struct expiry *x, int64_t id)
{
    struct by_id key = {id, 0};
    const struct by_id *hit = (const struct by_id *)bsearch(&key, x->ids, x->m->snapshot_count, sizeof *x->ids, cmp_id);
    return hit ? (int64_t)hit->index : -1;
}

static bool within(const struct expiry *x, size_t i, int64_t age_ms)
{
    int64_t age;
    if (__builtin_sub_overflow(x->now_ms, x->m->snapshots[i].timestamp_ms, &age)) age = x->now_ms < 0 ? INT64_MIN : INT64_MAX;
    return age <= age_ms;
}

/* By the table's rule. */
static bool young(const struct expiry *x, size_t i)
{
    return x->by->by_time ? x->m->snapshots[i].timestamp_ms >= x->by->older_than_ms : within(x, i, x->max_age_ms);
}

/* From the head towards the root, until an ancestor is neither young enough nor early enough. */
static void keep_branch(struct expiry *x, size_t head, const struct ice_ref_settings *s)
{
    bool own_age = s->max_snapshot_age_ms >= 0, own_least = s->min_snapshots_to_keep >= 0;
    int64_t least = own_least ? s->min_snapshots_to_keep : x->min_to_keep;
    int64_t at = (int64_t)head;
    for (size_t n = 0; at >= 0 && n < x->m->snapshot_count; n++) { /* bounded: parents from elsewhere may go in a ring */
        bool early = (int64_t)n < least, fresh = own_age ? within(x, (size_t)at, s->max_snapshot_age_ms) : young(x, (size_t)at);
        if (!early && !fresh) break;
        bool own = (early && own_least) || (fresh && own_age);
        x->keep[at] |= own ? KEEP : KEEP_TABLE;
        int64_t parent = x->m->snapshots[at].parent_id;
        at = parent > 0 ? find(x, parent) : -1;
    }
}

/* Marks what a branch has among its ancestors. */
static void mark_ancestors(const struct expiry *x, size_t head, uint8_t *seen, uint8_t mark)
{
    for (int64_t at = (int64_t)head; at >= 0 && !(seen[at] & mark);) {
        seen[at] |= mark;
        int64_t parent = x->m->snapshots[at].parent_id;
        at = parent > 0 ? find(x, parent) : -1;
    }
}

static int expire_refs(struct expiry *x, uint8_t *seen, frz_error *err)
{
    struct ice_meta *m = x->m;
    size_t kept = 0;
    for (size_t i = 0; i < m->ref_count; i++) {
        struct ice_ref r = m->refs[i];
        struct ice_ref_settings s;
        TRY(frz__ice_ref_settings(&r, &s, err));
        int64_t head = find(x, r.snapshot_id), age = s.max_ref_age_ms >= 0 ? s.max_ref_age_ms : x->max_ref_age_ms;
        bool is_main = slice_eq(r.name, slice_str("main"));
        if (head < 0 || (!is_main && !within(x, (size_t)head, age))) continue;
        m->refs[kept++] = r;
        x->keep[head] |= is_main ? KEEP_TABLE : KEEP;
        if (r.is_tag) {
            seen[head] |= SEEN_TAG;
            continue;
        }
        keep_branch(x, (size_t)head, &s);
        mark_ancestors(x, (size_t)head, seen, is_main ? SEEN_MAIN : SEEN_BRANCH);
    }
    m->ref_count = kept;
    return FRZ_OK;
}

/* A ladder that is none (another engine set it) keeps nothing. */
static int keep_ladder(struct expiry *x, struct arena *tmp, const uint8_t *seen, frz_error *err)
{
    struct ice_meta *m = x->m;
    struct ice_retention ladder;
    slice text = frz__ice_property(m, "frazil.retention");
    if (!text.data || x->by->by_time || frz__ice_retention_parse(text, &ladder, NULL) < 0) return FRZ_OK;
    size_t n = 0, *index = (size_t *)frz__ice_array(tmp, m->snapshot_count, sizeof *index, err);
    int64_t *times = (int64_t *)frz__ice_array(tmp, m->snapshot_count, sizeof *times, err);
    bool *keep = (bool *)frz__ice_array(tmp, m->snapshot_count, sizeof *keep, err);
    if (!index || !times || !keep) return FRZ_NO_MEMORY;
    for (size_t i = m->snapshot_count; i-- > 0;) {
        if (seen[i] & SEEN_BRANCH && !(seen[i] & SEEN_MAIN)) continue;
        index[n] = i;
        times[n++] = m->snapshots[i].timestamp_ms;
    }
    frz__ice_retention_mark(&ladder, times, n, keep);
    for (size_t i = 0; i < n; i++)
        if (keep[i]) x->keep[index[i]] |= KEEP_TABLE | KEEP_LADDER;
    return FRZ_OK;
}

static int keep_by_rules(struct expiry *x, struct arena *tmp, uint8_t *seen, frz_error *err)
{
    TRY(expire_refs(x, seen, err));
    for (size_t i = 0; i < x->m->snapshot_count; i++)
        if (!seen[i] && young(x, i)) x->keep[i] |= KEEP_TABLE;
    return keep_ladder(x, tmp, seen, err);
}

static const struct ice_ref *ref_at(const struct ice_meta *m, int64_t snapshot_id)
{
    for (size_t i = 0; i < m->ref_count; i++)
        if (m->refs[i].snapshot_id == snapshot_id) return &m->refs[i];
    return NULL;
}

static int expire_asked(struct expiry *x, frz_error *err)
{
    for (size_t i = 0; i < x->by->id_count; i++) {
        int64_t id = x->by->ids[i], at = find(x, id);
        const struct ice_ref *r = ref_at(x->m, id);
        if (at < 0) return frz__err(err, FRZ_CONFLICT, "snapshot %" PRId64 " is not retained", id);
        if (r) return frz__err(err, FRZ_INVALID, "snapshot %" PRId64 " is what %s %.*s names: it can't be expired", id, r->is_tag ? "tag" : "branch", (int)r->name.len, (const char *)r->name.data);
        x->keep[at] = 0;
    }
    return FRZ_OK;
}

/* The current one always, then the ladder's, then the others; newest first. */
static void cap(struct expiry *x, int64_t max)
{
    struct ice_meta *m = x->m;
    int64_t current = find(x, m->current_snapshot_id), left = max;
    if (current >= 0 && x->keep[current] && !(x->keep[current] & KEEP)) {
        x->keep[current] |= KEEP;
        left--;
    }
    for (int ladder = 1; ladder >= 0; ladder--) {
        for (size_t i = m->snapshot_count; i-- > 0;) {
            if (!x->keep[i] || x->keep[i] & KEEP || !(x->keep[i] & KEEP_LADDER) != !ladder) continue;
            if (left > 0) left--;
            else x->keep[i] = 0;
        }
    }
}

/* Entries before and at one whose snapshot is gone say nothing true about when which snapshot was current. */
static void trim_log(struct expiry *x)
{
    struct ice_meta *m = x->m;
    size_t n = 0;
    for (size_t i = 0; i < m->snapshot_log_count; i++) {
        int64_t at = find(x, m->snapshot_log[i].snapshot_id);
        if (at < 0 || !x->keep[at]) n = 0;
        else m->snapshot_log[n++] = m->snapshot_log[i];
    }
    m->snapshot_log_count = n;
}

/* Statistics files of snapshots that went. */
static int trim_statistics(const struct expiry *x, const allocator *a, struct arena *ar, slice *json, frz_error *err)
{
    struct json *list = NULL;
    struct buf text = BUF_INIT(a, 0), one = BUF_INIT(a, 0);
    struct jw w = JW_INIT(&text, err);
    bool trimmed = false;
    int rc = frz__json_parse(*json, &list, err);
    if (rc < 0) goto done;
    frz__jw_array(&w);
    for (size_t i = 0; i < frz__json_len(list); i++) {
        const struct json *v = frz__json_at(list, i), *id = frz__json_get(v, "snapshot-id");
        int64_t at = frz__json_kind(id) == JK_INT ? find(x, frz__json_int(id)) : -1;
        if (at >= 0 && !x->keep[at]) {
            trimmed = true;
            continue;
        }
        buf_reset(&one);
        CHECK(frz__json_dump(v, &one, err));
        frz__jw_raw(&w, buf_slice(&one));
    }
    frz__jw_array_end(&w);
    CHECK(frz__jw_end(&w));
    if (trimmed) CHECK(frz__ice_dup(ar, buf_slice(&text), json, err));
done:
    buf_clear(&text);
    buf_clear(&one);
    frz__json_free(list);
    return rc;
}

static int drop_snapshots(struct expiry *x, const allocator *a, struct arena *ar, int64_t **expired, size_t *count, frz_error *err)
{
    struct ice_meta *m = x->m;
    size_t n = 0;
    if (!(*expired = (int64_t *)frz__ice_array(ar, m->snapshot_count, sizeof **expired, err))) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < m->snapshot_count; i++)
        if (!x->keep[i]) (*expired)[(*count)++] = m->snapshots[i].id;
    if (*count == 0) return FRZ_OK;
    trim_log(x);
    TRY(trim_statistics(x, a, ar, &m->statistics, err));
    TRY(trim_statistics(x, a, ar, &m->partition_statistics, err));
    for (size_t i = 0; i < m->snapshot_count; i++)
        if (x->keep[i]) m->snapshots[n++] = m->snapshots[i];
    m->snapshot_count = n;
    return FRZ_OK;
}

int frz__ice_expire(const allocator *a, struct arena *ar, struct arena *tmp, struct ice_meta *m, int64_t now_ms, const struct ice_expire_by *by, int64_t **expired, size_t *expired_count,
                    frz_error *err)
{
    static const struct ice_expire_by rules = {.by_time = false};
    struct expiry x = {.m = m, .now_ms = now_ms, .by = by ? by : &rules};
    size_t n = m->snapshot_count;
    *expired_count = 0;
    x.ids = (struct by_id *)frz__ice_array(tmp, n, sizeof *x.ids, err);
    x.keep = (uint8_t *)frz__ice_array(tmp, n, 1, err);
    uint8_t *seen = (uint8_t *)frz__ice_array(tmp, n, 1, err);
    if (!x.ids || !x.keep || !seen) return FRZ_NO_MEMORY;
    for (size_t i = 0; i < n; i++) x.ids[i] = (struct by_id){m->snapshots[i].id, i};
    qsort(x.ids, n, sizeof *x.ids, cmp_id);
    x.max_age_ms = frz__ice_property_int(m, "history.expire.max-snapshot-age-ms", 1, MAX_AGE_MS);
    x.min_to_keep = frz__ice_property_int(m, "history.expire.min-snapshots-to-keep", 1, MIN_TO_KEEP);
    if (x.by->keep_last > 0) x.min_to_keep = x.by->keep_last;
    x.max_ref_age_ms = frz__ice_property_int(m, "history.expire.max-ref-age-ms", 1, INT64_MAX);

    bool named_alone = x.by->id_count && !x.by->by_time && x.by->keep_last <= 0;
    if (named_alone) memset(x.keep, KEEP, n);
    else TRY(keep_by_rules(&x, tmp, seen, err));
    TRY(expire_asked(&x, err));
    if (!named_alone) cap(&x, frz__ice_property_int(m, "frazil.snapshots-max", 1, ICE_SNAPSHOTS_MAX));
    return drop_snapshots(&x, a, ar, expired, expired_count, err);
}

int frz__ice_tags_last(const struct ice_meta *m, const struct ice_meta *base, int64_t now_ms, const struct ice_tag *tags, size_t count, frz_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (tags[i].remove || frz__ice_ref(m, tags[i].name)) continue;
        int64_t id = tags[i].snapshot_id ? tags[i].snapshot_id : m->current_snapshot_id, max = tags[i].max_ref_age_ms;
        const struct ice_snapshot *s = frz__ice_snapshot(base, id);
        if (!s) s = frz__ice_snapshot(m, id);
        int64_t since = s ? s->timestamp_ms : 0, age = 0;
        if (__builtin_sub_overflow(now_ms, since, &age)) age = INT64_MAX;
        const char *whose = max ? "the tag's max-ref-age-ms" : "the table's history.expire.max-ref-age-ms";
        if (!max) max = frz__ice_property_int(m, "history.expire.max-ref-age-ms", 1, INT64_MAX);
        return frz__err(err, FRZ_INVALID, "tag %.*s would go at once: snapshot %" PRId64 " is %" PRId64 " ms old, and %s is %" PRId64, (int)tags[i].name.len, (const char *)tags[i].name.data, id, age, whose,
                        max);
    }
    return FRZ_OK;
}

int frz__ice_expire_plan(const allocator *a, struct arena *ar, const struct ice_meta *base, int64_t now_ms, const struct ice_expire_by *by, int64_t **ids, size_t *count, frz_error *err)
{
    struct arena tmp = ARENA_INIT(a);
    struct ice_meta *m = NULL;
    int rc = frz__ice_meta_copy(ar, base, &m, err);
    if (rc >= 0) rc = frz__ice_expire(a, ar, &tmp, m, now_ms > base->last_updated_ms ? now_ms : base->last_updated_ms, by, ids, count, err);
    frz__ice_meta_release(m);
    frz__arena_clear(&tmp);
    return rc;
}
