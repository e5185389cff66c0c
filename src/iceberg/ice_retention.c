#include "iceberg/ice_retention.h"

#include "iceberg/ice_mem.h"

#define COUNT_MAX 100000
#define WIDTH_MAX_MS (INT64_C(366) * 86400000)

static slice trim(slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) s = slice_of(s.data + 1, s.len - 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) s.len--;
    return s;
}

/* Digits alone. */
static bool whole(slice s, int64_t max, int64_t *out)
{
    return s.len && s.data[0] >= '0' && s.data[0] <= '9' && frz__ice_text_int(s, out) && *out >= 1 && *out <= max;
}

static bool width_of(slice s, int64_t *out)
{
    static const struct { char unit; int64_t ms; } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    if (slice_eq(s, slice_str("all"))) {
        *out = 0;
        return true;
    }
    for (size_t i = 0; s.len && i < FRZ_ARRAY_LEN(units); i++) {
        int64_t n;
        if (s.data[s.len - 1] != (uint8_t)units[i].unit || !whole(slice_of(s.data, s.len - 1), WIDTH_MAX_MS / units[i].ms, &n)) continue;
        *out = n * units[i].ms;
        return true;
    }
    return false;
}

/* A rung but for its numbers, which are 0 or too large. */
static bool well_formed(slice width, slice count)
{
    size_t n = 0, k = 0;
    while (n < width.len && width.data[n] >= '0' && width.data[n] <= '9') n++;
    while (k < count.len && count.data[k] >= '0' && count.data[k] <= '9') k++;
    bool unit = n > 0 && n + 1 == width.len && memchr("smhdw", width.data[n], 5);
    return k > 0 && k == count.len && (unit || slice_eq(width, slice_str("all")));
}

int frz__ice_retention_parse(slice text, struct ice_retention *out, frz_error *err)
{
    *out = (struct ice_retention){.count = 0};
    for (slice rest = text;;) {
        const uint8_t *comma = rest.len ? (const uint8_t *)memchr(rest.data, ',', rest.len) : NULL;
        slice one = trim(comma ? slice_of(rest.data, (size_t)(comma - rest.data)) : rest);
        const uint8_t *colon = one.len ? (const uint8_t *)memchr(one.data, ':', one.len) : NULL;
        slice left = trim(colon ? slice_of(one.data, (size_t)(colon - one.data)) : one);
        slice right = colon ? trim(slice_of(colon + 1, (size_t)(one.data + one.len - colon - 1))) : slice_of(NULL, 0);
        struct ice_rung r;
        bool good = colon && width_of(left, &r.width_ms) && whole(right, COUNT_MAX, &r.count);
        if (!good && colon && well_formed(left, right))
            return frz__err(err, FRZ_INVALID, "frazil.retention: \"%.*s\": a width is 1s to 366d, a count 1 to %d", (int)(one.len < 64 ? one.len : 64), (const char *)one.data, COUNT_MAX);
        if (!good)
            return frz__err(err, FRZ_INVALID, "frazil.retention: \"%.*s\" is no rung: expected all:N or a width and a count, as in \"all:16, 1m:60, 1h:24, 1d:30\"",
                            (int)(one.len < 64 ? one.len : 64), one.data ? (const char *)one.data : "");
        if (out->count == ICE_RUNGS_MAX) return frz__err(err, FRZ_INVALID, "frazil.retention: more than %d rungs", ICE_RUNGS_MAX);
        if (out->count && r.width_ms <= out->rungs[out->count - 1].width_ms)
            return frz__err(err, FRZ_INVALID, "frazil.retention: \"%.*s\": each rung is wider than the one before it, and all comes first", (int)(one.len < 64 ? one.len : 64), (const char *)one.data);
        out->rungs[out->count++] = r;
        if (!comma) return FRZ_OK;
        rest = slice_of(comma + 1, (size_t)(rest.data + rest.len - comma - 1));
    }
}

int64_t frz__ice_retention_max(const struct ice_retention *r)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->count; i++) sum += r->rungs[i].count;
    return sum;
}

static int64_t slot_of(int64_t ms, int64_t width) { return ms / width - (ms % width < 0); }

void frz__ice_retention_mark(const struct ice_retention *r, const int64_t *times_ms, size_t count, bool *keep)
{
    for (size_t k = 0; k < r->count; k++) {
        int64_t left = r->rungs[k].count, width = r->rungs[k].width_ms, last = 0;
        for (size_t i = 0; i < count && left; i++) {
            int64_t slot = width ? slot_of(times_ms[i], width) : 0;
            if (width && i && slot >= last) continue; /* an older one of the slot, or, of a clock that went back, of one that is done */
            last = slot;
            keep[i] = true;
            left--;
        }
    }
}
