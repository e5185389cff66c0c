/* ice_schemas.c — metadata.json keeps every schema that ever was; of a wide table that changes often they would be most of it. The spec lets go those that nothing refers to: not the current one, and no
 * snapshot's. Files carry their own schema, and are read by field ids.
 * Source: Iceberg spec "Snapshots" (schema-id), "Remove Schemas"; Java RemoveSnapshots.cleanExpiredMetadata */
#include "iceberg/ice_edit_int.h"

#define SCHEMAS_BYTES_MAX 16384 /* of all; a metadata.json of 32 snapshots has twice that beside them */

static bool needed(const struct ice_meta *m, size_t i)
{
    if (m->schema_ids[i] >= m->current_schema_id) return true; /* an id is never given twice: the highest stays */
    for (size_t k = 0; k < m->snapshot_count; k++)
        if (m->snapshots[k].schema_id == m->schema_ids[i] || m->snapshots[k].schema_id < 0) return true; /* one that does not say may mean any */
    return false;
}

void frz__ice_schemas_trim(struct ice_meta *m)
{
    size_t bytes = 0, kept = 0;
    for (size_t i = 0; i < m->schema_count; i++) bytes += m->schema_json[i].len;
    for (size_t i = 0; i < m->schema_count; i++) {
        if (bytes > SCHEMAS_BYTES_MAX && !needed(m, i)) {
            bytes -= m->schema_json[i].len;
            frz__schema_release(m->schemas[i]);
            continue;
        }
        m->schemas[kept] = m->schemas[i];
        m->schema_json[kept] = m->schema_json[i];
        m->schema_ids[kept++] = m->schema_ids[i];
    }
    m->schema_count = kept;
}
