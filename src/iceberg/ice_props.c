/* ice_props.c — table properties: what may be set, and how sets are merged. Source: Iceberg TableProperties (names, bounds). */
#include <stdio.h>
#include <stdlib.h>
#include "base/utf8.h"
#include "iceberg/ice_edit_int.h"
#include "iceberg/ice_retention.h"

/* Java keeps these in other places and refuses them as properties. */
static const char *const reserved[] = {"format-version", "uuid", "snapshot-count", "current-snapshot-id", "current-snapshot-summary", "current-snapshot-timestamp-ms", "current-schema",
                                       "default-partition-spec", "default-sort-order"};
/* What this folder acts on: a bad value is refused where it is set, and has the default where somebody else set it. */
static const struct { const char *key; int64_t min; } numbers[] = {
    {"history.expire.max-snapshot-age-ms", 1}, {"history.expire.min-snapshots-to-keep", 1}, {"history.expire.max-ref-age-ms", 1}, {"frazil.snapshots-max", 1}, {"write.metadata.previous-versions-max", 1},
};
static const char *const booleans[] = {"write.metadata.delete-after-commit.enabled", "gc.enabled"};

static bool is(slice s, const char *text) { return slice_eq(s, slice_str(text)); }
static bool is_nocase(slice s, const char *text) { return s.len == strlen(text) && strncasecmp((const char *)s.data, text, s.len) == 0; }

static int check_value(slice key, slice value, frz_error *err)
{
    int64_t v = 0;
    const char *k = (const char *)key.data;
    for (size_t i = 0; i < FRZ_ARRAY_LEN(numbers); i++)
        if (is(key, numbers[i].key) && (!frz__ice_text_int(value, &v) || v < numbers[i].min))
            return frz__err(err, FRZ_INVALID, "property %s: expected a whole number from %" PRId64 ", found \"%.*s\"", numbers[i].key, numbers[i].min, (int)(value.len < 64 ? value.len : 64), (const char *)value.data);
    for (size_t i = 0; i < FRZ_ARRAY_LEN(booleans); i++)
        if (is(key, booleans[i]) && !is_nocase(value, "true") && !is_nocase(value, "false"))
            return frz__err(err, FRZ_INVALID, "property %s: expected true or false, found \"%.*s\"", booleans[i], (int)(value.len < 64 ? value.len : 64), (const char *)value.data);
    struct ice_retention ladder;
    if (is(key, "frazil.retention")) TRY(frz__ice_retention_parse(value, &ladder, err));
    /* readers that look for v<N>.metadata.json would miss what another writer puts elsewhere or compresses */
    if (is(key, "write.metadata.path")) return frz__err(err, FRZ_INVALID, "property write.metadata.path: a table in a directory keeps its metadata in metadata/");
    if (is(key, "write.metadata.compression-codec") && !is_nocase(value, "none"))
        return frz__err(err, FRZ_INVALID, "property write.metadata.compression-codec: only none keeps two writers from both making one version");
    if (is(key, "frazil.flushed")) return frz__err(err, FRZ_INVALID, "property %.*s is frazil's own", (int)key.len, k);
    return FRZ_OK;
}

static int check_property(slice key, slice value, frz_error *err)
{
    if (key.len == 0 || memchr(key.data, 0, key.len) || frz__utf8_check(key) != key.len) return frz__err(err, FRZ_INVALID, "a property's name is not UTF-8 text, is empty or holds a zero byte");
    for (size_t i = 0; i < FRZ_ARRAY_LEN(reserved); i++)
        if (is(key, reserved[i])) return frz__err(err, FRZ_INVALID, "property %s is reserved by Iceberg: it is not set this way", reserved[i]);
    if (!value.data) return FRZ_OK;
    if (frz__utf8_check(value) != value.len) return frz__err(err, FRZ_INVALID, "property %.*s: the value is not UTF-8 text", (int)(key.len < 128 ? key.len : 128), (const char *)key.data);
    return check_value(key, value, err);
}

static int cmp_kv(const void *a, const void *b) { return slice_cmp(((const struct ice_kv *)a)->key, ((const struct ice_kv *)b)->key); }

/* Sets or, with a value without data, unsets. kv has room. */
static int put(struct arena *ar, struct ice_kv *kv, size_t *count, slice key, slice value, frz_error *err)
{
    size_t i = 0;
    while (i < *count && !slice_eq(kv[i].key, key)) i++;
    if (!value.data) {
        if (i == *count) return FRZ_OK;
        kv[i] = kv[--*count];
        return FRZ_OK;
    }
    if (i == *count) TRY(frz__ice_dup(ar, key, &kv[i].key, err));
    TRY(frz__ice_dup(ar, value, &kv[i].value, err));
    *count += i == *count;
    return FRZ_OK;
}

static int put_all(struct arena *ar, struct ice_meta *m, const struct ice_kv *set, size_t count, frz_error *err)
{
    size_t n = m->property_count;
    struct ice_kv *kv = (struct ice_kv *)frz__ice_array(ar, n + count, sizeof *kv, err);
    if (!kv) return FRZ_NO_MEMORY;
    if (n) memcpy(kv, m->properties, n * sizeof *kv);
    for (size_t i = 0; i < count; i++) TRY(put(ar, kv, &n, set[i].key, set[i].value, err));
    qsort(kv, n, sizeof *kv, cmp_kv);
    m->properties = kv;
    m->property_count = n;
    return FRZ_OK;
}

/* A ladder beyond the cap would be cut off below, and nobody told. */
static int check_ladder(const struct ice_meta *m, frz_error *err)
{
    struct ice_retention ladder;
    slice text = frz__ice_property(m, "frazil.retention");
    int64_t max = frz__ice_property_int(m, "frazil.snapshots-max", 1, ICE_SNAPSHOTS_MAX);
    if (!text.data || frz__ice_retention_parse(text, &ladder, NULL) < 0 || frz__ice_retention_max(&ladder) <= max) return FRZ_OK;
    return frz__err(err, FRZ_INVALID, "frazil.retention keeps up to %" PRId64 " snapshots and frazil.snapshots-max is %" PRId64 ": set it to as many or more with it", frz__ice_retention_max(&ladder),
                    max);
}

int frz__ice_props_apply(struct arena *ar, struct ice_meta *m, const struct ice_kv *set, size_t count, frz_error *err)
{
    bool ladder = false;
    for (size_t i = 0; i < count; i++) {
        TRY(check_property(set[i].key, set[i].value, err));
        ladder |= is(set[i].key, "frazil.retention") || is(set[i].key, "frazil.snapshots-max");
    }
    if (count == 0) return FRZ_OK;
    TRY(put_all(ar, m, set, count, err));
    return ladder ? check_ladder(m, err) : FRZ_OK;
}

/* The sequence of a frazil.flushed of LOG; false where it is another's or no such text. */
static bool flushed_of(slice value, slice log, uint64_t *seq)
{
    uint64_t v = 0;
    if (value.len < log.len + 2 || !slice_has_prefix(value, log) || value.data[log.len] != ':') return false;
    for (size_t i = log.len + 1; i < value.len; i++) {
        unsigned digit = (unsigned)(value.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)digit, &v)) return false;
    }
    *seq = v;
    return true;
}

int frz__ice_props_flushed(struct arena *ar, struct ice_meta *m, const char *log, uint64_t seq, frz_error *err)
{
    uint64_t before = 0;
    struct ice_kv kv = {.key = slice_str("frazil.flushed")};
    if (flushed_of(frz__ice_property(m, "frazil.flushed"), slice_str(log), &before) && before > seq) seq = before;
    TRY(frz__ice_printf(ar, &kv.value, err, "%s:%" PRIu64, log, seq));
    return put_all(ar, m, &kv, 1, err);
}
