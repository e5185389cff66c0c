#include "types/pred_int.h"

#include <stdio.h>

#include "base/utf8.h"

/* ── tokens ── */

enum token { T_END, T_NAME, T_QUOTED, T_NUMBER, T_TEXT, T_HEX, T_SYMBOL, T_BAD };

struct parser {
    const uint8_t *begin, *end;
    const uint8_t *at;   /* of the current token */
    const uint8_t *next; /* behind it */
    enum token token;
    slice text; /* name or string unquoted, number, symbol */
    const char *bad; /* T_BAD: what is wrong with it */
    const allocator *a;
    struct arena *ar;
    const frz_schema *schema;
    frz_error *err;
    int depth;
};
#define DEPTH_MAX 200

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_name_start(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80; }
static bool is_name(uint8_t c) { return is_name_start(c) || is_digit(c) || c == '.' || c == '$'; }

/* From behind the opening quote; doubled quotes are one. */
static bool scan_quoted(struct parser *p, const uint8_t *q, uint8_t quote)
{
    const uint8_t *from = q;
    size_t doubled = 0;
    for (;; q++) {
        if (q == p->end) return false;
        if (*q != quote) continue;
        if (q + 1 == p->end || q[1] != quote) break;
        q++;
        doubled++;
    }
    p->next = q + 1;
    p->text = slice_of(from, (size_t)(q - from));
    uint8_t *copy = (uint8_t *)arena_alloc(p->ar, p->text.len - doubled + 1, 1); /* values borrow from it */
    if (!copy) {
        p->bad = "";
        return true; /* noticed by advance */
    }
    size_t n = 0;
    for (const uint8_t *r = from; r < q; r++) {
        copy[n++] = *r;
        if (*r == quote) r++;
    }
    p->text = slice_of(copy, n);
    return true;
}

static void scan_number(struct parser *p, const uint8_t *q)
{
    const uint8_t *from = q;
    while (q < p->end && is_digit(*q)) q++;
    if (q < p->end && *q == '.') {
        q++;
        while (q < p->end && is_digit(*q)) q++;
    }
    if (q < p->end && (*q == 'e' || *q == 'E')) {
        const uint8_t *e = q + 1;
        if (e < p->end && (*e == '-' || *e == '+')) e++;
        if (e < p->end && is_digit(*e)) {
            while (e < p->end && is_digit(*e)) e++;
            q = e;
        }
    }
    p->token = T_NUMBER;
    p->text = slice_of(from, (size_t)(q - from));
    p->next = q;
    if (q < p->end && is_name(*q)) {
        p->token = T_BAD;
        p->bad = "a number that goes on as a name";
    }
}

static int advance(struct parser *p)
{
    const uint8_t *q = p->next;
    while (q < p->end && (*q == ' ' || *q == '\t' || *q == '\n' || *q == '\r')) q++;
    p->at = q;
    p->bad = NULL;
    if (q == p->end) {
        p->token = T_END;
        p->next = q;
        return FRZ_OK;
    }
    bool hex = (*q == 'x' || *q == 'X') && q + 1 < p->end && q[1] == '\'';
    if (*q == '\'' || *q == '"' || hex) {
        p->token = hex ? T_HEX : *q == '"' ? T_QUOTED : T_TEXT;
        if (!scan_quoted(p, q + 1 + hex, hex ? '\'' : *q)) {
            p->token = T_BAD;
            p->bad = "a quote that is not closed";
            p->next = p->end;
        } else if (p->bad) {
            return frz__err_no_memory(p->err, p->text.len);
        }
    } else if (is_digit(*q) || (*q == '.' && q + 1 < p->end && is_digit(q[1]))) {
        scan_number(p, q);
    } else if (is_name_start(*q)) {
        while (q < p->end && is_name(*q)) q++;
        p->token = T_NAME;
        p->text = slice_of(p->at, (size_t)(q - p->at));
        p->next = q;
    } else {
        static const char *const symbols[] = {"<>", "<=", ">=", "!=", "<", ">", "=", "(", ")", ",", "-", "+"};
        slice left = slice_of(q, (size_t)(p->end - q));
        p->token = T_BAD;
        p->next = p->end;
        for (size_t i = 0; i < FRZ_ARRAY_LEN(symbols); i++) {
            slice s = slice_str(symbols[i]);
            if (!slice_has_prefix(left, s)) continue;
            p->token = T_SYMBOL;
            p->text = s;
            p->next = q + s.len;
            break;
        }
    }
    return FRZ_OK;
}

static int err_expected(struct parser *p, const char *expected)
{
    size_t at = (size_t)(p->at - p->begin), left = (size_t)(p->end - p->at), n = (size_t)(p->next - p->at);
    if (p->token == T_END) return frz__err(p->err, FRZ_INVALID, "at position %zu: expected %s, found the end", at, expected);
    if (p->token == T_BAD && p->bad) return frz__err(p->err, FRZ_INVALID, "at position %zu: expected %s, found %s", at, expected, p->bad);
    if (p->token == T_BAD || n > left) n = left < 12 ? left : 12;
    n = frz__utf8_check(slice_of(p->at, n > 40 ? 40 : n));
    return frz__err(p->err, FRZ_INVALID, "at position %zu: expected %s, found %.*s", at, expected, (int)n, (const char *)p->at);
}

static bool same_folded(slice text, const char *upper)
{
    size_t i = 0;
    for (; i < text.len && upper[i]; i++) {
        uint8_t c = text.data[i];
        if (c >= 'a' && c <= 'z') c = (uint8_t)(c - 32);
        if (c != (uint8_t)upper[i]) return false;
    }
    return i == text.len && !upper[i];
}

static bool is_keyword(const struct parser *p, const char *upper) { return p->token == T_NAME && same_folded(p->text, upper); }
static bool is_symbol(const struct parser *p, const char *s) { return p->token == T_SYMBOL && slice_eq(p->text, slice_str(s)); }

static bool is_reserved(const struct parser *p)
{
    static const char *const reserved[] = {"AND", "OR", "NOT", "IN", "IS", "NULL", "BETWEEN", "LIKE", "ESCAPE", "TRUE", "FALSE"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(reserved); i++)
        if (is_keyword(p, reserved[i])) return true;
    return false;
}

static int expect_keyword(struct parser *p, const char *upper)
{
    if (!is_keyword(p, upper)) return err_expected(p, upper);
    return advance(p);
}

/* ── columns ── */

#define NAME_SHOWN 48

/* Edits between two names, case aside; both at most NAME_SHOWN bytes. */
static size_t distance(slice a, slice b)
{
    size_t row[NAME_SHOWN + 1];
    for (size_t j = 0; j <= b.len; j++) row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j], same = diagonal + ((a.data[i - 1] | 32) != (b.data[j - 1] | 32));
            size_t least = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
            row[j] = same < least ? same : least;
            diagonal = above;
        }
    }
    return row[b.len];
}

/* The three nearest names are listed. */
static int err_column(struct parser *p, slice name)
{
    size_t best[3], count = 0;
    size_t cost[3];
    const frz_schema *s = p->schema;
    slice shown = slice_of(name.data, name.len > NAME_SHOWN ? NAME_SHOWN : name.len);
    for (size_t i = 0; i < s->count; i++) {
        slice other = slice_of(s->columns[i].name, s->columns[i].name_len > NAME_SHOWN ? NAME_SHOWN : s->columns[i].name_len);
        size_t d = distance(shown, other), k = count < 3 ? count : 3;
        while (k > 0 && cost[k - 1] > d) k--;
        if (k == 3) continue;
        for (size_t m = count < 3 ? count : 2; m > k; m--) best[m] = best[m - 1], cost[m] = cost[m - 1];
        best[k] = i;
        cost[k] = d;
        if (count < 3) count++;
    }
    char list[256];
    size_t n = 0;
    for (size_t k = 0; k < count; k++) {
        const struct column *c = &s->columns[best[k]];
        int len = (int)frz__utf8_check(slice_of(c->name, c->name_len > NAME_SHOWN ? NAME_SHOWN : c->name_len));
        n += (size_t)snprintf(list + n, sizeof list - n, "%s\"%.*s\"", k ? ", " : "", len, c->name);
    }
    return frz__err(p->err, FRZ_INVALID, "at position %zu: there is no column \"%.*s\"; the nearest names: %s", (size_t)(p->at - p->begin), (int)frz__utf8_check(shown), (const char *)shown.data, list);
}

static int take_column(struct parser *p, uint32_t *column)
{
    if ((p->token != T_NAME && p->token != T_QUOTED) || is_reserved(p)) return err_expected(p, "a column");
    int64_t i = frz__schema_find(p->schema, p->text);
    if (i < 0) return err_column(p, p->text);
    *column = (uint32_t)i;
    return advance(p);
}

/* ── literals ── */

/* DATE, TIME and TIMESTAMP are literals only before a text: else they may be columns. */
static bool typed_literal(const struct parser *p, struct literal *l)
{
    const uint8_t *q = p->next;
    while (q < p->end && (*q == ' ' || *q == '\t' || *q == '\n' || *q == '\r')) q++;
    if (q == p->end || *q != '\'') return false;
    if (is_keyword(p, "DATE")) l->kind = LIT_DATE;
    else if (is_keyword(p, "TIME")) l->kind = LIT_TIME;
    else if (is_keyword(p, "TIMESTAMP")) l->kind = LIT_TIMESTAMP;
    else return false;
    return true;
}

/* > 0 (FRZ_NOT_FOUND): here is no literal. */
static int take_literal(struct parser *p, struct literal *l)
{
    *l = (struct literal){0};
    if (is_keyword(p, "NULL")) {
        l->kind = LIT_NULL;
    } else if (is_keyword(p, "TRUE") || is_keyword(p, "FALSE")) {
        l->kind = LIT_BOOL;
        l->boolean = is_keyword(p, "TRUE");
    } else if (p->token == T_TEXT || p->token == T_HEX) {
        l->kind = p->token == T_TEXT ? LIT_TEXT : LIT_HEX;
        l->text = p->text;
    } else if (typed_literal(p, l)) {
        TRY(advance(p));
        if (p->token != T_TEXT) return err_expected(p, "a text in quotes");
        l->text = p->text;
    } else if (p->token == T_NUMBER || is_symbol(p, "-") || is_symbol(p, "+")) {
        bool minus = is_symbol(p, "-");
        if (p->token == T_SYMBOL) TRY(advance(p));
        if (p->token != T_NUMBER) return err_expected(p, "a number");
        l->kind = LIT_NUMBER;
        uint8_t *copy = (uint8_t *)arena_alloc(p->ar, p->text.len + 1, 1);
        if (!copy) return frz__err_no_memory(p->err, p->text.len);
        copy[0] = '-';
        memcpy(copy + minus, p->text.data, p->text.len);
        l->text = slice_of(copy, p->text.len + minus);
    } else {
        return FRZ_NOT_FOUND;
    }
    return advance(p);
}

static int need_literal(struct parser *p, struct literal *l)
{
    int rc = take_literal(p, l);
    return rc == FRZ_NOT_FOUND ? err_expected(p, "a literal") : rc;
}

/* What is wrong with a value is said at the value's place. */
static int at_position(struct parser *p, const uint8_t *at, int rc)
{
    if (rc == FRZ_INVALID) frz__err_context(p->err, "at position %zu", (size_t)(at - p->begin));
    return rc;
}

static bool take_op(struct parser *p, enum pred_op *op)
{
    static const struct { const char *s; enum pred_op op; } ops[] = {{"=", PRED_EQ}, {"<>", PRED_NE}, {"!=", PRED_NE}, {"<", PRED_LT}, {"<=", PRED_LE}, {">", PRED_GT}, {">=", PRED_GE}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(ops); i++)
        if (is_symbol(p, ops[i].s)) {
            *op = ops[i].op;
            return true;
        }
    return false;
}

static enum pred_op op_negated(enum pred_op op)
{
    static const enum pred_op to[] = {PRED_NE, PRED_EQ, PRED_GE, PRED_GT, PRED_LE, PRED_LT};
    return to[op];
}
static enum pred_op op_flipped(enum pred_op op)
{
    static const enum pred_op to[] = {PRED_EQ, PRED_NE, PRED_GT, PRED_GE, PRED_LT, PRED_LE};
    return to[op];
}

/* ── conditions ── */

static int parse_or(struct parser *p, bool negated, struct pred_node **out);

static int make(struct parser *p, enum pred_kind kind, uint32_t column, struct pred_node **out)
{
    *out = frz__pred_node(p->ar, kind, p->schema, column);
    return *out ? FRZ_OK : frz__err_no_memory(p->err, sizeof **out);
}

/* Children of AND or OR, growing in the arena. */
static int add_child(struct parser *p, struct pred_node *n, struct pred_node *child)
{
    if ((n->count & (n->count - 1)) == 0) { /* full at each power of two */
        struct pred_node **more = (struct pred_node **)arena_alloc(p->ar, (n->count ? n->count * 2 : 1) * sizeof *more, 16);
        if (!more) return frz__err_no_memory(p->err, n->count * 2 * sizeof *more);
        if (n->count) memcpy(more, n->children, n->count * sizeof *more);
        n->children = more;
    }
    n->children[n->count++] = child;
    return FRZ_OK;
}

static int compare(struct parser *p, const uint8_t *at, uint32_t column, enum pred_op op, const struct literal *l, struct pred_node **out)
{
    return at_position(p, at, frz__pred_leaf_cmp(p->ar, p->schema, column, op, l, out, p->err));
}

static int parse_in(struct parser *p, uint32_t column, bool negated, struct pred_node **out)
{
    void *list = NULL;
    size_t count = 0, cap = 0;
    const uint8_t *at = p->at;
    int rc;
    if (!is_symbol(p, "(")) return err_expected(p, "(");
    do {
        CHECK(advance(p));
        CHECK(frz__grow(p->a, &list, count, &cap, sizeof(struct literal), p->err));
        CHECK(need_literal(p, &((struct literal *)list)[count]));
        count++;
    } while (is_symbol(p, ","));
    if (!is_symbol(p, ")")) {
        rc = err_expected(p, "\",\" or \")\"");
        goto done;
    }
    CHECK(advance(p));
    rc = at_position(p, at, frz__pred_leaf_in(p->ar, p->schema, column, negated, (const struct literal *)list, count, out, p->err));
done:
    frz__free(p->a, list);
    return rc;
}

static int parse_between(struct parser *p, uint32_t column, bool negated, struct pred_node **out)
{
    struct literal low, high;
    struct pred_node *n, *a, *b;
    const uint8_t *at = p->at;
    TRY(need_literal(p, &low));
    TRY(compare(p, at, column, negated ? PRED_LT : PRED_GE, &low, &a));
    TRY(expect_keyword(p, "AND"));
    at = p->at;
    TRY(need_literal(p, &high));
    TRY(compare(p, at, column, negated ? PRED_GT : PRED_LE, &high, &b));
    TRY(make(p, negated ? PRED_OR : PRED_AND, 0, &n));
    TRY(add_child(p, n, a));
    TRY(add_child(p, n, b));
    *out = n;
    return FRZ_OK;
}

static int parse_like(struct parser *p, uint32_t column, bool negated, struct pred_node **out)
{
    const uint8_t *at = p->at;
    int escape = '\\';
    bool null = is_keyword(p, "NULL");
    if (!null && p->token != T_TEXT) return err_expected(p, "a pattern in quotes");
    slice pattern = p->text;
    TRY(advance(p));
    if (is_keyword(p, "ESCAPE")) {
        TRY(advance(p));
        if (p->token != T_TEXT || p->text.len > 1 || (p->text.len && p->text.data[0] >= 0x80)) return err_expected(p, "one ASCII character in quotes");
        escape = p->text.len ? p->text.data[0] : -1;
        TRY(advance(p));
    }
    if (null) return make(p, PRED_FALSE, column, out);
    return at_position(p, at, frz__pred_leaf_like(p->ar, p->schema, column, negated, pattern, escape, out, p->err));
}

/* Behind a column. */
static int parse_condition(struct parser *p, uint32_t column, bool negated, struct pred_node **out)
{
    enum pred_op op;
    struct literal l;
    if (take_op(p, &op)) {
        TRY(advance(p));
        const uint8_t *at = p->at;
        TRY(need_literal(p, &l));
        return compare(p, at, column, negated ? op_negated(op) : op, &l, out);
    }
    if (is_keyword(p, "IS")) {
        TRY(advance(p));
        if (is_keyword(p, "NOT")) {
            TRY(advance(p));
            negated = !negated;
        }
        TRY(expect_keyword(p, "NULL"));
        return make(p, negated ? PRED_NOT_NULL : PRED_NULL, column, out);
    }
    bool not = is_keyword(p, "NOT");
    if (not) TRY(advance(p));
    if (is_keyword(p, "IN")) {
        TRY(advance(p));
        return parse_in(p, column, negated != not, out);
    }
    if (is_keyword(p, "BETWEEN")) {
        TRY(advance(p));
        return parse_between(p, column, negated != not, out);
    }
    if (is_keyword(p, "LIKE")) {
        TRY(advance(p));
        return parse_like(p, column, negated != not, out);
    }
    if (not) return err_expected(p, "IN, BETWEEN or LIKE");
    if (p->schema->columns[column].type.id != FRZ_BOOLEAN) return err_expected(p, "a comparison, IN, IS, BETWEEN or LIKE");
    l = (struct literal){.kind = LIT_BOOL, .boolean = !negated};
    return frz__pred_leaf_cmp(p->ar, p->schema, column, PRED_EQ, &l, out, p->err);
}

static int parse_primary(struct parser *p, bool negated, struct pred_node **out)
{
    struct literal l;
    enum pred_op op;
    uint32_t column = 0;
    if (is_symbol(p, "(")) {
        TRY(advance(p));
        TRY(parse_or(p, negated, out));
        if (!is_symbol(p, ")")) return err_expected(p, "AND, OR or \")\"");
        return advance(p);
    }
    const uint8_t *at = p->at;
    int rc = take_literal(p, &l);
    if (rc < 0) return rc;
    if (rc == FRZ_NOT_FOUND) {
        if ((p->token != T_NAME && p->token != T_QUOTED) || is_reserved(p)) return err_expected(p, "a column, a literal, NOT or \"(\"");
        TRY(take_column(p, &column));
        return parse_condition(p, column, negated, out);
    }
    if (!take_op(p, &op)) {
        if (l.kind == LIT_BOOL) return make(p, l.boolean != negated ? PRED_TRUE : PRED_FALSE, 0, out);
        if (l.kind == LIT_NULL) return make(p, PRED_FALSE, 0, out);
        return err_expected(p, "a comparison");
    }
    TRY(advance(p));
    TRY(take_column(p, &column));
    op = op_flipped(op);
    return compare(p, at, column, negated ? op_negated(op) : op, &l, out);
}

static int parse_not(struct parser *p, bool negated, struct pred_node **out)
{
    while (is_keyword(p, "NOT")) {
        negated = !negated;
        TRY(advance(p));
    }
    return parse_primary(p, negated, out);
}

/* A run of operands joined by one keyword; one alone stands for itself. */
static int parse_run(struct parser *p, bool negated, const char *keyword, enum pred_kind kind, int (*operand)(struct parser *, bool, struct pred_node **), struct pred_node **out)
{
    struct pred_node *n, *child;
    TRY(operand(p, negated, out));
    if (!is_keyword(p, keyword)) return FRZ_OK;
    TRY(make(p, kind, 0, &n));
    TRY(add_child(p, n, *out));
    while (is_keyword(p, keyword)) {
        TRY(advance(p));
        TRY(operand(p, negated, &child));
        TRY(add_child(p, n, child));
    }
    *out = n;
    return FRZ_OK;
}

static int parse_and(struct parser *p, bool negated, struct pred_node **out) { return parse_run(p, negated, "AND", negated ? PRED_OR : PRED_AND, parse_not, out); }

static int parse_or(struct parser *p, bool negated, struct pred_node **out)
{
    if (++p->depth > DEPTH_MAX) return frz__err(p->err, FRZ_INVALID, "at position %zu: more than %d parentheses in each other", (size_t)(p->at - p->begin), DEPTH_MAX);
    TRY(parse_run(p, negated, "OR", negated ? PRED_AND : PRED_OR, parse_and, out));
    p->depth--;
    return FRZ_OK;
}

int frz__pred_parse(const allocator *a, const frz_schema *s, slice text, struct pred **out, frz_error *err)
{
    struct pred *pred = NULL;
    int rc;
    *out = NULL;
    size_t bad = frz__utf8_check(text);
    if (bad != text.len) return frz__err(err, FRZ_INVALID, "at position %zu: byte 0x%02x is no UTF-8", bad, text.data[bad]);
    TRY(ALLOC_NEW(&pred, a, struct pred, err));
    pred->a = a;
    pred->ar = ARENA_INIT(a);
    static const uint8_t none;
    const uint8_t *begin = text.len ? text.data : &none;
    struct parser p = {.begin = begin, .end = begin + text.len, .at = begin, .next = begin, .a = a, .ar = &pred->ar, .schema = s, .err = err};
    CHECK(advance(&p));
    CHECK(parse_or(&p, false, &pred->root));
    if (p.token != T_END) {
        rc = err_expected(&p, "AND, OR or the end");
        goto done;
    }
    *out = pred;
    pred = NULL;
done:
    frz__pred_free(pred);
    return rc;
}
