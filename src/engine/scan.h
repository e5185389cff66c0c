/* scan.h — the two ways of reading many rows: a cursor in key order, row by row, and batches of vectors in no order, as fast as files decode.
 *
 * Batches     files are concatenated: each key has one live row over all of them. Rows that a memtable hides are found by one batched lookup when the scan begins and masked beside the file's own mask; the
 *             memtables' own rows follow (hazards 44). Nothing is merged by row.
 * Threads     one thread each                                                                                                              */
#ifndef FRZ_ENGINE_SCAN_H
#define FRZ_ENGINE_SCAN_H
#include "engine/snapshot.h"
#include "types/pred.h"

/* What both have in common: state, bounds, columns. */
struct scan_base {
    struct table *t;           /* counted */
    struct snapshot *snapshot; /* counted; NULL = the latest when it began */
    struct view *view;
    uint64_t seq;
    struct pred *pred;
    struct buf from, to;
    bool has_from, has_to, empty; /* empty: the bounds exclude each other */
    size_t *columns;           /* what files are read for: wanted ones first, in the caller's order, then the predicate's */
    size_t column_count, wanted_count;
    uint64_t limit, given;
    bool pinned;
    struct pin pin; /* listed: a scan_base stays where it is */
};
/* SNAPSHOT is what o->snapshot is behind the host's handle; the field itself is not looked at. */
FRZ_NODISCARD int frz__scan_base_init(struct scan_base *b, struct table *t, struct snapshot *snapshot, const frz_scan_options *o, frz_error *err);
void frz__scan_base_clear(struct scan_base *b);
/* COUNT values of the key's first columns → OUT: ABOVE, past every key that begins with them (*OPEN: there is none, and no bound), else at the first of them. WHAT is named in errors. */
FRZ_NODISCARD int frz__scan_bound(const frz_schema *s, const frz_value *values, size_t count, bool above, const char *what, struct buf *out, bool *open, frz_error *err);
/* Encoded bounds as iterators take them: data NULL = open; an empty bound that is there is not NULL. */
static inline slice scan_from(const struct scan_base *b) { return b->has_from ? slice_of(b->from.data ? b->from.data : (const uint8_t *)"", b->from.len) : (slice){0}; }
static inline slice scan_to(const struct scan_base *b) { return b->has_to ? slice_of(b->to.data ? b->to.data : (const uint8_t *)"", b->to.len) : (slice){0}; }

struct cursor;
FRZ_NODISCARD int frz__cursor_new(struct table *t, struct snapshot *snapshot, const frz_scan_options *o, struct cursor **out, frz_error *err);
FRZ_NODISCARD int frz__cursor_next(struct cursor *c, const frz_row **row, frz_error *err);
bool frz__cursor_forked(const struct cursor *c); /* its database was opened before fork() */
void frz__cursor_free(struct cursor *c);

struct batch_scan;
FRZ_NODISCARD int frz__batch_scan_new(struct table *t, struct snapshot *snapshot, const frz_scan_options *o, struct batch_scan **out, frz_error *err);
/* OUT (initialised for the wanted columns' types) is reset and filled with at least one row. FRZ_DONE at the end. */
FRZ_NODISCARD int frz__batch_scan_next(struct batch_scan *s, size_t max_rows, struct vecs *out, frz_error *err);
const struct scan_base *frz__batch_scan_base(const struct batch_scan *s);
void frz__batch_scan_free(struct batch_scan *s);
FRZ_NODISCARD int frz__scan_count(struct table *t, struct snapshot *snapshot, const frz_scan_options *o, uint64_t *count, frz_error *err);
#endif
