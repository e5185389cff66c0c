/* mark.h — which files metadata names: the full mark, for what counting does not know: leftovers of crashes, and commits of others.
 *
 * Design      a set of file names without their folders: two files of one name in two folders are both named if one is. That errs towards keeping, as does everything here.
 * Invariants  (1) what can't be read is an error, and nothing goes on its account; only a list or manifest that is not there at all, of a snapshot that is not the current one, is passed over
 * Crash       reads only                                                                                                                    */
#ifndef FRZ_ENGINE_MARK_H
#define FRZ_ENGINE_MARK_H
#include "engine/db.h"

struct mark {
    slice name;          /* data NULL = a free slot */
    int64_t added, last; /* of frz__mark_version: sequence numbers; no retained snapshot before `added` or behind `last` needs it, but the current one, where it does */
    bool current;
};
struct marks {
    const allocator *a;
    struct arena ar;
    struct mark *slots; /* open addressing */
    size_t count, cap;
};
#define MARKS_INIT(a_) ((struct marks){.a = (a_), .ar = ARENA_INIT(a_)})
void frz__marks_clear(struct marks *s);
FRZ_NODISCARD int frz__marks_add(struct marks *s, slice path, frz_error *err); /* the name behind its last slash */
const struct mark *frz__marks_find(const struct marks *s, const char *name); /* NULL = it is not there */
static inline bool frz__marks_has(const struct marks *s, const char *name) { return frz__marks_find(s, name) != NULL; }

/* Every file that a retained snapshot of V needs: lists, manifests, data and delete files, statistics. */
FRZ_NODISCARD int frz__mark_version(struct table *t, const struct version *v, struct marks *s, frz_error *err);
/* The same of every metadata file that is there: v<N> and <digits>-<uuid>, older ones too. */
FRZ_NODISCARD int frz__mark_all_versions(struct table *t, struct marks *s, frz_error *err);

/* A name that frz__db_token is in: "frz-<token>-…", "snap-<id>-<token>.avro". To the letter: other engines have "snap-<id>-<attempt>-<uuid>.avro". */
struct own_name { uint64_t epoch; int64_t version; /* that it was made for */ uint64_t n; /* grows within an epoch */ };
bool frz__own_name(const char *name, struct own_name *out);
/* v<N>.metadata.json: N; -1 = another name */
int64_t frz__metadata_number(const char *name);
/* A version that fell out of the metadata log of V, by a commit that was cut short before it removed it. */
bool frz__metadata_is_old(const struct version *v, const char *name);
#endif
