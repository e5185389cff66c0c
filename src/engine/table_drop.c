/* table_drop.c — a table goes: its name, then its files by way of the trash. */
#include "engine/flow.h"
#include "engine/tables.h"
#include "engine/trash.h"

/* ── by way of the trash ── */

int frz__table_to_trash(struct table *t, frz_error *err)
{
    struct db *db = t->db;
    char trash[PATH_BYTES], ns[PATH_BYTES], token[64];
    frz__db_token(db, 0, token);
    TRY(frz__path(trash, err, TRASH_DIR "/%s", token));
    TRY(frz__path(ns, err, "%.*s", (int)strcspn(t->dir, "/"), t->dir));
    TRY(frz__fs_mkdir(db->fs, TRASH_DIR, err));
    TRY(frz__fs_rename(db->fs, t->dir, trash, err));
    return frz__fs_sync_dir(db->fs, ns, SYNC_DROPPED_DIR, err);
}

/* ── drop ── */

/* Its rows wait for no flush any more. */
static void let_writers_on(struct table *t)
{
    frz__mutex_lock(&t->view_mu);
    frz__flow_view_changes(t, atomic_load(&t->view), NULL);
    frz__mutex_unlock(&t->view_mu);
    frz__flow_wake(t->db);
}

/* The log first, then the name, then the files: a crash between leaves the table whole, or trash (hazards 24). Once the log has it there is no way back: a later failure leaves the table unusable, to be
 * removed by the next call or the next open. */
int frz__table_drop(struct db *db, const char *name, frz_error *err)
{
    struct table *t = NULL;
    bool there = false;
    if (db->set.read_only) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only", db->root);
    int rc = frz__table_find(db, name, &t, err);
    if (rc != FRZ_OK) return rc;
    frz__mutex_lock(&t->flush_mu);
    if (t->gone || (atomic_exchange(&t->dropped, true) && !t->drop_logged)) { /* another call dropped it, and another table may be in its place; or it is just being created */
        rc = frz__err(err, FRZ_NOT_FOUND, "there is no table %s in %s", t->name, db->root);
        goto done;
    }
    if (atomic_exchange(&t->removing, true)) { /* by a table being made under its name */
        rc = frz__err(err, FRZ_NOT_FOUND, "there is no table %s in %s", t->name, db->root);
        goto done;
    }
    frz__mutex_lock(&t->view_mu);
    frz__cond_broadcast(&t->room);
    frz__mutex_unlock(&t->view_mu);
    frz__flow_wake(db);
    rc = frz__log_drop(db, t, err);
    if (!t->drop_logged) atomic_store(&t->dropped, false);
    else let_writers_on(t);
    if (rc == FRZ_OK) rc = frz__fs_exists(db->fs, t->dir, &there, err);
    if (rc == FRZ_OK && there) rc = frz__table_to_trash(t, err);
    if (rc < 0) {
        atomic_store(&t->removing, false);
        goto done;
    }
    t->gone = true;
    frz__mutex_unlock(&t->flush_mu);
    frz__table_unlist(db, t);
    frz__event(db, t, FRZ_EVENT_TABLE_DROPPED, NULL);
    frz_error later;
    if (frz__trash_empty(db, &later) < 0) frz__log(&db->log, FRZ_LOG_WARN, "%s is dropped; its files stay in .frazil/trash: %s", t->name, later.message);
    frz__table_release(t); /* the list's */
    frz__table_release(t);
    return FRZ_OK;
done:
    frz__mutex_unlock(&t->flush_mu);
    if (t->drop_logged && rc < 0) frz__err_context(err, "%s is dropped, but not removed yet: drop it again, or open the database again", t->name);
    frz__table_release(t);
    return rc;
}
