#include "api/handle.h"
#include "engine/verify.h"

int frz_verify(frz_db *h, frz_table *table, int (*fn)(void *ctx, const frz_finding *), void *ctx, frz_verify_report *report, frz_error *err)
{
    struct db *db;
    struct table *only = NULL;
    frz_verify_report own = {.struct_size = sizeof own}, *r = report ? report : &own;
    TRY(frz__shell_db(h, &db, err));
    if (table) TRY(frz__shell_table(table, &only, err));
    if (r->struct_size != sizeof *r) return frz__err(err, FRZ_INVALID, "frz_verify_report.struct_size is %u: set it to sizeof(frz_verify_report)", r->struct_size);
    *r = (frz_verify_report){.struct_size = sizeof *r};
    if (only) return frz__verify_table(only, fn, ctx, r, err);
    for (size_t i = 0;; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) return FRZ_OK;
        int rc = frz__verify_table(t, fn, ctx, r, err);
        frz__table_release(t);
        if (rc < 0) return rc;
    }
}
