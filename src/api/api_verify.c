#include "api/handle.h"
#include "base/sized.h"
#include "engine/verify.h"

int frz_verify(frz_db *h, frz_table *table, int (*fn)(void *ctx, const frz_finding *), void *ctx, frz_verify_report *report, frz_error *err)
{
    struct db *db;
    struct table *only = NULL;
    frz_verify_report r = {.struct_size = sizeof r};
    int rc = FRZ_OK;
    TRY(frz__shell_db(h, &db, err));
    if (table) TRY(frz__shell_table(table, &only, err));
    if (only && only->db != db) return frz__err(err, FRZ_MISUSE, "table %s is of another database", only->name);
    if (report) TRY(frz__sized_check(report, "frz_verify_report", err));
    if (only) rc = frz__verify_table(only, fn, ctx, &r, err);
    for (size_t i = 0; !only && rc >= 0; i++) {
        frz__mutex_lock(&db->tables_mu);
        struct table *t = i < db->table_count ? frz__table_acquire(db->tables[i]) : NULL;
        frz__mutex_unlock(&db->tables_mu);
        if (!t) break;
        rc = frz__verify_table(t, fn, ctx, &r, err);
        if (rc == FRZ_NOT_FOUND) rc = FRZ_OK; /* dropped meanwhile */
        frz__table_release(t);
    }
    if (report) frz__sized_give(report, &r, sizeof r); /* also of what was seen before it could not go on */
    return rc;
}
