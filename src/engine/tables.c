/* tables.c — a table as an object: names, life, the list of them. They come and go by table_load.c, table_create.c, table_drop.c. */
#include <ctype.h>
#include <stdio.h>

#include "engine/sweep.h"
#include "engine/tables.h"

#define NAME_BYTES_MAX 200

int frz__table_name_check(const char *name, char **full, char **dir, const allocator *a, frz_error *err)
{
    size_t n = name ? strlen(name) : 0, dots = 0;
    if (n == 0 || n > NAME_BYTES_MAX) return frz__err(err, FRZ_INVALID, "a table name of %zu bytes: expected 1 to %d", n, NAME_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name[i];
        bool edge = i == 0 || name[i - 1] == '.';
        if (c == '.' && !edge && i + 1 < n) dots++;
        else if (!isalnum(c) && c != '_' && (c != '-' || edge))
            return frz__err(err, FRZ_INVALID, "table name \"%s\": expected `table` or `namespace.table` of letters, digits, `_` and `-`, found \"%c\" at %zu", name, c, i);
    }
    if (dots > 1) return frz__err(err, FRZ_INVALID, "table name \"%s\": one namespace at most", name);
    size_t bytes = n + 8;
    *full = (char *)frz__alloc(a, bytes);
    *dir = (char *)frz__alloc(a, bytes);
    if (!*full || !*dir) {
        frz__free(a, *full);
        frz__free(a, *dir);
        *full = *dir = NULL;
        return frz__err_no_memory(err, bytes);
    }
    snprintf(*full, bytes, "%s%s", dots ? "" : "main.", name);
    snprintf(*dir, bytes, "%s", *full);
    *strchr(*dir, '.') = '/';
    return FRZ_OK;
}

/* ── life ── */

struct table *frz__table_acquire(struct table *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void frz__table_release(struct table *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    const allocator *a = t->a;
    frz__flow_view_changes(t, atomic_load(&t->view), NULL);
    frz__view_release(atomic_load(&t->view));
    frz__sweep_drop(t);
    frz__version_release(t->version);
    for (size_t i = 0; i < t->del_count; i++) frz__delfile_clear(a, &t->dels[i]);
    for (size_t i = 0; i < t->pending_count; i++) frz__free(a, t->pending[i].path);
    frz__free(a, t->dels);
    frz__free(a, t->pending);
    frz__mutex_clear(&t->flush_mu);
    frz__mutex_clear(&t->commit_mu);
    frz__mutex_clear(&t->view_mu);
    frz__health_clear(&t->health);
    frz__cond_clear(&t->room);
    frz__free(a, t->name);
    frz__free(a, t->dir);
    frz__free(a, t->location);
    frz__free(a, t->broken);
    frz__free(a, t->lost_rows);
    frz__free(a, t->logged.schema);
    frz__free(a, t->frozen);
    for (size_t i = 0; i < t->schema_count; i++) frz__schema_release(t->schemas[i]);
    frz__free(a, t->schemas);
    frz__free(a, t);
}

int frz__table_new(struct db *db, const char *name, struct table **out, frz_error *err)
{
    struct table *t = NULL;
    const allocator *a = budget_of(db->budget, MEM_METADATA);
    TRY(ALLOC_NEW(&t, a, struct table, err));
    t->db = db;
    t->a = a;
    t->jobs_a = budget_of(db->budget, MEM_JOBS);
    atomic_store(&t->refs, 1);
    atomic_store(&t->tidy_at_ns, INT64_MAX);
    frz__mutex_init(&t->flush_mu, RANK_TABLE_FLUSH, "table.flush");
    frz__mutex_init(&t->commit_mu, RANK_TABLE_COMMIT, "table.commit");
    frz__mutex_init(&t->view_mu, RANK_VIEW, "table.view");
    frz__health_init(&t->health);
    frz__cond_init(&t->room);
    int rc = frz__table_name_check(name, &t->name, &t->dir, t->a, err);
    if (rc >= 0) {
        size_t n = strlen(db->root_uri) + strlen(t->dir) + 2;
        t->location = (char *)frz__alloc(t->a, n);
        if (!t->location) rc = frz__err_no_memory(err, n);
        else snprintf(t->location, n, "%s/%s", db->root_uri, t->dir);
    }
    if (rc < 0) {
        frz__table_release(t);
        return rc;
    }
    *out = t;
    return FRZ_OK;
}

frz_schema *frz__table_schema(struct table *t)
{
    uint64_t seq;
    struct view *v = frz__view_latest(t, &seq);
    frz_schema *s = frz__schema_acquire(v->schema);
    frz__view_release(v);
    return s;
}

int frz__table_keep_schema_locked(struct table *t, const frz_schema *s, frz_error *err)
{
    if (t->schema_count && t->schemas[t->schema_count - 1] == s) return FRZ_OK;
    TRY(frz__grow(t->a, (void **)&t->schemas, t->schema_count, &t->schema_cap, sizeof *t->schemas, err));
    t->schemas[t->schema_count++] = frz__schema_acquire(s);
    return FRZ_OK;
}

const frz_schema *frz__table_schema_like(struct table *t, const frz_schema *s)
{
    const frz_schema *now = atomic_load_explicit(&t->view_schema, memory_order_acquire), *found = NULL;
    if (s == now) return now; /* while the caller counts it, no other has its address */
    frz__mutex_lock(&t->view_mu);
    for (size_t i = t->schema_count; i-- > 0 && !found;)
        if (t->schemas[i] == s) found = s;
    for (size_t i = t->schema_count; i-- > 0 && !found;)
        if (frz__schema_looks_like(s, t->schemas[i])) found = t->schemas[i];
    frz__mutex_unlock(&t->view_mu);
    return found;
}

int frz__table_freeze(struct table *t, const char *why, frz_error *err)
{
    frz__mutex_lock(&t->view_mu);
    if (!t->frozen) t->frozen = frz__strdup(t->a, why); /* NULL where there was no memory for it: frozen all the same */
    atomic_store(&t->is_frozen, true);
    frz__mutex_unlock(&t->view_mu);
    frz__log(&t->db->log, FRZ_LOG_ERROR, "%s can only be read now: %s", t->name, why);
    frz_error state;
    (void)frz__err(&state, FRZ_UNSUPPORTED, "%s can only be read: %s", t->name, why);
    (void)frz__health_fail(t->db, t, HEALTH_FLUSH, &state);
    return frz__err(err, FRZ_READ_ONLY, "table %s can only be read: %s", t->name, why);
}

bool frz__table_lost(struct table *t, frz_error *err)
{
    frz__mutex_lock(&t->view_mu);
    bool lost = t->lost_rows != NULL;
    if (lost) (void)frz__err(err, FRZ_CORRUPT, "%s", t->lost_rows);
    frz__mutex_unlock(&t->view_mu);
    return lost;
}

/* "<BEFORE><name><BEHIND><why>" */
static int err_broken(struct table *t, const char *before, const char *behind, frz_error *err)
{
    if (!table_is_broken(t)) return FRZ_OK;
    frz__mutex_lock(&t->view_mu); /* a refresh may exchange it */
    int code = atomic_load(&t->broken_code);
    if (code) (void)frz__err(err, code, "%s%s%s%s", before, t->name, behind, t->broken ? t->broken : "for a reason that there was no memory to keep");
    frz__mutex_unlock(&t->view_mu);
    return code;
}

int frz__table_broken(struct table *t, frz_error *err) { return err_broken(t, "", ": ", err); }

int frz__table_usable(struct table *t, bool write, frz_error *err)
{
    if (atomic_load(&t->dropped)) return frz__err(err, FRZ_NOT_FOUND, "table %s was dropped", t->name);
    int broken = err_broken(t, "table ", " can't be used: ", err);
    if (broken) return broken;
    if (write && t->db->set.read_only) return frz__err(err, FRZ_READ_ONLY, "%s is open for reading only", t->db->root);
    if (write && atomic_load(&t->is_frozen)) {
        frz__mutex_lock(&t->view_mu);
        (void)frz__err(err, FRZ_READ_ONLY, "table %s can only be read: %s", t->name, t->frozen ? t->frozen : "another program changed it");
        frz__mutex_unlock(&t->view_mu);
        return FRZ_READ_ONLY;
    }
    return FRZ_OK;
}

void frz__table_wal_line(struct table *t, const struct version *v, uint64_t low_water, struct wal_table *out)
{
    slice schema = slice_of("{}", 2);
    for (size_t i = 0; i < v->meta->schema_count; i++)
        if (v->meta->schema_ids[i] == v->meta->current_schema_id) schema = v->meta->schema_json[i];
    *out = (struct wal_table){.table_no = t->table_no, .name = slice_str(t->name), .schema_id = v->meta->current_schema_id, .schema_json = schema, .low_water = low_water};
    (void)frz__uuid_parse(t->uuid, 36, out->uuid);
}

/* ── the list ── */

int frz__table_list_locked(struct db *db, struct table *t, frz_error *err)
{
    TRY(frz__grow(db->a, (void **)&db->tables, db->table_count, &db->table_cap, sizeof *db->tables, err));
    size_t i = db->table_count++;
    for (; i > 0 && strcmp(db->tables[i - 1]->name, t->name) > 0; i--) db->tables[i] = db->tables[i - 1];
    db->tables[i] = t;
    t->table_no = db->next_table_no++;
    return FRZ_OK;
}

void frz__table_unlist_locked(struct db *db, struct table *t)
{
    for (size_t i = 0; i < db->table_count; i++) {
        if (db->tables[i] != t) continue;
        memmove(&db->tables[i], &db->tables[i + 1], (db->table_count - i - 1) * sizeof *db->tables);
        db->table_count--;
        break;
    }
}

void frz__table_unlist(struct db *db, struct table *t)
{
    frz__mutex_lock(&db->tables_mu);
    frz__table_unlist_locked(db, t);
    frz__mutex_unlock(&db->tables_mu);
}

int frz__table_find(struct db *db, const char *name, struct table **out, frz_error *err)
{
    char *full = NULL, *dir = NULL;
    TRY(frz__table_name_check(name, &full, &dir, db->a, err));
    int rc = FRZ_NOT_FOUND;
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count && rc != FRZ_OK; i++) {
        if (strcmp(db->tables[i]->name, full) != 0) continue;
        *out = frz__table_acquire(db->tables[i]);
        rc = FRZ_OK;
    }
    frz__mutex_unlock(&db->tables_mu);
    if (rc != FRZ_OK) (void)frz__err(err, FRZ_NOT_FOUND, "there is no table %s in %s", full, db->root);
    frz__free(db->a, full);
    frz__free(db->a, dir);
    return rc;
}

