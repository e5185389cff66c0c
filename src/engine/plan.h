/* plan.h — which files a compaction should rewrite next. Pure: a function of what the files are, the options, and nothing else; the job does exactly what the plan says.
 *
 * Design      A file carries the level that it was written for, as a hint: correctness never depends on it (each key has one live row, wherever that is), so that any set of files may be merged.
 *             Level 0 is what flushes leave. Level i ≥ 1 has room for base × ratio^i bytes. Upper levels are tiered, up to `runs_max` sorted runs each; the last one is levelled, one run: lazy levelling,
 *             which adapts between levelled (runs_max 1) and tiered as reads and writes ask (Dayan and Idreos, "Dostoevsky", SIGMOD 2018). Garbage lives in masked rows alone: so a file's share of
 *             them is a reason of its own, and so is a row of small neighbours, as keys that only grow leave them.
 *             What goes down is a window of keys; files above the last level are narrow enough that one of them, with all it overlaps below, is well within what may be read.
 *             Little on an upper level that overlaps much below is gathered where it is, by size, before it goes down; nor is a small file there rewritten for its garbage before half of it is.
 * Invariants  (1) inputs are sorted files, none busy, at most `files_max`, in at most `open_max` runs  (2) a plan that is carried out makes progress: fewer runs, fewer dead rows, fewer files, or bytes on a deeper level; no plan undoes
 *             another's work, so repeating ends  (3) inputs stay within `input_bytes_max` unless a single file with what it overlaps is more than that; then a quarter may go with it                        */
#ifndef FRZ_ENGINE_PLAN_H
#define FRZ_ENGINE_PLAN_H
#include "view/reloc.h"
#include "view/runs.h"

#define PLAN_LEVELS_MAX 16

struct plan_file {
    uint64_t bytes, rows, dead;
    slice first, last; /* exact keys */
    uint8_t level;
    bool busy;         /* a compaction has it */
    bool foreign;      /* not sorted: not for us */
};
struct plan_options {
    unsigned ratio;           /* between levels, ≥ 2 */
    unsigned level0_runs_max; /* ≥ 1 */
    unsigned runs_max;        /* of an upper level: 1 to ratio - 1 */
    unsigned masked_percent;  /* a file with this share of dead rows is rewritten; 0 = any dead row */
    unsigned small_files;     /* so many neighbours that fit into one file are merged; 0 = never */
    uint64_t base_bytes;      /* level i holds base × ratio^i */
    uint64_t target_bytes;    /* of a file of the last level */
    uint64_t target_rows;     /* where a file is ended, whatever its size; 0 = nowhere */
    uint64_t input_bytes_max;
    size_t files_max;         /* ≤ RELOC_INPUTS_MAX */
    size_t open_max;          /* of them at once: sorted runs among the inputs; ≥ 2 */
    /* A manual compaction: one run, nothing dead, nothing as it was flushed, within [from, to) (data NULL = open) */
    bool whole;
    slice from, to;
    struct compact_watch *watch; /* the job's, who carries it out: nothing to the planner */
};
enum plan_reason { PLAN_NOTHING, PLAN_RUNS, PLAN_SIZE, PLAN_MASKED, PLAN_SMALL, PLAN_MANUAL };
struct plan {
    enum plan_reason reason;
    size_t *inputs; /* indexes, ascending; the caller frees it by the same allocator */
    size_t count;
    uint64_t input_bytes;
    uint8_t level;          /* of the outputs */
    uint64_t output_bytes;  /* a file is ended near this size */
    bool last;              /* nothing lies deeper: the profile for scans */
    bool one_file;          /* the output is one: whatever a writer thinks of its size on the way, so that joining files ends */
    bool blocked;           /* of a manual one: there is more to do, and it is busy */
    uint64_t compared;      /* keys, on the way here, but for the sorting: what planning costs */
};
/* How far the files are from the shape that the options ask for: what compaction is behind by. Files that are being compacted count until they are gone, foreign ones never. Continuous: a row more, or a run, adds
 * little, also where that makes the planner act; 0 where frz__plan_pick, with nothing busy, finds nothing to do but to join small files. */
struct plan_debt {
    uint64_t runs;    /* sorted runs beyond those that each level may have: so many more places has a read to look at */
    uint64_t bytes;   /* what goes down a level, with what it is merged with there, until each level has its size again; and garbage beyond the share that is let be */
    uint64_t live;    /* bytes of live rows, for comparison */
};
static inline uint64_t plan_live_bytes(const struct plan_file *f) { return f->rows ? (uint64_t)((double)f->bytes * (double)(f->rows - f->dead) / (double)f->rows) : 0; }
/* PLAN_NOTHING: all is well, or what there is to do is busy. */
FRZ_NODISCARD int frz__plan_pick(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, struct plan *out, frz_error *err);
/* plan_whole.c: the same for `whole`, into OUT, whose `inputs` has room; LEVEL: of the outputs. */
FRZ_NODISCARD int frz__plan_whole(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, uint8_t level, struct plan *out, frz_error *err);
/* What a manual compaction would rewrite, busy files with the others: *N indexes in key order in ORDER, and why, by index, in WHY (PLAN_NOTHING = it would not); both have room for COUNT. */
FRZ_NODISCARD int frz__plan_scope(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, enum plan_reason *why, size_t *order, size_t *n, frz_error *err);
/* plan_debt.c */
FRZ_NODISCARD int frz__plan_debt(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, struct plan_debt *out, frz_error *err);
/* plan_shape.c */
/* How many runs an upper level may have, by what was asked of the table: reads pay for each run, writes for each merge. */
unsigned frz__plan_runs_max(uint64_t gets, uint64_t puts, unsigned ratio);
/* F, of a table of ALL bytes whose deepest level is LAST, has so many dead rows that it is rewritten for their sake. */
bool frz__plan_worth_rewriting(const struct plan_file *f, const struct plan_options *o, unsigned last, uint64_t all);
const char *frz__plan_reason_name(enum plan_reason r);
/* Bytes that level I has room for. */
uint64_t frz__plan_capacity(const struct plan_options *o, unsigned level);
#endif
