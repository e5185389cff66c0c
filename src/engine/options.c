#include "engine/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sized.h"
#include "codec/codec.h"
#include "engine/flow.h"

#define COMPACTION_THREADS_DEFAULT_MAX 4

struct option_row {
    const char *name; /* with underscores, as in options.def */
    uint64_t def, min, max;
    const char *doc, *test;
    size_t offset; /* in struct table_settings */
};

static const struct option_row table_options[] = {
#define X_DB(name, def, min, max, doc, test)
#define X_TABLE(name, def, min, max, doc, test) {#name, def, min, max, doc, #test, offsetof(struct table_settings, name)},
#define X(kind, name, def, min, max, doc, test) X_##kind(name, def, min, max, doc, test)
#include "engine/options.def"
#undef X
#undef X_DB
#undef X_TABLE
};

static const struct option_row db_options[] = {
#define X_DB(name, def, min, max, doc, test) {#name, def, min, max, doc, #test, 0},
#define X_TABLE(name, def, min, max, doc, test)
#define X(kind, name, def, min, max, doc, test) X_##kind(name, def, min, max, doc, test)
#include "engine/options.def"
#undef X
#undef X_DB
#undef X_TABLE
};

/* `write_parquet_page_size_bytes` → `write.parquet.page-size-bytes`: which underscores are dots follows from the known prefixes. */
static void property_name(const char *field, char out[96])
{
    static const char *const prefixes[] = {"write_parquet_", "write_metadata_", "write_", "frazil_"};
    snprintf(out, 96, "%s", field);
    for (char *p = out; *p; p++)
        if (*p == '_') *p = '-';
    for (size_t i = 0; i < FRZ_ARRAY_LEN(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(field, prefixes[i], n) != 0) continue;
        for (size_t k = 0; k < n; k++)
            if (out[k] == '-') out[k] = '.';
        break;
    }
}

const char *frz__table_option_name(size_t i, const char **doc, uint64_t *def, uint64_t *min, uint64_t *max, const char **test)
{
    static _Thread_local char name[96];
    if (i >= FRZ_ARRAY_LEN(table_options)) return NULL;
    const struct option_row *o = &table_options[i];
    if (doc) *doc = o->doc;
    if (def) *def = o->def;
    if (min) *min = o->min;
    if (max) *max = o->max;
    if (test) *test = o->test;
    property_name(o->name, name);
    return name;
}

static int bound(const char *name, uint64_t v, uint64_t *out, frz_error *err)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(db_options); i++) {
        const struct option_row *o = &db_options[i];
        if (strcmp(o->name, name) != 0) continue;
        *out = v ? v : o->def;
        if (v && (v < o->min || v > o->max))
            return frz__err(err, FRZ_INVALID, "option %s = %" PRIu64 ": expected %" PRIu64 " to %" PRIu64 " (%s)", name, v, o->min, o->max, o->doc);
        return FRZ_OK;
    }
    return frz__err(err, FRZ_BUG, "no row for option %s", name);
}

/* Half of the cores; with little memory, one: each holds pages of all that it merges. */
static uint64_t default_compaction_threads(uint64_t memory_bytes)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t n = cores > 3 ? (uint64_t)cores / 2 : 1;
    return flow_is_small(memory_bytes) ? 1 : n < COMPACTION_THREADS_DEFAULT_MAX ? n : COMPACTION_THREADS_DEFAULT_MAX;
}

/* A snapshot lives through one flush at least, where that is not too much. */
static uint64_t default_snapshot_memory(const struct db_settings *s)
{
    uint64_t eighth = s->memory_bytes / 8, one = s->memtable_bytes + s->memtable_bytes / 4, quarter = s->memory_bytes / 4;
    if (one > quarter) one = quarter;
    return one > eighth ? one : eighth;
}

int frz__db_settings(const frz_db_options *given, struct db_settings *out, frz_error *err)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    TRY(frz__sized_take(given, "frz_db_options", &o, sizeof o, err));
    *out = (struct db_settings){.create = o.create, .read_only = o.read_only, .no_close_flush = o.no_close_flush, .no_compaction = o.no_compaction, .no_tidy = o.no_tidy, .log_archive = o.log_archive};
    out->durability = o.durability ? o.durability : FRZ_SYNC_FULL;
    if (out->durability < FRZ_SYNC_FULL || out->durability > FRZ_SYNC_OFF)
        return frz__err(err, FRZ_INVALID, "option durability = %d: expected FRZ_SYNC_FULL (1), FRZ_SYNC_INTERVAL (2) or FRZ_SYNC_OFF (3)", o.durability);
    if (o.log_level < 0 || o.log_level > FRZ_LOG_DEBUG) return frz__err(err, FRZ_INVALID, "option log_level = %d: expected FRZ_LOG_ERROR (1) to FRZ_LOG_DEBUG (4)", o.log_level);
    if (o.allocator && (!o.allocator->alloc || !o.allocator->realloc || !o.allocator->free)) return frz__err(err, FRZ_INVALID, "option allocator: alloc, realloc and free are all needed");
    if (o.create && o.read_only) return frz__err(err, FRZ_INVALID, "options create and read_only exclude each other");
    if (o.log_archive && *o.log_archive && o.read_only) return frz__err(err, FRZ_INVALID, "options log_archive and read_only exclude each other");
    TRY(bound("memory_bytes", o.memory_bytes, &out->memory_bytes, err));
    TRY(bound("memtable_bytes", o.memtable_bytes, &out->memtable_bytes, err));
    TRY(bound("log_segment_bytes", o.log_segment_bytes, &out->log_segment_bytes, err));
    TRY(bound("sync_interval_ms", o.sync_interval_ms, &out->sync_interval_ms, err));
    out->watch = !o.read_only;
    TRY(bound("events_kept", o.events_kept, &out->events_kept, err));
    TRY(bound("compaction_threads", o.compaction_threads, &out->compaction_threads, err));
    TRY(bound("compaction_bytes_per_second", o.compaction_bytes_per_second, &out->compaction_bytes_per_second, err));
    if (!out->compaction_threads) out->compaction_threads = default_compaction_threads(out->memory_bytes);
    TRY(bound("log_bytes_max", o.log_bytes_max, &out->log_bytes_max, err));
    TRY(bound("snapshot_memory_max", o.snapshot_memory_max, &out->snapshot_memory_max, err));
    TRY(bound("log_archive_wait_max", o.log_archive_wait_max, &out->log_archive_wait_max, err));
    if (!out->log_bytes_max) out->log_bytes_max = out->memory_bytes * 4;
    if (!out->memtable_bytes) { /* an active one and those that wait by default: two; or one, and one that a snapshot pins (flow.h) */
        uint64_t limit = out->memory_bytes / 100 * 40 / 8 * 7;
        out->memtable_bytes = limit / 3;
        if (out->memtable_bytes > ((uint64_t)64 << 20)) out->memtable_bytes = (uint64_t)64 << 20;
    }
    if (!out->snapshot_memory_max) out->snapshot_memory_max = default_snapshot_memory(out);
    return FRZ_OK;
}

static bool parse_u64(slice s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 19) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') return false;
        v = v * 10 + (uint64_t)(s.data[i] - '0');
    }
    *out = v;
    return true;
}

static const struct option_row *find_table_option(slice key)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(table_options); i++) {
        char name[96];
        property_name(table_options[i].name, name);
        if (slice_eq(key, slice_str(name))) return &table_options[i];
    }
    return NULL;
}

static bool known_private(slice key)
{
    return slice_eq(key, slice_str("frazil.flushed")) || slice_eq(key, slice_str("frazil.table-no")) || slice_eq(key, slice_str("frazil.retention")) /* checked with the others of expiry: ice_props.c */;
}

int frz__table_settings(const struct ice_kv *properties, size_t count, bool strict, struct table_settings *out, frz_error *err)
{
    for (size_t i = 0; i < FRZ_ARRAY_LEN(table_options); i++) {
        const struct option_row *o = &table_options[i];
        memcpy((char *)out + o->offset, &o->def, sizeof o->def);
    }
    out->codec = CODEC_ZSTD;
    for (size_t i = 0; i < count; i++) {
        slice key = properties[i].key, value = properties[i].value;
        const struct option_row *o = find_table_option(key);
        if (o) {
            uint64_t v = 0;
            bool good = parse_u64(value, &v) && v >= o->min && v <= o->max;
            if (!good && !strict) continue; /* set by another engine: the default holds */
            if (!good)
                return frz__err(err, FRZ_INVALID, "property %.*s = %.*s: expected %" PRIu64 " to %" PRIu64 " (%s)", (int)key.len, key.data, (int)value.len, value.data, o->min, o->max, o->doc);
            memcpy((char *)out + o->offset, &v, sizeof v);
        } else if (slice_eq(key, slice_str("write.parquet.compression-codec"))) {
            int codec = CODEC_ZSTD;
            bool good = frz__codec_parse(value, &codec) && (codec == CODEC_ZSTD || codec == CODEC_SNAPPY || codec == CODEC_NONE);
            if (good) out->codec = codec;
            else if (strict)
                return frz__err(err, FRZ_INVALID, "property %.*s = %.*s: expected zstd, snappy or uncompressed", (int)key.len, key.data, (int)value.len, value.data);
        } else if (strict && slice_has_prefix(key, slice_str("frazil.")) && !known_private(key)) {
            return frz__err(err, FRZ_INVALID, "property %.*s is not one of frazil's: see docs/options.md", (int)key.len, key.data);
        }
    }
    return FRZ_OK;
}
