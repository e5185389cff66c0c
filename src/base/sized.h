/* sized.h — structs of the public header that begin with their size (FRZ_INIT): an older program's are shorter, a newer one's longer.
 *
 * Design      what an older program does not know keeps its default. What this library does not know is refused if it is set: an option
 *             is never ignored in silence.                                                                                            */
#ifndef FRZ_BASE_SIZED_H
#define FRZ_BASE_SIZED_H
#include "base/status.h"

#define SIZED_BYTES_MAX 4096 /* a size beyond it was never set */

/* GIVEN, a TYPE of any version or NULL → KNOWN, of BYTES, which holds the defaults. rc: OK | FRZ_INVALID | FRZ_UNSUPPORTED. */
FRZ_NODISCARD int frz__sized_take(const void *given, const char *type, void *known, uint32_t bytes, frz_error *err);
/* Whether OUT, which its caller sized, can be filled at all. */
FRZ_NODISCARD int frz__sized_check(const void *out, const char *type, frz_error *err);
/* KNOWN, of BYTES, → OUT, as much as it has room for; its size stays. */
void frz__sized_give(void *out, const void *known, uint32_t bytes);
#endif
