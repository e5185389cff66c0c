#include "api/handle.h"
#include "base/sized.h"
#include "engine/gc.h"

static const char *reason_of(const struct gc_item *i)
{
    static const char *const whys[] = {[FRZ_GC_EXPIRED] = "expired", [FRZ_GC_ORPHAN] = "left by a process that died before it was committed",
        [FRZ_GC_FOREIGN_ORPHAN] = "another engine's, and no metadata names it", [FRZ_GC_OLD_METADATA] = "fell out of the metadata log", [FRZ_GC_TEMPORARY] = "a temporary name",
        [FRZ_GC_TRASH] = "of a dropped table", [FRZ_GC_LEASE] = "of a reading process that died"};
    switch (i->kept) {
    case FRZ_GC_BY_SNAPSHOT: return "an older snapshot that is retained needs it";
    case FRZ_GC_BY_VIEW: return "expired, and read by a snapshot, cursor or stream of this process";
    case FRZ_GC_BY_READER: return "expired, and read by another process";
    case FRZ_GC_BY_GRACE: return "expired, and kept a while for other engines' readers";
    case FRZ_GC_BY_AGE: return "no metadata names it, and it may be in flight";
    case FRZ_GC_BY_WRITER: return "no metadata names it; the writing process knows whether it is in use";
    default: return whys[i->why];
    }
}

static void count(const struct gc_list *l, frz_gc_report *r)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct gc_item *it = &l->at[i];
        r->files++;
        r->bytes += it->bytes;
        if (it->kept == FRZ_GC_DUE) r->files_due++, r->bytes_due += it->bytes;
        if (it->removed) r->files_removed++, r->bytes_removed += it->bytes;
    }
}

static int tell(const char *table, const struct gc_list *l, int (*fn)(void *ctx, const frz_gc_file *), void *ctx)
{
    int rc = FRZ_OK;
    for (size_t i = 0; fn && rc == FRZ_OK && i < l->count; i++) {
        const struct gc_item *it = &l->at[i];
        const frz_gc_file f = {.struct_size = sizeof f, .why = it->why, .kept = it->kept, .removed = it->removed, .table = table, .path = it->path, .reason = reason_of(it), .holder = it->holder,
            .bytes = it->bytes, .due_ms = it->due_ms};
        rc = fn(ctx, &f);
    }
    return rc;
}

static int gc_one(struct db *db, struct table *t, const frz_gc_options *o, int (*fn)(void *ctx, const frz_gc_file *), void *ctx, frz_gc_report *r, frz_error *err)
{
    struct gc_list l = GC_LIST_INIT(db->a);
    int rc = t ? frz__gc_table(t, o, &l, err) : frz__gc_db(db, o, &l, err);
    count(&l, r); /* also of what went before it could not go on */
    if (rc == FRZ_OK) rc = tell(t ? t->name : "", &l, fn, ctx);
    frz__gc_list_clear(&l);
    return rc;
}

int frz_db_gc(frz_db *h, frz_table *table, const frz_gc_options *options, int (*fn)(void *ctx, const frz_gc_file *), void *ctx, frz_gc_report *report, frz_error *err)
{
    struct db *db;
    struct table *only = NULL;
    frz_gc_options o = FRZ_GC_OPTIONS_INIT;
    frz_gc_report r = {.struct_size = sizeof r};
    int rc = FRZ_OK;
    TRY(frz__shell_db(h, &db, err));
    if (table) TRY(frz__shell_table(table, &only, err));
    if (only && only->db != db) return frz__err(err, FRZ_MISUSE, "table %s is of another database", only->name);
    TRY(frz__sized_take(options, "frz_gc_options", &o, sizeof o, err));
    if (o.orphan_age_ms > INT64_MAX / 2) return frz__err(err, FRZ_INVALID, "option orphan_age_ms = %" PRIu64 ": expected at most %" PRId64, o.orphan_age_ms, INT64_MAX / 2);
    if (report) TRY(frz__sized_check(report, "frz_gc_report", err));
    if (db->set.read_only && !o.dry_run) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only: gc lists there (dry_run), and removes nothing", db->root);
    if (only) rc = gc_one(db, only, &o, fn, ctx, &r, err);
    for (size_t i = 0; !only && rc == FRZ_OK; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) break;
        if (!table_is_broken(t)) rc = gc_one(db, t, &o, fn, ctx, &r, err);
        if (rc == FRZ_NOT_FOUND && atomic_load(&t->dropped)) rc = FRZ_OK; /* dropped meanwhile */
        frz__table_release(t);
    }
    if (!only && rc == FRZ_OK) rc = gc_one(db, NULL, &o, fn, ctx, &r, err);
    if (report) frz__sized_give(report, &r, sizeof r);
    return rc;
}
