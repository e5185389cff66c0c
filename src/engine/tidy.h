/* tidy.h — what is tidied up behind open, and now and then: leftovers of crashes (sweep.h), the trash, other engines' orphans (gc.h). One job of the pool, a table at a time, behind whatever flushes. */
#ifndef FRZ_ENGINE_TIDY_H
#define FRZ_ENGINE_TIDY_H
#include "engine/db.h"

/* At open for writing, alone: takes down what is to be looked at. */
FRZ_NODISCARD int frz__tidy_prepare(struct db *db, frz_error *err);
/* The same: at once what would else be done behind it, for the room that it takes. */
FRZ_NODISCARD int frz__tidy_now(struct db *db, frz_error *err);
void frz__tidy_tend(struct db *db, int64_t now); /* by the clock */
void frz__tidy_interval(struct table *t);        /* T's settings are others: when it is looked at next */
void frz__tidy_stop(struct db *db); /* close begins: what goes on is not waited for */
/* Once all is published: what a process that committed has not come to yet. */
void frz__tidy_rest(struct db *db);
#endif
