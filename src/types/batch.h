/* batch.h — write operations as bytes: what a batch holds is what the log holds.
 *
 *     op: u8 kind | varint table_no | varint key length | key | varint row length | row      (PUT; DELETE has no row length and row)
 *
 * Preconditions (insert, update) are not logged: the log stores outcomes. They stand beside the bytes, in the batch alone.
 * Threads     one                                                                                                                      */
#ifndef FRZ_TYPES_BATCH_H
#define FRZ_TYPES_BATCH_H
#include "base/coding.h"
#include "types/row.h"

enum op_kind { OP_PUT = 1, OP_DELETE = 2, OP_MERGE = 3 /* reserved */, OP_RANGE_DELETE = 4 /* reserved */ };
#define BATCH_BYTES_MAX ((size_t)1 << 30)

struct op {
    enum op_kind kind;
    uint64_t table_no;
    slice key, row; /* borrowed from the batch's bytes */
};
FRZ_NODISCARD int frz__batch_append(struct buf *out, enum op_kind kind, uint64_t table_no, slice key, slice row, frz_error *err);
/* Reads one op at *P; FRZ_DONE at END; FRZ_CORRUPT where it is cut or of an unknown kind. */
FRZ_NODISCARD int frz__batch_next(const uint8_t **p, const uint8_t *end, struct op *out, frz_error *err);
#endif
