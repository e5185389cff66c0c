/* snapshot.h — a state of the whole database, pinned: a sequence and a view a table. Counted; cursors hold it too. */
#ifndef FRZ_ENGINE_SNAPSHOT_H
#define FRZ_ENGINE_SNAPSHOT_H
#include "engine/db.h"

struct pinned_view {
    struct table *table;
    struct view *view;
};
struct snapshot {
    _Atomic uint32_t refs;
    struct db *db;
    uint64_t seq;
    struct pin pin;
    bool published; /* of one table, from its metadata */
    int64_t id;     /* Iceberg's, of a published one */
    struct pinned_view *views;
    size_t count;
};
void frz__pinned_view_release(struct pinned_view *p);
FRZ_NODISCARD int frz__snapshot_take(struct db *db, struct snapshot **out, frz_error *err);
/* By id, or, where there is one, by the name of a ref, or by time. */
struct published { int64_t id; const char *ref; bool by_time; int64_t time_ms; };
FRZ_NODISCARD int frz__snapshot_published(struct table *t, const struct published *which, struct snapshot **out, frz_error *err);
/* The columns that T is read by; borrowed from S. NULL: T is not in it. */
const frz_schema *frz__snapshot_schema(const struct snapshot *s, const struct table *t);
void frz__snapshot_release(struct snapshot *s); /* NULL is fine */
/* S NULL = the latest. The view is counted. */
FRZ_NODISCARD int frz__snapshot_view(struct snapshot *s, struct table *t, struct view **view, uint64_t *seq, frz_error *err);
#endif
