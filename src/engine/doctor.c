/* doctor.c — the rules. */
#include "engine/doctor.h"

#include <stdio.h>

#include "engine/flow.h"

/* ── from where on something is worth a word ── */
#define FLUSHES_MIN 20              /* fewer say nothing of a habit */
#define FLUSH_ROWS_SMALL 500        /* a publish */
#define FILES_MANY 32
#define SMALL_FILE_SHARE 32         /* of the target size */
#define DEAD_PERCENT_HIGH 30
#define ROWS_DEAD_MIN 1000
#define GETS_MIN 1000
#define CACHE_MISSES_MIN 10000
#define SNAPSHOTS_MANY 500
#define PENDING_MANY 1000
#define SPACE_HIGH 2.0
#define HELD_UP_LONG_US ((uint64_t)60000000) /* summed over writers */
#define SPACE_BYTES_MIN ((uint64_t)16 << 20)
#define LOG_SEGMENTS_MANY 32
#define METADATA_BYTES_LARGE ((uint64_t)1 << 20)
#define MANIFESTS_MANY 200
#define PIN_OLD_US ((uint64_t)3600 * 1000000)
#define CLOCK_AHEAD_MS ((int64_t)60000)
#define LAG_FACTOR 3
#define LAG_MIN_US ((uint64_t)60 * 1000000)

struct out {
    doctor_fn fn;
    void *ctx;
    int rc; /* what FN gave: the first other than 0 stops */
};

static void find(struct out *o, int severity, const char *code, const char *table, const char *what, const char *remedy, const char *fmt, ...) FRZ_PRINTF(7, 8);
static void find(struct out *o, int severity, const char *code, const char *table, const char *what, const char *remedy, const char *fmt, ...)
{
    char evidence[640];
    va_list ap;
    if (o->rc) return;
    va_start(ap, fmt);
    (void)vsnprintf(evidence, sizeof evidence, fmt, ap);
    va_end(ap);
    o->rc = o->fn(o->ctx, &(frz_diagnosis){.struct_size = sizeof(frz_diagnosis), .severity = severity, .code = code, .table = table, .what = what, .evidence = evidence, .remedy = remedy});
}

static double percent(uint64_t part, uint64_t whole) { return whole ? 100.0 * (double)part / (double)whole : 0; }

/* ── of the database ── */

static void health(struct out *o, const frz_health *h, const char *table)
{
    if (h->severity == FRZ_HEALTH_OK) return;
    find(o, h->severity == FRZ_HEALTH_DEGRADED ? FRZ_FINDING_WARNING : FRZ_FINDING_ERROR, "health", table, "something fails in the background", h->advice, "%s: %s of %s, %u failures in a row: %.300s",
         frz_severity_name(h->severity), frz_class_name(h->error_class), h->part, h->tries, h->message);
}

static void disk(struct out *o, const struct doctor_facts *f)
{
    if (f->remote)
        find(o, FRZ_FINDING_WARNING, "remote-disk", NULL, "the warehouse is on a file system of another machine, where locks and syncs do not hold what they promise", "move it to a local disk; only reading is safe here",
             "it is on %s", f->remote);
    if (f->disk_bytes && (percent(f->disk_free, f->disk_bytes) < 5 || f->disk_free < 2 * f->memtable_bytes))
        find(o, percent(f->disk_free, f->disk_bytes) < 1 ? FRZ_FINDING_ERROR : FRZ_FINDING_WARNING, "disk-full", NULL, "the disk is nearly full: flushes will fail, then writes", "make room",
             "%" PRIu64 " MiB of %" PRIu64 " MiB are free", f->disk_free >> 20, f->disk_bytes >> 20);
    if (f->lost_dirs)
        find(o, FRZ_FINDING_WARNING, "lost-rows-kept", NULL, "the log had rows of tables that are gone without having been dropped; they were put aside", "look at .frazil/lost-*, and remove what is not needed",
             "%" PRIu64 " folders", f->lost_dirs);
    if (f->trash) find(o, FRZ_FINDING_ADVICE, "trash", NULL, "dropped tables still have files", "open the database for writing: it removes them", "%" PRIu64 " folders in .frazil/trash", f->trash);
    if (f->old_leases)
        find(o, FRZ_FINDING_ADVICE, "old-leases", NULL, "readers have left files behind that are older than a day", "end readers that hang; a dead one's file is ignored", "%" PRIu64 " files in .frazil/readers", f->old_leases);
}

static void memory(struct out *o, const struct doctor_facts *f)
{
    uint64_t busy = 0;
    struct flow_shares share = frz__flow_shares(f->memory_bytes);
    for (size_t i = 0; i < f->table_count; i++) busy += f->tables[i].s.memtable_bytes > 0;
    if (f->live && busy > 1 && busy * f->memtable_bytes > f->memory_bytes)
        find(o, FRZ_FINDING_WARNING, "memory-for-tables", NULL,
             "more tables are written than the memory has room for: their memtables are flushed before they are full, as small files", "raise memory_bytes",
             "%" PRIu64 " tables of up to %" PRIu64 " MiB each, memory_bytes %" PRIu64 " MiB", busy, f->memtable_bytes >> 20, f->memory_bytes >> 20);
    if (f->live && f->memory_bytes && f->s.memory_metadata > 2 * share.metadata)
        find(o, FRZ_FINDING_WARNING, "memory-metadata", NULL, "tables and open files take more than twice their share of memory: the page cache has less",
             "raise memory_bytes, or compact tables with many files",
             "%" PRIu64 " KiB, their share is %" PRIu64 " KiB; the cache has %" PRIu64 " KiB, memory_bytes is %" PRIu64 " MiB",
             f->s.memory_metadata >> 10, share.metadata >> 10, f->s.cache_bytes >> 10, f->memory_bytes >> 20);
    if (f->s.cache_misses > CACHE_MISSES_MIN && f->s.cache_hit_ratio < 0.5 && f->s.cache_bytes > share.cache / 10 * 8)
        find(o, FRZ_FINDING_WARNING, "cache-small", NULL, "the page cache is full and finds less than half of what is asked", "raise memory_bytes: three tenths of it are the cache", "%.0f%% hits of %" PRIu64 ", %" PRIu64 " MiB in use",
             100 * f->s.cache_hit_ratio, f->s.cache_hits + f->s.cache_misses, f->s.cache_bytes >> 20);
}

/* What a running writer meets there is in its health; this is what the next one will meet, whose open fails. */
static void archive(struct out *o, const struct doctor_facts *f)
{
    if (!f->archive_trouble) return;
    find(o, f->archive_gone ? FRZ_FINDING_WARNING : FRZ_FINDING_ERROR, "archive-place", NULL,
         f->archive_gone ? "the log's archive is gone: a new one will begin without what it had"
                         : "the log's archive can't be written: the database can't be opened for writing",
         f->archive_gone ? "mount it or put it back before anything is written, or take a backup: the log behind the last one is not whole"
                         : "put it right, or name another place: `frazil archive DB DIRECTORY`, or `--off`",
         "%.600s", f->archive_trouble);
}

/* Who holds it: the table with the oldest write that is not published. */
static void log_held(struct out *o, const struct doctor_facts *f)
{
    const struct doctor_table *holder = NULL;
    uint64_t archived = f->s.log_segments - f->s.log_archive_waiting;
    if (f->s.log_archive_given_up)
        find(o, FRZ_FINDING_ERROR, "archive-gap", NULL, "the log's archive has a gap: no moment behind it can be restored from a backup before it", "`frazil backup` once the archive can be written again",
             "%" PRIu64 " segments were given up beyond log_archive_wait_max", f->s.log_archive_given_up);
    if (archived > f->s.log_segments || archived < LOG_SEGMENTS_MANY) return; /* what waits for the archive is the health's matter */
    for (size_t i = 0; i < f->table_count; i++)
        if (f->tables[i].s.publish_lag_us && (!holder || f->tables[i].s.publish_lag_us > holder->s.publish_lag_us)) holder = &f->tables[i];
    find(o, FRZ_FINDING_WARNING, "log-held", holder ? holder->name : NULL, "the log can't be recycled: a table with few writes has not published them", "`frazil flush`, or set frazil.publish-interval-ms of the table above 0",
         "%" PRIu64 " segments; its oldest unpublished write is %" PRIu64 " s old", archived, holder ? holder->s.publish_lag_us / 1000000 : 0);
}

static void of_database(struct out *o, const struct doctor_facts *f)
{
    if (!f->h.table[0]) health(o, &f->h, NULL);
    disk(o, f);
    memory(o, f);
    archive(o, f);
    log_held(o, f);
    if (f->live && f->durability == FRZ_SYNC_OFF)
        find(o, FRZ_FINDING_ADVICE, "durability-off", NULL, "a power cut loses what the system had not written back", "open with durability FRZ_SYNC_INTERVAL or FRZ_SYNC_FULL, unless that is meant", "durability is off");
    if (f->s.oldest_pin_us > PIN_OLD_US)
        find(o, FRZ_FINDING_WARNING, "old-pin", NULL, "a snapshot, cursor or stream is open for long: files and memory that it sees stay", "close it, or open a fresh one now and then", "%" PRIu64 " are open, the oldest for %" PRIu64 " min",
             f->s.pins, f->s.oldest_pin_us / 60000000);
}

/* ── of a table ── */

static void publishes(struct out *o, const struct doctor_table *t)
{
    const frz_stats *s = &t->s;
    if (s->flushes >= FLUSHES_MIN && s->flush_rows / s->flushes < FLUSH_ROWS_SMALL)
        find(o, FRZ_FINDING_WARNING, "small-publishes", t->name, "publishes are small and often: each costs a commit's metadata and syncs", "raise frazil.publish-interval-ms, or flush less often",
             "%" PRIu64 " publishes of %" PRIu64 " rows in the mean; frazil.publish-interval-ms is %" PRIu64, s->flushes, s->flush_rows / s->flushes, t->set.frazil_publish_interval_ms);
    uint64_t interval_us = t->set.frazil_publish_interval_ms * 1000;
    if (interval_us && s->publish_lag_us > LAG_FACTOR * interval_us && s->publish_lag_us > LAG_MIN_US)
        find(o, FRZ_FINDING_WARNING, "publish-lag", t->name, "other engines read an old state: publishing falls behind", "see the health; else the disk is too slow for what is written",
             "the oldest unpublished write is %" PRIu64 " s old; frazil.publish-interval-ms is %" PRIu64, s->publish_lag_us / 1000000, t->set.frazil_publish_interval_ms);
    if (s->commit_conflicts > 10 && s->commit_conflicts > s->commits / 2)
        find(o, FRZ_FINDING_WARNING, "conflicts", t->name, "other engines commit to the table all the time", "let their jobs run less often, or at another time", "%" PRIu64 " conflicts beside %" PRIu64 " commits", s->commit_conflicts,
             s->commits);
}

/* Of what is told by reason, memory and files have other remedies; the rest is the table's memtables. */
static void stalls(struct out *o, const struct doctor_facts *f, const struct doctor_table *t)
{
    const frz_stats *s = &t->s;
    uint64_t memory_us = s->stall_memory_us_total, others_us = memory_us + s->stall_runs_us_total + s->stall_debt_us_total, own_us = s->stall_us_total > others_us ? s->stall_us_total - others_us : 0;
    uint64_t others = s->stalls_memory + s->stalls_runs + s->stalls_debt;
    if (s->stalls > others)
        find(o, FRZ_FINDING_WARNING, "stalls", t->name, "writers had to wait for flushes",
             f->memory_bytes && flow_is_small(f->memory_bytes)
                 ? "raise memory_bytes to 128 MiB or more, so that more than one memtable may wait; or write less at once"
                 : "raise frazil.immutable-memtables-max or memtable_bytes, or write less at once",
             "%" PRIu64 " writes waited %" PRIu64 " ms in sum", s->stalls - others, own_us / 1000);
    if (s->stalls_memory)
        find(o, FRZ_FINDING_WARNING, "stalls-memory", t->name, "writers had to wait because the memtables of all tables took their share of the memory",
             "raise memory_bytes: four tenths of it are for memtables",
             "%" PRIu64 " writes waited %" PRIu64 " ms in sum, the longest %" PRIu64 " ms; memtables took up to %" PRIu64 " MiB, memory_bytes %" PRIu64 " MiB",
             s->stalls_memory, memory_us / 1000, s->stall_memory_us_max / 1000, f->s.memory_memtables_max >> 20, f->memory_bytes >> 20);
}

/* Compaction is behind: writers were stopped by it, or held up for long. */
static void behind(struct out *o, const struct doctor_facts *f, const struct doctor_table *t)
{
    const frz_stats *s = &t->s;
    const char *remedy = f->compaction_bytes_per_second ? "raise compaction_bytes_per_second, which bounds what compaction reads and writes; else compaction_threads; or write less at once"
                                                        : "raise compaction_threads, or memory_bytes, by which compactions may be larger; if the disk is the bound, write less at once";
    if (s->stalls_runs || s->slowdown_runs_us_total > HELD_UP_LONG_US)
        find(o, FRZ_FINDING_WARNING, "stalls-runs", t->name, "writers had to wait because compaction merges sorted runs slower than they come", remedy,
             "%" PRIu64 " writes waited %" PRIu64 " ms in sum, the longest %" PRIu64 " ms, %" PRIu64 " were held up %" PRIu64 " ms; %" PRIu64 " runs too many now, frazil.stop-runs is %" PRIu64, s->stalls_runs,
             s->stall_runs_us_total / 1000, s->stall_runs_us_max / 1000, s->slowdowns_runs, s->slowdown_runs_us_total / 1000, s->runs_beyond, t->set.frazil_stop_runs);
    if (s->stalls_debt || s->slowdown_debt_us_total > HELD_UP_LONG_US)
        find(o, FRZ_FINDING_WARNING, "stalls-debt", t->name, "writers had to wait because bytes come faster than compaction rewrites them", remedy,
             "%" PRIu64 " writes waited %" PRIu64 " ms in sum, the longest %" PRIu64 " ms, %" PRIu64 " were held up %" PRIu64 " ms; %" PRIu64 " MiB wait now, frazil.stop-debt-bytes is %" PRIu64 " MiB", s->stalls_debt,
             s->stall_debt_us_total / 1000, s->stall_debt_us_max / 1000, s->slowdowns_debt, s->slowdown_debt_us_total / 1000, s->debt_bytes >> 20, t->set.frazil_stop_debt_bytes >> 20);
}

static void files(struct out *o, const struct doctor_table *t)
{
    const frz_stats *s = &t->s;
    bool off = !t->set.frazil_compaction_enabled;
    const char *remedy = off ? "set frazil.compaction-enabled of the table to 1, or run `frazil compact`" : "run `frazil compact`; a writer that stays open does it by itself";
    double dead = percent(s->rows_dead, s->rows_dead + s->rows_live);
    if (s->data_files >= FILES_MANY && s->data_bytes / s->data_files < t->set.write_target_file_size_bytes / SMALL_FILE_SHARE)
        find(o, FRZ_FINDING_WARNING, "small-files", t->name, "many small files: each read asks more of them", remedy, "%" PRIu64 " data files of %" PRIu64 " KiB in the mean; write.target-file-size-bytes is %" PRIu64 " MiB", s->data_files,
             (s->data_bytes / s->data_files) >> 10, t->set.write_target_file_size_bytes >> 20);
    if (s->rows_dead >= ROWS_DEAD_MIN && dead > DEAD_PERCENT_HIGH)
        find(o, off ? FRZ_FINDING_WARNING : FRZ_FINDING_ADVICE, "dead-rows", t->name, off ? "many rows are dead, and compaction is off" : "many rows are dead", remedy, "%.0f%% of %" PRIu64 " rows", dead, s->rows_dead + s->rows_live);
    else if (s->space_amplification > SPACE_HIGH && s->data_bytes > SPACE_BYTES_MIN)
        find(o, FRZ_FINDING_WARNING, "space", t->name, "the files take more than twice what their live rows need", remedy, "space amplification %.1f, %" PRIu64 " MiB", s->space_amplification, s->data_bytes >> 20);
}

static void retention(struct out *o, const struct doctor_table *t, int64_t now_ms)
{
    const frz_stats *s = &t->s;
    const char *who = t->refs ? "tags or branches name old snapshots: remove those that are not needed" : "lower frazil.snapshots-max and history.expire.max-snapshot-age-ms";
    if (s->snapshots > SNAPSHOTS_MANY)
        find(o, FRZ_FINDING_WARNING, "snapshots", t->name, "many snapshots are retained: metadata grows, files stay", who, "%" PRIu64 " snapshots, %" PRIu64 " refs beside main", s->snapshots, t->refs);
    if (s->files_pending > PENDING_MANY && s->files_pending > 4 * s->data_files)
        find(o, FRZ_FINDING_ADVICE, "files-pending", t->name, "files that the table no longer has wait to be removed", t->refs ? who : "lower frazil.foreign-reader-grace-ms if no other engine reads for so long",
             "%" PRIu64 " files beside %" PRIu64 " of the current state", s->files_pending, s->data_files);
    if (s->metadata_bytes > METADATA_BYTES_LARGE || s->manifests > MANIFESTS_MANY)
        find(o, FRZ_FINDING_WARNING, "metadata-large", t->name, "the metadata is large: each commit writes it anew, each reader reads it", who, "metadata.json has %" PRIu64 " KiB, the snapshot %" PRIu64 " manifests",
             s->metadata_bytes >> 10, s->manifests);
    if (t->newest_snapshot_ms > now_ms + CLOCK_AHEAD_MS)
        find(o, FRZ_FINDING_WARNING, "clock", t->name, "the newest snapshot is from the future: a clock was set back, here or where it was written", "set the clock right (NTP); expiry by age waits until then",
             "it is %" PRId64 " s ahead", (t->newest_snapshot_ms - now_ms) / 1000);
}

static void of_table(struct out *o, const struct doctor_facts *f, const struct doctor_table *t)
{
    if (strcmp(t->h.table, t->name) == 0) health(o, &t->h, t->name);
    if (t->lost_rows && strcmp(t->h.part ? t->h.part : "", "table") != 0)
        find(o, FRZ_FINDING_ERROR, "rows-lost", t->name, "rows that were published are gone: an older copy of the table is in its place", "put the newer copy back, or live without", "the log knows of a later state");
    publishes(o, t);
    stalls(o, f, t);
    behind(o, f, t);
    files(o, t);
    retention(o, t, f->now_ms);
    if (t->set.frazil_filter_bits_per_key == 0 && f->s.gets > GETS_MIN && f->s.gets_found < f->s.gets / 2)
        find(o, FRZ_FINDING_WARNING, "no-filter", t->name, "its files have no filters, and most point reads find nothing: each costs pages", "set frazil.filter-bits-per-key to 10, then `frazil compact`",
             "%" PRIu64 " of %" PRIu64 " point reads of the database found a row", f->s.gets_found, f->s.gets);
}

int frz__doctor(const struct doctor_facts *f, doctor_fn fn, void *ctx)
{
    struct out o = {fn, ctx, 0};
    of_database(&o, f);
    for (size_t i = 0; i < f->table_count; i++) of_table(&o, f, &f->tables[i]);
    return o.rc;
}
