/* evolve.h — the pure function from (schema, changes) to the next schema: Iceberg's rules of schema evolution.
 *
 * Design      changes are applied in order, each to what those before it left; a rule that one breaks refuses all. Field ids are never given twice: a column that is dropped and added again is another.
 *             A schema that the table had before, to the last doc, keeps its id; else the new id is the highest + 1.
 * Rules       (1) names: as frz_schema_add has them, and none of Iceberg's reserved columns  (2) a new column is optional, or has an initial default; defaults take format 3; of a default given once, as initial or
 *             as write, the initial one stays for ever  (3) types: int → long, float → double, decimal(P,S) → decimal(P' ≥ P,S)  (4) required → optional, never back  (5) a column of the key: rename and doc, and moving
 *             it: neither its type nor its being there  (6) a column that a partition spec or a sort order is made from is not dropped  (7) at least the key stays
 * Source      Iceberg spec "Schema Evolution", "Default values", "Reserved Field IDs"; Java SchemaUpdate, TableMetadata.addSchema                                      */
#ifndef FRZ_TYPES_EVOLVE_H
#define FRZ_TYPES_EVOLVE_H
#include "types/schema.h"

struct evolve_base {
    const frz_schema *schema;   /* the current one; sealed */
    int32_t last_column_id;     /* of the table, ever */
    int format_version;
    frz_schema *const *schemas; /* the table's; NULL where it is not one of ours */
    const int32_t *ids;
    size_t schema_count;
    const int32_t *sources;     /* field ids that partition specs and sort orders are made from */
    size_t source_count;
};
/* *OUT: the next schema, sealed and counted; its last_column_id is the table's. NULL: the changes come to nothing. FRZ_INVALID, FRZ_UNSUPPORTED, FRZ_TOO_LARGE: the rule. */
FRZ_NODISCARD int frz__evolve(const allocator *a, const struct evolve_base *b, const frz_alter *changes, size_t count, frz_schema **out, frz_error *err);
/* The same for a schema that is given as a whole: what another copy of the table became (ship/replay.h). It keeps its id where the table has none of that number. FRZ_UNSUPPORTED where rows of the current one can't
 * become rows of it. */
FRZ_NODISCARD int frz__evolve_to(const allocator *a, const struct evolve_base *b, const frz_schema *to, frz_schema **out, frz_error *err);
/* Iceberg's metadata columns: a table's own may not be named so, in any case. */
bool frz__column_name_reserved(slice name);
#endif
