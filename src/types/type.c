#include "types/type.h"

size_t frz__type_width(frz_type t)
{
    switch (t.id) {
    case FRZ_BOOLEAN: return 1;
    case FRZ_INT:
    case FRZ_DATE:
    case FRZ_FLOAT: return 4;
    case FRZ_LONG:
    case FRZ_DOUBLE:
    case FRZ_TIME:
    case FRZ_TIMESTAMP:
    case FRZ_TIMESTAMPTZ:
    case FRZ_TIMESTAMP_NS:
    case FRZ_TIMESTAMPTZ_NS: return 8;
    case FRZ_DECIMAL:
    case FRZ_UUID: return 16;
    case FRZ_FIXED: return (size_t)t.length;
    default: return 0;
    }
}
