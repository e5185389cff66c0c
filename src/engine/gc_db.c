/* gc_db.c — gc's look at what is of the database: dropped tables' folders, leases of the dead. */
#include "engine/gc.h"
#include "engine/lease.h"
#include "engine/paths.h"
#include "engine/trash.h"

static int gc_trash(struct db *db, bool remove, struct gc_list *out, frz_error *err)
{
    struct buf names = BUF_INIT(db->a, 0);
    char path[PATH_BYTES];
    const char *name;
    frz_error why;
    size_t first = out->count;
    int rc = FRZ_OK;
    CHECK(frz__names_list(db->fs, TRASH_DIR, true, &names, err));
    for (size_t at = 0; (name = frz__names_next(&names, &at));) {
        uint64_t bytes = 0;
        CHECK(frz__path(path, err, TRASH_DIR "/%s", name));
        if (frz__trash_bytes(db, path, &bytes, &why) < 0) frz__log(&db->log, FRZ_LOG_WARN, "%s: %s", path, why.message);
        CHECK(frz__gc_add(out, path, FRZ_GC_TRASH, FRZ_GC_DUE, bytes, 0, err));
    }
    if (!remove || out->count == first) goto done;
    if (frz__trash_empty(db, &why) < 0)
        frz__log(&db->log, FRZ_LOG_WARN, "of dropped tables something stays in " TRASH_DIR ": %s", why.message);
    for (size_t i = first; i < out->count; i++) {
        bool there = false;
        CHECK(frz__fs_exists(db->fs, out->at[i].path, &there, err));
        out->at[i].removed = !there;
    }
done:
    buf_clear(&names);
    return rc < 0 ? rc : FRZ_OK;
}

static int gc_leases(struct db *db, bool remove, struct gc_list *out, frz_error *err)
{
    struct buf names = BUF_INIT(db->a, 0);
    struct leases live = {0};
    char path[PATH_BYTES];
    const char *name;
    int rc = FRZ_OK;
    CHECK(frz__names_list(db->fs, LEASE_DIR, false, &names, err)); /* before: those that are not among the living after it */
    CHECK(frz__leases_read(db, !remove, remove, &live, err));
    for (size_t at = 0; !live.unknown && (name = frz__names_next(&names, &at));) {
        bool lives = false, there = false;
        for (size_t i = 0; i < live.count; i++) lives |= strcmp(live.at[i].name, name) == 0;
        if (lives || (name[0] == '.' && !remove)) continue;
        CHECK(frz__path(path, err, LEASE_DIR "/%s", name));
        CHECK(frz__fs_exists(db->fs, path, &there, err));
        CHECK(frz__gc_add(out, path, FRZ_GC_LEASE, FRZ_GC_DUE, 0, 0, err));
        out->at[out->count - 1].removed = remove && !there;
    }
done:
    buf_clear(&names);
    frz__leases_clear(&live);
    return rc < 0 ? rc : FRZ_OK;
}

int frz__gc_db(struct db *db, const frz_gc_options *o, struct gc_list *out, frz_error *err)
{
    bool remove = !o->dry_run && !db->set.read_only;
    TRY(gc_leases(db, remove, out, err));
    return gc_trash(db, remove, out, err);
}
