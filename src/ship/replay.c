#include "ship/replay.h"

int frz__replay(struct db *db, const struct backup_manifest *m, const struct restore_request *r, struct restore_result *out, frz_error *err)
{
    if (r->to_seq && r->to_seq == m->sequence) return FRZ_OK;
    return frz__err(err, FRZ_UNSUPPORTED, "backup %" PRIu64 " ends with sequence %" PRIu64 ", and there is no archive to go on with",
                    m->number, m->sequence);
}
