/* table_create.c — a table comes: directories, the first version, the list, the log. Cut short, it leaves what table_load.c clears away. */
#include <strings.h>

#include "base/sized.h"
#include "engine/tables.h"
#include "types/evolve.h"

static int make_dirs(struct table *t, frz_error *err)
{
    struct fs *fs = t->db->fs;
    char path[PATH_BYTES], ns[PATH_BYTES];
    TRY(frz__path(ns, err, "%.*s", (int)strcspn(t->dir, "/"), t->dir));
    TRY(frz__fs_mkdir(fs, ns, err));
    TRY(frz__fs_mkdir(fs, t->dir, err));
    static const char *const subs[] = {"metadata", "data"};
    for (int i = 0; i < 2; i++) {
        TRY(frz__path(path, err, "%s/%s", t->dir, subs[i]));
        TRY(frz__fs_mkdir(fs, path, err));
    }
    TRY(frz__fs_sync_dir(fs, t->dir, SYNC_TABLE_DIR, err));
    TRY(frz__fs_sync_dir(fs, ns, SYNC_NAMESPACE_DIR, err));
    return frz__fs_sync_dir(fs, "", SYNC_NAMESPACE_PARENT, err);
}

/* *MADE: there may be something of it on disk that is ours. */
static int write_first(struct table *t, const frz_schema *schema, const frz_table_options *o, bool *made, struct version **out, frz_error *err)
{
    struct db *db = t->db;
    struct version *v = NULL;
    struct ice_result res = {0};
    struct ice_kv *kv = NULL;
    uint8_t uuid[16];
    char text[37], temp[PATH_BYTES], name[PATH_BYTES], token[64];
    struct table_settings checked;
    int rc = FRZ_OK;
    CHECK(frz__schema_check_format(schema, o->format_version, err));
    for (size_t i = 0; i < schema->count; i++)
        if (frz__column_name_reserved(slice_of(schema->columns[i].name, schema->columns[i].name_len)))
            CHECK(frz__err(err, FRZ_INVALID, COLUMN_FMT ": the name is reserved: Iceberg has a metadata column of that name", COLUMN_ARG(&schema->columns[i])));
    kv = (struct ice_kv *)frz__alloc_array(db->a, o->property_count + 1, sizeof *kv);
    CHECK(kv ? FRZ_OK : frz__err_no_memory(err, o->property_count * sizeof *kv));
    CHECK(frz__properties_collect(o, kv, err));
    CHECK(frz__table_settings(kv, o->property_count, true, &checked, err));
    CHECK(frz__random_uuid(uuid, err));
    frz__uuid_format(uuid, text);
    CHECK(ALLOC_NEW(&v, db->a, struct version, err));
    v->a = db->a;
    v->ar = ARENA_INIT(db->a);
    atomic_store(&v->refs, 1);
    CHECK(frz__ice_create(db->a, &v->ar, schema, o->format_version, slice_str(t->location), kv, o->property_count, frz__clock_wall_us() / 1000, text, &res, err));
    v->meta = res.meta;
    v->number = 1;
    CHECK(make_dirs(t, err));
    frz__db_token(db, 1, token);
    CHECK(frz__path(temp, err, "%s/metadata/.tmp-%s", t->dir, token));
    CHECK(frz__path(name, err, "%s/metadata/v1.metadata.json", t->dir));
    *made = true;
    rc = frz__durable_publish_new(db->fs, &(struct durable_name){temp, name, SYNC_FIRST_METADATA, SYNC_FIRST_METADATA_DIR}, res.metadata_json, NULL, err);
    if (rc == FRZ_EXISTS) {
        *made = false;
        (void)frz__err(err, rc, "there is a table %s already, made since the database was opened, by another program or by a call that failed: open the database again to use it", t->name);
    }
    if (rc != FRZ_OK) goto done;
    CHECK(frz__path(temp, err, "%s/metadata/.tmp-version-hint", t->dir));
    CHECK(frz__path(name, err, "%s/metadata/version-hint.text", t->dir));
    CHECK(frz__durable_replace(db->fs, &(struct durable_name){temp, name, SYNC_FIRST_HINT, SYNC_FIRST_HINT_DIR}, slice_str("1"), err));
    *out = v;
    v = NULL;
done:
    frz__free(db->a, kv);
    frz__version_release(v);
    return rc;
}

/* ── the name ── */

/* Of a table that is being made: it comes into the list when it is there, and until then nobody else may have the name. */
struct creation {
    const char *name;
    struct creation *next;
};

static void give_name_back_locked(struct db *db, struct creation *c)
{
    struct creation **at = &db->creations;
    while (*at && *at != c) at = &(*at)->next;
    if (*at) *at = c->next;
}

static void give_name_back(struct db *db, struct creation *c)
{
    frz__mutex_lock(&db->tables_mu);
    give_name_back_locked(db, c);
    frz__mutex_unlock(&db->tables_mu);
}

/* Names that differ in case only are one to engines that fold it. */
static int check_case(const char *name, const char *other, frz_error *err)
{
    size_t ns = strcspn(name, ".");
    if (strcmp(other, name) == 0) return FRZ_OK; /* is being removed */
    if (strcasecmp(other, name) == 0) return frz__err(err, FRZ_INVALID, "table name %s: there is %s, which differs in case only", name, other);
    if (strcspn(other, ".") == ns && strncasecmp(other, name, ns) == 0 && strncmp(other, name, ns) != 0)
        return frz__err(err, FRZ_INVALID, "table name %s: there is a namespace %.*s, which differs in case only", name, (int)ns, other);
    return FRZ_OK;
}

/* *OLD, counted: a table of this name which only remains to be removed, by the caller from now on. */
static int take_name_locked(struct db *db, struct creation *c, struct table **old, frz_error *err)
{
    struct table *t = NULL;
    for (size_t i = 0; i < db->table_count && !t; i++)
        if (strcmp(db->tables[i]->name, c->name) == 0) t = db->tables[i];
    if (t && (!atomic_load(&t->dropped) || !t->drop_logged)) return frz__err(err, FRZ_EXISTS, "there is a table %s already", c->name);
    for (const struct creation *other = db->creations; other; other = other->next) {
        if (strcmp(other->name, c->name) == 0) return frz__err(err, FRZ_EXISTS, "there is a table %s already, which is just being made", c->name);
        TRY(check_case(c->name, other->name, err));
    }
    for (size_t i = 0; i < db->table_count; i++) TRY(check_case(c->name, db->tables[i]->name, err));
    if (t && atomic_exchange(&t->removing, true)) return frz__err(err, FRZ_EXISTS, "there is a table %s already, which is being dropped", c->name);
    if (t) *old = frz__table_acquire(t);
    c->next = db->creations;
    db->creations = c;
    return FRZ_OK;
}

/* A drop that did not get to its end: it is logged, and the files go now. */
static int clear_away(struct table *old, frz_error *err)
{
    struct db *db = old->db;
    bool there = false;
    int rc = frz__fs_exists(db->fs, old->dir, &there, err);
    if (rc == FRZ_OK && there) rc = frz__table_to_trash(old, err);
    if (rc == FRZ_OK) {
        old->gone = true;
        frz__table_unlist(db, old);
        frz__table_release(old); /* the list's */
    } else {
        atomic_store(&old->removing, false);
    }
    frz__table_release(old);
    return rc;
}

/* FRZ_EXISTS if the name is taken. */
static int take_name(struct db *db, struct creation *c, frz_error *err)
{
    struct table *old = NULL;
    frz__mutex_lock(&db->tables_mu);
    int rc = take_name_locked(db, c, &old, err);
    frz__mutex_unlock(&db->tables_mu);
    if (!old) return rc;
    rc = clear_away(old, err);
    if (rc != FRZ_OK) give_name_back(db, c);
    return rc;
}

int frz__table_create(struct db *db, const char *name, frz_schema *schema, const frz_table_options *given, struct table **out, frz_error *err)
{
    frz_table_options o = FRZ_TABLE_OPTIONS_INIT;
    struct table *t = NULL;
    struct version *v = NULL;
    TRY(frz__sized_take(given, "frz_table_options", &o, sizeof o, err));
    if (!o.format_version) o.format_version = 2;
    if (o.format_version != 2 && o.format_version != 3) return frz__err(err, FRZ_INVALID, "format version %d: expected 2 or 3", o.format_version);
    if (db->set.read_only) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only", db->root);
    TRY(frz__schema_seal(schema, true, err));
    TRY(frz__table_new(db, name, &t, err));
    struct creation mine = {.name = t->name};
    bool made = false, listed = false;
    int rc = take_name(db, &mine, err);
    if (rc != FRZ_OK) {
        frz__table_release(t);
        return rc;
    }
    rc = write_first(t, schema, &o, &made, &v, err); /* several syncs, with no lock held: writers need the list */
    if (rc == FRZ_OK) rc = frz__table_take_version(t, v, err);
    if (rc == FRZ_OK) rc = frz__table_first_view(t, err);
    frz__table_acquire(t); /* ours: as soon as others may use it, they may drop it */
    atomic_store(&t->dropped, true); /* in the list, and of no use to anybody until the log knows its number */
    frz__mutex_lock(&db->tables_mu);
    if (rc == FRZ_OK) rc = frz__table_list_locked(db, t, err);
    listed = rc == FRZ_OK;
    if (listed) give_name_back_locked(db, &mine); /* the list has it */
    frz__mutex_unlock(&db->tables_mu);
    if (rc == FRZ_OK) rc = frz__log_table(db, t, err);
    if (rc == FRZ_OK) {
        atomic_store(&t->dropped, false);
        frz__event(db, t, FRZ_EVENT_TABLE_CREATED, NULL);
        if (out) *out = t;
        else frz__table_release(t);
        return rc;
    }
    frz_error later;
    if (made && frz__table_to_trash(t, &later) < 0) { /* the name stays taken until it can be */
        frz__log(&db->log, FRZ_LOG_ERROR, "%s: its creation failed, and what there is of it can't be removed: %s", t->name, later.message);
        t->drop_logged = true;
        frz__mutex_lock(&db->tables_mu);
        if (!listed) listed = frz__table_list_locked(db, t, &later) == FRZ_OK;
        give_name_back_locked(db, &mine);
        frz__mutex_unlock(&db->tables_mu);
    } else if (listed) {
        frz__table_unlist(db, t);
        listed = false;
    }
    if (!listed) {
        give_name_back(db, &mine); /* last: what was made is gone */
        frz__table_release(t); /* what the list would have */
    }
    frz__table_release(t);
    return rc;
}

