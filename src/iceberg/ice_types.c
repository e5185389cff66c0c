#include "iceberg/ice_types.h"

#include <stdio.h>
#include "iceberg/ice_mem.h"
#include "iceberg/ice_meta.h"

void *frz__ice_array(struct arena *ar, size_t count, size_t bytes, frz_error *err)
{
    size_t total = 0;
    if (count == 0) count = 1;
    if (__builtin_mul_overflow(count, bytes, &total)) total = SIZE_MAX;
    void *p = total == SIZE_MAX ? NULL : arena_alloc(ar, total, 16);
    if (p) memset(p, 0, total);
    else (void)frz__err_no_memory(err, total);
    return p;
}

/* Without the scheme of local files, if that is what it has. */
static slice local_path(slice s)
{
    slice scheme = slice_str("file:"), rest;
    if (!slice_has_prefix(s, scheme) || s.len == scheme.len || s.data[scheme.len] != '/') return s;
    rest = slice_of(s.data + scheme.len, s.len - scheme.len);
    return rest.len > 2 && memcmp(rest.data, "///", 3) == 0 ? slice_of(rest.data + 2, rest.len - 2) : rest;
}

bool frz__ice_path_within(slice location, slice path, slice *rest)
{
    slice at = local_path(location), s = local_path(path);
    if (!slice_has_prefix(s, at) || s.len <= at.len + 1 || s.data[at.len] != '/') return false;
    *rest = slice_of(s.data + at.len, s.len - at.len);
    return true;
}

int frz__ice_dup(struct arena *ar, slice s, slice *out, frz_error *err)
{
    *out = slice_of(NULL, 0);
    if (!s.data) return FRZ_OK;
    char *p = frz__arena_strndup(ar, (const char *)s.data, s.len);
    if (!p) return frz__err_no_memory(err, s.len + 1);
    *out = slice_of(p, s.len);
    return FRZ_OK;
}

int frz__ice_printf(struct arena *ar, slice *out, frz_error *err, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : (char *)arena_alloc(ar, (size_t)n + 1, 1);
    if (p) vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    if (!p) return frz__err_no_memory(err, n < 0 ? 0 : (size_t)n + 1);
    *out = slice_of(p, (size_t)n);
    return FRZ_OK;
}

bool frz__ice_text_int(slice s, int64_t *out)
{
    size_t i = s.len && s.data[0] == '-';
    int64_t v = 0;
    if (i == s.len) return false;
    bool minus = i == 1;
    for (; i < s.len; i++) {
        int digit = s.data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, minus ? -digit : digit, &v)) return false;
    }
    *out = v;
    return true;
}

/* ── look-ups ── */

const struct ice_snapshot *frz__ice_snapshot(const struct ice_meta *m, int64_t id)
{
    for (size_t i = m->snapshot_count; i-- > 0;) /* the newest are asked for most */
        if (m->snapshots[i].id == id) return &m->snapshots[i];
    return NULL;
}

frz_schema *frz__ice_schema(const struct ice_meta *m, int32_t schema_id)
{
    for (size_t i = 0; i < m->schema_count; i++)
        if (m->schema_ids[i] == schema_id) return m->schemas[i];
    return NULL;
}

slice frz__ice_property(const struct ice_meta *m, const char *key)
{
    slice k = slice_str(key);
    size_t lo = 0, hi = m->property_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = slice_cmp(m->properties[mid].key, k);
        if (c == 0) return m->properties[mid].value;
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return slice_of(NULL, 0);
}

int64_t frz__ice_property_int(const struct ice_meta *m, const char *key, int64_t min, int64_t otherwise)
{
    int64_t v = 0;
    slice s = frz__ice_property(m, key);
    return s.data && frz__ice_text_int(s, &v) && v >= min ? v : otherwise;
}

bool frz__ice_property_bool(const struct ice_meta *m, const char *key, bool otherwise)
{
    slice s = frz__ice_property(m, key);
    if (s.len == 4 && strncasecmp((const char *)s.data, "true", 4) == 0) return true;
    if (s.len == 5 && strncasecmp((const char *)s.data, "false", 5) == 0) return false;
    return otherwise;
}

slice frz__ice_summary(const struct ice_snapshot *s, const char *key)
{
    slice k = slice_str(key);
    for (size_t i = 0; i < s->summary_count; i++)
        if (slice_eq(s->summary[i].key, k)) return s->summary[i].value;
    return slice_of(NULL, 0);
}

void frz__ice_meta_release(struct ice_meta *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->schema_count; i++) {
        frz__schema_release(m->schemas[i]);
        m->schemas[i] = NULL;
    }
}
