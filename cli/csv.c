/* csv.c — RFC 4180: quotes around a field, doubled inside; commas and line ends in quotes; LF or CRLF. Strict: a quote inside a bare field, text behind a closing one and a lone CR are the row's problem,
 * a quote that never closes is the file's. Positions are relative to the window's `begin`, so that more input may be read at any byte. */
#include <stdlib.h>
#include <string.h>

#include "import.h"

enum state { FIELD_START, BARE, BARE_CR, QUOTED, QUOTE_SEEN, QUOTED_CR };

static bool no_memory(void)
{
    say("out of memory");
    return false;
}

static bool end_field(struct csv *c, struct csv_field f, size_t end)
{
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 32;
        struct csv_field *fields = (struct csv_field *)realloc(c->fields, cap * sizeof *fields);
        if (!fields) return no_memory();
        c->fields = fields;
        c->cap = cap;
    }
    f.len = end - f.at;
    c->fields[c->count++] = f;
    return true;
}

static void set_problem(struct csv *c, const char *problem)
{
    if (c->problem) return;
    c->problem = problem;
    c->problem_field = c->count;
}

/* Doubled quotes of escaped fields, halved in `scratch`; afterwards `at` is relative to it. */
static bool unescape(struct csv *c)
{
    c->scratch_len = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct csv_field *f = &c->fields[i];
        if (!f->escaped) continue;
        if (c->scratch_cap - c->scratch_len < f->len) {
            size_t cap = c->scratch_len + f->len + 4096;
            char *scratch = (char *)realloc(c->scratch, cap);
            if (!scratch) return no_memory();
            c->scratch = scratch;
            c->scratch_cap = cap;
        }
        const char *from = c->base + f->at, *end = from + f->len;
        char *to = c->scratch + c->scratch_len;
        while (from < end) {
            *to++ = *from;
            from += *from == '"' ? 2 : 1;
        }
        f->at = c->scratch_len;
        f->len = (size_t)(to - c->scratch) - c->scratch_len;
        c->scratch_len += f->len;
    }
    return true;
}

static bool is_special(char ch) { return ch == ',' || ch == '\n' || ch == '\r' || ch == '"'; }

static enum record too_long(const struct csv *c)
{
    say("%s, line %llu: a record of more than %zu MiB: is a quote open?", c->in->name, (unsigned long long)c->line, RECORD_BYTES_MAX >> 20);
    return RECORD_FAILED;
}

/* One record from `begin`; *bytes and *lines that it takes, its end included. */
static enum record scan(struct csv *c, size_t *bytes, uint64_t *lines)
{
    struct input *in = c->in;
    enum state state = FIELD_START;
    struct csv_field f = {0};
    size_t p = 0;
    *lines = 1;
    for (;;) {
        const char *d = in->data + in->begin;
        size_t n = in->end - in->begin;
        if (p == n) {
            if (n > RECORD_BYTES_MAX) return too_long(c);
            enum more more = input_more(in);
            if (more == MORE_FAILED) return RECORD_FAILED;
            if (more == MORE_OK) continue;
            *bytes = n;
            if (n == 0) return RECORD_END;
            if (state == QUOTED) {
                say("%s, line %llu: a quote is opened in this record and never closed", in->name, (unsigned long long)c->line);
                return RECORD_FAILED;
            }
            if (state == FIELD_START) f = (struct csv_field){.at = p};
            return end_field(c, f, state == BARE || state == FIELD_START ? p : state == QUOTED_CR ? p - 2 : p - 1) ? RECORD_OK : RECORD_FAILED;
        }
        char ch = d[p];
        switch (state) {
        case FIELD_START:
            f = (struct csv_field){.at = p, .quoted = ch == '"'};
            state = BARE;
            if (f.quoted) {
                f.at = ++p;
                state = QUOTED;
            }
            break;
        case BARE:
            while (p < n && !is_special(d[p])) p++;
            if (p == n) break;
            ch = d[p++];
            if (ch == '\r') state = BARE_CR;
            else if (ch == '"') set_problem(c, "a quote inside a field that does not begin with one");
            else {
                if (!end_field(c, f, p - 1)) return RECORD_FAILED;
                state = FIELD_START;
                *bytes = p;
                if (ch == '\n') return RECORD_OK;
            }
            break;
        case BARE_CR:
        case QUOTED_CR:
            if (ch != '\n') {
                set_problem(c, "a carriage return without a line feed");
                state = BARE;
                break;
            }
            *bytes = ++p;
            return end_field(c, f, state == BARE_CR ? p - 2 : p - 3) ? RECORD_OK : RECORD_FAILED;
        case QUOTED: {
            const char *quote = (const char *)memchr(d + p, '"', n - p);
            size_t stop = quote ? (size_t)(quote - d) : n;
            for (const char *s = d + p; (s = (const char *)memchr(s, '\n', (size_t)(d + stop - s))); s++) (*lines)++;
            p = stop;
            if (!quote) break;
            p++;
            state = QUOTE_SEEN;
            break;
        }
        case QUOTE_SEEN:
            p++;
            if (ch == '"') {
                f.escaped = true;
                state = QUOTED;
            } else if (ch == ',' || ch == '\n') {
                if (!end_field(c, f, p - 2)) return RECORD_FAILED;
                state = FIELD_START;
                *bytes = p;
                if (ch == '\n') return RECORD_OK;
            } else if (ch == '\r') state = QUOTED_CR;
            else {
                set_problem(c, "text behind a closing quote");
                f.escaped = false;
                state = BARE;
            }
            break;
        }
    }
}

enum record csv_next(struct csv *c)
{
    for (;;) {
        size_t bytes = 0;
        uint64_t lines = 0;
        c->count = 0;
        c->problem = NULL;
        c->line = c->in->line;
        if (import_stop) return RECORD_FAILED;
        enum record r = scan(c, &bytes, &lines);
        if (r != RECORD_OK) return r;
        if (bytes > RECORD_BYTES_MAX) return too_long(c);
        c->base = c->in->data + c->in->begin;
        input_take(c->in, bytes, lines);
        if (c->count == 1 && c->fields[0].len == 0 && !c->fields[0].quoted) continue; /* an empty line */
        if (c->problem) return RECORD_BAD;
        return unescape(c) ? RECORD_OK : RECORD_FAILED;
    }
}

const char *csv_text(const struct csv *c, size_t i, size_t *len)
{
    *len = c->fields[i].len;
    return (c->fields[i].escaped ? c->scratch : c->base) + c->fields[i].at;
}

void csv_clear(struct csv *c)
{
    free(c->fields);
    free(c->scratch);
    *c = (struct csv){0};
}

static bool is_blank(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r') return false;
    return true;
}

static enum record line_too_long(const struct input *in)
{
    say("%s, line %llu: a line of more than %zu MiB", in->name, (unsigned long long)in->line, RECORD_BYTES_MAX >> 20);
    return RECORD_FAILED;
}

enum record line_next(struct input *in, const char **text, size_t *len, uint64_t *line)
{
    for (size_t seen = 0;;) {
        if (import_stop) return RECORD_FAILED;
        const char *d = in->data + in->begin;
        size_t n = in->end - in->begin;
        const char *end = n > seen ? (const char *)memchr(d + seen, '\n', n - seen) : NULL;
        if (!end) {
            if (n > RECORD_BYTES_MAX) return line_too_long(in);
            seen = n;
            enum more more = input_more(in);
            if (more == MORE_FAILED) return RECORD_FAILED;
            if (more == MORE_OK) continue;
            if (n == 0) return RECORD_END;
            d = in->data + in->begin;
            end = d + n;
        }
        *len = (size_t)(end - d);
        if (*len > RECORD_BYTES_MAX) return line_too_long(in);
        *text = d;
        *line = in->line;
        input_take(in, *len + (*len < n), 1);
        seen = 0;
        if (!is_blank(*text, *len)) return RECORD_OK;
    }
}
