/* tables.h — what the files of tables' coming and going share: tables.c, table_load.c, table_create.c, table_drop.c, table_props.c. */
#ifndef FRZ_ENGINE_TABLES_H
#define FRZ_ENGINE_TABLES_H
#include "engine/paths.h"

/* tables.c. A table without a version, in no list. */
FRZ_NODISCARD int frz__table_new(struct db *db, const char *name, struct table **out, frz_error *err);
FRZ_NODISCARD int frz__table_list_locked(struct db *db, struct table *t, frz_error *err); /* tables_mu held, or single-threaded; takes T's count if it succeeds */
void frz__table_unlist_locked(struct db *db, struct table *t);                            /* gives the count back to the caller */
void frz__table_unlist(struct db *db, struct table *t);
/* table_load.c. T, which nobody else knows yet, takes V, good or not: a broken table is known by its uuid. */
FRZ_NODISCARD int frz__table_take_version(struct table *t, struct version *v, frz_error *err);
/* The first view of a table: its files, and an empty memtable. */
FRZ_NODISCARD int frz__table_first_view(struct table *t, frz_error *err);
/* table_props.c. flush_mu held. */
void frz__table_take_settings(struct table *t, const struct table_settings *s);
/* The version is another: what the table keeps beside it of its properties and its format follows. */
void frz__table_follow_properties(struct table *t);
/* KV has room for O's properties, which must be known, settable and given once. */
FRZ_NODISCARD int frz__properties_collect(const frz_table_options *o, struct ice_kv *kv, frz_error *err);
#endif
