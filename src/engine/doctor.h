/* doctor.h — what is wrong with a database, why, and what to set: rules over numbers.
 *
 * Design      frz__doctor is pure: facts in, findings out; each rule is a function of a table or of the database, with its thresholds beside it, and is tested by tables of facts. frz__doctor_gather collects the
 *             facts: numbers, settings and the disk; what only a running writer knows (rates, stalls, gets) comes from its report (report.c), laid over the reader's own numbers.
 * Findings    severity FRZ_FINDING_ADVICE: could be better · WARNING: will hurt, or hurts · ERROR: something does not work. Evidence has numbers, remedy a command, an option or a property.                       */
#ifndef FRZ_ENGINE_DOCTOR_H
#define FRZ_ENGINE_DOCTOR_H
#include "engine/db.h"

struct doctor_table {
    const char *name;
    frz_stats s;
    frz_health h;
    struct table_settings set;
    int64_t newest_snapshot_ms;
    uint64_t refs; /* beside main: what they name is kept */
    bool lost_rows;
};
struct doctor_facts {
    bool live; /* the numbers are a running writer's */
    frz_stats s;
    frz_health h;
    int durability;
    uint64_t memory_bytes, memtable_bytes, compaction_bytes_per_second;
    const struct doctor_table *tables;
    size_t table_count;
    int64_t now_ms;
    uint64_t disk_bytes, disk_free; /* 0 = not known */
    const char *remote;             /* NULL = a local file system */
    uint64_t lost_dirs, trash, old_leases;
    const char *archive_trouble; /* the log's archive and why it can't be written; NULL = it can, or there is none */
    bool archive_gone;           /* that it is missing: who opens the database for writing makes it anew */
};
typedef int (*doctor_fn)(void *ctx, const frz_diagnosis *d);
/* A result of FN other than 0 stops and is returned. */
FRZ_NODISCARD int frz__doctor(const struct doctor_facts *f, doctor_fn fn, void *ctx);
/* LIVE: a report's JSON; data NULL = none. */
FRZ_NODISCARD int frz__doctor_run(struct db *db, slice live, doctor_fn fn, void *ctx, frz_error *err);
/* The numbers that the object V has by their names, others as they are (metrics.c). */
void frz__stats_from_json(const struct json *v, frz_stats *s);
#endif
