/* write.h — the batch that a host fills: operations as the log will have them, and beside them what is not logged.
 * Threads: one; the tables are counted. */
#ifndef FRZ_ENGINE_WRITE_H
#define FRZ_ENGINE_WRITE_H
#include "engine/db.h"
#include "types/row_vec.h"

enum expect { EXPECT_ANY, EXPECT_ABSENT, EXPECT_PRESENT };
struct write_op {
    struct table *t; /* counted */
    const frz_schema *schema; /* of the row: one that T keeps; NULL = there is none */
    uint8_t kind;    /* enum op_kind */
    uint8_t expect;
    uint32_t read_round;     /* what the expectation was read at: T's `reloads`, */
    uint64_t read_seq;       /* and the sequence */
    frz_row *patch;          /* update: the columns to change; NULL = none */
    size_t key_at, key_len;  /* in `bytes` */
    size_t row_at, row_len;
};
struct write_batch {
    struct db *db;
    struct buf bytes;
    struct write_op *ops;
    size_t count, cap;
    bool conditional; /* some op expects something */
    struct buf resolved; /* `bytes` with updates made whole; rebuilt at each try */
    struct buf key, row; /* scratch */
};
void frz__write_batch_init(struct write_batch *b, struct db *db);
/* One of the database's spare ones: single operations allocate nothing. */
FRZ_NODISCARD int frz__write_batch_take(struct db *db, struct write_batch **out, frz_error *err);
void frz__write_batch_give(struct db *db, struct write_batch *b);
void frz__write_batch_reset(struct write_batch *b); /* keeps memory */
void frz__write_batch_clear(struct write_batch *b);
/* VALUES by column, of S, which is T's now or was (frz__table_schema_like); converted. */
FRZ_NODISCARD int frz__write_batch_put(struct write_batch *b, struct table *t, const frz_schema *s, const frz_value *values, enum expect expect, frz_error *err);
/* Puts of rows [FROM, FROM + COUNT) of COLS (row_vec.h), as many as bring the batch to BYTES_MAX; one at least into an empty batch. *TAKEN: how many are in; where it fails, *BAD is the row
 * from FROM on, or SIZE_MAX, and the batch holds those before it. */
FRZ_NODISCARD int frz__write_batch_rows(struct write_batch *b, struct table *t, const frz_schema *s, const struct row_col *cols, size_t from, size_t count, size_t bytes_max, enum expect expect,
                                        size_t *taken, size_t *bad, frz_error *err);
/* PATCH's columns are those of S. */
FRZ_NODISCARD int frz__write_batch_update(struct write_batch *b, struct table *t, const frz_schema *s, const frz_row *patch, frz_error *err);
/* A put or a delete as its bytes are; of a put, the row of S, one of T's. */
FRZ_NODISCARD int frz__write_batch_op(struct write_batch *b, struct table *t, const frz_schema *s, enum op_kind kind, slice key, slice row, frz_error *err);
FRZ_NODISCARD int frz__write_batch_delete(struct write_batch *b, struct table *t, slice key, frz_error *err);
/* write_renew.c. Rows of schemas that were are made rows of those that are; all or none. Nothing happens where there are none, which is soon seen. */
FRZ_NODISCARD int frz__write_batch_renew(struct write_batch *b, frz_error *err);
#endif
