/* pred.h — predicates: `dep_delay > 60 AND (carrier IN ('UA','AA') OR tailnum IS NULL)`.
 *
 * Grammar     OR, AND, NOT, ( ) · column = <> != < <= > >= literal (either side) · [NOT] IN (…) · IS [NOT] NULL · [NOT] BETWEEN a AND b · [NOT] LIKE 'a%_' (ESCAPE '\' by default) ·
 *             a boolean column alone · column names bare, or "quoted"; keywords in any case · literals: numbers, 'text' ('' = a quote), TRUE, FALSE, NULL, and
 *             DATE '…', TIME '…', TIMESTAMP '…', X'hex'; a text literal is read as the column's type where the column is no string
 * Logic       three-valued, as SQL: a row passes if the predicate is true; comparisons with null are unknown. NaN = NaN, and above all numbers
 * Pruning     `prune` answers whether statistics rule every row out; a missing bound, or a float column with unknown NaN count, never rules out
 * Threads     a predicate is immutable                                                                                                         */
#ifndef FRZ_TYPES_PRED_H
#define FRZ_TYPES_PRED_H
#include "types/stats.h"
#include "types/vec.h"

struct pred;
/* FRZ_INVALID names the position, what was found and what was expected; an unknown column lists the nearest names. */
FRZ_NODISCARD int frz__pred_parse(const allocator *a, const frz_schema *s, slice text, struct pred **out, frz_error *err);
void frz__pred_free(struct pred *p); /* NULL is fine */
void frz__pred_columns(const struct pred *p, uint8_t *column_bits); /* sets the bits of the columns that it reads */
/* COLS[i] = the vector of schema column i, or NULL where the predicate does not read it. Clears the bits of SELECTED (ROWS bits) whose rows do not pass. */
FRZ_NODISCARD int frz__pred_eval(const struct pred *p, const struct vec *const *cols, size_t rows, uint8_t *selected, frz_error *err);
bool frz__pred_eval_row(const struct pred *p, const frz_value *values); /* by column */

/* STATS_OF(ctx, column, out) = false: nothing known. True = no row can pass. */
bool frz__pred_prunes(const struct pred *p, bool (*stats_of)(void *ctx, size_t column, struct pred_stats *out), void *ctx);
/* The key range [FROM, TO) that the predicate implies on the first key column(s), for scans: appends encoded bounds; *has_from / *has_to tell. Conservative: keys in it may not pass.
 * FROM ≥ TO: none does. */
FRZ_NODISCARD int frz__pred_key_range(const struct pred *p, const frz_schema *s, struct buf *from, bool *has_from, struct buf *to, bool *has_to, frz_error *err);
#endif
