/* place.h — directories of the system that lie beside the warehouse: where a backup goes, a restore, the archive of the log. */
#ifndef FRZ_ENGINE_PLACE_H
#define FRZ_ENGINE_PLACE_H
#include "base/status.h"

#include <limits.h>

/* PATH as it will be once it is made: its nearest directory that is there, resolved, and the rest. */
FRZ_NODISCARD int frz__place_resolve(const char *path, char out[PATH_MAX], frz_error *err);
/* PATH is DIR, or in it; both resolved. */
bool frz__place_below(const char *path, const char *dir);
/* FRZ_INVALID if PATH, resolved, is in a warehouse, whoever's: what its tables do not know of is swept there one day. ITSELF: or is one. WHAT goes elsewhere ("a backup"). */
FRZ_NODISCARD int frz__place_outside(const char *path, bool itself, const char *what, frz_error *err);
#endif
