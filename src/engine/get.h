/* get.h — point reads. OUT is of the table's schema and owns what it is filled with. */
#ifndef FRZ_ENGINE_GET_H
#define FRZ_ENGINE_GET_H
#include "engine/snapshot.h"
/* MASK: bitset of the columns to fill, NULL = all. FRZ_NOT_FOUND clears OUT. */
FRZ_NODISCARD int frz__get(struct table *t, struct snapshot *s, slice key, const uint8_t *mask, frz_row *out, frz_error *err);
/* One state for all. */
FRZ_NODISCARD int frz__multi_get(struct table *t, struct snapshot *s, const slice *keys, size_t count, frz_row *const *rows, bool *found, frz_error *err);
#endif
