/* pred_int.h — the tree of a predicate, for pred*.c.
 *
 * Design      NOT is pushed to the leaves while parsing (De Morgan; < becomes >=; IN, LIKE, IS NULL have negated forms): all of SQL's logic keeps its value. What is left is monotone, so that
 *             "is true" alone need be computed: unknown and false are one, and AND, OR over "is true" are bitwise. Literals are converted to the column's type while parsing, exactly:
 *             `i < 2.5` is `i <= 2`, `i = 2.5` is never true, `i < 1e30` is "not null".
 * Invariants  (1) a value in a node is of exactly its column's type  (2) IN's values ascend and differ  (3) AND and OR have two children at least                    */
#ifndef FRZ_TYPES_PRED_INT_H
#define FRZ_TYPES_PRED_INT_H
#include "base/arena.h"
#include "types/pred.h"

enum pred_kind { PRED_FALSE, PRED_TRUE, PRED_AND, PRED_OR, PRED_CMP, PRED_IN, PRED_NOT_IN, PRED_NULL, PRED_NOT_NULL, PRED_LIKE, PRED_NOT_LIKE };
enum pred_op { PRED_EQ, PRED_NE, PRED_LT, PRED_LE, PRED_GT, PRED_GE };

/* A LIKE pattern: runs of literal bytes between wildcards. */
struct like_part {
    enum { LIKE_BYTES, LIKE_ONE, LIKE_ANY } kind; /* bytes, _, % */
    slice bytes;
};
struct like {
    struct like_part *parts;
    size_t count;
    slice prefix; /* every match begins so */
    bool exact;   /* … and is no longer: no wildcards */
};

struct pred_node {
    enum pred_kind kind;
    enum pred_op op;     /* PRED_CMP */
    uint32_t column;     /* leaves */
    frz_type type;       /* of the column */
    frz_value value;     /* PRED_CMP */
    frz_value *values;   /* PRED_IN, PRED_NOT_IN */
    int64_t *ints;       /* … the same as integers, where the type is one of 4 or 8 bytes */
    size_t count;        /* of values or children */
    struct pred_node **children;
    struct like like;
};

struct pred {
    const allocator *a;
    struct arena ar; /* nodes, values */
    struct pred_node *root;
};

bool frz__like_match(const struct like *l, slice s);
/* -1, 0, 1 for each of the six operators */
static inline bool pred_op_holds(enum pred_op op, int cmp)
{
    switch (op) {
    case PRED_EQ: return cmp == 0;
    case PRED_NE: return cmp != 0;
    case PRED_LT: return cmp < 0;
    case PRED_LE: return cmp <= 0;
    case PRED_GT: return cmp > 0;
    default: return cmp >= 0;
    }
}
bool frz__pred_in(const struct pred_node *n, const frz_value *v); /* V is among n->values */

/* Leaves, made from text literals: pred_leaf.c. */
struct literal {
    enum { LIT_NULL, LIT_BOOL, LIT_NUMBER, LIT_TEXT, LIT_DATE, LIT_TIME, LIT_TIMESTAMP, LIT_HEX } kind;
    bool boolean;
    slice text; /* the number; the string, unquoted; lives as long as the predicate */
};
FRZ_NODISCARD int frz__pred_leaf_cmp(struct arena *ar, const frz_schema *s, uint32_t column, enum pred_op op, const struct literal *l, struct pred_node **out, frz_error *err);
FRZ_NODISCARD int frz__pred_leaf_in(struct arena *ar, const frz_schema *s, uint32_t column, bool negated, const struct literal *l, size_t count, struct pred_node **out, frz_error *err);
/* ESCAPE -1 = none. */
FRZ_NODISCARD int frz__pred_leaf_like(struct arena *ar, const frz_schema *s, uint32_t column, bool negated, slice pattern, int escape, struct pred_node **out, frz_error *err);
struct pred_node *frz__pred_node(struct arena *ar, enum pred_kind kind, const frz_schema *s, uint32_t column); /* NULL = out of memory */
#endif
