/* compact_manual.h — a compaction that somebody asked for: jobs, one after another, until nothing is left to do for the files that were there when it began. */
#ifndef FRZ_ENGINE_COMPACT_MANUAL_H
#define FRZ_ENGINE_COMPACT_MANUAL_H
#include "engine/compact.h"

/* FROM, TO: encoded keys, [FROM, TO), data NULL = open. O has the rest. OUT: its struct_size is left alone. */
FRZ_NODISCARD int frz__compact_manual(struct table *t, slice from, slice to, const frz_compact_options *o, frz_compact_result *out, frz_error *err);
#endif
