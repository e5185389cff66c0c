/* stats.h — what is known of the values of a column in a page, a row group or a file: bounds that may be wider than the values, and counts. */
#ifndef FRZ_TYPES_STATS_H
#define FRZ_TYPES_STATS_H
#include "types/value.h"

struct pred_stats {
    bool has_min, has_max, has_nulls; /* what is known */
    frz_value min, max;               /* bounds: may be wider than the values; not of NaNs */
    uint64_t rows, nulls;
    bool maybe_nan;                   /* float and double: true unless known to have none */
};
#endif
