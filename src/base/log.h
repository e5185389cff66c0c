/* log.h — events to the host's callback (frz_log_fn), in plain English: what happened, to which file, what was done about it. */
#ifndef FRZ_BASE_LOG_H
#define FRZ_BASE_LOG_H
#include "base/status.h"
struct logger { frz_log_fn fn; void *ctx; int level; };
void frz__log(const struct logger *l, int level, const char *fmt, ...) FRZ_PRINTF(3, 4); /* L may be NULL */
#endif
