/* frazil alter DB TABLE CHANGE… — words to changes, all in one commit:
 *
 *     add 'NAME TYPE [default VALUE] [doc TEXT] [first | after COLUMN | before COLUMN]' · drop NAME · rename NAME to NAME · type NAME TYPE ·
 *     optional NAME · move NAME first | after COLUMN | before COLUMN · doc NAME TEXT · default NAME VALUE · no-default NAME                  */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define CHANGES_MAX (ARGS_MAX / 2)

struct made { /* what a change borrows */
    frz_column column;
    frz_schema *schema; /* of one column */
    frz_row *row;       /* the value */
    char *words[4];     /* of an `add` */
};
struct plan {
    const struct args *a;
    int at; /* the next word */
    frz_alter *changes;
    struct made *made;
    size_t count;
    const frz_schema *schema; /* the table's */
    const char *table;
};

static const char *next_word(struct plan *p, const char *what)
{
    if (p->at < p->a->word_count) return p->a->words[p->at++];
    usage("%s: expected %s", p->a->words[p->at - 1], what);
    return NULL;
}

/* As the library says what it refuses. */
static int fail_change(const struct plan *p, frz_error *e, int rc)
{
    say("%s: change %zu: %s (%s)", p->table, p->count + 1, e->message[0] ? e->message : "failed", frz_status_name(rc));
    return EXIT_ERROR;
}

/* ── places, types, values ── */

static int place_of(const char *word, int32_t *out)
{
    *out = strcmp(word, "first") == 0    ? FRZ_PLACE_FIRST
           : strcmp(word, "after") == 0  ? FRZ_PLACE_AFTER
           : strcmp(word, "before") == 0 ? FRZ_PLACE_BEFORE
                                         : FRZ_PLACE_NONE;
    return *out == FRZ_PLACE_NONE ? usage("`%s`: expected first, after or before", word) : EXIT_DONE;
}

/* TEXT as a schema of one column. */
static int one_column(const struct plan *p, const char *text, struct made *m)
{
    frz_error e = {0};
    int rc = frz_schema_parse(text, NULL, &m->schema, &e);
    if (rc != FRZ_OK) return fail_change(p, &e, rc);
    m->column.struct_size = sizeof m->column;
    if (frz_schema_column_count(m->schema) != 1) return usage("`%s`: expected one column", text);
    rc = frz_schema_column(m->schema, 0, &m->column);
    m->column.field_id = 0;
    return rc == FRZ_OK ? EXIT_DONE : EXIT_ERROR;
}

/* TEXT as the type of the column NAME. */
static int type_of_text(const struct plan *p, const char *name, const char *text, struct made *m, frz_type *out)
{
    char *column = (char *)malloc(2 * strlen(name) + strlen(text) + 4), *to = column;
    if (!column) return say("out of memory"), EXIT_ERROR;
    *to++ = '"';
    for (const char *s = name; *s; s++) {
        if (*s == '"') *to++ = '"';
        *to++ = *s;
    }
    *to++ = '"';
    *to++ = ' ';
    strcpy(to, text);
    int code = one_column(p, column, m);
    free(column);
    if (code == 0 && !m->column.required) return usage("type %s: a `?` is no part of a type; `optional` makes a column so", text);
    *out = m->column.type;
    return code;
}

static int value_of(const struct plan *p, const char *name, const char *text, frz_type type, struct made *m, frz_value *out)
{
    frz_error e = {0};
    frz_column c = FRZ_INIT(frz_column);
    frz_schema *s = NULL;
    c.name = name;
    c.type = type;
    int rc = frz_schema_new(&s, &e);
    if (rc == FRZ_OK) rc = frz_schema_add(s, &c, &e);
    if (rc == FRZ_OK) rc = frz_row_new_schema(s, &m->row, &e);
    frz_schema_free(s);
    if (rc == FRZ_OK) rc = frz_row_set_text(m->row, 0, text, strlen(text), &e);
    if (rc == FRZ_OK) rc = frz_row_get(m->row, 0, out);
    return rc == FRZ_OK ? EXIT_DONE : fail_change(p, &e, rc);
}

/* As the changes so far leave it. */
static int type_of_column(const struct plan *p, const char *name, frz_type *out)
{
    frz_column c = FRZ_INIT(frz_column);
    size_t at;
    for (size_t i = p->count; i-- > 0;) {
        const frz_alter *x = &p->changes[i];
        if (x->kind == FRZ_ALTER_RENAME && strcmp(x->name, name) == 0) name = x->column;
        bool typed = x->kind == FRZ_ALTER_TYPE && strcmp(x->column, name) == 0;
        if (!typed && !(x->kind == FRZ_ALTER_ADD && strcmp(x->add->name, name) == 0)) continue;
        *out = typed ? x->type : x->add->type;
        return EXIT_DONE;
    }
    if (frz_schema_find(p->schema, name, &at) != FRZ_OK || frz_schema_column(p->schema, at, &c) != FRZ_OK)
        return say("%s: change %zu: no column is named \"%s\" (%s)", p->table, p->count + 1, name, frz_status_name(FRZ_INVALID)), EXIT_ERROR;
    *out = c.type;
    return EXIT_DONE;
}

/* ── add: one word that holds several ── */

/* The end of the next item of *TEXT: a quoted one (the quote doubled stands for itself), or up to a space outside of brackets. */
static const char *item_end(const char *s)
{
    int depth = 0;
    if (*s == '`' || *s == '\'' || *s == '"') {
        char quote = *s++;
        while (*s && (*s != quote || s[1] == quote)) s += *s == quote ? 2 : 1;
        return *s ? s + 1 : s;
    }
    for (; *s && (depth > 0 || *s != ' '); s++) depth += (*s == '(') - (*s == ')');
    return s;
}

static char *item_copy(const char *s, const char *end)
{
    char quote = *s == '`' || *s == '\'' || *s == '"' ? *s : 0;
    char *out = (char *)malloc((size_t)(end - s) + 1), *to = out;
    if (!out) return NULL;
    if (quote) s++, end--;
    for (; s < end; s++) {
        *to++ = *s;
        if (quote && *s == quote) s++;
    }
    *to = 0;
    return out;
}

static const char *skip_spaces(const char *s) { return s + strspn(s, " "); }

static int add_rest(struct plan *p, const char *rest, const char *text)
{
    frz_alter *x = &p->changes[p->count];
    struct made *m = &p->made[p->count];
    int code = EXIT_DONE;
    size_t words = 0;
    while (code == 0 && *(rest = skip_spaces(rest))) {
        const char *end = item_end(rest);
        size_t len = (size_t)(end - rest);
        bool is_default = len == 7 && strncmp(rest, "default", 7) == 0, is_doc = len == 3 && strncmp(rest, "doc", 3) == 0;
        if (len == 5 && strncmp(rest, "first", 5) == 0) {
            x->place = FRZ_PLACE_FIRST;
            rest = end;
            continue;
        }
        if (!is_default && !is_doc && !(len == 5 && strncmp(rest, "after", 5) == 0) && !(len == 6 && strncmp(rest, "before", 6) == 0))
            return usage("add '%s': `%.*s`: expected default VALUE, doc TEXT, first, after COLUMN or before COLUMN", text, (int)len, rest);
        const char *what = skip_spaces(end), *what_end = item_end(what);
        if (what == what_end) return usage("add '%s': expected something behind `%.*s`", text, (int)len, rest);
        if (words == sizeof m->words / sizeof *m->words) return usage("add '%s': too much", text);
        char *copy = m->words[words++] = item_copy(what, what_end);
        if (!copy) return say("out of memory"), EXIT_ERROR;
        if (is_default) {
            if (m->row) return usage("add '%s': two defaults", text);
            code = value_of(p, m->column.name, copy, m->column.type, m, &m->column.initial);
            m->column.write = m->column.initial;
        } else if (is_doc) {
            m->column.doc = copy;
        } else {
            x->place = *rest == 'a' ? FRZ_PLACE_AFTER : FRZ_PLACE_BEFORE;
            x->other = copy;
        }
        rest = what_end;
    }
    return code;
}

static int change_add(struct plan *p)
{
    const char *text = next_word(p, "'NAME TYPE'");
    if (!text) return EXIT_USAGE;
    const char *name = skip_spaces(text), *type = skip_spaces(item_end(name)), *rest = item_end(type);
    size_t n = (size_t)(rest - name);
    struct made *m = &p->made[p->count];
    char *column = (char *)malloc(n + 1);
    if (!column) return say("out of memory"), EXIT_ERROR;
    memcpy(column, name, n);
    column[n] = 0;
    int code = one_column(p, column, m);
    free(column);
    p->changes[p->count].add = &m->column;
    return code ? code : add_rest(p, rest, text);
}

/* ── the others ── */

static int change_move(struct plan *p, frz_alter *x)
{
    const char *where = next_word(p, "first, after COLUMN or before COLUMN");
    if (!where) return EXIT_USAGE;
    int code = place_of(where, &x->place);
    if (code || x->place == FRZ_PLACE_FIRST) return code;
    x->other = next_word(p, "a column");
    return x->other ? EXIT_DONE : EXIT_USAGE;
}

static int change_rename(struct plan *p, frz_alter *x)
{
    const char *to = next_word(p, "to NAME");
    if (!to) return EXIT_USAGE;
    if (strcmp(to, "to") != 0) return usage("rename %s: `%s`: expected to NAME", x->column, to);
    x->name = next_word(p, "a name");
    return x->name ? EXIT_DONE : EXIT_USAGE;
}

static int change_type(struct plan *p, frz_alter *x)
{
    const char *text = next_word(p, "a type");
    return text ? type_of_text(p, x->column, text, &p->made[p->count], &x->type) : EXIT_USAGE;
}

static int change_doc(struct plan *p, frz_alter *x)
{
    x->doc = next_word(p, "a text; '' for none");
    if (!x->doc) return EXIT_USAGE;
    if (!*x->doc) x->doc = NULL;
    return EXIT_DONE;
}

static int change_default(struct plan *p, frz_alter *x)
{
    frz_type type;
    const char *text = next_word(p, "a value");
    if (!text) return EXIT_USAGE;
    int code = type_of_column(p, x->column, &type);
    return code ? code : value_of(p, x->column, text, type, &p->made[p->count], &x->value);
}

static int one_change(struct plan *p)
{
    static const struct { const char *word; int kind; int (*more)(struct plan *p, frz_alter *x); } kinds[] = {
        {"add", FRZ_ALTER_ADD, NULL},           {"drop", FRZ_ALTER_DROP, NULL},         {"rename", FRZ_ALTER_RENAME, change_rename},
        {"type", FRZ_ALTER_TYPE, change_type},  {"optional", FRZ_ALTER_OPTIONAL, NULL}, {"move", FRZ_ALTER_MOVE, change_move},
        {"doc", FRZ_ALTER_DOC, change_doc},     {"default", FRZ_ALTER_DEFAULT, change_default}, {"no-default", FRZ_ALTER_DEFAULT, NULL}};
    const char *word = p->a->words[p->at++];
    frz_alter *x = &p->changes[p->count];
    *x = (frz_alter)FRZ_ALTER_INIT;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].word, word) != 0) continue;
        x->kind = kinds[i].kind;
        if (x->kind == FRZ_ALTER_ADD) return change_add(p);
        x->column = next_word(p, "a column");
        if (!x->column) return EXIT_USAGE;
        return kinds[i].more ? kinds[i].more(p, x) : EXIT_DONE;
    }
    return usage("`%s`: expected add, drop, rename, type, optional, move, doc, default or no-default", word);
}

static void plan_clear(struct plan *p)
{
    for (size_t i = 0; p->made && i < CHANGES_MAX; i++) {
        frz_schema_free(p->made[i].schema);
        frz_row_free(p->made[i].row);
        for (size_t k = 0; k < sizeof p->made[i].words / sizeof *p->made[i].words; k++) free(p->made[i].words[k]);
    }
    free(p->changes);
    free(p->made);
}

int cmd_alter(struct args *a)
{
    frz_error e = {0};
    struct session s;
    int code = session_open(&s, a, MODE_WRITE, true);
    if (code) return code;
    struct plan p = {.a = a, .at = 2, .schema = s.schema, .table = frz_table_name(s.table)};
    p.changes = (frz_alter *)calloc(CHANGES_MAX, sizeof *p.changes);
    p.made = (struct made *)calloc(CHANGES_MAX, sizeof *p.made);
    if (!p.changes || !p.made) code = (say("out of memory"), EXIT_ERROR);
    while (code == 0 && p.at < a->word_count) {
        if (p.count == CHANGES_MAX) code = usage("more than %d changes", CHANGES_MAX);
        else code = one_change(&p);
        p.count += code == 0;
    }
    if (code == 0) {
        int rc = frz_table_alter(s.table, p.changes, p.count, &e);
        if (rc != FRZ_OK) code = fail(&e, rc);
    }
    plan_clear(&p);
    if (code == 0 && args_has(a, "json")) {
        printf("{\"altered\":");
        print_json_string(stdout, a->words[1], strlen(a->words[1]));
        printf(",\"changes\":%zu}\n", p.count);
    }
    return session_close(&s, code);
}
