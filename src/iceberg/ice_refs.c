/* ice_refs.c — branches and tags: found, read, and, for tags, written. Source: Iceberg spec, "Snapshot References". */
#include <stdio.h>

#include "base/utf8.h"
#include "iceberg/ice_edit_int.h"
#include "types/civil.h"

#define NAME_BYTES_MAX 255

const struct ice_ref *frz__ice_ref(const struct ice_meta *m, slice name)
{
    for (size_t i = 0; i < m->ref_count; i++)
        if (slice_eq(m->refs[i].name, name)) return &m->refs[i];
    return NULL;
}

int frz__ice_ref_settings(const struct ice_ref *r, struct ice_ref_settings *s, frz_error *err)
{
    struct json *j = NULL;
    *s = (struct ice_ref_settings){-1, -1, -1};
    TRY(frz__json_parse(r->json, &j, err));
    const struct { const char *key; int64_t *to; } want[] = {
        {"max-snapshot-age-ms", &s->max_snapshot_age_ms}, {"min-snapshots-to-keep", &s->min_snapshots_to_keep}, {"max-ref-age-ms", &s->max_ref_age_ms}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(want); i++) {
        const struct json *v = frz__json_get(j, want[i].key);
        if (frz__json_kind(v) == JK_INT && frz__json_int(v) > 0) *want[i].to = frz__json_int(v);
    }
    frz__json_free(j);
    return FRZ_OK;
}

static int check_name(slice name, frz_error *err)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX || memchr(name.data, 0, name.len) || frz__utf8_check(name) != name.len)
        return frz__err(err, FRZ_INVALID, "a tag's name is UTF-8 text of 1 to %d bytes without a zero byte", NAME_BYTES_MAX);
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < ' ' || name.data[i] == 0x7f) return frz__err(err, FRZ_INVALID, "a tag's name has no control characters");
    return slice_eq(name, slice_str("main")) ? frz__err(err, FRZ_INVALID, "main is the branch that writers write: it is no tag") : FRZ_OK;
}

static int print_tag(const allocator *a, struct arena *ar, const struct ice_tag *t, struct ice_ref *r, frz_error *err)
{
    struct buf text = BUF_INIT(a, 0);
    struct jw w = JW_INIT(&text, err);
    frz__jw_object(&w);
    frz__jw_key(&w, "snapshot-id");
    frz__jw_int(&w, r->snapshot_id);
    frz__jw_key(&w, "type");
    frz__jw_cstr(&w, "tag");
    if (t->max_ref_age_ms) {
        frz__jw_key(&w, "max-ref-age-ms");
        frz__jw_int(&w, t->max_ref_age_ms);
    }
    frz__jw_object_end(&w);
    int rc = frz__jw_end(&w);
    if (rc >= 0) rc = frz__ice_dup(ar, buf_slice(&text), &r->json, err);
    buf_clear(&text);
    return rc;
}

/* M has room for one more. */
static int apply_tag(const allocator *a, struct arena *ar, struct ice_meta *m, const struct ice_tag *t, frz_error *err)
{
    size_t i = 0;
    TRY(check_name(t->name, err));
    while (i < m->ref_count && !slice_eq(m->refs[i].name, t->name)) i++;
    if (i < m->ref_count && !m->refs[i].is_tag) return frz__err(err, FRZ_INVALID, "%.*s is a branch, not a tag", (int)t->name.len, (const char *)t->name.data);
    if (t->remove) {
        if (i == m->ref_count) return FRZ_OK;
        memmove(m->refs + i, m->refs + i + 1, (--m->ref_count - i) * sizeof *m->refs);
        return FRZ_OK;
    }
    if (t->max_ref_age_ms < 0) return frz__err(err, FRZ_INVALID, "a tag's max-ref-age-ms is %" PRId64 ": expected 1 or more, or 0 for the table's", t->max_ref_age_ms);
    struct ice_ref r = {.snapshot_id = t->snapshot_id ? t->snapshot_id : m->current_snapshot_id, .is_tag = true};
    if (r.snapshot_id <= 0) return frz__err(err, FRZ_INVALID, "nothing is published yet that tag %.*s could name", (int)t->name.len, (const char *)t->name.data);
    if (!frz__ice_snapshot(m, r.snapshot_id)) return frz__err(err, FRZ_CONFLICT, "snapshot %" PRId64 " is not retained", r.snapshot_id);
    TRY(frz__ice_dup(ar, t->name, &r.name, err));
    TRY(print_tag(a, ar, t, &r, err));
    m->refs[i] = r;
    m->ref_count += i == m->ref_count;
    return FRZ_OK;
}

int frz__ice_tags_apply(const allocator *a, struct arena *ar, struct ice_meta *m, const struct ice_tag *tags, size_t count, frz_error *err)
{
    if (count == 0) return FRZ_OK;
    struct ice_ref *refs = (struct ice_ref *)frz__ice_array(ar, m->ref_count + count, sizeof *refs, err);
    if (!refs) return FRZ_NO_MEMORY;
    if (m->ref_count) memcpy(refs, m->refs, m->ref_count * sizeof *refs);
    m->refs = refs;
    for (size_t i = 0; i < count; i++) TRY(apply_tag(a, ar, m, &tags[i], err));
    return FRZ_OK;
}

/* ── what was current when ── */

/* What followed S on main is retained and says so: until then S was current. Where there are other branches it may have followed on one of them: then nothing is known. */
static const struct ice_snapshot *child_of(const struct ice_meta *m, const struct ice_snapshot *s)
{
    for (size_t i = 0; i < m->ref_count; i++)
        if (!m->refs[i].is_tag && !slice_eq(m->refs[i].name, slice_str("main"))) return NULL;
    for (size_t i = 0; i < m->snapshot_count; i++)
        if (m->snapshots[i].parent_id == s->id) return &m->snapshots[i];
    return NULL;
}

static const struct ice_snapshot *by_log(const struct ice_meta *m, int64_t time_ms)
{
    for (size_t i = m->snapshot_log_count; i-- > 0;)
        if (m->snapshot_log[i].timestamp_ms <= time_ms) return frz__ice_snapshot(m, m->snapshot_log[i].snapshot_id);
    return NULL;
}

struct when { char text[40]; };
static struct when when(int64_t ms)
{
    struct when w;
    int64_t days = ms / 86400000 - (ms % 86400000 < 0), in_day = ms - days * 86400000, y;
    int m, d;
    if (days < INT32_MIN || days > INT32_MAX) snprintf(w.text, sizeof w.text, "%" PRId64 " ms", ms);
    else {
        civil_from_days(days, &y, &m, &d);
        snprintf(w.text, sizeof w.text, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ", y, m, d, (int)(in_day / 3600000), (int)(in_day / 60000 % 60), (int)(in_day / 1000 % 60), (int)(in_day % 1000));
    }
    return w;
}

/* Without a log, which other writers may leave out: the current one since the metadata says so, and since it was made if none came after it. */
static const struct ice_snapshot *by_now(const struct ice_meta *m, int64_t time_ms)
{
    const struct ice_snapshot *s = frz__ice_snapshot(m, m->current_snapshot_id);
    bool last = s && s == &m->snapshots[m->snapshot_count - 1];
    return s && time_ms >= s->timestamp_ms && (last || time_ms >= m->last_updated_ms) ? s : NULL;
}

const struct ice_snapshot *frz__ice_snapshot_at(const struct ice_meta *m, int64_t time_ms, frz_error *err)
{
    const struct ice_snapshot *s = m->snapshot_log_count ? by_log(m, time_ms) : by_now(m, time_ms), *before = NULL;
    if (s) return s;
    if (m->snapshot_count == 0) {
        (void)frz__err(err, FRZ_NOT_FOUND, "nothing is published yet");
        return NULL;
    }
    for (size_t i = 0; i < m->snapshot_count; i++)
        if (m->snapshots[i].timestamp_ms <= time_ms) before = &m->snapshots[i];
    const struct ice_snapshot *after = before ? child_of(m, before) : NULL;
    if (after && after->timestamp_ms > time_ms) return before;
    const struct ice_snapshot *first = m->snapshot_log_count ? frz__ice_snapshot(m, m->snapshot_log[0].snapshot_id) : NULL;
    int64_t since = first ? m->snapshot_log[0].timestamp_ms : m->last_updated_ms;
    if (before)
        (void)frz__err(err, FRZ_NOT_FOUND, "what was current at %s is not retained: of before it there is snapshot %" PRId64 " of %s, and from %s on all is known", when(time_ms).text, before->id,
                       when(before->timestamp_ms).text, when(since).text);
    else
        (void)frz__err(err, FRZ_NOT_FOUND, "nothing of %s is retained: the earliest is snapshot %" PRId64 " of %s", when(time_ms).text, m->snapshots[0].id, when(m->snapshots[0].timestamp_ms).text);
    return NULL;
}
