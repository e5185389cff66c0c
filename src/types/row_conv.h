/* row_conv.h — rows of one schema as rows of another of the same table: what a schema change asks of every row that was written before it.
 *
 * Design      the plan is made once: for each column of the newer schema where its value comes from, by field id, or its default; then rows go through it. Key columns are not in row bytes and
 *             never change (evolve.h): keys stay as they are.
 * Invariants  (1) a plan exists only where every column that is in both can take the other's values: FRZ_INVALID names the one that can't  (2) rows of equal columns only get the newer schema's id
 * Defaults    of a column that the older schema lacks: initial (the row was written before the column was), or write (it is being written now)
 * Threads     one                                                                                                                              */
#ifndef FRZ_TYPES_ROW_CONV_H
#define FRZ_TYPES_ROW_CONV_H
#include "types/row.h"

enum row_default { ROW_WRITTEN, ROW_WRITING };
struct row_conv {
    const allocator *a;
    const frz_schema *from, *to; /* borrowed, sealed */
    enum row_default defaults;
    bool same;         /* their rows differ in the schema's id alone */
    int32_t *source;   /* by column of TO: of FROM, -1 = the default */
    frz_value *values;
};
FRZ_NODISCARD int frz__row_conv_init(struct row_conv *c, const allocator *a, const frz_schema *from, const frz_schema *to, enum row_default defaults, frz_error *err);
void frz__row_conv_clear(struct row_conv *c); /* also of a zeroed one */
/* ROW, of FROM, appended to OUT as TO has it. */
FRZ_NODISCARD int frz__row_conv(struct row_conv *c, slice row, struct buf *out, frz_error *err);
/* The same for one row. */
FRZ_NODISCARD int frz__row_migrate(const frz_schema *from, slice row, const frz_schema *to, struct buf *out, frz_error *err);
/* What a host has set in FROM's row, to be written, as a new row of TO: values by field id; of a column that is gone, left out. */
FRZ_NODISCARD int frz__row_patch_conv(const allocator *a, const frz_row *from, const frz_schema *to, frz_row **out, frz_error *err);
/* What FROM's row, as it was read, has of the columns of MASK (NULL = all), into OUT, whose columns have the field ids of those of LIKE. Types may be narrower there: FRZ_INVALID where a value does not fit. */
FRZ_NODISCARD int frz__row_read_conv(const frz_row *from, frz_row *out, const frz_schema *like, const uint8_t *mask, frz_error *err);
#endif
