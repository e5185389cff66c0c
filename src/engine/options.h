/* options.h — options.def as structures, with bounds checked once. */
#ifndef FRZ_ENGINE_OPTIONS_H
#define FRZ_ENGINE_OPTIONS_H
#include "iceberg/ice_types.h"

struct db_settings {
    bool create, read_only, no_close_flush, no_compaction, no_tidy;
    bool restoring; /* frz__db_open_at: a restore that is not done yet may be opened */
    const char *log_archive; /* borrowed, for open */
    bool watch; /* who asks in .frazil is told: see watch.h */
    int durability;
    uint64_t memory_bytes, memtable_bytes, log_segment_bytes, sync_interval_ms, events_kept, compaction_threads, compaction_bytes_per_second, log_bytes_max, snapshot_memory_max, log_archive_wait_max;
};
struct table_settings {
#define X_DB(name, def)
#define X_TABLE(name, def) uint64_t name;
#define X(kind, name, def, min, max, doc, test) X_##kind(name, def)
#include "engine/options.def"
#undef X
#undef X_DB
#undef X_TABLE
    int codec; /* write.parquet.compression-codec */
};
/* O may be NULL, or of an older, shorter struct. FRZ_INVALID names the field and its bounds. */
FRZ_NODISCARD int frz__db_settings(const frz_db_options *o, struct db_settings *out, frz_error *err);
/* From a table's properties. STRICT: a value that does not parse or is out of bounds is FRZ_INVALID, which names key, value and bounds, and so is an unknown `frazil.` key; else, as in metadata that others wrote, the default holds. */
FRZ_NODISCARD int frz__table_settings(const struct ice_kv *properties, size_t count, bool strict, struct table_settings *out, frz_error *err);
/* The property's name ("write.target-file-size-bytes") of row I of the table options, NULL past the last. */
const char *frz__table_option_name(size_t i, const char **doc, uint64_t *def, uint64_t *min, uint64_t *max, const char **test);
#endif
